"""The spherical spectrum against high-precision integrals, closed kernels and sampling."""

import functools
import math

import mpmath as mp
import numpy as np
import pytest
from scipy.special import erf, eval_gegenbauer

from ci_theory._errors import BadInput
from ci_theory.theory.features.mei_montanari import gaussian_moments
from ci_theory.theory.features.random_features import random_feature_risk
from ci_theory.theory.spectra.spectrum import rank, trace
from ci_theory.theory.spectra.sphere import (
    coefficients,
    cosine_rule,
    gaussian_rule,
    harmonics,
    levels,
    sphere_spectrum,
)


def relu(t):
    return np.maximum(t, 0.0)


@pytest.mark.parametrize("d", [3, 4, 5, 10, 100])
def test_levels_count_polynomials(d):
    """Harmonics of degree l: homogeneous polynomials of degree l less those of degree l - 2."""
    for degree in range(2, 30):
        polynomials = math.comb(d + degree - 1, degree) - math.comb(d + degree - 3, degree - 2)
        assert levels(d, degree) == polynomials


@pytest.mark.parametrize("d", [3, 4, 10, 50])
def test_harmonics_are_gegenbauer_polynomials(d):
    t = np.linspace(-np.sqrt(d), np.sqrt(d), 7)
    q = harmonics(d, 12, t)
    for degree in range(12):
        values = eval_gegenbauer(degree, d / 2 - 1, t / np.sqrt(d))
        wanted = values / eval_gegenbauer(degree, d / 2 - 1, 1.0) * np.sqrt(levels(d, degree))
        assert np.allclose(q[degree], wanted, rtol=1e-11, atol=1e-11 * np.abs(wanted).max())


@functools.cache  # all integrals ask at the same nodes
def density(d, s):
    return (1 - s * s) ** (mp.mpf(d - 3) / 2)


@functools.cache
def zonal(degree, d, s):
    alpha = mp.mpf(d) / 2 - 1
    return mp.gegenbauer(degree, alpha, s) / mp.gegenbauer(degree, alpha, 1)


@pytest.mark.parametrize("d", [4, 11, 60])
@pytest.mark.parametrize(
    ("name", "ours", "precise"),
    [
        ("relu", relu, lambda t: max(t, mp.mpf(0))),
        ("tanh", np.tanh, mp.tanh),
        ("erf", erf, mp.erf),
    ],
)
def test_coefficients_match_high_precision_integrals(d, name, ours, precise):
    xi, rest = coefficients(ours, d)
    value = functools.cache(lambda s: precise(mp.sqrt(d) * s))
    with mp.workdps(30):
        cuts = [mp.mpf(c) / 10 for c in range(-10, 11)]
        whole = mp.quad(lambda s: density(d, s), cuts)

        def average(function):
            return mp.quad(lambda s: function(s) * density(d, s), cuts) / whole

        for degree in (0, 1, 2, 3, 6, 7):
            share = average(lambda s, degree=degree: value(s) * zonal(degree, d, s))
            wanted = share * mp.sqrt(levels(d, degree))
            assert float(xi[degree]) == pytest.approx(float(wanted), rel=1e-12, abs=2e-15)
        power = average(lambda s: value(s) ** 2)
    assert float(xi @ xi) + rest == pytest.approx(float(power), rel=1e-13)


@pytest.mark.parametrize("size", [1e-9, 1e9])
def test_what_is_rounding_goes_with_the_activation(size):
    """A rectifier has no odd degree beyond the first: zeros, whatever its units."""
    xi, rest = coefficients(relu, 20, 12)
    scaled, left = coefficients(lambda t: size * relu(t), 20, 12)
    assert np.all((xi == 0) == (np.arange(12) % 2 * np.arange(12) > 1))
    np.testing.assert_allclose(scaled, size * xi, rtol=1e-12, atol=0)
    assert left == pytest.approx(size**2 * rest, rel=1e-12)
    _, none = coefficients(lambda t: size * (1 + t), 20, 12)
    assert none == 0


@pytest.mark.parametrize("d", [3, 10, 10_000])
def test_the_rule_of_the_cosine_has_its_moments(d):
    """E t^2k = (2k - 1)!! d^k/[d (d + 2) ... (d + 2k - 2)], and half of them on each side."""
    t, weight = cosine_rule(d)
    for k in (0, 1, 3, 6):
        exact = math.prod((2 * i + 1) * d / (d + 2 * i) for i in range(k))
        assert weight @ t ** (2 * k) == pytest.approx(exact, rel=1e-12)
        assert 2 * weight[t > 0] @ t[t > 0] ** (2 * k) == pytest.approx(exact, rel=1e-12)
    assert len(t) == 640
    assert abs(t).max() <= d**0.5


def test_the_rule_of_the_normal_law_has_its_moments():
    t, weight = gaussian_rule()
    for k in (0, 1, 3, 8):
        exact = math.prod(range(1, 2 * k, 2))
        assert weight @ t ** (2 * k) == pytest.approx(exact, rel=1e-12)
    assert weight @ np.abs(t) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-13)


@pytest.mark.parametrize("d", [5, 30])
def test_levels_add_up_to_the_closed_kernel_of_the_rectifier(d):
    """On the sphere the rectifier's kernel is the arc-cosine kernel: it is homogeneous."""
    xi, rest = coefficients(relu, d)
    cosine = np.linspace(-0.6, 0.6, 9)
    dimension = np.array([float(levels(d, degree)) for degree in range(len(xi))])
    zonal = harmonics(d, len(xi), np.sqrt(d) * cosine) / np.sqrt(dimension)[:, None]
    angle = np.arccos(cosine)
    closed = (np.sin(angle) + (np.pi - angle) * cosine) / (2 * np.pi)
    assert np.allclose(xi**2 @ zonal, closed, atol=2e-6 if d == 5 else 1e-13)
    assert float(xi @ xi) + rest == pytest.approx(0.5, rel=1e-14)


@pytest.mark.parametrize("activation", [relu, np.tanh, erf])
@pytest.mark.parametrize("d", [4, 20, 300])
def test_spectrum_keeps_trace_and_power(activation, d):
    spectrum = sphere_spectrum(activation, d, linear=2.0, quadratic=0.7)
    xi, rest = coefficients(activation, d)
    assert float(trace(spectrum)) == pytest.approx(float(xi @ xi) + rest, rel=1e-13)
    assert float(np.sum(spectrum.power) + spectrum.tail_power) == pytest.approx(2.7, rel=1e-15)
    assert len(spectrum.eigenvalues) == 64  # one shape for all d and activations
    if activation is not relu:  # odd: a quadratic target cannot be learned
        assert float(spectrum.tail_power) == 0.7


def test_linear_features_have_rank_d():
    plain = sphere_spectrum(lambda t: t, 17)
    assert float(rank(plain)) == 17
    assert (float(plain.power[1]), float(np.sum(plain.power)), float(plain.tail_power)) == (1, 1, 0)


def test_crowded_levels_may_go_to_the_tail():
    """Where a level is cut into the tail, its eigenvalue is far below any effective ridge."""
    spectrum = sphere_spectrum(relu, 40)
    kept = np.asarray(spectrum.multiplicity) > 0
    assert np.asarray(spectrum.multiplicity)[kept].max() > 1e12
    n = 2000.0
    gamma = float(random_feature_risk(spectrum, n, n, 1e-10, 0.1).gamma)
    xi, _ = coefficients(relu, 40)
    cut = [xi[i] ** 2 / levels(40, i) for i in range(64) if levels(40, i) > 1e18]
    assert max(cut) / gamma < 1e-12


def test_tends_to_the_gaussian_moments():
    moments = gaussian_moments(np.tanh)
    off = []
    for d in (100, 400, 1600):
        xi, rest = coefficients(np.tanh, d, 8)
        off.append(xi[1] ** 2 - moments.slope**2)
        nonlinear = float(np.sum(xi[2:] ** 2)) + rest
        assert nonlinear == pytest.approx(moments.rest, rel=4 / d)
    assert np.allclose(np.array(off[:-1]) / off[1:], 4, rtol=0.02)  # the error is O(1/d)


def test_too_flat_a_sphere_is_refused():
    with pytest.raises(BadInput, match="d = 2"):
        sphere_spectrum(np.tanh, 2)
