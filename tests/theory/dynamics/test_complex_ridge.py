"""Complex ridges and contours: the defining equations in high precision, and known transforms."""

import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.dynamics import complex_ridge
from ci_theory.theory.dynamics.complex_ridge import complex_levels
from ci_theory.theory.dynamics.talbot import contour
from ci_theory.theory.spectra.groups import Groups, plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic, two_block

INF = np.inf
NOISE = np.full(2, 0.1)
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


def moved(at):
    """Solve at numbers (variance, count, weight, p, ridge) that move the root."""
    variance, count, weight, p, size = at
    groups = Groups(counts=jnp.stack([50.0, count]), weights=jnp.stack([1.0, weight]), noise=NOISE)
    spectrum = two_block(20, 40, 1.0, variance, 1.0, 1.0)
    found = complex_levels(spectrum, groups, p, size * (0.6 + 0.8j))
    return jnp.stack([found.kappa, found.ratio, found.left])


MOVED = jax.jit(moved)
SLOPES = jax.jit(lambda at, by: jax.jvp(moved, (at,), (by,))[1])


@pytest.mark.parametrize("p", [25.0, 90.0, 1e6])
def test_derivatives_are_those_of_differences(p):
    """Where features are fewer than modes, more, and so many that they hardly count."""
    at = jnp.array([0.02, 8.0, 20.0, p, 3.0])
    for i in range(5):
        by = jnp.zeros(5).at[i].set(at[i])  # relative changes
        told = np.asarray(SLOPES(at, by))
        found = (np.asarray(MOVED(at + 1e-5 * by)) - np.asarray(MOVED(at - 1e-5 * by))) / 2e-5
        rounding = 1e-10 * np.abs(MOVED(at))
        assert np.all(np.abs(told - found) < 1e-6 * np.abs(found) + rounding)


def root(at, near):
    """Solve the defining equations with fifty digits, from a root nearby."""
    variance, count, weight, p, size = at
    modes, rows = ((20, 1), (40, variance)), ((50, 1), (count, weight))

    def degrees(kappa):
        return sum(many * size / (size + kappa) for many, size in modes)

    def equations(kappa, ratio):
        df1 = degrees(kappa)
        balance = sum(n * c / (c + ratio) for n, c in rows) - df1
        return balance, ratio * df1 * kappa * (1 - df1 / p) / size - mp.mpc("0.6", "0.8")

    kappa, ratio = mp.findroot(equations, near)
    return kappa, ratio, 1 - degrees(kappa) / p


def parts(by, at):
    found = moved(at * (1 + by))
    return jnp.concatenate([found.real, found.imag])


@pytest.mark.parametrize("twice", [jax.jacfwd, jax.jacrev], ids=["forwards", "backwards"])
def test_second_derivatives_are_those_of_the_equations(twice):
    """In relative changes: the slope of the slope of the root, with few features and many."""
    bend = jax.jit(jax.jacfwd(twice(parts)))
    for p in (25.0, 1e6):
        at = np.array([0.02, 8.0, 20.0, p, 3.0])
        _looked_at(at, np.asarray(bend(np.zeros(5), at)))


def _looked_at(at, told):
    """Hold second derivatives against differences of differences, with fifty digits."""
    with mp.workdps(50):
        numbers, step = [mp.mpf(float(v)) for v in at], mp.mpf(10) ** -12
        near = root(numbers, [mp.mpmathify(complex(v)) for v in MOVED(at)[:2]])

        def shifted(*changes):
            given = list(numbers)
            for i, sign in changes:
                given[i] += sign * step * numbers[i]
            return root(given, near[:2])

        pairs = list(itertools.combinations_with_replacement(range(5), 2))
        signs = list(itertools.product((1, -1), repeat=2))
        for i, j in pairs:
            ends = [shifted((i, one), (j, other)) for one, other in signs]
            bends = [
                sum(one * other * end[k] for (one, other), end in zip(signs, ends, strict=True))
                / (4 * step**2)
                for k in range(3)
            ]
            right = np.array([*(float(b.real) for b in bends), *(float(b.imag) for b in bends)])
            scale = np.tile(np.abs(np.array(near, complex)), 2)
            assert np.all(np.abs(told[:, i, j] - right) < 1e-11 * scale), (i, j)


def test_a_root_that_has_not_arrived_or_has_left_its_sector_is_none(monkeypatch):
    """Newton's steps too short to arrive, and steps that arrive at a root of another ridge."""
    spectrum, rows = two_block(20, 40, 1.0, 1e-3, 1.0, 1.0), repeated_rows(50, 10, 20, 0.1, True)
    bare = complex_levels.__wrapped__.__wrapped__  # not compiled before

    def told(delta):
        at = bare(spectrum, rows, 25.0, delta)
        return int(at.status), float(at.residual)

    assert told(3.0 + 4.0j)[0] == Status.OK
    newton = complex_ridge._newton
    monkeypatch.setattr(complex_ridge, "_newton", lambda *at: tuple(0.8 * v for v in newton(*at)))
    status, residual = told(3.0 + 4.0j)
    assert status == Status.NOT_CONVERGED
    assert 1e-10 < residual < 1e-3
    # the equations at the conjugate ridge: a root, but one of another problem
    monkeypatch.setattr(complex_ridge, "_newton", lambda *at: newton(*at[:-1], jnp.conj(at[-1])))
    status, residual = told(3.0 + 4.0j)
    assert status == Status.NOT_CONVERGED
    assert residual < 1e-12
    assert told(5.0)[0] == Status.OK


def test_no_root_where_there_is_no_problem():
    """No ridge, or no rows: OUT_OF_SCOPE; good neighbours in the batch are untouched."""
    spectrum = two_block(20, 40, 1.0, 1e-3, 1.0, 1.0)
    ridges = np.full(39, 1.0 + 2.0j)
    ridges[1] = 0.0
    at = solve(spectrum, repeated_rows(50, 10, 20, 0.1, True), INF, ridges)
    assert at.status.tolist()[:3] == [Status.OK, Status.OUT_OF_SCOPE, Status.OK]
    none = solve(spectrum, repeated_rows(0, 0, 20, 0.1, True), INF, ridges)
    assert set(none.status.tolist()) == {Status.OUT_OF_SCOPE}
    for counts, p in (([-5.0, 90.0], INF), ([50.0, 10.0], 0.0), ([50.0, 10.0], -2.0)):
        odd = Groups(counts=np.array(counts), weights=np.array([1.0, 20.0]), noise=NOISE)
        bad = solve(spectrum, odd, p, ridges)
        assert set(bad.status.tolist()) == {Status.OUT_OF_SCOPE}
    # a row of weight 0 is not there
    rows = Groups(counts=np.array([50.0, 10.0]), weights=np.array([1.0, 0.0]), noise=NOISE)
    alone = Groups(counts=np.array([50.0, 0.0]), weights=np.array([1.0, 3.0]), noise=NOISE)
    one, other = (solve(spectrum, g, 25.0, ridges) for g in (rows, alone))
    assert one.status[0] == Status.OK
    np.testing.assert_allclose(one.kappa, other.kappa, rtol=1e-13)


def test_levels_of_which_one_still_moves_are_not_converged(monkeypatch):
    """With endless features beta never moves: it must not speak for the others."""
    rows = plain_rows(100, 0.0)
    at = isotropic(60), rows, jnp.inf, jnp.array(0.3 + 2j)
    assert int(complex_levels(*at).status) == Status.OK
    with monkeypatch.context() as few:
        for name, steps in (("ARC_STEPS", 1), ("AT_EACH", 1), ("LAST", 0)):
            few.setattr(complex_ridge, name, steps)
        jax.clear_caches()  # loops are traced once
        status = int(complex_levels(*at).status)
    jax.clear_caches()
    assert status == Status.NOT_CONVERGED
