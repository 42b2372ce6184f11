"""markov_icl: drawn pools and walks against what is told of them, and where counting wins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.phenomena import load, predict
from ci_theory.phenomena.markov_icl import EXACT, LEVEL, ORDERS, Params, simulate
from ci_theory.systems import sequence_guesses as guesses
from ci_theory.tasks import markov
from ci_theory.theory.sequences.dirichlet import log_evidence

PHENOMENON = load("markov_icl")
RUNS = 200
NOISES = np.array([0.0, 0.25])
LEVELS = ("counting_loss", "unigram_loss", "known_loss")


@pytest.fixture(scope="module")
def runs():
    compiled = {}

    def made(states, length, capacity, **numbers):
        shape = states, length, capacity
        if shape not in compiled:

            def several(values):
                params = build(Params, {"states": states, "length": length, **values})
                one = lambda r: simulate(key_for(5, 0, 0, r), params, {"pool": capacity})  # noqa: E731
                return jax.lax.map(one, jnp.arange(RUNS), batch_size=50)

            compiled[shape] = jax.jit(several)
        values = {k: jnp.asarray(v) for k, v in numbers.items()} | {"noise": jnp.asarray(NOISES)}
        return compiled[shape](values)

    return made


def compared(measured, point):
    """Every prediction with the mean and the error of its measure, at both noises."""
    found = predict(PHENOMENON, {**point, "noise": NOISES})
    for prediction in PHENOMENON.predictions:
        values = np.asarray(getattr(measured, prediction.measure))
        mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / RUNS**0.5
        yield prediction.name, found[prediction.name], mean, error


@pytest.mark.parametrize(
    "numbers",
    [
        {"pool": 24, "repeated_fraction": 0.0, "repeats": 1},
        {"pool": 60, "repeated_fraction": 0.5, "repeats": 5},
    ],
)
def test_means_of_drawn_pools_are_the_integrals(runs, numbers):
    point = {"states": 2, "length": 8, **numbers}
    for name, told, mean, error in compared(runs(2, 8, 60, **numbers), point):
        if name in ORDERS:
            assert np.all(np.isnan(told.estimate.value)), name  # the integral speaks
            continue
        slack = np.asarray(told.estimate.slack)
        assert np.all(slack == 0), name
        assert np.all(np.abs(mean - told.estimate.value) <= 4.5 * error + slack), name
        for decoy, wrong in told.decoys.items():
            alike = numbers["repeats"] == 1 and decoy == "copies are fresh rows"
            if not alike and name not in ("pool_loss", "fresh_loss"):  # these are less precise
                assert np.any(np.abs(mean - wrong) > 5 * error + slack), (name, decoy)


def test_three_states_are_told_to_two_orders(runs):
    numbers = {"pool": 200, "repeated_fraction": 0.2, "repeats": 4}
    point = {"states": 3, "length": 6, **numbers}
    for name, told, mean, error in compared(runs(3, 6, 200, **numbers), point):
        if name in EXACT:
            assert np.all(np.isnan(told.estimate.value)), name
            continue
        assert np.all(told.estimate.valid), name
        slack = np.asarray(told.estimate.slack)
        assert np.all(slack < 0.01), name
        assert np.all(np.abs(mean - told.estimate.value) <= 4.5 * error + slack), name
        if name in ORDERS + LEVELS:
            wrong = told.decoys["pool is endless" if name in ORDERS else "time does not matter"]
            assert np.all(np.abs(mean - wrong) > 5 * error + slack), name


def test_guesses_made_on_the_way_multiply_to_the_mixture():
    key = key_for(2, 0, 0, 0)
    chains = markov.rows(stream(key, "pool"), 7, 3)
    walks = markov.walk(key, markov.rows(stream(key, "fresh"), 20, 3), 9)
    np.testing.assert_allclose(walks.counts.sum(axis=(1, 2)), 9)
    shares = jnp.arange(1.0, 8.0) / 28
    steps = guesses.by_pool(walks.states, chains, shares)
    score = guesses.pool_score(walks.counts, chains, shares)
    np.testing.assert_allclose(jnp.log(steps).sum(axis=1), score, rtol=1e-12)
    counted = guesses.counting(walks.states, 3, 0.8)
    evidence = log_evidence(walks.counts, 0.8).sum(axis=1)
    np.testing.assert_allclose(jnp.log(counted.by_steps).sum(axis=1), evidence, rtol=1e-12)
    met = np.eye(3)[walks.states]
    last = (met[:, :-1].sum(axis=1) + 0.8) / (9 + 2.4)
    found = last[np.arange(20), walks.states[:, -1]]
    np.testing.assert_allclose(counted.by_states[:, -1], found, rtol=1e-12)


def test_steps_of_a_walk_follow_its_chain():
    key = key_for(3, 0, 0, 0)
    chain = markov.rows(stream(key, "one"), 1, 3)
    walks = markov.walk(key, jnp.broadcast_to(chain, (4000, 3, 3)), 10)
    counts = np.asarray(walks.counts.sum(axis=0))
    visits = counts.sum(axis=1, keepdims=True)
    error = np.sqrt(chain[0] * (1 - chain[0]) / visits)
    assert np.all(np.abs(counts / visits - chain[0]) < 4.5 * error)
    starts = np.bincount(walks.states[:, 0], minlength=3)
    assert np.all(np.abs(starts / 4000 - 1 / 3) < 4.5 * (2 / 9 / 4000) ** 0.5)
    paths = np.asarray(walks.states)
    one = np.zeros((3, 3))
    np.add.at(one, (paths[7, :-1], paths[7, 1:]), 1)
    np.testing.assert_array_equal(one, walks.counts[7])


def place(kind, **point):
    return PHENOMENON.breaks[kind].closed_form(build(Params, PHENOMENON.point(point)))


def test_counting_never_wins_on_a_pool_that_was_learnt_right():
    assert np.isnan(place(0, noise=0.0))
    assert np.isnan(place(1, noise=0.5))  # wrong steps alone cost more than the level
    assert np.isfinite(place(1, noise=0.0))


def test_chains_that_counting_needs_grow_as_the_length():
    """Two states: by Catalan's number over pi, twice the level and a step; three: much faster."""
    pools = np.array([place(1, noise=0.0, length=n) for n in (16, 32, 64)])
    slopes = np.diff(pools) / [16, 32]
    assert slopes[1] == pytest.approx(0.915966 / np.pi / (2 * LEVEL), rel=0.015)
    three = np.array([place(1, noise=0.0, states=3, length=n) for n in (6, 12)])
    assert three[1] / three[0] > 3 > pools[1] / pools[0]


@pytest.mark.parametrize("repeats", [1, 6])
def test_the_pool_at_which_counting_wins(repeats):
    point = {"length": 8, "repeated_fraction": 0.5, "repeats": repeats, "noise": 0.05}
    at = place(0, **point)
    assert at == pytest.approx(place(0, **{**point, "repeats": 1}) * (1 + repeats) / 2)
    pools = 2 * repeats * np.array([round(at / (s * repeats)) for s in (4, 2, 1)])
    gain = predict(PHENOMENON, {**point, "pool": pools})["gain"].estimate.value
    assert gain[2] < -0.3 * gain[0] < 0
    assert abs(gain[1]) < 0.05 * gain[0]  # the first order, at ten times the overlap
