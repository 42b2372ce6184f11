"""Label noise: independent, of a given variance per row.

>>> row_noise(jax.numpy.array([4.0, 1.0, 0.0]), shared=False)
Array([0.25, 1.  , 0.  ], dtype=float...)
"""

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Bool, Float, Key


def draw(key: Key, n: int, dtype: jnp.dtype) -> Float[Array, " n"]:
    """Draw n standard normal label errors from the stream "noise"; scale them by sqrt(noise)."""
    return jax.random.normal(stream(key, "noise"), (n,), dtype)


def row_noise(weights: Float[Array, " n"], shared: bool | Bool[Array, ""]) -> Float[Array, " n"]:
    """Variance of a row's mean label in units of the noise variance, (n,).

    Copies that share their label share its error (1); copies labelled afresh average it (1/c).
    Rows of weight zero have none.
    """
    seen = weights > 0
    mean = jnp.where(shared, 1.0, 1.0 / jnp.where(seen, weights, 1.0))
    return mean * seen
