"""The claims in words: they follow the kept numbers, and nothing is supported without a verdict."""

import json
import re

import numpy as np
import pytest
import scipy.stats
import xarray

from ci_theory import answers
from ci_theory._errors import BadInput
from ci_theory.claimed import Word, answered, said, words
from ci_theory.claimed.break_looks import Moves, Place
from ci_theory.claimed.looks import LEVEL, Change, Evidence, Interval, Level, Middle, over
from ci_theory.claimed.parts import PARTS, Part
from ci_theory.claims import CLAIMS
from ci_theory.figures import condensed
from ci_theory.phenomena import load
from ci_theory.sweeps.provenance import formula_hash

N, NOISE = (50, 100, 200), (0.1, 1.0)
TODAY = formula_hash(load("ridge_peak"))
FIXED = {"p": 100, "spectrum": "isotropic", "alpha": 1.5, "signal": 1.0, "ridge": 1.0}
AGREES = (("test_error", "test_error", "AGREES", 1.0), ("train", "train_error", "AGREES", 1.0))


def kept(rows, error=0.01, checks=AGREES, breaks=(), answer=None, formula=None, **measures):
    """Return a condensed sweep of ridge_peak whose means are chosen: rows (noise, n)."""
    data = {}
    for name, values in {"test_error": rows, **measures}.items():
        mean = np.array(values, float)
        parts = (mean, np.full_like(mean, error), np.full_like(mean, 9))
        for part, array in zip(condensed.PARTS, parts, strict=True):
            data[f"{name}{part}"] = (("noise", "n"), array)
    attrs = {
        "phenomenon": "ridge_peak",
        "name": "toy",
        "fixed": json.dumps(FIXED),
        "formula": formula or TODAY,
        "checks": json.dumps(checks),
        "breaks": json.dumps(breaks),
    }
    return Evidence(xarray.Dataset(data, {"noise": list(NOISE), "n": list(N)}, attrs), answer)


def told(evidence, *looks):
    part = Part("it is so", (("toy", looks),))
    return said(part, {"toy": evidence}.get)


RISES = Change("test_error", "noise", 0.1, 1.0, "rises")


def test_a_verdict_flips_with_the_numbers():
    up, down = [[1, 2, 3], [2, 3, 4]], [[2, 3, 4], [1, 2, 3]]
    assert told(kept(up), RISES).word is Word.SUPPORTED
    assert told(kept(down), RISES).word is Word.CONTRADICTED
    assert told(kept(down), RISES._replace(to="falls")).word is Word.SUPPORTED
    part = told(kept([[1, 2, 3], [2, 3, 2.5]]), RISES)
    assert (part.word, part.why) == (Word.ONLY_WHEN, "n ≤ 100")
    assert part.text.startswith("it is so only when n ≤ 100 (2 of 3; test_error from noise = 0.1")
    assert told(kept([[1, 2, 3], [0.5, 3, 4]]), RISES).why == "n ≥ 100"


def test_what_the_errors_do_not_tell_apart_is_not_told():
    found = told(kept([[1, 2, 3], [1.02, 2.02, 3.02]]), RISES)
    assert (found.word, found.why) == (Word.NOT_YET, "0 of 3 curves tell")
    assert told(kept([[1, 2, 3], [1.02, 2.02, 3.02]], error=1e-4), RISES).word is Word.SUPPORTED
    one = told(kept([[1, 2, 3], [1.02, 2.02, 4]]), RISES)
    assert one.word is Word.NOT_YET  # fewer than half of the curves
    two = told(kept([[1, 2, 3], [1.02, 3, 4]]), RISES)
    assert (two.word, [s.holds for s in two.slices]) == (Word.SUPPORTED, [None, True, True])


def test_the_interval_is_student_s_for_all_slices_and_ends_together():
    for slice_ in told(kept([[1, 2, 3], [2, 3, 4]]), RISES).slices:
        half = scipy.stats.t.ppf(1 - LEVEL / (2 * 6), 8) * 0.01
        i = N.index(slice_.at["n"])
        low, high = (i + 2 - half) / (i + 1 + half), (i + 2 + half) / (i + 1 - half)
        np.testing.assert_allclose(slice_.seen, ((i + 2) / (i + 1), low, high), rtol=1e-12)


@pytest.mark.parametrize(
    ("checks", "why"),
    [
        ([("test_error", "test_error", "UNDERPOWERED", 1.0)], "toy: no prediction of test_error"),
        ([("test_error", "test_error", "OUT_OF_SCOPE", None)], "toy: no prediction of test_error"),
        ([("train", "train_error", "AGREES", 1.0)], "toy: no prediction of test_error"),
        ([*AGREES, ("exact", "test_error", "DISAGREES", 9.0)], "toy: the prediction exact DISAGR"),
        ([], "toy: no prediction of test_error AGREES"),
    ],
)
def test_nothing_is_told_that_no_prediction_stands_behind(checks, why):
    found = told(kept([[1, 2, 3], [2, 3, 4]], checks=checks), RISES)
    assert found.word is Word.NOT_YET
    assert found.why.startswith(why)
    assert found.numbers == ""


@pytest.mark.parametrize(
    ("newer", "word"),
    [("AGREES", Word.SUPPORTED), ("UNDERPOWERED", Word.NOT_YET), ("DISAGREES", Word.NOT_YET)],
)
def test_the_verdict_of_the_kept_answer_is_the_one_that_counts(newer, word):
    answer = {"predictions": [{"name": "test_error", "verdict": newer}], "breaks": []}
    assert told(kept([[1, 2, 3], [2, 3, 4]], answer=answer), RISES).word is word


def test_nothing_kept_and_nothing_looked_at_is_not_yet(monkeypatch):
    assert told(None, RISES).text == "it is so: not yet, nothing is kept of toy"
    assert answered(3, {}.get).word is Word.NOT_YET
    monkeypatch.setitem(PARTS, 3, ())
    assert answered(3).text == "not yet: no kept sweep is looked at"
    assert {answered(claim.number, {}.get).word for claim in CLAIMS} == {Word.NOT_YET}


def test_an_older_simulation_is_named():
    assert told(kept([[1, 2, 3], [2, 3, 4]], formula="old"), RISES).old == ("toy",)
    assert told(kept([[1, 2, 3], [2, 3, 4]]), RISES).old == ()


def test_a_height_is_seen_above_another_place():
    high = Change("test_error", "noise", 0.1, 1.0, "rises", {"n": 100}, less={"n": 200})
    found = told(kept([[0, 5, 3], [0, 9, 8]]), high)  # 2 above, then 1
    assert (found.word, found.slices[0].seen.value) == (Word.CONTRADICTED, 0.5)
    assert found.part.cases[0][1][0].quantity.startswith("test_error at n = 100 less at n = 200")
    assert told(kept([[0, 5, 3], [0, 9, 2]]), high).word is Word.SUPPORTED


@pytest.mark.parametrize("start", [0, 0.001])  # nothing, and what may be nothing
def test_a_change_from_nothing_is_a_difference(start):
    (first, *_) = told(kept([[start, 2, 3], [2, 3, 4]]), RISES).slices
    assert (first.ratio, first.seen.value, first.holds) == (False, 2.0 - start, True)


def test_a_level_is_held_against_a_bar_or_another_measure():
    rows = [[1, 2, 3], [2, 3, 4]]
    found = told(kept(rows), Level("test_error", "above", 1.5))
    assert found.why == "noise = 1 where n = 50; n = 100, 200"
    below = told(kept(rows), Level("test_error", "below", 1.5))
    assert below.why == "noise = 0.1 where n = 50"
    pair = Level("test_error", "above", "train_error")
    assert told(kept(rows, train_error=np.array(rows) - 1), pair).word is Word.SUPPORTED
    assert told(kept(rows, train_error=np.array(rows) + 1), pair).word is Word.CONTRADICTED
    assert told(kept(rows, train_error=np.array(rows)), pair).word is Word.NOT_YET
    without = kept(rows, train_error=rows, checks=AGREES[:1])
    assert told(without, pair).why == "toy: no prediction of train_error AGREES"


def test_all_looks_must_hold_and_one_that_fails_is_enough():
    both = (RISES, RISES._replace(of="train_error", to="falls"))
    falls = [[5, 5, 5], [4, 4, 6]]
    found = told(kept([[1, 2, 3], [2, 2, 4]], train_error=falls), *both)
    assert [one.holds for one in found.slices] == [True, None, False]
    falls = [[5, 5, 5], [4, 5, 5]]  # the last one is not told, and need not be
    found = told(kept([[1, 2, 3], [2, 2, 2]], train_error=falls), *both)
    assert [one.holds for one in found.slices] == [True, None, False]


def test_a_middle_is_higher_than_both_ends_by_more_than_a_little():
    middle = Middle("test_error", "n")
    found = told(kept([[1, 2, 1.5], [3, 2, 1]]), middle)
    assert (found.word, found.why) == (Word.ONLY_WHEN, "noise = 0.1")
    assert all(one.ratio for one in middle.slices(kept([[1, 2, 1.5], [3, 2, 1]])))
    little = told(kept([[1, 1.005, 1], [1, 1.005, 1]], error=1e-5), middle)
    assert little.word is Word.CONTRADICTED
    assert told(kept([[1, 1.05, 1], [1, 1.05, 1]]), middle).word is Word.NOT_YET


def peaks(**counts):
    """Return the kept answer of a sweep, as far as its breaks go."""
    return {"predictions": [], "breaks": [{"name": "peak in n", **counts}]}


def found_at(noise, place, low, high, status="OK", sure=None):
    """Return a kept break: located at 95 %, and at the level of the whole sweep."""
    ends = [place, low, high]
    return ["peak in n", {"noise": noise}, [status, *ends, 1], [sure or status, low, high]]


def test_a_break_is_there_not_there_or_not_told():
    nothing = [
        "peak in n",
        {"noise": 1.0},
        ["NO_BREAK", None, None, None, 1],
        ["NO_BREAK", None, None],
    ]
    one = found_at(0.1, 101, 99, 103)
    sure = peaks(told=1, predicted=1, disagree=0)
    rows, peak = [[1, 2, 1], [1, 1, 1]], Place("peak in n")
    found = told(kept(rows, breaks=[one, nothing], answer=sure), peak)
    assert (found.word, found.why) == (Word.ONLY_WHEN, "noise = 0.1")
    absent = told(kept(rows, breaks=[one, nothing], answer=sure), peak._replace(absent=True))
    assert absent.why == "noise = 1"
    for doubt in (
        None,
        {"predictions": [], "breaks": []},
        peaks(told=1, predicted=2, disagree=0),
        peaks(told=1, predicted=1, disagree=1),
    ):
        slices = told(kept(rows, breaks=[one, nothing], answer=doubt), peak).slices
        assert [s.holds for s in slices] == [True, None]  # one may have been missed
    edge = found_at(1.0, 150, 120, None, "AT_EDGE")
    weak = found_at(1.0, 150, None, None, "OK", "NO_BREAK")
    for unsure in (edge, weak):
        assert told(kept(rows, breaks=[one, unsure], answer=sure), peak).slices[1].holds is None


def test_the_place_of_a_break_is_held_against_bars():
    rows, near = [[1, 2, 1], [1, 2, 1]], Place("peak in n", above=0.9, below=1.1, per="p")
    both = [found_at(0.1, 101, 99, 103), found_at(1.0, 130, 120, 140)]
    found = told(kept(rows, breaks=both), near)
    assert [s.holds for s in found.slices] == [True, False]
    assert found.numbers == "1 of 2; peak in n, per p: 1.01 [0.99, 1.03]"
    np.testing.assert_allclose(found.slices[0].seen, (1.01, 0.99, 1.03))
    bare = told(kept(rows, breaks=both), Place("peak in n", above=90, below=110))
    assert bare.numbers == "1 of 2; peak in n: 101 [99, 103]"
    across = [found_at(0.1, 101, 99, 103), found_at(1.0, 108, 105, 120)]
    assert told(kept(rows, breaks=across), near).slices[1].holds is None
    gone = [
        "peak in n",
        {"noise": 1.0},
        ["NO_BREAK", None, None, None, 1],
        ["NO_BREAK", None, None],
    ]
    sure = peaks(told=1, predicted=1, disagree=0)
    found = told(kept(rows, breaks=[both[0], gone], answer=sure), near)
    assert found.slices[1].holds is None  # it may lie before the first place
    for bar in ({"above": 0.9}, {"below": 1.1}):
        one = Place("peak in n", per="p", **bar)
        seen = told(kept(rows, breaks=[both[0], gone], answer=sure), one)
        assert [s.holds for s in seen.slices] == [True, None]
    missing = told(kept(rows, breaks=[gone], answer=sure), Place("peak in n", absent=True))
    assert missing.numbers == "1 of 1"  # what is not there has no place
    for ends in ([both[0], gone], [["peak in n", {"noise": 0.1}, *gone[2:]], both[1]]):
        look = Moves("peak in n", "noise", 0.1, 1.0, "later")
        (one,) = told(kept(rows, breaks=ends, answer=sure), look).slices
        assert (one.holds, one.at) == (None, {})


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ((130, 120, 140), {"later": True, "earlier": False, "elsewhere": True}),
        ((80, 75, 85), {"later": False, "earlier": True, "elsewhere": True}),
        ((101, 100.9, 101.1), {"later": False, "earlier": False, "elsewhere": False}),
        ((104, 95, 115), {"later": None, "earlier": None, "elsewhere": None}),
    ],
)
def test_a_break_moves_earlier_later_or_not_at_all(second, words):
    breaks = [found_at(0.1, 101, 100.9, 101.1), found_at(1.0, *second)]
    for to, holds in words.items():
        look = Moves("peak in n", "noise", 0.1, 1.0, to)
        (seen,) = told(kept([[1, 2, 1], [1, 2, 1]], breaks=breaks), look).slices
        assert (seen.holds, seen.at) == (holds, {})
        assert look.quantity == "peak in n from noise = 0.1 to 1"
        assert seen.seen.value == second[0] / 101


def test_two_models_are_told_apart_by_their_sweep_only():
    other = kept([[2, 3, 4], [1, 2, 3]])
    other.data.attrs["phenomenon"] = "random_feature_peak"
    other.data.attrs["fixed"] = json.dumps(
        {
            f: a.default
            for f, a in load("random_feature_peak").axes.items()
            if f not in ("n", "noise")
        }
    )
    part = Part("it is so", (("a", (RISES,)), ("b", (RISES,))))
    found = said(part, {"a": kept([[1, 2, 3], [2, 3, 4]]), "b": other}.get)
    assert found.why == "sweep = a"


def test_a_claim_is_what_its_worst_part_is(monkeypatch):
    up, down, mixed = [[1, 2, 3], [2, 3, 4]], [[2, 3, 4], [1, 2, 3]], [[1, 2, 3], [2, 3, 2]]
    sweeps = {name: kept(rows) for name, rows in (("up", up), ("down", down), ("mixed", mixed))}

    def word(*names):
        parts = tuple(Part(name, ((name, (RISES,)),)) for name in names)
        monkeypatch.setitem(PARTS, 3, parts)
        return answered(3, sweeps.get)

    assert word("up", "up").word is Word.SUPPORTED
    assert word("up", "mixed").word is Word.ONLY_WHEN
    assert word("up", "mixed").short == "supported only when n ≤ 100 (mixed)"
    assert word("up", "mixed", "lost").word is Word.NOT_YET
    assert word("up", "mixed", "lost", "down").word is Word.CONTRADICTED
    assert "up (3 of 3; test_error" in word("up", "mixed").text


def test_a_look_at_what_is_not_there_is_refused():
    rows = [[1, 2, 3], [2, 3, 4]]
    for look, problem in (
        (RISES._replace(axis="ridge"), "has no axis ridge"),
        (RISES._replace(end=7.0), "no noise = 7.0 among"),
        (Level("excess_risk", "above", 0.0), "keeps no measure excess_risk"),
        (Place("peak in time"), "has no kind of break 'peak in time'"),
    ):
        checks = [*AGREES, ("e", "excess_risk", "AGREES", 1.0)]
        with pytest.raises(BadInput, match=problem):
            told(kept(rows, checks=checks), look)


@pytest.mark.parametrize("number", sorted(PARTS))
def test_no_kept_claim_is_supported_without_an_agreement_behind_it(number):
    """Every part is looked at in what is kept, and its predictions are read again from there."""
    for one in answered(number).parts:
        assert (one.word is Word.NOT_YET) == (not one.behind)
        for behind in one.behind:
            sweep, name = behind.split(": ")
            checks = condensed.told(words.kept_evidence(sweep).data)
            assert ("AGREES", name) in [(c.verdict, c.prediction) for c in checks]
            ours = [p for a in answers.every() if a["sweep"] == sweep for p in a["predictions"]]
            assert {"DISAGREES"} & {p["verdict"] for p in ours if p["name"] == name} == set()
        if one.word is Word.ONLY_WHEN:
            assert {True, False} <= {s.holds for s in one.slices}
            assert one.why


DIRECTIONS = {
    r"\bnearer\b": "earlier",
    r"\bdelay|\bpush it away\b": "later",
    r"\bmoves\b": "elsewhere",
    r"\braises?\b|\bmore\b": "rises",
    r"\blowers?\b|\bless\b|\bpush the others out\b": "falls",
}


@pytest.mark.parametrize("number", sorted(PARTS))
def test_what_is_looked_at_is_what_the_words_say(number):
    """Every change and every move of a part has its word there."""
    for part in PARTS[number]:
        named = {to for pattern, to in DIRECTIONS.items() if re.search(pattern, part.says)}
        looks = [look for _, some in part.cases for look in some]
        assert {look.to for look in looks if isinstance(look, Change | Moves)} <= named, part.says


def test_the_parts_are_of_claims():
    assert set(PARTS) <= {claim.number for claim in CLAIMS}
    assert answered(6).word is Word.ONLY_WHEN
    assert "down.kept ≤ 0.25" in answered(6).short


@pytest.mark.parametrize(
    ("second", "holds"),
    [
        ((103, 101.5, 120), None),  # not earlier, and may be later or the same
        ((98, 80, 100.5), None),  # not later
        ((103, 102.5, 104), True),
        ((101, 100.9, 101.1), False),
    ],
)
def test_what_may_have_moved_is_not_told(second, holds):
    breaks = [found_at(0.1, 101, 100.9, 101.1), found_at(1.0, *second)]
    look = Moves("peak in n", "noise", 0.1, 1.0, "elsewhere")
    (seen,) = told(kept([[1, 2, 1], [1, 2, 1]], breaks=breaks), look).slices
    assert seen.holds is holds


def half(intervals):
    """Half of the interval of one mean, of so many looked at together."""
    return scipy.stats.t.ppf(1 - LEVEL / (2 * intervals), 8) * 0.01


def test_the_interval_of_every_look_is_student_s_for_all_that_it_looks_at():
    rows = [[1, 2, 3], [2, 4, 3]]
    (first, *_) = told(kept([[0, 2, 3], [2, 3, 4]]), RISES).slices  # three slices, two ends
    np.testing.assert_allclose(first.seen, (2, 2 - 2 * half(6), 2 + 2 * half(6)))
    above = Change("test_error", "noise", 0.1, 1.0, "rises", {"n": 100}, less={"n": 50})
    (seen,) = told(kept(rows), above).slices  # 1 above, then 2: four means
    h = 2 * half(4)
    np.testing.assert_allclose(seen.seen, (2, (2 - h) / (1 + h), (2 + h) / (1 - h)))
    for slice_ in told(kept(rows), Level("test_error", "above", 1.5)).slices:
        value = rows[NOISE.index(slice_.at["noise"])][N.index(slice_.at["n"])]
        np.testing.assert_allclose(slice_.seen, (value, value - half(6), value + half(6)))
    pair = Level("test_error", "above", "train_error")
    for slice_ in told(kept(rows, train_error=np.array(rows) - 1), pair).slices:
        np.testing.assert_allclose(slice_.seen, (1, 1 - 2 * half(12), 1 + 2 * half(12)))
    one, other = told(kept(rows), Middle("test_error", "n")).slices
    h = half(6)
    np.testing.assert_allclose(one.seen, (2 / 3, (2 - h) / (3 + h), (2 + h) / (3 - h)))
    np.testing.assert_allclose(other.seen, (4 / 3, (4 - h) / (3 + h), (4 + h) / (3 - h)))


def test_too_few_runs_and_lost_means_tell_nothing():
    found = kept([[1, 2, 3], [2, 3, 4]])
    runs, mean = (found.data[f"test_error{condensed.PARTS[i]}"] for i in (2, 0))
    runs[0, 0] = 1
    mean[1, 1] = np.nan
    assert [one.holds for one in told(found, RISES).slices] == [None, None, True]


def test_a_change_by_less_than_its_bar_is_none():
    rows = [[1, 1, 1], [1.2, 1.02, 0.8]]
    rises = RISES._replace(by=0.1)
    seen = told(kept(rows, error=1e-4), rises).slices
    assert [one.holds for one in seen] == [True, False, False]
    seen = told(kept(rows, error=1e-4), rises._replace(to="falls")).slices
    assert [one.holds for one in seen] == [False, False, True]


def test_the_number_shown_is_the_middle_one_of_those_that_hold():
    level = Level("test_error", "above", 2.5)
    found = told(kept([[1, 9, 3], [2, 4, 5]]), level)  # 3, 4, 5 and 9 hold
    assert found.numbers.startswith("4 of 6; test_error: 5 [")
    none = told(kept([[1, 2, 0.5], [2, 1.5, 2.2]]), level)
    assert none.numbers.startswith("0 of 6; test_error: 2 [")
    ratio = told(kept([[1, 2, 4], [3, 4, 12]]), RISES)
    assert "× 3 [" in ratio.numbers


def numbers_of(value):
    """All numbers in a look."""
    if isinstance(value, bool | str):
        return set()
    if isinstance(value, int | float):
        return {float(value)}
    inner = value.values() if isinstance(value, dict) else value
    return set().union(*map(numbers_of, inner)) if hasattr(inner, "__iter__") else set()


@pytest.mark.parametrize("number", sorted(PARTS))
def test_every_figure_in_the_words_is_one_that_is_looked_at(number):
    for part in PARTS[number]:
        looks = numbers_of([look for _, some in part.cases for look in some])
        for figure, percent in re.findall(r"\b(\d+)(?:st|nd|rd|th)?( %)?", part.says):
            assert float(figure) / (100 if percent else 1) in looks, part.says


def test_a_part_that_names_a_place_looks_there_alone():
    """What is said "at a small ridge" rests on no large one, and so on."""
    places = {"at a small ridge": "ridge", "far from the peak": "n"}
    met = set()
    for number, parts in PARTS.items():
        for part in parts:
            for words_, axis in places.items():
                if words_ in part.says:
                    met.add(words_)
                    for _, looks in part.cases:
                        assert all(axis in look.where for look in looks), (number, part.says)
    assert met == set(places)


def test_of_two_sweeps_what_each_holds_decides_and_not_where_it_is_looked_at():
    """A look names one value of n in each: not that but the ridge is what they differ by."""
    high, low = kept([[2, 3, 4], [3, 4, 5]]), kept([[1, 1, 1], [1, 1, 1]])
    low.data.attrs["fixed"] = json.dumps({**FIXED, "ridge": 3.0})
    cases = (("a", {"n": 100}), ("b", {"n": 200}))
    looks = [(name, (Level("test_error", "above", 1.5, at),)) for name, at in cases]
    found = said(Part("it is so", tuple(looks)), {"a": high, "b": low}.get)
    assert (found.word, found.why) == (Word.ONLY_WHEN, "ridge = 1")
    assert found.behind == ("a: test_error", "b: test_error")


def test_breaks_are_looked_at_where_every_axis_is_as_it_is_said():
    def one(noise, ridge, place):
        ends = [place, place - 1, place + 1]
        return ["peak in n", {"noise": noise, "ridge": ridge}, ["OK", *ends, 1], ["OK", *ends[1:]]]

    breaks = [one(0.1, 1.0, 100), one(1.0, 1.0, 130), one(0.1, 2.0, 100), one(1.0, 2.0, 70)]
    evidence = kept([[1, 2, 1], [1, 2, 1]], breaks=breaks)
    (seen,) = Moves("peak in n", "noise", 0.1, 1.0, "later", {"ridge": 1.0}).slices(evidence)
    assert (seen.at, seen.holds) == ({"ridge": 1.0}, True)


def test_what_is_measured_and_not_predicted_supports_nothing():
    found = kept([[1, 2, 3], [2, 3, 4]])
    found.data.attrs["phenomenon"] = "modular_grokking"
    assert told(found, RISES).why == "modular_grokking measures it, and nothing predicts it"


def test_code_that_kept_evidence_names_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "some_stranger.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    found = kept([[1, 2, 3], [2, 3, 4]], breaks=[found_at(0.1, 101, 99, 103)])
    found.data.attrs["phenomenon"] = "some_stranger"
    for ask in (
        lambda: told(found, RISES),
        lambda: words.today("some_stranger"),
        lambda: Place("peak in n").measures(found),
        lambda: Place("peak in n", per="p").slices(found),
    ):
        with pytest.raises(BadInput, match="that you trust, add --allow some_stranger"):
            ask()


def test_looks_are_joined_by_where_they_are_whatever_their_order():
    breaks = [found_at(1.0, 130, 120, 140), found_at(0.1, 101, 99, 103)]
    evidence = kept([[1, 2, 1], [1, 2, 1]], breaks=breaks)
    looks = Middle("test_error", "n"), Place("peak in n", above=90, below=110)
    found = told(evidence, *looks)
    assert {one.at["noise"]: one.holds for one in found.slices} == {0.1: True, 1.0: False}
    both = Part("it is so", (("toy", looks[:1]), ("toy", looks[:1])))
    assert said(both, {"toy": evidence}.get).behind == ("toy: test_error",)


def test_half_of_the_curves_are_enough():
    level = Level("test_error", "above", 1.5)
    assert told(kept([[1.5, 1.5, 1.5], [2, 3, 4]]), level).word is Word.SUPPORTED
    assert told(kept([[1.5, 1.5, 1.5], [1.5, 3, 4]]), level).word is Word.NOT_YET


def test_in_short_a_claim_is_what_keeps_it_from_being_supported(monkeypatch):
    sweeps = {"up": kept([[1, 2, 3], [2, 3, 4]]), "down": kept([[2, 3, 4], [1, 2, 3]])}
    parts = {name: Part(name, ((name, (RISES,)),)) for name in ("up", "down", "lost")}
    for names, short in (
        (("up", "up"), "supported: up; up"),
        (("up", "down"), "contradicted: down: not so"),
        (("up", "lost"), "not yet: lost: not yet, nothing is kept of lost"),
    ):
        monkeypatch.setitem(PARTS, 3, tuple(parts[name] for name in names))
        assert answered(3, sweeps.get).short == short


def test_a_ratio_of_what_may_be_nothing_may_be_anything():
    surely, perhaps = Interval(1.0, 0.5, 2.0), Interval(1.0, -0.1, 2.0)
    for one, other in ((surely, perhaps), (perhaps, surely)):
        assert over(one, other) == Interval(1.0, -np.inf, np.inf)
    assert over(surely, surely) == Interval(1.0, 0.25, 4.0)
