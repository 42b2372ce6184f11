"""When an induction head appears, and how far it is until then: gradient flow of its logits.

The model is that of ``induction_head``: a reconstruction.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.dynamics import small_flow
from ci_theory.theory.dynamics.induction_head import Questions, answer_losses, induction_loss

__all__ = ["Head", "Onset", "asked", "induction_head", "induction_onset"]

START = 0.01  # of each logit
TOLERANCE = 1e-11


class Onset(NamedTuple):
    """When the head is there.

    Attributes:
        time: of gradient flow at which the loss falls below half of ln N.
        logits: beta_1, beta_2, xi at that time, (3,).
        status: OK; NOT_CONVERGED if it takes more than ``small_flow.MOST_STEPS``; OUT_OF_SCOPE
            for questions that are none.
    """

    time: Scalar
    logits: Float[Array, "3"]
    status: Int[Array, ""]


class Head(NamedTuple):
    """What a head has learnt by a time.

    Attributes:
        logits: beta_1, beta_2, xi, (3,).
        status: OK; NOT_CONVERGED if it takes more than ``small_flow.MOST_STEPS``; OUT_OF_SCOPE
            for questions that are none, or a time below 0.
    """

    logits: Float[Array, "3"]
    status: Int[Array, ""]


def asked(of: Questions) -> tuple[Questions, Array]:
    """Return questions that can be asked, as float64, and whether it is these.

    They are none for N < 2, L < N, a noise outside [0, 1), fewer than one copy, or a share asked
    for outside (0, 1].
    """
    n, labels, noise, copies, share = (jnp.asarray(v, float) for v in of)
    inside = (n >= 2) & (labels >= n) & (noise >= 0) & (noise < 1)
    inside &= (copies >= 1) & (share > 0) & (share <= 1)
    some = (2.0, 2.0, 0.0, 1.0, 1.0)
    given = (n, labels, noise, copies, share)
    return Questions(*(jnp.where(inside, v, w) for v, w in zip(given, some, strict=True))), inside


@needs_float64
@jax.jit
def induction_head(of: Questions, time: Any) -> Head:
    r"""Solve the gradient flow from logits of ``START`` up to a time.

    .. math:: \dot\beta_1 = -\partial \ell_q/\partial \beta_1, \quad
        \dot\beta_2 = -\partial \ell_q/\partial \beta_2, \quad
        \dot\xi = -\partial \ell_q/\partial \xi

    Args:
        of: what sequences hold and ask.
        time: >= 0: steps times step size.

    Regime: as of ``answer_losses``; step sizes are adapted to an error of ``TOLERANCE`` a step.

    Source: reconstruction after Reddy 2023 (arXiv:2312.03002), not its own equations.

    >>> made = induction_head(Questions(8.0, 32.0), 48.465)
    >>> print(f"{float(answer_losses(made.logits, Questions(8.0, 32.0))[0] / jnp.log(8)):.2f}")
    0.50
    """
    given, inside = asked(of)
    time = jnp.asarray(time, float)
    inside &= time >= 0
    made = small_flow.flow(
        lambda at: -jax.grad(induction_loss)(at, given),
        jnp.full(3, START),
        jnp.where(inside, time, 0.0),
        TOLERANCE,
    )
    return Head(
        logits=jnp.where(inside, made.at, jnp.nan),
        status=jnp.where(inside, made.status, int(Status.OUT_OF_SCOPE)),
    )


@needs_float64
@jax.jit
def induction_onset(of: Questions) -> Onset:
    r"""Solve the gradient flow from logits of ``START`` until the clean loss is below ln(N)/2.

    .. math:: \dot\beta_1 = -\partial \ell_q/\partial \beta_1, \quad \dots \quad
        \ell(t^*) = \tfrac12 \ln N

    Args:
        of: what sequences hold and ask.

    Regime: as of ``answer_losses``; step sizes are adapted to an error of ``TOLERANCE`` a step,
    and the time is bisected within the last one.

    Limits: L = N makes the origin a critical point: the onset then comes late, and from 0 never.
    Much noise leaves the loss above the level for ever: NOT_CONVERGED.

    Source: reconstruction after Reddy 2023 (arXiv:2312.03002), not its own equations.

    >>> made = induction_onset(Questions(8.0, 32.0))
    >>> print(f"{float(made.time):.2f}", int(made.status))
    48.46 0
    """
    given, inside = asked(of)
    level = jnp.log(given.items) / 2

    def velocity(at: Array) -> Array:
        return -jax.grad(induction_loss)(at, given)

    def below(at: Array) -> Array:
        return answer_losses(at, given)[0] < level

    def before(state: tuple) -> Array:
        _, _, _, count, there = state
        return ~there & (count < small_flow.MOST_STEPS)

    def advance(state: tuple) -> tuple:
        time, at, size, count, _ = state
        moved, off = small_flow.step(velocity, at, size)
        good = off <= TOLERANCE
        there = good & below(moved)
        on = good & ~there
        return (
            jnp.where(on, time + size, time),
            jnp.where(on, moved, at),
            jnp.where(there, size, small_flow.resized(size, off, TOLERANCE)),
            count + 1,
            there,
        )

    size = jnp.asarray(small_flow.FIRST)
    begin = (jnp.zeros(()), jnp.full(3, START), size, 0, jnp.asarray(False))
    time, at, size, _, there = lax.while_loop(before, advance, begin)

    def halved(_: Array, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = ends
        middle = (low + high) / 2
        above = ~below(small_flow.step(velocity, at, middle)[0])
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    last = lax.fori_loop(0, 60, halved, (jnp.zeros(()), size))[1]
    good = inside & there
    status = jnp.where(there, Status.OK, Status.NOT_CONVERGED)
    return Onset(
        time=jnp.where(good, time + last, jnp.nan),
        logits=jnp.where(good, small_flow.step(velocity, at, last)[0], jnp.nan),
        status=jnp.where(inside, status, Status.OUT_OF_SCOPE).astype(int),
    )
