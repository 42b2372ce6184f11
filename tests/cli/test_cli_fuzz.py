"""Whatever a user types or writes into a file, the answer is a result or one line: no traceback.

Arguments and sweep files are made from valid ones by mutation, so that most get past the first
check. Nothing is simulated: `run` always is a dry run, and its measurement of speed is left out.
"""

import contextlib
import io
import os
from pathlib import Path

import pytest
import toys.mean  # noqa: F401 - files may name what has been imported
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_theory.cli import fit_breaks, main, predict, run
from ci_theory.sweeps import runner

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

SWEEPS = [
    """phenomenon = "toys.mean"
replicates = 3
seed = 7
paired = ["noise"]

[axes]
n = {geom = [2, 64, 6]}
noise = [0.5, 1.0]

[fixed]
d = 4
law = "uniform"
biased = false
""",
    """phenomenon = "ridge_peak"
name = "small"
[axes]
n = [10, 20, 40]
ridge = {log = [-3, 1, 5]}
p = {lin = [5, 25, 3]}
[fixed]
spectrum = "power_law"
alpha = 1.2
""",
]
CURVES = [
    "a,b\n" + "\n".join(f"{10**k},{9 / 2**k:.4f}" for k in range(9)) + "\n",
    "# by hand\n" + "\n".join(f"{k}\t{5 / k + 1:.3f}" for k in range(1, 9)),
]
COMMANDS = [
    ["list", "--json"],
    ["show", "toys.mean"],
    ["predict", "toys.mean", "n=geom(1,9,3)", "noise=0.5", "--json"],
    ["predict", "toys.mean", "law=normal,uniform", "shift=2", "biased=true"],
    ["run", "sweep.toml", "n=4,8", "noise=lin(0,1,3)", "--replicates", "2", "--store", "there"],
    ["run", "sweep.toml", "--device", "cpu", "--engine", "local", "--shard", "0/3"],
    ["check", "there", "--level", "0.01"],
    ["locate", "there"],
    ["claims", "--json"],
]
JUNK = [
    "", "0", "-1", "1e400", "nan", "inf", "-0.0", "1.5", "99999999999999999999", "true", "[]", "{}",
    '"', "'", "\\", "\n", "\0", "\x1b[31m", "é", "²", "𝟙", "\ud800", "=", "==", ",", ",,", "(",
    ")", "geom(1,2", "geom(1,2,3,4)", "lin(0,1,1e9)", "log(0,400,3)", "..", ".", "/", "--", "-",
    "--json", "--help", "%s", "{0}", "phenomenon", "axes", "fixed", "n", "noise", "ridge_peak",
    "toys.mean", "sweep.toml", "1979-05-27", "[axes]", "[[axes]]", "axes.n = 3", "x" * 300, "_",
    "__class__",
]  # fmt: skip


@st.composite
def mutated(draw, text):
    """Cut, insert, replace and repeat pieces of a text, once to four times."""
    text = draw(text)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(start + draw(st.sampled_from([0, 0, 1, 1, 2, 5, 20])), len(text))
        piece = draw(
            st.one_of(st.sampled_from(["", *JUNK]), st.characters(), st.just(text[start:end] * 2))
        )
        text = text[:start] + piece + text[end:]
    return text


@st.composite
def arguments(draw):
    """Mutate the words of a valid command: drop, repeat, swap, or change one."""
    words = list(draw(st.sampled_from(COMMANDS)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(words) - 1, 0)))
        how = draw(st.sampled_from(["drop", "repeat", "junk", "change", "change", "swap"]))
        if how == "drop":
            words[place : place + 1] = []
        elif how == "repeat":
            words[place:place] = words[place : place + 1]
        elif how == "junk" or not words:
            words[place:place] = [draw(st.sampled_from(JUNK))]
        elif how == "change":
            words[place] = draw(mutated(st.just(words[place])))
        else:
            words.insert(draw(st.integers(0, len(words) - 1)), words.pop(place))
    return words


@pytest.fixture(scope="module", autouse=True)
def workshop(tmp_path_factory):
    """Work in a folder with one sweep file; keep what is computed small."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("fuzz")
        patch.chdir(folder)
        patch.setattr(runner, "_measure", lambda *_: (0.0, 0.0))
        patch.setattr(run, "run_and_print", run.print_forecast)
        patch.setattr(predict, "MOST_POINTS", 64)
        patch.setattr(fit_breaks, "picture", lambda *_: ([], []))
        Path("sweep.toml").write_text(SWEEPS[0])
        yield folder


def outcome(words):
    """Run a command; return its exit code and outputs, and what it left behind."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def judge(words, left):
    """Demand a result or one line, and nothing written."""
    before = sorted(os.listdir())
    code, out, err = outcome(words)
    assert code in (0, 1, 2, 3), (words, err)
    assert "Traceback" not in err
    if code == 2:
        assert out == "", words
        assert err.startswith("ci-theory: "), err
        assert err.count("\n") == 1, err
        assert err.strip("\n").isprintable(), err
    assert sorted(os.listdir()) == before == left
    return code


@FUZZ
@given(arguments())
def test_arguments(words):
    judge(words, ["sweep.toml"])


@FUZZ
@given(mutated(st.sampled_from(SWEEPS)))
def test_sweep_files(text):
    Path("mutated.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        judge(["run", "mutated.toml", "--dry-run"], ["mutated.toml", "sweep.toml"])
    finally:
        Path("mutated.toml").unlink()


@settings(FUZZ, max_examples=60)
@given(mutated(st.sampled_from(CURVES)), st.sampled_from([[], ["--x", "a"], ["--y", "2"]]))
def test_files_of_curves(text, words):
    Path("curve.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        left = ["curve.csv", "sweep.toml"]
        judge(["fit-breaks", "curve.csv", "--breaks", "0", "--json", *words], left)
    finally:
        Path("curve.csv").unlink()


def test_the_unmutated_commands_and_files_are_good():
    """Else the fuzz would only ever see the first check."""
    for words in COMMANDS[:6]:
        assert judge(words, ["sweep.toml"]) == 0
    for text in SWEEPS:
        Path("mutated.toml").write_text(text)
        assert judge(["run", "mutated.toml", "--dry-run"], ["mutated.toml", "sweep.toml"]) == 0
        Path("mutated.toml").unlink()
