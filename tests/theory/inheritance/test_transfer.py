"""Closed forms of transfer against the operator, by optimisation, root finding and sympy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq, minimize_scalar

from ci_theory.theory.inheritance.operator import (
    IsotropicStage,
    IsotropicWeights,
    inherit_isotropic,
    isotropic_risk,
)
from ci_theory.theory.inheritance.transfer import (
    anchor_error,
    clean_rows,
    harmless_noise,
    negative_transfer_cosine,
    optimal_ridge,
    optimal_scale,
    tuned_excess,
)
from ci_theory.theory.spectra.groups import plain_rows

SCRATCH = IsotropicWeights(mean=jnp.zeros(2), spread=0.0)


@jax.jit
def _down(log_ridge, anchor, n, p, noise):
    """Downstream excess risk for a given anchor error, all of it fluctuation."""
    start = IsotropicWeights(mean=jnp.ones(1), spread=anchor)
    rows = plain_rows(n, noise)
    stage = IsotropicStage(target=jnp.ones(1), groups=rows, ridge=jnp.exp(log_ridge))
    return inherit_isotropic(start, stage, p).risk.excess_risk


_slope = jax.jit(jax.grad(_down))


@jax.jit
def _gain(cosine, norm, middle, n, p, ridge, noise):
    """Excess risk from scratch less that from the inherited weights."""
    target = norm * jnp.stack([cosine, jnp.sqrt(1 - cosine**2)])
    down = IsotropicStage(target=target, groups=plain_rows(n, noise), ridge=ridge)
    scratch = inherit_isotropic(SCRATCH, down, p).risk.excess_risk
    return scratch - inherit_isotropic(middle, down, p).risk.excess_risk


@pytest.mark.parametrize(("n", "p"), [(50.0, 100.0), (100.0, 100.0), (300.0, 100.0)])
def test_best_ridge_and_its_risk_by_minimisation(n, p):
    for anchor, noise in [(1.3, 0.4), (0.05, 2.0)]:
        found = minimize_scalar(
            lambda v, a=anchor, s=noise: float(_down(v, a, n, p, s)),
            bounds=(-8, 14),
            method="bounded",
            options={"xatol": 1e-9},
        )
        best = float(optimal_ridge(p, noise, anchor))
        assert np.exp(found.x) == pytest.approx(best, rel=1e-5)
        assert found.fun == pytest.approx(float(tuned_excess(n, p, noise, anchor)), rel=1e-12)
        assert abs(float(_slope(np.log(best), anchor, n, p, noise))) < 1e-13


def test_rows_for_a_repair_invert_the_tuned_risk():
    for n, p, noise, anchor in [(30.0, 100.0, 0.3, 1.2), (1e5, 100.0, 2.0, 0.4)]:
        left = tuned_excess(n, p, noise, anchor)
        assert float(clean_rows(p, noise, anchor, left)) == pytest.approx(n, rel=1e-9)


def test_tuned_risk_keeps_its_digits_at_its_limits():
    assert float(tuned_excess(1e12, 100.0, 1.0, 1.0)) == pytest.approx(1e-10, rel=1e-9)
    assert float(tuned_excess(40.0, 100.0, 0.0, 1.5)) == pytest.approx(0.9, rel=1e-14)
    assert float(tuned_excess(1e-9, 100.0, 0.7, 1.5)) == pytest.approx(1.5, rel=1e-9)


@pytest.mark.parametrize(
    ("n_up", "ridge_up"), [(300.0, 0.0), (60.0, 0.0), (60.0, 20.0), (100.0, 5.0)]
)
def test_boundary_is_where_the_operator_changes_sign(n_up, ridge_up):
    """At any downstream ridge, size and noise; found on the full two-stage operator."""
    p, norm = 100.0, 1.4
    up = IsotropicStage(target=jnp.array([1.0, 0.0]), groups=plain_rows(n_up, 0.25), ridge=ridge_up)
    middle = inherit_isotropic(SCRATCH, up, p).weights
    boundary = float(negative_transfer_cosine(middle.mean[0], middle.spread, norm))
    assert 0 < boundary < 1
    for n, ridge, noise in [(40.0, 3.0, 0.5), (500.0, 60.0, 0.1), (40.0, 0.0, 0.5)]:
        rest = (norm, middle, n, p, ridge, noise)
        found = brentq(_gain, 0, 0.999, args=rest, xtol=1e-14)
        assert found == pytest.approx(boundary, rel=1e-9)


def test_harmless_noise_is_the_boundary_solved_for_the_noise():
    n, p, cosine, up, down = 400.0, 100.0, 0.7, 0.8, 1.3

    def distance(noise):
        start = IsotropicStage(
            target=jnp.array([up**0.5, 0.0]), groups=plain_rows(n, noise), ridge=0.0
        )
        weights = inherit_isotropic(SCRATCH, start, p).weights
        return negative_transfer_cosine(weights.mean[0], weights.spread, down**0.5) - cosine

    found = brentq(jax.jit(distance), 1e-6, 50.0, xtol=1e-13)
    assert found == pytest.approx(float(harmless_noise(n, p, cosine, up, down)), rel=1e-10)


def test_best_scale_in_sympy_and_never_negative():
    m, v, b, c, a = sp.symbols("m v b c a", positive=True)
    error = a**2 * (m**2 + v) - 2 * a * m * b * c + b**2
    (best,) = sp.solve(sp.diff(error, a), a)
    left = sp.simplify(error.subs(a, best))
    assert sp.simplify(left - b**2 * (1 - c**2 * m**2 / (m**2 + v))) == 0
    assert sp.simplify(best - m * b * c / (m**2 + v)) == 0
    rng = np.random.default_rng(0)
    for mean, spread, norm, cosine in rng.uniform(0.1, 1.0, (20, 4)):
        scale = optimal_scale(mean, spread, cosine, norm)
        assert float(scale) == pytest.approx(
            float(best.subs({m: mean, v: spread, b: norm, c: cosine})), rel=1e-12
        )
        assert float(anchor_error(mean, spread, cosine, norm, scale)) <= norm**2


def test_anchor_error_is_the_risk_of_the_inherited_weights():
    weights = IsotropicWeights(mean=jnp.array([0.8, 0.0]), spread=0.3)
    target = 1.1 * jnp.array([0.6, 0.8])
    assert float(anchor_error(0.8, 0.3, 0.6, 1.1)) == pytest.approx(
        float(isotropic_risk(weights, target)), rel=1e-14
    )
