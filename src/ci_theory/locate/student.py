"""Tests over replicates: which means are compatible with zero, also when replicates are skewed.

Replicates are r independent rows; the columns may depend on each other in any way.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike


def quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t distribution."""
    from scipy.special import stdtrit  # a seventh of a second, which no prediction needs

    return float(stdtrit(freedom, probability))


def t_statistic(mean: ArrayLike, error: ArrayLike) -> np.ndarray:
    """Return mean / error, with 0 / 0 = 0 and an infinite value where only the error is 0."""
    mean, error = np.broadcast_arrays(np.asarray(mean, float), np.asarray(error, float))
    certain = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    return np.divide(mean, error, out=certain, where=error > 0)


def corrected(
    t: np.ndarray | np.number, skew: np.ndarray | np.number, count: np.ndarray | np.number
) -> np.ndarray:
    r"""Return the smaller of the t statistic and Hall's transform of it, with the sign of t.

    .. math:: H = t + w t^2 + w^2 t^3 / 3 + \gamma / (6 \sqrt r), \qquad w = \gamma / (3 \sqrt r)

    A mean of r right-skewed replicates that came out low has a small standard error too, and t
    reaches far below its nominal quantile: with exponential replicates and r = 20 at a level of
    1e-3, 12 times too often (2.5 times after this correction). H takes the first-order effect
    of the skewness out and is monotone in t. On the other side H would be the larger one: the
    smaller of the two never rejects more often than t.

    Args:
        t: t statistics.
        skew: skewness gamma of the replicates, same shape.
        count: numbers of replicates r, same shape.

    References:
        P. Hall (1992), On the removal of skewness by transformation, J. R. Statist. Soc. B 54.
    """
    root = np.sqrt(count)
    w = skew / (3 * root)
    finite = np.where(np.isfinite(t), t, 0.0)
    hall = finite + w * finite**2 + w**2 * finite**3 / 3 + skew / (6 * root)
    hall = np.where(np.isfinite(t), hall, t)
    smaller = np.minimum(np.abs(t), np.abs(hall))
    return np.where(t * hall > 0, np.copysign(smaller, t), 0.0)


def skewness(y: np.ndarray) -> np.ndarray:
    """Return the sample skewness (t,) of replicates (r, t), r >= 3; 0 where they never vary."""
    r = len(y)
    centred = y - y.mean(axis=0)
    second, third = (centred**2).mean(axis=0), (centred**3).mean(axis=0)
    scaled = np.divide(third, second**1.5, out=np.zeros_like(third), where=second**1.5 > 0)
    return scaled * np.sqrt(r * (r - 1)) / (r - 2)


def scores(y: np.ndarray) -> np.ndarray:
    """Return the corrected t statistics (t,) of replicates (r, t), r >= 3."""
    r = len(y)
    error = y.std(axis=0, ddof=1) / np.sqrt(r)
    return corrected(t_statistic(y.mean(axis=0), error), skewness(y), np.array(r))


class _Segments:
    """Moments of replicates (r, t), interpolated linearly between the grid points."""

    def __init__(self, u: np.ndarray, y: np.ndarray) -> None:
        self.u, self.r = u, len(y)
        mean = y.mean(axis=0)
        c = y - mean
        a, b = c[:, :-1], c[:, 1:]
        self.mean = mean.tolist()
        self.second = np.array([(a * a).sum(0), (a * b).sum(0), (b * b).sum(0)]).T.tolist()
        third = [(a * a * a).sum(0), (a * a * b).sum(0), (a * b * b).sum(0), (b * b * b).sum(0)]
        self.third = np.array(third).T.tolist()

    def score(self, place: float) -> float:
        """Return the corrected t statistic at a place."""
        i = min(max(int(np.searchsorted(self.u, place)) - 1, 0), len(self.u) - 2)
        s = (place - self.u[i]) / (self.u[i + 1] - self.u[i])
        c, r = 1 - s, self.r
        aa, ab, bb = self.second[i]
        aaa, aab, abb, bbb = self.third[i]
        mean = c * self.mean[i] + s * self.mean[i + 1]
        second = (c * c * aa + 2 * c * s * ab + s * s * bb) / r
        if second <= 0:
            return 0.0 if mean == 0 else float(np.copysign(np.inf, mean))
        third = (c**3 * aaa + 3 * c * c * s * aab + 3 * c * s * s * abb + s**3 * bbb) / r
        skew = third / second**1.5 * np.sqrt(r * (r - 1)) / (r - 2)
        t = mean / np.sqrt(second / (r - 1))
        return float(corrected(np.array(t), np.array(skew), np.array(r)))


def accepted(u: np.ndarray, y: np.ndarray, confidence: float) -> list[tuple[float, float]]:
    """Return the spans of the axis on which a t test accepts "the mean of y is 0".

    Between grid points every replicate is interpolated linearly, so mean, variance and
    covariance of neighbours give the statistic at every place (Fieller's construction): the
    zero of the true interpolated mean is inside with the stated probability, exactly so for
    normal replicates. A zero of the sample's mean is always inside.

    Args:
        u: places (t,), ascending.
        y: replicates (r, t), r >= 3.
        confidence: coverage.
    """
    parts = _Segments(u, y)
    r, mean = parts.r, parts.mean
    bound = quantile(0.5 + confidence / 2, r - 1) ** 2 / (r * (r - 1))
    spans: list[tuple[float, float]] = []
    for i, (aa, ab, bb) in enumerate(parts.second):
        # mean(s)^2 - bound sum of squares(s) = a s^2 + b s + c on s in [0, 1]
        start, step, width = mean[i], mean[i + 1] - mean[i], float(u[i + 1] - u[i])
        a = step**2 - bound * (aa + bb - 2 * ab)
        b = 2 * (start * step - bound * (ab - aa))
        c = start**2 - bound * aa
        pieces = _not_positive(a, b, c)
        if start * mean[i + 1] <= 0 and step != 0:
            pieces.append((-start / step, -start / step))
        spans += [(float(u[i]) + s0 * width, float(u[i]) + s1 * width) for s0, s1 in pieces]
    return merged(spans)


def accepted_skewed(u: np.ndarray, y: np.ndarray, confidence: float) -> list[tuple[float, float]]:
    """Return ``accepted`` spans, stretched to where the corrected statistic rejects as well."""
    bound = quantile(0.5 + confidence / 2, len(y) - 1)
    parts = _Segments(u, y)

    def passes(place: float) -> bool:
        return abs(parts.score(place)) <= bound

    def stretch(start: float, width: float, end: float) -> float:
        inside, step = start, np.copysign(max(width, 1e-9 * abs(u[-1] - u[0])), end - start)
        while inside != end:
            beyond = inside + 0.1 * step
            beyond = end if (beyond - end) * step >= 0 else beyond
            if not passes(beyond):
                return _bisect(passes, inside, beyond)
            inside, step = beyond, 1.5 * step
        return end

    first, last = float(u[0]), float(u[-1])
    spans = accepted(u, y, confidence)
    return merged([(stretch(a, b - a, first), stretch(b, b - a, last)) for a, b in spans])


def merged(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join spans that touch or overlap."""
    joined: list[tuple[float, float]] = []
    for low, high in sorted(spans):
        gap = 1e-12 * max(abs(low), abs(high))
        if joined and low <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def _bisect(passes: Callable[[float], bool], inside: float, outside: float) -> float:
    for _ in range(30):
        mid = 0.5 * (inside + outside)
        inside, outside = (mid, outside) if passes(mid) else (inside, mid)
    return inside


def _not_positive(a: float, b: float, c: float) -> list[tuple[float, float]]:
    """Return the parts of [0, 1] on which a s^2 + b s + c <= 0."""
    disc = b * b - 4 * a * c
    roots: list[float] = []
    if disc > 0:
        q = -0.5 * (b + math.copysign(math.sqrt(disc), b))
        roots = [z for z in (q / a if a else math.inf, c / q if q else math.inf) if 0 < z < 1]
    parts: list[tuple[float, float]] = []
    for s0, s1 in itertools.pairwise([0.0, *sorted(roots), 1.0]):
        mid = 0.5 * (s0 + s1)
        if (a * mid + b) * mid + c <= 0:
            parts.append((s0, s1))
    return parts
