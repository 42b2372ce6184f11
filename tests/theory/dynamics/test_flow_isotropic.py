"""Isotropic flow: against integrals over the law in high precision, stepping, and simulation."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.dynamics.flow_isotropic import (
    isotropic_descent,
    isotropic_flow,
    optimal_time,
    stable_rate,
)
from ci_theory.theory.ridge.isotropic import optimal_ridge
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra.marchenko_pastur import (
    bessel_ratio,
    eigenvalue_law,
    lower_edge,
    survival,
    survival_slope,
)
from ci_theory.theory.spectra.spectrum import isotropic

GAMMAS = [1e-3, 0.5, 0.9, 0.999, 1.0, 1.001, 1.5, 100.0]
flow = jax.jit(isotropic_flow)
descent = jax.jit(isotropic_descent)


def average(function, gamma, scale=1):
    """Average over the law, from its density as a function of the angle; ``scale`` of t + 1."""
    with mp.workdps(30):
        g = mp.mpf(gamma)
        root = mp.sqrt(g)
        sharp = min(1 / mp.sqrt(1 + root * scale), abs(mp.log(g)) or 1)
        cuts = [mp.pi - sharp * k for k in (0, 0.1, 0.3, 1, 3, 10, 30, 100, 1000) if sharp * k < 3]
        cuts = sorted({mp.mpf(0), mp.pi - min(1 / mp.sqrt(1 + root * scale), 1), *cuts})

        def density(angle):
            s = (1 - root) ** 2 + 4 * root * mp.cos(angle / 2) ** 2
            weight = mp.sin(angle) ** 2 if g != 1 else 4 * mp.sin(angle / 2) ** 2 * s / 4
            return 2 / mp.pi * weight / s * function(s) if s else mp.mpf(0)

        bulk = mp.quad(density, cuts)
        atom = max(mp.mpf(0), 1 - 1 / g)
        return bulk + (atom * function(mp.mpf(0)) if atom else 0)


def reference(gamma, noise, signal, start, level, forget, time):
    """Test and training excess from the modes' own solution, mode by mode."""
    g = mp.mpf(gamma)

    def learned(s):
        a = s + level
        return (1 - forget(a)) / a if a else mp.mpf(time)

    def excess(s):
        missed = 1 - s * learned(s)
        return start * forget(s + level) ** 2 + signal * missed**2 + noise * g * s * learned(s) ** 2

    def train(s):
        missed = 1 - s * learned(s)
        return s * (start * forget(s + level) ** 2 + signal * missed**2) + noise * g * (
            missed**2 - 1
        )

    return average(excess, gamma, time), noise + average(train, gamma, time)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_survival_and_its_slope_have_twelve_digits(gamma):
    with mp.workdps(30):
        edge = (1 - mp.sqrt(gamma)) ** 2
    for time in (0.0, 1e-3, 1.0, 30.0, 1e4):
        for ours, power in ((survival, 0), (survival_slope, 1)):
            shift = 0 if power == 0 and gamma > 1 else edge  # the integrator wants numbers near 1
            mean = average(
                lambda s, t=time, k=power, c=shift: s**k * mp.exp((c - s) * t), gamma, time
            )
            want = mp.exp(-shift * time) * mean
            if want > 1e-280:
                assert abs(float(ours(gamma, time)) / want - 1) < 1e-12, (time, power)


def test_survival_of_one_input_a_row_is_a_bessel_pair():
    for time in (1e-2, 3.0, 1e6):
        x = 2 * mp.mpf(time)
        want = mp.exp(-x) * (mp.besseli(0, x) + mp.besseli(1, x))
        assert abs(float(survival(1.0, time)) / want - 1) < 1e-12


@pytest.mark.parametrize("gamma", [0.3, 1.0, 1 + 1e-9, 5.0])
def test_edges_of_the_law(gamma):
    law = eigenvalue_law(gamma)
    with mp.workdps(30):
        low, high = ((1 + sign * mp.sqrt(mp.mpf(gamma))) ** 2 for sign in (-1, 1))
        assert float(lower_edge(gamma)) == pytest.approx(float(low), rel=1e-12, abs=0)
        assert float(law.lower) == pytest.approx(float(low), rel=1e-12, abs=0)
        assert float(law.upper) == pytest.approx(float(high), rel=1e-14)
    nodes = np.asarray(law.eigenvalues)
    assert nodes.min() >= float(law.lower)
    assert nodes.max() <= float(law.upper) * (1 + 1e-15)
    np.testing.assert_allclose(law.lower + law.above_edge, nodes, rtol=1e-15)
    assert float(law.atom) == pytest.approx(max(0.0, 1 - 1 / gamma), abs=1e-15)


def test_bessels_ratio_on_both_sides_of_its_series():
    for x in (0.0, 1e-9, 9.9e-4, 1.01e-3, 0.5, 40.0, 1e5):
        with mp.workdps(30):
            want = 2 * mp.exp(-mp.mpf(x)) * mp.besseli(1, x) / x if x else mp.mpf(1)
        assert float(bessel_ratio(x)) == pytest.approx(float(want), rel=1e-13)
    for x in (0.0, 1e-4):  # derivative -1 at 0
        assert float(jax.grad(bessel_ratio)(x)) == pytest.approx(-1 + 1.25 * x, rel=1e-7)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 5.0])
def test_moments_of_the_law(gamma):
    """Narayana numbers: E s^2 = 1 + gamma, E s^3 = 1 + 3 gamma + gamma^2."""
    law = eigenvalue_law(gamma)
    for power, want in [(1, 1), (2, 1 + gamma), (3, 1 + 3 * gamma + gamma**2)]:
        assert float(law.weights @ law.eigenvalues**power) == pytest.approx(want, rel=1e-13)
    assert float(jnp.sum(law.weights) + law.atom) == pytest.approx(1, rel=1e-13)


@pytest.mark.parametrize(("gamma", "ridge"), [(0.5, 0.0), (1.0, 0.0), (0.97, 1e-3), (3.0, 0.2)])
@pytest.mark.parametrize("time", [1e-6, 0.7, 25.0, 4e3])
def test_flow_is_the_average_over_modes(gamma, ridge, time):
    args = {"noise": 0.3, "signal": 1.2, "start": 0.4}
    found = flow(1.0, gamma, time, ridge=ridge, **args)
    excess, train = reference(gamma, *args.values(), ridge, lambda a: mp.exp(-a * time), time)
    assert int(found.status) == Status.OK
    assert abs(float(found.excess_risk) / excess - 1) < 1e-12
    assert abs(float(found.train_error) / train - 1) < 1e-12


@pytest.mark.parametrize(("gamma", "rate"), [(0.5, 0.01), (1.0, 0.49), (3.0, 0.2)])
@pytest.mark.parametrize("steps", [0, 1, 7, 800])
def test_descent_is_the_average_over_modes(gamma, rate, steps):
    args = {"noise": 0.3, "signal": 1.2, "start": 0.4}
    found = descent(1.0, gamma, steps, rate, ridge=0.05, **args)
    forget = lambda a: (1 - mp.mpf(rate) * a) ** steps  # noqa: E731
    excess, train = reference(gamma, *args.values(), 0.05, forget, rate * steps)
    assert abs(float(found.excess_risk) / excess - 1) < 1e-12
    assert abs(float(found.train_error) / train - 1) < 1e-12


@pytest.mark.parametrize("gamma", [0.4, 1.0, 2.5])
def test_the_noise_part_is_a_triangle_over_the_bessel_kernel(gamma):
    def kernel(v):
        if v == 0:
            return mp.mpf(1)
        x = 2 * mp.sqrt(gamma) * v
        return mp.exp(-(1 + mp.mpf(gamma)) * v) * 2 * mp.besseli(1, x) / x

    for time in (0.05, 2.0, 40.0):
        area = mp.quad(lambda v: v * kernel(v), [0, time / 4, time])
        area += mp.quad(lambda v, t=time: (2 * t - v) * kernel(v), [time, 2 * time])
        found = flow(1.0, gamma, time, noise=0.3)
        assert abs(float(found.noise_variance) / (0.3 * gamma * area) - 1) < 1e-12
        assert float(found.bias) == pytest.approx(float(survival(gamma, 2 * time)), rel=1e-13)
        train = survival_slope(gamma, 2 * time)
        train += 0.3 * (1 - gamma + gamma * survival(gamma, 2 * time))
        assert float(found.train_error) == pytest.approx(float(train), rel=1e-12)


def test_the_parts_add_up_and_each_has_its_source():
    at = {"noise": 0.3, "signal": 1.2, "start": 0.4, "ridge": 2.0}
    whole = flow(100, 150, 3.0, **at)
    alone = {
        "initial": {"noise": 0.0, "signal": 0.0},
        "bias": {"noise": 0.0, "start": 0.0},
        "noise_variance": {"signal": 0.0, "start": 0.0},
    }
    for part, off in alone.items():
        only = flow(100, 150, 3.0, **{**at, **off})
        assert float(getattr(whole, part)) == pytest.approx(float(only.excess_risk), rel=1e-12)
    parts = whole.initial + whole.bias + whole.noise_variance
    assert float(whole.excess_risk) == pytest.approx(float(parts), rel=1e-14)
    assert float(whole.test_error - whole.excess_risk) == pytest.approx(0.3, rel=1e-12)


def test_ends():
    begin = flow(100, 150, 0.0, 0.3, signal=1.2, start=0.4, ridge=2.0)
    assert float(begin.excess_risk) == pytest.approx(1.6, rel=1e-14)
    assert float(begin.train_error) == pytest.approx(1.9, rel=1e-14)
    for n, p, ridge in [(100, 150, 2.0), (100, 60, 0.0), (60, 100, 0.0), (80, 80, 1e-4)]:
        found = flow(n, p, jnp.inf, 0.3, signal=1.2, start=0.0, ridge=ridge)
        want = ridge_risk(isotropic(p, signal=1.2), n, ridge, 0.3)
        for field in ("excess_risk", "train_error"):
            got, wanted = float(getattr(found, field)), float(getattr(want, field))
            assert got == pytest.approx(wanted, rel=1e-11, abs=1e-13), (n, p, field)


def test_at_the_peak_noise_grows_for_ever():
    """gamma = 1: A(v) -> v^(-3/2)/(2 sqrt(pi)), the area -> (4 - 2 sqrt2) sqrt(t/pi)."""
    risks = [float(flow(1, 1, t, 1.0, signal=0.0).excess_risk) for t in (1e6, 1e8)]
    want = [float((4 - 2 * np.sqrt(2)) * np.sqrt(t / np.pi)) for t in (1e6, 1e8)]
    assert risks == pytest.approx(want, rel=2e-3)
    assert risks[1] / want[1] == pytest.approx(1, rel=2e-4)


def test_descent_is_the_flow_to_first_order_in_the_rate():
    want = float(flow(100, 130, 3.0, 0.3).excess_risk)
    off = [float(descent(100, 130, 3 / eta, eta, 0.3).excess_risk) - want for eta in (0.02, 0.01)]
    assert off[0] / off[1] == pytest.approx(2, rel=0.02)


def test_descent_diverges_beyond_the_stable_rate():
    edge = float(stable_rate(100, 50, 3.0))
    calm, wild = (
        descent(100, 50, [2000, 10**5][f > 1], f * edge, 0.3, ridge=3.0) for f in (0.99, 1.2)
    )
    limit = flow(100, 50, jnp.inf, 0.3, ridge=3.0)
    assert float(calm.excess_risk) == pytest.approx(float(limit.excess_risk), rel=1e-4)
    assert int(wild.status) == Status.NOT_FINITE
    for ridge in (0.0, 400.0):  # 2 over the largest curvature of all
        largest = float(eigenvalue_law(0.5).upper) + ridge / 100
        assert float(stable_rate(100, 50, ridge)) == pytest.approx(2 / largest, rel=1e-14)


class TestStopping:
    @pytest.mark.parametrize(
        ("gamma", "noise", "want"),
        [(0.5, 0.25, 4.004370), (1, 0.25, 2.465107), (2, 0.25, 1.118578), (1, 1.0, 0.680955)],
    )
    def test_known_times(self, gamma, noise, want):
        assert float(optimal_time(1, gamma, noise).value) == pytest.approx(want, abs=6e-7)

    def test_endless_rows_are_never_over_fitted(self):
        root = optimal_time(np.inf, 30.0, 0.3)
        assert (float(root.value), int(root.status)) == (np.inf, Status.OK)

    @pytest.mark.parametrize("gamma", [0.05, 0.97, 1.0, 2.0, 60.0])
    @pytest.mark.parametrize("noise", [1e-3, 0.3, 50.0])
    def test_it_is_the_minimum(self, gamma, noise):
        root = optimal_time(1.0, gamma, noise, 0.8, 0.2)
        assert int(root.status) == Status.OK
        best = float(root.value)
        around = best * np.exp(np.linspace(-0.02, 0.02, 3))
        below, least, above = (
            float(flow(1, gamma, t, noise, 0.8, 0.2).excess_risk) for t in around
        )
        assert least <= min(below, above)
        far = (
            flow(1, gamma, best * 1.5, noise, 0.8, 0.2),
            flow(1, gamma, best / 1.5, noise, 0.8, 0.2),
        )
        assert least < min(float(f.excess_risk) for f in far)

    @pytest.mark.parametrize("gamma", [0.4, 1.0, 7.0])
    def test_with_hardly_any_noise_the_slope_still_changes_sign(self, gamma):
        noise = 1e-9
        best = float(optimal_time(1.0, gamma, noise).value)
        for shift, sign in ((-1e-10, 1), (1e-10, -1)):
            t = mp.mpf(best) * (1 + shift)

            def slope(s, t=t):
                return s * mp.exp(-2 * s * t) - noise * gamma * (
                    mp.exp(-s * t) - mp.exp(-2 * s * t)
                )

            scale = average(lambda s, t=t: s * mp.exp(-2 * s * t), gamma, best)
            value = average(lambda s, c=scale: slope(s) / c, gamma, best)
            assert mp.sign(value) == sign

    def test_within_the_known_bound_of_the_best_ridge(self):
        """Ali, Kolter, Tibshirani: at most 1.2147 times the best ridge."""
        worst = 1.0
        for gamma in (0.25, 1.0, 4.0):
            for noise in (0.01, 0.3, 10.0):
                stopped = flow(1, gamma, optimal_time(1, gamma, noise).value, noise).excess_risk
                ridge = optimal_ridge(gamma, noise, 1.0)
                best = ridge_risk(isotropic(gamma), 1, ridge, noise).excess_risk
                worst = max(worst, float(stopped / best))
        assert 1.0 < worst < 1.04

    def test_nothing_to_fear_and_nothing_to_learn(self):
        assert float(optimal_time(10, 5, 0.0).value) == np.inf
        assert float(optimal_time(10, 5, 0.3, 0.0).value) == 0.0
        assert int(optimal_time(10, 5, -0.3).status) == Status.OUT_OF_SCOPE
        for n, p, signal in ((10, -5, 1.0), (10, 5, -1.0)):
            bad = optimal_time(n, p, 0.3, signal)
            assert int(bad.status) == Status.OUT_OF_SCOPE
            assert np.isnan(float(bad.value))


def test_gradients_are_finite_differences():
    def value(v):
        return isotropic_flow(100.0, v[0], v[1], v[2], v[3], v[4], v[5]).excess_risk

    def stepped(v):
        return isotropic_descent(100.0, v[0], 30, v[1] / 30, v[2], v[3], v[4], v[5]).train_error

    for function in (value, stepped):
        compiled, slopes = jax.jit(function), jax.jit(jax.grad(function))
        for p in (60.0, 140.0):
            point = jnp.array([p, 3.0, 0.3, 1.2, 0.4, 5.0])
            slope = slopes(point)
            for i, size in enumerate(point):
                h = 1e-5 * float(size)
                rise = compiled(point.at[i].add(h)) - compiled(point.at[i].add(-h))
                assert float(slope[i]) == pytest.approx(float(rise) / (2 * h), rel=1e-7), i

    def best(v):
        return optimal_time(100.0, v[0], v[1], v[2]).value

    point = jnp.array([70.0, 0.3, 1.2])
    slope = jax.grad(best)(point)
    for i in range(3):
        h = 1e-5 * float(point[i])
        rise = best(point.at[i].add(h)) - best(point.at[i].add(-h))
        assert float(slope[i]) == pytest.approx(float(rise) / (2 * h), rel=1e-6)


def test_bad_points_spoil_nothing():
    found = jax.vmap(lambda n, s: isotropic_flow(n, 50.0, 1.0, s))(
        jnp.array([100.0, 100.0, -1.0]), jnp.array([0.3, -0.3, 0.3])
    )
    assert found.status.tolist() == [Status.OK, Status.OUT_OF_SCOPE, Status.OUT_OF_SCOPE]
    for bad in ({"signal": -1.0}, {"start": -1.0}, {"ridge": -1.0}):
        at = {"signal": 1.0, "start": 0.0, "ridge": 0.0} | bad
        assert int(flow(100.0, 50.0, 1.0, 0.3, **at).status) == Status.OUT_OF_SCOPE
        assert int(descent(100.0, 50.0, 4, 0.1, 0.3, **at).status) == Status.OUT_OF_SCOPE
    alone = isotropic_flow(100.0, 50.0, 1.0, 0.3).excess_risk
    assert float(found.excess_risk[0]) == pytest.approx(float(alone), rel=1e-14)


@pytest.mark.parametrize(("n", "p", "ridge"), [(120, 80, 0.0), (80, 120, 4.0)])
def test_against_simulation(n, p, ridge):
    """Decomposed designs, averaged over start, target and noise; corrections are O(1/n)."""
    rng = np.random.default_rng(5)
    times = np.array([0.5, 4.0, 40.0])
    noise, signal, start = 0.4, 1.0, 0.3
    out = []
    for _ in range(200):
        s = np.linalg.svd(rng.normal(size=(n, p)), compute_uv=False) ** 2 / n
        s = np.pad(s, (0, p - len(s)))[:, None]
        a = s + ridge / n
        safe = np.where(a > 0, a, 1)
        e = np.exp(-a * times)
        h = np.where(a > 0, (1 - e) / safe, times)
        kept = 1 - s * h
        excess = start * e**2 + signal * kept**2 + noise * p / n * s * h**2
        train = s * (start * e**2 + signal * kept**2) + noise * p / n * (kept**2 - 1)
        out.append([excess.mean(0), noise + train.mean(0)])
    mean, error = np.mean(out, axis=0), np.std(out, axis=0) / len(out) ** 0.5
    found = [flow(n, p, t, noise, signal, start, ridge) for t in times]
    for row, field in enumerate(("excess_risk", "train_error")):
        want = np.array([float(getattr(f, field)) for f in found])
        assert np.all(np.abs(mean[row] - want) < 4 * error[row] + 2 / n * want), field
        wrong = np.array(
            [float(getattr(flow(n, p, 2 * t, noise, signal, start, ridge), field)) for t in times]
        )
        assert np.any(np.abs(mean[row] - wrong) > 4 * error[row] + 2 / n * wrong), field


def test_with_nothing_to_learn_training_is_best_not_begun():
    for rows in (100.0, np.inf):
        found = optimal_time(rows, 50.0, 0.25, signal=0.0)
        assert float(found.value) == 0
        assert int(found.status) == Status.OK


def test_no_step_changes_nothing_though_one_would_forget_all():
    """A rate of one over the ridge per row: what no row touches is gone after one step."""
    at = {"n": 100.0, "p": 200.0, "rate": 1.0, "noise": 0.1, "start": 2.0, "ridge": 100.0}
    assert float(isotropic_descent(steps=0, **at).excess_risk) == pytest.approx(3.0, rel=1e-12)
    with_start = isotropic_descent(steps=1, **at).initial
    assert float(with_start) == pytest.approx(2.0 * 3.0, rel=1e-12)  # E s^2 = 1 + p/n
