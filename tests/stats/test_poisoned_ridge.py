"""A backdoor in simulation: predictions within their slack, decoys rejected, both breaks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.inherit import poisoning
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import predict
from ci_theory.phenomena.poisoned_ridge import PHENOMENON, Params, simulate

CAPACITY = {"up.n": 120, "down.n": 90}
BASE = {"p": 30, "up.n": 120, "down.n": 24, "up.poison": 0.05, "up.strength": 5.0}
# ridge and noise upstream, then ridge, time and noise downstream, and the alignment
INNER = {
    "up.label": [2.0, 2.0, 1.0, 4.0],
    "up.ridge": [0.0, 12.0, 30.0, 3.0],
    "up.noise": [0.5, 0.0, 1.0, 0.2],
    "down.ridge": [6.0, 20.0, 0.0, 10.0],
    "down.time": [1e9, 1.0, 2.0, 0.5],
    "down.noise": [0.2, 0.5, 0.0, 0.3],
    "alignment": [0.0, 0.5, -0.5, 0.0],
}


@functools.cache
def _program():
    @jax.jit
    def run(keys, numbers):
        params = build(Params, {**numbers, "p": BASE["p"]})
        return jax.lax.map(lambda key: simulate(key, params, CAPACITY), keys, batch_size=30)

    return run


@functools.cache
def _found(**changed):
    """Simulate at four inner points: measure -> (runs, 4), and what is predicted there."""
    outer = {**PHENOMENON.point({}), **BASE, **changed}
    numbers = {k: jnp.asarray(INNER.get(k, v), float) for k, v in outer.items() if k != "p"}
    keys = jnp.stack([key_for(5, 0, 0, r) for r in range(240)])
    made = _program()(keys, numbers)
    measured = {k: np.asarray(getattr(made, k)) for k in PHENOMENON.measure_info}
    return measured, predict(PHENOMENON, {**outer, **INNER})


def _changed(share):
    return {"up.poison": share, "down.n": 60} if share else {"up.poison": 0.0}


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3])
def test_predictions_hold_within_their_slack(share):
    measured, predicted = _found(**_changed(share))
    for name, found in predicted.items():
        values, estimate = measured[name], found.estimate
        assert estimate.valid.all(), name
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        gap = np.abs(values.mean(axis=0) - estimate.value)
        assert np.all(gap <= estimate.slack + 4.5 * error + 1e-12), (name, gap, estimate.slack)


def test_decoys_are_rejected():
    measured, predicted = _found(**_changed(0.3))
    for name, found in predicted.items():
        values = measured[name]
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        for decoy, wrong in found.decoys.items():
            gap = np.abs(values.mean(axis=0) - wrong) - found.estimate.slack - 5 * error
            assert gap.max() > 0, (name, decoy)


def test_fit_and_tuning_are_those_of_explicit_solves():
    """Weights of every cause and draw, against normal equations and a long discrete descent."""
    rng, n, p = np.random.default_rng(0), 12, 5
    x, there, hit = rng.normal(size=(n, p)), np.arange(n) < 10, np.arange(n) < 3
    seen = x + 2.0 * hit[:, None] * np.eye(p)[0]
    target, label, noise, ridge = np.array([0.4, 0.9]), 1.5, 0.3, 0.8
    key = key_for(1, 0, 0, 0)
    rows = poisoning.rows(key, x, seen, there, hit)
    fitted = np.asarray(poisoning.fit(rows, target, label, noise, ridge))
    drawn = np.sqrt(noise) * np.asarray(rows.noise)
    assert np.all(drawn[hit] == 0)
    clean = np.where(hit, label, x[:, :2] @ target)[:, None]
    labels = np.concatenate([clean + drawn, clean - drawn], axis=1)[there]
    a = seen[there]
    wanted = np.linalg.solve(a.T @ a + ridge * np.eye(p), a.T @ labels)
    assert np.allclose(fitted, wanted, atol=1e-10)

    time, steps = 3.0, 30_000
    later = poisoning.rows(key, x, x, there, np.zeros(n, bool))
    made = poisoning.tune(later, fitted, target, noise, ridge, time)
    w, a = fitted.copy(), x[there]
    extra = np.sqrt(noise) * np.asarray(later.noise)
    labels = (x[:, :2] @ target)[:, None] + np.concatenate([extra, -extra], axis=1)
    for _ in range(steps):
        w += time / steps / 10 * (a.T @ (labels[there] - a @ w) - ridge * (w - fitted))
    assert np.allclose(made.weights, w, atol=2e-4)
    rate = np.linalg.eigvalsh(a.T @ a)
    left = (ridge + rate * np.exp(-(rate + ridge) * time / 10)) / (rate + ridge)
    assert float(made.kept) == pytest.approx(left.mean(), rel=1e-9)
    assert np.isclose(
        float(poisoning.excess(jnp.asarray(fitted), target)),
        np.mean(np.sum((fitted - np.pad(target, (0, p - 2))[:, None]) ** 2, axis=0)),
    )


def test_directions_without_rows_keep_their_error():
    """Of p = 5 directions 3 rows teach 3: the share of the error that is left is over all five."""
    x, none = np.random.default_rng(0).normal(size=(3, 5)), np.zeros(3, bool)
    rows = poisoning.rows(key_for(1, 0, 0, 0), x, x, ~none, none)
    start = np.zeros((5, 2 * poisoning.PAIRS))
    for ridge, time in ((0.0, 1e9), (0.8, 1.5)):
        made = poisoning.tune(rows, start, np.zeros(2), 0.0, ridge, time)
        rate = np.maximum(np.linalg.eigvalsh(x.T @ x), 0.0)
        rest = rate * np.exp(-(rate + ridge) * time / 3)
        left = np.where(rate > 1e-9, (ridge + rest) / np.maximum(rate + ridge, 1e-9), 1.0)
        assert float(made.kept) == pytest.approx(left.mean(), rel=1e-9)


def test_breaks_stand_where_their_closed_forms_say():
    half, removed = PHENOMENON.breaks
    point = {**PHENOMENON.point({}), **BASE, "up.ridge": 12.0}
    shares = np.geomspace(0.005, 0.5, 60)
    rise = predict(PHENOMENON, {**point, "up.poison": list(shares)})["trigger_response"]
    place = half.closed_form(build(Params, point))
    rows = 1 / point["up.n"]  # shares are whole rows
    assert Crossing(level=0.5).locate(shares, rise.estimate.value).value == pytest.approx(
        place, abs=1.1 * rows
    )
    counts = np.arange(10, 60)
    point = {**point, "down.ridge": 8.0, "down.time": 1e9}
    kept = predict(PHENOMENON, {**point, "down.n": counts.tolist()})["survival"]
    found = Crossing(level=0.5, direction="down").locate(counts, kept.estimate.value).value
    assert found == pytest.approx(removed.closed_form(build(Params, point)), abs=1.0)
    early = build(Params, {**point, "down.time": 1.0})
    assert np.isnan(removed.closed_form(early))
