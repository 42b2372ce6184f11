"""Groups: the cells of a sweep that share one compiled program."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ci_theory._record import Kind
from ci_theory.sweeps.grid import Sweep
from ci_theory.sweeps.program import Shape


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """Cells that share one compiled program.

    Attributes:
        statics: values of the static fields.
        capacity: array length of every sized field.
        cells: places (c,) in the flat grid of the outer axes.
        chunk: runs a chunk; ``batch``: runs at a time within it, per device.
        work: rough operations a run.
    """

    statics: Mapping[str, Any]
    capacity: Mapping[str, int]
    cells: np.ndarray
    chunk: int = 0
    batch: int = 0
    work: float = 0.0

    @property
    def shape(self) -> Shape:
        """What fixes the program."""
        return Shape(
            tuple(self.statics.items()), tuple(self.capacity.items()), self.chunk, self.batch
        )


class Chunk(NamedTuple):
    """Runs of one call: cells and replicates, both (chunk,), of which the first ``valid`` count."""

    bundle: Bundle
    cells: np.ndarray
    replicates: np.ndarray
    valid: int


def split(sweep: Sweep, about: Mapping[str, Any], ratio: float) -> list[Bundle]:
    """Group the cells of the outer axes by static values and by buckets of sized values."""
    kinds = {name: Kind(info["kind"]) for name, info in about.items()}
    outer = {k: v for k, v in sweep.axes.items() if kinds[k] is not Kind.INNER}
    shape = [len(v) for v in outer.values()]
    code = np.zeros(shape, int)
    lengths: dict[str, list[int]] = {}
    for place, (name, values) in enumerate(outer.items()):
        if kinds[name] is Kind.STATIC:
            labels = list(range(len(values)))
        elif kinds[name] is Kind.SIZED:
            lengths[name] = lengths_of(values, ratio)
            labels = lengths[name]
        else:
            labels = [0] * len(values)
        distinct, label = np.unique(labels, return_inverse=True)
        along = [-1 if i == place else 1 for i in range(len(shape))]
        code = code * len(distinct) + label.reshape(along)
    flat = code.reshape(-1)
    order = np.argsort(flat, kind="stable")
    borders = np.flatnonzero(np.diff(flat[order])) + 1
    bundles = []
    for cells in np.split(order, borders):
        where = dict(zip(outer, np.unravel_index(cells[0], shape) if shape else (), strict=True))
        statics: dict[str, Any] = {}
        capacity: dict[str, Any] = {}
        for name, kind in kinds.items():
            value = outer[name][where[name]] if name in outer else sweep.fixed.get(name)
            if kind is Kind.STATIC:
                statics[name] = value
            elif kind is Kind.SIZED:
                capacity[name] = lengths[name][where[name]] if name in outer else value
        bundles.append(Bundle(statics=statics, capacity=capacity, cells=cells))
    return bundles


def lengths_of(values: Sequence[int], ratio: float) -> list[int]:
    """Return the array length of each sized value: that of the largest value in its bucket.

    A bucket of several values rounds up to 2^k or 3 2^(k-1), so that few shapes occur; a value
    alone in its bucket is its own length. No length is less than 1.
    """
    made: dict[int, int] = {}
    rest = sorted(set(values), reverse=True)
    while rest:
        bucket = [v for v in rest if v * ratio > rest[0] or v == rest[0]]
        length = bucket[0] if len(bucket) == 1 else _round_up(bucket[0])
        made.update(dict.fromkeys(bucket, max(length, 1)))
        rest = rest[len(bucket) :]
    return [made[v] for v in values]


def _round_up(value: int) -> int:
    power = 1 << max(value - 1, 0).bit_length()
    return power * 3 // 4 if value <= power * 3 // 4 else power
