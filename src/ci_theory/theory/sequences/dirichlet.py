r"""One row of an unknown Markov chain: what it costs to learn where a state leads.

A row p of K chances is drawn from the Dirichlet law with all parameters a. After n visits with
counts c the best guess of the next state is :math:`(c_j + a)/(n + Ka)`: the mean of p given the
counts. What is lost beyond the entropy of p, summed over visits, is the price of the row; it grows
as half a logarithm a free parameter.

How much one draw of p tells of another is :math:`X_n`, the mean over counts of
:math:`\mathrm E[p(x)^2]/(\mathrm E\,p(x))^2`: 1/X_n is about the share of the prior that looks like
a given sequence of n steps.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, gammaln
from scipy.special import roots_jacobi

from ci_theory._types import Array, Float, Scalar, needs_float64

__all__ = [
    "RowNodes",
    "endless_loss",
    "log_evidence",
    "overlap",
    "overlap_law",
    "row_nodes",
    "row_price",
    "visit_losses",
]


@needs_float64
def log_evidence(counts: Float[Any, "*m K"], a: Any) -> Float[Array, "*m"]:
    r"""Logarithm of the chance of a row's steps, in their order, averaged over the row.

    .. math:: \mathrm E \prod_j p_j^{c_j} = \frac{\Gamma(Ka)}{\Gamma(Ka + n)}
        \prod_j \frac{\Gamma(a + c_j)}{\Gamma(a)}

    Args:
        counts: c, steps to each state; need not be whole numbers.
        a: parameter of the Dirichlet law, > 0.

    Regime: exact. Source: the Dirichlet law.

    >>> print(f"{float(jnp.exp(log_evidence([2.0, 1.0], 1.0))):.4f}")
    0.0833
    """
    counts, a = jnp.asarray(counts, float), jnp.asarray(a, float)
    states = counts.shape[-1]
    seen = jnp.sum(gammaln(a + counts) - gammaln(a), axis=-1)
    return seen + gammaln(states * a) - gammaln(states * a + jnp.sum(counts, axis=-1))


@needs_float64
@functools.partial(jax.jit, static_argnums=(0, 1))
def visit_losses(visits: int, states: int, a: Any) -> Float[Array, " n"]:
    r"""Mean loss in nats at the first visits of a state, after n = 0, 1, ... visits before.

    .. math:: L_n = -\sum_{c=0}^n \mathrm{BetaBin}(c;\, n,\, a + 1,\, (K - 1)a)\,
        \ln\frac{c + a}{n + Ka}

    It is a mean by visits: at a given *time* the number of visits depends on the row, and the mean
    over times is another.

    Args:
        visits: how many, >= 1.
        states: K, >= 2.
        a: parameter of the Dirichlet law, > 0.

    Regime: exact. Limits: n = 0 gives ln K, n -> infinity ``endless_loss``.

    Source: derived here, the mean of the best guess over the next state.

    >>> print(f"{float(visit_losses(6, 3, 1.0)[5]):.5f} {float(visit_losses(21, 8, 0.3)[20]):.5f}")
    0.94381 1.35770
    """
    a = jnp.asarray(a, float)
    n, counts = jnp.arange(1.0 * visits)[:, None], jnp.arange(1.0 * visits)[None, :]
    there = counts <= n
    c = jnp.where(there, counts, 0.0)
    own, others = a + 1, (states - 1) * a
    ways = gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)
    both = gammaln(own + c) + gammaln(others + n - c) - gammaln(own + others + n)
    scale = gammaln(own + others) - gammaln(own) - gammaln(others)
    chances = jnp.where(there, jnp.exp(ways + both + scale), 0.0)
    return -jnp.sum(chances * (jnp.log(c + a) - jnp.log(n + states * a)), axis=1)


@needs_float64
def endless_loss(states: int, a: Any) -> Scalar:
    r"""Mean entropy of a row in nats: :math:`\psi(Ka + 1) - \psi(a + 1)`.

    Args:
        states, a: as in ``visit_losses``.

    Regime: exact. Limits: a -> infinity gives ln K. Source: the Dirichlet law.

    >>> print(f"{float(endless_loss(3, 1.0)):.4f}")
    0.8333
    """
    a = jnp.asarray(a, float)
    return digamma(states * a + 1) - digamma(a + 1)


@needs_float64
def row_price(n: int, states: int, a: Any) -> Scalar:
    r"""Nats lost over n visits for not knowing the row: :math:`I_n = \sum_{j<n} L_j - nL_\infty`.

    The information that n steps carry on their row.

    Args:
        n, states, a: as in ``visit_losses``.

    Regime: exact. Limits: grows as (K - 1)/2 ln n. Source: the chain rule of entropy.

    >>> print(f"{float(row_price(1, 2, 1.0)):.4f}")
    0.1931
    """
    return jnp.sum(visit_losses(n, states, a)) - n * endless_loss(states, a)


@needs_float64
@functools.partial(jax.jit, static_argnums=(0, 1))
def overlap(n: int, states: int, a: Any) -> Scalar:
    r"""Mean of E[p(x)^2]/(E p(x))^2 over the n steps x of one row.

    .. math:: X_n = \sum_x \frac{\mathrm E\,p(x)^2}{\mathrm E\,p(x)}
        = \sum_c \binom{n}{c} \frac{B(2c + a)}{B(c + a)},
        \qquad B(v) = \frac{\prod_j \Gamma(v_j)}{\Gamma(\sum_j v_j)}

    Args:
        n, states, a: as in ``visit_losses``.

    Regime: exact. Limits: n = 0 gives 1, n -> infinity ``overlap_law``; K = 3, a = 1: 1 + n/2.

    Source: derived here. The sum over counts is a power of one series.

    >>> print(f"{float(overlap(50, 2, 1.0)):.4f} {float(overlap(50, 3, 1.0)):.4f}")
    6.3445 26.0000
    """
    a = jnp.asarray(a, float)
    c = jnp.arange(n + 1.0)
    # n!/prod c_j! prod G(2c_j + a)/G(c_j + a), all but Gamma(n + Ka)/Gamma(2n + Ka): a convolution.
    # G(2c + a)/(c! G(c + a)) grows as 4^c.
    one = jnp.exp(gammaln(2 * c + a) - gammaln(c + 1) - gammaln(c + a) - c * jnp.log(4.0))
    made = one
    for _ in range(states - 1):
        made = jnp.convolve(made, one)[: n + 1]
    log_scale = gammaln(n + 1.0) + gammaln(n + states * a) - gammaln(2 * n + states * a)
    return made[n] * jnp.exp(log_scale + n * jnp.log(4.0))


@needs_float64
def overlap_law(n: Any, states: int) -> Scalar:
    r"""Law of ``overlap`` for many steps: Jeffreys' volume of the row, whatever the prior.

    .. math:: X_n \to \Bigl(\frac{n}{4\pi}\Bigr)^{(K-1)/2} \int \sqrt{\det F(p)}\,dp
        = \Bigl(\frac{n}{4\pi}\Bigr)^{(K-1)/2} \frac{\pi^{K/2}}{\Gamma(K/2)}

    Args:
        n: steps.
        states: K.

    Regime: n -> infinity; relative corrections of order 1/n at a = 1. Source: derived here,
    Laplace's method.

    >>> print(f"{float(overlap_law(400, 3)) / 200:.4f}")
    1.0000
    """
    half = states / 2
    size = half * jnp.log(jnp.pi) - gammaln(half)
    return jnp.exp((half - 0.5) * jnp.log(jnp.asarray(n, float) / (4 * jnp.pi)) + size)


class RowNodes(NamedTuple):
    """A rule for means over a row: chances of the nodes (N, K) and their weights (N,)."""

    chances: Float[Any, "N K"]
    weights: Float[Any, " N"]


def _beta_nodes(first: float, second: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a rule for a beta law; nodes crowd at the ends, where powers have their layers.

    The substitution is p = sin^2(pi y/2) under Gauss's rule of y^(2 first - 1) (1 - y)^(2 second
    - 1): what is left of the weight is smooth.
    """
    x, weights = roots_jacobi(count, 2 * second - 1, 2 * first - 1)
    y = (1 + x) / 2
    sine, cosine = np.sin(np.pi * y / 2), np.cos(np.pi * y / 2)
    weights = weights * (sine / y) ** (2 * first - 1) * (cosine / (1 - y)) ** (2 * second - 1)
    return sine**2, weights / np.sum(weights)


def row_nodes(states: int, a: float, count: int) -> RowNodes:
    """Return a product rule for the Dirichlet law, stick by stick; on the host.

    Args:
        states: K.
        a: parameter of the Dirichlet law, > 0.
        count: nodes a stick; with as many as the degree of a polynomial of the chances and a few
            more its mean is right to rounding.

    >>> rule = row_nodes(2, 1.0, 16)
    >>> print(f"{rule.weights @ rule.chances[:, 0] ** 3:.12f}")
    0.250000000000
    """
    chances, weights, left = np.ones((1, 0)), np.ones(1), np.ones(1)
    for i in range(states - 1):
        p, w = _beta_nodes(a, (states - 1 - i) * a, count)
        taken = left[:, None] * p
        chances = np.concatenate([np.repeat(chances, count, axis=0), taken.reshape(-1, 1)], axis=1)
        weights, left = np.outer(weights, w).ravel(), (left[:, None] * (1 - p)).ravel()
    return RowNodes(np.concatenate([chances, left[:, None]], axis=1), weights)
