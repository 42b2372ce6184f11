"""icl_zipf_tasks: what the weights know by heart, agreement, decoys, and the rank of the break."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.phenomena import load, predict
from ci_theory.phenomena.icl_zipf_tasks import ALL, Params
from ci_theory.tasks import prompts, zipf
from ci_theory.theory.attention.linear_attention import contexts
from ci_theory.theory.attention.zipf_tasks import unequal_tasks

PHENOMENON = load("icl_zipf_tasks")
RANKS = np.array([1, 3, 6, 20])
POINT = {"d": 12, "tasks": 24, "n": 288, "length": 48, "exponent": 1.3, "noise": 3.0}


@partial(jax.jit, static_argnums=(0, 1))
def run(d, tasks, numbers, replicates):
    params = build(Params, {**numbers, "d": d, "tasks": tasks, "rank": jnp.asarray(RANKS)})

    def one(replicate):
        return PHENOMENON.simulate(key_for(9, 0, 0, replicate), params, {"n": POINT["n"]})

    made = jax.vmap(one)(replicates)
    return {name: getattr(made, name) for name in ALL}


def simulated(replicates, **changes):
    full = PHENOMENON.point({**POINT, **changes})
    skip = ("d", "tasks", "rank")
    numbers = {k: jnp.asarray(v, float) for k, v in full.items() if k not in skip}
    made = run(full["d"], full["tasks"], numbers, jnp.arange(replicates))
    return {k: np.asarray(v) for k, v in made.items()}


def test_means_agree_and_decoys_do_not():
    made, rejected = simulated(200), set()
    for name, predicted in predict(PHENOMENON, {**POINT, "rank": RANKS}).items():
        mean, error = made[name].mean(axis=0), made[name].std(axis=0, ddof=1) / 200**0.5
        estimate = predicted.estimate
        assert np.all(estimate.valid)
        assert np.all(np.abs(mean - estimate.value) <= 4.5 * error + estimate.slack), name
        assert np.all(estimate.slack < 0.1)
        for decoy, wrong in predicted.decoys.items():
            if np.any(np.abs(mean - wrong) > 5 * error + estimate.slack):
                rejected.add((name, decoy))
    # two prompts a weight nearly are endless, a watched task tells little of the noise: the sweep
    wanted = {(name, decoy) for name in ALL for decoy in ("tasks are alike", "contexts are exact")}
    assert wanted | {("missing_fresh", "labels are exact")} <= rejected
    known = made["known"].mean(axis=0)
    assert known[0] > 0.05
    assert known[-1] < -0.1
    assert np.all(np.diff(known) < 0)


def test_a_run_is_ridge_regression_on_the_columns():
    """One run against d^2 columns written out; what is missing, by what long contexts answer."""
    made = {k: v[1] for k, v in simulated(2).items()}
    d, n, key = POINT["d"], POINT["n"], key_for(9, 0, 0, 1)
    w = prompts.tasks(key, POINT["tasks"], d)
    shares = zipf.frequencies(POINT["tasks"], POINT["exponent"])
    drawn = np.asarray(zipf.draws(stream(key, "frequency"), shares, n))
    seen = prompts.draw(key, w[drawn], jnp.asarray(48.0), jnp.asarray(3.0))
    labels = np.asarray(seen.answer) + 3**0.5 * np.asarray(
        jax.random.normal(stream(key, "noise"), (n,))
    )
    columns = np.einsum("ni,nj->nij", seen.query, seen.summary).reshape(n, d * d)
    system = columns.T @ columns + 0.05 * n / d * np.eye(d * d)
    gamma = np.linalg.solve(system, columns.T @ labels).reshape(d, d)
    for i, rank in enumerate(RANKS):
        task = np.asarray(w)[rank - 1]
        told = task @ gamma @ task / d  # h is the task itself, the query along it
        assert made["missing"][i] == pytest.approx(1 - told, abs=1e-6)
    assert made["missing_fresh"][0] == pytest.approx(1 - np.trace(gamma) / d, abs=1e-6)
    # common tasks come as often as their frequency says
    most = np.mean(drawn == 0)
    assert most == pytest.approx(float(shares[0]), abs=4 * (float(shares[0]) / n) ** 0.5)


def closed(**point):
    (rule,) = PHENOMENON.breaks
    return rule.closed_form(build(Params, PHENOMENON.point({**POINT, **point})))


def limit(rank, **point):
    """What is known of a task beyond half of it, for d -> infinity."""
    at = {**POINT, **point}
    shares = np.arange(1.0, at["tasks"] + 1) ** -at["exponent"]
    d, noise = float(at["d"]), at["noise"]
    seen = contexts(at["length"] / d, noise, noise)
    ridge = at.get("ridge", PHENOMENON.point({})["ridge"])
    made = unequal_tasks(shares / shares.sum(), d, at["n"] / d**2, ridge, seen)
    return float((0.5 - made.left[rank - 1]) * made.missing)


def test_half_of_a_task_is_known_at_the_rank_of_the_break():
    """In the limit, of which the closed form is; what is forecast crosses within a rank of it."""
    for change in ({}, {"noise": 0.1, "n": 600}, {"exponent": 0.8, "ridge": 0.3}):
        place = closed(**change)
        assert limit(int(place), **change) > 0 > limit(int(place) + 1, **change)
        ranks = np.array([max(int(place) - 1, 1), int(place) + 2])
        known = predict(PHENOMENON, {**POINT, **change, "rank": ranks})["known"].estimate.value
        assert known[0] > 0 > known[1]
    few = {"n": 100, "noise": 0.1}
    place = brentq(lambda a: limit(2, **few, exponent=a), 0.2, 1.5, xtol=1e-12)
    assert closed(**few, exponent=place) == pytest.approx(2, rel=1e-9)  # half known, to rounding
    assert np.isnan(closed(exponent=0.0))
    assert np.isnan(closed(exponent=0.05))  # none is common enough


def test_noisy_labels_and_equal_tasks_teach_less_by_heart():
    noisy = [closed(noise=noise) for noise in (0.1, 1.0, 4.0)]
    assert noisy[0] > noisy[1] > noisy[2]
    known = [
        predict(PHENOMENON, {**POINT, "exponent": a})["known"].estimate.value[0] for a in (0.3, 1.5)
    ]
    assert known[0] < 0 < known[1]
