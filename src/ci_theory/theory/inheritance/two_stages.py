"""Two isotropic ridge stages in a row: upstream, and downstream from where upstream ended."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Scalar, needs_float64
from ci_theory.theory.inheritance.operator import (
    Inherited,
    IsotropicStage,
    IsotropicWeights,
    at_angle,
    inherit_isotropic,
    isotropic_risk,
)
from ci_theory.theory.spectra.groups import Groups

__all__ = ["TwoStages", "pretrain", "two_stages"]


class TwoStages(NamedTuple):
    """Both stages by the inheritance operator, in the plane of their two targets.

    Attributes:
        up: the upstream stage.
        down: the downstream stage.
        target: downstream target; the upstream one lies along the first axis, (2,).
        anchor: mean squared distance of the inherited weights from it [(label/input)^2].
        gain: downstream excess risk per unit of it.
        up_free: rows left to average over upstream, effective rows less df2.
        down_free: the same downstream.
    """

    up: Inherited
    down: Inherited
    target: Array
    anchor: Scalar
    gain: Scalar
    up_free: Scalar
    down_free: Scalar


@needs_float64
def pretrain(p: Any, signal: Any, rows: Groups, ridge: Any) -> Inherited:
    """Fit the upstream stage: ridge regression towards zero.

    Args:
        p: parameters.
        signal: squared norm of the target.
        rows: of the stage, in groups of equal weight.
        ridge: total ridge.
    """
    zero = IsotropicWeights(mean=jnp.zeros(2), spread=jnp.zeros(()))
    own = jnp.stack([jnp.sqrt(signal), jnp.zeros(())])
    return inherit_isotropic(zero, IsotropicStage(target=own, groups=rows, ridge=ridge), p)


@needs_float64
def two_stages(
    up: Inherited, p: Any, signal: Any, rows: Groups, ridge: Any, cosine: Any
) -> TwoStages:
    r"""Fit the downstream stage from what the upstream stage left.

    Args:
        up: from ``pretrain``.
        p: parameters.
        signal: squared norm of each target.
        rows: of the downstream stage, one group.
        ridge: total ridge towards the upstream weights.
        cosine: of the angle between the two targets.

    Regime: rows and p -> infinity at fixed ratios. Limits: ridge -> infinity keeps the upstream
    weights; ridge = 0 with more rows than p forgets them (gain 0).

    Source: docs/inheritance/inheritance.md; isotropic: Dar, LeJeune, Baraniuk 2021
    (arXiv:2103.05621).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> up = pretrain(100, 1.0, plain_rows(400, 0.25), 0.0)
    >>> made = two_stages(up, 100, 1.0, plain_rows(50, 0.25), 20.0, cosine=0.9)
    >>> print(f"{float(made.anchor):.4f} {float(made.gain):.4f}")
    0.2833 0.5415
    """
    target = jnp.sqrt(signal) * at_angle(cosine)
    down = inherit_isotropic(up.weights, IsotropicStage(target=target, groups=rows, ridge=ridge), p)
    at = down.risk.fixed_point
    keep = at.kappa / (1 + at.kappa)
    return TwoStages(
        up=up,
        down=down,
        target=target,
        anchor=isotropic_risk(up.weights, target),
        gain=keep**2 / (at.forgotten[0] + at.leverage[0] * keep),
        up_free=_rows_left(up, p),
        down_free=_rows_left(down, p),
    )


def _rows_left(stage: Inherited, p: Any) -> Scalar:
    """Return the rows left to average over: effective rows less df2 of an isotropic covariance."""
    at = stage.risk.fixed_point
    return at.effective_rows - at.df1**2 / p
