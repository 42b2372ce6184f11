"""A jump that is the metric's: the same learner scored by token, by edits and all or nothing."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.floor import Floor
from ci_theory.phenomena._base import Break, Decoy, Estimate, Phenomenon, Prediction, measured
from ci_theory.tasks import zipf as world_of_items
from ci_theory.theory.discrete import zipf
from ci_theory.theory.discrete.known_sequences import LONGEST, Octaves, all_known, octaves
from ci_theory.theory.scaling import metrics

FEWEST = 1.0
"""Sequences of a kind to be expected in a test set: with fewer, means of runs are not normal."""

_LARGEST = 700.0  # logarithms beyond it are no numbers of draws: their exponential overflows


@record
class Params:
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
    repeated_fraction: float = traced(
        0.0, low=0, high=1, unit="", doc="share of the draws spent on copies"
    )
    repeats: int = traced(1, low=1, unit="copies", doc="times that a repeated draw is there")
    contamination: float = inner(
        0.0, low=0, high=1, unit="", doc="share of the test set leaked, whatever n"
    )
    leak: float = inner(
        0.0, low=0, high=1, unit="", doc="chance that a draw brings a given test sequence along"
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
    draws = _distinct(params)
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
        along = -jnp.expm1(draws * jnp.log1p(-rate))
        fresh = ((luck[0] >= share) & (luck[1] >= along)).astype(p.dtype)
        return Measures(
            token_error=error * jnp.mean(fresh),
            edit_distance=jnp.mean(edits * fresh),
            exact_match=1 - jnp.mean((edits > 0) * fresh),
        )

    return jax.lax.map(scored, (jnp.asarray(params.contamination), jnp.asarray(params.leak)))


def _distinct(params: Params) -> Scalar:
    given = params.n, params.repeated_fraction, params.repeats
    split = repetition.counts(*(jnp.asarray(v, float) for v in given))
    return split.fresh + split.repeated


class _Forms(NamedTuple):
    """What the predictions of a point share.

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


class _World(NamedTuple):
    """All ranks, and those that stand for them in the joint law."""

    ranks: Any
    few: Octaves


def world(params: Params) -> _World:
    """Return the ranks of the vocabulary."""
    return _World(np.arange(1.0, params.vocabulary + 1), octaves(params.vocabulary))


def _whole(p: Array, few: Octaves, draws: Any, params: Params) -> Scalar:
    some = p[0] * jnp.exp(-jnp.asarray(params.exponent, float) * jnp.log(few.ranks))
    return all_known(some, draws, params.noise, params.length, few.counts)


def _forms(params: Params, p: Array, few: Octaves, draws: Scalar) -> _Forms:
    missing = zipf.mass_seen(p, draws)
    return _Forms(
        missing,
        missing + params.noise * (1 - missing),
        _whole(p, few, draws, params),
        metrics.leaked_share(params.contamination, params.leak, draws),
    )


class _Shared(NamedTuple):
    """Forms with the distinct draws, and with every copy taken for a new draw."""

    right: _Forms
    copies: _Forms


def shared(params: Params, world: _World) -> _Shared:
    """Evaluate the sums over items of a point."""
    p = zipf.frequencies(jnp.asarray(world.ranks), jnp.asarray(params.exponent, float))
    few = Octaves(*(jnp.asarray(leaf) for leaf in world.few))
    draws = _distinct(params), jnp.asarray(params.n, float)
    both = jax.lax.map(lambda d: _forms(params, p, few, d), jnp.stack(draws))
    return _Shared(*(jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in range(2)))


def _exact(value: Scalar, valid: Any = True) -> Estimate:
    return Estimate(value, 0.0, valid, int(Status.OK))


def _token_error(params: Params, made: _Forms) -> Scalar:
    return (1 - made.leaked) * made.error


def _edit_distance(params: Params, made: _Forms) -> Scalar:
    return (1 - made.leaked) * metrics.edit_distance(made.error, params.length)


def _exact_match(params: Params, made: _Forms) -> Scalar:
    return made.leaked + (1 - made.leaked) * made.whole


def token_error(params: Params, made: _Shared) -> Estimate:
    """Predict the share of wrong tokens, where some of the test set has not leaked."""
    left = params.tests * (1 - made.right.leaked)
    return _exact(_token_error(params, made.right), left >= FEWEST)


def edit_distance(params: Params, made: _Shared) -> Estimate:
    """Predict the wrong tokens of a sequence, where some sequences are wrong."""
    wrong = params.tests * (1 - _exact_match(params, made.right))
    return _exact(_edit_distance(params, made.right), wrong >= FEWEST)


def exact_match(params: Params, made: _Shared) -> Estimate:
    """Predict the share of sequences without a mistake, where some are right and some wrong."""
    value = _exact_match(params, made.right)
    return _exact(value, params.tests * jnp.minimum(value, 1 - value) >= FEWEST)


def _decoy(name: str, why: str, form: Any, **changed: Any) -> Decoy:
    """Make a wrong prediction: the right form, with some of its parts replaced."""

    def evaluate(params: Params, made: _Shared) -> Array:
        wrong = {part: change(params, made.right) for part, change in changed.items()}
        return form(params, made.right._replace(**wrong))

    return Decoy(name=name, why=why, evaluate=evaluate)


def _copies(form: Any) -> Decoy:
    return Decoy(
        name="copies are fresh draws",
        why="every copy is taken for a new draw",
        evaluate=lambda params, made: form(params, made.copies),
    )


def _clean(form: Any) -> Decoy:
    return _decoy(
        "contamination ignored",
        "what leaked is taken for solved",
        form,
        leaked=lambda params, made: jnp.zeros(()),
    )


def _power(params: Params) -> tuple[float, float, float]:
    """Logarithm of the scale A and exponent b of the missing mass A m^-b; distinct draws a draw."""
    alpha, b = params.exponent, 1 - 1 / params.exponent
    first = float(zipf.frequencies(int(params.vocabulary), float(alpha))[0])
    copies = params.repeated_fraction * (1 - 1 / params.repeats)
    return math.log(first) / alpha - math.log(alpha) + math.lgamma(b), b, 1 - copies


def _draws(log_draws: float) -> float:
    return math.exp(log_draws) if log_draws < _LARGEST else math.inf


def half_point(params: Params) -> float:
    """Draws at which half of the sequences are right by the power law; NaN where none are."""
    if params.exponent <= 1 or params.contamination >= 0.5:
        return math.nan
    log_scale, b, kept = _power(params)
    p = zipf.frequencies(int(params.vocabulary), float(params.exponent))
    best = float(_whole(p, octaves(int(params.vocabulary)), jnp.inf, params))
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
    log_scale, b, kept = _power(params)
    odds = math.log1p(-params.noise) - math.log(params.noise)
    return _draws((log_scale + odds) / b) / kept


def _rule(params: Params) -> str | None:
    if params.repeated_fraction > 0 and params.repeats > params.n:
        return f"repeats = {params.repeats}: one draw cannot fill more than the draws"
    return None


_SCOPE = "any vocabulary, exponent and number of draws"
_TAIL = "the missing mass by Hutter 2021 (arXiv:2102.04074)"

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
    world=world,
    shared=shared,
    measures=Measures,
    simulate=simulate,
    rule=_rule,
    predictions=(
        Prediction(
            name="exact_match",
            measure="exact_match",
            evaluate=exact_match,
            statement="phi + (1 - phi) E X^L,  X = sum_i p_i [i known],  "
            "phi = 1 - (1 - contamination)(1 - leak)^n,  n distinct draws",
            scope=f"{_SCOPE}; judged where a test set has a right and a wrong sequence",
            order="exact",
            source="Schaeffer et al. 2023 (arXiv:2304.15004) for one error of all tokens; "
            "the joint law here, docs/metric_mirage.md",
            decoys=(
                _decoy(
                    "independent tokens",
                    "(1 - error)^L: learners that were told lies of common items are averaged",
                    _exact_match,
                    whole=lambda params, made: metrics.exact_match(made.error, params.length),
                ),
                _decoy(
                    "every token costs its share",
                    "1 - L error: mistakes of one sequence are counted as several",
                    _exact_match,
                    whole=lambda params, made: jnp.maximum(1 - params.length * made.error, 0.0),
                ),
                _clean(_exact_match),
                _copies(_exact_match),
            ),
        ),
        Prediction(
            name="edit_distance",
            measure="edit_distance",
            evaluate=edit_distance,
            statement="(1 - phi) L error",
            scope=f"{_SCOPE}; judged where a test set has a wrong sequence",
            order="exact",
            source=f"linear in the error; {_TAIL}",
            decoys=(
                _decoy(
                    "mistakes spread out",
                    "L (1 - (E X^L)^(1/L)): the error is read off exact match",
                    _edit_distance,
                    error=lambda params, made: metrics.error_at(made.whole, params.length),
                ),
                _clean(_edit_distance),
                _copies(_edit_distance),
            ),
        ),
        Prediction(
            name="token_error",
            measure="token_error",
            evaluate=token_error,
            statement="(1 - phi) [noise + (1 - noise) sum_i p_i (1 - p_i)^n]",
            scope=f"{_SCOPE}; judged where a test set has a sequence that did not leak",
            order="exact",
            source=_TAIL,
            decoys=(
                _decoy(
                    "noise averages out",
                    "wrong answers are not remembered",
                    _token_error,
                    error=lambda params, made: made.missing,
                ),
                _clean(_token_error),
                _copies(_token_error),
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
