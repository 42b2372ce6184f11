"""Simulations in stages: left anywhere, taken up again, the same bits; a kill costs a stage."""

import dataclasses
import json
import signal
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from sweep_driver import bits, python

from ci_theory.sweeps import Store, Sweep, dry_run, make_plan, run, staged
from ci_theory.sweeps.engines import Job, Worker
from ci_theory.sweeps.parts import Parts

HERE = Path(__file__).parent


def walk(last=3000, rates=(3.7, 3.8, 3.9), replicates=4):
    steps = (0, 1, 50, last // 2, last)
    return Sweep(
        phenomenon="sweep_toys.walk",
        axes={"rate": rates, "step": steps},
        replicates=replicates,
        seed=1,
    )


def states(folder):
    return sorted((folder / "unfinished").glob("*.npz"))


class Leaving(threading.Event):
    """An event that is set once it has been asked so many times."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def is_set(self):
        self.left -= 1
        return self.left < 0


def kept(folder, after, about=None):
    return staged.Kept(folder, "000-000000-x", {"plan": "x", **(about or {})}, Leaving(after))


def test_left_and_taken_up_anywhere_the_bits_are_those_of_one_go(tmp_path):
    from ci_theory.phenomena import load
    from ci_theory.sweeps.program import Programs, devices_of

    plan = make_plan(walk(), device="cpu")
    programs = Programs(load(plan.sweep.phenomenon), devices_of("cpu"), plan.inner)
    chunk = plan.chunk(0)
    call = (chunk.bundle.shape, 1, plan.arguments(chunk))
    whole = programs.call(*call)["place"]
    stops = 0
    for after in (0, 1, 0, 3, 2):
        keep = kept(tmp_path / "u", after)
        with pytest.raises(staged.Stopped):
            programs.call(*call, keep)
        step, leaves = keep.read()
        assert 0 < step < 3000
        assert len(leaves) == 2
        stops += 1
    again = programs.call(*call, kept(tmp_path / "u", 10**9))["place"]
    assert stops == 5
    assert again.tobytes() == whole.tobytes()
    assert np.ptp(again[:, -1]) > 0.1  # chaos: runs that began apart are not at one place


def test_a_state_of_other_surroundings_or_a_damaged_one_is_not_used(tmp_path):
    keep = kept(tmp_path / "u", 9, {"batch": 4})
    assert keep.read() is None
    keep.write(7, [np.arange(3.0), np.array(2)])
    step, leaves = keep.read()
    assert (step, len(leaves)) == (7, 2)
    np.testing.assert_array_equal(leaves[0], np.arange(3.0))
    assert kept(tmp_path / "u", 9, {"batch": 2}).read() is None
    assert keep.read(room=-(2**16)) is None
    (file,) = (tmp_path / "u").glob("*.npz")
    file.write_bytes(file.read_bytes()[:-40])
    assert keep.read() is None
    keep.drop()
    assert list((tmp_path / "u").iterdir()) == []


def test_a_state_of_another_chunk_plan_batch_or_session_is_not_used(tmp_path):
    """A state is copied to the name of another chunk: it is found under its own name only."""
    store = run(walk(replicates=2), tmp_path / "s", most_runs=4)
    assert store.plans[0].chunks > 1
    worker, plan = Worker(store), store.plans[0]
    one, other = (worker._kept(Job(str(store.folder), 0, c), plan, 4) for c in (0, 1))
    one.write(7, [np.arange(3.0)])
    assert one.read()[0] == 7
    names = [store.parts.path(store.name(0, c)).name for c in (0, 1)]
    states = store.folder / "unfinished"
    (states / names[1]).write_bytes((states / names[0]).read_bytes())
    assert other.read() is None
    job, elsewhere = Job(str(store.folder), 0, 0), dataclasses.replace(plan, previous="x")
    assert worker._kept(job, elsewhere, 4).read() is None
    assert worker._kept(job, plan, 2).read() is None
    assert worker._kept(job, plan, 4).read()[0] == 7
    worker._session = "of other libraries"
    assert worker._kept(job, plan, 4).read() is None
    worker.locks.close()


class Found(NamedTuple):
    """A checkpoint that has some state, kept at some step."""

    step: int
    leaves: list
    stopping: bool = False

    def read(self, room):
        assert room > sum(leaf.nbytes for leaf in self.leaves)
        return self.step, self.leaves

    def write(self, step, leaves):
        raise AssertionError("nothing is kept in so short a run")


@pytest.mark.parametrize(
    ("step", "leaves", "found"),
    [
        (4, [np.full(2, 100.0)], 106.0),
        (-5, [np.full(2, 100.0)], 10.0),
        (0, [np.full(2, 100.0)], 10.0),
        (10, [np.full(2, 100.0)], 10.0),
        (10**9, [np.full(2, 100.0)], 10.0),
        (4, [np.full(3, 100.0)], 10.0),
        (4, [np.full(2, 100)], 10.0),
        (4, [np.full(2, 100.0)] * 2, 10.0),
        (4, [], 10.0),
    ],
)
def test_a_state_that_cannot_be_is_not_gone_on_from(step, leaves, found):
    """From step 10 of 10, say, the run would be over before it began."""
    programs = staged.Staged(
        begin=lambda shared, runs: np.zeros(2),
        advance=lambda shared, pair: pair[1] + (shared[-1] - shared[-2]),
        finish=lambda shared, pair: pair[1],
    )
    made = staged.run_stages(programs, (), {}, 10, Found(step, leaves))
    assert made.tolist() == [found, found]


LONG = 50_000_000  # a second or so, in stages of 20 ms: kills fall well inside


def driven(folder):
    words = [str(HERE / "staged_driver.py"), str(folder), str(LONG)]
    return python(*words)


def until(condition, seconds=60):
    begun = time.monotonic()
    while not condition() and time.monotonic() - begun < seconds:
        time.sleep(0.01)
    assert condition()


def test_killed_and_stopped_in_the_middle_of_a_run_it_resumes(tmp_path):
    folder = tmp_path / "s"
    steps = [0]
    for sign, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        with driven(folder) as process:
            until(lambda: reached(folder) > steps[-1])
            process.send_signal(sign)
            _, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert not list((folder / "parts").glob("*.npz"))
        steps.append(reached(folder))
    assert 0 < steps[1] < steps[2] < LONG
    assert "the same command continues" in err

    # the rest of the way by another layout of stages, against an uninterrupted run
    done = run(long_walk(), folder)
    assert not states(folder)
    assert bits(done) == bits(run(long_walk(), tmp_path / "whole"))


def reached(folder):
    """Return the step of the kept state; 0 if there is none yet."""
    parts = Parts(folder / "unfinished")
    return max((parts.read(name)[1]["step"] for name in parts.names()), default=0)


def long_walk():
    return walk(last=LONG, rates=(3.9,), replicates=2)


def test_a_dry_run_of_a_long_simulation_is_short(tmp_path):
    begun = time.monotonic()
    rates = tuple(3.5 + i / 1000 for i in range(256))  # many: a quick machine needs minutes too
    forecast = dry_run(walk(last=2_000_000_000, rates=rates, replicates=2))
    assert time.monotonic() - begun < 30
    assert forecast.seconds > 60, forecast
    assert Store.find(tmp_path / "s") is None


def test_the_layout_knows_how_long_a_run_is():
    """Chunks hold fewer runs of a long simulation, so that progress shows and little is lost."""
    short, long = (make_plan(walk(last=n, replicates=500), device="cpu") for n in (1000, 10**8))
    assert long.chunks > 4 * short.chunks
    assert json.dumps(long.to_json())
