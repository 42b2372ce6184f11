"""Noise is foretold by the singular values; copies are foretold as the reverse of what they do."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("feature_spectrum",)
AXES = "up.noise", "up.repeats"


def draw(results: Results) -> Figure:
    """Draw the overlap against the noise, then against what is foretold; error and entropy."""
    data = dataset(*EXPERIMENTS, results)
    heights = [curves.strip_height(data.sizes["up.repeats"]), 2.4]
    made, axes = style.figure(2, 3, height=4.2, height_ratios=heights, sharex="col")
    a, b, c = axes[1]
    panel = curves.contents(data, "overlap", *AXES, {})
    hidden = curves.paint(a, panel, strip=axes[0, 0])
    a.axhline(0.5, color="black", lw=0.6, ls=":")
    style.scale(a, "y", 0.0, 1.05, "linear")
    a.set_xlabel("upstream noise [input²]")
    a.set_ylabel("overlap with the direction [1]")
    style.legend_under(a, handles=panel.keys)

    for axis, name, other in ((b, "foretold", "overlap"), (c, "largest", "error")):
        along, up = (curves.contents(data, m, *AXES, {}) for m in (name, other))
        for i, (one, two) in enumerate(zip(along.curves, up.curves, strict=True)):
            axis.plot(along.line.value[i], up.line.value[i], color=one.colour)
            axis.plot(one.means.mean, two.means.mean, one.marker, color=one.colour, ms=3)
    b.plot([0, 1], [0, 1], color="black", lw=0.6, ls=":")
    b.set_xlim(0.6, 1.0)
    b.set_xlabel("overlap foretold by the singular values [1]")
    b.set_ylabel("overlap [1]")
    c.axhline(1, color="black", lw=0.6, ls=":")
    c.set_xlabel("LSVR [nat]")
    c.set_ylabel("excess risk downstream [label²]")
    axes[0, 0].set_title("a   half of the direction")
    axes[0, 1].set_title("b   dotted: as foretold")
    axes[0, 2].set_title("c   dotted: no probe")
    for axis in axes[0, 1:]:
        axis.set_axis_off()
    keys = marks.keys(
        replicates=series.replicates(data), hidden=hidden, thin=panel.thin, breaks=True
    )
    style.legend_below(made, keys, columns=2)
    style.head(
        made,
        "Singular values foretell what noise does to a feature, and the reverse of what copies do",
    )
    return made


if __name__ == "__main__":
    main(__file__)
