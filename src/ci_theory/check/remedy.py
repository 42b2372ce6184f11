"""What would decide an UNDERPOWERED sweep: so many replicates, or larger sizes.

Computed from the numbers of the report alone. A spread that was estimated from r replicates is
itself uncertain, and will be estimated anew from the R that are recommended: the ratio of the two
estimates follows Fisher's F, and R is such that the sweep decides in 95 of 100 cases although
both fluctuate. With few replicates that is more than the estimate alone would ask for.
"""

import math
from typing import NamedTuple

from scipy.special import fdtri

from ci_theory.check.compare import FEWEST
from ci_theory.check.statistic import WORST_SKEW, Pooled
from ci_theory.check.verdict import POOLED_SHARE, POWER, Outcome, Verdict
from ci_theory.locate.student import quantile

FIRST = 10
"""Replicates with which to begin, where there are too few to say how many are needed."""

MOST = 10**6
"""Replicates beyond which a number is no advice."""


class Remedy(NamedTuple):
    """What would decide a sweep.

    Attributes:
        replicates: how many would do; None if no number would.
        size: factor by which rows, parameters and features would have to grow; 1 if they need not.
        line: the same in words.
    """

    replicates: int | None
    size: float
    line: str


class _Test(NamedTuple):
    """A pooled test that has to find something: what, and between which slack and scatter."""

    finds: float
    slack: float
    spread: float
    replicates: int


def remedy(outcome: Outcome, effect: float) -> Remedy | None:
    """Say what would decide about a prediction; None unless it is UNDERPOWERED.

    Args:
        outcome: from ``judge``.
        effect: relative bias that the sweep must be able to find.
    """
    if outcome.verdict is not Verdict.UNDERPOWERED or outcome.withheld:
        return None
    c, own = outcome.comparison, outcome.own.pooled
    if c.failed:
        line = "no number of replicates would do: mend the formula there, or narrow its scope"
        return Remedy(None, 1.0, line)
    if not c.judged.any():
        if (c.valid & (c.lost == 0)).any():
            line = f"run {FIRST} replicates at least: they will tell how many are needed"
            return Remedy(FIRST, 1.0, line)
        return Remedy(None, 1.0, "no number of replicates would do: runs are lost in every cell")
    told = {name: e for name, e in outcome.decoys.items() if not e.vacuous}
    if outcome.decoys and not told:
        return Remedy(None, 1.0, "no number of replicates would do: sweep where the decoys differ")
    open_ones = [e.pooled for e in told.values() if not e.rejected]
    if own.replicates < FEWEST or any(one.replicates < FEWEST for one in open_ones):
        return None
    tests = [_of(own, effect), *(_of(one, 1.0) for one in open_ones)]
    # A slack that leaves no room for noise is brought to half of what has to be found.
    size = max(1.0, *(2 * t.slack / t.finds for t in tests if t.slack >= t.finds), 1.0)
    needed = [_enough(t._replace(slack=t.slack / size), outcome.level) for t in tests]
    skews = [one.skew for one in (own, *open_ones) if one.skewed]
    needed += [math.ceil(WORST_SKEW * skew**2) for skew in skews]
    if None in needed:
        return Remedy(None, size, f"more than {MOST} replicates would be needed")
    replicates = max(FEWEST, *(_rounded(n) for n in needed if n is not None))
    return Remedy(replicates, size, _line(outcome, replicates, size, bool(skews)))


def _of(pooled: Pooled, finds: float) -> _Test:
    spread = pooled.error * math.sqrt(pooled.replicates)
    return _Test(finds, pooled.slack, spread, pooled.replicates)


def _enough(test: _Test, level: float) -> int | None:
    """Return the fewest replicates with which a test finds what it has to; None for too many."""

    def found(count: int) -> bool:
        lost = quantile(1 - POOLED_SHARE * level / 2, count - 1) + quantile(POWER, count - 1)
        luck = math.sqrt(fdtri(count - 1, test.replicates - 1, POWER))
        return test.slack + lost * luck * test.spread / math.sqrt(count) <= test.finds

    high = FEWEST
    while not found(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def _rounded(count: int) -> int:
    """Round up to two digits."""
    step = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return step * math.ceil(count / step)


def _line(outcome: Outcome, replicates: int, size: float, skewed: bool) -> str:
    least = "at least " if skewed else ""
    if size == 1.0:
        return f"{least}{replicates} replicates would do"
    order = outcome.comparison.prediction.order or "not stated"
    return (
        "no number of replicates would do, the slack is too large: "
        f"sizes {math.ceil(10 * size - 1e-3) / 10:g} times as large would, with "
        f"{least}{replicates} replicates, if it falls as 1/size (its order: {order})"
    )
