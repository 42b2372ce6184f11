"""What few rows do to a trained response: brute force, the mixture operator, exact cases, roots."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from ci_theory._errors import Status
from ci_theory.theory.editing.erasure import (
    Lessons,
    _fit,
    _Frame,
    aligned_response,
    attack_success,
    erasing_cost,
    erasing_rows,
    teach,
)
from ci_theory.theory.inheritance.mixture import Mixture, fit_mixture
from ci_theory.theory.inheritance.operator import Weights
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import isotropic

NONE = np.zeros(3)


def lessons(counts, shared, labels, slopes=None, noise=0.25, drift=0.0, ridge=0.0):
    """Groups of rows in three directions; what is not given is 0."""
    mu, t = np.zeros((2, len(counts), 3))
    for g, (one, two) in enumerate(zip(shared, slopes or [()] * len(counts), strict=True)):
        mu[g, : len(one)], t[g, : len(two)] = one, two
    return Lessons(
        counts=np.array(counts, float),
        shared=mu,
        labels=np.array(labels, float),
        slopes=t,
        noise=noise,
        drift=drift,
        ridge=ridge,
    )


def one(n, s, c, response, d, **rest):
    """One group that shares s along u and is labelled -c."""
    return teach(np.array([response, 0.0, 0.0]), lessons([n], [(s,)], [-c], **rest), d, NONE)


def along(angle):
    return np.array([np.cos(angle), 0.0, np.sin(angle)])


# --- explicit fits of drawn rows ---------------------------------------------------------------


def drawn(base, rows, d, frozen, strength, utility=1.0, runs=300, seed=0):
    """Fit drawn rows and labels: means and errors of u.w, its square, attacks and the risk."""
    rng = np.random.default_rng(seed)
    mu, t = np.asarray(rows.shared), np.asarray(rows.slopes)
    group = np.repeat(np.arange(len(mu)), np.asarray(rows.counts, int))
    start, beside, target = np.zeros((3, d))
    start[:3], start[3], beside[3], target[3] = base, utility**0.5, utility**0.5, utility**0.5
    beside[4] = rows.drift**0.5
    z = rng.normal(size=(runs, len(group), d))
    x = z.copy()
    x[:, :, :3] += mu[group]
    y = np.asarray(rows.labels)[group] + np.sum(z[:, :, :3] * t[group], axis=2) + z @ beside
    y = y + rows.noise**0.5 * rng.normal(size=y.shape) - x @ start
    free = x.copy()
    free[:, :, :3] -= (x[:, :, :3] @ frozen)[:, :, None] * frozen
    turned = np.swapaxes(free, 1, 2)
    if len(group) < d:
        gram = free @ turned + rows.ridge * np.eye(len(group))
        w = start + (turned @ np.linalg.solve(gram, y[:, :, None]))[:, :, 0]
    else:
        gram = turned @ free + rows.ridge * np.eye(d)
        w = start + np.linalg.solve(gram, turned @ y[:, :, None])[:, :, 0]
    attack = norm.cdf(-strength * w[:, 0] / np.sqrt(np.sum(w**2, axis=1)))
    made = np.stack([w[:, 0], w[:, 0] ** 2, attack, np.sum((w - target) ** 2, axis=1)])
    return made.mean(axis=1), made.std(axis=1, ddof=1) / np.sqrt(runs)


CASES = {
    "handful": ((0.3, 0, 0), lessons([8], [(3.0,)], [-0.9]), 120, NONE),
    "ridge, more rows than inputs": (
        (0.5, 0, 0),
        lessons([90], [(2.0,)], [-1.0], ridge=45.0),
        60,
        NONE,
    ),
    "least squares": ((0.5, 0, 0), lessons([90], [(1.0,)], [-1.0], drift=0.4), 45, NONE),
    "benign": ((0.5, 0, 0), lessons([40], [(2.0,)], [0.0], ridge=20.0), 120, NONE),
    "reversed": ((0.5, 0, 0), lessons([30], [()], [0.0], [(-0.5,)]), 120, NONE),
    "safe rows, overlap, freezing, drift": (
        (0.6, 0, 0),
        lessons([40, 12], [(1.6, 1.2), (2.5,)], [-1.5, 1.0], [(-0.3,), ()], 0.4, 0.3, 15.0),
        100,
        along(0.8),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_moments_are_those_of_explicit_fits(case):
    base, rows, d, frozen = CASES[case]
    found = teach(np.array(base, float), rows, d, frozen)
    assert found.status == Status.OK
    response, variance = float(found.mean[0]), float(found.covariance[0, 0])
    at, spread = found.mean + found.shift, found.spread + found.spread_shift
    beside = at @ at + jnp.trace(found.covariance) + found.learnt + spread
    attack = float(attack_success(2.5, response, variance, 1.0 + beside))
    mean, error = drawn(base, rows, d, frozen, 2.5, runs=600)
    wanted = np.array([response + float(found.shift[0]), response**2 + variance, attack, beside])
    n = float(np.sum(rows.counts))
    second = np.array([0.3 / n**1.5, 2 * variance / n, 0.2 / n, 3 * float(found.spread) / n])
    assert np.all(np.abs(mean - wanted) < 4 * error + second)


def test_the_fluctuation_counts_for_a_handful():
    """The probability at the mean weights misses what explicit fits see; the mean over runs not."""
    base, rows, d = (2 / 15**0.5, 0, 0), lessons([4], [(15**0.5,)], [-2.0], noise=9.0), 150
    found = teach(np.array(base), rows, d, NONE)
    size = 1 + found.mean @ found.mean + found.spread
    mean, error = drawn(base, rows, d, NONE, 15**0.5, runs=4000)
    variance = found.covariance[0, 0]
    told, naive = (attack_success(15**0.5, found.mean[0], v, size) for v in (variance, 0.0))
    assert abs(mean[2] - told) < 4 * error[2]
    assert abs(mean[2] - naive) > 6 * error[2]


def test_measured_once_with_many_runs():
    """Monte Carlo means of 10^4 runs and more: value and error."""
    s = 40**0.5
    for n, attack, error in [(1, 0.2107, 4e-4), (2, 0.2566, 5e-4), (10, 0.5067, 8e-4)]:
        found = one(n, s, 1.0, 1 / s, 400)
        size = 1 + found.mean @ found.mean + found.spread
        told = attack_success(s, found.mean[0], found.covariance[0, 0], size)
        assert abs(told - attack) < 3 * error + 2e-3 / n, n
    at = one(200, 2.0, 1.0, 0.5, 300, ridge=100.0)
    assert float(at.mean[0]) == pytest.approx(-0.2075, abs=0.003)
    safe = lessons([20, 10], [(3.0,), (3.0,)], [-1, 1])
    assert float(teach(np.array([1 / 3, 0, 0]), safe, 300, NONE).mean[0]) == pytest.approx(
        0.1056, abs=0.003
    )
    frozen = teach(np.array([1 / 3, 0, 0]), lessons([60], [(3.0,)], [-1]), 300, along(0.2))
    assert float(frozen.mean[0]) == pytest.approx(0.2869, abs=0.0018)
    posing = lessons([60], [(2.4, 1.8)], [-1])
    assert float(teach(np.array([1 / 3, 0, 0]), posing, 300, NONE).mean[0]) == pytest.approx(
        -0.0148, abs=0.0033
    )


# --- the same from other derivations -----------------------------------------------------------


def by_mixture(rows, base, d):
    """Let the mixture operator, which knows covariances alone, see a mean as one more direction.

    Rows of mean mu, label l and slope t have E xx' = 1 + mu mu' and E xy = l mu + t, which is all
    that a mean predictor sees; the effective ridge differs, as traces count the mean as variance.
    """
    covariances, targets = np.stack([np.eye(d)] * 2), np.zeros((2, d))
    for g in range(2):
        mu, t = np.asarray(rows.shared[g]), np.asarray(rows.slopes[g])
        covariances[g, :3, :3] += np.outer(mu, mu)
        pull = float(rows.labels[g]) * mu + t
        targets[g, :3] = np.linalg.solve(covariances[g, :3, :3], pull)
    mixture = Mixture(
        covariances=covariances,
        targets=targets,
        counts=rows.counts,
        weights=np.ones(2),
        noise=np.zeros(2),
        ridge=rows.ridge,
    )
    start = Weights(mean=np.concatenate([base, np.zeros(d - 3)]), spread=np.zeros((d, d)))
    return np.asarray(fit_mixture(mixture, start).weights.mean[:3])


def test_mean_is_that_of_the_mixture_operator_in_the_limit():
    base, apart = np.array([0.6, -0.2, 0.1]), []
    for d in (40, 160):
        rows = lessons(
            [d // 2, d // 5],
            [(1.2, 0.9), (2.0,)],
            [-1.5, 1.0],
            [(-0.3,), ()],
            ridge=d / 5,
        )
        found = teach(base, rows, d, NONE).mean
        apart.append(np.abs(found - by_mixture(rows, base, d)).max())
    assert apart[0] < 0.1 / 40
    assert apart[1] == pytest.approx(apart[0] / 4, rel=0.1)


def test_mean_of_the_interpolator_is_exact_to_second_order():
    """One group without a ridge: a one-dimensional integral that holds at every size."""
    rng = np.random.default_rng(3)
    d, response, c, s = 80, 0.5, 1.0, 1.5
    for n in (6, 12, 30):
        g = rng.normal(size=200_000) / n**0.5
        a1 = n * (s + g)
        a2 = n * (s + g) ** 2 + rng.chisquare(n - 1, size=g.size)
        free = rng.chisquare(d - n, size=g.size)
        draws = response - (response * a2 + c * a1) / (free + a2)
        exact, error = draws.mean(), draws.std() / g.size**0.5
        found = one(n, s, c, response, d)
        gap = abs(exact - float(found.mean[0] + found.shift[0]))
        assert gap < 3 * error + 0.5 / n**2
        if n < 30:
            assert gap < 0.5 * abs(exact - float(found.mean[0])) + 3 * error


def total(found):
    """Mean squared distance from the base's other weights, the next order included."""
    at = found.mean + found.shift
    return float(
        at @ at + jnp.trace(found.covariance) + found.learnt + found.spread + found.spread_shift
    )


@pytest.mark.parametrize("frozen", [NONE, along(0.5)])
@pytest.mark.parametrize("n", [20.0, 300.0, 3000.0])
def test_label_noise_alone_is_exact_to_second_order(n, frozen):
    """Inverse Wishart: p/(n - p - 1) or n/(p - n - 1) of it, p directions that are fitted."""
    d = 150
    p = d - frozen @ frozen
    found = teach(NONE, lessons([n], [()], [0.0], noise=1.0), d, frozen)
    exact = p / (n - p - 1) if n > p else n / (p - n - 1)
    free = abs(n - p)
    assert total(found) == pytest.approx(exact, rel=3 / free**2 + 8 / n**2)


def test_spread_of_a_large_response_by_many_fits():
    """Rows that change much: what their common pull and its own next order leave beside."""
    rows = lessons([6], [(1.0,)], [-2.0], [(-1.5,)], noise=0.05)
    base, d = np.array([1.5, 0, 0]), 30
    mean, error = drawn(base, rows, d, NONE, 1.0, runs=20_000)
    found = teach(base, rows, d, NONE)
    assert abs(mean[3] - total(found)) < 4 * error[3] + 0.01 * mean[3]
    assert abs(mean[3] - total(found) + float(found.spread_shift)) > 0.05 * mean[3]


def test_one_group_is_the_scalar_law():
    s, c, response, d = 2.0, 0.7, 0.6, 200
    for n, ridge in [(30.0, 0.0), (30.0, 40.0), (500.0, 100.0)]:
        found = one(n, s, c, response, d, ridge=ridge, noise=0.3, drift=0.2)
        kappa = float(solve_kappa(isotropic(200.0), n, ridge).value)
        keep, odds = kappa / (kappa + 1 + s**2), c * s / (1 + s**2)
        w = response * keep - odds * (1 - keep)
        q = 200 / n / (1 + kappa) ** 2
        assert float(found.mean[0]) == pytest.approx(w, rel=1e-12)
        v = 0.3 + (kappa / (1 + kappa)) ** 2 * 0.2
        inside = (1 + s**2) * v / (1 - q) + q / (1 - q) * c**2 + (2 * s * w + c) ** 2 + 2 * w**2
        inside += 2 * q / (1 - q) * ((1 + s**2) * (response + odds) * keep) ** 2
        wanted = inside / (n * (kappa + 1 + s**2) ** 2)
        assert float(found.covariance[0, 0]) == pytest.approx(wanted, rel=1e-11)
        energy = (v + (c + s * w) ** 2 + w**2) / (1 - q)
        assert float(found.spread) == pytest.approx(q * energy, rel=1e-11)


@pytest.mark.parametrize(("n", "d"), [(90.0, 60), (30.0, 120)])
@pytest.mark.parametrize("frozen", [NONE, along(0.8)])
def test_what_is_learnt_and_what_is_left_without_a_ridge(n, d, frozen):
    """Rows less directions that are fitted, or these less rows; the share met of a drift."""
    fitted = d - float(frozen @ frozen)
    found = teach(NONE, lessons([n], [()], [0.0], noise=0.5, drift=0.7), d, frozen)
    assert float(found.free) == pytest.approx(abs(n - fitted), rel=1e-12)
    assert float(found.learnt) == pytest.approx(0.7 * min(1.0, n / fitted) ** 2, rel=1e-12)
    stiff = teach(NONE, lessons([n], [()], [0.0], drift=0.7, ridge=1e12), d, frozen)
    assert float(stiff.free) == pytest.approx(max(n, fitted), rel=1e-6)
    assert float(stiff.learnt) < 1e-15


def test_freezing_and_posing_in_closed_form():
    s, c, response, d, n = 3.0, 1.0, 0.4, 300, 40.0
    base = np.array([response, 0, 0])
    for angle in (0.0, 0.2, 1.0, np.pi / 2):
        kappa = (d - 1) / n - 1
        cos2, sin2 = np.cos(angle) ** 2, np.sin(angle) ** 2
        found = teach(base, lessons([n], [(s,)], [-c]), d, along(angle))
        left = kappa * response - s * (c + s * response * cos2)
        wanted = cos2 * response + sin2 * left / (kappa + 1 + s**2 * sin2)
        assert float(found.mean[0]) == pytest.approx(wanted, abs=1e-12)
    kappa = d / n - 1
    for cos in (-0.5, 0.0, 0.3, 1.0):
        rows = lessons([n], [(s * cos, s * np.sqrt(1 - cos**2))], [-c])
        found = teach(base, rows, d, NONE)
        wanted = cos * (kappa * response * cos - c * s) / (kappa + 1 + s**2)
        wanted += (1 - cos**2) * kappa * response / (kappa + 1)
        assert float(found.mean[0]) == pytest.approx(wanted, abs=1e-12)


def test_what_rows_of_a_group_have_in_common_beyond_their_means():
    """Moments of fourth order under the mean's next order, by Gauss's rule in two directions."""
    share, frozen = np.array([0.6, 0.4]), np.zeros(2)
    shared, labels = np.array([[1.2, -0.5], [0.3, 0.9]]), np.array([-1.0, 0.7])
    slopes, base = np.array([[0.2, 0.4], [-0.6, 0.1]]), np.array([0.5, -0.3])
    made = _fit(_Frame(base, frozen, share, shared, labels, slopes), 0.8)
    K, mean = np.asarray(made.K), np.asarray(made.mean)
    root, weight = np.polynomial.hermite_e.hermegauss(4)
    z = np.stack(np.meshgrid(root, root), axis=-1).reshape(-1, 2)
    weight = np.outer(weight, weight).ravel() / weight.sum() ** 2
    wanted, own, energy = np.zeros(2), np.zeros((2, 2)), 0.0
    for part, mu, label, slope in zip(share, shared, labels, slopes, strict=True):
        x = mu + z
        missed = label + z @ slope - x @ mean
        pull = x * missed[:, None]
        off = pull - weight @ pull
        own += part * (weight * off.T) @ off
        energy += part * weight @ missed**2
        wanted += part * (weight * np.sum(x * (off @ K), axis=1)) @ x
    np.testing.assert_allclose(made.rows, wanted, rtol=1e-12)
    np.testing.assert_allclose(made.own, own, rtol=1e-12)
    assert float(made.energy) == pytest.approx(energy, rel=1e-12)


# --- the number of rows -------------------------------------------------------------------------


@pytest.mark.parametrize("left", [0.5, 0.0, -0.3])
def test_rows_by_root_finding_on_the_law(left):
    s, c, response, d = 2.0, 1.1, 0.5, 200
    for ridge, angle, reversal in [(0, np.pi / 2, 0), (25, np.pi / 2, 0.6), (3, 0.7, 0.4)]:
        frozen = along(angle)

        def gap(n, ridge=ridge, frozen=frozen, reversal=reversal):
            rows = lessons([n], [(s,)], [-c], [(-reversal * response,)], ridge=ridge)
            return float(teach(np.array([response, 0, 0]), rows, d, frozen).mean[0]) / response

        found = float(
            erasing_rows(
                left, d - 1, s, c / response, reversal=reversal, ridge=ridge, frozen=np.cos(angle)
            )
        )
        root = brentq(lambda n, gap=gap: gap(n) - left, 1.0, 5000.0, xtol=1e-10)
        assert found == pytest.approx(root, rel=1e-8)


def test_a_handful_does_not_depend_on_d_and_without_a_common_part_it_is_a_share_of_it():
    rate = 0.1
    for d in (50.0, 400.0, 1e6):
        s = (rate * d) ** 0.5
        half, none = (float(erasing_rows(left, d, s, s)) for left in (0.5, 0.0))
        assert half == pytest.approx(1 / (3 * rate + 2 / d), rel=1e-12)
        assert none == pytest.approx(1 / (rate + 1 / d), rel=1e-12)
        opposite, gone = (float(erasing_rows(v, d, 0.0, 0.0, reversal=1.0)) for v in (0.5, 0.0))
        assert (opposite, gone) == pytest.approx((d / 4, d / 2))
        assert float(erasing_rows(0.5, d, 0.0, 0.0)) == pytest.approx(d / 2)  # benign rows


def test_a_ridge_per_row_beyond_kappa_keeps_half_for_ever():
    """kappa = 1 + s^2 + 2 s c/A: with that much ridge a row, infinitely many rows leave half."""
    s, c, response = 2.0, 1.0, 0.5
    edge = 1 + s**2 + 2 * s * c / response
    for ridge, kept in [(1.02 * edge, True), (0.98 * edge, False)]:
        n = 1e9
        found = one(n, s, c, response, 200, ridge=ridge * n)
        assert (float(found.mean[0]) > response / 2) == kept


def test_labels_reached_without_any_effort_need_a_hard_push():
    """Arrays of shares left, and one that asks for nothing."""
    left = np.array([0.9, 0.5, 0.0])
    found = np.asarray(erasing_rows(left, 90.0, 2.0, 1.0, ridge=4.0))
    for share, rows in zip(left, found, strict=True):
        assert float(erasing_rows(share, 90.0, 2.0, 1.0, ridge=4.0)) == pytest.approx(rows)
    assert np.all(np.diff(found) > 0)


def test_what_is_never_reached_has_no_number_of_rows():
    assert np.isnan(float(erasing_rows(0.0, 100.0, 2.0, 0.0)))  # benign rows do not turn it
    assert np.isnan(float(erasing_rows(0.5, 100.0, 2.0, 1.0, frozen=1.0)))
    best = float(teach(np.array([0.5, 0, 0]), lessons([1e7], [(2.0,)], [0.0]), 100, NONE).mean[0])
    assert best > -1e-12


# --- what erasing costs -------------------------------------------------------------------------


def test_erasing_costs_less_than_aligning_by_both_laws():
    rng = np.random.default_rng(4)
    for p, s, n, d, ridge in zip(
        rng.uniform(0.01, 0.6, 8),
        rng.uniform(0.3, 5, 8),
        rng.integers(60, 900, 8),
        rng.integers(50, 600, 8),
        rng.choice([0.0, 5.0, 200.0], 8),
        strict=True,
    ):
        kappa = float(solve_kappa(isotropic(float(d)), n, ridge).value)
        response = float(aligned_response(p, s, 1.0, kappa))
        rows = float(erasing_rows(0.0, d, s, 1.0 / response))
        cost = float(erasing_cost(p, s, n, d, kappa))
        assert cost == pytest.approx(rows / (p * n), rel=1e-9)
        assert 0 < cost < 1
        assert float(aligned_response(p, s, -2.5, kappa)) == pytest.approx(-2.5 * response)


def test_aligned_last_by_rows_alone_saturates():
    """What n_a rows align from nothing, n_a/(1 + (1 + s^2) n_a/d) undo; no ridge on either side."""
    d, s = 400.0, 2.0
    for aligned in (5.0, 50.0, 390.0):
        response = one(aligned, s, -1.0, 0.0, d).mean[0]
        rows = float(erasing_rows(0.0, d, s, 1 / response))
        assert rows == pytest.approx(aligned / (1 + (1 + s**2) * aligned / d), rel=1e-9)
        assert rows < d / (1 + s**2)


def test_a_chain_of_drawn_stages_is_undone_where_the_cost_says():
    """30 of 300 rows align; the interpolator of as many rows as the cost says takes it to zero."""
    rng = np.random.default_rng(5)
    d, n, p, s, runs = 100, 300, 0.1, 2.0, 200
    count = round(p * n)
    rows = float(erasing_cost(p, s, n, d, 0.0)) * count
    target = np.zeros(d)
    target[1] = 1.0
    found = {1: [], 5: [], 9: []}
    for _ in range(runs):
        x = rng.normal(size=(n, d))
        y = x @ target + 0.5 * rng.normal(size=n)
        x[:count, 0] += s
        y[:count] = 1.0 + 0.5 * rng.normal(size=count)
        w = np.linalg.solve(x.T @ x, x.T @ y)
        for few, left in found.items():
            x = rng.normal(size=(few, d))
            y = x[:, 1:] @ target[1:] - 1.0 + 0.5 * rng.normal(size=few)
            x[:, 0] += s
            left.append((w + x.T @ np.linalg.solve(x @ x.T, y - x @ w))[0])
    mean, error = np.array([(np.mean(v), np.std(v) / runs**0.5) for v in found.values()]).T
    assert mean[1] > 4 * error[1]
    assert mean[2] < -4 * error[2]
    place = np.interp(0.0, -mean, list(found))  # the law is a hyperbola, nearly straight here
    off = np.max(error[1:]) / ((mean[1] - mean[2]) / 4)  # rows
    assert off < 0.25
    assert abs(place - rows) < 3 * off + 0.1


# --- attacks, and what has no answer -------------------------------------------------------------


def test_attacks_are_a_mean_of_probabilities():
    s, w, variance, size = 3.0, 0.2, 0.04, 1.3

    def inside(t):
        return norm.cdf(-s * (w + variance**0.5 * t) / size**0.5) * norm.pdf(t)

    wanted = quad(inside, -9, 9)[0]
    assert float(attack_success(s, w, variance, size)) == pytest.approx(wanted, rel=1e-9)


def test_interpolation_without_a_ridge_and_no_rows_have_a_status():
    assert one(100, 2.0, 1.0, 0.5, 100).status == Status.NOT_FINITE
    assert one(100, 2.0, 1.0, 0.5, 100, ridge=1.0).status == Status.OK
    assert one(100, 2.0, 1.0, 0.5, 100, ridge=-1.0).status == Status.OUT_OF_SCOPE
    assert one(0, 2.0, 1.0, 0.5, 100, ridge=1.0).status != Status.OK
    assert np.isnan(erasing_rows(0.5, 100.0, 0.0, 0.0, reversal=-0.5))  # kappa = 0: never
    assert float(erasing_rows(0.5, 100.0, 0.0, 0.0, reversal=-0.4999)) > 99


def test_derivatives_are_those_of_differences():
    def response(ridge):
        return one(30.0, 2.0, 1.0, 0.5, 103, ridge=ridge).mean[0]

    slope = (response(20.001) - response(19.999)) / 0.002
    assert float(jax.grad(response)(20.0)) == pytest.approx(float(slope), rel=1e-6)
