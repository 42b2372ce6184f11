"""What steps add to the flow of an induction head: descent without noise, and drawn answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.dynamics.induction_head import Questions, answer_losses, induction_loss
from ci_theory.theory.dynamics.induction_next_order import head_steps
from ci_theory.theory.dynamics.induction_onset import START, induction_head, induction_onset

BATCH = 16


@jax.jit
def descended(of, rate, steps):
    """The logits after steps on the mean loss."""
    slope = jax.grad(induction_loss)
    return jax.lax.fori_loop(0, steps, lambda _, at: at - rate * slope(at, of), jnp.full(3, START))


@pytest.mark.parametrize(
    "of", [Questions(4.0, 16.0, 0.0, 1.0, 1.0), Questions(3.0, 9.0, 0.2, 4.0, 0.6)]
)
def test_steps_without_noise_deviate_as_told_and_the_rest_is_of_second_order(of):
    time = 0.95 * float(induction_onset(of).time)
    rests = []
    for rate in (time / 400, time / 800):
        steps = round(time / rate)
        told = head_steps(of, time, rate, 1e12)
        np.testing.assert_allclose(told.logits, induction_head(of, time).logits, rtol=1e-6)
        off = np.asarray(descended(of, rate, steps) - told.logits)
        np.testing.assert_allclose(told.moved, off, rtol=0.05)
        rests.append(np.abs(off - told.moved).max())
    assert 3.2 < rests[0] / rests[1] < 5


@jax.jit
def drawn(of, rate, steps, key):
    """The logits of runs on batches of drawn answers, 4 items and 16 labels: (runs, 3)."""
    random, beside = of.asked * of.noise / 16, (1 - of.asked) / 16
    chances = [of.asked - 15 * random, 3 * random, 12 * random, 4 * beside, 12 * beside]
    edges = jnp.cumsum(jnp.stack(chances))

    def log_chances(at, asked):
        before = jnp.exp(at[0]) / (jnp.exp(at[0]) + of.copies * 4)
        scores = jnp.zeros(4).at[0].set(at[1] * before * asked)
        read = at[2] * jax.nn.softmax(scores)
        return jax.nn.log_softmax(jnp.zeros(16).at[:4].set(read))

    def lost(at, told):
        found, missed = log_chances(at, 1.0), log_chances(at, 0.0)
        return -told @ jnp.concatenate([found[jnp.array([0, 1, 4])], missed[jnp.array([0, 4])]])

    def step(i, at):
        luck = jax.random.uniform(jax.random.fold_in(key, i), (len(at), BATCH, 1))
        up_to = jnp.mean(luck < edges[None, None, :], axis=1)
        told = jnp.diff(up_to, axis=1, prepend=0.0)
        return at - rate * jax.vmap(jax.grad(lost))(at, told)

    return jax.lax.fori_loop(0, steps, step, jnp.full((4000, 3), START))


def test_drawn_answers_spread_and_move_the_logits_as_told():
    of, rate, steps = Questions(4.0, 16.0, 0.2, 2.0, 0.7), 0.4, 115  # shortly before the onset
    logits = np.asarray(drawn(of, rate, steps, jax.random.key(3)))
    told = head_steps(of, rate * steps, rate, BATCH)
    spread = np.cov(logits.T)
    np.testing.assert_allclose(spread, told.spread, rtol=0.2)
    error = np.sqrt(np.diag(spread) / len(logits))
    moved = logits.mean(axis=0) - np.asarray(told.logits)
    assert np.all(np.abs(moved - told.moved) < 4 * error + 0.1 * np.abs(told.moved))
    steady = head_steps(of, rate * steps, rate, 1e12).moved
    assert np.any(np.abs(moved - steady) > 5 * error)  # what noise adds is seen


def test_few_sequences_spread_in_proportion():
    of = Questions(4.0, 16.0, 0.2, 2.0, 0.7)
    few, many = (np.asarray(head_steps(of, 20.0, 0.1, b).spread) for b in (8, 80))
    np.testing.assert_allclose(few, 10 * many, rtol=1e-5)
    assert few[2, 2] > 0


def test_the_largest_deviation_is_that_of_the_drop_long_after_it():
    of = Questions(4.0, 16.0, 0.2, 2.0, 0.7)
    time, squares = float(induction_onset(of).time), []
    for part in (0.95, 1.0, 1.03, 1.06, 2.0):
        made = head_steps(of, part * time, 0.1, 8.0)
        slope = jax.grad(lambda at: answer_losses(at, of)[0])(made.logits) / np.log(4)
        squares.append(float((slope @ made.moved) ** 2 + slope @ made.spread @ slope))
    assert max(squares) > 20 * squares[-1]
    assert max(squares) <= float(made.peak) < 1.3 * max(squares)
