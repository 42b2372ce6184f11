"""A handful of rows undoes an alignment: simulation, predictions, decoys and places."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.inherit import erasure
from ci_theory.locate.crossing import Crossing
from ci_theory.phenomena import predict
from ci_theory.phenomena.alignment_erasure import PHENOMENON, Params, simulate
from ci_theory.tasks import gaussian

BASE = {"d": 64, "n": 12, "growth": 0.1, "noise": 1.0}
HALF, NONE = PHENOMENON.breaks
CAPACITY = {"n": 24, "safe": 6}


@functools.cache
def _program(d):
    @jax.jit
    def run(keys, numbers):
        params = build(Params, {**numbers, "d": d})
        return jax.vmap(lambda key: simulate(key, params, CAPACITY))(keys)

    return run


def _simulate(inner, replicates=200, **outer):
    """Simulate at inner points {name: values}; every other number as given or at its default."""
    full = {**PHENOMENON.point({}), **BASE, **outer}
    many = len(next(iter(inner.values())))
    numbers = {}
    for name, value in full.items():
        if PHENOMENON.axes[name].kind.value == "inner":
            numbers[name] = jnp.broadcast_to(jnp.asarray(inner.get(name, value), float), many)
        elif name != "d":
            numbers[name] = jnp.asarray(value)
    keys = jnp.stack([key_for(7, 0, 0, r) for r in range(replicates)])
    made = _program(full["d"])(keys, numbers)
    return {k: np.asarray(getattr(made, k)) for k in PHENOMENON.measure_info}


INNER = {
    "push": [1.0, 0.0, 2.0, 1.0, 1.0],
    "reversal": [0.0, 0.0, 5.0, 0.0, 0.0],
    "drift": [0.0, 0.0, 0.0, 0.5, 0.0],
    "ridge": [0.0, 0.0, 5.0, 0.0, 60.0],
    "utility": [1.0, 1.0, 1.0, 0.3, 1.0],
    "answer": [1.0, 2.0, 1.0, 1.0, 3.0],
}
OUTER = [
    {},
    {"n": 4},
    {"safe": 6, "n": 20},
    {"frozen": 0.8, "shared": 0.6},
    {"overlap": 0.5, "strength": 1.0, "growth": 0.0},
]


@pytest.mark.parametrize("outer", OUTER)
def test_predictions_hold_within_their_slack(outer):
    made = _simulate(INNER, **outer)
    for name, told in predict(PHENOMENON, {**BASE, **outer, **INNER}).items():
        estimate = told.estimate
        assert estimate.valid.all(), name
        mean, spread = made[name].mean(axis=0), made[name].std(axis=0, ddof=1)
        error = spread / np.sqrt(len(made[name]))
        assert np.all(np.abs(mean - estimate.value) <= estimate.slack + 4.5 * error), name
        assert np.all(estimate.slack < 0.15 * np.abs(estimate.value) + 0.03), name


def test_decoys_are_rejected():
    """Each where it is meant: safe rows and an estimated direction; noise that lengthens weights.

    That attacks see more than the mean weights needs thousands of runs: sweeps tell it, and
    tests/theory.
    """
    inner = {"push": [1.0, 2.0], "answer": [2.0, 2.0], "noise": [4.0, 4.0]}
    beyond = {}
    for outer in ({"n": 6}, {"n": 20, "safe": 6, "frozen": 0.8}):
        made = _simulate(inner, **outer)
        for name, told in predict(PHENOMENON, {**BASE, **outer, **inner}).items():
            error = made[name].std(axis=0, ddof=1) / np.sqrt(len(made[name]))
            for decoy, wrong in told.decoys.items():
                gap = np.abs(made[name].mean(axis=0) - wrong) - told.estimate.slack - 4 * error
                beyond[name, decoy] = max(gap.max(), beyond.get((name, decoy), -1.0))
    beyond.pop(("attack_success", "attack on the mean weights"))
    assert len(beyond) == 10
    assert min(beyond.values()) > 0, beyond


# --- where it breaks ---------------------------------------------------------------------------


def _params(**point):
    return build(Params, PHENOMENON.point({**BASE, **point}))


def test_a_handful_is_the_same_at_any_dimension():
    """Half is gone at 1/(3 growth + 2/d), and every second attack succeeds at 1/(growth + 1/d)."""
    for d in (400, 10**6):
        rest = d - 1  # one direction is frozen
        s2 = 0.1 * d
        assert HALF.closed_form(_params(d=d)) == pytest.approx(rest / (2 + 3 * s2), rel=1e-12)
        assert NONE.closed_form(_params(d=d)) == pytest.approx(rest / (1 + s2), rel=1e-12)
    assert HALF.closed_form(_params(d=10**6)) == pytest.approx(1 / 0.3, rel=1e-4)


def test_nothing_in_common_takes_a_share_of_the_dimension():
    for d in (101, 401):
        apart = {"d": d, "shared": 0.0, "reversal": 1.0}
        assert HALF.closed_form(_params(**apart)) == pytest.approx((d - 1) / 4)
        assert NONE.closed_form(_params(**apart)) == pytest.approx((d - 1) / 2)


@pytest.mark.parametrize("change", [{"safe": 1}, {"overlap": 0.9}, {"frozen": 1.0}, {"push": 0.0}])
def test_places_that_have_no_closed_form(change):
    assert np.isnan(NONE.closed_form(_params(**change)))


def test_measured_rows_are_where_the_closed_form_says():
    counts = np.array([1, 2, 3, 5, 8, 12, 18])
    made = [_simulate({"push": [1.0, 1.0]}, replicates=100, n=n) for n in counts]
    for sought, measure in ((HALF, "response"), (NONE, "attack_success")):
        curve = np.stack([m[measure][:, 0] for m in made], axis=1)
        level, direction = 0.5, sought.locator.direction
        found = Crossing(level=level, direction=direction).locate(counts.astype(float), curve)
        exact = sought.closed_form(_params())
        assert found.low - 0.08 * exact < exact < found.high + 0.08 * exact
        assert found.high - found.low < 0.5 * exact


@pytest.mark.parametrize("reversal", [0.3, 1.0])
def test_places_are_where_the_predicted_curves_cross_in_few_dimensions(reversal):
    """In 12 dimensions d and d - 1 are a twelfth apart."""
    point = {**BASE, "d": 12, "push": 1.0, "reversal": reversal, "growth": 0.005}
    rows = np.arange(1.0, 60.0)
    made = predict(PHENOMENON, {**point, "n": list(rows)})
    for sought, measure in ((HALF, "response"), (NONE, "attack_success")):
        curve = made[measure].estimate.value
        found = Crossing(level=0.5, direction=sought.locator.direction).locate(rows, curve)
        place = sought.closed_form(build(Params, PHENOMENON.point(point)))
        assert found.value == pytest.approx(place, rel=0.02)


@pytest.mark.parametrize(
    "change", [{"ridge": 80.0}, {"frozen": 0.6}, {"shared": 0.6, "push": 2.0}, {"push": 0.5}]
)
def test_places_are_where_the_predicted_curves_cross_in_many_dimensions(change):
    point = {**BASE, "d": 400, "push": 1.0, "growth": 0.01, **change}
    rows = np.arange(20.0, 400.0, 4)
    made = predict(PHENOMENON, {**point, "n": list(rows)})
    for sought, measure in ((HALF, "response"), (NONE, "attack_success")):
        curve = made[measure].estimate.value
        found = Crossing(level=0.5, direction=sought.locator.direction).locate(rows, curve)
        place = sought.closed_form(build(Params, PHENOMENON.point(point)))
        assert found.value == pytest.approx(place, rel=0.01)


def test_safe_rows_cancel_as_many_that_erase_beyond_the_inertia():
    """Without a ridge, attacks reach one half where n - safe = (d - n - safe)/s^2."""
    s2 = 0.1 * BASE["d"]
    for safe in (2, 5):
        n = ((BASE["d"] - 1 - safe) / s2 + safe) / (1 + 1 / s2)
        points = {"n": [np.floor(n), np.ceil(n)], "safe": safe, "d": BASE["d"]}
        value = predict(PHENOMENON, {**BASE, **points})["attack_success"].estimate.value
        assert value[0] < 0.5 + 0.01
        assert value[1] > 0.5 - 0.01
        assert value[1] - value[0] < 0.05


# --- the simulation, against normal equations ---------------------------------------------------


def test_no_two_rows_share_their_label_noise():
    key, d = key_for(3, 0, 0, 0), 40
    first, second = (gaussian.rows(stream(key, k), 6, jnp.ones(d)) for k in ("erasing", "safe"))
    zero = jnp.zeros(3)
    drawn = erasure.rows(key, first, second, jnp.ones(12), (zero, zero), zero)
    noise = np.asarray(drawn.path.vectors @ drawn.parts)[:, -erasure.DRAWS :]
    apart = np.abs(noise[:, None] - noise[None]).max(axis=2)
    assert apart[~np.eye(12, dtype=bool)].min() > 0.5


RIDGES = [0.0, 2.0]


@pytest.mark.parametrize(("n", "safe", "d"), [(5, 2, 12), (14, 3, 9)])
def test_fits_are_those_of_the_normal_equations(n, safe, d):
    point = {"d": d, "n": n, "safe": safe, "overlap": 0.6, "frozen": 0.7, "shared": 0.8}
    inner = {"push": 1.5, "reversal": 0.4, "answer": 1.2, "utility": 0.9, "drift": 0.5}
    params = _params(**point, **inner)
    key, many = key_for(3, 0, 0, 0), {k: jnp.full(2, v) for k, v in inner.items()}
    many |= {"noise": jnp.ones(2), "ridge": jnp.array(RIDGES)}
    made = simulate(key, build(Params, {**vars(params), **many}), {"n": n + 3, "safe": safe + 1})

    s = float(params.component())
    first = np.asarray(gaussian.rows(stream(key, "erasing"), n + 3, jnp.ones(d)))[:n]
    second = np.asarray(gaussian.rows(stream(key, "safe"), safe + 1, jnp.ones(d)))[:safe]
    x = np.concatenate([first, second])
    z, own = x.copy(), np.arange(n + safe) < n
    x[own, 0] += 0.8 * s * 0.6
    x[own, 1] += 0.8 * s * 0.8
    x[~own, 0] += s
    a = 1.2 / s
    start, target = np.zeros((2, d))
    start[0], start[3], target[3] = a, 0.9**0.5, 0.9**0.5
    y = z[:, 3] * 0.9**0.5 + z[:, 4] * 0.5**0.5
    y = y + np.where(own, -1.5 * 1.2 - 0.4 * a * z[:, 0], 1.2)
    held = np.zeros(d)
    held[0], held[2] = 0.7, (1 - 0.49) ** 0.5
    free = x @ (np.eye(d) - np.outer(held, held))
    for i, ridge in enumerate(RIDGES):
        onto = np.linalg.pinv(free, rcond=1e-10)
        if ridge:
            onto = np.linalg.solve(free.T @ free + ridge * np.eye(d), free.T)
        w = start + onto @ (y - x @ start)
        assert float(made.response[i]) == pytest.approx(w[0] / a, rel=1e-9)
        wanted = (w - target) @ (w - target) + np.sum(onto**2)  # noise 1
        assert float(made.utility_risk[i]) == pytest.approx(wanted, rel=1e-9)
        assert held @ (w - start) == pytest.approx(0, abs=1e-12)
        # attacks: in the middle of many draws of the label noise
        draws = np.random.default_rng(0).normal(size=(n + safe, 4000))
        drawn = w[:, None] + onto @ draws
        hits = norm.cdf(-s * drawn[0] / np.linalg.norm(drawn, axis=0))
        off = abs(float(made.attack_success[i]) - hits.mean())
        assert off < 4 * hits.std() / erasure.DRAWS**0.5
