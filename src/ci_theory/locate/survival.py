"""When runs break one by one: the time by which half of them have, with runs that never do.

A run that has not broken by the end of its axis is *censored*: its time is at least that long. It
is kept as such, never averaged away or left out.
"""

import dataclasses
import warnings
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ci_theory._errors import Status
from ci_theory.locate.point import BreakPoint, checked


class Times(NamedTuple):
    """Break times of single runs, (r,).

    Attributes:
        time: of the break, or of the last look at a run that has not broken.
        reached: whether it broke.
    """

    time: np.ndarray
    reached: np.ndarray


class SurvivalCurve(NamedTuple):
    """Kaplan-Meier estimate: the share of runs that have not broken, after each break time.

    Attributes:
        time: break times, ascending, (k,).
        share: of runs that have not broken after it, (k,).
        low: lower end of the pointwise interval, (k,).
        high: upper end, (k,).
        start: lower end before the first break, where the share is 1.
    """

    time: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    start: float


def break_times(
    x: ArrayLike, y: ArrayLike, level: float, direction: Literal["up", "down"] = "up"
) -> Times:
    """Return when each run first reaches a level, by linear interpolation on the grid.

    A run that is there at the first grid point broke then at the latest. A value that is not
    finite reaches nothing: a run that diverges before the level never breaks, and is censored at
    the end of the axis.

    Args:
        x: places (t,), in any order.
        y: runs (r, t).
        level: to reach.
        direction: from below ("up") or from above.

    Raises:
        BadInput: shapes that do not match, repeated places, or fewer than 3.

    >>> found = break_times([0.0, 10.0, 20.0], [[0, 0.5, 1], [0, 0, 0.2]], 0.75)
    >>> print(found.time, found.reached)
    [15. 20.] [ True False]
    """
    x, y, _ = checked(x, y, False)
    order = np.argsort(x)
    x, gap = x[order], (np.atleast_2d(y)[:, order] - level) * (1.0 if direction == "up" else -1.0)
    there = (gap >= 0) & np.isfinite(gap)
    reached: np.ndarray = np.any(there, axis=1)
    first = np.argmax(there, axis=1)
    rows, before = np.arange(len(gap)), np.maximum(first - 1, 0)
    a, b = gap[rows, before], gap[rows, first]
    between = reached & (first > 0) & np.isfinite(a)
    part = np.where(between, a / np.where(between, a - b, 1.0), 1.0)
    time = x[before] + (x[first] - x[before]) * part
    return Times(np.where(reached, time, x[-1]), reached)


def survival_curve(times: Times, confidence: float = 0.95) -> SurvivalCurve:
    """Estimate the share of runs that have not broken, with pointwise log-log intervals.

    Kaplan and Meier (1958); intervals by Greenwood's formula on log(-log share), as
    ``scipy.stats.ecdf`` computes them. Where all runs or none are left that formula has none: the
    interval there is that of a binomial share of 1 or 0.

    >>> curve = survival_curve(Times(np.array([1.0, 2.0, 3.0, 3.0]), np.array([1, 1, 0, 1]) > 0))
    >>> print(curve.time, curve.share)
    [1. 2. 3.] [0.75 0.5  0.25]
    """
    from scipy.stats import CensoredData, ecdf  # half a second, only where it is wanted

    broke = times.time[times.reached]
    edge = ((1 - confidence) / 2) ** (1 / len(times.time))
    if not len(broke):
        return SurvivalCurve(broke, broke, broke, broke, edge)
    found = ecdf(CensoredData(broke, right=times.time[~times.reached])).sf
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the undefined end, which is replaced
        band = found.confidence_interval(confidence, method="log-log")
    use = np.isin(found.quantiles, broke)
    share = found.probabilities[use]
    gone = share == 0
    low = np.where(gone, 0.0, band.low.probabilities[use])
    high = np.where(gone, 1 - edge, band.high.probabilities[use])
    return SurvivalCurve(found.quantiles[use], share, low, high, edge)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Survival:
    """The time by which half of the runs have reached ``level``, each by itself.

    The mean of curves that rise abruptly at different times is no run's curve; here every run
    has its own break. Its median over runs has an interval without assumptions: between two
    order statistics, the widest pair of ranks that the binomial law of "broken by then" does not
    reject, so its coverage is at least ``confidence``. Fewer than 6 runs have none at 95 %.

    If fewer than half of the runs break on the axis the status is CENSORED, and the interval
    runs from its lower end, if that many broke, or else from the end of the axis, to infinity.

    Attributes:
        level: the level, in units of the curve.
        direction: reached from below ("up") or from above ("down").
        confidence: coverage of the interval, at least.

    >>> runs = [[0.0, 0.0, 1.0], [0.0, 0.5, 1.0], [0.0, 0.0, 0.2]]
    >>> Survival(level=0.5).locate(np.array([0.0, 1.0, 2.0]), np.array(runs)).value
    1.5
    """

    singly: ClassVar[bool] = True  # each run has its own break

    level: float
    direction: Literal["up", "down"] = "up"
    confidence: float = 0.95

    def locate(self, x: ArrayLike, y: ArrayLike) -> BreakPoint:
        """Locate the median break of replicates y (r, t), or the break of a formula y (t,).

        Returns:
            BreakPoint; ``reached`` counts the runs that broke. A formula that never does has
            status NO_BREAK. NOT_FINITE for fewer than 3 replicates.

        Raises:
            BadInput: see ``break_times``.
        """
        found = break_times(x, y, self.level, self.direction)
        if np.ndim(y) == 1:
            at = float(found.time[0]) if found.reached[0] else np.nan
            status = Status.OK if found.reached[0] else Status.NO_BREAK
            return self._answer(at, at, at, status, 0, None)
        r, reached = len(found.time), int(found.reached.sum())
        if r < 3:
            return self._answer(np.nan, np.nan, np.nan, Status.NOT_FINITE, r, reached)
        ordered = np.sort(np.where(found.reached, found.time, np.inf))
        middle = float(ordered[(r - 1) // 2] / 2 + ordered[r // 2] / 2)
        from scipy.stats import binom  # likewise

        rank = int(binom.ppf((1 - self.confidence) / 2, r, 0.5))  # 0: too few runs for a bound
        low, high = (float(ordered[i]) if rank else np.nan for i in (rank - 1, r - rank))
        if np.isfinite(middle):
            sides = (low, high) if rank else (-np.inf, np.inf)
            return self._answer(middle, *sides, Status.OK, r, reached)
        low = min(low, float(np.max(x))) if rank else -np.inf
        return self._answer(np.nan, low, np.inf, Status.CENSORED, r, reached)

    def matching(self, found: BreakPoint) -> "Survival":
        """Return this locator: it has no resolution that a measured curve could set."""
        return self

    def undivided(self, x: ArrayLike, y: ArrayLike) -> bool:
        """Return False: no side of a peak is asked for."""
        return False

    def _answer(
        self, value: float, low: float, high: float, status: Status, r: int, reached: int | None
    ) -> BreakPoint:
        height = self.level if np.isfinite(value) else np.nan
        return BreakPoint(
            value, low, high, height, status, height, height, replicates=r, reached=reached
        )
