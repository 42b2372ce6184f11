"""The repetition peak in simulation: where it is, how high, what removes it and what misses it."""

import functools
import itertools
import tomllib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory._shipped import EXPERIMENT, find
from ci_theory.biases import repetition
from ci_theory.locate.peak import Peak
from ci_theory.phenomena import predict
from ci_theory.phenomena.repeated_data import PHENOMENON, Params, bounds, forecast, simulate
from ci_theory.tasks import gaussian
from ci_theory.theory.rows.repeat_peak import data_rich_excess, two_group_excess, worst_repeats

INNER = ("ridge", "noise")


@functools.cache
def _program(p, capacity):
    """One compiled simulation for a size: (keys, traced numbers, inner vectors) -> measures."""

    @jax.jit
    def run(keys, numbers):
        params = build(Params, {**numbers, "p": p})
        return jax.vmap(lambda key: simulate(key, params, {"budget": capacity}))(keys)

    return run


def _simulate(
    replicates=40, seed=0, p=20, budget=400, ridge=(0.0,), noise=1.0, capacity=None, **traced
):
    point = {**PHENOMENON.point({}), "budget": budget, **traced}
    numbers = {k: jnp.asarray(v) for k, v in point.items() if k not in ("p", *INNER)}
    numbers["ridge"] = jnp.asarray(ridge, float)
    numbers["noise"] = jnp.full(len(ridge), float(noise))
    keys = jnp.stack([key_for(seed, 0, 0, r) for r in range(replicates)])
    made = _program(p, capacity or budget)(keys, numbers)
    return {k: np.asarray(getattr(made, k)) for k in PHENOMENON.measure_info}


def _mean(values):
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


# --- the measures themselves, against literal copies and explicit deletion --------------------


def _literal(x, target, counts, ridge, noise, shared):
    """Every measure by the definitions, on literal copies, label noise averaged exactly."""
    copy = np.repeat(np.arange(len(x)), counts)
    rows = x[copy]
    solve = (
        np.linalg.pinv(rows)
        if ridge == 0
        else np.linalg.solve(rows.T @ rows + ridge * np.eye(x.shape[1]), rows.T)
    )
    same = (copy[:, None] == copy[None, :]).astype(float)
    cov = noise * (same if shared else np.eye(len(copy)))
    miss = solve @ (rows @ target) - target
    excess = miss @ miss + np.trace(solve @ cov @ solve.T)
    residual = np.eye(len(copy)) - rows @ solve
    signal = residual @ (rows @ target)
    train = (signal @ signal + np.trace(residual @ cov @ residual.T)) / len(copy)
    naive = train / (1 - np.trace(rows @ solve) / len(copy)) ** 2
    held = []
    for i in range(len(x)):
        out = copy == i
        kept = rows[~out]
        fit = (
            np.linalg.pinv(kept)
            if ridge == 0
            else np.linalg.solve(kept.T @ kept + ridge * np.eye(x.shape[1]), kept.T)
        )
        gap = x[i] @ (target - fit @ (kept @ target))
        held.append(gap**2 + noise + (x[i] @ fit) @ cov[np.ix_(~out, ~out)] @ (x[i] @ fit))
    return {
        "test_error": excess + noise,
        "excess_risk": excess,
        "train_error": train,
        "gcv_naive": naive,
        "gcv_distinct": np.mean(held),
    }


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    ("p", "budget", "ridge"),
    [(6, 40, 0.0), (6, 40, 2.5), (30, 40, 0.0), (30, 40, 2.5), (60, 40, 0.7)],
)
def test_weights_are_literal_copies(p, budget, ridge, shared):
    """All measures, on both sides of interpolation, with more and fewer parameters than rows."""
    made = _simulate(
        1,
        p=p,
        budget=budget,
        repeats=4,
        repeated_fraction=0.6,
        ridge=[ridge],
        noise=0.7,
        shared_noise=shared,
    )
    split = repetition.counts(jnp.asarray(40.0), jnp.asarray(0.6), jnp.asarray(4.0))
    counts = np.asarray(repetition.weights(split, budget)).astype(int)
    x = np.asarray(gaussian.rows(key_for(0, 0, 0, 0), budget, jnp.ones(p)))[counts > 0]
    wanted = _literal(x, gaussian.target(p), counts[counts > 0], ridge, 0.7, shared)
    for name, value in wanted.items():
        assert made[name][0, 0] == pytest.approx(value, rel=1e-8, abs=1e-10), name


def test_an_interpolator_does_not_see_repeats():
    """Copies, weights and single rows give one estimator, also with any labels."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(20, 50)), rng.normal(size=20)
    counts = np.array([7] * 5 + [1] * 15)
    once = np.linalg.pinv(x) @ y
    copies = np.linalg.pinv(np.repeat(x, counts, axis=0)) @ np.repeat(y, counts)
    root = np.sqrt(counts)
    weighted = np.linalg.pinv(x * root[:, None]) @ (root * y)
    assert np.allclose(copies, once, atol=1e-11)
    assert np.allclose(weighted, once, atol=1e-11)
    # 40 distinct rows, the same ones: once each, and ten of them four times
    single, repeated = (
        _simulate(3, p=80, budget=budget, capacity=70, repeats=4, repeated_fraction=share)
        for budget, share in ((40, 0.0), (70, 40 / 70))
    )
    assert np.allclose(single["excess_risk"], repeated["excess_risk"], rtol=1e-9)
    assert np.allclose(single["gcv_distinct"], repeated["gcv_distinct"], rtol=1e-9)


# --- the headline ------------------------------------------------------------------------------

REPEATS = [1, 2, 4, 8, 12, 15, 20, 24, 30, 40, 60, 120]  # all divide the 120 repeated rows
WORST = dict(p=20, budget=400, repeated_fraction=0.3)


@functools.cache
def _curve(shared=True, dedup=False):
    runs = [
        _simulate(
            60,
            seed=r,
            repeats=r,
            shared_noise=shared,
            deduplicated=dedup,
            ridge=(0.0, 4.0),
            **WORST,
        )
        for r in REPEATS
    ]
    return {k: np.stack([run[k] for run in runs], axis=-1) for k in runs[0]}  # (R, m, t)


def test_worst_repeat_count_is_rows_per_parameter():
    found = Peak(log_axis=True).locate(np.array(REPEATS, float), _curve()["excess_risk"][:, 0])
    exact = worst_repeats(400.0, 0.3, 20.0)
    assert found.low < float(exact.repeats) < found.high
    assert found.high / found.low < 1.6
    # N/p + 3, and far from the ends of the axis
    assert float(exact.repeats) == pytest.approx(400 / 20 + 3, abs=0.5)
    assert found.low > 12
    assert found.high < 40


def test_height_of_the_peak():
    at = REPEATS.index(24)
    mean, error = _mean(_curve()["excess_risk"][:, 0, at])
    exact = float(two_group_excess(400, 0.3, 24, 20))
    assert abs(mean - exact) < 4 * error + 1.5 * exact / 115
    # what the same rows cost unrepeated, p/(N - p), is three times less
    fresh, _ = _mean(_curve()["excess_risk"][:, 0, 0])
    assert mean > 2.8 * fresh


def test_height_tends_to_the_data_rich_form():
    """At N/p = 20, 80 the excess at r = N/p closes in on (1/sqrt(1-f) - 1)/2 like p/N."""
    limit, f = float(data_rich_excess(0.4, 1.0)), 0.4
    gaps = []
    for ratio in (20, 80):
        made = _simulate(
            60, p=20, budget=20 * ratio, repeats=ratio, repeated_fraction=f, ridge=(0.0, 2.0)
        )
        mean, error = _mean(made["test_error"][:, 0])
        gaps.append(float(mean) - (1 + limit))
        first = (1 + limit) * (1 / ratio) / np.sqrt(1 - f)
        assert gaps[-1] == pytest.approx(first, abs=0.35 * first + 4 * float(error))
    assert gaps[1] < 0.4 * gaps[0]


def test_independent_labels_remove_the_peak():
    at = REPEATS.index(24)
    shared, fresh = _curve()["excess_risk"][:, 0, at], _curve(shared=False)["excess_risk"][:, 0, at]
    assert fresh.mean() < 0.45 * shared.mean()
    once = _curve(shared=False)["excess_risk"][:, 0, 0].mean()
    assert fresh.mean() < 1.35 * once


def test_deduplication_removes_it_and_ridge_hardly_does():
    at = 24
    grid = np.concatenate([[0.0], np.geomspace(1, 1000, 9)]).reshape(5, 2)
    runs = [_simulate(60, repeats=at, ridge=pair, **WORST)["excess_risk"] for pair in grid]
    raw = np.concatenate([run.mean(axis=0) for run in runs])
    clean = _curve(dedup=True)["excess_risk"][:, 0, REPEATS.index(at)].mean()
    assert raw.min() > 0.85 * raw[0]  # tuned ridge
    assert clean < 0.5 * raw[0]
    assert clean < 0.6 * raw.min()


def test_naive_cross_validation_moves_the_wrong_way():
    once, worst = REPEATS.index(1), REPEATS.index(24)
    test, naive, distinct = (_curve()[k][:, 0] for k in ("test_error", "gcv_naive", "gcv_distinct"))
    assert test[:, worst].mean() > 1.08 * test[:, once].mean()
    assert naive[:, worst].mean() < 0.9 * naive[:, once].mean()
    assert distinct[:, worst].mean() == pytest.approx(test[:, worst].mean(), rel=0.02)


def test_interpolation_peak_in_the_repeat_count():
    """With fewer fresh rows than parameters, the distinct rows fall to p at r = 5."""
    repeats = [1, 2, 4, 5, 8, 10, 20]
    excess = [
        _simulate(40, seed=r, p=60, budget=100, repeats=r, repeated_fraction=0.5, ridge=(1.0,))[
            "excess_risk"
        ].mean()
        for r in repeats
    ]
    assert repeats[int(np.argmax(excess))] == 5
    assert float(worst_repeats(100.0, 0.5, 60.0).repeats) == pytest.approx(5.0)


# --- theory against simulation, and the order of its error -------------------------------------


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("dedup", [True, False])
def test_predictions_hold_within_their_slack(shared, dedup):
    curve = _curve(shared, dedup)
    for m, ridge in enumerate((0.0, 2.0)):
        found = predict(
            PHENOMENON,
            {
                **WORST,
                "repeats": REPEATS,
                "ridge": ridge,
                "noise": 1.0,
                "shared_noise": shared,
                "deduplicated": dedup,
            },
        )
        for name, made in found.items():
            mean, error = _mean(curve[made.prediction.measure][:, m])
            use = made.estimate.valid
            if name == "closed_form_excess":
                assert use.any() == (ridge == 0)
            else:
                assert use.all(), name
            gap = np.abs(mean - made.estimate.value)[use]
            assert np.all(gap <= (made.estimate.slack + 4.5 * error)[use]), name


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, 0))
def _held_out(shape, ridge):
    params = build(Params, {**shape, "ridge": ridge, "noise": 1.0})
    made = forecast(params, None)
    return made.gcv_distinct, bounds(params, made)["gcv_distinct"].slack


def test_finite_size_error_falls_like_one_over_the_size():
    """Leaving rows out has a deviation that 200 runs resolve: times the size it stays put."""
    scaled = []
    for p in (8, 32):
        ridges = (0.0, 0.2 * p)
        shape = {"p": p, "budget": 6 * p, "repeats": 3, "repeated_fraction": 0.5}
        made = _simulate(200, ridge=ridges, **shape)
        value, slack = _held_out({k: float(v) for k, v in shape.items()}, jnp.array(ridges))
        mean, error = _mean(made["gcv_distinct"])
        gap = mean - value
        assert np.all(np.abs(gap) <= slack + 4.5 * error)
        scaled.append((gap * p, error * p))
    for gap, error in scaled[1:]:
        assert np.all(np.abs(gap - scaled[0][0]) <= 0.3 * np.abs(scaled[0][0]) + 4 * error)
    assert np.all(scaled[0][0] > 6 * scaled[0][1])  # and it is there


def test_decoys_are_rejected_at_the_peak():
    points = {**WORST, "repeats": REPEATS, "ridge": 0.0, "noise": 1.0}
    at = REPEATS.index(24)
    for made in predict(PHENOMENON, points).values():
        mean, error = _mean(_curve()[made.prediction.measure][:, 0, at])
        for name, wrong in made.decoys.items():
            assert abs(mean - wrong[at]) > made.estimate.slack[at] + 5 * error, name


@pytest.mark.parametrize(
    ("name", "slices", "peaks"), [("repeated_data", 36, 9), ("repeated_data_budget", 8, 7)]
)
def test_the_located_curve_is_predicted_in_every_slice_of_the_declared_sweeps(name, slices, peaks):
    """With a ridge or labels given afresh too; a peak only where copies share their label."""
    declared = tomllib.loads(find(EXPERIMENT, name).read_text())
    axes = dict(declared["axes"])
    repeats = axes.pop("repeats")
    at = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    rows = [{**declared["fixed"], **one, "repeats": r} for one in at for r in repeats]
    points = {key: [row[key] for row in rows] for key in rows[0]}
    made = predict(PHENOMENON, points)
    (located,) = PHENOMENON.breaks
    first = next(m for m in made.values() if m.prediction.measure == located.measure)
    assert np.all(first.estimate.valid)
    curves = first.estimate.value.reshape(len(at), len(repeats))
    found = [located.locator.locate(np.array(repeats, float), c).status for c in curves]
    assert len(found) == slices
    assert found.count(Status.OK) == peaks
    for one, status in zip(at, found, strict=True):
        alone = not one.get("shared_noise", True) or one.get("deduplicated", False)
        least = one.get("budget") == 240 and one["ridge"] == 0
        assert (status == Status.NO_BREAK) == (alone or least), one
    same = made["test_error"].estimate.value - declared["fixed"]["noise"]
    np.testing.assert_allclose(first.estimate.value, same, rtol=1e-12)
