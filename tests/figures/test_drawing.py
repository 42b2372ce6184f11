"""Every generic figure: what is on it, its labels, and bytes that never change."""

import hashlib
import itertools
import json

import matplotlib as mpl
import matplotlib.figure
import matplotlib.lines
import numpy as np
import pytest
import xarray

from ci_theory._errors import BadInput
from ci_theory.figures import curves, marks, phase, series, style, survival
from ci_theory.locate.survival import break_times, survival_curve
from ci_theory.phenomena import load


def networks():
    """Eight runs at three fractions that learn at scattered steps, or not at all."""
    steps, fractions = np.array([0, 10, 30, 100, 300, 1000]), np.array([0.3, 0.5, 0.7])
    axes = load("modular_grokking").axes
    coords = {
        name: (name, values, {"unit": axes[name].unit, "long_name": axes[name].doc})
        for name, values in (("fraction", fractions), ("step", steps))
    }
    when = np.random.default_rng(1).uniform(20, 400, (3, 1, 8)) * np.array([9, 2, 1]).reshape(
        3, 1, 1
    )
    dims = ("fraction", "step", "replicate")
    found = {
        "test_accuracy": (dims, (steps[None, :, None] > when).astype(float)),
        "train_accuracy": (dims, np.broadcast_to(steps[None, :, None] > 20.0, (3, 6, 8)) * 1.0),
    }
    about = {"phenomenon": "modular_grokking", "fixed": json.dumps({"p": 23})}
    return xarray.Dataset(found, coords, about)


def test_the_share_of_runs_left_is_drawn_with_those_given_up():
    data = networks()
    assert survival.speaks(data)
    left, right = survival.draw(data).axes
    late = data.test_accuracy.to_numpy()[0, -1]
    assert 0 < late.mean() < 1
    ends = [line.get_ydata()[-1] for line in right.lines if line.get_marker() != "|"]
    assert ends[0] == pytest.approx(1 - late.mean())
    assert ends[1::2] == [0.0] * 3  # training answers are always learnt
    last = [line.get_xdata()[-1] for line in right.lines if line.get_marker() != "|"]
    assert all(place < 1000 for place in last[1::2])  # nothing is left to tell of
    assert last[0] == 1000
    given_up = [line for line in right.lines if line.get_marker() == "|"]
    assert len(given_up) == np.sum(data.test_accuracy.to_numpy()[:, -1].min(axis=-1) == 0)
    assert len(left.lines) == 3 * 2 * 8 + 1


def test_between_two_breaks_the_share_is_the_one_after_the_first():
    x, y = np.array([1.0, 10.0, 100.0, 1000.0]), np.zeros((4, 5))
    y[1:, 0], y[2:, 1:3] = 1.0, 1.0
    rule = load("modular_grokking").breaks[0]
    with style.applied():
        axes = mpl.figure.Figure().subplots()
        survival.shares(axes, x, y, rule, "C0")
    line, (band,) = axes.lines[0], axes.collections[0].get_paths()
    curve = survival_curve(break_times(x, y.T, rule.locator.level))
    assert curve.share.tolist() == [0.8, 0.4]
    corners = mpl.cbook.STEP_LOOKUP_MAP[line.get_drawstyle()](*line.get_data())
    ends = [*curve.time, x[-1]]
    between = [0.9 * a + 0.1 * b for a, b in itertools.pairwise(ends)]
    between += [0.1 * a + 0.9 * b for a, b in itertools.pairwise(ends)]
    assert np.interp(between, *corners).tolist() == [0.8, 0.4, 0.8, 0.4]
    for t, low, high in zip(between, [*curve.low] * 2, [*curve.high] * 2, strict=True):
        inside = band.contains_points([(t, low - 0.01), (t, low + 0.01), (t, high - 0.01)])
        assert inside.tolist() == [False, True, True]
        assert not band.contains_point((t, high + 0.01))


def test_curves_of_means_are_not_taken_for_single_runs(sweep):
    assert not survival.speaks(sweep)
    with pytest.raises(BadInput, match="single runs"):
        survival.draw(sweep)


# No formula, though it looks like one.
SAID = {"title": "What costs $a_{ and $2^{\x1b", "note": "a note"}
MAP = {"measure": "test_error", "x": "n", "y": "ridge", "panel": "noise"}
DRAWINGS = {
    "curves": lambda data: curves.draw(data, decoys=("noise halved",), **SAID),
    "curves along ridge": lambda data: curves.draw(data, x="ridge", colour="noise"),
    "single runs": lambda data: survival.draw(networks(), **SAID),
    "maps": lambda data: phase.draw(data, **MAP, **SAID),
}


@pytest.fixture(params=DRAWINGS, scope="module")
def drawing(request):
    return DRAWINGS[request.param]


def test_two_runs_write_the_same_bytes(drawing, sweep, tmp_path):
    digests = []
    for run in ("first", "second"):
        files = style.save(drawing(sweep), tmp_path / run, "figure", dpi=80)
        assert [f.name for f in files] == ["figure.png", "figure.pdf"]
        digests.append([hashlib.sha256(f.read_bytes()).hexdigest() for f in files])
        assert sorted(f.name for f in (tmp_path / run).iterdir()) == ["figure.pdf", "figure.png"]
    assert digests[0] == digests[1]


def test_axes_are_labelled_with_their_units(drawing, sweep):
    made = drawing(sweep)
    labels = [text for a in made.axes for text in (a.get_xlabel(), a.get_ylabel()) if text]
    labels = [text.replace("\n", " ") for text in labels if text != "break"]
    assert len(labels) >= 2
    for text in labels:
        assert text.endswith("]"), text
        assert "[" in text, text


def test_drawing_leaves_matplotlib_as_it_was(drawing, sweep, tmp_path):
    before = dict(mpl.rcParams)
    style.save(drawing(sweep), tmp_path, "figure", formats=("png",), dpi=50)
    assert dict(mpl.rcParams) == before


def test_legend_covers_no_panel(drawing, sweep):
    made = drawing(sweep)
    made.draw_without_rendering()
    for legend in made.legends:
        box = legend.get_window_extent()
        assert not any(box.overlaps(a.get_window_extent()) for a in made.axes)
        assert made.bbox.x0 <= box.x0
        assert box.x1 <= made.bbox.x1


def test_curves_show_the_means_the_theory_and_the_break(sweep):
    made = curves.draw(sweep, held={"ridge": 1.0})
    strip, main = made.axes
    drawn = [line.get_xydata() for line in main.get_lines()]
    mean = sweep["test_error"].sel(ridge=1.0, noise=1.0).mean("replicate").to_numpy()
    assert any(len(xy) == len(mean) and np.allclose(xy[:, 1], mean) for xy in drawn)
    # the peak in n of noisy labels is near n = p = 100, located and predicted
    centres = [xy[0, 0] for xy in (li.get_xydata() for li in strip.get_lines()) if len(xy) == 1]
    assert len(centres) >= 2
    assert all(90 < c < 110 for c in centres)


def test_lines_at_predicted_breaks_are_told_once():
    """By the strip above a panel if there is one, else in the legend of the figure."""

    def told(*labels, broken=True):
        made = mpl.figure.Figure()
        made.subplots().axvline(1.0, label=style.BREAK if broken else "other")
        handles = [mpl.lines.Line2D([], [], label=label) for label in labels]
        return [text.get_text() for text in style.legend_below(made, handles).get_texts()]

    assert told("theory") == ["theory", "predicted break"]
    assert told("theory", "predicted break") == ["theory", "predicted break"]
    assert told("theory", broken=False) == ["theory"]


def test_a_form_is_thin_where_it_claims_nothing_and_its_slack_is_not_shaded_there():
    value = np.array([[7.0, 7.0, 7.0, 7.0], [1.0, 2.0, 3.0, 4.0]])  # the second of two curves
    valid, slack = np.array([[True] * 4, [True, True, False, False]]), np.array([[9.0], [0.5]])
    line = series.Line(np.arange(4.0), value, 0 * value + slack, valid, {"wrong": 2 * value})
    with style.applied():
        axes = mpl.figure.Figure().subplots()
        marks.theory(axes, line, 1, "C0", decoys=["wrong"], slack=True)
        thin, thick, decoy = axes.lines
        assert thin.get_linewidth() < thick.get_linewidth()
    assert thin.get_ydata().tolist() == [1, 2, 3, 4]
    assert np.array_equal(thick.get_ydata(), [1, 2, np.nan, np.nan], equal_nan=True)
    assert decoy.get_ydata().tolist() == [2, 4, 6, 8]
    (shade,) = axes.collections
    corners = shade.get_paths()[0].vertices
    assert (corners[:, 0].max(), corners[:, 1].min(), corners[:, 1].max()) == (1.0, 0.5, 2.5)


def test_a_hidden_interval_is_said_to_be_hidden(sweep):
    quiet = sweep.copy()
    mean = sweep["test_error"].mean("replicate")
    quiet["test_error"] = (mean + 1e-6 * sweep["test_error"]).transpose(*sweep["test_error"].dims)
    quiet["test_error"].attrs = sweep["test_error"].attrs
    loud = sweep.copy()
    loud["test_error"] = mean + 30 * (sweep["test_error"] - mean)
    loud["test_error"].attrs = sweep["test_error"].attrs
    texts = [
        " ".join(t.get_text() for t in curves.draw(data).legends[0].get_texts())
        for data in (quiet, loud)
    ]
    assert "smaller than the symbol" in texts[0]
    assert "smaller than the symbol" not in texts[1]


def test_map_cells_are_centred_on_the_grid():
    assert np.allclose(phase.edges(np.array([1.0, 2.0, 3.0])), [0.5, 1.5, 2.5, 3.5])
    assert np.allclose(phase.edges(np.array([1.0, 10.0, 100.0])), 10.0 ** np.arange(-0.5, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"measure": "test_eror"}, "unknown measure 'test_eror'"),
        ({"x": "m"}, "unknown axis 'm'"),
        ({"decoys": ("noise doubled",)}, "unknown decoy 'noise doubled'"),
    ],
)
def test_a_wrong_name_is_one_line(sweep, arguments, message):
    with pytest.raises(BadInput, match=message):
        curves.draw(sweep, **arguments)


def test_a_map_needs_a_value_for_every_other_axis(sweep):
    with pytest.raises(BadInput, match="ridge needs a value"):
        phase.draw(sweep, measure="test_error", x="n", y="noise")


def test_colours_of_numbers_follow_their_order():
    shuffled = style.colours([3.0, 1.0, 2.0])
    ordered = style.colours([1.0, 2.0, 3.0])
    assert [shuffled[1], shuffled[2], shuffled[0]] == ordered
    assert style.colours(["a", "b"]) == list(style.PALETTE[:2])
    assert style.colours([True, False]) == list(style.PALETTE[:2])


def test_an_unwritable_folder_is_one_line(sweep, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    made = curves.draw(sweep, held={"ridge": 1.0})
    with pytest.raises(BadInput, match="cannot be written"):
        style.save(made, blocker / "out", "figure")


def test_lowest_takes_the_best_curve_at_every_place(sweep):
    held = {"noise": 1.0}
    panel = curves.contents(sweep, "test_error", "n", "ridge", held)
    best = curves.lowest(panel)
    mean = sweep["test_error"].sel(held).mean("replicate")
    assert np.allclose(best.curves[0].means.mean, mean.min("ridge"))
    assert np.allclose(best.line.value[0], panel.line.value.min(axis=0))


def test_a_curve_can_be_added_on_another_scale(sweep):
    panel = curves.contents(sweep, "test_error", "n", None, {"noise": 1.0, "ridge": 1.0})
    with style.applied():
        _, axes = style.figure()
        hue, measured, predicted = curves.add(axes[0, 0], panel, 1, "text", per=0.01)
    assert hue == style.PALETTE[1]
    assert measured.value == pytest.approx(0.01 * panel.curves[0].measured.value)
    assert predicted == pytest.approx(0.01 * panel.curves[0].predicted)
    assert axes[0, 0].get_legend_handles_labels()[1] == ["text"]


def test_of_several_panels_of_single_runs_the_first_is_drawn():
    data = networks()
    both = xarray.concat([data, 0 * data], dim="noise").assign_coords(noise=[0.0, 0.5])
    made = survival.draw(both.assign_attrs(data.attrs))
    left, right = made.axes
    assert "noise = 0\n" in made.get_suptitle() + "\n"
    one, other = survival.draw(data).axes
    for mine, wanted in ((left, one), (right, other)):
        assert len(mine.lines) == len(wanted.lines)
        for a, b in zip(mine.lines, wanted.lines, strict=True):
            np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())
