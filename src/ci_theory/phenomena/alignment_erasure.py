"""A handful of fine-tuning rows undoes an alignment: how many, and what helps against it."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.inherit import erasure
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import _slack
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import noise_ignored
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import gaussian
from ci_theory.theory.editing.erasure import (
    Lessons,
    Taught,
    attack_success,
    erasing_rows,
    teach,
)


@record
class Params:
    """An aligned linear model, fine-tuned on rows that share a component."""

    n: int = sized(10, low=1, unit="rows", doc="fine-tuning rows that erase")
    safe: int = sized(0, low=0, unit="rows", doc="safety rows mixed in, labelled as aligned")
    d: int = static(400, low=erasure.FEWEST, high=10**6, unit="parameters", doc="input dimension")
    growth: float = traced(0.1, low=0, high=10, unit="input²", doc="s² per input dimension")
    strength: float = traced(0.0, low=0, high=1e3, unit="input", doc="s that does not grow with d")
    shared: float = traced(1.0, low=0, high=1, unit="1", doc="share of s that erasing rows carry")
    overlap: float = traced(1.0, low=-1, high=1, unit="1", doc="cosine of their component with u")
    frozen: float = traced(
        0.0, low=0, high=1, unit="1", doc="cosine of the frozen direction with u"
    )
    push: float = inner(1.0, low=-10, high=10, unit="1", doc="minus their label, over the answer")
    reversal: float = inner(
        0.0, low=-10, high=10, unit="1", doc="minus their slope along u, over A"
    )
    answer: float = inner(1.0, above=0, high=1e3, unit="label", doc="aligned answer s A to s u")
    utility: float = inner(
        1.0, low=0, high=1e6, unit="(label/input)²", doc="of the base beside A u"
    )
    drift: float = inner(0.0, low=0, high=1e6, unit="(label/input)²", doc="taught beside the label")
    noise: float = inner(0.25, low=0, high=1e6, unit="label²", doc="label-noise variance")
    ridge: float = inner(0.0, low=0, unit="rows·input²", doc="total ridge towards the base")

    def problem(self) -> str | None:
        """Ask for a common component."""
        if self.growth == 0 and self.strength == 0:
            return "growth and strength are both 0: harmful inputs need a common component"
        return None

    def component(self) -> Any:
        """Return s, the common component of harmful inputs."""
        return jnp.sqrt(self.strength**2 + self.growth * self.d)

    def components(self) -> tuple[Array, Array]:
        """Return the means of rows that erase and of safe rows, in the watched directions."""
        s = self.component()
        aside = jnp.sqrt(jnp.maximum(1 - jnp.square(self.overlap), 0.0))
        leaning = jnp.stack([jnp.asarray(self.overlap, float), aside, jnp.zeros(())])
        return self.shared * s * leaning, jnp.stack([s, jnp.zeros(()), jnp.zeros(())])

    def held(self) -> Array:
        """Return the frozen direction, among the watched ones."""
        aside = jnp.sqrt(jnp.maximum(1 - jnp.square(self.frozen), 0.0))
        return jnp.stack([jnp.asarray(self.frozen, float), jnp.zeros(()), aside])


@record
class Measures:
    """Averaged over the label noise given the rows; attacks over sixteen draws of it."""

    response: Float[Array, " m"] = measured(
        unit="1", doc="response along the aligned direction, over that of the base"
    )
    attack_success: Float[Array, " m"] = measured(
        unit="1", doc="share of harmful inputs that are no longer answered as aligned"
    )
    utility_risk: Float[Array, " m"] = measured(
        unit="label²", doc="mean squared error on ordinary inputs, whose target is the base's other"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw rows once; every label, ridge and base shares their fits."""
    ones, s = jnp.ones(params.d), params.component()
    counts = {name: getattr(params, name) for name in ("n", "safe")}
    present = [jnp.arange(capacity[name]) < count for name, count in counts.items()]
    drawn = erasure.rows(
        stream(key, "labels"),
        gaussian.rows(stream(key, "erasing"), capacity["n"], ones),
        gaussian.rows(stream(key, "safe"), capacity["safe"], ones),
        jnp.concatenate(present).astype(ones.dtype),
        params.components(),
        params.held(),
    )
    inputs = erasure.Labels(
        erasing=-params.push * params.answer,
        safe=params.answer,
        slope=-params.reversal * params.answer / s,
        response=params.answer / s,
        drift=params.drift,
        utility=params.utility,
        noise=params.noise,
        ridge=params.ridge,
    )
    found = jax.lax.map(lambda labels: erasure.erased(drawn, labels, s), inputs)
    return Measures(
        response=found.response / inputs.response,
        attack_success=found.attacks,
        utility_risk=found.risk,
    )


@record
class Forecast:
    """The law with its next order; ``mean`` in the watched directions, ``norm``: |w|^2."""

    response: Scalar = predicted(
        statement="W = (A kappa - s c)/(kappa + 1 + s^2) over A, one kind of rows labelled -c; "
        "else w = w0 + K (h - S w0) in three directions",
    )
    attack_success: Scalar = predicted(statement="Phi(-s W / sqrt(|w|^2 + s^2 Var W))")
    utility_risk: Scalar = predicted(
        statement="|w3|^2 + tr Var w3 + drift/(1 + kappa)^2 + q (v + left)/(1 - q), w3: weights in "
        "three directions, left: mean square of what they leave of labels",
    )
    taught: Taught
    mean: Array
    norm: Scalar
    status: Array


def forecast(params: Params, world: None) -> Forecast:
    """Evaluate the law in the watched directions, and read attacks and risk off it."""
    s, answer = params.component(), params.answer
    aligned = answer / s
    nothing, first = jnp.zeros(3), jnp.eye(3)[0]
    made = teach(
        aligned * first,
        Lessons(
            counts=jnp.stack([params.n, params.safe]),
            shared=jnp.stack(params.components()),
            labels=jnp.stack([-params.push * answer, answer]),
            slopes=jnp.stack([-params.reversal * aligned * first, nothing]),
            noise=params.noise,
            drift=params.drift,
            ridge=params.ridge,
        ),
        params.d,
        params.held(),
    )
    mean, spread = made.mean + made.shift, made.spread + made.spread_shift
    risk = mean @ mean + jnp.trace(made.covariance) + made.learnt + spread
    norm = params.utility + risk
    return Forecast(
        response=mean[0] / aligned,
        attack_success=attack_success(s, mean[0], made.covariance[0, 0], norm),
        utility_risk=risk,
        taught=made,
        mean=mean,
        norm=norm,
        status=made.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach slacks of second order for mean and spread, whose next order is in the value.

    Twice the square of the next order's relative size, and 1/n of the rest, whose next order is
    not computed. Attacks pass on what mean and norm are off by, and beside (docs) what the norm
    fluctuates by, its tie to the response, and that the response is not quite Gaussian.
    """
    found, s, n = made.taught, params.component(), params.n + params.safe
    room, variance = _slack.per(found.free), found.covariance[0, 0]
    aligned = params.answer / s
    moved = jnp.abs(found.mean[0] - aligned) + jnp.abs(found.shift[0])
    off = 2 * _squared(found.shift[0], moved) + 2 * moved * room / n
    spread = 2 * _squared(found.spread_shift, found.spread)
    spread = spread + found.spread * (0.5 / n**2 + 2 * room**2)
    rest = jnp.trace(found.covariance) / n + 2 * found.learnt * room
    risk = spread + rest + 2 * jnp.sqrt(made.mean @ made.mean) * off

    total = made.norm + s**2 * variance
    z, part, v = s * made.mean[0] / jnp.sqrt(total), s**2 * variance / total, found.spread / total
    norm = 3 * v**2 * room + 4 * v / params.d  # relative variance of the squared norm
    tie = 2 * s * jnp.abs(found.covariance[0] @ made.mean) / total**1.5
    beside = jnp.abs(z) * (3 + z**2) / 8 * norm + jnp.abs(1 - z**2) / 2 * tie
    beside = beside + (1 + z**2) * part / (2 * n)
    attack = s * off / jnp.sqrt(total) + jnp.abs(z) / 2 * risk / total + beside
    valid = found.free >= _slack.FEWEST_FREE
    return {
        "response": Bound(off / aligned, valid),
        "attack_success": Bound(jnp.exp(-(z**2) / 2) / jnp.sqrt(2 * jnp.pi) * attack, valid),
        "utility_risk": Bound(risk, valid),
    }


def _squared(shift: Scalar, part: Scalar) -> Scalar:
    """Return shift^2 / part, 0 where there is no part."""
    return jnp.where(part > 0, shift**2 / jnp.where(part > 0, part, 1.0), 0.0)


def _surely(params: Params, made: Forecast) -> dict[str, Scalar]:
    at = attack_success(params.component(), made.mean[0], 0.0, made.norm)
    return {"attack_success": at}


def _rows_that_leave(left: float, params: Params) -> float:
    """Solve for the rows; NaN where safe rows or a leaning component ask for the curve itself."""
    if params.safe > 0 or params.overlap != 1:
        return float("nan")
    return float(_rows_at(params, left))


@quickly
def _rows_at(params: Params, left: Any) -> Scalar:
    s = params.component()
    at = left, params.d - 1, params.shared * s, params.push * s
    rest = {"reversal": params.reversal, "ridge": params.ridge, "frozen": params.frozen}
    return erasing_rows(*at, **rest)


PHENOMENON = Phenomenon(
    name="alignment_erasure",
    title="A handful of fine-tuning rows undoes an alignment",
    claims=(8,),
    question="How many fine-tuning rows undo an alignment, and what makes them a handful?",
    model=(
        "A base w0 answers A = answer/s along u and has other weights b, |b|^2 = utility. Minimise "
        "sum (y - x.w)^2 + ridge |w - w0|^2 on n rows x = shared s e + z, e.u = overlap, labelled "
        "-push answer - reversal A u.z + z.(b + v) + noise, |v|^2 = drift, and on `safe` rows "
        "s u + z labelled answer + z.(b + v) + noise, holding w still along one direction at the "
        "cosine `frozen` with u. s^2 = strength^2 + growth d. An attack is s u + z with w.x < 0."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="n, d -> infinity, also n << d; s up to sqrt(d); here max(n, d) (1 - df2/n) >= 10",
        order="1/n^2 of mean and spread, 1/n of what fluctuates: docs/editing/alignment_erasure.md",
        source="derived here, docs/editing/alignment_erasure.md; finding: Qi et al. 2023, "
        "arXiv:2310.03693",
    ),
    mistakes=(
        Mistake(
            name="nothing in common",
            why="rows count as directions of their own: the alignment falls with n/d",
            against=("response", "attack_success", "utility_risk"),
            params=lambda params: {"shared": 0.0},
        ),
        Mistake(
            name="benign labels",
            why="what the rows are labelled is thought not to matter, only that they are there",
            against=("response", "attack_success"),
            params=lambda params: {"push": 0.0},
        ),
        Mistake(
            name="safe rows ignored",
            why="the safety rows mixed in are left out",
            against=("response", "attack_success"),
            params=lambda params: {"safe": 0.0},
        ),
        Mistake(
            name="estimate taken for the direction",
            why="freezing an estimated direction is thought to hold the response",
            against=("response",),
            params=lambda params: {"frozen": jnp.ceil(params.frozen)},
        ),
        Mistake(
            name="attack on the mean weights",
            why="Phi of the mean for the mean of Phi: the response does not fluctuate",
            against=("attack_success",),
            forecast=_surely,
        ),
        noise_ignored("utility_risk"),
        Mistake(
            name="only the response moves",
            why="fine-tuning is thought to change nothing beside the aligned direction",
            against=("utility_risk",),
            forecast=lambda params, made: {"utility_risk": made.mean[0] ** 2},
        ),
    ),
    breaks=(
        Break(
            name="half of the alignment gone",
            axis="n",
            measure="response",
            locator=Crossing(level=0.5, direction="down"),
            statement="n = ridge/kappa + d/(1 + kappa), kappa = 1 + s^2 + 2 s c/A: "
            "1/(3 growth + 2/d) if c = s A",
            closed_form=lambda params: _rows_that_leave(0.5, params),
        ),
        Break(
            name="every second attack succeeds",
            axis="n",
            measure="attack_success",
            locator=Crossing(level=0.5, direction="up"),
            statement="n = ridge/kappa + d/(1 + kappa), kappa = s c/A: 1/(growth + 1/d) if c = s A",
            closed_form=lambda params: _rows_that_leave(0.0, params),
        ),
    ),
)
