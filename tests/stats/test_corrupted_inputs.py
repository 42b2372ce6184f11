"""corrupted_inputs: brute force, simulation against prediction, order of the slack, breaks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory.biases import input_noise
from ci_theory.phenomena import corrupted_inputs, load
from ci_theory.tasks import gaussian
from ci_theory.testing.predicting import predict_by

NAME = "corrupted_inputs"


OPTIMISED = {"xla_backend_optimization_level": 1}  # thousands of runs: it pays

predicted = partial(predict_by, 8, load(NAME))  # one program a spectrum


@partial(jax.jit, static_argnames="capacity", compiler_options=OPTIMISED)
def _runs(params, replicates, capacity):
    def one(replicate):
        key = key_for(0, 1, 2, replicate)
        return corrupted_inputs.simulate(key, params, {"n": capacity})

    return jax.lax.map(one, replicates)


def simulate(n, p, *, ridge, noise, replicates, **values):
    """Replicates of every measure: a record of arrays (replicates, m)."""
    ridge, noise = np.broadcast_arrays(np.atleast_1d(ridge), np.atleast_1d(noise))
    params = corrupted_inputs.Params(
        n=n, p=p, ridge=ridge.astype(float), noise=noise.astype(float), **values
    )
    return _runs(params, jnp.arange(replicates), n + 2)


@pytest.mark.parametrize(("n", "p"), [(20, 8), (8, 20)])
def test_one_run_is_the_explicit_computation(n, p):
    ridge, noise, added = 0.6, 0.4, 0.3
    found = simulate(
        n, p, ridge=ridge, noise=noise, input_noise=added, spectrum="two_block", replicates=1
    )
    key = key_for(0, 1, 2, 0)
    variances = gaussian.variances("two_block", p)
    x = gaussian.rows(key, n + 2, jnp.asarray(variances))
    seen = np.asarray(input_noise.noisy(key, x, added))[:n]
    x, w = np.asarray(x)[:n], gaussian.target(p)
    fit = np.linalg.solve(seen.T @ seen + ridge * np.eye(p), seen.T)
    mean = fit @ (x @ w)
    clean = np.sum(variances * (mean - w) ** 2) + noise * np.sum(variances[:, None] * fit**2)
    length = np.sum(mean**2) + noise * np.sum(fit**2)
    rest = np.eye(n) - seen @ fit
    train = np.mean((rest @ (x @ w)) ** 2 + noise * np.sum(rest**2, axis=1))
    np.testing.assert_allclose(found.excess_risk[0, 0], clean, rtol=1e-10)
    np.testing.assert_allclose(found.test_error[0, 0], clean + noise, rtol=1e-10)
    np.testing.assert_allclose(
        found.noisy_test_error[0, 0], clean + added * length + noise, rtol=1e-10
    )
    np.testing.assert_allclose(found.train_error[0, 0], train, rtol=1e-10)


def test_noise_of_strength_zero_is_the_identity_and_has_its_variance():
    x = jnp.ones((500, 40))
    key = key_for(3, 0, 0, 0)
    np.testing.assert_array_equal(input_noise.noisy(key, x, 0.0), x)
    added = np.asarray(input_noise.noisy(key, x, 0.7) - x)
    assert abs(added.var() / 0.7 - 1) < 4 * np.sqrt(2 / added.size)


OF_COPIES = ("copies are fresh rows", "labels swapped", "harms add up")


@pytest.mark.parametrize("shared", [True, False])
def test_two_defects_at_once_are_predicted_and_are_not_the_sum_of_both(shared):
    n, p, ridge, noise = 240, 64, np.array([1.0, 20.0]), np.array([1.0, 1.0])
    point = {"input_noise": 0.5, "repeated_fraction": 0.5, "repeats": 6, "shared_noise": shared}
    found = simulate(n, p, ridge=ridge, noise=noise, replicates=300, **point)
    made = predicted({"n": n, "p": p, "ridge": ridge, "noise": noise, **point})
    for name in ("test_error", "noisy_test_error", "train_error"):
        values, estimate = np.asarray(getattr(found, name)), made[name].estimate
        error = values.std(axis=0) / len(values) ** 0.5
        assert np.all(estimate.valid)
        distance = np.abs(values.mean(axis=0) - estimate.value)
        assert np.all(distance < estimate.slack + 4.5 * error), name
        assert np.all(estimate.slack < 0.05 * estimate.value)
        for decoy in set(OF_COPIES) & set(made[name].decoys):
            wrong = made[name].decoys[decoy]
            off = np.abs(values.mean(axis=0) - wrong) > estimate.slack + 5 * error
            assert np.any(off), (name, decoy)


@pytest.mark.parametrize("spectrum", ["isotropic", "two_block", "power_law"])
@pytest.mark.parametrize("n", [40, 160])
def test_means_lie_within_slack_and_error_and_decoys_do_not(n, spectrum):
    p, ridge = 64, np.array([2.0, 2.0, 20.0, 20.0])
    noise = np.array([0.2, 1.0, 0.2, 1.0])
    point = {"input_noise": 0.3, "spectrum": spectrum}
    found = simulate(n, p, ridge=ridge, noise=noise, replicates=200, **point)
    made = predicted({"n": n, "p": p, "ridge": ridge, "noise": noise, **point})
    for name in ("test_error", "noisy_test_error", "train_error"):
        values = np.asarray(getattr(found, name))
        error = values.std(axis=0) / len(values) ** 0.5
        estimate = made[name].estimate
        assert np.all(estimate.status == Status.OK)
        assert np.all(estimate.valid)
        distance = np.abs(values.mean(axis=0) - estimate.value)
        assert np.all(distance < estimate.slack + 4.5 * error), name
        assert len(made[name].decoys) >= 2
        for decoy, wrong in made[name].decoys.items():
            if decoy == "label noise not raised" and n < p:
                continue  # at strong ridge the bias dominates: rejected with more rows
            if decoy in OF_COPIES:
                np.testing.assert_allclose(wrong, estimate.value, rtol=1e-9)  # there are none
                continue
            off = np.abs(values.mean(axis=0) - wrong) > estimate.slack + 5 * error
            assert np.any(off), (name, decoy)


def test_deviation_is_of_order_one_over_the_free_dimensions():
    """Four times the size quarters the relative deviation of excess and training error."""
    scaled = []
    for p, replicates in ((10, 4000), (40, 1000)):
        n = int(0.8 * p)
        row = []
        found = simulate(
            n, p, ridge=0.1 * p, noise=1.0, input_noise=0.2, signal=0.3, replicates=replicates
        )
        point = {"n": n, "p": p, "ridge": 0.1 * p, "noise": 1.0, "input_noise": 0.2, "signal": 0.3}
        made = predicted(point)
        for name, base in (("excess_risk", 1.0), ("train_error", 0.0)):
            values = np.asarray(getattr(found, name))[:, 0]
            key = "test_error" if base else name
            value = made[key].estimate.value[0] - base
            row.append((values.mean() / value - 1) * n)
            assert values.std() / replicates**0.5 / value * n < 0.25
        scaled.append(row)
    small, large = np.array(scaled)
    assert large[1] > 0.8  # a deviation that is there
    assert np.all(np.abs(large - small) < 0.5 + 0.3 * np.abs(small))


@pytest.mark.parametrize("n", [70, 24])
def test_exact_form_is_exact_and_closer_than_the_limit(n):
    p, added = 48, 0.4
    found = simulate(n, p, ridge=0.0, noise=0.5, input_noise=added, replicates=4000)
    point = {"n": n, "p": p, "ridge": 0.0, "noise": 0.5, "input_noise": added}
    made = predicted(point)["finite_size_excess"]
    values = np.asarray(found.excess_risk)[:, 0]
    error = values.std() / len(values) ** 0.5
    assert made.estimate.valid[0]
    assert abs(values.mean() - made.estimate.value[0]) < 4 * error
    for wrong in made.decoys.values():
        assert abs(values.mean() - wrong[0]) > 4 * error


def test_noisy_inputs_make_a_peak_where_clean_noiseless_data_have_none():
    n = np.array([40, 60, 80, 90, 110, 125, 160])
    for added in (0.0, 0.2):
        points = {"n": n, "p": 100, "ridge": 0.0, "noise": 0.0, "input_noise": added}
        curve = predicted(points)["test_error"].estimate.value
        assert (np.max(np.diff(curve)) > 0) == (added > 0)


def test_best_input_noise_is_where_the_curve_is_lowest():
    kinds = {kind.name: kind for kind in load(NAME).breaks}
    lowest = kinds["best input noise"]
    x = np.linspace(0.2, 1.2, 101)
    point = {"n": 350, "p": 100, "noise": 2.0, "ridge": 0.0}
    exact = predicted({**point, "input_noise": x})["finite_size_excess"]
    found = lowest.locator.locate(x, exact.estimate.value)
    assert found.status == Status.OK
    params = corrupted_inputs.Params(**point)
    assert found.value == pytest.approx(lowest.closed_form(params), rel=2e-3)
    assert found.height == pytest.approx(np.min(exact.estimate.value), rel=1e-3)
    quiet = corrupted_inputs.Params(**{**point, "noise": 0.5})
    assert np.isnan(lowest.closed_form(quiet))  # less noise than signal: none is best


def test_an_interpolator_has_no_training_error():
    found = simulate(8, 20, ridge=0.0, noise=0.3, input_noise=0.5, replicates=2)
    assert float(jnp.max(found.train_error)) < 1e-20
