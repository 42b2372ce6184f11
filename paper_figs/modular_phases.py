"""What small networks do with wrong answers: phases over label noise and weight decay."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from xarray import Dataset

from ci_theory.figures import marks, phase, series, style
from ci_theory.figures.paper import Results, dataset, main
from ci_theory.measure.phases import MEANING, Phase, phases
from ci_theory.phenomena import load

EXPERIMENTS = ("modular_phases", "modular_transformer_phases")
NETWORKS = ("quadratic", "transformer")
COLOURS = ("#4d4d4d", "#D55E00", "#56B4E9", "#8fd1b0", "#009E73")
BREAKS = {
    "the rule appears": ("o", "white"),
    "inversion": ("s", "white"),
    "collapse": ("X", "black"),
}


def draw(results: Results) -> Figure:
    """One row a network, one map a training share; markers are located with 95 % intervals."""
    made, axes = style.figure(2, 3, height=5.4)
    for i, (name, network) in enumerate(zip(EXPERIMENTS, NETWORKS, strict=True)):
        data = dataset(name, results)
        data = data.isel(step=-1) if "step" in data.dims else data  # only the last step is kept
        for j, share in enumerate(data.fraction.to_numpy()):
            _map(axes[i, j], data.sel(fraction=share))
            axes[i, j].set_title(f"{'abcdef'[3 * i + j]}   {network}, {share:.0%}")
            axes[1, j].set_xlabel("weight decay [1/rate]")
        axes[i, 0].set_ylabel("wrong training answers [1]")
    handles = [
        Patch(fc=COLOURS[p], label=f"{p.name.replace('_', ' ').lower()}: {MEANING[p]}")
        for p in Phase
    ]
    for name, (marker, face) in BREAKS.items():
        look = {"marker": marker, "mfc": face, "mec": "black", "ms": 3.4}
        handles.append(marks.Line2D([], [], ls="none", label=f"located: {name}", **look))
    words = "fewer than 6 of 8 networks agree"
    handles.append(marks.Line2D([], [], ls="none", marker=".", ms=2, color="black", label=words))
    style.legend_below(made, handles, columns=2)
    style.head(made, "What becomes of wrong answers, by the share of the questions that is taught")
    return made


def _map(axis: Axes, data: Dataset) -> None:
    """Draw the phase of most networks in every cell, and the boundaries."""
    found = phases(*(data[m] for m in ("train_accuracy", "test_accuracy", "inverted")))
    votes = np.stack([(found == p).sum(axis=-1) for p in Phase])
    winner, agreed = votes.argmax(axis=0), votes.max(axis=0) / series.replicates(data)
    decay, noise = data.decay.to_numpy(), data.corrupted.to_numpy()
    grid = np.exp(phase.edges(np.log(decay))), np.arange(len(noise) + 1) - 0.5
    axis.pcolormesh(*grid, winner, cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=4.5)
    for y, x in zip(*np.nonzero(agreed < 0.75), strict=True):
        axis.plot(decay[x], y, marker=".", ms=1.5, color="black")
    for rule in (b for b in load("modular_grokking").breaks if b.name in BREAKS):
        marker, face = BREAKS[rule.name]
        places = [rule.locator.locate(decay, r.T) for r in data[rule.measure].to_numpy()]
        real = [(k, p) for k, p in enumerate(places) if np.isfinite(p.value)]
        at = np.array([[p.value, p.low, p.high] for _, p in real]).reshape(-1, 3).T
        bars = np.abs(np.clip(at[1:], decay[0], decay[-1]) - at[0])
        look = {"ls": "none", "marker": marker, "ms": 3.4, "mfc": face, "mec": "black"}
        axis.errorbar(at[0], [k for k, _ in real], xerr=bars, ecolor="black", **look)
    style.scale(axis, "x", decay[0], decay[-1], "log")
    axis.set_xlim(grid[0][0], grid[0][-1])
    axis.set_yticks(range(len(noise)), [f"{v:g}" for v in noise])
    axis.grid(False)


if __name__ == "__main__":
    main(__file__)
