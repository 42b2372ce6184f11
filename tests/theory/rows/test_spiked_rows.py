"""Singular values of weighted rows: the outlier against its resolvent, entropies, simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from ci_theory._errors import Status
from ci_theory.theory.rows import spiked_rows
from ci_theory.theory.rows.spiked_rows import SpikedRows, leading, row_shape, transition
from ci_theory.theory.spectra.groups import Groups, plain_rows, repeated_rows
from ci_theory.theory.spectra.spiked import Spiked, outlier, shape


def rows(d, signal, noise, counts, weights):
    counts = np.array(counts, float)
    groups = Groups(counts=counts, weights=np.array(weights, float), noise=0 * counts)
    return SpikedRows(d=float(d), signal=signal, noise=noise, groups=groups)


REPEATED = ([168.0, 6.0], [1.0, 12.0])
CASES = [
    (60, 1.0, 0.2, *REPEATED),
    (60, 1.0, 0.35, *REPEATED),
    (60, 0.3, 0.1, [20.0], [1.0]),
    (40, 2.0, 0.5, [100.0, 30.0, 5.0], [1.0, 2.5, 7.0]),
    (40, 2.0, 0.5, [100.0, 0.0, 30.0], [1.0, 99.0, 2.5]),  # no row of the largest weight
]


@pytest.mark.parametrize(("d", "signal", "noise", "counts", "weights"), CASES)
def test_the_outlier_is_a_pole_of_the_resolvent(d, signal, noise, counts, weights):
    """u'(K - z)^-1 u = 1/[(w + s) O(z) - z], O = sum n c/(1 + c w a g), g = 1/(w O - z)."""
    counts, weights = np.array(counts), np.array(weights)
    across = d - 1
    made = leading(rows(d, signal, noise, counts, weights))
    assert int(made.status) == Status.OK
    assert bool(made.visible)

    def pull(z):
        """The physical branch: iterated from far away, where nothing pulls."""
        g = -1 / z
        for _ in range(800):
            omega = np.sum(counts * weights / (1 + weights * noise * across * g))
            g = 0.5 * (g + 1 / (noise * omega - z))
        return omega

    def pole(z):
        return (noise + signal) * pull(z) - z

    value = float(made.value)
    found = brentq(pole, value * 0.98, value * 1.1, xtol=1e-9 * value)
    assert value == pytest.approx(found, rel=1e-8)
    step = 1e-4 * value
    slope = (pull(value + step) - pull(value - step)) / (2 * step)
    assert float(made.overlap) == pytest.approx(1 / (1 - (noise + signal) * slope), rel=1e-5)
    assert float(made.crowding) == pytest.approx(
        across / float(made.rows) * (noise / signal) ** 2, rel=1e-12
    )


def test_plain_rows_are_the_rank_one_of_a_rectangular_matrix():
    """One direction is along: the noise that can turn it has d - 1."""
    for d, n, signal, noise in ((60, 240, 1.0, 0.2), (60, 30, 1.0, 0.5), (60, 240, 0.1, 0.7)):
        made = leading(rows(d, signal, noise, [n], [1.0]))
        strength = n * signal
        known = outlier(Spiked(rows=d - 1.0, columns=float(n), strength=strength, noise=noise))
        assert float(made.value) == pytest.approx(float(known.value) ** 2, rel=1e-12)
        assert float(made.overlap) == pytest.approx(float(known.row_overlap), abs=1e-12)
        assert bool(made.visible) == bool(known.visible)
        place = transition(float(d), plain_rows(float(n), 0.0))
        assert float(place.ratio) == pytest.approx(((d - 1) / n) ** 0.5, rel=1e-12)
        assert float(place.edge) == pytest.approx(((d - 1) ** 0.5 + n**0.5) ** 2, rel=1e-12)


def test_copies_in_two_lists_or_of_every_row():
    one = leading(rows(60, 1.0, 0.3, [100.0, 40.0], [2.0, 2.0]))
    other = leading(rows(60, 1.0, 0.3, [140.0], [1.0]))
    assert float(one.value) == pytest.approx(2 * float(other.value), rel=1e-12)
    for name in ("overlap", "crowding", "rows", "spread"):
        assert float(getattr(one, name)) == pytest.approx(float(getattr(other, name)), rel=1e-12)


def test_repetition_raises_the_outlier_and_turns_its_vector():
    """The table of the docs: at noise 0.2 and 30 % of 240 rows, 12 copies each."""
    plain = rows(60, 1.0, 0.2, [240.0], [1.0])
    copied = rows(60, 1.0, 0.2, *REPEATED)
    before, after = leading(plain), leading(copied)
    assert float(after.value) > 1.2 * float(before.value)
    assert float(after.overlap) < 0.71 * float(before.overlap)
    one, other = row_shape(plain, before), row_shape(copied, after)
    assert float(other.entropy) < float(one.entropy)
    assert float(other.largest) < float(one.largest)


def drawn(d, signal, noise, counts, weights, draws, seed):
    """Eigenvalues (draws, d) and overlaps (draws,) of X'CX."""
    rng = np.random.default_rng(seed)
    each = np.repeat(weights, np.array(counts, int))
    x = noise**0.5 * rng.normal(size=(draws, len(each), d))
    x[:, :, 0] += signal**0.5 * rng.normal(size=(draws, len(each)))
    values, vectors = np.linalg.eigh(np.swapaxes(x, 1, 2) * each @ x)
    return np.maximum(values, 0.0), vectors[:, 0, -1] ** 2


def test_a_large_sample_is_the_limit():
    case = 200, 1.0, 0.35, [560.0, 40.0], [1.0, 6.0]
    made = leading(rows(*case))
    values, overlaps = drawn(*case, draws=4, seed=0)
    assert float(made.value) == pytest.approx(values[:, -1].mean(), rel=0.05)
    assert float(made.overlap) == pytest.approx(overlaps.mean(), abs=0.07)
    assert 0.5 < float(made.overlap) < 0.8
    hidden = leading(rows(200, 1.0, 2.0, *case[3:]))
    values, overlaps = drawn(200, 1.0, 2.0, *case[3:], draws=2, seed=1)
    assert not bool(hidden.visible)
    assert overlaps.max() < 0.1
    assert float(hidden.value) == pytest.approx(values[:, -1].mean(), rel=0.05)


@pytest.mark.parametrize(
    "case",
    [
        (20, 1.0, 0.3, [60.0], [1.0]),
        (20, 1.0, 0.3, [42.0, 6.0], [1.0, 3.0]),
        (20, 1.0, 0.1, [12.0], [1.0]),
        (16, 0.2, 1.0, [12.0, 4.0], [1.0, 2.0]),  # as many distinct rows as inputs; no outlier
        (12, 1.0, 0.02, [50.0], [1.0]),  # nearly one singular value
    ],
)
def test_entropies_are_those_of_drawn_rows(case):
    made = leading(rows(*case))
    told = row_shape(rows(*case), made)
    values, _ = drawn(*case, draws=3000, seed=2)
    sizes = np.sqrt(values * (values > 1e-9 * values[:, -1:]))
    share = sizes / sizes.sum(axis=1, keepdims=True)
    entropy = -np.sum(share * np.log(np.where(share > 0, share, 1.0)), axis=1)
    error = entropy.std() / 3000**0.5
    assert float(told.entropy) == pytest.approx(entropy.mean(), abs=4 * error + 3e-3)
    assert float(told.total) == pytest.approx(sizes.sum(axis=1).mean(), rel=4e-3)
    if bool(made.visible):
        largest = -np.log(share[:, -1])
        error = largest.std() / 3000**0.5
        assert float(told.largest) == pytest.approx(largest.mean(), abs=4 * error + 8e-3)


def test_the_logarithm_of_the_largest_value_spreads_as_told():
    for case in ((20, 1.0, 0.2, [160.0], [1.0]), (20, 1.0, 0.1, [120.0, 20.0], [1.0, 4.0])):
        values, _ = drawn(*case, draws=3000, seed=3)
        spread = np.log(values[:, -1]).var() / 4
        assert float(leading(rows(*case)).spread) == pytest.approx(spread, rel=0.12)


def test_entropies_of_plain_rows_are_those_of_the_matrix():
    """Another derivation: the Marchenko-Pastur bulk and the outlier, summed."""
    for d, n, signal, noise in ((300, 900, 1.0, 0.2), (300, 200, 1.0, 0.4), (300, 900, 0.1, 1.0)):
        given = rows(d, signal, noise, [n], [1.0])
        made = row_shape(given, leading(given))
        known = shape(Spiked(rows=float(d), columns=float(n), strength=n * signal, noise=noise))
        assert float(made.entropy) == pytest.approx(float(known.entropy), abs=4 / min(d, n) ** 2)
        assert float(made.largest) == pytest.approx(float(known.largest), abs=1e-3)


def test_units_drop_out():
    base, scaled = rows(60, 1.0, 0.2, *REPEATED), rows(60, 1e6, 2e5, *REPEATED)
    one, other = leading(base), leading(scaled)
    assert float(other.value) == pytest.approx(1e6 * float(one.value), rel=1e-12)
    assert float(other.overlap) == pytest.approx(float(one.overlap), rel=1e-12)
    for a, b in zip(row_shape(base, one)[:2], row_shape(scaled, other)[:2], strict=True):
        assert float(b) == pytest.approx(float(a), rel=1e-12)


def test_without_noise_there_is_one_direction():
    given = rows(60, 1.5, 0.0, *REPEATED)
    made = leading(given)
    assert float(made.value) == pytest.approx(240 * 1.5, rel=1e-12)
    assert (float(made.overlap), float(made.crowding)) == (1.0, 0.0)
    told = row_shape(given, made)
    assert (float(told.entropy), float(told.largest)) == (0.0, 0.0)
    assert float(told.total) == pytest.approx((240 * 1.5) ** 0.5, rel=1e-12)
    little = rows(60, 1.5, 1e-13, *REPEATED)
    near = row_shape(little, leading(little))
    assert abs(float(near.entropy)) < 1e-3  # what the next order leaves of 1/rows^2
    assert abs(float(near.largest)) < 1e-3
    short = 1 - 0.25 / float(made.rows)  # mean of the root of a mean square
    assert float(near.total) == pytest.approx(short * float(told.total), rel=2e-4)


def test_a_shape_of_which_a_ridge_has_no_root_is_no_number(monkeypatch):
    given, solve = rows(60, 1.0, 0.2, *REPEATED), spiked_rows.solve_shares

    def lost(spectrum, groups, ridge):
        found = solve(spectrum, groups, ridge)
        return found._replace(status=jnp.where(ridge > 1e20, Status.NOT_CONVERGED, found.status))

    bare = row_shape.__wrapped__.__wrapped__  # not compiled before
    assert np.isfinite(bare(given, leading(given))).all()
    monkeypatch.setattr(spiked_rows, "solve_shares", lost)
    assert np.isnan(bare(given, leading(given))).all()


def test_slopes_are_those_of_difference_quotients():
    def overlap(noise):
        groups = repeated_rows(168.0, 6.0, 12.0, 0.0, True)
        return leading(SpikedRows(d=60.0, signal=1.0, noise=noise, groups=groups)).overlap

    step = 1e-5
    slope = (overlap(0.2 + step) - overlap(0.2 - step)) / (2 * step)
    assert float(jax.grad(overlap)(0.2)) == pytest.approx(float(slope), rel=1e-7)


def test_an_edge_that_was_not_found_is_told(monkeypatch):
    lost = transition(60.0, rows(60, 1.0, 0.2, *REPEATED).groups)
    lost = lost._replace(status=np.array(int(Status.NOT_CONVERGED)))
    monkeypatch.setattr(spiked_rows, "transition", lambda *_: lost)
    bare = leading.__wrapped__.__wrapped__  # not compiled before
    for noise, status in ((0.2, Status.OK), (2.0, Status.NOT_CONVERGED)):
        found = bare(rows(60, 1.0, noise, *REPEATED))
        assert int(found.status) == status
        assert float(found.residual) < 1e-10


@pytest.mark.parametrize(
    "given",
    [
        rows(60, 1.0, 0.2, [0.0, 0.0], [1.0, 12.0]),
        rows(60, 1.0, 0.2, [10.0, 5.0], [0.0, 0.0]),
        rows(60, 1.0, 0.2, [10.0, -5.0], [1.0, 2.0]),
        rows(60, 0.0, 0.2, *REPEATED),
        rows(60, 1.0, -0.2, *REPEATED),
    ],
)
def test_what_has_no_answer_says_so(given):
    assert int(leading(given).status) == Status.OUT_OF_SCOPE


def test_no_rows_have_no_spectrum_and_no_edge():
    given = rows(60, 1.0, 0.2, [0.0, 0.0], [1.0, 12.0])
    told = row_shape(given, leading(rows(60, 1.0, 0.2, *REPEATED)))
    assert np.isnan([told.entropy, told.largest, told.total]).all()
    assert int(transition(60.0, given.groups).status) == Status.OUT_OF_SCOPE
