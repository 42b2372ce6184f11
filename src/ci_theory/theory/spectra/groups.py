"""Training rows in groups of equal weight: what repetition and reweighting make of a data set.

A row that appears c times is a row of weight c, with the mean of its copies' labels for a label:
of variance sigma^2 if the copies share one, sigma^2/c if every copy is labelled afresh.
"""

from typing import Any, no_type_check

import jax.numpy as jnp

from ci_theory._record import record
from ci_theory._types import Array, Float, Number, Numbers, needs_float64

__all__ = ["MANY", "Groups", "counted", "over_copies", "plain_rows", "present", "repeated_rows"]

MANY = 1e60
"""Rows or features beyond it count as it: no number differs, and nothing overflows."""


def counted(n: Numbers) -> Array:
    """Return a number of rows or features, any shape, with which arithmetic is possible.

    What falls as 1/n is then 1e-60 for infinitely many, far below every rounding error, and what
    grows with n is not infinite but 1e60. Modes have variances far above 1e-60.

    >>> print(counted(jnp.array([100.0, jnp.inf])))
    [1.e+02 1.e+60]
    """
    return jnp.minimum(jnp.asarray(n, float), MANY)


@record
@no_type_check  # JAX rebuilds it of batches too, and of marks that are no arrays
class Groups:
    """Training rows in groups; a group may be empty, and a row of weight 0 is not there.

    Attributes:
        counts: distinct rows of each group, >= 0; need not be whole, and may be infinite.
        weights: weight of each row, the copies seen of it, >= 0.
        noise: variance of a row's mean label about the target [label^2].
    """

    counts: Float[Any, " g"]
    weights: Float[Any, " g"]
    noise: Float[Any, " g"]


def present(groups: Groups) -> Groups:
    """Give the rows that are there a positive weight, and count no others.

    >>> rows = present(repeated_rows(3, 5, 0.0, 1.0, shared=True))
    >>> print(rows.counts, rows.weights)
    [3. 0.] [1. 1.]
    """
    weights = jnp.asarray(groups.weights, float)
    return Groups(
        counts=jnp.where(weights > 0, counted(groups.counts), 0.0),
        weights=jnp.where(weights > 0, weights, 1.0),
        noise=jnp.asarray(groups.noise, float),
    )


@needs_float64
def plain_rows(n: Number, noise: Number) -> Groups:
    """One group: n rows seen once.

    >>> plain_rows(100, 0.25).counts
    Array([100.], dtype=float64)
    """
    n, noise = jnp.asarray(n, float), jnp.asarray(noise, float)
    return Groups(counts=n[None], weights=jnp.ones(1), noise=noise[None])


@needs_float64
def repeated_rows(
    fresh: Number, repeated: Number, repeats: Number, noise: Number, shared: Any
) -> Groups:
    """Two groups: ``fresh`` rows seen once and ``repeated`` distinct rows seen ``repeats`` times.

    Args:
        fresh: rows seen once, >= 0.
        repeated: distinct rows that are repeated, >= 0.
        repeats: copies of each, > 0.
        noise: variance of one label [label^2].
        shared: whether the copies of a row share its label (true) or are labelled afresh, so
            that their mean has the variance noise / repeats.

    >>> repeated_rows(700, 30, 10, 0.5, shared=False).noise
    Array([0.5 , 0.05], dtype=float64)
    """
    fresh, repeated, repeats, noise = (
        jnp.asarray(v, float) for v in (fresh, repeated, repeats, noise)
    )
    mean = jnp.where(jnp.asarray(shared), noise, noise / repeats)
    return Groups(
        counts=jnp.stack([fresh, repeated]),
        weights=jnp.stack([jnp.ones_like(repeats), repeats]),
        noise=jnp.stack([noise, mean]),
    )


def over_copies(groups: Groups, values: Numbers) -> Array:
    """Return the mean over all copies of what holds for each row of a group.

    Args:
        groups: the rows.
        values: of a row of each group, (g,).

    >>> float(over_copies(repeated_rows(700, 30, 10, 0.5, True), jnp.array([0.0, 1.0])))
    0.3
    """
    copies = groups.counts * groups.weights
    return copies @ values / jnp.sum(copies)
