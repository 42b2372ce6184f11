"""Where a scaling curve breaks: broken power laws with intervals, and how many breaks there are.

>>> x = np.geomspace(1, 1e4, 25)
>>> y = 2 * x**-0.5 * (1 + (x / 100) ** 4) ** -0.125
>>> law = fit(x, y)
>>> print(law.form, f"{law.breaks[0].place.value:.4f} {law.breaks[0].after.value:.4f}")
1 break 100.0000 -1.0000
>>> print(law.ended)
the curve is this formula to rounding: there is nothing left to explain
"""

import dataclasses
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import fdtri

from ci_theory._errors import BadInput, Status
from ci_theory.locate.broken import DEEPEST, Form, Plateau
from ci_theory.locate.chain import Chain
from ci_theory.locate.ladder import (
    RESOLUTION,
    Rungs,
    Step,
    alike,
    climb,
    correlation,
)
from ci_theory.locate.observed import CHAINED, Observed, observed, pooled
from ci_theory.locate.profile import (
    CONFIDENCE,
    EXACT,
    Interval,
    Resampled,
    profile,
    resampled,
)
from ci_theory.locate.search import Search

MOST = DEEPEST
"""Breaks that are looked for at most."""

FEWEST_RESAMPLES = 60
"""Bootstrap replicates below which chances of 2.5 % cannot be told."""

_SPARE = 3  # points there must be beyond the parameters
_CERTAIN = 6  # independent measurements a parameter, for intervals to be interpreted


class Found(NamedTuple):
    """One break.

    Attributes:
        place: where, in units of x; open (infinite) at a side on which the data do not end it.
        width: f, units of log x: the slope changes over about 2 f on either side.
        before: slope of log(y - floor) against log x before it; ``after`` beyond it.
        status: OK, or AT_EDGE where the interval of the place is open.
    """

    place: Interval
    width: Interval
    before: Interval
    after: Interval
    status: Status


@dataclasses.dataclass(frozen=True)
class BrokenLaw:
    """A fitted curve. Call it for values; ``slope`` and ``band`` likewise take x.

    Attributes:
        form: breaks and floor.
        breaks: the breaks in order; a floor alone is reported as the last one.
        slope_first: slope before every break.
        floor: lowest value that the curve tends to; value 0 where none was needed, and then
            ``high`` is the largest that the data allow.
        scatter: standard deviation of log y around the curve, degrees of freedom allowed for.
        resolution: scatter below which no larger form was tried.
        ladder: the tests by which the form was chosen.
        points: measurements used.
        correlation: of the scatter of neighbours along a run; 0 where it is none but chance.
        effective: independent measurements that would tell as much.
        interpretable: whether there are enough of those for intervals that hold what they say.
        warnings: what to know before the numbers are believed, a line each.
    """

    form: Form
    breaks: tuple[Found, ...]
    slope_first: Interval
    floor: Interval
    scatter: float
    resolution: float
    ladder: tuple[Step, ...]
    points: int
    correlation: float
    effective: float
    interpretable: bool
    warnings: tuple[str, ...]
    _again: Resampled[Form] = dataclasses.field(repr=False)

    @property
    def theta(self) -> np.ndarray:
        """Parameters (p,), see ``Form``."""
        return self._again.theta

    @property
    def ended(self) -> str:
        """Say why no larger form was tried; empty where the tests say it."""
        if self.scatter <= EXACT:
            return "the curve is this formula to rounding: there is nothing left to explain"
        if self.scatter <= self.resolution:
            return (
                f"{100 * self.scatter:.2g} % of y is left, within the resolution of "
                f"{100 * self.resolution:.2g} %: no further structure was looked for"
            )
        return ""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the curve at x."""
        with np.errstate(over="ignore"):
            return np.exp(self.form.value(self.theta, np.log(np.asarray(x, float))))

    def slope(self, x: np.ndarray) -> np.ndarray:
        """Return d log y / d log x at x, floor included."""
        return self.form.slope(self.theta, np.log(np.asarray(x, float)))

    def band(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a 95 % band for the curve at each x by itself, also beyond the data.

        It allows for the scatter and for the parameters, not for a break still to come.
        """
        u, again = np.log(np.atleast_1d(np.asarray(x, float))), self._again
        here, rows = self.form.jacobian(self.theta[None], u)
        there, all_rows = self.form.jacobian(again.thetas, u)
        half = [
            again.half_width(float(here[0, k]), there[:, k], rows[0, k], all_rows[:, k])
            for k in range(len(u))
        ]
        with np.errstate(over="ignore"):
            return np.exp(here[0] - half), np.exp(here[0] + half)


def fit(
    x: np.ndarray,
    y: np.ndarray,
    breaks: int | Literal["auto"] = "auto",
    *,
    least: int = 0,
    weights: np.ndarray | None = None,
    sd: np.ndarray | None = None,
    run: np.ndarray | None = None,
    resolution: float = RESOLUTION,
    resamples: int = 200,
    seed: int = 0,
) -> BrokenLaw:
    """Fit a broken power law to a curve, by least squares in log y.

    The form grows while a bootstrapped likelihood ratio asks for it: power law, a floor, one
    break, one break and a floor, two breaks, ... and it looks two steps ahead. With ``breaks``
    given, only the floor is tried. Intervals have 95 % coverage for scatter of one size in log y
    (or of the sizes that ``weights`` or ``sd`` say): places, widths and the floor by profile
    likelihood with a bootstrapped level, slopes and bands by the studentised bootstrap. Scatter
    may be alike from one measurement of a run to the next (an autoregressive chain): that is
    looked for, and fit, tests and intervals allow for it.

    A curve without scatter is described as coarsely as ``resolution`` allows: the smallest form
    that holds it to rounding, or else the first that misses it by no more.

    Args:
        x: places (m,), > 0; repeated ones are repeated measurements.
        y: values (m,), > 0. What cannot be used is left out with a warning.
        breaks: 0 to 4, or "auto".
        least: breaks there are at least, for "auto".
        weights: relative precisions of the measurements (m,), > 0: 1/variance of log y up to a
            factor.
        sd: standard deviations of y (m,), > 0, in place of ``weights``; only their ratios count.
        run: integers (m,): which run, or seed, a measurement comes from. Without them the first
            row of every place counts as one run, the second as another, ...
        resolution: scatter (relative, of y) below which no larger form is tried, 0 to 1.
        resamples: bootstrap replicates.
        seed: of the bootstrap.

    Raises:
        BadInput: too few points, or fewer distinct places than parameters; a number of breaks that
            is not 0 to 4, a resolution not 0 to 1, or weights that are none.
    """
    if not 0 <= resolution <= 1:
        raise BadInput(f"resolution = {resolution:g}: expected a share of y, 0 to 1")
    if resamples < FEWEST_RESAMPLES:
        raise BadInput(f"resamples = {resamples}: expected at least {FEWEST_RESAMPLES}")
    if breaks != "auto" and (isinstance(breaks, bool) or breaks not in range(MOST + 1)):
        raise BadInput(f"breaks = {breaks}: expected auto or 0 to {MOST}")
    if isinstance(least, bool) or least not in range(MOST + 1):
        raise BadInput(f"least = {least}: expected 0 to {MOST} breaks")
    if breaks != "auto" and least > breaks:
        raise BadInput(f"breaks = {breaks} with at least {least}: expected auto, or no more")
    data = observed(x, y, weights, sd, run)
    with np.errstate(all="ignore"):  # a trial step may overflow: it is then no better
        return _fit(data, breaks, least, resolution, resamples, seed)


def _fit(
    data: Observed,
    breaks: int | Literal["auto"],
    least: int,
    resolution: float,
    resamples: int,
    seed: int,
) -> BrokenLaw:
    """Fit a clean curve: how alike neighbours are first, then the form, then the intervals."""
    chain = Chain(data)
    forms, tried = _forms(chain, breaks, least)
    rungs = Rungs(_search(chain), chain)
    neighbours = alike(rungs, _forms(chain, "auto", 0)[0], resolution)
    if neighbours.rho > 0:
        data = pooled(data.rows, data.left_out, CHAINED)
        chain = Chain(data, neighbours.rho, neighbours.likely)
        rungs = Rungs(_search(chain), chain)
    again, ladder = climb(rungs, tried, resamples, seed, resolution)
    found = _breaks(rungs.search, chain, again, seed)
    floor = _floor(rungs, again, forms)
    told = _warnings(chain, forms, again, found, floor)
    if not rungs[again.form].converged:
        told.insert(0, "the fit did not converge: another start may end lower")
    return BrokenLaw(
        form=again.form,
        breaks=found,
        slope_first=again.interval(-_unit(again.form.size, 1)),
        floor=floor,
        scatter=again.scatter,
        correlation=chain.rho,
        effective=chain.effective,
        interpretable=_interpretable(chain, again.form),
        resolution=resolution,
        ladder=ladder,
        points=chain.size,
        warnings=(*data.warnings, *told),
        _again=again,
    )


def _search(chain: Chain) -> Search:
    y = chain.data.y
    return Search(chain.data.u, chain.root, (float(y.min()), float(y.max())))


def _interpretable(chain: Chain, form: Form) -> bool:
    """Say whether enough independent measurements are left for an interval to mean something."""
    return not chain.rho or chain.effective >= _CERTAIN * form.size


def _forms(chain: Chain, breaks: int | str, least: int) -> tuple[list[Form], list[Form]]:
    """List the forms up to the largest that the points allow, ascending, and those to try."""
    low, high = (least, MOST) if breaks == "auto" else (int(breaks), int(breaks))
    ladder = [Form(k, floor) for k in range(high + 1) for floor in (False, True)]
    points, places = chain.size, chain.data.places
    allowed = [form for form in ladder if form.size + _SPARE <= points and form.size <= places]
    smallest = Form(low, False)
    if smallest not in allowed:
        if smallest.size > places:
            raise BadInput(
                f"{places} distinct places: {smallest} has {smallest.size} parameters; expected no "
                "more than places"
            )
        raise BadInput(f"{points} usable points: {smallest} needs {smallest.size + _SPARE}")
    return allowed, [form for form in allowed if form.breaks >= low]


def _breaks(search: Search, chain: Chain, again: Resampled[Form], seed: int) -> tuple[Found, ...]:
    """Describe the breaks of a fit; a floor without a break is one itself."""
    form, data = again.form, chain.data
    slope = -_unit(form.size, 1)
    found = []
    for i in range(form.breaks):
        j = form.place(i)
        place, width = (profile(search, data.y, again, k) for k in (j, j + 1))
        before = again.interval(slope)
        slope = slope - _unit(form.size, j - 1)
        found.append(_found(place, _exp(width), before, again.interval(slope)))
    if form == Form(0, True):
        same = resampled(search, chain, Plateau(), Plateau.of(again.theta), len(again.curves), seed)
        place = profile(search, data.y, same, 2)
        first, last = data.u[0], data.u[-1]
        low = place.low if place.low >= first else -np.inf
        high = place.high if place.high <= last else np.inf
        before = again.interval(slope)
        width = Interval(*(1 / max(-v, 1e-12) for v in (before.value, before.low, before.high)))
        after = Interval(0.0, 0.0, 0.0)
        found.append(_found(Interval(place.value, low, high), width, before, after))
    return tuple(found)


def _unit(size: int, j: int) -> np.ndarray:
    return np.eye(size)[j]


def _exp(interval: Interval) -> Interval:
    with np.errstate(over="ignore"):
        return Interval(*(float(np.exp(v)) for v in interval))


def _found(place: Interval, width: Interval, before: Interval, after: Interval) -> Found:
    closed = np.isfinite([place.low, place.high]).all()
    whole = _exp(place)
    whole = whole._replace(low=whole.low if np.isfinite(place.low) else -np.inf)
    return Found(whole, width, before, after, Status.OK if closed else Status.AT_EDGE)


def _floor(rungs: Rungs, again: Resampled[Form], forms: list[Form]) -> Interval:
    """Return the floor; where the form has none, how high one may be."""
    form, search, data = again.form, rungs.search, rungs.chain.data
    if form.floor:
        return _exp(profile(search, data.y, again, form.size - 1))
    larger = form.larger
    if larger not in forms:
        return Interval(0.0, 0.0, np.inf)
    near = rungs[larger].theta
    shares = np.linspace(0.0, 1.0, 101)[1:]
    paths = np.tile(near, (len(shares), 1))
    paths[:, -1] = data.y.min() + np.log(shares)
    bare = np.concatenate([np.tile(again.theta, (len(shares), 1)), paths[:, -1:]], axis=1)
    held = (larger.size - 1,)
    curves = data.y[None].repeat(len(shares), 0)
    found = search.polish(larger, curves, [paths, bare], held=held)
    free = max(rungs.chain.size - form.size - 1, 1)
    level = float(fdtri(1, free, CONFIDENCE)) / free
    allowed = found.loss + again.within <= again.loss * (1 + level)
    top = float(np.exp(paths[np.flatnonzero(allowed).max(), -1])) if allowed.any() else 0.0
    return Interval(0.0, 0.0, top)


def _warnings(
    chain: Chain,
    forms: list[Form],
    again: Resampled[Form],
    found: tuple[Found, ...],
    floor: Interval,
) -> list[str]:
    """Say what to know before the numbers are believed."""
    told = []
    form, data, m = again.form, chain.data, chain.size
    if forms[-1].breaks < MOST and form == forms[-1] and m < Form(MOST, False).size + _SPARE:
        told.append(f"{m} points allow no form larger than {forms[-1]}: the curve may hold more")
    if data.u[-1] - data.u[0] < np.log(10):
        told.append("x spans less than a decade: any smooth curve looks like a power law there")
    for number, one in enumerate(found, 1):
        if one.status == Status.AT_EDGE:
            told.append(f"break {number}: the data do not end its interval (open)")
    if form.floor and floor.low == 0.0:
        told.append("the floor is not identifiable: its interval reaches 0")
    fine = form.value(again.theta, np.linspace(data.u[0], data.u[-1], 200))
    rise = float((fine - np.minimum.accumulate(fine)).max())
    fall = float((np.maximum.accumulate(fine) - fine).max())
    least = max(again.scatter, 1e-3)
    if min(rise, fall) > least:
        told.append("the curve is not monotone: breaks describe it, and explain nothing")
    if fine[-1] - fine[0] > least:
        told.append(
            "y rises: what rises towards a ceiling is fitted as ceiling - y (give ceiling - y)"
        )
    if again.lost > 0.05:
        told.append(f"{again.lost:.0%} of the resampled fits did not converge: intervals are rough")
    if again.scatter > EXACT:
        lag = correlation(again.rest, data.rows.first)
        if chain.rho:
            told += _alike(chain, form)
        elif lag > 2 / np.sqrt(m):
            told.append(
                f"neighbouring residuals are alike (correlation {lag:.2f}): intervals are too "
                "narrow, and breaks may be too many"
            )
    return told


def _alike(chain: Chain, form: Form) -> list[str]:
    """Say what a correlation along the runs leaves of the measurements."""
    told = [
        f"neighbouring residuals are alike (correlation {chain.rho:.2f}): the {chain.size} "
        f"measurements count as {chain.effective:.3g} independent ones"
    ]
    if not _interpretable(chain, form):
        told.append(
            f"{chain.effective:.3g} independent measurements are too few for {form.size} "
            "parameters: the intervals are not to be interpreted, and breaks cannot be told apart"
        )
    return told
