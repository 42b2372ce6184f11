"""icl_linear_attention: exact draws, the fit without columns, agreement, order of what is left."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.phenomena import Estimate, load, predict
from ci_theory.phenomena.icl_linear_attention import ALL, LEVEL, Params
from ci_theory.tasks import prompts
from ci_theory.theory.attention.linear_attention import Prompts, contexts, linear_attention
from ci_theory.training import linear_attention as training

PHENOMENON = load("icl_linear_attention")
INNER = {
    "ridge": np.array([0.1, 0.1, 0.3]),
    "query_noise": np.array([0.1, 1.0, 0.1]),
    "flips": np.array([0.0, 0.2, 0.1]),
    "test_length": np.array([24, 24, 60]),
    "test_noise": np.array([0.1, 0.1, 1.0]),
}
POINT = {"d": 12, "n": 360, "tasks": 8, "length": 24, "noise": 0.5}
COPIES = {"repeated_fraction": 0.5, "repeats": 6}


@partial(jax.jit, static_argnums=(0, 1, 2))
def run(d, n, tasks, numbers, replicate):
    params = build(Params, {**numbers, "d": d})
    made = PHENOMENON.simulate(key_for(8, 0, 0, replicate), params, {"n": n, "tasks": tasks})
    return {name: getattr(made, name) for name in ALL}


def simulated(point, inner, replicates):
    """Run one point often: measure -> (replicates, m)."""
    full = {**PHENOMENON.point(point), **inner}
    numbers = {k: jnp.asarray(v) for k, v in full.items() if k != "d"}
    sizes = full["d"], full["n"], full["tasks"]
    made = [run(*sizes, numbers, r) for r in range(replicates)]
    return {name: np.array([one[name] for one in made]) for name in ALL}


@pytest.mark.parametrize("change", [{}, COPIES], ids=["plain", "copies"])
def test_means_agree_and_decoys_do_not(change):
    point = {**POINT, **change}
    made = simulated(point, INNER, 60)
    rejected = set()
    for name, predicted in predict(PHENOMENON, {**point, **INNER}).items():
        mean, error = made[name].mean(axis=0), made[name].std(axis=0, ddof=1) / 60**0.5
        estimate = predicted.estimate
        assert np.all(estimate.valid)
        assert np.all(np.abs(mean - estimate.value) <= 4.5 * error + estimate.slack), name
        assert np.all(estimate.slack < 0.25 * estimate.value)
        for decoy, wrong in predicted.decoys.items():
            if np.any(np.abs(mean - wrong) > 5 * error + estimate.slack):
                rejected.add((name, decoy))
    decoys = {m.name for m in PHENOMENON.mistakes} - (
        set() if change else {"copies are fresh rows"}
    )
    assert {(name, decoy) for name in ALL[:2] for decoy in decoys} - rejected == set()
    assert ("gap", "tasks are endless") in rejected


def test_a_context_is_drawn_as_if_it_were_written_out():
    """Moments of h up to the fourth, with the query's answer, against prompts made pair by pair."""
    rng = np.random.default_rng(5)
    d, length, noise, many = 4, 3, 2.0, 40_000
    w = np.array([1.0, -1.0, 1.0, 1.0])
    x = rng.standard_normal((many, length, d)) / np.sqrt(d)
    y = x @ w + np.sqrt(noise) * rng.standard_normal((many, length))
    slow = d / length * np.einsum("nl,nld->nd", y, x)
    seen = prompts.draw(key_for(0, 0, 0, 1), jnp.tile(w, (many, 1)), 3, noise)
    fast = np.asarray(seen.summary)
    for power in (lambda h: h, lambda h: h[:, :, None] * h[:, None, :]):
        for weight in (lambda h: 1.0, lambda h: np.sum(h**2, axis=1), lambda h: h @ w / d):
            one, two = (np.moveaxis(power(h), 0, -1) * weight(h) for h in (slow, fast))
            apart = one.mean(axis=-1) - two.mean(axis=-1)
            error = np.sqrt((one.var(axis=-1) + two.var(axis=-1)) / many)
            assert np.all(np.abs(apart) < 5 * error)
    query = np.asarray(seen.query)
    assert np.asarray(seen.answer) == pytest.approx(query @ w, abs=1e-12)
    assert np.mean(query[:, :, None] * query[:, None, :], axis=0) == pytest.approx(
        np.eye(d) / d, abs=0.01
    )
    assert abs(np.mean(query[:, 0] * fast[:, 0])) < 0.02


@pytest.fixture(scope="module")
def small():
    """60 prompts in 5 dimensions, with labels and copies."""
    d, n, key = 5, 60, key_for(1, 0, 0, 0)
    w = prompts.tasks(key, 3, d)
    seen = prompts.draw(key, w[prompts.in_turn(n, jnp.array(3))], jnp.array(9.0), jnp.array(0.3))
    weights = jnp.asarray(np.random.default_rng(0).integers(0, 4, n), float)
    return w, seen, weights


def test_the_fit_is_that_of_the_columns(small):
    _, seen, weights = small
    columns = np.einsum("ni,nj->nij", seen.query, seen.summary).reshape(60, 25)
    weighted = columns * np.asarray(weights)[:, None]
    for ridge in (1e-3, 2.0):
        made = training.fit(seen.query, seen.summary, seen.answer, weights, jnp.array(ridge))
        system = weighted.T @ columns + ridge * np.eye(25)
        wanted = np.linalg.solve(system, weighted.T @ np.asarray(seen.answer)).reshape(5, 5)
        assert bool(made.converged)
        assert np.asarray(made.gamma) == pytest.approx(wanted, rel=1e-6, abs=1e-7)


def test_a_fit_that_does_not_get_there_is_no_number(small, monkeypatch):
    _, seen, weights = small
    monkeypatch.setattr(training, "MOST_STEPS", 2)
    monkeypatch.setattr(training, "ROUNDS", 0)
    made = training.fit(seen.query, seen.summary, seen.answer, weights, jnp.array(1e-3))
    assert not bool(made.converged)
    assert np.isnan(np.asarray(made.gamma)).all()


def test_single_precision_does_most_of_a_fit_and_harms_none(small, monkeypatch):
    """Few steps are left to double precision, but for equations that single cannot hold."""
    _, seen, weights = small
    query, summary, labels = seen.query, seen.summary, seen.answer
    plain = np.asarray(training.fit(query, summary, labels, weights, jnp.array(0.1)).gamma)
    with monkeypatch.context() as few:
        few.setattr(training, "MOST_STEPS", 3)
        made = training.fit(query, summary, labels, weights, jnp.array(0.1))
        assert np.asarray(made.gamma) == pytest.approx(plain, rel=1e-8)
        few.setattr(training, "ROUNDS", 0)
        assert not bool(training.fit(query, summary, labels, weights, jnp.array(0.1)).converged)
    # 20 prompts of 1e25 times the usual size: squares overflow in single precision
    vast, ridge = 1e25 * summary[:20], jnp.array(1e45)
    made = training.fit(query[:20], vast, labels[:20], jnp.ones(20), ridge)
    columns = np.einsum("ni,nj->nij", query[:20], vast / 1e25).reshape(20, 25)
    wanted = columns.T @ np.linalg.solve(columns @ columns.T + 1e-5 * np.eye(20), labels[:20])
    assert bool(made.converged)
    assert np.asarray(made.gamma) * 1e25 == pytest.approx(wanted.reshape(5, 5), rel=1e-5, abs=1e-6)


def test_the_test_error_is_that_of_drawn_prompts(small):
    w, *_ = small
    rng = np.random.default_rng(2)
    gamma = 0.5 * np.eye(5) + 0.2 * rng.standard_normal((5, 5))
    many, length, noise = 200_000, 7, 0.4
    turn = np.asarray(w)[np.arange(many) % 3]
    x = rng.standard_normal((many, length, 5)) / np.sqrt(5)
    y = np.einsum("nld,nd->nl", x, turn) + np.sqrt(noise) * rng.standard_normal((many, length))
    h = 5 / length * np.einsum("nl,nld->nd", y, x)
    query = rng.standard_normal((many, 5)) / np.sqrt(5)
    label = np.sum(query * turn, axis=1) + np.sqrt(noise) * rng.standard_normal(many)
    missed = (label - np.sum((query @ gamma) * h, axis=1)) ** 2
    found = training.test_error(jnp.asarray(gamma), w.T @ w / 3, length, noise)
    assert float(found) == pytest.approx(missed.mean(), abs=4.5 * missed.std() / many**0.5)


@jax.jit
def foretold(numbers):
    """Evaluate value and slack of fresh_error, all numbers traced."""
    params = build(Params, numbers)
    made = PHENOMENON.forecast(params, None)
    slack, _ = PHENOMENON.bounds(params, made)["fresh_error"]
    return Estimate(made.fresh_error, slack, True, made.status)


def test_what_is_left_is_of_order_one_over_d_and_mostly_the_lengths_of_prompts():
    """Few pairs and a small ridge: the limit is off by 4/d at three sizes, the forecast by less."""
    off, left = [], []
    for d, replicates in ((8, 150), (12, 80), (18, 30)):
        point = {"d": d, "n": round(1.5 * d**2), "tasks": round(0.75 * d), "length": d}
        inner = {"ridge": [0.02], "query_noise": [1.0], "test_length": [2 * d]}
        inner = {k: np.array(v) for k, v in inner.items()} | {
            "flips": np.zeros(1),
            "test_noise": np.array([0.1]),
        }
        mean = simulated({**point, "noise": 0.2}, inner, replicates)["fresh_error"].mean()
        full = {**PHENOMENON.point({**point, "noise": 0.2}), **{k: v[0] for k, v in inner.items()}}
        made = foretold({k: jnp.asarray(v, float) for k, v in full.items()})
        assert abs(mean - float(made.value)) < float(made.slack)
        kind = contexts(1.0, 0.2, 1.0)
        plain = Prompts(
            counts=jnp.array([point["n"] / d**2]),
            weights=jnp.ones(1),
            contexts=jax.tree.map(lambda v: v[None], kind),
            ridge=0.02 * point["n"] / d**2,
        )
        limit = linear_attention(plain, point["tasks"] / d, contexts(2.0, 0.1, 0.1)).fresh_error
        excess = float(limit) - 0.1
        off.append(d * (mean - float(limit)) / excess)
        left.append(d * (mean - float(made.value)) / excess)
    assert np.all(np.abs(left) < 0.35 * np.array(off))
    assert abs(left[2]) < 0.5 * abs(left[0])  # here the rest is of the next order
    assert np.max(off) < 2 * np.min(off)


def test_the_breaks_are_where_they_are_said_to_be():
    peak, learnt = PHENOMENON.breaks
    params = build(Params, PHENOMENON.point({"d": 20, **COPIES}))
    assert peak.closed_form(params) == pytest.approx(400 / (0.5 + 0.5 / 6))
    all_copies = {"d": 20, "repeated_fraction": 1.0, "repeats": 4}
    assert peak.closed_form(build(Params, PHENOMENON.point(all_copies))) == pytest.approx(1600)
    point = {**POINT, "ridge": 1e-6, "n": np.round(np.geomspace(60, 800, 60)).astype(int)}
    curve = predict(PHENOMENON, point)["fresh_error"].estimate.value
    found = peak.locator.locate(point["n"].astype(float), curve)
    assert found.value == pytest.approx(144, rel=0.05)
    # endless prompts and contexts: the gap is LEVEL at (1 - LEVEL) d tasks
    many = {"d": 1000, "n": 10**12, "length": 10**7, "test_length": 10**7, "noise": 0.01}
    many |= {"test_noise": 0.01, "query_noise": 0.01, "ridge": 1e-9}
    tasks = int(learnt.closed_form(build(Params, PHENOMENON.point({"d": 1000}))))
    gap = predict(PHENOMENON, {**many, "tasks": np.array([tasks])})["gap"].estimate.value
    assert gap[0] == pytest.approx(LEVEL, abs=2e-3)
