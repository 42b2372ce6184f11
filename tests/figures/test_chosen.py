"""What a picture shows where nobody says, and where theory puts a break: worked out by hand."""

import types

import numpy as np
import pytest
import xarray
from matplotlib.figure import Figure

from ci_theory import BadInput
from ci_theory._errors import Status
from ci_theory.figures import curves, marks, overview, phase, series, style
from ci_theory.figures.condensed import Means
from ci_theory.locate import Peak
from ci_theory.locate.point import BreakPoint

NAN = np.nan


def break_(axis, measure="err", locator=None, closed_form=None):
    return types.SimpleNamespace(
        axis=axis, measure=measure, name=axis, locator=locator or Peak(log_axis=False),
        closed_form=closed_form,
    )  # fmt: skip


@pytest.fixture
def swept(monkeypatch):
    """Make a sweep of axes of given lengths, of a phenomenon with some breaks and predictions."""

    def make(breaks=(), predictions=("gain",), measures=("err", "gain"), words=(), **sizes):
        silent = types.SimpleNamespace(
            breaks=tuple(breaks), name="toy", title="Toy",
            predictions=tuple(types.SimpleNamespace(measure=m) for m in predictions),
            measure_info=dict.fromkeys(measures, ("", "")),
        )  # fmt: skip
        monkeypatch.setattr(series, "phenomenon_of", lambda data: silent)
        shape = (*sizes.values(), 2)
        coords = {
            k: [f"w{i}" if k in words else 10 * i for i in range(n)] for k, n in sizes.items()
        }
        arrays = {m: ((*sizes, "replicate"), np.zeros(shape)) for m in measures}
        return xarray.Dataset(arrays, coords)

    return make


def test_curves_that_nobody_chose(swept):
    data = swept([break_("p"), break_("n")], n=9, p=3, q=8, r=5)
    assert curves.choose(data) == ("err", "p", "r", None, {"n": 40, "q": 40})
    # the longest of up to seven values are colours, of up to four panels; the rest in the middle
    assert curves.choose(data, x="n") == ("err", "n", "r", "p", {"q": 40})
    assert curves.choose(data, x="q") == ("gain", "q", "r", "p", {"n": 40})
    assert curves.choose(data, x="q", measure="err").measure == "err"
    assert curves.choose(data, measure="gain") == ("gain", "n", "r", "p", {"q": 40})
    assert curves.choose(data, colour="n") == ("err", "p", "n", None, {"q": 40, "r": 20})
    assert curves.choose(data, colour="n", held={"r": 0}).held == {"q": 40, "r": 0}
    assert curves.choose(data, panel="r") == ("err", "p", None, "r", {"n": 40, "q": 40})
    short = swept([break_("p"), break_("n")], n=9, p=2, q=1)
    assert curves.choose(short) == ("err", "n", "p", None, {"q": 0})  # two places are no curve
    mute = swept(predictions=(), n=3, p=3)
    assert curves.choose(mute) == ("err", "n", "p", None, {})
    for wrong, told in (({"x": "z"}, "unknown axis 'z'"), ({"held": {"z": 1}}, "unknown axis 'z'"),
                        ({"measure": "z"}, "unknown measure 'z'")):  # fmt: skip
        with pytest.raises(BadInput, match=told):
            curves.choose(data, **wrong)


def test_an_overview_that_nobody_chose(swept):
    shown = overview.choose(swept([break_("p")], n=12, p=3, q=5, r=4, s=1))
    assert (shown.x, shown.colour, shown.column, shown.measures) == ("p", "n", "q", ["err", "gain"])
    assert shown.left_out == ["6 of 12 values of n", "2 of 5 values of q", "r other than 20"]
    assert shown.data["n"].values.tolist() == [0, 20, 40, 70, 90, 110]
    assert shown.data["q"].values.tolist() == [0, 20, 40]
    assert (shown.data["r"].item(), shown.data["s"].item()) == (20, 0)
    shown = overview.choose(swept(n=2, p=6, q=7, words=("q",)))
    assert (shown.x, shown.colour, shown.column, shown.left_out) == (
        "p", "q", "n", ["1 of 7 values of q"],
    )  # fmt: skip
    assert overview.choose(swept([break_("p", "z")], p=2, q=2, words=("q",))).x == "p"
    words = overview.choose(swept(q=7, words=("q",)))
    assert (words.x, words.colour, words.column) == ("q", None, None)
    many = swept([break_("n", "e")], predictions=("d", "c"), measures=tuple("abcde"), n=3)
    shown = overview.choose(many)
    assert (shown.measures, shown.left_out) == (["e", "d", "c"], ["the measures a b"])
    assert overview._count(shown) == 1
    with pytest.raises(BadInput, match="no axis of this sweep has two values"):
        overview.choose(swept(n=1))


def test_the_heading_of_an_overview_says_what_is_left_out(swept, monkeypatch):
    heads = []
    monkeypatch.setattr(style, "head", lambda _, *words: heads.append(words))
    panel = curves.Panel(np.arange(3.0), None, [], [], "", "")
    monkeypatch.setattr(overview, "_panel", lambda *_: panel)
    monkeypatch.setattr(overview, "_paint", lambda *_: True)
    wanted = [(swept(n=12, p=3, q=5), None), (swept(n=12, p=8), None), (swept(n=12), "A")]
    wanted += [(data.assign_attrs(dtype="float32"), title) for data, title in wanted[1:]]
    for data, title in wanted:
        with style.applied():
            overview.draw(data, title=title)
    left_out = "not shown: 2 of 8 values of p"
    assert heads[:3] == [("Toy", ""), ("Toy", left_out), ("A", "")]
    single = "simulated in float32, which cuts peaks at interpolation: no verdict"
    assert heads[3:] == [("Toy", f"{single}; {left_out}"), ("A", single)]


def test_the_axis_is_named_below_the_lowest_panels_alone(swept, monkeypatch):
    panel = curves.Panel(np.arange(3.0), None, [], [], "", "")
    monkeypatch.setattr(overview, "_panel", lambda *_: panel)
    monkeypatch.setattr(overview, "_paint", lambda axes, *_: bool(axes.set_xlabel("rows")))
    with style.applied():
        made = overview.draw(swept(n=12))
    assert [axes.get_xlabel() for axes in made.axes] == ["", "rows"]


def test_a_heading_goes_on_in_the_next_line_where_the_figure_ends():
    made = Figure(figsize=(1.0, 1.0))  # fifteen letters
    style.head(made, "one two three\nfour", "five six seven eight", {"n": 3, "p": 0.5})
    assert made.get_suptitle().split("\n") == [
        *("one two three", "four", "five six seven", "eight", "at n = 3, p =", "0.5")
    ]


# --- where theory puts a break --------------------------------------------------------------------

X = np.arange(9.0)
POINT = BreakPoint(4.0, 3.0, 5.0, 1.0, Status.OK)


def line_of(*values):
    value = np.array(values, float)
    return series.Line(
        x=np.arange(0, 8.5, 0.5), value=value, slack=0.1 + 0 * value, valid=np.isfinite(value),
        decoys={"wrong": value + 1},
    )  # fmt: skip


def test_a_predicted_break_is_located_on_the_places_of_the_runs():
    dense = np.arange(0, 8.5, 0.5)
    saw = -((dense - 4.0) ** 2) + 100 * (dense % 1)  # what lies between the places does not count
    line = line_of(saw, NAN * saw)

    def told(index, kind, measured=POINT, line=line):
        phenomenon = types.SimpleNamespace(point=lambda fixed: fixed, params=dict)
        return curves._predicted(kind, phenomenon, {}, line, index, X, measured)

    assert told(0, break_("n")) == pytest.approx(4.0)
    assert told(0, break_("n", closed_form=lambda p: 99.0)) == pytest.approx(4.0)
    flat = line_of(dense, dense)
    assert told(0, break_("n", closed_form=lambda p: 99.0), line=flat) is None  # it has no break
    reaches = []

    class Matching:
        def matching(self, found):
            reaches.append(found)
            return Peak(log_axis=False)

        def locate(self, x, y):
            return POINT._replace(value=7.0)

    for status, place in ((Status.OK, 4.0), (Status.AT_EDGE, 4.0), (Status.NO_BREAK, 7.0)):
        seen = POINT._replace(status=status)
        assert told(0, break_("n", locator=Matching()), seen) == pytest.approx(place)
    assert [one.status for one in reaches] == [Status.OK, Status.AT_EDGE]
    beyond = types.SimpleNamespace(locate=lambda x, y: POINT._replace(status=Status.AT_EDGE))
    assert told(0, break_("n", locator=beyond)) is None  # a formula's break is on the axis or none


def test_without_a_line_the_closed_form_of_a_break_is_asked(monkeypatch):
    monkeypatch.setattr(curves, "build", lambda params, point: point)
    phenomenon = types.SimpleNamespace(point=lambda fixed: {**fixed, "p": 3}, params=None)
    kind = break_("n", closed_form=lambda point: 2.0 * point["p"] + point["n"])
    for line in (None, line_of(np.full(17, NAN))):
        assert curves._predicted(kind, phenomenon, {"n": 1}, line, 0, X, POINT) == 7.0
    nowhere = break_("n", closed_form=lambda point: NAN)
    assert curves._predicted(nowhere, phenomenon, {"n": 1}, None, 0, X, POINT) is None
    assert curves._predicted(break_("n"), phenomenon, {"n": 1}, None, 0, X, POINT) is None


def panel_of(measured=POINT, predicted=4.5, line=None):
    means = [Means(np.array(m), np.array(e), np.array([5, 6, 7]))
             for m, e in (([1.0, 5.0, 3.0], [0.1] * 3), ([2.0, 4.0, 3.5], [0.2] * 3))]  # fmt: skip
    found = [curves.Curve(m, c, "o", measured, predicted) for m, c in zip(means, "rb", strict=True)]
    return curves.Panel(np.array([1.0, 2.0, 4.0]), line, found, ["key"], "x", "y")


def test_the_best_of_several_curves_at_every_place():
    dense = np.arange(17.0)
    best = curves.lowest(panel_of(line=line_of(dense, 8 + 0 * dense)))
    (curve,) = best.curves
    assert curve.means.mean.tolist() == [1.0, 4.0, 3.0]
    assert curve.means.error.tolist() == [0.1, 0.2, 0.1]
    assert (curve.measured, curve.predicted, best.keys) == (None, None, [])
    assert best.line.value.tolist() == [np.minimum(dense, 8).tolist()]
    assert best.line.decoys == {}
    line = line_of(dense, 8 + 0 * dense)
    line = line._replace(slack=np.array([[0.1] * 17, [0.2] * 17]), valid=np.array([[0], [1]]) > 0)
    line = line._replace(valid=np.repeat(line.valid, 17, axis=1))
    best = curves.lowest(panel_of(line=line)).line
    assert best.slack[0].tolist() == [0.1] * 9 + [0.2] * 8  # those of the curve that is taken
    assert best.valid[0].tolist() == [False] * 9 + [True] * 8
    silent = line_of(np.where(dense < 5, NAN, dense), 8 + 0 * dense)
    assert curves.lowest(panel_of(line=silent)).line.value[0, :7].tolist() == [8] * 5 + [5, 6]
    assert curves.lowest(panel_of()).line is None
    assert curves.strip_height(3) == pytest.approx(0.41)


def test_a_curve_on_another_scale_takes_its_breaks_along():
    with style.applied():
        axes = Figure().subplots()
        line = line_of(np.arange(17.0))
        hue, measured, predicted = curves.add(axes, panel_of(line=line), 2, "two", per=0.5)
    assert hue == style.PALETTE[2]
    assert (measured.value, measured.low, measured.high, predicted) == (2.0, 1.5, 2.5, 2.25)
    assert axes.containers[0].lines[0].get_xdata().tolist() == [0.5, 1.0, 2.0]
    assert axes.containers[0].get_label() == "two"
    assert axes.lines[0].get_xdata()[-1] == 4.0
    with style.applied():
        axes = Figure().subplots()
        hue, measured, predicted = curves.add(axes, panel_of(None, None), 0, "none")
    assert (measured, predicted, axes.lines[0].get_xdata().tolist()) == (None, None, [1, 2, 4])


def test_each_curve_has_its_own_form_points_and_break():
    dense = np.arange(17.0)
    with style.applied():
        axes, strip = Figure().subplots(2)
        panel = panel_of(line=line_of(dense, 8 + 0 * dense))
        curves.paint(axes, panel, strip=strip, decoys=("wrong",))
    drawn = [(line.get_color(), list(line.get_ydata())) for line in axes.lines]
    for hue, value in (("r", dense), ("b", 8 + 0 * dense)):
        own = [y for colour, y in drawn if colour == hue and len(y) == 17]
        assert own == [value.tolist()] * 2 + [(value + 1).tolist()]
        assert [4.5, 4.5] in [
            line.get_xdata()
            for line in axes.lines
            if line.get_color() == hue and line.get_label() == style.BREAK
        ]
    points = [container.lines[0].get_ydata().tolist() for container in axes.containers]
    assert points == [[1.0, 5.0, 3.0], [2.0, 4.0, 3.5]]
    assert {line.get_color() for line in strip.lines} == {"r", "b", "black"}


def test_places_in_falling_order_have_the_scale_of_rising_ones():
    for x, kind in (([1.0, 2.0, 4.0], "log"), ([1.0, 2.0, 3.0], "linear")):
        for places in (x, x[::-1]):
            with style.applied():
                axes = Figure().subplots()
                curves.paint(axes, panel_of(None, None)._replace(x=np.array(places)))
            assert axes.get_xscale() == kind


def test_thin_is_where_a_form_has_a_value_and_no_claim():
    dense = np.arange(17.0)
    line = line_of(dense)
    assert not panel_of(line=line).thin
    assert not panel_of().thin
    assert panel_of(line=line._replace(valid=line.valid & (dense != 3))).thin
    gap = line_of(np.where(dense == 3, NAN, dense))
    assert not panel_of(line=gap).thin


def test_a_figure_of_curves_says_what_any_of_its_panels_shows(swept, monkeypatch):
    dense = np.arange(17.0)
    whole = line_of(dense, dense)
    part = whole._replace(valid=whole.valid & (dense != 3))
    said, asked = {}, []
    monkeypatch.setattr(marks, "keys", lambda **words: said.update(words) or ["symbol"])
    monkeypatch.setattr(style, "head", lambda _, *words: said.update(head=words))
    below = lambda _, handles, columns: said.update(handles=handles, columns=columns)  # noqa: E731
    monkeypatch.setattr(style, "legend_below", below)

    def drawn(*panels, **words):
        each = iter(panels)
        monkeypatch.setattr(curves, "contents", lambda *given, **how: asked.append((given, how))
                            or next(each))  # fmt: skip
        return curves.draw(swept(n=3, p=2, q=9), x="n", measure="err", **words)

    wide = drawn(panel_of(line=whole), panel_of(line=part), panel="p", title="T", note="N")
    assert (said["replicates"], said["line"], said["thin"], said["breaks"]) == (2, True, True, True)
    assert (said["head"], said["columns"]) == (("T", "N", {"q": 40}), 3)
    assert said["handles"] == ["symbol", "key"]
    assert [axes.get_title("left") for axes in wide.axes] == ["p = 0", "p = 10", "", ""]
    assert [axes.get_ylabel() for axes in wide.axes] == ["break", "break", "y", ""]
    assert [given[4] for given, _ in asked] == [{"q": 40, "p": 0}, {"q": 40, "p": 10}]
    one = drawn(panel_of(None, None), colour="p", prediction="named", decoys=())
    assert (said["line"], said["thin"], said["breaks"], said["columns"]) == (False, False, False, 2)
    assert said["head"] == ("Toy", "", {"q": 40})
    assert (asked[-1][0][1:], asked[-1][1]) == (
        ("err", "n", "p", {"q": 40}, "named"),
        {"decoys": False},
    )
    assert one.get_figwidth() < wide.get_figwidth() == style.PAGE
    with pytest.raises(BadInput, match="unknown decoy 'wrong'"):
        drawn(panel_of(), colour="p", decoys=("wrong",))


# --- maps -----------------------------------------------------------------------------------------


def test_edges_of_cells_lie_halfway_on_the_drawn_scale():
    assert phase.edges(np.array([3.0])).tolist() == [2.5, 3.5]
    assert phase.edges(np.array([1.0, 2.0, 4.0])).tolist() == pytest.approx(
        [2**-0.5, 2**0.5, 2**1.5, 2**2.5]
    )
    assert phase.edges(np.array([0.0, 1.0, 3.0])).tolist() == [-0.5, 0.5, 2.0, 4.0]


def test_a_map_has_no_line_where_no_break_is_predicted():
    places = iter([Status.OK, Status.AT_EDGE, Status.NO_BREAK])
    locate = lambda x, y: POINT._replace(status=next(places))  # noqa: E731
    kind = break_("n", locator=types.SimpleNamespace(locate=locate))
    with style.applied():
        axes = Figure().subplots()
        (drawn,) = phase.predicted(axes, kind, np.arange(3), line_of(*np.zeros((3, 17))))
    np.testing.assert_array_equal(drawn.get_xdata(), [4.0, NAN, NAN])


def test_breaks_on_a_map_say_where_their_bars_are_hidden():
    def label(half):
        with style.applied():
            axes = Figure().subplots()
            axes.set_xlim(0, 10)
            found = [POINT._replace(low=4 - half, high=4 + half)] * 2
            return phase.located(axes, found, np.array([0.0, 10.0]), np.array([1, 2]))[
                0
            ].get_label()

    assert label(1.0) == "located break, 95 % interval"
    assert label(1e-3) == "located break, 95 % interval, mostly smaller than the symbol"
