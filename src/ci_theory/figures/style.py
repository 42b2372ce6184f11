"""How every picture looks: sizes, colours, fonts, axis labels, and files that never differ.

Nothing here touches the state of matplotlib: figures are made without ``pyplot`` (so without a
choice of backend), and settings hold only inside ``applied``. They are ours alone: whatever a
``matplotlibrc`` says, here or at home, a picture is the same on every machine.

>>> label("n", {"long_name": "training rows", "unit": "rows"})
'training rows, n [rows]'
"""

import os
import re
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from ci_theory._errors import BadInput, printable

__all__ = [
    "BREAK",
    "BREAK_LINE",
    "COLUMN",
    "MARKERS",
    "PAGE",
    "PALETTE",
    "applied",
    "colours",
    "figure",
    "grid_scale",
    "label",
    "legend_below",
    "legend_under",
    "points_per_pixel",
    "range_scale",
    "save",
    "scale",
    "value_text",
    "words",
]

COLUMN = 3.35  # inches: one column of a two-column page
PAGE = 6.9  # inches: the full width

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, distinct for every common kind of colour vision."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One marker a curve: colour never carries a distinction alone."""

_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so the same on every machine
    "font.size": 7.5,
    "mathtext.fontset": "dejavusans",
    "axes.labelsize": 7.5,
    "axes.titlesize": 8,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.2,
    "figure.titlesize": 8.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.4,
    "errorbar.capsize": 1.6,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "ci_theory",
    "image.composite_image": True,
}

_PINNED: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}


def applied() -> AbstractContextManager[None]:
    """Return the context in which figures are drawn and saved: the defaults and the above."""
    return mpl.style.context(["default", _SETTINGS])


def figure(
    rows: int = 1, columns: int = 1, *, width: float = PAGE, height: float = 2.6, **grid: Any
) -> tuple[Figure, np.ndarray]:
    """Make an empty figure and its axes, an array (rows, columns); call it inside ``applied``.

    Args:
        rows: rows of panels.
        columns: columns of panels.
        width: inches; ``COLUMN`` or ``PAGE``.
        height: inches.
        grid: passed to ``Figure.subplots`` (``sharex``, ``width_ratios`` ...).
    """
    made = Figure(figsize=(width, height))
    return made, made.subplots(rows, columns, squeeze=False, **grid)


def colours(values: Sequence[Any]) -> list[Any]:
    """Return one colour per value: a dark-to-light sequence for numbers, else the palette.

    Numbers get evenly spaced colours of viridis without its palest quarter, in ascending order of
    value, so that a darker curve is a smaller number whatever the scale.
    """
    numeric = all(
        isinstance(v, (int, float, np.number)) and not isinstance(v, bool) for v in values
    )
    if not numeric or len(values) == 1:
        return [PALETTE[i % len(PALETTE)] for i in range(len(values))]
    rank = np.argsort(np.argsort(np.asarray(values, float), kind="stable"), kind="stable")
    places = 0.76 * rank / (len(values) - 1)
    return [tuple(c) for c in mpl.colormaps["viridis"](places)]


def label(name: str, attributes: Mapping[str, Any], *, width: int = 46) -> str:
    """Return the label of an axis: meaning, symbol and unit, wrapped to ``width`` characters.

    A symbol that is a word of the meaning is not said again; without a unit it is marked [1].
    """
    meaning = str(attributes.get("long_name", "")).split(";")[0].split(", see")[0].strip()
    told = name in re.findall(r"\w+", meaning)
    called = meaning if told else f"{meaning}, {name}" if meaning else name
    text = words(f"{called} [{attributes.get('unit') or '1'}]")
    return "\n".join(textwrap.wrap(text, width, break_long_words=False))


def words(text: str) -> str:
    """Return somebody's words as a picture may be given them: no formulas, nothing to act on.

    >>> print(words("price in $, then in $"))
    price in \\$, then in \\$
    """
    return "\n".join(printable(line) for line in text.split("\n")).replace("$", r"\$")


def value_text(value: Any) -> str:
    """Return a value as a legend shows it.

    >>> value_text(0.30000000000000004), value_text(1e-06), value_text(2000), value_text(True)
    ('0.3', '1e-06', '2000', 'yes')
    """
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (str, np.str_)):
        return str(value).replace("_", " ")
    if float(value).is_integer() and abs(value) < 1e5:
        return str(int(value))
    return f"{float(value):.3g}"


def range_scale(low: float, high: float) -> str:
    """Return "log" for a positive range of more than a factor of 20, else "linear"."""
    return "log" if low > 0 and high / low > 20 else "linear"


def grid_scale(grid: np.ndarray) -> str:
    """Return "log" for ascending positive values whose steps are more even in the logarithm.

    >>> grid_scale(np.array([50.0, 100.0, 200.0])), grid_scale(np.array([1.0, 2.0, 3.0]))
    ('log', 'linear')
    """
    if len(grid) < 3 or grid.min() <= 0:
        return range_scale(grid.min(), grid.max())
    steps, ratios = np.diff(grid), np.diff(np.log(grid))
    uneven, uneven_log = steps.std() / steps.mean(), ratios.std() / ratios.mean()
    return "log" if uneven_log < uneven else "linear"


def scale(axes: Axes, which: str, low: float, high: float, kind: str | None = None) -> None:
    """Set the scale of an axis from the range of its data; few decades get plain numbers.

    Args:
        axes: the panel.
        which: "x" or "y".
        low: smallest value shown.
        high: largest value shown.
        kind: "log" or "linear"; None chooses by ``spread``.
    """
    kind = kind or range_scale(low, high)
    axes.set(**{f"{which}scale": kind})
    axis = axes.xaxis if which == "x" else axes.yaxis
    if kind == "log":
        axis.set_minor_formatter(NullFormatter())
    if kind == "log" and high / low < 400:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 100 else (1.0, 3.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: value_text(value)))
        axis.set_minor_locator(LogLocator(subs=range(1, 10)))


BREAK = "_predicted break"
"""Label of the line at a predicted break: matplotlib leaves it out of the legends of panels."""

BREAK_LINE: dict[str, Any] = {"lw": 0.6, "ls": (0, (1, 2))}


def head(figure: Figure, title: str, note: str = "", held: Mapping[str, Any] | None = None) -> None:
    """Write above a figure what it shows, a note if there is one, and the values of other axes.

    Lines wider than the figure go on in the next.
    """
    at = ", ".join(f"{name} = {value_text(value)}" for name, value in (held or {}).items())
    lines = [*title.split("\n"), *note.split("\n"), f"at {at}" if at else ""]
    letters = int(15 * figure.get_figwidth())
    parts = [part for line in lines for part in textwrap.wrap(line, letters)]
    figure.suptitle(words("\n".join(parts)), x=0.01, ha="left")


def legend_below(made: Figure, handles: Sequence[Any], *, columns: int = 4, **more: Any) -> Legend:
    """Put a legend under the panels, where it cannot cover data.

    Lines at predicted breaks are told in it by themselves where no strip of breaks tells them.
    """
    handles = list(handles)
    drawn = {line.get_label() for axes in made.axes for line in axes.get_lines()}
    told = {handle.get_label() for handle in handles}
    if BREAK in drawn and BREAK.removeprefix("_") not in told:
        handles.append(Line2D([], [], label=BREAK.removeprefix("_"), color="0.25", **BREAK_LINE))
    return made.legend(handles=handles, loc="outside lower center", ncols=columns, **more)


def legend_under(axes: Axes, *, columns: int = 1, **more: Any) -> Legend:
    """Put a panel's own legend under its horizontal label, where it cannot cover data."""
    made = axes.get_figure(root=True)
    down = ScaledTranslation(0, -0.38, made.dpi_scale_trans)  # type: ignore[union-attr]
    anchor = {"bbox_to_anchor": (0, 0), "bbox_transform": axes.transAxes + down}
    return axes.legend(loc="upper left", borderaxespad=0, ncols=columns, **anchor, **more)


def points_per_pixel(axes: Axes) -> float:
    """Return the size of a pixel of the figure in points (1/72 inch)."""
    made = axes.get_figure(root=True)
    return 72 / made.dpi if made is not None else 1.0


def save(
    made: Figure, out: Path, name: str, *, formats: Sequence[str] = ("png", "pdf"), dpi: int = 300
) -> list[Path]:
    """Write a figure to ``out/name.format``; two runs give the same bytes.

    A file appears whole or not at all.

    Args:
        made: the figure.
        out: folder; made if it is missing.
        name: file name without its ending.
        formats: "png", "pdf" or "svg".
        dpi: dots per inch of a png.

    Raises:
        BadInput: the folder cannot be made or written to.
    """
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for kind in formats:
            path, unfinished = out / f"{name}.{kind}", out / f".{name}.{os.getpid()}.{kind}"
            try:
                with applied(), warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in Chinese
                    made.savefig(unfinished, format=kind, dpi=dpi, metadata=_PINNED[kind])
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)
            written.append(path)
    except OSError as problem:
        raise BadInput(f"{out}: cannot be written: {problem.strerror or problem}") from None
    return written
