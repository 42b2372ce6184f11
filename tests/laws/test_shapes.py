"""Every simulation, traced: each function that it calls is given the shapes that it says.

Only under the hook of conftest.py, by ``make test-optimised``: to trace compiles nothing.
"""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from ci_theory._keys import key_for
from ci_theory.biases import input_noise
from ci_theory.check import statistic
from ci_theory.inherit import finetune
from ci_theory.measure import ensemble
from ci_theory.own_data import refits
from ci_theory.phenomena import load, names
from ci_theory.systems import gaussian_features
from ci_theory.tasks import gaussian
from ci_theory.testing.case import case_of
from ci_theory.training import closed_form

pytestmark = pytest.mark.skipif(
    "CI_THEORY_SHAPES" not in os.environ, reason="make test-optimised checks shapes"
)


@pytest.mark.parametrize("name", names())
def test_a_simulation_calls_by_the_shapes_that_functions_say(name):
    phenomenon = load(name)
    case = case_of(phenomenon, None, None)
    jax.eval_shape(case.simulate(case.capacity), key_for(0, 0, 0, 0), case.moving)


KEY = key_for(0, 0, 0, 0)
WRONG = {
    "biases": lambda: input_noise.noisy(KEY, jnp.ones(3), 0.1),
    "check": lambda: statistic.floors(
        np.ones(3), np.ones(3), np.ones(3, bool), np.zeros((1, 2), int)
    ),
    "inherit": lambda: finetune.design(jnp.ones((3, 2)), jnp.ones(2), jnp.ones(2)),
    "measure": lambda: ensemble.ensemble_errors(
        jnp.ones((3, 2)), jnp.ones(3), metric=jnp.ones((1, 2, 2)), test_target=jnp.ones(2),
        signal_labels=jnp.ones(3), ridge=jnp.ones(1), noise=jnp.ones(1),
    ),
    "own_data": lambda: refits.left_out(*(jnp.ones(3) for _ in range(4)), True),
    "systems": lambda: gaussian_features.init(KEY, 2.5, 3),
    "tasks": lambda: gaussian.rows(KEY, 3, jnp.ones((2, 2))),
    "training": lambda: closed_form.decompose(jnp.ones((3, 2)), jnp.ones(2)),
}  # fmt: skip


@pytest.mark.parametrize("room", WRONG)
def test_a_wrong_shape_is_refused(room):
    """Without the hook some of these would be broadcast without a word."""
    with pytest.raises(TypeCheckError):
        WRONG[room]()
