"""Primitives of JAX that call the runtime: what is taken, put, sorted, running, or factorised."""

import json
import math
from collections.abc import Callable
from typing import Any

from ci_theory.explore.elementwise import NoTranslationError
from ci_theory.explore.frame import Array, Frame, Scalar, Value, strides_of

Results = list[tuple[Value, ...]]


def size_of(atom: Any) -> int:
    """Return how many elements an argument or a result has."""
    return math.prod(atom.aval.shape)


def named_array(name: str, size: int, shape: tuple[int, ...]) -> Value:
    """Return an array by its name; one element is a number."""
    return Scalar(f"{name}[0]") if size == 1 else Array(name, strides_of(shape))


def _js(value: Any) -> str:
    """Write numbers, lists and texts; numpy's whole numbers are numbers."""
    return json.dumps(value, default=lambda number: number.item())


def _called(frame: Frame, out: Any, call: str) -> Value:
    """Call a function of the runtime that makes one array."""
    return named_array(frame.block.define(call), size_of(out), out.aval.shape)


def _no_complex(equation: Any) -> None:
    if any(atom.aval.dtype.kind == "c" for atom in equation.invars):
        raise NoTranslationError(f"{equation.primitive.name} of complex numbers")


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
        (named_array(name, size_of(out), out.aval.shape),)
        for name, out in zip(names, equation.outvars, strict=True)
    ]


def _sort(frame: Frame, equation: Any) -> Results:
    _no_complex(equation)
    each = ", ".join(frame.flat(atom) for atom in equation.invars)
    shape, params = equation.invars[0].aval.shape, equation.params
    how = f"{_js(shape)}, {params['dimension']}, {params['num_keys']}"
    return _several(frame, equation, f"sorted([{each}], {how})")


def _top_k(frame: Frame, equation: Any) -> Results:
    (atom,) = equation.invars
    if equation.params.get("axis", -1) not in (-1, atom.aval.ndim - 1):
        raise NoTranslationError("top_k along another axis than the last")
    _no_complex(equation)
    last = atom.aval.shape[-1]
    call = f"topK({frame.flat(atom)}, {last}, {equation.params['k']})"
    return _several(frame, equation, call)


def _along(frame: Frame, equation: Any) -> Results:
    """Call what goes along one axis: argmax, argmin, cumulative sums and their like."""
    _no_complex(equation)
    (atom,), params = equation.invars, equation.params
    axis = params["axes"][0] if "axes" in params else params["axis"]
    shape = _js(atom.aval.shape)
    how = f"{shape}, {axis}, {_js(equation.primitive.name)}, {_js(params.get('reverse', False))}"
    call = f"along({frame.flat(atom)}, {how})"
    return [(_called(frame, equation.outvars[0], call),)]


def _linear_algebra(frame: Frame, equation: Any) -> Results:
    _no_complex(equation)
    name, params = equation.primitive.name, equation.params
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


CALLS: dict[str, Callable[[Frame, Any], Results]] = {
    "gather": _gather,
    "scatter": _scatter,
    "scatter-add": _scatter,
    "sort": _sort,
    "top_k": _top_k,
    **dict.fromkeys(("argmax", "argmin", "cumsum", "cumprod", "cummax", "cummin"), _along),
    **dict.fromkeys(("lu", "triangular_solve", "cholesky", "eigh"), _linear_algebra),
}
