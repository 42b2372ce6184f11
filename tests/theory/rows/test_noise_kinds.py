"""Noise kinds: matrix references at 50 digits, exact finite sizes, Monte Carlo, gradients."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.rows import corrupted_inputs, corrupted_labels
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups, plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, isotropic, power_law

P = 24
input_noise_risk = jax.jit(corrupted_inputs.input_noise_risk)
label_flip_risk = jax.jit(corrupted_labels.label_flip_risk)
SLOW = np.arange(1.0, P + 1) ** -1.2
WEIGHTS = np.cos(np.arange(P)) / np.sqrt(P)


def _kappa(values, n, ridge):
    """Root of the defining equation by bisection in log kappa (mpmath precision of the caller)."""
    low, high = mpmath.mpf(-140), mpmath.mpf(60)
    for _ in range(240):
        mid = (low + high) / 2
        k = mpmath.e**mid
        above = sum(v / (v + k) for v in values) + ridge / k > n
        low, high = (mid, high) if above else (low, mid)
    return mpmath.e**low


def _input_noise_reference(values, weights, n, ridge, noise, added):
    """Errors from joint Gaussian moments, by matrices: nothing is diagonal by assumption here.

    The mean estimator, its fluctuation and both tests are written with the noisy covariance, its
    regression of y on the noisy input, and the residual variance.
    """
    with mpmath.workdps(60):
        lam = [mpmath.mpf(float(v)) for v in values]
        w = [mpmath.mpf(float(v)) for v in weights]
        eta = [mpmath.mpf(float(v)) for v in added]
        delta = mpmath.mpf(ridge) if ridge else mpmath.mpf(10) ** -45
        noisy = [a + b for a, b in zip(lam, eta, strict=True)]
        cross = [a * b for a, b in zip(lam, w, strict=True)]  # cov(x + xi, y)
        regress = [c / v for c, v in zip(cross, noisy, strict=True)]
        variance_y = sum(a * b * b for a, b in zip(lam, w, strict=True)) + noise
        residual = variance_y - sum(c * r for c, r in zip(cross, regress, strict=True))
        k = _kappa(noisy, n, delta)
        mean = [v / (v + k) * r for v, r in zip(noisy, regress, strict=True)]
        df2 = sum((v / (v + k)) ** 2 for v in noisy)
        own_bias = sum(v * (m - r) ** 2 for v, m, r in zip(noisy, mean, regress, strict=True))
        own = (own_bias + residual) / (1 - df2 / n)
        spread = [v / (v + k) ** 2 * own / n for v in noisy]
        clean = noise + sum(
            a * ((m - b) ** 2 + s) for a, b, m, s in zip(lam, w, mean, spread, strict=True)
        )
        # error on noisy inputs directly, from the law of (x + xi, y)
        second = sum(v * (m * m + s) for v, m, s in zip(noisy, mean, spread, strict=True))
        other = variance_y - 2 * sum(c * m for c, m in zip(cross, mean, strict=True)) + second
        return clean, other


@pytest.mark.parametrize("ridge", [0.0, 1e-12, 1e-6, 0.1, 30.0])
@pytest.mark.parametrize("n", [6, 23, 24, 25, 200])
def test_input_noise_against_high_precision(n, ridge):
    if n == P and ridge == 0:
        pytest.skip("the error is infinite")
    spectrum = explicit(SLOW, WEIGHTS**2)
    for added in (np.zeros(P), np.full(P, 0.3), np.linspace(0, 1, P), np.full(P, 1e-9)):
        risk = input_noise_risk(spectrum, n, ridge, 0.4, added)
        clean, other = _input_noise_reference(SLOW, WEIGHTS, n, ridge, 0.4, added)
        assert int(risk.status) == Status.OK
        assert abs(float(risk.test_error) - clean) <= 1e-12 * clean
        assert abs(float(risk.noisy_test_error) - other) <= 1e-12 * other


def test_no_input_noise_is_ridge():
    spectrum = power_law(50, 1.5, tail=True)
    risk = input_noise_risk(spectrum, 30, 0.1, 0.2, 0.0)
    plain = ridge_risk(spectrum, 30, 0.1, 0.2)
    np.testing.assert_allclose(risk.test_error, plain.test_error, rtol=1e-14)
    np.testing.assert_allclose(risk.train_error, plain.train_error, rtol=1e-14)
    np.testing.assert_allclose(risk.noisy_test_error, plain.test_error, rtol=1e-14)
    assert int(risk.status) == Status.OK  # a tail is in scope while the inputs are clean
    assert int(input_noise_risk(spectrum, 30, 0.1, 0.2, 0.1).status) == (Status.OUT_OF_SCOPE)


def _tailed(modes=None):
    """Few modes and a tail of infinitesimal ones; or ``modes`` equal small ones in its place."""
    at, last, power = np.array([1.0, 0.3]), 0.4 / (modes or 1), 0.25
    return Spectrum(
        eigenvalues=np.append(at, last),
        multiplicity=np.array([3.0, 5.0, modes or 0.0]),
        power=np.array([0.5, 0.2, power if modes else 0.0]),
        tail_trace=np.asarray(0.0 if modes else 0.4),
        tail_power=np.asarray(0.0 if modes else power),
    )


@pytest.mark.parametrize("n", [6.0, 40.0])
def test_a_tail_is_the_limit_of_many_small_modes(n):
    told, long = (label_flip_risk(_tailed(m), n, 0.1, 0.2) for m in (None, 1e9))
    np.testing.assert_allclose(told, long, rtol=1e-6)
    told, long = (input_noise_risk(_tailed(m), n, 0.1, 0.2, 0.0) for m in (None, 1e9))
    for name in ("test_error", "noisy_test_error", "train_error", "bias", "variance"):
        np.testing.assert_allclose(getattr(told, name), getattr(long, name), rtol=1e-6)
    assert float(told.attenuation) == 0.25  # no number of rows reaches the tail


weighted = jax.jit(corrupted_inputs.weighted_input_noise_risk)


@pytest.mark.parametrize("ridge", [0.0, 0.7])
def test_noisy_inputs_of_repeated_rows_have_the_limits_of_both(ridge):
    spectrum, added = explicit(SLOW, WEIGHTS**2), np.linspace(0.1, 0.4, P)
    plain = Groups(counts=np.array([30.0, 0.0]), weights=np.array([1.0, 3.0]), noise=[0.4, 0.4])
    two, one = (
        weighted(spectrum, plain, ridge, added),
        input_noise_risk(spectrum, 30.0, ridge, 0.4, added),
    )
    assert int(two.status) == Status.OK
    for name in ("excess_risk", "bias", "variance"):
        np.testing.assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-11)
    np.testing.assert_allclose(two.noisy_excess_risk, one.noisy_test_error - 0.4, rtol=1e-11)
    law = corrupted_inputs.corrupted_law(spectrum, 0.0, added)
    np.testing.assert_allclose(two.law.noise, law.noise, rtol=1e-14)
    np.testing.assert_allclose(two.groups.noise, 0.4 + law.noise, rtol=1e-14)
    copied = repeated_rows(20.0, 6.0, 9.0, 0.4, False)
    bare, clean = (
        weighted(spectrum, copied, ridge, 0 * added),
        weighted_ridge_risk(spectrum, copied, ridge),
    )
    np.testing.assert_allclose(bare.excess_risk, clean.excess_risk, rtol=1e-11)
    np.testing.assert_allclose(bare.noisy_excess_risk, clean.excess_risk, rtol=1e-11)
    np.testing.assert_allclose(bare.bias, clean.bias, rtol=1e-11)


@pytest.mark.parametrize("shared", [True, False])
def test_copies_have_one_noisy_input_whatever_their_labels(shared):
    """Drawn: eight rows ten times; what an input does not show is in all of its labels."""
    n, few, repeats, noise, added, ridge, runs = 60, 8, 10, 0.3, 0.5, 2.0, 1200
    rng = np.random.default_rng(8)
    x = rng.normal(size=(runs, n, P)) * np.sqrt(SLOW)
    seen = x + np.sqrt(added) * rng.normal(size=x.shape)
    count = np.where(np.arange(n) < few, repeats, 1)
    y = x @ WEIGHTS + np.sqrt(noise / (1 if shared else count)) * rng.normal(size=(runs, n))
    gram = np.einsum("rni,n,rnj->rij", seen, count, seen) + ridge * np.eye(P)
    fit = np.linalg.solve(gram, np.einsum("rni,n,rn->ri", seen, count, y)[..., None])[..., 0]
    clean = (fit - WEIGHTS) ** 2 @ SLOW
    values = np.stack([clean, clean + added * np.sum(fit**2, axis=1)])
    mean, error = values.mean(axis=1), values.std(axis=1) / runs**0.5
    groups = repeated_rows(float(n - few), float(few), float(repeats), noise, shared)
    made = weighted(explicit(SLOW, WEIGHTS**2), groups, ridge, np.full(P, added))
    told = np.array([made.excess_risk, made.noisy_excess_risk])
    assert np.all(np.abs(mean - told) < 4 * error + told / 40)
    fresh = weighted(explicit(SLOW, WEIGHTS**2), groups, ridge, np.zeros(P))
    assert abs(mean[0] - float(fresh.excess_risk)) > 10 * error[0]


def test_noise_that_is_none_has_no_answer():
    """Input noise < 0 and a tail under it; fractions of flips; noise that helps without signal."""
    plain = plain_rows(30.0, 0.1)
    for spectrum, added in ((explicit(SLOW, WEIGHTS**2), -0.1), (_tailed(), 0.1)):
        added = np.full(len(spectrum.eigenvalues), added)
        for found in (
            input_noise_risk(spectrum, 30.0, 1.0, 0.1, added),
            weighted(spectrum, plain, 1.0, added),
        ):
            assert int(found.status) == Status.OUT_OF_SCOPE
    assert int(weighted(_tailed(), plain, 1.0, np.zeros(3)).status) == Status.OK
    for flips in (-0.1, 1.1):
        assert int(label_flip_risk(_tailed(), 30.0, 1.0, flips).status) == Status.OUT_OF_SCOPE
    nothing = Spectrum(**{**vars(_tailed()), "power": np.zeros(3), "tail_power": np.zeros(())})
    assert int(label_flip_risk(nothing, 30.0, 1.0, 0.1).status) == Status.OUT_OF_SCOPE
    assert np.isnan(corrupted_inputs.best_input_noise(301, 100, 2.0, 0.0))
    assert np.isnan(corrupted_inputs.best_input_noise(201, 100, 2.0, 1.0))
    assert float(corrupted_inputs.best_input_noise(202, 100, 0.5, 1.0)) == 0.0


def test_bishop_limit():
    """Many rows: the mean fit is the clean one with ridge n eta^2, the variance is not."""
    n, added = 1e9, 0.3
    spectrum = explicit(SLOW, WEIGHTS**2)
    risk = input_noise_risk(spectrum, n, 0.0, 0.4, added)
    bishop = ridge_risk(spectrum, n, n * added, 0.4)
    np.testing.assert_allclose(risk.bias, bishop.bias, rtol=1e-8)
    assert float(risk.variance) > 1.1 * float(bishop.test_error - 0.4 - bishop.bias)
    np.testing.assert_allclose(risk.attenuation, risk.bias, rtol=1e-7)  # no ridge is left of kappa
    np.testing.assert_allclose(risk.noisy_test_error, risk.inside.test_error, rtol=1e-14)
    np.testing.assert_allclose(risk.test_error - risk.excess_risk, 0.4, rtol=1e-12)
    law = corrupted_inputs.corrupted_law(spectrum, 0.4, added)
    np.testing.assert_allclose(  # least squares with the raised label noise
        risk.variance, law.noise / n * np.sum(SLOW / (SLOW + added)), rtol=1e-7
    )


def _fits(rng, x, noisy, y, ridge):
    p = x.shape[1]
    if ridge == 0:
        return np.linalg.lstsq(noisy, y, rcond=None)[0]
    return np.linalg.solve(noisy.T @ noisy + ridge * np.eye(p), noisy.T @ y)


def test_finite_size_least_squares_with_noisy_inputs():
    """Isotropic, n > p: inverse Wishart gives the mean exactly; simulation must meet it."""
    rng = np.random.default_rng(0)
    n, p, noise, signal, added = 60, 20, 0.5, 1.0, 0.7
    u = 1 / (1 + added)
    exact = signal * (1 - u) ** 2 + p / (n - p - 1) * u * (noise + signal * (1 - u))
    w = np.full(p, np.sqrt(signal / p))
    runs = []
    for _ in range(2000):
        x = rng.normal(size=(n, p))
        noisy = x + np.sqrt(added) * rng.normal(size=(n, p))
        y = x @ w + np.sqrt(noise) * rng.normal(size=n)
        runs.append(np.sum((_fits(rng, x, noisy, y, 0.0) - w) ** 2))
    mean, error = np.mean(runs), np.std(runs) / np.sqrt(len(runs))
    assert abs(mean - exact) < 3.5 * error
    assert error < 0.01 * exact
    told = float(corrupted_inputs.exact_input_noise_excess(n, p, noise, signal, added))
    assert told == pytest.approx(exact, rel=1e-12)
    large = input_noise_risk(isotropic(p * 1e6), n * 1e6, 0.0, noise, added)
    a = p / (n - p)
    limit = signal * (1 - u) ** 2 + a * u * (noise + signal * (1 - u))
    np.testing.assert_allclose(large.excess_risk, limit, rtol=1e-12)


def test_finite_size_interpolation_of_noisy_inputs():
    """Fewer rows than inputs, a target of any length: the fit of least norm, drawn."""
    rng, n, p, noise, signal, added = np.random.default_rng(9), 8, 20, 0.5, 1.7, 0.4
    x = rng.normal(size=(6000, n, p))
    seen = x + np.sqrt(added) * rng.normal(size=x.shape)
    y = x[:, :, 0] * np.sqrt(signal) + np.sqrt(noise) * rng.normal(size=(6000, n))
    fit = np.einsum("rni,rn->ri", seen, np.linalg.solve(seen @ seen.mT, y[..., None])[..., 0])
    fit[:, 0] -= np.sqrt(signal)
    risks = np.sum(fit**2, axis=1)
    told = float(corrupted_inputs.exact_input_noise_excess(n, p, noise, signal, added))
    error = risks.std() / 6000**0.5
    assert error < 0.02 * told
    assert abs(risks.mean() - told) < 4 * error


@pytest.mark.parametrize(("n", "p", "ridge"), [(60, 120, 0.0), (150, 120, 3.0)])
def test_input_noise_against_simulation(n, p, ridge):
    rng = np.random.default_rng(1)
    values = np.arange(1.0, p + 1) ** -1.0
    w = np.full(p, p**-0.5)
    noise, added = 0.05, 0.02
    root = np.sqrt(values)
    runs = []
    for _ in range(150):
        x = rng.normal(size=(n, p)) * root
        noisy = x + np.sqrt(added) * rng.normal(size=(n, p))
        y = x @ w + np.sqrt(noise) * rng.normal(size=n)
        fit = _fits(rng, x, noisy, y, ridge)
        clean = np.sum(values * (fit - w) ** 2)
        runs.append([clean, clean + added * fit @ fit + noise, np.mean((y - noisy @ fit) ** 2)])
    mean, error = np.mean(runs, axis=0), np.std(runs, axis=0) / np.sqrt(len(runs))
    risk = input_noise_risk(explicit(values, w**2), n, ridge, noise, added)
    wanted = np.array([risk.excess_risk, risk.noisy_test_error, risk.train_error], float)
    slack = 1.5 * wanted / (n * (1 - float(risk.inside.gamma)))
    assert np.all(
        np.abs(mean - wanted) < 3.5 * error + slack + 1e-20
    )  # an interpolator has no residual
    bishop = ridge_risk(explicit(values, w**2), n, ridge + n * added, noise)
    assert abs(mean[0] - float(bishop.test_error - noise)) > 5 * error[0] + slack[0]


@pytest.mark.parametrize("noise", [0.5, 1.0, 1.5, 3.0, 30.0])
def test_best_input_noise(noise):
    n, p, signal = 400, 90, 1.0
    best = float(corrupted_inputs.best_input_noise(n, p, noise, signal))
    a = p / (n - p - 1)
    u = np.linspace(0, 1, 200_001)
    cost = signal * (1 - u) ** 2 + a * u * (noise + signal * (1 - u))
    np.testing.assert_allclose(1 / (1 + best), u[np.argmin(cost)], atol=1e-5)
    assert (best > 0) == (noise > signal)


def test_labels_twice_as_large_want_as_much_input_noise_and_cost_four_times_as_much():
    for n, p in ((301, 100), (60, 20), (20, 60)):
        one, four = (
            float(corrupted_inputs.exact_input_noise_excess(n, p, v * 0.5, v * 0.8, 0.7))
            for v in (1, 4)
        )
        assert four == pytest.approx(4 * one, rel=1e-12)
    best = [float(corrupted_inputs.best_input_noise(301, 100, v * 2.0, v * 1.1)) for v in (1, 4)]
    assert 0 < best[0] == pytest.approx(best[1], rel=1e-12)


def test_best_input_noise_has_no_answer_where_the_quadratic_is_concave():
    assert np.isnan(corrupted_inputs.best_input_noise(200, 100, 2.0, 1.0))


def _flip_reference(values, weights, n, ridge, flips):
    """Angle between fit and target from its cosine, 60 digits: the textbook form."""
    with mpmath.workdps(60):
        lam = [mpmath.mpf(float(v)) for v in values]
        power = sum(v * mpmath.mpf(float(w)) ** 2 for v, w in zip(lam, weights, strict=True))
        c = (1 - 2 * mpmath.mpf(flips)) * mpmath.sqrt(2 / mpmath.pi) / mpmath.sqrt(power)
        w = [c * mpmath.mpf(float(v)) for v in weights]
        noise = 1 - c**2 * power
        delta = mpmath.mpf(ridge) if ridge else mpmath.mpf(10) ** -45
        k = _kappa(lam, n, delta)
        bias = sum(k**2 * v * a**2 / (v + k) ** 2 for v, a in zip(lam, w, strict=True))
        df2 = sum((v / (v + k)) ** 2 for v in lam)
        squared = (bias + noise) / (1 - df2 / n)
        along = sum(v / (v + k) * v * a**2 for v, a in zip(lam, w, strict=True))
        norm = sum(v**3 * a**2 / (v + k) ** 2 for v, a in zip(lam, w, strict=True))
        norm += df2 * squared / n
        cosine = along / (c * mpmath.sqrt(power) * mpmath.sqrt(norm))
        return squared, mpmath.acos(cosine) / mpmath.pi


@pytest.mark.parametrize("flips", [0.0, 0.1, 0.49, 0.8, 1.0])
@pytest.mark.parametrize(("n", "ridge"), [(10, 0.0), (24, 1e-10), (40, 1e-8), (1e7, 0.1)])
def test_flips_against_high_precision(n, ridge, flips):
    risk = label_flip_risk(explicit(SLOW, WEIGHTS**2), n, ridge, flips)
    squared, error = _flip_reference(SLOW, WEIGHTS, n, ridge, flips)
    assert int(risk.status) == Status.OK
    assert abs(float(risk.squared_error) - squared) <= 1e-12 * squared
    assert abs(float(risk.flip_error) - error) <= 1e-12 * error


def test_flip_limits():
    spectrum = isotropic(100)
    half = label_flip_risk(spectrum, 200, 1.0, 0.5)
    assert float(half.flip_error) == 0.5
    assert float(half.noisy_flip_error) == 0.5
    many = label_flip_risk(spectrum, 1e12, 1.0, 0.2)
    assert float(many.flip_error) < 1e-5
    np.testing.assert_allclose(many.noisy_flip_error, 0.2, atol=1e-5)
    assert int(label_flip_risk(spectrum, 50, 1.0, 1.2).status) == Status.OUT_OF_SCOPE


def test_flips_against_simulation():
    rng = np.random.default_rng(5)
    p, n, flips = 150, 300, 0.15
    values = np.arange(1.0, p + 1) ** -0.6
    w = rng.normal(size=p)
    root = np.sqrt(values)
    runs = []
    for _ in range(200):
        x = rng.normal(size=(n, p)) * root
        y = np.sign(x @ w) * np.where(rng.random(n) < flips, -1, 1)
        fit = np.linalg.solve(x.T @ x + 2.0 * np.eye(p), x.T @ y)
        cosine = (w * values) @ fit / np.sqrt(((w * values) @ w) * ((fit * values) @ fit))
        scale = (1 - 2 * flips) * np.sqrt(2 / np.pi) / np.sqrt((w * values) @ w)
        squared = 1 - 2 * scale * (w * values) @ fit + (fit * values) @ fit
        runs.append([np.arccos(cosine) / np.pi, squared])
    mean, error = np.mean(runs, axis=0), np.std(runs, axis=0) / np.sqrt(len(runs))
    risk = label_flip_risk(explicit(values, w**2), n, 2.0, flips)
    wanted = np.array([risk.flip_error, risk.squared_error], float)
    assert np.all(np.abs(mean - wanted) < 3.5 * error + 1.5 * wanted / n)
    unflipped = label_flip_risk(explicit(values, w**2), n, 2.0, 0.0)
    assert np.all(np.abs(mean - np.array(unflipped[:3:2], float)) > 10 * error)


def test_only_the_mean_noise_matters():
    """Monte Carlo over a design with two noise levels against one level of the same mean."""
    rng = np.random.default_rng(7)
    n, p, ridge = 80, 40, 2.0
    level = corrupted_labels.mean_noise(0.1, 0.25, 2.0)
    risk = ridge_risk(isotropic(p), n, ridge, level)
    w = np.full(p, p**-0.5)
    runs = []
    for _ in range(800):
        x = rng.normal(size=(n, p))
        deviation = np.where(rng.random(n) < 0.25, np.sqrt(2.0), np.sqrt(0.1))
        y = x @ w + deviation * rng.normal(size=n)
        fit = np.linalg.solve(x.T @ x + ridge * np.eye(p), x.T @ y)
        runs.append(np.sum((fit - w) ** 2))
    error = np.std(runs) / np.sqrt(len(runs))
    wanted = float(risk.test_error - level)
    assert abs(np.mean(runs) - wanted) < 3.5 * error + 1.5 * wanted / (n * (1 - risk.gamma))


def _scaled(scale):
    return Spectrum(
        eigenvalues=SLOW * scale,
        multiplicity=np.ones(P),
        power=SLOW * scale * WEIGHTS**2,
        tail_trace=jnp.zeros(()),
        tail_power=jnp.zeros(()),
    )


def _noisy(theta):
    n, ridge, noise, added, scale = theta
    risk = corrupted_inputs.input_noise_risk(_scaled(scale), n, ridge, noise, added)
    return risk.test_error + risk.noisy_test_error


def _flipped(theta):
    n, ridge, flips, _, scale = theta
    return corrupted_labels.label_flip_risk(_scaled(scale), n, ridge, flips).flip_error


@pytest.mark.parametrize("function", [_noisy, _flipped])
def test_gradients(function):
    f = jax.jit(jax.vmap(function))
    at = np.array([[n, ridge, 0.2, 0.3, 1.0] for n in (12.0, 80.0) for ridge in (0.0, 0.5)])
    slope = jax.jit(jax.vmap(jax.grad(function)))(at)
    for i in range(5):
        step = np.where(at[:, i] == 0, 1e-6, 1e-5 * at[:, i])
        move = np.zeros_like(at)
        move[:, i] = step
        central = (f(at + move) - f(at - move)) / (2 * step)
        one_sided = (-3 * f(at) + 4 * f(at + move) - f(at + 2 * move)) / (2 * step)
        numeric = np.where(at[:, i] == 0, one_sided, central)
        np.testing.assert_allclose(slope[:, i], numeric, rtol=3e-6, atol=1e-8)
