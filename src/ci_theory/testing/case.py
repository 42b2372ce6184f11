"""One phenomenon at one point: what the laws run, compiled once for all of them."""

import dataclasses
import functools
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import BadInput, printable
from ci_theory._keys import key_for
from ci_theory._record import Axis, Kind, build
from ci_theory._types import Key
from ci_theory.phenomena import Phenomenon

Numbers = dict[str, Any]
Measured = dict[str, np.ndarray]

_OURS = Path(__file__).parents[1]

KEYS = ((0, 1, 2, 0), (0, 1, 2, 1))
"""Addresses of two runs: seed, hash of the point in two halves, replicate."""


ZERO = 1e-12
"""What rounding may leave of a measure that is zero."""


class Broken(AssertionError):  # noqa: N818 - a law is broken, not the program
    """A law does not hold: phenomenon, law, point and what was seen, in one line.

    Attributes:
        seen: what was seen, alone.
    """

    def __init__(self, phenomenon: str, law: str, at: str, seen: str) -> None:
        self.seen = printable(" ".join(seen.split()))
        super().__init__(
            printable(f"phenomenon '{phenomenon}' breaks the law '{law}' at {at}: {self.seen}")
        )


class Case:
    """A phenomenon at a point, two values of every inner field side by side.

    Attributes:
        phenomenon: the phenomenon.
        at: what was asked to differ from its defaults.
        high: what to take for the upper ends of static fields.
        point: the complete point; inner fields are vectors (2,).
        capacity: array lengths of the sized fields.
    """

    def __init__(self, phenomenon: Phenomenon, at: Numbers, high: Numbers) -> None:
        """Complete the point.

        Raises:
            BadInput: the phenomenon refuses it.
        """
        self.phenomenon, self.at, self.high = phenomenon, at, high
        full = phenomenon.point(at)
        self.point = {**full, **_two(phenomenon, full)}
        self.capacity = {k: int(full[k]) for k in phenomenon.names(Kind.SIZED)}
        self._compiled: dict[tuple, Any] = {}
        self._measured: dict[tuple, Measured] = {}

    def hold(self, law: str, seen: Callable[["Case"], str | None]) -> None:
        """Look whether a law holds.

        Raises:
            Broken: it does not, or what it runs raises.
        """
        try:
            line = seen(self)
        except Exception as problem:
            line = _refused(problem) if isinstance(problem, BadInput) else _raised(problem)
        if line:
            at = ", ".join(f"{k} = {v}" for k, v in self.at.items()) or "the defaults"
            raise Broken(self.phenomenon.name, law, at, line)

    @property
    def inner(self) -> list[str]:
        """The inner fields."""
        return self.phenomenon.names(Kind.INNER)

    @property
    def fixed(self) -> Numbers:
        """The static fields."""
        return {k: self.point[k] for k in self.phenomenon.names(Kind.STATIC)}

    @property
    def moving(self) -> Numbers:
        """The fields that need no compilation."""
        return {k: v for k, v in self.point.items() if k not in self.fixed}

    def params(self, numbers: Mapping[str, Any]) -> Any:
        """Build the parameters from values of the moving fields."""
        return build(self.phenomenon.params, {**self.fixed, **numbers})

    def simulate(self, capacity: Mapping[str, int]) -> Callable[[Key, Numbers], Any]:
        """Return the simulation of a key and of values of the moving fields."""

        def run(key: Key, numbers: Numbers) -> Any:
            return self.phenomenon.simulate(key, self.params(numbers), capacity)

        return run

    def program(self, **longer: int) -> Callable[[Key, Numbers], Any]:
        """Return the compiled simulation, with longer arrays for some counts."""
        place = tuple(sorted(longer.items()))
        if place not in self._compiled:
            self._compiled[place] = jax.jit(self.simulate({**self.capacity, **longer}))
        return self._compiled[place]

    def run(self, key: int = 0, **changes: Any) -> Measured:
        """Return what a compiled run measures, with other values of some moving fields."""
        place = (key, repr(sorted(changes.items())))
        if place not in self._measured:
            numbers = {**self.moving, **changes}
            self._measured[place] = plain(self.program()(key_for(*KEYS[key]), numbers))
        return self._measured[place]


@functools.lru_cache(maxsize=4)
def _kept(phenomenon: Phenomenon, at: tuple, high: tuple) -> Case:
    return Case(phenomenon, dict(at), dict(high))


def case_of(
    phenomenon: Phenomenon, at: Mapping[str, Any] | None, high: Mapping[str, Any] | None
) -> Case:
    """Return the case of a phenomenon, the same one while others ask for few others."""
    return _kept(phenomenon, tuple((at or {}).items()), tuple((high or {}).items()))


def plain(measures: Any) -> Measured:
    """Return measures by name, on the host."""
    return {f.name: np.asarray(getattr(measures, f.name)) for f in dataclasses.fields(measures)}


def differs(one: Measured, other: Measured, *, within: float, what: str) -> str | None:
    """Say which measure of two runs differs by more than a share of its largest value.

    Beside it what rounding leaves of a zero is allowed, unless the two must be the same.
    """
    for name, value in one.items():
        if np.array_equal(value, other[name], equal_nan=True):
            continue
        far = np.max(np.abs(value - other[name]), initial=0.0)
        if not (within and far <= ZERO + within * np.max(np.abs(value), initial=0.0)):
            return f"measure {name} is {_short(value)}, and {_short(other[name])} {what}"
    return None


def _short(value: np.ndarray) -> str:
    return np.array2string(value, precision=9, separator=", ", threshold=6)


def _raised(problem: Exception) -> str:
    """Return kind and first line of an exception, and where it is from."""
    first = (str(problem).strip().splitlines() or [""])[0]
    frames = _frames(problem)
    theirs = [place for place in frames if "site-packages" not in place[0]]
    file, line = (theirs or frames)[-1]
    return f"{type(problem).__name__}: {first} ({Path(file).name}:{line})"


def _refused(problem: BadInput) -> str:
    """Return what a refusal of ours says, and which line outside of this package it refuses."""
    theirs = [
        f" ({Path(file).name}:{line})"
        for file, line in _frames(problem)
        if _OURS not in Path(file).parents and "site-packages" not in file
    ]
    return f"{problem}{theirs[-1] if theirs else ''}"


def _frames(problem: Exception) -> list[tuple[str, int]]:
    return [(f.f_code.co_filename, n) for f, n in traceback.walk_tb(problem.__traceback__)]


def _two(phenomenon: Phenomenon, full: Numbers) -> Numbers:
    """Return two values of every inner field, of which no rule is broken."""
    other = {k: _another(phenomenon.axes[k], full[k]) for k in phenomenon.names(Kind.INNER)}
    try:
        phenomenon.point({**full, **other})
    except BadInput:  # together they are refused: one value twice shows less, but something
        other = {k: full[k] for k in other}
    return {k: jnp.array([full[k], v]) for k, v in other.items()}


def _another(axis: Axis, value: Any) -> Any:
    """Return another value of a field."""
    if axis.type is bool:
        return not value
    tries = [0.5 * value + 0.1, 0.5 * value, 2 * value + 1, value + 1, axis.low, axis.high]
    made = [axis.type(one) for one in tries if one is not None]
    return next((v for v in made if v != value and axis.problem(v) is None), value)
