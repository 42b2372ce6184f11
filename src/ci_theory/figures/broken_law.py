"""A fitted broken power law: the curve with its band and breaks, and the local slope below."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ci_theory.figures import style
from ci_theory.locate.breaks import BrokenLaw
from ci_theory.locate.observed import observed

BEYOND = 4.0
"""How far past the data the band is drawn, as a factor on x."""

_DEEP = 1e6  # no more than this factor below or above the data is drawn


def draw(x: np.ndarray, y: np.ndarray, law: BrokenLaw, x_name: str, y_name: str) -> Figure:
    """Draw points and fit on logarithmic axes; breaks are bars where they may lie.

    Args:
        x: places (m,); ``y``: values (m,). Drawn is what was fitted: without what has no logarithm,
            and averaged where there are more points than bins.
        law: the fit; ``x_name`` and ``y_name``: labels of the axes.
    """
    data = observed(x, y)
    x, y = np.exp(data.u), np.exp(data.y)
    shown = (y.min() / _DEEP, y.max() * _DEEP)
    made, axes = style.figure(
        2, 1, width=style.COLUMN, height=3.4, sharex=True, height_ratios=[2.4, 1]
    )
    curve, slope = axes[:, 0]
    inside = np.geomspace(x.min(), x.max(), 200)
    beyond = np.geomspace(x.max(), BEYOND * x.max(), 30)
    curve.plot(x, y, "o", ms=2.6, mfc="white", mew=0.8, color=style.PALETTE[0], label="data")
    for at, dashes in ((inside, "-"), (beyond, "--")):
        low, high = np.clip(law.band(at), *shown)
        name = {"-": "fit, 95 % band", "--": "extrapolated"}[dashes]
        curve.plot(at, np.clip(law(at), *shown), color=style.PALETTE[1], ls=dashes, label=name)
        curve.fill_between(at, low, high, color=style.PALETTE[1], alpha=0.2, lw=0)
        slope.plot(at, law.slope(at), color=style.PALETTE[1], ls=dashes)
    floor = law.floor.value
    ends = np.clip([y.min(), y.max(), *law(beyond)], *shown)
    lowest, highest = ends.min() / 1.3, ends.max() * 1.3
    if floor > lowest:
        curve.axhline(floor, color="0.4", lw=0.8, ls=":", label="floor")
    for axis in (curve, slope):
        _mark(axis, law, x)
    style.scale(curve, "y", lowest, highest, "log")
    curve.set(xscale="log", ylabel=style.words(y_name), ylim=(lowest, highest))
    slope.set(xscale="log", xlabel=style.words(x_name), ylabel="slope")
    curve.legend(loc="best")
    curve.set_title(f"{law.form}; break with 95 % interval" if law.breaks else str(law.form))
    return made


def _mark(axes: Axes, law: BrokenLaw, x: np.ndarray) -> None:
    """Shade where each break may lie: over the whole axis on an open side."""
    for one in law.breaks:
        low, high = max(one.place.low, x.min()), min(one.place.high, x.max())
        axes.axvspan(low, high, color=style.PALETTE[2], alpha=0.18, lw=0)
        axes.axvline(one.place.value, color=style.PALETTE[2], lw=0.9)
