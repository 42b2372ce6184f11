r"""Facts stored in one matrix, as one step of training stores them: which are recalled.

Keys :math:`e_x` are uniform on the unit sphere of d dimensions, values :math:`u_y` are
:math:`N(0, 1/d)`, a value of its own for every fact, and

.. math:: W = \sum_x q_x\,(u_x + \sigma \epsilon_x)\, e_x'

with a storage weight for every fact (how often it was met, say) and noise :math:`\epsilon` of the
values' own law. Asked for x the memory answers the y whose :math:`u_y \cdot W e_x` is largest.

Given the overlaps of the keys the values are Gaussian, and so are they given
:math:`v = W e_x`, whose squared length is :math:`b^2 g` with :math:`g \sim \chi_d^2/d`: the score
of the true value and that of any other are Gaussian, with the same v behind both. What is left
out is that the other scores are correlated among each other: of 64 facts in 12 to 32 dimensions
the law recalls fewer than are recalled, by up to 0.4/d.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import log_ndtr

from ci_theory._types import Array, Float, Scalar, needs_float64

__all__ = ["recall", "weakest_recalled"]

_LENGTHS = 6  # nodes for the length of what is read: Gauss's rule of its chi-squared law
_OVERLAPS = 16  # for the overlap with the strongest rival's key: of its law on the sphere
_STEP, _FAR = 0.35, 8.4  # for the noise of the true score: trapezoid


def _rule(diagonal: Array, beside: Array) -> tuple[Array, Array]:
    """Return nodes and weights of Gauss's rule, by the matrix of Golub and Welsch."""
    jacobi = jnp.diag(diagonal) + jnp.diag(beside, 1) + jnp.diag(beside, -1)
    values, vectors = jnp.linalg.eigh(jacobi)
    return values, vectors[0] ** 2


def _chi_squared(d: Array) -> tuple[Array, Array]:
    """Integrate over chi^2_d/d (Laguerre)."""
    k, alpha = jnp.arange(_LENGTHS, dtype=float), d / 2 - 1
    values, mass = _rule(2 * k + alpha + 1, jnp.sqrt(k[1:] * (k[1:] + alpha)))
    return 2 * values / d, mass


def _cosine(d: Array) -> tuple[Array, Array]:
    """Integrate over the inner product of two unit vectors (Gegenbauer)."""
    k = jnp.arange(1, _OVERLAPS, dtype=float)
    beside = jnp.sqrt(k * (k + d - 3) / ((2 * k + d - 2) * (2 * k + d - 4)))
    return _rule(jnp.zeros(_OVERLAPS), beside)


def _normal() -> tuple[Array, Array]:
    """Integrate over N(0, 1) (trapezoid)."""
    half = int(_FAR / _STEP)
    z = _STEP * jnp.arange(-half, half + 1)
    return z, _STEP * jnp.exp(-(z**2) / 2) / jnp.sqrt(2 * jnp.pi)


@needs_float64
@jax.jit
def recall(
    width: Any, weights: Float[Any, " g"], counts: Float[Any, " g"], noise: Any = 0.0
) -> Float[Array, " g"]:
    r"""Chance that a fact is recalled, for facts in groups of equal weight.

    .. math::
        P_i = \mathrm E_{g, z, b_1}\; \Phi\Bigl(\frac{s - c\,b_1}
        {\sqrt{g [b^2 - b_1^2 (1 + q_i^2/R)]/d}}\Bigr) \prod_j
        \Phi\Bigl(\frac{s}{\sqrt{(c^2 q_j^2 + g b^2)/d}}\Bigr), \qquad
        s = g q_i + \sqrt{g R/d}\, z, \qquad c = g - q_i \sqrt{\frac{g}{dR}}\, z

    with :math:`R = (1 + \sigma^2)(\sum_j q_j^2/d + b_1^2) + \sigma^2 q_i^2` and
    :math:`b^2 = q_i^2 + R`; the strongest of the other facts, whose overlap
    :math:`b_1` (on the sphere, of variance q_1^2/d) may be most of R, is kept by itself; j are
    all others.

    Args:
        width: d, dimensions of keys and values, > 2.
        weights: q of each group, > 0; only their ratios count.
        counts: facts in each group, at least one; of many ranks ``known_sequences.octaves``
            makes few groups.
        noise: sigma^2, variance of what is stored about a value, in units of the value's.

    Regime: keys and values at random, a value to each fact; relative errors of order 1/d.

    Limits: a fact alone is always recalled; two are exact, but for a step that quadrature rounds
    off where there is no noise; see ``weakest_recalled`` for wide memories.

    Source: the memory of Cabannes, Dohmatob, Bietti, arXiv:2310.02984, with Gaussian values; the
    law is derived here, from the values' conditional law.

    >>> found = recall(32.0, [1.0], [64.0])
    >>> print(f"{float(found[0]):.3f}")
    0.699
    """
    d, noise = jnp.asarray(width, float), jnp.asarray(noise, float)
    q, counts = jnp.asarray(weights, float), jnp.asarray(counts, float)
    groups = jnp.arange(q.size)
    (length, mass), (z, at), (a, by) = _chi_squared(d), _normal(), _cosine(d)
    g, z, a = length[:, None, None], z[None, :, None], a[None, None, :]

    def of(own: Array) -> Scalar:
        left = counts - (groups == own)
        rival = jnp.argmax(jnp.where(left > 0, q, -jnp.inf))
        alone = jnp.all(left <= 0)
        left = jnp.maximum(left - (groups == rival), 0.0)
        b = q[rival] * a
        rest = (1 + noise) * (jnp.sum(left * q**2) / d + b**2) + noise * q[own] ** 2
        rest = jnp.maximum(rest, jnp.finfo(float).tiny)
        whole = g * (q[own] ** 2 + rest) / d
        score = g * q[own] + jnp.sqrt(g * rest / d) * z
        pull = g - q[own] * jnp.sqrt(g / (d * rest)) * z
        beside = whole - g * b**2 * (1 + q[own] ** 2 / rest) / d  # left to the rival's score
        log_all = log_ndtr((score - pull * b) / jnp.sqrt(jnp.maximum(beside, 1e-12 * whole)))

        def add(total: Array, group: tuple[Array, Array]) -> tuple[Array, None]:
            weight, count = group
            spread = jnp.sqrt(pull**2 * weight**2 / d + whole)
            return total + count * log_ndtr(score / spread), None

        log_all, _ = lax.scan(add, log_all, (q, left))
        chance = jnp.einsum("gzb,g,z,b->", jnp.exp(log_all), mass, at, by)
        return jnp.where(alone, 1.0, chance)

    return lax.map(of, groups)


@needs_float64
def weakest_recalled(width: Any, squares: Any, outputs: Any) -> Scalar:
    r"""Storage weight from which a fact is recalled, in a wide memory.

    .. math:: q^* = \frac{\sqrt{2 \ln M \sum_x q_x^2}}{d}

    since the largest of M scores of variance :math:`\sum q^2/d^2` is :math:`\sqrt{2 \ln M}` of
    their deviations. Equal weights: :math:`N \ln N = d^2/2` facts; weights :math:`i^{-c}` of rank
    i: those up to :math:`(d/\sqrt{2 \zeta(2c) \ln M})^{1/c}`.

    Args:
        width: d.
        squares: sum of the squares of all weights.
        outputs: M, values among which the answer is.

    Regime: leading order in log M and 1/d; the step is wide while log M is small. Source: extreme
    values of Gaussians; as in arXiv:2310.02984 and arXiv:2412.06538.

    >>> print(f"{float(weakest_recalled(100.0, 600.0, 600.0)):.3f}")
    0.876
    """
    d, squares = jnp.asarray(width, float), jnp.asarray(squares, float)
    return jnp.sqrt(2 * jnp.log(jnp.asarray(outputs, float)) * squares) / d
