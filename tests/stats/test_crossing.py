import itertools

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from ci_theory import Status
from ci_theory.locate import Crossing, student
from ci_theory.locate.student import accepted, accepted_skewed, corrected, scores, skewness

U = np.linspace(-1.0, 1.0, 13)


# --- the point ----------------------------------------------------------------------------------


def test_a_line_is_crossed_exactly():
    assert Crossing(level=0.3).locate(U, 2 * U - 0.1).value == pytest.approx(0.2, rel=1e-12)


def test_on_a_logarithmic_axis_the_interpolation_is_in_log_x():
    x = np.geomspace(1, 100, 5)
    assert Crossing(log_axis=True).locate(x, np.log(x / 20)).value == pytest.approx(20, rel=1e-12)
    assert Crossing(log_axis=False).locate(x, np.log(x / 20)).value != pytest.approx(20, rel=1e-3)


def test_the_first_crossing_in_the_wanted_direction_is_taken():
    up, down = Crossing(direction="up"), Crossing(direction="down")
    fine = np.linspace(-0.99, 0.99, 2001)
    wave = np.cos(3 * np.pi * fine / 2)  # zero at -1, -1/3, 1/3, 1
    assert Crossing().locate(fine, wave).value == pytest.approx(-1 / 3, abs=1e-5)
    assert up.locate(fine, wave).value == pytest.approx(-1 / 3, abs=1e-5)
    assert down.locate(fine, wave).value == pytest.approx(1 / 3, abs=1e-5)


@pytest.mark.parametrize("curve", [np.ones(13), 1 + U**2, np.full(13, -0.5)])
def test_no_crossing(curve):
    found = Crossing().locate(U, curve)
    assert found.status == Status.NO_BREAK
    assert np.isnan(found.value)


def test_too_little_is_not_finite():
    assert Crossing().locate(U, np.ones((2, 13))).status == Status.NOT_FINITE


# --- the interval -------------------------------------------------------------------------------


def draws(rng, kind, shape):
    z = rng.standard_normal(shape)
    if kind == "shared":
        return 0.9 * rng.standard_normal((shape[0], 1)) + np.sqrt(0.19) * z
    if kind == "skewed":  # lognormal, skewness 3.7
        return (np.exp(0.8 * z - 0.32) - 1) / np.sqrt(np.exp(0.64) - 1)
    return z


@pytest.mark.parametrize("kind", ["normal", "shared", "skewed"])
def test_intervals_cover_the_crossing_19_times_in_20(kind):
    rng = np.random.default_rng(0)
    hits = tries = 0
    for r in (10, 40):
        for _ in range(200):
            mean = np.tanh(3 * (U - rng.uniform(-0.3, 0.3)))
            truth = Crossing().locate(U, mean).value
            found = Crossing().locate(U, mean + 0.3 * draws(rng, kind, (r, 13)))
            if found.status in (Status.OK, Status.AT_EDGE):
                tries += 1
                hits += found.low <= truth <= found.high
    assert tries > 350
    assert 0.92 <= hits / tries <= 0.98


def test_touching_the_level_is_not_crossing_it():
    rng = np.random.default_rng(1)
    found = [
        Crossing().locate(U, U**2 + 0.02 + 0.2 * rng.standard_normal((20, 13))).status
        for _ in range(100)
    ]
    assert found.count(Status.NO_BREAK) >= 99


def test_an_uncertain_end_leaves_the_interval_open():
    rng = np.random.default_rng(2)
    found = Crossing().locate(U, np.minimum(U, 0.02) + 0.2 * rng.standard_normal((40, 13)))
    assert found.status == Status.AT_EDGE
    assert found.high == np.inf
    assert -0.5 < found.low < 0.1


def test_a_side_certain_at_its_own_point_but_not_among_all_leaves_the_interval_open():
    right = [1.0, 1.0, 0.992, 1.0, 1.0, 0.981, 1.0, 1.0]
    wrong = [0.095, 0.18, 0.18, 0.218, 0.167, 0.208, 0.076, 0.356]  # skewed: a score of -2.9
    accuracy = np.array([wrong, right, np.ones(8)]).T
    assert 2.365 < -scores(accuracy - 0.5)[0] < 3.2  # t quantiles, 7: for one point, for three
    found = Crossing(level=0.5).locate([0.4, 0.5, 0.6], accuracy)
    assert found.status == Status.AT_EDGE
    assert found.low == -np.inf
    assert 0.4 < found.value < found.high < 0.5
    factors = Crossing(level=0.5, log_axis=True).locate(np.exp([0.4, 0.5, 0.6]), accuracy)
    assert factors.low == -np.inf  # not 0, the place of it on such an axis
    assert np.log([factors.value, factors.high]) == pytest.approx([found.value, found.high])


@pytest.mark.parametrize("mean", [[1.0, -0.02, 1.0], [-1.0, 0.02, -1.0]])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_dip_that_may_not_reach_the_level_is_no_crossing(mean, backwards):
    """One side is certain, and the other is as certainly on the same side of the level."""
    z = np.random.default_rng(4).standard_normal((12, 3))
    y = np.array(mean) + 0.1 * (z - z.mean(axis=0))
    direction = "down" if backwards else "up"
    assert Crossing(direction=direction).locate([0.0, 1.0, 2.0], mean).status == Status.OK
    assert Crossing(direction=direction).locate([0.0, 1.0, 2.0], y).status == Status.NO_BREAK


# --- the tests underneath -------------------------------------------------------------------------


def test_accepted_spans_are_where_the_t_test_does_not_reject():
    rng = np.random.default_rng(3)
    y = np.sin(4 * U) + 0.8 * rng.standard_normal((9, 13))
    spans = accepted(U, y, 0.95)
    places = np.linspace(-1, 1, 4001)
    columns = np.array([np.interp(places, U, row) for row in y])
    passes = ttest_1samp(columns, 0.0).pvalue >= 0.05
    inside = np.any([(a <= places) & (places <= b) for a, b in spans], axis=0)
    edges = np.abs(places[:, None] - np.array(spans).ravel()).min(axis=1) < 1e-3
    assert np.all((inside == passes) | edges)
    assert 0.05 < passes.mean() < 0.95


def test_skew_corrected_spans_end_where_the_corrected_score_reaches_the_quantile():
    rng = np.random.default_rng(4)
    y = U + 0.5 * (rng.exponential(size=(12, 13)) - 1)
    (low, high), *_ = accepted_skewed(U, y, 0.95)
    (inner_low, inner_high), *_ = accepted(U, y, 0.95)
    assert low <= inner_low
    assert high >= inner_high
    assert (low, high) != (inner_low, inner_high)
    for end in (low, high):
        column = np.array([[np.interp(end, U, row)] for row in y])
        assert abs(scores(column)[0]) == pytest.approx(2.2009851600829493, rel=1e-6)  # t, 11


def test_the_correction_vanishes_without_skewness_and_keeps_the_order():
    t = np.linspace(-20, 20, 401)
    r = np.full(401, 15.0)
    np.testing.assert_array_equal(corrected(t, np.zeros(401), r), t)
    for skew in (-2.0, 0.7, 2.0):
        assert np.all(np.diff(corrected(t, np.full(401, skew), r)) >= 0)
    assert np.all(np.abs(corrected(t, np.full(401, 2.0), r)) <= np.abs(t))


def test_the_correction_repairs_the_low_tail_of_skewed_means():
    rng = np.random.default_rng(5)
    y = rng.exponential(size=(20, 100_000)) - 1
    bound = 3.8834058525920356  # t quantile, 19 degrees of freedom, two-sided 0.001
    t = y.mean(axis=0) / y.std(axis=0, ddof=1) * np.sqrt(20)
    plain = np.mean(np.abs(t) > bound)
    repaired = np.mean(np.abs(scores(y)) > bound)
    assert plain > 8e-3  # 12 times nominal
    assert repaired < 3.5e-3


def test_skewness_is_that_of_the_textbook():
    from scipy.stats import skew

    y = np.random.default_rng(6).exponential(size=(11, 4))
    np.testing.assert_allclose(skewness(y), skew(y, bias=False), rtol=1e-12)
    assert skewness(np.ones((5, 2))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("direction", [None, "up", "down"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_place_of_the_grid_at_which_the_curve_is_the_level_is_its_crossing(sign, direction):
    found = Crossing(level=2.0, direction=direction).locate(
        [1.0, 2.0, 4.0], 2 + sign * np.arange(-1, 2)
    )
    other = {1.0: "down", -1.0: "up"}[sign]
    assert found.status == (Status.NO_BREAK if direction == other else Status.OK)
    assert direction == other or found.value == 2.0
    starts = Crossing(level=2.0).locate([1.0, 2.0, 4.0], 2 + sign * np.arange(3))
    assert starts.status == Status.NO_BREAK  # it is not on both sides


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    ("mean", "status"),
    [
        ([-0.01, 0.01, -1, 1], Status.AT_EDGE),  # certainly below only beyond the crossing
        ([1, -1, -1, 0.01], Status.AT_EDGE),  # certainly above only before it
        ([-1, -0.01, 0.01, 1], Status.OK),
    ],
)
def test_each_side_of_a_crossing_is_told_by_what_lies_there(mean, status, sign):
    scatter = np.array([0.2, -0.2, 0.1, -0.1, 0.15, -0.15])[:, None] * np.array([1, -1, 1, -1])
    y = sign * (np.array(mean) + scatter)
    found = Crossing(direction="up" if sign > 0 else "down").locate(np.arange(4.0), y)
    assert found.status == status


def test_where_the_correction_turns_the_sign_nothing_is_left():
    found = corrected(np.array([0.01, -0.01, 0.5]), np.array([-2.0, 2.0, -2.0]), np.full(3, 10))
    assert found[:2].tolist() == [0.0, 0.0]
    assert 0 < found[2] < 0.5


def test_runs_that_agree_leave_no_doubt_about_their_crossing():
    """Everywhere, or at the very place where all of them are at the level."""
    x, each = np.arange(6.0), 1 + 0.1 * np.arange(5.0)[:, None]
    for place, runs in ((2.25, np.tile(x - 2.25, (5, 1))), (2.0, each * (x - 2.0))):
        found = Crossing().locate(x, runs)
        assert found.status == Status.OK
        np.testing.assert_allclose([found.low, found.value, found.high], place, atol=1e-8)


def test_where_a_parabola_is_not_positive_whatever_is_left_of_it():
    s = (np.arange(400) + 0.5) / 400
    for a, b, c in itertools.product((-2.0, 0.0, 2.0), (-1.5, 0.0, 1.0), (-0.7, -0.2, 0.0, 0.3)):
        spans = student._not_positive(a, b, c)
        inside = np.any([(low <= s) & (s <= high) for low, high in [*spans, (9, 9)]], axis=0)
        value = (a * s + b) * s + c
        np.testing.assert_array_equal(inside, value <= 0, err_msg=f"{a} s^2 + {b} s + {c}")
