"""A measure as a map over two axes: simulation beside theory, and the ridge of its breaks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from ci_theory._errors import BadInput, Status, unknown
from ci_theory.figures import series, style
from ci_theory.locate.point import BreakPoint
from ci_theory.phenomena import Break

if TYPE_CHECKING:
    import xarray

__all__ = ["Map", "contents", "draw", "edges", "located", "paint", "predicted", "show"]

MAP = "cividis"


def draw(
    data: "xarray.Dataset",
    *,
    measure: str,
    x: str,
    y: str,
    panel: str | None = None,
    held: Mapping[str, Any] | None = None,
    prediction: str | None = None,
    title: str | None = None,
    note: str = "",
) -> Figure:
    """Draw the mean of a measure over two axes, simulated and predicted.

    If the phenomenon has a break point along ``x`` in this measure, its place is drawn for every
    value of ``y``: located with its interval, and where theory puts it.

    Args:
        data: a Dataset from a sweep store.
        measure: variable shown as colour.
        x: horizontal axis.
        y: vertical axis.
        panel: axis with one row of maps per value, each with its own colour scale.
        held: values of all other axes.
        prediction: name of the closed form; the first one of the measure by default.
        title: the finding; the phenomenon's title by default.
        note: a second line under the title.

    Raises:
        BadInput: a name that the sweep does not have, or an axis without a value.
    """
    held = dict(held or {})
    axes = [str(d) for d in data.dims if d != "replicate"]
    shown = [x, y, *([panel] if panel else []), *held]
    for name in shown:
        if name not in axes:
            raise unknown("axis", name, axes, where="this sweep")
    if measure not in data.data_vars:
        raise unknown("measure", measure, [str(v) for v in data.data_vars], where="this sweep")
    left = [a for a in axes if a not in shown]
    if left:
        raise BadInput(f"map over {x} and {y}: axis {left[0]} needs a value")

    rows = [{**held, panel: v} for v in data[panel].to_numpy().tolist()] if panel else [held]
    maps = [contents(data, measure, x, y, at, prediction) for at in rows]
    columns = 1 + (maps[0].line is not None)
    with style.applied():
        made, panels = style.figure(
            len(maps), columns, height=0.9 + 2.1 * len(maps), sharex=True, sharey=True
        )
        handles: list[Any] = []
        for row, at, found in zip(panels, rows, maps, strict=True):
            norm = _norm([found.image] if found.theory is None else [found.image, found.theory])
            keys = show(row, found, norm)
            handles = keys if len(keys) > len(handles) else handles
            text = f", {panel} = {style.value_text(at[panel])}" if panel else ""
            for axes_, heading in zip(row, ("simulation", "theory"), strict=False):
                axes_.set_title(heading + text)
            row[0].set_ylabel(style.label(y, data[y].attrs, width=34))
            bar = made.colorbar(ScalarMappable(norm, MAP), ax=list(row), pad=0.01)
            bar.set_label(style.label(measure, data[measure].attrs, width=34))
        for axes_ in panels[-1]:
            axes_.set_xlabel(style.label(x, data[x].attrs))
        if handles:
            style.legend_below(made, handles)
        style.head(made, title or series.phenomenon_of(data).title, note)
    return made


class Map(NamedTuple):
    """One map: places x (t,), levels y (k,), means and predictions (k, t).

    Attributes:
        x: places along the horizontal axis.
        y: levels of the vertical axis.
        image: means (k, t).
        line: the closed form along x on a dense grid, one curve per level, or None.
        theory: the closed form at the places, or None.
        break_: the break point along x, or None.
        measured: where the curves of the levels break; empty without a break point.
    """

    x: np.ndarray
    y: np.ndarray
    image: np.ndarray
    line: series.Line | None
    theory: np.ndarray | None
    break_: Break | None
    measured: list[BreakPoint]


def contents(
    data: "xarray.Dataset",
    measure: str,
    x: str,
    y: str,
    held: Mapping[str, Any],
    prediction: str | None = None,
) -> Map:
    """Work out what a map shows; arguments as for ``draw``."""
    phenomenon = series.phenomenon_of(data)
    places, levels = data[x].to_numpy().astype(float), data[y].to_numpy()
    forms = series.predictions(phenomenon, measure, prediction)
    fixed = {**series.fixed_values(data), **held}
    grid = series.dense(phenomenon.axes[x], places, count=80)
    curves = [{y: v} for v in levels.tolist()]
    line = series.first_line(phenomenon, forms, x, grid, fixed, curves, places)
    theory = None if line is None else line.value[:, np.searchsorted(line.x, places)]
    break_ = next((b for b in phenomenon.breaks if (b.axis, b.measure) == (x, measure)), None)
    found = [] if break_ is None else series.located_along(data, break_, y, held)
    image = series.seen(data, measure, (y, x), held).mean
    return Map(places, levels.astype(float), image, line, theory, break_, found)


def show(axes: Sequence[Axes], found: Map, norm: Normalize) -> list[Any]:
    """Draw the simulated and the predicted map, with breaks; return legend entries."""
    paint(axes[0], found.x, found.y, found.image, norm)
    handles: list[Any] = []
    if found.break_ is not None:
        handles += located(axes[0], found.measured, found.x, found.y)
    if found.line is not None and found.theory is not None:
        paint(axes[1], found.x, found.y, found.theory, norm)
        if found.break_ is not None:
            predicted(axes[1], found.break_, found.y, found.line)
            handles += predicted(axes[0], found.break_, found.y, found.line)
    return handles


def paint(axes: Axes, x: np.ndarray, y: np.ndarray, image: np.ndarray, norm: Normalize) -> Any:
    """Draw a map (y, x) with cells around the grid values; axes follow the grid's spacing."""
    for which, grid in (("x", x), ("y", y)):
        style.scale(axes, which, grid.min(), grid.max(), style.grid_scale(grid))
    mesh = axes.pcolormesh(edges(x), edges(y), image, cmap=MAP, norm=norm, rasterized=True)
    axes.grid(False)
    return mesh


def edges(grid: np.ndarray) -> np.ndarray:
    """Return the limits of cells around ascending grid values, halfway on the drawn scale.

    >>> edges(np.array([1.0, 2.0, 3.0]))
    array([0.5, 1.5, 2.5, 3.5])
    """
    if len(grid) == 1:
        return np.array([grid[0] - 0.5, grid[0] + 0.5])
    log = style.grid_scale(grid) == "log"
    u = np.log(grid) if log else np.asarray(grid, float)
    middle = 0.5 * (u[1:] + u[:-1])
    ends = np.concatenate([[2 * u[0] - middle[0]], middle, [2 * u[-1] - middle[-1]]])
    return np.exp(ends) if log else ends


def located(
    axes: Axes, found: Sequence[BreakPoint], places: np.ndarray, levels: np.ndarray
) -> list[Any]:
    """Mark where simulated curves along x break, for each level of y; return legend entries.

    A level without a break is left out.
    """
    real = [i for i, f in enumerate(found) if f.status in (Status.OK, Status.AT_EDGE)]
    if not real:
        return []
    centre = np.array([found[i].value for i in real])
    low = np.array([max(found[i].low, places.min()) for i in real])
    high = np.array([min(found[i].high, places.max()) for i in real])
    bars = [np.maximum(centre - low, 0), np.maximum(high - centre, 0)]
    look: dict[str, Any] = {"ls": "none", "marker": "o", "ms": 3.2, "mfc": "white", "mec": "black"}
    text = "located break, 95 % interval"
    pixels = axes.transData.transform(
        np.stack([np.concatenate([low, high]), np.tile(levels[real], 2)], 1)
    )
    width = np.subtract(*pixels[:, 0].reshape(2, -1)[::-1]) * style.points_per_pixel(axes)
    text += ", mostly smaller than the symbol" if np.mean(width < look["ms"]) > 0.5 else ""
    return [axes.errorbar(centre, levels[real], xerr=bars, ecolor="black", label=text, **look)]


def predicted(axes: Axes, break_: Break, levels: np.ndarray, line: series.Line) -> list[Any]:
    """Draw where the predicted curves break, by the same locator; return legend entries."""
    found = [break_.locator.locate(line.x, curve) for curve in line.value]
    where = [f.value if f.status == Status.OK else np.nan for f in found]
    return axes.plot(where, levels, color="#D55E00", lw=1.4, label="predicted break")


def _norm(images: list[np.ndarray]) -> Normalize:
    flat = np.concatenate([i[np.isfinite(i)] for i in images])
    if not len(flat):
        return Normalize(0.0, 1.0)
    low, high = float(flat.min()), float(flat.max())
    return LogNorm(low, high) if style.range_scale(low, high) == "log" else Normalize(low, high)
