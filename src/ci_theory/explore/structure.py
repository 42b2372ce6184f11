"""Primitives of JAX that move, join or sum: each a function of a frame and an equation.

Each returns the value of every result. Views cost nothing; the other loops are written out.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from ci_theory.explore.calls import CALLS, Results, named_array, size_of
from ci_theory.explore.elementwise import COMPLEX, NoTranslationError
from ci_theory.explore.frame import Array, Frame, Pending, Scalar, Value, place, strides_of


def _view(
    change: Callable[[Any, tuple[int, ...]], tuple[tuple[int, ...], int]],
) -> Callable[[Frame, Any], Results]:
    """Make a rule of a change of strides: (equation, strides) -> strides, what to add to offset."""

    def rule(frame: Frame, equation: Any) -> Results:
        made: list[Value] = []
        size = size_of(equation.invars[0])
        cut = any(size_of(out) < size for out in equation.outvars)
        for part in range(len(frame.parts(equation.invars[0]))):
            value = frame.ready(equation.invars[0], part)
            if isinstance(value, Array):
                strides, shift = change(equation, value.strides)
                shifted = f"{value.offset} + {shift}" if value.offset != "0" else str(shift)
                offset = shifted if shift else value.offset
                value = Array(value.name, strides, offset, value.cut or cut)
            made.append(value)
        return [tuple(made)]

    return rule


def _broadcast(equation: Any, strides: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    made = [0] * len(equation.params["shape"])
    own = equation.invars[0].aval.shape
    for k, axis in enumerate(equation.params["broadcast_dimensions"]):
        made[axis] = strides[k] if own[k] > 1 else 0
    return tuple(made), 0


def _transpose(equation: Any, strides: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    return tuple(strides[k] for k in equation.params["permutation"]), 0


def _slice(equation: Any, strides: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    steps = equation.params["strides"] or (1,) * len(strides)
    start = equation.params["start_indices"]
    shift = sum(int(a) * s for a, s in zip(start, strides, strict=True))
    return tuple(int(a) * s for a, s in zip(steps, strides, strict=True)), shift


def _reverse(equation: Any, strides: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    shape, turned = equation.invars[0].aval.shape, equation.params["dimensions"]
    shift = sum((shape[k] - 1) * strides[k] for k in turned)
    return tuple(-s if k in turned else s for k, s in enumerate(strides)), shift


def _reshape(frame: Frame, equation: Any) -> Results:
    """Keep the elements in their order: only what is no contiguous array is copied."""
    (atom, *_), (out,) = equation.invars, equation.outvars
    old, new = atom.aval.shape, out.aval.shape
    long = [k for k, length in enumerate(old) if length > 1]
    made: list[Value] = []
    for k, value in enumerate(frame.parts(atom)):
        if isinstance(value, Pending):
            made.append(value)
        elif isinstance(value, Scalar):
            frame.named(value)
            made.append(value)
        elif [old[i] for i in long] == [length for length in new if length > 1]:
            kept = iter([value.strides[i] for i in long])
            strides = tuple(next(kept) if length > 1 else 0 for length in new)
            made.append(dataclasses.replace(value, strides=strides))
        else:
            made.append(Array(frame.flat(atom, k), strides_of(new)))
    return [tuple(made)]


def _split(frame: Frame, equation: Any) -> Results:
    axis, start, made = equation.params["axis"], 0, []
    for length in equation.params["sizes"]:

        def cut(_: Any, strides: tuple[int, ...], start: int = start) -> tuple[tuple, int]:
            return strides, start * strides[axis]

        made.extend(_view(cut)(frame, equation))
        start += int(length)
    return made


def _iota(frame: Frame, equation: Any) -> Results:
    shape, axis = equation.outvars[0].aval.shape, equation.params["dimension"]
    strides = tuple(int(k == axis) for k in range(len(shape)))
    size = math.prod(shape)
    if size == 1:
        return [(Scalar("0"),)]
    at = place(shape, strides, "0", "i")
    return [frame.held(size, (f"({at})",))]


def _new(frame: Frame, size: int, fill: str = "") -> str:
    text = f"filled({size}, {fill})" if fill else f"new Float64Array({size})"
    return frame.block.define(text)


def _put(frame: Frame, target: str, atom: Any, part: int, strides: Any, offset: str) -> None:
    """Write all elements of an argument into a strided part of an array."""
    shape = atom.aval.shape
    source = frame.element(atom, "i", shape, range(len(shape)), part)
    size = math.prod(shape)
    if size == 1:
        return frame.block.say(f"{target}[{offset}] = {frame.one(atom, part)};")
    at = place(shape, strides, offset, "i")
    return frame.block.say(f"for (let i = 0; i < {size}; i++) {target}[{at}] = {source};")


def _concatenate(frame: Frame, equation: Any) -> Results:
    shape, axis = equation.outvars[0].aval.shape, equation.params["dimension"]
    made: list[Value] = []
    for part in range(len(frame.parts(equation.invars[0]))):
        if all(size_of(atom) == 1 for atom in equation.invars):
            each = [frame.one(atom, part) for atom in equation.invars]
            name = frame.block.define(f"Float64Array.of({', '.join(each)})")
        else:
            for atom in equation.invars:
                frame.ready(atom, part)
            name, start = _new(frame, math.prod(shape)), 0
            for atom in equation.invars:
                if size_of(atom):
                    offset = str(start * strides_of(shape)[axis])
                    _put(frame, name, atom, part, strides_of(shape), offset)
                start += atom.aval.shape[axis]
        made.append(named_array(name, math.prod(shape), shape))
    return [tuple(made)]


def _pad(frame: Frame, equation: Any) -> Results:
    atom, fill = equation.invars
    shape, config = equation.outvars[0].aval.shape, equation.params["padding_config"]
    if any(low < 0 or high < 0 for low, high, _ in config):
        raise NoTranslationError("a negative padding")
    own = strides_of(shape)
    strides = tuple(s * (int(gap) + 1) for s, (_, _, gap) in zip(own, config, strict=True))
    offset = str(sum(s * int(low) for s, (low, _, _) in zip(own, config, strict=True)))
    made: list[Value] = []
    for part in range(len(frame.parts(atom))):
        frame.ready(atom, part)
        name = _new(frame, math.prod(shape), frame.one(fill, part))
        if size_of(atom):
            _put(frame, name, atom, part, strides, offset)
        made.append(named_array(name, math.prod(shape), shape))
    return [tuple(made)]


def _start(frame: Frame, starts: Any, shape: Any, sizes: Any, strides: Any, offset: str) -> str:
    """Write the offset of a slice whose start is computed, kept inside as JAX keeps it."""
    terms = [offset] if offset != "0" else []
    for start, length, size, stride in zip(starts, shape, sizes, strides, strict=True):
        if length > size:
            inside = f"Math.min(Math.max({frame.one(start)}, 0), {length - size})"
            terms.append(f"{inside} * {stride}")
    return frame.block.define(" + ".join(terms)) if terms else "0"


def _dynamic_slice(frame: Frame, equation: Any) -> Results:
    atom, *starts = equation.invars
    shape, sizes = atom.aval.shape, equation.outvars[0].aval.shape
    made: list[Value] = []
    for part in range(len(frame.parts(atom))):
        value = frame.ready(atom, part)
        if isinstance(value, Array):
            offset = _start(frame, starts, shape, sizes, value.strides, value.offset)
            value = Array(value.name, value.strides, offset, cut=True)
        made.append(value)
    return [tuple(made)]


def _dynamic_update_slice(frame: Frame, equation: Any) -> Results:
    atom, update, *starts = equation.invars
    shape = atom.aval.shape
    made: list[Value] = []
    for part in range(len(frame.parts(atom))):
        frame.ready(update, part)
        name = frame.block.define(f"{frame.flat(atom, part)}.slice()")
        offset = _start(frame, starts, shape, update.aval.shape, strides_of(shape), "0")
        _put(frame, name, update, part, strides_of(shape), offset)
        made.append(named_array(name, math.prod(shape), shape))
    return [tuple(made)]


_FOLDS = {
    "reduce_sum": ("0", "{0} += {1}"),
    "reduce_prod": ("1", "{0} *= {1}"),
    "reduce_max": ("-Infinity", "{0} = Math.max({0}, {1})"),
    "reduce_min": ("Infinity", "{0} = Math.min({0}, {1})"),
    "reduce_and": ("1", "{0} &= {1}"),
    "reduce_or": ("0", "{0} |= {1}"),
}
_OF_TRUTH = ("reduce_and", "reduce_or")


def _element(value: Any, kept: Any, shape: Any, summed: Any, inner: Any) -> str:
    """Return the text of the element of a value at the i-th place of a shape and the j-th inside.

    Args:
        value: of an operand.
        kept: its axis along each axis of the shape, None for one that it does not have.
        shape: of what is made.
        summed: its axes along those of ``inner``.
        inner: shape of what is summed over.
    """
    if isinstance(value, Scalar):
        return value.text
    far = tuple(0 if k is None else value.strides[k] for k in kept)
    base = place(shape, far, value.offset, "i")
    at = place(inner, tuple(value.strides[k] for k in summed), "0", "j")
    both = at if base == "0" else base if at == "0" else f"{base} + {at}"
    return f"{value.name}[{both}]"


def _reduce(frame: Frame, equation: Any) -> Results:
    (atom,), (out,) = equation.invars, equation.outvars
    name, kind = equation.primitive.name, atom.aval.dtype.kind
    begin, fold = _FOLDS[name]
    shape, axes = atom.aval.shape, equation.params["axes"]
    if name in ("reduce_max", "reduce_min") and kind == "b":
        raise NoTranslationError("extremes of truth values")
    if (kind == "c" and name != "reduce_sum") or (kind != "b" and name in _OF_TRUTH):
        raise NoTranslationError(f"{name} of these numbers")
    kept = [k for k in range(len(shape)) if k not in axes]
    inner = tuple(shape[k] for k in axes)
    made: list[Value] = []
    for part in range(len(frame.parts(atom))):
        value = frame.ready(atom, part)
        source = _element(value, kept, out.aval.shape, axes, inner)
        if math.prod(inner) == 1 and size_of(out) == 1:
            made.append(Scalar(source))
            continue
        made.append(_folded(frame, out, math.prod(inner), begin, fold, source))
    return [tuple(made)]


def _folded(frame: Frame, out: Any, count: int, begin: str, fold: str, source: str) -> Value:
    """Write loops over elements ``i`` of the result and over what is put together, ``j``."""
    block, size = frame.block, size_of(out)
    name = block.program.new()
    if size == 1:
        block.say(f"let {name} = {begin};")
        block.say(f"for (let j = 0; j < {count}; j++) {fold.format(name, source)};")
        return Scalar(name)
    block.say(f"const {name} = new Float64Array({size});")
    block.say(f"for (let i = 0; i < {size}; i++) {{")
    block.say(f"let s = {begin};", 1)
    block.say(f"for (let j = 0; j < {count}; j++) {fold.format('s', source)};", 1)
    block.say(f"{name}[i] = s;", 1)
    block.say("}")
    return Array(name, strides_of(out.aval.shape))


def _dot_general(frame: Frame, equation: Any) -> Results:
    left, right = equation.invars
    (own, others), (batch, batches) = equation.params["dimension_numbers"]
    free = [k for k in range(left.aval.ndim) if k not in (*own, *batch)]
    frees = [k for k in range(right.aval.ndim) if k not in (*others, *batches)]
    out = equation.outvars[0]
    sides = (
        (left, [*batch, *free, *[None] * len(frees)], own),
        (right, [*batches, *[None] * len(free), *frees], others),
    )
    inner = tuple(left.aval.shape[k] for k in own)
    texts = []
    for atom, axes, summed in sides:
        parts = []
        for part in range(len(frame.parts(atom))):
            value = frame.ready(atom, part)
            parts.append(_element(value, axes, out.aval.shape, summed, inner))
        texts.append(tuple(parts))
    if out.aval.dtype.kind == "c":
        products = COMPLEX["mul"](*((t[0], t[1] if len(t) > 1 else "0") for t in texts))
    else:
        products = (f"{texts[0][0]} * {texts[1][0]}",)
    count = math.prod(inner)
    return [tuple(_folded(frame, out, count, "0", "{0} += {1}", p) for p in products)]


def _part(which: int) -> Callable[[Frame, Any], Results]:
    """Make a rule that takes the real or the imaginary part."""
    return lambda frame, equation: [(_ready(frame, equation.invars[0], which),)]


def _ready(frame: Frame, atom: Any, part: int) -> Value:
    value = frame.parts(atom)[part]
    if isinstance(value, Scalar):
        frame.named(value)
    return value


def _tile(frame: Frame, equation: Any) -> Results:
    (atom,), shape = equation.invars, equation.outvars[0].aval.shape
    own = atom.aval.shape
    if any(length not in (1, new) for length, new in zip(own, shape, strict=True)):
        raise NoTranslationError("tiles of more than one element")
    return _view(lambda _, strides: (_stretched(own, strides), 0))(frame, equation)


def _stretched(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(s if length > 1 else 0 for length, s in zip(shape, strides, strict=True))


RULES: dict[str, Callable[[Frame, Any], Results]] = {
    "broadcast_in_dim": _view(_broadcast),
    "transpose": _view(_transpose),
    "slice": _view(_slice),
    "rev": _view(_reverse),
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "split": _split,
    "tile": _tile,
    "iota": _iota,
    "concatenate": _concatenate,
    "pad": _pad,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    **dict.fromkeys(_FOLDS, _reduce),
    "dot_general": _dot_general,
    **CALLS,
    "real": _part(0),
    "imag": _part(1),
}
