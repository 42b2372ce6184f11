"""Two columns of numbers from a person's own file of comma-, semicolon- or tab-separated text."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ci_theory._errors import BadInput

MOST_BYTES = 200_000_000


class Columns(NamedTuple):
    """Two columns and their names; cells that are empty are NaN."""

    x: np.ndarray
    y: np.ndarray
    x_name: str
    y_name: str


def read(file: Path, x: str | None, y: str | None) -> Columns:
    """Read columns by name or, counted from 1, by number; by default the first two.

    The first row names the columns unless all its cells are numbers; lines that begin with # and
    empty ones are passed over.

    Raises:
        BadInput: no such file or column, or a line with too many cells or one that is no number.
    """
    lines = _lines(file)
    cut = max(",;\t", key=lines[0][1].count)
    cut = cut if cut in lines[0][1] else " "
    rows = [
        (at, [cell.strip() for cell in row])
        for at, text in lines
        for row in csv.reader([text], delimiter=cut, skipinitialspace=True)
    ]
    first = rows[0][1]
    named = any(_number(cell) is None for cell in first)
    names = first if named else [str(i + 1) for i in range(len(first))]
    if len(names) < 2:
        raise BadInput(f"{file}: one column, expected at least two separated by , ; or tabs")
    at_x = _place(file, names, x, 0)
    at_y = _place(file, names, y, 1 if at_x != 1 or y is not None else 0)
    if at_x == at_y:
        raise BadInput(f"{file}: x and y are both column {names[at_x]!r}")
    body = rows[1:] if named else rows
    for at, row in body:
        if any(row[len(names) :]):
            raise BadInput(f"{file}, line {at}: {len(row)} cells, expected {len(names)}")
    pair = [[_cell(file, at, row, i, names[i]) for i in (at_x, at_y)] for at, row in body]
    values = np.array(pair, float).reshape(-1, 2)
    return Columns(values[:, 0], values[:, 1], names[at_x], names[at_y])


def _lines(file: Path) -> list[tuple[int, str]]:
    """Return the lines that hold something, with their numbers."""
    if not file.is_file():
        raise BadInput(f"{file}: {'a folder, expected a' if file.is_dir() else 'no such'} file")
    if file.stat().st_size > MOST_BYTES:
        raise BadInput(f"{file}: larger than {MOST_BYTES // 10**6} MB: average it first")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{file}: not a text file (UTF-8)") from None
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1)]
    lines = [(i, line) for i, line in lines if line.strip() and not line.startswith("#")]
    if not lines:
        raise BadInput(f"{file}: empty")
    if any("\0" in line for _, line in lines):
        raise BadInput(f"{file}: not a text file (it holds zero bytes)")
    return lines


def _place(file: Path, names: list[str], wanted: str | None, default: int) -> int:
    if wanted is None:
        return default
    if wanted in names:
        if names.count(wanted) > 1:
            raise BadInput(f"{file}: two columns are called {wanted!r}: give a number from 1")
        return names.index(wanted)
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:9]) <= len(names):
        return int(wanted) - 1
    known = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise BadInput(f"{file}: no column {wanted!r} (there are: {known})")


def _cell(file: Path, line: int, row: list[str], i: int, name: str) -> float:
    if i >= len(row) or row[i] == "":
        return float("nan")
    value = _number(row[i])
    if value is None:
        shown = row[i] if len(row[i]) <= 40 else row[i][:37] + "..."
        raise BadInput(f"{file}, line {line}: {name} = {shown!r} is not a number")
    return value


def _number(cell: str) -> float | None:
    try:
        return float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        return None
