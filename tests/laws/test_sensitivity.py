"""Derivatives of closed forms are those of the formulas, and what is none is not called one."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from declared_toy import PREDICTION, TOY, Forecast, changed
from jax import lax

import ci_theory
from ci_theory import BadInput
from ci_theory._record import record, static, traced
from ci_theory.biases.whole import unrounded, whole, whole_below
from ci_theory.phenomena import sensitivity


def named(found, prediction):
    return {s.knob: s for s in found if s.prediction == prediction}


def of_toy(value, **point):
    """Differentiate a forecast of the toy that is ``value(params)``."""

    def forecast(params, world):
        return TOY.forecast(params, world)._replace(error=value(params))

    return named(sensitivity(changed(forecast=forecast, mistakes=()), point), "error")


def test_elasticities_are_those_of_the_size_also_of_a_negative_prediction():
    own = of_toy(lambda params: -(params.noise**3))
    assert own["noise"].slope == pytest.approx(-3 * 0.1**2)
    assert own["noise"].elasticity == pytest.approx(3)


@pytest.fixture(scope="module")
def peak():
    return sensitivity(ci_theory.load("ridge_peak"), {"n": 400, "p": 150, "noise": 2.0})


def test_the_ridgeless_error_is_noise_n_over_n_less_p(peak):
    own = named(peak, "test_error")
    assert own["n"].elasticity == pytest.approx(-150 / 250, rel=1e-9)
    assert own["noise"].elasticity == pytest.approx(1, rel=1e-9)
    assert own["signal"].elasticity == pytest.approx(0, abs=1e-9)
    assert own["p"].elasticity == pytest.approx(150 / 250, rel=1.1 / 250**2)  # of one step
    assert own["n"].value == pytest.approx(2 * 400 / 250, rel=1e-12)
    assert own["n"].slope == pytest.approx(own["n"].elasticity * own["n"].value / 400)


def test_what_the_theory_is_prepared_for_has_differences_only(peak):
    own = named(peak, "test_error")
    assert {name: own[name].how for name in ("n", "noise", "p", "alpha")} == {
        "n": "derivative",
        "noise": "derivative",
        "p": "differences",
        "alpha": "derivative",
    }
    assert "spectrum" not in own


def test_a_number_of_zero_has_a_slope_and_no_elasticity(peak):
    ridge = named(peak, "test_error")["ridge"]
    assert math.isnan(ridge.elasticity)
    assert ridge.how == "derivative"
    assert ridge.slope < 0


def test_what_matters_most_comes_first(peak):
    sizes = {}
    for s in peak:
        size = 0.0 if math.isnan(s.elasticity) else abs(s.elasticity)
        sizes[s.knob] = max(sizes.get(s.knob, 0.0), size)
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)
    assert "<table>" in peak._repr_html_()
    told = {p.name: p.measure for p in ci_theory.load("ridge_peak").predictions}
    assert {s.prediction: s.measure for s in peak} == told


def test_counts_of_rows_are_not_rounded():
    point = {"budget": 400, "p": 100, "repeated_fraction": 0.3, "repeats": 7}
    own = named(sensitivity(ci_theory.load("repeated_data"), point), "train_error")
    assert own["repeated_fraction"].how == own["repeats"].how == "derivative"
    assert own["repeated_fraction"].slope != 0
    assert "shared_noise" not in own  # a truth value
    assert float(whole(2.6)) == 3
    assert float(whole_below(2.6)) == 2
    with unrounded():
        assert float(whole(2.6)) == float(whole_below(2.6)) == 2.6
    assert float(whole(2.6)) == 3


def halving(x):
    """Find the square root by halving an interval: right, and without a derivative."""

    def halve(step, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        above = middle**2 > x
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    return lax.fori_loop(0, 60, halve, (jnp.zeros(()), jnp.full((), 100.0)))[0]


def test_a_bisection_is_seen_to_have_no_derivative():
    assert float(jax.grad(lambda x: halving(x))(2.0)) == 0
    own = of_toy(lambda p: halving(p.noise), noise=2.0)["noise"]
    assert own.how == "differences"
    assert own.elasticity == pytest.approx(0.5, rel=1e-6)


def test_rounding_of_a_quotient_is_no_slope():
    """What moves in the thirteenth digit has a derivative of its own, and no quotient has it."""
    own = of_toy(lambda p: 1 + 1e-13 * jnp.sin(1e9 * p.time))["time"]
    assert (own.how, own.slope, own.elasticity) == ("differences", 0, 0)


def test_a_kink_has_none():
    own = of_toy(lambda p: 1 + jnp.abs(p.noise - 2) ** 0.5, noise=2.0)["noise"]
    assert (own.how, math.isnan(own.slope)) == ("none", True)


@pytest.mark.parametrize("slope", [0.05, -0.05])
def test_slopes_that_differ_by_a_twentieth_on_the_two_sides_are_a_kink(slope):
    """Whatever side the derivative is of: here it is that of the left one."""
    own = of_toy(lambda p: p.noise + jnp.where(p.noise > 2, slope * (p.noise - 2), 0.0), noise=2.0)[
        "noise"
    ]
    assert (own.how, math.isnan(own.slope)) == ("none", True)
    own = of_toy(
        lambda p: p.noise + jnp.where(p.noise >= 2, slope * (p.noise - 2), 0.0), noise=2.0
    )["noise"]
    assert (own.how, math.isnan(own.slope)) == ("none", True)


@pytest.mark.parametrize("share", [0.05, 0.001])
def test_slopes_that_differ_a_little_on_the_two_sides_are_a_kink(share):
    own = of_toy(lambda p: p.noise + share * jnp.maximum(p.noise - 2, 0.0), noise=2.0)["noise"]
    assert (own.how, math.isnan(own.slope)) == ("none", True)


@pytest.mark.parametrize("n", [1, 1000])
def test_at_the_end_of_a_range_one_side_is_looked_at(n):
    ended = dataclasses.replace(TOY.axes["n"])
    assert ended.low == 1
    own = of_toy(lambda p: jnp.where(p.n < 1, jnp.nan, p.n**2.0), n=n)["n"]
    assert own.how == "derivative"
    assert own.elasticity == pytest.approx(2, rel=1e-9)


def test_what_has_no_derivative_at_its_end_spoils_no_other():
    """The sine of an angle by its cosine, at 1; what is even in it has a slope, found by steps."""

    def turned(p):
        sine = jnp.sqrt(jnp.maximum(1 - (p.time - 8) ** 2, 0.0))
        return p.noise**2 * (2 - sine * jnp.tanh(sine))

    assert TOY.axes["time"].high == 9
    own = of_toy(turned, time=9.0, noise=3.0)
    assert (own["noise"].how, own["noise"].elasticity) == ("derivative", pytest.approx(2))
    assert (own["time"].how, own["time"].slope) == ("differences", pytest.approx(18, rel=1e-3))
    assert of_toy(turned, time=8.5, noise=3.0)["time"].how == "derivative"
    rooted = of_toy(lambda p: p.time**2 * (2 + p.noise**0.5 * jnp.tanh(p.noise**0.5)), noise=0.0)
    assert (rooted["time"].how, rooted["time"].elasticity) == ("derivative", pytest.approx(2))


@pytest.mark.parametrize(
    ("point", "told"),
    [({"m": 3}, "unknown axis 'm'"), ({"n": 0}, "must be >= 1"), ({"n": "many"}, "whole number")],
)
def test_a_bad_point_is_one_line(point, told):
    with pytest.raises(BadInput, match=told):
        sensitivity(TOY, point)


def test_without_a_prediction_nothing_is_differentiated():
    bare = changed(forecast=None, predictions=(), mistakes=(), bounds=lambda params, made: {})
    with pytest.raises(BadInput, match="nothing is predicted"):
        sensitivity(bare)


def test_where_nothing_speaks_that_is_said():
    with pytest.raises(BadInput, match="no prediction speaks"):
        of_toy(lambda p: jnp.nan)


def test_a_prediction_of_zero_has_slopes_and_no_elasticity():
    own = of_toy(lambda p: p.noise - 2.0, noise=2.0)["noise"]
    assert (own.how, own.slope) == ("derivative", 1.0)
    assert math.isnan(own.elasticity)


def test_a_silent_prediction_spoils_no_other():
    """At an end of the range, where a derivative that is no number is looked at anew."""
    beside = dataclasses.replace(PREDICTION, name="status", measure="kept", closed=True)
    both = changed(
        forecast=lambda params, world: Forecast(params.n**2.0, jnp.nan * params.n),
        predictions=(dataclasses.replace(PREDICTION, closed=True), beside),
        mistakes=(),
    )
    found = sensitivity(both, {"n": 1})
    assert {s.prediction for s in found} == {"error"}
    assert named(found, "error")["n"].how == "derivative"


@pytest.mark.parametrize("end", ["a step and a half away", "where it grows as a root"])
def test_near_an_end_nothing_beyond_it_is_looked_at(end):
    if end == "a step and a half away":
        own = of_toy(lambda p: jnp.where(p.time > 9, jnp.nan, p.time**2), time=9 * (1 - 1.5e-4))
        assert own["time"].how == "derivative"
    else:
        own = of_toy(lambda p: 1 + jnp.sqrt(p.n - 1), n=1)
        assert own["n"].how == "none"


def test_the_size_of_rounding_is_that_of_a_slope():
    """Of millions of rows the slope is small, and still not that of the bisection."""
    own = of_toy(lambda p: halving(p.n / 1000), n=4_000_000)["n"]
    assert (own.how, own.elasticity) == ("differences", pytest.approx(0.5, rel=1e-6))


@record
class Prepared:
    """Static numbers, and one that lies above another."""

    alpha: float = static(2.0, doc="exponent")
    p: int = static(5, doc="columns")
    x: float = traced(2.0, above=1, doc="more than 1")


def of_prepared(world, value=lambda params, world: world, **point):
    """Differentiate what is prepared on the host for each value of some of its fields."""
    phenomenon = changed(
        params=Prepared,
        world=lambda params: np.asarray(float(world(params))),
        forecast=lambda params, world: Forecast(value(params, world)),
        mistakes=(),
        breaks=(),
        stages=None,
    )
    return named(sensitivity(phenomenon, point), "error")


def test_above_a_bound_nothing_below_it_is_looked_at():
    def value(params, world):
        return jnp.where(params.x <= 1, jnp.nan, params.x**2)

    own = of_prepared(lambda params: 1.0, value, x=1.0001)["x"]
    assert (own.how, own.elasticity) == ("derivative", pytest.approx(2))


def test_what_is_prepared_for_changes_by_steps_of_its_size():
    """A number by a thousandth of it, a count by one; also where the forecast reads it itself."""
    own = of_prepared(lambda params: params.alpha**3 * params.p)
    assert own["alpha"].slope == pytest.approx(3 * 2.0**2 * 5, rel=1e-5)
    assert own["p"].slope == pytest.approx(8)
    assert {own[name].how for name in ("alpha", "p")} == {"differences"}
    both = of_prepared(lambda params: params.p, lambda params, world: world * params.p, p=50)
    assert both["p"].slope == pytest.approx(100)


def test_what_is_prepared_for_may_have_a_kink():
    own = of_prepared(lambda params: params.p + 0.5 * max(params.p - 5, 0))
    assert own["p"].how == "none"


def test_a_count_of_zero_is_another_model():
    own = of_prepared(lambda params: params.p + 7, p=0)["p"]
    assert (own.how, math.isnan(own.slope)) == ("none", True)
