"""The best ridge: against a search over the risk itself, closed forms, and its own law."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from ci_theory import Status
from ci_theory.theory.ridge.best_ridge import best_ridge, tuned_law
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra import power_law
from ci_theory.theory.spectra.spectrum import isotropic, two_block

LAW = power_law.endless(1.5, 0.4)
risk = jax.jit(lambda s, n, ridge, noise: ridge_risk(s, n, ridge, noise).excess_risk)


@pytest.mark.parametrize("n", [60.0, 3000.0])
def test_no_ridge_has_a_lower_risk(n):
    found = best_ridge(LAW, n, 0.2)
    assert int(found.status) == Status.OK
    np.testing.assert_allclose(risk(LAW, n, found.ridge, 0.2), found.excess_risk, rtol=1e-10)
    theirs = minimize_scalar(
        lambda u: float(risk(LAW, n, np.exp(u), 0.2)), bounds=(-6, 8), method="bounded"
    )
    assert float(found.excess_risk) <= theirs.fun * (1 + 1e-9)
    np.testing.assert_allclose(np.log(float(found.ridge)), theirs.x, atol=2e-3)


def test_isotropic_and_blocks():
    np.testing.assert_allclose(best_ridge(isotropic(80.0), 50, 0.7).ridge, 56.0, rtol=1e-6)
    blocks = two_block(50.0, 50.0, 1.0, 0.1, 1.0, 1.0)
    found = best_ridge(blocks, 70, 0.3)
    for factor in (0.9, 1.1):
        assert risk(blocks, 70, factor * found.ridge, 0.3) > found.excess_risk


def test_of_two_minima_the_lower_is_found():
    """A block of strong inputs and one of weak ones, each best with a ridge of its own."""
    blocks = [
        (two_block(202.0, 5.0, 1.0, 0.02, 3e-8, 150.0), 341.0, 2.8),
        (two_block(56.0, 11.0, 1.0, 3e-5, 9e-4, 3600.0), 225.0, 3e-3),
        (two_block(20.0, 299.0, 1.0, 2.8e-6, 0.01, 1.4e5), 95.0, 0.49),
        (two_block(151.0, 72.0, 1.0, 1.2e-4, 6e-3, 2.2e4), 318.0, 5.3),
    ]
    ridges = np.geomspace(1e-7, 1e6, 400)
    for spectrum, n, noise in blocks:
        looked = np.asarray(jax.vmap(risk, (None, None, 0, None))(spectrum, n, ridges, noise))
        inner = looked[1:-1]
        assert np.sum((inner < looked[:-2]) & (inner < looked[2:])) == 2
        found = best_ridge(spectrum, n, noise)
        assert int(found.status) == Status.OK
        assert float(found.excess_risk) <= looked.min()
        assert float(found.excess_risk) == pytest.approx(looked.min(), rel=1e-3)


def test_what_no_input_explains_is_as_noise():
    """noise p/|w|^2 with the power of what is never learned in the noise, few rows or many."""
    hidden = dataclasses.replace(isotropic(20.0, signal=2.0), tail_power=np.array(0.5))
    for n in (15.0, 90.0, 1e5):
        found = best_ridge(hidden, n, 0.2)
        assert float(found.ridge) == pytest.approx(0.7 * 20 / 2, rel=1e-5)
        assert float(found.excess_risk) == pytest.approx(
            float(best_ridge(isotropic(20.0, signal=2.0), n, 0.7).excess_risk) + 0.5, rel=1e-9
        )


def test_units_drop_out_and_endless_rows_have_a_limit():
    blocks = two_block(50.0, 50.0, 1.0, 0.1, 1.0, 1.0)
    large = two_block(50.0, 50.0, 1e9, 1e8, 1e-9, 1e-9)  # the same labels
    one, other = best_ridge(blocks, 70, 0.3), best_ridge(large, 70, 0.3)
    np.testing.assert_allclose(other.ridge, 1e9 * one.ridge, rtol=1e-6)
    np.testing.assert_allclose(other.kappa, 1e9 * one.kappa, rtol=1e-6)
    np.testing.assert_allclose(other.excess_risk, one.excess_risk, rtol=1e-10)
    used = 50 / (1 + one.kappa) + 50 * 0.1 / (0.1 + one.kappa)
    np.testing.assert_allclose(one.ridge, one.kappa * (70 - used), rtol=1e-10)
    many, endless = (best_ridge(blocks, n, 0.3) for n in (1e9, np.inf))
    np.testing.assert_allclose(endless.ridge, many.ridge, rtol=1e-5)
    assert int(endless.status) == int(many.status) == Status.OK
    idle = best_ridge(isotropic(80.0, signal=0.0), 50, 0.3)  # nothing to learn: fit nothing
    assert int(idle.status) == Status.OUT_OF_SCOPE
    assert float(idle.ridge) > 1e5


def test_without_noise_a_smooth_target_wants_no_ridge():
    found = best_ridge(isotropic(80.0), 50, 0.0)
    assert int(found.status) == Status.OUT_OF_SCOPE
    assert float(found.ridge) < 1e-9


@pytest.mark.parametrize("source", [0.25, 0.4, 1.4])
def test_the_law_is_the_limit(source):
    """The relative distance falls with n, as fast as the risk does or faster."""
    alpha, noise, gaps = 1.5, 0.3, []
    law = power_law.endless(alpha, source)
    for n in (1e4, 1e6, 1e8):
        found, limit = best_ridge(law, n, noise), tuned_law(n, alpha, source, noise)
        gaps.append(abs(float(limit.excess_risk / found.excess_risk) - 1))
        assert abs(float(limit.level * n / found.ridge) - 1) < 40 * gaps[-1] + 0.02
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.02
    slope = np.log(
        float(tuned_law(1e6, alpha, source, noise).excess_risk)
        / float(tuned_law(1e4, alpha, source, noise).excess_risk)
    ) / np.log(100)
    np.testing.assert_allclose(slope, power_law.tuned(alpha, source).slope, rtol=1e-10)
