"""Every option of a command reaches what it is for, and nothing else: told apart by its value."""

from pathlib import Path

import pytest

from ci_theory import BadInput
from ci_theory.cli import (
    demo,
    explore,
    figure,
    fit_breaks,
    learn,
    lint,
    main,
    output,
    predict,
    run,
    solve,
    surroundings,
    verdicts,
)

PICTURES = Path("results/figures")


@pytest.fixture
def asked(monkeypatch):
    """Run a command whose work is only written down; return what it was asked for."""

    def ask(where, name, *words):
        calls = []

        def work(*given, **named):
            calls.append((given, named))
            raise BadInput("that will do")

        with monkeypatch.context() as patched:
            patched.setattr(where, name, work)
            assert main(list(words)) == 2
        (call,) = calls
        return call

    return ask


def test_options_of_learn(asked):
    given, named = asked(learn, "analyse", "learn", "rows.csv")
    assert given == (Path("rows.csv"),)
    plain = {
        "label": None, "features": None, "drop": (), "positive": None, "out": PICTURES,
        "ridge": None, "sizes": None, "noise": 0.0, "repeated": 0.0, "repeats": 1.0,
        "replicates": 200, "seed": 0, "level": 1e-3, "effect": 0.1, "centre": True,
        "numbers": False,
    }  # fmt: skip
    assert named == plain
    words = (
        "--label y --features F --drop a --drop 2 --positive cat --out here --ridge 0.5 --ridge 2 "
        "--n 30 --n 60 --noise 0.25 --repeated 0.125 --repeats 4 --replicates 7 --seed 11 "
        "--level 0.05 --effect 0.3 --no-centre --numbers"
    )
    _, named = asked(learn, "analyse", "learn", "rows.csv", *words.split())
    assert named == {
        "label": "y", "features": "F", "drop": ["a", "2"], "positive": "cat", "out": Path("here"),
        "ridge": [0.5, 2.0], "sizes": [30, 60], "noise": 0.25, "repeated": 0.125, "repeats": 4.0,
        "replicates": 7, "seed": 11, "level": 0.05, "effect": 0.3, "centre": False,
        "numbers": True,
    }  # fmt: skip
    _, named = asked(learn, "analyse", "learn", "rows.csv", "--no-figure")
    assert named == {**plain, "out": None}


def test_options_of_fit_breaks(asked):
    given, named = asked(fit_breaks, "analyse", "fit-breaks", "curve.csv")
    assert given == (Path("curve.csv"),)
    plain = {
        "x": None, "y": None, "weights": None, "sd": None, "ceiling": None, "breaks": "auto",
        "least": 0, "resolution": 0.001, "out": PICTURES,
    }  # fmt: skip
    assert named == plain
    words = (
        "--x n --y a --y b --weights w --sd s --ceiling 1.5 --breaks 2 --least 1 "
        "--resolution 0.02 --out here"
    )
    _, named = asked(fit_breaks, "analyse", "fit-breaks", "curve.csv", *words.split())
    assert named == {
        "x": "n", "y": ["a", "b"], "weights": "w", "sd": "s", "ceiling": 1.5, "breaks": "2",
        "least": 1, "resolution": 0.02, "out": Path("here"),
    }  # fmt: skip
    _, named = asked(fit_breaks, "analyse", "fit-breaks", "curve.csv", "--no-figure")
    assert named == {**plain, "out": None}


def test_options_of_explore(asked):
    assert asked(explore, "serve", "explore") == ((None, 0, True), {})
    words = ["explore", "ridge_peak", "--port", "8123", "--no-browser"]
    assert asked(explore, "serve", *words) == (("ridge_peak", 8123, False), {})
    words = ["explore", "ridge_peak", "--static", "pages", "--port", "8123"]
    assert asked(explore, "write", *words) == (("ridge_peak", Path("pages")), {})


def test_options_of_figure(asked):
    plain = (None, False, PICTURES, Path("results/stores"), False, output.say)
    assert asked(figure, "make", "figure") == (plain, {})
    words = ["figure", "ridge_peak", "--all", "--out", "here", "--stores", "there", "--fresh"]
    wanted = ("ridge_peak", True, Path("here"), Path("there"), True, output.say)
    assert asked(figure, "make", *words) == (wanted, {})
    assert asked(demo, "show", "demo") == ((Path("results"),), {})
    assert asked(demo, "show", "demo", "--out", "here") == ((Path("here"),), {})


@pytest.mark.parametrize("dry", [True, False])
def test_options_of_run(dry, asked):
    words = ["run", "ridge_peak", "n=10,20", "--store", "here", "--replicates", "5"]
    assert asked(run, "declared", *words) == (("ridge_peak", {"n": "10,20"}, "5"), {})
    words += ["--device", "cpu", "--shard", "2/3", *(["--dry-run"] if dry else [])]
    name = "print_dry_run" if dry else "run_and_print"
    given, _ = asked(run, name, *words)
    sweep, folder, device, shard, *_ = given
    assert (folder, device, sweep.replicates) == (Path("here"), "cpu", 5)
    assert sweep.axes["n"] == (10, 20)
    assert shard == (2, 3)
    bare, _ = asked(run, name, *words[:2], *words[-1:] * dry)
    assert bare[1:4] == (Path("results/stores/ridge_peak"), None, None)
    assert asked(run, "engine_of", *words, "--engine", "dask=a:1") == (("dask=a:1", dry), {})


@pytest.mark.parametrize(
    ("command", "name"), [("check", "check_store"), ("locate", "locate_in_store")]
)
def test_levels_of_verdicts(command, name, asked, monkeypatch):
    class Opened:
        folder = Path("there")

    monkeypatch.setattr(verdicts, "open_store", lambda store: Opened)
    assert asked(verdicts, name, command, "here") == ((Path("there"), 1e-3), {})
    assert asked(verdicts, name, command, "here", "--level", "0.02") == ((Path("there"), 0.02), {})


def test_options_of_predict_solve_and_lint(asked):
    (phenomenon, values), _ = asked(predict, "document", "predict", "ridge_peak", "n=5,6", "p=3")
    assert (phenomenon.name, values) == ("ridge_peak", {"n": "5,6", "p": "3"})
    (phenomenon, words), _ = asked(solve, "document", "solve", "ridge_peak", "test_error=2", "n")
    assert (phenomenon.name, words) == ("ridge_peak", ["test_error=2", "n"])
    for every in (False, True):
        words = ["lint", "ridge_peak", "n=5", *(["--all"] if every else [])]
        (phenomenon, values, all_of_them), _ = asked(lint, "document", *words)
        assert (phenomenon.name, values, all_of_them) == ("ridge_peak", {"n": "5"}, every)


def test_claims_of_a_folder_are_not_those_that_are_kept(asked, monkeypatch):
    from ci_theory.cli import again, claims

    monkeypatch.setattr(surroundings, "start_jax", lambda **_: None)
    assert asked(claims, "table", "claims", "--results", "here") == (
        (Path("here"), list(range(1, 26))), {}
    )  # fmt: skip
    assert asked(claims, "table", "claims", "7", "--results", "here")[0] == (Path("here"), [7])
    for words in ([], ["--json"]):
        (key, _), _ = asked(again, "answer", "claims", *words)
        assert key == ["claims", f"json {bool(words)}"]
        (key, _), _ = asked(again, "answer", "claims", "12", "2", "12", *words)
        assert key == ["claims", "2", "12", f"json {bool(words)}"]
