"""The layout of a sweep: which cells share a program, and how many runs go at a time."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from ci_theory._errors import BadInput
from ci_theory._record import Kind
from ci_theory.phenomena import Phenomenon, load
from ci_theory.sweeps.bundles import Bundle, split
from ci_theory.sweeps.grid import Sweep
from ci_theory.sweeps.plan import Plan
from ci_theory.sweeps.program import Programs, devices_of, lanes, memory_budget
from ci_theory.sweeps.provenance import identity_of

# Operations a second, for the layout only; a chunk and a compilation take about two seconds.
_RATE = {"cpu": 5e9}
_OTHER_RATE = 1e12
_SECONDS = 2.0
_MOST_RUNS = 4096  # a chunk
_MOST_NUMBERS = 4_000_000  # a chunk: 32 MB on disk
_CACHE = 16e6  # bytes of intermediates at a time that a CPU still handles well
_BATCH = (4, 64)  # runs at a time on a CPU, at least and at most
_RATIOS = (2.0, 4.0, math.inf)  # sized values up to this factor apart may share a program


def make_plan(
    sweep: Sweep,
    *,
    device: str | None = None,
    memory: float | None = None,
    most_runs: int | None = None,
    start: int = 0,
    previous: str = "",
    added: tuple[str, tuple] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Plan:
    """Plan replicates ``start`` to ``sweep.replicates`` of a sweep.

    Nothing runs and nothing is written. A bundle compiles here only where a rough bound does not
    already show that its chunks fit in memory.

    Args:
        sweep: the sweep.
        device: ``cpu``, ``gpu`` or ``tpu``; the default is JAX's.
        memory: bytes a chunk may take on each device; the default asks the machine.
        most_runs: most runs a chunk; the default follows the work and the memory.
        start: first replicate; ``previous``: hash of the plan that this one extends.
        added: an axis and those of its values that are planned; by default all are.
        check: called between bundles; it may raise to give up.

    Raises:
        BadInput: a mistake in the sweep, no such device, or a run that does not fit in memory.
    """
    sweep = sweep.validated().completed()
    phenomenon = load(sweep.phenomenon)
    bare = Plan(
        sweep=sweep,
        about=_about(sweep, phenomenon),
        identity=identity_of(phenomenon),
        ratio=math.inf,
        bundles=(),
        start=start,
        previous=previous,
        added=added,
    )
    programs = Programs(phenomenon, devices_of(device), bare.inner)
    memory = memory_budget(programs.devices) if memory is None else memory
    replicates = sweep.replicates - start
    ratio = _best_ratio(bare.box, bare.about["axes"], programs, replicates)
    bundles = []
    for bundle in split(bare.box, bare.about["axes"], ratio):
        check()
        bundles.append(_lay_out(bundle, programs, replicates, memory, most_runs or _MOST_RUNS))
    return dataclasses.replace(bare, ratio=ratio, bundles=tuple(bundles))


def _about(sweep: Sweep, phenomenon: Phenomenon) -> dict[str, Any]:
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


def _best_ratio(
    sweep: Sweep, about: Mapping[str, Any], programs: Programs, replicates: int
) -> float:
    """Weigh compilations against rows that count for nothing, on one combination of statics."""
    if not any(about[k]["kind"] == Kind.SIZED.value and len(v) > 1 for k, v in sweep.axes.items()):
        return math.inf
    compiling = _SECONDS * _RATE.get(programs.devices[0].platform, _OTHER_RATE)
    price = {}
    for ratio in _RATIOS:
        bundles = split(sweep, about, ratio)
        middle = bundles[len(bundles) // 2].statics
        chosen = [g for g in bundles if g.statics == middle]
        work = [
            programs.cost(g.statics, g.capacity).work * len(g.cells) * replicates for g in chosen
        ]
        price[ratio] = compiling * len(chosen) + sum(work)
    return min(price, key=lambda ratio: price[ratio])


def _lay_out(
    bundle: Bundle, programs: Programs, replicates: int, memory: float, most_runs: int
) -> Bundle:
    """Choose how many runs a chunk holds and how many go at a time."""
    cost = programs.cost(bundle.statics, bundle.capacity)
    where = ", ".join(f"{k} = {v}" for k, v in {**bundle.statics, **bundle.capacity}.items())
    if cost.largest > memory:
        raise BadInput(_too_large(where, cost.largest, memory))
    devices, platform = len(programs.devices), programs.devices[0].platform
    runs = len(bundle.cells) * replicates
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

    def fitted(batch: int) -> Bundle:
        most_here = max(most // batch, 1) * batch
        chunks = math.ceil(share / most_here)
        chunk = math.ceil(share / chunks / batch) * batch * devices
        return dataclasses.replace(bundle, chunk=chunk, batch=batch, work=cost.work)

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
