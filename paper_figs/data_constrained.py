"""What repeated rows are worth: the solvable curve, its saturation, and the empirical form."""

import jax
import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar

from ci_theory.figures import style
from ci_theory.figures.paper import Results, main
from ci_theory.theory.scaling import data_constrained
from ci_theory.theory.spectra import power_law

EXPERIMENTS = ()
RATE, ALPHA, SOURCE = 0.1, 1.5, 0.3
EPOCHS = np.geomspace(1, 3000, 25)
SIZES = (50.0, 200.0, 1000.0, 5000.0)
worth = jax.jit(jax.vmap(data_constrained.reuse, in_axes=(None, None, 0, None, None)))


def fitted(fresh: np.ndarray) -> float:
    """Fit R* of the exponential form to a curve, relative to its first epoch."""
    goal = np.log(fresh / fresh[0])

    def loss(log_half: float) -> float:
        form = data_constrained.effective_data(EPOCHS, np.exp(log_half))
        return float(np.sum((np.log(form) - goal) ** 2))

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 12.0), method="bounded").x))


def draw(results: Results) -> Figure:
    """Worth against epochs for four sizes; R* against size; noise."""
    law = power_law.endless(ALPHA, SOURCE)
    made, axes = style.figure(1, 3, height=2.9)
    (a, b, c), halves = axes[0], []
    for hue, rows in zip(style.colours(SIZES), SIZES, strict=True):
        fresh = np.asarray(worth(law, rows, EPOCHS, RATE, 0.0).fresh)
        halves.append(fitted(fresh))
        a.plot(EPOCHS, fresh, color=hue, label=f"U = {rows:g} rows")
        form = fresh[0] * data_constrained.effective_data(EPOCHS, halves[-1])
        a.plot(EPOCHS, form, color=hue, lw=0.9, ls=":")
    a.plot(EPOCHS, data_constrained.effective_data(EPOCHS), color="black", lw=0.9, ls="--")
    a.plot([], [], color="0.25", lw=0.9, ls=":", label="exponential form, fitted")
    a.plot([], [], color="black", lw=0.9, ls="--", label="language models (fit)")
    a.set(title="a   no noise", ylabel="fresh rows' worth D'/U [1]", ylim=(0.5, 100))
    b.plot(SIZES, halves, "o", mfc="white", color=style.PALETTE[0], label="fitted R*")
    fine = np.geomspace(30, 8000, 30)
    ends = [float(data_constrained.saturation(u, ALPHA, SOURCE, RATE)) for u in fine]
    b.plot(fine, ends, color=style.PALETTE[1], label="D'/U in the end, closed form")
    b.axhline(data_constrained.MUENNIGHOFF.data, color="black", lw=0.9, ls="--")
    b.set(title="b   R* grows with U", xlabel="unique rows U [rows]", ylabel="epochs [1]")
    noises = (0.0, 0.01, 0.05, 0.2)
    for hue, noise in zip(style.colours(noises), noises, strict=True):
        fresh = worth(law, 200.0, EPOCHS, RATE, noise).fresh
        c.plot(EPOCHS, fresh, color=hue, label=f"noise = {noise:g} label²")
    c.set(title="c   U = 200 rows", ylabel="fresh rows' worth D'/U [1]")
    for axis in (a, c):
        axis.set_xlabel("epochs [1]")
        style.scale(axis, "x", 1, 3000, "log")
    style.scale(a, "y", 0.5, 100, "log")
    for which, low, high in (("x", 30, 8000), ("y", 2, 100)):
        style.scale(b, which, low, high, "log")
    for axis in (a, b, c):
        style.legend_under(axis)
    title = (
        "Reading rows again: worth fresh rows at first, and more of it where there are more rows"
    )
    style.head(made, title)
    return made


if __name__ == "__main__":
    main(__file__)
