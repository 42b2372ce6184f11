"""Run and check every declared sweep, and write what they say: python paper_figs/_verdicts.py.

It writes ``src/ci_theory/answers.json`` (what `ci-theory claims` answers from), and from that file
and the kept sweeps (``paper_figs/_keep.py``) docs/verdicts.md and the findings in README.md. Sweeps
made for a picture (``fig_*``) or for the demo are left out. Stores are those of the figures, so
that what was run before is only checked. ``_verdicts.py SWEEP ...`` replaces the answers of these
sweeps alone; ``_verdicts.py --pages`` only writes the pages anew.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ci_theory import answers, enable_float64
from ci_theory._errors import BadInput
from ci_theory.check import Verdict
from ci_theory.check.answer import answer
from ci_theory.claimed import answered
from ci_theory.claims import CLAIMS, Claim
from ci_theory.figures import paper
from ci_theory.phenomena import load
from ci_theory.sweeps import read_sweep

ROOT = Path(__file__).resolve().parents[1]
PAGE, README = ROOT / "docs" / "verdicts.md", ROOT / "README.md"
BEGIN, END = "<!-- findings: written by `make verdicts` -->\n", "<!-- end of findings -->\n"
Answer = Mapping[str, Any]
HEAD = """# Verdicts

What `ci-theory check` and `ci-theory locate` say of every prediction and every break point in every
sweep of `experiments/`, written by `make verdicts` from `src/ci_theory/answers.json`, which comes
with the package (runs of {dates}, ci_theory {versions}, jax {jax}, seeds as declared).

- **{predictions} predictions** in {sweeps} sweeps: {verdicts}.
- **{breaks} kinds of break points** in their sweeps, {slices} slices: {places}. {told} slices tell
  where the break is, {wrong} disagree.

{claims}
## Predictions

UNDERPOWERED: the sweep is too small for its [finite-size slack](finite_size.md); DISAGREES: a
finding, for real images see [real data](rows/real_data.md).

*Bias*: pooled relative deviation of the means from the prediction. *Finds*: the smallest bias that
this sweep would have found with 95 % probability, finite-size slack included; above 3 % the verdict
is UNDERPOWERED. *Worst z*: the cell furthest beyond its slack. *Decoys*: wrong predictions rejected
by the same data, with the same slack; vacuous ones say what the prediction says on this sweep. The
level of 1e-3 is for a whole sweep. A prediction that speaks about no cell of a sweep is left out.

| sweep | cells x runs | prediction | verdict | bias | finds | worst z | decoys |
|---|---|---|---|---|---|---|---|
"""
CLAIMED = """## Claims

What each claim of the seed paper comes to in our models: every part is looked at in a kept sweep
(`src/ci_theory/claimed/parts.py`), and told only where a prediction of the same measure AGREES with
that sweep and half of its slices tell. *k of m*: slices that hold of those that tell, at a level of
1e-3 for all slices of a sweep together; then what is seen in the middle one of those that hold,
with its interval at that level, a ratio after ×. A claim is contradicted if a part is, else not yet
answered if a part is not.

| # | claim | in our models | sweeps | figures |
|---|---|---|---|---|
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


def prediction_row(sweep: str, one: Answer) -> str:
    """Return a row of the table of predictions."""
    vacuous = f", {one['vacuous']} vacuous" if one["vacuous"] else ""
    decoys = f"{one['rejected']} of {one['decoys'] - one['vacuous']}{vacuous}"
    bias = "-" if one["bias"] is None else f"{one['bias']:+.2%} ± {one['error']:.2%}"
    finds = "-" if one["finds"] is None else f"{one['finds']:.2%}"
    z = "-" if one["z"] is None else f"{one['z']:+.1f}"
    return (
        f"| [{sweep}](../experiments/{sweep}.toml) | {one['judged']}/{one['cells']} x "
        f"{one['replicates']} | {one['name']} | {one['verdict']} | {bias} | {finds} | {z} | "
        f"{decoys} |"
    )


def break_row(sweep: str, one: Answer) -> str:
    """Return a row of the table of breaks."""
    silent = "; ".join(f"{count} {why}" for why, count in one["silent"].items()) or "0"
    counts = " | ".join(str(one[k]) for k in ("slices", "predicted", "told", "agree", "disagree"))
    missed = f"{one['missed']} of {one['intervals']}"
    return f"| {sweep} | {one['name']} | {one['verdict']} | {counts} | {silent} | {missed} |"


def claim_rows() -> str:
    """Return the table of claims, and what each comes to."""
    rows, figures = [], paper.shown()
    for claim in CLAIMS:
        made = answered(claim.number)
        sweeps = list(dict.fromkeys(name for one in made.parts for name in one.sweeps))
        shown = sorted({figures[name] for name in sweeps if name in figures})
        linked = ", ".join(f"[{name}](../experiments/{name}.toml)" for name in sweeps)
        pictures = ", ".join(f"[{name}](../paper_figs/{name}.py)" for name in shown)
        cells = (claim.number, claim.text, made.text, linked or "-", pictures or "-")
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows) + "\n"


def page(found: Sequence[Answer]) -> str:
    """Return the text of the page of verdicts."""
    predictions = [(one["sweep"], p) for one in found for p in one["predictions"]]
    breaks = [(one["sweep"], b) for one in found for b in one["breaks"]]
    dates = sorted({one["date"] for one in found})
    return (
        HEAD.format(
            claims=CLAIMED + claim_rows(),
            versions=_all(found, "version"),
            jax=_all(found, "jax"),
            dates=dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
            predictions=len(predictions),
            sweeps=len(found),
            verdicts=_listed(p["verdict"] for _, p in predictions),
            breaks=len(breaks),
            slices=sum(b["slices"] for _, b in breaks),
            places=_listed(b["verdict"] for _, b in breaks),
            told=sum(b["told"] for _, b in breaks),
            wrong=sum(b["disagree"] for _, b in breaks),
        )
        + "\n".join(prediction_row(*one) for one in predictions)
        + "\n"
        + BREAKS
        + "\n".join(break_row(*one) for one in breaks)
        + "\n"
    )


def _all(found: Sequence[Answer], key: str) -> str:
    return ", ".join(sorted({str(one[key]) for one in found}))


def _listed(verdicts: Any) -> str:
    """Return how often each verdict was reached, as text."""
    counts, words = Counter(verdicts), {verdict.value for verdict in Verdict}
    return ", ".join(f"{n} {word}" for word, n in counts.most_common() if word in words) or "none"


def findings(found: Sequence[Answer]) -> str:
    """Return the first answers for the README: a row for every claim that has one."""
    rows, open_ = [], []
    for claim in CLAIMS:
        ours = _of(claim, found)
        if not ours:
            open_.append(str(claim.number))
            continue
        models = ", ".join(f"`{name}`" for name in dict.fromkeys(o["phenomenon"] for o in ours))
        told = [b for one in ours for b in one["breaks"] if b["middle"]]
        words = answered(claim.number).short
        row = (
            f"| {claim.number} | {claim.text} | {words} | {models} | {_listed(_verdicts(ours))} | "
        )
        rows.append(row + (f"{_located(told[0])} |" if told else "- |"))
    verdicts = [p["verdict"] for one in found for p in one["predictions"]]
    slices = [b for one in found for b in one["breaks"]]
    return (
        f"What {len(found)} declared sweeps say of {len(verdicts)} predictions "
        f"({_listed(verdicts)}) and of\n{sum(b['slices'] for b in slices)} curves with breaks "
        f"({sum(b['told'] for b in slices)} tell the place, {sum(b['disagree'] for b in slices)} "
        "disagree), kept with the package;\n`ci-theory claims` has all numbers, "
        "[docs/verdicts.md](docs/verdicts.md) every row:\n\n"
        "| # | claimed of large models | in our models | phenomena | predictions | "
        "a break: located [95 %], predicted |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\n"
        f"Not answered yet by any phenomenon: claims {', '.join(open_)}.\n"
    )


def _of(claim: Claim, found: Sequence[Answer]) -> list[Answer]:
    """Return the answers of a claim's phenomena, then of others that declare its number."""
    others = {one["phenomenon"] for one in found} - set(claim.phenomena)
    names = [*claim.phenomena, *(n for n in sorted(others) if claim.number in load(n).claims)]
    return [one for name in names for one in found if one["phenomenon"] == name]


def _verdicts(found: Sequence[Answer]) -> list[str]:
    return [p["verdict"] for one in found for p in one["predictions"]]


def _located(one: Answer) -> str:
    value, low, high = one["middle"]["measured"]
    return f"{one['name']}: {value:g} [{low:g}, {high:g}], {one['middle']['predicted'][0]:g}"


def readme(text: str, found: Sequence[Answer]) -> str:
    """Return the README with its findings between their marks written anew."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{findings(found)}{END}{after}"


def main() -> None:
    """Run and check; write the answers, the page and the findings."""
    enable_float64()
    named = sys.argv[1:]
    found = {one["sweep"]: one for one in answers.every()} if named else {}
    for name in [] if named == ["--pages"] else named or declared():
        print(name, file=sys.stderr, flush=True)
        try:
            found[name] = answer(paper.dataset(name, paper.Results(fresh=True)))
        except BadInput as problem:
            print(problem, file=sys.stderr)
            sys.exit(2)
    if named != ["--pages"]:
        answers.write(list(found.values()))
        answers.every.cache_clear()
    PAGE.write_text(page(answers.every()), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8"), answers.every()), encoding="utf-8")


if __name__ == "__main__":
    main()
