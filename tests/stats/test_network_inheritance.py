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


def test_harm_is_beside_a_learner_without_any_defect_copies_included():
    copies = {"up.poison": 0.0, "up.repeated_fraction": 0.5, "up.repeats": 5}
    clean = {"up.poison": 0.0, "up.noise": 0.0}
    made = predicted([copies, {**copies, "up.noise": 0.0}, clean])
    excess, harm = (made[name].estimate.value for name in ("excess", "harm"))
    np.testing.assert_allclose(harm, excess - excess[-1], rtol=1e-9, atol=1e-12)
    assert abs(harm[1]) > 1e-5  # of copies of clean rows: at this ridge it is less than nothing


def test_other_learners_are_not_predicted_and_no_poison_plants_nothing():
    for one in PHENOMENON.predictions:
        planting = one.name in ("planted", "response")
        for system, poison in (("linear", 0.1), ("linear", 0.0), ("features", 0.1)):
            params = build(PHENOMENON.params, full({"system": system, "up.poison": poison}))
            assert one.where(params) == (system == "linear" and (poison > 0 or not planting))
        both = {"up.poison": 0.1, "up.repeated_fraction": 0.5, "up.repeats": 3}
        assert not one.where(build(PHENOMENON.params, full(both)))  # no formula has both


@pytest.mark.parametrize(
    ("fraction", "repeats", "spoken"), [(0.5, 3, False), (0.5, 1, True), (0.0, 3, True)]
)
def test_rows_that_come_once_are_no_copies(fraction, repeats, spoken):
    """Beside poison only copies silence the formula, and a row seen once is none."""
    change = {"up.poison": 0.1, "up.repeated_fraction": fraction, "up.repeats": repeats}
    params = build(PHENOMENON.params, full(change))
    assert [bool(one.where(params)) for one in PHENOMENON.predictions] == [spoken] * len(
        PHENOMENON.predictions
    )


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


def test_how_far_the_first_layer_moved_counts_both_stages():
    at = {"up.poison": 0.3, "down.n": 20}
    made = simulated("network", **at)["moved"]
    for other in ({"down.n": 40}, {"down.noise": 2.0}, {"up.noise": 2.0}):
        assert np.all(simulated("network", **{**at, **other})["moved"] != made), other


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


def place(name, **point):
    (kind,) = [b for b in PHENOMENON.breaks if b.name == name]
    return kind.closed_form(build(PHENOMENON.params, full(point)))


def test_where_inheriting_neither_helps_nor_harms():
    """The same whatever the fine-tuning, and nowhere told that no formula has it."""
    plain = {"up.poison": 0.0, "up.noise": 0.5}
    at = place("negative transfer", **plain)
    assert 0 < at < 1
    for change in ({"down.n": 20}, {"down.ridge": 1.0}, {"down.noise": 1.0}, {"alignment": 0.1}):
        assert place("negative transfer", **plain, **change) == pytest.approx(at, rel=1e-12)
    for silent in (
        {"up.poison": 0.1},
        {"down.harmful": 1},
        {"down.ridge": 0.0, "down.n": 12},  # least squares forgets what it inherited
        {"up.noise": 1e6},
    ):
        assert np.isnan(place("negative transfer", **{**plain, **silent})), silent
    assert place("negative transfer", **plain, **{"down.ridge": 0.0, "down.n": 11}) > 0
    (gain,) = [predicted([{**plain, "alignment": c} for c in (at - 0.1, at, at + 0.1)])["gain"]]
    low, middle, high = gain.estimate.value
    assert low < 0 < high
    assert abs(middle) < 0.03 * (high - low)  # to the leading order


def test_half_of_saturation_is_where_the_curve_has_it():
    point = {"up.ridge": 4.0, "up.n": 1000, "up.poison": 0.1}
    at = place("half of saturation", **point)
    found = predicted([{**point, "up.poison": at * s} for s in (0.9, 1.0, 1.1)])["planted"]
    value = found.estimate.value
    assert value[0] < value[1] < value[2]
    assert value[1] == pytest.approx(0.5, abs=0.01)


def test_the_slack_of_a_difference_is_that_of_both_sides():
    """Without a defect both arms are one: what pre-training is off by counts twice, not once."""
    found = predicted([{"up.noise": 0.0, "up.poison": 0.0, "down.harmful": 0}])
    excess, harm, gain = (found[name].estimate for name in ("excess", "harm", "gain"))
    assert harm.value[0] == pytest.approx(0, abs=1e-12)
    later = (excess.slack - gain.slack) / (excess.value - np.abs(gain.value))
    handed_on = excess.slack - later * excess.value
    assert np.all(handed_on > 0)
    np.testing.assert_allclose(harm.slack, 2 * handed_on, rtol=1e-6)
