"""Which places on an axis a set of replicates does not rule out as the zero of the mean curve."""

import itertools

import numpy as np
from scipy.special import stdtrit


def mean_at(u: np.ndarray, values: np.ndarray, place: float) -> float:
    """Interpolate linearly."""
    return float(np.interp(place, u, values))


def accepted(u: np.ndarray, y: np.ndarray, confidence: float) -> list[tuple[float, float]]:
    """Return the spans of the axis where "the mean of y is 0" passes a t test over replicates.

    Between grid points every replicate is interpolated linearly, so that mean, variance and
    covariance of neighbours give the test statistic at any place (Fieller's construction).

    Args:
        u: places (t,), ascending.
        y: replicates (r, t), r >= 3.
        confidence: probability with which the zero of the true mean curve is inside.
    """
    r = len(y)
    bound = stdtrit(r - 1, 0.5 + confidence / 2) ** 2 / r
    mean = y.mean(axis=0)
    centred = y - mean
    var = (centred**2).sum(axis=0) / (r - 1)
    cov = (centred[:, 1:] * centred[:, :-1]).sum(axis=0) / (r - 1)

    spans: list[tuple[float, float]] = []
    for i in range(len(u) - 1):
        # f(s) = mean(s)^2 - bound var(s) on s in [0, 1], a quadratic
        dm = mean[i + 1] - mean[i]
        a = dm**2 - bound * (var[i] + var[i + 1] - 2 * cov[i])
        b = 2 * (mean[i] * dm - bound * (cov[i] - var[i]))
        c = mean[i] ** 2 - bound * var[i]
        for s0, s1 in _not_positive(a, b, c):
            low, high = (u[i] + s * (u[i + 1] - u[i]) for s in (s0, s1))
            if spans and np.isclose(spans[-1][1], low, rtol=0, atol=1e-12 * (u[-1] - u[0])):
                spans[-1] = (spans[-1][0], high)
            else:
                spans.append((low, high))
    return spans


def _not_positive(a: float, b: float, c: float) -> list[tuple[float, float]]:
    """Return the parts of [0, 1] on which a s^2 + b s + c <= 0."""
    disc = b * b - 4 * a * c
    roots: list[float] = []
    if disc > 0:
        q = -0.5 * (b + np.copysign(np.sqrt(disc), b))
        roots = [z for z in (q / a if a else np.inf, c / q if q else np.inf) if 0 < z < 1]
    cuts = [0.0, *sorted(roots), 1.0]
    parts: list[tuple[float, float]] = []
    for s0, s1 in itertools.pairwise(cuts):
        mid = 0.5 * (s0 + s1)
        if (a * mid + b) * mid + c <= 0:
            parts.append((s0, s1))
    return parts
