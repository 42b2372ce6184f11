"""Risks of weights mixed before and after fine-tuning, averaged over targets and label noise.

Targets take 2 p orientations, as in ``two_stage``: inputs are isotropic, so no mean changes. The
weights before are (1 - A) a + f, a the upstream target, A what the upstream rows leave of an error
and f the fluctuation by label noise; fine-tuning to the target b moves them by L (b - w_0) + g.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar, Value
from ci_theory.inherit import finetune


class Course(NamedTuple):
    """The risk R(a) = start + 2 a slope + a^2 curvature of mixed weights on one test law."""

    start: Scalar
    slope: Scalar
    curvature: Scalar


class Maps(NamedTuple):
    """What both stages do at one choice of ridges and noises.

    Attributes:
        learned: 1 - A, of the upstream target, (p, p).
        fluctuation: covariance of f, (p, p).
        moved: L, (p, p).
        noise: trace of the covariance of g.
    """

    learned: Float[Array, "p p"]
    fluctuation: Float[Array, "p p"]
    moved: Float[Array, "p p"]
    noise: Scalar


def maps(
    up: finetune.Design,
    down: finetune.Design,
    up_ridge: Value,
    up_noise: Value,
    ridge: Value,
    noise: Value,
) -> Maps:
    """Fit both stages; arguments as in ``two_stage.errors``."""
    p = up.eigenvalues.shape[0]
    zero, nothing = jnp.zeros(p), finetune.scratch(p, up.eigenvalues.dtype)
    return Maps(
        learned=jnp.eye(p) - finetune.kept(up, up_ridge),
        fluctuation=finetune.finetune(up, nothing, zero, up_ridge, up_noise).covariance,
        moved=jnp.eye(p) - finetune.kept(down, ridge),
        noise=jnp.trace(finetune.finetune(down, nothing, zero, ridge, noise).covariance),
    )


def course(maps: Maps, signal: Value, alignment: Value, share: Value) -> Course:
    """Return the risk on the law whose target is (1 - share) a + share b.

    Args:
        maps: of the two stages.
        signal: squared norm of a and of b.
        alignment: cosine of the angle between them.
        share: of the shift from a to b that the test law has.
    """
    p, eye = maps.learned.shape[0], jnp.eye(maps.learned.shape[0])
    gap = maps.learned - (1 - share) * eye, -share * eye  # of w_0 from the target, by a and by b
    step = -maps.moved @ maps.learned, maps.moved

    def mean(one: tuple[Array, Array], other: tuple[Array, Array]) -> Scalar:
        """Average the product of two vectors that are linear in a and b."""
        alike = jnp.sum(one[0] * other[0]) + jnp.sum(one[1] * other[1])
        crossed = jnp.sum(one[0] * other[1]) + jnp.sum(one[1] * other[0])
        return signal / p * (alike + alignment * crossed)

    moved = maps.moved @ maps.fluctuation
    return Course(
        start=mean(gap, gap) + jnp.trace(maps.fluctuation),
        slope=mean(gap, step) - jnp.trace(moved),
        curvature=mean(step, step) + jnp.sum(moved * maps.moved) + maps.noise,
    )
