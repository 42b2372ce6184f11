import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest
import xarray
from check_toy import BUMP, TOY, exact, sweep

from ci_theory import BadInput, Status
from ci_theory.check import Verdict
from ci_theory.check.breaks import locate_breaks
from ci_theory.check.located import Slice, locate_slice
from ci_theory.check.room import surely_found
from ci_theory.locate import Peak, Survival
from ci_theory.phenomena import Break, Estimate
from forms import form, formed

PLACES = np.linspace(-1.0, 5.0, 19).tolist()


@pytest.fixture(scope="module")
def tops():
    return sweep({"place": PLACES, "top": [1.0, 2.3, 9.0]}, replicates=30)


@pytest.mark.parametrize(("places", "looked_for"), [((1.0, 2.0, 3.5), 2), ((1.0, 2.0), 0)])
def test_an_axis_of_three_places_is_swept_and_one_of_two_is_not(places, looked_for):
    found = locate_breaks(sweep({"place": list(places)}, replicates=10), TOY)
    assert len(found.found) == looked_for


def test_every_break_of_every_slice_is_located_beside_its_prediction(tops):
    found = locate_breaks(tops, TOY).found
    assert [(one.kind.name, one.at["top"]) for one in found] == [
        ("top", 1.0),
        ("top", 2.3),
        ("top", 9.0),
        ("half", 1.0),
        ("half", 2.3),
        ("half", 9.0),
    ]
    for one in found[:2]:
        assert one.measured.status == Status.OK
        assert one.covers is True
        assert one.agrees is True
        assert one.covers_closed_form is True
        assert one.closed_form == one.at["top"]
        assert one.predicted.value == pytest.approx(one.at["top"], abs=0.02)
        assert one.predicted.reach == one.measured.reach
        assert one.step == pytest.approx(1 / 3)
    no_peak = found[2]  # rises to the end of the axis
    assert no_peak.measured.status == no_peak.predicted.status == Status.NO_BREAK
    assert no_peak.agrees is True
    assert no_peak.covers is None
    half = found[4]
    assert half.predicted.value == pytest.approx(2.3 - np.sqrt(2 * np.log(2)), abs=0.02)
    assert half.covers is True
    assert np.isnan(half.closed_form)
    assert half.covers_closed_form is None


def shifted(by, slack=0.0):
    def evaluate(params, world):
        value = params.scale * jnp.exp(-0.5 * (params.place - params.top - by) ** 2)
        return exact(value)._replace(slack=slack)

    return evaluate


def with_bump(evaluate):
    return formed(TOY, form("bump", evaluate))


def test_a_shifted_prediction_is_missed_and_slack_can_excuse_it(tops):
    wrong = locate_breaks(tops, with_bump(shifted(0.5))).found[1]
    assert wrong.covers is False
    assert wrong.agrees is False
    loose = locate_breaks(tops, with_bump(shifted(0.5, slack=0.3))).found[1]
    assert loose.covers is False
    assert loose.agrees is True
    assert loose.expected.low < 2.3 < loose.predicted.value < loose.expected.high


def test_what_was_simulated_in_single_precision_is_located_and_not_judged(tops):
    single = tops.assign_attrs(dtype="float32")
    for phenomenon in (TOY, with_bump(shifted(0.5))):
        places, found = locate_breaks(tops, phenomenon), locate_breaks(single, phenomenon)
        assert found.verdict is Verdict.UNDERPOWERED is not places.verdict
        assert found.exit_code == 3
        assert found.table()[0]["measured"] == places.table()[0]["measured"] != "none"
        for one in found.found:
            told = "simulated in float32" in one.said.why
            assert one.agrees is None
            assert told or one.said.why == "no prediction speaks here"


def test_a_predicted_peak_that_is_not_there_disagrees_unless_it_is_too_small_to_see(tops):
    tall = locate_breaks(tops, with_bump(shifted(-7.0))).found[2]  # predicts 2 for the top at 9
    assert tall.measured.status == Status.NO_BREAK
    assert tall.sure
    assert tall.agrees is False

    def ripple(params, world):
        rise = jnp.exp(-0.5 * (params.place - params.top) ** 2)
        return exact(rise + 1e-3 * jnp.exp(-20 * (params.place - 2) ** 2))

    tiny = locate_breaks(tops, with_bump(ripple)).found[2]
    assert tiny.predicted.status == Status.OK
    assert not tiny.sure
    assert tiny.agrees is None


def test_a_peak_that_only_some_replicates_would_show_is_no_disagreement():
    """A rise of few standard errors is found often, not surely: it cannot count as missing."""
    x, curve = np.arange(7.0), np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    noise = np.random.default_rng(0).standard_normal((40, 7))
    noise -= noise.mean(axis=0)
    for size, seen in ((0.1, True), (1.3, False)):
        assert Peak().locate(x, curve + size * noise).status in (Status.OK, Status.AT_EDGE)
        assert surely_found(Peak(), x, curve, size * noise, 0.05) is seen


def test_points_without_a_finite_prediction_are_left_out_of_both_curves(tops):
    def holed(params, world):
        value = jnp.exp(-0.5 * (params.place - params.top) ** 2)
        hole = jnp.abs(params.place - params.top) < 0.3
        return exact(jnp.where(hole, jnp.inf, value))

    one = locate_breaks(tops, with_bump(holed)).found[1]
    assert one.measured.status == one.predicted.status == Status.OK
    assert one.step > 0.5
    assert one.covers is True


def test_a_value_of_a_solver_that_failed_is_no_prediction(tops):
    def failing(params, world):
        value = jnp.exp(-0.5 * (params.place - params.top) ** 2)
        far = params.place > 4
        status = jnp.where(far, int(Status.NOT_CONVERGED), int(Status.OK))
        return exact(jnp.where(far, 9.0, value))._replace(status=status)

    one = locate_breaks(tops, with_bump(failing)).found[1]
    assert one.predicted.value == pytest.approx(2.3, abs=0.02)
    assert one.axis[1] <= 4.0


@pytest.mark.parametrize(
    ("why", "parts"),
    [
        ("not a finite number", {"value": jnp.nan}),
        ("the solver did not converge", {"status": int(Status.NOT_CONVERGED)}),
        ("the slack is negative or not finite", {"slack": -0.1}),
        ("the slack is negative or not finite", {"slack": jnp.nan}),
    ],
)
def test_a_formula_that_fails_in_its_scope_is_told_and_its_breaks_do_not_agree(tops, why, parts):
    def failing(beyond):
        def evaluate(params, world):
            made = exact(jnp.exp(-0.5 * (params.place - params.top) ** 2))
            pairs = zip(made._replace(**parts), made, strict=True)
            return Estimate(*(jnp.where(params.place > beyond, bad, good) for bad, good in pairs))

        return with_bump(evaluate)

    assert locate_breaks(tops, failing(9.0)).kinds[0].verdict is Verdict.AGREES
    for beyond, places in ((4.5, 6), (-9.0, 57)):
        found = locate_breaks(tops, failing(beyond))
        assert (found.verdict, found.exit_code) == (Verdict.UNDERPOWERED, 3)
        assert found.to_json()["kinds"][0]["failed"] == {why: places}
        for text in (str(found), found._repr_html_()):
            assert f"{places} places in its scope: {why}" in text
    assert found.found[0].prediction == ""


def test_a_formula_that_stays_silent_in_its_scope_has_not_failed(tops):
    def silent(params, world):
        value = jnp.exp(-0.5 * (params.place - params.top) ** 2)
        status = jnp.where(params.place > 4.5, int(Status.OUT_OF_SCOPE), int(Status.OK))
        return exact(value)._replace(status=status)

    assert locate_breaks(tops, with_bump(silent)).kinds[0].verdict is Verdict.AGREES


def test_breaks_that_lie_elsewhere_disagree_where_the_formula_fails_too(tops):
    def wrong(params, world):
        value = jnp.exp(-0.5 * (params.place - params.top - 0.8) ** 2)
        return exact(jnp.where(params.place > 4.5, jnp.nan, value))

    one = locate_breaks(tops, with_bump(wrong)).kinds[0]
    assert one.verdict is Verdict.DISAGREES
    assert "6 places in its scope: not a finite number" in one.reason


def test_delicate_where_the_mean_has_no_normal_error_bar(tops):
    def masked(params, world):
        value = jnp.exp(-0.5 * (params.place - params.top) ** 2)
        return exact(value)._replace(valid=jnp.abs(params.place - params.top) > 0.2)

    assert locate_breaks(tops, with_bump(masked)).found[1].delicate
    assert not locate_breaks(tops, TOY).found[1].delicate


def test_delicate_wherever_the_interval_reaches():
    """The place itself is sound; an end of its interval is not, or only what lies beyond it."""
    x = np.arange(11.0)
    curve = 3.0 - 0.05 * (x - 5) ** 2
    y = curve + 0.9 * np.random.default_rng(0).standard_normal((30, 11))
    kind = Break(name="top", axis="n", measure="error", locator=Peak(log_axis=False))
    found = Peak(log_axis=False).locate(x, y)
    assert found.value - found.low > 2
    ends = int(np.floor(found.low)), int(np.ceil(found.high))
    for level in (
        0.05,
        0.5,
    ):  # judged by an interval of another length
        told = []
        for bad in range(11):
            estimate = Estimate(curve, 0 * x, x != bad, np.zeros(11, int))
            one = locate_slice(Slice(kind, {}, x, y, estimate, "form", np.nan), level)
            told.append(one.delicate)
        assert told == [ends[0] <= bad <= ends[1] for bad in range(11)]


def test_without_a_prediction_the_break_is_still_measured(tops):
    one = locate_breaks(tops, formed(TOY)).found[1]
    assert one.measured.status == Status.OK
    assert one.predicted.status == Status.OUT_OF_SCOPE
    assert one.covers is None
    assert one.agrees is None


def test_lost_curves_are_reported_plainly(tops):
    data = tops.copy(deep=True)
    data["bump"][:, 1] = np.nan
    one = locate_breaks(data, TOY).found[1]
    assert one.measured.status == Status.NOT_FINITE
    assert one.agrees is None
    assert locate_breaks(data, TOY).table()[1]["measured"] == "not a finite number"


def test_where_every_run_is_lost_a_predicted_break_is_not_said_to_be_unpredicted(tops):
    data = tops.copy(deep=True)
    data["bump"][:] = np.nan
    found = locate_breaks(data, TOY)
    assert {one.verdict for one in found.kinds} == {Verdict.UNDERPOWERED}
    assert "3 of 3 slices have too few finite runs or places" in str(found)
    foretold = locate_breaks(data, formed(TOY))
    assert {one.verdict for one in foretold.kinds} == {Verdict.OUT_OF_SCOPE}


def loud(replicates, seed):
    """Curves of three tops with so much noise that few replicates do not tell them."""
    data = sweep({"place": PLACES, "top": [1.0, 2.0, 3.0]}, replicates=replicates, seed=seed)
    noise = np.random.default_rng(seed).standard_normal(data["bump"].shape)
    return data.assign(bump=data["bump"] + 0.4 * noise)


def test_replicates_that_would_tell_the_breaks_are_named_and_do(monkeypatch):
    top = dataclasses.replace(TOY, breaks=TOY.breaks[:1])
    asked = locate_breaks(loud(6, 0), top, remedies=True)
    assert asked.verdict is Verdict.UNDERPOWERED
    (advice,) = asked.remedies.values()
    assert advice.replicates is not None
    assert f"top: {advice.line}" in str(asked)
    assert advice.line in asked._repr_html_()
    assert asked.to_json()["kinds"][0]["remedy"] == advice._asdict()
    then = [locate_breaks(loud(advice.replicates, seed), top).verdict for seed in range(1, 5)]
    assert then.count(Verdict.AGREES) >= 3
    fewer = [locate_breaks(loud(6, seed), top).verdict for seed in range(1, 5)]
    assert fewer.count(Verdict.AGREES) <= 1
    assert advice.replicates < 64 * 6
    monkeypatch.setattr("ci_theory.check.break_remedy.MOST", 2)
    (none,) = locate_breaks(loud(6, 0), top, remedies=True).remedies.values()
    assert none == (None, "more than 12 replicates would be needed")


def test_no_replicates_are_named_where_they_would_not_do(tops):
    def holed(params, world):
        value = jnp.exp(-0.5 * (params.place - params.top) ** 2)
        return exact(jnp.where(params.place > 4.5, jnp.nan, value))

    lost = tops.copy(deep=True)
    lost["bump"][:] = np.nan
    for data, phenomenon in (
        (tops, TOY),  # it tells
        (tops, with_bump(holed)),
        (lost, TOY),
        (loud(6, 0).assign_attrs(dtype="float32"), TOY),
    ):
        assert locate_breaks(data, phenomenon, remedies=True).remedies == {}
    assert locate_breaks(loud(6, 0), TOY).remedies == {}


def test_breaks_of_axes_that_were_not_swept_are_not_looked_for(tops):
    elsewhere = Break(name="elsewhere", axis="noise", measure="bump", locator=TOY.breaks[0].locator)
    found = locate_breaks(tops, dataclasses.replace(TOY, breaks=(elsewhere,)))
    assert found.found == ()
    assert found.table() == []
    assert (found.verdict, found.exit_code) == (Verdict.OUT_OF_SCOPE, 3)


def test_runs_that_never_break_are_told_as_such(tops):
    """The third slice stays below the level to its end: censored, as the formula says."""
    reaches = Break(name="reaches", axis="place", measure="bump", locator=Survival(level=0.7))
    toy = dataclasses.replace(TOY, breaks=(reaches,))
    report = locate_breaks(tops, toy)
    first, _, late = report.found
    assert (first.measured.status, first.measured.reached) == (Status.OK, 30)
    assert (late.measured.status, late.predicted.status) == (Status.CENSORED, Status.NO_BREAK)
    assert late.measured.reached == 0
    assert late.agrees is True
    assert late.covers is None
    assert report.table()[2]["measured"] == "not by the end [5, inf]"
    assert "0 of 30 runs broke" in report.table()[2]["note"]
    body = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert body["breaks"][2]["measured"]["reached"] == 0
    # a prediction that breaks before the runs were given up is contradicted
    early = dataclasses.replace(with_bump(shifted(-7.0)), breaks=(reaches,))
    assert locate_breaks(tops, early).found[2].agrees is False


def test_runs_that_diverge_never_break_and_few_places_are_no_axis(tops):
    data = tops.copy(deep=True)
    data["bump"][2:, 0, :20] = np.nan  # two thirds of the runs are lost early
    reaches = Break(name="reaches", axis="place", measure="bump", locator=Survival(level=0.7))
    toy = formed(dataclasses.replace(TOY, breaks=(reaches,)))
    found = locate_breaks(data, toy).found[0].measured
    assert (found.status, found.reached, found.replicates) == (Status.CENSORED, 10, 30)
    assert found.low == pytest.approx(locate_breaks(tops, toy).found[0].measured.high, abs=1.0)
    assert locate_breaks(data.isel(place=[0, 1]), toy).found == ()


def test_a_break_may_look_at_the_end_of_an_axis_only(tops):
    ends = dataclasses.replace(TOY.breaks[0], last=("top",))
    report = locate_breaks(tops, dataclasses.replace(TOY, breaks=(ends,)))
    assert [one.at for one in report.found] == [{"top": 9.0}]
    untold = formed(dataclasses.replace(TOY, breaks=(ends,)))
    assert "no prediction speaks" in locate_breaks(tops, untold).note


def test_a_sweep_of_true_predictions_is_called_wrong_as_often_as_its_level_says():
    """120 sweeps of 6 slices: the level is for a sweep, the 95 % for each interval by itself."""
    x, tops = np.linspace(0.0, 4.0, 7), np.linspace(1.9, 2.2, 6)
    truth = np.exp(-0.5 * (x[:, None, None] - tops[:, None]) ** 2)
    toy = formed(dataclasses.replace(TOY, breaks=TOY.breaks[:1]), BUMP)
    attrs = {"fixed": json.dumps({"family": "plain", "noise": 1.0, "scale": 1.0})}
    rng = np.random.default_rng(11)
    alarms, covers = 0, []
    for _ in range(120):
        runs = truth + 0.1 * rng.standard_normal((7, 6, 12))
        dims = ("place", "top", "replicate")
        data = xarray.Dataset({"bump": (dims, runs)}, {"place": x, "top": tops}, attrs)
        found = locate_breaks(data, toy, level=0.1)
        alarms += found.exit_code == 1
        covers += [one.covers for one in found.found]
    assert None not in covers
    # binomial with 120 tries at 0.1, and 720 at 0.05: three and a half deviations
    assert 0.004 < alarms / 120 < 0.196
    assert 0.021 < covers.count(False) / len(covers) < 0.079


def test_the_level_is_shared_by_the_slices_about_which_a_prediction_speaks(tops):
    """Six slices of two kinds; a kind without a prediction takes no share."""
    for toy, share in ((TOY, 1e-3 / 6), (with_bump(shifted(0.0)), 1e-3 / 6)):
        one = locate_breaks(tops, toy).found[1]
        alone = locate_breaks(tops.isel(top=[1]), toy, level=2 * share).found[0]
        assert one.judged == alone.judged
    silent = Break(name="power", axis="place", measure="power", locator=TOY.breaks[0].locator)
    more = dataclasses.replace(with_bump(shifted(0.0)), breaks=(*TOY.breaks, silent))
    assert locate_breaks(tops, more).found[1].judged == one.judged
    for level in (0.0, 1.0, float("nan")):
        with pytest.raises(BadInput, match="level = "):
            locate_breaks(tops, TOY, level=level)


def test_table_and_json(tops):
    report = locate_breaks(tops, TOY)
    rows = report.table()
    assert len({tuple(row) for row in rows}) == 1
    assert all(isinstance(v, str) for row in rows for v in row.values())
    assert rows[1]["at"] == "top=2.3"
    assert rows[1]["covers"] == "yes"
    body = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert len(body["breaks"]) == 6
    assert body["breaks"][2]["measured"]["value"] is None
    assert body["breaks"][2]["measured"]["status"] == "NO_BREAK"
    assert "intervals miss" in body["note"]
