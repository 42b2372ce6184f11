"""Run and check every declared sweep, and write docs/verdicts.md: python paper_figs/_verdicts.py.

Sweeps made for a picture (``fig_*``) or for the demo are left out. Stores are those of the figures,
so that what was run before is only checked; name sweeps to do no more than those.
"""

import sys
from collections import Counter
from pathlib import Path

from ci_theory import __version__, enable_float64
from ci_theory._errors import BadInput
from ci_theory.check import check, locate_breaks
from ci_theory.figures import paper
from ci_theory.phenomena import load
from ci_theory.sweeps import read_sweep

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "verdicts.md"
HEAD = """# Verdicts

What `ci-theory run` and `ci-theory check` say of every prediction in every sweep of `experiments/`,
written by `make verdicts` (ci_theory {version}, seeds as declared). {total}
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

A slice is one curve of a sweep. *Agree*: the interval of the measured break (95 %) meets the range
that the slack of the prediction allows, or neither has a break. *Miss*: intervals that do not hold
the predicted break itself; by chance a twentieth would. An exact prediction
has no slack: a miss is a disagreement there, and means no more than that.

| sweep | break | slices | agree | disagree | nothing told | miss |
|---|---|---|---|---|---|---|
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


def breaks(name: str, data) -> list[str]:
    """Return a row for every kind of break of a sweep that a prediction speaks about."""
    found = locate_breaks(data).found
    rows = []
    for kind in dict.fromkeys(one.kind.name for one in found):
        slices = [one for one in found if one.kind.name == kind]
        said = Counter(one.agrees for one in slices)
        covers = Counter(one.covers for one in slices)
        told = f"{said[True]} | {said[False]} | {said[None]}"
        miss = f"{covers[False]} of {covers[True] + covers[False]}"
        if said[True] + said[False]:
            rows.append(f"| {name} | {kind} | {len(slices)} | {told} | {miss} |")
    return rows


def main() -> None:
    """Write the page; a sweep that is named on the command line is only run and checked."""
    enable_float64()
    rows, places, counts = [], [], Counter()
    for name in sys.argv[1:] or declared():
        print(name, file=sys.stderr, flush=True)
        try:
            data = paper.dataset(name, paper.STORES)
        except BadInput as problem:
            print(problem, file=sys.stderr)
            sys.exit(2)
        more, seen = predictions(name, data)
        rows, counts, places = rows + more, counts + seen, places + breaks(name, data)
    total = f"{sum(counts.values())} predictions in {len(declared())} sweeps: "
    total += ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()) + "."
    text = HEAD.format(version=__version__, total=total) + "\n".join(rows) + "\n"
    text += BREAKS + "\n".join(places) + "\n"
    if sys.argv[1:]:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
