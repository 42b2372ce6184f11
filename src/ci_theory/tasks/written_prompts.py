r"""Prompts of linear regression written out: what a network reads that is not told what matters.

A prompt of task w holds l pairs (x, y), x ~ N(0, A A'), y = x.w + noise, and a query (x_q, 0): so
many vectors of d + 1 entries. ``tasks/prompts.py`` draws what linear attention makes of them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Value


class Sequences(NamedTuple):
    """Prompts written out, and their clean answers.

    Attributes:
        tokens: pairs (x, y), and the query with a label of 0.
        answer: x_q.w, without noise.
    """

    tokens: Float[Array, "n t e"]
    answer: Float[Array, " n"]


def draw(
    key: Key,
    w: Float[Array, "n d"],
    root: Float[Array, "d d"],
    length: int,
    noise: Value,
) -> Sequences:
    """Draw one prompt of each of n given tasks (streams "inputs" and "context_noise").

    Args:
        key: of the run.
        w: the task of each prompt.
        root: A, the covariance of the inputs is A A'.
        length: l, pairs of a context.
        noise: variance of the label noise in the context.

    >>> made = draw(jax.random.key(0), jnp.ones((3, 2)), jnp.eye(2), 4, 0.1)
    >>> made.tokens.shape, bool(jnp.allclose(made.answer, made.tokens[:, -1, :2].sum(axis=1)))
    ((3, 5, 3), True)
    """
    n, d = w.shape
    x = jax.random.normal(stream(key, "inputs"), (n, length + 1, d), w.dtype) @ root.T
    clean = jnp.sum(x * w[:, None], axis=2)
    error = jax.random.normal(stream(key, "context_noise"), (n, length), w.dtype)
    labels = clean[:, :-1] + jnp.sqrt(jnp.asarray(noise, w.dtype)) * error
    labels = jnp.concatenate([labels, jnp.zeros((n, 1), w.dtype)], axis=1)
    return Sequences(jnp.concatenate([x, labels[:, :, None]], axis=2), clean[:, -1])


def mirrored(tokens: Float[Array, "n t e"]) -> Float[Array, "n t e"]:
    """Return the same prompts of the opposite tasks: every label changes its sign."""
    return tokens.at[:, :, -1].multiply(-1)


def summary(tokens: Float[Array, "n t e"]) -> tuple[Float[Array, "n d"], Float[Array, "n d"]]:
    """Return the queries and the means of y x over the contexts.

    >>> x, h = summary(jnp.array([[[2.0, 3.0], [1.0, 1.0], [5.0, 0.0]]]))
    >>> print(x, h)
    [[5.]] [[3.5]]
    """
    pairs = tokens[:, :-1]
    return tokens[:, -1, :-1], jnp.mean(pairs[:, :, :-1] * pairs[:, :, -1:], axis=1)
