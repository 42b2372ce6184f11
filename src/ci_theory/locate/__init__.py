"""From curves to break points, with intervals."""

from ci_theory.locate.breaks import BrokenLaw, fit
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.floor import Floor
from ci_theory.locate.peak import Peak
from ci_theory.locate.point import BreakPoint
from ci_theory.locate.survival import Survival
from ci_theory.locate.valley import Valley

__all__ = ["BreakPoint", "BrokenLaw", "Crossing", "Floor", "Peak", "Survival", "Valley", "fit"]
