"""Run a sweep into a store, resume it, or let it grow."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ci_theory._errors import BadInput
from ci_theory.phenomena import load
from ci_theory.sweeps.engines import (
    PATIENCE,
    Engine,
    Job,
    LocalEngine,
    Worker,
)
from ci_theory.sweeps.grid import Sweep
from ci_theory.sweeps.growth import difference, next_step
from ci_theory.sweeps.interrupt import CtrlC
from ci_theory.sweeps.layout import make_plan
from ci_theory.sweeps.locks import PLAN, Locks
from ci_theory.sweeps.parts import Damaged, Parts, target_of
from ci_theory.sweeps.plan import Plan
from ci_theory.sweeps.plans import add_plan, plan_name
from ci_theory.sweeps.program import check_precision, devices_of
from ci_theory.sweeps.progress import Progress, note
from ci_theory.sweeps.provenance import identity_of
from ci_theory.sweeps.shards import chunks_of_shard
from ci_theory.sweeps.store import Store


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep; the message says, in one line, how to go on."""


def run(
    sweep: Sweep,
    folder: str | Path,
    *,
    device: str | None = None,
    progress: bool | None = None,
    shard: tuple[int, int] | None = None,
    engine: Engine | None = None,
    memory: float | None = None,
    most_runs: int | None = None,
    precision: str = "float64",
) -> Store:
    """Run what is missing of a sweep, and return its store.

    Run again after any interruption, it continues; with more replicates, with more values on an
    axis, or with an axis that was fixed before, it adds what is missing and says so. Several
    processes may run one sweep into one folder: they share the chunks. Damaged parts are set aside
    and computed again; a store in which nothing is missing is not written to. Ctrl-C lets the
    chunks at hand finish, or their state be kept; a second one does not.

    Args:
        sweep: the sweep.
        folder: the store's folder, new, empty, or holding this sweep or a part of it.
        device: ``cpu``, ``gpu`` or ``tpu``; the default is JAX's.
        progress: show a progress bar on stderr; by default if that is a terminal.
        shard: (i, n): run only the i-th of n shares of the chunks, counted from 0.
        engine: who computes; by default this process.
        memory: bytes a chunk may take on each device; ``most_runs``: runs a chunk may hold.
            Both only matter when a plan is made, not when one is resumed.
        precision: "float64", which ``ci_theory.enable_float64()`` turns on, or "float32": half
            the memory, but rounding cuts the peaks at interpolation, and a check of such a
            store gives no verdict. It is asked for here so that it never happens unnoticed.

    Raises:
        BadInput: a mistake in the sweep, a folder that is not its store, no such device, too
            large for memory, a damaged plan, a full disk. Nothing has been written unless the
            run had begun.
        Interrupted: Ctrl-C.
    """
    folder = Path(folder)
    store = None
    check_precision(precision)
    try:
        with CtrlC() as ctrl_c:
            store = _prepare(sweep, folder, device, memory, most_runs, ctrl_c)
            engine = engine or LocalEngine()
            _compute(store, sweep, device, progress, shard or (0, 1), engine, ctrl_c)
    except KeyboardInterrupt:
        if store is None:
            raise Interrupted("stopped before anything was run") from None
        there = sum(store.has(*place) for place in store.chunks())
        of = sum(plan.chunks for plan in store.plans)
        raise Interrupted(
            f"stopped with {there} of {of} chunks in {folder}: the same command continues"
        ) from None
    return store


def _compute(
    store: Store,
    sweep: Sweep,
    device: str | None,
    progress: bool | None,
    shard: tuple[int, int],
    engine: Engine,
    ctrl_c: CtrlC,
) -> None:
    """Compute what is missing of a shard; write nothing if that is nothing."""
    places = list(chunks_of_shard(store.plans, shard, sweep.replicates))
    pending, damaged = _pending(store, places, ctrl_c)
    if not pending:
        return
    total = sum(_valid(store, *place) for place in places)
    done = total - sum(_valid(store, *place) for place in pending)
    jobs = [Job(str(store.folder), *place, device) for place in pending]
    with Progress(sweep.name or sweep.phenomenon, total, done=done, show=progress) as bar:
        worker = Worker(store, device, check=ctrl_c.check, tell=bar.note)
        try:
            _sweep_leftovers(store, worker)
            if _continued_elsewhere(store, worker):
                bar.note(
                    "continued under other libraries or devices: see `sessions`; bits may differ"
                )
            if damaged:
                bar.note(f"damaged chunks, set aside and computed again: {damaged}")
            not_finite = _drain(engine, jobs, worker, bar)
            _sweep_leftovers(store, worker)  # of workers that died meanwhile
            if not_finite:
                bar.note(f"values that are not finite: {not_finite}, marked and not averaged")
        finally:
            worker.locks.close()


def _sweep_leftovers(store: Store, worker: Worker) -> None:
    def free(part: str) -> bool:
        place = store.place(part)
        return place is not None and worker.locks.free(*place)

    for parts in (store.parts, Parts(store.folder / "unfinished")):
        parts.sweep_leftovers(free)


def _prepare(
    sweep: Sweep,
    folder: Path,
    device: str | None,
    memory: float | None,
    most_runs: int | None,
    ctrl_c: CtrlC,
) -> Store:
    """Open or make the store, with plans for all that is wanted."""
    sweep = sweep.validated().completed()
    devices_of(device)
    before, cells = -1, 0
    while True:
        ctrl_c.check()
        store = Store.find(folder)
        if store is not None:
            check_grows(store, sweep)
            cells = cells or store.sweep.cells
        step = next_step(store.sweep if store else None, sweep)
        if store is not None and step is None:
            if store.sweep.cells > cells:
                grown = f"from {cells:,} to {store.sweep.cells:,} cells"
                note(f"{folder} grows {grown}: what is there is not run again")
            return store
        plans: tuple[Plan, ...] = store.plans if store else ()
        index = len(plans)
        if step is None or index == before:
            raise BadInput(f"{folder / plan_name(index)} was written and is not there")
        before = index
        plan = make_plan(
            step.sweep,
            device=device,
            memory=memory,
            most_runs=most_runs,
            start=step.start,
            previous=plans[-1].hash if plans else "",
            added=step.added,
            check=ctrl_c.check,
        )
        try:
            (folder / "parts").mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            reason = problem.strerror or problem
            raise BadInput(f"{folder}: cannot be made: {reason}") from None
        _write_plan(folder, index, plan, ctrl_c)


def _write_plan(folder: Path, index: int, plan: Plan, ctrl_c: CtrlC) -> None:
    """Add a plan to a store, unless another process was faster: then that one's counts."""
    locks = Locks(folder / "lock")
    told: list[float] = []

    def wait(seconds: float) -> None:
        ctrl_c.check()
        if seconds > PATIENCE and not told:
            told.append(seconds)
            note(f"waiting for another process that works on {folder}")

    try:
        with locks.hold(*PLAN, wait=wait):
            for file in folder.iterdir() if locks.real else ():
                if (target_of(file.name) or "").endswith(".json"):
                    file.unlink(missing_ok=True)  # half-written by a process that died
            add_plan(folder, index, plan)
    finally:
        locks.close()


def check_grows(store: Store, sweep: Sweep) -> None:
    """Refuse a sweep that is neither what a store holds nor what it may grow to.

    Raises:
        BadInput: it is another one.
    """
    identity = identity_of(load(sweep.phenomenon))
    problem = difference(store.plans[-1], sweep, identity)
    if problem:
        choose = "choose another folder (on the command line: --store DIR)"
        raise BadInput(f"{store.folder} holds another sweep: {problem}; {choose}")


def _pending(
    store: Store, places: Sequence[tuple[int, int]], ctrl_c: CtrlC
) -> tuple[list[tuple[int, int]], int]:
    """Return the chunks that are not stored whole, and how many of them are damaged."""
    there = set(store.parts.names())
    pending, damaged = [], 0
    for place in places:
        ctrl_c.check()
        if store.name(*place) in there:
            try:
                store.read(*place)
                continue
            except Damaged:  # whoever has the lock sets it aside: see Worker.compute
                damaged += 1
            except FileNotFoundError:  # another process has just done so
                pass
        pending.append(place)
    return pending, damaged


def _continued_elsewhere(store: Store, worker: Worker) -> bool:
    names = ("jax", "jaxlib", "machine", "device", "devices", "settings")
    here = worker.session
    return any(s.get(name) != here[name] for s in store.sessions() for name in names)


def _valid(store: Store, plan: int, chunk: int) -> int:
    return store.plans[plan].chunk(chunk).valid


def _drain(engine: Engine, jobs: Sequence[Job], worker: Worker, bar: Progress) -> int:
    """Run jobs; those that another process holds come last, when it has finished or died."""
    not_finite = 0
    held: list[Job] = []
    with closing(engine.outcomes(jobs, worker)) as outcomes:
        for outcome in outcomes:
            if outcome.state == "held":
                held.append(outcome.job._replace(wait=True))
                continue
            not_finite += outcome.not_finite
            bar.advance(outcome.runs)
    return not_finite + (_drain(engine, held, worker, bar) if held else 0)
