"""Means, intervals and dense lines are what they claim to be."""

import numpy as np
import pytest
import xarray

from ci_theory._errors import BadInput
from ci_theory.figures import condensed, series
from ci_theory.phenomena import load, predict


def test_mean_and_interval_of_known_numbers():
    found = series.means(xarray.DataArray([[1.0, 2.0, 3.0]], dims=("n", "replicate")))
    # Student's two-sided 95 % quantile with two degrees of freedom is 4.302653 (tables)
    assert found.mean == pytest.approx(2.0)
    assert found.half == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)


def test_two_runs_have_an_interval_and_one_has_none():
    y = xarray.DataArray([[1.0, 3.0], [1.0, np.nan]], dims=("n", "replicate"))
    found = series.means(y)
    # Student's two-sided 95 % quantile with one degree of freedom is 12.7062 (tables)
    assert found.half[0] == pytest.approx(12.7062, rel=1e-5)
    assert np.isnan(found.half[1])


def test_interval_covers_a_normal_mean_nineteen_times_in_twenty():
    draws = np.random.default_rng(1).normal(size=(4000, 5))
    found = series.means(xarray.DataArray(draws, dims=("cell", "replicate")))
    missed = np.mean(np.abs(found.mean) > found.half)
    assert 0.036 < missed < 0.065  # 4 binomial standard errors around 0.05


def test_values_that_are_not_finite_are_left_out():
    y = [[1.0, np.nan, 3.0], [np.inf, 5.0, np.nan], [np.nan, np.nan, np.nan]]
    found = series.means(xarray.DataArray(y, dims=("n", "replicate")))
    assert found.runs.tolist() == [2, 1, 0]
    assert found.mean[:2].tolist() == [2.0, 5.0]
    assert np.isnan(found.mean[2])
    assert np.isnan(found.half[1:]).all()


def test_dense_grid_holds_the_values_and_whole_numbers_stay_whole():
    axes = load("ridge_peak").axes
    n = series.dense(axes["n"], [20, 45, 500])
    assert set(n) >= {20, 45, 500}
    assert np.array_equal(n, np.round(n))
    assert (n.min(), n.max()) == (20, 500)
    ridge = series.dense(axes["ridge"], [1e-4, 0.37, 1.0], count=50)
    assert set(ridge) >= {1e-4, 0.37, 1.0}
    assert np.all(np.diff(ridge) > 0)
    assert 50 <= len(ridge) <= 53  # as many as asked for, and the values


def test_line_is_the_prediction_point_by_point(sweep):
    phenomenon = load("ridge_peak")
    (form,) = series.predictions(phenomenon, "test_error")
    places = np.array([50.0, 100.0, 200.0])
    fixed = {**series.fixed_values(sweep), "ridge": 1.0}
    curves = [{"noise": 0.1}, {"noise": 1.0}]
    line = series.line(phenomenon, form, "n", places, fixed, curves, decoys=True)
    points = {"n": [50, 100, 200] * 2, "noise": [0.1] * 3 + [1.0] * 3}
    direct = predict(phenomenon, {**fixed, **points})["test_error"].estimate
    assert line.value.ravel() == pytest.approx(direct.value, rel=1e-12)
    assert line.valid.ravel().tolist() == direct.valid.tolist()
    assert len(set(direct.value)) == 6
    assert line.decoys["noise halved"].shape == (2, 3)
    assert series.line(phenomenon, form, "n", places, fixed, curves).decoys == {}


def test_the_verdict_of_a_check_fits_in_a_line(sweep):
    """The sweep's means are the predictions plus 2 % of noise, or, scaled, 30 % off them."""
    right = series.verdict(sweep, "test_error")
    assert right.startswith("check (worst z): test error ")
    assert "DISAGREES" not in right
    assert "\n" not in right
    wrong = sweep.copy()
    wrong["test_error"] = 1.3 * sweep["test_error"]
    assert "test error DISAGREES" in series.verdict(wrong, "test_error")
    assert series.verdict(sweep, "train_error") == ""
    assert "(+" in series.verdict(wrong, "test_error")
    wrong["test_error"] = 0.7 * sweep["test_error"]
    assert "(-" in series.verdict(wrong, "test_error")


def test_unknown_prediction_is_named():
    with pytest.raises(BadInput, match="did you mean 'test_error'"):
        series.predictions(load("ridge_peak"), "test_error", "test_eror")


def test_a_curve_gets_the_first_prediction_that_speaks_about_it():
    phenomenon = load("ridge_peak")
    forms = [p for p in phenomenon.predictions if p.name in ("finite_size_excess", "test_error")]
    forms.sort(key=lambda p: p.name)  # the exact form first: it is silent at a positive ridge
    places, curves = np.array([50.0, 200.0]), [{"ridge": 0.0}, {"ridge": 1.0}]
    fixed = {"p": 100, "noise": 0.5}
    both = series.first_line(phenomenon, forms, "n", places, fixed, curves)
    exact, limit = (series.line(phenomenon, f, "n", places, fixed, curves) for f in forms)
    assert np.isnan(exact.value[1]).all()
    assert np.array_equal(both.value[0], exact.value[0])
    assert np.array_equal(both.value[1], limit.value[1])
    assert series.first_line(phenomenon, [], "n", places, fixed, curves) is None


def test_the_form_that_is_drawn_is_the_one_that_speaks_where_runs_were_made(monkeypatch):
    """Between the runs the line is denser, and another form may know more of its places."""
    places, seen = np.arange(101.0), np.array([100.0, 90, 80, 70, 60, 10])
    known = {"late": places >= 60, "whole": places >= 0}

    def line(phenomenon, form, axis, places, fixed, curves, *, decoys):
        value = np.where(known[form], 1.0 if form == "late" else 2.0, np.nan)[None]
        return series.Line(places, value, 0 * value, known[form][None], {})

    monkeypatch.setattr(series, "line", line)
    drawn = series.first_line(None, ["late", "whole"], "n", places, {}, seen=seen)
    assert drawn.value[0, -1] == 1.0
    assert series.first_line(None, ["late", "whole"], "n", places, {}).value[0, -1] == 2.0


def test_closed_form_of_a_break_along_another_axis():
    phenomenon = load("ridge_peak")
    places = series.closed_form(
        phenomenon, "peak in n", {"ridge": 0.0}, "p", np.array([50.0, 80.0])
    )
    assert places.tolist() == [50.0, 80.0]


def test_a_saw_between_the_places_is_not_drawn_and_a_peak_is():
    x = np.arange(1.0, 101.0)
    places = np.array([1.0, 10.0, 30.0, 60.0, 100.0])
    peak = np.exp(-(((x - 45) / 5) ** 2))[None]
    saw = peak + 0.1 * (x % 5)[None]
    decoys = {"wrong": saw}
    sharp = series.Line(x, peak, 0 * peak, peak >= 0, decoys)
    assert series.without_rounding(sharp, places) is sharp
    kept = series.without_rounding(sharp._replace(value=saw), places)
    assert kept.x.tolist() == places.tolist()
    assert np.array_equal(kept.value[0], saw[0][[0, 9, 29, 59, 99]])
    assert kept.decoys["wrong"].shape == kept.value.shape == (1, 5)


def test_a_verdict_is_of_the_measures_asked_for(monkeypatch):
    told = [
        condensed.Checked("one_form", "test_error", "AGREES", 1.25),
        condensed.Checked("other", "train_error", "UNDERPOWERED", None),
    ]
    monkeypatch.setattr(condensed, "told", lambda data: told)
    data = xarray.Dataset(attrs={"replicates": 9})
    one, other = "one form AGREES (+1.2)", "other UNDERPOWERED (no cell alone)"
    assert series.verdict(data) == f"check (worst z): {one}, {other}"
    assert series.verdict(data, "train_error") == f"check (worst z): {other}"
    assert series.verdict(data, "train_error", "test_error") == f"check (worst z): {one}, {other}"
    assert series.verdict(data, "excess_risk") == ""
    assert series.replicates(data) == 9


def test_a_break_without_a_closed_form_has_none():
    phenomenon = load("group_gap")
    found = series.closed_form(
        phenomenon, "best weight of the minority", {}, "n", np.array([100.0, 200.0])
    )
    assert np.isnan(found).all()
    assert found.shape == (2,)


def test_breaks_along_a_second_axis_are_in_its_order(sweep):
    kind = load("ridge_peak").breaks[0]
    found = series.located_along(sweep, kind, "noise", {"ridge": 1.0})
    wanted = [series.located(sweep, kind, {"ridge": 1.0, "noise": s}).value for s in (0.1, 1.0)]
    np.testing.assert_array_equal([one.value for one in found], wanted)
    turned = series.located_along(sweep.isel(noise=[1, 0]), kind, "noise", {"ridge": 1.0})
    np.testing.assert_array_equal([one.value for one in turned], [one.value for one in found[::-1]])


def test_means_of_a_selection_have_the_axes_asked_for_in_their_order(sweep):
    found = series.seen(sweep, "test_error", ("noise", "n"), {"ridge": 30.0})
    wanted = sweep["test_error"].sel(ridge=30.0).mean("replicate").transpose("noise", "n")
    np.testing.assert_allclose(found.mean, wanted)
    assert found.runs.tolist() == [[6] * 7] * 2


def test_three_turns_more_than_at_the_places_are_no_saw_and_four_are():
    def drawn(*values):
        x, value = np.arange(1.0, 1 + len(values)), np.array([values])
        line = series.Line(x, value, 0 * value, value == value, {})
        return len(series.without_rounding(line, x[[0, -1]]).x)

    assert drawn(0.0, 1.0, 0.0, 1.0, 0.0) == 5
    assert drawn(0.0, 1.0, 0.0, 1.0, 0.0, 1.0) == 2
    assert drawn(*(1 + 1e-14 * np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0]))) == 6  # rounding
