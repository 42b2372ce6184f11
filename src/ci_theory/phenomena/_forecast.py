"""What a phenomenon's theory says at one point: every prediction, and what mistakes make of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ci_theory._errors import BadInput, Status, unknown
from ci_theory._record import build, flatten
from ci_theory.phenomena._base import Bound, Estimate, Mistake, Phenomenon, Prediction
from ci_theory.phenomena._blame import blamed


def told(
    phenomenon: Phenomenon, params: Any, world: Any, decoys: bool = True
) -> dict[str, tuple[Estimate, dict[str, Any]]]:
    """Evaluate the predictions of a point, and their decoys.

    The mistakes that are another point of the same theory are evaluated side by side with the
    true one, as one program: what it costs to compile does not grow with their number.

    Args:
        phenomenon: the phenomenon.
        params: of one point; numbers may be traced.
        world: what the phenomenon's ``world`` made.
        decoys: whether to evaluate the mistakes.

    Returns:
        prediction name -> the estimate, and the decoy of each mistake against it, by name.

    Raises:
        BadInput: an entry that is missing, or not one number.
    """
    forecast = phenomenon.forecast
    if forecast is None:
        return {}
    mistakes = phenomenon.mistakes if decoys else ()
    made, beside = _side_by_side(phenomenon, params, world, mistakes)
    for mistake in mistakes:
        if mistake.world is not None:
            beside[mistake.name] = forecast(params, mistake.world(params, world))
        if mistake.forecast is not None:
            right = beside.get(mistake.name, made)
            changed = mistake.forecast(params, right)
            if isinstance(changed, Mapping):
                with blamed(phenomenon.name, mistake.forecast):
                    changed = _changed(f"mistake {mistake.name}", right, changed)
            beside[mistake.name] = changed
    bounds = phenomenon.bounds(params, made)
    with blamed(phenomenon.name, phenomenon.bounds):
        for name in bounds:
            if name not in {p.name for p in phenomenon.predictions}:
                raise BadInput(f"bounds speak of {name!r}, which is not predicted")
    found = {}
    for prediction in phenomenon.predictions:
        estimate = _estimate(phenomenon, prediction, params, made, bounds)
        wrong = {}
        for mistake in prediction.decoys:
            if mistake.name in beside:
                where = f"prediction {prediction.name}: decoy {mistake.name}"
                with blamed(phenomenon.name, mistake.forecast or mistake.world or forecast):
                    wrong[mistake.name] = _entry(where, beside[mistake.name], prediction.name)
        found[prediction.name] = estimate, wrong
    return found


def _side_by_side(
    phenomenon: Phenomenon, params: Any, world: Any, mistakes: tuple[Mistake, ...]
) -> tuple[Any, dict[str, Any]]:
    """Evaluate a point beside the points that the mistakes take it for."""
    forecast: Any = phenomenon.forecast
    changes = {m.name: m.params for m in mistakes if m.params is not None}
    others = {name: change(params) for name, change in changes.items()}
    if not others:
        return forecast(params, world), {}
    true = flatten(params)
    words = {name: value for name, value in true.items() if isinstance(value, str)}
    for mistake, values in others.items():
        with blamed(phenomenon.name, changes[mistake]):
            for name in values:
                if name not in true:
                    raise unknown("field", name, true, where=f"mistake {mistake}")
                if name in words:
                    told = f"{name} is a word: only numbers can be changed"
                    raise BadInput(f"mistake {mistake}: {told}")
    every = {
        name: _stacked(value, *(values.get(name, value) for values in others.values()))
        for name, value in true.items()
        if name not in words
    }

    def at(numbers: Mapping[str, Any]) -> Any:
        return forecast(build(type(params), {**numbers, **words}), world)

    made = jax.vmap(at)(every)
    rows = [jax.tree.map(lambda leaf, i=i: leaf[i], made) for i in range(len(others) + 1)]
    return rows[0], dict(zip(others, rows[1:], strict=True))


def _stacked(true: Any, *others: Any) -> Any:
    kind = jnp.result_type(true)
    return jnp.stack([jnp.asarray(value, kind) for value in (true, *others)])


def _estimate(
    phenomenon: Phenomenon,
    prediction: Prediction,
    params: Any,
    made: Any,
    bounds: Mapping[str, Bound],
) -> Estimate:
    where = f"prediction {prediction.name}"
    forecast: Any = phenomenon.forecast
    with blamed(phenomenon.name, forecast):
        value = _entry(where, made, prediction.name)
        solved = int(Status.OK) if prediction.closed else _entry(where, made, prediction.status)
    bound = bounds.get(prediction.name)
    with blamed(phenomenon.name, phenomenon.bounds if bounds else forecast):
        if bound is None and prediction.order != "exact":
            raise BadInput(f"{where} is not exact: bounds must give its slack")
        bound = bound or Bound(0.0, True)
        slack = _number(f"{where}: slack", bound.slack)
        valid = _number(f"{where}: valid", bound.valid)
    speaks = prediction.where(params)
    return Estimate(
        value=jnp.where(speaks, value, jnp.nan),
        slack=slack,
        valid=jnp.logical_and(speaks, valid),
        status=jnp.where(speaks, solved, int(Status.OUT_OF_SCOPE)),
    )


def _changed(where: str, made: Any, changes: Mapping[str, Any]) -> Any:
    """Return a forecast with some entries changed."""
    for name in changes:
        if name not in _entries(made):
            raise unknown("entry of the forecast", name, _entries(made), where=where)
    if dataclasses.is_dataclass(made):
        return dataclasses.replace(made, **changes)  # type: ignore[type-var]
    return made._replace(**changes)


def _entries(made: Any) -> tuple[str, ...]:
    """Return the names of a forecast's entries: of a record or of a named tuple."""
    if dataclasses.is_dataclass(made):
        return tuple(field.name for field in dataclasses.fields(made))
    return getattr(made, "_fields", ())


def _entry(where: str, made: Any, name: str) -> Any:
    if not hasattr(made, name):
        has = ", ".join(_entries(made)) or f"it is a {type(made).__name__}"
        raise BadInput(f"{where}: the forecast has no entry {name} ({has})")
    return _number(f"{where}: {name}", getattr(made, name))


def _number(what: str, value: Any) -> Any:
    """Check, while a forecast is traced, that an entry is one number."""
    if not isinstance(value, bool | int | float | np.generic | np.ndarray | jax.Array):
        raise BadInput(f"{what} is {type(value).__name__}, expected one number")
    if np.shape(value) != ():
        raise BadInput(f"{what} has shape {np.shape(value)}, expected one number")
    if np.iscomplexobj(value):
        raise BadInput(f"{what} is complex, expected one real number")
    return value
