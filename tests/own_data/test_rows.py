"""What a person's rows may be, and the line that says why they may not."""

import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.own_data import learning_curve
from ci_theory.own_data.rows import checked

X = np.random.default_rng(0).normal(size=(60, 4))
Y = X @ np.ones(4)


def changed(row, column, value):
    x = X.copy()
    x[row, column] = value
    return x


@pytest.mark.parametrize(
    ("features", "labels", "words"),
    [
        (X[:, 0], Y, r"features of shape \(60,\): must be \(rows, columns\)"),
        (X.astype(str), Y, "features of type <U32: must be real numbers"),
        (X + 1j, Y, "features of type complex128"),
        (X, Y[:-1], r"labels of shape \(59,\): must be \(60,\)"),
        (changed(6, 2, np.nan), Y, r"1 value is missing .* row 7 of 'features\[:, 2\]'"),
        (
            changed(6, 2, np.inf),
            Y,
            "^features: 1 value is missing or not finite, the first in row 7",
        ),
        (changed([6, 9], 2, np.inf), Y, "^features: 2 values are missing .* row 7"),
        (X, np.where(np.arange(60) == 4, np.nan, Y), "labels: 1 label is missing .* row 5"),
        (X[:30], Y[:30], "30 distinct rows, at least 40"),
        (np.tile(X[:20], (3, 1)), Y, r"20 distinct rows \(60 with duplicates\)"),
        (changed(slice(None), 1, 2.0), Y, r"constant: 'features\[:, 1\]'"),
        (np.c_[X, 1e6 + 1e-6 * X[:, 0] ** 2], Y, r"constant: 'features\[:, 4\]'"),
        (np.c_[X, X[:, 0]], Y, r"'features\[:, 4\]' is a constant plus .* 'features\[:, 0\]'"),
        (np.c_[X, 1 - X[:, 1] + 2 * X[:, 3]], Y, r"of 'features\[:, 1\]', 'features\[:, 3\]':"),
        (X, np.array(["a", "b", "c"])[np.arange(60) % 3], r"3 classes \(a, b, c\).*--positive a"),
        (X, np.arange(60) % 3, r"3 classes \(0, 1, 2\).*numbers=True"),
        (X, 1.0 + np.arange(60) % 5, r"5 classes \(1, 2, 3, 4, 5\)"),
        (X, np.ones(60), "all are 1: nothing to learn"),
        (1e200 * X, Y, "scale them"),
        (X, 1e200 * Y, "scale them to below 1e100"),
        (1e-200 * X, Y, r"of size \de-200: scale them to above 1e-100"),
        (X, 1e-200 * Y, "scale them to above 1e-100"),
        (X * [1, 1e11, 1, 1], Y, r"'features\[:, 1\]' varies .*e\+1\d times as much as .*: scale"),
        (X * [1, 1, 1e-99, 1], Y, r"times as much as 'features\[:, 2\]', which would be lost"),
    ],
)
def test_what_cannot_be_meant_is_one_line(features, labels, words):
    with pytest.raises(BadInput, match=words) as told:
        checked(features, labels)
    assert "\n" not in str(told.value)


def test_a_column_that_varies_by_more_than_rounding_is_no_constant():
    assert checked(np.c_[X, 1e6 + 1e-2 * X[:, 0] ** 2], Y).features.shape == (60, 5)


def test_columns_as_far_apart_as_they_may_be_are_all_learnt_from():
    """Without a ridge no scale matters; further apart, one was dropped without a word."""
    labels = Y + np.random.default_rng(1).normal(size=60)
    found = [
        learning_curve(X * scales, labels, ridge=[0.0], sizes=[20, 30, 40], replicates=4)
        for scales in ([1, 1, 1, 1], [1, 1, 1e-9, 1])
    ]
    (one, other) = ([row["predicted"] for row in each.table()] for each in found)
    assert one == other
    (one, other) = ([row["refitted"] for row in each.table()] for each in found)
    assert one == other


def test_names_are_the_users_and_as_many():
    with pytest.raises(BadInput, match="constant: 'b'"):
        checked(changed(slice(None), 1, 2.0), Y, ["a", "b", "c", "d"])
    with pytest.raises(BadInput, match="names: 2 for 4"):
        checked(X, Y, ["a", "b"])


@pytest.mark.parametrize(
    "labels",
    [
        np.arange(60) % 2,
        np.arange(60) % 2 == 0,
        np.array(["1.5", "2.5"])[np.arange(60) % 2],
        np.arange(60) % 5 * 2.0,
        np.arange(60),
    ],
)
def test_two_classes_and_numbers_are_labels(labels):
    assert len(checked(X, labels).labels) == 60


def test_codes_may_be_said_to_be_numbers():
    assert checked(X, np.arange(60) % 3, numbers=True).labels.max() == 2


def test_more_features_than_rows_are_no_mistake():
    wide = np.random.default_rng(1).normal(size=(60, 90))
    assert checked(wide, Y).features.shape == (60, 90)


def test_duplicates_are_counted_whatever_their_order():
    rng = np.random.default_rng(2)
    times = rng.integers(1, 5, size=60)
    which = rng.permutation(np.repeat(np.arange(60), times))
    rows = checked(X[which], Y[which])
    back = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in rows.features]
    assert rows.copies.tolist() == times[back].tolist()
    assert rows.labels.tolist() == Y[back].tolist()
    assert rows.duplicates == times.sum() - 60
    assert back == list(dict.fromkeys(which.tolist()))  # as they first appear


def test_copies_that_contradict_each_other_have_their_mean_label_whatever_their_order():
    rng = np.random.default_rng(3)
    times = rng.integers(1, 5, size=60)
    which = rng.permutation(np.repeat(np.arange(60), times))
    labels = rng.normal(size=len(which))
    rows = checked(X[which], labels)
    for row, label in zip(rows.features, rows.labels, strict=True):
        own = labels[(X[which] == row).all(axis=1)]
        assert label == pytest.approx(own.mean(), rel=1e-12)
    assert rows.conflicting == np.sum(times > 1) > 20


def test_minus_zero_is_zero():
    x = np.vstack([changed(0, 0, 0.0), changed(0, 0, -0.0)[:1]])
    assert checked(x, np.r_[Y, Y[:1]]).duplicates == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ridge": [-1.0]}, "ridge = "),
        ({"ridge": [np.nan]}, "ridge = "),
        ({"ridge": []}, "ridge = "),
        ({"seed": -1}, "seed = -1: must be a whole number >= 0"),
        ({"ridge": [1e308]}, "ridge = .* must be numbers from 0 to 1e"),
        ({"noise": 1e300}, "noise = 1e.300: must be from 0 to 1e"),
        ({"repeated": 0.5, "repeats": 1e300}, "repeats = 1e.300: must be from 1 to 1e"),
        ({"sizes": [10, 59]}, "must be from 2 to 54"),
        ({"sizes": [10.5]}, "must be whole numbers"),
        ({"noise": -0.1}, "noise = -0.1"),
        ({"repeated": 1.5}, "repeated = 1.5"),
        ({"repeats": 0.5}, "repeats = 0.5"),
        ({"replicates": 2}, "replicates = 2"),
        ({"replicates": 10**6}, "fits, over"),
        ({"level": 2.0}, "level = 2"),
        ({"effect": 0.0}, "effect = 0"),
    ],
)
def test_options_out_of_range(options, words):
    with pytest.raises(BadInput, match=words):
        learning_curve(X, Y + np.random.default_rng(3).normal(size=60), **options)


def test_the_largest_size_alone_has_no_peak_and_is_no_mistake():
    """A curve of one place was asked for its peak, and refused for its axis."""
    labels = Y + np.random.default_rng(3).normal(size=60)
    found = learning_curve(X, labels, ridge=[1.0], sizes=[54], replicates=4)
    assert np.isnan(found.peaks[0].predicted)
