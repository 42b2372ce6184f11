"""Scope and slack of every prediction: where it stops to claim anything, and what it may be off.

Scopes are held at neighbouring points, one claimed and one not. Slacks are held by means of small
sweeps that were simulated once (``python -m benchmarks.small_means``): they cover what these means
deviate by, and a slack that has changed has to be audited and kept anew. A prediction that is not
listed here fails.
"""

import csv
import functools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from scipy import stats

from ci_theory._errors import Status
from ci_theory._record import build
from ci_theory.phenomena import _slack, load, names, sgd_scaling
from ci_theory.phenomena._forecast import told
from ci_theory.theory.discrete import zipf
from ci_theory.theory.spectra.spectrum import explicit

KEPT = Path(__file__).with_name("small_means.csv")


class Edge(NamedTuple):
    """Neighbours on an axis: claimed at ``inside``, not at ``outside``; all else is ``fixed``."""

    labels: str
    axis: str
    inside: Any
    outside: Any
    fixed: dict[str, Any]


LEAST = {"p": 100, "ridge": 0.0}  # least squares: n - df2 is n - p, and n - n^2/p for n < p
PLAIN = {**LEAST, "repeated_fraction": 0.0}
FEATURES = "test_error excess_risk train_error apparent_error"
STAGES = {"up.ridge": 0.0, "down.ridge": 0.0, "up.repeated_fraction": 0.0, "p": 100}
STUCK = {"up.ridge": 0.0, "down.ridge": 0.0, "down.time": 1e9, "p": 100}
PARTIAL = {"up.p": 60, "down.p": 20, "d": 128, "frozen": 40, "up.n": 120, "down.n": 60}
CHAINED = {"d": 100, "up.ridge": 0.0, "down.ridge": 0.0, "down.n": 150}
ERASING = {**CHAINED, "up.n": 150, "down.n": 0}
COPIED = {"up.n": 100, "up.repeated_fraction": 0.5, "up.repeats": 2}
EDITS = {"p": 100, "ridge": 0.0, "edits": 3}
METRIC = {"p": 100, "ridge": 1e-9, "edits": 3, "alpha": 0.0}
CLASSES = {"n": 200, "p": 40, "minority": 0.4, "separation": 1.0, "ridge": 0.0}
FITTED = {"d": 100, "time": 1e6, "noise": 0.1, "decay": 0.0, "repeated_fraction": 0.0}
LATE = {"d": 100, "time": 1e8, "slow_variance": 1.0, "repeated_fraction": 0.0}  # least squares
FEW = {**CLASSES, "separation": 2.0, "ridge": 1.0}
BOTH = "error_majority error_minority balanced_error balanced_error_optimal"
GROUPS = "error_majority error_minority gap leverage_minority"
UNREPEATED = {"up.repeated_fraction": 0.0}
SQUARE = {"p": 40, "up.heads": 40, "up.n": 400, "up.flips": 0.3, "down.n": 400}
FLIPPED = "id_excess ood_excess id_change ood_change"
SPECTRAL = "outlier overlap foretold crowding largest error"
ERASED = "response attack_success utility_risk"
POOL = "gain harm pool_loss fresh_loss"
HEAD = "left train_loss found"
ATTENTION = "trained_error fresh_error gap"
EDGES = {
    "alignment_erasure": [  # without a ridge, and one direction of 100 frozen
        Edge(ERASED, "n", 88, 90, {"d": 100}),
        Edge(ERASED, "n", 110, 108, {"d": 100}),
        Edge(ERASED, "safe", 78, 80, {"d": 100, "n": 10}),
    ],
    "icl_linear_attention": [
        Edge(ATTENTION, "d", 8, 7, {"n": 60, "tasks": 8}),
        Edge(ATTENTION, "tasks", 4, 3, {"d": 16}),
        Edge(ATTENTION, "length", 8, 7, {"d": 16}),
        Edge(ATTENTION, "n", 52, 51, {"d": 16}),
    ],
    "icl_task_pool": [Edge("gain loss advantage", "noise", 0.4, 0.39, {"frames": 2})],
    "icl_zipf_tasks": [
        Edge("missing missing_fresh known", "d", 10, 9, {"n": 100}),
        Edge("missing missing_fresh known", "length", 8, 7, {"d": 16}),
        Edge("missing missing_fresh known", "n", 64, 63, {"d": 16}),
        Edge("missing missing_fresh known", "ridge", 0.02, 0.019, {"d": 16}),
    ],
    "induction_onset": [
        Edge(HEAD, "batch", 6, 5, {"steps": 450}),
        Edge(HEAD, "steps", 360, 450, {"batch": 4}),  # not again when the head is there
        Edge(HEAD, "rate", 0.325, 0.35, {"steps": 250, "noise": 0.0, "asked": 1.0}),
    ],
    "markov_icl": [
        Edge(POOL, "pool", 8, 7, {}),
        Edge(POOL, "length", 16, 17, {}),
        Edge(POOL, "states", 2, 3, {}),
        Edge(POOL, "repeats", 5, 6, {"pool": 24, "repeated_fraction": 0.5}),  # 1/sum w^2
        Edge("ordered_gain ordered_harm", "pool", 77, 76, {"states": 3}),  # an overlap of 7.7
        Edge("ordered_gain ordered_harm", "length", 17, 16, {"pool": 100}),
    ],
    "ridge_peak": [
        Edge("test_error train_error", "n", 110, 109, LEAST),
        Edge("test_error train_error", "n", 88, 89, LEAST),
        Edge("finite_size_excess", "n", 120, 119, LEAST),
        Edge("finite_size_excess", "n", 80, 81, LEAST),
        Edge("finite_size_excess", "ridge", 0.0, 1e-9, {"p": 100, "n": 200}),
        Edge("finite_size_excess", "spectrum", "isotropic", "two_block", {**LEAST, "n": 200}),
    ],
    "corrupted_inputs": [
        Edge("test_error noisy_test_error train_error", "n", 110, 109, LEAST),
        Edge("test_error noisy_test_error train_error", "n", 88, 89, LEAST),
        Edge("finite_size_excess", "n", 120, 119, LEAST),
        Edge("finite_size_excess", "ridge", 0.0, 1e-9, {"p": 100, "n": 200}),
        Edge("finite_size_excess", "spectrum", "isotropic", "two_block", {**LEAST, "n": 200}),
        Edge("finite_size_excess", "repeats", 1, 2, {**LEAST, "n": 200, "repeated_fraction": 0.5}),
        Edge(
            "test_error noisy_test_error train_error",
            "p",
            10,
            9,
            {"ridge": 0.0, "n": 100, "repeated_fraction": 0.5, "repeats": 2},
        ),
    ],
    "repeated_data": [
        Edge("test_error excess_risk train_error gcv_naive", "budget", 110, 109, PLAIN),
        Edge("gcv_distinct closed_form_excess", "budget", 110, 109, PLAIN),
        Edge("test_error excess_risk gcv_distinct", "p", 10, 9, {"ridge": 0.0, "budget": 100}),
        Edge("closed_form_excess", "ridge", 0.0, 1e-9, {"p": 100, "budget": 400}),
        # 133 distinct rows, and 80
        Edge(
            "closed_form_excess",
            "repeats",
            3,
            5,
            {**LEAST, "budget": 400, "repeated_fraction": 1.0},
        ),
    ],
    "repetition_scaling": [
        Edge("excess_risk", "n", 20, 19, {"repeated_fraction": 0.0, "repeats": 1, "level": 1e-3})
    ],
    "contaminated_test": [
        Edge("apparent_error test_error gain", "n", 110, 109, {**LEAST, "repeats": 1}),
        Edge("apparent_error test_error gain", "p", 10, 9, {"ridge": 0.0, "n": 100}),
    ],
    "two_stage_ridge": [
        Edge("test_error ood_error train_error", "up.n", 110, 109, {**STAGES, "down.n": 150}),
        Edge("transfer_gain upstream_error", "up.n", 110, 109, {**STAGES, "down.n": 150}),
        Edge("test_error ood_error train_error", "down.n", 110, 109, {**STAGES, "up.n": 150}),
        Edge("upstream_error test_error", "p", 10, 9, {**STAGES, "up.n": 99, "down.n": 99}),
    ],
    "weight_interpolation": [
        Edge("id_risk ood_risk id_slope ood_slope", "up.n", 110, 109, {**STAGES, "down.n": 150}),
        Edge("id_risk ood_risk id_slope ood_slope", "down.n", 110, 109, {**STAGES, "up.n": 150}),
        Edge("id_risk ood_slope", "p", 10, 9, {**STAGES, "up.n": 99, "down.n": 99}),
    ],
    "poisoned_ridge": [
        Edge("trigger_response attack_success", "up.n", 110, 109, {**STUCK, "down.n": 150}),
        Edge("clean_error tuned_success", "up.n", 110, 109, {**STUCK, "down.n": 150}),
        Edge("survival tuned_success tuned_error", "down.n", 110, 109, {**STUCK, "up.n": 150}),
        Edge("survival clean_error", "p", 10, 9, {**STUCK, "up.n": 99, "down.n": 99}),
    ],
    "double_double_descent": [
        Edge("test_error transfer_gain", "down.n", 30, 29, PARTIAL),
        Edge("test_error inherited_error upstream_error", "up.n", 70, 69, PARTIAL),
        Edge("exact_error exact_gain", "down.n", 31, 30, PARTIAL),  # n - p - 1 >= 10
        Edge("exact_error exact_gain", "up.n", 71, 70, PARTIAL),
        Edge("exact_error exact_gain", "up.ridge", 0.0, 1e-9, PARTIAL),
        Edge("exact_error exact_gain", "down.ridge", 0.0, 1e-9, PARTIAL),
    ],
    "group_gap": [
        Edge(GROUPS, "n", 71, 69, {**LEAST, "p": 60}),  # weights alike: n - p
        Edge(GROUPS, "ridge", 1e-9, 0.0, {"n": 30, "p": 60}),
        Edge(GROUPS, "p", 10, 9, {"n": 100}),
    ],
    "lifelong_editing": [
        Edge("base_risk edit_risk edit_miss base_share", "n", 90, 91, EDITS),  # p - n >= 10
        Edge("base_risk edit_risk edit_miss base_share", "n", 110, 109, EDITS),
        Edge("base_risk edit_risk base_share", "p", 10, 9, {**EDITS, "n": 30}),
        Edge("base_risk base_share", "edits", 18, 19, {**EDITS, "n": 5, "editor": "batch"}),
        Edge("base_share", "edits", 73, 74, {"n": 40, "p": 60, "ridge": 20.0}),  # next order
        Edge("exact_base_risk", "n", 80, 81, EDITS),
        Edge("exact_base_risk", "edits", 16, 17, {**EDITS, "n": 5, "editor": "batch"}),
        Edge("exact_base_risk", "ridge", 0.0, 1e-9, {**EDITS, "n": 5}),
    ],
    "metric_editing": [
        Edge("base_risk edit_risk base_share", "n", 90, 91, METRIC),  # as of plain edits
        Edge("base_risk edit_risk", "n", 110, 109, METRIC),  # of the share nothing is left
        Edge("base_risk edit_risk", "p", 10, 9, {**METRIC, "n": 30}),
        Edge("base_share", "p", 10, 9, {**METRIC, "n": 30, "ridge": 60.0}),
    ],
    "imbalanced_mixture": [
        Edge(BOTH, "n", 52, 51, CLASSES),  # n - 2 - df2 >= 10, df2 = p without a ridge
        Edge(BOTH, "p", 8, 7, CLASSES),  # df2 >= 8
        Edge("error_minority balanced_error", "minority", 0.05, 0.045, FEW),  # 10 rows of 200
        Edge("error_minority", "separation", 8.9, 9.0, {**CLASSES, "minority": 0.3, "ridge": 1.0}),
    ],
    "network_inheritance": [
        Edge("excess harm gain", "up.n", 110, 109, CHAINED),
        Edge("planted response", "up.n", 110, 109, {**CHAINED, "up.poison": 0.1}),
        Edge("excess harm gain", "down.n", 110, 109, {**CHAINED, "up.n": 150}),
        Edge("excess harm gain", "down.n", 90, 91, {**CHAINED, "up.n": 150}),
        Edge("response", "down.harmful", 90, 91, {**ERASING, "up.poison": 0.1}),
        Edge("excess planted", "d", 10, 9, {"up.n": 100, "down.n": 100, "up.poison": 0.1}),
        Edge("planted response", "up.poison", 0.01, 0.0, {"up.n": 100}),
        Edge("excess harm gain", "up.poison", 0.0, 0.01, COPIED),
        Edge("excess harm gain", "system", "linear", "features", {}),
    ],
    "noisy_features": [
        Edge(FLIPPED, "down.n", 11, 10, {"up.flips": 0.0}),  # clean features are one: n - df2
        Edge(FLIPPED + " entropy largest", "p", 10, 9, {}),
        Edge(FLIPPED + " entropy largest", "up.heads", 10, 9, {}),
        Edge(FLIPPED + " entropy largest", "up.flips", 0.00302, 0.003, {"up.n": 1000}),  # 3 flips
        Edge(FLIPPED + " entropy largest", "up.flips", 0.0, 0.0005, {}),  # none, or three
        Edge("entropy largest", "up.flips", 0.475, 0.48, {}),  # signal 3 times the threshold
        # 40 heads of 40 inputs: what the noise of the heads leaves of their resolvent
        Edge(FLIPPED, "down.ridge", 0.227, 0.223, SQUARE),
    ],
    "feature_spectrum": [  # plain rows: q = (p - 1)/n noise^2, and all of them are effective
        Edge(SPECTRAL, "up.noise", 1.43, 1.44, {"up.n": 160, "p": 40, **UNREPEATED}),
        Edge(SPECTRAL + " entropy", "up.n", 111, 109, {"p": 11, "up.noise": 0.1, **UNREPEATED}),
        Edge("error", "down.n", 10, 9, {}),
    ],
    "random_feature_peak": [
        Edge(FEATURES, "n", 188, 189, {"p": 200, "d": 20, "ridge": 0.0}),
        Edge(FEATURES, "n", 212, 211, {"p": 200, "d": 20, "ridge": 0.0}),
        Edge(FEATURES, "p", 16, 15, {"n": 400, "d": 20, "ridge": 0.0}),
        Edge(
            FEATURES,
            "n",
            30,
            40,
            {"p": 200, "d": 10, "activation": "tanh"},
        ),
    ],
    "feature_ensemble": [
        Edge("disagreement", "members", 2, 1, {"n": 100, "p": 50}),
        Edge("test_error disagreement", "n", 30, 40, {"p": 200, "d": 10, "activation": "tanh"}),
        Edge("test_error disagreement", "n", 188, 189, {"p": 200, "d": 20, "ridge": 0.0}),
        Edge("test_error disagreement", "p", 16, 15, {"n": 400, "d": 20, "ridge": 0.0}),
        Edge("test_error disagreement", "n", 100, 102, {"p": 300, "d": 8, "ridge": 0.0}),
    ],
    "power_law_break": [
        # without a ridge n - df2 is (n + 1/2)/alpha
        Edge("excess_risk closed_form", "n", 20, 19, {"alpha": 2.0, "ridge": 0.0}),
        Edge("closed_form", "ridge", 0.0, 1e-9, {"n": 100}),
        Edge("closed_form", "source", 0.97, 0.99, {"n": 100}),
        Edge("closed_form", "source", 1.03, 1.01, {"n": 100}),
        Edge("closed_form", "modes", 3000, 2000, {"n": 100, "tail": False}),
        Edge("excess_risk", "n", 86, 88, {"ridge": 0.0, "width": 100}),
        Edge("closed_form", "width", 0, 100, {"n": 50}),
    ],
    "sgd_scaling": [
        Edge("risk test_error over_best", "rate", 0.4579, 0.458, {}),
        Edge("risk test_error over_best", "rate", 0.01843, 0.01847, {"batch": 64}),  # fastest mode
        Edge("risk test_error over_best", "draw", 1, 0, {"rate": 0.05}),
        Edge("average", "draw", 0, 1, {"rate": 0.05}),
        Edge("average", "rate", 0.159, 0.16, {"draw": 0}),
        Edge("average", "rate", 0.00547, 0.00548, {"draw": 0, "batch": 64}),
        Edge("average", "width", 10, 9, {"draw": 0, "rate": 0.05}),
        Edge("average", "steps", 1, 0, {"draw": 0, "rate": 0.05}),
    ],
    "epochwise_descent": [
        Edge("excess_risk train_error", "n", 110, 109, LATE),
        Edge("isotropic_excess isotropic_train", "n", 110, 109, LATE),
        Edge("excess_risk isotropic_excess", "n", 88, 89, LATE),
        Edge("isotropic_excess isotropic_train", "slow_variance", 1.0, 0.999, {"n": 400}),
        Edge("isotropic_excess isotropic_train", "p", 0, 300, {**LATE, "n": 400, "time": 10.0}),
        Edge(
            "isotropic_excess isotropic_train",
            "repeats",
            1,
            2,
            {**LATE, "n": 400, "repeated_fraction": 0.5},
        ),
    ],
    "linear_grokking": [
        Edge("test_loss train_loss closed_loss", "n", 110, 109, FITTED),
        Edge("test_accuracy train_accuracy", "n", 110, 109, FITTED),
        Edge("test_loss test_accuracy", "n", 88, 89, FITTED),
        Edge("closed_loss", "repeats", 1, 2, {"n": 200, "d": 100, "repeated_fraction": 0.5}),
        Edge("closed_loss", "p", 0, 300, {"n": 200, "d": 100}),
        Edge(
            "test_loss train_loss", "p", 12, 10, {**FITTED, "n": 400, "start": 1.0, "signal": 1.0}
        ),
    ],
    "fact_memory": [  # one fact of six is copied, and not one of five; one of them is not
        Edge("copied_recalled", "facts", 6, 5, {"repeated_fraction": 0.09, "rank": 1}),
        Edge("single_recalled", "facts", 6, 5, {"repeated_fraction": 0.91, "rank": 1}),
    ],
    "zipf_learning": [
        Edge("missing", "n", 50, 49, {"vocabulary": 1000, "exponent": 2.0}),
        Edge("missing", "exponent", 1.01, 1.0, {"vocabulary": 1000, "n": 1000, "rank": 1}),
        Edge("missing", "exponent", 1.15, 1.14, {"vocabulary": 1000, "n": 100}),  # 100 p_1 = 20
        Edge("missing", "n", 3150, 3250, {"vocabulary": 20, "exponent": 2.0, "rank": 1}),
        Edge("known", "n", 5, 6, {"vocabulary": 2, "exponent": 1.0, "rank": 2}),  # 1 - (2/3)^n
        Edge("known", "n", 4, 3, {"vocabulary": 10, "exponent": 1.0, "rank": 10}),
    ],
    "metric_mirage": [
        Edge("exact_match", "tests", 3, 2, {"n": 100, "vocabulary": 1000}),
        Edge("edit_distance", "tests", 2, 1, {"n": 100, "vocabulary": 1000}),
        Edge("token_error", "contamination", 0.9, 0.999, {"tests": 100}),
    ],
    "digits_ridge": [Edge("test_error train_error", "n", 50, 49, {})],
}
MIRAGE = ("token_error", "edit_distance", "exact_match")
# Claimed wherever the phenomenon's rule lets a point in.
EVERYWHERE = {("zipf_learning", label) for label in ("error", "singles", "price")}
EVERYWHERE |= {("prior_bias", p.name) for p in load("prior_bias").predictions}
# a slack of the simulation, below what means can tell; held in test_icl_population
EVERYWHERE |= {("icl_population", p.name) for p in load("icl_population").predictions}
EVERYWHERE |= {("fact_memory", label) for label in ("recalled", "error", "known")}
EVERYWHERE |= {("markov_icl", f"{level}_loss") for level in ("counting", "unigram", "known")}


@functools.cache
def program(name, words):
    phenomenon = load(name)

    def one(numbers, world):
        params = build(phenomenon.params, {**numbers, **dict(words)})
        made = told(phenomenon, params, world, decoys=False)
        return {name: estimate for name, (estimate, _) in made.items()}

    return jax.jit(one)  # without the decoys: half of the compilation


def toy_images(params):
    """In place of the digits: as many images, of few directions."""
    return explicit(0.8 ** np.arange(60.0), np.ones(60))


def estimates(name, point):
    """Evaluate the predictions of a point: label -> value, slack, and whether it is claimed."""
    phenomenon = load(name)
    point = phenomenon.point(point)
    world = toy_images if name == "digits_ridge" else phenomenon.world
    words = {k: v for k, v in point.items() if isinstance(v, str)}
    rest = {k: v for k, v in point.items() if k not in words}
    numbers = {k: v if isinstance(v, bool) else float(v) for k, v in rest.items()}
    made = program(name, tuple(words.items()))(numbers, world(build(phenomenon.params, point)))
    return {
        label: (float(e.value), float(e.slack), bool(e.valid) and int(e.status) == Status.OK)
        for label, e in made.items()
    }


def test_every_prediction_is_held():
    listed = {(n, label) for n, edges in EDGES.items() for e in edges for label in e.labels.split()}
    every = {(n, p.name) for n in names() for p in load(n).predictions}
    assert listed | EVERYWHERE == every
    assert not listed & EVERYWHERE


@pytest.mark.parametrize("name", sorted(EDGES))
def test_a_scope_ends_where_it_says(name):
    for edge in EDGES[name]:
        inside, outside = (
            estimates(name, {**edge.fixed, edge.axis: value})
            for value in (edge.inside, edge.outside)
        )
        for label in edge.labels.split():
            assert inside[label][2], (label, edge)
            assert not outside[label][2], (label, edge)


# Where some predictions are not claimed any more, and these still are: they do not rest on that.
STILL = {
    "corrupted_inputs": [("test_error train_error", {"ridge": 1e-9, "n": 100, "p": 9})],
    "poisoned_ridge": [
        ("survival", {**STUCK, "up.n": 109, "down.n": 150}),
        ("trigger_response attack_success clean_error", {**STUCK, "up.n": 150, "down.n": 109}),
    ],
    "two_stage_ridge": [("upstream_error", {**STAGES, "up.n": 150, "down.n": 109})],
    "double_double_descent": [("inherited_error upstream_error", {**PARTIAL, "down.n": 29})],
    "network_inheritance": [
        ("planted", {**CHAINED, "up.n": 150, "up.poison": 0.1, "down.n": 91}),
    ],
    "feature_spectrum": [
        (SPECTRAL.replace(" error", "") + " entropy", {"down.n": 9}),
        ("entropy", {"up.noise": 1.44, "up.n": 160, "p": 40, **UNREPEATED}),
    ],
    "noisy_features": [(FLIPPED, {"up.flips": 0.48}), ("entropy largest", {"down.n": 10})],
    "feature_ensemble": [("test_error", {"members": 1, "n": 100, "p": 50})],
    "fact_memory": [
        ("recalled error known single_recalled", {"facts": 5, "repeated_fraction": 0.09, "rank": 1})
    ],
    "zipf_learning": [
        ("error singles price known", {"vocabulary": 1000, "exponent": 2.0, "n": 49, "rank": 5}),
    ],
    "metric_mirage": [("token_error edit_distance", {"tests": 2, "n": 100, "vocabulary": 1000})],
    "repeated_data": [("test_error gcv_naive", {"p": 100, "ridge": 1e-9, "budget": 400})],
    "epochwise_descent": [("excess_risk train_error", {"slow_variance": 0.999, "n": 400})],
    "imbalanced_mixture": [
        ("error_minority", {**CLASSES, "minority": 0.3, "ridge": 1.0, "separation": 8.9})
    ],
}


@pytest.mark.parametrize("name", sorted(STILL))
def test_what_does_not_rest_on_it_is_claimed_beyond_a_scope(name):
    for labels, point in STILL[name]:
        made = estimates(name, point)
        assert not all(claimed for _, _, claimed in made.values()), point  # beyond some scope
        for label in labels.split():
            assert made[label][2], (label, point)


def test_fewer_rows_left_have_no_normal_error_bar():
    """Why ten, and twenty for an exact mean: the excess risk of least squares is that skewed."""
    rng, p = np.random.default_rng(0), 20
    skew = {}
    for free in (3, _slack.FEWEST_FREE, 20):
        x = rng.normal(size=(4000, p + int(free), p))
        gram = np.swapaxes(x, 1, 2) @ x
        skew[free] = stats.skew(np.trace(np.linalg.inv(gram), axis1=1, axis2=2))
    assert skew[3] > 4  # n - p > 6 is what a skewness needs to exist
    assert skew[_slack.FEWEST_FREE] < 2.5
    assert skew[20] < 1.2


def test_sgd_is_judged_while_sampling_keeps_less_than_half_of_the_risk():
    """|K|_1 from the features themselves; 4 copies of one row are a step at 4 times the rate."""
    params = build(sgd_scaling.Params, {})
    scale = np.arange(1.0, params.inputs + 1)[:, None] ** -params.alpha
    s = np.linalg.svd(scale * sgd_scaling._drawn(params), compute_uv=False) ** 2
    for rate in (0.4579, 0.458):
        kept = np.sum(rate * s / (2 - 2 * rate * s))
        copies = {"rate": rate / 4, "batch": 4, "repeated_fraction": 1.0, "repeats": 4}
        for point in ({"rate": rate}, copies):
            assert estimates("sgd_scaling", point)["risk"][2] == (kept <= 0.5)


def test_the_computed_next_order_covers_the_worst_exact_case():
    """Ridgeless isotropic bias is f^2/((f - 1)(f - 3)) times its limit; the next order is 4/f."""
    for f in (20.0, 50.0, 1e3, 1e6):
        exact = f**2 / ((f - 1) * (f - 3)) - 1
        slack = float(_slack.next_order((np.array(4 / f),), (np.array(1.0),), 1 / f))
        assert exact < slack < 2 * exact
    assert slack == pytest.approx(1.25 * exact, rel=1e-4)  # a quarter for safety
    lost = float(_slack.next_order((np.array(0.0),), (np.array(1.0),), 1 / f))
    assert lost == pytest.approx(4 / f**2)  # where the next order happens to vanish
    assert bool(_slack.is_small((np.array(0.25),), 1.0))
    assert not bool(_slack.is_small((np.array(0.251),), 1.0))


def test_the_law_of_the_unseen_is_off_by_most_of_its_slack():
    p = np.asarray(zipf.frequencies(1000, 1.5))
    for n in (60, 300, 2000):
        value, slack, _ = estimates("zipf_learning", {"vocabulary": 1000, "exponent": 1.5, "n": n})[
            "missing"
        ]
        exact = np.sum(p * (1 - p) ** n)
        assert abs(value - exact) <= slack
        assert slack < 10 * abs(value - exact)


def test_real_images_have_a_declared_tolerance():
    value, slack, _ = estimates("digits_ridge", {"n": 200, "noise": 0.5})["test_error"]
    assert slack == pytest.approx(0.05 * (value - 0.5))


def kept_means():
    with KEPT.open() as file:
        assert file.readline().startswith("# ci_theory")  # what made it
        rows = list(csv.DictReader(file))
    found = defaultdict(list)
    for row in rows:
        found[row["phenomenon"]].append(row)
    return found


def test_every_slack_has_means_that_hold_it():
    kept = {(r["phenomenon"], r["prediction"]) for rows in kept_means().values() for r in rows}
    exact = {("ridge_peak", "finite_size_excess"), ("corrupted_inputs", "finite_size_excess")}
    exact |= {
        ("double_double_descent", "exact_error"),
        ("double_double_descent", "exact_gain"),
        ("lifelong_editing", "exact_base_risk"),
    } | (EVERYWHERE - {("fact_memory", "recalled"), ("fact_memory", "error")})
    exact |= {("zipf_learning", "known"), *(("metric_mirage", p) for p in MIRAGE)}
    exact |= {("markov_icl", label) for label in POOL.split()}
    exact |= {("sgd_scaling", label) for label in ("risk", "test_error", "over_best")}
    elsewhere = {("zipf_learning", "missing")}  # held above
    elsewhere |= {("digits_ridge", p) for p in ("test_error", "train_error")}  # declared: 5 %
    # the slack of the weighted form they are special cases of
    elsewhere |= {("epochwise_descent", p) for p in ("isotropic_excess", "isotropic_train")}
    # below what means can tell; held against the integral in tests/theory/sequences
    elsewhere |= {("markov_icl", f"ordered_{p}") for p in ("gain", "harm")}
    # points of integration, below what means can tell; held in tests/theory/attention
    elsewhere |= {("icl_task_pool", p) for p in ("gain", "loss", "advantage")}
    # below what means can tell; held in poisoned_ridge and alignment_erasure
    elsewhere |= {("network_inheritance", p) for p in ("planted", "response")}
    every = {(n, p.name) for n in names() for p in load(n).predictions}
    assert kept == every - exact - elsewhere


@pytest.mark.parametrize("name", sorted(kept_means()))
def test_slack_covers_what_means_deviate_by_and_is_as_audited(name):
    made = {}
    for row in kept_means()[name]:
        point = row["point"]
        made[point] = made.get(point) or estimates(name, json.loads(point))
        value, slack, claimed = made[point][row["prediction"]]
        mean, error, audited = (float(row[k]) for k in ("mean", "error", "slack"))
        assert claimed, row
        assert abs(mean - value) <= slack + 4.5 * error, row
        # neither lazier nor tighter than it was audited: then audit it and keep the means anew
        assert slack == pytest.approx(audited, rel=0.1), row
