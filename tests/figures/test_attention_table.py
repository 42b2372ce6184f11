"""The table of trained networks in docs/in_context.md: what the kept runs say, of this code."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from ci_theory.figures import trained

ROOT = Path(__file__).parents[2]
TABLE = runpy.run_path(str(ROOT / "paper_figs" / "_attention.py"))
NUMBER = r"-?[\d.e+-]+ \([+-][\d.e+-]+ % \[[+-][\d.e+-]+, [+-][\d.e+-]+\]\)"


def test_the_page_shows_what_the_kept_runs_say():
    """All but the limits, whose program takes a while to compile."""
    text = (ROOT / "docs" / "in_context.md").read_text()
    shown = text.partition(TABLE["BEGIN"])[2].partition(TABLE["END"])[0]
    made = TABLE["table"](TABLE["read"](), {})
    assert re.findall(NUMBER, shown) == re.findall(NUMBER, made)
    assert len(re.findall(NUMBER, shown)) == 2 * len(TABLE["ROWS"])
    assert shown.rpartition("| factor")[2] == made.rpartition("| factor")[2]  # and what follows


def test_the_kept_runs_are_of_this_code():
    assert f"# formula: {trained.formula(TABLE['PARTS'])}\n" in TABLE["KEPT"].read_text()


def test_where_a_gain_ends_is_interpolated_and_open_where_it_does_not():
    gains = np.array([[1.0, 0.5, -0.5, -2, -3, -4, -5], [1] * 7, [-1] * 7])
    np.testing.assert_allclose(TABLE["crossing"](gains), [1.75, np.inf, 1.0])


def test_a_cell_is_the_mean_and_the_interval_of_the_gap():
    told = np.array([2.0, 4.0, 3.0])
    runs = TABLE["Runs"](told + np.array([0.3, 0.0, 0.6]), told)
    half = 4.3027 * 0.3 / 3**0.5 / 3  # t of 2 degrees, of the mean of what is told
    assert TABLE["interval"](runs.value - runs.told)[1:] == pytest.approx(
        (0.3 - 3 * half, 0.3 + 3 * half), rel=1e-4
    )
    assert (
        TABLE["cell"](runs) == f"3.3 (+10 % [{100 * (0.1 - half):+.2g}, {100 * (0.1 + half):+.2g}])"
    )
