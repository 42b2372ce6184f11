r"""What a metric makes of an error: a smooth law seen through scores that are all or nothing.

A sequence of L answers is scored as a whole (exact match), by the number of wrong answers (edit
distance) or answer by answer. With the error eps of a token, or the cross-entropy ce that gives
the right token the probability exp(-ce),

.. math:: (1-\varepsilon)^L \qquad\text{and}\qquad e^{-L\,ce}

are one curve if eps = 1 - exp(-ce). The first is exact for answers that are wrong independently
with one chance; the second for answers drawn from the model, whose probabilities multiply, as
long as ce is the mean over the tokens of that sequence. A mean over sequences of different
difficulty is larger than either (Jensen): ``exact_match_mixed``.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._errors import BadInput
from ci_theory._types import Scalar, needs_float64

__all__ = [
    "brier",
    "edit_distance",
    "error_at",
    "error_of_entropy",
    "exact_match",
    "exact_match_mixed",
    "half_point",
    "leaked_share",
]

LONGEST = 100_000
"""Tokens of a sequence in ``exact_match_mixed`` at most: its work and memory grow with them."""


@needs_float64
@jax.jit
def exact_match(error: Any, length: Any) -> Scalar:
    r"""Chance that a whole sequence is right: :math:`(1-\varepsilon)^L`.

    Args:
        error: eps, chance that one token is wrong, in [0, 1].
        length: L, tokens, >= 0.

    Regime: exact for independent errors of one chance; written with log1p, so that eps = 1e-12
    keeps its digits. Limits: eps = 0 or L = 0: 1. Below exp(-L eps), by L eps^2 / 2 relatively.

    Source: Schaeffer, Miranda, Koyejo 2023, arXiv:2304.15004.

    >>> print(f"{float(exact_match(0.05, 10)):.6f} {float(exact_match(1e-12, 10**12)):.6f}")
    0.598737 0.367879
    """
    error, length = jnp.asarray(error, float), jnp.asarray(length, float)
    return jnp.where(length == 0, 1.0, jnp.exp(length * jnp.log1p(-error)))


@needs_float64
@jax.jit
def error_of_entropy(entropy: Any) -> Scalar:
    """Return the chance that an answer drawn from the model is wrong, 1 - exp(-ce).

    Args:
        entropy: ce, cross-entropy of the token [nat], >= 0; its smallest value, the entropy of
            the language, is no part of it.

    Regime: exact for one token; the mean over tokens is below it (Jensen). Limits: ce -> 0: ce.

    Source: the definition of the cross-entropy.

    >>> print(f"{float(error_of_entropy(1e-9)):.6e}")
    1.000000e-09
    """
    return -jnp.expm1(-jnp.asarray(entropy, float))


@needs_float64
@jax.jit
def error_at(level: Any, length: Any) -> Scalar:
    r"""Error per token at which exact match is ``level``: :math:`1 - q^{1/L}`.

    Args:
        level: q, in (0, 1].
        length: L, tokens, > 0.

    Regime: as ``exact_match``. Limits: L -> infinity: log(1/q)/L.

    Source: the inverse of ``exact_match``.

    >>> print(f"{float(exact_match(error_at(0.5, 20), 20)):.6f}")
    0.500000
    """
    return -jnp.expm1(jnp.log(jnp.asarray(level, float)) / jnp.asarray(length, float))


@needs_float64
@jax.jit
def half_point(scale: Any, exponent: Any, length: Any, level: Any = 0.5) -> Scalar:
    r"""Size at which exact match reaches a level, if the cross-entropy falls as (c/N)^b.

    .. math:: N_q = c\,\Bigl(\frac{L}{\log(1/q)}\Bigr)^{1/b}

    Args:
        scale: c, in units of N.
        exponent: b, > 0.
        length: L, tokens.
        level: q, in (0, 1); one half by default.

    Regime: exact for ce = (c/N)^b. If it is the error that falls as (c/N)^b, the place is
    ``scale * error_at(level, length)**(-1/exponent)``, farther out by the factor
    1 + log(1/q)/(2 b L) to leading order.

    Source: Schaeffer, Miranda, Koyejo 2023, arXiv:2304.15004 (the curve); the place from it.

    >>> place = half_point(100.0, 0.5, 20)
    >>> print(f"{float(place):.2f} {float(jnp.exp(-20 * (100.0 / place) ** 0.5)):.3f}")
    83254.76 0.500
    """
    odds = jnp.asarray(length, float) / -jnp.log(jnp.asarray(level, float))
    return scale * odds ** (1 / jnp.asarray(exponent, float))


@needs_float64
@jax.jit
def edit_distance(error: Any, length: Any) -> Scalar:
    """Mean number of wrong tokens, L eps.

    Regime: exact, whatever the dependence of the tokens. Source: means add.

    >>> float(edit_distance(0.05, 10))
    0.5
    """
    return jnp.asarray(length, float) * error


@needs_float64
def exact_match_mixed(wrong: Any, right: Any, length: int) -> Scalar:
    r"""Exact match where every sequence has its own error, eps ~ Beta(a, b).

    .. math:: \mathrm E\,(1-\varepsilon)^L = \frac{B(a, b+L)}{B(a, b)}
        = \prod_{j<L}\Bigl(1 - \frac a{a+b+j}\Bigr)

    Args:
        wrong: a, > 0; the mean error is a/(a+b).
        right: b, > 0.
        length: L, a whole number of tokens, 0 to ``LONGEST``.

    Regime: exact; the product keeps all digits where Beta functions cancel. Always at least
    ``exact_match`` of the mean error, which is the limit a + b -> infinity. For L -> infinity it
    falls as the power Gamma(a+b)/Gamma(b) L^-a, no longer exponentially.

    Raises:
        BadInput: a length out of range.

    Source: Schaeffer, Miranda, Koyejo 2023, arXiv:2304.15004, assume one error; the mixture is
    the beta-binomial law.

    >>> mixed, same = exact_match_mixed(1.0, 19.0, 10), exact_match(0.05, 10)
    >>> print(f"{float(mixed):.5f} {float(same):.5f}")
    0.65517 0.59874
    """
    if not 0 <= length <= LONGEST:
        raise BadInput(f"length = {length}: expected 0 to {LONGEST} tokens")
    whole = jnp.asarray(wrong, float) + right + jnp.arange(float(length))
    return jnp.exp(jnp.sum(jnp.log1p(-wrong / whole)))


@needs_float64
@jax.jit
def brier(error: Any, choices: Any) -> Scalar:
    r"""Brier score of a model that leaves the chance eps to the wrong ones of K choices alike.

    .. math:: \sum_k (q_k - y_k)^2 = \varepsilon^2\,\frac{K}{K-1}

    Smooth in eps, where the accuracy of the largest chance jumps from 0 to 1 at
    eps = 1 - 1/K.

    Regime: exact. Source: Brier 1950 (Monthly Weather Review 78; from memory).

    Args:
        error: eps, chance given to wrong answers, in [0, 1].
        choices: K, >= 2.

    >>> float(brier(0.75, 4))
    0.75
    """
    choices = jnp.asarray(choices, float)
    return jnp.asarray(error, float) ** 2 * choices / (choices - 1)


@needs_float64
@jax.jit
def leaked_share(share: Any, rate: Any, draws: Any) -> Scalar:
    r"""Share of a test set that was met in training: :math:`1 - (1-\varphi_0)(1-\lambda)^n`.

    Args:
        share: phi_0, leaked whatever is drawn.
        rate: lambda, chance that one draw brings a given test sequence with it.
        draws: n, distinct draws.

    Regime: exact. Limits: rate = 0: the share itself. Source: independent draws.

    >>> print(f"{float(leaked_share(0.1, 1e-3, 1000.0)):.6f}")
    0.669074
    """
    draws = jnp.asarray(draws, float)
    kept = jnp.log1p(-jnp.asarray(share, float)) + draws * jnp.log1p(-jnp.asarray(rate, float))
    return -jnp.expm1(kept)
