"""What must hold of a phenomenon before anything is done with it, checked when it is made.

A declaration that names what does not exist would otherwise be passed over: a prediction of no
measure is never judged, a break on no axis never located. So whoever writes a phenomenon is told
in one line, at import.
"""

import dataclasses
import inspect
from typing import Any

from ci_theory._errors import BadInput, unknown
from ci_theory._record import Kind, axes_of, build
from ci_theory.claims import CLAIMS

RESERVED = ("status", "replicate", "about", "file", "allow_pickle")
"""Names that datasets and the files of a store use themselves."""


def check(phenomenon: Any) -> None:
    """Check all declarations of a phenomenon.

    Raises:
        BadInput: one line that names the phenomenon, the declaration and what would be right.
    """
    name = phenomenon.name
    if not (isinstance(name, str) and name):
        raise BadInput(f"a phenomenon's name is {name!r}: must be a text")
    try:
        _fields(phenomenon)
        _predictions(phenomenon)
        _mistakes(phenomenon)
        _breaks(phenomenon)
        _simulation(phenomenon)
        _rule(phenomenon)
    except BadInput as problem:
        raise BadInput(f"phenomenon '{name}': {problem}") from None


def _fields(phenomenon: Any) -> None:
    """Check claims, parameters and measures."""
    for claim in phenomenon.claims:
        if claim not in range(1, len(CLAIMS) + 1) or isinstance(claim, bool):
            raise BadInput(f"claim {claim!r}: must be a number in 1..{len(CLAIMS)}")
    axes = axes_of(phenomenon.params)
    for name in axes:
        if name in RESERVED:
            raise BadInput(f"field {name} needs another name: {', '.join(RESERVED)} are taken")
    if not dataclasses.is_dataclass(phenomenon.measures):
        raise BadInput("its measures are not a record")
    fields = dataclasses.fields(phenomenon.measures)
    if not fields:
        raise BadInput("it has no measures")
    for field in fields:
        if not (_text(field.metadata.get("unit")) and _text(field.metadata.get("doc"))):
            raise BadInput(f"measure {field.name}: expected measured(unit=..., doc=...) in words")
        if field.name in axes or field.name in RESERVED:
            taken = "a field's" if field.name in axes else "reserved"
            raise BadInput(f"measure {field.name} needs another name: this one is {taken}")


def _predictions(phenomenon: Any) -> None:
    measures = [f.name for f in dataclasses.fields(phenomenon.measures)]
    _different("prediction", phenomenon.predictions)
    for prediction in phenomenon.predictions:
        where = f"prediction {prediction.name}"
        if not prediction.name.isidentifier():
            raise BadInput(f"{where}: its name is that of an entry of the forecast, one word")
        if prediction.measure not in measures:
            raise unknown("measure", str(prediction.measure), measures, where=where)
        for part in ("statement", "scope", "order", "source"):
            if not _text(getattr(prediction, part)):
                raise BadInput(f"{where}: {part} says nothing")
        _called(f"{where}: where", prediction.where, "params")


def _mistakes(phenomenon: Any) -> None:
    predictions = [p.name for p in phenomenon.predictions]
    _different("mistake", phenomenon.mistakes)
    for mistake in phenomenon.mistakes:
        where = f"mistake {mistake.name}"
        if not _text(mistake.why):
            raise BadInput(f"{where}: why says nothing")
        if not isinstance(mistake.against, tuple) or not mistake.against:
            raise BadInput(f"{where}: against must be a tuple of predictions, like (one,)")
        for name in mistake.against:
            if name not in predictions:
                raise unknown("prediction", str(name), predictions, where=f"{where}: against")
        arguments = {"params": "params", "world": "params, world", "forecast": "params, made"}
        changes = {k: getattr(mistake, k) for k in arguments if getattr(mistake, k) is not None}
        if not changes or {"params", "world"} <= changes.keys():
            given = " and ".join(changes) or "nothing"
            raise BadInput(f"{where} changes {given}: expected params or world, forecast, or both")
        for kind, change in changes.items():
            _called(f"{where}: {kind}", change, arguments[kind])


def _breaks(phenomenon: Any) -> None:
    axes = axes_of(phenomenon.params)
    measures = [f.name for f in dataclasses.fields(phenomenon.measures)]
    _different("break", phenomenon.breaks)
    for sought in phenomenon.breaks:
        where = f"break {sought.name}"
        if sought.axis not in axes:
            raise unknown("axis", str(sought.axis), axes, where=where)
        if axes[sought.axis].type not in (int, float):
            raise BadInput(f"{where}: axis {sought.axis} is no number, so nothing breaks along it")
        if sought.measure not in measures:
            raise unknown("measure", str(sought.measure), measures, where=where)
        if not isinstance(sought.last, tuple):
            raise BadInput(f"{where}: last = {sought.last!r}: must be a tuple of axes")
        for name in sought.last:
            if name not in axes or name == sought.axis:
                others = [k for k in axes if k != sought.axis]
                raise unknown("axis", str(name), others, where=f"{where}: last")
        _called(f"{where}: locate", getattr(sought.locator, "locate", None), "x, y")
        if not isinstance(getattr(sought.locator, "confidence", None), float):
            raise BadInput(f"{where}: its locator has no field confidence, the level of intervals")
        if not isinstance(getattr(sought.locator, "singly", None), bool):
            raise BadInput(f"{where}: its locator does not say whether runs break singly")
        _called(f"{where}: matching", getattr(sought.locator, "matching", None), "found")
        _called(f"{where}: undivided", getattr(sought.locator, "undivided", None), "x, y")
        if sought.closed_form is not None:
            _called(f"{where}: closed_form", sought.closed_form.form, "params")


def _simulation(phenomenon: Any) -> None:
    _called("simulate", phenomenon.simulate, "key, params, capacity")
    _called("world", phenomenon.world, "params")
    if phenomenon.forecast is not None:
        _called("forecast", phenomenon.forecast, "params, world")
    elif phenomenon.predictions:
        raise BadInput("it predicts, but has no forecast(params, world) to read them off")
    _called("bounds", phenomenon.bounds, "params, made")
    _called("rule", phenomenon.rule, "params")
    stages = phenomenon.stages
    if stages is None:
        return
    counts = [k for k, a in phenomenon.axes.items() if a.kind is Kind.INNER and a.type is int]
    if stages.axis not in counts:
        raise unknown("whole-number inner field", str(stages.axis), counts, where="stages")
    _called("stages: begin", stages.begin, "key, params, capacity")
    _called("stages: advance", stages.advance, "key, params, capacity, state, since, until")
    _called("stages: finish", stages.finish, "key, params, capacity, state")


def _rule(phenomenon: Any) -> None:
    """Ask the rule about the defaults: it answers with a line or with None, and never raises."""
    defaults = {name: axis.convert(axis.default) for name, axis in phenomenon.axes.items()}
    try:
        answer = phenomenon.problem(build(phenomenon.params, defaults))
    except Exception as problem:
        kind = type(problem).__name__
        raise BadInput(f"rule raises {kind} at the defaults ({problem}): return the line") from None
    if not (answer is None or isinstance(answer, str)):
        raise BadInput(f"rule returns {answer!r} at the defaults: must be one line, or None")


def _different(kind: str, named: Any) -> None:
    """Check that declarations are in a tuple, and that no two have one name."""
    if not isinstance(named, tuple):
        raise BadInput(f"{kind}s: expected a tuple, like (one,)")
    names = [one.name for one in named]
    for name in names:
        if not _text(name):
            raise BadInput(f"a {kind}'s name is {name!r}: must be a text")
        if names.count(name) > 1:
            raise BadInput(f"{kind} {name} is there twice: give it another name")


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _called(what: str, function: Any, arguments: str) -> None:
    """Check that a function can be called with as many arguments as it will be called with."""
    if not callable(function):
        raise BadInput(f"{what}: must be a function of ({arguments})")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions made in C do not tell
        return
    try:
        signature.bind(*arguments.split(", "))
    except TypeError as problem:
        raise BadInput(f"{what}{signature} is called with ({arguments}): {problem}") from None
