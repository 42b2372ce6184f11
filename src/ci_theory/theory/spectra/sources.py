r"""One resolvent of several sources of rows: the fixed point of what each gives it.

Rows of source g, n_g of weight c_g and of input covariance Sigma_g, are in the resolvent G with

.. math::
    e_g = \mathrm{tr}\,\Sigma_g G, \qquad
    G = \Bigl(\delta + \sum_g \omega_g \Sigma_g\Bigr)^{-1}, \qquad
    \omega_g = \frac{n_g c_g}{1 + c_g e_g}.

With weights of either sign the answer exists as long as 1 + c_g e_g > 0, G is positive and the map
of e is a contraction at its fixed point.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._types import Array, needs_float64
from ci_theory.theory.spectra.fixed_point import GOOD

__all__ = ["Rows", "Solved", "Traces", "solve_sources"]

MOST_STEPS = 400


class Rows(NamedTuple):
    """What every kind of mixture says of its rows, in float64, with finite counts."""

    counts: Array
    weights: Array
    noise: Array
    ridge: Array
    asked: Array  # whether there is an answer to be looked for


class Traces(NamedTuple):
    """What a trial resolvent gives.

    Attributes:
        traces: tr S_g G, (g,).
        pairs: tr S_g G S_h G, (g, g).
        least: above 0 where G is positive.
    """

    traces: Array
    pairs: Array
    least: Array


_Resolve = Callable[[Array], Traces]  # of omega (g,)


def _pull(rows: Rows, e: Array) -> Array:
    """Return t_g = c_g / (1 + c_g e_g)."""
    return rows.weights / (1 + rows.weights * e)


def _coupling(rows: Rows, e: Array, at: Traces) -> Array:
    """Return n_h t_h^2 tr S_g G S_h G, (g, g): the derivative of the map in e, and of errors."""
    return at.pairs * (rows.counts * _pull(rows, e) ** 2)[None, :]


def _fixed_point(rows: Rows, resolve: _Resolve, start: Array) -> tuple[Array, Array]:
    """Newton in log e; where a step is too long or the residual grows, the map itself.

    The map is positive and increasing. With weights >= 0 it grows less than its argument, so it
    converges to its one fixed point from anywhere; with others, from below, to the least one, which
    is that of the positive system. Newton makes that fast.
    """

    def mapped(e: Array) -> Traces:
        return resolve(rows.counts * _pull(rows, e))

    def gap(log_e: Array) -> Array:
        return jnp.log(mapped(jnp.exp(log_e)).traces) - log_e

    def positive(log_e: Array) -> Array:
        e = jnp.exp(log_e)
        return (mapped(e).least > 0) & jnp.all(1 + rows.weights * e > 0)

    def advance(state: tuple) -> tuple:
        log_e, last, _, steps = state
        e = jnp.exp(log_e)
        at = mapped(e)
        short = jnp.log(at.traces) - log_e
        relative = _coupling(rows, e, at) * e[None, :] / at.traces[:, None]
        newton = jnp.linalg.solve(jnp.eye(len(e)) - relative, short)
        size = jnp.max(jnp.abs(short))
        bold = (jnp.max(jnp.abs(newton)) < 2.0) & (size < 0.9 * last)
        bold = bold & (jnp.all(rows.weights >= 0) | positive(log_e + newton))
        step = jnp.where(bold, newton, short)
        return log_e + step, size, jnp.max(jnp.abs(newton)), steps + 1

    def solve(_: Any, begin: Array) -> tuple[Array, Array]:
        def moving(state: tuple) -> Array:
            return (state[2] > 1e-13) & (state[3] < MOST_STEPS)

        far = jnp.asarray(jnp.inf)
        log_e, _, off, _ = lax.while_loop(moving, advance, (begin, far, far, 0))
        return log_e, off

    def tangent(linear: Any, y: Array) -> Array:
        return jnp.linalg.solve(jax.jacfwd(linear)(jnp.zeros_like(y)), y)

    below = jnp.log(resolve(rows.counts * rows.weights).traces)  # the map at e = 0
    start = jnp.where(jnp.all(rows.weights >= 0), start, below)
    log_e, off = lax.custom_root(gap, lax.stop_gradient(start), solve, tangent, has_aux=True)
    return jnp.exp(log_e), off


class Solved(NamedTuple):
    """The fixed point, and what becomes of all that hangs on it.

    Attributes:
        e: the traces, (g,).
        pull: c_g / (1 + c_g e_g), (g,).
        omega: weight of each source in the resolvent, n_g pull, (g,).
        coupling: n_h pull_h^2 tr Sigma_g G Sigma_h G, (g, g): of e, and of errors.
        status: as of ``Mixed``.
    """

    e: Array
    pull: Array
    omega: Array
    coupling: Array
    status: Array
    number: Array  # 1, or NaN where there is no answer
    off: Array


@needs_float64
def solve_sources(rows: Rows, resolve: _Resolve, traces: Array, p: Array) -> Solved:
    """Solve for what the sources are in the resolvent, given how its traces depend on that.

    Args:
        rows: of the sources.
        resolve: omega (g,) -> the traces.
        traces: of the covariances of the sources, (g,).
        p: dimension.

    >>> rows = Rows(*(jnp.array(v) for v in ([4.0], [1.0], [0.0], 0.0, True)))
    >>> one = lambda omega: Traces(1 / omega, 1 / omega[:, None] ** 2, omega[0])
    >>> print(solve_sources(rows, one, jnp.ones(1), jnp.array(1.0)).omega)
    [3.]
    """
    mean = jnp.sum(rows.counts * rows.weights * traces) / p
    e, off = _fixed_point(rows, resolve, jnp.log(traces / (rows.ridge + mean)))
    pull = _pull(rows, e)
    omega = rows.counts * pull
    at = resolve(omega)
    coupling = _coupling(rows, e, at)
    # The coupling is similar to a symmetric matrix: its largest eigenvalue is real.
    root = jnp.sqrt(rows.counts) * jnp.abs(pull)
    alike = root[:, None] * at.pairs * root[None, :]
    contracts = jnp.max(jnp.linalg.eigvalsh(jnp.where(jnp.isfinite(alike), alike, 2.0))) < 1
    there = jnp.sum(jnp.where(rows.weights > 0, rows.counts, 0.0))
    exists = (rows.ridge > 0) | (there > p)
    signed = jnp.any(rows.weights < 0)
    definite = (at.least > 0) & jnp.all(1 + rows.weights * e > 0) & contracts
    definite = definite & (resolve(rows.counts * rows.weights).least > 0)
    exists = exists & (~signed | definite)
    good = jnp.where(off <= GOOD, Status.OK, Status.NOT_CONVERGED)
    status = jnp.where(exists & jnp.isfinite(off), good, Status.NOT_FINITE)
    status = jnp.where(rows.asked, status, Status.OUT_OF_SCOPE)
    number = jnp.where((status == Status.OK) | (status == Status.NOT_CONVERGED), 1.0, jnp.nan)
    return Solved(e, pull, omega, coupling, status, number, off)
