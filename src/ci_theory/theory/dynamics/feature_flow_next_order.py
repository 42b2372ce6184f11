r"""The next order of gradient-flow errors on random features: rows and features both fluctuate.

As ``flow_next_order``, with p Gaussian features of the inputs between them and the weights: twice
the inverse Laplace transform of the next order of two copies of the weights (``feature_copies``).

Derivation: docs/dynamics/epochwise_descent.md.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._types import Array, needs_float64
from ci_theory.theory.dynamics import feature_copies
from ci_theory.theory.dynamics.complex_ridge import ComplexLevels, complex_levels, levels_along
from ci_theory.theory.dynamics.feature_copies import Copy, copied, slope
from ci_theory.theory.dynamics.flow_next_order import COUNT, FlowShift, StartShift, shift_ridges
from ci_theory.theory.dynamics.talbot import Contour, contour
from ci_theory.theory.spectra.groups import Groups, counted, present
from ci_theory.theory.spectra.spectrum import Spectrum, tail_as_modes, trace

__all__ = ["feature_flow_shift", "feature_ridge_shift", "feature_start_shift"]


@needs_float64
@jax.jit
def feature_ridge_shift(spectrum: Spectrum, groups: Groups, p: Any, ridge: Any) -> FlowShift:
    r"""By how much mean errors of ridge regression on features differ from their limit.

    The two-point errors at one and the same ridge: the next order of ``repeated_feature_risk``.

    Args:
        spectrum: covariance of the inputs and the target's power on it. A tail is taken for very
            many equal modes.
        groups: training rows, Gaussian, (g,).
        p: random features, linear and Gaussian, > 0; inf for the inputs themselves.
        ridge: total ridge, >= 0; 0 is taken for 1e-12 of what the rows give all modes together.

    Returns:
        shifts of the four parts [label^2]; NaN and OUT_OF_SCOPE outside these bounds.

    Regime: as ``feature_flow_shift``, at a ridge in place of a time.

    Limits: equal rows: ``feature_next_order``, its excess risk.

    Source: derived here (docs/finite_size.md).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> shift = feature_ridge_shift(isotropic(90), plain_rows(100, 1.0), 50, 0.0)
    >>> exact, limit = 50 / (100 - 50 - 1), 50 / (100 - 50)  # of least squares
    >>> print(f"{float(shift.noise):.4f} {exact - limit:.4f}")
    0.0200 0.0204
    """
    groups = present(groups)
    p, ridge = counted(p), jnp.asarray(ridge, float)
    copies = jnp.sum(groups.counts * groups.weights)
    inside = (ridge >= 0) & (p > 0) & (copies > 0) & (trace(spectrum) > 0)
    least = 1e-12 * copies * trace(spectrum)
    p, delta = jnp.where(inside, p, 1.0), jnp.where(inside, jnp.maximum(ridge, least), 1.0)
    whole = tail_as_modes(spectrum, 1e6 * (p + copies))
    at = complex_levels(whole, groups, p, delta)
    ratio, left = at.ratio.real, at.left.real
    copy = copied(whole, groups, delta, 1 / ratio, left)
    shifts = jnp.where(inside, feature_copies.shifts(copy, copy, whole, groups, 1 / p), jnp.nan)
    status = jnp.where(inside, at.status, Status.OUT_OF_SCOPE)
    return FlowShift(shifts[0], shifts[1], shifts[2] / copies, shifts[3] / copies, status)


@needs_float64
@jax.jit
def feature_start_shift(
    spectrum: Spectrum,
    groups: Groups,
    time: Any,
    ridge: Any,
    p: Any,
    at: ComplexLevels | None = None,
) -> StartShift:
    r"""By how much the mean of what is left of a random start on features differs from its limit.

    .. math::
        \mathcal L^{-1}_{s\to 2t}\bigl[N\,\partial_\Sigma F_1\bigr],\qquad
        \mathcal L^{-1}_{s\to 2t}\bigl[\partial_C F_1\bigr]

    with a source of the covariance, and of the weight of all rows: traces of one resolvent.

    Args:
        spectrum: covariance of the inputs, without a tail; its target does not matter.
        groups: training rows, Gaussian; their noise does not matter.
        time: t, > 0.
        ridge: total ridge N mu, >= 0; the decay adds its own factor exp(-2 mu t).
        p: random features, linear and Gaussian, > 0; infinite trains on the inputs themselves.
        at: the levels at ``shift_ridges`` of 2t, without the ridge, where they have been solved.

    Regime: as ``feature_flow_shift``. Limits: p -> infinity is ``start_shift``.

    Source: derived here (docs/dynamics/epochwise_descent.md).

    >>> from ci_theory.theory.dynamics.flow_next_order import start_shift
    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> rows, time = plain_rows(100, 0.0), 2.0
    >>> some = feature_start_shift(isotropic(50), rows, time, 0.0, jnp.inf)
    >>> print(f"{float(some.test / start_shift(isotropic(50), rows, time, 0.0).test):.9f}")
    1.000000000
    """
    silent = dataclasses.replace(spectrum, tail_power=jnp.zeros(()))
    half = _upper_half(silent, groups, 2 * jnp.asarray(time, float), 0.0, p, at)
    inside = half.inside & (jnp.asarray(ridge) >= 0)
    spectrum, groups = half.spectrum, half.groups
    lam, none = spectrum.eigenvalues, jnp.zeros_like(spectrum.eigenvalues)
    sources = jnp.stack([jnp.stack([lam, none]), jnp.stack([none, none])])
    owns = jnp.stack([jnp.zeros_like(groups.weights), 1 / groups.weights])
    by = jax.vmap(
        jax.vmap(slope, (None, None, None, None, 0, 0)), (0, None, None, None, None, None)
    )
    slopes = by(half.copies, spectrum, groups, half.per_feature, sources, owns)  # (nodes, 2)
    test = 2 * jnp.sum(half.nodes.weights * half.total * slopes[:, 0]).real / half.when
    train = 2 * jnp.sum(half.nodes.weights * slopes[:, 1]).real / half.when
    faded = jnp.exp(-jnp.asarray(ridge, float) / jnp.where(inside, half.total, 1.0) * half.when)
    test, train = (jnp.where(inside, faded * v, jnp.nan) for v in (test, train))
    return StartShift(test, train, jnp.where(inside, half.status, Status.OUT_OF_SCOPE))


@needs_float64
@jax.jit
def feature_flow_shift(
    spectrum: Spectrum,
    groups: Groups,
    time: Any,
    ridge: Any,
    p: Any,
    at: ComplexLevels | None = None,
) -> FlowShift:
    r"""By how much mean errors of gradient flow on features differ from ``weighted_flow_risk``.

    .. math::
        \Delta(t) = \mathcal L^{-1}_{s\to t}\mathcal L^{-1}_{s'\to t}\;
        \frac{\pm1}{2ss'}\,\partial_i\partial_j F_1

    at the ridges delta + N s and delta + N s', the sources i and j as in the module.

    Args:
        spectrum: covariance of the inputs and the target's power on it, without a tail.
        groups: training rows, Gaussian, (g,).
        time: t, > 0.
        ridge: total ridge delta, >= 0.
        p: random features, linear and Gaussian, > 0; infinite trains on the inputs themselves.
        at: the levels at ``shift_ridges``, if they were solved with others (``levels_along``).

    Returns:
        shifts of the four parts [label^2]; NaN and OUT_OF_SCOPE outside these bounds.

    Regime: the next term of the expansion in 1/n and 1/p at fixed time; see ``flow_shift``.

    Limits: p -> infinity: ``flow_shift``; t -> infinity, equal rows: ``feature_next_order``.

    Source: derived here (docs/dynamics/epochwise_descent.md).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> shift = feature_flow_shift(isotropic(90), plain_rows(100, 1.0), 1e6, 0.0, 50)
    >>> exact, limit = 50 / (100 - 50 - 1), 50 / (100 - 50)  # of least squares
    >>> print(f"{float(shift.noise):.4f} {exact - limit:.4f}")
    0.0200 0.0204
    """
    half = _upper_half(spectrum, groups, time, ridge, p, at)
    upper = half.copies
    whole = jax.tree.map(lambda leaf: jnp.concatenate([leaf, jnp.conj(leaf)]), upper)
    along = jax.vmap(feature_copies.shifts, (None, 0, None, None, None))
    across = jax.vmap(along, (0, None, None, None, None))
    table = across(upper, whole, half.spectrum, half.groups, half.per_feature)  # (half, whole, 4)
    weight = half.nodes.weights / half.nodes.nodes
    pairs = weight[:, None] * np.concatenate([weight, np.conj(weight)])[None, :]
    shifts = 2 * jnp.sum(pairs[:, :, None] * table, axis=(0, 1)).real
    signal, noise, left, held = jnp.where(half.inside, shifts, jnp.nan)
    return FlowShift(signal, noise, left / half.total, held / half.total, half.status)


class _Contour(NamedTuple):
    """The copies of the weights on the upper half of a contour, and what they are made of."""

    spectrum: Spectrum
    groups: Groups
    per_feature: Array
    nodes: Contour
    when: Array
    total: Array
    copies: Copy
    inside: Array
    status: Array


def _upper_half(
    spectrum: Spectrum, groups: Groups, time: Any, ridge: Any, p: Any, at: ComplexLevels | None
) -> _Contour:
    """Solve the saddle point on the upper half of the contour at a time."""
    groups = present(groups)
    spectrum = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), spectrum)
    time, ridge, p = (jnp.asarray(v, float) for v in (time, ridge, p))
    inside = (time > 0) & (ridge >= 0) & (p > 0) & (jnp.sum(groups.counts) > 0)
    inside = inside & (trace(spectrum) > 0)
    inside = inside & (spectrum.tail_trace == 0) & (spectrum.tail_power == 0)
    when, delta, p = (jnp.where(inside, v, e) for v, e in ((time, 1.0), (ridge, 0.0), (p, 1e6)))
    nodes = contour(COUNT)
    copies = jnp.sum(groups.counts * groups.weights)
    deltas = shift_ridges(groups, when, delta)
    if at is None:
        (at,) = levels_along(spectrum, groups, p, deltas)
    made = jax.vmap(copied, (None, None, 0, 0, 0))(spectrum, groups, deltas, 1 / at.ratio, at.left)
    status = jnp.where(inside, jnp.max(at.status), Status.OUT_OF_SCOPE)
    return _Contour(spectrum, groups, 1 / p, nodes, when, copies, made, inside, status)
