"""A fitted broken power law: the curve with its band and breaks, and the local slope below."""

import textwrap
from collections.abc import Mapping

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


def draw(rows: Mapping[str, np.ndarray | None], law: BrokenLaw, x_name: str, y_name: str) -> Figure:
    """Draw points and fit on logarithmic axes; breaks are bars where they may lie.

    Args:
        rows: what was fitted, as ``fit`` takes it, run after run: ``x`` and ``y`` (m,), and where
            there are any ``weights``, ``sd`` and ``run`` (m,). What has no logarithm is not drawn.
        law: the fit; ``x_name`` and ``y_name``: labels of the axes, taken as text, never as maths.

    Raises:
        BadInput: numbers too large or small for an axis.
    """
    x, y, sd = _dots(rows, law)
    if max(x.max(), y.max(), 1 / x.min(), 1 / y.min()) > _LARGEST:
        raise BadInput(f"x or y beyond {_LARGEST:g}, or below its inverse")
    shown = (y.min() / _DEEP, y.max() * _DEEP)
    made, axes = style.figure(
        2, 1, width=style.COLUMN, height=3.4, sharex=True, height_ratios=[2.4, 1]
    )
    curve, slope = axes[:, 0]
    inside = np.geomspace(x.min(), x.max(), 200)
    beyond = np.geomspace(x.max(), BEYOND * x.max(), 30)
    run, colour = rows.get("run"), style.PALETTE[0]
    label = "data" if run is None else f"{len(np.unique(run))} runs"
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
    curve.set(xscale="log", ylim=(lowest, highest))
    slope.set(xscale="log", ylabel="slope")
    curve.set_ylabel(_wrapped(y_name), parse_math=False)
    slope.set_xlabel(_wrapped(x_name), parse_math=False)
    curve.legend(loc="best")
    curve.set_title(f"{law.form}; break with 95 % interval" if law.breaks else str(law.form))
    return made


def _dots(
    rows: Mapping[str, np.ndarray | None], law: BrokenLaw
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return x, y and their standard deviations, if any, of what is drawn as dots."""
    x, y = (np.asarray(rows[name], float) for name in ("x", "y"))
    weights, sd = rows.get("weights"), rows.get("sd")
    good = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
    x, y = x[good], y[good]
    if len(x) > _MOST_DOTS:
        pooled = observed(**rows)
        return np.exp(pooled.u), np.exp(pooled.y), None
    if weights is not None:  # relative precisions of log y: 1 on average has the fit's scatter
        relative = weights[good] / weights[good].mean()
        return x, y, law.scatter * y / np.sqrt(relative)
    return x, y, None if sd is None else sd[good]


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(name, 44, max_lines=2, placeholder=" ..."))


def _mark(axes: Axes, law: BrokenLaw, x: np.ndarray) -> None:
    """Shade where each break may lie: over the whole axis on an open side."""
    for one in law.breaks:
        low, high = max(one.place.low, x.min()), min(one.place.high, x.max())
        axes.axvspan(low, high, color=style.PALETTE[2], alpha=0.18, lw=0)
        axes.axvline(one.place.value, color=style.PALETTE[2], lw=0.9)
