import dataclasses
import types

import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.check import calibration
from ci_theory.check.calibration import Setting, alarms, like, power
from ci_theory.check.verdict import judge

SETTINGS = {
    "normal": Setting(),
    "one run for all cells": Setting(shared=0.9, inner=True),
    "skewed": Setting(tail=0.5),
    "few replicates, skewed": Setting(tail=0.5, replicates=12),
    "few cells": Setting(cells=3),
    "very different cells": Setting(spread=(0.01, 1.0)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_false_alarms_come_at_the_nominal_rate(name):
    # Design: 3 to 7 % at a nominal 5 %. With 400 sweeps the binomial interval must meet the band.
    rate = alarms(SETTINGS[name], level=0.05, sweeps=400, seed=1)
    assert rate.low < 0.07
    assert rate.high > 0.03
    assert 0.02 <= rate.value <= 0.08


def test_false_alarms_of_a_strict_level_stay_rare_with_skewed_replicates():
    rate = alarms(Setting(tail=0.5, replicates=15), level=1e-3, sweeps=1000, seed=2)
    assert rate.value <= 4e-3


def test_power_against_a_bias_of_three_percent():
    assert power(Setting(), bias=0.03, sweeps=200, seed=3).value >= 0.95
    assert power(Setting(), bias=-0.03, sweeps=200, seed=3).value >= 0.95
    assert power(Setting(), bias=0.002, sweeps=200, seed=3).value < 0.5


def test_a_deviation_within_the_slack_is_no_alarm():
    true = Setting(slack=0.03, offset=0.03)
    assert alarms(true, level=0.05, sweeps=400, seed=4).value <= 0.05
    assert power(dataclasses.replace(true, slack=0.01), sweeps=200, seed=4).value > 0.5


def test_a_checker_with_plain_t_tests_would_not_pass():
    # The reason for the corrections: same replicates, one t test a cell, no correction.
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(5)
    setting = Setting(tail=1.0, replicates=15)
    hits = 0
    for _ in range(300):
        c = setting.draw(rng)
        p = ttest_1samp(c.values, c.estimate.value[:, None], axis=1).pvalue
        hits += p.min() < 1e-3 / len(p)
    assert hits / 300 > 0.05


def test_rates_carry_exact_binomial_intervals():
    from scipy.stats import binomtest

    rate = alarms(Setting(cells=3, replicates=8), level=0.5, sweeps=60, seed=6)
    hits = round(rate.value * 60)
    expected = binomtest(hits, 60).proportion_ci(method="exact")
    assert (rate.low, rate.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_a_setting_like_a_real_comparison():
    drawn = Setting(cells=200, replicates=400, spread=(0.05, 0.3), tail=0.5)
    found = like(drawn.draw(np.random.default_rng(7)))
    assert (found.cells, found.replicates) == (200, 400)
    assert found.tail == pytest.approx(0.5, abs=0.1)
    assert found.spread == pytest.approx((0.055, 0.274), rel=0.15)


def test_nothing_is_like_a_comparison_without_a_judged_cell():
    made = Setting(cells=4, replicates=9).draw(np.random.default_rng(0))
    silent = made.estimate._replace(valid=np.zeros(4, bool))
    nothing = made.estimate._replace(value=np.zeros(4))
    for change in ({"estimate": silent}, {"estimate": nothing}, {"lost": np.ones(4, int)}):
        with pytest.raises(BadInput, match="prediction synthetic: no cell is judged where it is"):
            like(dataclasses.replace(made, **change))
    one = made.estimate._replace(valid=np.arange(4) == 2)
    assert like(dataclasses.replace(made, estimate=one)).cells == 1


def test_a_decoy_that_says_the_same_somewhere_is_rejected_elsewhere():
    made = Setting(cells=20, replicates=100).draw(np.random.default_rng(0))
    value = made.estimate.value
    half = np.where(np.arange(20) < 10, 1.0, 0.5) * value
    decoys = {"partly": half, "nowhere": value, "silent": np.full(20, np.nan)}
    found = judge(dataclasses.replace(made, decoys=decoys), level=1e-3, effect=1.0).decoys
    told = {name: (one.vacuous, one.rejected) for name, one in found.items()}
    assert told == {"partly": (False, True), "nowhere": (True, False), "silent": (True, False)}


def test_a_drawn_sweep_has_the_moments_that_were_asked_for():
    """Means, spreads, skewness and correlations of 20 000 runs, against the formulas."""
    setting = Setting(cells=4, replicates=20_000, spread=(0.1, 0.8), slack=0.25, offset=0.5)
    made = setting.draw(np.random.default_rng(1))
    value, spread = np.geomspace(0.1, 10, 4), np.geomspace(0.1, 0.8, 4)
    np.testing.assert_allclose(made.estimate.value, value)
    np.testing.assert_allclose(made.estimate.slack, value / 4)
    np.testing.assert_allclose(made.mean / value, 1.5, rtol=0.03)
    np.testing.assert_allclose(made.spread / made.mean, spread, rtol=0.03)
    assert np.abs(made.skew).max() < 0.1
    assert np.abs(np.corrcoef(made.values) - np.eye(4)).max() < 0.04
    assert made.near.tolist() == [[-1, 1], [0, 2], [1, 3], [2, -1]]
    assert made.judged.all()
    tail = dataclasses.replace(setting, tail=0.5, shared=0.64, inner=True)
    made = tail.draw(np.random.default_rng(2))
    np.testing.assert_allclose(made.mean / value, 1.5, rtol=0.03)
    np.testing.assert_allclose(made.spread / made.mean, spread, rtol=0.05)
    np.testing.assert_allclose(made.skew, 1.75, rtol=0.15)
    logs = np.log(made.values / made.mean[:, None] - 1 + spread[:, None] * 1.9)
    assert np.corrcoef(logs)[0, 1:] == pytest.approx(0.64, abs=0.03)
    assert made.near.tolist() == [[-1]] * 4


def test_a_setting_takes_size_spread_and_tail_of_judged_cells_alone():
    width = np.exp(0.37**2)
    skew = (width + 2) * np.sqrt(width - 1)  # of a lognormal with a tail of 0.37
    made = Setting(cells=24, replicates=9).draw(np.random.default_rng(0))
    value = np.where(np.arange(24) == 3, 0.0, made.estimate.value * (-1) ** np.arange(24))
    valid = np.arange(24) < 22
    made = dataclasses.replace(made, estimate=made.estimate._replace(value=value, valid=valid))
    spread, good = np.arange(1.0, 25) * np.abs(value), np.delete(np.arange(1.0, 23), 3)
    count = np.where(np.arange(24) < 13, 7, 9)
    some = np.where(np.arange(24) < 5, 90.0, skew)  # the median does not see a few wild cells
    for name, one in (("spread", spread), ("count", count), ("skew", some)):
        object.__setattr__(made, name, one)
    found = like(made)
    assert (found.cells, found.replicates) == (21, 7)
    assert found.spread == pytest.approx(tuple(np.percentile(good, [5, 95])))
    assert found.tail == pytest.approx(0.37, abs=1e-4)
    object.__setattr__(made, "skew", np.full(24, -3.0))
    assert like(made).tail == 0.0
    object.__setattr__(made, "skew", np.full(24, 1e9))
    assert like(made).tail == 1.5


def test_alarms_and_power_count_what_disagrees():
    certain = Setting(cells=3, replicates=20, spread=(0.01, 0.01))
    assert alarms(certain, level=1e-6, sweeps=5) == (0.0, 0.0, pytest.approx(0.522, abs=1e-3), 5)
    assert power(certain, bias=0.5, sweeps=5) == (1.0, pytest.approx(0.478, abs=1e-3), 1.0, 5)


def test_another_seed_draws_other_sweeps(monkeypatch):
    agrees = types.SimpleNamespace(verdict=None)
    monkeypatch.setattr(calibration, "judge", lambda comparison, *, level: agrees)
    drawn = []
    setting = types.SimpleNamespace(draw=lambda rng: drawn.append(rng.random()))
    for seed in (0, 1, 0):
        assert alarms(setting, sweeps=2, seed=seed).value == 0
    assert drawn[:2] == drawn[4:]
    assert len(set(drawn)) == 4
