"""A transition foretold from below: exact curves, where there is none, how often it is held."""

import numpy as np
import pytest
import scipy.stats

from ci_theory import Status
from ci_theory.locate import Onset

X = np.geomspace(0.1, 2.0, 12)
ONSET = Onset(level=1.0, low=0.01, high=0.4)


def bent(x, place):
    """A curve whose logarithm is a parabola of it: log x = log place + h/2 + h^2/50."""
    grid = np.linspace(-12, 2, 4001)
    return np.exp(np.interp(np.log(x / place), grid / 2 + grid**2 / 50, grid))


def test_a_power_and_a_parabola_are_read_off_exactly():
    for y in ((X / 1.3) ** 2, (X / 1.3) ** 1.4):
        found = ONSET.locate(X, y)
        assert (found.status, found.height, found.replicates) == (Status.OK, 1.0, 0)
        assert found.low == found.value == found.high
        np.testing.assert_allclose(found.value, 1.3, rtol=1e-9)
    np.testing.assert_allclose(ONSET.locate(X, bent(X, 1.3)).value, 1.3, rtol=1e-4)


def test_what_is_beyond_the_window_does_not_matter():
    y = (X / 1.3) ** 2
    rounded = np.where(y < 0.4, y, 0.4 + 0.1 * np.tanh(y))
    rounded = np.where(y > 0.01, rounded, -7.0)
    assert ONSET.locate(X, rounded).value == ONSET.locate(X, y).value


@pytest.mark.parametrize(("dx", "level"), [(1000.0, 1.0), (1.0, 3.0)])
def test_units_and_order_are_irrelevant(dx, level):
    rng = np.random.default_rng(1)
    y = (X / 1.3) ** 2 * (1 + 0.1 * rng.standard_normal((12, len(X))))
    here = ONSET.locate(X, y)
    scaled = Onset(level=level, low=0.01 * level, high=0.4 * level)
    there = scaled.locate(dx * X[::-1], level * y[:, ::-1])
    names = ("value", "low", "high")
    expected = [dx * getattr(here, name) for name in names]
    np.testing.assert_allclose([getattr(there, name) for name in names], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("y", "status"),
    [
        ((1.3 / X) ** 2, Status.NO_BREAK),
        (np.full_like(X, 0.2), Status.NO_BREAK),
        ((X / 40) ** 2, Status.NO_BREAK),
        (np.where(X < 1.5, 0.02 + 0.001 * X, 5.0), Status.NO_BREAK),
        (np.where(X > 0.12, np.nan, 1.0), Status.NOT_FINITE),
    ],
    ids=["falling", "flat", "far below", "will not be reached", "too few places"],
)
def test_where_there_is_none(y, status):
    found = ONSET.locate(X, y)
    assert found.status == status
    assert np.isnan(found.value)


def test_it_may_lie_beyond_the_axis_but_not_far():
    seen = X < 0.9
    near = ONSET.locate(X[seen], (X[seen] / 1.3) ** 2)
    assert near.value == pytest.approx(1.3)
    short = (X < 0.9) & (X > 0.5)
    assert ONSET.locate(X[short], (X[short] / 2.5) ** 2).status == Status.NO_BREAK


def test_the_interval_holds_the_place_nineteen_times_in_twenty():
    rng, mean = np.random.default_rng(3), (X / 1.3) ** 2
    held = []
    for _ in range(300):
        shared = 0.2 * rng.standard_normal((12, 1))
        y = mean * np.exp(shared + 0.1 * rng.standard_normal((12, len(X))) - 0.025)
        found = ONSET.locate(X, y)
        held.append(found.low <= 1.3 <= found.high)
    assert 0.91 <= np.mean(held) <= 0.985
    wide = Onset(level=1.0, low=0.01, high=0.4, confidence=0.999).locate(X, y)
    assert wide.high - wide.low > found.high - found.low


def test_the_interval_is_student_s_of_places_without_one_run_each():
    rng = np.random.default_rng(4)
    y = (X / 1.3) ** 2 * np.exp(0.1 * rng.standard_normal((5, len(X))))
    found = ONSET.locate(X, y)
    mean = y.mean(axis=0)
    seen = (mean > 0.01) & (mean < 0.4)
    places = [
        np.log(ONSET.locate(X[seen], np.delete(y, k, axis=0).mean(axis=0)[seen]).value)
        for k in range(5)
    ]
    error = np.sqrt(4 / 5 * np.sum((places - np.mean(places)) ** 2))
    half = scipy.stats.t.ppf(0.975, 4) * error
    ends = np.log([found.low, found.high]) - np.log(found.value)
    np.testing.assert_allclose(ends, [-half, half], rtol=1e-8)


def test_too_few_runs_give_nothing():
    y = np.tile((X / 1.3) ** 2, (2, 1))
    assert ONSET.locate(X, y).status == Status.NOT_FINITE
    lost = np.tile((X / 1.3) ** 2, (5, 1))
    lost[1, 3] = np.nan
    found = ONSET.locate(X, lost)
    assert (found.replicates, found.excluded) == (4, 1)


def test_the_window_ends_by_itself_at_four_tenths_of_the_level():
    """What falls to half of the level only has not begun to fall."""
    assert Onset().locate(X, np.maximum(0.02 / X, 0.5)).status == Status.NO_BREAK
    found, said = (law.locate(X, bent(X, 1.3)) for law in (Onset(), ONSET))
    assert (found.value, found.status) == (said.value, said.status)


def test_a_fit_that_turns_back_before_the_last_place_foretells_nothing():
    """Of a curve that shoots up at the end a parabola turns: it is at the level before the end."""
    heights = np.linspace(np.log(0.011), np.log(0.39), 12)
    x = np.exp(1 - np.exp(-2 * (heights - heights[0])))
    turned = np.polyval(np.polyfit(heights, np.log(x), 2), 0.0)
    assert np.log(x[0]) < turned < np.log(x[-1])
    assert ONSET.locate(x, np.exp(heights)).status == Status.NO_BREAK


def test_a_mean_that_hangs_on_one_run_foretells_nothing():
    """Without that run it is not above zero somewhere, and has no logarithm."""
    y = np.tile((X / 1.3) ** 2, (4, 1))
    assert ONSET.locate(X, y).status == Status.OK
    first = np.flatnonzero((y[0] > 0.01) & (y[0] < 0.4))[0]
    y[:, first] += y[0, first] * np.array([6.0, -2.0, -2.0, -2.0])  # the mean stays
    assert ONSET.locate(X, y).status == Status.NO_BREAK


@pytest.mark.parametrize(
    ("heights", "seen"),
    [
        ((0.015, 0.1, 0.2, 0.3), (0.015, 0.1, 0.2, 0.4)),
        ((0.005, 0.02, 0.1, 0.35), (0.01, 0.02, 0.1, 0.35)),
    ],
)
def test_places_at_an_end_of_the_window_are_outside_it(heights, seen):
    x = 1.3 * np.sqrt(heights)
    np.testing.assert_allclose(ONSET.locate(x, np.array(seen)).value, 1.3, rtol=1e-9)
