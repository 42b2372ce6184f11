"""Label flips: binary labels, a share of which has the wrong sign.

>>> from ci_theory._keys import key_for
>>> flipped(key_for(0, 0, 0, 0), jnp.array([1.0, -1.0, 1.0]), 1.0)
Array([-1.,  1., -1.], dtype=float...)
"""

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Value


def thresholds(key: Key, shape: tuple[int, ...], dtype: jnp.dtype) -> Float[Array, "..."]:
    """Draw for each label the share of flips above which it is flipped (stream "flips")."""
    return jax.random.uniform(stream(key, "flips"), shape, dtype)


def flipped(key: Key, labels: Float[Array, "*n"], flips: Value) -> Float[Array, "*n"]:
    """Flip each label, of any shape, with probability ``flips`` (stream "flips")."""
    at = thresholds(key, labels.shape, jnp.result_type(flips))
    return jnp.where(at < flips, -labels, labels)
