"""What a small network does with wrong answers: phases over label noise and weight decay."""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ci_theory.figures import marks, phase, series, style
from ci_theory.figures.paper import Results, dataset, main
from ci_theory.measure.phases import MEANING, Phase, phases
from ci_theory.phenomena import load

EXPERIMENTS = ("modular_phases",)
COLOURS = ("#4d4d4d", "#D55E00", "#56B4E9", "#8fd1b0", "#009E73")
BREAKS = {
    "the rule appears": ("o", "white"),
    "inversion": ("s", "white"),
    "collapse": ("X", "black"),
}


def draw(results: Results) -> Figure:
    """One map a training share; markers are located boundaries with 95 % intervals."""
    data = dataset(*EXPERIMENTS, results)
    data = data.isel(step=-1) if "step" in data.dims else data  # only the last step is kept
    found = phases(*(data[m] for m in ("train_accuracy", "test_accuracy", "inverted")))
    votes = np.stack([(found == p).sum(axis=-1) for p in Phase])
    winner, agreed = votes.argmax(axis=0), votes.max(axis=0) / series.replicates(data)
    decay, noise = data.decay.to_numpy(), data.corrupted.to_numpy()
    rules = {b.name: b for b in load("modular_grokking").breaks}
    shares = data.fraction.to_numpy()
    made, axes = style.figure(1, len(shares), height=3.3, sharex=True, sharey=True)
    for i, (axis, share) in enumerate(zip(axes[0], shares, strict=True)):
        grid = np.exp(phase.edges(np.log(decay))), np.arange(len(noise) + 1) - 0.5
        axis.pcolormesh(*grid, winner[i], cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=4.5)
        for y, x in zip(*np.nonzero(agreed[i] < 0.75), strict=True):
            axis.plot(decay[x], y, marker=".", ms=1.5, color="black")
        for name, (marker, face) in BREAKS.items():
            runs = data[rules[name].measure].sel(fraction=share)
            places = [rules[name].locator.locate(decay, r.T) for r in runs.to_numpy()]
            real = [(k, p) for k, p in enumerate(places) if np.isfinite(p.value)]
            at = np.array([[p.value, p.low, p.high] for _, p in real]).reshape(-1, 3).T
            ends = np.clip(at[1:], decay[0], decay[-1])
            bars = np.abs(ends - at[0])
            look = {"ls": "none", "marker": marker, "ms": 3.4, "mfc": face, "mec": "black"}
            axis.errorbar(at[0], [k for k, _ in real], xerr=bars, ecolor="black", **look)
        style.scale(axis, "x", decay[0], decay[-1], "log")
        axis.set_xlim(grid[0][0], grid[0][-1])
        axis.set(title=f"{'abc'[i]}   {share:.0%} of the questions", xlabel="weight decay [1/rate]")
        axis.set_yticks(range(len(noise)), [f"{v:g}" for v in noise])
        axis.grid(False)
    axes[0, 0].set_ylabel("share of wrong training answers [1]")
    handles = [
        Patch(fc=COLOURS[p], label=f"{p.name.replace('_', ' ').lower()}: {MEANING[p]}")
        for p in Phase
    ]
    for name, (marker, face) in BREAKS.items():
        look = {"marker": marker, "mfc": face, "mec": "black", "ms": 3.4}
        handles.append(marks.Line2D([], [], ls="none", label=f"located: {name}", **look))
    handles.append(
        marks.Line2D(
            [],
            [],
            ls="none",
            marker=".",
            ms=2,
            color="black",
            label="fewer than 6 of 8 networks agree",
        )
    )
    style.legend_below(made, handles, columns=2)
    made.suptitle("Weight decay decides what becomes of wrong answers", x=0.01, ha="left")
    return made


if __name__ == "__main__":
    main(__file__)
