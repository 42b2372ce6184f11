"""The mean with a prediction that is 10 % too high, and the truth as its decoy."""

import dataclasses

from ci_theory.phenomena import Decoy
from toys.mean import PHENOMENON as MEAN
from toys.mean import exact


def too_high(params, world):
    """Return the exact estimate, 10 % too high."""
    estimate = exact(params, world)
    return estimate._replace(value=1.1 * estimate.value)


PHENOMENON = dataclasses.replace(
    MEAN,
    name="toys.wrong",
    claims=(),
    predictions=(
        dataclasses.replace(
            MEAN.predictions[0],
            evaluate=too_high,
            decoys=(
                Decoy(
                    name="truth",
                    why="what is true",
                    evaluate=lambda params, world: exact(params, world).value,
                ),
            ),
        ),
    ),
)
