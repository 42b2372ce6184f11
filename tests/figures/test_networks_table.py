"""The table of docs/inheritance/networks.md: its words and intervals, and that kept runs say it."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.figures.conclusion import LEARNERS, Conclusion, located, table
from ci_theory.figures.jackknife import jackknifed, quotient
from ci_theory.figures.paper import Results
from ci_theory.locate.point import BreakPoint
from ci_theory.locate.profile import Interval

ROOT = Path(__file__).parents[2]
TABLE = runpy.run_path(str(ROOT / "paper_figs" / "_networks.py"))


def word(kind, predicted, found, room=np.inf):
    return Conclusion("d", "t", kind, predicted, {"linear": Interval(*found)}, room).word("linear")


@pytest.mark.parametrize(
    ("kind", "predicted", "found", "said"),
    [
        ("sign", 0.3, (0.2, 0.1, 0.3), "holds"),
        ("sign", -0.3, (-0.2, -0.3, -0.1), "holds"),
        ("sign", 0.3, (-0.2, -0.3, -0.1), "REVERSED"),
        ("sign", 0.3, (np.nan, np.nan, np.nan), "none found"),
        ("sign", -0.3, (0.2, 0.1, 0.3), "REVERSED"),
        ("sign", 0.3, (0.2, -0.1, 0.5), "not told"),
        ("sign", 0.3, (0.2, 0.0, 0.4), "not told"),
        ("sign", 0.3, (-0.2, -0.4, 0.0), "not told"),
        ("law", 2.0, (2.1, 1.9, 2.3), "holds"),
        ("law", 2.0, (2.1, 1.6, 2.5), "holds"),  # the room is half of the widest interval
        ("law", 2.0, (2.1, 1.5, 2.6), "not told"),
        ("law", 2.0, (2.1, 1.0, 3.2), "not told"),
        ("law", 2.0, (2.5, 2.1, 2.9), "BROKEN"),
        ("place", 10.0, (11.0, 8.0, 15.0), "holds"),
        ("place", 10.0, (11.0, 6.0, 17.9), "holds"),  # ends that differ by a factor below 3
        ("place", 10.0, (11.0, 5.9, 17.8), "not told"),
        ("place", 10.0, (11.0, 4.0, 15.0), "not told"),
        ("place", 10.0, (11.0, 8.0, np.inf), "not told"),
        ("place", 10.0, (20.0, 15.0, np.inf), "ELSEWHERE"),
        ("place", 10.0, (np.nan, np.nan, np.nan), "none found"),
    ],
)
def test_a_conclusion_is_called_what_it_is(kind, predicted, found, said):
    assert word(kind, predicted, found, room=0.5) == said


def test_the_sign_that_the_chain_tells_is_shown_however_small():
    rows = [
        Conclusion(
            "d", "t", "sign", told, {s: Interval(told, told, told) for s in LEARNERS}, np.inf
        )
        for told in (0.3, -0.3)
    ]
    assert [line.split(" | ")[2] for line in table(rows).splitlines()[2:4]] == ["+", "-"]


def test_leaving_one_out_is_the_t_interval_of_a_mean_and_holds_a_ratio():
    runs = np.random.default_rng(0).normal(3.0, 1.0, (50, 2))
    made = jackknifed(runs[:, 0], float)
    half = 2.0096 * runs[:, 0].std(ddof=1) / 50**0.5  # t of 49 degrees
    assert made.value == pytest.approx(runs[:, 0].mean())
    assert made.high - made.value == pytest.approx(half, rel=1e-4)
    ratio = jackknifed(runs, lambda mean: mean[1] / mean[0])
    spread = (2 / 50) ** 0.5 / 3.0  # delta method
    assert (ratio.high - ratio.low) / 2 == pytest.approx(2.0096 * spread, rel=0.25)


def test_a_quotient_adds_relative_errors_and_stays_open_where_one_is():
    made = quotient(Interval(4.0, 2.0, 8.0), Interval(2.0, 1.0, 4.0))
    assert made.value == 2.0
    assert made.high == pytest.approx(2 * 2**2**0.5)
    assert made.low == pytest.approx(2 / 2**2**0.5)
    uneven = quotient(Interval(4.0, 1.0, 5.0), Interval(2.0, 1.0, 7.0))
    assert np.log(2 / uneven.low) == pytest.approx(np.hypot(np.log(4), np.log(3.5)))
    assert np.log(uneven.high / 2) == pytest.approx(np.hypot(np.log(1.25), np.log(2)))
    assert quotient(Interval(4.0, 0.0, np.inf), Interval(2.0, 1.0, 4.0))[1:] == (0.0, np.inf)


def test_the_page_shows_what_the_kept_runs_say(monkeypatch):
    """All intervals anew, without the closed form, which takes a while to compile."""

    def told(phenomenon, columns):
        one = SimpleNamespace(estimate=SimpleNamespace(value=np.zeros(len(columns["d"]))))
        return dict.fromkeys(("harm", "gain", "planted", "response"), one)

    monkeypatch.setitem(TABLE["conclusions"].__globals__, "predict", told)
    text = (ROOT / "docs" / "inheritance" / "networks.md").read_text()
    shown = text.partition(TABLE["BEGIN"])[2].partition(TABLE["END"])[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        made = table(TABLE["conclusions"](Results()))
    number = r"-?[\d.e+-]+ \[-?[\d.e+-]+, -?[\w.+-]+\]"
    assert re.findall(number, shown) == re.findall(number, made)
    assert len(re.findall(number, shown)) > 45


def test_a_place_that_is_open_below_begins_at_nothing():
    def found(status):
        point = BreakPoint(5.0, -np.inf, 9.0, 1.0, status)
        return located(SimpleNamespace(locate=lambda x, y: point), None, None)

    assert found(Status.AT_EDGE) == found(Status.OK) == Interval(5.0, 0.0, 9.0)
    assert np.isnan(found(Status.NO_BREAK)).all()


def test_a_law_whose_upper_end_is_not_known_is_not_told():
    assert word("law", 2.0, (2.1, 1.9, np.inf)) == "not told"


def test_only_what_holds_is_counted():
    found = dict.fromkeys(LEARNERS, Interval(0.2, 0.1, 0.3))
    rows = [Conclusion("d", "t", "sign", told, found, np.inf) for told in (0.3, -0.3, 0.1)]
    held = ", ".join(f"{system} 2" for system in LEARNERS)
    assert table(rows).endswith(f"\n\nOf 3 conclusions hold: {held}.\n")
