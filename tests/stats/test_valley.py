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


def epochs(u, shift=0.0, depth=1.0):
    """Falls, rises, falls again and rises: valleys near -1.9 and 1.6, a peak near -0.3."""
    v = u - shift
    rise = np.exp(-((v + 0.3) ** 2) / 0.5) + 0.6 / (1 + np.exp(-4 * (v - 2.2)))
    return 1 + rise + depth * 0.3 / (1 + np.exp(3 * (v + 2.4)))


AXIS = np.linspace(-4, 3, 29)


@pytest.mark.parametrize("depth", [0.3, 1.0, 8.0])
def test_the_valleys_before_and_after_the_peak_are_told_apart(depth):
    """Whichever is deeper; without a side the deeper one wins."""
    first, second = (Valley(side=s).locate(AXIS, epochs(AXIS, depth=depth)) for s in SIDES)
    peak = Peak().locate(AXIS, epochs(AXIS, depth=depth))
    assert first.value == pytest.approx(-1.8, abs=0.4)
    assert second.value == pytest.approx(1.4, abs=0.3)
    assert first.value < peak.value < second.value
    either = Valley().locate(AXIS, epochs(AXIS, depth=depth)).value
    assert either == (first if depth == 8.0 else second).value


SIDES = ("before", "after")


def test_a_curve_with_one_valley_has_it_before_and_none_after():
    curve = bowl(U, 0.2)
    assert Valley(side="before").locate(U, curve).value == Valley().locate(U, curve).value
    assert Valley(side="after").locate(U, curve).status == Status.NO_BREAK
    falling = np.exp(-U)
    for side in SIDES:
        assert Valley(side=side).locate(U, falling).status == Status.NO_BREAK


def test_a_plateau_that_only_rounding_moves_has_no_break():
    """A formula that has converged: wiggles of 1e-13 are neither peak nor valley."""
    plateau = 3 - np.exp(-3 * (U + 1)) + 1e-13 * np.random.default_rng(1).standard_normal(17)
    for locator in (Peak(), Valley(), Valley(side="before"), Valley(side="after")):
        assert locator.locate(U, plateau).status == Status.NO_BREAK


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("replicates", [12, 40])
def test_intervals_on_a_side_cover_19_times_in_20(side, replicates):
    """Rows scatter as a whole and point by point, as runs of one training do."""
    rng = np.random.default_rng([4, replicates])
    valley, tries, found, hits = Valley(side=side, log_axis=False), 300, 0, 0
    for _ in range(tries):
        mean = epochs(AXIS, rng.uniform(-0.3, 0.3))
        whole = 0.1 * rng.standard_normal((replicates, 1))
        y = mean * (1 + whole + 0.04 * rng.standard_normal((replicates, len(AXIS))))
        at = valley.locate(AXIS, y)
        if at.status in (Status.OK, Status.AT_EDGE):
            truth = valley.matching(at).locate(AXIS, mean)
            found += 1
            hits += at.low <= truth.value <= at.high
    assert found > 0.9 * tries
    assert 0.92 <= hits / found <= 0.99


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


@pytest.mark.parametrize("side", ["before", "after"])
def test_of_two_runs_no_side_is_looked_at(side):
    found = Valley(side=side).locate(U, np.stack([bowl(U, 0.1), bowl(U, 0.2)]))
    assert found.status == Status.NOT_FINITE
