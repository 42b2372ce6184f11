"""Attention reads other inputs with what it has built in; spoilt prompts soften that."""

from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("icl_population", "icl_input_scale")
RIGHT = {"flips": 0.0, "repeats": 1}
LARGER = {"decay": 1.0, "noise": 1.0}


def draw(results: Results) -> Figure:
    """Gain against the turn; error against noise, by turn; gain against the scale, by lengths."""
    turned, scaled = (dataset(name, results) for name in EXPERIMENTS)
    heights = [curves.strip_height(5), 2.2]
    made, axes = style.figure(2, 3, height=4.2, height_ratios=heights, sharex="col")
    a, b, c = axes[1]
    some = turned.sel(noise=[0.1, 1.0, 3.0, 12.0, 50.0])
    gains = curves.contents(some, "gain", "turn", "noise", RIGHT)
    hidden = curves.paint(a, gains, strip=axes[0, 0])
    few = turned.sel(turn=[0.0, 0.2, 0.4, 0.6, 1.0])
    errors = curves.contents(few, "error", "noise", "turn", RIGHT)
    hidden = curves.paint(b, errors, strip=axes[0, 1]) or hidden
    style.scale(b, "y", 0.5, 40.0, "log")
    near = scaled.sel(n=40).isel(scale=slice(0, 8))
    longer = curves.contents(near, "gain", "scale", "test_length", LARGER)
    hidden = curves.paint(c, longer, strip=axes[0, 2]) or hidden
    for axis, panel in ((a, gains), (b, errors), (c, longer)):
        style.legend_under(axis, handles=panel.keys)
    for axis in (a, c):
        axis.axhline(0, color="black", lw=0.6)
        axis.set_ylabel("gain of reading the context [label²]")
    b.set_ylabel("test error [label²]")
    a.set_xlabel("turn of the inputs [right angles]")
    b.set_xlabel("label noise trained on [label²]")
    c.set_xlabel("scale of the inputs' covariance [1]")
    axes[0, 0].set_title("a   d = 8, 20 pairs")
    axes[0, 1].set_title("b   the same")
    axes[0, 2].set_title("c   d = 6, 40 pairs, 30 runs")
    keys = marks.keys(replicates=series.replicates(turned), hidden=hidden, breaks=True)
    style.legend_below(made, keys, columns=2)
    style.head(
        made,
        "Inputs that turn or grow are read as the old ones; noisy prompts soften what is built in",
    )
    return made


if __name__ == "__main__":
    main(__file__)
