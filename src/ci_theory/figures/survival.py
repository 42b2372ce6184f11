"""Runs that break one by one: the curve of every run, and the share that has not broken yet."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ci_theory._errors import BadInput
from ci_theory.figures import curves, series, style
from ci_theory.locate.survival import Survival, break_times, survival_curve
from ci_theory.phenomena import Break, Phenomenon

if TYPE_CHECKING:
    import xarray

__all__ = ["breaks_of", "draw", "keys", "runs", "shares", "speaks"]

DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), ":")
"""Line styles of the measures of one run."""


def breaks_of(phenomenon: Phenomenon, axis: str) -> list[Break]:
    """Return the breaks along an axis that each run has by itself."""
    found = [b for b in phenomenon.breaks if b.axis == axis]
    return [b for b in found if isinstance(b.locator, Survival)]


def speaks(data: "xarray.Dataset") -> bool:
    """Say whether this is the picture for a sweep: its first break is one of single runs."""
    shown = curves.choose(data)
    found = breaks_of(series.phenomenon_of(data), shown.x)
    return bool(found) and found[0].measure == shown.measure


def draw(data: "xarray.Dataset", *, title: str | None = None, note: str = "") -> Figure:
    """Draw a sweep whose runs break one by one: all runs, and the shares that have not.

    Args:
        data: a Dataset from a sweep store.
        title: the finding; the phenomenon's title by default.
        note: a second line under the title.

    Raises:
        BadInput: its runs have no break of their own.
    """
    phenomenon, shown = series.phenomenon_of(data), curves.choose(data)
    breaks = breaks_of(phenomenon, shown.x)
    if not breaks:
        raise BadInput(f"{phenomenon.name}: no break along {shown.x} is one of single runs")
    held = shown.held if shown.panel is None else {
        **shown.held, shown.panel: data[shown.panel].to_numpy()[0].item()
    }  # fmt: skip
    data = data.sel(held)
    values = data[shown.colour].to_numpy().tolist() if shown.colour else [None]
    hues, x = style.colours(values), data[shown.x].to_numpy().astype(float)
    with style.applied():
        made, axes = style.figure(1, 2, height=2.9)
        a, b = axes[0]
        for value, hue in zip(values, hues, strict=True):
            one = data if value is None else data.sel({shown.colour: value})
            for rule, dash in zip(breaks, DASHES, strict=False):
                y = one[rule.measure].transpose(shown.x, "replicate").to_numpy()
                runs(a, x, y, hue, dash)
                shares(b, x, y, rule, hue, dash)
        for axis in (a, b):
            style.scale(axis, "x", x[x > 0].min(), x.max(), "log")
            axis.set_xlabel(style.label(shown.x, data[shown.x].attrs))
        level = breaks[0].locator.level  # type: ignore[attr-defined]
        a.axhline(level, color="0.5", lw=0.6, zorder=0)
        a.set_ylabel("accuracy [share]" if len(breaks) > 1 else style.label(shown.measure, {}))
        a.set_title("a   every run")
        b.set_title("b   how many have not got there yet")
        b.set_ylabel(f"runs below {level:g} [share]")
        b.set_ylim(-0.03, 1.03)
        count = data.sizes["replicate"]
        legend = keys([r.measure for r in breaks], count)
        if shown.colour:
            legend += [
                Line2D([], [], color=hue, label=f"{shown.colour} = {style.value_text(value)}")
                for value, hue in zip(values, hues, strict=True)
            ]
        style.head(made, title or phenomenon.title, note, held)
        style.legend_below(made, legend, columns=4)
    return made


def runs(axes: Axes, x: np.ndarray, y: np.ndarray, colour: Any, dash: Any = "-") -> None:
    """Draw the curve of every run, y (t, r)."""
    axes.plot(x, y, color=colour, ls=dash, lw=0.6, alpha=0.55)


def shares(
    axes: Axes, x: np.ndarray, y: np.ndarray, rule: Break, colour: Any, dash: Any = "-"
) -> None:
    """Draw the share of runs y (t, r) that have not broken, with its 95 % band; x ascending.

    A tick at the end marks runs that never broke: they were given up there.
    """
    locator = rule.locator
    assert isinstance(locator, Survival)
    found = break_times(x, y.T, locator.level, locator.direction)
    curve = survival_curve(found)
    first = x[x > 0].min() if np.any(x > 0) else x.min()
    gone = len(curve.share) > 0 and curve.share[-1] == 0  # nothing is left to tell of
    end = curve.time[-1] if gone else x.max()
    time = np.concatenate([[min(first, *curve.time, end)], curve.time, [end]])
    share, low, high = (
        np.concatenate([[begun], side, side[-1:] if len(side) else [begun]])
        for begun, side in ((1.0, curve.share), (curve.start, curve.low), (1.0, curve.high))
    )
    axes.step(time, share, where="post", color=colour, ls=dash)
    told = slice(1 if len(curve.time) else 0, None)  # whole until the first break, if there is one
    band = time[told], low[told], high[told]
    axes.fill_between(*band, step="post", color=colour, alpha=0.12, lw=0)
    if not gone:
        axes.plot([x.max()], [share[-1]], color=colour, marker="|", ms=7, ls="none", clip_on=False)


def keys(measures: Sequence[str], count: int) -> list[Line2D]:
    """Return legend entries that say what the lines, the band and the tick mean."""
    grey: dict[str, Any] = {"color": "0.25"}
    made = [
        Line2D([], [], ls=dash, label=name.replace("_", " "), **grey)
        for name, dash in zip(measures, DASHES, strict=False)
    ]
    band = f"Kaplan-Meier, {count} runs, 95 % band"
    made.append(Line2D([], [], lw=6, alpha=0.2, label=band, **grey))
    made.append(Line2D([], [], ls="none", marker="|", ms=7, label="given up here", **grey))
    return made
