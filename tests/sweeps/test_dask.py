"""Sweeps on a Dask cluster: the same bits, whoever is killed; one line where it cannot be."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import CancelledError, Future
from pathlib import Path

import jax
import pytest
from sweep_driver import bits, toy

import ci_theory
from ci_theory import BadInput
from ci_theory.sweeps import Interrupted, Store, dask_engine, run
from ci_theory.sweeps.dask_engine import DaskEngine, Sent, _check, able, compute, connected, stop
from ci_theory.sweeps.engines import Job
from ci_theory.sweeps.provenance import identity_of
from ci_theory.sweeps.staged import Stopped

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.timeout(240),
    # What Dask warns of when its workers are killed, and about the names of its own functions.
    pytest.mark.filterwarnings("ignore"),
]

HERE = Path(__file__).parent
CHUNKS = 80


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """Workers find the toys, and share what they compile."""
    paths = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", paths)
        patched.setenv("CI_THEORY_CACHE", str(tmp_path_factory.mktemp("kept") / "here"))
        patched.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        yield patched


@pytest.fixture(scope="module")
def cluster(surroundings):
    settings = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(n_workers=4, silence_logs="CRITICAL", **settings) as found:
        yield found


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as found:
        found.wait_for_workers(4, timeout=60)
        yield found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(toy(CHUNKS // 2), tmp_path_factory.mktemp("local") / "s", most_runs=2)


def killed(client, folder, seed, victims=2):
    """Kill workers, one after the other, at random moments of a sweep; return when all are dead."""
    chance = random.Random(seed)
    pids = list(client.run(os.getpid).values())

    def kill():
        for pid in chance.sample(pids, victims):
            here = len(list((folder / "parts").glob("*"))) if folder.exists() else 0
            wanted = here + chance.randint(1, CHUNKS // 4)
            while len(list((folder / "parts").glob("*"))) < min(wanted, CHUNKS - 20):
                time.sleep(0.002)
            os.kill(pid, signal.SIGKILL)
            dead.append(pid)

    dead = []
    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread, dead


@pytest.mark.parametrize("seed", [1, 2])
def test_two_of_four_workers_are_killed_and_nothing_is_lost_or_doubled(
    client, whole, tmp_path, seed
):
    folder = tmp_path / "s"
    thread, dead = killed(client, folder, seed)
    store = run(toy(CHUNKS // 2), folder, most_runs=2, engine=DaskEngine(client))
    thread.join()
    assert len(dead) == 2
    assert store.plans[0].chunks == CHUNKS
    assert store.parts.names() == whole.parts.names()
    assert bits(store) == bits(whole)
    assert not [f for f in (folder / "parts").iterdir() if f.suffix != ".npz"]


def test_a_worker_that_lives_longer_than_a_sweep_finds_what_is_new_there(client, tmp_path):
    """More replicates, more values of an axis, and then another sweep in the same folder."""
    engine = DaskEngine(client)
    for points, replicates in ((3, 2), (3, 4), (5, 4)):
        store = run(toy(points, replicates), tmp_path / "s", engine=engine)
    assert [plan.added and plan.added[0] for plan in store.plans] == [None, None, "slope"]
    assert bits(store) == bits(run(toy(5, 4), tmp_path / "local"))
    for file in sorted(tmp_path.glob("s/**/*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    store = run(toy(4), tmp_path / "s", engine=engine)
    assert bits(store) == bits(run(toy(4), tmp_path / "another"))


def test_float32_on_a_cluster_and_in_shares_is_the_same_to_the_last_bit(surroundings, tmp_path):
    """Workers that have computed in float64 refuse: these are new, and one goes on to float64."""
    settings = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    jax.config.update("jax_enable_x64", False)  # conftest restores it
    single = {"most_runs": 2, "precision": "float32"}
    alone = run(toy(4), tmp_path / "alone", **single)
    for share in range(2):
        parted = run(toy(4), tmp_path / "parted", shard=(share, 2), **single)
        assert bool(parted.dataset().attrs["missing"]) == (share == 0)
    with (
        distributed.LocalCluster(n_workers=1, silence_logs="CRITICAL", **settings) as one,
        distributed.Client(one) as client,
    ):
        engine = DaskEngine(client)
        sent = run(toy(4), tmp_path / "sent", engine=engine, **single)
        jax.config.update("jax_enable_x64", True)
        double = run(toy(4), tmp_path / "double", engine=engine, most_runs=2)
        jax.config.update("jax_enable_x64", False)
        with pytest.raises(BadInput, match=r"dtype is float64 there and float32 where"):
            run(toy(4), tmp_path / "late", engine=engine, **single)
    assert bits(sent) == bits(parted) == bits(alone) != bits(double)
    assert alone.dataset().attrs["dtype"] == "float32"


def test_ctrl_c_stops_the_cluster_and_the_same_command_continues(client, whole, tmp_path):
    class Pressed(DaskEngine):
        def outcomes(self, jobs, worker):
            for number, outcome in enumerate(super().outcomes(jobs, worker)):
                if number == 5:
                    raise KeyboardInterrupt
                yield outcome

    with pytest.raises(Interrupted, match=r"of 80 chunks in .*: the same command continues"):
        run(toy(CHUNKS // 2), tmp_path / "s", most_runs=2, engine=Pressed(client))
    before = len(Store.open(tmp_path / "s").parts.names())
    time.sleep(0.5)
    assert len(Store.open(tmp_path / "s").parts.names()) == before < CHUNKS  # nobody goes on
    store = run(toy(CHUNKS // 2), tmp_path / "s", most_runs=2, engine=DaskEngine(client))
    assert bits(store) == bits(whole)


def test_a_worker_that_cannot_is_told_before_anything_runs(client, tmp_path, surroundings):
    """One that has another package under this name."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ci_theory.py").write_text("")
    words = [sys.executable, "-m", "distributed.cli.dask_worker", client.scheduler.address]
    words += ["--nworkers", "1", "--no-dashboard", "--name", "stranger", "--no-nanny"]
    paths = os.pathsep.join([str(tmp_path / "other"), os.environ["PYTHONPATH"]])
    started = subprocess.Popen(
        words, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.DEVNULL
    )
    try:
        client.wait_for_workers(5, timeout=60)
        with pytest.raises(BadInput, match=r"^worker tcp://\S+: it has no ci_theory, or"):
            run(toy(3), tmp_path / "s", engine=DaskEngine(client))
    finally:
        started.kill()
        started.wait()
    assert Store.open(tmp_path / "s").parts.names() == []


def sent(store, **changes):
    plan = store.plans[0]
    identity = identity_of(sys.modules["sweep_toys.line"].PHENOMENON)
    made = Sent(
        str(store.folder), "cpu", (plan.hash,), plan.sweep.phenomenon, tuple(identity.items())
    )
    return made._replace(**changes)


def test_what_a_worker_answers(whole, tmp_path, monkeypatch):
    """In this process: what another version, another folder and another store come to."""
    monkeypatch.setattr("ci_theory._cache.open_", lambda: None)
    assert able(sent(whole)) is None
    other = tuple({**dict(sent(whole).identity), "version": "0.0"}.items())
    assert f"version is {ci_theory.__version__} there and 0.0 where the sweep started" in able(
        sent(whole, identity=other)
    )
    says = able(sent(whole, folder=str(tmp_path / "nowhere")))
    assert "nowhere" in says
    assert says.endswith("workers need the store under the same path")
    assert "another store lies here" in able(sent(whole, plans=("0" * 16,)))


def test_a_process_stops_until_it_is_asked_again_and_finds_what_is_new(tmp_path, monkeypatch):
    """In this process: one sweep, and then more replicates of it in the same folder."""
    monkeypatch.setattr("ci_theory._cache.open_", lambda: None)
    store = run(toy(3, 2), tmp_path / "s")
    job = Job("a folder as the client names it", 0, 0)
    stop(sent(store))
    with pytest.raises(Stopped):
        compute(job, sent(store))
    assert able(sent(store)) is None
    assert compute(job, sent(store)) == (job, "found", *compute(job, sent(store))[2:])

    store = run(toy(3, 4), tmp_path / "s")
    added = store.name(1, 0)
    (tmp_path / "s" / "parts" / f"{added}.npz").unlink()
    hashes = tuple(plan.hash for plan in store.plans)
    assert compute(job._replace(plan=1), sent(store, plans=hashes)).state == "done"
    assert bits(Store.open(tmp_path / "s")) == bits(run(toy(3, 4), tmp_path / "again"))


class Here:
    """A client whose one worker is this process; somebody else stops the first chunk there."""

    status = "running"

    def __init__(self):
        self.stopped = []

    def nthreads(self):
        return {"here": 1}

    def run(self, function, *given, on_error):
        return {"here": function(*given)}

    def submit(self, function, job, sent, pure):
        future = Future()
        if not self.stopped:
            self.stopped.append(job)
            future.set_exception(Stopped())
        else:
            future.set_result(function(job, sent))
        return future


def test_a_chunk_that_somebody_else_stopped_is_computed_after_all(tmp_path, monkeypatch):
    monkeypatch.setattr("ci_theory._cache.open_", lambda: None)
    monkeypatch.setattr(distributed, "wait", lambda *_, **__: None)
    client = Here()
    store = run(toy(1, 2), tmp_path / "s", engine=DaskEngine(client))
    assert len(client.stopped) == 1
    assert len(store.parts.names()) == store.plans[0].chunks


def test_a_scheduler_that_is_lost_is_told_and_the_store_resumes(
    whole, tmp_path, surroundings, monkeypatch
):
    file = tmp_path / "scheduler.json"
    cli = [sys.executable, "-m"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [*cli, "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard",
         "--scheduler-file", str(file)], **quiet,
    )  # fmt: skip
    worker = subprocess.Popen(
        [*cli, "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-dashboard",
         "--no-nanny", "--nthreads", "1"], **quiet,
    )  # fmt: skip
    folder = tmp_path / "s"

    def kill():
        while len(list((folder / "parts").glob("*"))) < 20:
            time.sleep(0.002)
        scheduler.kill()

    thread = threading.Thread(target=kill, daemon=True)
    try:
        while not file.exists():
            time.sleep(0.05)
        thread.start()
        with (
            pytest.raises(BadInput, match=r"^the scheduler of the cluster is gone: what is "),
            connected(str(file)) as engine,
        ):
            run(toy(CHUNKS // 2), folder, most_runs=2, engine=engine)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    thread.join()
    assert 20 <= len(Store.open(folder).parts.names()) < CHUNKS
    assert bits(run(toy(CHUNKS // 2), folder, most_runs=2)) == bits(whole)


def test_nobody_at_an_address(monkeypatch):
    monkeypatch.setattr("ci_theory.sweeps.dask_engine._CONNECT", 0.5)
    with (
        pytest.raises(BadInput, match=r"^--engine dask=tcp://127.0.0.1:1: no scheduler answers"),
        connected("tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize("status", ["connecting", "closing", "closed", "newly-created"])
def test_a_client_that_does_not_run_is_not_asked(status):
    client = Here()
    client.status = status
    with pytest.raises(BadInput, match="the scheduler of the cluster is gone"):
        _check(client)
    client.status = "running"
    _check(client)


class Cluster:
    """A client that computes nothing: how many threads it has, each time that one asks."""

    status = "running"

    def __init__(self, *threads):
        self.threads = list(threads)

    def nthreads(self):
        return self.threads.pop(0) if self.threads[1:] else self.threads[0]

    def run(self, *_, **__):
        return {}

    def submit(self, function, job, sent, pure):
        self.sent = sent
        return Future()


@pytest.mark.parametrize(
    ("patience", "told"), [(0.0, ["the cluster has no workers: waiting for one"]), (60.0, [])]
)
def test_a_scheduler_knows_two_chunks_a_thread_once_there_are_workers(
    patience, told, whole, monkeypatch
):
    known, said, checked = [], [], []

    def first_is_done(left, **_):
        known.append(len(left))
        left[0].set_result("done")

    monkeypatch.setattr(distributed, "wait", first_is_done)
    monkeypatch.setattr(dask_engine, "_LOOK", 0.01)
    monkeypatch.setattr(dask_engine, "PATIENCE", patience)
    worker = types.SimpleNamespace(store=whole, check=lambda: checked.append(1), tell=said.append)
    cluster = Cluster({}, {}, {}, {"a": 1, "b": 2})
    jobs = [Job("f", 0, chunk, "cpu") for chunk in range(8)]
    assert list(DaskEngine(cluster).outcomes(jobs, worker)) == ["done"] * 8
    assert known == [6, 6, 6, 5, 4, 3, 2, 1]
    assert said == told
    assert len(checked) == 3 + len(known) + 1  # also while there is no worker
    assert cluster.sent.device == "cpu"
    assert list(DaskEngine(None).outcomes([], None)) == []  # nobody is asked


def test_workers_are_told_the_whole_path_of_a_store(whole, monkeypatch):
    """They may have been started in another folder."""
    monkeypatch.chdir(whole.folder.parent)
    worker = types.SimpleNamespace(store=Store.open(whole.folder.name))
    assert dask_engine._sent(worker, None).folder == str(whole.folder.resolve())


def test_who_stops_a_sweep_leaves_nothing_stopped(whole, monkeypatch):
    """Else whoever runs the same sweep on the same cluster would wait for ever."""
    monkeypatch.setattr("ci_theory._cache.open_", lambda: None)
    left, stopped, cancelled = Future(), [], []

    def it_ends(futures, **_):
        stopped.append(dask_engine._ready(sent(whole)).stopping.is_set())
        futures[0].set_result(None)

    monkeypatch.setattr(distributed, "wait", it_ends)
    client = Here()
    client.cancel = cancelled.extend
    DaskEngine(client)._stop({left: None}, sent(whole))
    assert stopped == [True]
    assert not dask_engine._ready(sent(whole)).stopping.is_set()
    assert cancelled == [left]


def test_a_worker_keeps_what_it_compiles(whole, monkeypatch):
    done = []
    for name in ("open_", "keep_compiled"):
        monkeypatch.setattr(f"ci_theory._cache.{name}", lambda name=name: done.append(name))
    dask_engine._ready.cache_clear()
    assert able(sent(whole)) is None
    assert done == ["open_", "keep_compiled"]


def test_a_chunk_that_ended_several_workers_is_one_line():
    from distributed.scheduler import KilledWorker

    ended = Future()
    ended.set_exception(KilledWorker("a chunk", None, 3))
    with pytest.raises(BadInput, match=r"^a chunk ended several workers, .* or make the chunks sm"):
        dask_engine._outcome(ended, None)


@pytest.mark.parametrize(
    "problem", [distributed.comm.CommClosedError(), CancelledError(), ConnectionResetError()]
)
def test_whatever_shows_that_the_scheduler_is_gone_is_one_line(problem, monkeypatch):
    monkeypatch.setattr(dask_engine, "_LOOK", 0.0)
    client = Here()
    client.status = "closed"
    with (
        pytest.raises(BadInput, match="the scheduler of the cluster is gone"),
        dask_engine._gone_is_said(client),
    ):
        raise problem
    client.status = "running"
    with pytest.raises(type(problem)) as told, dask_engine._gone_is_said(client):
        raise problem
    assert told.value is problem
