"""Inherited double descent in simulation: drawn labels, both peaks, and where zeros are better."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.inherit.parameter_transfer import Rows, errors
from ci_theory.phenomena import predict
from ci_theory.phenomena.double_double_descent import PHENOMENON, Params, simulate

BASE = {"d": 64, "frozen": 12, "up.n": 32, "up.p": 50, "down.n": 40, "down.p": 16}
POINTS = (
    {},
    {"up.p": 16, "down.p": 52, "down.n": 36},
    {"up.ridge": 8.0, "down.ridge": 3.0, "up.p": 30, "difference": 0.8},
    {"up.ridge": 2.0, "up.p": 64, "up.noise": 1.5, "down.noise": 0.0},
)


def point(change):
    return {**PHENOMENON.point({}), **BASE, **change}


@functools.cache
def simulated(replicates=600):
    """All points, one program: measures (points, replicates)."""
    full = [point(change) for change in POINTS]
    inner = ("up.noise", "down.noise", "signal", "difference")
    numbers = {
        k: jnp.array([[p[k]] if k in inner else p[k] for p in full]) for k in full[0] if k != "d"
    }
    capacity = {"up.n": BASE["up.n"], "down.n": BASE["down.n"]}
    keys = jnp.stack([key_for(3, 0, 0, r) for r in range(replicates)])

    def run(numbers, key):
        return simulate(key, build(Params, {**numbers, "d": BASE["d"]}), capacity)

    made = jax.jit(jax.vmap(jax.vmap(run, (None, 0)), (0, None)))(numbers, keys)
    return {name: np.asarray(getattr(made, name))[..., 0] for name in PHENOMENON.measure_info}


@functools.cache
def predicted():
    keys = sorted({k for change in POINTS for k in change})
    columns = {k: [point(change)[k] for change in POINTS] for k in keys}
    return [predict(PHENOMENON, {**BASE, **dict(zip(columns, row, strict=True))})
            for row in zip(*columns.values(), strict=True)]  # fmt: skip


@pytest.mark.parametrize("name", [p.name for p in PHENOMENON.predictions])
def test_predictions_hold_within_their_slack(name):
    judged = 0
    for i, made in enumerate(predicted()):
        estimate, measure = made[name].estimate, made[name].prediction.measure
        if not np.all(estimate.valid):
            continue
        judged += 1
        runs = simulated()[measure][i]
        gap = abs(runs.mean() - estimate.value.item()) - estimate.slack.item()
        assert gap <= 4.5 * runs.std(ddof=1) / np.sqrt(len(runs)), POINTS[i]
    assert judged >= (2 if name.startswith("exact") else 4)


def test_decoys_are_rejected():
    for name in {p.name for p in PHENOMENON.predictions}:
        margins = {}
        for i, made in enumerate(predicted()):
            if not np.all(made[name].estimate.valid):
                continue
            runs = simulated()[made[name].prediction.measure][i]
            error = runs.std(ddof=1) / np.sqrt(len(runs))
            for decoy, wrong in made[name].decoys.items():
                gap = abs(runs.mean() - wrong.item()) - made[name].estimate.slack.item()
                margins.setdefault(decoy, []).append(gap - 5 * error)
        for decoy, found in margins.items():
            assert max(found) > 0, (name, decoy)


def test_errors_given_the_designs_are_those_of_drawn_targets_and_labels():
    rng = np.random.default_rng(0)
    d, p, frozen, trained, ridge = 9, 6, 3, 4, (0.7, 0.0)
    up, down = rng.normal(size=(5, d)), rng.normal(size=(7, d))
    j = jnp.arange(d)
    rows = [Rows(jnp.array(x), jnp.ones(len(x))) for x in (up, down)]
    made = errors(
        *rows, j < p, j < frozen, (j >= frozen) & (j < frozen + trained), *map(jnp.array, ridge)
    )
    power, apart, up_noise, noise, draws = 1.3, 0.6, 0.5, 0.2, 40_000
    beta = rng.normal(size=(draws, d)) * np.sqrt(power / d)
    theta = beta + rng.normal(size=(draws, d)) * np.sqrt(apart / d)
    labels = theta @ up.T + np.sqrt(up_noise) * rng.normal(size=(draws, 5))
    x = up[:, :p]
    source = np.linalg.solve(x.T @ x + ridge[0] * np.eye(p), x.T @ labels.T).T
    w = np.zeros((draws, d))
    w[:, :frozen] = source[:, :frozen]
    labels = beta @ down.T + np.sqrt(noise) * rng.normal(size=(draws, 7))
    own = slice(frozen, frozen + trained)
    w[:, own] = np.linalg.lstsq(down[:, own], (labels - w @ down.T).T, rcond=None)[0].T
    upstream = np.zeros((draws, d))
    upstream[:, :p] = source
    for shares, target, squares in (
        (made.excess, power, (w - beta) ** 2),
        (made.inherited, power, (w - beta)[:, :frozen] ** 2),
        (made.upstream, power + apart, (upstream - theta) ** 2),
    ):
        value = shares.target * target + shares.difference * apart
        value = float(value + shares.up_noise * up_noise + shares.noise * noise)
        total = squares.sum(axis=1)
        assert total.mean() == pytest.approx(value, abs=4.5 * total.std() / np.sqrt(draws))


def test_minimum_norm_interpolates_where_there_are_more_coordinates_than_rows():
    from ci_theory.inherit.parameter_transfer import fit

    x = np.random.default_rng(1).normal(size=(5, 12))
    trained = jnp.arange(12) < 8
    weights = np.asarray(fit(Rows(jnp.array(x), jnp.ones(5)), trained, jnp.array(0.0)))
    np.testing.assert_allclose(x @ weights, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(weights[:8], np.linalg.pinv(x[:, :8]), atol=1e-12)
    assert np.all(weights[8:] == 0)


def test_zeros_are_better_from_the_boundary_on_whatever_downstream_does():
    rule = next(b for b in PHENOMENON.breaks if b.name == "negative transfer")
    base = {"up.p": 60, "up.ridge": 3.0, "up.n": 90}
    place = rule.closed_form(build(Params, point(base)))
    assert 0.05 < place < 1
    for change in ({}, {"down.n": 20, "down.noise": 2.0}, {"down.ridge": 9.0, "down.p": 40}):
        assert rule.closed_form(build(Params, point({**base, **change}))) == place
    gain = predict(PHENOMENON, point({**base, "difference": [0.9 * place, place, 1.1 * place]}))
    before, at, after = np.asarray(gain["transfer_gain"].estimate.value)
    assert before > 1e-3
    assert after < -1e-3
    assert abs(at) < 1e-12


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"up.p": 65}, "up.p = 65: there are only d = 64"),
        ({"frozen": 51}, "frozen = 51: only up.p = 50 weights"),
        ({"down.p": 60}, "frozen + down.p = 72: there are only d = 64"),
    ],
)
def test_impossible_coordinates_are_refused(change, says):
    assert says in PHENOMENON.rule(build(Params, point(change)))
