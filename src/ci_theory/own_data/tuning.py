"""The best ridge of all rows, and what taking the copies out of them would bring: predicted."""

from typing import NamedTuple

import numpy as np

from ci_theory._types import Float, Real
from ci_theory.own_data.population import Cells, Population, Predicted, predict
from ci_theory.own_data.refits import Defects, left_out

_GRID, _ZOOMS = 101, 3


class BestRidge(NamedTuple):
    """The total ridge with the lowest predicted error of a fit of all rows [x^2].

    Attributes:
        ridge: where it is; ``error``: predicted there [label^2].
        effective: rows of equal weight that would have the same sampling error there.
        at_edge: "" or why it is no minimum: "none" (no ridge is best) or "endless".
        left_out: error there by leaving out each row with its copies [label^2].
        left_out_ridge: where that is lowest; ``left_out_error``: the error there.
        naive_ridge: where cross-validation that takes copies for rows is lowest.
    """

    ridge: float
    error: float
    effective: float
    at_edge: str
    left_out: float
    left_out_ridge: float
    left_out_error: float
    naive_ridge: float


def best_ridge(
    whole: Population,
    rows: Float[np.ndarray, "N p"],
    labels: Float[np.ndarray, " N"],
    copies: Real[np.ndarray, " N"],
    defects: Defects,
    kept: bool = True,
) -> BestRidge:
    """Minimise the predicted error of all rows, with their copies or without, over the ridge.

    Args:
        whole: the rows as a population.
        rows: distinct; ``labels`` and ``copies``: of them.
        defects: what is added; cross-validation sees only the rows as they are.
        kept: whether the copies are.
    """
    spectrum = whole.spectrum
    trace = float(np.sum(spectrum.eigenvalues * spectrum.multiplicity)) * whole.size
    low, high = 1e-9 * trace, 1e3 * trace
    first, last = low, high
    for _ in range(_ZOOMS):
        grid = np.geomspace(low, high, _GRID)
        at = _all_rows(whole, grid, defects, kept)
        pick = int(np.nanargmin(at.test_error))
        low, high = grid[max(pick - 1, 0)], grid[min(pick + 1, _GRID - 1)]
    best, n = float(grid[pick]), len(copies)
    edge = "none" if best <= first * 1.01 else "endless" if best >= last / 1.01 else ""
    weights = copies.astype(float) if kept else np.ones(n)
    wide = np.append(np.geomspace(first, last, 121), best)
    cross = left_out(rows, labels, weights, wide, whole.size < whole.rows)
    alone, naive = int(np.nanargmin(cross.rows)), int(np.nanargmin(cross.naive))
    return BestRidge(
        ridge=best,
        error=float(at.test_error[pick]),
        effective=float(at.effective[pick]) * n / whole.size,
        at_edge=edge,
        left_out=float(cross.rows[-1]),
        left_out_ridge=float(wide[alone]),
        left_out_error=float(cross.rows[alone]),
        naive_ridge=float(wide[naive]),
    )


def _all_rows(whole: Population, ridges: np.ndarray, defects: Defects, kept: bool) -> Predicted:
    n = np.full(len(ridges), float(whole.rows))
    return predict(whole, Cells(n, ridges, np.full(len(ridges), kept)), defects)
