"""Where the error of random features comes from: only mixed parts peak near p = n."""

from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure

from ci_theory._record import build
from ci_theory.figures import marks, series, style
from ci_theory.figures.paper import dataset, main
from ci_theory.theory.decomposition import error_parts

EXPERIMENTS = ("fig_feature_parts",)
PARTS = {  # in the order of the stack: first the signal's, then the label noise's
    "bias": ("bias²", 0),
    "data": ("inputs", 5),
    "features": ("features", 2),
    "features_data": ("features × inputs", 3),
    "label_noise": ("label noise", 4),
    "features_noise": ("features × label noise", 1),
}


def draw(stores: Path) -> Figure:
    """Parts stacked, with simulations of the two sums; and each part by itself."""
    data = dataset(*EXPERIMENTS, stores)
    phenomenon, fixed = series.phenomenon_of(data), series.fixed_values(data)
    levels, features = data["noise"].to_numpy(), data["p"].to_numpy().astype(float)
    world = phenomenon.world(build(phenomenon.params, phenomenon.point(fixed)))
    p = series.dense(phenomenon.axes["p"], features, count=300)
    at = (world.linear, fixed["n"], p, fixed["ridge"], levels.max())
    parts = jax.vmap(error_parts, in_axes=(None, None, 0, None, None))(*at)
    values = {name: np.asarray(getattr(parts, name)) for name in PARTS}

    made, axes = style.figure(1, 2, height=3.4)
    a, b = axes[0]
    below = np.zeros(len(p))
    for name, (text, colour) in PARTS.items():
        above, hue = below + values[name], style.PALETTE[colour]
        a.fill_between(p, below, above, color=hue, alpha=0.75, lw=0, label=text)
        b.plot(p, values[name], color=hue, label=text)
        below = above
    signal = sum(values[name] for name in list(PARTS)[:4])
    a.plot(p, signal, color="black", lw=0.8, ls="--")
    a.plot(p, below, color="black", lw=0.8)
    for level, marker in zip(levels, ("s", "o"), strict=True):
        runs = data["excess_risk"].sel(noise=level)
        count = runs.sizes["replicate"]
        text = f"noise = {style.value_text(level)} label²: mean of {count} runs, 95 % interval"
        marks.points(a, features, runs, "black", marker, label=text)
    for panel in (a, b):
        style.scale(panel, "x", p.min(), p.max(), "log")
        panel.set_xlabel("random features p [features]")
    a.set_ylabel("excess error [label²]")
    b.set_ylabel("part of the excess error [label²]")
    a.set_title("a   parts stacked: n = 200 rows")
    b.set_title("b   each part")
    b.set_yscale("log")
    b.set_ylim(1e-4, None)
    handles, labels = a.get_legend_handles_labels()
    style.legend_below(made, handles, columns=3, labels=labels)
    made.suptitle(
        "Near p = n only what features cause together with inputs or label noise peaks",
        x=0.01,
        ha="left",
    )
    return made


if __name__ == "__main__":
    main(__file__)
