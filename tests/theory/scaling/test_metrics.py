"""Metrics of an error: against sympy, 40-digit arithmetic, and literal scoring of drawn answers."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from ci_theory import BadInput
from ci_theory.theory.scaling import metrics
from ci_theory.theory.scaling.power_law_limits import local_slope


def test_the_half_point_solves_its_equation():
    c, b, length, wanted, size = sp.symbols("c b L w N", positive=True)  # w = log(1/q)
    place = sp.solve(sp.Eq(length * (c / size) ** b, wanted), size)
    numbers = {c: 30, b: sp.Rational(2, 5), length: 17, wanted: sp.log(4)}
    assert len(place) == 1
    found = float(metrics.half_point(30.0, 0.4, 17, 0.25))
    assert found == pytest.approx(float(place[0].subs(numbers).evalf(30)), rel=1e-13)


@pytest.mark.parametrize(
    ("error", "length"), [(1e-13, 10**12), (0.3, 7), (0.999, 3), (0.2, 0), (1.0, 0)]
)
def test_exact_match_at_40_digits(error, length):
    with mp.workdps(40):
        wanted = float((1 - mp.mpf(error)) ** length)
        level = float((1 - mp.mpf(error)) ** 5)
    assert float(metrics.exact_match(error, length)) == pytest.approx(wanted, rel=1e-13)
    assert float(metrics.error_at(level, 5)) == pytest.approx(error, rel=1e-12, abs=1e-15)


def test_error_and_entropy_give_one_curve_and_only_together():
    entropy, length = 0.2, 9
    same = metrics.exact_match(metrics.error_of_entropy(entropy), length)
    assert float(same) == pytest.approx(np.exp(-length * entropy), rel=1e-14)
    assert float(metrics.exact_match(entropy, length)) < 0.9 * float(same)
    small, tokens = 1e-3, 50.0  # exp(-L eps) is above, by L eps^2 / 2
    gap = np.exp(-tokens * small) / float(metrics.exact_match(small, tokens)) - 1
    assert gap == pytest.approx(tokens * small**2 / 2, rel=2e-3)


def test_the_factor_between_the_two_half_points():
    b, length = 0.5, 400
    of_error = float(metrics.error_at(0.5, length)) ** (-1 / b)
    ratio = of_error / float(metrics.half_point(1.0, b, length))
    assert ratio - 1 == pytest.approx(np.log(2) / (2 * b * length), rel=2e-3)


@pytest.mark.parametrize(("wrong", "right", "length"), [(1, 19, 10), (0.3, 1e6, 2000), (2, 0.5, 1)])
def test_mixture_is_a_ratio_of_beta_functions(wrong, right, length):
    with mp.workdps(40):
        wanted = mp.beta(wrong, right + length) / mp.beta(wrong, right)
        by_hand = mp.quad(
            lambda e: e ** (mp.mpf(wrong) - 1) * (1 - e) ** (mp.mpf(right) - 1 + length),
            [0, 0.5, 1],
        ) / mp.beta(wrong, right)
    found = float(metrics.exact_match_mixed(wrong, right, length))
    assert found == pytest.approx(float(wanted), rel=1e-12)
    if right < 100:
        assert found == pytest.approx(float(by_hand), rel=1e-6)
    assert found >= float(metrics.exact_match(wrong / (wrong + right), length)) * (1 - 1e-14)


def test_a_mixture_falls_as_a_power_not_exponentially():
    ratio = metrics.exact_match_mixed(1.5, 4.0, 40_000) / metrics.exact_match_mixed(
        1.5, 4.0, 20_000
    )
    assert float(ratio) == pytest.approx(0.5**1.5, rel=1e-3)


def test_scores_of_drawn_answers():
    rng = np.random.default_rng(5)
    runs, length = 40_000, 12
    errors = rng.beta(2.0, 30.0, runs)
    wrong = rng.random((runs, length)) < errors[:, None]
    whole = (~wrong.any(axis=1)).mean()
    edits = wrong.sum(axis=1)
    mixed = float(metrics.exact_match_mixed(2.0, 30.0, length))
    assert abs(whole - mixed) < 4 * np.sqrt(mixed * (1 - mixed) / runs)
    assert abs(edits.mean() - float(metrics.edit_distance(2 / 32, length))) < 4 * (
        edits.std() / np.sqrt(runs)
    )
    assert abs(whole - float(metrics.exact_match(2 / 32, length))) > 0.03  # Jensen


def test_brier_is_its_definition():
    error, choices = 0.37, 5
    chances = np.full(choices, error / (choices - 1))
    chances[2] = 1 - error
    right = np.eye(choices)[2]
    assert float(metrics.brier(error, choices)) == pytest.approx(np.sum((chances - right) ** 2))


def test_leaks_by_chance():
    rng = np.random.default_rng(2)
    met = (rng.random((20_000, 30)) < 0.04).any(axis=1) | (rng.random(20_000) < 0.2)
    share = float(metrics.leaked_share(0.2, 0.04, 30))
    assert abs(met.mean() - share) < 4 * np.sqrt(share * (1 - share) / 20_000)
    with mp.workdps(30):
        rare = float(1 - (1 - mp.mpf(1e-14)) ** 100)
    assert float(metrics.leaked_share(0.0, 1e-14, 100.0)) == pytest.approx(rare, rel=1e-12)


def test_slopes_tell_the_smooth_metric_from_the_sharp_one():
    """d log(1 - score)/d log N: -b for a token, and from 0 to -b for a sequence."""
    scale, b, length = 10.0, 0.5, 50.0

    @jax.jit
    def slopes(sizes):
        def token(size):
            return metrics.error_of_entropy((scale / size) ** b)

        def sequence(size):
            return 1 - metrics.exact_match(token(size), length)

        return local_slope(token, sizes), local_slope(sequence, sizes)

    sizes = jnp.array([1e3, float(metrics.half_point(scale, b, length)), 1e9])
    token, sequence = slopes(sizes)
    np.testing.assert_allclose(token, [-0.476, -0.4966, -0.49998], atol=1e-3)
    u = length * np.sqrt(scale / np.asarray(sizes))
    np.testing.assert_allclose(sequence, -b * u / np.expm1(u), rtol=1e-10)
    assert float(sequence[1]) == pytest.approx(-b * np.log(2), rel=1e-12)


@pytest.mark.parametrize("length", [-1, metrics.LONGEST + 1])
def test_bad_lengths_are_told(length):
    with pytest.raises(BadInput, match="expected 0 to"):
        metrics.exact_match_mixed(1.0, 2.0, length)
