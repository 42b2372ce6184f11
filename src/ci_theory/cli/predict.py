"""`ci-theory predict`: the closed forms at a point, or over ranges."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ci_theory import phenomena
from ci_theory._errors import MESSAGES, BadInput, Status, unknown
from ci_theory._record import build
from ci_theory.cli.output import number, plain, print_lines, print_table, say
from ci_theory.phenomena import Break, Phenomenon
from ci_theory.phenomena._speaking import speaking, spoken
from ci_theory.sweeps.grid import parse_value, values_for

MOST_POINTS = 100_000
"""Points that one `predict` evaluates at most: some ten seconds."""


FEWEST_PLACES = 5
"""Points along an axis from which a break is looked for in the predicted curve."""


def document(phenomenon: Phenomenon, words: Mapping[str, str]) -> dict[str, Any]:
    """Evaluate the predictions of a phenomenon.

    Args:
        phenomenon: the phenomenon.
        words: dotted name -> a value, a list or a range, as text.

    Returns:
        {"phenomenon", "params", "observables", "break_point"}, and "axes" if there are ranges.
        Entries of "observables" are {"value", "valid", "status"}: single ones at a point; arrays
        over ranges, nested in the order of "axes", the order in which the ranges were given.

    Raises:
        BadInput: unknown names, bad values, or more points than ``MOST_POINTS``.
    """
    axes = phenomenon.axes
    ranges: dict[str, tuple] = {}
    fixed: dict[str, Any] = {}
    for key, text in words.items():
        if key not in axes:
            raise unknown("axis", key, axes, where=phenomenon.name)
        value = parse_value(text, axes[key])
        if isinstance(value, tuple):
            ranges[key] = values_for(axes[key], value)
        else:
            fixed[key] = values_for(axes[key], (value,))[0]
    shape = tuple(len(values) for values in ranges.values())
    if math.prod(shape) > MOST_POINTS:
        sizes = " x ".join(map(str, shape))
        raise BadInput(
            f"predict {phenomenon.name}: {sizes} = {math.prod(shape):.3g} points; "
            f"at most {MOST_POINTS}"
        )
    rows = list(itertools.product(*ranges.values()))
    varied = {key: [row[i] for row in rows] for i, key in enumerate(ranges)}
    point = phenomenon.point({**fixed, **{key: values[0] for key, values in ranges.items()}})

    made: dict[str, Any] = {"phenomenon": phenomenon.name}
    if ranges:
        made["axes"] = list(ranges)
    made["params"] = {**point, **ranges}
    found = phenomena.predict(phenomenon, {**fixed, **varied}, decoys=False)
    made["observables"] = {
        key: {
            "value": one.estimate.value.reshape(shape),
            "valid": one.estimate.valid.reshape(shape),
            "status": np.array([Status(s).name for s in one.estimate.status]).reshape(shape),
        }
        for key, one in found.items()
    }
    places = {}
    for b in phenomenon.breaks:
        place: dict[str, Any] = {"axis": b.axis}
        if b.closed_form is not None:
            place["value"] = _closed_form(phenomenon, b, point, varied, shape)
        if list(ranges) == [b.axis]:
            place.update(_located(b, ranges[b.axis], found))
        if len(place) > 1:
            places[b.name] = place
    if places:
        made["break_point"] = places
    return plain(made)


def _closed_form(
    phenomenon: Phenomenon,
    sought: Break,
    point: Mapping[str, Any],
    varied: Mapping[str, list],
    shape: tuple[int, ...],
) -> np.ndarray:
    """Evaluate the closed form of a break at every point."""
    assert sought.closed_form is not None
    rows = zip(*varied.values(), strict=True) if varied else [()]
    points = ({**point, **dict(zip(varied, row, strict=True))} for row in rows)
    places = [sought.closed_form(build(phenomenon.params, full)) for full in points]
    return np.array(places, float).reshape(shape)


def _located(sought: Break, axis: tuple, found: Mapping[str, Any]) -> dict[str, Any]:
    """Locate a break in the predicted curve, by the code that locates it in a simulated one."""
    about = [one for one in found.values() if one.prediction.measure == sought.measure]
    curves = [spoken(one.estimate) for one in about]
    speaks = speaking(curves)
    if speaks is None or len(axis) < FEWEST_PLACES:
        return {}
    place = sought.locator.locate(np.array(axis, float), curves[speaks])
    name = about[speaks].prediction.name
    return {"located": {"value": place.value, "status": Status(place.status), "prediction": name}}


def print_prediction(made: Mapping[str, Any], phenomenon: Phenomenon) -> None:
    """Print a prediction: lines at a point, a table over ranges."""
    axes, units = phenomenon.axes, phenomenon.measure_info
    ranged = made.get("axes", [])
    fixed = {k: v for k, v in made["params"].items() if k not in ranged}
    say(f"{made['phenomenon']}: {phenomenon.title}")
    print_lines((k, f"{number(v)} {axes[k].unit}".rstrip()) for k, v in fixed.items())
    say()
    measures = {p.name: p.measure for p in phenomenon.predictions}
    if not made["observables"]:
        say("  nothing is predicted: see `ci-theory show`")
        return
    if not ranged:
        print_table(
            ["prediction", "value", "unit", "status"],
            [
                [
                    name,
                    number(o["value"]),
                    units[measures[name]][0] or "-",
                    _remark(o["valid"], o["status"]),
                ]
                for name, o in made["observables"].items()
            ],
            right=["value"],
        )
        for name, place in made.get("break_point", {}).items():
            say(f"  {name} ({place['axis']}): {number(place['value'])}")
        return
    rows = itertools.product(*(made["params"][k] for k in ranged))
    columns = {
        name: list(zip(*(np.ravel(o[k]) for k in ("value", "valid", "status")), strict=True))
        for name, o in made["observables"].items()
    }
    places = {
        f"{name} ({place['axis']})": np.ravel(np.array(place["value"], float))
        for name, place in made.get("break_point", {}).items()
        if "value" in place
    }
    same = {name: p[0] for name, p in places.items() if len(set(p.tolist())) == 1}
    places = {name: p for name, p in places.items() if name not in same}
    headers = [*ranged, *columns, *places]
    print_table(
        headers,
        [
            [
                *map(number, row),
                *(_cell(*column[i]) for column in columns.values()),
                *(number(p[i]) for p in places.values()),
            ]
            for i, row in enumerate(rows)
        ],
        right=headers,
    )
    for name, value in same.items():
        say(f"  {name}: {number(value)}")
    for name, place in made.get("break_point", {}).items():
        if "located" in place:
            value, status = place["located"]["value"], Status[place["located"]["status"]]
            where = number(value) if value is not None else MESSAGES[status]
            curve = place["located"]["prediction"]
            say(f"  {name} ({place['axis']}), located in the curve of {curve}: {where}")
    if not all(np.all(o["valid"]) for o in made["observables"].values()):
        say("  * no honest error bar or outside the formula's scope: not judged by a check")


def _remark(valid: bool, status: str) -> str:
    if status != Status.OK.name:
        return MESSAGES[Status[status]]
    return "ok" if valid else "ok, but not judged by a check here"


def _cell(value: Any, valid: bool, status: str) -> str:
    return number(value) + ("" if valid and status == Status.OK.name else "*")
