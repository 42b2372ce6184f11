"""Two Gaussian classes of unequal size: rows N(+-mu, diag(variances)) with labels +-1.

>>> import jax
>>> x, labels, there = draw(jax.random.key(0), 6, 5.0, 2.0, jnp.ones(3), jnp.ones(3))
>>> labels * there
Array([-1., -1.,  1.,  1.,  1.,  0.], dtype=float...)
"""

import jax.numpy as jnp

from ci_theory._types import Array, Float, Key, Value
from ci_theory.tasks import gaussian


def draw(
    key: Key,
    capacity: int,
    n: Value,
    minority: Value,
    variances: Float[Array, " p"],
    mean: Float[Array, " p"],
) -> tuple[Float[Array, "c p"], Float[Array, " c"], Float[Array, " c"]]:
    """Draw rows of both classes, the minority first.

    Args:
        key: of the run; the rows come from its stream "design".
        capacity: rows drawn, c.
        n: rows that are there.
        minority: rows of the minority, labelled -1.
        variances: within-class variances.
        mean: mu, half the difference of the class means.

    Returns:
        rows, labels, and 1 for rows that are there (0 beyond n).
    """
    row = jnp.arange(capacity)
    labels = jnp.where(row < minority, -1.0, 1.0)
    x = gaussian.rows(key, capacity, variances) + labels[:, None] * mean[None, :]
    return x, labels, (row < n).astype(x.dtype)
