r"""Where the test error of random features comes from: bias, features, data, noise, and their mix.

The error is averaged over three sources of chance: the features, the training inputs and the
label noise. Each part below is a sum of positive terms in the quantities of ``Balance``

.. math:: a = n - z,\quad b = p - z,\quad r = \frac{u}{b + u},\quad L = a + b r

so that none is the difference of two large numbers at the peak p = n, where a, b and L vanish.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.features.random_features import balance
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import Spectrum, bias, fractions

__all__ = ["EnsembleError", "ErrorParts", "ensemble_error", "error_parts"]


class ErrorParts(NamedTuple):
    """Parts of the test error; they add up to it. All in label^2, all >= 0.

    Attributes:
        irreducible: noise of the test labels.
        bias: squared bias of the predictor averaged over everything.
        features: variance over the features of the predictor averaged over data and noise.
        data: variance over the inputs of the predictor averaged over features and noise.
        label_noise: variance over the label noise of the predictor averaged over features.
        features_data: variance that features and inputs cause only together.
        features_noise: variance that features and label noise cause only together.
        status: of the solver; NOT_FINITE at the ridgeless peak, where the last two diverge.
    """

    irreducible: Scalar
    bias: Scalar
    features: Scalar
    data: Scalar
    label_noise: Scalar
    features_data: Scalar
    features_noise: Scalar
    status: Int[Array, ""]

    @property
    def test_error(self) -> Scalar:
        """Error of one model."""
        return self.ensemble(jnp.inf) + self.features + self.features_data + self.features_noise

    def ensemble(self, members: Any) -> Scalar:
        """Error of the mean prediction of models with fresh features on the same data."""
        common = self.irreducible + self.bias + self.data + self.label_noise
        return common + (self.features + self.features_data + self.features_noise) / members


@needs_float64
@jax.jit
def error_parts(spectrum: Spectrum, n: Any, p: Any, ridge: Any, noise: Any) -> ErrorParts:
    r"""Split the test error of random-feature ridge regression by its sources of chance.

    .. math::
        \text{bias} = B = \sum_i v_i^2 \frac{\gamma^2}{(\lambda_i+\gamma)^2}, \quad
        \text{features} = F = r \sum_i v_i^2 \frac{\lambda_i\gamma}{(\lambda_i+\gamma)^2}

        \text{data} = \frac{q}{a+u} B, \quad \text{label noise} = \frac{q}{a+u}\sigma^2

        \text{features × noise} = \frac{n\,u\,r}{L(a+u)} \sigma^2, \quad
        \text{features × data} = \frac{n\,u\,r}{L(a+u)} B + \frac{q + u r}{L} F

    Symbols: gamma from ``solve_gamma``; z = df1, q = df2, u = z - q at gamma (counts); a, b, r,
    L as in the module; lambda_i eigenvalues [kernel], v_i^2 target power [label^2],
    sigma^2 = ``noise`` [label^2].

    Args:
        spectrum: of the features' mean kernel, with the target.
        n: training rows, > 0.
        p: features, > 0.
        ridge: total ridge [kernel], >= 0.
        noise: label-noise variance [label^2].

    Returns:
        an ``ErrorParts``; its ``test_error`` is that of ``random_feature_risk``.

    Regime: limit of many rows and features, as ``random_feature_risk``. Limits: p -> infinity
    leaves bias, data and label noise (kernel ridge regression); ridge -> 0 at p = n makes the
    two mixed parts diverge and no other.

    Errors: as ``random_feature_risk``.

    Source: the sources of chance are those of d'Ascoli et al., arXiv:2003.01054, and Adlam &
    Pennington, arXiv:2011.03321; that averaging over features leaves kernel regression with
    ridge gamma: Jacot et al., arXiv:2002.08404. These sums of positive terms are derived here.

    >>> from ci_theory.theory.spectra.spectrum import power_law
    >>> parts = error_parts(power_law(1000, 1.5, tail=True), 100, 100, 1e-4, 0.1)
    >>> print(f"{float(parts.ensemble(1)):.4f} {float(parts.ensemble(10)):.4f}")
    3.6338 0.4999
    """
    n, noise = counted(n), jnp.asarray(noise, float)
    refused = noise < 0
    noise = jnp.where(refused, jnp.nan, noise)
    at = balance(spectrum, n, p, ridge)
    x, y = fractions(spectrum.eigenvalues, at.gamma)
    squared_bias = bias(spectrum, at.gamma)
    features = at.share * jnp.sum(spectrum.power * x * y)
    averaged = at.rows_left + at.d12  # n - q: what the feature-averaged predictor has left
    lost = averaged <= 0
    per_averaged = 1.0 / jnp.where(lost, 1.0, averaged)
    left = at.dof_left
    singular = left <= 0
    per_left = 1.0 / jnp.where(singular, 1.0, left)
    mixed = n * at.d12 * at.share * per_left * per_averaged
    mixed = jnp.where(singular, jnp.inf, mixed)
    common = jnp.where(lost, jnp.inf, at.df2 * per_averaged)
    spread = (at.df2 + at.d12 * at.share) * per_left
    spread = jnp.where(singular, jnp.inf, spread)
    status = jnp.where(singular, jnp.maximum(at.status, Status.NOT_FINITE), at.status)
    return ErrorParts(
        irreducible=noise,
        bias=squared_bias,
        features=features,
        data=_times(squared_bias, common),
        label_noise=_times(noise, common),
        features_data=_times(squared_bias, mixed) + _times(features, spread),
        features_noise=_times(noise, mixed),
        status=jnp.where(refused, Status.OUT_OF_SCOPE, status),
    )


def _times(power: Array, factor: Array) -> Array:
    """Return power * factor, 0 where there is no power, however large the factor."""
    some = power > 0
    return jnp.where(some, jnp.where(some, power, 1.0) * factor, power)


class EnsembleError(NamedTuple):
    """Test error of the mean of several models [label^2], and a ``Status`` code."""

    test_error: Scalar
    status: Int[Array, ""]


@needs_float64
def ensemble_error(
    spectrum: Spectrum, n: Any, p: Any, ridge: Any, noise: Any, members: Any
) -> EnsembleError:
    r"""Test error of the mean of K models with p fresh features each, trained on the same rows.

    .. math:: E_K = E_\infty + \frac{E_1 - E_\infty}{K}, \qquad
        E_\infty = \frac{n}{n - q}\,(B + \sigma^2)

    Args:
        spectrum: of the features' mean kernel, with the target.
        n: training rows, > 0.
        p: features of each member, > 0.
        ridge: total ridge [kernel], >= 0.
        noise: label-noise variance [label^2].
        members: K >= 1; infinity is kernel ridge regression with effective ridge gamma.

    Regime: limit, as ``error_parts``. The peak at p = n shrinks as 1/K.

    Source: as ``error_parts``; ensembles: LeJeune et al., arXiv:1910.04743; Loureiro et al.,
    arXiv:2201.13383.

    >>> from ci_theory.theory.spectra.spectrum import power_law
    >>> spectrum = power_law(1000, 1.5, tail=True)
    >>> print(f"{float(ensemble_error(spectrum, 100, 100, 1e-4, 0.1, 4).test_error):.4f}")
    1.0223
    """
    parts = error_parts(spectrum, n, p, ridge, noise)
    return EnsembleError(parts.ensemble(jnp.asarray(members, float)), parts.status)
