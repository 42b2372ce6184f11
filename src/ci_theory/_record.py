"""Frozen, keyword-only records that JAX can trace, and the declared fields of parameters.

A parameter record declares for every field how a sweep may run over it (design, section 3):
``static`` (one compilation a value), ``traced`` (vmapped), ``sized`` (a traced count whose
largest value in a group fixes an array length; rows beyond the count weigh zero) or ``inner``
(all its values share the expensive work of one run).

>>> @record
... class Params:
...     p: int = static(100, low=1, unit="features", doc="parameters of the student")
...     n: int = sized(200, low=1, unit="rows", doc="training rows")
...     ridge: float = inner(0.1, low=0, unit="label\u00b2", doc="total ridge")
>>> Params(p=50)
Params(p=50, n=200, ridge=0.1)
>>> axes_of(Params)["ridge"].kind
<Kind.INNER: 'inner'>
>>> axes_of(Params)["p"].problem(0)
'p = 0: must be >= 1'
"""

import dataclasses
import functools
import inspect
import math
import numbers
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeVar, dataclass_transform, get_type_hints

import jax

from ci_theory._errors import BadInput, unknown

_T = TypeVar("_T")

_hints = functools.cache(get_type_hints)  # slow, and asked for at every point
_BOUNDS = ("low", "high", "above", "choices")


class Kind(Enum):
    """How a sweep runs over a field."""

    STATIC = "static"
    TRACED = "traced"
    SIZED = "sized"
    INNER = "inner"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
    """A parameter as users see it: type, unit, default and the values it may take.

    Numbers lie in [low, high], or above ``above``; strings are among ``choices``.

    Raises:
        BadInput: a declaration that cannot be meant, such as a default outside its own bounds.
    """

    name: str
    kind: Kind
    type: type
    default: Any
    unit: str
    doc: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    choices: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        flaw = self._flaw()
        if flaw:
            raise BadInput(f"field {self.name}: {flaw}")

    def _flaw(self) -> str | None:
        """Say in one line what is wrong with the declaration, or return None."""
        bounds = {k: getattr(self, k) for k in ("low", "high", "above")}
        bounds = {k: v for k, v in bounds.items() if v is not None}
        if self.type not in (bool, int, float, str):
            return f"its type is {self.type!r}: must be bool, int, float or str"
        if not (isinstance(self.doc, str) and self.doc and isinstance(self.unit, str)):
            return "doc must say in words what it is, and unit be a text"
        if self.type is str and self.kind is not Kind.STATIC:
            return f"a string cannot be {self.kind.value}: declare it static"
        if self.type is not int and self.kind is Kind.SIZED:
            return f"a count cannot be a {self.type.__name__}: sized fields are whole numbers"
        if bounds and self.type not in (int, float):
            return f"a {self.type.__name__} has no bounds ({', '.join(bounds)})"
        for name, bound in bounds.items():
            number = isinstance(bound, numbers.Real) and not isinstance(bound, bool)
            if not (number and math.isfinite(bound)):
                return f"{name} = {bound!r}: must be a finite number"
        if self.low is not None and self.above is not None:
            return "low and above are both given: keep one of them"
        if self.low is not None and self.high is not None and self.low > self.high:
            return f"low = {self.low} is beyond high = {self.high}"
        if self.above is not None and self.high is not None and self.above >= self.high:
            return f"nothing lies above {self.above} and up to high = {self.high}"
        if self.choices is not None:
            if self.type is not str:
                return f"choices are for strings, not for a {self.type.__name__}"
            listed = isinstance(self.choices, tuple) and self.choices != ()
            words = listed and all(isinstance(word, str) for word in self.choices)
            if not words or len(set(self.choices)) < len(self.choices):
                return f"choices = {self.choices!r}: must be a tuple of different strings"
        if self.default is dataclasses.MISSING:
            return "it has no default"
        return self.problem(self.default)

    def problem(self, value: Any) -> str | None:
        """Say in one line what is wrong with a value, or return None."""
        if self.type is bool:
            good, wanted = isinstance(value, bool), "true or false"
        elif self.type is int:
            whole = isinstance(value, numbers.Real) and float(value).is_integer()
            good, wanted = whole and not isinstance(value, bool), "a whole number"
        elif self.type is float:
            good = isinstance(value, numbers.Real) and not isinstance(value, bool)
            wanted = "a number"
        else:
            good, wanted = isinstance(value, str), "a string"
        if not good:
            return f"{self.name} = {value!r}: must be {wanted}"
        if self.choices is not None and value not in self.choices:
            return str(unknown(f"value of {self.name}", value, self.choices))
        if self.type in (int, float):
            return self._out_of_range(value)
        return None

    def _out_of_range(self, value: Any) -> str | None:
        if not math.isfinite(value):
            return f"{self.name} = {value}: must be finite"
        if self.above is not None and not value > self.above:
            return f"{self.name} = {value}: must be > {self.above}"
        if self.low is not None and not value >= self.low:
            return f"{self.name} = {value}: must be >= {self.low}"
        if self.high is not None and not value <= self.high:
            return f"{self.name} = {value}: must be <= {self.high}"
        return None

    def convert(self, value: Any) -> Any:
        """Return the value in the field's own type (3.0 becomes 3 in a whole-number field)."""
        problem = self.problem(value)
        if problem:
            raise BadInput(problem)
        return self.type(value)


def _field(kind: Kind, default: Any, **meta: Any) -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind, **meta})


def static(default: Any, *, doc: str, unit: str = "", **bounds: Any) -> Any:
    """Declare a field that changes shapes or code: one compilation per value."""
    return _field(Kind.STATIC, default, doc=doc, unit=unit, **bounds)


def traced(default: Any, *, doc: str, unit: str = "", **bounds: Any) -> Any:
    """Declare a number that vmaps."""
    return _field(Kind.TRACED, default, doc=doc, unit=unit, **bounds)


def sized(default: Any, *, doc: str, unit: str = "", **bounds: Any) -> Any:
    """Declare a traced count whose largest value in a group fixes an array length."""
    return _field(Kind.SIZED, default, doc=doc, unit=unit, **bounds)


def inner(default: Any, *, doc: str, unit: str = "", **bounds: Any) -> Any:
    """Declare a number whose whole range shares the expensive work of one run."""
    return _field(Kind.INNER, default, doc=doc, unit=unit, **bounds)


def again(cls: type, name: str, default: Any) -> Any:
    """Declare a field of a record that this one is made of anew, with another default."""
    field = next(f for f in dataclasses.fields(cls) if f.name == name)
    return dataclasses.field(default=default, metadata=dict(field.metadata))


def part(cls: type[_T]) -> _T:
    """Declare a field that is itself a record, with its defaults (``up.noise``)."""
    return dataclasses.field(default_factory=cls)


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(static, traced, sized, inner, again, part, dataclasses.field),
)
def record(cls: type[_T]) -> type[_T]:
    """Make a class a frozen, keyword-only dataclass and a JAX pytree; static fields are keys.

    No ``__post_init__`` may look at values: JAX rebuilds records with tracers.
    """
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    fields = dataclasses.fields(made)  # type: ignore[arg-type]
    meta = [f.name for f in fields if f.metadata.get("kind") is Kind.STATIC]
    data = [f.name for f in fields if f.name not in meta]
    jax.tree_util.register_dataclass(made, data_fields=data, meta_fields=meta)
    return made


@functools.cache
def axes_of(cls: type) -> Mapping[str, Axis]:
    """Map the dotted name of every declared field of a parameter record to its Axis.

    Raises:
        BadInput: a field that is not declared as one, an unknown bound, or an impossible one.
    """
    if not dataclasses.is_dataclass(cls):
        raise BadInput(f"{getattr(cls, '__name__', cls)} is not a record")
    hints = _hints(cls)
    found: dict[str, Axis] = {}
    declared = inspect.get_annotations(cls)
    own = [f for f in dataclasses.fields(cls) if f.name in declared]
    mixed_in = [f for f in dataclasses.fields(cls) if f not in own]
    for f in mixed_in:
        homes = [b for b in cls.__mro__ if f.name in inspect.get_annotations(b)]
        apart = [b for b in homes[1:] if not issubclass(homes[0], b)]
        if apart:
            both = f"{homes[0].__name__} and {apart[0].__name__}"
            raise BadInput(f"field {f.name} is of both {both}: they do not go together")
    for f in (*own, *mixed_in):
        if dataclasses.is_dataclass(hints[f.name]):
            for name, axis in axes_of(hints[f.name]).items():
                dotted = f"{f.name}.{name}"
                found[dotted] = dataclasses.replace(axis, name=dotted)
        else:
            meta = dict(f.metadata)
            if not isinstance(meta.get("kind"), Kind):
                raise BadInput(
                    f"field {f.name}: expected static(...), traced(...), sized(...), inner(...) "
                    "or part(...)"
                )
            for key in meta.keys() - {"kind", "unit", "doc", *_BOUNDS}:
                raise unknown("bound", key, _BOUNDS, where=f"field {f.name}")
            found[f.name] = Axis(name=f.name, type=hints[f.name], default=f.default, **meta)
    return MappingProxyType(found)


def build(cls: type[_T], values: Mapping[str, Any]) -> _T:
    """Build a parameter record from dotted names; what is not named keeps its default.

    Values may be tracers: nothing looks at them.
    """
    hints = _hints(cls)  # type: ignore[arg-type]
    own: dict[str, Any] = {}
    for f in dataclasses.fields(cls):  # type: ignore[arg-type]
        if dataclasses.is_dataclass(hints[f.name]):
            prefix = f.name + "."
            inside = {k[len(prefix) :]: v for k, v in values.items() if k.startswith(prefix)}
            own[f.name] = build(hints[f.name], inside)
        elif f.name in values:
            own[f.name] = values[f.name]
    return cls(**own)


def flatten(params: Any) -> dict[str, Any]:
    """Return the dotted-name view of a parameter record: the inverse of ``build``."""
    flat: dict[str, Any] = {}
    for f in dataclasses.fields(params):
        value = getattr(params, f.name)
        if dataclasses.is_dataclass(value):
            flat.update({f"{f.name}.{k}": v for k, v in flatten(value).items()})
        else:
            flat[f.name] = value
    return flat


def problem(params: Any) -> str | None:
    """Ask a record what is wrong with its values together: one line, or None.

    Every class that it is made of, and every part of it, may have a method ``problem`` that says
    so; all of them are asked.

    >>> @record
    ... class Rows:
    ...     n: int = sized(9, doc="rows")
    ...     def problem(self):
    ...         return f"n = {self.n}: must be odd" if self.n % 2 == 0 else None
    >>> @record
    ... class Params:
    ...     up: Rows = part(Rows)
    >>> problem(Params(up=Rows(n=4)))
    'up.n = 4: must be odd'
    """
    for prefix, ask in asked(type(params)):  # type: ignore[arg-type]
        value = functools.reduce(getattr, prefix, params)
        told = ask(value)
        if told:
            return ".".join((*prefix, told))
    return None


@functools.cache
def asked(cls: type) -> tuple[tuple[tuple[str, ...], Callable[[Any], str | None]], ...]:
    """Return every method ``problem`` of a record's classes and parts, and whose part it is."""
    own = [((), base.__dict__["problem"]) for base in cls.__mro__ if "problem" in base.__dict__]
    hints = _hints(cls)
    inside = [
        ((f.name, *prefix), ask)
        for f in dataclasses.fields(cls)
        if dataclasses.is_dataclass(hints[f.name])
        for prefix, ask in asked(hints[f.name])
    ]
    return (*own, *inside)
