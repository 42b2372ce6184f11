"""Epoch-wise double descent: what label noise and copies do to the three breaks in time."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fig_epochwise_noise", "fig_epochwise_repeats")
BREAKS = ("second descent ends", "epoch-wise peak", "over-fitting begins")


def breaks(axes: Axes, data, along: str, fine: np.ndarray) -> None:
    """Draw where each break is against an axis: located ones, and those of the predicted curve."""
    phenomenon, fixed = series.phenomenon_of(data), series.fixed_values(data)
    form, times = series.predictions(phenomenon, "excess_risk")[0], data["time"].to_numpy()
    line = series.line(phenomenon, form, "time", times, fixed, [{along: v} for v in fine.tolist()])
    values = data[along].to_numpy().astype(float)
    kinds = {b.name: b for b in phenomenon.breaks}
    for i, name in enumerate(BREAKS):
        places = [kinds[name].locator.locate(times, curve).value for curve in line.value]
        axes.plot(fine, places, color=style.PALETTE[i])
        found = series.located_along(data, kinds[name], along)
        marks.places(axes, values, found, style.PALETTE[i], style.MARKERS[i], name)
    style.scale(axes, "y", 0.05, 5000.0, "log")


def draw(results: Results) -> Figure:
    """Curves against time for several noise levels; the breaks against noise and repeats."""
    noises, repeats = (dataset(name, results) for name in EXPERIMENTS)
    made, axes = style.figure(1, 3, height=3.3, width_ratios=[1.5, 1, 1])
    a, b, c = axes[0]
    panel = curves.contents(noises, "excess_risk", "time", "noise")
    hidden = curves.paint(a, panel)
    a.set_ylabel("excess risk [label²]")
    a.set_title("a   two scales of inputs, n = d = 400")
    style.legend_under(a, handles=panel.keys, columns=2)

    breaks(b, noises, "noise", np.geomspace(0.04, 3.0, 17))
    b.set_ylabel("time of the break [rate·steps]")
    b.set_xlabel("label noise [label²]")
    style.scale(b, "x", 0.03, 4.0, "log")
    b.set_title("b   breaks against noise")
    breaks(c, repeats, "repeats", np.arange(1.0, 9.0))
    c.set_xlabel("copies r of a row [copies]")
    c.set_title("c   copies: 30 % of rows")
    for panel_ in (b, c):
        style.legend_under(panel_)
    keys = marks.keys(replicates=series.replicates(noises), hidden=hidden)
    style.legend_below(made, keys)
    style.head(
        made,
        "Label noise makes the epoch-wise peak later and higher, and the second descent shorter",
    )
    return made


if __name__ == "__main__":
    main(__file__)
