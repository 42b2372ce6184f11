"""Input noise: training inputs are seen with independent Gaussian errors; labels are not.

>>> from ci_theory._keys import key_for
>>> noisy(key_for(0, 0, 0, 0), jnp.ones((2, 3)), 0.0)
Array([[1., 1., 1.],
       [1., 1., 1.]], dtype=float...)
"""

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Scalar


def noisy(key: Key, x: Float[Array, "n p"], input_noise: Scalar) -> Float[Array, "n p"]:
    """Add Gaussian errors of variance ``input_noise`` to every coordinate (stream "inputs")."""
    return x + jnp.sqrt(input_noise) * jax.random.normal(stream(key, "inputs"), x.shape, x.dtype)
