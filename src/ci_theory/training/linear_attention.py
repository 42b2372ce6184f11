r"""Ridge regression of linear attention, :math:`\hat y = x' \Gamma h`, without its d^2 columns.

The rows of the regression are :math:`x \otimes h`: they are never made. Conjugate gradients apply
the normal equations as two products of n x d matrices, 4 n d^2 operations a step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from ci_theory._types import Array, Bool, Float, Scalar, Value

MOST_STEPS = 1000
ROUNDS = 2  # of steps in single precision, each from the residual in double
ROUND_STEPS = 100
ROUND_TO = 2e-5  # of the residual that a round begins with; their product is the final tolerance


class Fit(NamedTuple):
    """Fitted weights; NaN where conjugate gradients did not get there."""

    gamma: Float[Array, "d d"]
    converged: Bool[Array, ""]


class _Equations(NamedTuple):
    """Normal equations and their preconditioner, in one precision."""

    apply: Callable[[Array], Array]
    inverse: Float[Array, "d d"]


def _equations(
    x: Float[Array, "n d"], h: Float[Array, "n d"], weights: Float[Array, " n"], ridge: Value
) -> _Equations:
    d = x.shape[1]
    moment = (h * weights[:, None]).T @ h / d + ridge * jnp.eye(d, dtype=h.dtype)

    def system(gamma: Array) -> Array:
        shown = weights * (((x @ gamma) * h) @ jnp.ones(d, h.dtype))  # faster than a sum
        return x.T @ (shown[:, None] * h) + ridge * gamma

    return _Equations(system, jnp.linalg.inv(moment))


def _descend(
    equations: _Equations, gamma: Array, left: Array, small: Value, most: int
) -> tuple[Array, Array]:
    """Return weights and residual after conjugate gradients from given ones."""

    def advance(state: tuple) -> tuple:
        gamma, left, way, power, steps = state
        pushed = equations.apply(way)
        length = power / jnp.sum(way * pushed)
        gamma, left = gamma + length * way, left - length * pushed
        turned = left @ equations.inverse
        now = jnp.sum(left * turned)
        return gamma, left, turned + now / power * way, now, steps + 1

    def moving(state: tuple) -> Array:
        return (jnp.sum(state[1] ** 2) > small**2) & (state[4] < most)

    first = left @ equations.inverse
    begin = (gamma, left, first, jnp.sum(left * first), 0)
    return lax.while_loop(moving, advance, begin)[:2]


def _roughly(
    rough: _Equations, exact: _Equations, target: Float[Array, "d d"]
) -> tuple[Array, Array]:
    """Return weights and residual after some rounds in single precision, none that did not help."""
    gamma, left = jnp.zeros_like(target), target
    for _ in range(ROUNDS):
        size = jnp.sqrt(jnp.sum(left**2))
        scaled = (left / jnp.where(size > 0, size, 1.0)).astype(rough.inverse.dtype)
        step, _ = _descend(rough, jnp.zeros_like(scaled), scaled, ROUND_TO, ROUND_STEPS)
        moved = gamma + size * step.astype(target.dtype)
        there = target - exact.apply(moved)
        better = jnp.sum(there**2) < size**2  # not so for NaN
        gamma, left = jnp.where(better, moved, gamma), jnp.where(better, there, left)
    return gamma, left


def fit(
    x: Float[Array, "n d"],
    h: Float[Array, "n d"],
    labels: Float[Array, " n"],
    weights: Float[Array, " n"],
    ridge: Value,
) -> Fit:
    r"""Minimise :math:`\sum_i c_i (y_i - x_i' \Gamma h_i)^2 + \delta |\Gamma|^2`.

    Preconditioned by the second moment of h: what is left is the spread of the prompts about their
    mean, whose condition does not depend on the tasks. In double precision most steps are made in
    single precision, at half their cost, each round for the residual of the one before in double;
    what is then left to do, all of it where the equations are too ill-conditioned for single
    precision, is done in double, to the same end.

    Args:
        x: queries.
        h: summaries of the contexts.
        labels: of the queries.
        weights: copies of each prompt; 0 leaves it out.
        ridge: total ridge, > 0.
    """
    exact = _equations(x, h, weights, ridge)
    target = x.T @ ((weights * labels)[:, None] * h)
    small = jnp.finfo(target.dtype).eps ** 0.6 * jnp.sqrt(jnp.sum(target**2))
    gamma, left = jnp.zeros_like(target), target
    if target.dtype == jnp.float64:
        single = [jnp.asarray(v).astype(jnp.float32) for v in (x, h, weights, ridge)]
        gamma, left = _roughly(_equations(*single), exact, target)
    gamma, left = _descend(exact, gamma, left, small, MOST_STEPS)
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
