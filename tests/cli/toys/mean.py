"""The squared error of a sample mean: the smallest phenomenon with every kind of axis."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ci_theory._keys import stream
from ci_theory._record import inner, record, sized, static, traced
from ci_theory._types import Array, Float, Key
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import Bound, Break, Mistake, Phenomenon, Prediction, measured

LEVEL = 0.05


@record
class Params:
    """A mean of n Gaussian rows in d dimensions."""

    n: int = sized(20, low=1, unit="rows", doc="rows averaged")
    d: int = static(8, low=1, unit="dimensions", doc="independent coordinates")
    law: str = static("normal", choices=("normal", "uniform"), doc="law of a row")
    noise: float = inner(1.0, low=0, unit="label²", doc="variance of a row")
    shift: float = traced(0.0, low=-10, high=10, unit="label", doc="true mean")
    biased: bool = traced(False, doc="whether the shift enters the error")


@record
class Measures:
    """Read off one run."""

    error: Float[Array, " m"] = measured(unit="label²", doc="squared error of the mean")


def simulate(key: Key, params: Params, capacity: Mapping[str, int]) -> Measures:
    """Average rows, coordinate by coordinate."""
    shape = (capacity["n"], params.d)
    if params.law == "normal":
        rows = jax.random.normal(stream(key, "rows"), shape)
    else:
        rows = jax.random.uniform(stream(key, "rows"), shape, minval=-(3**0.5), maxval=3**0.5)
    there = (jnp.arange(capacity["n"]) < params.n)[:, None]
    mean = jnp.sum(jnp.where(there, rows, 0.0), axis=0) / params.n
    bias = jnp.where(params.biased, params.shift, 0.0)
    scaled = jnp.sqrt(params.noise)[:, None] * mean[None, :] + bias
    return Measures(error=jnp.mean(scaled**2, axis=1))


class Forecast(NamedTuple):
    """Variance of a mean, plus the squared bias."""

    error: Array
    status: int = 0


def forecast(params: Params, world: None) -> Forecast:
    """Add the variance of a mean and the squared bias."""
    return Forecast(params.noise / params.n + jnp.where(params.biased, params.shift, 0.0) ** 2)


PHENOMENON = Phenomenon(
    name="toys.mean",
    title="The error of a sample mean",
    claims=(25,),
    question="How fast does averaging help?",
    model="n independent rows of variance noise, averaged",
    params=Params,
    measures=Measures,
    simulate=simulate,
    forecast=forecast,
    bounds=lambda params, made: {"error": Bound(0.0, params.n >= 2)},
    predictions=(
        Prediction(
            name="error",
            measure="error",
            statement="noise / n",
            scope="every n; judged from n = 2",
            order="exact",
            source="derived here",
        ),
    ),
    mistakes=(
        Mistake(
            name="halved",
            why="half the variance",
            against=("error",),
            forecast=lambda params, made: made._replace(error=0.5 * made.error),
        ),
        Mistake(
            name="root",
            why="error taken for its square",
            against=("error",),
            forecast=lambda params, made: made._replace(error=jnp.sqrt(made.error)),
        ),
    ),
    breaks=(
        Break(
            name="good_enough",
            axis="n",
            measure="error",
            locator=Crossing(level=LEVEL, log_axis=True),
            statement=f"n = noise / {LEVEL}",
            closed_form=lambda params: params.noise / LEVEL,
        ),
    ),
    rule=lambda params: "biased needs a shift" if params.biased and not params.shift else None,
)
