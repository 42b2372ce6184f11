"""Combinations of weights: task vectors, scaled anchors and averages against simulation."""

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory.theory.inheritance.combination import (
    combined,
    combined_isotropic,
    fine_tuned,
    fine_tuned_isotropic,
    independent,
    independent_isotropic,
)
from ci_theory.theory.inheritance.operator import (
    IsotropicStage,
    IsotropicWeights,
    RidgeStage,
    Weights,
    inherit,
    isotropic_risk,
    risk,
)
from ci_theory.theory.spectra.groups import plain_rows

P, NOISE = 40, 0.3
RNG = np.random.default_rng(7)
LAWS = [np.diag(np.linspace(0.4, 1.6, P)), np.diag(np.linspace(1.5, 0.5, P))]
TURN = np.linalg.qr(RNG.normal(size=(P, P)))[0]
LAWS[1] = TURN @ LAWS[1] @ TURN.T  # the two do not commute
TARGETS = RNG.normal(size=(2, P)) / np.sqrt(P)
ROWS, RIDGES = (60, 80), (15.0, 25.0)
BASE = Weights(mean=np.full(P, 0.1), spread=np.diag(np.linspace(0.2, 0.6, P)) / 4)


def stage(i):
    return RidgeStage(
        covariance=jnp.asarray(LAWS[i]),
        target=jnp.asarray(TARGETS[i]),
        groups=plain_rows(ROWS[i], NOISE),
        ridge=RIDGES[i],
    )


def both():
    """Base, and two tasks trained from it: the joint moments."""
    first = fine_tuned(independent(BASE), jnp.array([1.0]), stage(0)).joint
    return fine_tuned(first, jnp.array([1.0, 0.0]), stage(1)).joint


@pytest.fixture(scope="module")
def drawn():
    """Base and the two tasks, drawn 300 times, (300, 3, P)."""
    rng = np.random.default_rng(11)
    roots = [np.linalg.cholesky(law) for law in LAWS]
    runs = []
    for _ in range(300):
        base = BASE.mean + np.sqrt(np.diag(BASE.spread)) * rng.normal(size=P)
        made = [base]
        for i in range(2):
            x = rng.normal(size=(ROWS[i], P)) @ roots[i].T
            y = x @ TARGETS[i] + np.sqrt(NOISE) * rng.normal(size=ROWS[i])
            pulled = x.T @ y + RIDGES[i] * base
            made.append(np.linalg.solve(x.T @ x + RIDGES[i] * np.eye(P), pulled))
        runs.append(made)
    return np.array(runs)


@pytest.mark.parametrize(
    "coefficients",
    [[0.0, 0.5, 0.5], [-1.0, 1.0, 1.0], [1.4, -0.4, 0.0], [-0.6, 0.0, 0.6]],
    ids=["average", "two tasks added", "a task taken away", "scaled task vector alone"],
)
@pytest.mark.parametrize("law", [0, 1])
def test_risks_of_combinations_are_those_of_drawn_weights(coefficients, law, drawn):
    gaps = np.einsum("k,rkp->rp", coefficients, drawn) - TARGETS[law]
    errors = np.einsum("rp,pq,rq->r", gaps, LAWS[law], gaps)
    joint = both()
    found = float(risk(combined(joint, coefficients), LAWS[law], TARGETS[law]))
    error = errors.std() / np.sqrt(len(errors))
    assert abs(errors.mean() - found) < 4 * error + found / min(ROWS) / 2
    apart = independent(*(combined(joint, row) for row in np.eye(3)))
    wrong = float(risk(combined(apart, coefficients), LAWS[law], TARGETS[law]))
    if coefficients[0]:  # what is shared is seen by the same draws
        assert abs(errors.mean() - wrong) > 4 * error + found / min(ROWS) / 2


def test_the_new_weights_are_those_of_the_operator():
    anchor = jnp.array([0.7, 0.2])
    first = fine_tuned(independent(BASE), jnp.array([1.0]), stage(0)).joint
    found = fine_tuned(first, anchor, stage(1))
    alone = inherit(combined(first, anchor), stage(1))
    last = combined(found.joint, [0.0, 0.0, 1.0])
    assert np.allclose(last.mean, alone.weights.mean, rtol=1e-12)
    assert np.allclose(last.spread, alone.weights.spread, rtol=1e-12)
    assert np.allclose(combined(found.joint, [0.7, 0.2, 0.0]).mean, combined(first, anchor).mean)
    flat = found.joint.covariance.transpose(0, 2, 1, 3).reshape(3 * P, 3 * P)
    assert np.allclose(flat, flat.T)
    assert np.linalg.eigvalsh(flat)[0] > -1e-12  # a covariance
    assert int(found.stage.status) == 0


def test_isotropic_stages_are_the_same_with_numbers():
    p = float(P)  # as above: compiled once
    mean, spread = np.zeros(P), 0.3 * np.eye(P) / p
    mean[0] = 0.5
    target = np.zeros(P)
    target[:2] = (0.3, 0.8)
    rows = plain_rows(20.0, 0.2)
    matrices = independent(Weights(mean=mean, spread=spread))
    numbers = independent_isotropic(IsotropicWeights(mean=mean[:2], spread=0.3))
    for anchor, labels in (([1.0], [0.0]), ([0.5, -0.2], [-0.3, 0.7])):
        one = RidgeStage(covariance=jnp.eye(P), target=jnp.asarray(target), groups=rows, ridge=5.0)
        two = IsotropicStage(target=jnp.asarray(target[:2]), groups=rows, ridge=5.0)
        a, b = jnp.array(anchor), jnp.array(labels)
        made, other = fine_tuned(matrices, a, one, b), fine_tuned_isotropic(numbers, a, two, p, b)
        matrices, numbers = made.joint, other.joint
        assert float(jnp.trace(made.stage.weights.spread)) == pytest.approx(
            float(other.stage.weights.spread), rel=1e-10
        )
    assert np.allclose(matrices.means[:, :2], numbers.means, rtol=1e-11)
    traces = np.einsum("ijpp->ij", matrices.covariance)
    assert np.allclose(traces, numbers.covariance, rtol=1e-10)
    a = [0.3, -1.0, 0.8]
    one = float(risk(combined(matrices, a), np.eye(P), target))
    assert float(isotropic_risk(combined_isotropic(numbers, a), target[:2])) == pytest.approx(one)


def test_a_direction_that_no_row_shows_keeps_what_it_was_given():
    """Without a ridge and with rows enough: nothing of the others is left."""
    base = Weights(mean=jnp.array([1.0, 2.0]), spread=jnp.array([[0.5, 0.2], [0.2, 0.3]]))
    task = RidgeStage(
        covariance=jnp.diag(jnp.array([1.0, 0.0])),
        target=jnp.zeros(2),
        groups=plain_rows(50, 0.1),
        ridge=0.0,
    )
    found = fine_tuned(independent(base), jnp.ones(1), task)
    np.testing.assert_allclose(found.joint.means[1], [0.0, 2.0], atol=1e-12)
    shared = np.asarray(found.joint.covariance[1, 0])  # of new weights and the base
    np.testing.assert_allclose(shared, [[0.0, 0.0], [0.2, 0.3]], atol=1e-12)
    np.testing.assert_allclose(found.joint.covariance[1, 1, 1], [0.0, 0.3], atol=1e-12)
