"""The dots of a page: its point simulated along its axis, by the sweep engine, as they come.

A sweep is run into a temporary store. The engine is handed the chunks of the first replicates of
all places first, so that every dot is there early and its interval then shrinks. What is told at
the end is what ``ci-theory run`` of the same declaration stores, bit for bit.
"""

import json
import math
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import xarray
from scipy.special import stdtrit

from ci_theory._errors import BadInput
from ci_theory._shown import plain
from ci_theory.check import check, locate_breaks
from ci_theory.check.reading import simulated
from ci_theory.explore.address import Shown
from ci_theory.explore.curve import line
from ci_theory.phenomena import Phenomenon
from ci_theory.sweeps import Sweep, run
from ci_theory.sweeps.engines import Job, LocalEngine, Outcome, Worker
from ci_theory.sweeps.store import Store

CONFIDENCE = 0.95
"""Coverage of the interval of every mean."""

FEWEST_JUDGED = 8
"""Replicates of every place from which verdicts are told."""

LEVEL = 1e-3
"""Chance of a false alarm in the verdicts of a page."""

_PIECES = 16  # chunks of a group of cells, at least: how smoothly the intervals shrink
_LOOK = 0.2  # seconds between two looks at whether anybody still listens


def declared(phenomenon: Phenomenon, name: str, shown: Shown) -> Sweep:
    """Return the sweep that an address asks for.

    Raises:
        BadInput: it asks for none, or for one that cannot be run.
    """
    if shown.dots < 1:
        raise BadInput("@dots = 0: no place is to be simulated")
    axis, asked = line(phenomenon, shown)
    values = asked.ranges[axis]
    picked = np.unique(np.linspace(0, len(values) - 1, min(shown.dots, len(values))).round())
    return Sweep(
        phenomenon=name,
        axes={axis: tuple(values[int(i)] for i in picked)},
        fixed=asked.fixed,
        replicates=shown.replicates,
        seed=shown.seed,
        name="explored",
    ).validated()


def toml(sweep: Sweep) -> str:
    """Write a sweep as the file that ``ci-theory run`` takes."""
    lines = [
        f"phenomenon = {json.dumps(sweep.phenomenon)}",
        f"replicates = {sweep.replicates}",
        f"seed = {sweep.seed}",
        "\n[axes]",
        *(f"{name} = {json.dumps(list(values))}" for name, values in sweep.axes.items()),
        "\n[fixed]",
        *(f"{name} = {json.dumps(value)}" for name, value in sweep.fixed.items()),
    ]
    return "\n".join(lines) + "\n"


def stream(
    sweep: Sweep, phenomenon: Phenomenon, gone: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """Simulate a sweep of one axis; yield what is known after every piece.

    Args:
        sweep: the sweep.
        phenomenon: what is simulated.
        gone: whether nobody listens any more; the simulation then stops after the pieces at hand.

    Yields:
        {"axis", "places", "measures", "done", "runs", "of"}, where "measures" maps
        each to {"mean", "low", "high", "count"} along the places; and, where every place
        has enough replicates, "verdicts" and "breaks".

    Raises:
        BadInput: it cannot be run.
    """
    told: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    stop = threading.Event()
    failed: list[BaseException] = []
    with tempfile.TemporaryDirectory(prefix="ci_theory_") as folder:
        engine = _Watched(told.put, stop.is_set, phenomenon)
        place = Path(folder) / "store"

        def work() -> None:
            try:
                run(sweep, place, engine=engine, progress=False, most_runs=_most_runs(sweep))
            except BaseException as problem:
                failed.append(problem)
            finally:
                told.put(None)

        thread = threading.Thread(target=work, name="dots", daemon=True)
        thread.start()
        try:
            while True:
                try:
                    event = told.get(timeout=_LOOK)
                except Empty:
                    if gone():
                        return
                    continue
                if event is None:
                    break
                yield event
        finally:
            stop.set()
            thread.join()
    if failed and not isinstance(failed[0], KeyboardInterrupt):
        raise failed[0]


def _most_runs(sweep: Sweep) -> int:
    """Return how many runs a chunk holds, so that there are many and each has several."""
    return max(4, math.ceil(sweep.cells * sweep.replicates / _PIECES))


class _Watched:
    """The local engine, first replicates first, that tells what is stored and can be stopped."""

    def __init__(
        self, tell: Callable[[dict[str, Any]], None], stopped: Callable[[], bool], phenomenon: Any
    ) -> None:
        self.tell, self.stopped, self.phenomenon = tell, stopped, phenomenon
        self.judged = FEWEST_JUDGED

    def outcomes(self, jobs: Iterable[Job], worker: Worker) -> Generator[Outcome, None, None]:
        """Yield outcomes as they come; tell after each what is known."""
        plans = worker.store.plans

        def check() -> None:
            if self.stopped():
                raise KeyboardInterrupt

        worker.check = check

        def first(job: Job) -> int:
            return int(plans[job.plan].chunk(job.chunk).replicates[0])

        pending = sorted(jobs, key=first)
        left = len(pending)
        with closing(LocalEngine().outcomes(pending, worker)) as outcomes:
            for outcome in outcomes:
                left -= 1
                self.tell(self._known(worker.store, left == 0))
                yield outcome

    def _known(self, store: Store, done: bool) -> dict[str, Any]:
        """Return what a store holds by now, judged each time that its replicates have doubled."""
        data = store.dataset()
        event = {**summary(data), "done": done}
        whole = (data["status"].values >= 0).all(axis=data["status"].get_axis_num(event["axis"]))
        enough = int(whole.sum())
        if enough >= (FEWEST_JUDGED if done else self.judged):
            self.judged = 2 * enough
            event |= judged(data.isel(replicate=np.flatnonzero(whole)), self.phenomenon)
        return dict(plain(event))


def summary(data: xarray.Dataset) -> dict[str, Any]:
    """Return mean, interval and number of runs of every measure along the axis of a sweep."""
    (axis,) = (str(name) for name in data.dims if name != "replicate")
    measures = {}
    for name in data.data_vars:
        if name == "status":
            continue
        values, _ = simulated(data, str(name))
        count = np.isfinite(values).sum(axis=-1)
        with np.errstate(all="ignore"):
            mean = np.nansum(values, axis=-1) / np.where(count, count, np.nan)
            spread = np.nansum((values - mean[:, None]) ** 2, axis=-1)
            error = np.sqrt(spread / (count - 1) / count)
            half = np.where(
                count > 1, stdtrit(np.maximum(count - 1, 1), (1 + CONFIDENCE) / 2) * error, np.nan
            )
        measures[str(name)] = {
            "mean": mean,
            "low": mean - half,
            "high": mean + half,
            "count": count.tolist(),
        }
    status = data["status"].values
    return {
        "axis": axis,
        "places": data[axis].values,
        "measures": measures,
        "runs": int((status >= 0).sum()),
        "of": int(status.size),
    }


def judged(data: xarray.Dataset, phenomenon: Phenomenon) -> dict[str, Any]:
    """Return the verdicts on the predictions and the located breaks of a sweep."""
    report = check(data, phenomenon, level=LEVEL).to_json()
    breaks = locate_breaks(data, phenomenon, level=LEVEL).to_json()
    return {
        "verdicts": [
            {"prediction": p["name"], "verdict": p["verdict"], "reason": p["reason"]}
            for p in report["predictions"]
        ],
        "breaks": [
            {
                "break": b["break"],
                "verdict": next(k["verdict"] for k in breaks["kinds"] if k["break"] == b["break"]),
                "why": b["why"],
                "measure": b["measure"],
                "value": b["measured"]["value"],
                "interval": b["measured"]["interval"],
                "status": b["measured"]["status"],
                "predicted": b["predicted"]["value"],
                "closed_form": b["closed_form"],
            }
            for b in breaks["breaks"]
        ],
    }
