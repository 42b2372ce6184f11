"""An inherited label prior: the sum over counts, its limits, and what small priors ask for."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq, minimize_scalar
from scipy.special import logit

from ci_theory.theory.inheritance.prior_bias import (
    MOST_LABELS,
    WINDOW,
    adjusted_errors,
    best_strength,
    binomial,
    fewest_labels,
    gaussian_errors,
    log_odds,
    shifted_errors,
    told_share,
)

LAWS = [(0.6, 0.0), (0.8, 0.0), (0.9, 0.2)]


def test_errors_are_shares_of_gaussian_scores():
    rng = np.random.default_rng(0)
    mu, shift, count = 0.9, 0.7, 400_000
    x = rng.normal(size=count)
    made = shifted_errors(mu**2, shift, 0.2)
    for wrong, value in (
        (2 * mu * (x + mu) + shift < 0, made.common),
        (2 * mu * (x - mu) + shift > 0, made.rare),
    ):
        assert float(value) == pytest.approx(wrong.mean(), abs=4 * wrong.std() / count**0.5)
    other = shifted_errors(mu**2, 0.2, 0.2)
    apart = (other.common + other.rare - made.common - made.rare) / 2
    assert float(made.gain) == pytest.approx(float(apart), abs=1e-16)


@pytest.mark.parametrize(("prior", "flips"), LAWS)
def test_means_are_sums_over_every_count(prior, flips):
    """All counts one by one, in Python's own arithmetic."""
    n, strength, separation = 7, 0.8, 1.3
    told, odds = prior * (1 - flips) + (1 - prior) * flips, math.log(prior / (1 - prior))
    common = rare = 0.0
    for k in range(n + 1):
        chance = math.comb(n, k) * told**k * (1 - told) ** (n - k)
        shift = odds - strength * math.log((k + 0.5) / (n - k + 0.5))
        root = math.sqrt(separation)
        common += chance * stats.norm.cdf(-root - shift / (2 * root))
        rare += chance * stats.norm.cdf(-root + shift / (2 * root))
    made = adjusted_errors(separation, prior, n, strength, flips)
    assert float(made.common) == pytest.approx(common, rel=1e-12)
    assert float(made.rare) == pytest.approx(rare, rel=1e-12)
    assert float(made.under(0.3)) == pytest.approx(0.3 * common + 0.7 * rare, rel=1e-12)
    before = sum(stats.norm.cdf(-root + s * odds / (2 * root)) for s in (-1, 1)) / 2
    assert float(made.gain) == pytest.approx(before - (common + rare) / 2, abs=1e-14)


@pytest.mark.parametrize("n", [0, 1, WINDOW - 1, WINDOW, 9000, MOST_LABELS])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.999])
def test_the_window_holds_the_binomial(n, share):
    counts, chances = (np.asarray(v) for v in binomial(n, share))
    assert np.sum(chances) == pytest.approx(1, abs=1e-14)
    assert np.allclose(
        chances[counts <= n],
        stats.binom.pmf(counts, n, share)[counts <= n] * (chances > 0),
        rtol=1e-8,
        atol=1e-300,
    )
    assert chances @ counts == pytest.approx(n * share, rel=1e-12)
    assert chances @ (counts - n * share) ** 2 == pytest.approx(n * share * (1 - share), rel=1e-9)


def test_what_is_not_taken_off_costs_exactly_nothing():
    """Otherwise rounding is taken for a gain, and its sign for a break."""
    for n in (6, 10, 40, 250):
        assert float(adjusted_errors(0.5, 0.6, n, 0.0).gain) == 0.0


@pytest.mark.parametrize(("prior", "flips"), LAWS)
def test_many_labels_have_gaussian_log_odds(prior, flips):
    """Off by the order of 1/(n q (1 - q)), which is told from a half and from a double of it."""
    q = float(told_share(prior, flips))
    gaps = []
    for n in (100, 400, 1600):
        exact, close = (
            form(1.0, prior, n, 0.9, flips).under(0.5)
            for form in (adjusted_errors, gaussian_errors)
        )
        gaps.append(abs(float(exact / close) - 1) * n * q * (1 - q))
        assert gaps[-1] / (n * q * (1 - q)) < 0.02
    assert gaps[2] < 1.2 * gaps[0]
    endless = gaussian_errors(1.0, prior, np.inf, 0.9, flips)
    left = float(log_odds(prior) - 0.9 * log_odds(q))
    known = shifted_errors(1.0, left, log_odds(prior))
    for one, other in zip(endless, known, strict=True):
        assert float(one) == pytest.approx(float(other), rel=1e-13)
    assert float(shifted_errors(1.0, 0.0, 0.0).rare) == pytest.approx(stats.norm.cdf(-1), rel=1e-14)


@pytest.mark.parametrize(("prior", "flips"), LAWS)
def test_gaussian_errors_are_means_over_log_odds_of_the_labels_told(prior, flips):
    """The share is that of wrong labels too, and so is how widely its log odds scatter."""
    mu, n, strength, step = 0.9, 60, 1.3, 1e-5
    share = prior * (1 - flips) + (1 - prior) * flips
    slope = (logit(share + step) - logit(share - step)) / (2 * step)
    z, weights = np.polynomial.hermite_e.hermegauss(60)
    told = logit(share) + slope * np.sqrt(share * (1 - share) / n) * z
    moved = (logit(prior) - strength * told) / (2 * mu)
    made = gaussian_errors(mu**2, prior, n, strength, flips)
    for found, sign in ((made.common, -1), (made.rare, 1)):
        mean = weights @ stats.norm.cdf(-mu + sign * moved) / weights.sum()
        assert float(found) == pytest.approx(mean, rel=1e-7)


def gain(n, prior, mu):
    return float(gaussian_errors(mu**2, prior, n, 1.0).gain)


def test_labels_needed_of_small_and_of_large_priors():
    """25.3 labels for a share of 0.6; for 0.9 the small-prior form says 2.3, the curve 0.7."""
    assert float(fewest_labels(0.6, 1.0)) == pytest.approx(25.34, abs=0.01)
    assert brentq(gain, 1, 100, args=(0.6, 1.0)) == pytest.approx(25.0, abs=0.5)
    assert float(fewest_labels(0.9, 1.0)) == pytest.approx(2.3, abs=0.01)
    assert brentq(gain, 0.05, 100, args=(0.9, 0.7)) == pytest.approx(0.7, abs=0.05)
    small = 0.501
    place = brentq(gain, 1e4, 1e7, args=(small, 1.0))
    assert float(fewest_labels(small, 1.0)) == pytest.approx(place, rel=1e-4)


@pytest.mark.parametrize(("flips", "strength"), [(0.0, 1.7), (0.3, 1.2), (0.3, 4.9)])
def test_small_priors_at_other_strengths_and_with_wrong_labels(flips, strength):
    prior = 0.5005
    place = fewest_labels(prior, strength, flips)

    def paid(log_n):
        return float(gaussian_errors(1.0, prior, np.exp(log_n), strength, flips).gain)

    found = np.exp(brentq(paid, np.log(place) - 2, np.log(place) + 2))
    assert float(place) == pytest.approx(found, rel=1e-4)
    n = 3e6

    def cost(tau):
        return float(-1e9 * gaussian_errors(1.0, prior, n, tau, flips).gain)

    best = minimize_scalar(cost, bounds=(0, 6), method="bounded").x
    assert float(best_strength(prior, n, flips)) == pytest.approx(best, rel=1e-2)


def test_no_number_of_labels_is_enough_for_too_much_strength():
    assert float(fewest_labels(0.7, 2.0)) == np.inf  # twice the prior, on the other side
    assert np.isfinite(float(fewest_labels(0.7, 2.0, 0.1)))  # wrong labels tell less of it
    assert float(fewest_labels(0.5, 1.0)) == np.inf
    assert float(best_strength(0.5, 100)) == 0.0
    assert float(best_strength(0.8, 1e12)) == pytest.approx(1.0)
    hidden = float(log_odds(0.8) / log_odds(told_share(0.8, 0.2)))
    assert float(best_strength(0.8, 1e12, 0.2)) == pytest.approx(hidden)
    assert hidden > 1
