"""A life of edits in simulation: the geometric series, the batch editor, replay, and the breaks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory._keys import key_for
from ci_theory._record import Kind, build
from ci_theory.inherit import editing
from ci_theory.phenomena import predict
from ci_theory.phenomena.lifelong_editing import PHENOMENON, Params, simulate

EDITS = np.array([1, 2, 4, 8, 16, 32, 64])
INNER = PHENOMENON.names(Kind.INNER)
BASE = {"p": 40, "n": 3, "ridge": 10.0}
CAPACITY = 4


@functools.cache
def _program(p, editor):
    @jax.jit
    def run(keys, numbers):
        params = build(Params, {**numbers, "p": p, "editor": editor})
        return jax.vmap(lambda key: simulate(key, params, {"n": CAPACITY}))(keys)

    return run


def _simulate(edits=EDITS, **point):
    full = {**PHENOMENON.point({}), **BASE, **point, "edits": edits}
    numbers = {
        k: jnp.broadcast_to(jnp.asarray(v), len(edits)) if k in INNER else jnp.asarray(v)
        for k, v in full.items()
        if k not in ("p", "editor")
    }
    keys = jnp.stack([key_for(5, 0, 0, r) for r in range(40)])
    made = _program(full["p"], full["editor"])(keys, numbers)
    return {k: np.asarray(getattr(made, k)) for k in PHENOMENON.measure_info}


def _predict(edits=EDITS, **point):
    return predict(PHENOMENON, {**BASE, **point, "edits": [int(k) for k in edits]})


def _mean(values):
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


SCENES = [
    {},
    {"ridge": 0.0, "replay": 0.0, "n": 1},
    {"ridge": 0.0, "replay": 0.4, "n": 4, "noise": 1.0},
    {"ridge": 60.0, "replay": 0.6, "distance": 2.0, "noise": 0.0},
    {"ridge": 3.0, "distance": 0.0, "noise": 1.0},
    {"editor": "batch", "replay": 0.3},
    {"editor": "batch", "ridge": 1.0, "noise": 0.5},
    {"editor": "batch", "ridge": 0.0, "replay": 0.4, "n": 4, "noise": 1.0},
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
    assert told >= 24


def test_decoys_are_rejected():
    """Each where its mistake shows: with and without a ridge, one after another and all kept."""
    told: dict[tuple[str, str], float] = {}
    for change in (SCENES[0], SCENES[2], SCENES[5]):
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


def test_half_of_the_base_is_gone_when_the_closed_form_says():
    half, catastrophe, _ = PHENOMENON.breaks
    for change in ({}, {"replay": 0.4}, {"editor": "batch"}, {"replay": 0.6}):
        params = build(Params, PHENOMENON.point({**BASE, **change}))
        place = half.closed_form(params)
        middle = 20 if np.isnan(place) else round(place)
        grid = middle + np.arange(-6, 7, 2)
        found = half.locator.locate(grid.astype(float), _simulate(grid, **change)["base_share"])
        if change.get("replay") == 0.6:
            assert np.isnan(place)
            assert found.status == Status.NO_BREAK
        else:
            assert found.value == pytest.approx(place, rel=0.02)
        assert np.isnan(catastrophe.closed_form(params)) == ("editor" not in change)


def test_the_catastrophe_comes_when_as_many_rows_are_kept_as_there_are_parameters():
    catastrophe, edits = PHENOMENON.breaks[1], np.arange(2.0, 40.0, 2.0)
    point = {"editor": "batch", "p": 120, "n": 6, "ridge": 0.5}
    curve = predict(PHENOMENON, {**point, "edits": edits.astype(int)})["base_risk"].estimate.value
    found = catastrophe.locator.locate(edits, curve)
    place = catastrophe.closed_form(build(Params, PHENOMENON.point(point)))
    assert place == 20
    assert found.value == pytest.approx(place, rel=0.05)


def test_keeping_all_edits_has_a_catastrophe_and_a_sequence_has_none():
    grid = np.array([8, 10, 12, 13, 14, 16, 20])
    sought = PHENOMENON.breaks[1]
    one = {"ridge": 0.2, "noise": 1.0, "replay": 0.0}
    batch = _simulate(grid, editor="batch", **one)["base_risk"]
    found = sought.locator.locate(grid.astype(float), batch)
    assert found.status == Status.OK
    assert found.value == pytest.approx(40 / 3, rel=0.04)
    each = _simulate(grid, **one)["base_risk"].mean(axis=0)
    assert np.all(np.diff(each) > 0)
    assert batch.mean(axis=0).max() > 3 * each.max()


def test_an_anchor_keeps_the_base_for_ever():
    ridges = np.array([10.0, 16.0, 25.0, 40.0])
    point = {"distance": 0.0, "noise": 1.0, "replay": 0.0}
    late = np.arange(120, 127)
    made = [_simulate(late, ridge=r, **point)["base_risk"][:, -1:] for r in ridges]
    sought = PHENOMENON.breaks[2]
    found = sought.locator.locate(ridges, np.concatenate(made, axis=1))
    place = sought.closed_form(build(Params, PHENOMENON.point({**BASE, **point})))
    assert found.value == pytest.approx(place, rel=0.08)
    away = PHENOMENON.point({**BASE, **point, "distance": 0.1})
    assert np.isnan(sought.closed_form(build(Params, away)))


# --- the slack where lives are too noisy to tell: means by eigenvalues ---------------------------


def _lives_by_eigenvalues(point, runs):
    """Measures of lives whose edits have the same singular values, (4, runs).

    Given the singular values the rows' vectors are uniform on a sphere: squares of coordinates
    have the moments of a Dirichlet law, and nothing else is random in a mean.
    """
    p, n, edits, r = (point[k] for k in ("p", "n", "edits", "ridge"))
    n, edits = (n * edits, 1) if point["editor"] == "batch" else (n, edits)
    few, many = sorted((p, n))
    rng = np.random.default_rng(7)
    low = np.tril(rng.normal(size=(runs, few, few)), -1)
    k = np.arange(few)
    low[:, k, k] = np.sqrt(rng.chisquare(many - k, size=(runs, few)))  # Bartlett
    s = np.linalg.eigvalsh(low @ low.transpose(0, 2, 1))
    s = np.concatenate([s, np.zeros((runs, n - few))], axis=1)
    missed, seen = r / (s + r), s / (s + r)

    def mean(*fs):
        """Mean over a row of the product of sum_k u_k^2 f_k, u uniform on the sphere."""
        ones = [f.sum(axis=1) for f in fs]
        if len(fs) == 1:
            return ones[0] / n
        if len(fs) == 2:
            return (ones[0] * ones[1] + 2 * (fs[0] * fs[1]).sum(axis=1)) / (n * (n + 2))
        total = np.prod(ones, axis=0) + 8 * np.prod(fs, axis=0).sum(axis=1)
        for i, one in enumerate(ones):
            total += 2 * one * np.prod(fs[:i] + fs[i + 1 :], axis=0).sum(axis=1)
        return total / (n * (n + 2) * (n + 4))

    h = 1 - seen.sum(axis=1) / p
    a = 1 - (2 * seen - seen**2).sum(axis=1) / p
    gain = seen / (s + r)
    left, own = mean(missed**2 * s) / p, mean(missed, missed, s) / p
    replayed = n * mean(gain, s) / p
    h, a, b, replayed, left, own, crossed, beside, labels = (
        v.mean(keepdims=True) if edits > 1 else v  # edits are independent: series of the means
        for v in (h, a, gain.sum(axis=1), replayed, left, own, mean(missed, missed * s) / p,
                  mean(missed**2, s) / p - own, mean(missed**2))
    )  # fmt: skip
    f, far = point["replay"], point["distance"]
    fresh, flips = 1 - f, f * (1 - f) * far
    series = [sum(a**i for i in range(k)) for k in (edits, edits - 1)]
    noise, before = ((point["noise"] * b + flips * replayed) * k for k in series)
    held = point["base_error"] * a**edits + noise
    miss = (point["base_error"] + far * fresh**2) * left * a ** (edits - 1) + left * before
    miss = miss + far * (2 * f * fresh * crossed * h ** (edits - 1) + f**2 * own)
    mean_square = 1 - 2 * h**edits + a**edits
    there = f**2 + 2 * f * fresh * h**edits + fresh**2 * a**edits
    return {
        "base_risk": far * fresh**2 * mean_square + held,
        "edit_risk": far * there + held,
        "edit_miss": miss + point["noise"] * labels + flips * beside,
        "base_share": f + fresh * h**edits,
    }


def _point(p, editor, n, edits, ridge, replay, noise, distance, base_error):
    return dict(locals())


AUDITED = [  # measure, point: the largest deviations of an audit, in slacks and in error bars
    ("edit_miss", _point(20, "batch", 25, 45, 2.0262, 0.0, 0.4967, 0.0, 0.0204)),
    ("edit_miss", _point(20, "batch", 16, 23, 0.2878, 0.0, 0.0429, 9.4684, 0.2191)),
    ("edit_miss", _point(40, "batch", 41, 14, 19.1494, 1.0, 5.9674, 0.0518, 0.0246)),
    ("edit_miss", _point(20, "batch", 13, 22, 3.8603, 1.0, 6.3364, 4.5713, 0.4298)),
    ("base_share", _point(40, "batch", 3, 2, 210.0369, 0.1487, 0.5834, 0.0, 0.0184)),
    ("base_share", _point(40, "batch", 3, 5, 210.0369, 0.0, 0.0383, 0.0269, 0.4392)),
    ("base_risk", _point(20, "batch", 37, 22, 2.8541, 0.6979, 0.2968, 0.5417, 0.1954)),
    ("edit_risk", _point(40, "batch", 41, 27, 19.1494, 0.2396, 0.1662, 3.179, 0.0152)),
]


@pytest.mark.parametrize(("measure", "point"), AUDITED)
def test_slack_bounds_the_deviation_where_an_audit_could_not_tell(measure, point):
    runs = min(2_000_000 // (point["n"] * point["edits"]), 60_000)
    found = _lives_by_eigenvalues(point, runs)[measure]
    estimate = predict(PHENOMENON, point)[measure].estimate
    slack, gap = estimate.slack[0], abs(found.mean() - estimate.value[0])
    error = found.std() / np.sqrt(len(found))
    assert estimate.valid[0]
    assert error < slack / 10
    assert gap + 2 * error < slack


def test_means_by_eigenvalues_are_those_of_lives():
    for change in ({"replay": 0.3}, {"editor": "batch", "replay": 0.4, "ridge": 2.0}):
        made = _simulate(**change)
        for i, edits in enumerate(EDITS[:5]):
            point = PHENOMENON.point({**BASE, **change, "edits": int(edits)})
            for name, values in _lives_by_eigenvalues(point, 4000).items():
                mean, error = _mean(made[name])
                assert abs(mean[i] - values.mean()) < 4.5 * error[i] + 2e-3 * values.mean()


# --- the life itself, against drawn labels and explicit solves ---------------------------------


edit = jax.jit(editing.edit, static_argnames="editor")


@pytest.mark.parametrize("editor", editing.EDITORS)
@pytest.mark.parametrize("ridge", [0.0, 1.5])
def test_a_life_is_that_of_drawn_labels(editor, ridge):
    """Five edits of two rows in five dimensions; batch passes interpolation within an edit."""
    rng = np.random.default_rng(0)
    p, n, draws = 5, 2, 30_000
    replay, noise, distance, base_error = 0.3, 0.6, 1.7, 0.4
    life, rows, labels = editing.unedited(p), [], []
    base, delta, off = rng.normal(size=p), rng.normal(size=(draws, p)), rng.normal(size=(draws, p))
    delta *= np.sqrt(distance) / np.linalg.norm(delta, axis=1)[:, None]
    off *= np.sqrt(base_error) / np.linalg.norm(off, axis=1)[:, None]
    start = w = base + off
    for _ in range(5):
        x, old = rng.normal(size=(n, p)), rng.random((draws, n)) < replay
        life, shares = edit(life, jnp.array(x), jnp.ones(n), ridge, editor=editor)
        y = base @ x.T + np.where(old, 0.0, delta @ x.T) + noise**0.5 * rng.normal(size=(draws, n))
        rows, labels = [*rows, x], [*labels, y]
        if editor == "sequential":
            w = w + (y - w @ x.T) @ np.linalg.pinv(x @ x.T + ridge * np.eye(n)) @ x
        else:
            every = np.concatenate(rows)
            inverse = np.linalg.pinv(every.T @ every + ridge * np.eye(p), hermitian=True)
            w = start + (np.concatenate(labels, axis=1) - start @ every.T) @ every @ inverse
    made = editing.errors(shares, replay, noise, distance, base_error)
    facts = np.where(old, np.nan, (y - w @ x.T) ** 2)
    drawn = {
        "base_risk": ((w - base) ** 2).sum(axis=1),
        "edit_risk": ((w - base - delta) ** 2).sum(axis=1),
        "base_share": 1 - ((w - base) * delta).sum(axis=1) / distance,
    }
    for name, values in drawn.items():
        error = values.std() / np.sqrt(draws)
        assert abs(values.mean() - float(getattr(made, name))) < 4.5 * error, name
    error = np.sqrt(np.sum(np.nanvar(facts, axis=0) / (~old).sum(axis=0))) / n
    assert abs(np.nanmean(facts, axis=0).mean() - float(made.edit_miss)) < 4.5 * error + 1e-12


def test_one_edit_of_either_editor_is_the_same_and_absent_rows_do_nothing():
    rng = np.random.default_rng(1)
    x, none = jnp.array(rng.normal(size=(3, 6))), editing.unedited(6)
    for ridge in (0.0, 2.0):
        there = jnp.array([1.0, 0.0, 1.0])
        found = [edit(none, x, there, ridge, editor=e) for e in editing.EDITORS]
        found.append(edit(none, x[jnp.array([0, 2])], jnp.ones(2), ridge, editor="batch"))
        for other in found[1:]:
            for a, b in zip(jax.tree.leaves(found[0]), jax.tree.leaves(other), strict=True):
                assert np.allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("point", "word"),
    [
        ({"editor": "rome"}, "editor"),
        ({"replay": 1.2}, "replay = 1.2: must be <= 1"),
        ({"edits": 0}, "edits = 0: must be >= 1"),
        ({"n": 2.5}, "n = 2.5: must be a whole number"),
        ({"distance": -1.0}, "distance = -1.0: must be >= 0"),
    ],
)
def test_bad_values_are_refused_in_a_line(point, word):
    with pytest.raises(BadInput, match=word) as told:
        PHENOMENON.point(point)
    assert "\n" not in str(told.value)


def test_edits_kept_at_once_are_one_edit_of_all_their_rows_to_the_decoys_too():
    at = {"p": 100, "ridge": 4.0, "replay": 0.3}
    kept = predict(PHENOMENON, {**at, "editor": "batch", "n": 5, "edits": 6})
    once = predict(PHENOMENON, {**at, "editor": "sequential", "n": 30, "edits": 1})
    for name in ("base_risk", "edit_risk"):
        np.testing.assert_allclose(kept[name].estimate.value, once[name].estimate.value, rtol=1e-9)
        for decoy in ("replay at peace", "only the mean", "replay ignored"):
            wrong = kept[name].decoys[decoy]
            np.testing.assert_allclose(wrong, once[name].decoys[decoy], rtol=1e-9)
            assert wrong != pytest.approx(kept[name].estimate.value, rel=1e-3)
