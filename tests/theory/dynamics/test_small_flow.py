"""Steps of orders 5 and 4, against flows with a solution and against scipy's own pair."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import RK45

from ci_theory._errors import Status
from ci_theory.theory.dynamics import small_flow


def turning(state):
    return jnp.stack([state[1], -state[0]])


def test_a_step_is_of_order_five_and_knows_its_error():
    offs = []
    for size in (0.2, 0.1, 0.05):
        moved, _ = small_flow.step(turning, jnp.array([0.0, 1.0]), jnp.asarray(size))
        offs.append(np.abs(np.asarray(moved) - [np.sin(size), np.cos(size)]).max())
    assert np.all(np.log2(np.divide(offs[:-1], offs[1:])) > 5.5)  # of one step: order 6


def test_a_step_and_its_error_are_those_of_scipy():
    """scipy's pair is the same; its error is taken from slopes that it keeps."""
    theirs = RK45(lambda _, y: np.array([y[1], -y[0]]), 0.0, [0.3, 0.8], 9.0, first_step=0.1)
    theirs.step()
    size = theirs.t
    moved, off = small_flow.step(turning, jnp.array([0.3, 0.8]), jnp.asarray(size))
    np.testing.assert_allclose(moved, theirs.y, rtol=1e-14)
    assert float(off) == pytest.approx(np.abs(size * theirs.K.T @ theirs.E).max(), rel=1e-9)


def test_a_flow_ends_at_its_time_and_says_when_it_cannot():
    made = small_flow.flow(turning, jnp.array([0.0, 1.0]), 10.0, 1e-11)
    np.testing.assert_allclose(made.at, [np.sin(10), np.cos(10)], atol=1e-9)
    nothing = small_flow.flow(turning, jnp.array([0.0, 1.0]), 0.0, 1e-11)
    np.testing.assert_array_equal(nothing.at, [0.0, 1.0])
    stiff = small_flow.flow(lambda x: -1e9 * (x - 1), jnp.zeros(1), 1.0, 1e-9)
    assert int(stiff.status) == Status.NOT_CONVERGED
    assert np.all(np.isnan(stiff.at))


def test_the_largest_value_is_kept_after_it_has_passed():
    made = small_flow.flow(turning, jnp.array([0.0, 1.0]), 3.0, 1e-11, lambda x: x[0])
    assert float(made.largest) == pytest.approx(1, abs=2e-3)  # at pi/2, seen at steps
    assert float(made.at[0]) < 0.2


def test_the_largest_value_is_that_of_the_start_and_of_steps_that_count():
    """The first step is a hundred times too long, and thrown away."""
    made = small_flow.flow(lambda x: -1e5 * x, jnp.ones(1), 1e-4, 1e-10, lambda at: jnp.abs(at[0]))
    assert int(made.status) == Status.OK
    assert float(made.largest) == 1
    assert float(made.at[0]) == pytest.approx(np.exp(-10), abs=1e-8)
