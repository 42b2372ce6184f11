"""`ci-theory check` and `ci-theory locate`: what a store says about predictions and breaks."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ci_theory._errors import MESSAGES, BadInput, Status
from ci_theory.check import Report, Verdict, check
from ci_theory.check.breaks import Breaks, Located, locate_breaks
from ci_theory.cli import experiments
from ci_theory.cli.output import number, print_lines, print_table
from ci_theory.locate.point import BreakPoint
from ci_theory.sweeps import Store


def open_store(place: str) -> Store:
    """Open the store in a folder, or the one that an experiment was run into.

    Raises:
        BadInput: neither a store nor an experiment that has been run.
    """
    if Path(place).is_dir():
        return Store.open(place)
    folder = experiments.store_of(place)
    if not folder.is_dir():
        raise BadInput(f"{place}: nothing in {folder} yet: `ci-theory run {place}` comes first")
    return Store.open(folder)


def stores_below(folder: Path) -> list[Path]:
    """Find the stores in a folder, at any depth."""
    return sorted({file.parent for file in folder.rglob("plan-[0-9]*.json")})  # also damaged ones


def complete_dataset(store: Store) -> Any:
    """Read a store, and say on stderr what is missing or damaged in it."""
    data = store.dataset()
    for line in json.loads(data.attrs["damaged"]):
        print(f"ci-theory: {line}: left out", file=sys.stderr)
    for count, what in [
        (data.attrs["missing"], "not simulated yet"),
        (data.attrs["not_finite"], "not finite: their cells are not judged"),
    ]:
        if count:
            runs = f"{count} of {data['status'].size} values"
            print(f"ci-theory: {store.folder}: {runs} {what}", file=sys.stderr)
    return data


def check_store(folder: Path, level: float = 1e-3) -> tuple[dict[str, Any], Report]:
    """Check a store's predictions: the document for JSON, and the report behind it.

    Raises:
        BadInput: no store there, or a level that is not a probability.
    """
    if not 0 < level < 1:
        raise BadInput(f"level = {level}: must be between 0 and 1")
    data = complete_dataset(Store.open(folder))
    report = check(data, level=level)
    about = {"store": str(folder), "sweep": data.attrs["name"]}
    counts = {name: data.attrs[name] for name in ("missing", "not_finite")}
    return {**about, **report.to_json(), **counts}, report


def locate_in_store(folder: Path) -> tuple[dict[str, Any], Breaks]:
    """Locate the breaks of a store's curves: the document for JSON, and what is behind it."""
    data = complete_dataset(Store.open(folder))
    found = locate_breaks(data)
    return {"store": str(folder), "sweep": data.attrs["name"], **found.to_json()}, found


def print_breaks(found: Breaks) -> None:
    """Print measured break points with intervals beside predicted ones, a table for each kind."""
    if not found.found:
        print("no break points: none is defined on an axis of this sweep with 3 or more values")
        return
    for kind in dict.fromkeys(one.kind.name for one in found.found):
        these = [one for one in found.found if one.kind.name == kind]
        first = these[0]
        print(f"{kind}: place on the axis {first.kind.axis} where {first.kind.measure} breaks")
        others = list(first.at)
        single = ["runs"] if any(one.measured.reached is not None for one in these) else []
        foretold = [] if _untold(these) else ["predicted [slack]", "formula", "agree"]
        rows = []
        for one in these:
            last = _told(one) if foretold else []
            runs = [_runs(one)] if single else []
            rows.append([*(number(one.at[k], 4) for k in others), *runs, _measured(one), *last])
        print_table(
            [*others, *single, "measured [95 %]", *foretold], rows, right=[*others, "formula"]
        )
        if any(one.delicate for one in these):
            print("  * heavy tails at the break: the interval may be too narrow")
    print_lines([("", found.note)], width=0)


def _untold(these: list[Located]) -> bool:
    """Say whether neither a prediction nor a formula speaks about any of these breaks."""
    silent = [one.predicted.status == Status.OUT_OF_SCOPE for one in these]
    return all(silent) and not any(np.isfinite(one.closed_form) for one in these)


def _runs(one: Located) -> str:
    """Return how many runs broke, each by itself, as text."""
    m = one.measured
    return "-" if m.reached is None else f"{m.reached} of {m.replicates}"


def _measured(one: Located) -> str:
    """Return a measured break as text."""
    m = one.measured
    return _place(m, m.low, m.high) + ("*" if one.delicate else "")


def _told(one: Located) -> list[str]:
    """Return what is known of one break beforehand, as text: predicted, closed form, agreement."""
    p = one.predicted
    exact = one.predicted_low == one.predicted_high and np.isfinite(p.value)
    return [
        number(p.value, 4) if exact else _place(p, one.predicted_low, one.predicted_high),
        number(one.closed_form, 4),
        {None: "-", True: "yes", False: "NO"}[one.agrees],
    ]


def _place(point: BreakPoint, low: float, high: float) -> str:
    if np.isfinite(point.value):
        return f"{number(point.value, 4)} [{number(low, 4)}, {number(high, 4)}]"
    if point.status == Status.CENSORED:
        return f"not by the end [{number(low, 4)}, {number(high, 4)}]"
    short = {Status.NO_BREAK: "none", Status.OUT_OF_SCOPE: "-"}
    return short.get(Status(point.status), MESSAGES[Status(point.status)])


def print_report(report: Report) -> None:
    """Print the verdicts of a sweep: the numbers in a table, the reasons below."""
    if not report.outcomes:
        print(f"{report.phenomenon} predicts nothing to check; `ci-theory locate` finds its breaks")
        return
    print(f"predictions: {report.verdict.value} at a family-wise level of {report.level:g}")
    rows = report.table()
    columns = ["prediction", "verdict", "cells", "bias", "finds", "worst z"]
    print_table(columns, [[row[c] for c in columns] for row in rows], right=columns[2:])
    for row in rows:
        print_lines([(row["prediction"], row["reason"])], width=18)
        if row["verdict"] != Verdict.OUT_OF_SCOPE.value:
            print_lines([("  decoys", row["decoys"])], width=18)
