r"""Docstrings as reStructuredText that renders: three ways to write a formula.

Ours have ``.. math::`` blocks in LaTeX, indented blocks of plain text, and formulas in the running
words (``|w|^2``). An indented block would be a quotation, and is typeset; ``|w|`` would be a
substitution.

>>> print(*repaired(["Risk of |w|^2.", "", "    E = B + noise", "", "Regime: exact."]), sep="\n")
Risk of \|w\|^2.
<BLANKLINE>
.. raw:: html
<BLANKLINE>
    <div class="plain-formula"><i>E</i> = <i>B</i> + noise</div>
<BLANKLINE>
**Regime:** exact.
"""

import re
import textwrap
from collections.abc import Sequence
from itertools import groupby

from web.typeset import block
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
            made.append(_BLOCK)
            inside = "block"
        verbatim = inside in ("directive", "block") or bare.startswith(">>>") or inside == "doctest"
        made.append(line if verbatim else _WORDS + line)
        blank = False
    return [line for told, lines in groupby(made, _is_words) for line in _said(told, list(lines))]


_BLOCK = ".. raw:: html"  # before a block of formulas in plain text
_WORDS = "\0"  # before a line that is words: a literal may go on in the next one


def _is_words(line: str) -> bool:
    return line.startswith(_WORDS)


def _said(words: bool, lines: list[str]) -> list[str]:
    """Escape lines of words together; any other line is as it was."""
    if not words:
        return _typeset(lines)
    text = rst("\n".join(line.removeprefix(_WORDS) for line in lines))
    return [_OURS.sub(r"\1**\2:**", line) for line in text.split("\n")]


def _typeset(lines: list[str]) -> list[str]:
    """Set the block of formulas that begins in lines which are no words, if one does."""
    if _BLOCK not in lines:
        return lines
    begin = lines.index(_BLOCK)
    formulas = "\n".join(lines[begin + 1 :]).rstrip().split("\n")
    after = len(lines) - begin - 1 - len(formulas)
    made = textwrap.indent(block(formulas), "    ")
    return [*lines[: begin + 1], "", *made.split("\n"), *[""] * after]


def _opened(line: str) -> str:
    """Say what the indented lines below a line are."""
    if line.startswith(">>>"):
        return "doctest"
    if line.startswith("..") or line.endswith("::"):
        return "directive"
    if _NAPOLEON.match(line):
        return "section"
    return "list" if _LIST.match(line) else ""
