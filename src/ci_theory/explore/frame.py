"""Where JavaScript is written: blocks of lines, and the values that a jaxpr's variables have there.

Numbers are JavaScript numbers, also arrays of one element; other arrays are flat and strided, so
that slices and transposes cost nothing. What acts element by element on arrays of one size is held
back and written as one loop. Nothing is ever changed in place, except the carry of a loop.
"""

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jax.extend import core

from ci_theory.explore.elementwise import NoTranslationError, Parts, expressions, literal

_LONGEST = 90  # of an expression that is written into another
_ATOM = re.compile(r"[\w.]+(e[+-]\d+)?|\(-[\w.]+(e[+-]\d+)?\)")
_LOCAL = re.compile(r"\bt\d")  # names of elements, inside a loop
_REPEATS = {"integer_pow", "square"}  # whose expressions repeat an argument


@dataclasses.dataclass(eq=False)
class Scalar:
    """A number, or an array whose elements are all this number."""

    text: str

    @property
    def named(self) -> bool:
        """Whether it costs nothing to write it again."""
        return _ATOM.fullmatch(self.text) is not None


@dataclasses.dataclass(frozen=True)
class Array:
    """Element (i, j, ...) is at place offset + i strides[0] + j strides[1] + ... of an array.

    ``cut``: that array has more elements than these.
    """

    name: str
    strides: tuple[int, ...]
    offset: str = "0"
    cut: bool = False


@dataclasses.dataclass(eq=False)
class Pending:
    """An array of ``size`` elements that will be computed in a loop: its element, and who needs it.

    ``owners`` are variables whose value it is, each with the frame that counts its uses.
    """

    size: int
    element: str
    local: str
    owners: list[tuple["Frame", Any]]
    read: bool = False
    array: str = ""

    @property
    def needed(self) -> bool:
        """Whether something is still to come that uses it."""
        return any(frame.uses[variable] > 0 for frame, variable in self.owners)


Value = Scalar | Array | Pending


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a contiguous array.

    >>> strides_of((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(math.prod(shape[k + 1 :]) for k in range(len(shape)))


def place(shape: tuple[int, ...], strides: tuple[int, ...], offset: str, counter: str) -> str:
    """Write where the element is that has this number in a contiguous array of the shape.

    >>> place((2, 3), (3, 1), "0", "i"), place((2, 3), (0, 1), "0", "i")
    ('i', 'i % 3')
    >>> place((2, 3), (1, 2), "4", "i")
    '(i / 3 | 0) + (i % 3) * 2 + 4'
    """
    runs: list[tuple[int, int]] = []
    for length, stride in zip(shape, strides, strict=True):
        if length == 1:
            continue
        if runs and runs[-1][1] == stride * length:
            runs[-1] = (runs[-1][0] * length, stride)
        else:
            runs.append((length, stride))
    terms, below = [], 1
    for k in reversed(range(len(runs))):
        length, stride = runs[k]
        at = counter if below == 1 else f"({counter} / {below} | 0)"
        at = at if k == 0 else f"{at} % {length}"
        below *= length
        if stride:
            simple = stride == 1
            terms.append(at if simple else f"{at if at.isidentifier() else f'({at})'} * {stride}")
    return " + ".join([*reversed(terms), *([offset] if offset != "0" else [])]) or "0"


def needed(equations: Sequence[Any], outputs: Iterable[Any]) -> list[Any]:
    """Return the equations that some outputs depend on."""
    wanted = {v for v in outputs if not isinstance(v, core.Literal)}
    kept = []
    for equation in reversed(equations):
        if any(v in wanted for v in equation.outvars):
            kept.append(equation)
            wanted.update(v for v in equation.invars if not isinstance(v, core.Literal))
    return kept[::-1]


def bare(text: str) -> str:
    """Take brackets around a whole expression away.

    >>> bare("(a + (b * c))"), bare("(a) + (b)")
    ('a + (b * c)', '(a) + (b)')
    """
    depth = 0
    for k, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and k < len(text) - 1:
            return text
    return text[1:-1] if text.startswith("(") else text


class Block:
    """Lines of one block of JavaScript, and the loops that wait to be written in it."""

    def __init__(self, program: Any, depth: int) -> None:
        self.program = program
        self.depth = depth
        self.lines: list[str] = []
        self.waiting: dict[int, list[Pending]] = {}

    def say(self, line: str, deeper: int = 0) -> None:
        """Write a line."""
        self.lines.append("  " * (self.depth + deeper) + line)

    def define(self, text: str) -> str:
        """Give an expression a name."""
        name = self.program.new()
        self.say(f"const {name} = {bare(text)};")
        return name

    def flush(self, size: int) -> None:
        """Write the loop over what waits for arrays of one size."""
        members = self.waiting.pop(size, [])
        kept = [m for m in members if m.needed]
        if not members or not kept:
            return
        for m in kept:
            m.array = self.program.new()
            self.say(f"const {m.array} = new Float64Array({size});")
        self.say(f"for (let i = 0; i < {size}; i++) {{")
        for m in members:
            if m.array and not m.read:
                self.say(f"{m.array}[i] = {bare(m.element)};", 1)
            else:
                self.say(f"const {m.local} = {bare(m.element)};", 1)
                if m.array:
                    self.say(f"{m.array}[i] = {m.local};", 1)
        self.say("}")


class Frame:
    """The values of the variables of one jaxpr, written into a block.

    Only those of its equations count that its outputs need.
    """

    def __init__(self, block: Block, equations: Sequence[Any], outputs: Sequence[Any]) -> None:
        self.block = block
        self.values: dict[Any, tuple[Value, ...]] = {}
        self.uses: Counter[Any] = Counter()
        for equation in needed(equations, outputs):
            self.uses.update(v for v in equation.invars if not isinstance(v, core.Literal))
        self.uses.update(v for v in outputs if not isinstance(v, core.Literal))

    def bind(self, variable: Any, parts: tuple[Value, ...]) -> None:
        """Give a variable its value."""
        for part in parts:
            if isinstance(part, Pending):
                part.owners.append((self, variable))
        self.values[variable] = parts

    def used(self, atoms: Any) -> None:
        """Count uses that are past."""
        self.uses.subtract(v for v in atoms if not isinstance(v, core.Literal))

    def parts(self, atom: Any) -> tuple[Value, ...]:
        """Return the value of a variable or of a literal: the real part, and the imaginary one."""
        if isinstance(atom, core.Literal):
            value = np.asarray(atom.val)
            if value.size != 1:
                return self.block.program.constant(value)
            number = value.reshape(()).item()
            both = (number.real, number.imag) if isinstance(number, complex) else (number,)
            return tuple(Scalar(literal(one)) for one in both)
        strides = strides_of(atom.aval.shape)
        return tuple(
            Array(p.array, strides) if isinstance(p, Pending) and p.array else p
            for p in self.values[atom]
        )

    def named(self, value: Scalar) -> str:
        """Return the name of a number, giving it one if it has none."""
        if not value.named:
            value.text = self.block.define(value.text)
        return value.text

    def ready(self, atom: Any, part: int = 0) -> Scalar | Array:
        """Return a value that can be read at any element: a named number or an array."""
        value = self.parts(atom)[part]
        if isinstance(value, Pending):
            self.block.flush(value.size)
            value = self.parts(atom)[part]
        if isinstance(value, Scalar):
            self.named(value)
        assert not isinstance(value, Pending)
        return value

    def element(self, atom: Any, counter: str, shape: Any, axes: Any, part: int = 0) -> str:
        """Write an element of an argument, by the number of an element of an array.

        Args:
            atom: the argument.
            counter: name of the number.
            shape: of that array.
            axes: for each of its axes, the axis of the argument that goes along, or None.
            part: 0 for the real part, 1 for the imaginary one.
        """
        value = self.ready(atom, part)
        if isinstance(value, Scalar):
            return value.text
        strides = tuple(0 if a is None else value.strides[a] for a in axes)
        return f"{value.name}[{place(shape, strides, value.offset, counter)}]"

    def flat(self, atom: Any, part: int = 0) -> str:
        """Return the name of a contiguous array of all elements, also if it is one number."""
        value, shape = self.ready(atom, part), atom.aval.shape
        size = math.prod(shape)
        if isinstance(value, Scalar):
            return self.block.define(f"filled({size}, {value.text})")
        if place(shape, value.strides, value.offset, "i") == "i":
            cut = f"{value.name}.subarray(0, {size})"
            return self.block.define(cut) if value.cut else value.name
        name = self.block.define(f"new Float64Array({size})")
        at = place(shape, value.strides, value.offset, "i")
        self.block.say(f"for (let i = 0; i < {size}; i++) {name}[i] = {value.name}[{at}];")
        return name

    def passed(self, atom: Any) -> tuple[str, ...]:
        """Return names to hand to a function or a loop: a number, or a contiguous array."""
        parts = range(len(self.parts(atom)))
        if math.prod(atom.aval.shape) == 1:
            return tuple(self.one(atom, k) for k in parts)
        return tuple(self.flat(atom, k) for k in parts)

    def one(self, atom: Any, part: int = 0) -> str:
        """Return the name of the only element of an argument."""
        value = self.ready(atom, part)
        return value.text if isinstance(value, Scalar) else f"{value.name}[{value.offset}]"

    def elementwise(self, equation: Any) -> tuple[Value, ...]:
        """Write an equation that acts element by element, or hold it back for a loop."""
        out = equation.outvars[0].aval
        size = math.prod(out.shape)
        whole = equation.primitive.name in _REPEATS or any(
            v.aval.dtype.kind == "c" for v in (*equation.invars, *equation.outvars)
        )
        values = [self.parts(atom) for atom in equation.invars]
        if size == 1 or all(isinstance(p, Scalar) for parts in values for p in parts):
            args = [
                tuple(self._number(atom, k, whole) for k in range(len(parts)))
                for atom, parts in zip(equation.invars, values, strict=True)
            ]
            return tuple(Scalar(text) for text in expressions(equation, args))
        args = [
            tuple(self._inside(atom, k, out.shape, whole) for k in range(len(parts)))
            for atom, parts in zip(equation.invars, values, strict=True)
        ]
        return self.held(size, expressions(equation, args))

    def held(self, size: int, elements: Parts) -> tuple[Value, ...]:
        """Hold arrays back for a loop, in which these are their elements at ``i``."""
        made: list[Value] = []
        for element in elements:
            if _ATOM.fullmatch(element) and not _LOCAL.search(element):
                made.append(Scalar(element))
                continue
            member = Pending(size, element, self.block.program.new("t"), [])
            self.block.waiting.setdefault(size, []).append(member)
            made.append(member)
        return tuple(made)

    def _number(self, atom: Any, part: int, whole: bool) -> str:
        """Write a number that is an argument: its expression, if nothing else needs it."""
        value = self.parts(atom)[part]
        if not isinstance(value, Scalar):
            return self.one(atom, part)
        if value.named:
            return value.text
        if whole or self.uses[atom] != 1 or len(value.text) > _LONGEST:
            return self.named(value)
        return value.text

    def _inside(self, atom: Any, part: int, shape: tuple[int, ...], whole: bool) -> str:
        """Write element ``i`` of an argument, inside the loop over the elements of the result."""
        value, own = self.parts(atom)[part], atom.aval.shape
        if isinstance(value, Pending) and value.size == math.prod(shape):
            alone = not value.read and sum(frame.uses[v] for frame, v in value.owners) == 1
            if alone and not whole and len(value.element) <= _LONGEST:
                self.block.waiting[value.size].remove(value)
                return value.element
            value.read = True
            return value.local
        if math.prod(own) == 1:
            return self.one(atom, part)
        if len(own) != len(shape):
            raise NoTranslationError(f"arrays of shapes {own} and {shape} together")
        axes = [k if length > 1 else None for k, length in enumerate(own)]
        return self.element(atom, "i", shape, axes, part)
