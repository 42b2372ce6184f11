"""The inheritance operator against resolvent calculus in 60 digits, and its special cases."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.inheritance.operator import (
    IsotropicStage,
    IsotropicWeights,
    RidgeStage,
    Weights,
    from_scratch,
    inherit,
    inherit_isotropic,
    isotropic_risk,
    risk,
)
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import Groups, plain_rows
from ci_theory.theory.spectra.spectrum import from_covariance

P = 5


def _matrix(seed, scale=1.0):
    a = np.random.default_rng(seed).normal(size=(P, P))
    return scale * (a @ a.T / P + 0.2 * np.eye(P))


def _vector(seed):
    return np.random.default_rng(100 + seed).normal(size=P) / np.sqrt(P)


COVARIANCE, TEST, SPREAD = _matrix(1), _matrix(2), _matrix(3, 0.3)
TARGET, MEAN, OTHER = _vector(1), _vector(2), _vector(3)
DESIGNS = {
    "plain": ([8.0], [1.0], [0.4]),
    "few": ([3.0], [1.0], [0.4]),
    "at_peak": ([3.0, 2.0], [1.0, 7.0], [0.4, 0.4]),
    "repeated": ([6.0, 2.0], [1.0, 9.0], [0.4, 0.05]),
}


def _rows(design):
    counts, weights, noise = (jnp.array(v) for v in DESIGNS[design])
    return Groups(counts=counts, weights=weights, noise=noise)


def _oracle(design, ridge, test, target, scale):
    """E (w - target)' test (w - target) after a stage, from two-point functions of resolvents.

    w - beta = ridge G (w0 - beta) + G X'C e with G = (X'CX + ridge)^-1, whose equivalent under
    ridge -> ridge + t test and C -> C + u C V C gives every second moment by differentiation.
    """
    counts, weights, noise = ([mp.mpf(v) for v in part] for part in DESIGNS[design])
    sigma, a = mp.matrix(COVARIANCE.tolist()), mp.matrix(test.tolist())
    delta, eye, start = mp.mpf(ridge), mp.eye(P), mp.log(mp.mpf(float(scale)))

    def trace(x):
        return sum(x[i, i] for i in range(P))

    def resolvent(t=0, u=0):
        moved = [c + u * c * c * v for c, v in zip(weights, noise, strict=True)]

        def equation(log_s):
            s = mp.exp(log_s)
            e = trace(sigma * mp.inverse(s * sigma + delta * eye + t * a))
            return (
                mp.log(sum(n * c / (1 + c * e) for n, c in zip(counts, moved, strict=True))) - log_s
            )

        s = mp.exp(mp.findroot(equation, (start, start + mp.mpf(10) ** -3), tol=1e-100))
        return mp.inverse(s * sigma + delta * eye + t * a)

    h = mp.mpf(10) ** -18

    def second(m):  # tr m G test G
        return -(trace(m * resolvent(t=h)) - trace(m * resolvent(t=-h))) / (2 * h)

    gap = mp.matrix((MEAN - TARGET).tolist())
    fluctuation = -(trace(a * resolvent(u=h)) - trace(a * resolvent(u=-h))) / (2 * h)
    around = delta**2 * second(gap * gap.T + mp.matrix(SPREAD.tolist())) + fluctuation
    # around is about beta; move it to the target with the mean
    mean = mp.matrix(TARGET.tolist()) + delta * resolvent() * gap
    to = mp.matrix((TARGET - target).tolist())
    miss = mean - mp.matrix(TARGET.tolist())
    return around + 2 * (miss.T * a * to)[0] + (to.T * a * to)[0], mean


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("ridge", [1e-8, 0.3, 40.0])
def test_operator_matches_resolvent_calculus(design, ridge):
    start = Weights(mean=MEAN, spread=SPREAD)
    out = inherit(
        start, RidgeStage(covariance=COVARIANCE, target=TARGET, groups=_rows(design), ridge=ridge)
    )
    assert int(out.status) == Status.OK
    scale = out.risk.fixed_point.scale
    with mp.workdps(60):
        for test, target in [(COVARIANCE, TARGET), (TEST, TARGET), (TEST, OTHER)]:
            wanted, mean = _oracle(design, ridge, test, target, scale)
            assert abs(float(risk(out.weights, test, target)) / wanted - 1) < 1e-11
        own = float(risk(out.weights, COVARIANCE, TARGET))
        assert float(out.risk.excess_risk) == pytest.approx(own, rel=1e-12)
        assert max(abs(float(out.weights.mean[i]) - mean[i]) for i in range(P)) < 1e-13


def test_from_scratch_is_weighted_ridge():
    for design in DESIGNS:
        rows = _rows(design)
        stage = RidgeStage(covariance=COVARIANCE, target=TARGET, groups=rows, ridge=0.3)
        ours = inherit(from_scratch(P), stage).risk
        theirs = weighted_ridge_risk(from_covariance(COVARIANCE, TARGET), rows, 0.3)
        assert float(ours.excess_risk) == pytest.approx(float(theirs.excess_risk), rel=1e-12)


def test_isotropic_scalars_are_the_matrix_operator():
    p, axes = 6, np.eye(6)[:2]
    targets = [np.array([1.0, 0.0]), np.array([0.6, 0.8]), np.array([0.0, 0.3])]
    rows = [
        plain_rows(9, 0.2),
        plain_rows(4, 0.5),
        Groups(
            counts=jnp.array([5.0, 2.0]), weights=jnp.array([1.0, 6.0]), noise=jnp.array([0.3, 0.3])
        ),
    ]
    ridges = [0.0, 0.7, 3.0]
    full, reduced = from_scratch(p), IsotropicWeights(mean=jnp.zeros(2), spread=0.0)
    for target, group, ridge in zip(targets, rows, ridges, strict=True):
        big = inherit(
            full, RidgeStage(covariance=np.eye(p), target=target @ axes, groups=group, ridge=ridge)
        )
        small = inherit_isotropic(
            reduced, IsotropicStage(target=target, groups=group, ridge=ridge), p
        )
        full, reduced = big.weights, small.weights
        assert np.allclose(axes @ full.mean, reduced.mean, rtol=1e-12)
        assert float(jnp.trace(full.spread)) == pytest.approx(float(reduced.spread), rel=1e-12)
        assert float(big.risk.excess_risk) == pytest.approx(
            float(small.risk.excess_risk), rel=1e-12
        )
        assert float(isotropic_risk(reduced, target)) == pytest.approx(
            float(small.risk.excess_risk), rel=1e-12
        )


def test_least_squares_forgets_and_interpolation_keeps():
    """Gain of what is inherited: nothing for n > p, the unseen share 1 - n/p for n < p."""

    def excess(n, energy):
        start = IsotropicWeights(mean=jnp.zeros(1), spread=energy)
        stage = IsotropicStage(target=jnp.ones(1), groups=plain_rows(n, 0.2), ridge=0.0)
        return inherit_isotropic(start, stage, 100.0).risk.excess_risk

    assert float(jax.grad(excess, argnums=1)(150.0, 0.3)) == pytest.approx(0, abs=1e-14)
    assert float(jax.grad(excess, argnums=1)(30.0, 0.3)) == pytest.approx(0.7, rel=1e-12)


def test_strong_ridge_returns_what_came_in():
    start = Weights(mean=MEAN, spread=SPREAD)
    stage = RidgeStage(covariance=COVARIANCE, target=TARGET, groups=plain_rows(8, 0.4), ridge=1e10)
    out = inherit(start, stage).weights
    assert np.allclose(out.mean, MEAN, atol=1e-8)
    assert np.allclose(out.spread, SPREAD, atol=1e-8)


def test_directions_without_variance_keep_what_they_inherited():
    flat = np.diag([1.0, 1.0, 0.5, 0.0, 0.0])
    start = Weights(mean=MEAN, spread=np.diag(np.diag(SPREAD)))
    for ridge in (0.0, 0.4):
        out = inherit(
            start,
            RidgeStage(covariance=flat, target=TARGET, groups=plain_rows(8, 0.4), ridge=ridge),
        )
        assert int(out.status) == Status.OK
        assert np.allclose(out.weights.mean[3:], MEAN[3:])
        assert np.allclose(np.diag(out.weights.spread)[3:], np.diag(SPREAD)[3:])
        assert (np.diag(out.weights.spread)[:3] > 0).all()


def test_same_stage_again_and_again_reaches_the_fixed_point():
    """K ridgeless stages with n < p: error (1 - n/p)^K plus a geometric sum of the noise."""
    n, p, noise = 30.0, 100.0, 0.2
    state = IsotropicWeights(mean=jnp.zeros(1), spread=0.0)
    stage = IsotropicStage(target=jnp.ones(1), groups=plain_rows(n, noise), ridge=0.0)
    keep, added = 1 - n / p, noise * n / (p - n)
    for k in range(1, 6):
        out = inherit_isotropic(state, stage, p)
        state = out.weights
        wanted = keep**k + added * (1 - keep**k) / (1 - keep)
        assert float(out.risk.excess_risk) == pytest.approx(wanted, rel=1e-12)


def test_gradients_flow_through_two_stages():
    def final(v):
        rows = Groups(counts=v[:2], weights=jnp.array([1.0, 5.0]), noise=jnp.array([0.3, 0.3]))
        up = RidgeStage(covariance=COVARIANCE, target=OTHER, groups=rows, ridge=v[2])
        down = RidgeStage(covariance=TEST, target=TARGET, groups=plain_rows(v[3], 0.2), ridge=v[4])
        middle = inherit(from_scratch(P), up).weights
        return risk(inherit(middle, down).weights, COVARIANCE, TARGET)

    point = jnp.array([8.0, 3.0, 0.5, 7.0, 2.0])
    slope, value = jax.jit(jax.grad(final))(point), jax.jit(final)
    for i in range(5):
        h = 1e-5 * float(point[i])
        measured = (value(point.at[i].add(h)) - value(point.at[i].add(-h))) / (2 * h)
        assert float(slope[i]) == pytest.approx(float(measured), rel=1e-6)


def test_a_bad_stage_says_so():
    stage = RidgeStage(covariance=np.eye(P), target=TARGET, groups=plain_rows(P, 0.4), ridge=0.0)
    out = inherit(from_scratch(P), stage)
    assert int(out.status) == Status.NOT_FINITE
    assert np.isnan(float(out.risk.excess_risk))
