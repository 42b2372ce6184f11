"""The tables of trained networks in the pages: what the kept runs say, of this code."""

import datetime
import re
import runpy
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.figures import trained

ROOT = Path(__file__).parents[2]
ATTENTION, CHAINS, ENDS, ONSET = (
    runpy.run_path(str(ROOT / "paper_figs" / f"_{name}.py"))
    for name in ("attention", "chains", "ends", "onset")
)
NUMBER = r"-?[\d.e+-]+ \([+-][\d.e+-]+ % \[[+-][\d.e+-]+, [+-][\d.e+-]+\]\)"


def shown(script):
    text = script["PAGE"].read_text()
    return text.partition(script["BEGIN"])[2].partition(script["END"])[0]


def test_the_page_shows_what_the_runs_on_prompts_say():
    """All but the limits, whose program takes a while to compile."""
    page, made = shown(ATTENTION), ATTENTION["table"](ATTENTION["read"](), {})
    assert re.findall(NUMBER, page) == re.findall(NUMBER, made)
    assert len(re.findall(NUMBER, page)) == 2 * len(ATTENTION["ROWS"])
    assert page.rpartition("| factor")[2] == made.rpartition("| factor")[2]  # and what follows


@pytest.mark.parametrize("script", [CHAINS, ONSET, ENDS], ids=["chains", "onset", "ends"])
def test_the_page_shows_what_the_runs_on_tokens_say(script):
    assert shown(script) == script["table"](script["read"]())


@pytest.mark.parametrize(
    "script", [ATTENTION, CHAINS, ONSET, ENDS], ids=["prompts", "chains", "onset", "ends"]
)
def test_the_kept_runs_are_of_this_code(script):
    assert f"# formula: {trained.formula(script['PARTS'])}\n" in script["KEPT"].read_text()


def test_a_table_goes_between_its_marks_which_must_be_there(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<b>\nold\n<e>\nz\n")
    trained.write_between(page, "<b>\n", "<e>\n", "new\n")
    assert page.read_text() == "a\n<b>\nnew\n<e>\nz\n"
    with pytest.raises(BadInput, match="expected '<c>' once"):
        trained.write_between(page, "<c>\n", "<e>\n", "new\n")
    twice = ("<b>\n1\n<e>\nbetween\n<e>\n", "<b>\n1\n<b>\nbetween\n<e>\n")
    for wrong in (*twice, "<e>\n1\n<b>\nwhat follows\n"):
        page.write_text(wrong)
        with pytest.raises(BadInput, match="expected '<b>' once, and '<e>' once after it"):
            trained.write_between(page, "<b>\n", "<e>\n", "new\n")
        assert page.read_text() == wrong


def test_where_a_gain_ends_is_interpolated_and_open_where_it_does_not():
    gains = np.array([[1.0, 0.5, -0.5, -2, -3, -4, -5], [1] * 7, [-1] * 7])
    np.testing.assert_allclose(ATTENTION["crossing"](gains), [1.75, np.inf, 1.0])


def test_a_cell_is_the_mean_and_the_interval_of_the_gap():
    told = np.array([2.0, 4.0, 3.0])
    runs = ATTENTION["Runs"](told + np.array([0.3, 0.0, 0.6]), told)
    half = 4.3027 * 0.3 / 3**0.5 / 3  # t of 2 degrees, of the mean of what is told
    low, high = ATTENTION["interval"](runs.value - runs.told)[1:]
    assert (low, high) == pytest.approx((0.3 - 3 * half, 0.3 + 3 * half), rel=1e-4)
    ends = f"{100 * (0.1 - half):+.2g}, {100 * (0.1 + half):+.2g}"
    assert ATTENTION["cell"](runs) == f"3.3 (+10 % [{ends}])"


def test_an_onset_is_interpolated_and_censored_where_most_runs_have_none():
    level, losses = np.log(4) / 2, np.full((7, len(ONSET["AT"])), 2.0)
    losses[:4, 1:] = level - (2.0 - level) / 3  # three quarters of the way from 0 to 100
    assert ONSET["onset"](losses, 4) == (75.0, 75.0, np.inf)
    last = float(ONSET["AT"][-1])
    assert ONSET["onset"](losses[3:], 4) == (np.inf, -np.inf, np.inf)  # four runs say nothing
    assert ONSET["onset"](np.repeat(losses[5:], 3, axis=0), 4) == (np.inf, last, np.inf)
    unigram, bigram = np.full(10, 1.0), np.full(10, 0.6)
    network = np.full((10, len(CHAINS["AT"])), 1.0)
    network[:4, 1:] = 0.7  # three quarters of the way, two thirds of a step to the half
    tested = CHAINS["Tested"](network, {"unigram": unigram, "bigram": bigram})
    assert CHAINS["onset"](tested) == "later [17, later]"
    network[:6, 1:] = 0.7
    assert CHAINS["onset"](tested) == "17 [17, later]"


def test_levels_of_chains_are_those_of_predictors_written_out(monkeypatch):
    monkeypatch.setitem(CHAINS["levels"].__globals__, "LENGTH", 4)
    rng = np.random.default_rng(0)
    states, pool = rng.integers(0, 3, (2, 5)), rng.dirichlet(np.ones(3), (2, 3))
    lost = {"unigram": [], "bigram": [], "pool": []}
    for path in states:
        for t in (2, 3):
            met, to = path[: t + 1], path[t + 1]
            steps = list(pairwise(met))
            lost["unigram"].append(((met == to).sum() + 1) / (t + 1 + 3))
            row = [b for a, b in steps if a == met[-1]]
            lost["bigram"].append((row.count(to) + 1) / (len(row) + 3))
            seen = np.array([np.prod([chain[a, b] for a, b in steps]) for chain in pool])
            lost["pool"].append(seen @ pool[:, met[-1], to] / seen.sum())
    found = CHAINS["levels"](jnp.asarray(states), jnp.asarray(pool))
    for name, chances in lost.items():
        assert float(found[name]) == pytest.approx(-np.log(chances).mean(), rel=1e-12), name


def test_the_ratio_of_two_medians_has_the_interval_of_both():
    level = np.log(4) / 2

    def at(*steps):  # there at these steps, or never
        rows = np.full((len(steps), len(ONSET["AT"])), 2.0)
        for row, step in zip(rows, steps, strict=True):
            row[np.asarray(ONSET["AT"]) >= step] = level - 1e-12
        return rows

    kept = {case: at(100, 150, 200, 200, 250, 300) for case in ONSET["CASES"]}
    kept[ONSET["CASES"][4]] = at(400, 450, 500, 500, 550, 9999)
    lines = ONSET["table"](kept).splitlines()[2:]
    assert lines[0].endswith("| 200 [100, 300] | 1.00 | 1 |")
    assert lines[4].endswith("| 2.50 [1.33, later] |")


def test_runs_are_kept_with_what_they_are_of(tmp_path):
    parts = [trained.rows, trained.keep]
    file = tmp_path / "runs.csv"
    trained.keep(file, "some runs", parts, 7, "steps,loss", ["0,1.5", "100,0.25"])
    assert trained.rows(file) == [["0", "1.5"], ["100", "0.25"]]
    title, formula, seed, session, columns, *_ = file.read_text().splitlines()
    assert (title, seed, columns) == ("# title: some runs", "# seed: 7", "steps,loss")
    assert formula == f"# formula: {trained.formula(parts)}"
    assert session.startswith(f"# session: jax {jax.__version__}, jaxlib ")
    ended = datetime.datetime.fromisoformat(session.rpartition("ended ")[2])
    assert abs(datetime.datetime.now(datetime.UTC) - ended) < datetime.timedelta(minutes=5)
    assert trained.formula(parts) == trained.formula(parts[::-1]) != trained.formula(parts[:1])
