r"""Averages over the Marchenko-Pastur law: the eigenvalues of ``X'X/n`` for isotropic rows.

.. math:: dF(s) = \frac{\sqrt{(s_+ - s)(s - s_-)}}{2\pi\gamma s}\,ds
    + \Bigl(1 - \frac1\gamma\Bigr)_+\delta_0, \qquad s_\pm = (1 \pm \sqrt\gamma)^2

with gamma = p/n. In v = log((s - s_-)/(s_+ - s)) the integrand is smooth and falls off at both
ends exponentially, so the trapezoidal rule converges exponentially, for functions with any scale
of s, at every gamma: gamma = 1, where the density is singular at 0, is no special case, and a
factor exp(-s t) may have any t (docs/dynamics/dynamics.md).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i1e

from ci_theory._types import Array, Float, Number, Numbers, Scalar, needs_float64

__all__ = [
    "EigenvalueLaw",
    "bessel_ratio",
    "eigenvalue_law",
    "lower_edge",
    "survival",
    "survival_slope",
]

STEP = 0.25
"""Step in v. exp(-s t) is bounded for |Im v| < pi/2, so the error is near exp(-pi^2/STEP)."""

LOWEST, HIGHEST = -100.0, 27.0
"""Range of v: at gamma = 1 what lies below carries exp(LOWEST/2) of the mass."""


class EigenvalueLaw(NamedTuple):
    """Quadrature nodes of the law; sums over nodes and the atom are averages over modes.

    Attributes:
        eigenvalues: nodes s, in units of the inputs' variance, (m,).
        above_edge: s - s_- to full relative accuracy, (m,).
        weights: share of the modes at each node, (m,); they add up to min(1, 1/gamma).
        atom: share of the modes with eigenvalue 0, (1 - 1/gamma)_+.
        lower, upper: edges of the bulk.
    """

    eigenvalues: Float[Array, " m"]
    above_edge: Float[Array, " m"]
    weights: Float[Array, " m"]
    atom: Scalar
    lower: Scalar
    upper: Scalar


def _positions() -> tuple[np.ndarray, np.ndarray]:
    """Return (s - s_-)/(s_+ - s_-) at the nodes and the part of the weights without gamma."""
    v = np.arange(LOWEST, HIGHEST + STEP / 2, STEP)
    x, y = 1 / (1 + np.exp(-v)), 1 / (1 + np.exp(v))
    return x, 8 * STEP / np.pi * (x * y) ** 1.5


@needs_float64
def eigenvalue_law(gamma: Number) -> EigenvalueLaw:
    """Quadrature of the Marchenko-Pastur law.

    Args:
        gamma: inputs per row p/n, > 0.

    Regime: the law is the limit n, p -> infinity; the rule leaves a relative error near 1e-14
    in averages of powers of s, of 1/(s + ridge) and of exp(-s t), t up to about 1e10.

    Source: Marchenko, Pastur 1967 (from memory); the rule is derived here
    (docs/dynamics/dynamics.md).

    >>> law = eigenvalue_law(2.0)
    >>> print(f"{float(law.atom):.3f} {float(jnp.sum(law.weights)):.12f}")
    0.500 0.500000000000
    >>> print(f"{float(jnp.sum(law.weights * law.eigenvalues)):.12f}")  # mean eigenvalue
    1.000000000000
    """
    gamma = jnp.asarray(gamma, float)
    place, weight = _positions()
    root = jnp.sqrt(gamma)
    lower, width = lower_edge(gamma), 4 * root
    above = width * place
    s = lower + above
    return EigenvalueLaw(
        eigenvalues=s,
        above_edge=above,
        weights=jnp.asarray(weight) / s,  # sqrt(x y) width * x y width / (2 pi gamma s)
        atom=jnp.maximum(1 - 1 / gamma, 0.0),
        lower=lower,
        upper=(1 + root) ** 2,
    )


@needs_float64
def survival(gamma: Number, time: Number) -> Scalar:
    r"""Mean of exp(-s t) over the modes, the atom included.

    .. math:: M(t) = \int e^{-st}\,dF(s) = 1 - \int_0^t A(u)\,du

    with A = ``survival_slope``; 1 - M is the distribution of the busy period of a single-server
    queue with arrival rate gamma and service rate 1.

    Args:
        gamma: inputs per row, > 0.
        time: t, >= 0.

    Limits: M(0) = 1; t -> infinity (1 - 1/gamma)_+; gamma = 1: exp(-2t) (I_0(2t) + I_1(2t)).

    Regime: exact for the law; relative error near 1e-14, also where M is tiny.

    Source: as ``survival_slope``.

    >>> from scipy.special import ive
    >>> print(f"{float(survival(1.0, 5.0)):.12f} {ive(0, 10) + ive(1, 10):.12f}")
    0.249096018548 0.249096018548
    """
    law = eigenvalue_law(gamma)
    return law.atom + jnp.sum(law.weights * jnp.exp(-law.eigenvalues * time))


@needs_float64
def survival_slope(gamma: Number, time: Number) -> Scalar:
    r"""Mean of s exp(-s t) over the modes: what is still being learned.

    .. math:: A(t) = -M'(t) = \frac{e^{-(1+\gamma)t}\,I_1(2\sqrt\gamma\,t)}{\sqrt\gamma\,t},
        \qquad A(0) = 1

    Args:
        gamma: inputs per row, > 0.
        time: t, >= 0.

    Regime: exact for the law; evaluated by the scaled Bessel function, so that it neither
    overflows nor loses digits.

    Source: derived here (docs/dynamics/dynamics.md).

    >>> print(f"{float(survival_slope(0.5, 0.0)):.1f} {float(survival_slope(0.5, 3.0)):.12f}")
    1.0 0.063727169696
    """
    root = jnp.sqrt(jnp.asarray(gamma, float))
    return jnp.exp(-lower_edge(gamma) * time) * bessel_ratio(2 * root * time)


def lower_edge(gamma: Numbers) -> Array:
    """Return (1 - sqrt(gamma))^2 without cancellation near gamma = 1."""
    gamma = jnp.asarray(gamma, float)
    return ((1 - gamma) / (1 + jnp.sqrt(gamma))) ** 2


def bessel_ratio(x: Numbers) -> Array:
    """Return 2 exp(-x) I_1(x) / x, and its series where the quotient is 0/0."""
    x = jnp.asarray(x, float)
    small = x < 1e-3
    safe = jnp.where(small, 1.0, x)
    series = jnp.exp(-x) * (1 + x**2 / 8 * (1 + x**2 / 24))
    return jnp.where(small, series, 2 * i1e(safe) / safe)
