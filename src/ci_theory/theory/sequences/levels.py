r"""Levels of loss on an unknown Markov chain: by counting states, by counting steps, by knowing it.

Guessing costs ln K nats a step. Counting states ends at the entropy of the stationary shares,
counting steps at the entropy rate; until then it pays the price of the rows. All are means over
chains whose rows are drawn from the Dirichlet law with parameter a, and over sequences of n steps
from a given state (which does not matter, as states are alike).

No mean over visits gives them: at a given time a state that leads back to itself has been visited
more often, and its row is another than that of a state drawn at random.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln

from ci_theory._types import Array, Scalar, needs_float64
from ci_theory.theory.sequences.dirichlet import (
    endless_loss,
    log_evidence,
    row_nodes,
    visit_losses,
)
from ci_theory.theory.sequences.kinds import Kinds, kinds, unigram_loss

__all__ = [
    "Levels",
    "counting_loss",
    "even_visits_loss",
    "known_loss",
    "levels",
    "rough_levels",
    "two_state_entropy_rate",
]


class Levels(NamedTuple):
    """Mean losses in nats a step on an unknown chain.

    Attributes:
        unigram: of who counts states.
        counting: of who counts steps.
        known: of who knows the chain.
    """

    unigram: Any
    counting: Any
    known: Any


def _steps(kinds: Kinds) -> Array:
    return jnp.sum(jnp.asarray(kinds.rows)[jnp.asarray(kinds.index)[0]])


@needs_float64
@jax.jit
def counting_loss(kinds: Kinds, a: Any) -> Scalar:
    r"""Mean loss in nats a step of the best guess on an unknown chain: it counts steps.

    .. math:: -\frac1n \sum_x m(x) \ln m(x), \qquad m(x) = \prod_i \frac{\Gamma(Ka)}{\Gamma(Ka +
        n_i)} \prod_j \frac{\Gamma(a + c_{ij})}{\Gamma(a)}

    m is the product of the guesses :math:`(c_{ij} + a)/(n_i + Ka)` made on the way.

    Args:
        kinds: of the sequences.
        a: parameter of the Dirichlet law.

    Regime: exact. Limits: n -> infinity gives the mean entropy rate.

    Source: derived here, the chain rule of entropy.

    >>> from ci_theory.theory.sequences.kinds import kinds
    >>> print(f"{float(counting_loss(kinds(2, 12), 1.0)):.6f}")
    0.587972
    """
    rows = log_evidence(kinds.rows, a)
    m = jnp.sum(rows[jnp.asarray(kinds.index)], axis=1)
    return -jnp.sum(jnp.asarray(kinds.ways) * jnp.exp(m) * m) / _steps(kinds)


@needs_float64
@jax.jit
def known_loss(kinds: Kinds, a: Any) -> Scalar:
    r"""Mean loss in nats a step of who knows the chain.

    .. math:: -\frac1n \sum_x m(x) \sum_{ij} c_{ij}
        \bigl[\psi(c_{ij} + a) - \psi(n_i + Ka)\bigr]

    Args:
        kinds, a: as in ``counting_loss``.

    Regime: exact. Limits: n = 1 gives ``endless_loss``, n -> infinity the mean entropy rate, which
    is lower: states that keep to themselves are visited more often.

    Source: derived here: the derivative of the evidence in its exponents.

    >>> from ci_theory.theory.sequences.kinds import kinds
    >>> print(f"{float(known_loss(kinds(2, 1), 1.0)):.4f}")
    0.5000
    """
    counts, index = jnp.asarray(kinds.rows), jnp.asarray(kinds.index)
    visits = jnp.sum(counts, axis=1, keepdims=True)
    told = digamma(counts + a) - digamma(visits + counts.shape[1] * a)
    mean = jnp.sum(counts * told, axis=1)
    m = jnp.sum(log_evidence(counts, a)[index], axis=1)
    chance = jnp.asarray(kinds.ways) * jnp.exp(m)
    return -jnp.sum(chance * jnp.sum(mean[index], axis=1)) / _steps(kinds)


@needs_float64
@functools.partial(jax.jit, static_argnums=(0, 1))
def even_visits_loss(length: int, states: int, a: Any) -> Scalar:
    r"""Mean loss of counting steps if visits were independent of the rows; they are not.

    .. math:: \frac1n \sum_{t<n} \sum_j \mathrm{Bin}(j;\, t, \tfrac1K)\, L_j

    Args:
        length: n, steps.
        states, a: as in ``visit_losses``.

    >>> print(f"{float(even_visits_loss(12, 2, 1.0)):.4f}")  # counting_loss: 0.5880
    0.6079
    """
    t, j = jnp.arange(1.0 * length)[:, None], jnp.arange(1.0 * length)[None, :]
    ways = gammaln(t + 1) - gammaln(j + 1) - gammaln(jnp.maximum(t - j, 0.0) + 1)
    log_chances = ways - j * jnp.log(states) + (t - j) * jnp.log1p(-1 / states)
    chances = jnp.where(j <= t, jnp.exp(log_chances), 0.0)
    return jnp.sum(chances @ visit_losses(length, states, a)) / length


def levels(states: int, length: int, a: float) -> Levels:
    """Return the exact levels, on the host.

    Args:
        states: K.
        length: n, steps.
        a: parameter of the Dirichlet law.

    >>> print(*(f"{level:.3f}" for level in levels(2, 12, 1.0)))
    0.636 0.588 0.486
    """
    counted = kinds(states, length)
    return Levels(
        unigram=unigram_loss(states, length, a),
        counting=float(counting_loss(counted, a)),
        known=float(known_loss(counted, a)),
    )


def rough_levels(states: int, length: int, a: float) -> Levels:
    """Return the levels if states came independently, visits were even, and all states met alike.

    Args:
        states, length, a: as in ``levels``.

    >>> print(*(f"{level:.3f}" for level in rough_levels(2, 12, 1.0)))
    0.564 0.608 0.500
    """
    return Levels(
        unigram=float(jnp.mean(visit_losses(length + 1, states, a)[1:])),
        counting=float(even_visits_loss(length, states, a)),
        known=float(endless_loss(states, a)),
    )


@needs_float64
def two_state_entropy_rate(a: float, nodes: int = 60) -> Scalar:
    r"""Mean entropy rate in nats of a two-state chain with unknown rows.

    .. math:: \mathrm E \frac{r H(p) + p H(r)}{p + r}, \qquad
        a = 1:\ \frac16 + \frac{\pi^2}{9} - \frac23 \ln 2\,(1 + \ln 2)

    with p, r the chances of leaving a state and H the entropy of one.

    Args:
        a: parameter of the Dirichlet law.
        nodes: of the rule for each row.

    Regime: exact, to quadrature: 1e-10 at a = 1. Limits: a -> infinity gives ln 2.

    Source: derived here.

    >>> print(f"{float(two_state_entropy_rate(1.0)):.7f}")
    0.4808892
    """
    rule = row_nodes(2, a, nodes)
    leave, weights = jnp.asarray(rule.chances[:, 0]), jnp.asarray(rule.weights)
    entropy = -leave * jnp.log(leave) - (1 - leave) * jnp.log1p(-leave)
    p, r = leave[:, None], leave[None, :]
    rate = (r * entropy[:, None] + p * entropy[None, :]) / (p + r)
    return weights @ rate @ weights
