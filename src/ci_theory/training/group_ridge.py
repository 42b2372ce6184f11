"""One ridge fit for several groups of rows whose targets differ, on isotropic inputs.

The objective is sum_i c_i (y_i - x_i.w)^2 + ridge |w|^2. Given the inputs the mean fit is linear
in the targets, w = sum_g M_g b_g with M_g = (X'CX + ridge)^-1 X_g'C_g X_g, and averages are exact:
over the label noise, and over the orientation of the targets, which leaves traces of the M_g.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float
from ci_theory.training.closed_form import shrinkage, without_rounding


class GroupErrors(NamedTuple):
    """Of one design at every inner point.

    Attributes:
        excess: squared distance of the fit from the target of each group, (g, m).
        held: degrees of freedom that the rows of each group hold, tr M_g, (g, m).
    """

    excess: Float[Array, "g m"]
    held: Float[Array, "g m"]


def group_errors(
    inputs: Float[Array, "n p"],
    weights: Float[Array, "g n"],
    products: Float[Array, "g g m"],
    ridge: Float[Array, " m"],
    noise: Float[Array, " m"],
) -> GroupErrors:
    """Fit every ridge to one design; the interpolator of minimal norm where it is zero.

    Args:
        inputs: rows x ~ N(0, I).
        weights: of each row in the group that it belongs to, zero in the others.
        products: scalar products of the targets at the m inner points.
        ridge: total ridge, >= 0.
        noise: label-noise variance of all rows.
    """
    n, p = inputs.shape
    every = jnp.sum(weights, axis=0)
    values, vectors = jnp.linalg.eigh(inputs.T @ (every[:, None] * inputs))
    inverse = shrinkage(without_rounding(values, max(n, p))[:, None], ridge[None, :])  # (p, m)
    turned = inputs @ vectors
    own = jnp.einsum("ni,gn,nj->gij", turned, weights, turned)  # X_g'C_g X_g in eigen-coordinates
    held = jnp.einsum("gii,im->gm", own, inverse)
    pairs = jnp.einsum("gij,hij,im->ghm", own, own, inverse**2)  # tr M_g' M_h
    spread = jnp.einsum("ni,n,im->m", turned**2, every**2, inverse**2)

    alone = jnp.einsum("ghm,ghm->m", products, pairs)
    across = jnp.einsum("ghm,gm->hm", products, held)
    missed = (alone[None] - 2 * across) / p + jnp.einsum("hhm->hm", products)
    return GroupErrors(excess=missed + (noise * spread)[None], held=held)
