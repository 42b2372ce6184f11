"""What a command prints: one strict JSON document, or text and tables for people.

All of it goes through here, and so do the words of other people in it: see ``printable``.

>>> print_json({"value": float("nan"), "shape": (2, 3)})
{
  "value": null,
  "shape": [2, 3]
}
"""

import io
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from ci_theory._errors import printable
from ci_theory._shown import plain


def say(text: object = "", *, file: TextIO | None = None) -> None:
    """Print a line, by default on stdout, with nothing in it that a terminal would act on."""
    print(printable(text), file=file or sys.stdout)


def print_json(document: Any) -> None:
    """Print one JSON document on stdout; what is not a finite number becomes null."""
    print(_json(plain(document), ""))


def answer(document: Any, as_json: bool, show: Callable[[], None]) -> None:
    """Print a document as JSON, or what people read in its place."""
    if as_json:
        print_json(document)
    else:
        show()


def _json(value: Any, indent: str) -> str:
    """Write an entry a line, but an array of numbers, however long, on one."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{json.dumps(k)}: {_json(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(v, dict) for v in value):
        return "[\n" + ",\n".join(deeper + _json(v, deeper) for v in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)


def number(value: Any, digits: int = 5) -> str:
    """Write a number for people.

    >>> number(0.1 + 0.2), number(100), number(float("nan")), number(1234567.0), number(2.5e-7)
    ('0.3', '100', '-', '1.2346e+06', '2.5e-07')
    >>> number(float("inf")), number(float("-inf")), number(None), number(True)
    ('inf', '-inf', '-', 'true')
    """
    if isinstance(value, bool | str):
        return str(value).lower() if isinstance(value, bool) else value
    if value is None or not math.isfinite(value):
        return "-" if value is None or math.isnan(value) else ("inf" if value > 0 else "-inf")
    return (
        str(int(value)) if float(value).is_integer() and abs(value) < 1e6 else f"{value:.{digits}g}"
    )


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    indent: int = 2,
    keys: int = 0,
) -> None:
    """Print a table that fits the terminal; ``right`` names the columns of numbers.

    Where it would not fit, long headers are broken after their last underscore. Where numbers would
    be broken even so, a table with ``keys`` is printed in parts, each with that many first columns.
    """
    rows, room = list(rows), _width() - indent
    for place, part in enumerate(_parts(room, [_broken(h) for h in headers], rows, keys)):
        if place:
            say()
        cells = [[row[n] for n in part] for row in rows]
        _print_part([headers[n] for n in part], cells, right, indent)


def _print_part(
    headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str], indent: int
) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    room = _width() - indent
    wide = sum(_widths(headers, rows, _longest_line)) > room
    shown = [_broken(h) if wide else h for h in headers]
    for header, text, width in zip(headers, shown, _shared(room, shown, rows), strict=True):
        side: Any = "right" if header in right else "left"
        first = header == headers[0]
        table.add_column(_text(text), justify=side, overflow="fold", no_wrap=first, width=width)
    for row in rows:
        table.add_row(*map(_text, row))
    _print(table, indent)


def _broken(header: str) -> str:
    return "_\n".join(header.rsplit("_", 1)) if len(header) > 12 else header


def _parts(
    room: int, headers: Sequence[str], rows: Sequence[Sequence[str]], keys: int
) -> list[list[int]]:
    """Divide columns among tables in which no word is broken, if that can be."""
    widths = _widths(headers, rows, _longest_word)
    first, parts = list(range(keys)), [list(range(keys))]
    for n in range(keys, len(headers)):
        full = sum(widths[m] for m in [*parts[-1], n]) > room
        if keys and full and len(parts[-1]) > keys:
            parts.append(first.copy())
        parts[-1].append(n)
    return parts


def print_lines(pairs: Iterable[tuple[str, str]], *, indent: int = 2, width: int = 12) -> None:
    """Print "name  text" pairs with the text wrapped beside the names."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2 if width else 1))
    table.add_column(min_width=width)
    table.add_column(overflow="fold")
    for name, text in pairs:
        table.add_row(_text(name), _text(text))
    if table.rows:
        _print(table, indent)


def _shared(room: int, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int | None]:
    """Share a width among columns so that no word is broken; None if all or nothing fits."""
    want = _widths(headers, rows, _longest_line)
    words = _widths(headers, rows, _longest_word)
    widths = [*want[:1], *words[1:]]  # the first column is never wrapped
    if sum(want) <= room or sum(widths) > room:
        return [None] * len(widths)
    for _ in range(room - sum(widths)):  # what wraps most gets the next character
        most = max(range(len(widths)), key=lambda n: want[n] / widths[n])
        widths[most] += 1
    return [width - _GAP for width in widths]


_GAP = 2  # columns are this far apart


def _widths(
    headers: Sequence[str], rows: Iterable[Sequence[str]], of: Callable[[str], int]
) -> list[int]:
    return [max(map(of, column)) + _GAP for column in zip(headers, *rows, strict=True)]


def _longest_line(cell: str) -> int:
    return max(map(len, cell.split("\n")))


def _longest_word(cell: str) -> int:
    return max(map(len, cell.split()), default=0)


def _width() -> int:
    return max(shutil.get_terminal_size().columns, 60)


def _text(cell: str) -> Any:
    """Return a cell as it is laid out: its lines one below the other."""
    from rich.text import Text

    return Text("\n".join(map(printable, cell.split("\n"))))


def _print(drawing: Any, indent: int) -> None:
    """Print a rich drawing as plain text: the same in a terminal, a pipe, a file, a notebook."""
    from rich.console import Console

    paper = io.StringIO()
    # Both are otherwise guessed from variables and from a notebook's kernel.
    plainly: dict[str, Any] = {"force_jupyter": False, "color_system": None}
    console = Console(file=paper, width=_width() - indent, emoji=False, markup=False, **plainly)
    console.print(drawing)
    for line in paper.getvalue().strip("\n").splitlines():
        if line.strip():
            print(f"{'':{indent}}{line}".rstrip())
