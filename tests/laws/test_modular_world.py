"""Modular arithmetic: the table, its training part, wrong answers, and the optimiser on it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ci_theory import BadInput
from ci_theory.biases import class_noise
from ci_theory.systems import quadratic
from ci_theory.tasks import modular
from ci_theory.training import optimiser

KEY = jax.random.key(3)


@pytest.mark.parametrize("operation", modular.OPERATIONS)
def test_answers_are_those_of_the_definition(operation):
    p = 7
    questions, answers = modular.table(operation, p)
    assert len(questions) == len(answers) == (p * (p - 1) if operation == "divide" else p * p)
    assert len({tuple(q) for q in questions.tolist()}) == len(questions)
    for (a, b), c in zip(questions.tolist(), answers.tolist(), strict=True):
        if operation == "divide":
            assert c * b % p == a
        else:
            wanted = {"add": a + b, "subtract": a - b, "multiply": a * b}
            assert c == wanted.get(operation, a * a + a * b + b * b) % p


@pytest.mark.parametrize(
    ("operation", "p", "words"),
    [("adds", 7, "did you mean 'add'"), ("add", 1, ">= 2"), ("divide", 9, "needs a prime")],
)
def test_bad_tables_are_refused(operation, p, words):
    with pytest.raises(BadInput, match=words):
        modular.table(operation, p)


def test_training_part_has_its_size_and_grows():
    last = np.zeros(121, bool)
    for fraction in (0.0, 0.1, 0.35, 0.5, 1.0):
        there = np.asarray(modular.training(KEY, 121, jnp.asarray(fraction)))
        assert there.sum() == round(fraction * 121)
        assert np.all(there | ~last)
        last = there
    other = np.asarray(modular.training(jax.random.key(4), 121, 0.5))
    assert 20 < (other & np.asarray(modular.training(KEY, 121, 0.5))).sum() < 40


def test_wrong_answers_are_wrong_fixed_and_nested():
    _, answers = modular.table("add", 11)
    labels = jnp.asarray(answers)
    there = modular.training(KEY, 121, 0.6)
    before = np.zeros(121, bool)
    for share in (0.0, 0.05, 0.3, 1.0):
        taught = class_noise.corrupted(KEY, labels, 11, there, jnp.asarray(share))
        wrong = np.asarray(taught.wrong)
        assert wrong.sum() == round(share * 73)
        assert not np.any(wrong & ~np.asarray(there))
        assert np.array_equal(np.asarray(taught.labels) != answers, wrong)
        assert np.all(wrong | ~before)
        before = wrong
    shifts = (np.asarray(taught.labels) - answers)[wrong] % 11
    assert len(set(shifts.tolist())) == 10


# --- the optimiser ------------------------------------------------------------------------------


def _problem():
    questions, answers = modular.table("add", 5)
    there = modular.training(KEY, 25, 0.6).astype(float)
    pairs, labels = jnp.asarray(questions), jnp.asarray(answers)

    def loss(weights):
        return optimiser.squared_error(quadratic.apply(weights, pairs), labels, there)

    return loss, quadratic.init(KEY, 5, 12)


def _rule(**changes):
    return optimiser.AdamW(**{"rate": 0.01, "decay": 0.5, **changes})


def test_steps_are_those_of_optax():
    loss, weights = _problem()
    made = optimiser.train(loss, weights, _rule(), jnp.array([7]), lambda w: w)
    rule = optax.adamw(0.01, b1=0.9, b2=0.98, eps=1e-8, weight_decay=0.5)
    state, by_hand = rule.init(weights), weights
    for _ in range(7):
        update, state = rule.update(jax.grad(loss)(by_hand), state, by_hand)
        by_hand = optax.apply_updates(by_hand, update)
    for a, b, row in zip(made.weights, by_hand, made.measures, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(a, row[0])


def test_measures_follow_the_steps_as_given():
    loss, weights = _problem()
    made = optimiser.train(loss, weights, _rule(), jnp.array([6, 0, 3, 3]), loss).measures
    again = optimiser.train(loss, weights, _rule(), jnp.array([0, 3, 6]), loss).measures
    np.testing.assert_array_equal(made, again[jnp.array([2, 0, 1, 1])])
    assert float(made[1]) == pytest.approx(float(loss(weights)), rel=1e-14)
    assert float(made[0]) < float(made[2]) < float(made[1])


def test_configurations_side_by_side_are_the_loop():
    loss, weights = _problem()
    decays = jnp.array([0.0, 0.3, 2.0])

    def run(decay):
        return optimiser.train(loss, weights, _rule(decay=decay), jnp.array([2, 9]), loss).measures

    together = jax.vmap(run)(decays)
    alone = jnp.stack([run(decay) for decay in decays])
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    assert len(set(np.asarray(together[:, 1]).tolist())) == 3


def test_decay_alone_shrinks_geometrically():
    weights = jnp.array([2.0, -3.0])
    made = optimiser.train(lambda w: 0.0 * w.sum(), weights, _rule(decay=2.0), jnp.array([10]), sum)
    np.testing.assert_allclose(made.weights, weights * (1 - 0.02) ** 10, rtol=1e-13)


def test_warm_up_grows_the_steps():
    """Early Adam steps on a constant slope have the length of the step size."""
    rule = _rule(decay=0.0, warm_up=4.0)
    made = optimiser.train(lambda w: w, jnp.array(0.0), rule, jnp.arange(7), lambda w: w)
    ramp = np.array([0.25, 0.5, 0.75, 1, 1, 1])
    np.testing.assert_allclose(-np.diff(made.measures), 0.01 * ramp, rtol=1e-6)


def test_decay_grows_with_the_steps():
    """A step shrinks the weights by its own rate times the decay, in the warm-up too."""
    rule = _rule(decay=2.0, warm_up=4.0)
    made = optimiser.train(lambda w: 0.0 * w, jnp.array(1.0), rule, jnp.arange(7), lambda w: w)
    ramp = np.array([0.25, 0.5, 0.75, 1, 1, 1])
    np.testing.assert_allclose(made.measures[1:], np.cumprod(1 - 0.02 * ramp), rtol=1e-13)


def test_losses_count_rows_with_their_weights():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    times = np.array([1, 3, 0, 2, 1, 0])
    many = np.repeat(np.arange(6), times)
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    entropy = -np.log(probability[many, labels[many]]).mean()
    squares = ((logits - np.eye(4)[labels]) ** 2).sum(axis=1)[many].mean()
    args = jnp.asarray(logits), jnp.asarray(labels), jnp.asarray(times, float)
    assert float(optimiser.cross_entropy(*args)) == pytest.approx(entropy, rel=1e-13)
    assert float(optimiser.squared_error(*args)) == pytest.approx(squares, rel=1e-13)
