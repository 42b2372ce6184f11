"""A fitted broken power law: the curve with its band and breaks, and the local slope below."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ci_theory._errors import BadInput
from ci_theory.figures import style
from ci_theory.locate.breaks import BrokenLaw
from ci_theory.locate.observed import observed

BEYOND = 4.0
"""How far past the data the band is drawn, as a factor on x."""

_DEEP = 100.0  # no more than this factor below or above the data is drawn
_MOST_DOTS = 4000  # more rows are drawn as the means that were fitted
_LARGEST = 1e290  # beyond it, or below its inverse, matplotlib's axes overflow


def draw(
    x: np.ndarray,
    y: np.ndarray,
    law: BrokenLaw,
    x_name: str,
    y_name: str,
    *,
    weights: np.ndarray | None = None,
    sd: np.ndarray | None = None,
    run: np.ndarray | None = None,
) -> Figure:
    """Draw points and fit on logarithmic axes; breaks are bars where they may lie.

    Args:
        x: places (m,); ``y``: values (m,). What has no logarithm is not drawn, and of very many
            rows the means that were fitted.
        law: the fit; ``x_name`` and ``y_name``: labels of the axes, taken as text, never as maths.
        weights: as ``fit`` takes them, like ``sd`` and ``run``: drawn as bars, and counted.

    Raises:
        BadInput: numbers too large or small for an axis.
    """
    runs = 1 if run is None else len(np.unique(run))
    x, y, sd = _dots(x, y, law, weights, sd, run)
    if max(x.max(), y.max(), 1 / x.min(), 1 / y.min()) > _LARGEST:
        raise BadInput(f"x or y beyond {_LARGEST:g}, or below its inverse")
    shown = (y.min() / _DEEP, y.max() * _DEEP)
    made, axes = style.figure(
        2, 1, width=style.COLUMN, height=3.4, sharex=True, height_ratios=[2.4, 1]
    )
    curve, slope = axes[:, 0]
    inside = np.geomspace(x.min(), x.max(), 200)
    beyond = np.geomspace(x.max(), BEYOND * x.max(), 30)
    colour, label = style.PALETTE[0], "data" if runs == 1 else f"{runs} runs"
    label += "" if sd is None else ", ± 1 standard deviation"
    curve.plot(x, y, "o", ms=2.6, mfc="white", mew=0.8, color=colour, label=label)
    if sd is not None:
        bars = [np.minimum(sd, y * (1 - 1 / _DEEP)), sd]  # a logarithmic axis has no zero
        curve.errorbar(x, y, bars, fmt="none", lw=0.8, color=colour)
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
    curve.set(xscale="log", ylabel=_words(y_name), ylim=(lowest, highest))
    slope.set(xscale="log", xlabel=_words(x_name), ylabel="slope")
    curve.legend(loc="best")
    curve.set_title(f"{law.form}; break with 95 % interval" if law.breaks else str(law.form))
    return made


def _dots(
    x: np.ndarray,
    y: np.ndarray,
    law: BrokenLaw,
    weights: np.ndarray | None,
    sd: np.ndarray | None,
    run: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return x, y and their standard deviations, if any, of what is drawn as dots."""
    good = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
    if good.sum() > _MOST_DOTS:
        pooled = observed(x, y, weights, sd, run)
        return np.exp(pooled.u), np.exp(pooled.y), None
    x, y = x[good], y[good]
    if weights is not None:  # relative precisions of log y: 1 on average has the fit's scatter
        relative = weights[good] / weights[good].mean()
        return x, y, law.scatter * y / np.sqrt(relative)
    return x, y, None if sd is None else sd[good]


def _words(name: str) -> str:
    return style.words("\n".join(textwrap.wrap(name, 44, max_lines=2, placeholder=" ...")))


def _mark(axes: Axes, law: BrokenLaw, x: np.ndarray) -> None:
    """Shade where each break may lie: over the whole axis on an open side."""
    for one in law.breaks:
        low, high = max(one.place.low, x.min()), min(one.place.high, x.max())
        axes.axvspan(low, high, color=style.PALETTE[2], alpha=0.18, lw=0)
        axes.axvline(one.place.value, color=style.PALETTE[2], lw=0.9)
