"""Many small nonlinear least-squares problems at once, in a box: Levenberg and Marquardt."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From parameters (q, p) to values (q, m) and their derivatives (q, m, p)."""

STEPS = 200
"""Steps after which a search is given up."""

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
    root: np.ndarray,
    held: tuple[int, ...] = (),
    steps: int = STEPS,
) -> Minimum:
    """Minimise the sum of squares of root (y - model(theta)) from every start.

    A parameter at the end of its box does not move while the gradient points outwards.

    Args:
        model: values and derivatives, for a batch.
        y: values to fit (q, m), or (m,) for all.
        start: parameters (q, p).
        low: box (p,), or (q, p) for every start its own; ``high`` likewise.
        root: roots of the weights (m,), or a matrix (m, m) that whitens.
        held: parameters that stay where they start.
        steps: steps after which a search is given up.

    Source: Marquardt 1963 (J. SIAM 11), with the diagonal scaled by J'J; the damping follows the
    share of the hoped-for fall that a step brings (Nielsen 1999, IMM-REP-1999-05, DTU); both
    cited from memory.
    """
    low, high = (np.broadcast_to(end, start.shape) for end in (low, high))
    theta = np.clip(start, low, high)
    if held:
        theta[:, held] = start[:, held]
    best = theta.copy()
    value, slope = model(theta)
    rest = whiten(np.broadcast_to(y, value.shape) - value, root)
    loss = (rest**2).sum(axis=1)
    target, active = np.broadcast_to(y, rest.shape), np.arange(len(theta))
    damping, growth = np.full(len(theta), 1e-3), np.full(len(theta), 2.0)
    for _ in range(steps):
        if not len(active):
            break
        across = whiten(slope.swapaxes(1, 2), root)
        gradient, square = (across @ rest[..., None])[..., 0], across @ across.swapaxes(1, 2)
        at, damped = best[active], damping[active]
        floor, top = low[active], high[active]
        fixed = ((at <= floor) & (gradient < 0)) | ((at >= top) & (gradient > 0))
        fixed[:, held] = True
        step = _step(square, gradient, fixed, damped)
        trial = np.clip(at + step, floor, top)
        if held:
            trial[:, held] = at[:, held]
        new_value, new_slope = model(trial)
        new_rest = whiten(target[active] - new_value, root)
        new = (new_rest**2).sum(axis=1)
        better = new < loss[active]
        fall = np.where(better, loss[active] - new, 0.0)
        ended = np.where(
            better,
            (fall <= _FLAT * new) & (damped < 1),
            (damped > 1e8) | (np.abs(step).max(axis=1) < 1e-10),
        )
        move = trial - at
        hoped = 2 * (gradient * move).sum(axis=1) - ((square @ move[..., None])[..., 0] * move).sum(
            axis=1
        )
        kept = np.clip(fall / np.maximum(hoped, 1e-300), 0.0, 1.0)
        eased = damped * np.clip(1 - (2 * kept - 1) ** 3, 0.2, 2.0)
        damping[active] = np.maximum(np.where(better, eased, damped * growth[active]), 1e-12)
        growth[active] = np.where(better, 2.0, 2 * growth[active])
        best[active[better]] = trial[better]
        loss[active[better]] = new[better]
        rest[better], slope[better] = new_rest[better], new_slope[better]
        if ended.any():
            active, rest, slope = active[~ended], rest[~ended], slope[~ended]
    converged = np.ones(len(theta), bool)
    converged[active] = False
    return Minimum(best, loss, converged)


def whiten(values: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Multiply points (..., m) by the root of their precision, (m,) or (m, m)."""
    return values * root if root.ndim == 1 else values @ root.T


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
