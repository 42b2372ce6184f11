r"""The fixed point of ridge regression on weighted rows: what share each row has in the fit.

A row that appears c times is a row of weight c; ``groups`` says how many there are of each
weight. One scalar equation carries everything: with s = ridge/kappa (what n - df1 is for plain
rows)

.. math:: \sum_g n_g a_g = 1, \qquad a_g = \frac{c_g}{s + c_g\,\mathrm{df}_1(\kappa)}

where h_g = a_g df1 is the leverage of a row, and 1 / sum n_g a_g^2 the effective number of rows.
The derivation is in docs/rows/repetition.md; the errors that follow are in ``repetition``.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Number, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import GOOD, Root
from ci_theory.theory.spectra.groups import Groups, counted
from ci_theory.theory.spectra.spectrum import Spectrum, df1, fractions, per_kappa, rank, trace

__all__ = ["Shares", "solve_shares"]

MOST_STEPS = 128


class Shares(NamedTuple):
    """The fixed point of weighted ridge regression.

    Attributes:
        kappa: effective ridge [x^2].
        scale: s = ridge / kappa, the weight left to the ridge; n - df1 for plain rows.
        shares: a_g, share of a row in the estimator; sum of n_g a_g is 1, (g,).
        leverage: h_g = a_g df1, response of a row's fit to its own label, in [0, 1], (g,).
        forgotten: 1 - h_g to full relative accuracy, (g,).
        df1: first degrees of freedom, the trace of the hat matrix.
        effective_rows: 1 / sum n_g a_g^2, at most the number of distinct rows.
        status: OK, NOT_CONVERGED, OUT_OF_SCOPE (no rows, no variance, ridge < 0) or NOT_FINITE
            (no ridge and as many distinct rows as the covariance has rank).
        residual: relative error left by the solver.
    """

    kappa: Scalar
    scale: Scalar
    shares: Float[Array, " g"]
    leverage: Float[Array, " g"]
    forgotten: Float[Array, " g"]
    df1: Scalar
    effective_rows: Scalar
    status: Int[Array, ""]
    residual: Scalar


class _Surplus(NamedTuple):
    """What a trial value of the unknown leaves over."""

    value: Array  # sum n h - df1, increasing in kappa
    held: Array  # n h (1 - h)
    df1: Array
    d12: Array


def _surplus(unknown: Array, args: tuple) -> _Surplus:
    """Evaluate sum n h - df1 at a trial kappa (``over``) or s.

    Rows mostly memorised and modes mostly learned are counted as whole ones less what they
    miss, so that nothing cancels where the number of distinct rows is near the rank.
    """
    spectrum, groups, ridge, over = args
    other = ridge / unknown
    kappa, scale = jnp.where(over, unknown, other), jnp.where(over, other, unknown)
    x, y = fractions(spectrum.eigenvalues, kappa)
    tail = per_kappa(spectrum.tail_trace, kappa)
    learned_all = spectrum.multiplicity * x
    degrees = jnp.sum(learned_all) + tail
    h, miss = _leverage(groups.weights, scale, degrees)

    learned, held = spectrum.eigenvalues > kappa, h > 0.5
    whole = jnp.round(spectrum.multiplicity)
    part = spectrum.multiplicity - whole
    count = jnp.sum(jnp.where(held, groups.counts, 0.0)) - jnp.sum(jnp.where(learned, whole, 0.0))
    count = count - jnp.sum(jnp.where(learned, part, 0.0))
    rows = jnp.sum(groups.counts * jnp.where(held, -miss, h))
    modes = jnp.sum(jnp.where(learned, -spectrum.multiplicity * y, learned_all))
    return _Surplus(
        value=count + rows - modes - tail,
        held=groups.counts * h * miss,
        df1=degrees,
        d12=jnp.sum(learned_all * y) + tail,
    )


def _leverage(weights: Array, scale: Array, degrees: Array) -> tuple[Array, Array]:
    """Return h and 1 - h, each as one quotient; a row of weight 0 has h = 0."""
    there = weights > 0
    total = jnp.where(there, scale + weights * degrees, 1.0)
    return weights * degrees / total, jnp.where(there, scale / total, 1.0)


def _bounds(spectrum: Spectrum, groups: Groups, ridge: Array, over: Array) -> tuple[Array, Array]:
    """Bracket the unknown: kappa with fewer distinct rows than modes, s otherwise.

    From df1 <= trace / kappa and a <= c/s; without a ridge from y <= kappa/lambda, from
    tail / kappa <= df1, and from s/(s + c r) <= s/(c r).
    """
    there = (groups.weights > 0) & (groups.counts > 0)
    counts = jnp.where(there, groups.counts, 0.0)
    weights = jnp.where(there, groups.weights, 1.0)
    n, total = jnp.sum(counts), trace(spectrum)
    copies = jnp.sum(counts * weights)
    reach = jnp.sum(counts * weights / (ridge + weights * total))

    seen = spectrum.eigenvalues > 0
    modes = jnp.sum(jnp.where(seen, spectrum.multiplicity, 0.0))
    slack = jnp.sum(
        jnp.where(seen, spectrum.multiplicity / jnp.where(seen, spectrum.eigenvalues, 1.0), 0.0)
    )
    kappa_low = jnp.maximum(ridge / copies, spectrum.tail_trace / n)
    kappa_low = jnp.maximum(kappa_low, (modes - n) / slack)
    kappa_high = 1.0 / reach
    scale_low = jnp.maximum(ridge * reach, (n - modes) * modes / jnp.sum(counts / weights))
    low = jnp.where(over, kappa_low, scale_low)
    high = jnp.where(over, kappa_high, copies)
    return low * (1 - 1e-9), high * (1 + 1e-9)


def _root(args: tuple) -> Root:
    """Solve for the unknown by Newton in its logarithm, bisecting where that does not halve.

    One evaluation a step, with its slope in log kappa written out, and none outside the loop: it
    compiles several times faster than the general root finder, and predictions compile often.
    """
    over = args[-1]
    low, high = (lax.stop_gradient(bound) for bound in _bounds(*args))
    sign = jnp.where(over, 1.0, -1.0)

    def advance(state: tuple) -> tuple:
        x, low, high, last, steps = state
        at = _surplus(x, args)
        second = at.df1 - at.d12
        slope = jnp.sum(at.held) * second / at.df1 + at.d12
        newton = -sign * at.value / slope
        low, high = jnp.where(newton > 0, x, low), jnp.where(newton < 0, x, high)
        tried = x * jnp.exp(newton)
        good = (tried >= low) & (tried <= high) & (jnp.abs(newton) <= 0.5 * last)
        good = good | (jnp.abs(newton) <= 1e-9)
        halved = jnp.sqrt(low) * jnp.sqrt(high)
        step = jnp.where(good, jnp.abs(newton), jnp.abs(jnp.log(halved / x)))
        return jnp.where(good, tried, halved), low, high, step, steps + 1

    def iterate(_: Any, middle: Array) -> tuple[Array, Array]:
        def moving(state: tuple) -> Array:
            return (state[3] > 2e-15) & (state[4] < MOST_STEPS)

        begin = (middle, low, high, jnp.full_like(middle, jnp.inf), 0)
        x, _, _, off, _ = lax.while_loop(moving, advance, begin)
        return x, off

    value, off = lax.custom_root(
        lambda x: _surplus(x, args).value,
        jnp.sqrt(low) * jnp.sqrt(high),
        iterate,
        lambda linear, y: y / linear(jnp.ones_like(y)),
        has_aux=True,
    )
    status = jnp.where(off <= GOOD, Status.OK, Status.NOT_CONVERGED)
    return Root(value, jnp.where(jnp.isfinite(value), status, Status.NOT_FINITE), off)


@needs_float64
@jax.jit
def solve_shares(spectrum: Spectrum, groups: Groups, ridge: Number) -> Shares:
    r"""Solve the fixed point of weighted ridge regression.

    .. math:: \sum_g n_g\,\frac{c_g}{s + c_g\,\mathrm{df}_1(\kappa)} = 1, \qquad
        s = \delta/\kappa

    Args:
        spectrum: of the covariance; its target powers do not matter here.
        groups: the training rows.
        ridge: total ridge [x^2], >= 0. At 0 either s = 0 (fewer distinct rows than the rank:
            weights drop out) or kappa = 0.

    Regime: limit n, p -> infinity, with relative corrections of order 1/n; exact equation, solved
    to a relative error near 1e-15, also where distinct rows and rank are equal and the ridge
    is 1e-12.

    Limits: weights all equal to r give plain ridge with ridge / r; bounds of the bracket and the
    uniqueness of the root (the left side increases in kappa) hold for all weights >= 0.

    Source: derived here (docs/rows/repetition.md); a repeated row is a block of ones in the sample
    correlation of Atanasov, Zavatone-Veth, Pehlevan, arXiv:2408.04607.

    >>> from ci_theory.theory.spectra.groups import repeated_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> at = solve_shares(isotropic(100), repeated_rows(1400, 30, 20, 1.0, True), 0.0)
    >>> print(f"{float(at.effective_rows):.1f}", [round(float(h), 3) for h in at.leverage])
    699.1 [0.059, 0.558]
    """
    ridge = jnp.asarray(ridge, float)
    groups = Groups(
        counts=counted(groups.counts),
        weights=jnp.asarray(groups.weights, float),
        noise=jnp.asarray(groups.noise, float),
    )
    n = jnp.sum(jnp.where(groups.weights > 0, groups.counts, 0.0))
    modes = rank(spectrum)
    over = n < modes
    asked = (n > 0) & (ridge >= 0) & jnp.all(groups.counts >= 0) & jnp.all(groups.weights >= 0)
    asked = asked & (trace(spectrum) > 0)
    pole = (ridge == 0) & (n == modes)
    solvable = asked & ~pole

    # A point without a root is replaced by an easy one: no NaN may leak into gradients.
    count = jnp.where(solvable, groups.counts, 1.0)
    weight = jnp.where(solvable, groups.weights, 1.0)
    safe = Groups(counts=count, weights=weight, noise=groups.noise)
    delta = jnp.where(solvable, ridge, 1.0)
    root = _root((spectrum, safe, delta, over))

    kappa = jnp.where(over, root.value, delta / root.value)
    scale = jnp.where(over, delta / root.value, root.value)
    degrees = df1(spectrum, kappa)
    h, miss = _leverage(weight, scale, degrees)
    shares = h / degrees
    status = jnp.where(pole, Status.NOT_FINITE, root.status)
    status = jnp.where(asked, status, Status.OUT_OF_SCOPE)
    number = jnp.where(solvable, 1.0, jnp.nan)
    return Shares(
        kappa=kappa * number,
        scale=scale * number,
        shares=shares * number,
        leverage=h * number,
        forgotten=miss * number,
        df1=degrees * number,
        effective_rows=number / jnp.sum(count * shares**2),
        status=status,
        residual=root.residual,
    )
