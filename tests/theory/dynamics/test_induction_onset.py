"""The reduced induction head: its loss in the probabilities, its flow by another solver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ci_theory._errors import Status
from ci_theory.theory.dynamics.induction_onset import START, induction_loss, induction_onset

ONSETS = {(8, 32): 48.46, (4, 32): 19.87, (16, 32): 153.3, (8, 128): 43.25, (8, 8): 384}
"""From another implementation, to the digits given."""


def chances(logits, n, labels):
    """The chance of every answer, the right one first: softmax of what the second head brings."""
    b1, b2, xi = logits
    scores = np.zeros(n + 1)  # the token before, and n others
    scores[0] = b1
    before = np.exp(scores[0]) / np.exp(scores).sum()
    scores = np.zeros(n)
    scores[0] = b2 * before
    share = np.exp(scores) / np.exp(scores).sum()
    read = np.zeros(labels)
    read[:n] = xi * share
    return np.exp(read) / np.exp(read).sum()


def lost(logits, n, labels, noise=0.0):
    """Cross-entropy with answers of which a share is drawn at random."""
    told = np.full(labels, noise / labels)
    told[0] += 1 - noise
    return -told @ np.log(chances(logits, n, labels))


@pytest.mark.parametrize(("n", "labels"), [(2, 2), (4, 9), (16, 32)])
def test_the_loss_is_that_of_the_attention_written_out(n, labels):
    for logits in np.random.default_rng(n).normal(0, 2, (5, 3)):
        for noise in (0.0, 0.3):
            found = float(induction_loss(jnp.asarray(logits), n, labels, noise))
            assert found == pytest.approx(lost(logits, n, labels, noise), rel=1e-12)


def test_at_the_origin_only_the_read_out_moves_and_not_even_it_if_all_labels_are_shown():
    for n, labels in ((4, 32), (8, 8)):
        slope = jax.grad(induction_loss)(jnp.zeros(3), n, labels, 0.25)
        wanted = [0, 0, -0.75 * (labels - n) / (n * labels)]
        np.testing.assert_allclose(slope, wanted, atol=1e-15)


@pytest.mark.parametrize(
    ("n", "labels", "noise"), [*((*sizes, 0.0) for sizes in ONSETS), (4, 32, 0.2)]
)
def test_the_onset_is_that_of_another_solver(n, labels, noise):
    made = induction_onset(n, labels, noise)
    assert int(made.status) == Status.OK
    if not noise:
        assert float(made.time) == pytest.approx(ONSETS[n, labels], rel=2e-3)

    def flow(_, logits):
        moved = []
        for i in range(3):
            up, down = logits.copy(), logits.copy()
            up[i] += 1e-5
            down[i] -= 1e-5
            moved.append((lost(down, n, labels, noise) - lost(up, n, labels, noise)) / 2e-5)
        return moved

    def there(_, logits):
        return lost(logits, n, labels) - np.log(n) / 2

    there.terminal = True
    found = solve_ivp(
        flow, (0, 1e3), np.full(3, START), "LSODA", events=there, rtol=1e-9, atol=1e-11
    )
    assert float(made.time) == pytest.approx(found.t_events[0][0], rel=1e-6)
    np.testing.assert_allclose(made.logits, found.y_events[0][0], rtol=1e-5)


def test_gradient_descent_in_small_steps_gets_there_at_that_time():
    slope, now, count = jax.jit(jax.value_and_grad(induction_loss)), jnp.full(3, START), 0
    while (made := slope(now, 4.0, 32.0))[0] >= np.log(4) / 2:
        now, count = now - 0.05 * made[1], count + 1
    assert 0.05 * count == pytest.approx(float(induction_onset(4, 32, 0.0).time), rel=5e-3)


def test_noise_that_hides_the_answer_is_not_a_late_onset():
    made = induction_onset(4, 32, 0.7)
    assert int(made.status) == Status.NOT_CONVERGED
    assert np.isnan(made.time)


@pytest.mark.parametrize(
    ("n", "labels", "noise"), [(1, 8, 0.0), (8, 7, 0.0), (4, 8, 1.0), (4, 8, -0.1)]
)
def test_out_of_scope_is_said(n, labels, noise):
    made = induction_onset(n, labels, noise)
    assert int(made.status) == Status.OUT_OF_SCOPE
    assert np.isnan(made.time)
