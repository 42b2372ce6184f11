"""Adam whose step size falls to zero along half a cosine: full-batch training that comes to rest.

>>> print(descend(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), rate=0.1, steps=200).round(1))
[3. 3.]
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from ci_theory._types import Array, Float, Scalar, Value


def descend(
    loss: Callable[[Array], Scalar],
    weights: Float[Array, " p"],
    rate: Value,
    steps: int,
) -> Float[Array, " p"]:
    """Follow Adam (Kingma, Ba 2014, arXiv:1412.6980) from given weights.

    Args:
        loss: of the weights.
        weights: to start from.
        rate: first step size; may be traced.
        steps: to take.
    """
    adam = optax.scale_by_adam()

    def step(carry: tuple[Array, optax.OptState], at: Array) -> tuple[tuple, None]:
        now, moments = carry
        direction, moments = adam.update(jax.grad(loss)(now), moments)
        falling = 0.5 * rate * (1 + jnp.cos(jnp.pi * at / steps))
        return (now - falling.astype(now.dtype) * direction, moments), None

    start = weights, adam.init(weights)
    (last, _), _ = jax.lax.scan(step, start, jnp.arange(steps, dtype=weights.dtype))
    return last
