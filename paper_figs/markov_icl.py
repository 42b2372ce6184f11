"""Markov chains known by heart, or learnt in context by counting."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("markov_icl",)
LONG = {"length": 12}
PLAIN = {**LONG, "repeats": 1, "noise": 0.0}
PLACES = np.round(np.geomspace(16, 300, 25))
"""Numbers of chains at which theory is evaluated, about a second each: its curves are smooth."""

LOSSES = {
    "unigram_loss": "counts states",
    "counting_loss": "counts steps",
    "fresh_loss": "knows the pool, new chain",
    "pool_loss": "knows the pool, its chain",
    "known_loss": "knows the chain",
}


def draw(results: Results) -> Figure:
    """Five losses against the pool; what knowing it saves on its chains, and costs on new ones."""
    data = dataset(*EXPERIMENTS, results)
    made, axes = style.figure(
        2, 3, height=4.3, height_ratios=[curves.strip_height(2), 2.2], sharex="col"
    )
    a, b, c = axes[1]
    for i, (measure, label) in enumerate(LOSSES.items()):
        one = curves.contents(data, measure, "pool", None, PLAIN, grid=PLACES)
        curves.add(a, one, i, label)
    style.scale(a, "x", one.x.min(), one.x.max(), "log")
    style.legend_under(a)
    gains = curves.contents(data, "gain", "pool", "repeats", {**LONG, "noise": 0.15}, grid=PLACES)
    hidden = curves.paint(b, gains, strip=axes[0, 1])
    harms = curves.contents(
        data, "harm", "pool", "length", {"repeats": 1, "noise": 0.0}, grid=PLACES
    )
    hidden = curves.paint(c, harms, strip=axes[0, 2]) or hidden
    for axis, panel in ((b, gains), (c, harms)):
        axis.axhline(0, color="black", lw=0.6)
        style.legend_under(axis, handles=panel.keys)
    a.set_ylabel("loss [nats/step]")
    b.set_ylabel("saved on the pool's chains [nats]")
    c.set_ylabel("cost on new chains [nats]")
    for axis in (a, b, c):
        axis.set_xlabel("chains of the pool [chains]")
    axes[0, 0].set_title("a   12 steps, learnt right")
    axes[0, 1].set_title("b   12 steps, 0.15 of them wrong")
    axes[0, 2].set_title("c   longer contexts need more")
    axes[0, 0].set_axis_off()
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden, breaks=True)
    style.legend_below(made, keys, columns=2)
    style.head(
        made,
        "A pool learnt from wrong steps loses to counting even on its own chains; copies delay it",
    )
    return made


if __name__ == "__main__":
    main(__file__)
