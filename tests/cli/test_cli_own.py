"""Somebody's own phenomenon: the one of docs/extending.md, from a folder of its own."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from ci_theory import extend, phenomena
from ci_theory.cli import lint, main
from ci_theory.phenomena import Phenomenon, load
from ci_theory.sweeps import estimate
from ci_theory.testing import LAWS, Broken, laws

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text()
MODULE, BOTH, LOCATOR, LAWS_TEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(SWEEP,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"^ci-theory (.*?)  +#", PAGE, re.MULTILINE)

WALK = """
import sys
from ci_theory.cli import main
for words in {commands!r}:
    print(words, main(words.split()), flush=True)
sys.path.append(".")  # as pytest has it
import test_laws
for law in test_laws.LAWS:
    test_laws.test_law(law)
print("laws", len(test_laws.LAWS))
"""


def test_the_page_tells_every_law():
    assert re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE) == [
        (name, law.statement) for name, law in LAWS.items()
    ]


def test_the_example_works_by_the_words_of_the_page(tmp_path):
    """Runs, is checked, located, drawn, linted and put through the laws, in one process."""
    assert len(MODULE.splitlines()) < 80
    assert {words.split()[0] for words in COMMANDS} == {
        "lint", "predict", "run", "check", "locate", "figure"
    }  # fmt: skip
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "mine.toml").write_text(SWEEP)
    (tmp_path / "test_laws.py").write_text(LAWS_TEST)
    for trap in ("numpy", "jax", "typer", "matplotlib", "ridge_peak", "cupy"):
        (tmp_path / f"{trap}.py").write_text("open('TRAPPED', 'w')")
    flags = os.environ.get("XLA_FLAGS") or "--xla_cpu_enable_fast_math=false"  # they are tried out
    done = subprocess.run(
        [sys.executable, "-P", "-c", WALK.format(commands=COMMANDS)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": flags,
        },
    )
    assert done.stderr == ""
    said = done.stdout
    for words in COMMANDS:
        assert f"{words} 0\n" in said
    assert f"laws {len(LAWS)}" in said
    assert "predictions: AGREES" in said
    assert "breaks: AGREES" in said
    assert (tmp_path / "results" / "figures" / "mine.png").is_file()
    assert not (tmp_path / "TRAPPED").exists()


BOTH_SWEEP = """
phenomenon = "both"
replicates = 120

[axes]
n = [40, 90]
repeats = [1, 5, 10]
input_noise = [0.0, 0.5, 2.0]

[fixed]
repeated_fraction = 0.5
"""


def test_the_example_of_two_biases_agrees_where_both_are_swept(tmp_path, monkeypatch, capsys):
    (tmp_path / "both.py").write_text(BOTH)
    (tmp_path / "both.toml").write_text(BOTH_SWEEP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimate, "_measure", lambda *_: (0.0, 0.0))
    try:
        assert main(["lint", "both.py"]) == 0
        laws(sys.modules["both"].PHENOMENON, only=["biases", "decoys", "padding", "defaults"])
        assert main(["run", "both.toml", "--allow", "both"]) == 0
        assert main(["check", "both.toml", "--allow", "both"]) == 0
    finally:
        sys.modules.pop("both", None)
    said = capsys.readouterr().out
    assert re.search(r"error +AGREES +18/18", said)
    assert "2 of 2 decoys rejected" in said


def test_the_locator_of_the_page_finds_where_a_power_law_bends():
    """k^-2 + 0.01/k: the slope is -1.5 where both are alike, at k = 100."""
    names = {"dataclasses": dataclasses, "np": np, "Crossing": extend.Crossing}
    exec(LOCATOR, names)  # the page's own words
    locator = names["Slope"](level=-1.5, log_axis=True)
    assert isinstance(locator, extend.Locator)
    k = np.geomspace(10, 1000, 41)
    curve = k**-2.0 + 0.01 / k
    runs = curve * np.exp(0.01 * np.random.default_rng(4).standard_normal((60, 41)))
    assert locator.locate(k, curve).value == pytest.approx(100, rel=0.01)
    found = locator.locate(k, runs)
    assert found.status is extend.Status.OK
    assert found.low < 100 < found.high < 1.3 * found.low
    bend = extend.Break(name="bend", axis="n", measure="test_error", locator=locator)
    laws(dataclasses.replace(load("ridge_peak"), breaks=(bend,)), only=["locators"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The example in the current folder; the module is forgotten afterwards."""
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "mine.toml").write_text(SWEEP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimate, "_measure", lambda *_: (0.0, 0.0))
    yield tmp_path
    for name in ("mine", "beside", "pack", "pack.mine", "numpy_"):
        sys.modules.pop(name, None)


def line_of(text):
    """Return the line of the module in the current folder that has a text."""
    return Path("mine.py").read_text().partition(text)[0].count("\n") + 1


def change(folder, old, new):
    text = (folder / "mine.py").read_text()
    assert text.count(old) == 1
    (folder / "mine.py").write_text(text.replace(old, new))


@pytest.mark.parametrize("command", ["check", "locate", "figure"])
def test_a_sweep_that_was_not_run_names_the_command_that_runs_it(command, folder, capsys):
    assert main([command, "mine.toml"]) == 2
    err = capsys.readouterr().err
    (words,) = re.findall(r"`ci-theory (.*)` comes first", err)
    assert words == "run mine.toml --allow mine"
    assert main([*words.split(), "--dry-run"]) == 0
    (folder / "ours.toml").write_text('phenomenon = "ridge_peak"')
    (folder / "odd.toml").write_text('phenomenon = "mine; rm"')
    (folder / "no.toml").write_text("phenomenon = ")
    for name in ("ours.toml", "odd.toml", "no.toml"):
        assert main([command, name]) == 2
        assert f"`ci-theory run {name}` comes first" in capsys.readouterr().err


def test_runs_of_a_simulation_that_has_changed_since_are_judged_with_a_warning(folder, capsys):
    allow, small = ["--allow", "mine"], ["--replicates", "3", "n=6,20,60", "share=0", "noise=1"]
    assert main(["run", "mine.toml", *small, *allow]) == 0
    steps = {
        "nothing": ("", "", True),
        "a comment": ("def simulate(", "# which draws\ndef simulate(", True),
        "the forecast": ("LEVEL = 0.05", "LEVEL = 0.06", True),
        "the simulation": ("jax.random.normal(", "2.0 * jax.random.normal(", False),
    }
    for old, new, same in steps.values():
        if old:
            change(folder, old, new)
        sys.modules.pop("mine")
        for command in ("check", "locate"):
            capsys.readouterr()
            main([command, "mine.toml", "--json", *allow])
            out, err = capsys.readouterr()
            assert json.loads(out)["same_simulation"] is same
            told = "results/stores/mine: mine simulates otherwise now: its simulation source was "
            assert (told in err) is not same
            assert err.count("\n") == (0 if same else 1)
            assert ("--store" in err) is not same
    assert main(["run", "mine.toml", *small, *allow]) == 2
    err = capsys.readouterr().err
    assert "its simulation source is" in err
    assert "--store" in err
    assert main(["run", "mine.toml", *small, *allow, "--store", "anew"]) == 0
    capsys.readouterr()
    main(["check", "anew", *allow])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("word", ["mine", "mine.py", "./mine.py"])
def test_a_module_here_can_be_named(word, folder, capsys):
    before = list(sys.path)
    assert main(["show", word]) == 0
    assert "mine: Copies of one row spoil a mean" in capsys.readouterr().out
    assert sys.path == before
    assert main(["run", "mine.toml", "--dry-run"]) == 0  # it is imported now


def test_a_package_here_and_a_file_beside_a_module(folder, capsys):
    (folder / "pack").mkdir()
    (folder / "pack" / "mine.py").write_text(MODULE)
    assert main(["show", "pack.mine"]) == 0
    (folder / "beside.py").write_text("LEVEL = 0.05\n")
    change(folder, "LEVEL = 0.05 ", "from beside import LEVEL ")
    assert main(["show", "mine"]) == 0


def test_a_file_names_nothing_here_unless_it_is_allowed(folder, capsys, monkeypatch):
    monkeypatch.setattr(phenomena, "_imported_of_others", list)  # what other tests left loaded
    change(folder, "import jax\n", "import jax\nfrom pathlib import Path\nPath('ran').touch()\n")
    for words in (["run", "mine.toml", "--dry-run"], ["run", "mine.toml"]):
        assert main(words) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert "add --allow mine" in err
    assert not (folder / "ran").exists()
    assert main(["run", "mine.toml", "--dry-run", "--allow", "mine.py"]) == 0
    assert (folder / "ran").exists()


@pytest.mark.parametrize(("word", "hint"), [("mien", ": did you mean mine?"), ("elsewhere", "")])
def test_a_module_to_allow_that_is_not_there_is_told_as_one(word, hint, folder, capsys):
    """Not as an unknown phenomenon, with the names of all that there are."""
    assert main(["run", "mine.toml", "--dry-run", "--allow", word]) == 2
    told = f"--allow {word}: no such module is installed, nor in this folder{hint}"
    assert capsys.readouterr() == ("", f"ci-theory: {told}\n")


def test_an_allowed_module_is_meant_by_a_name_like_it(folder, capsys):
    """Not by a name that would have to be allowed too."""
    (folder / "theirs.toml").write_text(SWEEP.replace('"mine"', '"mien"'))
    assert main(["run", "theirs.toml", "--dry-run", "--allow", "mine"]) == 2
    err = capsys.readouterr().err
    assert "unknown phenomenon 'mien': did you mean 'mine'? (known: ali" in err
    assert "--allow" not in err
    (folder / "theirs.toml").write_text(SWEEP.replace('"mine"', '"ridge_peek"'))
    assert main(["run", "theirs.toml", "--dry-run", "--allow", "mine"]) == 2
    assert "did you mean 'ridge_peak'?; if it is a module" in capsys.readouterr().err


def test_an_import_that_is_refused_says_so_without_a_class(folder, capsys):
    change(folder, "claims=(),", "claims=(99,),")
    assert main(["show", "mine"]) == 2
    told = "ci-theory: phenomenon 'mine' cannot be imported: phenomenon 'mine': claim 99"
    assert capsys.readouterr().err.startswith(told)


def test_an_installed_module_is_found_for_what_it_is(folder, capsys):
    assert main(["run", "mine.toml", "--dry-run", "--allow", "json"]) == 2
    assert "module json defines no PHENOMENON" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["ridge_peak", "mine"])
def test_what_is_registered_or_here_may_be_allowed(word, folder, capsys):
    assert main(["run", "mine.toml", "--dry-run", "--allow", word, "--allow", "mine"]) == 0


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("ridge_peak.py", "'ridge_peak' comes with ci_theory or a plug-in: rename the file"),
        ("./numpy.py", "is called like another module"),
        ("numpy", "is called like another module"),
        ("sys.py", "is called like another module"),
        ("no-name.py", "cannot be the name of a module"),
        ("absent.py", "no such file"),
        ("folder/", "no such file"),
    ],
)
def test_a_file_that_shadows_something_is_not_run(word, says, folder, capsys):
    for name in ("ridge_peak", "numpy", "sys", "no-name"):
        (folder / f"{name}.py").write_text("open('ran', 'w')")
    assert main(["show", word]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
    assert main(["show", "ridge_peak"]) == 0  # what comes with the package
    assert not (folder / "ran").exists()


WRONG = {
    "simulate": ("mean = weights @", "mean = 1 / 0 * weights @", "run"),
    "a tracer in a condition": ("return jnp.maximum(", "return 1 if params.n > 2 else (", "run"),
    "what simulate calls": ("return jnp.maximum(", "raise KeyError('copies')\n    return (", "run"),
    "forecast": ("Forecast(error=params.noise", "Forecast(error=params.mu", "predict"),
    "mistake": ('{"share": 0.0}', '{"share": params.mu}', "check"),
    "world": ("    params=Params,", "    world=lambda p: {}[0],\n    params=Params,", "predict"),
    "rule": (
        "    params=Params,",
        "    rule=lambda params: None if params.n == 40 else 1 / 0,\n    params=Params,",
        "predict",
    ),
    "closed form": (
        "locator=Crossing(level=LEVEL)",
        "locator=Crossing(level=LEVEL), closed_form=lambda params: 1 / 0",
        "predict",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "command"), WRONG.values(), ids=WRONG)
def test_what_the_authors_code_raises_is_the_authors(old, new, command, folder, capsys):
    change(folder, old, new)
    words = {
        "predict": ["predict", "mine", "n=10"],
        "run": ["run", "mine.toml", "n=10", "--allow", "mine", "--replicates", "3"],
        "check": ["check", "results/stores/mine", "--allow", "mine"],
    }
    if command == "check":  # who asks for predictions does not wait for what they are not
        assert main(words["run"]) == 0
    assert main(words[command]) == 2
    err = capsys.readouterr().err
    at = (folder / "mine.py").read_text().partition(new)[0].count("\n") + 1
    said = rf"ci-theory: phenomenon 'mine', mine\.py:({at}|{at + 1}), in \S+: \w+"
    assert re.match(said, err)
    assert err.count("\n") == 1
    assert "internal error" not in err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    return Measures(error=", "    return dict(error=", "simulate returns dict, not Meas"),
        ("jnp.mean(mean**2))", "jnp.ones(2))", "measure error has shape (2,), not (1,)"),
        ("    return Measures(error=", "    Measures(error=", "simulate returns NoneType"),
    ],
)  # fmt: skip
def test_what_a_run_returns_is_looked_at(old, new, says, folder, capsys):
    change(folder, old, new)
    assert main(["run", "mine.toml", "n=10", "noise=1", "--allow", "mine"]) == 2
    err = capsys.readouterr().err
    assert re.match(rf"ci-theory: phenomenon 'mine', mine\.py:{line_of('def simulate')}, in s", err)
    assert says in err
    assert err.count("\n") == 1


RETURNED = {
    "a misspelt field": ('{"share": 0.0}', '{"shar": 0.0}', "unknown field 'shar' in mistake"),
    "a bound of nothing": (
        "    params=Params,",
        '    bounds=lambda params, made: {"eror": 0},\n    params=Params,',
        "bounds speak of 'eror', which is not predicted",
    ),
    "a missing entry": ("return Forecast(", "return dict(", "the forecast has no entry error"),
    "a hidden field": (
        "    params=Params,",
        "    world=lambda params: params.noise,\n    params=Params,",
        "world reads noise, which is not static",
    ),
}


@pytest.mark.parametrize(("old", "new", "says"), RETURNED.values(), ids=RETURNED)
def test_what_the_authors_functions_return_is_refused_with_the_place(
    old, new, says, folder, capsys
):
    """By each command that asks for it, and in the laws."""
    change(folder, old, new)
    (line,) = {i for i, text in enumerate((folder / "mine.py").read_text().splitlines(), 1)
               if new.splitlines()[0] in text}  # fmt: skip
    lines = "|".join(str(line - i) for i in range(8))
    assert main(["run", "mine.toml", "n=10", "--allow", "mine", "--replicates", "3"]) == 0
    capsys.readouterr()
    asked = [["predict", "mine", "n=10"], ["check", "results/stores/mine", "--allow", "mine"]]
    for words in asked if "mistake" not in says else asked[1:]:
        assert main(words) == 2
        err = capsys.readouterr().err
        assert re.match(rf"ci-theory: phenomenon 'mine', mine\.py:({lines}), in \S+: ", err)
        assert says in err
        assert err.count("\n") == 1
    assert main(["lint", "mine"]) == 1
    told = [row["seen"] for row in lint.document(load("mine"), {}, False)["rows"]]
    told = [seen for seen in told if says in seen]
    assert told
    assert all(re.search(rf"mine\.py:({lines})\b", seen) for seen in told)


def test_a_run_counts_the_cells_that_have_no_finite_run(folder, capsys):
    change(folder, "error=params.noise * jnp.mean(mean**2)", "error=params.noise / (params.n - 10)")
    assert main(["run", "mine.toml", "n=10,20", "noise=0", "share=0,1", "--allow", "mine"]) == 0
    assert "2 of 4 cells have no finite run" in capsys.readouterr().out


def test_a_fault_of_the_package_stays_one(folder, monkeypatch, capsys):
    """Though somebody's phenomenon is loaded, and asked for it."""
    from ci_theory.cli import predict

    assert main(["show", "mine"]) == 0
    monkeypatch.setattr(predict, "document", lambda *_: 1 / 0)
    assert main(["predict", "mine"]) == 70
    assert "internal error (ZeroDivisionError" in capsys.readouterr().err


def test_an_import_that_fails_says_where(folder, capsys):
    change(folder, "import jax\n", "import jax\n1 / 0\n")
    assert main(["show", "mine"]) == 2
    assert "ZeroDivisionError: division by zero (mine.py:4)" in capsys.readouterr().err


def test_lint_of_a_good_module(folder, capsys):
    assert main(["lint", "mine.py", "n=12", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["good"]
    cheap = [name for name, law in LAWS.items() if not law.compiles]
    assert [row["what"] for row in made["rows"]] == cheap  # and no notes


def test_lint_of_a_bad_one(folder, capsys):
    change(folder, '{"share": 0.0}', '{"share": params.share}')
    change(folder, 'unit="rows", ', "")
    assert main(["lint", "mine"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "mine: 8 of 9 laws hold" in out
    assert "n note no unit" in out
    assert "decoys BROKEN decoy copies are fresh of prediction error says the same as" in out
    assert "not looked at: finite, keys, jit" in out


@pytest.mark.parametrize(
    ("old", "new", "noted"),
    [
        ("low=0, high=1, ", "", True),
        ("low=0, high=1, ", "low=0, ", False),
        ("low=0, high=1, ", "above=0, ", False),
        ("low=0, high=1, ", "high=1, ", False),
    ],
)
def test_a_number_with_an_end_is_not_said_to_have_none(old, new, noted, folder, monkeypatch):
    change(folder, old, new)
    monkeypatch.syspath_prepend(str(folder))
    notes = lint._notes(load("mine"))
    assert (("share", "no bounds: any number is accepted") in notes) == noted


def test_what_a_bias_of_the_package_declares_is_not_noted(folder, monkeypatch):
    """Its author cannot change it: mixed in, with another default, or a part. His own fields are.

    The share of repeated rows has no unit, a power no bounds.
    """
    change(
        folder,
        "@record\nclass Params:\n",
        "from ci_theory.biases.repetition import Repetition\n"
        "from ci_theory.biases.imbalance import Imbalance\n"
        "from ci_theory._record import again, part\n\n\n"
        "@record\nclass Part(Repetition):\n"
        '    n: int = sized(40, low=2, unit="rows", doc="rows")\n'
        '    power: float = traced(1.0, unit="1", doc="power")\n\n\n'
        "@record\nclass Params(Repetition):\n"
        '    repeated_fraction: float = again(Repetition, "repeated_fraction", 0.1)\n'
        "    up: Part = part(Part)\n"
        "    more: Imbalance = part(Imbalance)\n",
    )
    change(folder, 'unit="1", doc="share', 'doc="share')
    monkeypatch.syspath_prepend(str(folder))
    axes = load("mine").axes
    assert "more.minority" in axes
    assert {n for n in axes if n.endswith("repeated_fraction")} == {
        "repeated_fraction", "up.repeated_fraction"
    }  # fmt: skip
    assert lint._notes(load("mine")) == [
        ("up.power", "no bounds: any number is accepted"),
        ("share", "no unit: write unit='1' if it has none"),
    ]


def test_what_the_package_itself_declares_is_noted():
    noted = {name for name, _ in lint._notes(load("repeated_data"))}
    assert "repeated_fraction" in noted


def test_lint_looks_at_the_point_that_is_asked_for(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(lint, "laws", lambda phenomenon, at, only: asked.append(at))
    assert main(["lint", "mine", "n=12"]) == 0
    assert asked == [{"n": 12}] * len(asked) != []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nosuch"], "unknown phenomenon 'nosuch'"),
        (["mine", "m=3"], "unknown axis 'm' in mine"),
        (["mine", "n=1"], "n = 1: must be >= 2"),
        (["mine", "n=2,3"], "expected one value"),
    ],
)
def test_mistakes_of_lint(words, says, folder, capsys):
    assert main(["lint", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err


def test_a_broken_law_is_one_line(folder):
    from ci_theory.cli import modules

    change(folder, "params.n - count, 1.0, 0.0))", "params.n - count, 1.0, 0.1))")
    _, phenomenon = modules.named("mine")
    with pytest.raises(Broken) as caught:
        laws(phenomenon, at={"n": 8}, only=["padding"])
    said = str(caught.value)
    assert said.startswith("phenomenon 'mine' breaks the law 'padding' at n = 8: measure error is")
    assert "with n of 8 in an array of 11" in said
    assert "\n" not in said


def test_the_module_is_the_command(tmp_path):
    """And what lies in the folder is not imported, which `python -m` would otherwise do."""
    for trap in ("numpy", "jax", "typer", "difflib"):
        (tmp_path / f"{trap}.py").write_text("open('TRAPPED', 'w')")
    done = subprocess.run(
        [sys.executable, "-m", "ci_theory", "show", "rigde_peak"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ci-theory: unknown phenomenon 'rigde_peak': did you mean")
    assert not (tmp_path / "TRAPPED").exists()


def test_a_file_here_shadows_no_library_while_a_module_is_loaded(folder, monkeypatch, capsys):
    """The folder is looked through last: colorsys is the library's, whatever lies here."""
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (folder / "colorsys.py").write_text("open('TRAPPED', 'w')")
    change(folder, "import jax\n", "import colorsys\nimport jax\nHUE = colorsys.rgb_to_hsv\n")
    assert main(["show", "mine"]) == 0
    assert not (folder / "TRAPPED").exists()


def test_what_could_say_more_is_noted_and_breaks_no_law(folder, capsys):
    change(folder, 'unit="rows", ', "")
    assert main(["lint", "mine", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["good"]
    assert [row["what"] for row in made["rows"] if row["verdict"] == "note"] == ["n"]
    assert main(["lint", "mine"]) == 0
    assert "9 of 9 laws hold" in capsys.readouterr().out


def test_every_kind_of_note():
    peak = load("ridge_peak")
    assert not [where for where, _ in lint._notes(peak) if where.startswith("break")]
    first, *rest = peak.breaks
    wordless = dataclasses.replace(first, statement=" ")
    notes = dict(lint._notes(dataclasses.replace(peak, breaks=(wordless, *rest))))
    assert notes[f"break {first.name}"] == "its closed form has no statement in words"
    bare = dict(lint._notes(dataclasses.replace(peak, breaks=())))
    assert bare["breaks"].startswith("none: `ci-theory locate`")
    about = ("name", "title", "claims", "question", "model", "params", "measures", "simulate")
    silent = Phenomenon(**{name: getattr(peak, name) for name in about})
    told = [where for where, what in lint._notes(silent) if what.startswith("measured, but")]
    assert told == list(peak.measure_info)
    assert "measured, but" not in " ".join(what for _, what in lint._notes(peak))


def test_a_folder_that_python_looks_through_anyway_keeps_its_place(folder, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(folder))
    before = list(sys.path)
    assert main(["show", "mine.py"]) == 0
    assert sys.path == before


def test_a_measure_in_which_a_break_is_sought_has_its_use():
    sought = types.SimpleNamespace(name="top", measure="a", closed_form=None, statement="")
    bare = types.SimpleNamespace(
        axes={}, params=load("ridge_peak").params, predictions=(), breaks=(sought,),
        measure_info={"a": ("", ""), "b": ("", "")},
    )  # fmt: skip
    assert [where for where, _ in lint._notes(bare)] == ["b"]
