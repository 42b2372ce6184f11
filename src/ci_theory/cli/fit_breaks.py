"""`ci-theory fit-breaks`: where a person's own curve breaks, as a table, a picture and warnings."""

import sys
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from ci_theory._errors import BadInput
from ci_theory.cli.columns import Columns, read
from ci_theory.cli.output import number, print_lines, print_table, say
from ci_theory.figures import style
from ci_theory.figures.broken_law import draw
from ci_theory.locate.breaks import MOST, BrokenLaw, fit
from ci_theory.locate.profile import Interval


def analyse(
    file: Path, x: str | None, y: str | None, breaks: str, resolution: float, out: Path
) -> tuple[dict[str, Any], BrokenLaw]:
    """Read a curve, fit it, draw it; return the document for JSON, and the fit behind it.

    Raises:
        BadInput: whatever is wrong with the file, the columns or the number of breaks. Then
            nothing has been written.
    """
    wanted = _wanted(breaks)
    data = read(file, x, y)
    if sys.stderr.isatty():
        say(f"ci-theory: fitting {len(data.x)} points ...", file=sys.stderr)
    try:
        law = fit(data.x, data.y, wanted, resolution=resolution)
    except BadInput as problem:
        raise BadInput(f"{file}: {data.y_name} against {data.x_name}: {problem}") from None
    with style.applied():
        made = draw(data.x, data.y, law, data.x_name, data.y_name)
    files = style.save(made, out, f"{file.stem}-breaks", formats=("png",))
    return _document(file, data, law, files), law


def _wanted(breaks: str) -> int | Literal["auto"]:
    if breaks == "auto" or (breaks.isascii() and breaks.isdigit() and int(breaks[:9]) <= MOST):
        return cast("int | Literal['auto']", breaks if breaks == "auto" else int(breaks))
    raise BadInput(f"--breaks {breaks}: expected auto or 0 to {MOST}")


def _document(file: Path, data: Columns, law: BrokenLaw, files: list[Path]) -> dict[str, Any]:
    return {
        "file": str(file),
        "x": data.x_name,
        "y": data.y_name,
        "points": law.points,
        "form": {"breaks": law.form.breaks, "floor": law.form.floor},
        "breaks": [
            {**{k: v for k, v in one._asdict().items()}, "status": one.status.name}
            | {k: _interval(getattr(one, k)) for k in ("place", "width", "before", "after")}
            for one in law.breaks
        ],
        "first_slope": _interval(law.slope_first),
        "floor": _interval(law.floor),
        "scatter": law.scatter,
        "resolution": law.resolution,
        "tests": [
            {"smaller": str(s.smaller), "larger": str(s.larger), "p": s.p, "bound": s.bound}
            for s in law.ladder
        ],
        "ended": law.ended,
        "parameters": dict(zip(law.form.names, law.theta.tolist(), strict=True)),
        "warnings": list(law.warnings),
        "figure": [str(one) for one in files],
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {"value": interval.value, "interval": [interval.low, interval.high]}


def print_fit(document: dict[str, Any], law: BrokenLaw) -> None:
    """Print the breaks, what the choice rests on, and what to beware of."""
    x, y = document["x"], document["y"]
    say(f"{document['file']}: {y} against {x}, {law.points} points: {law.form}")
    rows = [[f"slope{'' if law.form.breaks else ' of the power law'}", *_cells(law.slope_first)]]
    for i, one in enumerate(law.breaks, 1):
        name = f"break {i}" if law.form.breaks else "floor reached"
        rows.append([f"{name}: {x}", *_cells(one.place)])
        if law.form.breaks:
            rows.append(["  width in log x", *_cells(one.width)])
            rows.append(["  slope beyond", *_cells(one.after)])
    if law.form.floor:
        rows.append(["floor", *_cells(law.floor)])
    print_table(["", "fit", "95 % from", "to"], rows, right=["fit", "95 % from", "to"])
    if not law.form.floor and 0 < law.floor.high < np.inf:
        print_lines([("floor", f"none needed; one up to {number(law.floor.high, 3)} may be there")])
    print_lines([("scatter", f"{100 * law.scatter:.2g} % around the curve")])
    for step in law.ladder:
        chance = f"{'<' if step.bound else '='} {number(step.p, 2)}"
        print_lines([("test", f"{step.smaller} against {step.larger}: p {chance}")])
    if law.ended:
        print_lines([("ended", law.ended)])
    print_lines([("warning", line) for line in law.warnings])
    print_lines([("figure", one) for one in document["figure"]])


def _cells(interval: Interval) -> list[str]:
    ends = ["open" if not np.isfinite(v) else number(v, 4) for v in (interval.low, interval.high)]
    return [number(interval.value, 4), *ends]
