"""Closed forms for isotropic inputs: the peak of double descent, the minimum beyond it, the cure.

p inputs of unit variance, a target with ``|w|^2 = signal``, label noise of variance ``noise``,
n rows, total ridge ``ridge``; g = p/n. The forms of any spectrum are in ``theory.ridge.risk``.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Numbers, Scalar, needs_float64
from ci_theory.theory.spectra.groups import counted

__all__ = [
    "Minimum",
    "Risk",
    "exact_ridgeless",
    "local_minimum",
    "optimal_ridge",
    "peak_height",
    "peak_height_small_ridge",
    "ridgeless",
]


class Risk(NamedTuple):
    """A test error [label^2] and its ``Status`` code."""

    test_error: Scalar
    status: Int[Array, ""]


class Minimum(NamedTuple):
    """A minimum of the excess risk over p: where (p/n), how high [label^2], and a status."""

    ratio: Scalar
    excess_risk: Scalar
    status: Int[Array, ""]


def _ratio(top: Numbers, bottom: Numbers) -> Array:
    """Return top/bottom, with 0/0 = 0: no noise, no peak."""
    empty = top == 0
    return jnp.where(empty, 0.0, top / jnp.where(empty, 1.0, bottom))


@needs_float64
def ridgeless(n: Numbers, p: Numbers, noise: Numbers, signal: Numbers = 1.0) -> Risk:
    """Test error of least squares and of the minimum-norm interpolator, isotropic inputs.

        p < n:  noise / (1 - g)          p > n:  signal (1 - 1/g) + noise g / (g - 1)

    with g = p/n.

    Args:
        n: training rows.
        p: parameters.
        noise: label-noise variance [label^2].
        signal: ``|w|^2`` [label^2].

    Regime: limit n, p -> infinity; relative error O(1/|n - p|) against ``exact_ridgeless``.
    Status NOT_FINITE at n = p with noise; without noise the error is 0 there.

    Limits: g -> 0 the noise; g -> infinity noise + signal.

    Source: Hastie et al., arXiv:1903.08560.

    >>> float(ridgeless(100, 50, 0.5).test_error), float(ridgeless(100, 200, 0.5).test_error)
    (1.0, 1.5)
    """
    n, p = counted(n), counted(p)
    noise = jnp.asarray(noise, float)
    over = p > n
    null = jnp.where(over, signal * ((p - n) / jnp.where(over, p, 1.0)), 0.0)
    error = null + _ratio(noise * jnp.maximum(n, p), jnp.abs(n - p))
    return Risk(error, jnp.where(jnp.isfinite(error), Status.OK, Status.NOT_FINITE))


@needs_float64
def exact_ridgeless(n: Numbers, p: Numbers, noise: Numbers, signal: Numbers = 1.0) -> Risk:
    """Mean test error of least squares or the minimum-norm fit on Gaussian rows, at finite n, p.

        n > p + 1:  noise + noise p / (n - p - 1)
        p > n + 1:  noise + signal (1 - n/p) + noise n / (p - n - 1)

    Args:
        n: training rows.
        p: parameters.
        noise: label-noise variance [label^2].
        signal: ``|w|^2`` [label^2].

    Regime: exact for Gaussian inputs (the first line for any covariance, the second for an
    isotropic one). For |n - p| <= 1 the mean is infinite with noise: OUT_OF_SCOPE.

    Source: moments of the inverse Wishart matrix; e.g. Belkin, Hsu, Xu, arXiv:1903.07571.

    >>> float(exact_ridgeless(100, 49, 0.5).test_error)
    0.99
    """
    n, p = counted(n), counted(p)
    noise = jnp.asarray(noise, float)
    gap = jnp.abs(n - p) - 1
    known = gap > 0
    over = p > n
    null = jnp.where(over, signal * ((p - n) / jnp.where(over, p, 1.0)), 0.0)
    error = noise + null + noise * jnp.minimum(n, p) / jnp.where(known, gap, 1.0)
    return Risk(
        jnp.where(known, error, jnp.nan),
        jnp.where(known, Status.OK, Status.OUT_OF_SCOPE),
    )


@needs_float64
def peak_height(
    n: Numbers, ridge: Numbers, noise: Numbers, signal: Numbers = 1.0
) -> Float[Array, "..."]:
    """Test error at the interpolation peak n = p with a ridge, isotropic inputs.

        kappa^2 = (ridge/n) (1 + kappa),   test_error = (signal kappa^2 + noise (1+kappa)^2)
                                                        / (kappa (2 + kappa))

    Args:
        n: training rows, equal to the parameters.
        ridge: total ridge.
        noise: label-noise variance [label^2].
        signal: ``|w|^2`` [label^2].

    Regime: limit n = p -> infinity at fixed ridge/n. Without noise it is
    ``signal kappa/(2 + kappa)``, which vanishes with the ridge: no peak.

    Source: special case of ``theory.ridge.risk.ridge_risk``; derived in docs/ridge/ridge.md.

    >>> print(f"{float(peak_height(100, 1e-2, 0.3)):.4f}")
    15.1556
    """
    level = jnp.asarray(ridge, float) / n
    kappa = (level + jnp.sqrt(level * (level + 4))) / 2
    error = signal * kappa**2 + noise * (1 + kappa) ** 2
    return _ratio(error, kappa * (2 + kappa))


@needs_float64
def peak_height_small_ridge(
    n: Numbers, ridge: Numbers, noise: Numbers, signal: Numbers = 1.0
) -> Float[Array, "..."]:
    """Leading order of ``peak_height``: the peak grows as the root of n over the ridge.

        (noise + signal l) / (2 sqrt(l)),    l = ridge/n

    Args:
        n: training rows, equal to the parameters.
        ridge: total ridge, > 0.
        noise: label-noise variance [label^2].
        signal: ``|w|^2`` [label^2].

    Regime: l -> 0, relative error O(sqrt(l)).

    Source: derived in docs/ridge/ridge.md.

    >>> print(f"{float(peak_height_small_ridge(100, 1e-2, 0.3)):.3f}")
    15.005
    """
    level, noise = jnp.asarray(ridge, float) / n, jnp.asarray(noise, float)
    return (noise + signal * level) / (2 * jnp.sqrt(level))


@needs_float64
def local_minimum(noise: Numbers, signal: Numbers = 1.0) -> Minimum:
    """Minimum of the excess risk over p > n of the minimum-norm interpolator.

        p/n = sqrt(SNR) / (sqrt(SNR) - 1),     excess_risk = noise (2 sqrt(SNR) - 1)

    with SNR = signal/noise. It exists when SNR > 1 (else NO_BREAK: the risk falls towards
    ``signal`` as p grows), and then lies below the null risk ``signal``. Without noise the
    infimum is 0, at p = n.

    Args:
        noise: label-noise variance [label^2].
        signal: ``|w|^2`` [label^2].

    Regime: limit n, p -> infinity, isotropic, fixed signal.

    Source: Hastie et al., arXiv:1903.08560.

    >>> best = local_minimum(0.25)
    >>> float(best.ratio), float(best.excess_risk)
    (2.0, 0.75)
    """
    noise, signal = jnp.asarray(noise, float), jnp.asarray(signal, float)
    exists = signal > noise
    strong = jnp.where(exists, signal, 1.0)
    weak = jnp.where(exists, noise, 0.0)
    root = jnp.sqrt(strong * weak)
    return Minimum(
        jnp.where(exists, strong / (strong - root), jnp.nan),
        jnp.where(exists, 2 * root - weak, jnp.nan),
        jnp.where(exists, Status.OK, Status.NO_BREAK),
    )


@needs_float64
def optimal_ridge(p: Numbers, noise: Numbers, signal: Numbers = 1.0) -> Float[Array, "..."]:
    """Total ridge that minimises the test error, isotropic inputs.

        ridge = p noise / signal

    It is the posterior mean under w ~ N(0, signal/p), so it holds at every n and p (average over
    the direction of the target) and for any variance of the inputs; it removes the peak.

    Args:
        p: parameters.
        noise: label-noise variance [label^2].
        signal: ``|w|^2`` [label^2]; infinite ridge at 0.

    Regime: exact.

    Source: Bayes; Dobriban and Wager, arXiv:1507.03003.

    >>> float(optimal_ridge(100, 0.5, 2.0))
    25.0
    """
    return jnp.asarray(noise, float) * p / signal
