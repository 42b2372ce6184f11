"""Kappa and the general root: against 40 digits, in batches, differentiated, and when it fails."""

import os

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from mp_ridge import LongPowerLaw, Modes

from ci_theory._errors import Status
from ci_theory.theory.spectra import fixed_point
from ci_theory.theory.spectra.compression import compress
from ci_theory.theory.spectra.fixed_point import log_root, solve_kappa
from ci_theory.theory.spectra.spectrum import Spectrum, explicit, isotropic, power_law, two_block

batched = jax.jit(jax.vmap(solve_kappa, (None, 0, 0)))


def off(value, reference):
    """Relative error, at full precision."""
    return float(abs(mp.mpf(float(value)) / reference - 1))


# One million modes, slow and less slow, below, at and beyond the interpolation peak.
LONG = [
    (1.2, 1e3, 1e-8),
    (1.2, 1e5, 1e-12),
    (1.2, 999_999.0, 1e-12),
    (1.2, 1e6, 1e-8),
    (1.2, 1e6, 1e-12),
    (1.2, 2e6, 1e-8),
    (1.5, 3e4, 1e-3),
    (1.5, 1e6, 1e-12),
]


@pytest.fixture(scope="module")
def long_roots():
    with mp.workdps(40):
        return [LongPowerLaw(10**6, a, 1 + a).kappa(n, ridge) for a, n, ridge in LONG]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_million_modes(long_roots, compressed):
    for alpha in {point[0] for point in LONG}:
        spectrum = power_law(10**6, alpha, tail=False)
        spectrum = compress(spectrum, pad_to=192) if compressed else spectrum
        for (a, n, ridge), reference in zip(LONG, long_roots, strict=True):
            if a == alpha:
                root = solve_kappa(spectrum, n, ridge)
                assert off(root.value, reference) < 1e-12, (a, n, ridge)
                assert root.status == Status.OK


def test_a_compressed_peak_keeps_its_digits():
    """At n = p only the exact count of modes tells n - df1 from rounding."""
    spectrum = power_law(1000, 1.2, tail=False)
    modes = Modes.of(spectrum)
    for ridge in (1e-12, 1e-4):
        reference = modes.kappa(1000, ridge)
        for form in (spectrum, compress(spectrum)):
            assert off(solve_kappa(form, 1000, ridge).value, reference) < 1e-12


def test_a_gap_inside_the_spectrum():
    """n equal to the number of large modes: kappa sits in the gap, far from every mode."""
    spectrum = two_block(50, 50, 1.0, 1e-9, 1.0, 1.0)
    modes = Modes.of(spectrum)
    for n in (49, 49.999999, 50, 50.000001, 51):
        for ridge in (0.0, 1e-12, 1e-6):
            assert off(solve_kappa(spectrum, n, ridge).value, modes.kappa(n, ridge)) < 1e-13


def test_without_ridge_the_rank_decides():
    spectrum = explicit([3.0, 2.0, 1.0, 0.0, 0.0], np.ones(5))
    for n in (3.0, 4.0, 5.0, 100.0):
        root = solve_kappa(spectrum, n, 0.0)
        assert (root.value, root.status, root.residual) == (0.0, Status.OK, 0.0)
    assert solve_kappa(spectrum, 2.999, 0.0).value > 0
    assert solve_kappa(power_law(3, 2.0, tail=True), 1e6, 0.0).value > 0  # a tail is never used up
    exact = compress(power_law(12_345, 1.3, tail=False))
    assert solve_kappa(exact, 12_345, 0.0).value == 0.0


def test_units_scale_out():
    """kappa(c S, c ridge) = c kappa(S, ridge), over hundreds of orders of magnitude."""
    values = np.array([1.0, 0.3, 0.01, 1e-5])
    base = solve_kappa(explicit(values, values), 3.0, 1e-3).value
    for scale in (1e-150, 1e-12, 1e12, 1e150):
        scaled = solve_kappa(explicit(values * scale, values), 3.0, 1e-3 * scale)
        assert float(scaled.value) == pytest.approx(float(base) * scale, rel=1e-14)
        assert scaled.status == Status.OK


def test_the_smallest_ridges():
    for ridge in (1e-30, 1e-100, 1e-200):
        assert (
            off(solve_kappa(isotropic(100), 100, ridge).value, mp.sqrt(mp.mpf(ridge) / 100)) < 1e-14
        )


def test_padding_and_splitting_change_nothing():
    one = power_law(200, 1.5, tail=True)
    halves = Spectrum(
        eigenvalues=np.concatenate([one.eigenvalues, np.ones(7), one.eigenvalues]),
        multiplicity=np.concatenate([one.multiplicity / 2, np.zeros(7), one.multiplicity / 2]),
        power=np.zeros(407),
        tail_trace=one.tail_trace,
        tail_power=one.tail_power,
    )
    for n, ridge in [(50.0, 0.0), (200.0, 1e-9), (300.0, 1.0)]:
        a, b = solve_kappa(one, n, ridge).value, solve_kappa(halves, n, ridge).value
        assert float(a) == pytest.approx(float(b), rel=1e-13)


STEPS = {"power law": power_law(500, 1.2, tail=False), "steep": power_law(60, 12.0, tail=False)}


@pytest.mark.parametrize("name", STEPS)
def test_few_steps_suffice(name):
    """Cubic steps: at most 16 where Newton in kappa takes several tens."""
    spectrum = STEPS[name]
    p = len(spectrum.eigenvalues)
    n, ridge = np.meshgrid([1.0, p / 3, p - 1, p, p + 1, 4 * p], [0, 1e-12, 1e-8, 1e-3, 1.0, 1e6])
    keep = (ridge > 0) | (n < p)
    n, ridge = n[keep], ridge[keep]
    steps = jax.vmap(fixed_point._iterate, (None, None, 0, 0))(
        spectrum.eigenvalues, spectrum.multiplicity, ridge, n
    )[2]
    assert steps.max() <= 16
    assert np.all(batched(spectrum, n, ridge).status == Status.OK)


def test_steps_are_monotone():
    """The iterate never jumps over the root: started on either side it stays there."""
    spectrum = power_law(100, 1.5, tail=False)
    root = float(solve_kappa(spectrum, 100.0, 1e-8).value)
    x = spectrum.eigenvalues

    def step(kappa):  # the quadratic of the docstring, formed directly from its A, s and b
        share = x / (x + kappa)
        a = np.sum(share**2 * (3 - 2 * share)) - 100.0
        s = np.sum(x**2 / (x + kappa) ** 3)
        b = 1e-8 + kappa**3 * np.sum(x / (x + kappa) ** 3)
        return max(np.roots([s, -a, -b]).real)

    for start, side in ((1e3, 1.0), (1e-12, -1.0)):
        kappa = start
        for _ in range(20):
            before, kappa = kappa, step(kappa)
            assert side * (kappa - root) > -1e-9 * root
            if abs(kappa / root - 1) < 1e-9:
                break
            assert side * (before - kappa) > 0
        else:
            pytest.fail("never arrived")


def test_one_bad_point_spoils_nothing():
    spectrum = power_law(50, 1.5, tail=False)
    n = np.array([20.0, -1.0, 20.0, np.nan, 50.0, 0.0, 20.0, 20.0, 30.0])
    ridge = np.array([0.1, 0.1, -1.0, 0.1, 1e-12, 0.1, np.nan, np.inf, 0.0])
    found = batched(spectrum, n, ridge)
    out, lost = Status.OUT_OF_SCOPE, Status.NOT_FINITE
    assert found.status.tolist() == [0, out, out, lost, 0, out, lost, lost, 0]
    good = found.status == Status.OK
    assert np.all(np.isnan(found.value[~good]))
    for i in np.flatnonzero(good):
        alone = solve_kappa(spectrum, n[i], ridge[i])
        assert found.value[i] == pytest.approx(float(alone.value), rel=1e-15)


def test_what_does_not_converge_says_so(monkeypatch):
    monkeypatch.setattr(fixed_point, "MOST_STEPS", 3)
    spectrum = power_law(37, 1.5, tail=False)  # a length of its own, so that it is compiled anew
    root = solve_kappa(spectrum, 37.0, 1e-12)
    assert root.status == Status.NOT_CONVERGED
    assert root.residual > 1e-3


def kappa_of(values, count, tail, rows, amount):
    spectrum = Spectrum(
        eigenvalues=values, multiplicity=count, power=count, tail_trace=tail, tail_power=tail
    )
    return solve_kappa(spectrum, rows, amount).value


everything = (0, 1, 2, 3, 4)
reverse = jax.jit(jax.grad(kappa_of, everything))
forward = jax.jit(jax.jacfwd(kappa_of, everything))
curvature = jax.jit(jax.grad(jax.grad(kappa_of, 3), 3))


@pytest.mark.parametrize(("n", "ridge"), [(7.0, 0.3), (20.0, 1e-12), (33.5, 1e-8), (12.0, 0.0)])
def test_derivatives(n, ridge):
    """Every first derivative, and the second in n, against 60-digit differences."""
    spectrum = power_law(20, 1.2, tail=ridge > 0.1)
    at = (spectrum.eigenvalues, spectrum.multiplicity, spectrum.tail_trace, n, ridge)
    slopes = reverse(*at)
    modes = Modes.of(spectrum)
    h = mp.mpf("1e-12") * modes.kappa(n, ridge) / 10**6

    def shifted(name, index, sign):
        moved = Modes.of(spectrum)
        if index is None:
            setattr(moved, name, getattr(moved, name) + sign * h)
        else:
            getattr(moved, name)[index] += sign * h
        return moved.kappa(n, ridge)

    def check(got, name, index=None):
        want = (shifted(name, index, 1) - shifted(name, index, -1)) / (2 * h)
        assert off(got, want) < 1e-11, name

    for index in (0, 10, 19):
        check(slopes[0][index], "eigenvalues", index)
        check(slopes[1][index], "multiplicity", index)
    check(slopes[2], "tail_trace")
    central = (modes.kappa(mp.mpf(n) + h, ridge) - modes.kappa(mp.mpf(n) - h, ridge)) / (2 * h)
    assert off(slopes[3], central) < 1e-11
    assert off(slopes[4] / slopes[2], mp.mpf(1)) < 1e-13  # ridge and tail enter alike
    for a, b in zip(slopes, forward(*at), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)

    step = mp.mpf("1e-9") * modes.kappa(n, ridge)
    bend = modes.kappa(mp.mpf(n) + step, ridge) + modes.kappa(mp.mpf(n) - step, ridge)
    want = (bend - 2 * modes.kappa(n, ridge)) / step**2
    assert off(curvature(*at), want) < 1e-9


def test_derivative_of_least_squares():
    """At ridge = 0 and n > p kappa is ridge/(n - p) to first order."""
    slope = jax.grad(lambda ridge: solve_kappa(isotropic(30), 50.0, ridge).value)(0.0)
    assert float(slope) == pytest.approx(1 / 20, rel=1e-14)
    assert jax.grad(lambda n: solve_kappa(isotropic(30), n, 0.0).value)(50.0) == 0


class TestLogRoot:
    def test_either_direction_and_endpoints(self):
        for sign in (1, -1):
            found = log_root(lambda x, s: s * (x - 3.0), 1e-200, 1e200, float(sign))
            assert (found.value, found.status) == (3.0, Status.OK)
        assert log_root(lambda x: jnp.log(x) * jnp.inf, 0.5, 1.0).value == 1.0

    def test_hard_functions(self):
        """Flat, steep and kinked: the bracket holds where Newton would leave."""
        cases = [
            (lambda x: jnp.arctan(1e6 * (x - 1.7)), 1.7),
            (lambda x: (x - 2.0) ** 3, 2.0),
            (lambda x: jnp.where(x < 5, -1e-9 * (5 - x), 1e9 * (x - 5)), 5.0),
            (lambda x: 1 / x - 1e40, 1e-40),
            (lambda x: jnp.exp(-x) - 1e-200, 200 * np.log(10.0)),
        ]
        for function, root in cases:
            found = log_root(function, 1e-60, 1e6)
            assert float(found.value) == pytest.approx(root, rel=1e-5 if root == 2.0 else 1e-12)

    def test_no_crossing_is_reported(self):
        found = jax.vmap(lambda a: log_root(lambda x: x - a, 1e-3, 1e3))(
            jnp.array([1.0, 1e9, jnp.nan, 2.0])
        )
        assert found.status.tolist() == [0, Status.NOT_CONVERGED, Status.NOT_FINITE, 0]
        np.testing.assert_allclose(found.value[jnp.array([0, 3])], [1.0, 2.0], rtol=1e-15)

    def test_a_root_on_the_bound_to_rounding_is_taken(self):
        found = log_root(lambda x: x - 1e3 * (1 + 1e-14), 1e-3, 1e3)
        assert found.status == Status.OK

    def test_derivatives_reach_arguments_and_closures(self):
        def through_argument(a):
            return log_root(lambda x, b: x**3 - b, 1e-3, 1e3, a).value

        def through_closure(a):
            return log_root(lambda x: x**3 - a, 1e-3, 1e3).value

        for function in (through_argument, through_closure):
            assert float(jax.grad(function)(8.0)) == pytest.approx(1 / 12, rel=1e-14)
            second = jax.jit(jax.jacfwd(jax.grad(function)))(8.0)
            assert float(second) == pytest.approx(-2 / 9 * 8 ** (-5 / 3), rel=1e-13)


@pytest.mark.skipif(
    "CI_THEORY_SHAPES" not in os.environ, reason="make test-optimised checks shapes"
)
def test_shapes_are_checked():
    """The import hook of conftest.py: without it a vector would be broadcast without a word."""
    with pytest.raises(TypeCheckError, match="ridge"):
        solve_kappa(power_law(5, 1.5), 3, np.ones(3))
