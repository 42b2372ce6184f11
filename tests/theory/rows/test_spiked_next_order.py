"""What a finite sample adds to an overlap: exact moments at little noise, draws, special cases."""

import numpy as np
import pytest
from scipy.integrate import quad

from ci_theory.theory.rows.spiked_next_order import overlap_next_order
from ci_theory.theory.rows.spiked_rows import SpikedRows, leading
from ci_theory.theory.spectra.groups import Groups


def rows(d, signal, noise, counts, weights):
    counts = np.array(counts, float)
    groups = Groups(counts=counts, weights=np.array(weights, float), noise=0 * counts)
    return SpikedRows(d=float(d), signal=signal, noise=noise, groups=groups)


def told(*case):
    """Return what is missed of u in the limit, and the next order relative to that."""
    given = rows(*case)
    top = leading(given)
    missed = 1 - float(top.overlap)
    return missed, -float(overlap_next_order(given, top).shift) / missed


def turned(counts, weights):
    """E sum c^2 z^2/(sum c z^2)^2 exactly: what little noise turns a vector by, per direction.

    1/S^2 is the integral of t exp(-t S), and all means under it are Gaussian.
    """
    c = np.array(weights, float) / np.dot(counts, weights)
    t = np.exp(np.linspace(-20, 30, 20001))[:, None]
    density = np.exp(-0.5 * np.log1p(2 * t * c) @ counts) * ((c**2 / (1 + 2 * t * c)) @ counts)
    return np.sum(t[:, 0] ** 2 * density) * 50 / 20000


@pytest.mark.parametrize(
    ("d", "counts", "weights"),
    [
        (20, [400.0], [1.0]),
        (5, [400.0], [3.0]),
        (20, [2000.0, 60.0], [1.0, 8.0]),
        (20, [3600.0, 16.0], [1.0, 30.0]),
    ],
)
def test_little_noise_turns_a_vector_in_all_directions_but_its_own(d, counts, weights):
    """The mean of a vector's turn to first order in the noise is known exactly, at any size."""
    counts = np.array(counts, float)
    noise = 1e-7
    missed, beyond = told(d, 1.0, noise, counts, weights)
    exact = (d - 1) * noise * turned(counts, weights)
    assert missed * (1 + beyond) == pytest.approx(exact, rel=8e-3)
    # the next order is right to the next one, and d for d - 1 is not
    limit = missed / exact - 1
    assert abs(limit + beyond) < 0.35 * abs(limit)
    assert abs(missed * d / (d - 1) * (1 + beyond) / exact - 1) > 0.04


def test_turned_is_what_plain_rows_have():
    assert turned(np.array([40.0]), [2.0]) == pytest.approx(1 / 38, rel=1e-9)


def test_little_noise_has_the_form_of_the_docstring():
    counts, weights = np.array([100.0, 30.0, 2.0]), np.array([1.0, 4.0, 20.0])
    shares = weights / (counts @ weights)
    few, heavy = counts @ shares**2, counts @ shares**3
    assert told(20, 2.0, 1e-8, counts, weights)[1] == pytest.approx(
        6 * few - 4 * heavy / few, rel=1e-5
    )
    held = overlap_next_order(*(lambda r: (r, leading(r)))(rows(20, 2.0, 1e-8, counts, weights)))
    assert float(held.held) == pytest.approx(heavy / few, rel=1e-6)


@pytest.mark.parametrize(
    "case",
    [
        (16, 1.0, 0.3, [80.0], [1.0]),
        (16, 1.0, 0.7, [120.0], [1.0]),
        (16, 1.0, 0.2, [100.0, 3.0], [1.0, 12.0]),
        (31, 1.0, 1.2, [240.0], [1.0]),  # most of it the mean of the form
    ],
)
def test_drawn_rows_have_the_overlap_of_limit_and_next_order(case):
    """The turn of little noise, whose mean is exact, takes most of the scatter out."""
    d, signal, noise, counts, weights = case
    missed, beyond = told(*case)
    each = np.repeat(weights, np.array(counts, int))
    rng, draws = np.random.default_rng(5), 3000
    x = noise**0.5 * rng.normal(size=(draws, len(each), d))
    x[:, :, 0] += signal**0.5 * rng.normal(size=(draws, len(each)))
    vectors = np.linalg.eigh(np.swapaxes(x, 1, 2) * each @ x)[1]
    lost = 1 - vectors[:, 0, -1] ** 2
    along = x[:, :, 0] ** 2
    known = (along @ each**2) / (along @ each) ** 2 * (signal + noise)
    known -= turned(np.array(counts), weights)
    slope = np.cov(lost, known)[0, 1] / known.var()
    rest = lost - slope * known
    error = rest.std() / draws**0.5 / missed
    off = rest.mean() / missed - 1
    assert abs(off) > 4 * error  # the limit alone is not it
    assert off == pytest.approx(beyond, abs=3.5 * error + 2 * beyond**2)


@pytest.mark.parametrize("case", [(41, 1.0, 0.5, [160.0]), (81, 0.4, 0.3, [60.0])])
def test_the_form_of_plain_rows_has_the_moments_of_a_wishart_matrix(case):
    """P has the values z/(z - s) over its modes s: averages over the law, and its next order."""
    d, _, noise, (n,) = case
    given = rows(*case, [1.0])
    top = leading(given)
    made, z, across = overlap_next_order(given, top), float(top.value), d - 1
    low, high = (noise * (n**0.5 + sign * across**0.5) ** 2 for sign in (-1, 1))
    ends = 0.25 * (z / (z - low) + z / (z - high))
    inside = 0.5 * z / ((z - low) * (z - high)) ** 0.5  # over the arcsine law
    assert float(made.form_shift) == pytest.approx(ends - inside, rel=1e-9)

    def squared(angle):
        s = (low + high) / 2 + (high - low) / 2 * np.cos(angle)
        density = ((high - low) / 2 * np.sin(angle)) ** 2 / (2 * np.pi * noise * s)
        return density * (z / (z - s)) ** 2

    modes = quad(squared, 0, np.pi)[0]  # min(n, across) of them in all
    still = n - min(n, across)
    assert float(made.form_variance) == pytest.approx(2 * (modes + still), rel=1e-9)


def test_without_noise_or_an_outlier_nothing_is_added():
    for case in ((20, 1.0, 0.0, [50.0, 4.0], [1.0, 9.0]), (20, 1.0, 3.0, [50.0], [1.0])):
        given = rows(*case)
        made = overlap_next_order(given, leading(given))
        assert float(made.shift) == pytest.approx(0.0, abs=1e-14)
        assert np.isfinite(float(made.held))
    assert [float(v) for v in made] == [0, 1, 0, 0]  # any one row may hold the vector by itself
