"""Verdicts and breaks made by hand, another number in every field: to test what is told of them."""

import dataclasses
import math

import numpy as np

from ci_theory import Status
from ci_theory.check import Verdict
from ci_theory.check.compare import Comparison
from ci_theory.check.located import Located
from ci_theory.check.room import Room
from ci_theory.check.statistic import NOTHING, Pooled
from ci_theory.check.verdict import Evidence, Outcome
from ci_theory.locate import Peak
from ci_theory.locate.point import BreakPoint
from ci_theory.phenomena import Break, Estimate, Prediction

NAN, INF = math.nan, math.inf

# five cells: one out of scope, one with a lost run, one with two replicates
VALUES = np.array([[1, 2, 3, 4.0], [2, 2, 4, 4], [3, 3, 3, NAN], [5, 5, NAN, NAN], [9, 9, 9, 8]])
COMPARISON = Comparison(
    prediction=Prediction(
        name="power", measure="power", statement="", scope="", order="1/n", source=""
    ),
    axes={"family": np.array(["a", "b", "c", "d", "e"]), "noise": np.arange(5.0)},
    values=VALUES,
    lost=np.array([0, 0, 1, 0, 0]),
    estimate=Estimate(np.arange(1.0, 6), np.full(5, 0.25), np.arange(5) != 4, np.zeros(5, int)),
    decoys={"twice": 2 * np.arange(1.0, 6)},
    near=np.full((5, 1), -1),
)
OWN = Evidence(
    rejected=False,
    worst=1,
    z=-2.25,
    adjusted=0.125,
    pooled=Pooled(0.0123, 0.0045, 0.02, 0.5, 3),
)
REJECTED = dataclasses.replace(OWN, rejected=True, z=31.0)
DECOYS = {
    "twice": REJECTED,
    "same": dataclasses.replace(OWN, vacuous=True, rejected=True),
    "near": OWN,
}
OUTCOME = Outcome(
    comparison=COMPARISON,
    verdict=Verdict.UNDERPOWERED,
    reason="because",
    own=OWN,
    decoys=DECOYS,
    detectable=0.0312,
    level=5e-4,
    skewed=2,
)
SILENT = dataclasses.replace(
    OUTCOME,
    comparison=dataclasses.replace(
        COMPARISON, prediction=dataclasses.replace(COMPARISON.prediction, name="silent")
    ),
    own=Evidence(rejected=False, worst=-1, z=0.0, adjusted=1.0, pooled=NOTHING),
    decoys={},
    detectable=NAN,
    verdict=Verdict.AGREES,
)


KIND = Break(
    name="top", axis="noise", measure="power", locator=Peak(log_axis=False), statement="words"
)
MEASURED = BreakPoint(
    2.0, 1.5, 2.5, 7.0, Status.OK, height_low=6.5, height_high=7.5, replicates=9, excluded=1
)
POINT = BreakPoint(2.125, 2.125, 2.125, 8.0, Status.AT_EDGE)
FOUND = Located(
    kind=KIND,
    at={"p": 12345, "share": 0.123456, "deduplicated": True, "family": "plain"},
    measured=MEASURED,
    expected=Room(POINT, 2.0, 2.25, False),
    judged=MEASURED._replace(low=1.25, high=3.0, value=2.0625),
    judged_by=Room(POINT._replace(value=2.1875), 1.875, 2.375, True),
    sure=True,
    prediction="form",
    closed_form=2.75,
    step=0.5,
    astray=False,
    delicate=False,
    skewed=False,
    axis=(0.0, 4.0),
)
GONE = BreakPoint(NAN, NAN, NAN, NAN, Status.NO_BREAK)
NOWHERE = dataclasses.replace(
    FOUND,
    measured=GONE,
    judged=GONE,
    expected=Room(GONE, NAN, NAN, True),
    judged_by=Room(GONE, NAN, NAN, True),
    sure=False,
    closed_form=NAN,
)
LATE = dataclasses.replace(
    NOWHERE,
    measured=GONE._replace(status=Status.CENSORED, low=3.5, high=INF, replicates=8, reached=3),
    delicate=True,
)
