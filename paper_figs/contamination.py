"""A contaminated test set hides the interpolation peak where it is worst."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fig_contamination",)


def draw(results: Results) -> Figure:
    """Apparent error against rows: leaked rows with their training labels, and relabelled."""
    data = dataset(*EXPERIMENTS, results)
    made, axes = style.figure(
        2, 2, height=3.7, height_ratios=[curves.strip_height(5), 2.2], sharex=True, sharey="row"
    )
    hidden = True
    for column, fresh in enumerate((False, True)):
        held = {"fresh_labels": fresh}
        panel = curves.contents(data, "apparent_error", "n", "contamination", held)
        hidden &= curves.paint(axes[1, column], panel, strip=axes[0, column])
        axes[1, column].set_xlabel("distinct training rows n [rows]")
    axes[0, 0].set_title("a   leaked rows keep their training labels")
    axes[0, 1].set_title("b   leaked rows are labelled afresh")
    axes[1, 0].set_ylabel("apparent test error [label²]")
    title = "Leaked training rows hide the interpolation peak, at p = 60, from the evaluation"
    note = series.verdict(data, "apparent_error")
    style.head(made, title, note)
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden, breaks=True)
    style.legend_below(made, keys + panel.keys, columns=3)
    return made


if __name__ == "__main__":
    main(__file__)
