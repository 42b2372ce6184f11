"""What is told of a learning curve, field by field, from numbers made by hand; what is chosen."""

import dataclasses
import json

import numpy as np
import pytest
import scipy.stats

from ci_theory import BadInput
from ci_theory.check import Verdict
from ci_theory.check.report import Report
from ci_theory.own_data import curve, judging
from ci_theory.own_data import rows as given
from ci_theory.own_data.findings import Gain, LearningCurve, Place
from ci_theory.own_data.population import GROUPS, Noise, Population
from ci_theory.own_data.refits import Defects
from ci_theory.own_data.tuning import BestRidge
from ci_theory.theory.spectra.spectrum import Spectrum
from told import OUTCOME, SILENT

NAN = np.nan
BEST = BestRidge(
    ridge=2.5, error=4.0, effective=31.25, at_edge="", left_out=4.125, left_out_ridge=3.5,
    left_out_error=4.0625, naive_ridge=0.125,
)  # fmt: skip


def named(outcome, name):
    prediction = dataclasses.replace(outcome.comparison.prediction, name=name)
    comparison = dataclasses.replace(outcome.comparison, prediction=prediction)
    return dataclasses.replace(outcome, comparison=comparison)


FOUND = LearningCurve(
    total=100,
    distinct=80,
    duplicates=20,
    conflicting=3,
    features=7,
    centred=True,
    spectrum=Spectrum(
        eigenvalues=np.array([2.0, 1.0]), multiplicity=np.ones(2), power=np.array([0.5, 0.25]),
        tail_trace=0.0, tail_power=0.0625,
    ),
    noise=Noise(0.75, True, 0.0123),
    noise_error=0.0456,
    n=np.array([20, 60, 20, 60]),
    ridge=np.array([0.0, 0.0, 0.0, 0.0]),
    kept=np.array([True, True, False, False]),
    predicted=np.array([12.34567, NAN, 3.0, 2.0]),
    slack=np.array([0.1234, 0.5, 0.25, 0.125]),
    rows_error=np.array([0.5, 0.25, 0.125, 0.0625]),
    mean=np.array([12.5, 3.25, 3.0625, NAN]),
    error=np.array([0.0625, 0.03125, NAN, 0.01]),
    valid=np.array([True, True, False, True]),
    peaks=(Place(0.0, 7.0, True, 6.5, 6.0, 8.25), Place(0.5, NAN, False, NAN, NAN, NAN)),
    best=BEST,
    best_without=BEST._replace(error=3.0, ridge=1.5),
    gains=(Gain(0.5, 60, 1.25, 1.125, 0.0625, 0.375),),
    report=Report(
        phenomenon="own data",
        outcomes=(
            named(OUTCOME, "test_error at ridge 0"), named(SILENT, "test_error at ridge 0.5"),
        ),
        level=0.01,
        effect=0.1,
    ),
    defects=Defects(),
)  # fmt: skip


def test_the_table_of_a_curve():
    half = scipy.stats.t.ppf(0.975, GROUPS - 1) * FOUND.rows_error
    first, second, third, fourth = FOUND.table()
    assert first == {
        "n": "20", "ridge": "0", "copies": "kept", "predicted": "12.35", "slack": "0.12",
        "refitted": "12.5", "error": "0.062", "from": f"{12.34567 - half[0]:.3g}",
        "to": f"{12.34567 + half[0]:.3g}",
    }  # fmt: skip
    dashes = dict.fromkeys(("predicted", "from", "to"), "-")
    assert second == {
        **first, **dashes, "n": "60", "slack": "0.5", "refitted": "3.25", "error": "0.031",
    }  # fmt: skip
    assert third == {
        "n": "20", "ridge": "0", "copies": "removed", "predicted": "3", "slack": "no claim",
        "refitted": "3.062", "error": "-", "from": f"{3 - half[2]:.3g}", "to": f"{3 + half[2]:.3g}",
    }  # fmt: skip
    assert (fourth["refitted"], fourth["n"]) == ("-", "60")
    head, *_ = str(FOUND).splitlines()
    assert head == FOUND.head == "own data: UNDERPOWERED at a family-wise level of 0.01"
    assert (FOUND.verdict, FOUND.exit_code) == (Verdict.UNDERPOWERED, 3)


def test_the_facts_beside_a_curve():
    assert FOUND.facts() == [
        ("ridge 0", "UNDERPOWERED: because"),
        ("ridge 0.5", "AGREES: because"),
        ("rows", "100 given, 80 distinct (20 copies of earlier rows); 7 features"),
        ("", "rows whose copies have other labels: 3, their mean is taken"),
        ("centred", "the mean of all rows is taken off features and labels"),
        ("noise", "at most 0.75 ± 0.046 label² (with what lies on variances below 0.0123)"),
        ("best ridge", "2.5: error 4 predicted for all rows"),
        ("left out", "4.125 there, row by row; lowest at 3.5: 4.062"),
        ("", "cross-validation that takes copies for rows would choose 0.125"),
        ("effective", "31.2 rows of equal weight"),
        ("duplicates", "without them +25.00% of the error would go, each at its best ridge"),
        ("", "at ridge 0.5, 60 distinct rows: 1.25 predicted, 1.125 ± 0.062 in refits"),
        ("peak", "ridge 0: predicted at n = 7, without bound; in refits 6.5 [6, 8.25]"),
        ("peak", "ridge 0.5: predicted none; in refits none shows"),
    ]
    plain = dataclasses.replace(
        FOUND, duplicates=0, conflicting=0, centred=False, kept=np.ones(4, bool), peaks=(),
        noise=Noise(0.75, False, 0.0), best=BEST._replace(at_edge="none"),
        defects=Defects(repeated=0.5, repeats=2.0),
        report=dataclasses.replace(FOUND.report, outcomes=()),
    )  # fmt: skip
    assert plain.facts() == [
        ("rows", "100 given, 80 distinct (no copies); 7 features"),
        ("noise", "0.75 ± 0.046 label²"),
        ("best ridge", "none is best"),
    ]
    endless = dataclasses.replace(plain, best=BEST._replace(at_edge="endless"))
    assert endless.facts()[-1] == ("best ridge", "nothing is learnt")
    noisy = dataclasses.replace(FOUND, defects=Defects(noise=1.0))
    assert "left out" not in dict(noisy.facts())


def test_the_document_of_a_curve():
    body = json.loads(json.dumps(FOUND.to_json(), allow_nan=False))
    report = body.pop("report")
    assert [p["name"] for p in report["predictions"]] == [
        "test_error at ridge 0", "test_error at ridge 0.5",
    ]  # fmt: skip
    low, high = FOUND.interval()
    columns = {
        name: [None if isinstance(v, float) and not np.isfinite(v) else v for v in column.tolist()]
        for name, column in {
            **{k: getattr(FOUND, k) for k in ("n", "ridge", "kept", "predicted", "slack", "valid",
                                              "mean", "error", "rows_error")},
            "low": low, "high": high,
        }.items()
    }  # fmt: skip
    assert body == {
        "verdict": "UNDERPOWERED",
        "total": 100,
        "distinct": 80,
        "duplicates": 20,
        "conflicting": 3,
        "features": 7,
        "centred": True,
        "defects": {"noise": 0.0, "repeated": 0.0, "repeats": 1.0},
        "spectrum": {"eigenvalues": [2.0, 1.0], "power": [0.5, 0.25], "unexplained": 0.0625},
        "noise": {"value": 0.75, "bound": True, "kappa": 0.0123, "error": 0.0456},
        "effective_rows": 31.25,
        "best_ridge": BEST._asdict(),
        "best_ridge_without_copies": {**BEST._asdict(), "error": 3.0, "ridge": 1.5},
        "peaks": [
            {"ridge": 0.0, "predicted": 7.0, "pole": True, "measured": 6.5, "low": 6.0,
             "high": 8.25},
            {"ridge": 0.5, "pole": False,
             **dict.fromkeys(("predicted", "measured", "low", "high"))},
        ],
        "deduplication": [
            {"ridge": 0.5, "n": 60, "predicted": 1.25, "measured": 1.125, "error": 0.0625,
             "share": 0.375}
        ],
        "curve": columns,
    }  # fmt: skip


# --- what is chosen -------------------------------------------------------------------------------


def whole(rows, modes):
    ones = np.ones(modes)
    spectrum = Spectrum(
        eigenvalues=ones, multiplicity=ones, power=0 * ones, tail_trace=0.0, tail_power=0.0
    )
    one = np.ones(1)
    return Population(spectrum, float(rows), rows, one, one, 0 * one)


def test_sizes_that_are_chosen_lie_around_the_peak_and_beyond():
    sizes = curve._sizes(None, whole(1000, 100)).tolist()
    near = [50, 70, 85, 115, 130, 160]  # of 100 parameters
    spread = np.geomspace(40, 800, 8)
    apart = [s for s in spread if min(abs(np.log(s / n)) for n in near) > 0.12]
    assert sizes == sorted({*near, *(round(float(s)) for s in apart), 800})
    assert curve._sizes(None, whole(100, 300)).tolist() == [
        round(float(s)) for s in np.geomspace(10, 80, 8)
    ]
    for modes in (20, 21, 40):  # none is the peak, or one row beside it
        assert min(abs(s - modes) for s in curve._sizes(None, whole(200, modes))) > 1


def test_sizes_and_ridges_that_are_asked_for():
    assert curve._sizes([90, 2, 2], whole(100, 5)).tolist() == [2, 90]
    for sizes, told in (([1], "sizes = 1 to 1: must be from 2 to 90, 9 in 10 of the 100 distinct"),
                        ([5, 91], "sizes = 5 to 91: must be"),
                        ([], "must be whole numbers")):  # fmt: skip
        with pytest.raises(BadInput) as said:
            curve._sizes(sizes, whole(100, 5))
        assert told in str(said.value)
    assert curve._ridges([3, 0, 3], BEST).tolist() == [0, 3]
    assert curve._ridges([1e100], BEST).tolist() == [1e100]
    for wrong in ([1.1e100], [-1e-300], []):
        with pytest.raises(BadInput, match="must be numbers from 0 to 1e\\+100"):
            curve._ridges(wrong, BEST)
    assert curve._ridges(None, BEST).tolist() == [0.0, 2.5]
    assert curve._ridges(None, BEST._replace(at_edge="endless")).tolist() == [0.0]


def test_what_is_added_may_go_to_its_ends():
    assert curve._defects(1e100, 1.0, 1e9) == Defects(1e100, 1.0, 1e9)
    for wrong in ((1.1e100, 0, 1), (-1e-9, 0, 1), (0, 1.01, 1), (0, -0.01, 1), (0, 0, 0.99),
                  (0, 0, 1.1e9), (np.nan, 0, 1)):  # fmt: skip
        with pytest.raises(BadInput, match="must be from"):
            curve._defects(*wrong)
    curve._affordable(3, 1, 1e-9)
    curve._affordable(2000, 100, 0.1)
    for wrong, told in (((2, 1, 0.1), "replicates = 2: must"),
                        ((2001, 100, 0.1), "200100 fits, over"),
                        ((3, 1, 0.0), "effect = 0.0: must be > 0")):  # fmt: skip
        with pytest.raises(BadInput, match=told):
            curve._affordable(*wrong)


def test_gains_are_of_the_largest_size_and_paired():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 3, 4, 30)) + np.array([2.0, 1.0])[:, None, None, None]
    predicted = rng.uniform(1, 2, (2, 3, 4))
    made = curve._gains(np.array([0.0, 1.0, 2.0]), np.array([5, 6, 7, 9]), predicted, values)
    assert [(g.ridge, g.n) for g in made] == [(0.0, 9), (1.0, 9), (2.0, 9)]
    for i, gain in enumerate(made):
        paired = values[0, i, 3] - values[1, i, 3]
        less = predicted[0, i, 3] - predicted[1, i, 3]
        assert gain.predicted == pytest.approx(less)
        assert gain.share == pytest.approx(less / predicted[0, i, 3])
        assert (gain.measured, gain.error) == pytest.approx(
            (paired.mean(), scipy.stats.sem(paired))
        )
    assert curve._gains(np.zeros(3), np.arange(4), predicted[:1], values[:1]) == ()


# --- rows that are given --------------------------------------------------------------------------


def test_rows_are_as_many_and_as_wide_as_is_said(monkeypatch):
    def rows(n, p, **more):
        return given.Rows(
            features=np.zeros((n, p)), labels=np.zeros(n), names=("x",) * p, conflicting=0,
            **{"copies": np.ones(n, int), **more},
        )  # fmt: skip

    given._enough(rows(40, 3))
    with pytest.raises(BadInput, match=r"^features: 39 distinct rows, at least 40 are needed$"):
        given._enough(rows(39, 3))
    with pytest.raises(BadInput, match=r"39 distinct rows \(78 with duplicates\), at least"):
        given._enough(rows(39, 3, copies=np.full(39, 2)))
    monkeypatch.setattr(given, "MOST_MODES", 50)
    for shape in ((50, 60), (60, 50), (50, 50)):
        given._enough(rows(*shape))
    with pytest.raises(BadInput, match=r"51 distinct rows and 52 columns: one of the two .* 50"):
        given._enough(rows(51, 52))


def test_labels_that_are_codes_and_labels_that_are_numbers():
    def read(values, numbers=False):
        return given._labels(np.array(values), len(values), numbers).tolist()

    for good in (
        [0, 1, 1],
        [1, 2, 2],
        [0, 1, 3],
        [2, 3, 4],
        [-1, 0, 1],
        list(range(21)),
        [0, 0.5, 1],
    ):
        assert read(good) == good
    for codes in ([0, 1, 2], [1, 2, 3, 3], list(range(20)), [2.0, 1.0, 0.0]):
        with pytest.raises(BadInput, match=r"look like \d+ classes .*if they are numbers, say so"):
            read(codes)
        assert read(codes, numbers=True) == codes
    assert read([[1.5], [2.5]]) == read([[1.5, 2.5]][0]) == [1.5, 2.5]
    assert given._labels(np.array([[1.5, 2.5]]), 2, False).tolist() == [1.5, 2.5]
    assert given._classes(list("abcdefg")).startswith(
        "labels: look like 7 classes (a, b, c, d, e, f, ...): choose one"
    )
    assert "(a, b, c, d, e, f):" in given._classes(list("abcdef"))


def test_sizes_of_numbers_that_lose_no_digits():
    names, ones = ("x", "y"), np.ones(3)

    def told(x, y=ones):
        try:
            given._finite(np.asarray(x, float), np.asarray(y, float), names)
        except BadInput as problem:
            return str(problem)

    x = np.ones((3, 2))
    assert told(x) is told(1e100 * x) is told(x, 1e-100 * ones) is told(0 * x) is None
    assert told(3e100 * x) == "features or labels of size 3e+100: scale them to below 1e100"
    assert told(x, 0.9e-100 * ones).endswith("of size 9e-101: scale them to above 1e-100")
    x[1, 1] = x[2, 0] = NAN
    assert told(x).startswith(
        "features: 2 values are missing or not finite, the first in row 2 of 'y'"
    )
    assert told(np.ones((3, 2)), [1, np.inf, NAN]).startswith(
        "labels: 2 labels are missing or not finite, the first in row 2"
    )


def test_columns_that_say_the_same_or_nothing():
    rng = np.random.default_rng(0)
    names = ("a", "b", "c", "d")
    x = rng.normal(size=(30, 4))

    def told(x):
        try:
            given._independent(x, names)
        except BadInput as problem:
            return str(problem)

    assert told(x) is None
    assert told(x * [1, 1e9, 1, 1]) is None
    assert "'b' varies 1e+11 times as much as" in told(x * [1, 1e11, 1, 1])
    flat = x * [1, 0, 1, 0] + [0, 3, 0, 0]
    assert told(flat) == "features: constant: 'b', 'd': leave them out (--drop)"
    summed = np.column_stack([x[:, :2], 3 + 2 * x[:, 0], x[:, 3]])
    assert told(summed) == (
        "features: 'c' is a constant plus a combination of 'a': leave one of them out (--drop)"
    )
    assert told(summed[:5]) is None  # fewer rows than would show it
    many = given._listed(tuple("abcdefgh"), np.arange(8))
    assert many == "'a', 'b', 'c', 'd', 'e', 'f', ... (8 in all)"
    assert given._listed(tuple("abcdefgh"), np.arange(6)).endswith("'f'")


def test_medians_are_held_to_their_share_of_the_level():
    """Of 20 runs 17 lie above: the chance of as many is that of a binomial."""
    chance = scipy.stats.binom.sf(16, 20, 0.5)
    values = np.concatenate([np.full(16, 3.0), [40.0], np.full(3, 1.0)])[None]
    one = judging.Comparison(
        prediction=judging._prediction(0.5),
        axes={"n": np.array([20]), "copies kept": np.array([True])},
        values=values,
        lost=np.zeros(1, int),
        estimate=OUTCOME.comparison.estimate._replace(
            value=np.array([2.0]),
            slack=np.array([0.5]),
            valid=np.array([True]),
            status=np.zeros(1, int),
        ),
        decoys={},
        near=np.full((1, 2), -1),
    )
    outcome = dataclasses.replace(OUTCOME, comparison=one)
    assert judging._medians(outcome, 0.99 * chance) is outcome
    made = judging._medians(outcome, 1.01 * chance)
    assert made.verdict is Verdict.DISAGREES
    assert made.reason == "17 of 20 refits of 20 rows are above 2.5, the prediction and its slack"
    wrong = dataclasses.replace(outcome, verdict=Verdict.DISAGREES)
    assert judging._medians(wrong, 1.0) is wrong
    low = np.concatenate([np.full(17, 3.0), np.full(3, -99.0)])[None]  # the long tail is below
    below = dataclasses.replace(outcome, comparison=dataclasses.replace(one, values=low))
    assert judging._medians(below, 0.99) is below
