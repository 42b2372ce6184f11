"""Facts of a long tail in one matrix: copies push each other out, and what is left of the rare."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr

from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Bool, Float, Key, Scalar
from ci_theory.biases.whole import whole
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.valley import Valley
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.systems import associative_memory
from ci_theory.theory.discrete.memory_limits import capacity, half_weight
from ci_theory.theory.discrete.stored_facts import mixed_up, recalled

MOST = 2048  # facts
ALL = ("recalled", "error", "known", "copied_recalled", "single_recalled")
HALF = 0.5


@record
class Params:
    """Facts with Zipf's frequencies, some of them copied, stored by a power of their counts."""

    facts: int = sized(60, low=2, high=MOST, unit="facts", doc="facts there are to know")
    d: int = static(16, low=8, high=1024, unit="dimensions", doc="width: of keys and of values")
    exponent: float = traced(
        0.5, low=0, high=3, unit="", doc="frequency of the i-th fact falls as i^-exponent"
    )
    power: float = traced(
        1.0, low=0, high=1, unit="", doc="a fact is stored with its count to this power"
    )
    kept: int = traced(
        MOST, low=1, high=MOST, unit="facts", doc="the first facts, which alone are stored"
    )
    repeated_fraction: float = traced(
        0.2, low=0, high=1, unit="", doc="share of the facts, evenly spread, that is copied"
    )
    repeats: float = traced(
        3.0, low=1, high=1e4, unit="copies", doc="times that a copied fact is met as often"
    )
    noise: float = traced(
        0.1, low=0, high=1, unit="", doc="share of the facts whose answers are mixed up"
    )
    rank: int = inner(8, low=1, high=MOST, unit="", doc="rank of the fact that is watched")

    def there(self, size: int) -> Bool[Array, " N"]:
        """Say which of so many places hold a fact."""
        return jnp.arange(size) < self.facts

    def frequencies(self, size: int) -> Float[Array, " N"]:
        """Return how often each fact is asked for, (size,)."""
        p = jnp.arange(1.0, size + 1) ** -jnp.asarray(self.exponent, float)
        p = jnp.where(self.there(size), p, 0.0)
        return p / jnp.sum(p)

    def copied(self, size: int) -> Bool[Array, " N"]:
        """Say which facts are copied: the share of the first i is met for every i."""
        places = jnp.arange(size + 1) * jnp.asarray(self.repeated_fraction, float)
        steps = jnp.floor(places + (0.5 + 1e-9))
        return (jnp.diff(steps) > 0) & self.there(size)

    def weights(self, size: int) -> Float[Array, " N"]:
        """Return with which weight each fact is stored, the largest 1."""
        kept = self.there(size) & (jnp.arange(size) < self.kept)
        ranks = jnp.log(jnp.arange(1.0, size + 1))
        counts = jnp.where(self.copied(size), jnp.log(self.repeats), 0.0) - self.exponent * ranks
        logs = jnp.where(kept, self.power * counts, -jnp.inf)
        return jnp.exp(logs - jnp.max(logs))

    def wrong(self) -> Scalar:
        """Return how many facts are mixed up: not one, which has nobody to change with."""
        share = jnp.asarray(self.noise, float)
        about = whole(share * jnp.asarray(self.facts, float))
        return jnp.where(share > 0, jnp.maximum(about, 2.0), 0.0)


@record
class Measures:
    """Of one memory that is asked for every fact, and for the watched one with other keys."""

    recalled: Float[Array, " m"] = measured(unit="share", doc="facts that are answered rightly")
    error: Float[Array, " m"] = measured(
        unit="share", doc="chance that the fact of a fresh draw is answered wrongly"
    )
    known: Float[Array, " m"] = measured(
        unit="share", doc="keys with which the watched fact is recalled, all else as it is"
    )
    copied_recalled: Float[Array, " m"] = measured(
        unit="share", doc="copied facts that are answered rightly"
    )
    single_recalled: Float[Array, " m"] = measured(
        unit="share", doc="facts without copies that are answered rightly"
    )


def _read(params: Params, right: Float[Array, " N"]) -> dict[str, Array]:
    """Average what is answered rightly, fact by fact, as the measures do."""
    size, watched = right.size, jnp.asarray(params.rank, int) - 1
    there, copied = params.there(size), params.copied(size)

    def mean(these: Array) -> Scalar:
        return jnp.sum(jnp.where(these, right, 0.0)) / jnp.maximum(jnp.sum(these), 1)

    return {
        "recalled": mean(there),
        "error": jnp.sum(params.frequencies(size) * (1 - right)),
        "known": right[watched],
        "copied_recalled": mean(copied),
        "single_recalled": mean(there & ~copied),
    }


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw keys and values, store, and ask for every fact."""
    size = capacity["facts"]
    facts, there = associative_memory.draw(key, size, params.d), params.there(size)
    weights, stored = params.weights(size), associative_memory.mixed_up(key, there, params.wrong())
    memory = associative_memory.stored(facts, weights, stored)
    given = associative_memory.answers(facts, memory, there)

    def known(rank: Array) -> Scalar:
        fact = jnp.asarray(rank, int) - 1
        return associative_memory.recalled_anew(key, facts, weights, stored, there, fact)

    made = _read(params, (given == jnp.arange(size)) * 1.0)
    made["known"] = jax.vmap(known)(jnp.asarray(params.rank))
    shape = jnp.shape(params.rank)
    return Measures(**{name: jnp.broadcast_to(value, shape) for name, value in made.items()})


def _has_copied(params: Params) -> Any:
    return jnp.sum(params.copied(MOST)) > 0


def _has_single(params: Params) -> Any:
    return jnp.sum(params.there(MOST) & ~params.copied(MOST)) > 0


@record
class Forecast:
    """Means over all facts, over fresh draws, over those with copies and without."""

    recalled: Scalar = predicted(
        statement="mean of (1 - noise) P_i + noise (1 - P_i)/(N - 1),  P_i = E prod_j Phi(s/"
        "sqrt[(c^2 q_j^2 + g b^2)/d]),  q_i = (i^-exponent copies_i)^power",
    )
    error: Scalar = predicted(statement="1 - sum_i p_i [(1 - noise) P_i + noise (1 - P_i)/(N - 1)]")
    known: Scalar = predicted(statement="the same at the watched rank")
    copied_recalled: Scalar = predicted(
        statement="the mean over the copied facts", where=_has_copied
    )
    single_recalled: Scalar = predicted(
        statement="the mean over facts without copies", where=_has_single
    )
    chances: Float[Array, " N"]  # P_i
    off: dict[str, Scalar]  # the same means of what P_i may be off


def _forecast(params: Params, chances: Float[Array, " N"]) -> Forecast:
    """Read the means off the chances that the stored answer is given."""
    share = params.wrong() / params.facts
    right = mixed_up(chances, share, params.facts)
    scale = 0.5 / jnp.asarray(params.d, float) + 0.02
    left = chances * (1 - chances) * scale + 0.001 * chances
    apart = _read(params, 1 - left)  # the error is of what is not right
    off = {k: v if k == "error" else 1 - v for k, v in apart.items()}
    return Forecast(**_read(params, right), chances=chances, off=off)


def forecast(params: Params, world: None) -> Forecast:
    """Evaluate the chance of every fact."""
    return _forecast(params, recalled(params.d, params.weights(MOST), params.there(MOST)))


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Attach what is left out, of order 1/d, and what few points of integration leave: measured."""
    return {name: Bound(made.off[name], True) for name in ALL}


def _alike(params: Params, made: Forecast) -> Forecast:
    """Take crosstalk for independent noise of one size in all scores: q d/sqrt(sum q^2)."""
    q = params.weights(MOST)
    height = q * params.d / jnp.sqrt(jnp.sum(q**2))
    return _forecast(params, jnp.exp((params.facts - 1) * log_ndtr(height)))


def _step(params: Params, made: Forecast) -> Forecast:
    """Take all facts for recalled whose weight exceeds sqrt(2 log N sum q^2)/d."""
    q = params.weights(MOST)
    least = jnp.sqrt(2 * jnp.log(jnp.asarray(params.facts, float)) * jnp.sum(q**2)) / params.d
    return _forecast(params, (q > least) * 1.0)


def _stored_alike(params: Params) -> bool:
    copies = params.repeated_fraction in (0, 1) or params.repeats == 1
    return params.power == 0 or (params.exponent == 0 and copies)


def _capacity(params: Params) -> float:
    """Facts of which half are answered rightly; NaN where they are not stored alike."""
    if not (_stored_alike(params) and params.kept == MOST and params.noise < HALF):
        return float("nan")
    return float(capacity(params.d, HALF / (1 - params.noise)).value)


def _last_rank(params: Params) -> float:
    """Rank that is recalled half of the time; NaN with wrong answers, copies, or none such."""
    steep = params.exponent * params.power
    copies = params.repeated_fraction > 0 and params.repeats > 1
    if steep == 0 or copies or params.noise > 0:
        return float("nan")
    weight = float(half_weight(params.d, params.weights(int(params.facts))).value)
    rank = weight ** (-1 / steep) if weight > 0 else float("nan")
    return rank if 1 <= rank <= min(params.kept, params.facts) else float("nan")


def _rule(params: Params) -> str | None:
    if params.rank > params.facts:
        return f"rank = {params.rank}: there are {params.facts} facts"
    return None


PHENOMENON = Phenomenon(
    name="fact_memory",
    title="Facts in one matrix: copies push each other out, and what is left of the rare",
    claims=(3, 5),
    question="Which facts does a memory of some width recall, and what do copies do to the others?",
    model=(
        "Facts of frequency rank^-exponent, a share of them met `repeats` times as often, are "
        "stored as outer products of random values and keys of d dimensions, weighted by their "
        "counts^power; only the first `kept`. A share `noise` has answers that went round in a "
        "circle. Asked for a fact, the memory answers the value most like what it reads."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=bounds,
    rule=_rule,
    predictions=predictions(
        Forecast,
        scope="d >= 8, any number of facts and any weights",
        order="1/d, and P (1 - P)/50 of integration: measured, docs/finite_size.md",
        source="the memory: Cabannes, Dohmatob, Bietti 2023 (arXiv:2310.02984); the law is "
        "derived here, docs/discrete/fact_memory.md",
        closed=True,
    ),
    mistakes=(
        Mistake(
            name="copies do not count",
            why="a copied fact is thought to be stored like any other",
            against=ALL,
            params=lambda params: {"repeats": 1.0},
        ),
        Mistake(
            name="noise averages out",
            why="wrong answers are thought to be outvoted, though each fact has one answer",
            against=ALL,
            params=lambda params: {"noise": 0.0},
        ),
        Mistake(
            name="crosstalk alike",
            why="what other facts add is taken for independent noise of one size in every score",
            against=ALL,
            forecast=_alike,
        ),
        Mistake(
            name="sharp step",
            why="all above the threshold of a wide memory are thought recalled, none below",
            against=ALL,
            forecast=_step,
        ),
    ),
    breaks=(
        Break(
            name="capacity",
            axis="facts",
            measure="recalled",
            locator=Crossing(level=HALF, direction="down", log_axis=True),
            statement="(1 - noise) P(N) = 1/2 of facts stored alike; d -> infinity: N ln N = d^2/2",
            closed_form=_capacity,
        ),
        Break(
            name="last rank recalled",
            axis="rank",
            measure="known",
            locator=Crossing(level=HALF, direction="down", log_axis=True),
            statement="prod_j Phi(q sqrt(d)/sqrt(q_j^2 + q^2 + sum q^2/d)) = 1/2 at q = "
            "rank^-(exponent power)",
            closed_form=_last_rank,
        ),
        Break(
            name="copies that store a fact",
            axis="repeats",
            measure="copied_recalled",
            locator=Crossing(level=HALF, direction="up", log_axis=True),
        ),
        Break(
            name="copies that push out the rest",
            axis="repeats",
            measure="single_recalled",
            locator=Crossing(level=HALF, direction="down", log_axis=True),
        ),
        Break(
            name="best number to keep",
            axis="kept",
            measure="error",
            locator=Valley(log_axis=True),
        ),
    ),
)
