"""Whatever a user types or writes into a file, the answer is a result or one line: no traceback.

A few hundred inputs of those that `python -m benchmarks.fuzz` makes by the thousand. Nothing is
simulated: `run` always is a dry run, and its measurement of speed is left out.
"""

import dataclasses
import os
import sys
from pathlib import Path

import mutation
import pytest
import toys.mean  # noqa: F401 - files may name what has been imported
from benchmarks import fuzz, fuzz_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutation import CURVES, SWEEPS

from ci_theory.explore import server

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
RANDOM = st.randoms(use_true_random=False)


@pytest.fixture(scope="module", autouse=True)
def workshop(tmp_path_factory):
    """Work in a folder with one sweep file; keep what is computed small."""
    with pytest.MonkeyPatch.context() as patch, mutation.small():
        patch.chdir(tmp_path_factory.mktemp("fuzz"))
        Path("sweep.toml").write_text(SWEEPS[0])
        yield


def judge(words, *left):
    """Demand a result or one line, and nothing written; return the exit code."""
    code, _ = mutation.judged(words)
    assert sorted(os.listdir()) == sorted([*left, "sweep.toml"])
    return code


@FUZZ
@given(RANDOM)
def test_arguments(random):
    judge(mutation.arguments(random))


@FUZZ
@given(RANDOM)
def test_sweep_files(random):
    text = mutation.mutated(random.choice(SWEEPS), random)
    Path("mutated.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        judge(["run", "mutated.toml", "--dry-run"], "mutated.toml")
    finally:
        Path("mutated.toml").unlink()


@settings(FUZZ, max_examples=60)
@given(RANDOM, st.sampled_from([[], ["--x", "a"], ["--y", "2"]]))
def test_files_of_curves(random, words):
    text = mutation.mutated(random.choice(CURVES), random)
    Path("curve.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        judge(["fit-breaks", "curve.csv", "--breaks", "0", "--json", *words], "curve.csv")
    finally:
        Path("curve.csv").unlink()


def test_the_unmutated_commands_and_files_are_good():
    """Else the fuzz would only ever see the first check."""
    for words in mutation.COMMANDS[:6]:
        assert judge(words) == 0
    for text in SWEEPS:
        Path("mutated.toml").write_text(text)
        assert judge(["run", "mutated.toml", "--dry-run"], "mutated.toml") == 0
        Path("mutated.toml").unlink()


@pytest.mark.parametrize(
    ("kind", "sabotage"),
    [
        ("words", lambda main, words: 70),
        ("words", lambda main, words: (print("a warning", file=sys.stderr), main(words))[1]),
        ("words", lambda main, words: (print("ci-theory: internal error", file=sys.stderr), 2)[1]),
        ("sweeps", lambda main, words: (Path("left").touch(), main(words))[1]),
        ("curves", lambda main, words: (print("{nan}"), 0)[1]),
    ],
)
def test_the_benchmark_sees_what_is_wrong(kind, sabotage, monkeypatch, capsys):
    assert fuzz.judge(kind, 3, seed=1) == []
    main = mutation.main
    monkeypatch.setattr(mutation, "main", lambda words: sabotage(main, words))
    assert len(fuzz.judge(kind, 3, seed=1)) >= 1
    assert f"{kind} 1 0" in capsys.readouterr().out


def test_the_benchmark_sees_what_changes_in_silence(monkeypatch, capsys):
    read, read_sweep = fuzz.columns.read, fuzz.read_sweep

    def one_row_less(file):
        made = read(file)
        return made._replace(x=made.x[2:], y=made.y[2:])

    def another_seed(file):
        return dataclasses.replace(read_sweep(file), seed=99)

    assert fuzz.judge("curves", 10, seed=2) == fuzz.judge("sweeps", 10, seed=2) == []
    monkeypatch.setattr(fuzz.columns, "read", one_row_less)
    monkeypatch.setattr(fuzz, "read_sweep", another_seed)
    assert fuzz.judge("curves", 10, seed=2)
    assert fuzz.judge("sweeps", 10, seed=2)


def test_the_benchmark_sees_what_is_wrong_with_rows_and_pages(monkeypatch, capsys):
    """Other features than those of the file; another curve than `predict` tells of the words."""
    assert fuzz.judge("rows", 6, seed=3) == fuzz.judge("pages", 30, seed=3) == []
    read, drawn = fuzz_rows.examples_file.read, server.curve.drawn

    def turned(*asked):
        data, labels = read(*asked)
        return data._replace(features=data.features[::-1]), labels

    def another(phenomenon, shown):
        made = drawn(phenomenon, shown)
        return {**made, "curve": {"error": [0.5] * len(made["places"])}}

    monkeypatch.setattr(fuzz_rows.examples_file, "read", turned)
    monkeypatch.setattr(server.curve, "drawn", another)
    assert fuzz.judge("rows", 6, seed=3)
    assert fuzz.judge("pages", 30, seed=3)
