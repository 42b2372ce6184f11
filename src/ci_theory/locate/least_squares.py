"""Many small nonlinear least-squares problems at once, in a box: Levenberg and Marquardt."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From parameters (q, p) to values (q, m) and their derivatives (q, m, p)."""

_STEPS = 200
_FLAT = 1e-9  # relative fall of the sum of squares below which a nearly full step is the last


class Minimum(NamedTuple):
    """Where the searches ended.

    Attributes:
        theta: parameters (q, p).
        loss: sums of squares (q,).
        converged: whether a search ended because nothing was left to gain (q,).
    """

    theta: np.ndarray
    loss: np.ndarray
    converged: np.ndarray


def minimise(
    model: Model,
    y: np.ndarray,
    start: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    weight: np.ndarray | float = 1.0,
    held: tuple[int, ...] = (),
) -> Minimum:
    """Minimise sum_j weight_j (y_j - model_j(theta))^2 from every start.

    A parameter at the end of its box does not move while the gradient points outwards.

    Args:
        model: values and derivatives, for a batch.
        y: values to fit (q, m), or (m,) for all.
        start: parameters (q, p).
        low: box (p,), or (q, p) for every start its own; ``high`` likewise.
        weight: weights (m,).
        held: parameters that stay where they start.

    Source: Marquardt 1963 (J. SIAM 11), with the diagonal scaled by J'J.
    """
    low, high = (np.broadcast_to(end, start.shape) for end in (low, high))
    theta = np.clip(start, low, high)
    if held:
        theta[:, held] = start[:, held]
    root = np.sqrt(np.broadcast_to(weight, y.shape[-1:]))
    y = np.broadcast_to(y, (len(theta), y.shape[-1]))
    best, damping = theta.copy(), np.full(len(theta), 1e-3)
    value, slope = model(theta)
    loss = (((y - value) * root) ** 2).sum(axis=1)
    active = np.arange(len(theta))
    still = np.zeros(len(theta), int)
    while len(active) and still.max(initial=0) < _STEPS:
        rest = (y[active] - value) * root
        rows = slope * root[:, None]
        across = rows.transpose(0, 2, 1)
        gradient, square = (across @ rest[..., None])[..., 0], across @ rows
        at = best[active]
        floor, top = low[active], high[active]
        fixed = ((at <= floor) & (gradient < 0)) | ((at >= top) & (gradient > 0))
        fixed[:, held] = True
        step = _step(square, gradient, fixed, damping[active])
        trial = np.clip(at + step, floor, top)
        if held:
            trial[:, held] = at[:, held]
        new_value, new_slope = model(trial)
        new = (((y[active] - new_value) * root) ** 2).sum(axis=1)
        better = new < loss[active]
        fall = np.where(better, loss[active] - new, 0.0)
        ended = np.where(
            better,
            (fall <= _FLAT * new) & (damping[active] < 1),
            (damping[active] > 1e8) | (np.abs(step).max(axis=1) < 1e-10),
        )
        best[active[better]] = trial[better]
        loss[active[better]] = new[better]
        damping[active] = np.where(better, damping[active] / 6, damping[active] * 5)
        damping = np.maximum(damping, 1e-12)
        value = np.where(better[:, None], new_value, value)[~ended]
        slope = np.where(better[:, None, None], new_slope, slope)[~ended]
        still[active] += 1
        active = active[~ended]
    converged = np.ones(len(theta), bool)
    converged[active] = False
    return Minimum(best, loss, converged)


def _step(
    square: np.ndarray, gradient: np.ndarray, fixed: np.ndarray, damping: np.ndarray
) -> np.ndarray:
    """Solve for the damped step (q, p); fixed parameters do not move."""
    p = gradient.shape[1]
    diagonal = square[:, np.arange(p), np.arange(p)]
    loaded = square * ~(fixed[:, :, None] | fixed[:, None, :])
    floor = 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300
    added = damping[:, None] * diagonal + floor
    loaded[:, np.arange(p), np.arange(p)] += np.where(fixed, 1.0 + diagonal, added)
    return np.linalg.solve(loaded, np.where(fixed, 0.0, gradient)[..., None])[..., 0]
