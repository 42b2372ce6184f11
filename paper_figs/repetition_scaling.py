"""The worst repeat count grows as a power law of the budget: rows per effective parameter."""

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main
from ci_theory.locate.law import slope_through
from ci_theory.theory.ridge.best_ridge import best_ridge
from ci_theory.theory.rows.repeat_scaling import size_exponent, worst_repeats_on
from ci_theory.theory.spectra.power_law import endless

EXPERIMENTS = ("repetition_scaling",)
ALPHA, SOURCE, NOISE = 2.0, 0.5, 0.1
SIZES = np.geomspace(300, 1e7, 10)


def law(fraction: float) -> np.ndarray:
    """Worst repeat counts of the exact equations, at the best ridge of every size."""
    spectrum = endless(ALPHA, SOURCE, 1e-16)
    places = []
    for n in SIZES:
        ridge = best_ridge(spectrum, n, NOISE).ridge
        places.append(float(worst_repeats_on(spectrum, n, fraction, ridge, NOISE).repeats))
    return np.array(places)


def draw(results: Results) -> Figure:
    """The excess risk against the count at four budgets; the worst count against the budget."""
    data = dataset(*EXPERIMENTS, results)
    made, axes = style.figure(
        2, 2, height=4.1, height_ratios=[curves.strip_height(4), 2.4], sharex="col"
    )
    a, b = axes[1]
    (fraction,) = data["repeated_fraction"].to_numpy().tolist()
    held = {"repeated_fraction": fraction}
    panel = curves.contents(data, "excess_risk", "repeats", "n", held)
    hidden = curves.paint(a, panel, strip=axes[0, 0])
    style.scale(a, "x", 1, 180, "log")
    style.legend_under(a, handles=panel.keys)

    exact = law(fraction)
    b.plot(SIZES, exact, color="black", lw=0.9, label="exact maximum, endless spectrum")
    slope = float(size_exponent(jnp.asarray(ALPHA), SOURCE))
    b.plot(
        SIZES, exact[-1] * (SIZES / SIZES[-1]) ** slope, color="black", ls="--", lw=0.9,
        label=f"slope {slope:.2f}",
    )  # fmt: skip
    b.plot(SIZES, exact[0] * SIZES / SIZES[0], color="0.6", ls=":", label="slope 1")
    budgets = data["n"].to_numpy().astype(float)
    y, low, high, told = np.array([[*c.measured[:3], c.predicted] for c in panel.curves]).T
    for curve, n, at, down, up in zip(panel.curves, budgets, y, y - low, high - y, strict=True):
        b.errorbar(n, at, [[down], [up]], fmt=curve.marker, color=curve.colour, ms=4, zorder=3)
    ours = slope_through(budgets, y, low, high)
    theirs = slope_through(budgets, told, told * low / y, told * high / y)
    words = f"located: slope {ours.value:.2f} [{ours.low:.2f}, {ours.high:.2f}],\n"
    b.plot([], [], " ", label=f"{words}the same fit of the exact curves {theirs.value:.2f}")
    style.scale(b, "x", SIZES[0], SIZES[-1], "log")
    b.set_yscale("log")
    style.legend_under(b)
    a.set_xlabel("copies of each repeated row, r [copies]")
    a.set_ylabel("excess risk [label²]")
    b.set_xlabel("budget, N [rows]")
    b.set_ylabel("worst repeat count [copies]")
    axes[0, 0].set_title("a   half of the rows repeated, best ridge")
    axes[0, 1].set_title("b   it grows slower than the budget")
    axes[0, 1].set_axis_off()
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden, breaks=True)
    style.legend_below(made, keys, columns=2)
    style.head(made, "The worst repeat count is the number of rows per effective parameter")
    return made


if __name__ == "__main__":
    main(__file__)
