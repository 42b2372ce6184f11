"""Refits against the prediction: a verdict for each ridge, at one level for all of them."""

import dataclasses

import numpy as np
from scipy.special import bdtrc

from ci_theory._errors import Status
from ci_theory.check.compare import Comparison
from ci_theory.check.report import Report
from ci_theory.check.statistic import few_for_skew
from ci_theory.check.verdict import Outcome, Verdict, judge
from ci_theory.own_data import population as theory
from ci_theory.own_data.population import Cells, Population, Predicted
from ci_theory.own_data.refits import Defects
from ci_theory.phenomena._base import Estimate, Prediction

FEWEST_FREE = 10.0
"""Rows left to average over, below which a mean has no normal error bar."""

_MEANS = 0.9  # share of the level of the tests of means; the rest goes to the test of medians

"""Distinct training rows, total ridge, and whether copies are kept, (c,) each."""


def judged(
    found: Predicted,
    whole: Population,
    cells: Cells,
    defects: Defects,
    values: np.ndarray,
    level: float,
    effect: float,
) -> Report:
    """Judge the refits (v, m, t, r) of cells in the order (v, m, t), each ridge by itself.

    Means are judged by ``check``. A cell whose refits are too skewed for that, as near
    interpolation, has a second test: to a long upper tail belongs a median below the mean, so
    that refits which mostly lie above prediction and slack contradict it, however they scatter.
    """
    slack = slack_of(found, whole, cells, defects)
    claimed = ~(found.free < FEWEST_FREE)  # also where no number came of it
    valid = claimed & (found.status == Status.OK)
    decoys = _decoys(found, whole, cells, defects, effect)
    variants, ridges, sizes, replicates = values.shape
    cell = np.arange(variants * ridges * sizes).reshape(variants, ridges, sizes)
    outcomes = []
    for m in range(ridges):
        here = cell[:, m].ravel()
        flat = values[:, m].reshape(-1, replicates)
        one = Comparison(
            prediction=_prediction(float(cells.ridge[here[0]])),
            axes={"n": cells.n[here], "copies kept": cells.kept[here]},
            values=flat,
            lost=(~np.isfinite(flat)).sum(axis=1),
            estimate=Estimate(found.test_error[here], slack[here], valid[here], found.status[here]),
            decoys={name: decoy[here] for name, decoy in decoys.items()},
            near=_near(variants, sizes),
            claimed=claimed[here],
        )
        share = level / ridges
        outcome = judge(one, level=_MEANS * share, effect=effect)
        outcomes.append(_medians(outcome, (1 - _MEANS) * share))
    return Report(phenomenon="own data", outcomes=tuple(outcomes), level=level, effect=effect)


def _prediction(ridge: float) -> Prediction:
    return Prediction(
        name=f"test_error at ridge {ridge:.4g}",
        measure="test_error",
        statement="theory.rows.finite_population.population_risk: n rows of a Haar frame of N",
        scope="effective rows - df2 >= 10",
        order="2/(effective rows - df2) and 2/N: docs/own_data.md",
        source="derived here (docs/rows/real_data.md, docs/own_data.md)",
    )


def _near(variants: int, sizes: int) -> np.ndarray:
    """Return the cells of the next smaller and larger size, whose draws are others."""
    index = np.arange(variants * sizes).reshape(variants, sizes)
    near = np.full((variants, sizes, 2), -1)
    near[:, 1:, 0], near[:, :-1, 1] = index[:, :-1], index[:, 1:]
    return near.reshape(-1, 2)


def _decoys(
    found: Predicted, whole: Population, cells: Cells, defects: Defects, effect: float
) -> dict[str, np.ndarray]:
    """Return what mistaken theories say; silent where it is not ``effect`` from the prediction."""
    decoys = {"tail forgotten": found.endless, "optimism ignored": found.train_error}
    if not cells.kept.all():
        decoys["copies are fresh rows"] = theory.as_fresh(whole, cells, defects)
    if defects.noise:
        half = defects._replace(noise=defects.noise / 2)
        decoys["added noise halved"] = theory.predict(whole, cells, half).test_error
    far = {name: np.abs(one / found.test_error - 1) > effect for name, one in decoys.items()}
    return {name: np.where(far[name], one, np.nan) for name, one in decoys.items()}


def _medians(outcome: Outcome, level: float) -> Outcome:
    """Reject where the refits of a skewed cell mostly lie above the prediction and its slack."""
    c = outcome.comparison
    tested = c.judged & (c.skew > 0) & few_for_skew(c.count, c.skew)
    if not tested.any() or outcome.verdict is Verdict.DISAGREES:
        return outcome
    most = np.asarray(c.estimate.value + c.estimate.slack)
    above = (c.values > most[:, None]).sum(axis=1)
    chance = np.where(tested, bdtrc(np.maximum(above - 1, 0), c.count, 0.5), 1.0)
    i = int(np.argmin(chance))
    if not chance[i] * tested.sum() < level:
        return outcome
    reason = (
        f"{above[i]} of {c.count[i]} refits of {c.axes['n'][i]} rows are above "
        f"{most[i]:.4g}, the prediction and its slack"
    )
    return dataclasses.replace(outcome, verdict=Verdict.DISAGREES, reason=reason)


def slack_of(
    found: Predicted,
    whole: Population,
    cells: Cells,
    defects: Defects,
) -> np.ndarray:
    """Bound what the finite size of these rows does to a mean over their draws: docs/own_data.md.

    What sampling adds deviates by no more than 2/free of itself, what is not learnt by what it
    changes over two rows; that these rows are one frame of many, by two rows' share of N. Copies
    make some rows count more: what is not known of their errors, and their unequal leverages,
    fluctuate with their number; three standard errors of that.
    """
    n, ridge = cells.n, cells.ridge
    fewer = theory.predict(whole, cells._replace(n=np.maximum(n - 2.0, 1.0)), defects)
    every = theory.predict(whole, cells._replace(n=np.full_like(ridge, whole.rows)), defects)
    missed, before = (one.test_error * (1 - one.gamma) for one in (found, fewer))
    value = found.test_error
    kinds = len(whole.counts)
    squares = (found.leverage[:, : 2 * kinds] ** 2).reshape(-1, 2, kinds)
    own = (1 - defects.repeated) * squares[:, 0] + defects.repeated * squares[:, 1]
    mean = own @ whole.shares
    uneven = np.sqrt(2 * ((own - mean[:, None]) ** 2 @ whole.shares) / whole.rows) / mean
    unknown = np.clip(1 - np.nan_to_num(every.test_error) / value, 0.0, 1.0)
    unknown = np.sqrt(unknown**2 + 1 / (1 + found.gamma * found.effective))
    room = 2 / np.maximum(found.free - 4, 1.0) + 3 * uneven * unknown
    return room * value * found.gamma + np.abs(before - missed) + 2 * value / whole.rows
