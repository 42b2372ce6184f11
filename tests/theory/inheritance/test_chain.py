"""Chains of stages: against their parts, exact sums, and simulations with models as teachers."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import BadInput, Status
from ci_theory.theory.inheritance.chain import (
    Training,
    chain,
    elasticities,
    fine_tuned_mixture,
    harm,
)
from ci_theory.theory.inheritance.combination import combined, fine_tuned, independent
from ci_theory.theory.inheritance.mixture import Mixture, fit_mixture
from ci_theory.theory.inheritance.operator import RidgeStage, Weights, from_scratch, inherit, risk
from ci_theory.theory.spectra.groups import plain_rows

P = 30
RNG = np.random.default_rng(3)
TURN = np.linalg.qr(RNG.normal(size=(P, P)))[0]
LAWS = np.stack(
    [np.diag(np.linspace(0.4, 1.6, P)), TURN @ np.diag(np.linspace(1.5, 0.5, P)) @ TURN.T]
)
TARGETS = RNG.normal(size=(2, P)) / np.sqrt(P)
BASE = Weights(mean=jnp.full(P, 0.1), spread=jnp.diag(jnp.linspace(0.2, 0.6, P)) / 4)


def one(i, rows=50, noise=0.3, ridge=12.0, target=None):
    target = TARGETS[i] if target is None else target
    return RidgeStage(
        covariance=jnp.asarray(LAWS[i]),
        target=jnp.asarray(target),
        groups=plain_rows(rows, noise),
        ridge=ridge,
    )


def both(counts=(60.0, 25.0), weights=(1.0, 3.0), noise=(0.3, 0.1), ridge=12.0, targets=TARGETS):
    return Mixture(
        covariances=jnp.asarray(LAWS),
        targets=jnp.asarray(targets),
        counts=jnp.array(counts),
        weights=jnp.array(weights),
        noise=jnp.array(noise),
        ridge=ridge,
    )


def same(a, b, rtol=1e-9):
    np.testing.assert_allclose(a.mean, b.mean, rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(a.spread, b.spread, rtol=rtol, atol=1e-12)


def test_two_stages_are_the_operator_twice():
    made = chain(None, [Training(stage=one(0)), Training(stage=one(1), anchor=(1.0,))])
    first = inherit(from_scratch(P), one(0))
    same(made.model(0), first.weights)
    same(made.model(-1), inherit(first.weights, one(1)).weights)
    assert int(made.status) == Status.OK


def test_a_mixture_without_teachers_is_the_mixture():
    made = chain(independent(BASE), [Training(stage=both(), anchor=(1.0,))])
    alone = fit_mixture(both(), BASE)
    same(made.model(-1), alone.weights)
    np.testing.assert_allclose(made.stages[0].held_out, alone.held_out, rtol=1e-9)


def test_a_source_without_rows_teaches_nothing_and_is_still_judged():
    few = both(counts=(60.0, 0.0))
    made = chain(independent(BASE), [Training(stage=few, anchor=(1.0,))])
    same(made.model(-1), inherit(BASE, one(0, 60)).weights)
    for i, noise in enumerate((0.3, 0.1)):
        held_out = noise + risk(made.model(-1), jnp.asarray(LAWS[i]), TARGETS[i])
        assert float(made.stages[0].held_out[i]) == pytest.approx(float(held_out), rel=1e-9)
    assert np.all(np.isfinite(made.joint.covariance))


@pytest.mark.parametrize("taught", [0.0, 0.7])
def test_a_mixture_of_one_source_is_a_ridge_stage(taught):
    start = fine_tuned(independent(BASE), jnp.array([1.0]), one(0)).joint
    source = Mixture(
        covariances=jnp.asarray(LAWS[1:]),
        targets=jnp.asarray(TARGETS[1:]),
        counts=jnp.array([50.0]),
        weights=jnp.ones(1),
        noise=jnp.array([0.3]),
        ridge=12.0,
    )
    anchor, labels = jnp.array([0.4, 0.9]), taught * jnp.array([0.3, 1.0])
    mixed = fine_tuned_mixture(start, anchor, source, labels[None])
    plain = fine_tuned(start, anchor, one(1), labels)
    np.testing.assert_allclose(mixed.joint.means, plain.joint.means, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        mixed.joint.covariance, plain.joint.covariance, rtol=1e-8, atol=1e-12
    )
    error = plain.stage.risk.excess_risk + 0.3
    assert float(mixed.stage.held_out[0]) == pytest.approx(float(error), rel=1e-9)


def test_weights_taken_over_stay_what_they_were():
    """A ridge without end: the model is its anchor, whatever taught it."""
    start = independent(BASE, from_scratch(P))
    held = Training(stage=both(ridge=1e12), anchor=(1.0,), labels=((0.0, 1.0), (1.0, 0.0)))
    made = chain(start, [held])
    np.testing.assert_allclose(made.joint.means[2], BASE.mean, rtol=1e-8)
    np.testing.assert_allclose(made.joint.covariance[2, 0], BASE.spread, atol=1e-8)


def test_a_stage_without_a_fit_is_told_by_the_chain():
    good, bad = Training(stage=one(0)), Training(stage=one(0, rows=P, ridge=0.0))
    assert chain(None, [good]).status == Status.OK
    for order in ([bad, good], [good, bad]):
        made = chain(None, order)
        assert made.status == Status.NOT_FINITE
        assert [int(stage.status) for stage in made.stages].count(Status.OK) == 1
    mixed = Training(stage=both(ridge=-1.0))
    assert chain(None, [mixed]).status == Status.OUT_OF_SCOPE


def test_without_ridge_the_anchor_is_forgotten():
    start = independent(BASE)
    made = chain(start, [Training(stage=both(ridge=0.0), anchor=(1.0,))])
    np.testing.assert_allclose(made.joint.covariance[1, 0], 0, atol=1e-12)


def test_collapse_adds_the_noise_of_every_generation():
    """Least squares on the last model's labels: K noise p/(n - p), the leading form of each."""
    stage = one(0, rows=90, noise=0.5, ridge=0.0)
    later = [
        Training(stage=one(0, 90, 0.5, 0.0, np.zeros(P)), labels=(0.0,) * k + (1.0,))
        for k in range(5)
    ]
    made = chain(None, [Training(stage=stage), *later])
    risks = [float(risk(made.model(k), LAWS[0], TARGETS[0])) for k in range(6)]
    np.testing.assert_allclose(risks, 0.5 * P / 60 * np.arange(1, 7), rtol=1e-9)
    np.testing.assert_allclose(made.joint.means[5], TARGETS[0], rtol=1e-9)


def test_self_training_with_a_ridge_follows_its_recursion():
    """Isotropic: q' = r^2 q + E p r^2 / n, E = (noise + (1 - r)^2 q)/(1 - p r^2 / n)."""
    n, noise, ridge, target = 70.0, 0.4, 20.0, np.eye(P)[0]

    def stage(target):
        return RidgeStage(
            covariance=jnp.eye(P),
            target=jnp.asarray(target),
            groups=plain_rows(n, noise),
            ridge=ridge,
        )

    first = chain(None, [Training(stage=stage(target))])
    lam, gamma = ridge / n, P / n
    b = lam + gamma - 1
    kappa = (b + np.sqrt(b * b + 4 * lam)) / 2
    r, q = 1 / (1 + kappa), 1.0
    joint, labels = first.joint, (1.0,)
    for generation in range(1, 5):
        error = (noise + (1 - r) ** 2 * q) / (1 - gamma * r * r)
        q = r * r * q + error * gamma * r * r
        expected = q - 2 * r**generation + 1
        assert float(risk(chain_last(joint), np.eye(P), target)) == pytest.approx(
            expected, rel=1e-9
        )
        found = chain(joint, [Training(stage=stage(np.zeros(P)), labels=labels)])
        joint, labels = found.joint, (0.0, *labels)


def chain_last(joint):
    return Weights(mean=joint.means[-1], spread=joint.covariance[-1, -1])


def drawn(rng, base):
    """Run: base -> a model on source 0 -> a mixture taught half by the truth, half by a model."""
    roots = [np.linalg.cholesky(law) for law in LAWS]
    x = rng.normal(size=(50, P)) @ roots[0].T
    y = x @ TARGETS[0] + np.sqrt(0.3) * rng.normal(size=50)
    w1 = base + np.linalg.solve(x.T @ x + 12 * np.eye(P), x.T @ (y - x @ base))
    teachers = [TARGETS[0] + 0.5 * w1, TARGETS[1] + w1 - 0.4 * base]
    anchor = 0.8 * w1 - 0.3 * base
    system, pulled = 12 * np.eye(P), 12 * anchor
    for root, teacher, n, weight, noise in zip(
        roots, teachers, (60, 25), (1.0, 3.0), (0.3, 0.1), strict=True
    ):
        x = rng.normal(size=(n, P)) @ root.T
        y = x @ teacher + np.sqrt(noise) * rng.normal(size=n)
        system, pulled = system + weight * x.T @ x, pulled + weight * x.T @ y
    return np.stack([base, w1, np.linalg.solve(system, pulled)])


def test_models_that_teach_and_anchor_against_simulation():
    """All quadratic forms of three models together, over 2000 draws."""
    rng = np.random.default_rng(5)
    root = np.sqrt(np.diag(BASE.spread))
    runs = np.array(
        [drawn(rng, np.asarray(BASE.mean) + root * rng.normal(size=P)) for _ in range(2000)]
    )
    steps = [
        Training(stage=one(0), anchor=(1.0,)),
        Training(stage=both(), anchor=(-0.3, 0.8), labels=((0.0, 0.5), (-0.4, 1.0))),
    ]
    made = chain(independent(BASE), steps)
    forms = [np.eye(P), LAWS[0], LAWS[1]]
    for i in range(3):
        for j in range(i, 3):
            for form in forms:
                values = np.einsum("rp,pq,rq->r", runs[:, i], form, runs[:, j])
                want = float(
                    np.sum(form * np.asarray(made.joint.covariance[i, j]))
                    + made.joint.means[i] @ form @ made.joint.means[j]
                )
                error = values.std(ddof=1) / np.sqrt(len(values))
                # 4 standard errors, and a relative correction of order 1/n: 1/50 at most
                assert abs(values.mean() - want) < 4 * error + 0.02 * abs(want), (i, j)


def still(model):
    return Weights(mean=model.mean, spread=jnp.zeros((P, P)))


def test_harm_is_split_into_bias_and_noise():
    """Noise upstream is inherited as noise alone; another target as bias, and through E."""
    down = Training(stage=one(1), anchor=(1.0,))

    def last(up):
        return chain(None, [Training(stage=up), down]).model(-1)

    clean = last(one(0, noise=0.0))
    noisy = harm(last(one(0, noise=1.0)), clean, LAWS[1], TARGETS[1])
    assert float(noisy.bias) == pytest.approx(0, abs=1e-12)
    assert float(noisy.noise) > 0.05
    assert float(noisy.total) == pytest.approx(float(noisy.bias + noisy.noise), rel=1e-12)
    turned_last = last(one(0, noise=0.0, target=-TARGETS[0]))
    turned = harm(turned_last, clean, LAWS[1], TARGETS[1])
    by_mean = [float(risk(still(m), LAWS[1], TARGETS[1])) for m in (turned_last, clean)]
    assert float(turned.bias) == pytest.approx(by_mean[0] - by_mean[1], rel=1e-9)
    assert float(turned.bias) > 0.02


def test_forgetting_by_a_task_vector_is_a_chain():
    """Base, tuned on what is to be forgotten, then base - 0.5 (tuned - base): two coefficients."""
    joint = chain(independent(BASE), [Training(stage=one(0), anchor=(1.0,))]).joint
    away = combined(joint, [1.5, -0.5])
    held = chain(joint, [Training(stage=one(1, ridge=1e12), anchor=(1.5, -0.5))]).model(-1)
    np.testing.assert_allclose(held.mean, away.mean, rtol=1e-8)
    np.testing.assert_allclose(held.spread, away.spread, atol=1e-8)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([], "no stage"),
        ([Training(stage=one(0), anchor=(1.0,))], "stage 0: anchor: 1 coefficients, and 0 models"),
        ([Training(stage=both(), labels=((1.0,), (0.0,)))], "stage 0: labels"),
        (
            [Training(stage=one(0)), Training(stage=one(0), labels=((1.0,),))],
            "stage 1: labels of a RidgeStage",
        ),
    ],
)
def test_what_is_not_there_yet_is_refused(steps, told):
    with pytest.raises(BadInput, match=told):
        chain(None, steps)


def at_the_end(made):
    """The risk of the last model, on a law that no stage trains on."""
    return risk(made.model(-1), jnp.asarray(LAWS[0] @ LAWS[0]), jnp.asarray(TARGETS[0]))


def two(scale=lambda stage, knob: 1.0):
    """A mixture, and a model that it anchors and teaches."""

    def both_scaled():
        return both(
            counts=tuple(scale(0, "rows") * c for c in (60.0, 25.0)),
            weights=tuple(scale(0, "weights") * c for c in (1.0, 3.0)),
            noise=tuple(scale(0, "noise") * c for c in (0.3, 0.1)),
            ridge=12.0 * scale(0, "ridge"),
        )

    def single(i, rows):
        weighted = plain_rows(rows * scale(i, "rows"), 0.3 * scale(i, "noise"))
        groups = dataclasses.replace(weighted, weights=weighted.weights * scale(i, "weights"))
        ridge = 12.0 * scale(i, "ridge")
        return dataclasses.replace(one(i), groups=groups, ridge=ridge)

    return [
        Training(stage=both_scaled()),
        Training(
            stage=single(1, 25),
            anchor=(0.8 * scale(1, "anchor"),),
            labels=(0.2 * scale(1, "labels"),),
        ),
    ]


@pytest.fixture(scope="module")
def found():
    return elasticities(None, two(), at_the_end)


def test_a_chain_that_goes_on_from_models_has_the_same_elasticities(found):
    first, second = two()
    later = elasticities(chain(None, [first]).joint, [second], at_the_end)
    assert {one.stage for one in later} == {0}
    wanted = {one.knob: one.elasticity for one in found if one.stage == 1}
    for one in later:
        assert one.elasticity == pytest.approx(wanted.pop(one.knob), rel=1e-9)
    assert not wanted


def test_every_knob_of_every_stage_is_differentiated(found):
    """Against central differences of chains that are built anew."""
    h = 1e-4

    def moved(i, knob, factor):
        stages = two(lambda stage, name: factor if (stage, name) == (i, knob) else 1.0)
        return float(at_the_end(chain(None, stages)))

    knobs = ("rows", "weights", "noise", "ridge")
    expected = {(i, k) for i in range(2) for k in knobs} | {(1, "anchor"), (1, "labels")}
    assert {(f.stage, f.knob) for f in found} == expected
    for f in found:
        up, down = (moved(f.stage, f.knob, np.exp(sign * h)) for sign in (1, -1))
        assert f.elasticity == pytest.approx(np.log(up / down) / (2 * h), rel=1e-6, abs=1e-8)
    sizes = [abs(f.elasticity) for f in found]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 1e-4


def test_heavier_rows_are_a_smaller_ridge_and_risk_is_affine_in_the_noise(found):
    """Two identities that hold whatever the chain: of the objective, and of linear estimators."""
    told = {(f.stage, f.knob): f.elasticity for f in found}
    for i in range(2):
        assert told[i, "weights"] == pytest.approx(-told[i, "ridge"], rel=1e-9)
    quiet = at_the_end(chain(None, two(lambda stage, name: 0.0 if name == "noise" else 1.0)))
    whole = at_the_end(chain(None, two()))
    noisy = sum(told[i, "noise"] for i in range(2))
    assert noisy == pytest.approx(float((whole - quiet) / whole), rel=1e-9)


def test_what_has_no_derivative_has_no_elasticity():
    stages = [Training(stage=one(0, noise=0.0))]
    here = at_the_end(chain(None, stages))

    def half_bent(made):  # a derivative that is right on one side
        risk_now = at_the_end(made)
        return jnp.where(risk_now >= here * (1 - 1e-12), risk_now, here)

    bent = elasticities(None, stages, half_bent)
    assert [f.knob for f in bent] == ["rows", "weights", "ridge"]  # no noise, nothing before
    assert all(np.isnan(f.elasticity) for f in bent)
    nothing = elasticities(None, stages, lambda made: 0.0 * at_the_end(made))
    assert all(np.isnan(f.elasticity) for f in nothing)
    with pytest.raises(BadInput, match="no stage"):
        elasticities(None, [], at_the_end)
