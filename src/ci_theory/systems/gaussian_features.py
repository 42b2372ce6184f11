"""Linear random features F x of the inputs, with independent Gaussian entries of variance 1/p.

The 1/p makes the mean kernel that of the inputs, x.x'.

>>> init(jax.random.key(0), 3, 5).shape
(3, 5)
"""

import jax

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key


def init(key: Key, p: int, d: int) -> Float[Array, "p d"]:
    """Draw F from the stream "features"."""
    return jax.random.normal(stream(key, "features"), (p, d)) * p**-0.5
