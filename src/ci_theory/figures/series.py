"""What a picture shows, as numbers: means with intervals, breaks, closed forms on a dense grid.

The results of a sweep come as its runs (from a store) or condensed (``figures/condensed.py``:
means, errors, located breaks); what reads either is ``seen``, ``located`` and ``verdict``.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ci_theory._errors import unknown
from ci_theory._record import Axis, build
from ci_theory.check import reading
from ci_theory.figures import condensed
from ci_theory.figures.condensed import Means, means
from ci_theory.figures.style import grid_scale
from ci_theory.locate.point import BreakPoint
from ci_theory.phenomena import Break, Phenomenon, Prediction, load, predict
from ci_theory.phenomena._predict import Predictions
from ci_theory.phenomena._speaking import speaking, spoken

if TYPE_CHECKING:
    import xarray

__all__ = [
    "Line",
    "Means",
    "closed_form",
    "dense",
    "first_line",
    "fixed_values",
    "line",
    "located",
    "located_along",
    "means",
    "phenomenon_of",
    "predictions",
    "replicates",
    "seen",
    "verdict",
    "without_rounding",
]


class Line(NamedTuple):
    """A closed form along an axis, for each of k curves.

    Attributes:
        x: places (t,).
        value: the form (k, t), NaN where it has no value.
        slack: its own finite-size bound (k, t).
        valid: whether it claims the mean of a run here (k, t).
        decoys: name -> values (k, t) of the wrong forms.
    """

    x: np.ndarray
    value: np.ndarray
    slack: np.ndarray
    valid: np.ndarray
    decoys: dict[str, np.ndarray]


def phenomenon_of(data: "xarray.Dataset") -> Phenomenon:
    """Load the phenomenon that a Dataset holds."""
    return load(data.attrs["phenomenon"], trusted=False)


def fixed_values(data: "xarray.Dataset") -> dict[str, Any]:
    """Return the parameters that no axis varies, also those of a selection.

    Raises:
        BadInput: a parameter of the phenomenon is neither an axis nor given.
    """
    return reading.fixed_values(data, phenomenon_of(data))


def predictions(phenomenon: Phenomenon, measure: str, name: str | None = None) -> list[Prediction]:
    """Return the predictions of a measure in their order, or the named one alone.

    Raises:
        BadInput: no prediction of that name.
    """
    if name is not None:
        named = {p.name: p for p in phenomenon.predictions}
        if name not in named:
            raise unknown("prediction", name, named, where=phenomenon.name)
        return [named[name]]
    return [p for p in phenomenon.predictions if p.measure == measure]


def replicates(data: "xarray.Dataset") -> int:
    """Return how many runs a cell has."""
    return int(data.sizes["replicate"] if "replicate" in data.dims else data.attrs["replicates"])


def seen(
    data: "xarray.Dataset", measure: str, dims: Sequence[str], at: Mapping[str, Any] | None = None
) -> Means:
    """Return the means of a measure as arrays of the axes ``dims``; ``at`` selects on the others.

    Args:
        data: a sweep's runs, or condensed.
        measure: the variable.
        dims: axes that are left, in this order.
        at: values of the others.
    """
    one = data.sel(at or {})
    if "replicate" in data.dims:
        return means(one[measure].transpose(*dims, "replicate"))
    return Means(*(one[f"{measure}{part}"].transpose(*dims).to_numpy() for part in condensed.PARTS))


def located(data: "xarray.Dataset", kind: Break, at: Mapping[str, Any] | None = None) -> BreakPoint:
    """Return where a curve breaks; ``at`` selects one value on every other axis.

    Raises:
        BadInput: the sweep is condensed, and this slice was not located before it was.
    """
    one = data.sel(at or {})
    if "replicate" not in data.dims:
        return condensed.find(one, kind)
    runs = one[kind.measure].transpose("replicate", kind.axis).to_numpy()
    return kind.locator.locate(one[kind.axis].to_numpy().astype(float), runs)


def located_along(
    data: "xarray.Dataset", kind: Break, axis: str, at: Mapping[str, Any] | None = None
) -> list[BreakPoint]:
    """Return the breaks of all curves along a second axis, in the order of its values."""
    return [located(data, kind, {**(at or {}), axis: v}) for v in data[axis].to_numpy().tolist()]


def verdict(data: "xarray.Dataset", *measures: str) -> str:
    """Say in a line what the check of a sweep finds about the predictions of some measures.

    Args:
        data: a sweep's runs, whole, or condensed: then it says what was found of them.
        measures: whose predictions; of all measures if none is named.
    """
    known = condensed.verdicts(data) if "replicate" in data.dims else condensed.told(data)
    found = []
    for one in known:
        if not measures or one.measure in measures:
            score = "no cell alone" if one.z is None else f"{one.z:+.1f}"
            found.append(f"{one.prediction.replace('_', ' ')} {one.verdict} ({score})")
    return "check (worst z): " + ", ".join(found) if found else ""


def dense(axis: Axis, values: Sequence[float] | np.ndarray, count: int = 160) -> np.ndarray:
    """Return a grid over the range of some values, with the values themselves in it.

    Evenly spaced on the scale that a picture would choose; whole numbers stay whole.
    """
    seen = np.asarray(values, float)
    low, high = float(seen.min()), float(seen.max())
    even = np.geomspace if grid_scale(np.sort(seen)) == "log" else np.linspace
    grid = np.unique(np.concatenate([even(low, high, count), seen]))
    grid = np.clip(grid, low, high)
    return np.unique(np.round(grid)) if axis.type is int else grid


def line(
    phenomenon: Phenomenon,
    form: Prediction,
    axis: str,
    places: np.ndarray,
    fixed: Mapping[str, Any],
    curves: Sequence[Mapping[str, Any]] = ({},),
    *,
    decoys: bool = False,
) -> Line:
    """Evaluate a prediction along an axis, once per curve.

    Args:
        phenomenon: the phenomenon.
        form: one of its predictions.
        axis: the parameter along the axis.
        places: its values (t,).
        fixed: the other parameters.
        curves: per curve, the parameters in which it differs from ``fixed``.
        decoys: whether its mistakes are wanted too, each of which costs as much.
    """
    k, t = len(curves), len(places)
    columns: dict[str, Any] = {**fixed, axis: tuple(np.tile(places, k).tolist())}
    for name in curves[0]:
        columns[name] = tuple(curve[name] for curve in curves for _ in range(t))
    found = _predicted(phenomenon, tuple(sorted(columns.items())), decoys)[form.name]
    estimate = found.estimate
    return Line(
        x=np.asarray(places, float),
        value=spoken(estimate).reshape(k, t),
        slack=np.asarray(estimate.slack).reshape(k, t),
        valid=np.asarray(estimate.valid).reshape(k, t),  # where the solver failed, it is not
        decoys={name: np.asarray(wrong).reshape(k, t) for name, wrong in found.decoys.items()},
    )


@functools.lru_cache(maxsize=4)
def _predicted(
    phenomenon: Phenomenon, columns: tuple[tuple[str, Any], ...], decoys: bool
) -> Predictions:
    """Evaluate a phenomenon once for all of its measures, each of which asks for its own."""
    return predict(phenomenon, dict(columns), decoys=decoys)


def closed_form(
    phenomenon: Phenomenon, name: str, fixed: Mapping[str, Any], axis: str, values: np.ndarray
) -> np.ndarray:
    """Return where a break's closed form puts it, along a second axis: NaN where it is silent.

    Args:
        phenomenon: the phenomenon.
        name: of one of its breaks, which has a closed form.
        fixed: the other parameters.
        axis: the parameter along the axis.
        values: its values (t,).
    """
    form = {b.name: b.closed_form for b in phenomenon.breaks}[name]
    if form is None:
        return np.full(len(values), np.nan)
    points = [phenomenon.point({**fixed, axis: value}) for value in values.tolist()]
    return np.array([form(build(phenomenon.params, point)) for point in points], float)


def first_line(
    phenomenon: Phenomenon,
    forms: Sequence[Prediction],
    axis: str,
    places: np.ndarray,
    fixed: Mapping[str, Any],
    curves: Sequence[Mapping[str, Any]] = ({},),
    seen: np.ndarray | None = None,
    *,
    decoys: bool = False,
) -> Line | None:
    """Evaluate for every curve the prediction that speaks for it (``phenomena._speaking``).

    Decoys are those of the first prediction. None if there is no prediction.

    Args:
        phenomenon: the phenomenon.
        forms: predictions of one measure, in declared order.
        axis: the parameter along the axis.
        places: its values (t,), ascending.
        fixed: the other parameters.
        curves: per curve, the parameters in which it differs from ``fixed``.
        seen: those of the places that were simulated, at which it is decided which form speaks.
        decoys: whether these are wanted.
    """
    made = [line(phenomenon, form, axis, places, fixed, curves, decoys=decoys) for form in forms]
    if not made:
        return None
    at = slice(None) if seen is None else np.searchsorted(places, np.sort(seen))
    chosen = [speaking([one.value[i, at] for one in made]) or 0 for i in range(len(curves))]
    value, slack, valid = (
        np.stack([getattr(made[form], part)[i] for i, form in enumerate(chosen)])
        for part in ("value", "slack", "valid")
    )
    return made[0]._replace(value=value, slack=slack, valid=valid)


def without_rounding(line: Line, places: np.ndarray) -> Line:
    """Return a line through the places alone if it jumps up and down between them.

    Where a phenomenon rounds counts to whole rows, a closed form on a dense grid of whole numbers
    is a saw: true, and unreadable. More than three turns beyond those at the places say so.
    """
    at = np.searchsorted(line.x, places)
    turns = [_turns(dense) - _turns(dense[at]) for dense in line.value]
    if max(turns, default=0) <= 3:
        return line
    decoys = {name: wrong[:, at] for name, wrong in line.decoys.items()}
    value, slack, valid = line.value[:, at], line.slack[:, at], line.valid[:, at]
    return Line(line.x[at], value, slack, valid, decoys)


def _turns(curve: np.ndarray) -> int:
    """Count the local extrema of a curve."""
    steps = np.diff(curve[np.isfinite(curve)])
    signs = np.sign(steps[np.abs(steps) > 1e-12 * np.abs(curve[np.isfinite(curve)]).max(initial=0)])
    return int(np.sum(signs[1:] != signs[:-1]))
