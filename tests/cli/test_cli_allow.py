"""No code runs because a store or a sweep file names it; what the user names does."""

import dataclasses
import sys

import pytest

from ci_theory import BadInput, phenomena
from ci_theory.check import check, locate_breaks
from ci_theory.cli import app, main
from ci_theory.figures import series
from ci_theory.sweeps import Store, Sweep, dry_run, estimate, read_sweep, run

RAN = 'Path(__file__).with_name("ran").touch()\n'
SIMULATION = "from pathlib import Path\nfrom toys.mean import PHENOMENON\n" + RAN
SWEEP = """
phenomenon = "stranger.simulation"
replicates = 3

[axes]
n = [4, 6, 9]
"""
FIGURE = """
from ci_theory.figures import paper
def draw(stores):
    return paper.dataset("{folder}/theirs.toml", stores)
"""


def files(folder):
    """List what is there, but for what Python keeps of the sources that it has read."""
    return sorted(file for file in folder.rglob("*") if "__pycache__" not in file.parts)


def forget():
    for name in [name for name in sys.modules if name.startswith("stranger")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A package that a stranger wrote, a sweep file and a store that name it, a figure of them."""
    folder = tmp_path_factory.mktemp("allow")
    (folder / "stranger").mkdir()
    for name, text in [
        ("simulation", SIMULATION),
        ("leaves", SIMULATION + "raise SystemExit(0)"),
        ("fails", SIMULATION + "1 / 0"),
        ("lacks", SIMULATION + "import no_such_library"),
        ("empty", SIMULATION + "PHENOMENON = 3"),
    ]:
        (folder / "stranger" / f"{name}.py").write_text(text)
    (folder / "theirs.toml").write_text(SWEEP)
    (folder / "figure.py").write_text(FIGURE.format(folder=folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        axes = {"n": (4, 6, 9)}
        sweep = Sweep(phenomenon="stranger.simulation", axes=axes, replicates=3)
        run(sweep, folder / "results" / "stores" / "theirs")
        yield folder
    forget()


@pytest.fixture(autouse=True)
def ran(folder, monkeypatch):
    """Say whether the stranger's code has run since the test began."""
    forget()
    marker = folder / "stranger" / "ran"
    marker.unlink(missing_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(estimate, "_measure", lambda *_: (0.0, 0.0))
    return marker.exists


OPENED = {
    "check a store": ["check", "results/stores/theirs"],
    "check": ["check", "theirs.toml"],
    "locate": ["locate", "theirs.toml"],
    "claims": ["claims", "--results", "results"],
    "dry run": ["run", "theirs.toml", "--dry-run"],
    "run": ["run", "theirs.toml", "--replicates", "4"],
    "figure": ["figure", "./figure.py"],
}


@pytest.mark.parametrize("words", OPENED.values(), ids=OPENED)
def test_a_module_that_a_file_names_is_not_imported(words, folder, ran, capsys):
    before = files(folder)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "theirs" in err  # the file or the folder
    assert "add --allow stranger.simulation" in err
    assert not ran()
    assert "stranger" not in sys.modules
    assert files(folder) == before


@pytest.mark.parametrize("case", ["check", "locate", "claims", "dry run"])
def test_a_module_that_the_user_allows_is(case, ran, capsys):
    assert main([*OPENED[case], "--allow", "toys.mean", "--allow", "stranger.simulation"]) in (0, 3)
    out, err = capsys.readouterr()
    assert out
    assert err == ""
    assert ran()


def test_a_word_of_the_command_line_names_a_module_too(folder, ran):
    (folder / "mine.toml").write_text(SWEEP.replace("stranger.simulation", "ridge_peak"))
    words = ["run", "mine.toml", "phenomenon=stranger.simulation", "--dry-run"]
    assert main(words) == 0
    assert ran()
    (folder / "mine.toml").unlink()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("leaves", "cannot be imported: SystemExit: 0"),
        ("fails", "cannot be imported: ZeroDivisionError: division by zero"),
        ("lacks", "cannot be imported: ModuleNotFoundError: No module named 'no_such_library'"),
        ("empty", "defines no PHENOMENON"),
        ("absent", "there is no module stranger.absent"),
    ],
)
def test_a_module_that_cannot_be_used_is_one_line(name, says, ran, capsys):
    """Not the end of the command with a code that means AGREES."""
    for words in ([*OPENED["check"], "--allow"], ["show"]):
        assert main([*words, f"stranger.{name}"]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert f"'stranger.{name}'" in err
        assert says in err


def test_a_file_beside_a_package_of_its_name_is_no_module_of_it(folder, ran, capsys):
    """`show stranger.toml` ran the code of `stranger`, as if `toml` were a module of it."""
    (folder / "stranger" / "__init__.py").write_text("from pathlib import Path\n" + RAN)
    (folder / "stranger.toml").write_text(SWEEP)
    for words in (["show", "stranger.toml"], [*OPENED["check"], "--allow", "stranger.toml"]):
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert (out, err) == ("", "ci-theory: stranger.toml: a file that is no module (.py)\n")
        assert not ran()
    (folder / "stranger" / "__init__.py").unlink()
    (folder / "stranger.toml").unlink()


def test_a_figure_script_that_leaves_is_one_line(folder, capsys):
    (folder / "leaves.py").write_text("raise SystemExit(0)")
    assert main(["figure", "leaves.py"]) == 2
    assert "leaves.py: cannot be run: SystemExit: 0" in capsys.readouterr().err
    (folder / "leaves.py").unlink()


def test_in_python_a_store_is_opened_without_its_code(folder, ran):
    store = Store.open("results/stores/theirs")
    data = store.dataset()
    for refused in (
        lambda: check(data),
        lambda: locate_breaks(data),
        lambda: series.phenomenon_of(data),
        lambda: read_sweep("theirs.toml"),
        lambda: dry_run(store.sweep),
        lambda: dry_run(dataclasses.replace(store.sweep, seed=1)),
    ):
        with pytest.raises(BadInput, match=r"stranger\.simulation.*in Python, import it first"):
            refused()
    assert not ran()
    report = check(data, phenomena.load("toys.mean"))
    assert not ran()
    import stranger.simulation  # noqa: F401 - the remedy

    assert str(check(data)) == str(report)
    assert read_sweep("theirs.toml").axes == store.sweep.axes


def test_a_sweep_written_in_code_names_what_it_likes(ran):
    sweep = Sweep(phenomenon="stranger.simulation", axes={"n": (4,)})
    assert sweep.validated().cells == 1
    assert ran()


def test_what_is_registered_may_be_named_in_a_file(monkeypatch, ran):
    """Who installs a package with an entry point has chosen it, by that name alone."""
    monkeypatch.setattr(phenomena, "_outside", lambda: {"plugged": "stranger.simulation"})
    with pytest.raises(BadInput, match="is a module outside ci_theory"):
        phenomena.load("stranger.simulation", trusted=False)
    with pytest.raises(BadInput, match="is a module outside ci_theory"):  # its package is here
        phenomena.load("json.tool", trusted=False)
    with pytest.raises(BadInput, match=r"--allow ci_theory_of_a_stranger\.simulation"):
        phenomena.load("ci_theory_of_a_stranger.simulation", trusted=False)
    own = "ci_theory.phenomena.ridge_peak"
    monkeypatch.delitem(sys.modules, own, raising=False)
    for name in (own, "ridge_peak"):
        assert phenomena.load(name, trusted=False).name == "ridge_peak"
    assert not ran()
    assert phenomena.load("plugged", trusted=False).name == "toys.mean"


def test_what_allows_a_module_is_told_before_the_long_list(monkeypatch):
    monkeypatch.setattr(phenomena, "_imported_of_others", list)  # what other tests left loaded
    with pytest.raises(BadInput, match=r"unknown phenomenon 'mine'.*--allow mine \(known: ali"):
        phenomena.load("mine", trusted=False)


def test_the_help_says_that_code_is_run(capsys):
    commands = {c.name for c in app.app.registered_commands}
    for command in ("run", "check", "locate", "figure", "claims"):
        assert main([command, "--help"]) == 0
        assert "RUNS ITS CODE" in " ".join(capsys.readouterr().out.split())
        commands.remove(command)
    for command in commands:  # these take no file that could name a module
        assert main([command, "--help"]) == 0
        assert "--allow" not in capsys.readouterr().out


def test_the_help_of_a_name_says_so_too(capsys):
    for command in ("show", "predict", "solve", "lint", "explore"):
        assert main([command, "--help"]) == 0
        assert "WHOSE CODE IS RUN" in " ".join(capsys.readouterr().out.split()), command
