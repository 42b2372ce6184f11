"""A decoder trained on prompts, endless ones or a few again and again, and tested anywhere.

Pre-training is by AdamW that comes to rest (``training.annealing``), as one pure function of a key.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Scalar, Value
from ci_theory.systems import sequence_decoder
from ci_theory.systems.sequence_decoder import Shape
from ci_theory.tasks import prompts, written_prompts
from ci_theory.tasks.written_prompts import Sequences
from ci_theory.training import annealing, optimiser, prompt_decoder

Drawing = Callable[[Key, int], Sequences]


class Schedule(NamedTuple):
    """How long a network is trained: ``stairs`` step sizes from ``rate`` down, ``each`` so long."""

    rate: float
    stairs: int
    each: int


class Fixed(NamedTuple):
    """Prompts that are trained on again and again, with noisy labels of their queries.

    Attributes:
        tokens: written out.
        labels: of the queries.
        counts: copies of each.
    """

    tokens: Float[Array, "n t e"]
    labels: Float[Array, " n"]
    counts: Float[Array, " n"]


def endless_tasks(
    tasks: Float[Array, "d d"], inputs: Float[Array, "d d"], length: int, noise: Value
) -> Drawing:
    """Return what draws prompts of ever new tasks: roots of the covariances of tasks and inputs."""

    def draw(key: Key, n: int) -> Sequences:
        w = jax.random.normal(stream(key, "tasks"), (n, len(tasks))) @ tasks.T
        return written_prompts.draw(key, w, inputs, length, noise)

    return draw


def few_tasks(
    w: Float[Array, "k d"], inputs: Float[Array, "d d"], length: int, noise: Value
) -> Drawing:
    """Return what draws prompts of given tasks, in turn."""

    def draw(key: Key, n: int) -> Sequences:
        mine = w[prompts.in_turn(n, jnp.asarray(len(w)))]
        return written_prompts.draw(key, mine, inputs, length, noise)

    return draw


def taught_endlessly(
    key: Key, shape: Shape, draw: Drawing, many: int, schedule: Schedule
) -> sequence_decoder.Weights:
    """Train on prompts that are new at every step (streams "weights" and "prompts").

    Args:
        key: of the run.
        shape: of the network.
        draw: of a key and a number, so many prompts; labels without noise, which changes no mean.
        many: prompts a step, each with its mirror image.
        schedule: of the step sizes.
    """
    own = stream(key, "prompts")

    def loss(weights: Any, seen: Sequences) -> Scalar:
        total = prompt_decoder.loss(weights, shape, seen.tokens, seen.answer, jnp.ones(many))
        return total / many

    def fresh(step: Value) -> Sequences:
        return draw(jax.random.fold_in(own, step), many)

    return _trained(key, shape, loss, schedule, fresh)


def taught_again(
    key: Key, shape: Shape, seen: Fixed, ridge: Value, schedule: Schedule
) -> sequence_decoder.Weights:
    """Train on the same prompts at every step (stream "weights").

    Args:
        key: of the run.
        shape: of the network.
        seen: the prompts.
        ridge: on |G|^2, of one layer of linear attention (``prompt_decoder.learned``); 0 otherwise.
        schedule: of the step sizes.
    """
    length = seen.tokens.shape[1] - 1

    def loss(weights: Any) -> Scalar:
        total = prompt_decoder.loss(weights, shape, *seen)
        if shape.bilinear:
            learned = prompt_decoder.learned(weights, shape, length)
            total = total + ridge * jnp.sum(learned**2)
        return total / jnp.sum(seen.counts)

    return _trained(key, shape, loss, schedule, None)


def apart(
    weights: Any, shape: Shape, seen: Sequences, matrix: Float[Array, "d d"]
) -> tuple[Scalar, Scalar]:
    """Return mean squared errors on clean answers: the network's less those of x'Gh, and its own.

    The difference is known better than either, as both answer the same prompts.

    Args:
        weights: of the network.
        shape: of the network.
        seen: prompts of the test; mirror images are tested too.
        matrix: G.
    """
    odd, even = prompt_decoder.both_ways(weights, shape, seen.tokens)
    own = (seen.answer - odd) ** 2 + even**2
    x, h = written_prompts.summary(seen.tokens)
    other = (seen.answer - jnp.sum((x @ matrix) * h, axis=1)) ** 2
    return jnp.mean(own - other), jnp.mean(own)


def _trained(
    key: Key,
    shape: Shape,
    loss: Callable[..., Scalar],
    schedule: Schedule,
    draw: Callable[[Scalar], Any] | None,
) -> sequence_decoder.Weights:
    rule, steps = optimiser.AdamW(rate=schedule.rate), schedule.stairs * schedule.each
    course = optimiser.Course(loss, rule, jnp.array([steps]), lambda weights: jnp.zeros(()), draw)
    start = sequence_decoder.init(key, shape)
    return annealing.anneal(course, start, stairs=schedule.stairs, each=schedule.each).weights
