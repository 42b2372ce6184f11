"""A picture of any sweep: what is shown, and what is said to be left out."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import xarray

from ci_theory._errors import BadInput
from ci_theory.cli import main
from ci_theory.figures import overview, style
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
