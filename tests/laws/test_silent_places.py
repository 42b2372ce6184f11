"""Where a closed form of a break tells its place and where it says nothing: side by side.

Each pair of points differs by what the formula does not know, or by where its place leaves the
axis: a place told there would be drawn, and judged by nothing.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest

from ci_theory._record import build
from ci_theory.phenomena import load


class Pair(NamedTuple):
    """A point at which a place is told, and changes of it that silence the formula."""

    name: str
    kind: str
    told: dict[str, Any]
    silent: list[dict[str, Any]]


CLEAN = {"ridge": 0.0, "noise": 0.3}
COPIES = {"repeated_fraction": 0.5, "repeats": 3}
PAIRS = [
    Pair(
        "contaminated_test",
        "true peak in n",
        {"p": 100, "ridge": 3.0, "noise": 0.3, "signal": 1.0, "repeats": 1},
        [{"ridge": 3.1}, {"noise": 0.29}, {"repeats": 2}],
    ),
    Pair(
        "contaminated_test",
        "apparent peak in n",
        {"p": 100, "ridge": 3.0, "noise": 0.3, "fresh_labels": False},
        [{"fresh_labels": True}, {"ridge": 3.1}],
    ),
    Pair(
        "corrupted_inputs",
        "peak in n",
        {"ridge": 0.0, "noise": 0.1, "input_noise": 0.0},
        [{"ridge": 1e-9}, {"noise": 0.0}],
    ),
    Pair(
        "corrupted_inputs",
        "peak in p",
        {"ridge": 0.0, "noise": 0.0, "input_noise": 0.1},
        [{"ridge": 1e-9}, {"input_noise": 0.0}],
    ),
    Pair(
        "corrupted_inputs",
        "best input noise",
        {"n": 400, "p": 100, "ridge": 0.0, "noise": 2.0, "repeated_fraction": 0.5, "repeats": 1},
        [{"repeats": 2}],
    ),
    Pair(
        "corrupted_inputs",
        "best input noise",
        {"n": 400, "p": 100, "ridge": 0.0, "noise": 2.0, "signal": 1.0, "repeated_fraction": 0.0},
        [
            {"ridge": 1e-9},
            {"spectrum": "power_law"},
            {"n": 150},
            {"noise": 0.5},
            {"signal": 0.0},
            COPIES,
        ],
    ),
    Pair(
        "double_double_descent",
        "negative transfer",
        {"up.noise": 0.1, "up.n": 400, "up.p": 40, "d": 128, "frozen": 40, "down.p": 20},
        [{"up.noise": 1e4}],
    ),
    Pair(
        "fact_memory",
        "capacity",
        {"power": 0.0, "exponent": 1.0, "noise": 0.1},
        [{"power": 1.0}, {"noise": 0.5}, {"kept": 10}],
    ),
    Pair(
        "fact_memory",
        "capacity",
        {"power": 1.0, "exponent": 0.0, "repeated_fraction": 0.5, "repeats": 1},
        [{"repeats": 2}],
    ),
    Pair(
        "fact_memory",
        "capacity",
        {"power": 1.0, "exponent": 0.0, "repeated_fraction": 1.0, "repeats": 3},
        [{"repeated_fraction": 0.9}, {"exponent": 0.1}],
    ),
    Pair(
        "fact_memory",
        "last rank recalled",
        {"d": 64, "exponent": 1.0, "noise": 0.0, "repeated_fraction": 0.5, "repeats": 1},
        [{"repeats": 2}],
    ),
    Pair(
        "fact_memory",
        "last rank recalled",
        {"d": 64, "repeated_fraction": 0.0, "exponent": 1.0, "noise": 0.0},
        [{"noise": 0.1}, {"power": 0.0}, {"exponent": 0.0}, {"kept": 2}, COPIES],
    ),
    Pair(
        "fact_memory",
        "last rank recalled",
        {"d": 64, "repeated_fraction": 0.0, "exponent": 1.0, "noise": 0.0},
        [{"facts": 3, "rank": 1}, {"d": 8, "facts": 2000, "exponent": 0.1}],
    ),
    Pair(
        "feature_spectrum",
        "probe stops to pay",
        {"down.n": 5, "down.noise": 2.9},
        [{"down.noise": 3.0}],
    ),
    Pair(
        "icl_population",
        "noise that suits the shift",
        {"decay": 0.0, "tilt": 0.0, "scale": 2.0},
        [{"decay": 0.1}, {"tilt": 0.1}, {"scale": 0.1}],
    ),
    Pair(
        "icl_zipf_tasks",
        "tasks known by heart",
        {},
        [{"exponent": 0.0}, {"n": 2}],
    ),
    Pair(
        "lifelong_editing",
        "catastrophe",
        {"editor": "batch"},
        [{"editor": "sequential"}],
    ),
    Pair(
        "lifelong_editing",
        "half of the base gone",
        {"replay": 0.4},
        [{"replay": 0.5}, {"replay": 0.9}],
    ),
    Pair(
        "lifelong_editing",
        "lifelong ridge",
        {"distance": 0.0, "noise": 1.0},
        [{"distance": 0.1}, {"editor": "batch"}, {"noise": 0.0, "n": 99}],
    ),
    Pair(
        "linear_grokking",
        "generalises",
        {"noise": 0.0},
        [COPIES, {"noise": 50.0}, {"p": 300}],
    ),
    Pair(
        "linear_grokking",
        "fits",
        {"repeated_fraction": 0.5, "repeats": 1},
        [{"repeats": 2}, {"p": 300}],
    ),
    Pair(
        "metric_editing",
        "catastrophe",
        {"editor": "batch"},
        [{"editor": "sequential"}],
    ),
    Pair(
        "metric_editing",
        "half of the base gone",
        {"metric": 0.5},
        [{"editor": "batch"}],
    ),
    Pair(
        "metric_mirage",
        "half of the sequences are right",
        {"exponent": 1.5, "contamination": 0.4},
        [{"exponent": 1.0}, {"contamination": 0.5}, {"noise": 0.9}],
    ),
    Pair(
        "metric_mirage",
        "the power law of the tokens ends",
        {"noise": 0.1, "leak": 0.0},
        [{"noise": 0.0}, {"leak": 0.01}, {"exponent": 1.0}],
    ),
    Pair(
        "network_inheritance",
        "negative transfer",
        {"down.ridge": 0.0, "down.n": 19, "d": 20, "up.repeated_fraction": 0.5},
        [{"down.n": 20}, {"up.poison": 0.1, "up.repeats": 1}, {"down.harmful": 1}],
    ),
    Pair(
        "noisy_features",
        "in-domain minimum",
        {},
        [{"down.named": 0.0, "down.noise": 0.0}, {"down.noise": 1e4}],
    ),
    Pair(
        "poisoned_ridge",
        "half of the trigger removed",
        {"down.time": 1e9},
        [{"down.time": 1.0}],
    ),
    Pair(
        "power_law_break",
        "floor in n",
        {"noise": 0.1, "ridge": 0.0, "width": 0},
        [{"noise": 0.0}, {"ridge": 0.1}, {"width": 50}],
    ),
    Pair(
        "power_law_break",
        "floor in n",
        {"noise": 0.0, "ridge": 0.1},
        [{"noise": 0.1}],
    ),
    Pair(
        "power_law_break",
        "floor in n",
        {"noise": 0.0, "width": 50, "source": 0.4},
        [{"source": 0.5}, {"noise": 0.1}],
    ),
    Pair(
        "prior_bias",
        "labels that adjusting needs",
        {"prior": 0.7, "strength": 1.0},
        [{"prior": 0.5}, {"strength": 0.0}, {"strength": 2.5}],
    ),
    Pair(
        "prior_bias",
        "best strength",
        {"prior": 0.7},
        [{"prior": 0.5}, {"flips": 0.5}],
    ),
    Pair(
        "repeated_data",
        "worst repeat count",
        {"ridge": 0.0, "shared_noise": True, "deduplicated": False},
        [{"ridge": 1e-9}, {"shared_noise": False}, {"deduplicated": True}],
    ),
    Pair(
        "repetition_scaling",
        "worst repeat count",
        {},
        [
            {"level": 100.0},
            {"noise": 1e-9},
            {"repeated_fraction": 0.02},
            {"repeated_fraction": 1.0},
        ],
    ),
    Pair(
        "two_stage_ridge",
        "negative-transfer boundary",
        {"down.ridge": 1.0},
        [{"down.ridge": 0.0, "down.n": 10**5}, {"up.noise": 1e6}],
    ),
    Pair(
        "two_stage_ridge",
        "negative-transfer boundary",
        {"down.ridge": 0.0, "down.n": 99, "p": 100},
        [{"down.n": 100}],
    ),
    Pair(
        "zipf_learning",
        "the watched item is learnt",
        {"repeats": 5, "repeated_fraction": 0.0},
        [COPIES],
    ),
    Pair(
        "zipf_learning",
        "the watched item is learnt",
        {"repeats": 1, "repeated_fraction": 0.5},
        [{"repeats": 2}],
    ),
]


def place(name, kind, point):
    phenomenon = load(name)
    (sought,) = [b for b in phenomenon.breaks if b.name == kind]
    return float(sought.closed_form(build(phenomenon.params, phenomenon.point(point))))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.name} {pair.kind}")
def test_a_place_is_told_where_its_formula_holds_and_nowhere_else(pair):
    assert place(pair.name, pair.kind, pair.told) > 0
    for change in pair.silent:
        assert np.isnan(place(pair.name, pair.kind, {**pair.told, **change})), change
