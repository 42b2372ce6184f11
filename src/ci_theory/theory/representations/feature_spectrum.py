r"""What the singular values of upstream rows foretell of a probe on their leading direction.

A reader of the singular values alone, who takes all rows for distinct, infers from the largest
how much of the true direction its vector has; a downstream probe on this one feature pays for
what it does not have. Repeated rows break the inference: they raise the largest value and turn
its vector away.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Int, Number, Scalar, needs_float64
from ci_theory.theory.rows.spiked_rows import SpikedRows, leading, transition
from ci_theory.theory.spectra.fixed_point import log_root
from ci_theory.theory.spectra.groups import Groups

__all__ = ["NoiseAt", "feature_probe", "foretold_overlap", "needed_overlap", "noise_at"]


class NoiseAt(NamedTuple):
    """An upstream noise; ``status`` is OK, or OUT_OF_SCOPE where no noise does it."""

    noise: Scalar
    status: Int[Array, ""]


@needs_float64
def foretold_overlap(value: Number, trace: Number, n: Number, d: Number) -> Scalar:
    r"""Infer from the largest eigenvalue how much of the true direction its vector has.

    .. math:: \lambda_1 = n(\ell + \sigma)(1 + \gamma\sigma/\ell) \;\Rightarrow\; \ell, \qquad
        \frac{1 - \gamma\sigma^2/\ell^2}{1 + \gamma\sigma/\ell}, \qquad \gamma = \frac{d - 1}n

    Args:
        value: lambda_1 of X'CX [x^2 rows].
        trace: of X'CX: the other eigenvalues are the noise, n sigma each in the mean.
        n: rows, copies counted as rows.
        d: input dimension.

    Returns:
        The squared cosine; 0 where the value is inside the bulk of distinct rows.

    Regime: true of distinct rows, in the limit of many. Of repeated ones it is what a reader is
    told who does not know of the copies.

    Source: ``spiked_rows.leading`` for plain rows, solved for the signal.

    >>> print(f"{float(foretold_overlap(302.4, 302.4 + 60 * 48.0, 240.0, 61.0)):.4f}")
    0.9429
    """
    value, trace, n, d = (jnp.asarray(v, float) for v in (value, trace, n, d))
    gamma, noise = (d - 1) / n, jnp.maximum(trace - value, 0.0) / (d - 1) / n
    half = 0.5 * (value / n - (1 + gamma) * noise)
    inside = half * half - gamma * noise**2
    seen = (half > 0) & (inside > 0)
    signal = jnp.where(seen, half + jnp.sqrt(jnp.where(seen, inside, 1.0)), 1.0)
    share = (1 - gamma * (noise / signal) ** 2) / (1 + gamma * noise / signal)
    return jnp.where(seen, share, 0.0)


@needs_float64
def feature_probe(overlap: Number, n: Number, noise: Number) -> Scalar:
    r"""Mean excess risk of least squares on one feature x.v for a target x.u of unit norm.

    .. math:: R = 1 - c^2 + \frac{1 - c^2 + \sigma^2}{n - 2}, \qquad c = v \cdot u

    Args:
        overlap: c^2, or its mean over directions v that do not depend on the downstream rows.
        n: downstream rows, > 2: with fewer the mean is infinite.
        noise: label-noise variance [label^2].

    Regime: exact for x ~ N(0, I).

    Source: derived here (docs/representations/feature_spectrum.md): what v misses of u is noise to
    the probe.

    >>> print(f"{float(feature_probe(0.75, 22.0, 0.5)):.4f}")
    0.2875
    """
    missed = 1 - jnp.asarray(overlap, float)
    n = jnp.asarray(n, float)
    finite = n > 2
    return jnp.where(finite, missed + (missed + noise) / jnp.where(finite, n - 2, 1.0), jnp.inf)


@needs_float64
def needed_overlap(n: Number, noise: Number) -> Scalar:
    """Overlap from which on the probe does better than no probe at all: (1 + noise)/(n - 1).

    Args:
        n: downstream rows, > 2.
        noise: label-noise variance [label^2]; the target has unit norm.

    Regime: exact, ``feature_probe`` = 1. Source: derived here
    (docs/representations/feature_spectrum.md).

    >>> print(f"{float(needed_overlap(22.0, 0.5)):.4f}")
    0.0714
    """
    return (1 + jnp.asarray(noise, float)) / (jnp.asarray(n, float) - 1)


def _beyond(noise: Array, level: Array, d: Array, signal: Array, groups: Groups) -> Array:
    """Return what vanishes where the overlap is the level."""
    return leading(SpikedRows(d=d, signal=signal, noise=noise, groups=groups)).overlap - level


@needs_float64
@jax.jit
def noise_at(d: Any, signal: Any, groups: Groups, level: Any) -> NoiseAt:
    """Find the upstream noise at which the overlap of the leading direction falls to a level.

    Args:
        d: input dimension.
        signal: variance along the direction beyond the noise, > 0 [x^2].
        groups: the rows.
        level: in [0, 1); 0 is the transition.

    Regime: as ``leading``: the overlap falls with the noise down to the transition.

    Source: derived here. Limits: plain rows, level 0: signal sqrt(n/(d - 1)).

    >>> from ci_theory.theory.spectra.groups import plain_rows
    >>> for level in (0.0, 0.5):
    ...     print(f"{float(noise_at(61.0, 1.0, plain_rows(240.0, 0.0), level).noise):.4f}")
    2.0000
    1.1861
    """
    d, signal, level = (jnp.asarray(v, float) for v in (d, signal, level))
    most = transition(d, groups)
    last = signal / most.ratio
    asked = (level >= 0) & (level < 1) & (signal > 0) & (most.status == int(Status.OK))
    inside = asked & (level > 0)
    first = 1e-9 * (1 - level) * signal
    root = log_root(
        _beyond,
        jnp.where(inside, first, 1e-9),
        jnp.where(inside, last, 1.0),
        jnp.where(inside, level, 0.5),
        d,
        jnp.where(asked, signal, 1.0),
        groups,
    )
    status = jnp.where(inside, root.status, most.status)
    return NoiseAt(
        noise=jnp.where(asked, jnp.where(inside, root.value, last), jnp.nan),
        status=jnp.where(asked, status, int(Status.OUT_OF_SCOPE)),
    )
