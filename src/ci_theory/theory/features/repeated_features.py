r"""Random features on rows of unequal weight: repetition when the feature count is what limits.

Rows come in ``Groups``; p features as in ``random_features``. With z = df1(gamma), b = p - z and
s = p ridge/(gamma b), the shares a_g of the rows obey

.. math:: \sum_g n_g a_g = 1, \qquad a_g = \frac{c_g}{s + c_g z} = \frac{h_g}{z}

In the ratio rho = s/z everything is explicit: leverages h_g = c_g/(rho + c_g), z their sum, s,
b and so gamma; one equation, df1(gamma) = z, is left. Counting rho from the value rho_0 at which
z reaches min(N, p) (N distinct rows) makes p - z a sum of positive terms, so that nothing
cancels where the number of features meets the number of distinct rows.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import Root, log_root, solve_kappa
from ci_theory.theory.spectra.groups import Groups, counted
from ci_theory.theory.spectra.spectrum import Spectrum, bias, d12, df1, df2, fractions, rank, trace

__all__ = ["RepeatedFeatureRisk", "repeated_feature_risk"]


class RepeatedFeatureRisk(NamedTuple):
    """Errors of weighted ridge regression on random features at one point.

    Attributes:
        gamma: effective ridge of the features' mean kernel [kernel].
        excess_risk: mean squared error on fresh clean labels [label^2].
        noise_variance: part of it due to label noise [label^2].
        approximation: risk of the data-averaged predictor at fixed features [label^2].
        leverage: response of a row's fit to its own label, in [0, 1], (g,).
        forgotten: 1 - leverage to full relative accuracy, (g,).
        shares: share of a row in the estimator, summing to 1 over rows, (g,).
        residual: mean squared residual of a row's mean label, (g,) [label^2].
        effective_rows: 1 / sum of squared shares.
        status: OK, NOT_CONVERGED, OUT_OF_SCOPE (bad inputs) or NOT_FINITE (ridgeless peak).
    """

    gamma: Scalar
    excess_risk: Scalar
    noise_variance: Scalar
    approximation: Scalar
    leverage: Float[Array, " g"]
    forgotten: Float[Array, " g"]
    shares: Float[Array, " g"]
    residual: Float[Array, " g"]
    effective_rows: Scalar
    status: Int[Array, ""]


class _Rows(NamedTuple):
    """Rows with weights, and where their leverages add up to min(N, p): rho_0, 0 for N <= p."""

    counts: Array
    weights: Array
    p: Array
    start: Array
    over: Array

    @property
    def fewer(self) -> Array:
        return jnp.where(self.over, self.p, jnp.sum(self.counts))

    def leftover(self, step: Array) -> tuple[Array, Array]:
        """Return min(N, p) - z and p - z at rho = rho_0 + step, without cancellation."""
        before, after = self.start + self.weights, self.start + step + self.weights
        x = step * jnp.sum(self.counts * self.weights / (before * after))
        return x, jnp.where(self.over, x, x + (self.p - jnp.sum(self.counts)))

    def scale(self, step: Array) -> Array:
        """Return s = rho z."""
        rho = self.start + step
        return jnp.sum(self.counts * self.weights * rho / (rho + self.weights))


def _overfull(rho: Array, counts: Array, weights: Array, target: Array) -> Array:
    """Return the sum of leverages minus the target; leverages near 1 are counted from 1."""
    h, miss = weights / (rho + weights), rho / (rho + weights)
    held = h > 0.5
    whole = jnp.sum(jnp.where(held, counts, 0.0)) - target
    return whole + jnp.sum(counts * jnp.where(held, -miss, h))


def _start(counts: Array, weights: Array, target: Array) -> tuple[Array, Array, Array]:
    """Solve for rho_0 (0 with no more rows than the target), with its status."""
    rows = jnp.sum(counts)
    over = rows > target
    safe = jnp.where(over, target, rows / 2)
    lightest = jnp.min(jnp.where(counts > 0, weights, jnp.inf))
    low = 0.5 * lightest * (rows - safe) / safe
    high = 2.0 * jnp.sum(counts * weights) / safe
    root = log_root(_overfull, *lax.stop_gradient((low, high)), counts, weights, safe)
    return jnp.where(over, root.value, 0.0), over, jnp.where(over, root.status, Status.OK)


def _surplus(step: Array, spectrum: Spectrum, rows: _Rows, ridge: Array) -> Array:
    """Return df1(gamma) - z, increasing in the step; see ``random_features``."""
    left, b = rows.leftover(step)
    gamma = rows.p * ridge / (rows.scale(step) * b)
    x, y = fractions(spectrum.eigenvalues, gamma)
    above = spectrum.eigenvalues > gamma
    whole = jnp.round(spectrum.multiplicity)
    part = spectrum.multiplicity - whole
    counted = jnp.sum(jnp.where(above, whole, 0.0)) - rows.fewer
    counted = counted + jnp.sum(jnp.where(above, part, 0.0))
    rest = jnp.sum(spectrum.multiplicity * jnp.where(above, -y, x))
    near_full = counted + rest + spectrum.tail_trace / gamma + left
    # At a large ridge z is far below min(N, p), from which it must not be counted.
    z = jnp.sum(rows.counts * rows.weights / (rows.start + step + rows.weights))
    near_empty = jnp.sum(spectrum.multiplicity * x) + spectrum.tail_trace / gamma - z
    return jnp.where(left > 0.5 * rows.fewer, near_empty, near_full)


def _step(spectrum: Spectrum, rows: _Rows, ridge: Array) -> Root:
    """Solve for rho - rho_0 > 0 at a positive ridge."""
    n, c, p = rows.counts, rows.weights, rows.p
    copies, total, fewer = jnp.sum(n * c), trace(spectrum), rows.fewer
    # Below: at most half of min(N, p) is left over and at most half learned.
    per_step = jnp.sum(n * c / (rows.start + c) ** 2)
    room = jnp.where(rows.over, p / (copies * per_step), 1.0 / jnp.sum(n))
    low = jnp.minimum(fewer / (2 * per_step), ridge * fewer / (2 * total) * room)
    # Above: s and b are at least half of their largest values, and z is below df1.
    most = jnp.max(jnp.where(n > 0, c, 0.0))
    high = jnp.maximum(most, copies / jnp.minimum(p / 2, df1(spectrum, 4 * ridge / copies)))
    return log_root(_surplus, *lax.stop_gradient((low / 2, 2 * high)), spectrum, rows, ridge)


@needs_float64
@jax.jit
def repeated_feature_risk(
    spectrum: Spectrum, groups: Groups, p: Any, ridge: Any
) -> RepeatedFeatureRisk:
    r"""Excess risk of random-feature ridge regression when rows carry weights.

    .. math::
        E_x = \frac{A + Q\sum_g n_g a_g^2 v_g}
                   {\sum_g n_g a_g (1 - h_g) + (z - Q) \sum_g n_g a_g^2}, \qquad
        Q = q + \frac{u^2}{b + u}

    Symbols: n_g, c_g, v_g counts, weights and label-noise variances of ``groups``; a_g shares,
    h_g leverages; z, q, u = df1, df2, df1 - df2 at gamma; b = p - z; A as in
    ``random_feature_risk`` [label^2].

    Args:
        spectrum: of the features' mean kernel, with the target.
        groups: training rows; ``repeated_rows`` builds the usual two groups.
        p: features, > 0.
        ridge: total ridge [kernel], >= 0.

    Returns:
        a ``RepeatedFeatureRisk``; the test error is excess_risk plus the test noise.

    Regime: limit of many rows and features with weights independent of the inputs. Limits:
    equal weights c are ``random_feature_risk`` at ridge/c; p -> infinity is
    ``weighted_ridge_risk``; ridge 0 with fewer distinct rows than features does not feel the
    weights at all.

    Errors: status NOT_FINITE and infinite risk without ridge where p is the number of distinct
    rows; OUT_OF_SCOPE and NaN for no rows, p <= 0 or ridge < 0. The derivative with respect to
    the ridge is not defined here at ridge = 0.

    Source: derived here from the weighted fixed point of docs/rows/repetition.md and the
    eigenframework of Simon et al., arXiv:2311.14646.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.features.random_features import random_feature_risk
    >>> from ci_theory.theory.spectra.spectrum import power_law
    >>> spectrum = power_law(1000, 1.5, tail=True)
    >>> weighted = repeated_feature_risk(spectrum, plain_rows(100, 0.1), 100, 1e-6)
    >>> plain = random_feature_risk(spectrum, 100, 100, 1e-6, 0.1)
    >>> bool(abs(weighted.excess_risk / plain.excess_risk - 1) < 1e-12)
    True
    """
    weights, noise = jnp.asarray(groups.weights, float), jnp.asarray(groups.noise, float)
    there = weights > 0
    counts = jnp.where(there, counted(groups.counts), 0.0)
    p, ridge = counted(p), jnp.asarray(ridge, float)
    inside = (jnp.sum(counts) > 0) & (p > 0) & (ridge >= 0)
    counts = jnp.where(inside, counts, 1.0)
    weights = jnp.where(there, weights, 1.0)
    p, ridge = jnp.where(inside, p, 1.0), jnp.where(inside, ridge, 1.0)

    positive = ridge > 0
    modes = jnp.where(positive, jnp.inf, rank(spectrum))
    start, over, first = _start(counts, weights, jnp.minimum(p, modes))
    rows = _Rows(counts, weights, p, start, over)
    delta = jnp.where(positive, ridge, 1.0)
    root = _step(spectrum, rows, delta)
    step = jnp.where(positive, root.value, 0.0)

    # Without a ridge the step is 0, and min(N, p) modes are learned, or all.
    fewer = jnp.minimum(jnp.sum(counts), p)
    bare = solve_kappa(spectrum, fewer, 0.0)
    b = jnp.where(positive, rows.leftover(step)[1], p - fewer)
    limit = jnp.where(positive, rows.scale(step) * b, 1.0)
    gamma = jnp.where(positive, p * delta / limit, bare.value)
    status = jnp.maximum(jnp.where(positive, root.status, bare.status), first)

    rho = start + step
    leverage = jnp.where(there, weights / (rho + weights), 0.0)
    forgotten = jnp.where(there, rho / (rho + weights), 1.0)
    shares = leverage / jnp.sum(counts * leverage)
    u, q = d12(spectrum, gamma), df2(spectrum, gamma)
    share = jnp.where(b + u > 0, u / jnp.where(b + u > 0, b + u, 1.0), 0.0)
    x, y = fractions(spectrum.eigenvalues, gamma)
    approximation = bias(spectrum, gamma) + share * jnp.sum(spectrum.power * x * y)
    squares = jnp.sum(counts * shares**2)
    left = jnp.sum(counts * shares * forgotten) + b * share * squares
    singular = left <= 0
    fitted = (q + u * share) * jnp.sum(counts * shares**2 * noise)
    parts = jnp.stack([approximation + fitted, fitted]) / jnp.where(singular, 1.0, left)
    excess, noisy = jnp.where(inside, jnp.where(singular, jnp.inf, parts), jnp.nan)
    status = jnp.where(singular, jnp.maximum(status, Status.NOT_FINITE), status)
    return RepeatedFeatureRisk(
        gamma=jnp.where(inside, gamma, jnp.nan),
        excess_risk=excess,
        noise_variance=noisy,
        approximation=approximation,
        leverage=leverage,
        forgotten=forgotten,
        shares=shares,
        residual=jnp.where(forgotten > 0, forgotten**2 * (excess + noise), 0.0),
        effective_rows=1.0 / squares,
        status=jnp.where(inside, status, Status.OUT_OF_SCOPE),
    )
