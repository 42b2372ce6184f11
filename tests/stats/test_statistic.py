"""The two tests behind a verdict: scores of cells, pooled biases, and what they rest on."""

import numpy as np
import pytest
import scipy.stats
from scipy.stats import ttest_1samp

from ci_theory.check.statistic import (
    NOTHING,
    cell_scores,
    few_for_skew,
    floors,
    moments,
    pooled,
    too_skewed,
)
from ci_theory.locate.student import corrected, skewness


def test_one_cell_pooled_is_the_t_test():
    y = np.random.default_rng(0).normal(3.0, 1.0, (1, 12))
    one = np.ones(1)
    found = pooled(y, 2.5 * one, 0 * one, 2.5 * one, 2.5 * one)
    expected = ttest_1samp(y[0], 2.5)
    assert found.value == pytest.approx(y.mean() / 2.5 - 1, rel=1e-12)
    assert found.value / found.error == pytest.approx(expected.statistic, rel=1e-12)
    assert found.probability >= expected.pvalue * (1 - 1e-9)


def test_the_interval_of_a_pooled_bias_is_students():
    y = np.random.default_rng(8).normal(3.0, 1.0, (1, 12))
    one = np.ones(1)
    found = pooled(y, 3.0 * one, 0 * one, 3.0 * one, 3.0 * one)
    expected = ttest_1samp(y[0] / 3.0 - 1, 0.0).confidence_interval(0.95)
    assert found.interval(0.95) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_a_low_mean_of_skewed_runs_is_scored_by_halls_transform():
    """The t statistic of such a sample reaches too far; on the other side it stays."""
    one, count = np.ones(1), np.array([40])
    low, high = (cell_scores(m * one, 0 * one, one, 1.5 * one, count)[0] for m in (-0.6, 0.6))
    t = 0.6 * np.sqrt(40)
    assert low == pytest.approx(corrected(np.array(-t), np.array(1.5), np.array(40)), rel=1e-12)
    assert -t < low < -0.5 * t
    assert high == pytest.approx(t, rel=1e-12)
    y = np.random.default_rng(9).exponential(size=(1, 40))
    found = pooled(y, 1.5 * one, 0 * one, 1.5 * one, one)
    t = np.array(found.value / found.error)
    assert found.score == pytest.approx(corrected(t, skewness(y.T)[0], np.array(40)), rel=1e-9)
    assert 0.9 * t < found.score < 0


def test_pooled_bias_is_unbiased_where_plain_inverse_variance_weights_are_not():
    rng = np.random.default_rng(1)
    cells, r, tries = 30, 10, 400
    value = np.ones(cells)
    z = np.exp(rng.standard_normal((tries, cells, r)) - 0.5)  # lognormal, mean 1, skewness 6
    ours = [pooled(y, value, 0 * value, value, value).value for y in z]
    weight = 1 / z.var(axis=2, ddof=1)
    naive = (weight * (z.mean(axis=2) - 1)).sum(axis=1) / weight.sum(axis=1)
    error = np.std(ours) / np.sqrt(tries)
    assert abs(np.mean(ours)) < 3.5 * error
    assert np.mean(naive) < -0.2


def one_by_one(y, hypothesis, slack, direction, unit):
    """The pooled coefficient of each replicate and its room, a replicate and a cell at a time.

    A cell weighs the inverse of its variance without the replicate, drawn with four degrees of
    freedom to the median over the cells: variances relative to the size of the measure.
    """
    found, rooms = [], []
    for k in range(y.shape[1]):
        others = [row[np.isfinite(row) & (np.arange(len(row)) != k)] for row in y]
        here = np.isfinite(y[:, k])
        freedom = np.array([len(o) - 1 for o in others], float)
        relative = np.array([np.var(o, ddof=1) for o in others]) / unit**2
        typical = np.median(relative[here])
        variance = (4 * typical + freedom * relative) / (4 + freedom) * unit**2
        weight = np.where(here, direction / variance, 0.0)
        weight = weight / np.sum(weight * direction)
        found.append(np.sum(weight[here] * (y[:, k] - hypothesis)[here]))
        rooms.append(np.sum(np.abs(weight) * slack))
    return np.array(found), np.mean(rooms)


def test_pooled_is_what_leaving_one_replicate_out_at_a_time_gives():
    rng = np.random.default_rng(12)
    unit, slack = np.array([0.5, 3.0, 40.0, 2.0]), np.array([0.02, 0.01, 0.3, 0.0])
    wrong, direction = 0.7 * unit, np.array([0.4, -2.0, 9.0, 0.3])
    y = unit[:, None] * (1 + np.array([0.1, 0.3, 0.2, 2.0])[:, None] * rng.gamma(2, size=(4, 9)))
    y[1, 4] = y[2, :3] = np.nan
    found = pooled(y, wrong, slack, direction, unit)
    each, room = one_by_one(y, wrong, slack, direction, unit)
    assert (found.value, found.slack) == pytest.approx((each.mean(), room), rel=1e-12)
    assert found.error == pytest.approx(each.std(ddof=1) / 3, rel=1e-12)
    assert found.skew == pytest.approx(scipy.stats.skew(each, bias=False), rel=1e-12)
    left = np.sign(each.mean()) * max(abs(each.mean()) - room, 0.0)
    t = corrected(np.array(left / found.error), np.array(found.skew), np.array(9))
    assert found.score == pytest.approx(float(t), rel=1e-12)
    assert found.score != 0
    assert found.probability == pytest.approx(2 * scipy.stats.t.sf(abs(found.score), 8), rel=1e-9)
    assert (found.replicates, found.skewed) == (9, bool(5 * found.skew**2 > 9))
    # runs in no cell at all are not there; two runs are no sample
    more = np.concatenate([y, np.full((4, 2), np.nan)], axis=1)
    assert pooled(more, wrong, slack, direction, unit) == found
    assert pooled(y[:1, :3], wrong[:1], slack[:1], direction[:1], unit[:1]).replicates == 3
    nothing = pooled(y, wrong, slack, 0 * direction, unit)
    assert nothing is NOTHING
    assert (nothing.replicates, nothing.probability, nothing.margin(0.975)) == (0, 1.0, np.inf)
    assert found._replace(skewed=True, score=50.0).probability == 1.0


def test_the_same_cell_many_times_tells_what_it_tells_once():
    """Replicates count, not numbers: also for whether they are too few for their skewness."""
    y, one = np.array([[1.0, 1.1, 0.9, 1.0, 1.05, 9.0]]), np.ones(1)
    found = pooled(y, one, 0.1 * one, one, one)
    assert found.skewed
    again = pooled(np.tile(y, (40, 1)), *(np.full(40, v) for v in (1.0, 0.1, 1.0, 1.0)))
    np.testing.assert_allclose(again, found, rtol=1e-12)


def test_cells_that_never_vary_weigh_a_lot_and_not_everything():
    """Three cells without scatter: the coefficient is their plain relative deviation."""
    unit = np.array([1.0, 10.0, 100.0])
    y = np.repeat((1.25 * unit)[:, None], 5, axis=1)
    found = pooled(y, unit, 0 * unit, unit, unit)
    assert (found.value, found.error) == (pytest.approx(0.25, rel=1e-12), pytest.approx(0))
    assert found.score == np.inf
    assert found.probability == 0.0


def test_pooled_error_is_that_of_repeated_experiments():
    rng = np.random.default_rng(2)
    value = np.geomspace(1, 100, 12)
    found = []
    for _ in range(400):
        common = rng.standard_normal(15)
        y = value[:, None] * (1 + 0.1 * common + 0.2 * rng.standard_normal((12, 15)))
        found.append(pooled(y, value, 0 * value, value, value))
    stated = np.sqrt(np.mean([f.error**2 for f in found]))
    assert stated == pytest.approx(np.std([f.value for f in found]), rel=0.1)


def test_direction_tells_decoy_from_prediction():
    rng = np.random.default_rng(3)
    truth, wrong = np.array([1.0, 2.0, 3.0]), np.array([1.3, 1.6, 3.0])
    y = truth[:, None] + 0.1 * rng.standard_normal((3, 40))
    toward = pooled(y, wrong, 0 * truth, truth - wrong, truth)
    assert toward.value == pytest.approx(1.0, abs=4 * toward.error)
    assert toward.probability < 1e-10
    # the deviations of this decoy cancel in the mean: only the right direction shows them
    assert pooled(y, wrong, 0 * truth, truth, truth).probability > toward.probability


def test_slacks_add_up_also_where_the_direction_changes_its_sign():
    """What the slack excuses is how far the worst truth within it moves the coefficient."""
    rng = np.random.default_rng(11)
    truth, wrong = np.array([1.0, 2.0, 3.0]), np.array([1.3, 1.6, 3.2])
    y = truth[:, None] + 0.1 * rng.standard_normal((3, 40))
    toward, slack = truth - wrong, np.array([0.02, 0.05, 0.03])
    found = pooled(y, wrong, slack, toward, truth)
    worst = pooled(y, wrong - slack * np.sign(toward), slack, toward, truth)
    assert found.slack == pytest.approx(worst.value - found.value, rel=1e-9)
    assert found.slack > 0.05


def test_moments_ignore_what_is_missing():
    from scipy.stats import skew

    y = np.random.default_rng(4).exponential(size=(3, 9))
    y[0, 2] = y[2, :7] = np.nan
    mean, spread, skewed, count = moments(y)
    assert count.tolist() == [8, 9, 2]
    np.testing.assert_allclose(mean, np.nanmean(y, axis=1))
    np.testing.assert_allclose(spread, np.nanstd(y, axis=1, ddof=1))
    expected = [skew(row[np.isfinite(row)], bias=False) for row in y[:2]]
    np.testing.assert_allclose(skewed[:2], expected)


def test_a_single_run_is_its_own_mean():
    mean, spread, skewed, count = moments(np.array([[4.0, np.nan], [np.nan, np.nan]]))
    np.testing.assert_array_equal(mean, [4.0, np.nan])
    assert (spread[0], skewed.tolist(), count.tolist()) == (0.0, [0, 0], [1, 0])


def test_replicates_are_enough_from_five_times_their_skewness_squared_on():
    assert few_for_skew(np.array([19, 20, 21]), np.array([2.0, -2.0, 2.0])).tolist() == [
        True, False, False,
    ]  # fmt: skip


def test_a_lucky_quiet_cell_borrows_the_error_bar_of_its_neighbours():
    near = np.array([[-1, 1], [0, 2], [1, 3], [2, -1]])
    spread, unit = np.array([0.2, 0.01, 0.2, 0.2]), np.ones(4)
    everywhere = np.ones(4, bool)
    assert floors(spread, unit, everywhere, near)[1] == 0.2
    assert floors(spread, unit, everywhere, np.full((4, 1), -1))[1] == 0.01
    low = np.array([0.0, -0.05, 0.0, 0.0])
    count, none = np.full(4, 10), np.zeros(4)
    own = cell_scores(low, none, spread, none, count)[1]
    floored = cell_scores(low, none, np.maximum(spread, 0.2), none, count)[1]
    assert own < -10 < -1 < floored < 0


def test_spreads_of_neighbours_are_compared_relative_to_the_size_of_the_measure():
    near = np.array([[-1, 1], [0, 2], [1, 3], [2, -1], [-1, -1]])
    unit, judged = np.array([1.0, 10.0, 100.0, 0.0, 5.0]), np.array([True] * 4 + [False])
    spread = unit * np.array([0.3, 0.1, 0.2, 0.7, 0.4])
    found = floors(spread, unit, judged, near)
    # medians of (0.3, 0.1), (0.3, 0.1, 0.2) and (0.1, 0.2); none of 0 or of what is not judged
    np.testing.assert_allclose(found, unit * [0.2, 0.2, 0.15, 0.0, 0.0])


def test_cells_are_held_to_their_neighbours_skewness_or_the_sweeps():
    skew, count, judged = np.array([0.1, 3.0, 0.1, 0.1]), np.full(4, 20), np.ones(4, bool)
    chain = np.array([[-1, 1], [0, 2], [1, 3], [2, -1]])
    for tail in (skew, -skew):
        assert too_skewed(tail, count, judged, chain).tolist() == [True, True, True, False]
        assert too_skewed(tail, count, judged, np.full((4, 1), -1)).all()
        assert not too_skewed(tail, count * 10, judged, chain).any()


def test_replicates_that_differ_by_almost_nothing_have_no_skewness():
    """The third power of a spread of 1e-110 is 0: no 0/0, no warning."""
    values = 1e-110 * np.array([[1.0, 2.0, 4.0, 9.0]])
    assert moments(values)[2].tolist() == [0.0]
    assert skewness(values.T).tolist() == [0.0]
