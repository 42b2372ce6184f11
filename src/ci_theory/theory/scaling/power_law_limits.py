"""Power-law spectra when something else than rows is short: width, or training time.

Eigenvalues ``k^-alpha`` and target power ``k^-(1 + 2 alpha r)`` without end, as in
``power_law``. In the notation of Bahri et al. the target's exponent is a = 1 + 2 alpha r.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import gamma

from ci_theory._types import Array, Float, Scalar, needs_float64
from ci_theory.theory.spectra.power_law import ridgeless_kappa, zeta

__all__ = ["bottleneck", "local_slope", "time_limited", "width_limited"]


@needs_float64
@jax.jit
def width_limited(p: Any, alpha: Any, source: Any) -> Scalar:
    """Excess risk of p random features with infinitely many rows.

        E = kappa^(2r) Gamma(1 - 2r) Gamma(2r)/alpha + kappa zeta(1 + alpha (2r - 1)),
        df1(kappa) = p

    zeta continued below 1. The first term leads for r < 1/2, the second above; at r = 1/2 their
    poles cancel.

    Args:
        p: random features.
        alpha: capacity exponent, > 1.
        source: source exponent r > 0; from r = 0.95 on the first term is left out, with the
            terms of its order.

    Regime: p -> infinity, absolute error O(kappa^2); within 1e-4 of r = 1/2 a relative error of
    1e-6. Source: the leading term as in Maloney, Roberts, Sully, arXiv:2210.16859; the second
    derived here, docs/scaling/scaling_breaks.md.

    >>> print(f"{float(width_limited(100, 2.0, 0.25)):.5f}")
    0.02443
    """
    kappa, source = ridgeless_kappa(p, alpha), jnp.asarray(source, float)
    aside = jnp.where(jnp.abs(source - 0.5) < 1e-4, 2e-4, 0.0)  # around the removable pole
    above, below = (_terms(kappa, alpha, source + shift) for shift in (aside, -aside))
    return (above + below) / 2


def _terms(kappa: Array, alpha: Any, source: Array) -> Array:
    rough = source < 0.95  # the next pole of Gamma(1 - 2r), at 1, belongs to a term left out
    double = jnp.where(rough, 2 * source, 0.5)
    first = kappa**double * gamma(1 - double) * gamma(double) / alpha
    return jnp.where(rough, first, 0.0) + kappa * zeta(1 + alpha * (2 * source - 1))


@needs_float64
@jax.jit
def bottleneck(p: Any, alpha: Any, source: Any) -> Scalar:
    """Rows at which the noiseless interpolator's curve falls to what p features leave.

        n = p (alpha (1 - 2r))^(1/(2 alpha r))

    Args:
        p: random features.
        alpha: capacity exponent, > 1.
        source: source exponent r < 1/2; NaN above, where the two curves fall with exponents of
            their own.

    Regime: a crossover of two leading power laws, without noise or ridge; no more than an order
    of magnitude for a located break, since both limits are reached slowly.

    Source: derived here from ``power_law.ridgeless`` and ``width_limited``.

    >>> print(f"{float(bottleneck(100, 1.5, 0.7 / 3)):.1f}")
    72.7
    """
    alpha, source = jnp.asarray(alpha, float), jnp.asarray(source, float)
    inside = source < 0.5
    held = jnp.where(inside, source, 0.25)
    place = p * (alpha * (1 - 2 * held)) ** (1 / (2 * alpha * held))
    return jnp.where(inside, place, jnp.nan)


@needs_float64
@jax.jit
def time_limited(time: Any, alpha: Any, source: Any) -> Scalar:
    """Excess risk of gradient flow with infinitely many rows: sum v_k^2 exp(-2 lambda_k t).

        E = Gamma(2r)/alpha (2t)^(-2r)

    Args:
        time: learning rate times steps, from 0, for the gradient of half the squared error.
        alpha: capacity exponent, > 1.
        source: source exponent r > 0.

    Regime: t -> infinity; the sum differs from its integral by exp(-C t^(1/(1 + alpha))) (the
    summand vanishes at k = 0 with all derivatives). Source: Mellin transform of the exponential;
    exponent as in Bordelon, Atanasov, Pehlevan, arXiv:2402.01092.

    >>> modes = jnp.arange(1, 10**6, dtype=float)
    >>> direct = jnp.sum(modes**-2 * jnp.exp(-2 * modes**-2 * 50.0)) + 1e-6
    >>> print(f"{float(direct / time_limited(50.0, 2.0, 0.25)):.5f}")
    1.00000
    """
    time, source = jnp.asarray(time, float), jnp.asarray(source, float)
    return gamma(2 * source) / alpha * (2 * time) ** (-2 * source)


def local_slope(curve: Callable[[Scalar], Scalar], at: Any) -> Float[Array, "*s"]:
    """Return d log curve / d log x at places x, by automatic differentiation.

    Args:
        curve: a positive function of a scalar x > 0, differentiable by JAX.
        at: places, any shape.

    >>> slopes = local_slope(lambda n: 3 / n**0.5 + 0.01, jnp.array([1.0, 1e8]))
    >>> print(jnp.round(slopes, 2))
    [-0.5  -0.01]
    """

    def logarithm(u: Scalar) -> Scalar:
        return jnp.log(curve(jnp.exp(u)))

    u = jnp.log(jnp.asarray(at, float))
    return jax.vmap(jax.grad(logarithm))(u.ravel()).reshape(u.shape)
