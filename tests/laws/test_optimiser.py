"""Training in pieces, and on mini-batches: the bits of one go, each question once an epoch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ci_theory.systems import quadratic
from ci_theory.tasks import modular
from ci_theory.training import batches, optimiser

KEY = jax.random.key(3)
QUESTIONS, ANSWERS = (jnp.asarray(v) for v in modular.table("add", 5))
THERE = modular.training(KEY, 25, 0.6)
STEPS = jnp.array([9, 0, 4, 4, 12])


def loss(weights, batch):
    rows, counts = batch
    logits = quadratic.apply(weights, QUESTIONS[rows])
    return optimiser.squared_error(logits, ANSWERS[rows], counts)


def measure(weights):
    logits = quadratic.apply(weights, QUESTIONS)
    whole = optimiser.squared_error(logits, ANSWERS, THERE.astype(float))
    return whole, weights.out, jnp.argmax(logits[3])


def course_of(decay=0.5, size=4):
    rule = optimiser.AdamW(rate=0.01, decay=decay, warm_up=3.0)
    draw = batches.drawn(KEY, THERE, size) if size else None
    full = (jnp.arange(25), THERE.astype(float))
    return optimiser.Course(
        loss if size else lambda w: loss(w, full), rule, STEPS, measure, draw=draw
    )


def begun(size):
    return optimiser.begin(course_of(size=size), quadratic.init(KEY, 5, 12))


@functools.cache
def program(size, many):
    """One compiled program a case: any piece, for one configuration or three side by side."""

    def piece(decay, state, since, until):
        return optimiser.advance(course_of(decay, size), state, since, until)

    return jax.jit(jax.vmap(piece, (0, 0, None, None)) if many else piece)


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("size", [0, 4])
@pytest.mark.parametrize("many", [False, True])
def test_pieces_are_one_go_to_the_last_bit(size, many):
    decay = jnp.array([0.0, 0.5, 2.0]) if many else jnp.array(0.5)
    start = begun(size)
    if many:
        start = jax.tree.map(lambda v: jnp.stack([v] * 3), start)
    run = program(size, many)
    whole = run(decay, start, 0, 12)
    for stops in ([4, 12], [0, 3, 4, 5, 11, 12], range(13), [0, 0, 9, 9, 12]):
        state, since = start, 0
        for until in stops:
            state, since = run(decay, state, since, until), until
        same(state, whole)
    assert run._cache_size() == 1


def test_training_is_the_composition_of_its_pieces():
    course, weights = course_of(), quadratic.init(KEY, 5, 12)
    made = jax.jit(lambda w: optimiser.train(loss, w, course.rule, STEPS, measure, course.draw))(
        weights
    )
    state = program(4, False)(jnp.array(0.5), begun(4), 0, 12)
    finished = optimiser.finish(course, state)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), made, finished)
    # rows are in the order asked for; the last is of the weights that are returned
    same(finished.measures[1][4], finished.weights.out)
    same(finished.measures[1][1], weights.out)
    same(finished.measures[1][2], finished.measures[1][3])


def test_rows_not_yet_reached_are_zero():
    state = program(4, False)(jnp.array(0.5), begun(4), 0, 8)
    values = np.asarray(state.rows[0])  # in ascending order: 0, 4, 4, 9, 12
    assert np.all(values[:3] > 0)
    assert np.all(values[3:] == 0)


def asked(jaxpr):
    """Shapes of what the loops of a program ask before every turn."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "while":
            yield equation.params["cond_jaxpr"].out_avals[0].shape
        for inside in equation.params.values():
            if hasattr(inside, "jaxpr"):
                yield from asked(inside.jaxpr)


def test_loops_ask_no_configuration_of_its_own():
    """An answer for each would make every run pay for selections at every step."""

    def piece(decay, since):
        return optimiser.advance(course_of(decay, 4), begun(4), since, 12)

    decay, since = jnp.zeros(3), jnp.zeros(3, int)
    together = jax.make_jaxpr(jax.vmap(piece, (0, None)))(decay, 0)
    shapes = set(asked(together.jaxpr))
    assert shapes == {()}
    apart = jax.make_jaxpr(jax.vmap(piece))(decay, since)
    assert (3,) in set(asked(apart.jaxpr))  # what it would look like


def test_single_precision_stays():
    """Numbers of the rule may come as float64; weights and moments keep their own precision."""
    weights = jnp.ones(3, jnp.float32)
    rule = optimiser.AdamW(rate=jnp.array(0.1), decay=jnp.array(0.5), warm_up=jnp.array(2.0))
    made = optimiser.train(lambda w: jnp.sum(w**2), weights, rule, jnp.array([3]), lambda w: w)
    assert made.weights.dtype == made.measures.dtype == jnp.float32


# --- mini-batches -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 30])
def test_an_epoch_sees_each_training_question_once(size):
    counts = (1, 7, 12, 25)
    shares = jnp.array(counts) / 25
    most = 3 * -(-25 // size)

    def drawing(share):
        there = modular.training(KEY, 25, share)
        return there, jax.vmap(batches.drawn(KEY, there, size))(jnp.arange(most))

    found, made = jax.jit(jax.vmap(drawing))(shares)
    assert made.rows.shape == made.weights.shape == (4, most, size)
    for count, there, rows, weights in zip(counts, found, *map(np.asarray, made), strict=True):
        steps, orders = -(-count // size), set()
        for epoch in range(3):
            now = slice(epoch * steps, (epoch + 1) * steps)
            seen = rows[now][weights[now] > 0]
            assert sorted(seen) == sorted(np.flatnonzero(there))
            np.testing.assert_array_equal(weights[now].sum(axis=1)[:-1], size)
            orders.add(tuple(seen))
        assert count == 1 or len(orders) == 3


def test_orders_are_uniform():
    """All 24 orders of 4 questions equally often, and any two of 31 as far apart as any others."""
    keys = jax.random.split(jax.random.key(0), 12000)
    few = np.asarray(jax.vmap(lambda k: batches.shuffled(k, jnp.arange(4), 4))(keys))
    _, counts = np.unique(few @ 4 ** np.arange(4), return_counts=True)
    assert len(counts) == 24
    assert np.sum((counts - 500) ** 2 / 500) < 50  # 23 degrees of freedom: 0.001 at 49.7
    places = jnp.array([0, 1, 30])
    many = np.asarray(jax.vmap(lambda k: batches.shuffled(k, places, 31))(keys))
    for other in (1, 2):
        apart = np.bincount((many[:, 0] - many[:, other]) % 31, minlength=31)[1:]
        assert np.sum((apart - 400) ** 2 / 400) < 60  # 29 degrees of freedom: 0.0006


def test_mini_batch_steps_are_those_of_optax():
    weights, rule = quadratic.init(KEY, 5, 12), optax.adamw(0.01, b2=0.98, weight_decay=0.5)
    state, by_hand, draw = rule.init(weights), weights, batches.drawn(KEY, THERE, 4)
    gradient, draw = jax.jit(jax.grad(loss)), jax.jit(draw)
    for step in range(6):
        slope = gradient(by_hand, draw(step))
        update, state = rule.update(slope, state, by_hand)
        by_hand = optax.apply_updates(by_hand, update)
    plain = optimiser.AdamW(rate=0.01, decay=0.5)
    made = optimiser.train(loss, weights, plain, jnp.array([6]), lambda w: w.out, draw)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14),
        made.weights,
        by_hand,
    )
