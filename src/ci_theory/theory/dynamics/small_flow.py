"""A few ordinary differential equations in time: steps of orders 5 and 4 with their error."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar

__all__ = ["Flowed", "flow", "resized", "step"]

FIRST = 1e-3  # size of the first step
MOST_STEPS = 20_000

# The pair of orders 5 and 4 of Dormand and Prince 1980: slopes of which each stage is made, the
# last one being the step itself, and their difference.
_WAYS = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [1 / 5, 0, 0, 0, 0, 0],
        [3 / 40, 9 / 40, 0, 0, 0, 0],
        [44 / 45, -56 / 15, 32 / 9, 0, 0, 0],
        [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0],
        [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0],
        [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
    ]
)
_ERROR = np.array([71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])

Velocity = Callable[[Array], Array]


class Flowed(NamedTuple):
    """Where a flow is at a time.

    Attributes:
        at: the state, NaN unless the status is OK.
        largest: value of what was watched at the steps up to the time; NaN likewise.
        status: OK; NOT_CONVERGED if more than ``MOST_STEPS`` are needed.
    """

    at: Float[Array, " k"]
    largest: Scalar
    status: Int[Array, ""]


def step(velocity: Velocity, at: Float[Array, " k"], size: Scalar) -> tuple[Array, Scalar]:
    """Take a step of order 5, and estimate its largest error by that of order 4.

    >>> at, off = step(lambda x: -x, jnp.ones(1), jnp.asarray(0.1))
    >>> print(f"{float(at[0] - jnp.exp(-0.1)):.0e} {float(off):.0e}")
    3e-10 8e-09
    """
    ways = jnp.asarray(np.pad(_WAYS, ((0, 0), (0, 1))))

    def stage(i: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        _, slopes = state
        moved = at + size * (ways[i] @ slopes)
        return moved, slopes.at[i].set(velocity(moved))

    # A loop, not seven copies of the velocity: to compile these took a minute where it is long.
    moved, slopes = lax.fori_loop(0, len(_ERROR), stage, (at, jnp.zeros((len(_ERROR), at.size))))
    return moved, size * jnp.max(jnp.abs(_ERROR @ slopes))


def resized(size: Scalar, off: Scalar, tolerance: float) -> Scalar:
    """Return the size at which a step's error would be near the tolerance."""
    return size * jnp.clip(0.9 * (tolerance / jnp.maximum(off, 1e-300)) ** 0.2, 0.2, 5.0)


def flow(
    velocity: Velocity,
    start: Float[Array, " k"],
    time: Any,
    tolerance: float,
    watched: Callable[[Array], Scalar] = lambda at: jnp.zeros(()),
) -> Flowed:
    """Follow x' = velocity(x) from ``start`` for a time.

    Args:
        velocity: of the state.
        start: the state at time 0.
        time: >= 0.
        tolerance: largest error of a step, in units of the state.
        watched: of the state, of which the largest value is kept.

    Regime: flows that are not stiff. Source: Dormand and Prince 1980 (from memory).

    >>> made = flow(lambda x: -x, jnp.ones(1), 2.0, 1e-12)
    >>> print(f"{abs(float(made.at[0] * jnp.exp(2.0)) - 1) < 1e-9} {int(made.status)}")
    True 0
    """
    time = jnp.asarray(time, float)

    def before(state: tuple) -> Array:
        passed, _, _, count, _ = state
        return (passed < time) & (count < MOST_STEPS)

    def advance(state: tuple) -> tuple:
        passed, at, size, count, largest = state
        last = passed + size >= time
        taken = jnp.where(last, time - passed, size)
        moved, off = step(velocity, at, taken)
        good = off <= tolerance
        now = jnp.where(last, time, passed + taken)
        return (
            jnp.where(good, now, passed),
            jnp.where(good, moved, at),
            resized(taken, off, tolerance),
            count + 1,
            jnp.where(good, jnp.maximum(largest, watched(moved)), largest),
        )

    at = jnp.asarray(start, float)
    begin = (jnp.zeros(()), at, jnp.asarray(FIRST), 0, watched(at))
    passed, at, _, _, largest = lax.while_loop(before, advance, begin)
    there = passed >= time
    status = jnp.where(there, int(Status.OK), int(Status.NOT_CONVERGED))
    return Flowed(
        at=jnp.where(there, at, jnp.nan),
        largest=jnp.where(there, largest, jnp.nan),
        status=status.astype(int),
    )
