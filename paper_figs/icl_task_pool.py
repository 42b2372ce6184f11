"""A pool of tasks known by heart against ridge: what it saves, what it costs, where they cross."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("icl_task_pool",)
PLAIN = {"noise": 0.5, "repeats": 1}
DECOYS = ("copies are fresh rows", "very many tasks")


def draw(results: Results) -> Figure:
    """Gain and loss against the pool; advantage against the pool, and against new tasks."""
    data = dataset(*EXPERIMENTS, results)
    made, axes = style.figure(
        2, 3, height=4.3, height_ratios=[curves.strip_height(4), 2.2], sharex="col"
    )
    a, b, c = axes[1]
    copied = {"noise": 0.5, "repeats": 4, "new": 0.3}
    for i, (measure, label) in enumerate(
        {"gain": "saved on its tasks", "loss": "lost on new ones"}.items()
    ):
        one = curves.contents(data, measure, "pool", None, copied, decoys=True)
        curves.add(a, one, i, label)
        marks.theory(a, one.line, 0, style.PALETTE[i], decoys=DECOYS)
    style.scale(a, "x", one.x.min(), one.x.max(), "log")
    style.scale(a, "y", 0.03, 1.0, "log")
    style.legend_under(a)
    some = data.sel(new=[0.25, 0.3, 0.35, 0.4])
    worth = curves.contents(some, "advantage", "pool", "new", PLAIN)
    hidden = curves.paint(b, worth, strip=axes[0, 1])
    few = data.sel(pool=[8, 16, 48, 128])
    asked = curves.contents(few, "advantage", "new", "pool", PLAIN)
    hidden = curves.paint(c, asked, strip=axes[0, 2]) or hidden
    for axis, panel in ((b, worth), (c, asked)):
        axis.axhline(0, color="black", lw=0.6)
        style.legend_under(axis, handles=panel.keys)
        axis.set_ylabel("pool's advantage over ridge [label²]")
    a.set_ylabel("error against ridge's [label²]")
    for axis in (a, b):
        axis.set_xlabel("tasks of the pool, copies included")
    c.set_xlabel("share of new tasks [1]")
    axes[0, 0].set_title("a   half of the pool comes four times")
    axes[0, 1].set_title("b   each task once")
    axes[0, 2].set_title("c   the same")
    axes[0, 0].set_axis_off()
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden, breaks=True, decoys=DECOYS)
    style.legend_below(made, keys, columns=2)
    style.head(
        made,
        "A pool is worth knowing from a size on, and up to a share of new tasks (d = 4, σ² = 0.5)",
    )
    return made


if __name__ == "__main__":
    main(__file__)
