r"""When inherited weights help: closed forms for a tuned or any downstream ridge, isotropic inputs.

Downstream fits a target of squared norm ``signal`` with a ridge towards inherited weights of
mean m and fluctuation ``spread``. All that matters of them is the anchor error

.. math:: \Delta^2 = |m - \beta|^2 + \mathrm{spread},

against |beta|^2 for weights zero: downstream risk increases with it at every ridge > 0.
"""

from typing import Any

import jax.numpy as jnp

from ci_theory._types import Scalar, needs_float64

__all__ = [
    "anchor_error",
    "clean_rows",
    "harmless_noise",
    "negative_transfer_cosine",
    "optimal_ridge",
    "optimal_scale",
    "tuned_excess",
]


@needs_float64
def anchor_error(
    mean_norm: Any, spread: Any, cosine: Any, target_norm: Any, scale: Any = 1.0
) -> Scalar:
    r"""Squared distance of scaled inherited weights from the downstream target.

    .. math:: \Delta^2 = a^2 (|m|^2 + V) - 2 a\,|m|\,|\beta| \cos + |\beta|^2

    Args:
        mean_norm: |m| of the inherited weights.
        spread: V, trace of their covariance.
        cosine: of the angle between m and the target; the ``alignment`` of the two targets for
            plain upstream ridge.
        target_norm: |beta|.
        scale: a, factor on the weights before they are handed on.

    Regime: exact in the moments. Source: derived here (docs/inheritance/inheritance.md).

    >>> print(f"{float(anchor_error(1.0, 0.5, 0.6, 1.0)):.2f}")
    1.30
    """
    own = jnp.asarray(mean_norm) ** 2 + spread
    return scale**2 * own - 2 * scale * mean_norm * cosine * target_norm + target_norm**2


@needs_float64
def negative_transfer_cosine(mean_norm: Any, spread: Any, target_norm: Any) -> Scalar:
    r"""Alignment below which inheriting is worse than starting from zero.

    .. math:: \cos^* = \frac{|m|^2 + V}{2\,|m|\,|\beta|}

    Args:
        mean_norm: |m| of the inherited weights, > 0.
        spread: V, trace of their covariance.
        target_norm: |beta| of the downstream target, > 0.

    Regime: exact in the moments, isotropic inputs. The same for every downstream sample size,
    noise and ridge > 0, and for optimally tuned ridges on both sides. Above 1 every transfer is
    negative.

    Source: derived here (docs/inheritance/inheritance.md); for tuned ridges compare Dar, LeJeune,
    Baraniuk, arXiv:2103.05621.

    >>> float(negative_transfer_cosine(1.0, 0.5, 1.0))
    0.75
    """
    return (jnp.asarray(mean_norm) ** 2 + spread) / (2 * jnp.asarray(mean_norm) * target_norm)


@needs_float64
def harmless_noise(
    n: Any, p: Any, cosine: Any, signal_up: Any = 1.0, signal_down: Any = 1.0
) -> Scalar:
    r"""Upstream label noise above which inheriting from least squares is negative.

    .. math:: \sigma_u^2 = \frac{n - p}{p}\,\bigl(2 \cos |\beta_u| |\beta_d| - |\beta_u|^2\bigr)

    Args:
        n: upstream rows, > p.
        p: dimension.
        cosine: of the angle between the two targets.
        signal_up: squared norm of the upstream target.
        signal_down: squared norm of the downstream target.

    Returns:
        The noise; negative where inheriting is harmful without any.

    Regime: limit n, p -> infinity, isotropic inputs, no upstream ridge, n > p.

    Source: derived here (docs/inheritance/inheritance.md).

    >>> print(f"{float(harmless_noise(400, 100, 0.75)):.2f}")
    1.50
    """
    up, down = jnp.asarray(signal_up, float), jnp.asarray(signal_down, float)
    return (n - p) / jnp.asarray(p, float) * (2 * cosine * jnp.sqrt(up * down) - up)


@needs_float64
def optimal_scale(mean_norm: Any, spread: Any, cosine: Any, target_norm: Any) -> Scalar:
    r"""Factor on the inherited weights that helps most.

    .. math:: a^* = \frac{|m|\,|\beta| \cos}{|m|^2 + V}

    With it the anchor error is ``|beta|^2 (1 - cos^2 |m|^2/(|m|^2 + V))``: never negative
    transfer. Arguments as ``anchor_error``.

    Regime: exact in the moments. Source: the minimum of ``anchor_error``.

    >>> float(optimal_scale(1.0, 0.5, 0.75, 1.0))
    0.5
    """
    return mean_norm * target_norm * cosine / (jnp.asarray(mean_norm) ** 2 + spread)


@needs_float64
def optimal_ridge(p: Any, noise: Any, anchor: Any) -> Scalar:
    """Total ridge with the least risk: ``p noise / anchor error``, whatever the sample size.

    Args:
        p: dimension.
        noise: downstream label-noise variance.
        anchor: anchor error, > 0.

    Regime: limit n, p -> infinity, isotropic inputs; it is the posterior mean for a Gaussian
    prior about the inherited weights. Source: Bayes; derived here
    (docs/inheritance/inheritance.md).

    >>> float(optimal_ridge(100, 0.5, 2.0))
    25.0
    """
    return p * jnp.asarray(noise, float) / anchor


@needs_float64
def tuned_excess(n: Any, p: Any, noise: Any, anchor: Any) -> Scalar:
    r"""Excess risk at the best ridge towards inherited weights.

    .. math:: R^2 + \Bigl(\frac{n - p}{p} \Delta^2 + \sigma^2\Bigr) R = \sigma^2 \Delta^2

    Args:
        n: downstream rows, > 0.
        p: dimension.
        noise: sigma^2, downstream label-noise variance.
        anchor: Delta^2, anchor error.

    Regime: limit n, p -> infinity, isotropic inputs. Limits: n -> 0: Delta^2; noise -> 0:
    Delta^2 (1 - n/p) for n < p, else 0.

    Source: derived here (docs/inheritance/inheritance.md).

    >>> print(f"{float(tuned_excess(200, 100, 0.5, 1.0)):.6f}")
    0.280776
    """
    noise = jnp.asarray(noise, float)
    b = (n - p) / jnp.asarray(p, float) * anchor + noise
    c = noise * anchor
    root = jnp.sqrt(b * b + 4 * c)
    rising = b > 0
    return jnp.where(rising, 2 * c / jnp.where(rising, b + root, 1.0), (root - b) / 2)


@needs_float64
def clean_rows(p: Any, noise: Any, anchor: Any, residual: Any) -> Scalar:
    r"""Clean rows that repair an inherited error down to a wanted risk, at the best ridge.

    .. math:: n = p\,\Bigl(1 + \frac{\sigma^2}{R}\Bigr)\Bigl(1 - \frac{R}{\Delta^2}\Bigr)

    Args:
        p: dimension.
        noise: sigma^2, downstream label-noise variance.
        anchor: Delta^2, inherited error.
        residual: R, wanted excess risk, 0 < R <= Delta^2.

    Regime: as ``tuned_excess``. Source: its inverse.

    >>> print(f"{float(clean_rows(100, 0.5, 1.0, tuned_excess(200, 100, 0.5, 1.0))):.6f}")
    200.000000
    """
    residual = jnp.asarray(residual, float)
    return p * (1 + noise / residual) * (1 - residual / anchor)
