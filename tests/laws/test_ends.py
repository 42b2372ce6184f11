"""Closed forms at ends of ranges where they once broke; all other ends: ``testing``, "ranges"."""

import numpy as np
import pytest

from ci_theory._record import build
from ci_theory.phenomena import load


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
