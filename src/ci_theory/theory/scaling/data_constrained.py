r"""What reading the same rows again is worth: an empirical law, and a solvable model beside it.

Muennighoff et al. count R = epochs - 1 repetitions of U unique tokens as

.. math:: D' = U + U R^*\,(1 - e^{-R/R^*})

tokens of fresh data, R* = 15.39 fitted to language models. **That is an empirical law; nothing
here verifies it.** The solvable counterpart is gradient flow on a fixed set of U rows: with rate
eta per row, e epochs take the time t = eta U e, and fresh rows read once take t = eta D, on the
whole distribution (both up to the noise of steps, of relative order eta). D' is then defined by
equal risk, and everything else follows.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gamma

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Scalar, needs_float64
from ci_theory.theory.dynamics.flow import flow_risk
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra.power_law import ridgeless_kappa
from ci_theory.theory.spectra.spectrum import Spectrum, total

__all__ = [
    "MUENNIGHOFF",
    "Reuse",
    "effective_data",
    "endless_data_risk",
    "fitted_loss",
    "reuse",
    "ridge_reuse",
    "ridge_saturation",
    "saturation",
    "set_reuse",
]

STEPS = 16
"""Steps of the search in ``set_reuse``."""


class Fitted(NamedTuple):
    """Constants that Muennighoff et al. fitted to their runs (arXiv:2305.16264).

    Attributes:
        data: R* of repeated tokens [epochs]; ``parameters``: its like for excess parameters.
        floor: E [nats]; ``parameter_scale``: A; ``data_scale``: B; ``exponent``: of both.
    """

    data: float = 15.387756
    parameters: float = 5.309743
    floor: float = 1.86914
    parameter_scale: float = 520.825
    data_scale: float = 1487.716
    exponent: float = 0.3526596


MUENNIGHOFF = Fitted()


@needs_float64
def effective_data(epochs: Any, half: Any = MUENNIGHOFF.data) -> Scalar:
    """Return D'/U after some epochs: EMPIRICAL, fitted to language models.

        1 + R* (1 - exp(-R/R*)),   R = epochs - 1

    Args:
        epochs: times that every row is read, >= 1.
        half: R* [epochs].

    Regime: a fit to language models, not a closed form.

    Source: Muennighoff et al. 2023, arXiv:2305.16264.

    >>> print([round(float(effective_data(e)), 5) for e in (1, 4, 16, 100)])
    [1.0, 3.72567, 10.58246, 16.36304]
    """
    return 1 - half * jnp.expm1(-(jnp.asarray(epochs, float) - 1) / half)


@needs_float64
def fitted_loss(parameters: Any, unique: Any, epochs: Any) -> Scalar:
    r"""Return the loss of a language model on U tokens read so often: EMPIRICAL, a fit.

    .. math:: L = E + A/N'^a + B/D'^a, \qquad N'/U_N = 1 + R_N^* (1 - e^{-R_N/R_N^*})

    with D' = U ``effective_data``, U_N = min(N, (A/B)^(1/a) U) the parameters that serve U tokens
    best, and R_N = N/U_N - 1. It never rises with the epochs: over-fitting is not in it.

    Args:
        parameters: N.
        unique: U, unique tokens.
        epochs: times that every token is read, >= 1.

    Regime: a fit to language models, not a closed form.

    Source: Muennighoff et al. 2023, arXiv:2305.16264.

    >>> print(f"{float(fitted_loss(1e9, 1e10, 4.0)):.4f}")
    2.5017
    """
    law, unique = MUENNIGHOFF, jnp.asarray(unique, float)
    best = (law.parameter_scale / law.data_scale) ** (1 / law.exponent) * unique
    used = jnp.minimum(jnp.asarray(parameters, float), best)
    size = used * effective_data(parameters / used, law.parameters)
    data = unique * effective_data(epochs)
    return (
        law.floor + law.parameter_scale * size**-law.exponent + law.data_scale * data**-law.exponent
    )


@needs_float64
def endless_data_risk(spectrum: Spectrum, time: Any) -> Scalar:
    """Return the excess risk of gradient flow that never sees a row twice.

        sum_k v_k^2 exp(-2 lambda_k t)

    Args:
        spectrum: of the inputs, with the target on it.
        time: rate times rows read.

    Regime: exact for gradient flow on the population. Source: standard; solve mode by mode.

    >>> from ci_theory.theory.spectra.spectrum import isotropic
    >>> print(f"{float(endless_data_risk(isotropic(10), 1.0)):.6f}")  # e^-2
    0.135335
    """
    kept = jnp.exp(-2 * spectrum.eigenvalues * jnp.asarray(time, float))
    return total(spectrum.power, kept) + spectrum.tail_power


class Reuse(NamedTuple):
    """What a number of epochs on U rows is worth.

    Attributes:
        fresh: D'/U, fresh rows that reach the same excess risk, per row.
        risk: that excess risk [label^2].
        status: of the solvers; OUT_OF_SCOPE where no number of fresh rows is as bad, which
            label noise can make so.
    """

    fresh: Scalar
    risk: Scalar
    status: Int[Array, ""]


@needs_float64
@jax.jit
def reuse(spectrum: Spectrum, rows: Any, epochs: Any, rate: Any, noise: Any = 0.0) -> Reuse:
    """Solve for the fresh rows that repeated ones are worth.

    Args:
        spectrum: of the inputs, with the target on it.
        rows: U, unique rows.
        epochs: times that each is read.
        rate: eta, learning rate per row [1/input^2].
        noise: label-noise variance [label^2].

    Regime: U -> infinity at fixed epochs, eta -> 0 at fixed eta U (the noise of steps, of
    relative order eta times the trace, is left out on both sides). Source: derived here from
    ``flow.flow_risk``; the definition of D' is Muennighoff's.

    >>> from ci_theory.theory.spectra.power_law import endless
    >>> once = reuse(endless(1.5, 0.3), 200.0, 1.0, 0.1)
    >>> print(f"{float(once.fresh):.2f}")  # rows that are seen together are no fresh ones
    0.86
    """
    rows, rate = jnp.asarray(rows, float), jnp.asarray(rate, float)
    found = flow_risk(spectrum, rows, rate * rows * epochs, 0.0, noise)
    goal = found.excess_risk

    def halve(_: Any, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        worse = endless_data_risk(spectrum, jnp.exp(middle)) > goal
        return jnp.where(worse, middle, low), jnp.where(worse, high, middle)

    bounds = jnp.log(1e-12 * rate * rows), jnp.log(rate * rows * epochs) + 60.0
    low, high = jax.lax.fori_loop(0, 80, halve, tuple(jnp.asarray(b) for b in bounds))
    inside = (low > bounds[0]) & (high < bounds[1])
    status = jnp.where(inside, found.status, Status.OUT_OF_SCOPE)
    fresh = jnp.exp(0.5 * (low + high)) / (rate * rows)
    return Reuse(jnp.where(inside, fresh, jnp.nan), goal, status)


@needs_float64
@jax.jit
def saturation(rows: Any, alpha: Any, source: Any, rate: Any) -> Scalar:
    """Return D'/U after endlessly many epochs without noise, on a power law without end.

        D'/U = 1/(2 rate U kappa) . [Gamma(2 - 2r)]^(-1/2r)  with  kappa = (c/(U + 1/2))^alpha

    so that it grows as U^(alpha - 1): no constant R* can hold at every U.

    Args:
        rows: U, unique rows.
        alpha: capacity exponent, > 1.
        source: source exponent r, in (0, 1).
        rate: learning rate per row [1/input^2].

    Regime: U -> infinity. Source: derived here: the interpolator's risk
    ``power_law.ridgeless`` set equal to ``power_law_limits.time_limited``; the alpha of the one
    and the 1/alpha of the other cancel up to alpha^(1/2r), which is kept.

    >>> ends = [saturation(u, 1.5, 0.3, 0.1) for u in (100.0, 400.0)]
    >>> print(f"{float(ends[1] / ends[0]):.3f}")  # 4^(1/2), nearly
    1.976
    """
    rows, source = jnp.asarray(rows, float), jnp.asarray(source, float)
    kappa = ridgeless_kappa(rows, alpha)
    factor = (alpha * gamma(2 - 2 * source) * rows / (rows + 0.5)) ** (-1 / (2 * source))
    return factor / (2 * rate * rows * kappa)


@needs_float64
@jax.jit
def set_reuse(spectrum: Spectrum, rows: Any, epochs: Any, rate: Any, noise: Any = 0.0) -> Reuse:
    """Solve for the size of a set that does in one epoch what U rows do in several.

        E(D', rate D') = E(U, rate U epochs)

    with one and the same descent on both sides, so that the fresh rows bring their own sampling
    and label noise, which ``reuse`` leaves out: one epoch is worth 1 exactly.

    Args:
        spectrum: of the inputs, with the target on it.
        rows: U, unique rows.
        epochs: times that each is read.
        rate: eta, learning rate per row [1/input^2].
        noise: label-noise variance [label^2].

    Returns:
        as ``reuse``; OUT_OF_SCOPE where D'/U is beyond 1e-3 to 1e3 epochs.

    Regime: as ``reuse``, where the risk after one epoch falls with the rows. Source: derived here.

    >>> from ci_theory.theory.spectra.power_law import endless
    >>> found = set_reuse(endless(2.0, 0.2), 100.0, 8.0, 0.1, 0.05)
    >>> print(f"{float(found.fresh):.3f}")
    5.571
    """
    rows, rate, epochs = (jnp.asarray(v, float) for v in (rows, rate, epochs))

    def risk(size_and_epochs: tuple[Array, Array]) -> tuple[Array, Array]:
        size, times = size_and_epochs
        found = flow_risk(spectrum, size, rate * size * times, 0.0, noise)
        return jnp.log(found.excess_risk), found.status

    low, high = jnp.log(1e-3), jnp.log(1e3 * epochs)
    sizes = rows * jnp.stack([jnp.ones(()), jnp.exp(low), jnp.exp(high)])
    # one program for all three: compiling it takes longer than running it
    levels, statuses = jax.lax.map(risk, (sizes, jnp.stack([epochs, jnp.ones(()), jnp.ones(())])))
    goal = levels[0]

    def step(_: Any, ends: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        a, at_a, b, at_b = ends  # regula falsi, Illinois: log risk is nearly straight in log D
        c = b - at_b * (b - a) / (at_b - at_a)
        at_c = risk((rows * jnp.exp(c), jnp.ones(())))[0] - goal
        between = at_c * at_b < 0
        return jnp.where(between, b, a), jnp.where(between, at_b, 0.5 * at_a), c, at_c

    at_low, at_high = levels[1] - goal, levels[2] - goal
    share = jax.lax.fori_loop(0, STEPS, step, (low, at_low, high, at_high))[2]
    inside = at_low * at_high < 0
    status = jnp.where(inside, statuses[0], Status.OUT_OF_SCOPE)
    return Reuse(jnp.where(inside, jnp.exp(share), jnp.nan), jnp.exp(goal), status)


@needs_float64
@jax.jit
def ridge_reuse(spectrum: Spectrum, rows: Any, copies: Any, ridge: Any, noise: Any = 0.0) -> Reuse:
    """Solve for the fresh rows that repeated ones are worth to a minimiser at a fixed ridge.

        E(D', ridge) = E(U, ridge/copies)

    the static counterpart of ``reuse``: copies that share their label leave U rows with a smaller
    ridge (``repetition``), fresh ones do as much and bring more rows besides.

    Args:
        spectrum: of the inputs, with the target on it.
        rows: U, unique rows.
        copies: times that each is there, >= 1; may be infinite.
        ridge: total ridge, > 0 [input^2].
        noise: label-noise variance [label^2].

    Returns:
        as ``reuse``; OUT_OF_SCOPE where D' is beyond 1e-2 to 1e9 of U.

    Regime: U -> infinity, where the risk falls with the rows at the fixed ridge. Limits: copies
    = 1: 1; with a small ridge on few rows the risk hardly depends on it, and copies are worth
    little.

    Source: derived here (docs/scaling/data_constrained.md).

    >>> from ci_theory.theory.spectra.power_law import endless
    >>> found = ridge_reuse(endless(1.5, 0.3), 200.0, 4.0, 20.0)
    >>> print(f"{float(found.fresh):.3f}")
    3.445
    """
    rows, ridge = jnp.asarray(rows, float), jnp.asarray(ridge, float)
    found = ridge_risk(spectrum, rows, ridge / jnp.asarray(copies, float), noise)
    goal = found.excess_risk

    def halve(_: Any, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        worse = ridge_risk(spectrum, rows * jnp.exp(middle), ridge, noise).excess_risk > goal
        return jnp.where(worse, middle, low), jnp.where(worse, high, middle)

    bounds = jnp.log(jnp.array([1e-2, 1e9]))
    low, high = jax.lax.fori_loop(0, 60, halve, (bounds[0], bounds[1]))
    inside = (low > bounds[0]) & (high < bounds[1])
    status = jnp.where(inside, found.status, Status.OUT_OF_SCOPE)
    return Reuse(jnp.where(inside, jnp.exp(0.5 * (low + high)), jnp.nan), goal, status)


@needs_float64
@jax.jit
def ridge_saturation(rows: Any, alpha: Any, source: Any, ridge: Any) -> Scalar:
    """Return D'/U of endlessly many copies at a fixed ridge without noise, on a power law.

        D'/U = alpha^(-1/2r) ridge / (U kappa),   kappa = (c/(U + 1/2))^alpha

    ``saturation`` with the ridge in the place of Gamma(2 - 2r)^(-1/2r)/(2 rate).

    Args:
        rows: U, unique rows.
        alpha: capacity exponent, > 1.
        source: source exponent r, in (0, 1).
        ridge: total ridge, > 0 [input^2].

    Regime: U and D'/U -> infinity; fresh rows then have the bias of kappa = ridge/D' and no
    variance, repeated ones alpha times the bias of the interpolator. Source: derived here.

    >>> print(f"{float(ridge_saturation(200.0, 1.5, 0.3, 20.0)):.1f}")
    38.4
    """
    rows = jnp.asarray(rows, float)
    share = jnp.asarray(alpha, float) ** (-1 / (2 * jnp.asarray(source, float)))
    return share * ridge / (rows * ridgeless_kappa(rows, alpha))
