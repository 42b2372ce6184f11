r"""Linear attention :math:`x_q' G h` trained on drawn contexts without end.

Given contexts, the loss averaged over queries, tasks and labels is a quadratic form in G. Contexts
are drawn in two halves: what G makes, with both less half of what it makes with either, is what
endless contexts would make, but for the second order in their number.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar, Value
from ci_theory.tasks.contexts import Seen

HALVES = 2


def fit(contexts: Seen, tasks: Float[Array, " d"], sign: Value) -> Float[Array, "d d"]:
    """Minimise the loss: whatever the covariance of the queries, if it has full rank.

    Args:
        contexts: trained on, (d, d).
        tasks: diagonal of C.
        sign: b, mean sign of a label.
    """
    target = sign**2 * tasks[:, None] * contexts.inputs
    return jnp.linalg.solve(contexts.power, target.T).T


def test_error(
    gamma: Float[Array, "d d"],
    contexts: Seen,
    covariance: Float[Array, "d d"],
    tasks: Float[Array, " d"],
    noise: Value,
) -> Scalar:
    """Mean squared error of weights on queries after the given contexts, all signs right.

    Args:
        gamma: G.
        contexts: of the test, (d, d).
        covariance: of the queries.
        tasks: diagonal of C.
        noise: label-noise variance.
    """
    read = covariance @ gamma
    kept = jnp.sum(read * (contexts.inputs * tasks[None, :]).T)
    power = jnp.sum((read @ contexts.power) * gamma)
    return noise + jnp.sum(jnp.diagonal(covariance) * tasks) - 2 * kept + power


def endless(contexts: Seen, made: Callable[[Seen], Array]) -> Array:
    """Extrapolate what training makes to endless contexts: the first order in 1/contexts cancels.

    Args:
        contexts: two halves, (2, d, d).
        made: what training on contexts makes.
    """
    whole = jax.tree.map(lambda v: jnp.mean(v, axis=0), contexts)
    return HALVES * made(whole) - jnp.mean(jax.vmap(made)(contexts), axis=0)


test_error.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test
