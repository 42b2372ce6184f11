"""What a picture shows, as numbers: means with intervals, and closed forms on a dense grid."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ci_theory._errors import unknown
from ci_theory._record import Axis, build
from ci_theory.check import check, reading
from ci_theory.figures.style import grid_scale
from ci_theory.locate.student import quantile
from ci_theory.phenomena import Phenomenon, Prediction, load, predict
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
    "means",
    "phenomenon_of",
    "predictions",
    "verdict",
    "without_rounding",
]


class Means(NamedTuple):
    """Means over replicates with the half-widths of their intervals, arrays of one shape.

    Attributes:
        mean: NaN where no replicate is finite.
        half: half-width of the interval; NaN with fewer than two finite replicates.
        runs: finite replicates.
    """

    mean: np.ndarray
    half: np.ndarray
    runs: np.ndarray


def means(values: "xarray.DataArray", confidence: float = 0.95) -> Means:
    """Average over the dimension ``replicate``; values that are not finite are left out.

    The interval is Student's, of the mean.
    """
    y = values.transpose(..., "replicate").to_numpy()
    good = np.isfinite(y)
    count = good.sum(axis=-1)
    total = np.where(good, y, 0.0).sum(axis=-1)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    squares = (np.where(good, y - mean[..., None], 0.0) ** 2).sum(axis=-1)
    enough = count > 1
    variance = np.divide(squares, count - 1, out=np.full(total.shape, np.nan), where=enough)
    error = np.sqrt(np.divide(variance, count, out=variance, where=enough))
    factor = {c: quantile(0.5 + confidence / 2, c - 1) for c in np.unique(count) if c > 1}
    half = error * np.vectorize(lambda c: factor.get(c, np.nan), otypes=[float])(count)
    return Means(mean, half, count)


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


def verdict(data: "xarray.Dataset", *measures: str) -> str:
    """Say in a line what the check of a sweep finds about the predictions of some measures.

    Args:
        data: a Dataset from a sweep store, whole.
        measures: whose predictions; of all measures if none is named.
    """
    found = []
    for outcome in check(data).outcomes:
        if measures and outcome.comparison.prediction.measure not in measures:
            continue
        score = f"{outcome.own.z:+.1f}" if outcome.own.worst >= 0 else "no cell alone"
        found.append(f"{outcome.name.replace('_', ' ')} {outcome.verdict.value} ({score})")
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
) -> Line:
    """Evaluate a prediction along an axis, once per curve.

    Args:
        phenomenon: the phenomenon.
        form: one of its predictions.
        axis: the parameter along the axis.
        places: its values (t,).
        fixed: the other parameters.
        curves: per curve, the parameters in which it differs from ``fixed``.
    """
    k, t = len(curves), len(places)
    columns: dict[str, Any] = {**fixed, axis: list(np.tile(places, k))}
    for name in curves[0]:
        columns[name] = [curve[name] for curve in curves for _ in range(t)]
    found = predict(phenomenon, columns)[form.name]
    estimate = found.estimate
    return Line(
        x=np.asarray(places, float),
        value=spoken(estimate).reshape(k, t),
        slack=np.asarray(estimate.slack).reshape(k, t),
        valid=np.asarray(estimate.valid).reshape(k, t),  # where the solver failed, it is not
        decoys={name: np.asarray(wrong).reshape(k, t) for name, wrong in found.decoys.items()},
    )


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
    """
    made = [line(phenomenon, form, axis, places, fixed, curves) for form in forms]
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
