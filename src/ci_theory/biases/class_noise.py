"""Class noise: a share of the training questions is taught a wrong answer.

>>> from ci_theory._keys import key_for
>>> there = jnp.array([True, True, False, True])
>>> taught = corrupted(key_for(0, 0, 0, 0), jnp.array([0, 1, 2, 3]), 4, there, 1.0)
>>> print(taught.wrong)
[ True  True False  True]
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import record, traced
from ci_theory._types import Array, Bool, Int, Key, Value
from ci_theory.biases.subset import subset


class Taught(NamedTuple):
    """What is taught.

    Attributes:
        labels: the answers taught, (P,).
        wrong: whether they are wrong, (P,).
    """

    labels: Int[Array, " P"]
    wrong: Bool[Array, " P"]


def corrupted(
    key: Key, labels: Int[Array, " P"], classes: int, there: Bool[Array, " P"], share: Value
) -> Taught:
    """Teach exactly round(share n) of the n questions that are there another class.

    The wrong class is uniform on the others and fixed for the whole training. One key gives
    nested choices: a larger share corrupts more questions and repairs none (streams "wrong" and
    "wrong class").

    Args:
        key: of the run.
        labels: true answers.
        classes: how many there are, >= 2.
        there: questions to train on.
        share: of them, in [0, 1]; may be traced.
    """
    wrong = subset(stream(key, "wrong"), there, share)
    shift = jax.random.randint(stream(key, "wrong class"), labels.shape, 1, classes)
    return Taught(jnp.where(wrong, (labels + shift) % classes, labels), wrong)


@record
class ClassNoise:
    """The axis of class noise: parameters that are made of it may be taught wrong answers."""

    corrupted: float = traced(
        0.0, low=0, high=1, unit="", doc="share of the training questions with a wrong answer"
    )

    def taught(
        self, key: Key, labels: Int[Array, " P"], classes: int, there: Bool[Array, " P"]
    ) -> Taught:
        """Teach that share of the questions that are there another class."""
        return corrupted(key, labels, classes, there, jnp.asarray(self.corrupted))
