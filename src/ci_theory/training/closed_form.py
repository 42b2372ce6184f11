"""Weighted ridge regression for every ridge and noise level at once: one eigendecomposition.

The objective is sum_i c_i (y_i - phi_i.a)^2 + ridge |a|^2. With A = sqrt(C) Phi, the smaller of
the two Gram matrices of A is diagonalised once; every ridge then costs one diagonal scaling, and
labels enter linearly, so signal and noise are carried apart. Averages over the label noise given
the design are exact (no noise is drawn).

The slow obvious solver, ``solve_directly``, is the oracle of the fast one.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Float, Value


class RidgePath(NamedTuple):
    """A weighted design, diagonalised: what every ridge and every label shares. q = min(n, p).

    Attributes:
        design: A = sqrt(C) Phi, (n, p).
        eigenvalues: of the smaller Gram matrix of A, (q,), those below rounding set to zero.
        vectors: its eigenvectors as columns: (p, p) if p <= n, else (n, n).
        root: square roots of the row weights, (n,).
    """

    design: Float[Array, "n p"]
    eigenvalues: Float[Array, " q"]
    vectors: Float[Array, "q q"]
    root: Float[Array, " n"]

    @property
    def primal(self) -> bool:
        """Whether the features' side was diagonalised (p <= n)."""
        n, p = self.design.shape
        return p <= n

    @property
    def length(self) -> Float[Array, " q"]:
        """Squared length of each row of the map from weighted labels to eigen-coordinates."""
        return self.eigenvalues if self.primal else jnp.ones_like(self.eigenvalues)

    def forward(self, weighted_labels: Float[Array, "n k"]) -> Float[Array, "q k"]:
        """Map sqrt(c)-weighted labels to eigen-coordinates."""
        z = self.design.T @ weighted_labels if self.primal else weighted_labels
        return self.vectors.T @ z

    def back(self, coordinates: Float[Array, "q k"]) -> Float[Array, "p k"]:
        """Map eigen-coordinates to coefficients of the features."""
        v = self.vectors @ coordinates
        return v if self.primal else self.design.T @ v


def decompose(features: Float[Array, "n p"], weights: Float[Array, " n"]) -> RidgePath:
    """Diagonalise a weighted design.

    Args:
        features: one row per distinct training point.
        weights: non-negative row weights; a row of weight zero is not there.
    """
    n, p = features.shape
    root = jnp.sqrt(weights)
    a = features * root[:, None]
    values, vectors = jnp.linalg.eigh(a.T @ a if p <= n else a @ a.T)
    return RidgePath(a, without_rounding(values, max(n, p)), vectors, root)


def without_rounding(values: Float[Array, " q"], size: int) -> Float[Array, " q"]:
    """Set the eigenvalues of a Gram matrix that are rounding errors of zero to zero.

    Null directions come out within about 3 eps of the largest eigenvalue, at any size; the cut
    is sqrt(size) eps. A larger one would remove real directions in single precision.
    """
    cut = jnp.max(values) * size**0.5 * jnp.finfo(values.dtype).eps
    return jnp.where(values > cut, values, 0.0)


def shrinkage(
    values: Float[Array, "*#q"], ridge: Float[Array, "*#q"] | float
) -> Float[Array, "*#q"]:
    """1 / (eigenvalue + ridge), and 0 in the null space (the minimum-norm solution)."""
    alive = values > 0
    return jnp.where(alive, 1.0 / jnp.where(alive, values + ridge, 1.0), 0.0)


def coefficients(
    path: RidgePath, labels: Float[Array, " n"], ridge: Float[Array, " m"]
) -> Float[Array, "p m"]:
    """Fit the labels at every ridge: the minimum-norm solution where the ridge is zero."""
    b = path.forward((path.root * labels)[:, None])
    return path.back(shrinkage(path.eigenvalues[:, None], ridge[None, :]) * b)


def leverages(path: RidgePath, ridge: Float[Array, " m"]) -> Float[Array, "n m"]:
    """Diagonal of the weighted hat matrix: how much a row's fit follows its own label, (n, m)."""
    alive = path.length[:, None] > 0
    forward = path.forward(jnp.eye(path.root.shape[0], dtype=path.root.dtype))
    unit = forward**2 / jnp.where(alive, path.length[:, None], 1.0)
    shrink = path.eigenvalues[:, None] * shrinkage(path.eigenvalues[:, None], ridge[None, :])
    return unit.T @ shrink


def solve_directly(
    features: Float[Array, "n p"],
    weights: Float[Array, " n"],
    labels: Float[Array, " n"],
    ridge: Value,
) -> Float[Array, " p"]:
    """Solve the normal equations at one ridge > 0: the oracle of ``coefficients``."""
    p = features.shape[1]
    gram = features.T @ (weights[:, None] * features)
    return jnp.linalg.solve(gram + ridge * jnp.eye(p), features.T @ (weights * labels))


class PathErrors(NamedTuple):
    """Squared errors at every inner point, averaged over the label noise given the design, (m,).

    Attributes:
        excess: squared distance of the prediction from the clean target on the test law.
        train: mean over training rows, counted with their weights, of the squared residual
            against the rows' mean labels.
        degrees: trace of the hat matrix, the effective number of parameters.
    """

    excess: Float[Array, " m"]
    train: Float[Array, " m"]
    degrees: Float[Array, " m"]


def path_errors(
    path: RidgePath,
    *,
    metric: Float[Array, " p"] | Float[Array, "q_test p"],
    test_target: Float[Array, " q_test"],
    signal_labels: Float[Array, " n"],
    row_noise: Float[Array, " n"],
    ridge: Float[Array, " m"],
    noise: Float[Array, " m"],
    equal_weights: bool,
) -> PathErrors:
    """Read the errors of every (ridge, noise) off one decomposition.

    The excess risk of coefficients a is |R a - t|^2: for inputs of covariance diag(s) and a
    linear target w take R = sqrt(s) (given as a vector) and t = sqrt(s) w; for a test sample of
    T rows take R = features / sqrt(T) and t = targets / sqrt(T).

    Args:
        path: from ``decompose``.
        metric: R, a matrix or, if diagonal, a vector.
        test_target: t.
        signal_labels: noiseless training labels; whatever they are in rows of weight zero.
        row_noise: variance of each row's mean label in units of ``noise``.
        ridge: total ridge at the m inner points.
        noise: label-noise variance at the m inner points.
        equal_weights: whether all rows that are there have one weight and one noise: then the
            noise is uncorrelated between eigen-coordinates, and two matrix products are saved.
    """
    inverse = shrinkage(path.eigenvalues[:, None], ridge[None, :])
    return filtered_errors(
        path,
        metric=metric,
        test_target=test_target,
        signal_labels=signal_labels,
        row_noise=row_noise,
        inverse=inverse,
        kept=ridge[None, :] * inverse,
        noise=noise,
        equal_weights=equal_weights,
    )


def filtered_errors(
    path: RidgePath,
    *,
    metric: Float[Array, " p"] | Float[Array, "q_test p"],
    test_target: Float[Array, " q_test"],
    signal_labels: Float[Array, " n"],
    row_noise: Float[Array, " n"],
    inverse: Float[Array, "q m"],
    kept: Float[Array, "q m"],
    noise: Float[Array, " m"],
    equal_weights: bool,
) -> PathErrors:
    """Read the errors of any estimator that scales each eigen-coordinate by a number of its own.

    Args:
        path: from ``decompose``; ``path_errors`` tells the arguments that are not here.
        inverse: the factor of each eigen-coordinate at the m inner points, such as
            1 / (eigenvalue + ridge).
        kept: 1 - eigenvalue * inverse, the share of a label that stays as residual.
    """
    signal = path.forward((path.root * signal_labels)[:, None])
    # Apply R to all eigen-coordinates at once: the noise term needs its Gram matrix.
    onto_test = path.back(jnp.eye(path.eigenvalues.shape[0], dtype=path.root.dtype))
    onto_test = metric[:, None] * onto_test if metric.ndim == 1 else metric @ onto_test
    misfit = onto_test @ (inverse * signal) - test_target[:, None]

    spread = path.root**2 * row_noise  # variance of the weighted labels
    if equal_weights:
        vectors, level = path.vectors, jnp.max(spread)
        own = path.eigenvalues * level if path.primal else (vectors**2).T @ spread
        fitted_noise = (jnp.sum(onto_test**2, axis=0) * own) @ inverse**2
    else:
        basis = path.design @ path.vectors if path.primal else path.vectors
        covariance = basis.T @ (spread[:, None] * basis)
        own = jnp.diagonal(covariance)
        shared = (onto_test.T @ onto_test) * covariance
        fitted_noise = jnp.sum(inverse * (shared @ inverse), axis=0)
    excess = jnp.sum(misfit**2, axis=0) + noise * fitted_noise

    # Residuals: a coordinate in the span of the features keeps its share of the label; what lies
    # outside the span is kept whole.
    alive = path.eigenvalues[:, None] > 0
    left_over = jnp.where(alive, kept, 1.0) ** 2
    squares = signal[:, 0] ** 2, own
    if path.primal:
        length = jnp.where(alive[:, 0], path.eigenvalues, 1.0)
        squares = squares[0] * (alive[:, 0] / length), squares[1] * (alive[:, 0] / length)
        totals = jnp.sum((path.root * signal_labels) ** 2), jnp.sum(spread)
        outside = [jnp.maximum(t - jnp.sum(s), 0.0) for t, s in zip(totals, squares, strict=True)]
    else:
        outside = [jnp.zeros(()), jnp.zeros(())]
    left = outside[0] + squares[0] @ left_over + noise * (outside[1] + squares[1] @ left_over)
    degrees = jnp.sum(path.eigenvalues[:, None] * inverse, axis=0)
    return PathErrors(excess, left / jnp.sum(path.root**2), degrees)
