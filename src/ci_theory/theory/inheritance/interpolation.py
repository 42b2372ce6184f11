r"""Mixing weights before and after fine-tuning: what it costs or gains on any test law.

.. math:: w_a = w_0 + a\,(w_1 - w_0), \qquad
    R(a) = \mathrm E\,|w_a - \beta|^2 = R(0) + 2 a\,S + a^2 N

is a parabola in a, on every law: S is the mean of (w_1 - w_0).(w_0 - beta), N that of
``|w_1 - w_0|^2``. Both follow from the joint moments of the two models (``combination``).
Fine-tuning draws near to its own target only, so the best a of another law is another one.
See docs/interpolation.md.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar, needs_float64
from ci_theory.theory.inheritance.combination import IsotropicJoint

__all__ = ["Course", "at_best_ridge", "best_mix", "course", "risk_of", "shared_shift"]


class Course(NamedTuple):
    """The risk of mixed weights on one test law, a parabola in the share of the tuned ones.

    Attributes:
        start: R(0), of the weights before [label^2].
        slope: S, half of the slope there.
        curvature: N, mean squared distance of the two.
    """

    start: Scalar
    slope: Scalar
    curvature: Scalar


@needs_float64
def course(joint: IsotropicJoint, target: Float[Any, " q"]) -> Course:
    r"""Read the parabola off the moments of the weights before (the first) and after (the last).

    .. math:: S = (m_1 - m_0)\cdot(m_0 - \beta) + C_{01} - C_{00}, \qquad
        N = |m_1 - m_0|^2 + C_{00} + C_{11} - 2 C_{01}

    Args:
        joint: moments of both, from ``combination.fine_tuned_isotropic``.
        target: of the test law, in the span of the targets, (q,).

    Regime: exact in the moments, unit covariance of the test inputs. Source: derived here
    (docs/interpolation.md); weights mixed for robustness: Wortsman et al., arXiv:2109.01903.

    >>> both = IsotropicJoint(means=jnp.array([[0.0], [1.0]]), covariance=jnp.diag(
    ...     jnp.array([0.0, 0.5])))
    >>> found = course(both, jnp.ones(1))
    >>> print(float(best_mix(found)), float(risk_of(found, 1.0)))
    0.6666666666666666 0.5
    """
    before, after = joint.means[0], joint.means[-1]
    step, c = after - before, joint.covariance
    gap = before - jnp.asarray(target, float)
    return Course(
        start=gap @ gap + c[0, 0],
        slope=step @ gap + c[0, -1] - c[0, 0],
        curvature=step @ step + c[0, 0] + c[-1, -1] - 2 * c[0, -1],
    )


@needs_float64
def risk_of(course: Course, mix: Any) -> Array:
    """Excess risk of the weights at a share a of the tuned ones; beyond 0 and 1 too.

    Regime: exact. Source: the module's parabola.

    >>> float(risk_of(Course(jnp.array(1.0), jnp.array(-1.0), jnp.array(1.5)), 2.0))
    3.0
    """
    mix = jnp.asarray(mix, float)
    return course.start + 2 * mix * course.slope + mix**2 * course.curvature


@needs_float64
def best_mix(course: Course) -> Scalar:
    """Share of the tuned weights at which the risk is least, -S/N.

    NaN where fine-tuning moves nothing. Regime: exact. Source: the module's parabola.

    >>> float(best_mix(Course(jnp.array(1.0), jnp.array(-1.0), jnp.array(2.0))))
    0.5
    """
    moves = course.curvature > 0
    return jnp.where(moves, -course.slope / jnp.where(moves, course.curvature, 1.0), jnp.nan)


@needs_float64
def shared_shift(joint: IsotropicJoint, own: Float[Any, " q"], other: Float[Any, " q"]) -> Scalar:
    r"""Share of the shift between two targets above which mixing back does not pay.

    The test law has the target (1 - x) ``other`` + x ``own``. R'(1) = 0 there is linear in x:

    .. math:: x^* = 1 + \frac{S_{own} + N}{(m_1 - m_0)\cdot(\beta_{own} - \beta_{other})}

    with S at the own target. Below x* some a < 1 is better than 1, above it some a > 1.

    Args:
        joint: moments of the weights before and after.
        own: target of the fine-tuning, (q,).
        other: target of the weights before, say, (q,).

    Returns:
        x*; NaN where the two targets do not differ along what is learned.

    Regime: exact in the moments. Source: derived here (docs/interpolation.md).

    >>> both = IsotropicJoint(means=jnp.array([[0.0], [1.0]]), covariance=jnp.zeros((2, 2)))
    >>> float(shared_shift(both, jnp.array([2.0]), jnp.array([0.0])))  # half of the way is learned
    0.5
    """
    own, other = jnp.asarray(own, float), jnp.asarray(other, float)
    found = course(joint, own)
    along = (joint.means[-1] - joint.means[0]) @ (own - other)
    differ = along != 0
    place = 1 + (found.slope + found.curvature) / jnp.where(differ, along, 1.0)
    return jnp.where(differ, place, jnp.nan)


@needs_float64
def at_best_ridge(p: Any, noise: Any, anchor: Any) -> Scalar:
    r"""Ridge towards the start at which mixing gains nothing on the law of the fine-tuning.

    .. math:: \delta^* = p\,\sigma^2 / \mathrm E\,|w_0 - \beta|^2

    There the fit is the posterior mean for a start that misses by as much in every direction, and
    no multiple of a posterior mean's step is better. Less ridge asks for a < 1, more for a > 1.

    Args:
        p: inputs.
        noise: label-noise variance sigma^2.
        anchor: mean squared distance of the start from the target.

    Regime: exact on isotropic rows for a start whose error has no direction. Source: derived here
    (docs/interpolation.md); it is the best ridge of ``transfer``.

    >>> float(at_best_ridge(100, 0.5, 2.0))
    25.0
    """
    return jnp.asarray(p, float) * noise / anchor
