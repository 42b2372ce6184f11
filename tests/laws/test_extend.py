"""The one public module for authors: nothing that a phenomenon needs is behind an underscore."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

from ci_theory import extend, phenomena
from ci_theory.phenomena import load, names
from ci_theory.sweeps.provenance import formula_hash

FILES = [Path(phenomena.__file__).with_name(f"{name}.py") for name in names()]


def test_every_name_is_there():
    assert extend.__all__ == sorted(set(extend.__all__))
    assert all(hasattr(extend, name) for name in extend.__all__)
    imports = [n for n in ast.parse(Path(extend.__file__).read_text()).body
               if isinstance(n, ast.ImportFrom)]  # fmt: skip
    found = {alias.asname or alias.name for node in imports for alias in node.names}
    assert found == set(extend.__all__)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_the_phenomena_here_import_privately_an_author_finds_there(file):
    """Of a private module what is used is there, or all as one without the underscore."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    found = [n for n in nodes if isinstance(n, ast.ImportFrom)]
    names = {alias.name for n in found if "._" in (n.module or "") for alias in n.names}
    modules = {a.name for n in found for a in n.names if a.name.startswith("_")}
    used = [(n.value.id, n.attr) for n in nodes
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]  # fmt: skip
    names |= {attribute for module, attribute in used
              if module in modules and module.removeprefix("_") not in extend.__all__}  # fmt: skip
    assert names
    assert names <= set(extend.__all__)


SOURCE = """
{imports}


@record
class Params:
    n: int = sized(5, low=1, unit="rows", doc="rows")


@record
class Measures:
    mean: Float[Array, ""] = measured(unit="1", doc="a mean")


def simulate(key, params, capacity):
    return Measures(mean=jax.random.normal(stream(key, "rows")) + 0 * params.n)


PHENOMENON = Phenomenon(
    name="spoken", title="t", claims=(), question="q", model="m",
    params=Params, measures=Measures, simulate=simulate, predictions=(),
)
"""
PUBLIC = (
    "import jax\n"
    "from ci_theory.extend import Array, Float, Phenomenon, measured, record, sized, stream"
)
PRIVATE = (
    "import jax\n"
    "from ci_theory._keys import stream\n"
    "from ci_theory._record import record, sized\n"
    "from ci_theory._types import Array, Float\n"
    "from ci_theory.phenomena import Phenomenon, measured"
)


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "spoken").mkdir()

    def of(text):
        for name in ("spoken.alone", "spoken"):
            sys.modules.pop(name, None)
        (tmp_path / "spoken" / "alone.py").write_text(text)
        importlib.invalidate_caches()
        return formula_hash(load("spoken.alone"))

    yield of
    for name in ("spoken.alone", "spoken"):
        sys.modules.pop(name, None)


def test_by_which_way_a_name_came_does_not_change_what_a_store_is_of(hashed):
    public, private = SOURCE.format(imports=PUBLIC), SOURCE.format(imports=PRIVATE)
    assert hashed(public) == hashed(private)
    assert hashed(public.replace("normal", "uniform")) != hashed(private)


def test_wording_does_not_count_however_a_field_is_called(hashed):
    dotted = SOURCE.format(imports=f"import ci_theory.extend as ci\n{PUBLIC}")
    dotted = dotted.replace("= sized(", "= ci.sized(")
    assert hashed(dotted) == hashed(dotted.replace('doc="rows"', 'doc="lines"'))
    assert hashed(dotted) != hashed(dotted.replace("ci.sized(5", "ci.sized(6"))


def test_a_file_beside_a_module_without_a_package_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    text = SOURCE.format(imports=f"from told_beside import SCALE\n{PUBLIC}")
    text = text.replace("jax.random.normal(", "SCALE * jax.random.normal(")
    (tmp_path / "told_alone.py").write_text(text)
    hashes = []
    for scale in ("1.0", "2.0", "2.0  # two"):
        (tmp_path / "told_beside.py").write_text(f"SCALE = {scale}\n")
        for name in ("told_alone", "told_beside"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        hashes.append(formula_hash(load("told_alone")))
    for name in ("told_alone", "told_beside"):
        sys.modules.pop(name, None)
    assert hashes[0] != hashes[1] == hashes[2]
