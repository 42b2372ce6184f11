"""Linear attention trained on endless prompts: optimal, exact against drawn prompts, its break."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.attention.population import (
    World,
    best_attention,
    largest_scale,
    prompt_error,
    ridge_error,
)

SLOPE = jnp.diag(1 / jnp.arange(1.0, 9.0))
TASKS = jnp.diag(jnp.linspace(0.5, 1.5, 8))
TRAINED = World(inputs=SLOPE, tasks=TASKS, pairs=20.0, noise=0.1)
TURNED = World(inputs=SLOPE[::-1, ::-1], tasks=TASKS, pairs=20.0, noise=0.1)


def dense(d, seed):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((2, d, d)) / np.sqrt(d)
    inputs, tasks = (jnp.asarray(r @ r.T) for r in roots)
    return World(inputs=inputs, tasks=tasks, pairs=5.0, noise=0.3)


def test_nothing_is_better_where_it_was_trained():
    world = dense(4, 0)
    best = best_attention(world)
    slope = jax.grad(prompt_error)(best, world)
    assert np.asarray(slope) == pytest.approx(np.zeros((4, 4)), abs=1e-12)
    assert float(prompt_error(best, world)) < float(prompt_error(0.9 * best, world))


@pytest.mark.parametrize("test", [dense(3, 1), dense(3, 2)], ids=["home", "away"])
def test_the_error_is_that_of_drawn_prompts(test):
    """Brute force, weights trained on the first world; matrices that do not commute."""
    rng, many = np.random.default_rng(4), 200_000
    weights = np.asarray(best_attention(dense(3, 1)))
    roots = [np.linalg.cholesky(np.asarray(m)) for m in (test.inputs, test.tasks)]
    x = rng.standard_normal((many, 6, 3)) @ roots[0].T
    w = rng.standard_normal((many, 3)) @ roots[1].T
    y = np.einsum("nld,nd->nl", x, w) + np.sqrt(0.3) * rng.standard_normal((many, 6))
    h = np.einsum("nl,nld->nd", y[:, :5], x[:, :5]) / 5
    missed = (y[:, 5] - np.sum((x[:, 5] @ weights) * h, axis=1)) ** 2
    found = float(prompt_error(jnp.asarray(weights), test))
    assert found == pytest.approx(missed.mean(), abs=4.5 * missed.std() / many**0.5)


def test_a_covariance_turned_around_is_read_with_the_old_one():
    """Worse than no answer by far: forty-one times the error."""
    best = best_attention(TRAINED)
    home, away = (float(prompt_error(best, world)) for world in (TRAINED, TURNED))
    nothing = float(prompt_error(0 * best, TURNED))
    assert 40 < away / home < 42
    assert away > 9 * nothing


def test_longer_contexts_help_only_where_it_was_trained():
    best = best_attention(TRAINED)
    longer = World(inputs=SLOPE, tasks=TASKS, pairs=2000.0, noise=0.1)
    assert float(prompt_error(best, longer)) < float(prompt_error(best, TRAINED))
    own = float(prompt_error(best_attention(longer), longer))
    assert float(prompt_error(best, longer)) > 1.2 * own


@pytest.mark.parametrize("world", [TRAINED, dense(4, 3)], ids=["diagonal", "dense"])
def test_beyond_the_largest_scale_the_context_harms(world):
    best = best_attention(world)
    scale = float(largest_scale(best, world))
    assert scale > 1
    for factor, sign in ((1.0, 0), (0.99, -1), (1.01, 1)):
        inputs = factor * scale * world.inputs
        there = World(inputs=inputs, tasks=world.tasks, pairs=world.pairs, noise=world.noise)
        gained = float(prompt_error(best, there) - prompt_error(0 * best, there))
        assert np.sign(round(gained, 10)) == sign
    endless = World(inputs=world.inputs, tasks=world.tasks, pairs=1e12, noise=0.1)
    assert float(largest_scale(best_attention(endless), endless)) == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize(("ratio", "noise"), [(0.5, 0.25), (2.0, 0.25), (1.5, 0.05)])
def test_ridge_is_bayes_on_drawn_contexts(ratio, noise):
    """Posterior variance of the task given the inputs, d = 150."""
    rng, d = np.random.default_rng(6), 150
    left = []
    for _ in range(20):
        x = rng.standard_normal((round(ratio * d), d)) / np.sqrt(d)
        left.append(np.mean(1 / (1 + np.linalg.eigvalsh(x.T @ x) / noise)))
    assert float(ridge_error(ratio, noise)) - noise == pytest.approx(np.mean(left), rel=0.01)


def test_limits_of_ridge():
    assert float(ridge_error(0.0, 0.3)) == pytest.approx(1.3, rel=1e-14)
    assert float(ridge_error(0.4, 0.0)) == pytest.approx(0.6, rel=1e-14)
    assert float(ridge_error(3.0, 0.0)) == 0
    assert float(ridge_error(1e9, 0.5)) - 0.5 == pytest.approx(0.5e-9, rel=1e-6)
