"""What a shell, a notebook or a file of somebody else puts around a command changes no answer."""

import ast
import builtins
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import jax
import pytest
import toys.mean  # noqa: F401 - files may name what has been imported

from ci_theory import BadInput, _types
from ci_theory.cli import main, output, surroundings
from ci_theory.cli.failures import BROKEN_PIPE
from ci_theory.figures import style

HERE = Path(__file__).parent
PATHS = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
PROGRAM = "import sys; from ci_theory.cli import main; sys.exit(main())"
CURVE = "rows,loss\n" + "\n".join(f"{2**k},{9 * 0.8**k:.4f}" for k in range(9)) + "\n"
NASTY = "\x1b[31mred\x1b[0m [bold]b[/bold]\r\x07\u202e"
"""Colour, markup, back to the start of the line, a bell, and text from right to left."""


def python(*words, shell="", **variables):
    """Run Python in a process of its own, its streams redirected as the shell words say."""
    environment = {**os.environ, "PYTHONPATH": PATHS, "XLA_FLAGS": "", **variables}
    command = ["sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "curve.csv").write_text(CURVE)
    return tmp_path


# --- variables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("jaxlib", "known"), [("0.9.2", True), ("0.12.0", False)])
def test_what_runs_once_is_compiled_quickly_in_a_process_of_its_own(monkeypatch, jaxlib, known):
    """XLA ends a process at a flag that it does not know; the user's flags come last and win."""
    monkeypatch.setenv("XLA_FLAGS", "--given")
    before = jax.config.read("jax_disable_most_optimizations")
    surroundings.start_jax(exits=False, quickly=True)  # of a program that has JAX already
    assert os.environ["XLA_FLAGS"] == "--given"
    assert jax.config.read("jax_disable_most_optimizations") == before
    monkeypatch.delitem(sys.modules, "jaxlib")
    monkeypatch.setattr(surroundings, "version", lambda library: jaxlib)
    try:
        jax.config.update("jax_disable_most_optimizations", False)
        surroundings.start_jax(exits=False)
        assert os.environ["XLA_FLAGS"] == "--given"
        assert not jax.config.read("jax_disable_most_optimizations")
        surroundings.start_jax(exits=False, quickly=True)
        flags = [*surroundings._QUICKLY.split(), "--given"] if known else ["--given"]
        assert os.environ["XLA_FLAGS"].split() == flags
        assert jax.config.read("jax_disable_most_optimizations")
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


def test_variables_and_settings_of_notebooks_and_clusters_change_nothing(folder, capsys):
    """A backend that is not installed, colours, warnings as errors, a matplotlibrc, no home."""
    words = ["fit-breaks", "curve.csv", "--breaks", "0", "--json"]
    assert main(words) == 0
    plain = capsys.readouterr().out
    picture = folder / "results/figures/curve-loss-rows-breaks.png"
    drawn = picture.read_bytes()
    picture.unlink()
    (folder / "matplotlibrc").write_text("font.size: 30\nsavefig.facecolor: red\nbackend: qtagg\n")
    done = python(
        "-c",
        PROGRAM,
        *words,
        MPLBACKEND="no_such_backend",
        FORCE_COLOR="1",
        CLICOLOR_FORCE="1",
        TTY_COMPATIBLE="1",
        PYTHONWARNINGS="error",
        COLUMNS="1",
        HOME="/dev/null/nowhere",
        MPLCONFIGDIR="",
        XLA_FLAGS="--xla_cpu_enable_fast_math=false",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == plain
    assert json.loads(done.stdout)["points"] == 9
    assert picture.read_bytes() == drawn


def test_devices_that_jax_cannot_start_are_one_line_that_names_the_variable(folder):
    done = python("-c", PROGRAM, "predict", "toys.mean", JAX_PLATFORMS="cuda,nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ci-theory: JAX_PLATFORMS=cuda,nonsense: JAX does not start")
    assert done.stderr.count("\n") == 1
    assert "cpu" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("JAX_DEFAULT_MATMUL_PRECISION", "nonsense"), ("JAX_ENABLE_X64", "maybe")],
)
def test_a_variable_that_jax_refuses_is_named_in_one_line(name, value, folder):
    done = python("-c", PROGRAM, "predict", "toys.mean", **{name: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ci-theory: {name}={value}: JAX does not start (")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("missing", [None, "cpu"], ids=["what is named", "the processor"])
def test_both_the_devices_named_and_the_processor_are_needed(missing, monkeypatch, capsys):
    def devices(kind=None):
        if kind == missing:
            raise RuntimeError("not\nhere")

    monkeypatch.setattr(jax, "devices", devices)
    monkeypatch.setenv("JAX_PLATFORM_NAME", "gpu")
    assert main(["list"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("ci-theory: JAX_PLATFORM_NAME=gpu: JAX does not start (not here)")


def test_flags_that_xla_does_not_know_do_not_end_in_a_verdict(folder):
    """XLA itself would exit with 1, DISAGREES."""
    done = python("-c", PROGRAM, "check", ".", XLA_FLAGS="--no_such_flag")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ci-theory: XLA_FLAGS=--no_such_flag: JAX does not start")
    assert done.stderr.count("\n") == 1


def test_flags_are_tried_with_the_library_and_no_file_of_the_folder(folder, monkeypatch):
    (folder / "jax.py").write_text("raise SystemExit(1)")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    monkeypatch.setenv("JAX_PLATFORMS", "nonsense")  # which is told of devices, not of flags
    surroundings._check_flags()


@pytest.mark.parametrize(("command", "exits"), [("check", True), ("locate", True), ("show", False)])
def test_flags_are_tried_for_every_command_that_answers_by_its_exit_code(
    folder, monkeypatch, command, exits
):
    told = []
    monkeypatch.setattr(surroundings, "start_jax", lambda *, exits: told.append(exits))
    assert main([command, "nosuch"]) == 2
    assert told == [exits]


@pytest.mark.parametrize(
    ("name", "value"),
    [("jax_disable_jit", True), ("jax_no_tracing", True), ("jax_numpy_dtype_promotion", "strict")],
)
def test_settings_that_would_stop_a_command_are_those_of_every_day(monkeypatch, name, value):
    """With them `run` and `check` ended in an internal error."""
    usual = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        assert main(["predict", "toys.mean", "--json"]) == 0
        assert getattr(jax.config, name) == usual
    finally:
        jax.config.update(name, usual)


def test_a_folder_of_compiled_programs_that_cannot_be_used_is_no_matter(folder):
    """Of a cluster: a warning at every program, and with -W error an internal error."""
    nowhere = {"JAX_COMPILATION_CACHE_DIR": "/dev/null/nowhere", "PYTHONWARNINGS": "error"}
    nowhere["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    done = python("-c", PROGRAM, "predict", "toys.mean", "--json", **nowhere)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("stop_at", ["jax_debug_nans", "jax_debug_infs"])
def test_nan_and_infinity_are_answers_whatever_a_variable_says(folder, capsys, stop_at):
    jax.config.update(stop_at, True)
    try:
        assert main(["predict", "ridge_peak", "n=100", "ridge=0", "--json"]) == 0
        assert not getattr(jax.config, stop_at)
    finally:
        jax.config.update(stop_at, False)
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)["observables"]["finite_size_excess"]["value"] is None


def test_the_backend_that_a_variable_names_stays_the_users(folder):
    code = (
        "import os, ci_theory.figures, matplotlib as m;"
        "print(os.environ['MPLBACKEND'], dict.__getitem__(m.rcParams, 'backend'))"
    )
    assert python("-c", code, MPLBACKEND="svg").stdout == "svg svg\n"
    (folder / "matplotlibrc").write_bytes(b"font.family: \xff\n")
    torn = python("-c", f"try:\n import {style.__name__}\nexcept ValueError as e: print(repr(e))")
    assert torn.stdout.startswith("BadInput('matplotlibrc: is not UTF-8 text")


@pytest.mark.parametrize("columns", ["", "1", "0", "-3", "wide", "60"])
def test_tables_are_plain_text_of_a_least_width(columns, monkeypatch, capsys):
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("COLUMNS", columns)
    output.print_table(["name", "value"], [["a", "1"]], right=["value"])
    output.print_lines([("what", "it is")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "value"]
    assert set(lines[1].strip()) == {"─"}
    assert [line.split() for line in lines[2:]] == [["a", "1"], ["what", "it", "is"]]


@pytest.mark.parametrize(("columns", "lines"), [(78, 6), (80, 6), (90, 5), (110, 4), (130, 3)])
def test_a_table_that_must_wrap_breaks_no_word(columns, lines, monkeypatch, capsys):
    """And what wraps most gets the room that is left, so that the table is short."""
    monkeypatch.setenv("COLUMNS", str(columns))
    headers = ["sweep", "break", "at", "located", "predicted", "verdict"]
    long = "demo_random_features", "memorisation", "fraction = 0.6, noise = 0.25"
    output.print_table(headers, [[*long, "16.03 [13.92, 18.42]", "2", "no formula is known"]])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= columns
    assert len(shown.splitlines()) == lines
    words = " ".join([*headers, *long, "[13.92,", "18.42]", "known"]).split()
    assert set(words) <= set(shown.split())


def test_in_a_notebook_tables_are_text_on_stdout(monkeypatch, capsys):
    class ZMQInteractiveShell:  # by this name rich knows a notebook
        pass

    shown = []
    display = types.ModuleType("IPython.display")
    display.display = lambda *what, **_: shown.append(what)
    display.HTML = str
    kernel = types.ModuleType("IPython")
    kernel.display = display
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    assert main(["predict", "toys.mean", "n=20,40"]) == 0
    assert "0.05" in capsys.readouterr().out
    assert shown == []


# --- streams ------------------------------------------------------------------------------------


def test_a_closed_stdout_has_a_code_of_its_own():
    """Not 1, DISAGREES."""
    for shell, told in [
        (">&-", "ci-theory: standard output is closed: no answer can be given\n"),
        (">&- 2>&-", ""),
    ]:
        done = python("-c", PROGRAM, "--version", shell=shell)
        assert (done.returncode, done.stderr) == (BROKEN_PIPE, told)


def test_files_do_not_take_the_place_of_a_closed_stream(folder):
    """Else what a library writes on stderr would go into a file of results."""
    code = (
        "import sys, os; from ci_theory.cli import surroundings as s;"
        "print(s.open_streams(), os.open('results', os.O_CREAT) > 2, file=sys.stdout);"
        "print('lost', file=sys.stderr)"
    )
    assert python("-c", code, shell="<&- 2>&-").stdout == "True True\n"
    assert python("-c", PROGRAM, "--version", shell="<&- 2>&-").returncode == 0


# --- words of other people ----------------------------------------------------------------------


def test_control_characters_and_markup_are_shown_and_not_sent(folder, capsys):
    title = json.dumps(f"{NASTY}\npredictions: AGREES")
    (folder / "toy.toml").write_text(
        f'phenomenon = "toys.mean"\nname = {title}\ntitle = {title}\nreplicates = 3\n'
        "[axes]\nn = [4, 6, 9]\n"
    )
    for words in (["run", "toy.toml"], ["check", "toy.toml"], ["locate", "toy.toml"]):
        assert main(words) in (0, 3)
    out, err = capsys.readouterr()
    assert err == ""
    assert all(line.isprintable() for line in out.splitlines())
    assert r"\x1b[31mred\x1b[0m [bold]b[/bold]\r\x07\u202e\npredictions: AGREES" in out
    assert sum(line.startswith("predictions: ") for line in out.splitlines()) == 1


def test_so_are_those_in_cells_and_heads_of_tables(capsys):
    output.print_table([NASTY, "b"], [["c", NASTY], ["two\nlines", ""]], right=[NASTY])
    output.print_lines([(NASTY, NASTY)])
    output.say(NASTY)
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isprintable() for line in lines)
    text = " ".join(" ".join(lines).split())
    assert text.count(r"\x1b[31mred\x1b[0m") == 5
    assert text.count("[bold]b[/bold]") == 5
    assert any(line.split() == ["two"] for line in lines)


def test_the_name_of_a_column_is_no_formula_and_may_be_in_any_script(folder, capsys):
    (folder / "curve.csv").write_text(CURVE.replace("rows,loss", "数据,a $b_{ c$ \x1b[31m\u202e"))
    assert main(["fit-breaks", "curve.csv", "--breaks", "0"]) == 0  # and no warning
    out, err = capsys.readouterr()
    assert err == ""
    assert "a $b_{ c$ [31m" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_every_line_is_printed_in_one_place():
    """Who prints past `output.say` sends other people's words as they are."""
    folder = Path(output.__file__).parent
    for file in folder.glob("*.py"):
        calls = [n.func for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
        printing = [f.lineno for f in calls if isinstance(f, ast.Name) and f.id == "print"]
        if file.name not in ("app.py", "output.py"):
            assert printing == [], file


# --- processes ----------------------------------------------------------------------------------


def test_the_first_process_that_computes_is_remembered(monkeypatch):
    monkeypatch.setattr(_types, "_computing", {})
    _types.not_forked()
    _types.not_forked()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(BadInput, match="a fork of one that has already used JAX"):
        _types.not_forked()


def test_a_fork_of_a_process_that_has_computed_is_refused():
    """It would wait for ever; a fork of one that has not may compute."""
    code = """
import os, sys, warnings
warnings.simplefilter("ignore")  # JAX and newer Pythons warn of the fork
import ci_theory
from ci_theory.sweeps import Sweep, run, dry_run
ci_theory.enable_float64()
import toys.mean
def attempt(call):
    child = os.fork()
    if child == 0:
        try:
            call()
            os._exit(0)
        except ci_theory.BadInput as problem:
            print(problem, flush=True)
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
predict = lambda: ci_theory.predict(toys.mean.PHENOMENON, {"n": 3})
codes = [attempt(predict)]
predict()
codes += [attempt(predict), attempt(lambda: run(Sweep(phenomenon="toys.mean"), "s"))]
print(codes)
"""
    done = python("-c", code)
    lines = done.stdout.splitlines()
    assert lines[-1] == "[0, 2, 2]", done.stderr
    assert all("multiprocessing.get_context('spawn')" in line for line in lines[:2])
