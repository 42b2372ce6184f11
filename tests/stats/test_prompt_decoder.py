"""Networks trained on prompts land where linear attention's closed forms say, or it is told."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ci_theory import BadInput
from ci_theory._keys import stream
from ci_theory.systems import sequence_decoder
from ci_theory.systems.sequence_decoder import Shape
from ci_theory.tasks import prompts, written_prompts
from ci_theory.theory.attention.population import World, best_attention, prompt_error
from ci_theory.training import annealing, linear_attention, optimiser, prompt_decoder

D, LENGTH, NOISE = 3, 6, 0.25
SHAPE = Shape(reads="vectors", inputs=D + 1, outputs=1, d=12, heads=4, attention="linear")
ROOTS = np.random.default_rng(0).normal(size=(2, D, D)) / 2 + np.eye(D)
WORLD = World(
    inputs=jnp.asarray(ROOTS[0] @ ROOTS[0].T),
    tasks=jnp.asarray(ROOTS[1] @ ROOTS[1].T),
    pairs=float(LENGTH),
    noise=NOISE,
)


def drawn(key, n):
    """Draw prompts of the world, whose covariances do not commute."""
    w = jax.random.normal(stream(key, "tasks"), (n, D)) @ jnp.asarray(ROOTS[1]).T
    return written_prompts.draw(key, w, jnp.asarray(ROOTS[0]), LENGTH, NOISE)


def test_written_prompts_have_the_covariance_and_the_noise_asked_for():
    many, root, w = 5000, jnp.asarray(ROOTS[0]), jax.random.normal(jax.random.key(5), (5000, D))
    tokens, answer = written_prompts.draw(jax.random.key(6), w, root, 3, NOISE)
    x, clean = np.asarray(tokens[..., :-1]), np.asarray(jnp.sum(tokens[..., :-1] * w[:, None], 2))
    np.testing.assert_array_equal(answer, clean[:, -1])
    np.testing.assert_array_equal(tokens[:, -1, -1], 0)
    wanted = ROOTS[0] @ ROOTS[0].T
    spread = np.sqrt((np.outer(np.diag(wanted), np.diag(wanted)) + wanted**2) / (4 * many))
    assert np.all(np.abs(np.einsum("nti,ntj->ij", x, x) / (4 * many) - wanted) < 5 * spread)
    errors = np.asarray(tokens[:, :-1, -1]) - clean[:, :-1]
    assert np.mean(errors**2) == pytest.approx(NOISE, rel=5 * (2 / errors.size) ** 0.5)


def test_written_prompts_have_the_error_of_the_closed_form_and_mirrors_answer_the_opposite():
    made, best = drawn(jax.random.key(1), 40_000), best_attention(WORLD)
    x, h = written_prompts.summary(made.tokens)
    missed = np.asarray((made.answer - jnp.sum((x @ best) * h, axis=1)) ** 2)
    wanted = float(prompt_error(best, WORLD)) - NOISE
    assert missed.mean() == pytest.approx(wanted, abs=4.5 * missed.std() / 200)
    again, other = written_prompts.summary(written_prompts.mirrored(made.tokens))
    np.testing.assert_array_equal(again, x)
    np.testing.assert_array_equal(other, -h)


def test_a_layer_of_linear_attention_is_the_matrix_read_off_it():
    made, counts = drawn(jax.random.key(3), 6), jnp.arange(6.0)

    @jax.jit
    def read(key):
        weights = sequence_decoder.init(key, SHAPE)
        ways = prompt_decoder.both_ways(weights, SHAPE, made.tokens)
        loss = prompt_decoder.loss(weights, SHAPE, made.tokens, made.answer, counts)
        whole = prompt_decoder.answers(weights, SHAPE, made.tokens)
        return ways, loss, whole, prompt_decoder.learned(weights, SHAPE, LENGTH)

    (odd, even), found, answers, learned = read(jax.random.key(2))
    x, h = written_prompts.summary(made.tokens)
    np.testing.assert_allclose(odd, jnp.sum((x @ learned) * h, axis=1), rtol=1e-10)
    np.testing.assert_allclose(answers, odd + even, rtol=1e-10)
    both = answers, even - odd
    wanted = sum(
        jnp.sum(counts * (sign * made.answer - one) ** 2) / 2
        for sign, one in zip((1, -1), both, strict=True)
    )
    assert float(found) == pytest.approx(float(wanted), rel=1e-12)
    soft = Shape(reads="vectors", inputs=D + 1, outputs=1, d=12, heads=4)
    with pytest.raises(BadInput, match="not one layer of linear attention"):
        prompt_decoder.learned({}, soft, LENGTH)


# --- training -----------------------------------------------------------------------------------


def test_annealing_is_adamw_whose_step_size_falls_in_stairs():
    def loss(w):
        return jnp.sum(jnp.sin(w) ** 2 * jnp.arange(1.0, 4.0))

    rule = optimiser.AdamW(rate=0.1, decay=0.2, warm_up=3.0, first=0.8, second=0.95, tiny=1e-2)
    start = jnp.array([1.0, -0.7, 0.3])
    course = optimiser.Course(loss, rule, jnp.array([12, 5]), lambda w: w)
    made = jax.jit(lambda w: annealing.anneal(course, w, stairs=3, each=4))(start)
    ramp = [min((i + 1) / 3, 1.0) for i in range(12)]
    rates = [0.1 * r * (1 + np.cos(np.pi * (i // 4) / 3)) / 2 for i, r in enumerate(ramp)]
    rate = lambda i: jnp.asarray(rates)[i]  # noqa: E731
    adam = optax.adamw(rate, b1=0.8, b2=0.95, eps=1e-2, weight_decay=0.2)
    state, w, seen, slope = adam.init(start), start, [], jax.grad(loss)
    for _ in range(12):
        update, state = adam.update(slope(w), state, w)
        w = optax.apply_updates(w, update)
        seen.append(w)
    np.testing.assert_allclose(made.measures, [seen[11], seen[4]], rtol=1e-12)
    np.testing.assert_allclose(made.weights, seen[11], rtol=1e-12)


def test_on_repeated_sequences_linear_attention_lands_on_the_ridge_regression():
    """The same loss, whose exact minimum is known: four copies of half of 24 prompts, 4 tasks."""
    n, penalty = 24, 0.05

    def run(key):
        w = prompts.tasks(key, 4, D)[prompts.in_turn(n, jnp.array(4))]
        seen = written_prompts.draw(key, w, jnp.eye(D) / D**0.5, LENGTH, NOISE)
        labels = seen.answer + NOISE**0.5 * jax.random.normal(stream(key, "noise"), (n,))
        counts = jnp.where(jnp.arange(n) < n // 2, 4.0, 1.0)
        ridge = penalty * jnp.sum(counts)
        x, h = written_prompts.summary(seen.tokens)
        exact = linear_attention.fit(x, h, labels, counts, ridge).gamma
        least = jnp.sum(counts * (labels - jnp.sum((x @ exact) * h, axis=1)) ** 2)
        least = least + ridge * jnp.sum(exact**2)

        def loss(weights):
            fitted = prompt_decoder.loss(weights, SHAPE, seen.tokens, labels, counts)
            learned = prompt_decoder.learned(weights, SHAPE, LENGTH)
            return (fitted + ridge * jnp.sum(learned**2)) / least

        def measure(weights):
            learned = prompt_decoder.learned(weights, SHAPE, LENGTH)
            apart = jnp.linalg.norm(learned - exact) / jnp.linalg.norm(exact)
            return loss(weights) - 1, apart

        rule = optimiser.AdamW(rate=0.03)
        course = optimiser.Course(loss, rule, jnp.array([0, 1200]), measure)
        start = sequence_decoder.init(key, SHAPE)
        return annealing.anneal(course, start, stairs=20, each=60).measures

    keys = jax.random.split(jax.random.key(0), 3)
    gap, apart = map(np.asarray, jax.jit(jax.vmap(run))(keys))
    assert np.all(gap[:, 0] > 0.5)  # nothing was known before
    assert np.all(gap >= -1e-12)  # nothing is better than the minimum
    assert np.all(gap[:, 1] < 1e-4)
    assert np.all(apart[:, 1] < 5e-3)


def test_on_fresh_prompts_linear_attention_lands_on_the_population_optimum():
    """Its bilinear part exactly, and all of its answer on prompts drawn for the test."""
    many, test, exact = 64, drawn(jax.random.key(7), 4000), best_attention(WORLD)
    x, h = written_prompts.summary(test.tokens)
    best = (test.answer - jnp.sum((x @ exact) * h, axis=1)) ** 2

    def loss(weights, seen):
        return prompt_decoder.loss(weights, SHAPE, seen.tokens, seen.answer, jnp.ones(many))

    def measure(weights):
        odd, even = prompt_decoder.both_ways(weights, SHAPE, test.tokens)
        learned = prompt_decoder.learned(weights, SHAPE, LENGTH)
        own = prompt_error(learned, WORLD) - prompt_error(exact, WORLD)
        return own, jnp.mean((test.answer - odd) ** 2 + even**2 - best)

    def run(key):
        course = optimiser.Course(
            loss=loss,
            rule=optimiser.AdamW(rate=0.02),
            steps=jnp.array([0, 1200]),
            measure=measure,
            draw=lambda step: drawn(jax.random.fold_in(key, step), many),
        )
        start = sequence_decoder.init(key, SHAPE)
        return annealing.anneal(course, start, stairs=20, each=60).measures

    own, excess = jax.jit(run)(jax.random.key(0))
    whole = float(prompt_error(exact, WORLD))
    assert min(own[0], excess[0]) > 0.5 * whole  # nothing was known before
    assert 0 <= own[1] < 0.01 * whole
    assert abs(excess[1]) < 0.02 * whole
