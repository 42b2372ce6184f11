"""The rules between parameters in JavaScript, for a page that no Python stands behind.

A rule is a few lines of Python: comparisons of fields, and a sentence. These are read as they
stand and written anew; a rule that says more has no translation, and its page moves no knob.

>>> from ci_theory.phenomena import load
>>> print(translated(load("power_law_break")))
(p) => {
if ((p["repeats"] > p["n"])) {
return `repeats = ${p["repeats"]}: one row cannot be there more often than n`;
}
return "";
}
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from ci_theory._record import asked, build
from ci_theory.explore.javascript import noticing
from ci_theory.phenomena import Phenomenon

_COMPARED = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "===",
    ast.NotEq: "!==",
}
_END = "break rule;"
_COMPUTED = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_WRITTEN: dict[type, str] = {float: "explore.repr({})", bool: "({}) ? 'True' : 'False'"}
"""What Python writes otherwise than JavaScript, by page/scale.js."""


class Untranslated(Exception):  # noqa: N818 - an answer: the rule says more than these words
    """A rule uses what has no translation here."""


def translated(phenomenon: Phenomenon, built: Mapping[str, Any] | None = None) -> str | None:
    """Return a JavaScript function of all parameters that tells what is wrong, or "".

    None is returned if a rule has no translation; one that reads nothing but parameters whose
    values are ``built`` into what it is for needs none, since it has let these pass.
    """
    rules: list[tuple[tuple[str, ...], Callable[..., Any]]] = list(asked(phenomenon.params))
    if phenomenon.ruled and phenomenon.rule.__name__ != "_anything":
        rules.append(((), phenomenon.rule))
    try:
        lines = [
            line
            for at, rule in rules
            if not _settled(at, rule, phenomenon, built or {})
            for line in _Rule(at, rule, phenomenon).lines()
        ]
    except (Untranslated, OSError, SyntaxError):
        return None
    return "\n".join(["(p) => {", *lines, 'return "";', "}"])


def _settled(
    at: tuple[str, ...], rule: Callable[..., Any], phenomenon: Phenomenon, built: Mapping[str, Any]
) -> bool:
    """Say whether a rule of the whole record reads nothing but what is built in."""
    if at or not built:
        return False
    read: set[str] = set()
    params: Any = build(phenomenon.params, phenomenon.point(dict(built)))
    rule(noticing(params, "", read))
    return read <= set(built)


class _Rule:
    """One rule, of a whole record or of a part of it."""

    def __init__(
        self, prefix: tuple[str, ...], rule: Callable[..., Any], phenomenon: Phenomenon
    ) -> None:
        (found,) = ast.parse(textwrap.dedent(inspect.getsource(rule))).body
        if not isinstance(found, ast.FunctionDef) or len(found.args.args) != 1:
            raise Untranslated
        self.function = found
        self.prefix = prefix
        self.record = self.function.args.args[0].arg
        self.cls: Any = phenomenon.params
        self.known = phenomenon.axes
        self.local: dict[str, type] = {}

    def lines(self) -> list[str]:
        """Return its statements; what a part says is said of the part.

        They end where Python's would, and what follows are the other rules.
        """
        *body, last = self.function.body
        lines = [line for one in body for line in self._statement(one)]
        lines += self._statement(last, last=True)
        alone = _END in lines or any(line.startswith("const ") for line in lines)
        return ["rule: {", *lines, "}"] if alone else lines

    def _statement(self, one: ast.stmt, last: bool = False) -> list[str]:
        match one:
            case ast.Expr(ast.Constant(str())):  # the docstring
                return []
            case ast.Assign([ast.Name(name)], value):
                text = self._value(value)
                self.local[name] = self._type(value)
                return [f"const {name} = {text};"]
            case ast.If(test, body, []):
                inside = [line for each in body for line in self._statement(each)]
                return [f"if ({self._value(test)}) {{", *inside, "}"]
            case ast.Return(ast.IfExp(test, body, ast.Constant(None))):
                said = f"if ({self._value(test)}) return {self._said(body)};"
                return [said, *([] if last else [_END])]
            case ast.Return(None | ast.Constant(None)):
                return [] if last else [_END]
            case ast.Return(ast.expr() as value):
                return [f"return {self._said(value)};"]
        raise Untranslated

    def _said(self, value: ast.expr) -> str:
        text = self._value(value)
        part = ".".join((*self.prefix, ""))
        return f"`{part}${{{text}}}`" if part else text

    def _value(self, one: ast.expr) -> str:
        match one:
            case ast.Constant(bool() as value):
                return json.dumps(value)
            case ast.Constant(int() | float() | str() as value):
                return json.dumps(value)
            case ast.Name(name) if name in self.local:
                return name
            case ast.Compare(left, operations, others):
                parts = [left, *others]
                pairs = zip(parts, operations, others, strict=False)
                found = [
                    f"({self._value(a)} {_known(_COMPARED, op)} {self._value(b)})"
                    for a, op, b in pairs
                ]
                return " && ".join(found) if len(found) == 1 else f"({' && '.join(found)})"
            case ast.BoolOp(operation, parts):
                word = " && " if isinstance(operation, ast.And) else " || "
                return f"({word.join(self._value(part) for part in parts)})"
            case ast.UnaryOp(ast.Not(), value):
                return f"!{self._value(value)}"
            case ast.BinOp(left, operation, right):
                a, b = self._value(left), self._value(right)
                return f"({a} {_known(_COMPUTED, operation)} {b})"
            case ast.JoinedStr(parts):
                return f"`{''.join(map(self._piece, parts))}`"
        return f"p[{json.dumps(self._field(one))}]"

    def _type(self, one: ast.expr) -> type:
        """Return of which type Python's value is: that decides how it is written."""
        match one:
            case ast.Constant(value):
                return type(value)
            case ast.Name(name) if name in self.local:
                return self.local[name]
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                return bool
            case ast.BinOp(left, operation, right):
                both = {float} if isinstance(operation, ast.Div) else set()
                return float if float in both | {self._type(left), self._type(right)} else int
            case ast.JoinedStr():
                return str
        return self.known[self._field(one)].type

    def _piece(self, part: ast.expr) -> str:
        match part:
            case ast.Constant(str() as text):
                return text.replace("\\", "\\\\").replace("`", "\\`").replace("$", "\\$")
            case ast.FormattedValue(value, -1, None):
                return f"${{{_WRITTEN.get(self._type(value), '{}').format(self._value(value))}}}"
            case ast.FormattedValue(value, -1, ast.JoinedStr([ast.Constant("g")])):
                return f"${{explore.general({self._value(value)})}}"
        raise Untranslated

    def _owner(self) -> Any:
        owner = self.cls
        for name in self.prefix:
            owner = type(getattr(owner(), name))
        return owner

    def _path(self, one: ast.expr) -> str:
        match one:
            case ast.Name(name) if name == self.record:
                return ""
            case ast.Attribute(value, name):
                before = self._path(value)
                return f"{before}.{name}" if before else name
        raise Untranslated

    def _field(self, one: ast.expr) -> str:
        match one:
            case ast.Call(ast.Name("getattr"), [ast.Name(record), ast.Attribute(value=_) as name]):
                path = str(getattr(self._owner(), name.attr)) if record == self.record else ""
            case _:
                path = self._path(one)
        dotted = ".".join((*self.prefix, path))
        if dotted not in self.known:
            raise Untranslated
        return dotted


def _known(table: Mapping[Any, str], operation: ast.AST) -> str:
    if type(operation) not in table:
        raise Untranslated
    return table[type(operation)]
