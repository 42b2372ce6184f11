"""A smooth law and a jump that are one learner: tokens, sequences, and where half are right."""

import numpy as np
from matplotlib.figure import Figure

from ci_theory.figures import curves, marks, series, style
from ci_theory.figures.paper import Results, dataset, main

EXPERIMENTS = ("fig_mirage",)
ARMS = (  # name, and where it differs from clean
    ("clean", {}),
    ("1 % lies", {"noise": 0.01}),
    ("30 % of the test leaked", {"contamination": 0.3}),
    ("leaks along with the data", {"leak": 0.0005}),
)
PLAIN = {"noise": 0.0, "contamination": 0.0, "leak": 0.0}


def draw(results: Results) -> Figure:
    """Token error, exact match, and half-points against the length."""
    data = dataset(*EXPERIMENTS, results)
    n = data["n"].to_numpy()
    grid = np.unique(np.round(np.geomspace(n[0], n[-1], 45)))
    made, axes = style.figure(1, 3, height=3.3)
    a, b, c = axes[0]
    for index, (name, changed) in enumerate(ARMS):
        held = {**PLAIN, **changed, "length": 4}
        panel = curves.contents(data, "token_error", "n", None, held, grid=grid)
        curves.add(a, panel, index, name)
    a.set(title="a   token by token", ylabel="wrong tokens [share]", xlabel="draws n [draws]")
    style.scale(a, "x", n[0], n[-1], "log")
    style.scale(a, "y", 1e-5, 0.5, "log")
    a.set_ylim(1e-5, 0.5)
    panel = curves.contents(data, "exact_match", "n", "length", PLAIN, grid=grid)
    hidden = curves.paint(b, panel)
    style.scale(b, "y", 0, 1, "linear")
    b.axhline(0.5, color="0.6", lw=0.6, zorder=0)
    b.set(title="b   all or nothing", ylabel="right sequences [share]")
    b.set_xlabel("draws n [draws]")

    phenomenon, fixed = series.phenomenon_of(data), series.fixed_values(data)
    rule, lengths = phenomenon.breaks[0], data["length"].to_numpy()
    fine = np.unique(np.round(np.geomspace(3, 64, 24))).astype(int)
    for index, (name, changed) in enumerate(ARMS):
        held = {**PLAIN, **changed}
        found = series.located_along(data, rule, "length", held)
        colour = style.PALETTE[index]
        line = series.closed_form(phenomenon, rule.name, {**fixed, **held}, "length", fine)
        c.plot(fine, line, color=colour)
        marks.places(c, lengths.astype(float), found, colour, style.MARKERS[index], name)
    c.set(title="c   where half are right", ylabel="draws n [draws]")
    c.set_xlabel("length of a sequence [tokens]")
    style.scale(c, "x", 3, 70, "log")
    style.scale(c, "y", n[0], n[-1], "log")
    note = series.verdict(data, "token_error", "exact_match")
    style.head(made, "The learner follows a power law; the jump is the metric's", note)
    names = [*a.get_legend_handles_labels()[0], *panel.keys]
    keys = marks.keys(replicates=series.replicates(data), hidden=hidden)
    style.legend_below(made, [*names, *keys], columns=3)
    return made


if __name__ == "__main__":
    main(__file__)
