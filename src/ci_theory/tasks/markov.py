"""Markov chains with random rows: pools of them, and walks along them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Int, Key


class Walks(NamedTuple):
    """Sequences of one more states than steps, (S, T + 1), and their steps counted, (S, K, K)."""

    states: Int[Array, "S T+1"]
    counts: Float[Array, "S K K"]


def rows(key: Key, chains: int, states: int) -> Float[Array, "k K K"]:
    """Draw chains whose rows are uniform on the simplex: Dirichlet(1, ..., 1).

    >>> made = rows(jax.random.key(0), 3, 4)
    >>> bool(jnp.allclose(jnp.sum(made, axis=2), 1.0))
    True
    """
    size = jax.random.exponential(key, (chains, states, states))
    size = jnp.maximum(size, jnp.finfo(size.dtype).tiny)
    return size / jnp.sum(size, axis=2, keepdims=True)


def walk(key: Key, chains: Float[Array, "S K K"], length: int) -> Walks:
    """Walk along each chain from a state drawn at random (streams "start" and "steps")."""
    count, states, _ = chains.shape
    ends = jnp.cumsum(chains, axis=2)
    first = jax.random.randint(stream(key, "start"), (count,), 0, states)
    luck = jax.random.uniform(stream(key, "steps"), (length, count), chains.dtype)
    each = jnp.arange(count)

    def step(now: tuple[Array, Array], u: Array) -> tuple[tuple[Array, Array], Array]:
        at, counts = now
        beyond = (u * ends[each, at, -1])[:, None] >= ends[each, at]
        to = jnp.minimum(jnp.sum(beyond, axis=1), states - 1).astype(at.dtype)
        return (to, counts.at[each, at, to].add(1.0)), to

    start = first, jnp.zeros_like(chains)
    (_, counts), states_met = lax.scan(step, start, luck)
    return Walks(jnp.concatenate([first[None], states_met]).T, counts)


def mislearnt(chains: Float[Array, "k K K"], noise: Array | float) -> Float[Array, "k K K"]:
    """Return the chains as they look if a share of the steps led to a random state.

    >>> print(mislearnt(jnp.eye(2)[None], 0.5)[0])
    [[0.75 0.25]
     [0.25 0.75]]
    """
    return (1 - noise) * chains + noise / chains.shape[2]
