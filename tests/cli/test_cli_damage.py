"""Stores damaged as people met it: one line, or a store that is whole again and says so."""

import json
import shutil
import sys

import pytest
import toys.mean  # noqa: F401 - files may name what has been imported

from ci_theory.cli import main
from ci_theory.sweeps import Store
from ci_theory.sweeps.plan import digest

SWEEP = """
phenomenon = "toys.mean"
replicates = 2

[axes]
n = [4, 9]
noise = [0.5, 1.0]

[fixed]
d = 4
"""
AGAIN = ["run", "toy.toml", "--store", "store", "--replicates"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a sweep file and its store, of two plans; and the numbers in the store."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("damage")
        patch.chdir(folder)
        (folder / "toy.toml").write_text(SWEEP)
        assert main([*AGAIN, "2"]) == main([*AGAIN, "3"]) == 0
        return folder, Store.open("store").dataset()


@pytest.fixture
def store(made, tmp_path, monkeypatch):
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "store"


def edit(file, change):
    """Change what a plan says, with a checksum that fits."""
    content = json.loads(file.read_text())
    change(content)
    del content["checksum"]
    file.write_text(json.dumps({"checksum": digest(content), **content}))


def digit(store):
    file = store / "plan-001.json"
    file.write_text(file.read_text().replace("0.5", "0.6", 1))


def second_first_plan(store):
    shutil.copy(store / "plan-000.json", store / "plan-old.json")


def null(store):
    edit(store / "plan-000.json", lambda plan: plan["groups"][0].update(chunk=None))


def module_of_others(store):
    for file in (store / "plan-001.json", *(store / "parts").iterdir()):
        file.unlink()
    edit(store / "plan-000.json", lambda plan: plan["sweep"].update(phenomenon="venv.__main__"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (digit, "plan-001.json is damaged: its content is not what was written"),
        (second_first_plan, "plan-old.json is not a plan of this store"),
        (null, "groups[0].chunk = null: expected a whole number"),
        (module_of_others, "add --allow venv.__main__"),
    ],
)
def test_what_cannot_be_trusted_is_refused_in_one_line(damage, says, store, capsys):
    damage(store)
    before = {file: file.stat().st_mtime_ns for file in store.rglob("*")}
    for words in (["check", "store"], ["locate", "store"], [*AGAIN, "5"], [*AGAIN, "3"]):
        capsys.readouterr()
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n"), err[:11]) == ("", 1, "ci-theory: ")
        another = words[0] == "run" and damage is module_of_others
        assert ("holds another sweep" if another else says) in err
    assert {file: file.stat().st_mtime_ns for file in store.rglob("*")} == before
    assert "venv.__main__" not in sys.modules


def torn_session(store):
    for file in store.glob("session-*.json"):
        file.write_text(file.read_text()[:40])


def stray(store):
    (store / "parts" / "x.tmp").write_bytes(b"")


@pytest.mark.parametrize(("damage", "told"), [(torn_session, "session"), (stray, "")])
def test_what_is_beside_the_numbers_does_not_take_them_away(damage, told, made, store, capsys):
    damage(store)
    for words in (["check", "store"], [*AGAIN, "3"], [*AGAIN, "4"], ["check", "store"]):
        assert main(words) == (3 if words[0] == "check" else 0)  # too few runs to judge
    lines = capsys.readouterr().err.splitlines()
    assert bool(lines) is bool(told)
    assert all(line.startswith("ci-theory: ") and told in line for line in lines)
    found = Store.open(store).dataset().isel(replicate=slice(3))
    assert (found["error"] == made[1]["error"]).all()


@pytest.mark.parametrize("words", [["check", "store"], ["locate", "store", "--json"]])
def test_a_damaged_part_is_told_and_left_out(words, store, capsys):
    part = min((store / "parts").iterdir())
    part.write_bytes(part.read_bytes()[:-40])
    assert main(words) == 3
    told, missing = capsys.readouterr().err.splitlines()
    assert told.startswith(f"ci-theory: store/parts/{part.name}: ")
    assert told.endswith(": left out")
    assert missing.endswith("values not simulated yet")


def test_claims_say_nothing_of_other_stores_before_they_refuse_one(store, capsys):
    shutil.copytree(store, store.parent / "z")
    torn_session(store)
    digit(store.parent / "z")
    assert main(["claims", "--results", "."]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "plan-001.json is damaged" in err
