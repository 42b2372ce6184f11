r"""Linear combinations of random weights: scaled anchors, averages of models, task vectors.

Weights that came from one another are not independent. A ``Joint`` holds the first two moments of
several random weights together,

.. math:: m_i = \mathrm E\, w_i, \qquad C_{ij} = \mathrm{Cov}(w_i, w_j),

and any combination :math:`\sum_i a_i w_i` has the mean :math:`\sum_i a_i m_i` and the covariance
:math:`\sum_{ij} a_i a_j C_{ij}`. A ridge stage maps its anchor affinely, given its data, and the
mean of that map is :math:`K = \kappa(\Sigma + \kappa)^{-1}`: the new weights have
:math:`\mathrm{Cov}(w', w_j) = K\,\mathrm{Cov}(w_0, w_j)` with whatever was there before. See
docs/inheritance.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._record import record
from ci_theory._types import Array, Float, needs_float64
from ci_theory.theory.inheritance.operator import (
    Inherited,
    IsotropicStage,
    IsotropicWeights,
    RidgeStage,
    Weights,
    inherit,
    inherit_isotropic,
)

__all__ = [
    "FineTuned",
    "IsotropicJoint",
    "Joint",
    "combined",
    "combined_isotropic",
    "fine_tuned",
    "fine_tuned_isotropic",
    "independent",
    "independent_isotropic",
]


@record
class Joint:
    """First two moments of k random weights together.

    Attributes:
        means: (k, p).
        covariance: of weights i and j at [i, j], (k, k, p, p).
    """

    means: Float[Any, "k p"]
    covariance: Float[Any, "k k p p"]


@record
class IsotropicJoint:
    """Moments of k random weights whose fluctuations have no direction.

    Attributes:
        means: coordinates in the span of the targets, (k, q).
        covariance: trace of the covariance of weights i and j at [i, j], (k, k).
    """

    means: Float[Any, "k q"]
    covariance: Float[Any, "k k"]


class FineTuned(NamedTuple):
    """What a stage adds.

    Attributes:
        joint: the moments of all weights, the new ones last.
        stage: errors and status of the stage, and the moments of the new weights alone.
    """

    joint: Any
    stage: Inherited


@needs_float64
def independent(*weights: Weights) -> Joint:
    """Put weights together that have nothing in common.

    >>> ours = Weights(mean=jnp.ones(2), spread=jnp.eye(2))
    >>> independent(ours, ours).covariance[0, 1]
    Array([[0., 0.],
           [0., 0.]], dtype=float64)
    """
    own = jnp.stack([jnp.asarray(w.spread, float) for w in weights])
    apart = jnp.eye(len(weights))[:, :, None, None]
    return Joint(
        means=jnp.stack([jnp.asarray(w.mean, float) for w in weights]),
        covariance=apart * own[:, None],
    )


@needs_float64
def independent_isotropic(*weights: IsotropicWeights) -> IsotropicJoint:
    """Put isotropic weights together that have nothing in common.

    >>> ours = IsotropicWeights(mean=jnp.ones(2), spread=0.5)
    >>> print(independent_isotropic(ours, ours).covariance)
    [[0.5 0. ]
     [0.  0.5]]
    """
    return IsotropicJoint(
        means=jnp.stack([jnp.asarray(w.mean, float) for w in weights]),
        covariance=jnp.diag(jnp.stack([jnp.asarray(w.spread, float) for w in weights])),
    )


@needs_float64
def combined(joint: Joint, coefficients: Float[Any, " k"]) -> Weights:
    r"""Moments of a linear combination of random weights.

    .. math:: m = \sum_i a_i m_i, \qquad V = \sum_{ij} a_i a_j C_{ij}

    Args:
        joint: the weights.
        coefficients: a, (k,); they need not add up to 1. One alone scales.

    Regime: exact in the moments. Source: bilinearity of the covariance.

    >>> one = Weights(mean=jnp.array([1.0, 0.0]), spread=jnp.eye(2))
    >>> other = Weights(mean=jnp.array([0.0, 1.0]), spread=jnp.eye(2))
    >>> half = combined(independent(one, other), [0.5, 0.5])  # an average of two models
    >>> print(half.mean, half.spread[0, 0])
    [0.5 0.5] 0.5
    >>> print(combined(independent(one), [0.3]).spread[0, 0])  # a scaled one
    0.09
    """
    a = jnp.asarray(coefficients, float)
    return Weights(mean=a @ joint.means, spread=jnp.einsum("i,j,ijpq->pq", a, a, joint.covariance))


@needs_float64
def combined_isotropic(joint: IsotropicJoint, coefficients: Float[Any, " k"]) -> IsotropicWeights:
    r"""Moments of a linear combination of isotropic random weights; see ``combined``.

    Regime: exact in the moments. Source: as ``combined``.

    >>> one = IsotropicWeights(mean=jnp.ones(1), spread=0.5)
    >>> float(combined_isotropic(independent_isotropic(one, one), [1.0, -1.0]).spread)
    1.0
    """
    a = jnp.asarray(coefficients, float)
    return IsotropicWeights(mean=a @ joint.means, spread=a @ joint.covariance @ a)


@needs_float64
@jax.jit
def fine_tuned(joint: Joint, anchor: Float[Any, " k"], stage: RidgeStage) -> FineTuned:
    r"""Train a stage from a combination of the weights so far, and keep all moments.

    .. math:: w_0 = \sum_i a_i w_i, \qquad \mathrm{Cov}(w', w_j) = K \sum_i a_i C_{ij}, \qquad
        K = \kappa\,(\Sigma + \kappa)^{-1}

    Args:
        joint: the weights so far.
        anchor: coefficients a of the combination to which the stage's ridge pulls, (k,).
        stage: of data of its own, independent of all that was before.

    Returns:
        the joint moments, the new weights last, and the outcome of the stage.

    Regime: as ``operator.inherit``. Limits: ridge -> infinity: the anchor itself, fully
    correlated; no ridge and more rows than directions: nothing in common.

    Source: derived here (docs/inheritance.md), from the equivalent of the anchored resolvent.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> base = Weights(mean=jnp.zeros(2), spread=jnp.eye(2))
    >>> task = RidgeStage(
    ...     covariance=jnp.eye(2), target=jnp.ones(2), groups=plain_rows(50, 0.1), ridge=20.0)
    >>> found = fine_tuned(independent(base), [1.0], task)
    >>> vector = combined(found.joint, [-1.0, 1.0])  # a task vector: tuned weights less base
    >>> print(vector.mean.round(3), f"{vector.spread[0, 0]:.3f}")
    [0.708 0.708] 0.506
    """
    a = jnp.asarray(anchor, float)
    found = inherit(combined(joint, a), stage)
    values, vectors = jnp.linalg.eigh(jnp.asarray(stage.covariance, float))
    floor = values.shape[0] * jnp.finfo(values.dtype).eps * jnp.max(values)
    values = jnp.where(values > floor, values, 0.0)
    total = values + found.risk.fixed_point.kappa
    kept = jnp.where(total > 0, 1 - values / jnp.where(total > 0, total, 1.0), 1.0)
    keep = (vectors * kept[None, :]) @ vectors.T
    shared = jnp.einsum("pq,i,ijqr->jpr", keep, a, joint.covariance)  # Cov(w', w_j)
    return FineTuned(
        Joint(
            means=jnp.concatenate([joint.means, found.weights.mean[None]]),
            covariance=_bordered(
                joint.covariance, shared, jnp.swapaxes(shared, -1, -2), found.weights.spread
            ),
        ),
        found,
    )


@needs_float64
@jax.jit
def fine_tuned_isotropic(
    joint: IsotropicJoint, anchor: Float[Any, " k"], stage: IsotropicStage, p: Any
) -> FineTuned:
    """Train a stage on isotropic inputs from a combination of the weights so far.

    As ``fine_tuned``, with numbers in place of matrices.

    Args:
        joint: the weights so far.
        anchor: coefficients of the combination to which the stage's ridge pulls, (k,).
        stage: the stage.
        p: dimension of the inputs; may be traced.

    Regime: as ``fine_tuned``. Source: as ``fine_tuned``, at unit covariance.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> base = IsotropicWeights(mean=jnp.zeros(1), spread=1.0)
    >>> task = IsotropicStage(target=jnp.ones(1), groups=plain_rows(50, 0.1), ridge=1e9)
    >>> found = fine_tuned_isotropic(independent_isotropic(base), [1.0], task, 2.0)
    >>> print(found.joint.covariance.round(3))  # it stays where it was
    [[1. 1.]
     [1. 1.]]
    """
    a = jnp.asarray(anchor, float)
    found = inherit_isotropic(combined_isotropic(joint, a), stage, p)
    kappa = found.risk.fixed_point.kappa
    shared = kappa / (1 + kappa) * (a @ joint.covariance)
    return FineTuned(
        IsotropicJoint(
            means=jnp.concatenate([joint.means, found.weights.mean[None]]),
            covariance=_bordered(joint.covariance, shared, shared, found.weights.spread),
        ),
        found,
    )


def _bordered(inside: Array, below: Array, right: Array, corner: Array) -> Array:
    """Add a last row and column of blocks to a matrix of blocks."""
    top = jnp.concatenate([inside, right[:, None]], axis=1)
    return jnp.concatenate([top, jnp.concatenate([below, corner[None]])[None]])
