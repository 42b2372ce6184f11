"""Valley: exact on parabolas, and its interval covers the minimum of synthetic curves."""

import numpy as np
import pytest

from ci_theory import Status
from ci_theory.locate import Peak, Valley

U = np.linspace(-1.0, 1.0, 17)


def bowl(x, low):
    return 0.5 + 0.8 * (x - low) ** 2


def trade_off(x, low):
    """Two terms, one falling and one rising: what a best ridge or a best noise level looks like."""
    s = np.exp(x - low)
    return 0.1 + s + 1 / s


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_a_parabola_is_located_exactly_on_an_uneven_grid(reach):
    x = np.sort(np.random.default_rng(3).uniform(0, 10, 15))
    found = Valley(log_axis=False, reach=reach).locate(x, 2 * (x - 4.3) ** 2 - 7)
    assert found.status == Status.OK
    assert found.value == pytest.approx(4.3, rel=1e-12)
    assert found.low == found.high == found.value
    assert found.height == pytest.approx(-7, rel=1e-12)
    assert found.height_low == found.height_high == found.height


@pytest.mark.parametrize("curve", [U, -U, np.ones(17), -(U**2), np.exp(-U)])
def test_no_break_without_an_interior_minimum(curve):
    found = Valley().locate(U, curve)
    assert found.status == Status.NO_BREAK
    assert np.isnan(found.value)


def test_after_a_peak_it_is_the_second_descent():
    """Falling, a peak at 0, falling again and rising at the end: the deepest fall and rise win."""
    curve = 1 / (np.abs(U) + 0.3) - U + 2 * np.exp(-20 * (1 - U))
    assert Peak().locate(U, curve).value == pytest.approx(0.0, abs=0.1)
    assert Valley().locate(U, curve).value == pytest.approx(0.85, abs=0.1)


@pytest.mark.parametrize("shape", [bowl, trade_off])
def test_intervals_cover_place_and_depth_19_times_in_20(shape):
    rng = np.random.default_rng(0)
    u = np.linspace(-1, 1, 13)
    tries, hits, deep = 300, 0, 0
    for _ in range(tries):
        mean = shape(u, rng.uniform(-0.3, 0.3))
        y = mean * (1 + 0.1 * rng.standard_normal((20, len(u))))
        found = Valley(log_axis=False).locate(u, y)
        assert found.status in (Status.OK, Status.AT_EDGE)
        truth = Valley(log_axis=False).matching(found).locate(u, mean)
        hits += found.low <= truth.value <= found.high
        deep += found.height_low <= truth.height <= found.height_high
    assert 0.92 <= hits / tries <= 0.99
    assert 0.92 <= deep / tries <= 0.99


def test_noise_is_not_taken_for_a_valley():
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(200):
        y = (1 - 0.5 * U) * np.exp(0.5 * rng.standard_normal((12, 17)) - 0.125)
        alarms += Valley().locate(U, y).status != Status.NO_BREAK
    assert alarms <= 10  # 5 %; 2 % were measured for peaks


def test_lost_replicates_are_counted():
    y = bowl(U, 0.1) + 0.05 * np.random.default_rng(6).standard_normal((30, 17))
    y[:3, 5] = [np.nan, np.inf, -np.inf]
    found = Valley().locate(U, y)
    assert (found.replicates, found.excluded) == (27, 3)
