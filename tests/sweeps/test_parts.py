"""Parts of a store: damaged, foreign, taken away, and computed again."""

import errno
import io
import json
import os
import shutil
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import damage
import jax
import numpy as np
import pytest
import sweep_driver
from stored import GRAM, finished, laid, part_bytes

from ci_theory import BadInput
from ci_theory.sweeps import Store, Sweep, make_plan, run
from ci_theory.sweeps.engines import Job, Worker
from ci_theory.sweeps.parts import Damaged, Parts, write_whole
from ci_theory.sweeps.plans import add_plan
from ci_theory.sweeps.provenance import session_hash, session_of


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("template") / "store")


@pytest.fixture
def folder(template, tmp_path):
    return laid(template, tmp_path / "store")


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


def test_parts_are_equal_bytes_for_equal_content(tmp_path):
    one, other = Parts(tmp_path / "a"), Parts(tmp_path / "b")
    for parts in (one, other):
        parts.folder.mkdir()
        parts.write("x", {"v": np.arange(5.0)}, {"k": 1})
    assert one.path("x").read_bytes() == other.path("x").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda v: {"w": v},
        lambda v: {"v": v.reshape(3, 2)},
        lambda v: {"v": v.view(np.int64)},
        lambda v: {"v": v, "w": v[:0]},
    ],
    ids=["name", "shape", "type", "nothing more"],
)
def test_the_checksum_of_a_part_covers_more_than_its_numbers(change, tmp_path):
    parts = Parts(tmp_path)
    parts.write("x", {"v": np.arange(6.0).reshape(2, 3)}, {"k": 1})
    with np.load(parts.path("x")) as file:
        arrays = dict(file)
    np.savez(parts.path("x"), about=arrays["about"], **change(arrays["v"]))
    with pytest.raises(Damaged, match="is not what was written"):
        parts.read("x")


def test_a_file_that_is_to_be_kept_is_kept(tmp_path, monkeypatch):
    """Also where the file system knows no links."""
    file = tmp_path / "x"
    assert write_whole(file, b"one", keep=True)
    assert not write_whole(file, b"two", keep=True)
    assert file.read_bytes() == b"one"

    def none(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", none)
    assert not write_whole(file, b"two", keep=True)
    assert file.read_bytes() == b"one"
    assert write_whole(tmp_path / "y", b"two", keep=True)
    assert (tmp_path / "y").read_bytes() == b"two"
    assert write_whole(file, b"three")
    assert file.read_bytes() == b"three"
    assert sorted(f.name for f in tmp_path.iterdir()) == ["x", "y"]


LINE = Sweep(phenomenon="sweep_toys.line", axes={"ridge": (0.0, 1.0)}, replicates=2)


def test_one_measure_that_is_not_finite_marks_its_cell(tmp_path):
    """Whichever of the measures it is: a cell is good if all of them are."""
    plan = make_plan(LINE)
    add_plan(tmp_path, 0, plan)
    store = Store.open(tmp_path)
    mean, spread = np.ones((2, 2)), np.ones((2, 2))
    mean[0, 1], spread[1] = np.nan, np.inf
    assert store.write(0, 0, {"mean": mean, "spread": spread}, {}) == 3
    found = store.dataset()
    assert found["status"].transpose("replicate", "ridge").values.tolist() == [[0, 3], [3, 3]]
    assert found.attrs["not_finite"] == store.counts().not_finite == 3


def repacked(file, change, **about):
    arrays, known = damage.unpacked(file.read_bytes())
    file.write_bytes(damage.part(change(arrays), {**known, **about}))


REPACKED = {
    "of another plan": (lambda a: a, {"plan": "0123456789abcdef"}, "is not the part of this plan"),
    "of another chunk": (lambda a: a, {"chunk": 1}, "is not the part of this plan"),
    "of no chunk": (lambda a: a, {"chunk": None}, "is not the part of this plan"),
    "renamed": (lambda a: {"length": a["size"], "status": a["status"]}, {}, "other arrays"),
    "swapped": (lambda a: {"size": a["status"], "status": a["size"]}, {}, "other arrays"),
    "one more": (lambda a: {**a, "more": a["size"]}, {}, "other arrays"),
    "one less": (lambda a: {"size": a["size"]}, {}, "other arrays"),
    "fewer rows": (lambda a: {k: v[:1] for k, v in a.items()}, {}, "other arrays"),
    "turned": (lambda a: {k: v.T for k, v in a.items()}, {}, "other arrays"),
    "other numbers": (lambda a: {**a, "size": a["size"].astype("f4")}, {}, "other arrays"),
    "texts": (lambda a: {**a, "size": a["size"].astype("U")}, {}, "other arrays"),
}


@pytest.mark.parametrize("how", REPACKED)
def test_a_part_is_held_against_its_plan_not_only_against_its_checksum(how, folder):
    change, about, message = REPACKED[how]
    store = Store.open(folder)
    repacked(store.parts.path(store.name(0, 0)), change, **about)
    with pytest.raises(Damaged, match=message):
        store.read(0, 0)
    found = store.dataset()
    assert found.attrs["missing"] == 2
    (line,) = json.loads(found.attrs["damaged"])
    assert store.name(0, 0) in line


@pytest.mark.parametrize("known", [b"[]", b"{}", b"null", b'{"content": 1, "about": [1]}', b"{"])
def test_what_a_part_says_about_itself_is_checked(known, folder):
    store = Store.open(folder)
    arrays, _ = damage.unpacked(store.parts.path(store.name(0, 0)).read_bytes())
    with store.parts.path(store.name(0, 0)).open("wb") as file:
        np.savez(file, about=np.frombuffer(known, np.uint8), **arrays)
    with pytest.raises(Damaged, match="does not load"):
        store.read(0, 0)


def test_a_part_that_would_fill_memory_is_not_unpacked(folder, monkeypatch):
    store = Store.open(folder)
    file = store.parts.path(store.name(0, 0))
    arrays, about = damage.unpacked(file.read_bytes())
    bomb = {**arrays, "size": np.zeros(10**6)}
    file.write_bytes(damage.part(bomb, about, zipfile.ZIP_DEFLATED))
    assert file.stat().st_size < 10**4
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with pytest.raises(Damaged, match=r"bytes claim to hold 80\d{5}"):
        store.read(0, 0)
    file.write_bytes(damage.part(bomb, about))
    with pytest.raises(Damaged, match=r"has 80.* bytes, where at most"):
        store.read(0, 0)


@pytest.mark.parametrize(("function", "what"), [("os.listdir", "parts"), ("read_bytes", ".npz")])
def test_parts_that_cannot_be_read_are_not_taken_for_missing_ones(
    function, what, folder, monkeypatch
):
    place = (os, "listdir") if function == "os.listdir" else (Path, "read_bytes")
    real = getattr(*place)

    def refuse(path):
        if str(path).endswith(what):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(*place, refuse)
    for act in (lambda: Store.open(folder).dataset(), lambda: run(GRAM, folder)):
        with pytest.raises(BadInput, match=rf"{what}: cannot be read: Permission denied"):
            act()


def test_a_file_in_place_of_the_folder_of_parts_is_told(folder):
    shutil.rmtree(folder / "parts")
    (folder / "parts").write_text("")
    for act in (lambda: Store.open(folder), lambda: run(GRAM, folder)):
        with pytest.raises(BadInput, match="parts: cannot be read: Not a directory"):
            act()


def test_a_folder_in_place_of_a_part_is_set_aside(folder, template):
    name = sorted(part_bytes(folder))[0]
    (folder / "parts" / name).unlink()
    (folder / "parts" / name).mkdir()
    assert Store.open(folder).dataset().attrs["missing"] == 2
    assert run(GRAM, folder).dataset().attrs["missing"] == 0
    assert (folder / "parts" / name).read_bytes() == template[Path("parts") / name]


def test_parts_without_their_folder_are_made_again(folder):
    bits = sweep_driver.bits(Store.open(folder))
    shutil.rmtree(folder / "parts")
    assert Store.open(folder).counts().chunks == 0
    assert sweep_driver.bits(run(GRAM, folder)) == bits


def test_every_part_names_the_session_that_made_it(folder):
    store = Store.open(folder)
    (note,) = store.sessions()
    began = datetime.fromisoformat(note.pop("began"))
    assert abs(datetime.now(UTC) - began) < timedelta(hours=1)
    assert note == session_of(jax.devices())
    for place in store.chunks():
        about = store.parts.read(store.name(*place))[1]
        assert about["session"] == session_hash(note)
        assert (folder / f"session-{about['session']}.json").exists()


def test_a_part_repaired_by_another_process_in_between_is_not_set_aside(folder):
    """Seen as damaged, then locked: only what is damaged under the lock is set aside."""
    store = Store.open(folder)
    path = store.parts.path(store.name(0, 0))
    good = path.read_bytes()
    path.write_bytes(b"")
    worker, job = Worker(store), Job(str(folder), 0, 0)
    path.write_bytes(good)
    assert worker.compute(job).state == "found"
    assert worker.compute(job._replace(wait=True)).state == "found"  # made by who held it before
    path.unlink()
    assert worker.compute(job).state == "done"
    path.write_bytes(b"")
    assert worker.compute(job).state == "done"
    worker.locks.close()
    assert len(list((folder / "parts").glob("*.damaged"))) == 1
    assert path.read_bytes() == good


@pytest.mark.parametrize("which", [0, -1])
def test_a_part_of_another_store_is_told_wherever_it_stands_in_the_list(which, folder):
    parts = sorted((folder / "parts").glob("*.npz"))
    assert len(parts) > 1
    number = parts[which].name.rpartition("-")[0]
    foreign = folder / "parts" / f"{number}-{'0f'[which] * 16}.npz"
    parts[which].rename(foreign)
    with pytest.raises(BadInput, match=r"is not a part of plan-000\.json here, but of another"):
        Store.open(folder)
