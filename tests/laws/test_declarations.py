"""Declarations are checked where they are made: one line that names the phenomenon and the flaw."""

import dataclasses
import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from declared_toy import (
    BREAK,
    MISTAKE,
    PREDICTION,
    STAGES,
    Forecast,
    Params,
    Up,
    changed,
    made,
    mistaken,
)

from ci_theory import BadInput, Status
from ci_theory._record import axes_of, inner, record, sized, static, traced
from ci_theory._views import hiding
from ci_theory.cli import main
from ci_theory.phenomena import Bound, measured, predict
from ci_theory.phenomena._forecast import told


class Bare:
    """A locator without a level."""

    def locate(self, x, y):
        return None


class Half(Bare):
    """One with a level, and nothing else that the checks ask for."""

    confidence = 0.95


class Deaf(Half):
    """One that says all but how it finds the break of a formula."""

    singly = False
    undivided = matching = None


class Blind(Deaf):
    """One that does not say either whether a peak divides a curve."""

    def matching(self, found):
        return self


def broken(**change):
    return changed(breaks=(dataclasses.replace(BREAK, **change),))


def staged(**change):
    return changed(stages=dataclasses.replace(STAGES, **change))


def fields(**declared):
    """Return the toy with other fields than its own, which its breaks and stages do not ask for."""
    types = {name: type(field.default) for name, field in declared.items()}
    params = record(type("Params", (), {**declared, "__annotations__": types}))
    return changed(params=params, breaks=(), stages=None)


def measures(**declared):
    types = dict.fromkeys(declared, float)
    kind = record(type("Measures", (), {**declared, "__annotations__": types}))
    return changed(measures=kind, predictions=(), mistakes=(), breaks=())


@record
class Switched(Params):
    on: bool = traced(True, doc="a switch")


def switched(**change):
    return changed(params=Switched, breaks=(dataclasses.replace(BREAK, **change),))


WRONG = [
    (lambda: changed(name=""), "a phenomenon's name is '': must be a text"),
    (lambda: changed(claims=(0,)), "claim 0: must be a number in 1..25"),
    (lambda: changed(claims=(26,)), "claim 26: must be a number in 1..25"),
    (lambda: changed(claims=(True,)), "claim True: must be a number in 1..25"),
    (lambda: changed(params=dict), "dict is not a record"),
    (lambda: changed(measures=dict), "measures are not a record"),
    (lambda: made(measure="kept_"), "unknown measure 'kept_' in prediction error: did you mean 'k"),
    (lambda: made(statement=" "), "prediction error: statement says nothing"),
    (lambda: made(scope=""), "prediction error: scope says nothing"),
    (lambda: made(order=""), "prediction error: order says nothing"),
    (lambda: made(source=""), "prediction error: source says nothing"),
    (lambda: made(name=""), "a prediction's name is ''"),
    (lambda: made(name="an error"), "prediction an error: its name is that of an entry"),
    (lambda: made(where=lambda: True), "prediction error: where() is called with (params)"),
    (lambda: changed(forecast=None), "it predicts, but has no forecast(params, world) to read"),
    (lambda: changed(forecast=lambda params: 0), "forecast(params) is called with (params, world)"),
    (lambda: changed(bounds=lambda params: {}), "bounds(params) is called with (params, made)"),
    (lambda: changed(mistakes=MISTAKE), "mistakes: expected a tuple"),
    (lambda: changed(mistakes=(MISTAKE, MISTAKE)), "mistake doubled is there twice"),
    (lambda: mistaken(why=""), "mistake doubled: why says nothing"),
    (lambda: mistaken(against="error"), "mistake doubled: against must be a tuple of predictions"),
    (lambda: mistaken(against=()), "mistake doubled: against must be a tuple of predictions"),
    (lambda: mistaken(against=("eror",)), "unknown prediction 'eror' in mistake doubled: against"),
    (lambda: mistaken(forecast=None), "mistake doubled changes nothing: expected params or world"),
    (
        lambda: mistaken(params=lambda params: {}, world=lambda params, world: world),
        "mistake doubled changes params and world and forecast: expected params or",
    ),
    (lambda: mistaken(forecast=lambda a: 0.0), "mistake doubled: forecast(a) is called with"),
    (lambda: mistaken(forecast=1), "mistake doubled: forecast: must be a function"),
    (lambda: changed(predictions=(PREDICTION, PREDICTION)), "prediction error is there twice"),
    (lambda: changed(predictions=[PREDICTION]), "predictions: expected a tuple"),
    (lambda: changed(breaks=(BREAK, BREAK)), "break peak is there twice"),
    (lambda: broken(axis="m"), "unknown axis 'm' in break peak"),
    (lambda: broken(axis="kind"), "break peak: axis kind is no number"),
    (lambda: switched(axis="on"), "break peak: axis on is no number"),
    (lambda: broken(measure="errors"), "unknown measure 'errors' in break peak: did you"),
    (lambda: broken(last=("tim",)), "unknown axis 'tim' in break peak: last: did you mean 'time'"),
    (lambda: broken(last=("n",)), "unknown axis 'n' in break peak: last"),
    (lambda: broken(last="time"), "break peak: last = 'time': must be a tuple"),
    (lambda: broken(locator=Params), "break peak: locate: must be a function"),
    (lambda: broken(locator=Bare()), "break peak: its locator has no field confidence"),
    (lambda: broken(locator=Half()), "break peak: its locator does not say whether runs break"),
    (lambda: broken(locator=Deaf()), "break peak: matching: must be a function of (found)"),
    (lambda: broken(locator=Blind()), "break peak: undivided: must be a function of (x, y)"),
    (lambda: broken(closed_form=lambda: 0.0), "break peak: closed_form() is called with (params)"),
    (lambda: changed(simulate=lambda key, params: None), "simulate(key, params) is called with"),
    (lambda: changed(world=lambda: None), "world() is called with (params)"),
    (lambda: changed(rule=lambda: None), "rule() is called with (params)"),
    (lambda: changed(rule=lambda params: 1 / 0), "rule raises ZeroDivisionError at the defaults"),
    (lambda: changed(rule=lambda params: False), "rule returns False at the defaults"),
    (lambda: staged(axis="time"), "unknown whole-number inner field 'time' in stages"),
    (lambda: staged(axis="n"), "unknown whole-number inner field 'n' in stages"),
    (lambda: staged(begin=lambda key: None), "stages: begin(key) is called with"),
    (lambda: staged(advance=lambda key: None), "stages: advance(key) is called with"),
    (lambda: staged(finish=lambda key: None), "stages: finish(key) is called with"),
    (lambda: measures(), "it has no measures"),
    (lambda: measures(up=measured(unit="", doc="d")), "measure up: expected measured(unit"),
    (lambda: measures(up=dataclasses.field(default=0.0)), "measure up: expected measured(unit"),
    (
        lambda: measures(n=measured(unit="1", doc="d")),
        "measure n needs another name: this one is",
    ),
    (lambda: measures(about=measured(unit="1", doc="d")), "measure about needs another name: this"),
    *(
        (lambda name=name: fields(**{name: traced(1.0, doc="d")}), f"field {name} needs another")
        for name in ("status", "replicate", "about", "file", "allow_pickle")
    ),
    (lambda: fields(x=traced(1.0, hgih=2, doc="d")), "unknown bound 'hgih' in field x: did you"),
    (lambda: fields(x=traced(1.0, low=3, high=2, doc="d")), "field x: low = 3 is beyond high = 2"),
    (lambda: fields(x=static(1.0, low=0, above=0, doc="d")), "field x: low and above are both"),
    (lambda: fields(x=static(1.0, above=2, high=2, doc="d")), "field x: nothing lies above 2"),
    (lambda: fields(x=static("a", low=0, doc="d")), "field x: a str has no bounds (low)"),
    (lambda: fields(x=static(True, high=1, doc="d")), "field x: a bool has no bounds (high)"),
    (lambda: fields(x=static(False, above=0, doc="d")), "field x: a bool has no bounds (above)"),
    *(
        (
            lambda name=name, bound=bound: fields(x=static(1.0, **{name: bound}, doc="d")),
            f"field x: {name} = {bound!r}: must be a finite number",
        )
        for name in ("low", "high", "above")
        for bound in ("0", True, float("nan"), float("inf"))
    ),
    (lambda: fields(x=static(1, choices=(1, 2), doc="d")), "field x: choices are for strings"),
    (lambda: fields(x=static("a", choices="abc", doc="d")), "field x: choices = 'abc': must be a"),
    (lambda: fields(x=inner(5.0, high=2, doc="d")), "field x: x = 5.0: must be <= 2"),
    (lambda: fields(x=static("c", choices=("a", "b"), doc="d")), "field x: unknown value of x 'c'"),
    (lambda: fields(x=traced(1.0, doc="")), "field x: doc must say in words"),
    (lambda: fields(x=traced((1, 2), doc="d")), "field x: its type is <class 'tuple'>: must be"),
    (lambda: fields(x=traced("a", doc="d")), "field x: a string cannot be traced"),
    (lambda: fields(x=sized(1.5, doc="d")), "field x: a count cannot be a float"),
    (lambda: fields(x=dataclasses.field(default=1.0)), "field x: expected static(...), traced"),
]


@pytest.mark.parametrize(("make", "says"), WRONG, ids=[says for _, says in WRONG])
def test_a_wrong_declaration_is_refused_in_one_line(make, says):
    with pytest.raises(BadInput) as caught:
        make()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(("phenomenon 'a toy': ", "a phenomenon's name"))


def test_functions_of_every_kind_pass():
    class Called:
        def __call__(self, params, made=None):
            return made

    kinds = {
        "partial": functools.partial(lambda params, made, factor: made, factor=3.0),
        "any": lambda *given: given[1],
        "called": Called(),
        "ufunc": np.add,
        "in C": max,
    }
    mistakes = [
        dataclasses.replace(MISTAKE, name=name, forecast=kind) for name, kind in kinds.items()
    ]
    found = changed(mistakes=tuple(mistakes))
    assert [m.name for m in found.predictions[0].decoys] == list(kinds)


@pytest.mark.parametrize(
    ("made", "bound", "says"),
    [
        (0.5, None, "prediction error: the forecast has no entry error (it is a float)"),
        (Forecast(jnp.zeros(2)), None, "error: error has shape (2,), expected one number"),
        (Forecast(0.0), Bound(jnp.zeros(1), True), "error: slack has shape (1,), expected one"),
        (Forecast(0.0), Bound(0.0, np.array([True])), "error: valid has shape (1,)"),
        (Forecast(0.0, None), None, "error: status is NoneType, expected one number"),
        (Forecast(jnp.asarray(1j)), None, "error: error is complex, expected one real number"),
    ],
)
def test_a_prediction_is_one_number(made, bound, says):
    bounds = {} if bound is None else {"error": bound}
    toy = changed(
        forecast=lambda params, world: made, bounds=lambda params, made: bounds, mistakes=()
    )
    with pytest.raises(BadInput) as caught:
        predict(toy, {})
    here = re.escape(Path(__file__).name)
    assert re.match(
        rf"phenomenon 'a toy', \S*{here}:\d+, in <lambda>: prediction ", str(caught.value)
    )
    assert says in str(caught.value)


def test_a_decoy_is_one_number():
    wrong = mistaken(forecast=lambda params, made: made._replace(error=jnp.ones(3)))
    with pytest.raises(BadInput, match=r"prediction error: decoy doubled: error has shape \(3,\)"):
        predict(wrong, {})


def test_what_is_not_exact_needs_a_slack_and_bounds_speak_of_predictions():
    with pytest.raises(BadInput, match="prediction error is not exact: bounds must give its slack"):
        predict(made(order="1/n"), {})
    misspelt = changed(bounds=lambda params, made: {"eror": Bound(0.0, True)})
    with pytest.raises(BadInput, match="bounds speak of 'eror', which is not predicted"):
        predict(misspelt, {})


def test_mistakes_in_parameters_are_points_of_the_same_theory():
    """A change of the point, and of what is read off there; side by side with the truth."""
    twice = mistaken(
        params=lambda params: {"n": 2 * params.n, "up.noise": 0.0},
        forecast=lambda params, made: made._replace(error=made.error + params.up.noise),
    )
    found = predict(twice, {"n": [4, 8], "noise": 1.0})["error"]
    np.testing.assert_allclose(found.estimate.value, [1 / 4, 1 / 8])
    np.testing.assert_allclose(found.decoys["doubled"], [1 / 8 + 0.5, 1 / 16 + 0.5])
    with pytest.raises(BadInput, match="unknown field 'm' in mistake doubled"):
        predict(mistaken(params=lambda params: {"m": 1}), {})
    with pytest.raises(
        BadInput, match="mistake doubled: kind is a word: only numbers can be changed"
    ):
        predict(mistaken(params=lambda params: {"kind": "b"}), {})


def test_a_mistake_in_the_world_is_the_theory_of_another():
    toy = changed(
        world=lambda params: np.asarray(3.0),
        forecast=lambda params, world: Forecast(world),
        mistakes=(
            dataclasses.replace(MISTAKE, forecast=None, world=lambda params, world: 2 * world),
        ),
    )
    found = predict(toy, {})["error"]
    assert (found.estimate.value[0], found.decoys["doubled"][0]) == (3.0, 6.0)


def test_where_a_formula_does_not_speak_it_has_no_value():
    found = predict(made(where=lambda params: params.n > 5), {"n": [4, 8]})["error"]
    assert np.isnan(found.estimate.value).tolist() == [True, False]
    assert found.estimate.valid.tolist() == [False, True]
    assert found.estimate.status.tolist() == [int(Status.OUT_OF_SCOPE), int(Status.OK)]


def test_a_closed_form_does_not_wait_for_a_solver():
    failing = {"forecast": lambda params, world: Forecast(1.0, int(Status.NOT_CONVERGED))}
    for closed in (False, True):
        one = dataclasses.replace(PREDICTION, closed=closed)
        found = predict(changed(predictions=(one,), **failing), {})["error"]
        assert found.estimate.valid.tolist() == [closed]


def test_each_prediction_has_the_status_of_its_own_solver():
    class Two(NamedTuple):
        error: Any = 1.0
        kept: Any = 2.0
        status: Any = int(Status.OK)
        inner_status: Any = int(Status.NOT_CONVERGED)

    kept = dataclasses.replace(PREDICTION, name="kept", measure="kept", status="inner_status")
    both = (PREDICTION, kept)
    toy = changed(forecast=lambda params, world: Two(), predictions=both, mistakes=())
    found = predict(toy, {})
    status = {name: int(one.estimate.status[0]) for name, one in found.items()}
    assert status == {"error": Status.OK, "kept": Status.NOT_CONVERGED}


def test_what_a_formula_is_worth_is_not_claimed_where_it_does_not_speak():
    """Said by the estimate itself, which curves are drawn of without a check of its status."""
    toy = made(where=lambda params: params.n > 5)
    for n, speaks in ((4, False), (8, True)):
        ((estimate, _),) = told(toy, Params(n=n), None).values()
        assert bool(estimate.valid) is speaks


@pytest.mark.parametrize(
    ("read", "name"),
    [(lambda p: p.noise, "noise"), (lambda p: p.up.noise, "up.noise"), (lambda p: p.n, "n")],
)
def test_a_world_sees_static_fields_only(read, name):
    """Else the value of one point would be used for all that share its static fields."""
    with pytest.raises(BadInput, match=rf"a toy: world reads {name}, which is not static"):
        predict(changed(world=lambda params: np.asarray(float(read(params)))), {"noise": [1, 2]})


def test_a_world_is_given_the_static_fields():
    seen = []
    toy = changed(world=lambda params: seen.append((params.p, params.kind, type(params.up))))
    predict(toy, {"p": [4, 5], "kind": ["b", "a"]})
    assert [one[:2] for one in seen] == [(4, "b"), (5, "a")]
    assert all(issubclass(one[2], Up) for one in seen)


@pytest.mark.parametrize("steps", [np.array([3, 7, 5]), np.array([7]), 7])
def test_a_whole_run_goes_from_the_first_step_to_the_last_that_is_asked_for(steps):
    run = dataclasses.replace(
        STAGES,
        begin=lambda key, params, capacity: (key, capacity),
        advance=lambda key, params, capacity, state, since, until: (*state, since, int(until)),
        finish=lambda key, params, capacity, state: (*state, params.step),
    ).whole("a key", Params(step=steps), {"n": 9})
    assert run == ("a key", {"n": 9}, 0, 7, steps)


def test_a_closed_form_does_not_know_where_on_its_axis_it_is_asked():
    circular = broken(closed_form=lambda params: float(params.n)).breaks[0]
    with pytest.raises(BadInput, match="break peak: closed_form reads n, the axis of which it is"):
        circular.closed_form(Params())
    inside = broken(axis="up.noise", closed_form=lambda params: params.up.noise).breaks[0]
    with pytest.raises(BadInput, match=r"closed_form reads up\.noise"):
        inside.closed_form(Params())
    other = dataclasses.replace(circular, axis="p")  # n may be read there
    assert other.closed_form(Params(n=7)) == 7
    assert BREAK.closed_form(Params(p=4)) == 4


def test_what_is_hidden_cannot_be_reached_and_the_rest_can():
    params = Params(n=3, up=Up(noise=2.0))
    view = hiding(params, {"n": "no n", "up.noise": "no noise"})
    assert isinstance(view, Params)
    assert (view.p, view.noise) == (params.p, params.noise)
    for read in (lambda: view.n, lambda: getattr(view, "n", 1), lambda: view.up.noise):
        with pytest.raises(BadInput, match="no n"):
            read()
    assert params.n == 3
    assert hiding(params, {}) is params


def test_axes_can_be_asked_of_a_record_alone():
    with pytest.raises(BadInput, match="int is not a record"):
        axes_of(int)


def test_a_wrong_module_is_one_line_and_exit_2(tmp_path, monkeypatch, capsys):
    """Before, the prediction was dropped, and `check` said AGREES of what was left."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "__init__.py").touch()
    (tmp_path / "outside" / "misspelt.py").write_text(
        "import dataclasses\n"
        "from ci_theory.phenomena.zipf_learning import PHENOMENON as ZIPF\n"
        "wrong = dataclasses.replace(ZIPF.predictions[0], measure='errors')\n"
        "PHENOMENON = dataclasses.replace(ZIPF, name='misspelt', predictions=(wrong,))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for command in ("predict", "show"):
        assert main([command, "outside.misspelt"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "phenomenon 'misspelt': unknown measure 'errors' in prediction error" in err
        assert err.count("\n") == 1
