"""The published figures: a script each, short, listed by their folder."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ci_theory
from ci_theory import figures
from ci_theory._errors import BadInput
from ci_theory.figures import paper
from ci_theory.sweeps import read_sweep

ROOT = Path(ci_theory.__file__).parents[2]
SCRIPTS = sorted((ROOT / "paper_figs").glob("[!_]*.py"))

SCRIPT = """
from matplotlib.figure import Figure
from ci_theory.figures.paper import main

def draw(stores):
    made = Figure(figsize=(1, 1))
    made.subplots().plot([0, 1], [0, 1])
    return made

if __name__ == "__main__":
    main(__file__)
"""


def test_names_are_the_listing_of_the_folder(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert figures.names() == [s.stem for s in SCRIPTS]
    assert len(SCRIPTS) >= 7


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.stem)
def test_a_script_is_short_and_reads_stores_that_exist(script):
    text = script.read_text()
    assert len(text.splitlines()) < 80
    assert "main(__file__)" in text
    experiments = re.search(r"^EXPERIMENTS = (\(.*?\))$", text, re.DOTALL | re.MULTILINE)
    assert experiments, "a script names the sweeps that it reads in EXPERIMENTS"
    for name in ast.literal_eval(experiments[1]):
        assert read_sweep(ROOT / "experiments" / f"{name}.toml").replicates > 1


def test_a_figure_is_made_from_a_script_in_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "paper_figs").mkdir()
    (tmp_path / "paper_figs" / "line.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    assert "line" in figures.names()
    files = figures.make("line", tmp_path / "out", tmp_path / "stores")
    assert [f.name for f in files] == ["line.png", "line.pdf"]
    assert all(f.stat().st_size > 200 for f in files)


def test_a_script_runs_as_a_program(tmp_path):
    (tmp_path / "paper_figs").mkdir()
    script = tmp_path / "paper_figs" / "line.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), "--out", "made"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.split() == ["made/line.png", "made/line.pdf"]
    assert (tmp_path / "made" / "line.png").is_file()


def test_unknown_names_are_one_line(tmp_path):
    with pytest.raises(BadInput, match="unknown figure 'rige_peak'"):
        figures.make("rige_peak", tmp_path, tmp_path)
    with pytest.raises(BadInput, match="unknown experiment 'nonsense'"):
        paper.dataset("nonsense", tmp_path)
    assert not list(tmp_path.iterdir())
