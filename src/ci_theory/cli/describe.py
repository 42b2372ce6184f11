"""`ci-theory list` and `ci-theory show`: the phenomena as documents and as text."""

from typing import Any

from ci_theory._errors import BadInput
from ci_theory._record import Axis
from ci_theory.cli.output import number, print_lines, print_table, say
from ci_theory.phenomena import Phenomenon, load, names


def catalogue() -> list[dict[str, Any]]:
    """Describe every registered phenomenon; one that cannot be loaded says why.

    A broken plug-in of somebody else must not take the others with it.
    """
    found = []
    for name in names():
        try:
            found.append(document(load(name)))
        except BadInput as problem:
            found.append({"name": name, "error": str(problem)})
    return found


def document(phenomenon: Phenomenon) -> dict[str, Any]:
    """Describe a phenomenon by everything that it declares."""
    return {
        "name": phenomenon.name,
        "title": phenomenon.title,
        "claims": list(phenomenon.claims),
        "question": phenomenon.question,
        "model": phenomenon.model,
        "predictions": [
            {**p.words(), "decoys": [{"name": d.name, "why": d.why} for d in p.decoys]}
            for p in phenomenon.predictions
        ],
        "breaks": [
            {"name": b.name, "axis": b.axis, "measure": b.measure, "statement": b.statement}
            for b in phenomenon.breaks
        ],
        "measures": {
            name: {"unit": unit, "doc": doc}
            for name, (unit, doc) in phenomenon.measure_info.items()
        },
        "axes": {
            name: {
                "kind": axis.kind.value,
                "type": axis.type.__name__,
                "unit": axis.unit,
                "default": axis.default,
                "bounds": bounds(axis),
                "doc": axis.doc,
            }
            for name, axis in phenomenon.axes.items()
        },
    }


def bounds(axis: Axis) -> str:
    """Say which values an axis takes.

    >>> from ci_theory._record import Kind
    >>> common = dict(name="f", kind=Kind.STATIC, unit="", doc="a field")
    >>> bounds(Axis(type=float, default=1, low=0, high=1, **common))
    '0 .. 1'
    >>> bounds(Axis(type=float, default=1, above=0, **common))
    '> 0'
    >>> bounds(Axis(type=str, default="a", choices=("a", "b"), **common))
    'a | b'
    """
    if axis.choices is not None:
        return " | ".join(axis.choices)
    if axis.type is bool:
        return "true | false"
    low = axis.low if axis.low is not None else axis.above
    if low is not None and axis.high is not None:
        return f"{number(low)} {'..' if axis.above is None else '<..'} {number(axis.high)}"
    if axis.high is not None:
        return f"<= {number(axis.high)}"
    if low is not None:
        return f"{'>=' if axis.above is None else '>'} {number(low)}"
    return "any" if axis.type in (int, float) else "text"


def print_catalogue(entries: list[dict[str, Any]]) -> None:
    """Print a paragraph per phenomenon."""
    for entry in entries:
        if "error" in entry:
            say(entry["error"])
            continue
        _print_title(entry)
        lines = [
            ("claims", ", ".join(map(str, entry["claims"])) or "none"),
            ("predictions", ", ".join(p["name"] for p in entry["predictions"])),
            ("break points", ", ".join(f"{b['name']} ({b['axis']})" for b in entry["breaks"])),
            ("axes", ", ".join(entry["axes"])),
        ]
        print_lines([line for line in lines if line[1]])


def print_phenomenon(entry: dict[str, Any]) -> None:
    """Print everything about one phenomenon."""
    _print_title(entry)
    print_lines(
        [
            ("claims", ", ".join(map(str, entry["claims"])) or "none"),
            ("question", entry["question"]),
            ("model", entry["model"]),
        ]
    )
    for p in entry["predictions"]:
        say()
        say(f"prediction {p['name']} (mean of {p['measure']})")
        print_lines(
            [
                ("formula", p["statement"]),
                ("scope", p["scope"]),
                ("slack", p["order"]),
                ("source", p["source"]),
                *([("stated by", ", ".join(p["formulas"]))] if p["formulas"] else []),
            ]
        )
        if p["decoys"]:
            say("  wrong on purpose, to be rejected by the same data:")
            print_lines(((d["name"], d["why"]) for d in p["decoys"]), indent=4)
    if entry["breaks"]:
        say()
        say("break points")
        print_lines(
            (
                b["name"],
                f"{b['measure']} along {b['axis']}"
                + (f": {b['statement']}" if b["statement"] else ""),
            )
            for b in entry["breaks"]
        )
    say()
    say("measures")
    print_lines(
        (name, f"{m['doc']} [{m['unit'] or 'no unit'}]") for name, m in entry["measures"].items()
    )
    say()
    say("axes")
    print_table(
        ["axis", "kind", "default", "values", "meaning [unit]"],
        [
            [
                name,
                a["kind"],
                number(a["default"]),
                a["bounds"],
                a["doc"] + (f" [{a['unit']}]" if a["unit"] else ""),
            ]
            for name, a in entry["axes"].items()
        ],
        right=["default"],
    )
    kinds = {a["kind"] for a in entry["axes"].values()}
    print_lines((kind, text) for kind, text in KINDS.items() if kind in kinds)


def _print_title(entry: dict[str, Any]) -> None:
    print_lines([(f"{entry['name']}:", entry["title"])], indent=0, width=0)


KINDS = {
    "static": "one compilation a value",
    "traced": "values run side by side in one program",
    "sized": "a count: values run side by side, padded to the largest",
    "inner": "all values share the expensive work of one run",
}
