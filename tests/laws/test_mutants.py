"""The runner of deliberate mistakes: what it calls caught has been seen to pass and to fail."""

from pathlib import Path

import pytest
from benchmarks import mutants

ROOT = Path(__file__).parents[2]
TOY = "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x / 2  # never tested\n"
TESTS = {
    "tests/test_toy.py": "from toy import double\n\ndef test_it():\n    assert double(4) == 8\n",
    "tests/test_other.py": "def test_it():\n    pass\n",
    "tests/test_broken.py": "from toy import double\n\ndef test_it():\n    assert double(4) == 9\n",
}
NAMED = "tests/test_toy.py::test_it tests/test_other.py::test_it"


def mistake(name, old, new, tests="tests/test_toy.py", survives=""):
    return mutants.Mistake(
        name, "toy", "src/toy.py", old, new, "why", tuple(tests.split()), survives
    )


@pytest.fixture
def repository(tmp_path):
    for name, text in {"src/toy.py": TOY, **TESTS}.items():
        file = tmp_path / "repository" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "repository"


def test_every_outcome(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # starts at once
    wanted = {
        mistake("a wrong factor", "2 * x", "3 * x"): "caught",
        mistake("named in two files", "2 * x", "4 * x", NAMED): "caught",
        mistake("nothing looks", "x / 2", "x / 3"): "survived",
        mistake("no test can tell", "x / 2", "x * 0.5", survives="the same"): "explained",
        mistake("gone", "4 * x", "2 * x"): "stale",
        mistake("twice", "def ", "async def "): "stale",
        mistake("nothing changes", "2 * x", "2 * x"): "stale",
        mistake("the test is broken", "2 * x", "3 * x", "tests/test_broken.py"): "error",
        mistake("no such test", "2 * x", "3 * x", "tests/test_nowhere.py"): "error",
    }
    found = mutants.outcomes(list(wanted), repository, tmp_path, processes=2)
    assert found == wanted
    assert (repository / "src/toy.py").read_text() == TOY  # the working tree is left alone
    lines = mutants.table(found).splitlines()
    assert lines[1].split() == ["layer", *mutants.OUTCOMES]
    assert lines[-7].startswith("survived: nothing looks")
    assert [line for line in lines if line.startswith("all")] == [lines[3]]
    assert lines[3].split() == ["all", "2", "1", "1", "3", "2"]


def test_what_is_not_python_is_a_mistake_of_the_list(repository):
    with pytest.raises(SyntaxError):
        mistake("torn", "2 * x", "2 *").applied(repository)


def test_a_list_is_checked_when_read(tmp_path):
    entry = '[[mistake]]\nname = "a"\nlayer = "l"\nfile = "f"\nold = "o"\nnew = "n"\n'
    file = tmp_path / "list.toml"
    for text, words in (
        (entry + 'tests = ["t"]\n', "'why'"),
        (entry + 'why = "w"\ntests = ["t"]\nwhere = "?"\n', "'where'"),
        (2 * (entry + 'why = "w"\ntests = ["t"]\n'), "used twice: a"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=words):
            mutants.read(file)


def test_the_kept_list_names_files_and_tests_that_exist():
    kept = mutants.read(mutants.LISTED)
    assert len(kept) >= 100
    named = {m.file for m in kept} | {t.partition("::")[0] for m in kept for t in m.tests}
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]
