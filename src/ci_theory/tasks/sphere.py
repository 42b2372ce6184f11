"""Inputs uniform on the sphere of radius sqrt(d), with a linear plus quadratic target.

The target is sqrt(signal) u.x + sqrt(quadratic) h(x): u a unit vector, h a harmonic of degree 2
with unit variance, both fixed, so that a prediction knows them exactly. By rotation invariance
of inputs and features the choice of u does not matter; h spreads over all coordinates.

>>> x = rows(jax.random.key(0), 3, 8)
>>> bool(jnp.allclose(jnp.sum(x**2, axis=1), 8.0, rtol=1e-5))
True
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad_vec

from ci_theory._keys import stream
from ci_theory._types import Array, Float, Key


def uniform(key: Key, n: int, d: int) -> Float[Array, "n d"]:
    """Draw n points uniform on the sphere of radius sqrt(d) in R^d."""
    z = jax.random.normal(key, (n, d))
    return z * jnp.sqrt(d / jnp.sum(z**2, axis=1, keepdims=True))


def rows(key: Key, n: int, d: int) -> Float[Array, "n d"]:
    """Draw n inputs from the stream "design"."""
    return uniform(stream(key, "design"), n, d)


def linear(x: Float[Array, "n d"]) -> Float[Array, " n"]:
    """Evaluate u.x, of unit variance: u has all coordinates equal."""
    return jnp.sum(x, axis=1) / jnp.sqrt(x.shape[1])


def quadratic(x: Float[Array, "n d"]) -> Float[Array, " n"]:
    """Evaluate h(x) = sum_i a_i x_i^2, of zero mean and unit variance: a_i = +-1 about its mean.

    On the sphere sum_i a_i x_i^2 with sum_i a_i = 0 has variance 2 d/(d + 2) sum_i a_i^2.
    """
    d = x.shape[1]
    a = np.where(np.arange(d) % 2 == 0, 1.0, -1.0)
    a -= a.mean()
    a /= np.sqrt(2 * d / (d + 2) * np.sum(a**2))
    return x**2 @ jnp.asarray(a, x.dtype)


def zonal(d: int, degrees: int, cosine: np.ndarray) -> np.ndarray:
    """Evaluate the zonal harmonics P_l, P_l(1) = 1, for l < degrees: (degrees,) + cosine.shape."""
    p = [np.ones_like(cosine), cosine]
    for degree in range(1, degrees - 1):
        p.append(
            ((2 * degree + d - 2) * cosine * p[degree] - degree * p[degree - 1]) / (degree + d - 2)
        )
    return np.stack(p[:degrees])


def average(d: int, function: object) -> np.ndarray:
    """Average a vector-valued function of t = <x, theta>/sqrt(d), kinks at 0 allowed (host).

    Adaptive quadrature in the angle between x and the equator of theta, on each side of it.
    """

    def density(angle: float) -> float:
        return float(np.cos(angle) ** (d - 2))

    def both(angle: float) -> np.ndarray:
        t = np.sqrt(d) * np.sin(angle)
        sides = np.asarray(function(t)) + np.asarray(function(-t))  # type: ignore[operator]
        return np.append(sides, 2.0) * density(angle)

    # Beyond 14/sqrt(d) the density is below 1e-40.
    top = min(np.pi / 2, 14.0 / np.sqrt(d))
    total = quad_vec(both, 0.0, top, epsabs=1e-14, epsrel=1e-13)[0]
    return total[:-1] / total[-1]
