import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest
from check_toy import BUMP, POWER, TOY, exact, sweep, times
from scipy.stats import norm
from scipy.stats import t as student

from ci_theory import BadInput, Status
from ci_theory.check import Verdict, check
from ci_theory.check.compare import Comparison, compare
from ci_theory.check.report import Report
from ci_theory.check.verdict import EXIT_CODES, judge, together
from ci_theory.cli.verdicts import print_report
from ci_theory.locate.student import quantile
from ci_theory.phenomena import Estimate
from forms import form, formed

NOISES = [0.5, 1.0, 2.0, 4.0]
AXES = {"noise": NOISES, "scale": [1.0, 3.0]}


@pytest.fixture(scope="module")
def small():
    return sweep(AXES, replicates=60)


def toy(*forms):
    return formed(TOY, *forms)


def scaled(factor, slack=0.0):
    """The true formula times a factor, with a relative slack."""

    def evaluate(params, world):
        value = params.scale * params.noise
        return exact(factor * value)._replace(slack=slack * value)

    return evaluate


def only(dataset, phenomenon, **options):
    report = check(dataset, phenomenon, **options)
    return report.outcomes[0]


# --- verdicts -----------------------------------------------------------------------------------


def test_a_true_formula_agrees_and_the_decoys_are_told_from_it(small):
    outcome = only(small, toy(POWER), effect=0.05)
    assert outcome.verdict is Verdict.AGREES, outcome.reason
    assert outcome.decoys["halved"].rejected
    assert outcome.decoys["halved"].pooled.value == pytest.approx(1.0, abs=0.05)
    assert outcome.decoys["same"].vacuous
    assert abs(outcome.own.pooled.value) < 4 * outcome.own.pooled.error


@pytest.mark.parametrize(
    ("forms", "idle"),
    [((POWER,), ("place",)), ((BUMP,), ("noise",)), ((POWER, BUMP), ())],
)
def test_an_axis_that_changes_no_prediction_is_told(forms, idle):
    """Two biases swept together are not tested together where one of them is off."""
    data = sweep({"noise": [0.5, 1.0], "place": [0.0, 1.0], "scale": [1.0, 2.0]}, replicates=9)
    report = check(data, toy(*forms))
    assert report.idle == idle
    for axis in idle:
        assert f"{axis} changes no prediction here" in str(report)
        assert f"{axis} changes no prediction here" in report._repr_html_()
    assert ("changes no prediction" in str(report)) == bool(idle)


@pytest.mark.parametrize("factor", [1.1, 0.9])
def test_a_wrong_formula_disagrees(small, factor):
    report = check(small, toy(form("power", scaled(factor))))
    assert report.verdict is Verdict.DISAGREES
    assert report.exit_code == 1
    bias = report.outcomes[0].own.pooled
    assert bias.value == pytest.approx(1 / factor - 1, abs=4 * bias.error)


def test_a_formula_wrong_in_one_cell_disagrees_and_the_cell_is_named(small):
    def evaluate(params, world):
        bad = (params.noise == 2.0) & (params.scale == 3.0)
        return exact(params.scale * params.noise * jnp.where(bad, 1.5, 1.0))

    outcome = only(small, toy(form("power", evaluate)))
    assert outcome.verdict is Verdict.DISAGREES
    assert (outcome.worst_cell["noise"], outcome.worst_cell["scale"]) == (2.0, 3.0)
    assert outcome.worst_cell["predicted"] == pytest.approx(9.0)
    assert outcome.worst_cell["z"] < -5


@pytest.mark.parametrize("place", [0, -1])
def test_the_cell_furthest_off_is_named_at_either_end_of_the_table(small, place):
    ends = {name: values[place] for name, values in AXES.items()}

    def evaluate(params, world):
        bad = (params.noise == ends["noise"]) & (params.scale == ends["scale"])
        return exact(params.scale * params.noise * jnp.where(bad, 1.5, 1.0))

    worst = only(small, toy(form("power", evaluate))).worst_cell
    assert {name: worst[name] for name in AXES} == ends


def test_slack_excuses_a_deviation_and_the_decoys_with_it(small):
    off = toy(form("power", scaled(1.2, slack=0.25), near=times(1.1)))
    outcome = only(small, off)
    assert outcome.verdict is Verdict.UNDERPOWERED
    assert not outcome.own.rejected
    assert not outcome.decoys["near"].rejected
    beyond = toy(form("power", scaled(1.5, slack=0.25)))
    assert only(small, beyond).verdict is Verdict.DISAGREES


def test_a_surviving_decoy_leaves_the_sweep_underpowered(small):
    decoys = {"halved": times(0.5), "close": times(1.003)}
    close = toy(form("power", scaled(1.0), **decoys))
    outcome = only(small, close, effect=0.05)
    assert outcome.verdict is Verdict.UNDERPOWERED
    assert outcome.reason == "cannot tell it from: close"


@pytest.mark.parametrize("factor", [1.0, 1.0 + 1e-12])
def test_only_vacuous_decoys_leave_it_underpowered(small, factor):
    """Also one that differs from the prediction by its rounding."""
    outcome = only(small, toy(form("power", scaled(1.0), same=times(factor))), effect=0.05)
    assert outcome.verdict is Verdict.UNDERPOWERED
    assert "every decoy says the same" in outcome.reason


def test_an_effect_too_small_to_see_leaves_it_underpowered(small):
    outcome = only(small, toy(form("power", scaled(1.0))), effect=0.01)
    assert outcome.verdict is Verdict.UNDERPOWERED
    assert outcome.detectable > 0.01
    agreed = only(small, toy(form("power", scaled(1.0))), effect=0.05)
    assert agreed.verdict is Verdict.AGREES


def test_a_lazy_slack_leaves_it_underpowered(small):
    """The core promise: an error bar so wide that it hides a bias of ``effect`` cannot agree."""
    for slack, verdict in ((0.02, Verdict.AGREES), (0.2, Verdict.UNDERPOWERED)):
        outcome = only(small, toy(form("power", scaled(1.0, slack=slack))), effect=0.1)
        assert outcome.verdict is verdict
        exact_one = only(small, toy(form("power", scaled(1.0))), effect=0.1)
        assert outcome.detectable == pytest.approx(exact_one.detectable + slack, rel=1e-6)
    assert "a bias of 0.1 could go unnoticed: only 0.2" in outcome.reason


def test_what_is_detectable_is_found_in_nineteen_sweeps_of_twenty():
    """Its bias is the quantile of the pooled test's level plus that of 0.95, in errors."""
    found = judge(flat_cells([0.0]), level=0.01)
    error = found.own.pooled.error
    at = t_of_probability(0.008) + quantile(0.95, RUNS - 1)
    assert found.detectable == pytest.approx(at * error, rel=1e-6)


def test_two_replicates_are_too_few():
    outcome = only(sweep(AXES, replicates=2), toy(POWER))
    assert outcome.verdict is Verdict.UNDERPOWERED
    assert "fewer than 3 replicates" in outcome.reason


def test_out_of_scope_where_no_cell_is_valid():
    report = check(sweep({"noise": [60.0, 70.0]}, replicates=5), toy(POWER))
    assert report.verdict is Verdict.OUT_OF_SCOPE
    assert report.exit_code == 3


def test_invalid_cells_do_not_count():
    data = sweep({"noise": [1.0, 2.0, 60.0]}, replicates=60)
    data["power"][2] = 1e9
    outcome = only(data, toy(POWER), effect=0.1)
    assert outcome.verdict is Verdict.AGREES
    assert outcome.comparison.judged.tolist() == [True, True, False]


def test_few_very_skewed_replicates_are_underpowered():
    data = sweep({"noise": [1.0]}, replicates=10)
    data["power"][:] = 1.0
    data["power"][0, 0] = 1.4
    outcome = only(data, toy(form("power", scaled(1.0))), effect=1.0)
    assert outcome.verdict is Verdict.UNDERPOWERED
    assert "skewness" in outcome.reason


def test_a_skewed_sample_is_no_ground_for_a_disagreement():
    """20 runs at 9 and one at 9.5 are forty errors from 10: so is many a skewed law's sample."""
    runs = np.full((1, RUNS), 9.0)
    runs[0, 0] = 9.5
    outcome = judge(dataclasses.replace(flat_cells([0.0]), values=runs), level=0.01, effect=1.0)
    assert outcome.own.pooled.score < -10
    assert outcome.own.pooled.skewed
    assert (outcome.skewed, outcome.own.adjusted) == (1, 1.0)
    assert not outcome.own.rejected
    assert outcome.verdict is Verdict.UNDERPOWERED


def test_an_exactly_reproduced_zero_agrees(small):
    data = small.assign(power=small["power"] * 1e-30)
    decoys = {"not zero": times(1.0)}
    outcome = only(data, toy(form("power", scaled(0.0), **decoys)))
    assert outcome.verdict is Verdict.AGREES
    assert np.isnan(outcome.detectable)


@pytest.mark.parametrize(("size", "told"), [(1e-30, True), (1e-12, True), (1e-3, False)])
def test_how_rounding_is_spread_is_nobody_s_business(small, size, told):
    """Zeros but for the last digit of one run in sixty: that is skewed, and says nothing."""
    lonely = np.zeros(small["power"].shape)
    lonely[..., 0] = size
    data = small.assign(power=small["power"].copy(data=lonely))
    outcome = only(data, toy(form("power", scaled(0.0), **{"not zero": times(1.0)})))
    assert (outcome.verdict is Verdict.AGREES) is told
    assert (outcome.skewed == 0) is told


@pytest.mark.parametrize("slack", [0.0, 1e9])
def test_a_zero_without_a_decoy_is_told_from_nothing(small, slack):
    """No deviation is a share of it: without a decoy any slack would agree with anything."""
    data = small.assign(power=small["power"] - small["power"].mean("replicate"))
    zero = form("power", lambda params, world: exact(0.0)._replace(slack=slack))
    outcome = only(data, toy(zero))
    assert (outcome.verdict, outcome.own.rejected) == (Verdict.UNDERPOWERED, False)
    assert "no decoy says what else could be" in outcome.reason


# --- formulas that fail where they are claimed ----------------------------------------------------

FAILURES = {
    "not a finite number": {"value": jnp.nan},
    "the solver did not converge": {"status": int(Status.NOT_CONVERGED)},
    "the slack is negative or not finite": {"slack": -0.1},
}


def failing(parts, beyond, factor=1.0):
    """The true formula times a factor, of which something is amiss at larger noise."""

    def evaluate(params, world):
        made = scaled(factor)(params, world)
        amiss = made._replace(**parts)
        pairs = zip(amiss, made, strict=True)
        return Estimate(*(jnp.where(params.noise > beyond, bad, good) for bad, good in pairs))

    return toy(form("power", evaluate, halved=times(0.5)))


def shown(report, capsys):
    """Everything in which a report is read by people."""
    print_report(report)
    return str(report), report._repr_html_(), " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("why", FAILURES)
def test_a_formula_that_fails_in_its_scope_is_told_and_does_not_agree(small, why, capsys):
    sound = check(small, failing(FAILURES[why], 99.0), effect=0.1)
    assert (sound.verdict, sound.unsound) == (Verdict.AGREES, {})
    assert sound.to_json()["predictions"][0]["unsound"] == {}
    for beyond, cells in ((1.5, 4), (0.1, 8)):
        report = check(small, failing(FAILURES[why], beyond), effect=0.1)
        assert (report.verdict, report.exit_code) == (Verdict.UNDERPOWERED, 3)
        told = report.to_json()["predictions"][0]
        assert told["unsound"] == {why: cells}
        assert told["judged"] == 8 - cells
        for text in shown(report, capsys):
            assert text.count(f"{cells} cells in its scope: {why}") == 1
            assert "mend the formula there, or narrow its scope" in text


def test_a_slack_that_is_no_number_is_no_slack(small):
    report = check(small, failing({"slack": jnp.nan}, 3.0), effect=0.1)
    assert report.verdict is Verdict.UNDERPOWERED
    assert report.outcomes[0].comparison.unsound == {"the slack is negative or not finite": 2}


def test_a_wrong_formula_disagrees_and_where_it_fails_is_told_beside(small, capsys):
    report = check(small, failing(FAILURES["not a finite number"], 3.0, factor=1.1))
    assert report.verdict is Verdict.DISAGREES
    for text in shown(report, capsys):
        assert "2 cells in its scope: not a finite number" in text


def test_a_formula_that_stays_silent_in_its_scope_is_told_and_agrees_about_the_rest(small, capsys):
    silent = {"status": int(Status.OUT_OF_SCOPE)}
    report = check(small, failing(silent, 3.0), effect=0.1)
    assert report.verdict is Verdict.AGREES
    outside = "outside the regime in which the formula holds"
    assert report.to_json()["predictions"][0]["unsound"] == {outside: 2}
    for text in shown(report, capsys):
        assert f"2 cells in its scope: {outside}" in text
    nowhere = check(small, failing(silent, 0.1))
    assert nowhere.verdict is Verdict.OUT_OF_SCOPE
    assert f"8 cells in its scope: {outside}" in nowhere.outcomes[0].reason


# --- what is left out, and bookkeeping ------------------------------------------------------------


def test_cells_with_lost_runs_are_left_out_and_counted():
    data = sweep(AXES, replicates=40, status=True)
    data["power"][0, 0, 3] = np.nan  # shows in the value
    data["status"][1, 1, 5] = int(Status.NOT_FINITE)  # shows in the status only
    data["status"][2, 0, 7] = -1  # not simulated yet: nothing is wrong with the cell
    data["power"][2, 0, 7] = np.nan
    c = compare(data, TOY)[0]
    assert c.lost.reshape(4, 2).tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]
    assert c.judged.sum() == 6
    assert c.count.reshape(4, 2).tolist() == [[39, 40], [40, 39], [39, 40], [40, 40]]
    body = check(data, TOY).to_json()["predictions"][0]
    assert (body["judged"], body["with_lost_runs"]) == (6, 2)


def test_a_sweep_that_still_runs_is_judged_on_what_is_there(small):
    data = sweep(AXES, replicates=60, status=True)
    data["status"][:, :, 40:] = -1
    data["power"][:, :, 40:] = np.nan
    data["status"][0, 0, 39] = -1
    data["power"][0, 0, 39] = np.nan
    outcome = only(data, toy(POWER), effect=0.06)
    assert outcome.verdict is Verdict.AGREES
    assert outcome.own.pooled.replicates == 40
    assert outcome.comparison.lost.sum() == 0


def test_in_single_precision_there_is_a_verdict_only_on_a_stated_rounding():
    data = sweep({"noise": [1.0, 2.0]}, replicates=5)
    data["power"][:] = data["noise"] * (1 + 1e-7)
    exactly = toy(form("power", scaled(1.0)))
    assert check(data, exactly).verdict is Verdict.DISAGREES
    single = data.assign_attrs(dtype="float32")
    assert check(single, exactly, rounding=1e-5).verdict is Verdict.AGREES
    assert check(single, exactly, rounding=1e-9).verdict is Verdict.DISAGREES
    for wrong in (exactly, toy(form("power", scaled(0.5)))):
        withheld = check(single, wrong)
        assert withheld.verdict is Verdict.UNDERPOWERED
        assert "simulated in float32" in withheld.outcomes[0].reason


def test_what_is_out_of_scope_stays_so_in_single_precision():
    """To run it in float64, as the reason of a verdict that is withheld says, would not help."""
    data = sweep({"noise": [60.0, 70.0]}, replicates=5).assign_attrs(dtype="float32")
    report = check(data, toy(POWER))
    assert report.verdict is Verdict.OUT_OF_SCOPE
    assert "float64" not in report.outcomes[0].reason


def test_the_order_of_the_dimensions_is_irrelevant(small):
    turned = small.transpose("replicate", "scale", "noise")
    cells = []
    for data in (turned, small):
        c = compare(data, TOY)[0]
        cells.append(
            dict(zip(zip(c.axes["noise"], c.axes["scale"], strict=True), c.mean, strict=True))
        )
    assert cells[0] == pytest.approx(cells[1], rel=1e-12)
    assert check(turned, TOY).verdict is check(small, TOY).verdict


def test_the_level_is_shared_by_the_predictions_in_scope(small):
    report = check(small, TOY, level=0.01)
    assert [o.level for o in report.outcomes] == [0.005, 0.005]
    assert only(small, toy(POWER), level=0.01).level == 0.01


def test_a_prediction_out_of_scope_takes_no_share_of_the_level():
    report = check(sweep({"noise": [60.0, 70.0]}, replicates=5), TOY, level=0.01)
    assert [o.verdict is Verdict.OUT_OF_SCOPE for o in report.outcomes] == [True, False]
    assert report.outcomes[1].level == 0.01


def test_neighbours_lie_on_numeric_axes_with_their_own_random_numbers():
    axes = {"family": ["plain", "odd"], "noise": NOISES, "scale": [1.0, 3.0]}
    data = sweep(axes, replicates=4)
    near = compare(data, TOY)[0].near
    neighbours = [sorted(set(row[row >= 0].tolist())) for row in near]
    # cell (family, noise, scale) has index 8 family + 2 noise + scale: only noise steps count
    assert neighbours[0] == [2]
    assert neighbours[3] == [1, 5]
    assert neighbours[8] == [10]
    paired = sweep(axes, replicates=4, paired=("noise",))
    assert np.all(compare(paired, TOY)[0].near == -1)


def test_paired_axes_share_their_runs_and_are_judged():
    data = sweep(AXES, replicates=60, paired=("noise",))
    ratio = data["power"].values / np.array(NOISES)[:, None, None]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:1], ratio.shape), rtol=1e-12)
    outcome = only(data, toy(form("power", scaled(1.0))), effect=0.2)
    assert outcome.verdict is Verdict.AGREES
    # 8 cells, one run: the error is that of a single cell, not of 8
    c = outcome.comparison
    assert outcome.own.pooled.error == pytest.approx(c.error[0] / 0.5, rel=0.05)


def test_table_and_json(small):
    report = check(small, TOY)
    rows = report.table()
    assert [row["prediction"] for row in rows] == ["power", "bump"]
    assert len({tuple(row) for row in rows}) == 1
    assert all(isinstance(v, str) for row in rows for v in row.values())
    assert [row["decoys"] for row in rows] == ["halved: rejected; same: vacuous", "none"]
    body = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert body["phenomenon"] == "toy"
    assert body["predictions"][0]["decoys"]["same"]["vacuous"] is True
    low, high = body["predictions"][0]["own"]["pooled"]["interval_95"]
    assert (low, high) == report.outcomes[0].own.pooled.interval(0.95)
    assert low < body["predictions"][0]["own"]["pooled"]["value"] < high


def test_datasets_that_do_not_fit_are_refused(small):
    with pytest.raises(BadInput, match="phenomenon"):
        check(small.assign_attrs(phenomenon="toi"))
    nameless = small.copy()
    del nameless.attrs["phenomenon"]
    with pytest.raises(BadInput, match="what was simulated"):
        check(nameless)
    with pytest.raises(BadInput, match="replicate"):
        check(small.isel(replicate=0), TOY)
    with pytest.raises(BadInput, match="unknown axis 'nose'"):
        check(small.rename(noise="nose"), TOY)
    with pytest.raises(BadInput, match="power has dimensions"):
        check(small.assign(power=small["power"].isel(scale=0)), TOY)
    with pytest.raises(BadInput, match="none of the predicted measures"):
        check(small.drop_vars(["power", "bump"]).assign(other=small["power"]), TOY)


# --- the level ------------------------------------------------------------------------------------

RUNS = 21


def flat_cells(scores, slack=0.0, value=10.0):
    """Cells whose t scores of (mean - prediction - slack) are given: runs without skewness."""
    even = np.linspace(-1.0, 1.0, RUNS)
    error = even.std(ddof=1) / np.sqrt(RUNS)
    n, score = len(scores), np.asarray(scores, float)
    # in every cell another order of the runs, or all cells would say the same
    order = np.stack([np.roll(even, 5 * k) for k in range(n)])
    values = value + (score * error + np.sign(score) * slack)[:, None] + order
    return Comparison(
        prediction=TOY.predictions[0],
        axes={"cell": np.arange(n)},
        values=values,
        lost=np.zeros(n, int),
        estimate=Estimate(np.full(n, value), np.full(n, slack), np.ones(n, bool), np.zeros(n, int)),
        decoys={},
        near=np.full((n, 1), -1),
    )


def t_of_probability(two_sided):
    return quantile(1 - two_sided / 2, RUNS - 1)


@pytest.mark.parametrize("slack", [0.0, 0.5])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_cell_is_rejected_at_its_share_of_a_fifth_of_the_level(slack, sign):
    cells, level = 12, 0.01
    for share, rejected in ((0.98, True), (1.02, False)):
        score = t_of_probability(share * 0.2 * level / cells)
        own = judge(flat_cells([0.0] * (cells - 1) + [sign * score], slack), level=level).own
        assert own.pooled.probability > level  # one cell in twelve hardly moves the pooled bias
        assert own.rejected is rejected
        assert own.worst == cells - 1
        assert own.adjusted == pytest.approx(share * 0.2 * level, rel=1e-6)


def test_the_pooled_bias_is_rejected_at_four_fifths_of_the_level():
    for share, rejected in ((0.78, True), (0.82, False)):
        own = judge(flat_cells([t_of_probability(share * 0.01)]), level=0.01).own
        assert own.adjusted > 0.2 * 0.01  # the cell by itself is not rejected
        assert own.pooled.probability == pytest.approx(share * 0.01, rel=1e-6)
        assert own.rejected is rejected


def test_a_zero_among_large_values_is_given_their_rounding():
    """1e-10 where 0 is predicted and the other cells are 10: cancelled digits, no deviation."""
    c = flat_cells([0.0, 0.0, 0.0])
    values, estimate = c.values.copy(), c.estimate._replace(value=np.array([10.0, 10.0, 0.0]))
    for left, verdict in ((1e-10, Verdict.AGREES), (1e-6, Verdict.DISAGREES)):
        values[2] = left
        one = dataclasses.replace(c, values=values, estimate=estimate)
        assert judge(one, level=0.01, effect=0.1).verdict is verdict


def test_a_disagreement_outweighs_what_is_underpowered_and_that_what_agrees():
    few, wrong, good = Verdict.UNDERPOWERED, Verdict.DISAGREES, Verdict.AGREES
    assert together([good, few, wrong, few]) is wrong
    assert together([good, few, Verdict.OUT_OF_SCOPE]) is few
    assert [EXIT_CODES[v] for v in (good, wrong, few, Verdict.OUT_OF_SCOPE)] == [0, 1, 3, 3]


def test_a_worst_cell_that_is_not_off_at_all_has_no_sign():
    cells = dataclasses.replace(flat_cells([0.0] * 3), decoys={})
    outcome = judge(cells, level=0.01)
    assert outcome.own.z == 0
    (row,) = Report(phenomenon="flat", outcomes=(outcome,), level=0.01, effect=0.03).table()
    assert row["worst z"] == "0.0"


def test_the_z_of_the_worst_cell_is_the_normal_score_of_its_tail():
    own = judge(flat_cells([0.0, -3.0]), level=0.01).own
    assert own.worst == 1
    assert own.z == pytest.approx(-norm.isf(student.sf(3.0, RUNS - 1)), rel=1e-6)
