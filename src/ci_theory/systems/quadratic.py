r"""A two-layer network with a quadratic activation on pairs of symbols, and its exact weights.

.. math:: f_q(n, m) = \sum_j W_{qj}\,(U_{nj} + V_{mj})^2

Symbols are one-hot, so a layer is a table with a row for each of them. Weights are a pytree;
``apply`` answers any batch of pairs, ``table`` all p^2 of them.

>>> weights = cyclic(7, [2])
>>> int(jnp.argmax(apply(weights, jnp.array([[3, 6]]))[0]))  # 3 + 6 mod 7
2
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Int, Key, Value
from ci_theory.systems.network import Network


class Weights(NamedTuple):
    """Weights of the network, p symbols and N neurons.

    Attributes:
        first: U, of the first symbol, (p, N).
        second: V, of the second symbol, (p, N).
        out: W, of the answers, (p, N).
    """

    first: Float[Array, "p N"]
    second: Float[Array, "p N"]
    out: Float[Array, "p N"]


def init(key: Key, p: int, width: int, scale: Value = 1.0) -> Weights:
    """Draw Gaussian weights: variance 1/(2p) in, 1/N out, all times ``scale`` squared."""
    keys = jax.random.split(stream(key, "weights"), 3)
    first, second, out = (jax.random.normal(k, (p, width)) for k in keys)
    into = scale / np.sqrt(2 * p)
    return Weights(into * first, into * second, scale / np.sqrt(width) * out)


def hidden(weights: Weights, pairs: Int[Array, "b 2"]) -> Float[Array, "b N"]:
    """Return the activations of the neurons."""
    return (weights.first[pairs[:, 0]] + weights.second[pairs[:, 1]]) ** 2


def apply(weights: Weights, pairs: Int[Array, "b 2"]) -> Float[Array, "b p"]:
    """Return the logits of every answer."""
    return hidden(weights, pairs) @ weights.out.T


def table(weights: Weights) -> Float[Array, "p p p"]:
    """Return the logits of all pairs: entry (n, m, q)."""
    active = (weights.first[:, None, :] + weights.second[None, :, :]) ** 2
    return active @ weights.out.T


def network(p: int, width: int) -> Network:
    """Return the network of so many symbols and neurons."""
    return Network(
        init=lambda key, scale: init(key, p, width, scale),
        apply=apply,
        table=table,
        answers=lambda weights: weights.out,
    )


def cyclic(p: int, frequencies: Sequence[int], neurons: int = 6, step: int = 4) -> Weights:
    """Build exact weights for n + m mod p: J neurons a frequency with phases on a circle.

    Args:
        p: modulus.
        frequencies: k of each group of neurons, in 1..p/2.
        neurons: J, neurons a frequency.
        step: B; phases are 2 pi j/J and 2 pi B j/J. J = 6, B = 4 is the fewest that is exact.
    """
    k = np.repeat(np.asarray(list(frequencies), float), neurons)
    a = np.tile(2 * np.pi * np.arange(neurons) / neurons, len(k) // neurons)
    return _waves(p, jnp.asarray(k), jnp.asarray(a), jnp.asarray(step * a))


def random_phases(key: Key, p: int, width: int) -> Weights:
    """Draw frequencies uniform on 1..(p-1)/2 and phases uniform on the circle, for odd p."""
    keys = jax.random.split(stream(key, "phases"), 3)
    k = jax.random.randint(keys[0], (width,), 1, (p + 1) // 2)
    a, b = (jax.random.uniform(one, (width,), maxval=2 * np.pi) for one in keys[1:])
    return _waves(p, k.astype(a.dtype), a, b)


def _waves(p: int, k: Array, a: Array, b: Array) -> Weights:
    angle = (2 * np.pi / p) * (jnp.arange(p)[:, None] * k[None, :] % p)
    phases = a, b, a + b
    return Weights(*(jnp.cos(angle + phase[None, :]) for phase in phases))
