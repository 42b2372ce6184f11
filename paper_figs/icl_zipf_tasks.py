"""Common tasks are learnt by heart, rare ones are read from their context like new ones."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("icl_zipf_tasks",)
STEEP = {"exponent": 1.2, "noise": 0.1}
MOST = {"exponent": 1.2, "n": 2048}


def draw(results: Results) -> Figure:
    """What the watched task misses, and its excess over half of a new one's, against its rank."""
    data = dataset(*EXPERIMENTS, results)
    heights = [curves.strip_height(3), 2.2]
    made, axes = style.figure(2, 3, height=3.9, height_ratios=heights, sharex="col")
    missed = curves.contents(data, "missing", "rank", "n", STEEP)
    known = curves.contents(data, "known", "rank", "n", STEEP)
    noisy = curves.contents(data, "known", "rank", "noise", MOST)
    axes[0, 0].set_axis_off()
    hidden = curves.paint(axes[1, 0], missed)
    for i, panel in ((1, known), (2, noisy)):
        hidden = curves.paint(axes[1, i], panel, strip=axes[0, i]) or hidden
        axes[1, i].axhline(0, color="black", lw=0.6)
        axes[1, i].set_ylabel("known by heart, less half [1]")
    for axis, panel in zip(axes[1], (missed, known, noisy), strict=True):
        style.legend_under(axis, handles=panel.keys)
        axis.set_xlabel("rank of the watched task [1]")
    axes[1, 0].set_ylabel("missing of its response [1]")
    axes[0, 0].set_title("a   noise 0.1")
    axes[0, 1].set_title("b   the same")
    axes[0, 2].set_title("c   2048 prompts")
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden, breaks=True)
    style.legend_below(made, keys, columns=2)
    style.head(
        made,
        "Common tasks are known by heart, rare ones read like new ones (64 tasks, exponent 1.2)",
    )
    return made


if __name__ == "__main__":
    main(__file__)
