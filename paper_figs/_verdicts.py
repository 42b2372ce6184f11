"""Run and check every declared sweep, and write docs/verdicts.md: python paper_figs/_verdicts.py.

Sweeps made for a picture (``fig_*``) or for the demo are left out. Stores are those of the figures,
so that what was run before is only checked; name sweeps to do no more than those.
"""

import sys
from collections import Counter
from pathlib import Path

from ci_theory import __version__, enable_float64
from ci_theory._errors import BadInput
from ci_theory.check import Verdict, check, locate_breaks
from ci_theory.figures import paper
from ci_theory.phenomena import load
from ci_theory.sweeps import read_sweep

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "verdicts.md"
HEAD = """# Verdicts

What `ci-theory check` and `ci-theory locate` say of every prediction and every break point in every
sweep of `experiments/`, written by `make verdicts` (ci_theory {version}, seeds as declared).

- **{predictions} predictions** in {sweeps} sweeps: {verdicts}.
- **{breaks} kinds of break points** in their sweeps, {slices} slices: {places}. {told} slices tell
  where the break is, {wrong} disagree.

UNDERPOWERED: the sweep is too small for its [finite-size slack](finite_size.md); DISAGREES: a
finding, for real images see [real data](real_data.md).

*Bias*: pooled relative deviation of the means from the prediction. *Finds*: the smallest bias that
this sweep would have found with 95 % probability, finite-size slack included; above 3 % the verdict
is UNDERPOWERED. *Worst z*: the cell furthest beyond its slack. *Decoys*: wrong predictions rejected
by the same data, with the same slack; vacuous ones say what the prediction says on this sweep. The
level of 1e-3 is for a whole sweep. A prediction that speaks about no cell of a sweep is left out.

| sweep | cells x runs | prediction | verdict | bias | finds | worst z | decoys |
|---|---|---|---|---|---|---|---|
"""
BREAKS = """
## Break points

A slice is one curve of a sweep. *Predicted*: slices whose prediction has a break, or may have one
within its slack. *Tell*: slices in which a break was found and its interval compared with the range
that the slack allows, where most places on the axis would have failed. *Agree*: those that pass,
and those without a break where none is predicted or the slack allows none. The intervals that
decide are wide enough for a level of 1e-3 for all slices of a sweep together. UNDERPOWERED: no
slice tells a place, or fewer than half of those in which a break must show. OUT_OF_SCOPE: none is
predicted in any slice. *Miss*: 95 % intervals that do not hold the predicted break itself; by
chance a twentieth would, and no slack is counted.

| sweep | break | verdict | slices | predicted | tell | agree | disagree | say nothing | miss |
|---|---|---|---|---|---|---|---|---|---|
"""


def declared() -> list[str]:
    """List the sweeps whose phenomenon predicts something."""
    files = sorted((ROOT / "experiments").glob("*.toml"))
    names = [f.stem for f in files if not f.stem.startswith(("fig_", "demo"))]
    return [name for name in names if load(_phenomenon(name)).predictions]


def _phenomenon(name: str) -> str:
    return read_sweep(ROOT / "experiments" / f"{name}.toml").phenomenon


def predictions(name: str, data) -> tuple[list[str], Counter]:
    """Return the rows of a sweep, and how often each verdict was reached."""
    report, rows, counts = check(data), [], Counter()
    for outcome, told in zip(report.outcomes, report.table(), strict=True):
        if told["verdict"] == "OUT_OF_SCOPE":
            continue
        counts[told["verdict"]] += 1
        vacuous = sum(e.vacuous for e in outcome.decoys.values())
        rejected = sum(e.rejected and not e.vacuous for e in outcome.decoys.values())
        decoys = f"{rejected} of {len(outcome.decoys) - vacuous}"
        decoys += f", {vacuous} vacuous" if vacuous else ""
        rows.append(
            f"| [{name}](../experiments/{name}.toml) | {told['cells']} x {told['replicates']} | "
            f"{told['prediction']} | {told['verdict']} | {told['bias']} | {told['finds']} | "
            f"{told['worst z']} | {decoys} |"
        )
    return rows, counts


def breaks(name: str, data) -> tuple[list[str], Counter]:
    """Return a row for every kind of break that a prediction speaks about, and what is counted."""
    rows, counts = [], Counter()
    for kind in locate_breaks(data).kinds:
        if not any(one.prediction for one in kind.found):
            continue
        counts[kind.verdict.value] += 1
        counts += Counter(slices=len(kind.found), told=kind.told, wrong=kind.count(False))
        reasons = Counter(one.said.why for one in kind.found if one.agrees is None)
        silent = "; ".join(f"{count} {why}" for why, count in reasons.most_common()) or "0"
        missed, of = kind.misses
        rows.append(
            f"| {name} | {kind.kind.name} | {kind.verdict.value} | {len(kind.found)} | "
            f"{kind.predicted} | {kind.told} | {kind.count(True)} | {kind.count(False)} | "
            f"{silent} | {missed} of {of} |"
        )
    return rows, counts


def page(rows: list[str], counts: Counter, places: list[str], seen: Counter, sweeps: int) -> str:
    """Return the text of the page."""
    return (
        HEAD.format(
            version=__version__,
            predictions=sum(counts.values()),
            sweeps=sweeps,
            verdicts=_listed(counts),
            breaks=len(places),
            slices=seen["slices"],
            places=_listed(seen),
            told=seen["told"],
            wrong=seen["wrong"],
        )
        + "\n".join(rows)
        + "\n"
        + BREAKS
        + "\n".join(places)
        + "\n"
    )


def _listed(counts: Counter) -> str:
    """Return how often each verdict was reached, as text."""
    words = {verdict.value for verdict in Verdict}
    return ", ".join(f"{n} {word}" for word, n in counts.most_common() if word in words) or "none"


def main() -> None:
    """Write the page; a sweep that is named on the command line is only run and checked."""
    enable_float64()
    rows, places, counts, seen = [], [], Counter(), Counter()
    names = sys.argv[1:] or declared()
    for name in names:
        print(name, file=sys.stderr, flush=True)
        try:
            data = paper.dataset(name, paper.STORES)
        except BadInput as problem:
            print(problem, file=sys.stderr)
            sys.exit(2)
        more, said = predictions(name, data)
        rows, counts = rows + more, counts + said
        more, said = breaks(name, data)
        places, seen = places + more, seen + said
    text = page(rows, counts, places, seen, len(names))
    if sys.argv[1:]:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
