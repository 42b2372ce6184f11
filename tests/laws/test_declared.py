"""What every phenomenon declares is as it was: ranges, defaults, units, orders, where breaks are.

An axis that allows more than its formula, a level or a unit that has changed, misleads without any
test of numbers failing. Where a declaration changes for a reason, CI_THEORY_RECORD=1 with a single
process writes it anew (``pytest tests/laws/test_declared.py``), and the difference of
``declared.json`` shows it. Words are not held.
"""

import dataclasses
import json
import os
from pathlib import Path

import pytest
from declared_toy import BREAK, TOY, changed

from ci_theory.phenomena import load, names

FILE = Path(__file__).with_name("declared.json")
RANGE = ("low", "above", "high")


def broken(**change):
    return changed(breaks=(dataclasses.replace(BREAK, **change),))


def declared(phenomenon):
    """Return the declarations, each as one line."""
    told = {"claims": ", ".join(map(str, phenomenon.claims))}
    for name, axis in phenomenon.axes.items():
        ends = [f"{end} {getattr(axis, end)!r}" for end in RANGE if getattr(axis, end) is not None]
        words = [f"one of {', '.join(axis.choices)}"] if axis.choices else []
        kind = f"{axis.kind.name.lower()} {axis.type.__name__} {axis.default!r}"
        told[f"axis {name}"] = ", ".join([kind, *ends, *words, f"[{axis.unit}]"])
    for name, (unit, _) in phenomenon.measure_info.items():
        told[f"measure {name}"] = f"[{unit}]"
    for one in phenomenon.predictions:
        closed = "closed" if one.closed else f"solved: {one.status}"
        told[f"prediction {one.name}"] = f"of {one.measure}, {one.order}, {closed}"
    for one in phenomenon.mistakes:
        told[f"mistake {one.name}"] = ", ".join(one.against)
    for one in phenomenon.breaks:
        form = ", a closed form" if one.closed_form else ""
        last = f", last {', '.join(one.last)}" if one.last else ""
        told[f"break {one.name}"] = f"{one.measure} by {one.axis}{last}: {one.locator}{form}"
    if phenomenon.stages:
        told["stages"] = phenomenon.stages.axis
    return told


def record():
    """Return what is recorded, after writing it anew if that is asked for."""
    if os.environ.get("CI_THEORY_RECORD"):
        found = {name: declared(load(name)) for name in names()}
        FILE.write_text(json.dumps(found, indent=0, sort_keys=True, ensure_ascii=False) + "\n")
    return json.loads(FILE.read_text())


def test_every_phenomenon_is_recorded_and_no_other():
    assert sorted(record()) == names(), "CI_THEORY_RECORD=1 pytest tests/laws/test_declared.py"


@pytest.mark.parametrize("name", names())
def test_declarations_are_as_they_were(name):
    assert declared(load(name)) == record().get(name), (
        "if this is meant: CI_THEORY_RECORD=1 pytest tests/laws/test_declared.py"
    )


def test_a_declaration_that_changes_is_seen():
    made = declared(TOY)
    assert made["axis time"] == "inner float 1.0, above 0, high 9, []"
    assert made["axis kind"] == "static str 'a', one of a, b, []"
    assert made["prediction error"] == "of error, exact, solved: status"
    assert made["mistake doubled"] == "error"
    assert made["break peak"].startswith("error by n, last time: Peak(log_axis=None, reach=None")
    assert made["break peak"].endswith(", confidence=0.95), a closed form")
    assert (made["stages"], made["claims"], made["measure kept"]) == ("step", "1", "[1]")
    for other in (changed(claims=(2,)), changed(stages=None), broken(last=()), broken(axis="step")):
        assert declared(other) != made
