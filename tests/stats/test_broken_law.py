"""Broken power laws: the model, the search for its optimum, and what a fit says of a curve."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from ci_theory import BadInput, Status
from ci_theory.locate import fit, ladder
from ci_theory.locate.broken import Form, Plateau
from ci_theory.locate.chain import Chain
from ci_theory.locate.observed import BINS, observed
from ci_theory.locate.profile import resampled
from ci_theory.locate.scan import scan
from ci_theory.locate.search import Search

U = np.linspace(0, 3 * np.log(10), 24)
X = np.exp(U)
THETA = {
    Form(0, True): [0.7, 0.8, np.log(0.05)],
    Form(1, False): [0.3, 0.4, 0.5, 3.4, np.log(0.3)],
    Form(1, True): [0.3, 0.4, 0.5, 3.4, np.log(0.3), -4.0],
    Form(2, False): [0.7, 0.2, 0.6, 2.0, -2.0, -0.5, 5.0, -2.0],
}
FORMS = list(THETA)


def bnsl(x, form, theta):
    """The published formula, as written."""
    y = np.exp(theta[0]) * x ** -theta[1]
    for i in range(form.breaks):
        c, d, f = theta[2 + 3 * i], np.exp(theta[3 + 3 * i]), np.exp(theta[4 + 3 * i])
        y = y * (1 + (x / d) ** (1 / f)) ** (-c * f)
    return y + (np.exp(theta[-1]) if form.floor else 0.0)


def noisy(form, scatter=0.02, seed=0, count=None):
    shape = U.shape if count is None else (count, len(U))
    made = scatter * np.random.default_rng(seed).standard_normal(shape)
    return form.value(np.array(THETA[form]), U) + made


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_model_is_the_published_formula(form):
    theta = np.array(THETA[form])
    np.testing.assert_allclose(form.value(theta, U), np.log(bnsl(X, form, theta)), rtol=1e-12)


@pytest.mark.parametrize("form", [*FORMS, Plateau()], ids=str)
def test_derivatives_by_finite_differences(form):
    theta = Plateau.of(np.array(THETA[Form(0, True)])) if isinstance(form, Plateau) else THETA[form]
    theta = np.array(theta)
    value, rows = form.jacobian(theta[None], U)
    np.testing.assert_allclose(value[0], form.value(theta, U), rtol=1e-14)
    for j, step in enumerate(1e-6 * np.eye(len(theta))):
        there = (form.value(theta + step, U) - form.value(theta - step, U)) / 2e-6
        np.testing.assert_allclose(rows[0, :, j], there, atol=2e-9)
    if isinstance(form, Form):
        there = (form.value(theta, U + 1e-6) - form.value(theta, U - 1e-6)) / 2e-6
        np.testing.assert_allclose(form.slope(theta, U), there, atol=2e-9)


def test_a_floor_is_a_break_and_forms_are_nested():
    floor = np.array(THETA[Form(0, True)])
    low, high = np.full(5, -np.inf), np.full(5, np.inf)
    as_break = Form(0, True).nested(floor, low, high)
    np.testing.assert_allclose(
        Form(1, False).value(as_break, U), Form(0, True).value(floor, U), rtol=1e-13
    )
    one = np.array(THETA[Form(1, False)])
    low, high = Form(1, True).bounds(U, Form(1, False).value(one, U))
    with_floor = Form(1, False).nested(one, low, high)
    gap = Form(1, True).value(with_floor, U) - Form(1, False).value(one, U)
    assert np.max(np.abs(gap)) < 1e-5


def test_the_grid_projects_the_linear_parameters_out():
    form, y = Form(1, False), noisy(Form(1, False), count=3)
    grid = scan(form, U, np.ones_like(U), *form.bounds(U, y[0]))
    losses = grid.losses(y)
    for pick in (0, 777, 3000):
        f, d = np.exp(grid.widths[pick]), grid.places[pick, 0]
        columns = np.stack([np.ones_like(U), -U, -f * np.logaddexp(0, (U - d) / f)], axis=1)
        _, theirs, *_ = np.linalg.lstsq(columns, y.T, rcond=None)
        np.testing.assert_allclose(losses[:, pick], theirs, rtol=1e-9)
        value = form.value(grid.theta(y, np.full(3, pick)), U)
        np.testing.assert_allclose(((y - value) ** 2).sum(axis=1), theirs, rtol=1e-9)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_no_start_of_another_solver_ends_lower(form):
    """SciPy's solver from the truth and from places around it finds nothing better."""
    curves = noisy(form, 0.03, seed=1, count=4)
    search = Search(U, np.ones_like(U), (curves.min(), curves.max()))
    found = search.best(form, curves, tops=6)
    assert found.converged.all()
    low, high = search.box(form)
    rng = np.random.default_rng(0)
    for y, loss in zip(curves, found.loss, strict=True):
        for spread in (0.0, 0.2, 0.5):
            start = np.array(THETA[form]) + spread * rng.standard_normal(form.size)
            start = np.clip(start, low + 1e-6, high - 1e-6)
            theirs = least_squares(
                lambda theta, y=y: form.value(theta, U) - y,
                start,
                lambda theta: form.jacobian(theta[None], U)[1][0],
                (low, high),
                xtol=1e-14,
                ftol=1e-14,
                gtol=1e-14,
            )
            assert loss <= 2 * theirs.cost * (1 + 1e-8)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_an_exact_curve_gives_its_parameters(form):
    law = fit(X, bnsl(X, form, np.array(THETA[form])), resamples=60)
    assert law.form == form
    np.testing.assert_allclose(law.theta, THETA[form], rtol=1e-5, atol=1e-6)
    assert law.scatter < 1e-8
    assert law.ladder == ()
    assert "to rounding" in law.ended


def test_structure_below_the_resolution_is_not_followed():
    """A sum of three power laws has no last break; how many are told depends on the resolution."""
    y = 1 / X + 0.3 * X**-0.5 + 0.02 * X**-0.1
    coarse, fine = (fit(X, y, resolution=r, resamples=60) for r in (1e-3, 1e-4))
    assert coarse.form == Form(1, False)
    assert fine.form.size > coarse.form.size
    for law, size in ((coarse, 1e-3), (fine, 1e-4)):
        assert law.scatter < size
        assert f"within the resolution of {100 * size:g} %" in law.ended
        assert np.abs(np.log(law(X) / y)).max() < 4 * size
    far = np.logspace(0, 30, 16)  # a floor of 1e-5 of the last value: two breaks hold it to 3e-10
    assert fit(far, far**-0.5 + 1e-20, resamples=60).form == Form(0, False)


def test_a_gain_that_needs_no_bootstrap_is_not_found_in_scatter():
    """The bound calls nothing clear in 300 curves without a break, nor one bad point."""
    curves = 0.02 * np.random.default_rng(0).standard_normal((300, len(U))) - 0.4 * U
    search = Search(U, np.ones_like(U), (curves.min(), curves.max()))
    none, one = Form(0, False), Form(1, False)
    line, broken = search.best(none, curves), search.best(one, curves, tops=3)

    def bound(y, i=0, gain=1.0):
        rungs = ladder.Rungs(search, Chain(observed(X, np.exp(y))))
        rungs[none] = ladder.Rung(line.theta[i], line.loss[i], 0.02, True)
        rungs[one] = ladder.Rung(broken.theta[i], broken.loss[i] / gain, 0.02, True)
        return ladder._bound(rungs, none, one)

    bounds = [bound(y, i) for i, y in enumerate(curves)]
    assert min(bounds) > 10 / len(curves)
    assert bound(curves[0], gain=100.0) < 1e-6
    bad = curves[0].copy()
    bad[0] += 1.0
    assert bound(bad, gain=100.0) == 1.0


def test_a_search_that_was_given_up_is_told(monkeypatch):
    def give_up(rungs, form):
        rungs[form] = rungs[form]._replace(converged=False)

    monkeypatch.setattr(ladder.Rungs, "finish", give_up)
    law = fit(X, np.exp(noisy(Form(0, True))), 0, resamples=60)
    assert "did not converge" in law.warnings[0]


@pytest.fixture(scope="module")
def broken():
    return fit(X, np.exp(noisy(Form(1, False))))


def test_a_break_is_found_with_intervals(broken):
    assert broken.form == Form(1, False)
    (one,) = broken.breaks
    assert one.status == Status.OK
    for interval, truth in (
        (one.place, np.exp(3.4)),
        (one.width, 0.3),
        (one.before, -0.4),
        (one.after, -0.9),
    ):
        assert interval.low < interval.value < interval.high
        assert interval.low < truth < interval.high
    assert broken.floor.value == 0 < broken.floor.high < np.exp(noisy(Form(1, False)).min())
    assert not broken.warnings
    low, high = broken.band(4 * X[-1:])
    truth = bnsl(4 * X[-1:], Form(1, False), np.array(THETA[Form(1, False)]))
    assert low < truth < high
    assert low < broken(4 * X[-1:]) < high


def test_units_and_order_are_irrelevant(broken):
    order = np.random.default_rng(0).permutation(len(X))
    again = fit(1e6 * X[order], 1e-3 * np.exp(noisy(Form(1, False)))[order])
    assert again.form == broken.form
    (here,), (there,) = broken.breaks, again.breaks
    np.testing.assert_allclose(np.array(there.place), 1e6 * np.array(here.place), rtol=1e-4)
    np.testing.assert_allclose(there.before, here.before, rtol=1e-4)


def test_a_power_law_is_not_broken():
    rng, chosen = np.random.default_rng(5), []
    for _ in range(4):
        law = fit(X, 2 * X**-0.4 * np.exp(0.05 * rng.standard_normal(24)), resamples=60)
        chosen.append(law.form == Form(0, False))
    assert sum(chosen) >= 3


def test_a_break_that_cannot_be_placed_is_open():
    y = np.exp(noisy(Form(1, False), 0.1, seed=3))
    law = fit(X, y, 1, resamples=60)
    weak = fit(X, 2 * X**-0.4 * np.exp(0.05 * np.random.default_rng(0).standard_normal(24)), 1)
    assert weak.breaks[0].status == Status.AT_EDGE
    assert any("open" in line for line in weak.warnings)
    assert np.isinf([weak.breaks[0].place.low, weak.breaks[0].place.high]).any()
    assert law.breaks[0].place.high - law.breaks[0].place.low > 5


def test_what_is_warned_of():
    rng = np.random.default_rng(0)
    y = 2 * X**-0.4 * np.exp(0.02 * rng.standard_normal(24))
    bad = y.copy()
    bad[3], bad[5], bad[7] = 0.0, -1.0, np.nan
    told = " ".join(fit(np.r_[X, 0.0], np.r_[bad, 1.0], 0, resamples=60).warnings)
    assert "1 of 25 points left out: not a finite number" in told
    assert "1 of 25 points left out: with x <= 0" in told
    assert "2 of 25 points left out: with y <= 0" in told
    assert "less than a decade" in " ".join(fit(1 + X / 1e3, y, 0, resamples=60).warnings)
    wave = 0.2 * np.sin(2 * U)
    told = " ".join(fit(X, y * np.exp(wave), 0, resamples=60).warnings)
    assert "neighbouring residuals are alike" in told
    hump = y * np.exp(2 * np.exp(-((U - 3.5) ** 2)))
    assert "not monotone" in " ".join(fit(X, hump, 2, resamples=60).warnings)
    few = fit(X[::3], np.exp(noisy(Form(1, False))[::3]), resamples=60)
    assert "8 points allow no form larger than" in " ".join(few.warnings)


def test_repeated_measurements_and_long_curves_are_points_and_bins():
    y = np.exp(noisy(Form(1, False)))
    twice = observed(np.r_[X, X], np.r_[y, y])
    assert len(twice.u) == 24
    assert len(twice.rows.u) == 48
    x = np.geomspace(1, 1000, 50_000)
    long = observed(x, 2 * x**-0.5)
    assert len(long.u) <= BINS
    assert long.weight.sum() == 50_000
    np.testing.assert_allclose(long.y, np.log(2) - 0.5 * long.u, rtol=1e-12)
    assert "50000 points averaged" in long.warnings[0]


def test_resampled_residuals_scatter_as_the_errors_do():
    form, theta = Form(1, False), np.array(THETA[Form(1, False)])
    spreads = []
    for seed in range(30):
        y = noisy(form, 0.02, seed=200 + seed)
        search = Search(U, np.ones_like(U), (y.min(), y.max()))
        found = search.best(form, y[None], near=theta)
        again = resampled(search, Chain(observed(X, np.exp(y))), form, found.theta[0], 50, 0)
        spreads.append([again.scatter, np.std(again.curves - form.value(again.theta, U))])
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(spreads), axis=0)), 0.02, rtol=0.07)


@pytest.mark.parametrize(
    ("x", "y", "breaks", "says"),
    [
        (X, X[:3], "auto", "x has shape (24,), y has (3,)"),
        (X[:2], X[:2], "auto", "2 usable places, expected at least 3"),
        (X[:4], X[:4], "auto", "4 usable points: no break needs 5"),
        (X[:7], X[:7], 1, "7 usable points: 1 break needs 8"),
        (X, -X, "auto", "0 usable places"),
        (X, X, 5, "breaks = 5: expected auto or 0 to 4"),
        (X, X, True, "breaks = True: expected auto or 0 to 4"),
        (X[:3], X[:3], -1, "breaks = -1: expected auto or 0 to 4"),
    ],
)
def test_bad_input_is_told(x, y, breaks, says):
    with pytest.raises(BadInput, match=says.replace("(", r"\(").replace(")", r"\)")):
        fit(x, y, breaks)


def test_a_floor_that_begins_where_the_data_end_is_open():
    """It shows long before it begins; where it may begin beyond the data they do not end it."""
    for seed in range(2):
        scatter = 0.02 * np.random.default_rng(seed).standard_normal(24)
        law = fit(X, (X**-0.7 + X[-1] ** -0.7) * np.exp(scatter), 0, resamples=60)
        assert law.form == Form(0, True)
        (one,) = law.breaks
        assert X[0] < one.place.low < X[-1]
        assert one.place.high == np.inf
        assert one.status == Status.AT_EDGE
