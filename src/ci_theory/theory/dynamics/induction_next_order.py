"""What finite steps on few sequences add to the gradient flow of an induction head."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.dynamics import small_flow
from ci_theory.theory.dynamics.induction_head import (
    Questions,
    answer_losses,
    answer_shares,
)
from ci_theory.theory.dynamics.induction_onset import START, asked

__all__ = ["Steps", "derivatives", "head_steps"]

TOLERANCE = 1e-8  # of a correction: it need not be better known


class Steps(NamedTuple):
    """How steps of size eta on b sequences differ from the flow, to first order in eta.

    Attributes:
        logits: of the flow, (3,).
        moved: mean deviation of the logits, (3,).
        spread: their covariance over runs, (3, 3).
        peak: largest mean square deviation, up to the time, of the loss on right answers [ln² N].
        status: OK, or that of the solver.
    """

    logits: Float[Array, "3"]
    moved: Float[Array, "3"]
    spread: Float[Array, "3 3"]
    peak: Scalar
    status: Int[Array, ""]


@needs_float64
@jax.jit
def head_steps(of: Questions, time: Any, rate: Any, batch: Any) -> Steps:
    r"""Follow mean and covariance of stochastic gradient descent beside the flow.

    With g, H the slope and curvature of the mean loss and S the covariance of one sequence's slope,
    :math:`\dot\theta = -g` and

    .. math:: \dot\mu = -H\mu - \nabla\Bigl[\tfrac\eta4 |g|^2 + \tfrac12 \mathrm{tr}(C H)\Bigr],
        \quad \dot C = -HC - CH + \tfrac{\eta}{b} S

    Args:
        of: what sequences hold and ask.
        time: >= 0: steps times step size.
        rate: eta, the step size.
        batch: b, sequences of a step.

    Regime: deviations small against the logits.

    Source: derived here: backward error analysis of Euler's steps, and the linear-noise expansion.

    >>> made = head_steps(Questions(4.0, 16.0), 21.4, 0.1, 32.0)
    >>> print(made.moved.round(4), int(made.status))
    [-0.0384 -0.0388 -0.0233] 0
    """
    given, inside = asked(of)
    inside &= (jnp.asarray(time) >= 0) & (jnp.asarray(rate) >= 0) & (jnp.asarray(batch) > 0)
    shares = answer_shares(given)

    def velocity(state: Array) -> Array:
        at, moved, spread = _parts(state)
        slopes, *rest = derivatives(lambda at: answer_losses(at, given), at, 3)
        slope, curvature, bend = (jnp.tensordot(shares, part, 1) for part in (slopes, *rest))
        apart = slopes - slope[None, :]
        noise = rate / batch * (apart.T * shares[None, :]) @ apart
        drift = curvature @ (moved + rate / 2 * slope) + jnp.sum(bend * spread[None], (1, 2)) / 2
        spreading = noise - curvature @ spread - spread @ curvature
        return -jnp.concatenate([slope, drift, -spreading.ravel()])

    def square(state: Array) -> Scalar:
        at, moved, spread = _parts(state)
        slope = jax.grad(lambda at: answer_losses(at, given)[0])(at) / jnp.log(given.items)
        return (slope @ moved) ** 2 + slope @ spread @ slope

    start = jnp.concatenate([jnp.full(3, START), jnp.zeros(12)])
    until = jnp.where(inside, time, 0.0)
    made = small_flow.flow(velocity, start, until, TOLERANCE, square)
    return Steps(
        *_parts(jnp.where(inside, made.at, jnp.nan)),
        peak=jnp.where(inside, made.largest, jnp.nan),
        status=jnp.where(inside, made.status, int(Status.OUT_OF_SCOPE)),
    )


def derivatives(
    function: Callable[[Array], Array], at: Float[Array, " k"], order: int
) -> tuple[Array, ...]:
    """Return the derivatives of a function of few numbers, the first up to one of an order.

    Each has an axis of length k more than the one before. All are taken forwards, the lower ones on
    the way to the highest: a third less to trace than one by one.

    >>> first, second = derivatives(lambda x: x**3, jnp.array([2.0]), 2)
    >>> print(first, second)
    [[12.]] [[[12.]]]
    """

    def of_order(k: int, at: Array) -> tuple[Array, tuple[Array, ...]]:
        if k == 0:
            return function(at), ()
        made, lower = jax.jacfwd(partial(of_order, k - 1), has_aux=True)(at)
        return made, (*lower, made)

    return of_order(order, at)[1]


def _parts(state: Float[Array, "15"]) -> tuple[Array, Array, Array]:
    return state[:3], state[3:6], state[6:].reshape(3, 3)
