"""Power-law curves: closed forms against the endless spectrum, 40 digits and fitted slopes."""

from functools import lru_cache

import jax
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra import power_law as law
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import bias, df1, power_law, rank

batched = jax.jit(jax.vmap(ridge_risk, (None, 0, 0, None)))
endless = lru_cache(law.endless)
kappa_of = jax.jit(jax.vmap(law.ridgeless_kappa, (0, None)))
bias_of = jax.jit(jax.vmap(law.bias, (0, None, None)))
curve_of = jax.jit(jax.vmap(law.ridgeless, (0, None, None, None)))


def test_zeta_function():
    for s in (-7.3, -3.0, -2.0, -0.5, 0.0, 0.3, 0.999, 1.001, 1.5, 4.0, 11.0):
        want = float(mp.zeta(s))
        assert float(law.zeta(s)) == pytest.approx(want, rel=2e-13, abs=1e-14), s
    slope = jax.jit(jax.grad(law.zeta))
    for s in (-2.5, 0.4, 3.0):
        assert float(slope(s)) == pytest.approx(float(mp.zeta(s, 1, 1)), rel=1e-10)


@pytest.mark.parametrize(("alpha", "source"), [(1.2, 0.4), (1.5, 0.8), (2.0, 1.3)])
def test_the_endless_spectrum_is_endless(alpha, source):
    """df1 and bias of infinitely many modes: 40-digit sums accelerated by mpmath."""
    spectrum = endless(alpha, source)
    with mp.workdps(30):
        for kappa in (1e-2, 1e-5):
            k, a, d = mp.mpf(kappa), mp.mpf(alpha), 1 + 2 * mp.mpf(alpha) * mp.mpf(source)

            def integral(start, c, q, k=k, a=a):  # of k^(c-1)/(1 + kappa k^alpha)^q to infinity
                b = q - c / a
                z = -(start**-a) / k
                return start ** (c - q * a) / (a * b) * k**-q * mp.hyp2f1(q, b, b + 1, z)

            def endless_sum(c, q, k=k, a=a):
                term = lambda j: j ** (c - 1) / (1 + k * j**a) ** q  # noqa: E731
                start = 300
                ends = mp.taylor(term, start, 9)
                total = mp.fsum(term(mp.mpf(j)) for j in range(1, start)) + term(mp.mpf(start)) / 2
                total += integral(mp.mpf(start), c, q)
                return total - sum(
                    mp.bernoulli(2 * j) / (2 * j) * ends[2 * j - 1] for j in range(1, 6)
                )

            want = endless_sum(mp.mpf(1), 1)
            assert float(df1(spectrum, kappa)) == pytest.approx(float(want), rel=1e-12)
            want = k**2 * endless_sum(2 * a - d + 1, 2)
            assert float(bias(spectrum, kappa)) == pytest.approx(float(want), rel=1e-12)


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0, 3.0])
def test_ridgeless_kappa_and_its_order(alpha):
    """The error falls as n^-(1 + alpha) at least, where n in place of n + 1/2 leaves 1/n."""
    spectrum = endless(alpha)
    n = np.array([20.0, 40.0, 80.0, 160.0])
    exact = batched(spectrum, n, np.zeros(4), 0.1)
    assert np.all(exact.status == Status.OK)
    closed = kappa_of(n, alpha)
    error = np.abs(closed / exact.kappa - 1)
    assert error[0] < 1e-3
    slope = np.polyfit(np.log(n), np.log(error + 1e-13), 1)[0]
    assert slope < -(1 + alpha) + 0.15 or error.max() < 1e-11
    plain = kappa_of(n - 0.5, alpha)
    assert np.all(np.abs(plain / exact.kappa - 1) > 0.4 * alpha / n)


@pytest.mark.parametrize("source", [0.25, 0.8, 0.97, 1.0, 1.03, 1.3, 1.5, 1.7])
def test_the_bias_near_and_far_from_its_pole(source):
    """The error is O(kappa^3), also on both sides of r = 1 and at r = 3/2 (with a logarithm)."""
    n = np.array([30.0, 300.0, 3000.0])
    exact = batched(endless(1.5, source), n, np.zeros(3), 0.1)
    closed = bias_of(exact.kappa, 1.5, source)
    order = 2 * exact.kappa**3 * (1 - np.log(exact.kappa))
    assert np.all(np.abs(closed - exact.bias) < order + 1e-6 * exact.bias)
    if source == 0.8:  # the leading term alone misses by several per cent here
        leading = exact.kappa**1.6 * float(mp.gamma(0.4) * mp.gamma(1.6)) / 1.5
        assert abs(leading[1] / exact.bias[1] - 1) > 0.03


def test_the_bias_keeps_its_digits_beside_its_pole():
    """There two terms of opposite sign grow without end; their sum is smooth."""
    kappa, shifts = np.array([0.01]), np.array([-3e-5, -3e-9, -3e-13, 3e-13, 3e-9, 3e-5])
    beside = np.array([bias_of(kappa, 1.5, 1 + shift)[0] for shift in shifts])
    moved = beside / bias_of(kappa, 1.5, 1.0)[0] - 1
    assert np.all(np.abs(moved) < 50 * np.abs(shifts) + 1e-10)


def test_the_learning_curve():
    n = np.array([30.0, 300.0])
    for alpha, source in ((1.5, 0.4), (2.0, 1.3)):
        exact = batched(endless(alpha, source), n, np.zeros(2), 0.2)
        closed = curve_of(n, alpha, source, 0.2)
        np.testing.assert_allclose(closed.gamma, exact.gamma, rtol=1e-4)
        error = np.abs(closed.test_error / exact.test_error - 1)
        assert np.all(error < [3e-3, 1e-4])


def test_the_plateau_of_tempered_overfitting():
    alpha, noise = 1.5, 0.2
    for n in (1e3, 1e4):
        excess = ridge_risk(endless(alpha, 1.3), n, 0.0, noise).excess_risk
        assert abs(float(excess) / float(law.plateau(alpha, noise)) - 1) < 4 / n


def slope(alpha, source, decay, noise, rows=(1e8, 1e9)):
    n = np.array(rows)
    found = batched(endless(alpha, source), n, n ** (1 - decay), noise)
    assert np.all(found.status == Status.OK)
    signal = found.bias + found.signal_variance
    return [np.diff(np.log(v))[0] / np.diff(np.log(n))[0] for v in (signal, found.noise_variance)]


@pytest.mark.parametrize(
    ("source", "decay"), [(0.4, 0.6), (0.4, 1.2), (0.4, 2.0), (1.3, 0.8), (0.8, 1.0)]
)
def test_exponents(source, decay):
    """Local slopes from 10^8 to 10^9 rows, where the corrections have died out."""
    predicted = law.exponents(1.5, source, decay)
    signal, noise = slope(1.5, source, decay, 0.3)
    assert signal == pytest.approx(float(predicted.bias), abs=0.03)
    assert noise == pytest.approx(float(predicted.noise), abs=0.01)


def test_the_tuned_decay_is_the_best_one():
    """Its slope is where bias and noise fall alike, and every other decay ends up slower."""
    for alpha, source in ((1.5, 0.4), (2.0, 0.7), (1.5, 1.3)):
        best = law.tuned(alpha, source)
        both = law.exponents(alpha, source, best.decay)
        assert float(both.bias) == pytest.approx(float(both.noise), rel=1e-14)
        assert float(both.bias) == pytest.approx(float(best.slope), rel=1e-14)
        for decay in np.linspace(0.01, 3, 200):
            other = law.exponents(alpha, source, decay)
            assert max(float(other.bias), float(other.noise)) >= float(best.slope) - 1e-12


def test_crossovers():
    n = float(law.ridge_crossover(1e-5, 1.5))
    assert float(solve_kappa(endless(1.5), n, 0.0).value) == pytest.approx(1e-5, rel=1e-6)
    for source, tolerance in ((0.4, 0.01), (1.4, 0.1)):
        n = float(law.noise_crossover(1e-6, 1.5, source))
        found = ridge_risk(endless(1.5, source), n, 0.0, 1e-6)
        share = (found.bias + found.signal_variance) / found.noise_variance
        assert float(share) == pytest.approx(1.0, abs=tolerance)


def test_a_truncated_spectrum_is_visibly_wrong_and_its_tail_mends_it():
    exact = float(solve_kappa(endless(1.2), 300.0, 0.0).value)
    cut = float(solve_kappa(power_law(10**4, 1.2, tail=False), 300.0, 0.0).value)
    tailed = float(solve_kappa(power_law(10**4, 1.2, tail=True), 300.0, 0.0).value)
    assert cut / exact - 1 < -0.4
    assert abs(tailed / exact - 1) < 3e-4


def test_the_nodes_of_an_endless_law_reach_far_beyond_their_last_mode():
    """df1 = C kappa^-1/2 - 1/2 at a kappa of modes of rank 10^9, which are not infinitesimal."""
    spectrum = law.endless(2.0, 0.4)
    for kappa in (1e-12, 1e-17):
        learned = spectrum.eigenvalues / (spectrum.eigenvalues + kappa)
        found = spectrum.multiplicity @ learned + float(spectrum.tail_trace) / kappa
        assert found == pytest.approx(np.pi / 2 * kappa**-0.5 - 0.5, rel=1e-11)
        missed = spectrum.power @ (1 - learned) ** 2 + float(spectrum.tail_power)
        assert missed == pytest.approx(float(law.bias(kappa, 2.0, 0.4)), rel=1e-9)
    early = law.endless(2.0, 0.4, 1e-12)  # what is cut is told by the tail
    assert early.eigenvalues.min() > 1e-13 > spectrum.eigenvalues.min()
    assert float(early.tail_trace) > 100 * float(spectrum.tail_trace) > 0


@pytest.mark.parametrize("modes", [1000, 3e5, np.inf])
def test_the_sums_over_a_spectrum_are_those_over_its_modes(modes):
    """With an end nothing is beyond it; without one the tail is what a zeta function leaves."""
    alpha, source = 1.5, 0.3
    spectrum, decay = law.endless(alpha, source, modes=modes), 1 + 2 * alpha * source
    if np.isfinite(modes):
        sums = [np.sum(np.arange(1.0, modes + 1) ** -s) for s in (alpha, decay)]
        assert (float(spectrum.tail_trace), float(spectrum.tail_power)) == (0.0, 0.0)
    else:
        sums = [float(mp.zeta(s)) for s in (alpha, decay)]
    trace = spectrum.multiplicity @ spectrum.eigenvalues + spectrum.tail_trace
    power = np.sum(spectrum.power) + spectrum.tail_power
    np.testing.assert_allclose([trace, power], sums, rtol=1e-11)


def test_a_spectrum_whose_trace_diverges_is_refused():
    with pytest.raises(BadInput, match="alpha"):
        law.endless(1.0)
    for alpha in (1.0, 0.8):  # an end is enough
        assert float(rank(law.endless(alpha, modes=3e5))) == pytest.approx(3e5, rel=1e-9)
