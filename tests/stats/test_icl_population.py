"""icl_population: averages given contexts by brute force, agreement, decoys, and its breaks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.phenomena import load, predict
from ci_theory.phenomena.icl_population import ALL, Params
from ci_theory.tasks import contexts
from ci_theory.theory.attention.population import World, best_attention, prompt_error
from ci_theory.training import endless_prompts as training

PHENOMENON = load("icl_population")
INNER = {
    "scale": np.array([1.0, 1.0, 1.7, 0.5]),
    "turn": np.array([0.0, 1.0, 0.3, 0.1]),
    "test_noise": np.array([0.1, 0.1, 1.0, 0.0]),
}
POINT = {"d": 5, "n": 12, "test_length": 8, "noise": 0.4}
SPOILT = {"flips": 0.2, "repeated_fraction": 0.5, "repeats": 4}
TASKS = np.array([0.5, 2.0, 1.0])


@partial(jax.jit, static_argnums=0)
def run(d, numbers, replicates):
    params = build(Params, {**numbers, "d": d})
    capacity = {"n": POINT["n"], "test_length": POINT["test_length"]}

    def one(replicate):
        return PHENOMENON.simulate(key_for(5, 0, 0, replicate), params, capacity)

    made = jax.vmap(one)(replicates)
    return {name: getattr(made, name) for name in ALL}


def simulated(point, replicates=80):
    """Run one point often: measure -> (replicates, 4)."""
    full = {**PHENOMENON.point(point), **INNER}
    numbers = {k: jnp.asarray(v, float) for k, v in full.items() if k != "d"}
    starts = range(0, replicates, 20)
    parts = [run(full["d"], numbers, jnp.arange(start, start + 20)) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in ALL}


@pytest.mark.parametrize("change", [{}, SPOILT, {"n": 4, "test_length": 3, "decay": 0.3}])
def test_means_agree_and_decoys_do_not(change):
    point = {**POINT, **change}
    made = simulated(point)
    size = (2 * made["error"] + made["gain"]).mean(axis=0)  # the error and that of answering 0
    for name, predicted in predict(PHENOMENON, {**point, **INNER}).items():
        mean, error = made[name].mean(axis=0), made[name].std(axis=0, ddof=1) / 80**0.5
        estimate = predicted.estimate
        assert np.all(np.abs(mean - estimate.value) <= 4.5 * error + estimate.slack), name
        assert np.all(estimate.valid)
        assert estimate.slack == pytest.approx((13 / 1024) ** 2 * size, rel=0.1)
        for decoy, wrong in predicted.decoys.items():
            if decoy in ("signs are right", "copies are fresh rows") and change is not SPOILT:
                continue  # there they are
            assert np.any(np.abs(mean - wrong) > 5 * error + estimate.slack), (name, decoy)
    zero = made["error"] + made["gain"]
    assert zero.std(axis=0) == pytest.approx(0, abs=1e-10)  # answering 0 needs no context


def test_means_over_tasks_and_labels_given_the_inputs_are_those_of_drawn_prompts():
    rng, many, sign, noise = np.random.default_rng(3), 300_000, 0.6, 0.7
    x = np.asarray(contexts.inputs(key_for(0, 0, 0, 0), "trained", 4, 2, jnp.asarray(TASKS)))
    weights = np.array([3.0, 1.0, 1.0, 0.0]) / 5
    made = contexts.seen(jnp.asarray(x), jnp.asarray(weights), jnp.asarray(TASKS), noise, sign, 2)
    w = rng.standard_normal((many, 3)) * np.sqrt(TASKS)
    for c in range(2):
        y = w @ x[:, c].T + np.sqrt(noise) * rng.standard_normal((many, 4))
        y = np.where(rng.random((many, 4)) < (1 - sign) / 2, -y, y)
        h = (y * weights) @ x[:, c]
        for found, drawn in (
            (made.power[c], h[:, :, None] * h[:, None, :]),
            (sign * np.asarray(made.inputs[c]) * TASKS, h[:, :, None] * w[:, None, :]),
        ):
            error = drawn.std(axis=0) / many**0.5
            assert np.all(np.abs(np.asarray(found) - drawn.mean(axis=0)) < 5 * error)
    plain = contexts.moments(jnp.asarray(x), jnp.asarray(weights))
    assert np.asarray(plain) == pytest.approx(np.asarray(made.inputs), rel=1e-14)


def test_a_test_seen_through_a_root_is_that_of_its_own_inputs():
    z = contexts.inputs(key_for(0, 0, 0, 1), "tested", 6, 4, jnp.ones(3))
    there, tasks = jnp.array([1.0] * 5 + [0.0]) / 5, jnp.asarray(TASKS)
    root = jnp.asarray(np.random.default_rng(1).standard_normal((3, 3)))
    fast = contexts.seen_through(root, contexts.moments(z, there), tasks, 0.3, 5, 2)
    slow = contexts.seen(z @ root.T, there, tasks, 0.3, 1.0, 2)
    for one, other in zip(fast, slow, strict=True):
        assert np.asarray(one) == pytest.approx(np.asarray(other), rel=1e-12)


def test_training_minimises_what_it_is_tested_by():
    z = contexts.inputs(key_for(0, 0, 0, 2), "trained", 4, 6, jnp.asarray([1.0, 0.3, 2.0]))
    tasks, covariance = jnp.asarray(TASKS), jnp.asarray([[2.0, 0.5, 0], [0.5, 1, 0], [0, 0, 0.3]])
    seen = contexts.seen(z, jnp.ones(4) / 4, tasks, 0.3, 1.0, 1)
    seen = jax.tree.map(lambda v: v[0], seen)
    gamma = training.fit(seen, tasks, 1.0)
    slope = jax.grad(training.test_error)(gamma, seen, covariance, tasks, jnp.asarray(0.3))
    assert np.asarray(slope) == pytest.approx(np.zeros((3, 3)), abs=1e-12)
    lowered = training.fit(seen, tasks, 0.5)  # wrong signs of the query only make it smaller
    assert np.asarray(lowered) == pytest.approx(0.25 * np.asarray(gamma), rel=1e-12)


def test_the_first_order_of_few_contexts_cancels():
    """Exactly for a square, whose mean over halves is that of a product; in a training nearly."""
    halves = contexts.Seen(jnp.array([[[3.0]], [[5.0]]]), jnp.zeros((2, 1, 1)))
    assert float(training.endless(halves, lambda seen: jnp.sum(seen.inputs) ** 2)) == 15.0
    drawn, variances, tasks = 32, jnp.array([1.0, 0.5, 0.25]), jnp.asarray(TASKS)
    home = World(inputs=jnp.diag(variances), tasks=jnp.diag(tasks), pairs=6.0, noise=0.1)
    away = World(inputs=jnp.diag(variances[::-1]), tasks=jnp.diag(tasks), pairs=6.0, noise=0.1)

    @jax.jit
    @jax.vmap
    def errors(replicate):
        x = contexts.inputs(key_for(6, 0, 0, replicate), "trained", 6, drawn, variances)
        seen = contexts.seen(x, jnp.ones(6) / 6, tasks, 0.1, 1.0, training.HALVES)

        def error(one):
            return prompt_error(training.fit(one, tasks, 1.0), away)

        plain = error(jax.tree.map(lambda v: jnp.mean(v, axis=0), seen))
        return jnp.stack([plain, training.endless(seen, error)])

    made = np.asarray(errors(jnp.arange(20_000)))
    wanted = float(prompt_error(best_attention(home), away))
    plain, extrapolated = made.mean(axis=0) / wanted - 1
    error = made.std(axis=0) / 20_000**0.5 / wanted
    assert plain > 10 * error[0]
    assert abs(extrapolated) < 4 * error[1] + (6 / drawn) ** 2
    assert abs(extrapolated) < 0.5 * plain


def test_the_sheet_of_numbers():
    """Reversed inputs: 41 times the error, nine times that of no answer."""
    point = {"d": 8, "turn": np.array([0.0, 1.0])}
    error, gain = (predict(PHENOMENON, point)[k].estimate.value for k in ("error", "gain"))
    assert error[1] / error[0] == pytest.approx(40.8, abs=0.05)
    assert error[1] > 9 * (error + gain)[1]


def test_spoilt_prompts_cost_at_home_and_protect_abroad():
    for spoilt in ({"noise": np.array([0.1, 10.0])}, {"flips": np.array([0.0, 0.2])}):
        for turn, sign in ((0.0, 1), (1.0, -1)):
            error = predict(PHENOMENON, {"d": 8, "turn": turn, **spoilt})["error"].estimate.value
            assert np.sign(error[1] - error[0]) == sign


def closed(name, **point):
    rule = next(b for b in PHENOMENON.breaks if b.name.startswith(name))
    return rule.closed_form(build(Params, PHENOMENON.point(point)))


def gained(**point):
    return predict(PHENOMENON, {**POINT, **point})["gain"].estimate.value


@pytest.mark.parametrize("change", [{}, SPOILT, {"turn": 0.4}])
def test_the_context_stops_to_help_at_its_scale(change):
    place = closed("scale", **{**POINT, **change})
    made = gained(**{**change, "scale": place * np.array([0.999, 1.001])})
    assert made[0] > 0 > made[1]


@pytest.mark.parametrize("change", [{}, {"scale": 1.5, "n": 6, "flips": 0.05}])
def test_the_context_stops_to_help_at_its_turn(change):
    place = closed("turn", **{**POINT, **change})
    turns = np.concatenate([np.linspace(0, 0.999, 9), [1.001]]) * place
    made = gained(**{**change, "turn": turns})
    assert np.all(made[:-1] > 0)
    assert made[-1] < 0


def test_where_nothing_stops_to_help_there_is_no_place():
    assert np.isnan(closed("turn", decay=0.0))  # no direction to turn
    assert np.isnan(closed("turn", **POINT, **SPOILT))  # such weights are small
    assert np.all(gained(**SPOILT, turn=np.linspace(0, 1, 10)) > 0)
    assert np.isnan(closed("turn", scale=9.0))  # it has stopped before
    assert np.isnan(closed("scale", test_noise=1e5))
    assert np.isnan(closed("noise", decay=0.1, tilt=0.0))
    assert np.isnan(closed("noise", decay=0.0, tilt=0.1))


def test_some_noise_suits_a_shift():
    point = {**POINT, "decay": 0.0, "tilt": 0.0, "scale": 2.0}
    place = closed("noise", **point)
    assert place > 1
    rule = PHENOMENON.breaks[2]
    noises = place * np.geomspace(0.2, 5.0, 41)
    curve = predict(PHENOMENON, {**point, "noise": noises})["error"].estimate.value
    assert rule.locator.locate(noises, curve).value == pytest.approx(place, rel=0.01)
    assert np.isnan(closed("noise", **{**point, "scale": 0.1}))  # exact labels are best there
