"""Random features against 60-digit arithmetic, published forms and simulation."""

import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from feature_oracle import DIGITS, NODES, Oracle, exact, padded, relative

from ci_theory._errors import Status
from ci_theory.theory.features.random_features import balance, random_feature_risk, solve_gamma
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import isotropic, power_law, two_block
from ci_theory.theory.spectra.sphere import sphere_spectrum


def spectra():
    relu = sphere_spectrum(lambda t: np.maximum(t, 0.0), 20, linear=1.0, quadratic=0.5)
    return {
        "isotropic": isotropic(30, signal=2.0),
        "two_block": two_block(20, 60, 1.0, 0.01, 1.0, 30.0),
        "slow": power_law(40, 1.2, source=0.4, tail=True),
        "steep": power_law(30, 2.5, tail=False),
        "sphere": relu,
    }


SPECTRA = {name: padded(spectrum) for name, spectrum in spectra().items()}
SIZES = [(20, 20), (20, 21), (50, 20), (20, 300), (30, 30), (80, 80), (200, 150)]
RIDGES = [1e-12, 1e-8, 1e-4, 0.1, 10.0]
POINTS = list(itertools.product(SIZES, RIDGES))


@pytest.mark.parametrize("name", list(SPECTRA))
def test_matches_the_published_forms_at_60_digits(name):
    spectrum, noise = SPECTRA[name], 0.25
    n, p, ridge = (np.array(v, float) for v in zip(*[(*s, r) for s, r in POINTS], strict=True))
    batch = jax.vmap(random_feature_risk, in_axes=(None, 0, 0, 0, None))
    risk = batch(spectrum, n, p, ridge, noise)
    assert np.all(np.asarray(risk.status) == Status.OK)
    worst = {}
    with mp.workdps(DIGITS):
        oracle = Oracle(spectrum)
        for i, ((rows, features), delta) in enumerate(POINTS):
            wanted = oracle.risk(rows, features, exact(delta), exact(noise))
            for field, reference in wanted.items():
                error = relative(getattr(risk, field)[i], reference)
                worst[field] = max(worst.get(field, 0.0), error)
    assert len(POINTS) * len(SPECTRA) >= 150
    assert max(worst.values()) < 1e-12, worst


def test_what_is_learned_and_what_is_left_at_60_digits():
    spectrum = SPECTRA["slow"]
    n, p, ridge = (np.array(v, float) for v in zip(*[(*s, r) for s, r in POINTS], strict=True))
    found = jax.jit(jax.vmap(balance, in_axes=(None, 0, 0, 0)))(spectrum, n, p, ridge)
    assert np.all(found.status == Status.OK)
    with mp.workdps(DIGITS):
        oracle = Oracle(spectrum)
        for i, ((rows, features), delta) in enumerate(POINTS):
            gamma = oracle.gamma(rows, features, exact(delta))
            z, q = oracle.df1(gamma), oracle.df2(gamma)
            wanted = {
                "gamma": gamma,
                "kappa": exact(delta) / (rows - z),
                "rows_left": rows - z,
                "features_left": features - z,
                "df1": z,
                "df2": q,
                "d12": z - q,
                "share": (z - q) / (features - q),
                "dof_left": rows - z + (features - z) * (z - q) / (features - q),
            }
            for field, value in wanted.items():
                assert relative(getattr(found, field)[i], value) < 1e-12, (field, POINTS[i])


@pytest.mark.parametrize("name", list(SPECTRA))
@pytest.mark.parametrize(("n", "p"), [(20, 45), (45, 20), (21, 20), (60, 300), (300, 60)])
def test_ridgeless_limits_at_60_digits(name, n, p):
    spectrum, noise = SPECTRA[name], 0.25
    risk = random_feature_risk(spectrum, n, p, 0.0, noise)
    with mp.workdps(DIGITS):
        oracle, fewer = Oracle(spectrum), min(n, p)
        modes = mp.inf if oracle.tail > 0 else sum(m for _, m, _ in oracle.nodes)
        if modes <= fewer:  # every mode is learned: least squares on the modes
            wanted = exact(noise) * n / (n - modes)
            assert float(risk.gamma) == 0
            assert float(risk.train_error) == pytest.approx(noise * (1 - modes / n), rel=1e-13)
        else:
            gamma = oracle.root(lambda g: oracle.df1(g) - fewer, mp.mpf(10) ** -30, mp.mpf(10) ** 8)
            q = oracle.df2(gamma)
            if p < n:
                fit = oracle.power(lambda v: gamma / (v + gamma))
                wanted = mp.mpf(n) / (n - p) * (noise + fit)
            else:
                u = n - q
                fit = oracle.power(
                    lambda v: gamma * (gamma + v * u / (p - n + u)) / (v + gamma) ** 2
                )
                wanted = n * (p - q) / ((n - q) * (p - n)) * (noise + fit)
            assert relative(risk.gamma, gamma) < 1e-12
        assert relative(risk.test_error, wanted) < 1e-12
    assert int(risk.status) == Status.OK


def test_more_points_at_the_peak():
    """n = p on a fine grid of ridges: where the published forms lose their digits."""
    spectrum, n = SPECTRA["slow"], 64.0
    ridges = np.geomspace(1e-14, 1.0, 60)
    risk = jax.vmap(lambda r: random_feature_risk(spectrum, n, n, r, 0.1))(ridges)
    with mp.workdps(DIGITS):
        oracle = Oracle(spectrum)
        wanted = [oracle.risk(64, 64, exact(r), exact(0.1)) for r in ridges]
        for field in ("gamma", "kappa", "test_error", "train_error", "noise_error"):
            errors = [
                relative(v, w[field]) for v, w in zip(getattr(risk, field), wanted, strict=True)
            ]
            assert max(errors) < 1e-12, field


def test_published_forms_agree_in_double_precision_away_from_the_peak():
    spectrum, n, p, ridge, noise = SPECTRA["slow"], 90.0, 40.0, 1e-2, 0.3
    ours = random_feature_risk(spectrum, n, p, ridge, noise)
    lam, power = np.asarray(spectrum.eigenvalues), np.asarray(spectrum.power)
    mult = np.asarray(spectrum.multiplicity)
    tail, lost = float(spectrum.tail_trace), float(spectrum.tail_power)
    nu2 = float(ours.gamma)
    q = np.sum(mult * (lam / (lam + nu2)) ** 2)
    nu1 = nu2 * (1 - (np.sum(mult * lam / (lam + nu2)) + tail / nu2) / p)
    upsilon = p / n * ((1 - nu1 / nu2) ** 2 + (nu1 / nu2) ** 2 * q / (p - q))
    chi = (np.sum(mult * lam / (lam + nu2) ** 2) + tail / nu2**2) / (p - q)
    fit = nu2**2 * (np.sum(power * (1 + chi * lam) / (lam + nu2) ** 2) + lost / nu2**2)
    published = (fit + noise * upsilon) / (1 - upsilon) + noise
    assert published == pytest.approx(float(ours.test_error), rel=1e-13)


@pytest.mark.parametrize("p", [1e6, 1e9])
def test_many_features_are_kernel_ridge_regression(p):
    spectrum = SPECTRA["slow"]
    at = balance(spectrum, 50.0, p, 1e-3)
    kappa = float(solve_kappa(spectrum, 50.0, 1e-3).value)
    # gamma - kappa = kappa z/(p - z) + ...: shrinks as 1/p
    assert abs(float(at.gamma) / kappa - 1) < 100 / p
    assert float(at.share) < 100 / p


def test_rows_and_features_play_the_same_part():
    """gamma (n - z)(p - z) = p ridge: swapping n and p is a ridge scaled by p/n."""
    spectrum = SPECTRA["slow"]
    left = solve_gamma(spectrum, 30.0, 70.0, 1e-3).value
    right = solve_gamma(spectrum, 70.0, 30.0, 1e-3 * 70 / 30).value
    assert float(left) == pytest.approx(float(right), rel=1e-14)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_peak_height_grows_as_the_inverse_root_of_the_ridge(noise):
    """Also without noise: half sqrt(n gamma/ridge) (noise + S)."""
    spectrum, n = SPECTRA["sphere"], 64.0
    deviations = []
    for ridge in (1e-6, 1e-8, 1e-10):
        risk = random_feature_risk(spectrum, n, n, ridge, noise)
        lam, power = np.asarray(spectrum.eigenvalues), np.asarray(spectrum.power)
        gamma = float(solve_gamma(spectrum, n, n, 0.0).value)
        left = np.sum(power * gamma / (lam + gamma)) + float(spectrum.tail_power)
        law = 0.5 * np.sqrt(n * gamma / ridge) * (noise + left)
        deviations.append(abs(float(risk.test_error) / law - 1))
    assert deviations[0] < 0.02
    # The law's own error is O(sqrt(ridge)): a factor 10 for every factor 100.
    assert np.allclose(np.array(deviations[:-1]) / deviations[1:], 10, rtol=0.05)


@pytest.mark.parametrize(
    "point",
    [
        (40.0, 40.0, 1e-8, 0.2),
        (40.0, 40.0, 1e-2, 0.2),
        (40.0, 41.0, 1e-6, 0.0),
        (90.0, 40.0, 1e-3, 0.2),
        (30.0, 400.0, 1.0, 0.2),
    ],
)
def test_gradients_match_differences_at_60_digits(point):
    spectrum = SPECTRA["slow"]

    def test_error(*x):
        return random_feature_risk(spectrum, *x).test_error

    slopes = jax.grad(test_error, argnums=(0, 1, 2, 3))(*point)
    with mp.workdps(DIGITS):
        oracle = Oracle(spectrum)
        for i, slope in enumerate(slopes):
            step = mp.mpf(10) ** -20 * (exact(point[i]) or 1)
            ends = []
            for sign in (1, -1):
                moved = [exact(v) for v in point]
                moved[i] += sign * step
                ends.append(oracle.risk(*moved)["test_error"])
            assert relative(slope, (ends[0] - ends[1]) / (2 * step)) < 1e-7


@pytest.mark.parametrize(("n", "p"), [(60.0, 40.0), (40.0, 60.0), (60.0, 45.0)])
@pytest.mark.parametrize("name", ["slow", "isotropic"])
def test_gradient_at_ridge_zero_is_the_limit(name, n, p):
    def test_error(ridge):
        return random_feature_risk(SPECTRA[name], n, p, ridge, 0.2).test_error

    slope = float(jax.grad(test_error)(0.0))
    assert slope == pytest.approx(float(jax.grad(test_error)(1e-11)), rel=1e-5)
    assert slope != 0


def test_spectrum_gradient():
    def test_error(scale):
        s = two_block(20, 60, scale, 0.01, 1.0, 30.0)
        return random_feature_risk(s, 40.0, 40.0, 1e-6, 0.2).test_error

    h = 1e-5
    difference = (test_error(1 + h) - test_error(1 - h)) / (2 * h)
    assert float(jax.grad(test_error)(1.0)) == pytest.approx(float(difference), rel=1e-7)


def test_outcomes_are_data_and_do_not_spread():
    batch = jax.jit(jax.vmap(lambda n, p, r: random_feature_risk(SPECTRA["slow"], n, p, r, 0.1)))
    n, p, r = [30.0, 30, -1, 30, 30], [30.0, 0, 30, 30, 30], [1e-3, 1e-3, 1e-3, -1, 0]
    risk = batch(*map(jnp.array, (n, p, r)))
    bad, peak = Status.OUT_OF_SCOPE, Status.NOT_FINITE
    assert list(map(int, risk.status)) == [Status.OK, bad, bad, bad, peak]
    assert np.isnan(np.asarray(risk.test_error[1:4])).all()
    assert np.isposinf(float(risk.test_error[4]))
    negative = random_feature_risk(SPECTRA["slow"], 30.0, 30.0, 1e-3, -0.1)
    assert int(negative.status) == bad
    assert np.isnan(float(negative.test_error))
    alone = random_feature_risk(SPECTRA["slow"], 30.0, 30.0, 1e-3, 0.1)
    assert float(alone.test_error) == pytest.approx(float(risk.test_error[0]), rel=1e-13)


@pytest.mark.parametrize(
    ("n", "p", "ridge"), [(60, 30, 0.05), (40, 90, 0.05), (50, 50, 0.5), (90, 60, 0.0)]
)
def test_simulated_linear_features(n, p, ridge):
    """phi_j(x) = g_j.x on Gaussian inputs; exact risk of each draw, noise averaged out."""
    modes, noise, trials = 200, 0.3, 300
    spectrum = power_law(modes, 1.3, source=0.5, tail=False)
    lam = np.asarray(spectrum.eigenvalues)
    w = np.sqrt(np.asarray(spectrum.power) / lam)
    rng = np.random.default_rng(7)
    test, train = [], []
    for _ in range(trials):
        x = rng.standard_normal((n, modes)) * np.sqrt(lam)
        g = rng.standard_normal((modes, p)) / np.sqrt(p)
        phi = x @ g
        solve = np.linalg.solve(phi.T @ phi + ridge * np.eye(p), phi.T)
        onto = np.sqrt(lam)[:, None] * (g @ solve)
        misfit = onto @ (x @ w) - np.sqrt(lam) * w
        test.append(misfit @ misfit + noise * np.sum(onto**2) + noise)
        hat = np.eye(n) - phi @ solve
        train.append((np.sum((hat @ x @ w) ** 2) + noise * np.sum(hat**2)) / n)
    nodes = compress(spectrum, pad_to=NODES)
    risk = random_feature_risk(nodes, n, p, ridge, noise)
    left = float(balance(nodes, n, p, ridge).dof_left)  # n - p for least squares
    for sample, wanted in ((test, risk.test_error), (train, risk.train_error)):
        error = np.std(sample) / np.sqrt(trials)
        finite_size = float(wanted) / left
        assert abs(np.mean(sample) - float(wanted)) < 4 * error + finite_size


def test_at_the_ridgeless_peak_the_rows_are_fitted_without_an_error():
    found = random_feature_risk(isotropic(100), 50, 50, 0.0, 0.3)
    assert int(found.status) == Status.NOT_FINITE
    assert np.isposinf([found.test_error, found.excess_risk, found.noise_error]).all()
    assert float(found.train_error) == 0
