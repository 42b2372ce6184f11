"""icl_task_pool: agreement, decoys, the place of the crossing, and the answers of a run."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from ci_theory._errors import Status
from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.biases import repetition
from ci_theory.phenomena import load, predict
from ci_theory.phenomena.icl_task_pool import ALL, CLOSE, PROMPTS, Params
from ci_theory.tasks import zipf

PHENOMENON = load("icl_task_pool")
NEW = np.array([0.1, 0.3, 0.5])
POINT = {"d": 4, "pool": 24, "frames": 1, "noise": 0.5, "repeated_fraction": 0.5, "repeats": 4}


@partial(jax.jit, static_argnums=0)
def run(capacity, numbers, replicates):
    params = build(Params, {**numbers, "d": POINT["d"], "new": jnp.asarray(NEW)})

    def one(replicate):
        return PHENOMENON.simulate(key_for(9, 0, 0, replicate), params, {"pool": capacity})

    made = jax.lax.map(one, replicates)
    return {name: getattr(made, name) for name in ALL}


def simulated(replicates, capacity=POINT["pool"]):
    full = PHENOMENON.point(POINT)
    numbers = {k: jnp.asarray(v, float) for k, v in full.items() if k not in ("d", "new")}
    made = run(capacity, numbers, jnp.arange(replicates))
    return {k: np.asarray(v) for k, v in made.items()}


def test_means_agree_and_decoys_do_not():
    made, rejected = simulated(400), set()
    for name, predicted in predict(PHENOMENON, {**POINT, "new": NEW}).items():
        mean, error = made[name].mean(axis=0), made[name].std(axis=0, ddof=1) / 400**0.5
        estimate = predicted.estimate
        assert np.all(estimate.valid)
        assert np.all(np.abs(mean - estimate.value) <= 4.5 * error + estimate.slack), name
        assert np.all(estimate.slack < 1e-3)
        for decoy, wrong in predicted.decoys.items():
            if np.any(np.abs(mean - wrong) > 5 * error + estimate.slack):
                rejected.add((name, decoy))
    decoys = [mistake.name for mistake in PHENOMENON.mistakes]
    wanted = {(name, decoy) for name in ALL for decoy in decoys}
    assert wanted - {("loss", "the task is recognised")} <= rejected
    assert np.all(np.diff(made["advantage"].mean(axis=0)) < 0)


def test_a_run_answers_with_the_posterior_of_its_pool():
    """Prompt by prompt, with room left over for tasks that are not there."""
    made = {k: v[1] for k, v in simulated(2, capacity=40).items()}
    key, spread = key_for(9, 0, 0, 1), 0.5
    params = build(Params, PHENOMENON.point(POINT))
    pool = np.asarray(jax.random.normal(stream(key, "pool"), (40, 4)))
    weights = np.asarray(repetition.weights(params.split(), 40))
    assert weights.sum() == POINT["pool"]
    which = np.asarray(zipf.draws(stream(key, "which"), jnp.asarray(weights / 24), PROMPTS))
    fresh = np.asarray(jax.random.normal(stream(key, "fresh"), (PROMPTS, 4)))
    tasks = np.concatenate([pool[which], fresh])
    told = tasks + spread**0.5 * np.asarray(jax.random.normal(stream(key, "told"), tasks.shape))
    gain, loss = [], []
    for i, z in enumerate(told):
        chance = weights * np.exp(-np.sum((z - pool) ** 2, axis=1) / (2 * spread))
        chance /= chance.sum()
        mean = chance @ pool
        if i < PROMPTS:
            gain.append(spread / (1 + spread) - chance @ np.sum((pool - mean) ** 2, axis=1) / 4)
        else:
            loss.append(np.sum((mean - z / (1 + spread)) ** 2) / 4)
    assert made["gain"][0] == pytest.approx(np.mean(gain), rel=1e-10)
    assert made["loss"][0] == pytest.approx(np.mean(loss), rel=1e-10)
    wanted = (1 - NEW) * np.mean(gain) - NEW * np.mean(loss)
    assert made["advantage"] == pytest.approx(wanted, rel=1e-9)


def test_the_crossing_is_where_both_err_alike():
    by_name = {rule.name: rule for rule in PHENOMENON.breaks}
    sought = by_name["new tasks that ridge is better for"]
    place = sought.closed_form

    def share(**change):
        return place(build(Params, PHENOMENON.point({**POINT, **change})))

    def advantage(new, **change):
        made = predict(PHENOMENON, {**POINT, **change, "new": new})["advantage"]
        return made.estimate.value[0]

    at = share()
    assert brentq(advantage, 0.05, 0.6, xtol=1e-10) == pytest.approx(at, rel=1e-8)
    found = sought.locator.locate(
        NEW, predict(PHENOMENON, {**POINT, "new": NEW})["advantage"].estimate.value
    )
    assert found.value == pytest.approx(at, rel=1e-6)  # a straight line in the share of new tasks
    # larger pools bear more new tasks, one half of very many; clear contexts fewer
    shares = [share(pool=k) for k in (8, 24, 100)]
    assert shares[0] < shares[1] < shares[2] < 0.5
    assert share(frames=2) < at


def test_a_pool_worth_knowing_is_found_between_pools_far_apart():
    """Gain and loss go with the logarithm of the pool, in which sweeps are even."""
    (sought,) = [rule for rule in PHENOMENON.breaks if rule.axis == "pool"]
    plain = {**POINT, "repeated_fraction": 0.0, "repeats": 1, "new": 0.4}

    def advantage(sizes):
        made = predict(PHENOMENON, {**plain, "pool": sizes.tolist()})["advantage"]
        return made.estimate.value

    few = np.array([6, 24, 96])
    found = sought.locator.locate(few, advantage(few))
    assert found.status == Status.OK
    less, more = advantage(np.rint(found.value * np.array([0.9, 1.1])).astype(int))
    assert less < 0 < more


def test_an_integral_that_has_not_settled_is_not_judged():
    params = build(Params, PHENOMENON.point(POINT))
    made = PHENOMENON.forecast(params, PHENOMENON.world(params))
    for off, settled in ((0.9 * CLOSE, True), (1.1 * CLOSE, False)):
        moved = dataclasses.replace(made, made=made.made._replace(off=jnp.asarray(off)))
        found = PHENOMENON.bounds(params, moved)
        assert [bool(found[name].valid) for name in ALL] == 3 * [settled]
