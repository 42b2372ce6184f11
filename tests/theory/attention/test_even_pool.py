"""A pool seen through even contexts: two and three tasks without t, drawn pools, limits, frames."""

from functools import reduce

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaln, ive

from ci_theory.theory.attention.even_pool import even_pool, pool_nodes
from ci_theory.theory.attention.task_pool import pool_mean

EVEN = even_pool


def drawn(d, weights, spread, draws, seed=0):
    """Means and standard errors of gain and loss over pools, by the posterior itself."""
    rng, weights = np.random.default_rng(seed), np.asarray(weights, float)
    found = np.empty((draws, 2))
    for row in found:
        pool = rng.standard_normal((len(weights), d))
        own = pool[rng.choice(len(weights), p=weights / weights.sum())]
        answers = []
        for task in (own, rng.standard_normal(d)):
            z = task + spread**0.5 * rng.standard_normal(d)
            chance = np.log(weights) - np.sum((z - pool) ** 2, axis=1) / (2 * spread)
            chance = np.exp(chance - chance.max())
            mean = chance @ pool / chance.sum()
            ridge = z / (1 + spread)
            answers.append((np.sum((task - mean) ** 2), np.sum((task - ridge) ** 2)))
        row[:] = answers[0][1] - answers[0][0], answers[1][0] - answers[1][1]
    return found.mean(axis=0) / d, found.std(axis=0, ddof=1) / d / draws**0.5


@pytest.mark.parametrize(
    ("d", "split", "spread"),
    [(4, (10, 0, 1), 0.5), (2, (5, 0, 1), 0.2), (6, (40, 0, 1), 1.0), (3, (8, 4, 3), 0.4)],
)
def test_drawn_pools(d, split, spread):
    """Errors of answers, not the posterior's spread: another way to the gain."""
    once, copied, copies = split
    made = EVEN(pool_nodes(d), *(float(v) for v in split), spread)
    mean, error = drawn(d, [1.0] * once + [copies] * copied, spread, 6000)
    found = np.array([float(made.gain), float(made.loss)])
    assert float(made.off) < 1e-6
    assert np.all(error < 0.06 * found)
    assert np.all(np.abs(found - mean) < 4 * error)


def without_t(d, copies, spread):
    """Gain and loss of up to three tasks: |V|^2/S^2 and |V|^2/S over all distances at once."""
    points, parts = np.polynomial.legendre.leggauss(26)
    far, thin = np.polynomial.legendre.leggauss(110)
    found, order = np.zeros(2), d / 2 - 1
    for length, part in zip(3.7 * (1 + points), 3.7 * parts, strict=True):
        chance = (d - 1) * np.log(length) - length**2 / 2 - order * np.log(2) - gammaln(d / 2)
        z = length * (1 + spread) ** 0.5
        low, high = max(0.0, z - 6.5), z + 6.5 + d**0.5
        x = (low + high + (high - low) * far) / 2
        here = (high - low) / 2 * thin * x * (x / z) ** order * np.exp(-((x - z) ** 2) / 2)
        ahead, here = here * ive(order + 1, x * z), here * ive(order, x * z)
        own = z - z / (1 + spread)
        along, square = own * here - x * ahead, (own**2 + x**2) * here - 2 * own * x * ahead
        r = np.exp((x.min() ** 2 - x**2) / (2 * spread))
        each = [
            [f.reshape([-1 if j == i else 1 for j in range(len(copies))]) for f in row]
            for i, c in enumerate(copies)
            for row in [(here, c * r * along, (c * r) ** 2 * square, c * r)]
        ]
        total = reduce(np.add, [one[3] for one in each])
        top = 0.0
        for i in range(len(each)):
            for j in range(len(each)):
                which = [2 if i == j == k else int(k in (i, j)) for k in range(len(each))]
                top = top + reduce(np.multiply, [e[w] for e, w in zip(each, which, strict=True)])
        base = d / 2 * np.log1p(1 / spread) + z**2 / (2 * (1 + spread))
        base -= x.min() ** 2 / (2 * spread)
        seen = np.sum(top / total) * np.exp(base) / sum(copies), np.sum(top / total**2)
        found += part * np.exp(chance) * np.array(seen)
    return found / d


@pytest.mark.parametrize(
    ("d", "copies", "spread"),
    [
        (2, (1, 1), 0.6),
        (5, (1, 1), 60.0),
        (3, (1, 7), 0.8),
        (2, (1, 1, 1), 1.5),
        (4, (1, 1, 3), 0.5),
    ],
)
def test_two_and_three_tasks_without_an_integral_over_t(d, copies, spread):
    once = copies.count(1)
    made = EVEN(pool_nodes(d), float(once), float(len(copies) - once), float(copies[-1]), spread)
    assert [float(made.gain), float(made.loss)] == pytest.approx(
        without_t(d, copies, spread), rel=1e-6
    )
    assert float(made.off) < 1e-6


def finer(d):
    """Three times as many points of everything, over wider ranges."""
    nodes, most = pool_nodes(d), d**0.5 + 7.5
    points, parts = np.polynomial.legendre.leggauss(96)
    radius = most / 2 * (1 + points)
    chance = most / 2 * parts * np.exp((d - 1) * np.log(radius) - radius**2 / 2 + nodes.density)
    lattices = {"far": np.linspace(0, 1, 961), "times": np.linspace(0, 1, 721)}
    return nodes._replace(radius=radius, chance=chance, **lattices)


@pytest.mark.parametrize("d", [2, 4, 8])
@pytest.mark.parametrize("spread", [0.2, 0.21, 0.6, 4.0, 100.0])
def test_more_points_say_the_same(d, spread):
    few, many = pool_nodes(d), finer(d)
    for split, error in [
        ((1.0, 0.0, 1.0), 1e-6),
        ((6.0, 1.0, 2.0), 1e-6),
        ((400.0, 40.0, 10.0), 4e-6),
        ((1e5, 3.0, 1e3), 2e-5),
        ((1e9, 0.0, 1.0), 5e-5),
    ]:
        made, wanted = (EVEN(nodes, *split, spread) for nodes in (few, many))
        assert float(made.gain) == pytest.approx(float(wanted.gain), rel=error), split
        assert float(made.loss) == pytest.approx(float(wanted.loss), rel=error), split
        assert float(made.off) < 1e-6


@pytest.mark.parametrize(
    ("d", "spread"), [(2, 0.2), (5, 0.7), (8, 3.0), (8, 30.0), (3, 100.0), (8, 100.0)]
)
def test_a_single_task_is_known(d, spread):
    made = EVEN(pool_nodes(d), 1.0, 0.0, 1.0, spread)
    ridge = spread / (1 + spread)
    assert float(made.ridge) == pytest.approx(ridge, rel=1e-14)
    assert float(made.gain) == pytest.approx(ridge, rel=1e-6)
    # |w - m|^2 of another task: 1 + E m^2, and E m^2 = 1/(1 + spread)
    assert float(made.loss) == pytest.approx(1 + 1 / (1 + spread), rel=1e-6)
    heavy = EVEN(pool_nodes(d), 0.0, 1.0, 7.0, spread)
    assert float(heavy.gain) == pytest.approx(ridge, rel=1e-6)


def test_of_very_many_tasks_gain_and_loss_are_alike():
    """K/k with K = (1 + 1/spread)^(d - 1), whatever copies there are by sum c^2/C^2."""
    nodes, d, spread = pool_nodes(4), 4, 4.0
    limit = (1 + 1 / spread) ** (d - 1)
    errors = []
    for k in (300.0, 3000.0):
        made = EVEN(nodes, k, 0.0, 1.0, spread)
        errors.append(1 - float(made.loss) * k / limit)
        assert float(made.gain) * k / limit == pytest.approx(1, abs=10 * abs(errors[-1]) + 1e-3)
    assert 0 < errors[1] < 0.3 * errors[0] < 0.015
    copies = EVEN(nodes, 1500.0, 500.0, 3.0, spread)
    effective = (1500 + 500 * 9) / 3000**2
    assert float(copies.loss) == pytest.approx(limit * effective, rel=0.03)


@pytest.mark.parametrize(("d", "spread"), [(8, 10.0), (4, 40.0), (2, 100.0)])
def test_contexts_that_tell_little_of_many_tasks(d, spread):
    """Far from all tasks, and so in nearly one direction from each: the points must find it."""
    limit = (1 + 1 / spread) ** (d - 1) / 3000
    made = EVEN(pool_nodes(d), 3000.0, 0.0, 1.0, spread)
    assert float(made.gain) == pytest.approx(limit, rel=3e-3)
    assert float(made.loss) == pytest.approx(limit, rel=3e-3)
    assert float(made.off) < 1e-4


def test_more_tasks_are_worth_less_and_cost_less():
    nodes = pool_nodes(3)
    made = [EVEN(nodes, k, 0.0, 1.0, 0.3) for k in (1.0, 4.0, 20.0, 200.0)]
    for values in ([float(v.gain) for v in made], [float(v.loss) for v in made]):
        assert np.all(np.diff(values) < 0)
        assert min(values) > 0


def test_contexts_in_frames_tell_a_task_with_normal_errors():
    """Pairs written out: the posterior is that of z alone, and z has the variance noise/frames."""
    rng, d, frames, noise = np.random.default_rng(3), 3, 2, 0.6
    x = np.concatenate([np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(frames)])
    assert x.T @ x == pytest.approx(frames * np.eye(d), abs=1e-12)
    pool = rng.standard_normal((6, d))
    labels = x @ pool[2] + noise**0.5 * rng.standard_normal(frames * d)
    mean, _ = pool_mean(jnp.asarray(pool), jnp.asarray(x), jnp.asarray(labels), noise)
    z = x.T @ labels / frames
    chance = np.exp(-np.sum((z - pool) ** 2, axis=1) / (2 * noise / frames))
    assert np.asarray(mean) == pytest.approx(chance @ pool / chance.sum(), rel=1e-10)
