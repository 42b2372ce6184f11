"""Weights mixed before and after fine-tuning: one parabola a law, and what moves its minimum."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("weight_interpolation",)
HELD = {"up.repeats": 1, "down.n": 120, "down.ridge": 10.0, "transfer": 0.3, "mix": 1.0}


def draw(results: Results) -> Figure:
    """Risk on other laws against the mix, in-domain risk against the mix, and the best mixes."""
    data = dataset(EXPERIMENTS[0], results)
    made, axes = style.figure(1, 3, height=3.4)
    a, b, c = axes[0]
    hidden = False
    panels = [
        (a, "ood_risk", "transfer", "a   other laws"),
        (b, "id_risk", "down.ridge", "b   own"),
    ]
    for axis, measure, colour, title in panels:
        held = {k: v for k, v in HELD.items() if k not in ("mix", colour)}
        panel = curves.contents(data, measure, "mix", colour, held)
        hidden = curves.paint(axis, panel) or hidden
        axis.set_ylabel("excess risk [label²]")
        axis.set_xlabel("share of the tuned weights [1]")
        axis.set_title(title)
        style.legend_under(axis, handles=panel.keys)

    phenomenon, fixed = series.phenomenon_of(data), series.fixed_values(data)
    ridges = data["down.ridge"].to_numpy().astype(float)
    fine = np.geomspace(ridges.min(), ridges.max(), 80)
    kinds = {k.name: k for k in phenomenon.breaks}
    for i, (name, share) in enumerate(
        [("best mix in distribution", 1.0), ("best mix out of distribution", 0.6)]
    ):
        held = {k: v for k, v in HELD.items() if k not in ("mix", "down.ridge")}
        held["transfer"] = share
        form = series.closed_form(phenomenon, name, {**fixed, **held}, "down.ridge", fine)
        c.plot(fine, form, color=style.PALETTE[i])
        found = series.located_along(data, kinds[name], "down.ridge", held)
        text = "own law" if share == 1 else f"{share:g} of the shift"
        marks.places(c, ridges, found, style.PALETTE[i], style.MARKERS[i], text)
    c.axhline(1.0, color="black", lw=0.6)
    c.set_xlabel("ridge to the start [rows·input²]")
    c.set_ylabel("best share of the tuned weights [1]")
    c.set_title("c   1 where the ridge is best")
    style.scale(c, "x", fine[0], fine[-1], "log")
    style.legend_under(c)
    style.legend_below(made, marks.keys(replicates=series.replicates(data), hidden=hidden))
    style.head(
        made, "Mixing back repairs too weak a ridge, and serves laws that share less of the shift"
    )
    return made


if __name__ == "__main__":
    main(__file__)
