"""What singular values foretell, and a probe on the leading direction: inversion, brute force."""

import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.representations.feature_spectrum import (
    feature_probe,
    foretold_overlap,
    needed_overlap,
    noise_at,
)
from ci_theory.theory.rows.spiked_rows import SpikedRows, leading
from ci_theory.theory.spectra.groups import plain_rows, repeated_rows


def rows(noise, groups, d=60.0, signal=1.0):
    return SpikedRows(d=d, signal=signal, noise=noise, groups=groups)


def test_of_distinct_rows_the_singular_values_foretell_the_overlap():
    for d, n, noise in ((60.0, 240.0, 0.2), (60.0, 240.0, 1.5), (60.0, 30.0, 0.4), (9.0, 9.0, 0.0)):
        made = leading(rows(noise, plain_rows(n, 0.0), d=d))
        trace = float(made.value) + n * (d - 1) * noise
        told = foretold_overlap(made.value, trace, n, d)
        assert float(told) == pytest.approx(float(made.overlap), abs=1e-10)
    edge = 240 * (1 + (59 / 240) ** 0.5) ** 2
    assert float(foretold_overlap(0.999 * edge, 0.999 * edge + 59 * 240, 240.0, 60.0)) == 0
    assert float(foretold_overlap(1.001 * edge, 1.001 * edge + 59 * 240, 240.0, 60.0)) > 0


def test_of_copies_they_foretell_the_reverse():
    overlaps, foretold = [], []
    for repeats in (1.0, 4.0, 12.0, 24.0):
        made = leading(rows(0.2, repeated_rows(168.0, 72.0 / repeats, repeats, 0.0, True)))
        trace = 240 * (60 * 0.2 + 1.0)
        overlaps.append(float(made.overlap))
        foretold.append(float(foretold_overlap(made.value, trace, 240.0, 60.0)))
    assert np.all(np.diff(overlaps) < 0)
    assert np.all(np.diff(foretold) > 0)


def test_a_probe_is_least_squares_on_one_feature():
    rng, d, n, noise, draws = np.random.default_rng(0), 6, 9, 0.4, 40_000
    v = rng.normal(size=d)
    v /= np.linalg.norm(v)
    x = rng.normal(size=(draws, n, d))
    y = x[:, :, 0] + noise**0.5 * rng.normal(size=(draws, n))
    feature = x @ v
    slope = np.sum(feature * y, axis=1) / np.sum(feature**2, axis=1)
    errors = np.sum((slope[:, None] * v - np.eye(d)[0]) ** 2, axis=1)
    told = float(feature_probe(v[0] ** 2, n, noise))
    assert told == pytest.approx(errors.mean(), abs=4 * errors.std() / draws**0.5)
    for few in (1.5, 2.0):  # no mean
        assert np.isinf(float(feature_probe(0.5, few, noise)))


def test_a_probe_pays_from_the_needed_overlap_on():
    for n, noise in ((12.0, 0.0), (40.0, 20.0)):
        assert float(feature_probe(needed_overlap(n, noise), n, noise)) == pytest.approx(1.0)


@pytest.mark.parametrize("repeats", [1.0, 12.0])
def test_the_noise_of_a_level_has_that_overlap(repeats):
    groups = repeated_rows(168.0, 72.0 / repeats, repeats, 0.0, True)
    before = 0.0
    for level in (0.95, 0.5, 0.05):
        found = noise_at(60.0, 1.0, groups, level)
        assert int(found.status) == Status.OK
        assert float(leading(rows(float(found.noise), groups)).overlap) == pytest.approx(level)
        assert float(found.noise) > before
        before = float(found.noise)
    last = float(noise_at(60.0, 1.0, groups, 0.0).noise)
    assert bool(leading(rows(0.9999 * last, groups)).visible)
    assert not bool(leading(rows(1.0001 * last, groups)).visible)


def test_more_signal_bears_as_much_more_noise():
    groups = repeated_rows(168.0, 6.0, 12.0, 0.0, True)
    for level in (0.0, 0.6):
        one, four = (float(noise_at(60.0, s, groups, level).noise) for s in (1.0, 4.0))
        assert four == pytest.approx(4 * one, rel=1e-9)


def test_a_few_rows_of_many_inputs_bear_little_noise():
    groups, d = plain_rows(20.0, 0.0), 2e5
    for level in (0.99, 0.5):
        found = noise_at(d, 1.0, groups, level)
        assert int(found.status) == Status.OK
        assert float(found.noise) < 0.02 * (1 - level)
        made = leading(rows(float(found.noise), groups, d=d))
        assert float(made.overlap) == pytest.approx(level, rel=1e-9)


def test_no_noise_has_an_overlap_of_one_or_more():
    for level in (1.0, 1.3, -0.1, np.nan):
        found = noise_at(60.0, 1.0, plain_rows(240.0, 0.0), level)
        assert int(found.status) == Status.OUT_OF_SCOPE
        assert np.isnan(float(found.noise))
    assert int(noise_at(60.0, 1.0, plain_rows(0.0, 0.0), 0.5).status) == Status.OUT_OF_SCOPE
    for signal in (0.0, -1.0):
        found = noise_at(60.0, signal, plain_rows(240.0, 0.0), 0.5)
        assert int(found.status) == Status.OUT_OF_SCOPE
    assert np.isinf(float(feature_probe(0.5, 1.0, 0.1)))
    # a value inside the bulk, or just the bulk's own edge, tells of no direction
    edge = 240 * (1 + 0.5) ** 2  # of unit noise
    for value, seen in ((0.9 * edge, False), (1.1 * edge, True)):
        found = float(foretold_overlap(value, value + 59 * 240.0, 240.0, 60.0))
        assert (found > 0) == seen
    assert float(foretold_overlap(240.0, 200.0, 240.0, 60.0)) == 1.0  # nothing but the direction
    for n in (10.0, 10_000.0):  # what is below the bulk is no outlier: far fewer rows, or more
        assert float(foretold_overlap(0.3 * n, 0.3 * n + 59 * n, n, 60.0)) == 0
