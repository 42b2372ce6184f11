"""Where a falling power law meets its floor: the crossover of b x^-c + a, with an interval."""

import dataclasses
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ci_theory._errors import Status
from ci_theory.locate.broken import FAINT, Form, Plateau
from ci_theory.locate.point import BreakPoint, Curve, clean, missing
from ci_theory.locate.search import Search
from ci_theory.locate.student import quantile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Floor:
    """The place d where the two parts of y = b (x^-c + d^-c) are equal, fitted to the mean curve.

    Least squares in log y, every place of the axis with the same weight, so that the same rule
    gives one place for a simulated curve and for a formula; a curve that is no such law has a
    place too, the same for both. The interval is Student's over jackknifed replicates, in log d.

    Attributes:
        confidence: coverage of the interval.
        log_axis: always a logarithmic axis; None and True mean the same.

    >>> x = np.geomspace(1, 1000, 13)
    >>> print(f"{Floor().locate(x, 5 / x + 0.1).value:.6f}")
    50.000000
    >>> Floor().locate(x, 5 / x).status
    <Status.NO_BREAK: 4>
    """

    singly: ClassVar[bool] = False  # breaks are those of the mean curve

    confidence: float = 0.95
    log_axis: bool | None = True

    def locate(self, x: ArrayLike, y: ArrayLike) -> BreakPoint:
        """Locate the crossover in a formula y (t,) or in replicates y (r, t).

        Returns:
            BreakPoint with the height of the curve there, twice the floor. AT_EDGE where the
            place or its interval lies beyond the axis; NO_BREAK where the curve has no floor, or
            one reached later than half the axis' length beyond its end; NOT_FINITE where fewer
            than 4 places, fewer than 3 replicates, or a mean that is not positive are left;
            NOT_CONVERGED where the fit is not.
        """
        curve = clean(x, y, log_axis=True)
        mean = curve.y.mean(axis=0) if len(curve.y) else curve.y
        few = len(curve.u) < 4 or len(curve.y) < (1 if curve.formula else 3)
        if few or not np.all(mean > 0):
            return missing(Status.NOT_FINITE, curve)
        search = Search(curve.u, np.ones_like(mean), (np.log(mean.min()), np.log(mean.max())))
        power = search.best(Form(0, False), np.log(mean)[None])
        found = search.best(Form(0, True), np.log(mean)[None], smaller=power.theta)
        faint = found.theta[0, 2] < np.log(mean.min()) - FAINT + 1
        theta = Plateau.of(found.theta[0])
        low, high = (float(b[2]) for b in search.box(Plateau()))
        if faint or theta[1] <= 0 or not low < theta[2] < high:
            return missing(Status.NO_BREAK, curve)
        if not found.converged[0]:
            return missing(Status.NOT_CONVERGED, curve)
        if curve.formula:
            return self._answer(curve, theta, np.zeros(2), 0.0)
        r = len(curve.y)
        left_out = (mean * r - curve.y) / (r - 1)
        if not np.all(left_out > 0):
            return missing(Status.NOT_FINITE, curve)
        again = search.polish(Plateau(), np.log(left_out), [np.tile(theta, (r, 1))]).theta
        numbers = np.stack([again[:, 2], _height(again)])
        spread = (r - 1) * numbers.std(axis=1) / np.sqrt(r - 1)
        return self._answer(curve, theta, spread, quantile(0.5 + self.confidence / 2, r - 1))

    def matching(self, found: BreakPoint) -> "Floor":
        """Return this locator: it has no resolution that a measured curve could set."""
        return self

    def undivided(self, x: ArrayLike, y: ArrayLike) -> bool:
        """Return False: no side of a peak is asked for."""
        return False

    def _answer(
        self, curve: Curve, theta: np.ndarray, spread: np.ndarray, factor: float
    ) -> BreakPoint:
        """Turn log d, the log height, and their errors into an answer."""
        here, height = float(theta[2]), float(_height(theta))
        first, last = float(curve.u[0]), float(curve.u[-1])
        low, high = here - factor * spread[0], here + factor * spread[0]
        inside = first <= low and high <= last
        if not curve.formula:  # beyond the axis an interval is open; a formula has none
            low = min(low, last) if low >= first else -np.inf
            high = max(high, first) if high <= last else np.inf
        return BreakPoint(
            value=float(np.exp(here)),
            low=float(np.exp(low)) if np.isfinite(low) else -np.inf,
            high=float(np.exp(high)),
            height=float(np.exp(height)),
            status=Status.OK if inside else Status.AT_EDGE,
            height_low=float(np.exp(height - factor * spread[1])),
            height_high=float(np.exp(height + factor * spread[1])),
            replicates=0 if curve.formula else len(curve.y),
            excluded=curve.excluded,
        )


def _height(theta: np.ndarray) -> np.ndarray | np.float64:
    """Return log of twice the floor."""
    return theta[..., 0] - theta[..., 1] * theta[..., 2] + np.log(2)
