"""Rows in groups: what constructors make of copies, and means over them."""

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.groups import Groups, counted, over_copies, plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic


def test_labels_of_copies_are_drawn_and_averaged():
    """Twelve copies of a row with one label, or with twelve: the variance of their mean."""
    rng, noise, repeats = np.random.default_rng(0), 0.7, 12
    for shared in (True, False):
        labels = rng.normal(size=(40_000, 1 if shared else repeats)) * noise**0.5
        means = np.broadcast_to(labels, (40_000, repeats)).mean(axis=1)
        made = repeated_rows(100.0, 5.0, repeats, noise, shared)
        assert np.asarray(made.noise) == pytest.approx([noise, means.var()], rel=0.03)
        assert made.counts.tolist() == [100, 5]
        assert made.weights.tolist() == [1, repeats]
    plain = plain_rows(30.0, 0.2)
    assert [leaf.tolist() for leaf in (plain.counts, plain.weights, plain.noise)] == [
        [30], [1], [0.2]
    ]  # fmt: skip


def test_a_mean_over_copies_is_that_of_the_listed_rows():
    groups = Groups(
        counts=np.array([5.0, 3.0, 0.0, 2.0]), weights=np.array([1.0, 4.0, 9.0, 0.0]), noise=[0] * 4
    )
    values = np.array([2.0, -1.0, 50.0, 70.0])
    listed = np.repeat(values, [5, 12, 0, 0])
    assert float(over_copies(groups, jnp.asarray(values))) == pytest.approx(listed.mean())


def test_infinitely_many_are_a_number_that_differs_in_no_digit():
    assert counted(np.array([3.0, np.inf])).tolist() == [3.0, 1e60]
    assert counted(7) == 7.0
    endless = [weighted_ridge_risk(isotropic(20), plain_rows(n, 0.3), 2.0) for n in (np.inf, 1e40)]
    for found in endless:
        assert int(found.status) == 0
        assert float(found.excess_risk) < 1e-37
    # kappa is the ridge over the rows down to numbers that only so many leave
    assert float(solve_kappa(isotropic(20), np.inf, 1e30).value) == pytest.approx(1e-30, rel=1e-12)
