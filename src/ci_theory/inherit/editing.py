"""A life of edits, averaged over label noise, replay and the orientation of what is edited.

Every edit sends the weights w to w + J (y - X w). Given the inputs it is linear, so all that
errors need is how the edits so far act on an error (``carried``), and the covariance of what
unit label noise has become; no label is drawn. Replay gives a row the base task's label at
random: noise of variance f (1 - f) (x.delta)^2 about the mixed target, on average over the
orientation of delta in proportion to |x|^2. Inputs are isotropic, so that average changes no mean.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Float, Scalar, Value
from ci_theory.training.closed_form import decompose, shrinkage

EDITORS = ("sequential", "batch")
"""Fit each edit towards the weights before it, or keep fitting all edits so far."""


class Life(NamedTuple):
    """The edits so far.

    Attributes:
        carried: P, the error of the mean weights about the mixed target per error before, (p, p).
        spread: covariance of the weights by unit label noise, (p, p).
        replayed: the same by noise of variance |x|^2/p of a row x, (p, p).
        rows: rows seen.
    """

    carried: Float[Array, "p p"]
    spread: Float[Array, "p p"]
    replayed: Float[Array, "p p"]
    rows: Scalar


class Shares(NamedTuple):
    """Squared errors after an edit by their causes, each per unit of it.

    Attributes:
        carried: tr P/p.
        square: |P|^2/p.
        noise: tr of ``Life.spread``; ``replay``: of ``Life.replayed``.
        miss_square, miss_cross, miss_own, miss_replay: of the mean residual on the rows of the
            edit, by P, by P and the row itself, by the row itself, and by the other rows.
        miss_noise, miss_old_noise, miss_old_replay: by the labels of the edit and what labels
            before it have left.
    """

    carried: Scalar
    square: Scalar
    noise: Scalar
    replay: Scalar
    miss_square: Scalar
    miss_cross: Scalar
    miss_own: Scalar
    miss_replay: Scalar
    miss_noise: Scalar
    miss_old_noise: Scalar
    miss_old_replay: Scalar


class Errors(NamedTuple):
    """Squared errors after an edit [label^2], and the base's share in the mean weights."""

    base_risk: Array
    edit_risk: Array
    edit_miss: Array
    base_share: Array


def errors(
    shares: Shares, replay: Array, noise: Array, distance: Array, base_error: Array
) -> Errors:
    """Put the causes together; all arrays of one shape.

    Args:
        shares: after an edit.
        replay: f, probability that a row comes from the base task.
        noise: label-noise variance.
        distance: |delta|^2.
        base_error: squared error of the base before all edits.
    """
    s, fresh = shares, 1 - replay
    flips = replay * fresh * distance
    left = base_error * s.square + noise * s.noise + flips * s.replay
    miss = fresh**2 * s.miss_square + 2 * replay * fresh * s.miss_cross + replay**2 * s.miss_own
    miss = distance * miss + base_error * s.miss_square
    miss = miss + noise * (s.miss_noise + s.miss_old_noise)
    there = replay**2 + 2 * replay * fresh * s.carried + fresh**2 * s.square
    return Errors(
        base_risk=distance * fresh**2 * (1 - 2 * s.carried + s.square) + left,
        edit_risk=distance * there + left,
        edit_miss=miss + flips * (s.miss_replay + s.miss_old_replay),
        base_share=replay + fresh * s.carried,
    )


def unedited(p: int) -> Life:
    """Return a life without an edit.

    >>> float(unedited(3).carried.trace())
    3.0
    """
    none = jnp.zeros((p, p))
    return Life(jnp.eye(p), none, none, jnp.zeros(()))


def edit(
    life: Life, x: Float[Array, "n p"], present: Float[Array, " n"], ridge: Value, editor: str
) -> tuple[Life, Shares]:
    """Make one edit.

    Args:
        life: the edits before.
        x: its rows.
        present: 1 for a row that is there, 0 for one that is not.
        ridge: total ridge towards the weights before ("sequential") or before all edits
            ("batch"), >= 0.
        editor: one of ``EDITORS``.
    """
    x = x * present[:, None]
    n, p = jnp.sum(present), x.shape[1]
    gain = _towards(x, present, ridge) if editor == "sequential" else _keeping(life, x, ridge)
    lengths = jnp.sum(x**2, axis=1)
    made = Life(
        carried=life.carried - gain @ (x @ life.carried),
        spread=_fitted(life.spread, gain, x) + gain @ gain.T,
        replayed=_fitted(life.replayed, gain, x) + (gain * lengths[None, :] / p) @ gain.T,
        rows=life.rows + n,
    )
    left = jnp.diag(present) - x @ gain  # residuals per label before the fit
    before, own = left @ x @ life.carried, jnp.diagonal(left)
    old = left @ x
    owned = jnp.sum(own**2 * lengths)
    return made, Shares(
        carried=jnp.trace(made.carried) / p,
        square=jnp.sum(made.carried**2) / p,
        noise=jnp.trace(made.spread),
        replay=jnp.trace(made.replayed),
        miss_square=jnp.sum(before**2) / (n * p),
        miss_cross=jnp.sum(own * jnp.sum(before * x, axis=1)) / (n * p),
        miss_own=owned / (n * p),
        miss_replay=(jnp.sum(left**2 @ lengths) - owned) / (n * p),
        miss_noise=jnp.sum(left**2) / n,
        miss_old_noise=jnp.sum(old * (old @ life.spread)) / n,
        miss_old_replay=jnp.sum(old * (old @ life.replayed)) / n,
    )


def _fitted(covariance: Array, gain: Array, x: Array) -> Array:
    half = covariance - gain @ (x @ covariance)
    return half - (half @ x.T) @ gain.T


def _towards(x: Array, present: Array, ridge: Value) -> Float[Array, "p n"]:
    """Return the map from labels to weights of ridge regression on these rows alone."""
    path = decompose(x, present)
    labels = path.forward(jnp.diag(path.root))
    return path.back(shrinkage(path.eigenvalues[:, None], ridge) * labels)


def _keeping(life: Life, x: Array, ridge: Value) -> Float[Array, "p n"]:
    """Return the map of recursive least squares, row by row, from the edits so far.

    P is the ridge times the inverse of the Gram matrix of all rows and the ridge. Without one it
    projects on what no row has seen; when p rows have been, the inverse itself is the spread.
    """

    def row(i: Array, state: tuple) -> tuple:
        carried, spread, gain = state
        unseen, seen = carried @ x[i], spread @ x[i]
        blind = (ridge > 0) | (life.rows + i < x.shape[1])
        own = jnp.where(blind, unseen, seen)
        total = jnp.where(blind, ridge, 1.0) + x[i] @ own
        step = own / jnp.where(total > 0, total, 1.0)
        gain = (gain - jnp.outer(step, x[i] @ gain)).at[:, i].set(step)
        spread = _fitted(spread, step[:, None], x[i][None]) + jnp.outer(step, step)
        return carried - jnp.outer(step, x[i] @ carried), spread, gain

    state = life.carried, life.spread, jnp.zeros(x.shape[::-1])
    return jax.lax.fori_loop(0, x.shape[0], row, state)[2]
