"""Thousands of wrong inputs: is every answer a result or one line, and nothing silently another?

    python -m benchmarks.fuzz [COUNT] [SEED] [KIND ...]

COUNT inputs (10000) are shared out over seven kinds:

    words       command lines: mutated words, and values near the ends of declared ranges
    sweeps      experiment files: mutated text and bytes; a file that is taken is read as it stands
    curves      files for fit-breaks, with options; numbers are those of the file, the rest is told
    stores      damaged stores: checked, located, and some run again to the numbers they had
    rows        files for learn, with options; features are those of the file, the rest is told
    pages       addresses and requests to the server of explore: whatever is asked, it answers
    corners     predictions of every phenomenon where many fields are at an end of their range

Exit codes must be 0 to 3, the lines on stderr our own, JSON strict, and nothing may be written by
what is refused. Each input has a seed of its own, which is told with a problem: an input is made
again by its kind, the seed and its number. The exit code is 1 if there is a problem. The generators
are those of the tests, which try a few hundred inputs of each kind.
"""

import contextlib
import json
import math
import os
import shutil
import sys
import tempfile
import time
import tomllib
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

# ruff: noqa: E402 - the generators are in folders of the tests
TESTS = Path(__file__).parents[1] / "tests"
sys.path += [str(TESTS / folder) for folder in ("cli", "sweeps", "laws")]

import damage
import jax
import mutation
import numpy as np
import test_cli_columns as tables
import test_damage
import toys.mean

from benchmarks import fuzz_pages, fuzz_rows
from ci_theory import BadInput
from ci_theory._record import Axis, Kind
from ci_theory.cli import columns
from ci_theory.phenomena import Phenomenon, load, names
from ci_theory.sweeps import Sweep, read_sweep, run

SHARES = {"words": 0.2, "sweeps": 0.15, "curves": 0.25, "stores": 0.25, "corners": 0.05}
SHARES |= {"rows": 0.05, "pages": 0.05}
RUN_AGAIN = 0.04
"""Share of damaged stores that are run again: it compiles."""

LOOKS = [["check", "damaged", "--json"], ["locate", "damaged", "--json"], ["check", "damaged"]]
LOOKS += [["locate", "damaged"], ["claims", "--results", ".", "--json"]]
"""How a damaged store is looked at."""

BESIDE = ["0", "-1", "1e-300", "1e300", "1e308", "nan", "0x10", "1e5", "007", "+2", ".5", "5.", "𝟙"]


SMALL = {"metric_mirage": {"vocabulary": 500}}
"""Static values at which points are taken, where the defaults are slow."""

CAPS = {"vocabulary": 500, "inputs": 60, "width": 30, "modes": 1000}
"""Counts whose worlds grow with them: their high ends cost time, not another formula."""

FAR: dict[type, list[Any]] = {int: [10**9], float: [1e9, 1e300]}
"""Values taken for the end of a range that has none."""


def ends(axis: Axis) -> list[Any]:
    """Return values at the lower and at the upper end of a field."""
    if axis.type is bool:
        return [False, True]
    if axis.low is not None:
        low: list[Any] = [axis.low]
    elif axis.above is not None:
        low = [axis.above + (1 if axis.type is int else 1e-12)]
    else:
        low = [-far for far in FAR[axis.type]]
    high = FAR[axis.type] if axis.high is None else [axis.high]
    if axis.kind is Kind.STATIC and axis.name in CAPS:
        high = [CAPS[axis.name]]
    return [axis.type(value) for value in low + high]


def near(axis: Axis, random: Random) -> str:
    """Return a value at, beside or beyond an end of a field's range, as somebody writes it."""
    if random.random() < 0.3:
        return str(axis.default).lower()
    if axis.type is str:
        return random.choice([*(axis.choices or ()), *(axis.choices or ()), "", "x", "1"])
    end = random.choice(ends(axis))
    if axis.type is bool:
        return random.choice([str(end).lower(), str(end).lower(), str(end), "1", "yes"])
    if axis.type is int:
        beside: list[float] = [end + 1, end - 1, end + 0.5, -end, 10 * end]
    else:
        beside = [math.nextafter(end, math.inf), math.nextafter(end, -math.inf)]
        beside += [-end, end / 3, 5e-324]
    moved = end if random.random() < 0.6 else random.choice(beside)
    if random.random() < 0.1:
        return random.choice(BESIDE)
    return random.choice([repr(moved), repr(moved), f"{moved:g}", f"{moved:.17e}"])


def ranged(axis: Axis, random: Random) -> str:
    """Return a value, a list or a range with ends near those of the field."""
    one, other = near(axis, random), near(axis, random)
    count = random.choice(["2", "3", "9", random.choice(["0", "1", "-1", "1e9", "100001", "2.5"])])
    kind = random.choice(["lin", "geom", "lin", "geom", "log", "Lin"])
    written = [f"{one},{other}", f"{one},", f"{kind}({one},{other},{count})"]
    return one if random.random() < 0.6 else random.choice(written)


def words(random: Random, number: int) -> int:
    """Judge a command line."""
    if random.random() < 0.6:
        line = mutation.arguments(random)
    elif random.random() < 0.7:
        axes = toys.mean.PHENOMENON.axes
        chosen = random.sample(sorted(axes), random.randint(1, 3))
        given = [f"{name}={ranged(axes[name], random)}" for name in chosen]
        if random.random() < 0.5:
            line = ["predict", "toys.mean", *given, *random.choice([[], ["--json"]])]
        else:
            more = ["seed=1", "seed=-1", "replicates=1e3", "--replicates=3", "--shard=1/2"]
            line = ["run", "sweep.toml", "--dry-run", *given, *random.sample(more, 1)]
    else:  # refused before anything is compiled
        phenomenon = load(random.choice(names()))
        name, axis = random.choice(sorted(phenomenon.axes.items()))
        with contextlib.suppress(BadInput, ValueError):
            value = near(axis, random)
            phenomenon.point({name: axis.type(value)})
            value = random.choice(["nan", "1e999", "-1e999", "word", "", "()", "3,,4"])
        line = ["predict", phenomenon.name, f"{name}={value}", "--json"]
    return mutation.judged(line)[0]


def sweeps(random: Random, number: int) -> int:
    """Judge a mutated experiment file; one that is taken is read as it stands."""
    text = random.choice(mutation.SWEEPS)
    for change in random.choice([[mutation.mutated], [_other_value], [_other_value] * 2, []]):
        text = change(text, random)
    raw = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.2:
        raw = random.choice(
            [b"\xef\xbb\xbf" + raw, text.encode("utf-16", "surrogatepass"), raw[3:]]
        )
    elif random.random() < 0.2:
        raw = tables.damaged(raw, random)
    Path("mutated.toml").write_bytes(raw)
    code, _ = mutation.judged(["run", "./mutated.toml", "--dry-run"])
    if code == 0:
        told = tomllib.loads(raw.decode("utf-8-sig"))
        sweep = read_sweep(Path("mutated.toml"))
        assert (sweep.replicates, sweep.seed) == (told.get("replicates", 1), told.get("seed", 0))
        assert set(sweep.axes) == set(_flat(told.get("axes", {})))
        for name, value in _flat(told.get("axes", {})).items():
            assert not isinstance(value, list) or list(sweep.axes[name]) == value, (name, raw)
        assert dict(sweep.fixed) == _flat(told.get("fixed", {})), raw
    return code


def _other_value(text: str, random: Random) -> str:
    """Replace what stands behind one of the equals signs."""
    lines = text.split("\n")
    at = random.choice([i for i, line in enumerate(lines) if "=" in line] or [0])
    values = ["1", "1.5", "-1", "true", "nan", "inf", "1e400", "9223372036854775808", '"n"', "''"]
    values += ["[]", "[1]", "[1, 1]", "[1, 'a']", "[[1]]", "[true]", "[2.0, 3]", "{}", "{lin = 1}"]
    values += ["2", "8", "0.25", "[4, 9]", "[3, 2]", "{lin = [1, 9, 3]}", "{geom = [1e-3, 1e3, 4]}"]
    values += ["{lin = [1, 2]}", "{geom = [0, 1, 3]}", "{log = [0, 400, 3]}", "{x.y = 1}", "1_0"]
    values += ["{lin = [1, 2, 3], geom = [1, 2, 3]}", "1979-05-27", '"""a\nb"""', "0x10", "[[", ""]
    lines[at] = f"{lines[at].split('=')[0]}= {random.choice(values)}"
    return "\n".join(lines)


def _flat(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table's values by dotted name; a table with a range is a value."""
    found = {}
    for key, value in table.items():
        if isinstance(value, dict) and not {"lin", "geom", "log"} & set(value):
            found.update({f"{key}.{inside}": one for inside, one in _flat(value).items()})
        else:
            found[key] = value
    return found


def curves(random: Random, number: int) -> int:
    """Judge a file for fit-breaks and options; the rows that it uses are those of the file."""
    if random.random() < 0.7:
        raw = tables.written(random, most=14)[0]
        raw = tables.damaged(raw, random) if random.random() < 0.7 else raw
    else:
        text = mutation.mutated(random.choice(mutation.CURVES), random)
        raw = text.encode("utf-8", "surrogatepass")
    file = Path("curve.csv")
    file.write_bytes(raw)
    options = [["--breaks", "0"], ["--breaks", "1"], ["--least", "1"], ["--x", "2"], ["--y", "1"]]
    options += [["--y", "1", "--y", "2"], ["--weights", "1"], ["--sd", "3"], ["--ceiling", "1e5"]]
    options += [["--ceiling", "nan"], ["--resolution", "0"], ["--resolution", "-1"], ["--x", "²"]]
    more = [
        word for option in random.sample(options, random.choice([0, 1, 1, 2])) for word in option
    ]
    line = ["fit-breaks", "curve.csv", "--json", "--no-figure"]
    code, out = mutation.judged([*line, "--breaks", "0", *more])
    with contextlib.suppress(BadInput):
        made = columns.read(file)
        tables.assert_nothing_is_silent(raw, made)
        if code == 0 and not more:
            there = np.isfinite(made.x) & np.isfinite(made.y[:, 0])
            used = there & (made.x > 0) & (made.y[:, 0] > 0)
            document = json.loads(out)
            assert document["points"] == used.sum(), (raw, document)
            assert used.all() or "left out" in " ".join(document["warnings"]), (raw, document)
    return code


class Stores:
    """Damage to one store of two plans."""

    def __init__(self, folder: Path):
        axes = {"n": (4, 9), "noise": (0.5, 1.0, 2.0)}
        few = {"phenomenon": "toys.mean", "axes": axes, "fixed": {"d": 4}, "name": "toy"}
        # Two runs of three values a part: a square array could be turned, and signed, unseen.
        run(Sweep(**few, replicates=2), folder, most_runs=2, progress=False)
        more = Sweep(**few, replicates=5)
        self.whole = run(more, folder, most_runs=2, progress=False).dataset()
        self.files = damage.read(folder)
        shutil.rmtree(folder)
        Path("more.toml").write_text(
            'phenomenon = "toys.mean"\nname = "toy"\nreplicates = 5\n'
            "[axes]\nn = [4, 9]\nnoise = [0.5, 1.0, 2.0]\n[fixed]\nd = 4\n"
        )

    def __call__(self, random: Random, number: int) -> int:
        """Judge what check and locate say of a damaged store, and what a run makes of it."""
        told, changed = damage.damage(self.files, random)
        folder = Path("damaged")
        damage.write(changed, folder)
        try:
            before = damage.read(folder)
            line = random.choice(LOOKS)
            code, _ = mutation.judged(line)
            assert damage.read(folder) == before, f"{line} changes the store"
            found = test_damage.attempt(test_damage.opened, folder)
            if found is None:  # of other folders, claims tells all the same
                assert code == 2 or line[0] == "claims", f"{line} sees more than can be opened"
            else:
                test_damage.assert_no_other_numbers(found, self.whole)
            if random.random() < RUN_AGAIN:
                again, _ = mutation.judged(["run", "./more.toml", "--store", "damaged"])
                assert again in (0, 2), again
                if again == 0:
                    whole = test_damage.opened(folder)
                    assert whole.attrs["missing"] == 0
                    test_damage.assert_no_other_numbers(whole, self.whole)
        except BaseException as problem:
            raise AssertionError(f"{told}: {problem!r}") from problem
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return code


class Corners:
    """Points of the declared ranges; one phenomenon after the other, for they compile."""

    def __init__(self, count: int):
        self.phenomena = [load(name) for name in names()]
        self.each = -(-count // len(self.phenomena))

    def __call__(self, random: Random, number: int) -> int:
        """Judge a prediction at a corner: finite where it is said to be good."""
        phenomenon = self.phenomena[min(number // self.each, len(self.phenomena) - 1)]
        point = self._corner(phenomenon, random)
        line = ["predict", phenomenon.name, *(f"{k}={v}" for k, v in point.items()), "--json"]
        code, out = mutation.judged(line)
        for name, one in json.loads(out)["observables"].items() if code == 0 else ():
            good = one["status"] == "OK"
            assert not one["valid"] or good, (line, name)
            assert (one["value"] is not None) == good or not good, (line, name)
        return code

    def _corner(self, phenomenon: Phenomenon, random: Random) -> dict[str, Any]:
        free = phenomenon.names(*set(Kind) - {Kind.STATIC})
        point: dict[str, Any] = dict(SMALL.get(phenomenon.name, {}))
        for name in random.sample(sorted(free), random.randint(1, len(free))):
            axis = phenomenon.axes[name]
            low, high = (ends(axis) * 2)[:2]
            between = low + random.random() * (high - low) if axis.type is float else axis.default
            value = random.choice([low, high, high, between, axis.default])
            point[name] = str(value).lower() if axis.type is bool else repr(axis.type(value))
        return point


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Work in a folder of its own, which is gone afterwards."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def judge(kind: str, count: int, seed: int) -> list[str]:
    """Try inputs of a kind; print how they ended, and return the problems."""
    answers: Counter[Any] = Counter()
    problems, began = [], time.monotonic()
    with scratch() as folder, contextlib.ExitStack() as stack:
        Path("sweep.toml").write_text(mutation.SWEEPS[0])
        made: dict[str, Callable[[Random, int], Any]]
        made = {"words": words, "sweeps": sweeps, "curves": curves, "rows": fuzz_rows.rows}
        if kind in (*made, "pages"):
            stack.enter_context(mutation.small())
        if kind in made:
            one = made[kind]
        elif kind == "pages":
            one = stack.enter_context(fuzz_pages.Pages())
        else:
            one = Stores(folder / "store") if kind == "stores" else Corners(count)
        for number in range(count):
            try:
                answers[one(Random(f"{seed} {kind} {number}"), number)] += 1
            except Exception as problem:
                where = traceback.extract_tb(problem.__traceback__)[-1]
                problems.append(f"{kind} {seed} {number}: {problem!r:.1500} ({where.name})")
                print(problems[-1], flush=True)
    shown = ", ".join(f"{code}: {n}" for code, n in sorted(answers.items(), key=str))
    seconds = time.monotonic() - began
    print(f"{kind:8} {count:6} inputs, {seconds:.0f} s, by exit code {shown}", flush=True)
    return problems


def main() -> int:
    """Return 1 if there was a problem."""
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("always")  # each would be a line on stderr that is not ours
    for hidden in (DeprecationWarning, PendingDeprecationWarning):  # as in every Python
        warnings.simplefilter("ignore", hidden)
    given = sys.argv[1:]
    numbers = [int(word) for word in given if word.isdigit()]
    count, seed = (numbers + [10_000, 0][len(numbers) :])[:2]
    problems = []
    for kind in [word for word in given if word in SHARES] or SHARES:
        problems += judge(kind, round(SHARES[kind] * count), seed)
    print(f"{len(problems)} problems")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
