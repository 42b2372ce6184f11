"""Oversampling: some of the distinct rows are seen several times; no other row is left out for it.

>>> fresh, repeated, _ = Oversampling(repeated=0.26, repeats=4).split(10)
>>> float(fresh), float(repeated)
(7.0, 3.0)
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import record, traced
from ci_theory._types import Array, Bool, Key, Value
from ci_theory.biases.repetition import Counts
from ci_theory.biases.subset import subset
from ci_theory.biases.whole import whole


@record
class Oversampling:
    """The axes of oversampling: of parameters made of it a share of the rows counts several times.

    Its ``repeats`` are of these rows: it does not go with ``Repetition``, whose field has the
    same name.
    """

    OFF: ClassVar[Mapping[str, Any]] = {"repeated": 0.0}
    IDLE: ClassVar[tuple[str, ...]] = ("repeats",)
    """Where no row is repeated, and what then does not matter."""

    repeated: float = traced(
        0.0, low=0, high=1, unit="", doc="share of the distinct rows that is repeated"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times that a repeated row counts")

    def split(self, rows: Value) -> Counts:
        """Return how many of the distinct rows are repeated: a whole number."""
        n = jnp.asarray(rows, float)
        repeated = whole(self.repeated * n)
        return Counts(n - repeated, repeated, jnp.asarray(self.repeats, float))

    def copies(self, key: Key, there: Bool[Array, " P"]) -> Array:
        """Choose which of the rows that are there repeat (stream "repeated"): copies, (P,)."""
        often = subset(stream(key, "repeated"), there, jnp.asarray(self.repeated))
        return jnp.where(often, self.repeats, 1) * there
