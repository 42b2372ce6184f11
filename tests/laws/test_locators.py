"""Laws that every locator obeys, found by listing the public locators."""

import dataclasses

import numpy as np
import pytest

import ci_theory.locate
from ci_theory import BadInput, Status
from ci_theory.locate import BreakPoint, point

EVERY = sorted(
    name for name in ci_theory.locate.__all__ if hasattr(getattr(ci_theory.locate, name), "locate")
)
SINGLY = ["Survival"]  # looks at single runs, not at their mean: tests/stats/test_survival.py
LAWS = ["Floor", "Onset"]  # on logarithmic axes: tests/stats/test_floor.py, test_onset.py
LOCATORS = [name for name in EVERY if name not in SINGLY + LAWS]
FOUND = (Status.OK, Status.AT_EDGE)


def test_what_was_collected():
    assert EVERY == ["Crossing", "Floor", "Onset", "Peak", "Survival", "Valley"]


@pytest.fixture(params=LOCATORS)
def locator(request):
    return getattr(ci_theory.locate, request.param)(log_axis=False)


@pytest.fixture
def curve():
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0.5, 8.0, 14))
    mean = 1.5 * np.sin(0.8 * x)  # a peak, a way down, a valley
    return x, mean, mean + 0.2 * rng.standard_normal((25, 14))


def numbers(found: BreakPoint):
    return np.array([found.value, found.low, found.high])


def test_formula_has_no_interval(locator, curve):
    x, mean, _ = curve
    found = locator.locate(x, mean)
    assert found.status == Status.OK
    assert found.low == found.value == found.high
    assert found.replicates == 0


def test_the_interval_holds_the_value(locator, curve):
    x, _, y = curve
    found = locator.locate(x, y)
    assert found.status in FOUND
    assert found.low < found.value < found.high
    assert found.replicates == 25


def test_order_of_the_axis_and_of_the_replicates_is_irrelevant(locator, curve):
    x, _, y = curve
    rng = np.random.default_rng(1)
    places, rows = rng.permutation(14), rng.permutation(25)
    shuffled = locator.locate(x[places], y[rows][:, places])
    np.testing.assert_allclose(numbers(shuffled), numbers(locator.locate(x, y)), rtol=1e-9)


def test_units_of_the_axis_are_irrelevant(locator, curve):
    x, _, y = curve
    scaled = locator.locate(1000 * x + 7, y)
    np.testing.assert_allclose(numbers(scaled), 1000 * numbers(locator.locate(x, y)) + 7, rtol=1e-7)


def test_units_of_the_curve_are_irrelevant(locator, curve):
    x, _, y = curve
    scaled = locator.locate(x, 1e-6 * y)
    np.testing.assert_allclose(numbers(scaled), numbers(locator.locate(x, y)), rtol=1e-7)


def test_identical_replicates_give_the_formula(locator, curve):
    x, mean, _ = curve
    same = locator.locate(x, np.tile(mean, (5, 1)))
    np.testing.assert_allclose(numbers(same), locator.locate(x, mean).value, rtol=1e-7)


def test_a_flat_curve_has_no_break(locator, curve):
    x, _, _ = curve
    flat = 1 + 0.01 * np.random.default_rng(2).standard_normal((25, 14))
    assert locator.locate(x, flat).status == Status.NO_BREAK
    assert locator.locate(x, np.ones(14)).status == Status.NO_BREAK


def test_lost_runs_are_counted(locator, curve):
    x, _, y = curve
    y = y.copy()
    y[4, 2] = np.nan
    found = locator.locate(x, y)
    assert (found.replicates, found.excluded) == (24, 1)
    gone = locator.locate(x, np.full_like(y, np.nan))
    assert gone.status == Status.NOT_FINITE


@pytest.mark.parametrize("name", EVERY)
def test_every_locator_has_what_the_checks_ask_of_one(name):
    """Nobody asks what class a locator is."""
    made = getattr(ci_theory.locate, name)(
        **({"level": 0.5} if name in ("Crossing", "Survival") else {})
    )
    assert made.singly == (name in SINGLY)
    x = np.arange(1.0, 7.0)
    y = np.array([3.0, 1.0, 2.0, 5.0, 2.0, 1.0])
    assert made.undivided(x, y) is False
    found = made.locate(x, y)
    assert isinstance(made.matching(found), type(made))


@pytest.mark.parametrize("name", [name for name in EVERY if name not in SINGLY])
def test_what_is_no_curve_is_refused(name):
    level = {"level": 0.5} if name == "Crossing" else {}
    made = getattr(ci_theory.locate, name)(**level, log_axis=True)
    x, y = np.array([1.0, 2.0, 4.0, 8.0]), np.array([1.0, 3.0, 2.0, 0.5])
    for places, values, says in (
        (x * [0, 1, 1, 1], y, "needs places > 0, found 0"),
        (x * [-1, 1, 1, 1], y, "needs places > 0, found -1"),
        (x[:2], y[:2], "at least 3 distinct finite points"),
        (x[[0, 1, 2, 2]], y, "at least 3 distinct finite points"),
        (x * [1, 1, 1, np.inf], y, "at least 3 distinct finite points"),
        (x, y[:3], "x has shape"),
        (x[None], y, "x has shape"),
    ):
        for several in (values, np.stack([values] * 3)):
            with pytest.raises(BadInput, match=says):
                made.locate(places, several)


def test_an_axis_is_logarithmic_where_it_is_more_even_so():
    line, factors = np.arange(1.0, 9.0), np.geomspace(1, 100, 8)
    for x, log in ((line, False), (factors, True), (factors - 1, False), (line[::-1], False)):
        assert point.clean(x, np.ones(8), None).log == log
    curve = point.clean(factors[::-1], np.arange(8.0), True)
    np.testing.assert_allclose([curve.place(u) for u in curve.u], factors)
    assert curve.y.tolist() == [[7, 6, 5, 4, 3, 2, 1, 0]]


def test_places_where_most_runs_are_lost_and_then_runs_are_left_out():
    y = np.ones((5, 4))
    y[:3, 1] = np.nan  # most of them
    y[4, 2] = np.inf
    curve = point.clean(np.arange(1.0, 5.0), y, False)
    assert curve.u.tolist() == [1, 3, 4]
    assert (curve.y.shape, curve.excluded) == ((4, 3), 1)
    y[2, 1] = 1.0  # two of five
    curve = point.clean(np.arange(1.0, 5.0), y, False)
    assert (curve.y.shape, curve.excluded) == ((2, 4), 3)


@pytest.mark.parametrize("name", EVERY)
def test_the_fields_of_a_locator_are_named_and_stay_as_they_are(name):
    kind = getattr(ci_theory.locate, name)
    with pytest.raises(TypeError, match="positional"):
        kind(0.5)
    made = kind(**({"level": 0.5} if name in ("Crossing", "Survival") else {}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.confidence = 0.5
