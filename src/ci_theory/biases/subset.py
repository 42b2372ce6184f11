"""A part of the rows that are there: which of them a bias befalls.

>>> from ci_theory._keys import key_for
>>> there = jnp.array([True, False, True, True, True])
>>> int(subset(key_for(0, 0, 0, 0), there, 0.5).sum())
2
"""

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Bool, Key, Value


def subset(key: Key, there: Bool[Array, " P"], share: Value) -> Bool[Array, " P"]:
    """Choose exactly round(share n) of the n rows that are there.

    The share may be traced. One key gives nested choices: a larger share adds rows and drops
    none.
    """
    place = jnp.where(there, jax.random.uniform(key, there.shape), 2.0)
    rank = jnp.argsort(jnp.argsort(place))
    return rank < jnp.round(share * jnp.sum(there))
