"""Run every benchmark of speed, or whatever is named, in its own process on one core.

At the end all ratios are printed as one table; if every benchmark ran, it is also written, with the
machine and the versions, to ``docs/benchmarks.md``.

Studies of accuracy, and of what the tests catch, take minutes and run only by name;
``benchmarks.modular_accelerator`` asks for an accelerator and is started by itself.
"""

import os
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

import benchmarks
from benchmarks import _table

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"

LEFT_OUT = {
    "break_chains",
    "break_coverage",
    "break_search",
    "compile_share",
    "coverage",
    "fuzz",
    "fuzz_pages",
    "fuzz_rows",
    "modular_accelerator",
    "mutants",
    "precision",
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
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        rows.touch()
        for name in wanted:
            print(f"\n== {name}", flush=True)
            command = [sys.executable, "-m", f"benchmarks.{name}"]
            done = subprocess.run(command, env={**environment, _table.ROWS: str(rows)})
            failures += done.returncode != 0
        told = _table.read(rows)
    print("", *_table.lines(told), sep="\n")
    if not sys.argv[1:]:
        PAGE.write_text(_table.page(told))
    return failures


if __name__ == "__main__":
    sys.exit(main())
