"""The peak in the repeat count: proofs in sympy, values against the fixed point and mpmath."""

import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from ci_theory._errors import Status
from ci_theory.theory.rows.repeat_peak import (
    data_rich_excess,
    repeats_at_interpolation,
    two_group_excess,
    worst_repeats,
)
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic, two_block

f, g, rho, t, u, q = sp.symbols("f g rho t u q", positive=True)

# What the fixed point says of two groups without a ridge, in rows per budget: the groups' shares
# add up to 1, and A = p sum n a^2 is what the errors are made of.
SUM = (1 - f) / (t + g) + f / (t + rho)
A = g * (1 - f) / (t + g) ** 2 + f * rho / (t + rho) ** 2
ROOT = sp.sqrt((g + rho - 1) ** 2 + 4 * ((1 - f - g) * rho + f * g))
T = (1 - g - rho + ROOT) / 2
RICH = T.subs(g, 0)


def _is_zero(expression, points=12):
    """Decide a simplified identity also by 50-digit evaluation at generic points."""
    rng = np.random.default_rng(7)
    for _ in range(points):
        at = {
            f: sp.Rational(int(rng.integers(1, 99)), 100),
            g: sp.Rational(int(rng.integers(1, 9)), 1000),
            rho: sp.Rational(int(rng.integers(1, 900)), 100),
            u: sp.Rational(int(rng.integers(1, 300)), 100),
        }
        if abs(sp.N(expression.subs(at), 50)) > 1e-40:
            return False
    return True


def test_the_root_solves_the_fixed_point():
    assert sp.simplify(sp.together(SUM - 1).subs(t, T)) == 0 or _is_zero(SUM.subs(t, T) - 1)


def test_displayed_test_error_is_that_of_the_fixed_point():
    displayed = (t + g) * (t + rho) / (t * ROOT)
    assert _is_zero((1 / (1 - A) - displayed).subs(t, T))


def test_data_rich_curve_is_symmetric_and_a_function_of_cosh():
    rich = (f * rho / (t + rho) ** 2).subs(t, RICH)
    assert _is_zero(rich - rich.subs(rho, 1 / rho))
    # with x = cosh(log(rho)/2) the curve is f / (x + sqrt(x^2 - f))^2
    x = (1 + rho) / (2 * sp.sqrt(rho))
    assert _is_zero(rich - f / (x + sp.sqrt(x**2 - f)) ** 2)
    assert sp.simplify(x.subs(rho, sp.exp(2 * u)) - sp.cosh(u).rewrite(sp.exp)) == 0
    # ... and 1/(1 - A) is (1 + x / sqrt(x^2 - f))/2, the implemented form
    assert _is_zero(1 / (1 - rich) - (1 + x / sp.sqrt(x**2 - f)) / 2)


def test_rho_one_is_the_global_maximum():
    # In x >= 1 (equality only at rho = 1) the test error 1 + (1/sqrt(1 - f/x^2) - 1)/2 has a
    # derivative that is a quotient of positive terms with a minus sign, for all 0 < f < 1 <= x.
    x = sp.symbols("x", positive=True)
    slope = sp.diff((1 + x / sp.sqrt(x**2 - f)) / 2, x)
    assert sp.simplify(slope + f / (2 * (x**2 - f) ** sp.Rational(3, 2))) == 0
    # cosh(u/2) has its one minimum, 1, at u = 0
    assert sp.solveset(sp.diff(sp.cosh(u / 2), u), u, sp.Interval(-10, 10)) == sp.FiniteSet(0)
    # stationary at rho = 1, and the height
    rich = (f * rho / (t + rho) ** 2).subs(t, RICH)
    assert sp.simplify(sp.diff(rich, rho).subs(rho, 1)) == 0
    height = sp.simplify((1 / (1 - rich)).subs(rho, 1).subs(f, 1 - q**2))
    assert sp.simplify(height - (1 + 1 / q) / 2) == 0


def test_no_other_maximum_by_intervals():
    """Interval arithmetic over all rho in [1, 1e6], f in [0.001, 0.999]: the slope is negative."""
    iv = mp.iv

    def slope_sign(low, high, f_low, f_high):
        r, share = iv.mpf([low, high]), iv.mpf([f_low, f_high])
        # d/drho log(A) = -(1/rho) (rho - 1)/sqrt((rho+1)^2 - 4 f rho): from the quadratic
        return -(r - 1) / (r * iv.sqrt((r - 1) ** 2 + 4 * r * (1 - share)))

    edges = np.concatenate([[1.001], np.geomspace(1.002, 1e6, 400)])
    for low, high in itertools.pairwise(edges):
        for f_low, f_high in [(0.001, 0.3), (0.3, 0.9), (0.9, 0.999)]:
            assert slope_sign(low, high, f_low, f_high).b < 0
    log_a = sp.log((f * rho / (t + rho) ** 2).subs(t, RICH))
    claimed = -(rho - 1) / (rho * sp.sqrt((rho - 1) ** 2 + 4 * rho * (1 - f)))
    assert _is_zero(sp.diff(log_a, rho) - claimed)


def test_worst_count_is_three_above_the_limit():
    """r* = N/p + 3 + O(p/N) at every f, and the height's first correction."""
    log_error = sp.log(((t + g) * (t + rho) / (t * ROOT)).subs(t, T).subs(rho, sp.exp(u)))
    curvature = sp.diff(log_error, u, 2).subs(g, 0).subs(u, 0)
    mixed = sp.diff(sp.diff(log_error, u).subs(u, 0), g).subs(g, 0)
    assert sp.simplify((-mixed / curvature).subs(f, 1 - q**2)) == 3
    first = sp.diff(log_error.subs(u, 0), g).subs(g, 0)
    assert sp.simplify(first.subs(f, 1 - q**2) - 1 / q) == 0


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_closed_form_equals_the_fixed_point(share):
    """Any covariance, no ridge: relative difference 1e-12."""
    for law, p in [(isotropic(100), 100), (two_block(30, 70, 1.0, 0.01, 1.0, 1.0), 100)]:
        for budget in (300.0, 2000.0, 1e5):
            for repeats in (1.0, 2.0, budget / p, 40.0, 1e3):
                repeated = share * budget / repeats
                fresh = (1 - share) * budget
                ours = float(two_group_excess(budget, share, repeats, p))
                if fresh + repeated <= p + 1e-9:
                    assert np.isnan(ours) or ours > 1e6
                    continue
                rows = repeated_rows(fresh, repeated, repeats, 1.0, True)
                risk = weighted_ridge_risk(law, rows, 0.0)
                assert float(risk.excess_risk) == pytest.approx(ours, rel=1e-12)


def test_data_rich_curve_is_the_limit_at_rate_p_over_n():
    for share in (0.1, 0.3, 0.9):
        for ratio in (0.2, 1.0, 5.0):
            limit = 1 + float(data_rich_excess(share, ratio))
            gaps = [
                abs(1 + float(two_group_excess(m * 100.0, share, ratio * m, 100.0)) - limit)
                for m in (1e3, 1e4, 1e5)
            ]
            order = np.diff(np.log10(gaps))
            assert np.allclose(order, -1, atol=0.02), (share, ratio, gaps)
    assert np.isinf(float(data_rich_excess(1.0, 1.0)))


def test_curve_near_certain_repetition_keeps_its_digits():
    with mp.workdps(40):
        for share, ratio in [(1 - 1e-12, 1.0), (1 - 1e-9, 1 + 1e-7), (1e-12, 3.0)]:
            r, s = mp.mpf(ratio), mp.mpf(share)
            phi = 4 * r * s / (1 + r) ** 2
            wanted = (1 / mp.sqrt(1 - phi) - 1) / 2
            assert abs(float(data_rich_excess(share, ratio)) / wanted - 1) < 1e-12


def test_worst_count_of_an_endless_budget():
    worst = worst_repeats(np.inf, 0.3, 500.0)
    assert float(worst.repeats) == np.inf  # N/p
    assert float(worst.excess) == pytest.approx((1 / np.sqrt(0.7) - 1) / 2, rel=1e-12)
    assert int(worst.status) == Status.OK
    assert float(two_group_excess(np.inf, 0.3, 5.0, 500.0)) < 1e-50


@pytest.mark.parametrize(
    ("ratio", "share"), [(4, 0.3), (10, 0.1), (20, 0.3), (125, 0.5), (1e4, 0.9)]
)
def test_worst_count_is_the_stationary_point(ratio, share):
    worst = worst_repeats(ratio * 500.0, share, 500.0)
    assert int(worst.status) == Status.OK
    with mp.workdps(40):
        G, F = 1 / mp.mpf(ratio), mp.mpf(share)

        def log_error(log_r):
            r = mp.exp(log_r) * G
            root = mp.findroot(  # the fixed point itself, not the quadratic
                lambda s: (1 - F) / (s + G) + F / (s + r) - 1, mp.sqrt(1 - F), tol=1e-70
            )
            a = G * (1 - F) / (root + G) ** 2 + r * F / (root + r) ** 2
            return -mp.log(1 - a)

        place = mp.findroot(
            lambda v: mp.diff(log_error, v, h=mp.mpf(10) ** -12), mp.log(float(worst.repeats))
        )
        assert abs(float(worst.repeats) / mp.exp(place) - 1) < 1e-12
        assert abs(float(worst.excess) / (mp.exp(log_error(place)) - 1) - 1) < 1e-12
    scan = [
        float(two_group_excess(ratio * 500.0, share, r, 500.0)) for r in np.geomspace(1, 1e5, 99)
    ]
    assert np.nanmax(scan) <= float(worst.excess) * (1 + 1e-12)


def test_worst_count_says_where_there_is_none():
    budget = jnp.array([2000.0, 2000.0, 120.0, 90.0, 2000.0, 2000.0])
    share = jnp.array([0.3, 0.5, 0.5, 0.5, 0.0, 1.5])
    p = jnp.array([100.0, 500.0, 80.0, 100.0, 100.0, 100.0])
    worst = jax.vmap(worst_repeats)(budget, share, p)
    wanted = [
        Status.OK,
        Status.AT_EDGE,
        Status.OK,
        Status.NO_BREAK,
        Status.NO_BREAK,
        Status.OUT_OF_SCOPE,
    ]
    assert [int(s) for s in worst.status] == wanted
    # more parameters than fresh rows: the interpolation peak
    assert float(worst.repeats[2]) == 3.0 == float(repeats_at_interpolation(120, 0.5, 80))
    assert np.isinf(float(worst.excess[2]))
    slope = jax.grad(lambda x: worst_repeats(2000.0, x, 100.0).repeats)(0.3)
    step = 1e-5
    measured = (
        float(worst_repeats(2000.0, 0.3 + step, 100.0).repeats)
        - float(worst_repeats(2000.0, 0.3 - step, 100.0).repeats)
    ) / (2 * step)
    assert float(slope) == pytest.approx(measured, rel=1e-6)


def test_budgets_that_are_none_have_no_worst_count():
    for budget, share, p in ((0.0, 0.3, 10.0), (90.0, -0.1, 10.0), (90.0, 0.3, 0.0)):
        found = worst_repeats(budget, share, p)
        assert int(found.status) == Status.OUT_OF_SCOPE
        assert np.isnan([found.repeats, found.excess]).all()
    endless = worst_repeats(np.inf, 0.3, 10.0)
    assert (float(endless.repeats), int(endless.status)) == (np.inf, Status.OK)
    told = (1 / np.sqrt(1 - 0.3) - 1) / 2
    assert float(endless.excess) == pytest.approx(told, rel=1e-12)


def test_no_row_is_repeated_more_often_than_its_share_has_copies():
    """Where interpolation would need more copies than there are, the most there can be is worst."""
    for budget, share, p in ((400.0, 0.6, 160.5), (120.0, 0.5, 80.0)):
        found = worst_repeats(budget, share, p)
        crossing = float(repeats_at_interpolation(budget, share, p))
        assert float(found.repeats) == pytest.approx(min(crossing, share * budget))
        assert bool(jnp.isinf(found.excess)) == (crossing <= share * budget)
    # 160 fresh rows and 10 distinct repeated ones are as many as the 170 parameters
    assert float(repeats_at_interpolation(400, 0.6, 170)) == 24.0
    assert jnp.isinf(repeats_at_interpolation(400, 0.6, 159))


def test_less_than_a_second_row_is_no_repetition():
    for fraction in (0.005, 0.01):  # half a row of a hundred, and one
        found = worst_repeats(100.0, fraction, 20.0)
        assert int(found.status) == Status.NO_BREAK
        assert np.isnan([found.repeats, found.excess]).all()


def test_a_budget_of_nothing_but_copies_is_worst_where_it_interpolates():
    """As many distinct rows as parameters, N/p copies of each."""
    found = worst_repeats(2000.0, 1.0, 100.0)
    assert int(found.status) == Status.OK
    assert float(found.repeats) == 20.0
    assert np.isposinf(found.excess)
