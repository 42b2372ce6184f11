"""Views of parameter records: fields that may not be read, and a record apart from its numbers."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ci_theory._errors import BadInput
from ci_theory._record import build

_T = TypeVar("_T")


def hiding(params: _T, hidden: Mapping[str, str]) -> _T:
    """Return a record of which some fields refuse to be read.

    Args:
        params: the record.
        hidden: dotted name -> what to tell whoever reads that field.

    Returns:
        An instance of a class derived from the record's: whatever it can do, it does without the
        hidden fields, or raises ``BadInput``.

    >>> from ci_theory._record import record, sized, static
    >>> @record
    ... class Params:
    ...     p: int = static(100, doc="parameters")
    ...     n: int = sized(200, doc="rows")
    >>> hiding(Params(), {"n": "n is not known here"}).n
    Traceback (most recent call last):
        ...
    ci_theory._errors.BadInput: n is not known here
    """
    if not hidden:
        return params
    own = {name: told for name, told in hidden.items() if "." not in name}
    cls: Any = type(params)
    view = object.__new__(_without(cls, tuple(sorted(own.items()))))
    for f in dataclasses.fields(params):  # type: ignore[arg-type]
        if f.name not in own:
            value, prefix = getattr(params, f.name), f.name + "."
            if dataclasses.is_dataclass(value):
                inside = {k[len(prefix) :]: v for k, v in hidden.items() if k.startswith(prefix)}
                value = hiding(value, inside)
            object.__setattr__(view, f.name, value)
    return view


@functools.lru_cache(maxsize=256)
def _without(cls: Any, hidden: tuple[tuple[str, str], ...]) -> Any:
    """Derive a class in which the hidden names are properties that raise."""

    def refusing(told: str) -> Callable[[Any], Any]:
        def read(self: Any) -> Any:
            raise BadInput(told)

        return read

    refused: dict[str, Any] = {name: property(refusing(told)) for name, told in hidden}
    return type(cls.__name__, (cls,), {**refused, "_HIDDEN": hidden})


@dataclasses.dataclass(frozen=True)
class Outline:
    """What a record is besides its numbers: its class, its strings, and what may not be read.

    What whoever reads a hidden field is told makes no difference: a program does not read it.
    """

    cls: type
    words: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]
    told: Mapping[str, str] = dataclasses.field(compare=False, repr=False)


def outlined(params: Any) -> tuple[dict[str, Any], Outline]:
    """Take a record, or a view with hidden fields, apart: its numbers, and the rest.

    >>> from ci_theory._record import record, sized, static
    >>> @record
    ... class Params:
    ...     p: int = static(100, doc="parameters")
    ...     kind: str = static("plain", doc="kind of rows")
    ...     n: int = sized(200, doc="rows")
    >>> numbers, outline = outlined(hiding(Params(), {"n": "n is not known here"}))
    >>> numbers
    {'p': 100}
    >>> rebuilt({"p": 7}, outline).p
    7
    """
    cls: Any = next(c for c in type(params).__mro__ if "_HIDDEN" not in vars(c))
    views = [c for c in type(params).__mro__ if "_HIDDEN" in vars(c)]
    hidden: dict[str, str] = {name: told for c in views for name, told in vars(c)["_HIDDEN"]}
    numbers: dict[str, Any] = {}
    words: dict[str, str] = {}
    for f in dataclasses.fields(cls):
        if f.name in hidden:
            continue
        value = getattr(params, f.name)
        if dataclasses.is_dataclass(value):
            inside, rest = outlined(value)
            numbers |= {f"{f.name}.{name}": one for name, one in inside.items()}
            words |= {f"{f.name}.{name}": one for name, one in rest.words}
            hidden |= {f"{f.name}.{name}": told for name, told in rest.told.items()}
        elif isinstance(value, str):
            words[f.name] = value
        else:
            numbers[f.name] = value
    return numbers, Outline(cls, tuple(words.items()), tuple(sorted(hidden)), hidden)


def is_parameters(given: Any) -> bool:
    """Say whether this is a parameter record, or a view of one."""
    if not dataclasses.is_dataclass(given) or isinstance(given, type):
        return False
    fields = dataclasses.fields(given)
    return any("kind" in f.metadata or is_parameters(getattr(given, f.name)) for f in fields)


def rebuilt(numbers: Mapping[str, Any], outline: Outline) -> Any:
    """Return the record that was taken apart, of these numbers; they may be traced."""
    whole: Any = build(outline.cls, {**numbers, **dict(outline.words)})
    return hiding(whole, outline.told)
