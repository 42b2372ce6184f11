"""The phenomena: each file holds one, with its simulation, predictions, decoys and locator.

The directory listing is the registry: ``load("ridge_peak")`` imports ``ridge_peak.py`` here and
returns its ``PHENOMENON``. A third party names a module path (``my_pkg.my_mod``) or declares an
entry point in the group ``ci_theory.phenomena``.
"""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from ci_theory._errors import BadInput, unknown
from ci_theory.phenomena._base import (
    Break,
    Decoy,
    Estimate,
    Phenomenon,
    Prediction,
    Stages,
    measured,
    statics,
)
from ci_theory.phenomena._predict import predict

__all__ = [
    "Break",
    "Decoy",
    "Estimate",
    "Phenomenon",
    "Prediction",
    "Stages",
    "load",
    "measured",
    "names",
    "predict",
    "statics",
]


def names() -> list[str]:
    """List the registered phenomena: files here, then entry points of other packages.

    >>> "ridge_peak" in names()
    True
    """
    here = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    return sorted({*here, *_outside()})


@cache
def _outside() -> dict[str, str]:
    """Map the names that other installed packages declare to their modules."""
    return {e.name: e.value for e in entry_points(group="ci_theory.phenomena")}


def load(name: str) -> Phenomenon:
    """Return the phenomenon of a registry name, an entry point or a dotted module path.

    Raises:
        BadInput: no such phenomenon, or the module has no PHENOMENON.
    """
    if "." in name:
        path = name
        if not all(part.isidentifier() for part in path.split(".")):
            raise BadInput(
                f"phenomenon '{name}': expected a name or a module path, like pkg.module"
            )
    elif name in _outside():
        path = _outside()[name]
    elif name in names():
        path = f"{__name__}.{name}"
    else:
        raise unknown("phenomenon", name, names())
    try:
        module = import_module(path)
    except ModuleNotFoundError as missing:
        if missing.name and (path == missing.name or path.startswith(missing.name + ".")):
            raise BadInput(f"phenomenon '{name}': there is no module {path}") from missing
        raise
    found = getattr(module, "PHENOMENON", None)
    if not isinstance(found, Phenomenon):
        raise BadInput(f"phenomenon '{name}': module {path} defines no PHENOMENON")
    return found
