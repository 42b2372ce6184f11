r"""The two tests behind a verdict: every cell by itself, and all of them pooled.

Both compare means over replicates with a hypothesis that may be off by a stated slack.

**Cells.** Means of few skewed replicates have t statistics with a heavy tail, just where a
family-wise level needs the far tail. Three measures keep the alarm rate below nominal: Hall's
correction (``locate.student.corrected``); an error bar that is never smaller than what the
neighbouring cells suggest (a low mean with a small error bar is how a skewed sample fools the t
test, and neighbours with other random numbers do not share that accident); and a cell is not
judged alone while r < 5 skew^2. Measured on simulated ridge risks (p = 50, 88 cells with
skewness up to 15) against their own 4000-run means, at a family-wise level of 1e-3 per sweep:
plain t tests alarm in 2.0, 2.6, 1.6, 0.5 % of the sweeps (r = 10, 20, 50, 200), these in less
than 0.06 %.

**Pooled.** For replicate k, the weighted mean over cells of (value - hypothesis) is one number;
replicates are independent of each other whatever the cells share, so a t test over them is
valid in every sweep. The weights fall with the variance of a cell, estimated without replicate
k: unbiased, while weights from all replicates would favour cells that came out low.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped
from scipy.special import stdtr

from ci_theory._types import Bool, Float, Int
from ci_theory.locate.student import corrected, quantile, skewness, t_statistic

Cells = Float[np.ndarray, " N"]
"""A number for every cell."""
Runs = Float[np.ndarray, "N R"]
"""A number for every replicate of a cell."""

_PRIOR = 4.0  # degrees of freedom with which a cell's variance is drawn to the typical one
WORST_SKEW = 5.0  # replicates needed in a cell, in units of its skewness squared


def moments(values: Runs) -> tuple[Cells, Cells, Cells, Int[np.ndarray, " N"]]:
    """Return mean, standard deviation, skewness and count (N,) of the finite values (N, R)."""
    finite = np.isfinite(values)
    count = finite.sum(axis=1)
    n = np.maximum(count, 1)
    mean = np.where(finite, values, 0.0).sum(axis=1) / n
    centred = np.where(finite, values - mean[:, None], 0.0)
    second, third = (centred**2).sum(axis=1) / n, (centred**3).sum(axis=1) / n
    spread = np.sqrt(second * n / np.maximum(n - 1, 1))
    skew = np.divide(third, second**1.5, out=np.zeros_like(third), where=second**1.5 > 0)
    skew = skew * np.sqrt(n * np.maximum(n - 1, 1)) / np.maximum(n - 2, 1)
    nan = np.where(count > 0, 0.0, np.nan)
    return mean + nan, spread + nan, skew, count


def beyond(deviation: np.ndarray | float, slack: np.ndarray | float) -> np.ndarray | np.float64:
    """Return what is left of a deviation after the slack, with its sign."""
    return np.sign(deviation) * np.maximum(np.abs(deviation) - slack, 0.0)


def probability(score: np.ndarray | float, freedom: np.ndarray | float) -> np.ndarray | np.float64:
    """Return the two-sided tail probability of a t score."""
    return 2 * stdtr(np.maximum(freedom, 1), -np.abs(score))


def floors(
    spread: Cells, unit: Cells, judged: Bool[np.ndarray, " N"], near: Int[np.ndarray, "N k"]
) -> Cells:
    """Return the spread (N,) that the cell and its neighbours suggest: a median, relative to unit.

    Args:
        spread: standard deviations of the replicates (N,).
        unit: size of the measure in each cell (N,).
        judged: cells to look at (N,).
        near: indices of neighbours (N, k), -1 for none.
    """
    usable = judged & (unit > 0)
    relative = np.divide(spread, unit, out=np.full_like(spread, np.nan), where=usable)
    around = _around(relative, near, np.nan)
    known = np.isfinite(around).any(axis=1)
    middle = np.zeros(len(spread))
    middle[known] = np.nanmedian(around[known], axis=1)
    return np.where(usable, middle * unit, 0.0)


def too_skewed(
    skew: Cells,
    count: Int[np.ndarray, " N"],
    judged: Bool[np.ndarray, " N"],
    near: Int[np.ndarray, "N k"],
) -> Bool[np.ndarray, " N"]:
    """Say where the replicates are too few for their skewness, or their neighbours' (N,).

    A cell without judged neighbours is held to the worst skewness of the sweep.
    """
    size = np.where(judged, np.abs(skew), 0.0)
    around = _around(size, near, 0.0)
    alone = ~_around(judged, near, False)[:, 1:].any(axis=1)
    worst = np.where(alone, np.max(size, initial=0.0), around.max(axis=1))
    return np.asarray(few_for_skew(count, worst))


def few_for_skew(count: np.ndarray, skew: np.ndarray | float) -> np.ndarray | np.bool_:
    """Say whether replicates are too few for a t test of their mean, by their skewness."""
    return np.asarray(count) < WORST_SKEW * np.asarray(skew) ** 2


def cell_scores(
    deviation: Cells, slack: Cells, spread: Cells, skew: Cells, count: Int[np.ndarray, " N"]
) -> Cells:
    """Return the corrected t score (N,) of every cell's deviation beyond its slack."""
    left = beyond(deviation, slack)
    n = np.maximum(count, 1)
    return corrected(t_statistic(left, spread / np.sqrt(n)), skew, n)


class Pooled(NamedTuple):
    """The pooled deviation along a direction, in units of that direction.

    Attributes:
        value: estimated coefficient; 0 if the hypothesis holds, 1 if hypothesis + direction does.
        error: its standard error over replicates.
        slack: how far from 0 it may truly be within the cells' slack.
        score: corrected t score of what is beyond the slack.
        replicates: how many went in.
        skewed: replicates are too few for their skewness: no test, and no agreement either.
        skew: the skewness of the replicates.
    """

    value: float
    error: float
    slack: float
    score: float
    replicates: int
    skewed: bool = False
    skew: float = 0.0

    @property
    def probability(self) -> float:
        """Two-sided tail probability; 1 if there was nothing to test."""
        if self.skewed:
            return 1.0
        return float(probability(np.array(self.score), np.array(self.replicates - 1)))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return the interval of the coefficient, from replicates alone."""
        half = self.margin(0.5 + confidence / 2)
        return self.value - half, self.value + half

    def margin(self, tail: float) -> float:
        """Return the error times a quantile of Student's t."""
        return self.error * quantile(tail, self.replicates - 1) if self.replicates > 1 else np.inf


NOTHING = Pooled(np.nan, np.nan, np.nan, 0.0, 0)


def pooled(values: Runs, hypothesis: Cells, slack: Cells, direction: Cells, unit: Cells) -> Pooled:
    """Test all cells together for a deviation from a hypothesis along a direction.

    Args:
        values: replicates (N, R), NaN where missing, at least 3 in every cell.
        hypothesis: what the means should be (N,).
        slack: how far off they may be (N,).
        direction: the deviation to look for (N,): the prediction itself for a relative bias,
            the difference of two hypotheses to tell them apart.
        unit: size of the measure in each cell (N,), > 0.
    """
    values = values[:, np.isfinite(values).any(axis=0)]
    finite = np.isfinite(values)
    weights = np.where(finite, _precisions(values, unit), 0.0) * direction[:, None]
    scale = (weights * direction[:, None]).sum(axis=0)
    used = scale > 0
    if used.sum() < 3:
        return NOTHING
    weights = weights[:, used] / scale[used]
    gap = np.where(finite, values - hypothesis[:, None], 0.0)[:, used]
    each = (weights * gap).sum(axis=0)
    room = float((np.abs(weights) * slack[:, None]).sum(axis=0).mean())
    r = len(each)
    value, error = float(each.mean()), float(each.std(ddof=1) / np.sqrt(r))
    skew = skewness(each[:, None])[0]
    t = t_statistic(beyond(np.array(value), np.array(room)), np.array(error))
    score = corrected(t, skew, np.array(r))
    few = bool(few_for_skew(np.array(r), skew))
    return Pooled(value, error, room, float(score), r, few, float(skew))


def _precisions(values: Runs, unit: Cells) -> Runs:
    """Return 1 / variance (N, R) of each cell as the other replicates estimate it."""
    mean, spread, _, count = moments(values)
    n = count[:, None].astype(float)
    squares = spread[:, None] ** 2 * (n - 1)
    left = squares - n / (n - 1) * (values - mean[:, None]) ** 2
    relative = np.maximum(left, 0.0) / (n - 2) / unit[:, None] ** 2
    typical = np.nanmedian(relative, axis=0)[None, :]
    drawn = (_PRIOR * typical + (n - 2) * relative) / (_PRIOR + n - 2)
    return 1 / (np.maximum(drawn, 1e-24) * unit[:, None] ** 2)


def _around(
    column: Shaped[np.ndarray, " N"], near: Int[np.ndarray, "N k"], fill: float
) -> Shaped[np.ndarray, "N k+1"]:
    """Return each cell's own entry and its neighbours' (N, 1 + k)."""
    others = np.where(near >= 0, column[near], fill)
    return np.concatenate([column[:, None], others], axis=1)
