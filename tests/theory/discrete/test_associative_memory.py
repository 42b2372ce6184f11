"""Which facts a memory recalls: against memories that are drawn, and its limits."""

import numpy as np
import pytest
from scipy import optimize, stats

from ci_theory.theory.discrete.associative_memory import (
    _chi_squared,
    _cosine,
    recall,
    weakest_recalled,
)
from ci_theory.theory.discrete.known_sequences import octaves


def drawn(d, q, noise, memories, seed=0):
    """Return the share of memories that recall each fact, (N,), each asked for every one."""
    rng = np.random.default_rng(seed)
    right = np.zeros(len(q))
    for _ in range(memories):
        keys = rng.normal(size=(len(q), d))
        keys /= np.linalg.norm(keys, axis=1, keepdims=True)
        values = rng.normal(size=(len(q), d)) / np.sqrt(d)
        stored = values + np.sqrt(noise) * rng.normal(size=(len(q), d)) / np.sqrt(d)
        scores = values @ ((q[:, None] * stored).T @ keys) @ keys.T
        right += scores.argmax(axis=0) == np.arange(len(q))
    return right / memories


def crosstalk(d, q):
    """Independent Gaussian noise of one size in every score, the true one at its weight."""
    return stats.norm.cdf(q * d / np.sqrt(np.sum(q**2))) ** (len(q) - 1)


@pytest.mark.parametrize(
    ("d", "power", "noise"), [(32, 0.0, 0.0), (24, 0.0, 1.0), (24, 0.5, 0.0), (24, 1.0, 0.5)]
)
def test_recall_of_drawn_memories(d, power, noise):
    """64 facts of weights i^-power, 600 memories: in bands of ranks, within 1/d of the misses."""
    q = np.arange(1.0, 65.0) ** -power
    found = np.asarray(recall(d, q, np.ones(64), noise))
    right = drawn(d, q, noise, 600)
    bands = np.split(np.arange(64), [1, 4, 16])
    told, seen, naive = (
        np.array([v[b].mean() for b in bands]) for v in (found, right, crosstalk(d, q))
    )
    error = np.array([np.sqrt(0.25 / (600 * len(b))) for b in bands]) + 1e-3
    slack = np.minimum(told, 1 - told) / d
    assert np.all(np.abs(seen - told) < 4 * error + slack), (seen, told)
    assert np.any(np.abs(seen - naive) > 4 * error + slack)


def test_groups_are_their_facts_and_octaves_their_ranks():
    one = np.asarray(recall(20.0, [2.0, 1.0], [3.0, 5.0]))
    each = np.asarray(recall(20.0, [2.0] * 3 + [1.0] * 5, np.ones(8)))
    assert np.allclose(each, np.repeat(one, [3, 5]), rtol=1e-12)
    ranks, counts = octaves(70)
    few = np.asarray(recall(20.0, ranks**-0.5, counts))
    many = np.asarray(recall(20.0, np.arange(1.0, 71.0) ** -0.5, np.ones(70)))
    assert few[:31] == pytest.approx(many[:31], rel=1e-6)
    assert np.sum(counts * few) == pytest.approx(many.sum(), rel=1e-6)


@pytest.mark.parametrize(("q", "noise"), [([1.0, 3.0], 0.3), ([1.0, 1.0], 4.0), ([2.0, 1.0], 1.0)])
def test_two_facts_are_exact(q, noise):
    """Drawn without a memory: keys enter by their overlap alone, the answer by three products."""
    rng, d, draws = np.random.default_rng(3), 6, 400_000
    key = rng.normal(size=(draws, d))
    overlap = key[:, 0] / np.linalg.norm(key, axis=1)
    u, e = rng.normal(size=(2, 2, draws, d))
    read = q[0] * (u[0] + np.sqrt(noise) * e[0])
    read += (q[1] * overlap)[:, None] * (u[1] + np.sqrt(noise) * e[1])
    right = np.mean(np.sum((u[0] - u[1]) * read, axis=1) > 0)
    found = float(recall(d, np.array(q), np.ones(2), noise)[0])
    assert abs(found - right) < 4 * np.sqrt(right * (1 - right) / draws)


def test_scale_and_a_fact_alone():
    q, counts = np.array([1.0, 0.3]), np.array([4.0, 20.0])
    assert np.allclose(recall(16.0, q, counts), recall(16.0, 7 * q, counts), rtol=1e-12)
    assert float(recall(16.0, [2.0], [1.0])[0]) == 1.0
    noisy = [float(recall(16.0, q, counts, s)[1]) for s in (0.0, 0.5, 4.0)]
    assert noisy[0] > noisy[1] > noisy[2]


def test_gauss_rules_have_the_moments_of_their_laws():
    cosine, share = (np.asarray(v) for v in _cosine(np.float64(7.0)))
    assert np.sum(share * cosine**2) == pytest.approx(1 / 7, rel=1e-12)
    assert np.sum(share * cosine**8) == pytest.approx(105 / (7 * 9 * 11 * 13), rel=1e-12)
    nodes, mass = (np.asarray(v) for v in _chi_squared(np.float64(7.0)))
    for k in range(12):
        assert np.sum(mass * nodes**k) == pytest.approx(
            np.prod([(7 + 2 * j) / 7 for j in range(k)]), rel=1e-11
        )


def test_the_step_is_where_the_law_of_wide_memories_says():
    """Equal weights: recall falls through the middle near N log N = d^2/2, ever more steeply."""

    def recalled(d, told):
        def off(log_n):
            n = np.exp(log_n)
            return float(weakest_recalled(d, n, n)) - told

        return float(recall(d, [1.0], [np.exp(optimize.brentq(off, 1.0, 40.0))])[0])

    drops = []
    for d in (64.0, 1024.0, 16384.0):
        before, at, after = (recalled(d, told) for told in (0.8, 1.0, 1.25))
        assert 0.35 < at < 0.95
        drops.append(before - after)
    assert np.all(np.diff(drops) > 0.03)
    assert drops[-1] > 0.7
