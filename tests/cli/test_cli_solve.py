"""solve: the value at which a level is reached, in JSON and in words, and one-line mistakes."""

import json

import pytest

from ci_theory.cli import main

TOY = "toys.mean"


def test_the_rows_that_are_needed(capsys):
    assert main(["solve", TOY, "error=0.05", "n", "noise=2", "--json"]) == 0
    text = capsys.readouterr().out
    assert '"at": 40,' in text  # whole, as n is
    made = json.loads(text)
    assert made["solutions"] == [{"at": 40, "value": 0.05, "direction": "falling", "judged": True}]
    assert (made["knob"], made["unit"], made["level"]) == ("n", "rows", 0.05)
    assert made["params"]["noise"] == 2
    assert "n" not in made["params"]


def test_a_range_and_words_for_people(capsys):
    assert main(["solve", TOY, "noise=0,1", "error=0.01", "n=4"]) == 0
    out = capsys.readouterr().out
    assert "toys.mean: error = 0.01, by noise" in out
    assert ["0.04", "0.01", "rising"] in [line.split() for line in out.splitlines()]
    assert "tried: noise from 0 to 1, where it lies between 0 and 0.25" in out


def test_none_is_an_answer(capsys):
    assert main(["solve", TOY, "error=-1", "n"]) == 0
    assert "none: for n no value tried reaches it" in capsys.readouterr().out
    assert main(["solve", TOY, "error=1", "n", "--json"]) == 0
    (solution,) = json.loads(capsys.readouterr().out)["solutions"]
    assert solution == {"at": 1, "value": 1.0, "direction": "falling", "judged": False}


def test_what_does_not_depend_on_the_number_is_not_called_none(capsys):
    assert main(["solve", TOY, "error=0", "n", "noise=0"]) == 0
    out = capsys.readouterr().out
    assert "the curve is at it from 1 to " in out
    assert "none" not in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["n"], "expected one MEASURE=VALUE, for example error=0.5"),
        (["error=1"], "name one axis to solve for (known: n, "),
        (["error=1", "n", "noise"], "name one axis to solve for, not n and noise (known: n, "),
        (["error=1", "n", "noise=1,2"], "name one axis to solve for, not n and noise (known: n, "),
        (["error=1", "n=1,2,3"], "a range to look in is LOW,HIGH"),
        (["error=much", "n"], "error=much: expected a number"),
        (["errors=1", "n"], "unknown prediction 'errors'"),
        (["error=1", "m"], "unknown axis 'm'"),
        (["error=1", "law"], "law is no number"),
        (["error=1", "n", "n=3"], "n is sought"),
        (["error=1", "n=9,3"], "low < high"),
        (["error=1", "n=2.5,9"], "n = 2.5: "),
    ],
)
def test_mistakes_are_one_line(capsys, words, told):
    assert main(["solve", TOY, *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err
