"""Condensed and kept sweeps: they say what the runs say, and differ where the runs differ."""

import json

import numpy as np
import pytest
import xarray
from scipy.stats import norm

from ci_theory._errors import BadInput
from ci_theory.figures import agreement, condensed, curves, kept, series
from ci_theory.locate import Peak
from ci_theory.phenomena import load

SESSION = '[{"jax": "9", "began": "today"}]'
ABOUT = {
    "name": "toy",
    "missing": 0,
    "sessions": SESSION,
    "seed": 7,
    "version": "1",
    "formula": "f",
}


@pytest.fixture(scope="module")
def whole(sweep):
    return sweep.assign_attrs(ABOUT)


@pytest.fixture(scope="module")
def small(whole, tmp_path_factory):
    """The sweep condensed, as it comes back from a file."""
    file = tmp_path_factory.mktemp("kept") / "toy.csv"
    kept.write(condensed.condense(whole), file)
    return kept.read(file)


def test_a_picture_of_what_is_kept_shows_what_the_runs_show(whole, small):
    held = {"ridge": 1.0}
    a, b = (curves.contents(data, "test_error", "n", "noise", held) for data in (whole, small))
    assert (a.x_label, a.y_label) == (b.x_label, b.y_label)
    np.testing.assert_array_equal(a.line.value, b.line.value)
    for ours, theirs in zip(a.curves, b.curves, strict=True):
        for part, other in zip(ours.means, theirs.means, strict=True):
            np.testing.assert_allclose(part, other, rtol=1e-5)
        np.testing.assert_allclose(ours.means.half, theirs.means.half, rtol=1e-5)
        assert ours.measured.status == theirs.measured.status
        np.testing.assert_allclose(ours.measured[:3], theirs.measured[:3], rtol=1e-5)
        assert ours.predicted == theirs.predicted
    assert series.verdict(whole, "test_error") == series.verdict(small, "test_error") != ""
    assert series.replicates(whole) == series.replicates(small) == 6


def test_a_break_that_was_not_kept_is_refused(small):
    with pytest.raises(BadInput, match="toy: keeps no break 'peak in p'"):
        series.located(small, load("ridge_peak").breaks[1], {"noise": 0.1, "ridge": 1.0})


def test_single_runs_are_kept_with_the_value_of_a_chosen_axis(whole, tmp_path):
    file = tmp_path / "runs.csv"
    kept.write(whole.isel(ridge=-1), file)
    found = kept.read(file)
    np.testing.assert_allclose(found["test_error"], whole["test_error"].isel(ridge=-1), rtol=1e-5)
    assert (found["ridge"].item(), found.attrs["seed"]) == (30.0, "7")
    assert "ridge" not in found.attrs
    assert found.attrs["session"] == "jax 9, began today"


def test_an_incomplete_sweep_is_not_kept(whole, tmp_path):
    with pytest.raises(BadInput, match="cells not simulated yet: 3"):
        kept.write(whole.assign_attrs(missing=3), tmp_path / "file.csv")
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_refused(whole, tmp_path):
    """Rows out of place would be values of other cells."""
    file = tmp_path / "kept.csv"
    kept.write(condensed.condense(whole.isel(noise=[0], n=[1, 3, 5])), file)
    lines = file.read_text().splitlines()
    *head, a, b, c, d, e, f = lines
    assert kept.read(file).sizes == {"n": 3, "noise": 1, "ridge": 2}
    tables = ([a, b, d, c, e, f], [b, a, c, d, e, f], [a, b, c, d, e], [a, b, c, d, e, e],
              [a, b, c, d, e, "115,0.1,1.0,x,0,6"], [a, b, c, d, e, f[:9]])  # fmt: skip
    texts = [[*head, *rows] for rows in tables]
    texts += [[x for x in lines if not x.startswith(f"# {key}")] for key in ("phen", "replicates")]
    texts += [[x.replace("test_error error", "spread") for x in lines]]
    names = {x: f"{x},{'more' if x.startswith('n,') else 1}" for x in lines if x[0] != "#"}
    texts += [[names.get(x, x) for x in lines]]
    texts += [[x[:-1] if x.startswith("# checks") else x for x in lines], [], ["# told: only"]]
    for text in texts:
        file.write_text("\n".join(text))
        with pytest.raises(BadInput, match=r"kept\.csv: is not a kept result"):
            kept.read(file)
    file.write_bytes(b"\xff")
    with pytest.raises(BadInput, match=r"kept\.csv: is not a kept result"):
        kept.read(file)


def again(whole, scale=0.02, seed=1, shift=None):
    """Other runs of the same means, or of shifted ones."""
    mean = whole["test_error"].mean("replicate")
    noise = np.random.default_rng(seed).normal(size=whole["test_error"].shape)
    made = whole.copy()
    runs = mean * (1 + scale * whole["test_error"].copy(data=noise))
    made["test_error"] = runs.transpose(*made.sizes).assign_attrs(whole["test_error"].attrs)
    if shift is not None:
        made["test_error"][shift] *= 1.5
    return made


def test_the_same_runs_agree_and_so_do_others_of_the_same_means(whole, small):
    same = agreement.compare(small, whole)
    assert (same.agrees, same.means) == (True, 28)
    assert same.z < 0.01
    assert same.breaks >= 1
    other = agreement.compare(small, again(whole))
    assert other.agrees
    assert 1 < other.z < 5


def test_a_break_that_did_not_come_is_kept_with_the_place_up_to_which_it_was_looked_for():
    found = condensed._point("CENSORED", None, 10.0, None, 0)
    assert np.isnan(found.value)
    assert (found.low, found.high) == (10.0, np.inf)
    none = condensed._point("NO_BREAK", None, 10.0, None, 0)
    assert np.isnan([none.low, none.high]).all()


def test_cells_of_a_yes_or_no_axis_are_compared_with_their_own():
    """A list of booleans would select like a mask."""
    axes = {"n": [1, 2], "shared": [True, False], "replicate": [0, 1, 2]}
    runs = np.arange(12.0).reshape(2, 2, 3)
    data = xarray.Dataset({"test_error": (tuple(axes), runs)}, axes, {"name": "toy"})
    other = data.isel(shared=[1, 0])
    found = agreement.restricted(other.assign(more=other["test_error"]), data)
    xarray.testing.assert_equal(found, data)
    alone = agreement.restricted(other, data.isel(shared=1))
    xarray.testing.assert_equal(alone, data.isel(shared=1))


def test_a_mean_that_moved_is_found_and_so_is_one_that_is_lost(whole, small):
    moved = agreement.compare(small, again(whole, shift={"n": 2, "noise": 0, "ridge": 1}))
    assert moved.against[0].startswith("test_error at n = 85, noise = 0.1, ridge = 30.0: z = +")
    assert not moved.agrees
    lost = whole.copy()
    lost["test_error"] = whole["test_error"].where(whole["n"] != 40)
    assert not agreement.compare(small, lost).agrees


def test_the_level_is_for_all_means_together(whole, small, monkeypatch):
    """Each of N means is compared at a share: of a hundred, one beyond 3.9 is no wonder."""
    level = condensed.LEVEL / 2
    for count in (1, 28, 1000):
        edge = norm.isf(level / count / 2)
        for z, agrees in ((0.999 * edge, True), (-0.999 * edge, True), (-1.001 * edge, False)):
            scores = np.append(np.zeros(count - 1), z)
            monkeypatch.setattr(agreement, "_scores", lambda *two, s=scores: (s, ["cell"] * len(s)))
            assert agreement.compare(small, whole).agrees == agrees


def test_the_level_is_for_all_breaks_of_both_sweeps_together(whole, monkeypatch):
    asked, locate = [], Peak.locate

    def watched(self, x, y):
        asked.append(self.confidence)
        return locate(self, x, y)

    monkeypatch.setattr(Peak, "locate", watched)
    for data, slices in ((whole, 4), (whole.isel(noise=[0]), 2), (whole.isel(noise=0, ridge=0), 1)):
        asked.clear()
        assert len(condensed._breaks(data)) == slices
        strict = [1 - confidence for confidence in asked if confidence != 0.95]
        assert len(strict) == slices == len(asked) / 2
        assert 2 * sum(strict) == pytest.approx(condensed.LEVEL / 2)


def test_a_break_that_moved_is_found_where_no_mean_is_sharp_enough(small):
    """The breaks are looked at by themselves: here they alone are changed."""
    moved = small.copy()
    entries = json.loads(small.attrs["breaks"])
    for one in entries:
        one[3][1:] = [v and 2 * v for v in one[3][1:]]
    moved.attrs["breaks"] = json.dumps(entries)
    count, apart = agreement._breaks(small, moved)
    assert count == len(apart) >= 1
    assert "peak in n at {'noise': 1.0, 'ridge': 1.0}: [" in "".join(apart)
    assert agreement._breaks(small, small) == (count, [])


def test_what_else_moved_is_told(whole, small):
    fresh = whole.assign_attrs(seed=8)
    assert agreement.compare(small, fresh).notes == ("seed: 7 when it was kept, now 8",)
    wrong = small.assign_attrs(checks='[["test_error", "test_error", "DISAGREES", 9.0]]')
    assert any("test_error: DISAGREES when" in x for x in agreement.compare(wrong, whole).against)
    with pytest.raises(BadInput, match="toy: what is kept is of another sweep"):
        agreement.compare(small, whole.isel(n=slice(1, None)))


def test_differences_of_equal_means_have_the_level_that_is_stated():
    draws = np.random.default_rng(3).normal(size=(2, 20000, 6))
    parts = [
        (y.mean(axis=1), y.std(axis=1, ddof=1) / np.sqrt(6), np.full(len(y), 6)) for y in draws
    ]
    z = agreement.welch(*parts[0], *parts[1])
    assert np.mean(np.abs(z) > 2.576) < 0.0125  # 0.01, and 3.5 binomial errors
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.045, abs=0.008)  # a little conservative
    one = np.array([1.0])
    assert agreement.welch(one, 0 * one, 8 * one, one, 0 * one, 8 * one) == 0
    assert agreement.welch(one, 0 * one, 8 * one, 1.01 * one, 0 * one, 8 * one) > 30


def test_breaks_of_measures_that_are_not_kept_are_left_out(whole):
    both = whole.assign(train_error=whole["test_error"])
    assert json.loads(condensed.condense(both, ["train_error"]).attrs["breaks"]) == []
    assert len(json.loads(condensed.condense(both, ["test_error"]).attrs["breaks"])) == 4


def test_the_first_cell_may_be_the_worst(whole):
    (told,) = condensed.verdicts(whole.isel(n=[0], noise=[0], ridge=[0]))
    assert told.z is not None


def test_single_runs_are_compared_with_the_same_cells_of_a_store(whole, tmp_path):
    file = tmp_path / "runs.csv"
    fresh = whole.assign_attrs(paired="[]")
    kept.write(fresh.isel(ridge=0), file)
    found = agreement.compare(kept.read(file), fresh)
    assert (found.agrees, found.means, found.notes) == (True, 14, ())
    assert found.breaks >= 1


def test_a_measure_that_the_fresh_runs_lack_is_another_sweep(whole, small):
    with pytest.raises(BadInput, match="toy: what is kept is of another sweep: see more"):
        agreement.restricted(whole, whole.assign(more=whole["test_error"]))


@pytest.mark.parametrize(
    "ask", [series.phenomenon_of, condensed.condense, condensed._breaks, kept.read]
)
def test_code_that_a_file_names_is_not_run(ask, tmp_path, monkeypatch):
    """To load a phenomenon is to run its code, which may be anybody's."""
    (tmp_path / "some_stranger.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    named = xarray.Dataset(attrs={"phenomenon": "some_stranger"})
    if ask is kept.read:
        named = tmp_path / "kept.csv"
        named.write_text("# phenomenon: some_stranger\nn,error\n1,2\n")
    with pytest.raises(BadInput, match="that you trust, add --allow some_stranger"):
        ask(named)


@pytest.mark.parametrize("table", ["n\n1", "n,replicate\n1,0", "n,test_error\n[1],2"])
def test_a_table_without_a_measure_or_with_a_list_for_a_place_is_refused(table, tmp_path):
    file = tmp_path / "kept.csv"
    file.write_text(f"# phenomenon: ridge_peak\n# replicates: 3\n{table}\n")
    with pytest.raises(BadInput, match=r"kept\.csv: is not a kept result of a sweep"):
        kept.read(file)
    with pytest.raises(BadInput, match=r"none\.csv: cannot be read: No such file or directory$"):
        kept.read(tmp_path / "none.csv")


def test_measures_alone_are_condensed_and_only_means_have_their_unit(whole):
    made = condensed.condense(whole.assign(status=0 * whole["test_error"]))
    assert list(made.data_vars) == [f"test_error{part}" for part in condensed.PARTS]
    units = [made[name].attrs for name in made.data_vars]
    assert units == [whole["test_error"].attrs, {}, {}]
    assert units[0]


def test_three_places_are_enough_for_a_break_to_be_kept(whole):
    assert len(condensed._breaks(whole.isel(n=[1, 3, 5]))) == 4
    assert condensed._breaks(whole.isel(n=[1, 3])) == []
