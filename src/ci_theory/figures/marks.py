"""The parts of a curve figure: closed forms, means with intervals, break points, legend entries."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ci_theory._errors import Status
from ci_theory.figures import series, style
from ci_theory.figures.condensed import Means

__all__ = ["SHOWN", "curve_keys", "keys", "places", "points", "small_bars", "strip_of", "theory"]

_THIN = 0.7  # width of a line where it does not claim the mean of a run


def theory(
    axes: Axes,
    line: series.Line,
    index: int,
    colour: Any,
    *,
    decoys: Sequence[str] = (),
    slack: bool = False,
) -> None:
    """Draw one curve of a closed form: thin where it does not claim the mean of a run.

    Args:
        axes: where.
        line: from ``series.line``.
        index: which of its curves.
        colour: of the line.
        decoys: wrong forms to draw too, dotted.
        slack: shade the form's own finite-size bound.
    """
    value, valid = line.value[index], line.valid[index]
    axes.plot(line.x, value, color=colour, lw=_THIN, alpha=0.7, zorder=2)
    axes.plot(line.x, np.where(valid, value, np.nan), color=colour, zorder=2)
    for name in decoys:
        axes.plot(line.x, line.decoys[name][index], color=colour, lw=0.9, ls=":", zorder=1)
    if slack:
        low, high = value - line.slack[index], value + line.slack[index]
        axes.fill_between(line.x, low, high, where=valid, color=colour, alpha=0.15, lw=0)


def points(
    axes: Axes,
    x: np.ndarray,
    found: Means,
    colour: Any,
    marker: str = "o",
    **more: Any,
) -> None:
    """Draw simulation means (x,) with 95 % intervals."""
    look = {"ls": "none", "lw": 0.9, "mfc": "white", "mew": 0.9, "zorder": 3, **more}
    axes.errorbar(x, found.mean, yerr=found.half, color=colour, marker=marker, **look)


SHOWN = (Status.OK, Status.AT_EDGE, Status.CENSORED)
"""Of located breaks, those that a strip shows."""


def strip_of(axes: Axes, breaks: Sequence[tuple[Any, Any, float | None]]) -> None:
    """Draw break points above a panel, one row each: intervals as bars, predictions as ticks.

    Args:
        axes: the strip; it shares its horizontal axis with the curves.
        breaks: per row from the top, colour, measured ``BreakPoint`` and predicted place; nothing
            is drawn for a ``BreakPoint`` without a break or a place that is None.
    """
    left, right = axes.get_xlim()
    for row, (colour, measured, predicted) in enumerate(breaks):
        if predicted is not None:
            axes.plot([predicted], [row], color="black", marker="|", ms=8, mew=0.9, ls="none")
        if measured is not None and measured.status in (Status.OK, Status.AT_EDGE):
            ends = max(measured.low, left), min(measured.high, right)
            axes.plot(ends, [row, row], color=colour, lw=2.4, alpha=0.6, solid_capstyle="butt")
            axes.plot([measured.value], [row], color=colour, marker="o", ms=2.4, ls="none")
        if measured is not None and measured.status == Status.CENSORED:
            axes.plot([max(measured.low, left)], [row], color=colour, marker=">", ms=4, ls="none")
    axes.set_ylim(len(breaks) - 0.3, -0.7)
    axes.set_ylabel("break", rotation=0, ha="right", va="center")
    axes.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False, which="both")
    axes.spines["bottom"].set_visible(False)
    axes.grid(False)


def places(
    axes: Axes, x: Sequence[float], measured: Sequence[Any], colour: Any, marker: str, label: str
) -> None:
    """Draw where curves break, against a second axis, with intervals; no break, no symbol.

    An interval without an upper end has an arrow; of a censored break only its lower end is
    known, an arrow by itself.
    """
    known = [(v, m) for v, m in zip(x, measured, strict=True) if m.status == Status.OK]
    at, value = [v for v, _ in known], np.array([m.value for _, m in known])
    low, high = (np.array([getattr(m, side) for _, m in known]) for side in ("low", "high"))
    top = np.where(np.isfinite(high), high, value)
    bars = [value - np.where(np.isfinite(low), low, value), top - value]
    look: dict[str, Any] = {"ls": "none", "lw": 0.9, "mfc": "white", "mew": 0.9, "zorder": 3}
    axes.errorbar(at, value, yerr=bars, color=colour, marker=marker, label=label, **look)
    open_ended = [(v, m.value) for v, m in known if not np.isfinite(m.high)]
    late = [
        (v, m.low)
        for v, m in zip(x, measured, strict=True)
        if m.status == Status.CENSORED and np.isfinite(m.low)
    ]
    for v, place in open_ended + late:
        axes.plot([v], [place], ls="none", marker="_", ms=5, color=colour)  # also widens the axis
        axes.annotate(
            "",
            (v, place),
            (0, 14),
            textcoords="offset points",
            arrowprops={"arrowstyle": "<-", "color": colour, "lw": 0.9},
        )


def small_bars(axes: Axes, found: Sequence[Means]) -> bool:
    """Say whether the symbols hide most of the intervals, so that the legend must say so."""
    mean = np.concatenate([f.mean.ravel() for f in found])
    half = np.concatenate([np.nan_to_num(f.half).ravel() for f in found])
    mean, half = mean[np.isfinite(mean)], half[np.isfinite(mean)]
    low, high = (
        axes.transData.transform(np.stack([np.ones_like(mean), y], axis=1))[:, 1]
        for y in (mean, mean + half)
    )
    size = style.points_per_pixel(axes) * (high - low)
    return bool(np.mean(size < mpl.rcParams["lines.markersize"] / 2) > 0.5)


def keys(
    *,
    replicates: int | str = 0,
    hidden: bool = False,
    line: bool = True,
    thin: bool = False,
    breaks: bool = False,
    decoys: Sequence[str] = (),
) -> list[Line2D]:
    """Return legend entries that say what symbols, lines and the strip mean.

    Args:
        replicates: runs behind a symbol; 0 for no such entry.
        hidden: whether most intervals are smaller than their symbols.
        line: whether a closed form is drawn; ``thin``: whether some of it is outside its scope.
        breaks: whether there is a strip of break points.
        decoys: wrong forms that are drawn.
    """
    grey: dict[str, Any] = {"color": "0.25"}
    made = []
    if replicates:
        text = f"simulation: mean of {replicates} runs\n95 % interval"
        text += ", mostly smaller than the symbol" if hidden else ""
        made.append(Line2D([], [], ls="none", marker="o", mfc="white", mew=0.9, label=text, **grey))
    if line:
        text = "theory (thin: outside its stated scope)" if thin else "theory"
        made.append(Line2D([], [], label=text, **grey))
    made += [Line2D([], [], ls=":", lw=0.9, label=f"decoy: {name}", **grey) for name in decoys]
    if breaks:
        bar: dict[str, Any] = {"lw": 2.4, "alpha": 0.6, "marker": "o", "ms": 2.4}
        made.append(Line2D([], [], label="located break, 95 % interval", **bar, **grey))
        made.append(
            Line2D([], [], color="black", ls="none", marker="|", ms=8, label="predicted break")
        )
    return made


def curve_keys(
    name: str, attributes: Mapping[str, Any], values: Sequence[Any], hues: Sequence[Any]
) -> list[Line2D]:
    """Return one legend entry per curve, with the unit of what tells them apart."""
    unit = attributes.get("unit", "")
    unit = "" if unit == "1" else unit  # a pure number
    return [
        Line2D(
            [],
            [],
            color=hue,
            marker=style.MARKERS[i % len(style.MARKERS)],
            mfc="white",
            mew=0.9,
            label=f"{name} = {style.value_text(value)}{f' {unit}' if unit else ''}",
        )
        for i, (value, hue) in enumerate(zip(values, hues, strict=True))
    ]
