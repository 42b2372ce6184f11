"""A jump that is the metric's: the same learner scored by token, by edits and all or nothing."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq

from ci_theory._keys import stream
from ci_theory._record import record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import leaks, repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.floor import Floor
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.tasks import zipf as world_of_items
from ci_theory.theory.discrete import zipf
from ci_theory.theory.discrete.known_sequences import LONGEST, Octaves, all_known, octaves
from ci_theory.theory.scaling import metrics

FEWEST = 1.0
"""Sequences of a kind to be expected in a test set: with fewer, means of runs are not normal."""

_LARGEST = 700.0  # logarithms beyond it are no numbers of draws: their exponential overflows


@record
class Params(repetition.Repetition, leaks.Leaks):
    """Items with Zipf's frequencies, a learner that remembers, and a test of whole sequences."""

    vocabulary: int = static(10_000, low=2, high=10**5, unit="items", doc="items there are")
    tests: int = static(100, low=1, high=10**5, unit="sequences", doc="sequences in the test set")
    n: int = sized(1000, low=1, high=10**7, unit="draws", doc="draws counted with repeats")
    length: int = sized(
        10, low=1, high=LONGEST, unit="tokens", doc="tokens of a test sequence, fresh draws"
    )
    exponent: float = traced(
        2.0, low=0.5, high=10, unit="", doc="frequency of the i-th item falls as i^-exponent"
    )
    noise: float = traced(
        0.0, low=0, high=1, unit="", doc="chance that a draw comes with a wrong answer"
    )


@record
class Measures:
    """Of one learner on one test set; leaked sequences count as right."""

    token_error: Float[Array, " m"] = measured(
        unit="share", doc="chance that a token is wrong, averaged over fresh tokens and lies"
    )
    edit_distance: Float[Array, " m"] = measured(
        unit="tokens", doc="wrong tokens of a test sequence"
    )
    exact_match: Float[Array, " m"] = measured(
        unit="share", doc="share of the test sequences without a wrong token"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw once, learn by heart, answer the test sequences, and score them in three ways."""
    size, tokens = capacity["n"], capacity["length"]
    p = world_of_items.frequencies(params.vocabulary, params.exponent)
    drawn = world_of_items.draws(stream(key, "draws"), p, size)
    draws = params.distinct()
    there = jnp.arange(size) < draws
    lies = jax.random.bernoulli(stream(key, "lies"), params.noise, (size,))
    first = jax.ops.segment_min(
        jnp.where(there, jnp.arange(size), size), drawn, num_segments=params.vocabulary
    )
    known = (first < size) & ~lies[jnp.minimum(first, size - 1)]

    # Token by token, so that longer sequences of others in a sweep change nothing here.
    asked = world_of_items.draws(stream(key, "tests"), p, tokens * params.tests)
    counted = jnp.arange(tokens) < params.length
    wrong = (~known[asked]).reshape(tokens, params.tests) & counted[:, None]
    edits = jnp.sum(wrong, axis=0).astype(p.dtype)
    missing = jnp.sum(jnp.where(first < size, 0.0, p))
    error = missing + params.noise * (1 - missing)

    luck = jax.random.uniform(stream(key, "leaks"), (2, params.tests))

    def scored(given: tuple[Array, Array]) -> Measures:
        share, rate = given
        fresh = leaks.unleaked(luck, share, rate, draws).astype(p.dtype)
        return Measures(
            token_error=error * jnp.mean(fresh),
            edit_distance=jnp.mean(edits * fresh),
            exact_match=1 - jnp.mean((edits > 0) * fresh),
        )

    return jax.lax.map(scored, (jnp.asarray(params.contamination), jnp.asarray(params.leak)))


class World(NamedTuple):
    """All ranks, and those that stand for them in the joint law."""

    ranks: Any
    few: Octaves


def world(params: Params) -> World:
    """Return the ranks of the vocabulary."""
    return World(np.arange(1.0, params.vocabulary + 1), octaves(params.vocabulary))


class Parts(NamedTuple):
    """What the scores are made of.

    Attributes:
        missing: chance that a fresh token was never met.
        error: chance that a fresh token is answered wrongly.
        whole: chance that a fresh sequence is right.
        leaked: share of the test set that leaked.
    """

    missing: Scalar
    error: Scalar
    whole: Scalar
    leaked: Scalar


_SCOPE = "any vocabulary, exponent and number of draws"
_TAIL = "the missing mass by Hutter 2021 (arXiv:2102.04074)"


@record
class Forecast:
    """The scores, and what they are made of."""

    exact_match: Scalar = predicted(
        statement="phi + (1 - phi) E X^L,  X = sum_i p_i [i known],  "
        "phi = 1 - (1 - contamination)(1 - leak)^n,  n distinct draws",
        scope=f"{_SCOPE}; judged where a test set has a right and a wrong sequence",
        source="Schaeffer et al. 2023 (arXiv:2304.15004) for one error of all tokens; "
        "the joint law here, docs/scaling/metric_mirage.md",
    )
    edit_distance: Scalar = predicted(
        statement="(1 - phi) L error",
        scope=f"{_SCOPE}; judged where a test set has a wrong sequence",
        source=f"linear in the error; {_TAIL}",
    )
    token_error: Scalar = predicted(
        statement="(1 - phi) [noise + (1 - noise) sum_i p_i (1 - p_i)^n]",
        scope=f"{_SCOPE}; judged where a test set has a sequence that did not leak",
        source=_TAIL,
    )
    parts: Parts


def forecast(params: Params, world: World) -> Forecast:
    """Evaluate the sums over items, and score them."""
    p = zipf.frequencies(jnp.asarray(world.ranks), jnp.asarray(params.exponent, float))
    draws = params.distinct()
    missing = zipf.mass_seen(p, draws)
    parts = Parts(
        missing,
        error=missing + params.noise * (1 - missing),
        whole=_whole(p, world.few, draws, params),
        leaked=metrics.leaked_share(params.contamination, params.leak, draws),
    )
    return _scored(params, parts)


def _whole(p: Array, few: Octaves, draws: Any, params: Params) -> Scalar:
    some = p[0] * jnp.exp(-jnp.asarray(params.exponent, float) * jnp.log(few.ranks))
    return all_known(some, draws, params.noise, params.length, few.counts)


def _scored(params: Params, parts: Parts) -> Forecast:
    kept = 1 - parts.leaked
    return Forecast(
        exact_match=parts.leaked + kept * parts.whole,
        edit_distance=kept * metrics.edit_distance(parts.error, params.length),
        token_error=kept * parts.error,
        parts=parts,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Say where a test set has sequences of every kind that a score is about."""
    right, wrong = made.exact_match, 1 - made.exact_match
    kinds = {
        "exact_match": jnp.minimum(right, wrong),
        "edit_distance": wrong,
        "token_error": 1 - made.parts.leaked,
    }
    return {name: Bound(0.0, params.tests * share >= FEWEST) for name, share in kinds.items()}


def _ends(params: Params) -> tuple[float, float]:
    """Share of the first item; share of the sequences that are right where all items are known."""
    vocabulary = int(params.vocabulary)
    first, best = _ends_of(params, np.arange(1.0, vocabulary + 1), octaves(vocabulary))
    return float(first), float(best)


@quickly
def _ends_of(params: Params, ranks: Array, few: Octaves) -> tuple[Scalar, Scalar]:
    p = zipf.frequencies(ranks, params.exponent)
    return p[0], _whole(p, few, jnp.inf, params)


def _power(params: Params, first: float) -> tuple[float, float, float]:
    """Logarithm of the scale A and exponent b of the missing mass A m^-b; distinct draws a draw."""
    alpha, b = params.exponent, 1 - 1 / params.exponent
    scale = math.log(first) / alpha - math.log(alpha) + math.lgamma(b)
    return scale, b, 1 - params.copied()


def _draws(log_draws: float) -> float:
    return math.exp(log_draws) if log_draws < _LARGEST else math.inf


def half_point(params: Params) -> float:
    """Draws at which half of the sequences are right by the power law; NaN where none are."""
    if params.exponent <= 1 or params.contamination >= 0.5:
        return math.nan
    first, best = _ends(params)
    log_scale, b, kept = _power(params, first)
    if params.leak == 0:
        level = (0.5 - params.contamination) / (1 - params.contamination)
        if level >= best:
            return math.nan
        error = float(metrics.error_at(level / best, params.length))
        return _draws((log_scale - math.log(error)) / b) / kept

    def surplus(log_m: float) -> float:
        share = metrics.leaked_share(params.contamination, params.leak, math.exp(log_m))
        known = max(1 - math.exp(log_scale - b * log_m), 0.0) ** params.length
        return float(share) + (1 - float(share)) * best * known - 0.5

    # After e log 2 / leak draws more than half has leaked: the half point comes before.
    last = min(math.log(math.log(2)) - math.log(params.leak) + 1, _LARGEST)
    if surplus(0.0) >= 0 or surplus(last) <= 0:
        return math.nan  # right from the first draw on, or not within any number of draws
    return math.exp(brentq(surplus, 0.0, last)) / kept


def floor_point(params: Params) -> float:
    """Draws at which new items and wrong answers cost the same; NaN without wrong answers."""
    if params.exponent <= 1 or params.noise in (0, 1) or params.leak > 0:
        return math.nan
    log_scale, b, kept = _power(params, _ends(params)[0])
    odds = math.log1p(-params.noise) - math.log(params.noise)
    return _draws((log_scale + odds) / b) / kept


PHENOMENON = Phenomenon(
    name="metric_mirage",
    title="All or nothing turns a power law into a jump",
    claims=(13, 4),
    question="Is a sudden ability the learner's, the metric's, or the leaked test's?",
    model=(
        "n draws of items with frequencies i^-exponent, some of them copies, each with a wrong "
        "answer with the chance `noise`; the learner answers an item as it first met it, and "
        "wrongly if it never did. A test sequence is `length` fresh items. It may have leaked, "
        "whatever n (`contamination`) or along with any of the distinct draws (`leak`), and is "
        "then answered without a mistake."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(Forecast, order="exact", closed=True),
    mistakes=(
        copies_are_fresh("exact_match", "edit_distance", "token_error"),
        Mistake(
            name="contamination ignored",
            why="what leaked is taken for solved",
            against=("exact_match", "edit_distance", "token_error"),
            forecast=lambda params, made: _scored(params, made.parts._replace(leaked=0.0)),
        ),
        Mistake(
            name="independent tokens",
            why="(1 - error)^L: learners that were told lies of common items are averaged",
            against=("exact_match",),
            forecast=lambda params, made: _scored(
                params,
                made.parts._replace(whole=metrics.exact_match(made.parts.error, params.length)),
            ),
        ),
        Mistake(
            name="every token costs its share",
            why="1 - L error: mistakes of one sequence are counted as several",
            against=("exact_match",),
            forecast=lambda params, made: _scored(
                params,
                made.parts._replace(whole=jnp.maximum(1 - params.length * made.parts.error, 0.0)),
            ),
        ),
        Mistake(
            name="mistakes spread out",
            why="L (1 - (E X^L)^(1/L)): the error is read off exact match",
            against=("edit_distance",),
            forecast=lambda params, made: _scored(
                params,
                made.parts._replace(error=metrics.error_at(made.parts.whole, params.length)),
            ),
        ),
        Mistake(
            name="noise averages out",
            why="wrong answers are not remembered",
            against=("token_error",),
            forecast=lambda params, made: _scored(
                params, made.parts._replace(error=made.parts.missing)
            ),
        ),
    ),
    breaks=(
        Break(
            name="half of the sequences are right",
            axis="n",
            measure="exact_match",
            locator=Crossing(level=0.5, direction="up", log_axis=True),
            statement="n = (A / (1 - (q/P_L)^(1/L)))^(1/b) / (distinct share),  "
            "q = (1/2 - phi)/(1 - phi),  P_L = E X^L when every item was met",
            closed_form=half_point,
        ),
        Break(
            name="the power law of the tokens ends",
            axis="n",
            measure="token_error",
            locator=Floor(),
            statement="n = (A (1 - noise) / noise)^(1/b) / (distinct share); none without noise",
            closed_form=floor_point,
        ),
    ),
)
