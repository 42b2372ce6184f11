"""Errors of the mean prediction of several ridge fits to the same rows and the same labels.

Averaged over the label noise given the inputs, exactly: all members see the same noise, so what
it does to one member is correlated with what it does to another, and the mean keeps that part.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Float
from ci_theory.training.closed_form import decompose, shrinkage


class EnsembleErrors(NamedTuple):
    """Squared errors of the mean prediction at every inner point, (m,).

    Attributes:
        excess: squared distance of the mean prediction from the clean target.
        disagreement: mean over members of the squared distance of a member's prediction from the
            mean prediction: what the mean gains on its members' mean error.
    """

    excess: Float[Array, " m"]
    disagreement: Float[Array, " m"]


def ensemble_errors(
    features: Float[Array, "g n p"],
    weights: Float[Array, " n"],
    *,
    metric: Float[Array, "g t p"],
    test_target: Float[Array, " t"],
    signal_labels: Float[Array, " n"],
    ridge: Float[Array, " m"],
    noise: Float[Array, " m"],
) -> EnsembleErrors:
    """Fit g members at every ridge and noise level and average their predictions.

    Args:
        features: of the training rows, one set per member.
        weights: of the rows; a row of weight zero is not there.
        metric: R_j with |mean_j R_j a_j - t|^2 the excess risk of coefficients a_j: a root of the
            second moments of all members' features together.
        test_target: t.
        signal_labels: noiseless training labels; whatever they are in rows of weight zero.
        ridge: total ridge of each member at the m inner points.
        noise: label-noise variance at the m inner points.
    """
    members = len(features)

    def fit(phi: Array, onto: Array) -> tuple[Array, Array, Array]:
        path = decompose(phi, weights)
        shrink = shrinkage(path.eigenvalues[:, None], ridge[None, :])
        unit = jnp.eye(len(path.eigenvalues), dtype=phi.dtype)
        return shrink, path.forward(jnp.diag(path.root)), onto @ path.back(unit)

    shrink, rows, tests = jax.vmap(fit)(features, metric)  # (g, q, m), (g, q, n), (g, t, q)
    predicted = tests @ (shrink * (rows @ signal_labels)[:, :, None])
    mean = predicted.mean(axis=0)
    misfit = mean - test_target[:, None]

    # Label noise reaches coordinate i of member j by rows[j, i]; two coordinates meet in the
    # squared prediction by their images on the test law.
    q = shrink.shape[1]
    every_row = rows.reshape(members * q, -1)
    every_test = jnp.swapaxes(tests, 0, 1).reshape(-1, members * q)
    shared = (every_test.T @ every_test) * (every_row @ every_row.T)
    stacked = shrink.reshape(members * q, -1)
    kept = jnp.sum(stacked * (shared @ stacked), axis=0) / members**2
    own = jnp.einsum("jajb->jab", shared.reshape(members, q, members, q))
    alone = jnp.sum(shrink * (own @ shrink), axis=(0, 1)) / members

    apart = jnp.sum((predicted - mean[None]) ** 2, axis=(0, 1)) / members
    return EnsembleErrors(
        excess=jnp.sum(misfit**2, axis=0) + noise * kept,
        disagreement=apart + noise * (alone - kept),
    )
