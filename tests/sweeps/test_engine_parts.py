"""Who computes what, with workers and stores made by hand: nothing is simulated."""

import dataclasses
import os
import stat
import threading
import time
import types
from contextlib import closing, contextmanager, nullcontext

import jax
import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.phenomena import load
from ci_theory.sweeps import Sweep, engines, make_plan, parts, program, runner, sessions
from ci_theory.sweeps.bundles import Bundle
from ci_theory.sweeps.engines import PATIENCE, Job, LocalEngine, Outcome, Worker
from ci_theory.sweeps.parts import Damaged
from ci_theory.sweeps.program import Shape
from ci_theory.sweeps.staged import Stopped

JOBS = [Job("f", 0, chunk) for chunk in range(8)]


class Busy:
    """A worker that notes how many chunks it computes at a time."""

    devices = (types.SimpleNamespace(platform="cpu"),)

    def __init__(self, check=lambda: None, gate=None):
        self.stopping, self.check, self.gate = threading.Event(), check, gate
        self.lock, self.now, self.most, self.begun = threading.Lock(), 0, 0, []

    def compute(self, job):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.begun.append(job.chunk)
        if self.gate and job.chunk < 3:
            self.gate.wait(60)  # until the first three run side by side
        time.sleep(0.01)
        with self.lock:
            self.now -= 1
        if job.chunk == 99:
            raise ValueError("it failed")
        return Outcome(job, "done", 1)


@pytest.fixture(autouse=True)
def three_cores(monkeypatch):
    monkeypatch.setattr(engines, "lanes", lambda devices: 3)


def test_a_chunk_a_core_at_a_time_and_every_job_once():
    worker = Busy(gate=threading.Barrier(3))
    worker.stopping.set()  # of a run before
    found = [outcome.job.chunk for outcome in LocalEngine().outcomes(JOBS, worker)]
    assert sorted(found) == sorted(worker.begun) == list(range(8))
    assert worker.most == 3
    assert worker.stopping.is_set()
    assert list(LocalEngine().outcomes([], worker)) == []


def test_whoever_closes_it_early_leaves_nothing_running():
    worker = Busy()
    with closing(LocalEngine().outcomes(JOBS, worker)) as outcomes:
        next(outcomes)
    assert worker.stopping.is_set()
    assert worker.now == 0
    assert len(worker.begun) <= 6


def test_what_goes_wrong_comes_out_and_ctrl_c_is_heard():
    worker = Busy()
    with pytest.raises(ValueError, match="it failed"):
        list(LocalEngine().outcomes([Job("f", 0, 99)], worker))
    assert worker.stopping.is_set()
    pressed = []

    def check():
        pressed.append(1)
        if len(pressed) == 2:
            raise KeyboardInterrupt

    worker = Busy(check)
    with pytest.raises(KeyboardInterrupt):
        list(LocalEngine().outcomes(JOBS, worker))
    assert worker.stopping.is_set()
    assert worker.now == 0


def test_lapack_is_held_to_one_thread_on_the_host_alone():
    gpu = engines.one_lapack_thread([types.SimpleNamespace(platform="gpu")])
    assert isinstance(gpu, nullcontext)
    cpu = engines.one_lapack_thread(Busy.devices)
    assert not isinstance(cpu, nullcontext)


def bare(**more):
    """A worker without anything but what is given."""
    worker = Worker.__new__(Worker)
    worker.stopping, worker._told, worker.told = threading.Event(), False, []
    worker.check, worker.tell = lambda: None, worker.told.append
    worker._session, worker._smaller = "s", {}
    for name, value in more.items():
        setattr(worker, name, value)
    return worker


def test_waiting_is_told_once_and_ends_when_the_run_does():
    worker = bare(store=types.SimpleNamespace(folder="there"))
    for seconds in (0.0, PATIENCE, PATIENCE + 0.1, 9.0):
        worker.wait(seconds)
    assert worker.told == ["waiting for another process that works on there"]
    worker.stopping.set()
    with pytest.raises(Stopped):
        worker.wait(0.0)

    def pressed():
        raise KeyboardInterrupt

    worker.check = pressed
    with pytest.raises(KeyboardInterrupt):
        worker.wait(0.0)


class Shelf:
    """A store of one plan: chunk 0 is there, 1 is damaged, 2 is missing."""

    folder = "shelf"

    def __init__(self):
        self.written, self.aside = [], []
        self.parts = types.SimpleNamespace(
            names=lambda: ["0-0", "0-1", "0-3"], set_aside=self.aside.append
        )
        self.plans = (
            types.SimpleNamespace(hash="h", chunk=lambda i: types.SimpleNamespace(valid=5 + i)),
        )

    def name(self, plan, chunk):
        return f"{plan}-{chunk}"

    def read(self, plan, chunk):
        if chunk == 1:
            raise Damaged("no")
        if chunk:
            raise FileNotFoundError
        return {}

    def write(self, *given):
        self.written.append(given)
        return 4

    def sessions(self):
        return self.noted


def test_a_chunk_is_computed_unless_it_is_there_or_somebody_has_it():
    shelf, asked, dropped = Shelf(), [], []

    @contextmanager
    def hold(plan, chunk, *, wait):
        asked.append((plan, chunk, wait))
        yield chunk != 3

    worker = bare(store=shelf, locks=types.SimpleNamespace(hold=hold))
    worker._run = lambda job, plan, chunk: ({"m": job.chunk}, 2)
    worker._kept = lambda job, plan, batch: types.SimpleNamespace(
        drop=lambda: dropped.append((job.chunk, batch))
    )
    jobs = [Job("shelf", 0, chunk, wait=chunk == 2) for chunk in range(4)]
    found = [worker.compute(job) for job in jobs]
    assert [(o.state, o.runs, o.not_finite, o.batch) for o in found] == [
        ("found", 5, 0, 0), ("done", 6, 4, 2), ("done", 7, 4, 2), ("held", 8, 0, 0),
    ]  # fmt: skip
    about = {"session": "s", "batch": 2}
    assert shelf.written == [(0, 1, {"m": 1}, about), (0, 2, {"m": 2}, about)]
    assert shelf.aside == ["0-1"]
    assert dropped == [(1, 2), (2, 2)]
    assert [(plan, chunk, wait is not None) for plan, chunk, wait in asked] == [
        (0, 0, False), (0, 1, False), (0, 2, True), (0, 3, False),
    ]  # fmt: skip


def test_what_goes_at_a_time_is_halved_until_it_fits_and_stays_so():
    error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED")
    planned = Shape((("p", 3),), (("n", 7),), 12, 12)
    tried = []

    class Tight:
        def fitted(self, shape, most):
            return shape._replace(batch=max(b for b in (1, 2, 3, 4, 6, 12) if b <= most))

        def call(self, shape, seed, arguments, keep):
            tried.append((shape.batch, seed, arguments, keep))
            if shape.batch > self.room:
                raise error
            return {"m": 1}

    programs = Tight()
    bundle = Bundle(statics={"p": 3}, capacity={"n": 7}, cells=np.arange(2), chunk=12, batch=12)
    chunk = types.SimpleNamespace(bundle=bundle)
    plan = types.SimpleNamespace(
        sweep=types.SimpleNamespace(seed=9), arguments=lambda c: "numbers", hash="h"
    )
    worker = bare(programs=[None, programs])
    worker._kept = lambda job, plan, batch: f"state of {batch}"
    programs.room = 3
    assert worker._run(Job("f", 1, 0), plan, chunk) == ({"m": 1}, 3)
    assert [batch for batch, *_ in tried] == [12, 6, 3]
    assert tried[-1][1:] == (9, "numbers", "state of 3")
    assert worker._smaller == {(1, planned): 3}
    tried.clear()
    assert worker._run(Job("f", 1, 5), plan, chunk)[1] == 3  # remembered
    assert [batch for batch, *_ in tried] == [3]
    programs.room = 0
    with pytest.raises(BadInput, match=r"^p = 3, n = 7: one run does not fit in the device's"):
        worker._run(Job("f", 1, 0), plan, chunk)

    def wrong(*given):
        raise error_of_ours

    error_of_ours = RuntimeError("RESOURCE_EXHAUSTED, says somebody else")
    programs.call = wrong
    with pytest.raises(RuntimeError, match="somebody else"):
        worker._run(Job("f", 1, 0), plan, chunk)


def test_plans_of_the_same_inner_values_share_their_programs(monkeypatch):
    made = []
    monkeypatch.setattr(engines, "load", lambda name: name)
    monkeypatch.setattr(engines, "Programs", lambda *given: made.append(given) or len(made))

    def plan(**inner):
        values = {k: np.array(v) for k, v in inner.items()}
        return types.SimpleNamespace(inner=values, sweep=types.SimpleNamespace(phenomenon="x"))

    plans = [plan(r=[1, 2]), plan(r=[1, 2]), plan(r=[1, 3]), plan(q=[1, 2]), plan(), plan(r=[1, 2])]
    assert engines.programs_of(plans, "devices") == [1, 1, 2, 3, 4, 1]
    assert [given[:2] for given in made] == [("x", "devices")] * 4
    assert [sorted(given[2]) for given in made] == [["r"], ["r"], ["q"], []]


def test_a_worker_is_of_the_store_that_the_sweep_was_started_in(monkeypatch):
    plans = [types.SimpleNamespace(hash=h) for h in "abc"]
    monkeypatch.setattr(
        engines.Store, "open", lambda folder: types.SimpleNamespace(plans=plans, folder=folder)
    )
    made = []
    monkeypatch.setattr(engines, "Worker", lambda store, device: made.append(device) or len(made))
    engines.worker_of.cache_clear()
    assert engines.worker_of("f", "cpu", ("a", "b")) == 1  # it has grown since
    assert engines.worker_of("f", "cpu", ("a", "b")) == 1
    assert engines.worker_of("f", None, ()) == 2
    for other in (("b",), ("a", "b", "c", "d"), ("a", "c")):
        with pytest.raises(BadInput, match=r"^f: another store lies here than where"):
            engines.worker_of("f", "cpu", other)
    engines.worker_of.cache_clear()
    assert made == ["cpu", None]


def test_what_is_pending_and_how_much_of_it_is_damaged():
    checked = []
    ctrl_c = types.SimpleNamespace(check=lambda: checked.append(1))
    places = [(0, chunk) for chunk in range(4)]
    found = runner._pending(Shelf(), places, ctrl_c)
    assert found == ([(0, 1), (0, 2), (0, 3)], 1)
    assert len(checked) == 4


def test_other_libraries_or_devices_are_noticed():
    here = {"jax": "1", "jaxlib": "1", "machine": "m", "device": "d", "devices": 1,
            "settings": {}, "python": "3", "revision": "r"}  # fmt: skip
    worker, shelf = types.SimpleNamespace(session=here), Shelf()

    def noticed(**other):
        shelf.noted = [here, {**here, **other}]
        return runner._continued_elsewhere(shelf, worker)

    assert not noticed()
    assert not noticed(python="4", revision="q", numpy="9")
    for name, value in (("jax", "2"), ("jaxlib", "2"), ("machine", "n"), ("device", "e"),
                        ("devices", 2), ("settings", {"XLA_FLAGS": ""})):  # fmt: skip
        assert noticed(**{name: value})
    assert [runner._valid(shelf, 0, chunk) for chunk in (0, 3)] == [5, 8]


def test_leftovers_are_swept_where_nobody_works(tmp_path):
    for folder in ("parts", "unfinished"):
        (tmp_path / folder).mkdir()
        for name in ("0-0", "0-1", "x"):
            (tmp_path / folder / f"{name}.npz.1-0a.tmp").write_bytes(b"")
    from ci_theory.sweeps.parts import Parts

    store = types.SimpleNamespace(
        folder=tmp_path, parts=Parts(tmp_path / "parts"),
        place=lambda part: None if part == "x" else tuple(map(int, part.split("-"))),
    )  # fmt: skip
    locks = types.SimpleNamespace(free=lambda plan, chunk: chunk == 1)
    runner._sweep_leftovers(store, types.SimpleNamespace(locks=locks))
    for folder in ("parts", "unfinished"):
        left = sorted(f.name for f in (tmp_path / folder).iterdir())
        assert left == ["0-0.npz.1-0a.tmp", "x.npz.1-0a.tmp"]


def test_every_engine_computes_on_one_lapack_thread(monkeypatch):
    inside, seen = [], []

    @contextmanager
    def one_thread(devices):
        inside.append(devices)
        yield
        inside.pop()

    monkeypatch.setattr(engines, "one_lapack_thread", one_thread)

    class Seeing(Busy):
        def compute(self, job):
            seen.append(list(inside))
            return super().compute(job)

    worker = Seeing()
    assert len(list(LocalEngine().outcomes(JOBS[:2], worker))) == 2
    monkeypatch.setattr(engines, "worker_of", lambda *given: worker)
    assert engines.compute_job(JOBS[0]).state == "done"
    assert seen == [[Busy.devices]] * 3


def test_of_two_threads_that_find_too_little_memory_the_lower_number_counts():
    planned = Shape((), (), 12, 12)
    tried = []

    class Tight:
        def fitted(self, shape, most):
            return shape._replace(batch=max(b for b in (1, 2, 3, 4, 6, 12) if b <= most))

        def call(self, shape, *_):
            tried.append(shape.batch)
            if shape.batch == 12:
                worker._smaller[0, planned] = 2  # another thread, meanwhile
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED")
            return {}

    bundle = Bundle(statics={}, capacity={}, cells=np.arange(2), chunk=12, batch=12)
    plan = types.SimpleNamespace(
        sweep=types.SimpleNamespace(seed=9), arguments=lambda c: None, hash="h"
    )
    worker = bare(programs=[Tight()])
    worker._kept = lambda *_: None
    assert worker._run(JOBS[0], plan, types.SimpleNamespace(bundle=bundle))[1] == 2
    assert tried == [12, 2]


# --- programs -------------------------------------------------------------------------------------


def programs_that(compile_, monkeypatch, kept=8):
    monkeypatch.setattr(program, "_KEPT", kept)
    made = program.Programs(None, Busy.devices, {})
    made._compile = compile_
    return made


def test_a_program_that_could_not_be_compiled_is_tried_again(monkeypatch):
    tries = []

    def compile_(shape):
        tries.append(shape)
        if len(tries) == 1:
            raise MemoryError
        return "made"

    programs = programs_that(compile_, monkeypatch)
    with pytest.raises(MemoryError):
        programs.compiled("a")
    assert programs.compiled("a") == programs.compiled("a") == "made"
    assert tries == ["a", "a"]


def test_of_too_many_programs_the_one_used_longest_ago_goes(monkeypatch):
    compiled = []
    programs = programs_that(lambda shape: compiled.append(shape) or shape, monkeypatch, kept=2)
    for shape in "abaca":
        assert programs.compiled(shape) == shape
    assert compiled == ["a", "b", "c"]


def test_memory_is_that_of_arguments_results_and_what_lies_between():
    account = types.SimpleNamespace(
        temp_size_in_bytes=1, argument_size_in_bytes=10, output_size_in_bytes=100
    )
    for found, size in ((account, 111.0), (None, 0.0)):
        made = types.SimpleNamespace(memory_analysis=lambda found=found: found)
        programs = program.Programs(None, Busy.devices, {})
        programs.compiled = lambda shape, made=made: made
        assert programs.memory("a") == size


def test_every_stage_multiplies_with_all_bits():
    """On accelerators products have ten bits otherwise."""
    walk, seen = load("sweep_toys.walk"), {}

    def noting(name):
        def stage(*given):
            seen[name] = jax.config.jax_default_matmul_precision
            return getattr(walk.stages, name)(*given)

        return stage

    names = ("begin", "advance", "finish")
    stages = dataclasses.replace(walk.stages, **{name: noting(name) for name in names})
    programs = program.Programs(
        dataclasses.replace(walk, stages=stages), jax.devices("cpu"), {"step": np.array([0, 5])}
    )
    programs.compiled(Shape((), (), 2, 2))
    assert seen == dict.fromkeys(names, "highest")


@pytest.fixture
def compiling(monkeypatch):
    """Note what XLA is told of each program, as it is where nobody sets its variables."""
    told, compile_ = [], jax.stages.Lowered.compile

    def noting(lowered, compiler_options=None):
        told.append(compiler_options)
        return compile_(lowered, compiler_options)

    monkeypatch.setattr(jax.stages.Lowered, "compile", noting)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    less = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield told
    jax.config.update("jax_disable_most_optimizations", less)


def programs_of_toys():
    """Return the programs of a simulation in one go and of one in stages, and their shapes."""
    devices = jax.devices("cpu")
    gram = program.Programs(load("sweep_toys.gram"), devices, {})
    walk = program.Programs(load("sweep_toys.walk"), devices, {"step": np.array([0, 5])})
    return (gram, Shape((), (("n", 3),), 2, 2)), (walk, Shape((), (), 2, 2))


def test_only_what_trains_for_long_is_optimised_at_length(compiling):
    for programs, shape in programs_of_toys():
        programs.compiled(shape)
    sooner = {"xla_backend_optimization_level": 1}
    assert compiling == [sooner, sooner, None, sooner]  # in one go; begin, advance, finish


@pytest.mark.parametrize("by", ["JAX", "XLA"])
def test_who_sets_how_much_is_optimised_is_heard(compiling, monkeypatch, by):
    if by == "JAX":
        jax.config.update("jax_disable_most_optimizations", True)
    else:
        monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=2")
    for programs, shape in programs_of_toys():
        programs.compiled(shape)
    assert compiling == [None] * 4


@pytest.mark.usefixtures("compiling")
def test_accelerators_optimise_as_they_do():
    told = []
    for platform in ("cpu", "gpu", "tpu"):
        device = types.SimpleNamespace(platform=platform)
        told.append(program.Programs(None, [device], {})._sooner())
    assert told == [{"xla_backend_optimization_level": 1}, None, None]


# --- files ----------------------------------------------------------------------------------------


def test_a_session_that_is_noted_keeps_when_it_began(tmp_path):
    session = {"jax": "1"}
    sessions.write_session(tmp_path, session)
    (file,) = tmp_path.iterdir()
    first = file.read_bytes()
    file.write_bytes(first.replace(b'"began": "2', b'"began": "1'))  # a thousand years ago
    early = file.read_bytes()
    sessions.write_session(tmp_path, session)
    assert first != early == file.read_bytes()


def test_the_name_of_a_file_is_flushed_too(tmp_path, monkeypatch):
    """Else it is gone after a loss of power, whatever is in the file."""
    flushed = []
    monkeypatch.setattr(
        parts.os, "fsync", lambda handle: flushed.append(stat.S_ISDIR(os.fstat(handle).st_mode))
    )
    parts.write_whole(tmp_path / "x", b"one")
    assert flushed == [False, True]


def test_without_locks_what_a_living_process_may_be_writing_stays(tmp_path, monkeypatch):
    half = tmp_path / "plan-000.json.71-0badcafe.tmp"
    plan = make_plan(Sweep(phenomenon="sweep_toys.gram", replicates=2))
    ctrl_c = types.SimpleNamespace(check=lambda: None)
    half.write_text("half")
    with monkeypatch.context() as patched:
        patched.setattr("ci_theory.sweeps.locks.fcntl", None)
        runner._write_plan(tmp_path, 0, plan, ctrl_c)
    assert half.exists()
    runner._write_plan(tmp_path, 1, plan, ctrl_c)
    assert not half.exists()


def test_a_simulation_in_one_go_multiplies_with_all_bits_too():
    line, seen = load("sweep_toys.line"), []

    def noting(*given):
        seen.append(jax.config.jax_default_matmul_precision)
        return line.simulate(*given)

    inner = {"ridge": np.zeros(2), "degree": np.ones(2, int)}
    programs = program.Programs(
        dataclasses.replace(line, simulate=noting), jax.devices("cpu"), inner
    )
    programs.cost({"p": 3, "shape": "flat"}, {"n": 4, "up.rows": 4})
    assert seen == ["highest"]
