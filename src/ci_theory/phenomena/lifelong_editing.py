"""Editing for life: how long a base survives small fits, one after another or all kept at once."""

from collections.abc import Mapping

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
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import noise_ignored, ridge_per_row
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.editing.editing import (
    Edit,
    Edited,
    Task,
    edit_of,
    edited,
    exact_edit,
    missed_at_once,
    next_edit,
    replayed_miss,
)
from ci_theory.theory.editing.editing_limits import batch_half_life, half_life, lifelong_ridge

LEVEL = 0.5  # excess risk above which the base counts as lost; label²
APART = 20  # p less rows: below it the exact means are too heavy-tailed
_RISKS = ("base_risk", "edit_risk")


@record
class Params:
    """A base, and edits of it."""

    p: int = static(100, low=2, high=10**7, unit="parameters", doc="input dimension = parameters")
    editor: str = static(
        "sequential", choices=editing.EDITORS, doc="fits each edit alone, or all so far, see model"
    )
    n: int = sized(5, low=1, unit="rows", doc="rows of one edit")
    edits: int = inner(20, low=1, unit="edits", doc="edits made")
    ridge: float = traced(
        20.0, low=0, unit="rows·input²", doc="total ridge towards the weights that are edited"
    )
    replay: float = inner(
        0.2, low=0, high=1, unit="1", doc="probability that a row comes from the base task instead"
    )
    noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance of every row")
    distance: float = inner(
        1.0, low=0, unit="(label/input)²", doc="squared distance between base and edits' targets"
    )
    base_error: float = inner(
        0.05, low=0, unit="label²", doc="excess risk of the base before the first edit"
    )


@record
class Measures:
    """After the last edit, averaged over labels, replay and the orientation of both errors."""

    base_risk: Float[Array, " m"] = measured(unit="label²", doc="excess risk on the base task")
    edit_risk: Float[Array, " m"] = measured(unit="label²", doc="excess risk on the edits' law")
    edit_miss: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared residual on the facts of the last edit, just after it"
    )
    base_share: Float[Array, " m"] = measured(
        unit="1", doc="coefficient of the base's target in the mean weights, 1 at the start"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one life of edits; every count of edits, and whatever enters linearly, shares it."""
    edits, ones = jnp.asarray(params.edits), jnp.ones(params.p)
    ridge, runs = jnp.asarray(params.ridge, float), stream(key, "edits")
    present = (jnp.arange(capacity["n"]) < params.n).astype(ones.dtype)

    def step(i: Array, state: tuple) -> tuple:
        life, kept = state
        x = gaussian.rows(jax.random.fold_in(runs, i), capacity["n"], ones)
        life, shares = editing.edit(life, x, present, ridge, params.editor)
        here = edits == i + 1
        return life, jax.tree.map(lambda new, old: jnp.where(here, new, old), shares, kept)

    none = editing.Shares(*(jnp.zeros(edits.shape) for _ in editing.Shares._fields))
    begin = editing.unedited(params.p), none
    _, shares = jax.lax.fori_loop(0, jnp.max(edits), step, begin)
    causes = params.replay, params.noise, params.distance, params.base_error
    found = editing.errors(shares, *(jnp.asarray(cause) for cause in causes))
    return Measures(**found._asdict())


def _task(params: Params) -> Task:
    return Task(params.base_error, params.distance, params.noise, params.replay)


def _stage(params: Params, editor: str) -> tuple[Scalar, Scalar]:
    """Return the rows of a stage, and how many times it is applied."""
    n, edits = jnp.asarray(params.n, float), jnp.asarray(params.edits, float)
    return (n, edits) if editor == "sequential" else (n * edits, jnp.ones(()))


def _exact(params: Params) -> Array:
    rows, _ = _stage(params, params.editor)
    return (params.ridge == 0) & (params.p - rows >= APART)


@record
class Forecast:
    """Errors after the last edit; ``exact_base_risk`` is that of exact edits, without a limit.

    Attributes:
        edit: the stage that is applied ``times`` times: of ``rows`` rows.
        other: what the other editor would do.
    """

    base_risk: Scalar = predicted(
        statement="(1-f)^2 D (1 - 2 h^K + a^K) + base_error a^K + (noise + f (1-f) D) "
        "b (1 - a^K)/(1 - a),  h = kappa/(1 + kappa), a = h^2/(1 - q), b = q/(1 - q)",
    )
    edit_risk: Scalar = predicted(
        statement="with D (f^2 + 2 f (1-f) h^K + (1-f)^2 a^K) for the first term"
    )
    edit_miss: Scalar = predicted(statement="(ridge/(n kappa))^2 (noise + edit_risk)")
    base_share: Scalar = predicted(
        statement="f + (1-f) h^K; batch: h of all K n rows, 1 - K n/p at ridge 0"
    )
    exact_base_risk: Scalar = predicted(
        "base_risk",
        statement="base_risk with h = a = 1 - n/p, b = n/(p - n - 1), and (1 - 2/p) f (1-f) D",
        scope="exact at every size: ridge = 0, p - rows >= 20",
        order="exact",
        source="inverse Wishart mean, docs/editing/lifelong_editing.md",
        where=_exact,
        closed=True,
    )
    edit: Edit
    rows: Scalar
    times: Scalar
    other: Edited
    status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Apply the inheritance operator once for every edit, or once to all their rows."""
    task, one, two = _task(params), *sorted(editing.EDITORS, key=lambda e: e != params.editor)
    (rows, times), (others, fewer) = _stage(params, one), _stage(params, two)
    edit = edit_of(params.p, rows, params.ridge)
    return Forecast(
        **edited(edit, times, task)._asdict(),
        exact_base_risk=edited(exact_edit(params.p, rows), times, task).base_risk,
        edit=edit,
        rows=rows,
        times=times,
        other=edited(edit_of(params.p, others, params.ridge), fewer, task),
        status=edit.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Move h, a and b by their next order, by every cause apart (docs/editing/lifelong_editing.md).

    It is of relative order 1/free of an edit, also for a single row. Two more terms are
    of replayed rows: their noise goes with |x|^2, off by 2/p at most, and a row's own residual.
    """
    p, edit, times = params.p, made.edit, made.times
    at = p, made.rows, params.ridge
    near = next_edit(edit, *at)
    moved, every = near.edit, _task(params)
    causes = jnp.diag(jnp.stack([jnp.asarray(cause, float) for cause in every[:3]]))
    task = Task(causes[0], causes[1], causes[2], every.replay)  # one cause at a time
    parts, to = edited(edit, times, task), edited(moved, times, task)
    moves = jax.tree.map(jnp.subtract, to, parts)
    miss = [missed_at_once(stage, times, task, *at) for stage in (moved, edit)]
    moves = moves._replace(edit_miss=miss[0] - miss[1])
    long = edit._replace(replay_noise=edit.replay_noise * (1 + 2 / p))
    flips = edited(long, times, every).base_risk - made.base_risk
    beyond = edit.missed**2 * flips + replayed_miss(edit, times, every, p, near.free)
    enough = (near.free >= _slack.FEWEST_FREE) & (p >= _slack.FEWEST_PARAMETERS)
    enough &= near.status == Status.OK
    found = {}
    for name, more in (("base_risk", flips), ("edit_risk", flips), ("edit_miss", beyond)):
        shift, apart = tuple(getattr(moves, name)), tuple(getattr(parts, name))
        bound = _slack.computed(shift, apart, (near.free,), getattr(made, name))
        found[name] = Bound(bound.slack + more, bound.valid & enough)
    fresh = 1 - params.replay
    left = fresh * edit.kept**times
    moved_share = (fresh * moved.kept**times - left,)
    slack = _slack.next_order(moved_share, (left,), jnp.zeros(()))
    return {**found, "base_share": Bound(slack, enough & _slack.is_small(moved_share, left))}


def _taken(params: Params, made: Forecast, **wrong: Scalar) -> dict[str, Scalar]:
    """Return the risks of a stage whose coefficients were taken for others."""
    edit = made.edit._replace(**wrong)
    return _picked(edited(edit, made.times, _task(params)), _RISKS)


def _picked(found: Edited, names: tuple[str, ...]) -> dict[str, Scalar]:
    return {name: getattr(found, name) for name in names}


@quickly
def _half(params: Params) -> Scalar:
    """Edits at which half of the base is gone; NaN if it never is."""
    at = params.p, params.n, params.ridge
    if params.editor == "batch":
        found = batch_half_life(*at, params.replay)
    else:
        found = half_life(edit_of(*at).kappa, params.replay)
    return jnp.where(jnp.isfinite(found), found, jnp.nan)


def _anchor(params: Params) -> float:
    """Ridge that keeps the base for ever; NaN if none does, or if even exact edits do."""
    if params.editor == "batch" or params.distance > 0:
        return float("nan")
    found = float(_lifelong(params))
    return found if found > 0 else float("nan")


@quickly
def _lifelong(params: Params) -> Scalar:
    return lifelong_ridge(params.p, params.n, params.noise, LEVEL)


PHENOMENON = Phenomenon(
    name="lifelong_editing",
    title="Editing for life: gradual and catastrophic forgetting",
    claims=(25,),
    question="How many edits does a base survive, and what makes it survive more?",
    model=(
        "A base with the excess risk base_error on labels x.b, x ~ N(0, I). Each of `edits` edits "
        "has n fresh rows with labels x.b' + noise, |b' - b|^2 = distance, or with the probability "
        "replay x.b + noise. sequential: minimise sum (y - x.w)^2 + ridge |w - w_before|^2 over "
        "the rows of the edit; batch: over the rows of all edits so far, from the base."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="p -> infinity, any n; here max(rows, p) (1 - q) >= 10, next order below a quarter",
        order="1 / (max(rows, p) (1 - q)) of an edit, computed",
        source="the inheritance operator K times, docs/editing/lifelong_editing.md",
    ),
    mistakes=(
        noise_ignored(*_RISKS, "edit_miss", "exact_base_risk"),
        Mistake(
            name="editors alike",
            why="edits made one after another are taken for edits all kept, and the reverse",
            against=(*_RISKS, "base_share"),
            forecast=lambda params, made: _picked(made.other, (*_RISKS, "base_share")),
        ),
        Mistake(
            name="replay ignored",
            why="every row is taken for a new fact",
            against=(*_RISKS, "base_share", "exact_base_risk"),
            params=lambda params: {"replay": 0.0},
        ),
        Mistake(
            name="replay at peace",
            why="replayed rows and facts are thought not to contradict each other",
            against=_RISKS,
            forecast=lambda params, made: _taken(params, made, replay_noise=jnp.zeros(())),
        ),
        Mistake(
            name="only the mean",
            why="what the sampling of rows adds to squared errors is ignored: a = h^2",
            against=_RISKS,
            forecast=lambda params, made: _taken(params, made, lost=1 - made.edit.kept**2),
        ),
        ridge_per_row(*_RISKS, "edit_miss", "base_share"),
        Mistake(
            name="optimism ignored",
            why="the error on a fresh fact is taken for that on a fact just edited in",
            against=("edit_miss",),
            forecast=lambda params, made: {"edit_miss": params.noise + made.edit_risk},
        ),
        Mistake(
            name="proportional limit",
            why="the limit p -> infinity used at finite size: p - n for p - n - 1",
            against=("exact_base_risk",),
            forecast=lambda params, made: {"exact_base_risk": made.base_risk},
        ),
    ),
    breaks=(
        Break(
            name="half of the base gone",
            axis="edits",
            measure="base_share",
            locator=Crossing(level=0.5, direction="down"),
            statement="K = ln[(1-f)/(1/2-f)]/ln(1 + 1/kappa), never if f >= 1/2; batch: K n = "
            "ridge/(1 - 2f) + p/(2 - 2f)",
            closed_form=_half,
        ),
        Break(
            name="catastrophe",
            axis="edits",
            measure="base_risk",
            locator=Peak(),
            statement="K = p/n as ridge -> 0 if all edits are kept; none in a sequence",
            closed_form=lambda params: params.p / params.n if params.editor == "batch" else np.nan,
        ),
        Break(
            name="lifelong ridge",
            axis="ridge",
            measure="base_risk",
            locator=Crossing(level=LEVEL, direction="down"),
            last=("edits",),
            statement="distance 0, for ever: kappa = (g (1 + noise/level) - 1)/2, g = p/n",
            closed_form=_anchor,
        ),
    ),
)
