"""A located break point, and the cleaning of the curves that locators receive.

A curve is ``y (t,)`` (a formula: no interval) or ``y (r, t)`` (r replicates of a simulation).
Replicate rows are the unit of resampling: values of one row may depend on each other over the
axis (shared seeds) or not, both are valid.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ci_theory._errors import BadInput, Status


class BreakPoint(NamedTuple):
    """Where a curve breaks.

    Attributes:
        value: place on the axis, in the axis' unit; NaN unless status is OK or AT_EDGE.
        low: lower end of the interval; -inf where it is open (AT_EDGE), ``value`` for a formula.
        high: upper end of the interval; inf where it is open.
        height: the curve at the break.
        status: OK, AT_EDGE, NO_BREAK or NOT_FINITE.
        height_low: lower end of the interval of the height.
        height_high: upper end of the interval of the height.
        replicates: replicates used; 0 for a formula.
        excluded: replicates left out because they hold a value that is not finite.
        reach: grid points on either side that went into the local fit.
        reached: replicates that broke, each by itself; None where the mean curve is looked at.
    """

    value: float
    low: float
    high: float
    height: float
    status: Status
    height_low: float = np.nan
    height_high: float = np.nan
    replicates: int = 0
    excluded: int = 0
    reach: int = 1
    reached: int | None = None


class Curve(NamedTuple):
    """A clean curve: ascending places u (t,) on the working scale, values y (r, t)."""

    u: np.ndarray
    y: np.ndarray
    log: bool
    formula: bool
    excluded: int

    def place(self, u: float) -> float:
        """Turn a place on the working scale into one on the axis."""
        return float(np.exp(u)) if self.log else float(u)


def missing(status: Status, curve: Curve) -> BreakPoint:
    """Return the answer for a curve without a break."""
    used = 0 if curve.formula else len(curve.y)
    nan = float("nan")
    return BreakPoint(nan, nan, nan, nan, status, replicates=used, excluded=curve.excluded)


def clean(x: ArrayLike, y: ArrayLike, log_axis: bool | None) -> Curve:
    """Sort a curve along its axis and drop what is not finite.

    An axis point at which more than half of the replicates are not finite is dropped; then every
    replicate that still holds such a value is.

    Args:
        x: axis (t,), distinct finite numbers, in any order.
        y: (t,) for a formula, (r, t) for replicates.
        log_axis: work on log x; None decides by which scale the grid is more even on.

    Raises:
        BadInput: shapes that do not match, repeated places, fewer than 3 points, or a
            logarithmic axis with a place <= 0.
    """
    x, y, log = checked(x, y, log_axis)
    order = np.argsort(x)
    rows = np.atleast_2d(y)[:, order]
    good = np.isfinite(rows)
    columns = good.mean(axis=0) > 0.5
    kept = good[:, columns].all(axis=1)
    places = np.log(x[order]) if log else x[order]
    return Curve(
        u=places[columns],
        y=rows[kept][:, columns],
        log=log,
        formula=y.ndim == 1,
        excluded=int(len(rows) - kept.sum()),
    )


def checked(
    x: ArrayLike, y: ArrayLike, log_axis: bool | None
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return axis and values as arrays, and whether to work on log x.

    Raises:
        BadInput: see ``clean``.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 1 or y.ndim not in (1, 2) or y.shape[-1] != len(x):
        raise BadInput(f"curve: x has shape {x.shape}, y has {y.shape}; expected (t,) or (r, t)")
    if len(x) < 3 or len(np.unique(x)) < len(x) or not np.all(np.isfinite(x)):
        raise BadInput("curve: the axis needs at least 3 distinct finite points")
    if log_axis and np.min(x) <= 0:
        raise BadInput(f"curve: a logarithmic axis needs places > 0, found {np.min(x)}")
    return x, y, _more_even_in_log(x) if log_axis is None else log_axis


def _more_even_in_log(x: np.ndarray) -> bool:
    """Say whether steps vary less in log x than in x."""
    if np.min(x) <= 0:
        return False
    steps, ratios = np.diff(np.sort(x)), np.diff(np.log(np.sort(x)))
    return float(np.std(ratios) / np.mean(ratios)) < float(np.std(steps) / np.mean(steps))
