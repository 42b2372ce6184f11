"""UNDERPOWERED says what would decide: the number is right in as many sweeps as it says."""

import dataclasses
import json

import numpy as np
import pytest
import scipy.stats
from check_toy import POWER, TOY, sweep

from ci_theory.check import Verdict, check
from ci_theory.check.calibration import Setting
from ci_theory.check.remedy import FIRST, MOST, _enough, _line, _rounded, _Test, remedy
from ci_theory.check.statistic import NOTHING
from ci_theory.check.verdict import judge
from ci_theory.cli import verdicts
from ci_theory.phenomena import load, predict
from forms import formed
from told import DECOYS, OUTCOME

LEVEL, EFFECT = 1e-3, 0.03
SWEEPS = 100


def judged(setting, rng, decoys=None):
    comparison = setting.draw(rng)
    factors = decoys or {}
    values = {name: factor * comparison.estimate.value for name, factor in factors.items()}
    comparison = dataclasses.replace(comparison, decoys=values)
    return judge(comparison, level=LEVEL, effect=EFFECT)


def follow(setting, decoys=None):
    """Take the advice of sweeps that cannot tell; return it, and the verdicts of those that do."""
    rng = np.random.default_rng(3)
    advice, verdicts = [], []
    while len(advice) < SWEEPS:
        outcome = judged(setting, rng, decoys)
        if outcome.verdict is not Verdict.UNDERPOWERED:
            continue
        said = remedy(outcome, EFFECT)
        advice.append(said)
        larger = dataclasses.replace(
            setting, replicates=said.replicates, slack=setting.slack / said.size
        )
        verdicts.append(judged(larger, rng, decoys).verdict)
    return advice, verdicts


@pytest.mark.parametrize(
    ("setting", "decoys"),
    [
        (Setting(cells=6, replicates=12, spread=(0.2, 0.4)), None),
        (Setting(cells=6, replicates=12, spread=(0.2, 0.4), slack=0.015), None),
        (Setting(cells=4, replicates=30, spread=(0.3, 0.3), shared=0.9), {"half": 0.5}),
        (Setting(cells=6, replicates=20, spread=(0.02, 0.05)), {"near": 1.006}),
        (Setting(cells=6, replicates=20, spread=(0.1, 0.2), slack=0.05), {"half": 0.5}),
    ],
    ids=["noise", "noise beside slack", "one run for all cells", "a near decoy", "slack"],
)
def test_what_is_recommended_decides_at_the_usual_rate(setting, decoys):
    advice, verdicts = follow(setting, decoys)
    # 95 of 100 and more: fewer than 88 have a chance of 0.15 % at the most
    assert verdicts.count(Verdict.AGREES) >= 88
    assert all(one.replicates > setting.replicates or one.size > 1 for one in advice)
    # and it is no waste: an eighth of it is too little for most
    typical = int(np.median([one.replicates for one in advice]))
    size = advice[0].size
    less = dataclasses.replace(setting, replicates=max(3, typical // 8), slack=setting.slack / size)
    rng = np.random.default_rng(4)
    found = [judged(less, rng, decoys).verdict for _ in range(20)]
    assert found.count(Verdict.UNDERPOWERED) >= 15


def test_where_the_slack_is_too_large_sizes_are_named():
    setting = Setting(cells=6, replicates=40, spread=(0.05, 0.1), slack=0.06)
    said = remedy(judged(setting, np.random.default_rng(0)), EFFECT)
    assert said.size == pytest.approx(2 * 0.06 / EFFECT)
    assert "no number of replicates would do, the slack is too large" in said.line
    assert "sizes 4 times as large would" in said.line


def test_the_slack_of_ridge_regression_falls_as_it_says():
    """The factor is right for an order of 1/size: at sizes so much larger half the room is left."""
    phenomenon = load("ridge_peak")
    n, p = np.array([40, 60]), 25

    def slack(factor):
        size = [int(v) for v in np.round(factor * n)]
        found = predict(phenomenon, {"n": size, "p": round(factor * p), "ridge": 1.0})
        estimate = found["test_error"].estimate
        return float(np.max(estimate.slack / estimate.value))

    assert slack(1) > EFFECT
    assert slack(2 * slack(1) / EFFECT) <= 0.55 * EFFECT


def test_what_replicates_cannot_do_is_said():
    rng = np.random.default_rng(0)
    few = judged(Setting(cells=4, replicates=2), rng)
    assert remedy(few, EFFECT).replicates == FIRST
    same = judged(Setting(cells=4, replicates=40, spread=(0.01, 0.02)), rng, {"copy": 1.0})
    assert remedy(same, EFFECT)[:2] == (None, 1.0)
    assert "sweep where the decoys differ" in remedy(same, EFFECT).line
    drawn = Setting(cells=4, replicates=40).draw(rng)
    lost = judge(dataclasses.replace(drawn, lost=np.ones(4, int)), level=LEVEL)
    assert remedy(lost, EFFECT).replicates is None
    assert "runs are lost" in remedy(lost, EFFECT).line
    wild = judged(Setting(cells=1, replicates=3, spread=(50.0, 50.0)), rng)
    assert remedy(wild, EFFECT).line == f"more than {MOST} replicates would be needed"
    good = judged(Setting(cells=6, replicates=60, spread=(0.01, 0.02)), rng, {"half": 0.5})
    assert good.verdict is Verdict.AGREES
    assert remedy(good, EFFECT) is None


@pytest.mark.parametrize(
    ("skew", "least"),
    [(4.0, 80), (4.5, 110), (15.8, 1300)],  # 5 x skew^2 is 80, 101.25 and 1248.2: never less
)
def test_skewed_replicates_need_more(skew, least):
    outcome = judged(Setting(cells=1, replicates=20, spread=(0.01, 0.01), tail=1.2),
                     np.random.default_rng(1))  # fmt: skip
    own = outcome.own.pooled._replace(skewed=True, skew=skew, error=1e-4)
    skewed = dataclasses.replace(
        outcome, verdict=Verdict.UNDERPOWERED, own=dataclasses.replace(outcome.own, pooled=own)
    )
    assert remedy(skewed, EFFECT).line == f"at least {least} replicates would do"


@pytest.mark.parametrize(
    ("finds", "slack", "spread", "replicates"),
    [(0.03, 0.0, 0.3, 12), (0.03, 0.015, 0.1, 40), (1.0, 0.2, 5.0, 5), (1.0, 0.0, 0.01, 30)],
)
def test_so_many_replicates_are_enough_and_one_less_is_not(finds, slack, spread, replicates):
    """Both quantiles of Student's t, in errors of a spread that is as unlucky as one in twenty."""

    def left(r):
        lost = scipy.stats.t.ppf(1 - 0.8 * LEVEL / 2, r - 1) + scipy.stats.t.ppf(0.95, r - 1)
        luck = scipy.stats.f.ppf(0.95, r - 1, replicates - 1) ** 0.5
        return finds - slack - lost * luck * spread / r**0.5

    found = _enough(_Test(finds, slack, spread, replicates), LEVEL)
    assert left(found) >= 0
    assert found == 3 or left(found - 1) < 0


def test_numbers_of_replicates_are_rounded_up_to_two_digits():
    given = [3, 9, 10, 99, 100, 101, 110, 111, 990, 991, 1000, 1001, 12345]
    assert [_rounded(n) for n in given] == [
        3, 9, 10, 99, 100, 110, 110, 120, 990, 1000, 1000, 1100, 13000,
    ]  # fmt: skip


def test_what_would_do_in_words():
    outcome = judged(Setting(cells=4, replicates=40, slack=0.1), np.random.default_rng(0))
    assert _line(outcome, 120, 1.0, False) == "120 replicates would do"
    assert _line(outcome, 120, 1.0, True) == "at least 120 replicates would do"
    assert _line(outcome, 120, 1.5, True) == (
        "no number of replicates would do, the slack is too large: sizes 1.5 times as large would, "
        "with at least 120 replicates, if it falls as 1/size (its order: not stated)"
    )
    prediction = dataclasses.replace(outcome.comparison.prediction, order="1/n")
    stated = dataclasses.replace(outcome.comparison, prediction=prediction)
    line = _line(dataclasses.replace(outcome, comparison=stated), 120, 1.5001, False)
    assert "sizes 1.5 times as large would, with 120 replicates" in line
    assert line.endswith("(its order: 1/n)")
    assert "sizes 1.6 times" in _line(outcome, 120, 1.51, False)


def test_the_report_and_the_command_say_it(capsys):
    toy = formed(TOY, POWER)
    data = sweep({"noise": [0.5, 1.0]}, replicates=5)
    report = check(data, toy)
    assert report.verdict is Verdict.UNDERPOWERED
    said = report.remedies["power"]
    assert said.line in str(report).splitlines()[-1]
    verdicts.print_report(report)
    assert f"to decide {said.line}" in " ".join(capsys.readouterr().out.split())
    told = json.loads(json.dumps(report.to_json()))["predictions"][0]["remedy"]
    assert told == {"replicates": said.replicates, "size": 1.0, "line": said.line}
    data.attrs["dtype"] = "float32"
    assert check(data, toy).remedies == {}  # float64 would do, not replicates


def test_of_a_decoy_that_too_few_runs_speak_of_no_number_is_told():
    mute = dataclasses.replace(DECOYS["near"], pooled=NOTHING)
    assert remedy(OUTCOME, EFFECT).replicates > 0
    assert remedy(dataclasses.replace(OUTCOME, decoys={"near": mute}), EFFECT) is None
    rejected = dataclasses.replace(mute, rejected=True)  # of which nothing more is asked
    assert remedy(dataclasses.replace(OUTCOME, decoys={"near": rejected}), EFFECT).replicates > 0
