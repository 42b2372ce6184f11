"""Contamination: training rows that stand in the test set as well, perhaps seen several times.

>>> rows = leak(10.0, 0.25, 3.0)
>>> weights(rows, 12)
Array([3., 3., 1., 1., 1., 1., 1., 1., 1., 1., 0., 0.], dtype=float...)
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Bool, Float, Scalar


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


def leak(rows: Scalar, share: Scalar, repeats: Scalar) -> Leak:
    """Let about ``share`` of the rows leak: a whole number, at least one."""
    leaked = jnp.clip(jnp.round(share * rows), 1.0, rows)
    return Leak(rows, leaked, repeats)


def weights(leak: Leak, capacity: int) -> Float[Array, " capacity"]:
    """Weight of each of ``capacity`` rows in training: leaked rows first, absent rows last."""
    row = jnp.arange(capacity)
    return jnp.where(row < leak.leaked, leak.repeats, 1.0) * (row < leak.rows)


def leaked(leak: Leak, capacity: int) -> Bool[Array, " capacity"]:
    """Say which of ``capacity`` rows leaked."""
    return jnp.arange(capacity) < leak.leaked


def mixed(
    fresh: Float[Array, " m"], leaked: Float[Array, " m"], share: Float[Array, " m"]
) -> Float[Array, " m"]:
    """Error on a test set of which ``share`` is leaked rows."""
    return (1 - share) * fresh + share * leaked
