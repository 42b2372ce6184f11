"""Repetition with random features: two equations at 60 digits, limits, and simulation."""

import itertools

import jax
import mpmath as mp
import numpy as np
import pytest
from feature_oracle import DIGITS, NODES, Oracle, exact, padded, relative

from ci_theory._errors import Status
from ci_theory.theory.features.random_features import random_feature_risk
from ci_theory.theory.features.repeated_features import repeated_feature_risk
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.groups import Groups, plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic, power_law

SLOW = padded(power_law(40, 1.2, source=0.4, tail=True))
FINITE = padded(isotropic(30, signal=2.0))
# (fresh, repeated, repeats, p): p equal to the number of distinct rows, below and above
SIZES = [
    (25, 5, 20, 30),
    (25, 5, 20, 31),
    (60, 10, 50, 20),
    (10, 10, 3, 200),
    (0, 30, 7, 30),
    (90, 3, 1000, 40),
]
POINTS = list(itertools.product(SIZES, [1e-12, 1e-8, 1e-4, 10.0, 3e6]))


def reference(oracle, groups, p, ridge):
    """Solve the two equations by bisection in gamma; the risk by subtraction, at 60 digits."""

    def shares(gamma):
        z = oracle.df1(gamma)
        if z >= p:
            return None
        s = p * ridge / (gamma * (p - z))
        return z, s, [c / (s + c * z) for _, c, _ in groups]

    def surplus(gamma):
        found = shares(gamma)
        if found is None:
            return mp.mpf(-1)
        return sum(n * a for (n, _, _), a in zip(groups, found[2], strict=True)) - 1

    gamma = oracle.root(surplus, mp.mpf(10) ** -30, mp.mpf(10) ** 8)
    z, _, a = shares(gamma)
    q = oracle.df2(gamma)
    u, b = z - q, p - z
    degrees = z - u * b / (b + u)
    approximation = oracle.power(lambda v: gamma * (gamma + v * u / (b + u)) / (v + gamma) ** 2)
    squares = [n * share**2 for (n, _, _), share in zip(groups, a, strict=True)]
    noise = sum(w * v for w, (_, _, v) in zip(squares, groups, strict=True))
    excess = (approximation + degrees * noise) / (1 - degrees * sum(squares))
    forgotten = [1 - share * z for share in a]
    alone = degrees * noise / (1 - degrees * sum(squares))
    return {
        "gamma": gamma,
        "excess_risk": excess,
        "effective_rows": 1 / sum(squares),
        "approximation": approximation,
        "noise_variance": alone,
    }, {
        "forgotten": forgotten,
        "leverage": [share * z for share in a],
        "shares": a,
        "residual": [
            (left**2) * (excess + v) for left, (_, _, v) in zip(forgotten, groups, strict=True)
        ],
    }


@jax.jit
def batch(spectrum, shared, noise, *columns):
    def risk(fresh, repeated, repeats, p, ridge):
        rows = repeated_rows(fresh, repeated, repeats, noise, shared)
        return repeated_feature_risk(spectrum, rows, p, ridge)

    return jax.vmap(risk)(*columns)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("spectrum", [SLOW, FINITE], ids=["slow", "finite"])
def test_matches_the_two_equations_at_60_digits(spectrum, shared):
    noise = 0.3
    columns = [np.array(v, float) for v in zip(*[(*s, r) for s, r in POINTS], strict=True)]

    ours = batch(spectrum, shared, noise, *columns)
    assert np.all(np.asarray(ours.status) == Status.OK)
    worst = {}
    with mp.workdps(DIGITS):
        oracle = Oracle(spectrum)
        for i, ((fresh, repeated, repeats, p), ridge) in enumerate(POINTS):
            second = exact(noise) if shared else exact(noise) / repeats
            groups = [(fresh, 1, exact(noise)), (repeated, repeats, second)]
            wanted, of_rows = reference(oracle, groups, p, exact(ridge))
            errors = {k: relative(getattr(ours, k)[i], v) for k, v in wanted.items()}
            for k, values in of_rows.items():
                pairs = zip(getattr(ours, k)[i], values, strict=True)
                errors[k] = max(relative(v, w) for v, w in pairs)
            worst = {k: max(worst.get(k, 0.0), v) for k, v in errors.items()}
    assert max(worst.values()) < 1e-12, worst


@pytest.mark.parametrize(("n", "p"), [(40.0, 40.0), (60.0, 40.0), (40.0, 60.0)])
@pytest.mark.parametrize("ridge", [0.0, 1e-10, 1e-2])
def test_equal_weights_are_plain_rows_at_a_smaller_ridge(n, p, ridge):
    if n == p and ridge == 0:
        pytest.skip("the ridgeless peak")
    rows = Groups(counts=np.array([n]), weights=np.array([7.0]), noise=np.array([0.3]))
    weighted = repeated_feature_risk(SLOW, rows, p, 7 * ridge)
    plain = random_feature_risk(SLOW, n, p, ridge, 0.3)
    assert float(weighted.excess_risk) == pytest.approx(float(plain.excess_risk), rel=1e-12)
    residual = float(weighted.residual[0])
    assert residual == pytest.approx(float(plain.train_error), rel=1e-11, abs=1e-30)


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_many_features_are_weighted_ridge_regression(ridge):
    rows = repeated_rows(50.0, 10.0, 20.0, 0.3, True)
    wide = repeated_feature_risk(SLOW, rows, 1e9, ridge)
    kernel = weighted_ridge_risk(SLOW, rows, ridge)
    assert float(wide.excess_risk) == pytest.approx(float(kernel.excess_risk), rel=1e-6)


@pytest.mark.parametrize("spectrum", [SLOW, FINITE], ids=["slow", "finite"])
@pytest.mark.parametrize("p", [20.0, 45.0, 200.0])
def test_ridge_zero_is_the_limit(spectrum, p):
    rows = repeated_rows(50.0, 10.0, 20.0, 0.3, True)
    zero = repeated_feature_risk(spectrum, rows, p, 0.0)
    tiny = repeated_feature_risk(spectrum, rows, p, 1e-11)
    assert int(zero.status) == Status.OK
    assert float(zero.excess_risk) == pytest.approx(float(tiny.excess_risk), rel=1e-5)
    assert np.allclose(zero.leverage, tiny.leverage, rtol=1e-5)


def test_interpolators_do_not_feel_the_repeats():
    risks = [
        repeated_feature_risk(SLOW, repeated_rows(50.0, 10.0, r, 0.3, True), 90.0, 0.0)
        for r in (1.0, 5.0, 100.0)
    ]
    first = float(risks[0].excess_risk)
    assert all(float(r.excess_risk) == pytest.approx(first, rel=1e-13) for r in risks)


def test_worst_repeat_count_is_the_budget_over_the_features():
    """Ridgeless, data-rich: the excess peaks near r = N/p, here within a fifth."""
    p, share = 40.0, 0.3
    budget = 1000 * p
    repeats = np.geomspace(50, 20000, 121)

    def excess(r):
        repeated = share * budget / r
        rows = repeated_rows((1 - share) * budget, repeated, r, 1.0, True)
        return repeated_feature_risk(SLOW, rows, p, 0.0).excess_risk

    curve = np.asarray(jax.vmap(excess)(repeats))
    assert repeats[np.argmax(curve)] == pytest.approx(budget / p, rel=0.2)


def test_outcomes():
    peak = repeated_feature_risk(SLOW, repeated_rows(30.0, 10.0, 5.0, 0.3, True), 40.0, 0.0)
    assert int(peak.status) == Status.NOT_FINITE
    assert np.isposinf(float(peak.excess_risk))
    for rows, p, ridge in [
        (plain_rows(0.0, 0.1), 40.0, 1.0),
        (plain_rows(10.0, 0.1), 0.0, 1.0),
        (plain_rows(10.0, 0.1), 40.0, -1.0),
    ]:
        bad = repeated_feature_risk(SLOW, rows, p, ridge)
        assert int(bad.status) == Status.OUT_OF_SCOPE
        assert np.isnan([bad.excess_risk, bad.noise_variance, bad.gamma]).all()


def test_rows_of_weight_zero_are_not_there():
    there = repeated_feature_risk(SLOW, plain_rows(30.0, 0.1), 50.0, 1e-3)
    rows = Groups(counts=[30.0, 99.0], weights=[1.0, 0.0], noise=[0.1, 5.0])
    padded = repeated_feature_risk(SLOW, rows, 50.0, 1e-3)
    assert float(padded.excess_risk) == pytest.approx(float(there.excess_risk), rel=1e-13)


@jax.jit
def excess(*x):
    rows = repeated_rows(x[0], x[1], x[2], 0.3, True)
    return repeated_feature_risk(SLOW, rows, x[3], x[4]).excess_risk


slopes_of = jax.jit(jax.grad(excess, argnums=(0, 1, 2, 3, 4)))


@pytest.mark.parametrize("p", [60.0, 45.0])
def test_gradients(p):
    point = [50.0, 10.0, 20.0, p, 1e-3]

    slopes = slopes_of(*point)
    for i, slope in enumerate(slopes):
        h = 3e-6 * point[i]
        ends = []
        for sign in (1, -1):
            moved = list(point)
            moved[i] += sign * h
            ends.append(float(excess(*moved)))
        assert float(slope) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5), i


@pytest.mark.parametrize(
    ("fresh", "repeated", "repeats", "p", "ridge", "shared"),
    [
        (80, 20, 10, 50, 0.0, True),
        (80, 20, 10, 50, 0.0, False),
        (60, 20, 10, 80, 0.5, True),
        (40, 20, 5, 150, 0.2, True),
    ],
)
def test_simulated(fresh, repeated, repeats, p, ridge, shared):
    modes, noise, trials = 200, 0.5, 300
    spectrum = power_law(modes, 1.3, source=0.5, tail=False)
    lam = np.asarray(spectrum.eigenvalues)
    w = np.sqrt(np.asarray(spectrum.power) / lam)
    weight = np.r_[np.ones(fresh), np.full(repeated, float(repeats))]
    variance = noise * np.where(weight > 1, 1.0 if shared else 1 / repeats, 1.0)
    rng, sample = np.random.default_rng(5), []
    for _ in range(trials):
        x = rng.standard_normal((len(weight), modes)) * np.sqrt(lam)
        g = rng.standard_normal((modes, p)) / np.sqrt(p)
        phi = x @ g
        weighted = phi.T * weight
        onto = np.sqrt(lam)[:, None] * (
            g @ np.linalg.solve(weighted @ phi + ridge * np.eye(p), weighted)
        )
        misfit = onto @ (x @ w) - np.sqrt(lam) * w
        sample.append(misfit @ misfit + np.sum(onto**2 * variance))
    rows = repeated_rows(fresh, repeated, repeats, noise, shared)
    nodes = compress(spectrum, pad_to=NODES)
    wanted = float(repeated_feature_risk(nodes, rows, p, ridge).excess_risk)
    error = np.std(sample) / np.sqrt(trials)
    assert abs(np.mean(sample) - wanted) < 4 * error + 2 * wanted / min(p, len(weight))
    plain = float(random_feature_risk(nodes, len(weight), p, ridge, noise).excess_risk)
    if shared:  # and it is not the formula for rows seen once
        assert abs(np.mean(sample) - wanted) < 0.5 * abs(plain - wanted)


def test_at_the_ridgeless_peak_rows_are_fitted_without_a_residual():
    found = repeated_feature_risk(isotropic(100), repeated_rows(30, 20, 4, 0.3, True), 50, 0.0)
    assert int(found.status) == Status.NOT_FINITE
    assert np.isposinf(found.excess_risk)
    assert found.residual.tolist() == found.forgotten.tolist() == [0.0, 0.0]
