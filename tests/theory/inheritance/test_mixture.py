"""Mixtures of sources: the single-source limits, scalar cases, and the fixed point's defects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from ci_theory._errors import Status
from ci_theory.theory.inheritance.mixture import (
    BlockMixture,
    BlockWeights,
    Mixture,
    fit_block_mixture,
    fit_mixture,
)
from ci_theory.theory.inheritance.operator import RidgeStage, Weights, from_scratch, inherit, risk
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
    out = inherit(START, RidgeStage(covariance=law, target=TARGET, groups=rows, ridge=ridge))
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
    out = inherit(START, RidgeStage(covariance=laws[0], target=TARGET, groups=rows, ridge=0.5))
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
    for ridge in (0.0, 1.0):
        less = fit_mixture(_mixture(laws, targets, ridge, (90.0, -2.0)), from_scratch(P))
        assert int(less.status) == Status.OUT_OF_SCOPE
        assert np.isnan(less.weights.mean).all()
    peak = fit_mixture(_mixture(laws, targets, 0.0, (P - 2.0, 2.0)), from_scratch(P))
    assert int(peak.status) == Status.NOT_FINITE
    enough = fit_mixture(_mixture(laws, targets, 0.0, (P - 1.0, 2.0)), from_scratch(P))
    assert int(enough.status) == Status.OK
    assert float(enough.residual) < 1e-10


class TestUnlearning:
    """Rows of negative weight."""

    def fit(self, weight, ridge=0.0, counts=(60.0, 12.0)):
        eye = np.eye(P)
        return fit_mixture(
            _mixture([eye, eye], [eye[0], eye[1]], ridge, counts, (1.0, weight)), from_scratch(P)
        )

    def test_isotropic_sources_are_one_scalar_equation(self):
        """The least positive root of e = p / (ridge + sum n c / (1 + c e))."""
        ridge, weight = 0.3, -0.7
        made = self.fit(weight, ridge)

        def gap(e):
            return e * (ridge + 60 / (1 + e) + 12 * weight / (1 + weight * e)) - P

        places = np.linspace(1e-6, 1 / 0.7 - 1e-6, 4000)
        first = next(i for i in range(len(places) - 1) if gap(places[i]) * gap(places[i + 1]) < 0)
        e = brentq(gap, places[first], places[first + 1], xtol=1e-15)
        assert int(made.status) == Status.OK
        assert np.allclose(made.leverage, [e / (1 + e), weight * e / (1 + weight * e)], rtol=1e-10)
        share = 12 * weight / (1 + weight * e) * e / P
        assert float(made.weights.mean[1]) == pytest.approx(share, rel=1e-10)
        assert share < 0  # away from the labels of the unlearned rows

    def test_against_simulation(self):
        """Mean and errors of the fit; the error of a group is on fresh rows of it."""
        p, counts, weights, ridge, noise = 60, (240, 60), (1.0, -0.3), 20.0, (0.5, 0.2)
        rng = np.random.default_rng(3)
        scales = np.stack([np.linspace(0.5, 1.5, p), np.linspace(1.2, 0.8, p)])
        targets = np.zeros((2, p))
        targets[0, 0] = targets[1, 1] = 1.0
        fits, errors = [], []
        for _ in range(200):
            x = [rng.normal(size=(n, p)) * np.sqrt(s) for n, s in zip(counts, scales, strict=True)]
            y = [a @ t + v**0.5 * rng.normal(size=len(a))
                 for a, t, v in zip(x, targets, noise, strict=True)]  # fmt: skip
            system = ridge * np.eye(p) + sum(c * a.T @ a for c, a in zip(weights, x, strict=True))
            pulled = sum(c * a.T @ b for c, a, b in zip(weights, x, y, strict=True))
            w = np.linalg.solve(system, pulled)
            fits.append(w)
            errors.append(np.sum(scales * (w - targets) ** 2, axis=1) + np.array(noise))
        made = fit_block_mixture(
            BlockMixture(
                variances=scales,
                multiplicity=np.ones(p),
                targets=targets[:, :, None],
                counts=np.array(counts, float),
                weights=np.array(weights),
                noise=np.array(noise),
                ridge=ridge,
            ),
            BlockWeights(mean=np.zeros((p, 1)), spread=np.zeros(p)),
        )
        assert int(made.status) == Status.OK
        error = np.std(errors, axis=0) / np.sqrt(len(errors))
        gap = np.abs(np.mean(errors, axis=0) - made.held_out)
        assert (gap < 4 * error).all()
        fits = np.array(fits)[:, :2]
        error = np.std(fits, axis=0) / np.sqrt(len(fits))
        gap = np.abs(fits.mean(axis=0) - np.array(made.weights.mean)[:2, 0])
        assert (gap < 4 * error).all()
        assert made.weights.mean[1, 0] < -0.05

    def test_where_the_system_is_indefinite_it_says_so(self):
        """Without ridge and fluctuations the edge is at 60 = 12 |c|; rows move it inwards."""
        assert int(self.fit(-0.2).status) == Status.OK
        for weight in (-2.0, -4.9, -6.0):
            lost = self.fit(weight)
            assert int(lost.status) == Status.NOT_FINITE
            assert np.isnan(lost.held_out).all()
        assert int(self.fit(-2.0, ridge=300.0).status) == Status.OK  # a ridge holds it

    def test_a_root_of_an_indefinite_system_is_no_answer(self):
        """Newton finds one here, though sampled systems have eigenvalues far below 0."""
        made = fit_block_mixture(
            BlockMixture(
                variances=np.ones((2, 1)),
                multiplicity=np.array([50.0]),
                targets=np.zeros((2, 1, 1)),
                counts=np.array([31.88933109761015, 7.089095941707177]),
                weights=np.array([1.0, -1.956742011011144]),
                noise=np.ones(2),
                ridge=4.057492624817705,
            ),
            BlockWeights(mean=np.zeros((1, 1)), spread=np.zeros(1)),
        )
        assert int(made.status) == Status.NOT_FINITE

    def test_the_edge_is_where_the_smallest_eigenvalue_vanishes(self):
        """Largest |c| that is answered: below it the sample system is definite, above it is not."""
        p, counts = 150, (600.0, 300.0)
        blocks = dict(variances=np.ones((2, 1)), multiplicity=np.array([float(p)]),
                      targets=np.zeros((2, 1, 1)), noise=np.ones(2), ridge=0.0,
                      counts=np.array(counts))  # fmt: skip
        nothing = BlockWeights(mean=np.zeros((1, 1)), spread=np.zeros(1))
        grid = np.linspace(-1.0, -0.1, 46)
        held = [
            int(fit_block_mixture(BlockMixture(weights=np.array([1.0, c]), **blocks), nothing)
                .status) == Status.OK
            for c in grid
        ]  # fmt: skip
        edge = grid[np.argmax(held)]
        assert all(held[np.argmax(held) :])
        assert not any(held[: np.argmax(held)])
        rng = np.random.default_rng(0)
        x, z = (rng.normal(size=(int(n), p)) for n in counts)

        def least(c):
            return np.linalg.eigvalsh(x.T @ x + c * z.T @ z)[0]

        assert least(edge + 0.06) > 0 > least(edge - 0.06)


def test_blocks_of_one_coordinate_are_diagonal_matrices():
    rng = np.random.default_rng(1)
    variances, targets = rng.uniform(0.2, 2, (2, P)), rng.normal(size=(2, P))
    spread = rng.uniform(0.1, 1, P)
    one = fit_mixture(
        _mixture([np.diag(v) for v in variances], targets),
        Weights(mean=TARGET, spread=np.diag(spread)),
    )
    other = fit_block_mixture(
        BlockMixture(
            variances=variances,
            multiplicity=np.ones(P),
            targets=targets[:, :, None],
            counts=np.array([7.0, 3.0]),
            weights=np.array([1.0, 6.0]),
            noise=np.array([0.4, 0.1]),
            ridge=0.5,
        ),
        BlockWeights(mean=TARGET[:, None], spread=spread),
    )
    assert np.allclose(one.held_out, other.held_out, rtol=1e-12)
    assert np.allclose(one.weights.mean, other.weights.mean[:, 0], rtol=1e-11)
    assert np.allclose(jnp.diagonal(one.weights.spread), other.weights.spread, rtol=1e-11)


def test_an_endless_source_decides():
    laws = [_covariance(1), _covariance(2)]
    made = fit_mixture(_mixture(laws, [TARGET, -TARGET], counts=(np.inf, 3.0)), START)
    assert int(made.status) == Status.OK
    assert np.allclose(made.weights.mean, TARGET, rtol=1e-12)
    assert float(made.held_out[0]) == pytest.approx(0.4, rel=1e-12)
    both = fit_mixture(_mixture(laws, [TARGET, -TARGET], counts=(np.inf, np.inf)), START)
    assert int(both.status) == Status.OUT_OF_SCOPE
