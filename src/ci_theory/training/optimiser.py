"""Training by AdamW as one pure function, read off at given steps.

Everything is traced: the step size, the decay, and the steps at which to measure, so that one
program serves a whole sweep, and configurations run side by side under ``jax.vmap``. Training can
stop at any step and go on later, with the bits of one go.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ci_theory._record import record
from ci_theory._types import Array, Float, Int, Scalar, Value


@record
class AdamW:
    """Adam with weight decay apart from the gradient (Loshchilov, Hutter 2017, arXiv:1711.05101).

    Attributes:
        rate: step size.
        decay: weights shrink by rate times decay a step.
        warm_up: steps over which the step size grows linearly to ``rate``; 0 is none.
        first: decay rate of the mean of gradients.
        second: decay rate of the mean of squared gradients.
        tiny: added to the root of the latter.
    """

    rate: Scalar | float
    decay: Scalar | float = 0.0
    warm_up: Scalar | float = 0.0
    first: float = 0.9
    second: float = 0.98
    tiny: float = 1e-8


class Course(NamedTuple):
    """A course of training: what to minimise, how, and when to measure what.

    Attributes:
        loss: of the weights; or of the weights and what ``draw`` gives for a step.
        rule: the optimiser; its numbers may be traced.
        steps: at which to measure, in any order, (m,); 0 is the start. May be traced.
        measure: of the weights; any pytree.
        draw: of a step's index (from 0), what its loss sees besides the weights: a mini-batch
            (``training.batches``). None trains on the full batch.
    """

    loss: Callable[..., Scalar]
    rule: AdamW
    steps: Int[Array, " m"]
    measure: Callable[[Any], Any]
    draw: Callable[[Scalar], Any] | None = None


class State(NamedTuple):
    """Training somewhere on its course: all that is needed to go on with the same bits.

    How many steps were taken is not part of it: that number is the same for configurations side
    by side, and loops must not ask each of them.

    Attributes:
        weights: any pytree.
        moments: of the optimiser.
        rows: what was measured so far, in ascending order of the steps; zeros where not yet.
    """

    weights: Any
    moments: Any
    rows: Any


class Trained(NamedTuple):
    """What training leaves behind.

    Attributes:
        weights: after the last step.
        measures: what was measured, a row for each of the steps asked for, in their order.
    """

    weights: Any
    measures: Any


def begin(course: Course, weights: Any) -> State:
    """Return the state before the first step: nothing is measured yet."""
    like = jax.eval_shape(course.measure, weights)
    count = len(course.steps)
    rows = jax.tree.map(lambda one: jnp.zeros((count, *one.shape), one.dtype), like)
    return State(weights, _adam(course.rule).init(weights), rows)


def advance(course: Course, state: State, since: Value, until: Value) -> State:
    """Train on from the step ``since`` at which a state is to the step ``until``.

    Measures at every step asked for from ``since`` to ``until``, both included; what is measured
    twice at a stop is measured on the same weights. ``since`` and ``until`` may be traced, so
    that one program makes every piece, and pieces give the bits of one go. Under ``jax.vmap``
    keep them and ``course.steps`` out of the batch: nothing that a loop asks for is then batched.
    """
    rule, adam = course.rule, _adam(course.rule)
    # A step that is never reached ends the list.
    stops = jnp.append(jnp.sort(course.steps), jnp.iinfo(course.steps.dtype).max)
    until = jnp.asarray(until, stops.dtype)

    def step(index: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        now, moments = carry
        seen = () if course.draw is None else (course.draw(index),)
        direction, moments = adam.update(jax.grad(course.loss)(now, *seen), moments)
        ramp = (index + 1) / jnp.maximum(rule.warm_up, 1.0)
        rate = rule.rate * jnp.minimum(ramp, 1.0)

        def moved(w: Array, d: Array) -> Array:
            one, decay = (jnp.asarray(v, w.dtype) for v in (rate, rule.decay))
            return w - one * (d + decay * w)

        return jax.tree.map(moved, now, direction), moments

    def more(carry: tuple[Array, Array, State]) -> Array:
        at, row, _ = carry
        return (at < until) | (stops[row] <= until)

    def segment(carry: tuple[Array, Array, State]) -> tuple[Array, Array, State]:
        at, row, now = carry
        stop = jnp.minimum(stops[row], until)
        weights, moments = jax.lax.fori_loop(at, stop, step, (now.weights, now.moments))
        reached = stop == stops[row]
        place = jnp.where(reached, row, len(course.steps))  # outside: not a step to measure at
        rows = jax.tree.map(
            lambda known, one: known.at[place].set(one, mode="drop"),
            now.rows,
            course.measure(weights),
        )
        return stop, row + reached, State(weights, moments, rows)

    at = jnp.asarray(since, stops.dtype)
    return jax.lax.while_loop(more, segment, (at, jnp.searchsorted(stops, at), state))[2]


def finish(course: Course, state: State) -> Trained:
    """Return the weights and the measures in the order of the steps as given."""
    back = jnp.argsort(jnp.argsort(course.steps))
    return Trained(state.weights, jax.tree.map(lambda row: row[back], state.rows))


def train(
    loss: Callable[..., Scalar],
    weights: Any,
    rule: AdamW,
    steps: Int[Array, " m"],
    measure: Callable[[Any], Any],
    draw: Callable[[Scalar], Any] | None = None,
) -> Trained:
    """Minimise a loss from given weights and measure the weights after given steps.

    In one go what ``begin``, ``advance`` and ``finish`` do in pieces; the arguments are those of
    a ``Course`` and the weights to start from, any pytree.
    """
    course = Course(loss, rule, steps, measure, draw)
    return finish(course, advance(course, begin(course, weights), 0, jnp.max(steps)))


def _adam(rule: AdamW) -> optax.GradientTransformation:
    return optax.scale_by_adam(b1=rule.first, b2=rule.second, eps=rule.tiny)


def cross_entropy(
    logits: Float[Array, "P q"], labels: Int[Array, " P"], weights: Float[Array, " P"]
) -> Scalar:
    """Mean cross-entropy over rows counted with their weights [nat]."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.sum(weights * losses) / jnp.sum(weights)


def squared_error(
    logits: Float[Array, "P q"], labels: Int[Array, " P"], weights: Float[Array, " P"]
) -> Scalar:
    """Squared distance from the one-hot answer, summed over classes, mean over rows by weight."""
    wanted = jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)
    losses = jnp.sum((logits - wanted) ** 2, axis=1)
    return jnp.sum(weights * losses) / jnp.sum(weights)
