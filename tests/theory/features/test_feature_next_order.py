"""The next order with random features: its generating function, its derivatives, exact means."""

import mpmath as mp
import numpy as np
import pytest
from feature_oracle import padded

from ci_theory.theory.features.feature_next_order import feature_next_order
from ci_theory.theory.ridge.ridge_next_order import next_order
from ci_theory.theory.spectra.spectrum import explicit, isotropic, power_law

VARIANCES = [1.0, 0.6, 0.25, 0.1, 0.03]
TARGET = [0.8, 0.3, 0.4, 0.05, 0.1]  # w^2
COUNT = 8  # modes of each
SPECTRUM = explicit(np.repeat(VARIANCES, COUNT), np.repeat(np.array(TARGET) / COUNT, COUNT))


def evaluate(spectrum, *numbers):
    """Padded, and floats: one compilation for the file."""
    made = feature_next_order(padded(spectrum), *map(float, numbers))
    return made._replace(**{k: float(v) for k, v in made._asdict().items()})


def mixed(f, step):
    """Second mixed derivative at (0, 0)."""
    corners = [(i, j, i * j) for i in (-1, 1) for j in (-1, 1)]
    return sum(sign * f(i * step, j * step) for i, j, sign in corners) / (4 * step**2)


def test_derivatives_of_a_log_determinant_are_the_errors_of_a_given_design():
    """Before any average: log det [1 + (F'F/ridge + u w w')((1 + c) X'X + t S)]."""
    rng = np.random.default_rng(1)
    n, p, m, ridge = 4, 3, 5, 0.3
    variances, w = np.array([1.0, 0.7, 0.4, 0.2, 0.1]), rng.normal(size=(m, 1))
    x = rng.normal(size=(n, m)) * np.sqrt(variances)
    features = rng.normal(size=(p, m)) / np.sqrt(p)
    phi = x @ features.T
    fitted = features.T @ np.linalg.solve(phi.T @ phi + ridge * np.eye(p), phi.T)
    bias = variances @ ((fitted @ x @ w - w) ** 2)[:, 0]
    with mp.workdps(50):
        gram, kernel, target = (mp.matrix(a.tolist()) for a in (x.T @ x, features, w))
        given = kernel.T * kernel / mp.mpf(ridge)
        covariance = mp.diag([mp.mpf(v) for v in variances.tolist()])

        def energy(t, u, c):
            kept = given + u * target * target.T
            return mp.log(mp.det(mp.eye(m) + kept * ((1 + c) * gram + t * covariance)))

        step = mp.mpf("1e-12")
        signal = mixed(lambda t, u: energy(t, u, 0), step)
        noise = -mixed(lambda t, c: energy(t, 0, c), step)
    np.testing.assert_allclose(float(signal), bias, rtol=1e-10)
    np.testing.assert_allclose(float(noise), np.sum(variances @ fitted**2), rtol=1e-10)


def saddle(n, p, ridge, t, u, c, nodes):
    """Return (F_0, F_1) at the saddle point of the overlaps, from their definition, by mpmath.

    F_0 = sum log(1 + r k s) + u w^2 r s/(1 + r k s) + n log(1 + c tau) + p log(1 + q/(p ridge))
    - rho tau - k q with r = rho + t; F_1 = 1/2 log det(1 - F'' G''), G the part of rows and
    features; nodes hold (count, s, w^2).
    """
    low, high = mp.mpf("1e-30"), mp.mpf("1e10")  # of gamma = 1/(rho k), without sources
    for _ in range(200):
        gamma = mp.sqrt(low * high)
        rows, features = (v - sum(m * s / (s + gamma) for m, s, _ in nodes) for v in (n, p))
        enough = min(rows, features) > 0 and gamma * rows * features > p * ridge
        low, high = (low, gamma) if enough else (gamma, high)
    rho = p * ridge / (gamma * features)
    k = 1 / (gamma * rho)
    for _ in range(30):  # Newton's steps in the logarithms, with the sources
        r = rho + t
        every = [(m, s, w2, 1 + r * k * s) for m, s, w2 in nodes]
        tau = sum(m * k * s / f + u * w2 * s / f**2 for m, s, w2, f in every)
        q = sum(m * r * s / f - u * w2 * (r * s / f) ** 2 for m, s, w2, f in every)
        rr = sum(-m * (k * s / f) ** 2 - 2 * u * w2 * k * s * s / f**3 for m, s, w2, f in every)
        kk = sum(-m * (r * s / f) ** 2 + 2 * u * w2 * (r * s / f) ** 3 for m, s, w2, f in every)
        rk = sum(m * s / f**2 - 2 * u * w2 * r * s * s / f**3 for m, s, w2, f in every)
        gaps = mp.matrix([rho * (tau + 1 / c) - n, k * (q + p * ridge) - p])
        slope = mp.matrix([[rr * rho**2 + n, rk * rho * k], [rk * rho * k, kk * k**2 + p]])
        step = mp.lu_solve(slope, gaps)
        if mp.norm(step) < mp.mpf(10) ** (8 - mp.mp.dps):
            break
        rho, k = rho * (1 - step[0]), k * (1 - step[1])
    else:
        raise AssertionError("no saddle point")
    value = sum(m * mp.log(f) + u * w2 * r * s / f for m, s, w2, f in every)
    value += n * mp.log(1 + c * tau) + p * mp.log(1 + q / (p * ridge)) - rho * tau - k * q
    rows, features = -n * (c / (1 + c * tau)) ** 2, -p / (p * ridge + q) ** 2
    determinant = (1 - rr * rows) * (1 - kk * features) - rk**2 * rows * features
    return value, mp.log(determinant) / 2


@pytest.mark.parametrize(
    ("n", "p", "ridge"), [(60, 50, 3.0), (60, 30, 0.01), (25, 33, 1e-4), (30, 200, 0.05)]
)
def test_limit_and_shift_are_derivatives_of_value_and_next_term(n, p, ridge):
    found = evaluate(SPECTRUM, n, p, ridge, 0.7)
    with mp.workdps(50):
        delta, zero, one = mp.mpf(str(ridge)), mp.mpf(0), mp.mpf(1)
        nodes = [(COUNT, mp.mpf(s), mp.mpf(w)) for s, w in zip(VARIANCES, TARGET, strict=True)]
        step = mp.mpf("1e-11")
        for order, parts in enumerate(
            [(found.signal, found.noise), (found.signal_shift, found.noise_shift)]
        ):
            signal = mixed(lambda t, u, i=order: saddle(n, p, delta, t, u, one, nodes)[i], step)
            noise = -mixed(
                lambda t, c, i=order: saddle(n, p, delta, t, zero, 1 + c, nodes)[i], step
            )
            np.testing.assert_allclose(float(parts[0]), float(signal), rtol=1e-9)
            np.testing.assert_allclose(float(parts[1]), 0.7 * float(noise), rtol=1e-9)


def test_the_next_term_is_that_of_a_product_of_two_wishart_matrices():
    """As the ridge vanishes; E log det X F'F X' is a sum of digammas, known exactly."""
    n, p, m, ridge = 40, 60, 100, mp.mpf("1e-20")
    with mp.workdps(50):
        value, following = saddle(n, p, ridge, 0, 0, mp.mpf(1), [(m, mp.mpf(1), mp.mpf(0))])
        exact = -n * mp.log(p * ridge / 4)
        exact += sum(mp.digamma(mp.mpf(k - i) / 2) for k in (m, p) for i in range(n))
    assert abs(float(value - exact)) > 0.75
    assert abs(float(value + following - exact)) < 0.005


@pytest.mark.parametrize("ridge", [0.0, 0.02])
def test_many_features_are_none(ridge):
    law = power_law(60, 1.4, 0.4, tail=True)
    found = evaluate(law, 50, 1e10, ridge, 0.3)
    inputs = next_order(padded(law), *map(float, (50, ridge, 0.3)))
    for field in ("signal", "noise", "signal_shift", "noise_shift"):
        np.testing.assert_allclose(getattr(found, field), getattr(inputs, field), rtol=1e-6)
    np.testing.assert_allclose(found.rows_left, inputs.left, rtol=1e-6)


def test_rows_and_features_change_places_on_isotropic_inputs():
    """Then the target's part is symmetric, at any size, if ridge p is the same."""
    one, other = (evaluate(isotropic(70), *v, 0.0) for v in ((50, 40, 5), (40, 50, 4)))
    np.testing.assert_allclose(one.signal_shift, other.signal_shift, rtol=1e-12)
    np.testing.assert_allclose(one.rows_left, other.features_left, rtol=1e-12)


@pytest.mark.parametrize(("n", "p", "m"), [(120, 60, 150), (60, 120, 150), (120, 150, 60)])
def test_ridgeless_isotropic_features_are_exact_to_the_next_order(n, p, m):
    """Inverse Wishart means; what no feature shows is label noise, what no row shows stays."""
    found = evaluate(isotropic(m), n, p, 0.0, 1.0)

    def exact(less):  # 1 for the mean, 0 for its limit
        if p == min(n, p, m):
            noise = p / (n - p - less)
            return (1 - p / m) * (1 + noise), noise
        if n == min(n, p, m):
            wide = (m - n) / (p - n - less)
            return (1 - n / m) + wide * n / m, n / (m - n - less) * (1 + wide)
        return 0.0, m / (n - m - less)

    limit, mean = np.array(exact(0)), np.array(exact(1))
    parts = np.array([found.signal, found.noise])
    shifts = np.array([found.signal_shift, found.noise_shift])
    np.testing.assert_allclose(parts, limit, rtol=1e-12, atol=1e-12)
    room = 1 / found.rows_left + 1 / found.features_left
    assert np.all(np.abs(mean - limit - shifts) <= limit * room**2 + 1e-12)


def test_the_ridgeless_peak_and_bad_sizes_are_told():
    peak = evaluate(isotropic(90), 50, 50, 0.0, 1.0)
    assert np.isinf([peak.signal, peak.noise, peak.signal_shift, peak.noise_shift]).all()
    bad = evaluate(isotropic(90), 50, -1, 0.0, 1.0)
    assert np.isnan([bad.signal, bad.noise, bad.signal_shift, bad.noise_shift]).all()
    assert int(peak.status) != 0 != int(bad.status)


def test_a_simulation_agrees_with_the_shift_and_not_without():
    n, p = 22, 28
    rng, draws, ridge, modes = np.random.default_rng(3), 12_000, 0.1, np.arange(1, 25)
    variances, w = modes**-1.2, modes**-0.7
    x = rng.normal(size=(draws, n, 24)) * np.sqrt(variances)
    features = rng.normal(size=(draws, p, 24)) / np.sqrt(p)
    phi = x @ features.transpose(0, 2, 1)
    kernel = phi.transpose(0, 2, 1) @ phi + ridge * np.eye(p)
    fitted = features.transpose(0, 2, 1) @ np.linalg.solve(kernel, phi.transpose(0, 2, 1))
    left = (fitted @ (x @ w)[:, :, None])[:, :, 0] - w
    values = np.stack([left**2 @ variances, (fitted**2).sum(axis=2) @ variances])
    mean, error = values.mean(axis=1), values.std(axis=1) / draws**0.5
    found = evaluate(explicit(variances, w**2), n, p, ridge, 1.0)
    limit = np.array([found.signal, found.noise])
    shift = np.array([found.signal_shift, found.noise_shift])
    assert np.all(mean - limit > 10 * error)
    assert np.all(np.abs(mean - limit - shift) < 3 * error)
