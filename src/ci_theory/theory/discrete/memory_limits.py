r"""How much a memory holds: limits in closed form.

Facts in a matrix of width d (``associative_memory``), patterns in an autoassociative one, and
points that a linear readout can tell apart.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import betainc, erfc, log_ndtr, zeta

from ci_theory._errors import Status
from ci_theory._types import Array, Bool, Float, Int, Scalar, needs_float64
from ci_theory.theory.discrete.associative_memory import recall

__all__ = [
    "Place",
    "capacity",
    "error_exponent",
    "half_weight",
    "hopfield_error",
    "separable",
    "zipf_beyond",
    "zipf_recall",
]

MOST_FACTS = 1e15
"""Capacities are sought up to it."""
_HALVINGS = 60


class Place(NamedTuple):
    """Where something happens; ``status`` NO_BREAK and a NaN where it happens nowhere."""

    value: Scalar
    status: Int[Array, ""]


def _bisected(
    above: Callable[[Array], Array], low: Array, high: Array
) -> tuple[Array, Bool[Array, ""]]:
    """Return where ``above`` turns true between the logarithms of two places, and if it does."""

    def halve(_: Any, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        left, right = bracket
        middle = 0.5 * (left + right)
        found = above(middle)
        return jnp.where(found, left, middle), jnp.where(found, middle, right)

    ends = jnp.log(low), jnp.log(high)
    left, right = lax.fori_loop(0, _HALVINGS, halve, ends)
    return jnp.exp(0.5 * (left + right)), ~above(ends[0]) & above(ends[1])


@needs_float64
@jax.jit
def half_weight(width: Any, weights: Float[Any, " n"]) -> Place:
    r"""Storage weight of a fact that is recalled about half of the time, among given facts.

    .. math:: \prod_x \Phi\Bigl(\frac{q \sqrt d}{\sqrt{q_x^2 + q^2 + R}}\Bigr) = \tfrac12,
        \qquad R = \frac1d \sum_x q_x^2

    Of many facts alike, :math:`q^2 = 2 \ln N \sum q_x^2/d^2`; a few strong ones, whose own
    overlaps are of size :math:`q_x/\sqrt d`, ask for far more.

    Args:
        width: d.
        weights: q_x of the other facts, >= 0, not all 0.

    Returns:
        The weight; NO_BREAK where no weight suffices in so narrow a memory.

    Regime: leading order in 1/d; the noise of the own score is at its median. Limits: one other
    fact, as strong: none at all, 0.

    Source: derived here, docs/discrete/fact_memory.md.

    >>> found = half_weight(100.0, jnp.ones(600))
    >>> print(f"{float(found.value):.3f}", Status(int(found.status)).name)
    0.846 OK
    """
    d, q = jnp.asarray(width, float), jnp.asarray(weights, float)
    scale = jnp.sqrt(jnp.sum(q**2))
    q = q / scale

    def above(log_weight: Array) -> Array:
        own = jnp.exp(log_weight)
        return jnp.sum(log_ndtr(own * jnp.sqrt(d) / jnp.sqrt(q**2 + own**2 + 1 / d))) > -jnp.log(2)

    value, there = _bisected(above, jnp.asarray(1e-12), jnp.asarray(1e12))
    status = jnp.where(there, int(Status.OK), int(Status.NO_BREAK))
    return Place(jnp.where(there, scale * value, jnp.nan), status)


@needs_float64
@jax.jit
def capacity(width: Any, level: Any = 0.5) -> Place:
    r"""Facts, stored alike, of which the share ``level`` is recalled; with more of them, less.

    The root in N of ``recall`` at N facts of one weight. For wide memories N ln N = d^2/2, half of
    the entries over the logarithm; at d = 32 and one half it is a tenth less than that.

    Args:
        width: d, > 2.
        level: share of the facts that is recalled, in (0, 1).

    Regime: as ``associative_memory.recall``. Limits: d -> infinity, any level: N ln N = d^2/2.

    Source: halving the logarithm of N; capacity in this order: arXiv:2412.06538.

    >>> found = capacity(32.0)
    >>> print(f"{float(found.value):.1f}", Status(int(found.status)).name)
    99.4 OK
    """
    level = jnp.asarray(level, float)

    def above(log_facts: Array) -> Array:
        return recall(width, jnp.ones(1), jnp.exp(log_facts)[None])[0] < level

    value, there = _bisected(above, jnp.asarray(2.0), jnp.asarray(MOST_FACTS))
    there &= level > 0
    status = jnp.where(there, int(Status.OK), int(Status.NO_BREAK))
    return Place(jnp.where(there, value, jnp.nan), status)


@needs_float64
def zipf_beyond(rank: Any, exponent: Any) -> Array:
    r"""Share of an endless Zipf law that lies beyond a rank: the error of who knows all up to it.

    .. math:: \sum_{i > x} \frac{i^{-a}}{\zeta(a)} = \frac{\zeta(a, x + 1)}{\zeta(a)}
        \approx \frac{x^{1 - a}}{(a - 1)\,\zeta(a)}

    Args:
        rank: x >= 0; what lies between ranks is interpolated as Hurwitz's function does.
        exponent: a > 1.

    Regime: exact. Limits: x = 0: 1. Source: Hurwitz's zeta function.

    >>> print(f"{float(zipf_beyond(1.0, 2.0)):.6f}")  # 1 - 6/pi^2
    0.392073
    """
    a = jnp.asarray(exponent, float)
    return zeta(a, jnp.asarray(rank, float) + 1) / zeta(a, 1.0)


@needs_float64
def zipf_recall(rank: Any, steepness: Any, terms: int = 256) -> Array:
    r"""Chance that a fact is recalled in a wide memory of storage weights :math:`i^{-c}`.

    .. math:: P(y) = \prod_{j \ge 1} \Phi\bigl((j/y)^c\bigr), \qquad y = i\, d^{-1/2c}

    A fact loses to any stronger one whose key overlaps by more than the ratio of their weights,
    and such overlaps are of size :math:`d^{-1/2}`. The noise of all others together is of size
    1/d and decides only where the weights fall more slowly than :math:`i^{-1/2}`.

    Args:
        rank: y > 0, rank in units of :math:`d^{1/2c}`, any shape.
        steepness: c > 1/2.
        terms: factors of the product; NaN where the last is not yet near 1, (terms/y)^c < 4.

    Regime: d -> infinity, d >> log of the number of facts. Limits: y -> 0: 1.

    Source: derived here, docs/discrete/fact_memory.md.

    >>> print(*[f"{float(v):.3f}" for v in zipf_recall(jnp.array([0.3, 1.0, 3.0]), 1.0)])
    1.000 0.821 0.330
    """
    y, c = jnp.asarray(rank, float)[..., None], jnp.asarray(steepness, float)
    over = jnp.arange(1.0, terms + 1).reshape((1,) * (y.ndim - 1) + (-1,)) / y
    enough = over[..., -1] ** c >= 4
    return jnp.where(enough, jnp.exp(jnp.sum(log_ndtr(over**c), axis=-1)), jnp.nan)


@needs_float64
def error_exponent(exponent: Any, power: Any) -> Array:
    r"""Exponent with which the error falls with the width, facts stored by a power of frequency.

    The recalled ones are the first :math:`x \sim d^{1/(2a\rho)}` (``zipf_recall`` with
    :math:`c = a\rho`), and the error is what lies beyond,

    .. math:: x^{1 - a} \sim d^{-(a - 1)/(2a\rho)}.

    With few answers the keys of the own answer overlap in the same way: the same exponent.

    Args:
        exponent: a > 1, of Zipf's law.
        power: rho > 1/(2 a); 1 for weights in proportion to the frequency.

    Returns:
        The exponent, > 0, of an error of order d to its negative; NaN outside.

    Regime: d -> infinity, endless facts. Source: few answers: Cabannes, Dohmatob, Bietti,
    arXiv:2310.02984; a value to each fact: docs/discrete/fact_memory.md.

    >>> print(f"{float(error_exponent(1.5, 1.0)):.4f} {float(error_exponent(1.5, 0.5)):.4f}")
    0.1667 0.3333
    """
    a, power = jnp.asarray(exponent, float), jnp.asarray(power, float)
    return jnp.where((a > 1) & (2 * a * power > 1), (a - 1) / (2 * a * power), jnp.nan)


@needs_float64
def hopfield_error(neurons: Any, patterns: Any) -> Array:
    r"""Share of wrong bits after one step from a stored pattern of Hopfield's memory.

    .. math:: \tfrac12 \operatorname{erfc} \sqrt{\frac{n}{2 (P - 1)}}

    Args:
        neurons: n.
        patterns: P random patterns of n bits each; Hebb's weights, no self-coupling.

    Regime: leading order in 1/n. Limits: one pattern: 0; P >> n: 1/2. Source: the central limit
    theorem; Hopfield 1982 (PNAS 79, 2554).

    >>> print(f"{float(hopfield_error(200.0, 40.0)):.5f}")
    0.01177
    """
    n, others = jnp.asarray(neurons, float), jnp.asarray(patterns, float) - 1
    alone = others <= 0
    return jnp.where(alone, 0.0, 0.5 * erfc(jnp.sqrt(n / (2 * jnp.where(alone, 1.0, others)))))


@needs_float64
def separable(dimensions: Any, points: Any) -> Array:
    r"""Chance that points in general position, labelled by coin, are told apart by a plane.

    .. math:: 2^{1 - P} \sum_{k < N} \binom{P - 1}{k}

    through the origin; as the chance that of P - 1 fair coins fewer than N fall heads, it is a
    regularised incomplete beta function.

    Args:
        dimensions: N >= 1.
        points: P >= 1.

    Regime: exact. Limits: P <= N: 1; P = 2N: 1/2, the capacity of two points a weight.

    Source: Cover 1965 (IEEE Trans. Electronic Computers EC-14, from memory).

    >>> print(*[f"{float(separable(20.0, p)):.4f}" for p in (20.0, 30.0, 40.0, 44.0)])
    1.0000 0.9693 0.5000 0.2712
    """
    n, p = jnp.asarray(dimensions, float), jnp.asarray(points, float)
    easy = p <= n
    return jnp.where(easy, 1.0, betainc(jnp.where(easy, 1.0, p - n), n, 0.5))
