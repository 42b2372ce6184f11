"""Ways to look at the means of a kept sweep: what is seen in each slice, with an interval.

A look says for every slice (values of the axes that it does not look along) whether what a part of
a claim says holds there, fails there, or is not told. Means have Student intervals; of two means
the whole intervals must be apart, whatever their runs have in common (shared keys, one run read
off at several times). Looks at breaks: ``break_looks``.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import xarray

from ci_theory._errors import BadInput
from ci_theory.check import reading
from ci_theory.claimed.region import shown
from ci_theory.figures import condensed
from ci_theory.locate.student import quantile

__all__ = [
    "ANYWHERE",
    "Change",
    "Evidence",
    "Interval",
    "Level",
    "Look",
    "Middle",
    "Slice",
    "Where",
    "over",
]

LEVEL = 1e-3
"""Chance that any slice of a sweep is told wrongly by a look, all together."""

Where = Mapping[str, Any]
ANYWHERE: Where = MappingProxyType({})


class Interval(NamedTuple):
    """A number and the interval in which its truth is; a point where it is known."""

    value: float
    low: float
    high: float

    def sides(self, low: float = -np.inf, high: float = np.inf) -> bool | None:
        """Say whether the truth is between two bars; None where the interval does not tell."""
        if self.low > low and self.high < high:
            return True
        return False if self.high <= low or self.low >= high else None


class Evidence(NamedTuple):
    """A kept sweep.

    Attributes:
        data: condensed (``figures.condensed``).
        answer: the kept answer of the sweep (``ci_theory.answers``); None if none is kept.
    """

    data: xarray.Dataset
    answer: Mapping[str, Any] | None


class Slice(NamedTuple):
    """What is seen in a slice.

    Attributes:
        at: values of the axes that are not looked along.
        seen: the number looked at.
        holds: whether what is said holds there; None if that is not told.
        ratio: whether the number is a ratio of two.
    """

    at: dict[str, Any]
    seen: Interval
    holds: bool | None
    ratio: bool = False


class Look(Protocol):
    """What every look has."""

    @property
    def where(self) -> Where:
        """Values of axes at which is looked."""

    def measures(self, evidence: Evidence) -> tuple[str, ...]:
        """Return the measures whose predictions must stand behind what is seen."""

    @property
    def quantity(self) -> str:
        """Name the number that is seen."""

    def slices(self, evidence: Evidence) -> list[Slice]:
        """Look at every slice."""


class Change(NamedTuple):
    """A measure at one value of an axis against another.

    Attributes:
        of: the measure.
        axis: along which is looked.
        start: the value to begin with.
        end: the value to end with.
        to: what is said of it on the way.
        where: values of other axes that are looked at, a value or several; all if not named.
        less: another place on an axis of ``where``, of which the measure is taken off first.
        by: relative change that is not one yet (a measure above zero only).
    """

    of: str
    axis: str
    start: Any
    end: Any
    to: Literal["rises", "falls"]
    where: Where = ANYWHERE
    less: Where = ANYWHERE
    by: float = 0.0

    def measures(self, evidence: Evidence) -> tuple[str, ...]:  # noqa: D102 - of Look
        return (self.of,)

    @property
    def quantity(self) -> str:  # noqa: D102
        height = f"{self.of} at {_listed(self.where, self.less)} less at {_listed(self.less)}"
        what = height if self.less else self.of
        return f"{what} from {self.axis} = {shown(self.start)} to {shown(self.end)}"

    def slices(self, evidence: Evidence) -> list[Slice]:  # noqa: D102
        places = [{**self.where, self.axis: v} for v in (self.start, self.end)]
        ends = [self._seen(evidence.data, place) for place in places]
        found = []
        for (at, a), (_, b) in zip(*ends, strict=True):
            del at[self.axis]
            seen, same = (over(b, a), 1.0) if a.low > 0 else (_less(b, a), 0.0)
            if self.to == "rises":
                holds = seen.sides(low=same + self.by)
            else:
                holds = seen.sides(high=same - self.by)
            found.append(Slice(at, seen, holds, ratio=a.low > 0))
        return found

    def _seen(self, data: xarray.Dataset, where: Where) -> list[tuple[dict[str, Any], Interval]]:
        """Return the measure, or how much it is above its other place, at one end."""
        here = list(_curves(_where(data, where), self.of))
        if not self.less:
            return [(at, _mean(one[0], of=2 * len(here))) for at, one in here]
        there = _curves(_where(data, {**where, **self.less}), self.of)
        means = [
            [_mean(one[0], of=4 * len(here)) for one in (a, b)]
            for (_, a), (_, b) in zip(here, there, strict=True)
        ]
        return [(at, _less(*both)) for (at, _), both in zip(here, means, strict=True)]


class Level(NamedTuple):
    """A measure against a bar, or against another measure of the same runs, cell by cell."""

    of: str
    is_: Literal["above", "below"]
    bar: float | str
    where: Where = ANYWHERE

    def measures(self, evidence: Evidence) -> tuple[str, ...]:  # noqa: D102
        return (self.of, self.bar) if isinstance(self.bar, str) else (self.of,)

    @property
    def quantity(self) -> str:  # noqa: D102
        return f"{self.of} less {self.bar}" if isinstance(self.bar, str) else self.of

    def slices(self, evidence: Evidence) -> list[Slice]:  # noqa: D102
        data = _where(evidence.data, self.where)
        tables = [list(_curves(data, name)) for name in self.measures(evidence)]
        bar = 0.0 if isinstance(self.bar, str) else self.bar
        found = []
        for cells in zip(*tables, strict=True):
            means = [_mean(cell[0], of=len(cells) * len(tables[0])) for _, cell in cells]
            seen = _less(*means) if len(means) > 1 else means[0]
            holds = seen.sides(low=bar) if self.is_ == "above" else seen.sides(high=bar)
            found.append(Slice(cells[0][0], seen, holds))
        return found


class Middle(NamedTuple):
    """A curve that is highest between its ends, by more than a share ``by`` of the higher end."""

    of: str
    axis: str
    where: Where = ANYWHERE
    by: float = 0.01

    def measures(self, evidence: Evidence) -> tuple[str, ...]:  # noqa: D102
        return (self.of,)

    @property
    def quantity(self) -> str:  # noqa: D102
        return f"highest {self.of} along {self.axis} over the higher end"

    def slices(self, evidence: Evidence) -> list[Slice]:  # noqa: D102
        curves = list(_curves(_where(evidence.data, self.where), self.of, self.axis))
        found = []
        for at, curve in curves:
            means = [_mean(one, of=len(curve) * len(curves)) for one in curve]
            inner, ends = _highest(means[1:-1]), _highest([means[0], means[-1]])
            seen = over(inner, ends)
            found.append(Slice(at, seen, seen.sides(low=1 + self.by), ratio=True))
        return found


def _less(one: Interval, other: Interval) -> Interval:
    return Interval(one.value - other.value, one.low - other.high, one.high - other.low)


def over(one: Interval, other: Interval) -> Interval:
    """Return a ratio of what is above zero; where it may not be, the ratio may be anything."""
    if not (one.low > 0 and other.low > 0):
        return Interval(one.value / other.value, -np.inf, np.inf)
    return Interval(one.value / other.value, one.low / other.high, one.high / other.low)


def _highest(means: Sequence[Interval]) -> Interval:
    """Return the interval of the largest of several means."""
    return Interval(*(max(part) for part in zip(*means, strict=True)))


def _mean(cell: np.ndarray, of: int) -> Interval:
    """Return the mean of a cell with its interval, of which ``of`` together hold at the level.

    Args:
        cell: its mean, error and runs, (3,).
        of: how many intervals are looked at together.
    """
    mean, error, runs = map(float, cell)
    if not runs > 1 or not np.isfinite(mean):
        return Interval(mean, -np.inf, np.inf)
    half = quantile(1 - LEVEL / (2 * of), runs - 1) * error
    return Interval(mean, mean - half, mean + half)


def _where(data: xarray.Dataset, where: Where) -> xarray.Dataset:
    """Keep only the named values of the named axes."""
    for axis, wanted in where.items():
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        if axis not in data.dims:
            raise BadInput(f"{data.attrs.get('name')}: has no axis {axis}")
        known = [reading.plain(v) for v in data[axis].to_numpy()]
        lost = [v for v in values if v not in known]
        if lost:
            raise BadInput(f"{data.attrs.get('name')}: no {axis} = {lost[0]} among {known}")
        data = data.isel({axis: [known.index(v) for v in values]})
    return data


def _curves(
    data: xarray.Dataset, measure: str, axis: str | None = None
) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Go over the slices: where each is, and mean, error, runs at its places, (t, 3)."""
    if measure not in data:
        raise BadInput(f"{data.attrs.get('name')}: keeps no measure {measure}")
    others = [str(d) for d in data[measure].dims if d != axis]
    order = others if axis is None else [*others, axis]
    parts = [data[f"{measure}{part}"].transpose(*order).to_numpy() for part in condensed.PARTS]
    table = np.stack(parts, axis=-1)
    for index in np.ndindex(*(data.sizes[d] for d in others)):
        at = {d: reading.plain(data[d].to_numpy()[i]) for d, i in zip(others, index, strict=True)}
        yield at, np.atleast_2d(table[index])


def _listed(where: Where, named: Where | None = None) -> str:
    """Write places, those on the named axes or all."""
    return ", ".join(f"{a} = {shown(v)}" for a, v in where.items() if named is None or a in named)
