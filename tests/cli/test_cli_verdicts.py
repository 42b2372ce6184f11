"""check, locate, claims --results and demo: verdicts, break points and exit codes from stores."""

import json
import math
import runpy
from pathlib import Path

import pytest
import said
import toys.mean
import toys.wrong  # noqa: F401 - files may name what has been imported

from ci_theory import BadInput, _shipped, answers
from ci_theory.check import Verdict
from ci_theory.check.answer import answer
from ci_theory.cli import demo, experiments, main, verdicts
from ci_theory.sweeps import Store, read_sweep

ROOT = Path(__file__).parents[2]
VERDICTS = runpy.run_path(str(ROOT / "paper_figs" / "_verdicts.py"))

SWEEP = """
phenomenon = "toys.{name}"
title = "How far a mean is off"
replicates = {replicates}

[axes]
n = [4, 6, 9, 13, 19, 28, 41, 60]
noise = [0.5, 1.0]

[fixed]
d = {d}
"""


def strict(text):
    """Parse JSON as a strict parser does."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with a store for each verdict."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("verdicts")
        patch.chdir(folder)
        cases = {"good": ("mean", 20, 800), "few": ("mean", 4, 4), "bad": ("wrong", 20, 800)}
        for case, (name, replicates, d) in cases.items():
            text = SWEEP.format(name=name, replicates=replicates, d=d)
            (folder / f"{case}.toml").write_text(text)
            assert main(["run", f"{case}.toml"]) == 0
        yield folder


@pytest.fixture(autouse=True)
def there(results, monkeypatch):
    monkeypatch.chdir(results)


@pytest.mark.parametrize(
    ("case", "verdict", "code"),
    [("good", "AGREES", 0), ("bad", "DISAGREES", 1), ("few", "UNDERPOWERED", 3)],
)
def test_the_verdict_decides_the_exit_code(case, verdict, code, capsys):
    for place in (f"{case}.toml", f"results/stores/{case}"):
        assert main(["check", place]) == code
        out, err = capsys.readouterr()
        assert f"predictions: {verdict}" in out
        assert err == ""
        assert main(["check", place, "--json"]) == code
        out, err = capsys.readouterr()
        made = strict(out)
        assert err == ""
        assert (made["verdict"], made["missing"], made["not_finite"]) == (verdict, 0, 0)
        assert made["store"] == f"results/stores/{case}"
        assert [p["verdict"] for p in made["predictions"]] == [verdict]


@pytest.mark.parametrize(
    ("case", "verdict", "code"),
    [("good", "AGREES", 0), ("bad", "DISAGREES", 1), ("few", "UNDERPOWERED", 3)],
)
def test_break_points_have_a_verdict_and_an_exit_code(case, verdict, code, capsys):
    assert main(["locate", f"{case}.toml"]) == code
    out, err = capsys.readouterr()
    assert out.startswith(f"breaks: {verdict} at a family-wise level of 0.001\n")
    assert f"   {verdict}: " in out
    assert err == ""
    assert main(["locate", f"{case}.toml", "--json"]) == code
    made = strict(capsys.readouterr().out)
    assert (made["verdict"], made["level"]) == (verdict, 0.001)
    (kind,) = made["kinds"]
    assert (kind["break"], kind["verdict"], kind["slices"]) == ("good_enough", verdict, 2)
    assert {b["prediction"] for b in made["breaks"]} == {"error"}


def test_the_level_of_a_verdict_is_the_one_asked_for(capsys):
    for command in ("check", "locate"):
        main([command, "bad.toml", "--level", "0.5", "--json"])
        assert strict(capsys.readouterr().out)["level"] == 0.5
    main(["locate", "good.toml", "--level", "0.5", "--json"])
    loose = strict(capsys.readouterr().out)["breaks"][0]["judged"]["measured"]["interval"]
    main(["locate", "good.toml", "--level", "1e-9", "--json"])
    sure = strict(capsys.readouterr().out)["breaks"][0]["judged"]["measured"]["interval"]
    assert sure[0] < loose[0] < loose[1] < sure[1]


def test_the_page_of_verdicts_counts_predictions_and_breaks_in_its_first_lines():
    cases = ("good", "bad", "few")
    found = [answer(Store.open(f"results/stores/{case}").dataset()) for case in cases]
    text = VERDICTS["page"](found)
    three = "1 AGREES, 1 DISAGREES, 1 UNDERPOWERED."
    assert f"**3 predictions** in 3 sweeps: {three}" in text
    assert f"**3 kinds of break points** in their sweeps, 6 slices: {three} 4 slices tell" in text
    assert "2 disagree" in text
    assert "| good | good_enough | AGREES | 2 | 2 | 2 | 2 | 0 | 0 | 0 of 2 |" in text
    assert "| bad | good_enough | DISAGREES | 2 | 2 | 2 | 0 | 2 | 0 | 2 of 2 |" in text
    (few,) = [line for line in text.splitlines() if line.startswith("| few | good_enough")]
    assert few.startswith("| few | good_enough | UNDERPOWERED | 2 | 2 | 0 | 0 | 0 | ")
    assert "too small for these runs" in few


def test_the_pages_say_what_is_kept_with_the_package():
    """They are written from the kept answers, and never edited."""
    for page, text in [
        ("docs/verdicts.md", VERDICTS["page"](answers.every())),
        ("README.md", VERDICTS["readme"]((ROOT / "README.md").read_text(), answers.every())),
    ]:
        assert (ROOT / page).read_text() == text, f"{page}: `paper_figs/_verdicts.py --pages`"
    assert [one["sweep"] for one in answers.every()] == VERDICTS["declared"]()


def declared_otherwise(one):
    """Say in what an answer is not of the sweep that is declared today, nor of its kept result."""
    declared = read_sweep(ROOT / "experiments" / f"{one['sweep']}.toml")
    axes = {name: set(values) for name, values in declared.axes.items()}
    cells = math.prod(map(len, axes.values()))
    told = {p["name"]: [p["verdict"], p["z"]] for p in one["predictions"]}
    wrong = [
        p["name"]
        for p in one["predictions"]
        if (p["cells"], p["replicates"]) != (cells, declared.replicates)
    ]
    for b in one["breaks"]:
        places = (b["middle"] or {"at": {}})["at"].items()
        wrong += [f"{b['name']}: {name} = {v}" for name, v in places if v not in axes[name]]
    file = ROOT / "paper_figs" / "data" / f"{one['sweep']}.csv"
    lines = file.read_text().splitlines() if file.exists() else []
    for line in (line for line in lines if line.startswith("# checks: ")):
        name, _, verdict, z = json.loads(line.removeprefix("# checks: "))
        if name in told and (verdict != told[name][0] or abs(z - told[name][1]) > 0.011):
            wrong.append(f"{name}: kept as {verdict}, {z}")
    return wrong


@pytest.mark.parametrize("one", answers.every(), ids=lambda one: one["sweep"])
def test_an_answer_is_of_the_sweep_as_it_is_declared_and_kept(one):
    """Else `make verdicts` (its sweep alone) and `_keep.py` are to be run again."""
    assert declared_otherwise(one) == []


def test_an_answer_of_another_sweep_is_seen():
    one = next(one for one in answers.every() if one["sweep"] == "weight_interpolation")
    prediction, rest = one["predictions"][0], one["predictions"][1:]
    for change in ({"cells": 447}, {"replicates": 41}, {"verdict": "DISAGREES"}, {"z": 0.5}):
        assert declared_otherwise({**one, "predictions": [{**prediction, **change}, *rest]})
    middle = {"at": {"down.ridge": 8.0}}
    assert declared_otherwise({**one, "breaks": [{**one["breaks"][0], "middle": middle}]})


def test_kept_answers_come_back_as_they_were_written(tmp_path, monkeypatch):
    data = Store.open("results/stores/good").dataset()
    made = answer(data)
    assert (made["sweep"], made["phenomenon"], made["formula"]) == (
        "good", "toys.mean", data.attrs["formula"],
    )  # fmt: skip
    assert {"verdict": "AGREES", "judged": 16, "decoys": 2, "rejected": 2}.items() <= made[
        "predictions"
    ][0].items()
    (kind,) = made["breaks"]
    low, high = kind["middle"]["measured"][1:]
    assert low <= kind["middle"]["predicted"][0] <= high
    assert kind["middle"]["predicted"][0] == pytest.approx(20 * kind["middle"]["at"]["noise"], 0.02)
    file = tmp_path / "answers.json"
    answers.write([{**made, "sweep": "zz"}, made], file)
    assert json.loads(file.read_text()) == [made, {**made, "sweep": "zz"}]
    assert len(file.read_text().splitlines()) < 50


def test_an_answer_is_of_the_session_that_began_last():
    data = Store.open("results/stores/good").dataset()
    sessions = [{"began": f"{day}T10:00:00", "jax": jax} for day, jax in
                (("2026-02-01", "9"), ("2026-11-30", "11"), ("2026-03-09", "10"))]  # fmt: skip
    data.attrs["sessions"] = json.dumps(sessions)
    made = answer(data)
    assert (made["jax"], made["date"]) == ("11", "2026-11-30")
    data.attrs["sessions"] = "[]"
    made = answer(data)
    assert (made["jax"], made["date"]) == (None, None)


def test_locate_finds_what_the_closed_form_says(capsys):
    assert main(["locate", "good.toml", "--json"]) == 0
    made = strict(capsys.readouterr().out)
    assert [b["at"]["noise"] for b in made["breaks"]] == [0.5, 1.0]
    for found in made["breaks"]:
        low, high = found["measured"]["interval"]
        truth = 20 * found["at"]["noise"]
        assert found["closed_form"] == truth
        assert low <= found["predicted"]["value"] <= high
        assert found["measured"]["value"] == pytest.approx(truth, rel=0.1)
    assert main(["locate", "good.toml"]) == 0
    text = capsys.readouterr().out
    assert "good_enough: place on the axis n" in text
    assert sum("yes" in line for line in text.splitlines()) == 2


def test_claims_prefer_the_stores_of_the_user_and_say_so(capsys, monkeypatch):
    before = answers.every()
    monkeypatch.setattr(
        answers, "every", lambda: (*before, {"phenomenon": "toys.mean", "sweep": "mean"})
    )
    assert main(["claims", "--results", ".", "--json"]) == 0
    rows = strict(capsys.readouterr().out)
    toy = rows[24]["phenomena"]["toys.mean"]
    assert toy["verdicts"] == {"AGREES": 1, "UNDERPOWERED": 1}
    assert toy["verdict"] == "AGREES 1, UNDERPOWERED 1"
    assert (toy["source"], len(toy["answers"])) == ("yours", 2)
    assert rows[0]["phenomena"]["ridge_peak"]["source"] == "kept"
    assert rows[16]["phenomena"]["unlearning"]["verdict"] in ("planned", "not run")
    assert all("toys.wrong" not in row["phenomena"] for row in rows)


def test_an_incomplete_store_says_so_on_stderr(capsys):
    assert main(["run", "good.toml", "--shard", "0/9", "seed=5", "--store", "part"]) == 0
    assert (
        main(
            [
                "run",
                "good.toml",
                "--replicates",
                "60",
                "seed=5",
                "--store",
                "part",
                "--shard",
                "0/9",
            ]
        )
        == 0
    )
    capsys.readouterr()
    main(["check", "part", "--json"])
    out, err = capsys.readouterr()
    missing = strict(out)["missing"]
    assert (missing > 0) == ("not simulated yet" in err)
    assert missing > 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["check", "god"], "unknown experiment 'god'"),
        (["check", "missing.toml"], "no such file"),
        (["locate", "results/missing"], "results/missing: no such folder of results"),
        (["check", "."], "is not a store"),
        (["check", "empty"], "is empty"),
        (["check", "new.toml"], "`ci-theory run new.toml --allow toys.mean` comes first"),
        (["check", "good.toml", "--level", "0"], "level = 0"),
        (["check", "good.toml", "--level", "nan"], "level = nan"),
        (["check", "good.toml", "--level", "high"], "--level"),
        (["locate", "new.toml"], "comes first"),
        (["locate", "good.toml", "--level", "2"], "level = 2"),
        (["locate", "damaged"], "is not a plan"),
        (["claims", "--results", "nowhere"], "no such folder"),
        (["demo", "--out", "good.toml"], "good.toml"),
    ],
)
def test_mistakes(words, says, results, capsys):
    (results / "empty").mkdir(exist_ok=True)
    (results / "new.toml").write_text((results / "good.toml").read_text())
    (results / "damaged").mkdir(exist_ok=True)
    (results / "damaged" / "plan-000.json").write_text("{}")
    before = sorted(results.rglob("*"))
    try:
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert says in err
        assert (out, err.count("\n")) == ("", 1)
        assert sorted(results.rglob("*")) == before
    finally:
        (results / "damaged" / "plan-000.json").unlink()
        (results / "damaged").rmdir()


def test_the_demonstration_shows_breaks_verdicts_and_figures(results, monkeypatch, capsys):
    (results / "experiments").mkdir()
    for name, case in [("demo", "good"), ("demo_more", "few")]:
        text = (results / f"{case}.toml").read_text()
        (results / "experiments" / f"{name}.toml").write_text(text)
    monkeypatch.setattr(_shipped, "folders", lambda kind: [Path("experiments")])
    monkeypatch.setenv("COLUMNS", "200")  # no cell of the summary is broken
    (results / "env" / "bin").mkdir(parents=True)
    (results / "env" / "bin" / "activate").touch()
    monkeypatch.setattr(demo.sys, "prefix", str(results / "env"))
    monkeypatch.setattr(demo.shutil, "which", lambda command: None)
    assert demo.names() == ["demo", "demo_more"]
    assert main(["demo", "--out", "shown"]) == 0
    out, err = capsys.readouterr()
    for told in ("good_enough", "AGREES", "UNDERPOWERED", "shown/demo.png", "shown/demo_more.png"):
        assert told in out
    assert "done in" in err
    last = " ".join(out.split("summary\n")[1].split())
    assert len(out.split("summary\n")[1].splitlines()) < 20
    for told in ("demo good_enough noise = ", "AGREES: 2 of 2 curves", "1 AGREES, 1 UNDERPOWERED",
                 "next `ci-theory claims`", "ci-theory check shown/stores/demo",
                 "command `. env/bin/activate` puts `ci-theory` on the path"):  # fmt: skip
        assert told in last
    pictures = last.split("pictures ")[1].split(" command")[0].split(", ")
    assert len(pictures) == 2
    assert all((results / picture).with_suffix(end).is_file() for picture in pictures
               for end in (".png", ".pdf"))  # fmt: skip

    class Wrong:
        verdict = Verdict.DISAGREES
        outcomes = kinds = ()

    for part, printed in (("check", "print_report"), ("locate_breaks", "print_breaks")):
        with monkeypatch.context() as patch:
            right = getattr(demo, part)
            wrong = {"demo": lambda data: Wrong, "demo_more": right}  # one of two is enough
            patch.setattr(demo, part, lambda data, one=wrong: one[data.attrs["name"]](data))
            patch.setattr(demo.verdicts, printed, lambda report: None)
            assert main(["demo", "--out", "shown"]) == 1


def test_the_packaged_demonstration_is_sound(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert {"demo", "demo_double_descent"} <= set(demo.names())
    swept = {}
    for name in demo.names():
        sweep = read_sweep(experiments.find(name))
        swept.setdefault(sweep.phenomenon, set()).update(sweep.axes)
        assert sweep.title
    assert {"noise", "repeats", "budget"} <= swept["repeated_data"]
    assert {"noise", "n"} <= swept["ridge_peak"]
    assert {"noise", "n"} <= swept["random_feature_peak"]


@pytest.mark.parametrize(("case", "code"), [("good", 0), ("bad", 1), ("few", 3)])
def test_what_is_printed_of_a_verdict(case, code, capsys, monkeypatch):
    for command in ("check", "locate"):
        said.hold(capsys, monkeypatch, command, f"{case}.toml", code=code)


def test_experiments_of_the_demonstration_are_called_so(monkeypatch):
    there = ["demo", "demo_more", "demography", "other"]
    monkeypatch.setattr(experiments, "names", lambda: there)
    assert demo.names() == ["demo", "demo_more"]


@pytest.mark.parametrize("ask", [verdicts.check_store, verdicts.locate_in_store])
def test_a_level_is_looked_at_before_the_store_is_read(ask, monkeypatch):
    """What a store lacks is told as it is read, and would be a line too many."""
    monkeypatch.setattr(verdicts, "complete_dataset", lambda store: pytest.fail("it is read"))
    with pytest.raises(BadInput, match="level = 2"):
        ask(Path("results/stores/good"), 2.0)
