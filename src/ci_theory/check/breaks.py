"""Break points of a sweep: measured, predicted, and a verdict on every kind of break."""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray

from ci_theory._record import build
from ci_theory._shown import table
from ci_theory.check import break_table
from ci_theory.check.break_remedy import Remedy, remedy
from ci_theory.check.compare import counted, failures, predicted, unsound
from ci_theory.check.located import FEWEST_PLACES, Located, Slice, locate_slice
from ci_theory.check.reading import axis_names, coarse, fixed_values, plain, simulated, swept
from ci_theory.check.report import plain_json, text_table
from ci_theory.check.verdict import EXIT_CODES, Verdict, probability_level, together
from ci_theory.phenomena import Estimate
from ci_theory.phenomena._base import Break, Phenomenon
from ci_theory.phenomena._speaking import speaking, spoken

TOLD_SHARE = 0.5
"""Of the slices in which a break must show, the share that must tell its place for AGREES."""

COLUMNS = ("break", "at", "measured", "predicted", "closed form", "agree", "why")
"""What is shown of the table of breaks."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Places:
    """The verdict on one kind of break, from all slices of a sweep.

    - OUT_OF_SCOPE: no prediction has such a break in any slice.
    - DISAGREES: a slice disagrees, at its share of the level of the whole sweep.
    - UNDERPOWERED: the formula of the prediction failed at a place that its bounds claim; none is
      predicted, but slices have too few finite runs to look; no slice tells anything of the
      place, or fewer than half of those in which a break is predicted that no curve within the
      slack is without.
    - AGREES: everything else.

    Attributes:
        kind: the break.
        found: its slices.
    """

    kind: Break
    found: tuple[Located, ...]

    @property
    def predicted(self) -> int:
        """Slices in which the prediction has a break, or may have one within its slack."""
        return sum(one.expected.somewhere for one in self.found)

    @property
    def told(self) -> int:
        """Slices that tell something about the place."""
        return sum(one.said.told for one in self.found)

    def count(self, agrees: bool | None) -> int:
        """Return the number of slices that agree, disagree, or (None) say nothing."""
        return [one.agrees for one in self.found].count(agrees)

    @property
    def failed(self) -> dict[str, int]:
        """Places in its scope at which the formula of the prediction failed: why -> how many."""
        return dict(sum((Counter(one.failed) for one in self.found), Counter()))

    @property
    def misses(self) -> tuple[int, int]:
        """How many 95 % intervals miss the predicted break itself, and of how many."""
        covers = [one.covers for one in self.found if one.covers is not None]
        return covers.count(False), len(covers)

    @property
    def wanted(self) -> int:
        """Slices in which a break must show that have to tell its place for AGREES."""
        return max(1, math.ceil(TOLD_SHARE * sum(one.due for one in self.found)))

    @property
    def more_would_do(self) -> bool:
        """Whether it is UNDERPOWERED for want of replicates: breaks must show, of the mean curve.

        Not where the formula fails or the runs are lost, nor in float32; and of breaks that each
        run has by itself it is not known.
        """
        bad = self.failed or any(one.coarse for one in self.found) or self.kind.locator.singly
        due = any(one.due for one in self.found)
        return self.verdict is Verdict.UNDERPOWERED and due and not bad

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self._decided[0]

    @property
    def reason(self) -> str:
        """Why, in a line."""
        return self._decided[1]

    @property
    def _decided(self) -> tuple[Verdict, str]:
        wrong, lost = self.count(False), sum(one.lost for one in self.found)
        fails = f"its formula fails: {counted(self.failed, 'place')}" if self.failed else ""
        if wrong:
            disagree = f"{wrong} of {len(self.found)} slices disagree"
            return Verdict.DISAGREES, f"{disagree}; {fails}" if fails else disagree
        if fails:
            return Verdict.UNDERPOWERED, fails
        if not self.predicted and lost:
            return Verdict.UNDERPOWERED, (
                f"{lost} of {len(self.found)} slices have too few finite runs or places"
            )
        if not self.predicted:
            return Verdict.OUT_OF_SCOPE, "no such break is predicted here"
        due = [one for one in self.found if one.due]
        tell = sum(one.said.told for one in due)
        if not self.told:
            return Verdict.UNDERPOWERED, (
                f"none of {self.predicted} slices with a predicted break tells its place"
            )
        if tell < TOLD_SHARE * len(due):
            return Verdict.UNDERPOWERED, (
                f"only {tell} of {len(due)} slices in which a break must show tell its place"
            )
        return Verdict.AGREES, (
            f"{self.told} of {self.predicted} slices with a predicted break tell its place"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Breaks:
    """All break points of a sweep.

    Attributes:
        phenomenon: its name.
        found: every break of every slice.
        level: probability of a disagreement in any slice whose prediction is true.
        remedies: what would decide about kinds that are UNDERPOWERED, by name, as far as it was
            asked for.
    """

    phenomenon: str
    found: tuple[Located, ...]
    level: float
    remedies: Mapping[str, Remedy] = dataclasses.field(default_factory=dict)

    @property
    def kinds(self) -> tuple[Places, ...]:
        """The verdict on every kind of break, in the order of the phenomenon."""
        names = dict.fromkeys(one.kind.name for one in self.found)
        return tuple(
            Places(kind=these[0].kind, found=these)
            for name in names
            if (these := tuple(one for one in self.found if one.kind.name == name))
        )

    @property
    def verdict(self) -> Verdict:
        """The verdict on all of them: DISAGREES and UNDERPOWERED before AGREES."""
        return together(kind.verdict for kind in self.kinds)

    @property
    def exit_code(self) -> int:
        """0 if what is in scope agrees, 1 if something disagrees, 3 if nothing can be said."""
        return EXIT_CODES[self.verdict]

    @property
    def note(self) -> str:
        """What was compared, and how many intervals miss."""
        if not any(one.prediction for one in self.found):
            return "no prediction speaks about these breaks"
        told = sum(kind.told for kind in self.kinds)
        beyond = sum(kind.count(False) for kind in self.kinds)
        missed, of = (sum(kind.misses[part] for kind in self.kinds) for part in (0, 1))
        return (
            f"{told} of {len(self.found)} slices tell a place, {beyond} disagree beyond the "
            f"prediction's slack at a family-wise level of {self.level:g}; {missed} of {of} "
            f"intervals miss the predicted break itself ({0.05 * of:.2g} would by chance, each "
            "has 95 % coverage)"
        )

    def table(self) -> list[dict[str, str]]:
        """Return one row a break and slice, all cells as text, in the order of the columns."""
        return [break_table.row(one) for one in self.found]

    @property
    def head(self) -> str:
        """The verdict in a line."""
        said = f"{self.phenomenon}: breaks {self.verdict.value}"
        return f"{said} at a family-wise level of {self.level:g}"

    @property
    def _said(self) -> list[str]:
        """The verdict on every kind, a line each, and what would decide."""
        return [
            line
            for k in self.kinds
            for line in (
                f"{k.kind.name}: {k.verdict.value}: {k.reason}",
                *(f"{k.kind.name}: {r.line}" for n, r in self.remedies.items() if n == k.kind.name),
            )
        ]

    def __str__(self) -> str:
        """Lay out the verdicts and the breaks as tables, with what misses below."""
        kinds = self._said
        return "\n".join([self.head, *kinds, *text_table(self.table(), COLUMNS), self.note])

    def _repr_html_(self) -> str:
        """Lay it out as a notebook shows it."""
        kinds = self._said
        rows = ([row[c] for c in COLUMNS] for row in self.table())
        return table(self.head, COLUMNS, rows, [*kinds, self.note])

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values; what is not finite becomes null."""
        return plain_json(
            {
                "phenomenon": self.phenomenon,
                "verdict": self.verdict.value,
                "level": self.level,
                "kinds": [
                    _kind_json(kind, self.remedies.get(kind.kind.name)) for kind in self.kinds
                ],
                "breaks": [break_table.document(one) for one in self.found],
                "note": self.note,
            }
        )


def _kind_json(one: Places, advice: Remedy | None) -> dict[str, Any]:
    missed, of = one.misses
    return {
        "break": one.kind.name,
        "axis": one.kind.axis,
        "measure": one.kind.measure,
        "verdict": one.verdict.value,
        "reason": one.reason,
        "remedy": None if advice is None else advice._asdict(),
        "slices": len(one.found),
        "predicted": one.predicted,
        "told": one.told,
        "failed": one.failed,
        "agree": one.count(True),
        "disagree": one.count(False),
        "say_nothing": one.count(None),
        "intervals": of,
        "intervals_that_miss": missed,
    }


def locate_breaks(
    dataset: xarray.Dataset,
    phenomenon: Phenomenon | None = None,
    *,
    level: float = 1e-3,
    remedies: bool = False,
) -> Breaks:
    """Locate every break of a phenomenon whose axis was swept, in every slice of the other axes.

    An axis is swept if it has at least 3 values. A grid point counts for both curves or for
    neither: where the prediction is not finite or more than half of the runs are not, it is left
    out of both. Of a sweep in float32 the places are told, and no verdict.

    Args:
        dataset: the sweep, see ``compare.compare``.
        phenomenon: what was simulated; by default the one that the dataset names.
        level: probability of calling any true prediction wrong in any slice; shared by the
            slices, of all kinds of breaks, about which a prediction speaks.
        remedies: say also how many replicates would decide where the sweep cannot tell: sweeps
            of more and more are tried, which takes seconds.

    Raises:
        BadInput: the dataset does not fit the phenomenon, or the level is no probability.
    """
    probability_level(level)
    phenomenon = swept(dataset, phenomenon)
    far = [name for name in axis_names(dataset) if dataset.sizes[name] >= FEWEST_PLACES]
    wanted = [b for b in phenomenon.breaks if b.axis in far and b.measure in dataset]
    said = _estimates(dataset, phenomenon) if wanted and phenomenon.predictions else {}
    slices = [one for kind in wanted for one in _slices(dataset, phenomenon, kind, said)]
    share = level / max(1, sum(one.estimate is not None for one in slices))
    located = (locate_slice(one, share) for one in slices)
    found = tuple(dataclasses.replace(one, coarse=coarse(dataset)) for one in located)
    made = Breaks(phenomenon=phenomenon.name, found=found, level=level)
    if not remedies:
        return made
    advice = {k.kind.name: _remedy(k, slices, found, share) for k in made.kinds if k.more_would_do}
    return dataclasses.replace(made, remedies=advice)


def _remedy(
    kind: Places, slices: Sequence[Slice], found: Sequence[Located], share: float
) -> Remedy:
    pairs = zip(slices, found, strict=True)
    curves = [curve for curve, one in pairs if one.kind.name == kind.kind.name]
    return remedy(curves, kind.found, kind.wanted, share)


class _Curves(NamedTuple):
    """What one prediction says on the grid, and where its bounds claim it, of the grid's shape."""

    name: str
    estimate: Estimate
    claimed: np.ndarray

    def along(self, position: int) -> "_Curves":
        """Return it with one axis of the grid last."""
        parts = (np.moveaxis(part, position, -1) for part in self.estimate)
        return _Curves(self.name, Estimate(*parts), np.moveaxis(self.claimed, position, -1))

    def at(self, index: tuple[int, ...]) -> "_Curves":
        """Return one curve of it."""
        parts = (part[index] for part in self.estimate)
        return _Curves(self.name, Estimate(*parts), self.claimed[index])

    @property
    def failed(self) -> dict[str, int]:
        """Places that are claimed and at which the formula failed: why -> how many."""
        return failures(unsound(self.estimate, self.claimed))


def _estimates(dataset: xarray.Dataset, phenomenon: Phenomenon) -> dict[str, list[_Curves]]:
    """Return the predictions of every measure on the grid, in declared order.

    Where one is claimed and not sound it says nothing: a slack that is none bounds no place.
    """
    shape = tuple(dataset.sizes[name] for name in axis_names(dataset))
    said: dict[str, list[_Curves]] = {}
    for name, one in predicted(dataset, phenomenon).items():
        unbounded = one.claimed & ~one.estimate.valid
        value = np.where(unbounded, np.nan, spoken(one.estimate))
        parts = (*one.estimate._replace(value=value), one.claimed)
        *shaped, claimed = (np.asarray(part).reshape(shape) for part in parts)
        curves = _Curves(name, Estimate(*shaped), claimed)
        said.setdefault(one.prediction.measure, []).append(curves)
    return said


def _failed(there: Sequence[_Curves], speaks: int | None) -> dict[str, int]:
    """Say where a curve lacks the prediction that speaks, or that would have spoken before it."""
    asked = there if speaks is None else there[: speaks + 1]
    return next((one.failed for one in asked if one.failed), {})


def _slices(
    dataset: xarray.Dataset,
    phenomenon: Phenomenon,
    kind: Break,
    said: Mapping[str, list[_Curves]],
) -> Iterator[Slice]:
    """Cut a sweep into the curves in which a break is looked for."""
    names = axis_names(dataset)
    position = names.index(kind.axis)
    values, _ = simulated(dataset, kind.measure)
    values = np.moveaxis(values, position, -2)
    x = dataset[kind.axis].values.astype(float)
    others = [name for name in names if name != kind.axis]
    curves = [one.along(position) for one in said.get(kind.measure, [])]
    fixed = {} if kind.closed_form is None else fixed_values(dataset, phenomenon)
    for index in np.ndindex(values.shape[:-2]):
        place = dict(zip(others, index, strict=True))
        if any(n in kind.last and i < len(dataset[n]) - 1 for n, i in place.items()):
            continue
        at = {n: plain(dataset[n].values[i]) for n, i in place.items()}
        there = [one.at(index) for one in curves]
        speaks = speaking([one.estimate.value for one in there])
        formula = np.nan
        if kind.closed_form is not None:
            given = {**fixed, **at, kind.axis: plain(x[0])}
            formula = float(kind.closed_form(build(phenomenon.params, phenomenon.point(given))))
        yield Slice(
            kind=kind,
            at=at,
            x=x,
            y=values[index].T,
            estimate=None if speaks is None else there[speaks].estimate,
            prediction="" if speaks is None else there[speaks].name,
            closed_form=formula,
            failed=_failed(there, speaks),
        )
