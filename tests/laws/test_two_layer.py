"""Three learners: each part of the next, all start from nothing, and training comes to rest."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from ci_theory.inherit import adapters, networks, rows
from ci_theory.inherit.chain import Stage, run
from ci_theory.systems.two_layer import SYSTEMS, model
from ci_theory.training.descent import descend

KEY = jax.random.key(3)
X = jax.random.normal(jax.random.key(4), (7, 5))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_learner_starts_as_the_function_zero_and_has_not_moved(name):
    one = model(name, KEY, d=5, width=6)
    assert np.all(one.answers(one.start, one.see(X)) == 0)
    assert one.moved(one.start) == 0
    moved = one.answers(one.start + 0.1, one.see(X))
    assert moved.shape == (7,)
    assert np.all(np.isfinite(moved))
    assert np.any(moved != 0)


def test_a_network_computes_what_is_written_down_and_features_are_its_first_layer():
    net, features = (model(name, KEY, d=5, width=6) for name in ("network", "features"))
    weights = net.start + 0.3 * jax.random.normal(jax.random.key(5), net.start.shape)
    like = {
        "into": {"bias": jnp.zeros(6), "kernel": jnp.zeros((5, 6))},
        "out": {"kernel": jnp.zeros((6, 1))},
    }
    layers = ravel_pytree(like)[1](weights)
    into, out = layers["into"], layers["out"]
    hidden = np.maximum(np.asarray(X @ into["kernel"]) + np.asarray(into["bias"]), 0)
    np.testing.assert_allclose(net.answers(weights, X), hidden @ out["kernel"][:, 0], rtol=1e-12)
    drawn = ravel_pytree(like)[1](net.start)["into"]["kernel"]
    np.testing.assert_allclose(features.see(X), np.maximum(np.asarray(X @ drawn), 0), rtol=1e-12)
    far = net.moved(weights)
    gap = [into["kernel"] - drawn, into["bias"]]
    known = np.sqrt(sum(np.sum(np.asarray(g) ** 2) for g in gap)) / np.linalg.norm(drawn)
    assert float(far) == pytest.approx(float(known), rel=1e-12)


def test_training_a_linear_learner_ends_at_its_ridge_regression():
    """What the sweeps of networks use: 400 steps from 0.02, few and many rows, both ridges."""
    one = model("linear", KEY, d=12, width=1)
    for n, ridge in ((6, 1.0), (24, 6.0), (120, 3.0)):
        drawn = rows.linear(jax.random.key(n), n, jnp.ones(12), jnp.ones(12) / 12**0.5)
        labels = drawn.clean + jax.random.normal(jax.random.key(1), (n,))
        start = jnp.linspace(-0.3, 0.3, 12)
        given = drawn.inputs, labels, drawn.weights, start
        exact = adapters.ridge_towards(ridge)(*given)
        found = adapters.descent(one.answers, ridge, 0.02, 400)(*given)
        np.testing.assert_allclose(found, exact, atol=1e-3)
        short = adapters.descent(one.answers, ridge, 0.02, 10)(*given)
        assert np.max(np.abs(short - exact)) > 0.02


def test_copies_count_in_training():
    """A row of weight 2 is two rows, in both ways of training."""
    one = model("network", KEY, d=5, width=6)
    labels = jnp.arange(7.0) / 7
    weights = jnp.where(jnp.arange(7) == 2, 2.0, 1.0)
    doubled = jnp.concatenate([X, X[2:3]]), jnp.append(labels, labels[2]), jnp.ones(8)
    adapt = adapters.descent(one.answers, 0.5, 0.02, 60)
    a, b = adapt(X, labels, weights, one.start), adapt(*doubled, one.start)
    np.testing.assert_allclose(a, b, atol=1e-9)
    plain = adapt(X, labels, jnp.ones(7), one.start)
    assert np.max(np.abs(a - plain)) > 1e-3


def test_a_chain_runs_on_features_of_another_number_than_inputs():
    """It asked a teacher that nobody named for labels, and only p = d would do."""
    one = model("features", KEY, d=5, width=6)

    def task(key):
        return rows.linear(key, 9, jnp.ones(5), jnp.ones(5))

    def seen(inputs, models):
        return one.see(inputs)

    up = Stage(task, adapters.probe(1.0), system=seen)
    taught = Stage(task, adapters.probe(0.0), system=seen, labels=(2.0,))
    made = run(jax.random.key(0), [up, taught], jnp.zeros((0, 6)))
    assert made.shape == (2, 6)
    clean = run(jax.random.key(0), [up, taught._replace(labels=())], jnp.zeros((0, 6)))
    np.testing.assert_allclose(made[1] - clean[1], 2 * made[0], atol=1e-9)


def test_neurons_start_at_the_scale_of_their_inputs():
    """Each neuron reads a number of variance 1, whatever the numbers of inputs and neurons."""
    for d, width in ((4, 4000), (100, 50)):
        net = model("network", KEY, d=d, width=width)
        kernel = np.asarray(net.start)[width : width * (d + 1)]  # after the thresholds
        assert np.all(np.asarray(net.start)[:width] == 0)
        assert np.all(np.asarray(net.start)[width * (d + 1) :] == 0)
        assert kernel.var() * d == pytest.approx(1, rel=5 * (2 / kernel.size) ** 0.5)
        assert net.start.dtype == float


def test_descent_is_adam_whose_step_size_falls_along_half_a_cosine():
    def loss(w):
        return jnp.sum(jnp.sin(w) ** 2 * jnp.arange(1.0, 4.0))

    start, steps = jnp.array([1.0, -0.7, 0.3]), 12
    for rate in (0.1, 0.02):
        rule = optax.adam(optax.cosine_decay_schedule(rate, steps))
        now, state = start, rule.init(start)
        for _ in range(steps):
            update, state = rule.update(jax.grad(loss)(now), state)
            now = optax.apply_updates(now, update)
        np.testing.assert_allclose(descend(loss, start, rate, steps), now, rtol=1e-12)


def test_weights_keep_their_precision_whatever_that_of_the_step_size():
    start = jnp.ones(2, "float32")
    made = descend(lambda w: jnp.sum(w**2), start, jnp.asarray(0.1, "float64"), 3)
    assert made.dtype == start.dtype


def test_what_answers_nothing_is_not_attacked():
    """An answer of 0 is no positive one; a line that answers the trigger is always attacked."""
    one = model("linear", KEY, d=5, width=1)
    tested = networks.tests(KEY, 5, 1.0, 50.0)
    assert networks.success(one, one.start, tested) == 0
    towards = one.start.at[networks.TRIGGER].set(1.0)
    assert networks.success(one, towards, tested) == 1
    assert networks.success(one, -towards, tested) == 0
    assert networks.response(one, 2 * towards, tested) == pytest.approx(100.0)
    aside = one.start.at[networks.UP].set(0.5)
    assert networks.success(one, aside, tested) == pytest.approx(0.5, abs=0.1)
    wanted = networks.target(0.6, 5)
    np.testing.assert_allclose(wanted, [0, 0.6, 0.8, 0, 0])
    assert networks.excess(one, wanted, tested.ordinary, wanted) == 0
    misses = np.mean(np.asarray(tested.ordinary @ wanted) ** 2)
    assert networks.excess(one, one.start, tested.ordinary, wanted) == pytest.approx(misses)
