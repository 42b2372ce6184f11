r"""Random features on the sphere in the limit n, p, d -> infinity at fixed ratios.

The published asymptotics of Mei and Montanari, kept as they print them (rational functions of
one unknown), with the unknown found from a real scalar equation. The eigenframework of
``random_features`` with ``limit_spectrum`` gives the same numbers and stays accurate at the
peak; use this form to compare with the paper, and ``sphere_spectrum`` for a given d.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import log_root
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import Spectrum
from ci_theory.theory.spectra.sphere import gaussian_rule

__all__ = ["LimitRisk", "Moments", "gaussian_moments", "limit_spectrum", "mei_montanari_risk"]


class Moments(NamedTuple):
    """Gaussian moments of an activation: all that the limit keeps of it.

    Attributes:
        mean: E act(G).
        slope: E G act(G).
        rest: E act(G)^2 - mean^2 - slope^2.
    """

    mean: Any
    slope: Any
    rest: Any


def gaussian_moments(activation: Callable[[np.ndarray], np.ndarray]) -> Moments:
    """Moments of an activation under a standard normal argument (host).

    Args:
        activation: a function of numpy arrays, analytic on either side of 0.

    >>> m = gaussian_moments(lambda t: np.maximum(t, 0.0))
    >>> print(f"{m.slope:.12f} {m.rest:.12f}")  # 1/2, 1/4 - 1/(2 pi)
    0.500000000000 0.090845056908
    """
    t, weight = gaussian_rule()
    act = np.asarray(activation(t), dtype=np.float64)
    mean, slope = float(weight @ act), float(weight @ (t * act))
    # The projection first: its square has no cancellation.
    rest = float(weight @ (act - mean - slope * t) ** 2)
    return Moments(mean, slope, rest if rest > 1e-14 * float(weight @ act**2) else 0.0)


def limit_spectrum(
    moments: Moments, d: Any, *, linear: Any = 1.0, quadratic: Any = 0.0
) -> Spectrum:
    r"""Spectrum that the sphere's tends to: d modes of slope^2/d and a tail of trace ``rest``.

    The mean of the activation and the target drops out in the limit; every non-linear target
    is unlearnable.

    Args:
        moments: of the activation, slope not 0.
        d: input dimension; may be traced.
        linear: power of the linear part of the target [label^2].
        quadratic: power of the rest of the target [label^2].

    >>> limit_spectrum(Moments(0.0, 0.5, 0.1), 10).multiplicity
    Array([10.], dtype=float64)
    """
    d = jnp.asarray(d, float)
    return Spectrum(
        eigenvalues=jnp.reshape(moments.slope**2 / d, (1,)),
        multiplicity=jnp.reshape(d, (1,)),
        power=jnp.reshape(jnp.asarray(linear, float), (1,)),
        tail_trace=jnp.asarray(moments.rest, float),
        tail_power=jnp.asarray(quadratic, float),
    )


class LimitRisk(NamedTuple):
    """Errors in the proportional limit.

    Attributes:
        excess_risk: mean squared error on fresh clean labels [label^2].
        test_error: excess_risk + noise [label^2].
        product: chi = nu_1 nu_2 < 0, the unknown of the published form.
        status: OK, NOT_CONVERGED or OUT_OF_SCOPE.
    """

    excess_risk: Scalar
    test_error: Scalar
    product: Scalar
    status: Int[Array, ""]


def _surplus(c: Array, ratios: tuple[Array, Array], strength: Array, level: Array) -> Array:
    """Return T(c) + s(c) - min(psi), increasing in c; s is the smaller of psi_j - T."""
    fewer, gap = ratios
    power = c * level
    left = 2 * power / (gap + jnp.sqrt(gap * gap + 4 * power))
    return c * (1 + strength / (1 + strength * c)) + left - fewer


@needs_float64
@jax.jit
def mei_montanari_risk(
    moments: Moments,
    n: Any,
    p: Any,
    d: Any,
    ridge: Any,
    noise: Any,
    *,
    linear: Any = 1.0,
    nonlinear: Any = 0.0,
) -> LimitRisk:
    r"""Excess risk of random-feature ridge regression on the sphere, in the proportional limit.

    .. math:: R = F_1^2 \frac{E_1}{E_0} + (\tau^2 + F_*^2) \frac{E_2}{E_0} + F_*^2

    with polynomials E_0, E_1, E_2 of chi, zeta = slope/sqrt(rest), psi_1 = p/d, psi_2 = n/d.
    The product chi = -c of their two complex unknowns is real on the imaginary axis and solves

    .. math:: (\psi_1 - T)(\psi_2 - T) = c\,\psi_1\,\delta/\text{rest}, \qquad
        T = c\Bigl(1 + \frac{\zeta^2}{1 + \zeta^2 c}\Bigr) < \min(\psi_1, \psi_2)

    Symbols: delta = ``ridge``, F_1^2 = ``linear``, F_*^2 = ``nonlinear``, tau^2 = ``noise``
    [label^2].

    Args:
        moments: of the activation; slope and rest not 0.
        n: training rows.
        p: features.
        d: input dimension; only the ratios n/d, p/d matter.
        ridge: total ridge on Phi Phi^T/p, > 0: n/d times the lambda of the paper.
        noise: label-noise variance.
        linear: power of the linear part of the target.
        nonlinear: power of the rest of the target.

    Regime: limit n, p, d -> infinity, relative error O(1/d) (about -5 % at d = 40, tanh,
    p = 2 d, n = 3 d). The polynomials lose digits at p = n as the ridge falls: relative error
    up to 2e-10 at lambda = 1e-12.

    Errors: OUT_OF_SCOPE for ridge <= 0 or an activation with slope or rest 0.

    Source: Mei & Montanari 2019, arXiv:1908.05355, Theorem 2 (from memory). The real scalar
    equation is derived here.

    >>> m = gaussian_moments(np.tanh)
    >>> print(f"{float(mei_montanari_risk(m, 300, 200, 100, 0.1, 0.5).test_error):.6f}")
    0.800471
    """
    n, p = counted(n), counted(p)
    d, ridge, noise = (jnp.asarray(v, float) for v in (d, ridge, noise))
    rest, slope = jnp.asarray(moments.rest, float), jnp.asarray(moments.slope, float)
    inside = (n > 0) & (p > 0) & (d > 0) & (ridge > 0) & (rest > 0) & (slope != 0)
    n, p, d, ridge, rest = (jnp.where(inside, v, 1.0) for v in (n, p, d, ridge, rest))
    psi1, psi2, zeta2 = p / d, n / d, slope**2 / rest
    fewer = jnp.minimum(psi1, psi2)
    gap = jnp.maximum(psi1 - psi2, 0.0) + jnp.maximum(psi2 - psi1, 0.0)
    level = psi1 * ridge / rest
    low = jnp.minimum(fewer / (2 * (1 + zeta2)), fewer * (fewer + 2 * gap) / (4 * level))
    root = log_root(_surplus, low / 2, fewer, (fewer, gap), zeta2, level)
    x = -root.value
    z2, z4, z6 = zeta2, zeta2**2, zeta2**3
    both = psi1 * psi2
    e0 = (
        -(x**5) * z6
        + 3 * x**4 * z4
        + (both - psi2 - psi1 + 1) * x**3 * z6
        - 2 * x**3 * z4
        - 3 * x**3 * z2
        + (psi1 + psi2 - 3 * both + 1) * x**2 * z4
        + 2 * x**2 * z2
        + x**2
        + 3 * both * x * z2
        - both
    )
    e1 = psi2 * x**3 * z4 - psi2 * x**2 * z2 + both * x * z2 - both
    e2 = (
        x**5 * z6
        - 3 * x**4 * z4
        + (psi1 - 1) * x**3 * z6
        + 2 * x**3 * z4
        + 3 * x**3 * z2
        - (psi1 + 1) * x**2 * z4
        - 2 * x**2 * z2
        - x**2
    )
    excess = linear * e1 / e0 + (noise + nonlinear) * e2 / e0 + nonlinear
    excess = jnp.where(inside, excess, jnp.nan)
    status = jnp.where(inside, root.status, Status.OUT_OF_SCOPE)
    return LimitRisk(excess, excess + noise, x, status)
