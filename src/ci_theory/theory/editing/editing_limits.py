"""How long a base lives under edits, and what keeps it for ever: places in closed form.

Inputs are isotropic in p dimensions, an edit has n rows and the effective ridge kappa, and
f is the share of replayed rows; see ``editing``.
"""

import jax.numpy as jnp

from ci_theory._types import Array, Numbers, needs_float64
from ci_theory.theory.spectra.groups import counted

__all__ = ["batch_half_life", "half_life", "lifelong_ridge", "settled_risk"]


@needs_float64
def settled_risk(p: Numbers, n: Numbers, kappa: Numbers, noise: Numbers) -> Array:
    r"""Excess risk on the edits' own law after infinitely many of them.

        Q = g noise/(1 + 2 kappa - g),   g = p/n

    Args:
        p: dimension of the inputs.
        n: rows of an edit.
        kappa: effective ridge of an edit, > g - 1 with a ridge.
        noise: label-noise variance [label^2].

    Regime: as ``editing.edit_of``. Finite for every kappa > (g - 1)/2, which every edit has: what
    is forgotten in a sequence is bounded. Source: fixed point of ``editing.edited``.

    >>> print(f"{settled_risk(100.0, 10.0, 9.0, 1.0):.4f}")  # no ridge: 100/(100 - 10)
    1.1111
    """
    ratio = counted(p) / counted(n)
    return ratio * jnp.asarray(noise, float) / (1 + 2 * jnp.asarray(kappa, float) - ratio)


@needs_float64
def half_life(kappa: Numbers, replay: Numbers = 0.0) -> Array:
    """Edits after which the base's share in the mean weights is one half.

        K = ln[(1 - f)/(1/2 - f)] / ln(1 + 1/kappa);  infinite if f >= 1/2

    Args:
        kappa: effective ridge of an edit, >= 0.
        replay: f, share of replayed rows.

    Regime: as ``editing.edit_of``; exact in kappa. Limits: no replay and kappa >> 1, kappa ln 2;
    kappa = 0 forgets in one edit. Source: f + (1 - f) h^K = 1/2.

    >>> print(f"{half_life(149.0):.1f} {half_life(149.0, 0.4):.1f} {half_life(149.0, 0.5)}")
    103.6 267.9 inf
    """
    kappa, replay = jnp.asarray(kappa, float), jnp.asarray(replay, float)
    ends = replay < 0.5
    waited = jnp.log((1 - replay) / jnp.where(ends, 0.5 - replay, 1.0))
    return jnp.where(ends, waited / jnp.log1p(1 / kappa), jnp.inf)


@needs_float64
def batch_half_life(p: Numbers, n: Numbers, ridge: Numbers, replay: Numbers = 0.0) -> Array:
    """Edits after which the base's share is one half if all edits so far are kept.

        K n = ridge/(1 - 2 f) + p/(2 (1 - f));  infinite if f >= 1/2

    Args:
        p: dimension of the inputs.
        n: rows of an edit.
        ridge: total ridge towards the base.
        replay: f, share of replayed rows.

    Regime: p -> infinity. Limits: no ridge and no replay, the 1 - K n/p law. Source: one stage of
    K n rows with kappa = 1 - 2 f.

    >>> print(batch_half_life(100, 5, 0.0), batch_half_life(100, 5, 20.0, 0.25))
    10.0 21.333333333333336
    """
    replay = jnp.asarray(replay, float)
    ends = replay < 0.5
    rows = ridge / jnp.where(ends, 1 - 2 * replay, 1.0) + counted(p) / (2 * (1 - replay))
    return jnp.where(ends, rows / counted(n), jnp.inf)


@needs_float64
def lifelong_ridge(p: Numbers, n: Numbers, noise: Numbers, level: Numbers) -> Array:
    """Smallest total ridge with which the base stays below a risk for ever, its law unchanged.

        kappa = (g (1 + noise/level) - 1)/2,   ridge = kappa (n - p/(1 + kappa))

    Args:
        p: dimension of the inputs.
        n: rows of an edit.
        noise: label-noise variance of an edit, the surprise in it [label^2].
        level: largest excess risk on the base task [label^2], > 0.

    Regime: as ``editing.edit_of``; the edits' law is the base's (distance 0), else every anchor
    only delays. 0 where exact edits do. Source: ``settled_risk`` = level.

    >>> print(f"{lifelong_ridge(150, 10, 1.0, 0.5):.2f}")
    76.52
    """
    p, n = counted(p), counted(n)
    kappa = (p / n * (1 + jnp.asarray(noise, float) / level) - 1) / 2
    return jnp.maximum(kappa * (n - p / (1 + kappa)), 0.0)
