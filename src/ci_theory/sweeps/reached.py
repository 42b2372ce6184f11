"""What a simulation is made of: the definitions that its functions reach, and nothing else.

A module is read, not run: its top-level statements, by the names that they bind. From the
functions of a simulation the names that each definition uses are followed, through imports and
from module to module, as far as its own package (of a module without one: the modules beside it)
and this one go. What a simulation does not use
(theory, decoys, statements of the same file) is never reached, and what cannot change a number is
left out of what is: comments, layout, docstrings, annotations of functions, the words of errors,
and the texts, units and bounds of declared fields.
"""

import ast
import dataclasses
import functools
import hashlib
import importlib.util
import inspect
import re
import symtable
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ci_theory._errors import BadInput

# No number comes from what declares, names and refuses.
_DECLARING = ("ci_theory._record", "ci_theory._types", "ci_theory._errors")
_TOLD = {"problem", "OFF", "IDLE"}  # of a record: what it refuses, and where it does nothing
_MEASURED = ("ci_theory.phenomena._base", "measured")
_FIELDS = ("static", "traced", "sized", "inner", "part", "measured")
_LOOSE = ""  # stands for the statements of a module that bind no name


class Definition(NamedTuple):
    """A name bound at the top of a module; None: the whole module."""

    module: str
    name: str | None


class _Module(NamedTuple):
    """The top level of a module.

    Attributes:
        package: what its relative imports start from.
        bound: name -> the statements that bind it; under ``_LOOSE`` those that bind none.
        imported: name -> (module, name in it, or None for the module itself).
    """

    package: str
    bound: dict[str, list[ast.stmt]]
    imported: dict[str, tuple[str, str | None]]


def reached(parts: Iterable[Any]) -> dict[Definition, str]:
    """Follow functions and classes to everything that they use of their packages and of this one.

    Args:
        parts: functions, classes, methods, partial functions.

    Returns:
        definition -> its text, in which only what can change a number is left; under
        ``Definition("", None)`` the plain values that partial functions and closures hold.

    Raises:
        BadInput: the source of a part is not to be found.

    >>> from ci_theory._keys import key_for
    >>> sorted(place.name for place in reached([key_for]))
    ['key_for']
    """
    held = [one for part in parts for one in _held(part)]
    todo = [one for one in held if isinstance(one, Definition)]
    values = [one for one in held if isinstance(one, str)]
    texts = {Definition("", None): repr(values)} if values else {}
    for place in todo:
        if _module(place.module) is None:
            raise BadInput(f"module {place.module}: its source is not to be found")
    roots = {"ci_theory", *(_root(place.module) for place in todo)}
    roots |= {name for place in todo for name in _beside(place.module)}
    while todo:
        place = todo.pop()
        if place in texts or place.module in _DECLARING or place == _MEASURED:
            continue
        source = _source(place.module)
        assert source is not None
        texts[place], uses = _said(place, *source)
        todo.append(Definition(place.module, _LOOSE))
        for module, names in uses:
            todo += _resolved(module, names, roots)
    return {place: text for place, text in texts.items() if place.name != _LOOSE or text != "[]"}


def _root(module: str) -> str:
    return module.partition(".")[0]


def _beside(module: str) -> set[str]:
    """Return the loaded modules that lie beside one that is in no package and not installed."""
    found = _file(sys.modules.get(module))
    installed = {sysconfig.get_paths()[kind] for kind in ("stdlib", "purelib", "platlib")}
    if "." in module or found is None or str(found.parent) in installed:
        return set()
    loaded = {name: _file(one) for name, one in list(sys.modules.items()) if "." not in name}
    return {name for name, file in loaded.items() if file and file.parent == found.parent}


def _file(module: Any) -> Path | None:
    file = getattr(module, "__dict__", {}).get("__file__")
    return Path(file) if isinstance(file, str) else None


def _held(part: Any, above: tuple[int, ...] = ()) -> Iterator[Definition | str]:
    """Yield where a part is defined, and what it holds besides: the same in every process.

    Held are the values of partial functions, closures and objects, of which ``above`` are those
    that hold this one. Arrays are told whole: what is printed of them is rounded and cut.
    """
    if id(part) in above:  # a function that calls itself
        return
    inside = functools.partial(_held, above=(*above, id(part)))
    if isinstance(part, functools.partial):
        for one in (part.func, part.args, part.keywords):
            yield from inside(one)
    elif inspect.ismethod(part):
        yield from inside(part.__self__)
        yield from inside(part.__func__)
    elif inspect.isfunction(part) or inspect.isclass(part) or hasattr(part, "__wrapped__"):
        function = inspect.unwrap(part)
        top = function.__qualname__.partition(".")[0]
        yield Definition(function.__module__, top if top.isidentifier() else None)
        for cell in getattr(function, "__closure__", None) or ():
            yield from inside(cell.cell_contents)
    elif isinstance(part, tuple | list | Mapping | Set):
        told = part.items() if isinstance(part, Mapping) else part
        yield f"{len(told)} in a {type(part).__name__}"
        for one in told if isinstance(part, tuple | list) else sorted(told, key=_bare_repr):
            yield from inside(one)
    elif isinstance(part, np.ndarray | jax.Array):
        yield from _array(part)
    elif hasattr(part, "__dict__") and (
        callable(part) or dataclasses.is_dataclass(part) or type(part).__repr__ is object.__repr__
    ):
        yield from inside(type(part))
        yield from inside(vars(part))
    else:
        yield _bare_repr(part)


def _array(part: Any) -> Iterator[Definition | str]:
    keys = jax.dtypes.issubdtype(part.dtype, jax.dtypes.prng_key)
    array = np.asarray(jax.random.key_data(part) if keys else part)
    yield f"{part.dtype} {part.shape}"
    if array.dtype.hasobject:
        yield from _held(array.tolist())
    else:
        yield hashlib.sha256(array.tobytes()).hexdigest()


def _bare_repr(part: Any) -> str:
    """Return what is printed of a value, without addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(part))


@functools.lru_cache(maxsize=8192)  # of many phenomena, which share most of what they reach
def _said(
    place: Definition, source: bytes, package: str
) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Return the text of a definition, or of a whole module, and what it uses."""
    module = _parsed(source, package)
    if place.name is not None:
        bound = module.bound.get(place.name, [])
    else:
        bound = list({id(s): s for some in module.bound.values() for s in some}.values())
    statements = [_bare(statement) for statement in bound]
    uses = [one for s in statements for one in _uses(place.module, module.package, s)]
    return repr([_plain(statement) for statement in statements]), tuple(uses)


def _resolved(module: str, names: tuple[str, ...], roots: set[str]) -> list[Definition]:
    """Return what a dotted name in a module stands for; nothing if it is none of ours."""
    found = _module(module) if _root(module) in roots else None
    if found is None:
        return []
    if not names:
        return [Definition(module, None)]
    first, rest = names[0], names[1:]
    if first in found.bound:
        return [Definition(module, first)]
    if first in found.imported:
        home, name = found.imported[first]
        if (home, name) != (module, first):  # a package may import its own module so
            return _resolved(home, rest if name is None else (name, *rest), roots)
    if _module(f"{module}.{first}") is not None:
        return _resolved(f"{module}.{first}", rest, roots)
    return [Definition(module, None)] if "__getattr__" in found.bound else []


def _uses(module: str, package: str, statement: ast.stmt) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (module, dotted name) for everything global that a statement uses or imports."""
    looked_up = _looked_up(ast.unparse(statement))
    nodes = list(ast.walk(statement))
    longer = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for home, name in _imports(node, package).values():
                yield home, () if name is None else (name,)
        elif isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in longer:
            names: list[str] = []
            start: ast.expr = node
            while isinstance(start, ast.Attribute):
                names.append(start.attr)
                start = start.value
            if isinstance(start, ast.Name) and start.id in looked_up:
                yield module, (start.id, *reversed(names))


def _looked_up(text: str) -> set[str]:
    """Return the names that a statement looks up at the top of its module."""
    tables, names = [symtable.symtable(text, "statement", "exec")], set()
    for table in tables:
        tables += table.get_children()
        top = table.get_type() == "module"
        names |= {s.get_name() for s in table.get_symbols() if top or s.is_global()}
    return names


def _module(name: str) -> _Module | None:
    """Read a module; None if there is no such module, or no source of it."""
    found = _source(name)
    return None if found is None else _parsed(*found)


def _source(name: str) -> tuple[bytes, str] | None:
    """Return a module's source and the package it lives in."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # the attribute of a module, or a session's __main__
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    return Path(spec.origin).read_bytes(), package


@functools.lru_cache(maxsize=256)
def _parsed(source: bytes, package: str) -> _Module:
    made = _Module(package, {}, {})
    for statement in ast.parse(source).body:
        names = _bound(statement)
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            made.imported.update(_imports(statement, package))
            continue
        if _stands_alone(statement):
            continue  # a docstring
        for nested in ast.walk(statement) if not names or _is_block(statement) else ():
            if isinstance(nested, (ast.Import, ast.ImportFrom)):
                made.imported.update(_imports(nested, package))
        for name in names or {_LOOSE}:
            made.bound.setdefault(name, []).append(statement)
    return made


def _is_block(statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While))


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a top-level statement binds and that no other can change."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)) or _is_block(statement):
        nodes = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
        stored = {n.id for n in nodes if isinstance(n.ctx, ast.Store)}
        inside = [n for n in ast.walk(statement) if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        return stored | {n.name for n in inside}
    return set()  # also `table[key] = value`: whoever uses the module has it


def _imports(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, tuple[str, str | None]]:
    """Return name -> (module, name in it, or None for the module itself)."""
    if isinstance(node, ast.ImportFrom):
        dots = "." * node.level + (node.module or "")
        home = importlib.util.resolve_name(dots, package)
        return {alias.asname or alias.name: (home, alias.name) for alias in node.names}
    bound: dict[str, tuple[str, str | None]] = {}
    for alias in node.names:
        first = alias.name if alias.asname else _root(alias.name)
        bound[alias.asname or first] = (first, None)
    return bound


class _Bare(ast.NodeTransformer):
    """Takes out what cannot change a number."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns, node.body = None, _undocumented(node.body)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body = _undocumented([s for s in node.body if not _bound(s) & _TOLD])
        for field in (s.value for s in node.body if isinstance(s, ast.AnnAssign)):
            if isinstance(field, ast.Call) and ast.unparse(field.func).split(".")[-1] in _FIELDS:
                field.keywords = []
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return ast.copy_location(ast.Raise(exc=kind, cause=None), node)


def _undocumented(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return a body without strings that stand alone."""
    return [s for s in body if not _stands_alone(s)] or [ast.Pass()]


def _stands_alone(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _bare(statement: ast.stmt) -> ast.stmt:
    copy = ast.parse(ast.unparse(statement)).body[0]
    return ast.fix_missing_locations(_Bare().visit(copy))


def _plain(node: Any) -> Any:
    """Return a syntax tree as nested tuples, the same on every version of Python."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    unused = ("ctx", "kind", "type_comment", "type_ignores")
    fields = [(k, v) for k, v in ast.iter_fields(node) if k not in unused]
    full = [(k, _plain(v)) for k, v in fields if v is not None and v != []]
    return type(node).__name__, full
