"""What Dask costs and brings: one sweep by the local engine and by two worker processes.

The results are asserted to be the same to the last bit first. What a chunk takes by one worker
of one thread beyond what it takes on one lane of this process is the way there and back, and the
wait for the next job; two workers stand against the local engine, which has as many lanes as there
are cores. Both have compiled before. Wall seconds: what is measured is waiting.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import _table
from ci_theory import enable_float64
from ci_theory.sweeps import DaskEngine, Sweep, run

SWEEP = Sweep(
    phenomenon="ridge_peak",
    axes={"n": tuple(range(20, 420, 20)), "noise": (0.1, 1.0)},
    fixed={"p": 200, "ridge": 2.0},
    replicates=32,
    seed=0,
)
MOST_RUNS = 8


def seconds(folder: Path, engine=None) -> tuple[float, dict, int]:
    """Run the sweep twice into folders of its own; the second run's time, numbers and chunks."""
    for attempt in range(2):
        begun = time.perf_counter()
        store = run(SWEEP, folder / str(attempt), engine=engine, most_runs=MOST_RUNS)
        taken = time.perf_counter() - begun
    data = store.dataset()
    return taken, {k: np.asarray(v) for k, v in data.data_vars.items()}, store.plans[0].chunks


def main() -> int:
    """Print the table."""
    from distributed import Client, LocalCluster

    enable_float64()
    settings = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    taken = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        taken["local"], numbers, chunks = seconds(folder / "local")
        for count in (1, 2):
            with LocalCluster(n_workers=count, **settings) as cluster, Client(cluster) as client:
                engine = DaskEngine(client)
                taken[f"dask {count}"], found, _ = seconds(folder / f"dask-{count}", engine)
            assert found.keys() == numbers.keys()
            for key, values in numbers.items():
                np.testing.assert_array_equal(found[key], values)
    print(f"{chunks} chunks of {MOST_RUNS} runs, the same bits")
    for who, time_taken in taken.items():
        print(f"{who:8s} {time_taken:7.2f} s  {1e3 * time_taken / chunks:7.2f} ms a chunk")
    at = f"{chunks} chunks of {MOST_RUNS} runs, wall"
    _table.tell(
        at, "the local engine (ours: two Dask workers)", taken["dask 2"], taken["local"], "s"
    )
    print(f"two workers against the local engine: {taken['local'] / taken['dask 2']:.2f} times")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
