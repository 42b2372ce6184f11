"""Data that everybody has: duplicates planted at known rates, and where the theory fails."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from ci_theory.check import Verdict
from ci_theory.own_data import learning_curve


def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return x / x.std(axis=0), y / y.std()


def wine():
    x, kind = load_wine(return_X_y=True)
    return x / x.std(axis=0), np.where(kind == 0, 1.0, -1.0)


def cancer():
    x, benign = load_breast_cancer(return_X_y=True)
    return x / x.std(axis=0), np.where(benign == 1, 1.0, -1.0)


def planted(x, y, share, times, seed):
    """Let a share of the rows appear a number of times each, shuffled."""
    rng = np.random.default_rng(seed)
    often = rng.permutation(len(x))[: int(share * len(x))]
    which = rng.permutation(np.r_[np.arange(len(x)), np.tile(often, times - 1)])
    return x[which], y[which], len(often)


@pytest.mark.parametrize(
    ("data", "share", "times", "size"),
    [(diabetes, 0.25, 8, 300), (wine, 0.25, 8, 120), (cancer, 0.25, 8, 455)],
)
def test_planted_duplicates_are_found_and_what_they_cost(data, share, times, size):
    x, y, often = planted(*data(), share, times, seed=1)
    found = learning_curve(x, y, ridge=[0.0], sizes=[size], replicates=100)
    distinct = len(data()[0])
    assert (found.distinct, found.duplicates) == (distinct, often * (times - 1))
    part = often / distinct
    kish = distinct * (1 - part + part * times) ** 2 / (1 - part + part * times**2)
    assert kish < found.effective < 0.65 * distinct  # of full weight nowhere, of equal nowhere
    (gain,) = found.gains
    assert gain.measured > 6 * gain.error
    assert abs(gain.predicted / gain.measured - 1) < 0.3
    decoy = found.report.outcomes[0].decoys["copies are fresh rows"]
    assert decoy.rejected or (data is diabetes and decoy.vacuous)  # ten features lose little


def test_diabetes_agrees():
    found = learning_curve(*diabetes(), sizes=[64, 150, 300], replicates=150)
    assert found.verdict is Verdict.AGREES
    assert found.best.left_out == pytest.approx(found.best.error, rel=0.02)


def test_pixels_disagree_near_interpolation_and_agree_at_the_best_ridge():
    images, digit = load_digits(return_X_y=True)
    images, digit = images[:600], digit[:600]
    x = images[:, (images > 0).sum(axis=0) >= 4]  # rarely lit pixels are among them
    y = np.where(digit == 3, 1.0, -1.0)
    found = learning_curve(x, y, ridge=[0.0, 1250.0], sizes=[110, 170, 300], replicates=40)
    bare, shrunk = found.report.outcomes
    assert bare.verdict is Verdict.DISAGREES
    assert "refits of" in bare.reason  # of heavy tails: told by their medians
    assert shrunk.verdict is Verdict.AGREES
    assert found.verdict is Verdict.DISAGREES


def test_cells_of_unequal_length_disagree():
    found = learning_curve(*cancer(), ridge=[0.0], sizes=[82, 126], replicates=40)
    assert found.verdict is Verdict.DISAGREES
    assert (found.mean > found.predicted).all()
