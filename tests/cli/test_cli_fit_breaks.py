"""fit-breaks: a person's own file, from the columns to the picture, and every mistake in it."""

import json
from pathlib import Path

import numpy as np
import pytest

from ci_theory.cli import main

X = np.geomspace(1e6, 1e9, 16)
Y = 6 * (X / 1e6) ** -0.12 * (1 + (X / 3e7) ** 4) ** -0.05


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(head="tokens,loss", y=Y, cut=","):
    rows = [f"{a:.9g}{cut}{b:.9g}" for a, b in zip(X, y, strict=True)]
    text = "\n".join([*([head] if head else []), *rows]) + "\n"
    Path("curve.csv").write_text(text)


def test_table_and_picture(here, capsys):
    write(y=Y * np.exp(0.003 * np.random.default_rng(0).standard_normal(16)))
    assert main(["fit-breaks", "curve.csv", "--breaks", "1"]) == 0
    out, err = capsys.readouterr()
    assert "curve.csv: loss against tokens, 16 points: 1 break" in out
    assert "break 1: tokens" in out
    assert "figure        results/figures/curve-breaks.png" in out
    assert err == ""
    assert (here / "results/figures/curve-breaks.png").read_bytes()[:4] == b"\x89PNG"


def test_json_says_the_same(capsys):
    write()
    assert main(["fit-breaks", "curve.csv", "--json", "--out", "there"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["form"] == {"breaks": 1, "floor": False}
    assert made["breaks"][0]["place"]["value"] == pytest.approx(3e7, rel=1e-3)
    assert made["breaks"][0]["status"] == "OK"
    assert made["first_slope"]["value"] == pytest.approx(-0.12, rel=1e-3)
    assert made["figure"] == ["there/curve-breaks.png"]
    assert made["resolution"] == 0.001
    assert "to rounding" in made["ended"] or "within the resolution" in made["ended"]
    assert set(made["parameters"]) == {"log_b", "c0", "c1", "log_d1", "log_f1"}


@pytest.mark.parametrize(
    ("head", "cut", "words"),
    [
        ("tokens,loss", ",", []),
        ("", ",", []),
        ("", " ", ["--x", "1", "--y", "2"]),
        ("a;b", ";", ["--x", "a", "--y", "b"]),
        ("# made by hand\ntokens\tloss", "\t", ["--y", "loss"]),
    ],
)
def test_columns_are_found(head, cut, words, capsys):
    write(head=head, cut=cut)
    assert main(["fit-breaks", "curve.csv", "--json", "--breaks", "0", *words]) == 0
    assert json.loads(capsys.readouterr().out)["points"] == 16


def test_empty_cells_are_left_out_with_a_warning(capsys):
    write()
    with open("curve.csv", "a") as file:
        file.write("2e9,\n3e9,nan\n")
    assert main(["fit-breaks", "curve.csv", "--breaks", "0"]) == 0
    assert "2 of 18 points left out: not a finite number" in capsys.readouterr().out


def test_a_slope_beyond_all_numbers_is_drawn_to_their_end(capsys):
    """x spans 1e-11 of itself: four times beyond, the curve overflows."""
    Path("curve.csv").write_text("".join(f"{1 + 1e-12 * i!r},{1 + 1e-3 * i}\n" for i in range(12)))
    assert main(["fit-breaks", "curve.csv", "--breaks", "0"]) == 0
    out, err = capsys.readouterr()
    assert "less than a decade" in out
    assert err == ""


@pytest.mark.parametrize(
    ("content", "words", "says"),
    [
        (None, [], "curve.csv: no such file"),
        (b"", [], "curve.csv: empty"),
        (b"\xff\xfe\x00", [], "not a text file"),
        (b"a\0b,c\n", [], "not a text file"),
        (b"a\n1\n2\n", [], "one column, expected at least two"),
        (b"a,b\n1,2\n", ["--x", "c"], "no column 'c' (there are: a, b)"),
        (b"a,a\n1,2\n", ["--x", "a"], "two columns are called 'a'"),
        (b"a,b\n1,2\n", ["--x", "b", "--y", "b"], "x and y are both column 'b'"),
        (b"a,b\n1,2\nx,3\n", [], "curve.csv, line 3: a = 'x' is not a number"),
        (b"a,b\n1,2,\n2,3,4\n", [], "curve.csv, line 3: 3 cells, expected 2"),
        (b"a,b\n1,2\n2,3\n", [], "b against a: curve: 2 usable places"),
        (b"a,b\n1,2\n", ["--breaks", "5"], "--breaks 5: expected auto or 0 to 4"),
        (b"a,b\n1,2\n", ["--breaks", "two"], "--breaks two: expected auto or 0 to 4"),
        (b"a,b\n1,2\n", ["--resolution", "-1"], "resolution = -1: expected a share of y, 0 to 1"),
    ],
)
def test_mistakes(content, words, says, here, capsys):
    if content is not None:
        (here / "curve.csv").write_bytes(content)
    assert main(["fit-breaks", "curve.csv", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert not (here / "results").exists()


def test_a_folder_is_no_file(here, capsys):
    (here / "curves").mkdir()
    assert main(["fit-breaks", "curves"]) == 2
    assert capsys.readouterr().err == "ci-theory: curves: a folder, expected a file\n"
