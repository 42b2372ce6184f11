"""Weighted ridge regression for every ridge and noise level at once: one eigendecomposition.

The objective is sum_i c_i (y_i - phi_i.a)^2 + ridge |a|^2. With A = sqrt(C) Phi, the smaller of
the two Gram matrices of A is diagonalised once; every ridge then costs one diagonal scaling, and
labels enter linearly, so signal and noise are carried apart. Averages over the label noise given
the design are exact (no noise is drawn).

The slow obvious solver, ``solve_directly``, is the oracle of the fast one.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar


class RidgePath(NamedTuple):
    """A weighted design, diagonalised: what every ridge and every label shares. q = min(n, p).

    Attributes:
        eigenvalues: of the smaller Gram matrix, (q,), with those below rounding set to zero.
        back: eigen-coordinates to coefficients, (p, q).
        forward: sqrt(c)-weighted labels to eigen-coordinates, (q, n).
        length: squared lengths of the rows of ``forward``, (q,): the eigenvalues if p <= n,
            ones otherwise.
        root: square roots of the row weights, (n,).
    """

    eigenvalues: Float[Array, " q"]
    back: Float[Array, "p q"]
    forward: Float[Array, "q n"]
    length: Float[Array, " q"]
    root: Float[Array, " n"]


def decompose(features: Float[Array, "n p"], weights: Float[Array, " n"]) -> RidgePath:
    """Diagonalise a weighted design.

    Args:
        features: one row per distinct training point.
        weights: non-negative row weights; a row of weight zero is not there.
    """
    n, p = features.shape
    root = jnp.sqrt(weights)
    a = features * root[:, None]
    if p <= n:
        values, u = jnp.linalg.eigh(a.T @ a)
        back, forward = u, u.T @ a.T
    else:
        values, v = jnp.linalg.eigh(a @ a.T)
        back, forward = a.T @ v, v.T
    cut = jnp.max(values) * max(n, p) * jnp.finfo(values.dtype).eps
    values = jnp.where(values > cut, values, 0.0)
    return RidgePath(values, back, forward, values if p <= n else jnp.ones_like(values), root)


def _inverse(path: RidgePath, ridge: Float[Array, " m"]) -> Float[Array, "q m"]:
    """1 / (eigenvalue + ridge), and 0 in the null space (the minimum-norm solution)."""
    alive = path.eigenvalues[:, None] > 0
    return jnp.where(alive, 1.0 / jnp.where(alive, path.eigenvalues[:, None] + ridge, 1.0), 0.0)


def coefficients(
    path: RidgePath, labels: Float[Array, " n"], ridge: Float[Array, " m"]
) -> Float[Array, "p m"]:
    """Fit the labels at every ridge: the minimum-norm solution where the ridge is zero."""
    b = path.forward @ (path.root * labels)
    return path.back @ (_inverse(path, ridge[None, :]) * b[:, None])


def leverages(path: RidgePath, ridge: Float[Array, " m"]) -> Float[Array, "n m"]:
    """Diagonal of the weighted hat matrix: how much a row's fit follows its own label, (n, m)."""
    alive = path.length[:, None] > 0
    unit = path.forward**2 / jnp.where(alive, path.length[:, None], 1.0)
    shrink = path.eigenvalues[:, None] * _inverse(path, ridge[None, :])
    return unit.T @ shrink


def solve_directly(
    features: Float[Array, "n p"],
    weights: Float[Array, " n"],
    labels: Float[Array, " n"],
    ridge: Scalar,
) -> Float[Array, " p"]:
    """Solve the normal equations at one ridge > 0: the oracle of ``coefficients``."""
    p = features.shape[1]
    gram = features.T @ (weights[:, None] * features)
    return jnp.linalg.solve(gram + ridge * jnp.eye(p), features.T @ (weights * labels))


class PathErrors(NamedTuple):
    """Squared errors at every inner point, averaged over the label noise given the design, (m,).

    Attributes:
        excess: squared distance of the prediction from the clean target on the test law.
        train: mean over training rows, counted with their weights, of the squared residual
            against the rows' mean labels.
        degrees: trace of the hat matrix, the effective number of parameters.
    """

    excess: Float[Array, " m"]
    train: Float[Array, " m"]
    degrees: Float[Array, " m"]


def path_errors(
    path: RidgePath,
    *,
    metric: Float[Array, " p"] | Float[Array, "q_test p"],
    test_target: Float[Array, " q_test"],
    signal_labels: Float[Array, " n"],
    row_noise: Float[Array, " n"],
    ridge: Float[Array, " m"],
    noise: Float[Array, " m"],
    equal_weights: bool,
) -> PathErrors:
    """Read the errors of every (ridge, noise) off one decomposition.

    The excess risk of coefficients a is |R a - t|^2: for inputs of covariance diag(s) and a
    linear target w take R = sqrt(s) (given as a vector) and t = sqrt(s) w; for a test sample of
    T rows take R = features / sqrt(T) and t = targets / sqrt(T).

    Args:
        path: from ``decompose``.
        metric: R, a matrix or, if diagonal, a vector.
        test_target: t.
        signal_labels: noiseless training labels; whatever they are in rows of weight zero.
        row_noise: variance of each row's mean label in units of ``noise``.
        ridge: total ridge at the m inner points.
        noise: label-noise variance at the m inner points.
        equal_weights: whether all rows that are there have one weight and one noise: then the
            noise is uncorrelated between eigen-coordinates, and two matrix products are saved.
    """
    shift = metric[:, None] * path.back if metric.ndim == 1 else metric @ path.back
    b = path.forward @ (path.root * signal_labels)
    inverse = _inverse(path, ridge[None, :])
    misfit = shift @ (inverse * b[:, None]) - test_target[:, None]

    spread = path.root**2 * row_noise  # variance of the weighted labels
    own = path.forward**2 @ spread  # ... in each eigen-coordinate
    if equal_weights:
        fitted_noise = (jnp.sum(shift**2, axis=0) * own) @ inverse**2
    else:
        shared = (shift.T @ shift) * ((path.forward * spread[None, :]) @ path.forward.T)
        fitted_noise = jnp.sum(inverse * (shared @ inverse), axis=0)
    excess = jnp.sum(misfit**2, axis=0) + noise * fitted_noise

    # Residuals: the part of the labels outside the span of the features is never fitted, a
    # coordinate inside it keeps the share ridge / (eigenvalue + ridge).
    alive = path.length > 0
    length = jnp.where(alive, path.length, 1.0)
    kept = 1.0 - path.eigenvalues[:, None] * inverse
    kept = jnp.where(path.eigenvalues[:, None] > 0, ridge[None, :] * inverse, kept)
    total = jnp.sum((path.root * signal_labels) ** 2), jnp.sum(spread)
    inside = jnp.where(alive, b**2 / length, 0.0), jnp.where(alive, own / length, 0.0)
    outside = [jnp.maximum(t - jnp.sum(i), 0.0) for t, i in zip(total, inside, strict=True)]
    left = (outside[0] + inside[0] @ kept**2) + noise * (outside[1] + inside[1] @ kept**2)
    rows = jnp.sum(path.root**2)
    degrees = jnp.sum(path.eigenvalues[:, None] * inverse, axis=0)
    return PathErrors(excess, left / rows, degrees)
