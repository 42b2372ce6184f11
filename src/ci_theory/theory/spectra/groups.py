"""Training rows in groups of equal weight: what repetition and reweighting make of a data set.

A row that appears c times is a row of weight c, with the mean of its copies' labels for a label:
of variance sigma^2 if the copies share one, sigma^2/c if every copy is labelled afresh.
"""

from typing import Any

import jax.numpy as jnp

from ci_theory._record import record
from ci_theory._types import Float, needs_float64

__all__ = ["Groups", "plain_rows", "repeated_rows"]


@record
class Groups:
    """Training rows in groups; a group may be empty, and a row of weight 0 is not there.

    Attributes:
        counts: distinct rows of each group, >= 0; need not be whole.
        weights: weight of each row, the copies seen of it, >= 0.
        noise: variance of a row's mean label about the target [label^2].
    """

    counts: Float[Any, " g"]
    weights: Float[Any, " g"]
    noise: Float[Any, " g"]


@needs_float64
def plain_rows(n: Any, noise: Any) -> Groups:
    """One group: n rows seen once.

    >>> plain_rows(100, 0.25).counts
    Array([100.], dtype=float64)
    """
    n, noise = jnp.asarray(n, float), jnp.asarray(noise, float)
    return Groups(counts=n[None], weights=jnp.ones(1), noise=noise[None])


@needs_float64
def repeated_rows(fresh: Any, repeated: Any, repeats: Any, noise: Any, shared: Any) -> Groups:
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
