"""Linear attention: double descent in prompts, and few tasks learnt by heart."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("icl_linear_attention", "icl_task_diversity")
PEAK = {"ridge": 0.03}
CLEAN = {"n": 6144, "noise": 0.1}
BOTH = ("trained_error", "fresh_error")


def draw(results: Results) -> Figure:
    """Error on new tasks against prompts; both errors and their gap against tasks."""
    prompts, tasks = (dataset(name, results) for name in EXPERIMENTS)
    heights = [curves.strip_height(2), 2.2]
    made, axes = style.figure(2, 3, height=3.9, height_ratios=heights, sharex="col")
    a, b, c = axes[1]
    panel = curves.contents(prompts, "fresh_error", "n", "repeats", PEAK)
    hidden = curves.paint(a, panel, strip=axes[0, 0])
    style.legend_under(a, handles=panel.keys)
    for i, measure in enumerate(BOTH):
        one = curves.contents(tasks, measure, "tasks", None, CLEAN)
        curves.add(b, one, i, measure.partition("_")[0])
    style.scale(b, "x", one.x.min(), one.x.max(), "log")
    style.legend_under(b)
    gaps = curves.contents(tasks, "gap", "tasks", "n", {"noise": 0.1})
    hidden = curves.paint(c, gaps, strip=axes[0, 2]) or hidden
    c.axhline(0, color="black", lw=0.6)
    style.legend_under(c, handles=gaps.keys)
    a.set_xlabel("prompts, copies included [prompts]")
    a.set_ylabel("error on new tasks [label²]")
    b.set_ylabel("test error [label²]")
    c.set_ylabel("gap, new - trained [label²]")
    for axis in (b, c):
        axis.set_xlabel("tasks [tasks]")
    axes[0, 0].set_title("a   half of the prompts repeated")
    axes[0, 1].set_title("b   6144 prompts, d = 32")
    axes[0, 2].set_title("c   the gap closes")
    axes[0, 1].set_axis_off()
    keys = marks.keys(replicates=series.replicates(prompts), hidden=hidden, breaks=True)
    style.legend_below(made, keys, columns=2)
    style.head(
        made, "Copies move the peak to more prompts; repeated tasks help on them and cost new ones"
    )
    return made


if __name__ == "__main__":
    main(__file__)
