"""figure: the thin contract with ci_theory.figures, and its mistakes."""

from pathlib import Path

import pytest

from ci_theory import figures
from ci_theory._errors import unknown
from ci_theory.cli import figure, main
from ci_theory.figures.agreement import Agreement


def compared(sweep, *against):
    return Agreement(sweep, 12, 1.5, 2, against, ())


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Stand in for the figures: remember what was asked for."""
    asked = []

    def make(name, out, stores, *, fresh):
        if name not in figures.names():
            raise unknown("figure", name, figures.names())
        asked.append((name, out, stores) if not fresh else (name, out, "fresh"))
        return [out / f"{name}.png", out / f"{name}.pdf"]

    monkeypatch.setattr(figures, "names", lambda: ["peak", "map"], raising=False)
    monkeypatch.setattr(figures, "make", make, raising=False)
    found = {"peak": [compared("sweep")], "map": [compared("good"), compared("bad", "n = 3: off")]}
    monkeypatch.setattr(figures, "agreements", lambda name, stores: found[name], raising=False)
    monkeypatch.chdir(tmp_path)
    return asked


def test_one_figure(drawn, tmp_path, capsys):
    assert main(["figure", "peak", "--out", "o", "--stores", "s"]) == 0
    assert [(n, str(o), str(s)) for n, o, s in drawn] == [("peak", "o", "s")]
    assert capsys.readouterr().out == "o/peak.png\no/peak.pdf\n"


def test_all_figures_go_to_results(drawn, capsys):
    assert main(["figure", "--all"]) == 0
    assert [(n, str(o), str(s)) for n, o, s in drawn] == [
        ("peak", "results/figures", "results/stores"),
        ("map", "results/figures", "results/stores"),
    ]


def test_fresh_results_that_differ_from_the_kept_ones_decide_the_exit_code(drawn, capsys):
    assert main(["figure", "peak", "--fresh", "--out", "o"]) == 0
    out = capsys.readouterr().out
    assert "  sweep: agrees: 12 means, largest difference z = 1.5; 2 breaks\n" in out
    assert out.endswith("fresh and kept results agree; 1 sweeps, level 0.001 a sweep\n")
    assert drawn == [("peak", Path("o"), "fresh")]
    assert main(["figure", "--all", "--fresh"]) == 1
    out = capsys.readouterr().out
    assert (
        "  bad: DISAGREES: 12 means, largest difference z = 1.5; 2 breaks\n    n = 3: off\n" in out
    )
    assert "DIFFER beyond their errors: map; 3 sweeps" in out


def test_what_has_nothing_to_compare_is_not_said_to_agree(drawn, monkeypatch, capsys):
    monkeypatch.setattr(figures, "agreements", lambda name, stores: [])
    assert main(["figure", "peak", "--fresh"]) == 0
    assert capsys.readouterr().out.endswith(
        "kept results were not compared; 0 sweeps, level 0.001 a sweep\n"
    )


def test_a_word_means_a_published_figure_before_results(drawn, tmp_path):
    (tmp_path / "peak").mkdir()
    (tmp_path / "mine").mkdir()
    meant = {word: figure._is_of_a_sweep(word) for word in ("peak", "mine", "a.toml", "other")}
    assert meant == {"peak": False, "mine": True, "a.toml": True, "other": False}
    assert figure._is_of_a_sweep("repeated_data")  # an experiment that comes with the package


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "give one name or --all (known: peak, map)"),
        (["peak", "--all"], "give one name or --all"),
        (["paek"], "did you mean 'peak'?"),
    ],
)
def test_mistakes(words, says, drawn, tmp_path, capsys):
    assert main(["figure", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, drawn, list(tmp_path.iterdir())) == ("", [], [])
    assert says in err
