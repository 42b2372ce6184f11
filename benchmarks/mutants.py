"""Deliberate mistakes: which of them do the tests catch?

    python -m benchmarks.mutants [--layer LAYER] [--list FILE] [--processes N] [--dry] [NAME ...]

``mutants.toml`` keeps the mistakes: each replaces one piece of text, which must occur exactly once,
in a scratch copy of the repository, and runs the tests that ought to fail. Nothing in the working
tree is touched. A mistake is

    caught      a test failed, or the package no longer imports
    survived    every test passed: a test is missing
    explained   the same, and ``survives`` in the list says why no test can tell
    stale       the text no longer occurs exactly once, or nothing changes: rewrite the mistake
    error       what failed fails without it too, or no test ran: nothing is known

The exit code is 0 if every mistake is caught or explained. A list of one's own is read with
``--list``; ``--dry`` only says which mistakes are stale.
"""

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LISTED = Path(__file__).with_suffix(".toml")
OUTCOMES = ("caught", "survived", "explained", "stale", "error")
LEFT_OUT = (".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "results")
# As in the Makefile: most of the tests' time is compilation.
QUICKLY = {
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
}


class Mistake(NamedTuple):
    """A piece of text of one file replaced by another.

    Attributes:
        name: unique in its list.
        layer: part of the package it is in.
        file: from the root of the repository.
        old: text that occurs exactly once; ``new`` is put in its place.
        why: what would be wrong with a package that had it.
        tests: files or names of tests that ought to fail.
        survives: why no test can tell, if so.
    """

    name: str
    layer: str
    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...]
    survives: str = ""

    def applied(self, root: Path) -> str | None:
        """Return the text of the file with the mistake in it; None where it is stale."""
        path = root / self.file
        text = path.read_text() if path.is_file() else ""
        if text.count(self.old) != 1 or self.old == self.new:
            return None
        changed = text.replace(self.old, self.new)
        if path.suffix == ".py":
            compile(changed, self.file, "exec")  # a mistake that is none is an error of the list
        return changed


def read(path: Path) -> list[Mistake]:
    """Read a list of mistakes.

    Raises:
        ValueError: a field is missing or unknown, a name is used twice, or a test is not there.
    """
    found = []
    for entry in tomllib.loads(path.read_text())["mistake"]:
        try:
            found.append(Mistake(**{**entry, "tests": tuple(entry["tests"])}))
        except (KeyError, TypeError) as problem:
            raise ValueError(f"{path}: {entry.get('name')}: {problem}") from problem
    twice = [name for name, count in Counter(m.name for m in found).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: names used twice: {', '.join(twice)}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print the table; return 1 unless every mistake is caught or explained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="mistakes; all if none is named")
    parser.add_argument("--layer", action="append", help="only these layers")
    parser.add_argument("--list", type=Path, default=LISTED, help="a list other than the kept one")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    parser.add_argument("--processes", type=int, default=1, help="side by side")
    parser.add_argument("--dry", action="store_true", help="only say which are stale")
    asked = parser.parse_args(arguments)
    mistakes = read(asked.list)
    unknown = set(asked.names) - {m.name for m in mistakes}
    unknown |= set(asked.layer or ()) - {m.layer for m in mistakes}
    if unknown:
        parser.error(f"no such mistake or layer: {', '.join(sorted(unknown))}")
    mistakes = [m for m in mistakes if not asked.names or m.name in asked.names]
    mistakes = [m for m in mistakes if not asked.layer or m.layer in asked.layer]
    if not mistakes:
        parser.error("no mistake is of these names and of these layers")
    began = time.monotonic()
    if asked.dry:
        found = {m: "stale" for m in mistakes if m.applied(asked.root) is None}
        for mistake in found:
            print(f"stale      {mistake.layer:12}{mistake.name} ({mistake.file})")
        return int(bool(found))
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        found = outcomes(mistakes, asked.root, Path(scratch), asked.processes)
    print(table(found), f"{time.monotonic() - began:.0f} s", sep="\n")
    return int(any(outcome not in ("caught", "explained") for outcome in found.values()))


def outcomes(
    mistakes: list[Mistake], root: Path, scratch: Path, processes: int = 1
) -> dict[Mistake, str]:
    """Try every mistake in a copy of the repository, ``processes`` at a time."""
    copies: queue.Queue[Path] = queue.Queue()
    for index in range(processes):
        copy = scratch / str(index)
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        copies.put(copy)

    def tried(mistake: Mistake) -> str:
        copy = copies.get()
        try:
            outcome = outcome_of(mistake, copy)
        finally:
            copies.put(copy)
        print(f"{outcome:11}{mistake.layer:12}{mistake.name}", flush=True)
        return outcome

    with ThreadPoolExecutor(processes) as pool:
        return dict(zip(mistakes, pool.map(tried, mistakes), strict=True))


def outcome_of(mistake: Mistake, copy: Path) -> str:
    """Make one mistake in a copy, run its tests, take it back; what failed must then pass."""
    path, changed = copy / mistake.file, mistake.applied(copy)
    if changed is None:
        return "stale"
    before = path.read_text()
    path.write_text(changed)
    try:
        code = run(copy, mistake.tests, "--cache-clear")
    finally:
        path.write_text(before)
    if code == 0:
        return "explained" if mistake.survives else "survived"
    if code not in (1, 2):  # 2: a module no longer imports
        return "error"
    names = failed(copy)
    return "caught" if names and run(copy, names) == 0 else "error"


def failed(copy: Path) -> list[str]:
    """Return what failed in the last run, by name: of names, --last-failed finds one file's."""
    file = Path(f"{copy}.failed/v/cache/lastfailed")
    return list(json.loads(file.read_text())) if file.is_file() else []


def run(copy: Path, tests: Iterable[str], *options: str) -> int:
    """Return pytest's exit code for some tests of a copy, up to the first that fails."""
    environment = {
        # programs that no mistake changed are not compiled again; the key is the program itself
        "JAX_COMPILATION_CACHE_DIR": str(copy.parent / "compiled"),
        **os.environ,
        **QUICKLY,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        # a program from the cache tells on stderr where it was compiled, and tests read stderr
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)]),
        # no compiled files: they are found by time and size, which a mistake may keep
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    cache = ["--override-ini", f"cache_dir={copy}.failed"]
    command = [sys.executable, "-m", "pytest", "-x", "-q", *cache, *options, *tests]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    return done.returncode


def table(found: dict[Mistake, str]) -> str:
    """Return counts by layer, and the mistakes that are not simply caught with their reasons."""
    layers = list(dict.fromkeys(m.layer for m in found))
    lines = [f"\n{'layer':14}" + "".join(f"{outcome:>11}" for outcome in OUTCOMES)]
    for layer in [*layers, "all"]:
        of = Counter(made for m, made in found.items() if layer in (m.layer, "all"))
        lines.append(f"{layer:14}" + "".join(f"{of[outcome]:11}" for outcome in OUTCOMES))
    lines += _reasons(found.items())
    return "\n".join(lines)


def _reasons(found: Iterable[tuple[Mistake, str]]) -> list[str]:
    return [
        f"{outcome}: {mistake.name} ({mistake.file}): {mistake.survives or mistake.why}"
        for mistake, outcome in found
        if outcome != "caught"
    ]


if __name__ == "__main__":
    sys.exit(main())
