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
1, set by the task. Derivation and the next order: docs/rows/repetition.md.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Scalar, needs_float64
from ci_theory.theory.rows.repeat_peak import SCAN, WorstRepeats
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups, repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum

__all__ = [
    "peak_noise",
    "size_exponent",
    "worst_repeats_features",
    "worst_repeats_law",
    "worst_repeats_of",
    "worst_repeats_on",
]

HALVINGS = 40  # of an interval of the grid: relative 1e-13
STEPS = 40  # for the learned modes at the peak: usually 5 to 10 are needed


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
    (docs/rows/repetition.md).

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
def worst_repeats_features(budget: Any, fraction: Any, learned: Any, p: Any, alpha: Any) -> Scalar:
    r"""Repeat count that does most harm to p random features: rows per *learned mode*.

    .. math::
        r^* = \frac Nz\, \rho t, \qquad t = \frac{1 + q^2\rho}{1 + \rho}, \qquad
        q^2\rho^2 + \eta f \rho = 1, \qquad q^2 = 1 - f

    where with z of p modes learned, w = z/p and b = 1/alpha, the modes and Q of
    ``repeated_feature_risk`` move with t by

    .. math::
        w^{-\alpha} (1 - w)\, t = w_0^{-\alpha} (1 - w_0), \qquad
        \eta = \frac{d \ln (Q/z)}{d \ln t}
             = \frac{b (1 - w)}{1 - w + b w}\, \frac{b^2 w}{(1 - w + b w)^2}\, \frac zQ, \qquad
        \frac Qz = 1 - b + \frac{b^2 w}{1 - w + b w}

    Args:
        budget: N, rows counted with repeats.
        fraction: f, share of the budget on repeated rows, in [0, 1).
        learned: z_0 = p w_0 = df1(gamma) of plain rows, the modes that the features learn, <= p.
        p: random features; inf trains on the inputs.
        alpha: capacity exponent of the spectrum around gamma.

    Regime: z << N, harm by label noise, shared labels; leading order, O(1) copies are left out.
    Limits: p >> z is the leading order of ``worst_repeats_law``, and z = p, where features are
    what limits, is N/p whatever the spectrum. Source: derived here (docs/rows/repetition.md).

    >>> print(f"{float(worst_repeats_features(1e6, 0.5, 1158.67, 2000.0, 1.5)):.0f}")
    917
    >>> print(f"{float(worst_repeats_features(1e6, 0.5, 100.0, 100.0, 1.5)):.0f}")
    10000
    """
    budget, f, z = (jnp.asarray(v, float) for v in (budget, fraction, learned))
    b, square = 1 / jnp.asarray(alpha, float), 1 - f
    plain = z / jnp.asarray(p, float)
    moves = (plain > 0) & (plain < 1)  # at 1 all features are learned, at 0 none is missed
    start = jnp.where(moves, plain, 0.5)

    def at(w: Array) -> tuple[Array, Array, Array]:
        left = 1 - w + b * w
        beta, share = b * (1 - w) / left, 1 - b + b**2 * w / left
        eta = beta * w * b**2 / (left**2 * share)
        rho = 2 / (eta * f + jnp.sqrt((eta * f) ** 2 + 4 * square))
        return rho, (1 + square * rho) / (1 + rho), beta

    def newton(_: Any, w: Array) -> Array:
        _, t, beta = at(w)
        gap = jnp.log(t) + jnp.log1p(-w) - jnp.log1p(-start) - jnp.log(w / start) / b
        return jnp.minimum(w * jnp.exp(beta * gap), 0.5 * (1 + w))

    w = jax.lax.fori_loop(0, STEPS, newton, start)
    rho, t, beta = at(jnp.where(moves, w, plain))
    fewer = jnp.where(moves, w / start, t**beta)
    return budget / z * rho * t / fewer


@needs_float64
def peak_noise(fraction: Any, share: Any) -> Scalar:
    r"""Excess risk by label noise at the worst repeat count, in units of the noise.

    .. math:: \frac{A}{1 - A}, \qquad A = s\,\frac{1 - \sqrt{1 - f}}{1 + \sqrt{1 - f}}

    Args:
        fraction: f, share of the budget on repeated rows, in [0, 1].
        share: s = df2/df1 at the effective ridge; 1 without a ridge, 1 - 1/alpha on a power law.

    Regime: df1 << N, shared labels. Limits: share 1 is ``repeat_peak.data_rich_excess`` at its
    maximum. Source: derived here (docs/rows/repetition.md).

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


@needs_float64
def worst_repeats_of(
    excess: Callable[[Groups], Any], budget: Any, fraction: Any, noise: Any
) -> WorstRepeats:
    """Find the repeat count with the largest excess risk, by any theory of weighted rows.

    The maximum over 1 <= r <= f N of the risk itself, looked for on a grid in log r and refined
    by halving between places of rising and of falling harm.

    Args:
        excess: excess risk [label^2] of training rows in ``Groups``, differentiable in their
            counts and weights: of ridge regression, random features, a flow stopped in time.
        budget: N, rows counted with repeats.
        fraction: f, share of the budget on repeated rows; f N / r need not be whole.
        noise: label-noise variance, > 0; copies share their label.

    Returns:
        As ``worst_repeats``; ``excess`` is in units of the noise, and its status AT_EDGE where
        the harm is largest without repetition or for a single repeated row.

    Regime: that of ``excess``. Limits: fewer random features than rows and no ridge: that of
    as many parameters, ``worst_repeats``, on every spectrum, since what is not fitted acts as
    label noise that copies share. Source: derived here (docs/rows/repetition.md).

    >>> from ci_theory.theory.features.repeated_features import repeated_feature_risk
    >>> from ci_theory.theory.spectra.spectrum import power_law
    >>> spectrum = power_law(500, 1.5, tail=True)
    >>> def of_features(rows):
    ...     return repeated_feature_risk(spectrum, rows, 100, 0.0).excess_risk
    >>> print(f"{float(worst_repeats_of(of_features, 2000.0, 0.3, 0.1).repeats):.4f}")
    23.2748
    """
    budget, f, noise = (jnp.asarray(v, float) for v in (budget, fraction, noise))
    asked = (budget > 0) & (f >= 0) & (f <= 1) & (noise > 0)
    some = asked & (f * budget > 1)
    n0, f0 = jnp.where(some, budget, 1e3), jnp.where(some, f, 0.3)

    def log_excess(log_repeats: Array) -> Array:
        copies, repeats = f0 * n0, jnp.exp(log_repeats)
        rows = repeated_rows(n0 - copies, copies / repeats, repeats, noise, True)
        return jnp.log(excess(rows))

    places = jnp.linspace(0.0, 1.0, SCAN) * jnp.log(f0 * n0)
    heights = jax.vmap(log_excess)(places)
    top = jnp.argmax(jnp.where(jnp.isfinite(heights), heights, -jnp.inf))
    inside = (top > 0) & (top < SCAN - 1)
    middle = jnp.clip(top, 1, SCAN - 2)

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        half = 0.5 * (low + high)
        rising = jax.jvp(log_excess, (half,), (jnp.ones_like(half),))[1] > 0
        return jnp.where(rising, half, low), jnp.where(rising, high, half)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (places[middle - 1], places[middle + 1]))
    place = jnp.where(inside, 0.5 * (low + high), places[top])
    status = jnp.where(inside, Status.OK, Status.AT_EDGE)
    status = jnp.where(some, status, Status.NO_BREAK)
    status = jnp.where(asked, status, Status.OUT_OF_SCOPE)
    known = some & jnp.any(jnp.isfinite(heights))
    status = jnp.where(some & ~known, Status.NOT_FINITE, status)
    return WorstRepeats(
        repeats=jnp.where(known, jnp.exp(place), jnp.nan),
        excess=jnp.where(known, jnp.exp(log_excess(place)) / noise, jnp.nan),
        status=status,
    )


@needs_float64
@jax.jit
def worst_repeats_on(
    spectrum: Spectrum, budget: Any, fraction: Any, ridge: Any, noise: Any
) -> WorstRepeats:
    """Find the repeat count with the largest excess risk, on any spectrum and at any ridge.

    ``worst_repeats_of`` for ``weighted_ridge_risk``.

    Args:
        spectrum: of the inputs, with the target on it.
        budget: N, rows counted with repeats.
        fraction: f, share of the budget on repeated rows; f N / r need not be whole.
        ridge: total ridge, >= 0.
        noise: label-noise variance, > 0; copies share their label.

    Returns:
        As ``worst_repeats_of``.

    Regime: as ``weighted_ridge_risk``. Limits: isotropic without a ridge: ``worst_repeats``; few
    effective parameters: ``worst_repeats_law``. Source: as ``weighted_ridge_risk``.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> worst = worst_repeats_on(isotropic(100.0), 2000.0, 0.3, 0.0, 1.0)
    >>> print(f"{float(worst.repeats):.4f} {float(worst.excess):.6f} {int(worst.status)}")
    23.2748 0.167768 0
    """
    ridge = jnp.asarray(ridge, float)
    found = worst_repeats_of(
        lambda rows: weighted_ridge_risk(spectrum, rows, ridge).excess_risk, budget, fraction, noise
    )
    refused = ridge < 0
    return WorstRepeats(
        repeats=jnp.where(refused, jnp.nan, found.repeats),
        excess=jnp.where(refused, jnp.nan, found.excess),
        status=jnp.where(refused, Status.OUT_OF_SCOPE, found.status),
    )
