"""`ci-theory predict`: the closed forms at a point, or over ranges, as people read them."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from ci_theory._errors import MESSAGES, Status
from ci_theory.cli.output import number, print_lines, print_table, say
from ci_theory.explore.curve import document
from ci_theory.phenomena import Phenomenon

__all__ = ["document", "print_prediction"]


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
        keys=len(ranged),
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
