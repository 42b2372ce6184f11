"""Scalar fixed points: the effective ridge kappa, and a general positive root.

Both return a ``Root``: value, status and residual as data, so that one bad point of a batch
spoils nothing. Both run under jit and vmap and carry implicit derivatives.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Number, Scalar, needs_float64
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import Spectrum, fractions, per_kappa, total

__all__ = ["Root", "log_root", "solve_kappa"]

MOST_STEPS = 128
GOOD = 1e-10  # a residual (relative uncertainty of the value) above this is NOT_CONVERGED


class Root(NamedTuple):
    """A root.

    Attributes:
        value: the root; of no use unless the status is OK.
        status: OK, NOT_CONVERGED, OUT_OF_SCOPE (inputs without a root) or NOT_FINITE.
        residual: relative size of the solver's next step: the relative error that is left.
    """

    value: Scalar
    status: Int[Array, ""]
    residual: Scalar


@needs_float64
def solve_kappa(spectrum: Spectrum, n: Number, ridge: Number) -> Root:
    """Solve for the effective ridge that n rows leave of a total ridge.

        n = df1(kappa) + ridge / kappa

    Args:
        spectrum: eigenvalues of the covariance [x^2].
        n: training rows, > 0; need not be whole, and may be infinite.
        ridge: total ridge [x^2], >= 0. At 0 kappa is 0 when n >= rank, and solves
            df1(kappa) = n otherwise.

    Returns:
        kappa [x^2]; NaN with OUT_OF_SCOPE for n <= 0 or ridge < 0, with NOT_FINITE for a ridge
        that is not finite or an n that is no number.

    Regime: exact solution of the equation (relative error near 1e-15, also at n = p with a ridge
    of 1e-12); the equation itself is the limit n, p -> infinity.

    Method. At the current kappa each mode's
    ``lambda/(lambda + kappa')`` is replaced by the ``A - s kappa' + b/kappa'`` that meets it to
    second order; the difference is ``s (kappa' - kappa)^3 / (kappa' (lambda + kappa'))``, of one
    sign on either side, so the root of the replaced equation (a quadratic) is never beyond the
    true one: steps are monotone from any start and cubic at the end. (Newton halves its error
    some 30 times at the peak.) With x, y the fractions learned and not, the quadratic in
    r = kappa'/kappa is

        S r^2 + (n - A) r - C = 0,   S = sum m x^2 y,   C = sum m x y^2 + (tail + ridge)/kappa,
        n - A = (n - N) + sum_{lambda>kappa} m y - sum_{lambda<=kappa} m x - S + sum m x y^2

    with N the number of modes above kappa: what is subtracted is never larger than what kappa
    can be seen by, d12. One node is solved at once.

    Source: of the equation e.g. Canatar, Bordelon, Pehlevan, arXiv:2006.13198; Simon et al.,
    arXiv:2110.03922; Hastie et al., arXiv:1903.08560; the method is derived in docs/ridge/ridge.md.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> root = solve_kappa(isotropic(100), 200, 1e-3)
    >>> print(f"{float(root.value):.6e}", int(root.status))
    9.999900e-06 0
    """
    n, ridge = counted(n), jnp.asarray(ridge, float)
    kappa, residual = _kappa(
        spectrum.eigenvalues, spectrum.multiplicity, spectrum.tail_trace + ridge, n
    )
    outside = (n <= 0) | (ridge < 0)
    kappa = jnp.where(outside, jnp.nan, kappa)
    status = jnp.where(residual <= GOOD, Status.OK, Status.NOT_CONVERGED)
    status = jnp.where(jnp.isfinite(kappa), status, Status.NOT_FINITE)
    return Root(kappa, jnp.where(outside, Status.OUT_OF_SCOPE, status), residual)


@jax.custom_jvp
def _kappa(eigenvalues: Any, multiplicity: Any, amount: Any, n: Any) -> tuple[Array, Array]:
    """Kappa and its residual; ``amount`` is the ridge plus the trace of the tail."""
    return _iterate(eigenvalues, multiplicity, amount, n)[:2]


@jax.jit
def _iterate(eigenvalues: Any, multiplicity: Any, amount: Any, n: Any) -> tuple:
    """Kappa, its residual and the steps taken."""
    count = jnp.where(eigenvalues > 0, multiplicity, 0.0)
    whole = jnp.round(count)
    part = count - whole
    modes = jnp.sum(whole) + jnp.sum(part)
    empty = (amount == 0) & (n >= modes)  # least squares: kappa is 0
    real = (n > 0) & (amount >= 0) & jnp.isfinite(n) & jnp.isfinite(amount)
    asked = real & ~empty

    def ratio(kappa: Array) -> Array:
        x, y = fractions(eigenvalues, kappa)
        above = eigenvalues > kappa
        mask = jnp.where(above, 1.0, 0.0)
        missing = (n - total(whole, mask)) - total(part, mask)
        s, c = total(count, x * x * y), total(count, x * y * y)
        b = missing + (total(count, jnp.where(above, y, -x)) - s + c)
        return _positive_root(s, b, c + amount / kappa)

    def advance(state: tuple) -> tuple:
        kappa, last, _, steps = state
        step = ratio(kappa) - 1
        return kappa * (1 + step), step, last, steps + 1

    def moving(state: tuple) -> Array:
        _, step, last, steps = state
        turned = (step * last < 0) & jnp.isfinite(last)  # rounding: no nearer than this
        onward = (jnp.abs(step) > 1e-15) & ~turned
        return asked & onward & (steps < MOST_STEPS)

    if eigenvalues.shape == (1,):
        start = _one_node(eigenvalues[0], modes, amount, n)
    else:
        start = (total(count, eigenvalues) + amount) / jnp.where(asked, n, 1.0)
    start = jnp.where(asked & (start > 0), start, 1.0)
    infinite = jnp.full_like(start, jnp.inf)
    kappa, step, _, steps = lax.while_loop(moving, advance, (start, infinite, infinite, 0))
    kappa = jnp.where(asked, kappa, jnp.where(empty & real, 0.0, jnp.nan))
    return kappa, jnp.where(empty, 0.0, jnp.abs(step)), steps


def _positive_root(a: Array, b: Array, c: Array) -> Array:
    """Positive root of ``a r^2 + b r = c`` with a, c >= 0, without cancellation."""
    root = jnp.sqrt(b * b + 4 * a * c)
    rising = b > 0
    return jnp.where(
        rising, 2 * c / jnp.where(rising, b + root, 1.0), (root - b) / jnp.where(rising, 1.0, 2 * a)
    )


def _one_node(variance: Array, p: Array, amount: Array, n: Array) -> Array:
    """Kappa for p equal modes: a quadratic."""
    return _positive_root(n, (n - p) * variance - amount, amount * variance)


@_kappa.defjvp
def _kappa_jvp(primals: tuple, tangents: tuple) -> tuple:
    eigenvalues, multiplicity, amount, n = primals
    d_eigenvalues, d_multiplicity, d_amount, d_n = tangents
    kappa, residual = _kappa(*primals)
    x, y = fractions(eigenvalues, kappa)
    positive = kappa > 0
    safe = jnp.where(positive, kappa, 1.0)
    slope = total(multiplicity, x * y) + per_kappa(amount, kappa)
    # d(sum m x) at fixed kappa; dx/dlambda = y / (lambda + kappa) = y^2 / kappa
    moved = jnp.sum(d_multiplicity * x + multiplicity * d_eigenvalues * (y * y / safe))
    inside = kappa * (moved + d_amount / safe - d_n) / jnp.where(positive, slope, 1.0)
    rank = jnp.sum(jnp.where(eigenvalues > 0, multiplicity, 0.0))
    at_zero = d_amount / jnp.where(positive, 1.0, n - rank)
    return (kappa, residual), (jnp.where(positive, inside, at_zero), jnp.zeros_like(residual))


@needs_float64
def log_root(residual: Callable[..., Array], low: Number, high: Number, *args: Any) -> Root:
    """Find the one root of a monotone function of a positive scalar between two bounds.

    Newton in log x with a bracket; a step that leaves the bracket or does not halve is replaced
    by a bisection in log x, and at most 128 evaluations are made. Compiled once for a residual
    that is a module's function; a new closure is compiled anew.

    Args:
        residual: ``residual(x, *args)``, increasing or decreasing in x, of one sign at ``low``
            and of the other at ``high`` (infinite is allowed there). May close over traced
            values.
        low: lower bound, > 0.
        high: upper bound, > low.
        *args: pytree arguments; derivatives with respect to them are implicit.

    Returns:
        The root; NOT_CONVERGED where the function does not change sign (unless the root is the
        bound to rounding) or where the last step is not small; NOT_FINITE where the function is
        NaN.

    >>> root = log_root(lambda x, a: x**2 - a, 1e-3, 1e3, 2.0)
    >>> print(f"{float(root.value):.15f}", int(root.status))
    1.414213562373095 0
    """
    return _log_root(residual, jnp.asarray(low, float), jnp.asarray(high, float), args)


@partial(jax.jit, static_argnums=0)
def _log_root(residual: Callable[..., Array], low: Array, high: Array, args: tuple) -> Root:
    low, high = lax.stop_gradient((low, high))

    @jax.jit  # traced once, and asked in four places
    def here(x: Array) -> Array:
        return residual(x, *args)

    value = lax.custom_root(
        here,
        jnp.sqrt(low) * jnp.sqrt(high),
        partial(_bracketed, low=low, high=high),
        lambda linear, y: y / linear(jnp.ones_like(y)),
    )
    off = jnp.abs(lax.stop_gradient(_newton_step(here, lax.stop_gradient(value))[0]))
    status = jnp.where(off <= GOOD, Status.OK, Status.NOT_CONVERGED)
    status = jnp.where(jnp.isfinite(value + off), status, Status.NOT_FINITE)
    return Root(value, status, off)


def _newton_step(function: Callable[[Array], Array], x: Array) -> tuple[Array, Array]:
    """Return the Newton step in log x, and the function's value."""
    value, slope = jax.jvp(function, (x,), (jnp.ones_like(x),))
    return jnp.where(value == 0, 0.0, -value / (x * slope)), value


def _bracketed(function: Callable[[Array], Array], start: Array, low: Array, high: Array) -> Array:
    at_low, at_high = function(low), function(high)
    crossing = jnp.sign(at_low) * jnp.sign(at_high) < 0
    near = jnp.where(jnp.abs(at_low) <= jnp.abs(at_high), low, high)

    def advance(state: tuple) -> tuple:
        x, below, beyond, before, previous, _, steps = state
        newton, value = _newton_step(function, x)
        left = jnp.sign(value) == jnp.sign(at_low)
        below, beyond = jnp.where(left, x, below), jnp.where(left, beyond, x)
        tried = x * jnp.exp(newton)
        good = (tried > below) & (tried < beyond) & (jnp.abs(newton) <= 0.5 * before)
        halved = jnp.sqrt(below) * jnp.sqrt(beyond)
        step = jnp.where(good, jnp.abs(newton), jnp.abs(jnp.log(halved / x)))
        done = (value == 0) | (jnp.abs(newton) <= 1e-9) & (tried >= below) & (tried <= beyond)
        done = done | (beyond / below - 1 <= 1e-15)
        to = jnp.where(good, tried, halved)
        to = jnp.where(done, jnp.clip(tried, below, beyond), to)
        return jnp.where(value == 0, x, to), below, beyond, previous, step, done, steps + 1

    def moving(state: tuple) -> Array:
        return crossing & ~state[5] & (state[6] < MOST_STEPS)

    wide = jnp.full_like(start, jnp.inf)
    begin = (start, low, high, wide, wide, jnp.zeros_like(crossing), 0)
    x = lax.while_loop(moving, advance, begin)[0]
    return jnp.where(crossing, x, near)
