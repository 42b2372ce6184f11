"""The same defects in a linear learner, random features and a network: six curves each."""

import runpy
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ci_theory.figures import style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = (
    "fig_networks_cleaning",
    "fig_networks_erasing",
    "fig_networks_erasing_wide",
    "fig_networks_noise",
    "fig_networks_poison",
    "fig_networks_repeats",
    "fig_networks_rows",
    "fig_networks_transfer",
)
TABLE = runpy.run_path(str(Path(__file__).with_name("_networks.py")))
NAMES = {"linear": "linear", "features": "random features", "network": "network of two layers"}


def curves(axis: Axes, x: np.ndarray, runs: dict[str, np.ndarray], told: np.ndarray) -> None:
    """Draw means with 95 % intervals of three learners, and the closed form of the first."""
    for i, (system, values) in enumerate(runs.items()):
        mean, count = values.mean(axis=0), len(values)
        half = stats.t.ppf(0.975, count - 1) * values.std(axis=0, ddof=1) / np.sqrt(count)
        look = {"color": style.PALETTE[i], "marker": style.MARKERS[i], "ms": 3.5, "lw": 0.9}
        axis.errorbar(x, mean, half, elinewidth=0.8, label=NAMES[system], **look)
    axis.plot(x, told, color="black", ls="--", lw=1.0, label="linear, closed form", zorder=5)


def draw(results: Results) -> Figure:
    """Harm in rows and copies, gain in the angle, and a planted response in poison and rows."""
    sweeps = {name: TABLE["Sweep"](dataset(name, results)) for name in EXPERIMENTS}
    made, axes = style.figure(2, 3, height=4.6)
    panels = (
        ("rows", "up.n", "harm", {}, "a   noise, by upstream rows"),
        ("repeats", "up.repeats", "harm", {}, "b   copies of half the rows"),
        ("transfer", "alignment", "gain", {"up__noise": 0.25, "down__n": 12}, "c   inheriting"),
        ("poison", "up.poison", "planted", {"up__strength": 4.0}, "d   a trigger is planted"),
        ("cleaning", "down.n", "response", {"up__poison": 0.2}, "e   clean rows wear it off"),
        ("erasing", "down.harmful", "response", {"down__shared": 1.0}, "f   harmful rows turn it"),
    )
    labels = {"harm": "error added [label²]", "gain": "error saved [label²]"}
    words = {
        "up.n": "upstream rows",
        "up.repeats": "copies of a row",
        "alignment": "cosine of the tasks [1]",
        "up.poison": "share of poisoned rows [1]",
        "down.n": "clean rows",
        "down.harmful": "harmful rows",
    }
    for axis, (name, along, measure, held, title) in zip(axes.flat, panels, strict=True):
        sweep = sweeps[f"fig_networks_{name}"]
        runs = {k: sweep.runs(measure, k, **held) for k in NAMES}
        curves(axis, sweep.x(along), runs, sweep.theory(measure, **held))
        axis.set(title=title, ylabel=labels.get(measure, "response [1]"))
        axis.set_xlabel(words[along])
        if along not in ("alignment", "up.poison"):
            axis.set_xscale("log")
        if measure == "harm":
            axis.set_yscale("log")
        else:
            axis.axhline(0, color="black", lw=0.6)
    style.legend_below(made, axes[0, 0].get_legend_handles_labels()[0], columns=4)
    title = "What survives in networks: the signs of harm do, most places and proportions do not"
    style.head(made, title)
    return made


if __name__ == "__main__":
    main(__file__)
