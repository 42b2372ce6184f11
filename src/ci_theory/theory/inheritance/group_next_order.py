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

from typing import Any, NamedTuple

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
    drawn = counts * (weights / (1 + weights * solved)) ** 2  # n t^2
    still = jnp.broadcast_to(drawn * p / total**2, (len(weights), len(weights)))  # K, no sources
    inverse = jnp.linalg.inv(jnp.eye(len(weights)) - still)

    def orders(
        centre: Array, scale: Array, noise: Array, t: Array, u: Array, more: Array
    ) -> tuple[Array, Array]:
        """F_0 and K, targets from ``centre`` in units of ``scale``, weights by a factor e^more."""
        c = weights * jnp.exp(more)
        beta, anchor = scale * (targets - centre[None]), -scale * centre

        def at(e: Array) -> tuple[Array, ...]:
            omega = counts * c / (1 + c * e)
            penalty = ridge + t + jnp.sum(omega)
            pulled = omega @ beta + ridge * anchor
            gaps = beta - (pulled / penalty)[None]
            mapped = p / penalty + u * (jnp.sum(gaps**2, axis=1) + noise)
            return omega, penalty, pulled, gaps, mapped

        e = solved
        for _ in range(2):  # Newton's step at no sources: each adds an order in them
            e = e + inverse @ (at(e)[4] - e)
        omega, penalty, pulled, gaps, _ = at(e)
        squares = omega @ (jnp.sum(beta**2, axis=1) + noise) + ridge * jnp.sum(anchor**2)
        limit = p * jnp.log(penalty) + u * (squares - jnp.sum(pulled**2) / penalty)
        limit = limit + jnp.sum(counts * jnp.log1p(c * e) - omega * e)
        pairs = p / penalty**2 + 2 * u / penalty * gaps @ gaps.T
        return limit, pairs * (counts * (c / (1 + c * e)) ** 2)[None, :]

    none, quiet = jnp.zeros_like(targets[0]), jnp.zeros_like(weights)
    zero, one = jnp.zeros(()), jnp.ones(())

    def risk(centre: Array, scale: Array, noise: Array) -> tuple[Array, Array]:
        def at(t: Array, u: Array) -> tuple[Array, Array]:
            return orders(centre, scale, noise, t, u, quiet)

        def slope(t: Array) -> tuple[Any, Any]:
            return jax.jvp(lambda u: at(t, u), (zero,), (one,))

        (_, (_, k_u)), ((_, k_t), (by_tu, k_tu)) = jax.jvp(slope, (zero,), (one,))
        curved = jnp.sum(inverse.T * k_tu) + jnp.sum((inverse @ k_t) * (inverse @ k_u).T)
        return by_tu, -curved / 2

    signal, signal_shift = jax.vmap(lambda centre: risk(centre, one, quiet))(targets)
    noise, noise_shift = risk(none, zero, jnp.asarray(rows.noise, float))
    held, k_more = jax.jacfwd(lambda more: orders(none, zero, quiet, zero, zero, more))(quiet)
    held_shift = -jnp.einsum("ij,jig->g", inverse, k_more) / 2
    return GroupShifts(
        signal=signal,
        noise=noise,
        held=held,
        signal_shift=signal_shift,
        noise_shift=noise_shift,
        held_shift=held_shift,
        # df2 = p (omega/T)^2 of (sum omega)^2/(sum n t^2) rows
        free=jnp.sum(share) ** 2 * (1 / jnp.sum(drawn) - p / total**2),
    )
