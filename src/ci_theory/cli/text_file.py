"""A person's own text, whatever holds it: a file, a pipe or standard input, plain or packed.

>>> opened(Path("no/such.csv"))
Traceback (most recent call last):
ci_theory._errors.BadInput: no/such.csv: no such file
"""

import codecs
import importlib
import io
import sys
import zlib
from pathlib import Path
from typing import NamedTuple, TextIO

from ci_theory._errors import BadInput

MOST_BYTES = 200_000_000

_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "lzma"}  # first bytes: module
_MARKED = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Text(NamedTuple):
    """A text that was read.

    Attributes:
        name: what to call it in a message.
        raw: its bytes, unpacked; ``encoding``: what they are.
        warnings: what could have been meant otherwise, a line each.
    """

    name: str
    raw: bytes
    encoding: str
    warnings: tuple[str, ...]

    def lines(self) -> TextIO:
        """Return its lines, each ended by a newline, whatever ended them."""
        return io.TextIOWrapper(io.BytesIO(self.raw), self.encoding, newline=None)


def opened(file: Path) -> Text:
    """Read a text, once; "-" is standard input.

    It may be UTF-8, UTF-16 with its mark or, with a warning, Latin-1; and packed by gzip, bzip2
    or xz, whatever its name.

    Raises:
        BadInput: it cannot be read, is too large, damaged or no text.
    """
    name = "standard input" if str(file) == "-" else str(file)
    raw = _unpacked(name, _bytes(file, name))
    if len(raw) > MOST_BYTES:
        raise BadInput(f"{name}: larger than {MOST_BYTES // 10**6} MB: average it first")
    encoding = next((kind for mark, kind in _MARKED.items() if raw.startswith(mark)), "utf-8")
    try:
        binary = "\0" in raw.decode(encoding)
    except UnicodeDecodeError:
        binary = encoding != "utf-8" or b"\0" in raw
        encoding = "latin-1"
    if binary:
        raise BadInput(f"{name}: not a text file (expected UTF-8, or UTF-16 with its mark)")
    odd = encoding == "latin-1"
    told = ("not UTF-8: read as Latin-1, so that names may look odd",) if odd else ()
    return Text(name, raw, encoding, told)


def _bytes(file: Path, name: str) -> bytes:
    """Read no more than one byte beyond what is allowed."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with open(file, "rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise BadInput(f"{name}: no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{name}: a folder, expected a file") from None
    except AttributeError:  # how Python shows a program that it has no standard input
        raise BadInput(f"{name}: closed") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise BadInput(f"{name}: cannot be read: {reason}") from None


def _unpacked(name: str, raw: bytes) -> bytes:
    kind = next((kind for first, kind in _PACKED.items() if raw.startswith(first)), None)
    if kind is None:
        return raw
    module = importlib.import_module(kind)  # when needed: not every Python is built with all
    broken = getattr(module, "LZMAError", zlib.error)
    try:
        with module.open(io.BytesIO(raw)) as stream:
            return stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error, broken) as problem:
        raise BadInput(f"{name}: damaged {kind} file: {problem}") from None
