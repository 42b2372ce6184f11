"""Contamination: references by differentiating the minimal loss, identities, simulation."""

import itertools

import jax
import mpmath
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.rows.contamination import apparent_peak, contaminated_risk
from ci_theory.theory.spectra.spectrum import explicit, isotropic, power_law

P = 12
SLOW = np.arange(1.0, P + 1) ** -1.2
SQUARES = np.cos(np.arange(P)) ** 2 / P


def _free_energy(values, squares, rows, ridge, noise):
    """Mean minimal loss of weighted ridge, from the pair of Stieltjes equations.

    ``rows`` is a list of (count, weight). The derivative of the minimal loss with respect to the
    weight of a group is the sum of its squared residuals (envelope theorem), so no formula for
    an error is used anywhere.
    """

    def gap(log_s):
        s = mpmath.e**log_s
        e = sum(v / (s * v + ridge) for v in values)
        return sum(n * c / (1 + c * e) for n, c in rows) - s

    low, high = mpmath.mpf(-200), mpmath.mpf(30)
    for _ in range(250):
        mid = (low + high) / 2
        low, high = (mid, high) if gap(mid) > 0 else (low, mid)
    s = mpmath.e**low
    e = sum(v / (s * v + ridge) for v in values)
    signal = sum(ridge * v * w / (s * v + ridge) * s for v, w in zip(values, squares, strict=True))
    return signal + noise * sum(n * c / (1 + c * e) for n, c in rows)


def _reference(n, ridge, noise, leaked, repeats):
    """Error on fresh rows (a group of weight 0) and on leaked rows, by finite differences."""
    with mpmath.workdps(80):
        values = [mpmath.mpf(float(v)) for v in SLOW]
        squares = [mpmath.mpf(float(v)) for v in SQUARES]
        delta, sigma = mpmath.mpf(ridge), mpmath.mpf(noise)
        share = mpmath.mpf(leaked) * n
        step = mpmath.mpf(10) ** -18

        def loss(weight, probe):
            rows = [(n - share, mpmath.mpf(1)), (share, weight), (mpmath.mpf(10) ** -25, probe)]
            return _free_energy(values, squares, rows, delta, sigma)

        c = mpmath.mpf(repeats)
        test = (loss(c, step) - loss(c, -step)) / (2 * step) * mpmath.mpf(10) ** 25
        up, down = loss(c * (1 + step), 0), loss(c * (1 - step), 0)
        return test, (up - down) / (2 * step * c * share)


GRID = list(itertools.product((5, 12, 13, 60), (1e-6, 0.05, 4.0), (0.3,), ((1.0, 1), (0.2, 7))))


def test_against_high_precision():
    spectrum = explicit(SLOW, SQUARES)
    points = np.array([[n, r, s, *lc] for n, r, s, lc in GRID], float)
    risk = jax.jit(
        jax.vmap(lambda q: contaminated_risk(spectrum, q[0], q[1], q[2], 0.3, False, q[3], q[4]))
    )(points)
    assert np.all(risk.status == Status.OK)
    for i, point in enumerate(points):
        test, leaked = _reference(*point)
        assert abs(float(risk.test_error[i]) - test) <= 1e-12 * test
        assert abs(float(risk.leaked_error[i]) - leaked) <= 1e-12 * leaked
        apparent = mpmath.mpf(7) / 10 * test + mpmath.mpf(3) / 10 * leaked
        assert abs(float(risk.apparent_error[i]) - apparent) <= 1e-12 * apparent
        gap = (test - leaked) * mpmath.mpf(3) / 10
        assert abs(float(risk.gain[i]) - gap) <= 1e-12 * gap


def test_the_gain_keeps_its_digits():
    """Hardly any leverage: the gain is a 1e-9 of the error and is still right."""
    with mpmath.workdps(50):
        n, p = 10**10, 10
        h = mpmath.mpf(p) / n
        test = mpmath.mpf(0.5) * n / (n - p)
        gain = mpmath.mpf(0.25) * test * (1 - (1 - h) ** 2)
    risk = contaminated_risk(isotropic(p), n, 0.0, 0.5, 0.25)
    assert abs(float(risk.gain) - gain) < 1e-12 * gain


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("n", [20, 80])
def test_plain_rows_show_the_training_error(n, ridge):
    spectrum = power_law(40, 1.5, tail=False)
    plain = ridge_risk(spectrum, n, ridge, 0.4)
    risk = contaminated_risk(spectrum, n, ridge, 0.4, 1.0)
    np.testing.assert_allclose(risk.test_error, plain.test_error, rtol=1e-12)
    np.testing.assert_allclose(risk.apparent_error, plain.train_error, rtol=1e-12, atol=1e-25)
    fresh = contaminated_risk(spectrum, n, ridge, 0.4, 1.0, True)
    mallows = plain.train_error + 2 * 0.4 * (1 - plain.fit)
    np.testing.assert_allclose(fresh.apparent_error, mallows, rtol=1e-12)
    np.testing.assert_allclose(fresh.gain, plain.test_error - mallows, rtol=1e-11)
    none = contaminated_risk(spectrum, n, ridge, 0.4, 0.0)
    assert float(none.apparent_error) == float(none.test_error)
    assert float(none.gain) == 0.0


def test_relabelled_leaks_can_look_worse_than_fresh_rows():
    """An interpolator of small excess risk: leaked rows show the memorised noise twice."""
    spectrum = power_law(2000, 1.05, tail=True)
    risk = contaminated_risk(spectrum, 200, 0.0, 1.0, 0.5, True)
    assert float(risk.test_error - 1.0) < 1.0
    assert float(risk.gain) < 0
    np.testing.assert_allclose(risk.leaked_error, 2.0, rtol=1e-12)


def test_what_is_memorised_and_what_is_left():
    """The response of a leaked row's fit to its own label, and the rows that remain, drawn."""
    rng, n, leaked, repeats, ridge = np.random.default_rng(1), 40, 0.25, 6, 3.0
    count = np.where(np.arange(n) < leaked * n, repeats, 1)
    held = []
    for _ in range(400):
        x = rng.normal(size=(n, P)) * np.sqrt(SLOW)
        hat = x @ np.linalg.solve((x.T * count) @ x + ridge * np.eye(P), x.T * count)
        held.append(np.diag(hat)[count > 1].mean())
    risk = contaminated_risk(explicit(SLOW, SQUARES), n, ridge, 0.3, 0.1, False, leaked, repeats)
    assert float(risk.memorised) == pytest.approx(np.mean(held), rel=1 / n)
    # unit noise V alone: V = x/(1 - x), x the part of the rows that is used up
    quiet = contaminated_risk(
        explicit(SLOW, 0 * SQUARES), n, ridge, 1.0, 0.1, False, leaked, repeats
    )
    rows = float(risk.fit.fixed_point.effective_rows)
    assert float(risk.free) == pytest.approx(rows / float(quiet.test_error), rel=1e-10)
    assert float(risk.fit.excess_risk) == pytest.approx(float(risk.test_error) - 0.3, rel=1e-12)


def test_outside_the_domain_is_a_status():
    for phi, leaked in ((0.0, 0.0), (1.0, 1.0)):
        risk = contaminated_risk(isotropic(10), 30, 0.1, 0.1, phi, False, leaked)
        assert int(risk.status) == Status.OK
    for phi, leaked in ((1.5, 1.0), (-0.1, 1.0), (0.5, 1.2), (0.5, -0.2)):
        risk = contaminated_risk(isotropic(10), 30, 0.1, 0.1, phi, False, leaked)
        assert int(risk.status) == Status.OUT_OF_SCOPE


def test_against_simulation():
    """Literal copies and literal test sets of training rows."""
    rng = np.random.default_rng(2)
    n, p, ridge, noise, leaked, copies = 90, 60, 1.0, 0.5, 30, 4
    w = np.full(p, p**-0.5)
    runs = []
    for _ in range(400):
        x = rng.normal(size=(n, p))
        y = x @ w + np.sqrt(noise) * rng.normal(size=n)
        rows = np.append(np.arange(n), np.repeat(np.arange(leaked), copies - 1))
        a, b = x[rows], y[rows]
        fit = np.linalg.solve(a.T @ a + ridge * np.eye(p), a.T @ b)
        again = x[:leaked] @ w + np.sqrt(noise) * rng.normal(size=leaked)
        runs.append(
            [
                np.sum((fit - w) ** 2) + noise,
                np.mean((y - x @ fit)[:leaked] ** 2),
                np.mean((again - x[:leaked] @ fit) ** 2),
            ]
        )
    mean, error = np.mean(runs, axis=0), np.std(runs, axis=0) / np.sqrt(len(runs))
    kinds = [
        contaminated_risk(isotropic(p), n, ridge, noise, 1.0, fresh, leaked / n, copies)
        for fresh in (False, True)
    ]
    wanted = np.array([kinds[0].test_error, kinds[0].leaked_error, kinds[1].leaked_error], float)
    free = n * 0.4  # about n - df2
    assert np.all(np.abs(mean - wanted) < 3.5 * error + 1.5 * wanted / free)
    once = contaminated_risk(isotropic(p), n, ridge, noise, 1.0)
    assert abs(mean[1] - float(once.leaked_error)) > 10 * error[1]


def _highest(p, ridge, phi):
    """Interior maximum in n of the apparent error and whether there is one, on a fine grid."""
    n = p + np.sqrt(p * ridge) * np.linspace(-3, 3, 6001)
    curve = jax.vmap(lambda v: contaminated_risk(isotropic(p, 1e-9), v, ridge, 1.0, phi))(n)
    y = np.asarray(curve.apparent_error)
    tops = np.flatnonzero((y[1:-1] > y[:-2]) & (y[1:-1] >= y[2:])) + 1
    return n[tops]


@pytest.mark.parametrize("f", [9.6, 12.0, 40.0])
def test_apparent_peak(f):
    """The maximum of the curve approaches the formula as sqrt(ridge / p) goes to zero."""
    off = []
    for p in (1e4, 1e6):
        phi = 1 - f / p  # ridge = 1
        (top,) = _highest(p, 1.0, phi)
        off.append((float(apparent_peak(p, 1.0, phi)) - top) / np.sqrt(p))
    assert abs(off[1]) < 0.01
    assert abs(off[1]) < 0.2 * abs(off[0]) + 1e-3  # sqrt of 100
    p, ridge = 1e6, 2.5  # in the unit of the ridge
    phi = 1 - f * ridge / p
    (top,) = _highest(p, ridge, phi)
    assert abs(float(apparent_peak(p, ridge, phi)) - top) < 0.02 * np.sqrt(p)


def test_apparent_peak_vanishes():
    assert not len(_highest(1e6, 1.0, 1 - 8.8 / 1e6))
    assert np.isnan(apparent_peak(1e6, 1.0, 1 - 8.8 / 1e6))
    assert float(apparent_peak(100, 0.0, 0.3)) == 100.0
    np.testing.assert_allclose(apparent_peak(1e6, 1.0, 0.0), 1e6, atol=0.1)


def test_where_the_maximum_meets_the_minimum_is_still_a_place():
    assert float(apparent_peak(9.0, 1.0, 0.0)) == pytest.approx(9 + 3 * 2 / 3**0.5, rel=1e-14)


def _apparent(theta):
    n, ridge, noise, phi, leaked, repeats = theta
    same = contaminated_risk(
        power_law(30, 1.5, tail=True), n, ridge, noise, phi, False, leaked, repeats
    )
    fresh = contaminated_risk(
        power_law(30, 1.5, tail=True), n, ridge, noise, phi, True, leaked, repeats
    )
    return same.apparent_error + fresh.gain


def test_gradients():
    f = jax.jit(jax.vmap(_apparent))
    at = np.array([[n, 0.2, 0.3, 0.4, 0.5, 3.0] for n in (12.0, 80.0)])
    slope = jax.jit(jax.vmap(jax.grad(_apparent)))(at)
    for i in range(at.shape[1]):
        move = np.zeros_like(at)
        move[:, i] = 1e-5 * at[:, i]
        numeric = (f(at + move) - f(at - move)) / (2 * move[:, i])
        np.testing.assert_allclose(slope[:, i], numeric, rtol=1e-6, atol=1e-9)
