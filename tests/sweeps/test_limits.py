"""What is said of sizes and times, and the ends of what values and grids may be, told exactly."""

import pytest

from ci_theory import BadInput
from ci_theory._record import axes_of, inner, record, sized, static, traced
from ci_theory.sweeps import DryRun, Range, Sweep, estimate
from ci_theory.sweeps import grid as grids
from ci_theory.sweeps import values as readings
from ci_theory.sweeps.parts import target_of
from ci_theory.sweeps.schema import Each, mismatch
from ci_theory.sweeps.values import make_range, parse_value, single, values_for

# --- words ----------------------------------------------------------------------------------------


def test_the_words_of_a_dry_run():
    told = DryRun(1234, 40000, 9, 2, 2.5e6, 1234567.0, 200.0, done=0, reused=0)
    assert str(told).splitlines() == [
        "cells             1,234",
        "runs              40,000",
        "compilations      2",
        "chunks            9",
        "memory per chunk  2.5 MB",
        "results           1.23 MB",
        "estimated time    3.3 min",
    ]


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (0.5, "0.5 B"), (999, "999 B"), (999.7, "1000 B"), (1001, "1 kB"),
     (2.5e6, "2.5 MB"),
     (7e9, "7 GB"), (8e12, "8 TB"), (9e16, "90000 TB")],
)  # fmt: skip
def test_bytes_in_words(count, words):
    assert estimate._bytes(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (119, "120 s"), (120, "2 min"), (3600, "60 min"), (7200, "2 h"),
     (86400, "24 h"), (172800, "2 d"), (1e6, "12 d"), (1e7, "120 d"), (6999, "120 min")],
)  # fmt: skip
def test_times_in_words(seconds, words):
    assert estimate._duration(seconds) == words


PATTERN = {
    "name": str,
    "pair": (str, [int | None]),
    "by": Each({"x": float}),
    "on": bool,
    "shares": [float],
}
GOOD = {
    "name": "a",
    "pair": ["b", [1, None]],
    "by": {"k": {"x": 1.0}, "m": {"x": 2.0}},
    "on": True,
    "shares": [],
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"shares": [0.5, 1]}, "shares[1] = 1: expected a number"),
        ({"on": 1}, "on = 1: expected true or false"),
        ({"on": None}, "on = null: expected true or false"),
        ({"name": 3}, "name = 3: expected a text"),
        ({"pair": ["b"]}, "pair = ['b']: expected a list of 2"),
        ({"pair": {}}, "pair = {}: expected a list"),
        ({"pair": ["b", [True]]}, "pair[1][0] = True: expected a whole number or null"),
        ({"pair": [1, []]}, "pair[0] = 1: expected a text"),
        ({"by": []}, "by = []: expected an object"),
        ({"by": {"k": {"x": 1.0}, "m": {}}}, "by.m.x is missing"),
        ({"by": {"k\n": {"x": 2}}}, "by.k\\n.x = 2: expected a number"),
        ({"more": 1}, "more is not known"),
    ],
)
def test_data_of_another_shape_are_told_with_their_place(change, told):
    assert mismatch({**GOOD, **change}, PATTERN) == told
    if told:
        inside = mismatch({"a": [{**GOOD, **change}]}, {"a": [PATTERN]})
        assert inside == f"a[0].{told}"


def test_data_of_another_shape_have_a_place_of_their_own():
    assert mismatch([], PATTERN) == "it = []: expected an object"
    assert mismatch(1, str, "there") == "there = 1: expected a text"
    assert mismatch({}, {"a": int}) == "a is missing"


def test_temporary_files_are_known_by_their_whole_name():
    assert target_of("000-000001.npz.71-0badcafe.tmp") == "000-000001.npz"
    for other in ("x.71-0badcafe.tmp.old", "x.71-.tmp", "x.-0b.tmp", "x.71-0BAD.tmp", "x.tmp"):
        assert target_of(other) is None


# --- values ---------------------------------------------------------------------------------------


@record
class Params:
    n: int = sized(5, low=1, doc="rows")
    noise: float = traced(0.5, low=0, doc="noise")
    word: str = static("a", doc="word")
    ridge: float = inner(1.0, doc="ridge")


AXES = axes_of(Params)


def test_the_ends_of_what_a_value_may_be():
    whole = 2**53
    assert values_for(AXES["n"], [whole]) == (whole,)
    for value in (whole + 1, float(whole + 2)):
        with pytest.raises(BadInput, match="too large"):
            values_for(AXES["n"], [value])
    with pytest.raises(BadInput) as told:
        values_for(AXES["noise"], [-whole - 1])
    assert str(told.value) == "noise: a whole number beyond 2^53 is too large"
    assert values_for(AXES["ridge"], [-whole]) == (-float(whole),)


def test_the_ends_of_what_a_list_or_a_range_may_be(monkeypatch):
    monkeypatch.setattr(readings, "MOST_VALUES", 4)
    assert (
        len(values_for(AXES["noise"], [1, 2, 3, 4])) == len(make_range("lin", [0, 1, 4], "x")) == 4
    )
    with pytest.raises(BadInput, match=r"^axis noise has 5 values: at most 4$"):
        values_for(AXES["noise"], [1, 2, 3, 4, 5])
    with pytest.raises(BadInput, match=r"^x: lin: count = 5: must be a whole number in 2\.\."):
        make_range("lin", [0, 1, 5], "x")
    assert make_range("lin", [0, 1, 2], "x") == Range((0.0, 1.0))
    assert make_range("lin", [0, 1, 2.0], "x") == (0.0, 1.0)
    assert make_range("geom", [1e-300, 1, 2], "x") == (1e-300, 1.0)
    assert make_range("lin", [-1e299, 1e299, 3], "x") == (-1e299, 0.0, 1e299)
    for ends in ([1e300, 1], [1, -1e300]):
        with pytest.raises(BadInput, match="two different finite ends"):
            make_range("lin", [*ends, 3], "x")
    # a zero among them is one, also where rounding missed it; what is small by itself stays
    assert make_range("lin", [-0.1, 0.3, 4], "x") == pytest.approx((-0.1, 0.1 / 3, 0.5 / 3, 0.3))
    assert 0.0 in make_range("linspace", [-0.3, 0.6, 4], "x")
    assert make_range("lin", [1e-11, 1, 2], "x")[0] == 1e-11
    assert make_range("logspace", [-20, 0, 2], "x") == (1e-20, 1.0)
    with pytest.raises(BadInput, match=r"^x: geom = \[1, True, 3\]: expected three numbers$"):
        make_range("geom", [1, True, 3], "x")


def test_one_value_of_an_axis():
    asked = {"where": "mine", "asked": "n=1,2: here"}
    assert single(AXES, "word", "1", **asked) == "1"
    assert type(single(AXES, "noise", "1", **asked)) is float
    for text in ("1,2", "lin(1,2,2)", "1,"):
        with pytest.raises(BadInput, match=r"^n=1,2: here: expected one value$"):
            single(AXES, "n", text, **asked)
    with pytest.raises(BadInput, match=r"unknown axis 'm' in mine"):
        single(AXES, "m", "1", **asked)
    with pytest.raises(BadInput, match="must be >= 1"):
        single(AXES, "n", "0", **asked)


def test_words_before_and_after_the_first_equals_sign():
    assert readings.split(["a = b=c ", "d=1"]) == {"a": "b=c", "d": "1"}
    assert readings.split(None) == {}
    for word in ("a", "a=", "=1", " = "):
        with pytest.raises(BadInput) as told:
            readings.split([word])
        assert str(told.value) == f"'{word}': expected key=value, for example noise=0.5"
    with pytest.raises(BadInput) as told:
        readings.split(["a=1", "a=2"])
    assert str(told.value) == "a is given twice: a=1 and a=2"


def test_what_a_text_is_read_as():
    assert parse_value("[1,2]", AXES["word"]) == ("1", "2")
    assert parse_value("lin(1)", AXES["word"]) == "lin(1)"
    assert parse_value("False") == "False"
    assert [type(v) for v in parse_value("1,1.0,1e0,true")] == [int, float, float, bool]
    with pytest.raises(BadInput, match=r"^n = 'geom\(1,2': expected a value, a list"):
        parse_value("geom(1,2", AXES["n"])


def test_the_largest_grid_is_accepted_and_one_more_run_is_not(monkeypatch):
    monkeypatch.setattr(grids, "MOST_CELLS", 12)
    monkeypatch.setattr(grids, "MOST_RUNS", 6)
    axes = {"n": (1, 2, 3), "ridge": (0.0, 1.0)}
    good = Sweep(phenomenon="sweep_toys.line", axes=axes, replicates=2)
    assert good.validated().cells == 6
    fewer, more = {"n": (1, 2, 3, 4), "ridge": (0.0,)}, {**axes, "degree": (0, 1, 2)}
    for wrong, told in (
        (fewer, "4 cells x 2 replicates = 8 runs; at most 6e+00"),
        (more, "18 cells x 2 replicates x 2 measures = 5.76e-07 GB of results; at most 1e+01 "),
    ):
        with pytest.raises(BadInput) as said:
            Sweep(phenomenon="sweep_toys.line", replicates=2, axes=wrong).validated()
        assert str(said.value).startswith(f"sweep of sweep_toys.line: {told}")


def test_control_characters_are_written_out():
    assert readings.one_line("a\tb\n\x1b é\u202e") == r"a\tb\n\x1b é\u202e"
    assert repr(Range((1.0, 2))) == "Range(1.0, 2)"
