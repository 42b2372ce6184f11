"""`ci-theory formulas`: found by words, shown in full by name, readable, honest about users."""

import json

import pytest

from ci_theory import BadInput, phenomena
from ci_theory.cli import formulas, main
from ci_theory.theory.statements.catalogue import catalogue


def answer(capsys, *words):
    assert main(["formulas", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_all_are_listed_with_statement_scope_source_and_place(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = answer(capsys)
    assert max(map(len, text.splitlines())) <= 80
    flat = " ".join(text.split())
    for formula in catalogue():
        assert formula.name in flat
        if formula.closed:
            assert f"ci_theory.theory.{formula.where}" in flat
            for part in (formula.statement, formula.scope, formula.source):
                assert part.split()[:2] == [] or " ".join(part.split()[:2]) in flat
    closed = [formula.closed for formula in catalogue()]
    told = f"closed forms: {closed.count(True)}, building blocks: {closed.count(False)}"
    assert told in text.splitlines()
    entries = json.loads(answer(capsys, "--json"))
    assert [f"{e['where']}.{e['name']}" for e in entries] == [
        f"ci_theory.theory.{f.path}" for f in catalogue()
    ]


def test_words_are_looked_for_everywhere_and_all_of_them():
    assert [f.name for f in formulas.search(["BUSY", "queue"])] == ["survival"]
    both = formulas.search(["stage", "2103.05621"])
    assert {f.name for f in both} == {"inherit", "two_stages"}
    assert {f.where for f in formulas.search(["mei_montanari"])} >= {"features.mei_montanari"}


def test_a_name_shows_one_in_full(capsys):
    text = answer(capsys, "isotropic.local_minimum")
    (formula,) = [f for f in catalogue() if f.path == "ridge.isotropic.local_minimum"]
    for line in formula.doc.splitlines()[1:]:
        assert line.strip() in text
    assert ">>> best = local_minimum(0.25)" in text
    assert "formula isotropic.local_minimum_risk" in text  # one function, two statements
    entry = json.loads(answer(capsys, "local_minimum", "--json"))[0]
    assert [s["name"] for s in entry["sympy"]] == [
        "isotropic.local_minimum",
        "isotropic.local_minimum_risk",
    ]


def test_a_shared_name_is_told_apart_by_its_path(capsys):
    text = answer(capsys, "optimal_ridge")
    assert "by their paths: inheritance.transfer.optimal_ridge, ridge.isotropic.optimal_" in text
    assert "Bayes" in answer(capsys, "isotropic.optimal_ridge")


@pytest.mark.parametrize(
    ("word", "hint"),
    [("peek_hight", "did you mean peak_height"), ("repaet", "did you mean"), ("xqz\x1b[31m", "")],
)
def test_what_matches_nothing_is_one_line_with_near_names(word, hint, capsys):
    assert main(["formulas", word]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert hint in err
    assert "\x1b" not in err


def test_users_are_the_phenomena_that_import_the_module():
    users = formulas.users()
    assert users["spectra.sources"] == ["group_gap", "icl_linear_attention", "icl_zipf_tasks"]
    assert users["rows.spiked_rows"] == ["feature_spectrum"]
    assert users["discrete.stored_facts"] == ["fact_memory"]
    assert users["inheritance.combination"] == ["weight_interpolation"]
    assert "linear_grokking" in users["dynamics.grokking"]  # imported by name
    assert {"ridge_peak", "repeated_data"} <= set(users["spectra.spectrum"])  # by way of others
    assert users["discrete.zipf"]
    assert "zipf_learning" not in users["ridge.shift"]
    tools = {f.where for f in catalogue() if f.closed and not users[f.where]}
    assert "ridge.shift" in tools


def test_a_tool_says_that_no_phenomenon_uses_it(capsys):
    assert "no phenomenon: a tool for you" in answer(capsys, "shifted_risk")
    assert "used by  digits_ridge" in answer(capsys, "row_risk")


def test_users_are_phenomena_and_nothing_else():
    named = {user for users in formulas.users().values() for user in users}
    assert named <= set(phenomena.names())
    assert all(users == sorted(set(users)) for users in formulas.users().values())


def test_one_word_of_two_is_not_enough():
    for word in ("stage", "2103.05621"):
        assert {f.name for f in formulas.search([word])} > {"inherit", "two_stages"}
    with pytest.raises(BadInput, match="no formula mentions 'stage' and 'queue'"):
        formulas.search(["stage", "queue"])
