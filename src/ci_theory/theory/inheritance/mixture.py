r"""Ridge regression on a mixture of sources that differ in weight, inputs, target and noise.

Groups g of n_g rows of weight c_g have inputs of covariance Sigma_g, target beta_g and label
noise v_g. The groups interact through one resolvent and as many scalars e_g as there are groups:

.. math::
    e_g = \mathrm{tr}\,\Sigma_g G, \qquad
    G = \Bigl(\delta + \sum_g \omega_g \Sigma_g\Bigr)^{-1}, \qquad
    \omega_g = \frac{n_g c_g}{1 + c_g e_g}.

Contamination, mixing clean data in, re-weighting and inheritance are cases; a single covariance
and target are ``theory.rows.repetition``, which is exact also at the interpolation peak.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._record import record
from ci_theory._types import Array, Float, Int, needs_float64
from ci_theory.theory.inheritance.operator import Weights
from ci_theory.theory.spectra.fixed_point import GOOD

__all__ = ["Mixed", "Mixture", "fit_mixture"]

MOST_STEPS = 400


@record
class Mixture:
    """Training rows from several sources.

    Attributes:
        covariances: of the inputs of each source, (g, p, p).
        targets: true weights of each source, (g, p).
        counts: rows of each source, (g,).
        weights: weight of their rows, (g,), >= 0.
        noise: label-noise variance, (g,).
        ridge: total ridge towards the inherited weights, >= 0; 0 needs more rows than p.
    """

    covariances: Float[Any, "g p p"]
    targets: Float[Any, "g p"]
    counts: Float[Any, " g"]
    weights: Float[Any, " g"]
    noise: Float[Any, " g"]
    ridge: Float[Any, ""]


class Mixed(NamedTuple):
    """Outcome of a fit on a mixture.

    Attributes:
        weights: moments of the fitted weights; ``inheritance.risk`` reads any test error off.
        held_out: mean squared error on a fresh noisy row of each source, (g,).
        leverage: response of a row's fit to its own label, (g,).
        share: weight omega_g of each source in the resolvent, (g,).
        status: OK or NOT_CONVERGED; OUT_OF_SCOPE for a ridge < 0, NOT_FINITE without a fixed
            point (no ridge and too few rows).
        residual: relative error left in e.
    """

    weights: Weights
    held_out: Float[Array, " g"]
    leverage: Float[Array, " g"]
    share: Float[Array, " g"]
    status: Int[Array, ""]
    residual: Array


def _resolvent(mixture: Mixture, e: Array) -> tuple[Array, Array]:
    """Return G (p, p) and omega (g,)."""
    p = mixture.covariances.shape[-1]
    omega = mixture.counts * mixture.weights / (1 + mixture.weights * e)
    total = mixture.ridge * jnp.eye(p) + jnp.einsum("g,gij->ij", omega, mixture.covariances)
    return jnp.linalg.inv(total), omega


def _coupling(mixture: Mixture, e: Array, resolvent: Array) -> Array:
    """Return n_h t_h^2 tr S_g G S_h G, (g, g): the derivative of the map in e, and of errors."""
    loaded = mixture.covariances @ resolvent[None]
    pairs = jnp.einsum("gij,hji->gh", loaded, loaded)
    t = mixture.weights / (1 + mixture.weights * e)
    return pairs * (mixture.counts * t**2)[None, :]


def _map(mixture: Mixture, e: Array) -> tuple[Array, Array]:
    """Return the image of e and the derivative of the map."""
    resolvent, _ = _resolvent(mixture, e)
    image = jnp.einsum("gij,ji->g", mixture.covariances, resolvent)
    return image, _coupling(mixture, e, resolvent)


def _fixed_point(mixture: Mixture) -> tuple[Array, Array]:
    """Newton in log e; where a step is too long or the residual grows, the map itself.

    The map is positive, increasing and grows less than its argument, so it converges to its one
    fixed point from anywhere; Newton makes that fast.
    """
    p = mixture.covariances.shape[-1]
    traces = jnp.einsum("gii->g", mixture.covariances)
    mean = jnp.sum(mixture.counts * mixture.weights * traces) / p
    start = jnp.log(traces / (mixture.ridge + mean))

    def gap(log_e: Array) -> Array:
        return jnp.log(_map(mixture, jnp.exp(log_e))[0]) - log_e

    def advance(state: tuple) -> tuple:
        log_e, last, _, steps = state
        e = jnp.exp(log_e)
        image, slope = _map(mixture, e)
        short = jnp.log(image) - log_e
        relative = slope * e[None, :] / image[:, None]
        newton = jnp.linalg.solve(jnp.eye(len(e)) - relative, short)
        size = jnp.max(jnp.abs(short))
        bold = (jnp.max(jnp.abs(newton)) < 2.0) & (size < 0.9 * last)
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

    log_e, off = lax.custom_root(gap, lax.stop_gradient(start), solve, tangent, has_aux=True)
    return jnp.exp(log_e), off


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
    mixture = Mixture(
        covariances=jnp.asarray(mixture.covariances, float),
        targets=jnp.asarray(mixture.targets, float),
        counts=jnp.asarray(mixture.counts, float),
        weights=jnp.asarray(mixture.weights, float),
        noise=jnp.asarray(mixture.noise, float),
        ridge=jnp.asarray(mixture.ridge, float),
    )
    p = mixture.covariances.shape[-1]
    rows = jnp.sum(jnp.where(mixture.weights > 0, mixture.counts, 0.0))
    asked = (mixture.ridge >= 0) & jnp.all(mixture.weights >= 0) & jnp.all(mixture.counts >= 0)
    exists = (mixture.ridge > 0) | (rows > p)
    e, off = _fixed_point(mixture)
    resolvent, omega = _resolvent(mixture, e)

    pulled = jnp.einsum("g,gij,gj->i", omega, mixture.covariances, mixture.targets)
    mean = resolvent @ (pulled + mixture.ridge * inherited.mean)
    kept = mixture.ridge**2 * resolvent @ inherited.spread @ resolvent
    gaps = mean[None, :] - mixture.targets
    own = jnp.einsum("gi,gij,gj->g", gaps, mixture.covariances, gaps)
    own = own + mixture.noise + jnp.einsum("gij,ji->g", mixture.covariances, kept)
    coupling = _coupling(mixture, e, resolvent)
    held_out = jnp.linalg.solve(jnp.eye(len(e)) - coupling, own)

    t = mixture.weights / (1 + mixture.weights * e)
    loads = mixture.counts * t**2 * held_out
    fluctuation = jnp.einsum("g,gij->ij", loads, mixture.covariances)
    spread = kept + resolvent @ fluctuation @ resolvent
    good = jnp.where(off <= GOOD, Status.OK, Status.NOT_CONVERGED)
    status = jnp.where(exists & jnp.isfinite(off), good, Status.NOT_FINITE)
    status = jnp.where(asked, status, Status.OUT_OF_SCOPE)
    number = jnp.where(status <= Status.NOT_CONVERGED, 1.0, jnp.nan)
    number = jnp.where(asked, number, jnp.nan)
    return Mixed(
        weights=Weights(mean=mean * number, spread=spread * number),
        held_out=held_out * number,
        leverage=t * e * number,
        share=omega * number,
        status=status,
        residual=off,
    )
