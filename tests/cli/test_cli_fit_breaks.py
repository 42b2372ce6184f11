"""fit-breaks: a person's own file, from the columns to the picture, and every mistake in it."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import said

from ci_theory import BadInput
from ci_theory.cli import fit_breaks, main
from ci_theory.figures import broken_law, style
from ci_theory.locate.breaks import fit

X = np.geomspace(1e6, 1e9, 16)
Y = 6 * (X / 1e6) ** -0.12 * (1 + (X / 3e7) ** 4) ** -0.05
PICTURE = "results/figures/curve-loss-tokens-breaks.png"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(head="tokens,loss", y=Y, cut=","):
    rows = [cut.join(f"{v:.9g}" for v in row) for row in np.column_stack([X, *np.atleast_2d(y)])]
    text = "\n".join([*([head] if head else []), *rows]) + "\n"
    Path("curve.csv").write_text(text)


def scattered(runs=1, size=0.003):
    noise = np.random.default_rng(0).standard_normal((runs, 16))
    return Y * np.exp(size * noise)


def answer(capsys, *words):
    """Return the JSON document of a fit without a picture, unless --out is among the words."""
    figure = [] if "--out" in words else ["--no-figure"]
    assert main(["fit-breaks", "curve.csv", "--json", *figure, *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_table_and_picture(here, capsys):
    write(y=scattered())
    assert main(["fit-breaks", "curve.csv", "--breaks", "1"]) == 0
    out, err = capsys.readouterr()
    assert "curve.csv: loss against tokens, 16 points: 1 break" in out
    assert "break 1: tokens" in out
    assert f"figure        {PICTURE}" in out
    assert err == ""
    assert (here / PICTURE).read_bytes()[:4] == b"\x89PNG"


def test_json_says_the_same(capsys):
    write()
    made = answer(capsys, "--out", "there")
    assert (made["file"], made["x"], made["y"], made["runs"]) == (
        "curve.csv",
        "tokens",
        "loss",
        ["loss"],
    )
    assert made["form"] == {"breaks": 1, "floor": False}
    assert made["breaks"][0]["place"]["value"] == pytest.approx(3e7, rel=1e-3)
    assert made["breaks"][0]["status"] == "OK"
    assert made["first_slope"]["value"] == pytest.approx(-0.12, rel=1e-3)
    assert made["figure"] == ["there/curve-loss-tokens-breaks.png"]
    assert made["resolution"] == 0.001
    assert "to rounding" in made["ended"] or "within the resolution" in made["ended"]
    assert set(made["parameters"]) == {"log_b", "c0", "c1", "log_d1", "log_f1"}
    assert "ceiling" not in made


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
    assert answer(capsys, "--breaks", "0", *words)["points"] == 16


def test_standard_input(capsys, monkeypatch):
    write()
    text = Path("curve.csv").read_text()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["fit-breaks", "-", "--breaks", "0"]) == 0
    out = capsys.readouterr().out
    assert "-: loss against tokens, 16 points" in out
    assert "results/figures/stdin-loss-tokens-breaks.png" in out


def test_what_reading_tells_is_among_the_warnings(capsys):
    write(head=",loss")
    made = answer(capsys, "--breaks", "0")
    assert made["x"] == "column 1"
    assert "x is column 1, which has no name" in made["warnings"][0]
    assert main(["fit-breaks", "curve.csv", "--breaks", "0", "--no-figure"]) == 0
    assert "warning       x is column 1, which has no name" in capsys.readouterr().out


def test_empty_cells_are_left_out_with_a_warning(capsys):
    write()
    with open("curve.csv", "a") as file:
        file.write("2e9,\n3e9,nan\n")
    assert (
        "2 of 18 points left out: not a finite number"
        in answer(capsys, "--breaks", "0")["warnings"]
    )


def test_columns_of_y_are_runs_of_one_curve(capsys, monkeypatch):
    given = {}
    monkeypatch.setattr(fit_breaks, "fit", lambda **rows: given.update(rows) or fit(**rows))
    write(head="tokens,a,b,c", y=scattered(3, 0.02))
    words = ["--breaks", "1", "--y", "a", "--y", "b", "--y", "4"]
    made = answer(capsys, *words)
    assert (made["points"], made["y"], made["runs"]) == (48, "a, b, c", ["a", "b", "c"])
    assert given["run"].tolist() == [0] * 16 + [1] * 16 + [2] * 16
    places = np.tile(X, 3)
    values = np.loadtxt("curve.csv", delimiter=",", skiprows=1)[:, 1:].T
    law = fit(places, values.ravel(), 1, run=np.repeat(np.arange(3), 16), resamples=60)
    assert made["breaks"][0]["place"]["value"] == pytest.approx(law.breaks[0].place.value, rel=1e-6)
    assert made["scatter"] == pytest.approx(law.scatter, rel=1e-6)
    assert main(["fit-breaks", "curve.csv", "--no-figure", *words]) == 0
    assert (
        "curve.csv: a, b, c against tokens, 3 runs, 48 points: 1 break" in capsys.readouterr().out
    )


@pytest.mark.parametrize("option", ["weights", "sd"])
def test_precisions_are_a_column(option, capsys):
    size = np.geomspace(0.001, 0.03, 16)
    y = Y * np.exp(size * np.random.default_rng(1).standard_normal(16))
    column = {"weights": 1 / size**2, "sd": size * y}[option]
    write(head="tokens,loss,how sure", y=np.array([y, column]))
    made = answer(capsys, "--breaks", "1", f"--{option}", "how sure")
    x, y, column = np.loadtxt("curve.csv", delimiter=",", skiprows=1).T
    law, alike = fit(x, y, 1, resamples=60, **{option: column}), fit(x, y, 1, resamples=60)
    assert made["first_slope"]["value"] == pytest.approx(law.slope_first.value, rel=1e-6)
    assert abs(law.slope_first.value / alike.slope_first.value - 1) > 1e-3


def test_what_rises_is_told_below_its_ceiling(capsys):
    """0.93 - 0.6 x^-0.5: the distance to 1 falls as a power law to a floor at 0.07."""
    x = np.geomspace(1, 1e4, 16)
    noise = np.random.default_rng(0).standard_normal(16)
    accuracy = 0.93 - 0.6 * x**-0.5 * np.exp(0.02 * noise)
    rows = [f"{a:.12g},{b:.12g},{1 - b:.12g}" for a, b in zip(x, accuracy, strict=True)]
    Path("curve.csv").write_text("\n".join(["step,acc,err", *rows]) + "\n")
    words = ["--breaks", "0"]
    made = answer(capsys, "--y", "acc", "--ceiling", "1", *words)
    falls = answer(capsys, "--y", "err", *words)
    assert (made["y"], made["ceiling"], made["form"]["floor"]) == ("1 - acc", 1.0, True)
    assert made["breaks"][0]["place"]["value"] == pytest.approx(
        falls["breaks"][0]["place"]["value"], rel=1e-6
    )
    assert made["limit"]["value"] == pytest.approx(0.93, abs=2e-3)
    assert made["limit"]["interval"] == pytest.approx(
        [1 - falls["floor"]["interval"][1], 1 - falls["floor"]["interval"][0]], abs=1e-6
    )
    shown = ["fit-breaks", "curve.csv", "--y", "acc", "--no-figure", *words, "--ceiling"]
    assert main([*shown, "1"]) == 0
    out = capsys.readouterr().out
    assert "curve.csv: 1 - acc against step, 16 points" in out
    assert "limit reached: step" in out
    assert f"limit of acc {made['limit']['value']:.4g} " in " ".join(out.split())
    assert main([*shown, "0.93"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"limit +the ceiling, 0\.93; one down to 0\.92\d+ may be there", out)
    assert main([*shown, "0.9"]) == 2
    out, err = capsys.readouterr()
    beyond = (accuracy >= 0.9).sum()
    assert out == ""
    assert f"curve.csv: acc: {beyond} of 16 values are not below the ceiling, 0.9" in err


def test_a_least_number_of_breaks(capsys):
    write(y=scattered())
    assert answer(capsys, "--resolution", "1")["form"]["breaks"] == 0
    assert answer(capsys, "--resolution", "1", "--least", "1")["form"]["breaks"] == 1


def test_a_slope_beyond_all_numbers_is_drawn_to_their_end(capsys):
    """x spans 1e-11 of itself: four times beyond, the curve overflows."""
    Path("curve.csv").write_text("".join(f"{1 + 1e-12 * i!r},{1 + 1e-3 * i}\n" for i in range(12)))
    assert main(["fit-breaks", "curve.csv", "--breaks", "0"]) == 0
    out, err = capsys.readouterr()
    assert "less than a decade" in out
    assert err == ""


@pytest.mark.parametrize("place", ["1e308", "1e-307"])
def test_numbers_beyond_every_axis_are_fitted_without_a_picture(place, capsys):
    places = ["1", place, "4", "8", "16", "32", "64", "128"]
    rows = [f"{x},{y}\n" for x, y in zip(places, Y, strict=False)]
    Path("curve.csv").write_text("x,y\n" + "".join(rows))
    made = answer(capsys, "--breaks", "0", "--out", "there")
    assert (made["points"], made["figure"]) == (8, [])
    assert made["warnings"][-1] == "no picture: x or y beyond 1e+290, or below its inverse"
    assert not Path("there").exists()


def test_a_steep_fall_leaves_nothing_on_stderr(capsys):
    """A grokking run: slopes of hundreds overflow in an exponential on the way."""
    steps = np.arange(100, 8401, 100)
    error = 1 / (1 + np.exp((steps - 7400) / 120)) + 1e-3
    rows = [f"{a},{b:.5f}" for a, b in zip(steps, error, strict=True)]
    Path("curve.csv").write_text("\n".join(["step,test_err", *rows, "9000,0", "9500,0"]) + "\n")
    made = answer(capsys, "--breaks", "2", "--out", "there")
    assert made["breaks"][0]["after"]["value"] < -5
    assert "2 of 86 points left out: with y <= 0, which has no logarithm" in made["warnings"]


def test_every_pair_of_columns_has_a_picture_of_its_own(here, capsys):
    write(head='tokens,loss a,"loss/b"', y=scattered(2))
    for name in ("loss a", "loss/b"):
        assert main(["fit-breaks", "curve.csv", "--breaks", "0", "--y", name]) == 0
        assert "replaced" not in capsys.readouterr().out
    assert sorted(one.name for one in (here / "results/figures").iterdir()) == [
        "curve-loss_a-tokens-breaks.png",
        "curve-loss_b-tokens-breaks.png",
    ]


def test_a_picture_of_something_else_is_not_replaced_without_a_word(here, capsys):
    for folder, y in (("one", Y), ("two", 2 * Y)):
        write(y=y)
        (here / folder).mkdir()
        Path("curve.csv").rename(f"{folder}/curve.csv")
    for folder, told in (("one", False), ("one", False), ("two", True)):
        assert main(["fit-breaks", f"{folder}/curve.csv", "--breaks", "0"]) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert (f"warning {PICTURE}: another picture was there, and is replaced" in out) is told


@pytest.mark.parametrize("where", ["a file", "/proc"])
def test_the_fit_is_not_lost_with_its_picture(where, here, capsys, monkeypatch):
    write()
    if where == "a file":
        Path("results").write_text("")
    elif not Path(where).exists():
        pytest.skip("no folder that not even root may write to")
    else:
        monkeypatch.chdir(where)
    words = ["fit-breaks", str(here / "curve.csv"), "--breaks", "0"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "slope of the power law" in out
    assert "warning       no picture: results/figures" in out
    assert main([*words, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["figure"] == []
    assert "no picture: results/figures" in made["warnings"][-1]
    assert err == ""


def test_no_figure(here, capsys):
    write()
    assert main(["fit-breaks", "curve.csv", "--breaks", "0", "--no-figure"]) == 0
    assert "figure" not in capsys.readouterr().out
    assert not (here / "results").exists()


@pytest.mark.parametrize(
    "name", ["$\\bm{L}$", "a_b^{", "损失 λ", "l" * 300, "[bold]x[/]", "%s {0}"]
)
def test_names_are_text(name, here, capsys):
    write(head=f'$n$,"{name}"')
    assert main(["fit-breaks", "curve.csv", "--breaks", "0"]) == 0
    out, err = capsys.readouterr()
    assert name[:60] in out
    assert err == ""
    assert len(list((here / "results/figures").glob("curve-*.png"))) == 1


def drawn(**rows):
    law = fit(rows["x"], rows["y"], 0, resamples=60)
    with style.applied():
        return broken_law.draw(law=law, x_name="$x$", y_name="loss", **rows), law


def test_the_picture_shows_every_run_and_its_precision():
    y = scattered(3, 0.02).ravel()
    x, run = np.tile(X, 3), np.repeat(np.arange(3), 16)
    made, _ = drawn(x=np.r_[x, -1.0], y=np.r_[y, 1.0], run=np.r_[run, 2])
    dots = made.axes[0].lines[0]
    np.testing.assert_array_equal(np.sort(dots.get_ydata()), np.sort(y))
    assert dots.get_label() == "3 runs"
    assert made.axes[1].get_xlabel() == r"\$x\$"  # words, not a formula
    sd = np.linspace(0.1, 9, 48)
    made, _ = drawn(x=x, y=y, run=run, sd=sd)
    (bars,) = made.axes[0].collections[:1]
    ends = np.array([part[:, 1] for part in bars.get_segments()])
    np.testing.assert_allclose(ends[:, 1] - y, sd)
    assert (ends[:, 0] > 0).all()
    weights = np.repeat([1.0, 4.0], 24)
    made, law = drawn(x=x, y=y, weights=weights)
    ends = np.array([part[:, 1] for part in made.axes[0].collections[0].get_segments()])
    relative = (ends[:, 1] - y) / y
    np.testing.assert_allclose(relative[0] / relative[-1], 2)
    np.testing.assert_allclose((1 / relative**2).mean(), 1 / law.scatter**2)
    assert made.axes[0].lines[0].get_label() == "data, ± 1 standard deviation"


def test_a_picture_of_many_rows_shows_their_means():
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 1e4, 9000)
    made, _ = drawn(x=x, y=x**-0.5 * np.exp(0.1 * rng.standard_normal(9000)))
    dots = made.axes[0].lines[0].get_xdata()
    assert 100 < len(dots) <= 400


def test_numbers_beyond_every_axis_are_not_drawn():
    with pytest.raises(BadInput, match="beyond"):
        drawn(x=np.r_[X, 1e300], y=np.r_[Y, 1.0])


def test_neither_jax_nor_its_variables_matter_nor_matplotlib_without_a_picture(here):
    write()
    code = (
        "import sys; from ci_theory.cli import main; code = main(); "
        "assert not {'jax', 'matplotlib', 'xarray'} & set(sys.modules); sys.exit(code)"
    )
    words = ["fit-breaks", "curve.csv", "--breaks", "0", "--no-figure"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "JAX_PLATFORMS": "nonsense"},
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("content", "words", "says"),
    [
        (None, [], "curve.csv: no such file"),
        (b"", [], "curve.csv: empty"),
        (b"\xff\xfe\x00", [], "not a text file"),
        (b"a\n1\n2\n", [], "one column, expected at least two"),
        (b"a,b\n1,2\n", ["--x", "c"], "no column 'c' (there are: a, b)"),
        (b"a,b\n1,2\n", ["--x", "b", "--y", "b"], "column 'b' is asked for twice"),
        (b"a,b\n1,2\n", ["--y", "b", "--y", "b"], "column 'b' is asked for twice"),
        (b"a,b\n1,2\nx,3\n", [], "curve.csv, line 3: a = 'x' is not a number"),
        (b"a,b\n1,2\n2,3\n", [], "b against a: curve: 2 usable places"),
        (b"a,b\n1,2\n", ["--breaks", "5"], "--breaks 5: expected auto or 0 to 4"),
        (b"a,b\n1,2\n", ["--breaks", "two"], "--breaks two: expected auto or 0 to 4"),
        (b"a,b\n1,2\n", ["--breaks", "\u0661"], "--breaks \u0661: expected auto or 0 to 4"),
        (b"a,b\n1,2\n", ["--breaks", "0000000015"], "--breaks 0000000015: expected auto or 0 to 4"),
        (b"a,b\n1,2\n", ["--resolution", "-1"], "resolution = -1: expected a share of y, 0 to 1"),
        (b"a,b\n1,2\n", ["--least", "5"], "least = 5: expected 0 to 4"),
        (b"a,b\n1,2\n", ["--least", "1", "--breaks", "0"], "breaks = 0 with at least 1"),
        (b"a,b\n1,2\n", ["--least", "x"], "Invalid value for '--least'"),
        (b"a,b\n1,2\n", ["--ceiling", "nan"], "--ceiling nan: expected a number"),
        (
            b"a,b\n1,2\n",
            ["--ceiling", "2"],
            "curve.csv: b: 1 of 1 values are not below the ceiling",
        ),
        (b"a,b,c\n1,2,1\n2,3,1\n3,4,0\n", ["--weights", "c"], "weights of point 3 is 0"),
        (b"a,b,c\n1,2,1\n2,3,\n3,4,1\n", ["--sd", "c"], "sd of point 2 is nan"),
        (b"a,b,c\n1,2,1\n2,3,1\n3,4,1\n", ["--sd", "c", "--weights", "1"], "asked for twice|left"),
        (
            b"".join(b"%d,%d\n" % (i % 6 + 1, i + 1) for i in range(60)),
            ["--breaks", "4"],
            "6 distinct",
        ),
    ],
)
def test_mistakes(content, words, says, here, capsys):
    if content is not None:
        (here / "curve.csv").write_bytes(content)
    assert main(["fit-breaks", "curve.csv", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert any(one in err for one in says.split("|")), err
    assert err.count("\n") == 1
    assert not (here / "results").exists()


def test_a_folder_is_no_file(here, capsys):
    (here / "curves").mkdir()
    assert main(["fit-breaks", "curves"]) == 2
    assert capsys.readouterr().err == "ci-theory: curves: a folder, expected a file\n"


def test_what_is_printed_of_a_fit(capsys, monkeypatch):
    """Of exact curves: a break, a floor reached, and a limit below a ceiling."""
    curves = {"a": Y, "b": 2 * (X / 1e6) ** -0.5 + 0.03, "c": 0.9 - 0.5 * (X / 1e6) ** -0.4}
    rows = [",".join(f"{v:.6g}" for v in row) for row in zip(X, *curves.values(), strict=True)]
    Path("curve.csv").write_text("\n".join(["tokens,loss,floor,share", *rows]) + "\n")
    for words in (["--y", "loss"], ["--y", "floor"], ["--y", "share", "--ceiling", "1"]):
        said.hold(capsys, monkeypatch, "fit-breaks", "curve.csv", "--no-figure", *words)
    said.hold(
        capsys, monkeypatch, "fit-breaks", "curve.csv", "--no-figure", "--y", "2", "--breaks", "0"
    )


def test_the_picture_shows_the_break_where_it_may_lie_and_what_is_beyond():
    x = np.geomspace(1, 1e4, 60)
    y = (0.05 + x**-0.5 * (1 + x / 100) ** 0.4) * np.exp(
        0.01 * np.random.default_rng(1).standard_normal(60)
    )
    law = fit(x, y, 1, resamples=60)
    with style.applied():
        made = broken_law.draw(x, y, law, "rows", "loss")
    curve, slope = made.axes
    (one,) = law.breaks
    for axis in (curve, slope):
        assert [line for line in axis.lines if set(line.get_xdata()) == {one.place.value}]
        (span,) = axis.patches
        left, right = span.get_extents().transformed(axis.transData.inverted()).intervalx
        wanted = max(one.place.low, x.min()), min(one.place.high, x.max())
        np.testing.assert_allclose((left, right), wanted, rtol=1e-6)
    lines = {line.get_label(): line for line in curve.lines}
    inside, beyond = lines["fit, 95 % band"], lines["extrapolated"]
    np.testing.assert_allclose(inside.get_xdata()[[0, -1]], [1, 1e4])
    np.testing.assert_allclose(beyond.get_xdata()[[0, -1]], [1e4, 4e4])
    np.testing.assert_allclose(inside.get_ydata(), law(inside.get_xdata()))
    np.testing.assert_allclose(slope.lines[0].get_ydata(), law.slope(inside.get_xdata()))
    low, high = law.band(inside.get_xdata())
    band = curve.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(high.max())
    assert band[:, 1].min() == pytest.approx(low.min())
    assert "floor" not in lines  # there is none
    assert curve.get_xscale() == slope.get_xscale() == curve.get_yscale() == "log"
    assert curve.get_title("left") == f"{law.form}; break with 95 % interval"
    made, law = drawn(x=x, y=0.05 + x**-0.5)
    lines = {line.get_label(): line for line in made.axes[0].lines}
    assert set(lines["floor"].get_ydata()) == {law.floor.value}
    assert law.floor.value == pytest.approx(0.05, rel=0.01)
    made, law = drawn(x=x, y=x**-0.5)
    assert made.axes[0].get_title("left") == str(law.form) == "no break"
    assert not [*made.axes[0].patches, *made.axes[1].patches]
