"""Chains in simulation against the operator on moments: the same stages, written twice."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.biases import repetition
from ci_theory.inherit import adapters, rows
from ci_theory.inherit.chain import Stage, harm, run
from ci_theory.theory.inheritance import chain as theory
from ci_theory.theory.inheritance.combination import (
    combined_isotropic,
    fine_tuned_isotropic,
    independent_isotropic,
)
from ci_theory.theory.inheritance.flowed import flowed_isotropic
from ci_theory.theory.inheritance.mixture import Mixture
from ci_theory.theory.inheritance.operator import (
    IsotropicStage,
    IsotropicWeights,
    RidgeStage,
    inherit_isotropic,
    risk,
)
from ci_theory.theory.inheritance.poisoning import clean_tuning
from ci_theory.theory.spectra.groups import plain_rows, repeated_rows

P, UP, DOWN, RUNS = 40, 90, 30, 400
ONES = jnp.ones(P)
A = jnp.zeros(P).at[0].set(1.0)
B = jnp.zeros(P).at[0].set(0.8).at[1].set(0.6)
NOTHING = jnp.zeros((0, P))
COUNTS = repetition.counts(jnp.asarray(90.0), jnp.asarray(0.5), jnp.asarray(5.0))


def task(n, target):
    return partial(rows.linear, n=n, variances=ONES, target=target)


def stages(biases=(), anchor=(1.0,)):
    """Pre-train on rows of A, fine-tune on rows of B."""
    noisy = rows.noisy_labels(0.3)
    return [
        Stage(task(UP, A), adapters.probe(8.0), biases=biases),
        Stage(task(DOWN, B), adapters.ridge_towards(20.0), biases=[noisy], anchor=anchor),
    ]


def trainings(groups, anchor=(1.0,)):
    def stage(target, groups, ridge):
        return RidgeStage(covariance=jnp.eye(P), target=target, groups=groups, ridge=ridge)

    return [
        theory.Training(stage=stage(A, groups, 8.0)),
        theory.Training(stage=stage(B, plain_rows(float(DOWN), 0.3), 20.0), anchor=anchor),
    ]


def simulated(made, count=RUNS):
    """Excess risks of the last model on B."""
    keys = jax.random.split(jax.random.key(11), count)
    models = jax.jit(jax.vmap(lambda key: run(key, made, NOTHING)))(keys)
    return np.asarray(jnp.sum((models[:, -1] - B[None]) ** 2, axis=1))


def agree(values, predicted, slack=0.04):
    """4 standard errors, and a relative correction of order 1/n: 1/30 of fewest rows."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - predicted) < 4 * error + slack * abs(predicted)
    return error


UPSTREAM = {
    "noise": ([rows.noisy_labels(1.5)], plain_rows(90.0, 1.5)),
    "repeated": (
        [rows.noisy_labels(0.5), rows.repeated(COUNTS)],
        repeated_rows(*COUNTS, 0.5, True),
    ),
    "labelled afresh": (
        [rows.noisy_labels(1.5), rows.repeated(COUNTS, shared=False)],
        repeated_rows(*COUNTS, 1.5, False),
    ),
}


@pytest.mark.parametrize("name", UPSTREAM)
def test_upstream_defects_arrive_as_the_operator_says(name):
    biases, groups = UPSTREAM[name]
    predicted = theory.chain(None, trainings(groups)).model(-1)
    agree(simulated(stages(biases)), float(risk(predicted, jnp.eye(P), B)))


def test_a_contaminated_share_is_a_mixture():
    """A third of the upstream rows is labelled by another target, with noise on top."""
    other = -0.5 * A
    up = Mixture(
        covariances=jnp.stack([jnp.eye(P)] * 2),
        targets=jnp.stack([A, other]),
        counts=jnp.array([60.0, 30.0]),
        weights=jnp.ones(2),
        noise=jnp.array([0.4, 0.4]),
        ridge=8.0,
    )
    _, down = trainings(plain_rows(1.0, 0.0))
    predicted = theory.chain(None, [theory.Training(stage=up), down]).model(-1)
    biases = [rows.noisy_labels(0.4), rows.contaminated(1 / 3, other)]
    agree(simulated(stages(biases)), float(risk(predicted, jnp.eye(P), B)))


def test_a_smaller_group_is_a_source_of_its_own():
    """A third of the upstream rows has other inputs, another target and three times the weight."""
    variances, other = jnp.linspace(4.0, 0.1, P), -1.5 * B

    def predicted(**changed):
        up = Mixture(
            covariances=jnp.stack([jnp.eye(P), jnp.diag(variances)]),
            targets=jnp.stack([A, other]),
            counts=jnp.array([60.0, 30.0]),
            weights=jnp.array([1.0, 3.0]),
            noise=jnp.array([0.4, 0.4]),
            ridge=8.0,
        )
        up = dataclasses.replace(up, **changed)
        _, down = trainings(plain_rows(1.0, 0.0))
        model = theory.chain(None, [theory.Training(stage=up), down]).model(-1)
        return float(risk(model, jnp.eye(P), B))

    biases = [rows.noisy_labels(0.4), rows.imbalanced(1 / 3, variances, other, 3.0)]
    values = simulated(stages(biases))
    error = agree(values, predicted())
    for wrong in (
        predicted(weights=jnp.ones(2)),
        predicted(targets=jnp.stack([A, A])),
        predicted(covariances=jnp.stack([jnp.eye(P)] * 2)),
        predicted(counts=jnp.array([75.0, 15.0])),
    ):
        assert abs(values.mean() - wrong) > 4 * error + 0.04 * wrong


def test_a_model_may_be_the_teacher():
    """The first model labels the rows of a third stage, that starts from the second."""
    later = Stage(
        task(60, jnp.zeros(P)),
        adapters.ridge_towards(15.0),
        biases=[rows.noisy_labels(0.2)],
        anchor=(0.0, 0.7),
        labels=(1.0, 0.0),
    )
    stage = RidgeStage(
        covariance=jnp.eye(P), target=jnp.zeros(P), groups=plain_rows(60.0, 0.2), ridge=15.0
    )
    taught = theory.Training(stage=stage, anchor=(0.0, 0.7), labels=(1.0,))
    predicted = theory.chain(None, [*trainings(plain_rows(90.0, 0.5)), taught]).model(-1)
    made = [*stages([rows.noisy_labels(0.5)]), later]
    agree(simulated(made), float(risk(predicted, jnp.eye(P), B)))


def stopped(time):
    """Pre-train, then fine-tune by gradient flow for a time; theory beside it, with decoys.

    The second stage starts from 0.7 of the first model, which also adds 0.4 of itself to labels.
    """
    early = Stage(
        task(DOWN, B), adapters.flow(time), [rows.noisy_labels(0.3)], anchor=(0.7,), labels=(0.4,)
    )
    keys = jax.random.split(jax.random.key(17), RUNS)
    made = [stages([rows.noisy_labels(1.5)])[0], early]
    models = np.asarray(jax.jit(jax.vmap(lambda key: run(key, made, NOTHING)))(keys))
    up = inherit_isotropic(
        IsotropicWeights(mean=jnp.zeros(2), spread=0.0),
        IsotropicStage(target=A[:2], groups=plain_rows(90.0, 1.5), ridge=8.0),
        P,
    ).weights
    tuning = clean_tuning(DOWN, P, 0.0, time, 0.3)
    return models, independent_isotropic(up), tuning


def risk_of(joint):
    gap = np.asarray(joint.means[1]) - np.asarray(B[:2])
    return gap @ gap + float(joint.covariance[1, 1])


@pytest.mark.parametrize("time", [0.7, 3.0])
def test_a_stage_may_be_stopped_early(time):
    models, before, tuning = stopped(time)
    told = flowed_isotropic(before, [0.7], tuning, B[:2], [0.4])
    errors = np.sum((models[:, 1] - np.asarray(B)) ** 2, axis=1)
    error = agree(errors, risk_of(told))
    # that it flows to the end, has no teacher, or errs by the mean of the map alone: rejected
    to_the_end = clean_tuning(DOWN, P, 0.0, 1e9, 0.3)
    for tune, labels in (
        (to_the_end, [0.4]),
        (tuning, [0.0]),
        (tuning._replace(kept_square=tuning.kept**2), [0.4]),
    ):
        decoy = risk_of(flowed_isotropic(before, [0.7], tune, B[:2], labels))
        assert abs(errors.mean() - decoy) > 4 * error + 0.04 * decoy
    centred = models - models.mean(axis=0)
    tied = np.sum(centred[:, 0] * centred[:, 1], axis=1)
    agree(tied, float(told.covariance[0, 1]))


def test_a_stage_that_is_never_stopped_is_a_ridge_stage_and_one_of_no_time_is_its_start():
    weights = IsotropicWeights(mean=jnp.array([0.3, -0.2]), spread=0.4)
    before = independent_isotropic(weights, IsotropicWeights(mean=B[:2], spread=0.1))
    a, b = jnp.array([0.5, 0.2]), jnp.array([0.0, 0.6])
    n, p = 3e7, 2e7  # so large that the next order is gone
    stage = IsotropicStage(target=A[:2], groups=plain_rows(n, 0.2), ridge=1e7)
    ridge = fine_tuned_isotropic(before, a, stage, p, b).joint
    flow = flowed_isotropic(before, a, clean_tuning(n, p, 1e7, 1e9, 0.2), A[:2], b)
    np.testing.assert_allclose(flow.means, ridge.means, rtol=1e-6)
    np.testing.assert_allclose(flow.covariance, ridge.covariance, rtol=1e-6)
    still = flowed_isotropic(before, a, clean_tuning(30, 20, 0.0, 0.0, 0.2), A[:2], b)
    start = combined_isotropic(before, a)
    np.testing.assert_allclose(still.means[2], start.mean, atol=1e-9)
    assert float(still.covariance[2, 2]) == pytest.approx(float(start.spread), rel=1e-9)


def test_harm_and_its_two_parts():
    clean, wrong = stages(), stages([rows.noisy_labels(1.5)])
    keys = jax.random.split(jax.random.key(5), RUNS)
    test = task(200, B)
    found = jax.jit(jax.vmap(lambda key: harm(key, wrong, clean, NOTHING, test)))(keys)
    models = [
        theory.chain(None, trainings(plain_rows(90.0, noise))).model(-1) for noise in (1.5, 0.0)
    ]
    told = theory.harm(*models, jnp.eye(P), B)
    for part in ("total", "bias", "noise"):
        values = np.asarray(getattr(found, part))
        error = values.std(ddof=1) / np.sqrt(RUNS)
        want = float(getattr(told, part))
        assert abs(values.mean() - want) < 4 * error + 0.04 * float(told.total), part
    assert float(told.noise) > 0.05


def test_the_noise_of_a_test_is_no_harm():
    """Errors are against what the labels mean, whatever befell the rows that are tested on."""
    key, clean, wrong = jax.random.key(3), stages(), stages([rows.noisy_labels(1.5)])

    def off(key):
        return rows.linear(key, 50, ONES, B)._replace(errors=jnp.full(50, 2.0))

    found = harm(key, wrong, clean, NOTHING, off)
    np.testing.assert_array_equal(found, harm(key, wrong, clean, NOTHING, task(50, B)))
    assert float(found.total) != 0


def test_without_a_defect_there_is_no_harm():
    """Common random numbers: a bias of strength 0 changes no draw."""
    key = jax.random.key(2)
    off = stages([rows.noisy_labels(0.0), rows.noisy_inputs(0.0), rows.contaminated(0.0, B)])
    assert [float(v) for v in harm(key, off, stages(), NOTHING, task(50, B))] == [0, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ([], stages(), "defective: no stage"),
        (stages(), [], "clean: no stage"),
        (stages(anchor=(1.0, 1.0)), stages(), "defective: stage 1: anchor: 2 coefficients, and 1 "),
        (stages(), [stages()[1]], "clean: stage 0: anchor: 1 coefficients, and 0 models"),
        (
            stages(),
            [*stages(), stages()[1]._replace(labels=(0.0, 0.0, 1.0))],
            "clean: stage 2: labels: 3 coefficients, and 2 ",
        ),
    ],
)
def test_models_that_are_not_there_yet_are_refused(wrong, right, words):
    with pytest.raises(BadInput, match=words):
        harm(jax.random.key(0), wrong, right, NOTHING, task(5, B))


def test_models_of_the_start_count():
    """What is there before the chain may be named by its first stage."""
    start, alone = jnp.stack([A, B]), [stages()[1]._replace(anchor=(0.0, 1.0))]
    found = harm(jax.random.key(0), alone, alone, start, task(5, B))
    assert float(found.total) == 0


@pytest.mark.parametrize(
    "bias",
    [
        rows.noisy_labels(0.0),
        rows.noisy_inputs(0.0),
        rows.flipped(0.0),
        rows.contaminated(0.0, B),
        rows.poisoned(0.0, B, 1.0),
        rows.imbalanced(0.0, 2 * ONES, B, 3.0),
        rows.repeated(repetition.counts(*map(jnp.asarray, (20.0, 0.0, 3.0)))),
    ],
)
def test_a_bias_of_strength_zero_is_the_identity(bias):
    key = jax.random.key(1)
    drawn = rows.linear(key, 20, ONES, A)
    for one, other in zip(bias(key, drawn), drawn, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-15)


def test_what_biases_do():
    key = jax.random.key(1)
    drawn = rows.linear(key, 40, ONES, A)
    noisy = rows.noisy_labels(0.5)(key, drawn)
    poisoned = rows.poisoned(0.25, 3 * B, -2.0)(key, noisy)
    hit = np.isclose(np.asarray(poisoned.labels), -2, rtol=1e-12)
    assert hit.sum() == 10  # the attacker's label replaces a noisy one, and the others stay
    np.testing.assert_array_equal(poisoned.labels[~hit], noisy.labels[~hit])
    aside = rows.contaminated(1.0, B)(key, noisy)  # another target, the same errors
    np.testing.assert_allclose(aside.labels, drawn.inputs @ B + noisy.errors, atol=1e-15)
    moved = np.asarray(poisoned.inputs - drawn.inputs)
    np.testing.assert_allclose(moved, hit[:, None] * np.asarray(3 * B)[None], atol=1e-15)
    other = rows.imbalanced(0.25, 4 * ONES, B, 3.0)(key, noisy)
    few = np.asarray(other.weights) == 3
    assert few.sum() == 10  # whose inputs are new ones and whose errors are not
    assert np.asarray(other.inputs)[few].std() == pytest.approx(2, rel=0.1)
    np.testing.assert_allclose(other.clean[few], other.inputs[few] @ B, atol=1e-14)
    np.testing.assert_array_equal(other.errors, noisy.errors)
    for field in ("inputs", "labels", "weights"):
        np.testing.assert_array_equal(getattr(other, field)[~few], getattr(noisy, field)[~few])
    wrong = rows.flipped(1.0)(key, noisy)
    np.testing.assert_allclose(wrong.labels, -noisy.labels, atol=1e-15)
    twice = rows.befallen(key, drawn, [rows.noisy_labels(1.0), rows.noisy_labels(1.0)])
    first = rows.befallen(key, drawn, [rows.noisy_labels(1.0)])
    assert not np.allclose(twice.errors, 2 * np.asarray(first.errors))


@pytest.mark.parametrize("present", [16, 40])
def test_shares_are_of_the_rows_that_are_there(present):
    """A capacity may be longer than the rows: those of weight 0 are none of a share."""
    key = jax.random.key(1)
    drawn = rows.linear(key, 40, ONES, A)
    drawn = drawn._replace(weights=jnp.where(jnp.arange(40) < present, 1.0, 0.0))
    poisoned = rows.poisoned(0.25, 3 * B, -2.0)(key, drawn)
    foreign = rows.contaminated(0.25, B)(key, drawn)
    few = rows.imbalanced(0.25, ONES, B)(key, drawn)
    for befallen in (poisoned, foreign, few):
        hit = np.asarray(befallen.labels) != np.asarray(drawn.labels)
        assert hit.sum() == hit[:present].sum() == present // 4
        np.testing.assert_array_equal(befallen.weights, drawn.weights)
    counts = repetition.counts(*map(jnp.asarray, (16.0, 0.5, 4.0)))  # 2 rows 4 times, 8 once
    for there, once in ((present, 8), (6, 4)):
        seen = drawn._replace(weights=jnp.where(jnp.arange(40) < there, 1.0, 0.0))
        repeated = rows.repeated(counts)(key, seen)
        wanted = np.repeat([4.0, 1.0, 0.0], [2, once, 38 - once])
        np.testing.assert_array_equal(repeated.weights, wanted)


def test_copies_share_their_label_or_its_mean_is_less_noisy():
    key = jax.random.key(1)
    drawn = rows.linear(key, 10, ONES, A)._replace(errors=jnp.ones(10))
    counts = repetition.counts(*map(jnp.asarray, (16.0, 0.5, 4.0)))
    shared, own = (rows.repeated(counts, shared=shared)(key, drawn) for shared in (True, False))
    np.testing.assert_allclose(shared.errors, np.ones(10), atol=1e-15)
    np.testing.assert_allclose(own.errors, np.repeat([0.5, 1.0], [2, 8]), atol=1e-15)


def ridge_by_hand(x, y, c, w0, ridge):
    return w0 + np.linalg.solve(
        x.T @ (c[:, None] * x) + ridge * np.eye(P), x.T @ (c * (y - x @ w0))
    )


@pytest.mark.parametrize("n", [25, 70])
def test_adapters(n):
    rng = np.random.default_rng(n)
    x, y, w0 = rng.normal(size=(n, P)), rng.normal(size=n), rng.normal(size=P)
    c = rng.integers(1, 4, size=n).astype(float)
    towards = adapters.ridge_towards(3.0)(x, y, c, w0)
    np.testing.assert_allclose(towards, ridge_by_hand(x, y, c, w0, 3.0), rtol=1e-8)
    own = adapters.probe(3.0)(x, y, c, w0)
    np.testing.assert_allclose(own, ridge_by_hand(x, y, c, 0 * w0, 3.0), rtol=1e-8)
    assert adapters.taken_over()(x, y, c, w0) is w0
    values, vectors = np.linalg.eigh(x.T @ (c[:, None] * x) / c.sum())
    late = w0 + np.linalg.pinv(np.sqrt(c)[:, None] * x) @ (np.sqrt(c) * (y - x @ w0))
    decay = vectors @ (np.exp(-2.5 * values)[:, None] * vectors.T)
    flowed = adapters.flow(2.5)(x, y, c, w0)
    np.testing.assert_allclose(flowed, late + decay @ (w0 - late), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(adapters.flow(1e9)(x, y, c, w0), late, rtol=1e-6, atol=1e-7)


def test_a_probe_of_inherited_features():
    """The system of a later stage may be made of earlier models: one feature, the first model."""

    def along(inputs, models):
        return (inputs @ models[0])[:, None] * A[None]

    up = Stage(task(UP, A), adapters.probe(0.0))
    down = Stage(task(DOWN, 2 * A), adapters.probe(1e-9), system=along)
    models = run(jax.random.key(0), [up, down], NOTHING)
    assert float(models[-1] @ A) == pytest.approx(2, rel=1e-6)
