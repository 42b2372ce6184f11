"""Facts in one matrix: random keys and values, their outer products added, each fact asked for.

>>> from ci_theory._keys import key_for
>>> facts = draw(key_for(0, 0, 0, 0), 3, 64)
>>> memory = stored(facts, jnp.ones(3), jnp.array([0, 2, 1]))
>>> answers(facts, memory, jnp.ones(3, bool))
Array([0, 2, 1], dtype=int...)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Bool, Float, Int, Key, Scalar, Value

KEYS = 32


class Facts(NamedTuple):
    """Keys on the unit sphere and values N(0, I/d), (n, d) both."""

    keys: Float[Array, "n d"]
    values: Float[Array, "n d"]


def draw(key: Key, n: int, d: int) -> Facts:
    """Draw keys and values (streams "keys" and "values")."""
    keys = jax.random.normal(stream(key, "keys"), (n, d))
    length = jnp.sqrt(jnp.sum(keys**2, axis=1, keepdims=True))
    return Facts(keys / length, jax.random.normal(stream(key, "values"), (n, d)) / jnp.sqrt(d))


def mixed_up(key: Key, there: Bool[Array, " n"], wrong: Value) -> Int[Array, " n"]:
    """Return the stored answer of each fact: of ``wrong`` of them that of the next in a circle.

    Which facts, and their order in the circle, is random (stream "circle"); those that are not
    there keep their own answers, and so does a single one.
    """
    place = jnp.where(there, jax.random.uniform(stream(key, "circle"), there.shape), 2.0)
    order = jnp.argsort(place)
    at = jnp.arange(there.size)
    after = jnp.where(at + 1 < wrong, at + 1, 0)
    return jnp.zeros(there.size, int).at[order].set(order[jnp.where(at < wrong, after, at)])


def stored(
    facts: Facts, weights: Float[Array, " n"], answers: Int[Array, " n"]
) -> Float[Array, "d d"]:
    """Add up the outer products of the values that are answered and the keys."""
    return (weights[:, None] * facts.values[answers]).T @ facts.keys


def answers(
    facts: Facts, memory: Float[Array, "d d"], there: Bool[Array, " n"]
) -> Int[Array, " n"]:
    """Ask for every fact: the value, of those that are there, that is most like what is read."""
    return _nearest(facts, facts.keys @ memory.T, there)


def _nearest(facts: Facts, read: Float[Array, "k d"], there: Bool[Array, " n"]) -> Int[Array, " k"]:
    return jnp.argmax(jnp.where(there[None, :], read @ facts.values.T, -jnp.inf), axis=1)


def recalled_anew(
    key: Key,
    facts: Facts,
    weights: Float[Array, " n"],
    stored_answers: Int[Array, " n"],
    there: Bool[Array, " n"],
    fact: Int[Array, ""],
) -> Scalar:
    """Share of ``KEYS`` keys that a fact might have had with which it is recalled.

    All other facts, and all values, stay what they are; the keys (stream "anew") are those of
    whichever fact is asked for.
    """
    fresh = jax.random.normal(stream(key, "anew"), (KEYS, facts.keys.shape[1]))
    fresh = fresh / jnp.sqrt(jnp.sum(fresh**2, axis=1, keepdims=True))
    others = jnp.where(jnp.arange(weights.size) == fact, 0.0, weights)
    own = weights[fact] * facts.values[stored_answers[fact]]
    read = fresh @ stored(facts, others, stored_answers).T + own[None, :]
    return jnp.mean(_nearest(facts, read, there) == fact)
