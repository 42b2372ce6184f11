"""Double descent inherited: the upstream peak comes back downstream, and inheriting can harm."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("double_double_descent",)
DECOY = "large sample"


def draw(results: Results) -> Figure:
    """Upstream and downstream errors against fitted coordinates; the gain over zeros."""
    data = dataset(*EXPERIMENTS, results)
    made, axes = style.figure(
        2, 3, height=3.8, height_ratios=[curves.strip_height(3), 2.2], sharex="col"
    )
    hidden, held = True, {"difference": 0.1}
    for column, measure in enumerate(("upstream_error", "test_error")):
        panel = curves.contents(data, measure, "up.p", "up.noise", held, decoys=True)
        hidden &= curves.paint(axes[1, column], panel, strip=axes[0, column], decoys=(DECOY,))
        axes[1, column].set_ylabel("test error [label²]")
        style.legend_under(axes[1, column], handles=panel.keys)
    gain = curves.contents(data, "transfer_gain", "up.p", "difference", {"up.noise": 0.1})
    hidden &= curves.paint(axes[1, 2], gain, strip=axes[0, 2])
    axes[1, 2].axhline(0, color="black", lw=0.6)
    axes[1, 2].set_ylim(-2.2, 0.6)
    axes[1, 2].set_ylabel("transfer gain [label²]")
    style.legend_under(axes[1, 2], handles=gain.keys)
    for column, title in enumerate(("a   upstream", "b   downstream", "c   upstream noise 0.1")):
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel("fitted upstream [parameters]")
        axes[0, column].set_axis_off()
    axes[0, 1].set_axis_on()
    keys = marks.keys(
        replicates=series.replicates(data), hidden=hidden, thin=True, breaks=True, decoys=(DECOY,)
    )
    style.legend_below(made, keys, columns=3)
    note = series.verdict(data, "transfer_gain", "upstream_error")
    title = "The peak where upstream interpolates is inherited; inheriting pays only far beyond it"
    style.head(made, title, note)
    return made


if __name__ == "__main__":
    main(__file__)
