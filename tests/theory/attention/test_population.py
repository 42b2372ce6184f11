"""Linear attention trained on endless prompts: optimal, exact against drawn prompts, its break."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.attention.population import (
    World,
    best_attention,
    best_noise,
    largest_scale,
    prompt_error,
    ridge_error,
    turned,
    turned_gain,
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


def like(world, **changes):
    fields = ("inputs", "tasks", "pairs", "noise", "sign")
    return World(**{**{k: getattr(world, k) for k in fields}, **changes})


COPIED = np.array([3, 1, 1])  # five pairs, of which one comes three times


@pytest.mark.parametrize(
    ("test", "copies"),
    [
        (dense(3, 1), np.ones(5)),
        (dense(3, 2), np.ones(5)),
        (like(dense(3, 2), pairs=25 / 11, sign=0.4), COPIED),
    ],
    ids=["home", "away", "copies and wrong signs"],
)
def test_the_error_is_that_of_drawn_prompts(test, copies):
    """Brute force, weights trained on the first world; matrices that do not commute."""
    rng, many, distinct = np.random.default_rng(4), 200_000, len(copies)
    weights = np.asarray(best_attention(dense(3, 1)))
    roots = [np.linalg.cholesky(np.asarray(m)) for m in (test.inputs, test.tasks)]
    x = rng.standard_normal((many, distinct + 1, 3)) @ roots[0].T
    w = rng.standard_normal((many, 3)) @ roots[1].T
    y = np.einsum("nld,nd->nl", x, w) + np.sqrt(0.3) * rng.standard_normal((many, distinct + 1))
    y = np.where(rng.random(y.shape) < (1 - test.sign) / 2, -y, y)
    h = np.einsum("nl,l,nld->nd", y[:, :-1], copies, x[:, :-1]) / 5
    missed = (y[:, -1] - np.sum((x[:, -1] @ weights) * h, axis=1)) ** 2
    found = float(prompt_error(jnp.asarray(weights), test))
    assert found == pytest.approx(missed.mean(), abs=4.5 * missed.std() / many**0.5)
    null = np.mean(missed) - np.mean(y[:, -1] ** 2)  # the context does something to it
    assert abs(null) > 10 * missed.std() / many**0.5


def test_weights_need_not_be_symmetric():
    """One context of one pair after the other, all moments of it by Gauss's rule."""
    root, weight = np.polynomial.hermite_e.hermegauss(4)
    weight = weight / weight.sum()
    world = World(
        inputs=jnp.array([[2.0, 0.6], [0.6, 1.0]]),
        tasks=jnp.array([[1.0, -0.3], [-0.3, 0.5]]),
        pairs=1.0,
        noise=0.4,
    )
    weights = np.array([[0.2, 0.7], [-0.1, 0.3]])
    scale = float(largest_scale(jnp.asarray(weights), world))

    def error(weights, factor):
        grid = np.stack(np.meshgrid(*[root] * 5, indexing="ij"), axis=-1).reshape(-1, 5)
        chance = np.stack(np.meshgrid(*[weight] * 5, indexing="ij"), axis=-1).prod(axis=-1).ravel()
        spread = factor * np.asarray(world.inputs)
        x = grid[:, :2] @ np.linalg.cholesky(spread).T
        w = grid[:, 2:4] @ np.linalg.cholesky(np.asarray(world.tasks)).T
        h = (np.sum(x * w, axis=1) + np.sqrt(0.4) * grid[:, 4])[:, None] * x
        missed = w - h @ weights.T  # of a query's inputs
        return 0.4 + chance @ np.einsum("ni,ij,nj->n", missed, spread, missed)

    assert float(prompt_error(jnp.asarray(weights), world)) == pytest.approx(error(weights, 1.0))
    assert error(weights, scale) == pytest.approx(error(0 * weights, scale))


def test_nothing_is_better_than_training_with_wrong_signs():
    world = like(dense(4, 0), sign=0.3, pairs=2.5)
    best = best_attention(world)
    assert np.asarray(jax.grad(prompt_error)(best, world)) == pytest.approx(0, abs=1e-12)
    assert np.asarray(best_attention(like(world, sign=0.0))) == pytest.approx(0, abs=0)


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


@pytest.mark.parametrize(
    "world",
    [TRAINED, dense(4, 3), like(dense(4, 3), sign=0.5)],
    ids=["diagonal", "dense", "wrong signs"],
)
def test_beyond_the_largest_scale_the_context_harms(world):
    best = best_attention(world)
    scale = float(largest_scale(best, world))
    assert scale > 1
    for factor, sign in ((1.0, 0), (0.99, -1), (1.01, 1)):
        there = like(world, inputs=factor * scale * world.inputs)
        gained = float(prompt_error(best, there) - prompt_error(0 * best, there))
        assert np.sign(round(gained, 10)) == sign
    endless = like(TRAINED, pairs=1e12)
    assert float(largest_scale(best_attention(endless), endless)) == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize("d", [2, 5, 8])
def test_a_turn_keeps_the_variances_and_ends_reversed(d):
    inputs = jnp.diag(1 / jnp.arange(1.0, d + 1))
    there = np.asarray(turned(inputs, 0.3))
    assert np.linalg.eigvalsh(there)[::-1] == pytest.approx(np.diag(inputs), rel=1e-12)
    assert np.abs(there - np.diag(np.diag(there))).max() > 0.1
    assert np.asarray(turned(inputs, 1.0)) == pytest.approx(
        np.asarray(inputs)[::-1, ::-1], abs=1e-14
    )
    twice = np.asarray(turned(turned(inputs, 0.2), 0.1))
    assert twice == pytest.approx(there, abs=1e-14)


def test_the_gain_of_a_turn_is_a_cubic_in_its_cosine():
    """At angles that were not among the four, an odd dimension too; and its root is a break."""
    for d in (5, 8):
        trained = World(
            inputs=jnp.diag(1 / jnp.arange(1.0, d + 1)),
            tasks=jnp.diag(jnp.linspace(0.5, 1.5, d)),
            pairs=20.0,
            noise=0.1,
        )
        test = like(trained, inputs=1.3 * trained.inputs, pairs=9.0, noise=0.4)
        best = best_attention(trained)
        cubic = np.asarray(turned_gain(best, test))

        def gained(turn, test=test, best=best):
            there = like(test, inputs=turned(test.inputs, turn))
            return float(prompt_error(0 * best, there) - prompt_error(best, there))

        for turn in (0.0, 0.15, 0.41, 0.77, 1.0):
            wanted = np.polyval(cubic[::-1], np.cos(np.pi * turn))
            assert gained(turn) == pytest.approx(wanted, rel=1e-11)
        assert gained(0.0) > 0 > gained(1.0)
        assert abs(cubic[3]) > 1e-3
        wrong = like(test, sign=0.7)
        known = np.polyval(np.asarray(turned_gain(best, wrong))[::-1], np.cos(np.pi * 0.41))
        assert gained(0.41, test=wrong) == pytest.approx(known, rel=1e-11)


def test_noise_that_is_best_for_a_test_is_where_the_slope_vanishes():
    trained = World(inputs=2 * jnp.eye(5), tasks=0.5 * jnp.eye(5), pairs=7.0, noise=0.0, sign=0.8)
    test = World(inputs=6 * jnp.eye(5), tasks=0.5 * jnp.eye(5), pairs=11.0, noise=0.3)
    best = best_noise(trained, test)

    def error(noise):
        return prompt_error(best_attention(like(trained, noise=noise)), test)

    assert float(jax.grad(error)(best)) == pytest.approx(0, abs=1e-12)
    assert float(error(best)) < min(float(error(0.8 * best)), float(error(1.2 * best)))
    assert float(best_noise(trained, like(trained, sign=1.0, noise=0.3))) < 0  # signs shrink enough
    right = like(trained, sign=1.0)
    assert float(best_noise(right, like(right, noise=0.7))) == pytest.approx(0.7, rel=1e-12)


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
