r"""Plain words of the package as Markdown and reStructuredText: nothing in them becomes markup.

>>> markdown("E_x costs $5 | see docs/ridge/ridge.md, `a_b`", up="../")
'E\\_x costs \\$5 \\| see [ridge](../ridge/ridge.md), `a_b`'
"""

import re

from web.typeset import prose

__all__ = ["LISTS", "heading", "markdown", "rst", "table", "with_formulas"]

LISTS = ("design", "extending", "finite_size", "gallery", "verdicts", "clusters")
"""Pages of docs/ that are not about a subject: they name every phenomenon, or none."""

_CODE = re.compile(r"(`+[^`]+`+)")
_MARK = re.compile(r"([\\*_{}\[\]<>|$~#])")
_SIGN = re.compile(r"([\\*_{}\[\]|$~#])")
_LITERAL = re.compile(r"(:[\w:]+:`[^`]+`|``.+?``|`[^`]+`_?|\*\*?\w[^*\n]*\*\*?)", re.DOTALL)
_PAGE = re.compile(r"docs/((?:\w+/)?(\w+))\.md")
_ARXIV = re.compile(r"arXiv:\s?(\d{4}\.\d{4,5})")


def markdown(text: str, up: str = "") -> str:
    """Escape words for MyST; code stays code, pages of docs/ and arXiv numbers become links.

    Args:
        text: the words.
        up: path from the page to the root of the site.
    """
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if part.startswith("`") else _linked(part, up) for part in parts)


def with_formulas(text: str, up: str = "") -> str:
    r"""Return words for MyST as ``markdown`` does, with the formulas among them typeset.

    >>> with_formulas("a share of n -> 0: E_x costs $5, see docs/rows/repetition.md, `a_b`")
    'a share of <i>n</i> → 0: <i>E</i><sub><i>x</i></sub> costs \\$5, see
    [repetition](rows/repetition.md), `a_b`'
    """
    parts = _CODE.split(" ".join(text.split()))
    return "".join(p if p.startswith("`") else _linked(prose(p), up, _SIGN) for p in parts)


def _linked(text: str, up: str, marks: re.Pattern[str] = _MARK) -> str:
    escaped = marks.sub(r"\\\1", text)
    escaped = _PAGE.sub(
        lambda m: f"[{m[2].replace('_', ' ')}]({up}{m[1]}.md)", escaped.replace("\\_", "_")
    )
    # underscores inside words are no emphasis; at their ends they would be
    kept = [p if p.startswith("[") else p.replace("_", "\\_") for p in _split_links(escaped)]
    return _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", "".join(kept))


def _split_links(text: str) -> list[str]:
    return re.split(r"(\[[^\]]*\]\([^)]*\))", text)


def rst(text: str) -> str:
    r"""Escape words for reStructuredText; literals and roles stay.

    >>> print(rst("``a_`` and |w|^2, x_ and d*"))
    ``a_`` and \|w\|^2, x\_ and d\*
    """
    parts = _LITERAL.split(_PAGE.sub(r":doc:`/\1`", text))
    return "".join(part if n % 2 else _bare(part) for n, part in enumerate(parts))


def _bare(text: str) -> str:
    escaped = re.sub(r"([|*]|_(?!\w))", r"\\\1", text)
    return _ARXIV.sub(r"`arXiv:\1 <https://arxiv.org/abs/\1>`__", escaped)


def heading(text: str, mark: str) -> str:
    """Return a heading of reStructuredText."""
    return f"{text}\n{mark * max(4, len(text) + 2)}\n"


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table of cells that are escaped already."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell or '-' for cell in line)} |" for line in lines) + "\n"
