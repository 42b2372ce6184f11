"""Errors of a weighted ridge fit whose rows are seen several times, also by cross-validation.

A row that appears c times is a row of weight c. Cross-validation over all copies leaves out one
copy while the others stay; over distinct rows it leaves out all copies at once. Everything is
averaged over the label noise given the inputs, exactly; test inputs have unit covariance.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar, Value
from ci_theory.training.closed_form import decompose, shrinkage


class Design(NamedTuple):
    """Rows in the basis that diagonalises them, shared by all ridges; q = min(n, p).

    With z the weighted labels, coefficients in that basis are (F'z) / (eigenvalues + ridge).

    Attributes:
        weights: copies of each row, (n,).
        eigenvalues: of the smaller Gram matrix, (q,).
        rows: F, with F'F diagonal, (n, q).
        signal: weighted noiseless labels, (n,).
        target: target in the basis, (q,).
        beyond: squared target outside it.
        row_noise: variance of the weighted labels in units of the noise, (n,).
        within: spread of the copies' labels about their means, summed over copies.
        noise_gram: F' diag(row_noise) F, (q, q).
    """

    weights: Float[Array, " n"]
    eigenvalues: Float[Array, " q"]
    rows: Float[Array, "n q"]
    signal: Float[Array, " n"]
    target: Float[Array, " q"]
    beyond: Scalar
    row_noise: Float[Array, " n"]
    within: Scalar
    noise_gram: Float[Array, "q q"]


class Errors(NamedTuple):
    """Errors at one ridge and noise level, label².

    Attributes:
        excess: mean squared error on fresh inputs and clean labels.
        train: mean squared residual over all copies.
        gcv_naive: generalised cross-validation that takes copies for rows.
        gcv_distinct: leaving out all copies of a row at once.
    """

    excess: Scalar
    train: Scalar
    gcv_naive: Scalar
    gcv_distinct: Scalar


def design(
    inputs: Float[Array, "n p"],
    weights: Float[Array, " n"],
    target: Float[Array, " p"],
    mean_noise: Float[Array, " n"],
) -> Design:
    """Diagonalise the rows.

    Args:
        inputs: one row per distinct training point.
        weights: copies of each row; a row of weight zero is not there.
        target: weights that make the labels.
        mean_noise: variance of a row's mean label in units of the noise.
    """
    path = decompose(inputs, weights)
    values, vectors = path.eigenvalues, path.vectors
    signal = path.root * (inputs @ target)
    if path.primal:
        f = path.design @ vectors
        along = vectors.T @ target
    else:
        f = vectors * jnp.sqrt(values)[None, :]
        safe = jnp.where(values > 0, values, 1.0)
        along = jnp.where(values > 0, (vectors.T @ signal) / jnp.sqrt(safe), 0.0)
    noise = weights * mean_noise
    return Design(
        weights=weights,
        eigenvalues=values,
        rows=f,
        signal=signal,
        target=along,
        beyond=jnp.maximum(target @ target - along @ along, 0.0),
        row_noise=noise,
        within=jnp.sum(weights) - jnp.sum(noise),
        noise_gram=f.T @ (noise[:, None] * f),
    )


def errors(design: Design, ridge: Value, noise: Value) -> Errors:
    """Measure a fit at one total ridge and label-noise variance.

    Residuals are written as scale (a z + F W F'z): with more rows than directions as the labels
    less their fit, otherwise without subtraction, so that leaving rows out is also exact for an
    interpolator. The scale is the ridge in that case.
    """
    values, f = design.eigenvalues, design.rows
    alive = values > 0
    inverse = shrinkage(values, ridge)
    fit = inverse * (f.T @ design.signal)
    fitted_noise = inverse**2 @ jnp.diagonal(design.noise_gram)
    excess = jnp.sum((design.target - fit) ** 2) + design.beyond + noise * fitted_noise

    there = design.weights > 0
    distinct, copies = jnp.sum(there), jnp.sum(design.weights)
    few = distinct <= jnp.sum(alive)
    keep = jnp.where(few, 0.0, 1.0)
    w = jnp.where(few, inverse / jnp.where(alive, values, 1.0), -inverse)
    own = keep * there + f**2 @ w  # a + (F W F')_ii
    signal = keep * design.signal + f @ (w * (f.T @ design.signal))
    mixed = f * w[None, :]
    spread = jnp.sum((mixed @ design.noise_gram) * mixed, axis=1)
    spread = spread + keep * design.row_noise * (2 * own - keep)
    square = signal**2 + noise * spread  # of a row's weighted residual, over scale^2

    # Where no row is repeated the scale drops out of generalised cross-validation.
    scale = jnp.where(few, ridge, 1.0)
    spare = jnp.where(few & (copies == distinct), 1.0, scale)
    within = noise * design.within
    left = (copies - distinct) + spare * jnp.sum(own)
    held_out = square / jnp.where(there, design.weights * own**2, 1.0)
    mean_spread = 1.0 - design.row_noise / jnp.where(there, design.weights, 1.0)
    held_out = jnp.where(there, held_out + noise * mean_spread, 0.0)
    return Errors(
        excess=excess,
        train=(scale**2 * jnp.sum(square) + within) / copies,
        gcv_naive=copies * (spare**2 * jnp.sum(square) + within) / left**2,
        gcv_distinct=jnp.sum(held_out) / distinct,
    )
