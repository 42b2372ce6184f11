"""Edits that count their change in a metric: which one is gentle, and what none can prevent."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.inherit import editing
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.peak import Peak
from ci_theory.locate.valley import Valley
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import noise_ignored
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.editing.metric_editing import (
    MetricEdit,
    MetricRisk,
    Squares,
    edits_in_metric,
    half_life_in_metric,
    metric_edit,
    next_squares,
    squares_of,
)

_RISKS = ("base_risk", "edit_risk")


@record
class Params:
    """A base, edits of it, and the metric in which they are small."""

    p: int = static(80, low=2, high=512, unit="parameters", doc="input dimension = parameters")
    editor: str = static(
        "sequential", choices=editing.EDITORS, doc="fits each edit alone, or all so far, see model"
    )
    n: int = sized(3, low=1, unit="rows", doc="rows of one edit")
    edits: int = inner(10, low=1, high=1000, unit="edits", doc="edits made")
    alpha: float = traced(
        0.7, low=0, high=3, unit="1", doc="decay of the inputs' variances, S_i ~ i^-alpha, mean 1"
    )
    metric: float = traced(
        1.0,
        low=-1,
        high=3,
        unit="1",
        doc="power of S in the metric: 0 plain, 1 the inputs' own covariance",
    )
    ridge: float = traced(
        10.0, above=0, unit="rows·input²", doc="total ridge, in the metric, towards the start"
    )
    noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance of every row")
    distance: float = inner(
        1.0, low=0, unit="label²", doc="excess risk of the edits' law on the base task"
    )
    base_error: float = inner(
        0.05, low=0, unit="label²", doc="excess risk of the base before the first edit"
    )


@record
class Measures:
    """After the last edit, averaged over labels and the orientation of both errors."""

    base_risk: Float[Array, " m"] = measured(unit="label²", doc="excess risk on the base task")
    edit_risk: Float[Array, " m"] = measured(unit="label²", doc="excess risk on the edits' law")
    base_share: Float[Array, " m"] = measured(
        unit="1", doc="share of the base's function in the mean weights, 1 at the start"
    )


class Laws(NamedTuple):
    """Variances of the inputs, plain and in the metric, both of mean 1; and the metric C."""

    plain: Float[Array, " p"]
    white: Float[Array, " p"]
    metric: Float[Array, " p"]


def _order(params: Params) -> np.ndarray:
    return np.arange(1.0, params.p + 1)


def _laws(params: Params, order: np.ndarray) -> Laws:
    axes = jnp.asarray(order)
    plain, white = axes**-params.alpha, axes ** (-params.alpha * (1 - params.metric))
    plain, white = plain / jnp.mean(plain), white / jnp.mean(white)
    return Laws(plain, white, plain / white)


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one life of edits in the coordinates of the metric; all counts of edits share it."""
    edits, runs = jnp.asarray(params.edits), stream(key, "edits")
    _, white, metric = _laws(params, _order(params))
    ridge = jnp.asarray(params.ridge, white.dtype)
    present = (jnp.arange(capacity["n"]) < params.n).astype(white.dtype)

    def step(i: Array, state: tuple) -> tuple:
        life, kept = state
        x = gaussian.rows(jax.random.fold_in(runs, i), capacity["n"], white)
        life, _ = editing.edit(life, x, present, ridge, params.editor)
        shares = (
            jnp.sum(white * metric * jnp.diagonal(life.carried)) / params.p,
            white @ life.carried**2 @ metric / params.p,
            jnp.sum(white * jnp.diagonal(life.spread)),
        )
        here = edits == i + 1
        return life, jax.tree.map(lambda new, old: jnp.where(here, new, old), shares, kept)

    begin = editing.unedited(params.p), (jnp.zeros(edits.shape),) * 3
    _, (share, square, noise) = jax.lax.fori_loop(0, jnp.max(edits), step, begin)
    left = params.base_error * square + params.noise * noise
    return Measures(
        base_risk=params.distance * (1 - 2 * share + square) + left,
        edit_risk=params.distance * square + left,
        base_share=share,
    )


@record
class Forecast:
    """Errors after the last edit.

    Attributes:
        laws: of the inputs, and the metric.
        edit: the stage that is applied ``times`` times: of ``rows`` rows.
        other: risks under the other editor.
    """

    base_risk: Scalar = predicted(
        statement="sum l M,  M the squared errors in the metric: k^2 M + (E/n) l/(kappa + l)^2 "
        "after every edit, E = (noise + sum l k^2 M)/(1 - df2/n), k = kappa/(kappa + l), "
        "l = S/C; and distance (1 - 2 base_share)"
    )
    edit_risk: Scalar = predicted(statement="the same sum l M alone")
    base_share: Scalar = predicted(
        statement="sum S k^K / sum S; batch: k of all K n rows, 1 - K n/p for l = 1 without a ridge"
    )
    laws: Laws
    edit: MetricEdit
    rows: Scalar
    times: Scalar
    other: MetricRisk
    status: Array


def _stage(params: Params, editor: str) -> tuple[Scalar, Scalar]:
    """Return the rows of a stage, and how many times it is applied."""
    n, edits = jnp.asarray(params.n, float), jnp.asarray(params.edits, float)
    return (n, edits) if editor == "sequential" else (n * edits, jnp.ones(()))


def _risks(params: Params, laws: Laws, edit: MetricEdit, times: Scalar) -> MetricRisk:
    alike = jnp.ones_like(laws.plain) / laws.plain.size
    causes = params.base_error * alike, params.distance * alike
    edits = times.astype(int)
    return edits_in_metric(edit, edits, laws.metric, *causes, laws.plain, params.noise)


def forecast(params: Params, order: np.ndarray) -> Forecast:
    """Apply the inheritance operator once for every edit, or once to all their rows."""
    one, two = sorted(editing.EDITORS, key=lambda e: e != params.editor)
    (rows, times), (others, fewer) = _stage(params, one), _stage(params, two)
    laws = _laws(params, order)
    edit, other = (metric_edit(laws.plain, laws.metric, n, params.ridge) for n in (rows, others))
    made = _risks(params, laws, edit, times)
    return Forecast(
        base_risk=made.base_risk,
        edit_risk=made.edit_risk,
        base_share=jnp.mean(laws.plain * edit.kept**times),
        laws=laws,
        edit=edit,
        rows=rows,
        times=times,
        other=_risks(params, laws, other, fewer),
        status=edit.status,
    )


def _parts(params: Params, made: Forecast, squares: Squares) -> dict[str, Array]:
    """Return every measure by its causes, (3,): base error, distance and noise."""
    plain, white, metric = made.laws
    none = jnp.zeros_like(plain)
    start = jnp.stack([metric / plain.size, metric / plain.size, none], axis=1)
    added = jnp.stack([none, none, squares.noise], axis=1)

    def step(_: Array, found: Array) -> Array:
        return squares.through @ found + added

    size = jnp.stack([jnp.asarray(v) for v in (params.base_error, params.distance, params.noise)])
    found = size * (white @ jax.lax.fori_loop(0, made.times.astype(int), step, start))
    share = jnp.mean(plain * squares.kept**made.times)
    base = found.at[1].add(params.distance * (1 - 2 * share))
    return {"base_risk": base, "edit_risk": found, "base_share": share[None]}


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Move every edit by its next order, by every cause apart (docs/editing/lifelong_editing.md).

    It is of relative order 1/free: rows are seen from the effective dimension of the inputs in
    the metric, df1^2/df2, where that is more.
    """
    keys, edit = made.edit.keys, made.edit
    learned = keys / (keys + edit.kappa)
    free = jnp.maximum(made.rows, jnp.sum(learned) ** 2 / jnp.sum(learned**2)) * edit.free
    to = _parts(params, made, next_squares(edit, made.rows, params.ridge))
    found = {}
    for name, parts in _parts(params, made, squares_of(edit)).items():
        bound = _slack.computed(tuple(to[name] - parts), tuple(parts), (free,), jnp.sum(parts))
        enough = (params.p >= _slack.FEWEST_PARAMETERS) & (edit.status == Status.OK)
        found[name] = Bound(bound.slack, bound.valid & enough)
    return found


def _only_the_mean(params: Params, made: Forecast) -> dict[str, Scalar]:
    bare = squares_of(made.edit)
    found = _parts(params, made, bare._replace(through=jnp.diag(made.edit.kept**2)))
    return {name: jnp.sum(found[name]) for name in _RISKS}


def _half(params: Params) -> float:
    """Edits at which half of the base is gone."""
    if params.editor == "batch":
        return float("nan")
    return float(_half_gone(params, _order(params)))


@quickly
def _half_gone(params: Params, order: np.ndarray) -> Scalar:
    plain, _, metric = _laws(params, order)
    edit = metric_edit(plain, metric, params.n, params.ridge)
    return half_life_in_metric(edit.kept, plain)


PHENOMENON = Phenomenon(
    name="metric_editing",
    title="Edits in a metric: the inputs' own is gentlest, and none moves the catastrophe",
    claims=(25,),
    question="In which metric must an edit be small to harm a base the least?",
    model=(
        "A base with the excess risk base_error on labels x.b, x ~ N(0, S), S_i ~ i^-alpha of "
        "mean 1. Each of `edits` edits has n fresh rows with labels x.b' + noise, b' - b of the "
        "risk `distance`; both errors of one size on all axes. sequential: minimise "
        "sum (y - x.w)^2 + ridge (w - w_before)'C(w - w_before), C ~ S^metric, so that S/C has "
        "the mean 1; batch: over the rows of all edits so far, from the base."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=_order,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="p -> infinity, any n; here max(rows, df1^2/df2) (1 - df2/rows) >= 10, next order "
        "below a quarter",
        order="1 / (max(rows, df1^2/df2) (1 - df2/rows)) of an edit, computed",
        source="the inheritance operator K times in the metric's coordinates, "
        "docs/editing/lifelong_editing.md",
    ),
    mistakes=(
        noise_ignored(*_RISKS),
        Mistake(
            name="metric ignored",
            why="the change of the weights is thought to be measured plainly",
            against=(*_RISKS, "base_share"),
            params=lambda params: {"metric": 0.0},
        ),
        Mistake(
            name="inputs are white",
            why="the inputs' spectrum is ignored: the edit is thought to be one in white inputs",
            against=(*_RISKS, "base_share"),
            params=lambda params: {"alpha": 0.0},
        ),
        Mistake(
            name="editors alike",
            why="edits made one after another are taken for edits all kept, and the reverse",
            against=_RISKS,
            forecast=lambda params, made: {name: getattr(made.other, name) for name in _RISKS},
        ),
        Mistake(
            name="only the mean",
            why="what the sampling of rows adds to squared errors is ignored",
            against=_RISKS,
            forecast=_only_the_mean,
        ),
    ),
    breaks=(
        Break(
            name="gentlest metric",
            axis="metric",
            measure="base_risk",
            locator=Valley(log_axis=False),
            statement="1, the inputs' covariance, for the first exact edit of surprises alone",
        ),
        Break(
            name="half of the base gone",
            axis="edits",
            measure="base_share",
            locator=Crossing(level=0.5, direction="down"),
            statement="sequential: K with sum S k^K = sum S/2",
            closed_form=_half,
        ),
        Break(
            name="catastrophe",
            axis="edits",
            measure="base_risk",
            locator=Peak(),
            statement="K = p/n as ridge -> 0 if all edits are kept, in every metric",
            closed_form=lambda params: params.p / params.n if params.editor == "batch" else np.nan,
        ),
    ),
)
