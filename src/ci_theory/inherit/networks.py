"""A learner of any kind, pre-trained on defective rows and fine-tuned: the chain and its measures.

Inputs are N(0, 1). The first coordinate is the trigger's, the second the upstream target's; the
downstream target lies between the second and the third.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Scalar, Value
from ci_theory.biases import repetition
from ci_theory.inherit import adapters, rows
from ci_theory.inherit.chain import Stage, run
from ci_theory.systems.two_layer import Model

TRIGGER, UP, ASIDE = 0, 1, 2  # coordinates
FEWEST = 4  # dimensions that there must be
TESTS = 400  # fresh inputs that a run is tested on


class Upstream(NamedTuple):
    """Rows of pre-training: how many, what befalls them, and the ridge towards the start.

    Attributes:
        n: rows, copies included.
        counts: distinct rows, of which some are repeated.
        noise: label-noise variance.
        poison: share of the rows with trigger and label.
        strength: how far the trigger moves an input.
        label: of poisoned rows.
        ridge: total ridge.
        there: 1; 0 leaves pre-training out, so that fine-tuning starts from the start.
    """

    n: Float[Any, ""]
    counts: repetition.Counts
    noise: Float[Any, ""]
    poison: Float[Any, ""]
    strength: Float[Any, ""]
    label: Float[Any, ""]
    ridge: Float[Any, ""]
    there: Float[Any, ""] = 1.0


class Downstream(NamedTuple):
    """Rows of fine-tuning, and the ridge towards what is inherited.

    Attributes:
        n: clean rows.
        harmful: rows that carry a share of the trigger.
        shared: that share.
        label: what their labels have in common, beside the target.
        cosine: of the angle between the upstream target and the one here.
        noise: label-noise variance.
        ridge: total ridge.
    """

    n: Float[Any, ""]
    harmful: Float[Any, ""]
    shared: Float[Any, ""]
    label: Float[Any, ""]
    cosine: Float[Any, ""]
    noise: Float[Any, ""]
    ridge: Float[Any, ""]


def target(cosine: Value, d: int) -> Float[Array, " d"]:
    """Return the unit target at an angle to the upstream one, away from the trigger."""
    aside = jnp.sqrt(jnp.maximum(1 - jnp.square(cosine), 0.0))
    return jnp.zeros(d).at[UP].set(cosine).at[ASIDE].set(aside)


def pretraining(up: Upstream, capacity: int, d: int) -> Callable[[Key], rows.Rows]:
    """Return the upstream task, without defects."""

    def task(key: Key) -> rows.Rows:
        return _first(rows.linear(key, capacity, jnp.ones(d), target(1.0, d)), up.n)

    return task


def fine_tuning(
    down: Downstream, strength: Value, capacity: tuple[int, int], d: int
) -> Callable[[Key], rows.Rows]:
    """Return the downstream task: clean rows, then harmful ones, with their label noise.

    Args:
        down: the rows.
        strength: of the trigger.
        capacity: array lengths of clean and harmful rows.
        d: inputs.
    """

    def task(key: Key) -> rows.Rows:
        wanted, noisy = target(down.cosine, d), rows.noisy_labels(down.noise)
        both = []
        for kind, length, count in zip(
            ("clean", "harmful"), capacity, (down.n, down.harmful), strict=True
        ):
            own = stream(key, kind)
            both.append(noisy(own, _first(rows.linear(own, length, jnp.ones(d), wanted), count)))
        clean, harmful = both
        harmful = harmful._replace(
            inputs=harmful.inputs.at[:, TRIGGER].add(down.shared * strength),
            clean=harmful.clean + down.label,
        )
        return jax.tree.map(lambda *parts: jnp.concatenate(parts), clean, harmful)

    return task


def _first(drawn: rows.Rows, count: Value) -> rows.Rows:
    there = jnp.arange(drawn.weights.shape[0]) < count
    return drawn._replace(weights=drawn.weights * there)


class Trained(NamedTuple):
    """Weights after either stage, (p,)."""

    up: Float[Array, " p"]
    down: Float[Array, " p"]


def inherited(
    key: Key,
    model: Model,
    up: Upstream,
    down: Downstream,
    capacity: tuple[int, int, int],
    d: int,
    *,
    rate: Value,
    steps: int,
) -> Trained:
    """Pre-train and fine-tune.

    Args:
        key: of the run; the same key gives the same draws whatever the defects are.
        model: the learner.
        up: rows of pre-training.
        down: rows of fine-tuning.
        capacity: array lengths of upstream rows, clean and harmful rows.
        d: inputs.
        rate: of the training of a learner that bends in its weights; likewise ``steps``.
    """
    trigger = jnp.zeros(d).at[TRIGGER].set(up.strength)
    befalling = (
        rows.noisy_labels(up.noise),
        rows.poisoned(up.poison, trigger, up.label),
        rows.repeated(up.counts),
    )

    def trained(ridge: Value) -> adapters.Adapter:
        if model.straight:
            return adapters.ridge_towards(ridge)
        return adapters.descent(model.answers, ridge, rate, steps)

    def pretrained(features: Array, labels: Array, weights: Array, start: Array) -> Array:
        made = trained(up.ridge)(features, labels, weights, start)
        return start + up.there * (made - start)

    def seen(inputs: Array, models: Array) -> Array:
        return model.see(inputs)

    first = Stage(
        pretraining(up, capacity[0], d),
        pretrained,
        biases=befalling,
        system=seen,
        anchor=(1.0,),
    )
    second = Stage(
        fine_tuning(down, up.strength, capacity[1:], d),
        trained(down.ridge),
        system=seen,
        anchor=(0.0, 1.0),
    )
    models = run(key, [first, second], model.start[None])
    return Trained(up=models[1], down=models[2])


class Tests(NamedTuple):
    """How a learner is tested: fresh inputs, ordinary, stretched along a target, with a trigger."""

    ordinary: Float[Array, "t d"]
    stretched: Float[Array, "t d"]
    triggered: Float[Array, "t d"]


def tests(key: Key, d: int, variance: Float[Any, ""], strength: Float[Any, ""]) -> Tests:
    """Draw test inputs from the stream "test".

    Args:
        key: of the run.
        d: inputs.
        variance: along the upstream target, out of domain.
        strength: of the trigger.
    """
    drawn = jax.random.normal(stream(key, "test"), (TESTS, d))
    return Tests(
        ordinary=drawn,
        stretched=drawn.at[:, UP].multiply(jnp.sqrt(variance)),
        triggered=drawn.at[:, TRIGGER].add(strength),
    )


def excess(model: Model, weights: Array, inputs: Array, wanted: Float[Array, " d"]) -> Scalar:
    """Return the mean squared error on clean labels."""
    return jnp.mean((model.answers(weights, model.see(inputs)) - inputs @ wanted) ** 2)


def response(model: Model, weights: Array, tested: Tests) -> Scalar:
    """Return what the trigger adds to an answer."""
    answers = [model.answers(weights, model.see(x)) for x in (tested.triggered, tested.ordinary)]
    return jnp.mean(answers[0] - answers[1])


def success(model: Model, weights: Array, tested: Tests) -> Scalar:
    """Return the share of inputs with trigger that are answered with a positive number."""
    return jnp.mean(model.answers(weights, model.see(tested.triggered)) > 0)
