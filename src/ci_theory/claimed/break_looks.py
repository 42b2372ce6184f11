"""Ways to look at the breaks of a kept sweep, as ``looks`` does at its means.

The intervals are those with which breaks are kept, at a level for all breaks of the sweep together.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray

from ci_theory._errors import BadInput, Status
from ci_theory.check import reading
from ci_theory.claimed.looks import ANYWHERE, Evidence, Interval, Slice, Where, over
from ci_theory.claimed.region import shown
from ci_theory.figures import condensed
from ci_theory.phenomena import load

__all__ = ["Moves", "Place"]

NOWHERE = Interval(np.nan, np.nan, np.nan)


class Place(NamedTuple):
    """A break, and where it is.

    One that was not found tells something only where no bar is named: it may have come before the
    axis begins.

    Attributes:
        kind: name of the kind of break.
        above: the lowest place that is meant.
        below: the highest; both in units of ``per``.
        per: a parameter; "" for the axis' own unit.
        where: as for ``Change``.
        absent: whether it is said that there is no such break.
    """

    kind: str
    above: float = -np.inf
    below: float = np.inf
    per: str = ""
    where: Where = ANYWHERE
    absent: bool = False

    def measures(self, evidence: Evidence) -> tuple[str, ...]:  # noqa: D102
        return (_kind(evidence, self.kind).measure,)

    @property
    def quantity(self) -> str:  # noqa: D102
        return f"{self.kind}, per {self.per}" if self.per else self.kind

    def slices(self, evidence: Evidence) -> list[Slice]:  # noqa: D102
        found = []
        fixed = _fixed(evidence.data) if self.per else {}
        for at, seen in _places(evidence, self.kind, self.where):
            if seen is None:
                anywhere = np.isinf(self.above) and np.isinf(self.below)
                place = NOWHERE
                there = False if anywhere and _all_found(evidence, self.kind) else None
            else:
                unit = float({**fixed, **at}[self.per]) if self.per else 1.0
                place = Interval(*(v / unit for v in seen))
                there = place.sides(self.above, self.below)
            holds = there if there is None else there is not self.absent
            found.append(Slice(at, place, holds))
        return found


class Moves(NamedTuple):
    """A break at one value of an axis against another: it comes earlier, later, or either."""

    kind: str
    axis: str
    start: Any
    end: Any
    to: Literal["earlier", "later", "elsewhere"]
    where: Where = ANYWHERE
    by: float = 0.01

    def measures(self, evidence: Evidence) -> tuple[str, ...]:  # noqa: D102
        return (_kind(evidence, self.kind).measure,)

    @property
    def quantity(self) -> str:  # noqa: D102
        return f"{self.kind} from {self.axis} = {shown(self.start)} to {shown(self.end)}"

    def slices(self, evidence: Evidence) -> list[Slice]:  # noqa: D102
        ends = [
            list(_places(evidence, self.kind, {**self.where, self.axis: value}))
            for value in (self.start, self.end)
        ]
        found = []
        for (at, a), (_, b) in zip(*ends, strict=True):
            del at[self.axis]
            if a is None or b is None:
                found.append(Slice(at, NOWHERE, None))
                continue
            seen = over(b, a)
            earlier, later = seen.sides(high=1 - self.by), seen.sides(low=1 + self.by)
            if self.to == "elsewhere":
                either = earlier or later
                holds = either if either or (earlier is False and later is False) else None
            else:
                holds = earlier if self.to == "earlier" else later
            found.append(Slice(at, seen, holds, ratio=True))
        return found


def _kind(evidence: Evidence, name: str) -> Any:
    kinds = load(evidence.data.attrs["phenomenon"], trusted=False).breaks
    for kind in kinds:
        if kind.name == name:
            return kind
    raise BadInput(f"{evidence.data.attrs.get('name')}: has no kind of break '{name}'")


def _places(
    evidence: Evidence, kind: str, where: Where
) -> Iterator[tuple[dict[str, Any], Interval | None]]:
    """Go over the slices of a kind of break; None where none was found."""
    wanted = {axis: v if isinstance(v, tuple) else (v,) for axis, v in where.items()}
    for one in condensed.kept_breaks(evidence.data):
        if one.name != kind or any(one.at[axis] not in values for axis, values in wanted.items()):
            continue
        status, low, high = one.sure
        if status is Status.NO_BREAK and one.point.status is Status.NO_BREAK:
            yield dict(one.at), None
        elif status is Status.OK:
            yield dict(one.at), Interval(one.point.value, low, high)
        else:  # at an edge, after the last place, from too few runs, or at 95 % alone: not told
            yield dict(one.at), Interval(one.point.value, -np.inf, np.inf)


def _all_found(evidence: Evidence, kind: str) -> bool:
    """Say whether breaks that were not found are surely not there, and were not missed.

    They are if every slice whose prediction may have one was told, and none disagrees.
    """
    kinds = evidence.answer["breaks"] if evidence.answer else []
    kept = [one for one in kinds if one["name"] == kind]
    return bool(kept) and not kept[0]["disagree"] and kept[0]["told"] == kept[0]["predicted"]


def _fixed(data: xarray.Dataset) -> Mapping[str, Any]:
    """Return the parameters that a sweep holds fixed."""
    return reading.fixed_values(data, load(data.attrs["phenomenon"], trusted=False))
