"""Two fits in a row that share coordinates: some weights frozen, some trained, the rest zero.

Both fits are linear in targets and label noise, so given the two designs the mean squared error
over targets spread evenly in all directions and over label noise is exact: four squared norms.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Bool, Float, Scalar, Value
from ci_theory.training.closed_form import decompose, shrinkage


class Rows(NamedTuple):
    """Training rows of one task.

    Attributes:
        inputs: (n, d).
        present: 1 for a row that is there, 0 for one that is not, (n,).
    """

    inputs: Float[Array, "n d"]
    present: Float[Array, " n"]


class Shares(NamedTuple):
    """A mean squared error by its causes, each per unit of it.

    Attributes:
        target: of the downstream target, per squared norm.
        difference: of the upstream target less the downstream one, per squared norm.
        up_noise: of the upstream label noise.
        noise: of the downstream label noise.
    """

    target: Scalar
    difference: Scalar
    up_noise: Scalar
    noise: Scalar


class Errors(NamedTuple):
    """Errors of both fits on clean labels.

    Attributes:
        excess: of the downstream fit.
        scratch: of the same with zeros for the frozen weights.
        inherited: of the frozen weights alone.
        upstream: of the upstream fit on its own target, whose power counts as ``target``.
    """

    excess: Shares
    scratch: Shares
    inherited: Shares
    upstream: Shares


def fit(rows: Rows, trained: Bool[Array, " d"], ridge: Value) -> Float[Array, "d n"]:
    """Return the map from labels to weights; zero for coordinates that are not trained.

    The minimum-norm interpolator where there is no ridge and more coordinates than rows.
    """
    path = decompose(jnp.where(trained, rows.inputs, 0.0), rows.present)
    labels = path.forward(jnp.diag(path.root))
    return path.back(shrinkage(path.eigenvalues[:, None], ridge) * labels)


def errors(
    up: Rows,
    down: Rows,
    shared: Bool[Array, " d"],
    frozen: Bool[Array, " d"],
    trained: Bool[Array, " d"],
    up_ridge: Value,
    ridge: Value,
) -> Errors:
    """Run both fits.

    Args:
        up: rows of the upstream task.
        down: rows of the downstream task.
        shared: coordinates trained upstream.
        frozen: those of them that downstream takes over.
        trained: coordinates trained downstream, none of them frozen.
        up_ridge: total ridge upstream.
        ridge: total ridge downstream.
    """
    eye, nothing = jnp.eye(up.inputs.shape[1]), jnp.zeros(())
    weights = fit(up, shared, up_ridge)
    followed = weights @ up.inputs  # weights of the upstream fit per upstream target
    taken, taken_noise = (jnp.where(frozen[:, None], w, 0.0) for w in (followed, weights))
    own = fit(down, trained, ridge)
    through = eye - own @ down.inputs  # what is left of an error after training

    def power(matrix: Array) -> Scalar:
        return jnp.sum(matrix**2)

    def per_direction(matrix: Array) -> Scalar:
        return power(matrix) / eye.shape[0]

    return Errors(
        excess=Shares(
            target=per_direction(through @ (eye - taken)),
            difference=per_direction(through @ taken),
            up_noise=power(through @ taken_noise),
            noise=power(own),
        ),
        scratch=Shares(per_direction(through), nothing, nothing, power(own)),
        inherited=Shares(
            target=per_direction(jnp.where(frozen[:, None], eye - taken, 0.0)),
            difference=per_direction(taken),
            up_noise=power(taken_noise),
            noise=nothing,
        ),
        upstream=Shares(per_direction(eye - followed), nothing, power(weights), nothing),
    )
