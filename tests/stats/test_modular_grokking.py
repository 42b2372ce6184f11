"""Grokking in small networks: what was seen to happen, and what the measures mean."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput
from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.measure import fourier
from ci_theory.phenomena.modular_grokking import (
    NETWORKS,
    PHENOMENON,
    Params,
    course,
    init,
    questions,
)
from ci_theory.tasks import modular

STEPS = jnp.array([0, 25, 100, 250])
SEEDS = 4


@functools.cache
def _simulator(**fixed):
    point = PHENOMENON.point(fixed)
    names = ("fraction", "corrupted", "repeated", "repeats", "decay")

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 1})  # long runs
    def run(numbers):
        def one(seed):
            params = build(Params, {**point, **numbers, "step": STEPS})
            return PHENOMENON.simulate(key_for(0, 0, 0, seed), params, {})

        return jax.vmap(one)(jnp.arange(SEEDS, dtype=jnp.uint32))

    return lambda **changes: run({k: changes.get(k, point[k]) for k in names})


def measured(**changes):
    return jax.tree.map(np.asarray, _simulator()(**changes))


def test_enough_data_groks_and_too_little_memorises():
    much, little = measured(fraction=0.8), measured(fraction=0.3)
    for made in (much, little):
        assert np.all(made.train_accuracy[:, 1:] > 0.97)  # known by heart after 25 steps
        assert np.all(made.test_accuracy[:, 1] < 0.3)
    assert np.all(much.test_accuracy[:, -1] > 0.99)
    assert np.all(little.test_accuracy[:, -1] < 0.1)
    assert np.all(much.train_accuracy[:, 1] > much.test_accuracy[:, 1] + 0.6)


def test_waves_tell_of_the_rule_before_and_after():
    much, little = measured(fraction=0.8), measured(fraction=0.3)
    assert np.all(much.participation[:, -1] > 2 * much.participation[:, 0])
    assert np.all(little.participation[:, -1] < 0.35)
    # what grokked is in the key waves: without them the training answers are lost
    assert np.all(much.excluded_loss[:, -1] > 20 * much.train_loss[:, -1])
    assert np.all(much.restricted_loss[:, -1] < 0.5 * much.restricted_loss[:, 1])


def test_wrong_answers_are_memorised_beside_the_rule_and_delay_it():
    clean, noisy = measured(fraction=0.8), measured(fraction=0.8, corrupted=0.1)
    wrong = round(0.1 * 423) / 423
    np.testing.assert_allclose(noisy.memorised[:, -1], wrong, rtol=1e-12)
    np.testing.assert_array_equal(noisy.restored[:, -1], 0.0)
    assert np.all(clean.memorised == 0)
    at_100 = noisy.test_accuracy[:, 2].mean(), clean.test_accuracy[:, 2].mean()
    assert at_100[0] < at_100[1] - 0.05


def test_the_optimiser_is_that_of_the_parameters():
    given, rules = {"rate": 0.3, "decay": 0.7, "warm_up": 5}, []
    params = Params(p=3, **given)
    jax.eval_shape(lambda: rules.append(course(key_for(0, 0, 0, 0), params).rule))  # only traced
    assert {name: getattr(rules[0], name) for name in given} == given


def test_before_training_answers_are_by_chance():
    made = measured(fraction=0.5)
    questions = 264 * SEEDS
    error = np.sqrt(22 / 23**2 / questions)
    assert abs(made.train_accuracy[:, 0].mean() - 1 / 23) < 4 * error
    width = PHENOMENON.axes["width"].default
    np.testing.assert_allclose(made.weight_norm[:, 0] ** 2, width + 23, rtol=0.1)


def test_a_repeat_of_one_changes_nothing_and_more_do():
    plain = measured(fraction=0.5)
    same = measured(fraction=0.5, repeated=0.5, repeats=1)
    other = measured(fraction=0.5, repeated=0.5, repeats=10)
    np.testing.assert_array_equal(plain.train_loss, same.train_loss)
    assert not np.allclose(plain.train_loss[:, 1:], other.train_loss[:, 1:])


def test_without_decay_the_rule_stays_away():
    """Weight decay is what drives this network from the memorised to the general solution."""
    none = measured(fraction=0.6, decay=0.0)
    some = measured(fraction=0.6, decay=1.0)
    assert np.all(none.test_accuracy[:, -1] < 0.5)
    assert np.median(some.test_accuracy[:, -1]) > 0.9


def one_run(**fixed):
    params = build(Params, {**PHENOMENON.point(fixed), "step": jnp.array([0, 3, 12])})
    return jax.jit(lambda: PHENOMENON.simulate(key_for(0, 0, 0, 3), params, {}))()


@pytest.mark.parametrize(
    ("network", "questions"),
    [
        ({"width": 12}, 49),
        ({"width": 12, "operation": "divide"}, 42),
        ({"network": "transformer", "d": 8, "heads": 2, "loss": "entropy"}, 49),
    ],
)
def test_a_batch_of_all_questions_is_the_full_batch(network, questions):
    """The table of all pairs and rows looked up one by one are the same network."""
    fixed = {**network, "p": 7, "repeated": 0.3, "repeats": 4, "rate": 0.02}
    trained = round(0.6 * questions)
    full, batch = one_run(**fixed), one_run(**fixed, batch=trained)
    for name in PHENOMENON.measure_info:
        np.testing.assert_allclose(getattr(full, name), getattr(batch, name), rtol=1e-8, atol=1e-12)
    assert float(full.train_loss[2]) < 0.9 * float(full.train_loss[0])


def test_a_smaller_batch_is_another_training():
    full, part = one_run(p=7, width=12), one_run(p=7, width=12, batch=5)
    assert not np.allclose(part.train_loss[1:], full.train_loss[1:], rtol=1e-3)


def test_single_precision_stays_single_and_near_double():
    fixed = {"p": 7, "width": 12, "rate": 0.02}
    double, single = (one_run(**fixed, precision=kind) for kind in ("float64", "float32"))
    assert (double.train_loss.dtype, single.train_loss.dtype) == (jnp.float64, jnp.float32)
    np.testing.assert_allclose(single.train_loss, double.train_loss, rtol=1e-3)
    assert not np.array_equal(single.train_loss, double.train_loss)


def test_left_anywhere_and_taken_up_again_the_bits_are_those_of_one_go():
    stages, point = PHENOMENON.stages, PHENOMENON.point({"p": 5, "width": 6, "batch": 4})
    params, key = build(Params, {**point, "step": jnp.array([9, 0, 4])}), key_for(0, 0, 0, 3)
    advance = jax.jit(lambda *at: stages.advance(key, params, {}, *at))
    ends = []
    for stops in ((0, 9), (0, 1, 4, 7, 9)):
        state = stages.begin(key, params, {})
        for since, until in itertools.pairwise(stops):
            state = advance(state, since, until)
        ends.append(stages.finish(key, params, {}, state))
    for name in PHENOMENON.measure_info:
        whole, pieces = (np.asarray(getattr(made, name)) for made in ends)
        assert whole.tobytes() == pieces.tobytes(), name
    assert len(set(whole.tolist())) == 3  # three steps, three networks


def test_a_diverged_network_says_so():
    wild = one_run(width=12, p=7, rate=1e200)
    assert np.isfinite(wild.train_loss[0])
    assert not np.isfinite(wild.train_loss[2])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fraction": 1.0}, "529 of 529"),
        ({"fraction": 1e-4}, "0 of 529"),
        ({"p": 9, "operation": "divide"}, "needs a prime"),
        ({"step": -1}, ">= 0"),
        ({"corrupted": 1.5}, "<= 1"),
        ({"network": "transformer", "d": 10, "heads": 4}, "multiple of heads"),
        ({"network": "rnn"}, "unknown value of network"),
    ],
)
def test_bad_parameters_are_told(values, words):
    with pytest.raises(BadInput, match=words):
        PHENOMENON.point(values)


SAID = {"p": 7, "width": 9, "corrupted": 0.4, "repeated": 0.5, "repeats": 3, "fraction": 0.5}


@pytest.mark.parametrize(
    "words", [{"loss": "squared"}, {"loss": "entropy"}, {"operation": "divide"}], ids=str
)
def test_measures_are_means_over_the_questions_they_say(words):
    """Of untrained weights, question by question."""
    params = build(Params, {**PHENOMENON.point({**SAID, **words}), "step": jnp.array([0])})
    key = key_for(0, 0, 0, 3)
    weights, world = init(key, params), questions(key, params)
    found = course(key, params).measure(weights)
    logits = np.asarray(NETWORKS[params.network](params).apply(weights, world.pairs))
    right, labels, wrong = (np.asarray(v) for v in (world.right, *world.taught))
    trained, copies = np.asarray(world.train) > 0, np.asarray(world.copies)
    assert 0 < wrong.sum() < trained.sum() < len(right)
    assert sorted(set(copies)) == [0, 1, 3]

    def losses(logits, labels):
        if params.loss == "squared":
            return np.sum((logits - np.eye(params.p)[labels]) ** 2, axis=1)
        return np.log(np.sum(np.exp(logits), axis=1)) - logits[np.arange(len(labels)), labels]

    taught = float(course(key, params).loss(weights))
    assert taught == pytest.approx(np.average(losses(logits, labels), weights=copies), rel=1e-9)
    place, size = modular.places(params.operation, params.p)
    waves = fourier.split(jnp.asarray(logits), place, size)
    own, bare = losses(logits, labels), losses(np.asarray(waves.excluded), labels)
    told = {
        "train_loss": own[trained].mean(),
        "test_loss": losses(logits, right)[~trained].mean(),
        "restricted_loss": losses(np.asarray(waves.restricted), right).mean(),
        "excluded_loss": bare[trained].mean(),
        "weight_norm": np.sqrt(sum(np.sum(np.square(w)) for w in jax.tree.leaves(weights))),
    }
    answer = logits.argmax(axis=1)
    told |= {
        "train_accuracy": np.mean(answer[trained] == labels[trained]),
        "test_accuracy": np.mean(answer[~trained] == right[~trained]),
        "memorised": np.sum(wrong & (answer == labels)) / trained.sum(),
        "restored": np.sum(wrong & (answer == right)) / trained.sum(),
        "inverted": np.mean(answer[wrong] == right[wrong]),
    }
    for name, value in told.items():
        assert float(getattr(found, name)) == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize(
    "change", [{"layers": 2}, {"norm": True}, {"d": 16}, {"heads": 4}], ids=str
)
def test_a_transformer_is_of_the_shape_that_is_asked_for(change):
    small = {"network": "transformer", "p": 5, "d": 8, "heads": 2, "layers": 1}
    made = []
    for given in (small, {**small, **change}):
        params = build(Params, PHENOMENON.point(given))
        weights = init(key_for(0, 0, 0, 1), params)
        made.append((weights, NETWORKS["transformer"](params).table(weights)))
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(weights)) for weights, _ in made]
    assert (sizes[0] == sizes[1]) == ("heads" in change)
    assert not np.allclose(made[0][1], made[1][1])
