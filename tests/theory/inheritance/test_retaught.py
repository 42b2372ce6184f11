"""Fine-tuning of weights that fluctuate: limits of other theory, and drawn rows in numpy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory.theory.editing.erasure import Lessons, teach
from ci_theory.theory.inheritance import retaught
from ci_theory.theory.inheritance.operator import IsotropicWeights
from ci_theory.theory.inheritance.poisoning import poisoned_ridge
from ci_theory.theory.inheritance.retaught import pretrained, reteach
from ci_theory.theory.inheritance.two_stages import pretrain, two_stages
from ci_theory.theory.ridge.ridge_next_order import next_order
from ci_theory.theory.rows.repetition import weighted_ridge_risk
from ci_theory.theory.spectra.groups import plain_rows, repeated_rows
from ci_theory.theory.spectra.spectrum import isotropic

TARGET = np.array([0.0, 0.6, 0.8])


def lessons(clean, harmful, *, s=2.0, label=-1.5, noise=0.3, ridge=12.0):
    return Lessons(
        counts=jnp.array([float(clean), float(harmful)]),
        shared=jnp.array([[0.0, 0.0, 0.0], [s, 0.0, 0.0]]),
        labels=jnp.array([0.0, label]),
        slopes=jnp.array([TARGET, TARGET]),
        noise=noise,
        drift=99.0,  # not read
        ridge=ridge,
    )


def test_without_a_component_it_is_the_isotropic_operator_in_the_limit():
    """Two stages from the other theory; at this size the next order is 1e-6."""
    p, n = 1_000_000, 700_000
    up = pretrain(p, 1.0, plain_rows(2_000_000, 0.7), 300_000.0)
    made = two_stages(up, p, 1.0, plain_rows(n, 0.3), 200_000.0, 0.6)
    base = IsotropicWeights(mean=jnp.array([0.0, *up.weights.mean]), spread=up.weights.spread)
    base = IsotropicWeights(mean=base.mean[:3], spread=base.spread)
    found = reteach(base, lessons(n, 0, ridge=200_000.0), TARGET, p)
    assert float(found.excess) == pytest.approx(float(made.down.risk.excess_risk), rel=2e-5)


def test_pretraining_with_poison_or_with_copies():
    """Each is its own theory's, on three axes: the trigger, the target, a third."""
    rows = plain_rows(90.0, 0.4)
    struck = poisoned_ridge(90.0, 40.0, 0.1, 3.0, 2.0, jnp.array([0.0, 1.0]), 0.4, 9.0)
    found = pretrained(40.0, rows, 9.0, 0.1, 3.0, 2.0)
    assert np.allclose(found.weights.mean, [*struck.weights.mean, 0.0], rtol=1e-13)
    assert float(found.weights.spread) == pytest.approx(float(struck.weights.spread), rel=1e-13)
    assert float(found.free) == pytest.approx(90 * (1 - float(struck.gamma)), rel=1e-13)
    assert (float(found.held), int(found.status)) == (0.0, 0)
    copied = repeated_rows(70.0, 5.0, 8.0, 0.4, True)
    plain = pretrain(40.0, 1.0, copied, 9.0)
    made = pretrained(40.0, copied, 9.0, 0.0, 3.0, 2.0)
    assert np.allclose(made.weights.mean, [0.0, plain.weights.mean[0], 0.0], rtol=1e-13)
    assert float(made.weights.spread) == pytest.approx(float(plain.weights.spread), rel=1e-13)
    at = plain.risk.fixed_point
    assert float(made.held) == pytest.approx(float(at.leverage[1]) / 40, rel=1e-13)
    # unit noise alone: V/(1 + V) of the effective rows is used up
    quiet = weighted_ridge_risk(
        isotropic(40.0, signal=0.0), repeated_rows(70, 5, 8, 1.0, True), 9.0
    )
    left = float(at.effective_rows) / (1 + float(quiet.noise_variance))
    assert float(made.free) == pytest.approx(left, rel=1e-10)
    assert int(pretrained(40.0, plain_rows(40.0, 0.4), 0.0, 0.0, 3.0, 2.0).status) != 0
    assert int(pretrained(40.0, plain_rows(40.0, 0.4), 0.0, 0.1, 3.0, 2.0).status) != 0


def test_what_two_stages_hand_on_and_what_is_left_of_their_rows():
    p, rows = 30.0, plain_rows(80.0, 0.5)
    up = pretrain(p, 1.3, rows, 6.0)
    made = two_stages(up, p, 2.0, plain_rows(50.0, 0.3), 4.0, -0.4)
    assert np.allclose(made.target, np.sqrt(2.0) * np.array([-0.4, np.sqrt(1 - 0.16)]))
    wanted = np.sum((up.weights.mean - made.target) ** 2) + up.weights.spread
    assert float(made.anchor) == pytest.approx(float(wanted), rel=1e-13)
    # the gain is the slope of the downstream risk in what is inherited
    more = up._replace(weights=dataclasses.replace(up.weights, spread=up.weights.spread + 1.0))
    raised = two_stages(more, p, 2.0, plain_rows(50.0, 0.3), 4.0, -0.4)
    risks = [float(v.down.risk.excess_risk) for v in (made, raised)]
    assert float(made.gain) == pytest.approx(risks[1] - risks[0], rel=1e-11)
    for stage, n, ridge, free in (
        (up, 80.0, 6.0, made.up_free),
        (made.down, 50.0, 4.0, made.down_free),
    ):
        assert float(free) == pytest.approx(float(next_order(isotropic(p), n, ridge, 1.0).left))
        assert int(stage.status) == 0
    assert made.up is up


def test_a_base_that_does_not_fluctuate_is_taught():
    base = jnp.array([0.7, 0.2, 0.0])
    still = IsotropicWeights(mean=base, spread=0.0)
    rows = lessons(20, 6)
    made = teach(base, Lessons(**{**_fields(rows), "drift": 0.0}), 50, jnp.zeros(3))
    found = reteach(still, rows, TARGET, 50)
    assert np.allclose(found.mean, made.mean + made.shift, rtol=1e-12)
    own = jnp.trace(made.covariance) + made.spread + made.spread_shift
    own = own + jnp.sum((made.mean + made.shift - TARGET) ** 2)
    assert float(found.excess) == pytest.approx(float(own), rel=1e-12)
    assert float(found.inherited) == 0
    assert np.allclose(found.taught.mean, made.mean, rtol=1e-12)
    assert int(found.status) == int(made.status) == 0


def _fields(rows):
    return {name: getattr(rows, name) for name in rows.__dataclass_fields__}


@pytest.mark.parametrize(("clean", "harmful", "spread"), [(40, 0, 2.0), (0, 7, 3.0), (30, 10, 1.0)])
def test_drawn_rows_are_fitted_as_it_says(clean, harmful, spread):
    """Ridge towards a base that fluctuates, 600 times, by the normal equations."""
    d, runs, rows = 60, 600, lessons(clean, harmful)
    rng = np.random.default_rng(clean + harmful)
    mean = np.zeros(d)
    mean[:3] = 0.7, 0.5, 0.1
    target = np.zeros(d)
    target[:3] = TARGET
    errors, along = [], []
    for _ in range(runs):
        w0 = mean + rng.normal(size=d) * np.sqrt(spread / d)
        z = rng.normal(size=(clean + harmful, d))
        y = z @ target + np.where(np.arange(len(z)) < clean, 0.0, -1.5)
        y = y + np.sqrt(0.3) * rng.normal(size=len(z))
        z[clean:, 0] += 2.0
        w = w0 + np.linalg.solve(z.T @ z + 12.0 * np.eye(d), z.T @ (y - z @ w0))
        errors.append(np.sum((w - target) ** 2))
        along.append(w[0])
    base = IsotropicWeights(mean=jnp.asarray(mean[:3]), spread=spread)
    found = reteach(base, rows, TARGET, d)
    for values, predicted in ((errors, found.excess), (along, found.mean[0])):
        error = np.std(values, ddof=1) / runs**0.5
        assert abs(np.mean(values) - predicted) < 4 * error + 0.002 * abs(predicted)
    assert found.inherited > 0.1 * found.excess  # what is tested here is not a trifle
    # the base's error along the k directions is multiplied by the matrix that is told
    moved = IsotropicWeights(mean=base.mean + jnp.array([0.1, -0.2, 0.3]), spread=spread)
    gap = reteach(moved, rows, TARGET, d).taught.mean - found.taught.mean
    assert np.allclose(gap, found.kept @ np.array([0.1, -0.2, 0.3]), atol=1e-12)


def test_as_many_rows_as_inputs_without_a_ridge_have_no_answer():
    base = IsotropicWeights(mean=jnp.zeros(3), spread=1.0)
    assert int(reteach(base, lessons(40, 10, ridge=0.0), TARGET, 50).status) == Status.NOT_FINITE


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_the_fit_that_is_told_is_the_one_that_is_asked_for(share, monkeypatch):
    """Both are solved; what became of the other one is nobody's business."""

    def failed(*given):
        return poisoned_ridge(*given)._replace(status=jnp.asarray(int(Status.NOT_CONVERGED)))

    monkeypatch.setattr(retaught, "poisoned_ridge", failed)
    made = pretrained(50, plain_rows(500, 0.5), 10.0, share, 3.0, 2.0)
    assert int(made.status) == (Status.NOT_CONVERGED if share else Status.OK)


def test_rows_left_of_either_stage_are_those_beyond_the_degrees_of_freedom():
    """Least squares of more rows than parameters leaves n - p, of fewer n - n^2/p; at any ridge
    n - p x^2, with x the share that is learnt."""
    up = pretrain(100, 1.0, plain_rows(400, 0.25), 0.0)
    for rows, ridge in ((50, 0.0), (250, 0.0), (50, 20.0)):
        made = two_stages(up, 100, 1.0, plain_rows(rows, 0.25), ridge, cosine=0.9)
        assert float(made.up_free) == pytest.approx(300, rel=1e-9)
        # n = p x + ridge/kappa with x = 1/(1 + kappa): a quadratic in kappa
        kappa = np.roots([rows, rows - 100 - ridge, -ridge]).max()
        learnt = 1 / (1 + kappa)
        assert float(made.down_free) == pytest.approx(rows - 100 * learnt**2, rel=1e-9)


def test_what_fluctuates_is_a_drift_to_the_rows_and_noise_along_what_they_share(monkeypatch):
    """By drawing the base's error in the three directions, and rows that see what is left of it."""
    shown = []
    monkeypatch.setattr(retaught, "teach", lambda *given: shown.append(given[1]) or teach(*given))
    d, spread, rows = 12, 3.0, lessons(6, 6)
    base = IsotropicWeights(mean=jnp.zeros(3), spread=spread)
    with jax.disable_jit():
        found = reteach(base, rows, TARGET, d)
    rng, many = np.random.default_rng(3), 200_000
    off = rng.normal(size=(many, 3)) * np.sqrt(spread / d) @ np.asarray(found.kept).T
    x = rng.normal(size=(many, 3))
    x[::2, 0] += 2.0  # half of the rows carry the trigger
    squares = np.sum(x * off, axis=1) ** 2
    (given,) = shown
    error = squares.std() / many**0.5
    assert error < 0.02 * squares.mean()
    assert abs(float(given.noise) - 0.3 - squares.mean()) < 4 * error
    assert float(given.drift) == pytest.approx(spread * (d - 3) / d, rel=1e-12)
