"""Which knob matters: derivatives of every closed form at a point, each looked at twice.

A forecast is a smooth function of every number that it reads, so JAX differentiates it. A bisection
or a branch inside would give a derivative that is wrong without any sign; so each derivative is
held against difference quotients on both sides, and what does not agree is not reported as one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import BadInput
from ci_theory._record import Axis, Kind, build
from ci_theory._shown import table
from ci_theory._types import Array, cpu, needs_float64
from ci_theory._views import hiding
from ci_theory.biases.whole import unrounded
from ci_theory.phenomena._base import Phenomenon, loaded
from ci_theory.phenomena._forecast import told

STEP = 1e-4
"""Step of a difference quotient, in units of the knob."""

AGREE = 1e-4
"""Relative difference up to which a derivative and a difference quotient are the same."""

NEAR = 0.1
"""The same for the quotients of values that the theory is prepared for one by one."""

FLAT = 1e-6
"""Elasticity below which a difference quotient is rounding."""


class Sensitivity(NamedTuple):
    """What a small change of one knob does to one prediction.

    Attributes:
        prediction: its name.
        measure: whose mean it predicts.
        knob: dotted name of the field.
        at: value of the knob.
        value: of the prediction there.
        slope: d value / d knob; NaN where there is none.
        elasticity: d log |value| / d log |knob|; NaN for a knob or a value of 0.
        how: "derivative"; "differences" where only difference quotients are to be trusted, or the
            knob is one that the theory is prepared for, value by value; "none" where they do not
            settle: a kink, or a place where the prediction does not speak.
    """

    prediction: str
    measure: str
    knob: str
    at: float
    value: float
    slope: float
    elasticity: float
    how: str


class Sensitivities(tuple[Sensitivity, ...]):
    """Sensitivities, the knob that matters most first; a notebook shows them as a table."""

    def _repr_html_(self) -> str:
        columns = ["knob", "at", "prediction", "elasticity", "slope", "how"]
        rows = [
            [s.knob, f"{s.at:.5g}", s.prediction, f"{s.elasticity:.4g}", f"{s.slope:.4g}", s.how]
            for s in self
        ]
        return table("d log(prediction) / d log(knob)", columns, rows)


@needs_float64
def sensitivity(phenomenon: Phenomenon, point: Mapping[str, Any] | None = None) -> Sensitivities:
    """Differentiate every prediction of a phenomenon by every number that it reads.

    Args:
        phenomenon: the phenomenon.
        point: dotted name -> value; what is missing keeps its default.

    Returns:
        One entry a prediction that speaks at the point and a knob; knobs by their largest
        absolute elasticity, falling. Whole numbers are treated as if they could change
        continuously, and counts of rows are not rounded: at 15.4 rows out of 60 a value differs
        a little from that of ``predict``, which has 15. Words and truth values are no knobs.

    Raises:
        BadInput: an unknown name or a bad value; a phenomenon without predictions; none that
            speaks at the point.

    >>> import ci_theory
    >>> ci_theory.enable_float64()
    >>> ridge_peak = ci_theory.load("ridge_peak")
    >>> found = ci_theory.sensitivity(ridge_peak, {"n": 400, "p": 200, "ridge": 0, "noise": 1})
    >>> [(s.knob, round(s.elasticity, 3)) for s in found if s.prediction == "test_error"][:3]
    [('n', -1.0), ('p', 1.0), ('noise', 1.0)]
    """
    full = loaded(phenomenon).point(point or {})
    if not phenomenon.predictions:
        raise BadInput(f"{phenomenon.name}: nothing is predicted, so nothing can be differentiated")
    with cpu():
        found = _Point(phenomenon, full).sensitivities()
    if not found:
        raise BadInput(f"{phenomenon.name}: no prediction speaks at this point: see `predict`")
    return Sensitivities(_by_size(found))


def _by_size(found: Iterable[Sensitivity]) -> list[Sensitivity]:
    found = list(found)
    largest = {s.knob: 0.0 for s in found}
    for s in found:
        if np.isfinite(s.elasticity):
            largest[s.knob] = max(largest[s.knob], abs(s.elasticity))
    return sorted(found, key=lambda s: -largest[s.knob])


class _Point:
    """A point of a phenomenon whose predictions are differentiated."""

    def __init__(self, phenomenon: Phenomenon, full: Mapping[str, Any]) -> None:
        self.phenomenon, self.full = phenomenon, full
        axes = phenomenon.axes
        self.words = {n: v for n, v in full.items() if isinstance(v, str | bool)}
        self.numbers = {n: float(v) for n, v in full.items() if n not in self.words}
        self.axes: dict[str, Axis] = {n: axes[n] for n in self.numbers}
        self.world = phenomenon.prepared(full)
        self.program = jax.jit(self._values)

    def _values(self, numbers: Mapping[str, Any], world: Any) -> dict[str, Any]:
        params: Any = build(self.phenomenon.params, {**numbers, **self.words})
        with unrounded():
            made = told(self.phenomenon, params, world, decoys=False)
        return {name: jnp.asarray(estimate.value, float) for name, (estimate, _) in made.items()}

    def sensitivities(self) -> list[Sensitivity]:
        """Differentiate every prediction that speaks here by every number."""
        value, exact = self._derivatives(self.numbers)
        if any(np.isfinite(value[p]) and self._is_spoiled(slopes) for p, slopes in exact.items()):
            inside = [n for n in self.numbers if not self._is_at_an_end(n)]
            value, exact = self._derivatives(inside)
        measures = {p.name: p.measure for p in self.phenomenon.predictions}
        found = []
        for knob, x in self.numbers.items():
            prepared = self._is_prepared_for(knob)
            one, other = self._anew(knob) if prepared else self._two_sides(knob)
            for name, f in ((n, float(v)) for n, v in value.items() if np.isfinite(v)):
                a = np.nan if prepared else float(exact[name].get(knob, np.nan))
                rounding = FLAT * abs(f) / _scale(self.axes[knob], x)
                near = NEAR if prepared else AGREE
                slope, how = _settled(a, one[name], other[name], near, rounding)
                elastic = slope * x / f if x != 0 and f != 0 else np.nan
                found.append(Sensitivity(name, measures[name], knob, x, f, slope, elastic, how))
        return found

    def _derivatives(self, knobs: Iterable[str]) -> tuple[dict[str, Array], dict[str, dict]]:
        """Return the values, and the derivatives of each by some of the numbers."""
        at = {n: jnp.asarray(v) for n, v in self.numbers.items()}
        moving = {n: at.pop(n) for n in knobs}

        @jax.jit
        def both(moving: Mapping[str, Any], still: Mapping[str, Any], world: Any) -> Any:
            def values(some: Mapping[str, Any]) -> dict[str, Any]:
                return self._values({**still, **some}, world)

            return values(moving), jax.jacfwd(values)(moving)

        return both(moving, at, self.world)

    def _is_spoiled(self, slopes: Mapping[str, Any]) -> bool:
        """Say whether a knob in the midst of its range has no derivative.

        What grows without bound at the end of another one, such as a sine of its cosine at 1,
        spoils it: zero times that is no number.
        """
        return any(not np.isfinite(d) for n, d in slopes.items() if not self._is_at_an_end(n))

    def _is_at_an_end(self, knob: str) -> bool:
        axis = self.axes[knob]
        return self.numbers[knob] in (axis.low, axis.high)

    def _is_prepared_for(self, knob: str) -> bool:
        """Say whether the theory is prepared on the host for each value of a knob."""
        if self.axes[knob].kind is not Kind.STATIC:
            return False
        params: Any = hiding(build(self.phenomenon.params, self.full), {knob: "read"})
        try:
            self.phenomenon.world(params)
        except BadInput:
            return True
        return False

    def _anew(self, knob: str) -> tuple[dict[str, float], dict[str, float]]:
        """Return the quotients to one step up and one down, values with worlds of their own."""
        axis, x = self.axes[knob], self.full[knob]
        step = 1 if axis.type is int else 1e-3 * _scale(axis, x)
        if x == 0 or any(axis.problem(axis.type(v)) for v in (x - step, x + step)):
            nothing = dict.fromkeys((p.name for p in self.phenomenon.predictions), np.nan)
            return nothing, nothing  # a count of 0 is another model, not less of something
        low, here, high = (self._with_world(knob, v) for v in (x - step, x, x + step))
        return (
            {n: (high[n] - here[n]) / step for n in here},
            {n: (here[n] - low[n]) / step for n in here},
        )

    def _with_world(self, knob: str, value: float) -> dict[str, float]:
        world = self.phenomenon.prepared({**self.full, knob: self.axes[knob].type(value)})
        made = self.program({**self.numbers, knob: float(value)}, world)
        return {name: float(v) for name, v in made.items()}

    def _two_sides(self, knob: str) -> tuple[dict[str, float], dict[str, float]]:
        """Return quotients of second order to either side; at an end, two of the side there is."""
        axis, x = self.axes[knob], self.numbers[knob]
        h = STEP * _scale(axis, x)
        steps = [s for s in (h, -h) if _inside(axis, x + 2 * s)]
        one, other = steps if len(steps) == 2 else (steps[0], steps[0] / 2)
        return self._quotient(knob, one), self._quotient(knob, other)

    def _quotient(self, knob: str, step: float) -> dict[str, float]:
        x = self.numbers[knob]
        here, near, far = (
            self.program({**self.numbers, knob: x + k * step}, self.world) for k in range(3)
        )
        return {n: float(-1.5 * here[n] + 2.0 * near[n] - 0.5 * far[n]) / step for n in here}


def _scale(axis: Axis, x: float) -> float:
    """Return the size of a knob: its value, else its default, else 1."""
    return abs(x) or abs(float(axis.default)) or 1.0


def _inside(axis: Axis, x: float) -> bool:
    """Say whether a number lies in the range of a field, whole or not."""
    low = axis.low if axis.low is not None else axis.above
    return (low is None or x >= low) and (axis.high is None or x <= axis.high)


def _settled(
    exact: float, one: float, other: float, near: float, rounding: float
) -> tuple[float, str]:
    """Decide which slope is to be trusted: the derivative, two quotients, or neither."""

    def same(a: float, b: float, share: float) -> bool:
        near = abs(a - b) <= share * max(abs(a), abs(b)) + rounding
        return bool(np.isfinite(a) and np.isfinite(b) and near)

    if same(exact, one, AGREE) and same(exact, other, AGREE):
        return exact, "derivative"
    if same(one, other, near):
        slope = 0.5 * (one + other)
        return (slope if abs(slope) > rounding else 0.0), "differences"
    return np.nan, "none"
