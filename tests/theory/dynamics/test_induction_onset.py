"""The reduced induction head: its loss in the probabilities, its flow by another solver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ci_theory._errors import Status
from ci_theory.theory.dynamics import small_flow
from ci_theory.theory.dynamics.induction_head import (
    Questions,
    answer_losses,
    answer_shares,
    induction_loss,
)
from ci_theory.theory.dynamics.induction_next_order import head_steps
from ci_theory.theory.dynamics.induction_onset import START, induction_head, induction_onset

ONSETS = {(8, 32): 48.46, (4, 32): 19.87, (16, 32): 153.3, (8, 128): 43.25, (8, 8): 384}
"""From another implementation, to the digits given."""


def chances(logits, of, asked=True):
    """The chance of every answer, the right one first: softmax of what the second head brings."""
    b1, b2, xi = logits
    n, labels = int(of.items), int(of.labels)
    scores = np.zeros(1 + int(of.copies) * n)  # the token before, and the others
    scores[0] = b1
    before = np.exp(scores[0]) / np.exp(scores).sum()
    item = np.repeat(np.arange(n), int(of.copies))
    scores = np.where(item == 0, b2 * before, 0.0) if asked else np.zeros(len(item))
    share = np.exp(scores) / np.exp(scores).sum()
    read = np.zeros(labels)
    np.add.at(read, item, xi * share)
    return np.exp(read) / np.exp(read).sum()


def lost(logits, of):
    """Cross-entropy with answers of which some are drawn at random."""
    labels = int(of.labels)
    told = np.full(labels, of.noise / labels)
    told[0] += 1 - of.noise
    found = -told @ np.log(chances(logits, of))
    return of.asked * found - (1 - of.asked) * np.mean(np.log(chances(logits, of, asked=False)))


MIXED = Questions(3, 9, 0.3, 4, 0.6)


@pytest.mark.parametrize(
    "of", [Questions(2, 2), Questions(4, 9), Questions(16, 32), Questions(4, 9, 0.3), MIXED]
)
def test_the_loss_is_that_of_the_attention_written_out(of):
    for logits in np.random.default_rng(int(of.items)).normal(0, 2, (5, 3)):
        found = float(induction_loss(jnp.asarray(logits), of))
        assert found == pytest.approx(lost(logits, of), rel=1e-12)


def test_each_kind_of_answer_loses_what_its_chance_says():
    logits = np.array([1.0, 2.0, 3.0])
    found, missed = chances(logits, MIXED), chances(logits, MIXED, asked=False)
    wanted = -np.log([*found[[0, 1, 3]], *missed[[0, 3]]])
    np.testing.assert_allclose(answer_losses(jnp.asarray(logits), MIXED), wanted, rtol=1e-13)
    shares = np.asarray(answer_shares(MIXED))
    assert shares.sum() == pytest.approx(1, rel=1e-15)
    # 0.3 of 0.6 are random among 9: 2 of these 9 are shown and wrong, 6 are not shown
    wanted = [0.42 + 0.02, 0.04, 0.12, 0.4 / 3, 0.8 / 3]
    np.testing.assert_allclose(shares, wanted, rtol=1e-13)


def test_at_the_origin_only_the_read_out_moves_and_not_even_it_if_all_labels_are_shown():
    for n, labels in ((4, 32), (8, 8)):
        slope = jax.grad(induction_loss)(jnp.zeros(3), Questions(n, labels, 0.25))
        wanted = [0, 0, -0.75 * (labels - n) / (n * labels)]
        np.testing.assert_allclose(slope, wanted, atol=1e-15)


def flow(_, logits, of):
    moved = []
    for i in range(3):
        up, down = logits.copy(), logits.copy()
        up[i] += 1e-5
        down[i] -= 1e-5
        moved.append((lost(down, of) - lost(up, of)) / 2e-5)
    return moved


@pytest.mark.parametrize(
    "of", [*(Questions(*sizes) for sizes in ONSETS), Questions(4, 32, 0.2), MIXED]
)
def test_the_onset_is_that_of_another_solver(of):
    made = induction_onset(of)
    assert int(made.status) == Status.OK
    if of[:2] in ONSETS and not of.noise:
        assert float(made.time) == pytest.approx(ONSETS[of[:2]], rel=2e-3)

    def there(_, logits, of):
        return lost(logits, of._replace(noise=0, asked=1)) - np.log(of.items) / 2

    there.terminal = True
    start, most = np.full(3, START), (0, 1e3)
    found = solve_ivp(flow, most, start, "LSODA", events=there, rtol=1e-9, atol=1e-11, args=(of,))
    assert float(made.time) == pytest.approx(found.t_events[0][0], rel=1e-6)
    np.testing.assert_allclose(made.logits, found.y_events[0][0], rtol=1e-5)
    half = solve_ivp(flow, (0, float(made.time) / 2), start, rtol=1e-9, atol=1e-11, args=(of,))
    met = induction_head(of, float(made.time) / 2)
    np.testing.assert_allclose(met.logits, half.y[:, -1], rtol=1e-6)


def test_where_the_flow_is_at_the_onset_is_what_the_onset_says():
    made = induction_onset(MIXED)
    met = induction_head(MIXED, made.time)
    np.testing.assert_allclose(met.logits, made.logits, rtol=1e-9)
    assert float(answer_losses(made.logits, MIXED)[0]) == pytest.approx(np.log(3) / 2, rel=1e-12)
    np.testing.assert_array_equal(induction_head(MIXED, 0.0).logits, np.full(3, START))


def test_gradient_descent_in_small_steps_gets_there_at_that_time():
    of = Questions(4.0, 32.0)
    slope, now, count = jax.jit(jax.value_and_grad(induction_loss)), jnp.full(3, START), 0
    while (made := slope(now, of))[0] >= np.log(4) / 2:
        now, count = now - 0.05 * made[1], count + 1
    assert 0.05 * count == pytest.approx(float(induction_onset(of).time), rel=5e-3)


def test_a_flow_that_runs_out_of_steps_is_told(monkeypatch):
    monkeypatch.setattr(small_flow, "MOST_STEPS", 5)
    bare = induction_head.__wrapped__.__wrapped__  # not compiled before
    assert int(bare(MIXED, 1e3).status) == Status.NOT_CONVERGED
    assert int(bare(MIXED, 1e-3).status) == Status.OK
    bare = head_steps.__wrapped__.__wrapped__
    late, soon = bare(MIXED, 1e3, 0.1, 8.0), bare(MIXED, 1e-3, 0.1, 8.0)
    assert (int(late.status), int(soon.status)) == (Status.NOT_CONVERGED, Status.OK)
    assert np.isnan(late.peak)


def test_noise_that_hides_the_answer_is_not_a_late_onset():
    made = induction_onset(Questions(4, 32, 0.7))
    assert int(made.status) == Status.NOT_CONVERGED
    assert np.isnan(made.time)


@pytest.mark.parametrize(
    "of",
    [
        Questions(1, 8),
        Questions(8, 7),
        Questions(4, 8, 1.0),
        Questions(4, 8, -0.1),
        Questions(4, 8, 0.0, 0.5),
        Questions(4, 8, 0.0, 1, 0.0),
        Questions(4, 8, 0.0, 1, 1.1),
    ],
)
def test_out_of_scope_is_said(of):
    for made in (induction_onset(of), induction_head(of, 3.0), head_steps(of, 3.0, 0.1, 8)):
        assert int(made.status) == Status.OUT_OF_SCOPE
        assert np.all(np.isnan(made[0]))
    assert int(induction_head(Questions(4, 8), -1.0).status) == Status.OUT_OF_SCOPE
    assert int(head_steps(Questions(4, 8), 1.0, 0.1, 0.0).status) == Status.OUT_OF_SCOPE
