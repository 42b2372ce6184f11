"""Closed forms of break points: the parameter that a peak sits at, and which forms others hold."""

import numpy as np
import pytest

from ci_theory._record import Kind, build
from ci_theory.phenomena import load, names

# Peaks at interpolation: the parameter that is their place.
AT = {
    ("ridge_peak", "peak in n"): "p",
    ("ridge_peak", "peak in p"): "n",
    ("corrupted_inputs", "peak in n"): "p",
    ("corrupted_inputs", "peak in p"): "n",
    ("random_feature_peak", "peak in n"): "p",
    ("random_feature_peak", "peak in p"): "n",
    ("feature_ensemble", "peak in p"): "n",
    ("contaminated_test", "true peak in n"): "p",
    ("double_double_descent", "inherited peak in p"): "up.n",
    ("double_double_descent", "inherited peak in n"): "up.p",
    ("double_double_descent", "own peak in p"): "down.n",
    ("double_double_descent", "own peak in n"): "down.p",
}
# Formulas of their own, which tests/theory and tests/stats hold.
FORMULAS = {
    ("alignment_erasure", "every second attack succeeds"),
    ("alignment_erasure", "half of the alignment gone"),
    ("contaminated_test", "apparent peak in n"),
    ("corrupted_inputs", "best input noise"),
    ("double_double_descent", "negative transfer"),
    ("fact_memory", "capacity"),
    ("fact_memory", "last rank recalled"),
    ("feature_spectrum", "half of the direction"),
    ("feature_spectrum", "probe stops to pay"),
    ("feature_spectrum", "transition"),
    ("group_gap", "equalising weight"),
    ("group_gap", "share that a weight equalises"),
    ("icl_linear_attention", "new tasks are learnt"),
    ("icl_linear_attention", "peak in n"),
    ("icl_population", "noise that suits the shift"),
    ("icl_population", "scale at which the context stops to help"),
    ("icl_population", "turn at which the context stops to help"),
    ("icl_task_pool", "new tasks that ridge is better for"),
    ("icl_zipf_tasks", "tasks known by heart"),
    ("imbalanced_mixture", "minority lost"),
    ("lifelong_editing", "half of the base gone"),
    ("lifelong_editing", "catastrophe"),
    ("lifelong_editing", "lifelong ridge"),
    ("induction_onset", "onset"),
    ("induction_onset", "onset of half of the runs"),
    ("linear_grokking", "generalises"),
    ("linear_grokking", "fits"),
    ("markov_icl", "counting wins"),
    ("markov_icl", "new chains cost little"),
    ("metric_editing", "catastrophe"),
    ("metric_editing", "half of the base gone"),
    ("metric_mirage", "half of the sequences are right"),
    ("metric_mirage", "the power law of the tokens ends"),
    ("network_inheritance", "half of saturation"),
    ("network_inheritance", "negative transfer"),
    ("noisy_features", "in-domain minimum"),
    ("noisy_features", "sign boundary"),
    ("power_law_break", "floor in n"),
    ("prior_bias", "best strength"),
    ("prior_bias", "labels that adjusting needs"),
    ("repeated_data", "worst repeat count"),
    ("repetition_scaling", "worst repeat count"),
    ("poisoned_ridge", "half of saturation"),
    ("poisoned_ridge", "half of the trigger removed"),
    ("two_stage_ridge", "negative-transfer boundary"),
    ("weight_interpolation", "best mix in distribution"),
    ("weight_interpolation", "best mix out of distribution"),
    ("weight_interpolation", "ridge that needs no mixing"),
    ("weight_interpolation", "shared shift"),
    ("zipf_learning", "the watched item is learnt"),
}


def test_every_closed_form_is_listed():
    found = {(n, b.name) for n in names() for b in load(n).breaks if b.closed_form is not None}
    assert found == set(AT) | FORMULAS


@pytest.mark.parametrize(("name", "label"), sorted(AT))
def test_a_peak_is_where_rows_meet_parameters(name, label):
    phenomenon = load(name)
    whole = [k for k in phenomenon.names(*Kind) if phenomenon.axes[k].type is int]
    values = {k: 11 + 7 * i for i, k in enumerate(whole)}  # no two alike
    values |= {"repeats": 1, "ridge": 0.0} if "repeats" in whole else {}
    params = build(phenomenon.params, {**phenomenon.point({}), **values})
    rule = next(b for b in phenomenon.breaks if b.name == label)
    assert rule.closed_form(params) == values[AT[name, label]]
    assert rule.axis in rule.statement or rule.axis.rpartition(".")[2] in rule.statement
    assert rule.axis != AT[name, label]


@pytest.mark.parametrize("name", ["corrupted_inputs", "random_feature_peak"])
def test_of_copies_the_distinct_rows_meet_the_parameters(name):
    phenomenon = load(name)
    copies = {"repeated_fraction": 0.5, "repeats": 5, "ridge": 0.0}  # 6 of 10 rows are distinct
    of = {b.axis: b.closed_form for b in phenomenon.breaks if b.name in ("peak in n", "peak in p")}
    params = build(phenomenon.params, phenomenon.point({**copies, "n": 200, "p": 60}))
    assert of["n"](params) == pytest.approx(100)
    assert of["p"](params) == 120


def test_an_item_is_learnt_when_half_of_the_runs_have_met_it():
    rule = load("zipf_learning").breaks[0]
    params = build(load("zipf_learning").params, {"vocabulary": 3, "exponent": 1.0, "rank": 2})
    assert (1 - 3 / 11) ** rule.closed_form(params) == pytest.approx(0.5)


def test_the_apparent_peak_solves_its_quadratic():
    rule = next(b for b in load("contaminated_test").breaks if b.name == "apparent peak in n")
    p, ridge, share = 100, 2.0, 0.25
    given = {"p": p, "ridge": ridge, "contamination": share}
    point = load("contaminated_test").point(given)
    place = rule.closed_form(build(load("contaminated_test").params, point))
    half = (place - p) / np.sqrt(p * ridge)  # (y - 1)/sqrt(y)
    y = ((half + np.sqrt(half**2 + 4)) / 2) ** 2
    f = (1 - share) * p / ridge
    assert y**2 + (3 - f) * y + f == pytest.approx(0, abs=1e-9 * f)
