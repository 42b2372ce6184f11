"""The mean with a prediction that is 10 % too high, and the truth as its decoy."""

import dataclasses

from ci_theory.phenomena import Mistake
from toys.mean import PHENOMENON as MEAN
from toys.mean import forecast


def too_high(params, world):
    """Return the exact forecast, 10 % too high."""
    made = forecast(params, world)
    return made._replace(error=1.1 * made.error)


PHENOMENON = dataclasses.replace(
    MEAN,
    name="toys.wrong",
    claims=(),
    forecast=too_high,
    mistakes=(
        Mistake(
            name="truth",
            why="what is true",
            against=("error",),
            forecast=lambda params, made: made._replace(error=made.error / 1.1),
        ),
    ),
)
