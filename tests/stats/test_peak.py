import tracemalloc

import numpy as np
import pytest
from benchmarks.coverage import (
    constant,
    correlated,
    coverage,
    cusp,
    descent,
    lognormal,
    parabola,
    plateau,
)
from scipy import stats

from ci_theory import BadInput, Status
from ci_theory.locate import Peak, peak
from ci_theory.locate.peak import certain, slopes, summit

U = np.linspace(-1.0, 1.0, 17)


# --- the point: a formula ---------------------------------------------------------------------


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_a_parabola_is_located_exactly_on_an_uneven_grid(reach):
    x = np.sort(np.random.default_rng(3).uniform(0, 10, 15))
    found = Peak(log_axis=False, reach=reach).locate(x, 7 - 2 * (x - 4.3) ** 2)
    assert found.status == Status.OK
    assert found.value == pytest.approx(4.3, rel=1e-12)
    assert found.low == found.high == found.value
    assert found.height == pytest.approx(7, rel=1e-12)
    assert found.replicates == 0


def test_a_parabola_in_log_x_is_located_exactly_on_a_logarithmic_grid():
    x = np.geomspace(10, 1000, 12)
    found = Peak().locate(x, -(np.log(x / 77) ** 2))
    assert found.value == pytest.approx(77, rel=1e-12)


def test_slopes_are_the_derivative_of_any_parabola():
    u = np.array([0.0, 0.3, 1.1, 1.2, 2.9, 4.0])
    for reach in (1, 2):
        knots, rows = slopes(u, reach)
        np.testing.assert_allclose(rows @ (5 - 3 * u + 2 * u**2), -3 + 4 * knots, rtol=1e-12)
        assert np.all(np.diff(knots) > 0)


def test_grid_bias_is_a_fraction_of_a_step():
    step = U[1] - U[0]
    for shape in (parabola, cusp, plateau, descent):
        off = [Peak().locate(U, shape(U, top)).value - top for top in np.linspace(-0.3, 0.3, 41)]
        assert np.sqrt(np.mean(np.square(off))) < 0.2 * step


def test_double_descent_peak_is_found_below_the_start_of_the_curve():
    found = Peak().locate(U, 2 * descent(U, 0.2) + 5 * np.exp(-20 * (U + 1)))
    assert abs(found.value - 0.2) < U[1] - U[0]


@pytest.mark.parametrize("curve", [U, -U, np.ones(17), U**2, np.exp(-U)])
def test_no_break_without_an_interior_maximum(curve):
    found = Peak().locate(U, curve)
    assert found.status == Status.NO_BREAK
    assert np.isnan([found.value, found.low, found.high]).all()


# --- the interval -----------------------------------------------------------------------------


def test_intervals_cover_the_peak_of_the_true_curve_19_times_in_20():
    # The docstring of Peak tells the study, 300 curves for each of 180 settings. Here 12 settings,
    # 150 curves each; the coverage of all is held to the band, each to 4 standard errors below.
    total = tries = 0
    settings = [(r, t) for r in (10, 30, 100) for t in (13, 41)]
    shapes = [(parabola, constant), (cusp, lognormal), (plateau, correlated)]
    for k, (r, points) in enumerate(settings):
        for shape, noise in (shapes[k % 3], shapes[(k + 1) % 3]):
            peak = Peak(log_axis=False)
            _, found, hits = coverage(peak, shape, noise, r, points, curves=150, seed=k)
            assert found >= 120
            assert hits / found > 0.88
            total, tries = total + hits, tries + found
    assert 0.93 <= total / tries <= 0.98


def test_interval_shrinks_with_the_square_root_of_the_replicates():
    rng = np.random.default_rng(0)
    y = constant(rng, parabola(U, 0.1), 6400)
    fixed = Peak(log_axis=False, reach=2)
    few, many = fixed.locate(U, y[:400]), fixed.locate(U, y)
    ratio = (few.high - few.low) / (many.high - many.low)
    assert 3 < ratio < 5


def test_height_and_its_interval():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        found = Peak().locate(U, constant(rng, parabola(U, 0.1), 20))
        hits += found.height_low <= 1.0 <= found.height_high
    assert 180 <= hits <= 198


def test_height_is_lowered_by_what_a_maximum_gains():
    """Mean curves 1 + S u - u^2 with S of variance v/r have the mean height 1 + v/(4 r)."""
    slope = np.array([-0.3, 0.3, -0.1, 0.1, -0.2, 0.2])
    level = np.array([0.2, 0.2, -0.2, -0.2, 0.1, -0.1])  # so that heights scatter too
    y = 1 + level[:, None] + slope[:, None] * U - U**2
    found = Peak(log_axis=False).locate(U, y)
    gained = slope.var(ddof=1) / (4 * len(slope))
    assert found.value == pytest.approx(0, abs=1e-9)
    assert found.height == pytest.approx(1 - gained, abs=1e-9)
    half = stats.t.ppf(0.975, 5) * stats.sem(level)
    assert found.height_high == pytest.approx(1 + half, abs=1e-9)
    assert found.height_low == pytest.approx(1 - half - 2 * gained, abs=1e-9)


@pytest.mark.parametrize("curve", [np.ones(17), 1 + 0.5 * U, 2 - np.exp(-3 * (U + 1))])
def test_noise_is_not_taken_for_a_peak(curve):
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(200):
        y = curve * np.exp(0.8 * rng.standard_normal((12, 17)) - 0.32)
        alarms += Peak().locate(U, y).status != Status.NO_BREAK
    assert alarms <= 4  # 2 %; the nominal rate is below 5 %


def test_a_peak_near_the_end_may_have_an_open_interval():
    rng = np.random.default_rng(4)
    mean = parabola(U, U[-2])
    mean[-1] -= 0.2
    truth = Peak().locate(U, mean).value
    found = [Peak().locate(U, constant(rng, mean, 30)) for _ in range(40)]
    edge = [f for f in found if f.status == Status.AT_EDGE]
    assert len(edge) >= 10
    assert all(np.isinf(f.high) and f.low < U[-2] for f in edge)
    assert sum(f.low <= truth <= f.high for f in found) >= 36


def test_detection_needs_rise_and_fall():
    rng = np.random.default_rng(5)
    y = constant(rng, parabola(U, 0.0), 20)
    assert certain(y, summit(y.mean(axis=0)), 0.05)
    y = constant(rng, np.minimum(U, 0.0), 20)
    assert not certain(y, summit(y.mean(axis=0)), 0.05)


# --- what is not finite, and bad input ----------------------------------------------------------


def test_lost_replicates_are_left_out_and_counted():
    rng = np.random.default_rng(6)
    y = constant(rng, parabola(U, 0.1), 30)
    clean = Peak().locate(U, y[3:])
    y[:3, 5] = [np.nan, np.inf, -np.inf]
    found = Peak().locate(U, y)
    assert (found.replicates, found.excluded) == (27, 3)
    assert found[:4] == clean[:4]


def test_a_grid_point_that_is_mostly_lost_is_left_out():
    rng = np.random.default_rng(7)
    y = constant(rng, parabola(U, 0.1), 30)
    without = Peak().locate(np.delete(U, 8), np.delete(y, 8, axis=1))
    y[:20, 8] = np.nan
    assert Peak().locate(U, y) == without


@pytest.mark.parametrize("y", [np.full((5, 17), np.nan), np.ones((2, 17)), np.full(17, np.nan)])
def test_too_little_is_not_finite(y):
    assert Peak().locate(U, y).status == Status.NOT_FINITE


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (U, np.ones(5), r"\(17,\), y has \(5,\)"),
        ([0.0, 1.0], [1.0, 2.0], "at least 3"),
        ([0.0, 1.0, 1.0], [1.0, 2.0, 3.0], "distinct"),
    ],
)
def test_bad_curves_are_refused(x, y, words):
    with pytest.raises(BadInput, match=words):
        Peak().locate(x, y)


def test_a_logarithmic_axis_needs_positive_places():
    with pytest.raises(BadInput, match="logarithmic"):
        Peak(log_axis=True).locate(U, U)


def test_a_long_curve_takes_little_memory():
    """A dense matrix of slopes filled 0.8 GB at 10 000 places, and any memory at ten times that."""
    u = np.linspace(-3, 3, 20_001)
    tracemalloc.start()
    found = Peak(log_axis=False).locate(u, -((u - 0.5) ** 2))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.value == pytest.approx(0.5, abs=1e-9)
    assert most < 1e8


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_both_doubts_about_a_place_make_up_what_the_confidence_leaves(confidence, monkeypatch):
    """The slopes may be wrong, and so may the stretch that the heights allow."""
    seen = {}

    def watched(name):
        inside = getattr(peak, name)

        def call(*given):
            seen[name] = given[-1]
            return inside(*given)

        monkeypatch.setattr(peak, name, call)

    watched("accepted")
    watched("plausible")
    x = np.arange(9.0)
    y = -((x - 4) ** 2) + np.random.default_rng(0).standard_normal((12, 9))
    assert Peak(confidence=confidence, log_axis=False).locate(x, y).status == Status.OK
    assert (1 - seen["accepted"]) + seen["plausible"] == pytest.approx(1 - confidence)
    assert 0 < seen["plausible"] < 1 - confidence


def test_what_a_maximum_gains_is_never_more_than_half_the_interval():
    """Runs that agree at the top and tilt: their slopes say nothing of its height."""
    u = np.linspace(-2.0, 2.0, 5)
    y = 1 - 1e-6 * u**2 + np.array([-1.0, 0.0, 1.0])[:, None] * u
    height, half = Peak()._height(u, y, 0.0, 1)
    assert (height, half) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-12))


def test_what_rounding_makes_of_a_plateau_is_no_summit():
    assert summit(np.array([3.0, 3.0 + 1e-9, 3.0, 2.0])) is None
    assert summit(np.array([3.0, 3.0 + 1e-8, 3.0, 2.0])) == (0, 1, 3)


def test_the_reach_of_a_formula_is_that_which_was_asked_for_as_far_as_there_are_places():
    for asked, reach in ((None, 1), (3, 3), (99, 8), (0, 1)):
        assert Peak(reach=asked).locate(U, -(U**2)).reach == reach
