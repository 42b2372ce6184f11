"""Values as people write them: numbers, lists, and ranges such as ``geom(10, 1000, 50)``.

>>> parse_value("0.5"), parse_value("true"), parse_value("1,2,3")
(0.5, True, (1, 2, 3))
>>> parse_value("geom(1,100,3)")
Range(1.0, 10.0, 100.0)
>>> split(["n=geom(10,1000,50)", "noise=0.5"])
{'n': 'geom(10,1000,50)', 'noise': '0.5'}
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ci_theory._errors import BadInput, unknown
from ci_theory._record import Axis

MOST_VALUES = 10**6
_WHOLE = 2**53  # beyond it, neighbouring whole numbers are the same float64
_RULES: dict[str, Callable[..., np.ndarray]] = {
    "lin": np.linspace,
    "linspace": np.linspace,
    "geom": np.geomspace,
    "geomspace": np.geomspace,
    "log": np.logspace,
    "logspace": np.logspace,
}
_EXPECTED = "lin(a,b,k), geom(a,b,k) or log(x,y,k) (from 10^x to 10^y)"


class Range(tuple):
    """Values made by a rule: on a whole-number field they are rounded and made unique."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Range{tuple(self)}"


def one_line(text: str) -> str:
    """Return a text with its control characters escaped, so that it stays one line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def make_range(rule: str, numbers: Any, where: str) -> Range:
    """Build a range from its rule and [first, last, count].

    Values are rounded to 12 significant digits, so that they do not depend on the last bit of a
    library's power function (they address random numbers) and print as one expects.
    """
    if rule not in _RULES:
        near = difflib.get_close_matches(rule, _RULES, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise BadInput(f"{where}: unknown range '{rule}': {hint}expected {_EXPECTED}")
    if not isinstance(numbers, (list, tuple)) or len(numbers) != 3:
        raise BadInput(f"{where}: {rule} = {numbers!r}: expected [first, last, count]")
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in numbers):
        raise BadInput(f"{where}: {rule} = {list(numbers)!r}: expected three numbers")
    *ends, count = numbers
    if not (2 <= count <= MOST_VALUES and count == int(count)):
        raise BadInput(f"{where}: {rule}: count = {count}: must be a whole number in 2..1000000")
    if not all(abs(v) < 1e300 for v in ends) or ends[0] == ends[1]:
        raise BadInput(f"{where}: {rule} = {list(numbers)!r}: expected two different finite ends")
    if rule.startswith("geom") and not min(ends) > 0:
        raise BadInput(f"{where}: {rule} = {list(numbers)!r}: both ends must be > 0")
    with np.errstate(over="ignore", invalid="ignore"):
        made = _RULES[rule](float(ends[0]), float(ends[1]), int(count))
    if not np.isfinite(made).all():
        raise BadInput(f"{where}: {rule} = {list(numbers)!r}: the values overflow")
    if rule.startswith("lin"):
        made[abs(made) < 1e-12 * abs(made).max()] = 0.0  # a zero that rounding missed
    return Range(float(f"{v:.12g}") for v in made)


def range_from_table(name: str, table: Mapping[str, Any]) -> Range:
    """Build a range from a TOML table such as ``{geom = [10, 1000, 50]}``."""
    if len(table) != 1:
        raise BadInput(f"axis {name}: expected one range, like geom = [first, last, count]")
    ((rule, numbers),) = table.items()
    return make_range(rule, numbers, f"axis {name}")


def parse_value(text: str, axis: Axis | None = None) -> Any:
    """Read one value, a comma list, or a range from a command line.

    Args:
        text: ``12``, ``0.5``, ``true``, ``word``, ``1,2,3`` or ``[1,2,3]`` (``1,`` is a list of
            one) or a range:
            ``lin(a,b,k)``, ``geom(a,b,k)``, ``log(x,y,k)`` (powers of ten), also spelled
            ``linspace`` and so on.
        axis: the parameter it is meant for; with it, words that look like numbers stay words.

    Returns:
        A bool, int, float or str; or a tuple of them (a ``Range`` for a range): pass a tuple
        through ``values_for`` to have it in the parameter's type.

    Raises:
        BadInput: an empty value or a malformed range.
    """
    where = repr(text) if axis is None else f"{axis.name} = {text!r}"
    word = axis is not None and axis.type is str
    call = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", text)
    if call and not word:
        numbers = [_scalar(part, where) for part in call[2].split(",")]
        return make_range(call[1], numbers, where)
    if not word and ("(" in text or ")" in text):
        raise BadInput(f"{where}: expected a value, a list a,b,c or a range {_EXPECTED}")
    read = (lambda part, _: part.strip()) if word else _scalar
    if re.fullmatch(r"\s*\[.*\]\s*", text):
        text = text.strip()[1:-1].rstrip(", ") + ","  # a list as TOML and Python write it
    if "," in text:
        parts = text.split(",")
        return tuple(read(part, where) for part in (parts if parts[-1].strip() else parts[:-1]))
    return read(text, where)


def _scalar(text: str, where: str) -> Any:
    text = text.strip()
    if not text:
        raise BadInput(f"{where}: a value is missing")
    if text in ("true", "false"):
        return text == "true"
    if "_" in text or not text.isascii():  # Python reads 1_000 and the digits of every script
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def values_for(axis: Axis, values: Any) -> tuple:
    """Convert values to a parameter's type and check each of them.

    A ``Range`` on a whole-number field is rounded and made unique.

    >>> from ci_theory._record import axes_of, record, sized
    >>> @record
    ... class Params:
    ...     n: int = sized(10, low=1, doc="rows")
    >>> values_for(axes_of(Params)["n"], parse_value("geom(1,10,8)"))
    (1, 2, 3, 4, 5, 7, 10)

    Raises:
        BadInput: no value, a wrong type, out of range, or one value twice.
    """
    if isinstance(values, (str, Mapping)) or not np.iterable(values):
        raise BadInput(f"axis {axis.name} = {values!r}: expected a list of values")
    plain = [v.item() if isinstance(v, np.generic) else v for v in values]
    if not plain:
        raise BadInput(f"axis {axis.name} is empty: expected at least one value")
    if len(plain) > MOST_VALUES:
        raise BadInput(f"axis {axis.name} has {len(plain)} values: at most {MOST_VALUES}")
    if isinstance(values, Range) and axis.type is int:
        plain = list(dict.fromkeys(round(v) for v in plain))
    made = []
    for value in plain:
        if isinstance(value, int) and not -_WHOLE <= value <= _WHOLE:
            raise BadInput(f"{axis.name}: a whole number beyond 2^53 is too large")
        problem = axis.problem(value)
        if problem:
            raise BadInput(problem)
        if axis.type is int and abs(value) > _WHOLE:
            raise BadInput(f"{axis.name} = {value}: too large")
        made.append(axis.type(value))
    if len(set(made)) < len(made):
        twice, _ = Counter(made).most_common(1)[0]
        raise BadInput(f"axis {axis.name} has the value {twice!r} twice")
    return tuple(made)


def split(words: Iterable[str] | None) -> dict[str, str]:
    """Split ``key=value`` words at the first equals sign.

    Raises:
        BadInput: a word without a key or a value, or a key given twice.
    """
    found: dict[str, str] = {}
    for word in words or ():
        key, equals, value = (part.strip() for part in word.partition("="))
        if not (key and equals and value):
            raise BadInput(f"'{word}': expected key=value, for example noise=0.5")
        if key in found:
            raise BadInput(f"{key} is given twice: {key}={found[key]} and {word}")
        found[key] = value
    return found


def single(axes: Mapping[str, Axis], name: str, text: str, *, where: str, asked: str) -> Any:
    """Read the one value of an axis, in its type.

    Args:
        axes: by name.
        name: of the axis.
        text: the value.
        where: whose axes they are, for what is said of a name that is none.
        asked: what goes before "expected one value" where there are several.

    Raises:
        BadInput: no such axis, a bad value, a list or a range.

    >>> from ci_theory._record import axes_of, record, sized
    >>> @record
    ... class Params:
    ...     n: int = sized(5, low=1, doc="rows")
    >>> single(axes_of(Params), "n", "7", where="mine", asked="n")
    7
    """
    if name not in axes:
        raise unknown("axis", name, axes, where=where)
    value = parse_value(text, axes[name])
    if isinstance(value, tuple):
        raise BadInput(f"{asked}: expected one value")
    return values_for(axes[name], (value,))[0]
