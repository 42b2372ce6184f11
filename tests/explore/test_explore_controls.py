"""Every phenomenon's knobs and presets: inside the rules, and of its declared sweeps."""

import json
from itertools import pairwise

import pytest

from ci_theory import _shipped
from ci_theory._record import Axis, Kind
from ci_theory.explore import controls
from ci_theory.explore.address import read
from ci_theory.explore.curve import line
from ci_theory.phenomena import load, names
from ci_theory.sweeps import Sweep, parse_value, read_sweep, values_for
from ci_theory.theory.statements.symbolic import concerning, stating


@pytest.mark.parametrize("name", names())
def test_every_knob_stays_inside_the_bounds_of_its_axis(name):
    phenomenon = load(name)
    about = json.loads(json.dumps(controls.document(phenomenon, name), allow_nan=False))
    assert [control["name"] for control in about["axes"]] == list(phenomenon.axes)
    for control in about["axes"]:
        axis = phenomenon.axes[control["name"]]
        assert control["doc"] == axis.doc
        if axis.type in (bool, str):
            for word in control["choices"]:
                values_for(axis, (parse_value(word, axis),))
            assert control["default"] in control["choices"]
            continue
        stops = control["stops"]
        assert stops == sorted(set(stops))
        assert len(stops) >= 2
        assert axis.default in stops
        for stop in stops:
            assert axis.problem(stop) is None
            assert values_for(axis, (parse_value(str(stop), axis),)) == (stop,)  # as it is sent
        assert len(values_for(axis, parse_value(control["range"], axis))) >= 2


@pytest.mark.parametrize("name", names())
def test_every_preset_is_a_point_that_the_rules_allow(name):
    phenomenon = load(name)
    about = controls.document(phenomenon, name)
    swept = [s for s in controls.sweeps(name)]
    assert {p["name"] for p in about["presets"]} == {s.name for s in swept}
    assert about["first"] == (about["presets"][0]["address"])
    by_name = {s.name: s for s in swept}
    for preset in about["presets"]:
        shown = read(preset["address"], phenomenon)
        assert shown.text == preset["address"]
        along, asked = line(phenomenon, shown)
        sweep = by_name[preset["name"]]
        values = asked.ranges[along]
        assert (min(values), max(values)) == (min(sweep.axes[along]), max(sweep.axes[along]))
        assert shown.seed == sweep.seed
        for value in (values[0], values[-1]):
            point = phenomenon.point({**asked.fixed, along: value})
            for key, held in point.items():
                allowed = sweep.axes.get(key, (sweep.fixed.get(key),))
                assert key == along or held in allowed


def test_every_declared_sweep_is_found():
    declared = [
        read_sweep(_shipped.find(_shipped.EXPERIMENT, e))
        for e in _shipped.names(_shipped.EXPERIMENT)
    ]
    found = [s.name for name in names() for s in controls.sweeps(name)]
    assert sorted(found) == sorted(s.name for s in declared)


def number(**more):
    return Axis(**{"name": "k", "kind": Kind.TRACED, "type": float, "unit": "", "doc": "k", **more})


def sweeps_of(*values):
    return [Sweep(phenomenon="x", axes={"k": values})]


@pytest.mark.parametrize(
    ("axis", "values", "low", "high", "log"),
    [
        (number(default=1.0, low=0), (0.5, 8.0), 0.0, 8.0, False),
        (number(default=1.0, above=0), (0.5, 8.0), 0.5, 8.0, False),
        (number(default=1.0, above=0), (0.01, 8.0), 0.01, 8.0, True),
        (number(default=0.0, low=0), (0.01, 8.0), 0.0, 8.0, True),  # a zero, and then by factors
        (number(default=0.0, low=0, high=1), (0.3,), 0.0, 1.0, False),  # a share
        (number(default=0.0, low=0, high=1), (0.0002, 0.0005), 0.0, 0.002, False),  # and a rare one
        (number(default=0.0, low=-1, high=1), (0.5,), -1.0, 1.0, False),
        (number(default=0.0, low=0, high=1), (0.05, 0.2), 0.0, 1.0, False),  # a fifth is much of it
        (number(default=0.0, low=0, high=1), (0.04, 0.19), 0.0, 0.19, False),
        (number(default=0.0, low=0, high=2), (0.2, 1.0), 0.0, 2.0, False),  # no share is larger
        (number(default=0.0, low=0, high=2.5), (0.1, 1.0), 0.0, 1.0, False),
        (number(default=0.5, above=0, high=1), (0.5,), 0.01, 1.0, True),
        (number(default=2, above=0, type=int, kind=Kind.SIZED), (2, 3), 1.0, 12.0, False),
        (number(default=4, above=3, type=int, kind=Kind.SIZED), (4,), 4.0, 16.0, False),
        (number(default=0.0, low=0), (0.0,), 0.0, 1.0, False),
        (number(default=-3.0, high=-3.0), (-3.0,), -6.0, -3.0, False),  # alone at a bound
        (number(default=-3.0, low=-4.0, high=-3.0), (-3.0,), -4.0, -3.0, False),
        (number(default=1.0, above=0), (1.0,), 0.25, 4.0, False),
        (number(default=1.0, above=0, kind=Kind.STATIC), (1.0,), 0.5, 2.0, False),
        (number(default=0.0), (0.0,), -1.0, 1.0, False),
        (number(default=10, low=1, type=int, kind=Kind.SIZED), (10, 11), 3.0, 44.0, False),
        (number(default=1, low=1, type=int, kind=Kind.SIZED), (1, 300), 1.0, 300.0, True),
    ],
)
def test_what_is_shown_of_an_axis(axis, values, low, high, log):
    shown = controls.shown_range(axis, sweeps_of(*values))
    assert shown[:3] == (low, high, log)
    stops = shown.spread(axis, 10)
    assert (stops[0], stops[-1]) == (low, high)
    assert not log or all(b / a < 6 for a, b in pairwise(stops) if a > 0)


def test_counts_that_divide_the_largest_keep_their_places():
    """In others a formula that rounds counts would make a saw."""
    whole = number(default=1, low=1, type=int, kind=Kind.SIZED)
    assert controls._places(whole, (1, 2, 3, 4, 6, 12)) == "1,2,3,4,6,12"
    assert controls._places(whole, (100, 200, 300, 400, 900)) == "lin(100,900,61)"


REAL = number(default=1.0)
COUNT = number(default=1, low=1, type=int, kind=Kind.SIZED)
TENTHS = tuple(round(0.1 * k, 12) for k in range(1, 10))
SQUARES = tuple(k * k for k in range(3, 12))


@pytest.mark.parametrize(
    ("axis", "values", "count", "places"),
    [
        (REAL, (0.1, 1.0, 10.0), 61, "geom(0.1,10,61)"),
        (REAL, (1.0, 10.0), 61, "lin(1,10,61)"),
        (REAL, (1.0, 11.0), 61, "geom(1,11,61)"),
        (REAL, (0.0, 0.1, 40.0), 61, "lin(0,40,61)"),
        (REAL, (0.0, 0.1, 41.0), 61, "0,0.1,41"),  # a zero, and then by factors
        (REAL, (0.0, 41.0), 61, "lin(0,41,61)"),
        (REAL, TENTHS, 9, ",".join(map(str, TENTHS))),  # as many as are drawn
        (REAL, TENTHS[:8], 8, "lin(0.1,0.8,8)"),
        (REAL, TENTHS, 10, "lin(0.1,0.9,10)"),
        (COUNT, (40, 100), 61, "lin(40,100,61)"),  # every one of them
        (COUNT, (3, 40), 61, "lin(3,40,61)"),
        (COUNT, (3, 64), 61, "geom(3,64,61)"),
        (COUNT, SQUARES, 61, "geom(9,121,61)"),
        (COUNT, (5, 10, 15, 30), 20, "lin(5,30,20)"),  # four may divide the largest by chance
        (COUNT, (4, 5, 10, 15, 30), 20, "lin(4,30,20)"),
        (COUNT, (3, 5, 10, 15, 30), 20, "3,5,10,15,30"),
    ],
)
def test_places_along_an_axis_are_as_it_was_declared_but_more(axis, values, count, places):
    assert controls._places(axis, values, count) == places


def test_a_preset_has_the_middle_of_other_numbers_and_the_first_of_words():
    chosen = []
    for name in names():
        phenomenon = load(name)
        swept = {s.name: s for s in controls.sweeps(name)}
        for preset in controls.document(phenomenon, name)["presets"]:
            along, asked = line(phenomenon, read(preset["address"], phenomenon))
            point = phenomenon.point(asked.first)
            for key, values in swept[preset["name"]].axes.items():
                if key == along or len(values) == 1:
                    continue
                number = phenomenon.axes[key].type in (int, float)
                assert point[key] == values[len(values) // 2 if number else 0]
                chosen.append(number)
    assert {True, False} == set(chosen)


@pytest.mark.parametrize("name", names())
def test_every_value_of_a_declared_sweep_is_a_stop(name):
    phenomenon = load(name)
    stops = {c["name"]: c.get("stops") for c in controls.document(phenomenon, name)["axes"]}
    for sweep in controls.sweeps(name):
        for key, value in [
            *sweep.fixed.items(),
            *((k, v) for k, vs in sweep.axes.items() for v in vs),
        ]:
            assert stops[key] is None or value in stops[key], (sweep.name, key, value)


def test_a_preset_is_drawn_along_the_longest_axis_with_a_break():
    seen = 0
    for name in names():
        phenomenon = load(name)
        swept = {s.name: s for s in controls.sweeps(name)}
        for preset in controls.document(phenomenon, name)["presets"]:
            along, _ = line(phenomenon, read(preset["address"], phenomenon))
            axes = {k: len(v) for k, v in swept[preset["name"]].axes.items() if len(v) > 1}
            numbers = {k: n for k, n in axes.items() if phenomenon.axes[k].type in (int, float)}
            breaking = {b.axis for b in phenomenon.breaks} & set(numbers)
            longest = max(numbers[k] for k in breaking or numbers)
            assert numbers[along] == longest, preset
            seen += len(breaking) > 1
    assert seen > 3


@pytest.mark.parametrize("name", names())
def test_formulas_are_told_of_the_predictions_that_they_state(name):
    told = {one["name"]: one for one in controls.document(load(name), name)["formulas"]}
    for prediction in load(name).predictions:
        stated = {s.name for s in stating(name, prediction.name)}
        assert {k for k, one in told.items() if prediction.name in one["predictions"]} == stated
    known = {p.name for p in load(name).predictions}
    for statement in concerning(name):
        one = told[statement.name]
        assert set(one["predictions"]) <= known
        assert (one["regime"], one["source"]) == (statement.regime, statement.source)
        assert [s["meaning"] for s in one["symbols"]] == list(statement.symbols.values())
    assert set(told) == {s.name for s in concerning(name)}


def test_without_a_declared_sweep_it_is_drawn_along_the_first_break():
    about = controls.document(load("ridge_peak"), "a copy of it")
    assert about["presets"] == []
    assert about["first"] == "n=lin(50,800,61)&@measure=test_error"


def test_the_sweep_that_is_called_like_its_phenomenon_comes_first():
    beside = 0
    for name in names():
        found = [sweep.name for sweep in controls.sweeps(name)]
        assert found == [*found[: name in found], *sorted(set(found) - {name})]
        assert name not in found or found[0] == name
        beside += found != sorted(found)
    assert beside > 3
