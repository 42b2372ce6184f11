"""What running a sweep would take, from one short measurement."""

import dataclasses
import functools
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ci_theory.sweeps.bundles import Bundle, Chunk
from ci_theory.sweeps.engines import one_lapack_thread, programs_of
from ci_theory.sweeps.grid import Sweep
from ci_theory.sweeps.growth import next_step, places
from ci_theory.sweeps.layout import make_plan
from ci_theory.sweeps.plan import Plan
from ci_theory.sweeps.program import Programs, Shape, check_precision, devices_of, lanes
from ci_theory.sweeps.runner import check_grows
from ci_theory.sweeps.shards import chunks_of_shard
from ci_theory.sweeps.store import Store


class DryRun(NamedTuple):
    """What a sweep would take.

    Attributes:
        cells: cells of the grid; ``runs``: simulations; ``chunks``: stored pieces.
        bundles: compiled programs.
        memory: bytes of the largest chunk on a device, by the compiler's account.
        results: bytes of the results.
        seconds: estimated time, compilation included, from one short measurement.
        done: runs that the store already holds.
        reused: cells of which it holds runs.
    """

    cells: int
    runs: int
    chunks: int
    bundles: int
    memory: float
    results: float
    seconds: float
    done: int
    reused: int

    def __str__(self) -> str:
        rows = [
            ("cells", f"{self.cells:,}" + (f" ({self.reused:,} reused)" if self.reused else "")),
            ("runs", f"{self.runs:,}" + (f" ({self.done:,} stored)" if self.done else "")),
            ("compilations", f"{self.bundles:,}"),
            ("chunks", f"{self.chunks:,}"),
            ("memory per chunk", _bytes(self.memory)),
            ("results", _bytes(self.results)),
            ("estimated time", _duration(self.seconds)),
        ]
        return "\n".join(f"{name:<18}{value}" for name, value in rows)


def dry_run(
    sweep: Sweep,
    folder: str | Path | None = None,
    *,
    device: str | None = None,
    shard: tuple[int, int] | None = None,
    memory: float | None = None,
    most_runs: int | None = None,
    precision: str = "float64",
) -> DryRun:
    """Say what ``run`` with these arguments would take; write nothing.

    One or two programs are compiled and a few runs of the costliest bundle are timed; the rest is
    extrapolated by the operations that each bundle's traced program shows.
    """
    check_precision(precision)
    sweep = sweep.validated().completed()
    store = None if folder is None else Store.find(Path(folder))
    if store is not None:
        check_grows(store, sweep)
    plans = list(store.plans) if store else []
    lay_out = functools.partial(make_plan, device=device, memory=memory, most_runs=most_runs)
    while step := next_step(plans[-1].sweep if plans else None, sweep):
        plans.append(lay_out(step.sweep, start=step.start, added=step.added))
    wanted = list(chunks_of_shard(plans, shard or (0, 1), sweep.replicates))
    chunks = [(p, plans[p].chunk(c)) for p, c in wanted]
    there = [store is not None and p < len(store.plans) and store.has(p, c) for p, c in wanted]
    stored = [place for place, found in zip(chunks, there, strict=True) if found]
    todo = [(p, chunk.bundle) for (p, chunk), found in zip(chunks, there, strict=True) if not found]

    devices = devices_of(device)
    programs = programs_of(plans, devices)
    with one_lapack_thread(devices):
        needed, seconds = _measure(programs, plans, todo)
    whole = plans[-1].sweep
    return DryRun(
        cells=whole.cells,
        runs=sum(chunk.valid for _, chunk in chunks),
        chunks=len(chunks),
        bundles=len({(programs[p], chunk.bundle.shape) for p, chunk in chunks}),
        memory=needed,
        results=whole.cells * whole.replicates * (8.0 * len(plans[0].about["measures"]) + 1),
        seconds=seconds,
        done=sum(chunk.valid for _, chunk in stored),
        reused=_cells(plans, stored),
    )


def _cells(plans: Sequence[Plan], chunks: Sequence[tuple[int, Chunk]]) -> int:
    """Count the cells of the grid of which some runs are among those of given chunks."""
    whole = plans[-1].sweep
    placed = [places(plan, whole) for plan in plans]
    points = 1 + max(int(inner.max()) for _, inner in placed)
    found = np.zeros((whole.cells // points, points), bool)
    for p, chunk in chunks:
        cells, inner = placed[p]
        found[cells[chunk.cells[: chunk.valid]][:, None], inner] = True
    return int(found.sum())


def _measure(
    programs: Sequence[Programs], plans: Sequence[Plan], todo: Sequence[tuple[int, Bundle]]
) -> tuple[float, float]:
    """Return the memory of the largest chunk and the seconds for all, from a short measurement."""
    if not todo:
        return 0.0, 0.0
    work: dict[tuple[Programs, Shape], float] = {}
    bundles: dict[tuple[Programs, Shape], tuple[Plan, Bundle]] = {}
    for p, bundle in todo:
        place = programs[p], bundle.shape
        work[place] = work.get(place, 0.0) + bundle.work * bundle.chunk
        bundles[place] = plans[p], bundle
    maker, shape = max(bundles, key=lambda place: bundles[place][1].work * place[1].batch)
    needed = maker.memory(shape)

    costliest = max(work, key=lambda place: work[place])
    (maker, shape), (plan, probe) = costliest, bundles[costliest]
    size = probe.batch * len(maker.devices)
    shape = shape._replace(chunk=size)
    begun = time.perf_counter()
    maker.compiled(shape)
    compiling = time.perf_counter() - begun
    short = dataclasses.replace(plan, bundles=(dataclasses.replace(probe, chunk=size),))
    arguments = short.arguments(short.chunk(0))
    maker.sample(shape, plan.sweep.seed, arguments, 0.0)
    begun = time.perf_counter()
    calls = maker.sample(shape, plan.sweep.seed, arguments, 0.5)
    taken = (time.perf_counter() - begun) / calls
    running = taken * sum(work.values()) / (probe.work * size)
    together = min(lanes(maker.devices), len(todo))
    return needed, running / together + compiling * len(bundles)


def _bytes(count: float) -> str:
    power = min(int(math.log(max(count, 1), 1000)), 4)
    return f"{_plain(count / 1000**power, 3)} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{_plain(seconds / size, 2)} {unit}"
    return f"{_plain(seconds, 2)} s"


def _plain(value: float, digits: int) -> str:
    """Round to so many digits, written without a power of ten: 120 and not 1.2e+02."""
    return f"{float(f'{value:.{digits}g}'):g}"
