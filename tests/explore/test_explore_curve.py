"""What is drawn is what `ci-theory predict --json` says of the same words."""

import dataclasses
import json

import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.cli import main
from ci_theory.explore import curve
from ci_theory.explore.address import read
from ci_theory.phenomena import load, predict

PEAK = load("ridge_peak")
COPIES = load("repeated_data")


def drawn(phenomenon, text):
    return json.loads(json.dumps(curve.drawn(phenomenon, read(text, phenomenon)), allow_nan=False))


@pytest.mark.parametrize(
    "words",
    [
        ["n=lin(132,990,9)", "p=330", "ridge=3.3", "noise=0.3"],
        ["ridge=geom(0.1,30,9)", "spectrum=power_law"],
    ],
)
def test_the_table_is_what_predict_says(words, capsys):
    made = drawn(PEAK, "&".join([*words, "@log=x", "@decoys=classical"]))
    assert main(["predict", "ridge_peak", *words, "--json"]) == 0
    assert made["table"] == json.loads(capsys.readouterr().out)
    for name, one in made["table"]["observables"].items():
        silent = [
            v if s == "OK" else None for v, s in zip(one["value"], one["status"], strict=True)
        ]
        assert made["curve"][name] == silent
    assert made["breaks"] == made["table"].get("break_point", {})
    assert (made["problem"], made["places"]) == ("", made["table"]["params"][made["axis"]])


def test_few_places_are_some_of_all_with_both_ends():
    text = "n=lin(60,300,25)&ridge=2&@decoys=classical"
    made = json.loads(json.dumps(curve.few(PEAK, read(text, PEAK)), allow_nan=False))
    whole = drawn(PEAK, text)
    assert len(made["places"]) == curve.FEW
    assert (made["places"][0], made["places"][-1]) == (60, 300)
    assert made["table"] is None
    at = [whole["places"].index(place) for place in made["places"]]
    assert at == [0, 3, 7, 10, 14, 17, 21, 24]
    for name, values in whole["curve"].items():
        pairs = [(made["curve"][name], values)]
        pairs += [(made["decoys"][name][d], v) for d, v in whole["decoys"][name].items()]
        for mine, every in pairs:
            wanted = np.array(every, float)[at]
            np.testing.assert_allclose(np.array(mine, float), wanted, rtol=1e-12)
    assert len(curve.few(PEAK, read("n=60,90", PEAK))["places"]) == 2


def test_a_closed_form_is_worked_out_once_along_its_own_axis(monkeypatch):
    asked = []
    (peak,) = [b for b in PEAK.breaks if b.axis == "n" and b.closed_form is not None]

    def form(params):
        asked.append(params.ridge)
        return 100 * params.ridge

    counted = dataclasses.replace(peak, closed_form=form)
    mine = dataclasses.replace(PEAK, breaks=(counted,))
    words = {"n": "60,90,120", "ridge": "1,2"}
    made = curve.document(mine, words)["break_point"][peak.name]
    assert made["value"] == [[100.0, 200.0]] * 3
    assert asked == [1.0, 2.0]
    asked.clear()
    along = read("ridge=1,2,3", PEAK)
    assert curve.drawn(mine, along)["breaks"][peak.name]["value"] == [100.0, 200.0, 300.0]
    asked.clear()
    assert curve.few(mine, along)["breaks"] == {}  # of another axis: no picture has it
    assert asked == []


def test_slack_and_decoys_are_those_of_the_phenomenon():
    made = drawn(PEAK, "n=60,90,140,300&ridge=2&noise=0.5&@decoys=classical;noise halved")
    truth = predict(PEAK, {"n": np.array([60, 90, 140, 300]), "ridge": 2.0, "noise": 0.5})
    for name, one in truth.items():
        assert made["slack"][name] == pytest.approx(one.estimate.slack.tolist(), rel=1e-12)
        wanted = {k: v for k, v in one.decoys.items() if k in ("classical", "noise halved")}
        assert set(made["decoys"][name]) == set(wanted)
        for mistake, values in wanted.items():
            found = np.array(made["decoys"][name][mistake], float)
            np.testing.assert_allclose(found, values, rtol=1e-12)
    assert drawn(PEAK, "n=60,90")["decoys"] == {}


def test_where_a_rule_forbids_places_there_is_a_gap_and_the_message():
    text = "repeats=1,4,60,90&budget=48&p=12&ridge=2"
    made = drawn(COPIES, text)
    assert "repeats = 60: one row cannot fill more than the 48 rows" in made["problem"]
    assert made["table"] is None
    allowed = drawn(COPIES, text.replace(",60,90", ","))
    for part in ("curve", "slack"):
        for name, values in made[part].items():
            assert values == [*allowed[part][name], None, None]
    with pytest.raises(BadInput, match="one row cannot fill"):
        drawn(COPIES, "repeats=60,90&budget=48")


def test_a_point_that_no_place_allows_is_refused():
    with pytest.raises(BadInput) as told:
        drawn(PEAK, "n=lin(0,0.5,3)")
    assert "n = 0" in str(told.value)
