"""The pages of closed forms: one a room of ``theory``, each form with its regime and source."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from ci_theory.theory.statements.catalogue import Formula
from web.docstrings import SECTIONS, repaired
from web.words import heading, rst

__all__ = ["index", "page", "rooms"]

ROOMS = {
    "spectra": "spectra and the effective ridge",
    "ridge": "ridge regression",
    "rows": "repeated, noisy and imbalanced rows",
    "features": "random features",
    "dynamics": "training time",
    "representations": "features that were learnt",
    "editing": "editing",
    "scaling": "scaling laws",
    "inheritance": "inheritance",
    "attention": "learning in context",
    "discrete": "facts, long tails, modular arithmetic",
    "sequences": "sequences and chains",
}
"""Rooms in the order in which they build on each other, and what they are about."""


def rooms(forms: Iterable[Formula]) -> dict[str, list[Formula]]:
    """Sort closed forms into rooms, in the order of ``ROOMS``; building blocks are left out.

    Raises:
        KeyError: a room that nobody has told what it is about.
    """
    found: dict[str, list[Formula]] = {room: [] for room in ROOMS}
    for form in forms:
        if form.closed:
            found[form.where.split(".")[0]].append(form)
    return {room: listed for room, listed in found.items() if listed}


def page(room: str, forms: Sequence[Formula], users: Mapping[str, Sequence[str]]) -> str:
    """Return the page of a room as reStructuredText.

    Args:
        room: its name.
        forms: its closed forms.
        users: module below ``theory`` -> phenomena that rest on it.
    """
    parts = [heading(_title(room), "=")]
    for where, listed in groupby(forms, key=lambda form: form.where):
        parts.append(heading(where.split(".", 1)[1].replace("_", " "), "-"))
        used = ", ".join(f":doc:`/phenomena/{name}`" for name in users.get(where, ()))
        module = f"ci_theory.theory.{where}"
        told = f" Used by {used}." if used else " A tool: no phenomenon here uses it."
        parts.append(f"Module :mod:`{module}`.{told}\n")
        parts += [_form(module, form) for form in listed]
    return "\n".join(parts)


def _title(room: str) -> str:
    return ROOMS[room][0].upper() + ROOMS[room][1:]


def _form(module: str, form: Formula) -> str:
    """One closed form: what it is, its formula, where it holds and where it is from."""
    said = repaired(_before_arguments(form.doc))
    link = f":py:func:`{form.name} <{module}.{form.name}>`"
    told = (("Regime", form.scope), ("Limits", form.limits), ("Source", form.source))
    fields = [f":Function: {link}", *(f":{name}: {rst(text)}" for name, text in told if text)]
    body = [*said, "", *fields]
    inside = "\n".join(f"   {line}".rstrip() for line in body)
    label = f".. _formula-{form.path}:\n\n"
    return f"{label}{heading(form.name, '~')}\n.. container:: formula\n\n{inside}\n"


def _before_arguments(doc: str) -> list[str]:
    """Return the lines of a docstring above its sections."""
    heads = tuple(f"{name}:" for name in (*SECTIONS, "Args", "Returns", "Raises", "Attributes"))
    lines = doc.splitlines()
    ends = (n for n, line in enumerate(lines) if line.startswith((*heads, ">>>")))
    return lines[: next(ends, len(lines))]


def _link(form: Formula) -> str:
    return f":ref:`{form.name} <formula-{form.path}>`"


def index(listed: Mapping[str, Sequence[Formula]]) -> str:
    """Return the page that lists the rooms."""
    total = sum(map(len, listed.values()))
    rows = "\n".join(
        f"* :doc:`{room}` ({len(forms)}): {', '.join(map(_link, forms))}"
        for room, forms in listed.items()
    )
    names = "\n".join(f"   {room}" for room in listed)
    return (
        heading("Formulas", "=")
        + f"\n{total} closed forms, each a public function whose docstring has the formula, the "
        "regime in which it holds and its source. ``ci-theory formulas WORDS`` searches them in "
        "the shell.\n\n"
        f"{rows}\n\n.. toctree::\n   :hidden:\n\n{names}\n"
    )
