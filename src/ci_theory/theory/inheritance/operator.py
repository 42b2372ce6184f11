r"""The inheritance operator: what one ridge stage makes of the weights that it inherits.

A stage pulls its weights towards inherited ones: minimise, over its rows,

.. math:: \sum_i c_i (y_i - x_i \cdot w)^2 + \delta\,|w - w_0|^2 .

Upstream reaches downstream only through the first two moments of w_0, its ``mean`` m and the
covariance ``spread`` V of what fluctuates about it. With Sigma the covariance of the stage's
inputs, beta its target, R = (Sigma + kappa)^{-1} and kappa its effective ridge,

.. math::
    m' = \beta + \kappa R\,(m - \beta), \qquad
    V' = \kappa^2 R V R + T\,\Sigma R^2, \qquad
    T = \sum_g n_g a_g^2 (E_x + v_g),

where E_x is the stage's own excess risk with the anchor error (m - beta)(m - beta)' + V in place
of the target, and a_g the shares of weighted ridge regression (T = E_te/n for plain rows). The
map composes: K stages are K applications. See docs/inheritance/inheritance.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._record import record
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.rows.repetition import WeightedRisk, weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.spectrum import Spectrum, df2, isotropic

__all__ = [
    "Inherited",
    "IsotropicStage",
    "IsotropicWeights",
    "RidgeStage",
    "Weights",
    "at_angle",
    "from_scratch",
    "inherit",
    "inherit_isotropic",
    "isotropic_risk",
    "risk",
]


@record
class Weights:
    """First two moments of random weights.

    Attributes:
        mean: (p,).
        spread: covariance about the mean, (p, p). Equal to the true one inside quadratic forms
            of matrices independent of the data, which is how weights are used here.
    """

    mean: Float[Any, " p"]
    spread: Float[Any, "p p"]


@record
class RidgeStage:
    """One ridge stage.

    Attributes:
        covariance: of the inputs, (p, p) [x^2].
        target: true weights, (p,) [label/x].
        groups: training rows, their weights and label noise.
        ridge: total ridge towards the inherited weights [x^2], >= 0.
    """

    covariance: Float[Any, "p p"]
    target: Float[Any, " p"]
    groups: Groups
    ridge: Float[Any, ""]


class Inherited(NamedTuple):
    """Outcome of a stage.

    Attributes:
        weights: moments of the weights that it hands on.
        risk: errors of the stage on its own law; ``risk.excess_risk`` is E_x.
        status: of the fixed point.
    """

    weights: Any
    risk: WeightedRisk
    status: Int[Array, ""]


def at_angle(cosine: Any) -> Float[Array, " 2"]:
    """Return the unit vector at an angle to the first of two directions.

    >>> print(at_angle(0.6))
    [0.6 0.8]
    """
    cosine = jnp.asarray(cosine, float)
    return jnp.stack([cosine, jnp.sqrt(jnp.maximum(1 - cosine**2, 0.0))])


@needs_float64
def from_scratch(p: int) -> Weights:
    """Weights zero: a stage that inherits them is plain ridge regression.

    >>> from_scratch(2).mean
    Array([0., 0.], dtype=float64)
    """
    return Weights(mean=jnp.zeros(p), spread=jnp.zeros((p, p)))


@needs_float64
@jax.jit
def inherit(weights: Weights, stage: RidgeStage) -> Inherited:
    """Apply the inheritance operator of one stage.

    Args:
        weights: inherited, independent of the stage's data.
        stage: the stage.

    Returns:
        The module's m', V' and the errors of the stage. At ridge 0 with fewer rows than
        directions the part of the inherited weights that the rows do not see stays; with more
        rows nothing of them is left.

    Regime: limit n, p -> infinity, relative corrections of order 1/n; any covariances, which
    need not commute between stages.

    Limits: from scratch, m' = Sigma R beta and E_x is that of ``weighted_ridge_risk``; ridge ->
    infinity returns what came in.

    Source: derived here (docs/inheritance/inheritance.md) from the equivalents of anchored ridge
    regression; for isotropic stages compare Dar, LeJeune, Baraniuk, arXiv:2103.05621.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> rows = plain_rows(400, 0.5)
    >>> stage = RidgeStage(covariance=jnp.eye(2), target=jnp.ones(2), groups=rows, ridge=1.0)
    >>> out = inherit(from_scratch(2), stage)
    >>> print(out.weights.mean.round(4), f"{float(out.risk.excess_risk):.6f}")
    [0.9975 0.9975] 0.002513
    """
    covariance = jnp.asarray(stage.covariance, float)
    values, vectors = jnp.linalg.eigh(covariance)
    floor = values.shape[0] * jnp.finfo(values.dtype).eps * jnp.max(values)
    values = jnp.where(values > floor, values, 0.0)
    gap = vectors.T @ (weights.mean - stage.target)
    spread = vectors.T @ weights.spread @ vectors
    spectrum = Spectrum(
        eigenvalues=values,
        multiplicity=jnp.ones_like(values),
        power=values * (gap**2 + jnp.diagonal(spread)),
        tail_trace=jnp.zeros(()),
        tail_power=jnp.zeros(()),
    )
    errors = weighted_ridge_risk(spectrum, stage.groups, stage.ridge)
    kappa = errors.fixed_point.kappa
    total = values + kappa
    seen = total > 0  # a direction without variance at kappa = 0 keeps what it inherited
    inverse = 1.0 / jnp.where(seen, total, 1.0)
    keep = jnp.where(seen, kappa * inverse, 1.0)
    fluctuation = errors.spread * values * inverse**2
    made = keep[:, None] * spread * keep[None, :] + jnp.diag(fluctuation)
    return Inherited(
        weights=Weights(
            mean=stage.target + vectors @ (keep * gap),
            spread=vectors @ made @ vectors.T,
        ),
        risk=errors,
        status=errors.status,
    )


@needs_float64
def risk(weights: Weights, covariance: Any, target: Any) -> Scalar:
    r"""Excess risk of random weights on any test law, also one that no stage has seen.

    .. math:: (m - \beta)'\,\Sigma\,(m - \beta) + \mathrm{tr}\,\Sigma V

    Args:
        weights: moments.
        covariance: of the test inputs, (p, p) [x^2].
        target: weights that make the test labels, (p,).

    Regime: exact in the moments. Source: the mean of a quadratic form.

    >>> float(risk(Weights(mean=jnp.ones(2), spread=jnp.eye(2)), jnp.eye(2), jnp.zeros(2)))
    4.0
    """
    gap = weights.mean - jnp.asarray(target)
    return gap @ (jnp.asarray(covariance) @ gap) + jnp.sum(jnp.asarray(covariance) * weights.spread)


@record
class IsotropicWeights:
    """Moments of random weights whose fluctuation has no direction.

    Attributes:
        mean: coordinates of the mean in the span of the targets, (q,), q <= p.
        spread: trace of the covariance about the mean [(label/x)^2].
    """

    mean: Float[Any, " q"]
    spread: Float[Any, ""]


@record
class IsotropicStage:
    """One ridge stage on inputs of unit covariance.

    Attributes:
        target: coordinates of the true weights in the span of the targets, (q,).
        groups: training rows, their weights and label noise.
        ridge: total ridge towards the inherited weights, >= 0.
    """

    target: Float[Any, " q"]
    groups: Groups
    ridge: Float[Any, ""]


@needs_float64
@jax.jit
def inherit_isotropic(weights: IsotropicWeights, stage: IsotropicStage, p: Any) -> Inherited:
    """Apply the inheritance operator of a stage on isotropic inputs: scalars in place of matrices.

    Args:
        weights: inherited, independent of the stage's data.
        stage: the stage.
        p: dimension of the inputs; may be traced.

    Returns:
        As ``inherit``, with ``IsotropicWeights``.

    Regime: as ``inherit``, of which it is the case Sigma = 1. Source: as ``inherit``.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> start = IsotropicWeights(mean=jnp.zeros(1), spread=0.0)
    >>> rows = plain_rows(100, 0.25)
    >>> stage = IsotropicStage(target=jnp.ones(1), groups=rows, ridge=0.0)
    >>> out = inherit_isotropic(start, stage, 200.0)
    >>> print(out.weights.mean, f"{float(out.risk.excess_risk):.4f}")
    [0.5] 0.7500
    """
    gap = weights.mean - stage.target
    energy = gap @ gap + weights.spread
    spectrum = isotropic(p, signal=energy)
    errors = weighted_ridge_risk(spectrum, stage.groups, stage.ridge)
    kappa = errors.fixed_point.kappa
    keep = kappa / (1 + kappa)
    return Inherited(
        weights=IsotropicWeights(
            mean=stage.target + keep * gap,
            spread=keep**2 * weights.spread + errors.spread * df2(spectrum, kappa),
        ),
        risk=errors,
        status=errors.status,
    )


@needs_float64
def isotropic_risk(weights: IsotropicWeights, target: Any) -> Scalar:
    """Excess risk of random weights on inputs of unit covariance: |m - beta|^2 + spread.

    Regime: exact in the moments. Source: ``risk`` at unit covariance.

    >>> float(isotropic_risk(IsotropicWeights(mean=jnp.ones(1), spread=0.5), jnp.zeros(1)))
    1.5
    """
    gap = weights.mean - jnp.asarray(target)
    return gap @ gap + weights.spread
