"""The values that are tried, the slopes that are trusted, and what shared mistakes change."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from declared_toy import PREDICTION, TOY, Forecast, changed

from ci_theory import BadInput
from ci_theory._record import axes_of, inner, part, record, sized, static, traced
from ci_theory.phenomena import _mistakes, _solve, sensitivity, solve
from ci_theory.phenomena import _sensitivity as slopes
from ci_theory.phenomena._sensitivity import Sensitivities, Sensitivity


@record
class Knobs:
    n: int = sized(10, low=1, doc="rows")
    p: int = static(3, low=1, doc="columns")
    width: float = static(3.0, low=1, high=200, doc="a width")
    noise: float = traced(0.1, low=0, doc="noise")
    time: float = inner(1.0, above=0, high=9, doc="time")
    shift: float = traced(0.0, doc="of either sign")
    share: float = traced(0.5, low=0, high=1, doc="a share")
    debt: float = traced(-2.0, high=-0.5, doc="below zero")


AXES = axes_of(Knobs)
WHOLE = {float(v) for v in range(1, 31)}
FAR = np.geomspace(1e-9, 1e9, 64)
DECADES = {  # nine powers of ten about the default, one for static fields, within the field's range
    "n": {float(round(v)) for v in np.geomspace(1, 1e10, 64)},
    "p": WHOLE,
    "width": {*np.geomspace(1, 30, 64), *np.linspace(1, 30, 64)},
    "noise": {0.0, *np.geomspace(1e-10, 1e8, 64)},
    "time": {*np.geomspace(1e-9, 9, 64), *np.linspace(0, 9, 64)[1:]},
    "shift": {0.0, *FAR, *-FAR},
    "share": {0.0, *np.geomspace(5e-10, 1, 64), *np.linspace(0, 1, 64)},
    "debt": {*-np.geomspace(0.5, 2e9, 64)},
}


@pytest.mark.parametrize("name", DECADES)
def test_what_is_tried_of_a_knob_is_what_its_field_allows(name):
    tried = _solve._range(AXES[name], None)
    assert tried == sorted(set(tried))
    np.testing.assert_allclose(tried, sorted(DECADES[name]), rtol=1e-12)


def test_what_is_tried_within_a_range_that_is_given():
    line, both = np.linspace(2, 50, 64), np.geomspace(2, 50, 64)
    wanted = sorted({float(round(v)) for v in (*line, *both)})
    assert _solve._range(AXES["n"], (2, 50)) == wanted
    tried = _solve._range(AXES["shift"], (-2.0, 3.0))
    wanted = {0.0, *np.geomspace(1e-9, 3, 64), *-np.geomspace(1e-9, 2, 64), *np.linspace(-2, 3, 64)}
    np.testing.assert_allclose(tried, sorted(wanted), rtol=1e-12, atol=1e-15)
    wide = _solve._range(AXES["shift"], (1.0, 102.0))  # too wide for equal steps
    np.testing.assert_allclose(wide, np.geomspace(1, 102, 64), rtol=1e-12)
    assert len(_solve._range(AXES["shift"], (1.0, 101.0))) == 126
    for within, says in (((3, 3), "low < high"), ((0, 3), "must be >= 1"), ((5, 2), "low < high")):
        with pytest.raises(BadInput, match=rf"n within .*{says}"):
            _solve._range(AXES["n"], within)


def test_a_curve_crosses_between_values_on_either_side_and_at_a_value():
    nan = math.nan
    curve = np.array([0.0, 1.0, 2.0, nan, 0.0, 1.0, 0.5, 1.0, 3.0, nan])
    assert _solve._crossed(curve, 1.0).tolist() == [0, 4, 5, 6]
    assert _solve._crossed(curve, 2.5).tolist() == [7]
    assert _solve._crossed(-curve, -1.0).tolist() == [1, 7]


def test_a_level_that_is_a_value_tried_is_met_there():
    def forecast(params, world):
        return Forecast(jnp.where(params.noise > 4, 9.0, params.noise))

    toy = changed(forecast=forecast, mistakes=())
    for level in (2.0, 3.0, 4.0):  # of 64 equal steps from 1 to 4
        made = solve(toy, "error", level, "noise", within=(1.0, 4.0))
        found = [(s.at, s.value, s.rising, s.judged) for s in made.found]
        assert (found, made.jumps) == ([(level, level, True, True)], ())
    made = solve(toy, "error", 1.0, "noise", within=(1.0, 4.0))  # the lowest value there is
    assert [(s.at, s.rising) for s in made.found] == [(1.0, True)]
    down = changed(forecast=lambda p, w: Forecast(-p.noise), mistakes=())
    for level in (-1.0, -2.0, -4.0):
        made = solve(down, "error", level, "noise", within=(1.0, 4.0))
        assert [(s.at, s.value, s.rising) for s in made.found] == [(-level, level, False)]
        assert made.jumps == ()
    jumped = solve(toy, "error", 5.0, "noise", within=(1.0, 7.0))
    assert (jumped.found, jumped.jumps) == ((), (pytest.approx(4.0, rel=1e-12),))
    assert (jumped.tried, jumped.reached, jumped.level) == ((1.0, 7.0), (1.0, 9.0), 5.0)
    just = solve(toy, "error", 9.0, "noise", within=(1.0, 7.0))  # it has the level beyond the jump
    assert (just.found, just.jumps) == ((), ())
    assert just.stays == ((pytest.approx(4.0, rel=1e-12), 7.0),)
    small = changed(
        forecast=lambda p, w: forecast(p, w)._replace(error=forecast(p, w).error * 1e-6)
    )
    assert solve(small, "error", 9e-6, "noise", within=(1.0, 7.0)).found == ()
    flat = changed(forecast=lambda p, w: Forecast(jnp.minimum(p.noise, 4.0)), mistakes=())
    reached = solve(flat, "error", 4.0, "noise", within=(1.0, 7.1))
    assert (reached.found, reached.jumps) == ((), ())
    assert reached.stays == ((pytest.approx(4.0, rel=1e-12), 7.1),)
    few = changed(forecast=lambda p, w: Forecast(jnp.minimum(p.n, 300.0)), mistakes=())
    assert solve(few, "error", 300.0, "n", within=(1, 5000)).stays == ((300.0, 5000.0),)


class Two(NamedTuple):
    silent: Any
    error: Any
    status: Any = 0


def test_of_two_predictions_of_a_measure_the_one_that_speaks_is_solved():
    told = tuple(dataclasses.replace(PREDICTION, name=name) for name in ("silent", "error"))
    toy = changed(
        forecast=lambda params, world: Two(math.nan * params.noise, params.noise),
        predictions=tuple(dataclasses.replace(one, measure="kept") for one in told),
        mistakes=(),
    )
    made = solve(toy, "kept", 0.3, "noise")
    assert (made.prediction, [s.at for s in made.found]) == ("error", [pytest.approx(0.3)])
    with pytest.raises(BadInput, match="no prediction of silent speaks for any noise in"):
        solve(toy, "silent", 0.3, "noise")


# --- slopes -----------------------------------------------------------------------------------

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("exact", "one", "other", "slope", "how"),
    [
        (2.0, 2.0, 2.0, 2.0, "derivative"),
        (2.0, 2.0 + 1.9e-4, 2.0 - 1.9e-4, 2.0, "derivative"),
        (2.0, 2.0 + 2.1e-4, 2.0, 2.0 + 1.05e-4, "differences"),
        (2.0, 2.0, 2.0 - 2.1e-4, 2.0 - 1.05e-4, "differences"),
        (0.0, 2.0, 2.02, 2.01, "differences"),
        (NAN, -2.0, -2.0, -2.0, "differences"),
        (INF, 2.0, 2.0, 2.0, "differences"),
        (2.0, 2.0, 2.5, NAN, "none"),
        (2.0, NAN, NAN, NAN, "none"),
        (INF, INF, INF, NAN, "none"),
        (0.0, 1e-7, -1e-7, 0.0, "derivative"),  # rounding
        (0.0, 3e-7, -3e-7, NAN, "none"),
    ],
)
def test_a_slope_is_trusted_where_three_agree_or_two(exact, one, other, slope, how):
    found = slopes._settled(exact, one, other, near=0.05, rounding=2e-7)
    assert found[1] == how
    assert found[0] == pytest.approx(slope, nan_ok=True, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "x", "inside"),
    [
        *(("share", 0.0, True), ("share", 1.0, True), ("share", -0.1, False)),
        *(("share", 1.1, False), ("time", 0.1, True), ("time", -0.1, False)),
        *(("time", 9.1, False), ("noise", 1e9, True), ("shift", -1e9, True)),
        *(("debt", -0.4, False), ("debt", -9.0, True), ("n", 1.5, True), ("n", 0.5, False)),
    ],
)
def test_inside_is_what_a_field_allows_whole_or_not(name, x, inside):
    assert slopes._inside(AXES[name], x) is inside


def test_the_size_of_a_knob_is_its_value_or_its_default_or_one():
    assert slopes._scale(AXES["noise"], -3.0) == 3.0
    assert slopes._scale(AXES["debt"], 0.0) == 2.0
    assert slopes._scale(AXES["shift"], 0.0) == 1.0


def test_the_largest_elasticity_of_a_knob_orders_it_and_a_table_shows_it():
    def one(knob, elasticity, prediction="error"):
        return Sensitivity(prediction, "kept", knob, 2.0, 4.0, 0.25, elasticity, "derivative")

    made = [one("a", NAN), one("b", -0.5), one("c", 0.1), one("a", 0.2), one("c", INF), one("d", 0)]
    ordered = slopes._by_size(made)
    assert [s.knob for s in ordered] == ["b", "a", "a", "c", "c", "d"]
    shown = Sensitivities([one("b", -0.5)])._repr_html_()
    for cell in ("b", "2", "error", "-0.5", "0.25", "derivative"):
        assert f">{cell}</td>" in shown


def prepared(value, **point):
    """Slopes of the toy by p, on which its world depends: error = value(world)."""
    toy = changed(
        world=lambda params: np.asarray(float(params.p)),
        forecast=lambda params, world: Forecast(value(world)),
        mistakes=(),
    )
    return next(s for s in sensitivity(toy, point) if s.knob == "p")


@pytest.mark.parametrize(("p", "slope", "how"), [(10, 20.0, "differences"), (9, NAN, "none")])
def test_of_a_whole_number_one_more_and_one_less_are_looked_at(p, slope, how):
    """(p + 1)^2 - p^2 = 2 p + 1 and 2 p - 1: within a tenth of each other from p = 10 on."""
    found = prepared(lambda p: p**2, p=p)
    assert (found.how, found.value, found.at) == (how, p**2, p)
    assert found.slope == pytest.approx(slope, nan_ok=True)
    assert found.elasticity == pytest.approx(slope * p / p**2, nan_ok=True)
    assert (found.prediction, found.measure) == ("error", "error")


def test_at_the_end_of_a_prepared_knob_there_is_no_slope():
    assert prepared(lambda p: p + 0.0, p=1).how == "none"
    assert prepared(lambda p: p + 0.0, p=2).slope == 1.0


# --- mistakes that many theories can make -----------------------------------------------------


@record
class Part:
    noise: float = traced(0.5, low=0, doc="noise")
    poison: float = traced(0.2, low=0, doc="poison")


@record
class Point:
    n: int = sized(10, low=1, doc="rows")
    ridge: float = traced(0.3, low=0, doc="a ridge")
    noise: float = traced(0.6, low=0, doc="noise")
    time: float = traced(7.0, low=0, doc="time")
    repeats: int = traced(5, low=1, doc="copies")
    shared_noise: bool = traced(True, doc="labels")
    up: Part = part(Part)


MADE = Forecast(0.25)._replace(status=7)
SHARED = {
    "noise halved": (_mistakes.noise_halved, {}, {"noise": 0.3}),
    "noise halved upstream": (_mistakes.noise_halved, {"field": "up.noise"}, {"up.noise": 0.25}),
    "noise ignored": (_mistakes.noise_ignored, {}, {"noise": 0.0}),
    "copies": (_mistakes.copies_are_fresh, {}, {"repeats": 1}),
    "time": (_mistakes.time_doubled, {}, {"time": 14.0}),
    "labels": (_mistakes.labels_swapped, {}, {"shared_noise": 0.0}),
    "exact": (_mistakes.labels_are_exact, {}, {"noise": 0.0}),
    "both exact": (
        _mistakes.labels_are_exact,
        {"fields": ("noise", "up.noise")},
        {"noise": 0.0, "up.noise": 0.0},
    ),
    "contexts": (_mistakes.contexts_are_exact, {}, {"length": 1e9}),
    "targets": (_mistakes.targets_alike, {}, {"alignment": 1.0}),
    "poison": (_mistakes.poison_is_free, {}, {"up.poison": 0.0}),
    "per row": (_mistakes.ridge_per_row, {}, {"ridge": 3.0}),
}


@pytest.mark.parametrize("case", SHARED)
def test_a_shared_mistake_changes_what_it_says(case):
    make, words, wanted = SHARED[case]
    mistake = make("one", "other", **words)
    assert mistake.against == ("one", "other")
    assert (mistake.world, mistake.forecast) == (None, None)
    assert mistake.name
    assert mistake.why
    changes = mistake.params(Point())
    assert {name: float(value) for name, value in changes.items()} == pytest.approx(wanted)


def test_shared_mistakes_in_what_is_read_off():
    for mistake, wanted in (
        (_mistakes.no_saturation("error", lambda p, made: p.n * made.error), {"error": 2.5}),
        (_mistakes.optimism_ignored("error", "status"), {"error": 7}),
        (_mistakes.proportional_limit("error", lambda made: made.status + 1), {"error": 8}),
    ):
        assert mistake.against == ("error",)
        assert mistake.params is mistake.world is None
        assert mistake.forecast(Point(), MADE) == wanted
    assert _mistakes.optimism_ignored().against == ("train_error",)


def test_a_toy_has_what_this_file_asks_of_it():
    assert TOY.axes["p"].low == 1
