"""Where a predicted curve breaks, and what its slack leaves open about that."""

from typing import NamedTuple, SupportsIndex

import numpy as np

from ci_theory._errors import Status
from ci_theory.locate.point import BreakPoint
from ci_theory.locate.student import quantile
from ci_theory.phenomena._base import Locator

FOUND = (Status.OK, Status.AT_EDGE)

RESAMPLES = 60
"""Resamplings of the replicates in all of which a predicted break must be found to be sure."""

_CUTS = 64  # places at which steps and turns are tried, at most


class Room(NamedTuple):
    """A break of a predicted curve, and where it may be within the curve's slack.

    Attributes:
        point: the break of the curve itself.
        low: lowest place to which the slack lets it move; NaN if no curve within it has a break.
        high: highest such place.
        may_vanish: a curve within the slack has no break.
    """

    point: BreakPoint
    low: float
    high: float
    may_vanish: bool

    @property
    def somewhere(self) -> bool:
        """Whether some curve within the slack has a break."""
        return bool(np.isfinite(self.low))


def room(locator: Locator, x: np.ndarray, curve: np.ndarray, slack: np.ndarray) -> Room:
    """Locate a break in a predicted curve (t,) and in curves as far from it as the slack allows.

    Tried are shifts of the whole curve and steps from one bound of the slack to the other
    between any two neighbouring places, which tilt a peak and shift a crossing the most; and
    the curves that turn once at most, see ``turning_once``: they have no peak, or no valley.
    """
    point = locator.locate(x, curve)
    tries = []
    if np.any(slack > 0):
        for cut in np.unique(np.linspace(0, len(x), min(len(x), _CUTS) + 1).astype(int)):
            step = np.where(np.arange(len(x)) < cut, -1.0, 1.0)
            tries += [curve + step * slack, curve - step * slack]
            tries += [turning_once(curve, slack, cut, first) for first in (False, True)]
    found = [point, *(locator.locate(x, one) for one in tries)]
    places = [float(p.value) for p in found if p.status in FOUND]
    may_vanish = any(p.status == Status.NO_BREAK for p in found)
    if not places:
        return Room(point, np.nan, np.nan, may_vanish)
    return Room(point, min(places), max(places), may_vanish)


def turning_once(
    curve: np.ndarray, slack: np.ndarray, cut: SupportsIndex, rising: bool
) -> np.ndarray:
    """Return a curve (t,) within the slack that rises before a cut and falls after it.

    Or, not ``rising``, falls and then rises. It does so wherever the slack has room for such a
    curve; else it stays within the slack and comes close.
    """
    halves = (slice(0, cut), rising), (slice(cut, None), not rising)
    return np.concatenate([_monotone(curve[part], slack[part], up) for part, up in halves])


def _monotone(curve: np.ndarray, slack: np.ndarray, rising: bool) -> np.ndarray:
    sign = 1.0 if rising else -1.0
    lowest = np.maximum.accumulate(sign * curve - slack)  # no monotone curve above that is lower
    return sign * np.minimum(lowest, sign * curve + slack)


def surely_found(
    locator: Locator, x: np.ndarray, curve: np.ndarray, y: np.ndarray, level: float
) -> bool:
    """Say whether a curve's break is found in replicates that scatter as these do, but for level.

    It must be found in all of many resamplings of them: that alone shows that it is missed in
    less than one of twenty or so. For a smaller chance they scatter more widely than the runs
    did, in the ratio of the quantiles of Student's t: a margin that holds then is as many
    standard errors wide as that chance takes.

    Args:
        locator: what looks for the break.
        x: places (t,).
        curve: the predicted curve (t,).
        y: replicates (r, t), NaN where there is none.
        level: chance that it is missed.
    """
    r = len(y)
    if r < 2:
        return False
    wider = max(1.0, quantile(1 - level, r - 1) / quantile(0.95, r - 1))
    scatter = wider * (y - np.nanmean(y, axis=0))
    draws = np.random.default_rng(0).integers(r, size=(RESAMPLES, r))
    return all(locator.locate(x, curve + scatter[rows]).status in FOUND for rows in draws)
