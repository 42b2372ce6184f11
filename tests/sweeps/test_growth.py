"""A stored grid grows: what is there stays, to the bit; what is new is what a fresh run has."""

import dataclasses
import json
import random
import signal
import time
from pathlib import Path

import damage
import numpy as np
import pytest
import sweep_driver

from ci_theory import BadInput
from ci_theory.sweeps import Store, Sweep, dry_run, make_plan, run
from ci_theory.sweeps.engines import Job, compute_job
from ci_theory.sweeps.growth import next_step
from ci_theory.sweeps.plan import FORMAT, GROWN
from ci_theory.sweeps.plans import add_plan

HERE = Path(__file__).parent
SMALL = Sweep(
    phenomenon="sweep_toys.line",
    axes={"ridge": (0.0, 1.0), "n": (5, 9)},
    fixed={"slope": 2.0},
    paired=("mirrored",),
    replicates=2,
    seed=4,
)
STEPS = [  # what is new: axes, replicates
    ("between two sized values", {"ridge": (0.0, 1.0), "n": (5, 7, 9)}, 2),
    ("inner values around the others", {"ridge": (2.0, 0.0, 0.5, 1.0), "n": (5, 7, 9)}, 2),
    (
        "a traced axis more, before the others",
        {"slope": (0.5, 2.0), "ridge": (2.0, 0.0, 0.5, 1.0), "n": (5, 7, 9)},
        2,
    ),
    (
        "static, paired, inner and dotted axes more, a value more and replicates, all at once",
        {
            "slope": (0.5, 2.0),
            "p": (2, 3),
            "ridge": (2.0, 0.0, 0.5, 1.0),
            "n": (5, 7, 9, 12),
            "degree": (1, 0),
            "mirrored": (True, False),
            "up.noise": (0.5, 0.1),
        },
        3,
    ),
]


def sweep_of(axes, replicates):
    fixed = {k: v for k, v in SMALL.fixed.items() if k not in axes}
    return dataclasses.replace(SMALL, axes=axes, fixed=fixed, replicates=replicates)


def assert_is(found, fresh):
    """The Dataset of a fresh run of the whole sweep, but for the rounding of other programs."""
    assert dict(found.sizes) == dict(fresh.sizes)
    for name, variable in fresh.variables.items():
        assert found[name].dims == variable.dims
        assert found[name].dtype == variable.dtype
        if name in fresh.data_vars:
            np.testing.assert_allclose(found[name], variable, rtol=1e-12)
        else:
            np.testing.assert_array_equal(found[name], variable)
    left = {"plan", "sessions"}
    assert {k: v for k, v in found.attrs.items() if k not in left} == {
        k: v for k, v in fresh.attrs.items() if k not in left
    }


def within(whole, part):
    """The part of a Dataset that another one has."""
    fixed = json.loads(part.attrs["fixed"])
    missing = {k: fixed[k] for k in whole.dims if k not in part.dims}
    there = whole.sel(missing, drop=True).sel({k: part[k] for k in part.dims})
    return there.transpose(*part.dims)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return run(SMALL, tmp_path_factory.mktemp("small") / "s")


def copied(store, folder):
    damage.write(damage.read(store.folder), folder)
    return folder


def test_a_store_grows_step_by_step_and_keeps_every_bit(small, tmp_path, capsys):
    folder = copied(small, tmp_path / "s")
    before, files, cells = small.dataset(), damage.read(folder), small.sweep.cells
    for said, axes, replicates in STEPS:
        engine = sweep_driver.Counting()
        sweep = sweep_of(axes, replicates)
        store = run(sweep, folder, engine=engine)
        told = f"{folder} grows from {cells} to {sweep.cells} cells: what is there is not run again"
        assert told in capsys.readouterr().err
        now = damage.read(folder)
        assert {name: now[name] for name in files} == files, said
        assert engine.states == ("done",) * (len(store.parts.names()) - parts(files)), said
        found = store.dataset()
        there = within(found, before).sel(replicate=before["replicate"])
        for name in before.data_vars:
            np.testing.assert_array_equal(there[name], before[name], err_msg=said)
        before, files, cells = found, now, sweep.cells
        assert sum(plan.runs * plan.points for plan in store.plans) == cells * replicates
    assert len(store.plans) == 1 + 3 + 6  # a plan for each axis, and one for the replicates
    assert_is(before, run(store.sweep, tmp_path / "fresh").dataset())
    again = sweep_driver.Counting()
    assert sweep_driver.bits(run(sweep, folder, engine=again)) == sweep_driver.bits(store)
    assert again.states == ()
    assert damage.read(folder) == files


def parts(files):
    return sum(name.startswith("parts/") for name in files)


def test_a_dry_run_says_how_many_cells_are_reused(tmp_path):
    folder = tmp_path / "s"
    run(SMALL, folder, most_runs=2, shard=(0, 2))  # the first replicate of every cell
    before = damage.read(folder)
    sweep = sweep_of({"ridge": (0.0, 0.5, 1.0), "n": (5, 7, 9), "slope": (1.0, 2.0)}, 3)
    forecast = dry_run(sweep, folder)
    assert damage.read(folder) == before
    assert (forecast.cells, forecast.reused, forecast.done) == (18, 4, 2)
    # what is there; ridge 0.5 of it; then n = 7, slope 1 and a third replicate of all
    assert forecast.runs == 2 * 2 + 2 * 2 + 1 * 2 + 3 * 2 + 6
    assert str(forecast).startswith("cells             18 (4 reused)\n")
    assert str(dry_run(sweep)).startswith("cells             18\n")


def test_a_run_in_stages_grows_along_its_axis(tmp_path):
    short = Sweep(phenomenon="sweep_toys.walk", axes={"step": (0, 3)}, replicates=3)
    run(short, tmp_path / "s")
    long = dataclasses.replace(short, axes={"step": (0, 3, 9), "rate": (2.0, 3.9)})
    assert_is(run(long, tmp_path / "s").dataset(), run(long, tmp_path / "fresh").dataset())


def test_new_cells_are_run_as_often_as_those_that_are_there(small, tmp_path):
    folder = copied(small, tmp_path / "s")
    store = run(sweep_of({"ridge": (0.0, 1.0), "n": (5, 9, 12)}, 1), folder)
    assert store.sweep.replicates == 2
    assert store.dataset().attrs["missing"] == 0


def test_replicates_that_were_not_asked_for_stay_undone_in_a_store_that_has_grown(small, tmp_path):
    """Plans are told apart by their place in the store, also where one is left out."""
    folder = copied(small, tmp_path / "s")
    more = sweep_of(dict(SMALL.axes), 4)
    previous = Store.open(folder).plans[-1].hash
    add_plan(folder, 1, make_plan(more, start=2, previous=previous))
    sweep = sweep_of({"ridge": (0.0, 1.0), "n": (5, 9, 12)}, 2)
    assert dry_run(sweep, folder).done == 4
    found = run(sweep, folder).dataset()
    assert (found["status"].sel(n=12) == 0).all()
    assert (found["status"].sel(n=[5, 9], replicate=[2, 3]) == -1).all()
    assert found.attrs["missing"] == 8


REFUSED = [
    ({"ridge": (0.0, 1.0), "n": (5, 7)}, {}, "its axis n has the value 9, which is missing here"),
    ({"ridge": (3.0,), "n": (5, 9)}, {}, "its axis ridge has the value 0.0 and 1 more, which is"),
    ({"n": (5, 9, 12)}, {}, "its axes are ridge, n, here n"),
    ({"n": (5, 9), "ridge": (0.0, 1.0)}, {}, "its axes are ridge, n, here n, ridge"),
    (
        {"ridge": (0.0, 1.0), "n": (9, 7, 5)},
        {},
        "its axis n has these values in another order",
    ),
    (
        {"ridge": (0.0, 1.0), "n": (5, 9), "slope": (1.0, 3.0)},
        {},
        "it was run with slope = 2.0, which is not a value of the axis slope here",
    ),
    (
        {"ridge": (0.0, 1.0), "n": (5, 9), "slope": (2.0,)},
        {},
        "its slope = 2.0 is fixed, here it is an axis of that one value",
    ),
    (
        {"ridge": (0.0, 1.0), "n": (5, 9, 12)},
        {"fixed": {"slope": 1.0}},
        "it was run with slope = 2.0, here slope = 1.0",
    ),
    ({"ridge": (0.0, 1.0), "n": (5, 9, 12)}, {"seed": 5}, "its seed is 4, here 5"),
    (
        {"ridge": (0.0, 1.0), "n": (5, 9, 12)},
        {"paired": ("mirrored", "n")},
        "its paired is ['mirrored'], here ['mirrored', 'n']",
    ),
]


@pytest.mark.parametrize(("axes", "change", "message"), REFUSED)
def test_what_would_lose_or_mix_results_is_refused(axes, change, message, small):
    before = damage.read(small.folder)
    sweep = dataclasses.replace(sweep_of(axes, 2), **change)
    for act in (run, dry_run):
        with pytest.raises(BadInput) as told:
            act(sweep, small.folder)
        assert str(told.value).startswith(f"{small.folder} holds another sweep: {message}")
        assert str(told.value).endswith(
            "; choose another folder (on the command line: --store DIR)"
        )
    assert damage.read(small.folder) == before


GROWS = sweep_of({"ridge": (0.0, 1.0), "n": (5, 7, 9), "slope": (1.0, 2.0)}, 3)


def test_what_is_killed_between_two_plans_is_a_smaller_grid(small, tmp_path, monkeypatch):
    """Whatever was written by then: it opens whole, and the same command continues."""
    whole = run(GROWS, copied(small, tmp_path / "whole"), most_runs=4)
    assert [plan.added and plan.added[0] for plan in whole.plans] == [None, "n", "slope", None]
    for plans in (2, 3):
        folder = copied(small, tmp_path / f"s{plans}")
        with monkeypatch.context() as patched:
            patched.setattr("ci_theory.sweeps.runner.add_plan", dying(plans))
            with pytest.raises(KeyboardInterrupt):
                run(GROWS, folder, most_runs=4)
        store = Store.open(folder)
        assert len(store.plans) == plans
        found = store.dataset()
        assert found.attrs["missing"] == (2 * (3 - 2) * 2 if plans == 2 else 2 * 4 * 2)
        there = within(found, small.dataset())
        np.testing.assert_array_equal(there["mean"], small.dataset()["mean"])
        resumed = run(GROWS, folder, most_runs=4)
        assert resumed.parts.names() == whole.parts.names()
        assert sweep_driver.bits(resumed) == sweep_driver.bits(whole)


def dying(count):
    def add(folder, index, plan):
        if index == count:
            raise KeyboardInterrupt
        return add_plan(folder, index, plan)

    return add


def test_a_growing_sweep_that_is_killed_loses_nothing(tmp_path):
    begun = run(sweep_driver.toy(20), tmp_path / "s", most_runs=2)
    whole = run(sweep_driver.toy(200), copied(begun, tmp_path / "whole"), most_runs=2)
    folder, there = tmp_path / "s", begun.parts.names()
    words = [str(HERE / "sweep_driver.py"), str(folder), "--points", "200", "--most-runs", "2"]
    with sweep_driver.python(*words) as process:
        while process.poll() is None and len(list(folder.glob("parts/*"))) <= len(there) + 5:
            time.sleep(0.002)
        time.sleep(random.Random(1).uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert process.returncode == -signal.SIGKILL
    store = Store.open(folder)
    assert [plan.hash for plan in store.plans] == [plan.hash for plan in whole.plans]
    assert set(there) < set(store.parts.names()) < set(whole.parts.names())
    resumed = run(sweep_driver.toy(200), folder)
    assert resumed.parts.names() == whole.parts.names()
    assert sweep_driver.bits(resumed) == sweep_driver.bits(whole)


def test_shards_grow_apart_and_are_merged_by_copying(small, tmp_path):
    whole = run(GROWS, copied(small, tmp_path / "whole"), most_runs=4)
    for index in range(2):
        run(GROWS, copied(small, tmp_path / str(index)), most_runs=4, shard=(index, 2))
    shares = [Store.open(tmp_path / str(i)).counts() for i in range(2)]
    assert all(share.chunks < share.all_chunks for share in shares)
    damage.write(damage.read(tmp_path / "1"), tmp_path / "0")
    merged = Store.open(tmp_path / "0")
    assert sweep_driver.bits(merged) == sweep_driver.bits(whole)
    assert merged.counts().chunks == whole.counts().chunks == whole.counts().all_chunks


def test_who_began_before_the_store_grew_goes_on(small, tmp_path):
    """A worker of another process, which is told the plans that it was started for."""
    folder = copied(small, tmp_path / "s")
    before = tuple(plan.hash for plan in Store.open(folder).plans)
    run(GROWS, folder, shard=(0, 10**5))  # only plans
    (folder / "parts" / f"{small.name(0, 0)}.npz").unlink()
    assert compute_job(Job(str(folder), 0, 0), before).state == "done"
    with pytest.raises(BadInput, match="another store lies here"):
        compute_job(Job(str(folder), 0, 0), ("0" * 16,))


def test_who_grows_it_otherwise_meanwhile_is_told(small, tmp_path, monkeypatch):
    """Two commands at once: the slower one meets a grid that it does not know."""
    folder = copied(small, tmp_path / "s")

    def slower(*given):
        monkeypatch.undo()
        run(sweep_of({"ridge": (0.0, 1.0), "n": (5, 8, 9)}, 2), folder)
        return add_plan(*given)

    monkeypatch.setattr("ci_theory.sweeps.runner.add_plan", slower)
    monkeypatch.setattr("ci_theory.sweeps.locks.fcntl", None)  # its own lock would hold it up
    with pytest.raises(BadInput, match="its axis n has the value 8, which is missing here"):
        run(sweep_of({"ridge": (0.0, 1.0), "n": (5, 7, 9)}, 2), folder)
    assert Store.open(folder).dataset().sizes["n"] == 3


# --- the chain of plans ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Plans of a store that has grown by a value, an axis and a replicate; nothing was run."""
    folder = tmp_path_factory.mktemp("chain")
    plans, sweep = [], SMALL.validated().completed()
    while step := next_step(plans[-1].sweep if plans else None, sweep):
        previous = plans[-1].hash if plans else ""
        plans.append(make_plan(step.sweep, start=step.start, added=step.added, previous=previous))
        assert add_plan(folder, len(plans) - 1, plans[-1])
        sweep = GROWS.validated().completed()
    (folder / "parts").mkdir()
    return plans, damage.read(folder)


def test_a_plan_that_adds_values_has_a_format_of_its_own(chain):
    """Earlier versions refuse it by its number, and read all that has not grown as before."""
    plans, files = chain
    data = [json.loads(files[f"plan-{i:03d}.json"]) for i in range(len(plans))]
    assert [one["format"] for one in data] == [FORMAT, GROWN, GROWN, FORMAT]
    assert [one.get("added") for one in data] == [None, ["n", [7]], ["slope", [1.0]], None]
    assert len({plan.hash for plan in plans}) == 4


CHANGED = [
    (0, "added", ["n", [9]], "added is not known"),
    (1, "format", FORMAT, "added is not known"),
    (1, "added", ["m", [9]], "added: not some of the values of an axis 'm', in their order"),
    (1, "added", ["n", [5, 7, 9]], "added: not some of the values of an axis 'n'"),
    (1, "added", ["n", [9, 7]], "added: not some of the values of an axis 'n'"),
    (1, "added", ["n", [11]], "added: not some of the values of an axis 'n'"),
    (1, "added", ["n", [7, 7]], "added: not some of the values of an axis 'n'"),
    (1, "added", ["n", []], "added: not some of the values of an axis 'n'"),
    (1, "added", ["n", [7.0]], "added: not some of the values of an axis 'n'"),
    (1, "added", ["n", 7], "added[1] = 7: expected a list"),
    (1, "added", None, "added = null: expected a list"),
]


@pytest.mark.parametrize(("index", "key", "value", "message"), CHANGED)
def test_every_value_that_a_plan_adds_is_checked(index, key, value, message, chain, tmp_path):
    """Of a plan that is signed, so that nothing but the check of its values can notice."""
    _, files = chain
    name = f"plan-{index:03d}.json"
    signed = damage.signed({**json.loads(files[name]), key: value})
    damage.write({**{n: text for n, text in files.items() if n < name}, name: signed}, tmp_path)
    with pytest.raises(BadInput) as told:
        Store.open(tmp_path)
    assert str(told.value).startswith(f"{tmp_path / name} is damaged: {message}")


TWO = {"ridge": (0.0, 1.0), "n": (5, 7, 9)}
OTHERS = {
    "values that are there": (TWO, ("n", (9,)), 0, 2),
    "more than is new": (TWO, ("n", (5, 7)), 0, 2),
    "less than is new": ({**TWO, "n": (5, 7, 8, 9)}, ("n", (7,)), 0, 2),
    "another axis than the one that grows": (TWO, ("ridge", (1.0,)), 0, 2),
    "all of the grown grid": (TWO, None, 0, 2),
    "more replicates of a grown grid": (TWO, None, 2, 3),
    "too many replicates": (TWO, ("n", (7,)), 0, 3),
    "too few": (TWO, ("n", (7,)), 0, 1),
    "not the first replicates": (TWO, ("n", (7,)), 1, 2),
    "two axes at once": ({**TWO, "slope": (1.0, 2.0)}, ("n", (7,)), 0, 2),
    "an axis without the value that was fixed": (
        {"ridge": (0.0, 1.0), "n": (5, 9), "slope": (1.0, 3.0)}, ("slope", (1.0,)), 0, 2,
    ),
    "what was fixed as new": (
        {"ridge": (0.0, 1.0), "n": (5, 9), "slope": (1.0, 2.0)}, ("slope", (2.0,)), 0, 2,
    ),
    "a value lost": ({"ridge": (0.0, 1.0), "n": (5, 7)}, ("n", (7,)), 0, 2),
    "another order": ({"ridge": (0.0, 1.0), "n": (9, 7, 5)}, ("n", (7,)), 0, 2),
    "axes in another order": ({"n": (5, 7, 9), "ridge": (0.0, 1.0)}, ("n", (7,)), 0, 2),
}  # fmt: skip


@pytest.mark.parametrize("how", OTHERS)
def test_a_plan_is_one_step_from_the_one_before_it(how, chain, tmp_path):
    """Whole, signed and hashed: only the chain can notice."""
    plans, files = chain
    axes, added, start, stop = OTHERS[how]
    plan = make_plan(sweep_of(axes, stop), start=start, added=added, previous=plans[0].hash)
    damage.write({"plan-000.json": files["plan-000.json"]}, tmp_path)
    assert add_plan(tmp_path, 1, plan)
    with pytest.raises(BadInput, match=r"plan-001\.json does not belong to this store: it"):
        Store.open(tmp_path)
