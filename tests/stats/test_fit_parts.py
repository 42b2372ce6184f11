"""The parts of a fit one by one: what is read, which forms are tried, and what is warned of."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize, stats

from ci_theory import BadInput, Status
from ci_theory.locate import breaks, ladder, profile
from ci_theory.locate.broken import Form, Plateau
from ci_theory.locate.chain import Alike, Chain
from ci_theory.locate.ladder import Rung, Rungs
from ci_theory.locate.least_squares import Minimum
from ci_theory.locate.observed import observed, pooled
from ci_theory.locate.profile import Interval, Resampled
from ci_theory.locate.scan import scan
from ci_theory.locate.search import Search

RNG = np.random.default_rng(5)


# --- what is read -----------------------------------------------------------------------------


def test_a_curve_is_read_run_by_run_and_pooled_place_by_place():
    x = np.array([4.0, 1.0, 2.0, np.nan, 1.0, 0.0, 4.0, 2.0, 1.0, 8.0])
    y = np.array([9.0, 2.0, 3.0, 5.0, 6.0, 1.0, 1.0, 5.0, 7.0, -1.0])
    data = observed(x, y)
    # the first row of a place is of the first run, the second of the second, ...
    rows = [(1, 2), (2, 3), (4, 9), (1, 6), (2, 5), (4, 1), (1, 7)]
    np.testing.assert_allclose(np.exp(data.rows.u), [one for one, _ in rows])
    np.testing.assert_allclose(np.exp(data.rows.y), [one for _, one in rows])
    assert data.rows.first.tolist() == [True, False, False, True, False, False, True]
    assert data.rows.cell.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert data.rows.weight.tolist() == [1.0] * 7
    np.testing.assert_allclose(np.exp(data.u), [1, 2, 4])
    np.testing.assert_allclose(np.exp(data.y), [84 ** (1 / 3), 15**0.5, 3.0])
    assert data.weight.tolist() == [3, 2, 2]
    assert data.places == 3
    assert data.left_out == data.warnings
    assert data.warnings == (
        "1 of 10 points left out: not a finite number",
        "1 of 10 points left out: with x <= 0, which has no logarithm",
        "1 of 10 points left out: with y <= 0, which has no logarithm",
    )
    told = r"2 usable places, expected at least 3 \(1 of 3 points left out: not a finite number\)"
    with pytest.raises(BadInput, match=told):
        observed(np.array([1.0, 2.0, np.inf]), np.ones(3))
    with pytest.raises(BadInput, match=r"^curve: 2 usable places, expected at least 3$"):
        observed(np.array([1.0, 2.0, 2.0]), np.ones(3))


def test_runs_that_are_named_keep_their_rows_and_weights_are_one_on_average():
    x, y = np.array([1.0, 2.0, 4.0, 1.0, 2.0, 4.0]), np.arange(1.0, 7.0)
    run, weights = np.array([9, 3, 9, 3, 9, 3]), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 9.0])
    data = observed(x, y, weights=weights, run=run)
    np.testing.assert_allclose(np.exp(data.rows.y), [4, 2, 6, 1, 5, 3])
    np.testing.assert_allclose(data.rows.weight, np.array([4, 2, 9, 1, 5, 3]) / 4)
    assert data.rows.first.tolist() == [True, False, False] * 2
    np.testing.assert_allclose(data.weight, np.array([5, 7, 12]) / 4)
    mean = (weights[[0, 1, 2]] * np.log([1, 2, 3]) + weights[3:] * np.log([4, 5, 6])) / [5, 7, 12]
    np.testing.assert_allclose(data.y, mean)
    by_sd = observed(x, y, sd=np.array([1.0, 1.0, 2.0, 1.0, 2.0, 1.0]), run=run)
    # relative to the mean of the place, 2, sqrt 10 and sqrt 18
    wanted = np.array([4, 10, 18, 4, 10 / 4, 18 / 4])  # of rows 4, 2, 6, 1, 5, 3
    np.testing.assert_allclose(by_sd.rows.weight, wanted / wanted.mean())


def test_neighbours_are_pooled_only_beyond_the_bins_and_in_equal_steps():
    x = np.exp(np.array([0.0, 0.9, 1.1, 2.9, 3.1, 4.0]))
    data = observed(x, x**2)
    whole = pooled(data.rows, ("said",), 6)
    assert (whole.rows.cell.tolist(), whole.warnings) == (list(range(6)), ("said",))
    four = pooled(data.rows, ("said",), 4)
    assert four.rows.cell.tolist() == [0, 0, 1, 2, 3, 3]
    assert four.warnings == ("said", "6 points averaged into 4 bins of log x")
    assert four.left_out == ("said",)
    np.testing.assert_allclose(four.u, [0.45, 1.1, 2.9, 3.55])
    np.testing.assert_allclose(four.y, 2 * four.u)
    assert (four.places, four.weight.tolist()) == (6, [2, 1, 1, 2])
    five = pooled(data.rows, (), 5)  # edges 0.8 apart: the third bin is empty
    assert five.rows.cell.tolist() == [0, 1, 1, 2, 2, 3]
    assert five.warnings == ("6 points averaged into 4 bins of log x",)


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        ([1.0, 1e-12, 1.0, 1.0], None),
        ([1.0, 0.9e-12, 1.0, 1.0], "more than twelve orders of magnitude"),
        ([1.0, -1.0, 0.0, 1.0], r"weights of point 2 is -1 \(2 such\); expected > 0"),
        ([1.0, 1.0, np.inf, 1.0], r"weights of point 3 is inf \(1 such\)"),
    ],
)
def test_weights_are_positive_and_not_too_far_apart(weight, says):
    given = np.array([1.0, 2.0, 4.0, 8.0]), np.ones(4), np.array(weight)
    if says is None:
        weights = observed(*given).rows.weight
        assert weights.mean() == pytest.approx(1)
        for unit in (1e-200, 1e200):  # only their ratios count
            other = observed(*given[:2], unit * given[2]).rows.weight
            np.testing.assert_allclose(other, weights, rtol=1e-9)
        return
    with pytest.raises(BadInput, match=says):
        observed(*given)


# --- forms ------------------------------------------------------------------------------------


def test_forms_are_counted_named_and_nested():
    assert [Form(k, f).size for k in (0, 1, 3) for f in (False, True)] == [2, 3, 5, 6, 11, 12]
    named = ("log_b", "c0", "c1", "log_d1", "log_f1", "c2", "log_d2", "log_f2", "log_a")
    assert Form(2, True).names == named
    assert Form(2, False).names == named[:-1]
    assert [str(Form(k, k > 0)) for k in (0, 1, 2)] == [
        "no break",
        "1 break and a floor",
        "2 breaks and a floor",
    ]
    for form in (Form(0, True), Form(1, False), Form(3, True)):
        assert form.smaller.larger == form.larger.smaller == form
    assert [form.place(i) for form in (Form(3, True),) for i in range(3)] == [3, 6, 9]
    theta = np.arange(12.0)
    assert Form(3, True).places(theta).tolist() == [3, 6, 9]


def test_the_box_of_a_form_is_the_axis_and_what_can_be_seen_of_a_width():
    u, y = np.array([0.0, 1.0, 1.5, 2.0, 2.0, 6.0]), np.array([3.0, 2.0, 1.0, 0.0, 0.5, -1.0])
    low, high = Form(1, True).bounds(u, y)
    sharp = np.log(0.75 / 8)  # the median gap over eight
    np.testing.assert_allclose(low, [-np.inf, -np.inf, -np.inf, 0.0, sharp, -13.0])
    np.testing.assert_allclose(high, [np.inf, np.inf, np.inf, 6.0, np.log(3.0), 3.0])
    few = Form(1, False).bounds(np.array([0.0, 4.0, 4.4]), y)
    assert few[1][4] == np.log(2.2)
    low, high = Plateau().bounds(u, y)
    np.testing.assert_allclose(low, [-np.inf, -np.inf, -3.0])
    np.testing.assert_allclose(high, [np.inf, np.inf, 9.0])


def test_a_form_is_written_as_the_next_one():
    u = np.linspace(0, 6, 13)
    wide = np.full(12, -50.0), np.full(12, 50.0)
    power = np.array([0.3, 0.5])
    low, high = Form(0, True).bounds(u, np.array([-2.0, 0.0]))
    assert Form(0, False).nested(power, low, high).tolist() == [0.3, 0.5, -14.0]
    levels = np.array([0.3, 0.8, -1.5])
    made = Form(0, True).nested(levels, wide[0][:5], wide[1][:5])
    wanted = Form(0, True).value(levels, u)
    np.testing.assert_allclose(Form(1, False).value(made, u), wanted, atol=1e-9)
    theta = np.array([0.3, 0.4, 0.5, 2.0, -1.0, -2.0])  # after a break the floor is met at the end
    made = Form(1, True).nested(theta, wide[0][:8], wide[1][:8])
    far = np.array([-30.0, 30.0])
    wanted = Form(1, True).value(theta, far)
    np.testing.assert_allclose(Form(2, False).value(made, far), wanted, atol=1e-6)
    theta = np.array([0.3, 0.4, 0.5, 2.0, -1.0, 0.2, 3.0, -1.0, -2.5])
    made = Form(2, True).nested(theta, wide[0][:11], wide[1][:11])
    wanted = Form(2, True).value(theta, far)
    np.testing.assert_allclose(Form(3, False).value(made, far), wanted, atol=1e-6)
    flat = Form(0, True).nested(np.array([1.0, 0.0, 0.5]), wide[0][:5], wide[1][:5])
    np.testing.assert_allclose(flat, [1.0, 0.0, 0.0, 50.0, -np.log(1e-3)])
    steep = np.array([0.0, 0.5, 2.0, 4.0, -3.0, 3.0, 2.0, -3.0])  # the break at 2 comes first
    levelled = Form(2, False).levelled(steep, u)
    end = Form(2, False).value(steep, u[-1:])
    np.testing.assert_allclose(levelled, [0.0, 0.5, 3.0, 2.0, -3.0, end[0]])
    assert Plateau.of(np.array([1.0, 0.0, 0.5]))[2] == pytest.approx(5e8)


def forms(points, count="auto", least=0, repeats=1):
    x = np.repeat(np.geomspace(1, 100, points), repeats)
    return breaks._forms(Chain(observed(x, 1 / x)), count, least)


def test_a_form_needs_three_points_more_than_parameters_and_a_place_for_each():
    allowed, tried = forms(8)
    assert allowed == tried == [Form(0, False), Form(0, True), Form(1, False)]
    assert forms(9)[0][-1] == Form(1, True)
    assert forms(17)[0][-1] == Form(4, False)
    assert forms(18)[0][-1] == forms(99)[0][-1] == Form(4, True)
    assert forms(5, repeats=9)[0][-1] == Form(1, False)
    assert forms(8, 1) == (allowed, [Form(1, False)])
    assert forms(9, 0) == ([Form(0, False), Form(0, True)],) * 2
    assert forms(20, least=2)[1][0] == Form(2, False)
    with pytest.raises(BadInput, match="10 usable points: 2 breaks needs 11"):
        forms(10, 2)
    with pytest.raises(BadInput, match="4 distinct places: 1 break has 5 parameters"):
        forms(4, 1, repeats=9)


@pytest.mark.parametrize(
    ("k", "places", "widths"), [(1, 160, 20), (2, 28, 4), (3, 16, 3), (4, 12, 2)]
)
def test_the_grid_has_every_choice_of_places_inside_the_axis(k, places, widths):
    u = np.linspace(0.0, 6.0, 30)
    low, high = Form(k, False).bounds(u, u)
    made = scan(Form(k, False), u, np.ones(30), low, high)
    assert made.places.shape == (math.comb(places, k) * widths, k)
    assert len(np.unique(made.places)) == places
    assert len(np.unique(made.widths)) == widths
    assert 0.0 < made.places.min() < 6.0 / places < 6.0 - 6.0 / places < made.places.max() < 6.0
    assert np.all(np.diff(made.places, axis=1) > 0)
    assert low[4] <= made.widths.min() < made.widths.max() <= high[4]
    each = np.unique(np.c_[made.places, made.widths], axis=0)
    assert len(each) == len(made.places)


@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize("whitened", [False, True])
def test_starts_are_solved_for_what_is_linear(floor, whitened):
    u, form = np.linspace(0.0, 6.0, 25), Form(2, floor)
    theta = np.array([0.7, 0.2, 0.6, 2.0, -1.0, -0.3, 4.0, -1.5, *([-3.0] if floor else [])])
    root = np.linspace(0.5, 2.0, 25)
    search = Search(u, np.diag(root) if whitened else root)
    blind = np.where(np.isin(np.arange(form.size), [0, 1, 2, 5]), 9.0, theta)
    y = form.value(theta, u)
    np.testing.assert_allclose(search._solved(form, y, blind[None])[0], theta, atol=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_curve_of_the_grid_is_read_off_it(k):
    """Every bend is its own break's: several, of different sizes, none of them lost."""
    u, form = np.linspace(0.0, 6.0, 40), Form(k, False)
    low, high = form.bounds(u, u)
    made = scan(form, u, np.linspace(0.5, 2.0, 40), low, high)
    places = np.linspace(0.0, 6.0, k + 2)[1:-1]
    pick = int(np.argmin(np.abs(made.places - places).sum(axis=1)))
    bends = 0.3 + 0.4 * np.arange(k)
    each = np.stack([bends, made.places[pick], np.full(k, made.widths[pick])], axis=1)
    theta = np.concatenate([[0.7, 0.2], each.ravel()])
    found = made.theta(form.value(theta, u)[None], np.array([pick]))
    np.testing.assert_allclose(found[0], theta, atol=1e-8)


def test_measurements_that_are_alike_count_as_fewer():
    data = observed(np.tile(np.geomspace(1, 100, 6), 2), np.ones(12))
    assert [Chain(data, rho).effective for rho in (0.0, 0.5)] == [12.0, 4.0]


@pytest.mark.parametrize(
    ("rho", "effective", "told"),
    [(0.0, 6.0, True), (0.3, 6.0, False), (0.3, 1e3, True)],
)
def test_few_measurements_are_doubted_only_where_they_are_alike(rho, effective, told):
    chain = SimpleNamespace(rho=rho, effective=effective)
    assert breaks._interpretable(chain, Form(1, False)) is told


# --- how far the ladder is climbed ------------------------------------------------------------

LADDER = [Form(k, f) for k in range(4) for f in (False, True)]


def rungs(*scatters, rest=None):
    """Forms that leave given scatters; no fit is made."""
    chain = SimpleNamespace(size=24, rest=lambda form, theta: np.ones(24) if rest is None else rest)
    made = Rungs(SimpleNamespace(), SimpleNamespace(data=SimpleNamespace(y=np.zeros(24))))
    made.chain = chain
    for form, scatter in zip(LADDER, scatters, strict=False):
        made[form] = Rung(np.zeros(form.size), 24 * scatter**2, scatter, True)
    return made


@pytest.mark.parametrize(
    ("scatters", "exact"),
    [
        ([1e-12], 0),
        ([1.0, 0.5, 1e-13, 1.0], 2),
        ([1.0, 1.1e-12, 0.9e-12], 2),
        ([1.0, 0.95, 0.92, 0.91, 1e-13], 0),  # three without a gain
        ([1.0, 0.95, 0.92, 0.5, 0.49, 0.48, 1e-13], 6),
        ([1.0, 0.95, 0.92, 0.82, 0.81, 1e-13], 5),  # a gain on the best so far
        ([1.0, 0.95, 0.92, 0.85, 0.84, 0.83, 0.82], 0),
    ],
)
def test_a_formula_is_looked_for_while_forms_gain(scatters, exact):
    assert rungs(*scatters).exact(LADDER[: len(scatters)]) == exact


@pytest.mark.parametrize("form", LADDER[:4])
def test_the_scatter_of_a_form_allows_for_its_parameters(form):
    exact = Minimum(np.zeros((1, form.size)), np.zeros(1), np.array([True]))
    kept = rungs()._keep(form, exact, 1)
    assert kept.loss == 24.0  # 24 residuals of 1
    assert kept.scatter == pytest.approx(np.sqrt(24 / (24 - form.size)), rel=1e-12)


def test_the_chance_of_a_gain_is_bounded_by_an_f_test_for_every_point_of_the_grid():
    made = rungs(1.0, 0.3)
    gain = 24 / (24 * 0.09) - 1
    wanted = 3200 * stats.f.sf(gain * 21 / 3, 3, 21)
    bound = ladder._bound(made, *LADDER[:2])
    assert bound == pytest.approx(wanted, rel=1e-9)
    assert 1e-9 < wanted < 1e-3
    assert ladder._bound(rungs(1.0, 0.9), *LADDER[:2]) == 1.0
    assert ladder._bound(rungs(1.0, 1.1), *LADDER[:2]) == 1.0
    assert ladder._bound(rungs(1.0, 1e-9), *LADDER[:2]) == 1e-12
    half = np.r_[np.sqrt(23.0), np.ones(23)]  # one row is half of it
    assert ladder._bound(rungs(1.0, 0.3, rest=half), *LADDER[:2]) == pytest.approx(wanted)
    assert ladder._bound(rungs(1.0, 0.3, rest=half * np.r_[1.01, np.ones(23)]), *LADDER[:2]) == 1.0


@pytest.mark.parametrize(
    ("clear", "resolution", "steps"),
    [
        ({}, 0.0, 0),
        ({(0, 1)}, 0.0, 1),
        ({(0, 2), (1, 2)}, 0.0, 2),
        ({(0, 1), (0, 2), (1, 2)}, 0.0, 2),  # two rather than one
        ({(0, 1), (0, 2), (1, 2)}, 0.7, 1),  # unless one is enough
        ({(0, 2)}, 0.0, 0),  # one step would do as well
        ({(0, 3), (1, 3), (2, 3)}, 0.0, 3),
        ({(0, 4), (1, 4), (2, 4), (3, 4)}, 0.0, 4),
        ({(0, 4), (1, 4), (3, 4)}, 0.0, 0),
    ],
)
def test_steps_are_beyond_doubt_if_fewer_would_not_do(clear, resolution, steps, monkeypatch):
    def bound(_, smaller, larger):
        return 0.9e-3 if (LADDER.index(smaller), LADDER.index(larger)) in clear else 1e-3

    monkeypatch.setattr(ladder, "_bound", bound)
    made = rungs(*[0.6] * 5)
    assert ladder._clear(made, LADDER[0], LADDER[1:5], resolution) == steps
    assert ladder._clear(made, LADDER[0], LADDER[1:2], 0.0) == ((0, 1) in clear)


@pytest.mark.parametrize(
    ("told", "rhos", "found"),
    [
        ([0, -9, -9, -9, -9, -9], [0.5] * 6, 1),  # a parameter costs log 24 = 3.2
        ([0, -3, -3, -3, -3, -99], [0.5] * 6, 0),  # four without a gain
        ([0, -3, -3, -20, -20, -20], [0.5] * 6, 3),
        ([0, -9, -99], [0.5, 0.0, 0.5], 1),  # independent neighbours end it
        ([0, -3, -99], [0.0, 0.5, 0.5], 0),
    ],
)
def test_the_form_that_tells_how_alike_neighbours_are(told, rhos, found, monkeypatch):
    answers = {
        form: Alike(t, r, np.ones(1) * r) for form, t, r in zip(LADDER, told, rhos, strict=False)
    }
    monkeypatch.setattr(ladder, "likelihood", lambda chain, form, theta: answers[form])
    made = rungs(*[0.5] * len(told))
    assert ladder.alike(made, LADDER[: len(told)], 0.1) == answers[LADDER[found]]
    silent = ladder.alike(made, LADDER[: len(told)], 0.5)  # within the resolution
    assert (silent.rho, silent.likely.tolist()) == (0.0, [0.0])


@pytest.mark.parametrize(
    ("seldom", "chance"),
    [(9, 10 / 61), (10, 11 / 51), (0, 1 / 61), (4, 5 / 61)],
)
def test_the_chance_of_a_gain_is_its_share_among_resamples_that_gain_as_much(seldom, chance):
    """Of 60 resamples; where a fifth of the first fifty gain as much, the others are not asked."""
    asked = []

    def best(form, curves, smaller):
        asked.append(len(curves))
        assert smaller.shape == (len(curves), 2)
        loss = np.full(len(curves), 4.0)  # of 5, with 1 that no form can explain
        if len(asked) == 1:
            loss[0] = 3.0
            loss[1 : 1 + seldom] = np.linspace(1.0, 3.0, seldom)  # some exactly as much
        return SimpleNamespace(theta=np.zeros((len(curves), 3)), loss=loss - 1.0)

    again = SimpleNamespace(
        curves=np.zeros((60, 24)), losses=np.full(60, 5.0), withins=np.ones(60), loss=5.0,
        within=1.0, theta=np.zeros(2), thetas=np.zeros((60, 2)),
    )  # fmt: skip
    search = SimpleNamespace(best=best)
    chances = ladder._chances(search, np.zeros(24), again, [Form(0, True)])
    assert chances == [pytest.approx(chance)]
    assert asked == ([51] if chance > 0.2 else [51, 10])


# --- intervals --------------------------------------------------------------------------------


def test_half_an_interval_is_a_quantile_of_studentised_resamples_or_students():
    again = RNG.standard_normal((60, 2)) * [1.0, 0.1] + [1.0, -2.0]
    spread = np.diag([0.5, 0.02]) ** 2
    each = np.stack([spread * (1 + k / 60) for k in range(60)])
    made = Resampled(
        *(None, np.array([1.0, -2.0]), 1.0, 0.0, 1.0, spread, None, again),
        *(None, None, each, 9, None, 0.0),
    )
    for direction in (np.array([1.0, 0.0]), np.array([0.3, -1.0])):
        value, values = direction @ [1.0, -2.0], again @ direction
        errors = np.sqrt([direction @ one @ direction for one in each])
        score = np.sort(np.abs(values - value) / errors)
        own = np.interp(0.95 * 59, np.arange(60), score)
        half = max(own, stats.t.ppf(0.975, 9)) * np.sqrt(direction @ spread @ direction)
        np.testing.assert_allclose(made.interval(direction), [value, value - half, value + half])
    quiet = made._replace(thetas=np.tile([1.0, -2.0], (60, 1)))
    half = stats.t.ppf(0.975, 9) * 0.5
    np.testing.assert_allclose(quiet.interval(np.array([1.0, 0.0])), [1.0, 1 - half, 1 + half])


@pytest.mark.parametrize(
    ("ratio", "here", "low", "high"),
    [
        ([3, 1, -1, -2, -1, 1, 3], 3.0, 1.5, 4.5),
        ([3, 1, -1, -2, -1, 3, 3], 3.0, 1.5, 4.25),
        ([-1, -1, -1, -2, -1, 1, 3], 3.0, -np.inf, 4.5),
        ([3, 1, -1, -2, -1, -1, -1], 3.0, 1.5, np.inf),
        ([3, -3, 2, -2, 1, -1, 3], 3.0, 0.5, 5.25),  # the outermost crossings
        ([3, 3, 3, 1, 3, 3, 3], 3.0, 3.0, 3.0),  # nothing but the value itself
        ([3, 0, 3, -1, 3, 3, 3], 3.2, 1.0, 3.25),
    ],
)
def test_an_interval_ends_where_the_likelihood_ratio_crosses_its_level(ratio, here, low, high):
    places = np.arange(7.0)
    found = profile._ends(places, np.array(ratio, float), here)
    assert found == pytest.approx((low, high))


def test_a_break_is_told_in_units_of_x_and_open_where_an_end_is():
    one, other = Interval(0.5, 0.2, 0.9), Interval(-1.0, -1.5, -0.5)
    for low, high, status in (
        (0.0, 2.0, Status.OK),
        (-np.inf, 2.0, Status.AT_EDGE),
        (0.0, np.inf, Status.AT_EDGE),
    ):
        found = breaks._found(Interval(1.0, low, high), one, other, one)
        wanted = [np.e, -np.inf if low < 0 else 1.0, np.inf if high > 2 else np.exp(2.0)]
        np.testing.assert_allclose(found.place, wanted)
        assert found[1:] == (one, other, one, status)


def test_a_floor_is_bounded_only_where_a_form_with_one_could_be_fitted():
    """Else any floor may be there: too few points say nothing of it."""
    chain = SimpleNamespace(data=observed(np.geomspace(1, 9, 9), 1 / np.geomspace(1, 9, 9)))
    rungs, again = SimpleNamespace(search=None, chain=chain), SimpleNamespace(form=LADDER[0])
    assert breaks._floor(rungs, again, LADDER[:1]) == Interval(0.0, 0.0, np.inf)


# --- what is said -----------------------------------------------------------------------------


def warned(x=(1.0, 10.0), theta=(0.0, 0.5), form=LADDER[0], points=20, rho=0.0, **more):
    """Warnings of a fit of that many points over a range, nothing else being remarkable."""
    places = np.geomspace(*x, points)
    data = observed(places, 1 / places)
    chain = SimpleNamespace(data=data, size=points, rho=rho, effective=more.pop("effective", 9.0))
    again = {"scatter": 0.01, "lost": 0.0, "rest": np.tile([1.0, 1.0, -1.0, -1.0], 99)[:points]}
    again = SimpleNamespace(
        form=form, theta=np.array(theta), **again | {k: v for k, v in more.items() if k in again}
    )
    found = tuple(SimpleNamespace(status=s) for s in more.get("found", ()))
    floor = Interval(1.0, more.get("floor", 1.0), 2.0)
    return breaks._warnings(chain, more.get("forms", LADDER), again, found, floor)


HUMP = {"form": Form(1, False), "theta": (0.0, -0.5, 1.0, 2.0, -1.0)}


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({}, []),
        ({"x": (1.0, 9.99)}, ["x spans less than a decade"]),
        ({"x": (1.0, 10.01)}, []),
        ({"found": [Status.OK, Status.AT_EDGE]}, ["break 2: the data do not end its interval"]),
        ({"form": LADDER[1], "theta": (0, 0.5, -9), "floor": 0.0}, ["the floor is not identif"]),
        ({"form": LADDER[1], "theta": (0, 0.5, -9), "floor": 1e-9}, []),
        ({"floor": 0.0}, []),
        ({"lost": 0.05}, []),
        ({"lost": 0.06}, ["6% of the resampled fits did not converge"]),
        ({"theta": (9.0, 0.5)}, []),
        ({"theta": (0.0, -0.003)}, []),  # a rise of less than the scatter
        ({"theta": (0.0, -0.006)}, ["y rises: what rises towards a ceiling"]),
        ({"theta": (0.0, -0.001), "scatter": 1e-5}, ["y rises"]),
        ({"theta": (0.0, -0.0003), "scatter": 1e-5}, []),  # a thousandth is always let pass
        ({**HUMP, "x": (1.0, 1e3)}, ["the curve is not monotone"]),
        ({**HUMP, "x": (1.0, 1e3), "scatter": 0.74}, ["the curve is not monotone"]),
        ({**HUMP, "x": (1.0, 1e3), "scatter": 0.75}, []),  # it rises by 0.747
        ({"rest": np.ones(20) * np.r_[np.ones(10), -np.ones(10)]}, ["neighbouring residuals are"]),
        ({"rest": np.r_[np.ones(10), -np.ones(10)], "scatter": 1e-9}, []),
        ({"rest": np.tile([1.0, -1.0], 10)}, []),
        ({"rho": 0.5, "effective": 12.0}, ["neighbouring residuals are alike (correlation 0.50)"]),
        ({"rho": 0.5, "effective": 11.9}, ["neighbouring residuals", "11.9 independent measure"]),
        ({"forms": LADDER[:1], "points": 16}, ["16 points allow no form larger than no break"]),
        ({"forms": LADDER[:1], "points": 17}, []),
        ({"forms": LADDER[:2], "points": 16}, []),
    ],
    ids=str,
)
def test_what_a_fit_warns_of(case, says):
    told = warned(**{"x": (1.0, 10.0001), **case})
    assert len(told) == len(says), told
    for line, begun in zip(told, says, strict=True):
        assert begun in line


def test_why_no_larger_form_was_tried_is_said_where_the_tests_do_not():
    def law(scatter):
        return breaks.BrokenLaw(
            *(LADDER[0], (), Interval(0, 0, 0), Interval(0, 0, 0), scatter, 1e-3),
            *((), 9, 0.0, 9.0, True, (), None),
        )

    assert "to rounding: there is nothing left" in law(1e-9).ended
    assert law(1.1e-9).ended.startswith("1.1e-07 % of y is left, within the resolution of 0.1 %")
    assert "within the resolution" in law(1e-3).ended
    assert law(1.01e-3).ended == ""


def test_chances_of_few_resamples_are_not_told():
    x = np.geomspace(1.0, 100.0, 12)
    assert breaks.fit(x, 1 / x, 0, resamples=60).points == 12
    with pytest.raises(BadInput, match="resamples = 59: expected at least 60"):
        breaks.fit(x, 1 / x, 0, resamples=59)


def test_what_is_left_out_may_have_any_weight_and_any_run_and_is_told_once():
    x, y = np.array([1.0, -1.0, 2.0, 4.0]), np.array([3.0, -2.0, 2.0, 1.0])
    there = np.array([0, 2, 3])
    for given in (
        {"weights": np.array([1.0, 0.0, 2.0, 3.0])},
        {"sd": np.array([1.0, np.nan, 2.0, 3.0])},
        {"run": np.array([7, 9, 7, 7])},
    ):
        data, alone = (
            observed(x, y, **given),
            observed(x[there], y[there], **{name: values[there] for name, values in given.items()}),
        )
        for part, other in zip(data.rows, alone.rows, strict=True):
            np.testing.assert_array_equal(part, other)
        assert data.left_out == ("1 of 4 points left out: with x <= 0, which has no logarithm",)


def test_a_table_is_no_curve():
    with pytest.raises(BadInput, match=r"x has shape \(3, 2\), y has \(3, 2\); expected \(m,\)"):
        observed(np.ones((3, 2)), np.ones((3, 2)))


def test_a_resolution_is_a_share_and_a_number_of_breaks_is_no_yes():
    x = np.geomspace(1.0, 100.0, 12)
    assert breaks.fit(x, 1 / x, 0, resolution=1.0, resamples=60).resolution == 1
    for resolution in (1.01, -0.01, np.nan):
        with pytest.raises(BadInput, match="expected a share of y, 0 to 1"):
            breaks.fit(x, 1 / x, 0, resolution=resolution)
    with pytest.raises(BadInput, match="least = True: expected 0 to 4 breaks"):
        breaks.fit(x, 1 / x, least=True)
    with pytest.raises(BadInput, match="breaks = True: expected auto or 0 to 4"):
        breaks.fit(x, 1 / x, True)


def test_a_floor_may_be_as_high_as_an_f_test_of_one_more_number_lets_it():
    """Of a power law in nine points: floors are held, and the rest is fitted by another program."""
    x = np.geomspace(1.0, 100.0, 9)
    y = x**-0.5 * np.exp(0.1 * np.random.default_rng(1).standard_normal(9))
    law = breaks.fit(x, y, 0, resamples=60)
    assert law.form == Form(0, False)

    def loss(floor):
        def rest(theta):
            return np.logaddexp(theta[0] - theta[1] * np.log(x), floor) - np.log(y)

        return 2 * optimize.least_squares(rest, [0.0, 0.5], xtol=1e-12, ftol=1e-12).cost

    line = np.polyfit(np.log(x), np.log(y), 1)
    plain = np.sum((np.log(y) - np.polyval(line, np.log(x))) ** 2)
    most = plain * (1 + stats.f.ppf(0.95, 1, 9 - 3) / (9 - 3))
    shares = np.linspace(0.01, 1.0, 100)
    allowed = [share for share in shares if loss(np.log(share * y.min())) <= most]
    assert 0.1 < max(allowed) < 0.99
    assert law.floor == pytest.approx((0.0, 0.0, max(allowed) * y.min()))


def test_what_is_pooled_again_is_told_once(monkeypatch):
    """Neighbours that are alike are pooled more coarsely, from the measurements themselves."""
    alike = Alike(0.0, 0.3, np.array([0.3]))
    monkeypatch.setattr(breaks, "alike", lambda *_: alike)
    monkeypatch.setattr(breaks, "CHAINED", 20)
    x = np.geomspace(1.0, 100.0, 450)
    law = breaks.fit(x, x**-0.5 * (1 + 0.01 * np.cos(np.arange(450.0))), 0, resamples=60)
    pooled_ = [line for line in law.warnings if "averaged" in line]
    assert pooled_ == ["450 points averaged into 20 bins of log x"]
