"""Negative transfer: how aligned two tasks must be for inherited weights to help."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fig_two_stage", "two_stage_ridge_repeats")
BOUNDARY = "negative-transfer boundary"


def draw(results: Results) -> Figure:
    """Gain against alignment; the boundary against upstream noise and against repeats."""
    noises, repeats = (dataset(name, results) for name in EXPERIMENTS)
    phenomenon, fixed = series.phenomenon_of(noises), series.fixed_values(noises)
    made, axes = style.figure(1, 3, height=3.4, width_ratios=[1.1, 1, 1.15])
    a, b, c = axes[0]
    gain = ("transfer_gain", "alignment", "up.noise")
    panel = curves.contents(noises, *gain, {"down.n": 90})
    hidden = curves.paint(a, panel)
    a.axhline(0, color="black", lw=0.6)
    a.set_ylabel("transfer gain [label²]")
    a.set_xlabel("cosine of the two targets [1]")
    a.set_title("a   n = 90 downstream rows")
    style.legend_under(a, handles=panel.keys)

    levels = noises["up.noise"].to_numpy()
    fine = np.geomspace(levels.min(), levels.max(), 60)
    fixed["down.n"] = 90
    b.plot(fine, series.closed_form(phenomenon, BOUNDARY, fixed, "up.noise", fine), color="black")
    for i, n in enumerate(noises["down.n"].to_numpy().tolist()):
        found = curves.contents(noises, *gain, {"down.n": n}).curves
        text = f"n = {n} rows"
        shifted = levels * 1.06 ** (i - 1)
        marks.places(
            b, shifted, [f.measured for f in found], style.PALETTE[i], style.MARKERS[i], text
        )
    b.set_xlabel("upstream label noise [label²]")
    b.set_title("b   any downstream size n")

    fixed, counts = series.fixed_values(repeats), repeats["up.repeats"].to_numpy().astype(float)
    copies = round(fixed["up.n"] * fixed["up.repeated_fraction"])
    every = np.arange(1, counts.max() + 1)
    whole = every[copies % every == 0]  # no rounding of rows
    for i, shared in enumerate((True, False)):
        held, text = (
            {"up.shared_noise": shared},
            "copies share labels" if shared else "labelled afresh",
        )
        found = curves.contents(repeats, "transfer_gain", "alignment", "up.repeats", held).curves
        form = series.closed_form(phenomenon, BOUNDARY, {**fixed, **held}, "up.repeats", whole)
        c.plot(whole, form, color=style.PALETTE[i])
        measured = [f.measured for f in found]
        marks.places(c, counts, measured, style.PALETTE[i], style.MARKERS[i], text)
    c.set_xlabel("copies r of a row [copies]")
    c.set_title("c   half repeated r times")
    for panel_, low, high in ((b, fine[0], fine[-1]), (c, counts[0], counts[-1])):
        panel_.set_ylabel("cosine at which gain is 0 [1]")
        style.scale(panel_, "x", low, high, "log")
        style.legend_under(panel_)
    runs = "{} (c: {})".format(*(series.replicates(data) for data in (noises, repeats)))
    keys = marks.keys(replicates=runs, hidden=hidden)
    style.legend_below(made, keys)
    style.head(made, "Noise and shared-label copies upstream ask for better aligned tasks")
    return made


if __name__ == "__main__":
    main(__file__)
