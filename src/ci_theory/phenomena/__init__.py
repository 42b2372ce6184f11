"""The phenomena: each file holds one, with its simulation, predictions, decoys and locator.

The directory listing is the registry: ``load("ridge_peak")`` imports ``ridge_peak.py`` here and
returns its ``PHENOMENON``. A third party names a module (``mine``, ``my_pkg.my_mod``) or declares
an entry point in the group ``ci_theory.phenomena``.

To load a module is to run its code. Whoever writes its path in a program or on a command line
wants that; whoever opens a file that somebody else wrote does not. So a path that comes from a
file is followed only within ci_theory, or if the program has imported that module already.
"""

import pkgutil
import sys
import traceback
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from ci_theory._errors import BadInput, unknown
from ci_theory.phenomena._base import (
    Bound,
    Break,
    Estimate,
    Mistake,
    Phenomenon,
    Prediction,
    Stages,
    measured,
    statics,
)
from ci_theory.phenomena._predict import predict
from ci_theory.phenomena._predictions import predicted, predictions
from ci_theory.phenomena._sensitivity import sensitivity
from ci_theory.phenomena._solve import solve

__all__ = [
    "Bound",
    "Break",
    "Estimate",
    "Mistake",
    "Phenomenon",
    "Prediction",
    "Stages",
    "load",
    "measured",
    "names",
    "predict",
    "predicted",
    "predictions",
    "sensitivity",
    "solve",
    "statics",
]


def names() -> list[str]:
    """List the registered phenomena: files here, then entry points of other packages.

    >>> "ridge_peak" in names()
    True
    """
    return sorted({*_here(), *_outside()})


@cache
def _here() -> frozenset[str]:
    """Return the names of the files in this folder."""
    modules = pkgutil.iter_modules(__path__)
    return frozenset(m.name for m in modules if not m.name.startswith("_"))


@cache
def _outside() -> dict[str, str]:
    """Map the names that other installed packages declare to their modules."""
    return {e.name: e.value for e in entry_points(group="ci_theory.phenomena")}


def load(name: str, *, trusted: bool = True) -> Phenomenon:
    """Return the phenomenon of a registry name, an entry point or a module.

    Args:
        name: the name or the path.
        trusted: whether the user gave it; a file may name what is registered, but the path of
            another module only if that is imported already.

    Raises:
        BadInput: no such phenomenon, its module cannot be imported or has no PHENOMENON, or
            it is not trusted.
    """
    if "." in name:
        path = name
        if not all(part.isidentifier() for part in path.split(".")):
            raise BadInput(
                f"phenomenon '{name}': expected a name or a module path, like pkg.module"
            )
        if not (trusted or path in sys.modules or path.startswith("ci_theory.")):
            raise BadInput(
                f"phenomenon '{name}' is a module outside ci_theory, and to load it is to run its "
                f"code: if you trust it, add --allow {name} (in Python, import it first)"
            )
    elif name in _outside():
        path = _outside()[name]
    elif name in _here():
        path = f"{__name__}.{name}"
    elif _imported_already(name) or (trusted and _importable(name)):
        path = name
    elif trusted:
        raise unknown("phenomenon", name, names())
    else:
        others = _imported_of_others()
        problem, _, known = str(unknown("phenomenon", name, names())).rpartition(" (")
        meant = str(unknown("phenomenon", name, [*names(), *others])).rpartition(" (")[0]
        if any(meant.endswith(f": did you mean '{one}'?") for one in others):
            raise BadInput(f"{meant} ({known}")
        hint = f"if it is a module that you trust, add --allow {name}"  # before the long list
        raise BadInput(f"{problem}; {hint} ({known}")
    found = getattr(_imported(name, path), "PHENOMENON", None)
    if not isinstance(found, Phenomenon):
        raise BadInput(f"phenomenon '{name}': module {path} defines no PHENOMENON")
    return found


def _imported_already(name: str) -> bool:
    """Say whether a word is a module that is loaded and defines a phenomenon."""
    return isinstance(getattr(sys.modules.get(name), "PHENOMENON", None), Phenomenon)


def _imported_of_others() -> list[str]:
    """Return the modules outside of this package that are loaded and define a phenomenon."""
    loaded = {k: getattr(v, "__dict__", {}).get("PHENOMENON") for k, v in [*sys.modules.items()]}
    defining = [name for name, found in loaded.items() if isinstance(found, Phenomenon)]
    return [name for name in defining if not name.startswith("ci_theory.")]


def _importable(name: str) -> bool:
    """Say whether a word is the name of a module; nothing is imported."""
    try:
        return name.isidentifier() and find_spec(name) is not None
    except ValueError:  # a module that does not know where it is from, like __main__
        return False


def _imported(name: str, path: str) -> ModuleType:
    """Import a module, of whose author any mistake must be expected, an exit included."""
    try:
        return import_module(path)
    except (Exception, SystemExit) as problem:
        missing = problem.name if isinstance(problem, ModuleNotFoundError) else None
        if missing and f"{path}.".startswith(f"{missing}."):
            raise BadInput(f"phenomenon '{name}': there is no module {path}") from problem
        kind = "" if isinstance(problem, BadInput) else f"{type(problem).__name__}: "
        reason = f"{kind}{problem}{_place(problem, path)}"
        raise BadInput(f"phenomenon '{name}' cannot be imported: {reason}") from problem


def _place(problem: BaseException, path: str) -> str:
    """Say in which line of a module its import failed."""
    frames = traceback.walk_tb(problem.__traceback__)
    inside = [(f.f_code.co_filename, n) for f, n in frames if f.f_globals.get("__name__") == path]
    return f" ({Path(inside[-1][0]).name}:{inside[-1][1]})" if inside else ""
