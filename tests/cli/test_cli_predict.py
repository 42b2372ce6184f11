"""predict: one document for a point or a grid, strict JSON, ranges, and one-line mistakes."""

import json

import pytest

from ci_theory.cli import elasticity, main, predict

TOY = "toys.mean"


def document(capsys, *words):
    """Run predict --json and parse its output strictly."""
    assert main(["predict", TOY, *words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_a_point(capsys):
    made = document(capsys, "n=40", "noise=2")
    assert made == {
        "phenomenon": TOY,
        "params": {"n": 40, "d": 8, "law": "normal", "noise": 2.0, "shift": 0.0, "biased": False},
        "observables": {"error": {"value": 0.05, "valid": True, "status": "OK"}},
        "break_point": {"good_enough": {"axis": "n", "value": 40.0}},
    }


def test_a_point_says_in_words_where_its_breaks_are(capsys):
    assert main(["predict", TOY, "n=40", "noise=2"]) == 0
    assert "  good_enough (n): 40" in capsys.readouterr().out.splitlines()


def test_ranges_nest_in_the_order_given(capsys):
    made = document(capsys, "noise=lin(1,2,3)", "n=1,4", "shift=2", "biased=true")
    assert made["axes"] == ["noise", "n"]
    assert made["params"]["noise"] == [1.0, 1.5, 2.0]
    assert made["params"]["n"] == [1, 4]
    error = made["observables"]["error"]
    assert error["value"] == [[5.0, 4.25], [5.5, 4.375], [6.0, 4.5]]
    assert error["valid"] == [[False, True]] * 3
    assert error["status"] == [["OK", "OK"]] * 3
    assert made["break_point"]["good_enough"]["value"] == [[20, 20], [30, 30], [40, 40]]


def test_a_list_of_one_is_a_range(capsys):
    assert document(capsys, "n=4,")["observables"]["error"]["value"] == [0.25]


def test_a_range_on_a_whole_number_axis_is_rounded(capsys):
    made = document(capsys, "n=geom(1,10,8)")
    assert made["params"]["n"] == [1, 2, 3, 4, 5, 7, 10]
    assert len(made["observables"]["error"]["value"]) == 7


def test_along_its_axis_the_break_is_also_located_in_the_curve(capsys):
    made = document(capsys, "n=geom(1,400,200)")
    place = made["break_point"]["good_enough"]
    assert place["located"]["status"] == "OK"
    assert place["located"]["value"] == pytest.approx(20, rel=0.01)
    missing = document(capsys, "n=geom(100,400,20)")["break_point"]["good_enough"]["located"]
    assert missing == {"value": None, "status": "NO_BREAK", "prediction": "error"}


@pytest.mark.parametrize("words", ["n=geom(1,400,9) noise=1,2", "noise=lin(1,2,9)", "n=1,4,9,16"])
def test_a_break_is_located_in_a_curve_along_its_axis_and_in_nothing_else(words, capsys):
    place = document(capsys, *words.split())["break_point"]["good_enough"]
    assert sorted(place) == ["axis", "value"]


def test_a_value_that_is_not_a_number_is_null(capsys, monkeypatch):
    import dataclasses

    from ci_theory import phenomena
    from ci_theory.cli import modules

    toy = phenomena.load(TOY)
    changed = dataclasses.replace(
        toy,
        forecast=lambda p, w: toy.forecast(p, w)._replace(error=p.noise * float("nan")),
    )
    monkeypatch.setattr(modules, "named", lambda name: (name, changed))
    error = document(capsys)["observables"]["error"]
    assert error == {"value": None, "valid": False, "status": "NOT_FINITE"}
    assert main(["predict", TOY]) == 0
    assert "not a finite number" in capsys.readouterr().out


def test_for_people_a_point_has_units_and_a_range_a_row_a_point(capsys):
    assert main(["predict", TOY, "n=40"]) == 0
    point = capsys.readouterr().out
    assert "40 rows" in point
    assert "error 0.025 label² ok" in " ".join(point.split())
    assert main(["predict", TOY, "n=1,4", "noise=1,2"]) == 0
    table = capsys.readouterr().out
    assert sum(line.strip()[:1] in ("1", "4") for line in table.splitlines()) == 4
    assert "* no honest error bar" in table


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["n=0"], "n = 0: must be >= 1"),
        (["n=2.5"], "must be a whole number"),
        (["noise=-1"], "noise = -1: must be >= 0"),
        (["noise=nan"], "must be finite"),
        (["noise=much"], "must be a number"),
        (["law=cauchy"], "normal"),
        (["biased=1"], "must be true or false"),
        (["biased=true"], "biased needs a shift"),
        (["nose=1"], "did you mean 'noise'?"),
        (["n"], "expected key=value"),
        (["=3"], "expected key=value"),
        (["n="], "expected key=value"),
        (["n=1", "n=2"], "n is given twice"),
        (["n=geom(1,10)"], "expected [first, last, count]"),
        (["n=geom(0,10,5)"], "both ends must be > 0"),
        (["n=goem(1,10,5)"], "did you mean 'geom'?"),
        (["n=1,1"], "twice"),
        (["noise=lin(0,1,1000)", "n=lin(1,1000,1000)"], "at most 100000"),
        (["-1"], "No such option"),
    ],
)
def test_mistakes(words, says, capsys):
    assert main(["predict", TOY, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_a_spectrum_whose_powers_underflow_is_refused(capsys):
    words = ["predict", "ridge_peak", "spectrum=power_law", "p=50"]
    assert main([*words, "alpha=200"]) == 2
    assert capsys.readouterr() == ("", "ci-theory: alpha = 200: must be <= 20\n")


def test_the_elasticities_of_a_point(capsys):
    made = document(capsys, "--elasticity", "n=40", "noise=2")
    assert made["values"] == {"error": 0.05}
    told = {e["knob"]: (e["elasticity"], e["how"]) for e in made["elasticities"]}
    assert told["n"] == (pytest.approx(-1, rel=1e-9), "derivative")
    assert told["noise"] == (pytest.approx(1, rel=1e-9), "derivative")
    assert told["shift"] == (None, "derivative")
    assert [e["knob"] for e in made["elasticities"]][-1] != "n"


def test_elasticities_in_words(capsys):
    assert main(["predict", TOY, "n=40", "shift=2", "biased=true", "--elasticity"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["value", "4.025"] in lines
    assert ["shift", "2", "1.988"] in lines
    assert ["noise", "1", "0.006211"] in lines
    heading = next(i for i, words in enumerate(lines) if words[:1] == ["value"])
    table = [words for words in lines[heading + 1 :] if len(words) == 3]
    sizes = [abs(float(words[2].lstrip("~"))) for words in table if words[2][-1].isdigit()]
    assert len(sizes) > 2
    assert sizes == sorted(sizes, reverse=True)  # the one that matters most first


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["n=10,20"], "an elasticity is of one point"),
        (["m=3"], "unknown axis 'm'"),
        (["n=0"], "must be >= 1"),
    ],
)
def test_a_bad_point_has_no_elasticities(capsys, words, told):
    assert main(["predict", TOY, "--elasticity", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err


def test_a_number_without_a_derivative_has_none_in_the_table(capsys):
    assert main(["predict", TOY, "n=40", "shift=2", "biased=true", "--elasticity"]) == 0
    cell = elasticity._cell
    assert cell({"how": "none", "elasticity": 0.5, "slope": 0.5}) == "-"
    assert cell({"how": "derivative", "elasticity": None, "slope": 2.0}) == "2/1"
    assert cell({"how": "differences", "elasticity": None, "slope": 2.0}) == "~2/1"
    assert cell({"how": "derivative", "elasticity": -0.5, "slope": 2.0}) == "-0.5"
    assert cell({"how": "differences", "elasticity": -0.5, "slope": 2.0}) == "~-0.5"


def test_a_table_marks_what_is_not_judged(capsys):
    assert main(["predict", TOY, "n=1,4", "noise=1"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["1", "1*", "20"] in rows or ["1", "1*"] in rows
    assert ["4", "0.25", "20"] in rows or ["4", "0.25"] in rows
    assert predict._cell(0.5, True, "NOT_CONVERGED") == "0.5*"
    assert predict._cell(0.5, False, "OK") == "0.5*"
    assert predict._remark(False, "OK") == "ok, but not judged by a check here"
    assert predict._remark(True, "OK") == "ok"
    assert predict._remark(True, "NO_BREAK") != "ok"
