"""Tests that need not run again: nothing that they reach has changed since they passed.

    pytest --held 48    leave out what is recorded, but for one in 24, others with each commit
    pytest --hold       run everything, and record what took long and passed

With both, what changed is run and recorded, and other records stay: after a change of few files.

Most of the tests' time goes into few files: simulations against closed forms, values at forty
digits, the laws of each phenomenon. What such a file says follows from texts: its own, those of all
modules that it imports from here, directly or not, and the phenomena, experiments and data that it
names. ``held.json`` keeps a digest of those texts, and of the versions of the libraries that
compute, for each *group* that passed: a file of tests, or what a file says of one phenomenon. With
another text or another version the digest differs, and the group runs. The run with optimised
programs and checked shapes has records of its own (``SHAPES``).

What follows from more than texts is never held: tests that start processes or look modules and
files up by what they find (``OUTSIDE``), and everything in the rooms that are not in ``ROOMS``.
What a browser shows follows from the texts of the server too, from its scripts and styles, and from
the declared sweeps.
"""

import ast
import functools
import hashlib
import json
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests" / "held.json"
ROOMS = (
    *("tests/laws/", "tests/stats/", "tests/theory/", "tests/own_data/"),
    *("tests/explore/test_explore_theory", "tests/browser/"),
    *(f"src/ci_theory/{room}/" for room in ("theory", "systems", "training", "measure", "tasks")),
    *(f"src/ci_theory/{room}/" for room in ("biases", "inherit", "check", "locate", "own_data")),
)
SERVED = ("explore", "cli", "sweeps")  # what the pages in a browser are made and answered by
ROOTS = ("src", "", "tests", "tests/theory", "tests/explore", "docs")  # as pyproject.toml says
LONG = 1.0  # seconds: what takes less is not worth a line in the record
OUTSIDE = {"subprocess", "import_module", "run_path", "parents", "iterdir", "glob", "rglob"}
LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "sympy", "mpmath", "optax", "flax", "scikit-learn")
SHAPES = "optimised, shapes checked: " if os.environ.get("CI_THEORY_SHAPES") else ""
LISTING = {"names"}  # who asks the registry what there is depends on all of it

PHENOMENA = ROOT / "src" / "ci_theory" / "phenomena"
EXPERIMENTS = ROOT / "experiments"
ALL = frozenset(f.stem for f in PHENOMENA.glob("[!_]*.py"))


class Text(NamedTuple):
    """What is read off a Python file.

    Attributes:
        modules: dotted names that it imports, with the names imported from them.
        lazily: name -> the module behind it, of a package that imports on first use.
        words: its identifiers.
        strings: its string constants, but for
        keys: those that are keys of a table.
        bare: the text without comments and docstrings.
    """

    modules: frozenset[str]
    lazily: dict[str, str]
    words: frozenset[str]
    strings: frozenset[str]
    keys: frozenset[str]
    bare: str


def group_of(nodeid: str) -> str:
    """Return the group of a test: its file, and the phenomenon it is asked of, if of one.

    >>> group_of("tests/laws/test_phenomena.py::test_law[ridge_peak-jit]")
    'tests/laws/test_phenomena.py[ridge_peak]'
    """
    file, _, rest = nodeid.partition("::")
    inside = rest.partition("[")[2].rstrip("]")
    named = sorted(set(re.split(r"[^\w]", inside)) & ALL)
    return f"{file}[{','.join(named)}]" if named else file


@functools.cache
def digest(group: str) -> str | None:
    """Return what a group's outcome follows from, as a hash; None if it follows from more."""
    if not group.startswith(ROOMS) or not (ROOT / group.partition("[")[0]).exists():
        return None
    files = reached(group)
    if files is None:
        return None
    start = ROOT / group.partition("[")[0]
    parts = [_content(file, start, _named(group)) for file in sorted(files, key=str)]
    return _hash("\0".join([_versions(), *parts]))[:16]


@functools.cache
def _versions() -> str:
    return repr([(name, version(name)) for name in LIBRARIES])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def reached(group: str) -> frozenset[Path] | None:
    """Return the files that decide what a group says; None if others may do so too."""
    start, named = ROOT / group.partition("[")[0], _named(group)
    todo = [start, ROOT / "conftest.py", *(PHENOMENA / f"{name}.py" for name in named)]
    if group.startswith("tests/browser/"):
        todo += [start.with_name("conftest.py"), *_served(named)]
    found: set[Path] = set()
    while todo:
        file = todo.pop()
        if file in found:
            continue
        found.add(file)
        if file.suffix != ".py":
            continue
        text = _text(file)
        todo += _beside(file, start.parent)
        if not file.is_relative_to(ROOT / "src") and file.name != "conftest.py":
            if text.words & OUTSIDE:
                return None
            if text.words & LISTING and not named:
                todo += [PHENOMENA / f"{name}.py" for name in ALL]
            words = text.strings if named else text.strings | text.keys
            todo += [one for word in words for one in _by_name(word)]
    return frozenset(found)


@functools.cache
def _beside(file: Path, folder: Path) -> list[Path]:
    """Return what a module imports, for tests in a folder, and the data that it names."""
    text = _text(file)
    modules = [one for module in text.modules for one in _files(module, folder)]
    return list({*modules, *(one for word in text.strings for one in _data(word, file))})


def _named(group: str) -> list[str]:
    """Return the phenomena that a group is about.

    >>> _named("tests/laws/test_phenomena.py[ridge_peak]")
    ['ridge_peak']
    """
    inside = group.partition("[")[2].rstrip("]")
    return inside.split(",") if inside else []


def _served(named: list[str]) -> Iterator[Path]:
    """Yield what a page is made of: the rooms of the server, sweeps of its phenomenon or all."""
    for room in SERVED:
        files = (ROOT / "src" / "ci_theory" / room).rglob("*.*")
        yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)
    for file in EXPERIMENTS.glob("*.toml"):
        declared = list(_by_name(file.name))
        yield from declared if not named or any(x.stem in named for x in declared) else ()


def _by_name(word: str) -> Iterator[Path]:
    """Yield what a string in a test stands for: a phenomenon, an experiment, a module."""
    if word in ALL:
        yield PHENOMENA / f"{word}.py"
    stem = word.removesuffix(".toml")
    if stem.isidentifier() and (EXPERIMENTS / f"{stem}.toml").exists():
        declared = EXPERIMENTS / f"{stem}.toml"
        yield declared
        of = re.search(r'^phenomenon = "(\w+)"', declared.read_text(), re.MULTILINE)
        if of and of[1] in ALL:
            yield PHENOMENA / f"{of[1]}.py"
    if word.endswith(".js"):  # by its place in a package
        yield from (f for f in (ROOT / "src").glob("ci_theory/**/*.js") if f.match(word))
    if re.fullmatch(r"ci_theory(\.\w+)+", word):
        yield from _files(word, ROOT)


def _data(word: str, file: Path) -> Iterator[Path]:
    """Yield the data beside a module that a string of it names: a folder, a file, its ending."""
    if re.fullmatch(r"\w+", word) and word != "__pycache__" and (file.parent / word).is_dir():
        folder = file.parent / word  # of data, unless it is a package
        yield from (f for f in folder.glob("*.*") if not (folder / "__init__.py").exists())
    if not re.fullmatch(r"[\w-]*\.(json|csv|npz|toml|txt)", word):
        return
    beside = file.with_suffix(word) if word.startswith(".") else file.with_name(word)
    if beside.is_file():
        yield beside


def _files(module: str, folder: Path) -> list[Path]:
    """Return the files that are run when a module of ours is imported by tests in a folder."""
    beside = module.partition(".")[0] in _inside(folder)
    return _ours(module) + (list(_found(module, folder)) if beside else [])


@functools.cache
def _ours(module: str) -> list[Path]:
    return [file for root in ROOTS for file in _found(module, ROOT / root)]


@functools.cache
def _inside(folder: Path) -> set[str]:
    return {one.stem for one in folder.iterdir()}


def _found(module: str, root: Path) -> Iterator[Path]:
    parts, here = module.split("."), root
    for index, part in enumerate(parts):
        if part not in (_inside(here) if here.is_dir() else ()):
            return
        package, plain = here / part / "__init__.py", here / f"{part}.py"
        if package.exists():
            yield package
            later = _text(package).lazily
            if index + 1 == len(parts):  # the package itself: whatever it may be asked for
                for home in later.values():
                    yield from _ours(home)
            elif parts[index + 1] in later:
                yield from _ours(later[parts[index + 1]])
        elif plain.exists():
            yield plain
            return
        here /= part


@functools.cache
def _text(file: Path) -> Text:
    source = file.read_text()
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    later = [n for n in tree.body if isinstance(n, ast.If) and _is(n.test, "TYPE_CHECKING")]
    unseen = {id(node) for block in later for node in ast.walk(block)}
    modules: set[str] = set()
    words: set[str] = set()
    strings: set[str] = set()
    tables = [node for node in nodes if isinstance(node, ast.Dict)]
    keys = {id(k): k.value for t in tables for k in t.keys if isinstance(k, ast.Constant)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings |= set() if id(node) in keys else {node.value}
        elif isinstance(node, ast.Name):
            words.add(node.id)
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            words |= {alias.name for alias in node.names}
            if id(node) not in unseen:
                modules |= _imported(node)
    lazily = {
        alias.name: node.module
        for block in later
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module and file.name == "__init__.py"
        for alias in node.names
    }
    named = frozenset(key for key in keys.values() if isinstance(key, str))
    sets = (frozenset(words), frozenset(strings), named)
    return Text(frozenset(modules), lazily, *sets, _without(source, nodes))


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    return {f"{node.module}.{alias.name}" for alias in node.names}


def _without(source: str, nodes: list[ast.AST]) -> str:
    """Return a text without docstrings, and without lines that are empty or a comment."""
    lines = source.splitlines()
    for node in nodes:
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            told = node.body[0]
            for index in range(told.lineno - 1, told.end_lineno or told.lineno):
                lines[index] = ""
    return "\n".join(x.rstrip() for x in lines if x.strip() and not x.lstrip().startswith("#"))


def _content(file: Path, start: Path, named: list[str]) -> str:
    """Name a file and what of it counts: code; of the tests' own all; of a record what is asked."""
    kept = _record(file) if named and file != start else {}
    if file.suffix == ".py" and file != start:
        counts = _code(file)
    elif kept.keys() & ALL:
        counts = _hash(json.dumps({name: kept.get(name) for name in named}, sort_keys=True))
    else:
        counts = _raw(file)
    return f"{file.relative_to(ROOT)} {counts}"


@functools.cache
def _code(file: Path) -> str:
    return _hash(_text(file).bare)


@functools.cache
def _record(file: Path) -> dict:
    made = json.loads(file.read_text()) if file.suffix == ".json" and file.exists() else {}
    return made if isinstance(made, dict) else {}


@functools.cache
def _raw(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def pytest_addoption(parser):
    """Declare the two options."""
    group = parser.getgroup("held")
    group.addoption("--held", type=int, metavar="N", help="leave out held tests, but one in N")
    group.addoption("--hold", action="store_true", help="record what passed, in tests/held.json")


def pytest_configure(config):
    """Take part as the options say."""
    if config.getoption("--hold"):
        narrowed = [
            x for x in ("keyword", "markexpr", "lf", "maxfail") if config.getoption(x, None)
        ]
        if narrowed or any("::" in one for one in config.args):
            raise pytest.UsageError("--hold records whole files: leave -k, -m, -x and '::' out")
        config.pluginmanager.register(Recorder())
    if config.getoption("--held"):
        config.pluginmanager.register(Holder(config.getoption("--held")))


class Holder:
    """Leaves out what is recorded with the digest of today, but one group in so many."""

    def __init__(self, one_in: int):
        self.one_in = one_in
        self.kept = _record(RECORD)
        self.commit = _commit()
        self.left = 0

    def holds(self, group: str) -> bool:
        """Say whether a group need not run."""
        turn = hashlib.sha256(f"{self.commit} {group}".encode()).digest()
        if int.from_bytes(turn[:4], "big") % self.one_in == 0:
            return False
        kept = self.kept.get(SHAPES + group)
        return kept is not None and kept[0] == digest(group)

    def pytest_collection_modifyitems(self, config, items):
        """Leave held tests out."""
        held = [item for item in items if self.holds(group_of(item.nodeid))]
        left = set(map(id, held))
        self.left = len(left)
        items[:] = [item for item in items if id(item) not in left]
        config.hook.pytest_deselected(items=held)

    def pytest_sessionfinish(self, session, exitstatus):
        """Where all are held there is nothing to run, and nothing wrong."""
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.left:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter):
        """Say how many were left out, and how to run them."""
        named = [name.removeprefix(SHAPES) for name in self.kept if name.startswith(SHAPES)]
        held = [self.kept[SHAPES + group][1] for group in named if self.holds(group)]
        terminalreporter.write_line(
            f"{sum(held)} tests in {len(held)} groups were not run: nothing that they reach has "
            "changed since they passed (tests/held.py). `make test-all` runs them."
        )


def _commit() -> str:
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:  # no git: the same share each time
        return ""
    return found.stdout.strip()


class Recorder:
    """Records the groups that passed and took long; what failed loses its record."""

    def __init__(self):
        self.seconds = defaultdict(float)
        self.tests = defaultdict(set)
        self.failed = set()

    def pytest_runtest_logreport(self, report):
        """Add up a phase of a test: on the main process, whichever ran it."""
        group = group_of(report.nodeid)
        digest(group)  # of the texts as they are now: who edits during a long run records nothing
        self.seconds[group] += report.duration
        self.tests[group].add(report.nodeid)
        if report.failed:
            self.failed.add(group)

    def pytest_sessionfinish(self, session, exitstatus):
        """Write the record, unless the run was cut short or this is one of several processes."""
        if exitstatus not in (0, 1) or hasattr(session.config, "workerinput"):
            return
        kept = dict(_record(RECORD))
        for group, seconds in self.seconds.items():
            found = digest(group)
            kept.pop(SHAPES + group, None)
            if group not in self.failed and seconds >= LONG and found is not None:
                kept[SHAPES + group] = [found, len(self.tests[group])]
        files = {name: name.rpartition(": ")[2].partition("[")[0] for name in kept}
        there = {name: kept[name] for name in kept if (ROOT / files[name]).exists()}
        lines = [f"{json.dumps(g)}: {json.dumps(there[g])}" for g in sorted(there)]
        RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")
