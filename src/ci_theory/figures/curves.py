"""A measure along one axis: closed forms as lines, simulations as points, breaks on a strip.

``draw`` makes a whole figure from any sweep. Its parts are in ``marks``, for figures that are
arranged by hand.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ci_theory._errors import Status, unknown
from ci_theory._record import build
from ci_theory.figures import marks, series, style
from ci_theory.figures.condensed import Means
from ci_theory.locate import BreakPoint
from ci_theory.phenomena import Break, Phenomenon

__all__ = [
    "Curve",
    "Panel",
    "Shown",
    "add",
    "choose",
    "contents",
    "draw",
    "lowest",
    "paint",
    "strip_height",
]


class Shown(NamedTuple):
    """What a curve figure shows: axis names, and one value for every axis that is not shown.

    Attributes:
        measure: variable on the vertical axis.
        x: axis along which curves run.
        colour: axis with one curve per value, or None.
        panel: axis with one panel per value, or None.
        held: the other axes, each at one value.
    """

    measure: str
    x: str
    colour: str | None
    panel: str | None
    held: dict[str, Any]


def choose(
    data: xarray.Dataset,
    *,
    measure: str | None = None,
    x: str | None = None,
    colour: str | None = None,
    panel: str | None = None,
    held: Mapping[str, Any] | None = None,
) -> Shown:
    """Decide what to show where the caller left it open.

    The measure is that of the first break point on an axis of the sweep, else of the first
    prediction; the axis is the break point's, else the longest; shorter axes become colours and
    panels; what is left is held at its middle value.

    Raises:
        BadInput: a measure or an axis that the sweep does not have.
    """
    phenomenon = series.phenomenon_of(data)
    axes = [str(d) for d in data.dims if d != "replicate"]
    for name in (x, colour, panel, *(held or {})):
        if name is not None and name not in axes:
            raise unknown("axis", name, axes, where="this sweep")
    breaks = [
        b
        for b in phenomenon.breaks
        if b.axis in axes and data.sizes[b.axis] > 2 and x in (None, b.axis)
    ]
    if measure is None:
        first = phenomenon.predictions[0].measure if phenomenon.predictions else None
        measure = breaks[0].measure if breaks else first or str(next(iter(data.data_vars)))
    if measure not in data.data_vars:
        raise unknown("measure", measure, [str(v) for v in data.data_vars], where="this sweep")
    taken = {x, colour, panel, *(held or {})}
    free = sorted((a for a in axes if a not in taken), key=lambda a: -data.sizes[a])
    if x is None:
        of_measure = [b.axis for b in breaks if b.measure == measure and b.axis in free]
        x = of_measure[0] if of_measure else free[0]
        free.remove(x)
    if colour is None and free:
        colour = next((a for a in free if 1 < data.sizes[a] <= 7), None)
        free = [a for a in free if a != colour]
    if panel is None and free:
        panel = next((a for a in free if 1 < data.sizes[a] <= 4), None)
        free = [a for a in free if a != panel]
    middle = {a: data[a].to_numpy()[data.sizes[a] // 2].item() for a in free}
    return Shown(measure, x, colour, panel, {**middle, **(held or {})})


def draw(
    data: xarray.Dataset,
    *,
    measure: str | None = None,
    x: str | None = None,
    colour: str | None = None,
    panel: str | None = None,
    held: Mapping[str, Any] | None = None,
    prediction: str | None = None,
    decoys: Sequence[str] = (),
    title: str | None = None,
    note: str = "",
) -> Figure:
    """Draw a sweep: closed forms, means with 95 % intervals, and its break points.

    Args:
        data: a Dataset from a sweep store.
        measure: see ``choose``, like ``x``, ``colour``, ``panel`` and ``held``.
        prediction: name of the closed form to draw; the first one of the measure by default.
        decoys: names of wrong forms to draw as well, dotted.
        title: the finding; the phenomenon's title by default.
        note: a second line under the title, for example a verdict.

    Raises:
        BadInput: a name that the sweep or the phenomenon does not have.
    """
    shown = choose(data, measure=measure, x=x, colour=colour, panel=panel, held=held)
    panels = []
    for value in _values(data, shown.panel):
        at = shown.held if shown.panel is None else {**shown.held, shown.panel: value}
        which = (shown.measure, shown.x, shown.colour, at, prediction)
        panels.append(contents(data, *which, decoys=bool(decoys)))
    breaks = any(panel.breaks for panel in panels)
    rows = len(panels[0].curves)

    with style.applied():
        strip = strip_height(rows)
        made, axes = style.figure(
            1 + breaks,
            len(panels),
            width=style.COLUMN * 1.35 if len(panels) == 1 else style.PAGE,
            height=2.9 + breaks * strip + 0.13 * rows,
            sharex=True,
            sharey="row",
            height_ratios=[strip, 2.3] if breaks else None,
        )
        hidden = True
        for column, panel_ in enumerate(panels):
            top = axes[0, column] if breaks else None
            hidden &= paint(axes[-1, column], panel_, strip=top, decoys=decoys)
            if shown.panel:
                value = _values(data, shown.panel)[column]
                axes[0, column].set_title(f"{shown.panel} = {style.value_text(value)}")
        axes[-1, 0].set_ylabel(panels[0].y_label)
        phenomenon = series.phenomenon_of(data)
        style.head(made, title or phenomenon.title, note, shown.held)
        handles = marks.keys(
            replicates=data.sizes["replicate"],
            hidden=hidden,
            line=panels[0].line is not None,
            thin=any(panel.thin for panel in panels),
            breaks=breaks,
            decoys=decoys,
        )
        style.legend_below(made, handles + panels[0].keys, columns=2 + (len(panels) > 1))
    return made


class Curve(NamedTuple):
    """One curve of a panel: means (x,), its look, and its break (None: not sought)."""

    means: Means
    colour: Any
    marker: str
    measured: Any
    predicted: float | None


class Panel(NamedTuple):
    """What a panel shows.

    Attributes:
        x: places along the axis (t,).
        line: the closed form of all curves, or None.
        curves: the curves.
        keys: one legend entry per curve.
        x_label: label of the horizontal axis.
        y_label: label of the vertical axis.
    """

    x: np.ndarray
    line: series.Line | None
    curves: list[Curve]
    keys: list[Any]
    x_label: str
    y_label: str

    @property
    def breaks(self) -> bool:
        """Whether a break was found or is predicted, so that a strip has something to show."""
        found = [c.measured for c in self.curves if c.measured is not None]
        return any(one.status in marks.SHOWN for one in found) or any(
            curve.predicted is not None for curve in self.curves
        )

    @property
    def thin(self) -> bool:
        """Whether some of the closed form lies outside its scope."""
        line = self.line
        return line is not None and bool(np.any(np.isfinite(line.value) & ~line.valid))


def contents(
    data: xarray.Dataset,
    measure: str,
    x: str,
    colour: str | None = None,
    held: Mapping[str, Any] | None = None,
    prediction: str | None = None,
    grid: np.ndarray | None = None,
    *,
    decoys: bool = False,
) -> Panel:
    """Work out what a panel shows: means, closed form, located and predicted breaks.

    Args:
        data: a sweep's runs, or condensed.
        measure: variable on the vertical axis.
        x: axis along which curves run.
        colour: axis with one curve per value.
        held: values of all other axes.
        prediction: name of the closed form; by default, for each curve, the one that speaks for it.
        grid: places at which to evaluate it; by default dense ones.
        decoys: whether to evaluate its wrong forms too.
    """
    phenomenon = series.phenomenon_of(data)
    data = data.sel(held or {})
    fixed = {**series.fixed_values(data), **(held or {})}
    places, values = data[x].to_numpy().astype(float), _values(data, colour)
    at = [{colour: v} if colour else {} for v in values]
    forms = series.predictions(phenomenon, measure, prediction)
    own = series.dense(phenomenon.axes[x], places) if grid is None else np.union1d(grid, places)
    line = series.first_line(phenomenon, forms, x, own, fixed, at, places, decoys=decoys)
    if line is not None and grid is None and phenomenon.axes[x].type is int:
        line = series.without_rounding(line, np.sort(places))
    breaks = [b for b in phenomenon.breaks if (b.axis, b.measure) == (x, measure)]
    hues, found = style.colours(values), []
    for index, point in enumerate(at):
        measured = predicted = None
        if breaks and len(places) > 2:
            measured = series.located(data, breaks[0], point)
            one = {**fixed, **point, x: places[0]}
            predicted = _predicted(breaks[0], phenomenon, one, line, index, places, measured)
        marker = style.MARKERS[index % len(style.MARKERS)]
        shown = series.seen(data, measure, (x,), point)
        found.append(Curve(shown, hues[index], marker, measured, predicted))
    keys = marks.curve_keys(colour, data[colour].attrs, values, hues) if colour else []
    labels = style.label(x, data[x].attrs), style.label(measure, data[measure].attrs, width=34)
    return Panel(places, line, found, keys, *labels)


def _predicted(
    break_: Break,
    phenomenon: Phenomenon,
    fixed: Mapping[str, Any],
    line: series.Line | None,
    index: int,
    places: np.ndarray,
    measured: BreakPoint,
) -> float | None:
    """Return where theory puts a break: by the same rule as in the data, else in closed form.

    The same rule on the same places, so that what the grid does to one it does to the other.
    """
    value = np.nan
    if line is not None and np.isfinite(line.value[index]).any():
        curve = line.value[index][np.searchsorted(line.x, places)]
        if np.isfinite(curve).sum() > 2:
            matching = getattr(break_.locator, "matching", None)
            real = measured.status in (Status.OK, Status.AT_EDGE)
            locator = matching(measured) if matching and real else break_.locator
            found = locator.locate(places, curve)
            value = found.value if found.status == Status.OK else np.nan
    elif break_.closed_form is not None:
        point = phenomenon.point(fixed)
        value = float(break_.closed_form(build(phenomenon.params, point)))
    return float(value) if np.isfinite(value) else None


def paint(
    axes: Axes, panel: Panel, *, strip: Axes | None = None, decoys: Sequence[str] = ()
) -> bool:
    """Draw a panel, its break points on a strip; call it inside ``style.applied``.

    Returns:
        Whether the symbols hide most of the intervals, so that the legend must say so.

    Raises:
        BadInput: a decoy that the closed form does not have, or that the panel was made without.
    """
    x, line = panel.x, panel.line
    for name in decoys:
        if line is None or name not in line.decoys:
            raise unknown("decoy", name, line.decoys if line else ())
    for index, curve in enumerate(panel.curves):
        if line is not None:
            marks.theory(axes, line, index, curve.colour, decoys=decoys)
        if curve.predicted is not None:
            look = {"color": curve.colour, "label": style.BREAK, **style.BREAK_LINE}
            axes.axvline(curve.predicted, zorder=0, **look)
        marks.points(axes, x, curve.means, curve.colour, curve.marker)
    seen = [curve.means for curve in panel.curves]
    level = np.concatenate([s.mean for s in seen])
    level = level[np.isfinite(level)]
    style.scale(axes, "x", x.min(), x.max(), style.grid_scale(np.sort(x)))
    if len(level):
        style.scale(axes, "y", level.min(), level.max())
    axes.set_xlabel(panel.x_label)
    if strip is not None:
        marks.strip_of(strip, [(c.colour, c.measured, c.predicted) for c in panel.curves])
    return marks.small_bars(axes, seen)


def add(
    axes: Axes, panel: Panel, index: int, text: str, *, per: float = 1.0
) -> tuple[Any, Any, float | None]:
    """Add the first curve of a panel to axes that compare several; for a legend of the axes.

    Args:
        axes: where.
        panel: from ``contents``.
        index: chooses colour and marker.
        text: what the legend says.
        per: factor on the horizontal axis.

    Returns:
        Colour, measured and predicted break for ``marks.strip_of``, scaled too.
    """
    hue, curve, predicted = style.PALETTE[index], panel.curves[0], panel.curves[0].predicted
    if panel.line is not None:
        marks.theory(axes, panel.line._replace(x=panel.line.x * per), 0, hue)
    marks.points(axes, panel.x * per, curve.means, hue, style.MARKERS[index], label=text)
    measured = curve.measured
    if measured is not None:
        scaled = {k: getattr(measured, k) * per for k in ("value", "low", "high")}
        measured = measured._replace(**scaled)
    return hue, measured, None if predicted is None else predicted * per


def lowest(panel: Panel) -> Panel:
    """Return a panel of one curve: at each place the curve with the lowest mean; theory's too.

    It shows what the best value of the panel's second axis reaches.
    """
    parts = [np.stack(part) for part in zip(*(c.means for c in panel.curves), strict=True)]
    choice = parts[0].argmin(axis=0)  # of the means (curve, x)
    means = Means(*(part[choice, np.arange(len(panel.x))] for part in parts))
    best = panel.curves[0]._replace(means=means, measured=None, predicted=None)
    line = panel.line
    if line is not None:
        column = np.arange(len(line.x))
        own = np.nanargmin(np.where(np.isnan(line.value), np.inf, line.value), axis=0)
        line = line._replace(
            value=line.value[own, column][None],
            slack=line.slack[own, column][None],
            valid=line.valid[own, column][None],
            decoys={},
        )
    return panel._replace(line=line, curves=[best], keys=[])


def strip_height(curves: int) -> float:
    """Return the height in inches of a strip of break points."""
    return 0.12 * curves + 0.05


def _values(data: xarray.Dataset, axis: str | None) -> list[Any]:
    """Return an axis' values as plain Python values; one None if there is no axis."""
    return [None] if axis is None else data[axis].to_numpy().tolist()
