"""Self-distillation: the best mix against refits on drawn rows, the ridge curve, and its limits."""

import jax
import numpy as np
import pytest

from ci_theory import Status
from ci_theory.theory.ridge.best_ridge import best_ridge
from ci_theory.theory.ridge.distillation import distilled, joint_excess
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.spectra.fixed_point import solve_kappa
from ci_theory.theory.spectra.spectrum import isotropic, power_law, tail_as_modes, two_block

N, NOISE = 100, 0.5
LAM = np.repeat([4.0, 0.3], 30)
BLOCKS = two_block(30.0, 30.0, 4.0, 0.3, 1.0, 1.0)
TARGET = np.sqrt(np.repeat(np.asarray(BLOCKS.power) / 30, 30) / LAM)

excess = jax.jit(lambda ridge: ridge_risk(BLOCKS, N, ridge, NOISE).excess_risk)


def _refitted(ridge, runs=250):
    """Risks of students with mix 0, 1 and -1, refitted from mixed labels on drawn rows."""
    rng, risks = np.random.default_rng(5), []
    for _ in range(runs):
        x = rng.normal(size=(N, 60)) * np.sqrt(LAM)
        y = x @ TARGET + rng.normal(size=N) * np.sqrt(NOISE)
        gram = x.T @ x + ridge * np.eye(60)
        teacher = x @ np.linalg.solve(gram, x.T @ y)
        labels = np.stack([y, teacher, 2 * y - teacher], axis=1)
        off = np.linalg.solve(gram, x.T @ labels) - TARGET[:, None]
        risks.append(LAM @ off**2)
    return np.array(risks)


@pytest.mark.parametrize("ridge", [2.0, 60.0])
def test_students_refitted_on_drawn_rows(ridge):
    found, risks = distilled(BLOCKS, N, ridge, NOISE), _refitted(ridge)
    said = [float(found.at(mix)) for mix in (0, 1, -1)]
    error = risks.std(0, ddof=1) / np.sqrt(len(risks))
    np.testing.assert_array_less(abs(risks.mean(0) - said), 4 * error + 0.02 * np.array(said))
    start, up, down = risks.mean(0)
    best = -(up - down) / (2 * (up + down - 2 * start))  # of the parabola through the three
    np.testing.assert_allclose(found.mix, best, rtol=0.05)
    assert float(found.student) < min(said)
    np.testing.assert_allclose(found.at(found.mix), found.student, rtol=1e-12)


def test_slope_is_that_of_the_ridge_curve():
    for ridge in (0.5, 30.0, 500.0):
        found, h = distilled(BLOCKS, N, ridge, NOISE), 1e-4 * ridge
        np.testing.assert_allclose(found.teacher, excess(ridge), rtol=1e-12)
        slope = (excess(ridge + h) - excess(ridge - h)) / (2 * h)
        np.testing.assert_allclose(found.slope, slope, rtol=1e-6)


def test_a_tail_is_many_small_modes():
    """Its power no fit learns, its variance makes a ridge: as listed modes have it."""
    tailed = power_law(30, 1.5, 0.3, tail=True)
    listed = tail_as_modes(tailed, 1e10)
    for one, other in zip(*(distilled(s, 40, 3.0, NOISE) for s in (tailed, listed)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    kappa = float(solve_kappa(tailed, 40, 3.0).value)
    plain = ridge_risk(tailed, 40, 3.0, NOISE).excess_risk
    np.testing.assert_allclose(joint_excess(tailed, 40, kappa, kappa, NOISE), plain, rtol=1e-12)


def test_speed_is_the_distance_of_two_neighbouring_fits():
    ridge, h = 20.0, 2e-3
    one, other = (solve_kappa(BLOCKS, N, r).value for r in (ridge - h, ridge + h))
    apart = sum(joint_excess(BLOCKS, N, k, k, NOISE) for k in (one, other))
    apart = apart - 2 * joint_excess(BLOCKS, N, one, other, NOISE)
    speed = float(apart) / (2 * h) ** 2
    np.testing.assert_allclose(distilled(BLOCKS, N, ridge, NOISE).speed, speed, rtol=1e-4)


def test_the_weight_turns_at_the_best_ridge():
    best = float(best_ridge(BLOCKS, N, NOISE).ridge)
    below, at, above = (distilled(BLOCKS, N, f * best, NOISE) for f in (0.9, 1.0, 1.1))
    assert float(below.mix) > 0 > float(above.mix)
    np.testing.assert_allclose(at.student, at.teacher, rtol=1e-12)
    # isotropic: at noise p/|w|^2 exactly
    np.testing.assert_allclose(distilled(isotropic(50, 2.0), 80, 12.5, 0.5).mix, 0.0, atol=1e-12)


def test_only_a_target_with_directions_of_its_own_lets_a_student_beat_the_best_ridge():
    aligned = two_block(30.0, 30.0, 4.0, 0.3, 1.0, 0.05)
    gains = []
    for spectrum in (BLOCKS, aligned):  # BLOCKS: all directions alike, where ridge is Bayes
        students = [float(distilled(spectrum, N, r, NOISE).student) for r in (5.0, 60.0, 200.0)]
        gains.append(1 - min(students) / float(best_ridge(spectrum, N, NOISE).excess_risk))
    assert gains[0] < 0 < 0.03 < gains[1]


@pytest.mark.parametrize(("n", "ridge", "noise"), [(0, 1.0, 0.1), (10, 0.0, 0.1), (10, 1.0, -0.1)])
def test_out_of_scope(n, ridge, noise):
    found = distilled(isotropic(5), n, ridge, noise)
    assert int(found.status) == Status.OUT_OF_SCOPE
    assert np.isnan([found.mix, found.teacher, found.student, found.slope, found.speed]).all()


def test_where_nothing_is_learned_no_student_differs():
    found = distilled(isotropic(5, signal=0.0), 10, 2.0, 0.0)
    assert (int(found.status), float(found.mix), float(found.student)) == (Status.OK, 0.0, 0.0)
    assert float(found.ridge) == 2.0
