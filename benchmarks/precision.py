"""Declared sweeps in float32 and in float64 on one device: the verdicts of both, and their speed.

    python -m benchmarks.precision [REPLICATES] [EXPERIMENT ...]

Each runs in a process of its own, twice: what is timed is the second run, with another seed, so
nothing is compiled. A check of float32 gives no verdict by itself, because rounding has no bound
near interpolation; here it is told to take ``ROUNDING``, so that the table shows where this would
be wrong: a verdict other than that of float64. JAX picks the device (``JAX_PLATFORMS``).
"""

import json
import subprocess
import sys
import tempfile
import time

ROUNDING = 1e-3
EXPERIMENTS = ("ridge_peak", "random_feature_peak", "two_stage_ridge", "repeated_data")
LIMIT = 240  # seconds for one experiment in one precision


def measured(name: str, precision: str, replicates: int) -> dict:
    """Run an experiment; return the device, its runs per second and its verdicts."""
    import dataclasses

    import jax

    from ci_theory import enable_float64
    from ci_theory._shipped import EXPERIMENT, find
    from ci_theory.check import check
    from ci_theory.sweeps import read_sweep, run

    if precision == "float64":
        enable_float64()
    declared = read_sweep(find(EXPERIMENT, name))
    for seed in (declared.seed + 1, declared.seed):
        sweep = dataclasses.replace(declared, seed=seed, replicates=replicates)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            store = run(sweep, f"{folder}/store", precision=precision, progress=False)
            seconds = time.perf_counter() - start
            dataset = store.dataset()
    enable_float64()  # theory has no other precision
    report = check(dataset, rounding=ROUNDING if precision == "float32" else None)
    runs = sum(plan.runs for plan in store.plans)
    return {
        "device": jax.devices()[0].device_kind,
        "speed": runs / seconds,
        "verdicts": {o.name: o.verdict.value for o in report.outcomes},
    }


def asked(name: str, precision: str, replicates: int) -> dict:
    """Measure in a process of its own; a failure is an empty answer, and told."""
    command = [sys.executable, "-m", "benchmarks.precision", "--one", name, precision]
    try:
        done = subprocess.run(
            [*command, str(replicates)], capture_output=True, text=True, check=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        print(f"{name}, {precision}: not done in {LIMIT} s", flush=True)
    except subprocess.CalledProcessError as failed:
        print(f"{name}, {precision}: {failed.stderr.strip().splitlines()[-1:]}", flush=True)
    else:
        return json.loads(done.stdout.splitlines()[-1])
    return {}


def main() -> int:
    """Print the table; return how many verdicts differ, 125 at most."""
    words = sys.argv[1:]
    if words[:1] == ["--one"]:
        print(json.dumps(measured(words[1], words[2], int(words[3]))))
        return 0
    replicates = int(words.pop(0)) if words and words[0].isdigit() else 20
    differ = 0
    for name in words or EXPERIMENTS:
        both = {p: asked(name, p, replicates) for p in ("float64", "float32")}
        if not all(both.values()):
            continue
        exact, short = both["float64"], both["float32"]
        ratio = short["speed"] / exact["speed"]
        print(
            f"{name} on {exact['device']}: {exact['speed']:.0f} runs/s in float64, "
            f"{short['speed']:.0f} in float32 ({ratio:.1f} times)"
        )
        for prediction, verdict in exact["verdicts"].items():
            other = short["verdicts"][prediction]
            differ += other != verdict
            print(f"    {prediction:28s} {verdict:14s} {other}", flush=True)
    print(f"{differ} verdicts differ with a rounding of {ROUNDING:g}")
    return min(differ, 125)


if __name__ == "__main__":
    sys.exit(main())
