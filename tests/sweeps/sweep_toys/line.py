"""A cheap phenomenon with every kind of field: the mean of noisy points on a line."""

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, part, record, sized, static, traced
from ci_theory._types import Array, Float
from ci_theory.phenomena import Phenomenon, measured


@record
class Upstream:
    noise: float = traced(0.5, low=0, unit="label²", doc="upstream noise")
    rows: int = sized(4, low=1, unit="rows", doc="upstream rows")


@record
class Params:
    n: int = sized(20, low=1, unit="rows", doc="rows")
    p: int = static(3, low=1, unit="parameters", doc="columns")
    shape: str = static("flat", choices=("flat", "steep"), doc="form of the line")
    slope: float = traced(1.0, unit="label", doc="slope")
    mirrored: bool = traced(False, doc="change the sign")
    ridge: float = inner(0.1, low=0, unit="1", doc="shrinkage")
    degree: int = inner(1, low=0, unit="1", doc="power of the shrinkage")
    up: Upstream = part(Upstream)


@record
class Measures:
    mean: Float[Array, " m"] = measured(unit="label", doc="shrunken mean")
    spread: Float[Array, " m"] = measured(unit="label²", doc="variance of the points")


def simulate(key, params, capacity):
    n = capacity["n"]
    here = (jnp.arange(n) < params.n).astype(float)
    steep = 2.0 if params.shape == "steep" else 1.0
    x = jax.random.normal(stream(key, "x"), (n, params.p)).mean(1)
    early = jnp.arange(capacity["up.rows"]) < params.up.rows
    shift = jnp.sum(jnp.where(early, params.up.noise, 0.0)) / params.up.rows
    y = steep * params.slope * x + shift
    y = jnp.where(params.mirrored, -y, y)
    mean = jnp.sum(here * y) / params.n
    spread = jnp.sum(here * (y - mean) ** 2) / params.n
    shrink = 1.0 / (1.0 + params.ridge) ** params.degree
    return Measures(mean=mean * shrink, spread=spread + 0.0 * shrink)


def rule(params):
    if params.shape == "steep" and params.p > 50:
        return "a steep line has at most 50 columns"
    return None


PHENOMENON = Phenomenon(
    name="line",
    title="Mean of noisy points on a line",
    claims=(),
    question="Does the sweep engine work?",
    model="y = slope x",
    params=Params,
    measures=Measures,
    simulate=simulate,
    predictions=(),
    rule=rule,
)
