"""How a sweep is run: bundles of one compiled program, cut into chunks of runs.

A *cell* is a point of the whole grid. The inner axes are packed into one vector a run, so a
*run* is a cell of the other (outer) axes and a replicate. A *bundle* holds the cells that share
a program: equal static values, and sized values of similar magnitude. Within a bundle runs are
numbered replicate-major and cut into chunks of equal length; the last one is padded.

A plan is data: it is stored, and whoever resumes follows the stored one, so that a resumed sweep
has the bits of an uninterrupted one. What a sweep grows by, replicates or values of one axis, is a
further plan (``growth``); ``layout`` makes plans.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ci_theory._errors import BadInput
from ci_theory._keys import point_hash
from ci_theory._record import Kind
from ci_theory.sweeps.bundles import Bundle, Chunk, split
from ci_theory.sweeps.grid import Sweep
from ci_theory.sweeps.program import dtype_of

FORMAT = 2
GROWN = 3  # the format of a plan that adds values of an axis: earlier versions must not read it
TYPES = {"bool": bool, "int": int, "float": float, "str": str}  # of parameters


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """The layout of replicates ``start`` to ``stop`` of a sweep, or of new values of one axis.

    Attributes:
        sweep: the sweep with its defaults written out; its ``replicates`` is ``stop``.
        about: kind, type, unit and meaning of every parameter and measure.
        identity: what must be equal for results to be mixed: version, formula, dtype, generator.
        ratio: up to this factor apart, sized values share a program ("spread" in what is stored).
        bundles: the bundles, in running order.
        previous: hash of the plan that this one extends, or "".
        added: the axis that grows and its new values: the plan covers these only; None: all.
    """

    sweep: Sweep
    about: Mapping[str, Any]
    identity: Mapping[str, Any]
    ratio: float
    bundles: tuple[Bundle, ...]
    start: int = 0
    previous: str = ""
    added: tuple[str, tuple] | None = None

    @functools.cached_property
    def box(self) -> Sweep:
        """The part of the sweep that this plan covers: all of its axes, one of them in part."""
        return box_of(self.sweep, self.added)

    @property
    def stop(self) -> int:
        """One past the last replicate."""
        return self.sweep.replicates

    @functools.cached_property
    def outer(self) -> dict[str, tuple]:
        """Axes over which runs differ, with the values that this plan covers."""
        return {k: v for k, v in self.box.axes.items() if not self._is(k, Kind.INNER)}

    @functools.cached_property
    def inner(self) -> dict[str, np.ndarray]:
        """Every inner field as the vector (m,) that a run receives; empty if there is none."""
        axes = {k: v for k, v in self.box.axes.items() if self._is(k, Kind.INNER)}
        shape = [len(v) for v in axes.values()]
        count = math.prod(shape)
        rows = np.unravel_index(np.arange(count), shape) if shape else ()
        made = {}
        for name, info in self.about["axes"].items():
            if info["kind"] == Kind.INNER.value:
                dtype = dtype_of(TYPES[info["type"]])
                if name in axes:
                    made[name] = np.array(axes[name], dtype)[rows[list(axes).index(name)]]
                else:
                    made[name] = np.full(count, self.sweep.fixed[name], dtype)
        return made

    @property
    def points(self) -> int:
        """Inner points a run: m."""
        return math.prod(len(v) for k, v in self.box.axes.items() if k not in self.outer)

    @property
    def fields(self) -> dict[str, Any]:
        """What of ``about`` decides results: kinds and types, not units and wording."""
        axes = {name: [a["kind"], a["type"]] for name, a in self.about["axes"].items()}
        return {"axes": axes, "measures": sorted(self.about["measures"])}

    @functools.cached_property
    def hash(self) -> str:
        """Hash of everything that decides the bits of the results."""
        return digest({**self.to_json(), "about": self.fields})

    @functools.cached_property
    def ends(self) -> np.ndarray:
        """One past the last chunk of every bundle."""
        counts = [
            math.ceil(len(g.cells) * (self.stop - self.start) / g.chunk) for g in self.bundles
        ]
        return np.cumsum(counts)

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return int(self.ends[-1])

    @property
    def runs(self) -> int:
        """Number of runs."""
        return sum(len(g.cells) for g in self.bundles) * (self.stop - self.start)

    def chunk(self, index: int) -> Chunk:
        """Return the runs of a chunk; padded by the last run of its bundle."""
        place = int(np.searchsorted(self.ends, index, side="right"))
        bundle = self.bundles[place]
        first = (index - (int(self.ends[place - 1]) if place else 0)) * bundle.chunk
        total = len(bundle.cells) * (self.stop - self.start)
        runs = np.minimum(np.arange(first, first + bundle.chunk), total - 1)
        replicate, cell = np.divmod(runs, len(bundle.cells))
        valid = min(bundle.chunk, total - first)
        return Chunk(bundle, bundle.cells[cell], self.start + replicate, valid)

    def arguments(self, chunk: Chunk) -> dict[str, Any]:
        """Return what differs between the runs of a chunk: key addresses and numbers."""
        columns = self.columns(chunk.cells)
        addressed = [
            name
            for name in self.about["axes"]
            if not self._is(name, Kind.INNER) and name not in self.sweep.paired
        ]
        fixed = {name: self.sweep.fixed[name] for name in addressed if name not in columns}
        varied = [name for name in addressed if name in columns]
        address = functools.lru_cache(maxsize=None)(
            lambda row: point_hash({**fixed, **dict(zip(varied, row, strict=True))})
        )
        rows = zip(*(columns[name] for name in varied), strict=True) if varied else iter(())
        pairs = [address(row) for row in rows] or [address(())] * len(chunk.cells)
        high, low = np.array(pairs, np.uint32).T
        numbers = {}
        for name, info in self.about["axes"].items():
            if self._is(name, Kind.TRACED) or self._is(name, Kind.SIZED):
                dtype = dtype_of(TYPES[info["type"]])
                values = columns.get(name, [self.sweep.fixed.get(name)] * len(chunk.cells))
                numbers[name] = np.array(values, dtype)
        replicate = chunk.replicates.astype(np.uint32)
        return {"high": high, "low": low, "replicate": replicate, "numbers": numbers}

    def columns(self, cells: np.ndarray) -> dict[str, list]:
        """Return the values of the outer axes at the given cells."""
        shape = [len(v) for v in self.outer.values()]
        places = np.unravel_index(cells, shape) if shape else ()
        return {
            name: [values[i] for i in place]
            for (name, values), place in zip(self.outer.items(), places, strict=True)
        }

    def _is(self, name: str, kind: Kind) -> bool:
        return bool(self.about["axes"][name]["kind"] == kind.value)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data: cells are described, not listed."""
        added = {"added": [self.added[0], list(self.added[1])]} if self.added else {}
        return {
            "format": GROWN if added else FORMAT,
            **added,
            "sweep": declared(self.sweep),
            "replicates": [self.start, self.stop],
            "identity": dict(self.identity),
            "spread": None if math.isinf(self.ratio) else self.ratio,
            "groups": [  # the bundles, by the word that stored plans have for them
                {
                    "statics": dict(g.statics),
                    "capacity": dict(g.capacity),
                    "cells": len(g.cells),
                    "chunk": g.chunk,
                    "batch": g.batch,
                    "work": g.work,
                }
                for g in self.bundles
            ],
            "previous": self.previous,
            "about": dict(self.about),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """Rebuild a stored plan.

        Raises:
            BadInput: the bundles that this version derives are not the stored ones.
        """
        stored = data["sweep"]
        sweep = Sweep(
            phenomenon=stored["phenomenon"],
            axes={name: tuple(values) for name, values in stored["axes"]},
            fixed=stored["fixed"],
            seed=stored["seed"],
            paired=tuple(stored["paired"]),
            replicates=data["replicates"][1],
            name=data["about"]["name"],
            title=data["about"]["title"],
            source="a stored plan",
        )
        added = (data["added"][0], tuple(data["added"][1])) if "added" in data else None
        ratio = math.inf if data["spread"] is None else data["spread"]
        bundles = []
        for bundle, known in itertools.zip_longest(
            split(box_of(sweep, added), data["about"]["axes"], ratio), data["groups"]
        ):
            if bundle is None or known is None or len(bundle.cells) != known["cells"]:
                raise BadInput("its bundles are not those that this version makes")
            if [bundle.statics, bundle.capacity] != [known["statics"], known["capacity"]]:
                raise BadInput("its bundles are not those that this version makes")
            layout = {k: known[k] for k in ("chunk", "batch", "work")}
            bundles.append(dataclasses.replace(bundle, **layout))
        return cls(
            sweep=sweep,
            about=data["about"],
            identity=data["identity"],
            ratio=ratio,
            bundles=tuple(bundles),
            start=data["replicates"][0],
            previous=data["previous"],
            added=added,
        )


def box_of(sweep: Sweep, added: tuple[str, tuple] | None) -> Sweep:
    """Return a sweep with only the added values of the axis that grows; all of it if none does."""
    if added is None:
        return sweep
    axes = {k: added[1] if k == added[0] else v for k, v in sweep.axes.items()}
    return dataclasses.replace(sweep, axes=axes)


def declared(sweep: Sweep) -> dict[str, Any]:
    """Return what addresses a sweep's results, as JSON data: not its names nor its replicates."""
    return {
        "phenomenon": sweep.phenomenon,
        "axes": [[name, list(values)] for name, values in sweep.axes.items()],
        "fixed": dict(sweep.fixed),
        "seed": sweep.seed,
        "paired": sorted(sweep.paired),
    }


def digest(data: Any) -> str:
    """Hash JSON data, whatever the order of its keys."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
