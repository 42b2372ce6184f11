"""Contamination: training rows that stand in the test set as well, perhaps seen several times.

>>> rows = leak(jnp.array(10.0), 0.25, jnp.array(3.0))
>>> weights(rows, 12)
Array([3., 3., 1., 1., 1., 1., 1., 1., 1., 1., 0., 0.], dtype=float...)
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from ci_theory._record import inner, record, traced
from ci_theory._types import Array, Bool, Float, Scalar, Value
from ci_theory.biases.whole import whole


class Leak(NamedTuple):
    """Which training rows are in the test set.

    Attributes:
        rows: distinct training rows, n.
        leaked: how many of them leaked, a whole number.
        repeats: times that each leaked row is seen in training; the others are seen once.
    """

    rows: Scalar
    leaked: Scalar
    repeats: Scalar


def leak(rows: Scalar, share: Value, repeats: Scalar) -> Leak:
    """Let about ``share`` of the rows leak: a whole number, at least one."""
    leaked = jnp.clip(whole(share * rows), 1.0, rows)
    return Leak(rows, leaked, repeats)


def weights(leak: Leak, capacity: int) -> Float[Array, " capacity"]:
    """Weight of each of ``capacity`` rows in training: leaked rows first, absent rows last."""
    row = jnp.arange(capacity)
    return jnp.where(row < leak.leaked, leak.repeats, 1.0) * (row < leak.rows)


def leaked(leak: Leak, capacity: int) -> Bool[Array, " capacity"]:
    """Say which of ``capacity`` rows leaked."""
    return jnp.arange(capacity) < leak.leaked


def mixed(
    fresh: Float[Array, "*m"], leaked: Float[Array, "*m"], share: Float[Array, "*m"]
) -> Float[Array, "*m"]:
    """Error on a test set of which ``share`` is leaked rows."""
    return (1 - share) * fresh + share * leaked


@record
class Contamination:
    """The axes of contamination: parameters that are made of it are tested on leaked rows too.

    Its ``repeats`` are of the leaked rows: it does not go with
    ``Repetition``, whose field has the same name.
    """

    ROWS: ClassVar[str] = "n"
    """The field that counts the distinct training rows."""

    OFF: ClassVar[Mapping[str, Any]] = {"contamination": 0.0, "repeats": 1}
    IDLE: ClassVar[tuple[str, ...]] = ("leaked", "fresh_labels")
    """Where nothing leaks into the test, and what then does not matter."""

    contamination: float = inner(
        0.0, low=0, high=1, unit="", doc="share of the test set that is leaked training rows"
    )
    leaked: float = traced(
        0.25, low=0, high=1, unit="", doc="share of the training rows that leaked (at least one)"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times a leaked row is seen in training")
    fresh_labels: bool = traced(
        False, doc="leaked rows carry new labels in the test set, or the training labels"
    )

    def leak(self) -> Leak:
        """Return the leaked rows: a whole number of them."""
        given = getattr(self, self.ROWS), self.leaked, self.repeats
        return leak(*(jnp.asarray(v, float) for v in given))


@record
class LeakedCopies:
    """The axis of a test set that holds repeated rows: it goes with ``Repetition``.

    What is repeated in training is what leaks, with a label that was trained on; repeated once, a
    row leaks all the same.
    """

    contamination: float = inner(
        0.0, low=0, high=1, unit="", doc="share of the test set that is repeated training rows"
    )

    def problem(self: Any) -> str | None:
        """Say in a line what is wrong, if anything is."""
        if self.contamination > 0 and self.repeated_fraction == 0:
            return (
                f"contamination = {self.contamination}: the rows that leak are those of "
                "repeated_fraction > 0 (repeats = 1 has them seen once)"
            )
        return None
