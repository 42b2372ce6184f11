"""Edits in a metric, in simulation: predictions within their slack, decoys, breaks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.phenomena import predict
from ci_theory.phenomena.metric_editing import PHENOMENON, Params, simulate

EDITS = np.array([1, 2, 4, 8, 16, 32])
INNER = PHENOMENON.names(Kind.INNER)
BASE = {"p": 40, "n": 3, "ridge": 6.0, "alpha": 0.5}
CAPACITY = 4


@functools.cache
def _program(p, editor):
    @jax.jit
    def run(keys, numbers):
        params = build(Params, {**numbers, "p": p, "editor": editor})
        return jax.vmap(lambda key: simulate(key, params, {"n": CAPACITY}))(keys)

    return run


def _simulate(edits=EDITS, runs=60, **point):
    full = {**PHENOMENON.point({}), **BASE, **point, "edits": edits}
    numbers = {
        k: jnp.broadcast_to(jnp.asarray(v), len(edits)) if k in INNER else jnp.asarray(v)
        for k, v in full.items()
        if k not in ("p", "editor")
    }
    keys = jnp.stack([key_for(5, 0, 0, r) for r in range(runs)])
    made = _program(full["p"], full["editor"])(keys, numbers)
    return {k: np.asarray(getattr(made, k)) for k in PHENOMENON.measure_info}


def _predict(edits=EDITS, **point):
    return predict(PHENOMENON, {**BASE, **point, "edits": [int(k) for k in edits]})


def _mean(values):
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


SCENES = [
    {"metric": 0.0},
    {"metric": 1.0},
    {"metric": 1.6, "ridge": 0.5, "noise": 1.0},
    {"metric": -0.3, "ridge": 60.0, "distance": 2.0, "noise": 0.0},
    {"metric": 0.4, "distance": 0.0, "base_error": 0.0, "noise": 1.0, "n": 1},
    {"metric": 0.0, "editor": "batch"},
    {"metric": 1.4, "editor": "batch", "ridge": 1.0, "noise": 0.5},
]


@pytest.mark.parametrize("change", SCENES)
def test_predictions_hold_within_their_slack(change):
    made, told = _simulate(**change), 0
    for predicted in _predict(**change).values():
        estimate, measure = predicted.estimate, predicted.prediction.measure
        mean, error = _mean(made[measure])
        ok = np.asarray(estimate.valid)
        assert np.all((np.abs(mean - estimate.value) - estimate.slack - 4.5 * error)[ok] <= 1e-11)
        told += ok.sum()
    assert told >= 12


def test_decoys_are_rejected():
    told: dict[tuple[str, str], float] = {}
    for change in (SCENES[0], SCENES[2], SCENES[6]):
        made = _simulate(**change)
        for name, predicted in _predict(**change).items():
            mean, error = _mean(made[predicted.prediction.measure])
            ok = np.asarray(predicted.estimate.valid)
            for decoy, wrong in predicted.decoys.items():
                gap = np.abs(mean - wrong) - predicted.estimate.slack - 5 * error
                best = told.get((name, decoy), -np.inf)
                told[name, decoy] = max(best, np.max(gap, where=ok, initial=-np.inf))
    assert len(told) == sum(len(p.decoys) for p in PHENOMENON.predictions)
    assert {k: v for k, v in told.items() if v <= 0} == {}


def test_a_life_is_that_of_the_weights_themselves():
    """Edits of drawn targets and labels in the inputs' own coordinates, C written out."""
    p, n, edits, runs = 6, 2, 3, 40_000
    point = {"p": p, "alpha": 1.0, "metric": 0.4, "ridge": 2.0, "noise": 0.3, "n": n}
    law = np.arange(1.0, p + 1) ** -1.0
    law /= law.mean()
    white = law**0.6 / np.mean(law**0.6)
    pull = 2.0 * np.diag(law / white)
    rng = np.random.default_rng(4)
    base = rng.normal(size=(runs, p)) / np.sqrt(p)
    goal = base + np.sqrt(0.7) * rng.normal(size=(runs, p)) / np.sqrt(p)
    w = base + np.sqrt(0.05) * rng.normal(size=(runs, p)) / np.sqrt(p)
    for _ in range(edits):
        x = rng.normal(size=(runs, n, p)) * np.sqrt(law)
        y = np.einsum("rnp,rp->rn", x, goal) + np.sqrt(0.3) * rng.normal(size=(runs, n))
        right = np.einsum("rnp,rn->rp", x, y) + w @ pull
        w = np.linalg.solve(x.transpose(0, 2, 1) @ x + pull, right[..., None])[..., 0]
    wanted = {"base_risk": ((w - base) ** 2 * law), "edit_risk": ((w - goal) ** 2 * law)}
    made = _simulate(np.array([edits]), runs=4000, **point, distance=0.7, base_error=0.05)
    for name, drawn in wanted.items():
        (mean, error), (other, more) = _mean(drawn.sum(axis=1)), _mean(made[name])
        assert abs(mean - other[0]) < 4.5 * np.hypot(error, more[0]), name


def test_the_gentlest_metric_of_a_first_exact_edit_is_that_of_the_inputs():
    gentlest, _, _ = PHENOMENON.breaks
    powers = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0])
    point = {"distance": 0.0, "base_error": 0.0, "noise": 1.0, "ridge": 1e-3, "n": 1, "edits": 1}
    made = predict(PHENOMENON, {**BASE, **point, "metric": list(powers)})["base_risk"]
    found = gentlest.locator.locate(powers, made.estimate.value)
    assert found.value == pytest.approx(1.0, abs=0.02)


def test_half_of_the_base_is_gone_when_the_closed_form_says():
    _, half, catastrophe = PHENOMENON.breaks
    for metric in (0.0, 1.0, 1.6):
        params = build(Params, PHENOMENON.point({**BASE, "metric": metric}))
        place = half.closed_form(params)
        grid = round(place) + np.arange(-6, 7, 2)
        found = half.locator.locate(
            grid.astype(float), _simulate(grid, metric=metric)["base_share"]
        )
        assert found.value == pytest.approx(place, rel=0.03)
        assert np.isnan(catastrophe.closed_form(params))
    batch = build(Params, PHENOMENON.point({**BASE, "editor": "batch"}))
    assert np.isnan(half.closed_form(batch))
    assert catastrophe.closed_form(batch) == pytest.approx(40 / 3)


@pytest.mark.parametrize("metric", [0.0, 1.5])
def test_no_metric_moves_the_catastrophe(metric):
    grid = np.array([8, 10, 12, 13, 14, 16, 20])
    one = {"ridge": 0.1, "noise": 1.0, "metric": metric}
    made = _simulate(grid, editor="batch", **one)["base_risk"]
    found = PHENOMENON.breaks[2].locator.locate(grid.astype(float), made)
    assert found.status == Status.OK
    assert found.value == pytest.approx(40 / 3, rel=0.04)
