"""Ridge errors: against 60 digits, simulation, published forms, limits and derivatives."""

import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from mp_ridge import LongPowerLaw, Modes, risk

from ci_theory._errors import Status
from ci_theory.theory.ridge.risk import gcv, learned_weights, ridge_risk, risk_grid
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, isotropic, power_law, two_block

SPECTRA = {
    "isotropic": isotropic(40, signal=1.3),
    "slow, cut": power_law(40, 1.2, source=0.4, tail=False),
    "slow, with tail": power_law(40, 1.2, source=0.4, tail=True),
    "fast": power_law(40, 4.0, source=1.2, tail=False),
    "gap": two_block(20, 20, 1.0, 1e-6, 1.0, 1e3),
    "one by one": explicit(np.linspace(1.0, 2.0, 40), np.ones(40)),
}
ROWS = [3.0, 20.0, 39.0, 39.5, 40.0, 41.0, 200.0]
RIDGES = [0.0, 1e-12, 1e-8, 1e-3, 1.0, 1e3]
GRID = [(n, r) for n, r in itertools.product(ROWS, RIDGES) if (n, r) != (40.0, 0.0)]
NOISE = 0.3
batched = jax.jit(jax.vmap(ridge_risk, (None, 0, 0, None)))


def off(value, reference):
    """Relative error, at full precision; absolute where the reference is 0."""
    value = mp.mpf(float(value))
    return float(abs(value - reference) / (abs(reference) or 1))


@pytest.mark.parametrize("name", SPECTRA)
def test_every_field_has_twelve_digits(name):
    """41 points a spectrum, 246 in all: n at, near and far from p, ridge down to 1e-12 and 0."""
    spectrum = SPECTRA[name]
    found = batched(spectrum, *np.array(GRID).T, NOISE)
    assert np.all(found.status == Status.OK)
    modes = Modes.of(spectrum)
    for i, (n, ridge) in enumerate(GRID):
        for field, want in risk(modes, n, ridge, NOISE).items():
            got = getattr(found, field)[i]
            assert off(got, want) < 1e-12, (field, n, ridge, float(got), float(want))


@pytest.mark.parametrize(("alpha", "n", "ridge"), [(1.2, 1e6, 1e-8), (1.2, 3e4, 1e-3)])
def test_a_million_modes(alpha, n, ridge):
    spectrum = power_law(10**6, alpha, source=0.45, tail=False)
    small = compress(spectrum)
    with mp.workdps(40):
        wanted = risk(LongPowerLaw(10**6, alpha, 1 + 2 * alpha * 0.45), n, ridge, NOISE)
    for form in (spectrum, small):
        found = ridge_risk(form, n, ridge, NOISE)
        for field, want in wanted.items():
            assert off(getattr(found, field), want) < 1e-12, field


def test_the_grid_is_the_points():
    spectrum = SPECTRA["slow, cut"]
    n, ridge, noise = np.array([10.0, 40.0]), np.array([1e-8, 0.1, 1.0]), np.array([0.0, 0.5])
    grid = risk_grid(spectrum, n, ridge, noise)
    for i, j, k in np.ndindex(2, 3, 2):
        point = ridge_risk(spectrum, n[i], ridge[j], noise[k])
        for field, value in point._asdict().items():
            got = getattr(grid, field)
            assert got.shape == (2, 3, 2)
            assert float(got[i, j, k]) == pytest.approx(float(value), rel=1e-13, abs=1e-15)


def test_parts_add_up():
    found = batched(SPECTRA["slow, with tail"], *np.array(GRID).T, NOISE)
    parts = found.bias + found.noise_variance + found.signal_variance
    np.testing.assert_allclose(found.excess_risk, parts, rtol=1e-13)
    np.testing.assert_allclose(found.test_error, parts + NOISE, rtol=1e-12)
    ridged = np.array(GRID)[:, 1] > 1e-3  # elsewhere 1 - df1/n is lost to rounding
    n = np.array(GRID)[ridged, 0]
    taken = n * (1 - found.fit[ridged])
    np.testing.assert_allclose(
        gcv(found.train_error[ridged], taken, n), found.test_error[ridged], rtol=1e-9
    )


class TestWhereItEnds:
    def test_least_squares_at_n_equal_p_has_no_mean(self):
        found = ridge_risk(isotropic(40), 40.0, 0.0, 0.3)
        assert found.test_error == jnp.inf
        assert found.status == Status.NOT_FINITE
        assert found.train_error == 0.0

    def test_but_without_noise_it_is_exact(self):
        found = ridge_risk(isotropic(40), 40.0, 0.0, 0.0)
        assert (found.test_error, found.train_error, found.status) == (0.0, 0.0, Status.OK)

    def test_one_bad_point_spoils_nothing(self):
        rows = np.array([30.0, -1.0, np.nan, 30.0, 30.0])
        ridges = np.array([0.1, 0.1, 0.1, -0.1, 0.1])
        noises = np.array([0.3, 0.3, 0.3, 0.3, -0.3])
        found = jax.vmap(ridge_risk, (None, 0, 0, 0))(SPECTRA["slow, cut"], rows, ridges, noises)
        out = Status.OUT_OF_SCOPE
        assert found.status.tolist() == [0, out, Status.NOT_FINITE, out, out]
        assert np.all(np.isnan(found.test_error[1:]))
        alone = ridge_risk(SPECTRA["slow, cut"], 30.0, 0.1, 0.3)
        assert float(found.test_error[0]) == pytest.approx(float(alone.test_error), rel=1e-14)

    def test_limits(self):
        spectrum = SPECTRA["slow, cut"]
        many = ridge_risk(spectrum, 1e12, 1.0, 0.3)
        assert float(many.test_error) == pytest.approx(0.3, rel=1e-10)
        heavy = ridge_risk(spectrum, 20.0, 1e12, 0.3)  # nothing learned: all the target power
        assert float(heavy.excess_risk) == pytest.approx(float(np.sum(spectrum.power)), rel=1e-9)
        for n in (20.0, 200.0):  # ridge -> 0 is ridge = 0
            tiny, none = (ridge_risk(spectrum, n, r, 0.3) for r in (1e-18, 0.0))
            assert float(tiny.test_error) == pytest.approx(float(none.test_error), rel=1e-12)

    def test_power_without_a_mode_is_noise(self):
        """Misspecification acts like label noise of the same variance."""
        base = SPECTRA["fast"]
        missed = Spectrum(**{**vars(base), "tail_power": np.asarray(0.2)})
        a, b = ridge_risk(missed, 60.0, 0.1, 0.3), ridge_risk(base, 60.0, 0.1, 0.5)
        assert float(a.test_error) == pytest.approx(float(b.test_error), rel=1e-14)


@pytest.mark.parametrize(("n", "ridge"), [(11.0, 0.4), (20.0, 1e-8), (33.0, 0.0), (7.0, 0.0)])
@pytest.mark.parametrize("field", ["test_error", "train_error"])
def test_derivatives(n, ridge, field):
    """With respect to n, ridge, noise and each part of the spectrum, against 60 digits."""
    spectrum = power_law(20, 1.5, source=0.4, tail=ridge > 0.1)

    def value(rows, amount, noise, s):
        return getattr(ridge_risk(s, rows, amount, noise), field)

    slopes = jax.grad(value, argnums=(0, 1, 2, 3))(n, ridge, NOISE, spectrum)
    h = mp.mpf("1e-15") * mp.mpf("1e-12")

    def wanted(shift):
        """Central difference, or a one-sided one of second order where ridge is 0."""

        def at(times):
            moved = Modes.of(spectrum)
            point = {"n": mp.mpf(n), "ridge": mp.mpf(ridge), "noise": mp.mpf(NOISE)}
            shift(moved, point, times * h)
            return risk(moved, point["n"], point["ridge"], point["noise"])[field]

        if ridge == 0:
            return (4 * at(1) - at(2) - 3 * at(0)) / (2 * h)
        return (at(1) - at(-1)) / (2 * h)

    def in_point(name):
        return lambda modes, point, by: point.__setitem__(name, point[name] + by)

    def in_list(name, index):
        return lambda modes, point, by: getattr(modes, name).__setitem__(
            index, getattr(modes, name)[index] + by
        )

    def in_tail(name):
        return lambda modes, point, by: setattr(modes, name, getattr(modes, name) + by)

    checks = [(slopes[i], in_point(name)) for i, name in enumerate(("n", "ridge", "noise"))]
    for name in ("eigenvalues", "multiplicity", "power"):
        checks += [(getattr(slopes[3], name)[i], in_list(name, i)) for i in (0, 13)]
    if ridge > 0.1:
        checks += [
            (getattr(slopes[3], name), in_tail(name)) for name in ("tail_trace", "tail_power")
        ]
    for i, (got, shift) in enumerate(checks):
        want = wanted(shift)
        assert abs(mp.mpf(float(got)) - want) < 1e-10 * abs(want) + 1e-13, (i, got, want)


class TestPublishedForms:
    """Where they are numerically sound: away from the peak, ridge not tiny."""

    def test_stieltjes_form(self):
        """Hastie et al.: isotropic risk from the Stieltjes transform of Marchenko-Pastur."""
        for n, p, ridge in [(100, 40, 3.0), (100, 100, 10.0), (50, 200, 0.5)]:
            g, level = mp.mpf(p) / n, mp.mpf(ridge) / n

            def transform(z, g=g):  # m(z) of the sample covariance, at z < 0
                return (1 - g - z - mp.sqrt((1 - g - z) ** 2 - 4 * g * z)) / (2 * g * z)

            m, slope = transform(-level), mp.diff(transform, -level)
            bias = mp.mpf("1.3") * level**2 * slope
            variance = mp.mpf(NOISE) * g * (m - level * slope)
            found = ridge_risk(isotropic(p, signal=1.3), n, ridge, NOISE)
            assert off(found.excess_risk, bias + variance) < 1e-13

    def test_learnabilities(self):
        """Simon et al.: learnabilities add up to n; error from the overfitting coefficient."""
        for n, ridge in [(10.0, 0.1), (35.0, 1.0), (90.0, 0.3)]:
            spectrum = SPECTRA["slow, cut"]
            found = ridge_risk(spectrum, n, ridge, NOISE)
            share = spectrum.eigenvalues / (spectrum.eigenvalues + float(found.kappa))
            assert share.sum() + ridge / float(found.kappa) == pytest.approx(n, rel=1e-13)
            overfitting = n / (n - np.sum(share**2))
            error = overfitting * (np.sum((1 - share) ** 2 * spectrum.power) + NOISE)
            assert float(found.test_error) == pytest.approx(error, rel=1e-12)
            train = (ridge / (n * float(found.kappa))) ** 2 * error
            assert float(found.train_error) == pytest.approx(train, rel=1e-12)


def simulate(values, target, n, ridge, noise, trials, seed):
    """Average over designs of the noise-averaged errors and of the mean and spread of weights."""
    rng = np.random.default_rng(seed)
    p = len(values)
    out = []
    for _ in range(trials):
        x = rng.normal(size=(n, p)) * np.sqrt(values)
        solve = np.linalg.solve(x.T @ x + ridge * np.eye(p), x.T)
        hat = solve @ x
        missed = target - hat @ target
        gone = np.eye(n) - x @ solve
        test = noise + missed @ (values * missed) + noise * np.sum(values[:, None] * solve**2)
        train = np.mean((gone @ x @ target) ** 2) + noise * np.mean(np.sum(gone**2, axis=1))
        smooth = np.linspace(0, 1, p)  # a smooth quadratic form of the weights
        mean = hat @ target
        out.append([test, train, smooth @ mean, smooth @ (mean**2 + noise * np.sum(solve**2, 1))])
    out = np.array(out)
    return out.mean(axis=0), out.std(axis=0) / np.sqrt(trials)


@pytest.mark.parametrize(
    ("alpha", "n", "ridge", "seed"), [(1.2, 75, 0.3, 1), (0.0, 40, 4.0, 2), (1.0, 110, 1.0, 3)]
)
def test_against_simulation(alpha, n, ridge, seed):
    p, trials = 60, 300
    values = np.arange(1.0, p + 1) ** -alpha
    target = np.cos(np.arange(p)) * np.sqrt(2 / p)
    mean, error = simulate(values, target, n, ridge, NOISE, trials, seed)
    spectrum = explicit(values, target**2)
    found = ridge_risk(spectrum, n, ridge, NOISE)
    fit = learned_weights(spectrum, found, n)
    smooth = np.linspace(0, 1, p)
    predicted = np.array(
        [
            found.test_error,
            found.train_error,
            smooth @ (fit.mean * target),
            smooth @ (fit.mean**2 * target**2 + fit.variance),
        ]
    )
    # the theory's own error is O(1/n); the training error's constant grows towards interpolation
    slack = np.array([0.3, 3.0, 0.0, 0.6]) / n * np.abs(predicted)
    assert np.all(np.abs(mean - predicted) < 4 * error + slack), (mean, predicted, error)
    wrong = ridge_risk(spectrum, n, ridge, NOISE / 2)
    for i, field in enumerate(("test_error", "train_error")):
        assert abs(float(getattr(wrong, field)) - mean[i]) > 4 * error[i] + slack[i]


def test_compiles_once_for_all_spectra_of_a_length():
    """Numbers, spectrum included, are traced: no value triggers a compilation."""
    count = 0

    @jax.jit
    def evaluate(spectrum, n, ridge, noise):
        nonlocal count
        count += 1
        return ridge_risk(spectrum, n, ridge, noise).test_error

    for alpha in (1.2, 1.5, 2.0):
        for n in (10.0, 40.0):
            evaluate(power_law(40, alpha, tail=True), n, 0.1 * alpha, 0.3)
    assert count == 1


def test_the_error_that_is_left_is_that_of_the_effective_ridge():
    spectrum, left = power_law(50, 1.3), []
    for n in (3.0, 10.0, 31.0, 49.0, 200.0):
        for ridge in (1e-6, 0.1, 7.0):
            left.append(float(ridge_risk(spectrum, n, ridge, 0.1).residual))
            assert left[-1] == float(solve_kappa(spectrum, n, ridge).residual)
    assert max(left) > 0


def test_of_inputs_that_never_vary_nothing_is_learned_and_nothing_fluctuates():
    spectrum = explicit([2.0, 0.5, 0.0], [1.0, 1.0, 1.0])
    fit = learned_weights(spectrum, ridge_risk(spectrum, 12, 0.0, 0.4), 12)
    assert np.asarray(fit.mean) == pytest.approx([1.0, 1.0, 0.0], abs=1e-14)
    # least squares on two inputs: noise/(n - p) over the variance
    assert np.asarray(fit.variance) == pytest.approx([0.04 / 2.0, 0.04 / 0.5, 0.0], rel=1e-12)
