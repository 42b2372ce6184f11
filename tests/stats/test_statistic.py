"""The two tests behind a verdict: scores of cells, pooled biases, and what they rest on."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from ci_theory.check.statistic import cell_scores, floors, moments, pooled, too_skewed
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
