r"""Many facts of unequal weight in one matrix: which are recalled, all of them at once.

The memory is that of ``associative_memory``, whose ``recall`` treats facts one by one, each against
every other: right for few kinds of facts, slow for thousands of different weights. And it gives the
crosstalk one size, which is far from true where a handful of facts is stored much more strongly
than all others: the overlaps of their keys with the one asked for decide alone. Here

- the overlaps with the ``RIVALS`` strongest facts are integrated over, in a lattice of points that
  all facts share;
- all others are represented by the few nodes of Gauss's rule for their weights;
- the chance is a smooth function of a fact's own weight, evaluated at few and interpolated.

So the cost hardly grows with the number of facts. Overlaps on the sphere are Gaussian ones with the
next order of their law, and so is the length of what is read.
"""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jax import lax
from jax.scipy.special import erfc

from ci_theory._types import Array, Bool, Float, Scalar, needs_float64

__all__ = ["mixed_up", "recalled", "recalled_few"]

RIVALS = 5
_POINTS = 256  # a power of 2, as Sobol's points want
_NODES, _WEIGHTS = 6, 20
_Z = np.linspace(-4.5, 4.5, 11)  # noise of the true score: trapezoid
_AT = np.exp(-(_Z**2) / 2) / np.sum(np.exp(-(_Z**2) / 2))
_FLOOR = 1e-12


@cache
def _lattice(dimensions: int) -> np.ndarray:
    """Return normal numbers that cover their law evenly, (points, dimensions)."""
    points = scipy.stats.qmc.Sobol(dimensions, scramble=False).random(_POINTS)
    return scipy.special.ndtri(points + 0.5 / _POINTS)


def _length(x: Array, d: Array) -> Array:
    """Make chi^2_d/d of normal numbers (Wilson and Hilferty)."""
    return (1 - 2 / (9 * d) + x * jnp.sqrt(2 / (9 * d))) ** 3


def _overlap(x: Array, d: Array) -> Array:
    """Make the inner product of two unit vectors of normal numbers: moments are off by 1/d^2."""
    return x * (1 - (x**2 - 3) / (4 * d)) / jnp.sqrt(d)


def _chance(x: Array) -> Array:
    """Return Phi(x)."""
    return 0.5 * erfc(-x / np.sqrt(2))


def _log_chance(x: Array) -> Array:
    """Return log Phi(x), -690 where that is less."""
    return jnp.log(jnp.maximum(_chance(x), 1e-300))


def _gauss(x: Array, mass: Array) -> tuple[Array, Array]:
    """Return Gauss's rule for masses at x in [0, 1], (nodes,) each: Lanczos, orthogonalised."""
    whole = jnp.sum(mass)
    basis = [jnp.sqrt(mass / jnp.maximum(whole, 1e-300))]
    diagonal, beside = [], []
    for _ in range(_NODES):
        new = x * basis[-1]
        diagonal.append(jnp.sum(new * basis[-1]))
        for _ in range(2):
            for old in basis:
                new = new - jnp.sum(new * old) * old
        size = jnp.sqrt(jnp.sum(new**2))
        there = size > 1e-13  # else there are no more different weights
        beside.append(jnp.where(there, size, 0.0))
        basis.append(jnp.where(there, new / jnp.where(there, size, 1.0), 0.0))
    off = jnp.stack(beside[:-1])
    values, vectors = jnp.linalg.eigh(
        jnp.diag(jnp.stack(diagonal)) + jnp.diag(off, 1) + jnp.diag(off, -1)
    )
    return jnp.clip(values, 0.0, 1.0), whole * vectors[0] ** 2


def _interpolated(at: Array, nodes: np.ndarray, values: Array) -> Array:
    """Interpolate from Chebyshev's points of the second kind (barycentric)."""
    signs = np.where(np.arange(len(nodes)) % 2, -1.0, 1.0)
    signs[[0, -1]] /= 2
    apart = at[:, None] - nodes[None, :]
    met = jnp.abs(apart) < 1e-14
    pull = jnp.asarray(signs)[None, :] / jnp.where(met, 1.0, apart)
    pull = jnp.where(jnp.any(met, axis=1, keepdims=True), met * 1.0, pull)
    return pull @ values / jnp.sum(pull, axis=1)


@needs_float64
@jax.jit
def recalled(
    width: Any, weights: Float[Any, " n"], there: Bool[Any, " n"] | None = None
) -> Float[Array, " n"]:
    r"""Chance that each of many facts is recalled.

    .. math:: P_i = \mathrm E_{g, b, z} \prod_{k} \Phi\Bigl(
        \frac{s - c\,b_k}{\sqrt{(g/d)\,b^2 (1 - b_k^2/R)}}\Bigr)
        \prod_j \Phi\Bigl(\frac{s}{\sqrt{(c^2 q_j^2 + g b^2)/d}}\Bigr), \qquad
        s = g q_i + \sqrt{g R/d}\, z, \qquad c = g - q_i \sqrt{\frac{g}{dR}}\, z

    over the strongest other facts k, with overlaps :math:`b_k` of variance :math:`q_k^2/d`, and all
    others j; :math:`R = \sum_k b_k^2 + \sum_j q_j^2/d`, :math:`b^2 = q_i^2 + R`.

    Args:
        width: d, dimensions of keys and values.
        weights: q of each fact, >= 0, not all 0; only their ratios count. A fact of weight 0 is
            not stored, but its value is among the answers.
        there: whether a fact is there at all; all are, by default.

    Returns:
        The chances; 0 where there is no fact.

    Regime: keys and values at random, a value to each fact, d >= 8; off by some P (1 - P)/d, and by
    up to 0.004 for what is integrated with few points.

    Limits: weights all alike: ``associative_memory.recall``.

    Source: as ``associative_memory.recall``, which treats one rival like this;
    docs/discrete/fact_memory.md.

    >>> found = recalled(32.0, jnp.arange(1.0, 1001.0) ** -1.0)
    >>> print(*[f"{float(found[i - 1]):.2f}" for i in (1, 3, 10, 100)])
    1.00 0.91 0.26 0.00
    """
    d, q = jnp.asarray(width, float), jnp.asarray(weights, float)
    there = jnp.ones(q.shape, bool) if there is None else jnp.asarray(there, bool)
    n = q.size
    q = jnp.where(there, q, 0.0)
    q = q / jnp.max(q)
    strong = min(RIVALS, n)
    _, first = lax.top_k(jnp.where(there, q, -1.0), strong)
    real = jnp.arange(strong) < jnp.sum(there)
    rival = jnp.where(real, q[first], 0.0)
    others = there & jnp.ones(n, bool).at[first].set(False)
    squares = jnp.where(others, q**2, 0.0)
    nodes, masses = _gauss(squares, others * 1.0)
    below = jnp.sum(squares)

    # every point with every noise, in one axis: loops over short axes are slow
    points = jnp.asarray(np.tile(_lattice(RIVALS + 1), (len(_Z), 1)).T)
    z, shares = (np.repeat(numbers, _POINTS) for numbers in (_Z, _AT / _POINTS))
    g = _length(points[-1], d)
    b = rival[:, None] * _overlap(points[:strong], d)

    def chance(own: Array, kept: Array, lone: Array) -> Scalar:
        """Return that of a weight among rivals ``kept``, itself one of the others or not."""
        rest = jnp.sum(kept[:, None] * b**2, axis=0) + jnp.maximum(below - lone * own**2, 0.0) / d
        rest = jnp.maximum(rest, _FLOOR)
        whole = g * (own**2 + rest) / d
        score = g * own + jnp.sqrt(g * rest / d) * z
        pull = g - own * jnp.sqrt(g / (d * rest)) * z
        past = jnp.ones(z.size)
        for k in range(strong):
            beside = whole * jnp.maximum(1 - b[k] ** 2 / rest, _FLOOR)
            past *= jnp.where(kept[k] > 0, _chance((score - pull * b[k]) / jnp.sqrt(beside)), 1.0)
        total = -lone * _log_chance(score / jnp.sqrt(whole + pull**2 * own**2 / d))
        for k in range(_NODES):
            spread = jnp.sqrt(whole + pull**2 * nodes[k] / d)
            total += masses[k] * _log_chance(score / spread)
        return jnp.minimum(past * jnp.exp(total), 1.0) @ shares

    # in log(q + soft) chances are smooth down to q = 0
    soft = 0.1 * jnp.sqrt(jnp.sum(q**2)) / d
    grid = np.cos(np.pi * np.arange(_WEIGHTS) / (_WEIGHTS - 1))
    top = jnp.sqrt(jnp.max(squares))
    low, high = jnp.log(soft), jnp.log(soft + jnp.maximum(top, 1e-3 * soft))
    at = jnp.maximum(jnp.exp(low + (high - low) * (grid + 1) / 2) - soft, 0.0)
    own = jnp.concatenate([rival, at])
    kept = jnp.concatenate(
        [real[None, :] & ~jnp.eye(strong, dtype=bool), jnp.tile(real[None, :], (_WEIGHTS, 1))]
    )
    lone = jnp.concatenate([jnp.zeros(strong), jnp.ones(_WEIGHTS)])
    made = lax.map(lambda one: chance(*one), (own, kept * 1.0, lone))
    where = 2 * (jnp.log(soft + jnp.sqrt(squares)) - low) / (high - low) - 1
    found = _interpolated(jnp.clip(where, -1.0, 1.0), grid, made[strong:])
    found = found.at[first].set(made[:strong])
    return jnp.where(there, jnp.clip(found, 0.0, 1.0), 0.0)


@needs_float64
def mixed_up(chance: Any, share: Any, facts: Any) -> Array:
    r"""Chance that a fact is answered rightly where some are stored with each other's answers.

    .. math:: (1 - \xi) P + \xi\, \frac{1 - P}{N - 1}

    The memory gives the answer that was stored with the chance P, as ever; if it was a wrong one,
    the right one is any of the N - 1 others, and one of these is given with the chance 1 - P.

    Args:
        chance: P of each fact, in [0, 1], any shape.
        share: xi, share of the facts whose answers were passed on in a circle, drawn at random.
        facts: N, >= 2.

    Regime: exact, given P. Limits: nobody is mixed up: P. Source: derived here,
    docs/discrete/fact_memory.md.

    >>> print(f"{float(mixed_up(0.9, 0.25, 11.0)):.4f}")  # 0.75 0.9 + 0.25 0.01
    0.6775
    """
    chance, share = jnp.asarray(chance, float), jnp.asarray(share, float)
    others = jnp.maximum(jnp.asarray(facts, float) - 1, 1.0)
    return (1 - share) * chance + share * (1 - chance) / others


@needs_float64
@partial(jax.jit, static_argnames="outputs")
def recalled_few(
    width: Any, weights: Float[Any, " n"], answers: Any, outputs: int
) -> Float[Array, " n"]:
    r"""Chance that a fact is recalled where many facts share few answers.

    .. math:: P_i = \mathrm E_{g, x, z} \prod_{k \ne y} \Phi\Bigl(
        \frac{s}{\sqrt{(c^2 Q_k + g b^2)/d}}\Bigr), \qquad
        s = g q + \sqrt{g R/d}\, z, \qquad q = q_i + x \sqrt{Q_y'/d}

    with :math:`Q_k` the sum of the squared weights of all facts of answer k, :math:`Q_y'` that of
    the other facts of i's own, :math:`R = \sum_{k \ne y} Q_k/d`, :math:`b^2 = q^2 + R` and
    :math:`c = g - q \sqrt{g/(dR)}\, z`. What matters is x, the overlap with keys of the same
    answer: it pulls either way.

    Args:
        width: d, dimensions of keys and values.
        weights: q of each fact, >= 0; only their ratios count.
        answers: of each fact, whole numbers in [0, outputs), (n,).
        outputs: M, >= 2.

    Regime: many facts to an answer, M << d; relative errors of order 1/d and, where few facts
    have most of the weight, of their share.

    Source: docs/discrete/fact_memory.md; the memory as in arXiv:2310.02984.

    >>> found = recalled_few(64.0, jnp.ones(400), jnp.arange(400) % 5, 5)
    >>> print(f"{float(found[0]):.3f}")
    0.445
    """
    d, q = jnp.asarray(width, float), jnp.asarray(weights, float)
    q = q / jnp.max(q)
    answers = jnp.asarray(answers, int)
    squares = jax.ops.segment_sum(q**2, answers, num_segments=outputs)
    g = _length(jnp.sqrt(3.0) * jnp.array([-1.0, 0.0, 1.0]), d)[:, None, None]
    by = jnp.array([1.0, 4.0, 1.0]) / 6
    x, z = _Z[None, :, None], _Z[None, None, :]

    def one(fact: tuple[Array, Array]) -> Scalar:
        weight, answer = fact
        own = weight + x * jnp.sqrt(jnp.maximum(squares[answer] - weight**2, 0.0) / d)
        rest = jnp.maximum((jnp.sum(squares) - squares[answer]) / d, _FLOOR)
        whole = g * (own**2 + rest) / d
        score = g * own + jnp.sqrt(g * rest / d) * z
        pull = g - own * jnp.sqrt(g / (d * rest)) * z
        spread = jnp.sqrt(whole[None] + pull[None] ** 2 * squares[:, None, None, None] / d)
        lost = _log_chance(score[None] / spread)
        total = jnp.einsum("kgxz,k->gxz", lost, jnp.arange(outputs) != answer)
        return jnp.einsum("gxz,g,x,z->", jnp.exp(total), by, _AT, _AT)

    return lax.map(one, (q, answers))
