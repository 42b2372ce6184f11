"""Training by AdamW as one pure function, read off at given steps.

Everything is traced: the step size, the decay, and the steps at which to measure, so that one
program serves a whole sweep, and configurations run side by side under ``jax.vmap``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax

from ci_theory._record import record
from ci_theory._types import Array, Float, Int, Scalar

_W = TypeVar("_W")
_M = TypeVar("_M")


@record
class AdamW:
    """Adam with weight decay apart from the gradient (Loshchilov, Hutter 2017, arXiv:1711.05101).

    Attributes:
        rate: step size.
        decay: weights shrink by rate times decay a step.
        warm_up: steps over which the step size grows linearly to ``rate``; 0 is none.
        first: decay rate of the mean of gradients.
        second: decay rate of the mean of squared gradients.
        tiny: added to the root of the latter.
    """

    rate: Scalar | float
    decay: Scalar | float = 0.0
    warm_up: Scalar | float = 0.0
    first: float = 0.9
    second: float = 0.98
    tiny: float = 1e-8


class Trained(NamedTuple):
    """What training leaves behind.

    Attributes:
        weights: after the last step.
        measures: what was measured, a row for each of the steps asked for.
    """

    weights: Any
    measures: Any


def train(
    loss: Callable[[_W], Scalar],
    weights: _W,
    rule: AdamW,
    steps: Int[Array, " m"],
    measure: Callable[[_W], _M],
) -> Trained:
    """Minimise a loss from given weights and measure the weights after given steps.

    Args:
        loss: of the weights; full batch, so it is a function and nothing is drawn.
        weights: to start from, any pytree.
        rule: the optimiser; its numbers may be traced.
        steps: at which to measure, in any order; 0 is the start. May be traced.
        measure: of the weights; any pytree.

    Returns:
        a ``Trained``; rows of the measures follow ``steps`` as given.
    """
    adam = optax.scale_by_adam(b1=rule.first, b2=rule.second, eps=rule.tiny)

    def step(index: Array, carry: tuple[_W, Any]) -> tuple[_W, Any]:
        now, moments = carry
        direction, moments = adam.update(jax.grad(loss)(now), moments)
        ramp = (index + 1) / jnp.maximum(rule.warm_up, 1.0)
        rate = rule.rate * jnp.minimum(ramp, 1.0)
        now = jax.tree.map(lambda w, d: w - rate * (d + rule.decay * w), now, direction)
        return now, moments

    def segment(carry: tuple, until: Array) -> tuple[tuple, _M]:
        start, now, moments = carry
        now, moments = jax.lax.fori_loop(start, until, step, (now, moments))
        return (until, now, moments), measure(now)

    order = jnp.argsort(steps)
    begin = (jnp.zeros((), steps.dtype), weights, adam.init(weights))
    (_, last, _), rows = jax.lax.scan(segment, begin, steps[order])
    back = jnp.argsort(order)
    return Trained(last, jax.tree.map(lambda row: row[back], rows))


def cross_entropy(
    logits: Float[Array, "P q"], labels: Int[Array, " P"], weights: Float[Array, " P"]
) -> Scalar:
    """Mean cross-entropy over rows counted with their weights [nat]."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.sum(weights * losses) / jnp.sum(weights)


def squared_error(
    logits: Float[Array, "P q"], labels: Int[Array, " P"], weights: Float[Array, " P"]
) -> Scalar:
    """Squared distance from the one-hot answer, summed over classes, mean over rows by weight."""
    wanted = jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)
    losses = jnp.sum((logits - wanted) ** 2, axis=1)
    return jnp.sum(weights * losses) / jnp.sum(weights)
