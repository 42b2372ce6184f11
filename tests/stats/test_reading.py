"""What a dataset says of its parameters, and which prediction speaks for a curve."""

import dataclasses
import json

import numpy as np
import pytest
import xarray
from check_toy import BUMP, TOY, sweep

from ci_theory import BadInput, Status
from ci_theory.check import Verdict, breaks, check, locate_breaks
from ci_theory.check.reading import fixed_values, simulated
from ci_theory.explore.curve import located
from ci_theory.figures import series
from ci_theory.phenomena import Estimate
from ci_theory.phenomena._predict import Predicted
from ci_theory.phenomena._speaking import speaking, spoken
from forms import form, formed

PLACES = np.linspace(-1.0, 5.0, 13).tolist()


@pytest.fixture(scope="module")
def data():
    """The toy's defaults are noise 1 and top 2: neither is swept."""
    return sweep({"noise": [0.5, 4.0], "place": PLACES, "top": [1.0, 3.0]}, replicates=40)


def biases(report):
    return [o.own.pooled.value for o in report.outcomes]


@pytest.mark.parametrize("select", [{"noise": 4.0}, {"top": 3.0}, {"noise": 4.0, "top": 3.0}])
def test_a_selected_value_is_used_and_not_the_default(data, select):
    one = data.sel(select)
    kept = data.sel({name: [value] for name, value in select.items()})
    report = check(one, TOY, effect=1.0)
    assert report.verdict is not Verdict.DISAGREES
    assert biases(report) == pytest.approx(biases(check(kept, TOY, effect=1.0)), rel=1e-12)
    tops = [b for b in locate_breaks(one, TOY).found if b.kind.name == "top"]
    want = [b.at["top"] for b in locate_breaks(kept, TOY).found if b.kind.name == "top"]
    assert [b.closed_form for b in tops] == want
    assert [b.predicted.value for b in tops] == pytest.approx(want, abs=0.05)
    assert all(b.agrees for b in tops)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda data: data.isel(replicate=0),
            r"no dimension 'replicate' \(found: noise, place, top",
        ),
        (lambda data: data.drop_vars("top"), "the dimension top has no coordinate"),
        (lambda data: data.rename(top="tip"), "unknown axis 'tip'"),
        (lambda data: data.isel(top=[0, 0]), "a value of top is there twice"),
        (lambda data: data.assign_coords(replicate=[1] * 40), "the same run is there twice"),
        (lambda data: data.drop_attrs(), "no attribute 'phenomenon'"),
    ],
)
def test_what_is_no_sweep_of_the_phenomenon_is_refused(data, change, says):
    for ask in (check, locate_breaks):
        with pytest.raises(BadInput, match=says):
            ask(change(data), None if "attribute" in says else TOY)


def test_figures_read_the_parameters_by_the_same_rule(data, monkeypatch):
    monkeypatch.setattr(series, "phenomenon_of", lambda data: TOY)
    given = {"family": "plain", "scale": 1.0, "noise": 4.0, "top": 3.0}
    assert series.fixed_values(data.sel(noise=4.0, top=3.0)) == given
    with pytest.raises(BadInput, match="value of noise is given nowhere"):
        series.fixed_values(data.isel(noise=1, drop=True))


def test_where_a_selection_leaves_nothing_the_missing_axis_is_named(data):
    lost = data.sel(noise=4.0, top=3.0, drop=True)
    for ask in (check, locate_breaks):
        with pytest.raises(BadInput, match="value of noise, top is given nowhere"):
            ask(lost, TOY)
    said = lost.assign_coords(noise=4.0, top=3.0)
    assert check(said, TOY, effect=1.0).verdict is not Verdict.DISAGREES
    averaged = data.mean("noise", keep_attrs=True)
    with pytest.raises(BadInput, match="value of noise is given nowhere"):
        check(averaged, TOY)


@pytest.mark.parametrize(("kinds", "tops"), [(1, 1), (1, 2), (2, 1)])
def test_the_slices_of_which_something_is_predicted_share_the_level(data, kinds, tops, monkeypatch):
    one = data.isel(noise=0, top=slice(tops))
    toy = formed(dataclasses.replace(TOY, breaks=TOY.breaks[:kinds]), BUMP)
    levels, locate = [], breaks.locate_slice

    def watched(curve, level):
        levels.append(level)
        return locate(curve, level)

    monkeypatch.setattr(breaks, "locate_slice", watched)
    locate_breaks(one, toy, level=0.01)
    assert levels == pytest.approx([0.01 / kinds / tops] * kinds * tops, rel=1e-12)


def test_an_axis_of_two_values_has_no_break(data):
    few = data.isel(noise=0, top=0).isel(place=slice(4, 6))
    assert locate_breaks(few, formed(TOY, BUMP)).found == ()
    assert len(locate_breaks(data.isel(noise=0, top=0, place=[4, 6, 8]), TOY).found) == 2


def test_measured_breaks_alone_need_no_parameters(data):
    silent = formed(dataclasses.replace(TOY, breaks=TOY.breaks[1:]))
    found = locate_breaks(data.sel(noise=4.0, top=3.0, drop=True), silent).found
    assert [one.measured.status for one in found] == [Status.OK]
    assert check(data.assign_attrs(fixed="{}"), silent).outcomes == ()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda d: d.drop_vars("top"), "dimension top has no coordinate"),
        (lambda d: d.assign_attrs(fixed="{}"), "value of family, scale is given nowhere"),
        (lambda d: d.assign_attrs(fixed="p = 3"), "expected an object as JSON"),
        (lambda d: d.assign_attrs(fixed="[1]"), "expected an object as JSON"),
        (lambda d: d.assign_attrs(fixed=7), "expected an object as JSON"),
        (lambda d: d.assign_attrs(paired="noise"), "expected a list as JSON"),
        (lambda d: d.assign_coords(scale=3.0), "scale is 3.0 by its coordinate and 1.0 by"),
        (
            lambda d: d.isel(top=0).assign_coords(top=("noise", [1.0, 2.0])),
            "top varies along noise",
        ),
        (
            lambda d: d.assign_attrs(fixed=json.dumps({**json.loads(d.fixed), "noise": 0.5})),
            "noise is an axis and in the attribute",
        ),
        (lambda d: d.isel(top=[0, 0]), "a value of top is there twice"),
        (
            lambda d: d.assign_coords(replicate=range(d.sizes["replicate"])).isel(replicate=[0, 0]),
            "the same run is there twice",
        ),
    ],
)
def test_a_dataset_that_contradicts_itself_or_lost_something_is_refused(data, spoil, says):
    with pytest.raises(BadInput, match=says):
        check(spoil(data), TOY)


def test_a_selection_of_runs_or_a_turn_of_the_axes_changes_nothing_else(data):
    few = data.isel(replicate=slice(0, 10)).transpose("replicate", "top", "place", "noise")
    assert fixed_values(few, TOY) == {"family": "plain", "scale": 1.0}
    assert check(few, TOY, effect=1.0).outcomes[0].own.pooled.replicates == 10


# --- which prediction speaks ----------------------------------------------------------------------

NAN = float("nan")
SILENT, WHOLE = np.full(8, NAN), np.arange(8.0)
SHORT = np.array([1.0, 2.0, 3.0] + [NAN] * 5)
HALF = np.array([1.0, 2.0, 3.0, 4.0] + [NAN] * 4)
TWO = np.array([1.0, 2.0] + [NAN] * 6)


@pytest.mark.parametrize(
    ("curves", "speaks"),
    [
        ([WHOLE, WHOLE], 0),  # the declared order decides
        ([SILENT, WHOLE], 1),
        ([SHORT, WHOLE], 1),  # ends early where another goes on
        ([HALF, WHOLE], 0),  # half is enough
        ([SHORT], 0),  # better than nobody
        ([SHORT, SILENT], 0),
        ([TWO, SILENT], None),  # two places are no curve
        ([SILENT, SILENT], None),
        ([], None),
        ([np.array([NAN, NAN]), np.array([1.0, 2.0])], 1),  # a curve of two places
    ],
)
def test_the_first_prediction_that_is_not_silent_speaks(curves, speaks):
    assert speaking(curves) == speaks


def test_a_value_of_a_solver_that_failed_is_none():
    status = np.array([Status.OK, Status.NOT_CONVERGED, Status.OUT_OF_SCOPE])
    found = spoken(Estimate(np.ones(3), np.zeros(3), np.ones(3, bool), status))
    assert np.isfinite(found).tolist() == [True, False, False]


def test_predict_locates_the_break_in_the_curve_that_speaks():
    """The first prediction of the measure is silent: its curve has no break to find."""
    peak = np.exp(-0.5 * (np.array(PLACES) - 2.0) ** 2)
    form = dataclasses.replace(TOY.predictions[1], name="silent")
    found = {
        "silent": _predicted(form, np.full(13, NAN), Status.OUT_OF_SCOPE),
        "bump": _predicted(TOY.predictions[1], peak, Status.OK),
    }
    place = located(TOY.breaks[0], tuple(PLACES), found)["located"]
    assert (place["prediction"], place["status"]) == ("bump", Status.OK)
    assert place["value"] == pytest.approx(2.0)
    for count, told in ((4, False), (5, True)):
        few = {"bump": _predicted(TOY.predictions[1], peak[5:][:count], Status.OK)}
        assert bool(located(TOY.breaks[0], tuple(PLACES[5:][:count]), few)) is told
    del found["bump"]
    assert located(TOY.breaks[0], tuple(PLACES), found) == {}


def _predicted(form, value, status):
    codes = np.full(len(value), int(status))
    estimate = Estimate(value, 0 * value, codes == 0, codes)
    return Predicted(form, estimate, {})


def test_a_break_table_and_a_picture_name_the_same_prediction(data):
    """The first form of the bump speaks at three of thirteen places only."""
    import jax.numpy as jnp

    def ends(params, world):
        made = BUMP.evaluate(params, world)
        return made._replace(value=jnp.where(params.place < 0.4, made.value, jnp.nan))

    toy = formed(TOY, form("bump", ends, name="short"), BUMP)
    found = locate_breaks(data.sel(noise=0.5), toy).found
    assert {one.prediction for one in found} == {"bump"}
    dense = np.union1d(np.linspace(-1.0, 5.0, 25), np.linspace(-1.0, 0.3, 400))
    fixed = {**fixed_values(data, TOY), "noise": 0.5, "top": 1.0}
    line = series.first_line(
        toy, list(toy.predictions), "place", dense, fixed, seen=np.array(PLACES)
    )
    assert np.isfinite(line.value).all()


def test_a_run_counts_by_its_status_whatever_its_number_and_whatever_the_order():
    value = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, np.inf]])
    status = np.array([[Status.OK, -1, Status.NOT_CONVERGED], [Status.CENSORED, 0, 3]])
    dims = ("place", "replicate")
    data = xarray.Dataset({"bump": (dims, value), "status": (dims, status)}, {"place": [0, 1]})
    for one in (data, data.transpose(*dims[::-1])):
        kept, lost = simulated(one, "bump")
        assert np.array_equal(kept, [[1, NAN, NAN], [NAN, 5, NAN]], equal_nan=True)
        assert lost.tolist() == [[False, False, True], [True, False, True]]
    kept, lost = simulated(data.drop_vars("status"), "bump")
    assert np.array_equal(kept, [[1, NAN, 3], [4, 5, NAN]], equal_nan=True)
    assert lost.tolist() == [[False, True, False], [False, False, True]]


def test_code_that_a_dataset_names_is_not_run(data, tmp_path, monkeypatch):
    (tmp_path / "some_stranger.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    for ask in (check, locate_breaks):
        with pytest.raises(BadInput, match="that you trust, add --allow some_stranger"):
            ask(data.assign_attrs(phenomenon="some_stranger"))


def test_a_measure_without_one_of_the_axes_is_refused(data):
    lacking = data.assign(bump=data["bump"].isel(top=0, drop=True))
    with pytest.raises(BadInput, match=r"bump has dimensions \[.*\], expected \[.*'top'"):
        simulated(lacking, "bump")
