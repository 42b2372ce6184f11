r"""The peak in the repeat count: which number of repetitions of the same rows hurts most.

A budget of N rows is split: a fraction f goes to f N / r distinct rows that appear r times with
one shared label each, the rest to rows seen once. Least squares (no ridge) with p parameters
and more distinct rows than parameters has a closed form in units of the label noise, for any
covariance. It needs no fixed point: with g = p/N, rho = r p/N and t > 0 the root of

.. math:: t^2 + (g + \rho - 1)\,t = (1 - f - g)\,\rho + f g, \qquad
    \frac{E_{te}}{\sigma^2} = \frac{(t + g)(t + \rho)}{t\,\sqrt{(g+\rho-1)^2 + 4[(1-f-g)\rho + fg]}}

For N/p -> infinity at fixed rho this is a single curve with its maximum at rho = 1: the worst
count is N/p, where a repeated row is about half memorised. Proofs are in docs/rows/repetition.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import log_root
from ci_theory.theory.spectra.groups import counted

__all__ = [
    "WorstRepeats",
    "data_rich_excess",
    "repeats_at_interpolation",
    "two_group_excess",
    "worst_repeats",
]

SCAN = 257  # places at which the maximiser looks before it refines


class WorstRepeats(NamedTuple):
    """The worst number of repetitions.

    Attributes:
        repeats: copies of each repeated row; NaN where there is no worst count.
        excess: excess risk there, in units of the label noise.
        status: OK; AT_EDGE where the harm grows up to a single repeated row; NO_BREAK where the
            budget is no larger than p or nothing is repeated; OUT_OF_SCOPE for bad inputs.
    """

    repeats: Scalar
    excess: Scalar
    status: Int[Array, ""]


@needs_float64
def data_rich_excess(fraction: Any, ratio: Any) -> Scalar:
    r"""Excess risk of repetition when the budget is much larger than the model.

    .. math:: \frac{E_x}{\sigma^2} = \frac12\Bigl(\frac1{\sqrt{1-\varphi}} - 1\Bigr), \qquad
        \varphi = \frac{4\rho f}{(1+\rho)^2}, \qquad \rho = \frac{r p}{N}

    Args:
        fraction: f, share of the budget spent on repeated rows, in [0, 1].
        ratio: rho, repeats over budget per parameter, > 0.

    Returns:
        Excess risk in units of the noise that copies share: the label noise and, for a
        misspecified model, its approximation error. inf at f = 1, rho = 1.

    Regime: limit N/p -> infinity at fixed rho, no ridge, shared labels; the relative correction
    of the test error at rho = 1 is p/(N sqrt(1-f)).

    Limits: symmetric under rho -> 1/rho; 0 for rho -> 0 and rho -> infinity; at rho = 1
    (1/sqrt(1-f) - 1)/2, its maximum: f enters only as f/cosh^2(log(rho)/2).

    Source: derived here (docs/rows/repetition.md). A peak in the number of repeats was measured in
    language models by Hernandez et al., arXiv:2205.10487.

    >>> print(f"{float(data_rich_excess(0.3, 1.0)):.6f}")
    0.097614
    """
    f, rho = jnp.asarray(fraction, float), jnp.asarray(ratio, float)
    phi = 4 * rho * f / (1 + rho) ** 2
    rest = ((1 - rho) ** 2 + 4 * rho * (1 - f)) / (1 + rho) ** 2  # 1 - phi
    root = jnp.sqrt(rest)
    return phi / (2 * root * (1 + root))


@needs_float64
def two_group_excess(budget: Any, fraction: Any, repeats: Any, p: Any) -> Scalar:
    """Excess risk of least squares with repeated rows, in units of the label noise.

    The displayed formula of the module, less one, as a quotient of positive sums.

    Args:
        budget: N, rows counted with repeats.
        fraction: f, share of the budget on repeated rows; f N / r need not be whole.
        repeats: r >= 1.
        p: parameters (rank of the covariance).

    Returns:
        E_x / sigma^2; NaN where the distinct rows (1 - f) N + f N / r do not exceed p.

    Regime: limit N, p -> infinity at fixed N/p and r; relative corrections of order
    1/(distinct rows - p); shared labels, no ridge.

    Limits: r = 1: p/(N - p). r -> infinity: p/((1-f) N - p), the fresh rows alone.

    Source: derived here (docs/rows/repetition.md).

    >>> print(f"{float(two_group_excess(2000, 0.3, 1, 100)):.6f}")
    0.052632
    >>> print(f"{float(two_group_excess(2000, 0.3, 20, 100)):.6f}")
    0.166919
    """
    budget, f, r, p = (counted(v) for v in (budget, fraction, repeats, p))
    g, rho = p / budget, r * p / budget
    b, c = g + rho - 1, (1 - f - g) * rho + f * g
    known = c > 0
    root = jnp.sqrt(b * b + 4 * jnp.where(known, c, 1.0))
    rising = b > 0
    t = jnp.where(rising, 2 * c / jnp.where(rising, b + root, 1.0), (root - b) / 2)
    t = jnp.where(known, t, 1.0)
    fresh, repeated = (1 - f) / (t + g) ** 2, f / (t + rho) ** 2
    value = (g * fresh + rho * repeated) / (t * (fresh + repeated))
    return jnp.where(known, value, jnp.nan)


def repeats_at_interpolation(budget: Any, fraction: Any, p: Any) -> Scalar:
    """Repeat count at which the distinct rows fall to p: f N / (p - (1-f) N).

    There the least-squares error has the classical interpolation peak; infinite if the fresh
    rows alone exceed p. Regime: exact. Source: counting rows.

    >>> float(repeats_at_interpolation(120, 0.5, 80))
    3.0
    """
    budget, f, p = (jnp.asarray(v, float) for v in (budget, fraction, p))
    missing = p - (1 - f) * budget
    return jnp.where(missing > 0, f * budget / jnp.where(missing > 0, missing, 1.0), jnp.inf)


def _slope(repeats: Array, budget: Array, fraction: Array, p: Array) -> Array:
    """Derivative of the log excess in log r."""
    value, slope = jax.value_and_grad(two_group_excess, argnums=2)(budget, fraction, repeats, p)
    return repeats * slope / value


@needs_float64
@jax.jit
def worst_repeats(budget: Any, fraction: Any, p: Any) -> WorstRepeats:
    r"""Find the repeat count with the largest excess risk at a given budget.

    .. math:: r^* = \frac{N}{p} + 3 + O(p/N), \qquad \frac{E_{te}^*}{\sigma^2} =
        \frac12\Bigl(1 + \frac1{\sqrt{1-f}}\Bigr)\Bigl(1 + \frac{p}{N\sqrt{1-f}} + \dots\Bigr)

    The value returned is the maximum of ``two_group_excess`` itself over 1 <= r <= f N, found on
    a grid in log r and refined as a root of the slope. If the fresh rows do not exceed p, it is
    the interpolation peak ``repeats_at_interpolation``, of infinite height.

    Args:
        budget: N, rows counted with repeats.
        fraction: f, share of the budget on repeated rows, in [0, 1].
        p: parameters.

    Regime: as ``two_group_excess``. Source: as ``two_group_excess``; the expansion is derived
    here (docs/rows/repetition.md).

    >>> worst = worst_repeats(2000.0, 0.3, 100.0)
    >>> print(f"{float(worst.repeats):.4f} {float(worst.excess):.6f} {int(worst.status)}")
    23.2748 0.167768 0
    """
    budget, f, p = (jnp.asarray(v, float) for v in (budget, fraction, p))
    asked = (budget > 0) & (f >= 0) & (f <= 1) & (p > 0)
    some = asked & (budget > p) & (f * budget > 1)
    smooth = some & ((1 - f) * budget > p)
    # Points that are not asked for are replaced by an easy one.
    n0, f0, p0 = jnp.where(smooth, budget, 1e3), jnp.where(smooth, f, 0.3), jnp.where(smooth, p, 50)
    places = jnp.exp(jnp.linspace(0.0, 1.0, SCAN) * jnp.log(f0 * n0))
    heights = jax.vmap(lambda r: two_group_excess(n0, f0, r, p0))(places)
    top = jnp.argmax(heights)
    inside = (top > 0) & (top < SCAN - 1)
    low = places[jnp.clip(top - 1, 0, SCAN - 2)]
    high = places[jnp.clip(top + 1, 1, SCAN - 1)]
    low, high = jnp.where(inside, low, n0 / p0 / 4), jnp.where(inside, high, n0 / p0 * 16)
    root = log_root(_slope, low, high, n0, f0, p0)

    place = jnp.where(inside, root.value, places[top])
    crossing = repeats_at_interpolation(budget, f, p)
    reached = crossing <= f * budget
    repeats = jnp.where(smooth, place, jnp.minimum(crossing, f * budget))
    excess = jnp.where(reached, jnp.inf, two_group_excess(budget, f, repeats, p))
    status = jnp.where(smooth & inside, root.status, Status.AT_EDGE)
    status = jnp.where(~smooth & reached, Status.OK, status)
    status = jnp.where(some, status, Status.NO_BREAK)
    status = jnp.where(asked, status, Status.OUT_OF_SCOPE)
    none = (status == Status.NO_BREAK) | (status == Status.OUT_OF_SCOPE)
    endless = ~none & jnp.isinf(budget)  # r* = N/p
    return WorstRepeats(
        repeats=jnp.where(none, jnp.nan, jnp.where(endless, jnp.inf, repeats)),
        excess=jnp.where(none, jnp.nan, jnp.where(endless, data_rich_excess(f, 1.0), excess)),
        status=jnp.where(endless, Status.OK, status),
    )
