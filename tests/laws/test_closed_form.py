"""The ridge path against the slow obvious solver, and the laws that weights must obey."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.biases import noise, repetition
from ci_theory.training import closed_form, tridiagonal

RIDGE = np.array([1e-3, 0.5, 3.0])
NOISE = np.array([0.3, 0.7, 0.0])


def _world(n, p, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    weights = rng.integers(0, 4, n).astype(float)
    return x, weights, rng.normal(size=p), rng.uniform(0.2, 2.0, p)


def _errors(x, weights, w, variances, *, shared=False, equal=False, ridge=RIDGE):
    row_noise = noise.row_noise(jnp.asarray(weights), shared)
    path = closed_form.decompose(jnp.asarray(x), jnp.asarray(weights))
    return path, closed_form.path_errors(
        path,
        metric=jnp.sqrt(variances),
        test_target=jnp.sqrt(variances) * w,
        signal_labels=jnp.asarray(x @ w),
        row_noise=row_noise,
        ridge=jnp.asarray(ridge, x.dtype),
        noise=jnp.asarray(NOISE[: len(ridge)], x.dtype),
        equal_weights=equal,
    )


@pytest.mark.parametrize(("n", "p"), [(30, 12), (12, 30), (20, 20)])
def test_errors_are_those_of_the_explicit_estimator(n, p):
    x, c, w, variances = _world(n, p)
    path, found = _errors(x, c, w, variances)
    v = np.where(c > 0, 1 / np.maximum(c, 1), 0.0)
    leverage = closed_form.leverages(path, jnp.asarray(RIDGE))
    for j, (ridge, level) in enumerate(zip(RIDGE, NOISE, strict=True)):
        smoother = np.linalg.solve((x.T * c) @ x + ridge * np.eye(p), x.T * c)
        mean = smoother @ (x @ w)
        excess = variances @ (mean - w) ** 2 + level * variances @ (smoother**2 @ v)
        left = np.eye(n) - x @ smoother
        train = (c @ (left @ (x @ w)) ** 2 + level * c @ (left**2 @ v)) / c.sum()
        np.testing.assert_allclose(found.excess[j], excess, rtol=1e-10)
        np.testing.assert_allclose(found.train[j], train, rtol=1e-7)
        np.testing.assert_allclose(found.degrees[j], np.trace(x @ smoother), rtol=1e-12)
        np.testing.assert_allclose(leverage[:, j], np.diag(x @ smoother), atol=1e-13)


@pytest.mark.parametrize("equal", [True, False])
def test_what_no_feature_reaches_stays_as_residual(equal):
    """Two rows alike, fewer rows than features: their labels' difference cannot be fitted."""
    x, _, w, variances = _world(8, 20)
    x[1] = x[0]
    found = _errors(x, np.ones(8), w, variances, equal=equal)[1]
    for j, (ridge, level) in enumerate(zip(RIDGE, NOISE, strict=True)):
        left = ridge * np.linalg.inv(x @ x.T + ridge * np.eye(8))
        train = np.mean((left @ x @ w) ** 2) + level * np.mean(np.sum(left**2, axis=1))
        np.testing.assert_allclose(found.train[j], train, rtol=1e-7)
    assert found.train[0] > 0.1 * NOISE[0]


@pytest.mark.parametrize(("n", "p"), [(40, 15), (15, 40)])
def test_equal_weights_shortcut_changes_nothing(n, p):
    x, _, w, variances = _world(n, p)
    rows = (np.arange(n) < n - 4).astype(float)
    short = _errors(x, rows, w, variances, equal=True)[1]
    full = _errors(x, rows, w, variances, equal=False)[1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), short, full)


@pytest.mark.parametrize(("n", "p"), [(20, 12), (8, 25)])
def test_literal_copies_and_weights_give_one_estimator(n, p):
    x, c, w, _ = _world(n, p, seed=3)
    labels = x @ w + np.random.default_rng(4).normal(size=n)
    times = c.astype(int)
    copied = closed_form.decompose(jnp.asarray(np.repeat(x, times, axis=0)), jnp.ones(times.sum()))
    weighted = closed_form.decompose(jnp.asarray(x), jnp.asarray(c))
    a = closed_form.coefficients(copied, jnp.asarray(np.repeat(labels, times)), jnp.asarray(RIDGE))
    b = closed_form.coefficients(weighted, jnp.asarray(labels), jnp.asarray(RIDGE))
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    direct = closed_form.solve_directly(*map(jnp.asarray, (x, c, labels)), RIDGE[1])
    np.testing.assert_allclose(b[:, 1], direct, rtol=1e-10, atol=1e-12)


def test_rows_of_weight_zero_are_not_there():
    x, _, w, variances = _world(20, 9)
    rows = (np.arange(20) < 13).astype(float)
    masked = _errors(x, rows, w, variances, equal=True)[1]
    short = _errors(x[:13], rows[:13], w, variances, equal=True)[1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11), masked, short)


@pytest.mark.parametrize(("n", "p"), [(25, 10), (10, 25)])
def test_ridge_zero_is_the_minimum_norm_solution(n, p):
    x, _, w, _ = _world(n, p)
    labels = x @ w + 1.0
    path = closed_form.decompose(jnp.asarray(x), jnp.ones(n))
    found = closed_form.coefficients(path, jnp.asarray(labels), jnp.zeros(1))[:, 0]
    np.testing.assert_allclose(found, np.linalg.pinv(x) @ labels, rtol=1e-9)


def test_single_precision_keeps_the_small_directions_of_the_peak():
    """A square design with one strong direction, as random features have, at a small ridge."""
    n, ridge = 200, np.array([2e-3])
    rng = np.random.default_rng(7)
    x = (0.4 + rng.normal(size=(n, n))) / np.sqrt(n)
    w = rng.normal(size=n)
    args = x, np.ones(n), w, np.ones(n)
    double = _errors(*args, equal=True, ridge=ridge)[1]
    single = _errors(*(a.astype("float32") for a in args), equal=True, ridge=ridge)[1]
    assert single.excess.dtype == "float32"
    np.testing.assert_allclose(single.excess, double.excess, rtol=0.02)


def test_null_directions_are_found_at_every_size():
    for n, p in ((5, 60), (100, 120), (60, 300)):
        for dtype in ("float32", "float64"):
            x = np.random.default_rng(n).normal(size=(n, p)).astype(dtype)
            x = np.concatenate([x, np.zeros((p, p), dtype)])  # the features' side is diagonalised
            path = closed_form.decompose(jnp.asarray(x), jnp.ones(n + p, dtype))
            assert int(jnp.sum(path.eigenvalues > 0)) == n


def test_noise_average_is_the_mean_over_drawn_noise():
    n, p, draws = 30, 12, 20000
    x, c, w, variances = _world(n, p)
    path, exact = _errors(x, c, w, variances, ridge=RIDGE[1:2])
    v = np.where(c > 0, NOISE[0] / np.maximum(c, 1), 0.0)
    noisy = (x @ w)[None, :] + np.sqrt(v) * np.random.default_rng(1).normal(size=(draws, n))
    fit = jax.vmap(lambda y: closed_form.coefficients(path, y, jnp.asarray(RIDGE[1:2]))[:, 0])
    risks = ((np.asarray(fit(jnp.asarray(noisy))) - w) ** 2) @ variances
    error = risks.std() / draws**0.5
    assert abs(risks.mean() - exact.excess[0]) < 4 * error
    assert error < 0.02 * risks.mean()


def test_budget_is_spent_exactly():
    for budget in (10.0, 97.0, 1000.0):
        for fraction in (0.0, 0.1, 0.5, 1.0):
            for repeats in (1.0, 3.0, 10.0):
                counts = repetition.counts(budget, fraction, jnp.array(repeats))
                weights = repetition.weights(counts, 1000)
                assert float(weights.sum()) == budget
                assert counts.fresh >= 0
                if fraction > 0:
                    assert counts.repeated >= 1


@pytest.mark.parametrize(("n", "p"), [(30, 12), (12, 30), (20, 20)])
def test_tridiagonal_path_is_the_direct_solution(n, p):
    x, c, w, _ = _world(n, p)
    labels = np.stack([x @ w, np.random.default_rng(2).normal(size=n)], axis=1)
    found = tridiagonal.coefficients(
        jnp.asarray(x), jnp.asarray(c), jnp.asarray(labels), jnp.asarray(RIDGE)
    )
    for k in range(2):
        for j, ridge in enumerate(RIDGE):
            direct = closed_form.solve_directly(*map(jnp.asarray, (x, c, labels[:, k])), ridge)
            np.testing.assert_allclose(found[:, k, j], direct, rtol=1e-8, atol=1e-10)
