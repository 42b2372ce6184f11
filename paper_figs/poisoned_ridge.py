"""A backdoor: the share of rows that plants it, and the clean rows that remove it."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("poisoned_ridge",)
HELD = {"up.ridge": 60.0, "down.ridge": 0.0, "down.time": 1e9, "down.n": 120, "up.poison": 0.1}


def draw(results: Results) -> Figure:
    """Response against poison, what is left of it against clean rows, and whom it then fools."""
    data = dataset(EXPERIMENTS[0], results)
    made, axes = style.figure(2, 2, height=6.4)
    panels = [
        ("trigger_response", "up.poison", "up.ridge", "response / label [1]", "a   planted"),
        (
            "survival",
            "down.n",
            "down.ridge",
            "share of the trigger left [1]",
            "b   left at the end",
        ),
        (
            "survival",
            "down.n",
            "down.time",
            "share of the trigger left [1]",
            "c   stopped early, no ridge",
        ),
        ("tuned_success", "down.n", "up.poison", "attack success [1]", "d   ridge 30 to the start"),
    ]
    hidden = False
    for axis, (measure, x, colour, label, title) in zip(axes.flat, panels, strict=True):
        held = {k: v for k, v in HELD.items() if k not in (x, colour)}
        if measure == "tuned_success":
            held["down.ridge"] = 30.0
        panel = curves.contents(data, measure, x, colour, held)
        hidden = curves.paint(axis, panel) or hidden
        low = 0.45 if measure == "tuned_success" else -0.02
        style.scale(axis, "y", low, 1.02, "linear")
        axis.axhline(0.5, color="black", lw=0.6)
        axis.set_ylabel(label)
        axis.set_title(title)
        style.legend_under(axis, handles=panel.keys)
    axes.flat[0].set_xlabel("share of poisoned rows [1]")
    for axis in axes.flat[1:]:
        axis.set_xlabel("clean rows downstream [rows]")
    style.legend_below(made, marks.keys(replicates=series.replicates(data), hidden=hidden))
    style.head(
        made, "A few strong rows plant a backdoor; clean rows wear it off, however it was planted"
    )
    return made


if __name__ == "__main__":
    main(__file__)
