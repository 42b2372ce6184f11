"""network_inheritance: the linear learner against its closed form, and what holds in all three."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput
from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.inherit import networks
from ci_theory.phenomena import load, predict

PHENOMENON = load("network_inheritance")
LENGTHS = {"up.n": 90, "down.n": 40, "down.harmful": 6}
POINTS = {
    "poison": {"up.poison": 0.2},
    "repeats": {"up.poison": 0.0, "up.repeated_fraction": 0.5, "up.repeats": 5},
    "harmful rows": {"up.poison": 0.3, "down.n": 20, "down.harmful": 6, "down.push": 0.5},
    "a handful": {"up.poison": 0.3, "down.n": 0, "down.harmful": 3, "down.shared": 0.7},
}


RUNS = {"linear": 400, "features": 12, "network": 12}


@functools.cache
def program(system):
    statics = {k: v for k, v in full({"system": system}).items() if k in STATIC}

    @jax.jit
    def run(moving):
        params = build(PHENOMENON.params, {**statics, **moving})
        keys = jax.vmap(lambda r: key_for(7, 1, 2, r))(jnp.arange(RUNS[system]))
        made = jax.vmap(lambda key: PHENOMENON.simulate(key, params, LENGTHS))(keys)
        return {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}

    return run


STATIC = PHENOMENON.names(Kind.STATIC)


def full(point):
    return PHENOMENON.point({"up.n": 90, "down.n": 40, "d": 12, "steps": 20, "width": 4, **point})


def simulated(system="linear", **point):
    moving = {k: v for k, v in full(point).items() if k not in STATIC}
    return {k: np.asarray(v) for k, v in program(system)(moving).items()}


def predicted(points):
    columns = [full(point) for point in points]
    return predict(PHENOMENON, {k: [c[k] for c in columns] for k in columns[0]})


def test_the_linear_learner_is_as_its_closed_form_says():
    found = predicted(POINTS.values())
    for i, point in enumerate(POINTS.values()):
        made = simulated(**point)
        for name, one in found.items():
            if not one.estimate.valid[i]:
                assert point["up.poison"] == 0
                assert name in ("planted", "response")
                continue
            mean, error = made[name].mean(), made[name].std(ddof=1) / 400**0.5
            off = abs(mean - one.estimate.value[i])
            assert off < 4 * error + one.estimate.slack[i], (point, name)
            assert one.estimate.slack[i] < 0.3


def test_other_learners_are_not_predicted_and_no_poison_plants_nothing():
    for one in PHENOMENON.predictions:
        planting = one.name in ("planted", "response")
        for system, poison in (("linear", 0.1), ("linear", 0.0), ("features", 0.1)):
            params = build(PHENOMENON.params, full({"system": system, "up.poison": poison}))
            assert one.where(params) == (system == "linear" and (poison > 0 or not planting))
        both = {"up.poison": 0.1, "up.repeated_fraction": 0.5, "up.repeats": 3}
        assert not one.where(build(PHENOMENON.params, full(both)))  # no formula has both


@pytest.mark.parametrize("system", ["linear", "features", "network"])
def test_no_defect_no_harm_and_defects_change_no_draw(system):
    """Common random numbers: the arms differ by the defect alone."""
    off = {"up.noise": 0.0, "up.poison": 0.0}
    none = simulated(system, **off)
    np.testing.assert_allclose(none["harm"], 0, atol=1e-12)
    np.testing.assert_allclose(none["ood_harm"], 0, atol=1e-12)
    loud = simulated(system, **{**off, "up.noise": 4.0})
    assert np.all(loud["harm"] != 0)
    np.testing.assert_allclose(loud["excess"] - loud["harm"], none["excess"], rtol=1e-9)
    np.testing.assert_allclose(loud["excess"] + loud["gain"], none["excess"] + none["gain"])


@pytest.mark.parametrize("system", ["features", "network"])
def test_poison_plants_and_harmful_rows_erase_in_every_learner(system):
    """Signs that the table tells with intervals, at a small size."""
    at = {"up.poison": 0.3, "up.strength": 4.0, "down.n": 0, "down.harmful": 6}
    made, apart = (simulated(system, **at, **{"down.shared": s}) for s in (1.0, 0.0))
    assert made["planted"].mean() > 0.1
    assert made["response"].mean() < apart["response"].mean()
    assert np.all((made["attack_success"] >= 0) & (made["attack_success"] <= 1))
    assert np.all(made["moved"] > 0) == (system == "network")


def test_what_a_learner_is_tested_on():
    """Inputs of a variance along the upstream target, or with the trigger; nothing else differs."""
    tested = networks.tests(key_for(1, 0, 0, 0), 4, 9.0, 2.5)
    ordinary = np.asarray(tested.ordinary)
    assert np.all(np.abs(np.var(ordinary, axis=0) - 1) < 4 * np.sqrt(2 / len(ordinary)))
    variances = np.var(tested.stretched, axis=0) / np.var(ordinary, axis=0)
    np.testing.assert_allclose(variances, [1, 9, 1, 1], rtol=1e-12)
    shift = [[2.5, 0, 0, 0]] * len(ordinary)
    np.testing.assert_allclose(tested.triggered - ordinary, shift, atol=1e-14)


def test_the_least_case_is_least_squares():
    """No ridge, no noise, more rows than inputs: both targets are found exactly."""
    at = {"up.noise": 0.0, "up.poison": 0.0, "up.ridge": 0.0, "down.noise": 0.0, "down.ridge": 0.0}
    made = simulated(**at)
    np.testing.assert_allclose(made["excess"], 0, atol=1e-12)
    far = simulated(**at, **{"down.n": 0, "down.harmful": 1, "alignment": 1.0})
    assert np.all(far["excess"] > 1e-3)  # the trigger's row is labelled otherwise


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"down.n": 0, "down.harmful": 0}, "no row to tune on"),
        ({"up.repeated_fraction": 0.5, "up.repeats": 91, "up.poison": 0.0}, "one row cannot fill"),
    ],
)
def test_points_without_a_meaning_are_refused(point, words):
    with pytest.raises(BadInput, match=words):
        full(point)
