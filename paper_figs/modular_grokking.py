"""Grokking of modular addition: every run, the share not there yet, and what moves the moment."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style, survival
from ci_theory.figures.paper import Results, dataset, main
from ci_theory.locate.law import fitted
from ci_theory.locate.survival import Survival, break_times

EXPERIMENTS = ("modular_grokking", "modular_decay", "modular_repeats")
SHOWN = (0.45, 0.5, 0.6, 0.8)


def times(axis, data, along, places, i, text):
    """Draw the median grokking step along an axis; return it for the runs of every value."""
    y = data.test_accuracy.transpose(along, "replicate", "step").to_numpy()
    steps = data.step.to_numpy()
    found = [Survival(level=0.95).locate(steps, runs) for runs in y]
    marks.places(axis, places, found, style.PALETTE[i], style.MARKERS[i], text)
    return [break_times(steps, runs, 0.95) for runs in y]


def draw(results: Results) -> Figure:
    """Runs and survival; grokking time against share, decay and repeats; critical share."""
    data, decays, copies = (dataset(name, results) for name in EXPERIMENTS)
    made, axes = style.figure(2, 3, height=5.6)
    (a, b, c), (d, e, f) = axes
    x, legend = data.step.to_numpy().astype(float), []
    for hue, share in zip(style.colours(SHOWN), SHOWN, strict=True):
        one = data.sel(fraction=share).transpose("step", "replicate")
        rules = survival.breaks_of(series.phenomenon_of(data), "step")
        for rule, dash in zip(rules, survival.DASHES, strict=False):
            survival.runs(a, x, one[rule.measure].to_numpy(), hue, dash)
            survival.shares(b, x, one[rule.measure].to_numpy(), rule, hue, dash)
        legend.append(marks.Line2D([], [], color=hue, label=f"fraction = {share:g} (a, b)"))
    a.set(title="a   every run", ylabel="accuracy [share]")
    b.set(title="b   runs not there yet", ylabel="runs below 0.95 [share]", ylim=(-0.03, 1.03))

    times(c, data, "fraction", data.fraction.to_numpy(), 0, "clean answers")
    c.set(title="c   less data, later", xlabel="share trained on, fraction [1]")
    places = decays.decay.to_numpy()
    for i, wrong in enumerate(decays.corrupted.to_numpy()):
        one, near = decays.sel(corrupted=wrong), places * 1.05 ** (i - 1)
        found = times(d, one, "decay", near, i, f"{wrong:.0%} wrong answers")
        whole = np.array([t.reached.all() for t in found]) & (places < 5)
        if not wrong:
            law = fitted(places[whole], np.stack([t.time for t in found], axis=1)[:, whole])
            text = f"fitted: slope {law.slope.value:.2f}, bend {law.bend.value:.2f}"
            d.plot(places[whole], law(places[whole]), color="0.3", lw=0.8, ls="--", label=text)
    d.set(title="d   decay brings it earlier", xlabel="weight decay [1/rate]")
    for i, part in enumerate(copies.repeated.to_numpy()):
        one, near = copies.sel(repeated=part), copies.repeats.to_numpy() * 1.06 ** (i - 1)
        times(e, one, "repeats", near, i, f"{part:.0%} of the questions")
    e.set(title="e   what repeats do", xlabel="copies of a repeated question [copies]")
    panel = curves.contents(data, "test_accuracy", "fraction", "step")
    late = [curve.measured for curve, step in zip(panel.curves, x, strict=True) if step >= 50]
    marks.places(f, x[-len(late) :], late, style.PALETTE[0], "o", "")
    f.set(title="f   the critical share", ylabel="fraction at which half is right [1]")
    for axis, low, high in ((a, 5, 3000), (b, 5, 3000), (d, 0.1, 6.4), (e, 1, 100), (f, 5, 3000)):
        style.scale(axis, "x", low, high, "log")
    for axis in (a, b, f):
        axis.set_xlabel("training steps [steps]")
    for axis, low, high in ((c, 30, 3000), (d, 30, 3000), (e, 400, 1600)):
        axis.set_ylabel("steps to 95 % [steps]")
        style.scale(axis, "y", low, high, "log")
        style.legend_under(axis)
    for axis in (c, d):
        axis.set_ylim(40, 7000)
    legend.append(marks.Line2D([], [], ls="none", marker="$\\uparrow$", label="later (c, d)"))
    style.legend_below(made, survival.keys(("test_accuracy", "train_accuracy"), 16) + legend)
    style.head(made, "The rule is found late; what moves the moment is measured")
    return made


if __name__ == "__main__":
    main(__file__)
