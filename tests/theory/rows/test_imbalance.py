"""Imbalanced mixture: 50-digit references from the raw formulas, limits, Monte Carlo, gradients."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.special import ndtr

from ci_theory._errors import Status
from ci_theory.theory.rows import imbalance
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, isotropic, power_law


def _reference(values, squares, majority, minority, ridge):
    """Scores and errors with the intercept and class means eliminated one by one, 60 digits.

    This is the unsimplified route: G ~ kappa-form of (W + ridge)^-1, quadratic forms Q and V of
    the noisy mean difference, and the fitted intercept; nothing of it is shared with the package.
    """
    with mpmath.workdps(60):
        lam = [mpmath.mpf(float(v)) for v in values]
        d2 = [4 * mpmath.mpf(float(m)) for m in squares]
        npl, nmi = mpmath.mpf(majority), mpmath.mpf(minority)
        delta = mpmath.mpf(ridge) if ridge else mpmath.mpf(10) ** -45
        n = npl + nmi
        rows = n - 2

        def gap(t):
            k = mpmath.e**t
            return sum(v / (v + k) for v in lam) + delta / k - rows

        low, high = mpmath.mpf(-140), mpmath.mpf(60)
        for _ in range(240):
            mid = (low + high) / 2
            low, high = (mid, high) if gap(mid) > 0 else (low, mid)
        k = mpmath.e**low
        s = delta / k
        df1 = sum(v / (v + k) for v in lam)
        df2 = sum((v / (v + k)) ** 2 for v in lam)
        h = 1 / npl + 1 / nmi
        a = sum(d / (v + k) for d, v in zip(d2, lam, strict=True)) / s
        q = a + h * df1 / s
        v2 = (sum(d * v / (v + k) ** 2 for d, v in zip(d2, lam, strict=True)) + h * df2) / s**2
        v2 /= 1 - df2 / rows
        t = (2 * npl * nmi / n) / (1 + npl * nmi / n * q)
        mean = (npl - nmi) / n
        plus = mean - t * df1 / (s * npl) + t * nmi / n * q
        minus = mean + t * df1 / (s * nmi) - t * npl / n * q
        sd = t * mpmath.sqrt(v2)
        return {
            "kappa": k,
            "error_majority": mpmath.ncdf(-plus / sd),
            "error_minority": mpmath.ncdf(minus / sd),
            "balanced_error": (mpmath.ncdf(-plus / sd) + mpmath.ncdf(minus / sd)) / 2,
            "balanced_error_optimal": mpmath.ncdf(-a / (2 * mpmath.sqrt(v2))),
            "score_gap": plus - minus,
            "score_majority": plus,
            "score_minority": minus,
            "score_spread": sd,
        }


def _worlds():
    p = 40
    flat = np.ones(p), np.full(p, 1.2 / p)
    slow = np.arange(1.0, p + 1) ** -1.2
    return {"flat": flat, "slow": (slow, 1.5 * slow**0.5 / p)}


POINTS = [
    (name, majority, minority, ridge)
    for name, (majority, minority), ridge in itertools.product(
        ("flat", "slow"),
        [(20, 20), (37, 5), (39, 3), (38, 2), (90, 10), (500, 4), (10, 6), (4000, 2000)],
        [0.0, 1e-12, 1e-8, 1e-3, 1.0, 300.0],
    )
    if not (ridge == 0.0 and majority + minority - 2 == 40)
]


@pytest.mark.parametrize("name", ["flat", "slow"])
def test_against_high_precision(name):
    values, squares = _worlds()[name]
    points = [q for q in POINTS if q[0] == name]
    spectrum = explicit(values, squares / values)
    grid = jnp.array([q[1:] for q in points], float)
    risk = jax.jit(jax.vmap(lambda g: imbalance.mixture_risk(spectrum, g[0], g[1], g[2])))(grid)
    assert np.all(risk.status == Status.OK)
    assert len(points) >= 45
    for i, point in enumerate(points):
        for key, wanted in _reference(values, squares, *point[1:]).items():
            if point[3] == 0 and key == "kappa":
                continue  # the reference stands at ridge 1e-45
            got = float(getattr(risk, key)[i])
            # a score may pass through zero: its scale is the spread of the scores
            scale = max(abs(wanted), 1.0 if key.startswith("score_m") else 0.0)
            if key.startswith("error"):  # d err = phi(z) dz, and z passes through zero
                scale = max(abs(wanted), 1e-300)
            assert abs(got - wanted) <= 1e-12 * scale, (point, key, got, float(wanted))


def test_pole_loses_the_direction():
    risk = imbalance.mixture_risk(isotropic(40, 1.0), 38, 4, 0.0)
    assert float(risk.balanced_error_optimal) == 0.5
    near = imbalance.mixture_risk(isotropic(40, 1.0), 38, 4, 1e-10)
    assert 0.45 < float(near.balanced_error_optimal) < 0.5


def test_fisher_limit():
    """Infinitely many rows: Fisher's direction, threshold set by the regression on labels."""
    values, squares = _worlds()["slow"]
    share, n = 0.1, 1e12
    risk = imbalance.mixture_risk(
        explicit(values, squares / values), (1 - share) * n, share * n, 0.0
    )
    # population least squares with intercept, solved as a (p+1) linear system
    mu = np.sqrt(squares)
    centre = (1 - 2 * share) * mu
    second = np.diag(values) + np.outer(mu, mu)
    p = len(mu)
    system = np.block([[second, centre[:, None]], [centre[None, :], np.ones((1, 1))]])
    right = np.append(mu, 1 - 2 * share)
    solved = np.linalg.solve(system, right)
    w, b = solved[:p], solved[p]
    sd = np.sqrt(w @ (values * w))
    np.testing.assert_allclose(risk.error_minority, ndtr((b - w @ mu) / sd), rtol=1e-9)
    np.testing.assert_allclose(risk.error_majority, ndtr(-(b + w @ mu) / sd), rtol=1e-9)


def test_equal_classes_are_treated_equally_and_swapping_swaps():
    spectrum = power_law(50, 1.2, tail=True)
    even = imbalance.mixture_risk(spectrum, 60, 60, 0.1)
    np.testing.assert_allclose(even.error_majority, even.error_minority, rtol=1e-13)
    np.testing.assert_allclose(even.balanced_error, even.balanced_error_optimal, rtol=1e-12)
    one, other = (imbalance.mixture_risk(spectrum, *c, 0.1) for c in ((90, 30), (30, 90)))
    np.testing.assert_allclose(one.error_minority, other.error_majority, rtol=1e-12)


def test_shift_equalises_and_is_optimal():
    risk = imbalance.mixture_risk(isotropic(50, 1.0), 180, 20, 3.0)
    shift = imbalance.post_hoc_shift(risk)
    both = imbalance.shifted_errors(risk, shift)
    np.testing.assert_allclose(both, [float(risk.balanced_error_optimal)] * 2, rtol=1e-12)
    for prior in (0.2, 0.9):

        def cost(tau, prior=prior):
            plus, minus = imbalance.shifted_errors(risk, tau)
            return prior * plus + (1 - prior) * minus

        best = imbalance.post_hoc_shift(risk, prior)
        assert abs(float(jax.grad(cost)(best))) < 1e-12
        assert float(cost(best)) < min(float(cost(best - 0.1)), float(cost(best + 0.1)))


@pytest.mark.parametrize(("n", "ridge"), [(200, 0.0), (200, 5.0), (30, 0.0), (52, 1e-8)])
def test_the_minority_is_lost_where_its_error_is_half(n, ridge):
    spectrum = isotropic(50, 1.3)
    share, status = imbalance.lost_minority(spectrum, n, ridge)
    assert int(status) == Status.OK
    at = imbalance.mixture_risk(spectrum, (1 - share) * n, share * n, ridge)
    assert abs(float(at.error_minority) - 0.5) < 1e-12
    below = imbalance.mixture_risk(spectrum, (1 - 0.9 * share) * n, 0.9 * share * n, ridge)
    assert float(below.error_minority) > 0.5


def test_empty_and_impossible_inputs_are_statuses():
    spectrum = isotropic(10, 1.0)
    assert int(imbalance.mixture_risk(spectrum, 1.0, 1.0, 0.1).status) == Status.OUT_OF_SCOPE
    assert int(imbalance.mixture_risk(spectrum, 10.0, 5.0, -0.1).status) == Status.OUT_OF_SCOPE
    assert int(imbalance.mixture_risk(spectrum, 10.0, np.inf, 0.1).status) == Status.OK
    endless = imbalance.mixture_risk(spectrum, np.inf, np.inf, 0.1)
    assert int(endless.status) == Status.NOT_FINITE
    assert int(imbalance.lost_minority(spectrum, 2.0, 0.1).status) == Status.OUT_OF_SCOPE


def test_means_that_differ_where_nothing_varies_are_infinitely_far_apart():
    """But for a ridge; and a part of the difference on a tail counts alike."""
    flat = Spectrum(
        eigenvalues=np.array([2.0, 0.0]),
        multiplicity=np.array([5.0, 1.0]),
        power=np.array([0.3, 0.7]),
        tail_trace=np.zeros(()),
        tail_power=np.array(0.1),
    )
    assert float(imbalance.separation(flat, 0.0)) == np.inf
    for power, tail in (([0.3, 0.7], 0.0), ([0.3, 0.0], 0.1)):  # either alone
        part = dataclasses.replace(flat, power=np.array(power), tail_power=np.array(tail))
        assert float(imbalance.separation(part, 0.0)) == np.inf
    assert float(imbalance.separation(flat, 0.5)) == pytest.approx(4 * (0.3 / 2.5 + 0.8 / 0.5))
    varied = explicit([2.0, 1.0], [0.1, 0.4])
    assert float(imbalance.separation(varied, 0.0)) == pytest.approx(4 * (0.1 + 0.4))


def test_padding_and_tail():
    spectrum = power_law(30, 1.5, tail=True)
    padded = Spectrum(
        eigenvalues=np.append(spectrum.eigenvalues, [1.0, 1.0]),
        multiplicity=np.append(spectrum.multiplicity, [0.0, 0.0]),
        power=np.append(spectrum.power, [0.0, 0.0]),
        tail_trace=spectrum.tail_trace,
        tail_power=spectrum.tail_power,
    )
    for ridge in (0.0, 1.0):
        np.testing.assert_allclose(
            imbalance.mixture_risk(padded, 50, 9, ridge)[:-1],
            imbalance.mixture_risk(spectrum, 50, 9, ridge)[:-1],
            rtol=1e-14,
        )
    # the tail stands for many small modes
    k = 1e9
    fine = Spectrum(
        eigenvalues=np.append(spectrum.eigenvalues, spectrum.tail_trace / k),
        multiplicity=np.append(spectrum.multiplicity, k),
        power=np.append(spectrum.power, spectrum.tail_power),
        tail_trace=np.zeros(()),
        tail_power=np.zeros(()),
    )
    for ridge in (0.0, 1.0):
        np.testing.assert_allclose(
            imbalance.mixture_risk(fine, 50, 9, ridge)[:-1],
            imbalance.mixture_risk(spectrum, 50, 9, ridge)[:-1],
            rtol=1e-6,
        )


@pytest.mark.parametrize("ridge", [0.0, 0.7])
@pytest.mark.parametrize(("majority", "minority"), [(90.0, 20.0), (30.0, 8.0)])
def test_gradients(majority, minority, ridge):
    values, squares = _worlds()["slow"]

    def f(theta):
        spectrum = explicit_traced(values * theta[3], squares)
        risk = imbalance.mixture_risk(spectrum, theta[0], theta[1], theta[2])
        return risk.error_minority + risk.balanced_error_optimal

    def explicit_traced(eigenvalues, power):
        zero = jnp.zeros(())
        ones = jnp.ones_like(eigenvalues)
        return Spectrum(
            eigenvalues=eigenvalues,
            multiplicity=ones,
            power=jnp.asarray(power),
            tail_trace=zero,
            tail_power=zero,
        )

    at = jnp.array([majority, minority, ridge, 1.0])
    slope = jax.grad(f)(at)
    for i in range(4):
        step = 1e-6 if at[i] == 0 else 1e-5 * max(1.0, abs(float(at[i])))
        up, down = at.at[i].add(step), at.at[i].add(-step)
        if i == 2 and ridge == 0.0:  # one-sided, second order
            numeric = (-3 * f(at) + 4 * f(up) - f(at.at[i].add(2 * step))) / (2 * step)
        else:
            numeric = (f(up) - f(down)) / (2 * step)
        np.testing.assert_allclose(slope[i], numeric, rtol=2e-6, atol=1e-9)


def _simulate(rng, variances, mu, majority, minority, ridge):
    """One fit by the normal equations with an explicit intercept column."""
    n, p = majority + minority, len(mu)
    y = np.append(np.ones(majority), -np.ones(minority))
    x = y[:, None] * mu + rng.normal(size=(n, p)) * np.sqrt(variances)
    design = np.column_stack([x, np.ones(n)])
    penalty = np.diag(np.append(np.full(p, ridge), 0.0))
    solved = np.linalg.solve(design.T @ design + penalty, design.T @ y)
    w, b = solved[:p], solved[p]
    sd = np.sqrt(w @ (variances * w))
    plus, minus = w @ mu + b, b - w @ mu
    return ndtr(-plus / sd), ndtr(minus / sd), ndtr(-(plus - minus) / (2 * sd))


def test_against_simulation():
    rng = np.random.default_rng(3)
    p = 60
    flat = np.ones(p), np.full(p, 1.0 / np.sqrt(p))
    steep = np.arange(1.0, p + 1) ** -0.5
    skew = steep, np.sqrt(steep / p)
    for (variances, mu), majority, minority, ridge in [
        (flat, 270, 30, 0.0),
        (flat, 80, 20, 0.0),
        (flat, 30, 20, 10.0),
        (skew, 270, 30, 5.0),
    ]:
        risk = imbalance.mixture_risk(
            explicit(variances, mu**2 / variances), majority, minority, ridge
        )
        runs = np.array(
            [_simulate(rng, variances, mu, majority, minority, ridge) for _ in range(150)]
        )
        error = runs.std(axis=0) / np.sqrt(len(runs))
        wanted = np.array(
            [risk.error_majority, risk.error_minority, risk.balanced_error_optimal], float
        )
        slack = 0.4 * wanted * (1 / minority + 1 / (majority + minority))
        assert np.all(np.abs(runs.mean(axis=0) - wanted) < 4 * error + slack)
        # the same data reject the formula without the noise of the class means
        pairs = majority * minority / (majority + minority)
        quiet = imbalance.mixture_risk(
            explicit(variances, mu**2 / variances), majority * 1e3, minority * 1e3, ridge * 1e3
        )
        assert pairs > 1
        assert abs(runs[:, 2].mean() - float(quiet.balanced_error_optimal)) > 8 * error[2]


def test_the_gap_of_the_scores_keeps_its_digits_under_a_large_ridge():
    """The nearest-mean direction, shrunk: 2 n_+ n_-/n times the squared distance over the ridge."""
    for ridge in (1e9, 1e13):
        made = imbalance.mixture_risk(isotropic(20, signal=0.7), 30.0, 10.0, ridge)
        assert float(made.score_gap) * ridge == pytest.approx(2 * 7.5 * 4 * 0.7, rel=1e-6)
