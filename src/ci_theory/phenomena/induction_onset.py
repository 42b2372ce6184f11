"""When an induction head appears: the flow of three logits against their stochastic descent."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from ci_theory._errors import Status
from ci_theory._record import inner, record, sized, traced
from ci_theory._types import Array, Float, Int, Key, Scalar
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.survival import Survival
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import noise_ignored
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.systems import nested_logits
from ci_theory.theory.dynamics.induction_head import (
    Questions,
    answer_losses,
    found_share,
    induction_loss,
)
from ci_theory.theory.dynamics.induction_next_order import derivatives, head_steps
from ci_theory.theory.dynamics.induction_onset import induction_head, induction_onset

LEVEL = 0.5  # of ln N, the loss of a guess among the labels shown
MOST_OFF = 0.15  # deviation of runs, in units of ln N, up to which the next order is a guide
ALL = ("left", "train_loss", "found")


@record
class Params:
    """Stochastic gradient descent of three nested logits on sequences of items and labels."""

    items: int = traced(4, low=2, high=10**4, unit="items", doc="different items in a sequence")
    copies: int = traced(
        2, low=1, high=10**4, unit="", doc="burstiness: how often a sequence shows each item"
    )
    labels: int = sized(16, low=2, high=10**5, unit="labels", doc="answers that there are")
    noise: float = traced(
        0.1, low=0, high=0.99, unit="", doc="share of the answers that are drawn at random"
    )
    asked: float = traced(
        0.8,
        low=0.01,
        high=1,
        unit="",
        doc="share of the sequences that ask for an item they show; others teach nothing",
    )
    rate: float = traced(0.1, above=0, high=1, unit="1/nat", doc="step size")
    batch: int = sized(32, low=1, high=10**5, unit="sequences", doc="fresh sequences of a step")
    steps: int = inner(400, low=0, high=10**7, unit="steps", doc="steps made")


@record
class Measures:
    """Of one run, exact over questions given its logits."""

    left: Float[Array, " m"] = measured(
        unit="ln items", doc="loss on right answers, 1 for a guess among the labels shown"
    )
    train_loss: Float[Array, " m"] = measured(
        unit="nat", doc="mean cross-entropy of the answers that are told in training"
    )
    found: Float[Array, " m"] = measured(
        unit="attention", doc="attention of the second head on the right label"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Descend on fresh sequences, and look at the logits after every number of steps."""
    size, share = capacity["labels"], params.asked
    shown = nested_logits.Shown(params.items, params.labels, params.copies)
    there = (jnp.arange(capacity["batch"]) < params.batch) * 1.0
    real = jnp.arange(size) < params.labels

    def step(r: Array, logits: Array) -> Array:
        own = jax.random.fold_in(key, r)
        told = nested_logits.draw(own, shown, params.noise, share, there, size)
        return logits - params.rate * jax.grad(nested_logits.loss)(logits, shown, told)

    def until(state: tuple[Array, Array], stop: Array) -> tuple[tuple[Array, Array], Array]:
        logits = jax.lax.fori_loop(state[0], stop, step, state[1])
        return (stop, logits), logits

    def look(logits: Array) -> tuple[Array, Array, Array]:
        made = nested_logits.answers(logits, shown, size)
        found, lost = (jnp.sum(jnp.where(real, v, 0)) / params.labels for v in made[:2])
        told = share * ((1 - params.noise) * made.found[0] + params.noise * found)
        return -made.found[0], -told - (1 - share) * lost, made.attention

    stops = jnp.asarray(params.steps).astype(int)
    order = jnp.argsort(stops)
    begin = jnp.zeros((), stops.dtype), jnp.full(3, nested_logits.START)
    _, kept = jax.lax.scan(until, begin, stops[order])
    right, train, attention = jax.vmap(look)(jnp.zeros_like(kept).at[order].set(kept))
    return Measures(
        left=right / jnp.log(jnp.asarray(params.items, float)), train_loss=train, found=attention
    )


def _questions(params: Params) -> Questions:
    given = params.items, params.labels, params.noise, params.copies, params.asked
    return Questions(*(jnp.asarray(v, float) for v in given))


def _seen(logits: Array, of: Questions) -> Array:
    """Return what is measured, in the order of ``ALL``."""
    left = answer_losses(logits, of)[0] / jnp.log(of.items)
    return jnp.stack([left, induction_loss(logits, of), found_share(logits, of)])


@record
class Forecast:
    """What the flow of the logits says at the time steps * rate."""

    left: Scalar = predicted(
        statement="l/ln N,  l = ln(1 + (N-1) e^(xi (w'-w)) + (L-N) e^(-xi w)),  "
        "(b1, b2, xi)' = -grad [asked (l + noise xi (w - 1/L)) + (1 - asked) l0]",
    )
    train_loss: Scalar = predicted(
        statement="asked (l + noise xi (w - 1/L)) + (1 - asked) l0,  "
        "l0 = ln(N e^(xi/N) + L - N) - xi/L",
    )
    found: Scalar = predicted(
        statement="w = 1/(1 + (N-1) e^(-b2 a)),  a = 1/(1 + copies N e^-b1),  w' = (1-w)/(N-1)",
    )
    status: Int[Array, ""]


def forecast(params: Params, world: None) -> Forecast:
    """Solve the flow up to the time of the step."""
    of = _questions(params)
    made = induction_head(of, params.steps * params.rate)
    left, train, found = _seen(made.logits, of)
    return Forecast(left=left, train_loss=train, found=found, status=made.status)


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Compute the next order in the step size; no part of it is set off against another."""
    of = _questions(params)
    steps = head_steps(of, params.steps * params.rate, params.rate, params.batch)
    slopes, bends = derivatives(lambda logits: _seen(logits, of), steps.logits, 2)
    moved = jnp.sum(jnp.abs(slopes * steps.moved[None, :]), axis=1)
    rounded = jnp.sum(jnp.abs(bends * steps.spread[None]), axis=(1, 2)) / 2
    spread = jnp.einsum("mi,ij,mj->m", slopes, steps.spread, slopes)
    slack = 1.25 * (moved + rounded) + 2 * spread
    valid = (steps.peak <= MOST_OFF**2) & (steps.status == Status.OK)
    return {name: Bound(slack[i], valid) for i, name in enumerate(ALL)}


_onsets = quickly(induction_onset)


def _onset(params: Params) -> float:
    """Steps to the onset by the flow; NaN where it never comes."""
    made = _onsets(_questions(params))
    return float(made.time) / float(params.rate)


def _rule(params: Params) -> str | None:
    if params.labels < params.items:
        return f"labels = {params.labels}: must be >= items = {params.items}, which all differ"
    return None


PHENOMENON = Phenomenon(
    name="induction_onset",
    title="When an induction head appears",
    claims=(12,),
    question="When does a model learn to copy from its context; what do its sequences change?",
    model=(
        "A sequence shows `items` items with their labels, each `copies` times, and asks for the "
        "label of one of them (share `asked`) or of another item. A first head attends to the "
        "token before (b1), a second one to what follows the item asked for (b2), a read-out (xi) "
        "answers: three logits, from 0.01 each, by gradient descent on `batch` fresh sequences a "
        "step; a share `noise` of the answers is random. A reconstruction after Reddy 2023."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    rule=_rule,
    predictions=predictions(
        Forecast,
        scope="these three logits, not a network; where runs deviate by at most 0.15 ln N in "
        "mean square, until then",
        order="rate (computed, with rate/batch)",
        source="derived here, docs/dynamics/induction_onset.md, from a reconstruction after Reddy "
        "2023 (arXiv:2312.03002)",
    ),
    mistakes=(
        noise_ignored(*ALL),
        Mistake(
            name="each item once",
            why="copies are thought to change nothing: only which items are shown counts",
            against=ALL,
            params=lambda params: {"copies": 1},
        ),
        Mistake(
            name="every question is answered",
            why="sequences that do not show what they ask for are overlooked",
            against=ALL,
            params=lambda params: {"asked": 1.0},
        ),
        Mistake(
            name="endless labels",
            why="a label that is not shown is thought never to be told: a thousand times as many",
            against=ALL,
            params=lambda params: {"labels": 1000 * params.labels},
        ),
        Mistake(
            name="noisy loss",
            why="the loss that training shows is taken for that on right answers",
            against=("left",),
            forecast=lambda params, made: {
                "left": made.train_loss / jnp.log(jnp.asarray(params.items, float))
            },
        ),
        Mistake(
            name="sum over the batch",
            why="the step is taken for the sum over its sequences, not their mean",
            against=ALL,
            params=lambda params: {"rate": params.rate * params.batch},
        ),
    ),
    breaks=(
        Break(
            name="onset",
            axis="steps",
            measure="left",
            locator=Crossing(level=LEVEL, direction="down"),
            statement="rate steps = t*,  l(t*) = ln(N)/2 along the flow",
            closed_form=_onset,
        ),
        Break(
            name="onset of half of the runs",
            axis="steps",
            measure="left",
            locator=Survival(level=LEVEL, direction="down"),
            statement="rate steps = t*,  l(t*) = ln(N)/2 along the flow",
            closed_form=_onset,
        ),
        Break(
            name="noise that keeps the head away",
            axis="noise",
            measure="left",
            locator=Crossing(level=LEVEL, direction="up"),
            last=("steps",),
        ),
    ),
)
