r"""A pool of many chains known by heart: what it saves on them, and costs on new ones.

To first order in 1/k a sequence x is given the chance :math:`e(1 + \delta)`, e the mean chance over
chains and :math:`\delta` of variance :math:`\sum w_j^2\,(\mathrm E q^2/e^2 - 1)`. Without noise

.. math:: \text{on the pool's chains } -\frac{X - 1}{2k}, \qquad
    \text{on new ones } +\frac{X - 1}{2k}, \qquad \frac1k = \sum_j w_j^2

nats a sequence beside who counts, with the overlap :math:`X = \mathrm E_x[\mathrm E p^2/(\mathrm E
p)^2]` of two draws of the chain. X grows as a power of the length, K(K - 1)/2: so many chains make
a general solution, and no exponential of them. If the pool was learnt with noise, what it saves on
its own chains ends at a loss C, and counting wins even there from a pool on that is told in closed
form.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Scalar, needs_float64
from ci_theory.theory.sequences.dirichlet import RowNodes
from ci_theory.theory.sequences.finite_pool import Pool, PoolLosses
from ci_theory.theory.sequences.kinds import Kinds

__all__ = [
    "CATALAN",
    "Overlaps",
    "chain_overlap_law",
    "crowding",
    "first_order",
    "further_orders",
    "harmless_pool",
    "next_order",
    "overlaps",
    "winning_pool",
]

CATALAN = 0.915965594177219015


class Overlaps(NamedTuple):
    """Means over sequences of an unknown chain; p what chains do, q what was learnt of them.

    Attributes:
        cost: C = E ln(m/e), nats a sequence: e, m the mean chances E q(x), E p(x).
        own: E pq/(m e) - 1; without noise X - 1.
        square: E q^2/e^2 - 1; likewise.
        cubes: of the terms of the next order, (4,): kappa_3/3, 3 kappa_2^2/4, alpha_1 kappa_2,
            (alpha_2 - kappa_2)/2, with the central moments kappa of q/e over chains and alpha over
            the chains that a sequence may be of.
    """

    cost: Scalar
    own: Scalar
    square: Scalar
    cubes: Array


@needs_float64
@jax.jit
def overlaps(kinds: Kinds, rule: RowNodes, noise: Any = 0.0) -> Overlaps:
    r"""Overlaps of two draws of a chain, over sequences of given kinds.

    .. math:: X = \sum_x \frac{\mathrm E\,p(x)^2}{\mathrm E\,p(x)}

    Args:
        kinds: of the sequences.
        rule: nodes of a row, half of three times the steps or more.
        noise: share of the steps, where the pool was learnt, that led to a random state.

    Regime: exact, to rounding. Limits: noise 0 makes ``own`` = ``square`` = X - 1 and C = 0; noise
    1 makes ``square`` 0: chains are alike.

    Source: derived here.

    >>> from ci_theory.theory.sequences.dirichlet import row_nodes
    >>> from ci_theory.theory.sequences.kinds import kinds
    >>> made = overlaps(kinds(2, 12), row_nodes(2, 1.0, 32))
    >>> print(f"{float(made.square) + 1:.6f}")
    4.847939
    """
    chances = jnp.asarray(rule.chances)
    learnt = (1 - noise) * chances + noise / chances.shape[1]
    done, told = jnp.log(chances), jnp.log(learnt)
    rows, weights = jnp.asarray(kinds.rows), jnp.asarray(rule.weights)

    def log_mean(of: Array) -> Array:
        """Return ln E of the product over steps of what stands here for the logarithm of one."""
        row = jnp.log(jnp.exp(rows @ of.T) @ weights)
        return jnp.sum(row[jnp.asarray(kinds.index)], axis=1)

    m, e = log_mean(done), log_mean(told)
    chance = jnp.asarray(kinds.ways) * jnp.exp(m)
    square = jnp.exp(log_mean(2 * told) - 2 * e)
    cube = jnp.exp(log_mean(3 * told) - 3 * e)
    own = jnp.exp(log_mean(done + told) - m - e)
    own_square = jnp.exp(log_mean(done + 2 * told) - m - 2 * e)
    kappa2, alpha1 = square - 1, own - 1
    kappa3, alpha2 = cube - 3 * square + 2, own_square - 2 * own + 1
    cubes = kappa3 / 3, 0.75 * kappa2**2, alpha1 * kappa2, (alpha2 - kappa2) / 2
    return Overlaps(
        cost=chance @ (m - e),
        own=chance @ alpha1,
        square=chance @ kappa2,
        cubes=jnp.stack(cubes) @ chance,
    )


@needs_float64
def first_order(made: Overlaps, pool: Pool) -> PoolLosses:
    r"""Losses of who knows a pool of many chains, beyond those of who counts.

    .. math:: \text{trained} = C - W_2\bigl(A - \tfrac B2\bigr), \qquad
        \text{fresh} = C + W_2 \tfrac B2, \qquad W_2 = \sum_j w_j^2

    with A = ``own``, B = ``square``.

    Args:
        made: the overlaps.
        pool: its chains; copies count by W_2.

    Regime: W_2 X -> 0; ``next_order`` is what comes next.

    Source: derived here.

    >>> made = Overlaps(*map(jnp.asarray, (0.0, 3.0, 3.0)), jnp.zeros(4))
    >>> print(*(f"{float(v):.3f}" for v in first_order(made, Pool(100.0, 0.0, 1.0))))
    -0.015 0.015
    """
    w2 = pool.shares(2)
    return PoolLosses(
        trained=made.cost - w2 * (made.own - made.square / 2),
        fresh=made.cost + w2 * made.square / 2,
    )


@needs_float64
def next_order(made: Overlaps, pool: Pool) -> PoolLosses:
    """Return the terms of order 1/k^2, which ``first_order`` leaves out.

    Args:
        made, pool: as in ``first_order``.

    >>> made = Overlaps(*map(jnp.asarray, (0.0, 3.0, 3.0)), jnp.array([6.0, 9.0, 4.0, 2.0]))
    >>> print(*(f"{float(v):.4f}" for v in next_order(made, Pool(100.0, 0.0, 1.0))))
    0.0001 0.0003
    """
    w2, w3 = pool.shares(2), pool.shares(3)
    skew, spread, tilt, apart = made.cubes
    fresh = w2**2 * spread - w3 * skew
    return PoolLosses(trained=fresh - w2**2 * tilt + w3 * apart, fresh=fresh)


@needs_float64
def crowding(made: Overlaps, pool: Pool) -> Scalar:
    """Return the overlap of two chains over the effective number of chains: what an order brings.

    Args:
        made, pool: as in ``first_order``.

    >>> made = Overlaps(*map(jnp.asarray, (0.0, 3.0, 3.0)), jnp.zeros(4))
    >>> print(f"{float(crowding(made, Pool(100.0, 0.0, 1.0))):.2f}")
    0.04
    """
    return pool.shares(2) * (1 + made.square)


@needs_float64
def further_orders(made: Overlaps, pool: Pool) -> PoolLosses:
    """Bound what two orders leave out, where ``crowding`` is at most a quarter.

    The terms of the second order, none of them cancelling another, times what an order brings: the
    crowding, and twice the share of the heaviest chain. On the chains of the pool 0.3 of it are
    enough. Both factors are measured, with ``pool_losses``, and leave room.

    Args:
        made, pool: as in ``first_order``.

    >>> made = Overlaps(*map(jnp.asarray, (0.0, 3.0, 3.0)), jnp.array([6.0, 9.0, 4.0, 2.0]))
    >>> print(*(f"{float(v):.1e}" for v in further_orders(made, Pool(100.0, 0.0, 1.0))))
    3.8e-05 9.0e-05
    """
    w2, w3 = pool.shares(2), pool.shares(3)
    skew, spread, tilt, apart = jnp.abs(made.cubes)
    heaviest = jnp.where(jnp.asarray(pool.repeated) > 0, pool.repeats, 1.0) / pool.total()
    further = crowding(made, pool) + 2 * heaviest
    fresh = w2**2 * spread + w3 * skew
    trained = fresh + w2**2 * tilt + w3 * apart
    return PoolLosses(trained=0.3 * trained * further, fresh=fresh * further)


@needs_float64
def winning_pool(made: Overlaps) -> Scalar:
    r"""Effective number of chains from which on counting beats the pool on its own chains.

    .. math:: k^* = \frac{A - B/2}{C}

    Args:
        made: the overlaps.

    Returns:
        The number, infinite without noise: knowing a pool then never harms on it.

    Regime: k* >> X. Source: derived here, ``first_order`` set to 0.

    >>> made = Overlaps(*map(jnp.asarray, (0.1, 3.0, 2.0)), jnp.zeros(4))
    >>> print(f"{float(winning_pool(made)):.1f}")
    20.0
    """
    there = made.cost > 0
    found = (made.own - made.square / 2) / jnp.where(there, made.cost, 1.0)
    return jnp.where(there, found, jnp.inf)


@needs_float64
def harmless_pool(made: Overlaps, level: Any) -> Scalar:
    r"""Effective number of chains from which on new chains lose less than a level.

    .. math:: k = \frac{B}{2(\ell - C)}

    Args:
        made: the overlaps.
        level: l, nats a sequence beyond who counts.

    Returns:
        The number; infinite where the noise alone costs as much.

    Regime: k >> X. Source: derived here, ``first_order`` set to the level.

    >>> made = Overlaps(*map(jnp.asarray, (0.0, 3.0, 3.0)), jnp.zeros(4))
    >>> print(f"{float(harmless_pool(made, 0.05)):.1f}")
    30.0
    """
    left = level - made.cost
    return jnp.where(left > 0, made.square / (2 * jnp.where(left > 0, left, 1.0)), jnp.inf)


def chain_overlap_law(length: Any) -> Any:
    r"""Law of the overlap of two chains of two states for long sequences: :math:`X \to Gn/\pi`.

    .. math:: \Bigl(\frac{n}{4\pi}\Bigr)^{K(K-1)/2} \int
        \prod_i \varpi_i^{(K-1)/2} \prod_j p_{ij}^{-1/2}\,dp, \qquad
        K = 2:\ \int_0^1\!\!\int_0^1 \frac{dp\,dr}{(p + r)\sqrt{(1-p)(1-r)}} = 4G

    Jeffreys' volume with the stationary shares; G is Catalan's constant.

    Args:
        length: n, steps.

    Regime: n -> infinity; corrections of order 1. Source: derived here, Laplace's method.

    >>> print(f"{chain_overlap_law(100):.2f}")
    29.16
    """
    return CATALAN * length / jnp.pi
