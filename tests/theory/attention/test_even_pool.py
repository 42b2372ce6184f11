"""A pool seen through even contexts: drawn pools, both limits, copies, and frames written out."""

import jax.numpy as jnp
import numpy as np
import pytest

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
    assert float(made.off) < 1e-5
    assert np.all(error < 0.06 * found)
    assert np.all(np.abs(found - mean) < 4 * error)


@pytest.mark.parametrize(
    ("d", "spread"), [(2, 0.2), (5, 0.7), (8, 3.0), (8, 30.0), (3, 100.0), (8, 100.0)]
)
def test_a_single_task_is_known(d, spread):
    made = EVEN(pool_nodes(d), 1.0, 0.0, 1.0, spread)
    ridge = spread / (1 + spread)
    assert float(made.ridge) == pytest.approx(ridge, rel=1e-14)
    assert float(made.gain) == pytest.approx(ridge, rel=2e-4)
    # |w - m|^2 of another task: 1 + E m^2, and E m^2 = 1/(1 + spread)
    assert float(made.loss) == pytest.approx(1 + 1 / (1 + spread), rel=2e-4)
    heavy = EVEN(pool_nodes(d), 0.0, 1.0, 7.0, spread)
    assert float(heavy.gain) == pytest.approx(ridge, rel=2e-4)


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
