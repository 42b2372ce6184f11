"""The rules between parameters in JavaScript: what Python refuses, and nothing else."""

import json
import random

import pytest
from py_mini_racer import MiniRacer

from ci_theory._record import build
from ci_theory.explore import controls, rules
from ci_theory.phenomena import load, names

RULED = [name for name in names() if load(name).ruled]
UNTRANSLATED = {"markov_icl", "modular_grokking"}  # may only become fewer: they call other code


def test_which_rules_have_a_translation():
    assert {name for name in RULED if rules.translated(load(name)) is None} == UNTRANSLATED
    assert rules.translated(load("ridge_peak")) == '(p) => {\nreturn "";\n}'


@pytest.mark.parametrize("name", sorted(set(RULED) - UNTRANSLATED))
def test_a_rule_refuses_what_python_refuses(name):
    """At hundreds of seeded points, stops of the sliders and small numbers."""
    phenomenon, chance = load(name), random.Random(name)
    axes = controls.document(phenomenon, name)["axes"]
    engine = MiniRacer()
    engine.eval(f"var rule = {rules.translated(phenomenon)};")
    refused = 0
    for _ in range(400):
        point = {}
        for axis in axes:
            known = phenomenon.axes[axis["name"]]
            few = [v for v in (0, 1, 2, 3) if not known.problem(v)] if "stops" in axis else []
            value = chance.choice([*axis.get("stops", axis.get("choices")), *few * 8])
            point[axis["name"]] = value == "true" if known.type is bool else known.type(value)
        told = phenomenon.problem(build(phenomenon.params, point))
        found = engine.eval(f"rule({json.dumps(point)})")
        assert bool(found) == bool(told), point
        if told:
            assert found.split()[0] == told.split()[0]
        refused += bool(told)
    assert 0 < refused < 400
