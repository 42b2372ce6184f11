"""Run every benchmark of speed, or whatever is named, in its own process on one core.

Studies of accuracy, and of what the tests catch, take minutes and run only by name;
``benchmarks.modular_accelerator`` asks for an accelerator and is started by itself.
"""

import os
import pkgutil
import subprocess
import sys

import benchmarks

LEFT_OUT = {
    "break_chains",
    "break_coverage",
    "break_search",
    "coverage",
    "fuzz",
    "modular_accelerator",
    "mutants",
    "slack",
    "small_means",
}


def main() -> int:
    """Return the number of benchmarks that failed."""
    found = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name[0] != "_"]
    wanted = sys.argv[1:] or [name for name in found if name not in LEFT_OUT]
    # Machine-wide OpenBLAS overrides can halve its speed: leave them out for every side.
    left_out = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
    environment = {k: v for k, v in os.environ.items() if k not in left_out}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
    failures = 0
    for name in wanted:
        print(f"\n== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], env=environment)
        failures += done.returncode != 0
    return failures


if __name__ == "__main__":
    sys.exit(main())
