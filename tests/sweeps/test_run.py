import collections
import concurrent.futures
import dataclasses
import errno
import fcntl
import itertools
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sweep_driver

from ci_theory import BadInput, Status
from ci_theory._errors import MESSAGES
from ci_theory._keys import key_for, point_hash
from ci_theory._record import build
from ci_theory.phenomena import load
from ci_theory.sweeps import (
    Interrupted,
    Store,
    Sweep,
    dry_run,
    estimate,
    make_plan,
    parse_shard,
    run,
)
from ci_theory.sweeps.engines import Job, LocalEngine, Worker, compute_job
from ci_theory.sweeps.locks import PLAN, Locks
from ci_theory.sweeps.program import Programs

HERE = Path(__file__).parent

SWEEP = Sweep(
    phenomenon="sweep_toys.line",
    axes={
        "ridge": (0.0, 1.0),
        "p": (2, 3),
        "n": (5, 9),
        "mirrored": (False, True),
        "shape": ("flat", "steep"),
        "degree": (1, 2, 3),
        "up.noise": (0.1, 0.2),
    },
    fixed={"slope": 2.5, "up.rows": 6},
    paired=("mirrored",),
    replicates=3,
    seed=11,
    title="What it says",
)
GRAM = Sweep(phenomenon="sweep_toys.gram", axes={"n": (5, 9, 12)}, replicates=4)

compilations = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: compilations.append(name) if "backend_compile" in name else None
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    before = len(compilations)
    store = run(SWEEP, folder / "store", most_runs=8)
    return store, len(compilations) - before


def test_compiles_once_per_static_bundle(finished):
    store, count = finished
    assert len(store.plans[0].bundles) == 4
    assert store.plans[0].chunks > 8
    assert count == 4


def test_every_cell_is_the_simulation_at_its_point(finished):
    """Against the obvious loop: one cell and replicate at a time, not compiled as a sweep is."""
    store, _ = finished
    found = store.dataset()
    phenomenon = load(SWEEP.phenomenon)
    capacity = {name: dict(store.plans[0].bundles[0].capacity)[name] for name in ("n", "up.rows")}
    names = list(SWEEP.axes)
    simulate = jax.jit(
        lambda key, numbers, words: phenomenon.simulate(
            key, build(phenomenon.params, {**numbers, **dict(words)}), capacity
        ),
        static_argnums=2,
    )
    cells = list(itertools.product(*SWEEP.axes.values()))
    for index in np.random.default_rng(0).choice(len(cells), 40, replace=False):
        point = {**SWEEP.fixed, **dict(zip(names, cells[index], strict=True))}
        address = {k: v for k, v in point.items() if k not in ("ridge", "degree", "mirrored")}
        words = tuple((k, point.pop(k)) for k in ("shape", "p"))
        numbers = {k: jnp.asarray(v) for k, v in point.items()}
        numbers |= {k: numbers[k][None] for k in ("ridge", "degree")}
        for replicate in range(3):
            key = key_for(SWEEP.seed, *point_hash(address), replicate)
            want = simulate(key, numbers, words)
            place = dict(zip(names, cells[index], strict=True)) | {"replicate": replicate}
            have = found.sel(place)
            np.testing.assert_allclose(have["mean"], want.mean[0], rtol=1e-12)
            np.testing.assert_allclose(have["spread"], want.spread[0], rtol=1e-12)
            assert have["status"] == Status.OK


def test_the_dataset_says_what_it_is(finished):
    store, _ = finished
    found = store.dataset()
    assert list(found["mean"].dims) == [*SWEEP.axes, "replicate"]
    assert found["mean"].dtype == float
    assert found["status"].dtype == np.int8
    assert found["mean"].attrs == {"unit": "label", "long_name": "shrunken mean"}
    assert found["up.noise"].attrs == {"unit": "label²", "long_name": "upstream noise"}
    assert found["shape"].values.tolist() == ["flat", "steep"]
    assert json.loads(found.attrs["fixed"]) == {"slope": 2.5, "up.rows": 6}
    assert found.attrs["phenomenon"] == SWEEP.phenomenon
    assert found.attrs["title"] == "What it says"
    assert json.loads(found.attrs["paired"]) == ["mirrored"]
    assert "partitionable" not in found.attrs  # a truth value, which no file of xarray's can hold
    legend = found["status"].attrs
    told = dict(zip(legend["flag_values"], legend["flag_meanings"].split(", "), strict=True))
    assert told == {-1: "not simulated yet", **{int(s): MESSAGES[s] for s in Status}}
    assert (found.attrs["seed"], found.attrs["missing"], found.attrs["not_finite"]) == (11, 0, 0)
    (session,) = json.loads(found.attrs["sessions"])
    assert session["jax"] == jax.__version__
    assert session["device"]
    assert list(store.dataset(["mean"]).data_vars) == ["mean", "status"]
    with pytest.raises(BadInput, match="did you mean 'mean'"):
        store.dataset(["meen"])


def test_paired_axes_share_random_numbers_and_others_do_not(finished):
    found = finished[0].dataset()["mean"].isel(ridge=0)
    np.testing.assert_array_equal(found.sel(mirrored=True), -found.sel(mirrored=False))
    one, other = found.isel({"up.noise": 0}) - 0.1, found.isel({"up.noise": 1}) - 0.2
    assert not np.isclose(one, other).any()
    drawn = found.isel(degree=0, mirrored=0)
    assert len(np.unique(drawn)) == drawn.size == 48


def test_running_again_computes_nothing(finished):
    store, _ = finished
    before = {f: f.stat().st_mtime_ns for f in store.folder.glob("p*/*.npz")}
    count = len(compilations)
    engine = sweep_driver.Counting()
    again = run(SWEEP, store.folder, most_runs=4, engine=engine)
    assert engine.states == ()
    assert len(compilations) == count
    assert before == {f: f.stat().st_mtime_ns for f in store.folder.glob("p*/*.npz")}
    assert sweep_driver.bits(again) == sweep_driver.bits(store)


def test_replicates_are_appended(tmp_path):
    small = dataclasses.replace(GRAM, replicates=2)
    run(small, tmp_path / "grown")
    kept = {f.name: f.read_bytes() for f in (tmp_path / "grown" / "parts").iterdir()}
    grown = run(GRAM, tmp_path / "grown")
    assert [(p.start, p.stop) for p in grown.plans] == [(0, 2), (2, 4)]
    for name, data in kept.items():
        assert (tmp_path / "grown" / "parts" / name).read_bytes() == data
    assert [plan.runs for plan in grown.plans] == [6, 6]
    counts = grown.counts()
    assert (counts.chunks, counts.runs) == (counts.all_chunks, counts.all_runs)
    at_once = run(GRAM, tmp_path / "at_once").dataset()
    np.testing.assert_allclose(grown.dataset()["size"], at_once["size"], rtol=1e-12)
    fewer = run(small, tmp_path / "grown")
    assert fewer.dataset().sizes["replicate"] == 4


def test_a_partly_run_store_opens_with_its_gaps(tmp_path):
    store = run(GRAM, tmp_path / "s", shard=(0, 2), most_runs=2)
    found = store.dataset()
    missing = found["status"] == -1
    assert 0 < int(missing.sum()) == found.attrs["missing"] < 12
    np.testing.assert_array_equal(np.isnan(found["size"]), missing)
    counts = store.counts()
    assert counts.runs + found.attrs["missing"] == counts.all_runs == 12
    whole = run(GRAM, tmp_path / "s", shard=(1, 2)).dataset()
    assert whole.attrs["missing"] == 0
    np.testing.assert_array_equal(whole["size"].where(~missing), found["size"])


def test_stores_of_shards_are_merged_by_copying_files(tmp_path):
    """Machines that share nothing: each its share, and a part of another sweep is told."""
    for index in range(2):
        run(GRAM, tmp_path / str(index), shard=(index, 2), most_runs=2)
    run(dataclasses.replace(GRAM, seed=1), tmp_path / "stranger", most_runs=2)
    before = Store.open(tmp_path / "0").counts().chunks
    for file in (*tmp_path.glob("1/parts/*.npz"), *tmp_path.glob("1/session-*")):
        (tmp_path / "0" / file.relative_to(tmp_path / "1")).write_bytes(file.read_bytes())
    merged = Store.open(tmp_path / "0")
    assert 0 < before < merged.counts().chunks == merged.counts().all_chunks
    whole = run(GRAM, tmp_path / "whole", most_runs=2)
    assert sweep_driver.bits(merged) == sweep_driver.bits(whole)
    (file, *_) = tmp_path.glob("stranger/parts/*.npz")
    (tmp_path / "0" / "parts" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(BadInput, match=f"{file.name} is not a part of .* but of another store"):
        Store.open(tmp_path / "0")


def test_cells_that_are_not_finite_are_recorded_and_counted(tmp_path):
    axes = {"fail_above": (-1.0, 1e9), "n": (5, 9)}
    found = run(dataclasses.replace(GRAM, axes=axes), tmp_path / "s").dataset()
    assert (found["status"].sel(fail_above=-1.0) == Status.NOT_FINITE).all()
    assert (found["status"].sel(fail_above=1e9) == Status.OK).all()
    assert np.isnan(found["size"].sel(fail_above=-1.0)).all()
    assert found.attrs["not_finite"] == 8


def test_memory_running_out_halves_what_goes_at_a_time(tmp_path, monkeypatch):
    call = Programs.call
    tried = []

    def small(self, shape, seed, runs, keep=None):
        tried.append(shape.batch)
        if shape.batch > 2:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating")
        return call(self, shape, seed, runs)

    sweep = dataclasses.replace(GRAM, replicates=16)
    plain = run(sweep, tmp_path / "plain", most_runs=16).dataset()
    monkeypatch.setattr(Programs, "call", small)
    store = run(sweep, tmp_path / "halved", most_runs=16)
    assert tried.count(2) == 3
    assert set(tried) == {16, 8, 4, 2}
    np.testing.assert_allclose(store.dataset()["size"], plain["size"], rtol=1e-12)
    assert store.parts.read(store.name(0, 0))[1]["batch"] == 2

    def never(self, shape, seed, runs, keep=None):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating")

    monkeypatch.setattr(Programs, "call", never)
    with pytest.raises(BadInput, match="n = 12: one run does not fit"):
        run(sweep, tmp_path / "never")


def test_other_failures_are_not_taken_for_memory(tmp_path, monkeypatch):
    def broken(self, shape, seed, runs, keep=None):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(Programs, "call", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        run(GRAM, tmp_path / "s")


def test_single_precision_runs_and_says_so(tmp_path):
    jax.config.update("jax_enable_x64", False)  # conftest restores it
    for refused in (lambda: run(GRAM, tmp_path / "s"), lambda: dry_run(GRAM)):
        with pytest.raises(BadInput, match=r"call ci_theory\.enable_float64\(\) first"):
            refused()
    assert not list(tmp_path.iterdir())
    store = run(GRAM, tmp_path / "s", precision="float32")
    found = store.dataset()
    assert found.attrs["dtype"] == "float32"
    assert found.attrs["rounding"].startswith("unknown: float32 cuts the peaks")
    values = found["size"].values
    np.testing.assert_array_equal(values, values.astype(np.float32))
    assert found.attrs["missing"] == 0
    jax.config.update("jax_enable_x64", True)
    with pytest.raises(BadInput, match="float64 is on in this process"):
        run(GRAM, tmp_path / "s", precision="float32")
    with pytest.raises(BadInput, match="float64 is on"):  # also in the process of another engine
        Worker(store)
    with pytest.raises(BadInput, match="expected 'float64' or 'float32'"):
        run(GRAM, tmp_path / "s", precision="half")
    assert "rounding" not in run(GRAM, tmp_path / "double").dataset().attrs


def _alike(measures):
    """Return another record with the same measures."""
    return collections.namedtuple("Alike", vars(measures))(**vars(measures))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda made: jax.tree.map(lambda x: x[0], made),
            r"measure mean has shape \(\), not \(2,\)",
        ),
        (_alike, "'line', .*test_run.py:.*: simulate returns Alike, not Measures"),
    ],
)
def test_what_a_simulation_returns_wrongly_is_named(change, says):
    line = load("sweep_toys.line")
    wrong = dataclasses.replace(line, simulate=lambda *given: change(line.simulate(*given)))
    programs = Programs(
        wrong, jax.devices("cpu"), {"ridge": np.zeros(2), "degree": np.ones(2, int)}
    )
    with pytest.raises(BadInput, match=says):
        programs.cost({"p": 3, "shape": "flat"}, {"n": 4, "up.rows": 4})


class Interrupting(LocalEngine):
    def outcomes(self, jobs, worker):
        yield from super().outcomes(jobs[:2], worker)
        raise KeyboardInterrupt


def test_ctrl_c_leaves_a_store_to_resume_and_says_so(tmp_path):
    folder = tmp_path / "s"
    with pytest.raises(Interrupted, match=r"stopped with 2 of 6 chunks in .*: the same command"):
        run(GRAM, folder, most_runs=2, engine=Interrupting())
    assert Store.open(folder).counts().chunks == 2
    engine = sweep_driver.Counting()
    assert run(GRAM, folder, engine=engine).dataset().attrs["missing"] == 0
    assert engine.states == ("done",) * 4


class Futures:
    """What an engine over a cluster does: jobs one to one on futures, in any order."""

    def outcomes(self, jobs, worker):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            futures = [pool.submit(compute_job, job) for job in reversed(jobs)]
            for future in concurrent.futures.as_completed(futures):
                yield future.result()


def test_another_engine_gives_the_same_parts(tmp_path):
    run(GRAM, tmp_path / "local", most_runs=2)
    run(GRAM, tmp_path / "futures", most_runs=2, engine=Futures())
    one, other = (Store.open(tmp_path / name) for name in ("local", "futures"))
    assert one.parts.names() == other.parts.names()
    assert len(one.parts.names()) == 6
    assert sweep_driver.bits(one) == sweep_driver.bits(other)
    outcome = compute_job(Job(str(tmp_path / "futures"), 0, 0))
    assert outcome.state == "found"


class Losing(LocalEngine):
    """Leaves at the end what a worker that died had half written."""

    def outcomes(self, jobs, worker):
        yield from super().outcomes(jobs, worker)
        for folder in ("parts", "unfinished"):
            (worker.store.folder / folder).mkdir(exist_ok=True)
            name = f"{worker.store.name(0, 0)}.npz.1-0a.tmp"
            (worker.store.folder / folder / name).write_bytes(b"half")


def test_what_a_worker_left_that_died_meanwhile_is_swept_up_at_the_end(tmp_path):
    store = run(GRAM, tmp_path / "s", engine=Losing())
    assert store.counts().chunks == store.counts().all_chunks
    assert not list(tmp_path.glob("s/*/*.tmp"))


def test_dry_run_forecasts_and_writes_nothing(tmp_path):
    told = dry_run(SWEEP, tmp_path / "s", most_runs=8)
    assert list(tmp_path.iterdir()) == []
    plan = make_plan(SWEEP, most_runs=8)
    assert told.cells == math.prod(len(v) for v in SWEEP.axes.values()) == 192
    assert (told.runs, told.bundles, told.chunks) == (96, 4, plan.chunks)
    assert told.memory > 0
    assert 0 < told.seconds < 600
    assert told.done == 0
    text = str(told)
    for word in ("cells", "compilations", "memory per chunk", "estimated time"):
        assert word in text


def test_dry_run_counts_what_is_stored(tmp_path):
    store = run(GRAM, tmp_path / "s", shard=(0, 2), most_runs=2)
    told = dry_run(GRAM, tmp_path / "s")
    assert told.done == store.counts().runs > 0
    run(GRAM, tmp_path / "s")
    told = dry_run(GRAM, tmp_path / "s")
    assert (told.done, told.seconds) == (12, 0.0)
    with pytest.raises(BadInput, match="holds another sweep: its seed is 0, here 1"):
        dry_run(dataclasses.replace(GRAM, seed=1), tmp_path / "s")


def test_dry_runs_of_shards_add_up_to_that_of_the_whole(monkeypatch):
    monkeypatch.setattr(estimate, "_measure", lambda *_: (0.0, 0.0))
    whole, *parts = (
        dry_run(SWEEP, most_runs=8, shard=shard) for shard in (None, (0, 3), (1, 3), (2, 3))
    )
    assert sum(part.runs for part in parts) == whole.runs
    assert sum(part.chunks for part in parts) == whole.chunks
    assert all(0 < part.runs < whole.runs for part in parts)
    assert whole.results == 192 * 3 * (2 * 8 + 1)  # two measures and a status of every replicate


@pytest.mark.parametrize(
    "text", ["", "1", "2/2", "-1/2", "a/b", "0/0", "1/2/3", "\u0661/2", "1/\u0662"]
)
def test_bad_shards_are_told(text):
    with pytest.raises(BadInput, match=r"expected i/n with 0 <= i < n"):
        parse_shard(text)


@pytest.mark.parametrize("resumed", [False, True])
def test_several_devices_share_a_chunk(resumed, tmp_path):
    """From the start, or taking over a store that was planned and half run on one device."""
    sweep = sweep_driver.toy(20)
    one = run(sweep, tmp_path / "one")
    if resumed:
        half = run(sweep, tmp_path / "many", shard=(0, 2), most_runs=10)
        assert half.plans[0].bundles[0].chunk % 3 != 0
    words = [str(HERE / "sweep_driver.py"), str(tmp_path / "many")]
    words += ["--points", "20", "--most-runs", "12"]
    forced = {"XLA_FLAGS": "--xla_force_host_platform_device_count=3", "JAX_PLATFORMS": "cpu"}
    with sweep_driver.python(*words, **forced) as process:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    told = json.loads(out)
    assert told["devices"] == 3
    many = Store.open(tmp_path / "many")
    assert 0 < told["done"] <= many.plans[0].chunks
    assert resumed or many.plans[0].bundles[0].chunk % 3 == 0
    for name in ("mean", "spread"):
        np.testing.assert_allclose(many.dataset()[name], one.dataset()[name], rtol=1e-12)
    assert 3 in [session["devices"] for session in many.sessions()]


def test_amounts_for_people():
    seconds = (0.5, 59, 119, 120, 7199, 7200, 172799, 172800, 864000)
    told = ["0.5 s", "59 s", "120 s", "2 min", "120 min", "2 h", "48 h", "2 d", "10 d"]
    assert [estimate._duration(v) for v in seconds] == told
    count = (0, 999, 1000, 1.5e6, 2e9, 3e12, 4e15)
    told = ["0 B", "999 B", "1 kB", "1.5 MB", "2 GB", "3 TB", "4000 TB"]
    assert [estimate._bytes(v) for v in count] == told


def test_every_chunk_has_a_lock_of_its_own(tmp_path, monkeypatch):
    held = []
    monkeypatch.setattr(fcntl, "lockf", lambda handle, how, size, place: held.append((size, place)))
    locks = Locks(tmp_path / "lock")
    places = [(0, 0), (0, 1), (1, 0), (1, 1), (7, 2**31), PLAN]
    for place in places:
        with locks.hold(*place) as mine:
            assert mine
    locks.close()
    assert held[::2] == held[1::2]  # what is taken is given back
    assert len(set(held)) == len(places)
    assert {size for size, _ in held} == {1}


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_lock_that_another_process_has_is_no_missing_lock(number, tmp_path, monkeypatch):
    """POSIX lets a system say it in either way."""

    def taken(*given):
        raise OSError(number, "taken")

    locks = Locks(tmp_path / "lock")
    monkeypatch.setattr(fcntl, "lockf", taken)
    with locks.hold(0, 0) as mine:
        assert not mine
    assert locks.real
    locks.close()


def test_without_locks_every_chunk_may_be_taken_and_none_is_known_to_be_free(tmp_path, monkeypatch):
    """What another process may be writing must not be swept away."""

    def refused(*given):
        raise OSError(errno.ENOLCK, "No locks available")

    def granted(locks):
        with locks.hold(0, 0) as mine:
            return mine

    locks = Locks(tmp_path / "lock")
    assert locks.free(0, 0)
    monkeypatch.setattr(fcntl, "lockf", refused)
    assert not locks.free(0, 0)  # the file system says so only now
    assert granted(locks)
    assert not locks.free(0, 0)
    locks.close()
    monkeypatch.setattr("ci_theory.sweeps.locks.fcntl", None)  # not a Unix
    none = Locks(tmp_path / "lock")
    assert granted(none)
    assert not none.free(0, 0)
    none.close()
