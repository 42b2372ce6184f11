"""Laws of a simulation. Each says in a line what contradicts it, or returns None."""

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from ci_theory import _keys
from ci_theory._keys import key_for
from ci_theory.phenomena._blame import written_at
from ci_theory.testing.case import KEYS, Case, differs, plain

CLOSE = 1e-8
"""Differences that the order of additions makes, as a share of a measure's largest value."""

COMPILED = 1e-6
"""The same between programs that the compiler arranges differently."""

PLATFORMS = ("cpu", "cuda", "tpu")
"""What a simulation must be able to run on; none of them is needed to see whether it is."""

_NEAR = 2  # callers that tell two uses apart: who asks for the stream, and who calls that


def shapes(case: Case) -> str | None:
    """Trace a run and look at what it returns."""
    record, written = case.phenomenon.measures, written_at(case.phenomenon.simulate)
    found = jax.eval_shape(case.simulate(case.capacity), key_for(*KEYS[0]), case.moving)
    if not isinstance(found, record):
        kind = type(found).__name__
        return f"simulate returns {kind}, expected {record.__name__} ({written})"
    wanted = (2,) if case.inner else ()
    for field in dataclasses.fields(record):
        value = getattr(found, field.name)
        shape, dtype = np.shape(value), getattr(value, "dtype", np.dtype(type(value)))
        if shape != wanted:
            inside = f"{wanted}, a number for each inner value" if wanted else "(), one number"
            return f"measure {field.name} has shape {shape}, expected {inside} ({written})"
        if not jnp.issubdtype(dtype, jnp.number) or jnp.issubdtype(dtype, jnp.complexfloating):
            return f"measure {field.name} is {dtype}, expected real numbers ({written})"
    return None


def streams(case: Case) -> str | None:
    """Trace a run and watch which streams it asks for, and where."""
    uses: dict[tuple[int, str], set[tuple]] = {}
    kept = []

    def watched(key: Any, label: str) -> Any:
        frame, place = sys._getframe(1), []
        for _ in range(_NEAR):
            place.append((frame.f_code.co_filename, frame.f_lineno, frame.f_lasti))
            frame = frame.f_back or frame
        kept.append(key)  # so that no other key gets its id
        uses.setdefault((id(key), label), set()).add(tuple(place))
        return _keys.stream(key, label)

    with _in_place_of_stream(watched):
        jax.eval_shape(case.simulate(case.capacity), key_for(*KEYS[0]), case.moving)
    for (_, label), places in uses.items():
        if len(places) > 1:
            lines = sorted(f"{place[0][0].rpartition('/')[2]}:{place[0][1]}" for place in places)
            return f"stream '{label}' is used {len(places)} times, at {', '.join(lines)}"
    return None


@contextmanager
def _in_place_of_stream(watched: Any) -> Iterator[None]:
    """Give another function to every module that has imported ``stream``."""
    named = [
        (module, name)
        for module in list(sys.modules.values())
        if module is not _keys
        for name, value in list(getattr(module, "__dict__", {}).items())
        if value is _keys.stream
    ]
    try:
        for module, name in named:
            setattr(module, name, watched)
        yield
    finally:
        for module, name in named:
            setattr(module, name, _keys.stream)


def finite(case: Case) -> str | None:
    """Run once."""
    for name, value in case.run().items():
        if not np.all(np.isfinite(value)):
            return f"measure {name} is {value}"
    return None


def keys(case: Case) -> str | None:
    """Run twice with one key, and once with another."""
    first, other = case.run(), case.run(1)
    again = plain(case.program()(key_for(*KEYS[0]), case.moving))
    for name, value in first.items():
        if not np.array_equal(value, again[name], equal_nan=True):
            return f"measure {name} is {value}, and {again[name]} the second time"
    if all(np.array_equal(first[name], other[name]) for name in first):
        return "another key gives the same numbers"
    return None


def compiled(case: Case) -> str | None:
    """Run without compiling."""
    loose = plain(case.simulate(case.capacity)(key_for(*KEYS[0]), case.moving))
    return differs(case.run(), loose, within=COMPILED, what="without jit")


def side_by_side(case: Case) -> str | None:
    """Run two keys under vmap."""
    both = jnp.stack([key_for(*key) for key in KEYS])
    found = plain(jax.vmap(case.program(), in_axes=(0, None))(both, case.moving))
    for i in range(len(KEYS)):
        each = {name: value[i] for name, value in found.items()}
        line = differs(case.run(i), each, within=CLOSE, what=f"under vmap (run {i})")
        if line:
            return line
    return None


def biases(case: Case) -> str | None:
    """Run with every bias at strength 0, its other fields at two values each."""
    for prefix, bias in _biases(case.phenomenon.params):
        off = {prefix + k: v for k, v in bias.OFF.items()}
        off = {k: jnp.full(2, v) if k in case.inner else v for k, v in off.items()}
        idle = {prefix + k: _another(case, prefix + k) for k in bias.IDLE}
        found = case.run(**off, **idle)
        words = ", ".join(f"{k} = {v}" for k, v in idle.items())
        line = differs(case.run(**off), found, within=CLOSE, what=f"with {words} and no such bias")
        if line:
            return f"{bias.__name__}: {line}"
    return None


def _biases(params: type) -> Iterator[tuple[str, Any]]:
    """Yield the biases that a record of parameters and its parts are made of."""
    for bias in params.__mro__:
        if "OFF" in bias.__dict__:
            yield "", bias
    for field in dataclasses.fields(params):
        if field.default_factory is not dataclasses.MISSING:
            for prefix, bias in _biases(type(field.default_factory())):
                yield f"{field.name}.{prefix}", bias


def _another(case: Case, name: str) -> Any:
    """Return another value of a field; a count of copies is one that fits the rows."""
    value, axis = case.point[name], case.phenomenon.axes[name]
    if axis.type is bool:
        return not value
    if axis.type is int:
        return value + 1
    high = axis.high or 2 * value or 1.0
    return 0.5 * (value + (high if value != high else axis.low or 0.0))


def padding(case: Case) -> str | None:
    """Run with longer arrays: all of them first, each one by itself to say which it was."""
    longer = {k: v + v // 3 + 1 for k, v in case.capacity.items()}
    if not longer:
        return None
    alone = [{k: v} for k, v in longer.items()] if len(longer) > 1 else []
    said = None
    for some in [longer, *alone]:
        found = plain(case.program(**some)(key_for(*KEYS[0]), case.moving))
        words = ", ".join(f"{k} of {case.capacity[k]} in an array of {v}" for k, v in some.items())
        line = differs(case.run(), found, within=CLOSE, what=f"with {words}")
        if line is None and some is longer:
            return None
        said = line or said
    return said


def inner(case: Case) -> str | None:
    """Run with the two inner values exchanged, and with each of them twice."""
    if not case.inner:
        return None
    alone = [case.run(**{k: case.point[k][jnp.array([i, i])] for k in case.inner}) for i in (0, 1)]
    for place in (0, 1):
        found = {name: np.stack([one[name][place] for one in alone]) for name in alone[0]}
        line = differs(case.run(), found, within=CLOSE, what="each beside a copy of itself")
        if line:
            return line
    return None


def stages(case: Case) -> str | None:
    """Run in one stage and in two, and as a whole."""
    parts = case.phenomenon.stages
    if parts is None:
        return None
    last = int(np.max(np.asarray(case.point[parts.axis])))
    begin, advance, finish = map(jax.jit, _pieces(case))

    def measured(*stops: int) -> dict[str, np.ndarray]:
        state, since = begin(case.moving), 0
        for until in stops:
            state = advance(case.moving, state, jnp.int32(since), jnp.int32(until))
            since = until
        return plain(finish(case.moving, state))

    whole, halves = measured(last), measured(last // 2, last)
    line = differs(whole, halves, within=0.0, what=f"left at step {last // 2} of {last}")
    return line or differs(case.run(), whole, within=COMPILED, what="in stages")


def _pieces(case: Case) -> tuple[Any, Any, Any]:
    """Return beginning, advance and end of a staged run as functions of the moving fields."""
    parts, key = case.phenomenon.stages, key_for(*KEYS[0])
    assert parts is not None

    def begin(numbers: Any) -> Any:
        return parts.begin(key, case.params(numbers), case.capacity)

    def advance(numbers: Any, state: Any, since: Any, until: Any) -> Any:
        return parts.advance(key, case.params(numbers), case.capacity, state, since, until)

    def finish(numbers: Any, state: Any) -> Any:
        return parts.finish(key, case.params(numbers), case.capacity, state)

    return begin, advance, finish


def accelerators(case: Case) -> str | None:
    """Lower a run, and each stage of a staged one, for every platform."""
    address = key_for(*KEYS[0])
    programs: list[tuple[str, Any, tuple]] = [("a run", case.program(), (address, case.moving))]
    if case.phenomenon.stages is not None:
        begin, advance, finish = map(jax.jit, _pieces(case))
        state = jax.eval_shape(begin, case.moving)
        programs += [
            ("begin", begin, (case.moving,)),
            ("advance", advance, (case.moving, state, jnp.int32(0), jnp.int32(1))),
            ("finish", finish, (case.moving, state)),
        ]
    for name, program, values in programs:
        try:
            jax.export.export(program, platforms=PLATFORMS)(*values)
        except NotImplementedError as problem:  # what a platform has no rule for
            return f"{name} does not lower for {', '.join(PLATFORMS)}: {problem}"
    return None
