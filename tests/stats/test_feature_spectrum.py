"""Spectra of drawn rows: predictions and decoys, copies that mislead, a run against numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.biases import repetition
from ci_theory.inherit import feature_spectrum as inherited
from ci_theory.phenomena import load, predict
from ci_theory.phenomena.feature_spectrum import SETS, TURNED, Params, simulate
from ci_theory.tasks import gaussian

PHENOMENON = load("feature_spectrum")
NOISES = np.array([0.0, 0.1, 0.3, 0.5, 4.0])
BASE = {"p": 24, "up.n": 240, "up.repeated_fraction": 0.4, "up.repeats": 6, "down.n": 12}
INNER = {"up.noise": NOISES, "down.noise": np.full(5, 2.0)}
CAPACITY = {"up.n": 240, "down.n": 16}
NAMES = tuple(PHENOMENON.measure_info)


@functools.cache
def program():
    @jax.jit
    def run(numbers, replicates):
        point = {**PHENOMENON.point(BASE), **{k: jnp.asarray(v) for k, v in INNER.items()}}
        params = build(Params, {**point, **numbers})
        keys = jax.vmap(lambda r: key_for(5, 0, 0, r))(replicates)
        made = jax.lax.map(lambda key: simulate(key, params, CAPACITY), keys)
        return {name: getattr(made, name) for name in NAMES}

    return run


@functools.cache
def simulated(repeats=6, replicates=400):
    made = program()({"up.repeats": jnp.asarray(repeats)}, jnp.arange(replicates))
    return {k: np.asarray(v) for k, v in made.items()}


def mean(values):
    return values.mean(axis=0), values.std(axis=0, ddof=1) / len(values) ** 0.5


def test_a_run_is_what_numpy_makes_of_its_rows():
    """Copies written out, an SVD of the rows, least squares on drawn labels."""
    made = {k: v[3] for k, v in simulated().items()}
    key, d = key_for(5, 0, 0, 3), BASE["p"]
    params = build(Params, PHENOMENON.point(BASE))
    copies = np.asarray(repetition.weights(params.up.split(), 240)).astype(int)
    noise_rows = np.repeat(gaussian.rows(stream(key, "up"), 240, jnp.ones(d)), copies, axis=0)
    own = np.repeat(gaussian.rows(stream(key, "direction"), 240, jnp.ones(1))[:, 0], copies)
    down = gaussian.rows(stream(key, "down"), 16 * SETS, jnp.ones(d)).reshape(16, SETS, d)
    rng = np.random.default_rng(0)
    for i in (1, 3):
        x = NOISES[i] ** 0.5 * np.asarray(noise_rows)
        x[:, 0] += own
        assert len(x) == 240
        _, sizes, vectors = np.linalg.svd(x)
        share = sizes / sizes.sum()
        assert float(made["outlier"][i]) == pytest.approx(sizes[0] ** 2 / 240, rel=1e-9)
        assert float(made["overlap"][i]) == pytest.approx(vectors[0, 0] ** 2, rel=1e-9)
        assert float(made["entropy"][i]) == pytest.approx(-share @ np.log(share), rel=1e-9)
        assert float(made["largest"][i]) == pytest.approx(-np.log(share[0]), rel=1e-9)
        errors = []
        for k in range(SETS):
            rows = np.asarray(down[:12, k])
            y = rows[:, :1] + 2**0.5 * rng.normal(size=(12, 4000))
            feature = rows @ vectors[0]
            slopes = feature @ y / (feature @ feature)
            off = slopes * vectors[0][:, None] - np.eye(d)[:, :1]
            errors.append(np.sum(off**2, axis=0))
        each = np.mean(errors, axis=0)
        told = float(made["error"][i])
        assert told == pytest.approx(each.mean(), abs=4 * each.std() / 4000**0.5)


def test_predictions_hold_within_their_slack():
    for name, predicted in predict(PHENOMENON, {**BASE, **INNER}).items():
        estimate = predicted.estimate
        value, error = mean(simulated()[name])
        ok = estimate.valid & (estimate.status == Status.OK)
        assert ok[:4].all(), name
        assert ok[4] == (name == "entropy")  # beyond the transition nothing else is claimed
        gap = np.abs(value - estimate.value)[ok]
        assert np.all(gap <= estimate.slack[ok] + 4 * error[ok] + 1e-12), name


def test_decoys_are_rejected():
    for name, predicted in predict(PHENOMENON, {**BASE, **INNER}).items():
        value, error = mean(simulated()[name])
        ok = predicted.estimate.valid & (predicted.estimate.status == Status.OK)
        assert predicted.decoys
        for decoy, wrong in predicted.decoys.items():
            if (name, decoy) == ("foretold", "copies are fresh rows"):
                continue  # copies change little of it, which is the point: seen by the sweep
            gap = (np.abs(value - wrong) - predicted.estimate.slack - 5 * error)[ok]
            assert gap.max() > 0, (name, decoy)


def test_noise_is_foretold_and_copies_are_foretold_as_their_reverse():
    """All at one noise, 0.3, but for the noise doubled."""
    plain, copied = simulated(repeats=1), simulated(repeats=8)
    for name, by_noise, by_copies in (
        ("error", 1, 1),
        ("overlap", -1, -1),
        ("entropy", 1, -1),
        ("largest", 1, -1),
        ("foretold", -1, 1),
    ):
        for change, sign in (
            (plain[name][:, 3] - plain[name][:, 2], by_noise),
            (copied[name][:, 2] - plain[name][:, 2], by_copies),
        ):
            value, error = mean(change)
            assert sign * value > 5 * error, (name, sign)


def test_without_noise_there_is_nothing_to_foretell():
    made = {k: v[:, 0] for k, v in simulated().items()}
    for name, value in {"overlap": 1, "foretold": 1, "crowding": 0, "entropy": 0}.items():
        assert np.allclose(made[name], value, atol=1e-6), name
    # all that is left is the label noise
    assert made["error"].mean() == pytest.approx(2 / 10, rel=0.1)


def test_eigenvalues_inside_the_bulk_foretell_nothing():
    flat = inherited.spectrum(jnp.eye(24) * 240)
    assert float(inherited.foretold(flat, jnp.asarray(240.0))) == 0
    outlier = jnp.eye(24).at[0, 0].set(3.0) * 240
    signal, gamma = 1.8524, 23 / 240  # (1 + signal)(1 + gamma/signal) is 3
    told = float(inherited.foretold(inherited.spectrum(outlier), jnp.asarray(240.0)))
    assert told == pytest.approx((1 - gamma / signal**2) / (1 + gamma / signal), abs=1e-4)


def test_equal_eigenvalues_foretell_nothing_however_few_the_rows():
    flat = inherited.spectrum(jnp.eye(61))
    for rows in (5.0, 10.0, 15.0, 61.0, 1e4):
        assert float(inherited.foretold(flat, rows)) == 0


def test_closed_forms_are_where_their_curves_cross():
    """On the predicted curve itself, on a fine axis."""
    point = {**BASE, "p": 60, "up.n": 480, "down.n": 40, "down.noise": 20.0}
    noises = np.geomspace(0.05, 2.0, 60)
    found = predict(PHENOMENON, {**point, "up.noise": noises})
    params = build(Params, PHENOMENON.point(point))
    for sought in PHENOMENON.breaks[:3]:
        estimate = found[sought.measure].estimate
        there = estimate.status == Status.OK
        place = sought.locator.locate(noises[there], estimate.value[there])
        assert place.status == Status.OK
        assert place.value == pytest.approx(sought.closed_form(params), rel=0.02), sought.name
    always = build(Params, {**PHENOMENON.point(point), "down.n": 3})
    assert np.isnan(PHENOMENON.breaks[2].closed_form(always))  # 21/2 of an overlap


def test_what_follows_from_another_overlap_is_of_one_piece():
    decoys = {
        name: {k: v[2] for k, v in predicted.decoys.items()}
        for name, predicted in predict(PHENOMENON, {**BASE, **INNER}).items()
    }
    for decoy in ("singular values are trusted", "sides swapped", "sample is the population"):
        overlap, crowding, error = (decoys[name][decoy] for name in TURNED)
        assert crowding == pytest.approx(0.3 * (1 - overlap) / (0.3 + overlap))
        assert error == pytest.approx(1 - overlap + (3 - overlap) / 10)


def test_a_row_cannot_fill_more_than_all_rows():
    with pytest.raises(BadInput, match="one row cannot fill more"):
        PHENOMENON.point({**BASE, "up.repeats": 241})


def test_the_repeats_that_cost_half_are_where_half_of_the_overlap_is_left():
    rib = load("feature_spectrum")
    (kind,) = [b for b in rib.breaks if b.name == "repeats that cost half"]
    repeats = np.arange(1, 31)
    overlap = np.asarray(predict(rib, {"up.repeats": repeats.tolist()})["overlap"].estimate.value)
    found = kind.locator.locate(repeats.astype(float), overlap).value
    assert float(np.interp(found, repeats, overlap)) == pytest.approx(0.5, abs=0.01)


def test_rows_without_noise_have_one_singular_value():
    """What is left of the others is rounding, of either sign: not a size, and no root of it."""
    for d in (3, 24, 60):
        rows = jnp.asarray(np.random.default_rng(d).normal(size=d))
        made = inherited.spectrum(4.0 * jnp.outer(rows, rows))
        assert float(made.rest) == 0.0
        assert (float(made.shape.entropy), float(made.shape.largest)) == (0.0, 0.0)
