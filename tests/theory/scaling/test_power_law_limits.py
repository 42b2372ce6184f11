"""Power laws in width and in time: against exact sums and the fixed point; slopes by derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gamma as gamma_function
from scipy.special import gammaincc

from ci_theory.theory.features.random_features import random_feature_risk
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.scaling.power_law_limits import (
    bottleneck,
    local_slope,
    time_limited,
    width_limited,
)
from ci_theory.theory.spectra import power_law

risk = jax.jit(lambda s, n, p, ridge: random_feature_risk(s, n, p, ridge, 0.0).excess_risk)


@pytest.mark.parametrize(
    ("alpha", "source"),
    [
        (1.5, 0.2),
        (2.0, 0.25),
        (2.0, 0.5),
        (2.0, 0.7),
        (3.0, 0.4),
        (1.5, 0.9),
        (1.5, 0.98),
        (2.0, 1.0),
        (1.5, 1.3),
    ],
)
def test_width_limited_is_the_fixed_point_with_endless_rows(alpha, source):
    law = power_law.endless(alpha, source)
    for p in (100.0, 1000.0):
        exact = float(risk(law, 1e13, p, 0.0))
        kappa = float(power_law.ridgeless_kappa(p, alpha))
        found = float(width_limited(p, alpha, source))
        # the next terms: kappa^2, and near r = 1 also kappa^2r with a near pole
        assert abs(found - exact) < 8 * kappa**2 + 1e-5 * exact * (source == 0.5) + 1e-9 * exact
    exact = np.log(risk(law, 1e13, 1010.0, 0.0) / risk(law, 1e13, 990.0, 0.0)) / np.log(1010 / 990)
    near, far = local_slope(lambda p: width_limited(p, alpha, source), np.array([1e3, 1e5]))
    np.testing.assert_allclose(near, exact, atol=2e-3)
    if source != 0.5:  # there the two poles leave a logarithm, which bends every slope
        np.testing.assert_allclose(far, -alpha * min(2 * source, 1.0), atol=0.06)


@pytest.mark.parametrize(("alpha", "source"), [(1.5, 0.3), (2.0, 0.25), (2.0, 1.2)])
def test_time_limited_is_the_sum_over_modes(alpha, source):
    """300 000 modes by hand, beyond them the integral (an incomplete gamma function)."""
    k, time = np.arange(1, 300_001.0), 600.0
    direct = np.sum(k ** (-1 - 2 * alpha * source) * np.exp(-2 * time * k**-alpha))
    end = 2 * time * 300_000.5**-alpha
    whole = gamma_function(2 * source) * (2 * time) ** (-2 * source) / alpha
    beyond = whole * (1 - gammaincc(2 * source, end))
    np.testing.assert_allclose(direct + beyond, time_limited(time, alpha, source), rtol=1e-9)


def test_the_bottleneck_is_where_two_limits_cross():
    alpha, source, p = 1.8, 0.3, 1e6
    n = float(bottleneck(p, alpha, source))
    rows = power_law.ridgeless(n, alpha, source, 0.0).test_error
    np.testing.assert_allclose(rows, width_limited(p, alpha, source), rtol=2e-2)
    assert np.isnan(bottleneck(p, alpha, 0.6))
    assert np.isnan(bottleneck(p, alpha, 0.5))


def test_slopes_by_derivative_are_slopes_by_difference():
    law = power_law.endless(2.0, 0.25)

    def curve(n):
        return ridge_risk(law, n, 1e-3 * n, 0.02).excess_risk

    at = np.geomspace(10, 1e5, 5)
    found = jax.jit(lambda x: local_slope(curve, x))(at)
    step = 1e-4
    high, low = (jnp.log(jax.vmap(curve)(at * np.exp(s))) for s in (step, -step))
    np.testing.assert_allclose(found, (high - low) / (2 * step), atol=1e-6)
    table = local_slope(lambda x: 2 * x**3 / (1 + x), np.array([[1.0, 3.0], [9.0, 0.0 + 1e-9]]))
    np.testing.assert_allclose(table, [[2.5, 2.25], [2.1, 3.0]], rtol=1e-8)
    assert float(local_slope(lambda x: x**-0.5, 7.0)) == pytest.approx(-0.5)


@pytest.mark.parametrize("modes", [10**6, 10**8])
def test_a_hundred_million_modes_are_a_few_hundred_nodes(modes):
    """Against the endless law less the modes beyond, at a kappa where they are felt."""
    alpha, source = 1.3, 0.3
    law, endless = power_law.endless(alpha, source, modes=modes), power_law.endless(alpha, source)
    assert len(law.eigenvalues) < 1000
    np.testing.assert_allclose(np.sum(law.multiplicity), modes, rtol=1e-12)
    kappa = modes**-alpha * 3

    def df1(spectrum):
        learned = spectrum.eigenvalues / (spectrum.eigenvalues + kappa)
        return float(np.sum(spectrum.multiplicity * learned) + spectrum.tail_trace / kappa)

    # the integral of 1/(1 + kappa k^alpha) beyond the end, in v = k^(1 - alpha)
    top = (modes + 0.5) ** (1 - alpha)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    v = top * (1 + nodes) / 2
    k = v ** (1 / (1 - alpha))
    beyond = np.sum(weights * top / 2 * k**alpha / (alpha - 1) / (1 + kappa * k**alpha))
    np.testing.assert_allclose(df1(law) + beyond, df1(endless), rtol=1e-8)
