"""Kill -9 at random moments, then resume: nothing lost, nothing doubled, the same bits.

By default 100 kills hit a light writer of parts and a few hit the whole engine (each costs the
start of a JAX process). CI_THEORY_KILLS=100 makes it a hundred of the latter.
"""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from kill_writer import PARTS, content
from sweep_driver import bits, python, toy

from ci_theory.sweeps import Store, run
from ci_theory.sweeps.parts import Parts

HERE = Path(__file__).parent
KILLS = int(os.environ.get("CI_THEORY_KILLS", "2"))
POINTS = 400
MOST_RUNS = 4
RIDGES = 1000  # inner points: parts of 70 kB, so that kills fall into their writing


def test_a_hundred_kills_of_a_writer_leave_whole_parts(tmp_path):
    folder = tmp_path / "parts"
    command = [sys.executable, str(HERE / "kill_writer.py"), str(folder), "100", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["killed"] == 100
    assert told["halves"] > 5, "the kills never hit a write: the test shows nothing"
    for part in folder.iterdir():  # one, or more where writers were done before their kill
        parts = Parts(part)
        assert sorted(f.name for f in part.iterdir()) == [f"{i:04d}.npz" for i in range(PARTS)]
        for index in range(PARTS):
            arrays, about = parts.read(f"{index:04d}")
            assert about == {"index": index}
            for name, array in content(index).items():
                np.testing.assert_array_equal(arrays[name], array)


def parts_of(folder):
    return sorted(f.name for f in (folder / "parts").iterdir())


def driven(folder, points=POINTS, **variables):
    words = [str(HERE / "sweep_driver.py"), str(folder), "--points", str(points)]
    words += ["--most-runs", str(MOST_RUNS), "--ridges", str(RIDGES)]
    return python(*words, **variables)


def answer(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


def until_written(process, folder, count=0, latest=math.inf):
    """Wait until a process has written more than so many files, or ended, or a time is over."""
    parts, begun = folder / "parts", time.monotonic()
    while process.poll() is None and time.monotonic() - begun < latest:
        if parts.exists() and len(os.listdir(parts)) > count:
            return
        time.sleep(0.002)


@pytest.mark.timeout(max(300, 30 * KILLS))
def test_a_killed_sweep_resumes_to_the_same_bits(tmp_path):
    """The moments are random: from the start of the process until some chunks are written."""
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}
    cache["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    begun = time.monotonic()
    with driven(whole, **cache) as process:
        until_written(process, whole)
        starting = time.monotonic() - begun
        told = answer(process)
    assert told["done"] == told["chunks"]

    moments = random.Random(5)
    kills = writes = sweeps = halves = 0
    seen: set[str] = set()
    while kills < KILLS:
        # a third while the process starts, plans or compiles, the others while it writes
        early = kills % 3 == 0
        latest = moments.uniform(0, starting) if early else math.inf
        with driven(folder, **cache) as process:
            until_written(process, folder, len(seen) + halves, latest)
            time.sleep(0 if early else moments.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=60)
        parts = Parts(folder / "parts")
        there = set(parts.names())
        assert there >= seen
        for name in there - seen:
            parts.read(name)  # raises if a kill left something torn under a final name
        seen, halves = there, len(list(parts.folder.glob("*.tmp")))
        if process.returncode == 0:  # it was done before its kill: check it, and take a new one
            assert_same(folder, whole)
            sweeps += 1
            folder, seen, halves = tmp_path / f"killed-{sweeps}", set(), 0
            continue
        assert process.returncode == -signal.SIGKILL
        kills += 1
        writes += halves > 0

    print(f"{kills} kills, {writes} of them in a write; {sweeps + 1} sweeps")
    with driven(folder, **cache) as process:
        resumed = answer(process)
    assert resumed["done"] == told["chunks"] - len(seen)  # nothing lost, nothing done twice
    assert_same(folder, whole)


def assert_same(folder, whole):
    assert parts_of(folder) == parts_of(whole)
    assert bits(Store.open(folder)) == bits(Store.open(whole))


def test_ctrl_c_says_how_to_go_on(tmp_path):
    folder = tmp_path / "s"
    with driven(folder, 600) as process:
        until_written(process, folder)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (line,) = err.strip().splitlines()
    assert line.startswith("stopped with ")
    assert line.endswith("the same command continues")
    counts = Store.open(folder).counts()
    assert f"stopped with {counts.chunks} of {counts.all_chunks} chunks" in line
    assert 0 < counts.chunks < counts.all_chunks


def test_two_processes_share_one_store(tmp_path):
    """Started together on an empty folder: one plan, every chunk computed by one of them."""
    folder, points = tmp_path / "both", 150
    with driven(folder, points) as one, driven(folder, points) as other:
        told = [answer(process) for process in (one, other)]
    assert told[0]["done"] + told[1]["done"] == told[0]["chunks"]
    assert [f.name for f in folder.glob("plan-*")] == ["plan-000.json"]
    one_alone = run(toy(points, ridges=RIDGES), tmp_path / "one", most_runs=MOST_RUNS)
    assert parts_of(folder) == parts_of(tmp_path / "one")
    assert bits(Store.open(folder)) == bits(one_alone)
