"""The peak of a curve: its place and height, with intervals from replicates."""

import dataclasses
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from ci_theory._errors import Status
from ci_theory.locate.bootstrap import accepted
from ci_theory.locate.point import BreakPoint, Curve, clean, missing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Peak:
    """The interior maximum of a curve with the largest rise before it and fall after it.

    Attributes:
        log_axis: fit in log x; None decides by which scale the grid is more even on.
        reach: grid points on either side in the local fit; None lets the data choose.
        confidence: coverage of the interval.

    >>> Peak(log_axis=False).locate([0.0, 1.0, 2.0, 3.0], [0.0, 0.75, 0.75, 0.0]).value
    1.5
    """

    log_axis: bool | None = None
    reach: int | None = None
    confidence: float = 0.95

    def locate(self, x: np.ndarray, y: np.ndarray) -> BreakPoint:
        """Locate the peak in a formula y (t,) or in replicates y (r, t)."""
        curve = clean(x, y, self.log_axis)
        enough = 1 if curve.formula else 3
        if len(curve.u) < 3 or len(curve.y) < enough:
            return missing(Status.NOT_FINITE, curve)
        top = summit(curve.y.mean(axis=0))
        if top is None or not (curve.formula or certain(curve.y, top, 1 - self.confidence)):
            return missing(Status.NO_BREAK, curve)
        if curve.formula:
            return self._formula(curve, top)
        return self._replicates(curve, top)

    def _formula(self, curve: Curve, top: "Summit") -> BreakPoint:
        reach = min(self.reach or 1, _most(curve.u))
        place = vertex(curve.u, curve.y[0], top, reach)
        value, height = curve.place(place), height_at(curve.u, curve.y, place, reach)[0]
        return BreakPoint(
            value, value, value, height, Status.OK, height, height, excluded=0, reach=reach
        )

    def _replicates(self, curve: Curve, top: "Summit") -> BreakPoint:
        doubt = 0.1 * (1 - self.confidence)
        left, right = plausible(curve.y, top, doubt)
        tries = [self.reach] if self.reach else range(1, _most(curve.u) + 1)
        for reach in tries:
            knots, operator = slopes(curve.u, reach)
            region = (curve.u[max(left - reach, 0)], curve.u[min(right + reach, len(curve.u) - 1)])
            spans = accepted(knots, curve.y @ operator.T, self.confidence + doubt)
            inside = [(max(a, region[0]), min(b, region[1])) for a, b in spans]
            inside = [(a, b) for a, b in inside if a < b]
            bounded = len(inside) == 1 and region[0] < inside[0][0] and inside[0][1] < region[1]
            if bounded:
                break
        place = vertex(curve.u, curve.y.mean(axis=0), top, reach)
        low = min([a for a, _ in inside] + [place])
        high = max([b for _, b in inside] + [place])
        edge_low, edge_high = low <= knots[0], high >= knots[-1]
        heights = height_at(curve.u, curve.y, place, reach)
        height = float(heights.mean())
        q = stdtrit(len(heights) - 1, 0.5 + self.confidence / 2)
        half = float(q * heights.std(ddof=1) / np.sqrt(len(heights)))
        return BreakPoint(
            value=curve.place(place),
            low=-np.inf if edge_low else curve.place(low),
            high=np.inf if edge_high else curve.place(high),
            height=height,
            status=Status.AT_EDGE if edge_low or edge_high else Status.OK,
            height_low=height - half,
            height_high=height + half,
            replicates=len(curve.y),
            excluded=curve.excluded,
            reach=reach,
        )


class Summit(NamedTuple):
    """Grid indices of a peak and of the lowest points on its two sides."""

    before: int
    top: int
    after: int


def summit(mean: np.ndarray) -> Summit | None:
    """Find the interior point that maximises the smaller of rise before and fall after it."""
    t = len(mean)
    best, found = 0.0, None
    for j in range(1, t - 1):
        before, after = int(np.argmin(mean[:j])), j + 1 + int(np.argmin(mean[j + 1 :]))
        drop = min(mean[j] - mean[before], mean[j] - mean[after])
        if drop > best:
            best, found = drop, Summit(before, j, after)
    return found


def certain(y: np.ndarray, top: Summit, level: float) -> bool:
    """Say whether rise and fall are both significant, allowing for the choice of all indices."""
    r, t = y.shape
    bound = stdtrit(r - 1, 1 - level / (t * (t - 1)))
    drops = y[:, [top.top]] - y[:, [top.before, top.after]]
    error = drops.std(axis=0, ddof=1) / np.sqrt(r)
    return bool(np.all(drops.mean(axis=0) > bound * error))


def plausible(y: np.ndarray, top: Summit, level: float) -> tuple[int, int]:
    """Return the outermost indices between the troughs that may hold the largest mean."""
    r = len(y)
    bound = stdtrit(r - 1, 1 - level / max(top.after - top.before, 1))
    below = y[:, [top.top]] - y
    error = below.std(axis=0, ddof=1) / np.sqrt(r)
    kept = np.flatnonzero(below.mean(axis=0) <= bound * error)
    kept = kept[(kept >= top.before) & (kept <= top.after)]
    return int(kept.min()), int(kept.max())


def slopes(u: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where and how 2 reach neighbouring values give the slope: knots (s,), rows (s, t).

    The least-squares slope of a parabola over a window is its derivative at mean + m3 / (2 m2)
    of the window's places, so the interpolant of the slopes is exact for parabolas on any grid.
    """
    t, width = len(u), 2 * reach
    knots, rows = [], np.zeros((t - width + 1, t))
    for i in range(t - width + 1):
        window = u[i : i + width]
        centred = window - window.mean()
        square = (centred**2).sum()
        rows[i, i : i + width] = centred / square
        knots.append(window.mean() + (centred**3).sum() / (2 * square))
    return np.array(knots), rows


def vertex(u: np.ndarray, mean: np.ndarray, top: Summit, reach: int) -> float:
    """Return the downward zero of the slope that is nearest to the top."""
    knots, operator = slopes(u, reach)
    s = operator @ mean
    falls = np.flatnonzero((s[:-1] > 0) & (s[1:] <= 0) | (s[:-1] >= 0) & (s[1:] < 0))
    if not len(falls):
        return float(u[top.top])
    zeros = knots[falls] + np.diff(knots)[falls] * s[falls] / (s[falls] - s[falls + 1])
    return float(zeros[np.argmin(np.abs(zeros - u[top.top]))])


def height_at(u: np.ndarray, y: np.ndarray, place: float, reach: int) -> np.ndarray:
    """Return every replicate's local parabola (r,) at a place."""
    centre = int(np.clip(np.argmin(np.abs(u - place)), reach, len(u) - 1 - reach))
    window = slice(centre - reach, centre + reach + 1)
    z = u[window] - place
    design = np.stack([np.ones_like(z), z, z**2], axis=1)
    return y[:, window] @ np.linalg.pinv(design)[0]


def _most(u: np.ndarray) -> int:
    return max(1, (len(u) - 1) // 4)
