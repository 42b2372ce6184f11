"""prior_bias: drawn labels against the sum over counts, and what the two breaks say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.inherit import label_prior
from ci_theory.phenomena import load, predict
from ci_theory.phenomena.prior_bias import ALL, Params, simulate

PHENOMENON = load("prior_bias")
STRENGTHS = np.array([0.0, 0.5, 1.0, 1.5])
INNER = {"strength": STRENGTHS, "separation": np.array([1.0, 0.4, 1.0, 2.0])}


@jax.jit
def run(numbers, replicates):
    params = build(Params, {**{k: jnp.asarray(v) for k, v in INNER.items()}, **numbers})
    made = jax.vmap(lambda r: simulate(key_for(4, 0, 0, r), params, {"n": 40}))(replicates)
    return {name: getattr(made, name) for name in ALL}


def simulated(replicates=300, **numbers):
    numbers = {"n": 12, "prior": 0.75, "flips": 0.1, **numbers}
    made = run({k: jnp.asarray(v) for k, v in numbers.items()}, jnp.arange(replicates))
    return {k: np.asarray(v) for k, v in made.items()}


@pytest.mark.parametrize("point", [{}, {"n": 40, "prior": 0.6, "flips": 0.0}, {"n": 1}])
def test_means_of_drawn_labels_are_the_sum_over_counts(point):
    made = simulated(**point)
    found = predict(PHENOMENON, {"n": 12, "prior": 0.75, "flips": 0.1, **INNER, **point})
    for name, predicted in found.items():
        mean, error = made[name].mean(axis=0), made[name].std(axis=0, ddof=1) / 300**0.5
        assert np.all(np.abs(mean - predicted.estimate.value) <= 4.5 * error + 1e-14), name
        for decoy, wrong in predicted.decoys.items():
            if decoy == "labels are right" and point.get("flips") == 0.0:
                continue  # there they are
            if decoy == "log odds are Gaussian" and point.get("n") != 1:
                continue  # with half a count more they nearly are
            assert np.any(np.abs(mean - wrong) > 5 * error + 1e-14), (name, decoy)


def test_labels_are_counted_and_flipped():
    """The estimates against binomial counts: a share 1/4 of 3/4 right labels is wrong."""
    sets, n, prior, flips = 20_000, 5, 0.75, 0.25
    found = label_prior.estimates(key_for(0, 0, 0, 0), sets, 9, n, prior, flips)
    chances = stats.binom.pmf(np.arange(n + 1), n, prior + flips * (1 - 2 * prior))
    odds = np.log(np.arange(n + 1) + 0.5) - np.log(n - np.arange(n + 1) + 0.5)
    for k in range(n + 1):
        share = np.mean(np.isclose(found, odds[k]))
        assert share == pytest.approx(chances[k], abs=4.5 * (chances[k] / sets) ** 0.5)


def test_full_adjustment_does_not_pay_below_its_labels():
    """A share of 0.6: about 25 labels."""
    form = PHENOMENON.breaks[0].closed_form
    params = build(Params, PHENOMENON.point({"prior": 0.6, "strength": 1.0}))
    assert form(params) == pytest.approx(25.34, abs=0.01)
    few, many = (simulated(n=n, prior=0.6, flips=0.0)["gain"][:, 2] for n in (15, 40))
    assert few.mean() < -4 * few.std() / 300**0.5
    assert many.mean() > 4 * many.std() / 300**0.5
    assert np.isnan(form(build(Params, PHENOMENON.point({"prior": 0.6, "strength": 0.0}))))
    assert np.isnan(form(build(Params, PHENOMENON.point({"prior": 0.6, "strength": 2.5}))))
    assert np.isnan(form(build(Params, PHENOMENON.point({"prior": 0.5}))))


def test_wrong_labels_ask_for_more_than_all_of_the_estimate():
    form = PHENOMENON.breaks[1].closed_form
    point = {"prior": 0.7, "n": 4000, "flips": 0.2}
    best = form(build(Params, PHENOMENON.point(point)))
    assert best > 1.5
    strengths = np.linspace(0.5, 3.0, 26)
    curve = predict(PHENOMENON, {**point, "strength": strengths})["balanced_error"].estimate.value
    found = PHENOMENON.breaks[1].locator.locate(strengths, curve)
    assert found.status == Status.OK
    assert found.value == pytest.approx(best, rel=0.02)
    assert np.isnan(form(build(Params, PHENOMENON.point({"prior": 0.5}))))
