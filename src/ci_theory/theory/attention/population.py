r"""Linear attention trained on endless prompts: exact at finite size, for any covariance.

Inputs x ~ N(0, L), tasks w of second moment C, labels x.w + noise of variance v, each of the right
sign with a mean sign b, N pairs a context, :math:`h = \frac1N \sum_i y_i x_i`, answer
:math:`x_q' G h`. With

.. math:: S = \mathrm E\,h h' = \Bigl[b^2\Bigl(1 - \tfrac1N\Bigr) + \tfrac2N\Bigr] L C L
    + \frac{\mathrm{tr}\,CL + v}{N}\,L

every error is a quadratic form in G, and the best G is a linear system. What it has learnt of L is
built in: another covariance is read with the old one.
"""

from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._record import record
from ci_theory._types import Array, Float, Scalar, needs_float64

__all__ = [
    "World",
    "best_attention",
    "best_noise",
    "largest_scale",
    "prompt_error",
    "ridge_error",
    "turned",
    "turned_gain",
]


@record
class World:
    """A law of prompts.

    Attributes:
        inputs: L, covariance of the inputs, (d, d).
        tasks: C, second moment of the tasks, (d, d).
        pairs: N, pairs of a context; of pairs that come c_i times with their labels,
            :math:`(\\sum c_i)^2/\\sum c_i^2`, whole or not.
        noise: v, label-noise variance.
        sign: b, mean sign of a label: 1 - 2f if a share f of those in contexts and of queries,
            each by itself (copies as one), is wrong.
    """

    inputs: Float[Any, "d d"]
    tasks: Float[Any, "d d"]
    pairs: Any
    noise: Any
    sign: Any = 1.0


def _common(world: World) -> Array:
    """Return the factor of LCL in S."""
    return world.sign**2 * (1 - 1 / world.pairs) + 2 / world.pairs


def _moment(world: World) -> Array:
    """Return S."""
    spread = (jnp.trace(world.tasks @ world.inputs) + world.noise) / world.pairs
    whole = world.inputs @ world.tasks @ world.inputs
    return _common(world) * whole + spread * world.inputs


@needs_float64
def best_attention(world: World) -> Float[Array, "d d"]:
    r"""Weights of linear attention that endless prompts lead to.

    .. math:: G = b^2 C \Bigl[\Bigl(b^2\Bigl(1 - \tfrac1N\Bigr) + \tfrac2N\Bigr) L C
        + \frac{\mathrm{tr}\,CL + v}{N}\Bigr]^{-1}

    Args:
        world: the prompts trained on; not without both signal and noise.

    Regime: exact for Gaussian inputs. Limits: N -> infinity the inverse of L, where it has one.

    Source: Zhang, Frei, Bartlett 2024 (JMLR 25(49), arXiv:2306.09927) and Ahn, Cheng, Daneshmand,
    Sra 2023 (arXiv:2306.00297) for C = I without noise; wrong signs derived here.

    >>> plain = World(inputs=jnp.eye(2), tasks=jnp.eye(2), pairs=4.0, noise=1.0)
    >>> print(best_attention(plain))
    [[0.5 0. ]
     [0.  0.5]]
    """
    spread = (jnp.trace(world.tasks @ world.inputs) + world.noise) / world.pairs
    d = world.inputs.shape[0]
    system = _common(world) * world.tasks @ world.inputs + spread * jnp.eye(d)
    return world.sign**2 * jnp.linalg.solve(system, world.tasks)


@needs_float64
def prompt_error(weights: Float[Array, "d d"], world: World) -> Scalar:
    r"""Mean squared error of given weights on new prompts.

    .. math:: v + \mathrm{tr}\,CL - 2 b^2\,\mathrm{tr}\,LGLC + \mathrm{tr}\,LGSG'

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
    kept = world.sign**2 * jnp.trace(shown @ world.inputs @ world.tasks)
    power = jnp.trace(shown @ _moment(world) @ weights.T)
    return world.noise + jnp.trace(world.tasks @ world.inputs) - 2 * kept + power


@needs_float64
def largest_scale(weights: Float[Array, "d d"], world: World) -> Scalar:
    r"""Factor on the covariance of the inputs up to which the context still helps.

    .. math:: s^* = \frac{2 b^2\,\mathrm{tr}\,LGLC - \frac vN\,\mathrm{tr}\,LGLG'}
        {\bigl(b^2(1 - \frac1N) + \frac2N\bigr)\,\mathrm{tr}\,LGLCLG'
        + \frac{\mathrm{tr}\,CL}{N}\,\mathrm{tr}\,LGLG'}

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
    kept = world.sign**2 * jnp.trace(shown @ world.inputs @ world.tasks)
    spread = jnp.trace(shown @ world.inputs @ weights.T)
    power = jnp.trace(shown @ world.inputs @ world.tasks @ world.inputs @ weights.T)
    total = jnp.trace(world.tasks @ world.inputs) / world.pairs
    slope = _common(world) * power + total * spread
    return (2 * kept - world.noise / world.pairs * spread) / slope


def turned(inputs: Float[Any, "d d"], turn: Any) -> Float[Array, "d d"]:
    """Turn a covariance in the planes of the first and last axis, the next and last but one, ...

    Args:
        inputs: L.
        turn: angle in right angles: at 1 a diagonal comes out reversed.

    >>> print(jnp.round(turned(jnp.diag(jnp.array([1.0, 2.0, 3.0])), 1.0), 12))
    [[3. 0. 0.]
     [0. 2. 0.]
     [0. 0. 1.]]
    """
    d = inputs.shape[0]
    side = jnp.sign(d - 1 - 2 * jnp.arange(d)) * 1.0  # 1 before the middle, -1 behind
    angle = jnp.pi / 2 * jnp.asarray(turn, float)
    along = jnp.where(side == 0, 1.0, jnp.cos(angle))
    basis = jnp.diag(along) + jnp.diag(side * jnp.sin(angle))[:, ::-1]
    return basis @ inputs @ basis.T


@needs_float64
def turned_gain(weights: Float[Array, "d d"], world: World) -> Float[Array, " 4"]:
    r"""How much better than 0 weights answer on turned inputs: a cubic in the turn's cosine.

    .. math:: \mathrm{tr}\,CL + v - E(L_\theta) = \sum_{k=0}^3 a_k \cos^k 2\theta

    L_theta is L ``turned`` by theta: its entries are linear in cos 2 theta and sin 2 theta, the
    error is cubic in them, and even in theta where all matrices are diagonal. So four angles tell
    the rest; the context stops to help at a root.

    Args:
        weights: G, diagonal.
        world: the test before it is turned, its matrices diagonal.

    Returns:
        a_0 to a_3 [label^2]; theta is pi/2 times the turn.

    Regime: exact for Gaussian inputs. Limits: equal variances a_0 alone.

    Source: derived here.

    >>> two = jnp.diag(jnp.array([2.0, 1.0]))
    >>> slope = World(inputs=two, tasks=two, pairs=4.0, noise=1.0)
    >>> print(" ".join(f"{float(a):.4f}" for a in turned_gain(best_attention(slope), slope)))
    2.3045 0.5125 0.0088 -0.0006
    """
    cosines = jnp.array([1.0, 0.5, -0.5, -1.0])

    def gain(cosine: Array) -> Scalar:
        inputs = turned(world.inputs, jnp.arccos(cosine) / jnp.pi)
        there = World(
            inputs=inputs,
            tasks=world.tasks,
            pairs=world.pairs,
            noise=world.noise,
            sign=world.sign,
        )
        blind = jnp.trace(world.tasks @ inputs) + world.noise
        return blind - prompt_error(weights, there)

    return jnp.linalg.solve(jnp.vander(cosines, increasing=True), jax.vmap(gain)(cosines))


@needs_float64
def best_noise(trained: World, test: World) -> Scalar:
    r"""Noise in the labels trained on that is best for a test, isotropic inputs and tasks.

    .. math:: v^* = N \Bigl\{ b^2 \Bigl[\Bigl(1 + \tfrac1M\Bigr) \ell' c
        + \frac{d c \ell' + v'}{M}\Bigr] - \Bigl[b^2\Bigl(1 - \tfrac1N\Bigr)
        + \tfrac2N\Bigr] \ell c \Bigr\} - d c \ell

    :math:`L = \ell I`, :math:`C = c I`; primes and M are of the test, whose signs are right: noise
    makes the weights smaller, and those of the test are met. Not positive: none is best.

    Args:
        trained: prompts trained on, but for their noise, which is not read.
        test: those of the test, of the same tasks.

    Regime: exact for Gaussian inputs, L and C multiples of the identity (their traces are read).
    Limits: the test is as the training: v'.

    Source: derived here.

    >>> plain = World(inputs=jnp.eye(2), tasks=jnp.eye(2), pairs=4.0, noise=1.0)
    >>> twice = World(inputs=2 * jnp.eye(2), tasks=jnp.eye(2), pairs=4.0, noise=1.0)
    >>> print(best_noise(plain, plain), best_noise(plain, twice))
    1.0 8.0
    """
    d = trained.inputs.shape[0]
    one, other = (jnp.trace(w.tasks @ w.inputs) / d for w in (trained, test))
    wanted = _common(test) * other + (d * other + test.noise) / test.pairs
    return trained.pairs * (trained.sign**2 * wanted - _common(trained) * one) - d * one


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
