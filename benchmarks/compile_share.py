"""How much of each declared sweep's time is compilation, when nothing has been kept from before.

    python -m benchmarks.compile_share [EXPERIMENT ...]

Each experiment in a process of its own: every program of its plan is compiled, and a call or more
of each, some ``LOOK`` seconds, is timed; the rest follows from the number of runs. CPU seconds of
one thread, so that compiling and running are told in one unit on any machine; beside other work
both come out up to a third higher, running more than compiling.

What it brought that only trainings in stages are fully optimised, in seconds of compilation before
and after (before: ``XLA_FLAGS=--xla_backend_optimization_level=3``), at equal running times within
some hundredths: fig_networks_noise 35 and 13, fig_feature_parts 70 and 55, fig_ridge_peak_p 35 and
23, fact_memory_ranks 7.2 and 4.7, markov_icl 29 and 18; of the first 48 sweeps by name 746 and 461.
sgd_scaling, a loop that is not in stages, runs 15 % longer: in all 23.9 s, 22.9 before.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import _table

LOOK = 0.3
"""Seconds for which each program is run at least."""

PAGE = Path(__file__).parents[1] / "docs" / "compile_share.md"
HEAD = """# What of a sweep is compilation

CPU seconds of every declared sweep that compile its programs and run them, when nothing has been
kept from before, written by `python -m benchmarks.compile_share`. The second time a program is
asked for on a machine it is loaded from the cache of the command line. A sweep has a program for
every combination of its static axes and for every length of array: `p` of ridge regression is one.

Of full optimisation, what takes long to compile serves loops of many small steps; so only trainings
in stages are given it (`sweeps/program.py`).
"""


def spent(name: str) -> dict:
    """Return what compiling and running a declared sweep takes [CPU s], and its programs."""
    from ci_theory import enable_float64
    from ci_theory._shipped import EXPERIMENT, find
    from ci_theory.sweeps import read_sweep
    from ci_theory.sweeps.engines import one_lapack_thread, programs_of
    from ci_theory.sweeps.layout import make_plan
    from ci_theory.sweeps.program import devices_of

    enable_float64()
    plan = make_plan(read_sweep(find(EXPERIMENT, name)).validated().completed())
    devices = devices_of(None)
    (maker,) = programs_of([plan], devices)
    first: dict = {}  # the first chunk of each program, and the runs of all
    for index in range(plan.chunks):
        chunk = plan.chunk(index)
        runs = first.get(chunk.bundle.shape, (chunk, 0))[1] + chunk.valid
        first[chunk.bundle.shape] = (first.get(chunk.bundle.shape, (chunk, 0))[0], runs)
    compiling = running = 0.0
    with one_lapack_thread(devices):
        for shape, (chunk, runs) in first.items():
            begun = time.process_time()
            maker.compiled(shape)
            compiling += time.process_time() - begun
            arguments = plan.arguments(chunk)
            begun = time.process_time()
            calls = maker.sample(shape, plan.sweep.seed, arguments, LOOK)
            running += (time.process_time() - begun) / calls * runs / chunk.valid
    return {"programs": len(first), "compiling": compiling, "running": running}


def page(rows: list[tuple[str, int, float, float]]) -> str:
    """Lay out (experiment, programs, compiling, running) as a page.

    >>> print(page([("demo", 3, 1.0, 3.0)]).splitlines()[-1])
    | demo | 3 | 1.0 | 3.0 | 25 % |
    """
    head = ("experiment", "programs", "compiling", "running", "share")
    cells = [head, ("---",) * len(head)]
    for name, programs, compiling, running in rows:
        share = compiling / (compiling + running)
        cells.append(
            (
                name,
                str(programs),
                f"{compiling:.1f}",
                f"{running:.1f}",
                f"{share:.0%}".replace("%", " %"),
            )
        )
    table = "\n".join(f"| {' | '.join(row)} |" for row in cells)
    return f"{HEAD}\nMeasured on {_table.machine()}.\n\n{table}\n"


def main() -> int:
    """Print a line an experiment; of all experiments, write the page."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(spent(sys.argv[2])))
        return 0
    experiments = Path(__file__).parents[1] / "experiments"
    names = sys.argv[1:] or sorted(f.stem for f in experiments.glob("*.toml"))
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    one_thread = {"XLA_FLAGS": flags, "OPENBLAS_NUM_THREADS": "1"}
    print(f"{'experiment':36}{'programs':>9}{'compiling':>11}{'running':>11}{'share':>8}")
    failures, rows = 0, []
    for name in names:
        command = [sys.executable, "-m", "benchmarks.compile_share", "--one", name]
        environment = {**os.environ, **one_thread, "CI_THEORY_CACHE": "off"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            print(f"{name:36} failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            failures += 1
            continue
        found = json.loads(done.stdout)
        rows.append((name, *(found[key] for key in ("programs", "compiling", "running"))))
        share = found["compiling"] / (found["compiling"] + found["running"])
        print(
            f"{name:36}{found['programs']:>9}{found['compiling']:>11.1f}{found['running']:>11.1f}"
            f"{share:>8.0%}",
            flush=True,
        )
    if not sys.argv[1:]:
        PAGE.write_text(page(rows), encoding="utf-8")
    return failures


if __name__ == "__main__":
    sys.exit(main())
