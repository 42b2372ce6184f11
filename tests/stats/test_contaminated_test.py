"""contaminated_test: brute force, simulation against prediction, order of the slack, the peak."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import contaminated_test, load, predict
from ci_theory.tasks import gaussian

NAME = "contaminated_test"


@partial(jax.jit, static_argnames="capacity")
def _runs(params, replicates, capacity):
    def one(replicate):
        key = key_for(0, 1, 2, replicate)
        return contaminated_test.simulate(key, params, {"n": capacity})

    return jax.lax.map(one, replicates)


def simulate(n, p, *, replicates, **values):
    """Replicates of every measure: a record of arrays (replicates, m)."""
    inner = ("ridge", "noise", "contamination")
    m = max(np.size(values[k]) for k in inner)
    vectors = {k: np.broadcast_to(np.asarray(values.pop(k), float), (m,)) for k in inner}
    params = contaminated_test.Params(n=n, p=p, **vectors, **values)
    return _runs(params, jnp.arange(replicates), n + 3)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(("n", "p"), [(24, 12), (12, 20)])
def test_one_run_is_the_explicit_computation_with_literal_copies(n, p, fresh):
    ridge, noise, repeats, phi = 0.7, 0.4, 3, 0.6
    found = simulate(
        n,
        p,
        ridge=ridge,
        noise=noise,
        contamination=phi,
        repeats=repeats,
        leaked=0.25,
        fresh_labels=fresh,
        replicates=2,
    )
    for replicate in range(2):
        x = gaussian.rows(key_for(0, 1, 2, replicate), n + 3, jnp.ones(p))
        x, w = np.asarray(x)[:n], gaussian.target(p)
        leaked = n // 4
        order = np.append(np.arange(n), np.repeat(np.arange(leaked), repeats - 1))
        literal, copy = x[order], np.eye(n)[order]  # label noise is shared by copies
        gain = np.linalg.solve(literal.T @ literal + ridge * np.eye(p), literal.T) @ copy
        excess = np.sum((gain @ (x @ w) - w) ** 2) + noise * np.sum(gain**2)
        hat = x @ gain
        residual = (x @ w - hat @ (x @ w)) ** 2
        spread = np.sum((np.eye(n) - hat) ** 2, axis=1)
        if fresh:
            spread = 1 + np.sum(hat**2, axis=1)
        shown = np.mean((residual + noise * spread)[:leaked])
        test = excess + noise
        np.testing.assert_allclose(found.test_error[replicate, 0], test, rtol=1e-10)
        apparent = (1 - phi) * test + phi * shown
        np.testing.assert_allclose(found.apparent_error[replicate, 0], apparent, rtol=1e-10)
        np.testing.assert_allclose(found.gain[replicate, 0], test - apparent, rtol=1e-9)


@pytest.mark.parametrize(("repeats", "fresh"), [(1, False), (1, True), (5, False), (5, True)])
@pytest.mark.parametrize("n", [40, 160])
def test_means_lie_within_slack_and_error_and_decoys_do_not(n, repeats, fresh):
    p, ridge = 64, np.array([3.0, 3.0, 20.0, 20.0])
    point = {
        "ridge": ridge,
        "noise": np.array([0.2, 1.0, 0.2, 1.0]),
        "contamination": np.array([1.0, 0.5, 0.5, 1.0]),
        "repeats": repeats,
        "fresh_labels": fresh,
    }
    found = simulate(n, p, replicates=150, **point)
    predictions = predict(load(NAME), {"n": n, "p": p, **point})
    assert set(predictions) == {"apparent_error", "test_error", "gain"}
    for name, made in predictions.items():
        values = np.asarray(getattr(found, made.prediction.measure))
        error = values.std(axis=0) / len(values) ** 0.5
        estimate = made.estimate
        assert np.all(estimate.status == Status.OK)
        assert np.all(estimate.valid)
        distance = np.abs(values.mean(axis=0) - estimate.value)
        assert np.all(distance < estimate.slack + 4.5 * error), name
        assert len(made.decoys) >= 2
        for decoy, wrong in made.decoys.items():
            if repeats == 1 and decoy in ("leaked rows seen once", "copies are new rows"):
                np.testing.assert_allclose(wrong, estimate.value, rtol=1e-12)
                continue
            if decoy == "memorised" and n < p:
                continue  # leaked rows nearly are
            off = np.abs(values.mean(axis=0) - wrong) > estimate.slack + 5 * error
            assert np.any(off), (name, decoy)


def test_copies_taken_for_new_rows_are_more_rows():
    given = {"p": 64, "ridge": 3.0, "noise": 1.0, "contamination": 0.5}
    taken = predict(load(NAME), {**given, "n": 40, "leaked": 0.25, "repeats": 5})["test_error"]
    meant = predict(load(NAME), {**given, "n": 80, "leaked": 0.125, "repeats": 1})["test_error"]
    np.testing.assert_allclose(
        taken.decoys["copies are new rows"], meant.estimate.value, rtol=1e-12
    )


def test_deviation_is_of_order_one_over_the_free_dimensions():
    """Four times the size quarters the relative deviation of excess and leaked residual."""
    scaled = []
    for p, replicates in ((10, 2500), (40, 800)):
        values = {"ridge": 0.2 * p, "noise": 1.0, "contamination": 1.0, "repeats": 6}
        found = simulate(2 * p, p, replicates=replicates, **values)
        made = predict(load(NAME), {"n": 2 * p, "p": p, **values})
        free = 2 * p - p / 2
        row = []
        for name, base in (("test_error", 1.0), ("apparent_error", 0.0)):
            mean = np.mean(np.asarray(getattr(found, name)))
            error = np.std(np.asarray(getattr(found, name))) / replicates**0.5
            value = made[name].estimate.value[0]
            row.append((mean - value) / (value - base) * free)
            assert error / (value - base) * free < 0.7
        scaled.append(row)
    for column in np.array(scaled).T:
        assert np.all((column > 0.2) & (column < 4))
        assert np.max(column) - np.min(column) < 1.2  # not growing with the size


def test_contamination_moves_lowers_and_hides_the_peak():
    n = np.arange(70, 150, 4)
    place, height = {}, {}
    for fresh in (False, True):
        for phi in (0.0, 0.5, 0.8, 0.98):
            points = {"n": n, "p": 100, "ridge": 2.0, "noise": 1.0, "contamination": phi}
            made = predict(load(NAME), {**points, "fresh_labels": fresh})
            top = Peak().locate(n, made["apparent_error"].estimate.value)
            place[fresh, phi], height[fresh, phi] = top.value, top.height
            true = Peak().locate(n, made["test_error"].estimate.value)
            np.testing.assert_allclose(true.value, place[fresh, 0.0], rtol=1e-12)
    np.testing.assert_allclose(height[False, 0.5], 0.5 * height[False, 0.0], rtol=0.03)
    # training labels push the apparent peak to more rows, fresh labels to fewer
    assert place[False, 0.0] < place[False, 0.5] < place[False, 0.8]
    assert place[True, 0.0] > place[True, 0.5] > place[True, 0.8]
    assert np.isnan(place[False, 0.98])
    formula = load(NAME).breaks[1].closed_form
    given = {"n": 100, "p": 100, "ridge": 0.5, "noise": 1.0, "signal": 1.0}
    at = contaminated_test.Params(**given, contamination=0.5)
    assert 100 < formula(at) < 102
    assert np.isnan(formula(contaminated_test.Params(**given, contamination=0.99)))


def test_no_contamination_is_the_truth():
    found = simulate(24, 12, ridge=1.0, noise=0.3, contamination=0.0, replicates=2)
    np.testing.assert_array_equal(found.apparent_error, found.test_error)
