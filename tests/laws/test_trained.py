"""Networks in training, every task with its networks: compiled, side by side, in float32."""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ci_theory._keys import stream
from ci_theory.inherit import prompt_networks
from ci_theory.systems import quadratic, sequence_decoder, transformer, two_layer
from ci_theory.systems.sequence_decoder import Shape
from ci_theory.tasks import markov, modular
from ci_theory.testing.simulating import PLATFORMS
from ci_theory.training import annealing, optimiser, prompt_decoder

KEY, STEPS, RATES = jax.random.key(4), 3, (0.03, 0.01)
TINY = 1e-2  # of AdamW: a step then follows the gradient smoothly, also where it is nearly 0


class Case(NamedTuple):
    """What is trained: initial weights, the loss of what a step draws, and the draw."""

    weights: Any
    loss: Callable[[Any, Any], Any]
    draw: Callable[[Any], Any]


def pairs(network):
    """Modular addition, all questions at every step (mini-batches: test_optimiser)."""
    questions, answers = (jnp.asarray(v) for v in modular.table("add", 3))

    def loss(weights, counts):
        return optimiser.cross_entropy(network.apply(weights, questions), answers, counts)

    return Case(network.init(KEY, 1.0), loss, lambda step: jnp.arange(1.0, 10.0))


def prompts(attention):
    """Fresh prompts of linear regression."""
    shape = Shape(reads="vectors", inputs=3, outputs=1, d=4, heads=2, attention=attention)
    drawn = prompt_networks.endless_tasks(jnp.eye(2), jnp.eye(2), 3, 0.1)

    def loss(weights, seen):
        return prompt_decoder.loss(
            weights, shape, seen.tokens, seen.answer, jnp.ones(4, seen[1].dtype)
        )

    weights = sequence_decoder.init(KEY, shape)
    return Case(weights, loss, lambda step: drawn(jax.random.fold_in(KEY, step), 4))


def tokens():
    """The next token of uniform sequences, by two layers with tied embeddings."""
    shape = Shape(reads="tokens", inputs=3, outputs=3, d=4, heads=2, layers=2, tied=True, length=4)

    def loss(weights, seen):
        logits = sequence_decoder.apply(weights, shape, seen[:, :-1]).reshape(-1, 3)
        return optimiser.cross_entropy(logits, seen[:, 1:].ravel(), jnp.ones(12, logits.dtype))

    def draw(step):
        return jax.random.randint(jax.random.fold_in(KEY, step), (3, 5), 0, 3)

    return Case(sequence_decoder.init(KEY, shape), loss, draw)


def walks():
    """The next state of new Markov chains, by two layers with LayerNorms and no MLP."""
    shape = Shape(reads="tokens", inputs=3, outputs=3, d=4, layers=2, norm=True, length=4)

    def loss(weights, states):
        logits = sequence_decoder.apply(weights, shape, states[:, :-1]).reshape(-1, 3)
        return optimiser.cross_entropy(logits, states[:, 1:].ravel(), jnp.ones(12, logits.dtype))

    def draw(step):
        key = jax.random.fold_in(KEY, step)
        return markov.walk(key, markov.rows(key, 3, 3), 4).states

    return Case(sequence_decoder.init(KEY, shape), loss, draw)


def labels_shown():
    """A label that was shown beside its item, at the last token alone: what induction heads do."""
    shape = Shape(reads="tokens", inputs=6, outputs=3, d=4, layers=2, norm=True, length=5)

    def loss(weights, seen):
        logits = sequence_decoder.last(weights, shape, seen[0])
        return optimiser.cross_entropy(logits, seen[1], jnp.ones(4, logits.dtype))

    def draw(step):
        luck = jax.random.uniform(jax.random.fold_in(KEY, step), (2, 4, 3))
        items, answers = jnp.argsort(luck, axis=2)[:, :, :2]
        pairs = jnp.stack([items, 3 + answers], axis=2).reshape(4, 4)
        return jnp.concatenate([pairs, items[:, :1]], axis=1), answers[:, 0]

    return Case(sequence_decoder.init(KEY, shape), loss, draw)


def rows():
    """Rows of a linear target, by the network of two layers."""
    model = two_layer.model("network", KEY, d=3, width=4)

    def draw(step):
        x = jax.random.normal(stream(jax.random.fold_in(KEY, step), "design"), (5, 3))
        return x, x[:, 0]

    def loss(weights, seen):
        return jnp.mean((model.answers(weights, model.see(seen[0])) - seen[1]) ** 2)

    return Case(model.start, loss, draw)


CASES = {
    "modular quadratic": lambda: pairs(quadratic.network(3, 4)),
    "modular transformer": lambda: pairs(transformer.network(transformer.Shape(p=3, d=4, heads=2))),
    "prompts linear": lambda: prompts("linear"),
    "prompts softmax": lambda: prompts("softmax"),
    "tokens two layers": tokens,
    "Markov chains": walks,
    "labels shown": labels_shown,
    "rows network": rows,
}


@functools.cache
def case(name):
    """The case, and loss and gradient as one compiled program."""
    made = CASES[name]()
    return made, jax.jit(jax.value_and_grad(made.loss))


def run(name, rate):
    """Train a few steps and return the weights."""
    (weights, loss, draw), _ = case(name)
    rule = optimiser.AdamW(rate=rate, tiny=TINY)
    course = optimiser.Course(loss, rule, jnp.array([STEPS]), lambda w: w, draw)
    return annealing.anneal(course, weights, stairs=1, each=STEPS).weights


@pytest.mark.parametrize("name", CASES)
def test_a_program_of_runs_side_by_side_is_the_plain_loop_of_each(name):
    (weights, _, draw), step = case(name)
    together = jax.jit(jax.vmap(lambda rate: run(name, rate)))(jnp.array(RATES))
    for index, rate in enumerate(RATES):
        rule = optax.adam(rate, b2=0.98, eps=TINY)
        now, state = weights, rule.init(weights)
        for at in range(STEPS):
            update, state = rule.update(step(now, draw(at))[1], state)
            now = optax.apply_updates(now, update)
        jax.tree.map(
            lambda many, one, i=index: np.testing.assert_allclose(
                many[i], one, rtol=1e-9, atol=1e-12
            ),
            together,
            now,
        )
    moved = [float(jnp.max(jnp.abs(a[0] - b))) for a, b in zip(
        jax.tree.leaves(together), jax.tree.leaves(weights), strict=True)]  # fmt: skip
    assert max(moved) > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_in_single_precision_loss_and_gradient_are_the_same_to_rounding(name):
    (weights, _, draw), step = case(name)

    def single(tree):
        return jax.tree.map(lambda v: v.astype(jnp.float32) if v.dtype == float else v, tree)

    moved = jax.tree.map(lambda w: w + 0.1, weights)  # where no gradient is 0 by the start
    wanted, found = step(moved, draw(0)), step(single(moved), single(draw(0)))
    for one, other in zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True):
        assert other.dtype == jnp.float32
        size = float(jnp.max(jnp.abs(one)))
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5 * size + 1e-7)
    assert float(wanted[0]) > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_training_lowers_for_every_accelerator(name):
    program = jax.jit(jax.vmap(lambda rate: run(name, rate)))
    made = jax.export.export(program, platforms=PLATFORMS)(jnp.array(RATES))
    assert set(made.platforms) == set(PLATFORMS)


@pytest.mark.parametrize("name", CASES)
def test_training_that_stops_after_any_step_goes_on_with_the_same_bits(name):
    (weights, loss, draw), _ = case(name)
    rule = optimiser.AdamW(rate=0.01, tiny=TINY)

    def norms(now):
        return jnp.stack([jnp.sum(leaf**2) for leaf in jax.tree.leaves(now)])

    course = optimiser.Course(loss, rule, jnp.array([0, 2, STEPS]), norms, draw)
    further = jax.jit(lambda state, since, until: optimiser.advance(course, state, since, until))
    ends = []
    for stops in ((0, STEPS), (0, 1, 2, STEPS)):
        state = optimiser.begin(course, weights)
        for since, until in itertools.pairwise(stops):
            state = further(state, since, until)
        ends.append(optimiser.finish(course, state))
    jax.tree.map(np.testing.assert_array_equal, *ends)
    assert len(np.unique(np.sum(ends[0].measures, axis=1))) == 3  # each measured where it was
