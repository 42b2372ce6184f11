"""Nodes for many modes: Chebyshev's polynomials, totals without rounding, modes joined by rank."""

import numpy as np
import pytest
from numpy.polynomial import chebyshev
from scipy.interpolate import BarycentricInterpolator

from ci_theory.theory.spectra.compression import binned, compress, merge
from ci_theory.theory.spectra.quadrature import exact_total, lagrange
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, power_law, rank, trace


@pytest.mark.parametrize("count", [1, 4, 18])
def test_nodes_are_chebyshevs_and_polynomials_are_told_apart_by_them(count):
    t = np.append(np.linspace(-1, 1, 7), chebyshev.chebpts1(count)[0])
    grid, basis = lagrange(t, count)
    np.testing.assert_allclose(np.sort(grid), chebyshev.chebpts1(count), atol=1e-15)
    assert basis.shape == (count, len(t))
    rng = np.random.default_rng(count)
    for degree in range(count):
        c = rng.normal(size=degree + 1)
        values = chebyshev.chebval(grid, c) @ basis
        np.testing.assert_allclose(values, chebyshev.chebval(t, c), atol=1e-12)
    if count > 1:  # of one node it is the constant that was met above
        one = BarycentricInterpolator(grid, np.eye(count)[0])
        np.testing.assert_allclose(basis[0], one(t), atol=1e-12)
    on_node = lagrange(grid[:1], count)[1][:, 0]
    assert on_node.tolist() == np.eye(count)[0].tolist()


def test_weights_are_rounded_to_an_exact_total():
    weights = np.random.default_rng(1).uniform(-1, 9, size=30)
    weights *= 1000 / weights.sum()
    made = exact_total(weights, 1000.0)
    assert sum(np.round(made)) + sum(made - np.round(made)) == 1000.0
    np.testing.assert_allclose(made, weights, atol=1e-10)
    moved = np.abs(made - weights)
    assert np.all(np.delete(moved, np.argmax(np.abs(made))) <= 2.0**-44)
    small = weights / 1e4
    assert exact_total(small, 0.1) is small  # no whole number of steps


def test_joined_modes_keep_trace_power_rank_and_what_is_learned():
    listed = power_law(5000, 1.3, source=0.4, tail=True)
    made = binned(listed, most=64)
    assert 50 <= len(made.eigenvalues) <= 64
    assert float(trace(made)) == pytest.approx(float(trace(listed)), rel=1e-13)
    assert made.power.sum() == pytest.approx(listed.power.sum(), rel=1e-13)
    assert made.multiplicity.sum() == 5000
    assert (made.tail_trace, made.tail_power) == (listed.tail_trace, listed.tail_power)
    np.testing.assert_array_equal(made.eigenvalues[:32], listed.eigenvalues[:32])
    np.testing.assert_array_equal(made.multiplicity[:32], 1)
    assert np.all(np.diff(made.eigenvalues) < 0)
    wide = np.diff(np.log(np.cumsum(made.multiplicity)))[-16:]
    assert wide == pytest.approx(np.full(16, wide.mean()), rel=0.15)  # ranks in one ratio
    for kappa in (1e-1, 1e-3, 1e-5):
        sums = [s.multiplicity @ (s.eigenvalues / (s.eigenvalues + kappa)) for s in (made, listed)]
        assert sums[0] == pytest.approx(sums[1], rel=2e-3)
    assert binned(listed, most=5000) is listed
    assert len(binned(power_law(257, 1.3)).eigenvalues) < 257  # 256 by default
    assert len(binned(power_law(256, 1.3)).eigenvalues) == 256


def test_merging_keeps_what_nodes_carry():
    made = merge(
        Spectrum(
            eigenvalues=np.array([0.5, 2.0, 0.5, 1.0, 3.0]),
            multiplicity=np.array([1.0, 2.0, 4.0, 0.0, 0.0]),
            power=np.array([0.1, 0.2, 0.3, 0.0, 0.7]),
            tail_trace=np.array(0.25),
            tail_power=np.array(0.125),
        )
    )
    assert made.eigenvalues.tolist() == [3.0, 2.0, 0.5]
    assert made.multiplicity.tolist() == [0.0, 2.0, 5.0]
    assert made.power.tolist() == pytest.approx([0.7, 0.2, 0.4])
    assert (float(made.tail_trace), float(made.tail_power)) == (0.25, 0.125)


def test_few_modes_of_a_panel_stay_and_other_widths_serve_too():
    modes = explicit(np.geomspace(1, 1e-3, 100), np.ones(100))
    kappa = 0.02
    exact = np.sum(modes.eigenvalues / (modes.eigenvalues + kappa))
    for nodes, width in ((12, 1.5), (18, 2.0), (24, 3.0)):
        small = compress(modes, nodes_per_panel=nodes, width=width)
        panels = np.ceil(np.log(1e3) / width)
        assert len(small.eigenvalues) <= nodes * panels
        learned = small.multiplicity @ (small.eigenvalues / (small.eigenvalues + kappa))
        assert learned == pytest.approx(exact, rel=1e-8)
        assert float(rank(small)) == 100
    nothing = compress(explicit([0.0, 0.0], [1.0, 1.0]))
    assert nothing.eigenvalues.size == nothing.multiplicity.size == 0
    empty = compress(explicit([2.0], [1.0]), pad_to=4)
    assert (empty.eigenvalues.tolist(), empty.power.tolist()) == ([2, 1, 1, 1], [2, 0, 0, 0])
