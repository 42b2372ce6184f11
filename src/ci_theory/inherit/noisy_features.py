"""Features learned from binary labels of which some are flipped, and a ridge probe on them.

Upstream rows are whitened, so that least squares is one product and the weights are exact.
Downstream everything quadratic in the probe's error is computed from its d x d maps: averages over
the label noise, and over the direction of the target that the upstream labels do not name, are
exact given the rows and the flips.
"""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import jax.scipy.linalg as jsl

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Number, Scalar, Value
from ci_theory.biases import label_flips
from ci_theory.tasks import gaussian
from ci_theory.training.closed_form import without_rounding


def whitened(rows: Float[Array, "n d"], count: Value) -> Float[Array, "n d"]:
    """Make the sample covariance of rows the identity.

    Args:
        rows: of rank d; rows that are not there are zero, and stay so.
        count: how many there are, >= d.

    >>> import numpy as np
    >>> x = whitened(jnp.asarray(np.random.default_rng(0).normal(size=(9, 2))), 9)
    >>> bool(jnp.allclose(x.T @ x, 9 * jnp.eye(2), atol=1e-5))
    True
    """
    factor = jnp.linalg.cholesky(rows.T @ rows)
    return jnp.sqrt(count) * jsl.solve_triangular(factor, rows.T, lower=True).T


def heads(
    rows: Float[Array, "n d"], labels: Float[Array, "n c"], count: Value, scale: Number
) -> Float[Array, "d c"]:
    """Fit a linear head to each column of labels by least squares on whitened rows.

    The weights are scaled so that clean heads have a largest singular value near ``scale``.
    """
    unit = jnp.sqrt(jnp.pi / (2 * labels.shape[1])) * scale
    return unit * (rows.T @ labels) / count


class Errors(NamedTuple):
    """Of a probe on clean labels, given its rows; label² for a target of unit norm.

    Attributes:
        named: squared error for the target along the first axis.
        unnamed: the same for a target across it, averaged over its direction.
        learned: mean share of that target that the fit has.
        noise: squared error per unit of label-noise variance.
    """

    named: Scalar
    unnamed: Scalar
    learned: Scalar
    noise: Scalar

    def excess(self, named: Value, unnamed: Value, noise: Value, kept: Number) -> Scalar:
        """Return the excess risk of a task.

        Args:
            named, unnamed: squared norms of the two parts of its target [label²].
            noise: label-noise variance.
            kept: multiple of the unnamed part on which the fit is tested; 1 is in-domain.
        """
        moved = (kept - 1) * (kept + 1 - 2 * self.learned)
        return named * self.named + unnamed * (self.unnamed + moved) + noise * self.noise


class Spectrum(NamedTuple):
    """Features rotated to their principal axes; q = min(d, c).

    Attributes:
        values: singular values of the weights, smallest first, (q,).
        weights: of the rotated features, (d, q).
    """

    values: Float[Array, " q"]
    weights: Float[Array, "d q"]


def spectrum(weights: Float[Array, "d c"]) -> Spectrum:
    """Rotate features to their principal axes: no probe sees a difference.

    By the smaller Gram matrix: jaxlib's batched SVD waits for ever where two programs call it.

    >>> found = spectrum(jnp.array([[3.0, 0.0, 0.0], [0.0, 0.0, 2.0]]))
    >>> print(found.values)
    [2. 3.]
    """
    d, c = weights.shape
    squares, vectors = jnp.linalg.eigh(weights @ weights.T if d <= c else weights.T @ weights)
    values = jnp.sqrt(without_rounding(squares, max(d, c)))
    return Spectrum(values, vectors * values[None, :] if d <= c else weights @ vectors)


def probe(features: Spectrum, gram: Float[Array, "d d"], ridge: Value) -> Errors:
    """Fit ridge regression on the features and measure it on x ~ N(0, 1).

    Args:
        features: frozen; a rotation of them changes nothing.
        gram: X'X of the downstream rows.
        ridge: total ridge on the coefficients of the features, > 0.
    """
    basis = features.weights
    system = basis.T @ gram @ basis + ridge * jnp.eye(basis.shape[1], dtype=basis.dtype)
    return _errors(basis @ jsl.solve(system, basis.T, assume_a="pos"), gram)


def probe_one(weights: Float[Array, " d"], gram: Float[Array, "d d"], ridge: Value) -> Errors:
    """Fit the same on a single feature: what all clean heads have in common."""
    return _errors(jnp.outer(weights, weights) / (ridge + weights @ gram @ weights), gram)


def _errors(solver: Float[Array, "d d"], gram: Float[Array, "d d"]) -> Errors:
    """Measure the fit = solver X'y."""
    d = gram.shape[0]
    fit = solver @ gram
    off = fit - jnp.eye(d, dtype=fit.dtype)
    named = jnp.sum(off[:, 0] ** 2)
    return Errors(
        named=named,
        unnamed=(jnp.sum(off**2) - named) / (d - 1),
        learned=(jnp.trace(fit) - fit[0, 0]) / (d - 1),
        noise=jnp.sum(fit * solver),
    )


class Shape(NamedTuple):
    """Of singular values as shares p of their sum: - sum p log p, and - log of the largest."""

    entropy: Scalar
    largest: Scalar


def shape(values: Float[Array, " q"]) -> Shape:
    """Measure singular values, smallest first.

    >>> found = shape(jnp.ones(4))
    >>> print(f"{float(found.entropy / jnp.log(4)):.3f} {float(found.largest / jnp.log(4)):.3f}")
    1.000 1.000
    """
    share = values / jnp.sum(values)
    logs = jnp.log(jnp.where(share > 0, share, 1.0))
    return Shape(entropy=-jnp.sum(share * logs), largest=-jnp.log(share[-1]))


class Drawn(NamedTuple):
    """What upstream heads are fitted to, and the labels' flips yet to be chosen.

    Attributes:
        rows: whitened; those that are not there are zero, (n, d).
        truth: +-1, 0 for a row that is not there, (n, 1).
        limits: the share of flips above which a head's label is flipped, (n, c).
        size: how many rows are there.
        scale: of the weights, see ``heads``.
    """

    rows: Float[Array, "n d"]
    truth: Float[Array, "n 1"]
    limits: Float[Array, "n c"]
    size: Scalar
    scale: Number

    @property
    def clean(self) -> Float[Array, " d"]:
        """The feature of clean labels: one says what all do."""
        return heads(self.rows, self.truth, self.size, self.scale)[:, 0]

    def features(self, flips: Value) -> "Spectrum":
        """Fit heads, of either sign in turn, to labels of which some are flipped."""
        signs = jnp.where(jnp.arange(self.limits.shape[1]) % 2 == 0, 1.0, -1.0)
        labels = jnp.where(self.limits < flips, -1.0, 1.0) * self.truth * signs[None, :]
        return spectrum(heads(self.rows, labels, self.size, self.scale))


def upstream(key: Key, n: Number, scale: Number, most: int, d: int, c: int) -> Drawn:
    """Draw whitened rows and thresholds (streams "up" and "flips").

    Args:
        key: of the run.
        n: rows, >= d.
        scale: see ``heads``.
        most: length of the arrays, >= n.
        d: inputs.
        c: heads.
    """
    there = jnp.arange(most) < n
    rows = gaussian.rows(stream(key, "up"), most, jnp.ones(d)) * there[:, None]
    count = jnp.asarray(n, rows.dtype)
    rows = whitened(rows, count)
    truth = jnp.where(rows[:, 0] > 0, 1.0, -1.0)[:, None] * there[:, None]
    return Drawn(rows, truth, label_flips.thresholds(key, (most, c), rows.dtype), count, scale)


def downstream(key: Key, n: Number, most: int, d: int) -> Float[Array, "d d"]:
    """Draw rows and return X'X (stream "down")."""
    present = jnp.arange(most) < n
    inputs = gaussian.rows(stream(key, "down"), most, jnp.ones(d)) * present[:, None]
    return inputs.T @ inputs


class Measured(NamedTuple):
    """Excess risks in and out of domain, the same less those of clean labels, and the spectrum."""

    id_excess: Scalar
    ood_excess: Scalar
    id_change: Scalar
    ood_change: Scalar
    entropy: Scalar
    largest: Scalar


def measure(
    drawn: Drawn,
    gram: Float[Array, "d d"],
    flips: Value,
    ridge: Value,
    noise: Value,
    named: Value,
    unnamed: Value,
    kept: Value,
) -> Measured:
    """Fit a probe on the features of flipped labels and one on those of clean labels.

    Args:
        drawn: upstream.
        gram: X'X downstream.
        flips: share of flipped labels.
        ridge: of the probe.
        noise, named, unnamed, kept: as in ``Errors.excess``.
    """
    features = drawn.features(flips)
    noisy, clean = probe(features, gram, ridge), probe_one(drawn.clean, gram, ridge)
    task = partial(Errors.excess, named=named, unnamed=unnamed, noise=noise)
    home, away = task(noisy, kept=1.0), task(noisy, kept=kept)
    found = shape(features.values)
    return Measured(
        id_excess=home,
        ood_excess=away,
        id_change=home - task(clean, kept=1.0),
        ood_change=away - task(clean, kept=kept),
        entropy=found.entropy,
        largest=found.largest,
    )
