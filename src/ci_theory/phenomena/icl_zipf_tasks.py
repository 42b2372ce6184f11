"""Linear attention trained on tasks of unequal frequency: common ones are learnt by heart."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import noise
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import contexts_are_exact, labels_are_exact
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import prompts, zipf
from ci_theory.theory.attention.drawn_tasks import drawn_tasks
from ci_theory.theory.attention.linear_attention import contexts
from ci_theory.theory.attention.prompt_sizes import sized_contexts
from ci_theory.theory.attention.zipf_tasks import UnequalTasks, unequal_tasks
from ci_theory.training import linear_attention as training

ALL = ("missing", "missing_fresh", "known")
FEWEST = 10  # dimensions


@record
class Params:
    """Linear attention fitted to prompts whose tasks are drawn with Zipf's frequencies."""

    n: int = sized(288, low=1, unit="prompts", doc="prompts trained on")
    d: int = static(12, low=2, high=4096, unit="inputs", doc="input dimension: d^2 weights")
    tasks: int = static(24, low=2, high=4096, unit="tasks", doc="tasks that there are: k")
    exponent: float = traced(
        1.0, low=0, high=10, unit="", doc="frequency of the i-th task falls as i^-exponent"
    )
    length: int = traced(48, low=2, unit="pairs", doc="pairs of a context: l")
    noise: float = traced(
        0.25, low=0, unit="label²", doc="label-noise variance in contexts and queries"
    )
    ridge: float = traced(
        0.05, above=0, unit="", doc="penalty on |Gamma|^2 a prompt, over d: n/d of it in all"
    )
    rank: int = inner(1, low=1, unit="", doc="rank of the task that is watched")


@record
class Measures:
    """Exact given the weights: no prompt is drawn for a test."""

    missing: Float[Array, " m"] = measured(
        unit="1", doc="1 - w'Gamma w/d of the watched task: what its long contexts do not tell"
    )
    missing_fresh: Float[Array, " m"] = measured(
        unit="1", doc="the same of a new task: 1 - tr Gamma/d"
    )
    known: Float[Array, " m"] = measured(
        unit="1", doc="missing_fresh/2 - missing: positive where more than half is known by heart"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw tasks, prompts and labels, fit, and ask the weights about the watched task."""
    n, d = capacity["n"], params.d
    w = prompts.tasks(key, params.tasks, d)
    shares = zipf.frequencies(params.tasks, params.exponent)
    drawn = zipf.draws(stream(key, "frequency"), shares, n)
    seen = prompts.draw(key, w[drawn], params.length, params.noise)
    labels = seen.answer + jnp.sqrt(params.noise) * noise.draw(key, n, seen.answer.dtype)
    there = (jnp.arange(n) < params.n) * 1.0
    total = jnp.asarray(params.ridge) * params.n / d
    gamma = training.fit(seen.query, seen.summary, labels, there, total).gamma
    watched = w[jnp.asarray(params.rank, int) - 1]
    missing = 1 - jnp.sum((watched @ gamma) * watched, axis=1) / d
    fresh = jnp.full_like(missing, 1 - jnp.trace(gamma) / d)
    return Measures(missing=missing, missing_fresh=fresh, known=fresh / 2 - missing)


@record
class Forecast:
    """What the watched task and a new one miss."""

    missing: Scalar = predicted(
        statement="E[D f + (1 - D) delta/A],  D = 1/(1 + A d g),  A = sum p a/(1 + e),  "
        "delta = sum p (a - c)/(1 + e),  e = (a D + b) g d^2/n over the lengths of prompts and "
        "the numbers drawn of the task,  g ridge + n/d^2 sum p e/(1 + e) = 1"
    )
    missing_fresh: Scalar = predicted(
        statement="f = g nu + g sum delta D,  nu = ridge + sum p b/(1 + e)"
    )
    known: Scalar = predicted(statement="f/2 - missing")
    status: Array


def _ranks(params: Params) -> np.ndarray:
    """Number the tasks from 1."""
    return np.arange(1.0, params.tasks + 1)


def _shares(params: Params, ranks: Any) -> Array:
    weights = jnp.asarray(ranks) ** -jnp.asarray(params.exponent, float)
    return weights / jnp.sum(weights)


def forecast(params: Params, ranks: Array) -> Forecast:
    """Evaluate the deterministic equivalent: every task is kinds of its own."""
    kinds = sized_contexts(params.d, params.length, params.noise, params.noise)
    prompts_a_weight = params.n / params.d**2
    shares = _shares(params, ranks)
    made = drawn_tasks(shares, params.d, prompts_a_weight, params.ridge, *kinds, drawn=params.n)
    missing = made.missing[jnp.asarray(params.rank, int) - 1]
    return Forecast(
        missing=missing,
        missing_fresh=made.fresh,
        known=made.fresh / 2 - missing,
        status=made.status,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach an audited share of what a new task misses: docs/finite_size.md."""
    d = params.d
    left = jnp.maximum(1 / d, d / params.n) * made.missing_fresh
    shares = {"missing": 0.35, "missing_fresh": 0.15, "known": 0.35}
    enough = (d >= FEWEST) & (params.length >= d / 2) & (params.n >= d**2 / 4)
    enough = enough & (params.ridge >= 0.02)
    return {name: Bound(share * left, enough) for name, share in shares.items()}


def _rule(params: Params) -> str | None:
    if params.rank > params.tasks:
        return f"rank = {params.rank}: there are {params.tasks} tasks"
    return None


def _limit(params: Params, ranks: Any) -> UnequalTasks:
    seen = contexts(params.length / params.d, params.noise, params.noise)
    shares = _shares(params, ranks)
    return unequal_tasks(shares, params.d, params.n / params.d**2, params.ridge, seen)


def _known(params: Params) -> float:
    """Rank at which half of a task is known by heart; NaN where that is true of all or none."""
    if params.exponent == 0:
        return float("nan")
    place = float(_half_known(params, _ranks(params)))
    return place if 1 < place < params.tasks else float("nan")


@quickly
def _half_known(params: Params, ranks: Array) -> Scalar:
    made = _limit(params, ranks)
    g = 1 / (params.d * made.level)
    b = params.d * (1 + params.noise) / params.length
    share = made.level * (1 + g * (0.5 + b) * params.d**2 / params.n)
    return (share * jnp.sum(ranks**-params.exponent)) ** (-1 / params.exponent)


PHENOMENON = Phenomenon(
    name="icl_zipf_tasks",
    title="Common tasks are learnt by heart, rare ones are read from their context like new ones",
    claims=(12,),
    question="How common must a task be for a model to know it without being told?",
    model=(
        "Prompts of l pairs x ~ N(0, I/d), y = x.w + noise, and a query; their task is the i-th of "
        "k, |w|^2 = d, with a chance in proportion to i^-exponent. Linear attention answers "
        "x'Gamma h, h = (d/l) sum y x; Gamma minimises sum (y - x'Gamma h)^2 + (n/d) ridge "
        "|Gamma|^2 over n prompts."
    ),
    params=Params,
    world=_ranks,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    rule=_rule,
    predictions=predictions(
        Forecast,
        scope="d -> infinity at fixed l/d, k/d, n/d^2, shares of order 1/d; here d >= 10, "
        "l >= d/2, n >= d^2/4, ridge >= 0.02",
        order="1/d, of which lengths of prompts and numbers drawn are computed; the rest audited, "
        "docs/finite_size.md",
        source="derived here, docs/attention/in_context.md; one kind of task: Lu et al. 2025 (PNAS "
        "122, arXiv:2405.11751)",
    ),
    mistakes=(
        Mistake(
            name="tasks are alike",
            why="all tasks are thought to be equally common",
            against=ALL,
            params=lambda params: {"exponent": 0.0},
        ),
        labels_are_exact(*ALL),
        contexts_are_exact(*ALL),
        Mistake(
            name="prompts are endless",
            why="a task is thought to be known if it was met at all",
            against=ALL,
            params=lambda params: {"n": 1e9},
        ),
    ),
    breaks=(
        Break(
            name="tasks known by heart",
            axis="rank",
            measure="known",
            locator=Crossing(level=0.0, direction="down", log_axis=True),
            statement="p = (1 + g (1/2 + b) d^2/n)/(d g) for d -> infinity",
            closed_form=_known,
        ),
    ),
)
