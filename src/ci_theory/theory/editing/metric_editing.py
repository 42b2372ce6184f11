r"""Edits that count their change in a metric: minimise sum (y - x.w)^2 + ridge dw'C dw over dw.

Editors of language models take for C the second moment of the base's keys. In the coordinates
C^{1/2} w an edit is a plain one, on keys of covariance C^{-1/2} S_k C^{-1/2}. Here keys, metric and
test law share their axes: arrays (p,) of their values on them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._types import Array, Float, Int, Number, Numbers, Scalar, needs_float64
from ci_theory.theory.spectra.groups import counted, plain_rows
from ci_theory.theory.spectra.shares import solve_shares
from ci_theory.theory.spectra.spectrum import Spectrum

__all__ = [
    "MetricEdit",
    "MetricRisk",
    "Squares",
    "edits_in_metric",
    "estimated_metric",
    "first_edit",
    "half_life_in_metric",
    "metric_edit",
    "next_squares",
    "settled_in_metric",
    "squares_of",
]

_LONG = 40.0  # log of edits that nobody makes
_HALVINGS = 60


class MetricEdit(NamedTuple):
    """One edit, on every axis.

    Attributes:
        keys: variance of the keys in the metric, (p,).
        kept: what an axis keeps of a mean error, (p,).
        reach: variance that unit held-out error leaves on an axis of the weights, times the rows,
            in the metric, (p,).
        free: 1 - df2/n.
        kappa: effective ridge in the metric.
        status: of the fixed point.
    """

    keys: Float[Array, " p"]
    kept: Float[Array, " p"]
    reach: Float[Array, " p"]
    free: Scalar
    kappa: Scalar
    status: Int[Array, ""]


class Squares(NamedTuple):
    """What one edit does to the mean errors of the weights, in the metric, and to their squares.

    Attributes:
        kept: what an axis keeps of a mean error, (p,).
        through: squared error on axis i per squared error on axis j before, (p, p).
        noise: squared error on an axis per unit of label noise, (p,).
    """

    kept: Float[Array, " p"]
    through: Float[Array, "p p"]
    noise: Float[Array, " p"]


class MetricRisk(NamedTuple):
    """After K edits: excess risk on the base task and on the edits' law, on one test law."""

    base_risk: Scalar
    edit_risk: Scalar


@needs_float64
def metric_edit(keys: Any, metric: Any, n: Number, ridge: Number) -> MetricEdit:
    """Solve one edit.

    Args:
        keys: variances of the edits' inputs, (p,).
        metric: C, (p,), > 0.
        n: rows of an edit.
        ridge: total ridge times C, >= 0.

    Regime: p -> infinity; relative corrections of order 1/(df1 of one edit) and 1/n.

    Source: the operator of docs/inheritance/inheritance.md in the coordinates of the metric.

    >>> made = metric_edit(jnp.array([4.0, 1.0]), jnp.array([4.0, 1.0]), 1, 0.0)
    >>> print(made.kept.round(3))  # keys are white in their own metric
    [0.5 0.5]
    """
    white = jnp.asarray(keys, float) / jnp.asarray(metric, float)
    none = jnp.zeros_like(white)
    spectrum = Spectrum(
        eigenvalues=white,
        multiplicity=jnp.ones_like(white),
        power=none,
        tail_trace=none[0],
        tail_power=none[0],
    )
    at = solve_shares(spectrum, plain_rows(n, 0.0), ridge)
    total = white + at.kappa
    return MetricEdit(
        keys=white,
        kept=at.kappa / total,
        reach=white / total**2 / counted(n),
        free=1 - jnp.sum((white / total) ** 2) / counted(n),
        kappa=at.kappa,
        status=at.status,
    )


@needs_float64
def edits_in_metric(
    edit: MetricEdit, edits: Any, metric: Any, base_error: Any, moved: Any, test: Any, noise: Number
) -> MetricRisk:
    r"""Apply an edit K times.

    .. math:: M' = k^2 M + \frac En\frac{l}{(\kappa + l)^2}, \qquad
        E = \frac{\sigma^2 + \sum l k^2 M}{1 - \mathrm{df}_2/n}

    with M the squared errors about the edits' law in the metric, k what is kept and l the keys.

    Args:
        edit: from ``metric_edit``.
        edits: K, a whole number; may be traced.
        metric: C, (p,).
        base_error: variance of the base's weights about its own task, (p,).
        moved: squared distance of the edits' law from the base's, (p,).
        test: variances of the test inputs, (p,).
        noise: label-noise variance of an edit.

    Regime: as ``metric_edit``. Source: the operator, K times.

    >>> ones, none = jnp.ones(100), jnp.zeros(100)
    >>> edit = metric_edit(ones, ones, 10, 0.0)
    >>> made = edits_in_metric(edit, 3, ones, none, ones / 100, ones, 0.5)
    >>> print(f"{made.base_risk:.4f}")  # as ``editing.edited``
    0.4216
    """
    metric, test = jnp.asarray(metric, float), jnp.asarray(test, float) / metric
    start, moved = metric * jnp.asarray(base_error, float), metric * jnp.asarray(moved, float)

    def step(_: Any, squares: Array) -> Array:
        error = (noise + jnp.sum(edit.keys * edit.kept**2 * squares)) / edit.free
        return edit.kept**2 * squares + error * edit.reach

    squares = jax.lax.fori_loop(0, edits, step, start + moved)
    base = squares + moved * (1 - 2 * edit.kept ** jnp.asarray(edits, float))
    return MetricRisk(jnp.sum(test * base), jnp.sum(test * squares))


def squares_of(edit: MetricEdit) -> Squares:
    """Write what an edit does as a map of squared errors.

    Args:
        edit: from ``metric_edit``.

    Regime: as ``metric_edit``. Source: the step of ``edits_in_metric``.

    >>> made = squares_of(metric_edit(jnp.ones(4), jnp.ones(4), 2, 0.0))
    >>> print(made.through[0].round(4), made.noise[0])
    [0.3125 0.0625 0.0625 0.0625] 0.25
    """
    noise = edit.reach / edit.free
    passed = edit.keys * edit.kept**2
    return Squares(edit.kept, jnp.diag(edit.kept**2) + jnp.outer(noise, passed), noise)


@needs_float64
def next_squares(edit: MetricEdit, n: Number, ridge: Number) -> Squares:
    r"""Add the next order to the map of squared errors.

    .. math:: h_i = \lambda\frac{\partial F}{\partial m_i}, \quad
        A_{ij} = -\lambda^2\frac{\partial^2 F}{\partial m_i\partial m_j}, \quad
        b_i = \frac{h_i - \sum_j A_{ij}}{\lambda}, \qquad
        F = \mathrm E\log\det\Bigl(\sum xx' + \mathrm{diag}\, m\Bigr)

    at :math:`m = \lambda`, F being the deterministic equivalent and
    :math:`\tfrac12\log(1 - \mathrm{df}_2/n)`.

    Args:
        edit: from ``metric_edit`` at the same point.
        n: rows of the edit.
        ridge: total ridge times C, > 0.

    Regime: Gaussian inputs; what is left out is of relative order 1/size^2 in the effective
    dimension df1^2/df2 or the rows, whichever is more.

    Source: docs/finite_size.md; the inverse of a matrix is the derivative of its log det.

    >>> made = next_squares(metric_edit(jnp.ones(20), jnp.ones(20), 1, 20.0), 1, 20.0)
    >>> print(f"{made.kept[0]:.5f}")  # 100 000 draws: 0.97562; without the next order 0.97561
    0.97562
    """
    rows, keys, ridge = counted(n), edit.keys, jnp.asarray(ridge, float)
    root = ridge / edit.kappa  # effective rows: n - df1

    def beyond(penalty: Array) -> Array:
        scale = root
        for _ in range(2):  # Newton's steps at the root: derivatives of two orders are exact
            total = penalty + scale * keys
            missed = scale - rows + jnp.sum(scale * keys / total)
            scale = scale - missed / (1 + jnp.sum(keys * penalty / total**2))
        learned = scale * keys / (penalty + scale * keys)
        return 0.5 * jnp.log1p(-jnp.sum(learned**2) / rows)

    at = jnp.full_like(keys, ridge)
    plain = squares_of(edit)
    kept = edit.kept + ridge * jax.grad(beyond)(at)
    through = plain.through - ridge**2 * jax.hessian(beyond)(at)
    return Squares(kept, through, (kept - jnp.sum(through, axis=1)) / ridge)


@needs_float64
def half_life_in_metric(kept: Any, test: Any, share: Number = 0.5) -> Scalar:
    """Solve for the edits after which a share of the base's function is left.

    The root in K of sum S kept^K = share sum S, by bisection of its logarithm; infinite if more
    is left for ever.

    Args:
        kept: of ``metric_edit``, (p,).
        test: variances of the test inputs, (p,): what the axes of the weights count.
        share: in (0, 1).

    Regime: as ``metric_edit``; the base's weights are of one size on all axes.

    Source: means of edits are exactly powers of the mean of one.

    >>> print(f"{half_life_in_metric(jnp.full(9, 0.9), jnp.ones(9)):.4f}")  # ln 2/-ln 0.9
    6.5788
    """
    kept, part = jnp.asarray(kept, float), jnp.asarray(test, float) / jnp.sum(jnp.asarray(test))

    def left(log_edits: Any) -> Array:
        return jnp.sum(part * kept ** jnp.exp(log_edits))

    def halve(_: Any, bracket: tuple) -> tuple:
        low, high = bracket
        middle = 0.5 * (low + high)
        more = left(middle) > share
        return jnp.where(more, middle, low), jnp.where(more, high, middle)

    ends = jnp.full((), -_LONG), jnp.full((), _LONG)
    low, high = jax.lax.fori_loop(0, _HALVINGS, halve, ends)
    return jnp.where(left(_LONG) > share, jnp.inf, jnp.exp(0.5 * (low + high)))


@needs_float64
def settled_in_metric(edit: MetricEdit, metric: Any, test: Any, noise: Number) -> Scalar:
    r"""Excess risk on the edits' law after infinitely many edits.

    .. math:: M = \frac{E/n}{l + 2\kappa}, \qquad
        E = \frac{\sigma^2}{1 - \frac1n\sum \frac{l}{l + 2\kappa}}

    Args:
        edit: from ``metric_edit``.
        metric: C, (p,).
        test: variances of the test inputs, (p,).
        noise: label-noise variance of an edit.

    Regime: as ``metric_edit``. Source: fixed point of ``edits_in_metric``.

    >>> ones = jnp.ones(100)
    >>> edit = metric_edit(ones, ones, 10, 0.0)
    >>> print(f"{settled_in_metric(edit, ones, ones, 1.0):.4f}")
    1.1111
    """
    last = edit.keys + 2 * edit.kappa
    n = edit.keys / (edit.keys + edit.kappa) ** 2 / edit.reach
    error = noise / (1 - jnp.sum(edit.keys / n / last))
    return jnp.sum(jnp.asarray(test) / metric * error / n / last)


@needs_float64
def first_edit(keys: Any, metric: Any, test: Any) -> Scalar:
    r"""Excess risk that the first exact edit of one fact costs, per squared surprise.

    .. math:: \frac{\mathrm{tr}\,S_k C^{-1} S C^{-1}}{(\mathrm{tr}\,S_k C^{-1})^2}

    Args:
        keys: S_k, variances of the edits' inputs, (p,).
        metric: C, (p,), > 0.
        test: S, variances of the test inputs, (p,).

    Regime: leading order in the effective dimension. Limits: least at C = S, 1/tr(S_k S^{-1}):
    1/p for keys of the test law, whatever the spectrum; C = 1: one over its effective dimension.

    Source: docs/editing/lifelong_editing.md.

    >>> law = jnp.array([9.0, 1.0, 1.0])
    >>> print(f"{first_edit(law, law, law):.4f} {first_edit(law, jnp.ones(3), law):.4f}")
    0.3333 0.6860
    """
    white = jnp.asarray(keys, float) / metric
    return jnp.sum(white * jnp.asarray(test) / metric) / jnp.sum(white) ** 2


@needs_float64
def estimated_metric(p: Numbers, rows: Numbers) -> Array:
    """What the first exact edit costs more if the metric is estimated, as a factor.

        (N - 1)/(N - p)

    Args:
        p: dimension of the inputs.
        rows: N, rows of the test law whose second moment is taken for its covariance, > p.

    Regime: exact for Gaussian rows and a fact of any key; infinite at N = p.

    Source: in white coordinates the change is along (1, -b), b the least-squares coefficients of
    the key's direction on the others, with E|b|^2 = (p - 1)/(N - p).

    >>> print(f"{estimated_metric(100, 150):.2f} {estimated_metric(100, 10_000):.3f}")
    2.98 1.010
    """
    p, rows = counted(p), counted(rows)
    return jnp.where(rows > p, (rows - 1) / jnp.where(rows > p, rows - p, 1.0), jnp.inf)
