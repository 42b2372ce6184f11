"""What is read off one decomposition, against estimators and rows written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from ci_theory.measure import copies, ensemble
from ci_theory.training import closed_form, gradient_flow, group_ridge, tridiagonal
from ci_theory.training import linear_attention as attention

RNG = np.random.default_rng(11)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def smoother(x, weights, ridge):
    """Labels to coefficients; the solution of minimal norm without a ridge."""
    return np.linalg.pinv((x.T * weights) @ x + ridge * np.eye(x.shape[1]), 1e-11) @ (x.T * weights)


# --- rows that are seen several times ---------------------------------------------------------


def by_refitting(x, weights, w, mean_noise, ridge, noise):
    """Every error by fits to what is there, on average over the noise of the labels."""
    there = weights > 0
    x, weights, mean_noise = x[there], weights[there], mean_noise[there]
    fit, total = smoother(x, weights, ridge), weights.sum()
    excess = np.sum((fit @ x @ w - w) ** 2) + noise * np.sum(fit**2 @ mean_noise)
    left = np.eye(len(x)) - x @ fit
    residual = (left @ x @ w) ** 2 + noise * left**2 @ mean_noise
    within = noise * weights @ (1 - mean_noise)  # of copies about the mean of their row
    train = (weights @ residual + within) / total
    naive = train / ((total - np.trace(x @ fit)) / total) ** 2
    held_out = []
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        without = smoother(x[rest], weights[rest], ridge)
        miss = x[i] @ (without @ x[rest] @ w - w)
        held_out.append(miss**2 + noise * (1 + (x[i] @ without) ** 2 @ mean_noise[rest]))
    return excess, train, naive, np.mean(held_out)


COPIES = np.array([3.0, 1, 1, 2, 0, 1, 1, 4, 1, 0, 1, 1])


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("p", [5, 25])
@pytest.mark.parametrize("ridge", [0.4, 7.0])
def test_errors_of_repeated_rows_are_those_of_refitting(p, ridge, shared):
    x, w = RNG.standard_normal((12, p)), RNG.standard_normal(p)
    mean_noise = np.where(shared, 1.0, 1 / np.maximum(COPIES, 1))
    made = copies.design(*map(jnp.asarray, (x, COPIES, w, mean_noise)))
    found = jax.jit(copies.errors)(made, jnp.asarray(ridge), jnp.asarray(0.3))
    np.testing.assert_allclose(found, by_refitting(x, COPIES, w, mean_noise, ridge, 0.3), **CLOSE)


def test_interpolators_of_repeated_rows_are_refitted_too():
    x, w, ones = RNG.standard_normal((12, 25)), RNG.standard_normal(25), np.ones(12)
    made = copies.design(*map(jnp.asarray, (x, COPIES, w, ones)))
    found = copies.errors(made, 0.0, 0.3)
    excess, _, _, held_out = by_refitting(x, COPIES, w, ones, 0.0, 0.3)
    np.testing.assert_allclose([found.excess, found.gcv_distinct], [excess, held_out], rtol=1e-7)
    assert float(found.train) == pytest.approx(0.0, abs=1e-12)
    once = (COPIES > 0).astype(float)  # then the limit of a small ridge has a value
    found = copies.errors(copies.design(*map(jnp.asarray, (x, once, w, ones))), 0.0, 0.3)
    near = by_refitting(x, once, w, ones, 1e-4, 0.3)
    np.testing.assert_allclose(found, [near[0], 0.0, *near[2:]], rtol=1e-3, atol=1e-12)


# --- several fits to the same rows ------------------------------------------------------------


@pytest.mark.parametrize("p", [4, 12])
def test_an_ensemble_makes_the_mean_of_its_members_predictions(p):
    g, n, t = 3, 8, 5
    phi, onto = RNG.standard_normal((g, n, p)), RNG.standard_normal((g, t, p))
    weights = np.array([2.0, 1, 1, 0, 1, 3, 1, 1])
    target, labels = RNG.standard_normal(t), RNG.standard_normal(n)
    ridges, noises = np.array([0.2, 3.0, 1.0]), np.array([0.5, 0.1, 0.0])
    given = {"metric": onto, "test_target": target, "signal_labels": labels}
    found = ensemble.ensemble_errors(
        jnp.asarray(phi),
        jnp.asarray(weights),
        **{k: jnp.asarray(v) for k, v in given.items()},
        ridge=jnp.asarray(ridges),
        noise=jnp.asarray(noises),
    )
    for i, (ridge, noise) in enumerate(zip(ridges, noises, strict=True)):
        maps = np.stack([onto[j] @ smoother(phi[j], weights, ridge) for j in range(g)])
        mean = maps.mean(axis=0)
        excess = np.sum((mean @ labels - target) ** 2) + noise * np.sum(mean**2)
        apart = maps - mean
        disagreement = np.sum((apart @ labels) ** 2) / g + noise * np.sum(apart**2) / g
        np.testing.assert_allclose(found.excess[i], excess, **CLOSE)
        np.testing.assert_allclose(found.disagreement[i], disagreement, **CLOSE)


# --- groups whose targets differ --------------------------------------------------------------


@pytest.mark.parametrize(("n", "ridges"), [(14, [0.0, 0.5, 4.0]), (5, [0.0, 0.5, 4.0])])
def test_groups_are_fitted_together_and_averaged_over_how_their_targets_lie(n, ridges):
    p = 6
    x, noises = RNG.standard_normal((n, p)), np.array([0.2, 0.0, 1.5])
    weights = np.zeros((2, n))
    weights[0, : n // 2], weights[1, n // 2 :] = 1.0, 3.0
    targets = RNG.standard_normal((3, 2, p))
    products = np.einsum("mgi,mhi->ghm", targets, targets)
    found = group_ridge.group_errors(*map(jnp.asarray, (x, weights, products, ridges, noises)))
    every = weights.sum(axis=0)
    for i, (ridge, noise) in enumerate(zip(ridges, noises, strict=True)):
        fit = smoother(x, every, ridge)
        maps = np.stack([fit[:, mine] @ x[mine] for mine in (weights > 0)])
        held = np.trace(maps, axis1=1, axis2=2)
        np.testing.assert_allclose(found.held[:, i], held, rtol=1e-8, atol=1e-10)
        for g in range(2):
            apart = maps - np.eye(p) * (np.arange(2) == g)[:, None, None]
            squares = np.einsum("aij,bij,ab->", apart, apart, products[:, :, i]) / p
            wanted = squares + noise * np.sum(fit**2)
            np.testing.assert_allclose(found.excess[g, i], wanted, rtol=1e-8)


# --- training that has not ended --------------------------------------------------------------


@pytest.mark.parametrize("n", [5, 9])
def test_the_flow_on_inputs_is_that_on_features_that_are_the_inputs(n):
    d, weights = 7, np.r_[2.0, np.ones(n - 2), 0.0]
    x, row_noise = RNG.standard_normal((n, d)), np.r_[0.5, np.ones(n - 2), 0.0]
    times, decays = np.array([3.0, 0.5]), np.array([0.1, 0.0])
    modes = gradient_flow.decompose(*map(jnp.asarray, (x, weights, row_noise)))
    given = {"time": times, "decay": decays, "noise": np.array([0.4, 0.7])}
    given = {name: jnp.asarray(value) for name, value in given.items()}
    found = gradient_flow.errors(modes, **given, signal=0.7, start=2.5)
    wanted = gradient_flow.feature_errors(
        closed_form.decompose(jnp.asarray(x), jnp.asarray(weights)),
        features=jnp.eye(d),
        inputs=jnp.asarray(x),
        row_noise=jnp.asarray(row_noise),
        **given,
        signal=0.7,
        start=2.5,
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize(("n", "p"), [(9, 4), (5, 8)])
def test_the_flow_from_zero_on_given_features_and_target(n, p, equal):
    phi, target = RNG.standard_normal((n, p)), RNG.standard_normal(p)
    weights = np.r_[np.full(n - 1, 1.0 if equal else 2.0), 0.0]
    weights[0] = 1.0
    row_noise = (weights > 0) / np.maximum(weights, 1)
    labels, scale = RNG.standard_normal(n), RNG.uniform(0.5, 2.0, p)
    times, decays = np.array([0.3, 5.0, 40.0]), np.array([0.0, 0.2, 0.01])
    noises, total = np.array([0.4, 0.0, 2.0]), weights.sum()
    found = gradient_flow.path_errors(
        closed_form.decompose(jnp.asarray(phi), jnp.asarray(weights)),
        metric=jnp.asarray(scale),
        test_target=jnp.asarray(target),
        signal_labels=jnp.asarray(labels),
        row_noise=jnp.asarray(row_noise),
        time=jnp.asarray(times),
        decay=jnp.asarray(decays),
        noise=jnp.asarray(noises),
        equal_weights=equal,
    )
    for i, (time, decay, noise) in enumerate(zip(times, decays, noises, strict=True)):
        rate = (phi.T * weights) @ phi / total + decay * np.eye(p)
        learned = expm(np.block([[-rate, np.eye(p)], [np.zeros((p, 2 * p))]]) * time)[:p, p:]
        fit = learned @ (phi.T * weights) / total
        excess = np.sum((scale * (fit @ labels) - target) ** 2)
        excess += noise * np.sum((scale[:, None] * fit) ** 2 @ row_noise)
        left = np.eye(n) - phi @ fit
        train = weights @ ((left @ labels) ** 2 + noise * left**2 @ row_noise) / total
        np.testing.assert_allclose([found.excess[i], found.train[i]], [excess, train], rtol=1e-7)


def test_linear_attention_is_the_ridge_regression_on_products():
    n, d = 40, 3
    x, h, labels = RNG.standard_normal((n, d)), RNG.standard_normal((n, d)), RNG.standard_normal(n)
    weights = np.r_[np.full(10, 3.0), np.ones(25), np.zeros(5)]
    found = attention.fit(*map(jnp.asarray, (x, h, labels, weights)), 0.7)
    rows = np.einsum("ni,nj->nij", x, h).reshape(n, d * d)
    wanted = smoother(rows, weights, 0.7) @ labels
    assert bool(found.converged)
    np.testing.assert_allclose(np.ravel(found.gamma), wanted, rtol=1e-7)


def test_the_error_of_linear_attention_is_that_over_drawn_prompts():
    """Of w with |w|^2 = d, inputs of variance 1/d: the docstring's mean, drawn."""
    d, length, noise, draws = 3, 4, 0.3, 200_000
    gamma = RNG.standard_normal((d, d)) / 2
    tasks = RNG.standard_normal((5, d))
    tasks *= np.sqrt(d / np.sum(tasks**2, axis=1, keepdims=True))
    w = tasks[np.arange(draws) % 5]
    x = RNG.standard_normal((draws, length, d)) / np.sqrt(d)
    y = np.einsum("nli,ni->nl", x, w) + noise**0.5 * RNG.standard_normal((draws, length))
    h = d / length * np.einsum("nl,nli->ni", y, x)
    miss = w - h @ gamma.T  # the query averaged: E x x' = 1/d
    squares = noise + np.sum(miss**2, axis=1) / d
    moment = tasks.T @ tasks / 5
    found = float(attention.test_error(*map(jnp.asarray, (gamma, moment, length, noise))))
    assert abs(squares.mean() - found) < 4.5 * squares.std() / draws**0.5
    assert squares.std() / draws**0.5 < 0.01 * found


def test_what_is_fitted_in_single_precision_stays_there():
    def numbers(*shape):
        return jnp.asarray(RNG.standard_normal(shape), "float32")

    one, rows = jnp.ones(1, "float32"), jnp.ones(5, "float32")
    made = {
        "leverages": closed_form.leverages(closed_form.decompose(numbers(5, 3), rows), one),
        "several labels": tridiagonal.coefficients(numbers(5, 4), rows, numbers(5, 2), one),
        "linear attention": attention.fit(numbers(5, 2), numbers(5, 2), rows, rows, one[0]).gamma,
        "an ensemble": ensemble.ensemble_errors(
            numbers(2, 5, 3),
            rows,
            metric=numbers(2, 4, 3),
            test_target=numbers(4),
            signal_labels=rows,
            ridge=one,
            noise=one,
        ).excess,
    }
    assert {name: str(value.dtype) for name, value in made.items()} == dict.fromkeys(
        made, "float32"
    )
