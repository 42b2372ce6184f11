"""Out-of-distribution error: simulation, the plain risk as a special case, limits, two forms."""

import jax
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.ridge.risk import ridge_risk
from ci_theory.theory.ridge.shift import shifted_risk, shifted_risk_modes
from ci_theory.theory.spectra.spectrum import explicit

P = 50
RNG = np.random.default_rng(11)
VALUES = np.arange(1.0, P + 1) ** -0.8
TARGET = np.cos(np.arange(P)) * np.sqrt(2 / P)
MOVED = TARGET + 0.15 * RNG.normal(size=P)
ROOT = RNG.normal(size=(P, P)) / np.sqrt(P)
ELSEWHERE = ROOT @ ROOT.T  # no common basis with diag(VALUES)
BASIS = np.linalg.qr(RNG.normal(size=(P, P)))[0]


def turned(values):
    return (BASIS * values) @ BASIS.T


@pytest.mark.parametrize(("n", "ridge"), [(30.0, 0.0), (50.0, 1e-10), (90.0, 2.0), (90.0, 0.0)])
def test_no_shift_is_the_plain_risk(n, ridge):
    plain = ridge_risk(explicit(VALUES, TARGET**2), n, ridge, 0.3)
    modes = shifted_risk_modes(VALUES, TARGET, VALUES, TARGET, n, ridge, 0.3, 0.3)
    full = shifted_risk(
        turned(VALUES), BASIS @ TARGET, turned(VALUES), BASIS @ TARGET, n, ridge, 0.3, 0.3
    )
    assert float(modes.test_error) == pytest.approx(float(plain.test_error), rel=1e-13)
    assert float(modes.bias) == pytest.approx(float(plain.bias), rel=1e-12, abs=1e-16)
    assert float(full.test_error) == pytest.approx(float(plain.test_error), rel=1e-8)


def test_both_forms_agree_where_both_apply():
    for n, ridge in [(20.0, 0.5), (80.0, 0.0)]:
        other = np.linspace(2.0, 0.1, P)
        modes = shifted_risk_modes(VALUES, TARGET, other, MOVED, n, ridge, 0.3, 0.1)
        full = shifted_risk(
            turned(VALUES), BASIS @ TARGET, turned(other), BASIS @ MOVED, n, ridge, 0.3, 0.1
        )
        for a, b in zip(modes[:4], full[:4], strict=True):
            assert float(a) == pytest.approx(float(b), rel=1e-10)


@pytest.mark.parametrize(("n", "ridge"), [(60, 0.4), (110, 2.0), (30, 1.0)])
def test_against_simulation(n, ridge):
    """Covariance, target and label noise all change between training and test."""
    rng = np.random.default_rng(n)
    noise, trials, out = 0.3, 400, []
    for _ in range(trials):
        x = rng.normal(size=(n, P)) * np.sqrt(VALUES)
        solve = np.linalg.solve(x.T @ x + ridge * np.eye(P), x.T)
        gap = solve @ (x @ TARGET) - MOVED
        out.append(gap @ ELSEWHERE @ gap + noise * np.sum(solve * (ELSEWHERE @ solve)))
    mean, error = np.mean(out), np.std(out) / np.sqrt(trials)
    found = shifted_risk(np.diag(VALUES), TARGET, ELSEWHERE, MOVED, n, ridge, noise, 0.7)
    assert found.status == Status.OK
    assert float(found.test_error) == pytest.approx(float(found.excess_risk) + 0.7, rel=1e-14)
    assert abs(float(found.excess_risk) - mean) < 4 * error + 0.5 * mean / n
    for wrong in (  # the target's change, the covariance's change forgotten
        shifted_risk(np.diag(VALUES), TARGET, ELSEWHERE, TARGET, n, ridge, noise, 0.7),
        shifted_risk(np.diag(VALUES), TARGET, np.diag(VALUES), MOVED, n, ridge, noise, 0.7),
    ):
        assert abs(float(wrong.excess_risk) - mean) > 4 * error + 0.5 * mean / n


def test_least_squares_elsewhere():
    """ridge = 0, n > p: tr(S' S^-1) noise/(n - p) plus the distance of the targets."""
    found = shifted_risk(np.diag(VALUES), TARGET, ELSEWHERE, MOVED, 90, 0.0, 0.3, 0.0)
    spread = np.trace(ELSEWHERE / VALUES) * 0.3 / 40
    gap = TARGET - MOVED
    assert float(found.variance) == pytest.approx(spread, rel=1e-12)
    assert float(found.bias) == pytest.approx(gap @ ELSEWHERE @ gap, rel=1e-12)


def test_absent_directions_are_not_learned():
    values = np.where(np.arange(P) < 20, VALUES, 0.0)
    found = shifted_risk(
        turned(values), BASIS @ TARGET, turned(np.ones(P)), BASIS @ TARGET, 60, 0.0, 0.3, 0.0
    )
    assert float(found.bias) == pytest.approx(np.sum(TARGET[20:] ** 2), rel=1e-10)
    assert float(found.variance) == pytest.approx(np.sum(1 / values[:20]) * 0.3 / 40, rel=1e-9)


def test_bad_input_is_a_status():
    found = jax.vmap(lambda n: shifted_risk_modes(VALUES, TARGET, VALUES, MOVED, n, 0.1, 0.3, 0.3))(
        np.array([30.0, -1.0, np.nan])
    )
    assert found.status.tolist() == [0, Status.OUT_OF_SCOPE, Status.NOT_FINITE]
    assert np.isnan(found.test_error[1:]).all()
    home = ridge_risk(explicit(VALUES, TARGET**2), 30.0, 0.1, 0.3)
    for name in ("kappa", "test_error", "train_error"):
        told = float(getattr(found.inside, name)[0])
        assert told == pytest.approx(float(getattr(home, name)), rel=1e-12)
    assert float(found.excess_risk[0]) == pytest.approx(float(found.test_error[0]) - 0.3, rel=1e-12)


def test_derivatives():
    """With respect to all eight arguments, against central differences."""
    at = [turned(VALUES), BASIS @ TARGET, ELSEWHERE, MOVED, 40.0, 0.5, 0.3, 0.2]

    def value(*parts):
        return shifted_risk(*parts).test_error

    slopes = jax.jit(jax.grad(value, argnums=tuple(range(8))))(*at)
    h = 1e-6
    for i, slope in enumerate(slopes):
        way = RNG.normal(size=np.shape(at[i]))
        way = way + way.T if np.ndim(way) == 2 else way
        up, down = (value(*at[:i], at[i] + s * h * way, *at[i + 1 :]) for s in (1, -1))
        central = float(up - down) / (2 * h)
        assert float(np.sum(np.asarray(slope) * way)) == pytest.approx(central, rel=1e-5), i
