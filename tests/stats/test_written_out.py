"""What is told of a verdict, of a break and of a sweep: every field, from numbers made by hand."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
import xarray

from ci_theory import Status
from ci_theory.check import Verdict, break_table
from ci_theory.check import answer as answers
from ci_theory.check.breaks import Breaks
from ci_theory.check.remedy import Remedy
from ci_theory.check.report import Report, _moves
from ci_theory.check.room import Room
from told import (
    COMPARISON,
    FOUND,
    INF,
    KIND,
    LATE,
    MEASURED,
    NAN,
    NOWHERE,
    OUTCOME,
    POINT,
    SILENT,
    VALUES,
)


def report(*outcomes):
    return Report(phenomenon="toy", outcomes=outcomes, level=1e-3, effect=0.03)


def test_cells_are_judged_in_scope_with_three_runs_of_which_none_was_lost():
    assert COMPARISON.valid.tolist() == [True, True, True, True, False]
    assert COMPARISON.judged.tolist() == [True, True, False, False, False]
    assert COMPARISON.count.tolist() == [4, 4, 3, 2, 4]
    errors = [np.std(row[np.isfinite(row)], ddof=1) for row in VALUES]
    assert COMPARISON.error == pytest.approx(errors / np.sqrt([4, 4, 3, 2, 4]), rel=1e-12)
    nothing = dataclasses.replace(COMPARISON, values=np.full((5, 4), NAN))
    assert np.isnan(nothing.error).all()


def test_the_row_of_a_prediction():
    first, second = report(OUTCOME, SILENT).table()
    assert first == {
        "prediction": "power",
        "measure": "power",
        "cells": "2/5",
        "replicates": "4",
        "bias": "+1.23% ± 0.45%",
        "slack": "2.00%",
        "finds": "3.12%",
        "worst z": "-2.2",
        "decoys": "twice: rejected; same: vacuous; near: SURVIVES",
        "verdict": "UNDERPOWERED",
        "reason": "because",
    }
    nothing = dict.fromkeys(("bias", "slack", "finds", "worst z"), "-")
    assert second == {
        **first,
        **nothing,
        "prediction": "silent",
        "decoys": "none",
        "verdict": "AGREES",
    }


def evidence(rejected, z, *, vacuous=False):
    half = 0.0045 * 4.302652729749464  # Student's t with 2 degrees of freedom, from a table
    return {
        "rejected": rejected,
        "vacuous": vacuous,
        "worst_z": z,
        "worst_adjusted_probability": 0.125,
        "pooled": {
            "value": 0.0123,
            "error": 0.0045,
            "interval_95": [pytest.approx(0.0123 - half), pytest.approx(0.0123 + half)],
            "slack": 0.02,
            "score": 0.5,
            "probability": pytest.approx(2 / 3),  # of t = 1/2 with 2 degrees: 1 - t / sqrt(2 + t^2)
        },
    }


def test_the_document_of_a_prediction():
    made = report(OUTCOME, SILENT)
    body = json.loads(json.dumps(made.to_json(), allow_nan=False))
    told, silent = body.pop("predictions")
    verdict = {"verdict": "UNDERPOWERED", "level": 1e-3, "effect": 0.03}
    assert body == {"phenomenon": "toy", **verdict}
    (one,) = made.remedies.values()
    assert told == {
        "name": "power",
        "measure": "power",
        "verdict": "UNDERPOWERED",
        "reason": "because",
        "level": 5e-4,
        "cells": 5,
        "valid": 4,
        "judged": 2,
        "unsound": {},
        "with_lost_runs": 1,
        "too_few_replicates": 1,
        "too_skewed": 2,
        "replicates": 4,
        "detectable": 0.0312,
        "remedy": {"replicates": one.replicates, "size": one.size, "line": one.line},
        "own": evidence(False, -2.25),
        "worst_cell": {
            "family": "b",
            "noise": 1.0,
            "mean": 3.0,
            "error": pytest.approx(math.sqrt(4 / 3) / 2),
            "predicted": 2.0,
            "slack": 0.25,
            "z": -2.25,
        },
        "decoys": {
            "twice": evidence(True, 31.0),
            "same": evidence(True, -2.25, vacuous=True),
            "near": evidence(False, -2.25),
        },
    }
    assert silent["remedy"] is silent["detectable"] is None
    assert (silent["worst_cell"], silent["decoys"]) == ({}, {})
    nothing = dict.fromkeys(("value", "error", "slack"))
    assert silent["own"]["pooled"] == {
        **nothing, "interval_95": [None, None], "score": 0.0, "probability": 1.0,
    }  # fmt: skip


def test_the_words_of_a_report():
    made = report(OUTCOME, SILENT)
    head, columns, *lines = str(made).splitlines()
    rows, notes = lines[:2], lines[2:]
    assert head == made.head == "toy: UNDERPOWERED at a family-wise level of 0.001"
    assert columns.split() == ["prediction", "verdict", "cells", "bias", "finds", "reason"]
    assert [cell.strip() for cell in re.split("  +", rows[0])] == [
        "power", "UNDERPOWERED", "2/5", "+1.23% ± 0.45%", "3.12%", "because",
    ]  # fmt: skip
    assert {row.index("2/5") for row in rows} == {columns.index("cells")}
    assert notes == made.notes
    assert notes[0] == f"power: {made.remedies['power'].line}"
    assert isinstance(made.remedies["power"], Remedy)


# --- breaks ---------------------------------------------------------------------------------------


def point(value, low, high, height, low_height, high_height, status, **more):
    return {
        "value": value,
        "interval": [low, high],
        "height": height,
        "height_interval": [low_height, high_height],
        "status": status,
        "replicates": 0,
        "excluded": 0,
        "reached": None,
        **more,
    }


def test_the_document_of_a_break():
    body = Breaks(phenomenon="toy", found=(FOUND, NOWHERE), level=1e-3).to_json()
    found, gone = json.loads(json.dumps(body, allow_nan=False))["breaks"]
    runs = {"replicates": 9, "excluded": 1}
    assert found == {
        "break": "top",
        "axis": "noise",
        "measure": "power",
        "statement": "words",
        "prediction": "form",
        "at": {"p": 12345, "share": 0.123456, "deduplicated": True, "family": "plain"},
        "measured": point(2.0, 1.5, 2.5, 7.0, 6.5, 7.5, "OK", **runs),
        "predicted": point(2.125, 2.125, 2.125, 8.0, None, None, "AT_EDGE"),
        "predicted_range": [2.0, 2.25],
        "may_vanish": False,
        "closed_form": 2.75,
        "covers": True,
        "covers_closed_form": True,
        "delicate": False,
        "agrees": True,
        "told": True,
        "why": "found where predicted",
        "judged": {
            "measured": point(2.0625, 1.25, 3.0, 7.0, 6.5, 7.5, "OK", **runs),
            "predicted_range": [1.875, 2.375],
            "may_vanish": True,
            "sure": True,
        },
    }
    nothing = point(None, None, None, None, None, None, "NO_BREAK")
    judged = {"measured": nothing, "predicted_range": [None, None], "may_vanish": True}
    assert gone == {
        **found,
        **{"measured": nothing, "predicted": nothing, "predicted_range": [None, None]},
        **{"may_vanish": True, "closed_form": None, "covers": None, "covers_closed_form": None},
        **{"told": False, "why": "none, as predicted", "judged": {**judged, "sure": False}},
    }


def test_the_row_of_a_break():
    found, gone, late = map(break_table.row, (FOUND, NOWHERE, LATE))
    assert found == {
        "break": "top",
        "at": "p=1.234e+04, share=0.1235, deduplicated=True, family=plain",
        "measured": "2 [1.5, 2.5]",
        "predicted": "2.125 [2, 2.25]",
        "closed form": "2.75",
        "height": "7",
        "covers": "yes",
        "agree": "yes",
        "why": "found where predicted",
        "note": "",
    }
    none = "the curve has no break"
    assert gone == {
        **found,
        **{"measured": none, "predicted": none, "closed form": "-", "height": "-"},
        **{"covers": "-", "why": "none, as predicted"},
    }
    said = {"measured": "not by the end [3.5, inf]"}
    note = {"note": "heavy tails at the break; 3 of 8 runs broke"}
    assert late == {**gone, **said, **note}
    every = dataclasses.replace(LATE, measured=LATE.measured._replace(reached=8), delicate=False)
    assert break_table.row(every)["note"] == ""


def test_a_kind_of_break_in_numbers():
    away = dataclasses.replace(FOUND, expected=FOUND.expected._replace(
        point=POINT._replace(value=2.625)))  # fmt: skip
    wrong = dataclasses.replace(away, judged_by=Room(POINT, 3.25, 3.5, False))
    mute = dataclasses.replace(FOUND, prediction="", coarse=True)
    other = dataclasses.replace(NOWHERE, kind=dataclasses.replace(KIND, name="other"))
    made = Breaks(phenomenon="toy", found=(FOUND, away, other, wrong, NOWHERE, mute), level=1e-3)
    body = made.to_json()
    assert body["kinds"] == [
        {
            "break": "top",
            "axis": "noise",
            "measure": "power",
            "verdict": "DISAGREES",
            "reason": "1 of 5 slices disagree",
            "slices": 5,
            "predicted": 4,
            "told": 3,
            "failed": {},
            "remedy": None,
            "agree": 3,
            "disagree": 1,
            "say_nothing": 1,
            "intervals": 4,
            "intervals_that_miss": 2,
        },
        {
            "break": "other",
            "axis": "noise",
            "measure": "power",
            "verdict": "OUT_OF_SCOPE",
            "reason": "no such break is predicted here",
            "slices": 1,
            "predicted": 0,
            "told": 0,
            "failed": {},
            "remedy": None,
            "agree": 1,
            "disagree": 0,
            "say_nothing": 0,
            "intervals": 0,
            "intervals_that_miss": 0,
        },
    ]
    assert {k: body[k] for k in ("phenomenon", "verdict", "level", "note")} == {
        "phenomenon": "toy",
        "verdict": "DISAGREES",
        "level": 1e-3,
        "note": "3 of 6 slices tell a place, 1 disagree beyond the prediction's slack at a "
        "family-wise level of 0.001; 2 of 4 intervals miss the predicted break itself "
        "(0.2 would by chance, each has 95 % coverage)",
    }
    lines = str(made).splitlines()
    assert lines[0] == made.head == "toy: breaks DISAGREES at a family-wise level of 0.001"
    assert lines[1] == "top: DISAGREES: 1 of 5 slices disagree"
    columns = ["break", "at", "measured", "predicted", "closed form", "agree", "why"]
    assert re.split("  +", lines[3]) == columns
    assert lines[-1] == made.note
    unspoken = [dataclasses.replace(one, prediction="") for one in made.found]
    silent = dataclasses.replace(made, found=tuple(unspoken))
    assert silent.note == "no prediction speaks about these breaks"


# --- answers --------------------------------------------------------------------------------------


def test_an_answer_field_by_field(monkeypatch):
    """Six slices: of the places told, 1.75, 2 and 2.5, the one in the middle stands for them."""
    early, late = (
        dataclasses.replace(FOUND, at={"p": p}, measured=MEASURED._replace(value=value))
        for p, value in ((1, 1.75), (3, 2.5))
    )
    mute = dataclasses.replace(FOUND, coarse=True)
    open_one = dataclasses.replace(FOUND, judged=FOUND.judged._replace(low=-INF, high=INF))
    unspoken = dataclasses.replace(NOWHERE, kind=dataclasses.replace(KIND, name="x"), prediction="")
    found = Breaks(
        phenomenon="toy",
        found=(FOUND, open_one, late, mute, open_one, early, NOWHERE, unspoken),
        level=1e-3,
    )
    beyond = dataclasses.replace(OUTCOME, verdict=Verdict.OUT_OF_SCOPE)
    monkeypatch.setattr(answers, "check", lambda data: report(OUTCOME, beyond, SILENT))
    monkeypatch.setattr(answers, "locate_breaks", lambda data: found)
    days = [("2026-03-01T01:00", "11"), ("2026-02-09T01:00", "10")]
    sessions = json.dumps([{"began": began, "jax": jax} for began, jax in days])
    about = {"name": "mine", "title": "Of it", "phenomenon": "toy", "version": "9", "formula": "f"}
    data = xarray.Dataset({"power": ("replicate", np.zeros(4))}, attrs={**about})
    data.attrs["sessions"] = sessions
    told = answers.answer(data)
    first = {
        "name": "power",
        "verdict": "UNDERPOWERED",
        "cells": 5,
        "judged": 2,
        "replicates": 4,
        "bias": 0.0123,
        "error": 0.0045,
        "finds": 0.0312,
        "z": -2.25,
        "decoys": 3,
        "vacuous": 1,
        "rejected": 1,
    }
    nothing = dict.fromkeys(("bias", "error", "finds", "z"))
    counts = {"decoys": 0, "vacuous": 0, "rejected": 0, "name": "silent", "verdict": "AGREES"}
    assert told == {
        "sweep": "mine",
        "title": "Of it",
        "phenomenon": "toy",
        "version": "9",
        "formula": "f",
        "jax": "11",
        "date": "2026-03-01",
        "replicates": 4,
        "predictions": [first, {**first, **nothing, **counts}],
        "breaks": [
            {
                "name": "top",
                "axis": "noise",
                "verdict": "AGREES",
                "slices": 7,
                "predicted": 6,
                "told": 3,
                "agree": 4,
                "disagree": 0,
                "silent": {
                    "too few runs: the interval is open": 2,
                    "simulated in float32, of unknown rounding": 1,
                },
                "missed": 0,
                "intervals": 6,
                "middle": {
                    "at": FOUND.at,
                    "measured": [2.0, 1.5, 2.5],
                    "predicted": [2.125, 2.0, 2.25],
                },
            }
        ],
    }
    assert list(told["breaks"][0]["silent"].values()) == [2, 1]
    assert answers._prediction(dataclasses.replace(OUTCOME, detectable=0.123456))["finds"] == 0.1235


def test_the_middle_of_a_kind_that_nothing_predicts_is_of_those_that_were_found():
    unspoken = [
        dataclasses.replace(one, prediction="", judged_by=FOUND.judged_by._replace(
            point=POINT._replace(status=Status.OUT_OF_SCOPE)))
        for one in (FOUND, NOWHERE, dataclasses.replace(FOUND, at={"p": 7},
                    measured=MEASURED._replace(value=9.0)))
    ]  # fmt: skip
    (kind,) = Breaks(phenomenon="toy", found=tuple(unspoken), level=1e-3).kinds
    assert answers.middle(kind).at == {"p": 7}
    (none,) = Breaks(phenomenon="toy", found=(NOWHERE,), level=1e-3).kinds
    assert answers.middle(none) is None


def test_an_answer_has_kinds_of_which_nothing_is_told_and_counts_what_is_silent(monkeypatch):
    off = dataclasses.replace(FOUND, judged_by=Room(POINT, 3.5, 3.75, False))
    mute = dataclasses.replace(FOUND, coarse=True, kind=dataclasses.replace(KIND, name="mute"))
    found = Breaks(phenomenon="toy", found=(off, mute), level=1e-3)
    monkeypatch.setattr(answers, "check", lambda data: report())
    monkeypatch.setattr(answers, "locate_breaks", lambda data: found)
    about = dict.fromkeys(("name", "title", "phenomenon", "version", "formula"), "x")
    data = xarray.Dataset({"power": ("replicate", np.zeros(4))}, attrs={**about, "sessions": "[]"})
    told = answers.answer(data)
    assert (told["jax"], told["date"]) == (None, None)
    why = "simulated in float32, of unknown rounding"
    assert [(one["name"], one["silent"], one["disagree"]) for one in told["breaks"]] == [
        ("top", {}, 1),
        ("mute", {why: 1}, 0),
    ]
    assert told["breaks"][1]["middle"] is None


def test_a_value_that_is_none_moves_nothing():
    def moves(*values):
        estimate = COMPARISON.estimate._replace(value=np.array(values))
        axes = {"noise": np.arange(5.0)}
        return _moves(dataclasses.replace(COMPARISON, axes=axes, estimate=estimate), "noise")

    assert not moves(1.0, NAN, 1.0, INF, 1.0)
    assert moves(1.0, NAN, 1.0, INF, 2.0)


def test_a_range_of_a_predicted_break_is_told_where_there_is_one():
    for low, high, vanish, told in (
        (2.125, 2.125, False, "2.125"),
        (2.125, 2.125, True, "2.125 or none"),
        (2.0, 2.25, True, "2.125 [2, 2.25] or none"),
    ):
        one = dataclasses.replace(FOUND, expected=Room(POINT, low, high, vanish))
        assert break_table.row(one)["predicted"] == told
