"""From curves to break points, with intervals.

A name is imported when it is first asked for: a fit needs no survival statistics.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ci_theory.locate.breaks import BrokenLaw, fit
    from ci_theory.locate.crossing import Crossing
    from ci_theory.locate.floor import Floor
    from ci_theory.locate.onset import Onset
    from ci_theory.locate.peak import Peak
    from ci_theory.locate.point import BreakPoint
    from ci_theory.locate.survival import Survival
    from ci_theory.locate.valley import Valley

__all__ = [
    "BreakPoint",
    "BrokenLaw",
    "Crossing",
    "Floor",
    "Onset",
    "Peak",
    "Survival",
    "Valley",
    "fit",
]

_HOMES = {"BreakPoint": "point", "BrokenLaw": "breaks", "fit": "breaks"}


def __getattr__(name: str) -> Any:
    """Import the module behind a public name on first use."""
    if name in __all__:
        module = import_module(f"ci_theory.locate.{_HOMES.get(name, name.lower())}")
        return getattr(module, name)
    raise AttributeError(f"module 'ci_theory.locate' has no attribute {name!r}")
