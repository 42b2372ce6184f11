"""Unknown Markov chains: a pool of them is known by heart, or their steps are counted."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static
from ci_theory._types import Array, Float, Key, Scalar
from ci_theory.biases import repetition
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena._base import Bound, Break, Mistake, Phenomenon, measured
from ci_theory.phenomena._mistakes import copies_are_fresh
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._programs import quickly
from ci_theory.systems import sequence_guesses as guesses
from ci_theory.tasks import markov, zipf
from ci_theory.theory.sequences import kinds as counted
from ci_theory.theory.sequences import pool_order
from ci_theory.theory.sequences.dirichlet import RowNodes, row_nodes
from ci_theory.theory.sequences.finite_pool import FEWEST, Pool, pool_losses
from ci_theory.theory.sequences.levels import Levels, levels, rough_levels

SEQUENCES = 512  # of the pool's chains, and as many of new ones, that a run draws
LONGEST = 16  # steps up to which a pool of any size is worked out
CROWDED = 0.1  # overlaps over chains: beyond it the orders in 1/k are no guide
LEVEL = 0.05  # nats a sequence: new chains cost so little more
UNIFORM = 1.0  # parameter of the Dirichlet law of the rows
EXACT = ("gain", "harm", "pool_loss", "fresh_loss")
ORDERS = ("ordered_gain", "ordered_harm")


@record
class Params(repetition.Repetition):
    """Chains of which a pool is known by heart, and sequences of them and of new ones."""

    ROWS: ClassVar[str] = "pool"

    pool: int = sized(32, low=4, unit="chains", doc="chains of the pool, copies included")
    states: int = static(2, low=2, high=4, unit="states", doc="states of a chain")
    length: int = static(8, low=1, high=64, unit="steps", doc="steps of a sequence")
    noise: float = inner(
        0.1, low=0, high=1, unit="1", doc="share of the steps, where the pool was learnt, at random"
    )


@record
class Measures:
    """Means over the sequences of a run, of the pool's chains and of new ones if none is told."""

    pool_loss: Float[Array, " m"] = measured(
        unit="nats/step", doc="of who knows the pool, on its chains as often as they come"
    )
    fresh_loss: Float[Array, " m"] = measured(
        unit="nats/step", doc="of who knows the pool, on new chains"
    )
    counting_loss: Float[Array, " m"] = measured(unit="nats/step", doc="of who counts steps")
    unigram_loss: Float[Array, " m"] = measured(unit="nats/step", doc="of who counts states")
    known_loss: Float[Array, " m"] = measured(unit="nats/step", doc="of who knows the chain")
    gain: Float[Array, " m"] = measured(
        unit="nats", doc="what knowing the pool saves beside counting, a sequence of its chains"
    )
    harm: Float[Array, " m"] = measured(
        unit="nats", doc="what knowing the pool costs beside counting, a sequence of a new chain"
    )


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Draw a pool and new chains, walk along both, and guess every state in every way."""
    size, noise = capacity["pool"], jnp.asarray(params.noise)
    known = markov.rows(stream(key, "pool"), size, params.states)
    shares = repetition.weights(params.split(), size) / params.pool
    which = zipf.draws(stream(key, "which"), shares, SEQUENCES)
    fresh = markov.rows(stream(key, "fresh"), SEQUENCES, params.states)
    chains = jnp.concatenate([known[which], fresh])
    walks = markov.walk(key, chains, params.length)
    told = guesses.counting(walks.states, params.states, UNIFORM)
    by_steps = jnp.sum(jnp.log(told.by_steps), axis=1)
    by_states = jnp.sum(jnp.log(told.by_states), axis=1)
    true = jnp.sum(walks.counts * jnp.log(chains), axis=(1, 2))

    def by_pool(level: Array) -> Array:
        return guesses.pool_score(walks.counts, markov.mislearnt(known, level), shares)

    heart = jax.lax.map(by_pool, noise)  # (m, 2 SEQUENCES)
    ours, new = heart[:, :SEQUENCES], heart[:, SEQUENCES:]

    def loss(score: Array) -> Array:
        return jnp.broadcast_to(-jnp.mean(score, axis=-1) / params.length, noise.shape)

    return Measures(
        pool_loss=loss(ours),
        fresh_loss=loss(new),
        counting_loss=loss(by_steps),
        unigram_loss=loss(by_states),
        known_loss=loss(true),
        gain=jnp.mean(ours - by_steps[None, :SEQUENCES], axis=1),
        harm=jnp.mean(by_steps[None, SEQUENCES:] - new, axis=1),
    )


def _rule(params: Params) -> str | None:
    return counted.problem(params.states, params.length)


def _pool(params: Params) -> Pool:
    """Return the pool by its copies."""
    return Pool(*params.split())


class World(NamedTuple):
    """Kinds of sequences, rules for a row (for moments, for pools), and levels, also rough ones."""

    kinds: counted.Kinds
    moments: RowNodes
    rule: RowNodes | None
    levels: Levels
    rough: Levels


def world(params: Params) -> World:
    """Count the sequences."""
    states, n = params.states, params.length
    return World(
        counted.kinds(states, n),
        _moments(params),
        row_nodes(2, UNIFORM, n + 14) if _short(params) else None,
        levels(states, n, UNIFORM),
        rough_levels(states, n, UNIFORM),
    )


def _moments(params: Params) -> RowNodes:
    return row_nodes(params.states, UNIFORM, int(2.4 * params.length) + 10)


def _short(params: Params) -> Any:
    return (params.states == 2) & (params.length <= LONGEST)


def _any_size(params: Params) -> Any:
    return jnp.logical_and(_short(params), _pool(params).shares(2) <= 1 / FEWEST)


_INTEGRAL: dict[str, Any] = {
    "scope": f"two states, up to {LONGEST} steps, effectively {FEWEST:.0f} chains or more",
    "where": _any_size,
}
_ORDERS: dict[str, Any] = {
    "scope": f"elsewhere; judged up to an overlap of two chains of {CROWDED} effective chains",
    "order": "1/pool^3: two orders are told",
    "where": lambda params: jnp.logical_not(_any_size(params)),
}


@record
class Forecast:
    """Losses of every way to guess; the pool's at any size, and to two orders."""

    gain: Scalar = predicted(
        statement="int [E p e^(-w t q/e)/m prod' phi(w_j t) - e^-t] dt/t - C,  "
        "phi(t) = E e^(-t q/e),  q = (1 - noise) p + noise/states",
        **_INTEGRAL,
    )
    harm: Scalar = predicted(statement="C - int [e^-t - prod phi(w_j t)] dt/t", **_INTEGRAL)
    pool_loss: Scalar = predicted(statement="counting_loss - gain/length", **_INTEGRAL)
    fresh_loss: Scalar = predicted(statement="counting_loss + harm/length", **_INTEGRAL)
    ordered_gain: Scalar = predicted(
        "gain",
        statement="W (A - B/2) - C + order W^2,  W = sum w^2, C = E ln m/e, "
        "A = E pq/(m e) - 1, B = E q^2/e^2 - 1",
        **_ORDERS,
    )
    ordered_harm: Scalar = predicted("harm", statement="C + W B/2 + order W^2", **_ORDERS)
    counting_loss: Scalar = predicted(statement="-(1/n) sum_x m ln m,  m = prod_i Dir(c_i)")
    unigram_loss: Scalar = predicted(
        statement="-(1/n) sum_x m ln prod_t (c + 1)/(t + 1 + states)",
        source="the baseline of Edelman et al. 2024 (arXiv:2402.11004); the sum here",
    )
    known_loss: Scalar = predicted(
        statement="-(1/n) sum_x m sum_ij c_ij [psi(c_ij + 1) - psi(n_i + states)]"
    )
    made: pool_order.Overlaps
    rough: Levels


def forecast(params: Params, world: World) -> Forecast:
    """Sum over kinds of sequences."""
    pool, level = _pool(params), world.levels
    made = pool_order.overlaps(world.kinds, world.moments, params.noise)
    first, second = pool_order.first_order(made, pool), pool_order.next_order(made, pool)
    trained = fresh = jnp.asarray(jnp.nan)
    if world.rule is not None:
        trained, fresh = pool_losses(world.kinds, world.rule, pool, params.noise)
    return Forecast(
        gain=-trained,
        harm=fresh,
        pool_loss=level.counting + trained / params.length,
        fresh_loss=level.counting + fresh / params.length,
        ordered_gain=-first.trained - second.trained,
        ordered_harm=first.fresh + second.fresh,
        **{f"{name}_loss": jnp.asarray(value) for name, value in level._asdict().items()},
        made=made,
        rough=world.rough,
    )


def bounds(params: Params, made: Forecast) -> dict[str, Bound]:
    """Bound the third order by the terms of the second."""
    room = pool_order.further_orders(made.made, _pool(params))
    valid = pool_order.crowding(made.made, _pool(params)) <= CROWDED
    return {"ordered_gain": Bound(room.trained, valid), "ordered_harm": Bound(room.fresh, valid)}


def _beside(params: Params, made: Forecast, gain: Any, harm: Any) -> dict[str, Any]:
    """Return all that is said of a pool that saves and costs so much beside counting."""
    return {
        "gain": gain,
        "harm": harm,
        "pool_loss": made.counting_loss - gain / params.length,
        "fresh_loss": made.counting_loss + harm / params.length,
        "ordered_gain": gain,
        "ordered_harm": harm,
    }


def _named(params: Params, made: Forecast) -> dict[str, Any]:
    """Pay ln k for the name of the chain, and nothing for the chain."""
    price = params.length * (made.counting_loss - made.known_loss)
    return _beside(params, made, price - jnp.log(params.distinct()), made.harm)


def _chains(params: Params, which: int) -> float:
    """Return how many chains, copies included, are enough; NaN if none are."""
    made = counted.kinds(params.states, params.length)
    effective = float(_effective(made, _moments(params), params.noise)[which])
    heavier = 1 + params.repeated_fraction * (params.repeats - 1)
    return heavier * effective if math.isfinite(effective) else math.nan


@quickly
def _effective(made: counted.Kinds, moments: RowNodes, noise: Any) -> tuple[Scalar, Scalar]:
    """Return the effective numbers of chains from which on counting wins, and little is lost."""
    at = pool_order.overlaps(made, moments, noise)
    return pool_order.winning_pool(at), pool_order.harmless_pool(at, LEVEL)


PHENOMENON = Phenomenon(
    name="markov_icl",
    title="Chains known by heart, or learnt in context by counting",
    claims=(12,),
    question="From how many chains on is it better to count than to know them?",
    model=(
        "Markov chains with uniform rows. Of a pool of them, some of which come several times, "
        "each is known but for `noise`: a share of the steps it was learnt from led anywhere. "
        "Sequences of `length` steps are clean, of the pool's chains or of new ones. Who knows "
        "the pool guesses with its exact posterior; who counts, with the counts of steps so far "
        "plus one."
    ),
    params=Params,
    measures=Measures,
    simulate=simulate,
    world=world,
    rule=_rule,
    forecast=forecast,
    bounds=bounds,
    predictions=predictions(
        Forecast,
        scope="everywhere",
        order="exact",
        source="derived here, docs/sequences/markov_icl.md",
        closed=True,
    ),
    mistakes=(
        copies_are_fresh(*EXACT, *ORDERS),
        Mistake(
            name="steps are right",
            why="the wrong steps that the pool was learnt from are overlooked",
            against=(*EXACT, *ORDERS),
            params=lambda params: {"noise": 0.0},
        ),
        Mistake(
            name="pool is endless",
            why="every sequence is thought to be of a chain of its own",
            against=(*EXACT, *ORDERS),
            forecast=lambda params, made: _beside(params, made, -made.made.cost, made.made.cost),
        ),
        Mistake(
            name="a chain costs its name",
            why="to tell one of k chains is thought to cost ln k: true of few and long sequences",
            against=("gain", "pool_loss", "ordered_gain"),
            forecast=_named,
        ),
        Mistake(
            name="time does not matter",
            why="states are taken for independent, visits for even, all states for met alike",
            against=("unigram_loss", "counting_loss", "known_loss"),
            forecast=lambda params, made: {f"{k}_loss": v for k, v in made.rough._asdict().items()},
        ),
    ),
    breaks=(
        Break(
            name="counting wins",
            axis="pool",
            measure="gain",
            locator=Crossing(level=0.0, direction="down", log_axis=True),
            statement="pool = (A - B/2)/C (1 + repeated_fraction (repeats - 1)), for many chains",
            closed_form=lambda params: _chains(params, 0),
        ),
        Break(
            name="new chains cost little",
            axis="pool",
            measure="harm",
            locator=Crossing(level=LEVEL, direction="down", log_axis=True),
            statement=f"pool = B/2({LEVEL} - C) (1 + repeated_fraction (repeats - 1)), for many "
            "chains; two states, no noise: B -> 0.2916 length",
            closed_form=lambda params: _chains(params, 1),
        ),
    ),
)
