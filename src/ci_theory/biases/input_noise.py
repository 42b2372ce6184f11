"""Input noise: training inputs are seen with independent errors; labels are not.

On a sphere, where a Gaussian error would leave it, an input is turned.

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


def turned(key: Key, x: Float[Array, "n d"], input_noise: Value) -> Float[Array, "n d"]:
    """Turn every row on its sphere by one angle, in a plane of its own (stream "inputs").

    What is added before the row is brought back to its length is orthogonal to it and has
    ``input_noise`` times its square: the angle's squared tangent.
    """
    error = jax.random.normal(stream(key, "inputs"), x.shape, x.dtype)
    squares = jnp.sum(x**2, axis=1, keepdims=True)
    error = error - x * (jnp.sum(error * x, axis=1, keepdims=True) / squares)
    error = error * jnp.sqrt(squares / jnp.sum(error**2, axis=1, keepdims=True))
    return (x + jnp.sqrt(input_noise) * error) / jnp.sqrt(1 + input_noise)


@record
class InputNoise:
    """The axis of input noise: parameters that are made of it train on noisy inputs."""

    input_noise: float = traced(
        0.0, low=0, unit="input²", doc="variance added to every training input"
    )

    def seen(self, key: Key, x: Float[Array, "n p"]) -> Float[Array, "n p"]:
        """Return what the learner sees of clean inputs."""
        return noisy(key, x, jnp.asarray(self.input_noise))

    def seen_on_sphere(self, key: Key, x: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """Return what the learner sees of clean inputs on a sphere about 0."""
        return turned(key, x, jnp.asarray(self.input_noise))
