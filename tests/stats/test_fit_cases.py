"""Curves as people have them, on which a fit went wrong once: few sizes, long logs, steep drops."""

import warnings

import numpy as np
import pytest
from benchmarks.break_search import KINDS, curve, slow
from scipy.optimize import least_squares, lsq_linear

from ci_theory import BadInput
from ci_theory.locate import fit
from ci_theory.locate.broken import Form
from ci_theory.locate.chain import Chain
from ci_theory.locate.ladder import Rungs
from ci_theory.locate.least_squares import Minimum, minimise
from ci_theory.locate.observed import BINS, observed
from ci_theory.locate.search import Search


def seeds(count, sizes=(100, 1000, 10_000, 100_000, 1_000_000), seed=1):
    """One law with a floor of 0.2 and 5 % scatter, measured several times at a few sizes."""
    x = np.tile(np.array(sizes, float), count)
    scatter = np.random.default_rng(seed).standard_normal((81, len(sizes)))[:count].ravel()
    return x, (0.2 + 22.6 * x**-0.7) * np.exp(0.05 * scatter)


@pytest.mark.parametrize("count", [80, 81])
def test_repeats_at_few_sizes_keep_their_scatter(count):
    """Below and beyond the number of bins: rows are no places."""
    x, y = seeds(count)
    law = fit(x, y, resamples=60)
    assert law.form == Form(0, True)
    assert law.floor.value == pytest.approx(0.2, rel=0.02)
    assert law.slope_first.value == pytest.approx(-0.7, abs=0.02)
    assert law.scatter == pytest.approx(np.std(np.log(y / (0.2 + 22.6 * x**-0.7))), rel=0.01)
    assert law.points == 5 * count
    assert "averaged" not in " ".join(law.warnings)


def test_no_more_parameters_than_distinct_places():
    x, y = seeds(10, sizes=(100, 300, 1000, 3000, 10_000, 30_000))
    with pytest.raises(BadInput, match="6 distinct places: 4 breaks has 14 parameters"):
        fit(x, y, 4)
    with pytest.raises(BadInput, match="6 distinct places: 2 breaks has 8 parameters"):
        fit(x, y, least=2)
    law = fit(x, y, resamples=60)
    assert max(step.larger.size for step in law.ladder) <= 6


def test_a_smooth_curve_is_the_same_however_densely_it_is_told():
    for m in (300, 5000, 100_000):
        x = np.geomspace(1, 1e4, m)
        rungs = rungs_of(np.log(x), -np.log(np.log(x + 3)))
        assert rungs[Form(1, True)].scatter > 1e-3
        assert rungs[Form(2, False)].scatter == pytest.approx(2.6e-4, rel=0.03)


def test_the_scatter_inside_bins_is_told():
    x = np.geomspace(1, 1e3, 3 * BINS)
    scatter = 0.05 * np.random.default_rng(0).standard_normal(len(x))
    law = fit(x, x**-0.4 * np.exp(scatter), 0, resamples=60)
    assert "1200 points averaged into 400 bins" in law.warnings[0]
    assert law.scatter == pytest.approx(scatter.std(ddof=2), rel=0.01)


# --- the search -------------------------------------------------------------------------------


def rungs_of(u, y):
    chain = Chain(observed(np.exp(u), np.exp(y)))
    return Rungs(Search(chain.data.u, chain.root, (float(y.min()), float(y.max()))), chain)


@pytest.mark.parametrize("kind", KINDS)
def test_the_search_ends_no_higher_than_one_from_the_truth(kind):
    """More kinds and many starts: benchmarks/break_search.py."""
    level, slope, breaks, floor, _ = KINDS[kind]
    u, y = curve(kind, 0)
    form = Form(len(breaks), floor > 0)
    parts = [(c, place * u[-1], np.log(width)) for c, place, width in breaks]
    theta = np.array([level, slope, *np.ravel(parts), *([np.log(floor)] if floor else [])])
    rungs = rungs_of(u, y)
    low, high = rungs.search.box(form)
    theirs = least_squares(
        lambda t: form.value(t, u) - y,
        np.clip(theta, low + 1e-9, high - 1e-9),
        lambda t: form.jacobian(t[None], u)[1][0],
        (low, high),
        x_scale="jac",
    )
    rungs.finish(form)
    assert rungs[form].loss <= 2 * theirs.cost * (1 + 1e-3)
    assert rungs[form].converged


def test_a_search_that_ran_out_of_steps_did_not_converge():
    """Side by side: one starts where it ends, one needs a few steps, one more than it gets."""
    u = np.linspace(0.0, 3.0, 7)

    def model(theta):
        value = np.exp(theta * u)
        return value, (value * u)[..., None]

    given = (model, np.exp(0.5 * u), np.array([[0.5], [0.45], [-5.0]]), np.array([-9.0]))
    box = {"high": np.array([9.0]), "root": np.ones(7)}
    for steps, wanted in ((0, [0, 0, 0]), (8, [1, 1, 0]), (200, [1, 1, 1])):
        found = minimise(*given, **box, steps=steps)
        assert found.converged.tolist() == wanted
        ended = np.abs(found.theta[:, 0] - 0.5) < 1e-6
        assert ended[found.converged].all()


def test_a_slow_search_from_many_starts_finds_nothing_lower():
    u, y = curve("early drop to a floor", 1)
    rungs, form = rungs_of(u, y), Form(1, True)
    rungs.finish(form)
    assert rungs[form].loss <= slow(form, rungs.search, y, 15, 0) * (1 + 1e-6)


def test_an_early_drop_to_a_long_floor_is_found():
    rng = np.random.default_rng(1)
    x = np.geomspace(10, 1e5, 40)
    y = (0.01 + (1 + (x / 99) ** 10) ** -1.0) * np.exp(0.15 * rng.standard_normal(40))
    law = fit(x, y, resamples=60)
    assert law.form == Form(1, True)
    assert law.breaks[0].place.value == pytest.approx(99, rel=0.15)
    assert law.breaks[0].after.value < -6
    assert law.floor.value == pytest.approx(0.01, rel=0.1)
    assert 0.1 < law.scatter < 0.2


def test_a_drop_from_one_level_to_another_is_seen():
    """It gains nothing until there are two breaks, or one and a floor."""
    x = np.geomspace(1, 1e4, 30)
    noise = np.exp(0.05 * np.random.default_rng(0).standard_normal(30))
    law = fit(x, np.where(x < 100, 1.0, 0.01) * noise, resamples=60)
    assert law.form in (Form(1, True), Form(2, False))
    assert law.scatter < 0.07
    assert 80 < law.breaks[0].place.value < 150


def test_a_fit_has_converged_when_no_start_ended_lower():
    """A local optimum handed to the search is left; one that is left just now is not the last."""
    u, y = curve("early drop to a floor", 0)
    rungs, form = rungs_of(u, y), Form(1, True)
    best = rungs[form].loss
    power = rungs[Form(0, True)]
    start = Form(0, True).nested(power.theta[None], *rungs.search.box(Form(1, False)))
    local = np.concatenate([start, power.theta[None, -1:]], axis=1)
    stuck = Minimum(local, np.array([power.loss]), np.ones(1, bool))
    left = rungs.search.stirred(form, y, stuck, 8)
    assert left.loss[0] == pytest.approx(best, rel=1e-6)
    assert left.converged[0]
    assert not rungs.search.stirred(form, y, stuck, 1).converged[0]


# --- numbers at the ends of what there is ------------------------------------------------------


def test_no_warning_of_numpy_leaves_a_fit():
    x = np.geomspace(1, 1e4, 20)
    noise = np.exp(0.05 * np.random.default_rng(0).standard_normal(20))
    steep = np.exp(-x / 50) + 1e-5
    far = np.r_[1e308, 2.0 ** np.arange(7)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for a, b in (
            (x, steep * noise),
            (x * 1e300, x**-0.5 * noise),
            (far, 3 * np.r_[0.7, 0.75 ** np.arange(7)]),
        ):
            law = fit(a, b, 1 if len(a) > 8 else 0, resamples=60)
            assert np.isfinite(law.theta).all()
            assert np.isfinite(law.slope(a)).all()


def test_a_curve_that_rises_is_told_of_its_ceiling():
    x = np.geomspace(1, 1e3, 20)
    up = fit(x, 0.9 - 0.5 * x**-0.5, 0, resamples=60)
    assert "give ceiling - y" in " ".join(up.warnings)
    down = fit(x, 0.5 * x**-0.5, 0, resamples=60)
    assert "ceiling" not in " ".join(down.warnings)


def test_a_least_number_of_breaks():
    x = np.geomspace(1, 1e3, 24)
    y = x**-0.4 * np.exp(0.05 * np.random.default_rng(0).standard_normal(24))
    assert fit(x, y, least=1, resamples=60).form == Form(1, False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"least": 5}, "least = 5: expected 0 to 4 breaks"),
        ({"breaks": 1, "least": 2}, "breaks = 1 with at least 2"),
        ({"weights": np.ones(3), "sd": np.ones(3)}, "weights and sd are both given"),
        ({"weights": np.ones(3)}, r"weights has shape \(3,\); expected \(9,\)"),
        ({"sd": np.r_[np.ones(8), 0.0]}, r"sd of point 9 is 0 \(1 such\); expected > 0"),
        ({"weights": np.r_[np.ones(8), np.nan]}, "weights of point 9 is nan"),
        ({"weights": np.r_[np.ones(8), 1e-13]}, "more than twelve orders of magnitude"),
        ({"run": np.zeros(9)}, "run has shape .* of float64; expected .* integers"),
    ],
)
def test_bad_options_are_told(words, says):
    x = np.arange(1.0, 10.0)
    with pytest.raises(BadInput, match=says):
        fit(x, 1 / x, **words)


@pytest.mark.parametrize(("fall", "rounds", "converged"), [(1e-9, 1, True), (0.1, 3, False)])
def test_a_search_goes_on_while_a_start_ends_lower_by_more_than_rounding(
    fall, rounds, converged, monkeypatch
):
    x = np.geomspace(1, 1e3, 12)
    y = -0.4 * np.log(x)
    search = Search(np.log(x), np.ones(12), (y.min(), y.max()))
    form, tried = Form(1, False), []

    def polish(form, y, starts, **_):
        made = Minimum(starts[0], np.array([(1 - fall) ** (1 + len(tried))]), np.ones(1, bool))
        tried.append(len(starts) > 1)  # and each that is lower is gone on with
        return made

    monkeypatch.setattr(search, "polish", polish)
    begun = Minimum(np.array([[0.0, 0.4, 0.1, 3.0, 0.0]]), np.ones(1), np.ones(1, bool))
    found = search.stirred(form, y, begun, 3)
    assert sum(tried) == rounds
    assert bool(found.converged[0]) is converged


def test_a_box_holds_a_search_at_either_end_and_lets_it_go():
    """Of a line: the best inside the box is its end, or the inside if it starts at an end."""
    u = np.linspace(-1.0, 2.0, 7)

    def model(theta):
        return theta[:, :1] + theta[:, 1:] * u, np.stack(
            np.broadcast_arrays(np.ones_like(u), u * np.ones((len(theta), 1))), axis=-1
        )

    low, high = np.array([-1.0, -1.0]), np.array([1.0, 1.0])
    for truth in ((3.0, 0.5), (-3.0, 0.5), (0.2, 5.0), (0.2, -5.0), (3.0, 5.0), (0.3, -0.4)):
        y = truth[0] + truth[1] * u
        wanted = lsq_linear(np.stack([np.ones_like(u), u], axis=1), y, (low, high)).x
        starts = np.array([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [0.1, 0.1]])
        found = minimise(model, y, starts, low, high, root=np.ones(7))
        assert found.converged.all()
        np.testing.assert_allclose(found.theta, np.tile(wanted, (4, 1)), atol=1e-6)
        rest = y - model(wanted[None])[0][0]
        np.testing.assert_allclose(found.loss, rest @ rest, rtol=1e-8, atol=1e-14)
    y = 0.3 - 0.4 * u
    held = minimise(model, y, np.array([[0.9, 0.0]]), low, high, root=np.ones(7), held=(0,))
    assert held.theta[0, 0] == 0.9
    assert held.theta[0, 1] == pytest.approx(-0.4 + (0.3 - 0.9) * u.sum() / (u @ u), abs=1e-6)
    heavy = np.where(u > 0.9, 10.0, 0.1)  # a weight decides between two lines
    bent = np.where(u > 0.9, 0.5, 0.5 - u)
    found = minimise(model, bent, starts, low, high, root=heavy)
    design = heavy[:, None] * np.stack([np.ones_like(u), u], axis=1)
    wanted = lsq_linear(design, heavy * bent, (low, high)).x
    np.testing.assert_allclose(found.theta, np.tile(wanted, (4, 1)), atol=1e-5)


def test_the_slope_of_a_fit_is_its_derivative_between_the_logarithms():
    x, y = seeds(80)
    law = fit(x, y, resamples=60)
    at, step = np.array([1.5, 40.0, 900.0]), 1e-4
    rise = np.log(law(at * np.exp(step))) - np.log(law(at * np.exp(-step)))
    np.testing.assert_allclose(law.slope(at), rise / (2 * step), atol=1e-6)
