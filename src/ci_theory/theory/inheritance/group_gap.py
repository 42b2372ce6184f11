r"""Two groups with targets of their own, one model: the weight that treats both alike.

Rows of both groups have isotropic inputs, their targets b_1, b_2 one norm; a row of the majority
weighs 1, one of the minority s. One ridge fit serves both, and its mean lies between the two,

.. math:: m = \frac{\omega_1 b_1 + \omega_2 b_2}{\omega_1 + \omega_2 + \delta}, \qquad
    \omega_g = \frac{n_g s_g}{1 + s_g e}, \qquad e = \frac{p}{\omega_1 + \omega_2 + \delta},

while its fluctuation costs both the same. With :math:`n_g h_g = \omega_g e` the degrees of freedom
that the rows of a group hold (h their leverage), the difference of the two risks is

.. math:: R_2 - R_1 = 2\,(b_1 - b_2)\cdot m
    = \frac{2}{p}\,(1 - \cos\theta)\,|b|^2\,(n_1 h_1 - n_2 h_2),

the first equality at every size. So both are treated alike where both groups hold as many degrees
of freedom. Without a ridge these add up to p, and a group cannot hold more than one a row: a weight
that equalises exists only for :math:`p < 2 n_2`.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.inheritance.mixture import (
    BlockMixture,
    BlockWeights,
    Mixed,
    fit_block_mixture,
)
from ci_theory.theory.inheritance.operator import at_angle

__all__ = ["Equal", "TwoGroups", "equalising_share", "equalising_weight", "two_groups"]


class TwoGroups(NamedTuple):
    """One fit for two groups.

    Attributes:
        error_majority: mean squared error on a fresh noisy row of group 1 [label^2].
        error_minority: likewise of group 2.
        gap: error_minority - error_majority, without cancellation.
        held: degrees of freedom that the rows of each group hold, (2,).
        rows: what was fitted.
        fit: moments of the fit, leverages and shares.
        status: that of the fit.
    """

    error_majority: Scalar
    error_minority: Scalar
    gap: Scalar
    held: Array
    rows: BlockMixture
    fit: Mixed
    status: Int[Array, ""]


@needs_float64
def two_groups(
    p: Any,
    majority: Any,
    minority: Any,
    weight: Any,
    cosine: Any,
    signal: Any,
    noise: Any,
    ridge: Any,
) -> TwoGroups:
    r"""Errors of one ridge fit on two groups whose targets differ.

    .. math:: E_g = |m - b_g|^2 + V + v

    Args:
        p: dimension of the inputs.
        majority, minority: rows of the two groups, n_1 and n_2.
        weight: of a minority row, >= 0; a majority row has 1.
        cosine: of the angle between the targets.
        signal: squared norm of both targets.
        noise: label-noise variance of both.
        ridge: total ridge, >= 0; 0 needs more rows than p.

    Regime: limit n_g, p -> infinity, relative corrections of order 1/(rows left).

    Limits: equal targets give ``rows.repetition``; n -> infinity the weighted mean of the targets.

    Source: derived here, ``mixture.fit_block_mixture`` of one block.

    >>> for weight in (1.0, 23 / 7, 9.0):
    ...     made = two_groups(100.0, 280.0, 120.0, weight, 0.0, 1.0, 0.1, 0.0)
    ...     print(f"{float(made.error_majority):.4f} {float(made.error_minority):.4f}")
    0.4533 1.2533
    0.8542 0.8542
    1.2471 0.5967
    """
    p, signal = jnp.asarray(p, float), jnp.asarray(signal, float)
    length = jnp.sqrt(signal)
    first = jnp.stack([length, jnp.zeros(())])
    second = length * at_angle(cosine)
    rows = BlockMixture(
        variances=jnp.ones((2, 1)),
        multiplicity=p[None],
        targets=jnp.stack([first, second])[:, None, :],
        counts=jnp.stack([jnp.asarray(majority, float), jnp.asarray(minority, float)]),
        weights=jnp.stack([jnp.ones(()), jnp.asarray(weight, float)]),
        noise=jnp.broadcast_to(jnp.asarray(noise, float), (2,)),
        ridge=jnp.asarray(ridge, float),
    )
    fit = fit_block_mixture(rows, BlockWeights(mean=jnp.zeros((1, 2)), spread=jnp.zeros(1)))
    held = fit.leverage * rows.counts
    return TwoGroups(
        error_majority=fit.held_out[0],
        error_minority=fit.held_out[1],
        gap=2 * (1 - cosine) * signal * (held[0] - held[1]) / p,
        held=held,
        rows=rows,
        fit=fit,
        status=fit.status,
    )


class Equal(NamedTuple):
    """Where both groups are treated alike; ``status`` NO_BREAK and a NaN if that is nowhere."""

    value: Scalar
    status: Int[Array, ""]


def _equal(value: Array, there: Array) -> Equal:
    status = jnp.where(there, int(Status.OK), int(Status.NO_BREAK))
    return Equal(jnp.where(there, value, jnp.nan), status)


def _root(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """Return the positive root of a e^2 + b e = c, a >= 0, c > 0, and whether there is one."""
    width = jnp.sqrt(b**2 + 4 * a * c)
    there = (a > 0) | (b > 0)
    above = 2 * c / jnp.where(b + width > 0, b + width, 1.0)
    below = (width - b) / jnp.where(a > 0, 2 * a, 1.0)
    return jnp.where(b > 0, above, below), there


@needs_float64
def equalising_weight(p: Any, majority: Any, minority: Any, ridge: Any) -> Equal:
    r"""Weight of the minority's rows at which both groups have one risk.

    .. math:: s^* = \frac{n_1}{n_2 - e (n_1 - n_2)}, \qquad
        \delta e^2 + (2 n_1 + \delta - p)\, e = p

    Whatever the angle of the targets, their norm and the noise. Without a ridge
    :math:`s^* = (2 n_1 - p)/(2 n_2 - p)`, not the ratio of the counts.

    Args:
        p: dimension of the inputs.
        majority: rows of weight 1, n_1.
        minority: rows to be weighted, n_2 <= n_1.
        ridge: total ridge, >= 0.

    Returns:
        The weight; none (NO_BREAK) where the minority has too few rows to hold as much of the fit
        as the majority: without a ridge for p >= 2 n_2.

    Regime: as ``two_groups``. Limits: n_1/n_2 for p -> 0 or ridge -> infinity; 1 for n_1 = n_2.

    Source: derived here: both groups hold as many degrees of freedom.

    >>> print(f"{float(equalising_weight(100.0, 280.0, 120.0, 0.0).value):.4f}")
    3.2857
    >>> Status(int(equalising_weight(100.0, 280.0, 50.0, 0.0).status))
    <Status.NO_BREAK: 4>
    """
    p, most, few, ridge = (jnp.asarray(v, float) for v in (p, majority, minority, ridge))
    e, there = _root(ridge, 2 * most + ridge - p, p)
    left = few - e * (most - few)
    there = there & (left > 0)
    return _equal(most / jnp.where(there, left, 1.0), there)


@needs_float64
def equalising_share(p: Any, rows: Any, weight: Any, ridge: Any) -> Equal:
    r"""Share of the minority among n rows at which a given weight gives both groups one risk.

    .. math:: \pi = \frac{1 + s e}{1 + s + 2 s e}, \qquad
        2 \delta s e^2 + [\delta (1 + s) + 2 s (n - p)]\, e = p (1 + s)

    Args:
        p: dimension of the inputs.
        rows: n of both groups together.
        weight: s of a minority row, > 0.
        ridge: total ridge, >= 0.

    Returns:
        The share, above 1/2 for s < 1; none (NO_BREAK) without a ridge for n <= p.

    Regime: as ``two_groups``. Limits: without a ridge :math:`[1 + (s - 1) p/2n]/(1 + s)`, which for
    s -> infinity is p/2n: below it no weight is enough.

    Source: derived here, ``equalising_weight`` solved for the counts.

    >>> print(f"{float(equalising_share(100.0, 400.0, 3.285714, 0.0).value):.4f}")
    0.3000
    """
    p, n, s, ridge = (jnp.asarray(v, float) for v in (p, rows, weight, ridge))
    e, there = _root(2 * ridge * s, ridge * (1 + s) + 2 * s * (n - p), p * (1 + s))
    there = there & (s > 0)
    return _equal((1 + s * e) / (1 + s + 2 * s * e), there)
