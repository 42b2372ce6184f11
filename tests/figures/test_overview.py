"""A picture of any sweep: what is shown, and what is said to be left out."""

import itertools
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import xarray

from ci_theory._errors import BadInput
from ci_theory.cli import main
from ci_theory.figures import curves, marks, overview, series, style
from ci_theory.phenomena import Estimate, load

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
MEAN = load("toys.mean")
sys.path.pop(0)


def data(**axes):
    """Make a sweep of the toy up, with its true means."""
    shape = [len(v) for v in axes.values()]
    grid = dict(zip(axes, np.meshgrid(*axes.values(), indexing="ij"), strict=True))
    noise, n = (np.broadcast_to(grid.get(k, d), shape) for k, d in (("noise", 1.0), ("n", 20)))
    values = (noise / n)[..., None] * (1 + 0.2 * np.array([-1, 0, 1]))
    fixed = {k: a.default for k, a in MEAN.axes.items() if k not in axes}
    attrs = {"phenomenon": "toys.mean", "fixed": json.dumps(fixed)}
    return xarray.Dataset({"error": ([*axes, "replicate"], values)}, axes, attrs)


def drawn(swept):
    with style.applied():
        return overview.draw(swept)


def test_curves_run_along_the_axis_of_the_break():
    swept = data(noise=[0.5, 1.0, 2.0], n=[5, 10, 20, 40], d=[4, 8])
    shown = overview.choose(swept)
    assert (shown.x, shown.colour, shown.column) == ("n", "noise", "d")
    assert shown.left_out == []
    made = drawn(swept)
    strips, panels = made.axes[:2], made.axes[2:]
    assert len(panels) == 2
    assert [a.get_title("left") for a in strips] == ["d = 4", "d = 8"]
    assert [len(a.containers) for a in panels] == [3, 3]  # means with error bars
    assert sum(len(line.get_xdata()) > 4 for line in panels[0].lines) >= 3  # closed forms
    assert strips[0].lines  # breaks


def test_two_places_are_no_curve_in_which_a_break_shows():
    assert overview.choose(data(noise=[0.5, 1.0, 2.0], n=[5, 20])).x == "noise"
    assert overview.choose(data(noise=[0.5, 1.0, 2.0], n=[5, 10, 20])).x == "n"


def test_what_there_is_no_room_for_is_said():
    swept = data(n=[5, 10, 20, 40], noise=list(np.arange(1.0, 10.0)), d=[2, 4, 6, 8], shift=[0, 1])
    shown = overview.choose(swept)
    assert shown.left_out == [
        "3 of 9 values of noise", "1 of 4 values of d", "shift other than 1"
    ]  # fmt: skip
    assert shown.data["noise"].values.tolist() == [1.0, 3.0, 4.0, 6.0, 7.0, 9.0]  # ends included
    assert "not shown: 3 of 9 values of noise, 1 of 4" in drawn(swept).get_suptitle()


def test_an_axis_of_words_alone_can_be_drawn():
    swept = data(law=["normal", "uniform"])
    assert overview.choose(swept).x == "law"
    axes = drawn(swept).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["normal", "uniform"]
    told = [line.get_ydata().tolist() for line in axes.lines if line.get_marker() == "_"]
    assert [0.05, 0.05] in told  # the closed form of both


def test_one_cell_is_no_picture():
    with pytest.raises(BadInput, match="no axis of this sweep has two values"):
        overview.choose(data(n=[5]))


def test_the_command_draws_a_store(tmp_path, monkeypatch, capsys):
    from ci_theory.cli import verdicts

    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept").mkdir()
    store = type("Store", (), {"folder": tmp_path / "kept"})
    monkeypatch.setattr(verdicts, "open_store", lambda place: store)
    monkeypatch.setattr(verdicts, "readable", lambda folder: folder)
    heads, swept = [], data(n=[5, 10, 20], noise=[1, 2, 3, 4, 5, 6, 7])
    swept = swept.assign_attrs(title="What it shows")
    monkeypatch.setattr(verdicts, "complete_dataset", lambda _: swept)
    monkeypatch.setattr(style, "head", lambda _, *words: heads.append(words))
    assert main(["figure", "kept"]) == 0
    out, err = capsys.readouterr()
    assert out == "results/figures/kept.png\nresults/figures/kept.pdf\n"
    assert err == "ci-theory: not shown: 1 of 7 values of noise\n"
    assert (tmp_path / "results" / "figures" / "kept.png").stat().st_size > 5000
    assert heads == [("What it shows", "not shown: 1 of 7 values of noise")]


def test_a_sweep_that_was_not_run_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.toml").write_text('phenomenon = "ridge_peak"\n')
    for word, says in (
        ("some.toml", "`ci-theory run some.toml` comes first"),
        (".", "is not a store"),
    ):
        assert main(["figure", word]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert says in err


def test_along_words_each_colour_has_its_own_theory_beside_the_others():
    swept = data(law=["normal", "uniform"], biased=[False, True])
    fixed = {**json.loads(swept.attrs["fixed"]), "shift": 1.0}
    (axes,) = drawn(swept.assign_attrs(fixed=json.dumps(fixed))).axes
    dashes = [line for line in axes.lines if line.get_markersize() == 12]
    told = [line.get_xydata().tolist() for line in dashes]
    wanted = [[[-0.125, 0.05], [0.875, 0.05]], [[0.125, 1.05], [1.125, 1.05]]]
    assert told == [[pytest.approx(place) for place in one] for one in wanted]


def test_along_words_the_form_that_speaks_is_drawn(monkeypatch):
    nan, ones = np.full(2, np.nan), np.ones(2)

    def predict(phenomenon, points):
        assert points == {"p": 3, "law": ["normal", "uniform"]}
        return {
            name: types.SimpleNamespace(
                estimate=Estimate(value, 0 * ones, ones > 0, np.zeros(2, int))
            )
            for name, value in (("mute", nan), ("one", ones), ("two", 2 * ones))
        }

    monkeypatch.setattr(overview, "predict", predict)

    def told(*names):
        forms = [types.SimpleNamespace(name=name) for name in names]
        return overview._told(None, forms, {"p": 3}, "law", ["normal", "uniform"])

    assert told("mute", "one", "two").tolist() == [1.0, 1.0]
    assert np.isnan(told("mute")).all()
    assert np.isnan(told()).all()


CURVES = {"noise": [0.5, 1.0, 2.0], "n": [5, 10, 20, 40]}


def keys_of(swept, monkeypatch, change=lambda place, panel: panel, hides=(True, True)):
    """Draw panels that are changed by their place; return the picture and what its keys tell."""
    asked, panels, hidden = [], itertools.count(), iter(hides)
    contents, paint, keys = curves.contents, curves.paint, marks.keys
    with monkeypatch.context() as now:
        now.setattr(curves, "contents", lambda *given: change(next(panels), contents(*given)))
        now.setattr(curves, "paint", lambda *on, **more: (paint(*on, **more), next(hidden))[1])
        now.setattr(marks, "keys", lambda **told: asked.append(told) or keys(**told))
        made = drawn(swept)
    return made, asked[0]


def legend(made):
    return [text.get_text() for text in made.legends[0].get_texts()]


def test_the_keys_tell_of_all_panels_and_not_of_one_alone(monkeypatch):
    swept = data(**CURVES, d=[4, 8])
    made, told = keys_of(swept, monkeypatch)
    plain = {"replicates": 3, "hidden": True, "line": True, "thin": False, "breaks": True}
    assert told == plain
    assert legend(made)[-3:] == ["noise = 0.5", "noise = 1", "noise = 2"]

    def mute(place, panel):
        return panel._replace(line=None) if place == 0 else panel

    def beyond(place, panel):
        out = panel.line._replace(valid=panel.line.valid & False)
        return panel._replace(line=out) if place == 1 else panel

    assert keys_of(swept, monkeypatch, mute)[1] == plain
    assert keys_of(swept, monkeypatch, beyond)[1] == {**plain, "thin": True}
    for hides in ((False, True), (True, False)):
        assert keys_of(swept, monkeypatch, hides=hides)[1] == {**plain, "hidden": False}


def test_a_strip_is_told_of_whichever_measure_has_it_and_each_row_has_its_label(monkeypatch):
    swept = data(**CURVES)
    swept["other"] = swept["error"].assign_attrs(long_name="of another kind", unit="rows")
    choose = overview.choose
    monkeypatch.setattr(
        overview, "choose", lambda data: choose(data)._replace(measures=["other", "error"])
    )
    made, told = keys_of(swept, monkeypatch)
    assert told["breaks"]
    assert [axes.get_ylabel() for axes in made.axes] == [
        style.label("other", swept["other"].attrs, width=26), "break", style.label("error", {})
    ]  # fmt: skip


def test_columns_are_as_wide_as_a_page_and_one_panel_is_not():
    assert drawn(data(**CURVES, d=[4, 8])).get_figwidth() == style.PAGE
    assert drawn(data(**CURVES)).get_figwidth() == pytest.approx(1.35 * style.COLUMN)


def test_along_words_each_colour_has_its_symbol_and_its_key(monkeypatch):
    swept = data(law=["normal", "uniform"], biased=[False, True])
    fixed = {**json.loads(swept.attrs["fixed"]), "shift": 1.0}
    swept = swept.assign_attrs(fixed=json.dumps(fixed))
    made = drawn(swept)
    assert [bars[0].get_marker() for bars in made.axes[0].containers] == list(style.MARKERS[:2])
    assert legend(made)[1:] == ["theory", "biased = no", "biased = yes"]
    monkeypatch.setattr(series, "predictions", lambda *_: [])
    assert legend(drawn(swept))[1:] == ["biased = no", "biased = yes"]
