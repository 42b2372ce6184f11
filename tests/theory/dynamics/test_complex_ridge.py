"""Complex ridges and contours: the defining equations in high precision, and known transforms."""

import jax
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.dynamics.complex_ridge import complex_levels
from ci_theory.theory.dynamics.talbot import contour
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import two_block

INF = np.inf
solve = jax.jit(jax.vmap(complex_levels, (None, None, None, 0)))


@pytest.mark.parametrize(("count", "wanted"), [(8, 1e-3), (12, 1e-6), (16, 1e-8), (24, 1e-12)])
def test_contours_of_a_decaying_exponential(count, wanted):
    z, w = contour(count)
    for t in np.geomspace(1e-4, 1e4, 50):
        assert abs(2 * np.sum(w / (z + t)).real - np.exp(-t)) < wanted


def test_levels_solve_the_equations_over_sixty_decades():
    """Defining equations of rows, modes and features; n = p = rank included."""
    sizes = np.geomspace(1e-30, 1e30, 13)
    ridges = np.concatenate([sizes * np.exp(1j * a) for a in (0.5, 2.55, -2.55)])
    spectrum = two_block(20, 40, 1.0, 1e-3, 1.0, 1.0)
    for rows in (repeated_rows(50, 10, 20, 0.1, True), repeated_rows(90, 10, 200, 0.1, True)):
        for p in (INF, 25.0, 60.0, 90.0):
            at = solve(spectrum, rows, p, ridges)
            assert np.all(np.asarray(at.status) == Status.OK)
            for i, delta in enumerate(ridges):
                k, rho, left = (mp.mpmathify(complex(v[i])) for v in at[:3])
                df1 = 20 / (1 + k) + 40 * mp.mpf(1e-3) / (mp.mpf(1e-3) + k)
                pairs = list(zip(rows.counts.tolist(), rows.weights.tolist(), strict=True))
                used = sum(n * c / (c + rho) for n, c in pairs)
                assert abs(used / df1 - 1) < 1e-13
                assert abs(rho * used * k * left / mp.mpmathify(complex(delta)) - 1) < 1e-13
                if p != INF:
                    assert abs(left + df1 / p - 1) < 1e-13


def test_no_root_where_there_is_no_problem():
    """No ridge, or no rows: OUT_OF_SCOPE; good neighbours in the batch are untouched."""
    spectrum = two_block(20, 40, 1.0, 1e-3, 1.0, 1.0)
    ridges = np.full(39, 1.0 + 2.0j)
    ridges[1] = 0.0
    at = solve(spectrum, repeated_rows(50, 10, 20, 0.1, True), INF, ridges)
    assert at.status.tolist()[:3] == [Status.OK, Status.OUT_OF_SCOPE, Status.OK]
    none = solve(spectrum, repeated_rows(0, 0, 20, 0.1, True), INF, ridges)
    assert set(none.status.tolist()) == {Status.OUT_OF_SCOPE}
