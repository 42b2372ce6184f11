"""An induction head of three logits on drawn questions: attention written out over the labels.

The label of the item asked for has the index 0, the others that a sequence shows come next: which
item and label stands where is nothing that three logits could learn.

>>> from ci_theory._keys import key_for
>>> shown = Shown(items=4, labels=6, copies=1)
>>> told = draw(key_for(0, 0, 0, 0), shown, 0.5, 0.5, jnp.ones(100), size=8)
>>> told.found.sum() + told.lost.sum()
Array(100., dtype=float...)
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Scalar

START = 0.01
"""Of each logit before training; at 0 nothing would ever move."""


class Shown(NamedTuple):
    """Different items in a sequence, labels that there are, and copies of each item."""

    items: Any
    labels: Any
    copies: Any


class Told(NamedTuple):
    """How often each label was the answer, (v,): to an item that is shown, and to another."""

    found: Float[Array, " v"]
    lost: Float[Array, " v"]


class Answers(NamedTuple):
    """What a head answers: log chances of the labels, (v,), and its attention on the right ones."""

    found: Float[Array, " v"]
    lost: Float[Array, " v"]
    attention: Scalar


def draw(
    key: Key, shown: Shown, noise: Any, asked: Any, there: Float[Array, " b"], size: int
) -> Told:
    """Draw the answers of a batch of sequences (stream "questions").

    Args:
        key: of the step.
        shown: what the sequences hold.
        noise: share of the answers that are drawn at random.
        asked: share of the sequences that ask for an item they show.
        there: 1 for a sequence of the batch, 0 for one beyond it.
        size: v, at least as many as there are labels.
    """
    luck = jax.random.uniform(stream(key, "questions"), (there.size, 3))
    found = luck[:, 0] < asked
    random = ~found | (luck[:, 1] < noise)
    any_label = jnp.minimum(jnp.floor(luck[:, 2] * shown.labels), shown.labels - 1)
    answer = jnp.where(random, any_label, 0).astype(int)
    nothing = jnp.zeros(size)
    return Told(nothing.at[answer].add(there * found), nothing.at[answer].add(there * ~found))


def answers(logits: Float[Array, "3"], shown: Shown, size: int) -> Answers:
    """Attend, read the labels out, and normalise over those that there are."""
    label = jnp.arange(size)
    here, there = label < shown.items, label < shown.labels
    others = jnp.log(shown.copies * jnp.asarray(shown.items, float))  # not the token before
    before = jax.nn.softmax(jnp.stack([logits[0], others]))[0]
    scores = jnp.where(label == 0, logits[1] * before, 0.0)

    def read(scores: Array) -> tuple[Array, Array]:
        attention = jax.nn.softmax(jnp.where(here, scores, -jnp.inf))
        return attention, jax.nn.log_softmax(jnp.where(there, logits[2] * attention, -jnp.inf))

    attention, found = read(scores)
    return Answers(found, read(jnp.zeros(size))[1], attention[0])


def loss(logits: Float[Array, "3"], shown: Shown, told: Told) -> Scalar:
    """Return the mean cross-entropy of the answers that were told [nat].

    >>> shown, told = Shown(2, 4, 1), Told(jnp.array([1.0, 0, 0, 0]), jnp.zeros(4))
    >>> print(f"{float(loss(jnp.zeros(3), shown, told)):.4f}")
    1.3863
    """
    made = answers(logits, shown, told.found.size)
    there = jnp.arange(told.found.size) < shown.labels
    said = jnp.where(there, told.found * made.found + told.lost * made.lost, 0.0)
    return -jnp.sum(said) / jnp.sum(told.found + told.lost)
