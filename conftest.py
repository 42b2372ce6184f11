"""Float64 for the whole run, a clean precision setting after each test, and tolerances."""

import faulthandler
import gc
import os

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

pytest_plugins = ["held", "memory"]  # --held, --hold: tests/held.py

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


@pytest.fixture(autouse=True)
def _restore_precision():
    yield
    jax.config.update("jax_enable_x64", True)


# One place for tolerances: relative error allowed where the arithmetic alone decides.
TIGHT = {"float64": 1e-12, "float32": 2e-5}
