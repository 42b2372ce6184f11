"""Words of a command line, sweep files and curves that somebody got wrong, at random but seeded.

They are made from good ones, so that most get past the first check. ``judged`` runs a command and
demands what every command promises: a result or one line.
"""

import contextlib
import io
import json
import os
from collections.abc import Iterator
from unittest import mock

from ci_theory.cli import figure, fit_breaks, main, run
from ci_theory.explore import curve
from ci_theory.sweeps import estimate

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
    ["formulas", "peak", "height"],
    ["predict", "toys.mean", "n=geom(1,9,3)", "noise=0.5", "--json"],
    ["predict", "toys.mean", "law=normal,uniform", "shift=2", "biased=true"],
    ["run", "sweep.toml", "n=4,8", "noise=lin(0,1,3)", "--replicates", "2", "--store", "there"],
    ["run", "sweep.toml", "--device", "cpu", "--shard", "0/3"],
    ["check", "there", "--level", "0.01"],
    ["locate", "there"],
    ["claims", "--json"],
    ["claims", "--results", "."],
    ["figure", "ridge_peak", "--out", "there", "--stores", "there"],
]
JUNK = [
    "", "0", "-1", "1e400", "nan", "inf", "-0.0", "1.5", "99999999999999999999", "true", "[]", "{}",
    '"', "'", "\\", "\n", "\0", "\x1b[31m", "é", "²", "𝟙", "\ud800", "=", "==", ",", ",,", "(",
    ")", "geom(1,2", "geom(1,2,3,4)", "lin(0,1,1e9)", "log(0,400,3)", "..", ".", "/", "--", "-",
    "--json", "--help", "%s", "{0}", "phenomenon", "axes", "fixed", "n", "noise", "ridge_peak",
    "toys.mean", "sweep.toml", "1979-05-27", "[axes]", "[[axes]]", "axes.n = 3", "x" * 300, "_",
    "__class__",
]  # fmt: skip

NOTES = ["left out", "not simulated yet", "not finite", "set aside", "bits may differ"]
"""What may be told beside an answer: how a store is damaged or incomplete."""


def mutated(text, random):
    """Cut, insert, replace and repeat pieces of a text, once to four times."""
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(text))
        end = min(start + random.choice([0, 0, 1, 1, 2, 5, 20]), len(text))
        character = chr(random.randrange(random.choice([128, 0x110000])))
        piece = random.choice([random.choice(["", *JUNK]), character, text[start:end] * 2])
        text = text[:start] + piece + text[end:]
    return text


def arguments(random):
    """Mutate the words of a valid command: drop, repeat, swap, or change one."""
    words = list(random.choice(COMMANDS))
    for _ in range(random.randint(1, 3)):
        place = random.randint(0, max(len(words) - 1, 0))
        how = random.choice(["drop", "repeat", "junk", "change", "change", "swap"])
        if how == "drop":
            words[place : place + 1] = []
        elif how == "repeat":
            words[place:place] = words[place : place + 1]
        elif how == "junk" or not words:
            words[place:place] = [random.choice(JUNK)]
        elif how == "change":
            words[place] = mutated(words[place], random)
        else:
            words.insert(random.randint(0, len(words) - 1), words.pop(place))
    return words


@contextlib.contextmanager
def small() -> Iterator[None]:
    """Keep what is computed small: no run but a dry one, without its speed; no figure of ours."""
    make, known = figure.figures.make, figure.figures.names()

    def unless_known(name, *more, **how):
        return [] if name in known else make(name, *more, **how)

    with (
        mock.patch.object(estimate, "_measure", return_value=(0.0, 0.0)),
        mock.patch.object(
            run, "run_and_print", lambda *words: run.print_dry_run(*words[:4], words[5])
        ),
        mock.patch.object(curve, "MOST_POINTS", 64),
        mock.patch.object(figure.figures, "make", unless_known),
        mock.patch.object(fit_breaks, "picture", side_effect=lambda *_: ([], [])),
    ):
        yield


def outcome(words):
    """Run a command; return its exit code and outputs."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def judged(words):
    """Run a command that must give a result or one line; return its exit code and its answer.

    Its notes on stderr are lines of ours; JSON is strict; no file appears or goes.
    """
    before = sorted(os.listdir())
    code, out, err = outcome(words)
    lines = err.split("\n")
    assert code in (0, 1, 2, 3), (words, code, err)
    assert lines.pop() == "", (words, err)
    for line in lines:
        assert line.startswith("ci-theory: "), (words, err)
        assert line.isprintable(), (words, err)
        assert "internal error" not in line, (words, err)
        assert code == 2 or any(note in line for note in NOTES), (words, err)
    if code == 2:
        assert (out, len(lines)) == ("", 1), (words, out, err)
    elif _asks_for_json(words):
        json.loads(out, parse_constant=_no_constant)
    assert sorted(os.listdir()) == before, words
    return code, out


def _asks_for_json(words):
    if {"-h", "--help", "--version", "--"} & set(words) or "--json" not in words:
        return False
    before = words[words.index("--json") - 1]
    return not before.startswith("--") or before in ("--dry-run", "--no-figure")  # else its value


def _no_constant(word):
    raise AssertionError(f"{word} is not JSON")
