"""Files for learn that somebody got wrong, and options: see ``fuzz``.

What is computed is kept small: some sixty rows, a place or two. Of a text that is whole, features
must be read as they were written; of a damaged one they are numbers of the file, or it is refused.
"""

import contextlib
import json
import math
import re
from pathlib import Path
from random import Random
from typing import Any

import mutation
import numpy as np
import test_cli_columns as tables

from ci_theory import BadInput
from ci_theory.cli import examples_file

ROWS = 60
QUICK = ["--n", "20", "--replicates", "6", "--ridge", "1"]
SMALL = ["--json", "--no-figure", *QUICK]

OPTIONS = [
    ["--label", "y"], ["--label", "1"], ["--label", ""], ["--label", "²"], ["--drop", "a"],
    ["--drop", "constant"], ["--drop", "y"], ["--drop", "0"], ["--drop", "9"], ["--positive", "1"],
    ["--positive", "cat"], ["--positive", ""], ["--numbers"], ["--ridge", "0"], ["--ridge", "nan"],
    ["--ridge", "-1"], ["--ridge", "1e308"], ["--ridge", "1e-300"], ["--n", "0"], ["--n", "2"],
    ["--n", "54"], ["--n", "55"], ["--n", "-1"], ["--noise", "-1"], ["--noise", "inf"],
    ["--noise", "1e300"], ["--noise", "0.5"], ["--repeated", "0.5"], ["--repeated", "2"],
    ["--repeats", "3"], ["--repeats", "0.5"], ["--repeats", "1e300"], ["--seed", "-1"],
    ["--seed", "99999999999999999999"], ["--level", "0"], ["--level", "1e-300"], ["--effect", "0"],
    ["--effect", "nan"], ["--no-centre"], ["--features", "X"], ["--replicates", "2"],
    ["--replicates", "1e9"], ["--replicates", "1000000000"],
]  # fmt: skip

LABELS = [
    lambda v, i: f"{v:.5g}",
    lambda v, i: f"{v:.5g}",
    lambda v, i: str(int(v > 0)),
    lambda v, i: ["dog", "cat"][int(v > 0)],
    lambda v, i: str(i % 3),
    lambda v, i: ["True", "False"][int(v > 0)],
    lambda v, i: "1",
    lambda v, i: ["", "nan", "1"][i % 3],
    lambda v, i: f"{1e300 * v:.3g}",
]


def rows(random: Random, number: int) -> int:
    """Judge a file for learn and options; what is learnt from is what stands in the file."""
    options = random.sample(OPTIONS, random.choice([0, 0, 0, 1, 2]))
    more = [word for option in options for word in option]
    if random.random() < 0.2:
        Path("rows.npz").unlink(missing_ok=True)
        _arrays(random)
        return mutation.judged(["learn", "rows.npz", *SMALL, *more])[0]
    raw, values = _written(random)
    whole = random.random() < 0.7
    raw = raw if whole else tables.damaged(raw, random)
    file = Path("rows.csv")
    file.write_bytes(raw)
    code, out = mutation.judged(["learn", "rows.csv", *SMALL, *more])
    with contextlib.suppress(BadInput):
        data, labels = examples_file.read(file)
        assert len(data.features) == len(labels) == len(data.labels)
        told = " ".join(data.warnings)
        if whole:
            np.testing.assert_array_equal(data.features, values)
        else:
            numbers = {float(word) for word in re.findall(_NUMBER, raw.decode("latin-1"))}
            found = [one for one in data.features.ravel() if math.isfinite(one)]
            assert numbers.issuperset(found), raw
            lost = len(values) - len(data.features)
            assert abs(lost) <= 3 or "several lines" in told, (lost, raw)  # so many are damaged
        if code != 2 and not more:
            document = json.loads(out)
            assert document["total"] == len(data.features), document
            assert set(data.warnings) <= set(document["warnings"]), document
    return code


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"


def _table(random: Random) -> tuple[np.ndarray, list[str]]:
    """Return features and the words of their labels, now and then with something wrong."""
    draws = np.random.default_rng(random.randrange(2**32))
    x = draws.standard_normal((ROWS, random.randint(1, 4)))
    y = x.sum(axis=1) + 0.5 * draws.standard_normal(ROWS)
    spoilt = random.choice([*[""] * 6, "copy", "constant", "twice", "gap", "far", "index"])
    if spoilt == "copy":
        x[: ROWS // random.choice([2, 5, 10])] = x[0]
    elif spoilt == "constant":
        x[:, 0] = random.choice([0.0, 1.0])
    elif spoilt == "twice":
        x = np.c_[x, 2 * x[:, 0]]
    elif spoilt == "gap":
        x[random.randrange(ROWS), 0] = np.nan
    elif spoilt == "far":
        far = random.choice([1e200, 1e-200, 1e12, 1e-12, 1e6, 1e-6])
        x = x * far if random.random() < 0.5 else x * np.r_[far, np.ones(x.shape[1] - 1)]
    elif spoilt == "index":
        x[:, 0] = np.arange(ROWS) + random.choice([0, 1])
    write = random.choice([*LABELS, *LABELS[:3] * 3])
    return x, [write(v, i) for i, v in enumerate(y)]


def _written(random: Random) -> tuple[bytes, np.ndarray]:
    """Return a file of text, and its features."""
    x, labels = _table(random)
    cut = random.choice(",;\t")
    cells = [["" if math.isnan(v) else f"{v:.6e}" for v in row] for row in x]
    lines = [cut.join([*row, label]) for row, label in zip(cells, labels, strict=True)]
    names = [*"abcdef"[: x.shape[1]], "y"]
    text = "\n".join([cut.join(names), *lines]) + random.choice(["\n", ""])
    text = text.replace("\n", random.choice(["\n", "\r\n"]))
    raw = text.encode(random.choice(["utf-8", "utf-8-sig"]))
    there = [row for row, label in zip(cells, labels, strict=True) if any([*row, label])]
    return raw, np.array([[float(cell or "nan") for cell in row] for row in there])


def _arrays(random: Random) -> None:
    """Write a .npz, now and then a wrong one."""
    x, labels = _table(random)
    y: Any = np.array(labels)
    with contextlib.suppress(ValueError):
        y = y.astype(float)
    wrong = [(x.T, y), (x[:, 0], y), (x[:-1], y), (x.round(), y), (x, y[:0]), (x > 0, y)]
    wrong += [(x.astype(str), y), (x + 0j, y), (x[:, :0], y), (x, y[:, None])]
    x, y = random.choice([(x, y), random.choice(wrong)])
    names = random.choice([("X", "y"), ("features", "labels"), ("x", "Y"), ("a", "b")])
    file = Path("rows.npz")
    np.savez(file, **dict(zip(names, (x, y), strict=True)))
    if random.random() < 0.5:
        data = bytearray(file.read_bytes())
        for _ in range(random.randint(1, 3)):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        file.write_bytes(bytes(data[: random.choice([len(data), random.randrange(len(data))])]))
