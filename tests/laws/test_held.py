"""Tests that need not run again: what counts as a change, and that nothing is left out unseen."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import mutants

import held

TESTS = """
import pytest
from ci_theory.theory.toy import double

AT = {"dent": 0}

def test_double():
    assert double(4) == 8

@pytest.mark.parametrize("name", ["bump"])
def test_named(name):
    assert name
"""
FILES = {
    "src/ci_theory/__init__.py": "",
    "src/ci_theory/theory/__init__.py": "",
    "src/ci_theory/theory/toy.py": '"""A toy."""\nfrom ci_theory.theory.two import TWO\n\n'
    'KEPT = "__pycache__"\n\n\n'
    'def double(x):\n    """Twice x."""\n    return TWO * x  # by hand\n',
    "src/ci_theory/theory/two.py": "TWO = 2\n",
    "src/ci_theory/theory/apart.py": "THREE = 3\n",
    "src/ci_theory/phenomena/bump.py": "PHENOMENON = 1\n",
    "src/ci_theory/phenomena/dent.py": "PHENOMENON = 1\n",
    "conftest.py": 'import sys\n\nsys.path.insert(0, "src")\npytest_plugins = ["held"]\n',
    "tests/theory/test_toy.py": TESTS,
    "tests/cli/test_other.py": "def test_other():\n    pass\n",
}


@pytest.fixture
def repository(tmp_path):
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    copy = tmp_path / "tests" / "held.py"
    copy.write_text(Path(held.__file__).read_text().replace("LONG = 1.0", "LONG = 0.0"))
    return tmp_path


def run(repository, *options, **setting):
    """Run the tests there; return (passed, left out, failed) and what was said."""
    paths = os.pathsep.join([str(repository / "tests"), str(repository / "src")])
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": paths}
    env = {**{k: v for k, v in env.items() if k != "CI_THEORY_SHAPES"}, **setting}
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(
        [*command, "tests"], cwd=repository, env=env, capture_output=True, text=True, check=False
    )
    counts = {word: number for number, word in re.findall(r"(\d+) (\w+)", done.stdout[-200:])}
    counted = tuple(int(counts.get(k, 0)) for k in ("passed", "deselected", "failed"))
    return counted, f"{done.stdout}{done.stderr}exit code {done.returncode}"


def write(repository, name, old, new):
    file = repository / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


SAME = [  # what no outcome follows from
    ("src/ci_theory/theory/toy.py", "Twice x.", "Two times x."),
    ("src/ci_theory/theory/toy.py", "\n\n\ndef", "\n\n\n# a remark\ndef"),
    ("src/ci_theory/theory/apart.py", "3", "4"),
    ("tests/cli/test_other.py", "pass", "assert True"),
]
OTHER = [  # what changes one: its own text, what it imports, and what that imports
    ("tests/theory/test_toy.py", "double(4)", "double( 4)", 2),
    ("src/ci_theory/theory/toy.py", "return TWO * x", "return x * TWO", 2),
    ("src/ci_theory/theory/two.py", "TWO = 2", "TWO = 2.0", 2),
    ("conftest.py", "src", "./src", 2),
    ("src/ci_theory/phenomena/bump.py", "= 1", "= 2", 2),  # a phenomenon that tests name
    ("src/ci_theory/phenomena/dent.py", "= 1", "= 2", 1),  # an entry: not of another's tests
]


def test_what_changed_runs_and_the_rest_is_left_out_and_told(repository):
    assert run(repository)[0] == (3, 0, 0)
    assert run(repository, "--hold")[0] == (3, 0, 0)
    compiled = repository / "src/ci_theory/theory/__pycache__/toy.cpython-311.pyc"
    compiled.parent.mkdir()
    compiled.touch()
    for name, old, new in SAME:
        write(repository, name, old, new)
    counts, said = run(repository, "--held", "1000000007")
    assert counts == (1, 2, 0)
    assert "2 tests in 2 groups were not run" in said
    assert run(repository, "--held", "1")[0] == (3, 0, 0)  # one in one: all
    for name, old, new, count in OTHER:
        write(repository, name, old, new)
        counts, said = run(repository, "--held", "1000000007")
        assert counts == (1 + count, 2 - count, 0), name
        write(repository, name, new, old)


def test_where_all_are_held_nothing_is_wrong(repository):
    (repository / "tests/cli/test_other.py").unlink()
    run(repository, "--hold")
    counts, said = run(repository, "--held", "1000000007")
    assert counts == (0, 2, 0)
    assert said.endswith("exit code 0")
    (repository / "tests/theory/test_toy.py").unlink()
    assert run(repository, "--held", "1000000007")[1].endswith("exit code 5")  # there are none


def test_a_run_that_checks_shapes_has_records_of_its_own(repository):
    """Other programs run there, and more is checked."""
    shapes = {"CI_THEORY_SHAPES": "1"}
    run(repository, "--hold")
    assert run(repository, "--held", "1000000007", **shapes)[0] == (3, 0, 0)
    run(repository, "--hold", **shapes)
    write(repository, "src/ci_theory/theory/two.py", "2", "2.0")
    run(repository, "--hold", **shapes)
    counts, said = run(repository, "--held", "1000000007", **shapes)
    assert counts == (1, 2, 0)
    assert "2 tests in 2 groups" in said
    assert run(repository, "--held", "1000000007")[0] == (3, 0, 0)  # the others' is as it was
    write(repository, "src/ci_theory/theory/two.py", "2.0", "2")
    assert run(repository, "--held", "1000000007")[0] == (1, 2, 0)


def test_what_fails_loses_its_record_and_what_is_partly_run_gets_none(repository):
    run(repository, "--hold")
    write(repository, "src/ci_theory/theory/two.py", "2", "3")
    assert run(repository, "--hold")[0] == (2, 0, 1)
    assert run(repository, "--held", "1000000007")[0] == (1, 1, 1)
    kept = (repository / "tests" / "held.json").read_text()
    assert "whole files" in run(repository, "--hold", "-k", "double")[1]
    assert (repository / "tests" / "held.json").read_text() == kept


def test_a_page_in_a_browser_follows_from_what_serves_it(repository):
    """From scripts and styles too, from the sweeps of its phenomenon, not from those of another."""
    asked = '@pytest.mark.parametrize("name", ["bump"])\ndef test_page(name):\n    pass\n'
    made = {
        "tests/browser/test_page.py": f"import pytest\n\n{asked}",
        "tests/browser/conftest.py": "import subprocess\n",
        "src/ci_theory/explore/page/page.js": "let a = 1;",
        "src/ci_theory/cli/explore.py": "A = 1\n",
        "experiments/of_bump.toml": 'phenomenon = "bump"\n',
        "experiments/of_dent.toml": 'phenomenon = "dent"\n',
    }
    for name, text in made.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    run(repository, "--hold")
    assert run(repository, "--held", "1000000007")[0] == (1, 3, 0)
    for name in made:
        text = (repository / name).read_text()
        (repository / name).write_text(text + "\nB = 2\n")
        counts = (1, 3, 0) if name == "experiments/of_dent.toml" else (2, 2, 0)
        assert run(repository, "--held", "1000000007")[0] == counts, name
        (repository / name).write_text(text)


def test_what_changed_can_be_recorded_beside_what_did_not(repository):
    run(repository, "--hold")
    write(repository, "src/ci_theory/phenomena/dent.py", "= 1", "= 2")
    assert run(repository, "--hold", "--held", "1000000007")[0] == (2, 1, 0)
    assert run(repository, "--held", "1000000007")[0] == (1, 2, 0)


def test_what_is_skipped_has_not_failed(repository):
    write(repository, "tests/theory/test_toy.py", "assert name", 'pytest.skip("not here")')
    run(repository, "--hold")
    assert run(repository, "--held", "1000000007")[0] == (1, 2, 0)


def test_tests_that_start_processes_or_look_files_up_are_never_held(repository):
    write(repository, "tests/theory/test_toy.py", "import pytest", "import pytest, subprocess")
    run(repository, "--hold")
    assert run(repository, "--held", "1000000007")[0] == (3, 0, 0)


def test_every_kept_mistake_changes_the_digest_of_a_test_that_catches_it():
    """So a mistake in a file is not left to a group that is held: the graph misses no import."""
    kept = held._record(held.RECORD)

    def sees(test, file):
        group = held.group_of(test)
        parts = [one for one in kept if one == group or one.startswith(f"{group}[")]
        own = f"{group}[{Path(file).stem}]"  # what the tests say of a phenomenon, if that is one
        if not parts or (Path(file).stem in held.ALL and own not in kept and "[" not in group):
            return True  # is run each time
        return any(held.ROOT / file in held.reached(one) for one in parts)

    listed = [m for m in mutants.read(mutants.LISTED) if not m.survives]
    missed = [m.name for m in listed if not any(sees(test, m.file) for test in m.tests)]
    assert not missed
