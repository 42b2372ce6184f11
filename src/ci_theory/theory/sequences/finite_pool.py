r"""A pool of k chains known by heart, of two states: its losses at any k.

A sequence x has under chain j of the pool the chance q_j(x). Who knows the pool, and that its
chains come with the shares w_j, gives x the chance :math:`S = \sum_j w_j q_j(x)`, a sum of
independent terms. Its mean logarithm is an integral over the Laplace transform of one term,

.. math:: \mathrm E \ln \frac{S}{e} = \int_0^\infty
    \Bigl[e^{-t} - \prod_j \varphi(w_j t)\Bigr] \frac{dt}{t}, \qquad
    \varphi(t) = \mathrm E\, e^{-t q(x)/e}, \quad e = \mathrm E\, q(x),

and with x drawn from chain i of the pool the factor of i is
:math:`\mathrm E[p(x)\,e^{-w_i t q(x)/e}]/\mathrm E\,p(x)`: p what the chain does, q what was learnt
of it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._types import Array, Scalar, needs_float64
from ci_theory.theory.sequences.dirichlet import RowNodes
from ci_theory.theory.sequences.kinds import Kinds

__all__ = ["FEWEST", "Pool", "PoolLosses", "pool_losses"]

FEWEST = 8.0
"""Effective chains below which the tail of the integral is long for its nodes."""

_NEARLY = 1e-15  # less is left of a transform only where nothing is left of its powers
_STEP, _FROM, _TO = 0.5, -26.0, 50.0  # of ln t: the trapezoid rule is right to e^(-pi^2/step)
_NOTHING = 1e-19  # nats: transforms fall with t, so all that follows is less than 200 of these


class Pool(NamedTuple):
    """Chains that are known: some come once, some several times.

    Attributes:
        once: chains that come once.
        repeated: chains that come ``repeats`` times as often.
        repeats: their weight.
    """

    once: Any
    repeated: Any
    repeats: Any

    def total(self) -> Any:
        """Return the chains, copies included."""
        return self.once + self.repeats * self.repeated

    def shares(self, power: int) -> Array:
        """Return sum_j w_j^power; at 2 one over the effective number of chains.

        >>> float(Pool(4.0, 2.0, 3.0).shares(2))
        0.22
        """
        return (self.once + self.repeated * jnp.asarray(self.repeats, float) ** power) / (
            self.total() ** power
        )


class PoolLosses(NamedTuple):
    """Losses in nats a sequence beyond that of who knows the law of all chains, and no pool.

    Attributes:
        trained: on the chains of the pool, as often as they come; negative where the pool helps.
        fresh: on new chains, >= 0.
    """

    trained: Scalar
    fresh: Scalar


class _Sums(NamedTuple):
    """The integrals up to a step of ln t, and what the integrands are less than from then on."""

    step: Scalar
    trained: Scalar
    fresh: Scalar
    left: Scalar


@needs_float64
@jax.jit
def pool_losses(kinds: Kinds, rule: RowNodes, pool: Pool, noise: Any = 0.0) -> PoolLosses:
    r"""Losses of who knows a pool of two-state chains by heart, in the mean over pools.

    Args:
        kinds: of the sequences, two states.
        rule: nodes of a row, as many as steps and 14 more.
        pool: the chains, effectively ``FEWEST`` or more.
        noise: share of the steps, where the pool was learnt, that led to a random state: of each
            row q = (1 - noise) p + noise/K was learnt. Sequences of the test follow p.

    Regime: exact, to quadrature: up to 16 steps errors below 1e-6 nats from 8 chains on, 1e-5 at 4;
    the tail of the integral is longer for longer sequences (1e-4 at 24 steps and 4 chains).

    Limits: without noise both tend to 0 as (X - 1)/2k for many chains, see ``pool_order``.

    Source: derived here; Frullani's integral for the logarithm.

    >>> from ci_theory.theory.sequences.dirichlet import row_nodes
    >>> from ci_theory.theory.sequences.kinds import kinds
    >>> made = pool_losses(kinds(2, 12), row_nodes(2, 1.0, 26), Pool(20.0, 0.0, 1.0))
    >>> print(f"{float(made.trained):.6f} {float(made.fresh):.6f}")
    -0.096546 0.112391
    """
    chances = jnp.asarray(rule.chances)
    states = chances.shape[1]
    learnt = (1 - noise) * chances + noise / states
    rows, index = jnp.asarray(kinds.rows), jnp.asarray(kinds.index)

    def grid(of: Array) -> Array:
        """Return the chance of a sequence of each kind at every pair of nodes, (m, N^2)."""
        row = jnp.exp(rows @ jnp.log(of).T)
        pairs = row[index[:, 0], :, None] * row[index[:, 1], None, :]
        return pairs.reshape(len(pairs), -1)

    weights = jnp.asarray(rule.weights)
    both = jnp.outer(weights, weights).ravel()
    p, q = grid(chances), grid(learnt)
    known = both[None] * p
    chance = jnp.sum(known, axis=1)
    known = known / chance[:, None]
    taken = q @ both
    q = q / taken[:, None]
    chance = chance * jnp.asarray(kinds.ways)
    total = pool.total()
    share = pool.once / total

    def factors(t: Array) -> tuple[Array, Array]:
        """Return ln phi(t) and what it is replaced by if the sequence is of that chain."""
        left = jnp.expm1(-t * q)
        gone = jnp.maximum(left @ both, _NEARLY - 1)
        return jnp.log1p(gone), 1 + jnp.sum(known * left, axis=1)

    def add(sums: _Sums) -> _Sums:
        t = jnp.exp(_FROM + _STEP * sums.step)
        one, of_one = factors(t / total)
        several, of_several = factors(t * pool.repeats / total)
        alone = jnp.maximum(pool.once - 1, 0.0) * one + pool.repeated * several
        among = pool.once * one + jnp.maximum(pool.repeated - 1, 0.0) * several
        fresh = jnp.exp(pool.once * one + pool.repeated * several)
        trained = share * of_one * jnp.exp(alone) + (1 - share) * of_several * jnp.exp(among)
        base = jnp.exp(-t)
        return _Sums(
            step=sums.step + 1,
            trained=sums.trained + (base - trained) @ chance,
            fresh=sums.fresh + (base - fresh) @ chance,
            left=(base + trained + fresh) @ chance,
        )

    def goes_on(sums: _Sums) -> Array:
        return (sums.step < (_TO - _FROM) / _STEP) & (sums.left > _NOTHING)

    none = jnp.zeros(())
    sums = lax.while_loop(goes_on, add, _Sums(none, none, none, none + 1))
    cost = chance @ (jnp.log(chance / jnp.asarray(kinds.ways)) - jnp.log(taken))
    return PoolLosses(trained=cost - _STEP * sums.trained, fresh=cost - _STEP * sums.fresh)
