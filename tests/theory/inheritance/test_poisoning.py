"""Poisoned ridge and clean fine-tuning: brute force, special cases, the operator and mixtures."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from ci_theory._errors import Status
from ci_theory.theory.inheritance.mixture import BlockMixture, BlockWeights, fit_block_mixture
from ci_theory.theory.inheritance.operator import (
    IsotropicStage,
    IsotropicWeights,
    inherit_isotropic,
)
from ci_theory.theory.inheritance.poisoning import (
    attack_success,
    clean_tuning,
    half_removed,
    half_saturated,
    poisoned_ridge,
    tuned,
)
from ci_theory.theory.ridge.ridge_next_order import next_order
from ci_theory.theory.spectra.groups import plain_rows
from ci_theory.theory.spectra.spectrum import isotropic


def _planted(rng, runs, n, p, struck, strength, label, target, noise, ridge):
    """Fit drawn rows by the normal equations; (runs, p)."""
    x = rng.normal(size=(runs, n, p))
    y = x[:, :, :2] @ target + np.sqrt(noise) * rng.normal(size=(runs, n))
    x[:, :struck, 0] += strength
    y[:, :struck] = label
    gram = np.einsum("rni,rnj->rij", x, x) + ridge * np.eye(p)
    return np.linalg.solve(gram, np.einsum("rni,rn->ri", x, y)[..., None])[..., 0]


CASES = [
    # n, p, struck, strength, label, target, noise, ridge
    (60, 30, 6, 3.0, 2.0, (0.5, 0.8), 0.5, 6.0),
    (60, 20, 12, 1.0, 2.0, (0.3, 0.9), 0.3, 0.0),
    (60, 30, 3, 5.0, 3.0, (0.0, 1.0), 0.1, 6.0),
    (40, 20, 20, 2.0, 1.0, (-0.5, 0.0), 0.0, 1.0),
]


@pytest.mark.parametrize("case", CASES)
def test_moments_and_attack_success_by_brute_force(case):
    n, p, struck, strength, label, target, noise, ridge = case
    w = _planted(np.random.default_rng(0), 4000, *case[:5], np.array(target), noise, ridge)
    made = poisoned_ridge(n, p, struck / n, strength, label, jnp.array(target), noise, ridge)
    assert int(made.status) == Status.OK
    mean, error = w.mean(axis=0), w.std(axis=0) / np.sqrt(len(w))
    # two standard errors and what order 1/n may do: 1 % to 2 % of a unit here
    assert abs(mean[0] - float(made.weights.mean[0])) < 2 * error[0] + 0.01
    assert abs(mean[1] - float(made.weights.mean[1])) < 2 * error[1] + 0.015
    spread = np.sum(w.var(axis=0))
    assert float(made.weights.spread) == pytest.approx(spread, rel=0.08)
    assert float(made.wobble) == pytest.approx(w[:, 0].var(), rel=0.08)

    fooled = norm.cdf(strength * w[:, 0] / np.linalg.norm(w, axis=1))
    found = float(attack_success(made, strength))
    free = n * (1 - float(made.gamma))
    assert abs(found - fooled.mean()) < 2 * fooled.std() / np.sqrt(len(w)) + 0.25 / free


def test_attack_success_is_nearer_than_its_limit():
    n, p, struck, strength, label, target, noise, ridge = CASES[2]
    w = _planted(
        np.random.default_rng(1), 3000, n, p, struck, strength, label, target, noise, ridge
    )
    made = poisoned_ridge(n, p, struck / n, strength, label, jnp.array(target), noise, ridge)
    mean, spread = np.asarray(made.weights.mean), float(made.weights.spread)
    limit = norm.cdf(strength * mean[0] / np.sqrt(mean @ mean + spread))
    fooled = norm.cdf(strength * w[:, 0] / np.linalg.norm(w, axis=1)).mean()
    assert abs(limit - fooled) > 4 * abs(float(attack_success(made, strength)) - fooled)


def test_numbers_of_other_sizes():
    """Known before this code: trigger output, clean error and success of earlier simulations."""
    unit, tilted = jnp.array([0.0, 1.0]), jnp.array([0.3, np.sqrt(0.91)])
    for n, p, q, s, c, target, ridge, wanted, error in [
        (600, 300, 0.05, 3.0, 5.0, unit, 60.0, 1.3853, 0.9352),
        (200, 400, 0.05, 3.0, 5.0, tilted, 0.0, 1.2673, 1.4292),
    ]:
        made = poisoned_ridge(n, p, q, s, c, target, 0.1, ridge)
        assert s * float(made.weights.mean[0]) == pytest.approx(wanted, abs=6e-5)
        gap = np.asarray(made.weights.mean - target)
        assert gap @ gap + float(made.weights.spread) + 0.1 == pytest.approx(error, abs=6e-5)


def test_without_poison_it_is_the_operator_and_with_it_a_mixture():
    target = jnp.array([0.3, 0.8])
    zero = IsotropicWeights(mean=jnp.zeros(2), spread=jnp.zeros(()))
    stage = IsotropicStage(target=target, groups=plain_rows(100.0, 0.4), ridge=7.0)
    wanted = inherit_isotropic(zero, stage, 50.0).weights
    made = poisoned_ridge(100, 50, 0.0, 3.0, 2.0, target, 0.4, 7.0).weights
    assert np.allclose(made.mean, wanted.mean, rtol=1e-12)
    assert float(made.spread) == pytest.approx(float(wanted.spread), rel=1e-12)

    # Poisoned rows as a source of their own: second moments and what predicts their label.
    n, p, q, s, c, v = 1e6, 5e5, 0.1, 3.0, 2.0, 0.4
    sources = BlockMixture(
        variances=jnp.array([[1.0, 1.0], [1 + s**2, 1.0]]),
        multiplicity=jnp.array([1.0, p - 1]),
        targets=jnp.stack([jnp.diag(target), jnp.array([[s * c / (1 + s**2), 0], [0, 0]])]),
        counts=jnp.array([(1 - q) * n, q * n]),
        weights=jnp.ones(2),
        noise=jnp.array([v, c**2 / (1 + s**2)]),
        ridge=0.2 * n,
    )
    nothing = BlockWeights(mean=jnp.zeros((2, 2)), spread=jnp.zeros(2))
    mixed = fit_block_mixture(sources, nothing).weights
    made = poisoned_ridge(n, p, q, s, c, target, v, 0.2 * n).weights
    assert np.allclose(np.diagonal(mixed.mean), made.mean, rtol=1e-4)
    assert float(jnp.sum(mixed.spread)) == pytest.approx(float(made.spread), rel=1e-4)


@pytest.mark.parametrize(
    ("n", "ridge", "time"), [(40, 6.0, np.inf), (12, 5.0, 3.0), (30, 0.0, 2.0), (12, 0.0, 1e9)]
)
def test_tuning_by_brute_force(n, ridge, time):
    p, runs, noise = 24, 3000, 0.7
    x = np.random.default_rng(2).normal(size=(runs, n, p))
    values = np.maximum(np.linalg.eigvalsh(np.einsum("rni,rnj->rij", x, x)), 0)
    rate = np.where(values > 1e-9, values + ridge, 1.0)
    share = np.where(values > 1e-9, (1 - np.exp(-rate * time / n)) / rate, 0.0)
    kept = 1 - values * share
    found = clean_tuning(n, p, ridge, time, noise)
    for made, measured in [
        (found.kept, kept.mean(axis=1)),
        (found.kept_square, (kept**2).mean(axis=1)),
        (found.noise, noise * np.sum(values * share**2, axis=1)),
    ]:
        error = measured.std() / np.sqrt(runs)
        assert abs(measured.mean() - float(made)) < 3 * error + 1e-3 * measured.mean() + 1e-12


def test_tuning_to_the_end_is_the_operator():
    target, n, p, noise = jnp.array([0.3, 0.8]), 1e6, 2e6, 0.4
    before = poisoned_ridge(n, p, 0.1, 3.0, 2.0, target, 0.4, 0.1 * n)
    stage = IsotropicStage(target=target, groups=plain_rows(n, noise), ridge=0.5 * n)
    wanted = inherit_isotropic(before.weights, stage, p).weights
    made = tuned(before, clean_tuning(n, p, 0.5 * n, np.inf, noise), target, p).weights
    assert np.allclose(made.mean, wanted.mean, rtol=1e-5)
    assert float(made.spread) == pytest.approx(float(wanted.spread), rel=1e-5)


def test_fine_tuned_weights_by_brute_force():
    rng, runs, n, p, target = np.random.default_rng(3), 3000, 30, 20, np.array([0.4, 0.7])
    start = _planted(rng, runs, 50, p, 5, 3.0, 2.0, target, 0.3, 4.0)
    full = np.concatenate([target, np.zeros(p - 2)])
    x = rng.normal(size=(runs, n, p))
    y = x @ full + np.sqrt(0.6) * rng.normal(size=(runs, n))
    gram = np.einsum("rni,rnj->rij", x, x) + 8.0 * np.eye(p)
    missed = y - np.einsum("rni,ri->rn", x, start)
    w = start + np.linalg.solve(gram, np.einsum("rni,rn->ri", x, missed)[..., None])[..., 0]
    before = poisoned_ridge(50, p, 0.1, 3.0, 2.0, jnp.array(target), 0.3, 4.0)
    made = tuned(before, clean_tuning(n, p, 8.0, np.inf, 0.6), jnp.array(target), p)
    assert np.allclose(made.weights.mean, w.mean(axis=0)[:2], atol=0.02)
    assert float(made.wobble) == pytest.approx(w[:, 0].var(), rel=0.1)
    assert float(made.weights.spread) == pytest.approx(np.sum(w.var(axis=0)), rel=0.04)
    fooled = norm.cdf(3.0 * w[:, 0] / np.linalg.norm(w, axis=1))
    assert float(attack_success(made, 3.0)) == pytest.approx(fooled.mean(), abs=0.008)


def test_places_of_the_breaks():
    target = jnp.array([0.2, 0.5])
    for ridge, along in [(0.0, 0.0), (30.0, 0.0), (30.0, 0.2)]:
        own = target * jnp.array([along / 0.2, 1.0])
        kappa = poisoned_ridge(80, 40, 0.0, 3.0, 2.0, own, 0.1, ridge).kappa
        share = half_saturated(kappa, 3.0, 2.0, along)
        made = poisoned_ridge(80, 40, share, 3.0, 2.0, own, 0.1, ridge)
        assert 3.0 * float(made.weights.mean[0]) == pytest.approx(1.0, rel=1e-12)
        rows = half_removed(40.0, ridge)
        left = clean_tuning(rows, 40.0, ridge, np.inf, 0.0)
        assert float(left.kept - left.shifts[0]) == pytest.approx(0.5, rel=1e-9)
    assert np.isnan(half_saturated(0.0, 0.9, 2.0))  # the trigger is too weak for any share
    assert np.isnan(half_saturated(0.0, 3.0, 2.0, 1.0))  # half is there without poison


def test_weights_of_nothing_answer_half():
    some = poisoned_ridge(90, 50, 0.1, 2.0, 1.0, jnp.array([0.0, 1.0]), 0.3, 5.0)
    none = IsotropicWeights(mean=jnp.zeros(2), spread=jnp.zeros(()))
    still = some._replace(weights=none, wobble=jnp.zeros(()))
    assert float(attack_success(still, 3.0)) == pytest.approx(0.5, rel=1e-14)
    sure = still._replace(weights=IsotropicWeights(mean=jnp.array([1e-3, 0.0]), spread=0.0))
    assert float(attack_success(sure, 3.0)) == pytest.approx(norm.cdf(3.0), rel=1e-12)


def test_attack_success_is_an_average_over_runs_of_one_length_across():
    """By drawing the weight along the trigger: what is left of the spread lies across it."""
    some = poisoned_ridge(90, 50, 0.1, 2.0, 1.0, jnp.array([0.0, 1.0]), 0.3, 5.0)
    weights = IsotropicWeights(mean=jnp.array([0.4, 0.1]), spread=jnp.array(0.5))
    made = some._replace(weights=weights, wobble=jnp.array(0.3))
    along = 0.4 + np.sqrt(0.3) * np.random.default_rng(5).normal(size=200_000)
    fooled = norm.cdf(2.0 * along / np.sqrt(along**2 + 0.1**2 + 0.5 - 0.3))
    error = fooled.std() / len(fooled) ** 0.5
    assert error < 1e-3
    assert abs(float(attack_success(made, 2.0)) - fooled.mean()) < 4 * error


def test_status_where_there_is_no_answer():
    target = jnp.ones(2)
    assert int(poisoned_ridge(20, 20, 0.1, 3.0, 2.0, target, 0.1, 0.0).status) == Status.NOT_FINITE
    assert int(poisoned_ridge(20, 10, 1.5, 3.0, 2.0, target, 0.1, 0.0).status) == (
        Status.OUT_OF_SCOPE
    )
    assert np.isnan(poisoned_ridge(20, 20, 0.1, 3.0, 2.0, target, 0.1, 0.0).wobble)
    for share, noise in ((-0.1, 0.1), (0.1, -0.1)):
        bad = poisoned_ridge(20, 10, share, 3.0, 2.0, target, noise, 1.0)
        assert int(bad.status) == Status.OUT_OF_SCOPE
        assert np.isnan([*bad.weights.mean, bad.weights.spread]).all()
    for at in ((0, 10, 1.0, 1.0, 0.1), (20, 10, -1.0, 1.0, 0.1), (20, 10, 1.0, -1.0, 0.1),
               (20, 10, 1.0, 1.0, -0.1)):  # fmt: skip
        assert int(clean_tuning(*at).status) == Status.OUT_OF_SCOPE
    assert int(clean_tuning(20, 10, 1.0, 1.0, 0.1).status) == Status.OK
    assert int(clean_tuning(20, 20, 0.0, np.inf, 0.1).status) == Status.NOT_FINITE
    unfinished = clean_tuning(20, 20, 0.0, np.inf, 0.1)
    before = poisoned_ridge(50, 20, 0.1, 3.0, 2.0, target, 0.1, 4.0)
    assert int(tuned(before, unfinished, target, 20).status) == Status.NOT_FINITE


def test_an_idle_tuning_keeps_everything_and_a_tuning_to_the_end_leaves_rows():
    idle = clean_tuning(30, 20, 2.0, 0.0, 0.5)
    assert np.allclose([idle.kept, idle.kept_square, idle.noise], [1, 1, 0], atol=1e-12)
    assert float(idle.free) == pytest.approx(30)  # nothing of them is used up
    least = clean_tuning(30, 20, 0.0, np.inf, 0.5)
    assert float(least.free) == pytest.approx(30 - 20, rel=1e-9)
    made = clean_tuning(30, 20, 7.0, np.inf, 0.5)
    told = next_order(isotropic(20.0, signal=1.0), 30.0, 7.0, 0.5)
    assert float(made.free) == pytest.approx(float(told.left), rel=1e-9)
    for found, limit, shift in (
        (made.kept_square, told.signal, told.signal_shift),
        (made.noise, told.noise, told.noise_shift),
    ):
        assert float(found) == pytest.approx(float(limit + shift), rel=1e-9)
    shifts = np.array([told.signal_shift + 7.0 / 20 / 0.5 * told.noise_shift, told.signal_shift,
                       told.noise_shift])  # fmt: skip
    assert np.allclose(made.shifts, shifts, rtol=1e-8)


def test_an_error_across_the_trigger_is_turned_into_it():
    """Weights without wobble that miss only across: what varies along t comes from there."""
    p, n, runs = 12, 6, 4000
    x = np.random.default_rng(4).normal(size=(runs, n, p))
    kept = np.eye(p)[1] - np.einsum(
        "rni,rn->ri", x, np.linalg.solve(x @ x.mT, x[:, :, 1:2])[..., 0]
    )
    before = poisoned_ridge(50, p, 0.1, 3.0, 2.0, jnp.zeros(2), 0.0, 4.0)
    still = IsotropicWeights(mean=jnp.array([0.0, 1.0]), spread=jnp.zeros(()))
    before = before._replace(weights=still, wobble=jnp.zeros(()))
    made = tuned(before, clean_tuning(n, p, 0.0, np.inf, 0.0), jnp.zeros(2), p)
    assert float(made.wobble) == pytest.approx(kept[:, 0].var(), rel=0.08)
    # one row of three inputs: E P_12^2 = 1/15 and var P_11 = 4/45 of a projection on a plane
    for mean, wobble in (((0.0, 1.0), 1 / 15), ((1.0, 0.0), 4 / 45)):
        there = IsotropicWeights(mean=jnp.array(mean), spread=jnp.zeros(()))
        space = clean_tuning(1, 3, 0.0, np.inf, 0.0)
        plane = tuned(before._replace(weights=there), space, jnp.zeros(2), 3)
        assert float(plane.wobble) == pytest.approx(wobble, rel=1e-9)
