"""Phases of a network with wrong answers among its training answers."""

import numpy as np
import pytest

from ci_theory.measure.phases import MEANING, Phase, phase, phases


@pytest.mark.parametrize(
    ("train", "test", "inverted", "wanted"),
    [
        (1.0, 0.2, 0.0, Phase.MEMORISATION),
        (1.0, 0.99, 0.0, Phase.COEXISTENCE),
        (0.95, 1.0, 0.5, Phase.PARTIAL_INVERSION),
        (0.9, 1.0, 1.0, Phase.FULL_INVERSION),
        (0.04, 0.04, 0.04, Phase.COLLAPSE),
        (0.6, 0.3, 0.2, Phase.COLLAPSE),
        # the limits: known from 0.9, none overruled below 0.1, all above 0.9
        (0.9, 0.89, 0.0, Phase.MEMORISATION),
        (0.89, 0.89, 0.0, Phase.COLLAPSE),
        (0.0, 0.9, 0.09, Phase.COEXISTENCE),
        (0.0, 0.9, 0.1, Phase.PARTIAL_INVERSION),
        (0.0, 0.9, 0.9, Phase.PARTIAL_INVERSION),
        (0.0, 0.9, 0.91, Phase.FULL_INVERSION),
    ],
)
def test_each_phase_has_its_place(train, test, inverted, wanted):
    assert phase(train, test, inverted) == wanted


def test_every_triple_has_one_phase_and_all_occur():
    grid = np.linspace(0, 1, 21)
    found = phases(grid[:, None, None], grid[None, :, None], grid[None, None, :])
    assert found.shape == (21, 21, 21)
    assert set(found.ravel()) == {int(p) for p in Phase}
    # a better test accuracy never loses the rule, more overruled answers never less inversion
    rule = found >= Phase.COEXISTENCE
    assert np.all(rule[:, 1:] >= rule[:, :-1])
    assert np.all(np.diff(found[:, -1, :], axis=-1) >= 0)
    assert set(MEANING) == set(Phase)


def test_a_diverged_network_has_none():
    np.testing.assert_array_equal(phases([1.0, np.nan], [np.inf, 1.0], 0.0), [-1, -1])
    np.testing.assert_array_equal(phases(1.0, [1.0, 0.2], np.nan), [-1, -1])
