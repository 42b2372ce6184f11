"""All that the author of a phenomenon imports: one public module, no underscores.

A phenomenon of your own is one file, anywhere, that defines ``PHENOMENON``; docs/extending.md
walks through one of 60 lines, and through two biases together. Everything here is used by the
phenomena of the package too. The building blocks (``ci_theory.tasks``, ``biases``, ``systems``,
``training``, ``theory``) are public where they are; ``ci_theory.testing`` holds a phenomenon to
the laws.

>>> @record
... class Params:
...     n: int = sized(20, low=1, unit="rows", doc="rows averaged")
...     noise: float = traced(1.0, low=0, unit="label²", doc="variance of a row")
>>> Params(n=5)
Params(n=5, noise=1.0)
"""

from ci_theory._errors import BadInput, Status
from ci_theory._keys import stream
from ci_theory._record import again, inner, part, record, sized, static, traced
from ci_theory._types import Array, Bool, Float, Int, Key, Scalar, enable_float64
from ci_theory.locate.crossing import Crossing
from ci_theory.locate.floor import Floor
from ci_theory.locate.onset import Onset
from ci_theory.locate.peak import Peak
from ci_theory.locate.point import BreakPoint
from ci_theory.locate.survival import Survival
from ci_theory.locate.valley import Valley
from ci_theory.phenomena import (
    Bound,
    Break,
    Estimate,
    Mistake,
    Phenomenon,
    Prediction,
    Stages,
    measured,
    predict,
    predicted,
    predictions,
)
from ci_theory.phenomena import _slack as slack
from ci_theory.phenomena._base import Locator
from ci_theory.phenomena._mistakes import (
    contexts_are_exact,
    copies_are_fresh,
    labels_are_exact,
    labels_swapped,
    no_saturation,
    noise_halved,
    noise_ignored,
    optimism_ignored,
    poison_is_free,
    proportional_limit,
    ridge_per_row,
    targets_alike,
    time_doubled,
)
from ci_theory.phenomena._programs import quickly
from ci_theory.phenomena._training import stages

__all__ = [
    "Array",
    "BadInput",
    "Bool",
    "Bound",
    "Break",
    "BreakPoint",
    "Crossing",
    "Estimate",
    "Float",
    "Floor",
    "Int",
    "Key",
    "Locator",
    "Mistake",
    "Onset",
    "Peak",
    "Phenomenon",
    "Prediction",
    "Scalar",
    "Stages",
    "Status",
    "Survival",
    "Valley",
    "again",
    "contexts_are_exact",
    "copies_are_fresh",
    "enable_float64",
    "inner",
    "labels_are_exact",
    "labels_swapped",
    "measured",
    "no_saturation",
    "noise_halved",
    "noise_ignored",
    "optimism_ignored",
    "part",
    "poison_is_free",
    "predict",
    "predicted",
    "predictions",
    "proportional_limit",
    "quickly",
    "record",
    "ridge_per_row",
    "sized",
    "slack",
    "stages",
    "static",
    "stream",
    "targets_alike",
    "time_doubled",
    "traced",
]
