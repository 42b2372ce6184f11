"""A world of items with a long tail: draws with Zipf's frequencies.

>>> print(frequencies(3, 1.0) * 11)
[6. 3. 2.]
"""

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Float, Int, Key, Value


def frequencies(vocabulary: int, exponent: Value) -> Float[Array, " V"]:
    """Return the frequency of every item, in proportion to rank^-exponent."""
    weights = jnp.arange(1.0, vocabulary + 1) ** -jnp.asarray(exponent)
    return weights / jnp.sum(weights)


def draws(key: Key, p: Float[Array, " V"], n: int) -> Int[Array, " n"]:
    """Draw items independently, by inverting the cumulative frequencies.

    >>> items = draws(jax.random.key(0), frequencies(4, 2.0), 1000)
    >>> int(items.min()), int(items.max())
    (0, 3)
    """
    ends = jnp.cumsum(p)
    places = jax.random.uniform(key, (n,)) * ends[-1]
    return jnp.minimum(jnp.searchsorted(ends, places, side="right"), len(p) - 1)
