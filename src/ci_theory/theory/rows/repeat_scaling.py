r"""The worst repeat count on any spectrum, and how it grows with the size of the budget.

A budget of N rows, a share f of it on rows that appear r times with one label each, a total ridge
delta. While the effective parameters are few, df1 << N, a repeated row does most harm where it is
about half memorised, whatever the spectrum. With :math:`q = \sqrt{1 - f}` and df1 at the effective
ridge :math:`\delta/N` of plain rows,

.. math::
    r^* = \frac{N}{\mathrm{df}_1}\, q^{-1/\alpha} + O(1), \qquad h^* = \frac{1}{1 + q}, \qquad
    \frac{E_x^*}{\sigma^2} = \frac{A}{1 - A}, \quad A = \frac{\mathrm{df}_2}{\mathrm{df}_1}\,
    \frac{1 - q}{1 + q}

where :math:`\mathrm{df}_1 \propto \kappa^{-1/\alpha}`: rows per *effective* parameter. For a
learner regularised at its best the effective parameters grow with N, and r* is a power of N below
1, set by the task. Derivation and the next order: docs/repetition.md.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Scalar, needs_float64
from ci_theory.theory.rows.repeat_peak import SCAN, WorstRepeats
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum

__all__ = ["peak_noise", "size_exponent", "worst_repeats_law", "worst_repeats_on"]

HALVINGS = 40  # of an interval of the grid: relative 1e-13


@needs_float64
def worst_repeats_law(budget: Any, fraction: Any, df1: Any, alpha: Any) -> Scalar:
    r"""Repeat count that does most harm by label noise, to its second order.

    .. math::
        r^* = \frac{N}{\mathrm{df}_1}\, q^{-\beta} + \frac{(2 - \beta)(1 + q) - (1 - \beta)
        [(1 - q)(2 - \beta) + q]}{q} + O\Bigl(\frac{\mathrm{df}_1}{N}\Bigr), \qquad
        \beta = \frac1\alpha, \quad q = \sqrt{1 - f}

    Args:
        budget: N, rows counted with repeats.
        fraction: f, share of the budget on repeated rows, in [0, 1).
        df1: effective parameters of plain ridge regression on N rows in its own limit of many:
            df1 at kappa = ridge/N; p without a ridge.
        alpha: capacity exponent of the spectrum around that kappa; inf where df1 does not move
            with kappa (no ridge, fewer directions than rows): then the constant is 3.

    Regime: df1 << N, shared labels, harm by label noise (the bias moves r* by O(1) copies more as
    long as it is of the order of the plain noise, and less later). Source: derived here
    (docs/repetition.md).

    >>> print(f"{float(worst_repeats_law(2000, 0.3, 100, jnp.inf)):.1f}")  # N/p + 3
    23.0
    >>> print(f"{float(worst_repeats_law(1e6, 0.5, 1640.0, 1.5)):.1f}")
    770.9
    """
    budget, f, df1 = (jnp.asarray(v, float) for v in (budget, fraction, df1))
    beta, q = 1 / jnp.asarray(alpha, float), jnp.sqrt(1 - f)
    second = (2 - beta) * (1 + q) - (1 - beta) * ((1 - q) * (2 - beta) + q)
    return budget / df1 * q**-beta + second / q


@needs_float64
def peak_noise(fraction: Any, share: Any) -> Scalar:
    r"""Excess risk by label noise at the worst repeat count, in units of the noise.

    .. math:: \frac{A}{1 - A}, \qquad A = s\,\frac{1 - \sqrt{1 - f}}{1 + \sqrt{1 - f}}

    Args:
        fraction: f, share of the budget on repeated rows, in [0, 1].
        share: s = df2/df1 at the effective ridge; 1 without a ridge, 1 - 1/alpha on a power law.

    Regime: df1 << N, shared labels. Limits: share 1 is ``repeat_peak.data_rich_excess`` at its
    maximum. Source: derived here (docs/repetition.md).

    >>> print(f"{float(peak_noise(0.3, 1.0)):.6f}")
    0.097614
    """
    q = jnp.sqrt(1 - jnp.asarray(fraction, float))
    a = jnp.asarray(share, float) * (1 - q) / (1 + q)
    return a / (1 - a)


@needs_float64
def size_exponent(alpha: Any, source: Any) -> Scalar:
    r"""Exponent of the worst repeat count in the size of the budget, at the best ridge.

    .. math:: r^* \propto N^{\,2\alpha\rho/(1 + 2\alpha\rho)}, \qquad \rho = \min(r, 1)

    since the best ridge leaves :math:`\mathrm{df}_1 \propto N^{1/(1 + 2\alpha\rho)}` parameters.
    The harm in units of the plain excess risk grows with the same power.

    Args:
        alpha: capacity exponent, > 1.
        source: source exponent r > 0.

    Regime: N -> infinity with label noise; a slope at N of some thousands is still lower by a
    few hundredths. Source: derived here, from the rates of ``power_law.tuned``.

    >>> print(f"{float(size_exponent(1.5, 0.5)):.3f}")
    0.600
    """
    power = 2 * jnp.asarray(alpha, float) * jnp.minimum(source, 1.0)
    return power / (1 + power)


def _log_excess(repeats: Array, budget: Array, fraction: Array, rest: tuple) -> Array:
    spectrum, ridge, noise = rest
    copies = fraction * budget
    groups = repeated_rows(budget - copies, copies / repeats, repeats, noise, True)
    return jnp.log(weighted_ridge_risk(spectrum, groups, ridge).excess_risk)


def _slope(repeats: Array, budget: Array, fraction: Array, rest: tuple) -> Array:
    """Derivative of the log excess in log r."""
    along = jax.jvp(
        lambda r: _log_excess(r, budget, fraction, rest), (repeats,), (jnp.ones_like(repeats),)
    )
    return repeats * along[1]


@needs_float64
@jax.jit
def worst_repeats_on(
    spectrum: Spectrum, budget: Any, fraction: Any, ridge: Any, noise: Any
) -> WorstRepeats:
    """Find the repeat count with the largest excess risk, on any spectrum and at any ridge.

    The maximum over 1 <= r <= f N of ``weighted_ridge_risk`` itself, looked for on a grid in
    log r and refined by halving between places of rising and of falling harm.

    Args:
        spectrum: of the inputs, with the target on it.
        budget: N, rows counted with repeats.
        fraction: f, share of the budget on repeated rows; f N / r need not be whole.
        ridge: total ridge, >= 0.
        noise: label-noise variance, > 0; copies share their label.

    Returns:
        As ``worst_repeats``; ``excess`` is in units of the noise, and its status AT_EDGE where
        the harm is largest without repetition or for a single repeated row.

    Regime: as ``weighted_ridge_risk``. Limits: isotropic without a ridge: ``worst_repeats``; few
    effective parameters: ``worst_repeats_law``. Source: as ``weighted_ridge_risk``.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> worst = worst_repeats_on(isotropic(100.0), 2000.0, 0.3, 0.0, 1.0)
    >>> print(f"{float(worst.repeats):.4f} {float(worst.excess):.6f} {int(worst.status)}")
    23.2748 0.167768 0
    """
    budget, f, ridge, noise = (jnp.asarray(v, float) for v in (budget, fraction, ridge, noise))
    asked = (budget > 0) & (f >= 0) & (f <= 1) & (ridge >= 0) & (noise > 0)
    some = asked & (f * budget > 1)
    n0, f0 = jnp.where(some, budget, 1e3), jnp.where(some, f, 0.3)
    rest = (spectrum, ridge, noise)
    places = jnp.exp(jnp.linspace(0.0, 1.0, SCAN) * jnp.log(f0 * n0))
    heights = jax.vmap(lambda r: _log_excess(r, n0, f0, rest))(places)
    top = jnp.argmax(jnp.where(jnp.isfinite(heights), heights, -jnp.inf))
    inside = (top > 0) & (top < SCAN - 1)
    middle = jnp.clip(top, 1, SCAN - 2)

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        half = jnp.sqrt(low * high)
        rising = _slope(half, n0, f0, rest) > 0
        return jnp.where(rising, half, low), jnp.where(rising, high, half)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (places[middle - 1], places[middle + 1]))
    repeats = jnp.where(inside, jnp.sqrt(low * high), places[top])
    status = jnp.where(inside, Status.OK, Status.AT_EDGE)
    status = jnp.where(some, status, Status.NO_BREAK)
    status = jnp.where(asked, status, Status.OUT_OF_SCOPE)
    known = some & jnp.any(jnp.isfinite(heights))
    status = jnp.where(some & ~known, Status.NOT_FINITE, status)
    return WorstRepeats(
        repeats=jnp.where(known, repeats, jnp.nan),
        excess=jnp.where(known, jnp.exp(_log_excess(repeats, n0, f0, rest)) / noise, jnp.nan),
        status=status,
    )
