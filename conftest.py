"""Float64 for the whole run, a clean precision setting after each test, and tolerances."""

import faulthandler
import gc
import os

# Matrices in tests are small: LAPACK threads only wait for each other (50 times slower on a
# loaded two-core machine). Subprocesses inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import pytest

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
