"""A sweep of 10^5 cells runs and opens in flat memory, and planning does not list its runs."""

import json

from sweep_driver import python

CODE = """
import json, resource, sys, time
import jax
from ci_theory.sweeps import Sweep, run
jax.config.update("jax_enable_x64", True)

def measured(count, folder):
    axes = {"n": (3, 8), "slope": tuple(range(count // 4)), "degree": (1, 2)}
    begun = time.perf_counter()
    store = run(Sweep(phenomenon="sweep_toys.line", axes=axes), folder)
    ran = time.perf_counter() - begun
    found = store.dataset()
    assert found["mean"].size == count and found.attrs["missing"] == 0
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rss": rss, "ran": ran, "took": time.perf_counter() - begun}

print(json.dumps([measured(n, f"{sys.argv[1]}/{n}") for n in (10**4, 10**5)]))
"""


def test_a_hundred_thousand_cells_run_in_flat_memory(tmp_path):
    with python("-c", CODE, str(tmp_path)) as process:
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, err
    small, large = json.loads(out)
    # 10^5 cells are 1.7 MB of results; a list of runs, keys or cells would be tens of MB
    assert large["rss"] - small["rss"] < 40, (small, large)
    assert len(list((tmp_path / "100000" / "parts").iterdir())) < 100
