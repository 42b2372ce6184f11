"""Chebyshev nodes for sums over modes: Lagrange polynomials, and weights with an exact total.

They serve ``compression.compress``; why 18 nodes do is in docs/ridge/ridge.md.
"""

import numpy as np

__all__ = ["exact_total", "lagrange"]


def lagrange(t: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev nodes (count,) on [-1, 1] and their Lagrange polynomials at t, (count, len(t))."""
    angles = (2 * np.arange(count) + 1) * np.pi / (2 * count)
    grid = np.cos(angles)
    signs = np.where(np.arange(count) % 2 == 0, 1.0, -1.0) * np.sin(angles)
    gap = t - grid[:, None]
    hit = gap == 0
    terms = signs[:, None] / np.where(hit, 1.0, gap)
    values = terms / terms.sum(axis=0)
    on_node = hit.any(axis=0)
    values[:, on_node] = hit[:, on_node]
    return grid, values


def exact_total(weights: np.ndarray, total: float) -> np.ndarray:
    """Round weights to a dyadic grid on which they add up to ``total`` without rounding.

    The solver's count of modes above kappa must not carry a rounding error: at the
    interpolation peak it is all that is left of ``n - df1``.
    """
    size = max(float(np.max(np.abs(weights))), 1.0)
    quantum = 2.0 ** max(np.ceil(np.log2(size)) - 51, -44)
    if total % quantum:
        return weights  # fractional multiplicities in, no exact total to keep
    rounded = np.round(weights / quantum) * quantum
    whole = np.round(rounded)
    missing = (total - whole.sum()) - (rounded - whole).sum()
    rounded[np.argmax(np.abs(rounded))] += missing
    return rounded
