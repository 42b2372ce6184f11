"""Flipped upstream labels: a dip in-domain, a loss out of domain, and what tells the two apart."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("noisy_features",)


def draw(results: Results) -> Figure:
    """In-domain risk against the flips, the change elsewhere by what is kept, the boundary."""
    data = dataset(EXPERIMENTS[0], results)
    heights = [curves.strip_height(1), 2.2]
    made, axes = style.figure(2, 3, height=3.6, height_ratios=heights, sharex="col")
    a, b, c = axes[1]
    inside = curves.contents(data, "id_excess", "up.flips", None, {"down.kept": 1.0})
    hidden = curves.paint(a, inside, strip=axes[0, 0])
    a.set_ylabel("excess risk [label²]")
    axes[0, 0].set_title("a   in-domain")
    away = curves.contents(data, "ood_change", "up.flips", "down.kept", {})
    hidden = curves.paint(b, away) or hidden
    b.axhline(0, color="black", lw=0.6)
    b.set_ylabel("change of the risk [label²]")
    axes[0, 1].set_title("b   by what is kept")
    style.legend_under(b, handles=away.keys)

    phenomenon, fixed = series.phenomenon_of(data), series.fixed_values(data)
    flips = data["up.flips"].to_numpy().astype(float)
    fine = np.linspace(flips[flips > 0].min(), flips.max(), 90)
    rule = next(k for k in phenomenon.breaks if k.name == "sign boundary")
    form = series.closed_form(phenomenon, rule.name, fixed, "up.flips", fine)
    c.plot(fine, form, color=style.PALETTE[0])
    found = series.located_along(data, rule, "up.flips", {})
    marks.places(c, flips, found, style.PALETTE[0], style.MARKERS[0], "flips help above")
    c.axhline(0, color="black", lw=0.6)
    c.set_ylabel("unnamed target kept [1]")
    axes[0, 2].set_title("c   where the sign turns")
    style.legend_under(c)
    for axis in axes[0, 1:]:
        axis.set_axis_off()
    for axis in axes[1]:
        axis.set_xlabel("share of flips upstream [1]")
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden, breaks=True)
    style.legend_below(made, keys)
    style.head(
        made,
        "Slight upstream label noise helps in-domain, and hurts where the unnamed target is gone",
    )
    return made


if __name__ == "__main__":
    main(__file__)
