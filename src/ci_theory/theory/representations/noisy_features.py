r"""Features that upstream classifiers with flipped labels hand on, and a ridge probe on them.

Upstream, c binary heads are fitted to v_i sign(x.u), v_i = +-1, by least squares on n whitened
rows x (X'X = n), each label flipped with probability q. Their weights are *exactly*

.. math:: W = x^{1/2} \hat s\,v'/\sqrt c + N, \qquad
    x = (1 - 2q)^2\,\theta^2\,\tfrac\pi2\,S, \qquad
    \tau = \frac{\pi\theta^2}{2c}\,\frac{4q(1-q)}{n},

N of uncorrelated entries of variance tau and s the fit to clean labels, whose squared length S and
overlap with u are those of a sample. Downstream, ridge regression on the features W'x meets a
target along u, which the upstream labels name, and one across it, which they do not: all that the
features show of it is in the noise.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._record import record
from ci_theory._types import Array, Float, Int, Number, Scalar, needs_float64
from ci_theory.theory.spectra.fixed_point import log_root
from ci_theory.theory.spectra.spiked import Resolvent, Spiked, resolvent, resolvent_trace

__all__ = [
    "BestFlips",
    "Features",
    "Probe",
    "Task",
    "best_flips",
    "clean_slope",
    "excess_where",
    "flipped_heads",
    "mixed",
    "probe",
    "spared_share",
]

_GRID, _ROUNDS = 41, 5  # a round narrows the bracket twentyfold


@record
class Features:
    """Moments of the weights of flipped heads.

    Attributes:
        weights: their rank-one part and their noise, d rows and a column a head.
        overlap: squared cosine between the rank-one part and the direction u that labels name.
    """

    weights: Spiked
    overlap: Float[Any, ""]


@record
class Task:
    """A downstream task and the probe that learns it.

    Attributes:
        n: rows, > 0.
        ridge: total ridge on the coefficients of the features, > 0 [feature^2 rows].
        noise: label-noise variance [label^2].
        named: squared norm of the target along u [label^2].
        unnamed: squared norm of the target across u, in a direction independent of the weights.
    """

    n: Float[Any, ""]
    ridge: Float[Any, ""]
    noise: Float[Any, ""]
    named: Float[Any, ""]
    unnamed: Float[Any, ""]


class Probe(NamedTuple):
    """A fitted probe, in the limit of many rows and features.

    Attributes:
        excess: excess risk on its own law [label^2].
        noise_part: what label noise makes of it.
        missed: squared share of the named target that the mean fit misses.
        learned: share of the unnamed target that the mean fit has, 1 - kappa A_g.
        kappa: effective ridge per row.
        df1, df2: degrees of freedom.
        resolvent: of the features' covariance at kappa.
        status: of the fixed point.
        residual: relative error left in kappa.
    """

    excess: Scalar
    noise_part: Scalar
    missed: Scalar
    learned: Scalar
    kappa: Scalar
    df1: Scalar
    df2: Scalar
    resolvent: Resolvent
    status: Int[Array, ""]
    residual: Scalar


@needs_float64
@jax.jit
def flipped_heads(d: Number, heads: Number, n: Number, flips: Number, scale: Number) -> Features:
    r"""Weights of binary heads fitted to flipped labels.

    .. math:: S = M + (1 - M)\frac{d - 1}{n - 1}, \qquad
        \cos^2(\hat s, u) = \frac MS, \qquad M = \frac2\pi + \frac{1 - 2/\pi}n

    Args:
        d: input dimension.
        heads: c.
        n: whitened rows, > d; may be infinite.
        flips: q in [0, 1/2].
        scale: theta; the largest singular value of clean labels is near it.

    Regime: x and tau are exact, the mean overlap has relative errors of order 1/n and 1/d.

    Source: model of this package (docs/representations/noisy_features.md); S is exact for whitened
    Gaussian rows.

    >>> made = flipped_heads(100.0, 80.0, 3200.0, 0.1, 3.0)
    >>> print(f"{float(made.overlap):.4f} {float(made.weights.strength):.4f}")
    0.9827 5.8627
    """
    d, heads, n, flips, scale = (jnp.asarray(v, float) for v in (d, heads, n, flips, scale))
    along = 2 / jnp.pi + (1 - 2 / jnp.pi) / n
    length = along + (1 - along) * (d - 1) / (n - 1)
    unit = scale**2 * jnp.pi / 2
    return Features(
        weights=Spiked(
            rows=d,
            columns=heads,
            strength=(1 - 2 * flips) ** 2 * unit * length,
            noise=unit / heads * 4 * flips * (1 - flips) / n,
        ),
        overlap=along / length,
    )


def _rows_needed(kappa: Scalar, weights: Spiked, n: Scalar, ridge: Scalar) -> Scalar:
    """Return what vanishes at the effective ridge: kappa (n - df1) - ridge."""
    return kappa * (n - weights.rows + kappa * resolvent_trace(weights, kappa)) - ridge


@needs_float64
@jax.jit
def probe(features: Features, task: Task) -> Probe:
    r"""Ridge regression on features W'x of x ~ N(0, 1).

    With K = W W', T = tr (K + kappa)^-1 and A the entries of (K + kappa)^-1 along u and across,

    .. math:: \delta = \kappa\,(n - d + \kappa T), \qquad
        \mathrm{df}_2 = d - 2\kappa T - \kappa^2 T', \qquad
        R = \frac{-\kappa^2 (a^2 A_u' + b^2 A_g') + \sigma^2\,\mathrm{df}_2/n}{1 - \mathrm{df}_2/n}

    where :math:`A_u = \cos^2 A_s + (1 - \cos^2) A_\perp`, :math:`A_\perp = (T - A_s)/(d - 1)` and
    :math:`A_g = (T - A_u)/(d - 1)`: an unnamed direction is any of those across u.

    Args:
        features: inherited, frozen.
        task: the task and its probe.

    Regime: limit n, d, c -> infinity at fixed ratios; relative errors of order 1/(n - df2), 1/d
    and, of the noise, 1/(upstream rows x flips).

    Limits: no noise in the weights: rank one, the unnamed target is missed whole.

    Source: derived here (docs/representations/noisy_features.md); the ridge stage as in Hastie,
    Montanari, Rosset, Tibshirani, arXiv:1903.08560.

    >>> task = Task(n=150.0, ridge=0.36, noise=0.6, named=1.0, unnamed=0.2025)
    >>> for flips in (0.0, 0.05, 0.3):
    ...     made = probe(flipped_heads(100.0, 80.0, 3200.0, flips, 3.0), task)
    ...     print(f"{float(made.excess):.4f} {float(made.learned):.3f}", int(made.status))
    0.2253 0.000 0
    0.1916 0.187 0
    0.2352 0.375 0
    """
    weights = jax.tree.map(lambda value: jnp.asarray(value, float), features.weights)
    n, ridge = jnp.asarray(task.n, float), jnp.asarray(task.ridge, float)
    d = weights.rows
    asked = (n > 0) & (ridge > 0)
    n, ridge = jnp.where(asked, n, 1.0), jnp.where(asked, ridge, 1.0)
    most = ridge + weights.strength + d * weights.columns * weights.noise
    found = log_root(_rows_needed, 0.5 * ridge / n, 2 * most / n, weights, n, ridge)
    kappa = found.value
    at = resolvent(weights, kappa)

    _, unnamed = mixed(features.overlap, d, at.trace, at.along)
    named_slope, unnamed_slope = mixed(features.overlap, d, at.trace_slope, at.along_slope)
    df1 = d - kappa * at.trace
    df2 = d - 2 * kappa * at.trace - kappa**2 * at.trace_slope
    left = 1 - df2 / n
    bias = -(kappa**2) * (task.named * named_slope + task.unnamed * unnamed_slope)
    noise_part = task.noise * df2 / n / left
    status = jnp.where(left > 0, found.status, int(Status.NOT_FINITE))
    return Probe(
        excess=bias / left + noise_part,
        noise_part=noise_part,
        missed=-(kappa**2) * named_slope,
        learned=1 - kappa * unnamed,
        kappa=kappa,
        df1=df1,
        df2=df2,
        resolvent=at,
        status=jnp.where(asked, status, int(Status.OUT_OF_SCOPE)),
        residual=found.residual,
    )


def mixed(overlap: Any, d: Scalar, trace: Scalar, along: Scalar) -> tuple[Scalar, Scalar]:
    """Return the mean entry along u and across it, given the trace and the entry along s."""
    aside = (trace - along) / (d - 1)
    named = overlap * along + (1 - overlap) * aside
    return named, (trace - named) / (d - 1)


@needs_float64
def excess_where(fitted: Probe, unnamed: Number, kept: Number) -> Float[Array, "..."]:
    r"""Excess risk where the unnamed part of the target is another multiple of itself.

    .. math:: R(\rho) = R + b^2\,\bigl[(\rho - \ell)^2 - (1 - \ell)^2\bigr], \qquad
        \ell = 1 - \kappa A_g

    Args:
        fitted: the probe, or several side by side.
        unnamed: b^2 [label^2].
        kept: rho: 1 in-domain, 0 where that part is gone, -1 where it is reversed.

    Regime: as ``probe``.

    Source: the mean of a quadratic form; inputs have one law.

    >>> task = Task(n=150.0, ridge=0.36, noise=0.6, named=1.0, unnamed=0.2025)
    >>> made = probe(flipped_heads(100.0, 80.0, 3200.0, 0.05, 3.0), task)
    >>> print(f"{float(excess_where(made, 0.2025, 1.0)):.4f}")
    0.1916
    >>> print(f"{float(excess_where(made, 0.2025, 0.0)):.4f}")
    0.0647
    """
    learned = fitted.learned
    return fitted.excess + unnamed * ((kept - learned) ** 2 - (1 - learned) ** 2)


@needs_float64
def spared_share(clean: Probe, noisy: Probe, unnamed: Number) -> Scalar:
    r"""Share of the unnamed target that must stay for upstream noise to do no harm.

    .. math:: \rho^* = 1 + \frac{R_q - R_0}{2 b^2 (\ell_q - \ell_0)}
        \;\to\; -\frac{a^2 (1 - \cos^2)}{b^2} \quad (q \to 0)

    Noise helps where rho is larger: the change of the risk falls linearly with rho.

    Args:
        clean: the probe at no flips, R_0.
        noisy: the probe at q.
        unnamed: b^2 [label^2], > 0.

    Returns:
        rho; without a limit: NaN at q = 0.

    Regime: as ``probe``.

    Source: derived here (docs/representations/noisy_features.md).

    >>> task = Task(n=150.0, ridge=0.36, noise=0.6, named=1.0, unnamed=0.2025)
    >>> clean, little, more = (
    ...     probe(flipped_heads(100.0, 80.0, 3200.0, q, 3.0), task) for q in (0.0, 1e-4, 0.05))
    >>> print(f"{float(spared_share(clean, little, 0.2025)):.3f}")
    -0.089
    >>> print(f"{float(spared_share(clean, more, 0.2025)):.3f}")
    0.554
    """
    gained = noisy.learned - clean.learned
    there = gained > 0
    safe = jnp.where(there, gained, 1.0)
    share = 1 + (noisy.excess - clean.excess) / (2 * jnp.asarray(unnamed, float) * safe)
    return jnp.where(there, share, jnp.nan)


@needs_float64
def clean_slope(features: Features, task: Task, n_up: Number, scale: Number, kept: Number) -> Any:
    r"""How the first flips change the risk: its slope in q at q = 0.

    .. math:: \frac{dR(\rho)}{dq} = -\frac{4\pi\theta^2 n}{n_u\,\delta}
        \,\bigl[\rho\, b^2 + a^2 (1 - \cos^2)\bigr]

    Slight noise helps in-domain whatever the task, as soon as the labels leave something unnamed
    and the probe's ridge is fixed; out of domain its sign is that of the bracket.

    Args:
        features: of clean labels.
        task: the task and its probe.
        n_up: upstream rows.
        scale: theta.
        kept: rho of the test law, 1 in-domain.

    Regime: leading order in 1/n and in ridge/(n x).

    Source: derived here (docs/representations/noisy_features.md); the first order of ``probe`` in
    q.

    >>> task = Task(n=150.0, ridge=0.36, noise=0.6, named=1.0, unnamed=0.2025)
    >>> clean = flipped_heads(100.0, 80.0, 3200.0, 0.0, 3.0)
    >>> print(f"{float(clean_slope(clean, task, 3200.0, 3.0, 1.0)):.2f}")
    -3.24
    """
    missed = task.named * (1 - features.overlap)
    rate = 4 * jnp.pi * jnp.asarray(scale, float) ** 2 * task.n / (n_up * task.ridge)
    return -rate * (kept * task.unnamed + missed)


class BestFlips(NamedTuple):
    """The share of flips with the least in-domain risk, and the risk there [label^2].

    ``status`` is OK, or OUT_OF_SCOPE where none, or half, is best.
    """

    flips: Scalar
    excess: Scalar
    status: Int[Array, ""]


@needs_float64
@jax.jit
def best_flips(d: Any, heads: Any, n_up: Any, scale: Any, task: Task) -> BestFlips:
    """Minimise the in-domain excess risk over the share of flipped upstream labels.

    Args:
        d: input dimension.
        heads: upstream heads.
        n_up: upstream rows.
        scale: theta.
        task: the task and its probe.

    Regime: that of ``probe``; the lowest of 41 values between 1e-5 and 1/2, narrowed down to a
    relative 1e-5 around it.

    Source: derived here.

    >>> task = Task(n=150.0, ridge=0.36, noise=0.6, named=1.0, unnamed=0.2025)
    >>> print(f"{float(best_flips(100.0, 80.0, 3200.0, 3.0, task).flips):.4f}")
    0.0420
    """

    def excess(u: Scalar) -> Scalar:
        return probe(flipped_heads(d, heads, n_up, jnp.exp(u), scale), task).excess

    def zoom(_: Any, state: tuple[Array, Array, Array, Array]) -> tuple[Array, ...]:
        low, high, _, inside = state
        grid = low + (high - low) * jnp.linspace(0.0, 1.0, _GRID)
        values = jax.lax.map(excess, grid)
        pick = jnp.argmin(values)
        first, last = jnp.maximum(pick - 1, 0), jnp.minimum(pick + 1, _GRID - 1)
        return grid[first], grid[last], values[pick], inside & (pick > 0) & (pick < _GRID - 1)

    start = jnp.log(1e-5), jnp.log(0.5), jnp.zeros(()), jnp.array(True)
    low, high, least, inside = jax.lax.fori_loop(0, _ROUNDS, zoom, start)
    status = jnp.where(inside, int(Status.OK), int(Status.OUT_OF_SCOPE))
    return BestFlips(jnp.exp(0.5 * (low + high)), least, status)
