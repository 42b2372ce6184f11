"""Edits in a metric: which metric is gentlest, what it does to half-lives, what it cannot move."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("metric_editing", "metric_editing_batch")


def draw(results: Results) -> Figure:
    """Base risk against the metric; half-lives against it; the catastrophe in three metrics."""
    each, kept = (dataset(name, results) for name in EXPERIMENTS)
    phenomenon = series.phenomenon_of(each)
    made, axes = style.figure(1, 3, height=3.4)
    a, b, c = axes[0]
    held = {"ridge": 0.5, "distance": 0.0}
    panel = curves.contents(each.sel(edits=[1, 6, 24]), "base_risk", "metric", "edits", held)
    hidden = curves.paint(a, panel)
    style.scale(a, "y", 0.01, 10.0, "log")
    a.axvline(1.0, color="black", lw=0.6)
    a.set_xlabel("metric: power of S [1]")
    a.set_ylabel("base risk [label²]")
    a.set_title("a   surprises, ridge 0.5")
    style.legend_under(a, handles=panel.keys)

    half = {k.name: k for k in phenomenon.breaks}["half of the base gone"]
    powers = each["metric"].to_numpy().astype(float)
    fine = np.linspace(powers.min(), powers.max(), 60)
    for i, ridge in enumerate(each["ridge"].to_numpy()):
        fixed = {**series.fixed_values(each), "ridge": float(ridge), "distance": 1.0}
        form = series.closed_form(phenomenon, half.name, fixed, "metric", fine)
        b.plot(fine, form, color=style.PALETTE[i])
        found = series.located_along(each, half, "metric", {"ridge": ridge, "distance": 1.0})
        marks.places(b, powers, found, style.PALETTE[i], style.MARKERS[i], f"ridge {ridge:g}")
    b.set_xlabel("metric: power of S [1]")
    b.set_ylabel("edits that leave half")
    b.set_title("b   half-lives")
    style.legend_under(b)

    held = {"editor": "batch", "noise": 1.0}
    panel = curves.contents(kept, "base_risk", "edits", "metric", held)
    hidden = curves.paint(c, panel) or hidden
    c.set_ylabel("base risk [label²]")
    c.set_title("c   all edits kept")
    style.legend_under(c, handles=panel.keys)
    runs = " / ".join(str(series.replicates(data)) for data in (each, kept))
    style.legend_below(made, marks.keys(replicates=runs, hidden=hidden))
    style.head(made, "Edits are gentlest in the inputs' own metric; none moves K n = p")
    return made


if __name__ == "__main__":
    main(__file__)
