"""The worst repeat count on a spectrum: by symbols, by the exact equations, and its growth."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory import Status
from ci_theory.theory.features.random_features import random_feature_risk
from ci_theory.theory.features.repeated_features import repeated_feature_risk
from ci_theory.theory.ridge.best_ridge import best_ridge
from ci_theory.theory.rows.repeat_peak import data_rich_excess, worst_repeats
from ci_theory.theory.rows.repeat_scaling import (
    peak_noise,
    size_exponent,
    worst_repeats_features,
    worst_repeats_law,
    worst_repeats_of,
    worst_repeats_on,
)
from ci_theory.theory.spectra import power_law
from ci_theory.theory.spectra.spectrum import df1, isotropic


def mp_worst(eps, f, beta):
    """Maximise the noise part over r with the shares solved to 40 digits: no expansion."""
    with mp.workdps(40):
        eps, f, beta = mp.mpf(eps), mp.mpf(f), mp.mpf(beta)

        def harm(log_r):
            r = mp.exp(log_r)

            def gap(sigma):  # s/N and df1/N = eps sigma^beta, at df1 ~ kappa^-beta
                e = eps * sigma**beta / sigma
                return (1 - f) / (1 + e) + f / (1 + r * e) - sigma

            sigma = mp.findroot(gap, (1 - f, 1), solver="anderson")
            used = eps * sigma**beta
            e = used / sigma
            squares = (1 - f) / (1 + e) ** 2 + f * r / (1 + r * e) ** 2
            return used * squares / sigma**2

        start = mp.log(1 / eps) - beta / 2 * mp.log(1 - f)
        return float(mp.exp(mp.findroot(lambda u: mp.diff(harm, u), start)))


@pytest.mark.parametrize("alpha", [np.inf, 3.0, 1.5, 1.1])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_both_orders_against_the_maximum_itself(alpha, fraction):
    """What the law leaves out falls with df1/N: at a tenth of it, about a tenth is left."""
    off = []
    for eps in (1e-3, 1e-4):
        law = float(worst_repeats_law(1 / eps, fraction, 1.0, alpha))
        off.append(law - mp_worst(eps, fraction, 1 / alpha))
    assert abs(off[1]) < 0.02
    assert abs(off[1]) < 0.2 * abs(off[0])


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_without_a_ridge_it_is_the_closed_form(fraction):
    on = worst_repeats_on(isotropic(100.0), 5000.0, fraction, 0.0, 1.0)
    closed = worst_repeats(5000.0, fraction, 100.0)
    assert int(on.status) == Status.OK
    assert float(on.repeats) == pytest.approx(float(closed.repeats), rel=1e-8)
    assert float(on.excess) == pytest.approx(float(closed.excess), rel=1e-10)
    law = float(worst_repeats_law(5000.0, fraction, 100.0, np.inf))
    assert law == pytest.approx(float(closed.repeats), abs=0.04 * 50 / np.sqrt(1 - fraction) / 10)


CASES = [(1.5, 0.5, 0.1), (2.0, 0.25, 0.5)]
SIZES = np.array([1e4, 1e5, 1e6, 1e7])


@pytest.fixture(scope="module")
def located():
    """Worst counts at the best ridge: {(alpha, source, f): (N, r*, law, df1/N)}."""
    found = {}
    for alpha, source, fraction in CASES:
        spectrum = power_law.endless(alpha, source, 1e-16)

        def at(n, spectrum=spectrum, fraction=fraction, alpha=alpha):
            ridge = best_ridge(spectrum, n, 0.1).ridge
            used = df1(spectrum, ridge / n)
            worst = worst_repeats_on(spectrum, n, fraction, ridge, 0.1)
            return worst, worst_repeats_law(n, fraction, used, alpha), used / n

        worst, law, used = jax.lax.map(at, jnp.asarray(SIZES))
        assert np.all(np.asarray(worst.status) == Status.OK)
        found[alpha, source, fraction] = np.array([SIZES, worst.repeats, law, used]).T
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_law_holds_as_the_effective_parameters_become_few(located, case):
    exact, law, used = located[case].T[1:]
    off = np.abs(exact - law) / exact
    assert off[-1] < 0.02
    # What is left out, the next order and the bias, falls with the size.
    assert np.all(np.diff(off) < 0)
    assert np.all(off < 12 * used + 0.02)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_exponent_is_that_of_the_task(located, case):
    alpha, source, _ = case
    n, exact, _, _ = located[case].T
    slopes = np.diff(np.log(exact)) / np.diff(np.log(n))
    want = float(size_exponent(alpha, source))
    assert np.all(np.diff(np.abs(slopes - want)) < 0)
    assert slopes[-1] == pytest.approx(want, abs=0.012)
    for decoy in (1.0, 0.0, 1 / (1 + 2 * alpha * source)):
        assert abs(decoy - want) < 1e-9 or abs(slopes[-1] - decoy) > 0.05


@pytest.mark.parametrize(
    ("case", "worst", "unit"),
    [
        ((1.5, 0.5, 0.1), [42.9, 160, 626, 2483], [0.1, 1, 1, 1]),
        ((2.0, 0.25, 0.5), [28.3, 79.9, 244, 761], [0.1, 0.1, 1, 1]),
    ],
    ids=str,
)
def test_worst_counts_found_before_by_another_program(located, case, worst, unit):
    """To a unit of the last digit that was written down."""
    assert np.all(np.abs(located[case][:, 1] - worst) < unit)


def test_the_height_at_the_peak():
    assert float(peak_noise(0.3, 1.0)) == pytest.approx(
        float(data_rich_excess(0.3, 1.0)), rel=1e-12
    )
    alpha, n = 1.5, 1e8
    spectrum = power_law.endless(alpha, 0.5)
    ridge = n * 1e-4
    worst = worst_repeats_on(spectrum, n, 0.5, ridge, 1e6)  # noise so large that bias is nothing
    assert float(worst.excess) == pytest.approx(float(peak_noise(0.5, 1 - 1 / alpha)), rel=2e-3)


LOUD = 1e6  # label noise beside which the bias is nothing


@jax.jit
def on_features(budget, fraction, p, ridge):
    """Worst count of p random features at a ridge, and the modes they learn of plain rows."""
    spectrum = power_law.endless(1.5, 0.5, 1e-13)

    def risk(rows):
        return repeated_feature_risk(spectrum, rows, p, ridge).excess_risk

    plain = random_feature_risk(spectrum, budget, p, ridge, LOUD)
    return worst_repeats_of(risk, budget, fraction, LOUD), df1(spectrum, plain.gamma)


@pytest.mark.parametrize("fraction", [0.1, 0.5])
@pytest.mark.parametrize(
    ("p", "ridge", "full"), [(100.0, 5.5, 0.98), (2000.0, 40.0, 0.5), (1e5, 55.0, 0.01)]
)
def test_on_features_it_is_rows_per_learned_mode(p, ridge, full, fraction):
    """The law leaves out some copies, whatever the size: from features that limit to many."""
    for budget in (1e6, 1e7):
        worst, learned = on_features(budget, fraction, p, ridge * budget / 1e6)
        assert int(worst.status) == Status.OK
        assert learned / p > full
        law = worst_repeats_features(budget, fraction, learned, p, 1.5)
        assert 0 < worst.repeats - law < 6
        per_mode, per_feature = budget / learned, budget / p
        wrong = [per_mode * (1 - fraction) ** (-1 / 3), per_feature]  # as df1, and as p
        assert max(abs(worst.repeats - w) for w in wrong) > 5 * abs(worst.repeats - law)


def test_features_that_limit_are_parameters_and_many_are_none():
    """N/p + 3 for z = p, on every spectrum; the law of inputs for p >> z."""
    for fraction in (0.1, 0.5):
        worst, learned = on_features(2000.0, fraction, 100.0, 0.0)
        assert float(learned) == pytest.approx(100.0, rel=1e-12)
        closed = worst_repeats(2000.0, fraction, 100.0)
        assert float(worst.repeats) == pytest.approx(float(closed.repeats), rel=1e-8)
        few = worst_repeats_features(2000.0, fraction, 100.0, 100.0, 1.5)
        assert float(few) == pytest.approx(20.0, rel=1e-14)
        many = worst_repeats_features(2000.0, fraction, 10.0, jnp.inf, 1.5)
        assert float(many) == pytest.approx(200.0 * (1 - fraction) ** (-1 / 3), rel=1e-14)


@pytest.mark.parametrize(
    ("budget", "fraction", "ridge", "noise", "status"),
    [
        (1000.0, 0.0, 1.0, 0.1, Status.NO_BREAK),
        (1000.0, 0.3, -1.0, 0.1, Status.OUT_OF_SCOPE),
        (1000.0, 1.3, 1.0, 0.1, Status.OUT_OF_SCOPE),
        (1000.0, -0.1, 1.0, 0.1, Status.OUT_OF_SCOPE),
        (1000.0, 0.001, 1.0, 0.1, Status.NO_BREAK),
        (1000.0, 0.3, 1.0, 0.0, Status.OUT_OF_SCOPE),
        (0.0, 0.3, 1.0, 0.1, Status.OUT_OF_SCOPE),
    ],
)
def test_what_has_no_worst_count(budget, fraction, ridge, noise, status):
    found = worst_repeats_on(isotropic(100.0), budget, fraction, ridge, noise)
    assert int(found.status) == status
    assert jnp.isnan(found.repeats)
    assert jnp.isnan(found.excess)


def test_a_theory_without_numbers_has_no_worst_count():
    """NaN at every repeat count is told; a gap in the middle of a rise is passed over."""
    nowhere = worst_repeats_of(lambda rows: jnp.nan * rows.counts[0], 1000.0, 0.3, 0.1)
    assert int(nowhere.status) == Status.NOT_FINITE
    assert jnp.isnan(nowhere.repeats)
    assert jnp.isnan(nowhere.excess)

    def bump(rows):
        r = rows.weights[1]
        return jnp.where(r < 2, jnp.nan, 7 * jnp.exp(-((jnp.log(r) - 3) ** 2)))

    found = worst_repeats_of(bump, 1000.0, 0.3, 0.1)
    assert int(found.status) == Status.OK
    assert float(found.repeats) == pytest.approx(np.exp(3), rel=1e-6)
    assert float(found.excess) == pytest.approx(70.0, rel=1e-9)  # in units of the noise


def test_a_very_easy_target_is_as_one_of_source_one():
    assert float(size_exponent(1.5, 4.0)) == float(size_exponent(1.5, 1.0)) == 0.75


def test_a_single_repeated_row_is_an_edge():
    """A quarter of the budget fills all that is missing: fewer distinct rows are ever worse."""
    found = worst_repeats_on(isotropic(100.0), 110.0, 0.05, 0.0, 1.0)
    assert int(found.status) == Status.AT_EDGE
    assert float(found.repeats) == pytest.approx(5.5)


def test_harm_that_falls_from_the_first_copy_on_has_its_edge_there():
    found = worst_repeats_of(lambda rows: 3 / rows.weights[1], 1000.0, 0.3, 0.1)
    assert int(found.status) == Status.AT_EDGE
    assert float(found.repeats) == 1
    assert float(found.excess) == pytest.approx(30.0, rel=1e-12)


def test_a_budget_of_nothing_but_copies_is_worst_as_few_distinct_rows():
    """As many as inputs, without a ridge: the limit of ever fewer rows that are seen once."""
    all_of_it = worst_repeats_on(isotropic(100.0), 2000.0, 1.0, 1.0, 0.5)
    nearly = worst_repeats_on(isotropic(100.0), 2000.0, 1 - 1e-9, 1.0, 0.5)
    assert int(all_of_it.status) == int(nearly.status) == Status.OK
    assert float(all_of_it.repeats) == pytest.approx(float(nearly.repeats), rel=1e-6)
    assert float(all_of_it.excess) == pytest.approx(float(nearly.excess), rel=1e-6)
    assert float(all_of_it.repeats) == pytest.approx(20.0, rel=0.2)


def test_less_than_a_second_row_is_no_repetition():
    for fraction in (0.005, 0.01):  # half a row of a hundred, and one
        found = worst_repeats_on(isotropic(20), 100.0, fraction, 1.0, 0.5)
        assert int(found.status) == Status.NO_BREAK
        assert np.isnan([found.repeats, found.excess]).all()
