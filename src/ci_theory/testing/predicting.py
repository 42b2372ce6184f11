"""Laws of predictions and decoys. Each says in a line what contradicts it, or returns None."""

import functools
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from ci_theory._errors import BadInput, Status
from ci_theory._keys import key_for
from ci_theory._record import Axis, Kind, build
from ci_theory._types import cpu
from ci_theory.phenomena import Phenomenon, predict
from ci_theory.phenomena._forecast import told
from ci_theory.phenomena._predict import Predicted
from ci_theory.testing.case import KEYS, Case

FAR: dict[type, list[Any]] = {int: [10**9], float: [1e9, 1e300]}
"""Values taken for the end of a range that has none."""

CORNERS = 8
"""Points with many fields at an end at once."""

AT_AN_END = 5
"""Corners at which a field is at an end, each of its ends in turn."""

INSIDE = 6
"""Points well inside the ranges, where wrong forms differ that meet again at the ends."""

AT_ONCE = 16
"""Points of one program: few batch shapes for all groups, and little to fill up."""

ROUNDS = 6
"""Times that points inside are drawn for decoys which have not differed yet."""

Point = dict[str, Any]


def pure(case: Case) -> str | None:
    """Trace twice what is compiled once: whatever else it read would be frozen in."""
    phenomenon = case.phenomenon
    run, key = case.simulate(case.capacity), key_for(*KEYS[0])
    if _traced(run, key, case.moving) != _traced(run, key, case.moving):
        return "simulate is another program the second time: it reads or changes something outside"
    point = phenomenon.point(case.at)
    text = {k: v for k, v in point.items() if isinstance(v, str)}
    numbers = {k: np.asarray(v, float) for k, v in point.items() if k not in text}

    def said(numbers: Point, world: Any) -> Any:
        params: Any = build(phenomenon.params, {**numbers, **text})
        return told(phenomenon, params, world)

    with cpu():
        world = phenomenon.prepared(point)
        if _traced(said, numbers, world) != _traced(said, numbers, world):
            return "the predictions are another program the second time: they read what changes"
    return None


def _traced(function: Any, *given: Any) -> tuple[str, list[Any]]:
    """Return the program of a function, and the arrays that it holds, without addresses."""
    made = jax.make_jaxpr(lambda *args: function(*args))(*given)
    return re.sub(r"0x[0-9a-f]+", "", str(made)), [np.asarray(c).tolist() for c in made.consts]


def defaults(case: Case) -> str | None:
    """Look at what the predictions say at the case's own point."""
    _, found = everywhere(case)[0]
    if found and not any(one.estimate.valid[0] for one in found.values()):
        states = (f"{k} {Status(v.estimate.status[0]).name}" for k, v in found.items())
        return f"no prediction is valid ({', '.join(states)})"
    return None


def ranges(case: Case) -> str | None:
    """Evaluate everything at the ends of the declared ranges, alone and many at once."""
    few = (len(moving(case)) - INSIDE) / 3
    for index, (points, found) in enumerate(everywhere(case)):
        if index == 0 and len(points) <= few:
            return f"only {len(points)} of {len(moving(case))} points at ends are not refused"
        for label, predicted in found.items():
            line = _ill(predicted.estimate.status, points)
            if line:
                return f"prediction {label} {line}"
        line = _ill_places(case, points)
        if line:
            return line
    return None


def decoys(case: Case) -> str | None:
    """Compare decoys with their prediction and with each other, wherever both speak.

    Those that were the same at all ends are looked for well inside the ranges, until they differ.
    """
    seen: dict[tuple[str, str, str], set[bool]] = {}
    for _, found in everywhere(case):
        _compared(found, seen)
    rng, names = np.random.default_rng(2), case.phenomenon.names(*Kind)
    axes = {k: case.phenomenon.axes[k] for k in names if k not in case.at}
    for round_ in range(ROUNDS):
        if {True} not in seen.values():
            return None
        numbers = {k: a for k, a in axes.items() if a.kind is Kind.STATIC and a.type is not str}
        static = {k: _inside(a, rng) for k, a in numbers.items()}
        static = static if round_ % 2 else {}
        loose = [k for k, a in axes.items() if a.kind is not Kind.STATIC]
        tried = [
            {**case.at, **static, **{k: _inside(axes[k], rng) for k in loose if rng.random() < 0.5}}
            for _ in range(len(moving(case)))
        ]
        points = list(_allowed(case, tried))
        _compared(_predicted(case, points) if points else {}, seen)
    for (label, a, b), same in seen.items():
        if same == {True}:
            other = f"as decoy {a}" if a else "as the prediction"
            return f"decoy {b} of prediction {label} says the same {other} at every point tried"
    return None


def _compared(found: dict[str, Any], seen: dict[tuple[str, str, str], set[bool]]) -> None:
    """Note whether a decoy says what the prediction (""), or another decoy, says at some points."""
    for label, one in found.items():
        value = np.where(one.estimate.status == Status.OK, one.estimate.value, np.nan)
        told = {"": value, **one.decoys}
        for a, b in itertools.combinations(told, 2):
            both = np.isfinite(told[a]) & np.isfinite(told[b])
            alike = np.isclose(told[a][both], told[b][both], rtol=1e-6, atol=0)
            seen.setdefault((label, a, b), set()).update(alike.tolist())


def ends(case: Case, axis: Axis) -> list[Any]:
    """Return values at the lower and at the upper end of a field."""
    if axis.type is bool:
        return [False, True]
    low: list[Any]
    if axis.low is not None:
        low = [axis.low]
    elif axis.above is not None:
        low = [axis.above + (1 if axis.type is int else 1e-12)]
    else:
        low = [-far for far in FAR[axis.type]]
    high: list[Any] = FAR[axis.type] if axis.high is None else [axis.high]
    if axis.kind is Kind.STATIC:
        unbounded = [8 * max(axis.default, 1)] if axis.high is None else high
        high = [case.high[axis.name]] if axis.name in case.high else unbounded
    return [axis.type(value) for value in low + high]


def moving(case: Case) -> list[Point]:
    """Return points that differ from the case's in fields that need no compilation."""
    return [{}, *_alone(case), *_together(case)]


def _numbers(case: Case) -> dict[str, list[Any]]:
    """Return both ends of every field that needs no compilation."""
    names = case.phenomenon.names(*(kind for kind in Kind if kind is not Kind.STATIC))
    return {k: ends(case, case.phenomenon.axes[k]) for k in names}


def _alone(case: Case) -> list[Point]:
    """Return every end by itself."""
    return [{k: v} for k, values in _numbers(case).items() for v in values]


def _together(case: Case) -> list[Point]:
    """Return points with many fields at an end, each end in some, and points well inside."""
    rng, axes = np.random.default_rng(0), case.phenomenon.axes
    corners: list[Point] = [{} for _ in range(CORNERS)]
    for k, values in _numbers(case).items():
        for i, corner in enumerate(rng.permutation(CORNERS)[:AT_AN_END]):
            corners[corner][k] = values[i % len(values)]
    inside = [
        {k: _inside(axes[k], rng) for k in _numbers(case) if i % 2 or rng.random() < 0.5}
        for i in range(INSIDE)
    ]
    return [*corners, *inside]


def looked_at(case: Case) -> list[list[Point]]:
    """Return the points to evaluate for every one of ``statics_of``, those that are not refused."""
    own = list(_allowed(case, [{**case.at, **p} for p in moving(case)]))
    return [own, *(_beside(case, statics) for statics in statics_of(case) if statics)]


def _beside(case: Case, statics: Point) -> list[Point]:
    """Return the points to try with other static values: every end, alone only if it has to be.

    With the case's own static values each end is tried alone as well as among others. Here it is
    enough to see every pair of a static value and an end: one that no corner shows, because a
    rule refuses those, is tried alone.
    """
    together = list(_allowed(case, [{**case.at, **p, **statics} for p in _together(case)]))
    shown = {item for point in together for item in point.items()}
    alone = [{**case.at, **p, **statics} for p in _alone(case) if not p.items() <= shown]
    return [*_allowed(case, [{**case.at, **statics}, *alone]), *together]


def _inside(axis: Axis, rng: np.random.Generator) -> Any:
    """Return a value that is not far from the default."""
    value: Any
    if axis.type is bool:
        return bool(rng.random() < 0.5)
    if axis.type is int:
        low, high = (axis.default // 2, 2 * axis.default + 2) if axis.default else (1, 64)
        value = int(rng.integers(low, high))
    else:
        value = axis.default * rng.uniform(0.5, 2.0) if axis.default else rng.uniform(0.1, 0.9)
    return axis.default if axis.problem(value) else value


def statics_of(case: Case) -> list[Point]:
    """Return static values: the case's, others inside, each at its ends, the steepest law."""
    axes = case.phenomenon.axes
    static = {k: axes[k] for k in case.phenomenon.names(Kind.STATIC)}
    rng = np.random.default_rng(1)
    inside = {k: _inside(a, rng) for k, a in static.items() if a.type is not str}
    found: list[Point] = [{}, {k: v for k, v in inside.items() if k not in case.at}]
    found += [{k: v} for k, a in static.items() if a.type is not str for v in ends(case, a)]
    if "power_law" in (static["spectrum"].choices or () if "spectrum" in static else ()):
        steep = {k: axes[k].high for k in ("alpha", "beta") if k in axes}
        found.append({"spectrum": "power_law", **steep})
    return [one for i, one in enumerate(found) if one not in found[:i]]


@functools.lru_cache(maxsize=2)
def _everywhere(case: Case) -> list[tuple[list[Point], dict[str, Any]]]:
    return [(points, _predicted(case, points) if points else {}) for points in looked_at(case)]


def everywhere(case: Case) -> list[tuple[list[Point], dict[str, Any]]]:
    """Return, per static values, the points at ends and all that is said there."""
    return _everywhere(case)


def _allowed(case: Case, points: list[Point]) -> Iterator[Point]:
    """Yield the points that the phenomenon does not refuse: ``point`` raises nothing else."""
    for point in points:
        try:
            case.phenomenon.point(point)
        except BadInput:
            continue
        yield point


def _predicted(case: Case, points: list[Point]) -> dict[str, Predicted]:
    """Evaluate predictions and decoys at points with the same static values."""
    axes = case.phenomenon.axes
    columns = {k: [p.get(k, a.default) for p in points] for k, a in axes.items()}
    return predict_by(AT_ONCE, case.phenomenon, columns)


def predict_by(
    size: int, phenomenon: Phenomenon, points: Mapping[str, Any]
) -> dict[str, Predicted]:
    """Return what ``predict`` says, asked for ``size`` points at a time, the last one repeated.

    However many points there are, one program is compiled.
    """
    total = max((len(v) for v in points.values() if np.ndim(v)), default=1)
    columns = {k: v if np.ndim(v) else [v] * total for k, v in points.items()}
    parts = []
    for start in range(0, total, size):
        rows = [min(i, total - 1) for i in range(start, start + size)]
        parts.append(predict(phenomenon, {k: [v[i] for i in rows] for k, v in columns.items()}))
    return {name: _joined([part[name] for part in parts], total) for name in parts[0]}


def _joined(parts: list[Predicted], count: int) -> Predicted:
    """Put what is said of some points after the other, without what fills up the last."""
    said = [(part.estimate, part.decoys, part.claimed) for part in parts]
    whole = jax.tree.map(lambda *columns: np.concatenate(columns)[:count], *said)
    return Predicted(parts[0].prediction, *whole)


def _ill(status: np.ndarray, points: list[Point]) -> str | None:
    """Say which status is none, and where; ``predict`` sees to values, slack and validity."""
    for i in np.flatnonzero(~np.isin(status, [int(s) for s in Status]))[:1]:
        where = _words(points[int(i)])
        return f"has the status {status[i]}, which is none, where {where}"
    return None


def _ill_places(case: Case, points: list[Point]) -> str | None:
    """Say which closed form of a break gives no number, and where."""
    phenomenon = case.phenomenon
    for sought in phenomenon.breaks:
        for point in points if sought.closed_form else ():
            full: Any = build(phenomenon.params, phenomenon.point(point))
            try:
                place = sought.closed_form(full)  # type: ignore[misc]
            except ArithmeticError as problem:
                place = problem
            if not isinstance(place, float):
                said = f"gives {place!r}, expected a float, NaN where it says nothing,"
                return f"the closed form of break {sought.name} {said} where {_words(point)}"
    return None


def _words(point: Point) -> str:
    return ", ".join(f"{k} = {v}" for k, v in point.items()) or "all is at its default"
