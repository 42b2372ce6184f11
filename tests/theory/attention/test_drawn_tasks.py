"""Tasks drawn, prompts of all lengths: against the limit, another solver, and drawn designs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory.tasks import prompts
from ci_theory.theory.attention.drawn_tasks import _met, drawn_tasks
from ci_theory.theory.attention.linear_attention import Contexts, contexts
from ci_theory.theory.attention.prompt_sizes import sized_contexts
from ci_theory.theory.attention.zipf_tasks import unequal_tasks
from ci_theory.theory.discrete.zipf import frequencies
from ci_theory.training import linear_attention as training

ONE = jax.tree.map(lambda v: v[None], contexts(2.0, 0.25, 0.25))
SHARES = frequencies(24, 1.2)


@pytest.mark.parametrize(
    ("tau", "ridge"), [(1.5, 0.1), (0.3, 1e-9), (1.001, 0.0), (1e9, 0.0), (0.3, 1e9), (1e-6, 1e-3)]
)
def test_one_kind_without_a_draw_is_the_limit(tau, ridge):
    """The limit solves quadratics; at every ridge and every number of prompts."""
    made = drawn_tasks(SHARES, 32.0, tau, ridge, jnp.ones(1), ONE)
    wanted = unequal_tasks(SHARES, 32.0, tau, ridge, contexts(2.0, 0.25, 0.25))
    assert int(made.status) == int(wanted.status) == Status.OK
    assert float(made.fresh) == pytest.approx(float(wanted.missing), rel=1e-12)
    assert np.asarray(made.left) == pytest.approx(np.asarray(wanted.left), rel=1e-12)
    own = np.asarray(wanted.missing * wanted.left)
    assert np.asarray(made.missing) == pytest.approx(own, rel=1e-12)


def test_the_way_to_every_task_is_told_if_it_is_too_long(monkeypatch):
    monkeypatch.setattr("ci_theory.theory.attention.drawn_tasks.STEPS", 0)
    with jax.disable_jit():
        made = drawn_tasks(jnp.array([0.9, 0.1]), 64.0, 3.0, 1e-3, jnp.ones(1), ONE)
    assert int(made.status) == Status.NOT_CONVERGED


@pytest.mark.parametrize(("tau", "ridge"), [(1.2, 0.0), (4.0, 1e-6), (0.6, 0.3)])
def test_numbers_drawn_and_unlike_kinds_by_bisection(tau, ridge):
    """Kinds of which one is nearly all noise: a root in a root, both bracketed by hand."""
    shares, d, drawn = np.array([0.65, 0.35]), 16.0, 6.0
    a, b, g = np.array([1.0, 2.0]), np.array([0.02, 9.0]), np.array([1.0, 0.4])
    kinds, lengths = Contexts(signal=a, spread=b, aligned=g, label=a), np.array([0.3, 0.7])
    met, chances = (np.asarray(v) for v in _met(jnp.asarray(shares), drawn))

    def solved(trace):
        def one(p):
            def gap(y):
                e = (a * y + b * trace) / tau
                return y * (1 / trace + d * p * np.sum(lengths * a / (1 + e))) - 1

            y = brentq(gap, 0.0, trace, xtol=1e-300, rtol=1e-14)
            return y / trace, (a * y + b * trace) / tau

        made = [[one(p) for p in row] for row in met]
        return np.array([[o[0] for o in row] for row in made]), np.array(
            [[o[1] for o in row] for row in made]
        )

    def surplus(log_trace):
        e = solved(np.exp(log_trace))[1]
        used = np.sum(chances * met * np.sum(lengths * e / (1 + e), axis=-1))
        return np.exp(log_trace) * ridge + tau * used - 1

    trace = np.exp(brentq(surplus, -20, 20, xtol=1e-14))
    left, e = solved(trace)
    made = drawn_tasks(jnp.asarray(shares), d, tau, ridge, jnp.asarray(lengths), kinds, drawn)
    assert int(made.status) == Status.OK
    assert np.asarray(made.left) == pytest.approx(np.sum(chances * left, axis=1), rel=1e-10)
    nu = ridge + np.sum(chances * met * np.sum(lengths * b / (1 + e), axis=-1))
    lacks = np.sum(chances * met * left * np.sum(lengths * (a - g) / (1 + e), axis=-1))
    assert float(made.fresh) == pytest.approx(trace * (nu + lacks), rel=1e-10)
    kept = lengths / (1 + e)
    known = np.sum(kept * (a - g), axis=-1) / np.sum(kept * a, axis=-1)
    own = np.sum(chances * (left * trace * (nu + lacks) + (1 - left) * known), axis=1)
    assert np.asarray(made.missing) == pytest.approx(own, rel=1e-10)


def test_tasks_known_by_heart_are_answered_as_queries_are_aligned():
    """Without spread, and with prompts without end, least squares gives E[g]/E[a] on their span."""
    a, b, g = np.array([1.0, 3.0]), np.full(2, 1e-8), np.array([0.5, 1.2])
    lengths, few = np.array([0.75, 0.25]), frequencies(12, 1.0)
    kinds = Contexts(signal=a, spread=b, aligned=g, label=np.ones(2))
    made = drawn_tasks(few, 32.0, 1e6, 0.0, jnp.asarray(lengths), kinds)
    assert int(made.status) == Status.OK
    known = (lengths @ g) / (lengths @ a)
    assert np.asarray(made.missing) == pytest.approx(np.full(12, 1 - known), rel=1e-4)
    assert float(made.fresh) == pytest.approx(1 - known * 12 / 32, rel=1e-4)


def test_numbers_drawn_have_the_moments_of_a_binomial():
    shares, n = np.array([1.0, 0.9, 0.5, 0.1, 1e-3]), 40
    met, chances = (np.asarray(v) for v in _met(jnp.asarray(shares), float(n)))
    assert np.all(met >= 0)
    assert np.all(chances >= 0)
    counts = n * met
    for order, wanted in enumerate(
        (
            np.ones(5),
            np.zeros(5),
            n * shares * (1 - shares),
            n * shares * (1 - shares) * (1 - 2 * shares),
        )
    ):
        found = np.sum(chances * (counts - n * shares[:, None]) ** order, axis=1)
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    # a single task in a single prompt is drawn; without a draw nothing moves
    one = _met(jnp.ones(1), 1.0)
    assert np.asarray(one[0]) == pytest.approx(np.array([[0.0, 1.0]]), abs=1e-12)
    assert float(jnp.sum(one[0] * one[1])) == pytest.approx(1)
    still, _ = _met(jnp.asarray(shares), jnp.inf)
    assert np.asarray(still) == pytest.approx(np.repeat(shares[:, None], 2, axis=1), rel=1e-15)


def test_the_mean_of_gamma_on_matrices():
    """Traces of a matrix of drawn tasks in the place of g and D, and Gamma itself from it."""
    d, tau, ridge, copies = 24, 0.8, 0.05, 8
    lengths, kinds = sized_contexts(float(d), 12.0, 0.5, 0.5)
    few = np.asarray(frequencies(12, 1.0))
    made = drawn_tasks(few, float(d), tau, ridge, lengths, kinds)
    # the same in a space eight times as large, with eight tasks for each that share its prompts
    size, shares = copies * d, np.repeat(few, copies) / copies
    large = drawn_tasks(shares, float(size), tau, ridge, lengths, kinds)
    assert float(large.fresh) == pytest.approx(float(made.fresh), rel=1e-12)
    w = np.random.default_rng(0).standard_normal((len(shares), size))
    w *= np.sqrt(size) / np.linalg.norm(w, axis=1, keepdims=True)
    a, b, g = (np.asarray(v) for v in (kinds.signal, kinds.spread, kinds.aligned))
    e = np.ones((len(shares), len(lengths)))
    for _ in range(60):
        each = shares[:, None] * np.asarray(lengths) / (1 + e)
        nu = ridge + np.sum(each * b)
        resolvent = np.linalg.inv((w.T * (each @ a)) @ w + nu * np.eye(size))
        own = np.sum((w @ resolvent) * w, axis=1) / size
        new = (a * own[:, None] + b * np.trace(resolvent) / size) / tau
        done = np.max(np.abs(new - e)) < 1e-6
        e = new
        if done:
            break
    assert done
    gamma = (w.T * (each @ g)) @ w @ resolvent
    missing = 1 - np.sum((w @ gamma) * w, axis=1) / size
    assert float(made.fresh) == pytest.approx(1 - np.trace(gamma) / size, rel=0.01)
    assert np.asarray(made.missing) == pytest.approx(
        missing.reshape(12, copies).mean(axis=1), rel=0.03
    )


def test_few_prompts_of_short_contexts():
    """Where the limit is off by 0.05, this is within 0.015."""
    d, k, n, length, noise, ridge = 12, 24, 100, 24, 0.1, 0.05
    shares = frequencies(k, 1.0)

    @jax.jit
    def run(replicate):
        key = key_for(4, 0, 0, replicate)
        w = prompts.tasks(key, k, d)
        turn = jax.random.choice(jax.random.fold_in(key, 1), k, (n,), p=shares)
        seen = prompts.draw(key, w[turn], jnp.asarray(float(length)), jnp.asarray(noise))
        labels = seen.answer + noise**0.5 * jax.random.normal(jax.random.fold_in(key, 2), (n,))
        total = jnp.asarray(ridge * n / d)
        gamma = training.fit(seen.query, seen.summary, labels, jnp.ones(n), total).gamma
        return jnp.append(1 - jnp.sum((w @ gamma) * w, axis=1) / d, 1 - jnp.trace(gamma) / d)

    runs = np.asarray(jax.lax.map(run, jnp.arange(200)))
    mean, error = runs.mean(axis=0), runs.std(axis=0) / 200**0.5
    kinds = sized_contexts(float(d), float(length), noise, noise)
    made = drawn_tasks(shares, float(d), n / d**2, ridge, *kinds, drawn=float(n))
    assert abs(float(made.fresh) - mean[-1]) < 0.01 * mean[-1] + 3 * error[-1]
    assert np.all(np.abs(np.asarray(made.missing) - mean[:-1]) < 0.015 + 4 * error[:-1])
    limit = unequal_tasks(shares, float(d), n / d**2, ridge, contexts(length / d, noise, noise))
    assert float(limit.missing) - mean[-1] > 0.01
    assert float(limit.missing * limit.left[0]) - mean[0] > 0.02


def test_statuses():
    shares = jnp.array([0.7, 0.3])

    def status(tau, ridge, shares=shares, drawn=jnp.inf):
        made = drawn_tasks(shares, 8.0, tau, ridge, jnp.ones(1), ONE, drawn=drawn)
        bad = np.isnan([*made.missing, made.fresh, *made.left])
        assert bad.all() or not bad.any()
        return int(made.status)

    assert status(0.9, 0.0) == status(1.0, 0.0) == Status.NOT_FINITE
    assert status(1.1, 0.0) == status(0.9, 1e-12) == status(0.9, 0.1, drawn=1.0) == Status.OK
    for wrong in ((0.9, -1.0), (0.0, 1.0)):
        assert status(*wrong) == Status.OUT_OF_SCOPE
    assert status(0.9, 1.0, jnp.array([1.1, -0.1])) == Status.OUT_OF_SCOPE
    assert status(0.9, 1.0, drawn=0.5) == Status.OUT_OF_SCOPE


@pytest.mark.parametrize("field", ["missing", "fresh", "left"])
def test_derivatives_are_finite_differences(field):
    """The steps that look for a task's part have none: the last one has those of the root."""

    def value(tau, ridge, drawn):
        sizes = sized_contexts(12.0, 48.0, 0.25, 0.25)
        made = drawn_tasks(SHARES, 12.0, tau, ridge, *sizes, drawn=drawn)
        return jnp.sum(getattr(made, field))

    at, step = (2.0, 0.05, 288.0), 1e-4
    for i, exact in enumerate(jax.jit(jax.grad(value, argnums=(0, 1, 2)))(*at)):
        there = [[v * (1 + sign * step * (j == i)) for j, v in enumerate(at)] for sign in (1, -1)]
        slope = (value(*there[0]) - value(*there[1])) / (2 * step * at[i])
        assert float(exact) == pytest.approx(float(slope), rel=1e-6)


def test_as_many_tasks_as_the_phenomenon_takes():
    """Rare ones are new ones; what is left of all prompts' information adds up at every number."""
    shares = frequencies(4096, 1.0)
    made = drawn_tasks(shares, 12.0, 2.0, 0.05, *sized_contexts(12.0, 48.0, 0.25, 0.25), drawn=288)
    assert int(made.status) == Status.OK
    assert np.all(np.diff(np.asarray(made.left)) > 0)
    assert float(made.left[-1]) > 0.98
    assert float(made.missing[-1]) == pytest.approx(float(made.fresh), rel=0.02)
