"""Real images: the theory from the kernel's spectrum, noise and repetition included."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fig_digits_n", "fig_digits_repeats")


def draw(results: Results) -> Figure:
    """Learning curves at two ridges, one where the theory fails; and repeated images."""
    rows, copies = (dataset(name, results) for name in EXPERIMENTS)
    made, axes = style.figure(1, 3, height=3.2)
    a, b, c = axes[0]
    few = np.array([60, 85, 120, 170, 240, 330])  # a point of theory takes a second
    fine = curves.contents(rows, "test_error", "n", "noise", {"ridge": 1.0}, grid=few, decoys=True)
    rough = curves.contents(
        rows, "test_error", "n", "noise", {"ridge": 0.01}, grid=few, decoys=True
    )
    twice = np.array([3, 6, 12, 24, 48])
    repeated = curves.contents(copies, "test_error", "repeats", "noise", grid=twice, decoys=True)
    decoys = ("infinite population",), ("infinite population",), ("copies are new images",)
    hidden = True
    for panel, found, wrong in zip((a, b, c), (fine, rough, repeated), decoys, strict=True):
        hidden &= curves.paint(panel, found, decoys=wrong)
        panel.set_yscale("linear")
        panel.set_ylim(bottom=0)
        panel.set_xlabel("training images n [rows]")
        panel.set_ylabel("test error [label²]")
    c.set_xlabel("repeats of a quarter [copies]")
    a.set_title("a   ridge 1")
    b.set_title("b   ridge 0.01: outside the scope")
    c.set_title("c   n = 200, ridge 1")
    runs = "{} (c: {})".format(*(series.replicates(data) for data in (rows, copies)))
    keys = marks.keys(
        replicates=runs, hidden=hidden, decoys=("infinite population (c: copies as new)",)
    )
    style.legend_below(made, keys + fine.keys, columns=2)
    style.head(
        made, "Digits: their kernel predicts noise and repetition, less well near interpolation"
    )
    return made


if __name__ == "__main__":
    main(__file__)
