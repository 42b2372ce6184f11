"""Mei and Montanari's asymptotics from their own fixed point, and as an eigenframework."""

import itertools

import jax
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.features.mei_montanari import (
    Moments,
    gaussian_moments,
    limit_spectrum,
    mei_montanari_risk,
)
from ci_theory.theory.features.random_features import random_feature_risk

TANH = gaussian_moments(np.tanh)
POINTS = list(
    itertools.product(
        [(2.0, 3.0), (3.0, 2.0), (1.5, 1.5), (0.4, 5.0), (8.0, 0.7)],
        [1e-12, 1e-8, 1e-3, 0.3, 10.0],
        [0.2, 4.0],
    )
)


def published(psi1, psi2, level, zeta2, linear, nonlinear, noise):
    """Solve their two coupled equations at 50 digits on the imaginary axis, nu_j = i y_j.

    nu_j = psi_j / (-xi - nu_k - zeta^2 nu_k / (1 - zeta^2 nu_1 nu_2)), xi = i sqrt(psi_1 psi_2
    lambda)/mu_star; the iteration runs from a distant xi, where it contracts, down to the wanted
    one, with Newton steps.
    """
    psi1, psi2, level, zeta2 = (mp.mpf(float(v)) for v in (psi1, psi2, level, zeta2))

    def equations(y1, y2, x):
        common = 1 + zeta2 * y1 * y2
        return (
            y1 * (x + y2 + zeta2 * y2 / common) - psi1,
            y2 * (x + y1 + zeta2 * y1 / common) - psi2,
        )

    target = mp.sqrt(psi1 * psi2 * level)
    x = max(mp.mpf(100), target)
    y = [psi1 / x, psi2 / x]
    while True:
        at_x = lambda a, b, x=x: equations(a, b, x)  # noqa: E731
        y = list(mp.findroot(at_x, y, tol=mp.mpf(10) ** -80, maxsteps=60))
        assert min(y) > 0
        if x == target:
            break
        x = max(target, x / 2)
    chi = -y[0] * y[1]
    z = mp.sqrt(zeta2)
    s1, s2 = psi1, psi2
    e0 = (-(chi**5) * z**6 + 3 * chi**4 * z**4 + (s1 * s2 - s2 - s1 + 1) * chi**3 * z**6) + (
        -2 * chi**3 * z**4 - 3 * chi**3 * z**2 + (s1 + s2 - 3 * s1 * s2 + 1) * chi**2 * z**4
    )
    e0 += 2 * chi**2 * z**2 + chi**2 + 3 * s1 * s2 * chi * z**2 - s1 * s2
    e1 = s2 * chi**3 * z**4 - s2 * chi**2 * z**2 + s1 * s2 * chi * z**2 - s1 * s2
    e2 = chi**5 * z**6 - 3 * chi**4 * z**4 + (s1 - 1) * chi**3 * z**6 + 2 * chi**3 * z**4
    e2 += 3 * chi**3 * z**2 - (s1 + 1) * chi**2 * z**4 - 2 * chi**2 * z**2 - chi**2
    bias, variance = e1 / e0, e2 / e0
    return chi, linear * bias + (noise + nonlinear) * variance + nonlinear


def test_matches_their_fixed_point_at_50_digits():
    linear, nonlinear, noise, d = 1.3, 0.4, 0.25, 100.0
    worst_printed = worst_framework = 0.0
    with mp.workdps(50):
        for (psi1, psi2), level, zeta2 in POINTS:
            moments = Moments(0.0, np.sqrt(zeta2), 1.0)
            chi, wanted = published(psi1, psi2, level, zeta2, linear, nonlinear, noise)
            sizes = (psi2 * d, psi1 * d, d, psi2 * level, noise)
            printed = mei_montanari_risk(moments, *sizes, linear=linear, nonlinear=nonlinear)
            assert int(printed.status) == Status.OK
            assert float(printed.product) == pytest.approx(float(chi), rel=1e-13)
            spectrum = limit_spectrum(moments, d, linear=linear, quadratic=nonlinear)
            ours = random_feature_risk(spectrum, psi2 * d, psi1 * d, psi2 * level, noise)
            off = [abs(mp.mpf(float(r.excess_risk)) / wanted - 1) for r in (printed, ours)]
            worst_printed = max(worst_printed, float(off[0]))
            worst_framework = max(worst_framework, float(off[1]))
    assert worst_framework < 1e-12
    assert worst_printed < 1e-9  # the printed polynomials cancel at the peak


def test_moments_of_named_activations():
    assert TANH.slope == pytest.approx(0.605706, abs=5e-7)  # as in the paper's examples
    assert np.sqrt(TANH.rest) == pytest.approx(0.165576, abs=5e-7)
    relu = gaussian_moments(lambda t: np.maximum(t, 0.0))
    closed = (1 / np.sqrt(2 * np.pi), 0.5, 0.25 - 1 / (2 * np.pi))
    assert np.allclose(relu, closed, rtol=1e-14)
    assert gaussian_moments(lambda t: 2 * t).rest == 0.0
    assert gaussian_moments(lambda t: 1e9 * (2 * t + 1)).rest == 0.0
    assert TANH.mean == pytest.approx(0, abs=1e-16)
    spectrum = limit_spectrum(Moments(0.3, 0.5, 0.1), 10, linear=2.0, quadratic=0.7)
    assert float(spectrum.eigenvalues[0]) == 0.025
    assert (float(spectrum.power[0]), float(spectrum.tail_trace)) == (2.0, 0.1)
    assert float(spectrum.tail_power) == 0.7


def test_only_ratios_matter_and_it_differentiates():
    small = mei_montanari_risk(TANH, 30.0, 20.0, 10.0, 0.1, 0.5).excess_risk
    large = mei_montanari_risk(TANH, 3000.0, 2000.0, 1000.0, 0.1, 0.5).excess_risk
    assert float(small) == pytest.approx(float(large), rel=1e-13)

    def risk(n):
        return mei_montanari_risk(TANH, n, 200.0, 100.0, 0.1, 0.5).excess_risk

    step = 1e-3
    difference = (risk(200 + step) - risk(200 - step)) / (2 * step)
    assert float(jax.grad(risk)(200.0)) == pytest.approx(float(difference), rel=1e-6)


@pytest.mark.parametrize(
    ("moments", "ridge"),
    [(TANH, 0.0), (TANH, -1.0), (Moments(0.0, 1.0, 0.0), 0.1), (Moments(0.0, 0.0, 1.0), 0.1)],
)
def test_outside_its_scope(moments, ridge):
    risk = mei_montanari_risk(moments, 30.0, 20.0, 10.0, ridge, 0.5)
    assert int(risk.status) == Status.OUT_OF_SCOPE
    assert np.isnan([float(risk.excess_risk), float(risk.test_error)]).all()
    for n, p, d in ((0.0, 20.0, 10.0), (30.0, 0.0, 10.0), (30.0, 20.0, -1.0)):
        bad = mei_montanari_risk(TANH, n, p, d, 0.1, 0.5)
        assert int(bad.status) == Status.OUT_OF_SCOPE
