"""How a stage makes its weights of the rows and of what it inherits.

An adapter is a function ``(features, labels, weights, start) -> weights``; features (n, p), labels
and row weights (n,), start and result (p,).
"""

from collections.abc import Callable

import jax.numpy as jnp

from ci_theory._types import Array, Scalar, Value
from ci_theory.training.closed_form import coefficients, decompose
from ci_theory.training.descent import descend

Adapter = Callable[[Array, Array, Array, Array], Array]


def ridge_towards(ridge: Value) -> Adapter:
    """Minimise sum c (y - phi.w)^2 + ridge |w - start|^2; at ridge 0 the nearest interpolator."""

    def adapt(features: Array, labels: Array, weights: Array, start: Array) -> Array:
        path, missed = decompose(features, weights), labels - features @ start
        return start + coefficients(path, missed, jnp.asarray(ridge, missed.dtype)[None])[:, 0]

    return adapt


def probe(ridge: Value) -> Adapter:
    """Fit a linear probe: a ridge towards zero, whatever is inherited."""
    towards = ridge_towards(ridge)

    def adapt(features: Array, labels: Array, weights: Array, start: Array) -> Array:
        return towards(features, labels, weights, jnp.zeros_like(start))

    return adapt


def flow(time: Value) -> Adapter:
    """Follow the gradient flow on (1/2n) sum c (y - phi.w)^2 from the start, n = sum c."""

    def adapt(features: Array, labels: Array, weights: Array, start: Array) -> Array:
        path, missed = decompose(features, weights), labels - features @ start
        seen = path.eigenvalues > 0
        values = jnp.where(seen, path.eigenvalues, 1.0)
        learned = jnp.where(seen, -jnp.expm1(-values * time / jnp.sum(weights)) / values, 0.0)
        forward = path.forward((path.root * missed)[:, None])
        return start + path.back(learned[:, None] * forward)[:, 0]

    return adapt


def descent(
    answers: Callable[[Array, Array], Array],
    ridge: Value,
    rate: Value,
    steps: int,
) -> Adapter:
    """Train weights that answer in any way: what ``ridge_towards`` minimises, by Adam from start.

    Args:
        answers: ``answers(weights, features)``, (n,); may bend in the weights.
        ridge: total ridge towards the start.
        rate: first step size, which falls to zero.
        steps: to take.
    """

    def adapt(features: Array, labels: Array, weights: Array, start: Array) -> Array:
        def loss(now: Array) -> Scalar:
            missed = jnp.sum(weights * (labels - answers(now, features)) ** 2)
            return (missed + ridge * jnp.sum((now - start) ** 2)) / jnp.sum(weights)

        return descend(loss, start, rate, steps)

    return adapt


def taken_over() -> Adapter:
    """Keep the weights that are inherited."""

    def adapt(features: Array, labels: Array, weights: Array, start: Array) -> Array:
        return start

    return adapt
