"""Break points of a sweep: measured with an interval, predicted by the same code, closed form."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray

from ci_theory._errors import MESSAGES, Status
from ci_theory._record import build
from ci_theory.check.compare import axis_names, fixed_values, predicted, simulated, swept
from ci_theory.check.report import plain_json, text_table
from ci_theory.locate.point import BreakPoint
from ci_theory.locate.survival import Survival
from ci_theory.phenomena import Estimate
from ci_theory.phenomena._base import Break, Locator, Phenomenon

RESAMPLES = 60
"""Resamplings of the replicates in which a predicted break must be found to count as visible."""

FEWEST_PLACES = 3
"""Values of an axis below which nothing is located on it."""

_FOUND = (Status.OK, Status.AT_EDGE)
_NOWHERE = BreakPoint(np.nan, np.nan, np.nan, np.nan, Status.OUT_OF_SCOPE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Located:
    """One break of one slice of a sweep.

    Attributes:
        kind: the break that was looked for.
        at: coordinates of the slice on the other swept axes.
        measured: the break of the simulated curve; its interval has 95 % coverage by itself.
        predicted: the break of the predicted curve, by the same rule on the same grid points;
            status OUT_OF_SCOPE if no prediction speaks about this slice.
        predicted_low: lowest place to which the prediction's slack lets its break move.
        predicted_high: highest such place.
        may_vanish: the prediction's slack leaves room for a curve without a break.
        visible: where none was measured: whether the predicted break would surely be found in
            replicates that scatter as these do.
        closed_form: the place by its own formula; NaN where it has none.
        step: distance between the grid points around the measured break.
        delicate: the interval touches a point where the prediction declares that the mean has
            no normal error bar, so its coverage is not guaranteed.
    """

    kind: Break
    at: Mapping[str, Any]
    measured: BreakPoint
    predicted: BreakPoint
    predicted_low: float
    predicted_high: float
    may_vanish: bool
    visible: bool
    closed_form: float
    step: float
    delicate: bool

    @property
    def covers(self) -> bool | None:
        """Whether the measured interval holds the predicted break; None if one is missing."""
        return self._holds(self.predicted.value, self.predicted.value)

    @property
    def agrees(self) -> bool | None:
        """Whether the measured interval meets the range that the prediction's slack allows.

        A curve without a break agrees with a prediction that has none or, within its slack, may
        have none. None where nothing can be said: a curve or its prediction is missing, or the
        predicted break is too small for these replicates.
        """
        bad = (Status.OUT_OF_SCOPE, Status.NOT_FINITE, Status.NOT_CONVERGED)
        if self.predicted.status in bad or self.measured.status in bad:
            return None
        if self.measured.status in _FOUND:
            return bool(self._holds(self.predicted_low, self.predicted_high))
        if self.measured.status == Status.CENSORED and np.isfinite(self.predicted_high):
            return self.measured.low <= self.predicted_high
        if self.may_vanish:
            return True
        return False if self.visible else None

    @property
    def covers_closed_form(self) -> bool | None:
        """Whether the closed form lies in the interval widened by half a grid step."""
        half = 0.5 * self.step
        return self._holds(self.closed_form - half, self.closed_form + half)

    def _holds(self, low: float, high: float) -> bool | None:
        if self.measured.status not in _FOUND or not np.isfinite([low, high]).all():
            return None
        return bool(self.measured.low <= high and low <= self.measured.high)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Breaks:
    """All break points of a sweep."""

    phenomenon: str
    found: tuple[Located, ...]

    @property
    def note(self) -> str:
        """How many intervals miss, and how many would by chance."""
        told = [one.covers for one in self.found if one.covers is not None]
        beyond = [one.agrees for one in self.found].count(False)
        if not told and not any(one.agrees is not None for one in self.found):
            return "no prediction speaks about these breaks"
        return (
            f"{told.count(False)} of {len(told)} intervals miss the predicted break ("
            f"{0.05 * len(told):.2g} would by chance, each has 95 % coverage); "
            f"{beyond} of {len(self.found)} slices disagree beyond the prediction's slack"
        )

    def table(self) -> list[dict[str, str]]:
        """Return one row a break and slice, all cells as text, in the order of the columns."""
        return [_row(one) for one in self.found]

    def __str__(self) -> str:
        """Lay out the breaks as a table, with what misses below."""
        columns = ("break", "at", "measured", "predicted", "closed form", "within slack")
        return "\n".join([*text_table(self.table(), columns), self.note])

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values; what is not finite becomes null."""
        breaks = [_json(one) for one in self.found]
        return plain_json({"phenomenon": self.phenomenon, "breaks": breaks, "note": self.note})


def locate_breaks(dataset: xarray.Dataset, phenomenon: Phenomenon | None = None) -> Breaks:
    """Locate every break of a phenomenon whose axis was swept, in every slice of the other axes.

    An axis is swept if it has at least 3 values. A grid point counts for both curves or for
    neither: where the prediction is not finite or more than half of the runs are not, it is left
    out of both.

    Args:
        dataset: the sweep, see ``compare.compare``.
        phenomenon: what was simulated; by default the one that the dataset names.

    Raises:
        BadInput: the dataset does not fit the phenomenon.
    """
    phenomenon = swept(dataset, phenomenon)
    names = axis_names(dataset)
    swept_far = [name for name in names if dataset.sizes[name] >= FEWEST_PLACES]
    wanted = [b for b in phenomenon.breaks if b.axis in swept_far and b.measure in dataset]
    estimates = _estimates(dataset, phenomenon) if wanted else {}
    found: list[Located] = []
    for kind in wanted:
        found.extend(_slices(dataset, phenomenon, kind, estimates.get(kind.measure, [])))
    return Breaks(phenomenon=phenomenon.name, found=tuple(found))


def _estimates(dataset: xarray.Dataset, phenomenon: Phenomenon) -> dict[str, list[Estimate]]:
    """Return the predictions of every measure on the grid of the sweep, measure -> estimates."""
    shape = tuple(dataset.sizes[name] for name in axis_names(dataset))
    estimates: dict[str, list[Estimate]] = {}
    for one in predicted(dataset, phenomenon).values():
        shaped = Estimate(*(np.asarray(a).reshape(shape) for a in one.estimate))
        value = np.where(shaped.status == int(Status.OK), shaped.value, np.nan)
        estimates.setdefault(one.prediction.measure, []).append(shaped._replace(value=value))
    return estimates


def _slices(
    dataset: xarray.Dataset, phenomenon: Phenomenon, kind: Break, estimates: list[Estimate]
) -> Iterator[Located]:
    names = axis_names(dataset)
    position = names.index(kind.axis)
    values, _ = simulated(dataset, kind.measure)
    values = np.moveaxis(values, position, -2)
    x = dataset[kind.axis].values.astype(float)
    others = [name for name in names if name != kind.axis]
    curves = [Estimate(*(np.moveaxis(a, position, -1) for a in e)) for e in estimates]
    for index in np.ndindex(values.shape[:-2]):
        if any(
            n in kind.last and i < len(dataset[n]) - 1 for n, i in zip(others, index, strict=True)
        ):
            continue
        at = {n: _plain(dataset[n].values[i]) for n, i in zip(others, index, strict=True)}
        there = [Estimate(*(a[index] for a in e)) for e in curves]
        speaking = next((e for e in there if np.isfinite(e.value).sum() >= 3), None)
        place = _closed_form(phenomenon, kind, {**fixed_values(dataset), **at, kind.axis: x[0]})
        yield _locate(kind, at, x, values[index].T, speaking, place)


def _locate(
    kind: Break,
    at: Mapping[str, Any],
    x: np.ndarray,
    y: np.ndarray,
    estimate: Estimate | None,
    closed_form: float,
) -> Located:
    singly = isinstance(
        kind.locator, Survival
    )  # a run that diverges counts as one that never breaks
    use = np.isfinite(y).mean(axis=0) > (-1 if singly else 0.5)
    if estimate is not None:
        use &= np.isfinite(estimate.value)
    if use.sum() < FEWEST_PLACES:
        measured = BreakPoint(np.nan, np.nan, np.nan, np.nan, Status.NOT_FINITE)
    else:
        measured = kind.locator.locate(x[use], y[:, use])
    expected, low, high = _NOWHERE, np.nan, np.nan
    may_vanish, visible, delicate = False, False, False
    if estimate is not None and use.sum() >= FEWEST_PLACES:
        locator = _matching(kind.locator, measured)
        curve, slack = estimate.value[use], estimate.slack[use]
        expected = locator.locate(x[use], curve)
        low, high, may_vanish = _range(locator, x[use], curve, slack)
        if measured.status == Status.NO_BREAK:
            visible = _visible(kind.locator, x[use], curve, y[:, use])
        if measured.status in _FOUND:
            near = _touching(x[use], measured.low, measured.high)
            delicate = bool(np.any(~np.asarray(estimate.valid, bool)[use][near]))
    return Located(
        kind=kind,
        at=dict(at),
        measured=measured,
        predicted=expected,
        predicted_low=low,
        predicted_high=high,
        may_vanish=may_vanish,
        visible=visible,
        closed_form=closed_form,
        step=_step(x[use], measured.value),
        delicate=delicate,
    )


def _visible(locator: Locator, x: np.ndarray, curve: np.ndarray, y: np.ndarray) -> bool:
    """Say whether a curve's break is found however replicates that scatter as these do fall.

    It is, if it is found in all of many resamplings of them: about 19 times in 20 or more.
    """
    scatter = y - np.nanmean(y, axis=0)
    draws = np.random.default_rng(0).integers(len(y), size=(RESAMPLES, len(y)))
    return all(locator.locate(x, curve + scatter[rows]).status in _FOUND for rows in draws)


def _matching(locator: Locator, found: BreakPoint) -> Locator:
    """Return the locator at the resolution that the measured curve was given, if it has one."""
    matching = getattr(locator, "matching", None)
    return matching(found) if matching and found.status in _FOUND else locator


def _range(
    locator: Locator, x: np.ndarray, curve: np.ndarray, slack: np.ndarray
) -> tuple[float, float, bool]:
    """Return how far the break moves when the curve moves within its slack, and may it vanish.

    Tried are shifts of the whole curve and steps from one bound of the slack to the other
    between any two neighbouring points, which tilt a peak and shift a crossing the most; and
    a curve that is monotone as far as the slack allows.
    """
    tries = [curve]
    if np.any(slack > 0):
        for cut in np.unique(np.linspace(0, len(x), min(len(x), 64) + 1).astype(int)):
            step = np.where(np.arange(len(x)) < cut, -1.0, 1.0)
            tries += [curve + step * slack, curve - step * slack]
        tries += [_flattened(curve, slack, rising) for rising in (False, True)]
    found = [locator.locate(x, one) for one in tries]
    places = [float(p.value) for p in found if p.status in _FOUND]
    may_vanish = any(p.status == Status.NO_BREAK for p in found)
    if not places:
        return np.nan, np.nan, may_vanish
    return min(places), max(places), may_vanish


def _flattened(curve: np.ndarray, slack: np.ndarray, rising: bool) -> np.ndarray:
    """Return a monotone curve within the slack if there is one, else one that comes close."""
    sign = 1.0 if rising else -1.0
    lowest = np.maximum.accumulate(sign * curve - slack)
    return sign * np.minimum(lowest, sign * curve + slack)


def _touching(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the grid points inside an interval and the nearest ones outside it (t,)."""
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


def _closed_form(phenomenon: Phenomenon, kind: Break, values: Mapping[str, Any]) -> float:
    if kind.closed_form is None:
        return float("nan")
    return float(kind.closed_form(build(phenomenon.params, phenomenon.point(values))))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _row(one: Located) -> dict[str, str]:
    m, p = one.measured, one.predicted
    measured, expected = MESSAGES[Status(m.status)], MESSAGES[Status(p.status)]
    if m.status in _FOUND:
        measured = f"{m.value:.4g} [{m.low:.4g}, {m.high:.4g}]"
    if m.status == Status.CENSORED:
        measured = f"not by the end [{m.low:.4g}, inf]"
    if p.status in _FOUND:
        expected = f"{p.value:.4g}"
        if one.predicted_low < one.predicted_high:
            expected += f" [{one.predicted_low:.4g}, {one.predicted_high:.4g}]"
    words = {None: "-", True: "yes", False: "NO"}
    notes = ["heavy tails at the break"] if one.delicate else []
    if m.reached is not None and m.reached < m.replicates:
        notes.append(f"{m.reached} of {m.replicates} runs broke")
    if m.status == Status.NO_BREAK and p.status in _FOUND and not one.visible:
        notes.append("predicted break too small for these replicates")
    return {
        "break": one.kind.name,
        "at": ", ".join(f"{k}={v:.4g}" if _real(v) else f"{k}={v}" for k, v in one.at.items()),
        "measured": measured,
        "predicted": expected,
        "closed form": f"{one.closed_form:.4g}" if np.isfinite(one.closed_form) else "-",
        "height": f"{m.height:.4g}" if m.status in _FOUND else "-",
        "covers": words[one.covers],
        "within slack": words[one.agrees],
        "note": "; ".join(notes),
    }


def _real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _json(one: Located) -> dict[str, Any]:
    return {
        "break": one.kind.name,
        "axis": one.kind.axis,
        "measure": one.kind.measure,
        "statement": one.kind.statement,
        "at": dict(one.at),
        "measured": _point_json(one.measured),
        "predicted": _point_json(one.predicted),
        "predicted_range": [one.predicted_low, one.predicted_high],
        "may_vanish": one.may_vanish,
        "visible": one.visible,
        "closed_form": one.closed_form,
        "covers": one.covers,
        "agrees": one.agrees,
        "covers_closed_form": one.covers_closed_form,
        "delicate": one.delicate,
    }


def _point_json(point: BreakPoint) -> dict[str, Any]:
    status = Status(point.status)
    return {
        "value": float(point.value),
        "interval": [float(point.low), float(point.high)],
        "height": float(point.height),
        "height_interval": [float(point.height_low), float(point.height_high)],
        "status": status.name,
        "replicates": int(point.replicates),
        "excluded": int(point.excluded),
        "reached": point.reached,
    }
