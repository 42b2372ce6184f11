"""Three learners, each part of the next: linear, random features, and a network of two layers.

Their weights are one vector, and each starts as the function 0. Random features are the network
whose first layer stays as it was drawn; so both see the same neurons of the same key.

>>> made = {name: model(name, jax.random.key(0), d=3, width=4) for name in SYSTEMS}
>>> [len(one.start) for one in made.values()]
[3, 4, 20]
>>> inputs = jnp.ones((2, 3))
>>> [float(abs(one.answers(one.start, one.see(inputs))).max()) for one in made.values()]
[0.0, 0.0, 0.0]
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Scalar

SYSTEMS = ("linear", "features", "network")


class Model(NamedTuple):
    """A learner.

    Attributes:
        start: weights before training, (p,); the answer is then 0 to everything.
        see: ``see(inputs) -> seen``: what the weights are shown, (n, d) -> (n, q).
        answers: ``answers(weights, seen)``, (n,).
        moved: ``moved(weights)``: how far the first layer went from where it started, as a
            share of its norm there; 0 where there is none that is trained.
        straight: whether answers are seen @ weights, so that ridge regression trains it.
    """

    start: Float[Array, " p"]
    see: Callable[[Array], Array]
    answers: Callable[[Array, Array], Array]
    moved: Callable[[Array], Scalar]
    straight: bool


def model(name: str, key: Key, *, d: int, width: int) -> Model:
    """Make a learner by name, its neurons drawn from the stream "neurons".

    Args:
        name: one of ``SYSTEMS``.
        key: of the run.
        d: inputs.
        width: neurons; the linear learner has none.
    """

    def product(weights: Array, seen: Array) -> Array:
        return seen @ weights

    def still(weights: Array) -> Scalar:
        return jnp.zeros((), weights.dtype)

    if name == "linear":
        return Model(jnp.zeros(d), lambda inputs: inputs, product, still, straight=True)
    net = _perceptron(width)
    drawn = net.init(stream(key, "neurons"), jnp.zeros((1, d)))["params"]
    kernel = drawn["into"]["kernel"]
    if name == "features":
        return Model(
            start=jnp.zeros(width),
            see=lambda inputs: jax.nn.relu(inputs @ kernel),
            answers=product,
            moved=still,
            straight=True,
        )
    start, tree = ravel_pytree(drawn)

    def moved(weights: Array) -> Scalar:
        into, before = (ravel_pytree(one["into"])[0] for one in (tree(weights), drawn))
        return jnp.linalg.norm(into - before) / jnp.linalg.norm(before)

    return Model(
        start=start,
        see=lambda inputs: inputs,
        answers=lambda weights, seen: net.apply({"params": tree(weights)}, seen),
        moved=moved,
        straight=False,
    )


def _perceptron(width: int) -> Any:
    """Return the flax module. Its import takes a while, and most commands train no network."""
    from ci_theory.systems.perceptron import Perceptron

    return Perceptron(width)
