"""Facts in one matrix: what copies store and push out, which ranks are recalled, whom to keep."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fact_memory", "fact_memory_kept", "fact_memory_ranks")
CROWDED = {"facts": 200, "noise": 0.0, "power": 1.0}
GROUPS = {"copied_recalled": "copied", "single_recalled": "not copied", "recalled": "all"}


def draw(results: Results) -> Figure:
    """Recall against copies, facts and rank; the error against the number of facts kept."""
    crowd, kept, ranks = (dataset(name, results) for name in EXPERIMENTS)
    made, axes = style.figure(2, 2, height=4.6)
    (a, b), (c, d) = axes
    for i, (measure, name) in enumerate(GROUPS.items()):
        one = curves.contents(crowd, measure, "repeats", None, CROWDED, grid=np.geomspace(1, 8, 13))
        curves.add(a, one, i, name)
    style.scale(a, "x", one.x.min(), one.x.max(), "log")
    style.legend_under(a)
    plain = {"noise": 0.0, "repeats": 8.0}
    hidden = False
    for axis, data, measure, along, by, fixed, few in (
        (b, crowd, "recalled", "facts", "power", plain, np.geomspace(50, 400, 13)),
        (c, ranks, "known", "rank", "power", {"d": 64, "exponent": 1.3}, np.arange(2, 17)),
        (d, kept, "error", "kept", "d", {"exponent": 0.5}, np.geomspace(20, 160, 16)),
    ):
        panel = curves.contents(data, measure, along, by, fixed, grid=np.round(few))
        hidden = curves.paint(axis, panel) or hidden
        style.legend_under(axis, handles=panel.keys)
    a.set_xlabel("copies of every tenth fact [copies]")
    b.set_xlabel("facts [facts]")
    c.set_xlabel("rank [1]")
    d.set_xlabel("facts stored, commonest first [facts]")
    for axis in (a, b, c):
        axis.set_ylabel("recalled [share]")
    d.set_ylabel("error [share]")
    a.set_title("a   200 facts, d = 48, stored by count")
    b.set_title("b   every tenth fact eight times")
    c.set_title("c   frequency rank^-1.3, d = 64")
    d.set_title("d   fewer stored alike, fewer wrong")
    keys = marks.keys(replicates=series.replicates(crowd), hidden=hidden)
    style.legend_below(made, keys, columns=2)
    style.head(
        made,
        "What is met often is stored at the price of the rest, the less so the less counts weigh",
    )
    return made


if __name__ == "__main__":
    main(__file__)
