"""What list, show and claims print: complete, strict as JSON, readable in 80 columns."""

import dataclasses
import json
from collections import Counter
from importlib import import_module

import pytest
import said

from ci_theory import answers, phenomena
from ci_theory._record import Axis, Kind
from ci_theory.claimed import answered
from ci_theory.claims import CLAIMS
from ci_theory.cli import claims, describe, main
from ci_theory.cli.output import number, plain


def strict(text):
    """Parse JSON as a strict parser does: no NaN, no infinity."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def answer(capsys, *words):
    """Run a command that must succeed; return what it printed on stdout."""
    assert main(list(words)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_list_names_every_phenomenon_with_claims_predictions_and_axes(capsys):
    entries = strict(answer(capsys, "list", "--json"))
    assert [e["name"] for e in entries] == phenomena.names()
    text = " ".join(answer(capsys, "list").split())
    for entry in entries:
        assert f"{entry['name']}: {entry['title']}" in text
        assert entry["predictions"] or entry["breaks"]
        assert entry["axes"]


def test_a_broken_plug_in_does_not_hide_the_others(capsys, monkeypatch, tmp_path):
    from ci_theory.cli import describe

    (tmp_path / "plugged").mkdir()
    (tmp_path / "plugged" / "broken.py").write_text("PHENOMENON = 1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(describe, "names", lambda: ["plugged.broken", "toys.mean"])
    broken, good = strict(answer(capsys, "list", "--json"))
    assert broken["name"] == "plugged.broken"
    assert "cannot be imported: ZeroDivisionError: division by zero" in broken["error"]
    assert good["title"] == "The error of a sample mean"
    assert broken["error"] in answer(capsys, "list")
    assert main(["show", "plugged.broken"]) == 2
    assert capsys.readouterr().err == f"ci-theory: {broken['error']}\n"


def test_show_tells_everything_a_phenomenon_declares(capsys):
    text = " ".join(answer(capsys, "show", "toys.mean").split())
    toy = phenomena.load("toys.mean")
    (prediction,) = toy.predictions
    told = [toy.title, toy.question, toy.model, prediction.statement, prediction.scope,
            prediction.order, prediction.source, toy.breaks[0].statement]  # fmt: skip
    told += [f"{d.name} {d.why}" for d in prediction.decoys]
    told += [f"{doc} [{unit}]" for unit, doc in toy.measure_info.values()]
    told += ["noise inner 1 >= 0 variance of a row [label²]", "shift traced 0 -10 .. 10 true mean"]
    for part in told:
        assert part in text


@pytest.mark.parametrize("name", ["toys.mean", *phenomena.names()])
def test_show_fits_80_columns_and_has_strict_json(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = answer(capsys, "show", name)
    assert max(map(len, text.splitlines())) <= 80
    entry = strict(answer(capsys, "show", name, "--json"))
    for axis in phenomena.load(name).axes:
        assert axis in entry["axes"]
        assert entry["axes"][axis]["kind"] in text


def test_show_renders_the_formulas_that_have_a_statement(capsys, monkeypatch):
    # sympy guesses from the stream that it met first whether letters are to be Greek
    symbology = import_module("sympy.printing.pretty.pretty_symbology")
    monkeypatch.setattr(symbology, "_use_unicode", False)
    entry = strict(answer(capsys, "show", "repeated_data", "--json"))
    worst = {f["name"]: f for f in entry["formulas"]}["repetition.worst_excess"]
    assert "\\sqrt{1 - f}" in worst["latex"]
    text = answer(capsys, "show", "repeated_data")
    for line in worst["unicode"].splitlines():
        assert line.rstrip() in text
    assert "ρ " in text.split("symbols\n")[1]
    assert strict(answer(capsys, "show", "toys.mean", "--json"))["formulas"] == []
    assert "stated by     ridge.kappa, ridge.test_error" in answer(capsys, "show", "ridge_peak")


def test_claims_are_answered_from_what_is_kept_with_the_package(capsys, monkeypatch):
    rows = strict(answer(capsys, "claims", "--json"))
    assert [r["number"] for r in rows] == list(range(1, 26))
    registered = phenomena.names()
    for row, claim in zip(rows, CLAIMS, strict=True):
        assert set(row["phenomena"]) >= set(claim.phenomena)
        for name, state in row["phenomena"].items():
            assert state["implemented"] == (name in registered)
            assert (state["verdict"] == "planned") == (name not in registered)
            if name in registered and phenomena.load(name).predictions:
                assert (state["source"], state["answers"]) == ("kept", answers.kept(name))
    text = answer(capsys, "claims")
    assert all(claim.text.split()[0] in text for claim in CLAIMS)
    flat = " ".join(text.split())
    for row, claim in zip(rows, CLAIMS, strict=True):
        found = answered(claim.number)
        assert (row["answer"]["word"], row["answer"]["text"]) == (found.word.value, found.text)
        # The answer in words is what a claim begins with.
        head = f"{claim.number}. {claim.text} ({claim.cited}) in our models: {found.text}"
        assert head.replace(" ", "") in flat.replace(" ", "")
    (slight,) = [
        part for part in rows[5]["answer"]["parts"] if part["word"] == "supported only when"
    ]
    assert slight["sweeps"] == slight["figures"] == ["noisy_features"]
    assert slight["predictions"] == ["noisy_features: ood_excess"]
    assert flat.endswith(told_words(rows))
    assert "25 claims have an answer" in text
    (one,) = [part for part in text.split("\n\n") if part.startswith("2. ")]
    words = ["repeated_data:", "(kept)", "AGREES", "worst z", "worst repeat count: located"]
    words += ["predicted", "experiments/repeated_data.toml", "simulation", "against"]
    assert [word for word in words if word not in " ".join(one.split())] == []
    (one,) = [part for part in text.split("\n\n") if part.startswith("3. ")]
    assert "no phenomenon tests it yet (planned: memorised_duplicates)" in " ".join(one.split())


def told_words(rows):
    """Return the last words of the command: how often each word was told."""
    counts = Counter(row["answer"]["word"] for row in rows).most_common()
    told = ", ".join(f"{count} {word}" for word, count in counts)
    return f"in our models, as kept with the package: {told}"


def test_an_answer_of_ones_own_store_is_not_called_a_kept_one(monkeypatch):
    (first, *_) = answers.kept("ridge_peak")
    old = [{**first, "formula": "another"}]
    assert "note" not in claims._of("ridge_peak", {"ridge_peak": old})
    monkeypatch.setattr(answers, "kept", lambda _: old)
    assert claims._of("ridge_peak", {})["note"] == claims.STALE


def test_some_claims_are_those_of_all_by_their_numbers(capsys):
    rows = strict(answer(capsys, "claims", "--json"))
    assert strict(answer(capsys, "claims", "12", "3", "12", "--json")) == [rows[2], rows[11]]
    parts = answer(capsys, "claims").split("\n\n")
    *some, counts = answer(capsys, "claims", "3", "12").split("\n\n")
    assert some == [parts[2], parts[11]]
    assert counts.startswith("2 of 2 claims have an answer\n")
    assert answer(capsys, "claims", "12") == parts[11] + "\n\n"  # what is said of one is all


def test_a_phenomenon_is_shown_by_the_claims_that_it_declares_and_no_others(monkeypatch):
    """One of third parties, which no row of the claims names."""
    peak = phenomena.load("ridge_peak")
    loaded = {"theirs": dataclasses.replace(peak, name="theirs", claims=(3, 25))}
    monkeypatch.setattr(phenomena, "load", lambda name, **_: loaded[name])
    declared = {"theirs": claims._declared("theirs")}
    shown = [c.number for c in CLAIMS if "theirs" in claims._models(c, declared)]
    assert shown == [3, 25]


def test_a_kept_answer_of_another_simulation_is_said_to_be_one(capsys, monkeypatch):
    (first, *_) = answers.kept("ridge_peak")
    monkeypatch.setattr(answers, "every", lambda: ({**first, "formula": "another"},))
    rows = strict(answer(capsys, "claims", "--json"))
    assert "another version of the simulation" in rows[0]["phenomena"]["ridge_peak"]["note"]
    text = " ".join(answer(capsys, "claims").split())
    assert "note: the kept answer is of another version of the simulation" in text
    assert "simulation another" in text
    assert "no answer: random_feature_peak (not run), feature_ensemble (not run)" in text


def test_what_was_measured_without_a_prediction_is_said_to_be(capsys, monkeypatch):
    silent = {**answers.kept("ridge_peak")[0], "phenomenon": "modular_grokking", "predictions": []}
    for known, words in (
        ((silent,), "measured, nothing predicted"),
        ((), "not run; it predicts nothing to judge"),
    ):
        monkeypatch.setattr(answers, "every", lambda known=known: known)
        rows = [row["phenomena"] for row in strict(answer(capsys, "claims", "--json"))]
        told = [row["modular_grokking"]["verdict"] for row in rows if "modular_grokking" in row]
        assert set(told) == {words}


def test_every_claim_of_every_phenomenon_is_in_the_table():
    for name in phenomena.names():
        for claim in phenomena.load(name).claims:
            assert 1 <= claim <= len(CLAIMS)
    assert [claim.number for claim in CLAIMS] == list(range(1, 26))
    for claim in CLAIMS:
        for name in set(claim.phenomena) & set(phenomena.names()):
            assert claim.number in phenomena.load(name).claims, (claim.number, name)


def test_what_is_planned_is_no_other_name_of_what_is_there():
    planned = {name for claim in CLAIMS for name in claim.phenomena} - set(phenomena.names())
    assert planned == {  # may only become fewer
        "memorised_duplicates", "data_pruning", "model_collapse", "repair_law",
        "unlearning", "spectral_tuning", "membership_inference",
    }  # fmt: skip


def test_values_that_json_lacks_become_null_or_names():
    import numpy as np

    from ci_theory import Status

    given = {"a": np.array([[1.0, np.nan], [np.inf, -np.inf]]), "b": np.float64(2), "c": Status.OK}
    assert plain(given) == {"a": [[1.0, None], [None, None]], "b": 2.0, "c": "OK"}
    assert plain({1: np.bool_(True), "x": (np.int64(3), "s")}) == {"1": True, "x": [3, "s"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (123456, "123456"),
        (1e6, "1e+06"),
        (0.123456789, "0.12346"),
        (-2.5, "-2.5"),
        (float("nan"), "-"),
        (None, "-"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (True, "true"),
        ("word", "word"),
    ],
)
def test_numbers_for_people(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("kind", "bounds", "text"),
    [
        (float, {}, "any"),
        (int, {"low": 2}, ">= 2"),
        (float, {"above": 0}, "> 0"),
        (float, {"high": 9}, "<= 9"),
        (float, {"low": 0, "high": 1}, "0 .. 1"),
        (float, {"above": 0, "high": 1}, "0 <.. 1"),
        (str, {"choices": ("3", "b")}, "3 | b"),
        (str, {}, "text"),
        (bool, {}, "true | false"),
    ],
)
def test_the_values_that_an_axis_takes(kind, bounds, text):
    default = {str: "3", bool: True}.get(kind, kind(bounds.get("low", 1)))
    about = {"name": "a", "kind": Kind.STATIC, "unit": "", "doc": "one"}
    assert describe.bounds(Axis(type=kind, default=default, **about, **bounds)) == text


@pytest.mark.parametrize(
    "words",
    [
        "show toys.mean",
        "predict toys.mean n=40 shift=0.5 biased=true",
        "predict toys.mean n=1,4,9,16,25,400 noise=1",
        "predict toys.mean noise=1,2 n=2,4",
    ],
)
def test_what_is_printed_for_people(words, capsys, monkeypatch):
    said.hold(capsys, monkeypatch, *words.split())
