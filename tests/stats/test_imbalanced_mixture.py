"""imbalanced_mixture: simulation against prediction, and the order of its finite-size slack."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory.phenomena import imbalanced_mixture, load, predict
from ci_theory.tasks import mixture

PHENOMENON = load("imbalanced_mixture")


def simulate(replicates, ridge, *, n, **fixed):
    params = imbalanced_mixture.Params(n=n, ridge=jnp.asarray(ridge), **fixed)

    def one(replicate):
        return imbalanced_mixture.simulate(key_for(0, 1, 2, replicate), params, {"n": n})

    return jax.jit(lambda r: jax.lax.map(one, r))(jnp.arange(replicates))


def distance(found, point, ridge, measure):
    expected = predict(PHENOMENON, {**point, "ridge": np.array(ridge)})[measure].estimate
    values = np.asarray(getattr(found, measure))
    error = values.std(axis=0) / len(values) ** 0.5
    return values.mean(axis=0) - expected.value, error, expected


@pytest.mark.parametrize(
    "point",
    [
        {"n": 120, "p": 60, "minority": 0.15},
        {"n": 60, "p": 120, "minority": 0.3},
        {"n": 120, "p": 60, "minority": 0.2, "spectrum": "power_law", "separation": 0.02},
    ],
)
def test_means_lie_within_slack_and_error(point):
    ridge = [0.1, 1.0, 20.0]
    found = simulate(200, ridge, **point)
    for measure in PHENOMENON.measure_info:
        gap, error, expected = distance(found, point, ridge, measure)
        assert expected.valid[:2].all()
        assert np.all((np.abs(gap) < expected.slack + 4 * error)[expected.valid]), measure


def test_slack_shrinks_with_the_minority_and_still_holds():
    slacks = []
    for n in (60, 120, 240):
        point = {"n": n, "p": n // 2, "minority": 0.2}
        gap, error, expected = distance(
            simulate(120, [1.0], **point), point, [1.0], "error_minority"
        )
        slacks.append(float(expected.slack[0]))
        assert abs(gap[0]) < expected.slack[0] + 4 * error[0]
    assert slacks[0] / slacks[1] == pytest.approx(2, rel=0.1)
    assert slacks[1] / slacks[2] == pytest.approx(2, rel=0.1)


def test_the_fit_is_that_of_the_penalised_normal_equations():
    """Unpenalised intercept by brute force: an extra column without ridge."""
    n, p, few, ridge = 40, 7, 8, 0.7
    params = imbalanced_mixture.Params(
        n=n, p=p, minority=few / n, separation=0.5, ridge=jnp.array([ridge])
    )
    key = key_for(3, 1, 2, 0)
    found = imbalanced_mixture.simulate(key, params, {"n": n + 5})
    mean = np.full(p, (0.5 / p) ** 0.5)
    x, y, there = mixture.draw(key, n + 5, n, few, jnp.ones(p), jnp.asarray(mean))
    x = np.column_stack([np.asarray(x), np.ones(n + 5)])[np.asarray(there) > 0]
    y = np.asarray(y)[:n]
    a = np.linalg.solve(x.T @ x + ridge * np.diag([1.0] * p + [0.0]), x.T @ y)
    rng = np.random.default_rng(0)
    fresh = rng.normal(size=(200_000, p)) - mean
    wrong = np.mean(fresh @ a[:p] + a[p] > 0)
    assert float(found.error_minority[0]) == pytest.approx(wrong, abs=4 * 0.5 / 200_000**0.5)


def test_the_best_threshold_repairs_the_threshold_but_not_the_direction():
    even = predict(PHENOMENON, {"n": 400, "p": 100, "minority": 0.5})
    rare = predict(PHENOMENON, {"n": 400, "p": 100, "minority": 0.1})
    best = rare["balanced_error_optimal"].estimate.value[0]
    assert rare["error_minority"].estimate.value[0] > 0.5
    assert best < 0.7 * rare["balanced_error"].estimate.value[0]
    fair = even["balanced_error_optimal"].estimate
    slack = rare["balanced_error_optimal"].estimate.slack[0] + fair.slack[0]
    assert best - fair.value[0] > 3 * slack
