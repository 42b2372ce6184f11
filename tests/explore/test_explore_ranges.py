"""Ranges, stops, presets, grids and summaries of a page, worked out by hand."""

import types

import numpy as np
import pytest
import scipy.stats
import xarray

from ci_theory import BadInput
from ci_theory._record import Axis, Kind
from ci_theory.explore import controls, curve, dots
from ci_theory.explore.address import MOST_TEXT, read
from ci_theory.explore.controls import Range
from ci_theory.phenomena import load
from ci_theory.sweeps import Sweep

PEAK = load("ridge_peak")


def number(default=1.0, **more):
    given = {"name": "k", "kind": Kind.TRACED, "type": float, "unit": "u", "doc": "d"}
    return Axis(**{**given, "default": default, **more})


WHOLE = number(4, type=int, low=1)


@pytest.mark.parametrize(
    ("axis", "ends", "inside"),
    [
        (number(), (2.0, 5.0), (2.0, 5.0)),
        (number(4.0, low=3), (2.0, 5.0), (3, 5.0)),
        (number(high=4), (2.0, 5.0), (2.0, 4)),
        (number(4.0, above=2), (2.0, 5.0), (2.03, 5.0)),
        (number(4.0, above=2), (2.5, 5.0), (2.5, 5.0)),
        (WHOLE, (2.2, 5.2), (3.0, 6.0)),
        (number(4, type=int, above=2), (1.0, 5.0), (3, 5.0)),
        (number(), (3.0, 3.0), (3.0, 6.0)),  # one value: as much beyond it as it is large
        (number(), (0.0, 0.0), (0.0, 1.0)),
        (number(), (-5.0, -5.0), (-5.0, 0.0)),
        (number(high=3), (3.0, 3.0), (0.0, 3)),
        (number(2.5, high=3, low=2), (3.0, 3.0), (2, 3)),
    ],
)
def test_the_part_of_a_range_inside_of_the_bounds(axis, ends, inside):
    assert controls._inside(axis, *ends) == pytest.approx(inside)


def test_a_narrow_range_is_widened():
    assert controls._wider(number(), 3.0) == 0.75
    assert controls._wider(number(), 3.0, up=True) == 12.0
    assert controls._wider(number(kind=Kind.STATIC), 3.0) == 1.5
    assert controls._wider(number(kind=Kind.STATIC), 1 / 3, up=True) == 0.667


@pytest.mark.parametrize(
    ("axis", "known", "shown"),
    [
        (number(5.0, above=0), (0.2, 4.0), (0.2, 5.0, True, 0.2)),  # 25 times
        (number(4.0, above=0), (0.2, 4.0), (0.2, 4.0, False, 0.2)),  # 20 times are not enough
        (number(1.0), (0.0, 30.0), (0.0, 30.0, True, 1.0)),
        (number(1.0), (-1.0, 30.0), (-1.0, 30.0, False, 1.0)),
        (number(1.0, low=0), (3.9,), (0.25, 15.6, True, 0.25)),  # within a factor of four
        (number(1.0, low=0), (4.0,), (0.0, 4.0, False, 1.0)),
        (number(0.0, low=0, high=10), (2.0,), (0.0, 2.0, False, 2.0)),
        (number(0.0, low=0, high=10), (3.0,), (0.0, 3.0, False, 3.0)),
        (number(0.0, low=0, high=10), (1.0,), (0.0, 4.0, False, 0.25)),
        (number(-3.0), (-3.0,), (-1.0, 1.0, False, 1.0)),
        (number(-3.0, low=-3), (-3.0,), (-3, -2, False, 1.0)),
    ],
)
def test_the_values_of_an_axis_that_are_worth_a_look(axis, known, shown):
    declared = [Sweep(phenomenon="x", axes={"k": known})]
    found = controls.shown_range(axis, declared)
    assert (found.low, found.high, found.log) == pytest.approx(shown[:3])
    if shown[2]:
        assert found.smallest == shown[3]


def test_words_have_no_range_and_sweeps_count_with_what_they_fix():
    assert controls.shown_range(number("a", type=str, kind=Kind.STATIC), []) is None
    assert controls.shown_range(number(False, type=bool), []) is None
    sweeps = [Sweep(phenomenon="x", fixed={"k": 7}), Sweep(phenomenon="x", axes={"k": (2, 3)}),
              Sweep(phenomenon="x")]  # fmt: skip
    assert controls._declared(number(1.0), sweeps) == [7.0, 2.0, 3.0, 1.0]


def test_stops_are_spread_with_both_ends():
    assert Range(0.0, 8.0, False, 2.0).spread(number(), 5) == [0, 2, 4, 6, 8]
    assert Range(0.0, 100.0, True, 1.0).spread(number(), 5) == [0, 1, 3.16, 10, 31.6, 100]
    assert Range(1.0, 4.0, False, 1.0).spread(WHOLE, 9) == [1, 2, 3, 4]
    assert all(type(v) is int for v in Range(1.0, 4.0, False, 1.0).spread(WHOLE, 9))


@pytest.mark.parametrize(
    ("axis", "values", "count", "words"),
    [
        (WHOLE, (12, 1, 2, 6, 3), 61, "1,2,3,6,12"),
        (WHOLE, (12, 1, 6, 3), 61, "lin(1,12,61)"),  # four that divide are not enough
        (WHOLE, (1, 2, 3, 4, 5, 7, 8, 9), 61, "lin(1,9,61)"),
        (WHOLE, (1, 2, 3, 4, 5, 7, 8, 9, 10), 61, "1,2,3,4,5,7,8,9,10"),
        (WHOLE, (2, 100), 61, "geom(2,100,61)"),
        (WHOLE, (20, 100), 61, "lin(20,100,61)"),
        (WHOLE, (20, 81), 61, "lin(20,81,61)"),
        (WHOLE, (0, 1, 500), 61, "0,1,500"),
        (number(), (0.5, 5.0), 9, "lin(0.5,5,9)"),  # ten times
        (number(), (0.5, 5.1), 9, "geom(0.5,5.1,9)"),
        (number(), (0.0, 0.1, 40.0), 9, "lin(0,40,9)"),
        (number(), (0.0, 0.1, 40.1), 9, "0,0.1,40.1"),
        (number(), (0.0, 40.1), 9, "lin(0,40.1,9)"),
        (number(), tuple(i / 8 for i in range(9)), 9, "0,0.125,0.25,0.375,0.5,0.625,0.75,0.875,1"),
        (number(), tuple(i / 8 for i in range(8)), 8, "lin(0.0,0.875,8)"),
    ],
)
def test_the_places_along_a_declared_axis(axis, values, count, words):
    assert controls._places(axis, values, count) == words


def test_words_of_values_and_of_ranges():
    given = [True, False, 2.0, 2, 0.30000000000000004, 1e15, -3.0, "word"]
    assert [controls._text(v) for v in given] == [
        "true", "false", "2", "2", "0.30000000000000004", "1000000000000000.0", "-3", "word",
    ]  # fmt: skip
    assert controls._range(Range(0.0, 9.0, True, 0.5), 7) == "geom(0.5,9,7)"
    assert controls._range(Range(0.0, 9.0, False, 0.5), 7) == "lin(0,9,7)"
    assert controls._short(0.123456) == 0.123


AXES = {
    "n": number(20, name="n", type=int, low=1, kind=Kind.SIZED),
    "k": number(1.0, low=0),
    "word": number("a", name="word", type=str, choices=("a", "b"), kind=Kind.STATIC),
    "on": number(False, name="on", type=bool),
}


def toy(*breaks):
    made = [types.SimpleNamespace(name=m, axis=a, measure=m, statement="") for a, m in breaks]
    return types.SimpleNamespace(
        name="toy", axes=AXES, breaks=tuple(made), mistakes=(),
        measure_info={"err": ("u", "d"), "gain": ("", "")},
    )  # fmt: skip


def test_a_control_is_an_axis_with_its_stops_or_its_words():
    declared = [Sweep(phenomenon="toy", axes={"k": (0.5, 3.3333)}, fixed={"on": True})]
    shown = controls.shown_range(AXES["k"], declared)
    made = controls._control(AXES["k"], shown, declared, 5)
    stops = made.pop("stops")
    assert made == {
        "name": "k", "type": "float", "kind": "traced", "unit": "u", "doc": "d", "default": 1.0,
        "low": 0, "high": None, "above": None, "log": False, "range": "lin(0,3.3333,5)",
    }  # fmt: skip
    assert stops == sorted(stops)
    assert {0.0, 0.5, 1.0, 3.3333} <= set(stops)
    assert len(stops) >= controls.STOPS
    words = controls._control(AXES["word"], None, declared, 5)
    assert (words["choices"], words["default"]) == (("a", "b"), "a")
    truth = controls._control(AXES["on"], None, declared, 5)
    assert (truth["choices"], truth["default"]) == (("false", "true"), "false")
    any_word = controls._control(number("x", type=str, kind=Kind.STATIC), None, declared, 5)
    assert any_word["choices"] == ("x",)


@pytest.mark.parametrize(
    ("breaks", "address"),
    [
        ((), "n=lin(10,30,7)&k=2&word=b&@seed=5"),  # along the longest
        ((("k", "gain"),), "k=lin(0.5,3,7)&n=25&word=b&@measure=gain&@seed=5"),
        ((("k", "gain"), ("n", "err")), "n=lin(10,30,7)&k=2&word=b&@measure=err&@seed=5"),
        ((("q", "gain"),), "n=lin(10,30,7)&k=2&word=b&@seed=5"),
    ],
)
def test_a_declared_sweep_as_an_address(breaks, address):
    sweep = Sweep(
        phenomenon="toy", name="mine", seed=5,
        axes={"word": ("b", "a"), "k": (0.5, 2.0, 3.0), "n": (10, 20, 25, 30)}, fixed={"on": False},
    )  # fmt: skip
    shown = {k: controls.shown_range(a, [sweep]) for k, a in AXES.items()}
    made = controls._preset(toy(*breaks), sweep, shown, 7)
    assert made == {"name": "mine", "title": "mine", "address": address}
    words = Sweep(phenomenon="toy", axes={"word": ("a", "b"), "k": (2.0,)}, fixed={"n": 3})
    assert controls._preset(toy(), words, shown, 7) is None


def test_an_address_without_a_declared_sweep():
    shown = {k: controls.shown_range(a, []) for k, a in AXES.items()}
    assert controls._plain_address(toy(), shown) == "n=lin(5,80,61)"
    along = controls._plain_address(toy(("word", "err"), ("k", "gain")), shown)
    assert along == "k=lin(0,4,61)&@measure=gain"
    with pytest.raises(BadInput, match="toy has no axis of numbers: there is nothing to draw"):
        controls._plain_address(toy(), {"word": None})


# --- grids, addresses and dots --------------------------------------------------------------------


def test_a_grid_has_its_last_range_fastest():
    asked = curve.Grid({"a": (1, 2), "b": (3, 4, 5)}, {"c": 6})
    assert (asked.shape, asked.first) == ((2, 3), {"a": 1, "b": 3, "c": 6})
    assert asked.varied == {"a": [1, 1, 1, 2, 2, 2], "b": [3, 4, 5, 3, 4, 5]}


def test_the_ends_of_an_address():
    assert read("@dots=60&@replicates=2&@seed=4294967295", PEAK).dots == 60
    for text in ("@dots=61", "@replicates=1", "@replicates=2001", "@seed=4294967296", "@dots=1.0",
                 "@dots=-1", "@seed=9999999999999999999999", "@dots=²"):  # fmt: skip
        with pytest.raises(BadInput, match=r"must be a whole number in"):
            read(text, PEAK)
    long = "n=" + "1" * (MOST_TEXT - 2)
    assert read(long, PEAK).text == long
    with pytest.raises(BadInput, match=rf"has {MOST_TEXT + 1} characters: at most {MOST_TEXT}"):
        read(long + "1", PEAK)


def test_places_of_a_page_are_so_many_and_no_more():
    many = ",".join(map(str, range(1, curve.MOST_PLACES + 1)))
    name, asked = curve.line(PEAK, read(f"n={many}", PEAK))
    assert (name, len(asked.ranges["n"])) == ("n", curve.MOST_PLACES)
    with pytest.raises(BadInput, match="n has 401 values: the page draws at most 400"):
        curve.line(PEAK, read(f"n={many},{curve.MOST_PLACES + 1}", PEAK))


def test_dots_are_summed_up_with_students_intervals():
    rng = np.random.default_rng(0)
    values = rng.normal(3.0, 1.0, (4, 6))
    status = np.zeros((4, 6), np.int8)
    status[1, 2:], status[2, 1:], status[3] = -1, -1, -1
    values[status < 0] = np.nan
    values[0, 5], status[0, 5] = np.inf, 3
    data = xarray.Dataset(
        {"m": (("n", "replicate"), values), "status": (("n", "replicate"), status)},
        {"n": [5, 7, 9, 11]},
    )
    made = dots.summary(data)
    assert (made["axis"], made["places"].tolist(), made["runs"], made["of"]) == (
        "n", [5, 7, 9, 11], 9, 24,
    )  # fmt: skip
    one = made["measures"]["m"]
    assert one["count"] == [5, 2, 1, 0]
    for i, count in ((0, 5), (1, 2)):
        y = values[i][:count]
        low, high = scipy.stats.t.interval(0.95, count - 1, y.mean(), scipy.stats.sem(y))
        assert (one["mean"][i], one["low"][i], one["high"][i]) == pytest.approx(
            (y.mean(), low, high)
        )
    assert one["mean"][2] == values[2, 0]
    assert np.isnan([one["low"][2], one["high"][2], one["mean"][3]]).all()


def test_chunks_of_dots_are_many_and_no_run_is_alone():
    def most(cells, replicates):
        return dots._most_runs(types.SimpleNamespace(cells=cells, replicates=replicates))

    assert [most(10, 40), most(10, 41), most(2, 3), most(16, 4)] == [25, 26, 4, 4]
