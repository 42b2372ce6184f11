r"""What gradient flow leaves of a random start: any spectrum, repeated rows, weight decay.

A start with independent weights of equal variance, independent of the target, adds to the errors
of ``flow`` (which starts from zero). It decays by itself, so that one Laplace inversion will do:

.. math:: \frac{s_0^2}{d}\operatorname{tr}\Sigma e^{-2(S + \mu)t}, \qquad
    \frac{s_0^2}{d}\operatorname{tr} S e^{-2(S + \mu)t}

on test inputs and on the training rows, S their weighted covariance and mu = ridge/N.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.dynamics.complex_ridge import ComplexLevels, levels_along
from ci_theory.theory.dynamics.talbot import contour
from ci_theory.theory.spectra.groups import Groups, counted
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, trace

__all__ = ["StartLeft", "start_left", "start_ridges"]

COUNT, CHECK, AGREED = 28, 20, 1e-8


class StartLeft(NamedTuple):
    """Mean squared errors that a start of unit variance a weight still causes.

    Attributes:
        test: on fresh inputs [x^2].
        train: on the training rows, averaged over copies [x^2].
        status: OK, NOT_CONVERGED or OUT_OF_SCOPE.
        residual: difference of two contours, relative to the value at t = 0: an estimate of the
            error from above.
    """

    test: Scalar
    train: Scalar
    status: Int[Any, ""]
    residual: Scalar


def start_ridges(groups: Groups, time: Any) -> Array:
    """Return the total ridges, complex, (k,), at which ``start_left`` needs the levels.

    With s' = mu + s the ridge only multiplies by exp(-mu 2t): nothing else depends on it.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> print(start_ridges(plain_rows(100, 0.0), 2.0).shape)
    (24,)
    """
    copies = jnp.sum(counted(groups.counts) * groups.weights)
    return copies * np.concatenate([contour(COUNT).nodes, contour(CHECK).nodes]) / (2 * time)


@needs_float64
@jax.jit
def start_left(
    spectrum: Spectrum,
    groups: Groups,
    time: Any,
    ridge: Any,
    p: Any = jnp.inf,
    at: ComplexLevels | None = None,
) -> StartLeft:
    r"""Errors left of a random start, per unit variance of each weight.

    .. math::
        \mathcal L^{-1}_{s \to 2t}\Bigl[\frac{\kappa\,\beta\,\mathrm{df}_1(\kappa)}{\mu + s}\Bigr]
        \quad\text{and}\quad \mathcal L^{-1}_{s \to 2t}\bigl[\mathrm{df}_1(\kappa)\bigr]

    with kappa the effective ridge and beta the share of the features left at the complex ridge
    N(mu + s), see ``complex_ridge``; beta = 1 on the inputs themselves.

    Args:
        spectrum: of the inputs' covariance, of finite rank; its target does not matter.
        groups: training rows; their noise does not matter.
        time: t, > 0.
        ridge: total ridge N mu, >= 0; the decay adds its own factor exp(-2 mu t).
        p: random features F x with entries of variance 1/p, > 0; infinite trains on the inputs.
            The start is then one of the p weights on them.
        at: the levels at ``start_ridges``, if they were solved with others (``levels_along``).

    Regime: limit n, d -> infinity, relative corrections of order 1/n; inversion error near
    1e-13 of the value at t = 0.

    Limits: isotropic inputs and plain rows: M(2t) and A(2t) of ``marchenko_pastur``, d times.

    Source: derived here (docs/dynamics/dynamics.md).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.marchenko_pastur import survival
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> found = start_left(isotropic(50), plain_rows(100, 0.0), 2.0, 0.0)
    >>> print(f"{float(found.test) / 50:.10f} {float(survival(0.5, 4.0)):.10f}")
    0.1303133662 0.1303133662
    """
    weights = jnp.asarray(groups.weights, float)
    counts = jnp.where(weights > 0, counted(groups.counts), 0.0)
    spectrum = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), spectrum)
    copies = jnp.sum(counts * weights)
    p = jnp.asarray(p, float)
    inside = (jnp.asarray(time) > 0) & (jnp.asarray(ridge) >= 0) & (copies > 0) & (p > 0)
    soon = jnp.where(inside, time, 0.5)
    when = 2 * soon
    safe = Groups(counts=jnp.where(inside, counts, 1.0), weights=weights, noise=groups.noise)

    if at is None:
        safe_p = jnp.where(inside, p, jnp.inf)
        (at,) = levels_along(spectrum, safe, safe_p, start_ridges(safe, soon))
    fine, coarse = contour(COUNT), contour(CHECK)
    nodes = np.concatenate([fine.nodes, coarse.nodes])
    x, y = fractions(spectrum.eigenvalues[None, :], at.kappa[:, None])
    learned = ((spectrum.multiplicity * spectrum.eigenvalues)[None, :] * y).sum(axis=1)
    test_terms = at.left * learned / nodes
    train_terms = (spectrum.multiplicity[None, :] * x).sum(axis=1) / when
    half = len(fine.nodes)
    test = 2 * jnp.sum(fine.weights * test_terms[:half]).real
    again = 2 * jnp.sum(coarse.weights * test_terms[half:]).real
    train = 2 * jnp.sum(fine.weights * train_terms[:half]).real
    status = jnp.max(at.status)

    faded = jnp.exp(-jnp.where(inside, ridge / jnp.where(inside, copies, 1.0), 0.0) * when)
    residual = jnp.abs(test - again) / trace(spectrum)
    status = jnp.where(residual <= AGREED, status, jnp.maximum(status, Status.NOT_CONVERGED))
    return StartLeft(
        test=jnp.where(inside, faded * test, jnp.nan),
        train=jnp.where(inside, faded * train, jnp.nan),
        status=jnp.where(inside, status, Status.OUT_OF_SCOPE),
        residual=residual,
    )
