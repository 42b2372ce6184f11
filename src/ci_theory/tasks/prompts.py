r"""Prompts of linear regression tasks, reduced to what linear attention sees of them.

A prompt of task w, :math:`|w|^2 = d`, holds l pairs x ~ N(0, I/d), y = x.w + noise, and a query
x_q. Linear attention sees x_q and :math:`h = \frac dl \sum y_i x_i` only. Along w the labels and
inputs enter through :math:`\sum a_i y_i` and :math:`\sum y_i^2` with a = x.w/|w|, functions of a
Wishart matrix of two dimensions; across w, h is Gaussian given the labels. So h is drawn exactly,
at a cost that does not depend on l.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Int, Key, Value
from ci_theory.tasks import sphere


class Prompts(NamedTuple):
    """What linear attention sees of n prompts, and their clean answers."""

    query: Float[Array, "n d"]
    summary: Float[Array, "n d"]  # h
    answer: Float[Array, " n"]  # x_q.w


def tasks(key: Key, k: int, d: int) -> Float[Array, "k d"]:
    """Draw k tasks uniform on the sphere of radius sqrt(d) (stream "tasks").

    >>> w = tasks(jax.random.key(0), 3, 8)
    >>> bool(jnp.allclose(jnp.sum(w**2, axis=1), 8.0, rtol=1e-5))
    True
    """
    return sphere.uniform(stream(key, "tasks"), k, d)


def in_turn(n: int, k: Value) -> Int[Array, " n"]:
    """Give n prompts the tasks 0..k-1 in turn, so that every task has as many as any other.

    >>> print(in_turn(5, jnp.array(2)))
    [0 1 0 1 0]
    """
    return jnp.mod(jnp.arange(n), jnp.asarray(k).astype(int))


def draw(key: Key, w: Float[Array, "n d"], length: Value, noise: Value) -> Prompts:
    """Draw one prompt of each of n given tasks.

    Args:
        key: of the run; streams "context", "context_noise", "across" and "query".
        w: the task of each prompt.
        length: l, pairs of a context, >= 2.
        noise: variance of the label noise in the context.
    """
    n, d = w.shape
    size = jnp.sqrt(1.0 * d)
    halves = jnp.stack([length / 2, (length - 1) / 2])
    squares = 2 * jax.random.gamma(stream(key, "context"), halves, (n, 2))  # chi squared
    inputs = squares[:, 0] / d  # sum a^2
    along = jnp.sqrt(noise) * jax.random.normal(stream(key, "context_noise"), (n,))
    cross = jnp.sqrt(inputs) * along  # sum a e
    noises = along**2 + noise * squares[:, 1]  # sum e^2
    labels = d * inputs + 2 * size * cross + noises  # sum y^2
    unit = w / size
    z = jax.random.normal(stream(key, "across"), (n, d))
    z = z - jnp.sum(z * unit, axis=1, keepdims=True) * unit
    summary = (size * inputs + cross)[:, None] * unit + jnp.sqrt(labels / d)[:, None] * z
    query = jax.random.normal(stream(key, "query"), (n, d)) / size
    return Prompts(query, d / length * summary, jnp.sum(query * w, axis=1))
