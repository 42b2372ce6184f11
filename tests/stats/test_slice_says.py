"""What a slice says of its prediction, for every case and at its ends."""

import dataclasses

import numpy as np
import pytest

from ci_theory import Status
from ci_theory.check.located import Slice, locate_slice
from ci_theory.check.room import Room
from ci_theory.locate import Peak, Survival
from ci_theory.phenomena import Break, Estimate
from told import FOUND, GONE, INF, LATE, MEASURED, NAN, NOWHERE, POINT

EXACT = Room(POINT, 2.0, 2.0, False)
NONE = NOWHERE.judged_by
MAYBE = Room(NONE.point, 2.0, 3.0, True)
OPEN = (None, False, "too few runs: the interval is open")
ANY = (None, False, "any place on the axis would agree")
BEYOND = (None, False, "it may lie beyond the axis, on which none is predicted")
AGREES = (True, True, "found where predicted")
APART = (False, True, "elsewhere than predicted")
SUDDEN = (False, True, "found, and none is predicted")


@pytest.mark.parametrize(
    ("low", "high", "by", "said"),
    [
        (2.0, 3.0, EXACT, AGREES), (1.0, 2.0, EXACT, AGREES), (2.001, 3.0, EXACT, APART),
        (1.0, 1.999, EXACT, APART), (-INF, INF, EXACT, OPEN), (-INF, 3.0, EXACT, AGREES),
        (-INF, 1.0, EXACT, APART), (2.5, INF, EXACT, APART), (1.0, 2.0, NONE, SUDDEN),
        (-INF, 2.0, NONE, BEYOND), (1.0, INF, NONE, BEYOND), (-INF, INF, NONE, OPEN),
        (0.5, 2.5, MAYBE, AGREES),
        # the axis goes from 0 to 4, the range is as wide as 1: it could be anywhere
        (1.0, 3.0, MAYBE, ANY), (1.001, 3.0, MAYBE, AGREES), (1.0, 2.999, MAYBE, AGREES),
        (0.0, 4.0, EXACT, ANY), (0.001, 4.0, EXACT, AGREES), (0.0, 3.999, EXACT, AGREES),
    ],
)  # fmt: skip
def test_what_an_interval_says_of_a_range(low, high, by, said):
    judged = FOUND.judged._replace(low=low, high=high)
    one = dataclasses.replace(FOUND, judged=judged, judged_by=by)
    assert one.said == said
    if said[0] is False:
        shown = [("astray", "the peak that divides the curve is too weak"),
                 ("delicate", f"{said[2]}; but heavy tails at the break"),
                 ("skewed", f"{said[2]}; but too few runs for their skewness")]  # fmt: skip
        for flaw, why in shown:
            assert dataclasses.replace(one, **{flaw: True}).said == (None, False, why)


@pytest.mark.parametrize(
    ("low", "by", "said"),
    [
        (-INF, EXACT, OPEN), (NAN, EXACT, OPEN), (1.0, NONE, (True, False, "none, as predicted")),
        (2.001, EXACT, (False, True, "later than predicted")),
        (2.0, EXACT, (True, True, "not before its lower bound")), (0.0, EXACT, ANY),
        (0.001, EXACT, (True, True, "not before its lower bound")),
        (3.001, MAYBE, (True, False, "none found, which the slack allows")),
    ],
)  # fmt: skip
def test_what_a_late_break_says(low, by, said):
    late = LATE.measured._replace(low=low)
    one = dataclasses.replace(LATE, measured=late, judged=late, judged_by=by, delicate=False)
    assert one.said == said


def test_what_no_break_says():
    def said(by, **more):
        return dataclasses.replace(NOWHERE, judged_by=by, **more).said

    assert said(NONE) == (True, False, "none, as predicted")
    assert said(MAYBE) == (True, False, "none, as predicted")
    assert said(EXACT) == (None, False, "predicted break too small for these runs")
    vanish = EXACT._replace(may_vanish=True)
    assert said(vanish) == (True, False, "none found, which the slack allows")
    assert said(EXACT, sure=True) == (False, True, "predicted, and would have been found")
    assert said(EXACT, measured=MEASURED)[2] == "too weak for the level of all slices"


@pytest.mark.parametrize(
    ("judged", "by", "coarse", "why"),
    [
        (Status.NOT_FINITE, Status.OK, False, "too few finite runs or places"),
        (Status.OK, Status.OUT_OF_SCOPE, True, "no prediction speaks here"),
        (Status.OK, Status.OK, True, "simulated in float32, of unknown rounding"),
        (Status.NOT_CONVERGED, Status.OK, False, "the fit to the measured curve did not converge"),
        (Status.OK, Status.NOT_FINITE, False, "no fit to the predicted curve"),
        (Status.OK, Status.NOT_CONVERGED, False, "no fit to the predicted curve"),
        (Status.OK, Status.OK, False, ""),
    ],
)
def test_what_there_is_nothing_to_compare_for(judged, by, coarse, why):
    one = dataclasses.replace(
        FOUND,
        judged=FOUND.judged._replace(status=judged),
        judged_by=FOUND.judged_by._replace(point=POINT._replace(status=by)),
        coarse=coarse,
    )
    assert one._missing() == why
    if why:
        assert one.said == (None, False, why)
    assert dataclasses.replace(FOUND, expected=EXACT).due
    assert not dataclasses.replace(FOUND, expected=EXACT._replace(may_vanish=True)).due
    assert not dataclasses.replace(FOUND, expected=MAYBE._replace(may_vanish=False)).due


X = np.arange(9.0)


def looked_at(locator, y, value, slack=0.0, valid=True):
    """Look for a break in runs y (r, t) of which a curve (t,) is predicted."""
    zeros = np.zeros(len(X))
    estimate = Estimate(value, zeros + slack, np.broadcast_to(valid, X.shape), zeros.astype(int))
    sought = Break(name="top", axis="x", measure="m", locator=locator)
    return locate_slice(Slice(sought, {}, X, y, estimate, "form", NAN), 1e-3)


def test_a_break_that_the_slack_lets_vanish_need_not_be_found():
    flat = 1e-3 * np.random.default_rng(0).standard_normal((12, 9))
    bump = np.exp(-((X - 4) ** 2))
    told = {slack: looked_at(Peak(log_axis=False), flat, bump, slack) for slack in (0.0, 0.6)}
    assert told[0.0].said == (False, True, "predicted, and would have been found")
    assert told[0.6].said == (True, False, "none found, which the slack allows")
    assert (told[0.0].sure, told[0.6].sure) == (True, False)


def test_runs_that_break_singly_are_judged_by_ranks_whatever_their_skewness():
    times = np.array([3.0] * 19 + [6.0])
    runs = (times[:, None] <= X).astype(float)
    found = looked_at(Survival(level=0.5), runs, (X >= 7.5).astype(float))
    assert not found.skewed
    assert found.said == (False, True, "elsewhere than predicted")


@dataclasses.dataclass(frozen=True)
class Doubtful:
    """Finds a break in runs unless it has to be sure."""

    confidence: float = 0.95
    singly = False

    def locate(self, x, y):
        return MEASURED if np.ndim(y) == 1 or self.confidence < 0.99 else GONE

    def matching(self, found):
        return self

    def undivided(self, x, y):
        return False


def test_heavy_tails_are_told_also_of_a_break_that_is_too_weak_to_judge():
    valid = MEASURED.value != X
    for where, delicate in ((True, False), (valid, True), (X < 8, False)):
        found = looked_at(Doubtful(), np.zeros((5, 9)), X, valid=where)
        assert (found.measured, found.judged.status) == (MEASURED, Status.NO_BREAK)
        assert found.delicate == delicate
