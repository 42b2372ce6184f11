"""linear_grokking: simulation against prediction, decoys, grokking times, and weights as copies."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory.phenomena import Bound, linear_grokking, load, predict
from ci_theory.theory.dynamics.grokking import (
    asymptotic_delay,
    grok_times,
    largest_ratio,
    loss_at_accuracy,
)
from ci_theory.training import gradient_flow

TIMES = np.geomspace(0.5, 1200, 16)
CASES = {
    "more inputs than rows": {"n": 200, "d": 400},
    "with copies": {"n": 200, "d": 400, "repeated_fraction": 0.5, "repeats": 8},
    "fewer inputs": {"n": 300, "d": 150, "signal": 1, "start": 1, "noise": 0.01, "decay": 0},
    "fewer, copies": {
        "n": 300, "d": 120, "signal": 1, "start": 1, "noise": 0.01, "decay": 0.02,
        "repeated_fraction": 0.4, "repeats": 5,
    },
    "features, copies": {
        "n": 120, "d": 100, "p": 200, "signal": 1e-3, "start": 50, "noise": 1e-3,
        "repeated_fraction": 0.5, "repeats": 4,
    },
}  # fmt: skip


def simulate(replicates, times=TIMES, **changes):
    """Replicates of every measure at some times: a record of arrays (replicates, times)."""
    point = load("linear_grokking").point(changes)
    for name in ("time", "decay", "noise"):
        point[name] = jnp.full(len(times), float(point[name]))
    params = linear_grokking.Params(**{**point, "time": jnp.asarray(times)})

    def one(replicate):
        return linear_grokking.simulate(key_for(0, 1, 2, replicate), params, {"n": point["n"]})

    return jax.jit(lambda r: jax.lax.map(one, r))(jnp.arange(replicates))


@pytest.mark.parametrize("case", CASES)
def test_means_lie_within_slack_and_error_and_decoys_do_not(case):
    found = simulate(60, **CASES[case])
    predicted = predict(load("linear_grokking"), {**CASES[case], "time": TIMES})
    for prediction in load("linear_grokking").predictions:
        expected = predicted[prediction.name].estimate
        if prediction.name == "closed_loss" and "copies" in case:
            assert set(expected.status) == {Status.OUT_OF_SCOPE}
            continue
        assert np.all(expected.status == Status.OK)
        judged = expected.valid  # not where exponentially little is left of a loss
        assert judged.mean() > 0.5 or (prediction.name == "train_accuracy" and judged.sum() >= 2)
        values = np.asarray(getattr(found, prediction.measure))
        error = values.std(axis=0) / len(values) ** 0.5
        room = expected.slack + 4.5 * error + 1e-12 * np.abs(expected.value)
        off = np.abs(values.mean(axis=0) - expected.value)
        assert np.all((off < room)[judged]), prediction.name
        for name, wrong in predicted[prediction.name].decoys.items():
            same = {
                "copies are fresh rows": "copies" not in case,
                "no decay": CASES[case].get("decay") == 0,
                "asymptotic delay": case != "fewer inputs",
                "infinite features": "p" not in CASES[case],
            }.get(name, False)
            seen = np.any((np.abs(values.mean(axis=0) - wrong) > room)[judged])
            assert seen != same, (prediction.name, name)


def test_closed_form_is_the_inversion():
    predicted = predict(load("linear_grokking"), {**CASES["fewer inputs"], "time": TIMES})
    closed, inverted = (predicted[k].estimate.value for k in ("closed_loss", "test_loss"))
    np.testing.assert_allclose(closed, inverted, rtol=1e-10)


def test_grokking_times_are_found_in_the_curves():
    """The located crossing holds the closed form; so does the one of the predicted curve."""
    kinds = {b.name: b for b in load("linear_grokking").breaks}
    params = linear_grokking.Params(**load("linear_grokking").point({"n": 200, "d": 400}))
    found = simulate(30, n=200, d=400)
    for name, field in (("generalises", "test_accuracy"), ("fits", "train_accuracy")):
        place = kinds[name].closed_form(params)
        located = kinds[name].locator.locate(TIMES, np.asarray(getattr(found, field)))
        assert located.status == Status.OK
        index = int(np.searchsorted(TIMES, place))
        before, after = TIMES[index - 1], TIMES[index]
        assert before < located.value < after
    assert kinds["generalises"].closed_form(params) > 7 * kinds["fits"].closed_form(params)
    never = linear_grokking.Params(
        **load("linear_grokking").point({"n": 200, "d": 400, "signal": 1.0})
    )
    assert np.isnan(kinds["generalises"].closed_form(never))
    assert kinds["fits"].closed_form(never) > 0


def test_the_asymptotic_delay_is_rejected_by_the_measured_one():
    """log(1/nu)/(2 nu) at a tolerance of 1e-3: the measured delay is 0.7 of it, the exact holds."""
    n, d, times = 300, 150, np.geomspace(3, 40, 16)
    point = {"n": n, "d": d, "signal": 1.0, "start": 1.0, "decay": 0.0, "noise": 0.0}
    found = simulate(60, times, **point)
    kinds = {b.name: b for b in load("linear_grokking").breaks}
    exact = grok_times(n, d, 1e-3, decay=0.0, signal=1.0, start=1.0)
    predicted, at = predict(load("linear_grokking"), {**point, "time": times}), {}
    for name, measure, time in (
        ("generalises", "test_accuracy", exact.test), ("fits", "train_accuracy", exact.train),
    ):  # fmt: skip
        locate = kinds[name].locator.locate
        at[name] = locate(times, np.asarray(getattr(found, measure)))
        assert at[name].status == Status.OK
        line = predicted[measure].estimate
        late, early = (locate(times, line.value + sign * line.slack).value for sign in (-1, 1))
        assert early < float(time) * 1.005  # the grid's error
        assert float(time) * 0.995 < late
        assert early < at[name].high
        assert at[name].low < late
        assert late - early < 0.1 * float(time)
    asymptotic = float(asymptotic_delay(n, d))
    assert at["generalises"].high - at["fits"].low < 0.8 * asymptotic
    assert float(exact.delay) < 0.7 * asymptotic
    later = times > 1.2 * asymptotic
    before = np.where(later, times - asymptotic, 1.0)
    fitted = predict(load("linear_grokking"), {**point, "time": before})["train_accuracy"]
    decoy = predicted["test_accuracy"].decoys["asymptotic delay"]
    np.testing.assert_allclose(decoy[later], fitted.estimate.value[later], rtol=1e-10)
    assert later.sum() > 3


def test_beyond_the_boundary_no_simulation_groks():
    """d/n below and above 1/(1 - L_c/r^2), small decay, a long time: it groks, or never."""
    n, signal, tolerance = 150, 1.0, 1.92
    level = float(loss_at_accuracy(linear_grokking.SHARE, tolerance).value)
    edge = n * float(largest_ratio(level, signal))
    assert edge == pytest.approx(2 * n, rel=0.01)
    kind = {b.name: b for b in load("linear_grokking").breaks}["generalises"]
    point = {"n": n, "signal": signal, "tolerance": tolerance, "start": 4.0, "decay": 0.01}
    for share, status in ((0.9, Status.OK), (1.1, Status.NO_BREAK)):
        d = round(share * edge)
        found = simulate(20, **point, d=d)
        located = kind.locator.locate(TIMES, np.asarray(found.test_accuracy))
        assert located.status == status
        params = linear_grokking.Params(**load("linear_grokking").point({**point, "d": d}))
        assert np.isnan(kind.closed_form(params)) == (status == Status.NO_BREAK)


def test_repetition_delays_grokking():
    """Of 200 rows 175 are lost to copies: a larger null space has to decay."""
    groks = []
    for fraction in (0.0, 0.5, 1.0):
        points = {"n": 200, "d": 400, "repeated_fraction": fraction, "repeats": 8, "time": TIMES}
        accuracy = predict(load("linear_grokking"), points)["test_accuracy"].estimate.value
        kind = load("linear_grokking").breaks[0]
        groks.append(kind.locator.locate(TIMES, accuracy).value)
    assert groks[0] < groks[1] < groks[2]


def test_weights_are_literal_copies_and_the_dual_is_the_primal():
    rng = np.random.default_rng(4)
    x = jnp.asarray(rng.normal(size=(12, 9)))
    weights = jnp.asarray([3.0] * 4 + [1.0] * 8)
    literal = jnp.repeat(x, weights.astype(int), axis=0)
    args = {
        "time": jnp.array([0.3, 2.0, 40.0]), "decay": jnp.array([0.0, 0.1, 0.02]),
        "noise": jnp.array([0.5, 0.1, 1.0]), "signal": jnp.array(1.3), "start": jnp.array(0.7),
    }  # fmt: skip
    fresh = gradient_flow.errors(gradient_flow.decompose(x, weights, 1 / weights), **args)
    copied = gradient_flow.errors(
        gradient_flow.decompose(literal, jnp.ones(20), jnp.ones(20)), **args
    )
    np.testing.assert_allclose(fresh.excess, copied.excess, rtol=1e-12)
    # copies labelled afresh scatter about their mean label: sum over rows of noise (c - 1)/N
    scatter = args["noise"] * 4 * 2 / 20
    np.testing.assert_allclose(fresh.train + scatter, copied.train, rtol=1e-12)

    # the dual form against the flow solved column by column
    wide, w = rng.normal(size=(5, 9)), np.array([1.0, 2.0, 1.0, 1.0, 4.0])
    modes = gradient_flow.decompose(jnp.asarray(wide), jnp.asarray(w), jnp.ones(5))
    found = gradient_flow.errors(modes, **args)
    for i in range(3):
        t, mu, noise = (float(args[k][i]) for k in ("time", "decay", "noise"))
        cov = (wide.T * w) @ wide / 9.0
        s, v = np.linalg.eigh(cov)
        a = np.maximum(s, 0) + mu
        keep = v * np.exp(-a * t) @ v.T
        h = np.where(a > 1e-12, (1 - np.exp(-a * t)) / np.where(a > 1e-12, a, 1), t)
        learn = v * h @ v.T @ (wide.T * w) / 9.0
        missed = np.eye(9) - learn @ wide
        excess = (0.7 * np.sum(keep**2) + 1.3 * np.sum(missed**2)) / 9 + noise * np.sum(learn**2)
        gone = np.eye(5) - wide @ learn
        share = w[:, None] / 9.0
        train = (
            0.7 * np.sum(share * (wide @ keep) ** 2) + 1.3 * np.sum(share * (wide @ missed) ** 2)
        ) / 9
        train += noise * np.sum(share * gone**2)
        assert float(found.excess[i]) == pytest.approx(float(excess), rel=1e-11)
        assert float(found.train[i]) == pytest.approx(float(train), rel=1e-11)


def test_the_slack_of_an_accuracy_reaches_whatever_the_slack_of_the_loss_allows():
    params = linear_grokking.Params(tolerance=0.01)
    for value, slack in itertools.product(np.geomspace(1e-4, 10, 21), (0.0, 1e-3, 0.1, 5.0)):
        loss = jnp.asarray(value)
        right = float(linear_grokking._accuracy(loss, params.tolerance))
        bound = linear_grokking._accurate(params, loss, Bound(jnp.asarray(slack), True))
        for moved in (value - slack, value, value + slack):
            there = linear_grokking._accuracy(jnp.maximum(moved, 0.0), params.tolerance)
            assert abs(float(there) - right) <= float(bound.slack) + 1e-15


def test_endless_features_have_initial_weights_of_the_same_size():
    """Of p features taken for the inputs every weight still starts with the variance start/p."""
    given = {"n": 60, "d": 40, "time": [0.5, 5.0], "signal": 1.0, "noise": 0.3, "decay": 0.1}
    some = predict(load("linear_grokking"), {**given, "p": 30, "start": 3.0})
    inputs = predict(load("linear_grokking"), {**given, "p": 0, "start": 3.0 / 30 * 40})
    for name in ("test_loss", "train_loss"):
        wrong = some[name].decoys["infinite features"]
        np.testing.assert_allclose(wrong, inputs[name].estimate.value, rtol=1e-7)
        assert np.all(np.abs(wrong / some[name].estimate.value - 1) > 1e-3)
