"""Chunks on a Dask cluster: every future a chunk, a few for each thread at a time.

A worker writes its own part into the store, which it must see under the same path, and hands
back an outcome of some bytes; so a worker may die at any moment, and whoever gets its chunk next
computes it again. What a worker compiles it keeps, in the process and in its user's cache folder.
It must have the same version of the package: before anything runs all are asked, and those that
come later when they begin.
"""

import functools
import itertools
import time
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ci_theory import _cache
from ci_theory._errors import BadInput
from ci_theory._types import enable_float64
from ci_theory.phenomena import load
from ci_theory.sweeps.engines import (
    PATIENCE,
    Job,
    Outcome,
    Worker,
    compute_job,
    worker_of,
)
from ci_theory.sweeps.provenance import identity_of
from ci_theory.sweeps.staged import Stopped

if TYPE_CHECKING:
    from distributed import Client, Future

MISSING = "Dask is not installed: pip install 'ci-theory[cluster]'"

_EACH = 2
"""Chunks for each thread of the cluster that the scheduler knows of: one runs, one is next."""

_LOOK = 0.2  # seconds between two looks at Ctrl-C

_CONNECT = 15  # seconds to wait for a scheduler


class Sent(NamedTuple):
    """What all jobs of a sweep have in common.

    Attributes:
        folder: of the store.
        device: as in ``run``.
        plans: hashes of the store's plans.
        phenomenon: its name.
        identity: what must agree before results may share a store.
    """

    folder: str
    device: str | None
    plans: tuple[str, ...]
    phenomenon: str
    identity: tuple[tuple[str, Any], ...]


class DaskEngine:
    """The workers of a Dask cluster, of any kind: local, on SLURM, in a cloud.

    Best with one thread a worker. The cluster stays up when a sweep is done or stopped.
    """

    def __init__(self, client: "Client"):
        """Compute on the cluster of a ``distributed.Client``."""
        self.client = client

    def outcomes(self, jobs: Iterable[Job], worker: Worker) -> Generator[Outcome, None, None]:
        """Yield outcomes as they come; see ``Engine``.

        Raises:
            BadInput: a worker without this version of the package or without the store, the
                scheduler is gone, or a chunk that ended several workers.
        """
        waiting = iter(jobs)
        first = next(waiting, None)
        if first is None:
            return
        sent = _sent(worker, first.device)
        self._ask(sent)
        with _gone_is_said(self.client):
            yield from self._computed(itertools.chain([first], waiting), worker, sent)

    def _computed(
        self, waiting: Iterable[Job], worker: Worker, sent: Sent
    ) -> Generator[Outcome, None, None]:
        waiting = iter(waiting)
        running: dict[Future, Job] = {}
        try:
            while True:
                worker.check()
                more = itertools.islice(waiting, max(self._most(worker) - len(running), 0))
                running |= {self.client.submit(compute, job, sent, pure=False): job for job in more}
                if not running:
                    return
                _wait(running, _LOOK)
                _check(self.client)
                for future in [future for future in running if future.done()]:
                    yield _outcome(future, running.pop(future))
        finally:
            self._stop(running, sent)

    def _most(self, worker: Worker) -> int:
        """Return how many chunks the scheduler should know of; without workers, wait for some."""
        begun, told = time.monotonic(), False
        while not (threads := sum(self.client.nthreads().values())):
            worker.check()
            _check(self.client)
            if time.monotonic() - begun > PATIENCE and not told:
                told = True
                worker.tell("the cluster has no workers: waiting for one")
            time.sleep(_LOOK)
        return _EACH * threads

    def _ask(self, sent: Sent) -> None:
        """Ask all workers whether they can compute."""
        with _gone_is_said(self.client):
            self.client.run(_cache.open_, on_error="ignore")  # before they import JAX
            answers = self.client.run(able, sent, on_error="return")
        for address, answer in answers.items():
            problem = answer if isinstance(answer, str) else _no_package(answer)
            if problem:
                raise BadInput(f"worker {address}: {problem}")

    def _stop(self, running: "Collection[Future]", sent: Sent) -> None:
        """Let what runs finish, or keep its state; what has not begun never does."""
        if not running:
            return
        with suppress(Exception):  # of a cluster that is gone there is nothing to stop
            self.client.run(stop, sent, on_error="ignore")
            while any(not future.done() for future in running):
                _check(self.client)
                _wait(running, _LOOK)
            self.client.run(stop, sent, False, on_error="ignore")
        with suppress(Exception):
            self.client.cancel(list(running))


@contextmanager
def connected(address: str | None) -> "Iterator[DaskEngine]":
    """Compute on the workers of a running scheduler, or in new processes here, one a core.

    Args:
        address: of the scheduler, ``tcp://host:8786``, or the path of its file (.json); None
            starts processes here, which end with this one.

    Raises:
        BadInput: Dask is not installed, or nobody answers at that address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise BadInput(MISSING) from None
    if address is None:
        settings = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
        with LocalCluster(**settings, silence_logs="CRITICAL") as here, Client(here) as client:
            yield DaskEngine(client)
        return
    where = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        client = Client(**where, timeout=_CONNECT)
    except (OSError, ValueError, TimeoutError) as problem:
        reason = str(problem).partition("\n")[0] or type(problem).__name__
        raise BadInput(f"--engine dask={address}: no scheduler answers ({reason})") from None
    with client:
        yield DaskEngine(client)


def _sent(worker: Worker, device: str | None) -> Sent:
    plan = worker.store.plans[0]
    hashes = tuple(one.hash for one in worker.store.plans)
    folder = str(worker.store.folder.resolve())
    return Sent(folder, device, hashes, plan.sweep.phenomenon, tuple(plan.identity.items()))


# --- in a worker --------------------------------------------------------------------------------


def able(sent: Sent) -> str | None:
    """Say why this process cannot compute a sweep; None if it can."""
    try:
        _ready(sent).stopping.clear()  # who stopped it last may have died over it
    except BadInput as problem:
        return str(problem)
    return None


@functools.lru_cache(maxsize=4)
def _ready(sent: Sent) -> Worker:
    """Prepare this process for a sweep.

    Raises:
        BadInput: it has another version of something, or does not see the store.
    """
    wanted = dict(sent.identity)
    if wanted["dtype"] == "float64":
        enable_float64()
    _cache.open_()
    _cache.keep_compiled()
    here = identity_of(load(sent.phenomenon))
    for name, value in wanted.items():
        if here.get(name) != value:
            raise BadInput(f"{name} is {here.get(name)} there and {value} where the sweep started")
    try:
        return worker_of(sent.folder, sent.device, sent.plans)
    except BadInput as problem:
        raise BadInput(f"{problem}; workers need the store under the same path") from None


def compute(job: Job, sent: Sent) -> Outcome:
    """Compute a job: what the cluster is given."""
    worker = _ready(sent)
    if worker.stopping.is_set():
        raise Stopped
    return compute_job(job._replace(folder=sent.folder), sent.plans)._replace(job=job)


def stop(sent: Sent, now: bool = True) -> None:
    """Let this process stop a sweep after the stage at hand; not ``now``: it may go on."""
    stopping = _ready(sent).stopping
    (stopping.set if now else stopping.clear)()


# --- what becomes of a future ---------------------------------------------------------------------


def _wait(running: "Collection[Future]", seconds: float) -> None:
    """Wait until one of some futures is done, or the time is over."""
    from distributed import wait

    left = [future for future in running if not future.done()]
    with suppress(TimeoutError):
        wait(left, timeout=seconds, return_when="FIRST_COMPLETED")


def _outcome(future: "Future", job: Job) -> Outcome:
    """Return the outcome of a future that is done.

    A job that somebody else stopped, who runs the same sweep on the same cluster, is asked for
    once more.

    Raises:
        BadInput: the chunk ended several workers.
    """
    from distributed.scheduler import KilledWorker

    try:
        found: Outcome = future.result()
    except Stopped:
        return Outcome(job, "held", 0)
    except KilledWorker:
        raise BadInput(
            "a chunk ended several workers, one after the other: give them more memory, or make "
            "the chunks smaller (`memory` of `run`)"
        ) from None
    return found


def _no_package(problem: Any) -> str | None:
    """Tell what a worker answered that could not be asked."""
    if problem is None:
        return None
    kind = f"{type(problem).__name__}: {problem}".partition("\n")[0]
    return f"it has no ci_theory, or cannot import it ({kind})"


def _check(client: "Client") -> None:
    if client.status != "running":
        raise BadInput(
            "the scheduler of the cluster is gone: what is computed is stored, and the same "
            "command on another continues"
        )


@contextmanager
def _gone_is_said(client: "Client") -> Generator[None, None, None]:
    """Say in one line that the scheduler is gone, whatever error shows it."""
    from concurrent.futures import CancelledError

    from distributed.comm import CommClosedError

    try:
        yield
    except (CommClosedError, CancelledError, OSError) as problem:
        with suppress(Exception):
            time.sleep(_LOOK)
        if client.status == "running":
            raise
        _check(client)
        raise problem
