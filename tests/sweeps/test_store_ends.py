"""Files of a store at the ends of what they may be: accepted as far as is said, and no further."""

import dataclasses
import json
import os
import threading
import types

import numpy as np
import pytest

from ci_theory import BadInput, Status
from ci_theory.sweeps import Sweep, engines, growth, plans, provenance, sessions
from ci_theory.sweeps import parts as parts_module
from ci_theory.sweeps.grid import LAST_SEED, MOST_RUNS
from ci_theory.sweeps.growth import difference, next_step
from ci_theory.sweeps.locks import PLAN, Locks
from ci_theory.sweeps.parts import Damaged, Parts, read_whole
from ci_theory.sweeps.plan import digest
from ci_theory.sweeps.staged import Kept
from ci_theory.sweeps.store import Store

GOOD = {
    "sweep": {
        "phenomenon": "x", "axes": [["n", [1, 2]], ["a", [0.5]]],
        "fixed": {"word": "w", "on": True, "m": 3}, "seed": 0, "paired": ["n", "on"],
    },
    "replicates": [0, 1],
    "groups": [{"batch": 1, "chunk": 1, "work": 0}, {"batch": 3, "chunk": 3, "work": 0.5}],
    "about": {
        "axes": {
            "n": {"kind": "sized", "type": "int"}, "a": {"kind": "traced", "type": "float"},
            "word": {"kind": "static", "type": "str"}, "on": {"kind": "traced", "type": "bool"},
            "m": {"kind": "inner", "type": "int"},
        },
        "measures": {"y": {}},
    },
}  # fmt: skip


def changed(**parts):
    """The plan with other values at places like sweep__seed."""
    data = json.loads(json.dumps(GOOD))
    for place, value in parts.items():
        *way, last = [int(k) if k.isdigit() else k for k in place.split("__")]
        inside = data
        for key in way:
            inside = inside[key]
        inside[last] = value
    return data


WHOLE = 2**53


@pytest.mark.parametrize(
    ("place", "good", "bad"),
    [
        ("sweep__seed", [0, LAST_SEED], [-1, LAST_SEED + 1]),
        ("sweep__paired", [[], ["a", "m"]], [["z"], ["n", "z"]]),
        ("sweep__fixed__m", [WHOLE, -WHOLE], [WHOLE + 1, -WHOLE - 1, 3.0, True]),
        ("sweep__fixed__on", [False], [0]),
        ("sweep__axes__1__1", [[1e300, -1e300]], [[float("inf")], [1], [0.5, 0.5], []]),
        ("replicates", [[0, 1], [3, 4], [0, MOST_RUNS // 2]], [[0, 0], [-1, 2], [3, 3],
                                                              [0, MOST_RUNS // 2 + 1]]),
        ("groups__0", [{"batch": 2 * MOST_RUNS, "chunk": 2 * MOST_RUNS, "work": 1e300}],
         [{"batch": 1, "chunk": 2 * MOST_RUNS + 1, "work": 1}, {"batch": 0, "chunk": 1, "work": 1},
          {"batch": 3, "chunk": 2, "work": 1}, {"batch": 1, "chunk": 1, "work": -0.5},
          {"batch": 1, "chunk": 1, "work": float("nan")}]),
        ("about__measures", [{"z": {}}], [{}, {"status": {}}, {"replicate": {}}, {"about": {}},
                                         {"n": {}}]),
        ("about__axes__word", [{"kind": "static", "type": "str"}],
         [{"kind": k, "type": "str"} for k in ("traced", "sized", "inner", "word")]),
        ("about__axes__m", [{"kind": "sized", "type": "int"}],
         [{"kind": "sized", "type": "float"}, {"kind": "inner", "type": "complex"}]),
        ("added", [["n", [2]], ["n", [1]]], [["n", [1, 2]], ["n", []], ["n", [3]], ["a", [0.5]],
                                            ["n", [2, 2]], ["z", [1]], ["n", [2.0]]]),
    ],
)  # fmt: skip
def test_values_of_a_plan_up_to_their_ends(place, good, bad):
    assert plans._impossible(GOOD) is None
    for value in good:
        assert plans._impossible(changed(**{place: value})) is None
    for value in bad:
        assert plans._impossible(changed(**{place: value}))


def test_inner_values_are_no_runs_of_their_own():
    """Runs are counted without them, numbers with them."""
    many = [list(range(1000)), [float(v) for v in range(20)]]
    axes = [["m", many[0]], ["a", many[1]]]
    fixed = {"word": "w", "on": True, "n": 3}
    for last, refused in ((5000, False), (5001, True)):  # 10^8 numbers
        told = plans._impossible(
            changed(sweep__axes=axes, sweep__fixed=fixed, replicates=[0, last])
        )
        assert bool(told) is refused
    assert told == "replicates = [0, 5001]: more than 1e+08 results a measure"


# --- parts and states -----------------------------------------------------------------------------


def test_a_file_is_read_up_to_its_room(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"12345")
    assert read_whole(file, 5) == read_whole(file, None) == b"12345"
    with pytest.raises(Damaged, match=r"has 5 bytes, where at most 4 can be right"):
        read_whole(file, 4)
    with pytest.raises(Damaged, match="is not a file"):
        read_whole(tmp_path, None)
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "none", 5)


def test_parts_list_take_aside_and_sweep_up_what_is_theirs(tmp_path):
    parts = Parts(tmp_path / "parts")
    assert (parts.names(), parts.sweep_leftovers(), parts.set_aside("a")) == ([], 0, None)
    for name in ("b", "a"):
        parts.write(name, {"x": np.arange(2)}, {"who": name})
    assert parts.names() == ["a", "b"]
    assert (parts.has("a"), parts.has("c")) == (True, False)
    room = 2 * 8 + 1024
    assert parts.read("a", room)[1] == {"who": "a"}
    with pytest.raises(Damaged, match="can be right"):
        parts.read("a", -(2**16))
    for left in ("a.npz.1-0a.tmp", "b.npz.2-0b.tmp", "note.txt.3-0c.tmp", "c.tmp"):
        (parts.folder / left).write_bytes(b"")
    asked = []
    assert parts.sweep_leftovers(lambda name: asked.append(name) or name == "a") == 1
    assert sorted(asked) == ["a", "b"]
    assert parts.sweep_leftovers() == 1
    assert sorted(f.name for f in parts.folder.glob("*.tmp")) == ["c.tmp", "note.txt.3-0c.tmp"]
    aside = parts.set_aside("a")
    assert aside.name.startswith("a.npz.")
    assert aside.name.endswith(".damaged")
    assert (parts.names(), aside.exists()) == (["b"], True)


def test_a_state_counts_only_for_what_it_was_kept_for(tmp_path):
    event = threading.Event()

    def kept(name="chunk", **about):
        return Kept(tmp_path, name, {"plan": "p", **about}, event)

    assert kept().read() is None
    leaves = [np.arange(3.0), np.array(7, np.int32)]
    kept().write(12, leaves)
    step, found = kept().read(10**4)
    assert step == 12
    assert [(leaf.dtype, leaf.tolist()) for leaf in found] == [
        (leaf.dtype, leaf.tolist()) for leaf in leaves
    ]
    assert kept(batch=2).read() is None
    (tmp_path / "other.npz").write_bytes((tmp_path / "chunk.npz").read_bytes())
    assert kept("other").read() is None
    for step, names in ((1.0, ("0", "1")), (True, ("0", "1")), (None, ("0", "1")), (3, ("0", "x"))):
        about = {"plan": "p", "name": "chunk", "step": step}
        Parts(tmp_path).write("chunk", dict(zip(names, leaves, strict=True)), about)
        assert kept().read() is None
    many = [np.array(i) for i in range(12)]  # the eleventh stands after the second by its name
    kept().write(1, many)
    assert [int(leaf) for leaf in kept().read()[1]] == list(range(12))
    assert not kept().stopping
    event.set()
    assert kept().stopping
    kept().drop()
    kept().drop()
    assert kept().read() is None


# --- sessions and surroundings --------------------------------------------------------------------


def test_notes_of_sessions_that_are_whole(tmp_path):
    one, other = {"jax": "1", "machine": "m"}, {"jax": "2"}
    assert sessions.write_session(tmp_path, one) == []
    (file,) = tmp_path.iterdir()
    first = file.read_text()
    assert sessions.write_session(tmp_path, one) == []
    assert file.read_text() == first  # of the first such session
    sessions.write_session(tmp_path, other)
    found, torn = sessions.read_sessions(tmp_path)
    assert torn == []
    assert sorted(note["jax"] for note in found) == ["1", "2"]
    assert all(note["began"].endswith("+00:00") for note in found)
    file.write_text(first.replace('"1"', '"3"'))
    wrong = tmp_path / "session-000000000000.json"
    for text in ("[]", "{}", '{"began": 3}', "{", '{"began": "now"}'):
        wrong.write_text(text)
        found, torn = sessions.read_sessions(tmp_path)
        assert ([note["jax"] for note in found], sorted(torn)) == (["2"], sorted([file, wrong]))
    aside = sessions.write_session(tmp_path, one)
    assert len(aside) == 2
    assert all(one.name.endswith(".damaged") for one in aside)
    assert sorted(n["jax"] for n in sessions.read_sessions(tmp_path)[0]) == ["1", "2"]


def test_a_session_says_what_may_change_last_bits(monkeypatch):
    for name in provenance._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(provenance, "_revision", lambda folder: f"of {folder.name}")
    devices = [types.SimpleNamespace(device_kind="kind", platform="gpu"), None]
    found = provenance.session_of(devices)
    import platform
    from importlib.metadata import version

    assert found == {
        "jax": version("jax"),
        "jaxlib": version("jaxlib"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": "kind",
        "platform": "gpu",
        "devices": 2,
        "settings": {"OMP_NUM_THREADS": "3"},
        "revision": "of ci_theory",
    }
    turned = dict(reversed(found.items()))
    assert provenance.session_hash(turned) == provenance.session_hash(found)
    assert provenance.session_hash({**found, "devices": 1}) != provenance.session_hash(found)


def test_names_and_checksums_are_those_that_stores_hold():
    """Of another length or text they would call every store of today torn."""
    assert provenance.session_hash({"jax": "1", "devices": 2}) == "19d430c221ea"
    assert digest({"b": "x", "a": [1, 2.5, None]}) == "6739d783db2ab3fd"
    assert parts_module._checksum({"m": np.arange(3.0)}, {"plan": "h"}) == (
        "dcab7d932f921feaa4e983fbac606757681e1ed5c2d03adb982014d836177abe"
    )
    assert [plans.plan_name(index) for index in (0, 12, 1234)] == [
        "plan-000.json", "plan-012.json", "plan-1234.json",
    ]  # fmt: skip


# --- growing --------------------------------------------------------------------------------------


def sweep(replicates=2, fixed=None, seed=0, paired=(), **axes):
    known = {"n": 20, "p": 3, "shape": "flat", "slope": 1.0, "mirrored": False, "ridge": 0.1,
             "degree": 1, "up.noise": 0.5, "up.rows": 4, **(fixed or {})}  # fmt: skip
    return Sweep(
        phenomenon="sweep_toys.line", axes=axes, replicates=replicates, seed=seed, paired=paired,
        fixed={k: v for k, v in known.items() if k not in axes},
    )  # fmt: skip


def test_a_sweep_grows_an_axis_at_a_time_and_then_in_replicates():
    old, new = sweep(n=(5, 9)), sweep(replicates=5, n=(5, 7, 9), slope=(0.5, 1.0, 2.0))
    first = next_step(old, new)
    assert (first.start, first.added) == (0, ("n", (7,)))
    assert dict(first.sweep.axes) == {"n": (5, 7, 9)}
    assert (first.sweep.replicates, first.sweep.fixed["slope"]) == (2, 1.0)
    second = next_step(first.sweep, new)
    assert (second.start, second.added) == (0, ("slope", (0.5, 2.0)))
    assert (dict(second.sweep.axes), second.sweep.replicates) == (dict(new.axes), 2)
    assert "slope" not in second.sweep.fixed
    last = next_step(second.sweep, new)
    assert (last.start, last.added, last.sweep) == (2, None, new)
    assert next_step(new, new) is None
    assert next_step(dataclasses.replace(new, replicates=9), new) is None
    assert next_step(None, new) == growth.Step(new)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (sweep(n=(5, 9)), None),
        (sweep(n=(3, 5, 7, 9)), None),
        (sweep(n=(5, 9), slope=(1.0, 2.0)), None),
        (sweep(n=(9, 5)), "its axis n has these values in another order"),
        (sweep(n=(5,)), "its axis n has the value 9, which is missing here"),
        (sweep(n=(7, 8)), "its axis n has the value 5 and 1 more, which is missing here"),
        (sweep(n=(5, 9), slope=(2.0, 3.0)),
         "it was run with slope = 1.0, which is not a value of the axis slope here"),
        (sweep(n=(5, 9), slope=(1.0,)),
         "its slope = 1.0 is fixed, here it is an axis of that one value"),
        (sweep(slope=(1.0, 2.0)), "its axes are n, here slope"),
        (sweep(), "its axes are n, here none"),
        (sweep(n=(5, 9), fixed={"slope": 2.0}), "it was run with slope = 1.0, here slope = 2.0"),
        (sweep(n=(5, 9), seed=3), "its seed is 0, here 3"),
        (sweep(n=(5, 9), paired=("n",)), "its paired is [], here ['n']"),
    ],
)  # fmt: skip
def test_why_a_store_cannot_grow_to_another_sweep(wanted, told):
    stored = types.SimpleNamespace(sweep=sweep(n=(5, 9)), identity={"version": "1", "formula": "f"})
    same = {"version": "1", "formula": "f"}
    assert difference(stored, wanted, same) == told
    assert difference(stored, wanted, {**same, "version": "2"}) == (
        "its package version is 1, here it is 2"
    )
    assert difference(stored, wanted, {**same, "formula": "g", "dtype": "float32"}) == (
        "its simulation source is f, here it is g"
    )
    assert difference(stored, wanted, {**same, "dtype": "float32"}) == (
        "its dtype is None, here it is float32"
    )


# --- who has what ---------------------------------------------------------------------------------


def test_a_lock_is_free_unless_somebody_has_it_or_nobody_can_know(tmp_path):
    locks = Locks(tmp_path / "lock")
    assert locks.free(0, 3)
    assert PLAN[1] == 2**32 - 1  # no chunk of a plan
    taken = []
    locks._take = lambda place: taken.append(place) or False
    assert not locks.free(2, 5)
    assert taken == [2 * 2**32 + 5]
    waited = []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            raise BadInput("enough")

    with pytest.raises(BadInput, match="enough"), locks.hold(0, 0, wait=wait):
        pass
    assert 0 <= waited[0] < waited[1] < waited[2]
    locks.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(locks._handle)
    with pytest.raises(BadInput, match="cannot be written"):
        Locks(tmp_path / "none" / "lock")


def test_parts_are_named_by_plan_chunk_and_hash(tmp_path):
    hashes = ["0" * 16, "a" * 16]
    made = [types.SimpleNamespace(hash=h, chunks=c) for h, c in zip(hashes, (2, 1), strict=True)]
    store = Store(tmp_path, made)
    assert store.name(1, 12) == f"001-000012-{'a' * 16}"
    assert list(store.chunks()) == [(0, 0), (0, 1), (1, 0)]
    assert store.place(store.name(0, 1)) == (0, 1)
    for none in (store.name(0, 2), store.name(1, 0)[:-1], f"002-000000-{'a' * 16}",
                 f"001-000000-{'0' * 16}", f"0001-000000-{'a' * 16}", "x"):  # fmt: skip
        assert store.place(none) is None


def test_what_is_not_finite_is_stored_with_its_status(tmp_path):
    chunk = types.SimpleNamespace(valid=2)
    plan = types.SimpleNamespace(
        hash="0" * 16, chunks=9, points=2, chunk=lambda index: chunk,
        about={"measures": {"a": {}, "b": {}}},
    )  # fmt: skip
    store = Store(tmp_path, [plan])
    a = np.array([[1.0, np.nan], [3.0, 4.0], [np.nan, np.nan]])
    b = np.array([[1.0, np.inf], [-np.inf, 4.0], [np.nan, np.nan]])
    assert store.write(0, 3, {"a": a, "b": b}, {"session": "s"}) == 2
    found = store.read(0, 3)
    np.testing.assert_array_equal(found["a"], a[:2])
    np.testing.assert_array_equal(found["b"], b[:2])
    bad = int(Status.NOT_FINITE)
    assert found["status"].tolist() == [[0, bad], [bad, 0]]
    assert found["status"].dtype == np.int8
    assert (store.has(0, 3), store.has(0, 2)) == (True, False)


class Sent(engines.LocalEngine):
    """Answers jobs in the order in which they come; those of odd chunks are held at first."""

    def __init__(self):
        self.jobs = []

    def outcomes(self, jobs, worker):
        for job in jobs:
            self.jobs.append((job.chunk, job.wait))
            held = job.chunk % 2 and not job.wait
            yield engines.Outcome(job, "held" if held else "done", 10, job.chunk)


def test_what_another_process_holds_comes_last_and_is_waited_for():
    from ci_theory.sweeps.runner import _drain

    engine, counted = Sent(), []
    bar = types.SimpleNamespace(advance=counted.append)
    jobs = [engines.Job("f", 0, chunk) for chunk in (1, 2, 3, 4)]
    assert _drain(engine, jobs, None, bar) == 1 + 2 + 3 + 4
    assert engine.jobs == [(1, False), (2, False), (3, False), (4, False), (1, True), (3, True)]
    assert counted == [10] * 4


def test_a_folder_with_nothing_but_states_of_ours_holds_nothing_yet(tmp_path):
    for name in ("parts", "unfinished"):
        (tmp_path / name).mkdir()
    (tmp_path / "lock").write_bytes(b"")
    assert Store.find(tmp_path) is None


def test_a_plan_of_other_parameters_or_measures_extends_no_store(monkeypatch):
    plan = types.SimpleNamespace(
        previous="", added=None, start=0, stop=2, hash="h", identity={}, fields={"axes": 1}
    )
    more = types.SimpleNamespace(**{**vars(plan), "previous": "h", "start": 2, "stop": 4})
    monkeypatch.setattr(plans, "is_step", lambda *_: True)
    assert plans._breach(more, [plan]) is None
    more.fields = {"axes": 2}
    assert plans._breach(more, [plan]) == "its parameters or measures are others"
