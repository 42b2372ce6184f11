"""Double descent of ridge regression in rows and in parameters, against label noise."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fig_ridge_peak_n", "fig_ridge_peak_p")


def draw(results: Results) -> Figure:
    """Two panels, test error against n and against p, with located peaks above."""
    rows, parameters = (dataset(name, results) for name in EXPERIMENTS)
    made, axes = style.figure(
        2, 2, height=3.5, height_ratios=[curves.strip_height(4), 2.2], sharex="col", sharey="row"
    )
    hidden = True
    for column, (data, x) in enumerate(((rows, "n"), (parameters, "p"))):
        panel = curves.contents(data, "test_error", x, "noise")
        hidden &= curves.paint(axes[1, column], panel, strip=axes[0, column])
    axes[0, 0].set_title("a   p = 100 parameters")
    axes[0, 1].set_title("b   n = 100 rows")
    axes[1, 0].set_ylabel("test error [label²]")
    axes[1, 1].set_xlabel("parameters = input dimension p [parameters]")
    title = "Label noise raises the interpolation peak and leaves it at n = p"
    notes = (series.verdict(data, "test_error") for data in (rows, parameters))
    style.head(made, title, "a {}; b {}".format(*notes))
    keys = marks.keys(replicates=series.replicates(rows), hidden=hidden, breaks=True)
    style.legend_below(made, keys + panel.keys, columns=3)
    return made


if __name__ == "__main__":
    main(__file__)
