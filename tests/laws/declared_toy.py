"""A toy that declares something of every kind: for the tests of declarations and predictions."""

import dataclasses
import functools

from ci_theory._record import inner, part, record, sized, static, traced
from ci_theory.locate import Peak
from ci_theory.phenomena import Break, Decoy, Estimate, Phenomenon, Prediction, Stages, measured


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


DECOY = Decoy(name="doubled", why="twice", evaluate=lambda params, world: 2.0 * params.noise)
PREDICTION = Prediction(
    name="error",
    measure="error",
    evaluate=lambda params, world: Estimate(params.noise / params.n, 0.0, True, 0),
    statement="noise / n",
    scope="everywhere",
    order="exact",
    source="derived here",
    decoys=(DECOY,),
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
    predictions=(PREDICTION,),
    breaks=(BREAK,),
    stages=STAGES,
)
changed = functools.partial(dataclasses.replace, TOY)


def made(**change):
    return changed(predictions=(dataclasses.replace(PREDICTION, **change),))
