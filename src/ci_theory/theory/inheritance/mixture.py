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

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._record import record
from ci_theory._types import Array, Float, Int, needs_float64
from ci_theory.theory.inheritance.operator import Weights
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.sources import Rows, Solved, Traces, solve_sources

__all__ = [
    "BlockMixture",
    "BlockWeights",
    "Mixed",
    "Mixture",
    "fit_block_mixture",
    "fit_mixture",
]


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


def _rows(mixture: Mixture | BlockMixture) -> Rows:
    counts, weights, noise, ridge = (
        jnp.asarray(v, float)
        for v in (mixture.counts, mixture.weights, mixture.noise, mixture.ridge)
    )
    asked = (ridge >= 0) & jnp.all(counts >= 0) & (jnp.sum(jnp.isinf(counts)) < 2)
    return Rows(counted(counts), weights, noise, ridge, asked)


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

    Source: derived here (docs/inheritance/inheritance.md).

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
        factor = jnp.linalg.cholesky(jax.lax.stop_gradient(system))  # NaN where it is not positive
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
    loads = rows.counts * at.pull**2 * held_out
    fluctuation = jnp.einsum("g,gij->ij", loads, covariances)
    spread = kept + resolvent @ fluctuation @ resolvent
    return _mixed(rows, at, Weights(mean=mean * at.number, spread=spread * at.number), held_out)


def _mixed(rows: Rows, at: Solved, weights: Any, held_out: Array) -> Mixed:
    return Mixed(
        weights=weights,
        held_out=held_out * at.number,
        leverage=at.pull * at.e * at.number,
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
    loads = rows.counts * at.pull**2 * held_out
    spread = kept + size * resolvent**2 * (loads @ variances)
    made = BlockWeights(mean=mean * at.number, spread=spread * at.number)
    return _mixed(rows, at, made, held_out)
