"""The formula hash follows what the simulation reaches, and nothing else."""

import dataclasses
import functools
import importlib
import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from altered import altered
from ci_theory._errors import BadInput
from ci_theory.phenomena import load
from ci_theory.sweeps.provenance import _revision, formula_hash, identity_of
from ci_theory.sweeps.reached import Definition, reached

SIMULATION = '''
"""A sweep of nothing."""
import dataclasses
from sweep_toys.gram import PHENOMENON as GRAM
from hashed_toy import inside
from . import deeper
from .lazily import later

TABLE = {}
TABLE["depth"] = 4


def scale(x):
    return 2 * x


def theory(x):
    return 3 * x


def made(power):
    def simulate(key, params, capacity):
        """Simulate."""
        if power > 9:
            raise ValueError("too steep")
        return inside.simulate(key, scale(params), capacity) ** power + later()

    return simulate


PHENOMENON = dataclasses.replace(GRAM, simulate=made(2), question="why?")
'''

FILES = {
    "__init__": "",
    "simulation": SIMULATION,
    "inside": "from hashed_toy.deeper import DEPTH\nDEEP = DEPTH + 1\n"
    "def simulate(key, params, capacity):\n    return DEEP\n",
    "deeper": "DEPTH = 1\nUNUSED = 1\nif DEPTH:\n    DEPTH += 1\n",
    "lazily": "def later():\n    from hashed_toy import last\n    return last.LAST\n",
    "last": "LAST = 1\n",
    "unrelated": "WHAT = 1\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "hashed_toy"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    # Python takes a text of the same length and second for the one that it has compiled
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    for name in [m for m in sys.modules if m.startswith("hashed_toy")]:
        del sys.modules[name]


def _after(package, file, old, new):
    """Return the hash before and after a change of a file."""
    before = formula_hash(load("hashed_toy.simulation"))
    path = package / f"{file}.py"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    for name in [m for m in sys.modules if m.startswith("hashed_toy")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    return before, formula_hash(load("hashed_toy.simulation"))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("simulation", "2 * x", "5 * x"),  # a helper
        ("simulation", "** power", "* power"),  # the simulation, made in a function
        ("simulation", "made(2)", "made(4)"),  # what the function gave it
        ("simulation", '["depth"] = 4', '["depth"] = 5'),  # a statement that may do anything
        ("simulation", "power > 9", "power > 8"),
        ("inside", "DEPTH + 1", "DEPTH + 2"),  # a constant in another module
        ("deeper", "DEPTH = 1", "DEPTH = 3"),  # the first of two statements about one name
        ("deeper", "DEPTH += 1", "DEPTH += 2"),  # in a block
        ("last", "LAST = 1", "LAST = 2"),  # imported by a function
    ],
)
def test_what_a_simulation_uses_counts(package, file, old, new):
    before, after = _after(package, file, old, new)
    assert before != after


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("simulation", "3 * x", "4 * x"),  # theory in the same file
        ("simulation", '"why?"', '"how?"'),  # statements
        ("simulation", '"""Simulate."""', '"""Simulate it."""'),
        ("simulation", '"""A sweep of nothing."""', "# nothing"),
        ("simulation", "too steep", "steeper than 9"),  # the words of an error
        ("simulation", "def scale(x):", "\n# twice\ndef scale(x: float)  ->  float:"),
        ("deeper", "UNUSED = 1", "UNUSED = 2"),
        ("unrelated", "WHAT = 1", "WHAT = 2"),
    ],
)
def test_what_it_does_not_use_and_wording_do_not(package, file, old, new):
    before, after = _after(package, file, old, new)
    assert before == after


def test_declared_fields_count_by_kind_and_default_not_by_bounds(monkeypatch):
    def changed(old, new):
        def change(name, source):
            assert source.count(old) == 1 or not name.endswith("ridge_peak")
            return source.replace(old, new) if name.endswith("ridge_peak") else source

        with monkeypatch.context() as patch:
            altered(patch, change)
            return formula_hash(load("ridge_peak"))

    before = formula_hash(load("ridge_peak"))
    assert changed('doc="training rows"', 'doc="rows"') == before
    assert changed("high=10**7", "high=10**6") == before
    assert changed("ridge: float = inner(0.0", "ridge: float = inner(0.5") != before
    assert changed("ridge: float = inner(0.0", "ridge: float = traced(0.0") != before


def test_parts_that_are_no_plain_functions_are_opened():
    gram = importlib.import_module("sweep_toys.gram")
    plain = reached([gram.simulate])
    held = reached([functools.partial(gram.simulate, capacity={"n": 3})])
    assert {place: held[place] for place in plain} == plain
    assert (
        held[Definition("", None)]
        != reached([functools.partial(gram.simulate, capacity=4)])[Definition("", None)]
    )
    with pytest.raises(BadInput, match="its source is not to be found"):
        reached([eval("lambda key: key", {"__name__": "nowhere"})])


class Held:
    """What a user's simulation may be a method of, or hold."""

    def __init__(self, value):
        self.value = value

    def simulate(self, key, params, capacity):
        return self.value


@dataclasses.dataclass
class HeldRecord:
    value: object


def holding(value, other=None):
    def simulate(key, params, capacity):
        return (value, other) if capacity else simulate(key, params, capacity)

    return simulate


ZEROS, SWITCH = np.zeros(2000), np.arange(2000) == 1000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (holding(1, 2), holding(2, 1)),
        (holding((1, 2)), holding((2, 1))),
        (holding(((1, 2), 3)), holding((1, (2, 3)))),
        (holding({"a": 1, "b": 2}), holding({"a": 2, "b": 1})),
        (holding({1, 2}), holding({1, 3})),
        (holding(ZEROS), holding(ZEROS + SWITCH)),  # beyond what is printed of an array
        (holding(ZEROS[:1]), holding(ZEROS[:1] + 1e-12)),
        (holding(ZEROS), holding(ZEROS.reshape(2, 1000))),
        (holding(ZEROS), holding(ZEROS.astype(int))),
        (holding(jnp.zeros(2000)), holding(jnp.zeros(2000).at[1000].set(1))),
        (holding(np.array([{"a": 1}])), holding(np.array([{"a": 2}]))),
        (holding(jax.random.key(1)), holding(jax.random.key(2))),
        (holding(HeldRecord(ZEROS)), holding(HeldRecord(ZEROS + SWITCH))),
        (holding(Held(1)), holding(Held(2))),
        (Held(1).simulate, Held(2).simulate),
        (holding(holding(1)), holding(holding(2))),
        (holding(np.sin), holding(np.cos)),
        (functools.partial(holding, 1, 2), functools.partial(holding, 2, 1)),
        (functools.partial(holding, value=1), functools.partial(holding, value=2)),
    ],
)  # fmt: skip
def test_whatever_a_simulation_holds_counts(one, other):
    assert reached([one]) != reached([other])


@pytest.mark.parametrize(
    "made",
    [
        lambda: Held(1).simulate,
        lambda: holding(Held(1)),
        lambda: holding({"simulate": holding(1)}),
        lambda: holding(math.sqrt),
        lambda: holding(HeldRecord(holding(jax.random.key(1)))),
    ],
)
def test_where_in_memory_it_is_does_not_count(made):
    one, other = made(), made()  # as in another process
    assert reached([one]) == reached([other])


def test_sets_and_tables_count_in_no_order():
    assert list({0, 8}) != list({8, 0})  # nor would words be in one order in another process
    assert reached([holding({0, 8})]) == reached([holding({8, 0})])
    assert reached([holding({"a": 1, "b": 2})]) == reached([holding({"b": 2, "a": 1})])


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("jax_threefry_partitionable", False, "partitionable"),
        ("jax_default_prng_impl", "rbg", "generator"),
        ("jax_enable_x64", False, "dtype"),
    ],
)
def test_other_random_numbers_are_another_identity(setting, value, told):
    phenomenon = load("sweep_toys.gram")
    here, before = identity_of(phenomenon), jax.config.values[setting]
    try:
        jax.config.update(setting, value)
        there = identity_of(phenomenon)
    finally:
        jax.config.update(setting, before)
    assert identity_of(phenomenon) == here
    assert {name for name in here if here[name] != there[name]} == {told}


@pytest.mark.parametrize("stage", ["begin", "advance", "finish"])
def test_every_stage_of_a_simulation_counts(stage):
    """Also where the simulation of a whole run does not reach it."""
    toy = importlib.import_module("sweep_toys.walk")
    alone = dataclasses.replace(toy.PHENOMENON, simulate=lambda key, params, capacity: None)
    other = dataclasses.replace(toy.STAGES, **{stage: lambda *given: None})
    changed = dataclasses.replace(alone, stages=other)
    assert len({formula_hash(one) for one in (toy.PHENOMENON, alone, changed)}) == 3


def test_the_revision_is_that_of_the_packages_own_checkout(tmp_path):
    def git(*words):
        name = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *name, *words], check=True, timeout=20)

    (tmp_path / "__init__.py").write_text("")
    assert _revision(tmp_path) == ""
    git("init", "-q")
    assert _revision(tmp_path) == ""  # a repository around it that does not hold it
    git("add", ".")
    git("commit", "-q", "-m", "x")
    assert len(_revision(tmp_path)) == 40
    (tmp_path / "__init__.py").write_text("# edited")
    assert _revision(tmp_path).endswith("+")
