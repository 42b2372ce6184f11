"""Imbalance: one of two classes has fewer training rows than the other.

>>> majority, minority = sizes(10.0, 0.26)
>>> float(majority), float(minority)
(7.0, 3.0)
"""

from typing import ClassVar

import jax.numpy as jnp

from ci_theory._record import record, traced
from ci_theory._types import Scalar, Value
from ci_theory.biases.whole import whole


def sizes(rows: Value, minority: Value) -> tuple[Scalar, Scalar]:
    """Return the rows of the majority and of the minority: whole numbers, at least one each."""
    rows = jnp.asarray(rows, float)
    few = jnp.clip(whole(minority * rows), 1.0, rows - 1.0)
    return rows - few, few


@record
class Imbalance:
    """The axis of imbalance: parameters that are made of it have two classes of unequal size."""

    ROWS: ClassVar[str] = "n"
    """The field that counts the rows of both classes."""

    minority: float = traced(0.5, above=0, high=0.5, unit="", doc="share of the smaller class")

    def sizes(self) -> tuple[Scalar, Scalar]:
        """Return the rows of the majority and of the minority."""
        return sizes(getattr(self, self.ROWS), self.minority)
