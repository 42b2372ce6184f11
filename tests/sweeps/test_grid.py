import dataclasses
from unittest import mock

import pytest
import sweep_toys.line  # noqa: F401 - sweep files may name what has been imported
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_theory import BadInput
from ci_theory.phenomena import load
from ci_theory.sweeps import Sweep, grid, read_sweep

GOOD = """
phenomenon = "sweep_toys.line"
replicates = 3
seed = 7
title = "A line"
paired = ["slope"]

[axes]
n = {geom = [5, 40, 4]}
slope = [1, 2]
up.noise = [0.5, 0.25]
ridge = {log = [-2, 0, 3]}

[fixed]
p = 4
shape = "steep"
up.rows = 6
"""


def write(tmp_path, text):
    path = tmp_path / "toy.toml"
    path.write_text(text)
    return path


def test_reads_a_file(tmp_path):
    sweep = read_sweep(write(tmp_path, GOOD))
    assert sweep.axes == {
        "n": (5, 10, 20, 40),
        "slope": (1.0, 2.0),
        "up.noise": (0.5, 0.25),
        "ridge": (0.01, 0.1, 1.0),
    }
    assert list(sweep.axes) == ["n", "slope", "up.noise", "ridge"]
    assert sweep.fixed == {"p": 4, "shape": "steep", "up.rows": 6}
    assert sweep.completed().fixed == {**sweep.fixed, "mirrored": False, "degree": 1}
    assert (sweep.replicates, sweep.seed, sweep.paired) == (3, 7, ("slope",))
    assert (sweep.name, sweep.title, sweep.cells) == ("toy", "A line", 48)
    assert sweep.validated() == sweep


def test_overrides_fix_and_vary(tmp_path):
    path = write(tmp_path, GOOD)
    given = {"n": "7", "p": "2,3", "shape": "flat", "ridge": "lin(0,1,3)", "seed": "1"}
    sweep = read_sweep(path, {**given, "replicates": "9", "paired": "n,p", "name": "other"})
    assert sweep.axes["p"] == (2, 3)
    assert sweep.axes["ridge"] == (0.0, 0.5, 1.0)
    assert "n" not in sweep.axes
    assert sweep.fixed["n"] == 7
    assert sweep.fixed["shape"] == "flat"
    assert (sweep.seed, sweep.replicates, sweep.name) == (1, 9, "other")
    assert sweep.paired == ("n", "p")


def test_quoted_names_are_nested_names(tmp_path):
    text = 'phenomenon = "sweep_toys.line"\n[axes]\n"up.noise" = [1, 2]'
    assert read_sweep(write(tmp_path, text)).axes == {"up.noise": (1.0, 2.0)}


HEAD = 'phenomenon = "sweep_toys.line"\n'
BAD = {
    "unknown phenomenon": ('phenomenon = "ridge_peek"', "did you mean 'ridge_peak'"),
    "no phenomenon": ("seed = 1", "'phenomenon' is missing"),
    "relative phenomenon": ('phenomenon = "..x"', "dotted module path"),
    "phenomenon of a wrong type": ("phenomenon = 3", "must be a string"),
    "module without one": ('phenomenon = "os.path"', "defines no PHENOMENON"),
    "no such module": ('phenomenon = "no_such.module"', "is a module outside ci_theory"),
    "unknown key": (HEAD + "sed = 1", "did you mean 'seed'"),
    "parameter at the top": (HEAD + "n = 1", "belongs in [fixed] or [axes]"),
    "unknown axis": (HEAD + "[axes]\nridg = [1]", "did you mean 'ridge'"),
    "unknown fixed value": (HEAD + "[fixed]\nslop = 1", "did you mean 'slope'"),
    "unknown nested axis": (HEAD + "[axes]\nup.nose = [1]", "did you mean 'up.noise'"),
    "unknown nested table": (HEAD + "[fixed]\nupp.noise = 1", "unknown fixed value 'upp'"),
    "key with a newline": (HEAD + '[axes]\n"a\\nb" = [1]', "unknown axis 'a\\nb'"),
    "unknown range": (HEAD + "[axes]\nn = {gemo = [1, 2, 3]}", "did you mean 'geom'"),
    "two ranges": (HEAD + "[axes]\nn = {lin = [1, 2, 3], log = [1, 2, 3]}", "expected one range"),
    "range without count": (HEAD + "[axes]\nn = {lin = [1, 2]}", "[first, last, count]"),
    "one value as axis": (HEAD + "[axes]\nn = 3", "expected a list or a range"),
    "list as fixed value": (HEAD + "[fixed]\nn = [3]", "several make an axis"),
    "table as fixed value": (HEAD + "[fixed]\nn = {lin = [1, 2, 3]}", "whole number"),
    "axes is no table": (HEAD + "axes = 3", "must be a table"),
    "wrong type": (HEAD + '[fixed]\nn = "3"', "n = '3': must be a whole number"),
    "date": (HEAD + "[fixed]\nslope = 2020-01-01", "must be a number"),
    "boolean as number": (HEAD + "[fixed]\nslope = true", "must be a number"),
    "out of range": (HEAD + "[axes]\nup.noise = [1, -1]", "up.noise = -1: must be >= 0"),
    "bad choice": (HEAD + '[fixed]\nshape = "stepe"', "did you mean 'steep'"),
    "not finite": (HEAD + "[fixed]\nslope = nan", "must be finite"),
    "empty axis": (HEAD + "[axes]\nn = []", "n is empty"),
    "duplicate axis": (HEAD + "[axes]\nn = [1]\nn = [2]", "not valid TOML"),
    "duplicate nested": (HEAD + '[axes]\nup.noise = [1]\n"up.noise" = [2]', "up.noise twice"),
    "fixed nested twice": (HEAD + '[fixed]\nup.noise = 1\n"up.noise" = 2', "up.noise twice"),
    "axis and fixed": (HEAD + "[axes]\nn = [1]\n[fixed]\nn = 2", "both an axis and a fixed"),
    "duplicate values": (HEAD + "[axes]\nn = [1, 2, 1]", "the value 1 twice"),
    "replicates 0": (HEAD + "replicates = 0", "replicates = 0: must be a whole number"),
    "replicates 1.5": (HEAD + "replicates = 1.5", "must be a whole number"),
    "replicates true": (HEAD + "replicates = true", "replicates = True: must be a whole number"),
    "seed true": (HEAD + "seed = true", "seed = True: must be a whole number"),
    "seed too large": (HEAD + "seed = 4294967296", "seed = 4294967296"),
    "negative seed": (HEAD + "seed = -1", "in 0..4294967295"),
    "paired is a word": (HEAD + 'paired = "n"', "must be a list of axis names"),
    "paired unknown": (HEAD + 'paired = ["m"]', "unknown axis 'm' in paired"),
    "paired twice": (HEAD + 'paired = ["n", "n"]', "named twice"),
    "rule": (
        HEAD + '[fixed]\nshape = "steep"\n[axes]\np = [50, 51]',
        "at most 50 columns (at p = 51",
    ),
    "name of a wrong type": (HEAD + "name = 3", "name = 3: must be a string"),
    "huge whole number": (HEAD + f"[fixed]\nn = {10**300}", "too large"),
    "huge grid": (
        HEAD + "[axes]\nridge = {lin = [0, 1, 100000]}\nslope = {lin = [0, 1, 100000]}",
        "1e+10 cells x 1 replicates x 2 measures = 160 GB",
    ),
    "too many runs": (
        HEAD + "replicates = 90\n[axes]\nslope = {lin = [0, 1, 200000]}",
        "2e+05 cells x 90 replicates = 1.8e+07 runs",
    ),
    "invalid TOML": ("phenomenon = ", "not valid TOML"),
    "not text": ("\udcff", "not UTF-8"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_that_names_the_file(case, tmp_path):
    text, message = BAD[case]
    path = tmp_path / "toy.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BadInput) as told:
        read_sweep(path)
    assert message in str(told.value)
    assert str(told.value).startswith(str(path))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"m": "1"}, "unknown key 'm'"),
        ({"n": "geom(1,x,3)"}, "expected three numbers"),
        ({"n": "-3"}, "n = -3: must be >= 1"),
        ({"seed": "x"}, "seed = 'x'"),
        ({"phenomenon": "x"}, "unknown phenomenon 'x'"),
    ],
)
def test_mistakes_in_overrides(overrides, message, tmp_path):
    with pytest.raises(BadInput) as told:
        read_sweep(write(tmp_path, GOOD), overrides)
    assert message in str(told.value)


def test_unreadable_files(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(BadInput, match="cannot be read"):
            read_sweep(path)


def test_a_sweep_in_python_is_checked_alike():
    with pytest.raises(BadInput, match="did you mean 'ridge'"):
        Sweep(phenomenon="sweep_toys.line", axes={"rige": (1,)}).validated()


def test_a_huge_grid_is_ruled_on_the_ends_of_its_inner_axes(monkeypatch):
    monkeypatch.setattr(grid, "MOST_RULED", 10)
    axes = {"p": (1, 51), "ridge": tuple(float(i) for i in range(30))}
    sweep = Sweep(phenomenon="sweep_toys.line", axes=axes)
    assert sweep.validated().cells == 60
    with pytest.raises(BadInput, match="at most 50 columns"):
        dataclasses.replace(sweep, fixed={"shape": "steep"}).validated()


def one_line_or_sweep(read):
    try:
        return isinstance(read(), Sweep)
    except BadInput as told:
        return "\n" not in str(told)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.sampled_from(["lin", "geom", "log", "noise", "x"]), inside, max_size=2)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["n", "p", "slope", "ridge", "up", "up.noise", "shape", "lin"])
TABLE = st.dictionaries(KEYS, VALUES, max_size=3)


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "phenomenon": st.just("sweep_toys.line") | VALUES,
            "axes": TABLE | VALUES,
            "fixed": TABLE | VALUES,
            "replicates": VALUES,
            "seed": VALUES,
            "paired": VALUES,
            "name": VALUES,
        },
    ),
    st.dictionaries(KEYS, st.text(max_size=12), max_size=2),
)
def test_any_table_is_a_sweep_or_one_line(tmp_path_factory, table, overrides):
    table.setdefault("phenomenon", "sweep_toys.line")
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.touch()
    with mock.patch("tomllib.loads", return_value=table):
        assert one_line_or_sweep(lambda: read_sweep(path, overrides))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_file_is_a_sweep_or_one_line(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_bytes(data)
    with pytest.raises(BadInput):
        read_sweep(path)


def test_of_a_huge_grid_both_ends_of_an_inner_axis_are_ruled(monkeypatch):
    monkeypatch.setattr(grid, "MOST_RULED", 10)
    line = load("sweep_toys.line")
    axes = {"ridge": tuple(float(i) for i in range(30))}
    for end, there in ((0.0, True), (29.0, True), (15.0, False)):
        ruled = dataclasses.replace(
            line, rule=lambda params, end=end: "it may not" if params.ridge == end else None
        )
        sweep = Sweep(phenomenon="sweep_toys.line", axes=axes).completed()
        if there:
            with pytest.raises(BadInput, match="it may not"):
                grid._check_rule(sweep, ruled)
        else:
            grid._check_rule(sweep, ruled)
