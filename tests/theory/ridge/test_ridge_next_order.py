"""The next order of ridge regression: derivatives of its generating function, exact means."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.ridge.ridge_next_order import Sums, moved_risk, next_order
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra.spectrum import explicit, isotropic, power_law

VARIANCES = [1.0, 0.6, 0.25, 0.1, 0.03]
TARGET = [0.8, 0.3, 0.4, 0.05, 0.1]  # w^2
COUNT = 8  # modes of each


def saddle(n, ridge, t, u, c):
    """Last term 1/2 log(1 - gamma) at the saddle point, all by mpmath from the definition."""
    s, w2 = [mp.mpf(str(v)) for v in VARIANCES], [mp.mpf(str(v)) for v in TARGET]

    def first(r):
        h = COUNT * sum(a / (r * a + ridge) for a in s)
        return h - u * sum(b * a / (r * a + ridge) ** 2 for a, b in zip(s, w2, strict=True))

    def gap(r):
        tau = first(r)
        return r - t - n * c / (1 + c * tau)

    r = mp.findroot(gap, (mp.mpf(n) / 3, mp.mpf(n)), solver="anderson", tol=1e-50)
    tau = first(r)
    second = -COUNT * sum(a**2 / (r * a + ridge) ** 2 for a in s)
    second += 2 * u * sum(b * a**2 / (r * a + ridge) ** 3 for a, b in zip(s, w2, strict=True))
    return mp.log(1 + second * n * c**2 / (1 + c * tau) ** 2) / 2


def mixed(f, step):
    """Second mixed derivative at (0, 0)."""
    corners = [(i, j, i * j) for i in (-1, 1) for j in (-1, 1)]
    return sum(sign * f(i * step, j * step) for i, j, sign in corners) / (4 * step**2)


@pytest.mark.parametrize(("n", "ridge"), [(60, 3.0), (60, 0.01), (30, 0.5), (30, 1e-4)])
def test_shifts_are_derivatives_of_the_next_term(n, ridge):
    power = np.array(VARIANCES) * np.array(TARGET)
    spectrum = explicit(np.repeat(VARIANCES, COUNT), np.repeat(np.array(TARGET) / COUNT, COUNT))
    found = next_order(spectrum, n, ridge, 0.7)
    np.testing.assert_allclose(np.sum(spectrum.power), power.sum(), rtol=1e-12)
    with mp.workdps(60):
        step, delta = mp.mpf("1e-12"), mp.mpf(str(ridge))
        signal = -(delta**2) * mixed(lambda t, u: saddle(n, delta, t, u, mp.mpf(1)), step)
        noise = -mixed(lambda t, c: saddle(n, delta, t, mp.mpf(0), 1 + c), step)
    np.testing.assert_allclose(float(found.signal_shift), float(signal), rtol=1e-9)
    np.testing.assert_allclose(float(found.noise_shift), 0.7 * float(noise), rtol=1e-9)


@pytest.mark.parametrize(("n", "ridge"), [(60, 3.0), (30, 0.0), (300, 0.02)])
def test_the_limit_is_that_of_ridge_risk(n, ridge):
    spectrum = power_law(200, 1.4, 0.4, tail=True)
    found, risk = next_order(spectrum, n, ridge, 0.3), ridge_risk(spectrum, n, ridge, 0.3)
    np.testing.assert_allclose(found.noise, risk.noise_variance, rtol=1e-12)
    np.testing.assert_allclose(found.signal + found.noise, risk.excess_risk, rtol=1e-12)
    np.testing.assert_allclose(found.left, n * (1 - risk.gamma), rtol=1e-12)


@pytest.mark.parametrize(("n", "p"), [(200, 100), (100, 200), (130, 100)])
def test_isotropic_least_squares_is_exact_to_the_next_order(n, p):
    """Noise: min/(|n - p| - 1) exactly; the target keeps 1 - n/p of itself exactly."""
    found, gap = next_order(isotropic(float(p), 1.0), n, 0.0, 1.0), abs(n - p)
    exact = min(n, p) / (gap - 1)
    assert abs(found.noise + found.noise_shift - exact) < 2 * exact / gap**2
    assert abs(found.noise_shift / found.noise - 1 / gap) < 1e-12
    assert abs(found.signal_shift) < 1e-12


def test_no_row_is_left_at_any_peak_without_a_ridge():
    """As many rows as inputs, whatever their number: rounding leaves no part of a row."""
    sizes = np.arange(1.0, 401.0)
    made = jax.jit(jax.vmap(lambda n: next_order(isotropic(n), n, 0.0, 1.0)))(sizes)
    assert np.all(made.left == 0)
    assert np.all(made.status == Status.NOT_FINITE)
    near = jax.jit(jax.vmap(lambda n: next_order(isotropic(n), n + 1, 0.0, 1.0)))(sizes)
    assert np.all(near.status == Status.OK)
    np.testing.assert_allclose(near.left, 1.0, rtol=1e-12)
    assert int(next_order(isotropic(5.0), 0.0, 1.0, 1.0).status) != Status.OK


def test_a_simulation_of_a_power_law_with_a_tail_agrees():
    """The mean of 8000 draws is above the limit, and within error of limit and shift."""
    n, law = 40, power_law(60, 1.3, 0.6, tail=True)
    found = next_order(law, n, 0.0, 0.0)

    def risk(key):
        x = jax.random.normal(key, (n, 60)) * np.sqrt(law.eigenvalues)[None, :]
        target = np.sqrt(law.power / law.eigenvalues)
        kernel = x @ x.T + law.tail_trace * np.eye(n)
        fitted = x.T @ jax.numpy.linalg.solve(kernel, np.eye(n))
        off = fitted @ (x @ target) - target
        noise = law.tail_power * jax.numpy.sum(law.eigenvalues[:, None] * fitted**2)
        return jax.numpy.sum(law.eigenvalues * off**2) + noise + law.tail_power

    keys = jax.random.split(jax.random.key(0), 8_000)
    values = np.asarray(jax.jit(lambda k: jax.lax.map(risk, k, batch_size=100))(keys))
    error = values.std() / len(values) ** 0.5
    assert abs(values.mean() - float(found.signal)) > 8 * error
    left = values.mean() - float(found.signal + found.signal_shift)
    assert abs(left) < 4 * error + 4 * float(found.signal) / float(found.left) ** 2


@pytest.mark.parametrize(
    ("status", "told"),
    [(Status.OK, Status.NOT_FINITE), (Status.OUT_OF_SCOPE, Status.OUT_OF_SCOPE)],
)
def test_rows_left_that_are_no_number_are_never_told_as_fine(status, told):
    sums = Sums(*(jnp.array(v) for v in (jnp.nan, 50.0, 50.0, 50.0)))
    found = moved_risk(sums, (jnp.zeros(()),) * 3, 1.0, status)
    assert jnp.isnan(found.left)
    assert int(found.status) == told
