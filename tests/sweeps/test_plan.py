import itertools
import json
import math
import os
import types

import jax
import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory._keys import point_hash
from ci_theory.phenomena import load
from ci_theory.sweeps import DryRun, Plan, Sweep, make_plan
from ci_theory.sweeps.bundles import lengths_of
from ci_theory.sweeps.cost import cost_of
from ci_theory.sweeps.program import Programs, Shape, devices_of, lanes
from ci_theory.sweeps.shards import chunks_of_shard

SWEEP = Sweep(
    phenomenon="sweep_toys.line",
    axes={
        "ridge": (0.0, 1.0),
        "p": (2, 3),
        "n": (5, 9, 400),
        "slope": (1.0, 2.0, 3.0),
        "degree": (1, 2, 3),
        "up.noise": (0.1, 0.2),
    },
    fixed={"shape": "steep", "up.rows": 6},
    paired=("slope",),
    replicates=3,
)


@pytest.fixture(scope="module")
def plan():
    return make_plan(SWEEP, most_runs=8)


def test_every_run_is_in_exactly_one_chunk(plan):
    seen = []
    for index in range(plan.chunks):
        chunk = plan.chunk(index)
        assert len(chunk.cells) == chunk.bundle.chunk
        seen += zip(chunk.cells[: chunk.valid], chunk.replicates[: chunk.valid], strict=True)
    cells = math.prod(len(v) for v in plan.outer.values())
    assert len(seen) == plan.runs == cells * 3
    assert set(seen) == set(itertools.product(range(cells), range(3)))


def test_a_replicate_of_every_cell_comes_before_the_next(plan):
    """The order is that of stored parts: another one would read them wrongly."""
    seen = {}
    for index in range(plan.chunks):
        chunk = plan.chunk(index)
        runs = zip(chunk.replicates[: chunk.valid], chunk.cells[: chunk.valid], strict=True)
        seen.setdefault(id(chunk.bundle), []).extend(runs)
    for bundle in plan.bundles:
        assert seen[id(bundle)] == [(r, cell) for r in range(3) for cell in bundle.cells]


def test_what_goes_at_a_time_divides_the_chunk():
    programs = Programs(load("sweep_toys.line"), devices_of("cpu"), {})
    for chunk, most, batch in ((12, 5, 4), (12, 12, 12), (12, 100, 12), (7, 6, 1), (9, 1, 1)):
        assert programs.fitted(Shape((), (), chunk, 0), most).batch == batch


def test_bundles_are_the_static_combinations(plan):
    assert [dict(g.statics) for g in plan.bundles] == [
        {"p": 2, "shape": "steep"},
        {"p": 3, "shape": "steep"},
    ]
    for bundle in plan.bundles:
        columns = plan.columns(bundle.cells)
        assert set(columns["p"]) == {bundle.statics["p"]}
        assert bundle.capacity["up.rows"] == 6
        assert all(n <= bundle.capacity["n"] for n in columns["n"])


def test_inner_axes_are_one_product_vector(plan):
    ridge, degree = np.meshgrid([0.0, 1.0], [1, 2, 3], indexing="ij")
    assert plan.inner["ridge"].tolist() == ridge.ravel().tolist()
    assert plan.inner["degree"].tolist() == degree.ravel().tolist()


def test_keys_are_addressed_by_the_point_without_inner_and_paired_names(plan):
    chunk = plan.chunk(plan.chunks - 1)
    given = plan.arguments(chunk)
    columns = plan.columns(chunk.cells)
    for i in range(len(chunk.cells)):
        point = {
            "n": columns["n"][i],
            "p": columns["p"][i],
            "shape": "steep",
            "mirrored": False,
            "up.noise": columns["up.noise"][i],
            "up.rows": 6,
        }
        assert (given["high"][i], given["low"][i]) == point_hash(point)
        assert given["replicate"][i] == chunk.replicates[i]
        assert given["numbers"]["slope"][i] == columns["slope"][i]
    assert set(given["numbers"]) == {"n", "slope", "mirrored", "up.noise", "up.rows"}


def test_a_plan_survives_json(plan):
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again.hash == plan.hash
    assert again.sweep == plan.sweep
    for one, other in zip(again.bundles, plan.bundles, strict=True):
        np.testing.assert_array_equal(one.cells, other.cells)
        assert one.shape == other.shape


@pytest.mark.parametrize(
    "change",
    [
        lambda bundles: bundles.pop(),
        lambda bundles: bundles.append(bundles[0]),
        lambda bundles: bundles[0].update(cells=bundles[0]["cells"] + 1),
        lambda bundles: bundles[0].update(statics={**bundles[0]["statics"], "p": 4}),
        lambda bundles: bundles[0].update(capacity={**bundles[0]["capacity"], "n": 401}),
    ],
)
def test_a_plan_of_other_bundles_is_refused(plan, change):
    data = json.loads(json.dumps(plan.to_json()))
    change(data["groups"])
    with pytest.raises(BadInput, match="its bundles are not those that this version makes"):
        Plan.from_json(data)


def test_the_hash_sees_what_decides_bits_and_nothing_else(plan):
    def hash_of(most_runs=8, **changes):
        fields = {k: getattr(SWEEP, k) for k in SWEEP.__dataclass_fields__}
        return make_plan(Sweep(**{**fields, **changes}), most_runs=most_runs).hash

    assert hash_of() == hash_of(name="x", title="y", source="z") == plan.hash
    for change in ({"seed": 1}, {"paired": ()}, {"fixed": {"up.rows": 6}}, {"most_runs": 4}):
        assert hash_of(**change) != plan.hash


def test_sized_values_share_lengths_within_the_ratio():
    values = (1, 20, 33, 64, 65, 129, 400, 500)
    assert lengths_of(values, math.inf) == [512] * 8
    assert lengths_of(values, 2.0) == [1, 20, 64, 64, 192, 192, 512, 512]
    assert lengths_of((400, 256, 250), 2.0) == [512, 512, 512]
    assert lengths_of((300,), 2.0) == [300]
    assert lengths_of((0,), 2.0) == [1]
    assert lengths_of((700, 768), math.inf) == [768, 768]


def test_costly_rows_split_a_sized_axis_and_cheap_ones_do_not():
    cheap = Sweep(phenomenon="sweep_toys.line", axes={"n": (10, 100, 1000)})
    assert len(make_plan(cheap).bundles) == 1
    costly = Sweep(phenomenon="sweep_toys.gram", axes={"n": (10, 100, 1000)}, replicates=5000)
    bundles = make_plan(costly).bundles
    assert sorted(g.capacity["n"] for g in bundles) == [10, 100, 1000]


def test_chunks_shrink_to_the_memory_that_the_compiler_reports():
    sweep = Sweep(phenomenon="sweep_toys.gram", fixed={"n": 128}, replicates=64)
    roomy = make_plan(sweep, memory=1e9).bundles[0]
    programs = Programs(load("sweep_toys.gram"), devices_of("cpu"), {})
    half = programs.memory(roomy.shape) / 2  # versions of XLA differ by a factor of eight
    tight = make_plan(sweep, memory=half).bundles[0]
    assert 1 <= tight.batch < roomy.batch
    assert 0 < programs.memory(tight.shape) <= half


@pytest.mark.parametrize("n", [10**4, 10**9, 10**15])
def test_a_run_too_large_for_memory_is_refused_with_its_estimate(n):
    sweep = Sweep(phenomenon="sweep_toys.gram", axes={"n": (n,)})
    with pytest.raises(BadInput, match=rf"n = {n}: one run needs .* GB of memory"):
        make_plan(sweep, memory=2e6)


def test_no_run_goes_alone_next_to_others():
    for replicates in (2, 3, 5, 9, 17):
        sweep = Sweep(phenomenon="sweep_toys.line", replicates=replicates)
        for most_runs in (1, 3, 8, None):
            bundle = make_plan(sweep, most_runs=most_runs).bundles[0]
            assert bundle.batch >= 2
            assert bundle.chunk % bundle.batch == 0
            assert bundle.chunk <= max(most_runs or 64, 2)


def test_shards_part_the_chunks(plan):
    whole = list(chunks_of_shard([plan], (0, 1)))
    assert whole == [(0, c) for c in range(plan.chunks)]
    for count in (2, 3, plan.chunks + 5):
        shards = [list(chunks_of_shard([plan], (i, count))) for i in range(count)]
        assert [place for shard in shards for place in shard] == whole
    work = [plan.chunk(c).bundle.work for _, c in whole]
    for shard in (list(chunks_of_shard([plan], (i, 3))) for i in range(3)):
        assert abs(sum(work[c] for _, c in shard) - sum(work) / 3) <= max(work)


def test_costs_count_products_loops_and_factorisations():
    square = jax.ShapeDtypeStruct((30, 30), float)
    assert cost_of(lambda a: a @ a, square) == (2.0 * 30**3, 8.0 * 900, 8.0 * 900)
    assert cost_of(lambda a: jax.lax.fori_loop(0, 5, lambda i, x: x @ a, a), square).work > 5 * 54e3
    assert cost_of(jax.jit(lambda a: a @ a), square).work == 2.0 * 30**3
    for shape in ((100, 10), (10, 100)):  # of long matrices the shorter side counts twice
        long = jax.ShapeDtypeStruct(shape, "float64")
        work = cost_of(lambda a: jax.numpy.linalg.svd(a, full_matrices=False)[1], long).work
        assert work == pytest.approx(20 * 10**2 * 100, rel=0.1)
    work = cost_of(jax.numpy.linalg.eigh, square).work
    assert 9 * 30**3 <= work <= 10 * 30**3


def test_costs_inside_of_what_holds_them():
    square = jax.ShapeDtypeStruct((30, 30), float)
    row = jax.ShapeDtypeStruct((10**4,), float)

    def one_of(a):
        return jax.lax.cond(a[0, 0] > 0, lambda x: x @ x @ x, lambda x: x @ x, a)

    cost = cost_of(one_of, square)
    assert 2 * 54e3 <= cost.work < 2.5 * 54e3  # the dearer branch, not both
    assert cost.largest == 8 * 900
    turns = cost_of(lambda a: jax.lax.scan(lambda x, _: (x @ a, None), a, length=7)[0], square)
    assert 7 * 54e3 <= turns.work < 8 * 54e3
    assert turns.held < 4 * 8 * 900  # a loop keeps no more than one turn of it does
    inside = cost_of(lambda a: jax.jit(lambda x: (x[:, None] * x[None, :]).sum())(a), square)
    assert inside.largest == 8 * 30**3
    assert cost_of(jax.numpy.exp, row).work == 8 * cost_of(jax.numpy.negative, row).work == 8e4
    stack = jax.ShapeDtypeStruct((5, 30, 30), float)
    one, many = (cost_of(jax.numpy.linalg.cholesky, a).work for a in (square, stack))
    assert 4 * one < many < 6 * one


def test_an_unknown_or_absent_device_is_told():
    sweep = Sweep(phenomenon="sweep_toys.line")
    with pytest.raises(BadInput, match="expected one of cpu, gpu, tpu"):
        make_plan(sweep, device="npu")
    if jax.default_backend() == "cpu":
        with pytest.raises(BadInput, match=r"device 'tpu': none is available here \(found: cpu\)"):
            make_plan(sweep, device="tpu")


def test_as_many_runs_go_side_by_side_as_cores_were_given(monkeypatch):
    one = types.SimpleNamespace(platform="cpu")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert lanes([one]) == 3
    assert lanes([one, one]) == lanes([types.SimpleNamespace(platform="gpu")]) == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    assert lanes([one]) == 64


def test_a_dry_run_says_how_much_is_there():
    new = DryRun(12, 4000, 9, 2, 1e6, 1e3, 2.0, done=0, reused=0)
    lines = str(new).splitlines()
    assert lines[0].split() == ["cells", "12"]
    assert lines[1].split() == ["runs", "4,000"]
    lines = str(new._replace(done=1500, reused=5)).splitlines()
    assert lines[0].split() == ["cells", "12", "(5", "reused)"]
    assert lines[1].split() == ["runs", "4,000", "(1,500", "stored)"]
