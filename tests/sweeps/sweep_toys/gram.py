"""A phenomenon without inner fields, whose cost grows with the square of n."""

import jax
import jax.numpy as jnp

from ci_theory._record import record, sized, traced
from ci_theory._types import Array, Float
from ci_theory.phenomena import Phenomenon, measured


@record
class Params:
    n: int = sized(20, low=1, unit="rows", doc="rows")
    fail_above: float = traced(1e9, doc="give NaN at values beyond it")


@record
class Measures:
    size: Float[Array, ""] = measured(unit="1", doc="mean entry of the Gram matrix")


def simulate(key, params, capacity):
    n = capacity["n"]
    here = (jnp.arange(n) < params.n).astype(float)
    x = jax.random.uniform(key, (n, 8)) * here[:, None]
    size = jnp.sum(jnp.abs(x @ x.T)) / params.n**2
    return Measures(size=jnp.where(size > params.fail_above, jnp.nan, size))


PHENOMENON = Phenomenon(
    name="gram",
    title="Mean entry of a Gram matrix",
    claims=(),
    question="Does the sweep engine work?",
    model="x x'",
    params=Params,
    measures=Measures,
    simulate=simulate,
    predictions=(),
)
