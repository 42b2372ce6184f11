"""The pages of the site from what the package declares, without Sphinx."""

import ast
import html
import re
from pathlib import Path

import pytest

import ci_theory
from ci_theory.cli import describe, main
from ci_theory.cli import formulas as listed
from ci_theory.theory.statements.catalogue import catalogue
from web import api, build, claims, commands, formulas, phenomenon, play, sources, typeset
from web.docstrings import repaired
from web.words import LISTS, markdown, rst

DOCS = Path(__file__).parents[2] / "docs"
OURS = sorted(build.ours())
WRITTEN = sorted((DOCS / "web" / "pages").rglob("*.md"))

TOY = {
    "name": "toy",
    "title": "A toy | with a bar",
    "claims": [1, 2],
    "question": "Is |w|^2 worth $5?",
    "model": "x_i ~ N(0, S), see `a_b`",
    "predictions": [
        {
            "name": "error",
            "measure": "error",
            "statement": "E = B + noise",
            "scope": "n > p",
            "order": "1/n: docs/finite_size.md",
            "source": "arXiv:1903.08560",
            "decoys": [{"name": "half", "why": "the noise is halved"}],
            "formulas": [],
        }
    ],
    "breaks": [{"name": "peak", "axis": "n", "measure": "error", "statement": "n = p"}],
    "measures": {"error": {"unit": "label²", "doc": "squared"}},
    "axes": {
        "n": {"kind": "sized", "default": 5, "bounds": "a | b", "unit": "rows", "doc": "rows"}
    },
    "formulas": [],
}
ANSWER = {
    "sweep": "toy_sweep",
    "predictions": [
        {
            "name": "error",
            "verdict": "AGREES",
            "cells": 4,
            "judged": 3,
            "replicates": 9,
            "bias": 0.01,
            "error": 0.002,
            "finds": None,
            "decoys": 2,
            "vacuous": 1,
            "rejected": 1,
        }
    ],
    "breaks": [
        {
            "name": "peak",
            "verdict": "UNDERPOWERED",
            "slices": 4,
            "told": 1,
            "disagree": 0,
            "middle": {"measured": [10.0, 9.0, 11.0], "predicted": [10.5, 10.0, 11.0]},
        }
    ],
}


def test_a_page_has_everything_that_is_declared_and_what_was_found():
    page = phenomenon.page(TOY, [ANSWER], derivations=["ridge/ridge"], pictures=["digits"])
    for said in (
        "# `toy`",
        "A toy \\| with a bar",
        "Is \\|w\\|^2 worth \\$5?",
        "<i>x</i><sub><i>i</i></sub> \\~ <i>N</i>(0, <i>S</i>), see `a_b`",
        '<div class="plain-formula"><i>E</i> = <i>B</i> + noise</div>',
        "[finite size](../finite_size.md)",
        "[arXiv:1903.08560](https://arxiv.org/abs/1903.08560)",
        "*half*: the noise is halved",
        "| peak | `error` | `n` | <i>n</i> = <i>p</i> |",
        "| [toy_sweep](#sweep-toy_sweep) | `error` | {verdict}`AGREES` | 3/4 x 9 | "
        "+1.00% ± 0.20% | - | 1 of 1 |",
        "10 [9, 11], predicted 10.5",
        "| `n` | sized | `5` | a \\| b | rows \\[rows\\] |",
        "[](../ridge/ridge.md)",
        "../images/digits.png",
        "ci-theory run toy_sweep",
        "[1](#claim-1), [2](#claim-2)",
        "kept verdicts: 1 {verdict}`AGREES`",
    ):
        assert said in page, said


def test_a_page_to_play_with_is_embedded():
    embedded = '<iframe class="explore" src="../explore/toy.html"'
    assert embedded in phenomenon.page(TOY, [])
    without = phenomenon.page(TOY, [], played=False)
    assert "iframe" not in without
    assert "`ci-theory explore toy`" in without


def test_pages_to_play_with_are_kept_while_what_they_are_made_of_stays(tmp_path):
    package = tmp_path / "src" / "ci_theory" / "explore" / "page"
    package.mkdir(parents=True)
    (tmp_path / "experiments").mkdir()
    seen = [play.digest(["toy"], tmp_path)]
    for file, text in (
        (package / "page.js", "1"), (package.parent / "site.py", "1"), (package / "page.js", "2"),
        (tmp_path / "experiments" / "demo.toml", "1"),
    ):  # fmt: skip
        file.write_text(text)
        seen.append(play.digest(["toy"], tmp_path))
    assert len(set(seen)) == 5
    (package.parent / "site.pyc").write_text("a cache")
    assert play.digest(["toy"], tmp_path) == seen[-1]
    assert play.digest(["toy", "other"], tmp_path) != seen[-1]
    assert play.digest(["toy"]) == play.digest(["toy"], play.ROOT)
    folder = tmp_path / "made"
    folder.mkdir()
    assert not play.written(folder, seen[-1])
    (folder / play.NOTE).write_text(seen[-1])
    assert play.written(folder, seen[-1])
    assert not play.written(folder, seen[0])


def test_pages_to_play_with_are_written_once(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(play.sys, "argv", ["play", str(tmp_path), "ridge_peak"])
    monkeypatch.setattr(
        play.site,
        "write",
        lambda folder, shown, say, **how: made.append((folder, shown[0][0], how)),
    )
    play.main()
    play.main()
    assert made == [(tmp_path, "ridge_peak", {"every_curve": False})]
    (tmp_path / play.NOTE).write_text("something else")
    (tmp_path / "of_before.html").touch()
    play.main()
    assert len(made) == 2
    assert not (tmp_path / "of_before.html").exists()


def test_what_predicts_nothing_says_so_and_has_no_empty_tables():
    silent = TOY | {"predictions": [], "breaks": []}
    page = phenomenon.page(silent, [])
    assert "it predicts nothing" in page
    assert "None: no closed form is known" in page
    assert "## Verdicts" not in page
    assert "## Break points" not in page


def test_what_was_never_run_is_not_said_to_be_judged():
    assert "kept verdicts: not run" in phenomenon.page(TOY, [])


def test_the_page_of_claims_links_what_was_looked_at():
    part = {
        "says": "noise raises a_b",
        "word": "supported only when",
        "why": "n > 5",
        "numbers": "1 of 2",
        "sweeps": ["s"],
        "figures": ["f"],
    }
    entry = {
        "number": 7,
        "claim": "A claim",
        "cited": "Somebody",
        "break_point": None,
        "answer": {"word": "supported only when", "parts": [part]},
        "phenomena": {
            "toy": {"implemented": True, "verdict": "AGREES 1"},
            "later": {"implemented": False, "verdict": "planned"},
        },
    }
    page = claims.page([entry])
    assert "(claim-7)=" in page
    assert "- noise raises a\\_b: **supported only when** n \\> 5 (1 of 2)." in page
    assert "sweep [s](#sweep-s); figure [f](images/f.png)" in page
    assert "| [toy](phenomena/toy.md) | AGREES 1 |" in page
    assert "No phenomenon yet: `later`" in page
    told = claims.summary([entry], [ANSWER])
    assert "- 1 {verdict}`supported only when`" in told
    assert "1 declared sweeps judge 1 predictions: 1 {verdict}`AGREES`." in told
    assert "Of 4 curves with breaks 1 tell the place, and 0 disagree" in told


def test_every_command_and_option_is_on_the_page_of_commands(capsys):
    """Against what the program prints, another way of writing the same declarations."""
    page = commands.page()
    assert main(["--help"]) == 0
    told = capsys.readouterr().out.partition("Commands:\n")[2]
    names = re.findall(r"^  (\S+)", told, re.M)
    assert [f"ci-theory {name}" for name in names] == commands.titles()
    parts = dict(
        re.findall(r"^## `ci-theory (\S+)`\n(.*?)(?=^\(command-|^## Exit)", page, re.M | re.S)
    )
    assert sorted(parts) == sorted(names)
    for name in names:
        assert main([name, "--help"]) == 0
        text = capsys.readouterr().out
        options = set(re.findall(r"^  (--[a-z-]+)", text, re.M))
        assert set(re.findall(r"^\| `(--[a-z-]+)", parts[name], re.M)) == options
        assert all(line.count(" | ") == 1 for line in parts[name].splitlines() if line[:3] == "| `")
    assert "`EXPERIMENT\\|STORE` |" in parts["check"]
    assert "| `3` | UNDERPOWERED" in page


def test_every_closed_form_is_on_a_page_once():
    rooms = formulas.rooms(catalogue())
    listed = [form.path for forms in rooms.values() for form in forms]
    assert sorted(listed) == sorted(form.path for form in catalogue() if form.closed)
    for room, forms in rooms.items():
        page = formulas.page(room, forms, {})
        labels = re.findall(r"^\.\. _formula-(\S+):$", page, re.M)
        assert labels == [form.path for form in forms]
        assert page.count(":Regime: ") == page.count(":Source: ") == len(forms)


def test_every_layer_has_a_page_and_every_name_one_home():
    packages = {one for _, listed in api.pages().values() for one in listed}
    folders = {
        f"ci_theory.{f.stem}"
        for f in Path(ci_theory.__file__).parent.iterdir()
        if f.stem[0] != "_" and f.stem not in ("answers", "cli", "py") and f.suffix in ("", ".py")
    }
    assert folders <= packages
    described = api.described()
    assert len(set(described)) == len(described) > 500
    assert {"ci_theory.BadInput", "ci_theory.extend.record"} <= set(described)
    assert "ci_theory.extend.BadInput" not in described
    assert not [name for name in described if "._" in name]


def test_no_page_of_docs_is_left_out_of_the_contents():
    texts = [page.read_text("utf-8") for page in WRITTEN]
    assert sum(text.count("{{rest}}") for text in texts) == 1  # where those go that none names
    rest = build.unplaced(texts, ["ridge/ridge", "new", "ridge/new"])
    assert rest == ["new", "ridge/new"]
    assert [page for page in build.unplaced(texts, OURS) if "/" in page] == []


@pytest.mark.parametrize("page", OURS)
def test_no_page_of_docs_points_outside_the_site(page):
    links = re.findall(r"\]\(([^)#:]+)[)#]", sources.adapted(build.ours()[page]))
    aims = [(DOCS / page).parent.joinpath(link).resolve() for link in links]
    written = {DOCS / "scripts.md"}
    outside = [a for a in aims if not (a in written or (a.is_relative_to(DOCS) and a.is_file()))]
    assert outside == []


def test_derivations_are_those_pages_that_name_a_phenomenon():
    pages = {"ridge/ridge": "about `a`", "other": "a in words", LISTS[0]: "`a`"}
    assert build.derivations("a", pages) == ["ridge/ridge"]
    assert "inheritance/poisoning" in build.derivations("poisoned_ridge", build.ours())


def test_tutorials_hold_python():
    pages = [page for page in WRITTEN if page.parent.name == "tutorials"]
    assert len(pages) == 4
    for page in pages:
        cells = re.findall(r"```\{code-cell\}\n(.*?)```", page.read_text("utf-8"), re.S)
        assert cells
        for cell in cells:
            ast.parse(re.sub(r"^(!.*|:tags:.*)$", "", cell, flags=re.M))


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("a literal ``sum + ridge\n|w|^2`` goes on", "a literal ``sum + ridge\n|w|^2`` goes on"),
        ("n_+ n_- and x_1 of |w|", "n\\_+ n\\_- and x_1 of \\|w\\|"),
        ("*both* and **all**, s^* not", "*both* and **all**, s^\\* not"),
        (":math:`|x|_2` stays", ":math:`|x|_2` stays"),
        ("Exact. Source: nobody.", "Exact. **Source:** nobody."),
        ("see docs/discrete/zipf.md", "see :doc:`/discrete/zipf`"),
        ("see docs/design.md", "see :doc:`/design`"),
        (".. math::\n    a_i |b|\n    c*", ".. math::\n    a_i |b|\n    c*"),
        ("Args:\n    n: |x| rows.\n        more", "Args:\n    n: \\|x\\| rows.\n        more"),
        ("- one\n  |two|", "- one\n  \\|two\\|"),
        (">>> a_ | b\n1*\n", ">>> a_ | b\n1*\n"),
        (
            "Sum\n\n    a^2\n\n      = b_i\n\nEnd",
            'Sum\n\n.. raw:: html\n\n    <div class="plain-formula"><i>a</i><sup>2</sup>\n\n'
            "      = <i>b</i><sub><i>i</i></sub></div>\n\nEnd",
        ),
        ("as::\n\n    a_ = |b|", "as::\n\n    a_ = |b|"),
    ],
)
def test_docstrings_render_as_they_were_meant(given, made):
    assert "\n".join(repaired(given.split("\n"))) == made


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("x^-1 + 2^(p^2 + 1)", "<i>x</i><sup>−1</sup> + 2<sup><i>p</i><sup>2</sup> + 1</sup>"),
        ("test_error <= df1, d12", "test_error ≤ df1, <i>d</i><sub>12</sub>"),
        ("sum_{i>k} w_hat_i", "∑<sub><i>i</i>&gt;<i>k</i></sub> <i>w</i><sub>hat_i</sub>"),
        ("a - finite-size & b . c", "<i>a</i> − finite-size &amp; <i>b</i> · <i>c</i>"),
    ],
)
def test_plain_formulas_are_typeset(given, made):
    assert typeset.typeset(given) == made


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("a copy is a row: n - p", "a copy is a row: <i>n</i> − <i>p</i>"),
        ("A share up.flips -> 0", "A share up.flips → 0"),
        ("+ a noise, (1-a) / a, a kappa", "+ <i>a</i> noise, (1−<i>a</i>) / <i>a</i>, <i>a</i> κ"),
        ("3 a head of a Haar frame", "3 a head of a Haar frame"),
        ("each row's x, s", "each row's <i>x</i>, <i>s</i>"),
        ("a and b of one norm", "<i>a</i> and <i>b</i> of one norm"),
        ("up.n of theta.x, x.w", "up.n of θ.<i>x</i>, <i>x</i>.<i>w</i>"),
        ("by a x -> inf", "by <i>a</i> <i>x</i> → inf"),
        ("w^a of all", "<i>w</i><sup><i>a</i></sup> of all"),
    ],
)
def test_an_article_is_no_letter_of_a_formula(given, made):
    assert typeset.prose(given) == made


def test_inline_formulas_of_a_phenomenon_are_typeset():
    """They stood in plain letters beside typeset ones."""
    told = describe.document(ci_theory.load("corrupted_inputs"))
    listed.attach(told)
    page = phenomenon.page(told, [])
    assert "here <i>n</i> − df2 ≥ 10, <i>n</i> the effective rows" in page
    assert "(1−<i>a</i>) / (1 − <i>a</i> (1 + noise/signal)/2)" in page
    assert "the limit <i>n</i>, <i>p</i> → infinity used at finite size" in page
    assert "Rows <i>x</i> \\~ <i>N</i>(0, <i>S</i>)" in page


def test_typesetting_changes_no_sign_of_any_formula():
    """Without its marks a formula is the text again, but for letters that words stand for."""
    spoken = {letter: f" {word} " for word, letter in typeset.LETTERS.items()}
    back = str.maketrans(
        spoken | dict(zip("≤≥→≠·−", ("<=", ">=", "->", "!=", ".", "-"), strict=True))
    )
    count = 0
    for form in catalogue():
        for found in re.findall(r"(?:^\s{4,}.+\n?)+", form.doc, re.M):
            shown = re.sub(r"</?(?:i|sub|sup|div)[^>]*>", "", typeset.block(found.splitlines()))
            plain = html.unescape(shown.replace("\u0302", "hat").replace("\u0304", "bar"))
            wanted = re.sub(r"[\s^_(){}]", "", found)
            assert re.sub(r"[\s^_(){}]", "", plain.translate(back)) == wanted
            count += 1
    assert count > 30


def test_words_are_never_markup():
    assert markdown("a*b* [c](d) <e> _f_ #g") == "a\\*b\\* \\[c\\](d) \\<e\\> \\_f\\_ \\#g"
    assert rst("arXiv:1903.08560") == "`arXiv:1903.08560 <https://arxiv.org/abs/1903.08560>`__"
