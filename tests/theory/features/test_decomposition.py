"""The parts of the random-feature error: definitions at 60 digits, and a nested simulation."""

import itertools

import jax
import mpmath as mp
import numpy as np
import pytest
from feature_oracle import DIGITS, NODES, Oracle, exact, padded, relative

from ci_theory._errors import Status
from ci_theory.theory.features.decomposition import ErrorParts, ensemble_error, error_parts
from ci_theory.theory.features.random_features import random_feature_risk
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.spectrum import power_law
from ci_theory.theory.spectra.sphere import sphere_spectrum

SPECTRA = {
    "slow": padded(power_law(40, 1.2, source=0.4, tail=True)),
    "sphere": sphere_spectrum(lambda t: np.maximum(t, 0.0), 20, linear=1.0, quadratic=0.5),
}
POINTS = list(
    itertools.product(
        [(30, 30), (30, 31), (60, 25), (25, 60), (200, 190), (40, 900)],
        [1e-12, 1e-8, 1e-3, 1.0],
    )
)


def definitions(oracle, n, p, ridge, noise):
    """Differences of errors, as the parts are defined; 60 digits make up for the cancellation.

    Averaging over features leaves plain kernel regression with effective ridge gamma; averaging
    over data leaves the approximation error of the features.
    """
    one = oracle.risk(n, p, ridge, noise)
    clean = oracle.risk(n, p, ridge, mp.mpf(0))["test_error"]
    gamma = one["gamma"]
    q = oracle.df2(gamma)
    bias = oracle.power(lambda v: (gamma / (v + gamma)) ** 2)
    averaged_clean, averaged = (mp.mpf(n) / (n - q) * (bias + s) for s in (0, noise))
    features = one["approximation"] - bias
    data = averaged_clean - bias
    label_noise = averaged - averaged_clean - noise
    return {
        "bias": bias,
        "features": features,
        "data": data,
        "label_noise": label_noise,
        "features_data": clean - bias - features - data,
        "features_noise": one["test_error"] - clean - noise - label_noise,
    }


@pytest.mark.parametrize("name", list(SPECTRA))
def test_parts_match_their_definitions(name):
    spectrum, noise = SPECTRA[name], 0.3
    n, p, ridge = (np.array(v, float) for v in zip(*[(*s, r) for s, r in POINTS], strict=True))
    batch = jax.vmap(error_parts, in_axes=(None, 0, 0, 0, None))
    parts = batch(spectrum, n, p, ridge, noise)
    worst = {}
    with mp.workdps(DIGITS):
        oracle = Oracle(spectrum)
        for i, ((rows, features), delta) in enumerate(POINTS):
            wanted = definitions(oracle, rows, features, exact(delta), exact(noise))
            for field, reference in wanted.items():
                error = relative(getattr(parts, field)[i], reference)
                worst[field] = max(worst.get(field, 0.0), error)
    assert max(worst.values()) < 1e-12, worst


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize(("n", "p"), [(40.0, 25.0), (25.0, 40.0)])
def test_parts_add_up_to_the_test_error(n, p, ridge):
    parts = error_parts(SPECTRA["slow"], n, p, ridge, 0.3)
    risk = random_feature_risk(SPECTRA["slow"], n, p, ridge, 0.3)
    assert float(parts.test_error) == pytest.approx(float(risk.test_error), rel=1e-13)
    assert float(parts.ensemble(1)) == pytest.approx(float(risk.test_error), rel=1e-13)
    assert all(float(part) >= 0 for part in parts)
    assert float(parts.irreducible) == 0.3
    assert int(parts.status) == Status.OK
    for members in (2.0, 7.0):  # the part of features falls as 1/K
        many = ensemble_error(SPECTRA["slow"], n, p, ridge, 0.3, members)
        limit = ensemble_error(SPECTRA["slow"], n, p, ridge, 0.3, np.inf)
        told = limit.test_error + (risk.test_error - limit.test_error) / members
        assert float(many.test_error) == pytest.approx(float(told), rel=1e-12)
        assert int(many.status) == Status.OK


def test_only_the_mixed_parts_diverge_at_the_peak():
    near = error_parts(SPECTRA["slow"], 40.0, 40.0, 1e-12, 0.3)
    nearer = error_parts(SPECTRA["slow"], 40.0, 40.0, 1e-14, 0.3)
    mixed = ("features_data", "features_noise")
    for field in ErrorParts._fields[:-1]:
        ratio = float(getattr(nearer, field) / getattr(near, field))
        assert ratio == pytest.approx(10 if field in mixed else 1, rel=1e-3), field


def test_without_noise_the_peak_is_the_mix_of_features_and_data():
    parts = error_parts(SPECTRA["slow"], 40.0, 40.0, 1e-10, 0.0)
    assert float(parts.label_noise) == float(parts.features_noise) == 0
    assert float(parts.features_data / parts.test_error) > 0.99


def test_ridgeless_peak():
    at = error_parts(SPECTRA["slow"], 40.0, 40.0, 0.0, 0.3)
    assert int(at.status) == Status.NOT_FINITE
    assert np.isinf([float(at.features_data), float(at.features_noise)]).all()
    assert np.isfinite([float(at.data), float(at.features), float(at.label_noise)]).all()
    quiet = error_parts(SPECTRA["slow"], 40.0, 40.0, 0.0, 0.0)  # no noise makes none, even there
    assert float(quiet.features_noise) == float(quiet.label_noise) == 0.0
    assert np.isposinf(float(quiet.features_data))
    assert int(ensemble_error(SPECTRA["slow"], 40.0, 40.0, 0.0, 0.3, 3.0).status) == (
        Status.NOT_FINITE
    )
    for n, p, ridge in ((0.0, 9.0, 1.0), (9.0, 0.0, 1.0), (9.0, 9.0, -1.0)):
        bad = error_parts(SPECTRA["slow"], n, p, ridge, 0.3)
        assert int(bad.status) == Status.OUT_OF_SCOPE


def test_without_rows_there_are_no_parts_of_an_error():
    made = error_parts(power_law(6, 1.5, tail=False), 0.0, 4.0, 1.0, 0.1)
    parts = made._asdict()
    assert int(parts.pop("status")) == Status.OUT_OF_SCOPE
    assert float(parts.pop("irreducible")) == 0.1
    assert np.isnan(np.array(list(parts.values()))).all()


def test_an_infinite_ensemble_is_kernel_regression():
    spectrum, n, p = SPECTRA["slow"], 40.0, 40.0
    many = float(ensemble_error(spectrum, n, p, 1e-4, 0.3, np.inf).test_error)
    kernel = random_feature_risk(spectrum, n, p, 1e-4, 0.3)
    # A kernel machine whose effective ridge is that gamma: ridge = gamma (n - df1(gamma)).
    lam, mult = np.asarray(spectrum.eigenvalues), np.asarray(spectrum.multiplicity)
    gamma = float(kernel.gamma)
    df1 = np.sum(mult * lam / (lam + gamma)) + float(spectrum.tail_trace) / gamma
    wide = random_feature_risk(spectrum, n, 1e9, gamma * (n - df1), 0.3)
    assert many == pytest.approx(float(wide.test_error), rel=1e-6)


def test_nested_simulation_of_the_parts():
    """Linear features; every part estimated without bias from two independent copies."""
    modes, n, p, ridge, noise, trials = 150, 60, 40, 0.05, 0.5, 1500
    spectrum = power_law(modes, 1.3, source=0.5, tail=False)
    lam = np.asarray(spectrum.eigenvalues)
    w = np.sqrt(np.asarray(spectrum.power) / lam)
    rng = np.random.default_rng(11)

    def estimator(x, g):
        """Map labels to coefficients in the inputs, (modes, n)."""
        phi = x @ g
        return g @ np.linalg.solve(phi.T @ phi + ridge * np.eye(p), phi.T)

    def product(u, v):
        return np.sum(lam * u * v)

    def noise_product(u, v):
        return noise * np.sum(lam[:, None] * u * v)

    sums = []
    for _ in range(trials):
        x = [rng.standard_normal((n, modes)) * np.sqrt(lam) for _ in range(2)]
        g = [rng.standard_normal((modes, p)) / np.sqrt(p) for _ in range(2)]
        maps = {(i, j): estimator(x[i], g[j]) for i, j in itertools.product((0, 1), repeat=2)}
        e = {key: m @ (x[key[0]] @ w) - w for key, m in maps.items()}
        bias = (product(e[0, 0], e[1, 1]) + product(e[0, 1], e[1, 0])) / 2
        same_features = (product(e[0, 0], e[1, 0]) + product(e[0, 1], e[1, 1])) / 2
        same_data = (product(e[0, 0], e[0, 1]) + product(e[1, 0], e[1, 1])) / 2
        both = np.mean([product(v, v) for v in e.values()])
        common = np.mean([noise_product(maps[i, 0], maps[i, 1]) for i in (0, 1)])
        alone = np.mean([noise_product(m, m) for m in maps.values()])
        sums.append(
            [
                bias,
                same_features - bias,
                same_data - bias,
                common,
                both - same_features - same_data + bias,
                alone - common,
            ]
        )
    parts = error_parts(compress(spectrum, pad_to=NODES), n, p, ridge, noise)
    fields = ("bias", "features", "data", "label_noise", "features_data", "features_noise")
    mean, error = np.mean(sums, axis=0), np.std(sums, axis=0) / np.sqrt(trials)
    for i, field in enumerate(fields):
        wanted = float(getattr(parts, field))
        assert abs(mean[i] - wanted) < 4 * error[i] + wanted / min(n, p), field
        assert error[i] < 0.1 * wanted, field  # the comparison is sharp
