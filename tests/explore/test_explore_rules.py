"""The rules between parameters in JavaScript: what Python refuses, and nothing else."""

import importlib
import itertools
import json
import linecache
import random
import sys

import pytest
from py_mini_racer import MiniRacer

from ci_theory._record import build, inner, part, record, sized, static, traced
from ci_theory.explore import controls, rules
from ci_theory.explore.server import PAGE
from ci_theory.phenomena import Phenomenon, load, measured, names

SCALE = (PAGE / "scale.js").read_text()
RULED = [name for name in names() if load(name).ruled]
UNTRANSLATED = {"markov_icl", "modular_grokking"}  # may only become fewer: they call other code


def engine_of(phenomenon):
    """An engine that knows the rule of a phenomenon, and how numbers are written."""
    engine = MiniRacer()
    engine.eval(f"var window = globalThis; {SCALE}; var rule = {rules.translated(phenomenon)};")
    return engine


def test_which_rules_have_a_translation():
    assert {name for name in RULED if rules.translated(load(name)) is None} == UNTRANSLATED
    assert rules.translated(load("ridge_peak")) == '(p) => {\nreturn "";\n}'


@pytest.mark.parametrize("name", sorted(set(RULED) - UNTRANSLATED))
def test_a_rule_refuses_what_python_refuses(name):
    """At hundreds of seeded points, stops of the sliders and small numbers."""
    phenomenon, chance = load(name), random.Random(name)
    axes = controls.document(phenomenon, name)["axes"]
    engine = engine_of(phenomenon)
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
        assert found == (told or "")
        refused += bool(told)
    assert 0 < refused < 400


@record
class Rows:
    """A part with a rule of its own."""

    n: int = sized(4, low=0, doc="rows")
    share: float = inner(0.5, low=0, high=1, doc="a share")

    def problem(self):
        """Say something of a chain, of both, of one or the other, and of neither."""
        count = self.n * self.share + 1 - self.n / 4
        if 1 < self.n <= 3:
            return f"n = {self.n}: between, `{count:g}` of ${self.share}, {self.n / 4}, {count}"
        if not (self.n == 0 or self.share >= 0.5) and self.n != 5:
            return "n and share do not go together"
        return "too many" if count > 2 else None


@record
class Params:
    up: Rows = part(Rows)
    p: int = static(3, low=1, doc="inputs")
    on: bool = traced(False, doc="a switch")


@record
class Measures:
    error: float = measured(unit="1", doc="nothing")


def ruled(rule):
    """A phenomenon that is nothing but its parameters and a rule."""
    about = dict.fromkeys(("name", "title", "question", "model"), "toy")
    return Phenomenon(
        **about, claims=(), params=Params, measures=Measures, simulate=print, rule=rule
    )


def rule(params):
    """Ask for a part of a part."""
    if params.on == False:  # noqa: E712 - as it may be written
        return None
    more = params.p - params.up.n
    return f"p = {params.p}: {more} above {params.up.n}, {params.on}" if more > 0 else None


def test_every_form_of_a_rule_and_every_level_of_it():
    toy = ruled(rule)
    engine = engine_of(toy)
    seen = set()
    for n, share, p, on in itertools.product(
        range(7), (0.0, 1e-7, 0.25, 0.5, 0.987654321, 1.0), (1, 3, 5), (0, 1)
    ):
        point = {"up.n": n, "up.share": share, "p": p, "on": bool(on)}
        told = toy.problem(build(Params, point)) or ""
        assert engine.eval(f"rule({json.dumps(point)})") == told
        seen.add(told.split(":")[0].split(" ")[0])
    assert seen >= {"", "up.n", "up.too", "p"}


@pytest.mark.parametrize(
    "body",
    [
        "return 'x' if params.p ** 2 > 4 else None",
        "return 'x' if max(params.p, 2) > 4 else None",
        "return 'x' if abs(params.p) > 4 else None",
        "for k in range(3):\n        pass",
        "return 'x' if params.p > 4 else 'y'",
        "return f'{params.p:d}' if params.p > 4 else None",
    ],
)
def test_a_rule_that_says_more_has_no_translation(body, tmp_path, monkeypatch):
    (tmp_path / "ruled.py").write_text(f"def rule(params):\n    {body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ruled", raising=False)
    written = importlib.import_module("ruled")
    linecache.checkcache()
    made = rules.translated(ruled(written.rule))
    sys.modules.pop("ruled")
    assert made is None


def _nothing(params):
    return None


def test_a_rule_that_reads_only_what_is_built_in_has_let_it_pass():
    def rule(params):
        return "too many" if params.p > 40 + len(str(params.on)) else None

    other = ruled(rule)
    assert rules.translated(other) is None
    assert rules.translated(other, {"p": 3}) is None
    made = rules.translated(other, {"p": 3, "on": True})
    assert made == rules.translated(ruled(_nothing))  # those of its parts are left
    chains = load("markov_icl")
    assert rules.translated(chains, {"states": 2}) is None
    assert rules.translated(chains, {"states": 2, "length": 8}) is not None
