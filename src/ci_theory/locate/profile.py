"""Intervals of a fit: profile likelihood of a parameter, and bootstrap of its residuals."""

from typing import Generic, NamedTuple, TypeVar

import numpy as np
from scipy.special import fdtri

from ci_theory.locate.broken import Family, Form
from ci_theory.locate.chain import Chain
from ci_theory.locate.least_squares import whiten
from ci_theory.locate.search import Search
from ci_theory.locate.student import quantile

CONFIDENCE = 0.95

EXACT = 1e-9
"""Scatter of log y below which a curve is a formula."""

_ROUNDS, _STEPS = 4, 60  # of a profile: a point passes its steps on to its neighbours

F = TypeVar("F", bound=Family)


class Interval(NamedTuple):
    """A number with its interval; infinite at a side where the data do not end it."""

    value: float
    low: float
    high: float


class Resampled(NamedTuple, Generic[F]):
    """A fit, and fits of curves that scatter around it as the data do.

    Attributes:
        form: what was fitted.
        theta: parameters (p,); ``loss``: sum of squares of all measurements, whitened.
        within: the part of it that lies within the points, whatever the parameters are.
        scatter: standard deviation around the curve, degrees of freedom allowed for.
        covariance: of the parameters (p, p), by the linear approximation.
        curves: resampled curves log y (r, m); ``thetas``: their fits (r, p); ``losses`` and
            ``withins`` (r,).
        covariances: of those fits, each by itself (r, p, p).
        free: degrees of freedom.
        rest: residuals (n,) of the measurements, whitened.
        lost: share of the fits that ended before they converged.
    """

    form: F
    theta: np.ndarray
    loss: float
    within: float
    scatter: float
    covariance: np.ndarray
    curves: np.ndarray
    thetas: np.ndarray
    losses: np.ndarray
    withins: np.ndarray
    covariances: np.ndarray
    free: int
    rest: np.ndarray
    lost: float

    def interval(self, direction: np.ndarray) -> Interval:
        """Return a combination (p,) of the parameters with its interval."""
        value = float(self.theta @ direction)
        again = self.thetas @ direction
        half = self.half_width(value, again, direction, np.tile(direction, (len(again), 1)))
        return Interval(value, value - half, value + half)

    def half_width(
        self, value: float, again: np.ndarray, row: np.ndarray, rows: np.ndarray
    ) -> float:
        """Return half of the interval of a number, by the symmetric studentised bootstrap.

        It is no narrower than Student's.

        Args:
            value: the number; ``again``: what it is in the resampled curves (r,).
            row: its derivatives by the parameters (p,); ``rows``: likewise (r, p).

        Source: Hall 1988, On symmetric bootstrap confidence intervals, J. R. Statist. Soc. B 50
        (cited from memory).
        """
        error = np.sqrt(np.maximum(row @ self.covariance @ row, 0.0))
        errors = np.sqrt(np.maximum(np.einsum("ra,rab,rb->r", rows, self.covariances, rows), 0.0))
        score = np.abs(again - value) / np.maximum(errors, 1e-300)
        nominal = quantile(0.5 + CONFIDENCE / 2, self.free)
        return float(error * max(float(np.quantile(score, CONFIDENCE)), nominal))


def resampled(
    search: Search,
    chain: Chain,
    form: F,
    theta: np.ndarray,
    resamples: int,
    seed: int,
) -> Resampled[F]:
    """Draw residuals with replacement, put them on the fitted curve, and fit again.

    Residuals are divided by sqrt(1 - leverage) and centred, so that they scatter as errors do.
    """
    rest = chain.rest(form, theta)
    left, sizes, _ = np.linalg.svd(chain.jacobian(form, theta), full_matrices=False)
    told = sizes > 1e-9 * sizes.max()
    leverage = (left[:, told] ** 2).sum(axis=1)
    free = max(chain.size - int(told.sum()), 1)
    fair = rest / np.sqrt(np.maximum(1 - leverage, 0.05))
    fair -= fair.mean()
    rng = np.random.default_rng([seed, len(theta)])
    noise, withins = chain.draw(fair, resamples, rng)
    value = form.value(theta, search.u)
    curves = value + noise
    if isinstance(form, Form):
        again = search.best(form, curves, near=theta)
    else:
        again = search.polish(form, curves, [np.tile(theta, (resamples, 1))])
    thetas = form.sorted(again.theta)
    loss, losses = float((rest**2).sum()), again.loss + withins
    between = float((whiten(chain.data.y - value, search.root) ** 2).sum())
    return Resampled(
        form=form,
        theta=theta,
        loss=loss,
        within=max(loss - between, 0.0) if chain.size > len(search.u) else 0.0,
        scatter=float(np.sqrt(loss / free)),
        covariance=_covariances(search, form, theta[None], np.array([loss / free]))[0],
        curves=curves,
        thetas=thetas,
        losses=losses,
        withins=withins,
        covariances=_covariances(search, form, thetas, losses / free),
        free=free,
        rest=rest,
        lost=float(1 - again.converged.mean()),
    )


def _covariances(
    search: Search, form: Family, thetas: np.ndarray, variances: np.ndarray
) -> np.ndarray:
    """Return covariances (r, p, p) of parameters (r, p) for scatter of variances (r,)."""
    across = whiten(form.jacobian(thetas, search.u)[1].swapaxes(1, 2), search.root)
    square = across @ across.swapaxes(1, 2)
    return np.linalg.pinv(square, rcond=1e-13, hermitian=True) * variances[:, None, None]


def profile(search: Search, y: np.ndarray, again: Resampled[F], j: int) -> Interval:
    """Return a parameter with the interval that the likelihood ratio accepts.

    A value is accepted if holding the parameter there raises the sum of squares, in proportion,
    by no more than it does in 95 % of resampled curves to hold it where it truly is in them, or
    by no more than the F distribution allows: residuals of two dozen points have no tails. It is
    looked for within the box of the form, and a place between the neighbouring breaks; a side
    without a rejected value is open.
    """
    form, theta = again.form, again.theta
    here = float(theta[j])
    if again.scatter <= EXACT:
        return Interval(here, here, here)
    moved = again.thetas.copy()
    moved[:, j] = here
    near = np.tile(theta, (len(moved), 1))
    tied = search.polish(form, again.curves, [moved, near], held=(j,), steps=_STEPS)
    level = float(np.quantile((tied.loss + again.withins) / again.losses - 1, CONFIDENCE))
    level = max(level, float(fdtri(1, again.free, CONFIDENCE)) / again.free)

    low, high = (float(b[j]) for b in search.box(form))
    others = form.places(theta)
    if here in others:
        low = float(max(others[others < here], default=low))
        high = float(min(others[others > here], default=high))
    error = float(np.clip(np.sqrt(again.covariance[j, j]), 1e-9 * (high - low), high - low))
    wide = np.linspace(low, high, 41)
    close = here + error * np.linspace(-4, 4, 33)
    places = np.unique(np.clip(np.concatenate([wide, close, [here]]), low, high))
    paths = np.tile(theta, (len(places), 1))
    paths[:, j] = places
    curves = np.tile(y, (len(places), 1))
    box = _ordered(form, search.box(form), j, places)
    starts, loss = [paths], np.full(len(places), np.inf)
    for _ in range(_ROUNDS):
        before = loss
        paths, loss, _ = search.polish(form, curves, starts, held=(j,), box=box, steps=_STEPS)
        if np.all(loss > before - 1e-4 * level * again.loss):
            break
        starts = _starts(paths, j)
    return Interval(here, *_ends(places, (loss + again.within) / again.loss - 1 - level, here))


def _ordered(
    form: Family, box: tuple[np.ndarray, np.ndarray], j: int, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the box (q, p) in which the other breaks stay on their side of a held one.

    Else they would take its part, and the held break another's.
    """
    low, high = (np.tile(end, (len(places), 1)) for end in box)
    at = [int(k) for k in form.places(np.arange(len(box[0])))]
    if j in at:
        for k in at:
            if k < j:
                high[:, k] = np.minimum(high[:, k], places)
            if k > j:
                low[:, k] = np.maximum(low[:, k], places)
    return low, high


def _starts(paths: np.ndarray, j: int) -> list[np.ndarray]:
    """Return a path's points, and its neighbours moved onto their places."""
    starts = [paths]
    for shift in (1, -1):
        moved = np.roll(paths, shift, axis=0)
        moved[:, j] = paths[:, j]
        starts.append(moved)
    return starts


def _ends(places: np.ndarray, ratio: np.ndarray, here: float) -> tuple[float, float]:
    """Return the outermost crossings of 0, infinite where the places end before one."""
    at = int(np.argmin(np.abs(places - here)))
    inside = np.union1d(np.flatnonzero(ratio <= 0), [at])
    ends = []
    for edge, beyond in ((inside[0], inside[0] - 1), (inside[-1], inside[-1] + 1)):
        if not 0 <= beyond < len(places):
            ends.append(-np.inf if beyond < 0 else np.inf)
            continue
        start = min(float(ratio[edge]), 0.0)
        share = -start / (float(ratio[beyond]) - start)
        ends.append(float(places[edge] + share * (places[beyond] - places[edge])))
    return ends[0], ends[1]
