"""Where a power law meets its floor: against the formula, and how often the interval holds it."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from ci_theory import Status
from ci_theory.locate import Floor

X = np.geomspace(10, 1000, 9)


def law(x, b, c, d):
    return b * (x**-c + d**-c)


def test_a_law_with_a_floor_is_found_exactly():
    found = Floor().locate(X, law(X, 3.0, 0.7, 120.0))
    assert found.status == Status.OK
    assert found.low == found.value == found.high
    np.testing.assert_allclose(found.value, 120.0, rtol=1e-7)
    np.testing.assert_allclose(found.height, 2 * 3.0 * 120.0**-0.7, rtol=1e-7)


def test_the_fit_is_least_squares_in_logarithms():
    y = law(X, 3.0, 0.7, 120.0) * np.exp(0.1 * np.random.default_rng(0).standard_normal(9))
    theirs, _ = curve_fit(lambda x, *p: np.log(law(x, *np.exp(p))), X, np.log(y), np.zeros(3) + 1)
    np.testing.assert_allclose(Floor().locate(X, y).value, np.exp(theirs[2]), rtol=1e-4)


@pytest.mark.parametrize(("dx", "dy"), [(1000.0, 1e-6), (1e-3, 50.0)])
def test_units_and_order_are_irrelevant(dx, dy):
    rng = np.random.default_rng(1)
    y = law(X, 3.0, 0.7, 120.0) * (1 + 0.05 * rng.standard_normal((12, 9)))
    here, there = Floor().locate(X, y), Floor().locate(dx * X[::-1], dy * y[:, ::-1])
    np.testing.assert_allclose(there.value, dx * here.value, rtol=1e-6)
    np.testing.assert_allclose([there.low, there.high], [dx * here.low, dx * here.high], rtol=1e-5)
    np.testing.assert_allclose(there.height, dy * here.height, rtol=1e-6)


@pytest.mark.parametrize(
    ("y", "status"),
    [
        (5 / X, Status.NO_BREAK),
        (X**0.5, Status.NO_BREAK),
        (law(X, 1.0, 1.0, 1e5), Status.NO_BREAK),
        (np.where(X < 200, np.nan, 1.0), Status.NOT_FINITE),
        (1 - X / 500, Status.NOT_FINITE),
        (np.where(X < 900, law(X, 3.0, 0.7, 120.0), 0.0), Status.NOT_FINITE),
    ],
    ids=["power law", "rising", "beyond the axis", "too few places", "negative", "zero"],
)
def test_where_there_is_none(y, status):
    found = Floor().locate(X, y)
    assert found.status == status
    assert np.isnan(found.value)


@pytest.mark.parametrize("noise", ["independent", "shared", "skewed"])
def test_the_interval_holds_the_place_nineteen_times_in_twenty(noise):
    rng, mean = np.random.default_rng(2), law(X, 5.0, 0.8, 120.0)
    truth, held, curves = 120.0, 0, 250
    for _ in range(curves):
        z = rng.standard_normal((20, 9))
        y = {
            "independent": mean * (1 + 0.1 * z),
            "shared": mean * np.exp(0.2 * z[:, :1] + 0.05 * z[:, ::-1] - 0.02125),
            "skewed": mean * np.exp(0.2 * z - 0.02),
        }[noise]
        found = Floor().locate(X, y)
        held += found.status in (Status.OK, Status.AT_EDGE) and found.low <= truth <= found.high
    assert 0.91 <= held / curves <= 0.985


def test_a_wide_interval_is_open():
    y = law(X, 5.0, 0.8, 900.0) * (1 + 0.3 * np.random.default_rng(3).standard_normal((5, 9)))
    found = Floor().locate(X, y)
    assert found.status == Status.AT_EDGE
    assert found.high == np.inf


def test_of_a_place_beyond_the_axis_all_that_is_told_is_the_side():
    noise = 1e-4 * np.random.default_rng(4).standard_normal((8, 9))
    late, early = (Floor().locate(X, law(X, 5.0, 0.8, d) * (1 + noise)) for d in (1500.0, 7.0))
    assert (late.status, late.high) == (Status.AT_EDGE, np.inf)
    assert (early.status, early.low) == (Status.AT_EDGE, -np.inf)
    np.testing.assert_allclose([late.value, late.low], [1500.0, 1000.0], rtol=0.01)
    np.testing.assert_allclose([early.value, early.high], [7.0, 10.0], rtol=0.01)
