"""Repetition: part of a budget of rows is spent on copies of the same few rows.

A copied row is a row of weight c: literal copies and weights give the same estimator.

>>> fresh, repeated, _ = counts(1000.0, 0.3, jnp.array(10.0))
>>> float(fresh), float(repeated)
(700.0, 30.0)
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from ci_theory._record import record, traced
from ci_theory._types import Array, Float, Scalar, Value
from ci_theory.biases.whole import whole, whole_below


class Counts(NamedTuple):
    """Distinct rows of a repeated design.

    Attributes:
        fresh: rows seen once.
        repeated: distinct rows seen ``repeats`` times.
        repeats: copies of each repeated row.
    """

    fresh: Scalar
    repeated: Scalar
    repeats: Scalar


def counts(budget: Value, fraction: Value, repeats: Scalar) -> Counts:
    """Split a budget of rows: about ``fraction`` of it goes to rows repeated ``repeats`` times.

    The number of distinct repeated rows is rounded to a whole number, at least one if the
    fraction is positive, and the fresh rows take what remains of the budget, so the total is the
    budget exactly.
    """
    most = whole_below(budget / repeats)
    about = whole(fraction * budget / repeats)
    repeated = jnp.where(fraction > 0, jnp.clip(about, jnp.minimum(1.0, most), most), 0.0)
    return Counts(budget - repeated * repeats, repeated, repeats)


def weights(counts: Counts, capacity: int) -> Float[Array, " capacity"]:
    """Weight of each of ``capacity`` rows: repeated rows first, then fresh ones, then zeros."""
    row = jnp.arange(capacity)
    seen = row < counts.repeated + counts.fresh
    return jnp.where(row < counts.repeated, counts.repeats, 1.0) * seen


@record
class Repetition:
    """The axes of repetition: parameters that are made of it may repeat part of their rows."""

    ROWS: ClassVar[str] = "n"
    """The field that counts the rows, copies included."""

    OFF: ClassVar[Mapping[str, Any]] = {"repeated_fraction": 0.0}
    IDLE: ClassVar[tuple[str, ...]] = ("repeats",)
    """Where nothing is repeated, and what then does not matter."""

    repeated_fraction: float = traced(
        0.0, low=0, high=1, unit="", doc="share of the rows spent on repeated ones"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times that each repeated row appears")

    def split(self) -> Counts:
        """Return the distinct rows."""
        given = getattr(self, self.ROWS), self.repeated_fraction, self.repeats
        return counts(*(jnp.asarray(v, float) for v in given))

    def distinct(self) -> Scalar:
        """Return how many distinct rows there are."""
        split = self.split()
        return split.fresh + split.repeated

    def copied(self) -> float:
        """Return the share of the rows that is copies of others, before any rounding."""
        return float(self.repeated_fraction * (1 - 1 / self.repeats))

    def problem(self) -> str | None:
        """Say in a line what is wrong, if anything is."""
        rows = getattr(self, self.ROWS)
        if self.repeated_fraction > 0 and self.repeats > rows:
            return f"repeats = {self.repeats}: one row cannot fill more than the {rows} rows"
        return None


def seen_once(params: Repetition) -> Any:
    """Say whether no row is repeated; the values may be traced."""
    return (params.repeats == 1) | (params.repeated_fraction == 0)
