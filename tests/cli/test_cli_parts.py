"""Parts of commands by themselves: widths of tables, names of pictures, cells of files."""

import json
import types
from pathlib import Path

import numpy as np
import pytest
import xarray

from ci_theory import BadInput
from ci_theory.cli import columns, examples_file, fit_breaks, lint, output, run
from ci_theory.cli.columns import Columns
from ci_theory.locate.broken import Form
from ci_theory.locate.profile import Interval

# --- tables ---------------------------------------------------------------------------------------


def test_what_wraps_most_gets_the_next_character():
    heads = ["a", "b", "c"]
    rows = [["first", "one two three four", "x y"], ["second", "one", "x"]]
    # whole lines take 8, 20 and 5 with the gaps; words alone 8, 7 and 3
    assert output._shared(33, heads, rows) == [None] * 3
    assert output._shared(32, heads, rows) == [6, 17, 3]
    assert output._shared(18, heads, rows) == [6, 5, 1]
    assert output._shared(17, heads, rows) == [None] * 3
    shared = output._shared(25, heads, rows)
    assert sum(shared) + 6 == 25
    assert shared[0] == 6
    assert output._widths(heads, rows, output._longest_word) == [8, 7, 3]
    assert output._longest_line("ab\nabcd\na") == 4
    assert output._longest_word("  ") == 0


def test_numbers_that_do_not_fit_stand_in_parts_with_the_places_of_each(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    heads = ["n", "r", *(f"measure_{k}" for k in range(7))]
    rows = [[f"{n}00", f"{n}", *(f"-{n}.{k}12345e-05" for k in range(7))] for n in (1, 2)]
    output.print_table(heads, rows, right=heads, keys=2)
    out = capsys.readouterr().out
    told = [line.split() for line in out.splitlines() if line.strip(" ─")]
    assert max(map(len, out.splitlines())) <= 60
    assert [line[:2] for line in told[::3]] == [["n", "r"]] * 3
    for place, row in enumerate(rows, start=1):  # every number once and whole, beside its place
        assert [line[:2] for line in told[place::3]] == [row[:2]] * 3
        assert [cell for line in told[place::3] for cell in line[2:]] == row[2:]
    assert [cell for line in told[::3] for cell in line[2:]] == heads[2:]
    monkeypatch.setenv("COLUMNS", "150")
    output.print_table(heads, rows, right=heads, keys=2)
    assert len([line for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]) == 3


def test_a_document_has_an_entry_a_line_and_an_array_on_one(capsys):
    output.print_json(
        {"a": np.arange(3), "b": [{"c": {}}, {"d": [1, [2.5]]}], "e": [], "f": {"g": {}}}
    )
    out = capsys.readouterr().out
    assert out == (
        '{\n  "a": [0, 1, 2],\n  "b": [\n    {\n      "c": {}\n    },\n    {\n'
        '      "d": [1, [2.5]]\n    }\n  ],\n  "e": [],\n  "f": {\n    "g": {}\n  }\n}\n'
    )
    assert json.loads(out)["b"][1] == {"d": [1, [2.5]]}
    shown = []
    output.answer({"x": 1}, False, lambda: shown.append(1))
    assert (shown, capsys.readouterr().out) == ([1], "")
    output.answer({"x": 1}, True, lambda: shown.append(2))
    assert (shown, capsys.readouterr().out) == ([1], '{\n  "x": 1\n}\n')


def test_a_long_head_is_broken_after_its_last_underscore():
    heads = ["a_measure_of", "a_measure_off", "measurements"]
    assert list(map(output._broken, heads)) == ["a_measure_of", "a_measure_\noff", "measurements"]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (999999, 5, "999999"), (10**6, 5, "1e+06"), (-999999.0, 5, "-999999"), (1.23456, 3, "1.23"),
        (False, 5, "false"), ("Word", 5, "Word"), (float("nan"), 5, "-"), (0.0, 5, "0"),
    ],
)  # fmt: skip
def test_numbers_in_words(value, digits, text):
    assert output.number(value, digits) == text


# --- columns --------------------------------------------------------------------------------------


def test_a_column_that_counts_begins_with_0_or_1():
    for counting in ([0, 1, 2], [1, 2, 3], list(range(50))):
        assert columns._counts(np.array(counting, float))
    for other in ([0, 1], [2, 3, 4], [0, 1, 3], [0, 1, np.nan], [2, 1, 0]):
        assert not columns._counts(np.array(other, float))


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1e3", 1000.0), ("-.5", -0.5), ("inf", np.inf), ("", np.nan), ("NA", np.nan), ("n/a", np.nan),
     ("<NA>", np.nan), ("None", np.nan), ("1_0", None), ("١", None), ("x", None), ("1,5", None)],
)  # fmt: skip
def test_a_cell_is_a_number_missing_or_neither(cell, value):
    found = columns._number(cell)
    assert (found is None) == (value is None)
    if value is not None:
        np.testing.assert_equal(found, value)


def test_a_cell_that_is_no_number_is_told_with_what_would_be_right():
    hint = " (write 1234.5 for 1,234.5 or 1234,5)"
    for cell in ("1,5", "-1.234,5", "1,234,567", "1,5e-3"):
        assert columns._refusal("y", cell) == f"y = {cell!r} is not a number{hint}"
    for cell in ("1;5", "a,b", ",5", "1,"):
        assert columns._refusal("y", cell) == f"y = {cell!r} is not a number"
    assert columns._short("x" * 40) == "x" * 40
    assert columns._short("x" * 41) == "x" * 37 + "..."
    names = [f"c{i}" for i in range(21)]
    assert columns._listed(names[:20]) == ", ".join(names[:20])
    assert columns._listed(names) == ", ".join(names[:20]) + ", ..."


# --- fits -----------------------------------------------------------------------------------------


def curve(**more):
    given = {"x": np.array([1.0, 2.0]), "y": np.ones((2, 1)), "weights": None, "sd": None,
             "x_name": "n rows", "y_names": ("loss",), "warnings": ()}  # fmt: skip
    return Columns(**{**given, **more})


@pytest.mark.parametrize(
    ("file", "names", "stem"),
    [
        ("a/curve.csv", ("loss",), "curve-loss-n_rows-breaks"),
        ("-", ("loss",), "stdin-loss-n_rows-breaks"),
        ("curve.tsv.gz", ("a b", "c/d"), "curve-a_b+c_d-n_rows-breaks"),
        ("my curve.v2.csv.xz", ("é",), "my_curve.v2-é-n_rows-breaks"),
        ("x.csv", ("_loss?",), "x-loss-n_rows-breaks"),
        ("x.csv", ("y" * 100,), "x-" + "y" * 78 + "-breaks"),
    ],
)
def test_a_picture_is_called_after_file_and_columns(file, names, stem):
    assert fit_breaks._stem(Path(file), curve(y_names=names)) == stem


def test_below_a_ceiling():
    y = np.array([[0.25, 0.5], [0.75, np.nan]])
    np.testing.assert_array_equal(fit_breaks._below(1.0, y, "f: y"), 1 - y)
    with pytest.raises(BadInput, match=r"^f: y: 1 of 4 values are not below the ceiling, 0\.75: "):
        fit_breaks._below(0.75, y, "f: y")
    with pytest.raises(BadInput, match=r"^--ceiling inf: expected a number$"):
        fit_breaks._below(np.inf, y, "f: y")
    law = types.SimpleNamespace(floor=Interval(0.25, 0.125, 0.5))
    assert fit_breaks._limit(1.0, law) == Interval(0.75, 0.5, 0.875)


def test_how_many_breaks_are_wanted():
    assert [fit_breaks._wanted(w) for w in ("auto", "0", str(fit_breaks.MOST))] == [
        "auto", 0, fit_breaks.MOST,
    ]  # fmt: skip
    for wrong in (str(fit_breaks.MOST + 1), "-1", "1.0", "Auto", "01"):
        with pytest.raises(BadInput, match=rf"^--breaks {wrong}: expected auto or 0 to"):
            fit_breaks._wanted(wrong)
    assert fit_breaks._listed(("a" * 78, "b")) == "a" * 77 + "..."
    assert fit_breaks._listed(("a" * 77, "b")) == "a" * 77 + ", b"
    assert fit_breaks._cells(Interval(1.23456, -np.inf, 2.0)) == ["1.235", "open", "2"]


def law_of(breaks, floor, *, low=0.0, high=0.5):
    one = types.SimpleNamespace(
        place=Interval(100.0, 90.0, np.inf), width=Interval(0.5, 0.25, 0.75),
        after=Interval(-0.125, -0.25, 0.0),
    )  # fmt: skip
    ladder = [types.SimpleNamespace(smaller="a", larger="b", p=0.03125, bound=True),
              types.SimpleNamespace(smaller="b", larger="c", p=0.5, bound=False)]  # fmt: skip
    return types.SimpleNamespace(
        form=Form(breaks, floor), points=9, breaks=[one] * (breaks or floor), scatter=0.0123,
        slope_first=Interval(-0.5, -0.75, -0.25), floor=Interval(0.25, low, high), ladder=ladder,
        ended="too few places",
    )  # fmt: skip


def printed(capsys, monkeypatch, law, **more):
    monkeypatch.setenv("COLUMNS", "200")
    document = {"file": "f.csv", "x": "n", "y": "loss", "runs": ["a", "b"], "warnings": ["beware"],
                "figure": ["out/f.png"], **more}  # fmt: skip
    fit_breaks.print_fit(document, law)
    lines = capsys.readouterr().out.splitlines()
    return [" ".join(line.split()) for line in lines if line.strip(" ─")]


def test_a_fit_with_a_break_and_without_a_floor(capsys, monkeypatch):
    found = printed(capsys, monkeypatch, law_of(1, False))
    assert found == [
        f"f.csv: loss against n, 2 runs, 9 points: {Form(1, False)}",
        "fit 95 % from to",
        "slope -0.5 -0.75 -0.25",
        "break 1: n 100 90 open",
        "width in log x 0.5 0.25 0.75",
        "slope beyond -0.125 -0.25 0",
        "floor none needed; one up to 0.5 may be there",
        "scatter 1.2 % around the curve",
        "test a against b: p < 0.031",
        "test b against c: p = 0.5",
        "ended too few places",
        "warning beware",
        "figure out/f.png",
    ]
    for high in (0.0, np.inf, np.nan):
        found = printed(capsys, monkeypatch, law_of(1, False, high=high), runs=["a"])
        assert not any("may be there" in line for line in found)
        assert "9 points" in found[0]
        assert "runs" not in found[0]
    below = printed(capsys, monkeypatch, law_of(1, False), ceiling=1.0)
    assert "limit the ceiling, 1; one down to 0.5 may be there" in below


def test_a_fit_with_a_floor(capsys, monkeypatch):
    found = printed(capsys, monkeypatch, law_of(0, True))
    assert found[2:5] == [
        "slope of the power law -0.5 -0.75 -0.25",
        "floor reached: n 100 90 open",
        "floor 0.25 0 0.5",
    ]
    below = printed(capsys, monkeypatch, law_of(0, True), ceiling=1.0)
    assert below[3:5] == ["limit reached: n 100 90 open", "limit of a, b 0.75 0.5 1"]


# --- rows to learn from ---------------------------------------------------------------------------


def arrays(tmp_path, **more):
    file = tmp_path / "rows.npz"
    np.savez(file, **more)
    return file


def test_arrays_are_found_by_their_usual_names_or_the_ones_asked_for(tmp_path):
    x = np.arange(12.0).reshape(4, 3)
    y = np.array([True, False, True, True])
    for features in ("features", "X", "x", "data"):
        for labels in ("labels", "y", "Y", "target"):
            made = examples_file._arrays(
                arrays(tmp_path, **{features: x, labels: y}), None, None, []
            )
            np.testing.assert_array_equal(made.features, x)
            assert made.labels == ["1", "0", "1", "1"]
            assert made.names == ("column 1", "column 2", "column 3")
    file = arrays(tmp_path, X=x, x=2 * x, y=y, names=["a", "b\n", "3"])
    with pytest.raises(BadInput, match=r"say --features \(arrays: X, x, y, names; expected one of"):
        examples_file._arrays(file, None, None, [])
    made = examples_file._arrays(file, None, "x", ["b", "1"])
    np.testing.assert_array_equal(made.features, 2 * x[:, [2]])
    assert (made.names, made.label) == (("3",), "labels")
    assert examples_file._arrays(file, "y", "x", ["3"]).names == ("a", "b")  # by name before number
    assert examples_file._arrays(file, "y", "x", []).label == "y"
    with pytest.raises(BadInput, match=r"no array 'z' \(there are: X, x, y, names\)"):
        examples_file._arrays(file, "z", "x", [])
    for drop, told in ((["4"], "no column '4'"), (["a", "b", "3"], "no column is left")):
        with pytest.raises(BadInput, match=told):
            examples_file._arrays(file, "y", "x", drop)
    wrong = {
        "features of shape": {"x": x[0], "y": y}, "3 labels for 4 rows": {"x": x, "y": y[:3]},
        "features of type": {"x": x + 1j, "y": y},
        "2 names for 3 columns": {"x": x, "y": y, "names": ["a", "b"]},
        r"of shape \(0": {"x": x[:0], "y": y[:0]},
    }  # fmt: skip
    for told, given in wrong.items():
        with pytest.raises(BadInput, match=told):
            examples_file._arrays(arrays(tmp_path, **given), None, None, [])


# --- lint and run ---------------------------------------------------------------------------------


def test_the_table_of_laws_and_what_was_not_looked_at(capsys):
    rows = [{"what": w, "verdict": v, "seen": "s"} for w, v in
            (("a", lint.HOLDS), ("b", lint.BROKEN), ("c", lint.NOTE),
             ("d", lint.HOLDS))]  # fmt: skip
    lint.print_lint({"phenomenon": "toy", "rows": rows}, False)
    out = capsys.readouterr().out
    assert out.startswith("toy: 2 of 3 laws hold\n")
    assert "not looked at: finite, keys, jit, vmap" in out
    lint.print_lint({"phenomenon": "toy", "rows": rows}, True)
    assert "not looked at" not in capsys.readouterr().out


def test_what_a_run_says_of_its_store(capsys, monkeypatch):
    counts = types.SimpleNamespace(runs=1234, all_runs=2000, not_finite=0)
    sweep = types.SimpleNamespace(
        name="", phenomenon="toy", axes={"n": (1, 2, 3), "p": (4, 5)}, replicates=7
    )
    status = [[0, 3], [3, 0], [3, 3], [-1, -1], [3, -1], [-1, 0]]
    data = {"status": xarray.DataArray(status, dims=["n", "replicate"])}
    store = types.SimpleNamespace(
        counts=lambda: counts, folder="results/x", sweep=sweep, dataset=lambda measures: data
    )
    asked = []
    monkeypatch.setattr(run, "run", lambda *given, **more: asked.append((given, more)) or store)

    def told(dtype="float64"):
        assert run.run_and_print(sweep, Path("x"), "cpu", (1, 2), None, dtype) is store
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    assert told() == [
        "toy: results/x", "cells 3 n x 2 p x 7 replicates", "runs 1,234 of 2,000 stored",
    ]  # fmt: skip
    assert asked == [((sweep, Path("x")), {"device": "cpu", "shard": (1, 2), "engine": None,
                                           "precision": "float64"})]  # fmt: skip
    counts.not_finite = 1500
    assert told("float32")[3:] == [
        "precision float32: `check` and `locate` give no verdict on it",
        "not finite 1,500 values: marked, never averaged",
        "lost 2 of 6 cells have no finite run",
    ]
    counts.not_finite = 1
    data["status"] = data["status"][:2]
    assert told()[3:] == [
        "not finite 1 value: marked, never averaged",
        "lost 0 of 2 cells have no finite run",
    ]
    sweep.axes, sweep.name = {}, "mine"
    assert told()[:2] == ["mine: results/x", "cells 1 cell x 7 replicates"]
