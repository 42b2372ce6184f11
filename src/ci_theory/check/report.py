"""The report of a check: verdicts on every prediction of a sweep, as rows and as JSON."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray

from ci_theory._shown import table
from ci_theory.check.compare import FEWEST, Comparison, compare
from ci_theory.check.reading import coarse, swept
from ci_theory.check.remedy import Remedy, remedy
from ci_theory.check.verdict import (
    EXIT_CODES,
    Evidence,
    Outcome,
    Verdict,
    judge,
    probability_level,
    signed,
    together,
)
from ci_theory.phenomena._base import Phenomenon

COLUMNS = ("prediction", "verdict", "cells", "bias", "finds", "reason")
"""What a report shows of its table."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """The verdicts on all predictions of a sweep."""

    phenomenon: str
    outcomes: tuple[Outcome, ...]
    level: float
    effect: float

    @property
    def verdict(self) -> Verdict:
        """The sweep's verdict: DISAGREES and UNDERPOWERED before AGREES."""
        return together(o.verdict for o in self.outcomes)

    @property
    def exit_code(self) -> int:
        """0 if what is in scope agrees, 1 if something disagrees, 3 if nothing can be said."""
        return EXIT_CODES[self.verdict]

    def table(self) -> list[dict[str, str]]:
        """Return one row a prediction, all cells as text, in the order of the columns."""
        return [_row(outcome) for outcome in self.outcomes]

    @property
    def remedies(self) -> dict[str, Remedy]:
        """What would decide about each prediction that is UNDERPOWERED, by name."""
        found = {o.name: remedy(o, self.effect) for o in self.outcomes}
        return {name: one for name, one in found.items() if one is not None}

    @property
    def unsound(self) -> dict[str, str]:
        """Cells in its scope that a prediction is not judged by, by name, unless its reason says.

        Its bounds claim them, and what its formula gave there is no number with a bound.
        """
        return {o.name: o.unsound for o in self.outcomes if o.unsound not in o.reason}

    @property
    def idle(self) -> tuple[str, ...]:
        """Swept axes along which no prediction here changes: a bias that is off, say."""
        told = [o.comparison for o in self.outcomes]
        told = [c for c in told if np.isfinite(c.estimate.value).any()]
        axes = [a for a, v in told[0].axes.items() if len(set(v.tolist())) > 1] if told else []
        return tuple(axis for axis in axes if not any(_moves(c, axis) for c in told))

    @property
    def notes(self) -> list[str]:
        """What else to know, a line each: what would decide, and what is not tested."""
        return [
            *(f"{name}: left out: {line}" for name, line in self.unsound.items()),
            *(f"{name}: {one.line}" for name, one in self.remedies.items()),
            *(f"{axis} changes no prediction here: nothing is tested by it" for axis in self.idle),
        ]

    @property
    def head(self) -> str:
        """The verdict in a line."""
        return f"{self.phenomenon}: {self.verdict.value} at a family-wise level of {self.level:g}"

    def __str__(self) -> str:
        """Lay out the verdicts as a table, the reason beside each, and what would decide."""
        return "\n".join([self.head, *text_table(self.table(), COLUMNS), *self.notes])

    def _repr_html_(self) -> str:
        """Lay it out as a notebook shows it."""
        rows = ([row[c] for c in COLUMNS] for row in self.table())
        return table(self.head, COLUMNS, rows, self.notes)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values; what is not finite becomes null."""
        body = {
            "phenomenon": self.phenomenon,
            "verdict": self.verdict.value,
            "level": self.level,
            "effect": self.effect,
            "predictions": [_json(o, self.remedies.get(o.name)) for o in self.outcomes],
        }
        return plain_json(body)


def _moves(comparison: Comparison, axis: str) -> bool:
    """Say whether cells that differ on an axis alone have different predictions."""
    others = [v.tolist() for name, v in comparison.axes.items() if name != axis]
    values = np.asarray(comparison.estimate.value).tolist()
    cells = list(zip(*others, strict=True)) if others else [()] * len(values)
    first: dict[tuple[Any, ...], float] = {}
    return any(
        not math.isclose(first.setdefault(cell, value), value, rel_tol=1e-12)
        for cell, value in zip(cells, values, strict=True)
        if math.isfinite(value)
    )


def check(
    dataset: xarray.Dataset,
    phenomenon: Phenomenon | None = None,
    *,
    level: float = 1e-3,
    effect: float = 0.03,
    rounding: float | None = None,
) -> Report:
    """Judge every prediction of a phenomenon against a sweep.

    Args:
        dataset: the sweep, see ``compare.compare``.
        phenomenon: what was simulated; by default the one that the dataset names.
        level: probability of calling any true prediction of the sweep wrong; shared by the
            predictions.
        effect: relative bias that the sweep must be able to find for AGREES.
        rounding: relative error of the simulation's arithmetic, allowed on top of the slack; by
            default 1e-9 in float64. In float32 rounding has no bound near interpolation: unless
            you state one that holds in your cells, nothing that is in scope gets a verdict.

    Raises:
        BadInput: the dataset does not fit the phenomenon, or the level is no probability.
    """
    probability_level(level)
    phenomenon = swept(dataset, phenomenon)
    unbounded = rounding is None and coarse(dataset)
    rounding = 1e-9 if rounding is None else rounding
    comparisons = compare(dataset, phenomenon)
    share = level / max(1, sum(bool(c.valid.any()) for c in comparisons))
    outcomes = tuple(judge(c, level=share, effect=effect, rounding=rounding) for c in comparisons)
    if unbounded:
        outcomes = tuple(map(_withheld, outcomes))
    return Report(phenomenon=phenomenon.name, outcomes=outcomes, level=level, effect=effect)


def _withheld(outcome: Outcome) -> Outcome:
    """Take back a verdict on cells whose rounding error nobody knows."""
    if outcome.verdict is Verdict.OUT_OF_SCOPE:
        return outcome
    reason = "simulated in float32, of unknown rounding near interpolation: run it in float64"
    return dataclasses.replace(outcome, verdict=Verdict.UNDERPOWERED, reason=reason, withheld=True)


def text_table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> list[str]:
    """Lay out rows of text in columns of their own width, a line each, under a header.

    >>> text_table([{"a": "1", "b": "x"}, {"a": "200", "b": "y"}], ["a", "b"])
    ['a    b', '1    x', '200  y']
    """
    lines = [tuple(columns), *(tuple(row[c] for c in columns) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (zip(line, widths, strict=True) for line in lines)
    return ["  ".join(f"{cell:{width}}" for cell, width in line).rstrip() for line in padded]


def _row(o: Outcome) -> dict[str, str]:
    together, c = o.own.pooled, o.comparison
    bias = f"{together.value:+.2%} ± {together.error:.2%}" if together.replicates else "-"
    decoys = [
        f"{name}: {'vacuous' if e.vacuous else 'rejected' if e.rejected else 'SURVIVES'}"
        for name, e in o.decoys.items()
    ]
    return {
        "prediction": o.name,
        "measure": c.prediction.measure,
        "cells": f"{int(c.judged.sum())}/{len(c.judged)}",
        "replicates": str(int(np.max(c.count, initial=0))),
        "bias": bias,
        "slack": f"{together.slack:.2%}" if together.replicates else "-",
        "finds": f"{o.detectable:.2%}" if together.replicates else "-",
        "worst z": signed(o.own.z) if o.own.worst >= 0 else "-",
        "decoys": "; ".join(decoys) or "none",
        "verdict": o.verdict.value,
        "reason": o.reason,
    }


def _json(o: Outcome, advice: Remedy | None) -> dict[str, Any]:
    c = o.comparison
    return {
        "name": o.name,
        "measure": c.prediction.measure,
        "verdict": o.verdict.value,
        "reason": o.reason,
        "level": o.level,
        "cells": len(c.judged),
        "valid": int(c.valid.sum()),
        "judged": int(c.judged.sum()),
        "unsound": c.unsound,
        "with_lost_runs": int((c.lost > 0).sum()),
        "too_few_replicates": int((c.count < FEWEST).sum()),
        "too_skewed": o.skewed,
        "replicates": int(np.max(c.count, initial=0)),
        "detectable": o.detectable,
        "remedy": None if advice is None else advice._asdict(),
        "own": _evidence_json(o.own),
        "worst_cell": o.worst_cell,
        "decoys": {name: _evidence_json(e) for name, e in o.decoys.items()},
    }


def _evidence_json(e: Evidence) -> dict[str, Any]:
    low, high = e.pooled.interval(0.95) if e.pooled.replicates else (math.nan, math.nan)
    return {
        "rejected": e.rejected,
        "vacuous": e.vacuous,
        "worst_z": e.z,
        "worst_adjusted_probability": e.adjusted,
        "pooled": {
            "value": e.pooled.value,
            "error": e.pooled.error,
            "interval_95": [low, high],
            "slack": e.pooled.slack,
            "score": e.pooled.score,
            "probability": e.pooled.probability,
        },
    }


def plain_json(value: Any) -> Any:
    """Return nested dicts and lists with None for every number that JSON has no name for."""
    if isinstance(value, dict):
        return {k: plain_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
