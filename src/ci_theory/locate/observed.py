"""A person's own curve, cleaned: what cannot be used is left out and told."""

from typing import NamedTuple

import numpy as np

from ci_theory._errors import BadInput

BINS = 400
"""Points beyond this number are averaged in bins of log x: the fit sees no difference."""


class Observed(NamedTuple):
    """A clean curve on logarithmic scales, ascending.

    Attributes:
        u: log x (m,); ``y``: log y (m,); ``weight``: measurements behind a point (m,).
        used: measurements used.
        warnings: what was done to it, a line each.
    """

    u: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    used: int
    warnings: tuple[str, ...]


def observed(x: np.ndarray, y: np.ndarray) -> Observed:
    """Take logarithms of a curve x (m,), y (m,).

    Raises:
        BadInput: shapes differ, or fewer than 3 distinct places are left.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 1 or x.shape != y.shape:
        raise BadInput(f"curve: x has shape {x.shape}, y has {y.shape}; expected (m,) twice")
    told = []
    whole = np.isfinite(x) & np.isfinite(y)
    for bad, what in (
        (~whole, "not a finite number"),
        (whole & (x <= 0), "with x <= 0, which has no logarithm"),
        (whole & (x > 0) & (y <= 0), "with y <= 0, which has no logarithm"),
    ):
        if bad.any():
            told.append(f"{int(bad.sum())} of {len(x)} points left out: {what}")
    good = whole & (x > 0) & (y > 0)
    u, v = np.log(x[good]), np.log(y[good])
    if len(np.unique(u)) < 3:
        left = f" ({'; '.join(told)})" if told else ""
        raise BadInput(f"curve: {len(np.unique(u))} usable places, expected at least 3{left}")
    order = np.argsort(u, kind="stable")
    u, v, weight = u[order], v[order], np.ones(len(u))
    count = len(u)
    if count > BINS:
        u, v, weight = _binned(u, v)
        told.append(f"{count} points averaged into {len(u)} bins of log x")
    return Observed(u, v, weight, count, tuple(told))


def _binned(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average in bins of equal width; returns places, values and counts of those not empty."""
    edges = np.linspace(u[0], u[-1], BINS + 1)
    bin_of = np.clip(np.searchsorted(edges, u, side="right") - 1, 0, BINS - 1)
    count = np.bincount(bin_of, minlength=BINS).astype(float)
    there = count > 0
    place, value = (np.bincount(bin_of, a, BINS)[there] / count[there] for a in (u, v))
    return place, value, count[there]
