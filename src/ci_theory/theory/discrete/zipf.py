r"""Learning a long tail: who is met, how often, and what it costs to forget the rare.

Items are drawn with the frequencies of Zipf's law, and a learner that remembers knows what it has
met. Everything follows from the binomial counts of single items:

.. math:: p_i = \frac{i^{-\alpha}}{\sum_{j\le V} j^{-\alpha}}, \qquad
    P(\text{item } i \text{ is met } l \text{ times in } n \text{ draws})
    = \binom nl p_i^l (1-p_i)^{n-l}

Sums over items are exact at any n; their power laws are limits with stated corrections. With
C = p_1, b = 1 - 1/alpha and u = n C V^-alpha the tail of a finite vocabulary enters as an
incomplete gamma function.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaincc, gammaln
from scipy.special import zeta

from ci_theory._errors import BadInput
from ci_theory._types import Array, Float, Scalar, needs_float64

__all__ = [
    "endless_unseen_mass",
    "frequencies",
    "items_seen",
    "items_seen_law",
    "mass_seen",
    "price",
    "price_law",
    "unseen_law",
]

TERMS = 40
"""Terms of the binomial series of an endless tail, whose terms fall at least as 2^-j."""


@needs_float64
def frequencies(vocabulary: int | Float[Array, " V"], exponent: Any) -> Float[Array, " V"]:
    """Zipf's law on a finite vocabulary: p_i in proportion to i^-alpha.

    Args:
        vocabulary: V, items, >= 2; or their ranks (V,), where V may not be looked at.
        exponent: alpha, >= 0; may be traced.

    >>> print(frequencies(3, 1.0) * 11)
    [6. 3. 2.]
    """
    if isinstance(vocabulary, int):
        if vocabulary < 2:
            raise BadInput(f"vocabulary = {vocabulary}: expected at least 2 items")
        vocabulary = jnp.arange(1.0, vocabulary + 1)
    weights = jnp.exp(-exponent * jnp.log(vocabulary))
    return weights / jnp.sum(weights)


_MANY = 1e60
"""Draws beyond it count as it: infinitely many, with no inf - inf."""


def _log_chance(p: Array, n: Any, times: int) -> Array:
    """Return the logarithm of the binomial probability of being met ``times`` times."""
    n = jnp.minimum(n, _MANY)
    ways = sum((jnp.log(jnp.maximum(n - j, 0.0) / (j + 1)) for j in range(times)), start=0.0)
    return ways + times * jnp.log(p) + (n - times) * jnp.log1p(-p)


@needs_float64
def mass_seen(p: Float[Array, " V"], n: Any, times: int = 0) -> Scalar:
    r"""Probability that a fresh draw is an item that was met exactly l times in n draws.

    .. math:: \sum_i p_i \binom nl p_i^l (1-p_i)^{n-l}

    l = 0 is the missing mass: the error of a learner that remembers everything.

    Args:
        p: frequencies, in (0, 1).
        n: draws, a whole number >= 0; may be traced.
        times: l, >= 0.

    Regime: exact. Limits: n = 0 and l = 0: 1; summed over l: 1.

    Source: Hutter 2021, arXiv:2102.04074.

    >>> p = frequencies(1000, 1.5)
    >>> print(f"{float(mass_seen(p, 1000.0)):.9f}")
    0.070957612
    """
    return jnp.sum(p * jnp.exp(_log_chance(p, jnp.asarray(n, float), times)))


@needs_float64
def items_seen(p: Float[Array, " V"], n: Any, times: int) -> Scalar:
    r"""Mean number of items met exactly l times: :math:`\sum_i \binom nl p_i^l (1-p_i)^{n-l}`.

    Arguments as ``mass_seen``. The estimate of the missing mass by the number of items met once,
    over n, has as its mean the missing mass after n - 1 draws.

    Regime: exact. Source: Good 1953 (Biometrika 40; from memory).

    >>> p = frequencies(1000, 1.5)
    >>> bool(abs(items_seen(p, 1000.0, 1) / 1000 - mass_seen(p, 999.0)) < 1e-15)
    True
    """
    return jnp.sum(jnp.exp(_log_chance(p, jnp.asarray(n, float), times)))


@needs_float64
def price(p: Float[Array, " V"], n: Any, times: int) -> Scalar:
    r"""Frequency of an item that was met l times, in the mean over such items.

    .. math:: \tau_l = \frac{\sum_i p_i^{l+1}(1-p_i)^{n-l}}{\sum_i p_i^l(1-p_i)^{n-l}}

    A learner that does not fit one such item errs by tau_l more. Arguments as ``mass_seen``,
    l >= 1.

    Regime: exact, as a ratio of means. Source: Feldman 2019, arXiv:1906.05271.

    >>> print(f"{float(price(frequencies(100_000, 1.5), 1000.0, 1)):.4e}")
    3.4202e-04
    """
    chance = jax.nn.softmax(_log_chance(p, jnp.asarray(n, float), times))  # all may underflow
    return jnp.sum(p * chance)


def price_law(n: Any, times: Any, exponent: Any) -> Any:
    r"""Law of ``price`` under Zipf: :math:`\tau_l \to (l - 1/\alpha)/n`.

    Good and Turing's l/n less the discount 1/alpha. Regime: 1 << n << 1/p_V.

    Source: derived here (docs/discrete/zipf.md).

    >>> price_law(1000, 1, 2.0)
    0.0005
    """
    return (times - 1 / exponent) / n


def _tail(n: Any, first: Any, vocabulary: Any, exponent: Any, order: Any) -> Array:
    """Return the share of the endless integral that items up to the vocabulary hold."""
    return gammaincc(order, n * first * (vocabulary + 0.5) ** -exponent)


@needs_float64
def unseen_law(n: Any, first: Any, vocabulary: Any, exponent: Any) -> Scalar:
    r"""Power law of the missing mass, and its end where the vocabulary is exhausted.

    .. math:: \frac{C^{1/\alpha}}{\alpha}\,n^{-b}\,\Gamma\bigl(b,\ nC(V+\tfrac12)^{-\alpha}\bigr),
        \qquad b = 1 - \frac1\alpha

    Args:
        n: draws.
        first: C = p_1, the frequency of the most common item.
        vocabulary: V; infinite for an endless law, for which C = 1/zeta(alpha).
        exponent: alpha, > 1.

    Regime: limit n -> infinity with the relative correction -b(b+1)/(2n), as long as the most
    common items are met (n C >> 1). Source: Hutter 2021 (arXiv:2102.04074) for the power; the
    finite vocabulary and the correction are derived here (docs/discrete/zipf.md).

    >>> first = float(frequencies(1000, 1.5)[0])
    >>> print(f"{float(unseen_law(1000.0, first, 1000.0, 1.5)):.9f}")
    0.070978871
    """
    n, first, exponent = (jnp.asarray(v, float) for v in (n, first, exponent))
    b = 1 - 1 / exponent
    size = first ** (1 / exponent) / exponent * n**-b * jnp.exp(gammaln(b))
    return size * _tail(n, first, vocabulary, exponent, b)


@needs_float64
def items_seen_law(n: Any, times: int, first: Any, vocabulary: Any, exponent: Any) -> Scalar:
    r"""Law of the number of items met l times.

    .. math:: \frac{(nC)^{1/\alpha}}{\alpha\, l!}\,
        \Gamma\bigl(l - \tfrac1\alpha,\ nC(V+\tfrac12)^{-\alpha}\bigr)

    Arguments as ``unseen_law``, l >= 1. Regime: as ``unseen_law``; the relative correction is of
    order l^2/n. Source: derived here (docs/discrete/zipf.md).

    >>> print(f"{float(items_seen_law(1000.0, 1, 1 / zeta(1.5), jnp.inf, 1.5)):.4f}")
    94.1560
    """
    n, first, exponent = (jnp.asarray(v, float) for v in (n, first, exponent))
    order = times - 1 / exponent
    endless, n = jnp.isinf(n) & jnp.isinf(jnp.asarray(vocabulary, float)), jnp.minimum(n, _MANY)
    size = (n * first) ** (1 / exponent) / exponent
    size = size * jnp.exp(gammaln(order) - gammaln(times + 1.0))
    return jnp.where(endless, jnp.inf, size * _tail(n, first, vocabulary, exponent, order))


@needs_float64
def endless_unseen_mass(n: float, exponent: float) -> float:
    r"""Missing mass of an endless law, to rounding error.

    Items up to N are added; for those beyond, the binomial series becomes Hurwitz zeta functions,

    .. math:: \sum_{i>N} p_i(1-p_i)^n
        = \sum_{j\ge0} \binom nj (-1)^j C^{j+1}\,\zeta\bigl(\alpha(j+1),\,N+1\bigr),

    with N such that n p_N is at most 1/2. On the host.

    Regime: exact, to rounding. Source: derived here (docs/discrete/zipf.md).

    Args:
        n: draws, >= 0.
        exponent: alpha, > 1.

    Raises:
        BadInput: alpha <= 1, for which there is no such law, or n < 0.

    >>> print(f"{endless_unseen_mass(1000, 1.5):.7f} {endless_unseen_mass(10_000, 2.0):.8f}")
    0.0941350 0.00690962
    """
    if not (exponent > 1 and n >= 0):
        raise BadInput(f"exponent = {exponent}, n = {n}: expected exponent > 1 and n >= 0")
    first = 1 / zeta(exponent, 1)
    count = int(np.ceil((2 * max(n, 1.0) * first) ** (1 / exponent)))
    p = first * np.arange(1, count + 1, dtype=float) ** -exponent
    total = np.sum(p * np.exp(n * np.log1p(-p)))
    power = 1.0  # binom(n, j) (-1)^j C^j
    for j in range(TERMS):
        total += first * power * zeta(exponent * (j + 1), count + 1)
        power *= -(n - j) / (j + 1) * first
    return float(total)
