r"""Linear combinations of random weights: scaled anchors, averages of models, task vectors.

Weights that came from one another are not independent. A ``Joint`` holds the first two moments of
several random weights together,

.. math:: m_i = \mathrm E\, w_i, \qquad C_{ij} = \mathrm{Cov}(w_i, w_j),

and any combination :math:`\sum_i a_i w_i` has the mean :math:`\sum_i a_i m_i` and the covariance
:math:`\sum_{ij} a_i a_j C_{ij}`. A ridge stage maps its anchor affinely, given its data, and the
mean of that map is :math:`K = \kappa(\Sigma + \kappa)^{-1}`: the new weights have
:math:`\mathrm{Cov}(w', w_j) = K\,\mathrm{Cov}(w_0, w_j)` with whatever was there before. See
docs/inheritance/inheritance.md.
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
    "joined",
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
def joined(joint: Joint, weights: Weights, shared: Float[Any, "k p p"]) -> Joint:
    """Add weights to others, with their covariances with each of them, (k, p, p).

    >>> ours = Weights(mean=jnp.ones(1), spread=jnp.eye(1))
    >>> two = joined(independent(ours), ours, 0.5 * jnp.eye(1)[None])
    >>> print(combined(two, [0.5, 0.5]).spread)
    [[0.75]]
    """
    return Joint(
        means=jnp.concatenate([joint.means, weights.mean[None]]),
        covariance=_bordered(
            joint.covariance, shared, jnp.swapaxes(shared, -1, -2), weights.spread
        ),
    )


@needs_float64
@jax.jit
def fine_tuned(
    joint: Joint,
    anchor: Float[Any, " k"],
    stage: RidgeStage,
    labels: Float[Any, " k"] | None = None,
) -> FineTuned:
    r"""Train a stage from a combination of the weights so far, and keep all moments.

    .. math:: \mathrm{Cov}(w', w_j) = \sum_i L_i C_{ij}, \qquad L_i = a_i K + b_i (1 - K), \qquad
        K = \kappa\,(\Sigma + \kappa)^{-1}

    The stage pulls to :math:`\sum_i a_i w_i` and learns the labels of
    :math:`\beta + \sum_i b_i w_i`: models of before, which are random, may be its teachers.

    Args:
        joint: the weights so far.
        anchor: coefficients a of the combination to which the stage's ridge pulls, (k,).
        stage: of data of its own, independent of all that was before.
        labels: coefficients b of what is added to the stage's target, (k,); None for nothing.

    Returns:
        the joint moments, the new weights last, and the outcome of the stage.

    Regime: as ``operator.inherit``. Limits: ridge -> infinity: the anchor itself, fully
    correlated; no ridge and more rows than directions: the teacher, and nothing of the anchor.

    Source: derived here (docs/inheritance/inheritance.md), from the equivalent of the anchored
    resolvent.

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
    b = jnp.zeros_like(a) if labels is None else jnp.asarray(labels, float)
    found = inherit(combined(joint, a - b), stage)  # seen from its teacher
    values, vectors = jnp.linalg.eigh(jnp.asarray(stage.covariance, float))
    floor = values.shape[0] * jnp.finfo(values.dtype).eps * jnp.max(values)
    values = jnp.where(values > floor, values, 0.0)
    total = values + found.risk.fixed_point.kappa
    kept = jnp.where(total > 0, 1 - values / jnp.where(total > 0, total, 1.0), 1.0)
    keep = (vectors * kept[None, :]) @ vectors.T
    apart = jnp.einsum("pq,i,ijqr->jpr", keep, a - b, joint.covariance)
    shared = apart + jnp.einsum("i,ijpr->jpr", b, joint.covariance)  # Cov(w', w_j)
    beside = jnp.einsum("j,jpr->pr", b, apart)  # Cov(w' less the teacher, the teacher)
    teacher = combined(joint, b)
    made = Weights(
        mean=found.weights.mean + teacher.mean,
        spread=found.weights.spread + beside + beside.T + teacher.spread,
    )
    return FineTuned(joined(joint, made, shared), found._replace(weights=made))


@needs_float64
@jax.jit
def fine_tuned_isotropic(
    joint: IsotropicJoint,
    anchor: Float[Any, " k"],
    stage: IsotropicStage,
    p: Any,
    labels: Float[Any, " k"] | None = None,
) -> FineTuned:
    """Train a stage on isotropic inputs from a combination of the weights so far.

    As ``fine_tuned``, with numbers in place of matrices.

    Args:
        joint: the weights so far.
        anchor: coefficients of the combination to which the stage's ridge pulls, (k,).
        stage: the stage.
        p: dimension of the inputs; may be traced.
        labels: coefficients of what is added to the stage's target, (k,); None for nothing.

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
    b = jnp.zeros_like(a) if labels is None else jnp.asarray(labels, float)
    found = inherit_isotropic(combined_isotropic(joint, a - b), stage, p)
    kappa = found.risk.fixed_point.kappa
    apart = kappa / (1 + kappa) * ((a - b) @ joint.covariance)
    shared = apart + b @ joint.covariance
    teacher = combined_isotropic(joint, b)
    made = IsotropicWeights(
        mean=found.weights.mean + teacher.mean,
        spread=found.weights.spread + 2 * b @ apart + teacher.spread,
    )
    return FineTuned(
        IsotropicJoint(
            means=jnp.concatenate([joint.means, made.mean[None]]),
            covariance=_bordered(joint.covariance, shared, shared, made.spread),
        ),
        found._replace(weights=made),
    )


def _bordered(inside: Array, below: Array, right: Array, corner: Array) -> Array:
    """Add a last row and column of blocks to a matrix of blocks."""
    top = jnp.concatenate([inside, right[:, None]], axis=1)
    return jnp.concatenate([top, jnp.concatenate([below, corner[None]])[None]])
