"""The leading direction of upstream rows as a frozen feature, and a probe on it downstream."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory._types import Array, Bool, Float, Number, Scalar, Value
from ci_theory.inherit.noisy_features import Shape, shape
from ci_theory.training.closed_form import without_rounding


class Products(NamedTuple):
    """Weighted sums over rows, of which X'CX at every signal and noise is made.

    Attributes:
        bulk: of e e', (d, d); cross: of z e, (d,); own: of z^2.
    """

    bulk: Float[Array, "d d"]
    cross: Float[Array, " d"]
    own: Scalar

    def gram(self, signal: Any, noise: Any) -> Float[Array, "d d"]:
        """Return X'CX of rows signal^1/2 z e_1 + noise^1/2 e.

        >>> made = products(jnp.array([[0.0, 1.0]]), jnp.ones(1), 3 * jnp.ones(1))
        >>> made.gram(4.0, 1.0).tolist()
        [[12.0, 6.0], [6.0, 3.0]]
        """
        first = jnp.arange(len(self.cross)) == 0
        mixed = jnp.sqrt(signal * noise) * jnp.outer(first, self.cross)
        return noise * self.bulk + mixed + mixed.T + signal * self.own * jnp.outer(first, first)


def products(
    rows: Float[Array, "n d"], own: Float[Array, " n"], weights: Float[Array, " n"]
) -> Products:
    """Sum over rows e (n, d), their strengths z along the direction, and their weights."""
    return Products((rows.T * weights[None, :]) @ rows, (weights * own) @ rows, weights @ own**2)


class Spectrum(NamedTuple):
    """Of the rows x (n, d) with weights c: eigenvalues of X'CX and the leading direction.

    Attributes:
        largest: the largest eigenvalue.
        rest: mean of the others.
        shape: of the singular values, the roots of the eigenvalues.
        direction: vector of the largest, (d,).
    """

    largest: Scalar
    rest: Scalar
    shape: Shape
    direction: Float[Array, " d"]


def spectrum(gram: Float[Array, "d d"]) -> Spectrum:
    """Take X'CX apart.

    >>> found = spectrum(jnp.diag(jnp.array([1.0, 4.0, 1.0])))
    >>> float(found.largest), float(found.rest), abs(found.direction).tolist()
    (4.0, 1.0, [0.0, 1.0, 0.0])
    """
    squares, vectors = jnp.linalg.eigh(gram)
    squares = without_rounding(squares, len(gram))
    return Spectrum(
        largest=squares[-1],
        rest=jnp.sum(squares[:-1]) / (len(gram) - 1),
        shape=shape(jnp.sqrt(squares)),
        direction=vectors[:, -1],
    )


def foretold(found: Spectrum, rows: Value) -> Scalar:
    """Read off eigenvalues, as of distinct rows, how much of the truth the direction has.

    The place of an outlier, largest/rows = (s + w)(1 + g w/s) with w the noise and g = (d - 1)/rows
    of the d - 1 directions across, tells the signal s, and s the squared cosine; 0 if the largest
    is no outlier.

    >>> plain = spectrum(jnp.diag(jnp.array([302.4, 48.0])))  # as of 61 inputs, but for d
    >>> bool(foretold(plain, 240.0) > 0.99)
    True
    """
    gamma, noise = (len(found.direction) - 1) / rows, found.rest / rows
    place = found.largest / rows - noise - gamma * noise
    square = place**2 - 4 * gamma * noise**2
    outside = (place > 0) & (square > 0)
    signal = jnp.where(outside, place + jnp.sqrt(jnp.where(outside, square, 1.0)), 2.0) / 2
    missed = gamma * noise / signal * (1 + noise / signal) / (1 + gamma * noise / signal)
    return jnp.where(outside, 1 - missed, 0.0)


def probe(
    direction: Float[Array, " d"],
    rows: Float[Array, "m k d"],
    present: Bool[Array, " m"],
    noise: Number,
) -> Scalar:
    """Fit y = x.e_1 + noise to the feature x.direction by least squares; return the excess risk.

    Averaged over the label noise, on x ~ N(0, I), given the rows; a mean over k sets of rows.

    Args:
        direction: a unit vector.
        rows: downstream rows of each set; those that are not present have no weight.
        present: which rows are there.
        noise: label-noise variance.
    """
    feature = jnp.where(present[:, None], rows @ direction, 0.0)
    size = jnp.sum(feature**2, axis=0)
    learned = jnp.sum(feature * rows[:, :, 0], axis=0) / size
    return jnp.mean(1 - 2 * learned * direction[0] + learned**2 + noise / size)
