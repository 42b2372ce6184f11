"""Zipf's law: exact sums against brute force and high precision, power laws against exact sums."""

import jax
import mpmath as mp
import numpy as np
import pytest
import scipy.stats

from ci_theory import BadInput
from ci_theory.theory.discrete import zipf


@pytest.fixture(autouse=True)
def _forty_digits():
    with mp.workdps(40):  # other files have their own precision
        yield


@pytest.mark.parametrize(("vocabulary", "exponent"), [(7, 1.0), (40, 2.3), (300, 0.5)])
@pytest.mark.parametrize(("n", "times"), [(0, 0), (5, 0), (5, 1), (5, 5), (5, 6), (4000, 3)])
def test_exact_sums_at_40_digits(vocabulary, exponent, n, times):
    weights = [mp.mpf(i) ** -mp.mpf(exponent) for i in range(1, vocabulary + 1)]
    exact = [w / mp.fsum(weights) for w in weights]
    chance = [mp.binomial(n, times) * q**times * (1 - q) ** (n - times) for q in exact]
    p = zipf.frequencies(vocabulary, exponent)
    np.testing.assert_allclose(p, np.array(exact, float), rtol=2e-15)
    wanted = float(mp.fsum(q * c for q, c in zip(exact, chance, strict=True)))
    assert float(zipf.mass_seen(p, n, times)) == pytest.approx(wanted, rel=1e-12, abs=1e-300)
    count = float(mp.fsum(chance))
    assert float(zipf.items_seen(p, n, times)) == pytest.approx(count, rel=1e-12, abs=1e-300)
    if 0 < times <= n:
        assert float(zipf.price(p, n, times)) == pytest.approx(wanted / count, rel=1e-12)


def test_every_draw_is_of_an_item_met_so_or_so_often():
    p = zipf.frequencies(20, 1.3)
    assert sum(float(zipf.mass_seen(p, 6, t)) for t in range(7)) == pytest.approx(1, rel=1e-14)
    met = sum(float(zipf.items_seen(p, 6, t)) * t for t in range(7))
    assert met == pytest.approx(6, rel=1e-13)


@pytest.mark.parametrize("exponent", [1.2, 1.5, 2.0, 3.5])
@pytest.mark.parametrize("n", [0, 1, 30, 1000, 10**6])
def test_endless_sum_by_a_longer_sum_and_euler_maclaurin(exponent, n):
    first = 1 / mp.zeta(exponent)

    def term(i):
        q = first * mp.mpf(i) ** -exponent
        return q * mp.exp(n * mp.log1p(-q))

    # Euler and Maclaurin from a place at which the terms vary slowly; the integral in log i
    count = 4000 if n < 10**6 else 60_000
    i = np.arange(1, count, dtype=np.longdouble)
    q = np.longdouble(str(first)) * i ** np.longdouble(-exponent)
    head = float(np.sum(q * np.exp(n * np.log1p(-q))))
    ends = [mp.log(count) + k for k in (0, 3, 10, 30, 100, 500)]
    integral = mp.quad(lambda s: term(mp.exp(s)) * mp.exp(s), ends)
    tail = integral + term(count) / 2 - mp.diff(term, count) / 12 + mp.diff(term, count, 3) / 720
    assert zipf.endless_unseen_mass(n, exponent) == pytest.approx(float(head + tail), rel=1e-12)


def test_against_published_simulations():
    """Draws of an independent program: missing mass, items met once and twice, their prices."""
    assert abs(zipf.endless_unseen_mass(100, 1.5) - 0.2003) < 4 * 0.0013 + 1e-4
    assert abs(zipf.endless_unseen_mass(1000, 2.0) - 0.02182) < 4 * 0.00015
    p = zipf.frequencies(20_000, 1.5)
    assert abs(float(zipf.mass_seen(p, 1000)) - 0.08945) < 4 * 0.00029
    assert abs(float(zipf.price(p, 1000, 1)) - 3.524e-4) < 4 * 0.017e-4
    assert abs(float(zipf.price(p, 1000, 2)) - 1.324e-3) < 4 * 0.009e-3
    wide = zipf.frequencies(10**6, 1.5)
    assert float(zipf.items_seen(wide, 1000, 1)) == pytest.approx(93.45, abs=0.01)
    assert float(zipf.items_seen(wide, 1000, 2)) == pytest.approx(15.70, abs=0.01)


@pytest.mark.parametrize("exponent", [1.3, 1.5, 2.0])
def test_the_law_is_off_by_its_stated_correction(exponent):
    b = 1 - 1 / exponent
    first = 1 / float(mp.zeta(exponent))
    for n in (300.0, 3000.0):
        ratio = zipf.endless_unseen_mass(n, exponent) / float(
            zipf.unseen_law(n, first, np.inf, exponent)
        )
        assert (ratio - 1) * n == pytest.approx(-b * (b + 1) / 2, rel=0.02 + 3 / n)


@pytest.mark.parametrize("n", [1e3, 3e4, 1e6])
def test_the_end_of_the_vocabulary_is_in_the_laws(n):
    """With 1000 items the missing mass falls exponentially in the end; powers alone are far off."""
    p = zipf.frequencies(1000, 2.0)
    first = float(p[0])
    exact = float(zipf.mass_seen(p, n))
    assert float(zipf.unseen_law(n, first, 1000, 2.0)) == pytest.approx(exact, rel=2e-3)
    once = float(zipf.items_seen(p, n, 1))
    assert float(zipf.items_seen_law(n, 1, first, 1000, 2.0)) == pytest.approx(once, rel=3e-3)
    endless = float(zipf.unseen_law(n, first, np.inf, 2.0))
    assert (abs(endless / exact - 1) > 0.03) == (n > 1e3)


def test_price_nears_its_law_and_good_turing_its_mean():
    p = zipf.frequencies(10**6, 2.0)
    for times in (1, 2, 5):
        exact = float(zipf.price(p, 1000.0, times))
        assert exact == pytest.approx(zipf.price_law(1000, times, 2.0), rel=3 * times / 1000)
    # l/n, without the discount, is not the price of the rare
    assert float(zipf.price(p, 1000.0, 1)) < 0.6 / 1000


def test_slopes_by_differentiation():
    """d log E / d log n of the law is -(1 - 1/alpha), of the exact curve nearly so."""
    p = zipf.frequencies(10**5, 2.0)

    def slope(log_n):
        return jax.grad(lambda u: jax.numpy.log(zipf.mass_seen(p, jax.numpy.exp(u))))(log_n)

    assert float(slope(np.log(1000.0))) == pytest.approx(-0.5, abs=0.005)


@pytest.mark.parametrize(
    "call",
    [
        lambda: zipf.frequencies(1, 2.0),
        lambda: zipf.endless_unseen_mass(10, 1.0),
        lambda: zipf.endless_unseen_mass(-1, 2.0),
    ],
)
def test_bad_input_is_told(call):
    with pytest.raises(BadInput, match="expected"):
        call()


def test_laws_end_half_a_rank_beyond_the_vocabulary():
    """Where rare items are met about once, a law that ends at the last rank is 0.4 % off."""
    p = np.asarray(zipf.frequencies(200, 1.5))
    for n in (2000, 5000):
        law = zipf.unseen_law(n, p[0], 200, 1.5)
        assert float(law) == pytest.approx(np.sum(p * (1 - p) ** n), rel=5e-4)
        once = zipf.items_seen_law(n, 1, p[0], 200, 1.5)
        assert float(once) == pytest.approx(n * np.sum(p * (1 - p) ** (n - 1)), rel=3e-4)
        for times in (2, 3):
            law = zipf.items_seen_law(n, times, p[0], 200, 1.5)
            drawn = np.sum(scipy.stats.binom.pmf(times, n, p))
            assert float(law) == pytest.approx(drawn, rel=5e-3)


def test_with_endless_draws_the_rarest_item_sets_the_price():
    """Where every chance underflows, what is next to be told is still an item's frequency."""
    p = zipf.frequencies(3, 1.0)
    assert float(zipf.price(p, 1e6, 2)) == pytest.approx(2 / 11, rel=1e-12)
    for vocabulary, wanted in ((5.0, 0.0), (np.inf, np.inf)):  # seen more often, or new
        assert float(zipf.items_seen_law(np.inf, 2, 0.5, vocabulary, 1.5)) == wanted
