"""An inherited label prior is taken off with labels enough, and best in part."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("prior_bias",)
RIGHT = {"flips": 0.0, "separation": 1.5}
WRONG = {**RIGHT, "flips": 0.2}


def draw(results: Results) -> Figure:
    """Gain of full adjustment against labels; error against strength, labels right and wrong."""
    data = dataset(*EXPERIMENTS, results)
    heights = [curves.strip_height(data.sizes["n"]), 2.2]
    made, axes = style.figure(2, 3, height=4.4, height_ratios=heights, sharex="col")
    a, b, c = axes[1]
    panel = curves.contents(data, "gain", "n", "prior", {**RIGHT, "strength": 1.0})
    hidden = curves.paint(a, panel, strip=axes[0, 0])
    a.axhline(0, color="black", lw=0.6)
    a.set_xlabel("labels that tell the prior [labels]")
    a.set_ylabel("balanced error removed [probability]")
    style.legend_under(a, handles=panel.keys)
    some = data.sel(n=[6, 16, 40, 100, 250])
    for axis, strip, held in ((b, axes[0, 1], RIGHT), (c, axes[0, 2], WRONG)):
        one = curves.contents(some, "balanced_error", "strength", "n", {**held, "prior": 0.7})
        hidden = curves.paint(axis, one, strip=strip) or hidden
        axis.set_xlabel("strength of the adjustment [1]")
        axis.set_ylabel("balanced error [probability]")
        style.legend_under(axis, handles=one.keys)
    axes[0, 0].set_title("a   the whole estimate")
    axes[0, 1].set_title("b   prior 0.7, labels right")
    axes[0, 2].set_title("c   a share of 0.2 is wrong")
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden, breaks=True)
    style.legend_below(made, keys, columns=2)
    style.head(
        made,
        "An inherited prior: few labels ask for a part of it, wrong ones for more than all of it",
    )
    return made


if __name__ == "__main__":
    main(__file__)
