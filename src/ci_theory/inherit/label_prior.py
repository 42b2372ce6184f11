"""A classifier that inherits a label prior, and its adjustment by an estimate from labels.

Scores of the two classes are N(+-mu, 1); trained where a share ``prior`` of the rows is of class
+1, the classifier decides by the sign of 2 mu x + ln prior/(1 - prior).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Value
from ci_theory.biases.label_flips import flipped


class Errors(NamedTuple):
    """Errors on class +1, common upstream, and on class -1 at the m inner points, (m,)."""

    common: Float[Array, " m"]
    rare: Float[Array, " m"]


def estimates(
    key: Key, sets: int, capacity: int, n: Value, prior: Value, flips: Value
) -> Float[Array, " sets"]:
    """Draw sets of n labels and return the log odds of each, with half a count more on each side.

    Args:
        key: of the run; labels come from its stream "labels", errors in them from "flips".
        sets: how many.
        capacity: labels drawn for each, of which n count.
        n: labels of a set.
        prior: chance of a label +1.
        flips: chance that it is told wrong.
    """
    common = jax.random.bernoulli(stream(key, "labels"), prior, (capacity, sets))
    labels = flipped(key, jnp.where(common, 1.0, -1.0), flips)
    there = (jnp.arange(capacity) < n)[:, None]
    count = jnp.sum(there & (labels > 0), axis=0)
    return jnp.log(count + 0.5) - jnp.log(n - count + 0.5)


def errors(
    separation: Float[Array, " m"],
    strength: Float[Array, " m"],
    prior: Value,
    estimate: Float[Array, " sets"],
) -> Errors:
    """Integrate the adjusted score over both classes; a mean over the estimates.

    Args:
        separation: mu^2 at the inner points.
        strength: share of the estimate that is taken off.
        prior: share of class +1 upstream.
        estimate: of the log prior.
    """
    half = jnp.sqrt(separation)[:, None]
    shift = jnp.log(prior / (1 - prior)) - strength[:, None] * estimate[None, :]
    wrong = (ndtr(-(2 * half**2 + side * shift) / (2 * half)) for side in (1, -1))
    return Errors(*(jnp.mean(w, axis=1) for w in wrong))
