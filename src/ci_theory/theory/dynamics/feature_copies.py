r"""Two copies of the weights on one draw of rows and random features, and what ties them.

Copies at two ridges share rows and features, and their two-point errors are second derivatives of

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

Derivation: docs/dynamics/epochwise_descent.md.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._types import Array
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.spectrum import Spectrum

__all__ = ["Copy", "copied", "shifts", "slope"]


class Copy(NamedTuple):
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
        pushed: minus that of G: from the first copy to the second, and back, (2, 2, 2, m).
        x: of the sums over modes, with each copy's G, (2, 2, 2).
        y: of the sums over rows and features, with each copy's T, (2, 2).
    """

    modes: Array
    rows: Array
    features: Array
    own: Array
    pushed: Array
    x: Array
    y: Array


def copied(spectrum: Spectrum, groups: Groups, ridge: Array, tau: Array, left: Array) -> Copy:
    """Return the copy at a total ridge.

    Args:
        spectrum: covariance of the inputs, (m,) modes.
        groups: training rows, all of positive weight, (g,).
        ridge: total ridge, complex on a contour.
        tau: tr Sigma G of the rows' field, one over the ratio of ``complex_levels``.
        left: its share of features left.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> made = copied(isotropic(5), plain_rows(8, 0.0), *map(jnp.asarray, (2.0, 1.0, 1.0)))
    >>> print(made.modes.shape, made.rows, made.features)
    (2, 2, 1) [0.5] 0.5
    """
    rows = groups.weights / (1 + groups.weights * tau)
    given, features = jnp.sum(groups.counts * rows) * spectrum.eigenvalues, left / ridge
    one = jnp.ones_like(given)
    fields = jnp.stack([jnp.stack([features * one, -one]), jnp.stack([one, given])])
    return Copy(fields / (1 + given * features)[None, None], rows, features)


def shifts(
    first: Copy, second: Copy, spectrum: Spectrum, groups: Groups, per_feature: Array
) -> Array:
    """Return the next order of the two-point errors (4,), see ``FlowShift``; train errors summed.

    Each is half the mixed derivative of F_1 with respect to two sources, up to its sign.
    """
    lam, many, n, c = (
        spectrum.eigenvalues, spectrum.multiplicity, groups.counts, groups.weights
    )  # fmt: skip
    there = (many != 0) & (lam > 0)
    target = jnp.where(there, spectrum.power / jnp.where(there, lam * many, 1.0), 0.0)
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), first, second)
    level = jnp.stack([lam, jnp.ones_like(lam)])
    weight = many[None, None] * level[:, None] * level[None]
    across = first.rows * second.rows, first.features * second.features

    def modes(g: Array, h: Array) -> Array:
        """Sum m l_a l_b g_ab h_ba over modes, (2, 2)."""
        return jnp.sum(weight * g * jnp.swapaxes(h, 0, 1), axis=-1)

    def counted(on_rows: Array, on_features: Array, order: int) -> Array:
        """Sum over rows, and over features whose T are K/p in a product of this order, (2,)."""
        return jnp.stack([jnp.sum(n * on_rows), on_features * per_feature ** (order - 1)])

    a = jax.vmap(lambda one: counted(one.rows**2, one.features**2, 2))(both)
    b = jax.vmap(modes)(both.modes, both.modes)
    a_mixed, b_mixed = counted(*across, 2), modes(first.modes, second.modes)
    solve = jax.vmap(lambda x, y: _inverse(jnp.eye(2) - x[:, None] * y))(a, b)
    solve_mixed = _inverse(jnp.eye(2) - a_mixed[:, None] * b_mixed)

    def response(source: Array, own: Array) -> _Response:
        """Return the response to a source on the fields of the modes (2, m) and on rows (g,)."""
        passed = _through(first.modes, source, second.modes)
        held = _on_fields(many, level, passed)
        moved = solve_mixed @ (counted(across[0] * own, jnp.zeros(()), 2) + a_mixed * held)
        in_modes = level * moved[:, None] + source
        tau = b_mixed @ moved + held  # minus the change of tau
        rows, features = own + tau[0], tau[1]
        pushed = jax.vmap(lambda g, h: _through(g, in_modes, h))(both.modes, both.modes[::-1])

        def on_copy(one: Copy) -> Array:
            return counted(across[0] * rows * one.rows, across[1] * features * one.features, 3)

        x, y = -jax.vmap(modes)(pushed, both.modes), jax.vmap(on_copy)(both)
        return _Response(in_modes, rows, features, own, pushed, x, y)

    def mixed(e: _Response, f: _Response) -> Array:
        """Return -1/2 of the mixed derivative of F_1."""
        squared = counted(
            across[0] ** 2 * e.rows * f.rows, across[1] ** 2 * e.features * f.features, 4
        )
        beside = 4 * squared[:, None] * b_mixed
        turned = modes(e.pushed[0], f.pushed[0])
        beside = beside + 2 * a_mixed[:, None] * (turned + turned.T)
        beside = beside + 2 * jnp.sum(e.y[:, :, None] * f.x + f.y[:, :, None] * e.x, axis=0)
        turned_rows = across[0] * e.rows * f.rows
        turned_features = across[1] * e.features * f.features

        def on_copy(one: Copy, a: Array, b: Array, solve: Array, e_of: tuple, f_of: tuple) -> Array:
            """Add second-order changes on a copy's own diagonal: of G, and of T."""
            (e_pushed, e_x, e_y), (f_pushed, f_x, f_y) = e_of, f_of
            pushed = _through(e_pushed, f.modes, one.modes)
            pushed = pushed + _through(f_pushed, e.modes, one.modes)
            moved = _on_fields(many, level, pushed)
            rows = 2 * one.rows * (turned_rows - one.rows * c * e.own * f.own)
            features = 2 * one.features * turned_features
            by = solve @ (counted(rows, features, 3) - a * moved)
            tau = moved - b @ by
            in_modes = pushed - _through(one.modes, level * by[:, None], one.modes)
            in_rows = one.rows * (rows - one.rows**2 * tau[0])
            in_features = one.features * (features * per_feature - one.features**2 * tau[1])
            change = 2 * counted(in_rows, in_features, 3)[:, None] * b
            sums = modes(in_modes, one.modes)
            change = change + a[:, None] * (sums + sums.T)
            change = change + 2 * (e_y[:, None] * f_x.T + f_y[:, None] * e_x.T)
            out_e, out_f = (y[:, None] * b_mixed + a[:, None] * x for _, x, y in (e_of, f_of))
            in_e, in_f = (y[:, None] * b + a_mixed[:, None] * x.T for _, x, y in (e_of, f_of))
            cross = out_e @ solve_mixed @ in_f + out_f @ solve_mixed @ in_e
            return _trace(solve, change + 2 * cross)

        of = ((s.pushed, s.x, s.y) for s in (e, f))
        own = jax.vmap(on_copy)(both, a, b, solve, *of)
        return 0.25 * (_trace(solve_mixed, beside) + jnp.sum(own))

    # Sources of the covariance, the target, the label noise and the residuals, in pairs.
    still, none = jnp.zeros_like(c), jnp.zeros_like(lam)
    on_modes = jnp.stack([jnp.stack(v) for v in ((lam, none), (none, target), *[(none, none)] * 2)])
    made = jax.vmap(response)(on_modes, jnp.stack([still, still, groups.noise, 1 / c]))
    one, other = (
        jax.tree.map(lambda leaf, order=order: leaf[np.array(order)], made)
        for order in ([0, 0, 1, 2], [1, 2, 3, 3])
    )
    errors = jnp.array([-1, 1, -1, 1]) * jax.vmap(mixed)(one, other)
    own = jax.vmap(lambda at: slope(at, spectrum, groups, per_feature, none[None], groups.noise))
    return errors.at[3].add(-jnp.sum(own(both)))


def slope(
    one: Copy, spectrum: Spectrum, groups: Groups, per_feature: Array, source: Array, own: Array
) -> Array:
    """Return the derivative of F_1 of one copy by a source on the fields of the modes and on rows.

    F_1 = log det(1 - A B) / 2 with A_a = sum T^2 over rows or features, and B_ab = sum m l_a l_b
    G_ab G_ba over modes.

    Args:
        source: of the inverse of G, (2, m) or (1, 1).
        own: minus that of the inverse of T, on rows alone, (g,).
    """
    many, level = (
        spectrum.multiplicity,
        jnp.stack([spectrum.eigenvalues, jnp.ones_like(spectrum.eigenvalues)]),
    )
    weight = many[None, None] * level[:, None] * level[None]

    def counted(on_rows: Array, on_features: Array, order: int) -> Array:
        whole = jnp.sum(groups.counts * on_rows)
        return jnp.stack([whole, on_features * per_feature ** (order - 1)])

    def modes(g: Array, h: Array) -> Array:
        return jnp.sum(weight * g * jnp.swapaxes(h, 0, 1), axis=-1)

    a = counted(one.rows**2, one.features**2, 2)
    b = modes(one.modes, one.modes)
    solve = _inverse(jnp.eye(2) - a[:, None] * b)
    held = _on_fields(many, level, _through(one.modes, source + 0 * level, one.modes))
    moved = solve @ (counted(one.rows**2 * own, jnp.zeros(()), 2) + a * held)
    tau = b @ moved + held
    in_a = 2 * counted(one.rows**3 * (own + tau[0]), one.features**3 * tau[1], 3)
    passed = _through(one.modes, level * moved[:, None] + source, one.modes)
    turned = modes(passed, one.modes)
    in_b = -(turned + turned.T)
    return -0.5 * _trace(solve, in_a[:, None] * b + a[:, None] * in_b)


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
