"""Declared grids, planned, run and stored.

A sweep is declared (``grid``), planned into bundles of one compiled program and chunks of runs
(``plan``, ``layout``), run by an engine (``runner``, ``engines``) and kept in a crash-safe store
(``store``) that opens as an xarray Dataset, and may grow (``growth``).

Importing this package imports neither JAX nor xarray; the names below do, on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# public name -> module that defines it (PEP 562: imported on first use)
_HOMES = {
    "DaskEngine": "ci_theory.sweeps.dask_engine",
    "DryRun": "ci_theory.sweeps.estimate",
    "Interrupted": "ci_theory.sweeps.runner",
    "Plan": "ci_theory.sweeps.plan",
    "Range": "ci_theory.sweeps.grid",
    "Store": "ci_theory.sweeps.store",
    "Sweep": "ci_theory.sweeps.grid",
    "dry_run": "ci_theory.sweeps.estimate",
    "make_plan": "ci_theory.sweeps.layout",
    "parse_shard": "ci_theory.sweeps.shards",
    "parse_value": "ci_theory.sweeps.grid",
    "read_sweep": "ci_theory.sweeps.grid",
    "run": "ci_theory.sweeps.runner",
    "values_for": "ci_theory.sweeps.grid",
}

__all__ = [
    "DaskEngine",
    "DryRun",
    "Interrupted",
    "Plan",
    "Range",
    "Store",
    "Sweep",
    "dry_run",
    "make_plan",
    "parse_shard",
    "parse_value",
    "read_sweep",
    "run",
    "values_for",
]

if TYPE_CHECKING:
    from ci_theory.sweeps.dask_engine import DaskEngine
    from ci_theory.sweeps.estimate import DryRun, dry_run
    from ci_theory.sweeps.grid import Range, Sweep, parse_value, read_sweep, values_for
    from ci_theory.sweeps.layout import make_plan
    from ci_theory.sweeps.plan import Plan
    from ci_theory.sweeps.runner import Interrupted, run
    from ci_theory.sweeps.shards import parse_shard
    from ci_theory.sweeps.store import Store


def __getattr__(name: str) -> Any:
    """Import the module behind a public name on first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ci_theory.sweeps' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
