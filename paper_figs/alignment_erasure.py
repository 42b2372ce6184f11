"""A handful of fine-tuning rows undoes an alignment: how many, and what helps against it."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = (
    "alignment_erasure",
    "alignment_erasure_apart",
    "alignment_erasure_defences",
)
HALF = "half of the alignment gone"
DECOY = "nothing in common"


def draw(results: Results) -> Figure:
    """Response against rows; rows that halve it against d; attacks under two defences."""
    together, apart, defences = (dataset(name, results) for name in EXPERIMENTS)
    made, axes = style.figure(2, 2, height=6.4)
    (a, b), (c, d) = axes
    panel = curves.contents(
        together, "response", "n", "d", {"shared": 1.0, "push": 1.0}, decoys=True
    )
    hidden = curves.paint(a, panel, decoys=(DECOY,))
    a.set_yscale("linear")
    a.axhline(0.5, color="black", lw=0.6)
    a.set_ylabel("share of the response left [1]")
    a.set_title("a   rows share a component that grows with d")
    style.legend_under(a, handles=panel.keys)

    held = (
        (together, {"shared": 1.0, "push": 1.0}, "they share it"),
        (together, {"shared": 0.5, "push": 1.0}, "they share half of it"),
        (apart, {"shared": 0.0, "reversal": 1.0, "noise": 0.25}, "nothing in common, reversed"),
    )
    phenomenon = series.phenomenon_of(together)
    ends = [float(v) for v in (apart["d"].min(), together["d"].max())]
    fine = np.unique(np.geomspace(*ends, 50).astype(int))
    for i, (data, fixed, text) in enumerate(held):
        found = curves.contents(data, "response", "n", "d", fixed).curves
        values = {**series.fixed_values(data), **fixed}
        form = series.closed_form(phenomenon, HALF, values, "d", fine)
        b.plot(fine, form, color=style.PALETTE[i])
        sizes = data["d"].to_numpy().astype(float)
        measured = [f.measured for f in found]
        marks.places(b, sizes, measured, style.PALETTE[i], style.MARKERS[i], text)
    style.scale(b, "x", *ends, "log")
    b.set_yscale("log")
    b.set_ylabel("rows that leave half [rows]")
    b.set_xlabel("input dimension d [parameters]")
    b.set_title("b   a handful, or a share of d")

    rest = {"safe": 0, "frozen": 0.0, "overlap": 1.0, "push": 1.0}
    titles = ("c   safety rows mixed in", "d   a frozen estimate of the direction")
    for panel_, axis, title in zip((c, d), ("safe", "frozen"), titles, strict=True):
        fixed = {k: v for k, v in rest.items() if k != axis}
        panel = curves.contents(defences, "attack_success", "n", axis, fixed)
        hidden &= curves.paint(panel_, panel)
        panel_.set_yscale("linear")
        panel_.axhline(0.5, color="black", lw=0.6)
        panel_.set_ylabel("attack success [1]")
        panel_.set_title(title)
        style.legend_under(panel_, handles=panel.keys)
    for panel_ in (a, c, d):
        panel_.set_xlabel("fine-tuning rows n that erase [rows]")
    style.legend_under(b)
    runs = "{} (nothing in common: {})".format(*(series.replicates(x) for x in (together, apart)))
    keys = marks.keys(replicates=runs, hidden=hidden, decoys=(DECOY,))
    style.legend_below(made, keys)
    title = "What fine-tuning rows share decides how many undo an alignment, not the dimension"
    note = series.verdict(together, "response", "attack_success")
    style.head(made, title, note)
    return made


if __name__ == "__main__":
    main(__file__)
