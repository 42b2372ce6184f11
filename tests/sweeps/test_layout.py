"""How runs are laid out in bundles, chunks, batches and stages, worked out by hand."""

import dataclasses
import math
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.sweeps import Sweep, estimate, layout, parse_shard, program, staged
from ci_theory.sweeps.bundles import Bundle, lengths_of, split
from ci_theory.sweeps.cost import Cost, cost_of
from ci_theory.sweeps.shards import chunks_of_shard


class Fake:
    """Programs of which a run costs what is said, on devices that are not there."""

    def __init__(self, cost, devices=1, platform="gpu", points=1, measures=1, taken=0.0):
        self.devices = [types.SimpleNamespace(platform=platform)] * devices
        self.inner_points, self.taken = points, taken
        self.phenomenon = types.SimpleNamespace(measure_info=dict.fromkeys(range(measures)))
        self._cost = cost

    def cost(self, statics, capacity):
        return self._cost(capacity) if callable(self._cost) else self._cost

    def memory(self, shape):
        return self.taken * shape.batch


def laid_out(programs, cells=10, replicates=10, memory=1e12, most_runs=4096):
    bundle = Bundle(statics={"p": 3}, capacity={"n": 7}, cells=np.arange(cells))
    made = layout._lay_out(bundle, programs, replicates, memory, most_runs)
    return made.chunk, made.batch


LIGHT = Cost(1e3, 1e3, 1e2)


@pytest.mark.parametrize(
    ("programs", "more", "chunk", "batch"),
    [
        # an accelerator: 2 s of 1e12 a second, all at a time, in equal chunks
        (Fake(LIGHT), {}, 100, 100),
        (Fake(Cost(5e10, 1e3, 1e2)), {}, 34, 34),  # 40 runs are two seconds: three chunks
        (Fake(Cost(1e15, 1e3, 1e2)), {}, 2, 2),
        (Fake(LIGHT, devices=4), {}, 100, 25),
        (Fake(LIGHT, devices=3), {}, 102, 34),
        (Fake(LIGHT), {"most_runs": 30}, 25, 25),
        (Fake(LIGHT, points=200_000), {}, 20, 20),  # 4 million numbers a chunk
        (Fake(LIGHT, points=50_000, measures=2), {}, 34, 34),
        # the host: 64 at a time at most, fewer where they would not fit its cache
        (Fake(LIGHT, platform="cpu"), {}, 112, 16),
        (Fake(LIGHT, platform="cpu"), {"cells": 64}, 640, 64),
        (Fake(Cost(1e3, 1e6, 1e2), platform="cpu"), {}, 112, 16),
        (Fake(Cost(1e3, 2e6, 1e2), platform="cpu"), {}, 104, 8),
        (Fake(Cost(1e3, 1e9, 1e2), platform="cpu"), {}, 100, 4),
        (Fake(LIGHT, platform="cpu"), {"cells": 1, "replicates": 1}, 1, 1),
        (Fake(LIGHT, platform="cpu"), {"cells": 1, "replicates": 3}, 4, 2),
        (Fake(LIGHT, platform="cpu"), {"cells": 1, "replicates": 4}, 4, 4),
        (Fake(LIGHT, platform="cpu"), {"cells": 1, "replicates": 2}, 2, 2),
        (Fake(LIGHT, platform="cpu"), {"most_runs": 10}, 8, 8),
        # 2 s of 5e9 a second are 10 runs; a tenth of a second is worth sharing between two cores
        (Fake(Cost(1e9, 1e6, 1e2), platform="cpu"), {}, 16, 16),
        (Fake(Cost(5.1e6, 1e6, 1e2), platform="cpu"), {}, 48, 16),
        (Fake(Cost(4.9e6, 1e6, 1e2), platform="cpu"), {}, 112, 16),
    ],
)
def test_runs_of_a_chunk_and_at_a_time(programs, more, chunk, batch, monkeypatch):
    monkeypatch.setattr(layout, "lanes", lambda devices: 2)
    assert laid_out(programs, **more) == (chunk, batch)


def test_memory_halves_what_goes_at_a_time_or_refuses_a_run():
    heavy = Cost(1e3, 1e6, 1e2)
    # four times what is held, and sixteen bytes a number: then the compiler is not asked
    assert laid_out(Fake(heavy, taken=1e12), memory=4e8 + 1600) == (100, 100)
    with pytest.raises(BadInput, match=r"one run needs 1e\+03 GB"):
        laid_out(Fake(heavy, taken=1e12), memory=4e8 + 1599)
    assert laid_out(Fake(heavy, taken=1.0), memory=4e8 - 1) == (100, 100)  # the compiler says so
    assert laid_out(Fake(heavy, taken=1e6), memory=3e7) == (112, 16)
    assert laid_out(Fake(heavy, taken=1e6), memory=9e7) == (128, 32)  # half, though 90 would fit
    with pytest.raises(BadInput) as told:
        laid_out(Fake(heavy, taken=2.5e9), memory=1e8)
    assert str(told.value) == "p = 3, n = 7: one run needs 2.5 GB of memory; 0.1 GB may be used"
    with pytest.raises(BadInput, match=r"one run needs 5 GB of memory; 4 GB may be used"):
        laid_out(Fake(Cost(1.0, 1.0, 5e9)), memory=4e9)


@pytest.mark.parametrize(
    ("cells", "per_row", "ratio"),
    [
        # a compilation is 1e10 operations; the lengths 10 and 100 are run as 10 and 100 apart,
        # as 128 together: the price of that is 118 + 28 rows in every run
        (2, 0.99e10 / (118 + 28), math.inf),
        (2, 1.01e10 / (118 + 28), 2.0),
    ],
)
def test_lengths_are_shared_as_long_as_that_costs_less_than_a_compilation(cells, per_row, ratio):
    about = {"n": {"kind": "sized"}, "q": {"kind": "static"}}
    fake = Fake(lambda capacity: Cost(per_row * capacity["n"], 0, 0), platform="cpu")
    sweep = Sweep(phenomenon="x", axes={"n": (10, 100), "q": (1, 2, 3)})
    assert layout._best_ratio(sweep, about, fake, 1) == ratio
    assert layout._best_ratio(sweep, about, fake, 2) == 2.0
    alone = Sweep(phenomenon="x", axes={"n": (10,), "q": (1, 2, 3)}, fixed={})
    assert layout._best_ratio(alone, about, fake, 10**9) == math.inf


def test_bundles_are_cells_of_equal_statics_and_lengths():
    about = {
        "a": {"kind": "traced"},
        "q": {"kind": "static"},
        "n": {"kind": "sized"},
        "i": {"kind": "inner"},
        "r": {"kind": "static"},
        "m": {"kind": "sized"},
    }
    axes = {"a": (1, 2), "q": ("x", "y"), "n": (90, 4, 100), "i": (1, 2, 3)}
    sweep = Sweep(phenomenon="x", axes=axes, fixed={"r": 5, "m": 6})
    made = split(sweep, about, 2.0)
    found = {(g.statics["q"], g.capacity["n"]): g.cells.tolist() for g in made}
    # cell (a, q, n) has the place 6 a + 3 q + n
    assert found == {
        ("x", 4): [1, 7], ("x", 128): [0, 2, 6, 8], ("y", 4): [4, 10], ("y", 128): [3, 5, 9, 11],
    }  # fmt: skip
    assert {(g.statics["r"], g.capacity["m"]) for g in made} == {(5, 6)}
    assert [set(g.capacity) for g in made] == [{"n", "m"}] * 4
    (one,) = split(Sweep(phenomenon="x", fixed={"q": 1, "n": 3, "r": 5, "m": 6}), about, 2.0)
    assert (one.statics, one.capacity) == ({"q": 1, "r": 5}, {"n": 3, "m": 6})
    assert one.cells.tolist() == [0]


def plan_of(start, *bundles):
    """A plan of (chunks, work of a run, runs a chunk)."""
    made = [types.SimpleNamespace(work=w, chunk=c) for _, w, c in bundles]
    ends = np.cumsum([n for n, _, _ in bundles])
    return types.SimpleNamespace(start=start, bundles=made, ends=ends, chunks=int(ends[-1]))


def test_shards_are_of_equal_work():
    plans = [plan_of(0, (4, 1.0, 2), (2, 2.0, 2)), plan_of(3, (2, 4.0, 1)), plan_of(5, (9, 1.0, 1))]
    # works 2 2 2 2 4 4 | 4 4 and the plan that begins after five replicates: 24 in all
    halves = [list(chunks_of_shard(plans, (i, 2), 5)) for i in (0, 1)]
    assert halves == [[(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)], [(0, 5), (1, 0), (1, 1)]]
    assert len(list(chunks_of_shard(plans, (0, 1)))) == 17
    assert parse_shard(" 3 / 12 ") == (3, 12)
    assert parse_shard("999998/999999") == (999998, 999999)
    with pytest.raises(BadInput, match="expected i/n"):
        parse_shard("0/1000000")


# --- costs ----------------------------------------------------------------------------------------


def test_the_budget_is_half_of_the_host_or_four_fifths_of_an_accelerator(monkeypatch):
    monkeypatch.setattr(program, "lanes", lambda devices: 5)
    monkeypatch.setattr(program, "Path", lambda name: types.SimpleNamespace(read_text=limits[name]))
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10**6}
    monkeypatch.setattr(program.os, "sysconf", sizes.get)

    def none():
        raise OSError

    v2 = "/sys/fs/cgroup/memory.max"
    v1 = "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    host = [types.SimpleNamespace(platform="cpu")]
    for one, other, total in (
        (none, none, 4.096e9),
        (lambda: "max\n", none, 4.096e9),
        (lambda: "1000000\n", none, 1e6),
        (none, lambda: "2000000", 2e6),
        (lambda: "9e18", none, 4.096e9),
    ):
        limits = {v2: one, v1: other}
        assert program.memory_budget(host) == pytest.approx(total / 2 / 5)
        assert program.memory_budget(host * 4) == pytest.approx(total / 2 / 4 / 5)
    for stats, budget in (({"bytes_limit": 1e10}, 8e9), ({}, 6.4e9), (None, 6.4e9)):
        card = types.SimpleNamespace(platform="gpu", memory_stats=lambda stats=stats: stats)
        assert program.memory_budget([card]) == pytest.approx(budget)


def test_running_out_of_memory_is_told_from_other_mistakes():
    error = jax.errors.JaxRuntimeError
    assert program.out_of_memory(MemoryError())
    assert program.out_of_memory(error("RESOURCE_EXHAUSTED: no"))
    assert program.out_of_memory(error("Out of memory while"))
    assert not program.out_of_memory(error("INTERNAL"))
    assert not program.out_of_memory(ValueError("out of memory"))


def test_a_loop_of_a_factorisation_costs_its_turns():
    stack = jax.ShapeDtypeStruct((3, 20, 20), "float64")

    def step(x, _):
        return jnp.linalg.cholesky(x, symmetrize_input=False), None

    found, turn = (
        cost_of(lambda a, n=n: jax.lax.scan(step, a, None, length=n)[0], stack) for n in (4, 1)
    )
    assert found.work == 4 * turn.work
    assert 0.34 * 3 * 20**3 <= turn.work <= 0.34 * 3 * 20**3 + 5 * 3 * 20**2
    assert found.held == turn.held
    assert found.largest == 3 * 400 * 8


@dataclasses.dataclass(frozen=True)
class Probed:
    """A plan of which one chunk is measured."""

    bundles: tuple
    sweep = types.SimpleNamespace(seed=7)

    def chunk(self, index):
        return index

    def arguments(self, chunk):
        return (self.bundles[0].chunk, chunk)


class Timed:
    """Programs on two devices: compiling takes 5 s, eight calls 2 s."""

    devices = (1, 2)

    def __init__(self, clock):
        self.clock, self.asked = clock, []

    def memory(self, shape):
        return 1000.0 * shape.batch

    def compiled(self, shape):
        self.clock.now += 5.0
        self.asked.append(("compiled", shape.chunk, shape.batch))

    def sample(self, shape, seed, arguments, seconds):
        self.clock.now += 4 * seconds
        self.asked.append((shape.chunk, seed, arguments, seconds))
        return 8.0


def test_the_time_of_a_sweep_is_that_of_its_costliest_bundle_by_work(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(estimate, "time", clock)
    monkeypatch.setattr(estimate, "lanes", lambda devices: 3)
    maker, cells = Timed(clock), np.arange(9)
    a = Bundle(statics={"p": 1}, capacity={}, cells=cells, chunk=12, batch=2, work=10.0)
    b = Bundle(statics={"p": 2}, capacity={}, cells=cells, chunk=6, batch=6, work=3.0)
    plan = Probed((a, b))
    todo = [(0, a), (0, b), (0, a), (0, b), (0, a)]
    memory, seconds = estimate._measure([maker], [plan], todo)
    assert memory == 2000.0  # 20 operations at a time, and not 18
    assert maker.asked == [("compiled", 4, 2), (4, 7, (4, 0), 0.0), (4, 7, (4, 0), 0.5)]
    work = 3 * 12 * 10 + 2 * 6 * 3  # a quarter of a second for 40 of it, three chunks at a time
    assert seconds == pytest.approx(work / 40 / 4 / 3 + 2 * 5.0)
    alone = estimate._measure([maker], [plan], todo[:1])
    assert alone == (2000.0, pytest.approx(120 / 40 / 4 + 5.0))
    assert estimate._measure([maker], [plan], []) == (0.0, 0.0)


# --- stages ---------------------------------------------------------------------------------------


class Clock:
    """A clock that every step of a simulation moves."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    perf_counter = monotonic


class Memory:
    """Keeps states in a list, and asks to stop once the clock shows so much."""

    def __init__(self, clock, stop=math.inf):
        self.clock, self.stop, self.states = clock, stop, []

    @property
    def stopping(self):
        return self.clock.now >= self.stop

    def read(self, room):
        return None

    def write(self, step, leaves):
        self.states.append((step, self.clock.now, [leaf.tolist() for leaf in leaves]))


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(staged, "time", made)
    return made


def counting(clock, seconds_a_step, seen):
    def advance(shared, pair):
        since, until = map(int, shared[-2:])
        seen.append((since, until))
        clock.now += (until - since) * seconds_a_step
        return pair[1] + (until - since)

    return staged.Staged(
        begin=lambda shared, runs: np.zeros(1, int),
        advance=advance,
        finish=lambda shared, pair: pair[1],
    )


def test_stages_grow_to_ten_seconds_and_are_kept_once_a_minute(clock):
    seen, memory = [], Memory(clock)
    programs = counting(clock, 0.5, seen)
    assert staged.run_stages(programs, (), {}, 640, memory).tolist() == [640]
    lengths = [until - since for since, until in seen]
    assert lengths == [10, 20] + [20] * 30 + [10]
    assert [since for since, _ in seen] == np.cumsum([0, *lengths[:-1]]).tolist()
    assert [(step, now) for step, now, _ in memory.states] == [
        (130, 65.0), (270, 135.0), (410, 205.0), (550, 275.0),
    ]  # fmt: skip
    assert all(leaves == [[step]] for step, _, leaves in memory.states)


def test_slow_steps_make_short_stages_and_quick_ones_twice_as_long(clock):
    slow = []
    staged.run_stages(counting(clock, 40.0, slow), (), {}, 130, Memory(clock))
    assert slow[:3] == [(0, 2), (2, 3), (3, 4)]
    quick = []
    staged.run_stages(counting(clock, 0.0, quick), (), {}, 640, Memory(clock))
    assert [b - a for a, b in quick] == [10, 20, 40, 80, 160, 320, 10]
    whole = []
    staged.run_stages(counting(clock, 1.0, whole), (), {}, 640, None)
    assert whole == [(0, 640)]
    tiny = []
    assert staged.run_stages(counting(clock, 0.0, tiny), (), {}, 3, Memory(clock)).tolist() == [3]
    assert tiny == [(0, 1), (1, 3)]


def test_who_is_asked_to_stop_keeps_the_state_after_the_stage(clock):
    seen, memory = [], Memory(clock, stop=12.0)
    with pytest.raises(staged.Stopped):
        staged.run_stages(counting(clock, 0.5, seen), (), {}, 640, memory)
    assert memory.states == [(30, 15.0, [[30]])]
    # at the end there is nothing to stop
    memory = Memory(clock, stop=0.0)
    assert staged.run_stages(counting(clock, 0.5, []), (), {}, 1, memory).tolist() == [1]


def test_a_sample_says_which_share_of_the_steps_it_did(clock):
    seen = []
    assert staged.run_sample(counting(clock, 1.0, seen), (), {}, 100, 7.0) == 7 / 100
    assert seen == [(0, 1), (1, 3), (3, 7)]
    seen.clear()
    assert staged.run_sample(counting(clock, 1.0, seen), (), {}, 5, 100.0) == 1.0
    assert seen == [(0, 1), (1, 3), (3, 5)]
    assert staged.run_sample(counting(clock, 1.0, []), (), {}, 0, 0.0) == 1.0


def test_lengths_of_sized_values_are_the_least_of_two_series():
    """Powers of two and one and a half times these, tried one by one."""
    series = sorted([2**k for k in range(12)] + [3 * 2**k for k in range(11)])
    for value in range(3, 600):
        least = next(length for length in series if length >= value)
        assert lengths_of([value - 1, value], 2.0) == [least, least]
        assert lengths_of([value], 2.0) == [value]  # alone it is its own length
    assert lengths_of([10, 20, 10], 2.0) == [10, 20, 10]  # as far apart as the ratio: another one
    assert lengths_of([11, 20], 2.0) == [24, 24]
    assert lengths_of([0], 2.0) == [1]


def test_of_branches_the_dearest_counts_and_a_factorisation_by_its_shorter_side():
    def either(a):
        return jax.lax.cond(a[0] > 0, jnp.sin, lambda x: jnp.cos(jnp.sin(x)), a)

    numbers = jax.ShapeDtypeStruct((50,), "float32")
    one, two = (cost_of(f, numbers).work for f in (jnp.sin, lambda x: jnp.cos(jnp.sin(x))))
    assert one == 50
    assert two == 100
    assert two <= cost_of(either, numbers).work < two + 10  # and the question itself
    for shape in ((30, 8), (8, 30)):
        matrix = jax.ShapeDtypeStruct(shape, "float32")
        work = cost_of(lambda a: jnp.linalg.svd(a, full_matrices=False), matrix).work
        assert 20 * 8**2 * 30 <= work < 21 * 8**2 * 30


def test_the_largest_array_may_lie_outside_every_loop_or_inside_one():
    def outside(a):
        return jax.lax.fori_loop(0, 3, lambda _, x: x + 1.0, jnp.outer(a, a).sum())

    def inside(a):
        return jax.lax.fori_loop(0, 3, lambda _, x: x + jnp.outer(a, a).sum(), 0.0)

    numbers = jax.ShapeDtypeStruct((50,), "float32")
    assert cost_of(outside, numbers).largest == cost_of(inside, numbers).largest == 4 * 50 * 50
