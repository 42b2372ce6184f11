"""Two groups, one model: the weight that treats a minority alike, and where none does."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import again, inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import imbalance
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.valley import Valley
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import noise_halved
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.inheritance.group_gap import (
    TwoGroups,
    equalising_share,
    equalising_weight,
    two_groups,
)
from ci_theory.theory.inheritance.group_next_order import GroupShifts, group_next_order
from ci_theory.training import group_ridge

ERRORS = ("error_majority", "error_minority")
ALL = (*ERRORS, "gap", "leverage_minority")


@record
class Params(imbalance.Imbalance):
    """Ridge regression on two groups of rows that follow different targets."""

    n: int = sized(240, low=4, unit="rows", doc="training rows of both groups")
    minority: float = again(imbalance.Imbalance, "minority", 0.25)
    weight: float = traced(
        1.0,
        low=0,
        high=1e6,
        unit="",
        doc="weight of a row of the minority; one of the majority has 1",
    )
    p: int = static(60, low=2, high=10**6, unit="parameters", doc="input dimension = parameters")
    alignment: float = inner(
        0.3, low=-1, high=1, unit="", doc="cosine of the angle between the targets of the groups"
    )
    signal: float = traced(1.0, above=0, unit="(label/input)²", doc="squared norm of each target")
    ridge: float = inner(1.0, low=0, unit="rows·input²", doc="total ridge")
    noise: float = inner(0.25, low=0, unit="label²", doc="label-noise variance of both groups")


@record
class Measures:
    """Averaged over the label noise and the orientation of the targets, given the inputs."""

    error_majority: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh noisy labels of the majority"
    )
    error_minority: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on fresh noisy labels of the minority"
    )
    gap: Float[Array, " m"] = measured(
        unit="label²", doc="error of the minority less that of the majority"
    )
    leverage_minority: Float[Array, " m"] = measured(
        unit="1",
        doc="mean response of a minority row's fit to its own label: how far it is memorised",
    )


def _present(params: Params, capacity: int) -> Array:
    """Weights of the rows in their groups, the minority first, (2, capacity)."""
    row, few = jnp.arange(capacity), params.sizes()[1]
    majority = (row >= few) & (row < params.n)
    return jnp.stack([majority * 1.0, (row < few) * jnp.asarray(params.weight)])


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw one design; every ridge, noise level and angle shares it."""
    x = gaussian.rows(stream(key, "rows"), capacity["n"], jnp.ones(params.p))
    cosine = jnp.asarray(params.alignment)
    one = jnp.ones_like(cosine)
    products = params.signal * jnp.stack([jnp.stack([one, cosine]), jnp.stack([cosine, one])])
    made = group_ridge.group_errors(
        x,
        _present(params, capacity["n"]),
        products,
        jnp.asarray(params.ridge),
        jnp.asarray(params.noise),
    )
    apart = made.held[0] - made.held[1]
    return Measures(
        error_majority=made.excess[0] + params.noise,
        error_minority=made.excess[1] + params.noise,
        gap=2 * (1 - cosine) * params.signal * apart / params.p,
        leverage_minority=made.held[1] / params.sizes()[1],
    )


def _fitted(params: Params) -> Any:
    """Say where there is a ridge, or rows enough to do without."""
    return (params.ridge > 0) | (params.n > params.p)


@record
class Forecast:
    """Errors of both groups, and the next order of their parts."""

    error_majority: Scalar = predicted(
        statement="E_1 = |m - b_1|^2 + V + noise,  m = (omega_1 b_1 + omega_2 b_2)/(omega_1 + "
        "omega_2 + ridge),  omega_g = n_g c_g/(1 + c_g e),  e = p/(omega_1 + omega_2 + ridge)",
        where=_fitted,
    )
    error_minority: Scalar = predicted(statement="E_2 = |m - b_2|^2 + V + noise", where=_fitted)
    gap: Scalar = predicted(
        statement="2 (1 - cos)|b|^2 (n_1 h_1 - n_2 h_2)/p,  n_g h_g = omega_g e", where=_fitted
    )
    leverage_minority: Scalar = predicted(statement="h_2 = c e/(1 + c e)", where=_fitted)
    groups: TwoGroups
    shifts: GroupShifts
    status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Evaluate the deterministic equivalent of a mixture, and its next order."""
    made = two_groups(
        params.p,
        *params.sizes(),
        params.weight,
        params.alignment,
        params.signal,
        params.noise,
        params.ridge,
    )
    return Forecast(
        error_majority=made.error_majority,
        error_minority=made.error_minority,
        gap=made.gap,
        leverage_minority=made.fit.leverage[1],
        groups=made,
        shifts=group_next_order(made.rows, made.fit.share),
        status=made.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach the next order, computed, and the order beyond it (docs/finite_size.md).

    Weights differ, so leverages of one group do too, by 1/p however many rows there are: the
    expansion is in 1/free and 1/p. The gap is linear in what the groups hold.
    """
    at, few = made.shifts, params.sizes()[1]
    room = 1 / jnp.maximum(at.free, 1.0) + 1 / params.p
    leverage = made.groups.fit.leverage
    parts = at.held * (1 - leverage)
    slacks = {
        name: _slack.next_order(
            (at.signal_shift[i], at.noise_shift), (at.signal[i], at.noise), room
        )
        for i, name in enumerate(ERRORS)
    }
    apart = 2 * (1 - params.alignment) * params.signal / params.p
    beyond = sum(_slack.next_order((at.held_shift[i],), (parts[i],), room) for i in (0, 1))
    beyond = beyond - 1.25 * jnp.sum(jnp.abs(at.held_shift))
    first = 1.25 * jnp.abs(at.held_shift[0] - at.held_shift[1])
    slacks["gap"] = apart * (first + beyond)
    slacks["leverage_minority"] = _slack.next_order((at.held_shift[1],), (parts[1],), room) / few
    enough = (params.p >= _slack.FEWEST_PARAMETERS) & (at.free >= _slack.FEWEST_FREE)
    return {name: Bound(slack, enough) for name, slack in slacks.items()}


def _more_rows(params: Params) -> dict[str, Any]:
    most, few = params.sizes()
    instead = params.weight * few
    return {"n": most + instead, "minority": instead / (most + instead), "weight": 1.0}


def _average(params: Params, made: Forecast) -> dict[str, Array]:
    """Take the fit for the mean of the targets, weighted as the rows are."""
    most, few = params.sizes()
    apart = (most - params.weight * few) / (most + params.weight * few + params.ridge)
    return {"gap": 2 * (1 - params.alignment) * params.signal * apart}


@quickly
def _weight(params: Params) -> Scalar:
    """Weight of the minority at which the gap closes; NaN where none does."""
    return equalising_weight(params.p, *params.sizes(), params.ridge).value


@quickly
def _share(params: Params) -> Scalar:
    """Share of the minority at which a weight closes the gap; NaN where none does."""
    share = equalising_share(params.p, params.n, params.weight, params.ridge).value
    return jnp.where(share <= 0.5, share, jnp.nan)


PHENOMENON = Phenomenon(
    name="group_gap",
    title="Two groups, one model: the weight that treats a minority alike",
    claims=(20,),
    question="Which weight of a minority makes a model err alike on both groups, at what price?",
    model=(
        "Rows x ~ N(0, I), a share `minority` of them in the smaller of two groups; labels x.b + "
        "noise, b the target of the group: both have one norm and the cosine `alignment`. Minimise "
        "sum c (y - x.w)^2 + ridge |w|^2, c = 1 for the majority and `weight` for the minority."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="rows, p -> infinity at fixed ratios; here effective rows - df2 >= 10, p >= 10, and "
        "more rows than p if there is no ridge",
        order="1 / (effective rows - df2) and 1 / p: computed, docs/finite_size.md",
        source="derived here, docs/inheritance/group_gap.md",
    ),
    mistakes=(
        Mistake(
            name="weights are rows",
            why="a row of weight c is taken for c rows",
            against=ALL,
            params=_more_rows,
        ),
        Mistake(
            name="groups alike",
            why="both groups are thought to follow one target",
            against=(*ERRORS, "gap"),
            params=lambda params: {"alignment": 1.0},
        ),
        noise_halved(*ERRORS),
        Mistake(
            name="averaged targets",
            why="the fit is thought to be the weighted mean of the targets, as with endless rows: "
            "then weights of n_1/n_2 would equalise",
            against=("gap",),
            forecast=_average,
        ),
    ),
    breaks=(
        Break(
            name="equalising weight",
            axis="weight",
            measure="gap",
            locator=Crossing(level=0.0, direction="down", log_axis=True),
            statement="n_1/(n_2 - e (n_1 - n_2)); ridge -> 0: (2 n_1 - p)/(2 n_2 - p) if p < 2 n_2",
            closed_form=_weight,
        ),
        Break(
            name="best weight of the minority",
            axis="weight",
            measure="error_minority",
            locator=Valley(log_axis=True),
        ),
        Break(
            name="share that a weight equalises",
            axis="minority",
            measure="gap",
            locator=Crossing(level=0.0, direction="down"),
            statement="ridge -> 0: [1 + (c - 1) p/2n]/(1 + c): p/2n of any weight",
            closed_form=_share,
        ),
    ),
)
