"""The picture of a learning curve: what is drawn where, and which cells are said to be claimed."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from ci_theory.figures import style
from ci_theory.figures.learning_curve import draw
from ci_theory.own_data import LearningCurve
from ci_theory.own_data.findings import GROUPS
from ci_theory.own_data.population import Noise


@pytest.fixture
def found():
    """Two ridges at three sizes, with copies and without, and an error chosen for each cell."""
    kept, ridge, n = (
        a.ravel() for a in np.meshgrid([True, False], [0.0, 2.0], [10, 20, 40], indexing="ij")
    )
    predicted = np.where(kept, 3.0, 2.0) + 10 / n + ridge
    parts = {field.name: None for field in dataclasses.fields(LearningCurve)}
    parts |= {
        "n": n, "ridge": ridge, "kept": kept, "predicted": predicted, "mean": predicted + 0.1,
        "error": 0.01 * n, "rows_error": np.full(12, 0.25), "valid": n > 10,
        "noise": Noise(1.5, False, 0.0), "report": SimpleNamespace(level=0.001),
    }  # fmt: skip
    return LearningCurve(**parts)


@pytest.fixture
def picture(found):
    with style.applied():
        return draw(found, "mine_$1$")


def test_a_panel_with_the_copies_and_one_without(picture):
    left, right = picture.axes
    assert [a.get_title("left") for a in (left, right)] == ["with their copies", "copies taken out"]
    assert picture.get_suptitle() == style.words("mine_$1$")
    assert left.get_ylabel() == "error on rows left out [label²]"
    for panel, base in ((left, 3.0), (right, 2.0)):
        curves = [line for line in panel.lines if str(line.get_label()).startswith("ridge")]
        assert [line.get_label() for line in curves] == ["ridge 0", "ridge 2"]
        for line, ridge in zip(curves, (0.0, 2.0), strict=True):
            np.testing.assert_allclose(line.get_ydata(), base + 10 / line.get_xdata() + ridge)
        floor = next(line for line in panel.lines if line.get_label() == "noise")
        assert set(floor.get_ydata()) == {1.5}
        assert panel.get_xscale() == "log"


def test_dots_have_two_standard_errors_and_are_open_outside_the_claim(picture):
    claimed = {True: 0, False: 0}
    for panel in picture.axes:
        for bar in panel.containers:
            (dots, _, (lines,)) = bar
            for (x, y), segment in zip(dots.get_xydata(), lines.get_segments(), strict=True):
                assert np.ptp(segment[:, 1]) == pytest.approx(2 * 2 * 0.01 * x)
                assert segment[:, 1].mean() == pytest.approx(y)
                inside = x > 10
                claimed[bool(inside)] += 1
                assert (dots.get_markerfacecolor() != "white") == inside
    assert claimed == {True: 8, False: 4}


def test_the_band_is_the_interval_of_the_curve(picture, found):
    low, high = found.interval()
    assert GROUPS == 20
    np.testing.assert_allclose(high - low, 2 * 2.0930240544 * 0.25)  # t of 19 degrees
    np.testing.assert_allclose((high + low) / 2, found.predicted)
    for panel, kept in zip(picture.axes, (True, False), strict=True):
        edges = [c.get_paths()[0].vertices[:, 1] for c in panel.collections if c.get_alpha()]
        for y, ridge in zip(edges, (0.0, 2.0), strict=True):
            here = (found.kept == kept) & (found.ridge == ridge)
            assert y.max() == pytest.approx(high[here].max())
            assert y.min() == pytest.approx(low[here].min())


def test_what_is_far_above_the_lowest_error_is_not_shown(found):
    steep = found.predicted * np.where(found.n == 10, 1e4, 1.0)
    with style.applied():
        made = draw(dataclasses.replace(found, predicted=steep), "t")
    lowest = steep.min()
    for panel in made.axes:
        assert panel.get_ylim() == pytest.approx((lowest / 1.2, 30 * lowest))


def test_refits_below_and_above_all_predictions_are_on_the_picture(found):
    for factor in (0.2, 2.0):
        mean = found.mean * np.where(found.n == 10, factor, 1.0)
        with style.applied():
            (panel, _) = draw(dataclasses.replace(found, mean=mean), "t").axes
        low, high = panel.get_ylim()
        assert low < mean.min() < mean.max() < high


def test_without_copies_there_is_one_panel(found):
    with style.applied():
        made = draw(dataclasses.replace(found, kept=np.ones(12, bool)), "t")
    assert [a.get_title("left") for a in made.axes] == [""]
