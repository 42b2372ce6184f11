"""Editing for life: two kinds of forgetting, half-lives under replay, and the anchor for ever."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("lifelong_editing_batch", "lifelong_editing", "lifelong_editing_anchor")


def draw(results: Results) -> Figure:
    """Base risk of both editors; share of the base under replay; the anchor against surprise."""
    kinds, replay, anchor = (dataset(name, results) for name in EXPERIMENTS)
    phenomenon = series.phenomenon_of(kinds)
    made, axes = style.figure(1, 3, height=3.4)
    a, b, c = axes[0]
    panel = curves.contents(kinds, "base_risk", "edits", "editor", {"ridge": 1.0, "noise": 1.0})
    hidden = curves.paint(a, panel)
    a.set_title("a   one by one, or all kept")
    a.set_ylabel("excess risk on the base [label²]")
    style.legend_under(a, handles=panel.keys)

    panel = curves.contents(replay, "base_share", "edits", "replay", {"ridge": 20.0, "noise": 1.0})
    hidden = curves.paint(b, panel) or hidden
    b.axhline(0.5, color="black", lw=0.6)
    style.scale(b, "y", 0.0, 1.0, "linear")
    b.set_title("b   replay, ridge 20")
    b.set_ylabel("share of the base [1]")
    style.legend_under(b, handles=panel.keys)

    fixed, noises = series.fixed_values(anchor), anchor["noise"].to_numpy()
    fixed["edits"] = last = int(anchor["edits"].max())
    fine = np.linspace(noises.min(), noises.max(), 60)
    form = series.closed_form(phenomenon, "lifelong ridge", fixed, "noise", fine)
    c.plot(fine, form, color="black")
    found = curves.contents(anchor, "base_risk", "ridge", "noise", {"edits": last}).curves
    marks.places(
        c, noises, [f.measured for f in found], style.PALETTE[0], style.MARKERS[0], f"{last} edits"
    )
    c.set_title("c   anchor for a risk of 1/2")
    c.set_xlabel("surprise, noise [label²]")
    c.set_ylabel("ridge that keeps the base")
    style.legend_under(c)
    runs = " / ".join(str(series.replicates(data)) for data in (kinds, replay, anchor))
    style.legend_below(made, marks.keys(replicates=runs, hidden=hidden))
    style.head(made, "Edits one by one lose a base gradually, edits all kept lose it at K n = p")
    return made


if __name__ == "__main__":
    main(__file__)
