"""ridge_peak: simulation against prediction, and the order of its finite-size slack."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory.phenomena import load, predict, ridge_peak

OPTIMISED = {"xla_backend_optimization_level": 1}  # hundreds of runs: it pays


def simulate(n, p, ridge, *, noise=0.25, replicates=300, spectrum="isotropic"):
    """Replicates of every measure: a record of arrays (replicates, m)."""
    params = ridge_peak.Params(
        n=n, p=p, spectrum=spectrum, ridge=jnp.asarray(ridge), noise=jnp.full(len(ridge), noise)
    )

    def one(replicate):
        return ridge_peak.simulate(key_for(0, 1, 2, replicate), params, {"n": n})

    many = jax.jit(lambda r: jax.lax.map(one, r), compiler_options=OPTIMISED)
    return many(jnp.arange(replicates))


@pytest.mark.parametrize("spectrum", ["isotropic", "two_block", "power_law"])
def test_means_lie_within_slack_and_error(spectrum):
    ridge, n, p = [0.1, 1.0, 10.0], 60, 60
    found = simulate(n, p, ridge, spectrum=spectrum)
    points = {"n": n, "p": p, "ridge": np.array(ridge), "spectrum": spectrum}
    for prediction in ("test_error", "train_error"):
        expected = predict(load("ridge_peak"), points)[prediction].estimate
        values = np.asarray(getattr(found, prediction))
        error = values.std(axis=0) / len(values) ** 0.5
        distance = np.abs(values.mean(axis=0) - expected.value)
        assert np.all((distance < expected.slack + 4.5 * error)[expected.valid])
        assert expected.valid.sum() >= 2


def test_excess_deviates_by_one_over_the_free_dimensions():
    """At n = 2p without ridge the exact relative deviation is 1/(n - p - 1)."""
    scaled = []
    for p in (15, 30, 60):
        values = np.asarray(simulate(2 * p, p, [1e-9], replicates=1500).excess_risk)
        limit = predict(load("ridge_peak"), {"n": 2 * p, "p": p, "ridge": 1e-9})
        excess = limit["test_error"].estimate.value[0] - 0.25
        scaled.append((values.mean() / excess - 1) * p)
        error = values.std() / len(values) ** 0.5 / excess * p
        assert abs(scaled[-1] - p / (p - 1)) < 4 * error
        assert error < 0.3


def test_exact_form_is_closer_than_the_limit():
    values = np.asarray(simulate(60, 30, [0.0], replicates=2000).excess_risk)
    found = predict(load("ridge_peak"), {"n": 60, "p": 30, "ridge": 0.0})["finite_size_excess"]
    error = values.std() / len(values) ** 0.5
    assert abs(values.mean() - found.estimate.value[0]) < 4 * error
    for wrong in found.decoys.values():
        assert abs(values.mean() - wrong[0]) > 4 * error


def test_no_peak_without_noise_and_a_peak_that_grows_with_it():
    n = np.array([50, 80, 100, 125, 200])
    heights = []
    for noise in (0.0, 0.1, 1.0):
        points = {"n": n, "p": 100, "ridge": 0.1, "noise": noise}
        curve = predict(load("ridge_peak"), points)["test_error"].estimate.value
        heights.append(curve[2])
        assert (np.argmax(curve) == 2) == (noise > 0)
    assert heights[2] / heights[1] == pytest.approx(10, rel=0.1)


def test_interpolator_has_no_training_error():
    assert float(jnp.max(simulate(20, 40, [0.0], replicates=5).train_error)) < 1e-20
