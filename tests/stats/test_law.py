"""Fitted power laws: the slope with an interval that covers, and the bend that says it is none."""

import numpy as np
import pytest
from scipy import stats

from ci_theory import BadInput
from ci_theory.locate.law import fitted, slope_through

X = np.geomspace(0.1, 6.4, 7)


def scattered(rng, slope, bend=0.0, size=0.2, r=12):
    u = np.log(X)
    line = 4.0 + slope * u + 0.5 * bend * (u - u.mean()) ** 2
    return np.exp(line + size * rng.standard_normal((r, len(X))))


def test_a_law_without_scatter_is_found():
    law = fitted(X, np.tile(5 * X**-0.8, (4, 1)))
    assert law.slope.value == pytest.approx(-0.8, abs=1e-12)
    assert law.bend.value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(law(X), 5 * X**-0.8)


def test_intervals_cover_slope_and_bend():
    rng = np.random.default_rng(2)
    held = np.zeros(2)
    for _ in range(600):
        law = fitted(X, scattered(rng, -0.8, 0.1))
        # the line's slope of a parabola about the middle is the slope there
        held += [law.slope.low <= -0.8 <= law.slope.high, law.bend.low <= 0.1 <= law.bend.high]
    assert np.all((held / 600 > 0.92) & (held / 600 < 0.98))


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_the_interval_is_students_of_the_replicates_slopes(confidence):
    """Replicates that are power laws, each with a slope of its own: nothing is left to the fit."""
    slopes = np.array([-0.9, -0.6, -0.85, -0.7])
    law = fitted(X, 2 * X ** slopes[:, None], confidence)
    wanted = stats.t.interval(confidence, 3, slopes.mean(), stats.sem(slopes))
    assert (law.slope.low, law.slope.high) == pytest.approx(wanted, rel=1e-9)
    assert law.slope.value == pytest.approx(slopes.mean())
    assert (law.bend.low, law.bend.high) == pytest.approx((0, 0), abs=1e-9)


def test_the_bend_tells_a_curve_from_a_law():
    rng = np.random.default_rng(3)
    assert fitted(X, scattered(rng, -0.8, 0.4)).bend.low > 0
    straight = fitted(X, scattered(rng, -0.8)).bend
    assert straight.low < 0 < straight.high


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X, np.ones((2, 7)), "at least 3"),
        (np.repeat([1.0, 2.0], [3, 4]), np.ones((3, 7)), "at least 3"),  # two distinct places
        (X, np.ones((3, 6)), "shape"),
        (X, np.full((3, 7), np.inf), "positive finite"),
        (X - 0.1, np.ones((3, 7)), "positive finite"),
    ],
)
def test_bad_curves_are_told(x, y, words):
    with pytest.raises(BadInput, match=words):
        fitted(x, y)


def test_a_slope_through_intervals_covers_and_is_as_narrow_as_it_may_be():
    """Values of unlike scatter: 95 % intervals of the values make one of the slope."""
    rng = np.random.default_rng(4)
    half = np.array([0.02, 0.3, 0.1, 0.05, 0.2, 0.08, 0.15])
    errors = rng.normal(size=(2000, len(X))) * half / stats.norm.ppf(0.975)
    found = [slope_through(X, y, y * np.exp(-half), y * np.exp(half)) for y in np.exp(errors) * X]
    held = np.mean([one.low <= 1 <= one.high for one in found])
    assert 0.935 < held < 0.965
    # the covariance of generalised least squares
    design = np.stack([np.ones(len(X)), np.log(X)], axis=1)
    least = np.linalg.inv(design.T @ (design / half[:, None] ** 2))[1, 1] ** 0.5
    assert found[0].high - found[0].value == pytest.approx(least, rel=1e-9)
    wanted = np.polynomial.polynomial.polyfit(np.log(X), np.log(X) + errors[0], 1, w=1 / half)
    assert found[0].value == pytest.approx(wanted[1], rel=1e-9)


@pytest.mark.parametrize(
    ("x", "low", "high"),
    [
        ([1.0, 1.0], [0.5, 0.5], [2.0, 2.0]),
        ([1.0, 2.0], [0.5, -np.inf], [2.0, 2.0]),
        ([1.0, 2.0], [0.5, 0.5], [2.0, np.inf]),
        ([1.0, 2.0], [0.5, 2.0], [2.0, 2.0]),
        ([0.0, 2.0], [0.5, 0.5], [2.0, 2.0]),
    ],
)
def test_places_without_a_width_have_no_slope(x, low, high):
    with pytest.raises(BadInput, match="law: "):
        slope_through(*map(np.array, (x, [1.0, 1.0], low, high)))


def test_where_in_its_interval_a_value_lies_does_not_matter_to_the_slope():
    """A located break is seldom in the middle: the width alone is its error."""
    y, half = X**0.7 * 3, np.array([0.02, 0.3, 0.1, 0.05, 0.2, 0.08, 0.15])
    share = np.array([0.1, 0.9, 0.3, 0.5, 0.8, 0.2, 0.6])
    middle = slope_through(X, y, y * np.exp(-half), y * np.exp(half))
    aside = slope_through(X, y, y * np.exp(-2 * share * half), y * np.exp(2 * (1 - share) * half))
    assert aside == pytest.approx(middle, rel=1e-9)
