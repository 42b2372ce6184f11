"""Gradient flow on least squares with weight decay: all times from one eigendecomposition.

Training on (1/2N) sum_i c_i (y_i - x_i.w)^2 + (decay/2) |w|^2 with N copies of rows in all.
Errors are averages over the label noise given the inputs, in two forms: ``errors`` of inputs with
covariance 1 also averages over independent random directions of the start and of the target,
``path_errors`` takes any inputs, features and target, and starts from zero.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar, Value
from ci_theory.training.closed_form import RidgePath, filtered_errors


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
    signal: Value,
    start: Value,
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
    left, learned, kept = _progress(s, time[None, :], decay[None, :])
    clean = (start * left**2 + signal * kept**2) / len(modes.eigenvalues)
    load = modes.load[:, None] / modes.copies
    fitted = noise * jnp.sum(load * learned**2, axis=0)
    train_noise = noise * (modes.floor + jnp.sum(load * (s * learned**2 - 2 * learned), axis=0))
    return FlowErrors(
        excess=jnp.sum(clean, axis=0) + fitted,
        train=jnp.sum(s * clean, axis=0) + train_noise,
    )


def path_errors(
    path: RidgePath,
    *,
    metric: Float[Array, " p"] | Float[Array, "q_test p"],
    test_target: Float[Array, " q_test"],
    signal_labels: Float[Array, " n"],
    row_noise: Float[Array, " n"],
    time: Float[Array, " m"],
    decay: Float[Array, " m"],
    noise: Float[Array, " m"],
    equal_weights: bool = False,
) -> FlowErrors:
    """Read the errors of every inner point off the decomposition of a weighted design.

    Args:
        path: from ``closed_form.decompose``: any features, any row weights.
        metric: root of the features' second moments, see ``closed_form.path_errors``; so is
            ``test_target``.
        signal_labels: noiseless training labels; whatever they are in rows of weight zero.
        row_noise: variance of each row's mean label in units of ``noise``.
        time: rate times steps.
        decay: weight decay.
        noise: label-noise variance.
        equal_weights: as in ``closed_form.path_errors``.
    """
    copies = jnp.sum(path.root**2)
    _, learned, kept = _progress(path.eigenvalues[:, None] / copies, time[None, :], decay[None, :])
    found = filtered_errors(
        path,
        metric=metric,
        test_target=test_target,
        signal_labels=signal_labels,
        row_noise=row_noise,
        inverse=learned / copies,
        kept=kept,
        noise=noise,
        equal_weights=equal_weights,
    )
    return FlowErrors(excess=found.excess, train=found.train)


def feature_errors(
    path: RidgePath,
    *,
    features: Float[Array, "p d"],
    inputs: Float[Array, "n d"],
    row_noise: Float[Array, " n"],
    time: Float[Array, " m"],
    decay: Float[Array, " m"],
    noise: Float[Array, " m"],
    signal: Value,
    start: Value,
) -> FlowErrors:
    """Read the errors of weights on linear features of inputs of covariance 1, started at random.

    As ``errors``, averages over independent random directions of the start and of the target.

    Args:
        path: from ``closed_form.decompose(inputs @ features.T, weights)``.
        features: F.
        inputs: the training inputs.
        row_noise: variance of each row's mean label, in units of the noise.
        time: rate times steps.
        decay: weight decay.
        noise: label-noise variance.
        signal: squared norm of the target, a vector of the inputs.
        start: mean squared norm of the initial weights, on the features.
    """
    p, d = features.shape
    copies, values = jnp.sum(path.root**2), path.eigenvalues
    alive = values > 0
    s = values[:, None] / copies
    left, learned, kept = _progress(s, time[None, :], decay[None, :])
    inverse = learned / copies

    onto = features.T @ path.back(jnp.eye(len(values), dtype=path.root.dtype))  # (d, q)
    labels = path.forward(path.root[:, None] * inputs)  # of the d targets along an axis each
    gram, length = onto.T @ onto, jnp.where(alive, path.length, 1.0)
    missed = jnp.sum(inverse * ((gram * (labels @ labels.T)) @ inverse), axis=0)
    missed = missed - 2 * jnp.sum(labels * onto.T, axis=1) @ inverse + d
    spread = path.root**2 * row_noise
    basis = path.design @ path.vectors if path.primal else path.vectors
    covariance = basis.T @ (spread[:, None] * basis)
    fitted = jnp.sum(inverse * ((gram * covariance) @ inverse), axis=0)

    # The start: along the directions that rows touch, and what is left of all others.
    along = (
        jnp.diagonal(gram)
        if path.primal
        else jnp.diagonal(gram) * alive / jnp.where(alive, values, 1.0)
    )
    beyond = jnp.maximum(jnp.sum(features**2) - jnp.sum(along), 0.0)
    faded = jnp.exp(-2 * decay * time)
    begun = along @ left**2 + beyond * faded
    begun_train = jnp.sum(s * left**2, axis=0)

    squares = jnp.sum(labels**2, axis=1), jnp.diagonal(covariance)
    totals = jnp.sum((path.root[:, None] * inputs) ** 2), jnp.sum(spread)
    if path.primal:  # what lies outside the span of the features is kept whole
        squares = squares[0] * alive / length, squares[1] * alive / length
        outside = [jnp.maximum(t - jnp.sum(v), 0.0) for t, v in zip(totals, squares, strict=True)]
    else:
        outside = [jnp.zeros(()), jnp.zeros(())]
    residue = jnp.where(alive[:, None], kept, 1.0) ** 2
    train = [(o + v @ residue) / copies for o, v in zip(outside, squares, strict=True)]
    return FlowErrors(
        excess=signal / d * missed + noise * fitted + start / p * begun,
        train=signal / d * train[0] + noise * train[1] + start / p * begun_train,
    )


def _progress(
    s: Float[Array, "q 1"], time: Float[Array, "1 m"], decay: Float[Array, "1 m"]
) -> tuple[Float[Array, "q m"], Float[Array, "q m"], Float[Array, "q m"]]:
    """How far a mode of variance s is: e = exp(-(s + decay) t), h = (1 - e)/(s + decay), 1 - s h.

    Without decay a mode of variance 0 never moves: h is the time and its share of 1 - s h whole.
    """
    rate = s + decay
    moving = rate > 0
    safe = jnp.where(moving, rate, 1.0)
    left = jnp.exp(-rate * time)
    learned = jnp.where(moving, -jnp.expm1(-rate * time) / safe, time)
    kept = jnp.where(moving, (decay + s * left) / safe, 1.0)
    return left, learned, kept
