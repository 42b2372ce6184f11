"""A response in training time: against the resolvent, both ends, and flows on drawn rows."""

import jax
import numpy as np
import pytest

from ci_theory.theory.editing.flowed_erasure import flowed_response
from ci_theory.theory.spectra.marchenko_pastur import survival

CASES = [(0.5, 0.3), (0.5, 2.5), (3.0, 0.8), (3.0, 1.74), (3.0, 9.0), (40.0, 40.0)]  # gamma, s^2
kept = jax.jit(jax.vmap(flowed_response, (0, None, None, None, None, None)))


@pytest.mark.parametrize(("gamma", "spike"), CASES)
def test_averaged_over_time_it_is_the_ridge_law(gamma, spike):
    """A flow stopped at an exponential time is a ridge z per row: kappa/(kappa + 1 + s^2)."""
    place, weight = np.polynomial.legendre.leggauss(400)
    share, weight = ((1 + place) / 2) ** 8, 4 * weight * ((1 + place) / 2) ** 7
    for z in (0.2, 1.5):
        left = kept(-np.log(share) / z, gamma * 1000, 1000.0, np.sqrt(spike), 0.0, 1.0)
        b = z + gamma - 1
        kappa = (b + np.sqrt(b * b + 4 * z)) / 2
        assert float(weight @ left) == pytest.approx(kappa / (kappa + 1 + spike), rel=1e-6)


@pytest.mark.parametrize(("gamma", "spike"), CASES)
def test_it_starts_at_the_base_and_ends_at_the_interpolator(gamma, spike):
    s = np.sqrt(spike)
    start, end = kept(np.array([0.0, 1e9]), gamma * 100, 100.0, s, 0.7, 0.4)
    kappa = max(gamma - 1, 0.0)
    assert float(start) == pytest.approx(0.4, rel=1e-6)
    assert float(end) == pytest.approx((kappa * 0.4 - 0.7 * s) / (kappa + 1 + spike), rel=1e-6)


def test_without_a_component_every_direction_is_alike():
    left = flowed_response(1.3, 60, 40, 0.0, 1.0, 1.0)
    assert float(left) == pytest.approx(float(survival(1.5, 1.3)), rel=1e-10)


@pytest.mark.parametrize("time", [0.1, 1.0])
def test_flows_on_drawn_rows(time):
    d, n, s, c, base, draws = 120, 60, 2.0, 1.0, 0.5, 300
    rng, found = np.random.default_rng(4), []
    for _ in range(draws):
        x = rng.normal(size=(n, d))
        x[:, 0] += s
        left, values, right = np.linalg.svd(x, full_matrices=False)
        missed = -c - base * x[:, 0]
        step = -np.expm1(-(values**2) * time / n) / values
        found.append(base + (right[:, 0] * step) @ (left.T @ missed))
    error = np.std(found) / draws**0.5
    told = float(flowed_response(time, d, n, s, c, base))
    assert abs(np.mean(found) - told) < 4 * error + 0.02 * abs(told)
    for wrong in (
        flowed_response(2 * time, d, n, s, c, base),
        flowed_response(time, d, n, 0.0, c, base),
        flowed_response(time, d, n, s, 0.0, base),
    ):
        assert abs(np.mean(found) - float(wrong)) > 4 * error + 0.02 * abs(told)
