"""Run the toy sweep into a folder, in a process of its own: the tests start and kill it."""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import jax

from ci_theory.sweeps import Interrupted, Sweep, run
from ci_theory.sweeps.engines import LocalEngine

jax.config.update("jax_enable_x64", True)


def toy(points=60, replicates=2, ridges=2):
    return Sweep(
        phenomenon="sweep_toys.line",
        axes={
            "n": (5, 20),
            "slope": tuple(float(i) for i in range(points)),
            "ridge": tuple(i / ridges for i in range(ridges)),
        },
        replicates=replicates,
        seed=3,
    )


def bits(store):
    """Every number of a store's Dataset, to the last bit."""
    found = store.dataset()
    return {name: (v.dims, v.dtype, v.values.tobytes()) for name, v in found.variables.items()}


@contextmanager
def python(*words, **variables):
    """Start Python on some words; whatever happens, it is gone afterwards."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), **variables}
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    process = subprocess.Popen([sys.executable, *words], env=environment, text=True, **pipes)
    try:
        yield process
        process.communicate(timeout=300)
    finally:
        process.kill()
        process.communicate()


class Counting(LocalEngine):
    states = ()

    def outcomes(self, jobs, worker):
        for outcome in super().outcomes(jobs, worker):
            self.states = (*self.states, outcome.state)
            yield outcome


if __name__ == "__main__":
    # a shell that runs the tests in the background has its children ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--replicates", type=int, default=2)
    parser.add_argument("--most-runs", type=int, default=4)
    parser.add_argument("--ridges", type=int, default=2)
    args = parser.parse_args()
    engine = Counting()
    try:
        sweep = toy(args.points, args.replicates, args.ridges)
        store = run(sweep, args.folder, engine=engine, most_runs=args.most_runs)
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(130)
    told = {
        "done": engine.states.count("done"),
        "chunks": store.plans[0].chunks,
        "devices": len(jax.devices()),
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(told))
