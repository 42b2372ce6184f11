"""The published figures: a script each, short, listed by their folder."""

import ast
import re
import subprocess
import sys
import types
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import xarray

import ci_theory
from ci_theory import figures
from ci_theory._errors import BadInput
from ci_theory.figures import kept, paper, style
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


def test_a_script_of_ones_own_is_given_by_its_path(tmp_path, monkeypatch):
    """A script here is not run because it is called like a figure of the package."""
    (tmp_path / "paper_figs").mkdir()
    (tmp_path / "experiments").mkdir()
    for name in ("line", "ridge_peak"):
        (tmp_path / "paper_figs" / f"{name}.py").write_text(SCRIPT)
    (tmp_path / "ridge_peak.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert figures.names() == [s.stem for s in SCRIPTS]
    with pytest.raises(BadInput, match=r"for the file here write \./paper_figs/line\.py"):
        figures.make("line", tmp_path / "out", tmp_path / "stores")
    assert not (tmp_path / "out").exists()
    files = figures.make("paper_figs/ridge_peak.py", tmp_path / "out", tmp_path / "stores")
    assert [f.name for f in files] == ["ridge_peak.png", "ridge_peak.pdf"]
    assert all(f.stat().st_size > 200 for f in files)
    with pytest.raises(BadInput, match="cannot be run: SystemExit"):
        figures.make("ridge_peak.py")


def test_a_script_finds_the_packages_experiments_by_name(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "demo.toml").write_text("of somebody else")
    monkeypatch.chdir(tmp_path)
    store = types.SimpleNamespace(dataset=lambda: None)
    ran = []
    monkeypatch.setattr(paper, "run", lambda *given: ran.append(given) or store)
    paper.dataset("demo", tmp_path)
    ((sweep, folder),) = ran
    assert (sweep.source, folder) == (str(ROOT / "experiments" / "demo.toml"), tmp_path / "demo")
    with pytest.raises(BadInput, match="not valid TOML"):
        paper.dataset("experiments/demo.toml", tmp_path)


def test_settings_of_the_user_do_not_reach_a_figure():
    with mpl.rc_context(
        {"font.size": 33, "savefig.transparent": True, "lines.dashed_pattern": [1, 1]}
    ):
        with style.applied():
            ours = dict(mpl.rcParams)
        assert mpl.rcParams["font.size"] == 33
    with style.applied():
        assert dict(mpl.rcParams) == ours
    assert ours["font.size"] == 7.5


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


def test_a_kept_result_is_read_as_it_was_written_or_refused(tmp_path):
    """Rows out of place would be values of other cells."""
    file = tmp_path / "kept.csv"
    values = np.arange(12.0).reshape(2, 3, 2) / 7
    data = xarray.Dataset(
        {"loss": (("noise", "step", "replicate"), values)},
        {"noise": [0.1, 0.2], "step": [1, 5, 9], "replicate": [0, 1]},
        {"name": "toy", "missing": 0, "sessions": "[]"},
    )
    kept.write(data, file, ["loss"], "step")
    found = kept.read(file)
    np.testing.assert_allclose(found["loss"], values[:, -1], rtol=5e-6)
    assert found.attrs["step"] == "9"
    *head, a, b, c, d = file.read_text().splitlines()
    for rows in ([a, b, d, c], [b, a, c, d], [a, b, c], [a, b, c, c], [a, b, c, "x,0,1"], [a[:3]]):
        file.write_text("\n".join([*head, *rows]))
        with pytest.raises(BadInput, match=r"kept\.csv: is not a kept result"):
            kept.read(file)
    for content in (b"", b"\xff", b"# told: only\n", b"a,b\n1,2\n"):
        file.write_bytes(content)
        with pytest.raises(BadInput, match=r"kept\.csv: is not a kept result"):
            kept.read(file)
