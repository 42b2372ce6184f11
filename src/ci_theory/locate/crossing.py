"""Where a curve crosses a level: the place, and its interval from replicates."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from ci_theory._errors import Status
from ci_theory.locate.point import BreakPoint, Curve, clean, missing
from ci_theory.locate.student import accepted_skewed, quantile, scores


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crossing:
    """The first place where a curve crosses ``level``, by linear interpolation on the grid.

    The interval collects the places around it at which a t test over replicates does not reject
    "the mean curve equals the level here": exact for normal replicates, whatever their
    dependence along the axis. It ends where the sign is certain again. A crossing counts as
    real (OK) when some grid point before and some after it have certain and opposite signs,
    allowing for the number of grid points; if only one side is that certain, and nothing on the
    other contradicts it up to the end of the axis, the interval is open there (AT_EDGE).

    Attributes:
        level: the level, in units of the curve.
        direction: count only crossings that go "up" or "down" along the axis; None for either.
        log_axis: interpolate in log x; None decides by which scale the grid is more even on.
        confidence: coverage of the interval.

    >>> Crossing(level=0.5).locate([0.0, 1.0, 2.0], [0.0, 0.25, 1.25]).value
    1.25
    >>> Crossing(level=2.0).locate([0.0, 1.0, 2.0], [0.0, 0.25, 1.25]).status
    <Status.NO_BREAK: 4>
    """

    singly: ClassVar[bool] = False  # breaks are those of the mean curve

    level: float = 0.0
    direction: Literal["up", "down"] | None = None
    log_axis: bool | None = False
    confidence: float = 0.95

    def locate(self, x: ArrayLike, y: ArrayLike) -> BreakPoint:
        """Locate the crossing in a formula y (t,) or in replicates y (r, t).

        Returns:
            BreakPoint with ``height`` equal to the level. NOT_FINITE where fewer than 2 grid
            points or fewer than 3 finite replicates are left.
        """
        curve = clean(x, y, self.log_axis)
        if len(curve.u) < 2 or len(curve.y) < (1 if curve.formula else 3):
            return missing(Status.NOT_FINITE, curve)
        gap = curve.y - self.level
        found = _first(curve.u, gap.mean(axis=0), self.direction)
        if found is None:
            return missing(Status.NO_BREAK, curve)
        place, sign = found
        if curve.formula:
            return self._answer(curve, place, place, place, Status.OK)
        return self._replicates(curve, gap * sign, place)

    def matching(self, found: BreakPoint) -> "Crossing":
        """Return this locator: it has no resolution that a measured curve could set."""
        return self

    def undivided(self, x: ArrayLike, y: ArrayLike) -> bool:
        """Return False: no side of a peak is asked for."""
        return False

    def _replicates(self, curve: Curve, gap: np.ndarray, place: float) -> BreakPoint:
        """Find the interval; ``gap`` is negative before the crossing and positive after it."""
        r, t = gap.shape
        score = scores(gap)
        bound = quantile(1 - (1 - self.confidence) / (2 * t), r - 1)
        before = bool(np.any(score[curve.u <= place] < -bound))
        after = bool(np.any(score[curve.u >= place] > bound))
        spans = accepted_skewed(curve.u, gap, self.confidence)
        low, high, open_low, open_high = _around(curve.u, gap.mean(axis=0), spans, place)
        if before and after:
            return self._answer(curve, place, low, high, Status.OK)
        if before and open_high:
            return self._answer(curve, place, low, np.inf, Status.AT_EDGE)
        if after and open_low:
            return self._answer(curve, place, -np.inf, high, Status.AT_EDGE)
        return missing(Status.NO_BREAK, curve)

    def _answer(
        self, curve: Curve, place: float, low: float, high: float, status: Status
    ) -> BreakPoint:
        return BreakPoint(
            value=curve.place(place),
            low=curve.place(low) if np.isfinite(low) else low,
            high=curve.place(high) if np.isfinite(high) else high,
            height=self.level,
            status=status,
            height_low=self.level,
            height_high=self.level,
            replicates=0 if curve.formula else len(curve.y),
            excluded=curve.excluded,
        )


def _first(u: np.ndarray, mean: np.ndarray, direction: str | None) -> tuple[float, float] | None:
    """Return the first zero of the interpolant and +1 (up) or -1 (down), or None."""
    for i in range(len(u) - 1):
        a, b = mean[i], mean[i + 1]
        up, down = a < 0 <= b, a > 0 >= b
        if (up and direction != "down") or (down and direction != "up"):
            return float(u[i] + (u[i + 1] - u[i]) * a / (a - b)), 1.0 if up else -1.0
    return None


def _around(
    u: np.ndarray, mean: np.ndarray, spans: list[tuple[float, float]], place: float
) -> tuple[float, float, bool, bool]:
    """Extend from a place to where the mean is certainly negative before, positive after it.

    Returns:
        Low and high, infinite where no such stretch exists; and whether the mean is nowhere
        certainly positive before the place, and nowhere certainly negative after it.
    """
    here = next(i for i, (low, high) in enumerate(spans) if low <= place <= high)
    starts = [float(u[0])] + [high for _, high in spans]
    ends = [low for low, _ in spans] + [float(u[-1])]
    signs = [
        float(np.sign(np.interp(0.5 * (a + b), u, mean))) if b > a else 0.0
        for a, b in zip(starts, ends, strict=True)
    ]
    before, after = signs[: here + 1][::-1], signs[here + 1 :]
    low = ends[here - before.index(-1.0)] if -1.0 in before else -np.inf
    high = starts[here + 1 + after.index(1.0)] if 1.0 in after else np.inf
    return low, high, 1.0 not in before, -1.0 not in after
