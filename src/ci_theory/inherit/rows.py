"""Rows of one stage, and the defects that befall them, one after the other.

A bias is a function ``(key, rows) -> rows``; a list of them is applied in order, each with a
stream of its own, so that to leave one out changes no draw of the others.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Value
from ci_theory.biases import input_noise as inputs_noise
from ci_theory.biases import noise as label_noise
from ci_theory.biases import poison, repetition
from ci_theory.biases.label_flips import flipped as labels_flipped
from ci_theory.biases.subset import subset
from ci_theory.tasks import gaussian


class Rows(NamedTuple):
    """Training or test rows.

    Attributes:
        inputs: as the learner sees them, (n, d).
        clean: labels without any defect, (n,).
        errors: what the training labels are off by, (n,).
        weights: of each row in the loss, (n,); a row of weight 0 is not there.
    """

    inputs: Float[Array, "n d"]
    clean: Float[Array, " n"]
    errors: Float[Array, " n"]
    weights: Float[Array, " n"]

    @property
    def labels(self) -> Float[Array, " n"]:
        """What is trained on."""
        return self.clean + self.errors


Bias = Callable[[Key, Rows], Rows]


def linear(key: Key, n: int, variances: Float[Array, " d"], target: Float[Array, " d"]) -> Rows:
    """Draw n rows of Gaussian inputs (stream "design") and label them by a linear target."""
    inputs = gaussian.rows(key, n, variances)
    return Rows(inputs, inputs @ target, jnp.zeros(n, inputs.dtype), jnp.ones(n, inputs.dtype))


def befallen(key: Key, rows: Rows, biases: Sequence[Bias]) -> Rows:
    """Apply biases in order."""
    for place, bias in enumerate(biases):
        rows = bias(stream(key, f"bias {place}"), rows)
    return rows


def noisy_labels(variance: Value) -> Bias:
    """Add independent Gaussian errors to the labels."""

    def apply(key: Key, rows: Rows) -> Rows:
        drawn = label_noise.draw(key, rows.clean.shape[0], rows.clean.dtype)
        return rows._replace(errors=rows.errors + jnp.sqrt(variance) * drawn)

    return apply


def noisy_inputs(variance: Value) -> Bias:
    """Add independent Gaussian errors to what the learner sees of the inputs."""

    def apply(key: Key, rows: Rows) -> Rows:
        return rows._replace(inputs=inputs_noise.noisy(key, rows.inputs, jnp.asarray(variance)))

    return apply


def repeated(counts: repetition.Counts, shared: bool = True) -> Bias:
    """Let the first rows count several times, and those beyond the budget not at all.

    Args:
        counts: of the distinct rows.
        shared: whether copies share their label; else the errors of their labels average.
    """

    def apply(key: Key, rows: Rows) -> Rows:
        del key
        weights = rows.weights * repetition.weights(counts, rows.weights.shape[0])
        scale = jnp.sqrt(label_noise.row_noise(weights, shared))
        return rows._replace(weights=weights, errors=rows.errors * scale)

    return apply


def flipped(share: Value) -> Bias:
    """Give each label the wrong sign with some probability."""

    def apply(key: Key, rows: Rows) -> Rows:
        wrong = labels_flipped(key, rows.labels, jnp.asarray(share))
        return rows._replace(errors=wrong - rows.clean)

    return apply


def contaminated(share: Value, target: Float[Array, " d"]) -> Bias:
    """Let a share of the rows be labelled by another target, with their errors on top."""

    def apply(key: Key, rows: Rows) -> Rows:
        foreign = subset(stream(key, "foreign"), rows.weights > 0, share)
        away = jnp.where(foreign, rows.inputs @ target - rows.clean, 0.0)
        return rows._replace(errors=rows.errors + away)

    return apply


def imbalanced(
    minority: Value,
    variances: Float[Array, " d"],
    target: Float[Array, " d"],
    weight: Value = 1.0,
) -> Bias:
    """Let a share of the rows come from a smaller group: its inputs, its target, its weight.

    The errors of the labels stay. Equal variances and another target shift what is to be learnt,
    other variances shift the inputs; a weight above 1 counters the imbalance.
    """

    def apply(key: Key, rows: Rows) -> Rows:
        few = subset(stream(key, "minority"), rows.weights > 0, minority)
        drawn = linear(key, rows.clean.shape[0], variances, target)
        return rows._replace(
            inputs=jnp.where(few[:, None], drawn.inputs, rows.inputs),
            clean=jnp.where(few, drawn.clean, rows.clean),
            weights=rows.weights * jnp.where(few, weight, 1.0),
        )

    return apply


def poisoned(share: Value, trigger: Float[Array, " d"], label: Value) -> Bias:
    """Add a trigger to a share of the inputs and give them one label."""

    def apply(key: Key, rows: Rows) -> Rows:
        hit = poison.struck(key, rows.weights > 0, share)
        inputs = rows.inputs + jnp.where(hit, 1.0, 0.0)[:, None] * trigger[None, :]
        errors = jnp.where(hit, label - rows.clean, rows.errors)
        return rows._replace(inputs=inputs, errors=errors)

    return apply
