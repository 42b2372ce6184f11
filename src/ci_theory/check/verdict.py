"""Verdicts: does a prediction agree with the simulation, and could the sweep have told?"""

import dataclasses
import math
from collections.abc import Iterable
from enum import Enum
from typing import Any

import numpy as np
from scipy.special import ndtri

from ci_theory._errors import BadInput
from ci_theory.check.compare import FEWEST, Comparison, counted
from ci_theory.check.reading import plain
from ci_theory.check.statistic import (
    NOTHING,
    Pooled,
    cell_scores,
    floors,
    pooled,
    probability,
    too_skewed,
)

POOLED_SHARE = 0.8  # of the level; the rest goes to the cells, whose test is conservative
POWER = 0.95
SAME = 1e-9  # relative difference below which a decoy says what the prediction says


class Verdict(Enum):
    """What a sweep says about a prediction."""

    AGREES = "AGREES"
    DISAGREES = "DISAGREES"
    UNDERPOWERED = "UNDERPOWERED"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"


EXIT_CODES = {
    Verdict.AGREES: 0,
    Verdict.DISAGREES: 1,
    Verdict.UNDERPOWERED: 3,
    Verdict.OUT_OF_SCOPE: 3,
}
"""Of a command: what is in scope agrees, something disagrees, nothing can be said."""


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on several: DISAGREES and UNDERPOWERED before AGREES.

    >>> together([Verdict.AGREES, Verdict.OUT_OF_SCOPE]), together([])
    (<Verdict.AGREES: 'AGREES'>, <Verdict.OUT_OF_SCOPE: 'OUT_OF_SCOPE'>)
    """
    found = set(verdicts)
    order = (Verdict.DISAGREES, Verdict.UNDERPOWERED, Verdict.AGREES)
    return next((one for one in order if one in found), Verdict.OUT_OF_SCOPE)


def probability_level(level: float) -> float:
    """Return a level of tests.

    Raises:
        BadInput: it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise BadInput(f"level = {level}: must be between 0 and 1")
    return level


def signed(score: float) -> str:
    """Write a normal score in one decimal, with its sign unless that says zero.

    >>> signed(-2.25), signed(1.0), signed(-0.0), signed(-0.04)
    ('-2.2', '+1.0', '0.0', '0.0')
    """
    text = f"{score:+.1f}"
    return text if float(text) else "0.0"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """How a hypothesis (a prediction or a decoy) fared.

    Attributes:
        rejected: whether one of the two tests rejects it.
        worst: index of the cell that is furthest off; -1 if no cell was tested alone.
        z: its deviation beyond the slack, as a normal score with the same tail probability.
        adjusted: its tail probability times the number of cells, at most 1.
        pooled: the pooled test.
        vacuous: a decoy that says what the prediction says on every judged cell.
    """

    rejected: bool
    worst: int
    z: float
    adjusted: float
    pooled: Pooled
    vacuous: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """The verdict on one prediction, with the numbers behind it.

    Attributes:
        comparison: the cells.
        verdict: the verdict.
        reason: why, in a line.
        own: the evidence about the prediction.
        decoys: the evidence about each decoy, by name.
        detectable: smallest relative bias that the pooled test finds with 95 % probability: the
            slack plus (t quantile of the level + t quantile of 0.95) standard errors; NaN where
            the prediction is zero.
        level: share of the family-wise level given to this prediction.
        skewed: judged cells whose replicates are too few for their skewness: pooled only.
        withheld: the arithmetic of the simulation is not good enough for any verdict.
    """

    comparison: Comparison
    verdict: Verdict
    reason: str
    own: Evidence
    decoys: dict[str, Evidence]
    detectable: float
    level: float
    skewed: int
    withheld: bool = False

    @property
    def name(self) -> str:
        """Name of the prediction."""
        return self.comparison.prediction.name

    @property
    def unsound(self) -> str:
        """Cells of its scope about which the prediction says nothing sound, and why; or empty."""
        return counted(self.comparison.unsound)

    @property
    def worst_cell(self) -> dict[str, Any]:
        """Coordinates, mean, standard error, prediction and slack of the cell furthest off."""
        i, c = self.own.worst, self.comparison
        if i < 0:
            return {}
        return {
            **{name: plain(column[i]) for name, column in c.axes.items()},
            "mean": float(c.mean[i]),
            "error": float(c.error[i]),
            "predicted": float(c.estimate.value[i]),
            "slack": float(c.estimate.slack[i]),
            "z": self.own.z,
        }


def judge(
    comparison: Comparison, *, level: float, effect: float = 0.03, rounding: float = 1e-9
) -> Outcome:
    """Reach the verdict on one prediction.

    - OUT_OF_SCOPE: the prediction is valid in no cell.
    - DISAGREES: a test rejects it, at ``level`` for both tests together.
    - UNDERPOWERED: its formula failed in a cell that its bounds claim, of which nothing can be
      said; no cell has enough finite replicates, or too few for their skewness; or the
      sweep would not find a bias of ``effect`` with 95 % probability; or a decoy, with the
      prediction's slack, passes both tests; or every decoy is vacuous; or the prediction is zero,
      of which no bias is a share, and there is no decoy.
    - AGREES: everything else.
    """
    cells = _Cells(comparison, level, rounding)
    own = cells.evidence(comparison.estimate.value)
    decoys = {name: cells.against(value) for name, value in comparison.decoys.items()}
    detectable = _detectable(own.pooled, level)
    verdict, reason = _decide(comparison, own, decoys, detectable, effect)
    return Outcome(
        comparison=comparison,
        verdict=verdict,
        reason=reason,
        own=own,
        decoys=decoys,
        detectable=detectable,
        level=level,
        skewed=cells.skewed,
    )


class _Cells:
    """The judged cells of a comparison, prepared for testing several hypotheses."""

    def __init__(self, comparison: Comparison, level: float, rounding: float) -> None:
        judged = comparison.judged
        self.where = np.flatnonzero(judged)
        self.level = level
        pick = self.where
        self.values = comparison.values[pick]
        self.mean, self.count = comparison.mean[pick], comparison.count[pick]
        self.spread = comparison.spread[pick]
        self.predicted = np.asarray(comparison.estimate.value, float)[pick]
        sizes = np.abs(np.array([self.predicted, *(d[pick] for d in comparison.decoys.values())]))
        largest = np.where(np.isfinite(sizes), sizes, 0.0).max(axis=0)
        typical = float(np.median(largest)) if len(pick) else 0.0
        rounded = rounding * np.maximum(largest, typical)
        self.slack = np.asarray(comparison.estimate.slack, float)[pick] + rounded
        skew = np.array(comparison.skew)
        skew[pick] = np.where(self.spread > rounded, skew[pick], 0.0)  # else rounding, of any law
        self.skew = skew[pick]
        self.unit = np.abs(self.predicted)
        self.unit = np.where(self.unit > rounding * typical, self.unit, 0.0)

        unit = np.zeros(len(judged))
        unit[pick] = self.unit
        floor = floors(comparison.spread, unit, judged, comparison.near)[pick]
        self.floored = np.maximum(self.spread, floor)
        skewed = too_skewed(skew, comparison.count, judged, comparison.near)[pick]
        self.alone = ~skewed
        self.skewed = int(skewed.sum())

    def evidence(self, hypothesis: np.ndarray) -> Evidence:
        """Test the prediction: its cells, and its relative bias."""
        h = np.asarray(hypothesis, float)[self.where]
        return self._test(h, self.predicted)

    def against(self, decoy: np.ndarray) -> Evidence:
        """Test a decoy: its cells, and whether the data lean from it to the prediction."""
        h = np.asarray(decoy, float)[self.where]
        far = np.abs(h - self.predicted)
        same = ~np.isfinite(h) | (far <= SAME * np.maximum(np.abs(h), np.abs(self.predicted)))
        evidence = self._test(h, np.where(same, 0.0, self.predicted - h))
        return dataclasses.replace(evidence, vacuous=bool(same.all()))

    def _test(self, h: np.ndarray, direction: np.ndarray) -> Evidence:
        speaks = np.isfinite(h)
        deviation = np.where(speaks, self.mean - h, 0.0)
        scores = cell_scores(deviation, self.slack, self.floored, self.skew, self.count)
        tails = np.where(speaks & self.alone, probability(scores, self.count - 1), 1.0)
        adjusted = np.minimum(1.0, tails * len(tails))
        worst = int(np.argmin(tails - 1e-12 * np.abs(scores))) if len(tails) else -1
        z = 0.0
        if worst >= 0:
            # ndtri of the smallest float is -38: a score beyond that is shown as 38
            z = float(-ndtri(max(tails[worst] / 2, 1e-300)) * np.sign(scores[worst]))

        along = speaks & (self.unit > 0) & (direction != 0)
        together = NOTHING
        if along.any():
            together = pooled(
                self.values[along], h[along], self.slack[along], direction[along], self.unit[along]
            )
        rejected = bool(len(tails) and adjusted[worst] < (1 - POOLED_SHARE) * self.level)
        return Evidence(
            rejected=rejected or together.probability < POOLED_SHARE * self.level,
            worst=int(self.where[worst]) if worst >= 0 else -1,
            z=z,
            adjusted=float(adjusted[worst]) if worst >= 0 else 1.0,
            pooled=together,
        )


def _detectable(own: Pooled, level: float) -> float:
    """Return the smallest relative bias that the pooled test finds with 95 % probability."""
    if own.replicates < FEWEST:
        return math.nan
    return own.slack + own.margin(1 - POOLED_SHARE * level / 2) + own.margin(POWER)


def _decide(
    comparison: Comparison,
    own: Evidence,
    decoys: dict[str, Evidence],
    detectable: float,
    effect: float,
) -> tuple[Verdict, str]:
    lost = counted(comparison.unsound)
    if not comparison.valid.any() and not comparison.failed:
        nowhere = "no cell lies in the prediction's scope"
        return Verdict.OUT_OF_SCOPE, f"{nowhere}; {lost}" if lost else nowhere
    if comparison.failed and not own.rejected:
        return Verdict.UNDERPOWERED, f"its formula fails: {lost}"
    if not comparison.judged.any():
        few, gone = int((comparison.count < FEWEST).sum()), int((comparison.lost > 0).sum())
        return Verdict.UNDERPOWERED, (
            f"no cell to judge: {few} with fewer than {FEWEST} replicates, {gone} with lost runs"
        )
    if own.rejected:
        return Verdict.DISAGREES, _off(own)
    if detectable > effect:
        return Verdict.UNDERPOWERED, (
            f"a bias of {effect:.2g} could go unnoticed: only {detectable:.2g} would be found"
        )
    if math.isnan(detectable) and not decoys:
        return (
            Verdict.UNDERPOWERED,
            "it is zero in every cell, and no decoy says what else could be",
        )
    if own.pooled.skewed:
        return Verdict.UNDERPOWERED, "replicates are too few for their skewness"
    survivors = [n for n, e in decoys.items() if not (e.rejected or e.vacuous)]
    if survivors:
        return Verdict.UNDERPOWERED, f"cannot tell it from: {', '.join(survivors)}"
    if decoys and all(e.vacuous for e in decoys.values()):
        return Verdict.UNDERPOWERED, "every decoy says the same as the prediction here"
    told = sum(not e.vacuous for e in decoys.values())
    return Verdict.AGREES, f"within error and slack; {told} of {len(decoys)} decoys rejected"


def _off(own: Evidence) -> str:
    together = own.pooled
    parts = [f"worst cell at z = {signed(own.z)}"] if own.worst >= 0 else []
    if together.replicates:
        parts.append(f"pooled bias {together.value:+.2%} ± {together.error:.2%}")
    return ", ".join(parts)
