"""`ci-theory claims`: the 25 claims, what tests them here, and what the stored checks say."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ci_theory import phenomena
from ci_theory._errors import BadInput
from ci_theory.claims import CLAIMS, Claim
from ci_theory.cli.output import print_table

PLANNED, NOT_RUN, MEASURED = "planned", "not run", "measured, nothing predicted"


def table(results: Path | None) -> list[dict[str, Any]]:
    """Return one entry a claim, with the verdict of every phenomenon that tests it.

    Args:
        results: a folder that holds stores, at any depth; None leaves everything "not run".
    """
    verdicts = {} if results is None else stored_verdicts(results)
    registered = sorted({*phenomena.names(), *verdicts})
    return [
        {
            "number": claim.number,
            "claim": claim.text,
            "cited": claim.cited,
            "break_point": claim.breaks or None,
            "phenomena": {
                name: {
                    "implemented": name in registered,
                    "verdict": _verdict(name, registered, verdicts),
                    "verdicts": dict(Counter(verdicts.get(name, []))),
                }
                for name in _models(claim, registered)
            },
        }
        for claim in CLAIMS
    ]


def _models(claim: Claim, registered: Sequence[str]) -> list[str]:
    """Names in the claim's row, then others (of third parties) that declare its number."""
    others = []
    for name in registered:
        if name in claim.phenomena:
            continue
        try:
            declared = phenomena.load(name, trusted=False).claims
        except BadInput:  # `ci-theory list` says what is wrong with it
            continue
        if claim.number in declared:
            others.append(name)
    return [*claim.phenomena, *others]


def _verdict(name: str, registered: Sequence[str], verdicts: Mapping[str, list[str]]) -> str:
    if name not in registered:
        return PLANNED
    if name not in verdicts:
        return NOT_RUN
    if not verdicts[name]:
        return MEASURED
    counts = Counter(verdicts[name])
    return ", ".join(f"{word} {count}" for word, count in sorted(counts.items()))


def stored_verdicts(results: Path) -> dict[str, list[str]]:
    """Check every store below a folder: phenomenon -> the verdicts of its predictions."""
    from ci_theory.cli.verdicts import check_store, readable, stores_below

    if not results.is_dir():
        raise BadInput(f"{results}: no such folder of results")
    found: dict[str, list[str]] = {}
    folders = stores_below(results)
    for folder in folders:  # one that cannot be read is told before anything of the others is
        readable(folder)
    for folder in folders:
        _, report = check_store(folder)
        verdicts = [outcome.verdict.value for outcome in report.outcomes]
        found.setdefault(report.phenomenon, []).extend(verdicts)
    return found


def print_claims(entries: list[dict[str, Any]]) -> None:
    """Print the table of claims."""
    print_table(
        ["#", "claim", "phenomenon: predictions against simulation", "break point"],
        [
            [
                str(e["number"]),
                f"{e['claim']} ({e['cited']})",
                "\n".join(f"{n}: {p['verdict']}" for n, p in e["phenomena"].items()),
                e["break_point"] or "-",
            ]
            for e in entries
        ],
        right=["#"],
    )
