"""Theory and simulation of catastrophic inheritance.

How noise, repetition, imbalance and contamination of upstream data reach a downstream task:
every phenomenon carries a simulation, closed-form predictions, decoys that the same data must
reject, and a break-point locator; a calibrated check says whether they agree.

Importing this package does not import JAX; the submodules do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> module that defines it (PEP 562: imported on first use)
_HOMES = {
    "BadInput": "ci_theory._errors",
    "Status": "ci_theory._errors",
    "enable_float64": "ci_theory._types",
    "learning_curve": "ci_theory.own_data",
    "load": "ci_theory.phenomena",
    "names": "ci_theory.phenomena",
    "predict": "ci_theory.phenomena",
    "sensitivity": "ci_theory.phenomena",
    "solve": "ci_theory.phenomena",
}

__all__ = [
    "BadInput",
    "Status",
    "__version__",
    "enable_float64",
    "learning_curve",
    "load",
    "names",
    "predict",
    "sensitivity",
    "solve",
]

if TYPE_CHECKING:
    from ci_theory._errors import BadInput, Status
    from ci_theory._types import enable_float64
    from ci_theory.own_data import learning_curve
    from ci_theory.phenomena import load, names, predict, sensitivity, solve


def __getattr__(name: str) -> Any:
    """Import the module behind a public name on first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ci_theory' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
