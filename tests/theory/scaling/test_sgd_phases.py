"""Phases of the compute-optimal width: as the balance of the largest terms, and as measured."""

import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory.theory.dynamics.averaged_sgd import averaged_risk, inputs
from ci_theory.theory.dynamics.one_pass_sgd import Descent
from ci_theory.theory.scaling import compute_optimal
from ci_theory.theory.scaling.compute_optimal import budget_risks, frontier
from ci_theory.theory.scaling.sgd_phases import PHASES, phase, terms
from ci_theory.theory.spectra.spectrum import power_law, trace


def best(found):
    """Width and risk exponents that make the largest term least, on a fine grid of widths."""
    width = np.linspace(0, 1, 4001)
    largest = np.max([t.width * width + t.steps * (1 - width) for t in found], axis=0)
    return width[largest.argmin()], -largest.min()


def test_every_phase_is_the_balance_of_the_largest_terms():
    rng, met = np.random.default_rng(0), set()
    for _ in range(1500):
        alpha, beta = rng.uniform(0.02, 1.5), rng.uniform(0, 1.5)
        if alpha + beta < 0.51:
            continue
        told, (width, risk) = phase(alpha, beta), best(terms(alpha, beta))
        assert width == pytest.approx(told.width, abs=5e-4), (alpha, beta)
        assert risk == pytest.approx(told.risk, abs=1e-3), (alpha, beta)
        at = {t.name: t.width * told.width + t.steps * (1 - told.width) for t in terms(alpha, beta)}
        for name in told.balance:
            assert at[name] == pytest.approx(-told.risk, abs=1e-12)
        met.add(told.name)
    assert met == set(PHASES)


@pytest.mark.parametrize(
    ("alpha", "beta", "across"),
    [
        (1.0, 0.5, "beta"), (0.8, 0.8, "beta"), (0.5, 0.3, "alpha"), (0.5, 1.0, "alpha"),
        (1 - 0.5**0.5, 1.0, "alpha"), (0.25, 1.0, "alpha"), (0.4, 0.5, "beta"),
    ],
)  # fmt: skip
def test_exponents_are_continuous_across_the_lines(alpha, beta, across):
    step = 1e-9
    ends = [
        phase(alpha + sign * step * (across == "alpha"), beta + sign * step * (across == "beta"))
        for sign in (-1, 1)
    ]
    assert ends[0].name != ends[1].name
    assert ends[0].risk == pytest.approx(ends[1].risk, abs=1e-6)
    jumps = {ends[0].name, ends[1].name} == {"IVa", "IVb"}  # there K_pp does not see the width
    same = ends[0].width == pytest.approx(ends[1].width, abs=1e-6)
    assert same is not jumps


@pytest.mark.parametrize(("alpha", "beta"), [(0.2, 0.2), (0.0, 1.0), (1.0, -0.1)])
def test_other_decays_are_refused(alpha, beta):
    for asked in (phase, terms):
        with pytest.raises(BadInput, match="alpha"):
            asked(alpha, beta)


@pytest.mark.parametrize(
    ("alpha", "beta", "middle"), [(1.0, 0.3, 2.0e4), (1.2, 0.8, 4.7e4), (0.7, 1.2, 2.64e6)]
)
def test_slopes_at_a_trillion_operations_are_near_the_exponents(alpha, beta, middle):
    told = phase(alpha, beta)
    budgets = np.array([4e11, 1e12, 2.5e12])
    found = frontier(alpha, beta, budgets, low=middle / 3.3, high=middle * 3.3)
    assert np.all(found.status == Status.OK)
    assert found.flops.tolist() == budgets.tolist()
    assert -found.risk_slope[1] == pytest.approx(told.risk, abs=0.003)
    assert found.width_slope[1] == pytest.approx(told.width, abs=0.01)
    if told.name == "Ia":  # the optimum is that of a finer grid
        near = found.width[1] * np.exp(np.linspace(-0.2, 0.2, 10))
        made = budget_risks(alpha, beta, budgets, near)
        u, y = np.log(near), np.log(made.risk[1])
        cubic = np.polynomial.Polynomial.fit(u, y, 3)
        (best,) = [r.real for r in cubic.deriv().roots() if u[0] < r.real < u[-1]]
        assert found.width[1] == pytest.approx(np.exp(best), rel=2e-3)
        assert found.risk[1] == pytest.approx(np.exp(cubic(best)), rel=1e-4)


def test_risks_of_budgets_are_those_of_the_averaged_curve():
    """Each by itself, with and without an end of the inputs; no noise in the flow."""
    alpha, beta, budgets, widths = 1.2, 0.8, [3e4, 1e6], [60.0, 400.0]
    for ratio in (np.inf, 3.0):
        made = budget_risks(alpha, beta, budgets, widths, kernel=0.2, ratio=ratio, noise=0.01)
        assert made.risk.shape == made.flow.shape == made.status.shape == (2, 2)
        for t, k in ((0, 1), (1, 0)):
            spectrum = compute_optimal._padded(inputs(ratio * widths[k], alpha, beta))
            at = Descent(0.4 / float(trace(spectrum)), 1.0, 1.0)
            alone = averaged_risk(spectrum, widths[k], at, 0.01, budgets[t] / widths[k])
            assert made.risk[t, k] == pytest.approx(float(alone.risk), rel=1e-9)
            assert made.flow[t, k] == pytest.approx(float(alone.flow), rel=1e-9)
            assert made.status[t, k] == Status.OK
    assert np.all(made.flow < made.risk)
    few = budget_risks(alpha, beta, [50.0], [50.0, 51.0])
    assert few.status.tolist() == [[Status.OK, Status.OUT_OF_SCOPE]]
    assert np.isnan(few.flow[0, 1])


@pytest.mark.parametrize("bent", [0.0, 0.02])
def test_the_frontier_is_read_off_a_curve(monkeypatch, bent):
    """A curve whose optimum is known, with third order and without; what is asked is handed on."""
    asked = []

    def known(alpha, beta, flops, widths, **options):
        asked.append((alpha, beta, np.array(widths), options))
        u = np.log(widths)[None, :] - 0.4 * np.log(flops)[:, None]
        risk = np.exp(0.3 * u**2 + bent * u**3 - 0.7 * np.log(flops)[:, None])
        return compute_optimal.BudgetRisks(risk, risk, np.zeros(risk.shape, int))

    monkeypatch.setattr(compute_optimal, "budget_risks", known)
    budgets = np.array([1e6, 3e6, 1e7, 1e9])
    options = {"kernel": 0.3, "ratio": 4.0, "noise": 0.01}
    found = frontier(1.1, 0.7, budgets, low=20.0, **options)
    (at,) = asked
    assert (at[0], at[1], at[3]) == (1.1, 0.7, options)
    assert (at[2][0], at[2][-1]) == pytest.approx((20.0, 1e9**0.62))
    assert np.diff(np.log10(at[2])).max() <= 1 / 8
    assert np.all(found.status == Status.OK)
    assert found.flops.tolist() == budgets.tolist()
    np.testing.assert_allclose(found.width, budgets**0.4, rtol=1e-9)
    np.testing.assert_allclose(found.risk, budgets**-0.7, rtol=1e-9)
    np.testing.assert_allclose(found.width_slope, 0.4, rtol=1e-8)
    np.testing.assert_allclose(found.risk_slope, -0.7, rtol=1e-8)
    frontier(1.1, 0.7, budgets)
    assert (asked[1][2][0], asked[1][3]) == (
        8.0, {"kernel": 0.1, "ratio": np.inf, "noise": 0.0}
    )  # fmt: skip
    edge = frontier(1.1, 0.7, budgets, low=20.0, high=2000.0)  # 1e9^0.4 is 3981
    assert edge.status.tolist() == [Status.OK] * 3 + [Status.AT_EDGE]
    assert np.isnan(edge.width).tolist() == [False] * 3 + [True]
    near = frontier(1.1, 0.7, budgets[:2], low=240.0, high=2e4)  # 1e6^0.4 is 251: the second place
    assert near.status.tolist() == [Status.AT_EDGE, Status.OK]
    far = frontier(1.1, 0.7, budgets[-2:], low=20.0, high=5500.0)  # the last place but one
    assert far.status.tolist() == [Status.OK, Status.AT_EDGE]


def test_the_worst_status_near_the_optimum_is_that_of_the_place(monkeypatch):
    def known(alpha, beta, flops, widths, **options):
        u = np.log(widths)[None, :] - np.log(300.0) + 0 * np.log(flops)[:, None]
        status = np.zeros(u.shape, int)
        status[0, np.argmin(np.abs(u[0])) + 2] = Status.NOT_CONVERGED
        status[1, np.argmin(np.abs(u[1])) + 3] = Status.NOT_CONVERGED
        return compute_optimal.BudgetRisks(np.exp(u**2), np.exp(u**2), status)

    monkeypatch.setattr(compute_optimal, "budget_risks", known)
    found = frontier(1.1, 0.7, [1e6, 1e7], low=20.0)
    assert found.status.tolist() == [Status.NOT_CONVERGED, Status.OK]


def test_a_curve_that_no_quartic_follows_has_no_best_width(monkeypatch):
    """A wall two widths beyond the lowest place: the quartic is least far from it."""

    def known(alpha, beta, flops, widths, **options):
        place = np.arange(len(widths)) - len(widths) // 2
        y = np.where(place > 1, 5.0, 1e-3 * np.abs(place))
        y = np.stack([y, 1e-3 * place**2])
        return compute_optimal.BudgetRisks(np.exp(y), np.exp(y), np.zeros(y.shape, int))

    monkeypatch.setattr(compute_optimal, "budget_risks", known)
    found = frontier(1.1, 0.7, [1e6, 1e7], low=20.0)
    assert found.status.tolist() == [Status.AT_EDGE, Status.OK]
    assert np.isnan(found.width).tolist() == np.isnan(found.risk).tolist() == [True, False]


def test_a_budget_too_small_and_an_optimum_off_the_grid_are_told():
    found = frontier(1.0, 0.3, np.array([1e3, 3e7, 1e8]), low=3000.0, high=32_000.0)
    assert list(found.status) == [Status.OUT_OF_SCOPE, Status.AT_EDGE, Status.AT_EDGE]
    assert np.all(np.isnan(found.width))
    assert np.all(np.isnan(found.risk))
    with pytest.raises(BadInput, match="kernel"):
        budget_risks(1.0, 0.3, [100.0], [50.0], kernel=1.5)
    with pytest.raises(BadInput, match="600 nodes"):
        compute_optimal._padded(power_law(600, 1.5))
    for kernel in (0.0, 1.0):
        with pytest.raises(BadInput, match="kernel"):
            budget_risks(1.0, 0.3, [100.0], [50.0], kernel=kernel)
    for flops in ([1e8, 1e7], [1e7, 1e7], [1e7], [[1e7, 1e8]]):
        with pytest.raises(BadInput, match="ascending"):
            frontier(1.0, 0.3, flops)
