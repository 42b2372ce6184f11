"""Mixtures of sources: the single-source limits, scalar cases, and the fixed point's defects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from ci_theory._errors import Status
from ci_theory.theory.inheritance.mixture import Mixture, fit_mixture
from ci_theory.theory.inheritance.operator import Stage, Weights, from_scratch, inherit, risk
from ci_theory.theory.spectra.groups import Groups

P = 6


def _covariance(seed):
    a = np.random.default_rng(seed).normal(size=(P, P))
    return a @ a.T / P + 0.1 * np.eye(P)


def _mixture(
    covariances, targets, ridge=0.5, counts=(7.0, 3.0), weights=(1.0, 6.0), noise=(0.4, 0.1)
):
    return Mixture(
        covariances=jnp.stack([jnp.asarray(c) for c in covariances]),
        targets=jnp.stack([jnp.asarray(t) for t in targets]),
        counts=jnp.array(counts),
        weights=jnp.array(weights),
        noise=jnp.array(noise),
        ridge=ridge,
    )


START = Weights(mean=np.linspace(0, 1, P), spread=0.2 * _covariance(5))
TARGET = np.linspace(1, -1, P)


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 0.5, 30.0])
def test_one_law_in_two_groups_is_the_operator(ridge):
    law = _covariance(1)
    mixed = fit_mixture(_mixture([law, law], [TARGET, TARGET], ridge), START)
    rows = Groups(
        counts=jnp.array([7.0, 3.0]), weights=jnp.array([1.0, 6.0]), noise=jnp.array([0.4, 0.1])
    )
    out = inherit(START, Stage(covariance=law, target=TARGET, groups=rows, ridge=ridge))
    assert int(mixed.status) == Status.OK
    assert np.allclose(mixed.weights.mean, out.weights.mean, rtol=1e-10, atol=1e-12)
    assert np.allclose(mixed.weights.spread, out.weights.spread, rtol=1e-9, atol=1e-12)
    held_out = out.risk.excess_risk + jnp.array([0.4, 0.1])
    assert np.allclose(mixed.held_out, held_out, rtol=1e-10)
    assert np.allclose(mixed.leverage, out.risk.fixed_point.leverage, rtol=1e-10)


def test_held_out_errors_are_risks_of_the_weights():
    laws, targets = [_covariance(1), _covariance(2)], [TARGET, TARGET[::-1]]
    mixed = fit_mixture(_mixture(laws, targets), START)
    for g, noise in enumerate((0.4, 0.1)):
        own = float(risk(mixed.weights, laws[g], targets[g])) + noise
        assert float(mixed.held_out[g]) == pytest.approx(own, rel=1e-11)


def test_isotropic_mixture_is_one_scalar_equation():
    counts, weights, ridge = (9.0, 4.0), (1.0, 5.0), 0.8

    def gap(omega):
        e = P / (omega + ridge)
        return sum(n * c / (1 + c * e) for n, c in zip(counts, weights, strict=True)) - omega

    omega = brentq(gap, 1e-9, 50.0, xtol=1e-14)
    e = P / (omega + ridge)
    own = [n * c / (1 + c * e) for n, c in zip(counts, weights, strict=True)]
    eye = np.eye(P)
    mixed = fit_mixture(
        _mixture([eye, eye], [eye[0], eye[1]], ridge, counts, weights), from_scratch(P)
    )
    assert np.allclose(mixed.share, own, rtol=1e-10)
    assert np.allclose(mixed.weights.mean[:2], np.array(own) / (omega + ridge), rtol=1e-10)


def test_contamination_of_least_squares_becomes_the_same_share_of_bias():
    eye = np.eye(P)
    mixed = fit_mixture(
        _mixture([eye, eye], [eye[0], eye[1]], 0.0, (80.0, 20.0), (1.0, 1.0)), from_scratch(P)
    )
    assert np.allclose(mixed.weights.mean[:2], [0.8, 0.2], rtol=1e-12)


def test_groups_of_weight_zero_are_not_there():
    laws = [_covariance(1), _covariance(2)]
    mixed = fit_mixture(_mixture(laws, [TARGET, -TARGET], weights=(2.0, 0.0)), START)
    rows = Groups(counts=jnp.array([7.0]), weights=jnp.array([2.0]), noise=jnp.array([0.4]))
    out = inherit(START, Stage(covariance=laws[0], target=TARGET, groups=rows, ridge=0.5))
    assert np.allclose(mixed.weights.mean, out.weights.mean, rtol=1e-10, atol=1e-12)
    assert float(mixed.leverage[1]) == 0


def test_gradient_of_a_minority_risk_in_its_weight():
    laws = [_covariance(1), _covariance(2)]

    def minority(weight):
        made = _mixture(laws, [TARGET, TARGET[::-1]])
        made = jax.tree.map(lambda x: x, made)
        made = Mixture(**{**made.__dict__, "weights": jnp.stack([jnp.ones(()), weight])})
        return fit_mixture(made, from_scratch(P)).held_out[1]

    slope = float(jax.grad(minority)(3.0))
    step = 1e-5
    measured = float(minority(3.0 + step) - minority(3.0 - step)) / (2 * step)
    assert slope == pytest.approx(measured, rel=1e-7)


def test_points_without_a_fixed_point_say_so():
    laws, targets = [np.eye(P)] * 2, [TARGET, TARGET]
    few = fit_mixture(_mixture(laws, targets, 0.0, (3.0, 2.0)), from_scratch(P))
    assert int(few.status) == Status.NOT_FINITE
    assert np.isnan(few.held_out).all()
    bad = fit_mixture(_mixture(laws, targets, -1.0), from_scratch(P))
    assert int(bad.status) == Status.OUT_OF_SCOPE
