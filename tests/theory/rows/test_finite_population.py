"""Finite population: minimal loss differentiated at 80 digits, Haar simulation, limits."""

import itertools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.rows.finite_population import population_risk
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups, plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import explicit, isotropic, power_law

P = 12
SLOW = np.arange(1.0, P + 1) ** -1.2
SQUARES = np.cos(np.arange(P)) ** 2 / P


def _minimal_loss(values, squares, population, rows, ridge):
    """Mean of min_w sum c (y - x.w)^2 + ridge |w|^2; rows is a list of (count, weight, noise).

    The weights are compressed by a Haar frame: e solves the pair of free-probability equations
    sum c e/(1 + c e) = D(kappa) and kappa D N = ridge e (N - D). The squared errors of a group
    of rows, also of rows left out (weight 0), are derivatives of this loss.
    """

    def degrees(kappa):
        return sum(v / (v + kappa) for v in values)

    def gap(log_kappa):
        kappa = mpmath.e**log_kappa
        d = degrees(kappa)
        e = kappa * d * population / (ridge * (population - d))
        return d - sum(n * c * e / (1 + c * e) for n, c, _ in rows)

    low, high = mpmath.mpf(-120), mpmath.mpf(40)
    for _ in range(250):
        mid = (low + high) / 2
        low, high = (mid, high) if gap(mid) > 0 else (low, mid)
    kappa = mpmath.e**low
    d = degrees(kappa)
    e = kappa * d * population / (ridge * (population - d))
    signal = ridge * sum(v * w / (v + kappa) for v, w in zip(values, squares, strict=True))
    return signal + sum(v * n * c / (1 + c * e) for n, c, v in rows)


def _reference(population, fresh, repeated, repeats, ridge, noise):
    with mpmath.workdps(80):
        values = [mpmath.mpf(float(v)) for v in SLOW]
        squares = [mpmath.mpf(float(v)) for v in SQUARES]
        step = mpmath.mpf(10) ** -18
        left = population - fresh - repeated

        def loss(once, often, out):
            rows = [(fresh, once, noise), (repeated, often, noise), (left, out, mpmath.mpf(0))]
            return _minimal_loss(values, squares, population, rows, mpmath.mpf(ridge))

        one, c, noise = mpmath.mpf(1), mpmath.mpf(repeats), mpmath.mpf(noise)
        excess = (loss(one, c, step) - loss(one, c, -step)) / (2 * step * left)
        up, down = loss(one, c * (1 + step), 0), loss(one, c * (1 - step), 0)
        return excess, (up - down) / (2 * step * c * repeated)


POINTS = list(
    itertools.product((13, 30), ((3, 2, 5), (6, 6, 1), (7, 5, 40), (10, 2, 3)), (1e-6, 0.05, 4.0))
)


def test_against_high_precision():
    spectrum = explicit(SLOW, SQUARES)

    def one(q):
        rows = repeated_rows(q[1], q[2], q[3], 0.3, True)
        return population_risk(spectrum, q[0], rows, q[4])

    points = np.array([[size, *rows, ridge] for size, rows, ridge in POINTS], float)
    risk = jax.jit(jax.vmap(one))(points)
    assert np.all(risk.status == Status.OK)
    for i, point in enumerate(points):
        excess, repeated = _reference(*point, 0.3)
        assert abs(float(risk.excess_risk[i]) - excess) <= 1e-12 * excess, point
        assert abs(float(risk.residual[i, 1]) - repeated) <= 1e-12 * repeated, point


@pytest.mark.parametrize("ridge", [0.0, 1e-9, 0.3])
@pytest.mark.parametrize("rows", [(20, 10, 4), (60, 10, 4)])
def test_large_populations_are_the_usual_formula(rows, ridge):
    spectrum = power_law(40, 1.3, tail=False)
    groups = repeated_rows(*rows, 0.2, False)
    usual = weighted_ridge_risk(spectrum, groups, ridge)
    for size in (1e14, jnp.inf):
        risk = population_risk(spectrum, size, groups, ridge)
        assert int(risk.status) == Status.OK
        np.testing.assert_allclose(risk.excess_risk, usual.excess_risk, rtol=1e-11)
        np.testing.assert_allclose(risk.residual, usual.residual, rtol=1e-11, atol=1e-25)
        np.testing.assert_allclose(risk.df1, usual.fixed_point.df1, rtol=1e-11)
    ten, twenty = (
        float(population_risk(spectrum, size, groups, ridge).excess_risk) for size in (1e5, 2e5)
    )
    first, second = ten - float(usual.excess_risk), twenty - float(usual.excess_risk)
    if abs(first) > 1e-10:  # of order 1/N
        np.testing.assert_allclose(first / second, 2.0, rtol=2e-2)


def test_nothing_is_learned_of_the_rest_of_an_isotropic_population_of_full_rank():
    risk = population_risk(isotropic(50, 2.0), 50, plain_rows(30, 0.7), 0.4)
    np.testing.assert_allclose(risk.excess_risk, 2.0, rtol=1e-13)


def test_the_whole_population_is_deterministic():
    """n = N: kappa = ridge/N, and the residual is the ridge projection of all labels."""
    size, ridge = 30, 0.8
    risk = population_risk(explicit(SLOW, SQUARES), size, plain_rows(size, 0.0), ridge)
    np.testing.assert_allclose(risk.kappa, ridge / size, rtol=1e-13)
    left = (ridge / (size * SLOW + ridge)) ** 2
    np.testing.assert_allclose(risk.residual[0], np.sum(left * SLOW * SQUARES), rtol=1e-12)


def test_impossible_inputs_are_statuses():
    spectrum = explicit(SLOW, SQUARES)
    for size, n, ridge in ((10, 5, 0.1), (20, 21, 0.1), (20, 0, 0.1), (20, 5, -1.0)):
        risk = population_risk(spectrum, size, plain_rows(n, 0.1), ridge)
        assert int(risk.status) == Status.OUT_OF_SCOPE
        assert np.isnan(risk.excess_risk)
    for counts, weights in (([9.0, -1.0], [1.0, 2.0]), ([9.0, 1.0], [1.0, -2.0])):
        odd = Groups(counts=np.array(counts), weights=np.array(weights), noise=np.ones(2))
        assert int(population_risk(spectrum, 30, odd, 0.1).status) == Status.OUT_OF_SCOPE
    dark = explicit(0 * SLOW, SQUARES)
    assert int(population_risk(dark, 30, plain_rows(5, 0.1), 0.1).status) == Status.OUT_OF_SCOPE
    whole = population_risk(spectrum, P, plain_rows(P, 0.1), 0.1)  # all there is
    assert int(whole.status) == Status.OK
    pole = population_risk(spectrum, 30, plain_rows(P, 0.1), 0.0)
    assert int(pole.status) == Status.NOT_FINITE
    assert np.isnan([pole.kappa, pole.df1, *pole.leverage, *pole.residual]).all()
    tail = population_risk(power_law(5, 1.5, tail=True), 30, plain_rows(8, 0.1), 0.1)
    assert int(tail.status) == Status.OUT_OF_SCOPE


@pytest.mark.parametrize(
    ("n", "repeated", "repeats", "ridge"), [(80, 0, 1, 20.0), (80, 30, 6, 0.5), (130, 40, 4, 3.0)]
)
def test_against_haar_simulation(n, repeated, repeats, ridge):
    rng = np.random.default_rng(4)
    size, p, noise = 160, 120, 0.3
    values = np.arange(1.0, p + 1) ** -1.1
    power = values**1.4 / np.sum(values**1.4)
    weights = np.ones(n)
    weights[:repeated] = repeats
    runs = []
    for _ in range(300):
        frame, _ = np.linalg.qr(rng.normal(size=(size, p)))
        x = np.sqrt(size * values) * frame
        y = x @ np.sqrt(power / values)
        rooted = np.sqrt(weights)[:, None] * x[:n]
        gram = rooted @ rooted.T + ridge * np.eye(n)
        smooth = np.linalg.solve(gram, rooted @ x.T).T * np.sqrt(weights)
        miss = (y - smooth @ y[:n]) ** 2
        hat = np.eye(n) - smooth[:n]
        out = np.mean(miss[n:] + noise * np.sum(smooth[n:] ** 2, axis=1))
        inside = miss[:n] + noise * np.sum(hat**2, axis=1)
        runs.append([out, np.mean(inside[repeated:])])
    mean, error = np.mean(runs, axis=0), np.std(runs, axis=0) / np.sqrt(len(runs))
    groups = repeated_rows(n - repeated, repeated, repeats, noise, True)
    risk = population_risk(explicit(values, power / values), size, groups, ridge)
    wanted = np.array([risk.excess_risk, risk.residual[0]], float)
    assert np.all(np.abs(mean - wanted) < 3.5 * error + 0.5 * wanted / (size - n))
    usual = weighted_ridge_risk(explicit(values, power / values), groups, ridge)
    assert abs(mean[0] - float(usual.excess_risk)) > 5 * error[0]


def _excess(theta):
    size, fresh, repeated, ridge, noise, repeats, scale = theta
    rows = repeated_rows(fresh, repeated, repeats, noise, True)
    spectrum = isotropic(40.0, 1.0, scale)
    risk = population_risk(spectrum, size, rows, ridge)
    return risk.excess_risk + jnp.sum(risk.residual)


def test_gradients():
    f = jax.jit(jax.vmap(_excess))
    at = np.array([[90.0, fresh, 10.0, 0.3, 0.4, 3.0, 1.2] for fresh in (20.0, 60.0)])
    slope = jax.jit(jax.vmap(jax.grad(_excess)))(at)
    for i in range(at.shape[1]):
        move = np.zeros_like(at)
        move[:, i] = 1e-5 * at[:, i]
        numeric = (f(at + move) - f(at - move)) / (2 * move[:, i])
        np.testing.assert_allclose(slope[:, i], numeric, rtol=2e-6, atol=1e-9)


def test_as_many_rows_as_modes_keep_their_digits():
    """A ridge of 1e-12, where all but a millionth is memorised: forty digits by bisection."""
    rows = Groups(counts=np.array([30.0, 20.0]), weights=np.array([1.0, 4.0]), noise=np.zeros(2))
    made = population_risk(isotropic(50), 80.0, rows, 1e-12)
    with mpmath.workdps(40):

        def lacks(log_kappa):
            kappa = mpmath.exp(log_kappa)
            degrees = 50 / (1 + kappa)
            scale = mpmath.mpf("1e-12") / kappa * (1 - degrees / 80)
            return 30 / (scale + degrees) + 80 / (scale + 4 * degrees) - 1

        kappa = mpmath.exp(mpmath.findroot(lacks, (-60, 5), solver="bisect", maxsteps=200))
        assert abs(float(made.kappa) / kappa - 1) < 1e-11
        degrees = 50 / (1 + kappa)
        scale = mpmath.mpf("1e-12") / kappa * (1 - degrees / 80)
        for residual, weight in zip(made.residual, (1, 4), strict=True):
            kept = (scale / (scale + weight * degrees)) ** 2
            assert abs(float(residual / made.excess_risk) / kept - 1) < 1e-11
