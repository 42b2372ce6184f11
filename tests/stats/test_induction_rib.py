"""induction_onset: descent on drawn sequences against the flow, and where the head appears."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import Status
from ci_theory._keys import key_for
from ci_theory._record import build
from ci_theory.phenomena import load, predict
from ci_theory.phenomena.induction_onset import ALL, Params, simulate
from ci_theory.systems import nested_logits
from ci_theory.theory.dynamics.induction_head import Questions, answer_losses
from ci_theory.theory.dynamics.induction_onset import START, induction_head

PHENOMENON = load("induction_onset")
STEPS = np.array([0, 60, 120, 180, 220, 240, 255, 270, 285, 300, 330])
POINT = {"items": 3, "labels": 6, "copies": 3, "noise": 0.2, "asked": 0.8, "batch": 16, "rate": 0.2}
RUNS = 300


@pytest.fixture(scope="module")
def made():
    """The measures of runs at every number of steps, name -> (RUNS, t)."""

    @jax.jit
    def run(replicates):
        params = build(Params, {**POINT, "steps": jnp.asarray(STEPS)})
        sizes = {"labels": 8, "batch": 16}
        return jax.vmap(lambda r: simulate(key_for(5, 0, 0, r), params, sizes))(replicates)

    found = run(jnp.arange(RUNS))
    return {name: np.asarray(getattr(found, name)) for name in ALL}


@pytest.fixture(scope="module")
def told():
    return predict(PHENOMENON, {**POINT, "steps": STEPS})


def test_means_of_runs_are_the_flow_and_no_decoy(made, told):
    for name, predicted in told.items():
        estimate = predicted.estimate
        mean, error = made[name].mean(axis=0), made[name].std(axis=0, ddof=1) / RUNS**0.5
        use = estimate.valid & (estimate.status == Status.OK)
        assert use.sum() >= 8, name
        room = estimate.slack + 4.5 * error + 1e-12
        assert np.all(np.abs(mean - estimate.value)[use] <= room[use]), name
        for decoy, wrong in predicted.decoys.items():
            assert np.any(np.abs(mean - wrong)[use] > (room + error)[use]), (name, decoy)


def test_the_slack_is_no_larger_than_what_steps_do(made, told):
    """At the drop the mean is off by most of it: it is not there to let everything pass."""
    estimate = told["left"].estimate
    off = np.abs(made["left"].mean(axis=0) - estimate.value)
    at = np.argmax(off)
    assert estimate.slack[at] > 0.02
    assert off[at] > 0.3 * estimate.slack[at]


def test_runs_begin_where_they_are_said_to(made):
    start = answer_losses(jnp.full(3, 0.01), Questions(3, 6, 0.2, 3, 0.8))[0]
    np.testing.assert_allclose(made["left"][:, 0], float(start) / np.log(3), rtol=1e-12)


def test_the_onset_is_where_the_flow_says_and_open_if_training_ends_before(made):
    params = build(Params, {**PHENOMENON.point({}), **POINT})
    mean, median = PHENOMENON.breaks[:2]
    place = mean.closed_form(params)
    found = mean.locator.locate(STEPS, made["left"])
    assert found.value == pytest.approx(place, rel=0.03)
    half = median.locator.locate(STEPS, made["left"])
    assert half.reached == RUNS
    assert half.low - 5 <= place <= half.high + 5
    early = place > STEPS + 20
    cut = median.locator.locate(STEPS[early], made["left"][:, early])
    assert cut.status == Status.CENSORED
    assert cut.high == np.inf
    assert mean.locator.locate(STEPS[early], made["left"][:, early]).status == Status.NO_BREAK


@pytest.mark.parametrize(("n", "labels", "noise"), [(4, 16, 0.5), (3, 6, 0.2)])
def test_noise_sets_how_much_a_head_can_ever_know(n, labels, noise):
    """The right label's chance can become 1 - q + q/L, and half of ln N then needs little noise."""
    of = Questions(float(n), float(labels), noise)
    least = -np.log(1 - noise + noise / labels)
    left = float(answer_losses(induction_head(of, 3e3).logits, of)[0])
    assert left == pytest.approx(least, rel=0.01)
    most = (1 - n**-0.5) / (1 - 1 / labels)
    assert -np.log(1 - most + most / labels) == pytest.approx(np.log(n) / 2, rel=1e-12)


def test_answers_are_drawn_as_often_as_told():
    count, shown = 200_000, nested_logits.Shown(2, 5, 1)
    there = (jnp.arange(count + 50_000) < count) * 1.0  # others are beyond the batch
    drawn = nested_logits.draw(key_for(1, 0, 0, 0), shown, 0.4, 0.7, there, 6)
    found = 0.7 * np.array([0.6 + 0.08, 0.08, 0.08, 0.08, 0.08, 0])
    lost = 0.3 * np.array([0.2, 0.2, 0.2, 0.2, 0.2, 0])
    for seen, chance in ((drawn.found, found), (drawn.lost, lost)):
        error = np.sqrt(chance * (1 - chance) / count)
        np.testing.assert_array_less(np.abs(np.asarray(seen) / count - chance), 4.5 * error + 1e-9)


@pytest.mark.parametrize("copies", [1, 3])
def test_a_head_is_attention_over_the_tokens_of_a_sequence(copies):
    """Three items and labels in any order, each token written out, of 7 labels there are."""
    rng = np.random.default_rng(copies)
    logits = np.array([1.5, 2.0, 3.0])
    items = np.repeat([5, 2, 9], copies)
    labels = np.repeat([6, 0, 3], copies)
    order = rng.permutation(len(items))
    items, labels = items[order], labels[order]
    tokens = len(items) + 1  # a first head sees the token before, and others
    before = np.exp(logits[0]) / (np.exp(logits[0]) + tokens - 1)

    def read(item):
        share = np.exp(np.where(items == item, logits[1] * before, 0.0))
        seen = np.bincount(labels, share / share.sum(), minlength=7)
        chances = np.exp(logits[2] * seen)
        return seen, np.log(chances / chances.sum())

    found = nested_logits.answers(jnp.asarray(logits), nested_logits.Shown(3, 7, copies), 9)
    seen, chances = read(2)
    assert float(found.attention) == pytest.approx(seen[0], rel=1e-12)
    np.testing.assert_allclose(found.found[:7], chances[[0, 3, 6, 1, 2, 4, 5]], rtol=1e-12)
    assert np.all(np.isneginf(found.found[7:]))
    _, chances = read(4)  # which is not shown
    np.testing.assert_allclose(found.lost[:7], chances[[0, 3, 6, 1, 2, 4, 5]], rtol=1e-12)


def test_the_flow_begins_where_training_does():
    assert nested_logits.START == START
