"""Ridge regression tested elsewhere: covariate shift, concept shift, other label noise.

Train as in ``theory.ridge.risk`` on rows of covariance S with target w; test on rows of second
moment S' (any basis) with labels ``x.w'`` plus noise of variance ``test_noise``. Biased or poisoned
upstream labels are the case w' != w.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Float, Int, Number, Scalar, needs_float64
from ci_theory.theory.ridge.risk import RidgeRisk, learned_weights, ridge_risk
from ci_theory.theory.spectra.spectrum import Spectrum, fractions

__all__ = ["ShiftedRisk", "shifted_risk", "shifted_risk_modes"]


class ShiftedRisk(NamedTuple):
    """Errors under a shift, averages over training sets [label^2].

    Attributes:
        test_error: mean squared error on a noisy label of the test law.
        excess_risk: test_error - test_noise.
        bias: excess risk of the mean estimator.
        variance: what the spread of the estimator over training sets adds.
        inside: the ``RidgeRisk`` on the training law.
        status: a ``Status`` code.
    """

    test_error: Scalar
    excess_risk: Scalar
    bias: Scalar
    variance: Scalar
    inside: RidgeRisk
    status: Int[Array, ""]


@needs_float64
@jax.jit
def shifted_risk_modes(
    eigenvalues: Float[Any, " p"],
    target: Float[Any, " p"],
    test_eigenvalues: Float[Any, " p"],
    test_target: Float[Any, " p"],
    n: Number,
    ridge: Number,
    noise: Number,
    test_noise: Number,
) -> ShiftedRisk:
    """Out-of-distribution error when both covariances are diagonal in one basis.

        test_error = test_noise + sum l' (w' - x w)^2 + sum l' l/(l + kappa)^2 . E/n

    with l, l' the variances of a mode in training and test, ``x = l/(l + kappa)``, E the test
    error on the training law.

    Args:
        eigenvalues: variances of the training inputs (p,) [x^2].
        target: weights w (p,) of the training labels [label/x].
        test_eigenvalues: variances of the test inputs (p,) [x^2].
        test_target: weights w' (p,) of the test labels.
        n: training rows, > 0.
        ridge: total ridge [x^2], >= 0.
        noise: label-noise variance in training [label^2].
        test_noise: label-noise variance in the test [label^2].

    Returns:
        A ``ShiftedRisk``; status as in ``ridge_risk``.

    Regime: limit n, p -> infinity. Limits: equal laws give ``ridge_risk``; ridge = 0 and n > p
    give ``sum l'/l . noise/(n - p)`` plus the distance of the targets.

    Source: Canatar, Bordelon, Pehlevan, arXiv:2106.02261; Patil, Du, Tibshirani,
    arXiv:2404.01233; Atanasov, Zavatone-Veth, Pehlevan, arXiv:2405.00592.

    >>> import numpy as np
    >>> ones, w = np.ones(100), np.full(100, 0.1)
    >>> moved = shifted_risk_modes(ones, w, ones, 2 * w, 200, 0.0, 0.5, 0.0)
    >>> print(f"{float(moved.bias):.3f} {float(moved.variance):.3f}")  # 1 and noise p/(n - p)
    1.000 0.500
    """
    modes = jnp.asarray(eigenvalues, float)
    weights = jnp.asarray(target, float)
    inside, gap, spread = _fit(modes, weights, jnp.asarray(test_target, float), n, ridge, noise)
    weight = jnp.asarray(test_eigenvalues, float)
    return _assemble(inside, jnp.dot(weight, gap**2), jnp.dot(weight, spread), test_noise)


@needs_float64
@jax.jit
def shifted_risk(
    covariance: Float[Any, "p p"],
    target: Float[Any, " p"],
    test_covariance: Float[Any, "p p"],
    test_target: Float[Any, " p"],
    n: Number,
    ridge: Number,
    noise: Number,
    test_noise: Number,
) -> ShiftedRisk:
    """Out-of-distribution error for any two covariances.

        test_error = test_noise + (w_bar - w')' S' (w_bar - w') + tr[S' S (S + kappa)^-2] . E/n,
        w_bar = S (S + kappa)^-1 w

    Arguments and returns as in ``shifted_risk_modes``, with covariances (p, p) in place of
    variances. Training directions of variance below ``p eps`` times the largest
    count as absent. Derivatives with respect to ``covariance`` need distinct eigenvalues; with
    respect to everything else they always exist.

    Regime: as ``shifted_risk_modes``. Source: as ``shifted_risk_modes``.

    >>> import numpy as np
    >>> eye, w = np.eye(100), np.full(100, 0.1)
    >>> turned = shifted_risk(eye, w, np.outer(w, w), w, 200, 0.0, 0.5, 0.0)
    >>> print(f"{float(turned.test_error):.6f}")  # one direction of 100: noise/(n - p)
    0.005000
    """
    matrix = jnp.asarray(covariance, float)
    values, vectors = jnp.linalg.eigh((matrix + matrix.T) / 2)
    floor = len(values) * jnp.finfo(float).eps * values[-1]
    modes = jnp.where(values > floor, values, 0.0)
    turned = vectors.T @ jnp.asarray(test_covariance, float) @ vectors
    inside, gap, spread = _fit(
        modes,
        vectors.T @ jnp.asarray(target, float),
        vectors.T @ jnp.asarray(test_target, float),
        n,
        ridge,
        noise,
    )
    return _assemble(inside, gap @ turned @ gap, jnp.dot(jnp.diagonal(turned), spread), test_noise)


def _fit(
    modes: Array, weights: Array, test_weights: Array, n: Number, ridge: Number, noise: Number
) -> tuple[RidgeRisk, Array, Array]:
    """Risk inside; mean estimator minus test target; variance of each weight."""
    zero = jnp.zeros((), float)
    spectrum = Spectrum(
        eigenvalues=modes,
        multiplicity=jnp.ones_like(modes),
        power=modes * weights**2,
        tail_trace=zero,
        tail_power=zero,
    )
    inside = ridge_risk(spectrum, n, ridge, noise)
    _, unlearned = fractions(modes, inside.kappa)
    gap = (weights - test_weights) - unlearned * weights
    return inside, gap, learned_weights(spectrum, inside, n).variance


def _assemble(inside: RidgeRisk, bias: Array, variance: Array, test_noise: Number) -> ShiftedRisk:
    excess = bias + variance
    return ShiftedRisk(excess + test_noise, excess, bias, variance, inside, inside.status)
