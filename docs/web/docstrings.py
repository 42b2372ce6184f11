r"""Docstrings as reStructuredText that renders: three ways to set a formula off become two.

Ours have ``.. math::`` blocks in LaTeX, indented blocks of plain text, and formulas in the running
words (``|w|^2``). An indented block would be a quotation and ``|w|`` a substitution.

>>> print(*repaired(["Risk of |w|^2.", "", "    E = B + noise", "", "Regime: exact."]), sep="\n")
Risk of \|w\|^2.
<BLANKLINE>
.. code-block:: text
<BLANKLINE>
    E = B + noise
<BLANKLINE>
**Regime:** exact.
"""

import re
from collections.abc import Sequence
from itertools import groupby

from web.words import rst

__all__ = ["SECTIONS", "repaired"]

SECTIONS = ("Regime", "Limits", "Source", "Symbols", "Errors")
"""Sections of ours that are a word at the beginning of a line or a sentence."""

_NAPOLEON = re.compile(r"^(Args|Returns|Raises|Yields|Attributes|Example|Examples|Note|Notes):$")
_OURS = re.compile(rf"(^\s*|(?<=[.)`] ))({'|'.join(SECTIONS)}):(?=\s|$)")
_LIST = re.compile(r"^(?:[-*+]|\d+[.)]|#\.)\s")


def repaired(lines: Sequence[str]) -> list[str]:
    """Return the lines of a docstring so that they render as they were meant.

    Args:
        lines: of a docstring whose indentation is taken off.
    """
    made: list[str] = []
    inside = ""  # what an indented line belongs to: "", "section", "directive", "block", "list"
    blank = True
    for line in lines:
        bare, indented = line.strip(), line.startswith(" ")
        if not bare:
            made.append("")
            blank = True
            continue
        if inside == "doctest" and not blank:
            made.append(line)  # what the example prints
            continue
        if not indented:
            inside = _opened(bare)
        elif not inside and blank:
            made += [".. code-block:: text", ""]
            inside = "block"
        verbatim = inside in ("directive", "block") or bare.startswith(">>>") or inside == "doctest"
        made.append(line if verbatim else _WORDS + line)
        blank = False
    return [line for told, lines in groupby(made, _is_words) for line in _said(told, list(lines))]


_WORDS = "\0"  # before a line that is words: a literal may go on in the next one


def _is_words(line: str) -> bool:
    return line.startswith(_WORDS)


def _said(words: bool, lines: list[str]) -> list[str]:
    """Escape lines of words together; any other line is as it was."""
    if not words:
        return lines
    text = rst("\n".join(line.removeprefix(_WORDS) for line in lines))
    return [_OURS.sub(r"\1**\2:**", line) for line in text.split("\n")]


def _opened(line: str) -> str:
    """Say what the indented lines below a line are."""
    if line.startswith(">>>"):
        return "doctest"
    if line.startswith("..") or line.endswith("::"):
        return "directive"
    if _NAPOLEON.match(line):
        return "section"
    return "list" if _LIST.match(line) else ""
