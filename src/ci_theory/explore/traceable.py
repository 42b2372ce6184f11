"""Plain Python of numbers as a program that JAX can trace: for the closed forms of breaks.

A closed form may ask whether a parameter is zero and return early; JAX, which knows no value while
it traces, cannot follow. Such a function is read as it stands and compiled anew, so that each such
question becomes a branch of the program. Loops and searches that ask are left as they are, and then
JAX says that it cannot trace them.

>>> def place(n):
...     if n > 2:
...         return float("nan")
...     return 1.0 if not n else 2.0 * n
>>> float(jax.jit(of(place))(1.0)), float(jax.jit(of(place))(3.0))
(2.0, nan)
"""

import ast
import builtins
import dataclasses
import functools
import inspect
import linecache
import math
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln


def of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function such that numbers among its arguments may be tracers.

    The functions of its module that it calls are read in the same way, and the methods of records.

    Raises:
        OSError: its text cannot be had.
        TypeError: it is no function that is written in Python, or shares its line with another.
    """
    bare = inspect.unwrap(function)  # decorators compile: here all is traced
    if not isinstance(bare, types.FunctionType):
        raise TypeError(f"{function!r} has no text in Python")
    return _compiled(bare)


@functools.lru_cache(maxsize=512)
def _compiled(function: types.FunctionType) -> Callable[..., Any]:
    found = _read(function)
    if isinstance(found, ast.Lambda):
        body: list[ast.stmt] = [ast.Return(found.body)]
    else:
        body = found.body
    name = "_".join(("read", *filter(str.isalnum, function.__name__)))
    made = ast.parse(f"def {name}(): pass").body[0]
    assert isinstance(made, ast.FunctionDef)
    made.args, made.body = found.args, _Branches().block(body)
    made.args.defaults, made.args.kw_defaults = [], [None] * len(found.args.kwonlyargs)
    tree = ast.fix_missing_locations(ast.Module([made], []))
    known = _Known(function)
    exec(compile(tree, f"<{function.__qualname__} to be traced>", "exec"), known)
    compiled = known[name]
    compiled.__defaults__ = function.__defaults__
    compiled.__kwdefaults__ = function.__kwdefaults__
    return compiled


def _read(function: types.FunctionType) -> ast.FunctionDef | ast.Lambda:
    """Return the text of a function, of one written inside others too."""
    code = function.__code__
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    if not text:
        raise OSError(f"the text of {function.__qualname__} cannot be had")
    wanted = ast.Lambda if function.__name__ == "<lambda>" else ast.FunctionDef
    there = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, wanted) and _first_line(node) == code.co_firstlineno
    ]
    if len(there) != 1:
        raise TypeError(f"{function.__qualname__}: {len(there)} functions begin in its line")
    (found,) = there
    assert isinstance(found, ast.FunctionDef | ast.Lambda)
    return found


def _first_line(node: Any) -> int:
    """Return where a function begins: with its decorators."""
    return min(one.lineno for one in (node, *getattr(node, "decorator_list", ())))


class _Known(dict[str, Any]):
    """The names of a function: those of its module and of what it is written in.

    Functions of the same module are read too; of the builtin ones and of ``math`` those that ask a
    number for its value have counterparts.
    """

    def __init__(self, function: types.FunctionType) -> None:
        self.module = function.__module__
        super().__init__(function.__globals__)
        cells = function.__closure__ or ()
        names = function.__code__.co_freevars
        self.update({n: c.cell_contents for n, c in zip(names, cells, strict=True)})
        for name in {*_looked_up(function.__code__), *names}:
            if name in self:
                self[name] = self._read(self[name])
        self.update({_ours(helper.__name__): helper for helper in _HELPERS})

    def _read(self, value: Any) -> Any:
        if value is math:
            return _Maths
        if not isinstance(value, types.FunctionType):
            return value
        bare = inspect.unwrap(value)
        return _later(bare) if value.__module__ == self.module else bare


def _looked_up(code: types.CodeType) -> Iterator[str]:
    """Yield the names that a function looks up, in its generators and lambdas too."""
    yield from code.co_names
    for inside in code.co_consts:
        if isinstance(inside, types.CodeType):
            yield from _looked_up(inside)


def _later(function: types.FunctionType) -> Callable[..., Any]:
    """Read a function when it is called: many are not."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return of(function)(*args, **kwargs)

    return called


_BUILTIN = {"float": "_float", "int": "_whole", "min": "_least", "max": "_most", "bool": "_truth"}


class _Branches(ast.NodeTransformer):
    """Writes what asks a number for its value anew."""

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Write statements; what follows an `if` belongs to both of its branches."""
        made: list[ast.stmt] = []
        for k, one in enumerate(body):
            if not isinstance(one, ast.If):
                made.append(self.visit(one))
                continue
            rest = body[k + 1 :]
            if any(_changes(other) for other in [*one.body, *one.orelse, *rest]):
                raise TypeError("a branch changes what others see")  # both branches are traced
            for name, branch in (("_then", one.body), ("_else", one.orelse)):
                (inner,) = ast.parse(f"def {name}(): pass").body
                assert isinstance(inner, ast.FunctionDef)
                inner.body = self.block([*branch, *rest]) or [ast.Pass()]
                made.append(inner)
            test = self.visit(one.test)
            names = [ast.Name(name, ast.Load()) for name in ("_then", "_else")]
            made.append(ast.Return(_call("_choose", test, *names)))
            return made
        return made

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.body = self.block(node.body)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        branches = (_lazy(self.visit(one)) for one in (node.body, node.orelse))
        return _call("_choose", self.visit(node.test), *branches)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        word = "_all" if isinstance(node.op, ast.And) else "_any"
        return _call(word, *(_lazy(self.visit(one)) for one in node.values))

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        match node.func:
            case ast.Name("map") | ast.Attribute(attr="map"):  # elsewhere `float` may be a type
                node.args = [_counterpart(one) for one in node.args]
            case ast.Name(name) if name in _BUILTIN:
                node.func = _counterpart(node.func)
            case ast.Attribute():
                node.func = _call("_bound", node.func)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        self.generic_visit(node)
        return _call("_not", node.operand) if isinstance(node.op, ast.Not) else node

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        pairs = zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)
        made = [self._compared(*pair) for pair in pairs]
        return made[0] if len(made) == 1 else _call("_all", *map(_lazy, made))

    def _compared(self, left: ast.expr, how: ast.cmpop, right: ast.expr) -> ast.expr:
        if isinstance(how, ast.In | ast.NotIn):  # codespell:ignore notin
            found = _call("_among", left, right)
            return found if isinstance(how, ast.In) else _call("_not", found)
        return ast.Compare(left, [how], [right])


def _counterpart(name: ast.expr) -> ast.expr:
    if isinstance(name, ast.Name) and name.id in _BUILTIN:
        return ast.Name(_ours(_BUILTIN[name.id]), ast.Load())
    return name


def _changes(statement: ast.stmt) -> bool:
    """Say whether a statement does more than to name a value, to ask or to return."""
    plain = ast.Assign | ast.AnnAssign | ast.If | ast.Return
    targets: Any = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    places = [node for one in targets if one is not None for node in ast.walk(one)]
    if any(isinstance(node, ast.Attribute | ast.Subscript) for node in places):
        return True
    return not isinstance(statement, plain)


def _ours(name: str) -> str:
    """Return a name that no function of a module has."""
    return f"traceable.{name}"


def _call(name: str, *given: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(_ours(name), ast.Load()), list(given), [])


def _lazy(value: ast.expr) -> ast.Lambda:
    nothing = ast.arguments([], [], None, [], [], None, [])
    return ast.Lambda(nothing, value)


# ---- what the text becomes ---------------------------------------------------------------------


def _traced(value: Any) -> bool:
    """Say whether a value is an array that has no values yet."""
    if isinstance(value, jax.Array):
        try:
            np.asarray(value)
        except jax.errors.TracerArrayConversionError:
            return True
    return False


def _choose(test: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    if not _traced(test):
        return yes() if test else no()
    return jax.lax.cond(test, lambda: _arrays(yes()), lambda: _arrays(no()))


def _arrays(values: Any) -> Any:
    """Make both branches of one type: truth values stay, numbers are float64."""

    def array(value: Any) -> Any:
        made = jnp.asarray(value)
        return made if made.dtype == bool else made.astype(float)

    return jax.tree.map(array, values)


def _all(*parts: Callable[[], Any]) -> Any:
    return _folded(parts, jnp.logical_and, True)


def _any(*parts: Callable[[], Any]) -> Any:
    return _folded(parts, jnp.logical_or, False)


def _folded(parts: Sequence[Callable[[], Any]], both: Callable[..., Any], neutral: bool) -> Any:
    """Return the first value that decides, or else the last: as `and` and `or` do, of numbers too.

    What follows a value that is known and decides is never asked for.
    """
    if not parts:
        return neutral
    first, *rest = parts
    value = first()
    if not rest or (not _traced(value) and builtins.bool(value) is not neutral):
        return value
    following = _folded(rest, both, neutral)
    if not _traced(value):
        return following
    if all(jnp.asarray(one).dtype == bool for one in (value, following)):
        return both(value, following)
    ways = (lambda: _float(following)), (lambda: _float(value))
    return _choose(_truth(value), *(ways if neutral else ways[::-1]))


def _truth(value: Any = False) -> Any:
    return jnp.asarray(value) != 0 if _traced(value) else builtins.bool(value)


def _not(value: Any) -> Any:
    return jnp.logical_not(_truth(value)) if _traced(value) else not value


def _among(value: Any, known: Any) -> Any:
    if isinstance(known, str | Mapping):
        return value in known
    return _any(*(functools.partial(lambda one: value == one, one) for one in known))


def _bound(method: Any) -> Any:
    """Read the method of a record; whatever else is called stays as it is."""
    if isinstance(method, types.MethodType) and dataclasses.is_dataclass(method.__self__):
        return functools.partial(of(method.__func__), method.__self__)
    return method


def _float(value: Any = 0.0) -> Any:
    if isinstance(value, str):
        return builtins.float(value)
    return jnp.asarray(value, float) if _traced(value) else builtins.float(value)


def _whole(value: Any = 0) -> Any:
    return jnp.trunc(value).astype(int) if _traced(value) else builtins.int(value)


def _least(*values: Any) -> Any:
    return _extreme(builtins.min, jnp.minimum, values)


def _most(*values: Any) -> Any:
    return _extreme(builtins.max, jnp.maximum, values)


def _extreme(plain: Callable[..., Any], traced: Callable[..., Any], values: Any) -> Any:
    every = tuple(values[0]) if len(values) == 1 else values
    return functools.reduce(traced, every) if any(map(_traced, every)) else plain(every)


class _MathsType:
    """``math`` for numbers that are traced."""

    def __getattr__(self, name: str) -> Any:
        plain = getattr(math, name)
        if not callable(plain):
            return plain

        def called(*args: Any) -> Any:
            if not any(map(_traced, args)):
                return plain(*args)
            return (gammaln if name == "lgamma" else getattr(jnp, name))(*args)

        return called


_Maths = _MathsType()
_HELPERS: tuple[Any, ...] = (_choose, _all, _any, _not, _among)
_HELPERS += (_float, _whole, _least, _most, _truth, _bound)
