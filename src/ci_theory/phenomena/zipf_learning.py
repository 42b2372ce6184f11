"""Learning a long tail: what a learner that remembers still misses, and what the rare are worth."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import record, sized, static, traced
from ci_theory._types import Array, Float, Int, Key, Scalar
from ci_theory.biases import repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.tasks import zipf as world_of_items
from ci_theory.theory.discrete import zipf


@record
class Params:
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
    repeated_fraction: float = traced(
        0.0, low=0, high=1, unit="", doc="share of the draws spent on copies"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times that a repeated draw is there")


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
    split = repetition.counts(*(jnp.asarray(v, float) for v in _budget(params)))
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


def _budget(params: Params) -> tuple[Any, Any, Any]:
    return params.n, params.repeated_fraction, params.repeats


class _Forms(NamedTuple):
    """What the predictions share."""

    p: Float[Array, " V"]
    draws: Scalar
    exponent: Scalar


def _forms(params: Params, ranks: Any, fresh: bool = False) -> _Forms:
    """Return frequencies and distinct draws; ``fresh`` takes copies for new draws."""
    exponent = jnp.asarray(params.exponent, float)
    split = repetition.counts(*(jnp.asarray(v, float) for v in _budget(params)))
    draws = jnp.asarray(params.n, float) if fresh else split.fresh + split.repeated
    return _Forms(zipf.frequencies(jnp.asarray(ranks), exponent), draws, exponent)


def _exact(value: Scalar) -> Estimate:
    return Estimate(value, 0.0, True, int(Status.OK))


def _wrong(params: Params, missing: Scalar) -> Scalar:
    return missing + params.noise * (1 - missing)


def error(params: Params, world: Any) -> Estimate:
    """Predict the error: new items, and wrong answers remembered."""
    made = _forms(params, world)
    return _exact(_wrong(params, zipf.mass_seen(made.p, made.draws)))


def missing(params: Params, world: Any) -> Estimate:
    """Predict the missing mass from the power law that ends with the vocabulary."""
    p, n, alpha = _forms(params, world)
    b = 1 - 1 / alpha
    law = zipf.unseen_law(n, p[0], params.vocabulary, alpha)
    edge = p[-1] * jnp.exp(-n * p[-1]) * (1 + n * p[-1]) * alpha / 12
    status: Int[Array, ""] = jnp.where(alpha > 1, int(Status.OK), int(Status.OUT_OF_SCOPE))
    valid = (alpha > 1) & (n * p[0] >= 20) & (n >= 50)
    return Estimate(law, b * (b + 1) / n * law + edge, valid, status)


def singles(params: Params, world: Any) -> Estimate:
    """Predict how many items were met once."""
    made = _forms(params, world)
    return _exact(zipf.items_seen(made.p, made.draws, 1))


def price(params: Params, world: Any) -> Estimate:
    """Predict what forgetting the items met once would cost."""
    made = _forms(params, world)
    return _exact(zipf.mass_seen(made.p, made.draws, 1))


def known(params: Params, world: Any) -> Estimate:
    """Predict whether the watched item was met; far from 0 and 1, where a mean is nearly normal."""
    value = _met(params, _forms(params, world))
    return Estimate(value, 0.0, (value > 0.1) & (value < 0.9), int(Status.OK))


def _met(params: Params, made: _Forms) -> Array:
    p = made.p[jnp.asarray(params.rank, int) - 1]
    return -jnp.expm1(made.draws * jnp.log1p(-p))


def _counted(params: Params, world: Any) -> Array:
    made = _forms(params, world)
    return jnp.minimum(1.0, made.draws * made.p[jnp.asarray(params.rank, int) - 1])


def _as_fresh(form: Any) -> Any:
    def evaluate(params: Params, world: Any) -> Array:
        made = _forms(params, world, fresh=True)
        return form(params, made)

    return evaluate


def _endless(params: Params, world: Any) -> Array:
    p, n, alpha = _forms(params, world)
    return zipf.unseen_law(n, p[0], jnp.inf, alpha)


def _learnt(params: Params) -> float:
    """Draws after which the watched item is met with probability 1/2, without repetition."""
    if params.repeated_fraction > 0 and params.repeats > 1:
        return float("nan")
    p = zipf.frequencies(int(params.vocabulary), float(params.exponent))
    return float(jnp.log(0.5) / jnp.log1p(-p[int(params.rank) - 1]))


def _rule(params: Params) -> str | None:
    if params.rank > params.vocabulary:
        return f"rank = {params.rank}: there are {params.vocabulary} items"
    if params.repeated_fraction > 0 and params.repeats > params.n:
        return f"repeats = {params.repeats}: one draw cannot fill more than the draws"
    return None


_FRESH = "every copy is taken for a new draw"

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
    predictions=(
        Prediction(
            name="error",
            measure="error",
            evaluate=error,
            statement="noise + (1 - noise) sum_i p_i (1 - p_i)^n,  n distinct draws",
            scope="any vocabulary, exponent and number of draws",
            order="exact",
            source="Hutter 2021 (arXiv:2102.04074); repetition and noise here, docs/zipf.md",
            decoys=(
                Decoy(
                    name="copies are fresh draws",
                    why=_FRESH,
                    evaluate=_as_fresh(
                        lambda params, made: _wrong(params, zipf.mass_seen(made.p, made.draws))
                    ),
                ),
                Decoy(
                    name="noise averages out",
                    why="wrong answers are not remembered",
                    evaluate=lambda params, world: zipf.mass_seen(*_forms(params, world)[:2]),
                ),
            ),
        ),
        Prediction(
            name="missing",
            measure="missing",
            evaluate=missing,
            statement="C^(1/alpha)/alpha n^-b Gamma(b, n C (V + 1/2)^-alpha),  b = 1 - 1/alpha",
            scope="exponent > 1, n >= 50, common items met: n p_1 >= 20",
            order="1/n",
            source="power: Hutter 2021 (arXiv:2102.04074); its end here, docs/zipf.md",
            decoys=(
                Decoy(
                    name="endless power law",
                    why="the end of the vocabulary is left out",
                    evaluate=_endless,
                ),
                Decoy(
                    name="copies are fresh draws",
                    why=_FRESH,
                    evaluate=_as_fresh(lambda params, made: zipf.mass_seen(made.p, made.draws)),
                ),
            ),
        ),
        Prediction(
            name="singles",
            measure="singles",
            evaluate=singles,
            statement="n sum_i p_i (1 - p_i)^(n - 1)",
            scope="as error",
            order="exact",
            source="Good 1953, Biometrika 40",
            decoys=(
                Decoy(
                    name="copies are fresh draws",
                    why=_FRESH,
                    evaluate=_as_fresh(lambda params, made: zipf.items_seen(made.p, made.draws, 1)),
                ),
            ),
        ),
        Prediction(
            name="price",
            measure="price",
            evaluate=price,
            statement="n sum_i p_i^2 (1 - p_i)^(n - 1)",
            scope="as error",
            order="exact",
            source="Feldman 2019 (arXiv:1906.05271)",
            decoys=(
                Decoy(
                    name="frequency as counted",
                    why="an item met once is taken to have the frequency 1/n: no discount",
                    evaluate=lambda params, world: (
                        zipf.items_seen(*_forms(params, world)[:2], 1) / _forms(params, world).draws
                    ),
                ),
                Decoy(
                    name="copies are fresh draws",
                    why=_FRESH,
                    evaluate=_as_fresh(lambda params, made: zipf.mass_seen(made.p, made.draws, 1)),
                ),
            ),
        ),
        Prediction(
            name="known",
            measure="known",
            evaluate=known,
            statement="1 - (1 - p_rank)^n",
            scope="as error; judged between 0.1 and 0.9",
            order="exact",
            source="the binomial law",
            decoys=(
                Decoy(
                    name="known after 1/p draws",
                    why="the mean count of an item is taken for its chance of being met",
                    evaluate=_counted,
                ),
                Decoy(name="copies are fresh draws", why=_FRESH, evaluate=_as_fresh(_met)),
            ),
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
