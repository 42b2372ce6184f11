r"""The term of relative order 1/n of gradient-flow errors: by how much a finite sample deviates.

The two-point errors of ``flow`` are second derivatives of

.. math:: F = \mathrm E\log\det\bigl(X'CX\otimes 1_2 + M\bigr)

on two copies of the weights that share the rows: M has the two ridges on its diagonal and sources
of the covariance and of the target beside it, and C carries sources of the label noise and of a
row's residual beside the row weights. Averaging over Gaussian rows leaves a saddle point in
symmetric 2 x 2 matrices rho and tau. Its value gives the leading order, the Gaussian integral
around it the next,

.. math:: F_1 = \tfrac12\log{\det}_{sym}(1-\Gamma) - \tfrac12\log{\det}_{anti}(1-\Gamma),\qquad
    \Gamma(Y) = \sum_g n_g T_g \Bigl[\sum m\lambda^2\, G\,Y\,G\Bigr] T_g,

on symmetric and antisymmetric matrices Y, with T = (C^{-1} + tau)^{-1} and
G = (rho lambda + M)^{-1}. Derivation: docs/dynamics/epochwise_descent.md.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.dynamics.complex_ridge import (
    ComplexLevels,
    complex_levels,
    levels_along,
    leverages,
)
from ci_theory.theory.dynamics.talbot import Contour, contour
from ci_theory.theory.spectra.groups import Groups, counted, present
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, per_kappa, trace

__all__ = [
    "FlowShift",
    "Left",
    "StartShift",
    "flow_shift",
    "shift_ridges",
    "start_shift",
    "what_is_left",
]

COUNT = 16
"""Contour nodes: they leave a relative error near 1e-9, more than a bound needs."""


class FlowShift(NamedTuple):
    """True mean less deterministic equivalent, to order 1/n, of errors at one time [label^2].

    Attributes:
        signal: of the target's part of the excess risk.
        noise: of the label noise's part of it.
        train_signal: of the target's part of the mean squared residual over copies.
        train_noise: of the label noise's part of that.
        status: OK, NOT_CONVERGED or OUT_OF_SCOPE.
    """

    signal: Scalar
    noise: Scalar
    train_signal: Scalar
    train_noise: Scalar
    status: Int[Array, ""]


class _Copy(NamedTuple):
    """One copy of the weights at its ridge: G on the modes (m,) and T on the groups (g,)."""

    ridge: Array
    modes: Array
    rows: Array


class _Response(NamedTuple):
    """What a source does beside the diagonal, to first order.

    Attributes:
        modes: of the inverse of G, (m,).
        rows: minus that of the inverse of T, (g,).
        own: the source's own part of ``rows``, (g,).
        x: sums over modes of m lambda^2 G times the change beside the diagonal, with the G of
            either copy, (2,).
        y: sums over groups of n T times the change beside the diagonal, likewise, (2,).
    """

    modes: Array
    rows: Array
    own: Array
    x: Array
    y: Array


def _copy(spectrum: Spectrum, groups: Groups, ridge: Array, tau: Array) -> _Copy:
    rows = groups.weights / (1 + groups.weights * tau)
    rho = jnp.sum(groups.counts * rows)
    return _Copy(ridge, 1 / (rho * spectrum.eigenvalues + ridge), rows)


def _shifts(first: _Copy, second: _Copy, spectrum: Spectrum, groups: Groups) -> Array:
    """Return the next order of the two-point errors (4,): see ``FlowShift``; train errors summed.

    Each is -1/2 the mixed derivative of F_1 with respect to two sources.
    """
    lam, many, n, c = (
        spectrum.eigenvalues, spectrum.multiplicity, groups.counts, groups.weights
    )  # fmt: skip
    there = (many != 0) & (lam > 0)
    target = jnp.where(there, spectrum.power / jnp.where(there, lam * many, 1.0), 0.0)
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), first, second)
    g, t = first.modes * second.modes, first.rows * second.rows  # beside the diagonal
    a = jax.vmap(lambda rows: jnp.sum(n * rows**2))(both.rows)
    b = jax.vmap(lambda modes: jnp.sum(many * (lam * modes) ** 2))(both.modes)
    a_mixed, b_mixed = jnp.sum(n * t), jnp.sum(many * lam**2 * g)
    open_mixed = 1 - a_mixed * b_mixed

    def response(source: Array, own: Array) -> _Response:
        """Return the response to a source on the modes (m,) and on the rows (g,)."""
        held = jnp.sum(many * lam * source * g)
        rho = (jnp.sum(n * t * own) + a_mixed * held) / open_mixed
        modes = rho * lam + source
        rows = own + b_mixed * rho + held
        x, y = both.modes @ (-many * lam**2 * g * modes), both.rows @ (n * t * rows)
        return _Response(modes, rows, own, x, y)

    def mixed(e: _Response, f: _Response) -> Array:
        """Return -1/2 of the mixed derivative of F_1."""
        pushed, turned = many * lam * g * e.modes * f.modes, t * e.rows * f.rows
        total = 4 * b_mixed * jnp.sum(n * t * turned)
        total = total + 4 * a_mixed * jnp.sum(lam * g * pushed)
        total = (total + 2 * (e.y @ f.x + f.y @ e.x)) / open_mixed

        def on_copy(one: _Copy, a: Array, b: Array, e_of: tuple, f_of: tuple) -> Array:
            """Add second-order changes on a copy's own diagonal: of G, and of T."""
            (e_x, e_y), (f_x, f_y) = e_of, f_of
            moved = 2 * jnp.sum(pushed * one.modes)
            rows = 2 * (turned * one.rows - one.rows**2 * c * e.own * f.own)
            rho = (jnp.sum(n * rows) - a * moved) / (1 - a * b)
            tau = moved - b * rho
            in_modes = one.modes * (2 * g * e.modes * f.modes - one.modes * lam * rho)
            in_rows = rows - one.rows**2 * tau
            change = 2 * b * jnp.sum(n * one.rows * in_rows)
            change = change + 2 * a * jnp.sum(many * lam**2 * one.modes * in_modes)
            change = change + 2 * (e_y * f_x + f_y * e_x)
            out_e, out_f = (y * b_mixed + a * x for x, y in (e_of, f_of))
            in_e, in_f = (y * b + a_mixed * x for x, y in (e_of, f_of))
            return (change + 2 * (out_e * in_f + out_f * in_e) / open_mixed) / (1 - a * b)

        own = jax.vmap(on_copy)(both, a, b, (e.x, e.y), (f.x, f.y))
        return 0.25 * (total + jnp.sum(own))

    # Sources of the covariance, the target, the label noise and the residuals, in pairs.
    none, still = jnp.zeros_like(lam), jnp.zeros_like(c)
    on_modes, on_rows = (lam, target, none, none), (still, still, groups.noise, 1 / c)
    made = jax.vmap(response)(jnp.stack(on_modes), jnp.stack(on_rows))
    one, other = (
        jax.tree.map(lambda leaf, order=order: leaf[np.array(order)], made)
        for order in ([0, 0, 1, 2], [1, 2, 3, 3])
    )
    own = jax.vmap(_slope, (0, None, None, None, None))(both, spectrum, groups, none, groups.noise)
    squared = first.ridge * second.ridge
    factors = jnp.stack([squared, jnp.ones_like(squared), squared, jnp.ones_like(squared)])
    return (factors * jax.vmap(mixed)(one, other)).at[3].add(-jnp.sum(own))


def _slope(one: _Copy, spectrum: Spectrum, groups: Groups, source: Array, own: Array) -> Array:
    """Return the derivative of F_1 of one copy by sources on its modes (m,) and its rows (g,)."""
    lam, many, n = spectrum.eigenvalues, spectrum.multiplicity, groups.counts
    a, b = jnp.sum(n * one.rows**2), jnp.sum(many * (lam * one.modes) ** 2)
    held = jnp.sum(many * lam * source * one.modes**2)
    rho = (jnp.sum(n * one.rows**2 * own) + a * held) / (1 - a * b)
    in_a = 2 * jnp.sum(n * one.rows**3 * (own + b * rho + held))
    in_b = -2 * jnp.sum(many * lam**2 * one.modes**3 * (lam * rho + source))
    return -0.5 * (in_a * b + a * in_b) / (1 - a * b)


def shift_ridges(groups: Groups, time: Any, ridge: Any) -> Array:
    """Return the total ridges, complex, (k,), at which ``flow_shift`` needs the levels.

    ``start_shift`` needs them at twice the time, without a ridge.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> print(shift_ridges(plain_rows(100, 0.0), 2.0, 1.0).shape)
    (8,)
    """
    copies = jnp.sum(counted(groups.counts) * groups.weights)
    return ridge + copies * contour(COUNT).nodes / time


@needs_float64
@jax.jit
def flow_shift(
    spectrum: Spectrum, groups: Groups, time: Any, ridge: Any, at: ComplexLevels | None = None
) -> FlowShift:
    r"""By how much the mean errors of gradient flow differ from ``weighted_flow_risk``.

    .. math::
        \Delta(t) = \mathcal L^{-1}_{s\to t}\mathcal L^{-1}_{s'\to t}\;
        \frac{-1}{2ss'}\,\partial_i\partial_j F_1

    at the ridges delta + N s and delta + N s', the sources i and j as in the module.

    Args:
        spectrum: covariance and the target's power on it, without a tail.
        groups: training rows, Gaussian.
        time: t, > 0.
        ridge: total ridge delta, >= 0.
        at: the levels at ``shift_ridges``, if they were solved with others (``levels_along``).

    Regime: the next term of the expansion in 1/n at fixed time. Where it is not small against
    the error itself (exponentially small remainders, whose rate fluctuates), it is no guide.

    Limits: t -> infinity: the next order of ridge regression (docs/finite_size.md).

    Source: derived here (docs/dynamics/epochwise_descent.md); one ridge and equal rows: Bai,
    Silverstein, Ann. Probab. 32 (2004).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> shift = flow_shift(isotropic(50), plain_rows(100, 1.0), 1e6, 0.0)
    >>> exact, limit = 50 / (100 - 50 - 1), 50 / (100 - 50)  # of least squares
    >>> print(f"{float(shift.noise):.4f} {exact - limit:.4f}")
    0.0200 0.0204
    """
    half = _upper_half(spectrum, groups, time, ridge, at)
    spectrum, groups, nodes, upper = half.spectrum, half.groups, half.nodes, half.copies
    whole = jax.tree.map(lambda leaf: jnp.concatenate([leaf, jnp.conj(leaf)]), upper)
    across = jax.vmap(jax.vmap(_shifts, (None, 0, None, None)), (0, None, None, None))
    table = across(upper, whole, spectrum, groups)  # (half, whole, 4)
    weight = nodes.weights / nodes.nodes
    pairs = weight[:, None] * np.concatenate([weight, np.conj(weight)])[None, :]
    signal, noise, left, held = 2 * jnp.sum(pairs[:, :, None] * table, axis=(0, 1)).real
    signal, noise, left, held = (
        jnp.where(half.inside, v, jnp.nan)
        for v in (signal, noise, left / half.total, held / half.total)
    )
    return FlowShift(signal, noise, left, held, half.status)


class StartShift(NamedTuple):
    """True mean less deterministic equivalent, to order 1/n, of what is left of a random start.

    Attributes:
        test: on fresh inputs, per unit variance of each weight [x^2].
        train: on the training rows, averaged over copies [x^2].
        status: OK, NOT_CONVERGED or OUT_OF_SCOPE.
    """

    test: Scalar
    train: Scalar
    status: Int[Array, ""]


@needs_float64
@jax.jit
def start_shift(
    spectrum: Spectrum, groups: Groups, time: Any, ridge: Any, at: ComplexLevels | None = None
) -> StartShift:
    r"""By how much the mean of what is left of a random start differs from ``start_left``.

    .. math::
        \mathcal L^{-1}_{s\to 2t}\bigl[N\,\partial_\Sigma F_1\bigr],\qquad
        -\mathcal L^{-1}_{s\to 2t}\bigl[s N\,\partial_\delta F_1\bigr],\qquad
        F_1 = \tfrac12\log\Bigl(1 - \sum_g n_g T_g^2 \sum m\lambda^2 G^2\Bigr)

    with a source of the covariance, and the ridge itself, in place of two sources: traces of one
    resolvent of the rows.

    Args:
        spectrum: covariance, without a tail; its target does not matter.
        groups: training rows, Gaussian; their noise does not matter.
        time: t, > 0.
        ridge: total ridge N mu, >= 0; the decay adds its own factor exp(-2 mu t).
        at: the levels at ``shift_ridges`` of 2t, without the ridge, where they have been solved.

    Regime: as ``flow_shift``.

    Source: derived here (docs/dynamics/epochwise_descent.md); equal rows: Bai, Silverstein, Ann.
    Probab. 32 (2004).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> shift = start_shift(isotropic(50), plain_rows(100, 0.0), 1e-4, 0.0)
    >>> exact, limit = 50 + 50 * 51 / 100, 50 + 50 * 50 / 100  # of E tr S^2
    >>> print(f"{float(shift.train) / 2e-4:.3f} {limit - exact:.3f}")
    -0.500 -0.500
    """
    half = _upper_half(spectrum, groups, 2 * jnp.asarray(time, float), 0.0, at)
    nodes, lam = half.nodes, half.spectrum.eigenvalues
    still = jnp.zeros_like(half.groups.weights)
    by = jax.vmap(_slope, (0, None, None, None, None))
    by_covariance, by_ridge = jax.vmap(by, (None, None, None, 0, None))(
        half.copies, half.spectrum, half.groups, jnp.stack([lam, jnp.ones_like(lam)]), still
    )
    weights = nodes.weights / half.when
    test = 2 * jnp.sum(weights * half.total * by_covariance).real
    train = -2 * jnp.sum(weights * half.total * by_ridge * nodes.nodes / half.when).real
    faded = jnp.exp(-jnp.asarray(ridge, float) / half.total * half.when)
    test, train = (jnp.where(half.inside, faded * v, jnp.nan) for v in (test, train))
    return StartShift(test, train, half.status)


class _Contour(NamedTuple):
    """The upper half of the contour, solved."""

    spectrum: Spectrum
    groups: Groups
    nodes: Contour
    when: Array
    total: Array
    copies: _Copy
    inside: Array
    status: Array


def _upper_half(
    spectrum: Spectrum, groups: Groups, time: Any, ridge: Any, at: ComplexLevels | None
) -> _Contour:
    """Solve the saddle point on the upper half of the contour at a time."""
    groups = present(groups)
    spectrum = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), spectrum)
    time, ridge = jnp.asarray(time, float), jnp.asarray(ridge, float)
    inside = (time > 0) & (ridge >= 0) & (jnp.sum(groups.counts) > 0) & (trace(spectrum) > 0)
    inside = inside & (spectrum.tail_trace == 0) & (spectrum.tail_power == 0)
    when = jnp.where(inside, time, 1.0)
    nodes = contour(COUNT)
    copies = jnp.sum(groups.counts * groups.weights)
    deltas = shift_ridges(groups, when, jnp.where(inside, ridge, 0.0))
    if at is None:
        (at,) = levels_along(spectrum, groups, jnp.inf, deltas)
    made = jax.vmap(_copy, (None, None, 0, 0))(spectrum, groups, deltas, 1 / at.ratio)
    status = jnp.where(inside, jnp.max(at.status), Status.OUT_OF_SCOPE)
    return _Contour(spectrum, groups, nodes, when, copies, made, inside, status)


class Left(NamedTuple):
    """What ridge regression leaves to average over.

    Attributes:
        rows: effective rows less df2.
        features: random features left likewise; infinite for training on the inputs.
    """

    rows: Scalar
    features: Scalar


@needs_float64
@jax.jit
def what_is_left(
    spectrum: Spectrum,
    groups: Groups,
    ridge: Any,
    p: Any = jnp.inf,
    at: ComplexLevels | None = None,
) -> Left:
    r"""Rows and random features left to average over in ridge regression.

    .. math:: \frac1A - q - \frac{u^2}{p - q}, \qquad p - q - \frac{u^2}{1/A - q},
        \qquad A = \sum_g n_g a_g^2

    in the symbols of ``flow``; the first are those of ``weighted_ridge_risk``. They are one over
    the diagonal of the inverse curvature of the saddle point (docs/finite_size.md). Stopping at a
    time t is about a ridge of N/t: by then as many rows are used up.

    Args:
        spectrum: covariance; of the features' mean kernel if p is finite.
        groups: training rows.
        ridge: total ridge, > 0.
        p: random features.
        at: the levels at the ridge, where they have been solved with others.

    Regime: as ``flow``. Source: derived here (docs/finite_size.md).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> print(f"{float(what_is_left(isotropic(50), plain_rows(100, 0.0), 1e-9).rows):.6f}")
    50.000000
    """
    p = jnp.asarray(p, float)
    groups = dataclasses.replace(groups, counts=counted(groups.counts))
    at = complex_levels(spectrum, groups, p, ridge) if at is None else at
    kappa, ratio, beta = (leaf.real for leaf in (at.kappa, at.ratio, at.left))
    x, y = fractions(spectrum.eigenvalues, kappa)
    mixed = spectrum.multiplicity @ (x * y) + per_kappa(spectrum.tail_trace, kappa)
    h, miss = leverages(groups.weights, ratio)
    share = h / (groups.counts @ h)
    squares, kept = groups.counts @ share**2, (groups.counts * share) @ miss
    rows = kept / squares + mixed * beta / (beta + mixed / p)
    limited = jnp.isfinite(p)
    features = jnp.where(limited, p, 0.0) * beta + mixed * kept / (kept + mixed * squares)
    return Left(rows, jnp.where(limited, features, jnp.inf))
