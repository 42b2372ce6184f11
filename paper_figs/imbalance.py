"""A minority class is lost below a share that more rows hardly change; a threshold helps."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fig_imbalance",)
SHARES = np.arange(2, 26) / 50  # a whole number of minority rows at every n: no rounding
SEEN = {
    "minority": "error_minority",
    "majority": "error_majority",
    "mean of both": "balanced_error",
    "mean of both, best threshold": "balanced_error_optimal",
}


def draw(results: Results) -> Figure:
    """Error of the minority for several n; all class errors at one n, and what repairs them."""
    data = dataset(*EXPERIMENTS, results)
    made, axes = style.figure(
        2, 2, height=3.9, height_ratios=[curves.strip_height(3), 2.2], sharex=True
    )
    a, b = axes[1]
    panel = curves.contents(data, "error_minority", "minority", "n", grid=SHARES)
    hidden = curves.paint(a, panel, strip=axes[0, 0])
    style.legend_under(a, handles=panel.keys)
    for i, (text, measure) in enumerate(SEEN.items()):
        one = curves.contents(data, measure, "minority", None, {"n": 150}, grid=SHARES)
        curves.add(b, one, i, text)
    style.legend_under(b)
    axes[0, 1].set_axis_off()
    for axis in (a, b):
        style.scale(axis, "x", 0.04, 0.5, "log")
        axis.set_xlabel("share of the minority [1]")
        axis.set_ylabel("error [probability]")
        axis.axhline(0.5, color="black", lw=0.6, ls=":")
    axes[0, 0].set_title("a   the minority is lost where its error exceeds 1/2")
    axes[0, 1].set_title("b   n = 150: what a threshold repairs")
    keys = marks.keys(
        replicates=series.replicates(data), hidden=hidden, thin=panel.thin, breaks=True
    )
    style.legend_below(made, keys, columns=2)
    style.head(
        made, "A minority is lost below a share that more rows hardly change; a threshold helps"
    )
    return made


if __name__ == "__main__":
    main(__file__)
