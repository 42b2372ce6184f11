"""A phenomenon in stages: a chaotic map, in which one wrong bit shows after a few dozen steps."""

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, record, traced
from ci_theory._types import Array, Float
from ci_theory.phenomena import Phenomenon, Stages, measured


@record
class Params:
    rate: float = traced(3.9, low=0, high=4, unit="1", doc="growth")
    step: int = inner(100, low=0, unit="steps", doc="iterations")


@record
class Measures:
    place: Float[Array, " m"] = measured(unit="1", doc="where the walk is")


def begin(key, params, capacity):
    place = jax.random.uniform(stream(key, "place"))
    return place, jnp.zeros(params.step.shape)


def advance(key, params, capacity, state, since, until):
    def step(index, carry):
        place, rows = carry
        place = params.rate * place * (1 - place)
        return place, jnp.where(params.step == index + 1, place, rows)

    place, rows = state
    rows = jnp.where(params.step == since, place, rows)
    return jax.lax.fori_loop(since, until, step, (place, rows))


def finish(key, params, capacity, state):
    return Measures(place=state[1])


STAGES = Stages(axis="step", begin=begin, advance=advance, finish=finish)


def simulate(key, params, capacity):
    return STAGES.whole(key, params, capacity)


PHENOMENON = Phenomenon(
    name="walk",
    title="A chaotic walk",
    claims=(),
    question="Does a simulation in stages keep its bits?",
    model="x -> r x (1 - x)",
    params=Params,
    measures=Measures,
    simulate=simulate,
    stages=STAGES,
    predictions=(),
)
