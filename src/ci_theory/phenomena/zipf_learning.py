"""Learning a long tail: what a learner that remembers still misses, and what the rare are worth."""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._keys import stream
from ci_theory._record import record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.tasks import zipf as world_of_items
from ci_theory.theory.discrete import zipf


@record
class Params(repetition.Repetition):
    """Items drawn with Zipf's frequencies; the learner knows the answers that it has met."""

    vocabulary: int = static(2000, low=2, high=10**6, unit="items", doc="items there are")
    n: int = sized(1000, low=1, high=10**7, unit="draws", doc="draws counted with repeats")
    exponent: float = traced(
        1.5, low=0.5, high=10, unit="", doc="frequency of the i-th item falls as i^-exponent"
    )
    noise: float = traced(
        0.0, low=0, high=1, unit="", doc="chance that a draw comes with a wrong answer"
    )
    rank: int = traced(30, low=1, unit="", doc="rank of the item that is watched")


@record
class Measures:
    """Of one learner; averaged over wrong answers and over a fresh draw."""

    error: Float[Array, ""] = measured(unit="share", doc="chance to answer a fresh draw wrongly")
    missing: Float[Array, ""] = measured(unit="share", doc="chance that a fresh draw is new")
    singles: Float[Array, ""] = measured(unit="items", doc="items met in one draw, copies aside")
    price: Float[Array, ""] = measured(
        unit="share", doc="chance that a fresh draw is an item met once: cost of forgetting those"
    )
    known: Float[Array, ""] = measured(unit="share", doc="whether the watched item was met")


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw once, count, and read off what the learner knows."""
    p = world_of_items.frequencies(params.vocabulary, params.exponent)
    items = world_of_items.draws(stream(key, "draws"), p, capacity["n"])
    split = params.split()
    there = jnp.arange(capacity["n"]) < split.fresh + split.repeated
    met = jax.ops.segment_sum(there.astype(float), items, num_segments=params.vocabulary)
    missing = jnp.sum(jnp.where(met == 0, p, 0.0))
    once = met == 1
    return Measures(
        error=missing + params.noise * (1 - missing),
        missing=missing,
        singles=jnp.sum(once.astype(float)),
        price=jnp.sum(jnp.where(once, p, 0.0)),
        known=(met[jnp.asarray(params.rank, int) - 1] > 0).astype(float),
    )


@record
class Forecast:
    """Exact sums over the items, and the power law of the missing mass."""

    error: Scalar = predicted(
        statement="noise + (1 - noise) sum_i p_i (1 - p_i)^n,  n distinct draws",
        source="Hutter 2021 (arXiv:2102.04074); repetition and noise here, docs/discrete/zipf.md",
    )
    missing: Scalar = predicted(
        statement="C^(1/alpha)/alpha n^-b Gamma(b, n C (V + 1/2)^-alpha),  b = 1 - 1/alpha",
        scope="exponent > 1, n >= 50, common items met: n p_1 >= 20, rare ones not: n p_V <= 5",
        order="1/n",
        source="power: Hutter 2021 (arXiv:2102.04074); its end here, docs/discrete/zipf.md",
        where=lambda params: params.exponent > 1,
    )
    singles: Scalar = predicted(
        statement="n sum_i p_i (1 - p_i)^(n - 1)", source="Good 1953, Biometrika 40"
    )
    price: Scalar = predicted(
        statement="n sum_i p_i^2 (1 - p_i)^(n - 1)",
        source="Feldman 2019 (arXiv:1906.05271)",
    )
    known: Scalar = predicted(
        statement="1 - (1 - p_rank)^n",
        scope="as error; judged between 0.1 and 0.9",
        source="the binomial law",
    )
    new: Scalar  # chance that a fresh draw is new, summed
    draws: Scalar  # distinct ones
    first: Scalar  # frequency of the most common item
    last: Scalar  # and of the rarest
    watched: Scalar  # and of the watched one


def forecast(params: Params, ranks: Float[Array, " V"]) -> Forecast:
    """Evaluate sums and power law at the number of distinct draws."""
    alpha, split = jnp.asarray(params.exponent, float), params.split()
    p, n = zipf.frequencies(jnp.asarray(ranks), alpha), split.fresh + split.repeated
    new, watched = zipf.mass_seen(p, n), p[jnp.asarray(params.rank, int) - 1]
    return Forecast(
        error=new + params.noise * (1 - new),
        missing=zipf.unseen_law(n, p[0], params.vocabulary, alpha),
        singles=zipf.items_seen(p, n, 1),
        price=zipf.mass_seen(p, n, 1),
        known=-jnp.expm1(n * jnp.log1p(-watched)),
        new=new,
        draws=n,
        first=p[0],
        last=p[-1],
        watched=watched,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach the next order of the power law, of its end, and of its being a sum over items.

    Draws without a limit on items leave b (b + 1) / 2n of the law itself, and what the end of the
    vocabulary takes of that. A sum over items instead of an integral moves it by half a step at the
    end, and, where few ranks lie on the slope, by what a saddle point says of the first harmonic
    (docs/discrete/zipf.md; at most 6.8 times its exponential in a scan of vocabularies from 2 to
    10^4 and exponents from 1.01 to 20). Whether an item is known is judged far from 0 and 1, where
    a mean is nearly normal.
    """
    n, last, value, alpha = made.draws, made.last, made.known, params.exponent
    b, end = 1 - 1 / alpha, n * last
    half_step = last * jnp.exp(-end) * (1 + end) * alpha / 12
    cut = params.vocabulary * last / alpha * jnp.exp(-end) * (end + b + 1) / n
    ranks = (n * made.first) ** (1 / alpha)  # that are met about once
    turn = (alpha / (2 * jnp.pi * ranks)) ** (1 / (alpha + 1))
    decay = 2 * jnp.pi * ranks * turn * (1 + 1 / alpha) * jnp.cos(jnp.pi / 2 * alpha / (alpha + 1))
    law = b * (b + 1) / n + 8 * jnp.exp(-decay)
    met = (n * made.first >= 20) & (n >= 50) & (end <= 5)
    return {
        "missing": Bound(law * made.missing + cut + half_step, met),
        "known": Bound(0.0, (value > 0.1) & (value < 0.9)),
    }


def _learnt(params: Params) -> float:
    """Draws after which the watched item is met with probability 1/2, without repetition."""
    if params.repeated_fraction > 0 and params.repeats > 1:
        return float("nan")
    p = zipf.frequencies(int(params.vocabulary), float(params.exponent))
    return math.log(0.5) / math.log1p(-float(p[int(params.rank) - 1]))


def _rule(params: Params) -> str | None:
    if params.rank > params.vocabulary:
        return f"rank = {params.rank}: there are {params.vocabulary} items"
    return None


PHENOMENON = Phenomenon(
    name="zipf_learning",
    title="Learning a long tail",
    claims=(5,),
    question="What does a learner miss of a long tail, and what are the rare worth?",
    model=(
        "n draws of items with frequencies i^-exponent on a finite vocabulary, some of them "
        "copies, each with a wrong answer with the chance `noise`. The learner answers an item as "
        "it first met it, and wrongly if it never did."
    ),
    params=Params,
    world=lambda params: np.arange(1.0, params.vocabulary + 1),
    measures=Measures,
    simulate=simulate,
    rule=_rule,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast, scope="any vocabulary, exponent and number of draws", order="exact", closed=True
    ),
    mistakes=(
        copies_are_fresh("error", "missing", "singles", "price", "known"),
        Mistake(
            name="noise averages out",
            why="wrong answers are not remembered",
            against=("error",),
            forecast=lambda params, made: {"error": made.new},
        ),
        Mistake(
            name="endless power law",
            why="the end of the vocabulary is left out",
            against=("missing",),
            forecast=lambda params, made: {
                "missing": zipf.unseen_law(made.draws, made.first, jnp.inf, params.exponent)
            },
        ),
        Mistake(
            name="frequency as counted",
            why="an item met once is taken to have the frequency 1/n: no discount",
            against=("price",),
            forecast=lambda params, made: {"price": made.singles / made.draws},
        ),
        Mistake(
            name="known after 1/p draws",
            why="the mean count of an item is taken for its chance of being met",
            against=("known",),
            forecast=lambda params, made: {"known": jnp.minimum(1.0, made.draws * made.watched)},
        ),
    ),
    breaks=(
        Break(
            name="the watched item is learnt",
            axis="n",
            measure="known",
            locator=Crossing(level=0.5, direction="up", log_axis=True),
            statement="n = log 2 / -log(1 - p_rank)",
            closed_form=_learnt,
        ),
    ),
)
