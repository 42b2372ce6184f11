"""Evaluate a phenomenon's predictions and decoys on many points: CPU, float64, few compilations."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ci_theory._errors import MESSAGES, BadInput, Status, printable
from ci_theory._shown import kept, table
from ci_theory._types import cpu, needs_float64
from ci_theory.phenomena._base import Estimate, Phenomenon, Prediction, loaded, statics
from ci_theory.phenomena._programs import program_of

_MOST_POINTS = 256  # at a time; up to half a megabyte each at the defaults
_MOST_NUMBERS = 2**22  # of the world, once for every point at a time
_FEW_POINTS = 1024  # up to here it takes longer to optimise a program than to run it as it is

MOST_ROWS = 100
"""Points that a notebook shows."""

MOST_LINES = 20
"""Points that a terminal shows."""

WIDTH = 100
"""Characters of a line that a terminal shows."""


class Predicted(NamedTuple):
    """One prediction on N points.

    Attributes:
        prediction: the prediction.
        estimate: arrays (N,).
        decoys: each decoy's values (N,).
        claimed: (N,) where its bounds claim it, also where no sound number came of it, which is
            not valid; None: where it is valid.
    """

    prediction: Prediction
    estimate: Estimate
    decoys: dict[str, np.ndarray]
    claimed: np.ndarray | None = None

    def __repr__(self) -> str:
        """Name the prediction and show its numbers."""
        shown = ", ".join(f"{k}={v!r}" for k, v in self.estimate._asdict().items())
        return f"Predicted({getattr(self.prediction, 'name', None)!r}, {shown})"

    def __reduce__(self) -> Any:
        """Pickle the numbers, without the functions of the prediction."""
        return Predicted, (kept(self.prediction), self.estimate, self.decoys, self.claimed)


class Predictions(dict[str, Predicted]):
    """Predictions by name, on N points; shown as a table of a row a point.

    Attributes:
        points: dotted name -> the values (N,) that were given.
    """

    def __init__(self, points: Mapping[str, Sequence[Any]]) -> None:
        """Begin without predictions, at points of which each name has a value."""
        super().__init__()
        self.points = dict(points)

    def __reduce__(self) -> Any:
        """Pickle the points beside the predictions."""
        return Predictions, (self.points,), None, None, iter(self.items())

    def _repr_html_(self) -> str:
        """Lay out axes that vary, values and slacks: at most ``MOST_ROWS`` points."""
        head, axes, told, below = self._laid_out(MOST_ROWS)
        rows = zip(*axes.values(), *told.values(), strict=True)
        return table(head, [*axes, *told], rows, below)

    def __repr__(self) -> str:
        """Lay out the same as text: at most ``MOST_LINES`` points."""
        head, axes, told, below = self._laid_out(MOST_LINES)
        keys = _aligned(axes)
        lines = [printable(head)]
        for block in _blocks(_aligned(told), WIDTH - sum(len(cells[0]) + 2 for cells in keys)):
            lines += ["", *("  ".join(row) for row in zip(*keys, *block, strict=True))]
        return "\n".join([*lines, "", *below] if below else lines)

    def _laid_out(
        self, most: int
    ) -> tuple[str, dict[str, list[str]], dict[str, list[str]], list[str]]:
        """Return a line above a table, columns of axes and of predictions, and lines below."""
        total = max((len(one.estimate.value) for one in self.values()), default=0)
        varying = {k: v for k, v in self.points.items() if len(set(v)) > 1}
        same = [f"{k} = {_short(v[0])}" for k, v in self.points.items() if len(set(v)) == 1]
        head = f"predictions at {total} point{'' if total == 1 else 's'}"
        axes = {k: [_short(v) for v in values[:most]] for k, values in varying.items()}
        told = {k: _cells(one.estimate, most) for k, one in self.items()}
        shown = [cell for cells in told.values() for cell in cells]
        below = ["value ± slack"] if any("±" in cell for cell in shown) else []
        below += ["* not judged by a check"] if any("*" in cell for cell in shown) else []
        below += [f"and {total - most} more points"] if total > most else []
        return ", ".join([head, *same]), axes if self else {}, told, below


def _short(value: Any) -> str:
    """Return a value of an axis as text."""
    return f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)


def _cells(estimate: Estimate, most: int) -> list[str]:
    """Return value and slack of the first points as text; where there is no value, why."""
    parts = (np.asarray(part)[:most] for part in estimate)
    return [_cell(*one) for one in zip(*parts, strict=True)]


def _cell(value: Any, slack: Any, valid: Any, status: Any) -> str:
    if status != Status.OK:
        return MESSAGES[Status(int(status))]
    bound = "" if slack == 0 else f" ± {slack:.2g}"
    return f"{value:.5g}{bound}{'' if valid else '*'}"


def _aligned(columns: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return columns below their names, each as wide as its longest cell."""
    texts = [[printable(cell) for cell in (name, *cells)] for name, cells in columns.items()]
    return [[cell.rjust(max(map(len, cells))) for cell in cells] for cells in texts]


def _blocks(columns: Sequence[list[str]], width: int) -> list[list[list[str]]]:
    """Distribute columns, at least one each, over tables that fit into a width."""
    blocks: list[list[list[str]]] = []
    left = 0
    for cells in columns:
        taken = len(cells[0]) + 2
        if not blocks or taken > left:
            blocks.append([])
            left = width
        blocks[-1].append(cells)
        left -= taken
    return blocks


@needs_float64
def predict(
    phenomenon: Phenomenon,
    points: Mapping[str, Any],
    *,
    decoys: bool = True,
    again: bool = False,
) -> Predictions:
    """Evaluate every prediction of a phenomenon.

    Args:
        phenomenon: the phenomenon.
        points: dotted name -> scalar, or array (N,); what is missing keeps its default.
        decoys: whether to evaluate the mistakes too; without, less is compiled.
        again: whether so many points will be evaluated again and again: it takes longer to compile
            and half as long to run. The last bits of the numbers may differ.

    Returns:
        prediction name -> ``Predicted``. A point whose value is not finite has status
        NOT_FINITE; it is not valid, nor is one without a finite slack. Nothing is raised for it.

    Raises:
        BadInput: an unknown name, a bad value, arrays of different lengths, or a prediction
            whose entry of the forecast is missing or not a number.

    Memory: some hundred megabytes, however many points.
    """
    phenomenon = loaded(phenomenon)
    lengths = {len(v) for v in points.values() if np.ndim(v)}
    if len(lengths) > 1:
        raise BadInput(f"{phenomenon.name}: axes of different lengths {sorted(lengths)}")
    total = lengths.pop() if lengths else 1
    columns = {k: list(v) if np.ndim(v) else [v] * total for k, v in points.items()}
    rows = [phenomenon.point({k: _plain(v[i]) for k, v in columns.items()}) for i in range(total)]

    groups: dict[tuple, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(tuple(statics(phenomenon, row).items()), []).append(index)

    results = Predictions({k: [row[k] for row in rows] for k in points})
    for prediction in phenomenon.predictions:
        estimate = Estimate(
            value=np.full(total, np.nan),
            slack=np.zeros(total),
            valid=np.zeros(total, bool),
            status=np.full(total, int(Status.OUT_OF_SCOPE)),
        )
        wanted = prediction.decoys if decoys else ()
        wrong = {d.name: np.full(total, np.nan) for d in wanted}
        results[prediction.name] = Predicted(prediction, estimate, wrong)

    with cpu():
        for members in groups.values():
            group = [rows[i] for i in members]
            world = phenomenon.prepared(group[0])
            for name, (value, wrong) in _batch(phenomenon, group, world, decoys, again).items():
                for target, source in zip(results[name].estimate, value, strict=True):
                    target[members] = source
                for decoy, source in wrong.items():
                    results[name].decoys[decoy][members] = source

    for name, found in results.items():
        results[name] = found._replace(claimed=found.estimate.valid.copy())
        lost = ~np.isfinite(found.estimate.value) & (found.estimate.status == Status.OK)
        found.estimate.status[lost] = Status.NOT_FINITE
        bounded = np.isfinite(found.estimate.slack) & (found.estimate.slack >= 0)
        found.estimate.valid[:] &= (found.estimate.status == Status.OK) & bounded
    return results


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _split(rows: list[dict[str, Any]]) -> tuple[tuple, dict[str, np.ndarray]]:
    """Separate strings (one value a group) from numbers (vectors over the group)."""
    words = tuple((k, v) for k, v in rows[0].items() if isinstance(v, str))
    numeric = [k for k, v in rows[0].items() if not isinstance(v, str)]
    columns = {k: np.array([row[k] for row in rows]) for k in numeric}
    return words, {k: v if v.dtype == bool else v.astype(float) for k, v in columns.items()}


def _batch(
    phenomenon: Phenomenon, group: list[dict[str, Any]], world: Any, decoys: bool, again: bool
) -> Any:
    """Evaluate points that share their static values, some at a time: memory stays bounded."""
    words, numbers = _split(group)
    size = len(group)
    program = program_of(phenomenon, words, decoys, few=size <= _FEW_POINTS and not again)
    most = min(1 << (size - 1).bit_length(), _at_a_time(world))  # few shapes, few compilations
    done = []
    for start in range(0, size, most):
        here = {k: v[start : start + most] for k, v in numbers.items()}
        count = min(most, size - start)
        padded = {k: np.concatenate([v, np.full(most - count, v[-1])]) for k, v in here.items()}
        out = program(padded, world)
        done.append(
            jax.tree.map(lambda a, n=count: np.broadcast_to(np.asarray(a), (most,))[:n], out)
        )
    return jax.tree.map(lambda *parts: np.concatenate(parts), *done)


def _at_a_time(world: Any) -> int:
    """Return how many points go at a time, a power of two: each holds arrays like the world's."""
    numbers = sum(np.size(leaf) for leaf in jax.tree.leaves(world))
    return 1 << max(min(_MOST_POINTS, _MOST_NUMBERS // max(numbers, 1)), 1).bit_length() - 1
