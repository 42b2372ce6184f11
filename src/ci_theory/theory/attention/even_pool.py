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
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy.special import beta, gammaln

from ci_theory._types import Array, Scalar, needs_float64

__all__ = ["EvenPool", "PoolNodes", "even_pool", "pool_nodes"]

SHOWN, FAR, ANGLES, TIMES = 24, 96, 24, 320  # points: |z|, distance, direction, ln t
BEFORE = 10.0  # in ln t S: what is left out below is less than e^-10 of the gain
VAST = 300.0
NEAR, WIDE = 7.0, 90.0  # what is left out of distances and directions is less than e^-20


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
        radius: |z| over its scale, and their chances.
        chance: of each radius.
        density: logarithm of the factor of r^(d-1) exp(-r^2/2) in the density of a length.
        turn: angle between z and the way to a task, over the largest that counts.
        share: of each angle, but for that largest one and the sine's power.
    """

    d: Any
    radius: Any
    chance: Any
    density: Any
    turn: Any
    share: Any


def pool_nodes(d: int) -> PoolNodes:
    """Return points for ``even_pool``, by Legendre's rule.

    >>> made = pool_nodes(4)
    >>> print(f"{sum(made.chance):.9f} {sum(made.chance * made.radius**2):.9f}")
    1.000000000 4.000000000
    """
    points, parts = np.polynomial.legendre.leggauss(SHOWN)
    low, high = max(0.0, d**0.5 - 6), d**0.5 + 7
    radius = low + (high - low) * (1 + points) / 2
    density = -(d / 2 - 1) * np.log(2) - gammaln(d / 2)
    chance = (high - low) / 2 * parts * np.exp((d - 1) * np.log(radius) - radius**2 / 2 + density)
    turns, share = np.polynomial.legendre.leggauss(ANGLES)
    share = share / 2 / beta((d - 1) / 2, 0.5)  # of sin^(d-2)
    return PoolNodes(float(d), radius, chance, density, (1 + turns) / 2, share)


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
        spread: sigma^2, variance of what a context tells, >= 0.2.

    Regime: exact but for points of integration, 1e-4 of gain and loss in these ranges; ``off``
    says where the integral over t fails.

    Limits: one task gain = ridge; many tasks both :math:`(1 + \sigma^{-2})^{d-1}/k`.

    Source: derived here (docs/in_context.md); the predictors: Raventos, Paul, Chen, Ganguli 2023
    (arXiv:2306.15063).

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
    turns, share = jnp.asarray(nodes.turn)[None, :], jnp.asarray(nodes.share)[None, :]
    steps, widths = np.polynomial.legendre.leggauss(FAR)

    def given(radius: Array) -> Array:
        """Integrate over t for one |z|: what gain, loss and S/S come to."""
        z = radius * jnp.sqrt(1 + spread)
        least = jnp.maximum(z * spread / (2 + spread) - NEAR, 0.0)
        most = jnp.sqrt(z**2 + d) + 5
        x = least + (most - least) * (1 + steps) / 2  # distance of a task
        density = (d - 1) * jnp.log(x) - (x - z) ** 2 / 2 + nodes.density
        density = (most - least) * widths / 2 * jnp.exp(density)
        pull = z * x[:, None]
        widest = jnp.minimum(jnp.sqrt(WIDE / pull), jnp.pi)
        angle = widest * turns
        turn = jnp.exp(-2 * pull * jnp.sin(angle / 2) ** 2) * jnp.sin(angle) ** (d - 2)
        turn = turn * widest * share
        here = density * jnp.sum(turn, axis=1)
        toward = density * jnp.sum(turn * jnp.cos(angle), axis=1) * x
        along = shrunk * z * here - toward
        square = (shrunk * z) ** 2 * here - 2 * shrunk * z * toward + x**2 * here
        base = d / 2 * jnp.log1p(1 / spread) + z**2 / (2 * (1 + spread))
        first = -jnp.log(whole) - base - BEFORE  # base: ln r of a task at z itself
        step = (most**2 / (2 * spread) - base + 2 - first) / TIMES
        times = first + step * jnp.arange(TIMES)
        power = (base - x**2 / (2 * spread))[None, :] + times[:, None]  # ln t r

        def over(height: Array) -> tuple[Array, ...]:
            seen = jnp.exp(jnp.minimum(power + jnp.log(height), VAST))
            kept = jnp.exp(-seen)
            lost = -jnp.expm1(-seen) @ here
            few = jnp.log(jnp.maximum(kept @ here, 1e-290))
            log = jnp.where(lost < 0.5, jnp.log1p(-jnp.minimum(lost, 0.9)), few)
            used = seen * kept
            return log, used @ here, used @ along, (seen * used) @ square

        logs, mass, a, b = jax.vmap(over)(heights)  # (2, TIMES)
        n = numbers[:, None]
        left = jnp.exp(jnp.sum(n * logs, axis=0))
        inverse = jnp.exp(-logs)
        both = jnp.sum(n * a * inverse, axis=0) ** 2 - jnp.sum(n * (a * inverse) ** 2, axis=0)
        loss = left * (jnp.sum(n * b * inverse, axis=0) + both)
        unit = left * jnp.sum(n * mass * inverse, axis=0)
        gain = loss * jnp.exp(-times) / whole
        return step * jnp.stack([jnp.sum(gain), jnp.sum(loss), jnp.sum(unit)])

    made = jnp.asarray(nodes.chance) @ lax.map(given, jnp.asarray(nodes.radius))
    return EvenPool(made[0] / d, made[1] / d, shrunk, jnp.abs(made[2] - 1))
