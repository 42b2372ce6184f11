"""Runs of networks that belong to no sweep, kept as text with their provenance.

The tables of docs/attention/in_context.md and docs/discrete/modular_arithmetic.md are made of
these: scripts paper_figs/_attention.py and others.
"""

import datetime
import hashlib
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from ci_theory._errors import BadInput
from ci_theory.sweeps.parts import write_whole
from ci_theory.sweeps.reached import reached

__all__ = ["formula", "keep", "rows", "write_between"]


def formula(parts: Sequence[Any]) -> str:
    """Return the hash of all the code of the package that some functions and classes reach.

    >>> from ci_theory.tasks import written_prompts
    >>> len(formula([written_prompts.draw]))
    16
    """
    texts = sorted([p.module, p.name or "", text] for p, text in reached(parts).items())
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]


def keep(
    file: Path, title: str, parts: Sequence[Any], seed: int, columns: str, lines: Sequence[str]
) -> None:
    """Write runs of now, a line each.

    Args:
        file: where to.
        title: of the runs.
        parts: of the package, that they were made with.
        seed: of the runs.
        columns: names, with commas.
        lines: values likewise.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    device = f"machine {platform.machine()}, device {jax.devices()[0].device_kind}"
    head = [
        f"# title: {title}",
        f"# formula: {formula(parts)}",
        f"# seed: {seed}",
        f"# session: jax {version('jax')}, jaxlib {version('jaxlib')}, {device}, ended {now}",
        columns,
    ]
    write_whole(file, ("\n".join([*head, *lines]) + "\n").encode())


def rows(file: Path) -> list[list[str]]:
    """Return the values that were kept, as text."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    return [line.split(",") for line in lines[1:]]


def write_between(page: Path, begin: str, end: str, text: str) -> None:
    """Replace what stands between two marks of a page.

    Raises:
        BadInput: the page has not each of them once, in this order.
    """
    whole = page.read_text(encoding="utf-8")
    if (whole.count(begin), whole.count(end)) != (1, 1) or whole.index(begin) > whole.index(end):
        marks = f"{begin.strip()!r} once, and {end.strip()!r} once after it"
        raise BadInput(f"{page}: expected {marks}")
    head, _, rest = whole.partition(begin)
    _, _, tail = rest.partition(end)
    page.write_text(f"{head}{begin}{text}{end}{tail}", encoding="utf-8")
