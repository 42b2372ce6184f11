"""What is drawn is what is known: places and ends of bars, marks and lines, number by number."""

import json

import matplotlib as mpl
import numpy as np
import pytest
import xarray
from matplotlib.figure import Figure

from ci_theory._errors import BadInput, Status
from ci_theory.figures import curves, marks, phase, series, style
from ci_theory.figures.condensed import means
from ci_theory.locate import Peak
from ci_theory.locate.point import BreakPoint
from ci_theory.phenomena import Break, Estimate, Phenomenon, load
from ci_theory.phenomena.ridge_peak import Measures, Params
from forms import form, formed


def point(value, low, high, status=Status.OK):
    return BreakPoint(value, low, high, 1.0, status)


FOUND = [
    point(10.0, 9.0, 14.0),
    point(20.0, -np.inf, 23.0),
    point(30.0, 22.0, np.inf),
    point(np.nan, 50.0, np.inf, Status.CENSORED),
    point(40.0, -np.inf, 50.0, Status.AT_EDGE),
    point(np.nan, np.nan, np.nan, Status.NO_BREAK),
]


@pytest.fixture
def axes():
    with style.applied():
        yield Figure().subplots()


def bars(container):
    """Ends of the error bars (k, 2), along the axis on which they lie."""
    ends = np.array(container.lines[2][0].get_segments())
    return ends[:, :, 1] if np.ptp(ends[:, :, 1]) else ends[:, :, 0]


def test_places_reach_from_the_lower_to_the_upper_end_and_open_ones_have_an_arrow(axes):
    marks.places(axes, [1, 2, 3, 4, 5, 6], FOUND, "C0", "o", "found")
    (container,) = axes.containers
    assert container.get_label() == "found"
    assert container.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert container.lines[0].get_ydata().tolist() == [10, 20, 30]
    assert bars(container).tolist() == [[9, 14], [20, 23], [22, 30]]
    arrows = [(text.xy[0], text.xy[1]) for text in axes.texts]
    assert arrows == [(3, 30.0), (4, 50.0)]  # open above, and not by the end


def test_a_strip_shows_intervals_up_to_the_ends_of_the_axis(axes):
    axes.set_xlim(12.0, 45.0)
    marks.strip_of(axes, [("C0", one, 15.0 + row) for row, one in enumerate(FOUND)])
    drawn = [line.get_xydata().tolist() for line in axes.lines]
    spans = [xy for xy in drawn if len(xy) == 2]
    wanted = [(12, 14), (12, 23), (22, 45), (12, 45)]
    assert spans == [[[a, row], [b, row]] for (a, b), row in zip(wanted, (0, 1, 2, 4), strict=True)]
    by_marker = {}
    for line in axes.lines:
        by_marker.setdefault(line.get_marker(), []).append(line.get_xydata().tolist()[0])
    assert by_marker["o"] == [[10, 0], [20, 1], [30, 2], [40, 4]]
    assert by_marker["|"] == [[15 + row, row] for row in range(6)]
    assert by_marker[">"] == [[50, 3]]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row is on top


def test_points_are_means_with_their_intervals(axes):
    rng = np.random.default_rng(0)
    y = xarray.DataArray(rng.normal(size=(3, 7)), dims=("n", "replicate"))
    found = means(y)
    marks.points(axes, np.array([1.0, 2.0, 4.0]), found, "C1", "s")
    (container,) = axes.containers
    np.testing.assert_allclose(container.lines[0].get_ydata(), y.mean("replicate"))
    half = 2.446912 * y.std("replicate", ddof=1) / 7**0.5  # Student, 6 degrees of freedom
    np.testing.assert_allclose(found.half, half, rtol=1e-6)
    ends = np.stack([found.mean - found.half, found.mean + found.half], axis=1)
    np.testing.assert_allclose(bars(container), ends)
    assert not marks.small_bars(axes, [found])
    assert marks.small_bars(axes, [found._replace(error=1e-6 * found.error)])


def test_what_is_not_drawn_is_not_in_the_legend():
    whole = [line.get_label() for line in marks.keys(replicates=9, breaks=True, decoys=("wrong",))]
    assert whole[0] == "simulation: mean of 9 runs\n95 % interval"
    assert whole[1:] == [
        "theory",
        "decoy: wrong",
        "located break, 95 % interval",
        "predicted break",
    ]
    assert [line.get_label() for line in marks.keys(line=False)] == []
    (thin,) = marks.keys(thin=True)
    assert "outside its stated scope" in thin.get_label()


def toy(value, status=Status.OK, slack=0.0):
    """A phenomenon with one form of the error, and a peak in n."""
    silent = Phenomenon(
        name="toy",
        title="toy",
        claims=(),
        question="?",
        model="?",
        params=Params,
        measures=Measures,
        simulate=lambda key, params, capacity: None,
        breaks=(Break(name="peak", axis="n", measure="test_error", locator=Peak(log_axis=False)),),
    )

    def evaluate(params, world):
        return Estimate(value(params), slack, True, int(status))

    return formed(silent, form("test_error", evaluate, name="form"))


def test_what_a_solver_failed_to_find_is_not_drawn():
    for status in Status:
        made = toy(lambda params: params.noise * params.n, status)
        line = series.line(made, made.predictions[0], "n", np.arange(1.0, 6), {"noise": 2.0})
        if status == Status.OK:
            np.testing.assert_allclose(line.value[0], 2 * np.arange(1, 6))
        else:
            assert np.isnan(line.value).all(), status
            assert not line.valid.any()


@pytest.fixture
def peaked(monkeypatch):
    """Replicates of -(n - peak)^2 at two ridges, and a form whose peak is elsewhere."""
    made = toy(lambda params: 900 - (params.n - 12.0 - params.ridge) ** 2, slack=1.0)
    monkeypatch.setattr(series, "load", lambda name, trusted: made)
    n, ridge = np.arange(1, 31), np.array([0.0, 10.0])
    place = 10 + ridge[:, None, None] + 0.5 * np.linspace(-1, 1, 5)
    y = 800 - (n[None, :, None] - place) ** 2
    fixed = {name: axis.default for name, axis in made.axes.items() if name not in ("n", "ridge")}
    return xarray.Dataset(
        {"test_error": (("ridge", "n", "replicate"), y, {"unit": "1"})},
        {"n": n, "ridge": ridge},
        {"phenomenon": "toy", "fixed": json.dumps(fixed)},
    )


def test_a_panel_holds_what_was_measured_and_what_is_predicted(peaked):
    panel = curves.contents(peaked, "test_error", "n", "ridge")
    assert [curve.measured.value for curve in panel.curves] == pytest.approx([10, 20])
    assert [curve.predicted for curve in panel.curves] == pytest.approx([12, 22])
    assert panel.breaks
    unbroken = [c._replace(measured=c.measured._replace(status=Status.NO_BREAK), predicted=None)
                for c in panel.curves]  # fmt: skip
    assert not panel._replace(curves=unbroken).breaks  # an empty strip shows nothing
    assert panel._replace(curves=[*unbroken[:1], panel.curves[1]._replace(predicted=None)]).breaks
    assert panel._replace(curves=[*unbroken[:1], unbroken[1]._replace(predicted=3.0)]).breaks
    place = np.searchsorted(panel.line.x, 7.0)
    assert panel.line.value[:, place] == pytest.approx([900 - 25, 900 - 225])
    assert panel.line.slack[:, place] == pytest.approx([1, 1])
    mean = peaked.test_error.mean("replicate")
    for curve, (_, wanted) in zip(panel.curves, mean.groupby("ridge"), strict=True):
        np.testing.assert_allclose(curve.means.mean, wanted.squeeze())
    shown = curves.choose(peaked)
    assert (shown.measure, shown.x, shown.colour) == ("test_error", "n", "ridge")
    assert curves.choose(peaked, x="ridge").x == "ridge"
    assert curves.choose(peaked, colour="ridge", held={"n": 3}, x="ridge").held == {"n": 3}


def test_a_form_is_told_at_the_places_asked_for_and_at_those_of_the_runs(peaked, monkeypatch):
    coarse = peaked.isel(n=slice(0, None, 10))

    def told(grid=None):
        return curves.contents(coarse, "test_error", "n", "ridge", grid=grid).line.x.tolist()

    assert told(np.array([2.0, 15.0])) == [1, 2, 11, 15, 21]
    monkeypatch.setattr(series, "load", lambda name, trusted: toy(lambda params: params.n % 2.0))
    assert told() == [1, 11, 21]  # no saw, unless it is asked for
    assert told(np.arange(1.0, 22.0)) == list(range(1, 22))


def test_of_two_places_no_break_is_sought(peaked):
    panel = curves.contents(peaked.isel(n=[0, 5]), "test_error", "n", "ridge")
    assert [(c.measured, c.predicted) for c in panel.curves] == [(None, None)] * 2


def test_a_map_shows_means_and_breaks_where_they_are(peaked, axes):
    found = phase.contents(peaked, "test_error", "n", "ridge", {})
    np.testing.assert_allclose(found.image, peaked.test_error.mean("replicate"))
    form = 900 - (peaked.n.values - 12.0 - peaked.ridge.values[:, None]) ** 2
    np.testing.assert_allclose(found.theory, form)
    mesh = phase.paint(axes, found.x, found.y, found.image, phase._norm([found.image]))
    np.testing.assert_allclose(mesh.get_array(), found.image)
    np.testing.assert_allclose(mesh.get_coordinates()[0, :3, 0], [0.5, 1.5, 2.5])
    (container,) = phase.located(axes, found.measured, found.x, found.y)
    np.testing.assert_allclose(container.lines[0].get_xdata(), [10, 20])
    assert container.lines[0].get_ydata().tolist() == [0, 10]
    ends = np.array(container.lines[2][0].get_segments())[:, :, 0]
    runs = peaked.test_error.transpose("ridge", "replicate", "n").to_numpy()
    wanted = [Peak(log_axis=False).locate(found.x, curves) for curves in runs]
    np.testing.assert_allclose(ends, [(one.low, one.high) for one in wanted])
    (line,) = phase.predicted(axes, found.break_, found.y, found.line)
    np.testing.assert_allclose(line.get_xdata(), [12, 22])
    assert line.get_ydata().tolist() == [0, 10]


def test_of_what_is_not_shown_the_middle_is_held(peaked):
    several = peaked.expand_dims(p=[3, 5, 8, 13, 21, 34, 55, 89, 144])
    assert curves.choose(several).held == {"p": 21}
    assert curves.choose(several, held={"p": 5}).held == {"p": 5}


def test_scales_and_words():
    ends = style.colours([5.0, 7.0, 6.0])
    assert ends[0] == tuple(mpl.colormaps["viridis"](0.0))
    assert ends[1] == tuple(mpl.colormaps["viridis"](0.76))  # no yellow on white
    assert (style.range_scale(1, 21), style.range_scale(1, 19), style.range_scale(0, 100)) == (
        "log",
        "linear",
        "linear",
    )
    assert style.grid_scale(np.array([1.0, 2.0, 4.0, 8.0])) == "log"
    assert style.grid_scale(np.array([1.0, 2.0, 3.0, 30 / 7])) == "linear"
    assert style.grid_scale(np.array([0.0, 1.0, 10.0, 100.0])) == "linear"
    texts = [style.value_text(v) for v in (True, False, "a_b", 3.0, 100000.0, 0.123456)]
    assert texts == ["yes", "no", "a b", "3", "1e+05", "0.123"]
    about = {"long_name": "a thing; more", "unit": "m"}
    assert style.label("x", about) == "a thing, x [m]"
    assert style.label("x", {}) == "x [1]"
    assert style.label("x", {"long_name": "a thing, see there", "unit": "m"}) == "a thing, x [m]"
    assert (
        style.label("edits", {"long_name": "edits made", "unit": "edits"}) == "edits made [edits]"
    )
    assert style.label("edit", {"long_name": "edits made"}) == "edits made, edit [1]"
    assert load("ridge_peak").axes["n"].doc in style.label("n", {"long_name": "training rows"})


def test_where_nothing_is_predicted_a_break_stands_where_its_closed_form_says(monkeypatch):
    """And by the rule that found the measured one, where a form is drawn."""
    made = toy(lambda params: params.n)
    silent = Phenomenon(
        **{k: getattr(made, k) for k in ("name", "title", "claims", "question", "model", "params",
                                         "measures", "simulate")},
        breaks=(made.breaks[0].__class__(
            name="peak", axis="n", measure="test_error", locator=Peak(log_axis=False),
            closed_form=lambda params: 3.0 * params.p + params.ridge),),
    )  # fmt: skip
    monkeypatch.setattr(series, "load", lambda name, trusted: silent)
    n = np.arange(1, 12)
    fixed = {name: axis.default for name, axis in silent.axes.items() if name != "n"}
    fixed |= {"p": 4, "ridge": 0.0}
    y = -((n[:, None] - 6.0 + 0.1 * np.arange(3)) ** 2)
    data = xarray.Dataset({"test_error": (("n", "replicate"), y)}, {"n": n},
                          {"phenomenon": "toy", "fixed": json.dumps(fixed)})  # fmt: skip
    (curve,) = curves.contents(data, "test_error", "n").curves
    assert curve.predicted == 12.0
    del fixed["ridge"]
    several = data.expand_dims(ridge=[0.5, 2.0]).assign_attrs(fixed=json.dumps(fixed))
    each = curves.contents(several, "test_error", "n", "ridge").curves
    assert [one.predicted for one in each] == [12.5, 14.0]
    assert curve.measured.value == pytest.approx(5.9, abs=0.1)


def test_both_maps_have_one_scale_of_colours(peaked):
    made = phase.draw(peaked, measure="test_error", x="n", y="ridge", title="t")
    meshes = [c for a in made.axes for c in a.collections if hasattr(c, "get_coordinates")]
    shown = meshes[:2]
    low = min(float(np.min(m.get_array())) for m in shown)
    high = max(float(np.max(m.get_array())) for m in shown)
    for mesh in shown:
        assert (mesh.norm.vmin, mesh.norm.vmax) == (low, high)
    assert [a.get_title("left") for a in made.axes[:2]] == ["simulation", "theory"]
    (legend,) = made.legends
    told = [text.get_text() for text in legend.get_texts()]
    assert told == ["located break, 95 % interval", "predicted break"]
    beside = curves.draw(peaked, measure="test_error", x="n", panel="ridge")
    assert [a.get_title("left") for a in beside.axes] == ["ridge = 0", "ridge = 10", "", ""]
    assert type(phase._norm([np.array([1.0, 30.0])])).__name__ == "LogNorm"
    assert type(phase._norm([np.array([1.0, 19.0])])).__name__ == "Normalize"
    assert type(phase._norm([np.array([-1.0, 30.0])])).__name__ == "Normalize"
    empty = phase._norm([np.array([np.nan])])
    assert (empty.vmin, empty.vmax) == (0, 1)


def test_levels_without_a_break_are_left_out_and_open_ends_reach_the_edge(axes):
    x, y = np.array([5.0, 45.0]), np.arange(6.0)
    (container,) = phase.located(axes, FOUND, x, y)
    assert container.lines[0].get_ydata().tolist() == [0, 1, 2, 4]
    ends = np.array(container.lines[2][0].get_segments())[:, :, 0]
    assert ends.tolist() == [[9, 14], [5, 23], [22, 45], [5, 45]]
    assert phase.located(axes, FOUND[5:], x, y[:1]) == []


def test_a_picture_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    with style.applied():
        made, _ = style.figure()
    (file,) = style.save(made, tmp_path, "one", formats=("png",), dpi=30)
    before = file.read_bytes()

    def cut_off(self, path, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", cut_off)
    with pytest.raises(BadInput, match="cannot be written: No space left"):
        style.save(made, tmp_path, "one", formats=("png",))
    assert [one.name for one in tmp_path.iterdir()] == ["one.png"]
    assert file.read_bytes() == before


def test_a_legend_of_curves_has_their_units_and_marks():
    made = marks.curve_keys("noise", {"unit": "label²"}, [0.1, 2000.0], ["red", "blue"])
    assert [one.get_label() for one in made] == ["noise = 0.1 label²", "noise = 2000 label²"]
    assert [one.get_marker() for one in made] == list(style.MARKERS[:2])
    assert [one.get_color() for one in made] == ["red", "blue"]
    for pure in ("1", ""):
        (one,) = marks.curve_keys("on", {"unit": pure}, [True], ["red"])
        assert one.get_label() == "on = yes"


def test_few_decades_have_plain_numbers_and_many_have_powers(axes):
    style.scale(axes, "x", 1, 50, "log")
    style.scale(axes, "y", 1, 1e6)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    axes.set_xlim(1, 50)
    axes.set_ylim(1, 1e6)
    axes.figure.draw_without_rendering()
    assert {t.get_text() for t in axes.get_xticklabels()} >= {"1", "2", "5", "10", "20", "50"}
    assert "$" in axes.get_yticklabels()[2].get_text()
    style.scale(axes, "x", 1, 300, "log")
    axes.set_xlim(1, 300)
    axes.figure.draw_without_rendering()
    few = {t.get_text() for t in axes.get_xticklabels()}
    assert few >= {"1", "3", "10", "30", "100", "300"}
    assert not few & {"2", "5", "20", "50"}
    style.scale(axes, "y", -1, 50)
    assert axes.get_yscale() == "linear"


def test_the_legend_of_maps_has_what_any_of_them_shows(peaked):
    rising = peaked.assign(test_error=peaked["test_error"] * 0 + peaked["n"])
    both = xarray.concat([peaked, rising], dim="p").assign_coords(p=[3, 5])
    fixed = json.loads(peaked.attrs["fixed"])
    del fixed["p"]
    both = both.assign_attrs(phenomenon="toy", fixed=json.dumps(fixed))
    words = {"measure": "test_error", "x": "n", "y": "ridge", "panel": "p"}
    made = phase.draw(both, **words, title="T", note="N")
    assert made.get_suptitle() == "T\nN"
    assert [axes.get_title("left") for axes in made.axes[:4]] == [
        f"{what}, p = {p}" for p in (3, 5) for what in ("simulation", "theory")
    ]
    assert phase.draw(both, **words).get_suptitle() == "toy"
    told = [text.get_text() for text in made.legends[0].get_texts()]
    assert told == ["located break, 95 % interval", "predicted break"]


def test_a_title_goes_on_in_the_next_line_of_a_narrow_picture():
    for width in (2.0, 6.0):
        made = Figure(figsize=(width, 1.0))
        style.head(made, "word " * 60)
        longest = max(map(len, made.get_suptitle().splitlines()))
        assert 15 * width - 5 <= longest <= 15 * width


def test_a_place_that_may_be_anywhere_has_no_arrow():
    for low, arrows in ((-np.inf, 0), (5.0, 1)):
        axes = Figure().subplots()
        late = BreakPoint(np.nan, low, np.inf, np.nan, Status.CENSORED)
        marks.places(axes, [1.0], [late], "k", "o", "it")
        assert len(axes.texts) == arrows


def test_a_curve_that_is_added_in_another_unit_has_its_break_in_it_too():
    measured = BreakPoint(2.0, 1.0, 3.0, 7.0, Status.OK)
    three = np.array([1.0, 2.0, 3.0])
    means = series.Means(three, 0.1 * three, np.full(3, 5))
    panel = curves.Panel(three, None, [curves.Curve(means, "k", "o", measured, 2.5)], [], "", "")
    axes = Figure().subplots()
    _, found, predicted = curves.add(axes, panel, 0, "it", per=10.0)
    assert (found.value, found.low, found.high, predicted) == (20.0, 10.0, 30.0, 25.0)
    assert axes.containers[0][0].get_xdata().tolist() == [10.0, 20.0, 30.0]
