"""The theory along an axis as plain data: what ``ci-theory predict --json`` says, and more to draw.

``document`` is that of the command, and the table of the page. ``drawn`` adds what a picture shows
beside the values: the slack, the decoys that are switched on, and what each break is worth.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ci_theory import phenomena
from ci_theory._errors import BadInput, Status, unknown
from ci_theory._record import build
from ci_theory._shown import plain
from ci_theory.explore.address import Shown
from ci_theory.phenomena import Break, Phenomenon
from ci_theory.phenomena._predict import Predictions
from ci_theory.phenomena._speaking import speaking, spoken
from ci_theory.sweeps.values import parse_value, values_for

MOST_POINTS = 100_000
"""Points that one `predict` evaluates at most: some ten seconds."""

MOST_PLACES = 400
"""Places along the axis of a page."""

FEW = 8
"""Places of a curve while a hand moves; a power of two, as predictions are evaluated in such."""

FEWEST_PLACES = 5
"""Points along an axis from which a break is looked for in the predicted curve."""


class Grid(NamedTuple):
    """What words ask for: values of the axes that vary, and the one of every other that is given.

    Attributes:
        ranges: axis -> its values, in the order in which the ranges were given.
        fixed: axis -> its value.
    """

    ranges: dict[str, tuple]
    fixed: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the ranges."""
        return tuple(len(values) for values in self.ranges.values())

    @property
    def first(self) -> dict[str, Any]:
        """The first of its points."""
        return {**self.fixed, **{key: values[0] for key, values in self.ranges.items()}}

    @property
    def varied(self) -> dict[str, list]:
        """Every axis that varies, at every point, the last range fastest."""
        rows = list(itertools.product(*self.ranges.values()))
        return {key: [row[i] for row in rows] for i, key in enumerate(self.ranges)}


def grid(phenomenon: Phenomenon, words: Mapping[str, str]) -> Grid:
    """Read the values and ranges of axes.

    Raises:
        BadInput: unknown names, bad values, or more points than ``MOST_POINTS``.
    """
    axes = phenomenon.axes
    made = Grid({}, {})
    for key, text in words.items():
        if key not in axes:
            raise unknown("axis", key, axes, where=phenomenon.name)
        value = parse_value(text, axes[key])
        if isinstance(value, tuple):
            made.ranges[key] = values_for(axes[key], value)
        else:
            made.fixed[key] = values_for(axes[key], (value,))[0]
    if math.prod(made.shape) > MOST_POINTS:
        sizes = " x ".join(map(str, made.shape))
        raise BadInput(
            f"predict {phenomenon.name}: {sizes} = {math.prod(made.shape):.3g} points; "
            f"at most {MOST_POINTS}"
        )
    return made


def document(phenomenon: Phenomenon, words: Mapping[str, str]) -> dict[str, Any]:
    """Evaluate the predictions of a phenomenon.

    Args:
        phenomenon: the phenomenon.
        words: dotted name -> a value, a list or a range, as text.

    Returns:
        {"phenomenon", "params", "observables", "break_point"}, and "axes" if there are ranges.
        Entries of "observables" are {"value", "valid", "status"}: single ones at a point; arrays
        over ranges, nested in the order of "axes", the order in which the ranges were given.

    Raises:
        BadInput: unknown names, bad values, or more points than ``MOST_POINTS``.
    """
    asked = grid(phenomenon, words)
    return told(phenomenon, asked, evaluated(phenomenon, asked))


def evaluated(
    phenomenon: Phenomenon, asked: Grid, decoys: bool = False, again: bool = False
) -> Predictions:
    """Evaluate the predictions at every point of a grid; ``again``: and others of its size soon."""
    points = {**asked.fixed, **asked.varied}
    return phenomena.predict(phenomenon, points, decoys=decoys, again=again)


def told(phenomenon: Phenomenon, asked: Grid, found: Predictions) -> dict[str, Any]:
    """Lay out what is predicted on a grid: see ``document``."""
    shape, ranges = asked.shape, asked.ranges
    made: dict[str, Any] = {"phenomenon": phenomenon.name}
    if ranges:
        made["axes"] = list(ranges)
    made["params"] = {**phenomenon.point(asked.first), **ranges}
    made["observables"] = {
        key: {
            "value": one.estimate.value.reshape(shape),
            "valid": one.estimate.valid.reshape(shape),
            "status": np.array([Status(s).name for s in one.estimate.status]).reshape(shape),
        }
        for key, one in found.items()
    }
    places = _places(phenomenon, phenomenon.breaks, asked, found)
    if places:
        made["break_point"] = places
    return plain(made)


def _places(
    phenomenon: Phenomenon, sought: Iterable[Break], asked: Grid, found: Predictions
) -> dict[str, dict[str, Any]]:
    """Return where breaks are on a grid: by closed form, and located in the curve of their axis."""
    point, places = phenomenon.point(asked.first), {}
    for b in sought:
        place: dict[str, Any] = {"axis": b.axis}
        if b.closed_form is not None:
            place["value"] = _closed_form(phenomenon, b, point, asked.varied, asked.shape)
        if list(asked.ranges) == [b.axis]:
            place.update(located(b, asked.ranges[b.axis], found))
        if len(place) > 1:
            places[b.name] = place
    return places


def _closed_form(
    phenomenon: Phenomenon,
    sought: Break,
    point: Mapping[str, Any],
    varied: Mapping[str, list],
    shape: tuple[int, ...],
) -> np.ndarray:
    """Evaluate the closed form of a break at every point: once along its own axis."""
    form = sought.closed_form
    assert form is not None
    others = {name: values for name, values in varied.items() if name != sought.axis}
    rows = list(zip(*others.values(), strict=True)) if others else [()] * math.prod(shape)
    points = {row: {**point, **dict(zip(others, row, strict=True))} for row in rows}
    places = {row: form(build(phenomenon.params, full)) for row, full in points.items()}
    return np.array([places[row] for row in rows], float).reshape(shape)


def located(sought: Break, axis: tuple, found: Mapping[str, Any]) -> dict[str, Any]:
    """Locate a break in the predicted curve, by the code that locates it in a simulated one."""
    about = [one for one in found.values() if one.prediction.measure == sought.measure]
    curves = [spoken(one.estimate) for one in about]
    speaks = speaking(curves)
    if speaks is None or len(axis) < FEWEST_PLACES:
        return {}
    place = sought.locator.locate(np.array(axis, float), curves[speaks])
    name = about[speaks].prediction.name
    return {"located": {"value": place.value, "status": Status(place.status), "prediction": name}}


def line(phenomenon: Phenomenon, shown: Shown) -> tuple[str, Grid]:
    """Return the one axis along which a page draws, and what its address asks for.

    Raises:
        BadInput: no axis has a range, or several have, or one that is no number.
    """
    asked = grid(phenomenon, shown.words)
    if len(asked.ranges) != 1:
        names = " and ".join(asked.ranges) or "none"
        raise BadInput(
            f"the page draws along one axis ({names} given): expected one range, such as "
            f"{_example(phenomenon)}"
        )
    ((name, values),) = asked.ranges.items()
    if phenomenon.axes[name].type not in (int, float):
        raise BadInput(f"{name} is no number: the page cannot draw along it")
    if len(values) > MOST_PLACES:
        raise BadInput(f"{name} has {len(values)} values: the page draws at most {MOST_PLACES}")
    return name, asked


def _example(phenomenon: Phenomenon) -> str:
    name = next(k for k, axis in phenomenon.axes.items() if axis.type in (int, float))
    return f"{name}=1,2,3"


def drawn(phenomenon: Phenomenon, shown: Shown, tabled: bool = True) -> dict[str, Any]:
    """Evaluate what a page shows.

    Args:
        phenomenon: the phenomenon.
        shown: what its address asks for.
        tabled: whether with the table, for which breaks of other axes are worked out at each place.

    Returns:
        {"axis", "places", "table", "problem", "slack", "decoys"}: "table" is what ``document``
        says of the same words; where a rule refuses some of the places it is None and "problem"
        says why, and "curve" has the values at the others, null at these. "slack" is by prediction,
        "decoys" by prediction and mistake, each as long as "places".

    Raises:
        BadInput: nothing can be drawn.
    """
    name, asked = line(phenomenon, shown)
    values = asked.ranges[name]
    problem, allowed = _allowed(phenomenon, asked, name)
    here = Grid({name: tuple(itertools.compress(values, allowed))}, asked.fixed)
    beside = evaluated(phenomenon, here, True, not tabled) if shown.decoys else None
    found = beside if beside and not tabled else evaluated(phenomenon, here, again=not tabled)
    table = told(phenomenon, asked, found) if tabled and not problem else None
    mine = [b for b in phenomenon.breaks if b.axis == name]
    wrong: dict[str, dict[str, np.ndarray]] = {}
    if beside:
        wrong = {
            key: {d: v for d, v in one.decoys.items() if d in shown.decoys}
            for key, one in beside.items()
        }

    def spread(part: np.ndarray) -> np.ndarray:
        whole = np.full(len(values), np.nan)
        whole[allowed] = part
        return whole

    made = {
        "axis": name,
        "places": values,
        "table": table,
        "problem": problem,
        "curve": {key: spread(spoken(one.estimate)) for key, one in found.items()},
        "slack": {key: spread(one.estimate.slack) for key, one in found.items()},
        "decoys": {
            key: {mistake: spread(value) for mistake, value in ones.items()}
            for key, ones in wrong.items()
        },
        "breaks": table.get("break_point", {}) if table else _places(phenomenon, mine, here, found),
    }
    return plain(made)


def few(phenomenon: Phenomenon, shown: Shown) -> dict[str, Any]:
    """Evaluate the same at ``FEW`` of the places, both ends among them; without a table.

    Raises:
        BadInput: nothing can be drawn.
    """
    name, asked = line(phenomenon, shown)
    values = asked.ranges[name]
    picked = np.unique(np.linspace(0, len(values) - 1, min(FEW, len(values))).round().astype(int))
    words = {**shown.words, name: ",".join(str(values[i]) for i in picked)}
    return drawn(phenomenon, dataclasses.replace(shown, words=words), tabled=False)


def _allowed(phenomenon: Phenomenon, asked: Grid, name: str) -> tuple[str, np.ndarray]:
    """Return what a rule says against some of the places, and which it lets pass.

    Raises:
        BadInput: it lets none pass.
    """
    told, allowed = "", []
    for value in asked.ranges[name]:
        try:
            phenomenon.point({**asked.fixed, name: value})
            allowed.append(True)
        except BadInput as problem:
            told = told or str(problem)
            allowed.append(False)
    if not any(allowed):
        raise BadInput(told)
    return told, np.array(allowed)
