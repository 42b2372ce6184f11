r"""Ridge regression of linear attention, :math:`\hat y = x' \Gamma h`, without its d^2 columns.

The rows of the regression are :math:`x \otimes h`: they are never made. Conjugate gradients apply
the normal equations as two products of n x d matrices, 4 n d^2 operations a step.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from ci_theory._types import Array, Bool, Float, Scalar, Value

MOST_STEPS = 1000


class Fit(NamedTuple):
    """Fitted weights; NaN where conjugate gradients did not get there."""

    gamma: Float[Array, "d d"]
    converged: Bool[Array, ""]


def fit(
    x: Float[Array, "n d"],
    h: Float[Array, "n d"],
    labels: Float[Array, " n"],
    weights: Float[Array, " n"],
    ridge: Value,
) -> Fit:
    r"""Minimise :math:`\sum_i c_i (y_i - x_i' \Gamma h_i)^2 + \delta |\Gamma|^2`.

    Preconditioned by the second moment of h: what is left is the spread of the prompts about their
    mean, whose condition does not depend on the tasks.

    Args:
        x: queries.
        h: summaries of the contexts.
        labels: of the queries.
        weights: copies of each prompt; 0 leaves it out.
        ridge: total ridge, > 0.
    """
    d = x.shape[1]
    moment = (h * weights[:, None]).T @ h / d + ridge * jnp.eye(d)
    inverse = jnp.linalg.inv(moment)

    def system(gamma: Array) -> Array:
        shown = weights * jnp.sum((x @ gamma) * h, axis=1)
        return x.T @ (shown[:, None] * h) + ridge * gamma

    target = x.T @ ((weights * labels)[:, None] * h)
    small = jnp.finfo(target.dtype).eps ** 0.6 * jnp.sqrt(jnp.sum(target**2))

    def advance(state: tuple) -> tuple:
        gamma, left, way, power, steps = state
        pushed = system(way)
        length = power / jnp.sum(way * pushed)
        gamma, left = gamma + length * way, left - length * pushed
        turned = left @ inverse
        now = jnp.sum(left * turned)
        return gamma, left, turned + now / power * way, now, steps + 1

    def moving(state: tuple) -> Array:
        return (jnp.sum(state[1] ** 2) > small**2) & (state[4] < MOST_STEPS)

    first = target @ inverse
    begin = (jnp.zeros_like(target), target, first, jnp.sum(target * first), 0)
    gamma, left, _, _, _ = lax.while_loop(moving, advance, begin)
    there = jnp.sum(left**2) <= small**2
    return Fit(jnp.where(there, gamma, jnp.nan), there)


def test_error(
    gamma: Float[Array, "d d"],
    moment: Float[Array, "d d"],
    length: Any,
    noise: Any,
) -> Scalar:
    r"""Mean squared error on new prompts, exact given Gamma.

    .. math:: \rho + \frac1d \bigl[\mathrm{tr} R - 2\,\mathrm{tr}\,\Gamma R
        + \mathrm{tr}\,\Gamma \bigl((1 + \tfrac1l) R + \tfrac dl (1 + \rho)\bigr) \Gamma'\bigr]

    Args:
        gamma: the weights.
        moment: R, mean of w w' over the tasks tested, all of squared norm d; the identity for new
            ones.
        length: l, pairs of a context.
        noise: rho, variance of the label noise in context and query.
    """
    d = gamma.shape[0]
    seen = (1 + 1 / length) * moment + d / length * (1 + noise) * jnp.eye(d)
    error = jnp.trace(moment) - 2 * jnp.sum(gamma * moment) + jnp.sum((gamma @ seen) * gamma)
    return noise + error / d


test_error.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test
