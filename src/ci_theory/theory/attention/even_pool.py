r"""Bayes on a pool of tasks against ridge, at any size, where contexts show all directions alike.

``task_pool`` averages over drawn contexts. If the inputs of a context fill orthonormal frames,
:math:`X'X = \alpha I`, all that it tells of its task is :math:`z = w + \sigma e`,
:math:`\sigma^2 = \rho/\alpha`: ridge answers :math:`m = z/(1 + \sigma^2)`, and a pool is a random
code. Given z the weights :math:`r_j = p(z | w_j)/p(z)` are independent and functions of the
distances :math:`|z - w_j|` alone. With :math:`S = \sum c_j r_j`,
:math:`V = \sum c_j r_j (w_j - m)`, :math:`C = \sum c_j`,

.. math:: \text{loss} = \tfrac1d\,\mathrm E\,\frac{|V|^2}{S^2}
    = \tfrac1d\,\mathrm E \int_0^\infty t\,|V|^2 e^{-tS}\,dt, \qquad
    \text{gain} = \tfrac1d\,\mathrm E\,\frac{|V|^2}{C S}
    = \tfrac1d\,\mathrm E \int_0^\infty \tfrac1C\,|V|^2 e^{-tS}\,dt,

and the mean over the pool under the integrals is a product of means over one task each.

In these a task and t meet only as :math:`t\,r_j = e^{L - v}`, :math:`v = |z - w_j|^2/2\sigma^2`:
one table of its functions on two lattices, of v and of L, serves every z. Their steps are about 1,
and wider where v is large: chances there vary over many steps. Directions are averaged beforehand;
what they come to is a power of :math:`|z||z - w_j|` times a short series.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln, ive

from ci_theory._types import Array, Scalar, Value, needs_float64

__all__ = ["EvenPool", "PoolNodes", "even_pool", "pool_nodes"]

SHOWN, FAR, TIMES = 32, 320, 240  # points: |z|, v, L
TERMS, BEND = 20, 8.0  # of the series of directions, and where on its axis the middle is
EDGE = 0.5  # longest step of a distance
WIDER, LATER = 250.0, 50.0  # in v and in L: from about where on steps are wider
BEFORE = 16.0  # in ln t S: what is left out below is less than e^-16 of the gain
LEAST, VAST = 1e-14, 600.0


class EvenPool(NamedTuple):
    """What knowing a pool is worth beside ridge [label^2].

    Attributes:
        gain: error of ridge less that of the pool, on tasks of the pool.
        loss: error of the pool less that of ridge, on new tasks.
        ridge: error of ridge less the label noise.
        off: what the mean of S/S, an integral of the same points, differs from 1.
    """

    gain: Scalar
    loss: Scalar
    ridge: Scalar
    off: Scalar


class PoolNodes(NamedTuple):
    """Points of integration in d dimensions.

    Attributes:
        d: the dimension.
        radius: |z| over its scale.
        chance: of each radius.
        density: logarithm of the factor of r^(d-1) exp(-r^2/2) in the density of a length.
        turned: Chebyshev series of the means over directions of e^(k (cos - 1)) and of cos times
            that, over (1 + k)^(-(d-1)/2), in (k - BEND)/(k + BEND); shape (terms, 2).
        far: places in v, as parts of their range.
        times: places in L, likewise.
    """

    d: Any
    radius: Any
    chance: Any
    density: Any
    turned: Any
    far: Any
    times: Any


def pool_nodes(d: int) -> PoolNodes:
    """Return points for ``even_pool``, by Legendre, Chebyshev and the trapezoidal rule.

    >>> made = pool_nodes(4)
    >>> print(f"{sum(made.chance):.7f} {sum(made.chance * made.radius**2):.6f}")
    1.0000000 4.000000
    """
    points, parts = np.polynomial.legendre.leggauss(SHOWN)
    high = d**0.5 + 6.4
    radius = high * (1 + points) / 2
    density = -(d / 2 - 1) * np.log(2) - gammaln(d / 2)
    chance = high / 2 * parts * np.exp((d - 1) * np.log(radius) - radius**2 / 2 + density)

    def turned(order: int) -> np.ndarray:
        def mean(place: np.ndarray) -> Any:
            k = BEND * (1 + place) / (1 - place)
            power = gammaln(d / 2) + (d / 2 - 1) * np.log(2 / k) + (d - 1) / 2 * np.log1p(k)
            return np.exp(power) * ive(d / 2 - 1 + order, k)

        return np.polynomial.chebyshev.chebinterpolate(mean, TERMS)

    series = np.stack([turned(0), turned(1)], axis=1)
    lattices = (np.linspace(0, 1, 1 + count) for count in (FAR, TIMES))
    return PoolNodes(float(d), radius, chance, density, series, *lattices)


def _softly(y: Array) -> tuple[Array, Array]:
    """Return ln(1 + e^y) and its derivative."""
    return jnp.logaddexp(y, 0.0), jax.nn.sigmoid(y)


def _distances(nodes: PoolNodes, spread: Array, most: Array) -> tuple[Array, Array, Array]:
    """Place distances up to the largest: v, the distance, and the length that it stands for.

    Steps are of its logarithm far below EDGE, then of itself, and of v where these are shorter.
    """
    d = jnp.asarray(nodes.d, float)
    far = jnp.asarray(nodes.far)
    bend = EDGE**2 / (2 * spread)
    largest = most**2 / (2 * spread)
    plain = (jnp.sqrt(1 + 4 * largest / WIDER) - 1) * WIDER / 2
    end = (plain + jnp.sqrt(plain**2 + 4 * plain / bend)) / 2
    begin = -34 / d
    soft, slope = _softly(begin + (end - begin) * far)
    v = bend * soft**2 / (1 + bend * soft)
    slope = slope * bend * soft * (2 + bend * soft) / (1 + bend * soft) ** 2
    slope, v = slope * (1 + 2 * v / WIDER), v + v**2 / WIDER
    x = jnp.sqrt(2 * spread * v)
    return v, x, (end - begin) * (far[1] - far[0]) * slope * spread / x


def _times(nodes: PoolNodes, first: Array, last: Array) -> tuple[Array, Array]:
    """Place L from the first to about the last, in steps that widen from 4 on; return these too."""
    parts = jnp.asarray(nodes.times)
    above = jnp.maximum(last - 4, 1.0)
    end = 4 + (jnp.sqrt(1 + 4 * above / LATER) - 1) * LATER / 2
    y = first + (end - first) * parts
    soft, slope = _softly(y - 4)
    step = (end - first) * (parts[1] - parts[0])
    return y + soft**2 / LATER, step * (1 + 2 * soft * slope / LATER)


def _tasks(nodes: PoolNodes, x: Array, z: Array, shrunk: Value) -> tuple[Array, Array, Array]:
    """Return densities of a task at distances x (v, 1) from z (1, z), shape (v, z).

    The second and third have the part of w - m along z and |w - m|^2 as factors.
    """
    d = jnp.asarray(nodes.d, float)
    k = x * z
    place = ((k - BEND) / (k + BEND))[None]
    turned = jnp.asarray(nodes.turned)[:, :, None, None]
    one = two = jnp.zeros((2, *k.shape))
    for i in range(TERMS, 0, -1):
        one, two = turned[i] + 2 * place * one - two, one
    turns = turned[0] + place * one - two
    power = (d - 1) * (jnp.log(x) - jnp.log1p(k) / 2) - (x - z) ** 2 / 2
    here, toward = jnp.exp(power + nodes.density)[None] * turns
    along = shrunk * z * here - x * toward
    square = ((shrunk * z) ** 2 + x**2) * here - 2 * shrunk * z * x * toward
    return here, along, square


@needs_float64
@jax.jit
def even_pool(nodes: PoolNodes, once: Any, copied: Any, copies: Any, spread: Any) -> EvenPool:
    r"""Gain and loss of Bayes on a pool of Gaussian tasks, exact at every size.

    .. math:: |V|^2 e^{-tS} \to \Phi \Bigl[\sum_g \frac{n_g c_g^2 b_g}{\varphi_g}
        + \Bigl(\sum_g \frac{n_g c_g a_g}{\varphi_g}\Bigr)^2
        - \sum_g \frac{n_g c_g^2 a_g^2}{\varphi_g^2}\Bigr], \qquad
        \Phi = \prod_g \varphi_g^{n_g}

    .. math:: \varphi_g = \mathrm E\,e^{-t c_g r}, \quad
        a_g = \mathrm E\,r\,\hat z \cdot (w - m)\,e^{-t c_g r}, \quad
        b_g = \mathrm E\,r^2 |w - m|^2 e^{-t c_g r}

    Args:
        nodes: ``pool_nodes`` of the input dimension, 2 to 8.
        once: tasks that come once.
        copied: distinct tasks that come more often.
        copies: how often these come.
        spread: sigma^2, variance of what a context tells, 0.2 to 100.

    Regime: exact but for points of integration: they leave 1e-6 of gain and loss up to a thousand
    tasks, 2e-5 up to 10^9; ``off`` says where the integral over t fails.

    Limits: one task gain = ridge; many tasks both :math:`(1 + \sigma^{-2})^{d-1}/k`.

    Source: derived here (docs/attention/in_context.md); the predictors: Raventos, Paul, Chen,
    Ganguli 2023 (arXiv:2306.15063).

    >>> made = even_pool(pool_nodes(4), 10.0, 0.0, 1.0, 0.5)
    >>> print(f"{float(made.gain):.5f} {float(made.loss):.5f} {float(made.ridge):.5f}")
    0.17490 0.32692 0.33333
    """
    spread = jnp.asarray(spread, float)
    numbers = jnp.stack([jnp.asarray(v, float) for v in (once, copied)])
    heights = jnp.stack([jnp.ones(()), jnp.asarray(copies, float)])
    whole = jnp.sum(numbers * heights)
    shrunk = spread / (1 + spread)  # of ridge, a dimension

    d = jnp.asarray(nodes.d, float)
    z = jnp.asarray(nodes.radius)[None, :] * jnp.sqrt(1 + spread)  # (1, z), as in all below
    v, x, length = _distances(nodes, spread, jnp.max(z) + 1)
    here, along, square = (length[:, None] * f for f in _tasks(nodes, x[:, None], z, shrunk))
    base = d / 2 * jnp.log1p(1 / spread) + z**2 / (2 * (1 + spread))  # ln r of a task at z itself
    late, step = _times(nodes, -jnp.log(whole) - BEFORE, v[-1] + 2)  # L = ln t + base
    near, far = jnp.exp(jnp.minimum(late, VAST)), jnp.exp(-jnp.minimum(v, VAST))
    table = near[:, None] * far[None, :]  # t r

    def over(height: Array) -> tuple[Array, ...]:
        seen = height * table
        missed = -jnp.expm1(-seen)
        used = seen * (1 - missed)
        log = jnp.log1p(-jnp.minimum(missed @ here, 1 - LEAST))
        return log, used @ here, used @ along, (seen * used) @ square

    logs, mass, a, b = jax.vmap(over)(heights)  # (2, L, z)
    n, inverse = numbers[:, None, None], jnp.exp(-logs)
    left = jnp.exp(jnp.sum(n * logs, axis=0))
    both = jnp.sum(n * a * inverse, axis=0) ** 2 - jnp.sum(n * (a * inverse) ** 2, axis=0)
    loss = left * (jnp.sum(n * b * inverse, axis=0) + both)
    unit = left * jnp.sum(n * mass * inverse, axis=0)
    gain = loss * jnp.exp(base - late[:, None]) / whole
    made = jnp.stack([step @ f for f in (gain, loss, unit)]) @ jnp.asarray(nodes.chance)
    return EvenPool(made[0] / d, made[1] / d, shrunk, jnp.abs(made[2] - 1))
