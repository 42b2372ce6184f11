"""Every simulation, traced: each function that it calls is given the shapes that it says.

Only under the hook of conftest.py, by ``make test-optimised``: to trace compiles nothing.
"""

import os

import jax
import pytest

from ci_theory._keys import key_for
from ci_theory.phenomena import load, names
from ci_theory.testing.case import case_of

pytestmark = pytest.mark.skipif(
    "CI_THEORY_SHAPES" not in os.environ, reason="make test-optimised checks shapes"
)


@pytest.mark.parametrize("name", names())
def test_a_simulation_calls_by_the_shapes_that_functions_say(name):
    phenomenon = load(name)
    case = case_of(phenomenon, None, None)
    jax.eval_shape(case.simulate(case.capacity), key_for(0, 0, 0, 0), case.moving)
