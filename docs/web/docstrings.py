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

from web.words import rst

__all__ = ["SECTIONS", "repaired"]

SECTIONS = ("Regime", "Limits", "Source", "Symbols", "Errors")
"""Sections of ours that are a word at the beginning of a line or a sentence."""

_NAPOLEON = re.compile(r"^(Args|Returns|Raises|Yields|Attributes|Example|Examples|Note|Notes):$")
_OURS = re.compile(rf"(?:^|(?<=[.)`] ))({'|'.join(SECTIONS)}):(?=\s|$)")
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
        if not indented:
            inside = _opened(bare)
        elif not inside and blank:
            made += [".. code-block:: text", ""]
            inside = "block"
        verbatim = inside in ("directive", "block") or bare.startswith(">>>") or inside == "doctest"
        made.append(line if verbatim else _words(line))
        blank = False
    return made


def _opened(line: str) -> str:
    """Say what the indented lines below a line are."""
    if line.startswith(">>>"):
        return "doctest"
    if line.startswith("..") or line.endswith("::"):
        return "directive"
    if _NAPOLEON.match(line):
        return "section"
    return "list" if _LIST.match(line) else ""


def _words(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return indent + _OURS.sub(r"**\1:**", rst(line.strip()))
