"""feature_ensemble: its simulation against direct solves, its predictions against simulation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory._record import build
from ci_theory.phenomena import load, predict
from ci_theory.phenomena import random_feature_peak as member
from ci_theory.systems import random_features
from ci_theory.tasks import sphere
from ci_theory.testing.predicting import predict_by
from ci_theory.theory.features.feature_next_order import feature_next_order
from ci_theory.training.closed_form import solve_directly

ENSEMBLE, MEMBER = load("feature_ensemble"), load("random_feature_peak")


def run(key, capacity, phenomenon=ENSEMBLE, *, ridge, noise, **point):
    values = phenomenon.point(point)
    values["ridge"], values["noise"] = jnp.array(ridge), jnp.array(noise)
    params = phenomenon.params(**values)
    return jax.jit(lambda key: phenomenon.simulate(key, params, {"n": capacity}))(key)


@functools.lru_cache(maxsize=16)
def runs(replicates, seed, *, ridge, noise, **point):
    """Simulate replicates at inner points: measure -> (replicates, len(ridge))."""
    values = ENSEMBLE.point(point)
    values["ridge"], values["noise"] = jnp.array(ridge), jnp.array(noise)
    params = ENSEMBLE.params(**values)
    found = jax.jit(
        lambda keys: jax.lax.map(
            lambda key: ENSEMBLE.simulate(key, params, {"n": point["n"]}), keys
        )
    )(jax.random.split(jax.random.key(seed), replicates))
    return {f: np.asarray(getattr(found, f)) for f in ENSEMBLE.measure_info}


# --- the simulation itself ---------------------------------------------------------------------


def test_one_member_is_random_feature_peak():
    key, inner = jax.random.key(0), {"ridge": (1e-3, 0.1), "noise": (0.3, 0.0)}
    point = {"n": 30, "p": 25, "d": 8, "quadratic": 0.4}
    ours = run(key, 37, members=1, **inner, **point)
    theirs = run(key, 37, MEMBER, **inner, **point)
    np.testing.assert_allclose(ours.excess_risk, theirs.excess_risk, rtol=1e-9)
    np.testing.assert_allclose(ours.test_error, theirs.test_error, rtol=1e-9)
    assert np.all(np.asarray(ours.disagreement) < 1e-12)


@pytest.mark.parametrize("p", [20, 45])
def test_one_run_matches_direct_solves_with_drawn_noise(p):
    n, d, members, ridge, noise = 30, 8, 3, 0.05, 0.4
    key = jax.random.key(3)
    measured = run(
        key, n + 4, ridge=(ridge,), noise=(noise,), n=n, p=p, d=d, members=members, quadratic=0.5
    )
    thetas = random_features.init(key, members * p, d).reshape(members, p, d)
    x = sphere.rows(key, n + 4, d)[:n]
    fresh = sphere.uniform(stream(key, "test"), 40_000, d)

    def target(x):
        return sphere.linear(x) + jnp.sqrt(0.5) * sphere.quadratic(x)

    train, test = (
        [random_features.apply(theta, rows, "relu") for theta in thetas] for rows in (x, fresh)
    )

    def fit(key):
        labels = target(x) + jnp.sqrt(noise) * jax.random.normal(key, (n,))
        each = jnp.stack(
            [
                after @ solve_directly(before, jnp.ones(n), labels, jnp.array(ridge))
                for before, after in zip(train, test, strict=True)
            ]
        )
        mean = each.mean(axis=0)
        apart = jnp.mean((each - mean[None]) ** 2)
        return jnp.mean((mean - target(fresh)) ** 2), apart

    drawn = jax.jit(lambda keys: jax.lax.map(fit, keys))(
        jax.random.split(stream(key, "labels"), 200)
    )
    exact = measured.excess_risk[0], measured.disagreement[0]
    for sample, wanted in zip(drawn, exact, strict=True):
        error = float(jnp.std(sample)) / np.sqrt(200)
        assert abs(float(jnp.mean(sample) - wanted)) < 4 * error + 0.01 * float(wanted)
        assert error < 0.05 * float(wanted)
    assert float(measured.test_error[0] - measured.excess_risk[0]) == pytest.approx(noise)


def test_disagreement_is_what_the_mean_gains_on_its_members():
    """Members are models of their own: the ensemble's error is their mean less the spread."""
    n, p, d, members = 24, 30, 9, 4
    key, inner = jax.random.key(7), {"ridge": (0.02,), "noise": (0.6,)}
    whole = run(key, n, n=n, p=p, d=d, members=members, **inner)
    thetas = random_features.init(key, members * p, d).reshape(members, p, d)
    x = sphere.rows(key, n, d)

    @jax.jit
    def alone(theta):
        phi = random_features.apply(theta, x, "relu")
        law = random_features.population(
            theta, "relu", signal=jnp.array(1.0), quadratic=jnp.array(0.0)
        )
        onto = law.metric @ phi.T @ jnp.linalg.inv(phi @ phi.T + 0.02 * jnp.eye(n))
        misfit = onto @ sphere.linear(x) - law.target
        return jnp.sum(misfit**2) + 0.6 * jnp.sum(onto**2)

    gain = np.mean([float(alone(theta)) for theta in thetas]) - float(whole.excess_risk[0])
    assert float(whole.disagreement[0]) == pytest.approx(gain, rel=1e-6)


# --- predictions against simulation --------------------------------------------------------------

INNER = {"ridge": (1e-3, 1e-3, 0.1, 0.1), "noise": (0.0, 0.5, 0.0, 0.5)}
CELLS = [
    {"n": 100, "p": 60, "d": 16, "activation": "relu", "members": 2, "quadratic": 0.3},
    {"n": 100, "p": 100, "d": 16, "activation": "relu", "members": 5, "quadratic": 0.3},
    {"n": 100, "p": 150, "d": 16, "activation": "tanh", "members": 3, "quadratic": 0.3},
]


@pytest.mark.parametrize(("measure", "lazy"), [("test_error", 0.06), ("disagreement", 0.15)])
def test_predictions_agree_and_decoys_do_not(measure, lazy):
    """What features alone cause deviates the most: the disagreement by up to 3.4 per feature."""
    mean, error, points = [], [], []
    for cell in CELLS:
        sample = runs(40, 1, **INNER, **cell)[measure]
        mean.extend(sample.mean(axis=0))
        error.extend(sample.std(axis=0) / np.sqrt(40))
        inner = zip(*INNER.values(), strict=True)
        points += [{**cell, "ridge": r, "noise": v} for r, v in inner]
    columns = {k: [point[k] for point in points] for k in points[0]}
    found = predict_by(1, ENSEMBLE, columns)[measure]  # the other tests ask for single points
    value, slack, valid, status = found.estimate
    mean, error = np.array(mean), np.array(error)
    assert np.all(status == Status.OK)
    assert valid.sum() >= 10
    assert np.all((np.abs(mean - value) - slack)[valid] < 4 * error[valid])
    assert np.median((slack / value)[valid]) < lazy
    assert len(found.decoys) >= 2
    for name, wrong in found.decoys.items():
        distance = (np.abs(mean - wrong) - slack) / error
        assert np.max(distance[valid]) > 6, name


def test_slack_of_one_is_that_of_a_member_and_has_its_order():
    """Doubling d, with n and p ~ d^2, leaves 4 times the rows and features: slack falls so."""
    bounds = {"test_error": [], "disagreement": []}
    for d, n in ((10, 50), (20, 200)):
        point = {"n": n, "p": 2 * n, "d": d, "quadratic": 0.3, "noise": 0.5}
        one = predict(MEMBER, point)["test_error"].estimate
        same = predict(ENSEMBLE, {**point, "members": 1})["test_error"].estimate
        assert same.value[0] == pytest.approx(one.value[0], rel=1e-12)
        assert same.slack[0] == pytest.approx(one.slack[0], rel=1e-12)
        five = predict(ENSEMBLE, {**point, "members": 5})
        for name, base in (("test_error", 0.5), ("disagreement", 0.0)):
            estimate = five[name].estimate
            bounds[name].append(estimate.slack[0] / (estimate.value[0] - base))
    for small, large in bounds.values():
        assert small / large == pytest.approx(4, rel=0.2)


def test_slack_adds_up_from_what_members_share_and_what_tells_them_apart():
    """E_K is E_1/K + (1 - 1/K) E_inf, and its slack likewise; more members share more of it."""
    point = {"n": 100, "p": 80, "d": 12, "quadratic": 0.3, "noise": 0.1}
    slack = {
        k: [e.estimate.slack[0] for e in predict(ENSEMBLE, {**point, "members": k}).values()]
        for k in (1, 2, 4)
    }
    test, apart = (np.array([slack[k][i] for k in (1, 2, 4)]) for i in (0, 1))
    assert test[2] - test[1] == pytest.approx((test[1] - test[0]) / 2, rel=1e-9)
    assert apart == pytest.approx(apart[1] * np.array([0.0, 1.0, 1.5]), rel=1e-9)


def test_the_shared_error_of_a_learned_target_has_room_for_what_was_measured():
    """Up to 3.2 times 1 / rows left + 1 / features left of it (docs/finite_size.md)."""
    point = {"n": 400, "p": 200, "d": 10, "quadratic": 0.0, "noise": 0.0, "ridge": 0.01}
    found = predict(ENSEMBLE, {**point, "members": 1000})["test_error"].estimate
    params = build(MEMBER.params, MEMBER.point(point))
    spectrum = member.spectrum_of(params, MEMBER.prepared(MEMBER.point(point)))
    near = feature_next_order(spectrum, *(point[k] for k in ("n", "p", "ridge", "noise")))
    room = float(1 / near.rows_left + 1 / near.features_left)
    assert 3.2 < found.slack[0] / (found.value[0] * room) <= 4.0


def test_masks():
    def valid(members, **point):
        found = predict(ENSEMBLE, {"members": members, **point})
        return [bool(found[name].estimate.valid[0]) for name in ("test_error", "disagreement")]

    assert valid(2) == [True, True]
    assert valid(1) == [True, False]  # nothing to disagree with
    assert valid(3, n=100, p=104, ridge=0.0) == [False, False]
    assert valid(2, signal=0.0, noise=0.0) == [True, True]  # nothing to learn, no error


def test_the_peak_shrinks_with_the_members():
    p = np.unique(np.round(np.geomspace(60, 700, 29)))
    heights = []
    for members in (1, 2, 4):
        points = {"p": p, "n": 200, "noise": 0.5, "ridge": 1e-4, "members": members}
        curve = predict(ENSEMBLE, points)["test_error"].estimate.value
        found = ENSEMBLE.breaks[0].locator.locate(p, curve)
        assert found.status == Status.OK
        assert found.value == pytest.approx(200, rel=0.05)
        limit = predict(ENSEMBLE, {**points, "members": 1000})["test_error"].estimate.value
        heights.append(found.height - np.interp(200, p, limit))
    assert heights[0] / heights[1] == pytest.approx(2, rel=0.03)
    assert heights[0] / heights[2] == pytest.approx(4, rel=0.06)
