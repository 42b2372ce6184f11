"""The plans of a store as files: ``plan-000.json``, and one more for each step by which it grows.

A plan that is read has been verified: its file is what was written, its values are ones that a
sweep can have, and together with the plans before it makes one chain of one sweep.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ci_theory._errors import BadInput
from ci_theory._record import Kind
from ci_theory.sweeps.grid import LAST_SEED, MOST_CELLS, MOST_RUNS
from ci_theory.sweeps.growth import is_step
from ci_theory.sweeps.parts import Damaged, read_whole, write_whole
from ci_theory.sweeps.plan import FORMAT, GROWN, TYPES, Plan, digest
from ci_theory.sweeps.schema import Each, mismatch
from ci_theory.sweeps.values import one_line

_NAME = re.compile(r"plan-(\d{3,})\.json")
_MOST_BYTES = 10**8
_WHOLE = 2**53  # beyond it, neighbouring whole numbers are the same float64

_VALUE = bool | int | float | str
_SHAPE = {
    "format": int,
    "checksum": str,
    "sweep": {
        "phenomenon": str,
        "axes": [(str, [_VALUE])],
        "fixed": Each(_VALUE),
        "seed": int,
        "paired": [str],
    },
    "replicates": (int, int),
    "identity": Each(_VALUE),
    "spread": int | float | None,
    "groups": [
        {
            "statics": Each(_VALUE),
            "capacity": Each(int),
            "cells": int,
            "chunk": int,
            "batch": int,
            "work": int | float,
        }
    ],
    "previous": str,
    "about": {
        "name": str,
        "title": str,
        "phenomenon": str,
        "axes": Each({"kind": str, "type": str, "unit": str, "doc": str}),
        "measures": Each({"unit": str, "doc": str}),
    },
}


_ADDED = {"added": (str, [_VALUE])}


def plan_name(index: int) -> str:
    """Return the file name of a plan."""
    return f"plan-{index:03d}.json"


def read_plans(folder: Path, names: Sequence[str]) -> list[Plan]:
    """Read and verify the plans of a store.

    Args:
        folder: of the store.
        names: of all files in it.

    Raises:
        BadInput: a plan is missing, damaged, of another format, or does not extend the ones
            before it; a file is named like a plan and is none.
    """
    found = {}
    for name in names:
        match = _NAME.fullmatch(name)
        if match and name == plan_name(int(match[1])):
            found[int(match[1])] = folder / name
        elif name.startswith("plan-") and name.endswith(".json"):
            raise BadInput(
                f"{folder / name} is not a plan of this store, whose plans are plan-000.json and "
                "so on: move it away"
            )
    plans: list[Plan] = []
    for index, file in sorted(found.items()):
        if index != len(plans):
            raise BadInput(f"{folder / plan_name(len(plans))} is missing: put it back")
        plan = _read_plan(file)
        problem = _breach(plan, plans)
        if problem:
            raise BadInput(f"{file} does not belong to this store: {problem}")
        plans.append(plan)
    return plans


def add_plan(folder: Path, index: int, plan: Plan) -> bool:
    """Write a plan; False if another process has added one in the meantime."""
    data = plan.to_json()
    text = json.dumps({"checksum": digest(data), **data}, indent=1)
    return write_whole(folder / plan_name(index), text.encode(), keep=True)


def _breach(plan: Plan, before: Sequence[Plan]) -> str | None:
    """Say in a phrase why a plan does not extend the ones before it, or return None."""
    start, previous = (before[-1].stop, before[-1].hash) if before else (0, "")
    if plan.previous != previous:
        return "it extends another plan than the one before it"
    if plan.added is None and plan.start != start:
        return f"its replicates begin at {plan.start}, not at {start}"
    if before and plan.identity != before[0].identity:
        return "it was made by another version or in another precision"
    if before and plan.fields != before[0].fields:
        return "its parameters or measures are others"
    if not is_step(before[-1] if before else None, plan):
        return "it is of another sweep"
    return None


def _read_plan(file: Path) -> Plan:
    """Read a stored plan.

    Raises:
        BadInput: it is not one, of a format that this version does not know, or damaged.
    """
    try:
        data = json.loads(read_whole(file, _MOST_BYTES))
        form = data["format"]
    except Damaged as found:
        raise BadInput(str(found)) from None
    except (BadInput, FileNotFoundError):
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(f"{file} is not a plan of a sweep: choose another folder") from None
    if type(form) is int and form not in (FORMAT, GROWN):
        raise BadInput(
            f"{file}: store of format {form}, this version reads format {FORMAT}: "
            "run the sweep into another folder"
        )
    problem = mismatch(data, _SHAPE | _ADDED if form == GROWN else _SHAPE)
    content = {name: value for name, value in data.items() if name != "checksum"}
    if not problem and digest(content) != data["checksum"]:
        problem = "its content is not what was written"
    problem = problem or _impossible(data)
    if problem:
        raise BadInput(one_line(f"{file} is damaged: {problem}"))
    try:
        return Plan.from_json(data)
    except BadInput as other:
        made = data["identity"].get("version", "unknown")
        raise BadInput(
            one_line(f"{file}: store of version {made} cannot be read: {other}")
        ) from None


def _impossible(data: Mapping[str, Any]) -> str | None:
    """Say in a phrase which value of a plan of the right shape no sweep can have, or None."""
    sweep, about, (start, stop) = data["sweep"], data["about"], data["replicates"]
    known, axes = about["axes"], dict(sweep["axes"])
    for name, info in known.items():
        kind, named = info["kind"], info["type"]
        if kind not in {k.value for k in Kind} or named not in TYPES:
            return f"about.axes.{name}: unknown kind or type"
        if (named == "str" and kind != "static") or (kind == "sized" and named != "int"):
            return f"about.axes.{name}: a {kind} field cannot be {named}"
    if sorted([*(name for name, _ in sweep["axes"]), *sweep["fixed"]]) != sorted(known):
        return "sweep: its axes and fixed values are not the parameters in about.axes"
    for name, values in [*axes.items(), *((k, [v]) for k, v in sweep["fixed"].items())]:
        if not values or len(set(values)) < len(values):
            return f"sweep: the values of {name} are none, or not distinct"
        if not all(_valid(value, TYPES[known[name]["type"]]) for value in values):
            return f"sweep: a value of {name} is not of type {known[name]['type']}, or not finite"
    if not set(sweep["paired"]) <= set(known):
        return "sweep.paired: names a parameter that is not in about.axes"
    if not 0 <= sweep["seed"] <= LAST_SEED:
        return f"sweep.seed = {sweep['seed']}: must be in 0..{LAST_SEED}"
    if not 0 <= start < stop:
        return f"replicates = {[start, stop]}: must rise from 0 or more"
    runs = stop * math.prod(len(v) for k, v in axes.items() if known[k]["kind"] != "inner")
    if stop * math.prod(len(v) for v in axes.values()) > MOST_CELLS or runs > MOST_RUNS:
        return f"replicates = {[start, stop]}: more than {MOST_CELLS:.0e} results a measure"
    taken = {*known, "status", "replicate", "about"}
    if not about["measures"] or taken.intersection(about["measures"]):
        return "about.measures: none, or one with a name that is taken"
    if "added" in data:
        name, new = data["added"]
        among = [v for v in axes.get(name, ()) if v in set(new)]
        if not new or repr(new) != repr(among) or len(new) == len(axes[name]):
            return f"added: not some of the values of an axis {name!r}, in their order"
    for place, bundle in enumerate(data["groups"]):
        if not 1 <= bundle["batch"] <= bundle["chunk"] <= 2 * MOST_RUNS:
            return f"groups[{place}]: batch and chunk must be 1 <= batch <= chunk"
        if not 0 <= bundle["work"] < math.inf:
            return f"groups[{place}].work = {bundle['work']}: must be finite"
    return None


def _valid(value: bool | int | float | str, kind: type) -> bool:
    if type(value) is not kind:
        return False
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str) or abs(value) <= _WHOLE
