"""Where the error of random features comes from, and what the mean of several models keeps."""

import jax
import numpy as np
import xarray
from matplotlib.figure import Figure

from ci_theory._record import build
from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main
from ci_theory.theory.features.decomposition import ErrorParts, error_parts

EXPERIMENTS = ("fig_feature_parts", "feature_ensemble")
AT = {"ridge": 1e-3, "noise": 0.25}
PARTS = {  # in the order of the stack: first the signal's, then the label noise's
    "bias": ("bias²", 0),
    "data": ("inputs", 5),
    "features": ("features", 2),
    "features_data": ("features × inputs", 3),
    "label_noise": ("label noise", 4),
    "features_noise": ("features × label noise", 1),
}


def draw(results: Results) -> Figure:
    """Parts stacked, with simulations of the two sums; each part; simulated ensembles."""
    data, ensembles = (dataset(name, results) for name in EXPERIMENTS)
    levels, features = data["noise"].to_numpy(), data["p"].to_numpy().astype(float)
    p = np.unique(np.append(np.geomspace(features.min(), features.max(), 300), features))
    values = {name: np.asarray(getattr(_parts(data, p), name)) for name in PARTS}
    made, ((a, b, c),) = style.figure(1, 3, height=3.2)
    below = np.zeros(len(p))
    for name, (text, colour) in PARTS.items():
        above, hue = below + values[name], style.PALETTE[colour]
        a.fill_between(p, below, above, color=hue, alpha=0.75, lw=0, label=text)
        b.plot(p, values[name], color=hue)
        below = above
    a.plot(p, sum(values[name] for name in list(PARTS)[:4]), color="black", lw=0.8, ls="--")
    a.plot(p, below, color="black", lw=0.8)
    for level, marker in zip(levels, ("s", "o"), strict=True):
        runs = series.seen(data, "excess_risk", ("p",), {"noise": level})
        text = f"noise {level:g}: mean of runs, 95 % interval"
        marks.points(a, features, runs, "black", marker, label=text)

    panel = curves.contents(ensembles, "test_error", "p", "members", AT)
    curves.paint(c, panel)
    common = _parts(ensembles, panel.line.x).ensemble(np.inf)
    (limit,) = c.plot(panel.line.x, common, color="black", lw=0.8, ls="--", label="members → ∞")
    style.legend_under(c, handles=[*panel.keys, limit])
    n = [series.fixed_values(found)["n"] for found in (data, ensembles)]
    texts = (
        (f"a   parts stacked: n = {n[0]}", "features p", "excess error"),
        ("b   each part", "features p", "part"),
        (f"c   means of models: n = {n[1]}", "features per member p", "test error"),
    )
    for axis, (title, x, y) in zip((a, b, c), texts, strict=True):
        axis.set(title=title, xlabel=f"{x} [features]", ylabel=f"{y} [label²]")
        if axis is not c:
            style.scale(axis, "x", p.min(), p.max(), "log")
    b.set_yscale("log")
    b.set_ylim(1e-4, None)
    style.legend_below(made, a.get_legend_handles_labels()[0], columns=4)
    title = "What features cause together with inputs or noise peaks at p = n; ensembles remove it"
    note = series.verdict(ensembles, "test_error", "disagreement")
    style.head(made, title, note)
    return made


def _parts(data: xarray.Dataset, p: np.ndarray) -> ErrorParts:
    """Evaluate the parts of one model's error at feature counts p (t,)."""
    phenomenon, fixed = series.phenomenon_of(data), series.fixed_values(data)
    world = phenomenon.world(build(phenomenon.params, phenomenon.point(fixed)))
    return jax.vmap(lambda p: error_parts(world.linear, fixed["n"], p, **AT))(p)


if __name__ == "__main__":
    main(__file__)
