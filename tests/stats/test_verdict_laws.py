"""What may not change a verdict: units, signs, the order of cells, places and runs, what is out."""

import dataclasses

import numpy as np
import pytest
import scipy.stats

from ci_theory.check.calibration import Setting
from ci_theory.check.located import Slice, locate_slice
from ci_theory.check.statistic import pooled
from ci_theory.check.verdict import judge
from ci_theory.locate import Crossing, Peak, Valley
from ci_theory.locate.student import corrected
from ci_theory.phenomena import Break, Estimate

SETTINGS = {
    "plain": Setting(cells=7, replicates=12),
    "slack": Setting(cells=7, replicates=12, slack=0.05, offset=0.08),
    "skewed": Setting(cells=7, replicates=9, tail=0.7, inner=True),
    "off": Setting(cells=7, replicates=30, offset=0.05),
}


def drawn(name, seed=0):
    """A sweep with three decoys: far off, near, and silent in places."""
    made = SETTINGS[name].draw(np.random.default_rng(seed))
    value = made.estimate.value
    gaps = np.where(np.arange(7) % 3 == 0, np.nan, 1.2 * value)
    decoys = {"far": 0.5 * value, "near": 1.004 * value, "silent": gaps}
    lost = made.lost.copy()
    lost[5] = 1
    return dataclasses.replace(made, decoys=decoys, lost=lost)


def numbers(evidence):
    return (
        evidence.z, evidence.adjusted, *evidence.pooled[:5], evidence.pooled.skew,
        evidence.rejected, evidence.vacuous, evidence.pooled.skewed,
    )  # fmt: skip


def same(one, other, *, worst=lambda i: i, sign=1):
    assert (one.verdict, one.reason, one.skewed) == (other.verdict, other.reason, other.skewed)
    assert one.detectable == pytest.approx(other.detectable, rel=1e-6, nan_ok=True)
    for a, b in [(one.own, other.own), *((one.decoys[k], other.decoys[k]) for k in one.decoys)]:
        assert worst(a.worst) == b.worst
        z, *rest = numbers(b)
        assert numbers(a) == pytest.approx((sign * z, *rest), rel=1e-6, abs=1e-9, nan_ok=True)


def changed(made, values, estimate, decoys=None, **more):
    decoys = made.decoys if decoys is None else decoys
    return dataclasses.replace(made, values=values, estimate=estimate, decoys=decoys, **more)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("unit", [1e-7, 3.0, 1e9])
def test_units_change_nothing(name, unit):
    made = drawn(name)
    e = made.estimate
    scaled = e._replace(value=unit * e.value, slack=unit * e.slack)
    decoys = {k: unit * v for k, v in made.decoys.items()}
    other = changed(made, unit * made.values, scaled, decoys)
    same(judge(made, level=0.01), judge(other, level=0.01))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_sign_of_a_measure_turns_deviations_and_no_verdict(name):
    made = drawn(name)
    e = made.estimate
    other = changed(
        made, -made.values, e._replace(value=-e.value), {k: -v for k, v in made.decoys.items()}
    )
    one, two = judge(made, level=0.01), judge(other, level=0.01)
    assert (one.verdict, one.skewed) == (two.verdict, two.skewed)
    for a, b in [(one.own, two.own), *((one.decoys[k], two.decoys[k]) for k in one.decoys)]:
        assert a.z == pytest.approx(-b.z, rel=1e-9)
        assert a.pooled[:2] == pytest.approx(b.pooled[:2], rel=1e-9)
        assert a.rejected is b.rejected


@pytest.mark.parametrize("name", SETTINGS)
def test_the_order_of_cells_and_of_runs_changes_nothing(name):
    made = drawn(name)
    order = np.array([3, 0, 6, 2, 5, 1, 4])
    place = np.argsort(order)  # where each cell has gone
    near = made.near[order]
    moved = dataclasses.replace(
        made,
        values=made.values[order][:, ::-1],
        lost=made.lost[order],
        axes={"cell": made.axes["cell"][order]},
        estimate=Estimate(*(part[order] for part in made.estimate)),
        decoys={k: v[order] for k, v in made.decoys.items()},
        near=np.where(near >= 0, place[near], -1),
    )
    same(judge(made, level=0.01), judge(moved, level=0.01), worst=lambda i: place[i])


@pytest.mark.parametrize("name", SETTINGS)
def test_cells_that_are_not_judged_change_nothing(name):
    """Out of scope, with a lost run, or with two runs: whatever is in them."""
    made = drawn(name)
    wild = np.full((3, made.values.shape[1]), 1e6)
    wild[2, 2:] = np.nan
    e, three = made.estimate, np.ones(3)
    more = Estimate(
        np.append(e.value, three), np.append(e.slack, 9 * three),
        np.append(e.valid, [False, True, True]), np.append(e.status, [0, 0, 0]),
    )  # fmt: skip
    other = dataclasses.replace(
        made,
        values=np.concatenate([made.values, wild]),
        lost=np.append(made.lost, [0, 2, 0]),
        axes={"cell": np.arange(10)},
        estimate=more,
        decoys={k: np.append(v, 7 * three) for k, v in made.decoys.items()},
        near=np.concatenate([made.near, np.full((3, made.near.shape[1]), -1)]),
    )
    same(judge(made, level=0.01), judge(other, level=0.01))


@pytest.mark.parametrize("name", SETTINGS)
def test_more_slack_never_rejects_more(name):
    made = drawn(name, seed=1)
    scores, found = [], []
    for slack in (0.0, 0.02, 0.05, 0.2):
        wider = made.estimate._replace(slack=made.estimate.slack + slack * made.estimate.value)
        outcome = judge(dataclasses.replace(made, estimate=wider), level=0.01)
        every = [outcome.own, *outcome.decoys.values()]
        scores.append([abs(one.pooled.score) for one in every])
        found.append(outcome.detectable)
    assert np.all(np.diff(np.array(scores), axis=0) <= 1e-12)
    assert np.diff(found) == pytest.approx([0.02, 0.03, 0.15], rel=1e-6)


def cells_by_hand(c, hypothesis):
    """Tail probability of every judged cell by itself, a cell at a time; and its sign."""
    value = c.estimate.value
    judged = [i for i in range(7) if c.estimate.valid[i] and not c.lost[i]]
    runs = {i: c.values[i][np.isfinite(c.values[i])] for i in judged}
    skew = {i: scipy.stats.skew(y, bias=False) for i, y in runs.items()}
    every = np.abs([value, *c.decoys.values()])
    largest = {i: np.nanmax(every[:, i]) for i in judged}
    typical = np.median(list(largest.values()))
    found = {}
    for i in judged:
        y, r = runs[i], len(runs[i])
        beside = [j for j in c.near[i] if j in judged]
        relative = [np.std(runs[j], ddof=1) / abs(value[j]) for j in (i, *beside)]
        spread = max(np.std(y, ddof=1), np.median(relative) * abs(value[i]))
        tail = max(abs(skew[j]) for j in ((i, *beside) if beside else judged))
        gap = y.mean() - hypothesis[i]
        room = c.estimate.slack[i] + 1e-9 * max(largest[i], typical)
        left = np.sign(gap) * max(abs(gap) - room, 0.0) if np.isfinite(gap) else 0.0
        score = corrected(np.array(left / (spread / r**0.5)), np.array(skew[i]), np.array(r))
        alone = np.isfinite(gap) and r >= 5 * tail**2
        p = 2 * scipy.stats.t.sf(abs(score), r - 1) if alone else 1.0
        found[i] = (p, float(np.sign(score)))
    return found


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", SETTINGS)
def test_cells_are_judged_one_by_one_as_by_hand(name, seed):
    made = drawn(name, seed)
    made.values[2, :4] = np.nan
    made = dataclasses.replace(made)  # its moments are taken anew
    outcome = judge(made, level=0.01, effect=9.0)
    hypotheses = {"": made.estimate.value, **made.decoys}
    for decoy, evidence in {"": outcome.own, **outcome.decoys}.items():
        found = cells_by_hand(made, hypotheses[decoy])
        least = min(p for p, _ in found.values())
        p, sign = found[evidence.worst]
        assert p == pytest.approx(least, rel=1e-9)
        assert evidence.adjusted == pytest.approx(min(1.0, len(found) * p), rel=1e-9)
        assert evidence.z == pytest.approx(
            sign * scipy.stats.norm.isf(max(p / 2, 1e-300)), rel=1e-6
        )
        cell = evidence.adjusted < 0.2 * 0.01
        assert evidence.rejected == (cell or evidence.pooled.probability < 0.8 * 0.01)
        assert evidence.vacuous is False
    worst = outcome.worst_cell
    i = outcome.own.worst
    assert worst["mean"] == pytest.approx(np.nanmean(made.values[i]))
    assert worst["error"] == pytest.approx(scipy.stats.sem(made.values[i], nan_policy="omit"))
    assert (worst["predicted"], worst["cell"]) == (made.estimate.value[i], i)


@pytest.mark.parametrize("name", SETTINGS)
def test_decoys_are_pooled_along_their_difference_from_the_prediction(name):
    made = drawn(name)
    judged = np.flatnonzero(made.judged)
    value = made.estimate.value[judged]
    outcome = judge(made, level=0.01)
    for decoy, one in made.decoys.items():
        told = judged[np.isfinite(one[judged])]
        v, d = made.estimate.value[told], one[told]
        sizes = [made.estimate.value, *made.decoys.values()]
        largest = np.nanmax(np.abs(sizes), axis=0)
        room = made.estimate.slack + 1e-9 * np.maximum(largest, np.median(largest[judged]))
        wanted = pooled(made.values[told], d, room[told], v - d, np.abs(v))
        assert outcome.decoys[decoy].pooled == pytest.approx(wanted, rel=1e-9)
    own = pooled(made.values[judged], value, room[judged], value, np.abs(value))
    assert outcome.own.pooled == pytest.approx(own, rel=1e-9)


# --- breaks ---------------------------------------------------------------------------------------

X = np.linspace(1.0, 7.0, 13)
LOCATORS = {
    "peak": (Peak(log_axis=False), 1.0),
    "valley": (Valley(log_axis=False), -1.0),
    "crossing": (Crossing(level=0.5, log_axis=False), 1.0),
}


def slice_of(name, *, predicted=3.42, x=X, unit=1.0, order=None, runs=slice(None)):
    """Runs of a bump at 3.4, and a prediction of one elsewhere, in other units and orders."""
    locator, sign = LOCATORS[name]
    if name == "crossing":
        locator = dataclasses.replace(locator, level=unit * locator.level)
    z = np.random.default_rng(1).standard_normal((15, 13))
    y = sign * np.exp(-0.4 * (X - 3.4) ** 2) + 0.03 * z
    curve = sign * np.exp(-0.4 * (X - predicted) ** 2)
    order = np.arange(13) if order is None else order
    slack = np.full(13, 0.02 * unit)
    estimate = Estimate(unit * curve[order], slack, np.ones(13, bool), np.zeros(13, int))
    kind = Break(name="b", axis="x", measure="m", locator=locator)
    values = unit * y[runs][:, order]
    return locate_slice(Slice(kind, {}, x[order], values, estimate, "form", np.nan), 1e-3)


def places(found):
    m, j, e = found.measured, found.judged, found.expected
    return np.array([m.value, m.low, m.high, j.low, j.high, e.point.value, e.low, e.high])


@pytest.mark.parametrize("predicted", [3.42, 5.0])
@pytest.mark.parametrize("name", LOCATORS)
def test_units_and_orders_change_no_break(name, predicted):
    base = slice_of(name, predicted=predicted)
    assert base.agrees is (predicted == 3.42)
    shuffled = np.random.default_rng(2).permutation(13)
    for other, to in (
        (slice_of(name, predicted=predicted, unit=1e5), lambda p: p),
        (slice_of(name, predicted=predicted, runs=slice(None, None, -1)), lambda p: p),
        (slice_of(name, predicted=predicted, order=shuffled), lambda p: p),
        (slice_of(name, predicted=predicted, x=100 * X + 7), lambda p: 100 * p + 7),
    ):
        assert (other.said, other.due, other.sure) == (base.said, base.due, base.sure)
        np.testing.assert_allclose(places(other), to(places(base)), rtol=1e-6)
