"""Where a prediction reaches a level: exact places, whole numbers, jumps, and none."""

import jax.numpy as jnp
import numpy as np
import pytest
from declared_toy import TOY, changed

import ci_theory
from ci_theory import BadInput
from ci_theory.phenomena import solve


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
        (("error", 1.0, "n"), {"within": (-5, 2)}, "must be >= 1"),
    ],
)
def test_what_cannot_be_solved_is_one_line(words, options, told):
    with pytest.raises(BadInput, match=told):
        solve(TOY, *words, **options)


def test_silence_everywhere_is_said():
    with pytest.raises(BadInput, match="speaks for any noise"):
        of_noise(lambda x: x * jnp.nan, 1.0)
