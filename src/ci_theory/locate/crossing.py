"""Where a curve crosses a level: the place, and the interval from its replicates."""

import dataclasses
from typing import Literal

import numpy as np

from ci_theory._errors import Status
from ci_theory.locate.bootstrap import accepted, mean_at
from ci_theory.locate.point import BreakPoint, Curve, clean, missing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crossing:
    """The first place where a curve crosses ``level``, by linear interpolation on the grid.

    The interval collects the places at which a t test over replicates does not reject "the mean
    curve equals the level here", from where the first sign is no longer certain to where the
    opposite sign is: exact for normal replicates, whatever their correlation along the axis.

    Attributes:
        level: the level.
        direction: count only crossings that go "up" or "down" along the axis; None for either.
        log_axis: interpolate in log x; None decides by which scale the grid is more even on.
        confidence: coverage of the interval.

    >>> Crossing(level=0.5).locate([0.0, 1.0, 2.0], [0.0, 0.25, 1.25]).value
    1.25
    """

    level: float = 0.0
    direction: Literal["up", "down"] | None = None
    log_axis: bool | None = False
    confidence: float = 0.95

    def locate(self, x: np.ndarray, y: np.ndarray) -> BreakPoint:
        """Locate the crossing in a formula y (t,) or in replicates y (r, t)."""
        curve = clean(x, y, self.log_axis)
        if len(curve.u) < 2 or not len(curve.y):
            return missing(Status.NOT_FINITE, curve)
        return _crossing(curve, self)


def _crossing(curve: Curve, kind: Crossing) -> BreakPoint:
    gap = curve.y - kind.level
    mean = gap.mean(axis=0)
    place = first_zero(curve.u, mean, kind.direction)
    if place is None:
        return missing(Status.NO_BREAK, curve)
    value = curve.place(place)
    if curve.formula:
        return BreakPoint(
            value, value, value, kind.level, Status.OK, kind.level, kind.level, 0, curve.excluded
        )
    if len(gap) < 3:
        return missing(Status.NOT_FINITE, curve)
    spans = accepted(curve.u, gap, kind.confidence)
    low, high = _around(spans, place)
    status = Status.OK
    if low <= curve.u[0]:
        low, status = -np.inf, Status.AT_EDGE
    if high >= curve.u[-1]:
        high, status = np.inf, Status.AT_EDGE
    return BreakPoint(
        value=value,
        low=curve.place(low) if np.isfinite(low) else -np.inf,
        high=curve.place(high) if np.isfinite(high) else np.inf,
        height=mean_at(curve.u, mean, place) + kind.level,
        status=status,
        height_low=kind.level,
        height_high=kind.level,
        replicates=len(gap),
        excluded=curve.excluded,
    )


def first_zero(u: np.ndarray, values: np.ndarray, direction: str | None) -> float | None:
    """Return the first zero of the linear interpolant where its sign changes, or None."""
    for i in range(len(u) - 1):
        a, b = values[i], values[i + 1]
        rises, falls = a < 0 <= b, a > 0 >= b
        if (rises and direction != "down") or (falls and direction != "up"):
            return float(u[i] + (u[i + 1] - u[i]) * a / (a - b))
    return None


def _around(spans: list[tuple[float, float]], place: float) -> tuple[float, float]:
    for low, high in spans:
        if low <= place <= high:
            return low, high
    return place, place
