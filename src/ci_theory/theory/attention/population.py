r"""Linear attention trained on endless prompts: exact at finite size, for any covariance.

Inputs x ~ N(0, L), tasks w of second moment C, labels x.w + noise of variance v, N pairs a context,
:math:`h = \frac1N \sum_i y_i x_i`, answer :math:`x_q' G h`. With

.. math:: S = \mathrm E\,h h' = \Bigl(1 + \tfrac1N\Bigr) L C L + \frac{\mathrm{tr}\,CL + v}{N}\,L

every error is a quadratic form in G, and the best G is a linear system. What it has learnt of L is
built in: another covariance is read with the old one.
"""

from typing import Any

import jax.numpy as jnp

from ci_theory._record import record
from ci_theory._types import Array, Float, Scalar, needs_float64

__all__ = ["World", "best_attention", "largest_scale", "prompt_error", "ridge_error"]


@record
class World:
    """A law of prompts.

    Attributes:
        inputs: L, covariance of the inputs, (d, d).
        tasks: C, second moment of the tasks, (d, d).
        pairs: N, pairs of a context.
        noise: v, label-noise variance.
    """

    inputs: Float[Any, "d d"]
    tasks: Float[Any, "d d"]
    pairs: Any
    noise: Any


def _moment(world: World) -> Array:
    """Return S."""
    spread = (jnp.trace(world.tasks @ world.inputs) + world.noise) / world.pairs
    whole = world.inputs @ world.tasks @ world.inputs
    return (1 + 1 / world.pairs) * whole + spread * world.inputs


@needs_float64
def best_attention(world: World) -> Float[Array, "d d"]:
    r"""Weights of linear attention that endless prompts lead to.

    .. math:: G = C \Bigl[\Bigl(1 + \tfrac1N\Bigr) L C + \frac{\mathrm{tr}\,CL + v}{N}\Bigr]^{-1}

    Args:
        world: the prompts trained on; not without both signal and noise.

    Regime: exact for Gaussian inputs. Limits: N -> infinity the inverse of L, where it has one.

    Source: Zhang, Frei, Bartlett 2024 (JMLR 25(49), arXiv:2306.09927) and Ahn, Cheng, Daneshmand,
    Sra 2023 (arXiv:2306.00297) for C = I without noise.

    >>> plain = World(inputs=jnp.eye(2), tasks=jnp.eye(2), pairs=4.0, noise=1.0)
    >>> print(best_attention(plain))
    [[0.5 0. ]
     [0.  0.5]]
    """
    spread = (jnp.trace(world.tasks @ world.inputs) + world.noise) / world.pairs
    d = world.inputs.shape[0]
    system = (1 + 1 / world.pairs) * world.tasks @ world.inputs + spread * jnp.eye(d)
    return jnp.linalg.solve(system, world.tasks)


@needs_float64
def prompt_error(weights: Float[Array, "d d"], world: World) -> Scalar:
    r"""Mean squared error of given weights on new prompts.

    .. math:: v + \mathrm{tr}\,CL - 2\,\mathrm{tr}\,LGLC + \mathrm{tr}\,LGSG'

    Args:
        weights: G.
        world: the prompts of the test, which need not be those trained on.

    Regime: exact for Gaussian inputs. Limits: G = 0 the labels' mean square.

    Source: as ``best_attention``; other tests derived here.

    >>> plain = World(inputs=jnp.eye(2), tasks=jnp.eye(2), pairs=4.0, noise=1.0)
    >>> print(prompt_error(best_attention(plain), plain))
    2.0
    """
    shown = world.inputs @ weights
    kept = jnp.trace(shown @ world.inputs @ world.tasks)
    power = jnp.trace(shown @ _moment(world) @ weights.T)
    return world.noise + jnp.trace(world.tasks @ world.inputs) - 2 * kept + power


@needs_float64
def largest_scale(weights: Float[Array, "d d"], world: World) -> Scalar:
    r"""Factor on the covariance of the inputs up to which the context still helps.

    .. math:: s^* = \frac{2\,\mathrm{tr}\,LGLC - \frac vN\,\mathrm{tr}\,LGLG'}
        {(1 + \frac1N)\,\mathrm{tr}\,LGLCLG' + \frac{\mathrm{tr}\,CL}{N}\,\mathrm{tr}\,LGLG'}

    Beyond it (L replaced by s L) answering 0 is better than reading the context; so it is
    everywhere if this is not positive.

    Args:
        weights: G, trained anywhere.
        world: the test at s = 1.

    Regime: exact for Gaussian inputs. Limits: N -> infinity 2 for weights trained there.

    Source: derived here: ``prompt_error`` less the labels' mean square, over s^2, is linear in s.

    >>> plain = World(inputs=jnp.eye(2), tasks=jnp.eye(2), pairs=4.0, noise=1.0)
    >>> print(f"{float(largest_scale(best_attention(plain), plain)):.4f}")
    2.1429
    """
    shown = world.inputs @ weights
    kept = jnp.trace(shown @ world.inputs @ world.tasks)
    spread = jnp.trace(shown @ world.inputs @ weights.T)
    power = jnp.trace(shown @ world.inputs @ world.tasks @ world.inputs @ weights.T)
    total = jnp.trace(world.tasks @ world.inputs) / world.pairs
    slope = (1 + 1 / world.pairs) * power + total * spread
    return (2 * kept - world.noise / world.pairs * spread) / slope


@needs_float64
def ridge_error(ratio: Any, noise: Any) -> Scalar:
    r"""Mean squared error of the Bayes predictor that knows only the law of the tasks.

    .. math:: \rho + m, \qquad m = \tfrac12\Bigl[1 - \rho - \alpha
        + \sqrt{(1 - \rho - \alpha)^2 + 4\rho}\Bigr]

    Ridge regression on the context: what a model does at best on new tasks.

    Args:
        ratio: alpha = l/d, pairs of a context per dimension, >= 0.
        noise: rho, label-noise variance; x ~ N(0, I/d), |w|^2 = d.

    Regime: limit d -> infinity at fixed l/d; relative corrections 1/d, larger at small noise.

    Limits: no context 1 + rho; no noise max(0, 1 - alpha).

    Source: Bayes and the deterministic equivalent of isotropic ridge; as baseline Raventos, Paul,
    Chen, Ganguli 2023 (arXiv:2306.15063).

    >>> print(f"{float(ridge_error(2.0, 0.25)):.5f}")
    0.42539
    """
    ratio, noise = jnp.asarray(ratio, float), jnp.asarray(noise, float)
    gap = 1 - noise - ratio
    root = jnp.sqrt(gap**2 + 4 * noise)
    below = 2 * noise / jnp.where(gap < 0, root - gap, 1.0)  # no cancellation
    return noise + jnp.where(gap < 0, below, (gap + root) / 2)
