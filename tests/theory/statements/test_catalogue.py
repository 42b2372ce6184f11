"""The catalogue of formulas: complete, and what it reads is what the functions say."""

import ast
import dataclasses
import inspect
import math
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

from ci_theory import theory
from ci_theory.theory.statements.catalogue import _formulas, _section, catalogue
from ci_theory.theory.statements.symbolic import STATEMENTS

MODULES = sorted(
    m.name for m in pkgutil.walk_packages(theory.__path__, "ci_theory.theory.") if not m.ispkg
)
PAGE = r"docs/\w+/\w+\.md"  # of a room


def functions():
    """Every public function as Python finds it: what is defined in a module of theory."""
    for name in MODULES:
        module = import_module(name)
        for key, value in vars(module).items():
            mine = callable(value) and getattr(value, "__module__", "") == name
            if mine and not inspect.isclass(value) and not key.startswith("_"):
                yield f"{name.removeprefix('ci_theory.theory.')}.{key}", value


def test_every_public_function_is_in_it_and_exported():
    found = dict(functions())
    assert len(found) >= 180
    assert {f.path for f in catalogue()} == set(found)
    for path in found:
        where, name = path.rsplit(".", 1)
        assert name in import_module(f"ci_theory.theory.{where}").__all__, path


def test_it_reads_what_python_reads():
    for path, function in functions():
        (formula,) = [f for f in catalogue() if f.path == path]
        assert formula.doc == inspect.getdoc(function)


@pytest.mark.parametrize("formula", catalogue(), ids=lambda f: f.path)
def test_a_closed_form_says_where_it_holds_where_it_is_from_and_how_it_is_called(formula):
    assert formula.title.endswith(".")
    assert bool(formula.scope) == bool(formula.source)  # a building block has neither
    assert formula.example or not formula.closed


def test_most_are_closed_forms_with_a_formula():
    closed = [f for f in catalogue() if f.closed]
    assert len(closed) >= 130
    assert len([f for f in closed if f.statement]) >= 100


def test_a_closed_form_has_a_regime_and_a_source():
    formula = next(f for f in catalogue() if f.closed)
    halves = {"scope": ""}, {"source": ""}, {"scope": "", "source": ""}
    assert not any(dataclasses.replace(formula, **half).closed for half in halves)


SOLVERS = {"solve_kappa", "log_root", "solve_shares", "solve_gamma", "complex_levels", "while_loop"}


def calls():
    """(module, function) -> what it calls of theory, likewise; solvers as (None, name)."""
    found = {}
    for name in MODULES:
        tree = ast.parse(inspect.getsource(import_module(name)))
        tops = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
        places = {top: (name, top) for top in tops}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module in MODULES:
                places |= {a.asname or a.name: (node.module, a.name) for a in node.names}
        for top, node in tops.items():
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            names |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)} & SOLVERS
            found[name, top] = {
                (None, n) if n in SOLVERS else places[n]
                for n in names
                if n in places or n in SOLVERS
            }
    return found


def test_a_bare_number_is_arithmetic_that_cannot_fail():
    """What solves something returns a record with a status."""
    graph = calls()

    def solves(place, seen):
        if place[0] is None:
            return True
        seen.add(place)
        return any(solves(p, seen) for p in graph.get(place, ()) if p not in seen)

    bare = ("Scalar", "Array", "float", "Any", "Float")
    checked = [f for f in catalogue() if f.closed and f.returns.startswith(bare)]
    assert len(checked) >= 50
    for formula in checked:
        assert not solves((f"ci_theory.theory.{formula.where}", formula.name), set()), formula.path
    assert solves(("ci_theory.theory.rows.imbalance", "lost_minority"), set())


def test_words_are_looked_for_in_name_path_and_text():
    (formula,) = [f for f in catalogue() if f.path == "ridge.isotropic.optimal_ridge"]
    for word in ("optimal_RIDGE", "ridge.isotropic", "dobriban"):
        assert formula.mentions(word), word
    assert not formula.mentions("Wishart")
    assert formula.call == "optimal_ridge(p: Numbers, noise: Numbers, signal: Numbers=1.0)"
    assert formula.example.startswith(">>> float(optimal_ridge(100, 0.5, 2.0))")
    assert not dataclasses.replace(formula, doc="No example.").example
    (traces,) = [f for f in catalogue() if f.path == "attention.task_spectrum.task_traces"]
    assert traces.name == "task_traces"
    assert traces.where == "attention.task_spectrum"
    assert traces.returns == "TaskTraces"
    assert traces.limits.startswith("kappa -> infinity 1/(1 + nu)")
    assert traces.scope.startswith("exact for the limit k, d -> infinity")
    assert (
        traces.title == "Means over the spectrum of the second moment of kappa d isotropic tasks."
    )
    assert [f.path for f in catalogue()] == sorted(
        (f.path for f in catalogue()), key=lambda path: path.rsplit(".", 1)[0].split(".")
    )


def test_sections_and_formulas_of_a_docstring():
    doc = """One line.

    a = b
      + c

Words between.

.. math:: x
    = y

Args:
    n: rows.

    Not a formula, but of the arguments.

Arguments as elsewhere. Regime: small n;
two lines. Limits: n -> 0: 1.

Source: the source: a book.

Words after it.
"""
    assert _formulas(doc) == "a = b\n  + c\nx\n= y"
    assert _section(doc, "Regime") == "small n; two lines."
    assert _section(doc, "Limits") == "n -> 0: 1."
    assert _section(doc, "Source") == "the source: a book."
    assert _section(doc, "Raises") == ""


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.name)
def test_a_statement_is_complete(statement):
    assert statement.implementation in {f.path for f in catalogue()}
    plain = {str(s) for s in statement.equation.free_symbols if s.is_Symbol}
    assert plain - {"lambda", "m"} == set(statement.symbols)  # those two are summed over
    assert "=" in statement.latex()
    assert statement.unicode()
    assert statement.regime
    assert statement.source


ROOT = Path(__file__).parents[3]
IMPLEMENTED = {f.path: f for f in catalogue()}


def cited(source):
    """Return number -> first author, "" if none is named, of what a source cites of arXiv."""
    found = {}
    for part in source.split(";"):
        before = part.split("arXiv:")[0]
        people = re.findall(r"[A-Z][a-z]+(?=,| and | et al)", before)
        found |= {number: [*people, ""][0] for number in re.findall(r"arXiv:(\d{4}\.\d{5})", part)}
    return found


def test_a_paper_of_a_statement_is_one_that_its_theory_cites_for_the_same_people():
    known = {paper for formula in catalogue() for paper in cited(formula.source).items()}
    met = {(s.name, paper) for s in STATEMENTS for paper in cited(s.source).items()}
    assert len(met) >= 20
    assert [name for name, paper in met if paper not in known] == []
    without = [s.source for s in STATEMENTS if not cited(s.source)]
    assert not any("arXiv" in source for source in without)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.name)
def test_a_page_that_a_statement_names_speaks_of_what_it_states(statement):
    for page in re.findall(PAGE, statement.source):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert statement.implementation.split(".")[1] in text
        for phenomenon in statement.phenomena:  # whose page it is
            assert phenomenon in text
            assert page in inspect.getsource(import_module(f"ci_theory.phenomena.{phenomenon}"))


def test_pages_that_formulas_name_are_there():
    pages = {page for f in catalogue() for page in re.findall(PAGE, f.doc)}
    assert len(pages) >= 20
    assert [page for page in pages if not (ROOT / page).is_file()] == []


ORDERS = {
    "isotropic.peak_height_small_ridge": "O(sqrt(l))",  # l the ridge over n
    "repetition.worst_count": r"{\mathrm{df}_1}{N}",  # of N/df1
    "poison.response": "order 1/(n - df2)",
}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.name)
def test_the_regime_of_a_statement_is_that_of_its_function(statement):
    """Exact or not, and the order of what is left out."""
    formula = IMPLEMENTED[statement.implementation]
    solved = statement.implementation in {
        "spectra.fixed_point.solve_kappa",  # an equation that is a limit is solved exactly
        "attention.task_spectrum.task_traces",
    }
    exact = formula.scope.startswith("exact") and not solved
    assert statement.regime.startswith("exact") == exact
    for order in re.findall(r"O\((.*)\)", statement.regime):
        plain = order.replace("\u03b1", "alpha").replace("\u03ba\u00b3", "kappa^3")
        told = ORDERS.get(statement.name, plain)
        assert told in (formula.doc if statement.name in ORDERS else formula.scope)


def test_titles_and_meanings_are_told_apart():
    assert len({s.title for s in STATEMENTS}) == len(STATEMENTS)
    meanings = {(letter, m) for s in STATEMENTS for letter, m in s.symbols.items()}
    assert len({meaning for _, meaning in meanings}) == len(meanings)


POWERS = {"label\u00b2": 2, "label\u00b2/x\u00b2": 2, "label": 1, "label/x": 1}
BARE = {"sigma": 1, "w": 1, "W_2": 2, "V_W": 2}
"""Letters whose meaning says what their square is, or leaves the unit to the formula."""


@pytest.mark.parametrize(
    "statement",
    [
        s
        for s in STATEMENTS
        # tasks of unit length, and a target of v_1 = 1, have no unit
        if s.closed and not s.name.startswith("attention.") and s.name != "power_law.bias"
    ],
    ids=lambda s: s.name,
)
def test_both_sides_of_a_statement_grow_alike_with_the_labels(statement):
    """Labels three times as large: every symbol by the power of its unit."""
    letters = sorted(statement.equation.free_symbols, key=str)
    usual = {letter: 0.3 + 0.07 * i for i, letter in enumerate(letters)}
    grown = {}
    for letter, value in usual.items():
        unit = re.search(r"\[(.*)\]$", statement.symbols[str(letter)])
        power = POWERS.get(unit[1], 0) if unit else 0
        power = 1 if str(letter) == "c" and statement.name.startswith("poison") else power
        grown[letter] = value * 3.0 ** BARE.get(str(letter), power)
    sides = [
        complex(side.subs(grown).evalf(25) / side.subs(usual).evalf(25))
        for side in statement.equation.args
    ]
    assert sides[0] == pytest.approx(sides[1], rel=1e-12)
    assert math.isfinite(abs(sides[0]))
