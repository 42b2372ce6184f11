"""Random features act(<theta, x>/sqrt d)/sqrt p on the sphere, and their exact population law.

Inputs x and feature directions theta lie on the sphere of radius sqrt(d). The 1/sqrt(p) is part
of the feature, so that Phi Phi^T averages to the kernel and a ridge on the coefficients is a
ridge on the kernel.

Test errors need no test sample: given the directions, the second moments of features and target
over the sphere are a series in the cosines between directions (Funk-Hecke), summed here.

>>> theta = init(jax.random.key(0), 6, 5)
>>> apply(theta, theta[:2], "relu").shape
(2, 6)
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key, Value
from ci_theory.tasks import sphere


class Activation(NamedTuple):
    """One function twice: for arrays on the device and for numpy arrays on the host."""

    device: Callable[[Array], Array]
    host: Callable[[np.ndarray], np.ndarray]


ACTIVATIONS = {
    "linear": Activation(lambda t: t, lambda t: t),
    "relu": Activation(jax.nn.relu, lambda t: np.maximum(t, 0.0)),
    "tanh": Activation(jnp.tanh, np.tanh),
    "erf": Activation(jax.scipy.special.erf, scipy.special.erf),
    "gelu": Activation(
        lambda t: jax.nn.gelu(t, approximate=False), lambda t: t * scipy.special.ndtr(t)
    ),
}
"""Activations by name: analytic on either side of 0, where they may have a kink."""


def init(key: Key, p: int, d: int) -> Float[Array, "p d"]:
    """Draw p feature directions uniform on the sphere, from the stream "features"."""
    return sphere.uniform(stream(key, "features"), p, d)


def apply(
    theta: Float[Array, "p d"], x: Float[Array, "n d"], activation: str
) -> Float[Array, "n p"]:
    """Evaluate the features, 1/sqrt(p) included."""
    p, d = theta.shape
    return ACTIVATIONS[activation].device(x @ theta.T / np.sqrt(d)) / np.sqrt(p)


class Series(NamedTuple):
    """Averages over the sphere of one activation (host).

    Attributes:
        power: squared coefficients on the degrees kept, (degrees,).
        total: mean square.
        slope: E[t act(t)], the share of a linear target.
        bend: E[(t^2 - 1) act(t)], the share of a quadratic target.
    """

    power: np.ndarray
    total: float
    slope: float
    bend: float


@lru_cache(maxsize=256)
def series(activation: str, d: int) -> Series:
    """Expand the mean product of two features in zonal harmonics of their cosine.

    Degrees are kept until the root mean square of what they leave out, over pairs of random
    directions, is below 1e-9 of the mean square, and none beyond 96.
    """
    most = 96
    act = ACTIVATIONS[activation].host

    def moments(t: float) -> np.ndarray:
        value = act(np.asarray(t))
        zonal = sphere.zonal(d, most, np.asarray(t / np.sqrt(d)))
        return value * np.concatenate([zonal, [value, t, t * t - 1.0]])

    *mean, total, slope, bend = sphere.average(d, moments)
    degree = np.arange(most, dtype=float)
    # Dimension of the harmonics of each degree, up to rounding; degree 0 has one.
    log_dimension = (
        scipy.special.gammaln(degree + d - 2)
        - scipy.special.gammaln(d - 1)
        - scipy.special.gammaln(degree + 1)
        + np.log(2 * degree + d - 2)
    )
    power = np.array(mean) ** 2 * np.exp(log_dimension)
    power = np.where(power > 1e-26 * total, power, 0.0)
    # A zonal harmonic has mean square 1/dimension over random directions.
    left = np.cumsum((power * np.exp(-log_dimension / 2))[::-1])[::-1]
    kept = int(np.sum(left > 1e-9 * total))
    return Series(power[:kept], float(total), float(slope), float(bend))


def products(theta: Float[Array, "p d"], activation: str) -> Float[Array, "p p"]:
    """Mean over inputs of the product of every two features, 1/p included.

    A sum of squared coefficients times zonal harmonics, with the exact mean square on the
    diagonal: positive definite whatever the number of degrees.
    """
    p, d = theta.shape
    law = series(activation, d)
    cosine = theta @ theta.T / d
    before, zonal = jnp.ones_like(cosine), cosine
    total = law.power[0] * before if len(law.power) else jnp.zeros_like(cosine)
    for degree in range(1, len(law.power)):
        total = total + law.power[degree] * zonal
        before, zonal = (
            zonal,
            ((2 * degree + d - 2) * cosine * zonal - degree * before) / (degree + d - 2),
        )
    return jnp.where(jnp.eye(p, dtype=bool), law.total, total) / p


class Population(NamedTuple):
    """A square root of the population's second moments: excess risk = |metric a - target|^2.

    Attributes:
        metric: (q, p).
        target: (q,).
    """

    metric: Float[Array, "q p"]
    target: Float[Array, " q"]


def population(
    theta: Float[Array, "p d"], activation: str, *, signal: Value, quadratic: Value
) -> Population:
    """Factor the second moments of features and target over the whole sphere.

    The target is the one of ``tasks.sphere``: sqrt(signal) u.x + sqrt(quadratic) h(x).
    """
    p, d = theta.shape
    strength = jnp.sqrt(signal), jnp.sqrt(quadratic)
    if activation == "linear":  # the moments have rank d and a root at hand
        metric = jnp.concatenate([theta.T, jnp.zeros((1, p), theta.dtype)]) / np.sqrt(d * p)
        unit = jnp.full((d,), 1 / np.sqrt(d), theta.dtype)
        return Population(metric, jnp.append(strength[0] * unit, strength[1]))
    law = series(activation, d)
    shared = strength[0] * (law.slope / np.sqrt(d)) * sphere.linear(theta)
    shared = shared + strength[1] * (law.bend / (d - 1)) * sphere.quadratic(theta)
    shared = shared / np.sqrt(p)
    moments = jnp.block(
        [
            [products(theta, activation), shared[:, None]],
            [shared[None, :], jnp.reshape(signal + quadratic, (1, 1))],
        ]
    )
    # Rounding may leave a null direction slightly negative: lift all by a few last places.
    lift = 8 * jnp.finfo(theta.dtype).eps * jnp.trace(moments)
    root = jnp.linalg.cholesky(moments + lift * jnp.eye(p + 1, dtype=theta.dtype))
    return Population(root[:p].T, root[p])
