r"""The next order of gradient-flow errors on random features: rows and features both fluctuate.

As ``flow_next_order``, with p Gaussian features of the inputs between them and the weights. Two
copies of the weights share rows and features, and their two-point errors are second derivatives of

.. math:: F = \mathrm E\log\det\bigl[1 + (F'F\otimes D^{-1} + u\,ww'\otimes\sigma)
    (X'CX + t\,S\otimes\sigma)\bigr]

with the two ridges on the diagonal of D and sigma beside the diagonal. Averaging over rows and
features leaves a saddle point in two pairs of symmetric 2 x 2 matrices. A mode has two fields, one
that the rows see (a = 1, with l = lambda) and one that the features see (a = 2, with l = 1):

.. math:: G^{-1} = \begin{pmatrix} R\lambda & 1 \\ -1 & K\end{pmatrix} + \text{sources},\quad
    R = \sum_g n_g T_g,\; T_g = (C_g^{-1} + \tau_1)^{-1},\quad K = p\,(pD + \tau_2)^{-1},\quad
    \tau_a = \sum m\,l_a G_{aa}

so features are one more group of rows, of the other field. The next order is that of
``flow_next_order`` with sums over fields,

.. math:: \Gamma(Y)_a = \sum_g n_g T_g \Bigl[\sum_b \sum m\,l_a l_b\,G_{ab} Y_b G_{ba}\Bigr] T_g.

Derivation: docs/epochwise_descent.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._types import Array, needs_float64
from ci_theory.theory.dynamics.complex_ridge import complex_levels
from ci_theory.theory.dynamics.flow_next_order import COUNT, FlowShift
from ci_theory.theory.dynamics.talbot import contour
from ci_theory.theory.spectra.groups import Groups, counted
from ci_theory.theory.spectra.spectrum import Spectrum, trace

__all__ = ["feature_flow_shift"]


class _Copy(NamedTuple):
    """One copy of the weights at its ridge: G (2, 2, m), T of the rows (g,), and K."""

    modes: Array
    rows: Array
    features: Array


class _Response(NamedTuple):
    """What a source does beside the diagonal, to first order.

    Attributes:
        modes: of the inverse of G, on the fields of a mode, (2, m).
        rows: minus that of the inverse of T, (g,); ``features``: likewise, p times.
        own: the source's own part of ``rows``, (g,).
        pushed: minus that of G: from the first copy to the second, and back, (2, 2, m) each.
        x: of the sums over modes, with each copy's G, (2, 2, 2).
        y: of the sums over rows and features, with each copy's T, (2, 2).
    """

    modes: Array
    rows: Array
    features: Array
    own: Array
    pushed: tuple[Array, Array]
    x: tuple[Array, Array]
    y: tuple[Array, Array]


def _copy(spectrum: Spectrum, groups: Groups, ridge: Array, tau: Array, left: Array) -> _Copy:
    rows = groups.weights / (1 + groups.weights * tau)
    given, features = jnp.sum(groups.counts * rows) * spectrum.eigenvalues, left / ridge
    one = jnp.ones_like(given)
    fields = jnp.stack([jnp.stack([features * one, -one]), jnp.stack([one, given])])
    return _Copy(fields / (1 + given * features)[None, None], rows, features)


def _shifts(
    first: _Copy, second: _Copy, spectrum: Spectrum, groups: Groups, per_feature: Array
) -> Array:
    """Return the next order of the two-point errors (4,), see ``FlowShift``; train errors summed.

    Each is half the mixed derivative of F_1 with respect to two sources, up to its sign.
    """
    lam, many, n, c = (
        spectrum.eigenvalues, spectrum.multiplicity, groups.counts, groups.weights
    )  # fmt: skip
    there = (many != 0) & (lam > 0)
    target = jnp.where(there, spectrum.power / jnp.where(there, lam * many, 1.0), 0.0)
    both = (first, second)
    level = jnp.stack([lam, jnp.ones_like(lam)])
    weight = many[None, None] * level[:, None] * level[None]
    across = first.rows * second.rows, first.features * second.features

    def modes(g: Array, h: Array) -> Array:
        """Sum m l_a l_b g_ab h_ba over modes, (2, 2)."""
        return jnp.sum(weight * g * jnp.swapaxes(h, 0, 1), axis=-1)

    def counted(on_rows: Array, on_features: Array, order: int) -> Array:
        """Sum over rows, and over features whose T are K/p in a product of this order, (2,)."""
        return jnp.stack([jnp.sum(n * on_rows), on_features * per_feature ** (order - 1)])

    a = [counted(one.rows**2, one.features**2, 2) for one in both]
    b = [modes(one.modes, one.modes) for one in both]
    a_mixed, b_mixed = counted(*across, 2), modes(first.modes, second.modes)
    solve = [_inverse(jnp.eye(2) - x[:, None] * y) for x, y in zip(a, b, strict=True)]
    solve_mixed = _inverse(jnp.eye(2) - a_mixed[:, None] * b_mixed)

    def response(source: Array, own: Array) -> _Response:
        """Return the response to a source on the fields of the modes (2, m) and on rows (g,)."""
        passed = _through(first.modes, source, second.modes)
        held = _on_fields(many, level, passed)
        moved = solve_mixed @ (counted(across[0] * own, jnp.zeros(()), 2) + a_mixed * held)
        in_modes = level * moved[:, None] + source
        tau = b_mixed @ moved + held  # minus the change of tau
        rows, features = own + tau[0], tau[1]
        over = _through(first.modes, in_modes, second.modes)
        back = _through(second.modes, in_modes, first.modes)
        x = -modes(over, first.modes), -modes(back, second.modes)
        y = [
            counted(across[0] * rows * one.rows, across[1] * features * one.features, 3)
            for one in both
        ]
        return _Response(in_modes, rows, features, own, (over, back), x, (y[0], y[1]))

    def mixed(e: _Response, f: _Response) -> Array:
        """Return -1/2 of the mixed derivative of F_1."""
        squared = counted(
            across[0] ** 2 * e.rows * f.rows, across[1] ** 2 * e.features * f.features, 4
        )
        beside = 4 * squared[:, None] * b_mixed
        turned = modes(e.pushed[0], f.pushed[0])
        beside = beside + 2 * a_mixed[:, None] * (turned + turned.T)
        for i in (0, 1):
            beside = beside + 2 * (e.y[i][:, None] * f.x[i] + f.y[i][:, None] * e.x[i])
        total = _trace(solve_mixed, beside)
        for i in (0, 1):
            one = both[i]
            # second-order changes on the diagonal: of G, and of T
            pushed = _through(e.pushed[i], f.modes, one.modes)
            pushed = pushed + _through(f.pushed[i], e.modes, one.modes)
            moved = _on_fields(many, level, pushed)
            rows = 2 * one.rows * (across[0] * e.rows * f.rows - one.rows * c * e.own * f.own)
            features = 2 * one.features * across[1] * e.features * f.features
            by = solve[i] @ (counted(rows, features, 3) - a[i] * moved)
            tau = moved - b[i] @ by
            in_modes = pushed - _through(one.modes, level * by[:, None], one.modes)
            in_rows = one.rows * (rows - one.rows**2 * tau[0])
            in_features = one.features * (features * per_feature - one.features**2 * tau[1])
            change = 2 * counted(in_rows, in_features, 3)[:, None] * b[i]
            sums = modes(in_modes, one.modes)
            change = change + a[i][:, None] * (sums + sums.T)
            change = change + 2 * (e.y[i][:, None] * f.x[i].T + f.y[i][:, None] * e.x[i].T)
            outward = [s.y[i][:, None] * b_mixed + a[i][:, None] * s.x[i] for s in (e, f)]
            inward = [s.y[i][:, None] * b[i] + a_mixed[:, None] * s.x[i].T for s in (e, f)]
            cross = outward[0] @ solve_mixed @ inward[1] + outward[1] @ solve_mixed @ inward[0]
            total = total + _trace(solve[i], change + 2 * cross)
        return 0.25 * total

    def slope(i: int, own: Array) -> Array:
        """Return the derivative of F_1 of one copy by a source on its rows (g,)."""
        one = both[i]
        moved = solve[i] @ counted(one.rows**2 * own, jnp.zeros(()), 2)
        tau = b[i] @ moved
        in_a = 2 * counted(one.rows**3 * (own + tau[0]), one.features**3 * tau[1], 3)
        turned = modes(_through(one.modes, level * moved[:, None], one.modes), one.modes)
        in_b = -(turned + turned.T)
        return -0.5 * _trace(solve[i], in_a[:, None] * b[i] + a[i][:, None] * in_b)

    # Sources of the covariance, the target, the label noise and the residuals, in pairs.
    still, none = jnp.zeros_like(c), jnp.zeros_like(lam)
    on_modes = jnp.stack([jnp.stack(v) for v in ((lam, none), (none, target), *[(none, none)] * 2)])
    made = jax.vmap(response)(on_modes, jnp.stack([still, still, groups.noise, 1 / c]))
    one, other = (
        jax.tree.map(lambda leaf, order=order: leaf[np.array(order)], made)
        for order in ([0, 0, 1, 2], [1, 2, 3, 3])
    )
    errors = jnp.array([-1, 1, -1, 1]) * jax.vmap(mixed)(one, other)
    return errors.at[3].add(-slope(0, groups.noise) - slope(1, groups.noise))


@needs_float64
@jax.jit
def feature_flow_shift(
    spectrum: Spectrum, groups: Groups, time: Any, ridge: Any, p: Any
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

    Returns:
        shifts of the four parts [label^2]; NaN and OUT_OF_SCOPE outside these bounds.

    Regime: the next term of the expansion in 1/n and 1/p at fixed time; see ``flow_shift``.

    Limits: p -> infinity: ``flow_shift``; t -> infinity, equal rows: ``feature_next_order``.

    Source: derived here (docs/epochwise_descent.md).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> shift = feature_flow_shift(isotropic(90), plain_rows(100, 1.0), 1e6, 0.0, 50)
    >>> exact, limit = 50 / (100 - 50 - 1), 50 / (100 - 50)  # of least squares
    >>> print(f"{float(shift.noise):.4f} {exact - limit:.4f}")
    0.0200 0.0204
    """
    weights = jnp.asarray(groups.weights, float)
    groups = Groups(
        counts=jnp.where(weights > 0, counted(groups.counts), 0.0),
        weights=jnp.where(weights > 0, weights, 1.0),
        noise=jnp.asarray(groups.noise, float),
    )
    spectrum = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), spectrum)
    time, ridge, p = (jnp.asarray(v, float) for v in (time, ridge, p))
    inside = (time > 0) & (ridge >= 0) & (p > 0) & (jnp.sum(groups.counts) > 0)
    inside = inside & (trace(spectrum) > 0)
    inside = inside & (spectrum.tail_trace == 0) & (spectrum.tail_power == 0)
    when, delta, p = (jnp.where(inside, v, e) for v, e in ((time, 1.0), (ridge, 0.0), (p, 1e6)))
    nodes = contour(COUNT)
    copies = jnp.sum(groups.counts * groups.weights)
    deltas = delta + copies * nodes.nodes / when
    at = jax.vmap(complex_levels, (None, None, None, 0))(spectrum, groups, p, deltas)
    upper = jax.vmap(_copy, (None, None, 0, 0, 0))(spectrum, groups, deltas, 1 / at.ratio, at.left)
    whole = jax.tree.map(lambda leaf: jnp.concatenate([leaf, jnp.conj(leaf)]), upper)
    across = jax.vmap(jax.vmap(_shifts, (None, 0, None, None, None)), (0, None, None, None, None))
    table = across(upper, whole, spectrum, groups, 1 / p)  # (half, whole, 4)
    half = nodes.weights / nodes.nodes
    pairs = half[:, None] * np.concatenate([half, np.conj(half)])[None, :]
    shifts = 2 * jnp.sum(pairs[:, :, None] * table, axis=(0, 1)).real
    signal, noise, left, held = jnp.where(inside, shifts, jnp.nan)
    status = jnp.where(inside, jnp.max(at.status), Status.OUT_OF_SCOPE)
    return FlowShift(signal, noise, left / copies, held / copies, status)


def _on_fields(many: Array, level: Array, g: Array) -> Array:
    """Sum m l_a g_aa over modes, (2,)."""
    return jnp.sum(many[None] * level * jnp.stack([g[0, 0], g[1, 1]]), axis=-1)


def _through(g: Array, source: Array, h: Array) -> Array:
    """Return the product g diag(source) h of a mode's fields, (2, 2, m)."""
    return g[:, :1] * source[None, :1] * h[:1] + g[:, 1:] * source[None, 1:] * h[1:]


def _inverse(matrix: Array) -> Array:
    """Invert a 2 x 2 matrix."""
    (a, b), (c, d) = matrix
    return jnp.stack([jnp.stack([d, -b]), jnp.stack([-c, a])]) / (a * d - b * c)


def _trace(one: Array, other: Array) -> Array:
    return jnp.sum(one * other.T)
