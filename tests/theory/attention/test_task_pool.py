"""Bayes with a pool of tasks: by brute force, beside ridge, and how many tasks make it ridge."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.attention import task_pool
from ci_theory.theory.attention.task_pool import average_pool, log_pool_size, pool_mean


def slow_mean(pool, x, y, noise):
    """Bayes' rule, likelihood by likelihood."""
    chances = [
        math.prod(math.exp(-((b - a @ w) ** 2) / (2 * noise)) for a, b in zip(x, y, strict=True))
        for w in pool
    ]
    return sum(c * w for c, w in zip(chances, pool, strict=True)) / sum(chances)


def test_the_posterior_mean_is_bayes_rule():
    rng = np.random.default_rng(0)
    pool, x = rng.standard_normal((4, 3)), rng.standard_normal((5, 3))
    y = x @ pool[1] + rng.standard_normal(5)
    mean, spread = pool_mean(*(jnp.asarray(v) for v in (pool, x, y)), 0.7)
    assert np.asarray(mean) == pytest.approx(slow_mean(pool, x, y, 0.7), rel=1e-12)
    doubled, _ = pool_mean(
        jnp.asarray(np.concatenate([pool, pool])), jnp.asarray(x), jnp.asarray(y), 0.7
    )
    assert np.asarray(doubled) == pytest.approx(np.asarray(mean), rel=1e-12)
    alone, none = pool_mean(jnp.asarray(pool[:1]), jnp.asarray(x), jnp.asarray(y), 0.7)
    assert np.asarray(alone) == pytest.approx(pool[0])
    assert float(none) == 0
    assert float(spread) > 0


def test_the_averages_are_those_of_squared_errors():
    """Nothing averaged by algebra: tasks, prompts, labels and answers drawn one by one."""
    k, d, pairs, noise, many = 3, 2, 3, 0.6, 4000
    rng = np.random.default_rng(1)
    made = []
    for _ in range(many):
        pool, x = rng.standard_normal((k, d)), rng.standard_normal((pairs, d)) / np.sqrt(d)
        one = []
        for w in (pool[rng.integers(k)], rng.standard_normal(d)):
            y = x @ w + np.sqrt(noise) * rng.standard_normal(pairs)
            ridge = np.linalg.solve(x.T @ x + noise * np.eye(d), x.T @ y)
            one += [np.sum((w - slow_mean(pool, x, y, noise)) ** 2), np.sum((w - ridge) ** 2)]
        made.append(np.array(one) / d + noise)
    trained, _, fresh, ridge = np.array(made).T
    mean, error = average_pool(jax.random.key(2), k, d, pairs, noise, 4000)
    for name, drawn in (("trained", trained), ("fresh", fresh), ("ridge", ridge)):
        off = float(getattr(error, name)) + drawn.std() / many**0.5
        assert float(getattr(mean, name)) == pytest.approx(drawn.mean(), abs=4.5 * off), name
    for name, drawn in (("gain", np.array(made)[:, 1] - trained), ("loss", fresh - ridge)):
        off = float(getattr(error, name)) + drawn.std() / many**0.5
        assert float(getattr(mean, name)) == pytest.approx(drawn.mean(), abs=4.5 * off), name
        assert float(getattr(error, name)) < drawn.std() / many**0.5
    assert float(mean.gain) == pytest.approx(float(mean.ridge - mean.trained), rel=1e-12)
    assert float(mean.loss) == pytest.approx(float(mean.fresh - mean.ridge), rel=1e-12)


@pytest.mark.parametrize(
    ("d", "pairs", "noise"), [(4, 6, 0.5), (5, 2, 1.5), (1, 9, 0.1), (3, 0, 2.0)]
)
def test_the_size_of_a_pool_is_a_mean_of_determinants(d, pairs, noise):
    exact = sum(
        math.comb(d - 1, j) * math.perm(pairs, j) * Fraction(noise) ** -j / d**j for j in range(d)
    )
    assert float(log_pool_size(d, pairs, noise)) == pytest.approx(math.log(exact), abs=1e-12)
    rng, many = np.random.default_rng(3), 100_000
    x = rng.standard_normal((many, pairs, d)) / np.sqrt(d)
    system = np.eye(d) + np.swapaxes(x, 1, 2) @ x / noise
    drawn = np.linalg.det(system) * np.trace(np.linalg.inv(system), axis1=1, axis2=2) / d
    assert float(exact) == pytest.approx(drawn.mean(), abs=5 * drawn.std() / many**0.5 + 1e-12)


@pytest.mark.parametrize("precision", [1.2, 1.8])
def test_squared_importance_weights_times_the_spread_are_the_determinant_times_the_trace(precision):
    """One dimension, where both are one: by quadrature over the labels' mean and the task."""
    m, w = np.linspace(-12, 12, 1201)[:, None], np.linspace(-12, 12, 1201)[None, :]
    spread = 1 - 1 / precision  # of the posterior mean
    law = np.exp(-(m**2) / (2 * spread)) / np.sqrt(2 * np.pi * spread)
    posterior = np.sqrt(precision / (2 * np.pi)) * np.exp(-precision * (w - m) ** 2 / 2)
    prior = np.exp(-(w**2) / 2) / np.sqrt(2 * np.pi)
    whole = np.sum(law * posterior**2 / prior * (w - m) ** 2) * (24 / 1200) ** 2
    assert whole == pytest.approx(1, rel=1e-6)


def test_many_tasks_are_ridge_but_for_the_first_order():
    """Reached from below and slowly; gain and loss are one number."""
    size = float(jnp.exp(log_pool_size(2, 1, 4.0)))
    shares = []
    for k in (5, 100):
        mean, error = average_pool(jax.random.key(4), k, 2, 1, 4.0, 4000)
        shares.append(float(mean.loss) * k / size)
        assert shares[-1] < 1 + 4 * float(error.loss) * k / size
        assert float(mean.gain) == pytest.approx(
            float(mean.loss), rel=0.2, abs=4 * float(error.gain + error.loss)
        )
    assert 0.9 < shares[0] < shares[1]
    assert shares[1] == pytest.approx(1, abs=0.03)


def test_the_sheet_of_numbers():
    """16 inputs, 32 pairs, noise 1/4: few tasks are known, new ones are taken for them."""
    mean, error = average_pool(jax.random.key(5), 4, 16, 32, 0.25, 400)
    assert float(mean.trained) == pytest.approx(0.25, abs=1e-4)
    assert float(mean.fresh) == pytest.approx(1.714, abs=4 * (0.021 + float(error.fresh)))
    assert float(mean.ridge) == pytest.approx(0.4307, abs=4 * float(error.ridge) + 5e-4)
    assert float(mean.share()) < 0.15  # where more than that of the tasks is new, ridge is better
    assert float(log_pool_size(16, 32, 0.25)) > 30  # e^30 tasks


def test_two_draws_have_the_standard_error_of_two():
    """Half of the difference: the mean that is taken off is one of two draws."""
    key = jax.random.key(4)
    _, spread = average_pool(key, 3, 2, 2, 0.5, 2)
    first, second = task_pool._draws(key, 3, 2, 2, 0.5, 2, 2)
    apart = np.abs(np.asarray(first - second)) / 2
    np.testing.assert_allclose([spread.trained, spread.fresh, spread.ridge], apart, rtol=1e-9)
