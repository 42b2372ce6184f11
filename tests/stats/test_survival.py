"""Break times of single runs: medians with exact intervals, censoring, survival curves."""

import numpy as np
import pytest
from scipy.stats import binom

from ci_theory import BadInput
from ci_theory._errors import Status
from ci_theory.locate import Survival
from ci_theory.locate.survival import Times, break_times, survival_curve

X = np.linspace(0.0, 100.0, 41)


def jumps(times, width=0.0, top=1.0):
    """Curves that rise from 0 to ``top`` at given times, (r, t), over a width."""
    u = X[None, :] - np.asarray(times, float)[:, None]
    return top * (u >= 0) if width == 0 else top / (1 + np.exp(np.minimum(-u / width, 99.0)))


def test_times_are_those_of_each_run_and_the_median_is_theirs():
    true = np.array([12.0, 33.0, 47.0, 58.0, 71.0, 90.0, 20.0])
    smooth = jumps(true, width=8.0)
    found = break_times(X, smooth, 0.5)
    np.testing.assert_allclose(found.time, true, atol=0.02)
    assert found.reached.all()
    at = Survival(level=0.5).locate(X, smooth)
    assert at.value == pytest.approx(47, abs=0.02)
    assert (at.low, at.high) == pytest.approx((12, 90), abs=0.02)  # 7 runs: 98.4 % needs all
    assert (at.status, at.replicates, at.reached) == (Status.OK, 7, 7)
    # the mean curve crosses elsewhere: it is nobody's
    lonely = jumps([10.0, 12.0, 14.0, 90.0, 92.0], width=2.0)
    assert Survival(level=0.95).locate(X, lonely).value < 25
    assert X[np.argmax(lonely.mean(axis=0) > 0.95)] > 90
    down = Survival(level=0.5, direction="down").locate(X, 1 - smooth)
    assert down.value == pytest.approx(at.value, abs=1e-9)
    order = np.random.default_rng(0).permutation(len(X))
    assert Survival(level=0.5).locate(X[order], smooth[:, order]) == at


def test_runs_that_never_break_are_censored_not_averaged():
    times = [10, 20, 30, 40, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9]
    at = Survival(level=1.0).locate(X, jumps(times))
    assert at.status == Status.CENSORED
    assert np.isnan(at.value)
    assert (at.low, at.high, at.reached) == (30, np.inf, 4)  # rank 3 of 12
    never = Survival(level=1.0).locate(X, jumps([1e9] * 12))
    assert (never.status, never.low, never.high, never.reached) == (
        Status.CENSORED, 100.0, np.inf, 0,
    )  # fmt: skip
    most = Survival(level=1.0).locate(X, jumps(times[:4] * 2 + times[4:8]))
    assert most.status == Status.OK
    assert most.high == np.inf  # half of all runs may well be late
    assert most.value == 35.0


def test_a_diverged_run_never_breaks_and_stays_counted():
    y = jumps([20.0] * 5 + [1e9] * 4, width=1.0)
    y[5:, 10:] = np.nan
    at = Survival(level=0.5).locate(X, y)
    assert (at.replicates, at.reached, at.status) == (9, 5, Status.OK)
    y[4, :] = np.nan
    assert Survival(level=0.5).locate(X, y).status == Status.CENSORED
    late = jumps([20.0] * 9)
    late[:, 20:] = np.inf  # diverges after it broke
    assert Survival(level=0.5).locate(X, np.where(np.isinf(late), np.nan, late)).reached == 9


def test_formulas_few_runs_and_bad_curves():
    curve = jumps([33.0], width=4.0)[0]
    at = Survival(level=0.5).locate(X, curve)
    assert at.low == at.value == at.high == pytest.approx(33, abs=0.05)
    assert (at.replicates, at.reached) == (0, None)
    assert Survival(level=2.0).locate(X, curve).status == Status.NO_BREAK
    five = Survival(level=1.0).locate(X, jumps([10, 20, 30, 40, 50]))
    assert (five.value, five.low, five.high) == (30, -np.inf, np.inf)  # 5 runs: 93.75 % at most
    assert Survival(level=1.0).locate(X, jumps([10, 20])).status == Status.NOT_FINITE
    with pytest.raises(BadInput, match="at least 3 distinct"):
        Survival(level=0.5).locate(X[:2], curve[:2])


@pytest.mark.parametrize(("r", "budget"), [(6, 100.0), (12, 100.0), (12, 30.0), (25, 38.0)])
def test_intervals_cover_the_median_as_often_as_their_ranks_say(r, budget):
    """Log-normal break times of median 30; with a budget of 30 half the runs are censored."""
    rng = np.random.default_rng(r)
    x = np.linspace(0.0, budget, 801)
    held = 0
    for _ in range(1000):
        times = 30 * np.exp(rng.standard_normal(r))
        u = (x[None, :] - times[:, None]) / 0.05
        at = Survival(level=0.5).locate(x, (u >= 0).astype(float))
        held += at.low <= 30.0 + budget / 800 and at.high >= 30.0
    rank = int(binom.ppf(0.025, r, 0.5))
    exact = 1 - 2 * binom.cdf(rank - 1, r, 0.5)
    assert exact >= 0.95
    assert abs(held / 1000 - exact) < 4 * np.sqrt(exact * (1 - exact) / 1000) + 0.004


def test_survival_curve_is_the_product_limit():
    """By hand: 6 at risk lose 1, 4 lose 1 (one left before), 2 lose 1."""
    times = Times(np.array([2.0, 3.0, 5.0, 6.0, 8.0, 9.0]), np.array([1, 0, 1, 0, 1, 0]) > 0)
    curve = survival_curve(times)
    np.testing.assert_allclose(curve.share, [5 / 6, 5 / 6 * 3 / 4, 5 / 6 * 3 / 4 / 2])
    np.testing.assert_array_equal(curve.time, [2, 5, 8])
    # Greenwood's sum on the scale log(-log), by hand for the second point
    share, half = 5 / 6 * 3 / 4, 1.959963985
    spread = np.sqrt(1 / (6 * 5) + 1 / (4 * 3)) / abs(np.log(share))
    wanted = share ** np.exp(half * spread), share ** np.exp(-half * spread)
    np.testing.assert_allclose([curve.low[1], curve.high[1]], wanted, rtol=1e-6)
    assert len(survival_curve(Times(times.time, times.reached & False)).time) == 0
    gone = survival_curve(Times(times.time, times.reached | True))
    assert gone.share[-1] == gone.low[-1] == 0
    assert gone.high[-1] == pytest.approx(1 - 0.025 ** (1 / 6))
    assert gone.start == pytest.approx(0.025 ** (1 / 6))


def test_the_band_covers_the_true_survival():
    rng = np.random.default_rng(3)
    held = total = 0
    for _ in range(400):
        times = rng.exponential(20.0, 20)
        reached = times < 40
        curve = survival_curve(Times(np.minimum(times, 40.0), reached))
        for t in (5.0, 15.0, 30.0):
            seen = np.searchsorted(curve.time, t, side="right") - 1
            if seen >= 0:
                total += 1
                held += curve.low[seen] <= np.exp(-t / 20) <= curve.high[seen]
    assert 0.92 <= held / total <= 0.98


def test_where_no_run_broke_the_band_is_that_of_a_share_of_one():
    curve = survival_curve(Times(np.full(8, 50.0), np.zeros(8, bool)))
    assert curve.start == pytest.approx(0.025 ** (1 / 8))
