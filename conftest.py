"""Float64 for the whole run, a clean precision setting after each test, and tolerances."""

import ctypes
import faulthandler
import gc
import os
from contextlib import suppress
from pathlib import Path

# Matrices in tests are small: LAPACK threads only wait for each other (50 times slower on a
# loaded two-core machine). Subprocesses inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# No test finds what another left, nor leaves anything in the user's home.
os.environ["CI_THEORY_CACHE"] = "off"

import jax
import pytest
from jaxtyping import install_import_hook

# What functions say of shapes is checked as they are called or traced, in the rooms where it is
# true, by `make test-optimised`; an int is a float.
if os.environ.get("CI_THEORY_SHAPES"):
    import shapes

    install_import_hook(
        ("ci_theory.theory.spectra", "ci_theory.theory.ridge"),
        "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
    )
    simulating = ["biases", "inherit", "measure", "systems", "tasks", "training"]
    theory = [
        "attention", "discrete", "dynamics", "editing", "features", "inheritance",
        "representations", "rows", "scaling", "sequences", "statements",
    ]  # fmt: skip
    rooms = [*simulating, "check", "locate", "own_data", *(f"theory.{room}" for room in theory)]
    install_import_hook([f"ci_theory.{room}" for room in rooms], f"{shapes.__name__}.functions")

pytest_plugins = ["held"]  # --held, --hold: tests/held.py

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
faulthandler.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Leave what the imports made out of the garbage collection: it lives to the end."""
    gc.disable()
    found = yield
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000, 10, 10)  # tracing makes objects by the thousand
    return found


MEMORY = 1e9
"""Bytes above which a worker forgets what it has compiled, between two files."""


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Give memory back: compiled programs of earlier files would add up to several gigabytes."""
    if (nextitem is None or nextitem.path != item.path) and _resident() > MEMORY:
        jax.clear_caches()
        gc.collect()
        with suppress(OSError, AttributeError):  # only the GNU library has it
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def _resident() -> float:
    """Bytes of memory in use; without a limit where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("inf")
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


@pytest.fixture(autouse=True)
def _restore_precision():
    yield
    jax.config.update("jax_enable_x64", True)


# One place for tolerances: relative error allowed where the arithmetic alone decides.
TIGHT = {"float64": 1e-12, "float32": 2e-5}
