"""`ci-theory predict --elasticity`: which number matters for which prediction, and how much."""

from collections.abc import Mapping
from typing import Any

from ci_theory import phenomena
from ci_theory.cli.output import number, plain, print_table, say
from ci_theory.phenomena import Phenomenon
from ci_theory.sweeps.values import single

COLUMNS = 3
"""Predictions side by side."""


def document(phenomenon: Phenomenon, words: Mapping[str, str]) -> dict[str, Any]:
    """Differentiate the predictions of a phenomenon at a point.

    Args:
        phenomenon: the phenomenon.
        words: dotted name -> value, as text.

    Returns:
        {"phenomenon", "params", "values", "elasticities"}; the last a list of {"knob", "at",
        "unit", "prediction", "elasticity", "slope", "how"}, by knob, the one that matters most
        first.

    Raises:
        BadInput: unknown names, bad values, a list or a range.
    """
    axes, where = phenomenon.axes, phenomenon.name
    told = "an elasticity is of one point"
    point = {
        key: single(axes, key, text, where=where, asked=f"{key}={text}: {told}")
        for key, text in words.items()
    }
    found = phenomena.sensitivity(phenomenon, point)
    made = {
        "phenomenon": phenomenon.name,
        "params": phenomenon.point(point),
        "values": {s.prediction: s.value for s in found},
        "elasticities": [
            {
                "knob": s.knob,
                "at": s.at,
                "unit": axes[s.knob].unit,
                "prediction": s.prediction,
                "elasticity": s.elasticity,
                "slope": s.slope,
                "how": s.how,
            }
            for s in found
        ],
    }
    return plain(made)


def print_elasticity(made: Mapping[str, Any]) -> None:
    """Print a table, a line a knob and a column a prediction."""
    names = sorted(made["values"])
    say(f"{made['phenomenon']}: d log(prediction) / d log(number), the one that matters most first")
    say()
    rows: dict[str, dict[str, Any]] = {}
    for entry in made["elasticities"]:
        rows.setdefault(entry["knob"], {})[entry["prediction"]] = entry
    cells: list[str] = []
    for start in range(0, len(names), COLUMNS):
        some = names[start : start + COLUMNS]
        table = [["", "value", *(number(made["values"][name]) for name in some)]]
        for knob in sorted(rows, key=lambda k: -max(_size(rows[k][name]) for name in some)):
            entries = rows[knob]
            at = number(next(iter(entries.values()))["at"])
            table.append([knob, at, *(_cell(entries[name]) for name in some)])
        print_table(["number", "at", *some], table, right=["at", *some])
        cells += [cell for row in table[1:] for cell in row[2:]]
        say()
    if any(cell.startswith("~") for cell in cells):
        say("  ~ from difference quotients: the theory is prepared value by value, or not smooth")
    if any(cell.endswith("/1") for cell in cells):
        say("  /1: the number is 0 here, so d prediction / d number is given instead")
    if "-" in cells:
        say("  - no derivative here: the end of a range, a kink, or 0 means another model")


def _size(entry: Mapping[str, Any]) -> float:
    return abs(entry["elasticity"] or 0.0)


def _cell(entry: Mapping[str, Any]) -> str:
    if entry["how"] == "none":
        return "-"
    mark = "~" if entry["how"] == "differences" else ""
    if entry["elasticity"] is None:
        return f"{mark}{number(entry['slope'], 4)}/1"
    return f"{mark}{number(round(entry['elasticity'], 9), 4)}"
