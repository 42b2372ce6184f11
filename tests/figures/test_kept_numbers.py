"""Numbers behind pictures by another way to find them, and kept texts letter by letter."""

import json

import numpy as np
import pytest
import scipy.stats
import xarray

from ci_theory import BadInput
from ci_theory.figures import (
    agreement,
    condensed,
    kept,
    trained,
)
from ci_theory.figures.condensed import PARTS
from ci_theory.figures.jackknife import jackknifed, less
from ci_theory.locate import Peak
from ci_theory.locate.profile import Interval

NAN = np.nan


# --- is what was kept what is found now? ----------------------------------------------------------


def moments(y):
    return (
        y.mean(axis=-1),
        y.std(axis=-1, ddof=1) / np.sqrt(y.shape[-1]),
        np.full(len(y), y.shape[-1]),
    )


def test_two_means_are_compared_by_welchs_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.0, 1.0, (6, 5)), rng.normal(0.5, 3.0, (6, 9))
    b[:2] -= 4.0
    z = agreement.welch(*moments(a), *moments(b))
    told = scipy.stats.ttest_ind(b, a, axis=1, equal_var=False)
    wanted = scipy.stats.norm.isf(told.pvalue / 2) * np.sign(told.statistic)
    # six digits are kept: so much of the first mean is taken off the difference
    np.testing.assert_allclose(z, wanted, atol=1e-3)
    assert np.any(z > 0.5)
    assert np.any(z < 0)


def test_what_rounding_explains_is_no_difference_and_what_has_no_error_says_nothing():
    def score(mean, error, runs, mean2, error2, runs2):
        parts = ([v] for v in (mean, error, runs, mean2, error2, runs2))
        return float(agreement.welch(*map(np.array, parts))[0])

    assert score(-10.0, 0.0, 5, -10.00019, 0.0, 5) == 0
    assert score(-10.0, 0.0, 5, -10.00021, 0.0, 5) < -30
    assert score(1.0, 1e-9, 5, 1.0 + 1.9e-5, 1e-9, 5) == 0
    assert score(1.0, 0.5, 5, 1.0, 0.5, 5) == 0
    assert np.isnan(score(1.0, NAN, 1, 1.0, 0.1, 5))
    assert np.isnan(score(1.0, 0.1, 5, NAN, 0.1, 5))
    # one error of two: the degrees of freedom of the other mean
    tail = 2 * scipy.stats.t.sf(3.0, 4)
    found = score(0.0, 0.0, 5, 0.3, 0.1, 5)
    assert found == pytest.approx(scipy.stats.norm.isf(tail / 2), rel=1e-6)


def small(values, error=0.1, breaks=(), checks=(), **about):
    """A condensed sweep over n of one measure."""
    mean = np.asarray(values, float)
    columns = zip(PARTS, (mean, np.full(mean.shape, error), np.full(mean.shape, 9)), strict=True)
    data = {f"test_error{part}": ("n", one) for part, one in columns}
    attrs = {"name": "toy", "formula": "f", "version": "1", "seed": 7, "replicates": 9, **about}
    lists = {"breaks": json.dumps(list(breaks)), "checks": json.dumps(list(checks))}
    return xarray.Dataset(data, {"n": np.arange(1, len(mean) + 1)}, {**attrs, **lists})


def compared(old, new, monkeypatch):
    monkeypatch.setattr(condensed, "condense", lambda data: data)
    return agreement.compare(old, new)


def test_what_differs_is_told_line_by_line(monkeypatch):
    def row(low, high, status="OK"):
        return ["peak", {"n": 2}, ["OK", 2.0, low, high, 1], [status, low, high]]

    other = ["end", *row(1.0, 3.0)[1:]]
    old = small(
        [1.0, 2.0, NAN, 4.0, 5.0, 6.0],
        breaks=[row(1.0, 3.0), other],
        checks=[["a", "a", "AGREES", 1.0], ["b", "b", "AGREES", None], ["c", "c", "DISAGREES", 9.0],
                ["d", "d", "UNDERPOWERED", 0.0]],
    )  # fmt: skip
    new = small(
        [1.0, 9.0, 3.0, 14.0, 15.0, 16.0],
        breaks=[row(3.5, 4.0), ["end", {"n": 2}, *row(0.0, 0.5)[2:3], ["NO_BREAK", None, None]]],
        checks=[["a", "a", "DISAGREES", 1.0], ["c", "c", "AGREES", 1.0], ["d", "d", "AGREES", 0.0]],
        seed=8,
    )
    told = compared(old, new, monkeypatch)
    assert (told.agrees, told.means, told.breaks, told.z) == (False, 6, 1, np.inf)
    lines = str(told).splitlines()
    assert lines[0] == "toy: DISAGREES: 6 means, largest difference z = inf; 1 breaks"
    error, runs = np.full(2, 0.1), np.full(2, 9)
    z = agreement.welch(np.array([2.0, 4]), error, runs, np.array([9.0, 14]), error, runs)
    assert [line.strip() for line in lines[1:]] == [
        f"test_error at n = 2: z = {z[0]:+.1f}",
        "test_error: a mean is finite in one of the two only: z = +inf",
        f"test_error at n = 4: z = {z[1]:+.1f}",
        "and 2 more means",
        "a: AGREES when it was kept, now DISAGREES",
        "c: DISAGREES when it was kept, now AGREES",
        "peak at {'n': 2}: [1, 3] kept, [3.5, 4] fresh",
        "seed: 7 when it was kept, now 8",
        "b: AGREES when it was kept, now gone",
        "d: UNDERPOWERED when it was kept, now AGREES",
    ]  # fmt: skip


def test_an_axis_that_is_held_elsewhere_or_was_none_is_a_difference(monkeypatch):
    old, new = (
        small([1.0], fixed=json.dumps(held))
        for held in ({"p": 3, "q": 1}, {"p": 4, "q": 1, "r": 2})
    )
    assert compared(old, old, monkeypatch).agrees
    assert compared(old, new, monkeypatch).against == (
        "p = 3 when it was kept, now 4",
        "r = not an axis when it was kept, now 2",
    )
    assert not compared(new, old, monkeypatch).agrees


@pytest.mark.parametrize("count", [1, 3, 4, 5])
def test_three_means_that_differ_are_named_and_the_others_counted(count, monkeypatch):
    ones = np.ones(6)
    told = compared(small(ones), small(ones + 9 * (np.arange(6) < count)), monkeypatch).against
    assert len(told) == min(count, 3) + (count > 3)
    assert (told[-1] == f"and {count - 3} more means") == (count > 3)


def test_a_mean_without_an_error_says_nothing_and_one_that_is_lost_does(monkeypatch):
    old, alone, lost = small([1.0, 2.0]), small([1.0, 5.0]), small([1.0, NAN])
    alone["test_error error"][1] = NAN  # of a single run
    for one, other in ((old, alone), (alone, old)):
        told = compared(one, other, monkeypatch)
        assert (told.agrees, told.means) == (True, 1)
    for one, other in ((old, lost), (lost, old)):
        told = compared(one, other, monkeypatch)
        assert (told.agrees, told.means, told.z) == (False, 2, np.inf)


def test_axes_and_values_in_another_order_are_the_same_sweep(monkeypatch):
    rng = np.random.default_rng(4)
    data = {
        f"test_error{part}": (("n", "ridge"), one)
        for part, one in zip(
            PARTS, (rng.normal(size=(3, 2)), np.full((3, 2), 1e-3), np.full((3, 2), 9)), strict=True
        )
    }
    attrs = {"name": "toy", "breaks": "[]", "checks": "[]"}
    old = xarray.Dataset(data, {"n": [1, 2, 4], "ridge": [0.5, 2.0]}, attrs)
    new = old.isel(n=[2, 0, 1], ridge=[1, 0]).transpose("ridge", "n")
    for one, other in ((old, new), (new, old)):
        told = compared(one, other, monkeypatch)
        assert (told.agrees, told.means, told.z) == (True, 6, 0.0)


def test_breaks_that_touch_do_not_differ(monkeypatch):
    def with_interval(low, high):
        return small([1.0], breaks=[["peak", {}, ["OK", 2.0, low, high, 1], ["OK", low, high]]])

    old = with_interval(1.0, 3.0)
    for low, high, agrees in (
        (3.0, 4.0, True), (0.5, 1.0, True), (3.01, 4.0, False), (0.5, 0.99, False),
        (None, 0.99, False), (None, 1.5, True), (2.9, None, True), (3.1, None, False),
    ):  # fmt: skip
        told = compared(old, with_interval(low, high), monkeypatch)
        assert (told.agrees, told.breaks) == (agrees, 1)
    assert str(compared(old, old, monkeypatch)) == (
        "toy: agrees: 1 means, largest difference z = 0.0; 1 breaks"
    )


def test_a_kept_file_letter_by_letter(tmp_path):
    about = {
        "phenomenon": "ridge_peak", "name": "toy", "title": "of it", "fixed": '{"p": 3}',
        "paired": "[]",
        "seed": 4, "version": "1", "formula": "f", "plan": "h", "missing": 0,
        "sessions": json.dumps([
            {"jax": "9", "machine": "m", "began": "today", "python": "3"},
            {"jax": "9", "machine": "m", "began": "today", "python": "4"},
            {"jax": "8", "revision": "", "began": "then"},
        ]),
        "replicates": 5,
        "breaks": json.dumps([["peak", {"n": 1}], ["end", {}]]),
        "checks": json.dumps([["test_error", "test_error", "AGREES", None]]),
    }  # fmt: skip
    values = np.array([[1 / 3, 2e7], [NAN, 4.0]])
    data = {
        f"test_error{part}": (("n", "ridge"), values * k)
        for k, part in zip((1, 2, 3), PARTS, strict=True)
    }
    made = xarray.Dataset(data, {"n": [10, 20], "ridge": [0.5, 1e-7], "noise": 0.25}, about)
    file = tmp_path / "kept.csv"
    kept.write(made, file)
    assert file.read_text().splitlines() == [
        "# phenomenon: ridge_peak",
        "# name: toy",
        "# title: of it",
        '# fixed: {"p": 3}',
        "# paired: []",
        "# seed: 4",
        "# version: 1",
        "# formula: f",
        "# plan: h",
        "# noise: 0.25",
        "# session: jax 8, began then",
        "# session: jax 9, machine m, began today",
        "# replicates: 5",
        '# breaks: ["peak", {"n": 1}]',
        '# breaks: ["end", {}]',
        '# checks: ["test_error", "test_error", "AGREES", null]',
        "n,ridge,test_error,test_error error,test_error runs",
        "10,0.5,0.333333,0.666667,1",
        "10,1e-07,2e+07,4e+07,6e+07",
        "20,0.5,nan,nan,nan",
        "20,1e-07,4,8,12",
    ]
    again = kept.read(file)
    for name, one in made.data_vars.items():
        np.testing.assert_allclose(again[name], one, rtol=1e-5)
        assert again[name].dims == ("n", "ridge")
    assert again["noise"].item() == 0.25
    assert again["n"].attrs["unit"] == "rows"
    assert again["test_error"].attrs["unit"]
    assert (again.attrs["replicates"], again.attrs["seed"], again.attrs["title"]) == (
        5,
        "4",
        "of it",
    )
    for key in ("breaks", "checks"):
        assert json.loads(again.attrs[key]) == json.loads(about[key])


def test_runs_of_networks_are_kept_with_their_code_and_a_page_between_its_marks(tmp_path):
    file = tmp_path / "runs.csv"
    trained.keep(file, "of it", [trained.rows], 5, "a,b", ["1,2", "3,4"])
    lines = file.read_text().splitlines()
    assert lines[:3] == [
        "# title: of it",
        f"# formula: {trained.formula([trained.rows])}",
        "# seed: 5",
    ]
    assert lines[3].startswith("# session: jax ")
    assert lines[4:] == ["a,b", "1,2", "3,4"]
    assert trained.rows(file) == [["1", "2"], ["3", "4"]]
    parts = [trained.rows, jackknifed, less]
    assert trained.formula(parts) == trained.formula(parts[::-1])  # in no order
    page = tmp_path / "page.md"
    page.write_text("x<a>old<b>y")
    trained.write_between(page, "<a>", "<b>", "new")
    assert page.read_text() == "x<a>new<b>y"
    for wrong in ("<b>x<a>", "<a>x", "x<b>", "<a><a>x<b>", "<a>x<b><b>"):
        page.write_text(wrong)
        with pytest.raises(BadInput, match="expected '<a>' once, and '<b>' once after it"):
            trained.write_between(page, "<a>", "<b>", "new")
        assert page.read_text() == wrong


# --- means and intervals --------------------------------------------------------------------------


def test_means_of_what_is_finite():
    rng = np.random.default_rng(1)
    y = rng.normal(size=(4, 6))
    y[1, :3], y[2, 1:], y[3] = NAN, np.inf, NAN
    found = condensed.means(xarray.DataArray(y.T, dims=("replicate", "n")))
    assert found.runs.tolist() == [6, 3, 1, 0]
    good = [row[np.isfinite(row)] for row in y]
    assert found.mean[:3] == pytest.approx([g.mean() for g in good[:3]])
    assert found.error[:2] == pytest.approx([scipy.stats.sem(g) for g in good[:2]])
    assert np.isnan([found.mean[3], *found.error[2:]]).all()
    for i in (0, 1):
        low, high = scipy.stats.t.interval(0.95, len(good[i]) - 1, found.mean[i], found.error[i])
        assert 2 * found.half[i] == pytest.approx(high - low)
    assert np.isnan(found.half[2:]).all()


def test_the_difference_of_two_numbers_adds_their_squared_widths():
    made = less(Interval(5.0, 2.0, 8.0), Interval(1.0, -3.0, 5.0))
    assert made == Interval(4.0, -1.0, 9.0)
    runs = np.random.default_rng(2).normal(3.0, 1.0, (9, 2))
    made = jackknifed(runs, lambda mean: float(mean @ np.array([1.0, -2.0])))
    each = runs @ np.array([1.0, -2.0])
    low, high = scipy.stats.t.interval(0.95, 8, each.mean(), scipy.stats.sem(each))
    assert made == pytest.approx((each.mean(), low, high))


def test_all_breaks_that_are_compared_may_be_off_at_one_level_together(monkeypatch):
    """Two sweeps, every slice of each, on either side: the chances add up to half of the level."""
    doubts = []
    locate = Peak.locate

    def seen(self, x, y):
        doubts.append(1 - self.confidence)
        return locate(self, x, y)

    monkeypatch.setattr(Peak, "locate", seen)
    x, rng = np.geomspace(30, 300, 9), np.random.default_rng(0)
    rises = np.exp(-(np.log(x / 100) ** 2))[:, None] * [1.0, 2.0, 3.0]
    y = rises[..., None] * (1 + 0.01 * rng.standard_normal((9, 3, 8)))
    data = xarray.Dataset(
        {"test_error": (("n", "noise", "replicate"), y)},
        {"n": x, "noise": [0.1, 0.5, 1.0]},
        {"phenomenon": "ridge_peak", "name": "toy"},
    )
    found = condensed._breaks(data)
    slices = {str(at) for name, at, *_ in found}
    kinds = {name for name, *_ in found}
    assert len(slices) == 3
    strict = [d for d in doubts if d < 0.04]
    assert len(strict) == 3 * len(kinds)
    assert 2 * sum(strict) == pytest.approx(condensed.LEVEL / 2)


def test_another_version_and_another_simulation_are_noted(monkeypatch):
    old = small([1.0])
    for key in ("formula", "version", "seed"):
        told = compared(old, old.assign_attrs({key: "other"}), monkeypatch)
        assert told.notes == (f"{key}: {old.attrs[key]} when it was kept, now other",)
        assert told.agrees


def test_a_break_that_one_of_two_sweeps_did_not_find_is_not_compared(monkeypatch):
    def with_break(status, *ends):
        return small([1.0], breaks=[["peak", {}, [status, None, *ends, 1], [status, *ends]]])

    found, none = with_break("OK", 1.0, 3.0), with_break("NO_BREAK", None, None)
    for one, other in ((found, none), (none, found)):
        told = compared(one, other, monkeypatch)
        assert (told.agrees, told.breaks) == (True, 0)


def test_leaving_one_of_two_runs_out_of_a_square_by_hand():
    """Left are 9 and 1, about their own mean 5 and not about the square 4 of the mean."""
    made = jackknifed(np.array([1.0, 3.0]), lambda mean: float(mean**2))
    assert made.value == 4
    assert made.high - made.value == pytest.approx(4 * scipy.stats.t.ppf(0.975, 1))
