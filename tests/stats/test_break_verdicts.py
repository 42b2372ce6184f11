"""Verdicts on break points: what a slice says, what many say together, and how often wrongly."""

import dataclasses
import json

import numpy as np
import pytest
import scipy.stats

from ci_theory import Status
from ci_theory.check import Verdict, break_table
from ci_theory.check.breaks import Breaks
from ci_theory.check.located import Slice, _step, _too_skewed, _touching, locate_slice
from ci_theory.check.room import RESAMPLES, Room, room, surely_found, turning_once
from ci_theory.locate import Crossing, Floor, Peak, Survival, Valley
from ci_theory.locate.point import BreakPoint
from ci_theory.phenomena import Break, Estimate

X = np.linspace(-1.0, 5.0, 19)
ROWS = np.geomspace(1.0, 1000.0, 10)
PEAK, CROSSING = Peak(log_axis=False), Crossing(level=0.5)


def bump(top=2.2, height=1.0, at=X):
    return height * np.exp(-0.5 * (at - top) ** 2)


def said(curve, slack=0.0, valid=True):
    slack = np.broadcast_to(np.asarray(slack, float), curve.shape)
    return Estimate(curve, slack, np.full(curve.shape, valid), np.zeros(curve.shape, int))


def runs(curve, r=20, scatter=0.1, seed=0):
    z = np.random.default_rng(seed).standard_normal((r, len(curve)))
    return curve + scatter * (z - z.mean(axis=0))  # the mean is the curve itself


def one(y, estimate, *, locator=PEAK, x=X, level=1e-3, name="break", **at):
    kind = Break(name=name, axis="x", measure="m", locator=locator)
    return locate_slice(Slice(kind, at, x, y, estimate, "form" if estimate else "", np.nan), level)


def together(*found, level=1e-3):
    return Breaks(phenomenon="toy", found=found, level=level)


# --- one slice ------------------------------------------------------------------------------------


def test_a_break_where_predicted_agrees_and_tells_its_place():
    found = one(runs(bump()), said(bump()))
    assert found.said == (True, True, "found where predicted")
    assert found.due
    assert found.measured.low < found.predicted.value < found.measured.high


def test_the_interval_that_decides_is_that_of_the_level():
    """The prediction is missed by the 95 % interval, and not by the wider one of all slices."""
    narrow = Peak(log_axis=False, reach=1)
    found = one(runs(bump()), said(bump(2.35)), locator=narrow, level=1e-3)
    assert found.judged.low < found.measured.low < 2.2 < found.measured.high < found.judged.high
    assert found.covers is False
    assert found.agrees is True
    assert one(runs(bump()), said(bump(2.35)), locator=narrow, level=0.05).agrees is False


def test_a_break_elsewhere_disagrees_unless_the_slack_reaches_it():
    assert one(runs(bump()), said(bump(3.2))).said == (False, True, "elsewhere than predicted")
    loose = one(runs(bump()), said(bump(2.7), 0.3 * bump(2.7)))
    assert loose.agrees is True
    assert loose.expected.low < 2.2 < 2.7 < loose.expected.high


def test_a_break_that_nobody_predicts_disagrees():
    assert one(runs(bump()), said(0.5 - 0.1 * X)).said == (
        False,
        True,
        "found, and none is predicted",
    )


def test_a_break_in_a_monotone_prediction_with_room_for_one_agrees():
    flat = said(1.0 + 0.01 * X, 0.2)
    found = one(runs(1.0 + 0.1 * bump(), scatter=0.02), flat)
    assert found.predicted.status == Status.NO_BREAK
    assert found.expected.somewhere
    assert not found.due
    assert found.agrees is not False


def test_no_break_where_none_is_predicted_agrees_but_tells_no_place():
    falling = 0.5 - 0.1 * X
    assert one(runs(falling), said(falling)).said == (True, False, "none, as predicted")


def test_a_missing_break_is_nothing_told_unless_it_would_surely_show_or_may_vanish():
    falling = 3.0 - 0.5 * X
    tiny = one(runs(falling), said(falling + bump(height=1.2)))
    assert tiny.predicted.status == Status.OK
    assert tiny.said == (None, False, "predicted break too small for these runs")
    tall = one(runs(falling), said(falling + 3 * bump()))
    assert tall.said == (False, True, "predicted, and would have been found")
    lazy = one(runs(falling), said(falling + bump(height=1.2), 0.1))
    assert lazy.expected.may_vanish
    assert lazy.said == (True, False, "none found, which the slack allows")
    assert not lazy.due


def test_a_break_that_the_locator_of_the_level_may_miss_is_not_sure():
    """It would surely be found at 95 %, and that is not what looks for it here."""
    falling = 3.0 - 0.5 * X
    y, curve = runs(falling), falling + bump(height=1.62)
    assert surely_found(PEAK, X, curve, y, 1e-3)
    assert one(y, said(curve)).said == (None, False, "predicted break too small for these runs")


def test_a_place_counts_for_both_curves_or_for_neither():
    y = runs(bump())
    y[:12, 3] = y[:8, 5] = np.nan  # 12 and 8 of 20 runs lost
    gap = said(np.where(np.arange(len(X)) == 9, np.nan, bump()))
    kind = Break(name="break", axis="x", measure="m", locator=PEAK)
    used = Slice(kind, {}, X, y, gap, "form", np.nan).usable()
    assert used.x.tolist() == np.delete(X, [3, 9]).tolist()
    assert used.y.shape == (20, 17)
    assert used.estimate.value.shape == used.estimate.slack.shape == (17,)
    single = dataclasses.replace(kind, locator=Survival(level=0.5))
    assert len(Slice(single, {}, X, y, gap, "form", np.nan).usable().x) == 18


def test_three_places_are_enough_to_look_and_two_are_not():
    three = X[[7, 9, 12]]
    found = one(runs(bump(at=three)), said(bump(at=three)), x=three)
    assert found.measured.status in (Status.OK, Status.AT_EDGE)
    assert found.axis == (three[0], three[2])
    two = one(runs(bump(at=three[:2])), said(bump(at=three[:2])), x=three[:2])
    assert two.said == (None, False, "too few finite runs or places")


def test_what_shows_at_95_percent_only_is_too_weak_for_all_slices():
    weak = one(runs(bump(), r=8, scatter=0.3), said(bump()), level=1e-6)
    assert weak.measured.status == Status.OK
    assert weak.judged.status == Status.NO_BREAK
    assert weak.said == (None, False, "too weak for the level of all slices")


def test_a_lazy_slack_tells_no_place():
    """Where the slack lets the break be anywhere, finding it somewhere is no agreement."""
    curve = bump(at=X)
    anywhere = one(runs(curve), said(curve, 0.6))
    assert anywhere.measured.status == Status.OK
    assert anywhere.agrees is not False
    assert not anywhere.said.told
    assert together(anywhere).verdict is Verdict.UNDERPOWERED
    wide = one(runs(curve), said(curve, 1.0), locator=Crossing(level=0.5))
    assert wide.said == (None, False, "any place on the axis would agree")


def test_without_a_prediction_or_a_curve_nothing_is_said():
    assert one(runs(bump()), None).said == (None, False, "no prediction speaks here")
    lost = np.full((20, len(X)), np.nan)
    assert one(lost, said(bump())).said == (None, False, "too few finite runs or places")
    assert one(runs(bump())[:2], said(bump())).said.why == "too few finite runs or places"
    below = one(runs(5 / ROWS + 0.1, scatter=1e-3), said(-1.0 + 0 * ROWS), locator=Floor(), x=ROWS)
    assert below.said == (None, False, "no fit to the predicted curve")


def test_the_skewness_that_counts_is_all_between_the_measured_and_the_predicted_place():
    x, y = np.arange(1.0, 11), np.tile([[-2.0], [-1.0], [-0.5], [0.5], [1.0], [2.0]], 10)
    y[:, 6] = [0, 0, 0, 0, 0, 50]  # at x = 7
    measured = BreakPoint(2.0, 2.0, 2.0, 1.0, Status.OK)
    for low, high, skewed in [(2.0, 3.0, False), (8.0, 9.0, True), (6.0, 8.0, True)]:
        predicted = Room(measured._replace(value=high), low, high, False)
        assert _too_skewed(x, y, measured, predicted) is skewed


def test_heavy_tails_and_skewed_runs_are_no_ground_for_a_disagreement():
    wrong = said(bump(3.2))
    near = np.abs(X - 2.2) < 0.4
    heavy = one(runs(bump()), wrong._replace(valid=~near))
    assert heavy.delicate
    assert heavy.said == (None, False, "elsewhere than predicted; but heavy tails at the break")
    y = runs(bump(), r=12, scatter=0.02)
    y[0] += 0.5 * bump()  # one run in twelve is far off: skewness 3
    skewed = one(y, wrong)
    assert skewed.said.why == "elsewhere than predicted; but too few runs for their skewness"
    y = runs(bump(), r=12, scatter=0.02)
    y[0, X > 4.5] += 0.5  # elsewhere, where no verdict rests on it
    assert one(y, said(bump(2.6))).agrees is False


def test_a_valley_on_the_other_side_of_a_peak_that_does_not_show_is_no_disagreement():
    """Two valleys, the later one deeper; without the peak between them it is the only one."""
    two = 0.15 * (X - 3) ** 2 - 0.7 * bump(0.3) ** 4
    first = Valley(side="before", log_axis=False)
    assert first.locate(X, two).value == pytest.approx(0.7, abs=0.01)
    assert Valley(log_axis=False).locate(X, two).value == pytest.approx(3.0, abs=0.01)
    clear = one(runs(two, scatter=0.01), said(two), locator=first)
    assert clear.said == (True, True, "found where predicted")
    faint = one(runs(two, scatter=0.1), said(two), locator=first)
    assert faint.measured.value == pytest.approx(3.0, abs=0.1)
    assert faint.said == (None, False, "the peak that divides the curve is too weak")
    # where the prediction has no such peak either, both looked at the whole curve
    one_valley = said(0.1 * (X - 1) ** 2)
    assert one(runs(two, scatter=0.1), one_valley, locator=first).agrees is False


def test_single_runs_are_compared_by_their_median():
    rise = [np.where(t <= X, 1.0, 0.0) for t in np.linspace(1.0, 3.0, 40)]
    half = Survival(level=0.5)
    step = said(np.where(X >= 2.0, 1.0, 0.0))
    assert one(np.array(rise), step, locator=half).said == (True, True, "found where predicted")
    late = said(np.where(X >= 4.0, 1.0, 0.0))
    assert one(np.array(rise), late, locator=half).agrees is False
    few = one(np.array(rise[::8]), step, locator=half)
    assert few.said == (None, False, "too few runs: the interval is open")
    never = one(np.zeros((40, len(X))), step, locator=half)
    assert never.said == (False, True, "later than predicted")
    assert one(np.zeros((40, len(X))), said(0 * X), locator=half).said.why == "none, as predicted"
    assert one(np.zeros((5, len(X))), step, locator=half).agrees is None
    # three runs in five are given up: the median is not before the lower bound
    some = np.where(np.arange(50)[:, None] < 20, np.where(X >= 3.0, 1.0, 0.0), 0.0)
    assert one(some, said(np.where(X >= 4.0, 1.0, 0.0)), locator=half).agrees is True
    slack = said(np.where(X >= 4.0, 0.6, 0.0), np.where(X >= 4.0, 0.2, 0.0))
    assert one(np.zeros((40, len(X))), slack, locator=half).said.why == (
        "none found, which the slack allows"
    )


def test_the_predicted_curve_is_located_at_the_reach_of_the_measured_one():
    noisy = np.random.default_rng(3).normal(bump(), 0.5, (30, len(X)))
    found = one(noisy, said(bump()))
    assert found.measured.reach > 1
    assert found.predicted.reach == found.measured.reach
    assert found.judged_by.point.reach == found.judged.reach


@pytest.mark.parametrize("locator", [PEAK, Valley(log_axis=False), CROSSING, Floor()])
def test_every_locator_widens_its_interval_with_the_level(locator):
    x, curve = X, bump() if locator in (PEAK, CROSSING) else 1.2 - bump()
    if isinstance(locator, Floor):
        x, curve = ROWS, 5 / ROWS + 0.1
    y = runs(curve, r=30, scatter=0.02 * curve)
    widths = []
    for level in (0.05, 1e-3, 1e-5):
        found = one(y, said(curve), locator=locator, x=x, level=level)
        assert found.agrees is True
        widths.append(found.judged.high - found.judged.low)
    assert widths[0] < widths[1] < widths[2] < np.inf
    few = one(runs(curve, r=3, scatter=0.3 * curve), said(curve), locator=locator, x=x, level=1e-5)
    assert not few.said.told


def test_a_late_break_contradicts_only_a_range_that_ends_before_it():
    base = one(runs(bump()), said(bump()))
    late = base.judged._replace(value=np.nan, low=3.0, high=np.inf, status=Status.CENSORED)
    for low, high, agrees in ((1.0, 2.0, False), (1.0, 3.5, True), (3.5, 4.0, True)):
        by = base.judged_by._replace(low=low, high=high)
        assert dataclasses.replace(base, judged=late, judged_by=by).agrees is agrees


def test_the_document_tells_the_range_of_either_rule():
    base = one(runs(bump()), said(bump(), 0.02))
    other = base.judged_by._replace(low=1.0, high=3.0, may_vanish=True)
    body = break_table.document(dataclasses.replace(base, judged_by=other))
    assert body["predicted_range"] == [base.expected.low, base.expected.high] != [1.0, 3.0]
    assert body["may_vanish"] is False
    assert body["judged"]["predicted_range"] == [1.0, 3.0]
    assert body["judged"]["may_vanish"] is True


def test_half_a_step_separates_a_closed_form_that_is_covered():
    found = one(runs(bump(), scatter=0.01), said(bump()))
    near = 0.5 * found.step - 1e-6
    for place, holds in (
        (found.measured.high + near, True),
        (found.measured.high + near + 2e-6, False),
        (found.measured.low - near, True),
        (found.measured.low - near - 2e-6, False),
    ):
        assert dataclasses.replace(found, closed_form=place).covers_closed_form is holds


def test_places_that_an_interval_touches_are_those_inside_and_the_next_ones():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    for low, high, touched in (
        (2.5, 3.5, [2, 3, 4]), (2.0, 3.0, [1, 2, 3, 4]), (0.0, 1.0, [1, 2]), (3.4, 3.6, [3, 4]),
        (-np.inf, 1.5, [1, 2]), (4.5, np.inf, [4, 5]), (0.2, 0.4, [1]), (6.0, 7.0, [5]),
    ):  # fmt: skip
        assert x[_touching(x, low, high)].tolist() == touched


def test_the_step_around_a_place():
    x = np.array([1.0, 2.0, 4.0, 5.0])
    assert [_step(x, place) for place in (1.5, 3.0, 4.0, 1.0)] == [1.0, 2.0, 1.0, 1.0]
    assert np.isnan(_step(x, 0.5))
    assert np.isnan(_step(x, np.nan))


# --- the room that the slack leaves ---------------------------------------------------------------


def test_curves_that_turn_once_stay_within_the_slack_and_have_no_peak():
    """It falls, and rises with two dips of 0.1: within 0.05 it can do without them."""
    curve, x = np.array([5.0, 1.0, 2.0, 1.9, 3.0, 2.9, 4.0]), np.arange(7.0)
    for slack, without in ((0.04, False), (0.06, True)):
        every = np.full(7, slack)
        tries = [turning_once(curve, every, cut, rising=False) for cut in range(8)]
        assert all(np.all(np.abs(t - curve) <= slack + 1e-12) for t in tries)
        statuses = [Peak(log_axis=False).locate(x, t).status for t in tries]
        assert (Status.NO_BREAK in statuses) is without
        assert statuses[0] == statuses[7] == Status.OK  # all rising or all falling does not do
        assert room(Peak(log_axis=False), x, curve, every).may_vanish is without
        assert room(Valley(log_axis=False), x, -curve, every).may_vanish is without


def test_room_of_an_exact_curve_is_a_point():
    exact = room(PEAK, X, bump(), 0 * X)
    assert (exact.low, exact.high) == (exact.point.value, exact.point.value)
    assert not exact.may_vanish
    none = room(PEAK, X, -X, 0 * X)
    assert not none.somewhere
    assert none.may_vanish


def test_a_crossing_moves_as_far_as_the_slack_shifts_the_curve():
    line = 1.0 - 0.2 * X
    found = room(CROSSING, X, line, np.full(X.shape, 0.1))
    assert (found.low, found.high) == pytest.approx((2.0, 3.0))
    assert not found.may_vanish
    assert room(CROSSING, X, line, np.full(X.shape, 2.0)).may_vanish


def test_a_rare_miss_needs_a_larger_break_to_be_surely_found():
    noise = runs(0 * X, r=20, scatter=1.0)

    def sure(height, level):
        return surely_found(PEAK, X, height * bump(), noise, level)

    assert [sure(h, 0.05) for h in (0.0, 1.0, 3.0)] == [False, False, True]
    assert [sure(h, 1e-3) for h in (2.0, 5.0)] == [False, True]
    assert [sure(h, 1e-5) for h in (5.0, 9.0)] == [False, True]
    assert not surely_found(PEAK, X, bump(), noise[:1], 0.05)


# --- all slices -----------------------------------------------------------------------------------

GOOD = one(runs(bump()), said(bump()))
BAD = one(runs(bump()), said(bump(3.2)))
NONE = one(runs(-X), said(-X))
UNTOLD = one(runs(3.0 - 0.5 * X), said(3.0 - 0.5 * X + bump(height=1.2)))
VANISHED = one(runs(3.0 - 0.5 * X), said(3.0 - 0.5 * X + bump(height=1.2), 0.1))
MUTE = one(runs(bump()), None)
LOOSE = dataclasses.replace(GOOD, expected=GOOD.expected._replace(may_vanish=True))
"""A slice that tells the place of a break that need not show."""


@pytest.mark.parametrize(
    ("slices", "verdict", "reason"),
    [
        ([GOOD, NONE], Verdict.AGREES, "1 of 1 slices with a predicted break tell"),
        ([GOOD, UNTOLD, NONE], Verdict.AGREES, "1 of 2 slices"),
        ([GOOD, UNTOLD, UNTOLD], Verdict.UNDERPOWERED, "only 1 of 3 slices in which a break must"),
        ([LOOSE, LOOSE, UNTOLD], Verdict.UNDERPOWERED, "only 0 of 1 slices in which a break must"),
        ([GOOD, VANISHED, VANISHED, VANISHED], Verdict.AGREES, "1 of 4 slices"),
        ([VANISHED, VANISHED], Verdict.UNDERPOWERED, "none of 2 slices"),
        ([UNTOLD, NONE], Verdict.UNDERPOWERED, "none of 1 slices"),
        ([GOOD, GOOD, GOOD, BAD], Verdict.DISAGREES, "1 of 4 slices disagree"),
        ([NONE, NONE], Verdict.OUT_OF_SCOPE, "no such break is predicted"),
        ([MUTE], Verdict.OUT_OF_SCOPE, "no such break is predicted"),
    ],
)
def test_the_verdict_on_a_kind_of_break(slices, verdict, reason):
    report = together(*slices)
    (kind,) = report.kinds
    assert kind.verdict is verdict
    assert kind.reason.startswith(reason)
    assert report.verdict is verdict
    assert report.exit_code == {Verdict.AGREES: 0, Verdict.DISAGREES: 1}.get(verdict, 3)
    assert kind.count(True) + kind.count(False) + kind.count(None) == len(slices)


def test_the_document_counts_the_slices_of_a_kind():
    good, silent = one(runs(bump()), said(bump())), one(runs(bump()), None)
    wrong = one(runs(bump()), said(bump(4.0)))
    (kind,) = together(good, silent, good, silent, good, wrong).to_json()["kinds"]
    counts = {name: kind[name] for name in ("slices", "agree", "disagree", "say_nothing")}
    assert counts == {"slices": 6, "agree": 3, "disagree": 1, "say_nothing": 2}


def test_kinds_are_judged_by_themselves_and_the_worst_is_the_sweeps():
    other = dataclasses.replace(BAD, kind=dataclasses.replace(BAD.kind, name="other"))
    report = together(GOOD, other, NONE)
    assert [(k.kind.name, k.verdict.value) for k in report.kinds] == [
        ("break", "AGREES"),
        ("other", "DISAGREES"),
    ]
    assert report.verdict is Verdict.DISAGREES
    assert [k.misses for k in report.kinds] == [(0, 1), (1, 1)]
    assert "2 of 3 slices tell a place, 1 disagree" in report.note
    assert "1 of 2 intervals miss" in report.note
    body = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert (body["verdict"], body["level"]) == ("DISAGREES", 1e-3)
    assert [k["verdict"] for k in body["kinds"]] == ["AGREES", "DISAGREES"]
    assert [b["why"] for b in body["breaks"]] == [o.said.why for o in report.found]
    assert body["breaks"][0]["prediction"] == "form"
    assert [b["agrees"] for b in body["breaks"]] == [True, False, True]


def test_the_predicted_column_says_what_the_slack_leaves_open():
    rows = together(GOOD, NONE, VANISHED, MUTE).table()
    assert rows[0]["predicted"] == f"{GOOD.predicted.value:.4g}"
    assert rows[1]["predicted"] == "the curve has no break"
    assert rows[2]["predicted"].endswith("] or none")
    assert rows[3]["predicted"] == "outside the regime in which the formula holds"
    assert [row["agree"] for row in rows] == ["yes", "yes", "yes", "-"]
    assert rows[2]["why"] == "none found, which the slack allows"
    room_for_one = one(runs(1.0 + 0.01 * X), said(1.0 + 0.01 * X, 0.2))
    assert "the curve has no break, or one in [" in together(room_for_one).table()[0]["predicted"]


@pytest.mark.parametrize("side", [1, -1])
def test_a_break_that_may_lie_beyond_the_axis_contradicts_no_prediction_of_none(side):
    """A level just missed at an end of the axis is crossed by no curve, and by half of the runs."""
    curve = CROSSING.level - 1e-9 - 0.2 * np.abs(X - X[::side][0])
    for seed in range(10):
        y = np.random.default_rng(seed).normal(curve, 0.05, (20, len(X)))
        found = one(y, said(curve), locator=CROSSING)
        assert found.predicted.status == Status.NO_BREAK
        assert found.agrees is not False, found.said
    away = one(runs(curve + 0.5, r=20, scatter=0.01), said(curve), locator=CROSSING)
    assert away.said == (False, True, "found, and none is predicted")


def test_a_break_that_was_not_found_has_no_height_in_the_table():
    peak, flat = one(runs(bump()), said(bump())), one(runs(0.5 - 0.1 * X), said(0.5 - 0.1 * X))
    found, missing = break_table.row(peak), break_table.row(flat)
    assert float(found["height"]) == pytest.approx(1, abs=0.1)
    assert missing["height"] == "-"
    high = dataclasses.replace(flat, measured=flat.measured._replace(height=3.0))
    assert break_table.row(high)["height"] == "-"
    edge = dataclasses.replace(
        peak, measured=peak.measured._replace(status=Status.AT_EDGE, height=3.0)
    )
    assert break_table.row(edge)["height"] == "3"
    late = peak.measured._replace(status=Status.CENSORED, low=4.0, height=3.0)
    late = break_table.row(dataclasses.replace(peak, measured=late))
    assert (late["measured"], late["height"]) == ("not by the end [4, inf]", "-")


def test_replicates_scatter_as_widely_as_the_level_asks():
    """In the ratio of the quantiles of Student's t, of one degree of freedom less than runs."""
    y = np.array([[1.0], [2.0], [3.0], [2.0]])

    class Seen(Peak):
        def __init__(self):
            object.__setattr__(self, "off", [])

        def locate(self, x, curve):
            self.off.append(np.abs(curve - 10.0).max())
            return BreakPoint(1.0, 1.0, 1.0, 1.0, Status.OK)

    for level, ratio in ((0.05, 1.0), (0.2, 1.0), (1e-4, None)):
        seen = Seen()
        assert surely_found(seen, np.ones(1), np.full(1, 10.0), y, level)
        wanted = ratio or scipy.stats.t.ppf(1 - level, 3) / scipy.stats.t.ppf(0.95, 3)
        assert max(seen.off) == pytest.approx(wanted, rel=1e-6)
        assert len(seen.off) == RESAMPLES


def test_of_fewer_than_three_whole_runs_no_skewness_is_known_and_of_one_no_scatter():
    nowhere = BreakPoint(np.nan, np.nan, np.nan, np.nan, Status.NO_BREAK)
    silent = Room(nowhere, np.nan, np.nan, False)
    runs = bump() + 0.01 * np.array([[-1.0], [0.0], [1.0], [0.0]])
    assert not _too_skewed(X, runs[:3], nowhere, silent)
    assert _too_skewed(X, runs[:2], nowhere, silent)
    torn = runs.copy()
    torn[:2, 3] = np.nan
    assert _too_skewed(X, torn, nowhere, silent)
    assert surely_found(PEAK, X, bump(), runs[:3], 0.05)
    assert not surely_found(PEAK, X, bump(), runs[:1], 0.05)
