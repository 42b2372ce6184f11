"""Predictions as a forecast's record tells them, and mistakes that name what they change."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from declared_toy import PREDICTION, Measures, changed, mistaken

from ci_theory import BadInput, Status
from ci_theory._record import record
from ci_theory.phenomena import Bound, Prediction, predict, predicted, predictions


def _many(params):
    return params.n > 5


@record
class Forecast:
    error: Any = predicted(statement="noise / n")
    low_error: Any = predicted(
        "error",
        statement="noise / (n + 1)",
        scope="many rows",
        order="1/n",
        source="a guess",
        where=_many,
        closed=True,
        status="low_status",
    )
    beside: Any
    status: Any
    low_status: Any


FAMILY = {"scope": "everywhere", "order": "exact", "source": "derived here"}


def forecast(params, world):
    low = params.noise / (params.n + 1)
    return Forecast(
        error=params.noise / params.n, low_error=low, beside=7.0, status=0, low_status=0
    )


def declared(**change):
    told = {"forecast": forecast, "predictions": predictions(Forecast, **FAMILY), "mistakes": ()}
    return changed(
        **{**told, "bounds": lambda params, made: {"low_error": Bound(0.5, True)}, **change}
    )


def test_an_entry_says_its_own_words_and_the_family_the_rest():
    error, low = predictions(Forecast, **FAMILY)
    assert error == PREDICTION
    words = {"statement": "noise / (n + 1)", "scope": "many rows", "order": "1/n"}
    more = {"source": "a guess", "where": _many, "closed": True, "status": "low_status"}
    assert low == Prediction(name="low_error", measure="error", **words, **more)


def test_that_no_solver_stands_behind_them_may_be_said_once_too():
    @record
    class Both:
        error: Any = predicted(statement="noise / n")
        kept: Any = predicted(statement="solved", closed=False)

    for family in (False, True):
        told = predictions(Both, **FAMILY, closed=family)
        assert [one.closed for one in told] == [family, False]


@pytest.mark.parametrize("left_out", FAMILY)
def test_what_neither_says_is_refused(left_out):
    words = {k: v for k, v in FAMILY.items() if k != left_out}
    with pytest.raises(BadInput, match=f"'a toy': prediction error: {left_out} says nothing"):
        changed(forecast=forecast, predictions=predictions(Forecast, **words))


def test_what_declares_no_predictions_is_refused():
    class Tuple(NamedTuple):
        error: Any = predicted(statement="noise / n")

    with pytest.raises(BadInput, match=r"^predictions\(Tuple\): it is not a record, see @record"):
        predictions(Tuple, **FAMILY)
    with pytest.raises(BadInput, match=r"^predictions\(Measures\): no entry of it is predicted"):
        predictions(Measures, **FAMILY)


def test_an_entry_without_a_measure_of_its_name_is_refused():
    @record
    class Misspelt:
        eror: Any = predicted(statement="noise / n")

    with pytest.raises(BadInput, match="unknown measure 'eror' in prediction eror: did you mean"):
        changed(predictions=predictions(Misspelt, **FAMILY), mistakes=())


def test_nothing_stands_in_for_an_entry_that_is_missing():
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'error'"):
        Forecast(low_error=0.0, beside=0.0, status=0, low_status=0)


def test_a_declared_forecast_is_predicted():
    found = predict(declared(), {"n": [4, 8], "noise": 1.0})
    np.testing.assert_allclose(found["error"].estimate.value, [1 / 4, 1 / 8])
    np.testing.assert_allclose(found["low_error"].estimate.value, [np.nan, 1 / 9])
    assert found["low_error"].estimate.status.tolist() == [Status.OUT_OF_SCOPE, Status.OK]


CHANGES = {
    "read off": ({}, lambda params, made: {"error": made.beside}, [7.0, 7.0]),
    "read off elsewhere": (
        {"params": lambda params: {"n": 2 * params.n}},
        lambda params, made: {"error": made.error + params.n},
        [1 / 8 + 4, 1 / 16 + 8],
    ),
    "what is not named is as elsewhere": (
        {"params": lambda params: {"n": 2 * params.n}},
        lambda params, made: {"beside": 0.0},
        [1 / 8, 1 / 16],
    ),
}


@pytest.mark.parametrize(("more", "change", "said"), CHANGES.values(), ids=CHANGES)
def test_a_mistake_names_the_entries_that_it_reads_off_otherwise(more, change, said):
    wrong = mistaken(forecast=change, **more).mistakes
    found = predict(declared(mistakes=wrong), {"n": [4, 8], "noise": 1.0})["error"]
    np.testing.assert_allclose(found.estimate.value, [1 / 4, 1 / 8])
    np.testing.assert_allclose(found.decoys["doubled"], said)


def test_of_a_named_tuple_too():
    """The other form of a forecast."""
    found = predict(mistaken(forecast=lambda params, made: {"error": 3.0}), {})["error"]
    assert found.decoys["doubled"].tolist() == [3.0]


@pytest.mark.parametrize("toy", [declared, changed], ids=["a record", "a named tuple"])
def test_a_mistake_about_an_entry_that_is_not_there_is_refused(toy):
    wrong = mistaken(forecast=lambda params, made: {"eror": 1.0}).mistakes
    says = "unknown entry of the forecast 'eror' in mistake doubled: did you mean 'error'"
    with pytest.raises(BadInput, match=says):
        predict(toy(mistakes=wrong), {})
