"""A solver that does not arrive is told by everything that rests on it.

The solvers are given no step at all, and nothing is compiled: every function below must hand on
what its solver says, whatever else it makes of the point.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.attention import drawn_tasks, zipf_tasks
from ci_theory.theory.attention import linear_attention as attention
from ci_theory.theory.dynamics import flow_isotropic, grokking
from ci_theory.theory.editing import editing, erasure, metric_editing
from ci_theory.theory.features import (
    decomposition,
    feature_next_order,
    mei_montanari,
    random_features,
    repeated_features,
)
from ci_theory.theory.inheritance import (
    combination,
    mixture,
    operator,
    parameter_transfer,
    poisoning,
    retaught,
    two_stages,
)
from ci_theory.theory.representations import noisy_features
from ci_theory.theory.ridge import distillation, ridge_next_order, risk, shift
from ci_theory.theory.rows import (
    contamination,
    corrupted_inputs,
    corrupted_labels,
    finite_population,
    imbalance,
    repeat_peak,
    repetition,
    spiked_rows,
)
from ci_theory.theory.scaling import data_constrained
from ci_theory.theory.spectra import fixed_point, shares, sources
from ci_theory.theory.spectra.groups import plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import power_law
from ci_theory.theory.spectra.spiked import Spiked

LAW = power_law(6, 1.5, tail=False)
ROWS = repeated_rows(4.0, 1.0, 3.0, 0.2, True)
EYE, ONES = jnp.eye(3), jnp.ones(3)
START = operator.IsotropicWeights(mean=jnp.zeros(2), spread=jnp.ones(()))
STAGE = operator.IsotropicStage(target=jnp.ones(2), groups=ROWS, ridge=1.0)
FULL = operator.RidgeStage(covariance=EYE, target=ONES, groups=ROWS, ridge=1.0)
KINDS = jax.tree.map(lambda v: jnp.asarray(v)[None], attention.contexts(2.0, 0.25, 0.25))
HEADS = noisy_features.Features(
    weights=Spiked(rows=8.0, columns=5.0, strength=1.0, noise=0.1), overlap=0.9
)
TASK = noisy_features.Task(n=20.0, ridge=1.0, noise=0.1, named=1.0, unnamed=1.0)
SPIKED = spiked_rows.SpikedRows(d=6.0, signal=1.0, noise=0.1, groups=ROWS)
LESSONS = erasure.Lessons(
    counts=jnp.array([5.0]), shared=jnp.ones((1, 2)), labels=-jnp.ones(1), slopes=jnp.ones((1, 2)),
    noise=0.1, drift=0.1, ridge=1.0,
)  # fmt: skip
SOURCES = mixture.Mixture(
    covariances=jnp.stack([EYE, 2 * EYE]), targets=jnp.ones((2, 3)), counts=jnp.array([5.0, 4.0]),
    weights=jnp.ones(2), noise=jnp.ones(2), ridge=1.0,
)  # fmt: skip

TOLD = {
    "ridge": lambda: risk.ridge_risk(LAW, 5.0, 1.0, 0.1),
    "next order": lambda: ridge_next_order.next_order(LAW, 5.0, 1.0, 0.1),
    "shift": lambda: shift.shifted_risk(EYE, ONES, EYE, ONES, 5.0, 1.0, 0.1, 0.1),
    "shift in modes": lambda: shift.shifted_risk_modes(
        ONES, ONES, ONES, ONES, 5.0, 1.0, 0.1, 0.1
    ),
    "distilled": lambda: distillation.distilled(LAW, 5.0, 1.0, 0.1),
    "repetition": lambda: repetition.weighted_ridge_risk(LAW, ROWS, 1.0),
    "contamination": lambda: contamination.contaminated_risk(LAW, 5.0, 1.0, 0.1, 0.2),
    "input noise": lambda: corrupted_inputs.input_noise_risk(LAW, 5.0, 1.0, 0.1, 0.1),
    "weighted input noise": lambda: corrupted_inputs.weighted_input_noise_risk(LAW, ROWS, 1.0, 0.1),
    "flips": lambda: corrupted_labels.label_flip_risk(LAW, 5.0, 1.0, 0.1),
    "imbalance": lambda: imbalance.mixture_risk(LAW, 5.0, 3.0, 1.0),
    "lost minority": lambda: imbalance.lost_minority(LAW, 8.0, 1.0),
    "outlier": lambda: spiked_rows.leading(SPIKED),
    "edge": lambda: spiked_rows.transition(6.0, ROWS),
    "features": lambda: random_features.random_feature_risk(LAW, 5.0, 4.0, 1.0, 0.1),
    "balance": lambda: random_features.balance(LAW, 5.0, 4.0, 1.0),
    "parts": lambda: decomposition.error_parts(LAW, 5.0, 4.0, 1.0, 0.1),
    "ensemble": lambda: decomposition.ensemble_error(LAW, 5.0, 4.0, 1.0, 0.1, 3.0),
    "features, next order": lambda: feature_next_order.feature_next_order(LAW, 5.0, 4.0, 1.0, 0.1),
    "repeated features": lambda: repeated_features.repeated_feature_risk(LAW, ROWS, 4.0, 1.0),
    "sphere": lambda: mei_montanari.mei_montanari_risk(
        mei_montanari.Moments(0.0, 0.6, 0.1), 30.0, 20.0, 10.0, 1.0, 0.1
    ),
    "stage": lambda: operator.inherit(operator.from_scratch(3), FULL),
    "isotropic stage": lambda: operator.inherit_isotropic(START, STAGE, 6.0),
    "poison": lambda: poisoning.poisoned_ridge(9.0, 6.0, 0.1, 2.0, 1.0, ONES[:2], 0.1, 1.0),
    "tuned weights": lambda: combination.fine_tuned(
        combination.independent(operator.from_scratch(3)), jnp.ones(1), FULL
    ).stage,
    "tuned numbers": lambda: combination.fine_tuned_isotropic(
        combination.independent_isotropic(START), jnp.ones(1), STAGE, 6.0
    ).stage,
    "transfer": lambda: parameter_transfer.parameter_transfer(
        parameter_transfer.CoordinateStage(4.0, 9.0, 1.0, 0.1),
        parameter_transfer.CoordinateStage(3.0, 8.0, 1.0, 0.1),
        10.0, 2.0, 1.0, 0.1,
    ),
    "pretrained": lambda: retaught.pretrained(6.0, ROWS, 1.0, 0.0, 2.0, 1.0),
    "poisoned base": lambda: retaught.pretrained(6.0, plain_rows(9.0, 0.1), 1.0, 0.1, 2.0, 1.0),
    "retaught": lambda: retaught.reteach(START, LESSONS, ONES[:2], 6.0),
    "taught": lambda: erasure.teach(ONES[:2], LESSONS, 6.0, jnp.zeros(2)),
    "edit": lambda: editing.edit_of(6.0, 4.0, 1.0),
    "edit, next order": lambda: editing.next_edit(
        editing.exact_edit(9.0, 4.0), 9.0, 4.0, 1.0
    ),
    "edit in a metric": lambda: metric_editing.metric_edit(ONES, ONES, 2.0, 1.0),
    "two stages": lambda: two_stages.pretrain(6.0, 1.0, ROWS, 1.0),
    "downstream": lambda: two_stages.two_stages(
        two_stages.pretrain(6.0, 1.0, ROWS, 1.0), 6.0, 1.0, ROWS, 1.0, 0.5
    ).down,
    "attention": lambda: attention.linear_attention(
        attention.Prompts(
            counts=jnp.ones(1), weights=jnp.ones(1), contexts=KINDS, ridge=jnp.array(0.1)
        ),
        2.0, attention.contexts(2.0, 0.25, 0.25),
    ),
    "unequal tasks": lambda: zipf_tasks.unequal_tasks(
        jnp.array([0.7, 0.3]), 8.0, 2.0, 0.1, attention.contexts(2.0, 0.25, 0.25)
    ),
    "drawn tasks": lambda: drawn_tasks.drawn_tasks(
        jnp.array([0.7, 0.3]), 8.0, 2.0, 0.1, jnp.ones(1), KINDS
    ),
    "population": lambda: finite_population.population_risk(LAW, 20.0, ROWS, 1.0),
    "worst repeats": lambda: repeat_peak.worst_repeats(1000.0, 0.3, 50.0),
    "best time": lambda: flow_isotropic.optimal_time(9.0, 6.0, 0.1),
    "reuse of rows": lambda: data_constrained.ridge_reuse(LAW, 5.0, 3.0, 1.0),
    "level": lambda: grokking.loss_at_accuracy(0.95, 1e-3),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_no_step_is_no_answer(name, monkeypatch):
    for module in (fixed_point, shares, sources):
        monkeypatch.setattr(module, "MOST_STEPS", 0)
    with jax.disable_jit(), np.errstate(all="ignore"):
        status = int(TOLD[name]().status)
    assert status in (Status.NOT_CONVERGED, Status.NOT_FINITE)
