import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_theory import BadInput
from ci_theory._record import axes_of, record, static, traced
from ci_theory.sweeps import Range, parse_value, values_for


@record
class Params:
    n: int = traced(1, low=1, doc="count")
    noise: float = traced(0.0, low=0, doc="noise")
    word: str = static("a", doc="word")
    flag: bool = static(False, doc="flag")


AXES = axes_of(Params)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-1e-3", -1e-3),
        ("true", True),
        ("word", "word"),
        ("1,2.5,x", (1, 2.5, "x")),
        ("7,", (7,)),
        ("[1, 2.5]", (1, 2.5)),
        ("[7]", (7,)),
        ("[1, 2.5, ]", (1, 2.5)),
        (" [7,] ", (7,)),
        ("lin(0,1,3)", (0.0, 0.5, 1.0)),
        ("linspace( 0, 1, 3 )", (0.0, 0.5, 1.0)),
        ("geom(1000,10,3)", (1000.0, 100.0, 10.0)),
        ("log(-3,-1,3)", (0.001, 0.01, 0.1)),
        ("lin(-0.3,0.3,7)", (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)),
    ],
)
def test_reads_values(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value) or isinstance(found, Range)


def test_words_stay_words_in_a_string_parameter():
    assert parse_value("1", AXES["word"]) == "1"
    assert parse_value("true,2", AXES["word"]) == ("true", "2")


def test_ranges_agree_with_numpy_to_twelve_digits():
    for rule, ends in (("lin", (3, 500, 41)), ("geom", (3, 500, 41)), ("log", (-8, 2, 33))):
        made = parse_value(f"{rule}{ends}")
        oracle = getattr(np, f"{rule}space")(*ends)
        np.testing.assert_allclose(made, oracle, rtol=1e-11)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a value is missing"),
        ("1,,2", "a value is missing"),
        ("gemo(1,2,3)", "did you mean 'geom'"),
        ("geom(1,2)", "expected [first, last, count]"),
        ("geom(0,2,3)", "both ends must be > 0"),
        ("geom(-1,2,3)", "both ends must be > 0"),
        ("lin(1,1,3)", "two different finite ends"),
        ("lin(1,inf,3)", "two different finite ends"),
        ("lin(1,nan,3)", "two different finite ends"),
        ("log(1,400,3)", "overflow"),
        ("lin(0,1,1)", "whole number in 2..1000000"),
        ("lin(0,1,2.5)", "whole number in 2..1000000"),
        ("lin(0,1,nan)", "whole number in 2..1000000"),
        ("lin(0,1,1e9)", "whole number in 2..1000000"),
        ("lin(a,1,3)", "expected three numbers"),
        ("lin(1,2,3),4", "expected a value, a list"),
    ],
)
def test_malformed_values_are_told_in_a_line(text, message):
    with pytest.raises(BadInput) as told:
        parse_value(text)
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_values_get_the_parameters_type():
    assert values_for(AXES["n"], [3.0, 4]) == (3, 4)
    assert values_for(AXES["n"], np.arange(1, 3)) == (1, 2)
    assert [type(v) for v in values_for(AXES["noise"], (1, 0))] == [float, float]
    assert values_for(AXES["n"], parse_value("geom(1,10,8)")) == (1, 2, 3, 4, 5, 7, 10)
    assert values_for(AXES["flag"], [True, False]) == (True, False)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("n", [], "empty"),
        ("n", 3, "expected a list"),
        ("n", "34", "expected a list"),
        ("n", [1, 1.0], "value 1 twice"),
        ("n", [2.5], "whole number"),
        ("n", [0], ">= 1"),
        ("n", [True], "whole number"),
        ("n", ["1"], "whole number"),
        ("n", [10**400], "too large"),
        ("n", [1e300], "too large"),
        ("noise", [10**400], "too large"),
        ("noise", [float("nan")], "finite"),
        ("noise", [-1], ">= 0"),
        ("noise", [0.0, -0.0], "twice"),
        ("word", [1], "a string"),
        ("flag", [1], "true or false"),
    ],
)
def test_bad_values_are_told_with_their_key(name, values, message):
    with pytest.raises(BadInput, match=name) as told:
        values_for(AXES[name], values)
    assert message in str(told.value)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=30) | st.from_regex(r"(geom|lin|log)\(.*\)"))
def test_any_text_is_a_value_or_one_line(text):
    try:
        message = repr(parse_value(text))
    except BadInput as told:
        message = str(told)
    assert "\n" not in message


@pytest.mark.parametrize(
    "text", ["1_000", "1_0.5", "١٢", "１２", "٣.٥", "1e1_0", "1,٢", "lin(1,2,٣)", "lin(1_0,20,3)"]
)
def test_a_number_is_written_in_plain_digits(text):
    """Python reads underscores and the digits of every script; whoever typed them meant a word."""

    def read(axis):
        value = parse_value(text, axis)
        return values_for(axis, value if isinstance(value, tuple) else (value,))

    for axis in (AXES["n"], AXES["noise"]):
        with pytest.raises(BadInput, match=r"must be a|expected three numbers") as caught:
            read(axis)
        assert "\n" not in str(caught.value)
    assert parse_value("a_٣", AXES["word"]) == "a_٣"


def test_a_long_list_is_checked_in_one_pass():
    """80 000 values took two minutes: every one was sought among all before it."""
    values = [0.5 * i for i in range(80_000)]
    began = time.process_time()
    assert values_for(AXES["noise"], values) == tuple(values)
    with pytest.raises(BadInput, match=r"noise has the value 39999\.5 twice"):
        values_for(AXES["noise"], [*values, 39999.5])
    assert time.process_time() - began < 10
