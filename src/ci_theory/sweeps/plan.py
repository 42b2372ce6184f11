"""How a sweep is run: groups of one compiled program, cut into chunks of runs.

A *cell* is a point of the whole grid. The inner axes are packed into one vector a run, so a
*run* is a cell of the other (outer) axes and a replicate. A *group* holds the cells that share
a program: equal static values, and sized values of similar magnitude. Within a group runs are
numbered replicate-major and cut into chunks of equal length; the last one is padded.

A plan is data: it is stored, and whoever resumes follows the stored one, so that a resumed sweep
has the bits of an uninterrupted one. More replicates are a further plan.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ci_theory._errors import BadInput
from ci_theory._keys import point_hash
from ci_theory._record import Kind
from ci_theory.phenomena import Phenomenon, load
from ci_theory.sweeps.grid import Sweep
from ci_theory.sweeps.groups import Chunk, Group, split
from ci_theory.sweeps.program import Programs, devices_of, dtype_of, lanes, memory_budget
from ci_theory.sweeps.provenance import identity_of

FORMAT = 2
TYPES = {"bool": bool, "int": int, "float": float, "str": str}  # of parameters

# Operations a second, for the layout only; a chunk and a compilation take about two seconds.
_RATE = {"cpu": 5e9}
_OTHER_RATE = 1e12
_SECONDS = 2.0
_MOST_RUNS = 4096  # a chunk
_MOST_NUMBERS = 4_000_000  # a chunk: 32 MB on disk
_CACHE = 16e6  # bytes of intermediates at a time that a CPU still handles well
_BATCH = (4, 64)  # runs at a time on a CPU, at least and at most
_RESERVED = ("status", "replicate", "about", "file", "allow_pickle")  # of datasets and parts
_SPREADS = (2.0, 4.0, math.inf)  # sized values up to this factor apart may share a program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """The layout of replicates ``start`` to ``stop`` of a sweep.

    Attributes:
        sweep: the sweep with its defaults written out; its ``replicates`` is ``stop``.
        about: kind, type, unit and meaning of every parameter and measure.
        identity: what must be equal for results to be mixed: version, formula, dtype, generator.
        spread: sized values up to this factor apart share a program.
        groups: the groups, in running order.
        previous: hash of the plan that this one extends, or "".
    """

    sweep: Sweep
    about: Mapping[str, Any]
    identity: Mapping[str, Any]
    spread: float
    groups: tuple[Group, ...]
    start: int = 0
    previous: str = ""

    @property
    def stop(self) -> int:
        """One past the last replicate."""
        return self.sweep.replicates

    @functools.cached_property
    def outer(self) -> dict[str, tuple]:
        """Axes over which runs differ."""
        return {k: v for k, v in self.sweep.axes.items() if not self._is(k, Kind.INNER)}

    @functools.cached_property
    def inner(self) -> dict[str, np.ndarray]:
        """Every inner field as the vector (m,) that a run receives; empty if there is none."""
        axes = {k: v for k, v in self.sweep.axes.items() if self._is(k, Kind.INNER)}
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
        return math.prod(len(v) for k, v in self.sweep.axes.items() if k not in self.outer)

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
    def _ends(self) -> np.ndarray:
        counts = [math.ceil(len(g.cells) * (self.stop - self.start) / g.chunk) for g in self.groups]
        return np.cumsum(counts)

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return int(self._ends[-1])

    @property
    def runs(self) -> int:
        """Number of runs."""
        return sum(len(g.cells) for g in self.groups) * (self.stop - self.start)

    def chunk(self, index: int) -> Chunk:
        """Return the runs of a chunk; the last chunk of a group repeats its last run as padding."""
        place = int(np.searchsorted(self._ends, index, side="right"))
        group = self.groups[place]
        first = (index - (int(self._ends[place - 1]) if place else 0)) * group.chunk
        total = len(group.cells) * (self.stop - self.start)
        runs = np.minimum(np.arange(first, first + group.chunk), total - 1)
        replicate, cell = np.divmod(runs, len(group.cells))
        valid = min(group.chunk, total - first)
        return Chunk(group, group.cells[cell], self.start + replicate, valid)

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
        return {
            "format": FORMAT,
            "sweep": declared(self.sweep),
            "replicates": [self.start, self.stop],
            "identity": dict(self.identity),
            "spread": None if math.isinf(self.spread) else self.spread,
            "groups": [
                {
                    "statics": dict(g.statics),
                    "capacity": dict(g.capacity),
                    "cells": len(g.cells),
                    "chunk": g.chunk,
                    "batch": g.batch,
                    "work": g.work,
                }
                for g in self.groups
            ],
            "previous": self.previous,
            "about": dict(self.about),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """Rebuild a stored plan.

        Raises:
            BadInput: the groups that this version derives are not the stored ones.
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
        )
        spread = math.inf if data["spread"] is None else data["spread"]
        groups = []
        for group, known in itertools.zip_longest(
            split(sweep, data["about"]["axes"], spread), data["groups"]
        ):
            if group is None or known is None or len(group.cells) != known["cells"]:
                raise BadInput("its groups are not those that this version makes")
            if [group.statics, group.capacity] != [known["statics"], known["capacity"]]:
                raise BadInput("its groups are not those that this version makes")
            layout = {k: known[k] for k in ("chunk", "batch", "work")}
            groups.append(dataclasses.replace(group, **layout))
        return cls(
            sweep=sweep,
            about=data["about"],
            identity=data["identity"],
            spread=spread,
            groups=tuple(groups),
            start=data["replicates"][0],
            previous=data["previous"],
        )


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


def make_plan(
    sweep: Sweep,
    *,
    device: str | None = None,
    memory: float | None = None,
    most_runs: int | None = None,
    start: int = 0,
    previous: str = "",
    check: Callable[[], None] = lambda: None,
) -> Plan:
    """Plan replicates ``start`` to ``sweep.replicates`` of a sweep.

    Nothing runs and nothing is written. A group compiles here only where a rough bound does not
    already show that its chunks fit in memory.

    Args:
        sweep: the sweep.
        device: ``cpu``, ``gpu`` or ``tpu``; the default is JAX's.
        memory: bytes a chunk may take on each device; the default asks the machine.
        most_runs: most runs a chunk; the default follows the work and the memory.
        start: first replicate; ``previous``: hash of the plan that this one extends.
        check: called between groups; it may raise to give up.

    Raises:
        BadInput: a mistake in the sweep, no such device, or a run that does not fit in memory.
    """
    sweep = sweep.validated().completed()
    phenomenon = load(sweep.phenomenon)
    bare = Plan(
        sweep=sweep,
        about=_about(sweep, phenomenon),
        identity=identity_of(phenomenon),
        spread=math.inf,
        groups=(),
        start=start,
        previous=previous,
    )
    programs = Programs(phenomenon, devices_of(device), bare.inner)
    memory = memory_budget(programs.devices) if memory is None else memory
    replicates = sweep.replicates - start
    spread = _best_spread(sweep, bare.about["axes"], programs, replicates)
    groups = []
    for group in split(sweep, bare.about["axes"], spread):
        check()
        groups.append(_lay_out(group, programs, replicates, memory, most_runs or _MOST_RUNS))
    return dataclasses.replace(bare, spread=spread, groups=tuple(groups))


def _about(sweep: Sweep, phenomenon: Phenomenon) -> dict[str, Any]:
    taken = {*phenomenon.axes, *_RESERVED}.intersection(phenomenon.measure_info)
    if taken:
        raise TypeError(f"{phenomenon.name}: measures need other names: {', '.join(sorted(taken))}")
    return {
        "name": sweep.name,
        "title": sweep.title,
        "phenomenon": phenomenon.title,
        "axes": {
            name: {"kind": a.kind.value, "type": a.type.__name__, "unit": a.unit, "doc": a.doc}
            for name, a in phenomenon.axes.items()
        },
        "measures": {
            name: {"unit": unit, "doc": doc}
            for name, (unit, doc) in phenomenon.measure_info.items()
        },
    }


def _best_spread(
    sweep: Sweep, about: Mapping[str, Any], programs: Programs, replicates: int
) -> float:
    """Weigh compilations against rows that count for nothing, on one combination of statics."""
    if not any(about[k]["kind"] == Kind.SIZED.value and len(v) > 1 for k, v in sweep.axes.items()):
        return math.inf
    compiling = _SECONDS * _RATE.get(programs.devices[0].platform, _OTHER_RATE)
    price = {}
    for spread in _SPREADS:
        groups = split(sweep, about, spread)
        middle = groups[len(groups) // 2].statics
        chosen = [g for g in groups if g.statics == middle]
        work = [
            programs.cost(g.statics, g.capacity).work * len(g.cells) * replicates for g in chosen
        ]
        price[spread] = compiling * len(chosen) + sum(work)
    return min(price, key=lambda spread: price[spread])


def _lay_out(
    group: Group, programs: Programs, replicates: int, memory: float, most_runs: int
) -> Group:
    """Choose how many runs a chunk holds and how many go at a time."""
    cost = programs.cost(group.statics, group.capacity)
    where = ", ".join(f"{k} = {v}" for k, v in {**group.statics, **group.capacity}.items())
    if cost.largest > memory:
        raise BadInput(_too_large(where, cost.largest, memory))
    devices, platform = len(programs.devices), programs.devices[0].platform
    runs = len(group.cells) * replicates
    share = math.ceil(runs / devices)

    numbers = programs.inner_points * len(programs.phenomenon.measure_info)
    aim = _SECONDS * _RATE.get(platform, _OTHER_RATE) / max(cost.work, 1.0)
    most = max(1, int(min(aim, most_runs, _MOST_NUMBERS / numbers)) // devices)
    if platform == "cpu":
        if cost.work * runs > _RATE["cpu"] / 10:  # worth sharing between the cores
            most = min(most, math.ceil(share / lanes(programs.devices)))
        batch = _power_below(
            min(max(_CACHE / max(cost.held, 1.0), _BATCH[0]), _BATCH[1], most_runs)
        )
        while batch > 1 and (batch > share or -share % batch > share // 4):
            batch //= 2
        if share > 1:
            batch = max(batch, 2)  # one run alone would not have the bits of two
    else:
        batch = math.ceil(share / math.ceil(share / max(most, 2)))

    def fitted(batch: int) -> Group:
        most_here = max(most // batch, 1) * batch
        chunks = math.ceil(share / most_here)
        chunk = math.ceil(share / chunks / batch) * batch * devices
        return dataclasses.replace(group, chunk=chunk, batch=batch, work=cost.work)

    # Four times all intermediates: room for layouts, copies and the workspace of LAPACK.
    made = fitted(batch)
    if 4.0 * cost.held * made.batch + 16.0 * numbers * made.chunk <= memory:
        return made
    while (needed := programs.memory(made.shape)) > memory:
        if made.batch == 1:
            raise BadInput(_too_large(where, needed, memory))
        made = fitted(_power_below(min(made.batch / 2, made.batch * memory / needed)))
    return made


def _power_below(value: float) -> int:
    return 1 << max(int(value).bit_length() - 1, 0)


def _too_large(where: str, needed: float, memory: float) -> str:
    return (
        f"{where}: one run needs {needed / 1e9:.3g} GB of memory; {memory / 1e9:.3g} GB may be used"
    )


def chunks_of_shard(plans: Sequence[Plan], shard: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield (plan, chunk) of shard i of n: neighbouring chunks of about equal work."""
    index, count = shard
    weights = [g.work * g.chunk for p in plans for g in _group_per_chunk(p)]
    ends = np.cumsum(weights)
    middles = (ends - np.array(weights) / 2) / ends[-1]
    owner = np.minimum((middles * count).astype(int), count - 1)
    places = [(i, c) for i, p in enumerate(plans) for c in range(p.chunks)]
    yield from (place for place, mine in zip(places, owner == index, strict=True) if mine)


def _group_per_chunk(plan: Plan) -> Iterator[Group]:
    first = 0
    for group, end in zip(plan.groups, plan._ends, strict=True):
        yield from itertools.repeat(group, int(end) - first)
        first = int(end)
