"""Is the checker honest? Its alarm rate on true formulas, and its power against a biased one.

Synthetic sweeps with a known truth go through the same ``judge`` as real ones. Measured:

===========================  ============  =============  ==================
40 cells, spread 5 to 30 %   level 5 %     level 0.1 %    power, 3 % at 0.1 %
===========================  ============  =============  ==================
normal, r = 10               3.4 %         0.07 %         0.42
normal, r = 30               4.3 %         0.13 %         1.00
normal, r = 100              4.6 %         0.08 %         1.00
skewness 1.75, r = 10        3.9 %         0.13 %         0.41
skewness 1.75, r = 30        4.2 %         0.08 %         1.00
skewness 6.2, r = 10         6.2 %         0.43 %         0.37
skewness 6.2, r = 30         6.1 %         0.33 %         0.98
skewness 6.2, r = 100        5.1 %         0.13 %         1.00
all cells in one run (0.9)   3.4 %         0.07 %         0.05
400 cells, r = 30            3.4 %                        1.00
ridge risks, r = 10 to 200   3.6 to 4.8 %  0.1 to 0.2 %
===========================  ============  =============  ==================

(3000 and 6000 sweeps a row: binomial errors 0.4 % and 0.04 %; the ridge risks are resampled
from 4000 simulated runs at p = 50, with their mean for the truth.)

The power column tells how many replicates a sweep needs: with few, or where all cells share a
run, a bias of 3 % stays hidden, and the verdict on a true formula is then UNDERPOWERED.

>>> rate = alarms(Setting(cells=5, replicates=10), level=0.5, sweeps=50, seed=1)
>>> rate.low < rate.value < rate.high
True
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

from ci_theory._errors import BadInput
from ci_theory.check.compare import Comparison
from ci_theory.check.verdict import Verdict, judge
from ci_theory.phenomena._base import Estimate, Prediction


class Rate(NamedTuple):
    """A measured frequency with its exact 95 % binomial interval."""

    value: float
    low: float
    high: float
    sweeps: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """A synthetic sweep: what its replicates look like.

    Attributes:
        cells: number of cells; neighbours lie along one axis.
        replicates: replicates in each.
        spread: smallest and largest relative standard deviation of a replicate; cells lie evenly
            between on a log scale, in order.
        tail: standard deviation of the logarithm of a replicate's shape: 0 is normal, 0.5 has
            skewness 1.75, 1 has skewness 6.2.
        shared: correlation between the cells of one replicate (inner axes, paired axes).
        inner: whether the axis shares its random numbers, so that no cell has neighbours.
        slack: slack of the prediction, relative to its value.
        offset: what is truly off, relative to the value: within ``slack`` the prediction is true.
    """

    cells: int = 40
    replicates: int = 30
    spread: tuple[float, float] = (0.05, 0.3)
    tail: float = 0.0
    shared: float = 0.0
    inner: bool = False
    slack: float = 0.0
    offset: float = 0.0

    def draw(self, rng: np.random.Generator) -> Comparison:
        """Draw one sweep whose predictions are ``offset`` away from the truth."""
        n, r = self.cells, self.replicates
        value = np.geomspace(0.1, 10.0, n)
        z = np.sqrt(1 - self.shared) * rng.standard_normal((n, r))
        z = z + np.sqrt(self.shared) * rng.standard_normal(r)[None, :]
        if self.tail:
            width = self.tail**2
            z = np.expm1(self.tail * z - width / 2) / np.sqrt(np.expm1(width))
        spread = np.geomspace(*self.spread, n)
        truth = value * (1 + self.offset)
        index = np.arange(n)
        near = np.stack([index - 1, np.where(index + 1 < n, index + 1, -1)], axis=1)
        return Comparison(
            prediction=_PREDICTION,
            axes={"cell": index},
            values=truth[:, None] * (1 + spread[:, None] * z),
            lost=np.zeros(n, int),
            estimate=Estimate(value, self.slack * value, np.ones(n, bool), np.zeros(n, int)),
            decoys={},
            near=np.full((n, 1), -1) if self.inner else near,
        )


_PREDICTION = Prediction(
    name="synthetic",
    measure="synthetic",
    statement="",
    scope="",
    order="",
    source="",
)


def like(comparison: Comparison) -> Setting:
    """Return a setting with the size, spread and skewness of a real comparison.

    The tail is that of the lognormal with the median skewness of the judged cells; the cells
    count as independent, which is the harder case for the family-wise level.

    Raises:
        BadInput: no cell is judged, or only where the prediction is 0: spreads are relative to it.
    """
    judged = comparison.judged & (np.abs(comparison.estimate.value) > 0)
    if not judged.any():
        raise BadInput(
            f"prediction {comparison.prediction.name}: no cell is judged where it is not 0: "
            "there is no spread and no skewness to be like"
        )
    relative = comparison.spread[judged] / np.abs(comparison.estimate.value[judged])
    skew = max(0.0, float(np.median(comparison.skew[judged])))
    tails = np.linspace(0.0, 1.5, 301)
    width = np.exp(tails**2)
    skews = (width + 2) * np.sqrt(width - 1)
    low, high = np.quantile(relative, [0.05, 0.95])
    return Setting(
        cells=int(judged.sum()),
        replicates=int(np.median(comparison.count[judged])),
        spread=(float(low), float(high)),
        tail=float(np.interp(skew, skews, tails)),
    )


def alarms(setting: Setting, *, level: float = 0.05, sweeps: int = 1000, seed: int = 0) -> Rate:
    """Measure how often a sweep is called DISAGREES at a family-wise level."""
    rng = np.random.default_rng(seed)
    hits = sum(
        judge(setting.draw(rng), level=level).verdict is Verdict.DISAGREES for _ in range(sweeps)
    )
    return _rate(hits, sweeps)


def power(
    setting: Setting,
    *,
    bias: float = 0.03,
    level: float = 1e-3,
    sweeps: int = 1000,
    seed: int = 0,
) -> Rate:
    """Measure how often a formula that is off by a relative bias is called DISAGREES."""
    return alarms(dataclasses.replace(setting, offset=bias), level=level, sweeps=sweeps, seed=seed)


def _rate(hits: int, total: int) -> Rate:
    """Return a frequency with its Clopper-Pearson interval."""
    low = betaincinv(hits, total - hits + 1, 0.025) if hits else 0.0
    high = betaincinv(hits + 1, total - hits, 0.975) if hits < total else 1.0
    return Rate(hits / total, float(low), float(high), total)
