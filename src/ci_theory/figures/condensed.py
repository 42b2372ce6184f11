"""A sweep condensed to what pictures show: means with errors, located breaks, verdicts.

A condensed Dataset has the axes of the sweep and no replicates. Each measure is three variables,
``m``, ``m error`` and ``m runs``; breaks and verdicts are lists in its attributes, as JSON.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray

from ci_theory._errors import BadInput, Status
from ci_theory.check import check, reading
from ci_theory.check.located import FEWEST_PLACES
from ci_theory.check.room import FOUND
from ci_theory.locate.point import BreakPoint
from ci_theory.locate.student import quantile
from ci_theory.phenomena import Break, load

__all__ = [
    "LEVEL",
    "PARTS",
    "Checked",
    "Kept",
    "Means",
    "condense",
    "find",
    "kept_breaks",
    "means",
    "told",
    "verdicts",
]

LEVEL = 1e-3
"""Chance that two condensed sweeps of the same truth are called different: half of it for the
means, half for the breaks, which are located at a level of their own for that."""

PARTS = ("", " error", " runs")
"""What follows the name of a measure in its three variables, in the order of ``Means``."""


class Means(NamedTuple):
    """Means over replicates, arrays of one shape.

    Attributes:
        mean: NaN where no replicate is finite.
        error: standard error of the mean; NaN with fewer than two finite replicates.
        runs: finite replicates.
    """

    mean: np.ndarray
    error: np.ndarray
    runs: np.ndarray

    @property
    def half(self) -> np.ndarray:
        """Half-width of the 95 % interval of the mean, by Student's t."""
        factor = {c: quantile(0.975, c - 1) for c in np.unique(self.runs) if c > 1}
        return self.error * np.vectorize(lambda c: factor.get(c, np.nan), otypes=[float])(self.runs)


def means(values: xarray.DataArray) -> Means:
    """Average over the dimension ``replicate``; values that are not finite are left out."""
    y = values.transpose(..., "replicate").to_numpy()
    good = np.isfinite(y)
    count = good.sum(axis=-1)
    total = np.where(good, y, 0.0).sum(axis=-1)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    squares = (np.where(good, y - mean[..., None], 0.0) ** 2).sum(axis=-1)
    enough = count > 1
    variance = np.divide(squares, count - 1, out=np.full(total.shape, np.nan), where=enough)
    error = np.sqrt(np.divide(variance, count, out=variance, where=enough))
    return Means(mean, error, count)


class Checked(NamedTuple):
    """The verdict on one prediction: name, measure, word, and worst z (None: no cell alone)."""

    prediction: str
    measure: str
    verdict: str
    z: float | None


class Kept(NamedTuple):
    """One located break of a condensed sweep.

    Attributes:
        name: of the kind of break.
        at: values of the other axes.
        point: as it was located, with its 95 % interval.
        sure: status and interval at the level that compares sweeps.
    """

    name: str
    at: dict[str, Any]
    point: BreakPoint
    sure: tuple[Status, float, float]


def condense(data: xarray.Dataset, measures: Sequence[str] | None = None) -> xarray.Dataset:
    """Condense the runs of a whole sweep: average, locate every break, check every prediction.

    Args:
        data: a Dataset from a sweep store.
        measures: to keep; all of them by default. Breaks of the others are left out.
    """
    phenomenon = load(data.attrs["phenomenon"], trusted=False)
    names = [m for m in phenomenon.measure_info if m in data] if measures is None else measures
    variables: dict[str, Any] = {}
    for name in names:
        dims = [d for d in data[name].dims if d != "replicate"]
        for part, values in zip(PARTS, means(data[name]), strict=True):
            variables[f"{name}{part}"] = (dims, values, data[name].attrs if not part else {})
    axes = {d: data[d] for d in reading.axis_names(data)}
    attrs = {
        **data.attrs,
        "replicates": data.sizes["replicate"],
        "breaks": json.dumps(_breaks(data.drop_vars(set(data.data_vars) - set(names)))),
        "checks": json.dumps(verdicts(data)),
    }
    return xarray.Dataset(variables, axes, attrs)


def verdicts(data: xarray.Dataset) -> list[Checked]:
    """Check the runs of a sweep; nothing where its phenomenon predicts nothing."""
    return [
        Checked(
            o.name,
            o.comparison.prediction.measure,
            o.verdict.value,
            round(o.own.z, 2) if o.own.worst >= 0 else None,
        )
        for o in check(data).outcomes
    ]


def told(data: xarray.Dataset) -> list[Checked]:
    """Return the verdicts that a condensed sweep holds."""
    return [Checked(*one) for one in json.loads(data.attrs["checks"])]


def kept_breaks(data: xarray.Dataset) -> list[Kept]:
    """Return the breaks that a condensed sweep holds."""
    return [
        Kept(name, at, _point(*point), (Status[sure[0]], *_ends(*sure[1:])))
        for name, at, point, sure in json.loads(data.attrs["breaks"])
    ]


def find(data: xarray.Dataset, kind: Break) -> BreakPoint:
    """Return the break of a condensed curve: only the axis of the break has several values.

    Raises:
        BadInput: it was not located before the sweep was condensed.
    """
    at = {str(n): reading.plain(c.values[()]) for n, c in data.coords.items() if c.ndim == 0}
    for one in kept_breaks(data):
        if one.name == kind.name and one.at == at:
            return one.point
    raise BadInput(f"{data.attrs.get('name')}: keeps no break '{kind.name}' at {at}")


def _breaks(data: xarray.Dataset) -> list[Any]:
    """Locate every break of every slice, twice: at 95 % and at the level of a comparison."""
    phenomenon = load(data.attrs["phenomenon"], trusted=False)
    names = reading.axis_names(data)
    far = [n for n in names if data.sizes[n] >= FEWEST_PLACES]
    slices = []
    for kind in phenomenon.breaks:
        if kind.axis in far and kind.measure in data:
            others = [n for n in names if n != kind.axis]
            for index in np.ndindex(*(data.sizes[n] for n in others)):
                slices.append((kind, dict(zip(others, index, strict=True))))
    found = []
    for kind, place in slices:
        one = data.isel(place)
        x = one[kind.axis].to_numpy().astype(float)
        y = one[kind.measure].transpose("replicate", kind.axis).to_numpy()
        share = LEVEL / 2 / (2 * len(slices))  # each of two sweeps may be off
        locator: Any = kind.locator
        sure = dataclasses.replace(locator, confidence=1 - share).locate(x, y)
        point = locator.locate(x, y)
        at = {n: reading.plain(data[n].values[i]) for n, i in place.items()}
        ends = [_number(v) for v in (point.value, point.low, point.high)]
        strict = [Status(sure.status).name, _number(sure.low), _number(sure.high)]
        found.append([kind.name, at, [Status(point.status).name, *ends, point.reach], strict])
    return found


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _point(
    status: str, value: float | None, low: float | None, high: float | None, reach: int
) -> BreakPoint:
    place = np.nan if value is None else value
    somewhere = Status[status] in (*FOUND, Status.CENSORED)
    ends = _ends(low, high) if somewhere else (np.nan, np.nan)
    return BreakPoint(place, *ends, np.nan, Status[status], reach=reach)


def _ends(low: float | None, high: float | None) -> tuple[float, float]:
    """Return the ends of an interval; what is not written is open."""
    return (-np.inf if low is None else low), (np.inf if high is None else high)
