"""Primitives of JAX that act element by element, as JavaScript expressions of real numbers.

A value is a tuple of expressions: one of a real number, a whole number or a truth value (0 or 1,
true or false), two of a complex number. Arguments are names or bracketed, so they may be repeated.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Parts = tuple[str, ...]


class NoTranslationError(Exception):
    """What has no form in JavaScript here: the reason in a few words."""


def literal(value: Any) -> str:
    """Write a number or a truth value.

    >>> literal(-0.5), literal(float("inf")), literal(True)
    ('(-0.5)', 'Infinity', 'true')
    """
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        if abs(int(value)) > 2**53:
            value = float(value)
        else:
            return str(int(value)) if value >= 0 else f"({int(value)})"
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "(-Infinity)"
    text = repr(number).removesuffix(".0")
    return f"({text})" if math.copysign(1, number) < 0 else text


def _infix(symbol: str) -> Callable[..., str]:
    return lambda a, b: f"({a} {symbol} {b})"


def _call(name: str) -> Callable[..., str]:
    return lambda *args: f"{name}({', '.join(args)})"


REAL: dict[str, Callable[..., str]] = {
    "add": _infix("+"),
    "add_any": _infix("+"),
    "sub": _infix("-"),
    "mul": _infix("*"),
    "div": _infix("/"),
    "rem": _infix("%"),
    "eq": _infix("=="),
    "ne": _infix("!="),
    "lt": _infix("<"),
    "le": _infix("<="),
    "gt": _infix(">"),
    "ge": _infix(">="),
    "max": _call("Math.max"),
    "min": _call("Math.min"),
    "neg": lambda a: f"(-{a})",
    "abs": _call("Math.abs"),
    "sign": _call("Math.sign"),
    "sqrt": _call("Math.sqrt"),
    "cbrt": _call("Math.cbrt"),
    "rsqrt": lambda a: f"(1 / Math.sqrt({a}))",
    "exp": _call("Math.exp"),
    "exp2": lambda a: f"Math.pow(2, {a})",
    "expm1": _call("Math.expm1"),
    "log": _call("Math.log"),
    "log1p": _call("Math.log1p"),
    "sin": _call("Math.sin"),
    "cos": _call("Math.cos"),
    "tan": _call("Math.tan"),
    "asin": _call("Math.asin"),
    "acos": _call("Math.acos"),
    "atan": _call("Math.atan"),
    "atan2": _call("Math.atan2"),
    "sinh": _call("Math.sinh"),
    "cosh": _call("Math.cosh"),
    "tanh": _call("Math.tanh"),
    "asinh": _call("Math.asinh"),
    "acosh": _call("Math.acosh"),
    "atanh": _call("Math.atanh"),
    "logistic": lambda a: f"(1 / (1 + Math.exp(-{a})))",
    "floor": _call("Math.floor"),
    "ceil": _call("Math.ceil"),
    "is_finite": _call("Number.isFinite"),
    "square": lambda a: f"({a} * {a})",
    "clamp": lambda low, a, high: f"Math.min(Math.max({a}, {low}), {high})",
    "pow": _call("pow"),
    "erf": _call("erf"),
    "erfc": _call("erfc"),
    "lgamma": _call("lgamma"),
    "igamma": _call("igamma"),
    "igammac": _call("igammac"),
    "nextafter": _call("nextafter"),
    "shift_right_arithmetic": lambda a, b: f"Math.floor({a} / Math.pow(2, {b}))",
    "stop_gradient": lambda a: a,
    "copy": lambda a: a,
    "copy_p": lambda a: a,
    "optimization_barrier": lambda a: a,
    "reduce_precision": lambda a: a,
    "real": lambda a: a,
}
"""Of real arguments, without parameters."""


def _complex_mul(a: Parts, b: Parts) -> Parts:
    (x, y), (u, v) = a, b
    return f"({x} * {u} - {y} * {v})", f"({x} * {v} + {y} * {u})"


def _both(symbol: str) -> Callable[..., Parts]:
    return lambda a, b: (f"({a[0]} {symbol} {b[0]})", f"({a[1]} {symbol} {b[1]})")


COMPLEX: dict[str, Callable[..., Parts]] = {
    "add": _both("+"),
    "add_any": _both("+"),
    "sub": _both("-"),
    "mul": _complex_mul,
    "square": lambda a: _complex_mul(a, a),
    "neg": lambda a: (f"(-{a[0]})", f"(-{a[1]})"),
    "conj": lambda a: (a[0], f"(-{a[1]})" if len(a) > 1 else "0"),
    "complex": lambda a, b: (a[0], b[0]),
    "real": lambda a: (a[0],),
    "imag": lambda a: (a[1],),
    "abs": lambda a: (f"Math.hypot({a[0]}, {a[1]})",),
    "eq": lambda a, b: (f"({a[0]} == {b[0]} && {a[1]} == {b[1]})",),
    "ne": lambda a, b: (f"({a[0]} != {b[0]} || {a[1]} != {b[1]})",),
    "is_finite": lambda a: (f"(Number.isFinite({a[0]}) && Number.isFinite({a[1]}))",),
    "stop_gradient": lambda a: a,
    "copy": lambda a: a,
    "copy_p": lambda a: a,
    "div": lambda a, b: _pair(f"complexDiv({', '.join((*a, *b))}"),
    "exp": lambda a: _pair(f"complexExp({', '.join(a)}"),
    "expm1": lambda a: _pair(f"complexExpm1({', '.join(a)}"),
    "log": lambda a: _pair(f"complexLog({', '.join(a)}"),
    "sqrt": lambda a: _pair(f"complexSqrt({', '.join(a)}"),
}
"""Of complex arguments, without parameters."""


def _pair(call: str) -> Parts:
    """Return both parts of what a function of the runtime gives: its last argument says which."""
    return f"{call}, 0)", f"{call}, 1)"


def _integer_pow(a: Parts, power: int) -> Parts:
    """Multiply as XLA does, by squaring; the runtime does it for more than a square."""
    if len(a) == 1:
        if power == 2:
            return (f"({a[0]} * {a[0]})",)
        if power in (1, -1):
            return (a[0] if power == 1 else f"(1 / {a[0]})",)
        return (f"integerPow({a[0]}, {power})",)
    if power == 2:
        return _complex_mul(a, a)
    return _pair(f"complexIntegerPow({a[0]}, {a[1]}, {power}")


def _converted(a: Parts, old: np.dtype, new: np.dtype) -> Parts:
    """Change the type: numbers are all float64, so only what loses something computes."""
    if new.kind == "c":
        return (a[0], a[1] if len(a) > 1 else "0")
    if new.kind == "b":
        return a if old.kind == "b" else (f"({a[0]} != 0)",)
    if new.kind in "iu":
        return (
            (f"Number({a[0]})",)
            if old.kind == "b"
            else (f"toWhole({a[0]})",)
            if old.kind not in "iu"
            else a
        )
    if new == np.float64:
        return (f"Number({a[0]})",) if old.kind == "b" else (a[0],)
    raise NoTranslationError(f"numbers of type {new}")


def _rounded(a: str, method: int) -> str:
    return f"roundEven({a})" if method == 1 else f"roundAway({a})"


def _logical(name: str, args: list[Parts], kind: str) -> Parts:
    if kind not in "biu":
        raise NoTranslationError(f"{name} of {kind}")
    if name == "not":
        return (f"(!{args[0][0]})",) if kind == "b" else (f"(-1 - {args[0][0]})",)
    return (f"({args[0][0]} {dict(zip(LOGICAL, '&|^', strict=True))[name]} {args[1][0]})",)


LOGICAL = ("and", "or", "xor")


def is_elementwise(name: str) -> bool:
    """Say whether a primitive acts element by element."""
    return (
        name in REAL or name in COMPLEX or name in LOGICAL or name in ("not", "select_n", *_GIVEN)
    )


_GIVEN = ("integer_pow", "convert_element_type", "round", "bitcast_convert_type")


def expressions(equation: Any, args: list[Parts]) -> Parts:
    """Write what one element of the result is.

    Args:
        equation: of a jaxpr, whose primitive acts element by element.
        args: one element of each argument.

    Raises:
        NoTranslationError: a primitive, or numbers, for which there is no rule.
    """
    name, params = equation.primitive.name, equation.params
    kinds = [v.aval.dtype.kind for v in equation.invars]
    out = equation.outvars[0].aval.dtype
    if name == "select_n":
        chosen = args[1]
        for i, case in enumerate(args[2:], 1):
            test = args[0][0] if kinds[0] == "b" else f"{args[0][0]} >= {i}"
            chosen = tuple(f"({test} ? {a} : {b})" for a, b in zip(case, chosen, strict=True))
        return chosen
    if name == "convert_element_type":
        return _converted(args[0], equation.invars[0].aval.dtype, out)
    if name == "integer_pow":
        return _integer_pow(args[0], int(params["y"]))
    if name == "round":
        return (_rounded(args[0][0], int(params["rounding_method"])),)
    if name in (*LOGICAL, "not"):
        return _logical(name, args, kinds[0])
    if name == "bitcast_convert_type":
        if (kinds[0], out) != ("f", np.dtype("int64")):
            raise NoTranslationError(f"bits of a number as {out}")
        return (f"bits({args[0][0]})",)
    if "c" in kinds or name in ("complex", "conj"):
        if name in COMPLEX:
            return COMPLEX[name](*args)
    elif name in REAL:
        made = REAL[name](*(a[0] for a in args))
        whole = name == "div" and out.kind in "iu"
        return (f"Math.trunc{made}" if whole else made,)
    raise NoTranslationError(f"primitive {name} of these numbers")
