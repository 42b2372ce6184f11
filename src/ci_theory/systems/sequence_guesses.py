"""Guesses of the next state of a sequence: by counting states, counting steps, knowing a pool.

All are exact Bayes mixtures of what they take the world for, made state by state: the guess at a
time is a mean over what is left possible by the states before.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._types import Array, Float, Int


class Guesses(NamedTuple):
    """Chances given to the state that came, at every step, (S, T)."""

    by_states: Float[Array, "S T"]
    by_steps: Float[Array, "S T"]


def counting(met: Int[Array, "S t"], states: int, a: float = 1.0) -> Guesses:
    """Guess in proportion to what was met before, and to where this state led before, plus a.

    Args:
        met: the sequences; the first state counts as met.
        states: K.
        a: what is added to every count.
    """
    each = jnp.arange(met.shape[0])
    dtype = jnp.result_type(float)

    def step(seen: tuple[Array, Array], t: Array) -> tuple[tuple[Array, Array], Guesses]:
        singles, pairs = seen
        now, to = met[:, t], met[:, t + 1]
        by_states = (singles[each, to] + a) / (t + 1 + states * a)
        row = pairs[each, now]
        by_steps = (row[each, to] + a) / (jnp.sum(row, axis=1) + states * a)
        seen = singles.at[each, to].add(1.0), pairs.at[each, now, to].add(1.0)
        return seen, Guesses(by_states, by_steps)

    singles = jax.nn.one_hot(met[:, 0], states, dtype=dtype)
    start = singles, jnp.zeros((met.shape[0], states, states), dtype)
    _, made = lax.scan(step, start, jnp.arange(met.shape[1] - 1))
    return Guesses(made.by_states.T, made.by_steps.T)


def by_pool(
    met: Int[Array, "S t"], chains: Float[Array, "k K K"], shares: Float[Array, " k"]
) -> Float[Array, "S t-1"]:
    """Return the chances that who knows a pool gives to the states that came, step by step.

    Args:
        met: the sequences.
        chains: the pool as it was learnt.
        shares: how often each chain comes; they sum to 1.
    """

    def step(left: Array, t: Array) -> tuple[Array, Array]:
        chance = chains[:, met[:, t], met[:, t + 1]].T
        given = jnp.sum(left * chance, axis=1)
        return left * chance / given[:, None], given

    prior = jnp.broadcast_to(shares, (met.shape[0], shares.shape[0]))
    return lax.scan(step, prior, jnp.arange(met.shape[1] - 1))[1].T


def pool_score(
    counts: Float[Array, "S K K"], chains: Float[Array, "k K K"], shares: Float[Array, " k"]
) -> Float[Array, " S"]:
    """Return the logarithm of the product of ``by_pool`` over a sequence, from its steps counted.

    The same mixture without its way there, at the cost of one product of matrices.
    """
    flat = counts.reshape(counts.shape[0], -1), chains.reshape(chains.shape[0], -1)
    return jax.nn.logsumexp(flat[0] @ jnp.log(flat[1]).T + jnp.log(shares)[None, :], axis=1)
