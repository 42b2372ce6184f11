"""Many facts in one matrix: against memories that are drawn, and against one fact at a time."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2, norm, t

from ci_theory.theory.discrete import stored_facts
from ci_theory.theory.discrete.associative_memory import recall
from ci_theory.theory.discrete.stored_facts import mixed_up, recalled, recalled_few

LENGTH = 420


def chances(d, q):
    """``recalled`` at one length, so that it is compiled once."""
    padded = np.append(q, np.ones(LENGTH - len(q)))
    return np.asarray(recalled(float(d), padded, np.arange(LENGTH) < len(q)))[: len(q)]


def drawn(d, q, answers, outputs, memories, seed=0):
    """Share of memories that give each fact the answer ``right``, for every answer, (N, M)."""
    rng = np.random.default_rng(seed)
    given = np.zeros((len(q), outputs))
    for _ in range(memories):
        keys = rng.normal(size=(len(q), d))
        keys /= np.linalg.norm(keys, axis=1, keepdims=True)
        values = rng.normal(size=(outputs, d)) / np.sqrt(d)
        stored = answers(rng) if callable(answers) else answers
        read = keys @ (keys.T @ (q[:, None] * values[stored]))
        given[np.arange(len(q)), (read @ values.T).argmax(axis=1)] += 1
    return given / memories


def bands(v, ends):
    return np.array([part.mean() for part in np.split(np.asarray(v), ends)])


@pytest.mark.parametrize(
    ("d", "q"),
    [
        (12, np.where(np.arange(1, 91) % 10, 1.0, 4.0)),  # each tenth fact four times
        (16, np.where(np.arange(1, 81) <= 30, 1.0, 0.0)),  # the rest is not stored
    ],
    ids=["copies", "threshold"],
)
def test_recall_of_drawn_memories(d, q):
    """In bands of ranks, within 1/d of P (1 - P) and what few points of integration leave."""
    n, memories = len(q), 300
    right = np.diag(drawn(d, q, np.arange(n), n, memories))
    told = chances(d, q)
    ends = [1, 3, 10, 30]
    width = np.diff([0, *ends, n])
    error = np.sqrt(bands(told * (1 - told), ends) / memories / width)
    # facts of one memory go up and down together: the error of a band of many is larger
    error *= np.sqrt(1 + 0.1 * width)
    slack = bands(told * (1 - told), ends) / d + 0.004
    assert np.all(np.abs(bands(right, ends) - bands(told, ends)) < 4 * error + slack)


def asked(d, q, i, draws, seed):
    """Ask for one fact alone, by the law of the overlaps and scores given the keys, (draws,)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(draws, len(q)))
    b = q * x / np.sqrt(x**2 + rng.chisquare(d - 1, size=x.shape))
    b[:, i] = q[i]
    g, noise = rng.chisquare(d, size=(draws, 1)) / d, rng.normal(size=x.shape)
    size = np.sum(b**2, axis=1, keepdims=True)
    noise -= b * np.sum(b * noise, axis=1, keepdims=True) / size
    return np.argmax(g * b + np.sqrt(g * size / d) * noise, axis=1) == i


@pytest.mark.parametrize(("d", "power", "rank"), [(64, 1.5, 12), (16, 3.0, 3)])
def test_a_handful_of_strong_facts_decides_by_its_overlaps(d, power, rank):
    """Where one size of crosstalk is off by a third, ten standard errors."""
    q, draws = np.arange(1.0, 101.0) ** -power, 20_000
    right = asked(d, q, rank - 1, draws, rank).mean()
    error = np.sqrt(right * (1 - right) / draws)
    told = float(chances(d, q)[rank - 1])
    assert abs(right - told) < 4 * error + told * (1 - told) / d + 0.004
    groups = np.append(q[:12], np.sqrt(np.mean(q[12:] ** 2)))
    alone = float(recall(float(d), groups, np.append(np.ones(12), 88.0))[rank - 1])
    assert abs(right - alone) > 7 * error
    assert abs(right - told) < 0.4 * abs(right - alone)


def test_alike_they_are_as_one_fact_at_a_time():
    for n, noise in ((64, 0.008), (300, 0.004)):
        one = float(recall(32.0, [1.0], [float(n)])[0])
        assert chances(32, np.ones(n)) == pytest.approx(one, abs=noise)


def test_order_scale_and_absent_facts_do_not_matter():
    q = np.arange(1.0, 41.0) ** -0.8
    told = chances(16, q)
    shuffled = np.random.default_rng(1).permutation(40)
    assert chances(16, 7 * q[shuffled]) == pytest.approx(told[shuffled], abs=1e-12)
    alone = np.asarray(recalled(16.0, q))
    assert alone == pytest.approx(told, abs=1e-12)
    padded = np.asarray(recalled(16.0, np.full(LENGTH, 9.0), np.arange(LENGTH) < 40))
    assert np.all(padded[40:] == 0)
    assert np.all(np.diff(told) < 1e-6)  # the commoner, the better


def test_few_facts_and_unstored_ones():
    for d, q in ((8, [1.0, 1.0]), (8, [1.0, 2.0]), (8, [4.0, 1.0]), (16, [1.0, 3.0])):
        exact = np.asarray(recall(float(d), q, np.ones(2)))  # two facts are, there
        assert chances(d, q) == pytest.approx(exact, abs=0.009)
    alike = chances(8, np.ones(9))  # five of them are rivals, four are not: each leaves itself out
    assert np.ptp(alike) < 0.006
    assert alike.mean() < 0.8
    assert chances(16, [1.0])[0] == pytest.approx(1.0, abs=1e-6)
    lone = chances(16, np.append(1.0, np.zeros(39)))
    right = np.diag(drawn(16, np.append(1.0, np.zeros(39)), np.arange(40), 40, 300))
    assert lone[0] == pytest.approx(right[0], abs=0.03)
    assert lone[1:].mean() == pytest.approx(right[1:].mean(), abs=0.01)


def test_interpolation_is_of_each_weight(monkeypatch):
    """A fact moved to the grid's coarsest place, asked for by itself as the only one of others."""
    q = np.concatenate([np.full(7, 3.0), np.geomspace(1.0, 1e-3, 400)])
    told = chances(32, q)
    monkeypatch.setattr(stored_facts, "_WEIGHTS", 50)
    fine = np.asarray(recalled.__wrapped__.__wrapped__(32.0, jnp.asarray(q)))  # not compiled before
    assert told == pytest.approx(fine, abs=1e-3)


def test_gauss_has_the_moments_of_the_masses():
    rng = np.random.default_rng(2)
    x, mass = rng.uniform(size=50) ** 4, rng.uniform(size=50)
    nodes, masses = (np.asarray(v) for v in stored_facts._gauss(jnp.asarray(x), jnp.asarray(mass)))
    for k in range(12):
        assert np.sum(masses * nodes**k) == pytest.approx(np.sum(mass * x**k), rel=1e-12)
    same = stored_facts._gauss(jnp.full(5, 0.25), jnp.array([1.0, 1.0, 1.0, 0.0, 0.0]))
    assert float(jnp.sum(same[1] * same[0] ** 3)) == pytest.approx(3 / 64, rel=1e-12)
    none = stored_facts._gauss(jnp.zeros(5), jnp.zeros(5))
    assert np.all(np.asarray(none[1]) == 0)


def test_mixed_up_answers():
    """A quarter of 24 facts pass their answers on in a circle; 3000 memories, right and wrong."""
    d, n, wrong = 8, 24, 6

    def passed_on(rng):
        answers, circle = np.arange(n), rng.permutation(n)[:wrong]
        answers[circle] = np.roll(circle, 1)
        return answers

    q = np.arange(1.0, n + 1) ** -0.5
    right = np.diag(drawn(d, q, passed_on, n, 3000, seed=4))
    straight = np.diag(drawn(d, q, np.arange(n), n, 3000, seed=5))
    told = np.asarray(mixed_up(straight, wrong / n, n))
    error = np.sqrt(2 * 0.25 / 3000)
    assert np.all(np.abs(right - told) < 4 * error)
    assert abs(np.mean(right - told)) < 0.005
    assert np.mean(right - (1 - wrong / n) * straight) > 0.003  # a share of the lost is right
    assert mixed_up(0.5, 0.0, 2) == 0.5


@pytest.mark.parametrize(
    ("d", "n", "outputs", "power", "memories"), [(64, 200, 5, 0.0, 100), (96, 300, 20, 1.5, 60)]
)
def test_few_answers(d, n, outputs, power, memories):
    q = np.arange(1.0, n + 1) ** -power
    answers = np.arange(n) % outputs
    given = drawn(d, q, answers, outputs, memories)
    right = given[np.arange(n), answers]
    told = np.asarray(recalled_few(float(d), q, answers, outputs))
    many = chances(d, q)
    ends = [5, 20, 80]
    wide = np.diff([0, *ends, n])
    error = np.sqrt(bands(told * (1 - told), ends) / memories / wide * (1 + 0.05 * wide))
    slack = bands(told * (1 - told), ends) / d * 2
    assert np.all(np.abs(bands(right, ends) - bands(told, ends)) < 4 * error + slack)
    assert np.max(np.abs(bands(right, ends) - bands(many, ends)) / error) > 8


def test_a_fact_does_not_pull_at_its_own_answer():
    """Each answer has one fact, the others are not stored: 2000 memories of five facts."""
    d, n, outputs = 12, 200, 5
    stored, answers = np.arange(n) < outputs, np.arange(n) % outputs
    given = drawn(d, np.ones(outputs), answers[:outputs], outputs, 2000)
    right = np.mean(np.diag(given))
    told = np.asarray(recalled_few(float(d), stored * 1.0, answers, outputs))[:outputs]
    error = np.sqrt(right * (1 - right) / (2000 * outputs))
    assert np.all(np.abs(told - right) < 2 * error + 2 * told * (1 - told) / d)


def test_drawn_lengths_and_overlaps_have_their_quantiles():
    """Of chi^2_d/d and of the first coordinate of a unit vector, by their own inverse laws."""
    x = np.linspace(-2.5, 2.5, 11)
    for d in (16, 64):
        length = np.asarray(stored_facts._length(x, d))
        np.testing.assert_allclose(length, chi2.isf(norm.sf(x), d) / d, rtol=0.2 / d)
        student = t.isf(norm.sf(x), d - 1)
        wanted = student / np.sqrt(d - 1 + student**2)
        np.testing.assert_allclose(stored_facts._overlap(x, d), wanted, atol=2.5 / d**2.5)
