"""random_feature_peak: its simulation against brute force, its predictions against simulation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import roots_jacobi

from ci_theory._errors import Status
from ci_theory._keys import stream
from ci_theory.biases import input_noise
from ci_theory.phenomena import load, predict
from ci_theory.phenomena._programs import program_of
from ci_theory.systems import random_features
from ci_theory.tasks import sphere
from ci_theory.testing.predicting import predict_by
from ci_theory.training.closed_form import solve_directly

PEAK = load("random_feature_peak")


def simulate(params, capacity):
    return jax.jit(lambda key: PEAK.simulate(key, params, {"n": capacity}))


@functools.lru_cache(maxsize=32)
def runs(replicates, seed=0, *, ridge, noise, capacity=None, **point):
    """Simulate replicates at inner points: measure -> (replicates, len(ridge))."""
    values = PEAK.point(point)
    values |= {"ridge": jnp.array(ridge), "noise": jnp.array(noise)}
    values["contamination"] = jnp.full(len(ridge), values["contamination"])
    params = PEAK.params(**values)
    one = simulate(params, capacity or values["n"])
    draws = [one(key) for key in jax.random.split(jax.random.key(seed), replicates)]
    return {f: np.array([getattr(d, f) for d in draws]) for f in PEAK.measure_info}


# --- the simulation itself ---------------------------------------------------------------------


@pytest.mark.parametrize("d", [5, 30])
def test_mean_products_are_the_arc_cosine_kernel(d):
    theta = random_features.init(jax.random.key(0), 60, d)
    cosine = np.clip(np.asarray(theta @ theta.T) / d, -1, 1)
    angle = np.arccos(cosine)
    closed = (np.sin(angle) + (np.pi - angle) * cosine) / (2 * np.pi) / 60
    assert np.allclose(random_features.products(theta, "relu"), closed, atol=3e-8 / 60)


@pytest.mark.parametrize("activation", ["tanh", "erf", "gelu"])
def test_mean_products_are_double_integrals(activation):
    """Given s = <x, a>, <x, b> is c s + sqrt(1 - c^2) times a component on a smaller sphere."""
    d = 7
    act = random_features.ACTIVATIONS[activation].host
    theta = random_features.init(jax.random.key(0), 4, d)
    rule = {k: roots_jacobi(200, (k - 3) / 2, (k - 3) / 2) for k in (d, d - 1)}
    s, ws = rule[d]
    t, wt = rule[d - 1]
    cosine = float(theta[0] @ theta[1]) / d
    other = cosine * s[:, None] + np.sqrt(1 - cosine**2) * np.sqrt(1 - s**2)[:, None] * t[None, :]
    inner = act(np.sqrt(d) * other) @ (wt / wt.sum())
    wanted = (ws / ws.sum()) @ (act(np.sqrt(d) * s) * inner)
    ours = 4 * random_features.products(theta, activation)[0, 1]
    assert float(ours) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("activation", list(random_features.ACTIVATIONS))
def test_population_law_matches_fresh_inputs(activation):
    key, d, p = jax.random.key(1), 9, 40
    theta = random_features.init(key, p, d)
    law = random_features.population(
        theta, activation, signal=jnp.array(1.0), quadratic=jnp.array(0.7)
    )
    weights = jax.random.normal(key, (p,))
    x = sphere.rows(key, 200_000, d)
    target = sphere.linear(x) + jnp.sqrt(0.7) * sphere.quadratic(x)
    squares = (random_features.apply(theta, x, activation) @ weights - target) ** 2
    exact = float(jnp.sum((law.metric @ weights - law.target) ** 2))
    error = float(jnp.std(squares)) / np.sqrt(len(squares))
    assert abs(float(jnp.mean(squares)) - exact) < 4 * error
    assert error < 0.01 * exact
    assert float(jnp.sum(law.target**2)) == pytest.approx(1.7, rel=1e-12)


def test_one_run_matches_direct_solves_with_drawn_noise():
    n, p, d, ridge, noise = 30, 40, 8, 0.05, 0.4
    key = jax.random.key(3)
    params = PEAK.params(
        n=n, p=p, d=d, ridge=jnp.array([ridge]), noise=jnp.array([noise]), quadratic=0.5
    )
    measured = simulate(params, n)(key)
    theta, x = random_features.init(key, p, d), sphere.rows(key, n, d)
    fresh = sphere.uniform(stream(key, "test"), 40_000, d)

    def target(x):
        return sphere.linear(x) + jnp.sqrt(0.5) * sphere.quadratic(x)

    phi, test = (random_features.apply(theta, v, "relu") for v in (x, fresh))

    def fit(key):
        labels = target(x) + jnp.sqrt(noise) * jax.random.normal(key, (n,))
        weights = solve_directly(phi, jnp.ones(n), labels, jnp.array(ridge))
        risk = jnp.mean((test @ weights - target(fresh)) ** 2)
        return risk, jnp.mean((phi @ weights - labels) ** 2)

    risk, train = jax.jit(lambda keys: jax.lax.map(fit, keys))(
        jax.random.split(stream(key, "labels"), 400)
    )
    for sample, exact in ((risk, measured.excess_risk[0]), (train, measured.train_error[0])):
        error = float(jnp.std(sample)) / 20
        assert abs(float(jnp.mean(sample) - exact)) < 4 * error + 0.01 * float(exact)
    assert float(measured.test_error[0] - measured.excess_risk[0]) == pytest.approx(noise)


@pytest.mark.parametrize("shared_noise", [True, False])
@pytest.mark.parametrize("p", [18, 40])
def test_a_leaked_test_shows_residuals_of_single_copies(p, shared_noise):
    """Literal copies of corrupted inputs, each with its label drawn: fewer features, and more."""
    d, ridge, noise, share, copies = 8, 0.05, 0.4, 0.6, 4
    repeated, fresh = 3, 18  # of 30 rows
    params = PEAK.params(
        n=30, p=p, d=d, ridge=jnp.array([ridge]), noise=jnp.array([noise]),
        contamination=jnp.array([share]), repeated_fraction=0.4, repeats=copies,
        shared_noise=shared_noise, input_noise=0.3,
    )  # fmt: skip
    key = jax.random.key(3)
    measured = simulate(params, 30)(key)
    theta, x = random_features.init(key, p, d), sphere.rows(key, 30, d)[: repeated + fresh]
    seen = input_noise.turned(key, sphere.rows(key, 30, d), 0.3)[: repeated + fresh]
    order = np.append(np.repeat(np.arange(repeated), copies), np.arange(repeated, repeated + fresh))
    phi, clean = random_features.apply(theta, seen, "relu")[order], sphere.linear(x)[order]
    own = np.arange(30) if not shared_noise else order
    solve = jnp.linalg.solve(phi.T @ phi + ridge * jnp.eye(p), phi.T)
    residual = jnp.eye(30) - phi @ solve
    covariance = noise * (own[:, None] == own[None, :])
    leaked = (residual @ clean) ** 2 + jnp.diagonal(residual @ covariance @ residual.T)
    shown = float(jnp.mean(leaked[: repeated * copies]))
    test = float(measured.test_error[0])
    assert float(measured.apparent_error[0]) == pytest.approx(
        (1 - share) * test + share * shown, rel=1e-9
    )
    law = random_features.population(theta, "relu", signal=jnp.array(1.0), quadratic=jnp.array(0.0))
    onto = law.metric @ solve
    excess = jnp.sum((onto @ clean - law.target) ** 2) + jnp.trace(onto @ covariance @ onto.T)
    assert test == pytest.approx(float(excess) + noise, rel=1e-9)


def test_rows_beyond_the_count_do_not_matter():
    key, n, capacity, d, p = jax.random.key(4), 20, 33, 8, 25
    params = PEAK.params(n=n, p=p, d=d, ridge=jnp.array([0.1, 0.0]), noise=jnp.array([0.3, 0.3]))
    measured = simulate(params, capacity)(key)
    theta, x = random_features.init(key, p, d), sphere.rows(key, capacity, d)[:n]
    phi = random_features.apply(theta, x, "relu")
    law = random_features.population(theta, "relu", signal=jnp.array(1.0), quadratic=jnp.array(0.0))
    solve = jnp.linalg.solve(phi @ phi.T + 0.1 * jnp.eye(n), jnp.eye(n))
    onto = law.metric @ phi.T @ solve
    misfit = onto @ sphere.linear(x) - law.target
    risk = jnp.sum(misfit**2) + 0.3 * jnp.sum(onto**2)
    assert float(measured.excess_risk[0]) == pytest.approx(float(risk), rel=1e-9)
    assert float(measured.train_error[1]) < 1e-12  # the interpolator


def test_linear_features_are_least_squares_in_the_inputs():
    """Ridgeless, p > d < n: the features span the inputs whatever they are."""
    found = runs(3, ridge=(0.0,), noise=(0.5,), n=50, p=30, d=10, activation="linear")
    key = jax.random.split(jax.random.key(0), 3)[1]
    x = sphere.rows(key, 50, 10)
    wanted = 0.5 * float(jnp.trace(jnp.linalg.inv(x.T @ x)))
    assert found["excess_risk"][1, 0] == pytest.approx(wanted, rel=1e-9)


# --- predictions against simulation --------------------------------------------------------------

RIDGES, NOISES = (1e-3, 1e-3, 0.1, 0.1), (0.0, 0.5, 0.0, 0.5)
CELLS = [
    {"n": 100, "p": 50, "d": 16, "activation": "relu", "quadratic": 0.3},
    {"n": 100, "p": 100, "d": 16, "activation": "relu", "quadratic": 0.3},
    {"n": 100, "p": 200, "d": 16, "activation": "tanh", "quadratic": 0.3},
    {"n": 30, "p": 120, "d": 20, "activation": "relu"},
    {"n": 60, "p": 25, "d": 40, "activation": "linear"},
    {"n": 120, "p": 60, "d": 16, "activation": "relu", "repeated_fraction": 0.5, "repeats": 4},
    {
        "n": 100, "p": 160, "d": 16, "activation": "relu", "shared_noise": False,
        "repeated_fraction": 0.6, "repeats": 5,
    },
    {
        "n": 160, "p": 60, "d": 16, "activation": "relu", "quadratic": 0.3, "input_noise": 0.5,
        "repeated_fraction": 0.5, "repeats": 3, "contamination": 0.5,
    },
    {
        "n": 120, "p": 200, "d": 16, "activation": "relu", "input_noise": 2.0,
        "repeated_fraction": 0.4, "repeats": 1, "contamination": 0.8, "shared_noise": False,
    },
]  # fmt: skip


def gaps(measure, cells=CELLS, replicates=100):
    """Means over runs, their errors, and the predictions, over cells and inner points."""
    mean, error, points = [], [], []
    for cell in cells:
        sample = runs(replicates, ridge=RIDGES, noise=NOISES, **cell)[measure]
        mean.extend(sample.mean(axis=0))
        error.extend(sample.std(axis=0) / np.sqrt(replicates))
        points += [{**cell, "ridge": r, "noise": v} for r, v in zip(RIDGES, NOISES, strict=True)]
    names = {name for point in points for name in point}
    columns = {k: [p.get(k, PEAK.axes[k].default) for p in points] for k in names}
    found = predict(PEAK, columns)[measure]
    return np.array(mean), np.array(error), found


@pytest.mark.parametrize(
    ("measure", "lazy"), [("test_error", 0.06), ("train_error", 0.1), ("apparent_error", 0.06)]
)
def test_predictions_agree_and_decoys_do_not(measure, lazy):
    mean, error, found = gaps(measure)
    estimate = found.estimate
    assert np.all(estimate.status == Status.OK)
    assert estimate.valid.sum() >= 14
    off = np.abs(mean - estimate.value) - estimate.slack
    assert np.all(off[estimate.valid] < 4 * error[estimate.valid])
    assert np.median(estimate.slack / estimate.value) < lazy
    assert len(found.decoys) >= 2
    for name, wrong in found.decoys.items():
        distance = (np.abs(mean - wrong) - estimate.slack) / error
        assert np.max(distance[estimate.valid]) > 6, name


def test_slack_has_its_order():
    """Doubling d and n, p ~ d^2: L grows fourfold, and the deviation falls at least as much."""
    small = {"n": 50, "p": 100, "d": 10, "activation": "relu", "quadratic": 0.3}
    large = {"n": 200, "p": 400, "d": 20, "activation": "relu", "quadratic": 0.3}
    relative, errors, bounds = [], [], []
    for cell, replicates in ((small, 600), (large, 60)):
        mean, error, found = gaps("test_error", (cell,), replicates)
        value = found.estimate.value
        relative.append((mean - value)[1] / value[1])
        errors.append(error[1] / value[1])
        bounds.append(found.estimate.slack[1] / value[1])
    assert relative[0] > 6 * errors[0]  # the deviation at the small size is seen
    assert relative[0] < bounds[0]
    assert 3.5 < bounds[0] / bounds[1] < 6  # 4 times, and more as the modes learned spread out
    assert abs(relative[1]) < relative[0] / 4 + 4 * errors[1]
    assert 4 * errors[1] < relative[0] / 2  # ... and a deviation that stays would be seen


def test_slack_does_not_vanish_with_the_rows():
    """However many the rows, the features are drawn once: 3 times its order was seen at n = 4 p."""
    relative = []
    for n in (160, 1600, 16000):
        point = {"n": n, "p": 40, "d": 6, "noise": 0.0, "ridge": 0.1}
        made = {k: v.estimate for k, v in predict_by(4, PEAK, point).items()}
        assert all(e.valid[0] for e in made.values())
        relative.append([e.slack[0] / e.value[0] for e in made.values()])
    assert np.all(np.array(relative)[1:] > 0.1)
    assert np.all(np.array(relative) < 0.4)


def test_nothing_to_learn_has_no_slack():
    point = {"n": 100, "p": 40, "signal": 0.0, "noise": 0.0}
    for name, made in predict_by(4, PEAK, point).items():
        assert made.estimate.slack[0] == made.estimate.value[0] == 0.0, name


def test_small_dimensions_need_their_own_spectrum():
    """The d -> infinity limit is off by several percent of the excess risk at d = 16."""
    cell = {"n": 160, "p": 120, "d": 16, "activation": "tanh"}
    mean, error, found = gaps("test_error", (cell,))
    limit, (value, slack, valid, _) = found.decoys["infinite dimension"], found.estimate
    assert valid[1]
    assert abs(mean[1] - value[1]) < 4 * error[1] + slack[1]
    assert abs(mean[1] - limit[1]) > 5 * error[1] + slack[1]
    assert abs(limit[1] - value[1]) > 0.03 * (value[1] - 0.5)


@pytest.mark.parametrize("corrupted", [0.0, 0.5])
def test_a_test_set_of_all_training_rows_shows_the_training_error(corrupted):
    point = {"n": 120, "p": 60, "contamination": 1.0, "repeated_fraction": 1.0, "repeats": 1}
    found = predict(PEAK, {**point, "input_noise": corrupted})
    shown, train = (found[k].estimate for k in ("apparent_error", "train_error"))
    np.testing.assert_allclose(shown.value, train.value, rtol=1e-12)
    np.testing.assert_allclose(shown.slack, train.slack, rtol=1e-12)
    assert shown.slack[0] > 0
    drawn = runs(2, ridge=(0.1,), noise=(0.3,), input_noise=corrupted, **point)
    np.testing.assert_allclose(drawn["apparent_error"], drawn["train_error"], rtol=1e-9)


def test_masks():
    def valid(ridge, **point):
        found = predict(PEAK, {**point, "ridge": [ridge] * 4})["test_error"]
        return bool(found.estimate.valid[0])

    assert valid(0.0, n=100, p=130)
    assert not valid(0.0, n=100, p=104)  # too near the ridgeless peak
    assert not valid(0.0, n=100, p=100)
    assert not valid(1e-3, n=200, p=200, d=10, activation="tanh")  # degree 3 is resolved
    assert valid(1e-3, n=200, p=200, d=10, activation="linear")


def test_predicted_peaks():
    """The predicted curve has its peak at p = n and at n = p, with noise and without."""
    axis = np.unique(np.round(np.geomspace(50, 800, 29)))
    noises = np.array([0.0, 0.1, 0.5, 1.0])
    for place in PEAK.breaks[:2]:
        other = "n" if place.axis == "p" else "p"
        grid = {place.axis: np.repeat(axis, 4), "noise": np.tile(noises, len(axis))}
        points = {**grid, other: 200, "ridge": 1e-4}
        curves = predict_by(4, PEAK, points)["test_error"].estimate.value
        for curve in curves.reshape(-1, 4).T:
            found = place.locator.locate(axis, curve)
            wanted = place.closed_form(PEAK.params(**{other: 200}))
            assert found.value == pytest.approx(wanted, rel=0.05), place.name
            assert found.status == Status.OK


def test_one_compilation_serves_all_sizes_and_dimensions():
    cases = [(50, 10, "relu"), (300, 40, "relu"), (70, 300, "relu")]
    ridges = [1e-3] * 4
    predict(PEAK, {"p": 30, "d": 6, "activation": "relu", "ridge": ridges})
    program = program_of(PEAK, (("activation", "relu"),), True, few=True)
    before = program._cache_size()
    for p, d, activation in cases:
        predict(PEAK, {"p": p, "d": d, "activation": activation, "ridge": ridges})
    assert program._cache_size() == before
