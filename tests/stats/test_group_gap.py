"""group_gap: the simulation against explicit fits, and predictions and breaks against it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import group_gap, load, predict
from ci_theory.tasks import gaussian

PHENOMENON = load("group_gap")
BASE = {"n": 60, "p": 20, "minority": 0.3, "signal": 1.5}
CAPACITY = 64
INNER = {
    "ridge": np.array([0.0, 0.0, 3.0, 40.0]),
    "alignment": np.array([0.2, -0.7, 0.5, 0.2]),
    "noise": np.array([0.4, 0.1, 1.0, 0.4]),
}


@functools.cache
def program():
    @jax.jit
    def run(numbers, replicates):
        params = build(group_gap.Params, {**BASE, **INNER, **numbers})
        one = functools.partial(group_gap.simulate, params=params, capacity={"n": CAPACITY})
        made = jax.vmap(lambda r: one(key_for(3, 0, 0, r)))(replicates)
        return {name: getattr(made, name) for name in PHENOMENON.measure_info}

    return run


def simulated(replicates, **numbers):
    numbers = {"n": BASE["n"], "minority": BASE["minority"], "weight": 1.0, **numbers}
    made = program()({k: jnp.asarray(v) for k, v in numbers.items()}, jnp.arange(replicates))
    return {k: np.asarray(v) for k, v in made.items()}


def test_a_run_is_the_average_over_labels_and_orientations():
    """Fits by the normal equations to drawn labels and turned targets, one design."""
    made = {k: v[7] for k, v in simulated(8, weight=2.5).items()}
    x = gaussian.rows(stream(key_for(3, 0, 0, 7), "rows"), CAPACITY, jnp.ones(20))
    x = np.asarray(x)[:60]
    few = np.arange(60) < 18
    weights = np.where(few, 2.5, 1.0)
    rng = np.random.default_rng(0)
    draws = 20_000
    first, second = rng.normal(size=(2, draws, 20))
    first /= np.linalg.norm(first, axis=1)[:, None]
    second -= np.sum(first * second, axis=1)[:, None] * first
    second /= np.linalg.norm(second, axis=1)[:, None]
    for i in (0, 2):
        cosine, noise, ridge = (INNER[k][i] for k in ("alignment", "noise", "ridge"))
        targets = np.stack([first, cosine * first + np.sqrt(1 - cosine**2) * second]) * 1.5**0.5
        clean = np.where(few[None, :], targets[1] @ x.T, targets[0] @ x.T)
        y = clean + np.sqrt(noise) * rng.normal(size=(draws, 60))
        hat = np.linalg.solve((x.T * weights) @ x + ridge * np.eye(20), x.T * weights)
        errors = np.sum((y @ hat.T - targets) ** 2, axis=2) + noise
        for name, values in zip(group_gap.ERRORS, errors, strict=True):
            error = values.std() / draws**0.5
            assert float(made[name][i]) == pytest.approx(values.mean(), abs=4 * error)
        own = np.mean(np.diagonal(x @ hat)[few])
        assert float(made["leverage_minority"][i]) == pytest.approx(own, rel=1e-10)
    apart = made["error_minority"] - made["error_majority"]
    assert np.allclose(made["gap"], apart, atol=1e-12)


def test_an_interpolator_forgets_the_weights():
    one, other = (simulated(2, n=15, minority=0.2, weight=w)["error_minority"] for w in (1.0, 30.0))
    assert np.allclose(one[:, :2], other[:, :2], rtol=1e-9)
    assert not np.allclose(one[:, 2:], other[:, 2:], rtol=1e-3)
    found = predict(PHENOMENON, {**BASE, **INNER, "n": 15, "weight": 6.0})
    for predicted in found.values():  # the formula of a mixture does not speak there
        silent = predicted.estimate.status == Status.OUT_OF_SCOPE
        assert np.array_equal(silent, INNER["ridge"] == 0)


@pytest.mark.parametrize("change", [{"weight": 6.0}, {"weight": 1.0}, {"minority": 0.1}])
def test_means_lie_within_slack_and_error_and_reject_the_decoys(change):
    made = simulated(300, **{"weight": 6.0, **change})
    for name, predicted in predict(PHENOMENON, {**BASE, **INNER, "weight": 6.0, **change}).items():
        estimate, values = predicted.estimate, made[name]
        error = values.std(axis=0, ddof=1) / len(values) ** 0.5
        assert estimate.valid.all(), name
        gap = np.abs(values.mean(axis=0) - estimate.value)
        assert np.all(gap < estimate.slack + 4 * error + 1e-12), name
        for decoy, wrong in predicted.decoys.items():
            if decoy == "weights are rows" and change == {"weight": 1.0}:
                continue  # there it is right
            far = np.abs(values.mean(axis=0) - wrong) - estimate.slack - 5 * error
            assert far.max() > 0, (name, decoy)


def test_a_gap_closes_where_the_closed_form_says_or_never():
    weights = np.geomspace(0.5, 32.0, 7)
    for minority, there in ((0.3, True), (0.1, False)):
        gaps = np.stack([simulated(60, minority=minority, weight=w)["gap"] for w in weights], -1)
        params = build(group_gap.Params, PHENOMENON.point({**BASE, "minority": minority}))
        params = build(group_gap.Params, {**vars(params), "ridge": 0.0})
        expected = PHENOMENON.breaks[0].closed_form(params)
        assert np.isfinite(expected) == there  # p < 2 n_2: 18 rows of 60, or 6, for p = 20
        found = Crossing(level=0.0, direction="down", log_axis=True).locate(weights, gaps[:, 0])
        assert (found.status == Status.OK) == there
        if there:
            assert found.value == pytest.approx(expected, rel=0.15)
            naive = (1 - minority) / minority  # weights of the inverse counts
            assert not found.low < naive < found.high


def test_the_share_of_a_break_stays_in_its_range():
    form = next(b for b in PHENOMENON.breaks if b.axis == "minority").closed_form
    point = PHENOMENON.point({"n": 240, "p": 60, "ridge": 0.0, "weight": 4.0})
    assert form(build(group_gap.Params, point)) == pytest.approx((1 + 3 * 60 / 480) / 5)
    assert np.isnan(form(build(group_gap.Params, {**point, "weight": 0.5})))


def test_without_a_ridge_there_must_be_more_rows_than_parameters():
    speaks = PHENOMENON.predictions[0].where
    for n, ridge, there in ((61, 0.0, True), (60, 0.0, False), (59, 0.0, False), (20, 1e-9, True)):
        point = PHENOMENON.point({"n": n, "p": 60, "ridge": ridge})
        assert bool(speaks(build(group_gap.Params, point))) == there, (n, ridge)
