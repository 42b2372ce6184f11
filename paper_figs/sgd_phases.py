"""Phases of the best width of one-pass SGD, and how near finite budgets come to them."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import phase as maps
from ci_theory.figures import style
from ci_theory.figures.paper import Results, main
from ci_theory.theory.scaling.compute_optimal import frontier
from ci_theory.theory.scaling.sgd_phases import PHASES, phase

EXPERIMENTS = ()
ALPHA, BETA = np.linspace(0.02, 1.5, 186), np.linspace(0.0, 1.5, 189)
BUDGETS = 10.0 ** np.arange(6, 19, 2)
CASES = {  # decays, |K|_1 and inputs per feature
    "Ia": (1.0, 0.3, 0.1, np.inf),
    "Ib": (0.4, 0.3, 0.1, 4.0),
    "Ic": (0.2, 0.8, 0.1, 4.0),
    "II": (1.2, 0.8, 0.1, np.inf),
    "III": (0.7, 1.2, 0.1, np.inf),
    "IVa": (0.4, 1.0, 0.4, 4.0),
    "IVb": (0.27, 0.7, 0.4, 4.0),
}


def draw(results: Results) -> Figure:
    """Maps of the two exponents; local exponents on the averaged curve less the predicted ones."""
    made, axes = style.figure(1, 3, height=3.0, width_ratios=[1.15, 1.15, 1])
    found = [[phase(a, b) if a + b > 0.5 else None for a in ALPHA] for b in BETA]
    number = np.array([[PHASES.index(p.name) if p else -1 for p in row] for row in found])
    for axis, field, title in (
        (axes[0, 0], "risk", "a   risk ~ f^-exponent"),
        (axes[0, 1], "width", "b   best width ~ f^exponent"),
    ):
        values = [[getattr(p, field) if p else np.nan for p in row] for row in found]
        mesh = axis.pcolormesh(
            maps.edges(ALPHA), maps.edges(BETA), values, cmap=maps.MAP, rasterized=True
        )
        for index in range(len(PHASES)):
            axis.contour(ALPHA, BETA, number == index, [0.5], colors="white", linewidths=0.6)
        for index, (name, (a, b, *_)) in enumerate(CASES.items()):
            look = {"mec": "black", "mfc": style.PALETTE[index], "ms": 4, "ls": "none"}
            axis.plot([a], [b], marker=style.MARKERS[index], **look)
            box = {"fc": "black", "alpha": 0.45, "pad": 0.8, "lw": 0}
            at = {"xytext": (5, 4), "textcoords": "offset points"}
            axis.annotate(name, (a, b), color="white", fontsize=6.5, bbox=box, **at)
        axis.set(title=title, xlabel="α: inputs ~ j^-α")
        axis.grid(False)
        made.colorbar(mesh, ax=axis, pad=0.02)
    axes[0, 0].set_ylabel("β: target ~ j^-β")
    last = axes[0, 2]
    for index, (name, (a, b, kernel, ratio)) in enumerate(CASES.items()):
        best = frontier(a, b, BUDGETS, high=3e12, kernel=kernel, ratio=ratio)
        gap = -best.risk_slope - phase(a, b).risk
        look = {"color": style.PALETTE[index], "marker": style.MARKERS[index], "mfc": "white"}
        last.plot(BUDGETS, gap, label=name, lw=0.9, **look)
    last.axhline(0, color="0.3", lw=0.7)
    last.set(xscale="log", xlabel="budget f = width × steps", ylabel="measured less predicted")
    last.set_title("c   risk exponent")
    last.legend(ncols=2, loc="lower right")
    title = (
        "Seven phases of one-pass SGD; measured exponents of all but IVb tend to the predicted ones"
    )
    style.head(made, title)
    return made


if __name__ == "__main__":
    main(__file__)
