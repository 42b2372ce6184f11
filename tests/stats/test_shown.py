"""Results show themselves in a notebook and survive a pickle; no word of theirs is markup."""

import dataclasses
import pickle
from html.parser import HTMLParser

import numpy as np
import pytest
from check_toy import POWER, TOY, Params, sweep

from ci_theory._errors import BadInput, Status
from ci_theory._record import build
from ci_theory._shown import kept, plain
from ci_theory.check import check, locate_breaks
from ci_theory.locate import Peak
from ci_theory.phenomena import Estimate, load, names, predict
from ci_theory.phenomena._predict import Predicted, Predictions
from forms import formed

SCRIPT = "<script>alert('&')</script>"
CLEAN = dataclasses.replace(
    formed(TOY, POWER),
    name=SCRIPT,
    breaks=(dataclasses.replace(TOY.breaks[0], name=f"top {SCRIPT}"),),
)


@pytest.fixture(scope="module")
def data():
    return sweep({"noise": [0.5, 1.0], "place": [0.0, 1.0, 2.0, 3.0]}, replicates=8)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.opened, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.opened.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def results(data):
    return {
        "report": check(data, CLEAN),
        "breaks": locate_breaks(data, CLEAN),
        "predictions": predict(CLEAN, {"noise": np.linspace(1, 90, 150)}),
    }


@pytest.mark.parametrize("kind", ["report", "breaks", "predictions"])
def test_a_notebook_shows_a_table_of_plain_words(kind, data):
    shown = results(data)[kind]
    page = Tags(shown._repr_html_())
    assert set(page.opened) == {"p", "table", "thead", "tbody", "tr", "th", "td"}
    assert (SCRIPT in "".join(page.words)) == (kind != "predictions")  # their names are one word
    rows = {"report": 1, "breaks": len(shown.found) if kind == "breaks" else 0, "predictions": 100}
    assert page.opened.count("tr") == 1 + rows[kind]
    if kind == "report":
        assert shown.remedies["power"].line in "".join(page.words)
    if kind == "predictions":
        assert "and 50 more points" in page.words


def test_reports_and_breaks_survive_a_pickle(data):
    for one in (check(data, CLEAN), locate_breaks(data, CLEAN)):
        again = pickle.loads(pickle.dumps(one))
        assert str(again) == str(one)
        assert again.to_json() == one.to_json()
        assert again._repr_html_() == one._repr_html_()


def test_predictions_survive_a_pickle_without_their_functions():
    found = predict(TOY, {"noise": [1.0, 60.0]})
    again = pickle.loads(pickle.dumps(found))
    assert again._repr_html_() == found._repr_html_()
    assert str(again) == str(found)
    for name, one in found.items():
        for part, other in zip(one.estimate, again[name].estimate, strict=True):
            np.testing.assert_array_equal(part, other)
        assert again[name].prediction.statement == one.prediction.statement
    with pytest.raises(BadInput, match="was pickled, which keeps its numbers"):
        again["power"].prediction.decoys[0].forecast(None, None)


def columns_of(shown):
    """Read the rows of a table in a notebook: header, then cells, as words."""
    page = Tags(shown._repr_html_())
    width = page.opened.count("th")
    words = [word for word in page.words if word != "\n"]
    return [words[i : i + width] for i in range(1, width * page.opened.count("tr"), width)]


def test_predictions_stand_beside_their_points_and_slacks():
    """Only the axes that vary have a column; the others are told above."""
    found = predict(TOY, {"noise": [1.0, 0.5, 60.0], "place": 2.0})
    one = found["power"].estimate
    header, *rows = columns_of(found)
    assert header == ["noise", *found]
    assert [row[0] for row in rows] == ["1", "0.5", "60"]
    assert rows[0][1] == f"{one.value[0]:.5g}" + (f" ± {one.slack[0]:.2g}" if one.slack[0] else "")
    assert "place = 2" in found._repr_html_()
    lines = str(found).splitlines()
    assert lines[0] == "predictions at 3 points, place = 2"
    assert [line.split()[0] for line in lines[2:6]] == ["noise", "1", "0.5", "60"]
    assert rows[0][1] in lines[3]


def test_a_prediction_tells_its_slack_its_status_and_whether_it_is_judged():
    numbers = np.array([2.0, 3.0, np.nan]), np.array([0.25, 0.0, 0.0])
    state = np.array([False, True, False]), np.array([Status.OK, Status.OK, Status.NOT_FINITE])
    found = Predictions({"noise": [1.0, 2.0, 3.0]})
    found["power"] = Predicted(None, Estimate(*numbers, *state), {})
    assert columns_of(found)[1:] == [
        ["1", "2 ± 0.25*"],
        ["2", "3"],
        ["3", "not a finite number"],
    ]
    assert found._repr_html_().endswith("<p>* not judged by a check</p>")
    assert str(found).endswith("\nvalue ± slack\n* not judged by a check")


def test_printed_predictions_are_no_wall():
    """Neither the functions behind them, nor more lines or wider ones than a terminal has."""
    found = predict(load("feature_spectrum"), {"up.n": list(range(20, 60))}, decoys=False)
    lines = repr(found).splitlines()
    assert max(map(len, lines)) <= 100
    blocks = "\n".join(lines).split("\n\n")[1:-1]
    assert [block.split()[0] for block in blocks] == ["up.n"] * len(blocks)
    assert {block.count("\n") for block in blocks} == {20}
    assert lines[-1] == "and 20 more points"
    assert {name for block in blocks for name in block.splitlines()[0].split()[1:]} == set(found)
    for one in found.values():
        assert "function" not in repr(one)
        assert repr(one).startswith(f"Predicted('{one.prediction.name}', value=array([")


def test_points_and_parameters_survive_a_pickle():
    point = Peak(log_axis=False).locate(np.arange(5.0), np.array([[0, 1, 3, 1, 0.0]] * 3))
    assert pickle.loads(pickle.dumps(point)) == point
    params = Params(noise=2.0)
    assert pickle.loads(pickle.dumps(params)) == params


def test_a_record_stays_one_where_functions_are_taken_out():
    """Its entries keep their names; a bare tuple is gone through."""
    point = Peak(log_axis=False).locate(np.arange(5.0), np.array([[0, 1, 3, 1, 0.0]] * 3))
    assert kept(point) is point
    assert kept((point, len, lambda: 0))[:2] == (point, len)


@pytest.mark.parametrize("name", names())
def test_parameters_of_every_phenomenon_survive_a_pickle(name):
    phenomenon = load(name)
    params = build(phenomenon.params, phenomenon.point({}))
    assert pickle.loads(pickle.dumps(params)) == params


def test_what_json_has_of_a_value():
    record = {
        "status": Status.OUT_OF_SCOPE,
        "numbers": np.array([[1.5, np.nan], [np.inf, 2.0]]),
        "whole": np.int64(3),
        "truth": np.bool_(True),
        "words": ("a", None, True, 2),
        7: np.float32(0.5),
    }
    assert plain(record) == {
        "status": "OUT_OF_SCOPE",
        "numbers": [[1.5, None], [None, 2.0]],
        "whole": 3,
        "truth": True,
        "words": ["a", None, True, 2],
        "7": 0.5,
    }
    assert type(plain(np.bool_(True))) is bool
    assert plain(object).startswith("<class")
