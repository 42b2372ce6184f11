"""An induction head appears abruptly: when, and what keeps it away."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("induction_onset", "induction_onset_noise")
ONCE = {"copies": 1, "labels": 16}


def draw(results: Results) -> Figure:
    """Loss on right answers against steps, by items and noise; at the end, against noise."""
    data, noisy = (dataset(name, results) for name in EXPERIMENTS)
    made, axes = style.figure(
        2, 3, height=4.3, height_ratios=[curves.strip_height(2), 2.2], sharex="col"
    )
    a, b, c = axes[1]
    panels = (
        (a, axes[0, 0], data, "steps", "items", {**ONCE, "noise": 0.0, "asked": 1.0}),
        (b, axes[0, 1], data, "steps", "noise", {**ONCE, "items": 8, "asked": 0.6}),
        (c, axes[0, 2], noisy, "noise", "copies", {"asked": 0.6, "steps": 1000}),
    )
    hidden = False
    for axis, strip, what, along, lines, held in panels:
        panel = curves.contents(what, "left", along, lines, held)
        hidden = curves.paint(axis, panel, strip=strip) or hidden
        axis.axhline(0.5, color="black", lw=0.6)
        axis.set_ylabel("loss on right answers [ln N]")
        style.legend_under(axis, handles=panel.keys)
    for axis in (a, b):
        axis.set_xlabel("steps [steps]")
    c.set_xlabel("share of random answers [1]")
    axes[0, 0].set_title("a   more items come later")
    axes[0, 1].set_title("b   so do wrong answers")
    axes[0, 2].set_title("c   and keep it away")
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden, breaks=True)
    style.legend_below(made, keys, columns=2)
    style.head(made, "An induction head comes abruptly, where a flow of three logits says")
    return made


if __name__ == "__main__":
    main(__file__)
