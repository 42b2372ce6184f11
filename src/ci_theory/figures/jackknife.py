"""Intervals of functions of means over runs: by leaving a run out, and of two such numbers.

>>> made = jackknifed(np.array([1.0, 2.0, 3.0]), float)
>>> print(f"{made.value:.0f} [{made.low:.2f}, {made.high:.2f}]")  # the t interval of a mean
2 [-0.48, 4.48]
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

from ci_theory.locate.profile import Interval

LEVEL = 0.95


def jackknifed(runs: np.ndarray, statistic: Callable[[np.ndarray], float]) -> Interval:
    """Return a function of means over runs (r, ...), with a t interval by leaving one out.

    Runs that share their draws along an axis, and runs that do not, are both covered: a replicate
    is left out everywhere at once.
    """
    r, total = len(runs), runs.sum(axis=0)
    value = statistic(total / r)
    each = np.array([statistic((total - one) / (r - 1)) for one in runs])
    error = np.sqrt((r - 1) / r * np.sum((each - each.mean()) ** 2))
    half = stats.t.ppf(0.5 + LEVEL / 2, r - 1) * error
    return Interval(value, value - half, value + half)


def quotient(top: Interval, bottom: Interval) -> Interval:
    """Return the ratio of two independent positive numbers, intervals combined in logarithms."""
    value = top.value / bottom.value
    with np.errstate(divide="ignore"):
        ends = [np.log(np.maximum(one, 0.0)) for one in (top, bottom)]
    (at, low, high), (below, least, most) = ends
    down, up = np.hypot(at - low, most - below), np.hypot(high - at, below - least)
    return Interval(value, float(value * np.exp(-down)), float(value * np.exp(up)))


def less(one: Interval, other: Interval) -> Interval:
    """Return the difference of two independent numbers."""
    value = one.value - other.value
    half = np.hypot(one.high - one.low, other.high - other.low) / 2
    return Interval(value, value - half, value + half)
