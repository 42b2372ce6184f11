r"""What finite size adds to the errors of one fit on groups with targets of their own.

Put the labels beside the inputs, :math:`z = (x, y)`, and write the anchor as rows that are always
there. With penalty t on the weights, measured from the target of the group that is tested, and 1/u
on the labels,

.. math:: F(t, u) = \mathrm E \log\det\Bigl[\textstyle\sum_i c_i z_i z_i' + \ldots\Bigr], \qquad
    \frac{\partial^2 F}{\partial t\,\partial u} = \mathrm E\,|\hat w - b|^2, \qquad
    c_g \frac{\partial F}{\partial c_g} = n_g h_g .

Averaged over Gaussian rows, F is a saddle point in e_g (of which omega_g = n_g c_g/(1 + c_g e_g))
and the determinant of its curvature,

.. math:: F_0 = p \log T + u\Bigl[\sum_g \omega_g(|\beta_g|^2 + v_g) - |r|^2/T\Bigr]
        + \sum_g [n_g \log(1 + c_g e_g) - \omega_g e_g], \qquad
    F_1 = \tfrac12 \log\det(1 - K), \\
    K_{gh} = n_h t_h^2\Bigl[\frac p{T^2} + \frac{2u}T (\beta_g - m)\cdot(\beta_h - m)\Bigr],
    \qquad e_g = \frac pT + u\,(|\beta_g - m|^2 + v_g),

with T = t + delta + sum omega, r = sum omega beta, m = r/T, t_g = c_g/(1 + c_g e_g); the sums of
the first bracket and of r have the anchor as a group of omega = delta. F_0 gives the errors of
``mixture.fit_block_mixture``, F_1 by how much their means exceed them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Scalar, needs_float64
from ci_theory.theory.inheritance.mixture import BlockMixture
from ci_theory.theory.spectra.groups import counted

__all__ = ["GroupShifts", "group_next_order"]


class GroupShifts(NamedTuple):
    """Parts of the risks in the limit, and by how much their means exceed them.

    Attributes:
        signal: excess risk on the target of each group without label noise, (g,).
        noise: what label noise adds to all of them.
        held: degrees of freedom that the rows of each group hold, (g,).
        signal_shift, noise_shift, held_shift: the next order of each.
        free: effective rows - df2, rows left to average over.
    """

    signal: Array
    noise: Scalar
    held: Array
    signal_shift: Array
    noise_shift: Scalar
    held_shift: Array
    free: Scalar


class _Sources(NamedTuple):
    """What F is differentiated in: t, u, and the logarithms of the weights (g,)."""

    t: Array
    u: Array
    weights: Array


@needs_float64
@jax.jit
def group_next_order(rows: BlockMixture, share: Array) -> GroupShifts:
    """Evaluate the limit and the next order of the risks on every group.

    Args:
        rows: the groups; one block of unit variance, the ridge towards zero.
        share: the solved omega_g, ``Mixed.share``.

    Regime: Gaussian rows; what is left out is of relative order 1/free^2.

    Source: derived here from the mean of log det, docs/finite_size.md.

    >>> one = BlockMixture(
    ...     variances=jnp.ones((1, 1)), multiplicity=jnp.array([50.0]),
    ...     targets=jnp.ones((1, 1, 1)), counts=jnp.array([100.0]), weights=jnp.ones(1),
    ...     noise=jnp.ones(1), ridge=0.0)
    >>> made = group_next_order(one, jnp.array([50.0]))  # exactly 50/(100 - 50 - 1) of noise
    >>> print(f"{made.noise:.3f} {made.noise_shift:.3f} {50 / 49 - 1:.4f}")
    1.000 0.020 0.0204
    """
    targets = jnp.asarray(rows.targets, float)[:, 0]
    counts, weights = counted(rows.counts), jnp.asarray(rows.weights, float)
    p, ridge = jnp.asarray(rows.multiplicity, float)[0], jnp.asarray(rows.ridge, float)
    total = ridge + jnp.sum(share)
    solved = jnp.broadcast_to(p / total, weights.shape)
    still = _Sources(jnp.zeros(()), jnp.zeros(()), jnp.zeros_like(weights))

    def orders(centre: Array, scale: Array, noise: Array, s: _Sources) -> Array:
        """F_0 and F_1, for targets from ``centre`` in units of ``scale`` and for the noise."""
        c = weights * jnp.exp(s.weights)
        beta, anchor = scale * (targets - centre), -scale * centre

        def at(e: Array) -> tuple[Array, ...]:
            omega = counts * c / (1 + c * e)
            penalty = ridge + s.t + jnp.sum(omega)
            pulled = omega @ beta + ridge * anchor
            gaps = beta - pulled / penalty
            mapped = p / penalty + s.u * (jnp.sum(gaps**2, axis=1) + noise)
            return omega, penalty, pulled, gaps, mapped

        slope = jax.lax.stop_gradient(jax.jacfwd(lambda e: at(e)[4])(solved))
        newton = jnp.linalg.inv(jnp.eye(len(solved)) - slope)
        e = jax.lax.stop_gradient(solved)
        for _ in range(2):  # each adds an order in the sources
            e = e + newton @ (at(e)[4] - e)
        omega, penalty, pulled, gaps, _ = at(e)
        squares = omega @ (jnp.sum(beta**2, axis=1) + noise) + ridge * jnp.sum(anchor**2)
        limit = p * jnp.log(penalty) + s.u * (squares - jnp.sum(pulled**2) / penalty)
        limit = limit + jnp.sum(counts * jnp.log1p(c * e) - omega * e)
        pairs = p / penalty**2 + 2 * s.u / penalty * gaps @ gaps.T
        coupling = pairs * (counts * (c / (1 + c * e)) ** 2)[None, :]
        curved = jnp.linalg.slogdet(jnp.eye(len(e)) - coupling)[1] / 2
        return jnp.stack([limit, curved])

    def risk(centre: Array, scale: Array, noise: Array) -> Array:
        def mixed(t: Array, u: Array) -> Array:
            return orders(centre, scale, noise, still._replace(t=t, u=u))

        return jax.jacfwd(jax.jacfwd(mixed, argnums=1), argnums=0)(still.t, still.u)

    quiet, none = jnp.zeros_like(weights), jnp.zeros_like(targets[0])
    signal = jax.vmap(lambda centre: risk(centre, jnp.ones(()), quiet))(targets)
    noise = risk(none, jnp.zeros(()), jnp.asarray(rows.noise, float))
    held = jax.jacfwd(lambda w: orders(none, jnp.zeros(()), quiet, still._replace(weights=w)))(
        still.weights
    )
    pull = weights / (1 + weights * solved)
    spread = jnp.sum(counts * pull**2)  # df2 = p (omega/T)^2 of (sum omega)^2/spread rows
    return GroupShifts(
        signal=signal[:, 0],
        noise=noise[0],
        held=held[0],
        signal_shift=signal[:, 1],
        noise_shift=noise[1],
        held_shift=held[1],
        free=jnp.sum(share) ** 2 * (1 / spread - p / total**2),
    )
