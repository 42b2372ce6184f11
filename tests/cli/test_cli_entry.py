"""Help is instant and light; every mistake is one line and exit code 2; nothing is half-printed."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci_theory import BadInput
from ci_theory.cli import app, failures, main
from ci_theory.cli.failures import explain

HEAVY = {
    "jax",
    "numpy",
    "scipy",
    "sympy",
    "matplotlib",
    "xarray",
    "flax",
    "rich",
    "ci_theory.phenomena",
}
COMMANDS = [
    "list", "show", "formulas", "predict", "solve", "lint", "run", "check", "locate", "figure",
    "claims",
    "demo",
    "fit-breaks", "learn", "explore",
]  # fmt: skip
HERE = Path(__file__).parent
PATHS = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])


def ci_theory(*words, **options):
    """Run the program as a user does."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from ci_theory.cli import main; sys.exit(main())",
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": PATHS, "XLA_FLAGS": "", **options.pop("env", {})},
        **options,
    )


@pytest.mark.parametrize(
    "words", [["--help"], [], ["--version"], *([c, "--help"] for c in COMMANDS)]
)
def test_help_loads_nothing_heavy(words):
    code = (
        "import sys; from ci_theory.cli import main; code = main(sys.argv[1:]); "
        "print(' '.join(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.strip()
    assert not HEAVY & set(done.stderr.split())


def test_help_loads_what_declares_commands():
    """Of ours nothing else, of others what reads words; `benchmarks/prompt.py` has the seconds."""
    code = (
        "import sys; before = {*sys.modules}; from ci_theory.cli import main; main(['--help']); "
        "print(*({*sys.modules} - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    loaded = set(done.stderr.split())
    rooms = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("ci_theory")}
    assert rooms == {
        "ci_theory", "ci_theory.cli", "ci_theory._cache", "ci_theory._errors", "ci_theory._shipped"
    }  # fmt: skip
    others = {name.partition(".")[0] for name in loaded} - {"ci_theory", *sys.stdlib_module_names}
    assert others <= {"typer", "annotated_doc", "platformdirs", "shellingham"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nope"], "No such command"),
        (["list", "--nope"], "No such option"),
        (["show"], "Missing argument"),
        (["show", "rigde_peak"], "did you mean 'ridge_peak'?"),
        (["show", "no.such_module"], "there is no module no.such_module"),
        (["show", "toys"], "module toys defines no PHENOMENON"),
        (["show", "tosy"], "unknown phenomenon 'tosy'"),
        (["show", "toys..mean"], "expected a name or a module path"),
        (["show", ".mean"], "expected a name or a module path"),
        (["show", "os.path"], "defines no PHENOMENON"),
        (["claims", "--results", "no/such/folder"], "no such folder"),
        (["claims", "2", "26"], "claim 26: expected a number in 1..25"),
        (["claims", "0", "--json"], "claim 0: expected a number in 1..25"),
        (["claims", "two", "--results", "here"], "claim two: expected a number in 1..25"),
    ],
)
def test_a_mistake_is_one_line(words, says, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.startswith("ci-theory: ")
    assert err.count("\n") == 1


def test_mistakes_look_the_same_from_outside():
    done = ci_theory("show", "rigde_peak")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ci-theory: unknown phenomenon 'rigde_peak'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), 2, "a/b: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left"),
        (MemoryError(), 2, "out of memory"),
        (KeyboardInterrupt("stopped with 3 of 7 chunks"), 130, "stopped with 3 of 7 chunks"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (KeyboardInterrupt("one\n two"), 130, "one two"),
        (BrokenPipeError(), 141, ""),
        (OSError("odd"), 2, "cannot write: odd"),
        (ValueError("embedded null byte"), 2, "a path holds the character U+0000"),
        (BadInput("n = 0:\n must be\x1b[31m"), 2, r"n = 0: must be\x1b[31m"),
    ],
)
def test_what_the_machine_refuses_is_told(error, code, says):
    told = explain(error)
    assert told.code == code
    assert says in told.line
    stopped = failures.Stopped()
    stopped.__cause__ = error
    assert explain(stopped) == told


def test_a_fault_of_ours_is_told_in_no_more_than_a_line():
    line = failures.bug(RuntimeError("x\n" + "y" * 999)).line
    assert "(RuntimeError: x " + "y" * 198 + ")" in line


def test_a_full_device_is_told():
    import jax

    error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes.")
    assert "out of memory" in explain(error).line
    assert explain(jax.errors.JaxRuntimeError("INTERNAL: nonsense")) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt, 130), (BrokenPipeError, 141), (ZeroDivisionError, 70), (SystemExit, 70)],
)
def test_how_a_command_ends_decides_the_code(error, code, monkeypatch, capsys):
    from ci_theory.cli import describe

    def fails():
        raise error(0 if error is SystemExit else "one\ntwo")

    monkeypatch.setattr(describe, "catalogue", fails)
    assert main(["list"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == (0 if code == 141 else 1)
    assert ("--debug" in err) == (error is ZeroDivisionError)
    assert ("wants to exit" in err) == (error is SystemExit)  # also with 0, AGREES


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_bug_shows_its_traceback_when_asked(how, monkeypatch, capsys):
    from ci_theory.cli import describe

    monkeypatch.setattr(describe, "catalogue", lambda: 1 / 0)
    if how == "variable":
        monkeypatch.setenv("CI_THEORY_DEBUG", "1")
    assert main(["--debug", "list"] if how == "option" else ["list"]) == failures.BUG
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_told():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from ci_theory.cli import main; sys.exit(main())",
                "--version",
            ],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr == "ci-theory: cannot write: No space left on device\n"


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("words", ["--help", "--version"])
def test_a_reader_that_leaves_is_no_error(words, buffered):
    program = "import sys; from ci_theory.cli import main; sys.exit(main())"
    done = subprocess.run(
        f"{{ '{sys.executable}' -c '{program}' {words}; echo $? >&2; }} | true",
        env={**os.environ, "PYTHONUNBUFFERED": buffered},
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == "141\n"


def test_every_command_is_in_the_help(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    names = [command.name for command in app.app.registered_commands]
    assert sorted(names) == sorted(COMMANDS)
    assert all(f"\n  {name} " in text for name in names)


def test_the_help_is_whole_in_a_narrow_terminal(capsys, monkeypatch):
    """What a command does is not cut off, and no bracket stands in another."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    assert "..." not in capsys.readouterr().out.split("Commands:")[1]
    for command in COMMANDS:
        assert main([command, "--help"]) == 0
        usage = capsys.readouterr().out.split("\n\n")[0]
        assert "[[" not in usage


def test_a_null_character_in_a_path_is_the_users(tmp_path):
    """Only from Python: a shell cannot pass one."""
    with pytest.raises(ValueError, match="null") as caught:
        (tmp_path / "\x00").write_text("")
    told = explain(caught.value)
    assert told.code == 2
    assert "U+0000" in told.line


def test_a_terminal_without_the_letters_of_a_unit_gets_marks_in_their_place(monkeypatch):
    paper = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(paper, encoding="ascii"))
    assert main(["show", "toys.mean"]) == 0
    assert b"[label?]" in paper.getvalue()


def test_a_traceback_sends_nothing_to_the_terminal(monkeypatch, capsys):
    from ci_theory.cli import describe

    def fails():
        raise RuntimeError("red\x1b[31m")

    monkeypatch.setattr(describe, "catalogue", fails)
    assert main(["--debug", "list"]) == failures.BUG
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "\x1b" not in err
