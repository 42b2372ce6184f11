"""A store: what may run into it, what is told of it, and who else is at it."""

import concurrent.futures
import contextlib
import dataclasses
import errno
import json
import os
import shutil
import time

import damage
import jax
import pytest
import sweep_driver
from stored import GRAM, finished, laid, part_bytes

from ci_theory import BadInput
from ci_theory.sweeps import Store, Sweep, make_plan, run
from ci_theory.sweeps.engines import Worker
from ci_theory.sweeps.growth import difference
from ci_theory.sweeps.locks import Locks
from ci_theory.sweeps.parts import Parts
from ci_theory.sweeps.plan import FORMAT, GROWN
from ci_theory.sweeps.plans import add_plan
from ci_theory.sweeps.provenance import session_of


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("template") / "store")


@pytest.fixture
def folder(template, tmp_path):
    return laid(template, tmp_path / "store")


def test_left_over_temporary_files_are_swept_unless_their_writer_lives(folder):
    names = sorted(part_bytes(folder))
    for name in names[:2]:
        (folder / "parts" / f"{name}.1-ab.tmp").write_bytes(b"half")
    (folder / "parts" / "x.tmp").write_bytes(b"")  # of a program that we do not know
    code = (
        "import sys\nfrom pathlib import Path\nfrom ci_theory.sweeps.locks import Locks\n"
        f"locks = Locks(Path({str(folder / 'lock')!r}))\n"
        "with locks.hold(0, 1) as mine:\n"
        "    print(mine, flush=True)\n    sys.stdin.read()\n"
    )
    with sweep_driver.python("-c", code) as other:
        assert other.stdout.readline().strip() == "True"
        (folder / "parts" / names[5]).unlink()  # a complete store is left alone
        run(GRAM, folder)
        left = [f.name for f in (folder / "parts").glob("0*.tmp")]
        assert left == [f"{names[1]}.1-ab.tmp"]
        with Locks(folder / "lock").hold(0, 1) as mine:
            assert not mine
    (folder / "parts" / names[5]).unlink()
    run(GRAM, folder)
    assert [f.name for f in (folder / "parts").glob("*.tmp")] == ["x.tmp"]


def test_a_session_is_noted_only_while_nobody_adds_a_plan(folder):
    """Who adds a plan deletes half-written files of the dead: none may be of the living then."""
    for file in folder.glob("session-*.json"):
        file.unlink()
    code = (
        "import sys\nfrom pathlib import Path\nfrom ci_theory.sweeps.locks import PLAN, Locks\n"
        f"locks = Locks(Path({str(folder / 'lock')!r}))\n"
        "with locks.hold(*PLAN) as mine:\n"
        "    print(mine, flush=True)\n    sys.stdin.readline()\n"
    )
    with (
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        sweep_driver.python("-c", code) as other,
    ):
        assert other.stdout.readline().strip() == "True"
        made = pool.submit(Worker, Store.open(folder))
        time.sleep(0.5)
        assert list(folder.glob("session-*")) == []
        other.stdin.write("\n")
        other.stdin.flush()
        made.result(timeout=60).locks.close()
    assert len(list(folder.glob("session-*.json"))) == 1


CHANGES = [
    ({"seed": 1}, "its seed is 0, here 1"),
    ({"axes": {"n": (5, 9)}}, "its axis n has the value 12, which is missing here"),
    ({"axes": {"n": (12, 9, 5)}}, "its axis n has these values in another order"),
    ({"axes": {"fail_above": (1.0,)}}, "its axes are n, here fail_above"),
    (
        {"fixed": {"fail_above": 2.0}},
        "it was run with fail_above = 1000000000.0, here fail_above = 2.0",
    ),
    ({"paired": ("n",)}, r"its paired is \[\], here \['n'\]"),
    ({"phenomenon": "sweep_toys.line"}, "its simulation source is .*, here it is"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_another_sweep_is_refused(change, message, folder):
    before = part_bytes(folder)
    with pytest.raises(BadInput, match="holds another sweep: " + message):
        run(dataclasses.replace(GRAM, **change), folder)
    assert part_bytes(folder) == before


def test_axes_in_another_order_are_another_sweep():
    axes = {"n": (5, 9), "fail_above": (1.0, 2.0)}
    sweep = Sweep(phenomenon="sweep_toys.gram", axes=axes, replicates=2)
    plan = make_plan(sweep)
    turned = dataclasses.replace(sweep, axes=dict(reversed(axes.items())))
    said = "its axes are n, fail_above, here fail_above, n"
    assert difference(plan, turned, plan.identity) == said
    assert difference(plan, sweep, plan.identity) is None


def test_replicates_of_a_later_plan_are_not_run_unasked(folder):
    more = dataclasses.replace(GRAM, replicates=6)
    add_plan(folder, 1, make_plan(more, start=4, previous=Store.open(folder).plans[0].hash))
    before = part_bytes(folder)
    run(GRAM, folder)
    assert part_bytes(folder) == before


def test_another_package_version_is_refused_for_running_and_opens_for_reading(folder, monkeypatch):
    monkeypatch.setattr("ci_theory.__version__", "9.9.9")
    with pytest.raises(BadInput, match=r"its package version is .*, here it is 9\.9\.9"):
        run(GRAM, folder)
    assert Store.open(folder).dataset().attrs["missing"] == 0


def test_another_precision_is_refused(folder):
    jax.config.update("jax_enable_x64", False)  # conftest restores it
    with pytest.raises(BadInput, match="its dtype is float64, here it is float32"):
        run(GRAM, folder, precision="float32")


def edit(folder, **changes):
    """Change values of the plan, and sign it."""
    file = folder / "plan-000.json"
    file.write_bytes(damage.edited(file.read_bytes(), **changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a plan"),
        ("{}", "is not a plan"),
        ("[1]", "is not a plan"),
        ("\udcff", "is not a plan"),
        (json.dumps({"format": GROWN + 1}), f"format {GROWN + 1}, this version reads {FORMAT}"),
        (json.dumps({"format": FORMAT}), "is damaged"),
    ],
)
def test_unreadable_plans_are_told(text, message, folder):
    (folder / "plan-000.json").write_bytes(text.encode(errors="surrogateescape"))
    for act in (lambda: Store.open(folder), lambda: run(GRAM, folder)):
        with pytest.raises(BadInput) as told:
            act()
        assert message in str(told.value).replace("reads format", "reads")
        assert "\n" not in str(told.value)


def test_a_plan_that_this_version_would_bundle_otherwise_is_told(folder):
    bundles = json.loads((folder / "plan-000.json").read_text())["groups"]
    edit(folder, groups=[{**bundles[0], "cells": 2}])
    with pytest.raises(BadInput, match=r"store of version .* cannot be read"):
        Store.open(folder)


def test_folders_that_are_no_store_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    cases = {
        tmp_path: r"is not a store \(it holds empty\)",
        tmp_path / "notes.txt": "is a file",
        tmp_path / "empty": "is empty",
        tmp_path / "none": "does not exist",
    }
    for path, message in cases.items():
        with pytest.raises(BadInput, match=message):
            Store.open(path)
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(BadInput):
            run(GRAM, path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["empty", "notes.txt"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be"):
        run(GRAM, tmp_path / "file" / "store")
    with pytest.raises(BadInput, match="/proc/none: cannot be made"):
        run(GRAM, "/proc/none")


def test_no_permission_is_told(tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(BadInput, match="cannot be made: Permission denied"):
        run(GRAM, tmp_path / "s")


def test_a_full_disk_is_told_and_leaves_a_store_to_resume(tmp_path, monkeypatch):
    flush, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 9:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"No space left on device; .* continues from there"):
        run(GRAM, tmp_path / "s", most_runs=2)
    monkeypatch.undo()
    counts = Store.open(tmp_path / "s").counts()
    assert 0 < counts.chunks < 6
    assert list((tmp_path / "s").rglob("*.tmp")) == []
    assert run(GRAM, tmp_path / "s").dataset().attrs["missing"] == 0


def test_a_complete_store_needs_no_writing(folder, monkeypatch):
    """A medium that cannot be written, or another's store: all of it is there."""
    (folder / "lock").unlink()

    def refuse(*_, **__):
        raise AssertionError("something is written")

    before = damage.read(folder)
    for name in ("os.open", "os.replace", "os.link", "os.unlink", "os.mkdir"):
        monkeypatch.setattr(name, refuse)
    assert run(GRAM, folder).dataset().attrs["missing"] == 0
    monkeypatch.undo()
    assert damage.read(folder) == before


def test_a_torn_session_is_left_out_and_set_aside_by_the_next_run(folder, capfd):
    (file,) = folder.glob("session-*.json")
    text = file.read_text()
    for torn in (text[:40], "", "[1]", "{}", text.replace("jaxlib", "jaxlab"), "null"):
        file.write_text(torn)
        store = Store.open(folder)
        assert store.sessions() == []
        found = store.dataset()
        assert (found.attrs["missing"], found.attrs["sessions"]) == (0, "[]")
        assert json.loads(found.attrs["damaged"]) == [f"{file}: is not what was written"]
    sorted((folder / "parts").iterdir())[0].unlink()
    assert run(GRAM, folder).dataset().attrs["damaged"] == "[]"
    (aside,) = folder.glob("session-*.damaged")
    told = capfd.readouterr().err
    assert told == f"ci-theory: a damaged note of a session was set aside: {aside}\n"
    (note,) = Store.open(folder).sessions()
    assert note == {**json.loads(text), "began": note["began"]}


def test_damage_and_other_libraries_are_told_where_nobody_watches(folder, capfd, monkeypatch):
    names = sorted(part_bytes(folder))
    for name in names[:2]:
        (folder / "parts" / name).write_bytes(b"")
    other = {**session_of(jax.devices()), "jaxlib": "0.0"}
    monkeypatch.setattr("ci_theory.sweeps.engines.session_of", lambda _: other)
    run(GRAM, folder)
    first, second = capfd.readouterr().err.splitlines()
    assert first.startswith("ci-theory: continued under other libraries or devices")
    assert second == "ci-theory: damaged chunks, set aside and computed again: 2"


def test_what_others_take_away_in_between_is_no_failure(folder, monkeypatch):
    """Files that were listed and are gone when they are read, set aside or deleted."""
    store = Store.open(folder)
    names = store.parts.names()
    store.parts.path(names[0]).unlink()
    monkeypatch.setattr(Parts, "names", lambda self: names)
    assert store.dataset().attrs["missing"] == 2
    assert store.parts.set_aside(names[0]) is None
    half = f"{names[1]}.npz.1-0a.tmp"
    monkeypatch.setattr(Parts, "_listed", lambda self: [half])
    assert store.parts.sweep_leftovers() == 0
    assert run(GRAM, folder).parts.has(names[0])


RESUME = """
import sys
import jax
import numpy as np
from ci_theory.sweeps import Sweep, run
from ci_theory.sweeps.program import Programs
jax.config.update("jax_enable_x64", True)
Programs.call = lambda self, shape, *_: {"size": np.ones((shape.chunk, 1))}
for line in sys.stdin:
    run(Sweep(phenomenon="sweep_toys.gram", axes={"n": (5, 9, 12)}, replicates=4), line.strip())
    print("done", flush=True)
"""


def test_several_processes_resume_a_damaged_store(folder, tmp_path):
    """They race on a dozen copies, in each of which every process finds the same damage."""
    names = sorted(part_bytes(folder))
    for name in names[:5]:
        (folder / "parts" / name).write_bytes(b"torn")
    next(folder.glob("session-*.json")).write_text("{")
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(sweep_driver.python("-c", RESUME)) for _ in range(3)]
        for index in range(12):
            copy = shutil.copytree(folder, tmp_path / f"copy-{index}")
            for process in several:
                process.stdin.write(f"{copy}\n")
                process.stdin.flush()
            for process in several:
                assert process.stdout.readline() == "done\n", process.communicate()[1]
            store = Store.open(copy)
            assert store.counts().chunks == 6
            assert len(list((copy / "parts").glob("*.damaged"))) == 5
            assert len(store.sessions()) == 1
        for process in several:
            process.stdin.close()
            process.stdin = None
