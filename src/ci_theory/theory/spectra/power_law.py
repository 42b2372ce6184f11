"""Power-law spectra: closed forms, exponents and crossovers of the learning curve.

Eigenvalues ``k^-alpha`` (capacity alpha > 1) and target power ``v_k^2 = k^-(1 + 2 alpha r)``
(source r > 0), k = 1, 2, ... without end; rho = min(r, 1). ``spectrum.power_law`` builds the
finite version, ``endless`` one without an end.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gamma

from ci_theory._errors import BadInput
from ci_theory._types import Array, Float, Numbers, Scalar, needs_float64
from ci_theory.theory.spectra import spectrum as spectra
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.groups import counted

__all__ = [
    "Exponents",
    "Ridgeless",
    "Tuned",
    "bias",
    "endless",
    "exponents",
    "noise_crossover",
    "plateau",
    "ridge_crossover",
    "ridgeless",
    "ridgeless_kappa",
    "tuned",
    "zeta",
]


class Ridgeless(NamedTuple):
    """The interpolator: effective ridge [x^2], gamma = df2/n, bias B and test error [label^2]."""

    kappa: Scalar
    gamma: Scalar
    bias: Scalar
    test_error: Scalar


class Exponents(NamedTuple):
    """Slopes of log excess risk against log n: of its bias part and of its noise part."""

    bias: Scalar
    noise: Scalar


class Tuned(NamedTuple):
    """Best ridge/n = n^-decay, and the slope of log excess risk that it reaches."""

    decay: Scalar
    slope: Scalar


@needs_float64
@jax.jit
def ridgeless_kappa(n: Numbers, alpha: Numbers) -> Float[Array, "..."]:
    """Effective ridge of the interpolator on an endless power law.

        kappa = [ (pi/alpha) / ((n + 1/2) sin(pi/alpha)) ]^alpha

    The 1/2 is the first Euler-Maclaurin term of ``df1 = sum 1/(1 + kappa k^alpha)``, that is
    -zeta(0) of its Mellin expansion.

    Args:
        n: training rows.
        alpha: capacity exponent, > 1.

    Regime: relative error O(n^-(1 + alpha)) from the equation ``df1(kappa) = n``; with n in
    place of n + 1/2 it would be O(1/n). Source: docs/ridge/ridge.md; the leading order as in
    Bordelon, Canatar, Pehlevan, arXiv:2002.02561.

    >>> print(f"{float(ridgeless_kappa(300, 2.0)):.6e}")
    2.732441e-05
    """
    return (_df1_scale(alpha) / (jnp.asarray(n, float) + 0.5)) ** alpha


def _df1_scale(alpha: Numbers) -> Array:
    """C in ``df1 = C kappa^(-1/alpha) - 1/2 + O(kappa)``."""
    angle = jnp.pi / jnp.asarray(alpha, float)
    return angle / jnp.sin(angle)


@needs_float64
@jax.jit
def bias(kappa: Numbers, alpha: Numbers, source: Numbers) -> Float[Array, "..."]:
    """Squared bias left at kappa.

        B = kappa^(2r) Gamma(2 - 2r) Gamma(2r)/alpha + kappa^2 zeta(1 + 2 alpha (r - 1))

    with zeta continued to arguments below 1. The first term leads for r < 1, the second for
    r > 1; at r = 1 their poles cancel and leave ``kappa^2 (g - (1 + log kappa)/alpha)``, g
    Euler's constant.

    Args:
        kappa: effective ridge [x^2].
        alpha: capacity exponent.
        source: source exponent r > 0; from 3/2 on the first term is smaller than what is left
            out, and is left out too.

    Regime: kappa -> 0, absolute error O(kappa^3); within 1e-4 of r = 1 a relative error of 1e-6
    (the value is averaged over both sides). Source: derived in docs/ridge/ridge.md.

    >>> print(f"{float(bias(1e-3, 1.5, 0.5)):.4e}")
    6.6646e-04
    """
    kappa, source = jnp.asarray(kappa, float), jnp.asarray(source, float)
    aside = jnp.where(jnp.abs(source - 1) < 1e-4, 2e-4, 0.0)  # around the removable pole
    both = _bias_terms(kappa, alpha, source + aside) + _bias_terms(kappa, alpha, source - aside)
    return both / 2


def _bias_terms(kappa: Array, alpha: Numbers, source: Array) -> Array:
    rough = source < 1.499  # the next pole of Gamma(2 - 2r) belongs to a term left out
    double = jnp.where(rough, 2 * source, 1.0)
    smooth = kappa**double * gamma(2 - double) * gamma(double) / alpha
    return jnp.where(rough, smooth, 0.0) + kappa**2 * zeta(1 + 2 * alpha * (source - 1))


@needs_float64
@jax.jit
def zeta(s: Numbers) -> Float[Array, "..."]:
    """Riemann zeta function at any real s but 1, by Euler-Maclaurin and, below 0, reflection.

    >>> bool(abs(zeta(2.0) - jnp.pi**2 / 6) < 1e-14), bool(abs(zeta(-1.0) + 1 / 12) < 1e-14)
    (True, True)
    """
    s = jnp.asarray(s, float)
    left = s < 0
    right = jnp.where(left, 1 - s, s)
    terms, bernoulli = 16, (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
    value = jnp.sum(jnp.arange(1.0, terms) ** -right)
    value = value + terms ** (1 - right) / (right - 1) + 0.5 * terms**-right
    rising, factorial = right, 2.0
    for j, b in enumerate(bernoulli, start=1):
        value = value + b / factorial * rising * terms ** (1 - right - 2 * j)
        rising = rising * (right + 2 * j - 1) * (right + 2 * j)
        factorial *= (2 * j + 1) * (2 * j + 2)
    mirror = 2 * (2 * jnp.pi) ** -right * jnp.cos(jnp.pi * right / 2) * gamma(right) * value
    return jnp.where(left, mirror, value)


@needs_float64
@jax.jit
def ridgeless(n: Numbers, alpha: Numbers, source: Numbers, noise: Numbers) -> Ridgeless:
    """Learning curve of the interpolator on an endless power law, in closed form.

        test_error = (B(kappa) + noise) / (1 - gamma),     1 - gamma = (n + 1/2) / (alpha n)

    so that the noise stays at alpha times its variance however large n ("tempered"
    overfitting).

    Args:
        n: training rows.
        alpha: capacity exponent, > 1.
        source: source exponent, see ``bias``.
        noise: label-noise variance [label^2].

    Regime: n -> infinity, relative error O(n^-(1 + alpha)) for kappa and gamma.

    Source: Mallinar et al., arXiv:2207.06569 (tempered overfitting); the shift by 1/2 is derived
    here.

    >>> curve = ridgeless(300, 1.5, 0.5, 1.0)
    >>> print(f"{float(curve.gamma):.5f} {float(curve.test_error):.4f}")
    0.33222 1.4982
    """
    n = counted(n)
    kappa = ridgeless_kappa(n, alpha)
    left = (n + 0.5) / (alpha * n)
    squared = bias(kappa, alpha, source)
    return Ridgeless(kappa, 1 - left, squared, (squared + noise) / left)


@needs_float64
def plateau(alpha: Numbers, noise: Numbers) -> Float[Array, "..."]:
    """Excess risk at which the noisy interpolator's learning curve ends.

        (alpha - 1) noise

    Args:
        alpha: capacity exponent, > 1.
        noise: label-noise variance [label^2].

    Regime: n -> infinity, relative error O(1/n). Source: Mallinar et al., arXiv:2207.06569.

    >>> float(plateau(1.5, 0.2))
    0.1
    """
    return (jnp.asarray(alpha, float) - 1) * noise


@needs_float64
def exponents(alpha: Numbers, source: Numbers, decay: Numbers) -> Exponents:
    """Slopes of the excess risk in n when ridge/n = n^-decay.

        decay >= alpha:  bias -2 alpha rho, noise 0        (effectively ridgeless)
        decay <  alpha:  bias -2 decay rho, noise decay/alpha - 1

    Args:
        alpha: capacity exponent, > 1.
        source: source exponent r > 0; rho = min(r, 1).
        decay: exponent of the ridge per row, >= 0.

    Regime: n -> infinity; a fitted slope at n of some thousands still misses by a few hundredths.

    Source: Cui, Loureiro, Krzakala, Zdeborova, arXiv:2105.15004.

    >>> slopes = exponents(1.5, 0.4, 0.6)
    >>> print(f"{float(slopes.bias):.2f} {float(slopes.noise):.2f}")
    -0.48 -0.60
    """
    alpha, decay = jnp.asarray(alpha, float), jnp.asarray(decay, float)
    held = jnp.minimum(decay, alpha)
    return Exponents(-2 * held * jnp.minimum(source, 1.0), held / alpha - 1)


@needs_float64
def tuned(alpha: Numbers, source: Numbers) -> Tuned:
    """Best decay of the ridge per row under noise, where bias and noise fall alike.

        decay = alpha / (1 + 2 alpha rho),     slope = -2 alpha rho / (1 + 2 alpha rho)

    Args:
        alpha: capacity exponent, > 1.
        source: source exponent r > 0; rho = min(r, 1).

    Regime: n -> infinity with noise. Source: Cui et al., arXiv:2105.15004; the rates of Caponnetto
    and De Vito 2007 (from memory).

    >>> best = tuned(1.5, 0.4)
    >>> print(f"{float(best.decay):.4f} {float(best.slope):.4f}")
    0.6818 -0.5455
    """
    alpha = jnp.asarray(alpha, float)
    power = 2 * alpha * jnp.minimum(source, 1.0)
    return Tuned(alpha / (1 + power), -power / (1 + power))


@needs_float64
def ridge_crossover(level: Numbers, alpha: Numbers) -> Float[Array, "..."]:
    """Rows from which a ridge per row is felt: where the interpolator's kappa equals it.

        n = (pi/alpha)/sin(pi/alpha) . level^(-1/alpha) - 1/2

    Args:
        level: ridge/n, held fixed [x^2].
        alpha: capacity exponent, > 1.

    Regime: a crossover, not a transition: the factor in front is a convention. Source: derived
    here.

    >>> print(f"{float(ridge_crossover(1e-4, 2.0)):.2f}")
    156.58
    """
    return _df1_scale(alpha) * jnp.asarray(level, float) ** (-1 / alpha) - 0.5


@needs_float64
@jax.jit
def noise_crossover(noise: Numbers, alpha: Numbers, source: Numbers) -> Float[Array, "..."]:
    """Rows at which the interpolator's excess risk is half bias, half noise.

        alpha B(kappa(n)) = (alpha - 1) noise to leading order,   n ~ noise^(-1/(2 alpha rho))

    Args:
        noise: label-noise variance, for a target with v_1^2 = 1.
        alpha: capacity exponent, > 1.
        source: source exponent r, not 1.

    Regime: noise -> 0. Source: derived here.

    >>> n = noise_crossover(1e-4, 1.5, 0.4)
    >>> half = ridgeless(n, 1.5, 0.4, 0.0).test_error / plateau(1.5, 1e-4)
    >>> print(f"{float(half):.3f}")
    1.000
    """
    source = jnp.asarray(source, float)
    share = (jnp.asarray(alpha, float) - 1) * noise
    rough = source < 1
    low, high = jnp.where(rough, source, 0.5), jnp.where(rough, 2.0, source)
    rising = (share / (gamma(2 - 2 * low) * gamma(2 * low))) ** (1 / (2 * low))
    level = jnp.sqrt(share / (alpha * zeta(1 + 2 * alpha * (high - 1))))
    return ridge_crossover(jnp.where(rough, rising, level), alpha)


@needs_float64
def endless(
    alpha: float, source: float = 0.5, smallest: float = 1e-24, *, modes: float = np.inf
) -> spectra.Spectrum:
    """Quadrature nodes of the power law without an end, or a far one, exact to about 1e-12.

    The first 200,000 modes are compressed. Beyond them sums are integrals (midpoint rule, error
    at most alpha/(24 k) of a mode) on Gauss-Legendre nodes in log k, down to eigenvalue
    ``smallest``; what remains is an infinitesimal tail. ``v_1^2 = 1``.

    Args:
        alpha: capacity exponent, > 1.
        source: source exponent r > 0.
        smallest: eigenvalue below which modes are infinitesimal; far below any kappa of interest.
        modes: how many modes there are; if finite, nothing is infinitesimal and alpha may be any.

    Raises:
        BadInput: an exponent for which a sum diverges.

    >>> from ci_theory.theory.spectra.fixed_point import solve_kappa
    >>> root = solve_kappa(endless(2.0), 300, 0.0)
    >>> bool(abs(root.value / ridgeless_kappa(300, 2.0) - 1) < 1e-11)
    True
    """
    ended = bool(np.isfinite(modes))
    first = int(min(modes, 200_000))
    head = compress(spectra.power_law(first, alpha, source, tail=False))
    if ended and modes <= first:
        return head
    if not (ended or alpha > 1):
        raise BadInput(f"alpha = {alpha}: must be > 1 for a spectrum without an end")
    start = np.log(first + 0.5)
    stop = np.log(modes + 0.5) if ended else max(-np.log(smallest) / alpha, start + 1)
    panels = max(1, int(np.ceil((stop - start) * alpha / 2)))
    edges = np.linspace(start, stop, panels + 1)
    points, weights = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2
    at = ((edges[:-1] + edges[1:])[:, None] / 2 + half * points).ravel()
    count = (half * weights).ravel() * np.exp(at)  # dk = k d(log k)
    decay = 1 + 2 * alpha * source
    return spectra.Spectrum(
        eigenvalues=np.concatenate([head.eigenvalues, np.exp(-alpha * at)]),
        multiplicity=np.concatenate([head.multiplicity, count]),
        power=np.concatenate([head.power, count * np.exp(-decay * at)]),
        tail_trace=np.asarray(0.0 if ended else np.exp((1 - alpha) * stop) / (alpha - 1)),
        tail_power=np.asarray(0.0 if ended else np.exp((1 - decay) * stop) / (decay - 1)),
    )
