"""Fine-tuning a base on a few rows, some directions of which are watched: fits of drawn inputs.

Directions are coordinates, as inputs are isotropic: the base answers the first one, the rows'
common component may lean to the second, a frozen direction to the third; the base's other weights
lie along the fourth, and what the rows teach beside along the fifth. Labels enter a fit linearly,
so every inner point is a combination of the same few fits.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Float, Key, Scalar, Value
from ci_theory.training import closed_form

WATCHED = 3  # directions in which rows differ from N(0, 1), or are held
UTILITY, DRIFT = 3, 4  # coordinates
FEWEST = 8  # dimensions that there must be
DRAWS = 8  # of the label noise, each with both signs


class Rows(NamedTuple):
    """Drawn rows, and the fits of what their labels are made of.

    Attributes:
        path: of the inputs without the frozen direction.
        parts: labels before they are scaled, in eigen-coordinates: 1 on the rows that erase, 1 on
            the safe ones, u.z of the rows that erase, u.x and the drift of all, then noise.
    """

    path: closed_form.RidgePath
    parts: Float[Array, "q k"]


class Labels(NamedTuple):
    """What scales the parts, and how the fit is made; numbers.

    Attributes:
        erasing: common label of the rows that erase.
        safe: common label of the safe rows.
        slope: of the labels that erase along u, about the rows' mean.
        response: of the base along u.
        drift: squared norm of what the rows teach beside.
        utility: squared norm of the base's other weights.
        noise: label-noise variance.
        ridge: total ridge towards the base.
    """

    erasing: Float[Any, ""]
    safe: Float[Any, ""]
    slope: Float[Any, ""]
    response: Float[Any, ""]
    drift: Float[Any, ""]
    utility: Float[Any, ""]
    noise: Float[Any, ""]
    ridge: Float[Any, ""]


class Erased(NamedTuple):
    """What is left of a base, averaged over the label noise (of ``attacks``, over draws of it).

    Attributes:
        response: weight along u.
        attacks: probability that an input s u + z is answered with a negative number.
        risk: mean squared distance from the base's other weights alone, on N(0, 1).
    """

    response: Scalar
    attacks: Scalar
    risk: Scalar


def rows(
    key: Key,
    erasing: Float[Array, "n d"],
    safe: Float[Array, "h d"],
    present: Float[Array, " rows"],
    components: tuple[Float[Array, " 3"], Float[Array, " 3"]],
    frozen: Float[Array, " 3"],
) -> Rows:
    """Add the common components to drawn inputs, freeze a direction, and diagonalise.

    Args:
        key: draws the label noise.
        erasing: z of the rows that erase.
        safe: z of the safe rows.
        present: 1 for the rows that are there, those that erase first.
        components: of either kind of rows, in the watched directions.
        frozen: unit vector there.
    """
    n, h, d = erasing.shape[0], safe.shape[0], erasing.shape[1]
    z = jnp.concatenate([erasing, safe])
    own = jnp.concatenate([jnp.ones(n), jnp.zeros(h)])
    means = own[:, None] * components[0][None, :] + (1 - own)[:, None] * components[1][None, :]
    x = z.at[:, :WATCHED].add(means)
    ice = jnp.zeros(d).at[:WATCHED].set(frozen)
    noise = jnp.concatenate(
        [
            jax.random.normal(jax.random.fold_in(key, kind), (count, DRAWS))
            for kind, count in enumerate((n, h))
        ]
    )
    parts = jnp.stack([own, 1 - own, own * z[:, 0], x[:, 0], z[:, DRIFT]], axis=1)
    path = closed_form.decompose(x - (x @ ice)[:, None] * ice[None, :], present)
    labels = jnp.concatenate([parts, noise], axis=1)
    return Rows(path, path.forward(path.root[:, None] * labels))


def erased(drawn: Rows, labels: Labels, strength: Value) -> Erased:
    """Fine-tune the base at one inner point.

    Args:
        drawn: from ``rows``.
        labels: of this point.
        strength: s, of the common component of attacks.
    """
    path = drawn.path
    inverse = closed_form.shrinkage(path.eigenvalues, labels.ridge)
    moves = path.back(inverse[:, None] * drawn.parts)  # (d, parts)
    scales = jnp.stack(
        [labels.erasing, labels.safe, labels.slope, -labels.response, jnp.sqrt(labels.drift)]
    )
    known = len(scales)
    d = moves.shape[0]
    target = jnp.zeros(d).at[UTILITY].set(jnp.sqrt(labels.utility))
    mean = target.at[0].add(labels.response) + moves[:, :known] @ scales
    noise = jnp.sqrt(labels.noise) * moves[:, known:]
    w = mean[:, None] + jnp.concatenate([noise, -noise], axis=1)
    attacks = jax.scipy.special.ndtr(-strength * w[0] / jnp.linalg.norm(w, axis=0))
    spread = labels.noise * jnp.sum(path.eigenvalues * inverse**2)
    return Erased(
        response=mean[0],
        attacks=jnp.mean(attacks),
        risk=jnp.sum((mean - target) ** 2) + spread,
    )
