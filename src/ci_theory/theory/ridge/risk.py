"""Ridge regression of a linear teacher: every average error from one effective ridge.

Rows x with covariance S, labels ``y = x.w + e`` with ``var e = noise``, estimator

    w_hat = argmin sum_i (y_i - x_i.w)^2 + ridge |w|^2        (total ridge, not per row).

Everything follows from kappa (``fixed_point.solve_kappa``) and three sums over the spectrum.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike, Real

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Number, Numbers, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import Spectrum, bias, d12, df1, df2, fractions

__all__ = ["Learned", "RidgeRisk", "gcv", "learned_weights", "ridge_risk", "risk_grid"]


class RidgeRisk(NamedTuple):
    """Averages over training sets; all in label^2 unless said otherwise.

    Attributes:
        kappa: effective ridge [x^2].
        test_error: mean squared error on a fresh noisy label.
        excess_risk: test_error - noise.
        train_error: mean squared residual on the training labels.
        bias: squared bias of the mean estimator, B. Includes target power no mode carries.
        noise_variance: what the label noise of the training set adds.
        signal_variance: what the sampling of the rows adds to a noiseless fit.
        gamma: df2/n, the share of a unit error that fitting adds again (no unit).
        fit: ridge/(n kappa) = 1 - df1/n, the factor from a test to a training residual.
        status: a ``Status`` code.
        residual: relative error left in kappa.
    """

    kappa: Scalar
    test_error: Scalar
    excess_risk: Scalar
    train_error: Scalar
    bias: Scalar
    noise_variance: Scalar
    signal_variance: Scalar
    gamma: Scalar
    fit: Scalar
    status: Int[Array, ""]
    residual: Scalar


@needs_float64
@jax.jit
def ridge_risk(spectrum: Spectrum, n: Number, ridge: Number, noise: Number) -> RidgeRisk:
    """Average errors of ridge regression on n rows.

        test_error = (B + noise) / (1 - gamma),    1 - gamma = (ridge/kappa + d12) / n
        train_error = (ridge / (n kappa))^2 test_error
        excess_risk = B + B gamma/(1 - gamma) + noise gamma/(1 - gamma)

    the last being bias, sampling variance of the signal and variance from label noise.

    Args:
        spectrum: covariance eigenvalues and target power.
        n: training rows, > 0; may be infinite.
        ridge: total ridge [x^2], >= 0; 0 is the minimum-norm interpolator or least squares.
        noise: label-noise variance [label^2], >= 0.

    Returns:
        A ``RidgeRisk``. Status NOT_FINITE where the error is infinite (ridge = 0 at n = rank
        with noise), OUT_OF_SCOPE for n <= 0, ridge < 0 or noise < 0 (what depends on it is NaN).

    Regime: limit n, p -> infinity at fixed ratio; relative error O(1/n) at fixed ridge/n, and
    exact for independent Gaussian coordinates up to that order. No digit is lost to cancellation
    as ridge -> 0 or n -> p.

    Limits: ridge = 0, n > rank gives ``noise n/(n - rank)``; ridge = 0, n < rank has no training
    error and ``1 - gamma = d12/n``; n -> infinity gives the noise (plus ``tail_power``).

    Source: Canatar, Bordelon, Pehlevan, arXiv:2006.13198; Simon et al., arXiv:2110.03922;
    Hastie et al., arXiv:1903.08560 (ridgeless, isotropic). The sum form of 1 - gamma follows
    from the equation for kappa.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> risk = ridge_risk(isotropic(100), 200, 0.0, 0.5)
    >>> float(risk.test_error), float(risk.train_error)
    (1.0, 0.25)
    """
    n, ridge = counted(n), jnp.asarray(ridge, float)
    noise = jnp.asarray(noise, float)
    root = solve_kappa(spectrum, n, ridge)
    kappa = root.value
    positive = kappa > 0
    # at kappa = 0 (ridgeless, n >= rank) df1 is the rank: the difference is exact there
    left = jnp.where(positive, ridge / jnp.where(positive, kappa, 1.0), n - df1(spectrum, kappa))
    lost = left + d12(spectrum, kappa)  # n (1 - gamma)
    gamma = df2(spectrum, kappa) / n
    squared_bias = bias(spectrum, kappa)

    def spread(amount: Array) -> Array:
        """Return amount / (1 - gamma); nothing stays nothing where 1 - gamma vanishes."""
        empty = amount == 0
        return jnp.where(empty, 0.0, amount / jnp.where(empty, 1.0, lost / n))

    test_error = spread(squared_bias + noise)
    noise_variance, signal_variance = gamma * spread(noise), gamma * spread(squared_bias)
    kept = jnp.where(lost > 0, left / jnp.where(lost > 0, lost, 1.0), 0.0)
    train_error = (squared_bias + noise) * kept * (left / n)
    asked = noise >= 0
    status = jnp.where(
        (root.status == Status.OK) & ~jnp.isfinite(test_error), Status.NOT_FINITE, root.status
    )
    status = jnp.where(noise < 0, Status.OUT_OF_SCOPE, status)
    return RidgeRisk(
        kappa=kappa,
        test_error=jnp.where(asked, test_error, jnp.nan),
        excess_risk=jnp.where(asked, squared_bias + noise_variance + signal_variance, jnp.nan),
        train_error=jnp.where(asked, train_error, jnp.nan),
        bias=squared_bias,
        noise_variance=jnp.where(asked, noise_variance, jnp.nan),
        signal_variance=signal_variance,
        gamma=gamma,
        fit=left / n,
        status=status,
        residual=root.residual,
    )


@needs_float64
@jax.jit
def risk_grid(
    spectrum: Spectrum,
    n: Real[ArrayLike, " t"],
    ridge: Real[ArrayLike, " m"],
    noise: Real[ArrayLike, " s"],
) -> RidgeRisk:
    """Evaluate ``ridge_risk`` on a full grid; every field has shape (t, m, s).

    One kappa serves all noise levels, because the noise enters affinely.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> rows, ridges, levels = jnp.array([50.0, 200.0]), jnp.array([0.1, 1.0]), jnp.arange(3.0)
    >>> grid = risk_grid(isotropic(100), rows, ridges, levels)
    >>> grid.test_error.shape
    (2, 2, 3)
    """
    rows, ridges, levels = (jnp.asarray(a, float) for a in (n, ridge, noise))

    def over_noise(one_n: Array, one_ridge: Array) -> RidgeRisk:
        # vmap leaves what does not depend on the noise, kappa and its sums, unbatched
        risk = jax.vmap(ridge_risk, (None, None, None, 0))
        return risk(spectrum, one_n, one_ridge, levels)

    return jax.vmap(jax.vmap(over_noise, (None, 0)), (0, None))(rows, ridges)


class Learned(NamedTuple):
    """The estimator mode by mode: each field has shape (m,).

    Attributes:
        mean: factor on the target weight in the mean estimator, lambda/(lambda + kappa).
        variance: variance of one weight of the node over training sets [(label/x)^2].
    """

    mean: Float[Array, " m"]
    variance: Float[Array, " m"]


@needs_float64
@jax.jit
def learned_weights(spectrum: Spectrum, risk: RidgeRisk, n: Number) -> Learned:
    """Mean and variance of the estimated weights, mode by mode.

        E w_hat = S (S + kappa)^-1 w,      Cov w_hat -> S (S + kappa)^-2 test_error / n

    Args:
        spectrum: the spectrum of the fit.
        risk: its ``ridge_risk``.
        n: training rows.

    Regime: limit n, p -> infinity. The covariance is that of a deterministic equivalent: right
    in smooth quadratic forms, not entry by entry.

    Source: Bach, arXiv:2303.01372; Atanasov, Zavatone-Veth, Pehlevan, arXiv:2405.00592.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> spectrum = isotropic(100)
    >>> fit = learned_weights(spectrum, ridge_risk(spectrum, 200, 0.0, 0.5), 200)
    >>> print(fit.mean, fit.variance)  # least squares: noise / (n - p)
    [1.] [0.005]
    """
    x, _ = fractions(spectrum.eigenvalues, risk.kappa)
    total = spectrum.eigenvalues + risk.kappa
    inverse = 1.0 / jnp.where(total == 0, 1.0, total)
    return Learned(x, x * inverse * (risk.test_error / counted(n)))


@needs_float64
def gcv(train_error: Numbers, hat_trace: Numbers, n: Numbers) -> Float[Array, "..."]:
    """Generalised cross-validation: estimate the test error from the training error.

        train_error / (1 - hat_trace/n)^2

    Args:
        train_error: mean squared residual on the training labels [label^2].
        hat_trace: trace of the hat matrix ``X (X'X + ridge)^-1 X'``; df1(kappa) in the limit.
        n: training rows; all distinct (with copies it misleads, see ``theory.rows.repetition``).

    Regime: consistent as n, p -> infinity, ridge > 0; 0/0 for an interpolator. Estimates the
    error on the training law only.

    Source: Golub, Heath, Wahba 1979 (from memory); Hastie et al., arXiv:1903.08560.

    >>> float(gcv(0.25, 100, 200))
    1.0
    """
    return jnp.asarray(train_error, float) / (1 - jnp.asarray(hat_trace, float) / counted(n)) ** 2
