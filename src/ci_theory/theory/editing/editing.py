r"""Editing for life: K small ridge stages in a row, each towards the weights before it.

Inputs are isotropic in p dimensions. The base solves a task b up to an error; every edit fits n
fresh rows of another law b + delta, labels of variance ``noise``, with a total ridge towards what
it starts from. A row of an edit is, with probability f, a row of the base task instead: replay.
With kappa of one edit, rho = 1/(1 + kappa), q = p rho^2/n, an edit multiplies a mean error by h, a
squared one by a, and adds b of the label noise:

.. math:: h = \kappa\rho, \qquad a = \frac{h^2}{1 - q}, \qquad \mathit{b} = \frac{q}{1 - q}.

A replayed row has a label that is off by x.delta; at random that is label noise of variance
f (1 - f) |delta|^2 about the mixed target b + (1 - f) delta. So K edits are a geometric series, the
inheritance operator applied K times. An editor that keeps all constraints so far (``batch``)
is one stage with K n rows.
"""

from typing import NamedTuple

import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._types import Array, Float, Int, Number, Numbers, Scalar, needs_float64
from ci_theory.theory.ridge.ridge_next_order import next_order
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import counted, plain_rows
from ci_theory.theory.spectra.spectrum import isotropic

__all__ = [
    "Edit",
    "Edited",
    "NextEdit",
    "Task",
    "edit_of",
    "edited",
    "exact_edit",
    "missed_at_once",
    "next_edit",
    "replayed_miss",
]


class Edit(NamedTuple):
    """What one ridge stage on n rows does to the errors that it inherits.

    Attributes:
        kept: h, of a mean error.
        lost: 1 - a, of a squared one, to full relative accuracy.
        noise: excess risk per unit of label noise.
        replay_noise: the same for noise in proportion to a row's squared length, in units of its
            mean; what replay makes.
        missed: 1 - leverage, what a row's own residual keeps of its error before the fit.
        kappa: effective ridge.
        status: of the fixed point.
    """

    kept: Scalar
    lost: Scalar
    noise: Scalar
    replay_noise: Scalar
    missed: Scalar
    kappa: Scalar
    status: Int[Array, ""]


class Task(NamedTuple):
    """What is edited into what: numbers, or arrays of one shape.

    Attributes:
        base_error: excess risk of the base before all edits, on its own task [label^2].
        distance: |delta|^2, squared distance of the edits' law from the base's [label^2].
        noise: label-noise variance of edits, and of replayed rows [label^2].
        replay: f, probability that a row of an edit comes from the base task.
    """

    base_error: Numbers
    distance: Numbers
    noise: Numbers
    replay: Numbers


class Edited(NamedTuple):
    """The weights after K edits.

    Attributes:
        base_risk: excess risk on the base task [label^2].
        edit_risk: excess risk on the edits' law [label^2].
        base_share: coefficient of the base task in the mean weights, less that of the edits'.
        edit_miss: mean squared residual on the facts (not the replayed rows) of the last edit
            just after it [label^2].
    """

    base_risk: Scalar
    edit_risk: Scalar
    base_share: Scalar
    edit_miss: Scalar


@needs_float64
def edit_of(p: Number, n: Number, ridge: Number) -> Edit:
    """Solve one edit.

    Args:
        p: dimension of the inputs.
        n: rows of the edit.
        ridge: total ridge towards the weights before it, >= 0; 0 fits every row exactly.

    Regime: p -> infinity; relative corrections of order 1/(max(n, p)(1 - q)), also for one row.

    Limits: ridge 0 and n < p: h = a = 1 - n/p. ridge -> infinity: nothing changes.

    Source: the operator of docs/inheritance/inheritance.md for an isotropic stage.

    >>> made = edit_of(100, 10, 0.0)
    >>> print(f"{made.kept:.3f} {made.lost:.3f} {made.noise:.4f} {made.missed:.3f}")
    0.900 0.100 0.1111 0.000
    """
    risk = weighted_ridge_risk(isotropic(p, signal=1.0), plain_rows(n, 1.0), ridge)
    at = risk.fixed_point
    kept, missed = at.kappa / (1 + at.kappa), at.forgotten[0]
    free = missed + at.leverage[0] * kept  # 1 - q, term by term
    return Edit(
        kept=kept,
        lost=(kept + missed) / ((1 + at.kappa) * free),
        noise=risk.noise_variance,
        replay_noise=risk.noise_variance,
        missed=missed,
        kappa=at.kappa,
        status=risk.status,
    )


class NextEdit(NamedTuple):
    """An edit with the next order of what it does.

    Attributes:
        edit: with h, a and b of the next order; ``missed`` and kappa of the limit.
        free: max(n, p) (1 - q), in which the next order is one over it and what follows its square.
        status: NOT_FINITE at n = p without a ridge.
    """

    edit: Edit
    free: Scalar
    status: Int[Array, ""]


@needs_float64
def next_edit(edit: Edit, p: Number, n: Number, ridge: Number) -> NextEdit:
    """Add the next order to an edit.

    Args:
        edit: from ``edit_of`` at the same point.
        p: dimension of the inputs.
        n: rows of the edit.
        ridge: total ridge.

    Regime: Gaussian inputs; what is left out is of relative order 1/free^2, also for one row. A
    replayed row's noise, in proportion to |x|^2, differs further by 2/p or less.

    Source: ``next_order`` on an isotropic spectrum, and h = a + ridge b/p, an identity.

    >>> made = next_edit(edit_of(20, 1, 20.0), 20, 1, 20.0).edit  # 100 000 draws: .97562, .03656
    >>> print(f"{made.kept:.5f} {made.lost:.5f}")
    0.97562 0.03656
    """
    near = next_order(isotropic(p, signal=1.0), n, ridge, 1.0)
    noise = edit.noise + near.noise_shift
    moved = edit._replace(
        kept=edit.kept + near.signal_shift + ridge * near.noise_shift / p,
        lost=edit.lost - near.signal_shift,
        noise=noise,
        replay_noise=noise,
    )
    return NextEdit(moved, near.left * jnp.maximum(1.0, p / n), near.status)


@needs_float64
def exact_edit(p: Number, n: Number) -> Edit:
    """Give an edit that fits its n < p - 1 rows exactly, without a limit.

        h = a = 1 - n/p,   noise n/(p - n - 1),   replayed noise (1 - 2/p) n/(p - n - 1)

    Args:
        p: dimension of the inputs.
        n: rows of the edit.

    Regime: exact for Gaussian inputs and no ridge; OUT_OF_SCOPE unless n < p - 1.

    Source: projections and inverse Wishart moments; for a replayed row |x|^2 over its squared
    distance from the other rows has the mean (p - 2)/(p - n - 1). One row is randomised Kaczmarz.

    >>> made = exact_edit(100, 10)
    >>> print(f"{made.lost:.3f} {made.noise:.5f} {made.replay_noise:.5f}")
    0.100 0.11236 0.11011
    """
    p, n = counted(p), counted(n)
    known = n < p - 1
    noise = jnp.where(known, n / jnp.where(known, p - n - 1, 1.0), jnp.nan)
    return Edit(
        kept=1 - n / p,
        lost=n / p,
        noise=noise,
        replay_noise=(1 - 2 / p) * noise,
        missed=jnp.zeros_like(noise),
        kappa=p / n - 1,
        status=jnp.where(known, Status.OK, Status.OUT_OF_SCOPE),
    )


@needs_float64
def edited(edit: Edit, edits: Number, task: Task) -> Edited:
    r"""Apply an edit K times.

    .. math::
        R_K = (1-f)^2|\delta|^2(1 - 2h^K + a^K) + R_0 a^K
        + [\sigma^2 + f(1-f)|\delta|^2]\,\mathit{b}\,\frac{1-a^K}{1-a}

    on the base task; its share is f + (1 - f) h^K; on the edits' law (f + (1 - f)h)^2 is expanded
    alike, and a fact just edited in is missed by (1 - leverage)^2 of noise + that risk.

    Args:
        edit: from ``edit_of`` or ``exact_edit``; for the batch editor one of K n rows.
        edits: K; 1 for the batch editor.
        task: what is edited.

    Regime: exact in the coefficients of the edit, but for ``edit_miss``, a limit like these.
    Limits: K = 0 is the base; K -> infinity ``settled_risk`` about the mixed target.

    Source: the operator of docs/inheritance/inheritance.md K times;
    docs/editing/lifelong_editing.md.

    >>> task = Task(base_error=0.05, distance=1.0, noise=1.0, replay=0.0)
    >>> print(f"{edited(exact_edit(150, 1), 104, task).base_risk:.3f}")
    1.034
    """
    zero = jnp.zeros(())
    base_error, distance, noise, replay = (zero + jnp.asarray(v, float) for v in task)
    fresh, edits = 1 - replay, zero + jnp.asarray(edits, float)
    mean = edit.kept**edits
    times = _series(edit.lost, edits)
    square = 1 - edit.lost * times
    added = (noise * edit.noise + replay * fresh * distance * edit.replay_noise) * times
    left = base_error * square + added
    there = distance * (replay**2 + 2 * replay * fresh * mean + fresh**2 * square) + left
    return Edited(
        base_risk=fresh**2 * distance * (1 - 2 * mean + square) + left,
        edit_risk=there,
        base_share=replay + fresh * mean,
        edit_miss=edit.missed**2 * (noise + there),
    )


@needs_float64
def missed_at_once(
    edit: Edit, edits: Number, task: Task, p: Number, n: Number, ridge: Number
) -> Float[Array, "..."]:
    """Give ``edit_miss`` from h, a and b alone, so that it can be had beyond the limit.

    With M = ridge (X X' + ridge)^-1 the residuals are M times those before the fit, and the
    traces of M^2, of M X X' and of X' M^2 X follow from h, a and b of the same rows.

    Args:
        edit: one edit, or several of which the numbers are arrays.
        edits: K >= 1.
        task: what is edited.
        p: dimension of the inputs.
        n: rows of the edit.
        ridge: total ridge.

    Regime: exact in h, a and b without replay. With their limits it is that of ``edited``.
    Source: docs/editing/lifelong_editing.md.

    >>> task, edit = Task(0.05, 1.0, 1.0, 0.2), edit_of(100, 10, 30.0)
    >>> print(f"{missed_at_once(edit, 4, task, 100, 10, 30.0):.6f}")
    0.119022
    >>> print(f"{edited(edit, 4, task).edit_miss:.6f}")
    0.119022
    """
    base_error, distance, noise, replay = (jnp.asarray(v, float) for v in task)
    fresh, before = 1 - replay, jnp.asarray(edits, float) - 1
    times = _series(edit.lost, before)
    square = 1 - edit.lost * times
    flips = replay * fresh * distance
    held = (base_error + fresh**2 * distance) * square
    held = held + (noise * edit.noise + flips * edit.replay_noise) * times
    own = 1 - p / n * (1 - edit.kept)
    labels = 1 - p / n * edit.lost
    crossed = ridge / p * own * (1 - own) * edit.kept**before
    replayed = replay**2 * distance * own**2 + 2 * flips * crossed + flips * (labels - own**2)
    carried = jnp.asarray(ridge, float) ** 2 * edit.noise / (n * p) * held
    return carried + noise * labels + replayed


@needs_float64
def replayed_miss(edit: Edit, edits: Number, task: Task, p: Number, free: Number) -> Scalar:
    """Bound what ``missed_at_once`` leaves out on replayed rows, to first order.

    The square of a row's M_ii exceeds that of its mean by 2 L^2/free of it, L the leverage, and
    goes with the row's own length: by at most 4 L/p; likewise for the rows beside it, 2/p.

    Args:
        edit: one edit.
        edits: K >= 1.
        task: what is edited.
        p: dimension of the inputs.
        free: of ``next_edit``.

    Regime: as ``next_edit``. Source: docs/editing/lifelong_editing.md.

    >>> task = Task(0.05, 1.0, 1.0, 0.2)
    >>> print(f"{replayed_miss(edit_of(100, 10, 30.0), 4, task, 100, 98.0):.5f}")
    0.00028
    """
    distance, replay = jnp.asarray(task.distance, float), jnp.asarray(task.replay, float)
    held, p = 1 - edit.missed, counted(p)
    mixed = replay * (1 - replay)
    own = replay**2 * 2 * held * (held / free + 2 / p)
    crossed = 4 * mixed * edit.kept**edits * held * edit.missed / free
    beside = mixed * (2 * held**2 / free + 2 * edit.noise / p)
    return edit.missed**2 * distance * (own + crossed + beside)


def _series(lost: Scalar, edits: Scalar) -> Scalar:
    """Return (1 - (1 - lost)^K)/lost, also where nothing or everything is lost."""
    some, whole = lost > 0, lost >= 1
    rate = jnp.log1p(-jnp.where(whole, 0.5, lost))
    gone = jnp.where(whole, 1.0, -jnp.expm1(edits * rate))
    return jnp.where(some, jnp.where(edits > 0, gone, 0.0) / jnp.where(some, lost, 1.0), edits)
