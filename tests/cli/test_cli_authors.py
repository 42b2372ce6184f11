"""Whose code failed: the innermost line of the author's, wherever the exception was raised."""

import dataclasses
import sys
import sysconfig
import types
from pathlib import Path

import numpy as np
import pytest

from ci_theory.cli import authors
from ci_theory.locate import Crossing
from ci_theory.phenomena import load


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of somebody's with a phenomenon, and what else lies in its folder."""

    def made(name, text, file):
        module = types.ModuleType(name)
        module.__file__ = str(tmp_path / file)
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        Path(module.__file__).write_text(text)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(text, module.__file__, "exec"), vars(module))
        return module

    monkeypatch.chdir(tmp_path)
    module = made("mine_", "def call(f, *given):\n    x = 1\n    return f(*given)\n", "mine_.py")
    module.PHENOMENON = load("toys.mean")
    module.made = made
    return module


def said(call, *given):
    try:
        call(*given)
    except BaseException as problem:
        return authors.told(problem)
    raise AssertionError("nothing was raised")


def test_the_line_of_the_author_and_the_first_line_of_the_problem(mine):
    def fails():
        raise ValueError("one\ntwo")

    told = said(mine.call, fails)
    assert told == "phenomenon 'toys.mean', mine_.py:3, in call: ValueError: one"
    assert said(fails) is None  # nobody's
    assert said(mine.call, lambda: 1 / 0).endswith("in call: ZeroDivisionError: division by zero")


def test_what_an_installed_library_raises_was_called_by_the_author(mine, tmp_path, monkeypatch):
    """Also if it lies below the folder of the module, as in an environment beside it."""
    library = mine.made("lib_", "def solve(x):\n    return 1 / x\n", "env/lib_.py")
    told = said(mine.call, library.solve, 0)
    assert "env/lib_.py:2, in solve" in told  # so far it is a part of the author's
    paths = {**sysconfig.get_paths(), "purelib": str(tmp_path / "env")}
    monkeypatch.setattr(sysconfig, "get_paths", lambda: paths)
    assert said(mine.call, library.solve, 0).startswith(
        "phenomenon 'toys.mean', mine_.py:3, in call:"
    )


def test_of_this_package_the_function_that_refused_is_named(mine):
    told = said(mine.call, Crossing(level=0.5).locate, np.arange(2.0), np.arange(2.0))
    assert "mine_.py:3, in call: curve: the axis needs at least 3" in told
    assert told.endswith(" (in ci_theory.locate.point)")


def test_a_file_elsewhere_is_shown_whole(mine, tmp_path, monkeypatch):
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    assert f"'toys.mean', {tmp_path}/mine_.py:3" in said(mine.call, lambda: 1 / 0)


def test_of_two_authors_in_one_folder_the_one_whose_file_it_is_is_told(mine):
    other = mine.made("other_", "def call(f):\n    return f()\n", "other_.py")
    other.PHENOMENON = dataclasses.replace(load("toys.mean"), name="toys.other")
    assert said(mine.call, lambda: 1 / 0).startswith("phenomenon 'toys.mean', mine_.py:3")
    assert said(other.call, lambda: 1 / 0).startswith("phenomenon 'toys.other', other_.py:2")


def test_what_lies_in_the_package_of_the_author_is_the_authors(mine, monkeypatch):
    """Beside the folder of the module, not in it."""
    monkeypatch.delitem(sys.modules, "mine_")
    text = "def call(f, *given):\n    return f(*given)\n"
    inner = mine.made("pack_.inner.mine_", text, "pack_/inner/mine_.py")
    inner.PHENOMENON = load("toys.mean")
    beside = mine.made("pack_.other", "def solve(x):\n    return 1 / x\n", "pack_/other.py")
    assert "pack_/other.py:2, in solve" in said(inner.call, beside.solve, 0)
