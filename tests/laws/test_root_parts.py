"""What all modules rest on: statuses, nearly right names, files that come along, tables."""

import dataclasses
import hashlib
import json
import os
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from ci_theory import _cache, _shipped, _shown, answers
from ci_theory._errors import MESSAGES, BadInput, Status, printable, unknown, worst
from ci_theory.claims import CLAIMS, Claim, _claims, planned

# --- outcomes and mistakes ------------------------------------------------------------------------


def test_statuses_have_the_numbers_that_stores_hold():
    names = ["OK", "OUT_OF_SCOPE", "NOT_CONVERGED", "NOT_FINITE", "NO_BREAK", "AT_EDGE", "CENSORED"]
    assert [(s.name, int(s)) for s in Status] == list(zip(names, range(7), strict=True))
    assert list(MESSAGES) == list(Status)
    assert len(set(MESSAGES.values())) == 7
    assert worst([]) is Status.OK
    assert worst(np.array([1, 3, 2])) is Status.NOT_FINITE


@pytest.mark.parametrize(
    ("name", "known", "told"),
    [
        ("re", ["repeats"], "(known: repeats)"),  # two letters begin nothing
        ("rep", ["repeats"], "did you mean 'repeats'?"),
        ("rid", ["ridge", "n"], "did you mean 'ridge'?"),
        ("RID", ["ridge", "n"], "did you mean 'ridge'?"),
        ("noise", ["up.noise", "n"], "did you mean 'up.noise'?"),
        ("zzzzz", ["ridge"], "(known: ridge)"),
        ("ab", ["abcdef"], "did you mean 'abcdef'?"),
        ("ab", ["abcdefg"], "(known: abcdefg)"),
    ],
)
def test_the_nearest_name_is_meant(name, known, told):
    line = str(unknown("axis", name, known, where="here"))
    assert line.startswith(f"unknown axis '{name}' in here")
    assert line.endswith(f"(known: {', '.join(sorted(known))})")
    assert told in line
    assert ("did you mean" in line) == ("did you mean" in told)


def test_a_line_is_printable():
    assert printable("a\tb\x00\u202e é") == "a\\tb\\x00\\u202e é"
    assert printable(3.5) == "3.5"


# --- what comes with the package ------------------------------------------------------------------


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Two folders of experiments, of which the first counts first; and a folder of the user's."""
    package = tmp_path / "site" / "ci_theory"
    for folder, names in ((package / "experiments", "ab"), (tmp_path / "experiments", "bc")):
        folder.mkdir(parents=True)
        for name in (*names, "_hidden"):
            (folder / f"{name}.toml").write_text("")
        (folder / "note.txt").write_text("")
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(_shipped.ci_theory, "__file__", str(package / "__init__.py"))
    here = tmp_path / "here"
    (here / "experiments").mkdir(parents=True)
    monkeypatch.chdir(here)
    return package / "experiments", tmp_path / "experiments"


def test_a_name_finds_what_comes_along_and_a_path_what_is_here(shipped):
    kind, (inside, beside) = _shipped.EXPERIMENT, shipped
    assert _shipped.folders(kind) == [inside, beside]
    assert _shipped.folders(_shipped.FIGURE) == []
    assert _shipped.names(kind) == ["a", "b", "c"]
    assert _shipped.find(kind, "b") == inside / "b.toml"
    assert _shipped.find(kind, "c") == beside / "c.toml"
    for given, path in (("a", False), ("a.toml", True), ("./a", True), ("x/a", True), ("a/", True)):
        assert _shipped.is_path(kind, given) is path
    Path("mine.toml").write_text("")
    assert _shipped.find(kind, "mine.toml") == Path("mine.toml")
    with pytest.raises(BadInput, match=r"^\./none: no such file$"):
        _shipped.find(kind, "./none")
    with pytest.raises(BadInput, match=r"unknown experiment 'mine' .*known: a, b, c"):
        _shipped.find(kind, "mine")
    Path("experiments/mine.toml").write_text("")
    with pytest.raises(BadInput) as told:
        _shipped.find(kind, "mine")
    assert str(told.value) == (
        "experiment 'mine': a name finds what comes with ci_theory; for the file here write "
        "./experiments/mine.toml"
    )
    Path("mine").write_text("")
    with pytest.raises(BadInput, match=r"for the file here write \./mine$"):
        _shipped.find(kind, "mine")
    Path("mine.py").write_text("")  # which no path makes an experiment
    with pytest.raises(BadInput, match=r"^mine\.py: no experiment, whose file ends in \.toml$"):
        _shipped.find(kind, "mine.py")


# --- answers and claims ---------------------------------------------------------------------------


def test_answers_are_laid_out_a_row_a_line(tmp_path):
    file = tmp_path / "answers.json"
    made = [{"sweep": "b", "rows": [{"µ": 1}, {"x": None}], "none": []}, {"sweep": "a", "n": 2.5}]
    answers.write(made, file)
    assert file.read_text(encoding="utf-8") == (
        '[\n {\n  "sweep": "a",\n  "n": 2.5\n },\n'
        ' {\n  "sweep": "b",\n  "rows": [\n   {"µ": 1},\n   {"x": null}\n  ],\n'
        '  "none": []\n }\n]\n'
    )
    assert json.loads(file.read_text(encoding="utf-8")) == made[::-1]
    for one in answers.every():
        assert one in answers.kept(one["phenomenon"])
    assert answers.kept("no_such") == []
    sweeps = [one["sweep"] for one in answers.every()]
    assert sweeps == sorted(sweeps)
    assert answers.FILE.read_text(encoding="utf-8") == answers._text(answers.every())


def test_claims_are_counted_from_one():
    assert [claim.number for claim in CLAIMS] == list(range(1, 26))
    assert all(claim.text and claim.cited and claim.phenomena for claim in CLAIMS)
    assert _claims(("t", "c", "a b", "x")) == (Claim(1, "t", "c", ("a", "b"), "x"),)
    assert planned(["b"], Claim(1, "t", "c", ("a", "b"), "")) == ["a"]


# --- what is shown and pickled --------------------------------------------------------------------


class Colour(Enum):
    """Anything that is listed."""

    RED = 1


def test_what_json_has_of_numbers_and_names():
    given = {
        1: Colour.RED, "b": (True, np.float64("nan"), np.int32(4), None), "c": {"d": np.arange(3)},
        "e": float("-inf"), "f": np.True_, "g": Status.OK, "h": {3}, "i": Path("x"),
    }  # fmt: skip
    assert _shown.plain(given) == {
        "1": "RED", "b": [True, None, 4, None], "c": {"d": [0, 1, 2]}, "e": None, "f": True,
        "g": "OK", "h": [3], "i": "x",
    }  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Declared:
    """Something with a function."""

    name: str
    rules: tuple


def test_a_pickle_keeps_what_can_be_found_again():
    kept = _shown.kept(Declared("a", (len, lambda: 3, "x", Colour, 2.5)))
    assert type(kept) is Declared
    assert kept.name == "a"
    known, forgotten, *rest = kept.rules
    assert (known, rest) == (len, ["x", Colour, 2.5])
    with pytest.raises(BadInput, match=r"<lambda>: this result was pickled, which keeps"):
        forgotten(1, b=2)
    assert _shown.kept(Declared) is Declared
    assert _shown.kept([len]) == [len]


def test_a_table_for_a_notebook_letter_by_letter():
    made = _shown.table("a&b", ["x", "<y>"], [[1, "\x1b"], [2.5, None]], ["below >", "more"])
    assert made.splitlines() == [
        "<p>a&amp;b</p>",
        "<table><thead><tr><th>x</th><th>&lt;y&gt;</th></tr></thead>",
        "<tbody>",
        r"<tr><td>1</td><td>\x1b</td></tr>",
        "<tr><td>2.5</td><td>None</td></tr>",
        "</tbody></table>",
        "<p>below &gt;</p>",
        "<p>more</p>",
    ]


# --- what outlives a command ----------------------------------------------------------------------


def test_the_newest_entries_stay(tmp_path):
    for age, name in enumerate("abcde"):
        entry = tmp_path / name
        if name in "bd":
            entry.mkdir()
            (entry / "inside").write_text("")
        else:
            entry.write_text("")
        os.utime(entry, ns=(10**9, 10**15 - age * 10**9))
    _cache._only_newest(tmp_path, 9, lambda _: 1)
    assert len(list(tmp_path.iterdir())) == 5
    _cache._only_newest(tmp_path, 4, lambda _: 2)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b"]
    _cache._only_newest(tmp_path, 0, lambda _: 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_folder_is_private_if_nobody_else_can_write_there(tmp_path, monkeypatch):
    for mode, private in ((0o700, True), (0o755, True), (0o720, False), (0o702, False)):
        tmp_path.chmod(mode)
        assert _cache._private(tmp_path) is private
    tmp_path.chmod(0o700)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert not _cache._private(link)
    me = os.geteuid()
    monkeypatch.setattr(_cache.os, "geteuid", lambda: me + 1)
    assert not _cache._private(tmp_path)  # somebody else's


def test_what_is_kept_is_written_whole_under_its_checksum(tmp_path, monkeypatch):
    file = tmp_path / "made" / "x"
    with monkeypatch.context() as small:
        small.setattr(_cache, "MOST_MADE", 2 * _cache.LEAST_MADE)  # a small file counts as that
        for name in "abc":
            _cache._keep(file.with_name(name), name.encode())
    assert len(list(file.parent.iterdir())) == 2
    monkeypatch.setattr(_cache, "_opened", {"by a test"})
    monkeypatch.setattr(_cache, "_folder", lambda: tmp_path)
    monkeypatch.setattr(_cache, "_code", lambda: "code")
    monkeypatch.setattr(_cache, "entry_points", lambda group: [])
    made = []

    def make():
        made.append(1)
        return b"made"

    assert [_cache.remembered(["a", "b"], make) for _ in range(3)] == [b"made"] * 3
    assert len(made) == 1
    kept = tmp_path / "made" / hashlib.sha256(b"code\0a\0b").hexdigest()
    assert kept.read_bytes() == hashlib.sha256(b"made").digest() + b"made"
    for other in (["a"], ["ab"], ["b", "a"]):
        assert _cache.remembered(other, make) == b"made"
    assert len(made) == 4
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    assert _cache.remembered(["a", "b"], make) == b"made"
    assert len(made) == 5


def test_the_digest_of_the_code_is_of_every_file_that_comes_along(tmp_path, monkeypatch):
    package, shipped = tmp_path / "ci_theory", tmp_path / "experiments"
    for folder in (package / "inner", package / "__pycache__", shipped):
        folder.mkdir(parents=True)
        (folder / "file").write_text("a")
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(_cache.ci_theory, "__file__", str(package / "__init__.py"))
    monkeypatch.setattr(
        _cache._shipped, "folders", lambda kind: [shipped] if kind is _shipped.EXPERIMENT else []
    )
    digest = _cache._code.__wrapped__
    before = digest()
    assert before == digest()
    (package / "__pycache__" / "file").write_text("other")
    assert digest() == before
    for file in (package / "inner" / "file", shipped / "file", package / "__init__.py"):
        file.write_text("longer")
        after = digest()
        assert after != before
        os.utime(file, ns=(1, 1))
        assert digest() != after
        before = digest()
    (shipped / "file").rename(shipped / "other")
    assert digest() != before
    monkeypatch.setattr(_cache.ci_theory, "__version__", "other")
    assert digest() != before
