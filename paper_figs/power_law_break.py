"""Where a scaling law breaks: learning curves, and the break against noise, copies and width."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ci_theory._record import build
from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fig_break_noise", "power_law_break_width")


def breaks(axes: Axes, data, along: str, fine: np.ndarray, index: int, name: str, **held) -> None:
    """Draw located breaks in n, those of the exact curve, and the crossover of two power laws."""
    phenomenon, fixed = series.phenomenon_of(data), {**series.fixed_values(data), **held}
    rule, rows = phenomenon.breaks[0], data["n"].to_numpy()
    form = series.predictions(phenomenon, "excess_risk")[0]
    line = series.line(phenomenon, form, "n", rows, fixed, [{along: v} for v in fine.tolist()])
    colour = style.PALETTE[index]
    axes.plot(fine, [rule.locator.locate(rows, curve).value for curve in line.value], color=colour)
    points = [phenomenon.point({**fixed, along: v}) for v in fine.tolist()]
    crossover = [rule.closed_form(build(phenomenon.params, point)) for point in points]
    axes.plot(fine, crossover, color=colour, ls=":", lw=1)
    values = data[along].to_numpy().astype(float)
    found = series.located_along(data, rule, along)
    marks.places(axes, values, found, colour, style.MARKERS[index], name)


def draw(results: Results) -> Figure:
    """Learning curves for several noise levels; their breaks; the breaks of narrow models."""
    data, narrow = (dataset(name, results) for name in EXPERIMENTS)
    made, axes = style.figure(1, 3, height=3.2, width_ratios=[1.3, 1, 1])
    a, b, c = axes[0]
    panel = curves.contents(data, "excess_risk", "n", "noise", held={"repeats": 1})
    hidden = curves.paint(a, panel)
    style.scale(a, "y", 0.01, 0.3, "log")
    a.set(title="a   learning curves", ylabel="excess risk [label²]", ylim=(0.01, 0.3))
    style.legend_under(a, handles=panel.keys, columns=2)
    for i, copies in enumerate(data["repeats"].to_numpy()):
        one = data.sel(repeats=copies, noise=data["noise"] > 0)
        name = "every row once" if copies == 1 else f"every row {copies} times"
        breaks(b, one, "noise", np.geomspace(0.008, 0.1, 9), i, name, repeats=int(copies))
    b.set(title="b   noise and copies", ylabel="rows n at the break [rows]")
    b.set_xlabel("label noise [label²]")
    style.scale(b, "x", 0.007, 0.12, "log")
    widths = np.unique(np.round(np.geomspace(48, 700, 8)))
    breaks(c, narrow, "width", widths, 2, "ridge 0.0002 per row")
    c.set(title="c   width", xlabel="random features [features]")
    style.scale(c, "x", 40, 800, "log")
    for axis in (b, c):
        style.scale(axis, "y", 15, 1200, "log")
        style.legend_under(axis)
    dotted = marks.Line2D([], [], color="0.25", ls=":", lw=1, label="crossover of the power laws")
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden)
    style.legend_below(made, [*keys, dotted])
    title = "Where a scaling law ends depends on the data: noise, copies and width move it"
    style.head(made, title)
    return made


if __name__ == "__main__":
    main(__file__)
