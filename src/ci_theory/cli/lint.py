"""`ci-theory lint`: what a phenomenon declares, and whether the laws hold of it."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from inspect import get_annotations
from typing import Any, get_type_hints

from ci_theory._record import axes_of
from ci_theory.cli.output import print_table, say
from ci_theory.phenomena import Phenomenon
from ci_theory.sweeps.values import single
from ci_theory.testing import LAWS, Broken, laws

HOLDS, BROKEN, NOTE = "holds", "BROKEN", "note"


def document(phenomenon: Phenomenon, words: Mapping[str, str], every: bool) -> dict[str, Any]:
    """Hold a phenomenon to its laws, and note what its reader will miss.

    Args:
        phenomenon: anybody's; that its declarations hold together was checked when it was made.
        words: dotted name -> a value, as text: the point at which it is looked at.
        every: also the laws for which its simulation has to be compiled.

    Returns:
        {"phenomenon", "good", "rows"}; entries of "rows" are {"what", "verdict", "seen"}. Notes
        do not count against it.

    Raises:
        BadInput: an unknown name or a bad value.
    """
    axes, where = phenomenon.axes, phenomenon.name
    at = {
        key: single(axes, key, text, where=where, asked=f"lint {key}={text}")
        for key, text in words.items()
    }
    phenomenon.point(at)
    rows = [{"what": what, "verdict": NOTE, "seen": seen} for what, seen in _notes(phenomenon)]
    for name, law in LAWS.items():
        if law.compiles and not every:
            continue
        try:
            laws(phenomenon, at=at, only=[name])
            rows.append({"what": name, "verdict": HOLDS, "seen": law.statement})
        except Broken as broken:
            rows.append({"what": name, "verdict": BROKEN, "seen": broken.seen})
    good = all(row["verdict"] != BROKEN for row in rows)
    return {"phenomenon": phenomenon.name, "good": good, "rows": rows}


def _notes(phenomenon: Phenomenon) -> list[tuple[str, str]]:
    """Return what is declared and could say more: (where, what)."""
    notes = []
    mixed_in = _of_the_package(phenomenon.params)
    for name, axis in phenomenon.axes.items():
        if axis.type not in (int, float) or name in mixed_in:
            continue
        if not axis.unit:
            notes.append((name, "no unit: write unit='1' if it has none"))
        if axis.low is None and axis.above is None and axis.high is None:
            notes.append((name, "no bounds: any number is accepted"))
    measures = {p.measure for p in phenomenon.predictions} | {b.measure for b in phenomenon.breaks}
    for name in phenomenon.measure_info:
        if name not in measures:
            notes.append((name, "measured, but nothing predicts it and no break is in it"))
    for sought in phenomenon.breaks:
        if sought.closed_form is not None and not sought.statement.strip():
            notes.append((f"break {sought.name}", "its closed form has no statement in words"))
    if not phenomenon.breaks:
        notes.append(("breaks", "none: `ci-theory locate` will find nothing"))
    return notes


def _of_the_package(params: type) -> set[str]:
    """Return the fields that a record of somebody's has from this package."""
    if _ours(params):
        return set()
    hints = get_type_hints(params)
    found = {name for base in filter(_ours, params.__mro__) for name in get_annotations(base)}
    for name in [f.name for f in fields(params) if is_dataclass(hints[f.name])]:
        part = hints[name]
        inside = axes_of(part) if _ours(part) else _of_the_package(part)
        found |= {f"{name}.{field}" for field in inside}
    return found


def _ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "ci_theory"


def print_lint(made: Mapping[str, Any], every: bool) -> None:
    """Print the rows as a table, and what was not looked at."""
    broken = sum(row["verdict"] == BROKEN for row in made["rows"])
    held = sum(row["verdict"] == HOLDS for row in made["rows"])
    say(f"{made['phenomenon']}: {held} of {held + broken} laws hold")
    columns = ["what", "verdict", "seen"]
    print_table(columns, [[row[c] for c in columns] for row in made["rows"]])
    if not every:
        left = [name for name, law in LAWS.items() if law.compiles]
        say(f"not looked at: {', '.join(left)}: --all compiles the simulation for them")
