import concurrent.futures
import dataclasses
import errno
import io
import json
import os
import time

import damage
import jax
import numpy as np
import pytest
import sweep_driver

from ci_theory import BadInput
from ci_theory.sweeps import Store, Sweep, run
from ci_theory.sweeps.claims import Claims
from ci_theory.sweeps.engines import Worker
from ci_theory.sweeps.parts import Damaged, Parts
from ci_theory.sweeps.plan import FORMAT

GRAM = Sweep(phenomenon="sweep_toys.gram", axes={"n": (5, 9, 12)}, replicates=4)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A finished store as bytes, so that each test damages its own copy."""
    folder = tmp_path_factory.mktemp("template") / "store"
    run(GRAM, folder, most_runs=2)
    return {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def folder(template, tmp_path):
    made = tmp_path / "store"
    (made / "parts").mkdir(parents=True)
    for name, data in template.items():
        (made / name).write_bytes(data)
    return made


def part_bytes(folder):
    return {f.name: f.read_bytes() for f in (folder / "parts").iterdir()}


def flip(data):
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    return bytes(changed)


def swap_numbers(data):
    """An archive that loads and whose zip checksums hold, with another number in it."""
    with np.load(io.BytesIO(data)) as file:
        arrays = {k: file[k].copy() for k in file.files}
    arrays["size"][0] += 1
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


DAMAGE = {
    "empty": lambda data: b"",
    "torn": lambda data: data[: len(data) // 2],
    "one bit": flip,
    "other content": swap_numbers,
    "not an archive": lambda data: b"hello",
    "a pickle": lambda data: b"\x80\x04N.",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_part_is_noticed_set_aside_and_computed_again(damage, folder, template):
    bits = sweep_driver.bits(Store.open(folder))
    before = part_bytes(folder)
    name = sorted(before)[2]
    (folder / "parts" / name).write_bytes(DAMAGE[damage](before[name]))

    store = Store.open(folder)
    assert store.dataset().attrs["missing"] == 2
    assert store.counts().chunks == 5
    engine = sweep_driver.Counting()
    assert sweep_driver.bits(run(GRAM, folder, engine=engine)) == bits
    assert engine.states == ("done",)
    after = part_bytes(folder)
    assert {k for k in after if k.endswith(".npz")} == set(before)
    (aside,) = (k for k in after if k not in before)
    assert aside.startswith(name)
    assert aside.endswith(".damaged")


def test_a_part_of_another_chunk_is_not_taken_for_this_one(folder):
    names = sorted(part_bytes(folder))
    (folder / "parts" / names[0]).write_bytes((folder / "parts" / names[5]).read_bytes())
    store = Store.open(folder)
    with pytest.raises(Damaged):
        store.read(0, 0)
    assert store.dataset().attrs["missing"] == 2


def test_left_over_temporary_files_are_swept_unless_their_writer_lives(folder):
    names = sorted(part_bytes(folder))
    for name in names[:2]:
        (folder / "parts" / f"{name}.1-ab.tmp").write_bytes(b"half")
    (folder / "parts" / "x.tmp").write_bytes(b"")  # of a program that we do not know
    code = (
        "import sys\nfrom pathlib import Path\nfrom ci_theory.sweeps.claims import Claims\n"
        f"claims = Claims(Path({str(folder / 'lock')!r}))\n"
        "with claims.claim(0, 1) as mine:\n"
        "    print(mine, flush=True)\n    sys.stdin.read()\n"
    )
    with sweep_driver.python("-c", code) as other:
        assert other.stdout.readline().strip() == "True"
        (folder / "parts" / names[5]).unlink()  # a complete store is left alone
        run(GRAM, folder)
        left = [f.name for f in (folder / "parts").glob("0*.tmp")]
        assert left == [f"{names[1]}.1-ab.tmp"]
        with Claims(folder / "lock").claim(0, 1) as mine:
            assert not mine
    (folder / "parts" / names[5]).unlink()
    run(GRAM, folder)
    assert [f.name for f in (folder / "parts").glob("*.tmp")] == ["x.tmp"]


def test_a_session_is_noted_only_while_nobody_adds_a_plan(folder):
    """Who adds a plan deletes half-written files of the dead: none may be of the living then."""
    for file in folder.glob("session-*.json"):
        file.unlink()
    code = (
        "import sys\nfrom pathlib import Path\nfrom ci_theory.sweeps.claims import PLAN, Claims\n"
        f"claims = Claims(Path({str(folder / 'lock')!r}))\n"
        "with claims.claim(*PLAN) as mine:\n"
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
        made.result(timeout=60).claims.close()
    assert len(list(folder.glob("session-*.json"))) == 1


CHANGES = [
    ({"seed": 1}, "its seed is 0, here 1"),
    ({"axes": {"n": (5, 9)}}, r"its axis n has other values \(3 there, 2 here\)"),
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


def test_another_package_version_is_refused_for_running_and_opens_for_reading(folder, monkeypatch):
    monkeypatch.setattr("ci_theory.__version__", "9.9.9")
    with pytest.raises(BadInput, match=r"its package version is .*, here it is 9\.9\.9"):
        run(GRAM, folder)
    assert Store.open(folder).dataset().attrs["missing"] == 0


def test_another_precision_is_refused(folder):
    jax.config.update("jax_enable_x64", False)  # conftest restores it
    with pytest.raises(BadInput, match="its dtype is float64, here it is float32"):
        run(GRAM, folder)


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
        (json.dumps({"format": FORMAT + 1}), f"format {FORMAT + 1}, this version reads {FORMAT}"),
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


def test_a_plan_that_this_version_would_group_otherwise_is_told(folder):
    groups = json.loads((folder / "plan-000.json").read_text())["groups"]
    edit(folder, groups=[{**groups[0], "cells": 2}])
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


def test_parts_are_equal_bytes_for_equal_content(tmp_path):
    one, other = Parts(tmp_path / "a"), Parts(tmp_path / "b")
    for parts in (one, other):
        parts.folder.mkdir()
        parts.write("x", {"v": np.arange(5.0)}, {"k": 1})
    assert one.path("x").read_bytes() == other.path("x").read_bytes()
