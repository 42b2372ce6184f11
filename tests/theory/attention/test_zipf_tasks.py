"""Tasks of unequal frequency: as a mixture of drawn tasks, and in a simulation."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory.tasks import prompts
from ci_theory.theory.attention.linear_attention import Prompts, contexts, linear_attention
from ci_theory.theory.attention.zipf_tasks import unequal_tasks
from ci_theory.theory.discrete.zipf import frequencies
from ci_theory.theory.inheritance.mixture import Mixture, fit_mixture
from ci_theory.theory.inheritance.operator import from_scratch
from ci_theory.training import linear_attention as training


@pytest.mark.parametrize(
    ("tau", "kappa", "ridge"), [(0.5, 2.0, 0.1), (1.5, 0.25, 0.01), (1.2, 2.0, 0.0), (2, 0.5, 1e-6)]
)
def test_equal_tasks_have_the_marchenko_pastur_spectrum(tau, kappa, ridge):
    """The other way to the same number: a fixed point for every task, no spectrum."""
    kind = contexts(2.0, 0.25, 0.25)
    k = round(64 * kappa)
    made = unequal_tasks(jnp.ones(k) / k, 64.0, tau, ridge, kind)
    kinds = jax.tree.map(lambda v: v[None], kind)
    at = Prompts(counts=jnp.array([tau]), weights=jnp.ones(1), contexts=kinds, ridge=ridge * tau)
    wanted = linear_attention(at, kappa, kind)
    assert int(made.status) == Status.OK
    assert float(made.fresh_error) == pytest.approx(float(wanted.fresh_error), rel=1e-11)
    assert np.asarray(made.task_errors) == pytest.approx(float(wanted.trained_error), rel=1e-11)


def mixture(w, shares, tau, ridge, kind):
    """Errors given the tasks: a source for each, an output for each coordinate of the query."""
    k, d = w.shape
    b = float(kind.spread)
    seen = w[:, :, None] * w[:, None, :] + b * np.eye(d)
    response = w / (b + d)  # C^-1 w

    def output(values):
        rows = Mixture(
            covariances=seen,
            targets=values[:, None] * response,
            counts=shares * tau * d,
            weights=jnp.ones(k),
            noise=values**2 * b / (b + d) + kind.label - 1,
            ridge=tau * d * ridge,
        )
        made = fit_mixture(rows, from_scratch(d))
        return made.held_out, made.weights.mean, made.weights.spread

    held, mean, spread = jax.vmap(output)(jnp.asarray(w.T))
    missed = jnp.sum((mean - jnp.eye(d)) ** 2) + jnp.sum(jnp.trace(spread, axis1=1, axis2=2))
    noisy = b * (jnp.sum(mean**2) + jnp.sum(jnp.trace(spread, axis1=1, axis2=2)))
    left = np.eye(d) - np.asarray(mean)  # of the response, a row a coordinate of the query
    own = np.einsum("kj,ji,ki->k", w, left, w) / d
    fresh = float(kind.label - 1 + (missed + noisy) / d)
    return np.asarray(held.mean(axis=0)), fresh, own, np.trace(left) / d


def test_drawn_tasks_have_these_errors():
    d, k, tau, ridge = 32, 24, 1.5, 0.1
    shares, kind = frequencies(k, 1.2), contexts(3.0, 0.25, 0.25)
    made = unequal_tasks(shares, float(d), tau, ridge, kind)
    rng, drawn = np.random.default_rng(2), []
    for _ in range(6):
        w = rng.standard_normal((k, d))
        w *= np.sqrt(d) / np.linalg.norm(w, axis=1, keepdims=True)
        drawn.append(mixture(w, np.asarray(shares), tau, ridge, kind))
    held, fresh, own, missing = (np.mean(part, axis=0) for part in zip(*drawn, strict=True))
    assert np.asarray(made.task_errors) == pytest.approx(held, rel=1.5 / d)
    assert float(made.fresh_error) == pytest.approx(fresh, rel=1.5 / d)
    assert float(made.missing) == pytest.approx(missing, rel=1.5 / d)
    assert np.asarray(made.missing * made.left) == pytest.approx(own, rel=4 / d)
    assert float(made.trained_error) == pytest.approx(float(shares @ made.task_errors), rel=1e-13)
    # frequent tasks are known better; half of a task at the level
    assert np.all(np.diff(np.asarray(made.task_errors)) > 0)
    known = np.asarray(made.left) < 0.5
    assert np.all(np.asarray(shares)[known] > float(made.level))
    assert known.any()
    assert not known.all()


def test_a_simulation_with_rare_tasks():
    """Tasks drawn by frequency; the limit is off by its order, 1/d."""
    d, k, tau, ridge, length = 16, 32, 2.0, 0.2, 64
    n = round(tau * d * d)
    shares = frequencies(k, 1.5)

    @jax.jit
    def run(replicate):
        key = key_for(3, 0, 0, replicate)
        w = prompts.tasks(key, k, d)
        turn = jax.random.choice(jax.random.fold_in(key, 1), k, (n,), p=shares)
        seen = prompts.draw(key, w[turn], jnp.asarray(float(length)), jnp.asarray(0.25))
        labels = seen.answer + 0.5 * jax.random.normal(jax.random.fold_in(key, 2), (n,))
        total = jnp.asarray(ridge * n / d)
        gamma = training.fit(seen.query, seen.summary, labels, jnp.ones(n), total).gamma
        weighted = (w * shares[:, None]).T @ w
        tested = (weighted, jnp.outer(w[0], w[0]), jnp.eye(d))
        return jnp.stack([training.test_error(gamma, moment, length, 0.25) for moment in tested])

    mean = np.mean([run(r) for r in range(40)], axis=0)
    made = unequal_tasks(shares, float(d), tau, ridge, contexts(length / d, 0.25, 0.25))
    found = [made.trained_error, made.task_errors[0], made.fresh_error]
    assert mean == pytest.approx(np.array([float(v) for v in found]), rel=2 / d)


def test_every_ridge_and_every_number_of_prompts_has_its_root():
    kind, shares = contexts(2.0, 0.25, 0.25), frequencies(16, 1.2)
    of = jax.jit(jax.vmap(lambda tau, ridge: unequal_tasks(shares, 64.0, tau, ridge, kind)))
    made = of(np.array([0.3, 0.3, 1e9, 1.001, 1e-6]), np.array([1e9, 1e-9, 0.0, 0.0, 1e-3]))
    assert np.all(made.status == Status.OK)
    for i in (0, 4):  # a vast ridge, or hardly a prompt: the answer is 0
        assert float(made.fresh_error[i]) == pytest.approx(float(kind.label), rel=3e-3)
    assert np.all(made.fresh_error > 0.25)
    assert made.trained_error[2] < made.trained_error[0]


def test_a_very_frequent_task_keeps_its_digits():
    """The root of the quadratic of a task, at thirty digits, where half of it cancels."""
    kind, shares = contexts(2.0, 0.25, 0.25), jnp.array([1 - 1e-9, 1e-9])
    d, tau, ridge = 1e7, 0.7, 1e-5
    made = unequal_tasks(shares, d, tau, ridge, kind)
    assert int(made.status) == Status.OK
    g = mp.mpf(1) / (mp.mpf(d) * mp.mpmathify(float(made.level)))
    with mp.workdps(30):
        b, tau = mp.mpf(float(kind.spread)), mp.mpf(tau)
        used = g * mp.mpf(ridge)
        for j in (0, 1):
            left = mp.mpmathify(float(made.left[j]))
            e = g * (left + b) / tau
            omega = mp.mpf(float(shares[j])) / (1 + e)
            assert abs(left * (1 + omega * d * g) - 1) < 1e-12
            used += tau * omega * e
    assert float(used) == pytest.approx(1, rel=1e-11)


def test_statuses():
    kind = contexts(2.0, 0.25, 0.25)
    shares = jnp.array([0.7, 0.3])
    assert int(unequal_tasks(shares, 8.0, 0.9, 0.0, kind).status) == Status.NOT_FINITE
    assert int(unequal_tasks(shares, 8.0, 0.9, -1.0, kind).status) == Status.OUT_OF_SCOPE
    assert np.isnan(float(unequal_tasks(shares, 8.0, 0.9, 0.0, kind).fresh_error))
    assert int(unequal_tasks(shares, 8.0, 0.9, 1e-12, kind).status) == Status.OK
    edge = unequal_tasks(shares, 8.0, 1.0, 0.0, kind)
    assert int(edge.status) == Status.NOT_FINITE
    assert np.isnan([*edge.task_errors, *edge.left, edge.fresh_error, edge.missing]).all()
    assert int(unequal_tasks(shares, 8.0, 1.1, 0.0, kind).status) == Status.OK
    assert int(unequal_tasks(shares, 8.0, 0.0, 1.0, kind).status) == Status.OUT_OF_SCOPE
    for absent in ([1.0, 0.0], [1.1, -0.1]):
        found = unequal_tasks(jnp.array(absent), 8.0, 0.9, 1.0, kind)
        assert int(found.status) == Status.OUT_OF_SCOPE
        assert np.isnan([*found.task_errors, *found.left, found.missing, found.level]).all()
