"""Input noise: training inputs are seen with independent Gaussian errors; labels are not.

>>> from ci_theory._keys import key_for
>>> noisy(key_for(0, 0, 0, 0), jnp.ones((2, 3)), 0.0)
Array([[1., 1., 1.],
       [1., 1., 1.]], dtype=float...)
"""

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import record, traced
from ci_theory._types import Array, Float, Key, Value


def noisy(key: Key, x: Float[Array, "n p"], input_noise: Value) -> Float[Array, "n p"]:
    """Add Gaussian errors of variance ``input_noise`` to every coordinate (stream "inputs")."""
    return x + jnp.sqrt(input_noise) * jax.random.normal(stream(key, "inputs"), x.shape, x.dtype)


@record
class InputNoise:
    """The axis of input noise: parameters that are made of it train on noisy inputs."""

    input_noise: float = traced(
        0.0, low=0, unit="input²", doc="variance added to every training input"
    )

    def seen(self, key: Key, x: Float[Array, "n p"]) -> Float[Array, "n p"]:
        """Return what the learner sees of clean inputs."""
        return noisy(key, x, jnp.asarray(self.input_noise))
