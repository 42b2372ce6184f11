"""Where a prediction reaches a level: exact places, whole numbers, jumps, and none."""

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from declared_toy import PREDICTION, TOY, changed

import ci_theory
from ci_theory import BadInput
from ci_theory._record import Axis, Kind
from ci_theory.phenomena import Bound, solve
from ci_theory.phenomena._solve import _range


def toy(value):
    def forecast(params, world):
        return TOY.forecast(params, world)._replace(error=value(params))

    return changed(forecast=forecast, mistakes=())


def of_noise(value, level, **options):
    return solve(toy(lambda p: value(p.noise)), "error", level, "noise", **options)


def test_the_rows_that_a_ridgeless_fit_needs():
    """n noise / (n - p) = 1.25 at n = 5 p; below the peak the curve lies lower and rises."""
    found = solve(ci_theory.load("ridge_peak"), "test_error", 1.2, "n", {"p": 100, "noise": 1})
    falling = [s for s in found.found if not s.rising]
    assert [(s.at, s.judged) for s in falling] == [(600.0, True)]
    assert falling[0].value == pytest.approx(1.2, rel=1e-12)
    assert found.prediction == "test_error"


def test_a_whole_number_is_the_first_at_the_level_or_beyond():
    found = solve(toy(lambda p: 1 / p.n), "error", 0.015, "n")
    assert [s.at for s in found.found] == [67.0]
    assert found.found[0].value == pytest.approx(1 / 67)
    assert not found.found[0].rising
    above = solve(toy(lambda p: 1 / p.n), "error", 0.0151, "n")  # 1/66 is nearer, and too much
    assert [s.at for s in above.found] == [67.0]
    rising = solve(toy(lambda p: -1 / p.n), "error", -0.0151, "n")
    assert [(s.at, s.rising) for s in rising.found] == [(67.0, True)]
    exact = solve(toy(lambda p: 1 / p.n), "error", 1 / 64, "n")
    assert [s.at for s in exact.found] == [64.0]


def test_every_crossing_is_found_and_none_is_an_answer():
    wave = of_noise(lambda x: jnp.sin(x), 0.5, within=(0.0, 10.0))
    places = [np.pi / 6, 5 * np.pi / 6, 13 * np.pi / 6, 17 * np.pi / 6]
    np.testing.assert_allclose([s.at for s in wave.found], places, rtol=1e-13)
    assert [s.rising for s in wave.found] == [True, False, True, False]
    none = of_noise(lambda x: jnp.sin(x), 1.5, within=(0.0, 10.0))
    assert none.found == none.jumps == ()
    assert none.tried == (0.0, 10.0)
    assert none.reached == pytest.approx((-1, 1), abs=0.01)
    assert "none" in none._repr_html_()
    assert "<td>down</td>" in wave._repr_html_()


def test_a_jump_is_no_solution():
    found = of_noise(lambda x: jnp.where(x < 2, 1.0, 3.0), 2.0)
    assert found.found == ()
    assert found.jumps == pytest.approx((2.0,), rel=1e-12)


@pytest.mark.parametrize(
    ("value", "level", "expected"),
    [
        (lambda x: 1 - (1 - x) ** 2, 1.0, [(1.0, True)]),  # at the upper end, flat and met there
        (lambda x: x, 1.0, [(1.0, True)]),
        (lambda x: -x, 0.0, [(0.0, False)]),
        (lambda x: x, 0.0, [(0.0, True)]),  # from the lower end upwards
        (lambda x: jnp.abs(x - 0.5), 0.5, [(0.0, False), (1.0, True)]),
    ],
)
def test_a_level_at_an_end_is_a_solution_and_no_jump(value, level, expected):
    found = of_noise(value, level, within=(0.0, 1.0))
    assert [(s.at, s.rising) for s in found.found] == expected
    assert found.jumps == found.stays == ()


def test_a_value_tried_that_is_the_level_is_no_jump():
    """Of 64 even places the fifth is met at once, far from its neighbours."""
    found = of_noise(lambda x: x, 4.0 / 63.0, within=(0.0, 1.0))
    assert [s.at for s in found.found] == pytest.approx([4.0 / 63.0], rel=1e-12)
    assert found.jumps == ()


def test_a_short_stay_between_two_values_tried_is_a_solution_and_no_jump():
    """It is met while an interval is divided, by values that are still far from each other."""

    def flat_in_the_middle(x):
        return jnp.sign(x - 0.5) * jnp.maximum(jnp.abs(x - 0.5) - 1e-3, 0.0)

    found = of_noise(flat_in_the_middle, 0.0, within=(0.0, 1.0))
    assert [(s.value, s.rising) for s in found.found] == [(0.0, True)]
    assert found.found[0].at == pytest.approx(0.5, abs=1.01e-3)
    assert found.jumps == found.stays == ()


@pytest.mark.parametrize("rising", [True, False])
def test_the_last_value_before_a_silence_is_a_place_like_others(rising):
    sign = 1 if rising else -1
    cut = toy(lambda p: jnp.where(p.n <= 8, sign * p.n, jnp.nan))
    found = solve(cut, "error", sign * 8.0, "n", within=(1, 16))
    assert [(s.at, s.rising) for s in found.found] == [(8.0, rising)]


def test_a_curve_that_stays_at_the_level_is_not_said_to_miss_it():
    flat = of_noise(lambda x: jnp.maximum(x, 2.0), 2.0, within=(0.0, 63.0))
    ((first, last),) = flat.stays
    assert (first, last) == (0.0, pytest.approx(2, rel=3e-12))
    assert flat.found == flat.jumps == ()
    assert "none" not in flat._repr_html_()
    assert f"all from 0 to {last:.7g}" in flat._repr_html_()
    below = of_noise(lambda x: jnp.minimum(x, 2.0), 2.0, within=(0.0, 63.0))
    ((first, last),) = below.stays
    assert (first, last) == (pytest.approx(2, rel=3e-12), 63)
    assert below.found == ()
    assert of_noise(lambda x: jnp.maximum(x, 2.0), 1.9).stays == ()


def test_a_level_of_zero_is_reached():
    found = of_noise(lambda x: (x - 2) * 1e-9, 0.0)
    assert [s.at for s in found.found] == pytest.approx([2.0], rel=1e-12)


def test_where_the_curve_does_not_speak_it_crosses_nothing():
    found = of_noise(lambda x: jnp.where(x < 2, jnp.nan, 1 / (x - 2)), 0.25)
    assert [s.at for s in found.found] == pytest.approx([6.0], rel=1e-12)
    assert found.tried[0] >= 2


def test_values_that_break_a_rule_are_not_tried():
    strict = changed(rule=lambda p: "too few" if p.n < 50 else None)
    found = solve(strict, "error", 0.02, "n", {"noise": 1.0})
    assert found.tried[0] >= 50
    refused = changed(rule=lambda p: "never")
    with pytest.raises(BadInput, match="never"):
        solve(refused, "error", 0.02, "n")


@pytest.mark.parametrize(
    ("words", "options", "told"),
    [
        (("errr", 1.0, "n"), {}, "unknown prediction 'errr'"),
        (("error", 1.0, "m"), {}, "unknown axis 'm'"),
        (("error", np.inf, "n"), {}, "finite number"),
        (("error", 1.0, "n", {"n": 3}), {}, "is sought"),
        (("error", 1.0, "n"), {"within": (5, 2)}, "low < high"),
        (("error", 1.0, "n"), {"within": (2, 2)}, "low < high"),
        (("error", 1.0, "n"), {"within": (-5, 2)}, "must be >= 1"),
        (("error", 1.0, "time"), {"within": (1, 20)}, "time = 20.0: must be <= 9"),
    ],
)
def test_what_cannot_be_solved_is_one_line(words, options, told):
    with pytest.raises(BadInput, match=told):
        solve(TOY, *words, **options)


def test_silence_everywhere_is_said():
    with pytest.raises(BadInput, match="speaks for any noise"):
        of_noise(lambda x: x * jnp.nan, 1.0)


def test_a_truth_value_reaches_no_level():
    with pytest.raises(BadInput, match="shared_noise is no number, so it reaches no level"):
        solve(ci_theory.load("repeated_data"), "train_error", 1.0, "shared_noise")


def field(default, kind=Kind.TRACED, **bounds):
    return Axis(
        name="x", kind=kind, type=type(default), default=default, unit="", doc="x", **bounds
    )


@pytest.mark.parametrize(
    ("axis", "low", "least", "high"),
    [
        (field(50.0, low=0), 0.0, 50e-9, 50e9),  # nine powers of ten on either side
        (field(50.0), -50e9, 50e-9, 50e9),
        (field(50.0, Kind.STATIC, low=0), 0.0, 5.0, 500.0),  # each may be prepared for
        (field(50.0, Kind.STATIC, low=20, high=900), 20.0, 20.0, 500.0),
        (field(50.0, high=60), -50e9, 50e-9, 60.0),
    ],
)
def test_where_a_field_has_no_end_powers_of_ten_of_its_default_are_tried(axis, low, least, high):
    values = np.array(_range(axis, None))
    assert (values[0], values[-1]) == pytest.approx((low, high))
    assert values[values > 0][0] == pytest.approx(least)


def test_a_range_about_zero_has_it_and_even_places():
    assert 0.0 in _range(field(1.0), (-1.0, 1.0))
    assert set(np.linspace(0, 9, 64)[1:]) <= set(_range(TOY.axes["time"], None))  # above 0


def test_what_the_rule_says_of_the_first_value_is_told():
    refused = changed(rule=lambda p: f"n = {p.n} is refused")
    with pytest.raises(BadInput, match="n = 1 is refused"):
        solve(refused, "error", 0.02, "n")


class Both(NamedTuple):
    error: Any
    wider_error: Any
    status: Any = 0


def of_two(short, whole, measure):
    """Two predictions of one measure, of which the first speaks from 0.1 to 0.3."""

    def forecast(params, world):
        x = params.noise
        known = jnp.where((x > 0.1) & (x < 0.3), short(x), jnp.nan)
        return Both(error=known, wider_error=whole(x))

    told = [dataclasses.replace(PREDICTION, name=n, measure=measure) for n in Both._fields[:2]]
    return changed(forecast=forecast, predictions=tuple(told), mistakes=())


def test_the_prediction_that_speaks_for_the_whole_range_is_divided():
    """Close to the solution the other one speaks too, and says something else."""
    both = of_two(lambda x: 2 * x, lambda x: x, measure="kept")
    found = solve(both, "kept", 0.2, "noise", within=(0.0, 1.0))
    assert found.prediction == "wider_error"
    assert [s.at for s in found.found] == pytest.approx([0.2], rel=1e-12)


def test_who_asks_for_a_prediction_is_not_given_another_of_its_measure():
    both = of_two(lambda x: 2 * x, lambda x: x, measure="error")
    found = solve(both, "error", 0.5, "noise", within=(0.0, 1.0))
    assert found.prediction == "error"
    assert [s.at for s in found.found] == pytest.approx([0.25], rel=1e-12)
    assert found.tried[1] < 0.3


def test_whether_a_solution_would_be_judged_is_that_of_its_place():
    """Between two values tried, and at one; only below a noise of 1 is anything claimed."""
    narrow = changed(
        forecast=lambda p, world: TOY.forecast(p, world)._replace(error=jnp.sin(p.noise)),
        bounds=lambda p, made: {"error": Bound(0.0, p.noise < 1)},
        mistakes=(),
    )
    wave = solve(narrow, "error", 0.5, "noise", within=(0.0, 10.0))
    assert [s.judged for s in wave.found] == [True, False, False, False]
    ends = solve(narrow, "error", np.sin(2.0), "noise", within=(0.5, 2.0))
    assert [(s.at, s.judged) for s in ends.found if s.at == 2.0] == [(2.0, False)]


def test_a_stretch_of_whole_numbers_ends_at_one():
    found = solve(toy(lambda p: jnp.maximum(p.n, 40.0)), "error", 40.0, "n")
    assert found.stays == ((1.0, 40.0),)


def test_neighbours_among_large_whole_numbers_are_several_solutions():
    wave = toy(lambda p: jnp.cos(jnp.pi * p.n))
    found = solve(wave, "error", 0.0, "n", within=(2000, 2010))
    assert [s.at for s in found.found] == list(range(2001, 2011))


def test_a_small_jump_over_the_level_in_a_curve_that_rises_is_a_jump():
    found = of_noise(lambda x: x + 0.01 * (x > 2.5), 2.505, within=(0.0, 63.0))
    assert found.found == ()
    assert found.jumps == pytest.approx((2.5,), rel=1e-12)
