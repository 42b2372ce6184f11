r"""Ridge regression on a random part of a finite population: real data, without replacement.

A data set of N rows is all there is. Its features have the (exactly known) second moment S over
the N rows, n distinct rows drawn without replacement are fitted, with weights, and the error is
averaged over the N - n rows left out. The rows of the orthonormalised features are taken for
those of a uniformly random frame (Haar); nothing is assumed about the eigenvalues or the target.

For N -> infinity everything below is ``theory.rows.repetition``. At finite N the remaining rows are
known to be the rest of the same population, which changes the effective ridge and the errors at
relative order n/N: on 1797 digits that is most of the deviation from the usual formula.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import log_root
from ci_theory.theory.spectra.groups import Groups
from ci_theory.theory.spectra.spectrum import (
    Spectrum,
    bias,
    d12,
    df1,
    fractions,
    rank,
    total,
    trace,
)

__all__ = ["PopulationRisk", "population_risk"]


class PopulationRisk(NamedTuple):
    """Errors of weighted ridge regression on part of a finite population [label^2].

    Attributes:
        excess_risk: mean squared error, on clean labels, of the rows left out.
        residual: mean squared residual of a row's mean label in each group, (g,).
        leverage: response of a row's fit to its own label in each group, (g,).
        kappa: effective ridge [x^2].
        df1: trace of the hat matrix.
        status: OK, NOT_CONVERGED, OUT_OF_SCOPE (no rows, more rows or more rank than the
            population has, a tail, ridge < 0) or NOT_FINITE (no ridge at n = rank).
    """

    excess_risk: Scalar
    residual: Float[Array, " g"]
    leverage: Float[Array, " g"]
    kappa: Scalar
    df1: Scalar
    status: Int[Array, ""]


class _At(NamedTuple):
    """What one value of the unknown gives."""

    kappa: Array
    h: Array  # leverage
    miss: Array  # 1 - h
    degrees: Array  # D = df1
    rest: Array  # 1 - D/N


def _at(unknown: Array, args: tuple) -> _At:
    spectrum, groups, ridge, over, inverse = args
    kappa = jnp.where(over, unknown, ridge / unknown)
    ratio = jnp.where(over, ridge / unknown, unknown)  # ridge / kappa
    _, y = fractions(spectrum.eigenvalues, kappa)
    degrees = df1(spectrum, kappa)
    rest = 1 - rank(spectrum) * inverse + inverse * total(spectrum.multiplicity, y)
    scale = ratio * rest
    there = groups.weights > 0
    whole = jnp.where(there, scale + groups.weights * degrees, 1.0)
    miss = jnp.where(there, scale / whole, 1.0)
    return _At(kappa, groups.weights * degrees / whole, miss, degrees, rest)


def _surplus(unknown: Array, args: tuple) -> Array:
    """Sum n h - df1, increasing in kappa, whole rows and modes counted apart from what they miss.

    Rows mostly memorised and modes mostly learned cancel as whole numbers.
    """
    spectrum, groups, *_ = args
    at = _at(unknown, args)
    x, y = fractions(spectrum.eigenvalues, at.kappa)
    learned = spectrum.eigenvalues > at.kappa
    held = at.h > 0.5
    count = jnp.sum(jnp.where(held, groups.counts, 0.0))
    count = count - jnp.sum(jnp.where(learned, spectrum.multiplicity, 0.0))
    rows = jnp.sum(groups.counts * jnp.where(held, -at.miss, at.h))
    return count + rows - jnp.sum(spectrum.multiplicity * jnp.where(learned, -y, x))


def _bounds(
    spectrum: Spectrum, groups: Groups, ridge: Array, over: Array, size: Array
) -> tuple[Array, Array]:
    """Bracket kappa (fewer rows than modes) or ridge/kappa (otherwise).

    ridge/kappa is below that of the whole population at the largest weight, N c_max, and below
    the sum of the weights over 1 - D/N, because s <= sum n c; kappa is below the value at which
    every row sees the whole trace.
    """
    there = (groups.weights > 0) & (groups.counts > 0)
    counts = jnp.where(there, groups.counts, 0.0)
    weights = jnp.where(there, groups.weights, 1.0)
    n, modes = jnp.sum(counts), rank(spectrum)
    most = size * jnp.max(jnp.where(there, weights, 0.0))
    room = 1 - jnp.minimum(n, modes) / size
    copies = jnp.sum(counts * weights)
    most = jnp.where(room > 0, jnp.minimum(most, copies / jnp.where(room > 0, room, 1.0)), most)
    reach = jnp.sum(counts * weights / (ridge + weights * trace(spectrum)))
    seen = spectrum.eigenvalues > 0
    slack = jnp.sum(
        jnp.where(seen, spectrum.multiplicity / jnp.where(seen, spectrum.eigenvalues, 1.0), 0.0)
    )
    kappa_low = jnp.maximum(ridge / most, (modes - n) / slack)
    ratio_low = jnp.maximum(ridge * reach, (n - modes) * modes / jnp.sum(counts / weights))
    low = jnp.where(over, kappa_low, ratio_low)
    high = jnp.where(over, 1.0 / reach, most)
    return low * (1 - 1e-9), high * (1 + 1e-9)


@needs_float64
@jax.jit
def population_risk(
    spectrum: Spectrum, population: Any, groups: Groups, ridge: Any
) -> PopulationRisk:
    r"""Errors of ridge regression on weighted rows drawn without replacement.

    .. math::
        \sum_g n_g a_g = 1, \quad a_g = \frac{c_g}{s + c_g D}, \quad
        s = \frac{\delta}{\kappa}\Big(1 - \frac{D}{N}\Big), \quad D = \mathrm{df}_1(\kappa)

    .. math::
        E_x = \frac{B + \big(\mathrm{df}_2 - D^2/N\big) \sum_g n_g a_g^2 v_g}
        {(1 - D S_2)\,\big(1 - (D + d_{12})/N\big) + (1 - D/N)\, d_{12} S_2},
        \quad S_2 = \sum_g n_g a_g^2, \quad r_g = (1 - a_g D)^2 (E_x + v_g)

    For plain rows that is ``(n - D) kappa = ridge (1 - D/N)`` and ``E_x = n B / [(n - D)(1 - D/N)
    + (1 - n/N) d12]`` without noise.

    Args:
        spectrum: of the features over the N rows, with the targets' power on it; what no feature
            explains is ``tail_power``. The label noise is not part of it.
        population: N, at least the number of training rows and the rank.
        groups: the training rows: counts, weights and noise of a row's mean label.
        ridge: total ridge [x^2], >= 0.

    Returns:
        A ``PopulationRisk``; NaN unless the status is OK.

    Regime: limit n, N -> infinity at fixed n/N for features in general position (a Haar frame);
    corrections of relative order 1/n. On real data the deviation is that of the frame.

    Limits: N -> infinity gives ``weighted_ridge_risk``; all eigenvalues equal and rank = N: what
    is left out is not learned at all, E_x is the mean square of the labels.

    Source: derived here (docs/rows/real_data.md) from the minimal loss under a free compression of
    the weights: its derivative with respect to a row's weight is the row's squared error.

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> for size in (150.0, 1000.0, 1e9):  # 50 parameters, |w|^2 = 1, label noise 0.5
    ...     risk = population_risk(isotropic(50), size, plain_rows(100, 0.5), 20.0)
    ...     print(f"{float(risk.excess_risk):.6f}")
    0.314867
    0.287474
    0.283498
    """
    ridge, size = jnp.asarray(ridge, float), jnp.asarray(population, float)
    groups = Groups(
        counts=jnp.asarray(groups.counts, float),
        weights=jnp.asarray(groups.weights, float),
        noise=jnp.asarray(groups.noise, float),
    )
    n = jnp.sum(jnp.where(groups.weights > 0, groups.counts, 0.0))
    modes = rank(spectrum)
    # inputs that never vary are among the N dimensions beyond the rank
    varied = jnp.where(spectrum.eigenvalues > 0, spectrum.multiplicity, 0.0)
    spectrum = dataclasses.replace(spectrum, multiplicity=varied)
    over = n < modes
    asked = (n > 0) & (n <= size) & (modes <= size) & (modes > 0) & (ridge >= 0)
    asked = asked & jnp.all(groups.counts >= 0) & jnp.all(groups.weights >= 0)
    pole = (ridge == 0) & (n == modes)
    solvable = asked & ~pole

    # A point without a root is replaced by an easy one: no NaN may leak into gradients.
    safe = Groups(
        counts=jnp.where(solvable, groups.counts, 1.0),
        weights=jnp.where(solvable, groups.weights, 1.0),
        noise=groups.noise,
    )
    delta = jnp.where(solvable, ridge, 1.0)
    inverse = 1 / jnp.where(solvable, size, jnp.inf)
    args = (spectrum, safe, delta, over, inverse)
    low, high = _bounds(spectrum, safe, delta, over, jnp.where(solvable, size, 2.0))
    root = log_root(_surplus, low, high, args)

    at = _at(root.value, args)
    x, y = fractions(spectrum.eigenvalues, at.kappa)
    counts = jnp.where(safe.weights > 0, safe.counts, 0.0)
    shares = at.h / at.degrees
    squares = counts * shares**2
    mixed = d12(spectrum, at.kappa)
    mean = at.degrees * inverse  # of x over all N dimensions
    # df2 - D^2/N and 1 - (D + d12)/N as sums of squares over all N dimensions
    spread = total(spectrum.multiplicity, (x - mean) ** 2)
    spread = spread + at.degrees * mean * (1 - modes * inverse)
    square_rest = 1 - modes * inverse + inverse * total(spectrum.multiplicity, y**2)
    free = jnp.sum(counts * shares * at.miss)  # 1 - D S2
    below = free * square_rest + at.rest * mixed * jnp.sum(squares)
    excess = (bias(spectrum, at.kappa) + spread * jnp.sum(squares * groups.noise)) / below

    number = jnp.where(solvable, 1.0, jnp.nan)
    status = jnp.where(pole, Status.NOT_FINITE, root.status)
    return PopulationRisk(
        excess_risk=excess * number,
        residual=at.miss**2 * (excess + groups.noise) * number,
        leverage=at.h * number,
        kappa=at.kappa * number,
        df1=at.degrees * number,
        status=jnp.where(asked, status, Status.OUT_OF_SCOPE),
    )
