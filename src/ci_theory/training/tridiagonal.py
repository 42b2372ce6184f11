"""Ridge coefficients at many ridges for a few label vectors, without eigenvectors.

Reducing the Gram matrix to tridiagonal form costs a fourth of an eigendecomposition, and every
ridge then costs one tridiagonal solve per label vector. It pays when labels are given (real data,
drawn noise); averages over the label noise need ``closed_form``, which also covers ridge = 0.
"""

import jax
import jax.numpy as jnp
from jax.lax import linalg

from ci_theory._types import Array, Float


def coefficients(
    features: Float[Array, "n p"],
    weights: Float[Array, " n"],
    labels: Float[Array, "n k"],
    ridge: Float[Array, " m"],
) -> Float[Array, "p k m"]:
    """Minimise sum_i c_i (y_i - phi_i.a)^2 + ridge |a|^2 for every label vector and ridge.

    Args:
        features: one row per distinct training point; min(n, p) >= 3.
        weights: non-negative row weights; a row of weight zero is not there.
        labels: k label vectors.
        ridge: m total ridges, each > 0.
    """
    n, p = features.shape
    root = jnp.sqrt(weights)[:, None]
    a, z = root * features, root * labels
    gram, right = (a.T @ a, a.T @ z) if p <= n else (a @ a.T, z)

    # gram = Q T Q^T; the first row and column of Q are those of the identity.
    reflectors, diagonal, off, scales = linalg.tridiagonal(gram, lower=True)
    q = linalg.householder_product(reflectors[1:, :-1], scales)
    turned = jnp.concatenate([right[:1], q.T @ right[1:]])
    zero = jnp.zeros(1, gram.dtype)
    below, above = jnp.concatenate([zero, off]), jnp.concatenate([off, zero])

    def solve(one: Float[Array, ""]) -> Float[Array, "q k"]:
        return linalg.tridiagonal_solve(below, diagonal + one, above, turned)

    solved = jnp.moveaxis(jax.vmap(solve)(ridge), 0, -1)
    flat = solved.reshape(len(diagonal), -1)
    flat = jnp.concatenate([flat[:1], q @ flat[1:]])
    flat = flat if p <= n else a.T @ flat
    return flat.reshape(p, *solved.shape[1:])
