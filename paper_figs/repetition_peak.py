"""The repetition peak: repeating part of the data hurts most at an intermediate count."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main
from ci_theory.theory.rows.repeat_peak import data_rich_excess

EXPERIMENTS = ("fig_repeat_share", "fig_repeat_budget", "fig_repeat_arms", "fig_repeat_ridge")
SHARED = {"shared_noise": True, "deduplicated": False}
ARMS = {
    "copies share their label": SHARED,
    "every copy labelled afresh": {"shared_noise": False, "deduplicated": False},
    "deduplicated": {"shared_noise": True, "deduplicated": True},
}
SEEN = {
    "test error": "test_error",
    "cross-validation over copies": "gcv_naive",
    "cross-validation over distinct rows": "gcv_distinct",
}


def divisors(whole: int) -> np.ndarray:
    """Counts that leave a whole number of distinct rows, so that no rounding blurs a line."""
    return np.array([r for r in range(1, whole + 1) if whole % r == 0], float)


def draw(results: Results) -> Figure:
    """Four panels: repeated shares, budgets, remedies, and what cross-validation reports."""
    shares, budgets, arms, ridges = (dataset(name, results) for name in EXPERIMENTS)
    made, axes = style.figure(3, 2, height=6.9, height_ratios=[0.3, 2.2, 2.2])
    a, b, c, d = axes[1:].ravel()
    axes[0, 0].sharex(a)
    axes[0, 1].sharex(b)
    few = divisors(120)
    share = curves.contents(shares, "excess_risk", "repeats", "repeated_fraction", grid=few)
    hidden = curves.paint(a, share, strip=axes[0, 0])

    ratio, breaks = np.geomspace(0.02, 18, 200), []
    b.plot(ratio, data_rich_excess(0.3, ratio), color="black", ls="--", lw=0.9, label="limit N ≫ p")
    for i, budget in enumerate(budgets["budget"].to_numpy().tolist()):
        at, own = {"budget": budget}, divisors(3 * budget // 10)
        panel = curves.contents(budgets, "excess_risk", "repeats", None, at, grid=own[own <= 180])
        breaks.append(curves.add(b, panel, i, f"N = {budget // 60} p", per=60 / budget))
    marks.strip_of(axes[0, 1], breaks)

    for i, (text, at) in enumerate(ARMS.items()):
        curves.add(c, curves.contents(arms, "test_error", "repeats", None, at, grid=few), i, text)
    tuned = curves.contents(ridges, "test_error", "repeats", "ridge", grid=few)
    curves.add(c, curves.lowest(tuned), 3, "best ridge, shared label")
    for i, (text, measure) in enumerate(SEEN.items()):
        curves.add(d, curves.contents(arms, measure, "repeats", None, SHARED, grid=few), i, text)

    axes[0, 0].set_title("a   it grows with the repeated share f: N = 20 p")
    axes[0, 1].set_title("b   the worst count nears N / p: f = 0.3")
    c.set_title("c   what removes it: N = 20 p, f = 0.3")
    d.set_title("d   what sees it: N = 20 p, f = 0.3")
    for axis in (a, b, c, d):
        axis.set_xlabel("copies of each repeated row, r [copies]")
        axis.set_ylabel("excess error [label²]" if axis in (a, b) else "test error [label²]")
        style.scale(axis, "x", *((0.02, 18) if axis is b else (1, 120)), "log")
        style.legend_under(axis, handles=share.keys if axis is a else None)
    b.set_xlabel("copies × parameters / budget, r p / N [1]")
    keys = marks.keys(replicates=series.replicates(shares), hidden=hidden, breaks=True)
    style.legend_below(made, keys)
    style.head(made, "Repeating part of the data hurts most at an intermediate count")
    return made


if __name__ == "__main__":
    main(__file__)
