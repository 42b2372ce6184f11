"""Leaks: test questions that were met in training, whatever was drawn or along with the draws.

>>> luck = jnp.array([[0.1, 0.5, 0.9], [0.1, 0.1, 0.9]])
>>> unleaked(luck, 0.3, 0.05, 3.0)
Array([False, False,  True], dtype=bool)
"""

import jax.numpy as jnp

from ci_theory._record import inner, record
from ci_theory._types import Array, Bool, Float, Value


def unleaked(
    luck: Float[Array, "2 T"], share: Value, rate: Value, draws: Value
) -> Bool[Array, " T"]:
    """Say which of T test questions did not leak.

    One ``luck`` gives nested choices: larger shares, rates and numbers of draws leak more.

    Args:
        luck: uniform on [0, 1), for either way to leak.
        share: chance that a question leaked whatever was drawn.
        rate: chance that one draw brings a given question along.
        draws: distinct draws.
    """
    along = -jnp.expm1(draws * jnp.log1p(-rate))
    return (luck[0] >= share) & (luck[1] >= along)


@record
class Leaks:
    """The axes of leaks: the tests of parameters that are made of it may have leaked."""

    contamination: float = inner(
        0.0, low=0, high=1, unit="", doc="share of the test set leaked, whatever n"
    )
    leak: float = inner(
        0.0, low=0, high=1, unit="", doc="chance that a draw brings a given test question along"
    )
