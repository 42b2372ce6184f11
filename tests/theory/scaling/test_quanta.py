"""The quantisation model: against Hurwitz's zeta function, counting, and a sharp threshold."""

import jax
import numpy as np
import pytest
from scipy.special import gamma, zeta

from ci_theory.theory.discrete.zipf import frequencies
from ci_theory.theory.scaling.quanta import (
    capacity_limited,
    data_limited,
    data_limited_law,
    threshold_law,
)


@pytest.mark.parametrize(("known", "exponent"), [(30, 1.4), (1000, 1.4), (200, 2.0)])
def test_capacity_is_the_tail_of_the_zeta_function(known, exponent):
    exact = zeta(exponent, known + 1) / zeta(exponent)
    found = float(capacity_limited(float(known), exponent))
    assert abs(found / exact - 1) < exponent * (exponent - 1) / (20 * known**2)


def test_data_limited_is_counting():
    p, draws, tau = np.asarray(frequencies(300, 1.5)), 400, 3
    rng = np.random.default_rng(0)
    counts = rng.multinomial(draws, p, size=4000)
    lacked = ((counts < tau) * p).sum(axis=1)
    error = lacked.std() / len(lacked) ** 0.5
    assert abs(lacked.mean() - float(data_limited(p, float(draws), tau))) < 4 * error
    assert abs(lacked.mean() - float(data_limited(p, float(draws), tau + 1))) > 20 * error


@pytest.mark.parametrize("tau", [1, 4])
def test_laws_in_the_number_of_examples(tau):
    """400 000 skills and the rest in the integral: those beyond are never needed often."""
    count, exponent, draws = 400_000, 2.0, 3000.0
    whole = zeta(exponent)
    p = np.arange(1.0, count + 1) ** -exponent / whole
    exact = float(jax.jit(lambda p: data_limited(p, draws, tau))(p))
    exact += zeta(exponent, count + 1) / whole
    law = float(data_limited_law(draws, tau, exponent))
    assert abs(law / exact - 1) < 2 * tau**2 / draws
    b = 1 - 1 / exponent
    ratio = float(threshold_law(draws, tau, exponent)) / law
    np.testing.assert_allclose(ratio, tau**b * gamma(tau) / gamma(tau + b), rtol=1e-12)
    assert ratio > 1


def test_the_power_of_the_data():
    ratio = data_limited_law(1e6, 2, 1.4) / data_limited_law(1e4, 2, 1.4)
    np.testing.assert_allclose(ratio, 100 ** -(0.4 / 1.4), rtol=1e-12)
