r"""A decoder trained on prompts of linear regression, and what a layer of linear attention learns.

A prompt and the one with all labels of the opposite sign are the same task but for its sign, and
are always shown together. So the part of an answer that does not change sign with the labels only
adds to the loss, and of one layer of linear attention, whatever its heads and its width,

.. math:: f = x_q' G h, \qquad h = \frac1l \sum_i y_i x_i

is left: the loss is that of ``training.linear_attention``, whose minimum is known.
"""

from typing import Any

import jax.numpy as jnp

from ci_theory._errors import BadInput
from ci_theory._types import Array, Float, Scalar
from ci_theory.systems import sequence_decoder
from ci_theory.systems.sequence_decoder import Shape
from ci_theory.tasks import written_prompts


def answers(weights: Any, shape: Shape, tokens: Float[Array, "n t e"]) -> Float[Array, " n"]:
    """Return the answer to every prompt."""
    return sequence_decoder.last(weights, shape, tokens)[:, 0]


def both_ways(weights: Any, shape: Shape, tokens: Float[Array, "n t e"]) -> tuple[Array, Array]:
    """Return the parts of the answers that change sign with all labels, and that do not, (n,)."""
    both = jnp.concatenate([tokens, written_prompts.mirrored(tokens)])
    one, other = jnp.split(answers(weights, shape, both), 2)
    return (one - other) / 2, (one + other) / 2


def loss(
    weights: Any,
    shape: Shape,
    tokens: Float[Array, "n t e"],
    labels: Float[Array, " n"],
    counts: Float[Array, " n"],
) -> Scalar:
    """Sum of squared errors over prompts and their mirror images, each counted half.

    Args:
        weights: of the network.
        shape: of the network.
        tokens: the prompts.
        labels: of the queries.
        counts: copies of each prompt.
    """
    odd, even = both_ways(weights, shape, tokens)
    return jnp.sum(counts * ((labels - odd) ** 2 + even**2))


def learned(weights: Any, shape: Shape, length: int) -> Float[Array, "d d"]:
    """Return G of one layer of linear attention: asked about one pair (e_j, 1) and a query e_i.

    Args:
        weights: of the network.
        shape: of the network.
        length: l, pairs of a context; the mean that attention takes counts the query too.

    Raises:
        BadInput: a network that is not one such layer.
    """
    if not shape.bilinear:
        raise BadInput(f"{shape}: is not one layer of linear attention that reads vectors")
    d = shape.inputs - 1
    unit = jnp.eye(d)
    pair = jnp.concatenate([unit, jnp.ones((d, 1))], axis=1)
    query = jnp.concatenate([unit, jnp.zeros((d, 1))], axis=1)
    every = (d, d, d + 1)  # query i, pair j
    tokens = jnp.stack(
        [jnp.broadcast_to(pair[None], every), jnp.broadcast_to(query[:, None], every)], axis=2
    )
    odd, _ = both_ways(weights, shape, tokens.reshape(d * d, 2, d + 1))
    return 2 * length / (length + 1) * odd.reshape(d, d)
