r"""Some parameters taken over from another task, some trained, the rest left at zero.

Inputs have d independent coordinates of unit variance. Upstream, ridge regression fits p_s of the
coordinates to labels of a target :math:`\theta = \beta + \eta`; the others act as label noise.
Downstream, t of these weights are frozen, p further coordinates are fitted to labels of
:math:`\beta`, the rest stays zero. With the power of both targets spread evenly, what is inherited
is the mean squared error of the frozen weights,

.. math:: D = \frac t{p_s} E_S + |\eta|^2 \frac td (2\rho - 1), \qquad
    E = \sigma^2 + B_F + (1 + g)\,(\sigma^2 + |\beta_Z|^2 + D) - \sigma^2

with :math:`E_S` the excess risk of the upstream fit on its own coordinates, :math:`\rho` the share
of a target that it learns, :math:`B_F` what the trained coordinates miss of their own target, g the
excess risk per unit of label noise, and Z the coordinates left at zero. So every peak of
:math:`E_S` is inherited, on top of the one of g: double descent, twice.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.ridge.isotropic import exact_ridgeless
from ci_theory.theory.ridge.ridge_next_order import NextOrder, next_order
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import df1, isotropic

__all__ = [
    "CoordinateStage",
    "Partial",
    "Task",
    "Transfer",
    "exact_partial",
    "inherited_error",
    "parameter_transfer",
    "partial_fit",
]


class CoordinateStage(NamedTuple):
    """One of the two fits.

    Attributes:
        p: coordinates fitted.
        n: training rows.
        ridge: total ridge, >= 0.
        noise: label-noise variance [label^2].
    """

    p: Any
    n: Any
    ridge: Any
    noise: Any


class Task(NamedTuple):
    """Labels of one task, seen from the coordinates that are fitted; both in label^2.

    Attributes:
        inside: power of the target on these coordinates.
        outside: label noise, and the target's power on all the others, which acts as noise.
    """

    inside: Scalar | float
    outside: Scalar | float


class Partial(NamedTuple):
    """A ridge fit of some of the coordinates.

    Attributes:
        risk: limit and next order of the excess risk on these coordinates.
        learned: share of the target that the mean fit learns, df1/p.
        status: of the solver, or OUT_OF_SCOPE.
    """

    risk: NextOrder
    learned: Scalar
    status: Int[Array, ""]

    @property
    def excess(self) -> Scalar:
        """Mean squared error of the fitted weights [label^2]."""
        return self.risk.signal + self.risk.noise


@needs_float64
def partial_fit(p: Any, n: Any, ridge: Any, task: Task) -> Partial:
    """Fit p coordinates by ridge regression on n rows.

    Args:
        p: coordinates fitted.
        n: training rows.
        ridge: total ridge, >= 0.
        task: what the labels are made of.

    Regime: limit n, p -> infinity at fixed ratio; the next order, 1/(n - df2), beside it. Limits:
    all coordinates fitted is plain ridge regression. NOT_FINITE at n = p without a ridge.

    Source: Hastie et al., arXiv:1903.08560, section on misspecified models; next order: derived
    in docs/finite_size.md.

    >>> made = partial_fit(50, 100, 0.0, Task(0.5, 0.2))
    >>> print(f"{made.excess:.3f} {made.learned:.3f}")
    0.200 1.000
    """
    spectrum = isotropic(p, task.inside)
    risk = next_order(spectrum, n, ridge, task.outside)
    root = solve_kappa(spectrum, n, ridge)
    return Partial(risk, df1(spectrum, root.value) / p, risk.status)


@needs_float64
def exact_partial(p: Any, n: Any, task: Task) -> Partial:
    """Fit p coordinates by least squares or its minimum-norm interpolator, at finite size.

    Args:
        p: coordinates fitted.
        n: training rows.
        task: what the labels are made of.

    Regime: exact for Gaussian inputs; OUT_OF_SCOPE for |n - p| <= 1, where means are infinite.

    Source: inverse Wishart mean, as ``exact_ridgeless``; Dar, Baraniuk, arXiv:2006.07002.

    >>> float(exact_partial(50, 101, Task(0.5, 0.2)).excess)
    0.2
    """
    found = exact_ridgeless(n, p, task.outside, task.inside)
    missed = task.inside * jnp.maximum(1 - n / p, 0.0)
    noise = found.test_error - task.outside - missed
    none, left = jnp.zeros(()), jnp.abs(jnp.asarray(n, float) - p) - 1
    status = jnp.where(left > 0, int(Status.OK), int(Status.OUT_OF_SCOPE))
    risk = NextOrder(missed, noise, none, none, left, status)
    return Partial(risk, jnp.minimum(1.0, n / jnp.asarray(p, float)), status)


@needs_float64
def inherited_error(upstream: Partial, taken: Any, difference: Any) -> Scalar:
    """Return D: the mean squared error of the weights taken over, on the downstream target.

    Args:
        upstream: the fit they are taken from; its target's power includes the difference.
        taken: share of its coordinates that are taken over, t/p_s.
        difference: power of the difference of the two targets on all its coordinates [label^2].

    Regime: that of the fit. Limits: without rows the fit is zero, and D is the power of the
    downstream target there; with an exact fit D is the difference.

    Source: derived here, docs/inheritance/inheritance.md; without a ridge: Dar, Baraniuk,
    arXiv:2006.07002.

    >>> up = exact_partial(50, 101, Task(0.6, 0.2))
    >>> print(f"{inherited_error(up, 0.5, 0.1):.3f}")
    0.150
    """
    return taken * (upstream.excess + difference * (2 * upstream.learned - 1))


class Transfer(NamedTuple):
    """Both fits; all errors in label^2.

    Attributes:
        inherited: D, mean squared error of the frozen weights.
        up: the upstream fit.
        own: the downstream fit of the trained coordinates, of labels with unit noise.
        outside: what acts as label noise upstream.
        noise: what acts as label noise downstream if the frozen weights are right.
        status: the worst of both fits.
    """

    inherited: Scalar
    up: Partial
    own: Partial
    outside: Scalar
    noise: Scalar
    status: Int[Array, ""]

    @property
    def passed_on(self) -> Scalar:
        """Downstream error per unit of D: 1 + g."""
        return 1 + self.own.risk.noise

    def error(self, inherited: Scalar) -> Scalar:
        """Downstream error on fresh noisy labels with frozen weights that are so wrong."""
        return self.own.risk.signal + self.passed_on * (self.noise + inherited)


@needs_float64
def parameter_transfer(
    up: CoordinateStage,
    down: CoordinateStage,
    d: Any,
    frozen: Any,
    signal: Any,
    difference: Any,
    *,
    exact: bool = False,
) -> Transfer:
    """Compose the two fits.

    Args:
        up: the fit that weights are taken from.
        down: the fit of further coordinates.
        d: coordinates of the inputs, at least ``frozen + down.p``.
        frozen: t, weights taken over, at most ``up.p``.
        signal: squared norm of the downstream target.
        difference: squared norm of the upstream target less the downstream one.
        exact: use the finite-size means without a ridge; the ridges are not looked at.

    Regime: as ``partial_fit`` or ``exact_partial``. Limits: an upstream fit that is exact leaves
    D = difference t/d; zeros in place of the frozen weights are D = signal t/d.

    Source: derived here, docs/inheritance/inheritance.md; exact: Dar, Baraniuk, arXiv:2006.07002.

    >>> up, down = CoordinateStage(60, 80, 2.0, 0.1), CoordinateStage(20, 60, 1.0, 0.1)
    >>> made = parameter_transfer(up, down, 128, 40, 1.0, 0.1)
    >>> print(f"{made.inherited:.3f} {made.error(made.inherited):.3f}")
    0.847 2.166
    """

    def fitted(stage: CoordinateStage, task: Task) -> Partial:
        if exact:
            return exact_partial(stage.p, stage.n, task)
        return partial_fit(stage.p, stage.n, stage.ridge, task)

    power, seen = signal + difference, up.p / d
    outside = up.noise + power * (1 - seen)
    first = fitted(up, Task(power * seen, outside))
    own = fitted(down, Task(signal * down.p / d, 1.0))
    return Transfer(
        inherited=inherited_error(first, frozen / up.p, difference * seen),
        up=first,
        own=own,
        outside=jnp.asarray(outside, float),
        noise=jnp.asarray(down.noise + signal * (1 - (frozen + down.p) / d), float),
        status=jnp.maximum(first.status, own.status),
    )
