"""A person's own curve, cleaned and pooled: what cannot be used is left out and told.

Measurements at one place are repeats: their mean, weighted, is one point of the curve, and what
they scatter around it stays with the rows. Beyond 400 places, neighbours are pooled likewise.
"""

from typing import NamedTuple

import numpy as np

from ci_theory._errors import BadInput

BINS = 400
"""Places beyond this number are pooled in bins of log x; the scatter inside stays in the rows."""

CHAINED = 120
"""The same where neighbours are alike, and tell little more than their mean."""

_SPAN = 1e12  # weights further apart leave nothing of the lighter ones in floating point


class Rows(NamedTuple):
    """Measurements (n,), run after run, each ascending in x.

    Attributes:
        u: log x; ``y``: log y; ``weight``: relative precision of log y, 1 on average.
        cell: which point of the curve a row belongs to.
        first: whether it is the first of its run.
    """

    u: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    cell: np.ndarray
    first: np.ndarray


class Observed(NamedTuple):
    """A clean curve on logarithmic scales, ascending.

    Attributes:
        u: log x (m,); ``y``: mean log y (m,); ``weight``: summed weights of its rows (m,).
        rows: the measurements behind the points.
        places: distinct x.
        left_out: what could not be used, a line each; ``warnings``: and what was pooled.
    """

    u: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    rows: Rows
    places: int
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]


def observed(
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    sd: np.ndarray | None = None,
    run: np.ndarray | None = None,
) -> Observed:
    """Take logarithms of a curve x (m,), y (m,), and pool what is repeated; see ``breaks.fit``.

    Raises:
        BadInput: shapes differ, fewer than 3 distinct places are left, or a weight is no weight.
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
    good = np.flatnonzero(whole & (x > 0) & (y > 0))
    u, v = np.log(x[good]), np.log(y[good])
    places, place = np.unique(u, return_inverse=True)
    if len(places) < 3:
        left = f" ({'; '.join(told)})" if told else ""
        raise BadInput(f"curve: {len(places)} usable places, expected at least 3{left}")
    weight = _weights(v, place, good, weights, sd, len(x))
    runs = _runs(place, good, run, len(x))
    order = np.lexsort((np.arange(len(u)), u, runs))
    first = np.r_[True, np.diff(runs[order]) != 0]
    return pooled(Rows(u[order], v[order], weight[order], place[order], first), tuple(told))


def pooled(rows: Rows, left_out: tuple[str, ...], bins: int = BINS) -> Observed:
    """Pool measurements at one place, and beyond ``bins`` places those of a bin, into points."""
    places, cell = np.unique(rows.u, return_inverse=True)
    told = left_out
    if len(places) > bins:
        edges = np.linspace(places[0], places[-1], bins + 1)
        bin_of = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, bins - 1)
        cell = np.unique(bin_of, return_inverse=True)[1][cell]
        told = (*told, f"{len(cell)} points averaged into {cell.max() + 1} bins of log x")
    total, at, mean = (
        np.bincount(cell, rows.weight * a) for a in (np.ones_like(rows.u), rows.u, rows.y)
    )
    return Observed(
        at / total, mean / total, total, rows._replace(cell=cell), len(places), left_out, told
    )


def _weights(
    v: np.ndarray,
    place: np.ndarray,
    good: np.ndarray,
    weights: np.ndarray | None,
    sd: np.ndarray | None,
    count: int,
) -> np.ndarray:
    """Return relative precisions of log y (n,), 1 on average.

    A deviation of y is one of log y times its mean at the place, not times the measurement: else
    whatever came out high would weigh more.
    """
    if weights is None and sd is None:
        return np.ones(len(v))
    if weights is not None and sd is not None:
        raise BadInput("curve: weights and sd are both given; expected one of them")
    name, given = ("weights", weights) if sd is None else ("sd", sd)
    given = np.asarray(given, float)
    if given.shape != (count,):
        raise BadInput(f"curve: {name} has shape {given.shape}; expected ({count},)")
    bad = np.flatnonzero(~(np.isfinite(given[good]) & (given[good] > 0)))
    if len(bad):
        at = good[bad[0]]
        raise BadInput(
            f"curve: {name} of point {at + 1} is {given[at]:g} ({len(bad)} such); expected > 0"
        )
    log = np.log(given[good])
    if sd is not None:
        log = 2 * ((np.bincount(place, v) / np.bincount(place))[place] - log)
    weight = np.exp(np.maximum(log - log.max(), -700.0))
    if weight.min() * _SPAN < 1:
        raise BadInput(f"curve: {name} span more than twelve orders of magnitude in precision")
    return weight / weight.mean()


def _runs(place: np.ndarray, good: np.ndarray, run: np.ndarray | None, count: int) -> np.ndarray:
    """Return a run of every row (n,); unlabelled, the k-th row of every place is of the k-th."""
    if run is not None:
        run = np.asarray(run)
        if run.shape != (count,) or run.dtype.kind not in "iu":
            raise BadInput(
                f"curve: run has shape {run.shape} of {run.dtype}; expected ({count},) integers"
            )
        return np.unique(run[good], return_inverse=True)[1]
    order = np.argsort(place, kind="stable")
    start = np.flatnonzero(np.r_[True, np.diff(place[order]) != 0])
    runs = np.empty(len(place), int)
    runs[order] = np.arange(len(place)) - np.repeat(start, np.diff(np.r_[start, len(place)]))
    return runs
