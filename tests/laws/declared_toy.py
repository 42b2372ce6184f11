"""A toy that declares something of every kind: for the tests of declarations and predictions."""

import dataclasses
import functools
from typing import Any, NamedTuple

from ci_theory._record import inner, part, record, sized, static, traced
from ci_theory.locate import Peak
from ci_theory.phenomena import Break, Mistake, Phenomenon, Prediction, Stages, measured


@record
class Up:
    noise: float = traced(0.5, low=0, doc="upstream noise")


@record
class Params:
    n: int = sized(10, low=1, doc="rows")
    p: int = static(3, low=1, doc="columns")
    kind: str = static("a", choices=("a", "b"), doc="a word")
    step: int = inner(5, low=0, doc="steps")
    time: float = inner(1.0, above=0, high=9, doc="time")
    noise: float = traced(0.1, low=0, doc="noise")
    up: Up = part(Up)


@record
class Measures:
    error: float = measured(unit="1", doc="an error")
    kept: float = measured(unit="1", doc="what is kept")


class Forecast(NamedTuple):
    error: Any
    status: Any = 0


def forecast(params, world):
    return Forecast(params.noise / params.n)


MISTAKE = Mistake(
    name="doubled",
    why="twice",
    against=("error",),
    forecast=lambda params, made: made._replace(error=2.0 * params.noise),
)
PREDICTION = Prediction(
    name="error",
    measure="error",
    statement="noise / n",
    scope="everywhere",
    order="exact",
    source="derived here",
)
BREAK = Break(
    name="peak",
    axis="n",
    measure="error",
    locator=Peak(),
    closed_form=lambda params: float(params.p),
    last=("time",),
)
STAGES = Stages(
    axis="step",
    begin=lambda key, params, capacity: None,
    advance=lambda key, params, capacity, state, since, until: state,
    finish=lambda key, params, capacity, state: None,
)
TOY = Phenomenon(
    name="a toy",
    title="A toy",
    claims=(1,),
    question="Is it checked?",
    model="noise / n",
    params=Params,
    measures=Measures,
    simulate=lambda key, params, capacity: None,
    forecast=forecast,
    predictions=(PREDICTION,),
    mistakes=(MISTAKE,),
    breaks=(BREAK,),
    stages=STAGES,
)
changed = functools.partial(dataclasses.replace, TOY)


def made(**change):
    return changed(predictions=(dataclasses.replace(PREDICTION, **change),))


def mistaken(**change):
    return changed(mistakes=(dataclasses.replace(MISTAKE, **change),))
