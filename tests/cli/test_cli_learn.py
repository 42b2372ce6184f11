"""learn: a person's own rows, from the file to the picture, and every mistake in it."""

import gzip
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.cli import main
from ci_theory.cli.examples_file import read

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = X @ np.array([1.0, -1.0, 0.5]) + 0.5 * RNG.normal(size=120)
QUICK = ["--ridge", "0", "--n", "40", "--n", "80", "--replicates", "60"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name="rows.csv", y=Y, head="a,b,c,y", x=X, cut=","):
    lines = [
        cut.join([*(f"{v:.17g}" for v in row), str(one)]) for row, one in zip(x, y, strict=True)
    ]
    text = "\n".join([head.replace(",", cut), *lines]) + "\n"
    if name.endswith(".gz"):
        Path(name).write_bytes(gzip.compress(text.encode()))
    else:
        Path(name).write_text(text)


def answer(capsys, *words):
    code = main(["learn", *words, *QUICK, "--json", "--no-figure"])
    out, err = capsys.readouterr()
    assert err == ""
    return code, json.loads(out)


def test_table_picture_and_exit_code(here, capsys):
    write()
    assert main(["learn", "rows.csv", *QUICK]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("rows.csv: AGREES at a family-wise level of 0.001")
    assert "120 given, 120 distinct (no copies); 3 features" in out
    assert "the labels are 'y', the last column" in out
    picture = here / "results/figures/rows-learning-curve.png"
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert max(map(len, out.splitlines())) <= 100


def test_every_form_of_the_rows_gives_the_same_numbers(capsys):
    write()
    write("rows.tsv.gz", cut="\t")
    np.savez("rows.npz", features=X, labels=Y)
    np.savez("named.npz", inputs=X, y=Y[:, None], names=np.array(["a", "b", "c"]))
    code, first = answer(capsys, "rows.csv", "--label", "y")
    assert code == 0
    for words in (["rows.tsv.gz"], ["rows.npz"], ["named.npz", "--features", "inputs"]):
        code, other = answer(capsys, *words)
        assert code == 0
        assert other["curve"] == first["curve"]


def test_duplicates_in_a_file_are_found(capsys):
    twice = np.r_[np.arange(120), np.arange(30), np.arange(30)]
    write(x=X[twice], y=Y[twice])
    _, found = answer(capsys, "rows.csv")
    assert (found["total"], found["distinct"], found["duplicates"]) == (180, 120, 60)
    assert found["effective_rows"] < 119
    assert len(found["deduplication"]) == 1
    assert main(["learn", "rows.csv", *QUICK]) in (0, 3)
    assert "copies removed:" in capsys.readouterr().out


def test_one_class_against_the_others(capsys):
    kinds = np.array(["cat", "dog", "newt"])[(Y > 0).astype(int) + (Y > 1)]
    write(y=kinds)
    _, words = answer(capsys, "rows.csv", "--positive", "cat")
    np.savez("rows.npz", X=X, y=np.where(kinds == "cat", 3, (kinds == "dog") * 1))
    _, codes = answer(capsys, "rows.npz", "--positive", "3")
    assert codes["curve"] == words["curve"]
    yes = np.where(kinds == "cat", 1.0, -1.0)
    assert read(Path("rows.npz"), positive="3.0")[1].tolist() == yes.tolist()
    np.savez("truth.npz", X=X, y=kinds == "cat")
    assert read(Path("truth.npz"))[1].tolist() == (kinds == "cat").astype(float).tolist()
    labels = read(Path("rows.csv"), positive="cat")[1]
    assert labels.tolist() == np.where(kinds == "cat", 1.0, -1.0).tolist()


def test_columns_are_left_out_by_name_number_and_kind(capsys):
    write(x=np.c_[X, np.ones(120), X[:, 0]], head="a,b,c,one,again,y")
    _, found = answer(capsys, "rows.csv", "--drop", "constant", "--drop", "again")
    assert found["features"] == 3
    _, other = answer(capsys, "rows.csv", "--drop", "4", "--drop", "5")
    assert other["curve"] == found["curve"]


def test_columns_of_arrays_are_counted_from_one_and_named():
    np.savez("plain.npz", X=X, y=Y)
    np.savez("named.npz", X=X, y=Y, names=np.array(["a", "b", "c"]))
    for file, drop, names in (
        ("plain.npz", ["2"], ("column 1", "column 3")),
        ("plain.npz", ["column 2"], ("column 1", "column 3")),
        ("named.npz", ["b"], ("a", "c")),
        ("named.npz", ["2"], ("a", "c")),
    ):
        data, labels = read(Path(file), drop=drop)
        assert data.names == names
        np.testing.assert_array_equal(data.features, X[:, [0, 2]])
        np.testing.assert_array_equal(labels, Y)


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), BadInput("no room")])
def test_a_picture_that_cannot_be_written_is_a_warning(problem, here, capsys, monkeypatch):
    from ci_theory.figures import style

    def refuse(*_, **__):
        raise problem

    write()
    (here / "results").write_text("in the way")
    assert main(["learn", "rows.csv", *QUICK]) == 0
    assert "no picture" in capsys.readouterr().out
    monkeypatch.setattr(style, "save", refuse)
    assert main(["learn", "rows.csv", *QUICK, "--json", "--out", "elsewhere"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["figure"] == []
    assert told["warnings"][-1] == f"no picture: {problem}"
    assert "the labels are 'y', the last column" in told["warnings"][0]


DROP_ALL = ["--drop", "1", "--drop", "2", "--drop", "3"]
KINDS = np.array(["cat", "dog", "newt"])[np.arange(120) % 3]


def _npz(**arrays):
    return lambda: np.savez("rows.npz", **arrays)


@pytest.mark.parametrize(
    ("make", "words", "told"),
    [
        (lambda: None, ["no.csv"], "no.csv: no such file"),
        (lambda: None, ["no.npz"], "no.npz: no such file"),
        (lambda: Path("rows.npz").write_text("a,b\n1,2\n"), ["rows.npz"], "rows.npz: "),
        (lambda: Path("rows.npz").mkdir(), ["rows.npz"], "rows.npz: "),
        (lambda: Path("rows.csv").write_bytes(b"\0\1\2"), ["rows.csv"], "not a text file"),
        (lambda: Path("rows.csv").write_text(""), ["rows.csv"], "rows.csv: empty"),
        (_npz(X=X, y=Y.astype(object)), ["rows.npz"], "Python objects"),
        (_npz(a=X, b=Y), ["rows.npz"], "say --features (arrays: a, b;"),
        (_npz(X=X, y=Y), ["rows.npz", "--label", "z"], "no array 'z' (there are: X, y)"),
        (_npz(X=X, y=Y[:-1]), ["rows.npz"], "119 labels for 120 rows"),
        (_npz(X=X[:, 0], y=Y), ["rows.npz"], "features of shape (120,)"),
        (_npz(X=X.astype(str), y=Y), ["rows.npz"], "must be real numbers"),
        (_npz(X=X, y=Y), ["rows.npz", "--drop", "7"], "no column '7'"),
        (_npz(X=X, y=Y), ["rows.npz", "--drop", "0"], "no column '0'"),
        (_npz(X=X, y=Y, names=np.array(["a"])), ["rows.npz"], "1 names for 3 columns"),
        (_npz(X=X, y=Y), ["rows.npz", *DROP_ALL], "no column is left"),
        (_npz(X=0 * X, y=Y), ["rows.npz", "--drop", "constant"], "all columns of features are con"),
        (_npz(X=X, x=X, y=Y), ["rows.npz"], "say --features (arrays: X, x, y;"),
        (_npz(X=X[:0], y=Y[:0]), ["rows.npz"], "features of shape (0, 3)"),
        (_npz(X=X, y=0 * Y + 1), ["rows.npz", "--positive", "1"], "every label is '1'"),
        (lambda: write(y=["yes"] * 120), ["rows.csv", "--positive", "yes"], "every label is 'yes'"),
        (
            lambda: write(y=["yes", " ", "no"] * 40),
            ["rows.csv", "--positive", "yes"],
            "labels are missing: leave these rows out",
        ),
        (
            lambda: write(y=["yes", "N/A", "no"] * 40),
            ["rows.csv", "--positive", "yes"],
            "labels are missing ('N/A' says so): leave these rows out",
        ),
        (write, ["rows.csv", "--label", "z"], "no column 'z'"),
        (write, ["rows.csv", "--drop", "z"], "no column 'z'"),
        (write, ["rows.csv", "--features", "a"], "only a .npz file has named arrays"),
        (write, ["rows.csv", "--positive", "2"], "no label is '2'"),
        (write, ["rows.csv", "--n", "119"], "must be from 2 to 108"),
        (write, ["rows.csv", "--ridge", "-1"], "must be numbers from 0 to 1e+100"),
        (lambda: write(y=KINDS), ["rows.csv"], "3 classes (cat, dog, newt)"),
        (lambda: write(y=np.arange(120) % 4), ["rows.csv"], "4 classes (0, 1, 2, 3)"),
        (lambda: write(x=np.c_[X, 2 * X[:, 0]], head="a,b,c,d,y"), ["rows.csv"], "'d' is a const"),
        (lambda: write(x=np.c_[X, X[:, 0] > 9], head="a,b,c,d,y"), ["rows.csv"], "constant: 'd'"),
        (
            lambda: write(x=np.where(np.arange(360).reshape(120, 3) == 4, np.nan, X)),
            ["rows.csv"],
            "the first in row 2 of 'b'",
        ),
        (
            lambda: write(x=np.where(np.arange(360).reshape(120, 3) == 4, np.nan, X)),
            ["rows.csv", "--drop", "constant"],
            "the first in row 2 of 'b'",
        ),
        (lambda: write(y=np.where(Y[3] == Y, np.nan, Y)), ["rows.csv"], "the first in row 4"),
        (lambda: write(x=X[:30], y=Y[:30]), ["rows.csv"], "30 distinct rows, at least 40"),
    ],
)
def test_every_mistake_is_one_line(capsys, make, words, told):
    make()
    assert main(["learn", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ci-theory: ")
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_word_among_the_features_is_refused_with_its_line(capsys):
    write()
    text = Path("rows.csv").read_text().splitlines()
    text[5] = "1.0,red,2.0,3.0"
    Path("rows.csv").write_text("\n".join(text) + "\n")
    assert main(["learn", "rows.csv"]) == 2
    assert "rows.csv, line 6: b = 'red' is not a number" in capsys.readouterr().err


def test_arrays_are_known_by_their_ending_in_any_case():
    np.savez("rows.npz", X=X, y=Y)
    Path("rows.npz").rename("ROWS.NPZ")
    np.testing.assert_array_equal(read(Path("ROWS.NPZ"))[0].features, X)


def test_rows_of_standard_input_have_a_picture_that_is_called_so(capsys, monkeypatch):
    write()
    text = Path("rows.csv").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert main(["learn", "-", *QUICK]) == 0
    assert [file.name for file in Path("results/figures").iterdir()] == ["stdin-learning-curve.png"]
