"""The published figures: a script each, short, listed by their folder."""

import ast
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import matplotlib as mpl
import pytest

import ci_theory
from ci_theory import figures
from ci_theory._errors import BadInput
from ci_theory.claimed.parts import PARTS
from ci_theory.figures import kept, paper, series, style
from ci_theory.figures.paper import Results
from ci_theory.sweeps import read_sweep

ROOT = Path(ci_theory.__file__).parents[2]
SCRIPTS = sorted((ROOT / "paper_figs").glob("[!_]*.py"))

SCRIPT = """
from matplotlib.figure import Figure
from ci_theory.figures.paper import main

def draw(results):
    made = Figure(figsize=(1, 1))
    made.subplots().plot([0, 1], [0, 1])
    return made

if __name__ == "__main__":
    main(__file__)
"""


def sweeps_of(script):
    """Return the sweeps that a script names."""
    found = re.search(r"^EXPERIMENTS = (\(.*?\))$", script.read_text(), re.DOTALL | re.MULTILINE)
    return ast.literal_eval(found[1])


KEPT = sorted({name for script in SCRIPTS for name in sweeps_of(script)})
LOOKED_AT = {name for parts in PARTS.values() for part in parts for name, _ in part.cases}


def test_names_are_the_listing_of_the_folder(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert figures.names() == [s.stem for s in SCRIPTS]
    assert len(SCRIPTS) >= 7


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.stem)
def test_a_script_is_short_and_reads_stores_that_exist(script):
    text = script.read_text()
    assert len(text.splitlines()) < 80
    assert "main(__file__)" in text
    for name in sweeps_of(script):
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
    (tmp_path / "refusing.py").write_text(
        "from ci_theory import BadInput\n\nraise BadInput('no such rows')\n"
    )
    with pytest.raises(BadInput, match=r"^no such rows$"):  # in its own words
        figures.make("refusing.py")


def test_a_script_finds_the_packages_experiments_by_name(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "demo.toml").write_text("of somebody else")
    monkeypatch.chdir(tmp_path)
    store = types.SimpleNamespace(dataset=lambda: None)
    ran = []
    monkeypatch.setattr(paper, "run", lambda *given: ran.append(given) or store)
    paper.dataset("demo", Results(tmp_path))
    ((sweep, folder),) = ran
    assert (sweep.source, folder) == (str(ROOT / "experiments" / "demo.toml"), tmp_path / "demo")
    with pytest.raises(BadInput, match="not valid TOML"):
        paper.dataset("experiments/demo.toml", Results(tmp_path))


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
        paper.dataset("nonsense", Results(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_kept_result_out_of_order_or_cut_short_is_refused(tmp_path):
    """Rows out of place would be values of other cells."""
    file, lines = tmp_path / "kept.csv", paper.kept_file(KEPT[0]).read_text().splitlines()
    *head, a, b, c, d = lines
    for rows in ([a, b, d, c], [b, a, c, d], [a, b, c], [a, b, c, c], [a, b, c, "x,0,1"], [a[:3]]):
        file.write_text("\n".join([*head, *rows]))
        with pytest.raises(BadInput, match=r"kept\.csv: is not a kept result"):
            kept.read(file)
    for content in (b"", b"\xff", b"# told: only\n", b"a,b\n1,2\n"):
        file.write_bytes(content)
        with pytest.raises(BadInput, match=r"kept\.csv: is not a kept result"):
            kept.read(file)


def test_a_figure_reads_what_is_kept_and_asked_afresh_the_store(tmp_path, monkeypatch):
    runs = object()  # compared by identity: a Dataset equals a word cell by cell
    store, folders = types.SimpleNamespace(dataset=lambda: runs), []
    monkeypatch.setattr(paper, "run", lambda sweep, folder: folders.append(folder) or store)
    assert "replicate" not in paper.dataset("fig_ridge_peak_n", Results(tmp_path)).dims
    assert paper.dataset("fig_ridge_peak_n", Results(tmp_path, fresh=True)) is runs
    own = str(ROOT / "experiments" / "fig_ridge_peak_n.toml")  # nothing is kept of one's own file
    assert paper.dataset(own, Results(tmp_path)) is runs
    assert folders == 2 * [tmp_path / "fig_ridge_peak_n"]  # beside the others, not beside the file


@pytest.mark.parametrize("name", sorted({*KEPT, *LOOKED_AT}))
def test_every_figure_and_claim_has_its_results_in_small_files_with_their_provenance(name):
    file = paper.kept_file(name)
    data, sweep = kept.read(file), read_sweep(ROOT / "experiments" / f"{name}.toml")
    assert file.stat().st_size <= (450_000 if "replicate" in data.dims else 200_000)
    assert (data.attrs["phenomenon"], data.attrs["name"]) == (sweep.phenomenon, name)
    assert str(sweep.seed) == data.attrs["seed"]
    assert set(data.dims) <= {*sweep.axes, "replicate"}
    assert all(list(data[axis].to_numpy()) == list(sweep.axes[axis]) for axis in sweep.axes
               if axis in data.dims)  # fmt: skip
    assert series.replicates(data) == sweep.replicates
    # also axes that came later are told, so that their predictions can be worked out
    assert json.loads(data.attrs["fixed"]) == dict(sweep.validated().completed().fixed)
    assert data.attrs["formula"]
    assert "jax" in data.attrs["session"]


def test_nothing_is_kept_that_no_figure_shows_and_no_claim_looks_at():
    files = {f.stem for f in (ROOT / "paper_figs" / "data").glob("*.csv")}
    trained = {f"trained_{name}" for name in ("attention", "chains", "ends", "onset")}
    others = {"translation", *trained}  # no sweeps
    assert files - others == {*KEPT, *LOOKED_AT}


def test_every_sweep_that_is_shown_has_its_figure():
    shown = paper.shown()
    assert sorted(shown) == KEPT
    assert {shown[name] for name in ("fig_ridge_peak_n", "fig_ridge_peak_p")} == {"ridge_peak"}


@pytest.mark.parametrize(
    ("words", "given", "how"),
    [
        ([], (paper.OUT, paper.STORES), {"fresh": False, "preview": False}),
        (["--fresh"], (paper.OUT, paper.STORES), {"fresh": True, "preview": False}),
        (["--preview"], (paper.OUT, paper.STORES), {"fresh": False, "preview": True}),
        (
            ["--out", "o", "--stores", "s"],
            (Path("o"), Path("s")),
            {"fresh": False, "preview": False},
        ),
    ],
)
def test_what_a_script_is_asked_for_is_what_is_made(words, given, how, monkeypatch, capsys):
    asked = []

    def made(script, *places, **options):
        asked.append((script, places, options))
        return [Path("a.png"), Path("b.pdf")]

    monkeypatch.setattr(paper, "make", made)
    monkeypatch.setattr(sys, "argv", ["mine.py", *words])
    paper.main("mine.py")
    assert asked == [(str(Path("mine.py").absolute()), given, how)]
    assert capsys.readouterr().out == "a.png\nb.pdf\n"


def test_a_script_that_cannot_be_drawn_is_one_line_and_exit_code_two(monkeypatch, capsys):
    def refuse(*_, **__):
        raise BadInput("no\x1b luck")

    monkeypatch.setattr(paper, "make", refuse)
    monkeypatch.setattr(sys, "argv", ["mine.py"])
    with pytest.raises(SystemExit) as left:
        paper.main("mine.py")
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "mine.py: no\\x1b luck\n")


def test_a_preview_is_one_small_picture_and_results_are_those_asked_for(tmp_path, monkeypatch):
    (tmp_path / "line.py").write_text(SCRIPT)
    (tmp_path / "silent.py").write_text("draw = 3\n")
    monkeypatch.chdir(tmp_path)
    saved, seen = [], []
    monkeypatch.setattr(
        style, "save", lambda made, out, name, **how: saved.append((out, name, how))
    )
    load = paper._load

    def watched(script):
        module = load(script)
        draw = module.draw
        module.draw = lambda results: seen.append(results) or draw(results)
        return module

    monkeypatch.setattr(paper, "_load", watched)
    paper.make("./line.py", Path("o"), Path("s"), preview=True)
    paper.make("./line.py", Path("o"), "s", fresh=True)
    assert saved == [
        (Path("o"), "line", {"formats": ("png",), "dpi": paper.PREVIEW}),
        (Path("o"), "line", {}),
    ]
    assert seen == [Results(Path("s"), False), Results(Path("s"), True)]
    with pytest.raises(BadInput, match=r"silent\.py: defines no draw"):
        paper.make("./silent.py")


def test_fresh_results_are_used_also_where_some_are_kept(tmp_path, monkeypatch):
    ran = []
    store = types.SimpleNamespace(dataset=lambda: "fresh")
    monkeypatch.setattr(paper, "run", lambda *given: ran.append(given) or store)
    monkeypatch.setattr(kept, "read", lambda file: "kept")
    name = KEPT[0]
    assert paper.dataset(name, Results(tmp_path)) == "kept"
    assert not ran
    assert paper.dataset(name, Results(tmp_path, fresh=True)) == "fresh"
    assert ran[0][1] == tmp_path / name
    assert paper.kept_file(f"./{name}.toml") is None
    assert paper.kept_file(name).name == f"{name}.csv"


def test_a_sweep_belongs_to_the_first_figure_that_shows_it():
    found = paper.shown()
    for sweep in KEPT:
        first = next(script.stem for script in SCRIPTS if sweep in sweeps_of(script))
        assert found[sweep] == first


def test_agreement_is_between_what_is_kept_and_the_runs_of_a_store(tmp_path, monkeypatch):
    """Else what is kept would be compared with itself."""
    asked = []
    monkeypatch.setattr(paper, "dataset", lambda name, results: asked.append((name, results)))
    monkeypatch.setattr(paper.agreement, "compare", lambda known, fresh: known)
    script = next(s for s in SCRIPTS if any(paper.kept_file(name) for name in sweeps_of(s)))
    found = paper.agreements(script.stem, tmp_path)
    compared = [name for name in sweeps_of(script) if paper.kept_file(name)]
    assert asked == [(name, Results(tmp_path, fresh=True)) for name in compared]
    assert len(found) == len(compared)


def test_a_script_computes_in_double_precision_and_draws_in_the_style_of_all(monkeypatch, capsys):
    seen = []

    def draw(results):
        seen.append(mpl.rcParams["font.size"])
        return "drawn"

    monkeypatch.setattr(paper, "_load", lambda script: types.SimpleNamespace(draw=draw))
    monkeypatch.setattr(paper, "enable_float64", lambda: seen.append("float64"))
    monkeypatch.setattr(style, "save", lambda *_, **__: [])
    monkeypatch.setattr(sys, "argv", ["mine.py"])
    with mpl.rc_context({"font.size": 33}):
        paper.main(str(SCRIPTS[0]))
    assert seen == ["float64", 7.5]
