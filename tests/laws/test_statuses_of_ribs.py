"""What a solver says of itself reaches every prediction that rests on it, and no other.

In each case one solver of a phenomenon ends without a solution, or one next order: then these
predictions must say so, or must not be claimed.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp
import pytest

from ci_theory._errors import Status
from ci_theory._record import build
from ci_theory.phenomena import load
from ci_theory.phenomena._forecast import told


class Case(NamedTuple):
    """A solver, by its name in the phenomenon's module, and the predictions that rest on it.

    Of a solver that is called several times, only calls for which ``which`` says so fail.
    """

    name: str
    solver: str
    predictions: str
    point: Mapping[str, Any] = MappingProxyType({})
    which: Any = lambda *given: True


LINEAR = "test_loss train_loss test_accuracy train_accuracy"
GROKKING = {"n": 400, "d": 200, "time": 3.0, "decay": 0.1, "noise": 0.1}
STAGES = "test_error ood_error train_error transfer_gain"
MIXED = "id_risk ood_risk id_slope ood_slope"
FLIPPED = "id_excess ood_excess id_change ood_change"
SPECTRAL = "outlier overlap foretold entropy largest error"
ERRORS = "excess harm gain"
FEATURES = "test_error excess_risk train_error apparent_error"
SOLVED = [
    Case("ridge_peak", "ridge_risk", "test_error train_error"),
    Case("corrupted_inputs", "weighted_input_noise_risk",
         "test_error noisy_test_error train_error"),
    Case("contaminated_test", "contaminated_risk", "apparent_error test_error gain"),
    Case("repeated_data", "weighted_ridge_risk",
         "test_error excess_risk train_error gcv_naive gcv_distinct"),
    Case("repetition_scaling", "weighted_ridge_risk", "excess_risk"),
    Case("random_feature_peak", "turned_feature_risk", FEATURES),
    Case("feature_ensemble", "error_parts", "test_error disagreement"),
    Case("imbalanced_mixture", "mixture_risk",
         "error_majority error_minority balanced_error balanced_error_optimal"),
    Case("group_gap", "two_groups", "error_majority error_minority gap leverage_minority"),
    Case("alignment_erasure", "teach", "response attack_success utility_risk"),
    Case("lifelong_editing", "edit_of", "base_risk edit_risk edit_miss base_share"),
    Case("metric_editing", "metric_edit", "base_risk edit_risk base_share",
         {"p": 20, "n": 40, "edits": 2}),
    Case("epochwise_descent", "weighted_flow_risk", "excess_risk train_error"),
    Case("icl_linear_attention", "linear_attention", "trained_error fresh_error gap"),
    Case("icl_zipf_tasks", "drawn_tasks", "missing missing_fresh known"),
    Case("power_law_break", "ridge_risk", "excess_risk"),
    Case("double_double_descent", "parameter_transfer", "test_error transfer_gain"),
    Case("induction_onset", "induction_head", "left train_loss found"),
    Case("linear_grokking", "start_left", LINEAR),
    Case("linear_grokking", "weighted_flow_risk", LINEAR),
    Case("two_stage_ridge", "pretrain", STAGES + " upstream_error"),
    Case("weight_interpolation", "pretrain", MIXED),
    Case("weight_interpolation", "clean_tuning", MIXED),
    Case("noisy_features", "theory.probe", FLIPPED, which=lambda made: made.weights.noise > 0),
    Case("noisy_features", "theory.probe", FLIPPED, which=lambda made: made.weights.noise == 0),
    Case("feature_spectrum", "leading", SPECTRAL + " crowding"),
    Case("poisoned_ridge", "poisoned_ridge",
         "trigger_response attack_success clean_error tuned_success tuned_error"),
    Case("poisoned_ridge", "clean_tuning", "survival tuned_success tuned_error"),
    Case("network_inheritance", "reteach", ERRORS + " response", {"up.poison": 0.1}),
    Case("network_inheritance", "pretrained", ERRORS + " planted response", {"up.poison": 0.1},
         lambda d, groups, ridge, share, *_: share > 0),
    Case("network_inheritance", "pretrained", ERRORS + " response", {"up.poison": 0.1},
         lambda d, groups, ridge, share, *_: share == 0),
    Case("sgd_scaling", "averaged_risk", "average", {"draw": 0, "rate": 0.05},
         lambda spectrum, width, *_: jnp.isfinite(width)),
    Case("sgd_scaling", "averaged_risk", "average", {"draw": 0, "rate": 0.05},
         lambda spectrum, width, *_: jnp.isinf(width)),
]  # fmt: skip
NEXT_ORDERS = [
    Case("epochwise_descent", "flow_shift", "excess_risk train_error"),
    Case("linear_grokking", "flow_shift", LINEAR + " closed_loss", GROKKING),
    Case("linear_grokking", "start_shift", LINEAR + " closed_loss", GROKKING),
    Case("power_law_break", "next_order", "excess_risk closed_form"),
    Case("random_feature_peak", "feature_ridge_shift", FEATURES, {"n": 100}),
    Case("repetition_scaling", "feature_ridge_shift", "excess_risk"),
    Case("lifelong_editing", "next_edit", "base_risk edit_risk edit_miss base_share"),
    Case("metric_editing", "metric_edit", "base_risk edit_risk base_share",
         {"p": 20, "n": 40, "edits": 2}),
    Case("induction_onset", "head_steps", "left train_loss found"),
]  # fmt: skip


def said(case):
    """Return the predictions of a point: its status, and whether it is claimed."""
    phenomenon = load(case.name)
    point = phenomenon.point(case.point)
    words = {k: v for k, v in point.items() if isinstance(v, str | bool)}
    numbers = {k: jnp.asarray(v, float) for k, v in point.items() if k not in words}
    params = build(phenomenon.params, {**numbers, **words})
    world = phenomenon.world(build(phenomenon.params, point))
    made = told(phenomenon, params, world, decoys=False)
    return {name: (int(e.status), bool(e.valid)) for name, (e, _) in made.items()}


def fails(case, monkeypatch):
    """Let the solver end without a solution."""
    module = importlib.import_module(f"ci_theory.phenomena.{case.name}")
    *way, name = case.solver.split(".")
    for step in way:
        module = getattr(module, step)
    right = getattr(module, name)

    def wrong(*given, **named):
        made = right(*given, **named)
        status = jnp.where(case.which(*given), int(Status.NOT_CONVERGED), made.status)
        return made._replace(status=status)

    monkeypatch.setattr(module, name, wrong)


@pytest.mark.parametrize("case", SOLVED, ids=lambda case: f"{case.name} {case.solver}")
def test_what_a_solver_says_is_said_of_what_rests_on_it(case, monkeypatch):
    before = said(case)
    fails(case, monkeypatch)
    after = said(case)
    lost = {name for name, (status, _) in after.items() if status == Status.NOT_CONVERGED}
    assert lost == set(case.predictions.split())
    assert all(before[name][0] == Status.OK for name in lost)
    assert all(after[name] == before[name] for name in set(after) - lost)


@pytest.mark.parametrize("case", NEXT_ORDERS, ids=lambda case: f"{case.name} {case.solver}")
def test_what_has_no_next_order_is_not_claimed(case, monkeypatch):
    rest = set(case.predictions.split())
    before = said(case)
    assert all(before[name] == (Status.OK, True) for name in rest)
    fails(case, monkeypatch)
    after = said(case)
    assert not any(after[name][1] for name in rest)


def test_a_spectrum_that_is_not_finite_is_no_solution(monkeypatch):
    module = importlib.import_module("ci_theory.phenomena.feature_spectrum")
    right = module.row_shape
    monkeypatch.setattr(module, "row_shape", lambda *a: right(*a)._replace(entropy=jnp.nan))
    after = said(Case("feature_spectrum", "row_shape", ""))
    assert {status for status, _ in after.values()} == {Status.NOT_CONVERGED}
