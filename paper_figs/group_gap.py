"""Two groups, one model: weights close the gap, at a price, and only with rows enough."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("group_gap",)
WHOLE = {"ridge": 0.0, "alignment": 0.6}
BOTH = ("error_majority", "error_minority")


def draw(results: Results) -> Figure:
    """The gap against the weight; both errors at one share; one error against the other."""
    data = dataset(*EXPERIMENTS, results)
    shares = data["minority"].to_numpy().tolist()
    heights = [curves.strip_height(len(shares)), 2.2]
    made, axes = style.figure(2, 3, height=3.9, height_ratios=heights, sharex="col")
    a, b, c = axes[1]
    panel = curves.contents(data, "gap", "weight", "minority", WHOLE)
    hidden = curves.paint(a, panel, strip=axes[0, 0])
    a.axhline(0, color="black", lw=0.6)
    style.legend_under(a, handles=panel.keys)

    for i, measure in enumerate(BOTH):
        one = curves.contents(data, measure, "weight", None, {**WHOLE, "minority": 0.2})
        curves.add(b, one, i, measure.partition("_")[2])
    style.scale(b, "x", one.x.min(), one.x.max(), "log")
    style.legend_under(b)

    most, few = (curves.contents(data, m, "weight", "minority", WHOLE) for m in BOTH)
    for i, (one, other) in enumerate(zip(most.curves, few.curves, strict=True)):
        hue = one.colour
        c.plot(most.line.value[i], few.line.value[i], color=hue)
        c.plot(one.means.mean, other.means.mean, one.marker, color=hue, ms=3)
    low, high = c.get_ylim()
    c.plot([low, high], [low, high], color="black", lw=0.6, ls=":")
    for axis in (a, b):
        axis.set_xlabel("weight of a row of the minority [1]")
    a.set_ylabel("gap, minority - majority [label²]")
    b.set_ylabel("test error [label²]")
    c.set_xlabel("error of the majority [label²]")
    c.set_ylabel("error of the minority [label²]")
    axes[0, 0].set_title("a   24 rows, p = 60: never")
    axes[0, 1].set_title("b   a minority of 0.2")
    axes[0, 2].set_title("c   dotted: no gap")
    for axis in axes[0, 1:]:
        axis.set_axis_off()
    keys = marks.keys(
        replicates=series.replicates(data), hidden=hidden, thin=panel.thin, breaks=True
    )
    style.legend_below(made, keys, columns=2)
    style.head(
        made,
        "A weight closes the gap only if the minority has more than p/2 rows, and it may cost both",
    )
    return made


if __name__ == "__main__":
    main(__file__)
