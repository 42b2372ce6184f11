"""Limits of memories: against their definitions, counting, simulation and high precision."""

from math import comb

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.discrete.associative_memory import recall, weakest_recalled
from ci_theory.theory.discrete.memory_limits import (
    capacity,
    error_exponent,
    half_weight,
    hopfield_error,
    separable,
    zipf_beyond,
    zipf_recall,
)
from ci_theory.theory.discrete.stored_facts import recalled


def test_capacity_is_where_the_level_is_crossed_and_half_the_entries_over_the_logarithm():
    for d, level in ((32.0, 0.5), (20.0, 0.9)):
        found = capacity(d, level)
        assert found.status == Status.OK
        assert float(recall(d, [1.0], [float(found.value)])[0]) == pytest.approx(level, abs=1e-9)
    off = []
    for d in (1e4, 1e6, 1e8):
        n = float(capacity(d).value)
        off.append(n * np.log(n) / d**2 - 0.5)
    assert np.all(np.diff(np.abs(off)) < 0)
    assert abs(off[-1]) < 0.05
    # of two facts already fewer than that are recalled; and so many always are
    for d, level in ((32.0, 1.0), (3.0, 0.99), (32.0, 0.0)):
        none = capacity(d, level)
        assert none.status == Status.NO_BREAK
        assert np.isnan(none.value)


def test_half_of_the_facts_of_the_half_weight_are_recalled():
    """Among many facts of equal weight, and among unequal ones; a narrow memory recalls none."""
    for d, n in ((64.0, 2000), (200.0, 1000)):
        found = half_weight(d, np.ones(n))
        chance = recall(d, np.array([float(found.value), 1.0]), np.array([1.0, n - 1]))[0]
        assert float(chance) == pytest.approx(0.5, abs=0.03)
    assert half_weight(8.0, np.ones(10**4)).status == Status.NO_BREAK
    wide, many = 1000.0, 10**5
    ratio = float(half_weight(wide, np.ones(many)).value) / float(
        weakest_recalled(wide, many, many)
    )
    assert 0.85 < ratio < 0.99  # of the largest of so many the leading order is an overestimate


@pytest.mark.parametrize("power", [0.75, 1.5])
def test_the_half_weight_is_at_the_half_of_drawn_scores(power):
    """Asked for one fact by the law of overlaps and scores given the keys; 150 facts."""
    d, q, rng, draws = 64, np.arange(1.0, 151.0) ** -power, np.random.default_rng(3), 8000
    weight = float(half_weight(d, q).value)
    all_of_them = np.append(weight, q)
    x = rng.normal(size=(draws, 151))
    b = all_of_them * x / np.sqrt(x**2 + rng.chisquare(d - 1, size=x.shape))
    b[:, 0] = weight
    size, noise = np.sum(b**2, axis=1, keepdims=True), rng.normal(size=x.shape)
    noise -= b * np.sum(b * noise, axis=1, keepdims=True) / size
    g = rng.chisquare(d, size=(draws, 1)) / d
    right = np.mean(np.argmax(g * b + np.sqrt(g * size / d) * noise, axis=1) == 0)
    assert right == pytest.approx(0.5, abs=0.05)


def test_zipf_error_falls_with_the_exponent_and_recall_with_the_rank():
    """The whole curve, by recall of every fact; a = 2, ranks in units of d^(1/4)."""
    a, n = 2.0, 1000
    p = np.arange(1.0, n + 1) ** -a
    widths = np.array([1024.0, 16384.0])
    chances = np.array([np.asarray(recalled(d, p)) for d in widths])
    errors = np.sum(p * (1 - chances), axis=1)
    slope = np.diff(np.log(errors))[0] / np.diff(np.log(widths))[0]
    wanted = -float(error_exponent(a, 1.0))
    assert slope == pytest.approx(wanted, abs=0.02)
    assert abs(slope - 2 * wanted) > 0.2  # crosstalk of size 1/d alone would give that
    law = np.asarray(zipf_recall(np.arange(5.0, 41.0) / widths[-1] ** 0.25, a))
    assert chances[-1, 4:40] == pytest.approx(law, abs=0.02)


def test_the_law_of_ranks_is_that_of_the_strongest_overlap():
    """Drawn: the largest q_j x_j/sqrt(d) of all others against q_i."""
    rng, c, d, i = np.random.default_rng(0), 1.0, 1e6, 1200
    q = np.arange(1.0, 4000.0) ** -c
    overlaps = rng.normal(size=(4000, len(q))) * q / d**0.5
    right = np.mean(overlaps.max(axis=1) < q[i - 1])
    told = float(zipf_recall(i * d ** (-1 / (2 * c)), c))
    assert right == pytest.approx(told, abs=4 * 0.5 / 4000**0.5)
    assert np.isfinite(zipf_recall(60.0, c))
    assert np.isnan(zipf_recall(70.0, c))  # more factors than are taken would count
    assert np.isfinite(zipf_recall(25.0, 0.6))  # (256/25)^0.6 = 4.04
    assert np.isnan(zipf_recall(26.0, 0.6))
    assert np.isnan(error_exponent(1.5, 0.2))
    assert np.isnan(error_exponent(1.0, 1.0))


def test_what_lies_beyond_a_rank():
    with mpmath.workdps(30):
        for rank, a in ((3, 1.5), (10, 1.1), (0, 4.0)):
            wanted = 1 - sum(mpmath.mpf(i) ** -a for i in range(1, rank + 1)) / mpmath.zeta(a)
            assert float(zipf_beyond(rank, a)) == pytest.approx(float(wanted), rel=1e-11)


def test_hopfield_memories():
    n, patterns, rng = 200, 40, np.random.default_rng(0)
    wrong = []
    for _ in range(40):
        x = rng.choice([-1.0, 1.0], size=(patterns, n))
        field = x @ x.T @ x - patterns * x  # no self-coupling
        wrong.append(np.mean(field * x < 0))
    error = np.std(wrong) / np.sqrt(40)
    told = float(hopfield_error(n, patterns))
    assert abs(np.mean(wrong) - told) < 4 * error + told / n**0.5
    assert float(hopfield_error(n, 1)) == 0
    assert told == pytest.approx(0.01177, abs=5e-6)


def test_points_are_counted():
    for n, p in ((20, 30), (20, 34), (20, 40), (20, 44), (3, 4), (5, 5), (7, 2)):
        counted = 2 * sum(comb(p - 1, k) for k in range(n)) / 2**p
        assert float(separable(n, p)) == pytest.approx(counted, rel=1e-12)
    kept = np.asarray(separable(jnp.full(4, 20.0), jnp.array([30.0, 34.0, 40.0, 44.0])))
    assert kept == pytest.approx([0.9693, 0.8519, 0.5, 0.2712], abs=6e-5)


def test_points_on_a_line_through_the_origin_and_in_the_plane():
    """Four points of the plane, turned by their signs, are told apart if half of it is free."""
    rng, many = np.random.default_rng(1), 4000
    angle = rng.uniform(0, 2 * np.pi, size=(many, 4)) + np.pi * rng.integers(0, 2, size=(many, 4))
    turned = np.sort(angle % (2 * np.pi), axis=1)
    gaps = np.diff(np.concatenate([turned, turned[:, :1] + 2 * np.pi], axis=1), axis=1)
    share = np.mean(gaps.max(axis=1) > np.pi)
    assert share == pytest.approx(float(separable(2, 4)), abs=4 * 0.5 / many**0.5)
