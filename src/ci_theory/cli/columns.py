"""Columns of numbers from a person's own separated text, as such files are met.

Tabs, semicolons, commas or blanks separate the cells; names stand in the first row, in a comment
above it, or nowhere. What cannot be read as meant is refused; what could mean more is told.
"""

import csv
import itertools
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ci_theory._errors import BadInput
from ci_theory.cli.text_file import Text, opened

MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>"}
_LIKE_A_NUMBER = r"[-+]?\.?\d[^A-DF-Za-df-z]*"  # perhaps a damaged one; not 6enc
_INDEX = r"Unnamed: \d+"  # what pandas calls an index that it finds without a name
_SAMPLE = 50  # rows that decide what separates the cells


class Columns(NamedTuple):
    """The columns of a curve, and what to know about their reading.

    Attributes:
        x: places (m,).
        y: values (m, runs), a column a run.
        weights: of the rows (m,), if asked for; ``sd``: standard deviations of y, likewise.
        x_name: name of x; ``y_names``: of each y. A column without a name is "column 3".
        warnings: what could have been meant otherwise, a line each.
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    sd: np.ndarray | None
    x_name: str
    y_names: tuple[str, ...]
    warnings: tuple[str, ...]


def read(
    file: Path,
    x: str | None = None,
    y: Sequence[str] = (),
    weights: str | None = None,
    sd: str | None = None,
) -> Columns:
    """Read columns by name or, counted from 1, by number; what is missing is NaN.

    Args:
        file: its path, see ``text_file.opened``.
        x: column of x; by default the first that is not asked for as something else.
        y: columns of y; by default the next one, if possible one with a name.
        weights: column of weights, if any; ``sd``: of standard deviations.

    Raises:
        BadInput: what cannot be opened or is no text, no such column, or a row that has too many
            cells or one that is no number.
    """
    table = _Table(opened(file))
    names = table.names
    given = [None if one is None else table.place(one) for one in (x, *y, weights, sd)]
    at_x, *at_y, at_weights, at_sd = given
    free = [i for i in range(len(names)) if i not in given]
    if at_x is None:
        at_x = table.default("x", free)
        free = free[1:]
    if not at_y:
        at_y = [table.default("y", [i for i in free if i not in table.unnamed] or free)]
    places = [i for i in (at_x, *at_y, at_weights, at_sd) if i is not None]
    for i in places:
        if places.count(i) > 1:
            raise BadInput(f"{table.file}: column {names[i]!r} is asked for twice")
    values = table.numbers(places)
    return Columns(
        x=values[at_x],
        y=np.stack([values[i] for i in at_y if i is not None], axis=1),
        weights=None if at_weights is None else values[at_weights],
        sd=None if at_sd is None else values[at_sd],
        x_name=names[at_x],
        y_names=tuple(names[i] for i in at_y if i is not None),
        warnings=tuple(table.told),
    )


class Examples(NamedTuple):
    """Rows of features under names, the words of their labels, and what to know about both.

    Attributes:
        features: (n, p), NaN where nothing stands; ``names``: of the columns (p,).
        labels: as they stand (n,); ``label``: the name of their column.
        warnings: what could have been meant otherwise, a line each.
    """

    features: np.ndarray
    names: tuple[str, ...]
    labels: list[str]
    label: str
    warnings: tuple[str, ...]


def examples(file: Path, label: str | None = None, drop: Sequence[str] = ()) -> Examples:
    """Read all columns as numbers but one, which holds labels, and those that are dropped.

    Args:
        file: its path, see ``text_file.opened``.
        label: its column, by name or number from 1; by default the last one.
        drop: columns that are not read.

    Raises:
        BadInput: as ``read``.
    """
    table = _Table(opened(file))
    names = table.names
    at = len(names) - 1 if label is None else table.place(label)
    if label is None:
        table.told.append(f"the labels are {names[at]!r}, the last column; if not, say --label")
    away = {at, *map(table.place, drop)}
    places = [i for i in range(len(names)) if i not in away]
    if not places:
        raise BadInput(f"{table.file}: no column is left for features")
    words: list[str] = []
    values = table.numbers(places, (at, words))
    for i in places:
        if _counts(values[i]):
            hint = f"if it is an index and no feature, say --drop {i + 1}"
            table.told.append(f"{names[i]!r} counts the rows: {hint}")
    return Examples(
        features=np.stack([values[i] for i in places], axis=1),
        names=tuple(names[i] for i in places),
        labels=words,
        label=names[at],
        warnings=tuple(table.told),
    )


class _Table:
    """A text as rows of cells under names, and what is to be told about them."""

    def __init__(self, text: Text):
        self.file = text.name
        self.told = list(text.warnings)
        self._text = text
        self._comments: list[str] = []  # so far
        self._spanning = 0  # rows of several lines so far
        self._cut = self._separator()
        self._body = self._rows(self._cut)
        self.names, self.unnamed = self._head()

    def place(self, wanted: str) -> int:
        """Return where the column called ``wanted`` stands."""
        name, names = clean(wanted), self.names
        if names.count(name) > 1:
            raise BadInput(f"{self.file}: two columns are called {name!r}: give a number from 1")
        for same in (name, name.lstrip("# ")):  # as it stands in a comment
            if same in names:
                return names.index(same)
        numbers = [str(number) for number in range(1, len(names) + 1)]
        if wanted.lstrip("0") in numbers:
            return numbers.index(wanted.lstrip("0"))
        raise BadInput(f"{self.file}: no column {wanted!r} (there are: {_listed(names)})")

    def default(self, what: str, free: list[int]) -> int:
        """Return the first free column, with a warning if it has no name."""
        if not free:
            raise BadInput(f"{self.file}: no column is left for {what}")
        if free[0] in self.unnamed:
            say = f"if it only counts rows, say --{what} (there are: {_listed(self.names)})"
            self.told.append(f"{what} is {self.names[free[0]]}, which has no name: {say}")
        return free[0]

    def numbers(
        self, places: Sequence[int], words: tuple[int, list[str]] | None = None
    ) -> dict[int, np.ndarray]:
        """Read the columns at ``places``, and check every row on the way.

        Args:
            places: of columns of numbers.
            words: place of a column that may hold anything, and the list it is appended to.
        """
        width, columns = len(self.names), {i: array("d") for i in places}
        above, spanning, short = len(self._comments), self._spanning, 0
        for at, row in self._body:
            if len(row) != width:
                if any(row[width:]) or (len(row) < width and self._cut == " "):
                    raise BadInput(f"{self.file}, line {at}: {len(row)} cells, expected {width}")
                short += len(row) < width
                row += [""] * (width - len(row))
            for i, column in columns.items():
                value = _number(row[i])
                if value is None:
                    raise BadInput(f"{self.file}, line {at}: {_refusal(self.names[i], row[i])}")
                column.append(value)
            if words is not None:
                words[1].append(row[words[0]])
        if not columns[places[0]]:
            raise BadInput(f"{self.file}: no numbers below the names ({_listed(self.names)})")
        several = self._spanning - spanning
        for what, count in (
            ("rows with fewer cells than names, taken as empty", short),
            ("lines with # among the numbers, passed over", len(self._comments) - above),
            ("rows with a quoted cell of several lines (a quote missing?)", several),
        ):
            self.told += [f"{what}: {count}"] if count else []
        return {i: np.frombuffer(column) for i, column in columns.items()}

    def _rows(self, cut: str) -> Iterator[tuple[int, list[str]]]:
        """Yield each row that holds something, with the number of the line where it begins."""
        self._comments, self._spanning = [], 0
        begins = at = 0  # begins is 0 between rows; inside a quoted cell every line counts

        def lines() -> Iterator[str]:
            nonlocal begins, at
            for at, line in enumerate(self._text.lines(), 1):
                if not begins and line.lstrip().startswith("#"):
                    self._comments.append(line)
                elif begins or line.strip():
                    begins = begins or at
                    yield line if cut != " " else line.strip().replace("\t", " ") + "\n"

        try:
            for row in csv.reader(lines(), delimiter=cut, skipinitialspace=True, strict=True):
                self._spanning += at > begins
                first, begins = begins, 0
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield first, cells
        except csv.Error as problem:
            raise BadInput(f"{self.file}, line {begins}: {problem}") from None

    def _separator(self) -> str:
        """Return the first separator that the first row and most of the next ones hold.

        A comma comes after the tab and the semicolon, beside which it may be a decimal comma.
        """
        problem = None
        for cut in "\t;, ":
            try:
                widths = [len(row) for _, row in itertools.islice(self._rows(cut), _SAMPLE)]
            except BadInput as trouble:
                problem = trouble
                continue
            if not widths:
                raise BadInput(f"{self.file}: empty")
            if widths[0] > 1 and 2 * sum(width > 1 for width in widths) > len(widths):
                return cut
        raise problem or BadInput(f"{self.file}: one column, expected at least two (, ; tab blank)")

    def _head(self) -> tuple[list[str], set[int]]:
        """Take the names off the rows; return them, and which columns have none among them."""
        at, first = next(self._body)
        if self._spanning:
            self.told.append(f"line {at} begins a quoted cell of several lines")
        numbers = [_number(cell) is not None for cell in first]
        names = self._names_in_comment(len(first)) if any(numbers) else []
        if names or all(numbers):
            self._body = itertools.chain([(at, first)], self._body)
        else:
            names = [clean(cell) for cell in first]
            if any(re.fullmatch(_LIKE_A_NUMBER, name) for name in names):
                self.told.append(f"line {at} is taken for names, though some look like numbers")
        unnamed = {i for i, name in enumerate(names) if not name or re.fullmatch(_INDEX, name)}
        plain = [f"column {i}" for i in range(1, len(first) + 1)]
        return [name or other for name, other in zip(names or plain, plain, strict=True)], unnamed

    def _names_in_comment(self, width: int) -> list[str]:
        """Return the words of the last comment above the rows, if they are as many as columns."""
        bare = [line.strip(" \n").lstrip("#") for line in self._comments]
        last = next((line for line in reversed(bare) if line.strip()), "")
        for cells in (last.split(self._cut), last.split()):
            names = [clean(cell.strip(' "')) for cell in cells]
            words = [name for name in names if name]
            if len(names) == width and words and all(_number(word) is None for word in words):
                self.told.append(f"the names are those of a comment: {_listed(names)}")
                return names
        return []


def clean(name: str) -> str:
    r"""Return a name as one printable line.

    >>> clean("C\n (FLOP)")
    'C (FLOP)'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def _counts(column: np.ndarray) -> bool:
    """Say whether a column is 0, 1, 2, ... or 1, 2, 3, ... from the first row to the last."""
    count = np.arange(len(column))
    return len(column) > 2 and any(np.array_equal(column, count + first) for first in (0, 1))


def _number(cell: str) -> float | None:
    """Return a number, NaN for what is missing, None for what is neither."""
    try:
        return float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        return float("nan") if cell.lower() in MISSING else None


def _refusal(name: str, cell: str) -> str:
    comma = re.fullmatch(r"[-+]?\d[\d.]*(,\d+)+([eE][-+]?\d+)?", cell)
    hint = " (write 1234.5 for 1,234.5 or 1234,5)" if comma else ""
    return f"{_short(name)} = {_short(cell)!r} is not a number{hint}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(_short(name) for name in names[:20]) + (", ..." if len(names) > 20 else "")


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
