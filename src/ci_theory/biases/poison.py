"""Poison: a trigger is added to a share of the training inputs, which all get one label.

>>> from ci_theory._keys import key_for
>>> bad = struck(key_for(0, 0, 0, 0), jnp.array([True, True, False, True]), 0.7)
>>> triggered(jnp.zeros((4, 2)), bad, 3.0).sum(axis=0)
Array([6., 0.], dtype=float...)
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, record, traced
from ci_theory._types import Array, Bool, Float, Key, Scalar, Value
from ci_theory.biases.subset import subset
from ci_theory.biases.whole import whole


def struck(key: Key, there: Bool[Array, " P"], share: Value) -> Bool[Array, " P"]:
    """Choose the rows that are poisoned, round(share n) of the n that are there."""
    return subset(stream(key, "poisoned"), there, share)


def triggered(
    x: Float[Array, "n p"], struck: Bool[Array, " n"], strength: Value
) -> Float[Array, "n p"]:
    """Add the trigger, along the first coordinate, to some rows."""
    return x.at[:, 0].add(jnp.where(struck, strength, 0.0).astype(x.dtype))


@record
class Poison:
    """The axes of poison: parameters that are made of it train on poisoned rows too."""

    ROWS: ClassVar[str] = "n"
    """The field that counts the rows."""

    OFF: ClassVar[Mapping[str, Any]] = {"poison": 0.0}
    IDLE: ClassVar[tuple[str, ...]] = ()

    poison: float = traced(
        0.1, low=0, high=1, unit="", doc="share of the rows with trigger and label, to whole rows"
    )
    strength: float = traced(3.0, above=0, unit="input", doc="how far the trigger moves an input")
    label: float = inner(2.0, above=0, unit="label", doc="label of every poisoned row")

    def poisoned(self) -> Scalar:
        """Return how many rows are poisoned: a whole number."""
        return whole(jnp.asarray(getattr(self, self.ROWS), float) * self.poison)
