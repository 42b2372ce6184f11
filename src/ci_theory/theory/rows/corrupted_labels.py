"""Ridge regression on corrupted labels: flipped ones, and noise of unequal variance.

Both are turned into clean ridge regression at another level of label noise, exactly (unequal noise
independent of x) or in the limit (flipped labels), so nothing new is solved here.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, total

__all__ = ["FlipRisk", "label_flip_risk", "mean_noise"]


class FlipRisk(NamedTuple):
    """Errors of least squares on flipped +-1 labels.

    Attributes:
        flip_error: probability that the sign of the fit differs from the clean label.
        noisy_flip_error: from the flipped label.
        squared_error: mean squared error against flipped +-1 labels [label^2].
        train_error: mean squared residual on the training labels [label^2].
        status: a ``Status`` code; OUT_OF_SCOPE outside 0 <= flips <= 1.
    """

    flip_error: Scalar
    noisy_flip_error: Scalar
    squared_error: Scalar
    train_error: Scalar
    status: Int[Array, ""]


@needs_float64
def label_flip_risk(spectrum: Spectrum, n: Any, ridge: Any, flips: Any) -> FlipRisk:
    r"""Errors of ridge regression on labels sign(x.w) of which a share is flipped.

    .. math::
        \beta = (1 - 2\pi)\sqrt{2/\pi_0}, \quad \sigma^2 = 1 - \beta^2, \quad
        \tan\theta = \frac{\sqrt{\beta^2 \operatorname{Var}_v(x) + \mathrm{df}_2 E/n}}
        {\beta\,\mathrm{E}_v(x)}, \quad \mathrm{err} = \theta/\pi_0

    with pi_0 = 3.14159..., x = lambda/(lambda + kappa), mean and variance over the modes
    weighted by the target's power, and E the squared error of a linear teacher of power beta^2
    and noise sigma^2. Against flipped labels the error is ``flips + (1 - 2 flips) err``.

    Args:
        spectrum: covariance and power of w; only the direction of w matters.
        n: training rows, > 0.
        ridge: total ridge [x^2], >= 0.
        flips: probability that a label is flipped, in [0, 1].

    Returns:
        The errors. At flips = 1/2 the label error is 1/2.

    Regime: limit n, p -> infinity with the target spread over many modes, or n >> 1. The squared
    error treats a label as a linear teacher with independent noise of the same second moments.

    Source: Brillinger 1982 (year from memory); Thrampoulidis, Abbasi, Hassibi 2015
    (arXiv:1506.02181) for the equivalence; the angle in this form derived here
    (docs/rows/corrupted_inputs.md).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> risk = label_flip_risk(isotropic(100), 200.0, 0.0, 0.1)
    >>> print(f"{float(risk.flip_error):.4f} {float(risk.noisy_flip_error):.4f}")
    0.2796 0.3237
    """
    n, flips = jnp.asarray(n, float), jnp.asarray(flips, float)
    power = jnp.asarray(spectrum.power, float)
    whole = jnp.sum(power) + spectrum.tail_power
    share, tail_share = power / whole, spectrum.tail_power / whole
    slope = (1 - 2 * flips) * jnp.sqrt(2 / jnp.pi)
    linear = Spectrum(
        eigenvalues=spectrum.eigenvalues,
        multiplicity=spectrum.multiplicity,
        power=slope**2 * share,
        tail_trace=spectrum.tail_trace,
        tail_power=slope**2 * tail_share,
    )
    risk = ridge_risk(linear, n, ridge, 1 - slope**2)
    x, _ = fractions(spectrum.eigenvalues, risk.kappa)
    mean = total(share, x)
    spread = total(share, (x - mean) ** 2) + tail_share * mean**2
    across = jnp.sqrt(slope**2 * spread + risk.gamma * risk.test_error)
    error = jnp.arctan2(across, slope * mean) / jnp.pi
    bad = (flips < 0) | (flips > 1) | ~(whole > 0)
    return FlipRisk(
        flip_error=error,
        noisy_flip_error=flips + (1 - 2 * flips) * error,
        squared_error=risk.test_error,
        train_error=risk.train_error,
        status=jnp.where(bad, Status.OUT_OF_SCOPE, risk.status),
    )


@needs_float64
def mean_noise(noise: Any, corrupted: Any, corrupted_noise: Any) -> Scalar:
    r"""Label noise that a share of corrupted labels amounts to in training.

    .. math:: \bar\sigma^2 = (1 - q)\,\sigma^2 + q\,\sigma_c^2

    Only the mean over rows of the noise variance enters the fit, as long as the variance is
    independent of x and all rows have one weight; the test keeps its own noise. For rows of
    unequal weight see ``theory.rows.repetition``.

    Args:
        noise: variance of a good label [label^2].
        corrupted: share q of corrupted labels, in [0, 1].
        corrupted_noise: variance of a corrupted label [label^2]; must be finite.

    Regime: as ``ridge_risk``. Source: the label noise enters the fit quadratically and through
    its diagonal alone.

    >>> float(mean_noise(1.0, 0.25, 9.0))
    3.0
    """
    return noise + corrupted * (jnp.asarray(corrupted_noise, float) - noise)
