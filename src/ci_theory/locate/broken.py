"""Broken power laws: the curves that ``breaks.fit`` fits, and how each is nested in the next.

    y = a + b x^-c0 prod_i (1 + (x/d_i)^(1/f_i))^(-c_i f_i)

The slope of log(y - a) against log x goes from -c0 to -(c0 + c_1) around d_1, over about 2 f_1
units of log x on either side, and so on. In u = log x, with softplus(z) = log(1 + e^z),

    log(y - a) = log b - c0 u - sum_i c_i f_i softplus((u - log d_i)/f_i)

is linear in log b, c0 and the c_i. Forms are ordered so that each is nested in the next: a power
law, one with a floor a, one break, one break and a floor, two breaks, ... A floor *is* a break
with c_1 = -c0, f_1 = 1/c0 and d_1 = (b/a)^(1/c0).

Source: Caballero, Gupta, Rish, Krueger, arXiv:2210.14891 (the function).
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from scipy.special import expit

DEEPEST = 4
"""Breaks that a form has at most."""

FAINT = 12.0
"""A floor e^-12 of the lowest value is no floor."""


@runtime_checkable
class Family(Protocol):
    """What a search has to know of a family of curves; rows of parameters are (..., p)."""

    def value(self, theta: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return log y (..., m) at u = log x (m,)."""

    def jacobian(self, theta: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log y (..., m) and its derivatives (..., m, p) by the parameters."""

    def bounds(self, u: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the box searched, low (p,) and high (p,), for a curve log y (m,) at u."""

    def places(self, theta: np.ndarray) -> np.ndarray:
        """Return log d of every break, (..., k)."""

    def sorted(self, theta: np.ndarray) -> np.ndarray:
        """Order the breaks by their places."""


class Form(NamedTuple):
    """How many breaks, and whether there is a floor.

    Parameters are rows (..., p) of: log b, c0; c, log d, log f of every break; log a.

    >>> Form(1, False).size, Form(0, True).size, Form(0, True).larger, str(Form(2, True))
    (5, 3, Form(breaks=1, floor=False), '2 breaks and a floor')
    """

    breaks: int
    floor: bool

    @property
    def size(self) -> int:
        """Number of parameters."""
        return 2 + 3 * self.breaks + self.floor

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        parts = [f"{w}{i + 1}" for i in range(self.breaks) for w in ("c", "log_d", "log_f")]
        return ("log_b", "c0", *parts, *(["log_a"] if self.floor else []))

    @property
    def larger(self) -> "Form":
        """The next form, in which this one is nested."""
        return Form(self.breaks + 1, False) if self.floor else Form(self.breaks, True)

    @property
    def smaller(self) -> "Form":
        """The form before this one, nested in it."""
        return Form(self.breaks, False) if self.floor else Form(self.breaks - 1, True)

    def __str__(self) -> str:
        """Say it in words."""
        count = {0: "no break", 1: "1 break"}.get(self.breaks, f"{self.breaks} breaks")
        return f"{count} and a floor" if self.floor else count

    def place(self, i: int) -> int:
        """Return the index of log d of break i."""
        return 3 + 3 * i

    def places(self, theta: np.ndarray) -> np.ndarray:
        """Return log d of every break, (..., k)."""
        return theta[..., 3 : 3 + 3 * self.breaks : 3]

    def value(self, theta: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return log y (..., m) at u = log x (m,)."""
        line = self._line(theta, u)
        return np.logaddexp(line, theta[..., -1:]) if self.floor else line

    def _line(self, theta: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return log(y - a)."""
        line = theta[..., :1] - theta[..., 1:2] * u
        for i in range(self.breaks):
            c, d, f = _break(theta, i)
            line = line - c * f * np.logaddexp(0.0, (u - d) / f)
        return line

    def jacobian(self, theta: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log y (..., m) and its derivatives (..., m, p) by the parameters."""
        many, points = theta.shape[:-1], u.shape[-1]
        across = np.empty((*many, self.size, points))  # a parameter's derivatives lie together
        across[..., 0, :], across[..., 1, :] = 1.0, -u
        line = theta[..., :1] - theta[..., 1:2] * u
        for i in range(self.breaks):
            c, d, f = _break(theta, i)
            z = (u - d) / f
            small = np.exp(-np.abs(z))
            gate = np.where(z > 0, 1.0, small) / (1 + small)
            soft = np.maximum(z, 0.0) + np.log1p(small)
            line = line - c * f * soft
            across[..., 2 + 3 * i, :] = -f * soft
            across[..., 3 + 3 * i, :] = c * gate
            across[..., 4 + 3 * i, :] = -c * f * (soft - z * gate)
        if not self.floor:
            return line, across.swapaxes(-1, -2)
        gap = line - theta[..., -1:]
        small = np.exp(-np.abs(gap))
        share = np.where(gap > 0, 1.0, small) / (1 + small)
        value = np.maximum(line, theta[..., -1:]) + np.log1p(small)
        across[..., :-1, :] *= share[..., None, :]
        across[..., -1, :] = 1 - share
        return value, across.swapaxes(-1, -2)

    def slope(self, theta: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return d log y / d log x (..., m)."""
        slope = -theta[..., 1:2] * np.ones_like(u)
        for i in range(self.breaks):
            c, d, f = _break(theta, i)
            slope = slope - c * expit((u - d) / f)
        if self.floor:
            slope = slope * np.exp(self._line(theta, u) - self.value(theta, u))
        return slope

    def bounds(self, u: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the box searched, low (p,) and high (p,), for a curve log y (m,) at u.

        A break lies inside the axis, at least the width of a gap between points sharp (sharper
        cannot be told from a kink) and at most as wide as the axis.
        """
        places = np.unique(u)
        reach = places[-1] - places[0]
        sharp = float(np.median(np.diff(places))) / 8
        low, high = [-np.inf, -np.inf], [np.inf, np.inf]
        for _ in range(self.breaks):
            low += [-np.inf, places[0], np.log(sharp)]
            high += [np.inf, places[-1], np.log(max(reach / 2, 2 * sharp))]
        if self.floor:
            low, high = [*low, float(y.min()) - FAINT], [*high, float(y.max())]
        return np.array(low), np.array(high)

    def sorted(self, theta: np.ndarray) -> np.ndarray:
        """Order the breaks (..., p) by their places."""
        if self.breaks < 2:
            return theta
        parts = theta[..., 2 : 2 + 3 * self.breaks]
        parts = parts.reshape(*theta.shape[:-1], self.breaks, 3)
        order = np.argsort(parts[..., 1], axis=-1)[..., None]
        ordered = np.take_along_axis(parts, order, axis=-2).reshape(*theta.shape[:-1], -1)
        tail = theta[..., 2 + 3 * self.breaks :]
        return np.concatenate([theta[..., :2], ordered, tail], axis=-1)

    def nested(self, theta: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Write this form's parameters as those of the next, clipped to its box.

        Exact where a floor becomes the first break, and, to e^-12, where a floor is added.
        """
        if not self.floor:
            return np.concatenate([theta, np.broadcast_to(low[-1], theta[..., :1].shape)], axis=-1)
        head, floor = theta[..., :-1], theta[..., -1]
        end = theta[..., 1] + head[..., 2::3].sum(axis=-1)  # slope far beyond every break
        steep = np.where(np.abs(end) < 1e-3, 1e-3, end)
        shift = sum((head[..., 2 + 3 * i] * head[..., 3 + 3 * i] for i in range(self.breaks)), 0.0)
        place = (head[..., 0] + shift - floor) / steep
        width = -np.log(np.abs(steep))
        one = np.stack([-end, place, width], axis=-1)
        return np.clip(np.concatenate([head, one], axis=-1), low, high)

    def levelled(self, theta: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Replace the last break by a floor where the curve ends: roughly, where it is flat there.

        Rows (..., p) become rows of the form before this one; the inverse of ``nested``.
        """
        theta = self.sorted(theta)
        return np.concatenate([theta[..., :-3], self.value(theta, u[-1:])], axis=-1)


def _break(theta: np.ndarray, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return c, log d and f of a break, each (..., 1)."""
    c, d, f = (theta[..., j : j + 1] for j in range(2 + 3 * i, 5 + 3 * i))
    return c, d, np.exp(f)


class Plateau(NamedTuple):
    """A power law that levels off, by the place where it does: a second way to write a floor.

        y = b (x^-c + d^-c),   rows (..., 3) of log b, c, log d

    >>> theta = Plateau.of(np.array([0.0, 0.5, np.log(0.1)]))
    >>> print(np.exp(theta[2]).round(9), np.exp(Plateau().value(theta, np.log([100.0]))))
    100.0 [0.2]
    """

    @staticmethod
    def of(theta: np.ndarray) -> np.ndarray:
        """Rewrite the parameters of ``Form(0, True)``."""
        steep = np.where(np.abs(theta[..., 1]) < 1e-9, 1e-9, theta[..., 1])
        place = (theta[..., 0] - theta[..., 2]) / steep
        return np.stack([theta[..., 0], theta[..., 1], place], axis=-1)

    @staticmethod
    def sorted(theta: np.ndarray) -> np.ndarray:
        """Return the parameters: one break is in order."""
        return theta

    @staticmethod
    def places(theta: np.ndarray) -> np.ndarray:
        """Return log d, (..., 1)."""
        return theta[..., 2:]

    def value(self, theta: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return log y (..., m) at u = log x (m,)."""
        return self.jacobian(theta, u)[0]

    def jacobian(self, theta: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log y (..., m) and its derivatives (..., m, 3) by the parameters."""
        level, c, place = (theta[..., j : j + 1] for j in range(3))
        line, floor = -c * u, -c * place
        both = np.logaddexp(line, floor)
        share = np.exp(line - both)
        columns = [np.ones_like(both), -share * u - (1 - share) * place, -(1 - share) * c]
        return level + both, np.stack(columns, axis=-1)

    def bounds(self, u: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the box: the place may lie half the axis' length beyond its ends."""
        beyond = 0.5 * float(u.max() - u.min())
        low, high = [-np.inf, -np.inf, u.min() - beyond], [np.inf, np.inf, u.max() + beyond]
        return np.array(low), np.array(high)
