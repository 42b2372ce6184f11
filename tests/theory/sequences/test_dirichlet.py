"""Rows of unknown chains: losses by visit and overlaps, against integrals and plain counting."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, special, stats

from ci_theory.theory.sequences.dirichlet import (
    endless_loss,
    log_evidence,
    overlap,
    overlap_law,
    row_nodes,
    row_price,
    visit_losses,
)


def test_losses_by_visit_are_those_of_drawn_rows():
    """Means over a row of a biased coin by quadrature, over counts by the binomial law."""
    a, n = 0.7, 6

    def loss(p):
        c = np.arange(n + 1)
        guess = np.log((c + a) / (n + 2 * a)), np.log((n - c + a) / (n + 2 * a))
        return -stats.binom.pmf(c, n, p) @ (p * guess[0] + (1 - p) * guess[1])

    law = stats.beta(a, a)
    mean = 2 * integrate.quad(lambda y: loss(y**2) * law.pdf(y**2) * y, 0, 0.5**0.5)[0]
    mean += 2 * integrate.quad(lambda y: loss(1 - y**2) * law.pdf(1 - y**2) * y, 0, 0.5**0.5)[0]
    assert float(visit_losses(n + 1, 2, a)[n]) == pytest.approx(mean, rel=1e-10)


def test_losses_by_visit_fall_from_a_guess_to_the_entropy():
    losses = np.asarray(visit_losses(400, 3, 1.0))
    assert losses[0] == pytest.approx(np.log(3), rel=1e-14)
    assert np.all(np.diff(losses) < 0)
    assert losses[[1, 5, 20]] == pytest.approx([1.03972, 0.94381, 0.87427], abs=6e-6)
    end = float(endless_loss(3, 1.0))
    assert end == pytest.approx(1 / 2 + 1 / 3, rel=1e-14)  # psi(4) - psi(2)
    assert losses[-1] - end == pytest.approx(1 / 400, rel=0.02)  # (K - 1)/2 n


def test_the_price_of_a_row_is_what_its_steps_tell_of_it():
    n, a = 5, 1.5
    c = np.arange(n + 1)
    evidence = np.exp(np.asarray(log_evidence(np.stack([c, n - c], axis=1), a)))

    def information(p):
        chance = p**c * (1 - p) ** (n - c)
        return special.binom(n, c) * chance @ np.log(chance / evidence)

    mean = integrate.quad(lambda p: information(p) * stats.beta.pdf(p, a, a), 0, 1)[0]
    assert float(row_price(n, 2, a)) == pytest.approx(mean, rel=1e-9)
    prices = [float(row_price(n, 4, 1.0)) for n in (50, 100, 200, 400)]
    early, later, late = np.diff(prices) / (1.5 * np.log(2))  # half a logarithm a free chance
    assert early < later < late < 1
    assert 1 - late < 0.55 * (1 - later)


def test_the_price_of_one_visit_is_told_by_sympy():
    """ln K - psi(Ka + 1) + psi(a + 1): for two states and a = 1 ln 2 - 1/2."""
    exact = sp.log(2) - sp.digamma(3) + sp.digamma(2)
    assert float(row_price(1, 2, 1.0)) == pytest.approx(float(sp.N(exact, 30)), rel=1e-14)
    assert sp.simplify(exact - sp.log(2) + sp.Rational(1, 2)) == 0


@pytest.mark.parametrize(("n", "states"), [(4, 2), (3, 3), (5, 3), (3, 4)])
def test_the_overlap_is_a_mean_over_all_sequences(n, states):
    """Whole-number moments of the uniform law on the simplex, sequence by sequence."""

    def moment(counts):
        ways = math.prod(math.factorial(int(c)) for c in counts) * math.factorial(states - 1)
        return Fraction(ways, math.factorial(int(sum(counts)) + states - 1))

    total = Fraction(0)
    for sequence in itertools.product(range(states), repeat=n):
        counts = np.bincount(sequence, minlength=states)
        total += moment(2 * counts) / moment(counts)
    assert float(overlap(n, states, 1.0)) == pytest.approx(float(total), rel=1e-13)


def test_overlaps_at_one_are_closed():
    for n in (1, 2, 7, 50, 300):
        two = (n + 1) / (2 * n + 1) * math.exp(n * math.log(4) - math.log(math.comb(2 * n, n)))
        assert float(overlap(n, 2, 1.0)) == pytest.approx(two, rel=1e-11)
        assert float(overlap(n, 3, 1.0)) == pytest.approx(1 + n / 2, rel=1e-11)


@pytest.mark.parametrize(("states", "a"), [(2, 1.0), (2, 3.0), (3, 0.8), (5, 1.0)])
def test_the_overlap_forgets_the_prior(states, a):
    near, far = (float(overlap(n, states, a) / overlap_law(n, states)) for n in (150, 600))
    assert abs(far - 1) < (0.03 if a <= 1 else 0.09)  # fewer rows near the ends: slower
    assert abs(far - 1) < 0.6 * abs(near - 1)


def test_jeffreys_volume_of_a_row_is_told_by_sympy():
    p, q = sp.symbols("p q", positive=True)
    two = sp.integrate(1 / sp.sqrt(p * (1 - p)), (p, 0, 1))
    inside = sp.integrate(1 / sp.sqrt(q * (1 - q)), (q, 0, 1))  # q times 1 - p, whatever p is
    three = sp.integrate(1 / sp.sqrt(p), (p, 0, 1)) * inside
    for states, volume in ((2, two), (3, three)):
        law = (sp.Rational(100) / (4 * sp.pi)) ** sp.Rational(states - 1, 2) * volume
        assert float(overlap_law(100, states)) == pytest.approx(float(law), rel=1e-14)


@pytest.mark.parametrize(("states", "a"), [(2, 1.0), (2, 0.5), (3, 1.0), (3, 2.5), (4, 1.0)])
def test_nodes_have_the_moments_of_the_law(states, a):
    rule = row_nodes(states, a, 24)
    assert rule.chances.sum(axis=1) == pytest.approx(1.0, rel=1e-14)
    for counts in ((0, 0), (3, 2), (9, 1), (1, 11)):
        full = np.zeros(states)
        full[:2] = counts
        full[-1] += 2
        mean = rule.weights @ np.prod(rule.chances**full, axis=1)
        assert mean == pytest.approx(float(np.exp(log_evidence(full, a))), rel=1e-9)
