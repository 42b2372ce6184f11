"""One-pass SGD: curves down to their floors, what moves the break, the best width of a budget."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main
from ci_theory.theory.scaling.compute_optimal import budget_risks, frontier
from ci_theory.theory.scaling.sgd_phases import phase

EXPERIMENTS = ("fig_sgd_width", "sgd_scaling")
BUDGETS = 10.0 ** np.arange(6, 13)
WIDTHS = 10.0 ** np.arange(1.5, 5.1, 0.5)
CASES = ((1.0, 0.3, np.inf), (1.2, 0.8, np.inf), (0.7, 1.2, np.inf), (0.4, 1.0, 4.0))
ARMS = {
    "no noise, no copies": (0.0, 1),
    "half of the rows in 4 copies": (0.0, 4),
    "label noise 0.1": (0.1, 1),
    "both": (0.1, 4),
}


def draw(results: Results) -> Figure:
    """Simulated curves of widths and of arms with their breaks; theory up to 10^12 operations."""
    widths, arms = (dataset(name, results) for name in EXPERIMENTS)
    strip = curves.strip_height(len(ARMS))
    made, axes = style.figure(3, 2, height=5.6, height_ratios=[strip, 2.3, 2.1])
    (_, top), (a, b), (c, d) = axes
    axes[0, 0].set_axis_off()
    panel = curves.contents(widths, "risk", "steps", "width")
    hidden = curves.paint(a, panel)
    a.legend(handles=panel.keys, loc="lower left")
    a.set(ylabel="risk [label²]", ylim=(3e-4, None))

    top.sharex(b)
    rows = []
    for index, (text, (noise, repeats)) in enumerate(ARMS.items()):
        held = {"width": 12, "rate": 0.06, "noise": noise, "repeats": repeats}
        shown = curves.contents(arms, "over_best", "steps", held=held)
        rows.append(curves.add(b, shown, index, text))
    b.axhline(2, color="0.6", lw=0.7, zorder=0)
    b.set(xscale="log", xlabel=shown.x_label, ylabel="risk [best risk of the features]")
    marks.strip_of(top, rows)
    b.legend(loc="upper right")

    flops = np.geomspace(BUDGETS[0], BUDGETS[-1], 37)
    found = budget_risks(1.0, 0.3, flops, WIDTHS)
    c.plot(flops, found.risk, color="0.7", lw=0.7)
    for index, (alpha, beta, ratio) in enumerate(CASES):
        told = phase(alpha, beta)
        kernel = 0.1 if np.isinf(ratio) else 0.4
        best = frontier(alpha, beta, BUDGETS, kernel=kernel, ratio=ratio)
        look = {"color": style.PALETTE[index], "marker": style.MARKERS[index], "mfc": "white"}
        line = {"color": style.PALETTE[index], "ls": "--", "lw": 0.9}
        if told.name == "Ia":
            c.plot(BUDGETS, best.risk, ls="none", **look)
            c.plot(BUDGETS, best.risk[-1] * (BUDGETS / BUDGETS[-1]) ** -told.risk, **line)
        text = f"{told.name}: slope {best.width_slope[-1]:.3f}, predicted {told.width:.3f}"
        d.plot(BUDGETS, best.width, ls="none", label=text, **look)
        d.plot(BUDGETS, best.width[-1] * (BUDGETS / BUDGETS[-1]) ** told.width, **line)
    c.set(xscale="log", yscale="log", xlabel="budget f = width × steps", ylabel="risk [label²]")
    d.set(xscale="log", yscale="log", xlabel="budget f = width × steps", ylabel="best width")
    d.legend(loc="upper left")
    d.set_ylim(None, 1e12)
    a.set_title("a   widths, rate 0.2, no noise")
    top.set_title("b   12 features, 8 rows a step, rate 0.06")
    c.set_title("c   phase Ia: 8 widths (grey), the best width")
    d.set_title("d   best width; dashed: predicted slope")
    title = "Copies and label noise move the break; the best width follows the predicted power"
    style.head(made, title, series.verdict(arms, "over_best"))
    handles = marks.keys(replicates="60 (a), 120 (b)", hidden=hidden, breaks=True)
    style.legend_below(made, handles, columns=3)
    return made


if __name__ == "__main__":
    main(__file__)
