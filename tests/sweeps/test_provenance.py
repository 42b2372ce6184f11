"""The formula hash follows the simulation's source, and nothing else."""

import importlib
import subprocess
import sys

import pytest

from ci_theory.phenomena import load
from ci_theory.sweeps.provenance import _revision, _source, formula_hash

SIMULATION = """
import dataclasses
from sweep_toys.gram import PHENOMENON as GRAM
from hashed_toy import inside
from . import deeper
from .lazily import later

def simulate(key, params, capacity):
    return inside.simulate(key, params, capacity)

PHENOMENON = dataclasses.replace(GRAM, simulate=simulate)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "hashed_toy"
    folder.mkdir()
    files = {
        "__init__": "",
        "simulation": SIMULATION,
        "inside": "from sweep_toys.gram import simulate\nfrom hashed_toy.deeper import DEPTH\n",
        "deeper": "DEPTH = 1\n",
        "lazily": "def later():\n    from hashed_toy import last\n",
        "last": "",
        "unrelated": "",
    }
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [m for m in sys.modules if m.startswith("hashed_toy")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["simulation", "inside", "deeper", "lazily", "last", "__init__"])
def test_every_source_that_a_simulation_imports_counts(name, package):
    phenomenon = load("hashed_toy.simulation")
    before = formula_hash(phenomenon)
    with (package / f"{name}.py").open("a") as file:
        file.write("# changed\n")
    assert formula_hash(phenomenon) != before


def test_other_sources_do_not(package):
    phenomenon = load("hashed_toy.simulation")
    before = formula_hash(phenomenon)
    (package / "unrelated.py").write_text("# changed\n")
    importlib.import_module("hashed_toy.unrelated")
    assert formula_hash(phenomenon) == before


def test_theory_does_not_and_tasks_do(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "ci_theory.sweeps.provenance._source",
        lambda name, look=_source: seen.append(name) or look(name),
    )
    formula_hash(load("ridge_peak"))
    assert "ci_theory.tasks.gaussian" in seen
    assert "ci_theory._keys" in seen
    assert not [name for name in seen if name.startswith(("ci_theory.theory", "ci_theory.sweeps"))]


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
