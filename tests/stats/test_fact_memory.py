"""fact_memory: what is drawn and stored, agreement of its means, decoys, and the breaks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._errors import BadInput, Status
from ci_theory._keys import key_for, stream
from ci_theory._record import build
from ci_theory.phenomena import load, predict
from ci_theory.phenomena.fact_memory import ALL, MOST, Params, simulate
from ci_theory.systems import associative_memory
from ci_theory.systems.associative_memory import KEYS

PHENOMENON = load("fact_memory")
RANKS = np.array([2, 7, 20])
SIZE = 100
POINT = {"facts": 80, "exponent": 0.7, "repeats": 5.0, "noise": 0.4}
WANTED = {
    (name, decoy)
    for decoy, names in {
        "copies do not count": "error known copied_recalled single_recalled",
        "noise averages out": "recalled error copied_recalled single_recalled",
        "crosstalk alike": "error known single_recalled",
        "sharp step": "recalled copied_recalled single_recalled",
    }.items()
    for name in names.split()
}


@jax.jit
def run(numbers, replicates):
    params = build(Params, {**numbers, "d": 12, "rank": jnp.asarray(RANKS)})
    made = jax.vmap(lambda r: simulate(key_for(6, 0, 0, r), params, {"facts": SIZE}))(replicates)
    return {name: getattr(made, name) for name in ALL}


def simulated(point, replicates=400):
    full = PHENOMENON.point({**POINT, **point, "rank": 1})
    numbers = {k: jnp.asarray(v) for k, v in full.items() if k not in ("d", "rank")}
    return {k: np.asarray(v) for k, v in run(numbers, jnp.arange(replicates)).items()}


@pytest.mark.parametrize(
    "change",
    [{}, {"power": 0.5, "kept": 30}, {"exponent": 1.5, "facts": 100, "noise": 0.0}],
    ids=["copies", "root and threshold", "steep"],
)
def test_means_agree_and_decoys_do_not(change):
    made = simulated(change)
    rejected = set()
    for name, predicted in predict(PHENOMENON, {**POINT, **change, "d": 12, "rank": RANKS}).items():
        mean, error = made[name].mean(axis=0), made[name].std(axis=0, ddof=1) / 400**0.5
        estimate = predicted.estimate
        assert np.all(estimate.valid)
        assert np.all(np.abs(mean - estimate.value) <= 4.5 * error + estimate.slack), name
        assert np.all(estimate.slack <= 0.25 * (0.5 / 12 + 0.02) + 0.0011)
        for decoy, wrong in predicted.decoys.items():
            if np.any(np.abs(mean - wrong) > 5 * error + estimate.slack):
                rejected.add((name, decoy))
    if not change:
        assert {name for name, _ in rejected} == set(ALL)
        assert {decoy for _, decoy in rejected} == {m.name for m in PHENOMENON.mistakes}
        assert rejected >= WANTED


def params(**point):
    return build(Params, PHENOMENON.point(point))


def test_facts_are_copied_evenly_and_stored_by_their_counts():
    """Counted by hand: 3 of 10 facts, the 2nd, 5th and 9th; weights of the root of the counts."""
    given = params(facts=10, repeated_fraction=0.3, repeats=4.0, power=0.5, exponent=1.0, kept=8)
    copied = np.asarray(given.copied(16))
    assert np.flatnonzero(copied).tolist() == [1, 4, 8]
    counts = np.array([1 / 1, 4 / 2, 1 / 3, 1 / 4, 4 / 5, 1 / 6, 1 / 7, 1 / 8, 0, 0])
    weights = np.asarray(given.weights(16))
    assert weights[:10] == pytest.approx(np.sqrt(counts / 2), rel=1e-12)
    assert np.all(weights[10:] == 0)
    p = np.asarray(given.frequencies(16))
    assert p[:10] == pytest.approx(1 / np.arange(1, 11) / np.sum(1 / np.arange(1, 11)), rel=1e-12)
    for share, facts, wanted in ((0.1, 60, 6), (1.0, 7, 7), (0.0, 9, 0), (0.5, 9, 5)):
        assert int(params(facts=facts, repeated_fraction=share, rank=1).copied(64).sum()) == wanted


def test_answers_go_round_among_the_mixed_up():
    there = jnp.arange(12) < 9
    firsts = np.zeros(12)
    keys = jax.vmap(lambda seed: key_for(0, 0, 0, seed))(jnp.arange(200))
    made = jax.jit(jax.vmap(lambda key: associative_memory.mixed_up(key, there, 4)))(keys)
    for stored in np.asarray(made):
        assert sorted(stored) == list(range(12))
        moved = np.flatnonzero(stored != np.arange(12))
        assert len(moved) == 4
        assert moved.max() < 9
        place, steps = moved[0], 0
        while steps == 0 or place != moved[0]:
            place, steps = stored[place], steps + 1
        assert steps == 4  # one circle
        firsts[moved] += 1
    assert np.all(np.abs(firsts[:9] - 200 * 4 / 9) < 5 * (200 * 4 / 9 * 5 / 9) ** 0.5)
    none = associative_memory.mixed_up(key_for(0, 0, 0, 0), there, 0)
    assert none.tolist() == list(range(12))
    assert float(params(facts=30, noise=0.01).wrong()) == 2  # one alone has nobody to change with
    assert float(params(facts=30, noise=0.0).wrong()) == 0


def test_a_memory_is_read_as_it_is_written():
    """Products added one by one, scores one by one."""
    facts = associative_memory.draw(key_for(1, 0, 0, 0), 5, 8)
    keys, values = (np.asarray(v) for v in facts)
    assert np.sum(keys**2, axis=1) == pytest.approx(1, rel=1e-12)
    q, stored = np.array([1.0, 0.5, 2.0, 0.1, 0.0]), np.array([0, 2, 1, 3, 4])
    memory = sum(q[i] * np.outer(values[stored[i]], keys[i]) for i in range(5))
    made = associative_memory.stored(facts, jnp.asarray(q), jnp.asarray(stored))
    assert np.asarray(made) == pytest.approx(memory, rel=1e-12, abs=1e-14)
    there = np.arange(5) < 4
    wanted = [int(np.argmax([values[j] @ memory @ keys[i] for j in range(4)])) for i in range(5)]
    assert associative_memory.answers(facts, made, jnp.asarray(there)).tolist() == wanted

    asked = jnp.asarray(q), jnp.asarray(stored), jnp.asarray(there)
    for seed in range(8):  # the same memory with other keys of fact 0
        key, hits = key_for(1, 0, 0, seed), []
        fresh = np.asarray(jax.random.normal(stream(key, "anew"), (KEYS, 8)))
        for new in fresh / np.linalg.norm(fresh, axis=1, keepdims=True):
            anew = np.array([new, *keys[1:]])
            again = sum(q[i] * np.outer(values[stored[i]], anew[i]) for i in range(5))
            hits.append(np.argmax([values[j] @ again @ new for j in range(4)]) == 0)
        share = associative_memory.recalled_anew(key, facts, *asked, jnp.asarray(0))
        assert float(share) == pytest.approx(np.mean(hits), abs=1e-12)
        assert 0 < np.mean(hits) < 1

    # one fact and its key drawn anew: its mean over memories is that of asking as it is
    @jax.vmap
    def both(seed):
        key = key_for(1, 0, 1, seed)
        drawn = associative_memory.draw(key, 5, 8)
        memory = associative_memory.stored(drawn, *asked[:2])
        given = associative_memory.answers(drawn, memory, asked[2])
        return given[0] == 0, associative_memory.recalled_anew(key, drawn, *asked, jnp.asarray(0))

    seen, chance = (np.asarray(v, float) for v in jax.jit(both)(jnp.arange(400)))
    error = np.std(np.subtract(seen, chance)) / 400**0.5
    assert np.mean(seen) == pytest.approx(np.mean(chance), abs=4 * error)
    assert 0.3 < np.mean(chance) < 0.97
    assert np.std(chance) < np.std(seen)
    many = associative_memory.draw(key_for(1, 0, 0, 1), 2000, 8)
    assert np.mean(np.asarray(many.values) ** 2) == pytest.approx(1 / 8, rel=0.05)


def test_the_capacity_is_where_half_are_recalled():
    form = PHENOMENON.breaks[0].closed_form
    point = {"exponent": 0.0, "repeats": 1.0, "noise": 0.1, "d": 24}
    place = form(params(**point))
    found = predict(PHENOMENON, {**point, "facts": np.array([int(place), int(place) + 2])})
    assert found["recalled"].estimate.value == pytest.approx(0.5, abs=0.015)
    assert form(params(**{**point, "exponent": 0.5, "power": 0.0})) == pytest.approx(place)
    for change in ({"exponent": 0.5}, {"repeats": 2.0}, {"kept": 50}, {"noise": 0.5}):
        assert np.isnan(form(params(**{**point, **change})))


def test_the_last_rank_is_where_a_fact_is_known_half_of_the_time():
    kind = PHENOMENON.breaks[1]
    point = {"exponent": 1.0, "repeats": 1.0, "noise": 0.0, "facts": 300, "d": 48}
    ranks = np.array([4, 6, 9, 12, 17])
    curve = predict(PHENOMENON, {**point, "rank": ranks})["known"].estimate.value
    found = kind.locator.locate(ranks.astype(float), curve)
    assert found.status == Status.OK
    assert kind.closed_form(params(**point)) == pytest.approx(found.value, rel=0.1)
    changes = ({"exponent": 0.0}, {"repeats": 2.0}, {"noise": 0.1}, {"kept": 5})
    for change in changes:
        assert np.isnan(kind.closed_form(params(**{**point, **change})))


def test_copies_store_a_fact_and_push_out_the_rest():
    """More repeats: copied facts up to nearly all, the others down; less so by roots."""
    point = {"facts": 120, "d": 24, "exponent": 0.0, "repeated_fraction": 0.1, "noise": 0.0}
    repeats = np.array([1.0, 4.0, 16.0])
    counted, root = (
        predict(PHENOMENON, {**point, "power": power, "repeats": repeats}) for power in (1.0, 0.5)
    )
    for made in (counted, root):
        assert np.all(np.diff(made["copied_recalled"].estimate.value) > 0)
        assert np.all(np.diff(made["single_recalled"].estimate.value) < 0)
    assert counted["copied_recalled"].estimate.value[-1] > 0.9
    lost = [m["single_recalled"].estimate.value[-1] for m in (counted, root)]
    assert lost[0] < 0.05 < lost[1]


def test_a_rank_beyond_the_facts_is_refused():
    with pytest.raises(BadInput, match="there are 60 facts"):
        PHENOMENON.point({"rank": 61})
    assert PHENOMENON.point({"rank": 60})["kept"] == MOST
