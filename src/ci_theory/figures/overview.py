"""A picture of any sweep, without being told what to show: and what it leaves out, in words.

Measures go below each other, along one axis of the sweep; colours and columns tell the values of
two more apart. What there is no room for is thinned out or held at its middle value, and said.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ci_theory._errors import BadInput
from ci_theory.check.reading import coarse
from ci_theory.figures import curves, marks, series, style
from ci_theory.phenomena import predict
from ci_theory.phenomena._speaking import spoken

__all__ = ["MOST_COLOURS", "MOST_COLUMNS", "MOST_MEASURES", "Overview", "choose", "draw"]

MOST_MEASURES, MOST_COLUMNS, MOST_COLOURS = 3, 3, 6

CUT = "simulated in float32, which cuts peaks at interpolation: no verdict"


class Overview(NamedTuple):
    """What is shown of a sweep.

    Attributes:
        data: of it: axes that are shown thinned out, the others held at one value.
        x: axis along which curves run; its values may be words.
        measures: one row of panels each.
        colour: axis with one curve a value, or None.
        column: axis with one column of panels a value, or None.
        left_out: what there was no room for, in words.
    """

    data: xarray.Dataset
    x: str
    measures: list[str]
    colour: str | None
    column: str | None
    left_out: list[str]


def choose(data: xarray.Dataset) -> Overview:
    """Decide what to show.

    Curves run along the axis of the first break that is looked for, else along the longest axis
    of numbers, else of words. Measures with a break come first, then those that are predicted.

    Raises:
        BadInput: no axis has two values.
    """
    phenomenon = series.phenomenon_of(data)
    axes = [str(d) for d in data.dims if d != "replicate"]
    swept = sorted((a for a in axes if data.sizes[a] > 1), key=lambda a: -data.sizes[a])
    if not swept:
        raise BadInput("no axis of this sweep has two values: there is nothing to draw")
    numbers = [a for a in swept if _numeric(data, a)]
    sought = [b for b in phenomenon.breaks if b.axis in numbers and data.sizes[b.axis] > 2]
    x = sought[0].axis if sought else (numbers or swept)[0]

    held = [str(v) for v in phenomenon.measure_info if v in data]
    about = [b.measure for b in sought if b.axis == x]
    about += [p.measure for p in phenomenon.predictions]
    ordered = [m for m in dict.fromkeys([*about, *held]) if m in held]
    rest = ordered[MOST_MEASURES:]
    left_out = [f"the measures {' '.join(rest)}"] if rest else []

    others = [a for a in swept if a != x]
    colour, column = (*others, None, None)[:2]
    for axis, most in ((colour, MOST_COLOURS), (column, MOST_COLUMNS)):
        if axis is not None and data.sizes[axis] > most:
            left_out.append(f"{data.sizes[axis] - most} of {data.sizes[axis]} values of {axis}")
            index = np.unique(np.linspace(0, data.sizes[axis] - 1, most).round().astype(int))
            data = data.isel({axis: index})
    for axis in axes:
        if axis in (x, colour, column):
            continue
        middle = data.sizes[axis] // 2
        if data.sizes[axis] > 1:
            value = style.value_text(data[axis].to_numpy()[middle].item())
            left_out.append(f"{axis} other than {value}")
        data = data.isel({axis: middle})
    return Overview(data, x, ordered[:MOST_MEASURES], colour, column, left_out)


def _numeric(data: xarray.Dataset, axis: str) -> bool:
    return data[axis].dtype.kind in "iuf"


def draw(data: xarray.Dataset, *, title: str | None = None) -> Figure:
    """Draw a sweep: means with 95 % intervals, closed forms as lines, breaks on strips.

    Call it inside ``style.applied``.

    Args:
        data: a Dataset from a sweep store.
        title: the phenomenon's title by default.

    Raises:
        BadInput: no axis has two values.
    """
    shown = choose(data)
    columns = [None] if shown.column is None else shown.data[shown.column].to_numpy().tolist()
    rows = [[_panel(shown, measure, value) for value in columns] for measure in shown.measures]
    strips = [any(p.breaks for p in row if isinstance(p, curves.Panel)) for row in rows]
    strip = curves.strip_height(max(1, _count(shown)))
    heights = [h for has in strips for h in ([strip, 1.6] if has else [1.6])]
    made, axes = style.figure(
        len(heights),
        len(columns),
        width=style.PAGE if len(columns) > 1 else style.COLUMN * 1.35,
        height=1.3 + sum(heights) + 0.1 * _count(shown),
        sharex=True,
        sharey="row",
        height_ratios=heights,
    )
    place, hidden = 0, True
    for name, row, has in zip(shown.measures, rows, strips, strict=True):
        place += has
        for column, panel in enumerate(row):
            above = axes[place - 1, column] if has else None
            hidden &= _paint(axes[place, column], panel, above)
            if place < len(heights) - 1:
                axes[place, column].set_xlabel("")
        axes[place, 0].set_ylabel(style.label(name, data[name].attrs, width=26))
        place += 1
    for column, value in enumerate(columns):
        if shown.column is not None:
            axes[0, column].set_title(f"{shown.column} = {style.value_text(value)}")
    notes = [CUT] if coarse(data) else []
    notes += [f"not shown: {', '.join(shown.left_out)}"] if shown.left_out else []
    style.head(made, title or series.phenomenon_of(data).title, "; ".join(notes))
    flat = [panel for row in rows for panel in row]
    handles = marks.keys(
        replicates=data.sizes["replicate"],
        hidden=hidden,
        line=any(panel.line is not None for panel in flat),
        thin=any(panel.thin for panel in flat),
        breaks=any(strips),
    )
    style.legend_below(made, handles + flat[0].keys, columns=2 + (len(columns) > 1))
    return made


def _count(shown: Overview) -> int:
    """Curves a panel."""
    return 1 if shown.colour is None else shown.data.sizes[shown.colour]


class _Words(NamedTuple):
    """A panel along an axis of words: per colour, means and what is predicted (t,)."""

    names: list[str]
    curves: list[curves.Curve]
    told: list[np.ndarray]
    keys: list[Any]
    x_label: str
    line: Any = None
    thin: bool = False


def _panel(shown: Overview, measure: str, value: Any) -> Any:
    """Work out a panel of one measure, at one value of the axis of columns."""
    held = {} if shown.column is None else {shown.column: value}
    if _numeric(shown.data, shown.x):
        return curves.contents(shown.data, measure, shown.x, shown.colour, held)
    return _words(shown, measure, held)


def _words(shown: Overview, measure: str, held: dict[str, Any]) -> _Words:
    data, colour = shown.data.sel(held), shown.colour
    phenomenon = series.phenomenon_of(data)
    fixed, names = {**series.fixed_values(data), **held}, data[shown.x].to_numpy().tolist()
    values = [None] if colour is None else data[colour].to_numpy().tolist()
    hues, found, told = style.colours(values), [], []
    forms = series.predictions(phenomenon, measure)
    for index, value in enumerate(values):
        at = {} if colour is None else {colour: value}
        seen = series.seen(data, measure, (shown.x,), at)
        found.append(curves.Curve(seen, hues[index], style.MARKERS[index % 7], None, None))
        told.append(_told(phenomenon, forms, {**fixed, **at}, shown.x, names))
    attributes = {} if colour is None else data[colour].attrs
    keys = [] if colour is None else marks.curve_keys(colour, attributes, values, hues)
    label = style.label(shown.x, data[shown.x].attrs)
    line = True if forms else None
    return _Words([style.value_text(n) for n in names], found, told, keys, label, line)


def _told(
    phenomenon: Any, forms: Sequence[Any], fixed: dict[str, Any], axis: str, names: list[Any]
) -> np.ndarray:
    """Return what the prediction that speaks says at every word, NaN where none does."""
    for form in forms:
        values = spoken(predict(phenomenon, {**fixed, axis: names})[form.name].estimate)
        if np.isfinite(values).any():
            return values
    return np.full(len(names), np.nan)


def _paint(axes: Axes, panel: Any, strip: Axes | None) -> bool:
    """Draw a panel; say whether symbols hide most of the intervals."""
    if isinstance(panel, curves.Panel):
        return curves.paint(axes, panel, strip=strip)
    places = np.arange(len(panel.names), dtype=float)
    for index, (curve, told) in enumerate(zip(panel.curves, panel.told, strict=True)):
        beside = places + 0.5 * (index + 0.5) / len(panel.curves) - 0.25
        axes.plot(beside, told, color=curve.colour, ls="none", marker="_", ms=12)
        marks.points(axes, beside, curve.means, curve.colour, curve.marker)
    axes.set_xticks(places, panel.names)
    axes.set_xlabel(panel.x_label)
    return marks.small_bars(axes, [curve.means for curve in panel.curves])
