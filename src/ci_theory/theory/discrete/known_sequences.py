r"""Sequences that a learner of a long tail answers without a mistake: exactly, at any n and L.

A learner that remembers knows item i if it met it and was told the truth. Of the fresh draws it
answers the share X = sum_i p_i K_i rightly, K_i = 0 or 1, and L of them in a row with the chance
X^L. Its mean over learners needs the joint law of all K_i. Were the number of draws Poisson of
mean z, they would be independent, with the generating function

.. math:: \mathrm E_z e^{sX} = \prod_i \bigl[1 - k_i + k_i e^{s p_i}\bigr],
    \qquad k_i = (1-\xi)(1-e^{-z p_i}),

an entire function of s and z, of which the mean for exactly n draws is a coefficient of Taylor's
series in both:

.. math:: \mathrm E_n X^L = n!\,[z^n]\; e^z\; L!\,[s^L]\; \mathrm E_z e^{sX}.

Both coefficients are sums over circles. Rare items enter through a few representatives of each
octave of ranks (``octaves``). The derivation is in docs/scaling/metric_mirage.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammaln
from jaxtyping import Inexact

from ci_theory._types import Array, Float, Scalar, needs_float64

__all__ = ["LONGEST", "Octaves", "all_known", "none_wrong", "octaves"]

LONGEST = 64
"""Tokens at most: the circle in s has nodes for these."""

_S_NODES, _Z_NODES, _WINDOW = 200, 64, 12.0
_WHOLE = 40.0  # draws below which the whole circle in z is needed
_STEPS = 40
_ALONE, _PER_OCTAVE = 31, 9


class Octaves(NamedTuple):
    """Ranks that stand for all of a vocabulary, (v,) each.

    Attributes:
        ranks: the first ones, and Gauss's nodes of each octave beyond.
        counts: items that each of them stands for, > 0; they add up to the vocabulary.
    """

    ranks: Any
    counts: Any


def octaves(vocabulary: int) -> Octaves:
    """Represent sums over ranks 1..V by sums over 31 ranks and 9 of each octave beyond.

    In an octave from rank I to J they are the nodes and weights of Gauss's rule for the sum over
    whole numbers (Gram's polynomials): exact for polynomials in the rank of degree 17, and for
    smooth functions of a power of the rank to a relative 1e-13. On the host.

    >>> ranks, counts = octaves(100_000)
    >>> print(len(ranks), f"{counts.sum():.6f} {(counts * ranks**-2.0).sum():.10f}")  # 1.6449240669
    139 100000.000000 1.6449240669
    """
    ranks, counts = (
        [np.arange(1.0, min(_ALONE, vocabulary) + 1)],
        [np.ones(min(_ALONE, vocabulary))],
    )
    first = _ALONE + 1
    while first <= vocabulary:
        size = min(first, vocabulary - first + 1)
        k = np.arange(1, min(_PER_OCTAVE, size))
        off = np.sqrt(k**2 * (size**2 - k**2) / (4 * (4.0 * k**2 - 1)))
        places, vectors = np.linalg.eigh(np.diag(off, 1) + np.diag(off, -1))
        ranks.append(first + (size - 1) / 2 + places)
        counts.append(size * vectors[0] ** 2)
        first += size
    return Octaves(np.concatenate(ranks), np.concatenate(counts))


def _circle(
    p: Float[Array, " v"], counts: Float[Array, " v"], chances: Inexact[Array, "Z v"], length: Array
) -> tuple[Array, Array]:
    """Nodes (S,) and weights (S,) of the circle on which L! [s^L] is a sum.

    Its radius is the saddle point: there L is the mean of s X in the tilted law, and nothing
    cancels. It is kept below 2 L, for which there are nodes enough.
    """
    mean = chances[0].real

    def tilted(radius: Array) -> Array:
        odds = mean * jnp.exp(radius * p)
        return radius * jnp.sum(counts * p * odds / (1 - mean + odds))

    def halve(_: Any, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        above = tilted(middle) > length
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    low, high = lax.fori_loop(0, _STEPS, halve, (0.5 * length, 2 * length))
    radius = 0.5 * (low + high)
    angle = np.pi * (np.arange(_S_NODES // 2) + 0.5) / (_S_NODES // 2)  # upper half
    phase = jnp.exp(-1j * angle * length)
    size = jnp.exp(gammaln(length + 1) - length * jnp.log(radius))
    return radius * np.exp(1j * angle), size * phase / (_S_NODES // 2)


@needs_float64
@jax.jit
def none_wrong(
    p: Float[Array, " v"], known: Inexact[Array, "Z v"], length: Any, counts: Any = 1.0
) -> Array:
    r"""Mean of X^L, X = sum_i p_i K_i, for independent K_i that are 1 with given chances.

    Args:
        p: weights, > 0, (v,).
        known: chances, one set a row, (Z, v); the first row real. Complex ones are allowed, as
            the analytic continuation.
        length: L, a whole number, 1 to ``LONGEST``; may be traced.
        counts: how many items each weight stands for, (v,) or one number; the sum of
            counts x p is at most 1, and L p is small where counts is not 1.

    Returns:
        The means, complex, (Z,), with an absolute error below 1e-13.

    Regime: exact. Limits: L = 1: sum p k; all chances 1: (sum p)^L.

    Source: derived here (docs/scaling/metric_mirage.md).

    >>> p, known = jnp.array([0.75, 0.25]), jnp.array([[0.5, 0.5]])
    >>> print(f"{float(none_wrong(p, known, 2)[0].real):.6f}")  # (0 + 9/16 + 1/16 + 1)/4
    0.406250
    """
    length = jnp.asarray(length, float)
    counts = jnp.broadcast_to(jnp.asarray(counts, float), p.shape)
    nodes, weights = _circle(p, counts, known, length)
    grown = jnp.expm1(nodes[:, None] * p[None, :])  # (S, v)

    def product(chance: Array) -> Array:
        w = chance[None, :] * grown
        size = 0.5 * jnp.log1p(w.real * (2 + w.real) + w.imag**2)  # log |1 + w|
        turn = jnp.arctan2(w.imag, 1 + w.real)
        return jnp.exp(size @ counts + 1j * (turn @ counts))

    def one(chance: Array) -> Array:
        upper = product(chance)
        lower = product(jnp.conj(chance))  # conjugates of the rest of the circle
        return 0.5 * (weights @ upper + jnp.conj(weights @ lower))

    return lax.map(one, known)


def _beyond_first(angle: Array) -> Array:
    """Return exp(ia) - 1 - ia without cancellation: it is multiplied by n."""
    square = angle**2
    series = 1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110)))
    imaginary = jnp.where(angle < 0.5, -angle * square / 6 * series, jnp.sin(angle) - angle)
    return -2 * jnp.sin(angle / 2) ** 2 + 1j * imaginary


def _stirling(n: Array) -> Array:
    """Return log n! - (n + 1/2) log n + n - log(2 pi)/2 without cancellation."""
    small = jnp.minimum(n, 16.0)
    direct = gammaln(small + 1) + small - (small + 0.5) * jnp.log(small) - 0.5 * np.log(2 * np.pi)
    m = jnp.maximum(n, 16.0)
    series = (1 - (1 - (2 / 7 - 3 / 14 / m**2) / m**2) / (30 * m**2)) / (12 * m)
    return jnp.where(n < 16, direct, series)


@needs_float64
@jax.jit
def all_known(
    p: Float[Array, " v"], draws: Any, noise: Any, length: Any, counts: Any = 1.0
) -> Scalar:
    r"""Chance that L fresh draws are all answered rightly, in the mean over learners.

    Args:
        p: frequencies of the items, (v,).
        draws: n distinct draws, >= 1; may be infinite (every item was met).
        noise: xi, chance that the first meeting of an item comes with a wrong answer.
        length: L, a whole number, 1 to ``LONGEST``; may be traced.
        counts: how many items each frequency stands for (``octaves``); the sum of counts x p is 1.

    Returns:
        E X^L, with the absolute error of ``none_wrong``.

    Regime: exact, at the cost of v x 6600 multiplications. Limits: L = 1: (1 - noise)(1 -
    missing mass); noise = 0 and n -> infinity: 1. Always at least the power of the mean,
    (1 - error)^L.

    Source: derived here (docs/scaling/metric_mirage.md).

    >>> p = jnp.array([0.6, 0.3, 0.1])
    >>> print(f"{float(all_known(p, 1, 0.0, 2)):.6f}")  # .6^3 + .3^3 + .1^3
    0.244000
    """
    draws, noise = jnp.asarray(draws, float), jnp.asarray(noise, float)
    endless = jnp.isinf(draws)
    n = jnp.where(endless, 1.0, draws)
    # On |z| = n the integrand is a Gaussian around the real axis, and e^-n on the other side.
    reach = jnp.where(n < _WHOLE, jnp.pi, _WINDOW / jnp.sqrt(n))
    half = _Z_NODES // 2
    angle = reach * np.arange(half + 1) / half
    both = np.where(np.arange(half + 1) % half, 2.0, 1.0)  # the lower half is its mirror
    size = 0.5 * jnp.log(2 * jnp.pi * n) + _stirling(n)
    turn = n * _beyond_first(angle)
    arc = both * reach / (jnp.pi * _Z_NODES) * jnp.exp(size + turn)
    weights = jnp.where(endless, jnp.zeros_like(arc).at[0].set(1.0), arc)
    met = -jnp.expm1(-n * jnp.exp(1j * angle)[:, None] * p[None, :])
    known = (1 - noise) * jnp.where(endless, 1.0, met)
    chance = jnp.sum(weights * none_wrong(p, known, length, counts)).real
    return jnp.maximum(chance, 0.0)  # rounding leaves a chance of nearly 0 on either side of it
