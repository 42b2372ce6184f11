"""Isotropic closed forms: simulation of the exact ones, the rest against the general solver."""

import jax
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.ridge import isotropic as iso
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra.spectrum import isotropic


@pytest.mark.parametrize(("n", "p"), [(30, 20), (60, 12), (20, 34), (12, 60)])
def test_exact_forms_against_simulation(n, p):
    """Exact at finite size: no slack, 5 standard errors; the proportional limit is off by more."""
    rng = np.random.default_rng(5)
    noise, trials = 0.4, 6000
    x = rng.normal(size=(trials, n, p))
    gram = x @ x.swapaxes(1, 2) if p > n else x.swapaxes(1, 2) @ x
    spread = noise * np.trace(np.linalg.inv(gram), axis1=1, axis2=2)
    missed = np.zeros(trials)
    if p > n:  # the part of a unit target outside the row space
        first = x[:, :, 0]
        missed = 1 - np.sum(first * np.linalg.solve(gram, first[:, :, None])[:, :, 0], axis=1)
    risks = noise + spread + missed
    mean, error = risks.mean(), risks.std() / np.sqrt(trials)
    exact = iso.exact_ridgeless(n, p, noise)
    assert abs(mean - float(exact.test_error)) < 5 * error
    limit = float(iso.ridgeless(n, p, noise).test_error)
    if abs(n - p) < 20:
        assert abs(mean - limit) > 5 * error


def test_the_limit_form_is_the_general_solver():
    for n, p in [(50.0, 20.0), (50.0, 49.0), (50.0, 51.0), (50.0, 300.0)]:
        general = ridge_risk(isotropic(p, signal=1.7), n, 0.0, 0.3)
        closed = iso.ridgeless(n, p, 0.3, 1.7)
        assert float(closed.test_error) == pytest.approx(float(general.test_error), rel=1e-13)
        assert closed.status == Status.OK


def test_at_the_threshold():
    assert iso.ridgeless(50, 50, 0.3).status == Status.NOT_FINITE
    assert (iso.ridgeless(50, 50, 0.0).test_error, iso.ridgeless(50, 50, 0.0).status) == (0.0, 0)
    for p in (49, 50, 51):
        found = iso.exact_ridgeless(50, p, 0.3)
        assert found.status == Status.OUT_OF_SCOPE
        assert np.isnan(float(found.test_error))


def test_the_exact_form_tends_to_the_limit_as_one_over_n():
    gaps = []
    for scale in (10, 100, 1000):
        exact, limit = (f(2 * scale, 3 * scale, 0.3) for f in (iso.exact_ridgeless, iso.ridgeless))
        gaps.append(float(exact.test_error - limit.test_error))
    np.testing.assert_allclose(np.array(gaps[1:]) / gaps[:-1], 0.1, rtol=0.1)


@pytest.mark.parametrize("ridge", [1e-12, 1e-6, 1e-2, 10.0])
def test_the_height_of_the_peak(ridge):
    general = ridge_risk(isotropic(100, signal=1.7), 100.0, ridge, 0.3)
    height = iso.peak_height(100, ridge, 0.3, 1.7)
    assert float(height) == pytest.approx(float(general.test_error), rel=1e-13)
    leading = iso.peak_height_small_ridge(100, ridge, 0.3, 1.7)
    assert abs(float(leading / height) - 1) < 3 * (ridge / 100) ** 0.5


def test_no_noise_no_peak():
    heights = [float(iso.peak_height(100, r, 0.0)) for r in (1e-2, 1e-6, 1e-10)]
    np.testing.assert_allclose(np.array(heights[1:]) / heights[:-1], 0.01, rtol=0.01)
    assert float(iso.peak_height(100, 0.0, 0.0)) == 0.0


@jax.jit
def excess(ratio, noise, signal):
    return iso.ridgeless(1e6, ratio * 1e6, noise, signal).test_error - noise


slope = jax.jit(jax.grad(excess))
bend = jax.jit(jax.grad(jax.grad(excess)))


def test_the_local_minimum_is_one():
    for noise, signal in [(0.25, 1.0), (0.1, 3.0), (0.9, 1.0)]:
        best = iso.local_minimum(noise, signal)
        at = float(excess(best.ratio, noise, signal))
        assert at == pytest.approx(float(best.excess_risk), rel=1e-12)
        assert float(slope(best.ratio, noise, signal)) == pytest.approx(0, abs=1e-12)
        assert float(bend(best.ratio, noise, signal)) > 0
        everywhere = excess(np.geomspace(1.001, 1e4, 3000), noise, signal)
        assert np.min(everywhere) >= at - 1e-12
        assert at < signal
    quiet = iso.local_minimum(0.0, 3.0)  # at the threshold, where nothing is missed
    assert (float(quiet.ratio), float(quiet.excess_risk), quiet.status) == (1, 0, Status.OK)
    none = iso.local_minimum(1.0, 1.0)
    assert none.status == Status.NO_BREAK
    assert np.isnan(float(none.ratio))


P, NOISE, SIGNAL = 100.0, 0.5, 2.0


def error(ridge, n):
    return ridge_risk(isotropic(P, signal=SIGNAL), n, ridge, NOISE).test_error


error_grid = jax.jit(jax.vmap(error))
error_slope = jax.jit(jax.grad(error))
error_bend = jax.jit(jax.grad(jax.grad(error)))


@pytest.mark.parametrize("n", [20.0, 100.0, 300.0])
def test_the_optimal_ridge_is_one(n):
    best = float(iso.optimal_ridge(P, NOISE, SIGNAL))
    assert abs(float(error_slope(best, n))) < 1e-14
    assert float(error_bend(best, n)) > 0
    around = best * np.geomspace(0.01, 100, 21)
    found = error_grid(around, np.full(21, n))
    assert np.all(found >= found[10])
    assert around[10] == pytest.approx(best)


def test_the_optimal_ridge_removes_the_peak():
    best = float(iso.optimal_ridge(P, NOISE, SIGNAL))
    curve = error_grid(np.full(60, best), np.linspace(10, 400, 60))
    assert np.all(np.diff(curve) < 0)


def test_wishart_moment_of_the_exact_form():
    """E tr (Z'Z)^-1 = p/(n - p - 1), from the chi-squared law of a Schur complement."""
    n, p = 17, 9
    shape = mp.mpf(n - p + 1) / 2
    density = lambda t: t ** (shape - 2) * mp.exp(-t / 2) / (2**shape * mp.gamma(shape))  # noqa: E731
    want = p * mp.quad(density, [0, 1, 10, 100, mp.inf])
    assert float(iso.exact_ridgeless(n, p, 1.0).test_error) - 1 == pytest.approx(
        float(want), rel=1e-12
    )
