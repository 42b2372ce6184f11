"""Sequences answered rightly: every set of known items counted, in 40-digit arithmetic."""

import functools
import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory.theory.discrete import zipf
from ci_theory.theory.discrete.known_sequences import all_known, none_wrong, octaves

run = jax.jit(jax.vmap(all_known, in_axes=(None, 0, 0, 0)))
condensed = jax.jit(jax.vmap(all_known, in_axes=(None, 0, 0, 0, None)))


def subsets(items):
    return [s for k in range(len(items) + 1) for s in itertools.combinations(items, k)]


@functools.cache
def counted(p, n, noise, length):
    """E X^L over all sets of items met (inclusion and exclusion) and of them told rightly."""
    p = [mp.mpf(v) for v in p]
    p = [v / mp.fsum(p) for v in p]
    total, noise = mp.mpf(0), mp.mpf(noise)
    for met in subsets(range(len(p))):
        chance = mp.fsum(
            (-1) ** (len(met) - len(s)) * mp.fsum(p[i] for i in s) ** n for s in subsets(met)
        )
        right = mp.fsum(
            (1 - noise) ** len(s)
            * noise ** (len(met) - len(s))
            * mp.fsum(p[i] for i in s) ** length
            for s in subsets(met)
        )
        total += chance * right
    return total


@pytest.mark.parametrize(("items", "exponent"), [(5, 0.5), (5, 3.0)])
def test_every_set_of_known_items(items, exponent):
    p = zipf.frequencies(items, exponent)
    cases = list(itertools.product((1, 3, 12, 39, 41, 300), (0.0, 0.1, 0.6), (1, 2, 7, 30, 64)))
    columns = (jnp.array(column, float) for column in zip(*cases, strict=True))
    found = np.asarray(run(p, *columns))
    with mp.workdps(40):
        wanted = np.array([float(counted(tuple(map(float, p)), *case)) for case in cases])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)
    likely = wanted > 1e-3
    assert likely.sum() > 40
    np.testing.assert_allclose(found[likely], wanted[likely], rtol=1e-12)


def test_a_chance_below_the_rounding_is_not_below_zero():
    """The real part of its integral was -3e-62: its logarithm was no number."""
    p = zipf.frequencies(500, 0.64)
    draws = jnp.array([300.0, 1000.0, 2479.0, 5000.0, 1e4])
    found = np.asarray(run(p, draws, jnp.full(5, 0.99), jnp.full(5, 64.0)))
    assert (found >= 0).all()
    assert (found < 1e-60).all()


@pytest.mark.parametrize("exponent", [0.5, 1.3, 2.0, 5.0])
def test_octaves_stand_for_the_vocabulary(exponent):
    vocabulary = 500
    weights = np.arange(1.0, vocabulary + 1) ** -exponent
    p = weights / weights.sum()
    ranks, counts = octaves(vocabulary)
    columns = (jnp.array(v) for v in ([1.0, 300.0, 1e4], [0.0, 0.1, 0.1], [1.0, 64.0, 20.0]))
    draws, noise, length = columns
    found = condensed(p[0] * ranks**-exponent, draws, noise, length, counts)
    np.testing.assert_allclose(found, run(p, draws, noise, length), rtol=2e-12, atol=1e-300)
    assert np.all(counts > 0)
    assert counts.sum() == pytest.approx(vocabulary, rel=1e-13)
    assert len(ranks) <= 31 + 9 * np.ceil(np.log2(vocabulary / 31))


def test_one_token_is_the_missing_mass_and_all_draws_leave_the_lies():
    p = zipf.frequencies(50, 1.4)
    n = jnp.array([1.0, 30.0, 1000.0])
    right = run(p, n, jnp.full(3, 0.2), jnp.ones(3))
    missing = np.array([float(zipf.mass_seen(p, v)) for v in n])
    np.testing.assert_allclose(right, 0.8 * (1 - missing), rtol=1e-12)
    # endless draws: every item is right with chance 0.8, independently
    rng = np.random.default_rng(0)
    told = (rng.random((20_000, 50)) < 0.8) @ np.asarray(p)
    found = run(p, jnp.full(3, jnp.inf), jnp.full(3, 0.2), jnp.array([6.0, 1.0, 2.0]))
    assert float(found[1]) == pytest.approx(0.8, rel=1e-12)
    assert abs(np.mean(told**6) - float(found[0])) < 4 * np.std(told**6) / np.sqrt(20_000)


def test_the_mean_of_a_power_is_above_the_power_of_the_mean():
    p = zipf.frequencies(50, 2.0)
    n, noise, length = jnp.full(3, 500.0), jnp.array([0.0, 0.1, 0.2]), jnp.full(3, 20.0)
    found = np.asarray(run(p, n, noise, length))
    single = np.asarray(run(p, n, noise, jnp.ones(3))) ** 20
    assert np.all(found > single)
    assert found[0] / single[0] < 1.02  # what was met differs little between learners
    assert found[1] / single[1] > 4  # what was told wrongly does: common items


def test_it_is_a_power_when_nothing_is_random():
    p = jnp.array([0.3, 0.2])
    found = none_wrong(p, jnp.ones((1, 2)), 5)
    assert complex(found[0]) == pytest.approx(0.5**5, rel=1e-13)


def test_the_only_item_is_known_after_any_number_of_draws():
    n = jnp.array([1.0, 2.0, 15.0, 16.0, 17.0, 25.0, 39.0, 41.0, 1e3, 1e6])
    found = run(jnp.ones(1), n, jnp.zeros(10), jnp.ones(10))
    np.testing.assert_allclose(found, 1, rtol=1e-13)
