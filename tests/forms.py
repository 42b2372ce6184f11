"""Predictions written one by one, as the tests of checks and figures want them."""

import dataclasses
from collections import namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from ci_theory.phenomena import Bound, Estimate, Mistake, Phenomenon, Prediction


class Form(NamedTuple):
    """A prediction, ``evaluate(params, world) -> Estimate``, and decoys: name -> the value."""

    prediction: Prediction
    evaluate: Callable[[Any, Any], Estimate]
    decoys: dict[str, Callable[[Any, Any], Any]]


def form(measure: str, evaluate: Any, name: str = "", **decoys: Any) -> Form:
    """Make a prediction that is exact as far as its words say."""
    words = dict.fromkeys(("statement", "scope", "source"), "as written")
    prediction = Prediction(name=name or measure, measure=measure, order="exact", **words)
    return Form(prediction, evaluate, decoys)


def formed(phenomenon: Phenomenon, *forms: Form) -> Phenomenon:
    """Let a phenomenon predict these, and nothing else."""
    if not forms:
        return dataclasses.replace(phenomenon, forecast=None, predictions=(), mistakes=())
    names = [f.prediction.name for f in forms]
    entries = namedtuple("entries", [*names, "status"])

    def forecast(params: Any, world: Any) -> Any:
        made = [f.evaluate(params, world) for f in forms]
        status = jnp.max(jnp.stack([jnp.asarray(e.status) for e in made]))
        return entries(*(e.value for e in made), status)

    def bounds(params: Any, made: Any) -> dict[str, Bound]:
        found = {f.prediction.name: f.evaluate(params, None) for f in forms}
        return {name: Bound(e.slack, e.valid) for name, e in found.items()}

    def mistake(one: Form, name: str) -> Mistake:
        entry, wrong = one.prediction.name, one.decoys[name]
        return Mistake(
            name=name,
            why="wrong on purpose",
            against=(entry,),
            forecast=lambda params, made: made._replace(**{entry: wrong(params, None)}),
        )

    return dataclasses.replace(
        phenomenon,
        forecast=forecast,
        bounds=bounds,
        predictions=tuple(f.prediction for f in forms),
        mistakes=tuple(mistake(f, name) for f in forms for name in f.decoys),
    )
