r"""Contexts of linear regression tasks written out, and what linear attention reads of them.

A context holds N pairs x, y = x.w + noise, pair i with a weight c_i that counts its copies;
attention sees :math:`h = \frac1N \sum_i c_i y_i x_i`. Given the inputs, the mean over tasks of
second moment C, over label noise and wrong signs is a polynomial in

.. math:: M = \frac1N \sum_i c_i x_i x_i', \qquad \mathrm E[h w'] = b M C, \qquad
    \mathrm E[h h'] = b^2 M C M + \sum_i \frac{c_i^2}{N^2}
    \bigl[(1 - b^2)\, x_i' C x_i + v\bigr] x_i x_i'

with b the mean sign of a label (copies have one sign): so only inputs need to be drawn.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Value


class Seen(NamedTuple):
    """Means over contexts; more of them along leading axes."""

    inputs: Float[Array, "*k d d"]  # M
    power: Float[Array, "*k d d"]  # E h h'


def inputs(
    key: Key, label: str, capacity: int, count: int, variances: Float[Array, " d"]
) -> Float[Array, "n c d"]:
    """Draw the inputs of ``count`` contexts, ``capacity`` each (stream ``label``)."""
    made = jax.random.normal(stream(key, label), (capacity, count, variances.size))
    return made * jnp.sqrt(variances)[None, None, :]


def moments(x: Float[Array, "n c d"], weights: Float[Array, " n"]) -> Float[Array, "c d d"]:
    """Return M of every context; ``weights`` are c_i/N, 0 leaves a pair out."""
    return jnp.einsum("nci,n,ncj->cij", x, weights, x)


def turn(d: int, by: Value) -> Float[Array, "d d"]:
    """Turn the axes in the planes of each and its mirror image, by a share of a right angle.

    >>> print(jnp.round(turn(3, 1.0), 12))
    [[ 0.  0.  1.]
     [ 0.  1.  0.]
     [-1.  0.  0.]]
    """
    near, far = jnp.arange(d // 2), d - 1 - jnp.arange(d // 2)
    cosine, sine = jnp.cos(jnp.pi / 2 * by), jnp.sin(jnp.pi / 2 * by)
    made = jnp.eye(d).at[near, near].set(cosine).at[far, far].set(cosine)
    return made.at[near, far].set(sine).at[far, near].set(-sine)


def seen(
    x: Float[Array, "n c d"],
    weights: Float[Array, " n"],
    tasks: Float[Array, " d"],
    noise: Value,
    sign: Value,
    groups: int,
) -> Seen:
    """Average over contexts in ``groups`` of equal size.

    Args:
        x: inputs.
        weights: c_i/N of the pairs.
        tasks: diagonal of C.
        noise: v, label-noise variance.
        sign: b.
        groups: how many; it divides the number of contexts.

    Returns:
        Arrays (groups, d, d).
    """
    moment = moments(x, weights)
    power = sign**2 * jnp.einsum("cij,j,cjk->cik", moment, tasks, moment)
    each = (1 - sign**2) * jnp.sum(x**2 * tasks[None, None, :], axis=2) + noise
    power = power + jnp.einsum("nci,nc,ncj->cij", x, each * weights[:, None] ** 2, x)
    return Seen(*(jnp.mean(_parts(v, groups), axis=1) for v in (moment, power)))


def seen_through(
    root: Float[Array, "d d"],
    moment: Float[Array, "c d d"],
    tasks: Float[Array, " d"],
    noise: Any,
    pairs: Any,
    groups: int,
) -> Seen:
    """Average over contexts without copies or wrong signs whose inputs are ``root`` times normal.

    Args:
        root: B of the covariance BB'.
        moment: M of standard normal inputs, for each context.
        tasks: diagonal of C.
        noise: v, label-noise variance.
        pairs: N.
        groups: how many means; it divides the number of contexts.
    """
    plain = root @ jnp.mean(_parts(moment, groups), axis=1) @ root.T
    between = (root.T * tasks[None, :]) @ root
    power = jnp.mean(_parts(moment @ between @ moment, groups), axis=1)
    return Seen(plain, root @ power @ root.T + noise / pairs * plain)


def _parts(values: Array, groups: int) -> Array:
    return values.reshape(groups, -1, *values.shape[1:])
