"""At which value of a knob does a prediction reach a level? Clean rows needed, noise tolerated."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ci_theory._errors import BadInput, unknown
from ci_theory._record import Axis, Kind
from ci_theory._shown import table
from ci_theory._types import needs_float64
from ci_theory.phenomena._base import Phenomenon, loaded
from ci_theory.phenomena._predict import predict
from ci_theory.phenomena._speaking import speaking, spoken

PLACES = 64
"""Values tried over a range, and again inside each interval that holds a solution."""

ZOOMS = 12
"""Times that an interval is divided at most: 63^12 is beyond the rounding of any range."""

DECADES = 9.0
"""Powers of ten on either side of the default that are tried where a field has no end there."""

STATIC_DECADES = 1.0
"""The same for static fields, for whose values the theory may be prepared one by one."""

CLOSE = 1e-3
"""Share of its change between two values tried that a curve may make over the last interval."""

SAME = 1e-9
"""Relative distance within which two solutions are one."""

EXACT = 1e-12
"""Relative distance from the level at which a value is the level."""


class Solution(NamedTuple):
    """One value of the knob.

    Attributes:
        at: the value; of a whole number, the first that is at the level or beyond it.
        value: of the prediction there.
        rising: whether the prediction rises through the level, or from it, with the knob.
        judged: whether a check would judge the prediction there: it is within its scope.
    """

    at: float
    value: float
    rising: bool
    judged: bool


class Solutions(NamedTuple):
    """All that a scan of a knob finds, which may be nothing.

    Attributes:
        prediction: whose curve it is.
        knob: dotted name of the field.
        level: what is to be reached.
        tried: lowest and highest value of the knob at which the prediction speaks.
        reached: lowest and highest value that it takes between them.
        found: the solutions, rising in the knob.
        jumps: values of the knob at which the curve jumps over the level.
        stays: stretches, from and to, of which all values tried are at the level.
    """

    prediction: str
    knob: str
    level: float
    tried: tuple[float, float]
    reached: tuple[float, float]
    found: tuple[Solution, ...]
    jumps: tuple[float, ...]
    stays: tuple[tuple[float, float], ...] = ()

    def _repr_html_(self) -> str:
        columns = [self.knob, self.prediction, "direction", "judged"]
        rows = [
            [f"{s.at:.7g}", f"{s.value:.5g}", "up" if s.rising else "down", s.judged]
            for s in self.found
        ]
        head = f"{self.prediction} = {self.level:g}, by {self.knob}"
        everywhere = "".join(f"; all from {a:.7g} to {b:.7g}" for a, b in self.stays)
        return table(head + everywhere if rows or everywhere else f"{head}: none", columns, rows)


@needs_float64
def solve(
    phenomenon: Phenomenon,
    measure: str,
    level: float,
    knob: str,
    point: Mapping[str, Any] | None = None,
    *,
    within: tuple[float, float] | None = None,
) -> Solutions:
    """Find every value of a knob at which a prediction crosses a level.

    Some hundred values are tried, on a linear and on a logarithmic scale, and each interval whose
    ends lie on different sides of the level is divided further. A value tried that is the level is
    a solution, also at an end of the range; several in a row are a stretch, whose ends are sought.
    A level that is only touched between two of them, and two crossings there, are missed.

    Args:
        phenomenon: the phenomenon.
        measure: a prediction, or a measure: then the prediction that speaks for it.
        level: what its value is to be.
        knob: dotted name of a number.
        point: dotted name -> value of the other fields; what is missing keeps its default.
        within: range of the knob; otherwise that of its field, cut ``DECADES`` powers of ten from
            its default (``STATIC_DECADES`` for a static field).

    Raises:
        BadInput: unknown names, bad values, a knob that has a value in the point or is no number,
            a level that is not finite, an empty range, no value at which the prediction speaks.

    >>> import ci_theory
    >>> ci_theory.enable_float64()
    >>> ridge_peak = ci_theory.load("ridge_peak")
    >>> made = ci_theory.solve(ridge_peak, "test_error", 1.25, "n", {"p": 100, "noise": 1})
    >>> [s.at for s in made.found if not s.rising]
    [500.0]
    """
    curve = _Curve(loaded(phenomenon), measure, knob, dict(point or {}))
    if not math.isfinite(level):
        raise BadInput(f"{measure} = {level}: expected a finite number")
    x = curve.allowed(_range(curve.axis, within))
    y, judged = curve.at(x)
    speaks = np.isfinite(y)
    if not speaks.any():
        raise BadInput(
            f"{phenomenon.name}: no prediction of {measure} speaks for any {knob} in "
            f"[{x[0]:g}, {x[-1]:g}] here: see `ci-theory predict`"
        )
    found: list[Solution] = []
    jumps: list[float] = []
    at_level = _near(y, level)
    for i in _crossed(y, level):
        if not (at_level[i] or at_level[i + 1]):
            _divide(curve, level, (x[i], x[i + 1]), abs(y[i + 1] - y[i]), found, jumps)
    stretches = _stretches(at_level)
    for first, last in stretches:
        if first == last:
            rising = _rises(y, first)
            found.append(Solution(float(x[first]), float(y[first]), rising, bool(judged[first])))
    return Solutions(
        prediction=curve.prediction,
        knob=knob,
        level=float(level),
        tried=(float(x[speaks][0]), float(x[speaks][-1])),
        reached=(float(np.min(y[speaks])), float(np.max(y[speaks]))),
        found=_apart(sorted(found)),
        jumps=tuple(jumps),
        stays=tuple(
            (
                _edge(curve, level, x[max(a - 1, 0)], x[a]),
                _edge(curve, level, x[min(b + 1, len(x) - 1)], x[b]),
            )
            for a, b in stretches
            if a < b
        ),
    )


class _Curve:
    """A prediction as a function of one knob."""

    def __init__(
        self, phenomenon: Phenomenon, measure: str, knob: str, point: dict[str, Any]
    ) -> None:
        axes, predictions = phenomenon.axes, phenomenon.predictions
        if knob not in axes:
            raise unknown("axis", knob, axes, where=phenomenon.name)
        if axes[knob].type not in (int, float):
            raise BadInput(f"{phenomenon.name}: {knob} is no number, so it reaches no level")
        if knob in point:
            raise BadInput(f"{phenomenon.name}: {knob} is sought, so it has no value")
        names = {p.name for p in predictions} | {p.measure for p in predictions}
        if measure not in names:
            raise unknown("prediction", measure, sorted(names), where=phenomenon.name)
        self.phenomenon, self.knob, self.point = phenomenon, knob, point
        self.axis: Axis = axes[knob]
        told = [p.name for p in predictions if p.name == measure]
        self.told = told or [p.name for p in predictions if p.measure == measure]
        self.prediction = self.told[0]

    def allowed(self, values: Sequence[float]) -> np.ndarray:
        """Return the values that the phenomenon's rules allow together with the other fields."""
        told, good = None, []
        for value in values:
            try:
                self.phenomenon.point({**self.point, self.knob: value})
                good.append(value)
            except BadInput as problem:
                told = told or problem
        if not good and told is not None:
            raise told
        return np.array(good, float)

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the values, NaN where the prediction does not speak, and whether they are judged.

        The first call decides which of several predictions of a measure speaks.
        """
        made = predict(self.phenomenon, {**self.point, self.knob: self._own(x)})
        curves = [spoken(made[name].estimate) for name in self.told]
        which = speaking(curves) if len(self.told) > 1 else 0
        self.prediction = self.told[which or 0]
        self.told = [self.prediction]
        return curves[which or 0], made[self.prediction].estimate.valid

    def _own(self, x: np.ndarray) -> list:
        return [self.axis.type(v) for v in x]


def _range(axis: Axis, within: tuple[float, float] | None) -> list[float]:
    """Return the values to try, rising: linear and logarithmic ones, if both have a meaning."""
    scale = abs(float(axis.default)) or 1.0
    reach = scale * 10 ** (STATIC_DECADES if axis.kind is Kind.STATIC else DECADES)
    bottom = axis.low if axis.low is not None else axis.above
    low = -reach if bottom is None else bottom
    high = reach if axis.high is None else min(axis.high, max(reach, low))
    if within is not None:
        low, high = within
        told = axis.problem(axis.type(low)) or axis.problem(axis.type(high))
        if not low < high or told:
            raise BadInput(f"{axis.name} within [{low:g}, {high:g}]: {told or 'low < high'}")
    values = {low, high}
    least = scale * scale / reach
    for sign, near, far in ((1, max(low, 0.0), high), (-1, max(-high, 0.0), -low)):
        near = near or min(least, far)
        if far > near > 0:
            values |= {sign * v for v in np.geomspace(near, far, PLACES)}
    if high - low <= 100 * scale:
        values |= set(np.linspace(low, high, PLACES))
    if low <= 0 <= high:
        values.add(0.0)
    if axis.type is int:
        values = {float(round(v)) for v in values}
    return sorted(float(v) for v in values if axis.problem(axis.type(v)) is None)


def _apart(found: Sequence[Solution]) -> tuple[Solution, ...]:
    """Take solutions a rounding error apart for one: there the curve is its own noise.

    >>> one, other = (Solution(at, 0.0, up, True) for at, up in ((9.0, True), (9.0 + 2e-15, False)))
    >>> [s.at for s in _apart([one, other, one, one._replace(at=10.0)])]
    [9.0, 10.0]
    """
    kept: list[Solution] = []
    for one in found:
        if not kept or abs(one.at - kept[-1].at) > SAME * abs(one.at):
            kept.append(one)
    return tuple(kept)


def _crossed(y: np.ndarray, level: float) -> np.ndarray:
    """Return where a curve crosses the level between a value and the next."""
    speaks, under = np.isfinite(y), y < level
    return np.flatnonzero(speaks[:-1] & speaks[1:] & (under[:-1] != under[1:]))


def _near(y: np.ndarray, level: float) -> np.ndarray:
    """Say which values are the level, but for rounding."""
    return np.abs(y - level) <= EXACT * max(abs(level), np.finfo(float).tiny)


def _stretches(there: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and the last place of each run of true values.

    >>> _stretches(np.array([True, False, True, True]))
    [(0, 0), (2, 3)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _rises(y: np.ndarray, i: int) -> bool:
    """Say whether a curve rises about a value, or to the one side on which it speaks."""
    around = y[max(i - 1, 0) : i + 2]
    around = around[np.isfinite(around)]
    return bool(around[-1] > around[0])


def _edge(curve: _Curve, level: float, away: float, there: float) -> float:
    """Return how far a stretch at the level goes on from a place of it, towards one beyond it."""
    for _ in range(ZOOMS):
        x = np.linspace(there, away, PLACES)
        x = np.round(x) if curve.axis.type is int else x
        x = x[np.append(True, np.diff(x) != 0)]
        if len(x) <= 2:
            break
        y, _ = curve.at(x)
        last = max(int(np.argmin(_near(y, level))) - 1, 0)  # before the first that is not there
        there, away = x[last], x[last + 1]
    return float(there)


def _divide(
    curve: _Curve,
    level: float,
    ends: tuple[float, float],
    change: float,
    found: list[Solution],
    jumps: list[float],
    depth: int = 0,
) -> None:
    """Divide an interval that holds a crossing until it can be divided no more."""
    a, b = ends
    whole = curve.axis.type is int
    x = np.geomspace(a, b, PLACES) if 0 < 2 * a < b else np.linspace(a, b, PLACES)
    x = np.unique(np.round(x)) if whole else np.unique(x)
    y, judged = curve.at(x)
    near = _near(y, level)
    last = len(x) <= 2 or depth == ZOOMS
    for i in _crossed(y, level):
        rising, met = bool(y[i + 1] > y[i]), near[i] or near[i + 1]
        if not (last or met):
            _divide(curve, level, (x[i], x[i + 1]), change, found, jumps, depth + 1)
        elif not (whole or met) and abs(y[i + 1] - y[i]) > CLOSE * change:
            jumps.append(float(x[i + 1]))
        else:
            nearer = abs(y[i] - level) < abs(y[i + 1] - level)
            at = i if near[i] or (nearer and not whole) else i + 1
            found.append(Solution(float(x[at]), float(y[at]), rising, bool(judged[at])))
