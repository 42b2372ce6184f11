"""What all blocks of one script share: names, functions that are called twice, and tables."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jax.extend import core

from ci_theory.explore.elementwise import literal
from ci_theory.explore.frame import Array, Scalar, Value, strides_of


class Program:
    """What all blocks share: names, functions that are called more than once, and constants."""

    def __init__(self, equations: Sequence[Any]) -> None:
        self.named = 0
        self.calls = Counter(id(inner) for inner in _called(equations, set()))
        self.functions: dict[int, str] = {}
        self.constants: dict[tuple, tuple[Value, ...]] = {}
        self.lines: list[str] = []
        self.living: list[Any] = []  # whose identity is a key above

    def new(self, letter: str = "v") -> str:
        """Make a name that nothing has."""
        self.named += 1
        return f"{letter}{self.named}"

    def constant(self, value: Any) -> tuple[Value, ...]:
        """Return the value of an array that is known, as a table beside the functions."""
        value = np.asarray(value)
        parts = (value.real, value.imag) if value.dtype.kind == "c" else (value,)
        if value.size == 1:
            return tuple(Scalar(literal(part.reshape(()).item())) for part in parts)
        key = (value.shape, value.dtype.str, value.tobytes())
        if key not in self.constants:
            made: list[Value] = []
            for part in parts:
                name = self.new("K")
                numbers = ", ".join(literal(x).strip("()") for x in part.ravel().tolist())
                self.lines.append(f"const {name} = Float64Array.of({numbers});")
                made.append(Array(name, strides_of(value.shape)))
            self.constants[key] = tuple(made)
        return self.constants[key]


def _inside(equation: Any) -> Iterator[core.Jaxpr]:
    """List the jaxprs that an equation holds and that are written with it."""
    if equation.primitive.name == "custom_linear_solve":
        yield equation.params["jaxprs"].solve.jaxpr
        return
    if equation.primitive.name.startswith("scatter"):
        return
    for value in equation.params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, core.ClosedJaxpr):
                yield one.jaxpr
            elif isinstance(one, core.Jaxpr):
                yield one


def _called(equations: Sequence[Any], seen: set[int]) -> Iterator[core.Jaxpr]:
    """List the jaxpr of every call, once for each place where it is called."""
    for equation in equations:
        for inner in _inside(equation):
            yield inner
            if id(inner) not in seen:
                seen.add(id(inner))
                yield from _called(inner.eqns, seen)
