"""figure: the thin contract with ci_theory.figures, and its mistakes."""

import pytest

from ci_theory import figures
from ci_theory._errors import unknown
from ci_theory.cli import main


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Stand in for the figures: remember what was asked for."""
    asked = []

    def make(name, out, stores):
        if name not in figures.names():
            raise unknown("figure", name, figures.names())
        asked.append((name, out, stores))
        return [out / f"{name}.png", out / f"{name}.pdf"]

    monkeypatch.setattr(figures, "names", lambda: ["peak", "map"], raising=False)
    monkeypatch.setattr(figures, "make", make, raising=False)
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
