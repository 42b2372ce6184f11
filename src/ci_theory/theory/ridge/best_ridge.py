r"""The best ridge of a learning curve, for any spectrum, and its law for power laws.

In terms of the effective ridge kappa nothing has to be solved: the total ridge that makes it is
kappa (n - df1), and the excess risk

.. math:: E(\kappa) = \frac{B(\kappa) + \sigma^2}{1 - \mathrm{df}_2(\kappa)/n} - \sigma^2

is minimised over kappa from the interpolator's value on.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gamma

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Number, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.power_law import zeta
from ci_theory.theory.spectra.spectrum import Spectrum, bias, df1, df2, fractions, trace

__all__ = ["BestRidge", "TunedLaw", "best_ridge", "tuned_law"]

_GRID, _STEPS = 200, 60


class BestRidge(NamedTuple):
    """The best total ridge [x^2], its effective ridge, and the excess risk there [label^2].

    ``status`` is OK, or OUT_OF_SCOPE where no ridge at all or one without end is best.
    """

    ridge: Scalar
    kappa: Scalar
    excess_risk: Scalar
    status: Int[Array, ""]


@needs_float64
@jax.jit
def best_ridge(spectrum: Spectrum, n: Number, noise: Number) -> BestRidge:
    """Minimise the excess risk of ridge regression over the ridge.

    Args:
        spectrum: of the inputs, with the target on it.
        n: training rows; may be infinite: the ridge then tends to a constant.
        noise: label-noise variance [label^2].

    Regime: that of ``ridge_risk``; the lowest of 200 values of kappa, refined by golden section,
    so that of several minima the lowest is found unless they are closer than that grid.

    Limits: on an isotropic spectrum ridge = noise p/|w|^2. Source: derived here.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> print(f"{float(best_ridge(isotropic(100), 150, 0.3).ridge):.4f}")
    30.0000
    """
    n, noise = counted(n), jnp.asarray(noise, float)
    modes = jnp.sum(jnp.where(spectrum.eigenvalues > 0, spectrum.multiplicity, 0.0))
    free = n - modes  # with many rows the risk is that of no ridge but for a relative 1/n
    rich = free > 0

    def excess(kappa: Scalar) -> Scalar:
        used = df2(spectrum, kappa)
        return (bias(spectrum, kappa) * n + noise * used) / (n - used)

    def risk(u: Scalar) -> Scalar:
        """Return a measure of the risk, of full precision in what the ridge does."""
        kappa = jnp.exp(u)
        x, y = fractions(spectrum.eigenvalues, kappa)
        spared = jnp.sum(spectrum.multiplicity * jnp.where(x > 0, y * (1 + x), 0.0))
        floor = noise + spectrum.tail_power
        left = jnp.sum(spectrum.power * y**2)
        gained = jnp.log1p(spared / jnp.where(rich, free, 1.0))
        many = jnp.log1p(left / jnp.where(floor > 0, floor, 1.0)) - gained
        return jnp.where(rich & (floor > 0), many, jnp.log(excess(kappa)))

    whole = trace(spectrum)
    lowest = jnp.minimum(1.0, modes / n) * 1e-18 * whole
    lowest = jnp.maximum(solve_kappa(spectrum, n, 0.0).value, lowest)
    first, last = jnp.log(lowest), jnp.log(1e4 * whole)
    grid = first + (last - first) * jnp.linspace(0.0, 1.0, _GRID)
    values = jax.lax.map(risk, grid)
    pick = jnp.argmin(values)
    inside = (pick > 0) & (pick < _GRID - 1)
    share = (jnp.sqrt(5.0) - 1) / 2

    def shrink(_: Any, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        step = share * (high - low)
        left = risk(high - step) < risk(low + step)
        return jnp.where(left, low, high - step), jnp.where(left, low + step, high)

    ends = grid[jnp.maximum(pick - 1, 0)], grid[jnp.minimum(pick + 1, _GRID - 1)]
    low, high = jax.lax.fori_loop(0, _STEPS, shrink, ends)
    best = jnp.where(inside, 0.5 * (low + high), grid[pick])
    kappa = jnp.exp(best)
    ridge = kappa * (n - df1(spectrum, kappa))
    status = jnp.where(inside, int(Status.OK), int(Status.OUT_OF_SCOPE))
    return BestRidge(ridge, kappa, excess(kappa), status)


class TunedLaw(NamedTuple):
    """Best ridge per row [x^2] of a power law, and the excess risk it reaches [label^2]."""

    level: Scalar
    excess_risk: Scalar


@needs_float64
@jax.jit
def tuned_law(n: Number, alpha: Number, source: Number, noise: Number) -> TunedLaw:
    """Law of the best ridge on an endless power law, with its prefactors.

        kappa = [noise (1 - 1/alpha) c / (2 s alpha g n)]^(1/(2s + 1/alpha))
        E = g kappa^2s (1 + 2 s alpha)

    where B = g kappa^2s is the leading bias (s = min(r, 1); g = Gamma(2 - 2r) Gamma(2r)/alpha below
    r = 1, zeta(1 + 2 alpha (r - 1)) above) and c = (pi/alpha)/sin(pi/alpha).

    Args:
        n: training rows.
        alpha: capacity exponent, > 1.
        source: source exponent r, not 1.
        noise: label-noise variance, > 0 [label^2].

    Regime: n -> infinity with noise; what is left out falls with the excess risk itself.

    Source: exponents as in Cui et al., arXiv:2105.15004 (``power_law.tuned``); prefactors derived
    here by balancing B against noise df2/n.

    >>> law = tuned_law(1e6, 1.5, 0.4, 0.1)
    >>> print(f"{float(law.level):.3e} {float(law.excess_risk):.3e}")
    1.621e-05 2.307e-04
    """
    alpha, source = jnp.asarray(alpha, float), jnp.asarray(source, float)
    rough = source < 1
    s = jnp.minimum(source, 1.0)
    low, high = jnp.where(rough, source, 0.5), jnp.where(rough, 2.0, source)
    g = jnp.where(
        rough, gamma(2 - 2 * low) * gamma(2 * low) / alpha, zeta(1 + 2 * alpha * (high - 1))
    )
    c = (jnp.pi / alpha) / jnp.sin(jnp.pi / alpha)
    held = noise * (1 - 1 / alpha) * c / (2 * s * alpha * g * jnp.asarray(n, float))
    kappa = held ** (1 / (2 * s + 1 / alpha))
    return TunedLaw(kappa, g * kappa ** (2 * s) * (1 + 2 * s * alpha))
