"""Gradient flow on least squares with weight decay: all times from one eigendecomposition.

Training on (1/2N) sum_i c_i (y_i - x_i.w)^2 + (decay/2) |w|^2 with N copies of rows in all, from
a random start. Errors are averaged, given the inputs, over the label noise and over independent
random directions of the start and of the target (inputs with covariance 1).
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar


class Modes(NamedTuple):
    """One design, decomposed.

    Attributes:
        eigenvalues: of X'CX/N, with zeros for directions no row touches, (d,).
        load: variance that labels of unit noise bring into each mode, X'C v C X/N in it, (d,).
        floor: mean over copies of the noise of a row's label, in units of the noise.
        copies: N.
    """

    eigenvalues: Float[Array, " d"]
    load: Float[Array, " d"]
    floor: Scalar
    copies: Scalar


class FlowErrors(NamedTuple):
    """Errors at m inner points, each (m,) [label^2].

    Attributes:
        excess: mean squared error on fresh clean labels.
        train: mean squared residual on the labels of the copies (on their mean label).
    """

    excess: Float[Array, " m"]
    train: Float[Array, " m"]


def decompose(
    x: Float[Array, "n d"], weights: Float[Array, " n"], row_noise: Float[Array, " n"]
) -> Modes:
    """Decompose a weighted design; rows of weight 0 are not there.

    Args:
        x: inputs.
        weights: copies of each row.
        row_noise: variance of each row's mean label, in units of the noise.
    """
    n, d = x.shape
    copies = jnp.sum(weights)
    scaled = jnp.sqrt(weights / copies)[:, None] * x
    spread = weights * row_noise
    if n < d:  # the Gram matrix of rows; directions outside their span have eigenvalue 0
        values, vectors = jnp.linalg.eigh(scaled @ scaled.T)
        values = jnp.maximum(values, 0.0)
        load = values * (spread @ vectors**2)
        values, load = (jnp.pad(v, (d - n, 0)) for v in (values, load))
    else:
        values, vectors = jnp.linalg.eigh(scaled.T @ scaled)
        values = jnp.maximum(values, 0.0)
        load = spread @ (scaled @ vectors) ** 2
    return Modes(values, load, jnp.sum(spread) / copies, copies)


def errors(
    modes: Modes,
    *,
    time: Float[Array, " m"],
    decay: Float[Array, " m"],
    noise: Float[Array, " m"],
    signal: Scalar,
    start: Scalar,
) -> FlowErrors:
    """Read the errors of every inner point off one decomposition.

    Args:
        modes: from ``decompose``.
        time: rate times steps.
        decay: weight decay.
        noise: label-noise variance.
        signal: squared norm of the target.
        start: mean squared norm of the initial weights.
    """
    s = modes.eigenvalues[:, None]
    rate = s + decay[None, :]
    moving = rate > 0
    left = jnp.exp(-rate * time[None, :])
    learned = jnp.where(
        moving, -jnp.expm1(-rate * time[None, :]) / jnp.where(moving, rate, 1.0), time[None, :]
    )
    kept = 1 - s * learned
    clean = (start * left**2 + signal * kept**2) / len(modes.eigenvalues)
    load = modes.load[:, None] / modes.copies
    fitted = noise * jnp.sum(load * learned**2, axis=0)
    train_noise = noise * (modes.floor + jnp.sum(load * (s * learned**2 - 2 * learned), axis=0))
    return FlowErrors(
        excess=jnp.sum(clean, axis=0) + fitted,
        train=jnp.sum(s * clean, axis=0) + train_noise,
    )
