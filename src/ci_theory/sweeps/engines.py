"""Who computes the chunks: an engine maps jobs to outcomes, in any order, one to one.

A job names a chunk of a store; whoever computes it writes the chunk's part itself and hands back
only an outcome, so a job may be run again, or by two workers, without harm. An engine over a
cluster submits ``compute_job``: jobs and outcomes pickle, and a worker process compiles each
program once.

On a CPU the local engine computes one chunk a core at a time, each on one LAPACK thread: the
matrices of a run are too small for several threads, which then mostly wait for each other (an
eigendecomposition of order 100 took 50 times longer on a busy machine with two cores).
"""

import functools
import itertools
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import scipy.linalg  # noqa: F401 - loads the LAPACK that JAX calls, so that it can be limited
from threadpoolctl import threadpool_limits

from ci_theory._errors import BadInput
from ci_theory.phenomena import load
from ci_theory.sweeps.bundles import Chunk
from ci_theory.sweeps.locks import PLAN, Locks
from ci_theory.sweeps.parts import Damaged
from ci_theory.sweeps.plan import Plan
from ci_theory.sweeps.program import (
    Programs,
    Shape,
    check_precision,
    devices_of,
    lanes,
    out_of_memory,
)
from ci_theory.sweeps.progress import note
from ci_theory.sweeps.provenance import session_hash, session_of
from ci_theory.sweeps.sessions import write_session
from ci_theory.sweeps.staged import Kept, Stopped
from ci_theory.sweeps.store import Store

PATIENCE = 2.0
"""Seconds after which a process says that it waits for another."""

_LOOK = 0.1  # seconds between two looks at Ctrl-C


class Job(NamedTuple):
    """One chunk to compute: where the store is, which chunk, and on what.

    ``wait``: if another process is computing it, wait for that process to finish or die.
    """

    folder: str
    plan: int
    chunk: int
    device: str | None = None
    wait: bool = False


class Outcome(NamedTuple):
    """What became of a job.

    Attributes:
        job: the job.
        state: ``done`` here, ``found`` stored already, or ``held`` by another process.
        runs: runs that the chunk counts.
        not_finite: cells with a NaN or infinite measure (0 unless done here).
        batch: runs at a time; less than planned if memory ran out.
    """

    job: Job
    state: str
    runs: int
    not_finite: int = 0
    batch: int = 0


class Engine(Protocol):
    """Runs jobs somewhere."""

    def outcomes(self, jobs: Iterable[Job], worker: "Worker") -> Generator[Outcome, None, None]:
        """Yield the outcome of every job, in any order; closed early, leave nothing running.

        ``worker`` computes in this process; elsewhere ``compute_job`` makes its own. While
        waiting for outcomes, call ``worker.check`` now and then: it raises on Ctrl-C.
        """


class LocalEngine:
    """This process, on all its devices; on a CPU, one chunk a core at a time."""

    def outcomes(self, jobs: Iterable[Job], worker: "Worker") -> Generator[Outcome, None, None]:
        """Yield outcomes as they come."""
        count = lanes(worker.devices)
        waiting = iter(jobs)
        worker.stopping.clear()
        pool = ThreadPoolExecutor(count)
        with one_lapack_thread(worker.devices):
            running: set[Future[Outcome]] = set()
            try:
                while True:
                    worker.check()
                    more = itertools.islice(waiting, count - len(running))
                    running |= {pool.submit(worker.compute, job) for job in more}
                    if not running:
                        return
                    done, running = wait(running, _LOOK, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            finally:
                worker.stopping.set()  # long runs stop after their stage and keep their state
                pool.shutdown(cancel_futures=True)


def one_lapack_thread(devices: Sequence[Any]) -> AbstractContextManager[Any]:
    """Return a context in which LAPACK on the host uses one thread, if the host computes.

    Every engine computes in it: the number of threads may change last bits.
    """
    on_host = devices[0].platform == "cpu"
    return threadpool_limits(1, user_api="blas") if on_host else nullcontext()


class Worker:
    """Computes and stores chunks of one store in this process."""

    def __init__(
        self,
        store: Store,
        device: str | None = None,
        *,
        check: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = note,
    ):
        """Compile nothing yet; note the surroundings in the store.

        ``check`` raises KeyboardInterrupt if the run should stop; ``tell`` shows a line.
        """
        check_precision(store.plans[0].identity["dtype"])  # of another process, perhaps
        self.store, self.check, self.tell = store, check, tell
        self.stopping = threading.Event()
        self._told = False
        self.locks = Locks(store.folder / "lock")
        self.devices = devices_of(device)
        self.session = session = session_of(self.devices)
        self._session = session_hash(session)
        with self.locks.hold(*PLAN, wait=self.wait):  # who adds a plan deletes what others left
            for file in write_session(store.folder, session):
                tell(f"a damaged note of a session was set aside: {file}")
        self.programs = programs_of(store.plans, self.devices)
        self._smaller: dict[tuple[int, Shape], int] = {}

    def wait(self, seconds: float) -> None:
        """Say once that another process has what is wanted, or give up: see ``Locks.hold``."""
        self.check()
        if self.stopping.is_set():
            raise Stopped
        if seconds > PATIENCE and not self._told:
            self._told = True
            self.tell(f"waiting for another process that works on {self.store.folder}")

    def compute(self, job: Job) -> Outcome:
        """Compute and store a chunk unless it is stored already or another process has it.

        Raises:
            BadInput: one run does not fit in memory, or the part cannot be written.
            Stopped: ``stopping`` was set during a run in stages, or while waiting.
        """
        plan = self.store.plans[job.plan]
        chunk = plan.chunk(job.chunk)
        with self.locks.hold(job.plan, job.chunk, wait=self.wait if job.wait else None) as mine:
            if not mine:
                return Outcome(job, "held", chunk.valid)
            if self._stored(job):
                return Outcome(job, "found", chunk.valid)
            measures, batch = self._run(job, plan, chunk)
            about = {"session": self._session, "batch": batch}
            not_finite = self.store.write(job.plan, job.chunk, measures, about)
            self._kept(job, plan, batch).drop()
        return Outcome(job, "done", chunk.valid, not_finite, batch)

    def _stored(self, job: Job) -> bool:
        """Say whether a chunk is stored and whole; set a damaged part aside. Lock it before."""
        try:
            self.store.read(job.plan, job.chunk)
            return True
        except FileNotFoundError:
            return False
        except Damaged:
            self.store.parts.set_aside(self.store.name(job.plan, job.chunk))
            return False

    def _kept(self, job: Job, plan: Plan, batch: int) -> Kept:
        about = {"plan": plan.hash, "session": self._session, "batch": batch}
        name = self.store.name(job.plan, job.chunk)
        return Kept(self.store.folder / "unfinished", name, about, self.stopping)

    def _run(self, job: Job, plan: Plan, chunk: Chunk) -> tuple[dict[str, Any], int]:
        """Run a chunk, halving the runs that go at a time as long as memory runs out."""
        planned, programs = chunk.bundle.shape, self.programs[job.plan]
        place = job.plan, planned
        arguments = plan.arguments(chunk)
        while True:
            most = self._smaller.get(place, planned.batch)
            shape = programs.fitted(planned, most)
            try:
                keep = self._kept(job, plan, shape.batch)
                return programs.call(shape, plan.sweep.seed, arguments, keep), shape.batch
            except Exception as problem:
                if not out_of_memory(problem):
                    raise
                if shape.batch == 1:
                    raise BadInput(
                        f"{shape}: one run does not fit in the device's memory"
                    ) from None
            known = self._smaller.get(place, shape.batch)
            self._smaller[place] = min(known, shape.batch // 2)


def programs_of(plans: Sequence[Plan], devices: Sequence[Any]) -> list[Programs]:
    """Return the programs of each plan of a store: one set where the inner values are the same."""
    made: dict[tuple, Programs] = {}
    found = []
    for plan in plans:
        place = tuple((name, *values.tolist()) for name, values in plan.inner.items())
        if place not in made:
            made[place] = Programs(load(plan.sweep.phenomenon), devices, plan.inner)
        found.append(made[place])
    return found


@functools.lru_cache(maxsize=4)
def worker_of(folder: str, device: str | None, plans: tuple[str, ...]) -> Worker:
    """Return the worker of this process on a store, which keeps its programs.

    Args:
        folder: of the store.
        device: as in ``run``.
        plans: hashes of the store's plans, as who sends the jobs knows them: it may have grown.

    Raises:
        BadInput: no such store is here, or another one.
    """
    store = Store.open(Path(folder))
    if tuple(plan.hash for plan in store.plans[: len(plans)]) != plans:
        raise BadInput(f"{folder}: another store lies here than where the sweep was started")
    return Worker(store, device)


def compute_job(job: Job, plans: tuple[str, ...] = ()) -> Outcome:
    """Compute a job in a worker process of any engine: the process keeps its programs.

    ``plans`` are hashes of the store's plans: a process that outlives a sweep may find another
    in the same folder, or more replicates.
    """
    worker = worker_of(job.folder, job.device, plans)
    with one_lapack_thread(worker.devices):
        return worker.compute(job)
