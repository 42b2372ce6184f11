"""One break of one slice of a sweep: measured, predicted, and what the two say of each other."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ci_theory._errors import Status
from ci_theory._shown import kept
from ci_theory.check.room import FOUND, Room, room, surely_found
from ci_theory.check.statistic import few_for_skew
from ci_theory.locate.point import BreakPoint
from ci_theory.locate.student import skewness
from ci_theory.phenomena import Estimate
from ci_theory.phenomena._base import Break, Locator

FEWEST_PLACES = 3
"""Values of an axis below which nothing is located on it."""

_NOWHERE = BreakPoint(np.nan, np.nan, np.nan, np.nan, Status.OUT_OF_SCOPE)
_SILENT = Room(_NOWHERE, np.nan, np.nan, False)
_LOST = _NOWHERE._replace(status=Status.NOT_FINITE)


class Slice(NamedTuple):
    """A curve in which a break is looked for, and the prediction that speaks for it.

    Attributes:
        kind: the break to look for.
        at: coordinates of the slice on the other swept axes.
        x: places on the axis (t,).
        y: simulated values (r, t), NaN where there is none.
        estimate: what the prediction says, arrays (t,); None if none speaks.
        prediction: its name, or "".
        closed_form: the place by its own formula; NaN where it has none.
        failed: places that the prediction claims and at which its formula failed: why -> how many.
    """

    kind: Break
    at: Mapping[str, Any]
    x: np.ndarray
    y: np.ndarray
    estimate: Estimate | None
    prediction: str
    closed_form: float
    failed: Mapping[str, int] | None = None

    @property
    def singly(self) -> bool:
        """Whether each run has its own break; one that diverges then never breaks."""
        return self.kind.locator.singly

    def usable(self) -> "Slice":
        """Return the slice at the places that count, for both curves or for neither.

        Left out is a place at which the prediction is not finite or more than half of the runs
        are not.
        """
        use = np.isfinite(self.y).mean(axis=0) > (-1 if self.singly else 0.5)
        estimate = self.estimate
        if estimate is not None:
            use &= np.isfinite(estimate.value)
            estimate = Estimate(*(np.asarray(part)[use] for part in estimate))
        return self._replace(x=self.x[use], y=self.y[:, use], estimate=estimate)


class Said(NamedTuple):
    """What one slice says about its prediction.

    Attributes:
        agrees: True, False, or None where nothing can be said.
        told: whether a measured place was compared with the predicted one, in a way that most
            places on the axis would not have passed.
        why: the reason, in a few words.
    """

    agrees: bool | None
    told: bool
    why: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Located:
    """One break of one slice of a sweep.

    Attributes:
        kind: the break that was looked for.
        at: coordinates of the slice on the other swept axes.
        measured: the break of the simulated curve; its interval has 95 % coverage by itself.
        expected: the break of the predicted curve, by the same rule on the same places, and
            where its slack lets it be; status OUT_OF_SCOPE if no prediction speaks here.
        judged: ``measured`` with an interval wide enough for all slices of the sweep together.
        judged_by: ``expected`` by the rule that found ``judged``: it may fit more widely.
        sure: where none was found: one is predicted that no curve within the slack is without,
            and it would have been found, however the runs fall.
        prediction: name of the prediction that speaks for the curve, or "".
        closed_form: the place by its own formula; NaN where it has none.
        step: distance between the places around the measured break.
        astray: the place may be that of another break: the curve has one more by its prediction,
            which divides it, and the runs do not show that one at this level.
        delicate: the interval touches a place where the prediction declares that the mean has
            no normal error bar, so its coverage is not guaranteed.
        skewed: the runs are too few for the skewness of their values.
        axis: first and last place that was looked at.
        coarse: the arithmetic of the simulation is not good enough for any verdict.
        failed: places that the prediction claims and at which its formula failed: why -> how many.
    """

    kind: Break
    at: Mapping[str, Any]
    measured: BreakPoint
    expected: Room
    judged: BreakPoint
    judged_by: Room
    sure: bool
    prediction: str
    closed_form: float
    step: float
    astray: bool
    delicate: bool
    skewed: bool
    axis: tuple[float, float]
    coarse: bool = False
    failed: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the numbers, without the functions of the break."""
        return {**self.__dict__, "kind": kept(self.kind)}

    @property
    def predicted(self) -> BreakPoint:
        """The break of the predicted curve."""
        return self.expected.point

    @property
    def lost(self) -> bool:
        """Whether too few runs or places are finite to look for a break that may be predicted."""
        silent = self.predicted.status == Status.OUT_OF_SCOPE
        return bool(self.prediction) and silent and self.measured.status == Status.NOT_FINITE

    @property
    def covers(self) -> bool | None:
        """Whether the measured interval holds the predicted break; None if one is missing."""
        return _meets(self.measured, self.predicted.value, self.predicted.value)

    @property
    def covers_closed_form(self) -> bool | None:
        """Whether the closed form lies in the interval widened by half a grid step."""
        half = 0.5 * self.step
        return _meets(self.measured, self.closed_form - half, self.closed_form + half)

    @property
    def due(self) -> bool:
        """Whether a break is predicted that no curve within the slack is without."""
        return self.predicted.status in FOUND and not self.expected.may_vanish

    @property
    def agrees(self) -> bool | None:
        """Whether measured and predicted break agree, at the level of the whole sweep."""
        return self.said.agrees

    @property
    def said(self) -> Said:
        """What the slice says about its prediction, and why.

        A break that was found agrees if the interval meets the range that the slack allows. One
        that was not agrees with a prediction that has none or, within its slack, may have none;
        it contradicts a prediction whose break would surely have been found. The interval that
        decides is the one for all slices together.
        """
        missing = self._missing()
        if missing:
            return Said(None, False, missing)
        if self.judged.status in FOUND:
            return self._said_found()
        if self.judged.status == Status.CENSORED:
            return self._said_censored()
        return self._said_none()

    def _missing(self) -> str:
        """Say what there is nothing to compare for; empty if both curves were looked at."""
        if self.judged.status == Status.NOT_FINITE:
            return "too few finite runs or places"
        if self.judged_by.point.status == Status.OUT_OF_SCOPE:
            return "no prediction speaks here"
        if self.coarse:
            return "simulated in float32, of unknown rounding"
        if self.judged.status == Status.NOT_CONVERGED:
            return "the fit to the measured curve did not converge"
        if self.judged_by.point.status in (Status.NOT_FINITE, Status.NOT_CONVERGED):
            return "no fit to the predicted curve"
        return ""

    def _said_found(self) -> Said:
        low, high, expected = self.judged.low, self.judged.high, self.judged_by
        if np.isinf(low) and np.isinf(high):
            return Said(None, False, "too few runs: the interval is open")
        if not expected.somewhere and (np.isinf(low) or np.isinf(high)):
            return Said(None, False, "it may lie beyond the axis, on which none is predicted")
        if not expected.somewhere:
            return self._against("found, and none is predicted")
        if not (low <= expected.high and expected.low <= high):
            return self._against("elsewhere than predicted")
        width = expected.high - expected.low
        if low - width <= self.axis[0] and high >= self.axis[1] - width:
            return Said(None, False, "any place on the axis would agree")
        return Said(True, True, "found where predicted")

    def _said_censored(self) -> Said:
        if not np.isfinite(self.judged.low):
            return Said(None, False, "too few runs: the interval is open")
        if not self.judged_by.somewhere:
            return Said(True, False, "none, as predicted")
        if self.judged.low > self.judged_by.high:
            if self.judged_by.may_vanish:
                return Said(True, False, "none found, which the slack allows")
            return self._against("later than predicted")
        if self.judged.low <= self.axis[0]:
            return Said(None, False, "any place on the axis would agree")
        return Said(True, True, "not before its lower bound")

    def _said_none(self) -> Said:
        if self.sure:
            return self._against("predicted, and would have been found")
        if self.measured.status in FOUND:
            return Said(None, False, "too weak for the level of all slices")
        if self.judged_by.point.status not in FOUND:
            return Said(True, False, "none, as predicted")
        if self.judged_by.may_vanish:
            return Said(True, False, "none found, which the slack allows")
        return Said(None, False, "predicted break too small for these runs")

    def _against(self, why: str) -> Said:
        """Return a disagreement, unless the interval cannot be trusted that far."""
        if self.astray:
            return Said(None, False, "the peak that divides the curve is too weak")
        if self.delicate:
            return Said(None, False, f"{why}; but heavy tails at the break")
        if self.skewed:
            return Said(None, False, f"{why}; but too few runs for their skewness")
        return Said(False, True, why)


def locate_slice(curve: Slice, level: float) -> Located:
    """Locate a break in a simulated and a predicted curve, and judge it at a level of its own."""
    kind, used = curve.kind, curve.usable()
    x, y, estimate = used.x, used.y, used.estimate
    measured = judged = _LOST
    expected = judged_by = _SILENT
    sure = astray = delicate = skewed = False
    strict = _at_confidence(kind.locator, 1 - level)
    if len(x) >= FEWEST_PLACES:
        measured = kind.locator.locate(x, y)
        judged = strict.locate(x, y)
    if len(x) >= FEWEST_PLACES and estimate is not None:
        rule = _matching(kind.locator, measured)
        expected = judged_by = room(rule, x, estimate.value, estimate.slack)
        if _matching(kind.locator, judged) != rule:
            rule = _matching(kind.locator, judged)
            judged_by = room(rule, x, estimate.value, estimate.slack)
        if judged.status in FOUND:
            astray = strict.undivided(x, y) and not rule.undivided(x, estimate.value)
        if judged.status == Status.NO_BREAK and not judged_by.may_vanish:
            sure = surely_found(strict, x, estimate.value, y, level)
        for point in (measured, judged):
            if point.status in FOUND:
                near = _touching(x, point.low, point.high)
                delicate |= bool(np.any(~np.asarray(estimate.valid, bool)[near]))
        skewed = not curve.singly and _too_skewed(x, y, judged, judged_by)
    return Located(
        kind=kind,
        at=dict(curve.at),
        measured=measured,
        expected=expected,
        judged=judged,
        judged_by=judged_by,
        sure=sure,
        prediction=curve.prediction,
        closed_form=curve.closed_form,
        step=_step(x, measured.value),
        astray=astray,
        delicate=delicate,
        skewed=skewed,
        axis=(float(x.min(initial=np.inf)), float(x.max(initial=-np.inf))),
        failed=dict(curve.failed or {}),
    )


def _at_confidence(locator: Locator, confidence: float) -> Locator:
    """Return a locator whose intervals have another coverage."""
    return dataclasses.replace(locator, confidence=confidence)  # type: ignore[type-var]


def _matching(locator: Locator, found: BreakPoint) -> Locator:
    """Return the locator at the resolution that the measured curve was given, if it was found."""
    return locator.matching(found) if found.status in FOUND else locator


def _too_skewed(x: np.ndarray, y: np.ndarray, judged: BreakPoint, by: Room) -> bool:
    """Say whether the runs are too few for the skewness of the values that a verdict rests on.

    Those are the values between the measured interval and the predicted range; all of them where
    one of the two has no break.
    """
    whole = y[np.isfinite(y).all(axis=1)]
    if judged.status in FOUND and by.somewhere:
        near = _touching(x, min(judged.low, by.low), max(judged.high, by.high))
        whole = whole[:, near]
    if len(whole) < 3:
        return True
    return bool(np.any(few_for_skew(np.full(whole.shape[1], len(whole)), skewness(whole))))


def _meets(point: BreakPoint, low: float, high: float) -> bool | None:
    if point.status not in FOUND or not np.isfinite([low, high]).all():
        return None
    return bool(point.low <= high and low <= point.high)


def _touching(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the places inside an interval and the nearest ones outside it (t,)."""
    inside = (x >= low) & (x <= high)
    below, above = x[x < low], x[x > high]
    edges = [e for e in (below.max(initial=-np.inf), above.min(initial=np.inf)) if np.isfinite(e)]
    return inside | np.isin(x, edges)


def _step(x: np.ndarray, place: float) -> float:
    below, above = x[x <= place], x[x >= place]
    if not len(below) or not len(above):
        return float("nan")
    if below.max() < above.min():
        return float(above.min() - below.max())
    spread = np.abs(x - place)
    return float(np.min(spread[spread > 0]))
