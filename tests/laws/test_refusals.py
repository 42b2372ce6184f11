"""What a phenomenon's rule must refuse, clause by clause, and the neighbours that it lets in."""

import ast
import inspect
import re
import textwrap

import pytest

from ci_theory._errors import BadInput
from ci_theory._record import asked
from ci_theory.phenomena import load, names

COPIES = "cannot fill more"
REPEATED = {"repeated_fraction": 0.5, "repeats": 11}
RULED = [name for name in names() if load(name).ruled]

# Every clause of every rule: a point that it refuses, a word of what it says, and what has to be
# changed for the point to be let in.
REFUSED = {
    "alignment_erasure": [({"growth": 0.0, "strength": 0.0}, "are both 0", {"strength": 0.1})],
    "repeated_data": [({**REPEATED, "budget": 10}, COPIES, {"budget": 11})],
    "icl_linear_attention": [({**REPEATED, "n": 10}, COPIES, {"n": 11})],
    "icl_population": [({**REPEATED, "n": 10}, COPIES, {"n": 11})],
    "icl_task_pool": [({**REPEATED, "pool": 10}, COPIES, {"pool": 11})],
    "icl_zipf_tasks": [({"rank": 25, "tasks": 24}, "there are 24 tasks", {"rank": 24})],
    "markov_icl": [
        ({**REPEATED, "pool": 10}, COPIES, {"pool": 11}),
        ({"states": 3, "length": 13}, "3 states are counted up to 12 steps", {"length": 12}),
    ],
    "induction_onset": [({"items": 9, "labels": 8}, "must be >= items = 9", {"labels": 9})],
    "corrupted_inputs": [({**REPEATED, "n": 10}, COPIES, {"n": 11})],
    "random_feature_peak": [
        ({**REPEATED, "n": 10}, COPIES, {"n": 11}),
        ({"contamination": 0.1}, "the rows that leak", {"repeated_fraction": 0.1}),
    ],
    "epochwise_descent": [({**REPEATED, "n": 10}, COPIES, {"n": 11})],
    "linear_grokking": [({**REPEATED, "n": 10}, COPIES, {"n": 11})],
    "repetition_scaling": [({**REPEATED, "n": 10}, COPIES, {"n": 11})],
    "metric_mirage": [({**REPEATED, "n": 10}, COPIES, {"n": 11})],
    "two_stage_ridge": [
        ({"up.repeated_fraction": 0.5, "up.repeats": 11, "up.n": 10}, COPIES, {"up.n": 11})
    ],
    "network_inheritance": [
        ({"up.repeated_fraction": 0.5, "up.repeats": 11, "up.n": 10}, COPIES, {"up.n": 11}),
        ({"down.n": 0, "down.harmful": 0}, "no row to tune on", {"down.harmful": 1}),
    ],
    "noisy_features": [({"up.n": 40, "p": 40}, "more rows than p = 40", {"up.n": 41})],
    "feature_spectrum": [
        ({"up.repeated_fraction": 0.5, "up.repeats": 11, "up.n": 10}, COPIES, {"up.n": 11})
    ],
    "weight_interpolation": [
        ({"up.repeated_fraction": 0.5, "up.repeats": 11, "up.n": 10}, COPIES, {"up.n": 11})
    ],
    "power_law_break": [({"repeats": 11, "n": 10}, "more often than n", {"n": 11})],
    "sgd_scaling": [
        ({"width": 50, "inputs": 50}, "below the 50 inputs", {"width": 49}),
        ({**REPEATED, "batch": 10}, COPIES, {"batch": 11}),
        ({"alpha": 0.3, "beta": 0.2}, r"alpha \+ beta = 0.5", {"beta": 0.21}),
    ],
    "fact_memory": [({"rank": 61, "facts": 60}, "there are 60 facts", {"rank": 60})],
    "zipf_learning": [
        ({"rank": 101, "vocabulary": 100}, "there are 100 items", {"rank": 100}),
        ({**REPEATED, "n": 10}, COPIES, {"n": 11}),
    ],
    "double_double_descent": [
        ({"up.p": 21, "d": 20, "frozen": 5, "down.p": 5}, "only d = 20", {"up.p": 20}),
        ({"frozen": 13, "up.p": 12, "down.p": 5}, "only up.p = 12", {"frozen": 12}),
        ({"frozen": 5, "up.p": 9, "d": 20, "down.p": 16}, r"down.p = 21", {"down.p": 15}),
    ],
    "modular_grokking": [
        ({"operation": "divide", "p": 15}, "needs a prime", {"p": 13}),
        ({"p": 5, "fraction": 0.01}, "trains on 0 of 25", {"fraction": 0.04}),
        (
            {"network": "transformer", "d": 30, "heads": 4},
            "multiple of heads = 4",
            {"d": 32},
        ),
    ],
}


def test_every_rule_is_listed():
    assert set(RULED) == set(REFUSED)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_every_clause_of_a_rule_is_listed(name):
    phenomenon = load(name)
    told = []
    for rule in (phenomenon.rule, *(ask for _, ask in asked(phenomenon.params))):
        tree = ast.parse(textwrap.dedent(inspect.getsource(rule)))
        told += [n.value for n in ast.walk(tree) if isinstance(n, ast.Return)]
    clauses = [v for v in told if not (isinstance(v, ast.Constant) and v.value is None)]
    assert len(REFUSED[name]) == len(clauses)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_a_rule_must_refuse_is_refused(name):
    phenomenon, said = load(name), set()
    for point, words, change in REFUSED[name]:
        with pytest.raises(BadInput, match=words) as told:
            phenomenon.point(point)
        said.add(re.sub(r"[\d.]+", "", str(told.value)))
        phenomenon.point({**point, **change})
    assert len(said) == len(REFUSED[name])  # one clause each


def test_nothing_is_left_to_test_where_all_questions_are_trained_on():
    modular = load("modular_grokking")
    with pytest.raises(BadInput, match="trains on 25 of 25"):
        modular.point({"p": 5, "fraction": 0.99})
    modular.point({"p": 5, "fraction": 0.96})
