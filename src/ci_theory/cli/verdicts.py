"""`ci-theory check` and `ci-theory locate`: what a store says about predictions and breaks."""

import json
import sys
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ci_theory._errors import MESSAGES, BadInput, Status
from ci_theory.check import Report, Verdict, check
from ci_theory.check.break_table import WORDS
from ci_theory.check.breaks import Breaks, locate_breaks
from ci_theory.check.located import Located
from ci_theory.check.reading import coarse
from ci_theory.check.room import FOUND, Room
from ci_theory.check.verdict import probability_level
from ci_theory.cli import experiments
from ci_theory.cli.output import number, print_lines, print_table, say
from ci_theory.locate.point import BreakPoint
from ci_theory.phenomena import load, names
from ci_theory.sweeps import Store
from ci_theory.sweeps.provenance import formula_hash


def open_store(place: str) -> Store:
    """Open the store in a folder, or the one that an experiment was run into.

    Raises:
        BadInput: neither a store nor an experiment that has been run.
    """
    if Path(place).is_dir():
        return Store.open(place)
    if Path(place).name != place and Path(place).suffix != ".toml":
        raise BadInput(f"{place}: no such folder of results: `ci-theory run` writes them")
    folder = experiments.store_of(place)
    if not folder.is_dir():
        command = f"ci-theory run {place}{_allowing(place)}"
        raise BadInput(f"{place}: nothing in {folder} yet: `{command}` comes first")
    return Store.open(folder)


def _allowing(place: str) -> str:
    """Return the option without which an experiment cannot be run; empty if it needs none."""
    with suppress(OSError, ValueError):  # of a file that is no experiment, `run` says why
        word = tomllib.loads(experiments.find(place).read_text()).get("phenomenon")
        if isinstance(word, str) and word not in names() and not word.startswith("ci_theory."):
            return f" --allow {word}" if word.replace(".", "").isidentifier() else ""
    return ""


def stores_below(folder: Path) -> list[Path]:
    """Find the stores in a folder, at any depth."""
    return sorted({file.parent for file in folder.rglob("plan-[0-9]*.json")})  # also damaged ones


def readable(folder: Path) -> Store:
    """Open a store whose phenomenon may be loaded; nothing is said yet.

    Raises:
        BadInput: no store there, or what it is of may not be loaded.
    """
    store = Store.open(folder)
    try:
        load(store.sweep.phenomenon, trusted=False)
    except BadInput as problem:
        raise BadInput(f"{folder}: {problem}") from None
    return store


def complete_dataset(store: Store) -> Any:
    """Read a store; say on stderr what is missing or damaged."""
    data = store.dataset()
    for line in json.loads(data.attrs["damaged"]):
        say(f"ci-theory: {line}: left out", file=sys.stderr)
    for count, what in [
        (data.attrs["missing"], "not simulated yet"),
        (data.attrs["not_finite"], "not finite: their cells are not judged"),
    ]:
        if count:
            runs = f"{count} of {data['status'].size} values"
            say(f"ci-theory: {store.folder}: {runs} {what}", file=sys.stderr)
    if coarse(data):
        say(f"ci-theory: {store.folder}: simulated in float32: no verdict", file=sys.stderr)
    return data


def same_simulation(store: Store) -> bool | None:
    """Say whether a store was simulated by what its phenomenon simulates now; warn if it was not.

    None where the source of a simulation is not to be found.
    """
    then = store.plans[-1].identity.get("formula")
    try:
        now = formula_hash(load(store.sweep.phenomenon, trusted=False))
    except BadInput:
        return None
    if then != now:
        say(
            f"ci-theory: {store.folder}: {store.sweep.phenomenon} simulates otherwise now: its "
            f"simulation source was {then}, here it is {now}; what is judged are the runs of then: "
            "`ci-theory run` with --store and a new folder simulates anew",
            file=sys.stderr,
        )
    return bool(then == now)


def check_store(folder: Path, level: float = 1e-3) -> tuple[dict[str, Any], Report]:
    """Check a store's predictions: the document for JSON, and the report behind it.

    Raises:
        BadInput: no store there, or a level that is not a probability.
    """
    probability_level(level)  # before anything is said on stderr
    store = readable(folder)
    same = same_simulation(store)
    data = complete_dataset(store)
    report = check(data, level=level)
    about = {"store": str(folder), "sweep": data.attrs["name"], "same_simulation": same}
    counts = {name: data.attrs[name] for name in ("missing", "not_finite")}
    return {**about, **report.to_json(), **counts}, report


def locate_in_store(folder: Path, level: float = 1e-3) -> tuple[dict[str, Any], Breaks]:
    """Locate the breaks of a store's curves: the document for JSON, and what is behind it.

    Raises:
        BadInput: no store there, or a level that is not a probability.
    """
    probability_level(level)
    store = readable(folder)
    same = same_simulation(store)
    data = complete_dataset(store)
    found = locate_breaks(data, level=level, remedies=True)
    about = {"store": str(folder), "sweep": data.attrs["name"], "same_simulation": same}
    return {**about, **found.to_json()}, found


def print_breaks(found: Breaks) -> None:
    """Print a verdict on each kind of break, and its slices: measured beside predicted."""
    if not found.found:
        say("no break points: none is defined on an axis of this sweep with 3 or more values")
        return
    say(f"breaks: {found.verdict.value} at a family-wise level of {found.level:g}")
    for kind in found.kinds:
        these, what = kind.found, kind.kind
        say(f"{what.name}: place on the axis {what.axis} where {what.measure} breaks")
        print_lines([("", f"{kind.verdict.value}: {kind.reason}")], width=0)
        if what.name in found.remedies:
            print_lines([("to decide", found.remedies[what.name].line)], width=9)
        others = list(these[0].at)
        single = ["runs"] if any(one.measured.reached is not None for one in these) else []
        foretold = [] if _untold(these) else ["predicted [slack]", "formula", "agree", "why"]
        rows = []
        for one in these:
            last = _told(one) if foretold else []
            runs = [_runs(one)] if single else []
            rows.append([*(number(one.at[k], 4) for k in others), *runs, _measured(one), *last])
        print_table(
            [*others, *single, "measured [95 %]", *foretold], rows, right=[*others, "formula"]
        )
        if any(one.delicate for one in these):
            say("  * heavy tails at the break: the interval may be too narrow")
    print_lines([("", found.note)], width=0)


def _untold(these: Sequence[Located]) -> bool:
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
    return [
        _foretold(one.expected),
        number(one.closed_form, 4),
        WORDS[one.agrees],
        one.said.why,
    ]


def _foretold(expected: Room) -> str:
    """Return a predicted break with what its slack leaves open, as text."""
    p, spread = expected.point, f"[{number(expected.low, 4)}, {number(expected.high, 4)}]"
    if p.status not in FOUND:
        words = _place(p, p.low, p.high)
        return f"{words}, or one in {spread}" if expected.somewhere else words
    text = number(p.value, 4) + (f" {spread}" if expected.low < expected.high else "")
    return f"{text} or none" if expected.may_vanish else text


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
        say(f"{report.phenomenon} predicts nothing to check; `ci-theory locate` finds its breaks")
        return
    say(f"predictions: {report.verdict.value} at a family-wise level of {report.level:g}")
    rows = report.table()
    columns = ["prediction", "verdict", "cells", "bias", "finds", "worst z"]
    print_table(columns, [[row[c] for c in columns] for row in rows], right=columns[2:])
    for row in rows:
        print_lines([(row["prediction"], row["reason"])], width=18)
        if row["prediction"] in report.unsound:
            print_lines([("  left out", report.unsound[row["prediction"]])], width=18)
        if row["verdict"] != Verdict.OUT_OF_SCOPE.value:
            print_lines([("  decoys", row["decoys"])], width=18)
        if row["prediction"] in report.remedies:
            print_lines([("  to decide", report.remedies[row["prediction"]].line)], width=18)
    for axis in report.idle:
        print_lines([(axis, "changes no prediction here: nothing is tested by it")], width=18)
