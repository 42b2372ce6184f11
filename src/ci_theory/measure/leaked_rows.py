"""Error of a weighted ridge fit over some of its own training rows, as a leaked test shows it."""

import jax.numpy as jnp

from ci_theory._types import Array, Bool, Float, Value
from ci_theory.training import closed_form


def leaked_error(
    path: closed_form.RidgePath,
    signal: Float[Array, " n"],
    leaked: Bool[Array, " n"],
    row_noise: Float[Array, " n"],
    ridge: Float[Array, " m"],
    noise: Float[Array, " m"],
    fresh: Value = 0.0,
) -> Float[Array, " m"]:
    """Mean squared error over the leaked rows, the label noise averaged exactly.

    With weighted labels z = sqrt(c) y the residuals are (a + F U F') z, U diagonal: the labels
    less their fit (a = 1), or, with fewer rows than features, without subtraction (a = 0). The
    label noise of row j enters with variance c_j v_j. A label of one copy differs from its row's
    mean label by the rest of its noise; a new label is not the one that was fitted, which adds
    twice the leverage.

    Args:
        path: the fit, from ``closed_form.decompose``.
        signal: noiseless training labels.
        leaked: which rows leaked; the error of none is 0.
        row_noise: variance v of each row's mean label in units of ``noise``.
        ridge: total ridge at the m inner points.
        noise: label-noise variance at the m inner points.
        fresh: 1 where leaked rows are labelled anew for the test, 0 where they show a label that
            was trained on.
    """
    values, alive = path.eigenvalues[:, None], path.eigenvalues[:, None] > 0
    keep = 1.0 if path.primal else 0.0
    f = path.design @ path.vectors if path.primal else path.vectors
    spread = path.root**2 * row_noise
    share = leaked / jnp.maximum(jnp.sum(leaked), 1)
    weight = share / jnp.where(leaked, path.root**2, 1.0)

    inverse = closed_form.shrinkage(values, ridge[None, :])
    u = -inverse if path.primal else jnp.where(alive, ridge[None, :] * inverse, 1.0)
    labels = (path.root * signal)[:, None]
    residual = keep * labels + f @ (u * (f.T @ labels))
    # Only the sum over rows is needed: of the noise in the fits, a quadratic form in U.
    form = (f.T @ (spread[:, None] * f)) * (f.T @ (weight[:, None] * f))
    leverage = ((weight * spread) @ f**2) @ (inverse if path.primal else values * inverse)
    fitted = jnp.sum(u * (form @ u), axis=0) + keep * (weight @ spread - 2 * leverage)
    beyond = share @ (1.0 - row_noise)
    return weight @ residual**2 + noise * (fitted + 2 * fresh * leverage + beyond)
