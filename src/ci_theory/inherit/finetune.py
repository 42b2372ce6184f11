"""A ridge stage that starts from inherited weights: g in CI = g(D_down, f(D_up, M, A_up), A_down).

The stage minimises sum_i c_i (y_i - x_i.w)^2 + ridge |w - w0|^2 over its own rows. Weights are
carried as moments over all label noise so far, given all designs so far, which is exact: a
two-stage run draws inputs and no labels. Inheriting zero weights is plain ridge regression, so
the same function simulates upstream and downstream, any number of times.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar, Value
from ci_theory.training.closed_form import shrinkage, without_rounding


class Moments(NamedTuple):
    """Weights over the label noise of the stages behind them, given their designs.

    Attributes:
        mean: (p,).
        covariance: (p, p).
    """

    mean: Float[Array, " p"]
    covariance: Float[Array, "p p"]


class Design(NamedTuple):
    """The rows of a stage, diagonalised: shared by every ridge, noise level and start.

    Attributes:
        eigenvalues: of X'CX, (p,), those below rounding set to zero.
        vectors: its eigenvectors as columns, (p, p).
        noise: X'CVCX in that basis, V the variances of the rows' mean labels in units of the
            noise, (p, p).
        rows: sum of the weights.
        rows_noise: sum of c v, the noise in the weighted labels.
    """

    eigenvalues: Float[Array, " p"]
    vectors: Float[Array, "p p"]
    noise: Float[Array, "p p"]
    rows: Scalar
    rows_noise: Scalar


def scratch(p: int, dtype: jnp.dtype | None = None) -> Moments:
    """Weights zero.

    >>> scratch(2).mean.shape
    (2,)
    """
    return Moments(jnp.zeros(p, dtype), jnp.zeros((p, p), dtype))


def design(
    inputs: Float[Array, "n p"], weights: Float[Array, " n"], row_noise: Float[Array, " n"]
) -> Design:
    """Diagonalise the rows of a stage.

    Args:
        inputs: one row per distinct training point.
        weights: non-negative row weights; a row of weight zero is not there.
        row_noise: variance of each row's mean label in units of the noise.
    """
    n, p = inputs.shape
    weighted = inputs * weights[:, None]
    values, vectors = jnp.linalg.eigh(inputs.T @ weighted)
    turned = weighted @ vectors
    return Design(
        eigenvalues=without_rounding(values, max(n, p)),
        vectors=vectors,
        noise=turned.T @ (row_noise[:, None] * turned),
        rows=jnp.sum(weights),
        rows_noise=jnp.sum(weights * row_noise),
    )


def finetune(
    stage: Design, start: Moments, target: Float[Array, " p"], ridge: Value, noise: Value
) -> Moments:
    """Fit a stage's labels with a ridge towards inherited weights.

    Without a ridge, directions that the rows do not see keep what they inherited: the
    interpolator nearest to the start.

    Args:
        stage: its rows.
        start: inherited weights, independent of the rows.
        target: weights that make the labels.
        ridge: total ridge, >= 0.
        noise: label-noise variance.
    """
    keep, inverse = _shrink(stage, ridge)
    gap = stage.vectors.T @ (start.mean - target)
    spread = stage.vectors.T @ start.covariance @ stage.vectors
    spread = keep[:, None] * spread * keep[None, :]
    spread = spread + noise * inverse[:, None] * stage.noise * inverse[None, :]
    return Moments(
        mean=target + stage.vectors @ (keep * gap),
        covariance=stage.vectors @ spread @ stage.vectors.T,
    )


def kept(stage: Design, ridge: Value) -> Float[Array, "p p"]:
    """Return the map from the error of the start to that of the mean fit, (p, p), symmetric."""
    keep, _ = _shrink(stage, ridge)
    return (stage.vectors * keep[None, :]) @ stage.vectors.T


def training_error(
    stage: Design, start: Moments, target: Float[Array, " p"], ridge: Value, noise: Value
) -> Scalar:
    """Return the mean squared residual of the stage's fit on its rows' mean labels."""
    keep, _ = _shrink(stage, ridge)
    alive = stage.eigenvalues > 0
    gap = stage.vectors.T @ (start.mean - target)
    spread = jnp.sum(stage.vectors * (start.covariance @ stage.vectors), axis=0)
    missed = jnp.sum(stage.eigenvalues * keep**2 * (gap**2 + spread))
    inside = jnp.where(alive, jnp.diagonal(stage.noise), 0.0)
    inside = inside / jnp.where(alive, stage.eigenvalues, 1.0)
    outside = jnp.maximum(stage.rows_noise - jnp.sum(inside), 0.0)
    return (missed + noise * (outside + jnp.sum(keep**2 * inside))) / stage.rows


def excess_risk(weights: Moments, target: Float[Array, " p"]) -> Scalar:
    """Return the mean squared error on clean labels of inputs of unit covariance."""
    gap = weights.mean - target
    return gap @ gap + jnp.trace(weights.covariance)


def _shrink(stage: Design, ridge: Value) -> tuple[Array, Array]:
    """Return what a direction keeps of its start, and 1/(eigenvalue + ridge)."""
    inverse = shrinkage(stage.eigenvalues, ridge)
    return jnp.where(stage.eigenvalues > 0, ridge * inverse, 1.0), inverse
