"""Noise on the training inputs: it raises the peak, and a little of it can help."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("corrupted_inputs",)
LEVELS = [0.0, 0.1, 0.5]
DECOY = "a ridge only"


def draw(results: Results) -> Figure:
    """Clean and noisy test error against rows; clean test error against the input noise."""
    whole = dataset(*EXPERIMENTS, results)
    made, axes = style.figure(
        2, 3, height=3.6, height_ratios=[curves.strip_height(3), 2.2], sharex="col"
    )
    law, hidden = {"spectrum": "isotropic"}, True
    rows = whole.sel(input_noise=LEVELS)
    for column, measure in enumerate(("test_error", "noisy_test_error")):
        held = {**law, "noise": 0.25, "ridge": 3.6}
        panel = curves.contents(rows, measure, "n", "input_noise", held, decoys=True)
        wrong = (DECOY,) if measure == "test_error" else ()
        hidden &= curves.paint(axes[1, column], panel, strip=axes[0, column], decoys=wrong)
        axes[1, column].set_xlabel("training rows n [rows]")
        style.legend_under(axes[1, column], handles=panel.keys)
    held = {**law, "n": 630, "ridge": 0.0, "noise": 2.0}
    levels = curves.contents(whole, "test_error", "input_noise", None, held, decoys=True)
    hidden &= curves.paint(axes[1, 2], levels, strip=axes[0, 2], decoys=(DECOY,))
    axes[1, 2].set_yscale("linear")
    axes[1, 2].set_ylim(2.3, 3.0)
    axes[1, 2].set_xlabel("input noise [input²]")
    axes[1, 0].set_ylabel("test error [label²]")
    axes[1, 1].set_ylabel("noisy test error [label²]")
    axes[0, 0].set_title("a   clean tests, p = 180, ridge 3.6")
    axes[0, 1].set_title("b   tests as noisy as training")
    axes[0, 2].set_title("c   n = 630, ridge 0, noise 2")
    keys = marks.keys(
        replicates=series.replicates(whole), hidden=hidden, thin=True, breaks=True, decoys=(DECOY,)
    )
    style.legend_below(made, keys, columns=3)
    note = series.verdict(whole, "test_error", "noisy_test_error")
    title = (
        "Noisy inputs are more than a ridge: they raise the peak; where labels are noisy, some help"
    )
    style.head(made, title, note)
    return made


if __name__ == "__main__":
    main(__file__)
