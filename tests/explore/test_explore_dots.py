"""The dots: bit for bit those of `ci-theory run`, growing, judged as by `check`, and stoppable."""

import json
import threading
import time
import types
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray

from ci_theory import BadInput
from ci_theory.check import check, locate_breaks
from ci_theory.cli import main
from ci_theory.explore import dots
from ci_theory.explore.address import read
from ci_theory.phenomena import load
from ci_theory.sweeps import Store, read_sweep

PEAK = load("ridge_peak")
ADDRESS = "n=lin(8,56,25)&p=20&ridge=1&noise=1&@dots=9&@replicates=20&@seed=7"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """The events of a simulation, and the store of what the command runs for it."""
    folder = tmp_path_factory.mktemp("dots")
    sweep = dots.declared(PEAK, "ridge_peak", read(ADDRESS, PEAK))
    events = list(dots.stream(sweep, PEAK, lambda: False))
    (folder / "explored.toml").write_text(dots.toml(sweep))
    assert main(["run", str(folder / "explored.toml"), "--store", str(folder / "store")]) == 0
    return events, Store.open(folder / "store")


def test_places_are_spread_over_the_axis_both_ends_included():
    sweep = dots.declared(PEAK, "ridge_peak", read(ADDRESS, PEAK))
    assert sweep.axes == {"n": (8, 14, 20, 26, 32, 38, 44, 50, 56)}
    assert (sweep.replicates, sweep.seed, sweep.fixed["noise"]) == (20, 7, 1.0)
    whole = dots.declared(PEAK, "ridge_peak", read("n=8,9,10&@dots=9", PEAK))
    assert whole.axes == {"n": (8, 9, 10)}


def test_the_last_event_has_the_bits_of_the_command(simulated):
    events, store = simulated
    data = store.dataset()
    last = events[-1]
    assert (last["done"], last["runs"], last["of"]) == (True, 180, 180)
    assert set(last["measures"]) == {"test_error", "excess_risk", "train_error"}
    for name, one in last["measures"].items():
        values = data[name].transpose("n", "replicate").values
        assert one["mean"] == (np.sum(values, axis=-1) / 20).tolist()
        assert one["count"] == [20] * 9
        error = values.std(axis=-1, ddof=1) / np.sqrt(20)
        np.testing.assert_allclose(
            one["high"], values.mean(axis=-1) + 2.0930240544 * error, rtol=1e-9
        )
        np.testing.assert_allclose(
            one["low"], values.mean(axis=-1) - 2.0930240544 * error, rtol=1e-9
        )


def test_it_is_judged_as_by_check_and_locate(simulated):
    events, store = simulated
    data, last = store.dataset(), events[-1]
    report = check(data)
    told = {one["prediction"]: (one["verdict"], one["reason"]) for one in last["verdicts"]}
    assert told == {o.name: (o.verdict.value, o.reason) for o in report.outcomes}
    (peak,) = locate_breaks(data).found
    (shown,) = last["breaks"]
    assert shown["break"] == "peak in n"
    assert (shown["value"], shown["status"]) == (peak.measured.value, "OK")
    assert shown["interval"] == [peak.measured.low, peak.measured.high]
    assert (shown["predicted"], shown["closed_form"]) == (peak.predicted.value, 20.0)
    assert shown["why"] == peak.said.why


def test_every_place_is_there_early_and_its_interval_shrinks(simulated):
    events, _ = simulated
    counts = [event["measures"]["test_error"]["count"] for event in events]
    assert all(sum(a) <= sum(b) for a, b in pairwise(counts))
    soon = next(c for c in counts if min(c) > 0)
    assert sum(soon) < 90  # of 180: no place waits for the others to be finished
    first = next(e for e in events if min(e["measures"]["test_error"]["count"]) >= 3)

    def width(event):
        one = event["measures"]["test_error"]
        return np.median(np.subtract(one["high"], one["low"]))

    assert width(events[-1]) < 0.8 * width(first)
    assert [e["done"] for e in events].count(True) == 1
    assert not any("verdicts" in e for e in events if min(e["measures"]["test_error"]["count"]) < 8)


def test_the_first_runs_of_every_place_come_first(monkeypatch):
    """Also where each place is a program of its own, planned one after the other."""
    order = []

    class Noting:
        def outcomes(self, jobs, worker):
            plans = worker.store.plans
            order.extend(int(plans[j.plan].chunk(j.chunk).replicates[0]) for j in jobs)
            yield from ()

    monkeypatch.setattr(dots, "LocalEngine", Noting)
    text = "p=4,5,6&n=8&@dots=3&@replicates=20"
    assert list(dots.stream(dots.declared(PEAK, "ridge_peak", read(text, PEAK)), PEAK, bool)) == []
    assert len(order) > 6
    assert order == sorted(order)


def test_the_declaration_is_read_back(tmp_path):
    """Dotted names, words, truth values and numbers that are not round."""
    pair = load("two_stage_ridge")
    text = "alignment=0.1,0.30000000000000004,1&up.n=300&up.shared_noise=false&@dots=3&@seed=9"
    sweep = dots.declared(pair, "two_stage_ridge", read(text, pair))
    (tmp_path / "explored.toml").write_text(dots.toml(sweep))
    assert read_sweep(tmp_path / "explored.toml") == sweep
    assert sweep.axes["alignment"][1] == 0.30000000000000004


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("n=8,9", "@dots = 0: no place is to be simulated"),
        ("n=8,9&p=0&@dots=2", "p = 0: must be >= 1"),
        ("n=8,9&n=10&@dots=2", "n is given twice"),
    ],
)
def test_what_cannot_be_simulated_is_told(text, says):
    with pytest.raises(BadInput) as told:
        dots.declared(PEAK, "ridge_peak", read(text, PEAK))
    assert says in str(told.value)


def test_a_simulation_that_fails_raises_and_leaves_nothing(monkeypatch):
    before = set(Path("/tmp").glob("ci_theory_*"))
    sweep = dots.declared(PEAK, "ridge_peak", read(ADDRESS, PEAK))
    monkeypatch.setattr(dots, "summary", lambda data: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(dots.stream(sweep, PEAK, lambda: False))
    assert set(Path("/tmp").glob("ci_theory_*")) <= before


def test_who_leaves_stops_it():
    """In the middle of many runs: nothing goes on, and nothing is left behind."""
    text = ADDRESS.replace("@replicates=20", "@replicates=2000").replace("p=20", "p=60")
    sweep = dots.declared(PEAK, "ridge_peak", read(text, PEAK))
    seen, left = [], threading.Event()
    for event in dots.stream(sweep, PEAK, left.is_set):
        seen.append(event["runs"])
        break
    assert seen[0] < 18_000
    deadline = time.monotonic() + 20
    while any(t.name == "dots" for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(t.name == "dots" for t in threading.enumerate())


def test_an_event_is_strict_json(simulated):
    events, _ = simulated
    for event in events:
        json.dumps(event, allow_nan=False)


def test_dots_are_judged_each_time_that_their_replicates_have_doubled(monkeypatch):
    """Of the replicates that every place has by then, and of no others."""
    judged = []
    monkeypatch.setattr(dots, "summary", lambda data: {"axis": "n"})
    monkeypatch.setattr(
        dots, "judged", lambda data, _: judged.append(data.sizes["replicate"]) or {"breaks": []}
    )
    watched = dots._Watched(None, None, PEAK)

    def told(whole, done=False):
        status = np.full((3, 40), -1)
        status[:, :whole] = 0
        status[0, whole : whole + 2] = 0  # of the first place there are more
        data = xarray.Dataset({"status": (("n", "replicate"), status)})
        store = types.SimpleNamespace(dataset=lambda: data)
        return "breaks" in watched._known(store, done)

    assert [told(whole) for whole in (7, 8, 9, 15, 16, 31, 32)] == [
        False, True, False, False, True, False, True,
    ]  # fmt: skip
    assert [told(whole, done=True) for whole in (7, 8)] == [False, True]
    assert judged == [8, 16, 32, 8]


def test_a_break_has_the_verdict_of_its_kind(monkeypatch):
    one = {"why": "w", "measure": "m", "predicted": {"value": 2.0}, "closed_form": None,
           "measured": {"value": 1.0, "interval": [0.5, 1.5], "status": "OK"}}  # fmt: skip
    kinds = [{"break": "a", "verdict": "AGREES"}, {"break": "b", "verdict": "DISAGREES"}]
    found = {"kinds": kinds, "breaks": [{"break": name, **one} for name in "ba"]}
    for name, document in (("check", {"predictions": []}), ("locate_breaks", found)):
        answer = types.SimpleNamespace(to_json=lambda document=document: document)
        monkeypatch.setattr(dots, name, lambda *_, answer=answer, **__: answer)
    told = dots.judged(None, None)["breaks"]
    assert [(b["break"], b["verdict"]) for b in told] == [("b", "DISAGREES"), ("a", "AGREES")]
