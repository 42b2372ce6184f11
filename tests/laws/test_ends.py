"""At the ends of its declared ranges every formula gives numbers, a status, or a refusal."""

import contextlib
import functools
import itertools

import numpy as np
import pytest
import recorded

from ci_theory._errors import BadInput, Status
from ci_theory._record import Axis, Kind, build
from ci_theory.phenomena import load, names, predict

NAMES = names()

CAPS = {"vocabulary": 500, "inputs": 60, "width": 30, "modes": 1000}
"""Counts whose worlds grow with them: their high ends cost time, not another formula."""

FAR = {int: [10**9], float: [1e9, 1e300]}
"""Values taken for the end of a range that has none."""

SMALL = {"metric_mirage": {"vocabulary": 500}}
"""Static values at which the points are taken, where the defaults are slow."""

CORNERS = 24
"""Points with many fields at an end at once."""


def ends(axis: Axis) -> list:
    """Return values at the lower and at the upper end of a field."""
    if axis.type is bool:
        return [False, True]
    if axis.low is not None:
        low = [axis.low]
    elif axis.above is not None:
        low = [axis.above + (1 if axis.type is int else 1e-12)]
    else:
        low = [-far for far in FAR[axis.type]]
    high = FAR[axis.type] if axis.high is None else [axis.high]
    if axis.kind is Kind.STATIC and axis.name in CAPS:
        high = [CAPS[axis.name]]
    return [axis.type(value) for value in low + high]


@functools.cache
def moving(name: str) -> list[dict]:
    """Return points that differ from the defaults in fields that need no compilation."""
    phenomenon, rng = load(name), np.random.default_rng(0)
    fields = {k: ends(phenomenon.axes[k]) for k in phenomenon.names(*set(Kind) - {Kind.STATIC})}
    single = [{k: v} for k, values in fields.items() for v in values]
    corners = [
        {k: rng.choice(values).item() for k, values in fields.items() if rng.random() < 0.6}
        for _ in range(CORNERS)
    ]
    return [{}, *single, *corners]


def groups(name: str) -> list[dict]:
    """Return static values: the defaults, each number at each end, and the steepest power law."""
    phenomenon, small = load(name), SMALL.get(name, {})
    axes = phenomenon.axes
    numbers = [k for k in phenomenon.names(Kind.STATIC) if axes[k].type is not str]
    found = [small, *({**small, k: v} for k in numbers for v in ends(axes[k]))]
    if "power_law" in (axes["spectrum"].choices if "spectrum" in axes else ()):
        steep = {k: axes[k].high for k in ("alpha", "beta") if k in axes}
        found.append({"spectrum": "power_law", **steep})
    return [one for i, one in enumerate(found) if one not in found[:i]]


def allowed(phenomenon, points):
    """Return the points that the phenomenon does not refuse: ``point`` raises nothing else."""
    kept = []
    for point in points:
        with contextlib.suppress(BadInput):
            phenomenon.point(point)
            kept.append(point)
    return kept


def judge(phenomenon, points):
    """Evaluate everything that a phenomenon says at points with the same static values."""
    size = 1 << (len(points) - 1).bit_length()  # few batch shapes for all groups
    padded = [*points, *[points[-1]] * (size - len(points))]
    found = predict(
        phenomenon, {k: [p.get(k, a.default) for p in padded] for k, a in phenomenon.axes.items()}
    )
    for label, predicted in found.items():
        value, slack, valid, status = predicted.estimate
        assert set(status) <= set(map(int, Status)), label
        assert np.all(np.isfinite(value[status == Status.OK])), label
        good = np.isfinite(slack) & (slack >= 0) & (status == Status.OK)
        assert np.all(good[valid]), (label, padded[np.flatnonzero(valid & ~good)[0]])
    for sought in phenomenon.breaks:
        for point in points if sought.closed_form else ():
            place = sought.closed_form(build(phenomenon.params, phenomenon.point(point)))
            assert isinstance(place, float), (sought.name, point, place)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_ends_of_the_declared_ranges(name):
    phenomenon = load(name)
    said = []
    for statics in groups(name):
        plain = statics == SMALL.get(name, {})
        first, *others = moving(name)
        usual = recorded.points(phenomenon) if plain else []
        tried = [{**point, **statics} for point in (first, *usual, *others)]
        points = allowed(phenomenon, tried)
        found = judge(phenomenon, points) if points else {}
        said.append(found)
        if points and plain:
            assert len(points) > len(moving(name)) / 3  # most of what is declared is allowed
            assert not found or any(p.estimate.valid[0] for p in found.values())  # the defaults
            recorded.hold(name, "predicted", told(phenomenon, points, found))
    assert not alike(said)


def told(phenomenon, points, found):
    """Return all that is said of the defaults and of the usual points, by name."""
    first = slice(1 + recorded.POINTS)
    made = {}
    for label, predicted in found.items():
        for part, values in predicted.estimate._asdict().items():
            made[f"{label}: {part}"] = np.asarray(values, float)[first]
        made |= {f"{label}, {decoy}": v[first] for decoy, v in predicted.decoys.items()}
    for sought in phenomenon.breaks:
        if sought.closed_form:
            full = [build(phenomenon.params, phenomenon.point(point)) for point in points[first]]
            made[f"{sought.name}: closed form"] = [sought.closed_form(params) for params in full]
    return made


def alike(said):
    """Return the decoys of a prediction that say the same wherever both speak: one is a copy."""
    same: dict[tuple[str, str, str], bool] = {}
    for label, predicted in (item for found in said for item in found.items()):
        for one, other in itertools.combinations(predicted.decoys, 2):
            values = predicted.decoys[one], predicted.decoys[other]
            equal = bool(np.all(np.isclose(*values, rtol=1e-6, atol=0, equal_nan=True)))
            same[label, one, other] = same.get((label, one, other), True) and equal
    return [key for key, always in same.items() if always]


@pytest.mark.parametrize(
    ("name", "point", "low", "high"),
    [
        ("metric_mirage", {"leak": 0.5}, np.nan, np.nan),  # right from the first draw on
        ("metric_mirage", {"leak": 0.1}, 1, 7),  # 0.9^7 < 1/2
        ("metric_mirage", {"leak": 1.0, "contamination": 0.3}, np.nan, np.nan),
        ("metric_mirage", {"contamination": 1.0}, np.nan, np.nan),
        ("metric_mirage", {"exponent": 1 + 1e-9}, np.inf, np.inf),  # 10^(10^9) draws
        ("metric_mirage", {"leak": 5e-324, "noise": 0.9}, np.nan, np.nan),
        ("double_double_descent", {"signal": 1e300, "up.n": 10**6}, 0.9e300, 1.1e300),
    ],
)
def test_closed_forms_where_they_once_broke(name, point, low, high):
    phenomenon = load(name)
    kinds = {"metric_mirage": 0, "double_double_descent": -1}
    place = phenomenon.breaks[kinds[name]].closed_form(
        build(phenomenon.params, phenomenon.point(point))
    )
    assert low <= place <= high or (np.isnan(place) and np.isnan(low))


def test_a_large_sphere_has_a_spectrum():
    """The modes of a level exceed the largest float there."""
    world = load("random_feature_peak").prepared(load("random_feature_peak").point({"d": 10**7}))
    assert np.sum(world.linear.power) + world.linear.tail_power == pytest.approx(1, rel=1e-12)
    assert np.isfinite(world.linear.multiplicity).all()
