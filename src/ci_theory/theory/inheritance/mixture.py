r"""Ridge regression on a mixture of sources that differ in weight, inputs, target and noise.

Groups g of n_g rows of weight c_g have inputs of covariance Sigma_g, target beta_g and label
noise v_g. The groups interact through one resolvent and as many scalars e_g as there are groups:

.. math::
    e_g = \mathrm{tr}\,\Sigma_g G, \qquad
    G = \Bigl(\delta + \sum_g \omega_g \Sigma_g\Bigr)^{-1}, \qquad
    \omega_g = \frac{n_g c_g}{1 + c_g e_g}.

Contamination, mixing clean data in, re-weighting and inheritance are cases; a single covariance
and target are ``theory.rows.repetition``, which is exact also at the interpolation peak. Rows of
negative weight are unlearned: the fit moves away from their labels. It exists as long as the system
stays positive definite, which is where :math:`1 + c_g e_g > 0`, G is positive and the map of e is
a contraction at its fixed point; beyond, errors are unbounded.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._record import record
from ci_theory._types import Array, Float, Int, needs_float64
from ci_theory.theory.inheritance.operator import Weights
from ci_theory.theory.spectra.fixed_point import GOOD
from ci_theory.theory.spectra.groups import counted

__all__ = [
    "BlockMixture",
    "BlockWeights",
    "Mixed",
    "Mixture",
    "Rows",
    "Solved",
    "Traces",
    "fit_block_mixture",
    "fit_mixture",
    "solve_sources",
]

MOST_STEPS = 400


@record
class Mixture:
    """Training rows from several sources.

    Attributes:
        covariances: of the inputs of each source, (g, p, p).
        targets: true weights of each source, (g, p).
        counts: rows of each source, (g,); one may be infinite.
        weights: weight of their rows, (g,); negative for rows that are unlearned.
        noise: label-noise variance, (g,).
        ridge: total ridge towards the inherited weights, >= 0; 0 needs more rows than p.
    """

    covariances: Float[Any, "g p p"]
    targets: Float[Any, "g p"]
    counts: Float[Any, " g"]
    weights: Float[Any, " g"]
    noise: Float[Any, " g"]
    ridge: Float[Any, ""]


@record
class BlockWeights:
    """First two moments of random weights that have no direction inside blocks of coordinates.

    Attributes:
        mean: coordinates of the mean in each block, (m, q), in the span of what matters there.
        spread: trace of the covariance about the mean in each block, (m,).
    """

    mean: Float[Any, "m q"]
    spread: Float[Any, " m"]


@record
class BlockMixture:
    """Training rows from sources that share a basis: blocks of coordinates of equal variance.

    Isotropic sources are one block, m = 1; sources of which each has a spectrum of its own on
    common eigenvectors a block an eigenvalue. Nothing is of the size of p.

    Attributes:
        variances: of the inputs of each source in each block, (g, m).
        multiplicity: coordinates of each block, (m,); they add up to p.
        targets: coordinates of the true weights of each source in the span of all targets, in
            each block, (g, m, q).
        counts, weights, noise, ridge: as in ``Mixture``.
    """

    variances: Float[Any, "g m"]
    multiplicity: Float[Any, " m"]
    targets: Float[Any, "g m q"]
    counts: Float[Any, " g"]
    weights: Float[Any, " g"]
    noise: Float[Any, " g"]
    ridge: Float[Any, ""]


class Mixed(NamedTuple):
    """Outcome of a fit on a mixture.

    Attributes:
        weights: moments of the fitted weights, of the kind of those inherited; ``operator.risk``
            reads any test error off ``Weights``.
        held_out: mean squared error on a fresh noisy row of each source, (g,).
        leverage: response of a row's fit to its own label, (g,).
        share: weight omega_g of each source in the resolvent, (g,).
        status: OK or NOT_CONVERGED; OUT_OF_SCOPE for a ridge or counts < 0 and for two infinite
            counts (in which shares?); NOT_FINITE without a fixed point: no ridge and too few rows,
            or a system that negative weights have made indefinite.
        residual: relative error left in e.
    """

    weights: Any
    held_out: Float[Array, " g"]
    leverage: Float[Array, " g"]
    share: Float[Array, " g"]
    status: Int[Array, ""]
    residual: Array


class Rows(NamedTuple):
    """What every kind of mixture says of its rows, in float64, with finite counts."""

    counts: Array
    weights: Array
    noise: Array
    ridge: Array
    asked: Array  # whether there is an answer to be looked for


def _rows(mixture: Mixture | BlockMixture) -> Rows:
    counts, weights, noise, ridge = (
        jnp.asarray(v, float)
        for v in (mixture.counts, mixture.weights, mixture.noise, mixture.ridge)
    )
    asked = (ridge >= 0) & jnp.all(counts >= 0) & (jnp.sum(jnp.isinf(counts)) < 2)
    return Rows(counted(counts), weights, noise, ridge, asked)


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
    """The fixed point: e, omega, the coupling, and what becomes of all that hangs on it."""

    e: Array
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
    omega = rows.counts * _pull(rows, e)
    at = resolve(omega)
    coupling = _coupling(rows, e, at)
    # The coupling is similar to a symmetric matrix: its largest eigenvalue is real.
    root = jnp.sqrt(rows.counts) * jnp.abs(_pull(rows, e))
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
    return Solved(e, omega, coupling, status, number, off)


@needs_float64
@jax.jit
def fit_mixture(mixture: Mixture, inherited: Weights) -> Mixed:
    r"""Moments and errors of a ridge fit on several sources, towards inherited weights.

    .. math::
        m = G\Bigl(\sum_g \omega_g \Sigma_g \beta_g + \delta m_0\Bigr), \qquad
        E_g = v_g + (m - \beta_g)'\Sigma_g(m - \beta_g) + \mathrm{tr}\,\Sigma_g V, \qquad
        V = \delta^2 G V_0 G + \sum_h n_h t_h^2 E_h\, G \Sigma_h G

    with t_g = c_g/(1 + c_g e_g); the E_g solve a linear system.

    Args:
        mixture: the rows.
        inherited: mean and spread of the weights that the ridge pulls to, independent of the
            rows; ``inheritance.from_scratch`` for plain ridge.

    Returns:
        A ``Mixed``; NaN where the status is neither OK nor NOT_CONVERGED.

    Regime: limit n_g, p -> infinity at fixed ratios, relative corrections of order 1/n; any
    covariances, which need not commute.

    Limits: one covariance and target give ``inheritance.inherit``; with isotropic inputs and no
    ridge the mean is the average of the targets with weights omega_g, so that a share of
    contamination becomes the same share of bias.

    Source: derived here (docs/inheritance.md).

    >>> from ci_theory.theory.inheritance.operator import from_scratch
    >>> two = Mixture(
    ...     covariances=jnp.stack([jnp.eye(2)] * 2), targets=jnp.array([[1.0, 0.0], [0.0, 1.0]]),
    ...     counts=jnp.array([300.0, 100.0]), weights=jnp.ones(2), noise=jnp.zeros(2), ridge=0.0)
    >>> print(fit_mixture(two, from_scratch(2)).weights.mean)
    [0.75 0.25]
    """
    rows = _rows(mixture)
    covariances = jnp.asarray(mixture.covariances, float)
    targets = jnp.asarray(mixture.targets, float)
    p = covariances.shape[-1]

    def total(omega: Array) -> Array:
        return rows.ridge * jnp.eye(p) + jnp.einsum("g,gij->ij", omega, covariances)

    def resolve(omega: Array) -> Traces:
        system = total(omega)
        loaded = covariances @ jnp.linalg.inv(system)[None]
        traces = jnp.einsum("gii->g", loaded)
        pairs = jnp.einsum("gij,hji->gh", loaded, loaded)
        factor = jnp.linalg.cholesky(lax.stop_gradient(system))  # NaN where it is not positive
        least = jnp.where(jnp.all(jnp.isfinite(factor)), 1.0, -1.0)
        return Traces(traces, pairs, least)

    at = solve_sources(rows, resolve, jnp.einsum("gii->g", covariances), jnp.asarray(float(p)))
    resolvent = jnp.linalg.inv(total(at.omega))
    pulled = jnp.einsum("g,gij,gj->i", at.omega, covariances, targets)
    mean = resolvent @ (pulled + rows.ridge * inherited.mean)
    kept = rows.ridge**2 * resolvent @ inherited.spread @ resolvent
    gaps = mean[None, :] - targets
    own = jnp.einsum("gi,gij,gj->g", gaps, covariances, gaps)
    own = own + rows.noise + jnp.einsum("gij,ji->g", covariances, kept)
    held_out = jnp.linalg.solve(jnp.eye(len(own)) - at.coupling, own)
    loads = rows.counts * _pull(rows, at.e) ** 2 * held_out
    fluctuation = jnp.einsum("g,gij->ij", loads, covariances)
    spread = kept + resolvent @ fluctuation @ resolvent
    return _mixed(rows, at, Weights(mean=mean * at.number, spread=spread * at.number), held_out)


def _mixed(rows: Rows, at: Solved, weights: Any, held_out: Array) -> Mixed:
    return Mixed(
        weights=weights,
        held_out=held_out * at.number,
        leverage=_pull(rows, at.e) * at.e * at.number,
        share=at.omega * at.number,
        status=at.status,
        residual=at.off,
    )


@needs_float64
@jax.jit
def fit_block_mixture(mixture: BlockMixture, inherited: BlockWeights) -> Mixed:
    r"""Moments and errors of a ridge fit on sources that share a basis: numbers, no matrices.

    .. math:: e_g = \sum_m k_m s_{gm} G_m, \qquad
        G_m = \Bigl(\delta + \sum_g \omega_g s_{gm}\Bigr)^{-1}

    with s_gm the variance of source g in block m, of k_m coordinates; the rest is that of
    ``fit_mixture``, block by block.

    Args:
        mixture: the rows.
        inherited: of the weights that the ridge pulls to, independent of the rows.

    Returns:
        A ``Mixed`` whose weights are ``BlockWeights``.

    Regime: as ``fit_mixture``. Limits: blocks of one coordinate are ``fit_mixture`` on diagonal
    matrices; one source and one block are ``operator.inherit_isotropic``.

    Source: as ``fit_mixture``.

    >>> two = BlockMixture(  # isotropic inputs, two targets at a right angle, p = 2
    ...     variances=jnp.ones((2, 1)), multiplicity=jnp.array([2.0]),
    ...     targets=jnp.eye(2)[:, None, :], counts=jnp.array([300.0, 100.0]),
    ...     weights=jnp.ones(2), noise=jnp.zeros(2), ridge=0.0)
    >>> nothing = BlockWeights(mean=jnp.zeros((1, 2)), spread=jnp.zeros(1))
    >>> print(fit_block_mixture(two, nothing).weights.mean)
    [[0.75 0.25]]
    """
    rows = _rows(mixture)
    variances, size, targets = (
        jnp.asarray(v, float) for v in (mixture.variances, mixture.multiplicity, mixture.targets)
    )

    def resolve(omega: Array) -> Traces:
        system = rows.ridge + omega @ variances
        loaded = variances / system[None, :]
        return Traces(loaded @ size, (loaded * size[None, :]) @ loaded.T, jnp.min(system))

    at = solve_sources(rows, resolve, variances @ size, jnp.sum(size))
    resolvent = 1 / (rows.ridge + at.omega @ variances)
    pulled = jnp.einsum("g,gm,gmq->mq", at.omega, variances, targets)
    mean = resolvent[:, None] * (pulled + rows.ridge * jnp.asarray(inherited.mean, float))
    kept = (rows.ridge * resolvent) ** 2 * jnp.asarray(inherited.spread, float)
    gaps = jnp.sum((mean[None] - targets) ** 2, axis=2) + kept[None, :]
    own = jnp.sum(variances * gaps, axis=1) + rows.noise
    held_out = jnp.linalg.solve(jnp.eye(len(own)) - at.coupling, own)
    loads = rows.counts * _pull(rows, at.e) ** 2 * held_out
    spread = kept + size * resolvent**2 * (loads @ variances)
    made = BlockWeights(mean=mean * at.number, spread=spread * at.number)
    return _mixed(rows, at, made, held_out)
