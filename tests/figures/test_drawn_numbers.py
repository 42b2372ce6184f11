"""What is drawn of curves, runs, fits and bands: numbers of lines, marks and areas."""

import dataclasses
import types

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from ci_theory import BadInput
from ci_theory.figures import broken_law as picture
from ci_theory.figures import (
    learning_curve,
    marks,
    style,
    survival,
)
from ci_theory.figures.condensed import Means
from ci_theory.locate.breaks import fit
from ci_theory.locate.survival import Survival, break_times, survival_curve
from ci_theory.phenomena import Break

NAN = np.nan


@pytest.fixture
def axes():
    with style.applied():
        yield Figure().subplots()


def rule(level=0.5):
    return Break(name="there", axis="step", measure="m", locator=Survival(level=level))


def test_the_share_of_runs_that_have_not_broken_steps_down_where_each_does(axes):
    x = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    starts = np.array([1.0, 2.0, 2.0, 9.0])  # the last one never does
    y = (x[:, None] >= starts).astype(float)
    survival.shares(axes, x, y, rule(), "C0")
    step, tick = axes.lines
    found = dict(step.get_xydata().tolist())
    assert step.get_xydata()[0].tolist()[1] == 1.0
    assert step.get_xydata()[-1].tolist() == [4.0, 0.25]
    assert sorted(set(found.values())) == [0.25, 0.75]
    assert tick.get_xydata().tolist() == [[4.0, 0.25]]
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    curve = survival_curve(break_times(x, y.T, 0.5, rule().locator.direction))
    assert set(heights) >= {*curve.low, *curve.high}
    assert heights.min() < 0.25 < 0.9 < heights.max()
    every = Figure().subplots()
    survival.shares(every, x, y[:, :3], rule(), "C0")
    assert len(every.lines) == 1  # nobody was given up
    assert every.lines[0].get_ydata()[-1] == 0
    none = Figure().subplots()
    survival.shares(none, x, 0 * y, rule(), "C0")
    assert none.lines[0].get_ydata().tolist() == [1.0, 1.0]
    assert none.lines[0].get_xdata().tolist() == [1.0, 4.0]
    assert none.lines[1].get_xydata().tolist() == [[4.0, 1.0]]


def test_shares_are_of_the_direction_of_the_rule_and_have_the_band_that_is_told(axes):
    x = np.array([1.0, 2.0, 3.0, 4.0])
    y = (x[:, None] < np.array([2.0, 3.0, 3.0, 9.0])).astype(float)
    falls = Survival(level=0.5, direction="down", confidence=0.5)
    survival.shares(axes, x, y, dataclasses.replace(rule(), locator=falls), "C0")
    assert axes.lines[0].get_ydata().tolist() == [1.0, 0.75, 0.25, 0.25]
    curve = survival_curve(break_times(x, y.T, 0.5, "down"), 0.95)
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert set(heights) >= {*curve.low, *curve.high}


def test_breaks_of_single_runs_are_those_along_the_axis():
    breaks = (
        rule(),
        dataclasses.replace(rule(), axis="n"),
        dataclasses.replace(rule(), name="two"),
    )
    silent = types.SimpleNamespace(breaks=breaks)
    assert [b.name for b in survival.breaks_of(silent, "step")] == ["there", "two"]
    labels = [one.get_label() for one in survival.keys(["train_ok", "test_ok"], 12)]
    assert labels == ["train ok", "test ok", "Kaplan-Meier, 12 runs, 95 % band", "given up here"]


def test_a_closed_form_is_thick_only_where_it_claims_a_mean(axes):
    x = np.arange(4.0)
    line = types.SimpleNamespace(
        x=x,
        value=np.array([[0.0] * 4, [1.0, 2.0, 3.0, 4.0]]),
        valid=np.array([[True] * 4, [True, False, True, True]]),
        slack=np.array([[9.0] * 4, [0.5, 0.5, 0.25, 1.0]]),
        decoys={"wrong": np.array([[0.0] * 4, [5.0, 6.0, 7.0, 8.0]])},
    )
    marks.theory(axes, line, 1, "C0", decoys=["wrong"], slack=True)
    thin, thick, decoy = axes.lines
    assert thin.get_ydata().tolist() == [1, 2, 3, 4]
    assert thin.get_linewidth() < thick.get_linewidth()
    np.testing.assert_array_equal(thick.get_ydata(), [1, NAN, 3, 4])
    assert decoy.get_ydata().tolist() == [5, 6, 7, 8]
    assert decoy.get_linestyle() == ":"
    (band,) = axes.collections
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    assert {(2.0, 2.75), (2.0, 3.25), (3.0, 3.0), (3.0, 5.0)} <= set(map(tuple, corners.tolist()))
    assert 1.0 not in corners[:, 0]


def test_symbols_hide_bars_of_less_than_half_their_size(axes):
    axes.set_ylim(0, 1)
    size = mpl.rcParams["lines.markersize"] / 2
    height = axes.get_window_extent().height * style.points_per_pixel(
        axes
    )  # of the panel in points
    mean, runs = np.full(3, 0.5), np.full(3, 10**6)

    def hidden(*shares):
        half = np.array(shares) * size / height
        return marks.small_bars(axes, [Means(mean, half / 1.96, runs)])

    assert hidden(0.9, 0.9, 1.1)
    assert not hidden(0.9, 1.1, 1.1)
    assert style.points_per_pixel(axes) == 72 / axes.figure.dpi
    (line, _) = marks.keys(replicates=4, hidden=True)
    assert line.get_label().endswith("95 % interval, mostly smaller than the symbol")


def curve_of(**changes):
    kept_, ridge, n = (
        a.ravel() for a in np.meshgrid([True, False], [0.0, 2.0], [10, 20, 40], indexing="ij")
    )
    predicted = 1.0 + np.arange(12) / 10
    parts = {
        "n": n, "ridge": ridge, "kept": kept_, "predicted": predicted, "mean": predicted + 0.05,
        "error": np.full(12, 0.02), "valid": np.arange(12) % 3 > 0,
        "noise": types.SimpleNamespace(value=0.9),
        "interval": lambda: (predicted - 0.3, predicted + 0.4),
    }  # fmt: skip
    return types.SimpleNamespace(**{**parts, **changes})


def test_a_learning_curve_is_drawn_as_it_is():
    found = curve_of()
    with style.applied():
        made = learning_curve.draw(found, "Of $them$")
    left, right = made.axes
    assert [a.get_title("left") for a in made.axes] == ["with their copies", "copies taken out"]
    for panel, kept_ in ((left, True), (right, False)):
        lines = {line.get_label(): line for line in panel.lines}
        for ridge in (0.0, 2.0):
            here = (found.kept == kept_) & (found.ridge == ridge)
            drawn = lines[f"ridge {ridge:.3g}"]
            assert drawn.get_xdata().tolist() == [10, 20, 40]
            assert drawn.get_ydata().tolist() == found.predicted[here].tolist()
        assert set(lines["noise"].get_ydata()) == {0.9}
        dots = [
            (c.lines[0].get_markerfacecolor(), c.lines[0].get_xdata().tolist(), c)
            for c in panel.containers
        ]
        assert [x for _, x, _ in dots] == [[20, 40], [10], [20, 40], [10]]
        assert [hue == "white" for hue, _, _ in dots] == [False, True, False, True]
        ends = dots[0][2].lines[2][0].get_segments()[0][:, 1]
        assert np.ptp(ends) == pytest.approx(4 * 0.02)
        assert panel.get_ylim() == pytest.approx((1.0 / 1.2, 2.15 * 1.3))
        bands = [
            c
            for c in panel.collections
            if len(c.get_paths()) and len(c.get_paths()[0].vertices) > 6
        ]
        assert {round(v, 6) for v in bands[0].get_paths()[0].vertices[:, 1]} >= {
            round(float(v), 6)
            for here in [(found.kept == kept_) & (found.ridge == 0.0)]
            for v in (*(found.predicted[here] - 0.3), *(found.predicted[here] + 0.4))
        }
    assert made.get_suptitle() == r"Of \$them\$"
    one = curve_of(kept=np.ones(12, bool), predicted=np.r_[1.0, np.full(11, 99.0)])
    with style.applied():
        (panel,) = learning_curve.draw(one, "t").axes
    assert panel.get_title("left") == ""
    assert panel.get_ylim()[1] == pytest.approx(30.0)  # thirty times the lowest, and no more


def test_a_fitted_law_is_drawn_with_its_breaks_and_what_lies_beyond():
    x = np.geomspace(1.0, 1e4, 60)
    y = (x / 100) ** -0.1 * (1 + (x / 100) ** 4) ** -0.2
    law = fit(x, y * np.exp(0.01 * np.random.default_rng(0).normal(size=60)), 1, resamples=60)
    assert len(law.breaks) == 1
    spread = 0.1 * y
    with style.applied():
        made = picture.draw(
            np.r_[x, -1.0, NAN], np.r_[y, 1.0, 1.0], law, "x", "$y$", sd=np.r_[spread, 1.0, 1.0]
        )
    curve, slope = made.axes
    lines = {line.get_label(): line for line in curve.lines}
    dots = lines["data, ± 1 standard deviation"]
    assert dots.get_xdata().tolist() == x.tolist()
    np.testing.assert_allclose(dots.get_ydata(), y)
    inside, beyond = lines["fit, 95 % band"], lines["extrapolated"]
    assert (inside.get_xdata()[0], inside.get_xdata()[-1]) == pytest.approx((1.0, 1e4))
    assert (beyond.get_xdata()[0], beyond.get_xdata()[-1]) == pytest.approx((1e4, 4e4))
    np.testing.assert_allclose(inside.get_ydata(), law(inside.get_xdata()))
    np.testing.assert_allclose(slope.lines[0].get_ydata(), law.slope(inside.get_xdata()))
    place = law.breaks[0].place
    for panel in (curve, slope):
        marks_ = [line.get_xdata() for line in panel.lines if len(set(line.get_xdata())) == 1]
        assert place.value in [float(at[0]) for at in marks_]
    assert curve.get_ylabel() == r"\$y\$"
    assert curve.get_title("left") == f"{law.form}; break with 95 % interval"
    with pytest.raises(BadInput, match=r"x or y beyond 1e\+290, or below its inverse"):
        picture.draw(x, y * 1e291, law, "x", "y")


def test_dots_of_a_fit_are_rows_with_their_deviations_or_means_without():
    law = types.SimpleNamespace(scatter=0.1)
    x, y = np.array([1.0, 2.0, NAN, 3.0]), np.array([4.0, 5.0, 6.0, 8.0])
    weights = np.array([10.0, 20.0, 1e6, 30.0])
    at, value, sd = picture._dots(x, y, law, weights, None, None)
    assert (at.tolist(), value.tolist()) == ([1, 2, 3], [4, 5, 8])
    np.testing.assert_allclose(sd, 0.1 * value / np.sqrt([0.5, 1.0, 1.5]))
    given = picture._dots(x, y, law, None, np.arange(4.0), None)
    assert given[2].tolist() == [0, 1, 3]
    many = np.tile([1.0, 2.0, 4.0], 1500)
    at, value, sd = picture._dots(many, 3 * many, law, None, 0.1 * many, None)
    np.testing.assert_allclose(at, [1, 2, 4])
    np.testing.assert_allclose(value, [3, 6, 12])
    assert sd is None


def test_a_fit_to_several_runs_says_how_many_and_shows_its_floor():
    x = np.tile(np.geomspace(1.0, 1e4, 30), 2)
    run = np.repeat([0, 1], 30)
    y = (1 / x + 0.01) * np.exp(0.01 * np.random.default_rng(0).normal(size=60))
    law = fit(x, y, run=run, resamples=60)
    with style.applied():
        curve, _ = picture.draw(x, y, law, "x", "y", run=run).axes
    lines = {line.get_label(): line for line in curve.lines}
    assert set(lines) >= {"2 runs", "floor"}
    assert lines["floor"].get_ydata()[0] == pytest.approx(law.floor.value)
    assert curve.get_ylim()[0] < law.floor.value


def test_the_head_of_a_figure_has_what_there_is_to_say():
    for note, held, lines in (
        ("", {}, ["a $b$"]), ("note", {}, ["a $b$", "note"]),
        ("", {"n": 3.0, "on": True}, ["a $b$", "at n = 3, on = yes"]),
        ("note", {"n": 3.0}, ["a $b$", "note", "at n = 3"]),
    ):  # fmt: skip
        made = Figure()
        style.head(made, "a $b$", note, held)
        assert made.get_suptitle() == "\n".join(lines).replace("$", r"\$")


def test_a_sweep_is_drawn_run_by_run_if_what_is_shown_breaks_so(monkeypatch):
    silent = types.SimpleNamespace(breaks=(rule(),))
    monkeypatch.setattr(survival.series, "phenomenon_of", lambda data: silent)
    for x, measure, speaks in (("step", "m", True), ("step", "other", False), ("n", "m", False)):
        shown = types.SimpleNamespace(x=x, measure=measure)
        monkeypatch.setattr(survival.curves, "choose", lambda data, shown=shown: shown)
        assert survival.speaks(None) is speaks
