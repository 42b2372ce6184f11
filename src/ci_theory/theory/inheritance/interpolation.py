r"""Mixing weights before and after fine-tuning: what it costs or gains on any test law.

.. math:: w_a = w_0 + a\,(w_1 - w_0), \qquad
    R(a) = \mathrm E\,|w_a - \beta|^2 = R(0) + 2 a\,S + a^2 N

is a parabola in a, on every law: S is the mean of (w_1 - w_0).(w_0 - beta), N that of
``|w_1 - w_0|^2``. Both follow from the joint moments of the two models (``combination``).
Fine-tuning draws near to its own target only, so the best a of another law is another one.
See docs/inheritance/interpolation.md.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar, needs_float64
from ci_theory.theory.inheritance.combination import IsotropicJoint
from ci_theory.theory.inheritance.operator import IsotropicWeights, isotropic_risk
from ci_theory.theory.inheritance.poisoning import Tuning

__all__ = [
    "Course",
    "at_best_ridge",
    "best_mix",
    "course",
    "risk_of",
    "shared_shift",
    "tuned_course",
]


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
    (docs/inheritance/interpolation.md); weights mixed for robustness: Wortsman et al.,
    arXiv:2109.01903.

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
def tuned_course(
    start: IsotropicWeights, tuning: Tuning, own: Float[Any, " q"], target: Float[Any, " q"]
) -> Course:
    r"""Read the parabola off the start and what fine-tuning does, at finite size.

    .. math:: S = -L_1\,\mathrm E\,(\beta_{own} - w_0)\cdot(\beta - w_0), \qquad
        N = L_2\,\mathrm E\,|\beta_{own} - w_0|^2 + v

    with L_1 = 1 - kept and L_2 = 1 - 2 kept + kept_square the mean share of an error, and of its
    square, that the fine-tuning takes away, v what it adds by label noise.

    Args:
        start: moments of the weights before.
        tuning: from ``poisoning.clean_tuning``.
        own: target of the fine-tuning, (q,).
        target: of the test law, (q,).

    Regime: isotropic rows of the fine-tuning, exact in its three numbers. Limits: ``course`` of
    ``combination.fine_tuned_isotropic``, of which it has the next order.

    Source: derived here (docs/inheritance/interpolation.md).

    >>> from ci_theory.theory.inheritance.poisoning import clean_tuning
    >>> zero = IsotropicWeights(mean=jnp.zeros(1), spread=jnp.zeros(()))
    >>> own = jnp.ones(1)
    >>> found = tuned_course(zero, clean_tuning(50, 100, 0.0, jnp.inf, 0.0), own, own)
    >>> print(f"{float(best_mix(found)):.6f}")  # half of the way is learned, without noise
    1.000000
    """
    own, target = jnp.asarray(own, float), jnp.asarray(target, float)
    anchor, spread = isotropic_risk(start, own), start.spread
    gap = start.mean - target
    moved, squares = 1 - tuning.kept, 1 - 2 * tuning.kept + tuning.kept_square
    return Course(
        start=gap @ gap + spread,
        slope=-moved * ((start.mean - own) @ gap + spread),
        curvature=squares * anchor + tuning.noise,
    )


@needs_float64
def shared_shift(
    start: IsotropicWeights, tuning: Tuning, own: Float[Any, " q"], other: Float[Any, " q"]
) -> Scalar:
    r"""Share of the shift between two targets above which mixing back does not pay.

    The test law has the target (1 - x) ``other`` + x ``own``. R'(1) = 0 there is linear in x:

    .. math:: x^* = 1 + \frac{S_{own} + N}
        {L_1\,(\beta_{own} - m_0)\cdot(\beta_{own} - \beta_{other})}

    with S at the own target. Below x* some a < 1 is better than 1, above it some a > 1.

    Args:
        start: moments of the weights before.
        tuning: from ``poisoning.clean_tuning``.
        own: target of the fine-tuning, (q,).
        other: target of the weights before, say, (q,).

    Returns:
        x*; NaN where the two targets do not differ along what is learned.

    Regime: as ``tuned_course``. Source: derived here (docs/inheritance/interpolation.md).

    >>> from ci_theory.theory.inheritance.poisoning import clean_tuning
    >>> zero = IsotropicWeights(mean=jnp.zeros(1), spread=jnp.zeros(()))
    >>> half = clean_tuning(50, 100, 0.0, jnp.inf, 0.0)
    >>> print(f"{float(shared_shift(zero, half, jnp.ones(1), jnp.zeros(1))):.6f}")
    1.000000
    """
    own, other = jnp.asarray(own, float), jnp.asarray(other, float)
    found = tuned_course(start, tuning, own, own)
    along = (1 - tuning.kept) * ((own - start.mean) @ (own - other))
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

    Regime: exact at every size on isotropic rows, mode by mode. Source: derived here
    (docs/inheritance/interpolation.md); it is the best ridge of ``transfer``.

    >>> float(at_best_ridge(100, 0.5, 2.0))
    25.0
    """
    return jnp.asarray(p, float) * noise / anchor
