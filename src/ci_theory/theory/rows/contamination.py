r"""A test set that holds training rows: what it shows, and what is true.

A share phi of the test set consists of training rows that leaked, each seen c times in training;
the rest is fresh. With the leverage h of a leaked row and the excess risk E_x of weighted ridge
regression (``theory.rows.repetition``), a leaked row shows ``(1-h)^2 (E_x + noise)`` on its
training label, and ``(1-h)^2 E_x + (1 + h^2) noise`` if it is labelled afresh for the test.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.rows.repetition import WeightedRisk, weighted_ridge_risk
from ci_theory.theory.spectra.groups import counted, repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum, df2

__all__ = ["ContaminatedRisk", "apparent_peak", "contaminated_risk"]


class ContaminatedRisk(NamedTuple):
    """Errors on a contaminated test set.

    Attributes:
        apparent_error: mean squared error measured on the contaminated test set [label^2].
        test_error: the same on fresh rows only: the truth [label^2].
        leaked_error: the same on leaked rows only [label^2].
        gain: test_error - apparent_error, without cancellation; negative where leaked rows with
            fresh labels look worse than fresh rows [label^2].
        memorised: leverage h of a leaked row, in [0, 1].
        free: effective number of training rows less df2: what is left to average over.
        fit: the ridge fit behind them; of its groups the first leaked not, the second did.
        status: that of the fixed point; OUT_OF_SCOPE outside 0 <= contamination, leaked <= 1.
    """

    apparent_error: Scalar
    test_error: Scalar
    leaked_error: Scalar
    gain: Scalar
    memorised: Scalar
    free: Scalar
    fit: WeightedRisk
    status: Int[Array, ""]


@needs_float64
@jax.jit
def contaminated_risk(
    spectrum: Spectrum,
    n: Any,
    ridge: Any,
    noise: Any,
    contamination: Any,
    fresh_labels: Any = False,
    leaked: Any = 1.0,
    repeats: Any = 1.0,
) -> ContaminatedRisk:
    r"""Error of ridge regression on a test set of which a share was in the training set.

    .. math::
        E_{app} = (1-\varphi)(E_x + \sigma^2) + \varphi\,[(1-h)^2 (E_x + \sigma^2)
                  + 2 h \sigma^2 \cdot 1_{fresh\ labels}]

    Without repeats h = df1/n, so that a test set of leaked rows shows the training error, or with
    fresh labels the in-sample error of Mallows' C_p.

    Args:
        spectrum: covariance and target.
        n: distinct training rows, > 0.
        ridge: total ridge [x^2], >= 0.
        noise: label-noise variance, in training and test [label^2].
        contamination: share phi of the test set that is leaked training rows, in [0, 1].
        fresh_labels: whether leaked rows carry new labels in the test set.
        leaked: share of the distinct training rows that leaked and are repeated, in [0, 1].
        repeats: copies of each leaked row in the training set (of one label), > 0.

    Returns:
        The errors; status as ``solve_shares`` (NOT_FINITE without a ridge at n = rank).

    Regime: limit n, p -> infinity; relative corrections of order 1/(n - df2).

    Limits: contamination = 0 is the test error. An interpolator on its own labels shows
    ``(1 - phi) E``; with fresh labels ``E - phi (E_x - noise)``, which is above the truth where
    the excess risk is below the noise.

    Source: Mallows 1973 (in-sample error) and Craven, Wahba 1979 (training error), both from
    memory; leaked repeated rows derived here (docs/rows/contamination.md).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> risk = contaminated_risk(isotropic(100), 200, 0.0, 0.5, 0.2)
    >>> print(f"{float(risk.test_error):.2f} {float(risk.apparent_error):.2f}")
    1.00 0.85
    """
    noise, phi = jnp.asarray(noise, float), jnp.asarray(contamination, float)
    n, share = counted(n), jnp.asarray(leaked, float)
    groups = repeated_rows((1 - share) * n, share * n, repeats, noise, True)
    risk = weighted_ridge_risk(spectrum, groups, ridge)
    h, kept = risk.fixed_point.leverage[1], risk.fixed_point.forgotten[1]
    fresh = jnp.where(jnp.asarray(fresh_labels), 1.0, 0.0)
    test = risk.excess_risk + noise
    shown = risk.residual[1] + 2 * fresh * h * noise
    gain = phi * h * ((1 + kept) * test - 2 * fresh * noise)
    good = (phi >= 0) & (phi <= 1) & (share >= 0) & (share <= 1)
    return ContaminatedRisk(
        apparent_error=(1 - phi) * test + phi * shown,
        test_error=test,
        leaked_error=shown,
        gain=gain,
        memorised=h,
        free=risk.fixed_point.effective_rows - df2(spectrum, risk.fixed_point.kappa),
        fit=risk,
        status=jnp.where(good, risk.status, Status.OUT_OF_SCOPE),
    )


@needs_float64
def apparent_peak(p: Any, ridge: Any, contamination: Any) -> Scalar:
    r"""Number of rows at which a contaminated test set shows its interpolation peak, if it does.

    .. math::
        n_* = p + \sqrt{p\,\delta}\,\frac{y - 1}{\sqrt y}, \qquad
        y = \tfrac12\big(f - 3 - \sqrt{(f-1)(f-9)}\big), \qquad f = \frac{(1-\varphi)\,p}{\delta}

    At f = 9, a share of fresh test rows ``1 - contamination = 9 ridge / p``, the maximum meets a
    minimum and vanishes: beyond that the test set shows no peak at all. Far above, the peak is
    where the true one is, n = p, and lower by the factor 1 - contamination.

    Args:
        p: parameters, isotropic inputs.
        ridge: total ridge [x^2], > 0, far below p.
        contamination: share of the test set that is leaked training rows with their labels,
            seen once.

    Returns:
        The place of the maximum in n; NaN where there is none (f < 9). p itself without a ridge.

    Regime: leading order in sqrt(ridge / p) with f fixed, label noise above the bias there
    (noise >> signal ridge / p). The next order moves the place by O(ridge), relative to
    sqrt(p ridge) the same sqrt(ridge / p).

    Source: derived here (docs/rows/contamination.md): near n = p the error is proportional to
    ``[f + exp(2 t)] / cosh t`` with ``n - p = 2 sqrt(p ridge) sinh t``.

    >>> print(f"{float(apparent_peak(1000, 0.1, 0.5)):.3f}", apparent_peak(1000, 0.1, 0.9995))
    1000.008 nan
    """
    p, ridge = jnp.asarray(p, float), jnp.asarray(ridge, float)
    positive = ridge > 0
    some = jnp.where(positive, ridge, 1.0)
    f = (1 - jnp.asarray(contamination, float)) * p / some
    there = f >= 9
    f = jnp.where(there, f, 9.0)
    excess = 8 / (f - 5 + jnp.sqrt((f - 1) * (f - 9)))  # y - 1, by its own quadratic
    moved = p + jnp.sqrt(p * some) * excess / jnp.sqrt(1 + excess)
    return jnp.where(positive, jnp.where(there, moved, jnp.nan), p)
