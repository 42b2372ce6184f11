"""A decoy is the theory of the point that it takes a point for, also where no default is.

What a mistake thinks endless is taken far out, as far as the other point can be asked for.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest

from ci_theory.phenomena import load, predict


class Taken(NamedTuple):
    """A point, the decoy that takes it for another one, and what is changed for that."""

    name: str
    decoy: str
    predictions: str
    point: dict[str, Any]
    other: dict[str, Any]
    close: float = 1e-7


FLOW = {"width": 12, "inputs": 30, "noise": 0.2, "rate": 0.05, "steps": 40}
SLOWLY = {"rate": 5e-6, "steps": 400_000}
TAKEN = [
    Taken("power_law_break", "infinite width", "excess_risk",
          {"n": 30, "modes": 80, "width": 50, "ridge": 0.01}, {"width": 0}),
    Taken("sgd_scaling", "gradient flow", "average", {**FLOW, "draw": 0}, SLOWLY, 1e-3),
    Taken("sgd_scaling", "gradient flow", "risk over_best", {**FLOW, "draw": 3}, SLOWLY, 1e-3),
    Taken("markov_icl", "pool is endless", "ordered_gain ordered_harm",
          {"states": 3, "length": 5, "pool": 40}, {"pool": 10**8}, 1e-4),
]  # fmt: skip


@pytest.mark.parametrize("taken", TAKEN, ids=lambda taken: f"{taken.name} {taken.decoy}")
def test_a_decoy_is_the_theory_of_the_point_that_it_takes_for_it(taken):
    phenomenon = load(taken.name)
    here = predict(phenomenon, taken.point)
    there = predict(phenomenon, {**taken.point, **taken.other}, decoys=False)
    for name in taken.predictions.split():
        wrong, right = here[name].decoys[taken.decoy], here[name].estimate.value
        np.testing.assert_allclose(wrong, there[name].estimate.value, rtol=taken.close)
        assert np.all(np.abs(wrong / right - 1) > 20 * taken.close), name
