"""Primitives of JAX that move, select, sum or factorise: each a function of a frame, an equation.

Each returns the value of every result. Views cost nothing; loops are written out; what is rare
(gather, sort, linear algebra) calls the runtime.
"""

import json
import math
from collections.abc import Callable
from typing import Any

from ci_theory.explore.elementwise import COMPLEX, NoTranslationError
from ci_theory.explore.frame import Array, Frame, Pending, Scalar, Value, place, strides_of

Results = list[tuple[Value, ...]]


def _size(atom: Any) -> int:
    return math.prod(atom.aval.shape)


def _js(value: Any) -> str:
    """Write numbers, lists and texts; numpy's whole numbers are numbers."""
    return json.dumps(value, default=lambda number: number.item())


def _view(
    change: Callable[[Any, tuple[int, ...]], tuple[tuple[int, ...], int]],
) -> Callable[[Frame, Any], Results]:
    """Make a rule of a change of strides: (equation, strides) -> strides, what to add to offset."""

    def rule(frame: Frame, equation: Any) -> Results:
        made: list[Value] = []
        for part in range(len(frame.parts(equation.invars[0]))):
            value = frame.ready(equation.invars[0], part)
            if isinstance(value, Array):
                strides, shift = change(equation, value.strides)
                shifted = f"{value.offset} + {shift}" if value.offset != "0" else str(shift)
                value = Array(value.name, strides, shifted if shift else value.offset)
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
            made.append(Array(value.name, strides, value.offset))
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


def _array(name: str, size: int, shape: tuple[int, ...]) -> Value:
    """Return an array by its name; one element is a number."""
    return Scalar(f"{name}[0]") if size == 1 else Array(name, strides_of(shape))


def _concatenate(frame: Frame, equation: Any) -> Results:
    shape, axis = equation.outvars[0].aval.shape, equation.params["dimension"]
    made: list[Value] = []
    for part in range(len(frame.parts(equation.invars[0]))):
        if all(_size(atom) == 1 for atom in equation.invars):
            each = [frame.one(atom, part) for atom in equation.invars]
            name = frame.block.define(f"Float64Array.of({', '.join(each)})")
        else:
            for atom in equation.invars:
                frame.ready(atom, part)
            name, start = _new(frame, math.prod(shape)), 0
            for atom in equation.invars:
                if _size(atom):
                    offset = str(start * strides_of(shape)[axis])
                    _put(frame, name, atom, part, strides_of(shape), offset)
                start += atom.aval.shape[axis]
        made.append(_array(name, math.prod(shape), shape))
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
        if _size(atom):
            _put(frame, name, atom, part, strides, offset)
        made.append(_array(name, math.prod(shape), shape))
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
            value = Array(value.name, value.strides, offset)
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
        made.append(_array(name, math.prod(shape), shape))
    return [tuple(made)]


_FOLDS = {
    "reduce_sum": ("0", "{0} += {1}"),
    "reduce_prod": ("1", "{0} *= {1}"),
    "reduce_max": ("-Infinity", "{0} = Math.max({0}, {1})"),
    "reduce_min": ("Infinity", "{0} = Math.min({0}, {1})"),
    "reduce_and": ("1", "{0} &= {1}"),
    "reduce_or": ("0", "{0} |= {1}"),
}


def _reduce(frame: Frame, equation: Any) -> Results:
    (atom,), (out,) = equation.invars, equation.outvars
    begin, fold = _FOLDS[equation.primitive.name]
    shape, axes = atom.aval.shape, equation.params["axes"]
    if equation.primitive.name in ("reduce_max", "reduce_min") and out.aval.dtype.kind == "b":
        raise NoTranslationError("extremes of truth values")
    kept = [k for k in range(len(shape)) if k not in axes]
    inner = tuple(shape[k] for k in axes)
    made: list[Value] = []
    for part in range(len(frame.parts(atom))):
        value = frame.ready(atom, part)
        if isinstance(value, Scalar):
            source = value.text
        else:
            far = tuple(value.strides[k] for k in kept)
            near = tuple(value.strides[k] for k in axes)
            base = place(out.aval.shape, far, value.offset, "i")
            at = place(inner, near, "0", "j")
            both = at if base == "0" else base if at == "0" else f"{base} + {at}"
            source = f"{value.name}[{both}]"
        if math.prod(inner) == 1 and _size(out) == 1:
            made.append(Scalar(source))
            continue
        made.append(_folded(frame, out, math.prod(inner), begin, fold, source))
    return [tuple(made)]


def _folded(frame: Frame, out: Any, count: int, begin: str, fold: str, source: str) -> Value:
    """Write loops over elements ``i`` of the result and over what is put together, ``j``."""
    block, size = frame.block, _size(out)
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
            if isinstance(value, Scalar):
                parts.append(value.text)
                continue
            far = tuple(0 if k is None else value.strides[k] for k in axes)
            near = tuple(value.strides[k] for k in summed)
            base = place(out.aval.shape, far, value.offset, "i")
            at = place(inner, near, "0", "j")
            both = at if base == "0" else base if at == "0" else f"{base} + {at}"
            parts.append(f"{value.name}[{both}]")
        texts.append(tuple(parts))
    if out.aval.dtype.kind == "c":
        products = COMPLEX["mul"](*((t[0], t[1] if len(t) > 1 else "0") for t in texts))
    else:
        products = (f"{texts[0][0]} * {texts[1][0]}",)
    count = math.prod(inner)
    return [tuple(_folded(frame, out, count, "0", "{0} += {1}", p) for p in products)]


def _called(frame: Frame, out: Any, call: str) -> Value:
    """Call a function of the runtime that makes one array."""
    return _array(frame.block.define(call), _size(out), out.aval.shape)


def _gather(frame: Frame, equation: Any) -> Results:
    atom, indices = equation.invars
    numbers, params = equation.params["dimension_numbers"], equation.params
    out = equation.outvars[0]
    how = {
        "x": atom.aval.shape,
        "at": indices.aval.shape,
        "out": out.aval.shape,
        "sizes": params["slice_sizes"],
        "offset": numbers.offset_dims,
        "collapsed": numbers.collapsed_slice_dims,
        "start": numbers.start_index_map,
        "batch": numbers.operand_batching_dims,
        "batches": numbers.start_indices_batching_dims,
        "filled": str(params["mode"]).endswith("FILL_OR_DROP"),
        "fill": params["fill_value"],
    }
    if how["filled"] and how["fill"] is None:
        if out.aval.dtype.kind != "f":
            raise NoTranslationError("what is outside of an array of whole numbers")
        how["fill"] = math.nan
    at = frame.flat(indices)
    each = range(len(frame.parts(atom)))
    return [
        tuple(_called(frame, out, f"gather({frame.flat(atom, k)}, {at}, {_js(how)})") for k in each)
    ]


def _scatter(frame: Frame, equation: Any) -> Results:
    atom, indices, updates = equation.invars
    numbers, mode = equation.params["dimension_numbers"], str(equation.params["mode"])
    how = {
        "x": atom.aval.shape,
        "at": indices.aval.shape,
        "update": updates.aval.shape,
        "window": numbers.update_window_dims,
        "inserted": numbers.inserted_window_dims,
        "start": numbers.scatter_dims_to_operand_dims,
        "batch": numbers.operand_batching_dims,
        "batches": numbers.scatter_indices_batching_dims,
        "clip": mode.endswith("CLIP"),
        "add": equation.primitive.name == "scatter-add",
    }
    at = frame.flat(indices)
    made = [
        _called(
            frame,
            equation.outvars[0],
            f"scatter({frame.flat(atom, k)}, {at}, {frame.flat(updates, k)}, {_js(how)})",
        )
        for k in range(len(frame.parts(atom)))
    ]
    return [tuple(made)]


def _several(frame: Frame, equation: Any, call: str) -> Results:
    """Call a function of the runtime that makes a list of arrays."""
    names = [frame.block.program.new() for _ in equation.outvars]
    frame.block.say(f"const [{', '.join(names)}] = {call};")
    return [
        (_array(name, _size(out), out.aval.shape),)
        for name, out in zip(names, equation.outvars, strict=True)
    ]


def _sort(frame: Frame, equation: Any) -> Results:
    each = ", ".join(frame.flat(atom) for atom in equation.invars)
    shape, params = equation.invars[0].aval.shape, equation.params
    how = f"{_js(shape)}, {params['dimension']}, {params['num_keys']}"
    return _several(frame, equation, f"sorted([{each}], {how})")


def _top_k(frame: Frame, equation: Any) -> Results:
    (atom,) = equation.invars
    if equation.params.get("axis", -1) not in (-1, atom.aval.ndim - 1):
        raise NoTranslationError("top_k along another axis than the last")
    last = atom.aval.shape[-1]
    call = f"topK({frame.flat(atom)}, {last}, {equation.params['k']})"
    return _several(frame, equation, call)


def _along(frame: Frame, equation: Any) -> Results:
    """Call what goes along one axis: argmax, argmin, cumulative sums and their like."""
    (atom,), params = equation.invars, equation.params
    axis = params["axes"][0] if "axes" in params else params["axis"]
    shape = _js(atom.aval.shape)
    how = f"{shape}, {axis}, {_js(equation.primitive.name)}, {_js(params.get('reverse', False))}"
    call = f"along({frame.flat(atom)}, {how})"
    return [(_called(frame, equation.outvars[0], call),)]


def _linear_algebra(frame: Frame, equation: Any) -> Results:
    name, params = equation.primitive.name, equation.params
    if any(atom.aval.dtype.kind == "c" for atom in equation.invars):
        raise NoTranslationError(f"{name} of complex matrices")
    rows, columns = equation.invars[0].aval.shape[-2:]
    each = ", ".join(frame.flat(atom) for atom in equation.invars)
    if name == "triangular_solve":
        flags = ("left_side", "lower", "transpose_a", "unit_diagonal")
        given = _js([int(params[k]) for k in flags])
        shape = _js(equation.invars[1].aval.shape[-2:])
        call = f"triangularSolve({each}, {shape}, {given})"
        return [(_called(frame, equation.outvars[0], call),)]
    if name == "cholesky":
        return [(_called(frame, equation.outvars[0], f"cholesky({each}, {rows})"),)]
    if name == "eigh" and params.get("subset_by_index") is not None:
        raise NoTranslationError("some eigenvalues only")
    size = f"{rows}, {columns}" if name == "lu" else f"{rows}"
    return _several(frame, equation, f"{name}({each}, {size})")


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
    "gather": _gather,
    "scatter": _scatter,
    "scatter-add": _scatter,
    "sort": _sort,
    "top_k": _top_k,
    **dict.fromkeys(("argmax", "argmin", "cumsum", "cumprod", "cummax", "cummin"), _along),
    **dict.fromkeys(("lu", "triangular_solve", "cholesky", "eigh"), _linear_algebra),
    "real": _part(0),
    "imag": _part(1),
}
