"""`ci-theory fit-breaks`: where a person's own curve breaks, as a table, a picture and warnings."""

import re
import sys
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ci_theory._errors import BadInput
from ci_theory.cli.columns import Columns, read
from ci_theory.cli.output import number, print_lines, print_table, say
from ci_theory.locate.breaks import MOST, BrokenLaw, fit
from ci_theory.locate.profile import Interval

_LONGEST = 80  # characters of a name in a line of text, or of a picture's file


def analyse(
    file: Path,
    *,
    x: str | None = None,
    y: list[str] | None = None,
    weights: str | None = None,
    sd: str | None = None,
    ceiling: float | None = None,
    breaks: str = "auto",
    least: int = 0,
    resolution: float = 0.001,
    out: Path | None = None,
) -> tuple[dict[str, Any], BrokenLaw]:
    """Read a curve, fit it, draw it; return the document for JSON, and the fit behind it.

    Args:
        file: the text; "-" is standard input.
        x: column of x; ``y``: columns of y, a run each; ``weights`` and ``sd``: columns of relative
            precisions and of standard deviations of y.
        ceiling: fit ceiling - y in place of y.
        breaks: "auto" or how many; ``least``: the least number that "auto" may find.
        resolution: misfit, as a share of y, that is good enough.
        out: folder of the picture; None draws none. A picture that cannot be drawn or written is
            a warning: the fit is not lost with it.

    Raises:
        BadInput: whatever is wrong with the file, the columns or the number of breaks. Then
            nothing has been written.
    """
    wanted = _wanted(breaks)
    data = read(file, x, y or (), weights, sd)
    name = _listed(data.y_names)
    values = data.y if ceiling is None else _below(ceiling, data.y, f"{file}: {name}")
    name = name if ceiling is None else f"{ceiling:.15g} - {name}"
    runs = values.shape[1]
    rows: dict[str, Any] = {  # the runs one after the other
        "x": np.tile(data.x, runs),
        "y": values.T.ravel(),
        "weights": None if data.weights is None else np.tile(data.weights, runs),
        "sd": None if data.sd is None else np.tile(data.sd, runs),
        "run": np.repeat(np.arange(runs), len(data.x)) if runs > 1 else None,
    }
    if sys.stderr.isatty():
        say(f"ci-theory: fitting {values.size} points ...", file=sys.stderr)
    try:
        law = fit(breaks=wanted, least=least, resolution=resolution, **rows)
    except BadInput as problem:
        raise BadInput(f"{file}: {name} against {data.x_name}: {problem}") from None
    document = _document(file, data, law, ceiling, name)
    if out is not None:
        files, told = picture(rows, law, data.x_name, name, out, _stem(file, data))
        document["figure"] = [str(one) for one in files]
        document["warnings"] += told
    return document, law


def _wanted(breaks: str) -> int | Literal["auto"]:
    if breaks == "auto":
        return "auto"
    if breaks in map(str, range(MOST + 1)):
        return int(breaks)
    raise BadInput(f"--breaks {breaks}: expected auto or 0 to {MOST}")


def _below(ceiling: float, y: np.ndarray, what: str) -> np.ndarray:
    """Return how far y (m, runs) is below the ceiling."""
    if not np.isfinite(ceiling):
        raise BadInput(f"--ceiling {ceiling}: expected a number")
    beyond = int((y >= ceiling).sum())
    if beyond:
        raise BadInput(
            f"{what}: {beyond} of {y.size} values are not below the ceiling, {ceiling:.15g}: "
            "ceiling - y has no logarithm there"
        )
    with np.errstate(over="ignore"):
        return ceiling - y


def picture(
    rows: dict[str, Any],
    law: BrokenLaw,
    x_name: str,
    y_name: str,
    out: Path,
    stem: str,
) -> tuple[list[Path], list[str]]:
    """Draw a fit of ``rows``, arguments of ``fit``; return the files, and what is to be told."""
    from ci_theory.figures import style  # here: a fit without a picture needs no matplotlib
    from ci_theory.figures.broken_law import draw

    path = out / f"{stem}.png"
    try:
        before = path.read_bytes() if path.exists() else b""
        with warnings.catch_warnings(), style.applied():
            warnings.simplefilter("ignore")  # letters that the font lacks, labels that are long
            made = draw(law=law, x_name=x_name, y_name=y_name, **rows)
            files = style.save(made, out, stem, formats=("png",))
        replaced = before not in (b"", path.read_bytes())
    except BadInput as problem:
        return [], [f"no picture: {problem}"]
    except OSError as problem:
        return [], [f"no picture: {path}: {problem.strerror or problem}"]
    return files, [f"{path}: another picture was there, and is replaced"] if replaced else []


def _stem(file: Path, data: Columns) -> str:
    """Return the picture's name: the file's and the columns'."""
    name = "stdin" if str(file) == "-" else re.sub(r"\.(gz|bz2|xz)$", "", file.name)
    parts = [Path(name).stem, "+".join(data.y_names), data.x_name]
    return (
        "-".join(re.sub(r"[^\w.+-]+", "_", part).strip("_") for part in parts)[:_LONGEST]
        + "-breaks"
    )


def _listed(names: tuple[str, ...]) -> str:
    text = ", ".join(names)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _document(
    file: Path, data: Columns, law: BrokenLaw, ceiling: float | None, name: str
) -> dict[str, Any]:
    document = {
        "file": str(file),
        "x": data.x_name,
        "y": name,
        "runs": list(data.y_names),
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
        "correlation": law.correlation,
        "effective_points": law.effective,
        "interpretable": law.interpretable,
        "resolution": law.resolution,
        "tests": [
            {"smaller": str(s.smaller), "larger": str(s.larger), "p": s.p, "bound": s.bound}
            for s in law.ladder
        ],
        "ended": law.ended,
        "parameters": dict(zip(law.form.names, law.theta.tolist(), strict=True)),
        "warnings": [*data.warnings, *law.warnings],
        "figure": [],
    }
    if ceiling is not None:
        document |= {"ceiling": ceiling, "limit": _interval(_limit(ceiling, law))}
    return document


def _limit(ceiling: float, law: BrokenLaw) -> Interval:
    """Return what y tends to below its ceiling."""
    return Interval(*(ceiling - v for v in (law.floor.value, law.floor.high, law.floor.low)))


def _interval(interval: Interval) -> dict[str, Any]:
    return {"value": interval.value, "interval": [interval.low, interval.high]}


def print_fit(document: dict[str, Any], law: BrokenLaw) -> None:
    """Print the breaks, what the choice rests on, and what to beware of."""
    x, y, runs = document["x"], document["y"], len(document["runs"])
    points = f"{f'{runs} runs, ' if runs > 1 else ''}{law.points} points"
    say(f"{document['file']}: {y} against {x}, {points}: {law.form}")
    ceiling = document.get("ceiling")
    lowest = "floor" if ceiling is None else "limit"
    rows = [[f"slope{'' if law.form.breaks else ' of the power law'}", *_cells(law.slope_first)]]
    for i, one in enumerate(law.breaks, 1):
        name = f"break {i}" if law.form.breaks else f"{lowest} reached"
        rows.append([f"{name}: {x}", *_cells(one.place)])
        if law.form.breaks:
            rows.append(["  width in log x", *_cells(one.width)])
            rows.append(["  slope beyond", *_cells(one.after)])
    if law.form.floor:
        name = "floor" if ceiling is None else f"limit of {_listed(document['runs'])}"
        rows.append([name, *_cells(law.floor if ceiling is None else _limit(ceiling, law))])
    print_table(["", "fit", "95 % from", "to"], rows, right=["fit", "95 % from", "to"])
    if not law.form.floor and 0 < law.floor.high < np.inf:
        text = f"none needed; one up to {number(law.floor.high, 3)} may be there"
        if ceiling is not None:
            least = number(_limit(ceiling, law).low)
            text = f"the ceiling, {number(ceiling)}; one down to {least} may be there"
        print_lines([(lowest, text)])
    print_lines([("scatter", f"{100 * law.scatter:.2g} % around the curve")])
    for step in law.ladder:
        chance = f"{'<' if step.bound else '='} {number(step.p, 2)}"
        print_lines([("test", f"{step.smaller} against {step.larger}: p {chance}")])
    if law.ended:
        print_lines([("ended", law.ended)])
    print_lines([("warning", line) for line in document["warnings"]])
    print_lines([("figure", one) for one in document["figure"]])


def _cells(interval: Interval) -> list[str]:
    ends = ["open" if not np.isfinite(v) else number(v, 4) for v in (interval.low, interval.high)]
    return [number(interval.value, 4), *ends]
