"""Kinds of sequences and levels of loss, against every sequence by itself."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import binom

from ci_theory._errors import BadInput
from ci_theory.theory.sequences.dirichlet import endless_loss, visit_losses
from ci_theory.theory.sequences.kinds import MOST, kinds, problem, unigram_loss
from ci_theory.theory.sequences.levels import (
    counting_loss,
    even_visits_loss,
    known_loss,
    levels,
    rough_levels,
    two_state_entropy_rate,
)


def guesses(sequence, states, a):
    """Walk along a sequence: logarithms of the chances that counts of steps and of states give."""
    steps, met = np.zeros((states, states)), np.zeros(states)
    met[sequence[0]] = 1
    by_steps = by_states = 0.0
    for i, j in itertools.pairwise(sequence):
        by_steps += np.log((steps[i, j] + a) / (steps[i].sum() + states * a))
        by_states += np.log((met[j] + a) / (met.sum() + states * a))
        steps[i, j] += 1
        met[j] += 1
    return by_steps, by_states


@pytest.mark.parametrize(("states", "length", "a"), [(2, 7, 1.0), (2, 5, 0.6), (3, 4, 1.0)])
def test_levels_are_means_over_all_sequences(states, length, a):
    """From the last state, not the first: which one it is does not matter."""
    every = itertools.product(range(states), repeat=length)
    walks = np.array([guesses((states - 1, *rest), states, a) for rest in every])
    chance = np.exp(walks[:, 0])
    assert chance.sum() == pytest.approx(1.0, rel=1e-12)
    made = kinds(states, length)
    assert float(counting_loss(made, a)) == pytest.approx(-chance @ walks[:, 0] / length, rel=1e-12)
    found = unigram_loss(states, length, a)
    assert found == pytest.approx(-chance @ walks[:, 1] / length, rel=1e-12)


@pytest.mark.parametrize(("states", "length"), [(2, 9), (2, 64), (3, 5), (3, 12), (4, 3)])
def test_every_sequence_is_of_one_kind(states, length):
    made = kinds(states, length)
    assert made.ways.sum() == states**length
    assert len({tuple(i) for i in made.index.tolist()}) == len(made.ways)
    assert np.all(made.rows[made.index].sum(axis=(1, 2)) == length)


def test_two_states_are_counted_by_runs():
    """With s changes the first state has s//2 + 1 runs, the other (s + 1)//2."""
    length, found = 6, {}
    for rest in itertools.product((0, 1), repeat=length):
        path = (0, *rest)
        steps = np.zeros((2, 2), int)
        for i, j in itertools.pairwise(path):
            steps[i, j] += 1
        key = tuple(sorted(tuple(sorted(row, reverse=True)) for row in steps.tolist()))
        found[key] = found.get(key, 0) + 1
    made = kinds(2, length)
    told = {
        tuple(sorted(tuple(map(int, made.rows[i])) for i in index)): ways
        for index, ways in zip(made.index, made.ways, strict=True)
    }
    assert told == found


def test_the_loss_of_who_knows_the_chain_is_its_entropy():
    """Chains on a grid of chances, entropies step by step."""
    p = (np.arange(400) + 0.5) / 400
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    stay, leave = p[:, None], p[None, :]  # chances of the first state to stay, the second to leave
    at, total = np.ones((400, 400)), 0.0
    for _ in range(6):
        total += np.mean(at * entropy[:, None] + (1 - at) * entropy[None, :])
        at = at * stay + (1 - at) * leave
    assert float(known_loss(kinds(2, 6), 1.0)) == pytest.approx(total / 6, rel=1e-4)
    first = float(known_loss(kinds(3, 1), 0.7))
    assert first == pytest.approx(float(endless_loss(3, 0.7)), rel=1e-12)


def test_levels_late_in_a_sequence():
    """Positions 16 to 30 of two states, and how they are ordered."""

    def late(of):
        return (31 * of(31) - 16 * of(16)) / 15

    steps = late(lambda n: float(counting_loss(kinds(2, n), 1.0)))
    states = late(lambda n: unigram_loss(2, n))
    assert (steps, states) == pytest.approx((0.5161, 0.5841), abs=1.5e-3)
    assert float(two_state_entropy_rate(1.0)) < steps < states < np.log(2)


def test_the_entropy_rate_of_two_states_is_closed():
    """Both integrals over the second row done, the last one to thirty digits."""
    with mp.workdps(30):

        def at(p):
            entropy = -p * mp.log(p) - (1 - p) * mp.log(1 - p)
            return 2 * entropy * (1 - p * mp.log((1 + p) / p))

        whole = mp.quad(at, [0, 0.01, 0.5, 0.99, 1])
        closed = mp.mpf(1) / 6 + mp.pi**2 / 9 - 2 * mp.log(2) * (1 + mp.log(2)) / 3
        assert abs(whole - closed) < mp.mpf(10) ** -24
    assert float(two_state_entropy_rate(1.0)) == pytest.approx(float(closed), rel=1e-9)
    few = float(two_state_entropy_rate(1.0, 12))
    assert 1e-9 < abs(few - float(closed)) < 1e-4
    slow = float(known_loss(kinds(2, 64), 1.0)) - float(closed)
    assert slow * 64 == pytest.approx(32 * (float(known_loss(kinds(2, 32), 1.0)) - closed), rel=0.2)


def test_visits_are_not_independent_of_the_rows():
    made = float(counting_loss(kinds(2, 12), 1.0))
    assert float(even_visits_loss(12, 2, 1.0)) > made + 0.015
    assert float(even_visits_loss(1, 2, 1.0)) == pytest.approx(np.log(2), rel=1e-14)


@pytest.mark.parametrize(("states", "length", "a"), [(3, 6, 0.7), (4, 5, 2.0)])
def test_even_visits_are_binomial(states, length, a):
    """Every history of visits to one of the states, time by time; and the rough levels."""
    losses = np.asarray(visit_losses(length + 1, states, a))
    even = np.mean(
        [binom.pmf(np.arange(t + 1), t, 1 / states) @ losses[: t + 1] for t in range(length)]
    )
    rough = rough_levels(states, length, a)
    assert float(even_visits_loss(length, states, a)) == pytest.approx(even, rel=1e-12)
    # states that come independently are the steps of one row, the first of them known
    wanted = np.mean(losses[1:]), even, float(endless_loss(states, a))
    assert np.array(rough) == pytest.approx(np.array(wanted), rel=1e-12)


def test_the_exact_levels_are_the_three_losses():
    made, counted = levels(3, 4, 0.6), kinds(3, 4)
    assert made.unigram == unigram_loss(3, 4, 0.6)
    assert made.counting == pytest.approx(float(counting_loss(counted, 0.6)), rel=1e-14)
    assert made.known == pytest.approx(float(known_loss(counted, 0.6)), rel=1e-14)


@pytest.mark.parametrize("a", [0.6, 2.5])
def test_the_entropy_rate_of_other_chains(a):
    """Two rows drawn 40 000 times; the stationary share by a million steps of the chain."""
    rng = np.random.default_rng(4)
    leave, back = rng.beta(a, a, size=(2, 40_000, 1))
    steps = np.stack([np.hstack([1 - leave, leave]), np.hstack([back, 1 - back])], axis=1)
    at = np.linalg.matrix_power(steps, 2**20)[:, 0]
    entropy = -np.einsum("ri,rij->r", at, xlogy(steps, steps))
    error = entropy.std() / 40_000**0.5
    assert abs(float(two_state_entropy_rate(a)) - entropy.mean()) < 4 * error


def test_what_cannot_be_counted_is_refused():
    for states, length in ((2, 65), (3, 13), (4, 8), (2, 0)):
        with pytest.raises(BadInput, match=f"length = {length}: sequences of {states} states are"):
            kinds(states, length)
    for few in (1, 5):
        with pytest.raises(BadInput, match=f"states = {few}: sequences are counted of 2 to 4 sta"):
            kinds(few, 2)
    assert all(problem(k, n) is None for k, n in MOST.items())
