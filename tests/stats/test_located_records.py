"""What locators answer, field by field: against fits and t tests made again by other means."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import least_squares

from ci_theory import BadInput, Status
from ci_theory.locate import Crossing, Floor, Onset, Peak, Survival, Valley, floor, point
from ci_theory.locate.peak import Summit, certain, parabola_at, plausible, vertex
from ci_theory.locate.point import BreakPoint
from ci_theory.locate.survival import break_times

RNG = np.random.default_rng(7)
X = np.geomspace(10, 1000, 9)


def plateau(x, b, c, d):
    return b * (x**-c + d**-c)


def jackknifed(read, y, confidence=0.95):
    """Half a Student interval of what ``read`` makes of the mean of replicates."""
    r = len(y)
    each = np.array([read(np.delete(y, i, axis=0).mean(axis=0)) for i in range(r)])
    error = np.sqrt((r - 1) / r * ((each - each.mean(axis=0)) ** 2).sum(axis=0))
    return stats.t.ppf(0.5 + confidence / 2, r - 1) * error


# --- where a law meets its floor --------------------------------------------------------------


def crossover(mean):
    """Log d and the log height of a law with a floor, by another search."""

    def off(theta):
        line, level = theta[0] - theta[1] * np.log(X), theta[0] - theta[1] * theta[2]
        return np.logaddexp(line, level) - np.log(mean)

    found = least_squares(off, [np.log(3.0), 0.7, np.log(120.0)], xtol=1e-14, ftol=1e-14).x
    return np.array([found[2], found[0] - found[1] * found[2] + np.log(2)])


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_a_floor_has_the_interval_of_the_jackknife(confidence):
    y = plateau(X, 3.0, 0.7, 120.0) * (1 + 0.05 * RNG.standard_normal((6, 9)))
    y = np.concatenate([y, np.full((1, 9), np.nan)])
    found = Floor(confidence=confidence).locate(X, y)
    place, height = crossover(y[:6].mean(axis=0))
    half = jackknifed(crossover, y[:6], confidence)
    wanted = np.exp([place, place - half[0], place + half[0]])
    np.testing.assert_allclose([found.value, found.low, found.high], wanted, rtol=1e-4)
    wanted = np.exp([height, height - half[1], height + half[1]])
    given = [found.height, found.height_low, found.height_high]
    np.testing.assert_allclose(given, wanted, rtol=1e-4)
    assert (found.status, found.replicates, found.excluded) == (Status.OK, 6, 1)


@pytest.mark.parametrize(
    ("place", "status", "low", "high"),
    [
        (0.9, Status.NO_BREAK, np.nan, np.nan),
        (1.1, Status.AT_EDGE, -np.inf, 10.0),
        (9.0, Status.AT_EDGE, -np.inf, 10.0),
        (11.0, Status.OK, 11.0, 11.0),
        (900.0, Status.OK, 900.0, 900.0),
        (1100.0, Status.AT_EDGE, 1000.0, np.inf),
        (9000.0, Status.AT_EDGE, 1000.0, np.inf),
        (11_000.0, Status.NO_BREAK, np.nan, np.nan),
    ],
)
def test_a_floor_beyond_the_axis_is_open_there_and_far_beyond_is_none(place, status, low, high):
    y = plateau(X, 3.0, 0.7, place)
    rows = y * (1 + 1e-7 * RNG.standard_normal((5, 9)))
    found, formula = Floor().locate(X, rows), Floor().locate(X, y)
    assert found.status == formula.status == status
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-3)
    if status != Status.NO_BREAK:
        assert formula.low == formula.value == formula.high == pytest.approx(place, rel=1e-4)


def test_a_faint_floor_is_none_and_a_fit_that_was_given_up_is_told(monkeypatch):
    for steep, status in ((4.0, Status.AT_EDGE), (6.0, Status.NO_BREAK)):
        assert Floor().locate(X, plateau(X, 1.0, steep, 9000.0)).status == status
    assert Floor().locate(X[:3], plateau(X[:3], 1.0, 1.0, 50.0)).status == Status.NOT_FINITE
    assert Floor().locate(X[:4], plateau(X[:4], 1.0, 1.0, 40.0)).status == Status.OK
    y = np.tile(plateau(X, 3.0, 0.7, 120.0), (3, 1))
    assert Floor().locate(X, y[:2]).status == Status.NOT_FINITE
    assert Floor().locate(X, y).status == Status.OK
    y[0, 0], y[1, 0] = 10.0, -5.0  # a positive mean, that of two rows is not
    assert Floor().locate(X, y).status == Status.NOT_FINITE

    class GivenUp(floor.Search):
        def best(self, *given, **words):
            found = super().best(*given, **words)
            return found._replace(converged=np.zeros_like(found.converged))

    monkeypatch.setattr(floor, "Search", GivenUp)
    found = Floor().locate(X, plateau(X, 3.0, 0.7, 120.0))
    assert found.status == Status.NOT_CONVERGED
    assert np.isnan(found.value)


# --- a transition foretold --------------------------------------------------------------------


def test_an_onset_has_the_interval_of_the_jackknife():
    x = np.geomspace(0.1, 2.0, 12)
    y = 3 * (x / 1.3) ** 2 * (1 + 0.1 * RNG.standard_normal((6, 12)))
    mean = y.mean(axis=0)
    used = (mean > 0.03) & (mean < 1.2)

    def read(curve):
        return np.polyfit(np.log(curve[used] / 3), np.log(x[used]), 2)[-1]

    y = np.concatenate([y, np.full((2, 12), np.nan)])
    found = Onset(level=3.0, low=0.03, high=1.2).locate(x, y)
    place, half = read(mean), jackknifed(read, y[:6])
    wanted = (np.exp(place), np.exp(place - half), np.exp(place + half))
    np.testing.assert_allclose([found.value, found.low, found.high], wanted, rtol=1e-9)
    assert (found.height, found.height_low, found.height_high) == (3.0, 3.0, 3.0)
    assert (found.status, found.replicates, found.excluded) == (Status.OK, 6, 2)


@pytest.mark.parametrize(("place", "status"), [(3.99, Status.OK), (4.01, Status.NO_BREAK)])
def test_an_onset_lies_no_further_than_the_fit_is_wide(place, status):
    x = np.geomspace(1, 2, 4)
    assert Onset(low=1e-9, high=0.4).locate(x, (x / place) ** 2).status == status


def test_what_an_onset_needs():
    x = np.geomspace(1, 2, 4)
    rising = Onset(low=0.01, high=0.7)
    y = (x / 2.2) ** 2  # 0.21, 0.33, 0.52, 0.83: three in the window
    assert rising.locate(x, y).status == Status.OK
    assert Onset(low=0.21, high=0.7).locate(x, y).status == Status.NO_BREAK
    assert Onset(low=float(y[0]), high=0.9).locate(x, y).status == Status.OK
    assert Onset(low=float(y[0]), high=float(y[3])).locate(x, y).status == Status.NO_BREAK
    assert Onset(low=0.01, high=float(y[3])).locate(x, y).status == Status.OK
    assert rising.locate(x, y[[0, 0, 2, 3]]).status == Status.NO_BREAK
    assert rising.locate(x[:3], y[:3]).status == Status.OK
    assert rising.locate(x, np.tile(y, (3, 1))).status == Status.OK
    rows = np.tile(y, (3, 1))
    rows[:, 1] += [-1.0, -1.0, 2.0]  # without the last the mean is below zero
    assert rising.locate(x, rows).status == Status.NO_BREAK
    bent = np.exp(-(np.log(x / 2.2) ** 2)) * 0.69  # it bends over before it reaches the level
    assert rising.locate(x, bent).status == Status.NO_BREAK


# --- a level that is crossed ------------------------------------------------------------------


def at(value, height, **more):
    return BreakPoint(value, value, value, height, Status.OK, height, height, **more)


@pytest.mark.parametrize(
    ("y", "direction", "place"),
    [
        ([-1, 0, 1], None, 1.0),
        ([-1, 0, 1], "up", 1.0),
        ([-1, 0, 1], "down", None),
        ([1, 0, -1], "down", 1.0),
        ([1, 0, -1], "up", None),
        ([1, 0, 1], None, 1.0),
        ([0, 1, 2], None, None),
        ([0, -1, 1], None, 1.5),
        ([0, -1, 1], "down", None),
        ([-1, 1, -3], "down", 1.25),
        ([-2, -2, 1], None, 1 + 2 / 3),
    ],
)
def test_a_level_is_crossed_where_it_is_reached_from_one_side(y, direction, place):
    y = np.array(y, float) + 0.5
    found = Crossing(level=0.5, direction=direction).locate([0.0, 1.0, 2.0], y)
    none = BreakPoint(*[np.nan] * 4, Status.NO_BREAK)
    np.testing.assert_equal(tuple(found), tuple(none if place is None else at(place, 0.5)))


def rows(mean, scatter, r=12):
    """Replicates whose mean is the curve itself."""
    z = np.random.default_rng(3).standard_normal((r, len(mean)))
    return mean + scatter * (z - z.mean(axis=0))


MIRRORED = {
    "crossed": (Crossing(level=0.2), lambda x: np.tanh(3 * x), 0.3),
    "open above": (Crossing(), lambda x: np.minimum(x, 0.02), 0.2),
    "open below": (Crossing(), lambda x: np.maximum(x, -0.02), 0.2),
    "peak": (Peak(log_axis=False), lambda x: 1 - (x - 0.1) ** 2, 0.1),
    "peak at the end": (Peak(log_axis=False), lambda x: 1 - (x - 0.75) ** 2, 0.05),
    "valley": (Valley(log_axis=False), lambda x: (x + 0.2) ** 2, 0.1),
    "valley at the end": (Valley(log_axis=False), lambda x: (x + 0.75) ** 2, 0.05),
}


@pytest.mark.parametrize("case", MIRRORED)
def test_a_curve_told_backwards_breaks_at_the_mirrored_place(case):
    locator, mean, scatter = MIRRORED[case]
    x = np.linspace(-1, 1, 15)
    y = rows(mean(x), scatter, 40)
    here, there = locator.locate(x, y), locator.locate(-x, y)
    assert here.status == there.status != Status.NO_BREAK
    assert ("open" in case) <= (here.status == Status.AT_EDGE)
    wanted = [-here.value, -here.high, -here.low, here.height]
    given = [there.value, there.low, there.high, there.height]
    np.testing.assert_allclose(given, wanted, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(there.height_low, here.height_low, rtol=1e-7)
    np.testing.assert_allclose(there.height_high, here.height_high, rtol=1e-7)
    assert there[7:] == here[7:]


@pytest.mark.parametrize("case", MIRRORED)
def test_where_an_axis_begins_does_not_matter(case):
    locator, mean, _ = MIRRORED[case]
    x = np.linspace(-1, 1, 15)
    skewed = np.random.default_rng(8).exponential(size=(40, 15)) - 1
    y = mean(x) + 0.1 * (skewed - skewed.mean(axis=0))
    here = locator.locate(x, y)
    for shift in (-50.0, 30.0):
        there = locator.locate(x + shift, y)
        given = np.array(there)[:3].astype(float) - shift
        np.testing.assert_allclose(given, np.array(here)[:3].astype(float), atol=1e-9)
        assert there.status == here.status


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_valley_told_backwards_is_on_the_other_side(side):
    x = np.linspace(0, 6, 25)
    y = rows(np.cos(2 * x) + 0.2 * x, 0.1)
    other = {"before": "after", "after": "before"}[side]
    here = Valley(side=side, log_axis=False).locate(x, y)
    there = Valley(side=other, log_axis=False).locate(-x, y)
    given = [there.value, there.low, there.high, there.height]
    np.testing.assert_allclose(given, [-here.value, -here.high, -here.low, here.height], rtol=1e-7)
    assert here.status == Status.OK


@pytest.mark.parametrize(("rise", "undivided"), [(1.01, False), (0.99, True)])
def test_only_a_certain_peak_divides_a_curve(rise, undivided):
    """At the level of the interval, for all fifteen pairs of a top and another point."""
    y = np.zeros((8, 6))
    spread = stats.zscore(np.arange(8), ddof=1) * np.sqrt(8)
    y[:, 2] = 9.0 + spread / stats.t.ppf(1 - 0.05 / 15, 7)
    y[:, [1, 3, 4]] = 8.5
    y[:, 0] = y[:, 5] = 9.0 - rise
    assert Valley(side="before").undivided(np.arange(6.0), y) is undivided
    assert Valley().undivided(np.arange(6.0), y) is False


def test_a_side_of_three_points_has_a_valley_and_one_of_two_has_none():
    y = np.array([2.0, 1.0, 5.0, 4.0, 0.0, 3.0])
    before = Valley(side="before", log_axis=False)
    assert before.locate(np.arange(6.0), y).status == Status.OK
    assert before.locate(np.arange(5.0), y[1:]).status == Status.NO_BREAK
    after = Valley(side="after", log_axis=False)
    assert after.locate(np.arange(5.0), [3.0, 0.0, 4.0, 1.0, 0.5]).status == Status.NO_BREAK
    assert Valley().locate(np.arange(3.0), y[:3]).status == Status.OK
    assert Valley().locate(np.arange(3.0), np.tile(y[:3], (3, 1))).status == Status.OK
    assert Valley().locate(np.arange(3.0), np.tile(y[:3], (2, 1))).status == Status.NOT_FINITE


def test_the_other_way_up_a_crossing_is_one_down_and_a_valley_a_peak():
    x = np.linspace(-1, 1, 15)
    y = rows(np.sin(3 * x) + 0.3, 0.2)
    for direction, other in (("up", "down"), ("down", "up"), (None, None)):
        here = Crossing(level=0.1, direction=direction).locate(x, y)
        there = Crossing(level=-0.1, direction=other).locate(x, -y)
        np.testing.assert_allclose(here[:3], there[:3])
        assert here.status == there.status
    peak, valley = Peak(log_axis=False).locate(x, y), Valley(log_axis=False).locate(x, -y)
    assert valley[:3] == peak[:3]
    assert -np.array(valley)[[3, 6, 5]].astype(float) == pytest.approx(
        np.array(peak)[[3, 5, 6]].astype(float)
    )
    assert valley[7:] == peak[7:]


EACH = {
    "Crossing": (Crossing, {"level": 0.3}, lambda x: np.log(x / 30)),
    "Floor": (Floor, {}, lambda x: plateau(x, 3.0, 0.7, 120.0)),
    "Onset": (Onset, {"low": 0.01, "high": 0.9}, lambda x: (x / 1100) ** 0.8),
    "Peak": (Peak, {"log_axis": True}, lambda x: 3 - np.log(x / 80) ** 2),
    "Survival": (Survival, {"level": 0.3}, lambda x: np.log(x / 30)),
    "Valley": (Valley, {"log_axis": True}, lambda x: 2 + np.log(x / 80) ** 2),
}


@pytest.mark.parametrize("name", EACH)
def test_a_surer_interval_holds_a_less_sure_one(name):
    made, words, mean = EACH[name]
    whole = 0.1 * np.random.default_rng(4).standard_normal((30, 1))
    y = mean(X) * (1 + whole) + 0.02 * rows(0 * X, 1.0, 30) * mean(X)
    last = None
    for confidence in (0.5, 0.8, 0.95, 0.999):
        found = made(**words, confidence=confidence).locate(X, y)
        assert found.status == Status.OK
        assert found.replicates == 30
        if last is not None:
            assert found.low < last.low <= found.value <= last.high < found.high
            assert found.value == pytest.approx(last.value)
        last = found


# --- how sure a peak is -----------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.05, 0.2])
@pytest.mark.parametrize("r", [4, 11])
def test_a_peak_is_certain_where_rise_and_fall_pass_a_test_for_all_choices_of_indices(level, r):
    """Six points have fifteen pairs of a top and another: one-sided tests at level/15."""
    spread = stats.zscore(np.arange(r), ddof=1) * np.sqrt(r)
    bound = stats.t.ppf(1 - level / 15, r - 1)
    for rise, fall, sure in ((1.01, 1.01, True), (0.99, 9.0, False), (9.0, 0.99, False)):
        y = np.zeros((r, 6))
        y[:, 2] = 9.0 + spread / bound
        y[:, 0], y[:, 5] = 9.0 - rise, 9.0 - fall
        assert certain(y, Summit(0, 2, 5), level) is sure


@pytest.mark.parametrize("r", [4, 11])
def test_a_peak_may_be_wherever_the_curve_is_not_surely_lower(r):
    spread, u = stats.zscore(np.arange(r), ddof=1) * np.sqrt(r), np.arange(10.0)
    bound = stats.t.ppf(1 - 0.05 / 6, r - 1)
    y = np.zeros((r, 10))
    y[:, 4] = spread / bound
    y -= np.array([0.0, 0.5, 5.0, 0.99, 0.0, 0.5, 0.99, 1.01, 5.0, 0.0])
    assert plausible(u, y, Summit(1, 4, 7), 0.05) == (0.0, 7.0)
    y[:, 1] -= 3.0
    assert plausible(u, y, Summit(1, 4, 7), 0.05) == (2.0, 7.0)
    y[:, 7] += 0.02
    assert plausible(u, y, Summit(1, 4, 7), 0.05) == (2.0, 8.0)
    y[:, 3] -= 0.02
    assert plausible(u, y, Summit(1, 4, 7), 0.05) == (3.0, 8.0)


def test_the_reach_of_a_peak_stays_between_its_troughs_and_on_the_axis():
    u, top = np.arange(41.0), Summit(2, 6, 20)
    assert Peak()._reaches(u, top) == [1, 2, 3, 4]
    assert Peak()._reaches(u, Summit(2, 17, 20)) == [1, 2, 3]
    assert Peak()._reaches(u, Summit(0, 20, 40)) == list(range(1, 11))
    assert Peak()._reaches(u[:4], Summit(0, 1, 3)) == [1]
    assert Peak(reach=99)._reaches(u[:8], top) == [3]
    assert Peak(reach=0)._reaches(u, top) == [1]
    assert Peak(reach=5)._reaches(u, top) == [5]


def test_of_several_summits_the_one_at_the_top_is_told():
    u = np.arange(9.0)
    y = np.array([0.0, 2.0, 1.0, 3.0, 7.0, 2.0, 3.0, 1.0, 0.0])
    place = vertex(u, y, Summit(0, 4, 8), 1)
    assert place == pytest.approx(np.roots(np.polyder(np.polyfit(u[3:6], y[3:6], 2)))[0])
    value, slope, bend = parabola_at(u, np.stack([y, 2 * y]), 4.3, 2)
    wanted = np.polynomial.Polynomial.fit(u[2:7], y[2:7], 2)
    there = [wanted(4.3), wanted.deriv()(4.3), wanted.deriv(2)(4.3)]
    np.testing.assert_allclose([value, slope, bend], np.outer(there, [1, 2]), rtol=1e-10)
    for end, window in ((0.1, u[:5]), (8.0, u[4:])):  # at an end the window stays on the axis
        wanted = np.polynomial.Polynomial.fit(window, y[window.astype(int)], 2)
        np.testing.assert_allclose(parabola_at(u, y[None], end, 2)[0], wanted(end), rtol=1e-9)


# --- curves as locators receive them ----------------------------------------------------------


def test_a_place_that_half_of_the_runs_lost_is_left_out_and_then_runs():
    x, y = np.array([3.0, 1.0, 2.0, 4.0]), np.arange(16.0).reshape(4, 4)
    y[:2, 0] = np.nan  # half of the runs, at x = 3
    y[3, 2] = np.inf  # one run of four, at x = 2
    curve = point.clean(x, y, False)
    assert curve.u.tolist() == [1, 2, 4]
    assert curve.y.tolist() == y[:3, [1, 2, 3]].tolist()
    assert (curve.log, curve.formula, curve.excluded) == (False, False, 1)
    y[1, 0] = 4.0
    assert point.clean(x, y, False).excluded == 2
    formula = point.clean(x, np.array([1.0, np.nan, 2.0, 3.0]), False)
    assert formula.u.tolist() == [2, 3, 4]
    assert formula.y.tolist() == [[2, 1, 3]]
    assert (formula.formula, formula.excluded) == (True, 0)
    gone = point.missing(Status.AT_EDGE, curve)
    np.testing.assert_equal(tuple(gone[:5]), (*[np.nan] * 4, Status.AT_EDGE))
    assert (gone.replicates, gone.excluded, gone.reach, gone.reached) == (3, 1, 1, None)
    assert point.missing(Status.NO_BREAK, formula).replicates == 0
    with pytest.raises(BadInput, match="x has shape"):
        point.clean(x, y[None], False)


def test_the_time_of_a_run_is_interpolated_between_two_looks():
    x = np.array([20.0, 0.0, 10.0, 30.0])
    y = np.array(
        [
            [1.0, 0.0, 0.5, 1.0],  # crosses 0.75 between 10 and 20
            [0.0, 0.9, 0.0, 0.0],  # there at the first look
            [0.0, 0.0, 0.75, 0.0],  # just reaches it
            [0.8, 0.0, np.nan, 0.0],  # nothing is known of the look before
            [0.9, 0.0, np.inf, 0.3],  # what diverges reaches nothing
            [np.nan, 0.0, -np.inf, 0.9],
            [0.0, 0.1, 0.2, 0.7],
        ]
    )
    found = break_times(x, y, 0.75)
    assert found.time.tolist() == [15.0, 0.0, 10.0, 20.0, 20.0, 30.0, 30.0]
    assert found.reached.tolist() == [True] * 6 + [False]
    down = break_times(x, -y, -0.75, "down")
    assert down.time.tolist() == found.time.tolist()
    assert down.reached.tolist() == found.reached.tolist()


def test_a_median_of_runs_field_by_field():
    x = np.arange(0.0, 101.0)
    jumps = (x >= np.array([10.0, 20, 30, 40, 50, 60, 70])[:, None]).astype(float)
    found = Survival(level=1.0).locate(x, jumps)
    assert found == BreakPoint(40.0, 10.0, 70.0, 1.0, Status.OK, 1.0, 1.0, replicates=7, reached=7)
    even = Survival(level=1.0, confidence=0.5).locate(x, jumps[:6])  # ranks 2 to 5: 78 %
    assert even[:3] == (35.0, 20.0, 50.0)
    late = Survival(level=1.0).locate(x, np.r_[jumps[:3], 0 * jumps])
    np.testing.assert_equal(
        tuple(late),
        (np.nan, 20.0, np.inf, np.nan, Status.CENSORED, np.nan, np.nan, 10, 0, 1, 3),
    )
