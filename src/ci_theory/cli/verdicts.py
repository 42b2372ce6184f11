"""`ci-theory check` and `ci-theory locate`: what a store says about predictions and breaks."""

import sys
from pathlib import Path
from typing import Any

from ci_theory._errors import BadInput
from ci_theory.check import Report, check
from ci_theory.cli import experiments
from ci_theory.cli.output import print_lines, print_table
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
    return sorted(file.parent for file in folder.rglob("plan-000.json"))


def complete_dataset(store: Store) -> Any:
    """Read a store, and say on stderr what is missing in it."""
    data = store.dataset()
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


def print_report(report: Report, title: str) -> None:
    """Print the verdicts of a sweep: the numbers in a table, the reasons below."""
    print(f"{title}: {report.verdict.value} (family-wise level {report.level:g})")
    rows = report.table()
    columns = ["prediction", "verdict", "cells", "bias", "finds", "worst z"]
    print_table(columns, [[row[c] for c in columns] for row in rows], right=columns[2:])
    for row in rows:
        print_lines([(row["prediction"], row["reason"]), ("decoys", row["decoys"])])
