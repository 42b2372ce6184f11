r"""Self-distillation of ridge regression: a student fitted to labels mixed with its teacher's.

Teacher and student have the same rows and the same ridge; the student's labels are
:math:`(1 - \xi) y + \xi \hat y`. Since :math:`\hat\beta(\delta)` has the derivative
:math:`\hat\beta' = -(X'X + \delta)^{-1} \hat\beta`, the student is a step along the teacher's own
ridge path, :math:`\hat\beta + \xi\,\delta\,\hat\beta'`, on any rows whatever. Its risk is a
parabola in xi, and two fits to the same rows with effective ridges kappa and kappa' err together by

.. math::
    E(\kappa, \kappa') = \frac{B + \sigma^2 D}{1 - D}, \qquad
    B = \sum v\,y\,y', \qquad D = \frac1n \sum m\,x\,x' .
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Number, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import counted
from ci_theory.theory.spectra.spectrum import Spectrum, d12, fractions, total

__all__ = ["Distilled", "distilled", "joint_excess"]


class Distilled(NamedTuple):
    """The best mixed student of a ridge teacher; means over training sets.

    Attributes:
        mix: the weight xi of the teacher's predictions that is best; may be negative or above 1.
        teacher: excess risk of the teacher, mix 0 [label^2].
        student: excess risk of the student at ``mix`` [label^2].
        slope: derivative R' of the teacher's excess risk in the total ridge.
        speed: mean square of the predictions' derivative in the ridge, C.
        ridge: total ridge of both fits.
        status: OK, that of the effective ridge, or OUT_OF_SCOPE.
    """

    mix: Scalar
    teacher: Scalar
    student: Scalar
    slope: Scalar
    speed: Scalar
    ridge: Scalar
    status: Int[Array, ""]

    def at(self, mix: Number) -> Scalar:
        """Return the excess risk of the student with another mix."""
        step = jnp.asarray(mix, float) * self.ridge
        return self.teacher + step * self.slope + step**2 * self.speed


def joint_excess(
    spectrum: Spectrum, n: Number, kappa: Number, other: Number, noise: Number
) -> Scalar:
    r"""Mean product of the errors of two ridge fits to the same rows, on clean labels.

    Args:
        spectrum: of the inputs, with the target on it.
        n: training rows.
        kappa: effective ridge of the one fit [x^2].
        other: effective ridge of the other [x^2].
        noise: label-noise variance [label^2].

    Regime: as ``risk.ridge_risk``, which it is at kappa = other.

    Source: derived here (docs/ridge/ridge.md).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> print(f"{float(joint_excess(isotropic(50), 100, 1.0, 1.0, 0.5)):.6f}")
    0.357143
    """
    x, y = fractions(spectrum.eigenvalues, jnp.asarray(kappa, float))
    x2, y2 = fractions(spectrum.eigenvalues, jnp.asarray(other, float))
    missed = total(spectrum.power, y * y2) + spectrum.tail_power
    share = total(spectrum.multiplicity, x * x2) / counted(n)
    return (missed + jnp.asarray(noise, float) * share) / (1 - share)


@needs_float64
@jax.jit
def distilled(spectrum: Spectrum, n: Number, ridge: Number, noise: Number) -> Distilled:
    r"""Best weight of its teacher's predictions in a ridge student's labels, and what it gains.

    .. math::
        \xi^* = -\frac{R'(\delta)}{2\,\delta\,C}, \qquad
        R - R^* = \frac{R'(\delta)^2}{4\,C}, \qquad
        R' = \frac{2\,\partial_\kappa E}{n - \mathrm{df}_2}, \qquad
        C = \frac{\partial_\kappa \partial_{\kappa'} E}{(n - \mathrm{df}_2)^2}

    at kappa' = kappa. So the weight has the sign of -R': positive below the best ridge,
    negative above it, and nothing is gained at it.

    Args:
        spectrum: of the inputs, with the target on it.
        n: training rows.
        ridge: total ridge delta of teacher and student, > 0 [x^2].
        noise: label-noise variance [label^2].

    Regime: as ``risk.ridge_risk``. On any given rows the first two formulas hold exactly with R
    and C of those rows, on any test law.

    Limits: isotropic inputs: xi* = 0 at ridge = noise p/|w|^2.

    Errors: OUT_OF_SCOPE for n <= 0, ridge <= 0 or noise < 0.

    Source: derived here (docs/ridge/ridge.md). The sign rule and the gain are theorems of Dang,
    Patil, Rinaldo, arXiv:2602.17565 (their abstract; their asymptotic formulas were not compared).

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> found = distilled(isotropic(50), 100, 5.0, 0.5)  # the best ridge is 25
    >>> print(f"{found.mix:.4f} {found.teacher:.4f} {found.student:.4f}")
    2.2596 0.3731 0.2846
    """
    n, ridge, noise = counted(n), jnp.asarray(ridge, float), jnp.asarray(noise, float)
    inside = (n > 0) & (ridge > 0) & (noise >= 0)
    rows, total_ridge = jnp.where(inside, n, 1.0), jnp.where(inside, ridge, 1.0)
    root = solve_kappa(spectrum, rows, total_ridge)
    kappa = root.value

    def joint(one: Scalar, other: Scalar) -> Scalar:
        return joint_excess(spectrum, rows, one, other, noise)

    first = jax.grad(joint)
    teacher, half = joint(kappa, kappa), first(kappa, kappa)
    mixed = jax.grad(first, argnums=1)(kappa, kappa)
    free = total_ridge / kappa + d12(spectrum, kappa)  # n - df2 = d ridge/d kappa
    slope, speed = 2 * half / free, mixed / free**2
    moves = speed > 0  # nothing is learned: nothing moves
    step = jnp.where(moves, -slope / (2 * jnp.where(moves, speed, 1.0)), 0.0)
    student = teacher + 0.5 * step * slope
    mix, teacher, student, slope, speed = (
        jnp.where(inside, v, jnp.nan) for v in (step / total_ridge, teacher, student, slope, speed)
    )
    status = jnp.where(inside, root.status, int(Status.OUT_OF_SCOPE))
    return Distilled(mix, teacher, student, slope, speed, ridge, status)
