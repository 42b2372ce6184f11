r"""Ridge regression on rows of unequal weight: what repeated rows do, exactly at any counts.

A row that appears c times is a row of weight c; ``groups`` says how many there are of each
weight. The same equations hold for importance weights, bootstrap counts and unequal scales. The
share a_g of a row in the fit, its leverage h_g and kappa come from ``shares``; the errors are
here. The derivation is in docs/rows/repetition.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.spectra.groups import Groups, counted
from ci_theory.theory.spectra.shares import Shares, solve_shares
from ci_theory.theory.spectra.spectrum import Spectrum, bias, d12, df2

__all__ = ["CopyErrors", "WeightedRisk", "copy_errors", "weighted_ridge_risk"]


class WeightedRisk(NamedTuple):
    """Errors of weighted ridge regression at one point.

    Attributes:
        excess_risk: mean squared error on fresh clean labels [label^2].
        bias: part of it due to the mean estimator [label^2].
        signal_variance: part due to the sampling of the rows, label noise apart [label^2].
        noise_variance: part due to the label noise [label^2].
        spread: T, so that a random direction of variance v of a mode of variance lambda
            fluctuates by T lambda / (lambda + kappa)^2; E_te / n for plain rows [label^2].
        residual: mean squared residual of a row's mean label in each group [label^2], (g,).
        fixed_point: the solution it rests on.
        status: that of the fixed point.
    """

    excess_risk: Scalar
    bias: Scalar
    signal_variance: Scalar
    noise_variance: Scalar
    spread: Scalar
    residual: Float[Array, " g"]
    fixed_point: Shares
    status: Int[Array, ""]


class CopyErrors(NamedTuple):
    """What a user sees who does not know which rows are copies, and what is right.

    Attributes:
        test_error: excess risk plus the noise of a fresh label [label^2].
        train_error: mean squared residual over all copies [label^2].
        gcv_naive: generalised cross-validation that counts copies as rows [label^2]; NaN where
            every row is interpolated and none is repeated.
        gcv_distinct: mean over distinct rows of the squared error, on their copies' labels, of
            the fit without any copy of the row [label^2]; its mean is ``test_error``.
    """

    test_error: Scalar
    train_error: Scalar
    gcv_naive: Scalar
    gcv_distinct: Scalar


@needs_float64
@jax.jit
def weighted_ridge_risk(spectrum: Spectrum, groups: Groups, ridge: Any) -> WeightedRisk:
    r"""Errors of ridge regression on weighted rows.

    .. math::
        E_x = \frac{B + \mathrm{df}_2 \sum_g n_g a_g^2 v_g}{1 - \mathrm{df}_2 \sum_g n_g a_g^2},
        \qquad T = \sum_g n_g a_g^2 (E_x + v_g), \qquad r_g = (1 - h_g)^2 (E_x + v_g)

    with B the bias at kappa, v_g the noise of a row's mean label, and the denominator taken as
    sum n_g a_g [(1 - h_g) + h_g d12/df1], which is positive term by term.

    Args:
        spectrum: covariance, and the target's power on it [label^2]; ``tail_power`` is
            approximation error that acts as noise shared by the copies of a row.
        groups: the training rows.
        ridge: total ridge [x^2], >= 0.

    Returns:
        The errors, E_x = bias + signal_variance + noise_variance; NaN unless the status is OK.

    Regime: limit n, p -> infinity, relative corrections of order 1/n.

    Limits: plain rows give ``ridge_risk``; no ridge and fewer distinct rows than the rank: the
    weights have no effect; no ridge and isotropic inputs: docs/rows/repetition.md.

    Source: derived here (docs/rows/repetition.md), by a leave-one-distinct-row-out argument.

    >>> from ci_theory.theory.spectra.groups import repeated_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> risk = weighted_ridge_risk(isotropic(100), repeated_rows(1400, 30, 20, 1.0, True), 0.0)
    >>> print(f"{float(risk.excess_risk):.6f}")
    0.166919
    """
    at = solve_shares(spectrum, groups, ridge)
    counts = jnp.where(jnp.asarray(groups.weights) > 0, counted(groups.counts), 0.0)
    noise = jnp.asarray(groups.noise, float)
    left = bias(spectrum, at.kappa)
    second = df2(spectrum, at.kappa)
    squares = counts * at.shares**2
    mixed = d12(spectrum, at.kappa) / at.df1
    gap = jnp.sum(counts * at.shares * (at.forgotten + at.leverage * mixed))
    noise_variance = second * jnp.sum(squares * noise) / gap
    signal_variance = left * second * jnp.sum(squares) / gap
    excess = left + signal_variance + noise_variance
    return WeightedRisk(
        excess_risk=excess,
        bias=left,
        signal_variance=signal_variance,
        noise_variance=noise_variance,
        spread=jnp.sum(squares * (excess + noise)),
        residual=at.forgotten**2 * (excess + noise),
        fixed_point=at,
        status=at.status,
    )


@needs_float64
def copy_errors(risk: WeightedRisk, groups: Groups, noise: Any) -> CopyErrors:
    r"""Training error and cross-validation as seen over copies, and over distinct rows.

    .. math::
        E_{tr} = \frac{\sum_g n_g c_g [(1 - h_g)^2 (E_x + v_g) + \sigma^2 - v_g]}
        {\sum_g n_g c_g}, \qquad
        E_{gcv} = \frac{E_{tr}}{(1 - \mathrm{df}_1/\sum_g n_g c_g)^2}

    The naive form deletes one copy and leaves the others in; it is below the test error because
    the fit has seen the row. Deleting all copies of a row gives the test error in the mean,
    whether copies share their label or not.

    Args:
        risk: from ``weighted_ridge_risk``.
        groups: the rows it was computed for.
        noise: variance sigma^2 of one label [label^2].

    Regime: as ``weighted_ridge_risk``. Source: derived here.

    >>> from ci_theory.theory.spectra.groups import repeated_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> rows = repeated_rows(1400, 30, 20, 1.0, True)
    >>> seen = copy_errors(weighted_ridge_risk(isotropic(100), rows, 0.0), rows, 1.0)
    >>> print(f"{float(seen.test_error):.4f} {float(seen.gcv_naive):.4f}")
    1.1669 0.8763
    """
    noise, counts = jnp.asarray(noise, float), counted(groups.counts)
    copies = counts * jnp.asarray(groups.weights, float)
    total = jnp.sum(copies)
    train = jnp.sum(copies * (risk.residual + (noise - groups.noise))) / total
    test = risk.excess_risk + noise
    # rows less df1, as a sum of what the extra copies and the rows themselves leave
    spare = jnp.sum(counts * (groups.weights - 1 + risk.fixed_point.forgotten)) / total
    return CopyErrors(
        test_error=test,
        train_error=train,
        gcv_naive=jnp.where(spare > 0, train / jnp.where(spare > 0, spare, 1.0) ** 2, jnp.nan),
        gcv_distinct=test,
    )
