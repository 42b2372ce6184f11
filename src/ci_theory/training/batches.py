r"""Mini-batches without replacement: the batch of a step is a function of its address alone.

An epoch is a permutation of the training questions, cut into batches. Nothing of it is stored or
carried along: the question at a place of the epoch is found by itself, by shuffling in rounds. In
each round every place x has the partner ``turn - x`` modulo n, and a coin of the pair decides
whether the two change places (swap-or-not: Hoang, Morris, Rogaway 2012). Any coins give a
permutation, so that each question is seen exactly once an epoch, and n may be traced. Sorting
random numbers would give the same, at the price of a sort of the whole table every step.

>>> draw = drawn(jax.random.key(0), jnp.array([True, False, True, True]), size=2)
>>> epoch = [draw(step) for step in (0, 1)]
>>> sorted(int(row) for batch in epoch for row in batch.rows[batch.weights > 0])
[0, 2, 3]
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Bool, Float, Int, Key, Scalar, Value

ROUNDS = 32
"""Rounds of the shuffle. After r of them a question is off its uniform place by 2^-r."""


class Batch(NamedTuple):
    """Some training questions.

    Attributes:
        rows: where they are in the table, (b,).
        weights: 1 for a question, 0 for what fills the last batch of an epoch, (b,).
    """

    rows: Int[Array, " b"]
    weights: Float[Array, " b"]


def drawn(key: Key, there: Bool[Array, " P"], size: int) -> Callable[[Scalar | int], Batch]:
    """Return the function that gives the batch of a step (stream "batches").

    Args:
        key: of the run.
        there: the questions trained on, at least one; may be traced.
        size: of a batch; the last one of an epoch holds what is left.
    """
    own = stream(key, "batches")
    count = jnp.sum(there, dtype=jnp.int32)
    trained = jnp.argsort(~there)  # training questions first

    def draw(step: Value) -> Batch:
        epoch, at = jnp.divmod(jnp.asarray(step, jnp.int32), -(-count // size))
        place = at * size + jnp.arange(size, dtype=jnp.int32)
        rows = trained[shuffled(jax.random.fold_in(own, epoch), place % count, count)]
        return Batch(rows, (place < count).astype(float))

    return draw


def shuffled(key: Key, place: Int[Array, " b"], count: Value) -> Int[Array, " b"]:
    """Return where a random permutation of 0..count-1 sends some places.

    >>> sorted(shuffled(jax.random.key(1), jnp.arange(5), 5).tolist())
    [0, 1, 2, 3, 4]
    """

    def one(index: Value, x: Array) -> Array:
        turns, coins = jax.random.split(jax.random.fold_in(key, index))
        turn = jax.random.randint(turns, (), 0, count, x.dtype)
        other = (turn - x) % count
        pair = jax.vmap(lambda name: jax.random.fold_in(coins, name))(jnp.maximum(x, other))
        heads = jax.vmap(jax.random.bits)(pair) & 1
        return jnp.where(heads == 1, other, x)

    return jax.lax.fori_loop(0, ROUNDS, one, place)
