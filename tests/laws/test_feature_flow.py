"""Gradient flow on random features from a random start, against matrix exponentials."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from ci_theory.training import closed_form, gradient_flow

SIGNAL, START, NOISE = 0.7, 2.5, 0.4


def obvious(features, x, weights, row_noise, time, decay):
    """Average over every axis of start, target and label noise, by exponentials of the flow."""
    p, d = features.shape
    phi, copies = x @ features.T, weights.sum()
    rate = (phi.T * weights) @ phi / copies + decay * np.eye(p)
    none = np.zeros((p, p))
    whole = expm(np.block([[-rate, np.eye(p)], [none, none]]) * time)
    left, learned = whole[:p, :p], whole[:p, p:]  # exp(-rate t), and its integral
    fit = learned @ (phi.T * weights) / copies  # labels to weights
    variances = SIGNAL / d, START / p, NOISE * row_noise
    onto = features.T @ fit
    excess = variances[0] * np.sum((onto @ x - np.eye(d)) ** 2)
    excess += variances[1] * np.sum((features.T @ left) ** 2) + np.sum(onto**2 @ variances[2])
    residual = np.eye(len(x)) - phi @ fit
    squares = variances[0] * np.sum((residual @ x) ** 2, axis=1) + residual**2 @ variances[2]
    squares += variances[1] * np.sum((phi @ left) ** 2, axis=1)
    return excess, weights @ squares / copies


@pytest.mark.parametrize(("n", "p"), [(9, 4), (5, 8)])
def test_every_error_is_that_of_the_flow(n, p):
    rng, d = np.random.default_rng(n), 6
    features, x = rng.standard_normal((p, d)), rng.standard_normal((n, d))
    weights = np.array([3.0, 3.0] + [1.0] * (n - 3) + [0.0])
    row_noise = np.where(weights > 0, 1 / np.maximum(weights, 1), 0.0)
    times, decays = np.array([0.3, 5.0, 40.0]), np.array([0.0, 0.2, 0.01])
    path = closed_form.decompose(jnp.asarray(x @ features.T), jnp.asarray(weights))
    found = jax.jit(gradient_flow.feature_errors)(
        path,
        features=jnp.asarray(features),
        inputs=jnp.asarray(x),
        row_noise=jnp.asarray(row_noise),
        time=jnp.asarray(times),
        decay=jnp.asarray(decays),
        noise=jnp.full(3, NOISE),
        signal=jnp.asarray(SIGNAL),
        start=jnp.asarray(START),
    )
    for i, at in enumerate(zip(times, decays, strict=True)):
        excess, train = obvious(features, x, weights, row_noise, *at)
        assert float(found.excess[i]) == pytest.approx(excess, rel=1e-9)
        assert float(found.train[i]) == pytest.approx(train, rel=1e-9)


def test_features_that_are_the_inputs_are_the_flow_on_inputs():
    rng, d = np.random.default_rng(0), 7
    x = jnp.asarray(rng.standard_normal((5, d)))
    weights = jnp.array([2.0, 1.0, 1.0, 1.0, 0.0])
    given = {name: jnp.array([value]) for name, value in (("time", 3.0), ("decay", 0.1))}
    given |= {
        "noise": jnp.array([NOISE]),
        "signal": jnp.asarray(SIGNAL),
        "start": jnp.asarray(START),
    }
    row_noise = (weights > 0).astype(float)
    plain = gradient_flow.errors(gradient_flow.decompose(x, weights, row_noise), **given)
    path = closed_form.decompose(x, weights)
    found = gradient_flow.feature_errors(
        path, features=jnp.eye(d), inputs=x, row_noise=row_noise, **given
    )
    np.testing.assert_allclose(found.excess, plain.excess, rtol=1e-10)
    np.testing.assert_allclose(found.train, plain.train, rtol=1e-10)
