r"""Every public function of ``theory`` with what its own docstring says of it.

A docstring that has a ``Regime:`` and a ``Source:`` is that of a closed form; one that has neither
is that of a building block (a spectrum, a quadrature rule, a solver). The files are read, not
imported: a listing needs no JAX, and nothing is typed a second time.

>>> (found,) = [f for f in catalogue() if f.path == "ridge.isotropic.optimal_ridge"]
>>> print(found.statement)
ridge = p noise / signal
>>> print(found.scope, found.source, sep=" | ")
exact. | Bayes; Dobriban and Wager, arXiv:1507.03003.
"""

import ast
import dataclasses
import functools
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Formula", "catalogue"]

ROOM = Path(__file__).parents[1]
"""The folder whose files are read."""

# A section begins where a line or a sentence begins with its name.
_SECTION = re.compile(
    r"(?:^[ ]*|(?<=[.:)`] ))(Regime|Limits|Source|Args|Returns|Raises|Attributes):(?=\s)", re.M
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Formula:
    """A public function of ``theory``.

    Attributes:
        name: of the function.
        where: dotted path of its module below ``ci_theory.theory``.
        title: first line of the docstring.
        statement: its formulas, as they stand there (LaTeX or plain); "" if the title is all.
        scope: the regime in which it holds, with the order of what is left out.
        limits: what it tends to; "" where none is given.
        source: where it is from.
        call: name and arguments.
        returns: type of what comes back, "" if it is not annotated.
        doc: the whole docstring.
    """

    name: str
    where: str
    title: str
    statement: str
    scope: str
    limits: str
    source: str
    call: str
    returns: str
    doc: str

    @property
    def closed(self) -> bool:
        """Whether it is a closed form, and not a building block."""
        return bool(self.scope and self.source)

    @property
    def path(self) -> str:
        """Dotted path of the function below ``ci_theory.theory``."""
        return f"{self.where}.{self.name}"

    @property
    def example(self) -> str:
        """The doctest, "" if there is none."""
        return self.doc[self.doc.index(">>>") :].rstrip() if ">>>" in self.doc else ""

    def mentions(self, word: str) -> bool:
        """Whether a word, in small or capital letters, is in its name, path or docstring."""
        return word.casefold() in f"{self.path}\n{self.doc}".casefold()


@functools.cache
def catalogue() -> tuple[Formula, ...]:
    """Read every public function of ``theory``, in order of module and place."""
    return tuple(
        formula
        for file in sorted(ROOM.rglob("*.py"))
        for formula in _read(file, ".".join(file.relative_to(ROOM).with_suffix("").parts))
    )


def _read(file: Path, where: str) -> Iterator[Formula]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            doc = ast.get_docstring(node) or ""
            body = doc.split(">>>")[0]
            yield Formula(
                name=node.name,
                where=where,
                title=doc.split("\n")[0],
                statement=_formulas(body),
                scope=_section(body, "Regime"),
                limits=_section(body, "Limits"),
                source=_section(body, "Source"),
                call=f"{node.name}({ast.unparse(node.args)})",
                returns=ast.unparse(node.returns) if node.returns else "",
                doc=doc,
            )


def _section(doc: str, name: str) -> str:
    """Return a section of a docstring on one line: up to the next one or an empty line."""
    marks = list(_SECTION.finditer(doc))
    ends = [*(mark.start() for mark in marks), len(doc)][1:]
    for mark, end in zip(marks, ends, strict=True):
        if mark[1] == name:
            return " ".join(doc[mark.end() : end].split("\n\n")[0].split())
    return ""


def _formulas(doc: str) -> str:
    """Return what is set off as a formula: ``.. math::`` blocks, or indented lines before Args."""
    blocks = re.split(r"\n\s*\n", _SECTION.split(doc)[0])
    found = []
    for block in blocks[1:]:
        text = block.strip("\n")
        if text.startswith(".. math::"):
            lines = text.removeprefix(".. math::").strip().splitlines()
            found.append("\n".join(line.strip() for line in lines))
        elif text.startswith("    "):
            found.append(textwrap.dedent(text).rstrip())
    return "\n".join(found)
