r"""The fixed point of ridge regression at a complex ridge: what Laplace transforms in time need.

Rows in ``Groups``, p random features (or the inputs themselves, p = infinity). With kappa the
effective ridge, z = df1(kappa), rho the weight of the ridge on the scale of row weights, and
beta = 1 - z/p the share of the features that is left,

.. math:: \sum_g n_g h_g = z, \quad h_g = \frac{c_g}{\rho + c_g}, \qquad
    \rho\, z\, \kappa\, \beta = \delta

The root is analytic in delta off the negative real axis, and there unique by continuation from
the positive axis: it is solved at |delta| and carried along the arc to arg delta. Newton works
on log kappa, log rho and log beta together, so that each may be tiny without losing digits.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Complex

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, needs_float64
from ci_theory.theory.spectra.fixed_point import GOOD
from ci_theory.theory.spectra.groups import Groups, counted
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, per_kappa

__all__ = ["ComplexLevels", "complex_levels", "levels_along", "leverages"]

ARC_STEPS, AT_EACH, LAST = 14, 2, 5
"""Steps of continuation, and Newton steps at each and at the end; the nodes of ``talbot`` reach
146 degrees, so a step is below 11."""

HALVINGS, REACH = 64, 250.0
"""Bisection of the real root in the logarithm of rho, between exp(-REACH) and exp(REACH)."""


class ComplexLevels(NamedTuple):
    """The fixed point at one complex ridge.

    Attributes:
        kappa: effective ridge [x^2], complex.
        ratio: rho, complex.
        left: beta = 1 - df1/p; 1 without a limit on features.
        status: OK, NOT_CONVERGED or OUT_OF_SCOPE (no rows, no features, no ridge).
        residual: relative size of the last Newton step.
    """

    kappa: Complex[Array, ""]
    ratio: Complex[Array, ""]
    left: Complex[Array, ""]
    status: Int[Array, ""]
    residual: Float[Array, ""]


def leverages(weights: Any, ratio: Any) -> tuple[Array, Array]:
    """Return h and 1 - h, each as one quotient; a row of weight 0 has h = 0.

    >>> h, left = leverages(jnp.array([1.0, 3.0, 0.0]), 1.0)
    >>> print(h, left)
    [0.5  0.75 0.  ] [0.5  0.25 1.  ]
    """
    there = weights > 0
    whole = jnp.where(there, ratio + weights, 1.0)
    return weights / whole, jnp.where(there, ratio / whole, 1.0)


def _newton(state: tuple, spectrum: Spectrum, groups: Groups, p: Any, delta: Any) -> tuple:
    """Return the Newton step in (log kappa, log rho, log beta).

    Rows mostly memorised and modes mostly learned are counted as whole ones less what they miss;
    rows are balanced against modes or against features, whichever are nearer in number.
    """
    kappa, ratio, left = state
    x, y = fractions(spectrum.eigenvalues, kappa)
    tail = per_kappa(spectrum.tail_trace, kappa)
    h, miss = leverages(groups.weights, ratio)
    used = jnp.sum(groups.counts * h)
    second = jnp.sum(spectrum.multiplicity * x * y) + tail
    movable = jnp.sum(groups.counts * h * miss)

    held, learned = jnp.abs(h) > 0.5, jnp.abs(x) > 0.5
    rows = jnp.sum(groups.counts * jnp.where(held, -miss, h))
    modes = jnp.sum(spectrum.multiplicity * jnp.where(learned, -y, x)) + tail
    whole_rows = jnp.sum(jnp.where(held, groups.counts, 0.0))
    whole_modes = jnp.sum(jnp.where(learned, spectrum.multiplicity, 0.0))
    limited = jnp.isfinite(p)
    share, count = 1 / p, jnp.where(limited, p, 0.0)
    features = jnp.where(limited, share * ((whole_modes - count) + modes) + left, left - 1)
    by_rank = (whole_rows - whole_modes) + (rows - modes)
    by_features = (whole_rows - count) + rows + count * left - count * features
    nearer = jnp.abs(whole_rows - count) < jnp.abs(whole_rows - whole_modes)
    balance = jnp.where(limited & nearer, by_features, by_rank)
    level = jnp.log(ratio * used * kappa * left / delta)

    slope = 1 - movable / used
    both = left + share * second
    whole = movable * both + second * left * slope
    in_ratio = (balance * both + second * (features - left * level)) / whole
    in_kappa = (movable * (features - left * level) - left * slope * balance) / whole
    return in_kappa, in_ratio, -level - slope * in_ratio - in_kappa


def _bisected(rising: Any) -> Array:
    """Return where an increasing function of a positive number changes sign."""

    def halve(_: Any, bracket: tuple) -> tuple:
        low, high = bracket
        middle = 0.5 * (low + high)
        above = rising(jnp.exp(middle)) > 0
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    ends = jnp.full((), -REACH), jnp.full((), REACH)
    low, high = lax.fori_loop(0, HALVINGS, halve, ends)
    return jnp.exp(0.5 * (low + high))


def _real_root(spectrum: Spectrum, groups: Groups, p: Array, delta: Array) -> tuple:
    """Solve at a positive ridge; see ``repeated_features`` for the counting from rho_0."""
    weights = jnp.where(groups.weights > 0, groups.weights, 1.0)
    rows = jnp.sum(groups.counts)
    over = rows > p
    full = _bisected(lambda rho: p - jnp.sum(groups.counts * weights / (rho + weights)))
    start = jnp.where(over, full, 0.0)

    def levels(step: Array) -> tuple:
        rho = start + step
        gap = step * jnp.sum(groups.counts * weights / ((start + weights) * (rho + weights)))
        used = jnp.minimum(rows, p) - gap
        used = jnp.where(
            used < 0.5 * rows, jnp.sum(groups.counts * weights / (rho + weights)), used
        )
        left = jnp.where(over, gap, gap + (p - rows)) / p
        left = jnp.where(jnp.isfinite(p), left, 1.0)
        return delta / (rho * used * left), rho, left, used

    def surplus(step: Array) -> Array:
        kappa, _, _, used = levels(step)
        learned, _ = fractions(spectrum.eigenvalues, kappa)
        degrees = jnp.sum(spectrum.multiplicity * learned) + spectrum.tail_trace / kappa
        return degrees - used

    return levels(_bisected(surplus))[:3]


def _moved(state: tuple, step: tuple) -> tuple:
    """Apply a step; a step beyond 1 in a logarithm is shortened.

    By how much is not differentiated: at the root it is not at all, and there the absolute value
    of a step has no derivative.
    """
    size = lax.stop_gradient(jnp.maximum(jnp.max(jnp.abs(jnp.stack(step))), 1.0))
    return tuple(v * jnp.exp(d / size) for v, d in zip(state, step, strict=True))


@jax.custom_jvp
def _solved(spectrum: Spectrum, groups: Groups, p: Array, delta: Array) -> tuple[tuple, Array]:
    """Return kappa, rho and beta, and the relative size of the last step."""
    size, angle = jnp.abs(delta), jnp.angle(delta)
    state = tuple(v.astype(complex) for v in _real_root(spectrum, groups, p, size))

    def along(i: Array, at: tuple) -> tuple:
        state, _ = at
        part = jnp.minimum((i // AT_EACH + 1) / ARC_STEPS, 1.0)
        step = _newton(state, spectrum, groups, p, size * jnp.exp(1j * angle * part))
        return _moved(state, step), jnp.max(jnp.abs(jnp.stack(step)))

    return lax.fori_loop(0, ARC_STEPS * AT_EACH + LAST, along, (state, jnp.full((), jnp.inf)))


@_solved.defjvp
def _implicit(primals: tuple, tangents: tuple) -> tuple:
    """Let one more step, of size 0, carry the derivatives of the implicit function."""
    state, residual = _solved(*primals)
    moved = jax.jvp(lambda *at: _moved(state, _newton(state, *at)), primals, tangents)[1]
    return (state, residual), (moved, jnp.zeros_like(residual))


@needs_float64
@jax.jit
def complex_levels(spectrum: Spectrum, groups: Groups, p: Any, delta: Any) -> ComplexLevels:
    r"""Solve the fixed point at a complex ridge.

    Args:
        spectrum: of the features' mean kernel.
        groups: training rows.
        p: features, > 0; infinite for ridge regression on the inputs.
        delta: total ridge, complex, |arg| < pi and not 0.

    Returns:
        the fixed point. A root that leaves the sector 0 <= arg kappa <= arg delta, in which it
        must lie (kappa is a Herglotz function of delta), is NOT_CONVERGED.

    Regime: exact solution of the equations, relative error near 1e-15 times the condition of
    the root; the equations are the limit n, p -> infinity. Derivatives, first and higher, are
    those of the implicit function.

    Source: the fixed points of docs/rows/repetition.md and Simon et al., arXiv:2311.14646,
    continued.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> at = complex_levels(isotropic(50), plain_rows(100, 0.0), jnp.inf, 30.0 + 40.0j)
    >>> kappa = complex(at.kappa)
    >>> abs(kappa * (100 - 50 / (1 + kappa)) - (30 + 40j)) < 1e-12
    True
    """
    groups = Groups(
        counts=jnp.where(jnp.asarray(groups.weights) > 0, counted(groups.counts), 0.0),
        weights=jnp.asarray(groups.weights, float),
        noise=jnp.asarray(groups.noise, float),
    )
    p, delta = jnp.asarray(p, float), jnp.asarray(delta, complex)
    size, angle = (lax.stop_gradient(part(delta)) for part in (jnp.abs, jnp.angle))
    inside = jnp.all(groups.counts >= 0) & (jnp.sum(groups.counts) > 0) & (p > 0) & (size > 0)
    (kappa, ratio, left), residual = _solved(spectrum, groups, p, delta)
    turn = jnp.angle(lax.stop_gradient(kappa)) * jnp.where(angle < 0, -1.0, 1.0)
    sector = (turn > -1e-9) & (turn < jnp.abs(angle) + 1e-9)
    good = (residual <= GOOD) & sector
    status = jnp.where(good, Status.OK, Status.NOT_CONVERGED)
    status = jnp.where(inside, status, Status.OUT_OF_SCOPE)
    return ComplexLevels(kappa, ratio, left, status, residual)


def levels_along(
    spectrum: Spectrum, groups: Groups, p: Any, *ridges: Any
) -> tuple[ComplexLevels, ...]:
    """Solve at several sets of ridges as one: to compile takes longer than to solve.

    Args:
        spectrum: as in ``complex_levels``, like the next two.
        groups: training rows.
        p: features.
        *ridges: total ridges, scalars or (k,), of any lengths.

    Returns:
        the levels of each set, of its shape.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> rows = plain_rows(100, 0.0)
    >>> one, two = levels_along(isotropic(50), rows, jnp.inf, 1.0, jnp.array([2.0, 1j]))
    >>> print(one.kappa.shape, two.kappa.shape)
    () (2,)
    """
    deltas = jnp.concatenate([jnp.ravel(jnp.asarray(each, complex)) for each in ridges])
    found = jax.vmap(complex_levels, (None, None, None, 0))(spectrum, groups, p, deltas)
    ends = np.cumsum([np.size(each) for each in ridges]).tolist()

    def part(each: Any, end: int) -> ComplexLevels:
        shape, begin = np.shape(each), end - np.size(each)
        return ComplexLevels(*(leaf[begin:end].reshape(shape) for leaf in found))

    return tuple(part(each, end) for each, end in zip(ridges, ends, strict=True))
