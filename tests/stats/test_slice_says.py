"""What a slice says of its prediction, for every case and at its ends."""

import dataclasses

import pytest

from ci_theory import Status
from ci_theory.check.room import Room
from told import FOUND, INF, LATE, MEASURED, NAN, NOWHERE, POINT

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
